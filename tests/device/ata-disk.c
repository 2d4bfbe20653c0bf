/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: ACS-3 (T13/2161-D), and what SeaBIOS' ata.c/ahci.c, Linux' libata and Windows' storahci send. */
#include "ahci-host.h"
#include "block/block-private.h"
#include "storage/sata.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTORS 20000u
#define READY 0x50u
#define ABORTED 0x0451u
#define NO_SUCH_SECTOR 0x1051u
#define UNREADABLE 0x4051u

typedef struct {
  TestBoard *board;
  AhciHost *host;
  char *dir, *path;
  int fd;
  guint n_ops[4]; /* by VmmIoKind */
  int fail;
} Fixture;

static int
on_begin (gpointer data, VmmIoKind kind, guint64 offset, guint64 len, const struct iovec *iov, guint n_iov, gpointer *ret_cookie)
{
  Fixture *f = data;

  g_atomic_int_inc (&f->n_ops[kind]);
  return f->fail;
}

static void
on_end (gpointer data, gpointer cookie, int result)
{
}

static const VmmFileHooks hooks = { .begin = on_begin, .end = on_end };

static guint8
pattern (guint64 byte)
{
  return (guint8) (byte * 5 ^ byte >> 9 ^ byte >> 16);
}

/* @data: NULL, or a key and a value for the disk */
static void
set_up (Fixture *f, gconstpointer data)
{
  const char *const *setting = data;
  g_autofree guint8 *bytes = g_malloc (SECTORS * 512);
  VmmSataDrive *disk;

  for (gsize i = 0; i < SECTORS * 512; i++)
    bytes[i] = pattern (i);
  f->dir = g_dir_make_tmp ("lodge-disk-XXXXXX", NULL);
  f->path = g_build_filename (f->dir, "disk.img", NULL);
  g_assert_true (g_file_set_contents (f->path, (const char *) bytes, SECTORS * 512, NULL));
  f->fd = open (f->path, O_RDONLY | O_CLOEXEC);
  f->board = test_board_new ();
  f->host = ahci_host_new (f->board);
  disk = (VmmSataDrive *) test_board_add (f->board, "sata-disk", "disk0", "image", f->path, setting != NULL ? setting[0] : NULL,
                                          setting != NULL ? setting[1] : NULL, NULL);
  vmm_block_set_hooks (disk->block, &hooks, f);
  ahci_host_start_port (f->host, 0);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  test_board_free (f->board);
  ahci_host_free (f->host);
  close (f->fd);
  g_unlink (f->path);
  g_rmdir (f->dir);
  g_free (f->path);
  g_free (f->dir);
}

static guint32
no_data (Fixture *f, guint8 command, guint64 lba, guint16 count, guint16 feature)
{
  return ahci_host_ata (f->host, 0, command, lba, count, feature, 0, FALSE);
}

static guint32
data_in (Fixture *f, guint8 command, guint64 lba, guint16 count, guint32 sectors)
{
  return ahci_host_ata (f->host, 0, command, lba, count, 0, sectors * 512, FALSE);
}

static guint32
data_out (Fixture *f, guint8 command, guint64 lba, guint16 count, guint32 sectors)
{
  return ahci_host_ata (f->host, 0, command, lba, count, 0, sectors * 512, TRUE);
}

static void
assert_pattern (Fixture *f, guint32 sectors, guint64 lba)
{
  g_autofree guint8 *bytes = g_malloc (sectors * 512);

  test_ram_read (f->board, AHCI_HOST_DATA, bytes, sectors * 512);
  for (gsize i = 0; i < sectors * 512; i++)
    if (bytes[i] != pattern (lba * 512 + i))
      g_error ("byte %zu is %02x, not %02x", i, bytes[i], pattern (lba * 512 + i));
}

/* The file's sector @lba consists of @byte. */
static void
assert_file (Fixture *f, guint64 lba, guint8 byte)
{
  guint8 bytes[512];

  g_assert_cmpint (pread (f->fd, bytes, sizeof bytes, (off_t) lba * 512), ==, sizeof bytes);
  for (guint i = 0; i < sizeof bytes; i++)
    g_assert_cmphex (bytes[i], ==, byte);
}

static void
fill_ram (Fixture *f, gsize len, guint8 byte)
{
  g_autofree guint8 *bytes = g_malloc (len);

  memset (bytes, byte, len);
  test_ram_write (f->board, AHCI_HOST_DATA, bytes, len);
}

/* The registers of the last frame from the drive: SATA 3.1 §10.5.6. */
static void
last_frame (Fixture *f, guint8 frame[20])
{
  test_ram_read (f->board, ahci_host_frames (0) + 0x40, frame, 20);
}

static void
identify (Fixture *f, guint16 words[256])
{
  g_assert_cmphex (data_in (f, 0xec, 0, 0, 1), ==, READY);
  test_ram_read (f->board, AHCI_HOST_DATA, words, 512);
}

static void
assert_string (const guint16 *words, guint n, const char *expected)
{
  char text[64] = { 0 };

  for (guint i = 0; i < n; i++)
    {
      text[2 * i] = (char) (words[i] >> 8);
      text[2 * i + 1] = (char) words[i];
    }
  g_assert_cmpstr (g_strchomp (text), ==, expected);
}

/* === IDENTIFY DEVICE === */

static void
test_identify (Fixture *f, gconstpointer data)
{
  guint16 id[256];
  guint8 sum = 0;

  identify (f, id);
  g_assert_cmphex (id[0] & 0x8000, ==, 0);
  g_assert_cmphex (id[49] & 0x0300, ==, 0x0300); /* LBA, DMA */
  g_assert_cmphex (id[53] & 7, ==, 7);
  g_assert_cmpuint (id[60] | (guint32) id[61] << 16, ==, SECTORS);
  g_assert_cmpuint (id[100] | (guint32) id[101] << 16, ==, SECTORS);
  g_assert_cmpuint (id[102] | id[103], ==, 0);
  g_assert_cmpuint (id[75], ==, 31);             /* queue depth 32 */
  g_assert_cmphex (id[76] & 0x8100, ==, 0x0100); /* NCQ */
  g_assert_cmphex (id[80] & 0x0400, ==, 0x0400); /* ACS-3 */
  g_assert_cmphex (id[83] & 0xf400, ==, 0x7400); /* valid; FLUSH CACHE EXT, FLUSH CACHE, 48 bits */
  g_assert_cmphex (id[86] & 0x3400, ==, 0x3400);
  g_assert_cmphex (id[84] & 0xc140, ==, 0x4140); /* valid; WWN, FUA */
  g_assert_cmphex (id[87] & 0xc140, ==, 0x4140);
  g_assert_cmphex (id[85] & 0x0020, ==, 0x0020); /* write cache on */
  g_assert_cmphex (id[88], ==, 0x407f);          /* UDMA 6 selected */
  g_assert_cmphex (id[106], ==, 0x6003);         /* 512 logical, 4096 physical */
  g_assert_cmphex (id[108] >> 12, ==, 3);        /* NAA: locally assigned */
  g_assert_cmphex (id[128], ==, 0x0009);         /* security: frozen, not enabled */
  g_assert_cmphex (id[169] & 1, ==, 1);          /* TRIM */
  g_assert_cmphex (id[69] & 0x4020, ==, 0x4020); /* trimmed sectors read as zeros */
  g_assert_cmpuint (id[105], >=, 1);
  g_assert_cmpuint (id[217], ==, 1); /* does not rotate */
  for (guint i = 0; i < 512; i++)
    sum = (guint8) (sum + ((guint8 *) id)[i]);
  g_assert_cmphex (id[255] & 0xff, ==, 0xa5);
  g_assert_cmphex (sum, ==, 0);
}

static void
test_identify_serial (Fixture *f, gconstpointer data)
{
  guint16 id[256];

  identify (f, id);
  assert_string (id + 10, 10, "MY SERIAL 42");
}

static void
test_identify_no_discard (Fixture *f, gconstpointer data)
{
  guint16 id[256];

  identify (f, id);
  g_assert_cmphex (id[169] & 1, ==, 0);
  g_assert_cmphex (id[69] & 0x4020, ==, 0);
  fill_ram (f, 512, 0);
  g_assert_cmphex (ahci_host_ata (f->host, 0, 0x06, 0, 1, 1, 512, TRUE), ==, ABORTED);
}

static void
test_identify_packet_is_refused (Fixture *f, gconstpointer data)
{
  g_assert_cmphex (data_in (f, 0xa1, 0, 0, 1), ==, ABORTED);
  g_assert_cmphex (no_data (f, 0x00, 0, 0, 0), ==, ABORTED); /* NOP is, always */
  g_assert_cmphex (no_data (f, 0xff, 0, 0, 0), ==, ABORTED);
}

/* === Reading and writing === */

static void
test_read_commands (Fixture *f, gconstpointer data)
{
  static const guint8 ext[] = { 0x24, 0x25, 0x29 }, short_ones[] = { 0x20, 0x21, 0xc4, 0xc8, 0xc9 };

  for (guint i = 0; i < G_N_ELEMENTS (ext); i++)
    {
      g_assert_cmphex (data_in (f, ext[i], 300 + i, 300, 300), ==, READY);
      assert_pattern (f, 300, 300 + i);
    }
  for (guint i = 0; i < G_N_ELEMENTS (short_ones); i++)
    {
      g_assert_cmphex (data_in (f, short_ones[i], 70 + i, 3, 3), ==, READY);
      assert_pattern (f, 3, 70 + i);
    }
}

static void
test_write_commands (Fixture *f, gconstpointer data)
{
  static const guint8 commands[] = { 0x30, 0x31, 0x34, 0x35, 0x39, 0x3d, 0xc5, 0xca, 0xcb, 0xce };

  for (guint i = 0; i < G_N_ELEMENTS (commands); i++)
    {
      fill_ram (f, 1024, (guint8) (0x80 + i));
      g_assert_cmphex (data_out (f, commands[i], 100 + 2 * i, 2, 2), ==, READY);
      assert_file (f, 100 + 2 * i, (guint8) (0x80 + i));
      assert_file (f, 101 + 2 * i, (guint8) (0x80 + i));
    }
  g_assert_cmpuint (f->n_ops[VMM_IO_SYNC], ==, 2); /* the two with FUA */
}

static void
test_count_of_zero (Fixture *f, gconstpointer data)
{
  g_assert_cmphex (data_in (f, 0xc8, 0, 0, 256), ==, READY); /* 256 sectors */
  assert_pattern (f, 256, 0);
  g_assert_cmphex (data_in (f, 0x25, 0, 0, 256), ==, NO_SUCH_SECTOR); /* 65536 */
}

static void
test_ends (Fixture *f, gconstpointer data)
{
  g_assert_cmphex (data_in (f, 0x25, SECTORS - 1, 1, 1), ==, READY);
  assert_pattern (f, 1, SECTORS - 1);
  g_assert_cmphex (data_in (f, 0x25, SECTORS - 1, 2, 2), ==, NO_SUCH_SECTOR);
  g_assert_cmphex (data_in (f, 0x25, SECTORS, 1, 1), ==, NO_SUCH_SECTOR);
  g_assert_cmphex (data_in (f, 0x25, G_GUINT64_CONSTANT (0xffffffffffff), 1, 1), ==, NO_SUCH_SECTOR);
  g_assert_cmphex (data_out (f, 0x35, SECTORS, 1, 1), ==, NO_SUCH_SECTOR);
  g_assert_cmpuint (f->n_ops[VMM_IO_WRITE], ==, 0);
}

/* Bits 24-27 of a short address are in the device register. */
static void
test_lba28_high_bits (Fixture *f, gconstpointer data)
{
  AhciHostCommand c = { .command = 0xc8,
                        .device = 0x41,
                        .lba = 0,
                        .count = 1,
                        .pieces = { { AHCI_HOST_DATA, 512 } },
                        .n_pieces = 1 };

  g_assert_cmphex (ahci_host_run (f->host, 0, &c), ==, NO_SUCH_SECTOR);
}

/* Cylinder 2, head 3, sector 4 of 16 heads and 63 sectors; then of 4 and 17, as INITIALIZE DEVICE PARAMETERS says. */
static void
test_chs (Fixture *f, gconstpointer data)
{
  AhciHostCommand c = { .command = 0x20,
                        .device = 0x03,
                        .lba = 2 << 8 | 4,
                        .count = 1,
                        .pieces = { { AHCI_HOST_DATA, 512 } },
                        .n_pieces = 1 };
  AhciHostCommand set = { .command = 0x91, .device = 0x03, .count = 17 };

  g_assert_cmphex (ahci_host_run (f->host, 0, &c), ==, READY);
  assert_pattern (f, 1, (2 * 16 + 3) * 63 + 3);
  g_assert_cmphex (ahci_host_run (f->host, 0, &set), ==, READY);
  g_assert_cmphex (ahci_host_run (f->host, 0, &c), ==, READY);
  assert_pattern (f, 1, (2 * 4 + 3) * 17 + 3);
  c.lba = 2 << 8; /* there is no sector 0 */
  g_assert_cmphex (ahci_host_run (f->host, 0, &c), ==, NO_SUCH_SECTOR);
}

static void
test_multiple (Fixture *f, gconstpointer data)
{
  guint16 id[256];

  g_assert_cmphex (no_data (f, 0xc6, 0, 8, 0), ==, READY);
  identify (f, id);
  g_assert_cmphex (id[59] & 0x1ff, ==, 0x108);
  g_assert_cmphex (no_data (f, 0xc6, 0, 3, 0), ==, ABORTED); /* no power of two */
  g_assert_cmphex (no_data (f, 0xc6, 0, 128, 0), ==, ABORTED);
  g_assert_cmphex (no_data (f, 0xc6, 0, 0, 0), ==, READY); /* off */
  g_assert_cmphex (data_in (f, 0xc4, 0, 1, 1), ==, ABORTED);
}

static void
test_read_only (Fixture *f, gconstpointer data)
{
  guint16 id[256];

  g_assert_cmphex (data_in (f, 0x25, 0, 1, 1), ==, READY);
  g_assert_cmphex (data_out (f, 0x35, 0, 1, 1), ==, ABORTED);
  g_assert_cmphex (no_data (f, 0xea, 0, 0, 0), ==, READY);
  identify (f, id);
  g_assert_cmphex (id[169] & 1, ==, 0);
}

static void
test_verify (Fixture *f, gconstpointer data)
{
  g_assert_cmphex (no_data (f, 0x42, 0, 1000, 0), ==, READY);
  g_assert_cmphex (no_data (f, 0x40, SECTORS - 1, 2, 0), ==, NO_SUCH_SECTOR);
  f->fail = -EIO;
  g_assert_cmphex (no_data (f, 0x42, 0x1234, 8, 0), ==, UNREADABLE);
}

/* === Caches === */

static void
test_flush (Fixture *f, gconstpointer data)
{
  g_assert_cmphex (no_data (f, 0xe7, 0, 0, 0), ==, READY);
  g_assert_cmphex (no_data (f, 0xea, 0, 0, 0), ==, READY);
  g_assert_cmpuint (f->n_ops[VMM_IO_SYNC], ==, 2);
  f->fail = -EIO;
  g_assert_cmphex (no_data (f, 0xea, 0, 0, 0), ==, ABORTED); /* the guest must know */
}

static void
test_write_cache_off (Fixture *f, gconstpointer data)
{
  guint16 id[256];

  fill_ram (f, 512, 1);
  g_assert_cmphex (data_out (f, 0x35, 0, 1, 1), ==, READY);
  g_assert_cmpuint (f->n_ops[VMM_IO_SYNC], ==, 0);
  g_assert_cmphex (no_data (f, 0xef, 0, 0, 0x82), ==, READY);
  g_assert_cmpuint (f->n_ops[VMM_IO_SYNC], ==, 1);
  identify (f, id);
  g_assert_cmphex (id[85] & 0x20, ==, 0);
  fill_ram (f, 512, 2);
  g_assert_cmphex (data_out (f, 0x35, 0, 1, 1), ==, READY);
  g_assert_cmpuint (f->n_ops[VMM_IO_SYNC], ==, 2);
  g_assert_cmphex (no_data (f, 0xef, 0, 0, 0x02), ==, READY);
  g_assert_cmphex (data_out (f, 0x35, 0, 1, 1), ==, READY);
  g_assert_cmpuint (f->n_ops[VMM_IO_SYNC], ==, 2);
}

/* === TRIM === */

static void
put_range (Fixture *f, guint index, guint64 lba, guint64 sectors)
{
  guint64 entry = GUINT64_TO_LE (lba | sectors << 48);

  test_ram_write (f->board, AHCI_HOST_DATA + index * 8, &entry, 8);
}

static guint32
trim (Fixture *f, guint16 pages)
{
  return ahci_host_ata (f->host, 0, 0x06, 0, pages, 1, pages * 512u, TRUE);
}

static void
test_trim (Fixture *f, gconstpointer data)
{
  struct stat before, after;

  fstat (f->fd, &before);
  fill_ram (f, 512, 0);
  put_range (f, 0, 1024, 4096);
  put_range (f, 3, 16384, 1000);
  g_assert_cmphex (trim (f, 1), ==, READY);
  assert_file (f, 1024, 0);
  assert_file (f, 5119, 0);
  assert_file (f, 17383, 0);
  g_assert_cmphex (data_in (f, 0x25, 1023, 1, 1), ==, READY);
  assert_pattern (f, 1, 1023);
  g_assert_cmphex (data_in (f, 0x25, 5120, 1, 1), ==, READY);
  assert_pattern (f, 1, 5120);
  fstat (f->fd, &after);
  g_assert_cmpint (after.st_blocks, <, before.st_blocks);
}

/* Linux cuts long ranges at 65535 sectors: what touches is done at once. */
static void
test_trim_joins_ranges (Fixture *f, gconstpointer data)
{
  fill_ram (f, 512, 0);
  for (guint i = 0; i < 8; i++)
    put_range (f, i, 128 * i, 128);
  put_range (f, 8, 8192, 128);
  g_assert_cmphex (trim (f, 1), ==, READY);
  g_assert_cmpuint (f->n_ops[VMM_IO_FALLOCATE], ==, 2);
  assert_file (f, 1023, 0);
}

static void
test_trim_refuses (Fixture *f, gconstpointer data)
{
  fill_ram (f, 512, 0);
  put_range (f, 0, 0, 8);
  put_range (f, 1, SECTORS - 1, 2);
  g_assert_cmphex (trim (f, 1) & 0xff, ==, 0x51);
  g_assert_cmpuint (f->n_ops[VMM_IO_FALLOCATE], ==, 0); /* none of it */
  g_assert_cmphex (trim (f, 0), ==, ABORTED);
  g_assert_cmphex (trim (f, 64), ==, ABORTED);                                         /* more than word 105 */
  g_assert_cmphex (ahci_host_ata (f->host, 0, 0x06, 0, 1, 0, 512, TRUE), ==, ABORTED); /* no TRIM bit */
  g_assert_cmphex (ahci_host_ata (f->host, 0, 0x06, 0, 2, 1, 512, TRUE), ==, ABORTED); /* half of the list is missing */
}

/* === Settings of the drive === */

static void
test_transfer_mode (Fixture *f, gconstpointer data)
{
  guint16 id[256];

  g_assert_cmphex (no_data (f, 0xef, 0, 0x45, 0x03), ==, READY); /* UDMA 5 */
  identify (f, id);
  g_assert_cmphex (id[88], ==, 0x207f);
  g_assert_cmphex (no_data (f, 0xef, 0, 0x22, 0x03), ==, READY); /* multiword DMA 2 */
  identify (f, id);
  g_assert_cmphex (id[88], ==, 0x007f);
  g_assert_cmphex (id[63], ==, 0x0407);
  g_assert_cmphex (no_data (f, 0xef, 0, 0x47, 0x03), ==, ABORTED);
  g_assert_cmphex (no_data (f, 0xef, 0, 0, 0x77), ==, ABORTED);
}

static void
test_power (Fixture *f, gconstpointer data)
{
  guint8 frame[20];

  g_assert_cmphex (no_data (f, 0xe5, 0, 0, 0), ==, READY);
  last_frame (f, frame);
  g_assert_cmphex (frame[12], ==, 0xff); /* active or idle */
  g_assert_cmphex (no_data (f, 0xe0, 0, 0, 0), ==, READY);
  g_assert_cmpuint (f->n_ops[VMM_IO_SYNC], ==, 1); /* the cache was written out */
  g_assert_cmphex (no_data (f, 0xe5, 0, 0, 0), ==, READY);
  last_frame (f, frame);
  g_assert_cmphex (frame[12], ==, 0x00); /* standby */
  g_assert_cmphex (data_in (f, 0x25, 0, 1, 1), ==, READY);
  g_assert_cmphex (no_data (f, 0xe5, 0, 0, 0), ==, READY);
  last_frame (f, frame);
  g_assert_cmphex (frame[12], ==, 0xff);
}

static void
test_smart (Fixture *f, gconstpointer data)
{
  guint8 frame[20], page[512], sum = 0;

  g_assert_cmphex (no_data (f, 0xb0, 0xc24f00, 0, 0xda), ==, READY);
  last_frame (f, frame);
  g_assert_cmphex (frame[5], ==, 0x4f); /* all is well; 2CF4 would be the alarm */
  g_assert_cmphex (frame[6], ==, 0xc2);
  g_assert_cmphex (no_data (f, 0xb0, 0, 0, 0xda), ==, ABORTED); /* without the key */
  g_assert_cmphex (ahci_host_ata (f->host, 0, 0xb0, 0xc24f00, 1, 0xd0, 512, FALSE), ==, READY);
  test_ram_read (f->board, AHCI_HOST_DATA, page, sizeof page);
  for (guint i = 0; i < sizeof page; i++)
    sum = (guint8) (sum + page[i]);
  g_assert_cmphex (sum, ==, 0);
  g_assert_cmphex (no_data (f, 0xb0, 0xc24f00, 0, 0xd9), ==, READY);
  g_assert_cmphex (no_data (f, 0xb0, 0xc24f00, 0, 0xda), ==, ABORTED);
  g_assert_cmphex (no_data (f, 0xb0, 0xc24f00, 0, 0xd8), ==, READY);
  g_assert_cmphex (no_data (f, 0xb0, 0xc24f00, 0, 0xda), ==, READY);
}

static void
test_security_is_frozen (Fixture *f, gconstpointer data)
{
  g_assert_cmphex (no_data (f, 0xf5, 0, 0, 0), ==, READY);
  fill_ram (f, 512, 0);
  g_assert_cmphex (data_out (f, 0xf1, 0, 0, 1), ==, ABORTED); /* SET PASSWORD */
  g_assert_cmphex (no_data (f, 0xf3, 0, 0, 0), ==, ABORTED);
  g_assert_cmphex (data_out (f, 0xf4, 0, 0, 1), ==, ABORTED); /* ERASE UNIT */
  g_assert_cmphex (data_in (f, 0x25, 0, 1, 1), ==, READY);
  assert_pattern (f, 1, 0);
}

static void
test_logs (Fixture *f, gconstpointer data)
{
  guint8 page[512];

  g_assert_cmphex (ahci_host_ata (f->host, 0, 0x2f, 0x00, 1, 0, 512, FALSE), ==, READY);
  test_ram_read (f->board, AHCI_HOST_DATA, page, sizeof page);
  g_assert_cmphex (page[0] | page[1] << 8, ==, 0x0001);
  g_assert_cmphex (page[0x20] | page[0x21] << 8, ==, 1); /* log 10 has a page */
  g_assert_cmphex (ahci_host_ata (f->host, 0, 0x47, 0x10, 1, 0, 512, FALSE), ==, READY);
  test_ram_read (f->board, AHCI_HOST_DATA, page, sizeof page);
  g_assert_cmphex (page[0] & 0x80, ==, 0x80); /* no queued command failed */
  g_assert_cmphex (ahci_host_ata (f->host, 0, 0x2f, 0x30, 1, 0, 512, FALSE), ==, ABORTED);
  g_assert_cmphex (ahci_host_ata (f->host, 0, 0x2f, 0x110, 1, 0, 512, FALSE), ==, ABORTED); /* page 1 */
}

static void
test_buffer (Fixture *f, gconstpointer data)
{
  guint8 byte;

  fill_ram (f, 512, 0x5a);
  g_assert_cmphex (data_out (f, 0xe8, 0, 0, 1), ==, READY);
  fill_ram (f, 512, 0);
  g_assert_cmphex (data_in (f, 0xe4, 0, 0, 1), ==, READY);
  test_ram_read (f->board, AHCI_HOST_DATA + 511, &byte, 1);
  g_assert_cmphex (byte, ==, 0x5a);
}

static void
test_diagnostic (Fixture *f, gconstpointer data)
{
  guint8 frame[20];

  g_assert_cmphex (no_data (f, 0x90, 0, 0, 0), ==, 0x0150);
  last_frame (f, frame);
  g_assert_cmphex (frame[12], ==, 1);
  g_assert_cmphex (frame[4], ==, 1);
}

static void
test_reset_restores (Fixture *f, gconstpointer data)
{
  guint16 id[256];

  g_assert_cmphex (no_data (f, 0xef, 0, 0, 0x82), ==, READY);
  g_assert_cmphex (no_data (f, 0xc6, 0, 0, 0), ==, READY);
  ahci_host_stop_port (f->host, 0);
  ahci_host_set_px (f->host, 0, AHCI_HOST_PX_SCTL, 1);
  ahci_host_set_px (f->host, 0, AHCI_HOST_PX_SCTL, 0);
  ahci_host_start_port (f->host, 0);
  identify (f, id);
  g_assert_cmphex (id[85] & 0x20, ==, 0x20);
  g_assert_cmphex (id[59], ==, 0x110);
}

/* === Images === */

static void
test_bad_images (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autoptr (AhciHost) host = ahci_host_new (board);
  g_autoptr (GHashTable) settings = g_hash_table_new (g_str_hash, g_str_equal);
  g_autofree char *dir = g_dir_make_tmp ("lodge-disk-XXXXXX", NULL);
  g_autofree char *empty = g_build_filename (dir, "empty", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_true (g_file_set_contents (empty, "", 0, NULL));
  g_hash_table_insert (settings, (gpointer) "image", empty);
  g_assert_null (vmm_device_new (board->machine, vmm_device_class_find ("sata-disk"), "disk0", settings, &error));
  g_assert_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG);
  g_clear_error (&error);
  g_hash_table_insert (settings, (gpointer) "image", dir);
  g_assert_null (vmm_device_new (board->machine, vmm_device_class_find ("sata-disk"), "disk0", settings, &error));
  g_assert_nonnull (error);
  g_clear_error (&error);
  g_hash_table_insert (settings, (gpointer) "image", (gpointer) "/nonexistent");
  g_assert_null (vmm_device_new (board->machine, vmm_device_class_find ("sata-disk"), "disk0", settings, &error));
  g_assert_error (error, VMM_ERROR, VMM_ERROR_NOT_FOUND);
  g_assert_cmpuint (board->machine->blocks->len, ==, 0);
  g_unlink (empty);
  g_rmdir (dir);
}

static const char *const with_serial[] = { "serial", "MY SERIAL 42" };
static const char *const without_discard[] = { "discard", "false" };
static const char *const as_read_only[] = { "readonly", "true" };
static const char *const as_direct[] = { "cache", "direct" };

#define ADD(path, func) g_test_add ("/ata-disk/" path, Fixture, NULL, set_up, func, tear_down)
#define ADD_WITH(path, setting, func) g_test_add ("/ata-disk/" path, Fixture, setting, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("identify/words", test_identify);
  ADD_WITH ("identify/serial-number", with_serial, test_identify_serial);
  ADD_WITH ("identify/without-discard", without_discard, test_identify_no_discard);
  ADD ("identify/other-commands-are-aborted", test_identify_packet_is_refused);
  ADD ("read/commands", test_read_commands);
  ADD_WITH ("read/direct", as_direct, test_read_commands);
  ADD ("read/count-of-zero", test_count_of_zero);
  ADD ("read/ends", test_ends);
  ADD ("read/lba28-high-bits", test_lba28_high_bits);
  ADD ("read/cylinders-heads-sectors", test_chs);
  ADD ("read/multiple", test_multiple);
  ADD ("read/verify", test_verify);
  ADD ("write/commands", test_write_commands);
  ADD_WITH ("write/direct", as_direct, test_write_commands);
  ADD_WITH ("write/read-only-disk", as_read_only, test_read_only);
  ADD ("cache/flush", test_flush);
  ADD ("cache/off-writes-through", test_write_cache_off);
  ADD ("trim/zeros-and-space", test_trim);
  ADD ("trim/joins-ranges", test_trim_joins_ranges);
  ADD ("trim/refuses", test_trim_refuses);
  ADD ("features/transfer-mode", test_transfer_mode);
  ADD ("features/power", test_power);
  ADD ("features/smart", test_smart);
  ADD ("features/security-is-frozen", test_security_is_frozen);
  ADD ("features/logs", test_logs);
  ADD ("features/buffer", test_buffer);
  ADD ("features/diagnostic", test_diagnostic);
  ADD ("features/comreset-restores", test_reset_restores);
  g_test_add_func ("/ata-disk/image/bad-ones-are-refused", test_bad_images);
  return g_test_run ();
}
