/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lifecycle. One control thread a machine runs every request in order; what devices and vCPUs ask for comes the same way. */
#include "core/machine.h"

#include "block/block.h"
#include "core/bus-private.h"
#include "core/channel.h"
#include "core/clock-private.h"
#include "core/config.h"
#include "core/irq-private.h"
#include "core/kvm.h"
#include "core/log.h"
#include "core/memory-private.h"
#include "core/vcpu.h"
#include "pci/pci.h"
#include "x86/board-q35.h"

#include <stdatomic.h>
#include <sys/mman.h>

struct _VmmControl {
  GThread *thread;
  GMainContext *context;
  GMainLoop *loop;
  /* Set by whoever asks, taken by the control thread: asking twice is asking once. */
  atomic_bool reset_wanted, power_off_wanted, pause_wanted;
  /* Counts resets and faults: what the machine asked before the last one means nothing any more. */
  atomic_uint epoch;
};

typedef struct {
  VmmMachine *machine;
  char *message; /* (nullable) */
  VmmReason reason;
  guint epoch; /* when it was asked */
} MachRequest;

typedef struct {
  VmmMachine *machine;
  char *device_id, *path;
  gboolean force;
  VmmDone done;
  gpointer data;
} MachMedium;

/* === Control thread === */

static gpointer
mach_control_main (gpointer data)
{
  VmmControl *control = data;

  g_main_context_push_thread_default (control->context);
  g_main_loop_run (control->loop);
  g_main_context_pop_thread_default (control->context);
  return NULL;
}

typedef struct {
  VmmCallFunc func;
  gpointer data;
  GDestroyNotify free_data; /* (nullable): afterwards, or when the machine ends before */
} MachCall;

static gboolean
mach_on_call (gpointer data)
{
  MachCall *call = data;

  call->func (call->data);
  return G_SOURCE_REMOVE;
}

static void
mach_call_free (gpointer data)
{
  MachCall *call = data;

  if (call->free_data != NULL)
    call->free_data (call->data);
  g_free (call);
}

static void
mach_post (VmmMachine *machine, VmmCallFunc func, gpointer data, GDestroyNotify free_data)
{
  MachCall *call = g_new (MachCall, 1);
  g_autoptr (GSource) source = g_idle_source_new ();

  *call = (MachCall) { func, data, free_data };
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, mach_on_call, call, mach_call_free);
  g_source_attach (source, machine->control->context);
}

void
vmm_machine_post (VmmMachine *machine, VmmCallFunc func, gpointer data)
{
  mach_post (machine, func, data, NULL);
}

void
vmm_machine_post_full (VmmMachine *machine, VmmCallFunc func, gpointer data, GDestroyNotify free_data)
{
  mach_post (machine, func, data, free_data);
}

static void
mach_request_free (gpointer data)
{
  MachRequest *request = data;

  g_free (request->message);
  g_free (request);
}

static void
mach_post_request (VmmMachine *machine, VmmCallFunc func, VmmReason reason, const char *message)
{
  MachRequest *request = g_new (MachRequest, 1);

  *request = (MachRequest) { machine, g_strdup (message), reason, atomic_load (&machine->control->epoch) };
  mach_post (machine, func, request, mach_request_free);
}

static gboolean
mach_request_is_stale (const MachRequest *request)
{
  return request->epoch != atomic_load (&request->machine->control->epoch);
}

static void
mach_set_state (VmmMachine *machine, VmmMachineState state, VmmReason reason, const char *message)
{
  g_atomic_int_set (&machine->state, state);
  if (machine->events.state_changed != NULL)
    machine->events.state_changed (machine, state, reason, message, machine->events_data);
}

VmmMachineState
vmm_machine_get_state (VmmMachine *machine)
{
  return g_atomic_int_get (&machine->state);
}

/* === Transitions; control thread === */

static void
mach_run (VmmMachine *machine)
{
  vmm_clock_set_running (machine->clock, TRUE);
  vmm_vcpus_unpark (machine);
}

static void
mach_halt (VmmMachine *machine)
{
  vmm_vcpus_park (machine);
  vmm_clock_set_running (machine->clock, FALSE);
}

static void
mach_for_each_block (VmmMachine *machine, void (*func) (VmmBlock *block))
{
  for (guint i = 0; i < machine->blocks->len; i++)
    func (machine->blocks->pdata[i]);
}

void
vmm_machine_reset_devices (VmmMachine *machine, VmmResetKind kind)
{
  if (machine->bus != NULL)
    vmm_bus_flush_coalesced (machine->bus);
  for (guint i = 0; i < machine->devices->len; i++)
    {
      VmmDevice *dev = machine->devices->pdata[i];

      if (dev->class->quiesce != NULL)
        dev->class->quiesce (dev);
    }
  /* What stalls never comes back by itself, and tried again later it would write the memory of another guest. */
  mach_for_each_block (machine, vmm_block_fail_stalled);
  mach_for_each_block (machine, vmm_block_drain);
  for (guint i = 0; i < machine->devices->len; i++)
    {
      VmmDevice *dev = machine->devices->pdata[i];

      vmm_device_lock (dev);
      if (dev->class->reset != NULL)
        dev->class->reset (dev, kind);
      vmm_device_unlock (dev);
    }
  for (guint i = 0; i < machine->devices->len; i++)
    {
      VmmDevice *dev = machine->devices->pdata[i];

      if (dev->class->resume != NULL)
        dev->class->resume (dev);
    }
}

static void
mach_fail (VmmMachine *machine, const char *message)
{
  mach_halt (machine);
  atomic_fetch_add (&machine->control->epoch, 1);
  vmm_log_warning (machine, NULL, "%s", message);
  mach_set_state (machine, VMM_MACHINE_FAILED, VMM_REASON_FAULT, message);
}

static gboolean
mach_reset_all (VmmMachine *machine, VmmResetKind kind)
{
  g_autoptr (GError) error = NULL;

  vmm_machine_reset_devices (machine, kind);
  vmm_kvm_reset_chips (machine->kvm);
  atomic_fetch_add (&machine->control->epoch, 1);
  atomic_store (&machine->control->reset_wanted, FALSE);
  atomic_store (&machine->control->power_off_wanted, FALSE);
  atomic_store (&machine->control->pause_wanted, FALSE);
  if (vmm_vcpus_reset (machine, &error))
    return TRUE;
  mach_fail (machine, error->message);
  return FALSE;
}

static void
mach_on_start (gpointer data)
{
  VmmMachine *machine = data;
  g_autoptr (GError) error = NULL;

  if (vmm_machine_get_state (machine) != VMM_MACHINE_OFF)
    return;
  if (machine->vcpus == NULL && !vmm_vcpus_start (machine, &error))
    {
      mach_set_state (machine, VMM_MACHINE_FAILED, VMM_REASON_FAULT, error->message);
      return;
    }
  if (!mach_reset_all (machine, VMM_RESET_COLD))
    return;
  mach_run (machine);
  mach_set_state (machine, VMM_MACHINE_RUNNING, VMM_REASON_REQUEST, NULL);
}

static void
mach_pause (VmmMachine *machine, VmmReason reason, const char *message)
{
  if (vmm_machine_get_state (machine) != VMM_MACHINE_RUNNING)
    return;
  mach_halt (machine);
  mach_set_state (machine, VMM_MACHINE_PAUSED, reason, message);
}

static void
mach_on_pause (gpointer data)
{
  mach_pause (data, VMM_REASON_REQUEST, NULL);
}

static void
mach_on_device_pause (gpointer data)
{
  MachRequest *request = data;

  atomic_store (&request->machine->control->pause_wanted, FALSE);
  if (!mach_request_is_stale (request))
    mach_pause (request->machine, request->reason, request->message);
}

static void
mach_on_resume (gpointer data)
{
  VmmMachine *machine = data;

  if (vmm_machine_get_state (machine) != VMM_MACHINE_PAUSED)
    return;
  /* First the state: a request that stalls again pauses anew. */
  mach_set_state (machine, VMM_MACHINE_RUNNING, VMM_REASON_REQUEST, NULL);
  mach_for_each_block (machine, vmm_block_retry);
  mach_run (machine);
}

static void
mach_on_reset (gpointer data)
{
  VmmMachine *machine = data;
  VmmMachineState state = vmm_machine_get_state (machine);

  if (state == VMM_MACHINE_OFF || machine->vcpus == NULL)
    {
      atomic_store (&machine->control->reset_wanted, FALSE);
      return;
    }
  /* The request stands until the processors are parked: one that still runs asks again (a triple fault does). */
  mach_halt (machine);
  if (!mach_reset_all (machine, VMM_RESET_WARM))
    return;
  if (machine->events.was_reset != NULL)
    machine->events.was_reset (machine, machine->events_data);
  if (state != VMM_MACHINE_PAUSED)
    mach_run (machine);
  if (state == VMM_MACHINE_FAILED)
    mach_set_state (machine, VMM_MACHINE_RUNNING, VMM_REASON_REQUEST, NULL);
}

static void
mach_on_guest_reset (gpointer data)
{
  MachRequest *request = data;

  if (!mach_request_is_stale (request))
    mach_on_reset (request->machine);
}

static void
mach_power_off (VmmMachine *machine, VmmReason reason)
{
  VmmRam *ram = vmm_memory_get_ram (machine->memory);

  if (vmm_machine_get_state (machine) == VMM_MACHINE_OFF)
    return;
  mach_halt (machine);
  if (machine->vcpus != NULL && !mach_reset_all (machine, VMM_RESET_COLD))
    return;
  /* A machine without power forgets; the host gets the memory back. */
  madvise (ram->host, ram->size, MADV_REMOVE);
  mach_set_state (machine, VMM_MACHINE_OFF, reason, NULL);
}

static void
mach_on_stop (gpointer data)
{
  mach_power_off (data, VMM_REASON_REQUEST);
}

static void
mach_on_guest_power_off (gpointer data)
{
  MachRequest *request = data;

  atomic_store (&request->machine->control->power_off_wanted, FALSE);
  if (!mach_request_is_stale (request))
    mach_power_off (request->machine, VMM_REASON_GUEST);
}

static void
mach_on_fault (gpointer data)
{
  MachRequest *request = data;

  if (!mach_request_is_stale (request))
    mach_fail (request->machine, request->message);
}

static void
mach_on_power_button (gpointer data)
{
  VmmMachine *machine = data;

  if (vmm_machine_get_state (machine) == VMM_MACHINE_RUNNING)
    vmm_board_q35_power_button (machine);
}

static void
mach_on_change_medium (gpointer data)
{
  MachMedium *medium = data;
  VmmMachine *machine = medium->machine;
  VmmDevice *dev = vmm_machine_find_device (machine, medium->device_id);
  g_autoptr (GError) error = NULL;
  gboolean ok = FALSE;

  if (dev == NULL || dev->class->change_medium == NULL)
    g_set_error (&error, VMM_ERROR, VMM_ERROR_NOT_FOUND, "there is no drive %s", medium->device_id);
  else
    ok = dev->class->change_medium (dev, medium->path, medium->force, &error);
  if (ok && machine->events.medium_changed != NULL)
    machine->events.medium_changed (machine, medium->device_id, medium->path, machine->events_data);
  if (medium->done != NULL)
    medium->done (machine, error, medium->data);
}

static void
mach_medium_free (gpointer data)
{
  MachMedium *medium = data;

  g_free (medium->device_id);
  g_free (medium->path);
  g_free (medium);
}

/* === Requests === */

void
vmm_machine_start (VmmMachine *machine)
{
  vmm_machine_post (machine, mach_on_start, machine);
}

void
vmm_machine_pause (VmmMachine *machine)
{
  vmm_machine_post (machine, mach_on_pause, machine);
}

void
vmm_machine_resume (VmmMachine *machine)
{
  vmm_machine_post (machine, mach_on_resume, machine);
}

void
vmm_machine_power_button (VmmMachine *machine)
{
  vmm_machine_post (machine, mach_on_power_button, machine);
}

void
vmm_machine_reset (VmmMachine *machine)
{
  vmm_machine_post (machine, mach_on_reset, machine);
}

void
vmm_machine_stop (VmmMachine *machine)
{
  vmm_machine_post (machine, mach_on_stop, machine);
}

void
vmm_machine_change_medium (VmmMachine *machine, const char *device_id, const char *path, gboolean force, VmmDone done,
                           gpointer data)
{
  MachMedium *medium = g_new (MachMedium, 1);

  *medium = (MachMedium) { machine, g_strdup (device_id), g_strdup (path), force, done, data };
  mach_post (machine, mach_on_change_medium, medium, mach_medium_free);
}

void
vmm_machine_request_reset (VmmMachine *machine)
{
  if (machine->control != NULL && !atomic_exchange (&machine->control->reset_wanted, TRUE))
    mach_post_request (machine, mach_on_guest_reset, VMM_REASON_GUEST, NULL);
}

void
vmm_machine_request_power_off (VmmMachine *machine)
{
  if (machine->control != NULL && !atomic_exchange (&machine->control->power_off_wanted, TRUE))
    mach_post_request (machine, mach_on_guest_power_off, VMM_REASON_GUEST, NULL);
}

void
vmm_machine_request_pause (VmmMachine *machine, VmmReason reason, const char *message)
{
  if (machine->control != NULL && !atomic_exchange (&machine->control->pause_wanted, TRUE))
    mach_post_request (machine, mach_on_device_pause, reason, message);
}

void
vmm_machine_request_exit (VmmMachine *machine, int code)
{
  g_autofree char *message = g_strdup_printf ("the guest asked to end with code %d", code);

  vmm_machine_report_fault (machine, message);
}

void
vmm_machine_report_fault (VmmMachine *machine, const char *message)
{
  if (machine->control != NULL)
    mach_post_request (machine, mach_on_fault, VMM_REASON_FAULT, message);
}

typedef struct {
  VmmMachine *machine;
  VmmDevice *dev;
  char *path;
} MachMediumNote;

static void
mach_on_medium_note (gpointer data)
{
  MachMediumNote *note = data;

  if (note->machine->events.medium_changed != NULL)
    note->machine->events.medium_changed (note->machine, note->dev->id, note->path, note->machine->events_data);
}

static void
mach_note_free (gpointer data)
{
  MachMediumNote *note = data;

  g_free (note->path);
  g_free (note);
}

void
vmm_machine_notify_medium (VmmMachine *machine, VmmDevice *dev, const char *path)
{
  MachMediumNote *note;

  if (machine->control == NULL)
    return;
  note = g_new (MachMediumNote, 1);
  *note = (MachMediumNote) { machine, dev, g_strdup (path) };
  mach_post (machine, mach_on_medium_note, note, mach_note_free);
}

typedef struct {
  VmmMachine *machine;
  char *id;
  gboolean present;
} MachUsbNote;

static void
mach_on_usb_note (gpointer data)
{
  MachUsbNote *note = data;

  if (note->machine->events.usb_changed != NULL)
    note->machine->events.usb_changed (note->machine, note->id, note->present, note->machine->events_data);
}

static void
mach_usb_note_free (gpointer data)
{
  MachUsbNote *note = data;

  g_free (note->id);
  g_free (note);
}

void
vmm_machine_notify_usb (VmmMachine *machine, const char *id, gboolean present)
{
  MachUsbNote *note;

  if (machine->control == NULL)
    return;
  note = g_new (MachUsbNote, 1);
  *note = (MachUsbNote) { machine, g_strdup (id), present };
  mach_post (machine, mach_on_usb_note, note, mach_usb_note_free);
}

/* === Construction === */

VmmDevice *
vmm_machine_find_device (VmmMachine *machine, const char *id)
{
  for (guint i = 0; i < machine->devices->len; i++)
    {
      VmmDevice *dev = machine->devices->pdata[i];

      if (g_str_equal (dev->id, id))
        return dev;
    }
  return NULL;
}

VmmDevice *
vmm_machine_find_class (VmmMachine *machine, const char *class_name)
{
  for (guint i = 0; i < machine->devices->len; i++)
    {
      VmmDevice *dev = machine->devices->pdata[i];

      if (g_str_equal (dev->class->name, class_name))
        return dev;
    }
  return NULL;
}

VmmConsole *
vmm_machine_get_console (VmmMachine *machine, guint index)
{
  return index < machine->consoles->len ? machine->consoles->pdata[index] : NULL;
}

/* The parts that every machine has. @kvm: (nullable) (transfer full) */
static VmmMachine *
mach_new_parts (VmmKvm *kvm, guint64 ram_bytes, guint n_vcpus, gboolean real_clock, GError **error)
{
  VmmMachine *machine = g_new0 (VmmMachine, 1);

  machine->kvm = kvm;
  machine->n_vcpus = n_vcpus;
  machine->ram_bytes = ram_bytes;
  machine->devices = g_ptr_array_new ();
  machine->consoles = g_ptr_array_new ();
  machine->channels = g_ptr_array_new ();
  machine->nets = g_ptr_array_new ();
  machine->blocks = g_ptr_array_new ();
  machine->usb_loans = g_ptr_array_new ();
  g_mutex_init (&machine->usb_lock);
  machine->bus = vmm_bus_new (kvm);
  machine->irq = vmm_irq_new (kvm);
  machine->pci_bus = vmm_pci_bus_new (machine);
  machine->memory = vmm_memory_new (machine, kvm, ram_bytes, error);
  if (machine->memory != NULL)
    machine->iothread = vmm_iothread_new ("iothread0", error);
  if (machine->iothread != NULL)
    machine->clock = vmm_clock_new (real_clock ? machine->iothread : NULL, error);
  if (machine->clock == NULL)
    {
      vmm_machine_free (machine);
      return NULL;
    }
  machine->input = vmm_input_hub_new (machine->iothread);
  return machine;
}

VmmMachine *
vmm_machine_new_bare (guint64 ram_bytes, guint n_vcpus, GError **error)
{
  return mach_new_parts (NULL, ram_bytes, n_vcpus, FALSE, error);
}

static gboolean
mach_start_control (VmmMachine *machine, GError **error)
{
  VmmControl *control = g_new0 (VmmControl, 1);

  control->context = g_main_context_new ();
  control->loop = g_main_loop_new (control->context, FALSE);
  machine->control = control;
  control->thread = g_thread_try_new ("control", mach_control_main, control, error);
  return control->thread != NULL;
}

VmmMachine *
vmm_machine_new (VmmConfig *config, const char *log_dir, const VmmMachineEvents *events, gpointer data, GError **error)
{
  g_autoptr (VmmMachine) machine = NULL;
  VmmKvm *kvm = vmm_kvm_new (error);
  guint n_vcpus = (guint) vmm_config_get_machine_int (config, "cpus");

  if (kvm == NULL)
    return NULL;
  if (n_vcpus > vmm_kvm_get_max_vcpus (kvm))
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "[machine] cpus=%u: this host's KVM allows at most %u", n_vcpus,
                   vmm_kvm_get_max_vcpus (kvm));
      vmm_kvm_free (kvm);
      return NULL;
    }

  machine = mach_new_parts (kvm, vmm_config_get_machine_int (config, "memory") << 20, n_vcpus, TRUE, error);
  if (machine == NULL)
    return NULL;
  machine->config = vmm_config_ref (config);
  machine->log_dir = g_strdup (log_dir);
  machine->stop_on_triple_fault = g_str_equal (vmm_config_get_machine (config, "triple-fault"), "stop");
  if (events != NULL)
    machine->events = *events;
  machine->events_data = data;
  if (log_dir != NULL && g_mkdir_with_parents (log_dir, 0700) < 0)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "cannot make the directory %s", log_dir);
      return NULL;
    }
  if (!vmm_board_q35_build (machine, error) || !mach_start_control (machine, error))
    return NULL;
  return g_steal_pointer (&machine);
}

static void
mach_on_quit (gpointer data)
{
  VmmMachine *machine = data;

  if (machine->vcpus != NULL)
    mach_halt (machine);
  g_main_loop_quit (machine->control->loop);
}

/* Last of all: until their threads are gone, devices may ask for something. What was asked after the quit is dropped here. */
static void
mach_free_control (VmmControl *control)
{
  if (control == NULL)
    return;
  g_main_loop_unref (control->loop);
  g_main_context_unref (control->context);
  g_free (control);
}

void
vmm_machine_free (VmmMachine *machine)
{
  if (machine == NULL)
    return;
  if (machine->control != NULL && machine->control->thread != NULL)
    {
      vmm_machine_post (machine, mach_on_quit, machine);
      g_thread_join (machine->control->thread);
    }
  vmm_vcpus_stop (machine);
  for (guint i = machine->devices->len; i > 0; i--)
    {
      VmmDevice *dev = machine->devices->pdata[i - 1];

      if (dev->class->quiesce != NULL)
        dev->class->quiesce (dev);
    }
  for (guint i = machine->devices->len; i > 0; i--)
    {
      vmm_device_free (machine->devices->pdata[i - 1]);
      g_ptr_array_set_size (machine->devices, (gint) i - 1);
    }
  vmm_input_hub_free (machine->input);
  vmm_clock_free (machine->clock);
  vmm_iothread_free (machine->iothread);
  vmm_pci_bus_free (machine->pci_bus);
  vmm_irq_free (machine->irq);
  vmm_bus_free (machine->bus);
  vmm_memory_free (machine->memory);
  vmm_kvm_free (machine->kvm);
  g_ptr_array_unref (machine->devices);
  g_ptr_array_unref (machine->consoles);
  g_ptr_array_unref (machine->channels);
  g_ptr_array_unref (machine->nets);
  g_ptr_array_unref (machine->blocks);
  g_ptr_array_unref (machine->usb_loans);
  g_mutex_clear (&machine->usb_lock);
  g_clear_pointer (&machine->config, vmm_config_unref);
  g_free (machine->log_dir);
  mach_free_control (machine->control);
  g_free (machine);
}
