/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A small live picture of a machine. */
#pragma once

#include <gtk/gtk.h>

#include "model/machine.h"

G_BEGIN_DECLS

/**
 * LodgeThumbnail:
 * Properties: "machine" LodgeMachine; "icon-size" int: of the symbol shown while there is no picture, in pixels.
 * Fills the width it is given at 16:10; the picture follows the screen while the widget is mapped in a window that is not hidden.
 */
#define LODGE_TYPE_THUMBNAIL (lodge_thumbnail_get_type ())
G_DECLARE_FINAL_TYPE (LodgeThumbnail, lodge_thumbnail, LODGE, THUMBNAIL, GtkWidget)

void lodge_thumbnail_set_machine (LodgeThumbnail *self, LodgeMachine *machine);

G_END_DECLS
