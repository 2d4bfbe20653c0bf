/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One machine in the list: picture, name, state. */
#pragma once

#include <gtk/gtk.h>

#include "model/machine.h"

G_BEGIN_DECLS

#define LODGE_TYPE_MACHINE_ROW (lodge_machine_row_get_type ())
G_DECLARE_FINAL_TYPE (LodgeMachineRow, lodge_machine_row, LODGE, MACHINE_ROW, GtkBox)

GtkWidget *lodge_machine_row_new (void);

/** lodge_machine_row_set_machine: @machine: (nullable); @item: (nullable): whose accessible name follows the machine */
void lodge_machine_row_set_machine (LodgeMachineRow *self, LodgeMachine *machine, GtkListItem *item);
LodgeMachine *lodge_machine_row_get_machine (LodgeMachineRow *self); /* (nullable) */

G_END_DECLS
