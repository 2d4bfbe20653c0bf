/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names of keys, and which keys of a US keyboard type a text. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define LODGE_KEYS_MAX 8

/**
 * lodge_keys_parse:
 * @combination: names joined by "+", like "ctrl+alt+delete"; case does not matter
 * @ret_codes: (out): Linux input event codes in the order given
 * Errors: LODGE_ERROR_INVALID naming the key that is not known.
 * Returns: how many keys, 0 on error.
 */
gsize lodge_keys_parse (const char *combination, guint ret_codes[LODGE_KEYS_MAX], GError **error);

/** lodge_keys_dup_names: Returns: (transfer full): all names of keys that are no single letter or digit, sorted. */
char **lodge_keys_dup_names (void);

/**
 * lodge_keys_for_char:
 * @ret_code: (out): Linux input event code of the key
 * @ret_shift: (out): whether Shift goes with it
 * Returns: %FALSE if a US keyboard cannot type @c.
 */
gboolean lodge_keys_for_char (gunichar c, guint *ret_code, gboolean *ret_shift);

/**
 * lodge_keys_check_text:
 * Errors: LODGE_ERROR_INVALID: not UTF-8, or names the first character that cannot be typed.
 */
gboolean lodge_keys_check_text (const char *text, GError **error);

G_END_DECLS
