/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Seeing the focus go while we hold the whole keyboard. */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

typedef struct _LodgeFocusWatch LodgeFocusWatch;

/**
 * lodge_focus_watch_new:
 * @widget: realized; its window is watched
 * @lost: another window got the focus although this one holds the keyboard
 * On X11 a grab of the keyboard hides from GTK that the focus goes elsewhere, and would leave the keys here. Nothing to do elsewhere.
 * Returns: (transfer full) (nullable): NULL where GTK tells by itself.
 */
LodgeFocusWatch *lodge_focus_watch_new (GtkWidget *widget, void (*lost) (gpointer data), gpointer data);
void lodge_focus_watch_free (LodgeFocusWatch *watch);

G_END_DECLS
