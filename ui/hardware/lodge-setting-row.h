/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The row that suits a described setting: a switch, a choice, a number, a text or a file. */
#pragma once

#include <adwaita.h>

#include "engine/device-catalog.h"

G_BEGIN_DECLS

/**
 * LodgeSettingRow:
 * Holds the row's widget, which is one of libadwaita's, and is owned by it.
 * Signals: "edited" (LodgeSettingRow *, const char *value): somebody chose @value; (nullable): as without the setting.
 */
#define LODGE_TYPE_SETTING_ROW (lodge_setting_row_get_type ())
G_DECLARE_FINAL_TYPE (LodgeSettingRow, lodge_setting_row, LODGE, SETTING_ROW, GObject)

/**
 * lodge_setting_row_new:
 * @folder: (nullable): where relative paths start from
 * @at_once: edits are told as they are made; FALSE: a text is told when it is applied, a number when it rests
 * Returns: (transfer none): owned by its widget.
 */
LodgeSettingRow *lodge_setting_row_new (const LodgeSettingInfo *info, const char *folder, gboolean at_once);
GtkWidget *lodge_setting_row_get_widget (LodgeSettingRow *self);
const LodgeSettingInfo *lodge_setting_row_get_info (LodgeSettingRow *self);

/**
 * lodge_setting_row_set_value:
 * @value: (nullable): what holds
 * @is_set: machine.conf says so itself
 * @pending: it takes effect when the machine is started again
 */
void lodge_setting_row_set_value (LodgeSettingRow *self, const char *value, gboolean is_set, gboolean pending);

/** lodge_setting_row_dup_value: Returns: (transfer full) (nullable): what the row shows, %NULL if nothing was chosen. */
char *lodge_setting_row_dup_value (LodgeSettingRow *self);

G_END_DECLS
