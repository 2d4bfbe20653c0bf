/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Short answers to actions, and errors with their details one click away. */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

/** lodge_toast_show: Shows @text in the toast overlay that @widget is in. @text: plain text. */
void lodge_toast_show (GtkWidget *widget, const char *text);

/** lodge_toast_add: @toast: (transfer full): as adw_toast_overlay_add_toast(), in the overlay that @widget is in. */
void lodge_toast_add (GtkWidget *widget, AdwToast *toast);

/**
 * lodge_toast_error:
 * Tells @error: its sentence in a toast, its technical text behind the button Details. A cancelled action tells nothing.
 */
void lodge_toast_error (GtkWidget *widget, const GError *error);

/**
 * lodge_show_details:
 * A dialog with @text to read and to copy.
 */
void lodge_show_details (GtkWidget *parent, const char *heading, const char *body, const char *text);

G_END_DECLS
