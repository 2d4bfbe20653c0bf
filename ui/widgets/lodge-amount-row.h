/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An amount of memory or disk: a number with its unit, and a logarithmic scale with what is advised and what the host has. */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

/**
 * LodgeAmountRow:
 * Property "value": double, MiB, notifies. The entry understands "4 GiB", "512 MB", "1.5 T"; a bare number is GiB below 64 in a
 * row whose amounts are memory, MiB above, and always GiB in one whose amounts are disks.
 */
#define LODGE_TYPE_AMOUNT_ROW (lodge_amount_row_get_type ())
G_DECLARE_FINAL_TYPE (LodgeAmountRow, lodge_amount_row, LODGE, AMOUNT_ROW, AdwPreferencesRow)

/**
 * lodge_amount_row_set_range:
 * @limit: what the host has; 0: unknown. Marked on the scale, named below it by @limit_label
 * @recommended: marked and named as well; 0: none
 * Units: MiB.
 */
void lodge_amount_row_set_range (LodgeAmountRow *self, double minimum, double maximum, double recommended, double limit,
                                 const char *limit_label);
void lodge_amount_row_set_value (LodgeAmountRow *self, double value);
double lodge_amount_row_get_value (LodgeAmountRow *self);

/** lodge_amount_row_set_note: @text: (nullable): a remark below the scale */
void lodge_amount_row_set_note (LodgeAmountRow *self, const char *text);
/** lodge_amount_row_set_problem: @text: (nullable): what is wrong with the value */
void lodge_amount_row_set_problem (LodgeAmountRow *self, const char *text);

/** lodge_amount_parse: Returns: MiB, or a negative number if @text is no amount. @bare_mib: from which bare number on it means MiB */
double lodge_amount_parse (const char *text, double bare_mib);
/** lodge_amount_format: @mib: MiB. Returns: (transfer full): "1.5 GiB" */
char *lodge_amount_format (double mib);

G_END_DECLS
