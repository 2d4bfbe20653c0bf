/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pictures as app/ hands them to whoever draws: no toolkit needed to make or to read one. */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct _LodgePicture LodgePicture;

/**
 * LodgePictureFormat:
 * @LODGE_PICTURE_XRGB8888: 32 bits a pixel, native-endian 0xXXRRGGBB; the X byte means nothing
 *   (GDK_MEMORY_B8G8R8X8 on little endian, cairo RGB24)
 * @LODGE_PICTURE_RGB888: 3 bytes a pixel: red, green, blue (GDK_MEMORY_R8G8B8)
 */
typedef enum {
  LODGE_PICTURE_XRGB8888,
  LODGE_PICTURE_RGB888,
} LodgePictureFormat;

#define LODGE_TYPE_PICTURE (lodge_picture_get_type ())
GType lodge_picture_get_type (void);

/**
 * lodge_picture_new:
 * @bytes: the pixels; at least @stride * (@height - 1) + one line
 * @stride: bytes from one line to the next
 * Returns: (transfer full) (nullable): a picture, %NULL if the sizes do not fit together.
 */
LodgePicture *lodge_picture_new (GBytes *bytes, LodgePictureFormat format, int width, int height, gsize stride);
LodgePicture *lodge_picture_ref (LodgePicture *self);
void lodge_picture_unref (LodgePicture *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (LodgePicture, lodge_picture_unref)

int lodge_picture_get_width (LodgePicture *self);    /* pixels */
int lodge_picture_get_height (LodgePicture *self);   /* pixels */
gsize lodge_picture_get_stride (LodgePicture *self); /* bytes */
LodgePictureFormat lodge_picture_get_format (LodgePicture *self);

/**
 * lodge_picture_get_bytes:
 * Returns: (transfer none): the pixels. For a console's frame they are the screen itself and may change at any time: make a
 *   new texture from the same bytes after each pull.
 */
GBytes *lodge_picture_get_bytes (LodgePicture *self);

/**
 * lodge_picture_scale_down:
 * Returns: (transfer full): a still RGB888 copy that fits in @max_width x @max_height with the same proportions; never larger
 *   than @self. Each pixel is the average of the area it stands for.
 * Thread: any.
 */
LodgePicture *lodge_picture_scale_down (LodgePicture *self, int max_width, int max_height);

/**
 * lodge_picture_copy:
 * Returns: (transfer full): a still RGB888 copy at full size. Thread: any.
 */
LodgePicture *lodge_picture_copy (LodgePicture *self);

/**
 * lodge_picture_encode_png:
 * Blocks for milliseconds. Thread: any.
 * Returns: (transfer full): a PNG file.
 */
GBytes *lodge_picture_encode_png (LodgePicture *self, GError **error);

/**
 * lodge_picture_decode_png:
 * Thread: any.
 * Errors: LODGE_ERROR_INVALID not a PNG, or larger than 16384 pixels on a side.
 */
LodgePicture *lodge_picture_decode_png (GBytes *png, GError **error);

/**
 * lodge_picture_save_png_async:
 * Writes @path atomically, replacing what is there; a failed call leaves the old file.
 */
void lodge_picture_save_png_async (LodgePicture *self, const char *path, GCancellable *cancellable, GAsyncReadyCallback callback,
                                   gpointer user_data);
gboolean lodge_picture_save_png_finish (LodgePicture *self, GAsyncResult *result, GError **error);

G_END_DECLS
