/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pictures. */
#include "model/picture.h"

#include "model/error.h"
#include "support.h"

static LodgePicture *
make_xrgb (int width, int height, const guint32 *pixels)
{
  gsize size = (gsize) width * (gsize) height * 4;
  g_autoptr (GBytes) bytes = g_bytes_new (pixels, size);

  return lodge_picture_new (bytes, LODGE_PICTURE_XRGB8888, width, height, (gsize) width * 4);
}

static void
test_sizes_must_fit (void)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static ("0123456789ab", 12);
  static const struct {
    int width, height;
    gsize stride;
  } bad[] = { { 0, 1, 4 }, { 1, 0, 4 }, { -1, 1, 4 },         { 4, 1, 16 },
              { 2, 2, 7 }, { 1, 4, 4 }, { 70000, 1, 280000 }, { 1, 2, G_MAXSIZE } };
  g_autoptr (LodgePicture) good = lodge_picture_new (bytes, LODGE_PICTURE_RGB888, 2, 2, 6);

  g_assert_nonnull (good);
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    g_assert_null (lodge_picture_new (bytes, LODGE_PICTURE_XRGB8888, bad[i].width, bad[i].height, bad[i].stride));
}

static void
test_copy_has_red_first (void)
{
  const guint32 pixels[] = { 0x00112233, 0xffaabbcc };
  g_autoptr (LodgePicture) picture = make_xrgb (2, 1, pixels);
  g_autoptr (LodgePicture) copy = lodge_picture_copy (picture);
  const guint8 expected[] = { 0x11, 0x22, 0x33, 0xaa, 0xbb, 0xcc };
  gsize size;
  const guint8 *data = g_bytes_get_data (lodge_picture_get_bytes (copy), &size);

  g_assert_cmpmem (data, size, expected, sizeof expected);
}

static void
test_scaling_averages (void)
{
  /* Black and white columns become grey; the proportions stay. */
  guint32 pixels[8 * 4];
  g_autoptr (LodgePicture) picture = NULL;
  g_autoptr (LodgePicture) small = NULL;
  const guint8 *data;

  for (gsize i = 0; i < G_N_ELEMENTS (pixels); i++)
    pixels[i] = i % 2 == 0 ? 0x000000 : 0xfefefe;
  picture = make_xrgb (8, 4, pixels);
  small = lodge_picture_scale_down (picture, 4, 4);
  g_assert_cmpint (lodge_picture_get_width (small), ==, 4);
  g_assert_cmpint (lodge_picture_get_height (small), ==, 2);
  data = g_bytes_get_data (lodge_picture_get_bytes (small), NULL);
  for (gsize i = 0; i < 4 * 2 * 3; i++)
    g_assert_cmpuint (data[i], ==, 0x7f);
}

static void
test_scaling_never_enlarges (void)
{
  const guint32 pixels[] = { 1, 2, 3, 4 };
  g_autoptr (LodgePicture) picture = make_xrgb (2, 2, pixels);
  g_autoptr (LodgePicture) same = lodge_picture_scale_down (picture, 640, 400);

  g_assert_cmpint (lodge_picture_get_width (same), ==, 2);
  g_assert_cmpint (lodge_picture_get_height (same), ==, 2);
}

static void
test_png_keeps_colours (void)
{
  const guint32 pixels[] = { 0xff0000, 0x00ff00, 0x0000ff, 0x123456, 0xffffff, 0x000000 };
  g_autoptr (LodgePicture) picture = make_xrgb (3, 2, pixels);
  g_autoptr (LodgePicture) still = lodge_picture_copy (picture);
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) png = lodge_picture_encode_png (picture, &error);
  g_autoptr (LodgePicture) back = NULL;
  const guint8 sign[] = { 0x89, 'P', 'N', 'G', 0x0d, 0x0a, 0x1a, 0x0a }; /* PNG 1.2, 3.1 */

  g_assert_no_error (error);
  g_assert_cmpmem (g_bytes_get_data (png, NULL), sizeof sign, sign, sizeof sign);
  back = lodge_picture_decode_png (png, &error);
  g_assert_no_error (error);
  g_assert_cmpint (lodge_picture_get_width (back), ==, 3);
  for (int y = 0; y < 2; y++)
    {
      const guint8 *was = (const guint8 *) g_bytes_get_data (lodge_picture_get_bytes (still), NULL) + y * 9;
      const guint8 *is = (const guint8 *) g_bytes_get_data (lodge_picture_get_bytes (back), NULL)
                         + (gsize) y * lodge_picture_get_stride (back);

      g_assert_cmpmem (is, 9, was, 9);
    }
}

static void
test_png_nonsense_is_refused (void)
{
  g_autoptr (GBytes) nonsense = g_bytes_new_static ("\x89PNG\r\n\x1a\nnonsense", 16);
  g_autoptr (GError) error = NULL;

  g_assert_null (lodge_picture_decode_png (nonsense, &error));
  g_assert_error (error, LODGE_ERROR, LODGE_ERROR_INVALID);
}

static void
test_failed_save_keeps_the_old_file (void)
{
  const guint32 pixels[] = { 0 };
  g_autoptr (LodgePicture) picture = make_xrgb (1, 1, pixels);
  g_autoptr (GAsyncResult) result = NULL;
  g_autofree char *path = test_path ("a-folder");
  g_autoptr (GError) error = NULL;

  g_mkdir_with_parents (path, 0700);
  lodge_picture_save_png_async (picture, path, NULL, test_wait_cb, &result);
  test_wait (&result);
  g_assert_false (lodge_picture_save_png_finish (picture, result, &error));
  g_assert_nonnull (error);
  g_assert_true (g_file_test (path, G_FILE_TEST_IS_DIR));
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/picture/new/sizes-must-fit-the-bytes", test_sizes_must_fit);
  g_test_add_func ("/picture/copy/has-red-first", test_copy_has_red_first);
  g_test_add_func ("/picture/scale-down/averages-and-keeps-proportions", test_scaling_averages);
  g_test_add_func ("/picture/scale-down/never-enlarges", test_scaling_never_enlarges);
  g_test_add_func ("/picture/png/keeps-colours", test_png_keeps_colours);
  g_test_add_func ("/picture/png/nonsense-is-refused", test_png_nonsense_is_refused);
  g_test_add_func ("/picture/save/failure-keeps-what-was-there", test_failed_save_keeps_the_old_file);
  return test_run ();
}
