/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: VIRTIO 1.2 §5.2. */
#include "virtio-host.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BAR 0xe0000000u
#define HEADER 0x200000u
#define STATUS 0x201000u
#define DATA 0x300000u
#define DISK_BYTES (1u << 20)
#define DISK_SECTORS (DISK_BYTES / 512)

#define F(bit) (G_GUINT64_CONSTANT (1) << (bit))
#define F_FLUSH F (9)
#define F_CONFIG_WCE F (11)
#define F_MQ F (12)
#define F_DISCARD F (13)
#define F_WRITE_ZEROES F (14)

typedef struct {
  TestBoard *board;
  VirtioHost host;
  int fd;
  char path[32];
} Fixture;

static Fixture *
fixture_new (guint64 features, const char *key, const char *value)
{
  Fixture *f = g_new0 (Fixture, 1);

  f->fd = memfd_create ("disk", MFD_CLOEXEC);
  g_assert_true (f->fd >= 0 && ftruncate (f->fd, DISK_BYTES) == 0);
  g_snprintf (f->path, sizeof f->path, "/proc/self/fd/%d", f->fd);
  f->board = test_board_new ();
  test_board_add (f->board, "virtio-blk", "disk0", "image", f->path, "serial", "LODGE-1234", key, value, NULL);
  virtio_host_init (&f->host, f->board, 2 << 3, BAR);
  virtio_host_start (&f->host, features, 64, TRUE);
  return f;
}

static void
fixture_free (Fixture *f)
{
  test_board_free (f->board);
  close (f->fd);
  g_free (f);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Fixture, fixture_free)

static void
put_header (Fixture *f, guint32 type, guint64 sector)
{
  struct {
    guint32 type, reserved;
    guint64 sector;
  } header = { GUINT32_TO_LE (type), 0, GUINT64_TO_LE (sector) };
  guint8 none = 0xff;

  test_ram_write (f->board, HEADER, &header, sizeof header);
  test_ram_write (f->board, STATUS, &none, 1);
}

static guint8
get_status (Fixture *f)
{
  guint8 status;

  test_ram_read (f->board, STATUS, &status, 1);
  return status;
}

static guint8
do_in (Fixture *f, guint32 type, guint64 sector, guint32 len, guint32 *ret_written)
{
  const VirtioHostPiece pieces[] = { { HEADER, 16 }, { DATA, len }, { STATUS, 1 } };
  guint32 written;

  put_header (f, type, sector);
  written = virtio_host_do (&f->host, 0, pieces, 1, 2);
  if (ret_written != NULL)
    *ret_written = written;
  return get_status (f);
}

static guint8
do_out (Fixture *f, guint32 type, guint64 sector, guint32 len)
{
  const VirtioHostPiece pieces[] = { { HEADER, 16 }, { DATA, len }, { STATUS, 1 } };
  const VirtioHostPiece none[] = { { HEADER, 16 }, { STATUS, 1 } };

  put_header (f, type, sector);
  g_assert_cmpuint (len > 0 ? virtio_host_do (&f->host, 0, pieces, 2, 1) : virtio_host_do (&f->host, 0, none, 1, 1), ==, 1);
  return get_status (f);
}

static void
fill (Fixture *f, guint8 first, gsize len)
{
  g_autofree guint8 *bytes = g_malloc (len);

  for (gsize i = 0; i < len; i++)
    bytes[i] = (guint8) (first + i * 7);
  test_ram_write (f->board, DATA, bytes, len);
}

static void
assert_disk (Fixture *f, guint64 offset, guint8 first, gsize len)
{
  g_autofree guint8 *bytes = g_malloc (len);

  g_assert_cmpint (pread (f->fd, bytes, len, (off_t) offset), ==, len);
  for (gsize i = 0; i < len; i++)
    g_assert_cmphex (bytes[i], ==, (guint8) (first + i * 7));
}

static guint64
config (Fixture *f, guint offset, guint size)
{
  return test_read (f->board, f->host.device + offset, size);
}

static void
test_config (void)
{
  g_autoptr (Fixture) f = fixture_new (F_FLUSH, "queues", "4");

  g_assert_cmphex (test_pci_read (f->board, f->host.devfn, 0x02, 2), ==, 0x1042);
  g_assert_cmphex (test_pci_read (f->board, f->host.devfn, 0x08, 4), ==, 0x01000001);
  g_assert_cmpuint (config (f, 0x00, 8), ==, DISK_SECTORS);
  g_assert_cmpuint (config (f, 0x00, 4), ==, DISK_SECTORS);
  g_assert_cmpuint (config (f, 0x0c, 4), ==, 254);
  g_assert_cmpuint (config (f, 0x14, 4), ==, 512);
  g_assert_cmpuint (config (f, 0x20, 1), ==, 1);
  g_assert_cmpuint (config (f, 0x22, 2), ==, 4);
  g_assert_cmpuint (f->host.n_queues, ==, 4);
  g_assert_cmpuint (config (f, 0x28, 4), >=, 1);
}

static void
test_write_read (void)
{
  g_autoptr (Fixture) f = fixture_new (F_FLUSH, "cache", "writeback");
  guint8 zero[4096] = { 0 }, back[4096];
  guint32 written;

  fill (f, 3, 4096);
  g_assert_cmphex (do_out (f, 1, 5, 4096), ==, 0);
  assert_disk (f, 5 * 512, 3, 4096);
  test_ram_write (f->board, DATA, zero, sizeof zero);
  g_assert_cmphex (do_in (f, 0, 5, 4096, &written), ==, 0);
  g_assert_cmpuint (written, ==, 4097);
  test_ram_read (f->board, DATA, back, sizeof back);
  for (guint i = 0; i < sizeof back; i++)
    g_assert_cmphex (back[i], ==, (guint8) (3 + i * 7));
  g_assert_cmphex (do_out (f, 4, 0, 0), ==, 0);
}

/* §2.7.4: framing is the driver's choice: header, data and status share buffers. */
static void
test_any_layout (void)
{
  g_autoptr (Fixture) f = fixture_new (F_FLUSH, "cache", "writeback");
  struct {
    guint32 type, reserved;
    guint64 sector;
    guint8 data[512];
  } out = { GUINT32_TO_LE (1), 0, GUINT64_TO_LE (9), { 0 } };
  const VirtioHostPiece write_pieces[] = { { DATA, 10 }, { DATA + 10, 300 }, { DATA + 310, 218 }, { STATUS, 1 } };
  const VirtioHostPiece read_pieces[] = { { HEADER, 16 }, { DATA + 0x1000, 500 }, { DATA + 0x2000, 13 } };
  guint8 back[13];

  for (guint i = 0; i < 512; i++)
    out.data[i] = (guint8) (1 + i * 7);
  test_ram_write (f->board, DATA, &out, 16 + 512);
  g_assert_cmpuint (virtio_host_do (&f->host, 0, write_pieces, 3, 1), ==, 1);
  assert_disk (f, 9 * 512, 1, 512);

  put_header (f, 0, 9);
  g_assert_cmpuint (virtio_host_do (&f->host, 0, read_pieces, 1, 2), ==, 513);
  test_ram_read (f->board, DATA + 0x2000, back, sizeof back);
  for (guint i = 0; i < 12; i++)
    g_assert_cmphex (back[i], ==, (guint8) (1 + (500 + i) * 7));
  g_assert_cmphex (back[12], ==, 0);
}

static void
test_errors (void)
{
  g_autoptr (Fixture) f = fixture_new (F_FLUSH, "cache", "writeback");

  g_assert_cmphex (do_in (f, 0, DISK_SECTORS, 512, NULL), ==, 1);
  g_assert_cmphex (do_in (f, 0, DISK_SECTORS - 1, 1024, NULL), ==, 1);
  g_assert_cmphex (do_in (f, 0, G_MAXUINT64, 512, NULL), ==, 1);
  g_assert_cmphex (do_in (f, 0, G_MAXUINT64 / 512, 512, NULL), ==, 1);
  g_assert_cmphex (do_in (f, 0, 0, 100, NULL), ==, 1);
  g_assert_cmphex (do_in (f, 77, 0, 512, NULL), ==, 2);
  g_assert_cmphex (do_out (f, 11, 0, 16), ==, 2); /* DISCARD was not agreed on */
  g_assert_cmphex (virtio_host_get (&f->host, 0x14, 1), ==, 0x0f);
}

static void
test_read_only (void)
{
  g_autoptr (Fixture) f = fixture_new (G_MAXUINT64 & ~F (28) & ~F (29), "readonly", "true");

  g_assert_true ((f->host.features & F (5)) != 0);
  g_assert_false ((f->host.features & (F_DISCARD | F_WRITE_ZEROES | F_CONFIG_WCE)) != 0);
  fill (f, 3, 512);
  g_assert_cmphex (do_out (f, 1, 0, 512), ==, 1);
  g_assert_cmphex (do_in (f, 0, 0, 512, NULL), ==, 0);
}

static void
test_get_id (void)
{
  g_autoptr (Fixture) f = fixture_new (F_FLUSH, "cache", "writeback");
  char id[20];
  guint32 written;

  fill (f, 1, 20);
  g_assert_cmphex (do_in (f, 8, 0, 20, &written), ==, 0);
  g_assert_cmpuint (written, ==, 21);
  test_ram_read (f->board, DATA, id, sizeof id);
  g_assert_cmpmem (id, 20, "LODGE-1234\0\0\0\0\0\0\0\0\0\0", 20);
}

static void
put_segment (Fixture *f, guint index, guint64 sector, guint32 n, guint32 flags)
{
  struct {
    guint64 sector;
    guint32 n, flags;
  } segment = { GUINT64_TO_LE (sector), GUINT32_TO_LE (n), GUINT32_TO_LE (flags) };

  test_ram_write (f->board, DATA + index * 16, &segment, sizeof segment);
}

static void
test_discard (void)
{
  g_autoptr (Fixture) f = fixture_new (F_FLUSH | F_DISCARD | F_WRITE_ZEROES, "cache", "writeback");
  guint8 bytes[512], zero[512] = { 0 };

  fill (f, 5, 65536);
  g_assert_cmphex (do_out (f, 1, 0, 65536), ==, 0);
  put_segment (f, 0, 8, 8, 0);
  put_segment (f, 1, 64, 64, 0);
  g_assert_cmphex (do_out (f, 11, 0, 32), ==, 0);
  g_assert_cmpint (pread (f->fd, bytes, 512, 64 * 512), ==, 512);
  g_assert_cmpmem (bytes, 512, zero, 512);
  assert_disk (f, 0, 5, 8 * 512);
  put_segment (f, 0, 0, 4, 1); /* §5.2.6.2: unmap in a discard */
  g_assert_cmphex (do_out (f, 11, 0, 16), ==, 2);
  put_segment (f, 0, DISK_SECTORS - 1, 2, 0);
  g_assert_cmphex (do_out (f, 11, 0, 16), ==, 1);
  put_segment (f, 0, G_MAXUINT64, G_MAXUINT32, 0);
  g_assert_cmphex (do_out (f, 11, 0, 16), ==, 1);
}

static void
test_write_zeroes (void)
{
  g_autoptr (Fixture) f = fixture_new (F_FLUSH | F_DISCARD | F_WRITE_ZEROES, "cache", "writeback");
  guint8 bytes[1024], zero[1024] = { 0 };

  fill (f, 5, 4096);
  g_assert_cmphex (do_out (f, 1, 0, 4096), ==, 0);
  put_segment (f, 0, 1, 2, 1);
  g_assert_cmphex (do_out (f, 13, 0, 16), ==, 0);
  g_assert_cmpint (pread (f->fd, bytes, 1024, 512), ==, 1024);
  g_assert_cmpmem (bytes, 1024, zero, 1024);
  assert_disk (f, 0, 5, 512);
  put_segment (f, 0, 1, 2, 2);
  g_assert_cmphex (do_out (f, 13, 0, 16), ==, 2);
}

/* §5.2.5.2, §5.2.5.1: the cache mode is the driver's, and writeback again after a reset. */
static void
test_config_wce (void)
{
  g_autoptr (Fixture) f = fixture_new (F_FLUSH | F_CONFIG_WCE, "cache", "writeback");

  test_write (f->board, f->host.device + 0x20, 1, 0);
  g_assert_cmpuint (config (f, 0x20, 1), ==, 0);
  fill (f, 9, 512);
  g_assert_cmphex (do_out (f, 1, 0, 512), ==, 0);
  assert_disk (f, 0, 9, 512);
  virtio_host_start (&f->host, F_FLUSH | F_CONFIG_WCE, 64, TRUE);
  g_assert_cmpuint (config (f, 0x20, 1), ==, 1);
  /* what the driver may not write */
  test_write (f->board, f->host.device + 0x00, 4, 1);
  g_assert_cmpuint (config (f, 0x00, 8), ==, DISK_SECTORS);
}

static void
test_queues (void)
{
  g_autoptr (Fixture) f = fixture_new (F_FLUSH | F_MQ, "queues", "3");
  guint messages = test_msi_count (f->board);

  for (guint q = 0; q < 3; q++)
    {
      const VirtioHostPiece pieces[] = { { HEADER, 16 }, { DATA, 512 }, { STATUS, 1 } };

      put_header (f, 0, q);
      g_assert_cmpuint (virtio_host_do (&f->host, q, pieces, 1, 2), ==, 513);
      g_assert_cmphex (get_status (f), ==, 0);
      test_wait_until (test_msi_count (f->board) == messages + q + 1);
      g_assert_cmphex (test_msi_get (f->board, messages + q).data, ==, 0x41 + q);
    }
}

/* Many at once, then a reset: the status is 0 only when all buffers are back. */
static void
test_reset_under_load (void)
{
  g_autoptr (Fixture) f = fixture_new (F_FLUSH, "cache", "writeback");

  for (guint round = 0; round < 10; round++)
    {
      put_header (f, 0, 0);
      for (guint i = 0; i < 20; i++)
        {
          const VirtioHostPiece pieces[] = { { HEADER, 16 }, { DATA + i * 0x10000, 0x10000 }, { STATUS + i, 1 } };

          virtio_host_add (&f->host, 0, pieces, 1, 2);
        }
      virtio_host_kick (&f->host, 0);
      if ((round & 1) != 0)
        g_usleep (200);
      if ((round & 2) != 0)
        {
          test_board_reset (f->board, VMM_RESET_WARM);
          virtio_host_init (&f->host, f->board, 2 << 3, BAR);
        }
      virtio_host_start (&f->host, F_FLUSH, 64, TRUE);
      g_assert_cmphex (do_in (f, 0, 0, 512, NULL), ==, 0);
    }
}

static void
test_headless_request_breaks (void)
{
  g_autoptr (Fixture) f = fixture_new (F_FLUSH, "cache", "writeback");
  const VirtioHostPiece pieces[] = { { HEADER, 8 }, { STATUS, 1 } };

  virtio_host_add (&f->host, 0, pieces, 1, 1);
  virtio_host_kick (&f->host, 0);
  test_wait_until (virtio_host_get (&f->host, 0x14, 1) == 0x4f);
  virtio_host_start (&f->host, F_FLUSH, 64, TRUE);
  g_assert_cmphex (do_in (f, 0, 0, 512, NULL), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/virtio-blk/config", test_config);
  g_test_add_func ("/virtio-blk/write-read", test_write_read);
  g_test_add_func ("/virtio-blk/any-layout", test_any_layout);
  g_test_add_func ("/virtio-blk/errors", test_errors);
  g_test_add_func ("/virtio-blk/read-only", test_read_only);
  g_test_add_func ("/virtio-blk/get-id", test_get_id);
  g_test_add_func ("/virtio-blk/discard", test_discard);
  g_test_add_func ("/virtio-blk/write-zeroes", test_write_zeroes);
  g_test_add_func ("/virtio-blk/config-wce", test_config_wce);
  g_test_add_func ("/virtio-blk/queues", test_queues);
  g_test_add_func ("/virtio-blk/reset-under-load", test_reset_under_load);
  g_test_add_func ("/virtio-blk/headless-request-breaks", test_headless_request_breaks);
  return g_test_run ();
}
