/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Theory of operation: a vCPU thread says that it goes inside (`inside`), then looks whether somebody wants it out (`gate`); who wants it
 * out raises the gate, then looks who is inside. Both orders are sequentially consistent, so one of the two always sees the other. A kick
 * is immediate_exit plus a signal: whichever side of the entry the thread is on, KVM_RUN comes back. Spec: KVM API 5 (immediate_exit);
 * contract 12.5, 12.6, 12.16. */
#include "core/vcpu.h"

#include "core/bus.h"
#include "core/config.h"
#include "core/kvm.h"
#include "core/log.h"
#include "core/machine.h"
#include "x86/cpuid.h"
#include "x86/fixup.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#define VCPU_KICK_SIGNAL (SIGRTMIN + 1)

typedef struct _VmmVcpus VmmVcpus;

struct _VmmVcpu {
  VmmVcpus *group;
  guint index;
  GThread *thread;
  pthread_t posix_thread;
  VmmKvmVcpu *kvm; /* (nullable) until the thread has made it */
  struct kvm_run *run;
  atomic_bool inside; /* in KVM_RUN, or about to */
  gboolean parked;    /* under lock */
  gboolean ready;     /* under lock: set up, or failed */
  gboolean shut_down; /* its thread, and who resets it while it is parked: a triple fault; it does not run before a reset */
  GError *error;      /* (nullable) set-up failed */
};

struct _VmmVcpus {
  VmmMachine *machine;
  struct kvm_cpuid2 *cpuid;  /* what the host offers */
  struct kvm_cpuid2 *hyperv; /* (nullable) the same of Hyper-V */
  VmmCpuModel model;
  GMutex lock;
  GCond cond;
  atomic_uint gate; /* holders, plus one while parking or ending */
  guint n;
  VmmVcpu *vcpus;
  guint holders;    /* under lock */
  gboolean parking; /* under lock */
  gboolean ending;  /* under lock */
};

static void
vcpu_on_signal (int signal)
{
}

void
vmm_init (void)
{
  struct sigaction action = { .sa_handler = vcpu_on_signal };

  sigaction (VCPU_KICK_SIGNAL, &action, NULL);
}

static void
vcpu_kick (VmmVcpu *vcpu)
{
  if (vcpu->run == NULL)
    return;
  __atomic_store_n (&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
  pthread_kill (vcpu->posix_thread, VCPU_KICK_SIGNAL);
}

static void
vcpu_fault (VmmVcpu *vcpu, const char *what)
{
  g_autofree char *where = vmm_kvm_vcpu_describe (vcpu->kvm);
  g_autofree char *message = g_strdup_printf ("%s (%s)", what, where);

  vmm_machine_report_fault (vcpu->group->machine, message);
  /* Not another instruction until the control thread has parked us. */
  g_mutex_lock (&vcpu->group->lock);
  while (!vcpu->group->parking && !vcpu->group->ending)
    g_cond_wait (&vcpu->group->cond, &vcpu->group->lock);
  g_mutex_unlock (&vcpu->group->lock);
}

static void
vcpu_on_io (VmmVcpu *vcpu)
{
  struct kvm_run *run = vcpu->run;
  guint8 *data = (guint8 *) run + run->io.data_offset;

  for (guint32 i = 0; i < run->io.count; i++, data += run->io.size)
    vmm_bus_access (vcpu->group->machine->bus, VMM_SPACE_PIO, run->io.port, data, run->io.size,
                    run->io.direction == KVM_EXIT_IO_OUT);
}

static void
vcpu_on_internal_error (VmmVcpu *vcpu)
{
  struct kvm_run *run = vcpu->run;
  gboolean has_bytes = run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION && run->emulation_failure.ndata >= 3
                       && (run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES);
  gsize n_bytes = has_bytes ? MIN (run->emulation_failure.insn_size, sizeof run->emulation_failure.insn_bytes) : 0;
  g_autoptr (GString) text = NULL;

  if (has_bytes && vmm_fixup_instruction (vcpu->kvm, run->emulation_failure.insn_bytes, n_bytes))
    return;
  text = g_string_new (NULL);
  g_string_append_printf (text, "the host's KVM cannot run this guest: internal error %u", run->internal.suberror);
  if (run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION)
    {
      g_string_append (text, ", instruction not emulated");
      for (gsize i = 0; i < n_bytes; i++)
        g_string_append_printf (text, " %02x", run->emulation_failure.insn_bytes[i]);
    }
  vcpu_fault (vcpu, text->str);
}

static void
vcpu_on_exit (VmmVcpu *vcpu)
{
  VmmMachine *machine = vcpu->group->machine;
  struct kvm_run *run = vcpu->run;
  g_autofree char *text = NULL;

  switch (run->exit_reason)
    {
    case KVM_EXIT_IO:
      vcpu_on_io (vcpu);
      break;
    case KVM_EXIT_MMIO:
      vmm_bus_access (machine->bus, VMM_SPACE_MMIO, run->mmio.phys_addr, run->mmio.data, MIN (run->mmio.len, 8),
                      run->mmio.is_write);
      break;
    case KVM_EXIT_INTR:
    case KVM_EXIT_IRQ_WINDOW_OPEN:
    case KVM_EXIT_HLT:
    case KVM_EXIT_SET_TPR:
      break;
    case KVM_EXIT_HYPERV:
      /* The synthetic interrupt controller's pages are KVM's own affair; messages to a hypervisor have nobody who takes them
       * (TLFS §3.8: HV_STATUS_INVALID_HYPERCALL_CODE). */
      if (run->hyperv.type == KVM_EXIT_HYPERV_HCALL)
        run->hyperv.u.hcall.result = 2;
      break;
    case KVM_EXIT_SHUTDOWN:
      if (machine->stop_on_triple_fault)
        vcpu_fault (vcpu, "triple fault: the guest's processor cannot go on");
      else
        {
          vcpu->shut_down = TRUE;
          vmm_machine_request_reset (machine);
        }
      break;
    case KVM_EXIT_SYSTEM_EVENT:
      if (run->system_event.type == KVM_SYSTEM_EVENT_SHUTDOWN)
        vmm_machine_request_power_off (machine);
      else
        vmm_machine_request_reset (machine);
      break;
    case KVM_EXIT_INTERNAL_ERROR:
      vcpu_on_internal_error (vcpu);
      break;
    case KVM_EXIT_FAIL_ENTRY:
      text = g_strdup_printf ("the host's KVM cannot enter the guest: hardware reason %#llx",
                              (unsigned long long) run->fail_entry.hardware_entry_failure_reason);
      vcpu_fault (vcpu, text);
      break;
    default:
      text = g_strdup_printf ("the host's KVM left the guest for an unknown reason %u", run->exit_reason);
      vcpu_fault (vcpu, text);
      break;
    }
}

static void
vcpu_run_once (VmmVcpu *vcpu)
{
  int result = vmm_kvm_vcpu_run (vcpu->kvm);

  atomic_store (&vcpu->inside, FALSE);
  if (atomic_load (&vcpu->group->gate) > 0)
    {
      g_mutex_lock (&vcpu->group->lock);
      g_cond_broadcast (&vcpu->group->cond);
      g_mutex_unlock (&vcpu->group->lock);
    }

  if (result == 0)
    vcpu_on_exit (vcpu);
  else if (result == -EINTR || result == -EAGAIN)
    __atomic_store_n (&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
  else
    {
      g_autofree char *text = g_strdup_printf ("the host's KVM cannot run the guest: %s", g_strerror (-result));

      vcpu_fault (vcpu, text);
    }
}

/* One entry that does not run the guest. It may touch guest memory (string I/O), so not while somebody changes the slots. */
static int
vcpu_run_nothing (VmmVcpu *vcpu)
{
  VmmVcpus *group = vcpu->group;
  int result;

  g_mutex_lock (&group->lock);
  while (group->holders > 0)
    g_cond_wait (&group->cond, &group->lock);
  atomic_store (&vcpu->inside, TRUE);
  g_mutex_unlock (&group->lock);

  __atomic_store_n (&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
  result = vmm_kvm_vcpu_run (vcpu->kvm);

  g_mutex_lock (&group->lock);
  atomic_store (&vcpu->inside, FALSE);
  g_cond_broadcast (&group->cond);
  g_mutex_unlock (&group->lock);
  return result;
}

/* The register part of an I/O instruction is only done at the next entry. */
static void
vcpu_complete_io (VmmVcpu *vcpu)
{
  for (guint tries = 0; tries < 64; tries++)
    {
      if (vcpu_run_nothing (vcpu) != 0)
        break;
      if (vcpu->run->exit_reason != KVM_EXIT_IO && vcpu->run->exit_reason != KVM_EXIT_MMIO)
        break;
      vcpu_on_exit (vcpu);
    }
  __atomic_store_n (&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
}

/* Waits until the guest may be entered. Returns: FALSE when the thread shall end. */
static gboolean
vcpu_enter (VmmVcpu *vcpu)
{
  VmmVcpus *group = vcpu->group;
  gboolean go_on = TRUE;

  for (;;)
    {
      atomic_store (&vcpu->inside, TRUE);
      if (atomic_load (&group->gate) == 0 && !vcpu->shut_down)
        return TRUE;

      g_mutex_lock (&group->lock);
      atomic_store (&vcpu->inside, FALSE);
      g_cond_broadcast (&group->cond);
      while (group->holders > 0 || group->parking || group->ending || vcpu->shut_down)
        {
          if (group->ending)
            break;
          if (group->parking && !vcpu->parked)
            {
              g_mutex_unlock (&group->lock);
              vcpu_complete_io (vcpu);
              g_mutex_lock (&group->lock);
              vcpu->parked = group->parking;
              g_cond_broadcast (&group->cond);
              continue;
            }
          g_cond_wait (&group->cond, &group->lock);
        }
      vcpu->parked = FALSE;
      go_on = !group->ending;
      g_mutex_unlock (&group->lock);
      if (!go_on)
        return FALSE;
    }
}

static gboolean
vcpu_set_up (VmmVcpu *vcpu, GError **error)
{
  VmmMachine *machine = vcpu->group->machine;
  g_autofree struct kvm_cpuid2 *cpuid = NULL;

  vcpu->kvm = vmm_kvm_vcpu_new (machine->kvm, vmm_cpuid_apic_id (vcpu->index), error);
  if (vcpu->kvm == NULL)
    return FALSE;
  cpuid = vmm_cpuid_make (vcpu->group->cpuid, vcpu->group->hyperv, &vcpu->group->model, vcpu->index, machine->n_vcpus);
  if (vcpu->group->model.synic && !vmm_kvm_vcpu_enable_synic (vcpu->kvm, error))
    return FALSE;
  if (!vmm_kvm_vcpu_set_cpuid (vcpu->kvm, cpuid, error) || !vmm_kvm_vcpu_save_start_state (vcpu->kvm, error))
    return FALSE;
  vcpu->run = vmm_kvm_vcpu_get_run (vcpu->kvm);
  return TRUE;
}

static gpointer
vcpu_main (gpointer data)
{
  VmmVcpu *vcpu = data;
  VmmVcpus *group = vcpu->group;
  GError *error = NULL;
  gboolean ok;

  vcpu->posix_thread = pthread_self ();
  ok = vcpu_set_up (vcpu, &error);
  g_mutex_lock (&group->lock);
  vcpu->error = error;
  vcpu->ready = TRUE;
  g_cond_broadcast (&group->cond);
  g_mutex_unlock (&group->lock);

  while (ok && vcpu_enter (vcpu))
    vcpu_run_once (vcpu);
  return NULL;
}

static void
vcpus_free (VmmVcpus *group)
{
  for (guint i = 0; i < group->n; i++)
    {
      vmm_kvm_vcpu_free (group->vcpus[i].kvm);
      g_clear_error (&group->vcpus[i].error);
    }
  g_free (group->vcpus);
  g_free (group->cpuid);
  g_free (group->hyperv);
  g_mutex_clear (&group->lock);
  g_cond_clear (&group->cond);
  g_free (group);
}

/* What machine.conf says of the processors. */
static gboolean
vcpus_choose_model (VmmVcpus *group, GError **error)
{
  const VmmConfig *config = group->machine->config;
  const char *wanted, *os;

  if (config == NULL)
    return TRUE;
  if (!vmm_cpu_model_parse (vmm_config_get_machine (config, "cpu-model"), vmm_config_get_machine (config, "cpu-features"),
                            group->cpuid, &group->model, error))
    return FALSE;
  wanted = vmm_config_get_machine (config, "hyperv");
  os = vmm_config_get_machine (config, "os");
  if (g_str_equal (wanted, "on") && group->hyperv == NULL)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED, "hyperv=on: this computer's KVM does not have it");
      return FALSE;
    }
  group->model.hyperv = g_str_equal (wanted, "on")
                        || (g_str_equal (wanted, "auto") && os != NULL && strstr (os, "microsoft.com/win") != NULL);
  group->model.synic = group->model.hyperv && group->hyperv != NULL && vmm_kvm_check (group->machine->kvm, KVM_CAP_HYPERV_SYNIC2);
  return TRUE;
}

gboolean
vmm_vcpus_start (VmmMachine *machine, GError **error)
{
  VmmVcpus *group = g_new0 (VmmVcpus, 1);
  gboolean ok = TRUE;

  group->machine = machine;
  group->n = machine->n_vcpus;
  group->vcpus = g_new0 (VmmVcpu, group->n);
  g_mutex_init (&group->lock);
  g_cond_init (&group->cond);
  group->parking = TRUE;
  atomic_store (&group->gate, 1);
  group->cpuid = vmm_kvm_get_supported_cpuid (machine->kvm, error);
  group->hyperv = vmm_kvm_get_supported_hyperv_cpuid (machine->kvm);
  if (group->cpuid == NULL || !vcpus_choose_model (group, error))
    {
      vcpus_free (group);
      return FALSE;
    }

  machine->vcpus = group;
  for (guint i = 0; i < group->n; i++)
    {
      VmmVcpu *vcpu = &group->vcpus[i];
      g_autofree char *name = g_strdup_printf ("vcpu%u", i);

      vcpu->group = group;
      vcpu->index = i;
      vcpu->thread = g_thread_try_new (name, vcpu_main, vcpu, &vcpu->error);
      g_mutex_lock (&group->lock);
      while (vcpu->thread != NULL && !vcpu->ready)
        g_cond_wait (&group->cond, &group->lock);
      g_mutex_unlock (&group->lock);
      if (vcpu->error != NULL)
        {
          g_propagate_error (error, g_steal_pointer (&vcpu->error));
          ok = FALSE;
          break;
        }
    }
  if (!ok)
    vmm_vcpus_stop (machine);
  else
    vmm_vcpus_park (machine); /* waits until each has arrived */
  return ok;
}

void
vmm_vcpus_stop (VmmMachine *machine)
{
  VmmVcpus *group = machine->vcpus;

  if (group == NULL)
    return;
  g_mutex_lock (&group->lock);
  group->ending = TRUE;
  atomic_fetch_add (&group->gate, 1);
  for (guint i = 0; i < group->n; i++)
    if (group->vcpus[i].thread != NULL)
      vcpu_kick (&group->vcpus[i]);
  g_cond_broadcast (&group->cond);
  g_mutex_unlock (&group->lock);
  for (guint i = 0; i < group->n; i++)
    if (group->vcpus[i].thread != NULL)
      g_thread_join (group->vcpus[i].thread);
  machine->vcpus = NULL;
  vcpus_free (group);
}

void
vmm_vcpus_park (VmmMachine *machine)
{
  VmmVcpus *group = machine->vcpus;

  if (group == NULL)
    return;
  g_mutex_lock (&group->lock);
  if (!group->parking)
    {
      group->parking = TRUE;
      atomic_fetch_add (&group->gate, 1);
    }
  for (guint i = 0; i < group->n; i++)
    if (!group->vcpus[i].parked)
      vcpu_kick (&group->vcpus[i]);
  g_cond_broadcast (&group->cond);
  for (guint i = 0; i < group->n; i++)
    while (!group->vcpus[i].parked)
      g_cond_wait (&group->cond, &group->lock);
  g_mutex_unlock (&group->lock);
}

void
vmm_vcpus_unpark (VmmMachine *machine)
{
  VmmVcpus *group = machine->vcpus;

  g_mutex_lock (&group->lock);
  if (group->parking)
    {
      for (guint i = 0; i < group->n; i++)
        vmm_kvm_vcpu_tell_paused (group->vcpus[i].kvm);
      group->parking = FALSE;
      atomic_fetch_sub (&group->gate, 1);
      g_cond_broadcast (&group->cond);
    }
  g_mutex_unlock (&group->lock);
}

gboolean
vmm_vcpus_reset (VmmMachine *machine, GError **error)
{
  VmmVcpus *group = machine->vcpus;

  for (guint i = 0; i < group->n; i++)
    {
      if (!vmm_kvm_vcpu_reset (group->vcpus[i].kvm, error))
        return FALSE;
      group->vcpus[i].shut_down = FALSE;
    }
  return TRUE;
}

void
vmm_vcpus_hold (VmmMachine *machine)
{
  VmmVcpus *group = machine->vcpus;
  pthread_t self = pthread_self ();

  if (group == NULL)
    return;
  g_mutex_lock (&group->lock);
  group->holders++;
  atomic_fetch_add (&group->gate, 1);
  for (guint i = 0; i < group->n; i++)
    {
      VmmVcpu *vcpu = &group->vcpus[i];

      if (vcpu->run != NULL && !pthread_equal (vcpu->posix_thread, self) && atomic_load (&vcpu->inside))
        vcpu_kick (vcpu);
    }
  for (guint i = 0; i < group->n; i++)
    while (atomic_load (&group->vcpus[i].inside) && !pthread_equal (group->vcpus[i].posix_thread, self))
      g_cond_wait (&group->cond, &group->lock);
  g_mutex_unlock (&group->lock);
}

void
vmm_vcpus_release (VmmMachine *machine)
{
  VmmVcpus *group = machine->vcpus;

  if (group == NULL)
    return;
  g_mutex_lock (&group->lock);
  group->holders--;
  atomic_fetch_sub (&group->gate, 1);
  g_cond_broadcast (&group->cond);
  g_mutex_unlock (&group->lock);
}
