/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "block-client.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KIB 1024u
#define MIB (1024u * KIB)

typedef struct {
  char *dir, *path;
} Fixture;

/* How the image is opened and driven: cached or direct, ring or threads. */
typedef struct {
  VmmBlockFlags flags;
  const char *io;
} Mode;

static void
fixture_set_up (Fixture *f, gconstpointer data)
{
  const Mode *mode = data;
  GError *error = NULL;

  f->dir = g_dir_make_tmp ("lodge-block-XXXXXX", &error);
  g_assert_no_error (error);
  f->path = g_build_filename (f->dir, "disk.img", NULL);
  if (mode != NULL)
    g_setenv ("LODGE_IO", mode->io, TRUE);
}

static void
fixture_tear_down (Fixture *f, gconstpointer data)
{
  g_unlink (f->path);
  g_assert_cmpint (g_rmdir (f->dir), ==, 0);
  g_free (f->path);
  g_free (f->dir);
  g_unsetenv ("LODGE_IO");
}

static BlockClient *
open_raw (Fixture *f, VmmBlockFlags flags)
{
  GError *error = NULL;
  BlockClient *client = block_client_new (f->path, "raw", flags, &error);

  g_assert_no_error (error);
  return client;
}

static void
make_raw (Fixture *f, guint64 size)
{
  GError *error = NULL;

  vmm_image_create (f->path, "raw", size, NULL, NULL, &error);
  g_assert_no_error (error);
}

static void
assert_bytes (const guint8 *buf, gsize len, guint8 value)
{
  for (gsize i = 0; i < len; i++)
    if (buf[i] != value)
      g_error ("byte %" G_GSIZE_FORMAT " is 0x%02x, not 0x%02x", i, buf[i], value);
}

/* Random requests, at random alignments of memory and many at once, against a copy in memory. */
static void
test_random (Fixture *f, gconstpointer data)
{
  const Mode *mode = data;
  gsize size = 4 * MIB;
  g_autofree guint8 *shadow = g_malloc0 (size);
  g_autofree guint8 *buf = g_malloc (256 * KIB + 64);
  g_autoptr (BlockClient) client = NULL;

  make_raw (f, size);
  client = open_raw (f, mode->flags);
  if (g_str_equal (mode->io, "threads"))
    g_assert_cmpstr (vmm_block_get_io_name (client->block), ==, "threads");
  for (int i = 0; i < 400; i++)
    {
      guint64 len = 512 * (guint64) g_test_rand_int_range (1, g_test_rand_bit () ? 16 : 512);
      guint64 offset = 512 * (guint64) g_test_rand_int_range (0, (int) ((size - len) / 512) + 1);
      guint8 *p = buf + g_test_rand_int_range (0, 64);

      switch (g_test_rand_int_range (0, 6))
        {
        case 0:
        case 1:
          for (gsize j = 0; j < len; j++)
            p[j] = (guint8) (g_test_rand_int () >> 7);
          memcpy (shadow + offset, p, len);
          g_assert_cmpint (block_client_do (client, VMM_BLOCK_WRITE, offset, p, len), ==, 0);
          break;
        case 2:
          memset (shadow + offset, 0, len);
          g_assert_cmpint (block_client_do (client, VMM_BLOCK_WRITE_ZEROES, offset, NULL, len), ==, 0);
          break;
        case 3:
          memset (shadow + offset, 0, len);
          g_assert_cmpint (block_client_do (client, VMM_BLOCK_DISCARD, offset, NULL, len), ==, 0);
          break;
        case 4:
          g_assert_cmpint (block_client_do (client, VMM_BLOCK_FLUSH, 0, NULL, 0), ==, 0);
          break;
        default:
          g_assert_cmpint (block_client_do (client, VMM_BLOCK_READ, offset, p, len), ==, 0);
          g_assert_cmpmem (p, len, shadow + offset, len);
          break;
        }
    }
  for (gsize offset = 0; offset < size; offset += 256 * KIB)
    {
      g_assert_cmpint (block_client_do (client, VMM_BLOCK_READ, offset, buf, 256 * KIB), ==, 0);
      g_assert_cmpmem (buf, 256 * KIB, shadow + offset, 256 * KIB);
    }
}

static void
on_read_of_index (int result, gconstpointer buf, gpointer data)
{
  g_assert_cmpint (result, ==, 0);
  g_assert_cmpuint (*(const guint32 *) buf, ==, GPOINTER_TO_UINT (data));
}

static void
test_many_at_once (Fixture *f, gconstpointer data)
{
  const Mode *mode = data;
  guint32 block[1024] = { 0 };
  g_autoptr (BlockClient) client = NULL;

  make_raw (f, 8 * MIB);
  client = open_raw (f, mode->flags);
  /* More than the ring holds. */
  vmm_block_begin_batch (client->block);
  for (guint i = 0; i < 2000; i++)
    {
      block[0] = i;
      block_client_start (client, VMM_BLOCK_WRITE, i * sizeof block, block, sizeof block, NULL, NULL);
    }
  vmm_block_end_batch (client->block);
  g_assert_cmpint (block_client_wait (client), ==, 0);
  for (guint i = 0; i < 2000; i++)
    block_client_start (client, VMM_BLOCK_READ, i * sizeof block, NULL, sizeof block, on_read_of_index, GUINT_TO_POINTER (i));
  vmm_block_drain (client->block);
  g_assert_cmpint (block_client_wait (client), ==, 0);
}

static void
on_segments_done (VmmBlockRequest *req, int result)
{
  g_atomic_int_set ((gint *) req->data, result == 0 ? 1 : result);
}

static void
test_many_segments (Fixture *f, gconstpointer data)
{
  const Mode *mode = data;
  gsize n = 3000, piece = 512;
  g_autofree guint8 *memory = g_malloc (n * piece);
  g_autofree guint8 *back = g_malloc (n * piece);
  g_autofree struct iovec *iov = g_new (struct iovec, n);
  g_autoptr (BlockClient) client = NULL;
  gint done = 0;
  VmmBlockRequest req = { .op = VMM_BLOCK_WRITE, .offset = 512, .len = n * piece, .iov = iov, .n_iov = (guint) n };

  make_raw (f, 2 * MIB);
  client = open_raw (f, mode->flags);
  /* Backwards through the memory: nothing may assume one piece. */
  for (gsize i = 0; i < n; i++)
    {
      memset (memory + i * piece, (int) (i % 251), piece);
      iov[i] = (struct iovec) { memory + (n - 1 - i) * piece, piece };
    }
  /* The client only does one segment; this request goes by hand. */
  req.data = &done;
  req.done = on_segments_done;
  vmm_block_submit (client->block, &req);
  vmm_block_drain (client->block);
  g_assert_cmpint (g_atomic_int_get (&done), ==, 1);
  g_assert_cmpint (block_client_do (client, VMM_BLOCK_READ, 512, back, n * piece), ==, 0);
  for (gsize i = 0; i < n; i++)
    assert_bytes (back + i * piece, piece, (guint8) ((n - 1 - i) % 251));
}

static void
test_refuses_bad_requests (Fixture *f, gconstpointer data)
{
  g_autofree guint8 *buf = g_malloc0 (MIB);
  g_autoptr (BlockClient) client = NULL;

  make_raw (f, MIB);
  client = open_raw (f, VMM_BLOCK_READ_ONLY);
  g_assert_true (vmm_block_is_read_only (client->block));
  g_assert_cmpuint (vmm_block_get_size (client->block), ==, MIB);
  g_assert_cmpint (block_client_do (client, VMM_BLOCK_READ, MIB - 512, buf, 1024), ==, -EINVAL);
  g_assert_cmpint (block_client_do (client, VMM_BLOCK_READ, G_MAXUINT64 - 511, buf, 1024), ==, -EINVAL);
  g_assert_cmpint (block_client_do (client, VMM_BLOCK_READ, 100, buf, 512), ==, -EINVAL);
  g_assert_cmpint (block_client_do (client, VMM_BLOCK_READ, 0, buf, 100), ==, -EINVAL);
  g_assert_cmpint (block_client_do (client, VMM_BLOCK_WRITE, 0, buf, 512), ==, -EROFS);
  g_assert_cmpint (block_client_do (client, VMM_BLOCK_DISCARD, 0, NULL, 512), ==, -EROFS);
  g_assert_cmpint (block_client_do (client, VMM_BLOCK_FLUSH, 0, NULL, 0), ==, 0);
  g_assert_cmpint (block_client_do (client, VMM_BLOCK_READ, MIB, buf, 0), ==, 0);
}

static void
test_odd_size_is_rounded_up (Fixture *f, gconstpointer data)
{
  const Mode *mode = data;
  g_autofree guint8 *buf = g_malloc (1024);
  g_autofree guint8 *content = g_malloc (700);
  g_autoptr (BlockClient) client = NULL;
  GError *error = NULL;

  memset (content, 0x11, 700);
  g_file_set_contents (f->path, (const char *) content, 700, &error);
  g_assert_no_error (error);
  client = open_raw (f, mode->flags);
  g_assert_cmpuint (vmm_block_get_size (client->block), ==, 1024);
  g_assert_cmpint (block_client_do (client, VMM_BLOCK_READ, 0, buf, 1024), ==, 0);
  assert_bytes (buf, 700, 0x11);
  assert_bytes (buf + 700, 324, 0);
}

static void
test_discard_frees_space (Fixture *f, gconstpointer data)
{
  g_autofree guint8 *buf = g_malloc (MIB);
  g_autoptr (BlockClient) client = NULL;
  struct stat before, after;

  make_raw (f, 2 * MIB);
  g_assert_cmpint (g_stat (f->path, &before), ==, 0);
  g_assert_cmpint (before.st_blocks * 512, <, 64 * (int) KIB); /* sparse */
  client = open_raw (f, VMM_BLOCK_DEFAULT);
  memset (buf, 1, MIB);
  g_assert_cmpint (block_client_do (client, VMM_BLOCK_WRITE, 0, buf, MIB), ==, 0);
  g_assert_cmpint (block_client_do (client, VMM_BLOCK_FLUSH, 0, NULL, 0), ==, 0);
  g_assert_cmpint (g_stat (f->path, &before), ==, 0);
  g_assert_cmpint (block_client_do (client, VMM_BLOCK_DISCARD, 0, NULL, MIB), ==, 0);
  g_assert_cmpint (g_stat (f->path, &after), ==, 0);
  g_assert_cmpint (before.st_blocks, >=, (int) (MIB / 512));
  g_assert_cmpint (after.st_blocks, <=, before.st_blocks - (int) (MIB / 512));
  g_assert_cmpint (after.st_size, ==, 2 * MIB);
}

static void
assert_open_fails (const char *path, const char *format, VmmBlockFlags flags, VmmError code)
{
  GError *error = NULL;

  g_assert_null (block_client_new (path, format, flags, &error));
  g_assert_error (error, VMM_ERROR, (int) code);
  g_assert_nonnull (strstr (error->message, path));
  g_clear_error (&error);
}

static void
test_one_writer (Fixture *f, gconstpointer data)
{
  BlockClient *client, *second;

  make_raw (f, MIB);
  client = open_raw (f, VMM_BLOCK_DEFAULT);
  assert_open_fails (f->path, "raw", VMM_BLOCK_DEFAULT, VMM_ERROR_BUSY);
  assert_open_fails (f->path, "raw", VMM_BLOCK_READ_ONLY, VMM_ERROR_BUSY);
  block_client_free (client);
  client = open_raw (f, VMM_BLOCK_READ_ONLY);
  second = open_raw (f, VMM_BLOCK_READ_ONLY);
  assert_open_fails (f->path, "raw", VMM_BLOCK_DEFAULT, VMM_ERROR_BUSY);
  block_client_free (client);
  block_client_free (second);
  client = open_raw (f, VMM_BLOCK_DEFAULT);
  block_client_free (client);
}

static void
test_refuses_other_files (Fixture *f, gconstpointer data)
{
  g_autofree char *fifo = g_build_filename (f->dir, "fifo", NULL);

  assert_open_fails (f->path, "raw", VMM_BLOCK_DEFAULT, VMM_ERROR_NOT_FOUND);
  assert_open_fails (f->dir, "raw", VMM_BLOCK_READ_ONLY, VMM_ERROR_HOST);
  assert_open_fails ("/dev/null", "raw", VMM_BLOCK_DEFAULT, VMM_ERROR_HOST);
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  assert_open_fails (fifo, NULL, VMM_BLOCK_DEFAULT, VMM_ERROR_HOST);
  g_unlink (fifo);
  make_raw (f, MIB);
  assert_open_fails (f->path, "vmdk", VMM_BLOCK_DEFAULT, VMM_ERROR_UNSUPPORTED);
}

static void
test_create_refuses (Fixture *f, gconstpointer data)
{
  g_autofree char *nowhere = g_build_filename (f->dir, "none", "disk.img", NULL);
  static const guint64 sizes[] = { 0, 512, MIB - 512, MIB + 1, G_MAXUINT64, (G_GUINT64_CONSTANT (64) << 40) + 512 };
  GError *error = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_assert_false (vmm_image_create (f->path, "raw", sizes[i], NULL, NULL, &error));
      g_assert_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG);
      g_clear_error (&error);
    }
  g_assert_false (vmm_image_create (nowhere, "raw", MIB, NULL, NULL, &error));
  g_assert_nonnull (error);
  g_clear_error (&error);
  g_assert_false (g_file_test (f->path, G_FILE_TEST_EXISTS));
  make_raw (f, MIB);
  g_assert_false (vmm_image_create (f->path, "raw", MIB, NULL, NULL, &error));
  g_assert_error (error, VMM_ERROR, VMM_ERROR_HOST);
  g_clear_error (&error);
}

/* A host whose disk is full, in a hook. */

typedef struct {
  gint error;  /* atomic; -errno that writes fail with */
  gint stalls; /* atomic */
  gint last;   /* atomic */
} Full;

static int
full_begin (gpointer data, VmmIoKind kind, guint64 offset, guint64 len, const struct iovec *iov, guint n_iov, gpointer *ret_cookie)
{
  Full *full = data;

  return kind == VMM_IO_WRITE ? g_atomic_int_get (&full->error) : 0;
}

static void
full_end (gpointer data, gpointer cookie, int result)
{
}

static const VmmFileHooks full_hooks = { full_begin, full_end };

static void
on_stalled (VmmBlock *block, int error, gpointer data)
{
  Full *full = data;

  g_atomic_int_set (&full->last, error);
  g_atomic_int_inc (&full->stalls);
}

static void
on_done_count (int result, gconstpointer buf, gpointer data)
{
  g_atomic_int_set ((gint *) data, result == 0 ? 1 : result);
}

static void
test_full_disk_stalls (Fixture *f, gconstpointer data)
{
  const Mode *mode = data;
  g_autofree guint8 *buf = g_malloc (4096);
  g_autoptr (BlockClient) client = NULL;
  Full full = { -ENOSPC, 0, 0 };
  gint done = 0;

  make_raw (f, MIB);
  client = open_raw (f, mode->flags);
  vmm_block_set_hooks (client->block, &full_hooks, &full);
  memset (buf, 0x77, 4096);
  /* Without a handler the guest gets the error. */
  g_assert_cmpint (block_client_do (client, VMM_BLOCK_WRITE, 0, buf, 4096), ==, -ENOSPC);

  vmm_block_set_stall (client->block, on_stalled, &full);
  block_client_start (client, VMM_BLOCK_WRITE, 0, buf, 4096, on_done_count, &done);
  vmm_block_drain (client->block); /* what is stalled does not count */
  g_assert_cmpint (g_atomic_int_get (&full.stalls), ==, 1);
  g_assert_cmpint (g_atomic_int_get (&full.last), ==, ENOSPC);
  g_assert_cmpint (g_atomic_int_get (&done), ==, 0);
  /* Still full. */
  vmm_block_retry (client->block);
  vmm_block_drain (client->block);
  g_assert_cmpint (g_atomic_int_get (&full.stalls), ==, 2);
  g_assert_cmpint (g_atomic_int_get (&done), ==, 0);
  /* There is room again. */
  g_atomic_int_set (&full.error, 0);
  vmm_block_retry (client->block);
  vmm_block_drain (client->block);
  g_assert_cmpint (g_atomic_int_get (&done), ==, 1);
  memset (buf, 0, 4096);
  g_assert_cmpint (block_client_do (client, VMM_BLOCK_READ, 0, buf, 4096), ==, 0);
  assert_bytes (buf, 4096, 0x77);
  /* The machine is stopped while it waits. */
  g_atomic_int_set (&full.error, -EIO);
  done = 0;
  block_client_start (client, VMM_BLOCK_WRITE, 0, buf, 4096, on_done_count, &done);
  vmm_block_drain (client->block);
  g_assert_cmpint (g_atomic_int_get (&full.last), ==, EIO);
  vmm_block_fail_stalled (client->block);
  vmm_block_drain (client->block);
  g_assert_cmpint (g_atomic_int_get (&done), ==, -EIO);
  g_assert_cmpint (block_client_wait (client), ==, -EIO);
}

/* A write that is on its way when the image is closed, and stalls only then, comes back too. */
static void
test_close_fails_what_stalls (Fixture *f, gconstpointer data)
{
  const Mode *mode = data;
  g_autofree guint8 *buf = g_malloc0 (4096);
  BlockClient *client;
  Full full = { -ENOSPC, 0, 0 };
  gint done = 0;

  make_raw (f, MIB);
  client = open_raw (f, mode->flags);
  vmm_block_set_hooks (client->block, &full_hooks, &full);
  vmm_block_set_stall (client->block, on_stalled, &full);
  block_client_start (client, VMM_BLOCK_WRITE, 0, buf, 4096, on_done_count, &done);
  block_client_free (client);
  g_assert_cmpint (g_atomic_int_get (&full.stalls), ==, 1);
  g_assert_cmpint (g_atomic_int_get (&done), ==, -ENOSPC);
}

static void
test_probe (Fixture *f, gconstpointer data)
{
  g_autoptr (VmmImageInfo) info = NULL;
  GError *error = NULL;

  g_assert_null (vmm_image_probe (f->path, &error));
  g_assert_error (error, VMM_ERROR, VMM_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_null (vmm_image_probe (f->dir, &error));
  g_assert_error (error, VMM_ERROR, VMM_ERROR_HOST);
  g_clear_error (&error);
  g_file_set_contents (f->path, "KDMV\1\0\0\0", 8, NULL);
  g_assert_null (vmm_image_probe (f->path, &error));
  g_assert_error (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, "vmdk"));
  g_clear_error (&error);
  g_unlink (f->path);
  make_raw (f, 3 * MIB);
  info = vmm_image_probe (f->path, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (info->format, ==, "raw");
  g_assert_cmpuint (info->size_bytes, ==, 3 * MIB);
  g_assert_cmpuint (info->used_bytes, <, MIB);
  g_assert_null (info->backing_path);
}

int
main (int argc, char **argv)
{
  static const struct {
    const char *name;
    Mode mode;
  } modes[] = {
    { "cached-ring", { VMM_BLOCK_DEFAULT, "uring" } },
    { "cached-threads", { VMM_BLOCK_DEFAULT, "threads" } },
    { "direct-ring", { VMM_BLOCK_DIRECT, "uring" } },
    { "direct-threads", { VMM_BLOCK_DIRECT, "threads" } },
  };
  static const struct {
    const char *name;
    void (*func) (Fixture *f, gconstpointer data);
  } per_mode[] = {
    { "random-requests-read-back", test_random },
    { "many-at-once-all-complete", test_many_at_once },
    { "many-segments-in-order", test_many_segments },
    { "odd-size-is-rounded-up", test_odd_size_is_rounded_up },
    { "full-disk-stalls-and-goes-on", test_full_disk_stalls },
    { "close-fails-what-stalls", test_close_fails_what_stalls },
  }, once[] = {
    { "refuses-bad-requests", test_refuses_bad_requests },
    { "discard-frees-space", test_discard_frees_space },
    { "one-writer-or-many-readers", test_one_writer },
    { "refuses-what-is-no-disk", test_refuses_other_files },
    { "create-refuses", test_create_refuses },
    { "probe", test_probe },
  };

  g_test_init (&argc, &argv, NULL);
  for (guint m = 0; m < G_N_ELEMENTS (modes); m++)
    for (guint i = 0; i < G_N_ELEMENTS (per_mode); i++)
      {
        g_autofree char *name = g_strdup_printf ("/block/raw/%s/%s", modes[m].name, per_mode[i].name);

        g_test_add (name, Fixture, &modes[m].mode, fixture_set_up, per_mode[i].func, fixture_tear_down);
      }
  for (guint i = 0; i < G_N_ELEMENTS (once); i++)
    {
      g_autofree char *name = g_strdup_printf ("/block/raw/%s", once[i].name);

      g_test_add (name, Fixture, NULL, fixture_set_up, once[i].func, fixture_tear_down);
    }
  return g_test_run ();
}
