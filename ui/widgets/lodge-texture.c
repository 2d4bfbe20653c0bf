/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/lodge-texture.h"

GdkMemoryFormat
lodge_memory_format_for_picture (LodgePicture *picture)
{
  switch (lodge_picture_get_format (picture))
    {
    case LODGE_PICTURE_RGB888:
      return GDK_MEMORY_R8G8B8;
    case LODGE_PICTURE_XRGB8888:
    default:
      return G_BYTE_ORDER == G_LITTLE_ENDIAN ? GDK_MEMORY_B8G8R8X8 : GDK_MEMORY_X8R8G8B8;
    }
}

GdkTexture *
lodge_texture_new_for_picture (LodgePicture *picture)
{
  return gdk_memory_texture_new (lodge_picture_get_width (picture), lodge_picture_get_height (picture),
                                 lodge_memory_format_for_picture (picture), lodge_picture_get_bytes (picture),
                                 lodge_picture_get_stride (picture));
}
