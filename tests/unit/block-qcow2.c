/* SPDX-License-Identifier: GPL-3.0-or-later */
/* qcow2 by itself; tests/peer has what needs QEMU's tools. Places in files are those of docs/interop/qcow2.txt. */
#include "block-client.h"

#include "block/qcow2.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KIB 1024u
#define MIB (1024u * KIB)
#define CLUSTER (64 * KIB) /* of images we make */

/* Offsets in the header. */
enum {
  AT_BACKING_OFFSET = 8,
  AT_BACKING_LEN = 16,
  AT_CLUSTER_BITS = 20,
  AT_SIZE = 24,
  AT_CRYPT = 32,
  AT_L1_SIZE = 36,
  AT_L1_OFFSET = 40,
  AT_REFTABLE_OFFSET = 48,
  AT_INCOMPATIBLE = 72,
  AT_AUTOCLEAR = 88,
};

typedef struct {
  char *dir, *path;
} Fixture;

static gint warnings; /* atomic: what the engine told at its log */

static GLogWriterOutput
count_warning (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer data)
{
  if ((level & G_LOG_LEVEL_WARNING) == 0)
    return g_log_writer_default (level, fields, n_fields, data);
  g_atomic_int_inc (&warnings);
  return G_LOG_WRITER_HANDLED;
}

static void
fixture_set_up (Fixture *f, gconstpointer data)
{
  GError *error = NULL;

  f->dir = g_dir_make_tmp ("lodge-qcow2-XXXXXX", &error);
  g_assert_no_error (error);
  f->path = g_build_filename (f->dir, "disk.qcow2", NULL);
}

static void
fixture_tear_down (Fixture *f, gconstpointer data)
{
  g_autoptr (GDir) dir = g_dir_open (f->dir, 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (f->dir, name, NULL);

      g_unlink (path);
    }
  g_assert_cmpint (g_rmdir (f->dir), ==, 0);
  g_free (f->path);
  g_free (f->dir);
}

static char *
in_dir (Fixture *f, const char *name)
{
  return g_build_filename (f->dir, name, NULL);
}

static void
make (const char *path, guint64 size, const char *backing, const char *backing_format)
{
  GError *error = NULL;

  vmm_image_create (path, "qcow2", size, backing, backing_format, &error);
  g_assert_no_error (error);
}

static BlockClient *
open_image (const char *path, VmmBlockFlags flags)
{
  GError *error = NULL;
  BlockClient *client = block_client_new (path, "qcow2", flags, &error);

  g_assert_no_error (error);
  return client;
}

static void
assert_open_fails (const char *path, VmmBlockFlags flags, VmmError code, const char *word)
{
  GError *error = NULL;

  g_assert_null (block_client_new (path, "qcow2", flags, &error));
  g_assert_error (error, VMM_ERROR, (int) code);
  if (strstr (error->message, word) == NULL)
    g_error ("“%s” says nothing of “%s”", error->message, word);
  g_clear_error (&error);
}

static void
fill (BlockClient *client, guint64 offset, gsize len, guint8 value)
{
  g_autofree guint8 *buf = g_malloc (len);

  memset (buf, value, len);
  g_assert_cmpint (block_client_do (client, VMM_BLOCK_WRITE, offset, buf, len), ==, 0);
}

static void
assert_filled (BlockClient *client, guint64 offset, gsize len, guint8 value)
{
  g_autofree guint8 *buf = g_malloc (len);

  g_assert_cmpint (block_client_do (client, VMM_BLOCK_READ, offset, buf, len), ==, 0);
  for (gsize i = 0; i < len; i++)
    if (buf[i] != value)
      g_error ("byte %" G_GUINT64_FORMAT " is 0x%02x, not 0x%02x", offset + i, buf[i], value);
}

static void
poke (const char *path, guint64 offset, guint64 value, guint n_bytes)
{
  int fd = open (path, O_RDWR);
  guint8 bytes[8];

  for (guint i = 0; i < n_bytes; i++)
    bytes[i] = (guint8) (value >> (8 * (n_bytes - 1 - i)));
  g_assert_cmpint (pwrite (fd, bytes, n_bytes, (off_t) offset), ==, n_bytes);
  close (fd);
}

static guint64
peek (const char *path, guint64 offset, guint n_bytes)
{
  int fd = open (path, O_RDONLY);
  guint8 bytes[8];
  guint64 value = 0;

  g_assert_cmpint (pread (fd, bytes, n_bytes, (off_t) offset), ==, n_bytes);
  close (fd);
  for (guint i = 0; i < n_bytes; i++)
    value = value << 8 | bytes[i];
  return value;
}

static guint64
file_size (const char *path)
{
  struct stat st;

  g_assert_cmpint (g_stat (path, &st), ==, 0);
  return (guint64) st.st_size;
}

static void
test_create_and_probe (Fixture *f, gconstpointer data)
{
  g_autoptr (VmmImageInfo) info = NULL;
  GError *error = NULL;

  make (f->path, 40u * MIB, NULL, NULL);
  info = vmm_image_probe (f->path, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (info->format, ==, "qcow2");
  g_assert_cmpuint (info->size_bytes, ==, 40u * MIB);
  g_assert_cmpuint (info->used_bytes, <, MIB);
  g_assert_null (info->backing_path);
  g_assert_false (vmm_image_create (f->path, "qcow2", MIB, NULL, NULL, &error));
  g_assert_error (error, VMM_ERROR, VMM_ERROR_HOST);
  g_clear_error (&error);
}

static void
test_overlay (Fixture *f, gconstpointer data)
{
  g_autofree char *base = in_dir (f, "base.qcow2");
  g_autoptr (VmmImageInfo) info = NULL;
  g_autoptr (BlockClient) client = NULL;
  GError *error = NULL;

  make (base, 4 * MIB, NULL, NULL);
  client = open_image (base, VMM_BLOCK_DEFAULT);
  fill (client, 0, MIB, 1);
  g_clear_pointer (&client, block_client_free);

  make (f->path, 0, base, NULL);
  info = vmm_image_probe (f->path, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (info->size_bytes, ==, 4 * MIB);
  g_assert_cmpstr (info->backing_path, ==, base);
  g_assert_cmpstr (info->backing_format, ==, "qcow2");
  /* Relative, so that a folder can be moved. */
  g_assert_cmpuint (peek (f->path, AT_BACKING_LEN, 4), ==, strlen ("base.qcow2"));

  client = open_image (f->path, VMM_BLOCK_DEFAULT);
  assert_filled (client, 0, MIB, 1);
  fill (client, 4 * KIB, 512, 2);
  assert_filled (client, 0, 4 * KIB, 1);
  assert_filled (client, 4 * KIB, 512, 2);
  assert_filled (client, 4 * KIB + 512, CLUSTER, 1);
  g_assert_cmpint (block_client_do (client, VMM_BLOCK_DISCARD, 0, NULL, CLUSTER), ==, 0);
  assert_filled (client, 0, CLUSTER, 0);
  g_clear_pointer (&client, block_client_free);
  /* The base is as it was. */
  client = open_image (base, VMM_BLOCK_READ_ONLY);
  assert_filled (client, 0, MIB, 1);
}

static void
test_locks (Fixture *f, gconstpointer data)
{
  g_autofree char *base = in_dir (f, "base.qcow2");
  g_autofree char *other = in_dir (f, "other.qcow2");
  BlockClient *one, *two;

  make (base, 4 * MIB, NULL, NULL);
  make (f->path, 0, base, "qcow2");
  make (other, 0, base, "qcow2");
  one = open_image (f->path, VMM_BLOCK_DEFAULT);
  two = open_image (other, VMM_BLOCK_DEFAULT);
  assert_open_fails (base, VMM_BLOCK_DEFAULT, VMM_ERROR_BUSY, base);
  assert_open_fails (f->path, VMM_BLOCK_READ_ONLY, VMM_ERROR_BUSY, f->path);
  block_client_free (one);
  block_client_free (two);
  one = open_image (base, VMM_BLOCK_DEFAULT);
  assert_open_fails (other, VMM_BLOCK_DEFAULT, VMM_ERROR_BUSY, base);
  block_client_free (one);
}

static void
test_chain_limits (Fixture *f, gconstpointer data)
{
  g_autofree char *previous = NULL;
  g_autofree char *base = in_dir (f, "base.qcow2");

  /* Two that are each other's. */
  make (base, 4 * MIB, NULL, NULL);
  make (f->path, 0, base, "qcow2");
  g_unlink (base);
  make (base, 0, f->path, "qcow2");
  assert_open_fails (f->path, VMM_BLOCK_DEFAULT, VMM_ERROR_CORRUPT, "own backing file");
  g_unlink (base);
  assert_open_fails (f->path, VMM_BLOCK_DEFAULT, VMM_ERROR_NOT_FOUND, "base.qcow2");

  for (guint i = 0; i < VMM_BLOCK_MAX_DEPTH + 2; i++)
    {
      g_autofree char *name = g_strdup_printf ("%u.qcow2", i);
      g_autofree char *path = in_dir (f, name);

      make (path, 4 * MIB, previous, previous != NULL ? "qcow2" : NULL);
      g_free (previous);
      previous = g_steal_pointer (&path);
    }
  assert_open_fails (previous, VMM_BLOCK_DEFAULT, VMM_ERROR_UNSUPPORTED, "backing files");
}

/* Takes the format out of an image with a backing file: the extension becomes one that nobody knows. */
static void
forget_backing_format (const char *path)
{
  g_assert_cmpuint (peek (path, 112, 4), ==, 0xe2792aca);
  poke (path, 112, 0x12345678, 4);
}

static void
test_backing_without_format (Fixture *f, gconstpointer data)
{
  g_autofree char *base = in_dir (f, "base");
  g_autoptr (BlockClient) client = NULL;
  GError *error = NULL;

  make (base, 4 * MIB, NULL, NULL);
  make (f->path, 0, base, "qcow2");
  forget_backing_format (f->path);
  assert_open_fails (f->path, VMM_BLOCK_DEFAULT, VMM_ERROR_UNSUPPORTED, "format");
  g_unlink (base);
  g_unlink (f->path);
  vmm_image_create (base, "raw", MIB, NULL, NULL, &error);
  g_assert_no_error (error);
  make (f->path, 0, base, "raw");
  forget_backing_format (f->path);
  client = open_image (f->path, VMM_BLOCK_DEFAULT);
  assert_filled (client, 0, MIB, 0);
}

static void
test_refuses_features (Fixture *f, gconstpointer data)
{
  BlockClient *client;

  make (f->path, 4 * MIB, NULL, NULL);
  poke (f->path, AT_INCOMPATIBLE, 1u << 9, 8);
  assert_open_fails (f->path, VMM_BLOCK_READ_ONLY, VMM_ERROR_UNSUPPORTED, "0x200");
  poke (f->path, AT_INCOMPATIBLE, QCOW2_INCOMPAT_DATA_FILE, 8);
  assert_open_fails (f->path, VMM_BLOCK_READ_ONLY, VMM_ERROR_UNSUPPORTED, "data file");
  poke (f->path, AT_INCOMPATIBLE, 0, 8);
  poke (f->path, AT_CRYPT, 2, 4);
  assert_open_fails (f->path, VMM_BLOCK_READ_ONLY, VMM_ERROR_UNSUPPORTED, "encryption");
  poke (f->path, AT_CRYPT, 0, 4);
  /* Marked as corrupt: may be looked at. */
  poke (f->path, AT_INCOMPATIBLE, QCOW2_INCOMPAT_CORRUPT, 8);
  assert_open_fails (f->path, VMM_BLOCK_DEFAULT, VMM_ERROR_CORRUPT, "corrupt");
  client = open_image (f->path, VMM_BLOCK_READ_ONLY);
  assert_filled (client, 0, MIB, 0);
  block_client_free (client);
}

static void
test_refuses_bad_headers (Fixture *f, gconstpointer data)
{
  static const struct {
    guint at, n_bytes;
    guint64 value;
  } bad[] = {
    { AT_CLUSTER_BITS, 4, 8 },
    { AT_CLUSTER_BITS, 4, 22 },
    { AT_CLUSTER_BITS, 4, 0xffffffff },
    { AT_SIZE, 8, G_MAXUINT64 },
    { AT_SIZE, 8, G_GUINT64_CONSTANT (1) << 62 },
    { AT_L1_SIZE, 4, 0 },
    { AT_L1_SIZE, 4, 0xffffffff },
    { AT_L1_OFFSET, 8, 0 },
    { AT_L1_OFFSET, 8, 12345 },
    { AT_L1_OFFSET, 8, G_MAXUINT64 & ~G_GUINT64_CONSTANT (0xffff) },
    { AT_REFTABLE_OFFSET, 8, 0 },
    { AT_REFTABLE_OFFSET, 8, 1 },
    { 56, 4, 0 }, /* clusters of the refcount table */
    { 56, 4, 0xffffffff },
    { 60, 4, 1 },  /* snapshots, whose table is at 0 */
    { 96, 4, 7 },  /* refcount order */
    { 100, 4, 8 }, /* header length */
    { 100, 4, 0xffffffff },
    { 104, 1, 1 }, /* zstd without its feature bit */
    { AT_BACKING_OFFSET, 8, 1 << 20 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      GError *error = NULL;

      make (f->path, 4 * MIB, NULL, NULL);
      poke (f->path, bad[i].at, bad[i].value, bad[i].n_bytes);
      assert_open_fails (f->path, VMM_BLOCK_DEFAULT, VMM_ERROR_CORRUPT, f->path);
      g_assert_null (vmm_image_probe (f->path, &error));
      g_assert_error (error, VMM_ERROR, VMM_ERROR_CORRUPT);
      g_clear_error (&error);
      g_unlink (f->path);
    }
}

/* A cut file opens or does not; it never does harm. */
static void
test_truncated (Fixture *f, gconstpointer data)
{
  g_autofree guint8 *buf = g_malloc (MIB);

  for (guint64 size = 0; size < 6 * CLUSTER; size += 7 * KIB + 100)
    {
      GError *error = NULL;
      BlockClient *client;

      make (f->path, 4 * MIB, NULL, NULL);
      client = open_image (f->path, VMM_BLOCK_DEFAULT);
      fill (client, 0, 2 * CLUSTER, 3);
      block_client_free (client);
      g_assert_cmpint (truncate (f->path, (off_t) size), ==, 0);
      client = block_client_new (f->path, "qcow2", VMM_BLOCK_DEFAULT, &error);
      g_assert_true ((client == NULL) == (error != NULL));
      if (client != NULL)
        {
          (void) block_client_do (client, VMM_BLOCK_READ, 0, buf, MIB);
          (void) block_client_do (client, VMM_BLOCK_WRITE, 0, buf, MIB);
          (void) block_client_do (client, VMM_BLOCK_DISCARD, 0, NULL, MIB);
          (void) block_client_do (client, VMM_BLOCK_FLUSH, 0, NULL, 0);
          block_client_free (client);
        }
      g_clear_error (&error);
      g_unlink (f->path);
    }
}

static void
test_autoclear (Fixture *f, gconstpointer data)
{
  BlockClient *client;

  make (f->path, 4 * MIB, NULL, NULL);
  poke (f->path, AT_AUTOCLEAR, 0x8001, 8);
  client = open_image (f->path, VMM_BLOCK_READ_ONLY);
  block_client_free (client);
  g_assert_cmphex (peek (f->path, AT_AUTOCLEAR, 8), ==, 0x8001);
  client = open_image (f->path, VMM_BLOCK_DEFAULT);
  block_client_free (client);
  g_assert_cmphex (peek (f->path, AT_AUTOCLEAR, 8), ==, 0);
}

/* The refcounts of an image that was not closed with lazy refcounts mean nothing until they are counted anew. */
static void
test_dirty_is_repaired (Fixture *f, gconstpointer data)
{
  guint64 refblock;
  BlockClient *client;

  make (f->path, 4 * MIB, NULL, NULL);
  client = open_image (f->path, VMM_BLOCK_DEFAULT);
  fill (client, 0, 2 * CLUSTER, 3);
  block_client_free (client);
  refblock = peek (f->path, peek (f->path, AT_REFTABLE_OFFSET, 8), 8);
  g_assert_cmpuint (peek (f->path, refblock + 2 * 5, 2), ==, 1); /* header, table, block, L1, L2, then data */
  for (guint i = 0; i < 7; i++)
    poke (f->path, refblock + 2 * i, 0, 2);
  poke (f->path, AT_INCOMPATIBLE, QCOW2_INCOMPAT_DIRTY, 8);

  client = open_image (f->path, VMM_BLOCK_DEFAULT);
  fill (client, MIB, 2 * CLUSTER, 4); /* would fall on the others */
  assert_filled (client, 0, 2 * CLUSTER, 3);
  assert_filled (client, MIB, 2 * CLUSTER, 4);
  block_client_free (client);
  g_assert_cmphex (peek (f->path, AT_INCOMPATIBLE, 8), ==, 0);
  for (guint i = 0; i < 9; i++)
    g_assert_cmpuint (peek (f->path, refblock + 2 * i, 2), ==, 1);
}

/* The place of the L2 table that maps the beginning of the disk. */
static guint64
first_l2 (const char *path)
{
  return peek (path, peek (path, AT_L1_OFFSET, 8), 8) & QCOW2_OFFSET_MASK;
}

static void
test_never_writes_over_metadata (Fixture *f, gconstpointer data)
{
  const guint64 victims[] = { 0, CLUSTER, 2 * CLUSTER, 3 * CLUSTER, 4 * CLUSTER };

  for (guint i = 1; i < G_N_ELEMENTS (victims); i++)
    {
      g_autofree guint8 *buf = g_malloc0 (CLUSTER);
      BlockClient *client;

      make (f->path, 4 * MIB, NULL, NULL);
      client = open_image (f->path, VMM_BLOCK_DEFAULT);
      fill (client, 0, 2 * CLUSTER, 3);
      block_client_free (client);
      /* The first cluster claims to be where the tables are. */
      poke (f->path, first_l2 (f->path), victims[i] | QCOW2_COPIED, 8);
      warnings = 0;
      client = open_image (f->path, VMM_BLOCK_DEFAULT);
      g_assert_cmpint (block_client_do (client, VMM_BLOCK_WRITE, 0, buf, 4096), ==, -EIO);
      g_assert_cmpint (block_client_do (client, VMM_BLOCK_WRITE, CLUSTER, buf, 4096), ==, -EIO);
      assert_filled (client, CLUSTER, CLUSTER, 3);
      block_client_free (client);
      g_assert_cmpint (g_atomic_int_get (&warnings), ==, 1);
      g_assert_cmphex (peek (f->path, AT_INCOMPATIBLE, 8), ==, QCOW2_INCOMPAT_CORRUPT);
      g_unlink (f->path);
    }
}

/* A free cluster that is in use, by the refcounts' fault, is not handed out if it holds metadata. */
static void
test_never_allocates_metadata (Fixture *f, gconstpointer data)
{
  g_autofree guint8 *buf = g_malloc0 (CLUSTER);
  guint64 refblock;
  BlockClient *client;

  make (f->path, 4 * MIB, NULL, NULL);
  client = open_image (f->path, VMM_BLOCK_DEFAULT);
  fill (client, 0, CLUSTER, 3);
  block_client_free (client);
  refblock = peek (f->path, peek (f->path, AT_REFTABLE_OFFSET, 8), 8);
  poke (f->path, refblock + 2 * 3, 0, 2); /* of the L1 table */
  client = open_image (f->path, VMM_BLOCK_DEFAULT);
  g_assert_cmpint (block_client_do (client, VMM_BLOCK_WRITE, MIB, buf, CLUSTER), ==, -EIO);
  assert_filled (client, 0, CLUSTER, 3);
  block_client_free (client);
  g_assert_cmpuint (first_l2 (f->path), ==, 4 * CLUSTER);
}

/* Discarded clusters are used again: the file does not grow for ever. */
static void
test_discard_gives_back (Fixture *f, gconstpointer data)
{
  g_autoptr (BlockClient) client = NULL;
  guint64 size;

  make (f->path, 64u * MIB, NULL, NULL);
  client = open_image (f->path, VMM_BLOCK_DEFAULT);
  fill (client, 0, 2 * MIB, 1);
  g_assert_cmpint (block_client_do (client, VMM_BLOCK_FLUSH, 0, NULL, 0), ==, 0);
  size = file_size (f->path);
  for (guint i = 1; i < 10; i++)
    {
      struct stat st;

      g_assert_cmpint (block_client_do (client, VMM_BLOCK_DISCARD, (i - 1) * 3 * MIB, NULL, 2 * MIB), ==, 0);
      g_assert_cmpint (block_client_do (client, VMM_BLOCK_FLUSH, 0, NULL, 0), ==, 0);
      g_assert_cmpint (g_stat (f->path, &st), ==, 0);
      g_assert_cmpint (st.st_blocks, <, (int) (MIB / 512)); /* and the host has its space back */
      assert_filled (client, (i - 1) * 3 * MIB, 2 * MIB, 0);
      fill (client, i * 3 * MIB, 2 * MIB, (guint8) i);
      g_assert_cmpint (block_client_do (client, VMM_BLOCK_FLUSH, 0, NULL, 0), ==, 0);
    }
  g_assert_cmpuint (file_size (f->path), <=, size);
}

/* What is zero already stays unallocated. */
static void
test_zeroing_nothing_allocates_nothing (Fixture *f, gconstpointer data)
{
  g_autoptr (BlockClient) client = NULL;
  guint64 size;

  make (f->path, G_GUINT64_CONSTANT (1) << 40, NULL, NULL);
  size = file_size (f->path);
  client = open_image (f->path, VMM_BLOCK_DEFAULT);
  g_assert_cmpint (block_client_do (client, VMM_BLOCK_DISCARD, 512, NULL, (G_GUINT64_CONSTANT (1) << 40) - 1024), ==, 0);
  g_assert_cmpint (block_client_do (client, VMM_BLOCK_WRITE_ZEROES, 0, NULL, G_GUINT64_CONSTANT (1) << 40), ==, 0);
  g_assert_cmpint (block_client_do (client, VMM_BLOCK_FLUSH, 0, NULL, 0), ==, 0);
  g_assert_cmpuint (file_size (f->path), ==, size);
  fill (client, (G_GUINT64_CONSTANT (1) << 40) - 512, 512, 7);
  assert_filled (client, (G_GUINT64_CONSTANT (1) << 40) - 512, 512, 7);
}

/* Counts what goes to the file. */

typedef struct {
  gint writes, syncs; /* atomic */
} Count;

static int
count_begin (gpointer data, VmmIoKind kind, guint64 offset, guint64 len, const struct iovec *iov, guint n_iov, gpointer *ret_cookie)
{
  Count *count = data;

  if (kind == VMM_IO_WRITE)
    g_atomic_int_inc (&count->writes);
  if (kind == VMM_IO_SYNC)
    g_atomic_int_inc (&count->syncs);
  return 0;
}

static void
count_end (gpointer data, gpointer cookie, int result)
{
}

static const VmmFileHooks count_hooks = { count_begin, count_end };

static void
test_stream_is_merged (Fixture *f, gconstpointer data)
{
  g_autofree guint8 *buf = g_malloc0 (4096);
  g_autoptr (BlockClient) client = NULL;
  Count count = { 0, 0 };

  make (f->path, 64u * MIB, NULL, NULL);
  client = open_image (f->path, VMM_BLOCK_DEFAULT);
  vmm_block_set_hooks (client->block, &count_hooks, &count);
  vmm_block_begin_batch (client->block);
  for (guint i = 0; i < 512; i++)
    block_client_start (client, VMM_BLOCK_WRITE, i * 4096u, buf, 4096, NULL, NULL);
  vmm_block_end_batch (client->block);
  g_assert_cmpint (block_client_wait (client), ==, 0);
  /* 512 blocks in 32 clusters; the worker may begin before all have come in. */
  g_assert_cmpint (count.writes, <, 64);
  g_assert_cmpint (count.syncs, ==, 0);
  g_assert_cmpint (block_client_do (client, VMM_BLOCK_FLUSH, 0, NULL, 0), ==, 0);
  g_assert_cmpint (count.syncs, ==, 2);
  /* In place from now on: no metadata, one sync. */
  fill (client, 0, 4096, 1);
  g_assert_cmpint (block_client_do (client, VMM_BLOCK_FLUSH, 0, NULL, 0), ==, 0);
  g_assert_cmpint (count.syncs, ==, 3);
  vmm_block_set_hooks (client->block, NULL, NULL);
}

int
main (int argc, char **argv)
{
  static const struct {
    const char *name;
    void (*func) (Fixture *f, gconstpointer data);
  } tests[] = {
    { "create-and-probe", test_create_and_probe },
    { "overlay-leaves-its-base-alone", test_overlay },
    { "locks-the-whole-chain", test_locks },
    { "refuses-loops-and-long-chains", test_chain_limits },
    { "backing-file-without-format-is-raw-or-refused", test_backing_without_format },
    { "refuses-unknown-features", test_refuses_features },
    { "refuses-bad-headers", test_refuses_bad_headers },
    { "truncated-at-any-place", test_truncated },
    { "autoclear-bits-are-cleared-by-writers", test_autoclear },
    { "dirty-image-is-repaired", test_dirty_is_repaired },
    { "never-writes-over-metadata", test_never_writes_over_metadata },
    { "never-allocates-metadata", test_never_allocates_metadata },
    { "discard-gives-clusters-back", test_discard_gives_back },
    { "zeroing-nothing-allocates-nothing", test_zeroing_nothing_allocates_nothing },
    { "a-stream-of-small-writes-is-merged", test_stream_is_merged },
  };

  g_test_init (&argc, &argv, NULL);
  g_log_set_always_fatal (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL);
  g_log_set_writer_func (count_warning, NULL, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
    {
      g_autofree char *name = g_strdup_printf ("/block/qcow2/%s", tests[i].name);

      g_test_add (name, Fixture, NULL, fixture_set_up, tests[i].func, fixture_tear_down);
    }
  return g_test_run ();
}
