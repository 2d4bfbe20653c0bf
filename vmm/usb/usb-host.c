/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A device of the host, lent to the guest.
 * Spec: Universal Serial Bus 2.0 §9. Left out: streams, bulk transfers above 16 MiB (the host's kernel has no memory for them).
 *
 * Theory of operation: the device in the machine is a wish ("vendor 046d", "whatever is in port 1-2"). A thread of its own looks at the host's
 * list when the kernel says that something came or left; what fits is opened and plugged into the guest's controller, what left is pulled
 * out. All that may block (opening, resets, configurations) is done on that thread as a job; packets that come meanwhile are held, so that
 * their order stays. Data pass through buffers of ours: a packet that the controller takes back leaves its transfer without an owner, which
 * is cancelled and forgotten when it ends.
 *
 * Saved state: none. After a load, as after any time away, the guest sees the device being plugged in anew. */
#include "core/config.h"
#include "core/machine.h"
#include "usb/usb-backend.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define UPT_MAX_BYTES (16u << 20)
#define UPT_IN_FLIGHT 64
/* udev gives rights to a device's node a moment after the kernel told of it. */
#define UPT_RETRIES 10
#define UPT_RETRY_NS 300000000

typedef struct _Upt Upt;

typedef enum { UPT_RESET, UPT_SET_CONFIGURATION, UPT_SET_INTERFACE, UPT_CLEAR_HALT } UptJobKind;

typedef struct {
  Upt *upt;
  UptJobKind kind;
  guint value, index;
  VmmUsbPacket *packet; /* (nullable): to be completed */
} UptJob;

typedef struct {
  guint32 reserved[2];
} UptRegs;

struct _Upt {
  VmmUsbDevice usb;
  UptRegs regs;
  const VmmUsbBackend *backend;
  gpointer backend_data;
  VmmIoThread *thread;
  int watch_fd, timer_fd;
  guint16 vendor_id, product_id;
  guint retries; /* thread */

  /* Controller's lock; the handle is changed by the thread alone. */
  gpointer handle; /* (nullable) */
  gboolean dirty;  /* a reset would change something */
  gboolean losing; /* the thread was told that it's gone */
  gboolean detached;
  guint jobs;  /* on their way to the thread */
  GQueue held; /* VmmUsbPacket, until these are done */

  /* Machine's usb_lock */
  gboolean present;
  guint bus, address;
  char *present_port, *name;
  GError *problem; /* (nullable): why it could not be had */
};

static const VmmSetting upt_settings[] = {
  { "vendor", VMM_SETTING_INT, "0", 0, 0xffff, NULL, N_ ("Vendor of the device, like 0x046d; 0 for any"), VMM_SETTING_NONE },
  { "product", VMM_SETTING_INT, "0", 0, 0xffff, NULL, N_ ("Product of the device; 0 for any"), VMM_SETTING_NONE },
  { "serial", VMM_SETTING_STRING, NULL, 0, 0, NULL, N_ ("Serial number of the device"), VMM_SETTING_NONE },
  { "port", VMM_SETTING_STRING, NULL, 0, 0, NULL, N_ ("Port of this computer that it is plugged into, like 1-2.3"),
    VMM_SETTING_NONE },
  { NULL },
};

static const VmmField upt_fields[] = {
  VMM_FIELD_NOT_SAVED (UptRegs, reserved, "the device keeps its own state"),
  VMM_FIELD_END,
};

static const char *
upt_setting (Upt *upt, const char *key)
{
  const char *value = vmm_device_get_string (&upt->usb.base, key);

  return value != NULL && *value != '\0' ? value : NULL;
}

/* === Transfers; controller's lock held === */

static void
upt_transfer_free (VmmUsbTransfer *transfer)
{
  g_free (transfer->buffer);
  g_free (transfer);
}

static guint8 *
upt_transfer_data (VmmUsbTransfer *transfer)
{
  return transfer->buffer + (transfer->type == VMM_USB_CONTROL ? 8 : 0);
}

static void upt_on_lost (gpointer data);

static void
upt_tell_lost (Upt *upt)
{
  if (upt->losing)
    return;
  upt->losing = TRUE;
  vmm_iothread_call (upt->thread, upt_on_lost, upt);
}

/* Thread, no lock held. */
static void
upt_on_done (VmmUsbTransfer *transfer)
{
  Upt *upt = transfer->owner;
  VmmUsbPacket *packet;

  vmm_usb_lock (upt->usb.host);
  packet = transfer->packet;
  if (packet != NULL)
    {
      if (packet->in)
        vmm_usb_packet_put (packet, upt_transfer_data (transfer), transfer->actual);
      else
        packet->actual = MIN (transfer->actual, packet->size);
      vmm_usb_packet_complete (packet, transfer->status);
    }
  if (transfer->gone)
    upt_tell_lost (upt);
  vmm_usb_unlock (upt->usb.host);
  upt_transfer_free (transfer);
}

/* USB 2.0 table 9-2 */
static void
upt_put_setup (guint8 *to, const VmmUsbSetup *setup)
{
  to[0] = setup->request_type;
  to[1] = setup->request;
  to[2] = (guint8) setup->value;
  to[3] = (guint8) (setup->value >> 8);
  to[4] = (guint8) setup->index;
  to[5] = (guint8) (setup->index >> 8);
  to[6] = (guint8) setup->length;
  to[7] = (guint8) (setup->length >> 8);
}

static VmmUsbStatus
upt_start (Upt *upt, VmmUsbPacket *packet)
{
  gboolean control = packet->type == VMM_USB_CONTROL;
  gsize len = control ? packet->setup.length : packet->size;
  VmmUsbTransfer *transfer;

  if (upt->handle == NULL || upt->losing || len > UPT_MAX_BYTES)
    return VMM_USB_FAILED;
  transfer = g_new0 (VmmUsbTransfer, 1);
  transfer->type = packet->type;
  transfer->endpoint = (guint8) (packet->endpoint | (packet->in && packet->endpoint != 0 ? 0x80 : 0));
  transfer->len = len;
  transfer->done = upt_on_done;
  transfer->owner = upt;
  transfer->packet = packet;
  transfer->buffer = g_try_malloc0 (MAX (len + (control ? 8 : 0), 1));
  if (transfer->buffer == NULL)
    {
      upt_transfer_free (transfer);
      return VMM_USB_FAILED;
    }
  if (control)
    upt_put_setup (transfer->buffer, &packet->setup);
  else
    upt->dirty = TRUE;
  if (!packet->in)
    {
      vmm_usb_packet_get (packet, upt_transfer_data (transfer), len);
      packet->actual = 0;
    }
  packet->device_data = transfer;
  if (upt->backend->submit (upt->handle, transfer))
    return VMM_USB_PENDING;
  packet->device_data = NULL;
  upt_transfer_free (transfer);
  return VMM_USB_FAILED;
}

/* === Jobs === */

/* What waited for the jobs goes on; before whatever the guest makes of the last one's end. */
static void
upt_release_held (Upt *upt)
{
  VmmUsbPacket *packet;

  while (upt->jobs == 0 && (packet = g_queue_pop_head (&upt->held)) != NULL)
    {
      VmmUsbStatus status = upt_start (upt, packet);

      if (status != VMM_USB_PENDING)
        vmm_usb_packet_complete (packet, status);
    }
}

/* Thread, no lock held. */
static void
upt_on_job (gpointer data)
{
  g_autofree UptJob *job = data;
  Upt *upt = job->upt;
  gboolean gone = FALSE, ok = FALSE;
  gpointer handle;

  vmm_usb_lock (upt->usb.host);
  handle = upt->losing ? NULL : upt->handle;
  vmm_usb_unlock (upt->usb.host);
  if (handle != NULL)
    switch (job->kind)
      {
      case UPT_RESET:
        ok = upt->backend->reset (handle, &gone);
        break;
      case UPT_SET_CONFIGURATION:
        ok = upt->backend->set_configuration (handle, job->value, &gone);
        break;
      case UPT_SET_INTERFACE:
        ok = upt->backend->set_interface (handle, job->index, job->value, &gone);
        break;
      case UPT_CLEAR_HALT:
      default:
        ok = upt->backend->clear_halt (handle, (guint8) job->index, &gone);
        break;
      }
  vmm_usb_lock (upt->usb.host);
  upt->jobs--;
  if (gone)
    upt_tell_lost (upt);
  upt_release_held (upt);
  if (job->packet != NULL)
    vmm_usb_packet_complete (job->packet, ok ? VMM_USB_OK : handle == NULL || gone ? VMM_USB_FAILED : VMM_USB_STALL);
  vmm_usb_unlock (upt->usb.host);
}

static VmmUsbStatus
upt_post_job (Upt *upt, UptJobKind kind, VmmUsbPacket *packet)
{
  UptJob *job = g_new0 (UptJob, 1);

  job->upt = upt;
  job->kind = kind;
  job->packet = packet;
  if (packet != NULL)
    {
      job->value = packet->setup.value;
      job->index = packet->setup.index;
      packet->device_data = job;
    }
  upt->jobs++;
  vmm_iothread_call (upt->thread, upt_on_job, job);
  return VMM_USB_PENDING;
}

/* Requests that the host's kernel must carry out itself. VMM_USB_OK with *ret_plain: it's none of them. */
static VmmUsbStatus
upt_special (Upt *upt, VmmUsbPacket *packet, gboolean *ret_plain)
{
  const VmmUsbSetup *setup = &packet->setup;

  *ret_plain = FALSE;
  switch (VMM_USB_REQUEST (setup->request_type, setup->request))
    {
    case VMM_USB_REQUEST (0x00, 5): /* SET_ADDRESS: the host gave it one */
      return VMM_USB_OK;
    case VMM_USB_REQUEST (0x00, 9): /* SET_CONFIGURATION */
      upt->dirty = TRUE;
      return upt_post_job (upt, UPT_SET_CONFIGURATION, packet);
    case VMM_USB_REQUEST (0x01, 11): /* SET_INTERFACE */
      return upt_post_job (upt, UPT_SET_INTERFACE, packet);
    case VMM_USB_REQUEST (0x02, 1): /* CLEAR_FEATURE ENDPOINT_HALT */
      if (setup->value == 0 && (setup->index & 0x0f) != 0)
        return upt_post_job (upt, UPT_CLEAR_HALT, packet);
      G_GNUC_FALLTHROUGH;
    default:
      *ret_plain = TRUE;
      return VMM_USB_OK;
    }
}

/* === The controller's calls === */

typedef enum { UPT_IS_TRANSFER, UPT_IS_JOB, UPT_IS_HELD } UptWhere;

static VmmUsbStatus
upt_submit (VmmUsbDevice *dev, VmmUsbPacket *packet)
{
  Upt *upt = (Upt *) dev;
  gboolean plain = TRUE;
  VmmUsbStatus status;

  if (upt->handle == NULL || upt->losing)
    return VMM_USB_FAILED;
  packet->device_data = NULL;
  if (packet->type == VMM_USB_CONTROL && packet->endpoint == 0)
    {
      status = upt_special (upt, packet, &plain);
      if (!plain)
        {
          packet->device_kind = UPT_IS_JOB;
          return status;
        }
    }
  if (upt->jobs > 0)
    {
      packet->device_kind = UPT_IS_HELD;
      g_queue_push_tail (&upt->held, packet);
      return VMM_USB_PENDING;
    }
  packet->device_kind = UPT_IS_TRANSFER;
  return upt_start (upt, packet);
}

static void
upt_cancel (VmmUsbDevice *dev, VmmUsbPacket *packet)
{
  Upt *upt = (Upt *) dev;

  if (packet->device_kind == UPT_IS_JOB)
    ((UptJob *) packet->device_data)->packet = NULL;
  else if (!g_queue_remove (&upt->held, packet) && packet->device_data != NULL)
    {
      VmmUsbTransfer *transfer = packet->device_data;

      transfer->packet = NULL;
      upt->backend->cancel (upt->handle, transfer);
    }
}

static void
upt_bus_reset (VmmUsbDevice *dev)
{
  Upt *upt = (Upt *) dev;

  if (upt->handle == NULL || upt->losing || !upt->dirty)
    return;
  upt->dirty = FALSE;
  upt_post_job (upt, UPT_RESET, NULL);
}

static const VmmUsbDeviceOps upt_ops = { .reset = upt_bus_reset, .submit = upt_submit, .cancel = upt_cancel };

/* === Coming and going; the thread, no lock held === */

/* Another device of the machine has it. */
static gboolean
upt_is_taken (Upt *upt, const VmmUsbHostDevice *device)
{
  VmmMachine *machine = upt->usb.base.machine;
  gboolean taken = FALSE;

  g_mutex_lock (&machine->usb_lock);
  for (guint i = 0; i < machine->usb_loans->len; i++)
    {
      const Upt *other = machine->usb_loans->pdata[i];

      if (other != upt && other->present && other->bus == device->bus && other->address == device->address)
        taken = TRUE;
    }
  g_mutex_unlock (&machine->usb_lock);
  return taken;
}

static gboolean
upt_fits (Upt *upt, const VmmUsbHostDevice *device)
{
  const char *serial = upt_setting (upt, "serial"), *port = upt_setting (upt, "port");

  return (upt->vendor_id == 0 || upt->vendor_id == device->vendor_id)
         && (upt->product_id == 0 || upt->product_id == device->product_id)
         && (serial == NULL || g_strcmp0 (serial, device->serial) == 0) && (port == NULL || g_str_equal (port, device->port));
}

/* @device: (nullable): it left. @problem: (nullable) (transfer full) */
static void
upt_note (Upt *upt, const VmmUsbHostDevice *device, GError *problem)
{
  VmmMachine *machine = upt->usb.base.machine;
  gboolean changed;

  g_mutex_lock (&machine->usb_lock);
  changed = upt->present != (device != NULL);
  upt->present = device != NULL;
  g_clear_pointer (&upt->present_port, g_free);
  if (device != NULL)
    {
      upt->bus = device->bus;
      upt->address = device->address;
      upt->present_port = g_strdup (device->port);
      g_free (upt->name);
      upt->name = g_strjoin (device->vendor != NULL && device->product != NULL ? " " : "",
                             device->vendor != NULL ? device->vendor : "", device->product != NULL ? device->product : "", NULL);
    }
  g_clear_error (&upt->problem);
  upt->problem = problem;
  g_mutex_unlock (&machine->usb_lock);
  if (changed)
    vmm_machine_notify_usb (machine, upt->usb.base.id, device != NULL);
}

static void
upt_give_back (Upt *upt)
{
  gpointer handle;

  vmm_usb_lock (upt->usb.host);
  vmm_usb_device_unplug (&upt->usb); /* cancels what is in flight */
  handle = g_steal_pointer (&upt->handle);
  upt->losing = FALSE;
  vmm_usb_unlock (upt->usb.host);
  if (handle == NULL)
    return;
  upt->backend->close (handle);
  upt_note (upt, NULL, NULL);
}

static guint
upt_speeds (guint mbit)
{
  if (mbit >= 5000)
    return VMM_USB_SPEED_MASK (VMM_USB_SPEED_SUPER);
  if (mbit >= 480)
    return VMM_USB_SPEED_MASK (VMM_USB_SPEED_HIGH);
  return VMM_USB_SPEED_MASK (mbit >= 12 ? VMM_USB_SPEED_FULL : VMM_USB_SPEED_LOW);
}

static gboolean
upt_take (Upt *upt, const VmmUsbHostDevice *device, GError **error)
{
  gpointer handle = upt->backend->open (upt->backend_data, device, upt->thread, error);
  gboolean plugged;

  if (handle == NULL)
    return FALSE;
  upt_note (upt, device, NULL);
  vmm_usb_lock (upt->usb.host);
  upt->handle = handle;
  upt->dirty = TRUE; /* the host's driver left it in some state */
  upt->usb.speeds = upt_speeds (device->mbit);
  plugged = vmm_usb_device_plug (&upt->usb, NULL);
  vmm_usb_unlock (upt->usb.host);
  if (plugged)
    return TRUE;
  upt_give_back (upt);
  g_set_error (error, VMM_ERROR, VMM_ERROR_BUSY, "%s: no USB port of the machine is free for it", device->port);
  return FALSE;
}

static void
upt_arm_retry (Upt *upt)
{
  struct itimerspec spec = { .it_value.tv_nsec = UPT_RETRY_NS };

  if (upt->retries == 0)
    return;
  upt->retries--;
  timerfd_settime (upt->timer_fd, 0, &spec, NULL);
}

/* Looks what there is: lets go of what left, takes what fits. */
static void
upt_rescan (gpointer data)
{
  Upt *upt = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) devices = upt->backend->list (upt->backend_data, &error);
  gboolean still = FALSE, wanted;

  for (guint i = 0; devices != NULL && i < devices->len && upt->handle != NULL; i++)
    {
      const VmmUsbHostDevice *device = devices->pdata[i];

      still = still || (device->bus == upt->bus && device->address == upt->address);
    }
  if (upt->handle != NULL && !still)
    upt_give_back (upt);
  vmm_usb_lock (upt->usb.host);
  wanted = upt->handle == NULL && !upt->detached;
  vmm_usb_unlock (upt->usb.host);
  if (!wanted)
    return;
  for (guint i = 0; devices != NULL && i < devices->len; i++)
    {
      const VmmUsbHostDevice *device = devices->pdata[i];

      if (!upt_fits (upt, device) || upt_is_taken (upt, device))
        continue;
      g_clear_error (&error);
      if (upt_take (upt, device, &error))
        return;
    }
  if (error == NULL)
    g_set_error (&error, VMM_ERROR, VMM_ERROR_NOT_FOUND, "the device isn't there");
  else if (!g_error_matches (error, VMM_ERROR, VMM_ERROR_NOT_FOUND))
    upt_arm_retry (upt);
  upt_note (upt, NULL, g_steal_pointer (&error));
}

static void
upt_on_lost (gpointer data)
{
  Upt *upt = data;
  gboolean losing;

  vmm_usb_lock (upt->usb.host);
  losing = upt->losing;
  vmm_usb_unlock (upt->usb.host);
  if (!losing)
    return;
  upt_give_back (upt);
  upt_rescan (upt);
}

static void
upt_on_watch (int fd, guint32 events, gpointer data)
{
  Upt *upt = data;

  if (!upt->backend->read_watch (upt->backend_data, fd))
    return;
  upt->retries = UPT_RETRIES;
  upt_rescan (upt);
}

static void
upt_on_retry (int fd, guint32 events, gpointer data)
{
  guint64 count;

  if (read (fd, &count, sizeof count) == sizeof count)
    upt_rescan (data);
}

static void
upt_let_go (gpointer data)
{
  Upt *upt = data;

  vmm_usb_lock (upt->usb.host);
  upt->detached = TRUE;
  vmm_usb_unlock (upt->usb.host);
  upt_give_back (upt);
}

/* === Life === */

/* The machine is switched on (anew): what was detached by hand belongs to it again. */
static void
upt_reset (VmmDevice *dev, VmmResetKind kind)
{
  Upt *upt = (Upt *) dev;

  if (kind != VMM_RESET_COLD)
    return;
  vmm_usb_lock (upt->usb.host);
  if (upt->detached)
    {
      upt->detached = FALSE;
      vmm_iothread_call (upt->thread, upt_rescan, upt);
    }
  vmm_usb_unlock (upt->usb.host);
}

static void
upt_stop (Upt *upt)
{
  VmmMachine *machine = upt->usb.base.machine;

  if (upt->thread != NULL)
    {
      vmm_iothread_call_sync (upt->thread, upt_let_go, upt);
      if (upt->watch_fd >= 0)
        vmm_iothread_remove_fd (upt->thread, upt->watch_fd);
      if (upt->timer_fd >= 0)
        vmm_iothread_remove_fd (upt->thread, upt->timer_fd);
      vmm_iothread_free (upt->thread);
    }
  if (upt->watch_fd >= 0)
    close (upt->watch_fd);
  if (upt->timer_fd >= 0)
    close (upt->timer_fd);
  g_mutex_lock (&machine->usb_lock);
  g_ptr_array_remove (machine->usb_loans, upt);
  g_mutex_unlock (&machine->usb_lock);
  g_free (upt->present_port);
  g_free (upt->name);
  g_clear_error (&upt->problem);
}

static void
upt_unrealize (VmmDevice *dev)
{
  upt_stop ((Upt *) dev);
}

static gboolean
upt_realize (VmmDevice *dev, GError **error)
{
  Upt *upt = (Upt *) dev;
  VmmMachine *machine = dev->machine;

  upt->watch_fd = upt->timer_fd = -1;
  upt->backend = machine->usb_backend != NULL ? machine->usb_backend : &_vmm_usb_libusb_backend;
  upt->backend_data = machine->usb_backend_data;
  upt->vendor_id = (guint16) vmm_device_get_int (dev, "vendor");
  upt->product_id = (guint16) vmm_device_get_int (dev, "product");
  upt->usb.ops = &upt_ops;
  upt->usb.max_in_flight = UPT_IN_FLIGHT;
  if (upt->vendor_id == 0 && upt_setting (upt, "serial") == NULL && upt_setting (upt, "port") == NULL)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "which device? vendor, serial or port is needed");
      return FALSE;
    }
  if (!vmm_usb_device_attach (&upt->usb, NULL, FALSE, error))
    return FALSE;
  upt->thread = vmm_iothread_new ("usb-host", error);
  upt->timer_fd = timerfd_create (CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  upt->watch_fd = upt->backend->watch (upt->backend_data);
  if (upt->thread == NULL || upt->timer_fd < 0
      || !vmm_iothread_add_fd (upt->thread, upt->timer_fd, EPOLLIN, upt_on_retry, upt, error))
    {
      if (error != NULL && *error == NULL)
        g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "cannot make a timer: %s", g_strerror (errno));
      upt_stop (upt);
      return FALSE;
    }
  g_mutex_lock (&machine->usb_lock);
  g_ptr_array_add (machine->usb_loans, upt);
  g_mutex_unlock (&machine->usb_lock);
  if (upt->watch_fd >= 0)
    vmm_iothread_add_fd (upt->thread, upt->watch_fd, EPOLLIN, upt_on_watch, upt, NULL);
  vmm_iothread_call_sync (upt->thread, upt_rescan, upt);
  return TRUE;
}

/* === The machine's calls === */

void
vmm_machine_set_usb_backend (VmmMachine *machine, const VmmUsbBackend *backend, gpointer data)
{
  machine->usb_backend = backend;
  machine->usb_backend_data = data;
}

static void
upt_loan_free (gpointer data)
{
  VmmUsbLoan *loan = data;

  g_free (loan->id);
  g_free (loan->serial);
  g_free (loan->port);
  g_free (loan->present_port);
  g_free (loan->name);
  g_free (loan);
}

GPtrArray *
vmm_machine_usb_list (VmmMachine *machine)
{
  GPtrArray *loans = g_ptr_array_new_with_free_func (upt_loan_free);

  g_mutex_lock (&machine->usb_lock);
  for (guint i = 0; i < machine->usb_loans->len; i++)
    {
      Upt *upt = machine->usb_loans->pdata[i];
      VmmUsbLoan *loan = g_new0 (VmmUsbLoan, 1);

      loan->id = g_strdup (upt->usb.base.id);
      loan->vendor_id = upt->vendor_id;
      loan->product_id = upt->product_id;
      loan->serial = g_strdup (upt_setting (upt, "serial"));
      loan->port = g_strdup (upt_setting (upt, "port"));
      loan->present = upt->present;
      loan->present_port = g_strdup (upt->present_port);
      loan->name = g_strdup (upt->name);
      g_ptr_array_add (loans, loan);
    }
  g_mutex_unlock (&machine->usb_lock);
  return loans;
}

typedef struct {
  VmmMachine *machine;
  char *id;
  GHashTable *settings; /* (nullable) */
  VmmDone done;
  gpointer data;
} UptRequest;

static void
upt_request_free (gpointer data)
{
  UptRequest *request = data;

  g_free (request->id);
  g_clear_pointer (&request->settings, g_hash_table_unref);
  g_free (request);
}

extern const VmmDeviceClass vmm_usb_host_class;

static gboolean
upt_check_settings (GHashTable *settings, GError **error)
{
  GHashTableIter iter;
  gpointer key, value;

  g_hash_table_iter_init (&iter, settings);
  while (g_hash_table_iter_next (&iter, &key, &value))
    {
      const VmmSetting *setting = upt_settings;

      while (setting->key != NULL && !g_str_equal (setting->key, key))
        setting++;
      if (setting->key == NULL)
        {
          g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "%s: there is no such setting", (const char *) key);
          return FALSE;
        }
      if (!vmm_setting_check (setting, value, error))
        return FALSE;
    }
  return TRUE;
}

/* Control thread. */
static void
upt_remove (Upt *upt)
{
  VmmDevice *dev = &upt->usb.base;

  g_ptr_array_remove (dev->machine->devices, dev);
  vmm_device_free (dev);
}

static gboolean
upt_attach (UptRequest *request, GError **error)
{
  VmmMachine *machine = request->machine;
  Upt *upt;
  GError *problem;

  if (!upt_check_settings (request->settings, error))
    return FALSE;
  upt = (Upt *) vmm_device_new (machine, &vmm_usb_host_class, request->id, request->settings, error);
  if (upt == NULL)
    return FALSE;
  g_mutex_lock (&machine->usb_lock);
  problem = upt->problem != NULL ? g_error_copy (upt->problem) : NULL;
  g_mutex_unlock (&machine->usb_lock);
  if (problem == NULL)
    return TRUE;
  if (!g_error_matches (problem, VMM_ERROR, VMM_ERROR_NOT_FOUND))
    upt_remove (upt);
  g_propagate_error (error, problem);
  return FALSE;
}

static void
upt_on_attach (gpointer data)
{
  UptRequest *request = data;
  g_autoptr (GError) error = NULL;

  upt_attach (request, &error);
  if (request->done != NULL)
    request->done (request->machine, error, request->data);
}

static gboolean
upt_detach (UptRequest *request, GError **error)
{
  VmmDevice *dev = vmm_machine_find_device (request->machine, request->id);
  gboolean configured = FALSE;

  if (dev == NULL || dev->class != &vmm_usb_host_class)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_NOT_FOUND, "%s: no device of the host has this name here", request->id);
      return FALSE;
    }
  for (guint i = 0; request->machine->config != NULL && i < vmm_config_get_n_devices (request->machine->config); i++)
    configured = configured || g_str_equal (vmm_config_get_device (request->machine->config, i)->id, request->id);
  if (configured)
    vmm_iothread_call_sync (((Upt *) dev)->thread, upt_let_go, dev);
  else
    upt_remove ((Upt *) dev);
  return TRUE;
}

static void
upt_on_detach (gpointer data)
{
  UptRequest *request = data;
  g_autoptr (GError) error = NULL;

  upt_detach (request, &error);
  if (request->done != NULL)
    request->done (request->machine, error, request->data);
}

static UptRequest *
upt_request_new (VmmMachine *machine, const char *id, VmmDone done, gpointer data)
{
  UptRequest *request = g_new0 (UptRequest, 1);

  request->machine = machine;
  request->id = g_strdup (id);
  request->done = done;
  request->data = data;
  return request;
}

void
vmm_machine_usb_attach (VmmMachine *machine, const char *id, GHashTable *settings, VmmDone done, gpointer data)
{
  UptRequest *request = upt_request_new (machine, id, done, data);
  GHashTableIter iter;
  gpointer key, value;

  request->settings = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_hash_table_iter_init (&iter, settings);
  while (g_hash_table_iter_next (&iter, &key, &value))
    g_hash_table_insert (request->settings, g_strdup (key), g_strdup (value));
  vmm_machine_post_full (machine, upt_on_attach, request, upt_request_free);
}

void
vmm_machine_usb_detach (VmmMachine *machine, const char *id, VmmDone done, gpointer data)
{
  vmm_machine_post_full (machine, upt_on_detach, upt_request_new (machine, id, done, data), upt_request_free);
}

const VmmDeviceClass vmm_usb_host_class = {
  .name = "usb-host",
  .summary = N_ ("Device of this computer (USB)"),
  .bus = VMM_DEVICE_USB,
  .user_creatable = TRUE,
  .instance_size = sizeof (Upt),
  .settings = upt_settings,
  .regs_offset = G_STRUCT_OFFSET (Upt, regs),
  .regs_size = sizeof (UptRegs),
  .regs_fields = upt_fields,
  .state_version = 1,
  .realize = upt_realize,
  .reset = upt_reset,
  .unrealize = upt_unrealize,
};
