/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: Microsoft "USB HID to PS/2 Scan Code Translation Table" (both sets) and "Keyboard Scan Code Specification"; IBM PS/2
 * Technical Reference for controller, keyboard and mouse commands; what Linux' i8042, atkbd and psmouse drivers look for. */
#include "test-board.h"

#include <linux/input-event-codes.h>
#include <stdarg.h>

#define GAP_NS 500000

typedef struct {
  TestBoard *board;
} Fixture;

static void
command (Fixture *f, guint8 byte)
{
  test_outb (f->board, 0x64, byte);
}

static void
data (Fixture *f, guint8 byte)
{
  test_outb (f->board, 0x60, byte);
}

static guint8
status (Fixture *f)
{
  return test_inb (f->board, 0x64);
}

/* The next byte, or -1 if none comes in 20 ms. @aux: whose it must be */
static int
next_byte (Fixture *f, gboolean aux)
{
  for (guint i = 0; i < 40; i++)
    {
      if (status (f) & 1)
        {
          g_assert_cmphex (status (f) & 0x20, ==, aux ? 0x20 : 0);
          return test_inb (f->board, 0x60);
        }
      test_advance_ns (f->board, GAP_NS);
    }
  return -1;
}

/* All that comes from the keyboard (mouse) now, as "E0 5B". */
static char *
take (Fixture *f, gboolean aux)
{
  GString *text = g_string_new (NULL);

  for (int byte; (byte = next_byte (f, aux)) != -1;)
    g_string_append_printf (text, "%s%02X", text->len > 0 ? " " : "", byte);
  return g_string_free (text, FALSE);
}

static void
assert_taken (Fixture *f, gboolean aux, const char *expected, const char *what)
{
  g_autofree char *seen = take (f, aux);

  if (!g_str_equal (seen, expected))
    g_error ("%s: expected %s, got %s", what, expected, seen);
}

#define assert_keyboard(f, expected) assert_taken (f, FALSE, expected, G_STRLOC)
#define assert_aux(f, expected) assert_taken (f, TRUE, expected, G_STRLOC)

/* Sends a byte to the keyboard and takes its answer. */
static void
expect (Fixture *f, guint8 byte, const char *answer)
{
  data (f, byte);
  assert_taken (f, FALSE, answer, answer);
}

static void
set_config (Fixture *f, guint8 config)
{
  command (f, 0x60);
  data (f, config);
}

static void
key (Fixture *f, guint code, gboolean down)
{
  vmm_machine_key (f->board->machine, code, down);
  test_board_settle (f->board);
}

static void
tap (Fixture *f, guint code)
{
  key (f, code, TRUE);
  key (f, code, FALSE);
}

static void
aux_command (Fixture *f, guint8 byte)
{
  command (f, 0xd4);
  data (f, byte);
}

static void
fixture_set_up (Fixture *f, gconstpointer user_data)
{
  f->board = test_board_new ();
  test_board_add (f->board, "i8042", "i8042", NULL);
}

static void
fixture_tear_down (Fixture *f, gconstpointer user_data)
{
  test_board_free (f->board);
}

/* --- controller --- */

static void
test_self_test (Fixture *f, gconstpointer user_data)
{
  g_assert_cmphex (status (f) & 0x04, ==, 0);
  command (f, 0xaa);
  g_assert_cmphex (status (f), ==, 0x1d); /* output full, system flag, command, not locked */
  g_assert_cmphex (test_inb (f->board, 0x60), ==, 0x55);
  command (f, 0xab);
  assert_keyboard (f, "00");
  command (f, 0xa9);
  assert_keyboard (f, "00");
  command (f, 0xa4);
  assert_keyboard (f, "F1");
}

static void
test_configuration (Fixture *f, gconstpointer user_data)
{
  set_config (f, 0x47);
  command (f, 0x20);
  assert_keyboard (f, "47");
  g_assert_cmphex (status (f) & 0x04, ==, 0x04);
  command (f, 0xa7); /* i8042_check_aux: the disable bit must follow A7 and A8 */
  command (f, 0x20);
  assert_keyboard (f, "67");
  command (f, 0xa8);
  command (f, 0xad);
  command (f, 0x20);
  assert_keyboard (f, "57");
  command (f, 0xae);
  command (f, 0x20);
  assert_keyboard (f, "47");
}

static void
test_ram (Fixture *f, gconstpointer user_data)
{
  command (f, 0x7f);
  data (f, 0xc3);
  command (f, 0x3f);
  assert_keyboard (f, "C3");
}

/* i8042_check_aux: D3 must bring the byte back as the mouse's, with interrupt 12. */
static void
test_aux_loop (Fixture *f, gconstpointer user_data)
{
  guint rises = test_irq_rises (f->board, 12);

  command (f, 0xd3);
  data (f, 0x5a);
  g_assert_cmpuint (test_irq_rises (f->board, 12), ==, rises + 1);
  assert_aux (f, "5A");
  command (f, 0xd2);
  expect (f, 0x3c, "3C");
}

static void
test_interrupts (Fixture *f, gconstpointer user_data)
{
  set_config (f, 0x01);
  key (f, KEY_A, TRUE); /* 1C */
  g_assert_true (test_irq_level (f->board, 1));
  key (f, KEY_A, FALSE); /* F0 1C */
  g_assert_cmpuint (test_irq_rises (f->board, 1), ==, 1);
  test_inb (f->board, 0x60);
  g_assert_false (test_irq_level (f->board, 1));
  test_advance_ns (f->board, GAP_NS);
  g_assert_cmpuint (test_irq_rises (f->board, 1), ==, 2);
  set_config (f, 0x00);
  g_assert_false (test_irq_level (f->board, 1));
  set_config (f, 0x01); /* enabling it with a byte waiting brings it */
  g_assert_true (test_irq_level (f->board, 1));
}

static void
test_data_stays (Fixture *f, gconstpointer user_data)
{
  tap (f, KEY_A);
  g_assert_cmphex (test_inb (f->board, 0x60), ==, 0x1c);
  g_assert_cmphex (test_inb (f->board, 0x60), ==, 0x1c); /* a second reader finds the same byte */
  g_assert_cmphex (status (f) & 1, ==, 0);
  test_advance_ns (f->board, GAP_NS);
  g_assert_cmphex (test_inb (f->board, 0x60), ==, 0xf0);
}

static void
test_keyboard_off (Fixture *f, gconstpointer user_data)
{
  command (f, 0xad);
  tap (f, KEY_A);
  g_assert_cmphex (status (f) & 1, ==, 0);
  command (f, 0xae);
  assert_keyboard (f, "1C F0 1C");
}

static void
test_reset_pulse (Fixture *f, gconstpointer user_data)
{
  command (f, 0xfe); /* on this board nobody carries it out; it must do no harm */
  command (f, 0xff); /* pulses nothing */
  command (f, 0xd1);
  data (f, 0xcf);
  command (f, 0xd0);
  assert_keyboard (f, "CF");
}

static void
test_unknown (Fixture *f, gconstpointer user_data)
{
  command (f, 0x99);
  g_assert_cmphex (status (f) & 1, ==, 0);
  expect (f, 0x01, "FE");
  aux_command (f, 0x01);
  assert_aux (f, "FE");
}

static void
test_reset (Fixture *f, gconstpointer user_data)
{
  set_config (f, 0x47);
  tap (f, KEY_A);
  data (f, 0xf5);
  test_board_reset (f->board, VMM_RESET_WARM);
  g_assert_cmphex (status (f), ==, 0x10);
  tap (f, KEY_A);
  assert_keyboard (f, "1C F0 1C");
}

/* --- keys --- */

/* Microsoft's table: make codes in set 1 and set 2. */
static const struct {
  guint code;
  const char *set1, *set2;
} keys[] = {
  { KEY_A, "1E", "1C" },
  { KEY_B, "30", "32" },
  { KEY_C, "2E", "21" },
  { KEY_D, "20", "23" },
  { KEY_E, "12", "24" },
  { KEY_F, "21", "2B" },
  { KEY_G, "22", "34" },
  { KEY_H, "23", "33" },
  { KEY_I, "17", "43" },
  { KEY_J, "24", "3B" },
  { KEY_K, "25", "42" },
  { KEY_L, "26", "4B" },
  { KEY_M, "32", "3A" },
  { KEY_N, "31", "31" },
  { KEY_O, "18", "44" },
  { KEY_P, "19", "4D" },
  { KEY_Q, "10", "15" },
  { KEY_R, "13", "2D" },
  { KEY_S, "1F", "1B" },
  { KEY_T, "14", "2C" },
  { KEY_U, "16", "3C" },
  { KEY_V, "2F", "2A" },
  { KEY_W, "11", "1D" },
  { KEY_X, "2D", "22" },
  { KEY_Y, "15", "35" },
  { KEY_Z, "2C", "1A" },
  { KEY_1, "02", "16" },
  { KEY_2, "03", "1E" },
  { KEY_3, "04", "26" },
  { KEY_4, "05", "25" },
  { KEY_5, "06", "2E" },
  { KEY_6, "07", "36" },
  { KEY_7, "08", "3D" },
  { KEY_8, "09", "3E" },
  { KEY_9, "0A", "46" },
  { KEY_0, "0B", "45" },
  { KEY_ENTER, "1C", "5A" },
  { KEY_ESC, "01", "76" },
  { KEY_BACKSPACE, "0E", "66" },
  { KEY_TAB, "0F", "0D" },
  { KEY_SPACE, "39", "29" },
  { KEY_MINUS, "0C", "4E" },
  { KEY_EQUAL, "0D", "55" },
  { KEY_LEFTBRACE, "1A", "54" },
  { KEY_RIGHTBRACE, "1B", "5B" },
  { KEY_BACKSLASH, "2B", "5D" },
  { KEY_SEMICOLON, "27", "4C" },
  { KEY_APOSTROPHE, "28", "52" },
  { KEY_GRAVE, "29", "0E" },
  { KEY_COMMA, "33", "41" },
  { KEY_DOT, "34", "49" },
  { KEY_SLASH, "35", "4A" },
  { KEY_CAPSLOCK, "3A", "58" },
  { KEY_F1, "3B", "05" },
  { KEY_F2, "3C", "06" },
  { KEY_F3, "3D", "04" },
  { KEY_F4, "3E", "0C" },
  { KEY_F5, "3F", "03" },
  { KEY_F6, "40", "0B" },
  { KEY_F7, "41", "83" },
  { KEY_F8, "42", "0A" },
  { KEY_F9, "43", "01" },
  { KEY_F10, "44", "09" },
  { KEY_F11, "57", "78" },
  { KEY_F12, "58", "07" },
  { KEY_SCROLLLOCK, "46", "7E" },
  { KEY_INSERT, "E0 52", "E0 70" },
  { KEY_HOME, "E0 47", "E0 6C" },
  { KEY_PAGEUP, "E0 49", "E0 7D" },
  { KEY_DELETE, "E0 53", "E0 71" },
  { KEY_END, "E0 4F", "E0 69" },
  { KEY_PAGEDOWN, "E0 51", "E0 7A" },
  { KEY_RIGHT, "E0 4D", "E0 74" },
  { KEY_LEFT, "E0 4B", "E0 6B" },
  { KEY_DOWN, "E0 50", "E0 72" },
  { KEY_UP, "E0 48", "E0 75" },
  { KEY_NUMLOCK, "45", "77" },
  { KEY_KPSLASH, "E0 35", "E0 4A" },
  { KEY_KPASTERISK, "37", "7C" },
  { KEY_KPMINUS, "4A", "7B" },
  { KEY_KPPLUS, "4E", "79" },
  { KEY_KPENTER, "E0 1C", "E0 5A" },
  { KEY_KP1, "4F", "69" },
  { KEY_KP2, "50", "72" },
  { KEY_KP3, "51", "7A" },
  { KEY_KP4, "4B", "6B" },
  { KEY_KP5, "4C", "73" },
  { KEY_KP6, "4D", "74" },
  { KEY_KP7, "47", "6C" },
  { KEY_KP8, "48", "75" },
  { KEY_KP9, "49", "7D" },
  { KEY_KP0, "52", "70" },
  { KEY_KPDOT, "53", "71" },
  { KEY_102ND, "56", "61" },
  { KEY_COMPOSE, "E0 5D", "E0 2F" },
  { KEY_POWER, "E0 5E", "E0 37" },
  { KEY_KPEQUAL, "59", "0F" },
  { KEY_F13, "64", "08" },
  { KEY_F14, "65", "10" },
  { KEY_F15, "66", "18" },
  { KEY_F16, "67", "20" },
  { KEY_F17, "68", "28" },
  { KEY_F18, "69", "30" },
  { KEY_F19, "6A", "38" },
  { KEY_F20, "6B", "40" },
  { KEY_F21, "6C", "48" },
  { KEY_F22, "6D", "50" },
  { KEY_F23, "6E", "57" },
  { KEY_F24, "76", "5F" },
  { KEY_KPCOMMA, "7E", "6D" },
  { KEY_RO, "73", "51" },
  { KEY_KATAKANAHIRAGANA, "70", "13" },
  { KEY_YEN, "7D", "6A" },
  { KEY_HENKAN, "79", "64" },
  { KEY_MUHENKAN, "7B", "67" },
  { KEY_KPJPCOMMA, "5C", "27" },
  { KEY_KATAKANA, "78", "63" },
  { KEY_HIRAGANA, "77", "62" },
  { KEY_ZENKAKUHANKAKU, "76", "5F" },
  { KEY_LEFTCTRL, "1D", "14" },
  { KEY_LEFTSHIFT, "2A", "12" },
  { KEY_LEFTALT, "38", "11" },
  { KEY_LEFTMETA, "E0 5B", "E0 1F" },
  { KEY_RIGHTCTRL, "E0 1D", "E0 14" },
  { KEY_RIGHTSHIFT, "36", "59" },
  { KEY_RIGHTALT, "E0 38", "E0 11" },
  { KEY_RIGHTMETA, "E0 5C", "E0 27" },
  { KEY_NEXTSONG, "E0 19", "E0 4D" },
  { KEY_PREVIOUSSONG, "E0 10", "E0 15" },
  { KEY_STOPCD, "E0 24", "E0 3B" },
  { KEY_PLAYPAUSE, "E0 22", "E0 34" },
  { KEY_MUTE, "E0 20", "E0 23" },
  { KEY_VOLUMEUP, "E0 30", "E0 32" },
  { KEY_VOLUMEDOWN, "E0 2E", "E0 21" },
  { KEY_MEDIA, "E0 6D", "E0 50" },
  { KEY_MAIL, "E0 6C", "E0 48" },
  { KEY_CALC, "E0 21", "E0 2B" },
  { KEY_COMPUTER, "E0 6B", "E0 40" },
  { KEY_SEARCH, "E0 65", "E0 10" },
  { KEY_HOMEPAGE, "E0 32", "E0 3A" },
  { KEY_BACK, "E0 6A", "E0 38" },
  { KEY_FORWARD, "E0 69", "E0 30" },
  { KEY_STOP, "E0 68", "E0 28" },
  { KEY_REFRESH, "E0 67", "E0 20" },
  { KEY_BOOKMARKS, "E0 66", "E0 18" },
  { KEY_SLEEP, "E0 5F", "E0 3F" },
  { KEY_WAKEUP, "E0 63", "E0 5E" },
};

/* Break codes: F0 before the last byte in set 2, its bit 7 set in set 1. */
static char *
make_and_break (const char *make, gboolean set1)
{
  g_autofree char *prefix = strlen (make) > 2 ? g_strdup ("E0 ") : g_strdup ("");
  guint last = (guint) g_ascii_strtoull (make + strlen (make) - 2, NULL, 16);

  return set1 ? g_strdup_printf ("%s %s%02X", make, prefix, last | 0x80) : g_strdup_printf ("%s %sF0 %02X", make, prefix, last);
}

static void
test_keys (Fixture *f, gconstpointer user_data)
{
  gboolean translated = GPOINTER_TO_INT (user_data);

  set_config (f, translated ? 0x41 : 0x01);
  for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
    {
      g_autofree char *expected = make_and_break (translated ? keys[i].set1 : keys[i].set2, translated);
      g_autofree char *what = g_strdup_printf ("key %u", keys[i].code);

      tap (f, keys[i].code);
      assert_taken (f, FALSE, expected, what);
    }
}

/* Set 1 from the keyboard itself is the same as the controller's translation. */
static void
test_set1 (Fixture *f, gconstpointer user_data)
{
  set_config (f, 0x01);
  expect (f, 0xf0, "FA");
  expect (f, 0x01, "FA");
  expect (f, 0xf0, "FA");
  expect (f, 0x00, "FA 01");
  for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
    {
      g_autofree char *expected = make_and_break (keys[i].set1, TRUE);

      tap (f, keys[i].code);
      assert_taken (f, FALSE, expected, keys[i].set1);
    }
  tap (f, KEY_PAUSE);
  assert_keyboard (f, "E1 1D 45 E1 9D C5");
}

static void
test_korean (Fixture *f, gconstpointer user_data)
{
  set_config (f, 0x41);
  tap (f, KEY_HANGEUL); /* make only */
  assert_keyboard (f, "F2");
  tap (f, KEY_HANJA);
  assert_keyboard (f, "F1");
}

static void
test_pause (Fixture *f, gconstpointer user_data)
{
  key (f, KEY_PAUSE, TRUE);
  key (f, KEY_PAUSE, TRUE); /* does not repeat */
  assert_keyboard (f, "E1 14 77 E1 F0 14 F0 77");
  key (f, KEY_PAUSE, FALSE);
  assert_keyboard (f, "");
  set_config (f, 0x41);
  tap (f, KEY_PAUSE);
  assert_keyboard (f, "E1 1D 45 E1 9D C5");
  key (f, KEY_RIGHTCTRL, TRUE);
  assert_keyboard (f, "E0 1D");
  tap (f, KEY_PAUSE); /* Break */
  assert_keyboard (f, "E0 46 E0 C6");
  key (f, KEY_RIGHTCTRL, FALSE);
  assert_keyboard (f, "E0 9D");
}

static void
test_print (Fixture *f, gconstpointer user_data)
{
  static const struct {
    guint modifier;
    const char *expected; /* with translation, modifier included */
  } variants[] = {
    { 0, "E0 2A E0 37 E0 B7 E0 AA" }, { KEY_LEFTSHIFT, "2A E0 37 E0 B7 AA" }, { KEY_LEFTCTRL, "1D E0 37 E0 B7 9D" },
    { KEY_LEFTALT, "38 54 D4 B8" },   { KEY_RIGHTALT, "E0 38 54 D4 E0 B8" },
  };

  set_config (f, 0x41);
  for (guint i = 0; i < G_N_ELEMENTS (variants); i++)
    {
      if (variants[i].modifier != 0)
        key (f, variants[i].modifier, TRUE);
      tap (f, KEY_SYSRQ);
      if (variants[i].modifier != 0)
        key (f, variants[i].modifier, FALSE);
      assert_keyboard (f, variants[i].expected);
    }
  set_config (f, 0x01);
  tap (f, KEY_SYSRQ);
  assert_keyboard (f, "E0 12 E0 7C E0 F0 7C E0 F0 12");
}

/* SysRq that was pressed with Alt is released as SysRq, whichever goes first. */
static void
test_print_release (Fixture *f, gconstpointer user_data)
{
  set_config (f, 0x41);
  key (f, KEY_LEFTALT, TRUE);
  key (f, KEY_SYSRQ, TRUE);
  key (f, KEY_LEFTALT, FALSE);
  key (f, KEY_SYSRQ, FALSE);
  assert_keyboard (f, "38 54 B8 D4");
}

static void
test_repeat (Fixture *f, gconstpointer user_data)
{
  set_config (f, 0x41);
  key (f, KEY_A, TRUE);
  key (f, KEY_A, TRUE);
  key (f, KEY_A, TRUE);
  key (f, KEY_A, FALSE);
  assert_keyboard (f, "1E 1E 1E 9E");
}

static void
test_overflow (Fixture *f, gconstpointer user_data)
{
  set_config (f, 0x41);
  command (f, 0xad); /* so that all stay in the keyboard's queue */
  for (guint i = 0; i < 15; i++)
    key (f, KEY_A, TRUE);
  key (f, KEY_B, TRUE); /* one place left: the overrun code */
  key (f, KEY_C, TRUE);
  command (f, 0xae);
  assert_keyboard (f, "1E 1E 1E 1E 1E 1E 1E 1E 1E 1E 1E 1E 1E 1E 1E FF");
  tap (f, KEY_D);
  assert_keyboard (f, "20 A0");
}

static void
test_unknown_keys (Fixture *f, gconstpointer user_data)
{
  tap (f, KEY_RESERVED);
  tap (f, KEY_MICMUTE);
  tap (f, BTN_LEFT);
  tap (f, KEY_MAX + 1);
  tap (f, G_MAXUINT);
  assert_keyboard (f, "");
}

/* --- keyboard commands --- */

static void
test_keyboard_commands (Fixture *f, gconstpointer user_data)
{
  expect (f, 0xf2, "FA AB 83");
  expect (f, 0xee, "EE");
  expect (f, 0xed, "FA");
  expect (f, 0x07, "FA");
  expect (f, 0xf3, "FA");
  expect (f, 0x20, "FA");
  expect (f, 0xff, "FA AA");
  expect (f, 0xf0, "FA");
  expect (f, 0x00, "FA 02");
  expect (f, 0xf0, "FA");
  expect (f, 0x03, "FE");
  expect (f, 0xfe, "FE"); /* resend: the last byte again */
}

/* atkbd knows a translated keyboard by AB 41 in place of AB 83. */
static void
test_translated_id (Fixture *f, gconstpointer user_data)
{
  set_config (f, 0x41);
  expect (f, 0xf2, "FA AB 41");
}

static void
test_scanning_off (Fixture *f, gconstpointer user_data)
{
  expect (f, 0xf5, "FA");
  tap (f, KEY_A);
  assert_keyboard (f, "");
  expect (f, 0xf4, "FA");
  tap (f, KEY_A);
  assert_keyboard (f, "1C F0 1C");
}

static void
test_command_ends_parameter (Fixture *f, gconstpointer user_data)
{
  expect (f, 0xed, "FA");
  data (f, 0xf2); /* no parameter of ED: a command */
  assert_keyboard (f, "FA AB 83");
}

static void
test_write_frees_line (Fixture *f, gconstpointer user_data)
{
  command (f, 0xad);
  expect (f, 0xee, "EE");
}

/* --- mouse --- */

static void
aux_expect (Fixture *f, guint8 byte, const char *answer)
{
  aux_command (f, byte);
  assert_taken (f, TRUE, answer, answer);
}

static void
motion (Fixture *f, int dx, int dy)
{
  vmm_machine_pointer_motion (f->board->machine, dx, dy);
  test_board_settle (f->board);
}

static void
button (Fixture *f, guint code, gboolean down)
{
  vmm_machine_pointer_button (f->board->machine, code, down);
  test_board_settle (f->board);
}

static void
wheel (Fixture *f, int dy)
{
  vmm_machine_pointer_wheel (f->board->machine, dy);
  test_board_settle (f->board);
}

static void
test_mouse_commands (Fixture *f, gconstpointer user_data)
{
  aux_expect (f, 0xff, "FA AA 00");
  aux_expect (f, 0xf2, "FA 00");
  aux_expect (f, 0xe9, "FA 00 02 64");
  aux_expect (f, 0xe8, "FA");
  aux_expect (f, 0x03, "FA");
  aux_expect (f, 0xf3, "FA");
  aux_expect (f, 0x28, "FA");
  aux_expect (f, 0xe7, "FA");
  aux_expect (f, 0xf4, "FA");
  button (f, BTN_LEFT, TRUE);
  assert_aux (f, "09 00 00");
  aux_expect (f, 0xe9, "FA 34 03 28"); /* enabled, 2:1, left */
  aux_expect (f, 0xf6, "FA");
  aux_expect (f, 0xe9, "FA 04 02 64");
}

static void
test_mouse_wrap (Fixture *f, gconstpointer user_data)
{
  aux_expect (f, 0xee, "FA");
  aux_expect (f, 0x55, "55");
  aux_expect (f, 0xf2, "F2");
  aux_expect (f, 0xec, "FA");
  aux_expect (f, 0xf2, "FA 00");
}

static void
test_mouse_silent (Fixture *f, gconstpointer user_data)
{
  motion (f, 5, 5);
  button (f, BTN_LEFT, TRUE);
  assert_aux (f, "");
}

static void
test_mouse_motion (Fixture *f, gconstpointer user_data)
{
  aux_expect (f, 0xf4, "FA");
  motion (f, 5, 3); /* down is negative here */
  assert_aux (f, "28 05 FD");
  motion (f, -1, -2);
  assert_aux (f, "18 FF 02");
  motion (f, 300, 0);
  assert_aux (f, "08 FF 00 08 2D 00");
}

static void
test_mouse_sums (Fixture *f, gconstpointer user_data)
{
  aux_expect (f, 0xf4, "FA");
  for (guint i = 0; i < 50; i++)
    motion (f, 1, 0);
  assert_aux (f, "08 01 00 08 31 00");
}

static void
test_mouse_rate (Fixture *f, gconstpointer user_data)
{
  guint reports = 0;

  aux_expect (f, 0xf3, "FA");
  aux_expect (f, 0x28, "FA"); /* 40 reports a second */
  aux_expect (f, 0xf4, "FA");
  for (guint i = 0; i < 2000; i++)
    {
      motion (f, 1, 1);
      test_advance_ns (f->board, GAP_NS);
      if (status (f) & 1)
        reports += test_inb (f->board, 0x60) == 0x28;
    }
  g_assert_cmpuint (reports, >=, 38);
  g_assert_cmpuint (reports, <=, 41); /* the first at once */
}

static void
test_mouse_buttons (Fixture *f, gconstpointer user_data)
{
  aux_expect (f, 0xf4, "FA");
  button (f, BTN_LEFT, TRUE);
  button (f, BTN_LEFT, FALSE); /* a quick click is not lost */
  button (f, BTN_RIGHT, TRUE);
  button (f, BTN_MIDDLE, TRUE);
  assert_aux (f, "09 00 00 08 00 00 0A 00 00 0E 00 00");
}

/* psmouse, intellimouse_detect: 200, 100, 80 makes the ID 3. */
static void
test_mouse_wheel (Fixture *f, gconstpointer user_data)
{
  static const guint8 knock[] = { 200, 100, 80 };

  for (guint i = 0; i < G_N_ELEMENTS (knock); i++)
    {
      aux_expect (f, 0xf3, "FA");
      aux_expect (f, knock[i], "FA");
    }
  aux_expect (f, 0xf2, "FA 03");
  aux_expect (f, 0xf4, "FA");
  wheel (f, 1);
  assert_aux (f, "08 00 00 01");
  wheel (f, -1);
  assert_aux (f, "08 00 00 FF");
  button (f, BTN_LEFT, TRUE);
  assert_aux (f, "09 00 00 00");
}

/* psmouse, im_explorer_detect: then 200, 200, 80 makes it 4: fourth and fifth button in bits 4 and 5. */
static void
test_mouse_explorer (Fixture *f, gconstpointer user_data)
{
  static const guint8 knock[] = { 200, 100, 80, 200, 200, 80 };

  for (guint i = 0; i < G_N_ELEMENTS (knock); i++)
    {
      aux_expect (f, 0xf3, "FA");
      aux_expect (f, knock[i], "FA");
    }
  aux_expect (f, 0xf2, "FA 04");
  aux_expect (f, 0xf4, "FA");
  wheel (f, -1);
  assert_aux (f, "08 00 00 0F");
  button (f, BTN_SIDE, TRUE);
  assert_aux (f, "08 00 00 10");
  button (f, BTN_EXTRA, TRUE);
  assert_aux (f, "08 00 00 30");
  aux_expect (f, 0xff, "FA AA 00");
  aux_expect (f, 0xf2, "FA 00");
}

static void
test_mouse_remote (Fixture *f, gconstpointer user_data)
{
  aux_expect (f, 0xf0, "FA");
  aux_expect (f, 0xf4, "FA");
  motion (f, 7, 0);
  assert_aux (f, "");
  aux_expect (f, 0xeb, "FA 08 07 00");
  aux_expect (f, 0xeb, "FA 08 00 00");
}

static void
test_mouse_scaling (Fixture *f, gconstpointer user_data)
{
  /* IBM's table for 2:1 */
  static const guint8 table[][2] = { { 1, 1 }, { 2, 1 }, { 3, 3 }, { 4, 6 }, { 5, 9 }, { 6, 12 }, { 100, 200 } };

  aux_expect (f, 0xe7, "FA");
  aux_expect (f, 0xf4, "FA");
  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autofree char *expected = g_strdup_printf ("08 %02X 00", table[i][1]);

      motion (f, table[i][0], 0);
      assert_aux (f, expected);
    }
}

static void
test_mouse_interrupt (Fixture *f, gconstpointer user_data)
{
  guint rises;

  set_config (f, 0x02);
  aux_expect (f, 0xf4, "FA");
  rises = test_irq_rises (f->board, 12);
  motion (f, 1, 0);
  assert_aux (f, "08 01 00");
  g_assert_cmpuint (test_irq_rises (f->board, 12), ==, rises + 3);
  g_assert_cmpuint (test_irq_rises (f->board, 1), ==, 0);
}

#define ADD(path, func, user_data) g_test_add (path, Fixture, user_data, fixture_set_up, func, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/i8042/controller/tests-pass", test_self_test, NULL);
  ADD ("/i8042/controller/configuration-byte", test_configuration, NULL);
  ADD ("/i8042/controller/ram", test_ram, NULL);
  ADD ("/i8042/controller/d2-and-d3-come-back", test_aux_loop, NULL);
  ADD ("/i8042/controller/interrupts-are-edges", test_interrupts, NULL);
  ADD ("/i8042/controller/port-60-keeps-its-byte", test_data_stays, NULL);
  ADD ("/i8042/controller/disabled-keyboard-waits", test_keyboard_off, NULL);
  ADD ("/i8042/controller/output-port", test_reset_pulse, NULL);
  ADD ("/i8042/controller/unknown-commands-are-refused", test_unknown, NULL);
  ADD ("/i8042/controller/reset", test_reset, NULL);
  ADD ("/i8042/keys/set-2", test_keys, GINT_TO_POINTER (FALSE));
  ADD ("/i8042/keys/translated", test_keys, GINT_TO_POINTER (TRUE));
  ADD ("/i8042/keys/set-1", test_set1, NULL);
  ADD ("/i8042/keys/korean-keys-make-only", test_korean, NULL);
  ADD ("/i8042/keys/pause-and-break", test_pause, NULL);
  ADD ("/i8042/keys/print-screen-and-sysrq", test_print, NULL);
  ADD ("/i8042/keys/sysrq-is-released-as-pressed", test_print_release, NULL);
  ADD ("/i8042/keys/repeat-comes-from-the-host", test_repeat, NULL);
  ADD ("/i8042/keys/overflow-is-told", test_overflow, NULL);
  ADD ("/i8042/keys/unknown-send-nothing", test_unknown_keys, NULL);
  ADD ("/i8042/keyboard/commands", test_keyboard_commands, NULL);
  ADD ("/i8042/keyboard/identity-is-translated", test_translated_id, NULL);
  ADD ("/i8042/keyboard/f5-stops-scanning", test_scanning_off, NULL);
  ADD ("/i8042/keyboard/a-command-ends-a-parameter", test_command_ends_parameter, NULL);
  ADD ("/i8042/keyboard/writing-frees-the-line", test_write_frees_line, NULL);
  ADD ("/i8042/mouse/commands", test_mouse_commands, NULL);
  ADD ("/i8042/mouse/wrap-mode", test_mouse_wrap, NULL);
  ADD ("/i8042/mouse/silent-until-enabled", test_mouse_silent, NULL);
  ADD ("/i8042/mouse/motion", test_mouse_motion, NULL);
  ADD ("/i8042/mouse/motion-adds-up", test_mouse_sums, NULL);
  ADD ("/i8042/mouse/sample-rate", test_mouse_rate, NULL);
  ADD ("/i8042/mouse/no-click-is-lost", test_mouse_buttons, NULL);
  ADD ("/i8042/mouse/wheel", test_mouse_wheel, NULL);
  ADD ("/i8042/mouse/five-buttons", test_mouse_explorer, NULL);
  ADD ("/i8042/mouse/remote-mode", test_mouse_remote, NULL);
  ADD ("/i8042/mouse/scaling", test_mouse_scaling, NULL);
  ADD ("/i8042/mouse/interrupt-12-for-each-byte", test_mouse_interrupt, NULL);
  return g_test_run ();
}
