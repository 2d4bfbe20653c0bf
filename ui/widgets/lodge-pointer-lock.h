/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Holding the pointer: the windowing system keeps it in place and tells only how far it was moved. */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

typedef struct _LodgePointerLock LodgePointerLock;

/* @dx, @dy: how far the pointer moved, in pixels of the screen; down is positive */
typedef void (*LodgePointerMoved) (double dx, double dy, gpointer data);

/**
 * lodge_pointer_lock_new:
 * @widget: mapped; the pointer is held within it
 * Thread: main. Undo with lodge_pointer_lock_free().
 * Returns: (transfer full) (nullable): NULL where the windowing system cannot do it.
 */
LodgePointerLock *lodge_pointer_lock_new (GtkWidget *widget, LodgePointerMoved moved, gpointer data);
void lodge_pointer_lock_free (LodgePointerLock *lock);

G_END_DECLS
