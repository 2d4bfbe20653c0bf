/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names for menu items that a screen reader can say. */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

/**
 * lodge_menu_names_add:
 * @root: a widget with menu buttons somewhere below it, or a popover menu
 * GTK 4.18 labels a menu item by a label that is hidden from the accessibility tree, so the item has no name there. This names the
 * items of each menu when it opens.
 */
void lodge_menu_names_add (GtkWidget *root);

G_END_DECLS
