/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the model's pictures to GDK's textures. */
#pragma once

#include <gtk/gtk.h>

#include "model/picture.h"

G_BEGIN_DECLS

/** lodge_memory_format_for_picture: Returns: GDK's name for the picture's pixels. */
GdkMemoryFormat lodge_memory_format_for_picture (LodgePicture *picture);

/** lodge_texture_new_for_picture: Returns: (transfer full): a texture over the picture's own memory; nothing is copied. */
GdkTexture *lodge_texture_new_for_picture (LodgePicture *picture);

G_END_DECLS
