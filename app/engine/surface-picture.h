/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An engine's surface as a picture. */
#pragma once

#include "model/picture.h"

G_BEGIN_DECLS

struct _VmmSurface;

/** lodge_surface_picture_new: Returns: (transfer full) (nullable): @surface's own memory, which it keeps alive. Thread: any. */
LodgePicture *lodge_surface_picture_new (struct _VmmSurface *surface);

G_END_DECLS
