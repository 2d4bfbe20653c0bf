/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: VIRTIO 1.2 §5.8; Linux input-event-codes.h and multi-touch-protocol.rst (type B). */
#include "virtio-host.h"

#include <linux/input-event-codes.h>
#include <string.h>

#define BAR 0xe0000000u
#define DATA 0x200000u
#define EVENTS 0
#define STATUS 1

typedef struct {
  guint16 type, code;
  gint32 value;
} Event;

typedef struct {
  TestBoard *board;
  VirtioHost host;
  guint n_buffers; /* given so far */
} Input;

static void
start (Input *input, const char *class_name)
{
  memset (input, 0, sizeof *input);
  input->board = test_board_new ();
  test_board_add (input->board, class_name, "input0", NULL);
  virtio_host_init (&input->host, input->board, 2 << 3, BAR);
  virtio_host_start (&input->host, 0, 64, TRUE);
}

static void
give (Input *input, guint n)
{
  for (guint i = 0; i < n; i++)
    {
      VirtioHostPiece piece = { DATA + input->n_buffers++ % 64 * 8, 8 };

      virtio_host_add (&input->host, EVENTS, &piece, 0, 1);
    }
  virtio_host_kick (&input->host, EVENTS);
}

/* The next event, in the order of the buffers. */
static void
expect (Input *input, guint type, guint code, gint32 value)
{
  guint index = input->host.queues[EVENTS].taken;
  guint8 bytes[8];

  g_assert_cmpuint (virtio_host_take (&input->host, EVENTS, NULL), ==, 8);
  test_ram_read (input->board, DATA + index % 64 * 8, bytes, 8);
  g_assert_cmpuint (bytes[0] | bytes[1] << 8, ==, type);
  g_assert_cmpuint (bytes[2] | bytes[3] << 8, ==, code);
  g_assert_cmpint ((gint32) (bytes[4] | bytes[5] << 8 | bytes[6] << 16 | (guint32) bytes[7] << 24), ==, value);
}

static void
expect_no_more (Input *input)
{
  test_board_settle (input->board);
  g_assert_cmpuint (virtio_host_used_idx (&input->host, EVENTS), ==, input->host.queues[EVENTS].taken);
}

/* Reads the window at @select, @subsel. Returns: its size. */
static guint
query (Input *input, guint select, guint subsel, guint8 ret_data[128])
{
  test_write (input->board, input->host.device, 1, select);
  test_write (input->board, input->host.device + 1, 1, subsel);
  for (guint i = 0; i < 128; i++)
    ret_data[i] = (guint8) test_read (input->board, input->host.device + 8 + i, 1);
  return (guint) test_read (input->board, input->host.device + 2, 1);
}

static gboolean
has_bit (const guint8 *data, guint size, guint bit)
{
  return bit / 8 < size && (data[bit / 8] & 1u << bit % 8) != 0;
}

static void
identity (void)
{
  guint8 data[128];
  Input input;
  guint size;

  start (&input, "virtio-keyboard");
  g_assert_cmphex (test_pci_read (input.board, input.host.devfn, 0x02, 2), ==, 0x1052); /* 1040 + 18 */
  g_assert_cmphex (test_pci_read (input.board, input.host.devfn, 0x09, 1), ==, 0x00);
  g_assert_cmphex (test_pci_read (input.board, input.host.devfn, 0x0b, 1), ==, 0x09); /* input controller */
  g_assert_cmpuint (input.host.n_queues, ==, 2);
  size = query (&input, 0x01, 0, data); /* name */
  g_assert_cmpmem (data, size, "Lodge Virtio Keyboard", 21);
  size = query (&input, 0x03, 0, data);
  g_assert_cmpuint (size, ==, 8);
  g_assert_cmphex (data[0] | data[1] << 8, ==, 0x06);      /* BUS_VIRTUAL */
  g_assert_cmpuint (query (&input, 0x7f, 0, data), ==, 0); /* unknown: size 0 */
  g_assert_cmpuint (query (&input, 0x01, 1, data), ==, 0);
  test_board_free (input.board);
}

static void
keyboard_bits (void)
{
  guint8 data[128];
  Input input;
  guint size;

  start (&input, "virtio-keyboard");
  size = query (&input, 0x11, EV_KEY, data);
  g_assert_true (has_bit (data, size, KEY_A));
  g_assert_true (has_bit (data, size, KEY_RIGHTMETA));
  g_assert_false (has_bit (data, size, KEY_RESERVED));
  g_assert_false (has_bit (data, size, BTN_LEFT));
  size = query (&input, 0x11, EV_LED, data);
  g_assert_true (has_bit (data, size, LED_CAPSL));
  g_assert_cmpuint (query (&input, 0x11, EV_REP, data), >, 0);
  g_assert_cmpuint (query (&input, 0x11, EV_ABS, data), ==, 0);
  g_assert_cmpuint (query (&input, 0x12, ABS_X, data), ==, 0);
  g_assert_cmpuint (query (&input, 0x10, 0, data), ==, 0);
  test_board_free (input.board);
}

static void
tablet_axes (void)
{
  guint8 data[128];
  Input input;
  guint size;

  start (&input, "virtio-tablet");
  g_assert_cmphex (test_pci_read (input.board, input.host.devfn, 0x0a, 2), ==, 0x0980);
  size = query (&input, 0x11, EV_ABS, data);
  g_assert_true (has_bit (data, size, ABS_X) && has_bit (data, size, ABS_Y));
  size = query (&input, 0x12, ABS_Y, data);
  g_assert_cmpuint (size, ==, 20);
  g_assert_cmpmem (data, 20, "\x00\x00\x00\x00\xff\x7f\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 20);
  g_assert_cmpuint (query (&input, 0x12, ABS_Z, data), ==, 0);
  size = query (&input, 0x11, EV_KEY, data);
  g_assert_true (has_bit (data, size, BTN_LEFT) && has_bit (data, size, BTN_RIGHT) && has_bit (data, size, BTN_MIDDLE));
  size = query (&input, 0x11, EV_REL, data);
  g_assert_true (has_bit (data, size, REL_WHEEL));
  g_assert_false (has_bit (data, size, REL_X));
  test_board_free (input.board);
}

static void
key_events_end_with_syn (void)
{
  Input input;

  start (&input, "virtio-keyboard");
  give (&input, 8);
  vmm_machine_key (input.board->machine, KEY_A, TRUE);
  vmm_machine_key (input.board->machine, KEY_A, TRUE); /* the host's repeat: the driver makes its own */
  vmm_machine_key (input.board->machine, KEY_A, FALSE);
  expect (&input, EV_KEY, KEY_A, 1);
  expect (&input, EV_SYN, SYN_REPORT, 0);
  expect (&input, EV_KEY, KEY_A, 0);
  expect (&input, EV_SYN, SYN_REPORT, 0);
  expect_no_more (&input);
  test_board_free (input.board);
}

static void
events_wait_for_buffers (void)
{
  Input input;

  start (&input, "virtio-keyboard");
  give (&input, 1);
  vmm_machine_key (input.board->machine, KEY_B, TRUE);
  expect (&input, EV_KEY, KEY_B, 1);
  vmm_machine_key (input.board->machine, KEY_B, FALSE);
  expect_no_more (&input);
  give (&input, 3);
  expect (&input, EV_SYN, SYN_REPORT, 0);
  expect (&input, EV_KEY, KEY_B, 0);
  expect (&input, EV_SYN, SYN_REPORT, 0);
  test_board_free (input.board);
}

/* A driver that gives no buffers loses presses, never the release of what it was told is down. */
static void
releases_are_not_lost (void)
{
  Input input;
  guint downs = 0, ups = 0;

  start (&input, "virtio-keyboard");
  for (guint i = 0; i < 200; i++)
    vmm_machine_key (input.board->machine, KEY_ESC + i % 100, i % 200 < 100);
  for (guint i = 0; i < 400; i++)
    vmm_machine_key (input.board->machine, KEY_A, i % 2 == 0);
  test_board_settle (input.board);
  for (guint i = 0; i < 256; i++)
    {
      guint index;
      guint8 bytes[8];

      give (&input, 1);
      for (guint tries = 0; tries < 100 && virtio_host_used_idx (&input.host, EVENTS) == input.host.queues[EVENTS].taken; tries++)
        g_usleep (200);
      if (virtio_host_used_idx (&input.host, EVENTS) == input.host.queues[EVENTS].taken)
        break;
      index = input.host.queues[EVENTS].taken;
      virtio_host_take (&input.host, EVENTS, NULL);
      test_ram_read (input.board, DATA + index % 64 * 8, bytes, 8);
      if (bytes[0] == EV_KEY)
        {
          downs += bytes[4] == 1;
          ups += bytes[4] == 0;
        }
    }
  g_assert_cmpuint (downs, >, 40);
  g_assert_cmpuint (downs, ==, ups);
  test_board_free (input.board);
}

static void
tablet_is_the_pointer_while_driven (void)
{
  Input input;
  TestBoard *board = test_board_new ();

  test_board_add (board, "virtio-tablet", "input0", NULL);
  g_assert_false (vmm_machine_has_absolute_pointer (board->machine));
  test_board_free (board);

  start (&input, "virtio-tablet");
  g_assert_true (vmm_machine_has_absolute_pointer (input.board->machine));
  give (&input, 16);
  g_assert_true (vmm_machine_pointer_position (input.board->machine, 0, 40000));
  vmm_machine_pointer_button (input.board->machine, BTN_RIGHT, TRUE);
  vmm_machine_pointer_wheel (input.board->machine, 1);
  expect (&input, EV_ABS, ABS_X, 0);
  expect (&input, EV_ABS, ABS_Y, 32767);
  expect (&input, EV_SYN, SYN_REPORT, 0);
  expect (&input, EV_KEY, BTN_RIGHT, 1);
  expect (&input, EV_SYN, SYN_REPORT, 0);
  expect (&input, EV_REL, REL_WHEEL, -1); /* towards the user */
  expect (&input, EV_SYN, SYN_REPORT, 0);
  virtio_host_set (&input.host, 0x14, 1, 0);
  g_assert_false (vmm_machine_has_absolute_pointer (input.board->machine));
  test_board_free (input.board);
}

static void
waiting_positions_are_joined (void)
{
  Input input;

  start (&input, "virtio-tablet");
  for (int i = 0; i < 1000; i++)
    vmm_machine_pointer_position (input.board->machine, i, 2 * i);
  test_board_settle (input.board);
  give (&input, 8);
  expect (&input, EV_ABS, ABS_X, 999);
  expect (&input, EV_ABS, ABS_Y, 1998);
  expect (&input, EV_SYN, SYN_REPORT, 0);
  expect_no_more (&input);
  test_board_free (input.board);
}

static void
mouse_moves_add_up (void)
{
  Input input;

  start (&input, "virtio-mouse");
  g_assert_false (vmm_machine_has_absolute_pointer (input.board->machine));
  for (int i = 0; i < 100; i++)
    vmm_machine_pointer_motion (input.board->machine, 1, -2);
  test_board_settle (input.board);
  give (&input, 8);
  expect (&input, EV_REL, REL_X, 100);
  expect (&input, EV_REL, REL_Y, -200);
  expect (&input, EV_SYN, SYN_REPORT, 0);
  expect_no_more (&input);
  test_board_free (input.board);
}

static void
two_fingers (void)
{
  guint8 data[128];
  Input input;
  guint size;

  start (&input, "virtio-multitouch");
  size = query (&input, 0x10, 0, data);
  g_assert_true (has_bit (data, size, INPUT_PROP_DIRECT));
  size = query (&input, 0x12, ABS_MT_SLOT, data);
  g_assert_cmpuint (size, ==, 20);
  g_assert_cmpuint (data[4], ==, 9); /* ten slots */
  give (&input, 40);
  g_assert_true (vmm_machine_touch (input.board->machine, 0, VMM_TOUCH_DOWN, 100, 200));
  vmm_machine_touch (input.board->machine, 3, VMM_TOUCH_DOWN, 300, 400);
  vmm_machine_touch (input.board->machine, 3, VMM_TOUCH_MOVE, 301, 401);
  vmm_machine_touch (input.board->machine, 0, VMM_TOUCH_UP, 0, 0);
  vmm_machine_touch (input.board->machine, 3, VMM_TOUCH_UP, 0, 0);
  vmm_machine_touch (input.board->machine, 3, VMM_TOUCH_UP, 0, 0);    /* was not down */
  vmm_machine_touch (input.board->machine, 10, VMM_TOUCH_DOWN, 0, 0); /* no such finger */

  expect (&input, EV_ABS, ABS_MT_SLOT, 0);
  expect (&input, EV_ABS, ABS_MT_TRACKING_ID, 1);
  expect (&input, EV_ABS, ABS_MT_POSITION_X, 100);
  expect (&input, EV_ABS, ABS_MT_POSITION_Y, 200);
  expect (&input, EV_KEY, BTN_TOUCH, 1);
  expect (&input, EV_SYN, SYN_REPORT, 0);
  expect (&input, EV_ABS, ABS_MT_SLOT, 3);
  expect (&input, EV_ABS, ABS_MT_TRACKING_ID, 2);
  expect (&input, EV_ABS, ABS_MT_POSITION_X, 300);
  expect (&input, EV_ABS, ABS_MT_POSITION_Y, 400);
  expect (&input, EV_SYN, SYN_REPORT, 0);
  expect (&input, EV_ABS, ABS_MT_SLOT, 3);
  expect (&input, EV_ABS, ABS_MT_POSITION_X, 301);
  expect (&input, EV_ABS, ABS_MT_POSITION_Y, 401);
  expect (&input, EV_SYN, SYN_REPORT, 0);
  expect (&input, EV_ABS, ABS_MT_SLOT, 0);
  expect (&input, EV_ABS, ABS_MT_TRACKING_ID, -1);
  expect (&input, EV_SYN, SYN_REPORT, 0);
  expect (&input, EV_ABS, ABS_MT_SLOT, 3);
  expect (&input, EV_ABS, ABS_MT_TRACKING_ID, -1);
  expect (&input, EV_KEY, BTN_TOUCH, 0);
  expect (&input, EV_SYN, SYN_REPORT, 0);
  expect_no_more (&input);
  test_board_free (input.board);
}

static void
status_events_are_taken (void)
{
  const guint8 caps_on[8] = { EV_LED, 0, LED_CAPSL, 0, 1 };
  const VirtioHostPiece piece = { DATA, 8 };
  Input input;

  start (&input, "virtio-keyboard");
  test_ram_write (input.board, DATA, caps_on, sizeof caps_on);
  g_assert_cmpuint (virtio_host_do (&input.host, STATUS, &piece, 1, 0), ==, 0);
  test_board_free (input.board);
}

static void
small_buffers_are_given_back (void)
{
  const VirtioHostPiece piece = { DATA, 4 };
  Input input;

  start (&input, "virtio-keyboard");
  virtio_host_add (&input.host, EVENTS, &piece, 0, 1);
  virtio_host_kick (&input.host, EVENTS);
  vmm_machine_key (input.board->machine, KEY_A, TRUE);
  g_assert_cmpuint (virtio_host_take (&input.host, EVENTS, NULL), ==, 4);
  test_board_free (input.board);
}

static void
reset_forgets (void)
{
  Input input;

  start (&input, "virtio-keyboard");
  vmm_machine_key (input.board->machine, KEY_LEFTSHIFT, TRUE);
  test_board_settle (input.board);
  test_board_reset (input.board, VMM_RESET_WARM);
  virtio_host_init (&input.host, input.board, 2 << 3, BAR);
  virtio_host_start (&input.host, 0, 64, TRUE);
  give (&input, 8);
  vmm_machine_key (input.board->machine, KEY_LEFTSHIFT, FALSE); /* it is not down for this driver */
  expect_no_more (&input);
  test_board_free (input.board);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/virtio-input/config/identity", identity);
  g_test_add_func ("/virtio-input/config/keyboard-bits", keyboard_bits);
  g_test_add_func ("/virtio-input/config/tablet-axes", tablet_axes);
  g_test_add_func ("/virtio-input/keyboard/key-events-end-with-syn", key_events_end_with_syn);
  g_test_add_func ("/virtio-input/keyboard/events-wait-for-buffers", events_wait_for_buffers);
  g_test_add_func ("/virtio-input/keyboard/releases-are-not-lost", releases_are_not_lost);
  g_test_add_func ("/virtio-input/keyboard/status-events-are-taken", status_events_are_taken);
  g_test_add_func ("/virtio-input/keyboard/small-buffers-are-given-back", small_buffers_are_given_back);
  g_test_add_func ("/virtio-input/keyboard/reset-forgets", reset_forgets);
  g_test_add_func ("/virtio-input/tablet/is-the-pointer-while-driven", tablet_is_the_pointer_while_driven);
  g_test_add_func ("/virtio-input/tablet/waiting-positions-are-joined", waiting_positions_are_joined);
  g_test_add_func ("/virtio-input/mouse/moves-add-up", mouse_moves_add_up);
  g_test_add_func ("/virtio-input/multitouch/two-fingers", two_fingers);
  return g_test_run ();
}
