/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An action and the keys that do it. */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

/** LodgeShortcutRow: Property "accelerator": string as gtk_accelerator_parse() takes it; several parted by blanks. */
#define LODGE_TYPE_SHORTCUT_ROW (lodge_shortcut_row_get_type ())
G_DECLARE_FINAL_TYPE (LodgeShortcutRow, lodge_shortcut_row, LODGE, SHORTCUT_ROW, AdwActionRow)

/** lodge_shortcut_row_set_keys: @keys: names of keys, as they stand on a keyboard, parted by "+" */
void lodge_shortcut_row_set_keys (LodgeShortcutRow *self, const char *keys);

G_END_DECLS
