/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pictures: immutable descriptions of pixels, with the few operations that thumbnails and screenshots need. */
#include "model/picture.h"

#include "model/error.h"

#include <gdk-pixbuf/gdk-pixbuf.h>
#include <glib/gi18n.h>

#define LPIC_MAX_SIDE 16384

struct _LodgePicture {
  gatomicrefcount ref_count;
  GBytes *bytes;
  LodgePictureFormat format;
  int width, height; /* pixels */
  gsize stride;      /* bytes */
};

G_DEFINE_BOXED_TYPE (LodgePicture, lodge_picture, lodge_picture_ref, lodge_picture_unref)

LodgePicture *
lodge_picture_new (GBytes *bytes, LodgePictureFormat format, int width, int height, gsize stride)
{
  gsize line = (gsize) width * (format == LODGE_PICTURE_RGB888 ? 3 : 4);
  LodgePicture *self;

  if (width <= 0 || height <= 0 || width > LPIC_MAX_SIDE || height > LPIC_MAX_SIDE || stride < line || stride > G_MAXINT)
    return NULL;
  if (g_bytes_get_size (bytes) < stride * (gsize) (height - 1) + line)
    return NULL;

  self = g_new0 (LodgePicture, 1);
  g_atomic_ref_count_init (&self->ref_count);
  self->bytes = g_bytes_ref (bytes);
  self->format = format;
  self->width = width;
  self->height = height;
  self->stride = stride;
  return self;
}

LodgePicture *
lodge_picture_ref (LodgePicture *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
lodge_picture_unref (LodgePicture *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  g_bytes_unref (self->bytes);
  g_free (self);
}

int
lodge_picture_get_width (LodgePicture *self)
{
  return self->width;
}

int
lodge_picture_get_height (LodgePicture *self)
{
  return self->height;
}

gsize
lodge_picture_get_stride (LodgePicture *self)
{
  return self->stride;
}

LodgePictureFormat
lodge_picture_get_format (LodgePicture *self)
{
  return self->format;
}

GBytes *
lodge_picture_get_bytes (LodgePicture *self)
{
  return self->bytes;
}

/* One line as red, green, blue bytes. */
static void
lpic_read_line (LodgePicture *self, int y, guint8 *rgb)
{
  const guint8 *line = (const guint8 *) g_bytes_get_data (self->bytes, NULL) + (gsize) y * self->stride;

  if (self->format == LODGE_PICTURE_RGB888)
    {
      memcpy (rgb, line, (gsize) self->width * 3);
      return;
    }
  for (int x = 0; x < self->width; x++)
    {
      guint32 pixel;

      memcpy (&pixel, line + (gsize) x * 4, sizeof pixel);
      rgb[x * 3] = (guint8) (pixel >> 16);
      rgb[x * 3 + 1] = (guint8) (pixel >> 8);
      rgb[x * 3 + 2] = (guint8) pixel;
    }
}

LodgePicture *
lodge_picture_copy (LodgePicture *self)
{
  gsize stride = (gsize) self->width * 3;
  guint8 *pixels = g_malloc (stride * (gsize) self->height);
  g_autoptr (GBytes) bytes = g_bytes_new_take (pixels, stride * (gsize) self->height);

  for (int y = 0; y < self->height; y++)
    lpic_read_line (self, y, pixels + (gsize) y * stride);
  return lodge_picture_new (bytes, LODGE_PICTURE_RGB888, self->width, self->height, stride);
}

LodgePicture *
lodge_picture_scale_down (LodgePicture *self, int max_width, int max_height)
{
  double scale = MIN (1.0, MIN ((double) max_width / self->width, (double) max_height / self->height));
  int width = MAX (1, (int) (self->width * scale + 0.5));
  int height = MAX (1, (int) (self->height * scale + 0.5));
  gsize stride = (gsize) width * 3;
  g_autofree guint8 *line = g_malloc ((gsize) self->width * 3);
  g_autofree guint32 *sums = g_new (guint32, stride);
  guint8 *pixels = g_malloc (stride * (gsize) height);
  g_autoptr (GBytes) bytes = g_bytes_new_take (pixels, stride * (gsize) height);

  for (int y = 0; y < height; y++)
    {
      int first = (int) ((gint64) y * self->height / height);
      int last = MAX (first + 1, (int) ((gint64) (y + 1) * self->height / height));

      memset (sums, 0, stride * sizeof *sums);
      for (int from_y = first; from_y < last; from_y++)
        {
          lpic_read_line (self, from_y, line);
          for (int x = 0; x < width; x++)
            {
              int left = (int) ((gint64) x * self->width / width);
              int right = MAX (left + 1, (int) ((gint64) (x + 1) * self->width / width));

              for (int channel = 0; channel < 3; channel++)
                {
                  guint32 sum = 0;

                  for (int from_x = left; from_x < right; from_x++)
                    sum += line[from_x * 3 + channel];
                  sums[x * 3 + channel] += sum / (guint32) (right - left);
                }
            }
        }
      for (gsize i = 0; i < stride; i++)
        pixels[(gsize) y * stride + i] = (guint8) (sums[i] / (guint32) (last - first));
    }
  return lodge_picture_new (bytes, LODGE_PICTURE_RGB888, width, height, stride);
}

GBytes *
lodge_picture_encode_png (LodgePicture *self, GError **error)
{
  g_autoptr (LodgePicture) still = lodge_picture_copy (self);
  g_autoptr (GdkPixbuf) pixbuf = gdk_pixbuf_new_from_bytes (still->bytes, GDK_COLORSPACE_RGB, FALSE, 8, still->width, still->height,
                                                            (int) still->stride);
  char *png = NULL;
  gsize size = 0;

  if (!gdk_pixbuf_save_to_buffer (pixbuf, &png, &size, "png", error, NULL))
    return NULL;
  return g_bytes_new_take (png, size);
}

static void
lpic_on_size_prepared_cb (GdkPixbufLoader *loader, int width, int height, gpointer user_data)
{
  gboolean *too_large = user_data;

  /* A loader asked for 1x1 pixels never allocates what the header claims. */
  *too_large = width > LPIC_MAX_SIDE || height > LPIC_MAX_SIDE;
  if (*too_large)
    gdk_pixbuf_loader_set_size (loader, 1, 1);
}

LodgePicture *
lodge_picture_decode_png (GBytes *png, GError **error)
{
  g_autoptr (GdkPixbufLoader) loader = gdk_pixbuf_loader_new_with_type ("png", error);
  g_autoptr (GdkPixbuf) opaque = NULL;
  g_autoptr (GBytes) bytes = NULL;
  GdkPixbuf *pixbuf;
  gboolean too_large = FALSE, written;

  if (loader == NULL)
    return NULL;
  g_signal_connect (loader, "size-prepared", G_CALLBACK (lpic_on_size_prepared_cb), &too_large);
  written = gdk_pixbuf_loader_write_bytes (loader, png, NULL);
  if (!gdk_pixbuf_loader_close (loader, NULL) || !written || too_large || (pixbuf = gdk_pixbuf_loader_get_pixbuf (loader)) == NULL)
    {
      g_set_error_literal (error, LODGE_ERROR, LODGE_ERROR_INVALID, _ ("The picture cannot be read."));
      return NULL;
    }

  if (gdk_pixbuf_get_has_alpha (pixbuf))
    {
      opaque = gdk_pixbuf_new (GDK_COLORSPACE_RGB, FALSE, 8, gdk_pixbuf_get_width (pixbuf), gdk_pixbuf_get_height (pixbuf));
      if (opaque == NULL)
        {
          g_set_error_literal (error, LODGE_ERROR, LODGE_ERROR_INVALID, _ ("The picture cannot be read."));
          return NULL;
        }
      gdk_pixbuf_fill (opaque, 0);
      gdk_pixbuf_composite (pixbuf, opaque, 0, 0, gdk_pixbuf_get_width (pixbuf), gdk_pixbuf_get_height (pixbuf), 0, 0, 1, 1,
                            GDK_INTERP_NEAREST, 255);
      pixbuf = opaque;
    }
  bytes = gdk_pixbuf_read_pixel_bytes (pixbuf);
  return lodge_picture_new (bytes, LODGE_PICTURE_RGB888, gdk_pixbuf_get_width (pixbuf), gdk_pixbuf_get_height (pixbuf),
                            (gsize) gdk_pixbuf_get_rowstride (pixbuf));
}

static void
lpic_save_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  LodgePicture *picture = data;
  const char *path = g_object_get_data (G_OBJECT (task), "path");
  GError *error = NULL;
  g_autoptr (GBytes) png = lodge_picture_encode_png (picture, &error);

  if (png == NULL
      || !g_file_set_contents_full (path, g_bytes_get_data (png, NULL), (gssize) g_bytes_get_size (png),
                                    G_FILE_SET_CONTENTS_CONSISTENT, 0666, &error))
    g_task_return_error (task, error);
  else
    g_task_return_boolean (task, TRUE);
}

void
lodge_picture_save_png_async (LodgePicture *self, const char *path, GCancellable *cancellable, GAsyncReadyCallback callback,
                              gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, user_data);

  g_task_set_source_tag (task, lodge_picture_save_png_async);
  g_task_set_task_data (task, lodge_picture_ref (self), (GDestroyNotify) lodge_picture_unref);
  g_object_set_data_full (G_OBJECT (task), "path", g_strdup (path), g_free);
  g_task_run_in_thread (task, lpic_save_thread);
}

gboolean
lodge_picture_save_png_finish (LodgePicture *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, NULL), FALSE);
  return g_task_propagate_boolean (G_TASK (result), error);
}
