/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names of keys and the US layout. Expected codes: linux/input-event-codes.h. */
#include "model/keys.h"

#include "model/error.h"
#include "support.h"

#include <linux/input-event-codes.h>

static void
test_combination_in_order (void)
{
  guint codes[LODGE_KEYS_MAX];
  g_autoptr (GError) error = NULL;
  gsize n = lodge_keys_parse ("Ctrl+alt+DELETE", codes, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (n, ==, 3);
  g_assert_cmpuint (codes[0], ==, KEY_LEFTCTRL);
  g_assert_cmpuint (codes[1], ==, KEY_LEFTALT);
  g_assert_cmpuint (codes[2], ==, KEY_DELETE);
}

static void
test_single_characters (void)
{
  static const struct {
    const char *name;
    guint code;
  } cases[] = {
    { "a", KEY_A }, { "Z", KEY_Z }, { "0", KEY_0 }, { ";", KEY_SEMICOLON }, { "f12", KEY_F12 }, { "print", KEY_SYSRQ }
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      guint codes[LODGE_KEYS_MAX];

      g_assert_cmpuint (lodge_keys_parse (cases[i].name, codes, NULL), ==, 1);
      g_assert_cmpuint (codes[0], ==, cases[i].code);
    }
}

static void
test_nonsense_is_named (void)
{
  static const char *const cases[] = { "ctrl+bogus", "", "+", "ctrl+", "A!", "!", "a+b+c+d+e+f+g+h+i" };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      guint codes[LODGE_KEYS_MAX];
      g_autoptr (GError) error = NULL;

      g_assert_cmpuint (lodge_keys_parse (cases[i], codes, &error), ==, 0);
      g_assert_error (error, LODGE_ERROR, LODGE_ERROR_INVALID);
    }
}

static void
test_text_of_us_keyboard (void)
{
  static const struct {
    char c;
    guint code;
    gboolean shift;
  } cases[] = {
    { 'a', KEY_A, FALSE },    { 'A', KEY_A, TRUE },     { '1', KEY_1, FALSE },         { '!', KEY_1, TRUE },
    { '@', KEY_2, TRUE },     { '_', KEY_MINUS, TRUE }, { '"', KEY_APOSTROPHE, TRUE }, { '|', KEY_BACKSLASH, TRUE },
    { '~', KEY_GRAVE, TRUE }, { '?', KEY_SLASH, TRUE }, { ' ', KEY_SPACE, FALSE },     { '\n', KEY_ENTER, FALSE },
    { '\t', KEY_TAB, FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      guint code = 0;
      gboolean shift = FALSE;

      g_assert_true (lodge_keys_for_char ((gunichar) cases[i].c, &code, &shift));
      g_assert_cmpuint (code, ==, cases[i].code);
      g_assert_cmpint (shift, ==, cases[i].shift);
    }
}

static void
test_every_printable_ascii (void)
{
  for (gunichar c = ' '; c < 0x7f; c++)
    {
      guint code = 0;
      gboolean shift = FALSE;

      g_assert_true (lodge_keys_for_char (c, &code, &shift));
      g_assert_cmpuint (code, >, 0);
    }
}

static void
test_foreign_character_is_named (void)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (lodge_keys_check_text ("linux ro quiet\n", NULL));
  g_assert_false (lodge_keys_check_text ("na\xc3\xafve", &error));
  g_assert_error (error, LODGE_ERROR, LODGE_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, "U+00EF"));
  g_assert_false (lodge_keys_check_text ("\xff", NULL));
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/keys/combination/codes-in-the-order-given", test_combination_in_order);
  g_test_add_func ("/keys/combination/single-characters", test_single_characters);
  g_test_add_func ("/keys/combination/nonsense-is-refused", test_nonsense_is_named);
  g_test_add_func ("/keys/text/us-layout-with-shift", test_text_of_us_keyboard);
  g_test_add_func ("/keys/text/all-of-ascii-can-be-typed", test_every_printable_ascii);
  g_test_add_func ("/keys/text/foreign-character-is-named", test_foreign_character_is_named);
  return test_run ();
}
