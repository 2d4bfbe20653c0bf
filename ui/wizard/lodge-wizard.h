/* SPDX-License-Identifier: GPL-3.0-or-later */
/* New Machine: from a file to a machine in four pages, with defaults that make each of them one press of Enter. */
#pragma once

#include <adwaita.h>

#include "model/library.h"
#include "model/machine-spec.h"

G_BEGIN_DECLS

/**
 * LodgeWizard:
 * Signal "machine-created" (LodgeWizard *, LodgeMachine *, gboolean start): it is in the library, and is to be started if @start.
 * Pages activate the action "wizard.next"; each sets the dialog's default widget when it is shown.
 */
#define LODGE_TYPE_WIZARD (lodge_wizard_get_type ())
G_DECLARE_FINAL_TYPE (LodgeWizard, lodge_wizard, LODGE, WIZARD, AdwDialog)

/** lodge_wizard_new: @path: (nullable): the file to start from */
LodgeWizard *lodge_wizard_new (LodgeLibrary *library, const char *path);

/**
 * lodge_wizard_show_problem:
 * @row: the row that the value is typed in; marked as wrong, for the eye and for screen readers
 * @label: says what is wrong
 * @problem: (nullable): NULL: nothing
 */
void lodge_wizard_show_problem (GtkWidget *row, GtkLabel *label, const char *problem);

G_END_DECLS
