/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names of keys, and which keys of a US keyboard type a text. */
#include "model/keys.h"

#include "model/error.h"

#include <glib/gi18n.h>
#include <linux/input-event-codes.h>
#include <string.h>

/* Spec: the US layout, key by key: code, without Shift, with Shift. */
static const struct {
  guint8 code;
  char plain, shifted;
} lkey_us[] = {
  { KEY_GRAVE, '`', '~' },       { KEY_1, '1', '!' },          { KEY_2, '2', '@' },           { KEY_3, '3', '#' },
  { KEY_4, '4', '$' },           { KEY_5, '5', '%' },          { KEY_6, '6', '^' },           { KEY_7, '7', '&' },
  { KEY_8, '8', '*' },           { KEY_9, '9', '(' },          { KEY_0, '0', ')' },           { KEY_MINUS, '-', '_' },
  { KEY_EQUAL, '=', '+' },       { KEY_Q, 'q', 'Q' },          { KEY_W, 'w', 'W' },           { KEY_E, 'e', 'E' },
  { KEY_R, 'r', 'R' },           { KEY_T, 't', 'T' },          { KEY_Y, 'y', 'Y' },           { KEY_U, 'u', 'U' },
  { KEY_I, 'i', 'I' },           { KEY_O, 'o', 'O' },          { KEY_P, 'p', 'P' },           { KEY_LEFTBRACE, '[', '{' },
  { KEY_RIGHTBRACE, ']', '}' },  { KEY_BACKSLASH, '\\', '|' }, { KEY_A, 'a', 'A' },           { KEY_S, 's', 'S' },
  { KEY_D, 'd', 'D' },           { KEY_F, 'f', 'F' },          { KEY_G, 'g', 'G' },           { KEY_H, 'h', 'H' },
  { KEY_J, 'j', 'J' },           { KEY_K, 'k', 'K' },          { KEY_L, 'l', 'L' },           { KEY_SEMICOLON, ';', ':' },
  { KEY_APOSTROPHE, '\'', '"' }, { KEY_Z, 'z', 'Z' },          { KEY_X, 'x', 'X' },           { KEY_C, 'c', 'C' },
  { KEY_V, 'v', 'V' },           { KEY_B, 'b', 'B' },          { KEY_N, 'n', 'N' },           { KEY_M, 'm', 'M' },
  { KEY_COMMA, ',', '<' },       { KEY_DOT, '.', '>' },        { KEY_SLASH, '/', '?' },       { KEY_SPACE, ' ', '\0' },
  { KEY_ENTER, '\n', '\0' },     { KEY_TAB, '\t', '\0' },      { KEY_BACKSPACE, '\b', '\0' }, { KEY_ESC, '\033', '\0' },
};

static const struct {
  const char *name;
  guint8 code;
} lkey_names[] = {
  { "alt", KEY_LEFTALT },
  { "altgr", KEY_RIGHTALT },
  { "apostrophe", KEY_APOSTROPHE },
  { "backslash", KEY_BACKSLASH },
  { "backspace", KEY_BACKSPACE },
  { "bracketleft", KEY_LEFTBRACE },
  { "bracketright", KEY_RIGHTBRACE },
  { "break", KEY_PAUSE },
  { "capslock", KEY_CAPSLOCK },
  { "comma", KEY_COMMA },
  { "control", KEY_LEFTCTRL },
  { "ctrl", KEY_LEFTCTRL },
  { "del", KEY_DELETE },
  { "delete", KEY_DELETE },
  { "down", KEY_DOWN },
  { "end", KEY_END },
  { "enter", KEY_ENTER },
  { "equal", KEY_EQUAL },
  { "esc", KEY_ESC },
  { "escape", KEY_ESC },
  { "f1", KEY_F1 },
  { "f10", KEY_F10 },
  { "f11", KEY_F11 },
  { "f12", KEY_F12 },
  { "f2", KEY_F2 },
  { "f3", KEY_F3 },
  { "f4", KEY_F4 },
  { "f5", KEY_F5 },
  { "f6", KEY_F6 },
  { "f7", KEY_F7 },
  { "f8", KEY_F8 },
  { "f9", KEY_F9 },
  { "grave", KEY_GRAVE },
  { "home", KEY_HOME },
  { "insert", KEY_INSERT },
  { "kp0", KEY_KP0 },
  { "kp1", KEY_KP1 },
  { "kp2", KEY_KP2 },
  { "kp3", KEY_KP3 },
  { "kp4", KEY_KP4 },
  { "kp5", KEY_KP5 },
  { "kp6", KEY_KP6 },
  { "kp7", KEY_KP7 },
  { "kp8", KEY_KP8 },
  { "kp9", KEY_KP9 },
  { "kpdot", KEY_KPDOT },
  { "kpenter", KEY_KPENTER },
  { "kpminus", KEY_KPMINUS },
  { "kpplus", KEY_KPPLUS },
  { "kpslash", KEY_KPSLASH },
  { "kpstar", KEY_KPASTERISK },
  { "left", KEY_LEFT },
  { "menu", KEY_COMPOSE },
  { "minus", KEY_MINUS },
  { "numlock", KEY_NUMLOCK },
  { "pagedown", KEY_PAGEDOWN },
  { "pageup", KEY_PAGEUP },
  { "pause", KEY_PAUSE },
  { "period", KEY_DOT },
  { "plus", KEY_KPPLUS },
  { "print", KEY_SYSRQ },
  { "return", KEY_ENTER },
  { "right", KEY_RIGHT },
  { "rightalt", KEY_RIGHTALT },
  { "rightctrl", KEY_RIGHTCTRL },
  { "rightshift", KEY_RIGHTSHIFT },
  { "rightsuper", KEY_RIGHTMETA },
  { "scrolllock", KEY_SCROLLLOCK },
  { "semicolon", KEY_SEMICOLON },
  { "shift", KEY_LEFTSHIFT },
  { "slash", KEY_SLASH },
  { "space", KEY_SPACE },
  { "super", KEY_LEFTMETA },
  { "sysrq", KEY_SYSRQ },
  { "tab", KEY_TAB },
  { "up", KEY_UP },
  { "win", KEY_LEFTMETA },
};

gsize
lodge_keys_parse (const char *combination, guint ret_codes[LODGE_KEYS_MAX], GError **error)
{
  g_auto (GStrv) parts = g_strsplit (combination, "+", -1);
  guint codes[LODGE_KEYS_MAX];
  gsize n = 0;

  for (gsize i = 0; parts[i] != NULL; i++)
    {
      g_autofree char *name = g_ascii_strdown (g_strstrip (parts[i]), -1);
      guint code = 0;
      gboolean shift = FALSE;

      for (gsize j = 0; j < G_N_ELEMENTS (lkey_names) && code == 0; j++)
        if (g_str_equal (name, lkey_names[j].name))
          code = lkey_names[j].code;
      if (code == 0 && name[0] > ' ' && name[1] == '\0' && (!lodge_keys_for_char ((guchar) name[0], &code, &shift) || shift))
        code = 0;
      if (code == 0)
        {
          g_set_error (error, LODGE_ERROR, LODGE_ERROR_INVALID, _ ("There is no key named “%s”."), parts[i]);
          return 0;
        }
      if (n == LODGE_KEYS_MAX)
        {
          g_set_error (error, LODGE_ERROR, LODGE_ERROR_INVALID, _ ("At most %d keys can be pressed at once."), LODGE_KEYS_MAX);
          return 0;
        }
      codes[n++] = code;
    }
  if (n == 0)
    {
      g_set_error_literal (error, LODGE_ERROR, LODGE_ERROR_INVALID, _ ("No key was named."));
      return 0;
    }
  memcpy (ret_codes, codes, n * sizeof *codes);
  return n;
}

char **
lodge_keys_dup_names (void)
{
  GStrvBuilder *builder = g_strv_builder_new ();
  char **names;

  for (gsize i = 0; i < G_N_ELEMENTS (lkey_names); i++)
    g_strv_builder_add (builder, lkey_names[i].name);
  names = g_strv_builder_end (builder);
  g_strv_builder_unref (builder);
  return names;
}

gboolean
lodge_keys_for_char (gunichar c, guint *ret_code, gboolean *ret_shift)
{
  if (c == 0)
    return FALSE;
  if (c == '\r')
    c = '\n';
  for (gsize i = 0; i < G_N_ELEMENTS (lkey_us); i++)
    if (c == (guchar) lkey_us[i].plain || c == (guchar) lkey_us[i].shifted)
      {
        *ret_code = lkey_us[i].code;
        *ret_shift = c != (guchar) lkey_us[i].plain;
        return TRUE;
      }
  return FALSE;
}

gboolean
lodge_keys_check_text (const char *text, GError **error)
{
  if (!g_utf8_validate (text, -1, NULL))
    {
      g_set_error_literal (error, LODGE_ERROR, LODGE_ERROR_INVALID, _ ("The text is not valid UTF-8."));
      return FALSE;
    }
  for (const char *p = text; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);
      guint code;
      gboolean shift;

      if (!lodge_keys_for_char (c, &code, &shift))
        {
          g_autofree char *one = g_strndup (p, (gsize) (g_utf8_next_char (p) - p));

          g_set_error (error, LODGE_ERROR, LODGE_ERROR_INVALID, _ ("A US keyboard cannot type “%s” (U+%04X)."), one, c);
          return FALSE;
        }
    }
  return TRUE;
}
