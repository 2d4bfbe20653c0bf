/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: HID 1.11 (sections named), HID Usage Tables 1.12 (keyboard page), USB 2.0 §9; requests as Linux' usbhid and SeaBIOS' usb-hid.c
 * make them. */
#include "core/machine.h"
#include "xhci-host.h"

#include <linux/input-event-codes.h>
#include <string.h>

#define PORT 5
#define IN 3 /* DCI of endpoint 81 */
#define REPORT (XHCI_HOST_DATA + 0x1000)

typedef struct {
  TestBoard *board;
  XhciHost *host;
  guint slot;
} Fixture;

static void
set_up (Fixture *f, gconstpointer class_name)
{
  f->board = test_board_new ();
  f->host = xhci_host_new (f->board);
  test_board_add (f->board, class_name, "hid0", "port", "1", NULL);
  xhci_host_start (f->host);
  f->slot = xhci_host_address (f->host, PORT, 0);
  g_assert_cmpuint (xhci_host_add_endpoint (f->host, f->slot, IN, 7, 8), ==, 1);
  g_assert_cmpuint (xhci_host_control (f->host, f->slot, 0x00, 9, 1, 0, 0, NULL), ==, 1);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  test_board_free (f->board);
  xhci_host_free (f->host);
}

static void
ask (Fixture *f)
{
  xhci_host_push (f->host, f->slot, IN, REPORT, 8, 1u << 10 | 0x24);
  xhci_host_doorbell (f->host, f->slot, IN);
}

/* The report that comes, as text. */
static void
assert_report (Fixture *f, const char *expected)
{
  XhciHostTrb event = xhci_host_wait (f->host, 32);
  guint len = 8 - (event.status & 0xff);
  g_autoptr (GString) text = g_string_new (NULL);
  guint8 bytes[8];

  test_ram_read (f->board, REPORT, bytes, 8);
  for (guint i = 0; i < len; i++)
    g_string_append_printf (text, "%s%02x", i > 0 ? " " : "", bytes[i]);
  g_assert_cmpstr (text->str, ==, expected);
}

static void
assert_silent (Fixture *f)
{
  XhciHostTrb event;

  test_board_settle (f->board);
  g_assert_false (xhci_host_poll (f->host, &event));
}

static void
key (Fixture *f, guint code, gboolean down)
{
  vmm_machine_key (f->board->machine, code, down);
  test_board_settle (f->board);
}

/* === Keyboard === */

/* §7.1, appendix E: what a boot firmware goes by. */
static void
test_boot_interface (Fixture *f, gconstpointer data)
{
  guint8 bytes[64];
  guint len;

  g_assert_cmpuint (xhci_host_control (f->host, f->slot, 0x80, 6, 0x0200, 0, 64, &len), ==, 1);
  g_assert_cmpuint (len, ==, 34);
  test_ram_read (f->board, XHCI_HOST_DATA, bytes, len);
  g_assert_cmpint (memcmp (bytes + 14, "\x03\x01\x01", 3), ==, 0);             /* HID, boot, keyboard */
  g_assert_cmpint (memcmp (bytes + 27, "\x07\x05\x81\x03\x08\x00", 6), ==, 0); /* interrupt in, 8 bytes */
  g_assert_cmpuint (xhci_host_control (f->host, f->slot, 0x81, 6, 0x2200, 0, 200, &len), ==, 1);
  g_assert_cmpuint (len, ==, bytes[25] | (guint) bytes[26] << 8);
  test_ram_read (f->board, XHCI_HOST_DATA, bytes, 6);
  g_assert_cmpint (memcmp (bytes, "\x05\x01\x09\x06\xa1\x01", 6), ==, 0);
  g_assert_cmpuint (xhci_host_control (f->host, f->slot, 0xa1, 3, 0, 0, 1, NULL), ==, 1);
  test_ram_read (f->board, XHCI_HOST_DATA, bytes, 1);
  g_assert_cmpuint (bytes[0], ==, 1); /* §7.2.6: report protocol after reset */
  g_assert_cmpuint (xhci_host_control (f->host, f->slot, 0x21, 11, 0, 0, 0, NULL), ==, 1);
  g_assert_cmpuint (xhci_host_control (f->host, f->slot, 0x21, 10, 0, 0, 0, NULL), ==, 1);
}

static void
test_keys (Fixture *f, gconstpointer data)
{
  ask (f);
  assert_silent (f);
  key (f, KEY_LEFTSHIFT, TRUE);
  assert_report (f, "02 00 00 00 00 00 00 00");
  ask (f);
  key (f, KEY_A, TRUE);
  assert_report (f, "02 00 04 00 00 00 00 00");
  /* Between two fetches: nothing is lost, in order. */
  key (f, KEY_ENTER, TRUE);
  key (f, KEY_ENTER, FALSE);
  key (f, KEY_A, FALSE);
  ask (f);
  assert_report (f, "02 00 04 28 00 00 00 00");
  ask (f);
  assert_report (f, "02 00 04 00 00 00 00 00");
  ask (f);
  assert_report (f, "02 00 00 00 00 00 00 00");
  ask (f);
  assert_silent (f);
}

/* Appendix C: more than six are a phantom state. */
static void
test_roll_over (Fixture *f, gconstpointer data)
{
  static const guint codes[] = { KEY_A, KEY_B, KEY_C, KEY_D, KEY_E, KEY_F, KEY_G };

  for (guint i = 0; i < G_N_ELEMENTS (codes); i++)
    {
      ask (f);
      key (f, codes[i], TRUE);
      if (i == 5)
        assert_report (f, "00 00 04 05 06 07 08 09");
      else if (i == 6)
        assert_report (f, "00 00 01 01 01 01 01 01");
      else
        xhci_host_wait (f->host, 32);
    }
}

/* §7.2.4: with an idle rate the report comes again. */
static void
test_idle (Fixture *f, gconstpointer data)
{
  g_assert_cmpuint (xhci_host_control (f->host, f->slot, 0x21, 10, 25 << 8, 0, 0, NULL), ==, 1);
  ask (f);
  key (f, KEY_A, TRUE);
  assert_report (f, "00 00 04 00 00 00 00 00");
  ask (f);
  test_advance_ns (f->board, 99999999);
  assert_silent (f);
  test_advance_ns (f->board, 1);
  assert_report (f, "00 00 04 00 00 00 00 00");
}

static void
test_lights (Fixture *f, gconstpointer data)
{
  guint8 leds = 2;

  test_ram_write (f->board, XHCI_HOST_DATA, &leds, 1);
  g_assert_cmpuint (xhci_host_control (f->host, f->slot, 0x21, 9, 0x0200, 0, 1, NULL), ==, 1);
}

/* USB 2.0 §9.1.1.6: a key wakes, if the driver allowed it. */
static void
test_wakeup (Fixture *f, gconstpointer data)
{
  ask (f);
  for (guint allowed = 0; allowed < 2; allowed++)
    {
      xhci_host_set_portsc (f->host, PORT, 0x00fe0200);
      xhci_host_set_portsc (f->host, PORT, 0x00010200 | 3 << 5);
      key (f, KEY_A, allowed == 0);
      g_assert_cmphex (xhci_host_portsc (f->host, PORT) & 0x004001e0, ==, allowed ? 0x004001e0 : 0x00000060);
      if (allowed == 0)
        {
          xhci_host_set_portsc (f->host, PORT, 0x00010200);
          g_assert_cmpuint (xhci_host_control (f->host, f->slot, 0x00, 3, 1, 0, 0, NULL), ==, 1);
        }
    }
}

/* === Pointers === */

static void
test_tablet (Fixture *f, gconstpointer data)
{
  VmmMachine *machine = f->board->machine;

  /* Nobody fetches: the window must not think that there's an absolute pointer. */
  g_assert_false (vmm_machine_has_absolute_pointer (machine));
  ask (f);
  g_assert_true (vmm_machine_has_absolute_pointer (machine));
  g_assert_true (vmm_machine_pointer_position (machine, 0x1234, 0x7fff));
  assert_report (f, "00 34 12 ff 7f 00");
  /* Motion is gathered, a click in between is not lost. */
  vmm_machine_pointer_position (machine, 1, 1);
  vmm_machine_pointer_position (machine, 2, 3);
  vmm_machine_pointer_button (machine, BTN_LEFT, TRUE);
  vmm_machine_pointer_button (machine, BTN_LEFT, FALSE);
  vmm_machine_pointer_wheel (machine, 1);
  test_board_settle (f->board);
  ask (f);
  assert_report (f, "00 02 00 03 00 00");
  ask (f);
  assert_report (f, "01 02 00 03 00 00");
  ask (f);
  assert_report (f, "00 02 00 03 00 ff"); /* down is towards the user: negative */
  ask (f);
  assert_silent (f);
  g_assert_cmpuint (xhci_host_control (f->host, f->slot, 0x00, 9, 0, 0, 0, NULL), ==, 1);
  g_assert_false (vmm_machine_has_absolute_pointer (machine));
}

static void
test_mouse (Fixture *f, gconstpointer data)
{
  VmmMachine *machine = f->board->machine;

  ask (f);
  vmm_machine_pointer_motion (machine, 3, -2);
  assert_report (f, "00 03 fe 00");
  vmm_machine_pointer_motion (machine, 200, 0);
  vmm_machine_pointer_motion (machine, 100, 1);
  test_board_settle (f->board);
  ask (f);
  assert_report (f, "00 7f 01 00");
  ask (f);
  assert_report (f, "00 7f 00 00");
  ask (f);
  assert_report (f, "00 2e 00 00");
  vmm_machine_pointer_button (machine, BTN_RIGHT, TRUE);
  test_board_settle (f->board);
  ask (f);
  assert_report (f, "02 00 00 00");
  /* The boot protocol has three bytes (appendix B.2). */
  g_assert_cmpuint (xhci_host_control (f->host, f->slot, 0x21, 11, 0, 0, 0, NULL), ==, 1);
  vmm_machine_pointer_button (machine, BTN_RIGHT, FALSE);
  test_board_settle (f->board);
  ask (f);
  assert_report (f, "00 00 00");
}

#define ADD(path, class, func) g_test_add (path, Fixture, class, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/usb-keyboard/boot-interface", "usb-keyboard", test_boot_interface);
  ADD ("/usb-keyboard/keys", "usb-keyboard", test_keys);
  ADD ("/usb-keyboard/roll-over", "usb-keyboard", test_roll_over);
  ADD ("/usb-keyboard/idle-rate", "usb-keyboard", test_idle);
  ADD ("/usb-keyboard/lights", "usb-keyboard", test_lights);
  ADD ("/usb-keyboard/wakes-the-port", "usb-keyboard", test_wakeup);
  ADD ("/usb-tablet/position", "usb-tablet", test_tablet);
  ADD ("/usb-mouse/motion", "usb-mouse", test_mouse);
  return g_test_run ();
}
