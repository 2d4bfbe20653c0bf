/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An engine's surface as a picture. */
#include "engine/surface-picture.h"

#include <vmm.h>

LodgePicture *
lodge_surface_picture_new (VmmSurface *surface)
{
  gsize size = surface->stride * (gsize) (surface->height - 1) + (gsize) surface->width * 4;
  g_autoptr (GBytes) bytes = g_bytes_new_with_free_func (surface->pixels, size, (GDestroyNotify) vmm_surface_unref,
                                                         vmm_surface_ref (surface));

  return lodge_picture_new (bytes, LODGE_PICTURE_XRGB8888, surface->width, surface->height, surface->stride);
}
