/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The host's USB devices by libusb. libusb looks for none of them itself: the list is sysfs', comings and goings are the kernel's uevents
 * (which need no udev), and an opened device node is handed over. Each opened device has a context of its own, whose descriptors are
 * watched by the device's thread; nothing polls. */
#include "usb/usb-backend.h"

#include <errno.h>
#include <fcntl.h>
#include <libusb.h>
#include <linux/netlink.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ULIB_UEVENT 8192
#define ULIB_CLOSE_MS 3000
#define ULIB_MAX_INTERFACES 32

typedef struct {
  libusb_context *context;
  libusb_device_handle *handle;
  VmmIoThread *thread;
  int fd;
  GArray *watched; /* int: descriptors of the context */
  guint in_flight; /* (atomic) */
  guint32 claimed; /* a bit an interface */
} Ulib;

/* === Comings and goings === */

static int
ulib_watch (gpointer data)
{
  struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = 1 }; /* the kernel's own */
  int fd = socket (AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);

  if (fd >= 0 && bind (fd, (struct sockaddr *) &address, sizeof address) < 0)
    {
      close (fd);
      return -1;
    }
  return fd;
}

/* "ACTION@PATH", then KEY=VALUE, each ended by a zero. */
static gboolean
ulib_is_usb_device (const char *message, gsize len)
{
  const char *end = message + len;

  for (const char *line = message; line < end; line += strlen (line) + 1)
    if (g_str_equal (line, "DEVTYPE=usb_device"))
      return TRUE;
  return FALSE;
}

static gboolean
ulib_read_watch (gpointer data, int fd)
{
  gboolean found = FALSE;

  for (guint i = 0; i < 64; i++)
    {
      char message[ULIB_UEVENT + 1];
      struct sockaddr_nl from = { 0 };
      struct iovec iov = { message, ULIB_UEVENT };
      struct msghdr header = { .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &iov, .msg_iovlen = 1 };
      gssize n = recvmsg (fd, &header, MSG_DONTWAIT);

      if (n < 0 && errno == ENOBUFS)
        return TRUE; /* something was lost */
      if (n <= 0)
        break;
      message[n] = '\0';
      if (from.nl_pid == 0 && ulib_is_usb_device (message, (gsize) n))
        found = TRUE;
    }
  return found;
}

static GPtrArray *
ulib_list (gpointer data, GError **error)
{
  return vmm_usb_host_list (error);
}

/* === The thread's watch on the context === */

static void
ulib_on_ready (int fd, guint32 events, gpointer data)
{
  Ulib *ulib = data;
  struct timeval zero = { 0 };

  libusb_handle_events_timeout_completed (ulib->context, &zero, NULL);
}

static void
ulib_on_added (int fd, short events, void *data)
{
  Ulib *ulib = data;
  guint32 wanted = ((events & POLLIN) != 0 ? EPOLLIN : 0) | ((events & POLLOUT) != 0 ? EPOLLOUT : 0);

  if (vmm_iothread_add_fd (ulib->thread, fd, wanted, ulib_on_ready, ulib, NULL))
    g_array_append_val (ulib->watched, fd);
}

static void
ulib_on_removed (int fd, void *data)
{
  Ulib *ulib = data;

  for (guint i = 0; i < ulib->watched->len; i++)
    if (g_array_index (ulib->watched, int, i) == fd)
      {
        vmm_iothread_remove_fd (ulib->thread, fd);
        g_array_remove_index_fast (ulib->watched, i);
        return;
      }
}

static void
ulib_watch_context (Ulib *ulib)
{
  const struct libusb_pollfd **fds = libusb_get_pollfds (ulib->context);

  for (guint i = 0; fds != NULL && fds[i] != NULL; i++)
    ulib_on_added (fds[i]->fd, fds[i]->events, ulib);
  libusb_free_pollfds (fds);
  libusb_set_pollfd_notifiers (ulib->context, ulib_on_added, ulib_on_removed, ulib);
}

/* === Opening === */

static void
ulib_release (Ulib *ulib)
{
  for (guint i = 0; i < ULIB_MAX_INTERFACES; i++)
    if ((ulib->claimed & 1u << i) != 0)
      libusb_release_interface (ulib->handle, (int) i); /* and the host's driver comes back */
  ulib->claimed = 0;
}

/* All interfaces of the active configuration. */
static int
ulib_claim (Ulib *ulib)
{
  struct libusb_config_descriptor *config = NULL;
  int result = libusb_get_active_config_descriptor (libusb_get_device (ulib->handle), &config);

  if (result == LIBUSB_ERROR_NOT_FOUND)
    return 0; /* not configured */
  for (guint i = 0; result == 0 && i < config->bNumInterfaces; i++)
    {
      guint number = config->interface[i].num_altsetting > 0 ? config->interface[i].altsetting[0].bInterfaceNumber : i;

      if (number >= ULIB_MAX_INTERFACES)
        continue;
      result = libusb_claim_interface (ulib->handle, (int) number);
      if (result == 0)
        ulib->claimed |= 1u << number;
    }
  if (config != NULL)
    libusb_free_config_descriptor (config);
  return result;
}

static void
ulib_close (gpointer handle)
{
  Ulib *ulib = handle;
  gint64 deadline = g_get_monotonic_time () + ULIB_CLOSE_MS * 1000;

  while (g_atomic_int_get (&ulib->in_flight) > 0 && g_get_monotonic_time () < deadline)
    {
      struct timeval some = { 0, 20000 };

      libusb_handle_events_timeout_completed (ulib->context, &some, NULL);
    }
  if (ulib->context != NULL)
    libusb_set_pollfd_notifiers (ulib->context, NULL, NULL, NULL);
  while (ulib->watched->len > 0)
    ulib_on_removed (g_array_index (ulib->watched, int, 0), ulib);
  if (ulib->handle != NULL)
    {
      ulib_release (ulib);
      libusb_close (ulib->handle);
    }
  if (ulib->context != NULL)
    libusb_exit (ulib->context);
  if (ulib->fd >= 0)
    close (ulib->fd);
  g_array_unref (ulib->watched);
  g_free (ulib);
}

static gpointer
ulib_open (gpointer data, const VmmUsbHostDevice *device, VmmIoThread *thread, GError **error)
{
  static const struct libusb_init_option options[] = { { .option = LIBUSB_OPTION_NO_DEVICE_DISCOVERY } };
  g_autofree char *node = g_strdup_printf ("/dev/bus/usb/%03u/%03u", device->bus, device->address);
  Ulib *ulib = g_new0 (Ulib, 1);
  int result;

  ulib->thread = thread;
  ulib->watched = g_array_new (FALSE, FALSE, sizeof (int));
  ulib->fd = open (node, O_RDWR | O_CLOEXEC);
  if (ulib->fd < 0)
    {
      g_set_error (error, VMM_ERROR, errno == ENOENT ? VMM_ERROR_NOT_FOUND : VMM_ERROR_HOST, "%s: %s", node, g_strerror (errno));
      ulib_close (ulib);
      return NULL;
    }
  result = libusb_init_context (&ulib->context, options, G_N_ELEMENTS (options));
  if (result == 0)
    result = libusb_wrap_sys_device (ulib->context, (intptr_t) ulib->fd, &ulib->handle);
  if (result == 0)
    {
      libusb_set_auto_detach_kernel_driver (ulib->handle, 1);
      result = ulib_claim (ulib);
    }
  if (result != 0)
    {
      g_set_error (error, VMM_ERROR, result == LIBUSB_ERROR_BUSY ? VMM_ERROR_BUSY : VMM_ERROR_HOST, "%s: %s", node,
                   libusb_strerror (result));
      ulib_close (ulib);
      return NULL;
    }
  ulib_watch_context (ulib);
  return ulib;
}

/* === Requests that libusb must know of === */

static gboolean
ulib_outcome (int result, gboolean *ret_gone)
{
  *ret_gone = result == LIBUSB_ERROR_NO_DEVICE;
  return result == 0;
}

static gboolean
ulib_set_configuration (gpointer handle, guint value, gboolean *ret_gone)
{
  Ulib *ulib = handle;
  int present = -1, result = libusb_get_configuration (ulib->handle, &present);

  /* The same again would be a reset of sorts (libusb_set_configuration); the interfaces stay with us. */
  if (result == 0 && present == (int) value && ulib->claimed != 0)
    return TRUE;
  ulib_release (ulib);
  result = libusb_set_configuration (ulib->handle, value == 0 ? -1 : (int) value);
  if (result == 0)
    result = ulib_claim (ulib);
  return ulib_outcome (result, ret_gone);
}

static gboolean
ulib_set_interface (gpointer handle, guint interface, guint setting, gboolean *ret_gone)
{
  return ulib_outcome (libusb_set_interface_alt_setting (((Ulib *) handle)->handle, (int) interface, (int) setting), ret_gone);
}

static gboolean
ulib_clear_halt (gpointer handle, guint8 endpoint, gboolean *ret_gone)
{
  return ulib_outcome (libusb_clear_halt (((Ulib *) handle)->handle, endpoint), ret_gone);
}

static gboolean
ulib_reset (gpointer handle, gboolean *ret_gone)
{
  int result = libusb_reset_device (((Ulib *) handle)->handle);

  *ret_gone = result == LIBUSB_ERROR_NO_DEVICE || result == LIBUSB_ERROR_NOT_FOUND; /* it is another one now */
  return result == 0;
}

/* === Transfers === */

static VmmUsbStatus
ulib_status (enum libusb_transfer_status status)
{
  switch (status)
    {
    case LIBUSB_TRANSFER_COMPLETED:
      return VMM_USB_OK;
    case LIBUSB_TRANSFER_STALL:
      return VMM_USB_STALL;
    case LIBUSB_TRANSFER_OVERFLOW:
      return VMM_USB_BABBLE;
    case LIBUSB_TRANSFER_ERROR:
    case LIBUSB_TRANSFER_TIMED_OUT:
    case LIBUSB_TRANSFER_CANCELLED:
    case LIBUSB_TRANSFER_NO_DEVICE:
    default:
      return VMM_USB_FAILED;
    }
}

static void
ulib_on_done (struct libusb_transfer *it)
{
  VmmUsbTransfer *transfer = it->user_data;
  Ulib *ulib = transfer->own;

  transfer->status = ulib_status (it->status);
  transfer->gone = it->status == LIBUSB_TRANSFER_NO_DEVICE;
  transfer->actual = (gsize) MAX (it->actual_length, 0);
  if (transfer->type == VMM_USB_ISOCHRONOUS)
    {
      transfer->actual = it->iso_packet_desc[0].actual_length;
      if (transfer->status == VMM_USB_OK)
        transfer->status = ulib_status (it->iso_packet_desc[0].status);
    }
  transfer->actual = MIN (transfer->actual, transfer->len);
  transfer->done (transfer); /* whoever may cancel it does so before this */
  libusb_free_transfer (it);
  g_atomic_int_add (&ulib->in_flight, -1);
}

static gboolean
ulib_submit (gpointer handle, VmmUsbTransfer *transfer)
{
  Ulib *ulib = handle;
  gboolean iso = transfer->type == VMM_USB_ISOCHRONOUS;
  struct libusb_transfer *it = libusb_alloc_transfer (iso ? 1 : 0);

  if (it == NULL)
    return FALSE;
  it->dev_handle = ulib->handle;
  it->endpoint = transfer->endpoint;
  it->type = (unsigned char) transfer->type;
  it->buffer = transfer->buffer;
  it->length = (int) transfer->len + (transfer->type == VMM_USB_CONTROL ? LIBUSB_CONTROL_SETUP_SIZE : 0);
  it->callback = ulib_on_done;
  it->user_data = transfer;
  if (iso)
    {
      it->num_iso_packets = 1;
      it->iso_packet_desc[0].length = (unsigned int) transfer->len;
    }
  transfer->own = ulib;
  transfer->request = it;
  g_atomic_int_inc (&ulib->in_flight);
  if (libusb_submit_transfer (it) == 0)
    return TRUE;
  g_atomic_int_add (&ulib->in_flight, -1);
  libusb_free_transfer (it);
  return FALSE;
}

static void
ulib_cancel (gpointer handle, VmmUsbTransfer *transfer)
{
  libusb_cancel_transfer (transfer->request);
}

const VmmUsbBackend _vmm_usb_libusb_backend = {
  .list = ulib_list,
  .watch = ulib_watch,
  .read_watch = ulib_read_watch,
  .open = ulib_open,
  .close = ulib_close,
  .set_configuration = ulib_set_configuration,
  .set_interface = ulib_set_interface,
  .clear_halt = ulib_clear_halt,
  .reset = ulib_reset,
  .submit = ulib_submit,
  .cancel = ulib_cancel,
};
