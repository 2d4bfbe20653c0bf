/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A machine's picture: drawn on the frame clock, takes keyboard and pointer and gives them to the guest. */
#pragma once

#include <gtk/gtk.h>

#include "model/console.h"

G_BEGIN_DECLS

typedef enum {
  LODGE_SCALING_FIT,      /* as large as the space allows, aspect kept */
  LODGE_SCALING_ORIGINAL, /* one guest pixel is one pixel of the screen */
} LodgeScaling;

GType lodge_scaling_get_type (void) G_GNUC_CONST;
#define LODGE_TYPE_SCALING (lodge_scaling_get_type ())

#define LODGE_TYPE_DISPLAY (lodge_display_get_type ())
G_DECLARE_FINAL_TYPE (LodgeDisplay, lodge_display, LODGE, DISPLAY, GtkWidget)

GtkWidget *lodge_display_new (void);

/**
 * lodge_display_set_console:
 * @console: (nullable): the picture to show; NULL shows nothing
 * While the widget is mapped and its window is not hidden, the picture is pulled on each frame; once it has been still for a
 * while, a slow poll takes over until something moves or a key is pressed.
 */
void lodge_display_set_console (LodgeDisplay *self, LodgeConsole *console);
LodgeConsole *lodge_display_get_console (LodgeDisplay *self);

void lodge_display_set_scaling (LodgeDisplay *self, LodgeScaling scaling);
LodgeScaling lodge_display_get_scaling (LodgeDisplay *self);

/**
 * lodge_display_set_follow:
 * Whether the guest is asked for a picture as large as the widget whenever that has another size (while it fits the picture, and where the
 * console can do that).
 */
void lodge_display_set_follow (LodgeDisplay *self, gboolean follow);
gboolean lodge_display_get_follow (LodgeDisplay *self);

/**
 * lodge_display_set_interactive:
 * Whether keyboard and pointer go to the guest. Taking it away releases everything that is held.
 */
void lodge_display_set_interactive (LodgeDisplay *self, gboolean interactive);

/**
 * lodge_display_grab:
 * Gives the keyboard to the guest: all keys, the desktop's own shortcuts among them, until lodge_display_release() or the
 * release keys are pressed.
 */
void lodge_display_grab (LodgeDisplay *self);
void lodge_display_release (LodgeDisplay *self);
gboolean lodge_display_get_grabbed (LodgeDisplay *self);

/**
 * lodge_display_get_picture_size:
 * Units: guest pixels.
 * Returns: FALSE if there was no picture yet.
 */
gboolean lodge_display_get_picture_size (LodgeDisplay *self, int *width, int *height);

/**
 * lodge_display_dup_texture:
 * Returns: (transfer full) (nullable): what is shown at this moment
 */
GdkTexture *lodge_display_dup_texture (LodgeDisplay *self);

G_END_DECLS
