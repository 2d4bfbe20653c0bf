/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What can be switched at a machine's devices while it runs, as a menu with its actions. */
#pragma once

#include <gtk/gtk.h>

#include "model/machine.h"

G_BEGIN_DECLS

/**
 * LodgeDeviceMenu:
 * A GActionGroup, to be inserted as "device", and the part of a menu that shows it: a check for each switch that the descriptions call
 * changeable while the machine runs, like a network card's cable. Both follow the machine.
 */
#define LODGE_TYPE_DEVICE_MENU (lodge_device_menu_get_type ())
G_DECLARE_FINAL_TYPE (LodgeDeviceMenu, lodge_device_menu, LODGE, DEVICE_MENU, GSimpleActionGroup)

/** lodge_device_menu_new: @owner: (not owned): where errors appear */
LodgeDeviceMenu *lodge_device_menu_new (GtkWidget *owner);
void lodge_device_menu_set_machine (LodgeDeviceMenu *self, LodgeMachine *machine);
/** lodge_device_menu_get_section: Returns: (transfer none): empty while there is nothing to switch. */
GMenuModel *lodge_device_menu_get_section (LodgeDeviceMenu *self);

G_END_DECLS
