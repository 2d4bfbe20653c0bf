/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A host's device in the guest, by a backend that the test is: what reaches the device, in which order, and what the guest sees when it comes
 * and goes. The list of devices is read from a made-up sysfs. */
#include "core/machine.h"
#include "usb/usb-backend.h"
#include "xhci-host.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

typedef struct {
  TestBoard *board;
  XhciHost *host;
  VmmDevice *dev;
  /* The host, as the backend has it. */
  GMutex lock;
  gboolean plugged, forbidden;
  guint address;
  int event_fd;
  guint n_opens, n_closes, n_cancels;
  GString *log;
  VmmIoThread *thread;
  VmmUsbTransfer *waiting; /* (nullable) an IN transfer that nobody answers yet */
} Fixture;

static void fake_say (Fixture *f, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void
fake_say (Fixture *f, const char *format, ...)
{
  va_list args;

  g_mutex_lock (&f->lock);
  va_start (args, format);
  g_string_append_vprintf (f->log, format, args);
  va_end (args);
  g_mutex_unlock (&f->lock);
}

static void
fake_device_free (gpointer data)
{
  VmmUsbHostDevice *device = data;

  g_free (device->port);
  g_free (device->serial);
  g_free (device->product);
  g_free (device);
}

static GPtrArray *
fake_list (gpointer data, GError **error)
{
  Fixture *f = data;
  GPtrArray *devices = g_ptr_array_new_with_free_func (fake_device_free);

  g_mutex_lock (&f->lock);
  if (f->plugged)
    {
      VmmUsbHostDevice *device = g_new0 (VmmUsbHostDevice, 1);

      device->vendor_id = 0x1234;
      device->product_id = 0x5678;
      device->bus = 1;
      device->address = f->address;
      device->port = g_strdup ("1-2");
      device->serial = g_strdup ("S1");
      device->product = g_strdup ("Thing");
      device->mbit = 480;
      g_ptr_array_add (devices, device);
    }
  g_mutex_unlock (&f->lock);
  return devices;
}

static int
fake_watch (gpointer data)
{
  return dup (((Fixture *) data)->event_fd);
}

static gboolean
fake_read_watch (gpointer data, int fd)
{
  guint64 count;

  return read (fd, &count, sizeof count) == sizeof count;
}

static gpointer
fake_open (gpointer data, const VmmUsbHostDevice *device, VmmIoThread *thread, GError **error)
{
  Fixture *f = data;

  if (f->forbidden)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "no rights");
      return NULL;
    }
  f->thread = thread;
  f->n_opens++;
  return f;
}

static void
fake_close (gpointer handle)
{
  Fixture *f = handle;

  g_assert_null (f->waiting);
  g_atomic_int_inc (&f->n_closes);
}

static gboolean
fake_set_configuration (gpointer handle, guint value, gboolean *ret_gone)
{
  fake_say (handle, "configuration %u;", value);
  return value <= 1;
}

static gboolean
fake_set_interface (gpointer handle, guint interface, guint setting, gboolean *ret_gone)
{
  fake_say (handle, "interface %u %u;", interface, setting);
  return TRUE;
}

static gboolean
fake_clear_halt (gpointer handle, guint8 endpoint, gboolean *ret_gone)
{
  fake_say (handle, "clear %02x;", endpoint);
  return TRUE;
}

static gboolean
fake_reset (gpointer handle, gboolean *ret_gone)
{
  fake_say (handle, "reset;");
  return TRUE;
}

static void
fake_finish (gpointer data)
{
  VmmUsbTransfer *transfer = data;

  transfer->done (transfer);
}

/* Control IN: the setup's value, counted up. Bulk OUT: stalls on 'S'. Bulk IN: waits. */
static gboolean
fake_submit (gpointer handle, VmmUsbTransfer *transfer)
{
  Fixture *f = handle;

  transfer->status = VMM_USB_OK;
  if (transfer->type == VMM_USB_CONTROL)
    {
      fake_say (f, "control %02x %02x;", transfer->buffer[0], transfer->buffer[1]);
      transfer->actual = MIN (transfer->len, 5);
      for (gsize i = 0; i < transfer->actual; i++)
        transfer->buffer[8 + i] = (guint8) (transfer->buffer[2] + i);
    }
  else if ((transfer->endpoint & 0x80) == 0)
    {
      fake_say (f, "out %02x %.*s;", transfer->endpoint, (int) transfer->len, transfer->buffer);
      transfer->actual = transfer->len;
      if (transfer->buffer[0] == 'S')
        {
          transfer->actual = 0;
          transfer->status = VMM_USB_STALL;
        }
    }
  else
    {
      g_mutex_lock (&f->lock);
      f->waiting = transfer;
      g_mutex_unlock (&f->lock);
      return TRUE;
    }
  vmm_iothread_call (f->thread, fake_finish, transfer);
  return TRUE;
}

static void
fake_cancel (gpointer handle, VmmUsbTransfer *transfer)
{
  Fixture *f = handle;

  g_mutex_lock (&f->lock);
  g_assert_true (f->waiting == transfer);
  f->waiting = NULL;
  f->n_cancels++;
  g_mutex_unlock (&f->lock);
  transfer->status = VMM_USB_FAILED;
  vmm_iothread_call (f->thread, fake_finish, transfer);
}

static const VmmUsbBackend fake = {
  .list = fake_list,
  .watch = fake_watch,
  .read_watch = fake_read_watch,
  .open = fake_open,
  .close = fake_close,
  .set_configuration = fake_set_configuration,
  .set_interface = fake_set_interface,
  .clear_halt = fake_clear_halt,
  .reset = fake_reset,
  .submit = fake_submit,
  .cancel = fake_cancel,
};

static void
plug (Fixture *f, gboolean plugged)
{
  guint64 one = 1;

  g_mutex_lock (&f->lock);
  f->plugged = plugged;
  f->address++;
  g_mutex_unlock (&f->lock);
  g_assert_cmpint (write (f->event_fd, &one, sizeof one), ==, sizeof one);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  g_mutex_init (&f->lock);
  f->log = g_string_new (NULL);
  f->event_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  f->plugged = data == NULL;
  f->board = test_board_new ();
  f->host = xhci_host_new (f->board);
  vmm_machine_set_usb_backend (f->board->machine, &fake, f);
  f->dev = test_board_add (f->board, "usb-host", "usb0", "vendor", "0x1234", "serial", "S1", NULL);
  xhci_host_start (f->host);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  test_board_free (f->board);
  g_assert_cmpuint (f->n_closes, ==, f->n_opens);
  xhci_host_free (f->host);
  close (f->event_fd);
  g_string_free (f->log, TRUE);
  g_mutex_clear (&f->lock);
}

static guint
start (Fixture *f)
{
  guint slot = xhci_host_address (f->host, 5, 0);

  g_assert_cmpuint (slot, !=, 0);
  g_assert_cmpuint (xhci_host_add_endpoint (f->host, slot, 3, 6, 512), ==, 1);
  g_assert_cmpuint (xhci_host_add_endpoint (f->host, slot, 4, 2, 512), ==, 1);
  g_assert_cmpuint (xhci_host_control (f->host, slot, 0x00, 9, 1, 0, 0, NULL), ==, 1);
  return slot;
}

static void
answer (Fixture *f, const char *text)
{
  VmmUsbTransfer *transfer;

  test_wait_until ((g_mutex_lock (&f->lock), transfer = f->waiting, g_mutex_unlock (&f->lock), transfer != NULL));
  g_mutex_lock (&f->lock);
  f->waiting = NULL;
  g_mutex_unlock (&f->lock);
  transfer->actual = strlen (text);
  memcpy (transfer->buffer, text, transfer->actual);
  vmm_iothread_call (f->thread, fake_finish, transfer);
}

static void
test_transfers (Fixture *f, gconstpointer data)
{
  guint slot = start (f), len;
  guint8 bytes[8];

  g_assert_cmpuint (xhci_host_control (f->host, slot, 0x80, 6, 0x0110, 0, 8, &len), ==, 1);
  g_assert_cmpuint (len, ==, 5);
  test_ram_read (f->board, XHCI_HOST_DATA, bytes, 5);
  g_assert_cmpint (memcmp (bytes, "\x10\x11\x12\x13\x14", 5), ==, 0);
  test_ram_write (f->board, XHCI_HOST_DATA, "hello", 5);
  g_assert_cmpuint (xhci_host_transfer (f->host, slot, 4, XHCI_HOST_DATA, 5, &len), ==, 1);
  g_assert_cmpuint (len, ==, 5);
  xhci_host_push (f->host, slot, 3, XHCI_HOST_DATA, 512, 1u << 10 | 0x24);
  xhci_host_doorbell (f->host, slot, 3);
  answer (f, "world");
  g_assert_cmphex (xhci_host_wait (f->host, 32).status, ==, 13u << 24 | 507);
  test_ram_read (f->board, XHCI_HOST_DATA, bytes, 5);
  g_assert_cmpint (memcmp (bytes, "world", 5), ==, 0);
  g_assert_cmpstr (f->log->str, ==, "reset;configuration 1;control 80 06;out 02 hello;");
}

/* What the host's kernel has to know of goes by its own calls. */
static void
test_special_requests (Fixture *f, gconstpointer data)
{
  guint slot = start (f);

  g_assert_cmpuint (xhci_host_control (f->host, slot, 0x00, 5, 77, 0, 0, NULL), ==, 1); /* SET_ADDRESS: kept from it */
  g_assert_cmpuint (xhci_host_control (f->host, slot, 0x01, 11, 2, 1, 0, NULL), ==, 1);
  test_ram_write (f->board, XHCI_HOST_DATA, "S", 1);
  g_assert_cmpuint (xhci_host_transfer (f->host, slot, 4, XHCI_HOST_DATA, 1, NULL), ==, 6);
  xhci_host_recover (f->host, slot, 4);
  g_assert_cmpuint (xhci_host_control (f->host, slot, 0x02, 1, 0, 0x02, 0, NULL), ==, 1);
  g_assert_cmpuint (xhci_host_control (f->host, slot, 0x00, 9, 7, 0, 0, NULL), ==, 6);
  g_assert_cmpstr (f->log->str, ==, "reset;configuration 1;interface 1 2;out 02 S;clear 02;configuration 7;");
}

static void
test_stop_cancels (Fixture *f, gconstpointer data)
{
  guint slot = start (f);
  VmmUsbTransfer *transfer;

  xhci_host_push (f->host, slot, 3, XHCI_HOST_DATA, 512, 1u << 10 | 0x24);
  xhci_host_doorbell (f->host, slot, 3);
  test_wait_until ((g_mutex_lock (&f->lock), transfer = f->waiting, g_mutex_unlock (&f->lock), transfer != NULL));
  g_assert_cmpuint (xhci_host_command (f->host, 0, slot << 24 | 3u << 16 | 15u << 10, NULL), ==, 1);
  g_assert_cmpuint (f->n_cancels, ==, 1);
  /* And is asked for again. */
  xhci_host_doorbell (f->host, slot, 3);
  answer (f, "again");
  g_assert_cmphex (xhci_host_wait (f->host, 32).status, ==, 13u << 24 | 507);
}

static void
test_comes_back (Fixture *f, gconstpointer data)
{
  g_autoptr (GPtrArray) loans = NULL;
  const VmmUsbLoan *loan;
  guint slot;

  /* Not there at first. */
  g_assert_cmphex (xhci_host_portsc (f->host, 5) & 1, ==, 0);
  loans = vmm_machine_usb_list (f->board->machine);
  g_assert_cmpuint (loans->len, ==, 1);
  loan = loans->pdata[0];
  g_assert_false (loan->present);
  g_assert_cmpstr (loan->serial, ==, "S1");
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (GPtrArray) now = NULL;
      XhciHostTrb event;

      plug (f, TRUE);
      test_wait_until ((xhci_host_portsc (f->host, 5) & 1) != 0);
      now = vmm_machine_usb_list (f->board->machine);
      loan = now->pdata[0];
      g_assert_true (loan->present);
      g_assert_cmpstr (loan->present_port, ==, "1-2");
      g_assert_cmpstr (loan->name, ==, "Thing");
      slot = start (f);
      xhci_host_push (f->host, slot, 3, XHCI_HOST_DATA, 512, 1u << 10 | 0x24);
      xhci_host_doorbell (f->host, slot, 3);
      plug (f, FALSE);
      event = xhci_host_wait (f->host, 32);
      g_assert_cmpuint (event.status >> 24, ==, 4);
      test_wait_until ((xhci_host_portsc (f->host, 5) & 1) == 0);
      test_wait_until ((guint) g_atomic_int_get (&f->n_closes) == i + 1);
      g_assert_cmpuint (xhci_host_command (f->host, 0, slot << 24 | 10u << 10, NULL), ==, 1);
    }
}

/* udev comes late: the rights are there only at the second try. */
static void
test_rights_come_late (Fixture *f, gconstpointer data)
{
  f->forbidden = TRUE;
  plug (f, TRUE);
  g_usleep (50000);
  g_assert_cmphex (xhci_host_portsc (f->host, 5) & 1, ==, 0);
  f->forbidden = FALSE;
  test_wait_until ((xhci_host_portsc (f->host, 5) & 1) != 0);
}

static void
test_bad_settings (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autoptr (GHashTable) settings = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GError) error = NULL;

  test_board_add (board, "xhci", "xhci", NULL);
  g_assert_null (vmm_device_new (board->machine, vmm_device_class_find ("usb-host"), "usb0", settings, &error));
  g_assert_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG);
}

static void
write_file (const char *dir, const char *name, const char *text)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);

  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

static char *
make_device (const char *sysfs, const char *name, const char *class)
{
  char *dir = g_build_filename (sysfs, name, NULL);

  g_mkdir (dir, 0700);
  write_file (dir, "idVendor", "046d\n");
  write_file (dir, "idProduct", "c52b\n");
  write_file (dir, "busnum", "1\n");
  write_file (dir, "devnum", "12\n");
  write_file (dir, "bDeviceClass", class);
  write_file (dir, "speed", "1.5\n");
  return dir;
}

static void
test_list (void)
{
  g_autofree char *sysfs = g_dir_make_tmp ("lodge-sysfs-XXXXXX", NULL), *device = NULL, *hub = NULL, *interface = NULL;
  g_autofree char *command = g_strdup_printf ("rm -r %s", sysfs);
  g_autoptr (GPtrArray) list = NULL;
  g_autoptr (GError) error = NULL;
  const VmmUsbHostDevice *found;

  device = make_device (sysfs, "1-2.3", "00\n");
  write_file (device, "manufacturer", "Logitech\n");
  write_file (device, "product", "USB \xff Receiver\n");
  hub = make_device (sysfs, "1-2", "09\n");
  interface = g_build_filename (device, "1-2.3:1.0", NULL);
  g_mkdir (interface, 0700);
  write_file (interface, "bInterfaceClass", "03\n");
  list = _vmm_usb_scan (sysfs, "/nonexistent", &error);
  g_assert_no_error (error);
  g_assert_cmpuint (list->len, ==, 1);
  found = list->pdata[0];
  g_assert_cmphex (found->vendor_id, ==, 0x046d);
  g_assert_cmphex (found->product_id, ==, 0xc52b);
  g_assert_cmpuint (found->address, ==, 12);
  g_assert_cmpuint (found->device_class, ==, 3);
  g_assert_cmpuint (found->mbit, ==, 1);
  g_assert_cmpstr (found->port, ==, "1-2.3");
  g_assert_cmpstr (found->vendor, ==, "Logitech");
  g_assert_true (g_utf8_validate (found->product, -1, NULL));
  g_assert_null (found->serial);
  g_assert_false (found->accessible);
  g_assert_null (_vmm_usb_scan ("/nonexistent", "/nonexistent", &error));
  g_assert_error (error, VMM_ERROR, VMM_ERROR_HOST);
  g_assert_true (g_spawn_command_line_sync (command, NULL, NULL, NULL, NULL));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/usb-host/transfers", Fixture, NULL, set_up, test_transfers, tear_down);
  g_test_add ("/usb-host/requests-of-the-host", Fixture, NULL, set_up, test_special_requests, tear_down);
  g_test_add ("/usb-host/stop-endpoint-cancels", Fixture, NULL, set_up, test_stop_cancels, tear_down);
  g_test_add ("/usb-host/comes-and-goes", Fixture, "away", set_up, test_comes_back, tear_down);
  g_test_add ("/usb-host/rights-come-late", Fixture, "away", set_up, test_rights_come_late, tear_down);
  g_test_add_func ("/usb-host/settings/needs-a-choice", test_bad_settings);
  g_test_add_func ("/usb-list/sysfs", test_list);
  return g_test_run ();
}
