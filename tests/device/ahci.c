/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: AHCI 1.3.1 (sections named), Serial ATA 3.1 §10 (frames), the ICH9's values as measured (PCI header, CAP), and the
 * sequences of Linux' libahci and SeaBIOS' ahci.c. */
#include "ahci-host.h"
#include "block/block-private.h"
#include "storage/sata.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define DISK_SECTORS 16384u
#define DISK 0 /* ports */
#define CD 2
#define EMPTY 5
#define GSI 16 /* PIRQA: slot 31, INTA */

typedef struct {
  TestBoard *board;
  AhciHost *host;
  char *dir, *disk_path, *cd_path;
  VmmSataDrive *disk;
  VmmBlock *block;
  /* The gate: operations of the image wait on the iothread while it is closed. */
  GMutex lock;
  GCond cond;
  gboolean closed;
  guint n_waiting, n_done;
  int fail; /* -errno for the next operations */
} Fixture;

static guint8
pattern (guint64 byte)
{
  return (guint8) (byte ^ byte >> 9 ^ byte >> 17);
}

static void
make_image (const char *path, gsize size)
{
  g_autofree guint8 *bytes = g_malloc (size);

  for (gsize i = 0; i < size; i++)
    bytes[i] = pattern (i);
  g_assert_true (g_file_set_contents (path, (const char *) bytes, (gssize) size, NULL));
}

static int
on_begin (gpointer data, VmmIoKind kind, guint64 offset, guint64 len, const struct iovec *iov, guint n_iov, gpointer *ret_cookie)
{
  Fixture *f = data;
  int result;

  g_mutex_lock (&f->lock);
  f->n_waiting++;
  g_cond_broadcast (&f->cond);
  while (f->closed)
    g_cond_wait (&f->cond, &f->lock);
  result = f->fail;
  g_mutex_unlock (&f->lock);
  return result;
}

static void
on_end (gpointer data, gpointer cookie, int result)
{
  Fixture *f = data;

  g_mutex_lock (&f->lock);
  f->n_done++;
  g_mutex_unlock (&f->lock);
}

static const VmmFileHooks hooks = { .begin = on_begin, .end = on_end };

static void
close_gate (Fixture *f)
{
  f->closed = TRUE;
}

static void
open_gate (Fixture *f)
{
  g_mutex_lock (&f->lock);
  f->closed = FALSE;
  g_cond_broadcast (&f->cond);
  g_mutex_unlock (&f->lock);
}

static void
wait_at_gate (Fixture *f)
{
  g_mutex_lock (&f->lock);
  while (f->n_waiting == 0)
    g_cond_wait (&f->cond, &f->lock);
  g_mutex_unlock (&f->lock);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  f->dir = g_dir_make_tmp ("lodge-ahci-XXXXXX", NULL);
  f->disk_path = g_build_filename (f->dir, "disk.img", NULL);
  f->cd_path = g_build_filename (f->dir, "cd.iso", NULL);
  make_image (f->disk_path, DISK_SECTORS * 512);
  make_image (f->cd_path, 100 * 2048);
  f->board = test_board_new ();
  f->host = ahci_host_new (f->board);
  f->disk = (VmmSataDrive *) test_board_add (f->board, "sata-disk", "disk0", "image", f->disk_path, "port", "0", NULL);
  f->block = f->disk->block;
  test_board_add (f->board, "sata-cd", "cd0", "image", f->cd_path, "port", "2", NULL);
  vmm_block_set_hooks (f->block, &hooks, f);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  open_gate (f);
  test_board_free (f->board);
  ahci_host_free (f->host);
  g_unlink (f->disk_path);
  g_unlink (f->cd_path);
  g_rmdir (f->dir);
  g_free (f->disk_path);
  g_free (f->cd_path);
  g_free (f->dir);
}

static guint32
px (Fixture *f, guint port, guint reg)
{
  return ahci_host_px (f->host, port, reg);
}

static void
set_px (Fixture *f, guint port, guint reg, guint32 value)
{
  ahci_host_set_px (f->host, port, reg, value);
}

static void
assert_pattern (Fixture *f, guint64 gpa, gsize len, guint64 image_offset)
{
  g_autofree guint8 *bytes = g_malloc (len);

  test_ram_read (f->board, gpa, bytes, len);
  for (gsize i = 0; i < len; i++)
    if (bytes[i] != pattern (image_offset + i))
      g_error ("byte %zu is %02x, not %02x", i, bytes[i], pattern (image_offset + i));
}

static void
assert_frame (Fixture *f, guint port, guint offset, const char *expected)
{
  guint8 bytes[32];
  g_autoptr (GString) text = g_string_new (NULL);
  gsize len = (strlen (expected) + 1) / 3;

  test_ram_read (f->board, ahci_host_frames (port) + offset, bytes, len);
  for (gsize i = 0; i < len; i++)
    g_string_append_printf (text, "%s%02x", i > 0 ? " " : "", bytes[i]);
  g_assert_cmpstr (text->str, ==, expected);
}

static AhciHostCommand
read_dma_ext (guint64 lba, guint16 count, guint64 to)
{
  return (AhciHostCommand) { .command = 0x25,
                             .device = 0x40,
                             .lba = lba,
                             .count = count,
                             .pieces = { { to, count * 512u } },
                             .n_pieces = 1 };
}

static AhciHostCommand
queued (gboolean write, guint slot, guint64 lba, guint16 count, guint64 data)
{
  return (AhciHostCommand) { .command = write ? 0x61 : 0x60,
                             .device = 0x40,
                             .lba = lba,
                             .feature = count,
                             .count = (guint16) (slot << 3),
                             .write = write,
                             .pieces = { { data, count * 512u } },
                             .n_pieces = 1 };
}

/* === Registers === */

static void
test_identity (Fixture *f, gconstpointer data)
{
  /* Contract 3.1, 7.4. */
  g_assert_cmphex (test_pci_read (f->board, AHCI_HOST_DEVFN, 0x00, 4), ==, 0x29228086);
  g_assert_cmphex (test_pci_read (f->board, AHCI_HOST_DEVFN, 0x08, 4), ==, 0x01060102);
  g_assert_cmphex (test_pci_read (f->board, AHCI_HOST_DEVFN, 0x2c, 4), ==, 0x11001af4);
  g_assert_cmphex (test_pci_read (f->board, AHCI_HOST_DEVFN, 0x3d, 1), ==, 1);
  g_assert_cmphex (test_pci_read (f->board, AHCI_HOST_DEVFN, 0x34, 1), ==, 0x80);
  g_assert_cmphex (test_pci_read (f->board, AHCI_HOST_DEVFN, 0x80, 4), ==, 0x0080a805);
  g_assert_cmphex (test_pci_read (f->board, AHCI_HOST_DEVFN, 0xa8, 4), ==, 0x00100012);
  g_assert_cmphex (test_pci_read (f->board, AHCI_HOST_DEVFN, 0xac, 4), ==, 0x00000048);
  /* BAR 4: 32 ports; BAR 5: 4 KiB (§2.1.11) */
  test_pci_write (f->board, AHCI_HOST_DEVFN, 0x20, 4, 0xffffffff);
  g_assert_cmphex (test_pci_read (f->board, AHCI_HOST_DEVFN, 0x20, 4) & 0xffff, ==, 0xffe1);
  test_pci_write (f->board, AHCI_HOST_DEVFN, 0x24, 4, 0xffffffff);
  g_assert_cmphex (test_pci_read (f->board, AHCI_HOST_DEVFN, 0x24, 4), ==, 0xfffff000);
  test_pci_write (f->board, AHCI_HOST_DEVFN, 0x24, 4, AHCI_HOST_BAR);

  g_assert_cmphex (ahci_host_read (f->host, AHCI_HOST_CAP), ==, 0xc0141f05);
  g_assert_cmphex (ahci_host_read (f->host, AHCI_HOST_GHC), ==, 0x80000000);
  g_assert_cmphex (ahci_host_read (f->host, AHCI_HOST_IS), ==, 0);
  g_assert_cmphex (ahci_host_read (f->host, AHCI_HOST_PI), ==, 0x3f);
  g_assert_cmphex (ahci_host_read (f->host, AHCI_HOST_VS), ==, 0x00010000);
}

static void
test_start_values (Fixture *f, gconstpointer data)
{
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_SSTS), ==, 0x113);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_SIG), ==, 0x00000101);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_TFD), ==, 0x0150);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_CMD), ==, 0x6);
  g_assert_cmphex (px (f, CD, AHCI_HOST_PX_SSTS), ==, 0x113);
  g_assert_cmphex (px (f, CD, AHCI_HOST_PX_SIG), ==, 0xeb140101);
  g_assert_cmphex (px (f, CD, AHCI_HOST_PX_TFD) & 0x89, ==, 0); /* neither busy nor in error */
  g_assert_cmphex (px (f, EMPTY, AHCI_HOST_PX_SSTS), ==, 0);
  g_assert_cmphex (px (f, EMPTY, AHCI_HOST_PX_SIG), ==, 0xffffffff);
  g_assert_cmphex (px (f, EMPTY, AHCI_HOST_PX_TFD), ==, 0x7f);
}

static void
test_address_masks (Fixture *f, gconstpointer data)
{
  set_px (f, EMPTY, AHCI_HOST_PX_CLB, 0xffffffff);
  set_px (f, EMPTY, AHCI_HOST_PX_CLBU, 0xffffffff);
  set_px (f, EMPTY, AHCI_HOST_PX_FB, 0xffffffff);
  g_assert_cmphex (px (f, EMPTY, AHCI_HOST_PX_CLB), ==, 0xfffffc00);
  g_assert_cmphex (px (f, EMPTY, AHCI_HOST_PX_CLBU), ==, 0xffffffff);
  g_assert_cmphex (px (f, EMPTY, AHCI_HOST_PX_FB), ==, 0xffffff00);
  /* Reads are read-only. */
  ahci_host_write (f->host, AHCI_HOST_CAP, 0);
  ahci_host_write (f->host, AHCI_HOST_PI, 0);
  set_px (f, DISK, AHCI_HOST_PX_SIG, 0);
  set_px (f, DISK, AHCI_HOST_PX_SSTS, 0);
  set_px (f, DISK, AHCI_HOST_PX_TFD, 0);
  test_start_values (f, data);
}

static void
test_narrow_writes_keep_neighbours (Fixture *f, gconstpointer data)
{
  guint64 serr = AHCI_HOST_BAR + 0x100 + DISK * 0x80 + AHCI_HOST_PX_SERR;

  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_SERR), ==, 0x04010000);
  test_write (f->board, serr + 2, 1, 0x01);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_SERR), ==, 0x04000000);
  g_assert_cmphex (test_read (f->board, serr + 3, 1), ==, 0x04);
  test_write (f->board, AHCI_HOST_BAR + 0x100 + AHCI_HOST_PX_CLB + 1, 1, 0xac);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_CLB), ==, 0xac00);
}

static void
test_index_ports (Fixture *f, gconstpointer data)
{
  test_pci_write (f->board, AHCI_HOST_DEVFN, 0x20, 4, 0xc040);
  test_pci_write (f->board, AHCI_HOST_DEVFN, 0x04, 2, 0x0007);
  test_outl (f->board, 0xc050, 0x10);
  g_assert_cmphex (test_inl (f->board, 0xc054), ==, 0x00010000);
  test_outl (f->board, 0xc050, 0x108);
  test_outl (f->board, 0xc054, 0x00345600);
  g_assert_cmphex (px (f, 0, AHCI_HOST_PX_FB), ==, 0x00345600);
}

/* === Resets === */

/* Linux: sata_link_hardreset(), then ahci_check_ready(). */
static void
test_comreset (Fixture *f, gconstpointer data)
{
  ahci_host_start_port (f->host, DISK);
  ahci_host_stop_port (f->host, DISK);
  set_px (f, DISK, AHCI_HOST_PX_SCTL, 0x301);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_SSTS), ==, 0);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_TFD), ==, 0x7f);
  set_px (f, DISK, AHCI_HOST_PX_SCTL, 0x300);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_SCTL), ==, 0x300);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_SSTS), ==, 0x113);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_TFD), ==, 0x0150);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_SIG), ==, 0x00000101);
  /* PhyRdy changed and exchanged, mirrored in PxIS, gone with PxSERR (§3.3.5). */
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_SERR), ==, 0x04010000);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_IS), ==, 0x00400040);
  set_px (f, DISK, AHCI_HOST_PX_IS, 0xffffffff);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_IS), ==, 0x00400040);
  set_px (f, DISK, AHCI_HOST_PX_SERR, 0xffffffff);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_IS), ==, 0);
  /* The signature's frame, without interrupt: status 50, error 01, LBA 000001, count 1. */
  assert_frame (f, DISK, 0x40, "34 00 50 01 01 00 00 00 00 00 00 00 01 00 00 00");
}

static void
test_comreset_cd (Fixture *f, gconstpointer data)
{
  ahci_host_start_port (f->host, CD);
  ahci_host_stop_port (f->host, CD);
  set_px (f, CD, AHCI_HOST_PX_SCTL, 1);
  set_px (f, CD, AHCI_HOST_PX_SCTL, 0);
  g_assert_cmphex (px (f, CD, AHCI_HOST_PX_SIG), ==, 0xeb140101);
  assert_frame (f, CD, 0x40, "34 00 00 01 01 14 eb 00 00 00 00 00 01 00 00 00");
}

static void
test_signature_waits_for_fre (Fixture *f, gconstpointer data)
{
  static const guint8 zeros[32] = { 0 };

  test_ram_write (f->board, ahci_host_frames (DISK) + 0x40, zeros, sizeof zeros);
  ahci_host_start_port (f->host, DISK);
  assert_frame (f, DISK, 0x40, "34 00 50 01 01 00 00 00 00 00 00 00 01 00 00 00");
}

static void
test_offline (Fixture *f, gconstpointer data)
{
  set_px (f, DISK, AHCI_HOST_PX_SCTL, 4);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_SSTS), ==, 4);
  set_px (f, DISK, AHCI_HOST_PX_SCTL, 0);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_SSTS), ==, 0x113);
}

/* Linux: ahci_do_softreset(): two control frames, the first with R and C in its header. */
static void
test_soft_reset (Fixture *f, gconstpointer data)
{
  guint8 frame[20] = { 0x27, 0x00, [15] = 0x04 };
  AhciHostCommand c = { .flags = 0x500 };

  ahci_host_start_port (f->host, DISK);
  ahci_host_prepare (f->host, DISK, 0, &c);
  test_ram_write (f->board, ahci_host_table (DISK, 0), frame, sizeof frame);
  set_px (f, DISK, AHCI_HOST_PX_CI, 1);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_CI), ==, 0);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_TFD) & 0x88, ==, 0); /* the C bit cleared it */

  frame[15] = 0;
  c.flags = 0;
  ahci_host_prepare (f->host, DISK, 1, &c);
  test_ram_write (f->board, ahci_host_table (DISK, 1), frame, sizeof frame);
  set_px (f, DISK, AHCI_HOST_PX_CI, 2);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_CI), ==, 0);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_TFD), ==, 0x0150);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_SIG), ==, 0x00000101);
}

static void
test_hba_reset (Fixture *f, gconstpointer data)
{
  ahci_host_start_port (f->host, DISK);
  set_px (f, DISK, AHCI_HOST_PX_IE, 0xffffffff);
  ahci_host_write (f->host, AHCI_HOST_GHC, 0x80000002);
  ahci_host_write (f->host, AHCI_HOST_GHC, 0x80000001);
  test_wait_until ((ahci_host_read (f->host, AHCI_HOST_GHC) & 1) == 0);
  g_assert_cmphex (ahci_host_read (f->host, AHCI_HOST_GHC), ==, 0x80000000);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_CMD), ==, 0x6);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_IE), ==, 0);
  /* The addresses stay (§10.4.3). */
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_CLB), ==, ahci_host_header (DISK, 0));
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_SSTS), ==, 0x113);
}

/* === Data === */

static void
test_dma_read (Fixture *f, gconstpointer data)
{
  AhciHostCommand c = read_dma_ext (5, 8, AHCI_HOST_DATA);

  ahci_host_start_port (f->host, DISK);
  ahci_host_issue (f->host, DISK, 3, &c);
  test_wait_until (px (f, DISK, AHCI_HOST_PX_CI) == 0);
  assert_pattern (f, AHCI_HOST_DATA, 8 * 512, 5 * 512);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_TFD), ==, 0x50);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_IS), ==, 0x1);
  g_assert_cmpuint (ahci_host_prdbc (f->host, DISK, 3), ==, 8 * 512);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_CMD) >> 8 & 0x1f, ==, 3); /* current slot */
  assert_frame (f, DISK, 0x40, "34 40 50 00");
}

static void
test_dma_write (Fixture *f, gconstpointer data)
{
  guint8 bytes[1024], file[1024];
  AhciHostCommand c = { .command = 0x35,
                        .device = 0x40,
                        .lba = 100,
                        .count = 2,
                        .write = TRUE,
                        .pieces = { { AHCI_HOST_DATA, 1024 } },
                        .n_pieces = 1 };
  int fd = open (f->disk_path, O_RDONLY | O_CLOEXEC);

  for (guint i = 0; i < sizeof bytes; i++)
    bytes[i] = (guint8) (i * 7);
  test_ram_write (f->board, AHCI_HOST_DATA, bytes, sizeof bytes);
  ahci_host_start_port (f->host, DISK);
  g_assert_cmphex (ahci_host_run (f->host, DISK, &c), ==, 0x50);
  g_assert_cmpint (pread (fd, file, sizeof file, 100 * 512), ==, sizeof file);
  g_assert_cmpmem (bytes, sizeof bytes, file, sizeof file);
  close (fd);
}

/* Pieces of any size and alignment: 2 + 510 + 1022 + 4098 + the rest; a sector spans several. */
static void
test_dma_odd_pieces (Fixture *f, gconstpointer data)
{
  AhciHostCommand c = { .command = 0x25,
                        .device = 0x40,
                        .lba = 0,
                        .count = 16,
                        .n_pieces = 5,
                        .pieces = { { AHCI_HOST_DATA, 2 },
                                    { AHCI_HOST_DATA + 0x10002, 510 },
                                    { AHCI_HOST_DATA + 0x20004, 1022 },
                                    { AHCI_HOST_DATA + 0x30006, 4098 },
                                    { AHCI_HOST_DATA + 0x40008, 65536 } } };
  guint64 at = 0;

  ahci_host_start_port (f->host, DISK);
  g_assert_cmphex (ahci_host_run (f->host, DISK, &c), ==, 0x50);
  for (guint i = 0; i < 5; i++)
    {
      gsize len = MIN (c.pieces[i].len, 16 * 512 - at);

      assert_pattern (f, c.pieces[i].addr, len, at);
      at += len;
    }
  g_assert_cmpuint (ahci_host_prdbc (f->host, DISK, 0), ==, 16 * 512);
}

/* As many entries as the header can name, two bytes each: more than any vector holds at once. */
static void
test_dma_many_pieces (Fixture *f, gconstpointer data)
{
  const guint n = 65535, sectors = n * 2 / 512;
  g_autofree guint8 *table = g_malloc0 (0x80 + n * 16);
  const guint64 table_gpa = 0x1000000;
  guint32 words[4] = { GUINT32_TO_LE (5 | n << 16), 0, GUINT32_TO_LE ((guint32) table_gpa), 0 };

  table[0] = 0x27;
  table[1] = 0x80;
  table[2] = 0x25;
  table[7] = 0x40;
  table[12] = (guint8) sectors;
  for (guint i = 0; i < n; i++)
    {
      guint32 addr = GUINT32_TO_LE (AHCI_HOST_DATA + i * 4), len = GUINT32_TO_LE (1);

      memcpy (table + 0x80 + i * 16, &addr, 4);
      memcpy (table + 0x8c + i * 16, &len, 4);
    }
  test_ram_write (f->board, table_gpa, table, 0x80 + n * 16);
  test_ram_write (f->board, ahci_host_header (DISK, 0), words, sizeof words);
  ahci_host_start_port (f->host, DISK);
  set_px (f, DISK, AHCI_HOST_PX_CI, 1);
  test_wait_until (px (f, DISK, AHCI_HOST_PX_CI) == 0);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_TFD), ==, 0x50);
  for (guint i = 0; i < sectors * 256; i += 97)
    assert_pattern (f, AHCI_HOST_DATA + i * 4, 2, i * 2);
}

static void
test_dma_outside_ram (Fixture *f, gconstpointer data)
{
  AhciHostCommand c = read_dma_ext (0, 16, AHCI_HOST_DATA);
  AhciHostCommand good = read_dma_ext (0, 1, AHCI_HOST_DATA);

  c.pieces[0].len = 4096;
  c.pieces[1] = (AhciHostPiece) { 64u << 20, 4096 }; /* behind the end */
  c.n_pieces = 2;
  ahci_host_start_port (f->host, DISK);
  ahci_host_issue (f->host, DISK, 0, &c);
  test_wait_until ((px (f, DISK, AHCI_HOST_PX_IS) & 0x20000000) != 0); /* host bus fatal error */
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_CI), ==, 1);
  /* Nothing runs before the port was restarted (§6.2.2.1). */
  ahci_host_prepare (f->host, DISK, 1, &good);
  set_px (f, DISK, AHCI_HOST_PX_CI, 2);
  test_board_settle (f->board);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_CI), ==, 3);
  ahci_host_stop_port (f->host, DISK);
  ahci_host_start_port (f->host, DISK);
  g_assert_cmphex (ahci_host_run (f->host, DISK, &good), ==, 0x50);
}

static void
test_structures_outside_ram (Fixture *f, gconstpointer data)
{
  guint32 words[4] = { GUINT32_TO_LE (5 | 1 << 16), 0, GUINT32_TO_LE (0xfee00000), 0 };
  AhciHostCommand good = read_dma_ext (0, 1, AHCI_HOST_DATA);

  ahci_host_start_port (f->host, DISK);
  test_ram_write (f->board, ahci_host_header (DISK, 0), words, sizeof words);
  set_px (f, DISK, AHCI_HOST_PX_CI, 1);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_IS) & 0x20000000, !=, 0);
  ahci_host_stop_port (f->host, DISK);

  set_px (f, DISK, AHCI_HOST_PX_IS, 0xffffffff);
  set_px (f, DISK, AHCI_HOST_PX_CLBU, 0xffffffff);
  set_px (f, DISK, AHCI_HOST_PX_CLB, 0xffffffff);
  set_px (f, DISK, AHCI_HOST_PX_CMD, px (f, DISK, AHCI_HOST_PX_CMD) | 1);
  set_px (f, DISK, AHCI_HOST_PX_CI, 0x80000000);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_IS) & 0x20000000, !=, 0);
  ahci_host_stop_port (f->host, DISK);
  ahci_host_start_port (f->host, DISK);
  g_assert_cmphex (ahci_host_run (f->host, DISK, &good), ==, 0x50);
}

static void
test_dma_without_bus_master (Fixture *f, gconstpointer data)
{
  AhciHostCommand c = read_dma_ext (0, 1, AHCI_HOST_DATA);
  guint8 bytes[512] = { 0 }, after[512];

  test_ram_write (f->board, AHCI_HOST_DATA, bytes, sizeof bytes);
  ahci_host_start_port (f->host, DISK);
  ahci_host_prepare (f->host, DISK, 0, &c);
  test_pci_write (f->board, AHCI_HOST_DEVFN, 0x04, 2, 0x0002);
  set_px (f, DISK, AHCI_HOST_PX_CI, 1);
  test_board_settle (f->board);
  test_ram_read (f->board, AHCI_HOST_DATA, after, sizeof after);
  g_assert_cmpmem (bytes, sizeof bytes, after, sizeof after);
}

/* More data than memory for it: §3.3.5, OFS. */
static void
test_dma_short_table (Fixture *f, gconstpointer data)
{
  AhciHostCommand c = read_dma_ext (0, 4, AHCI_HOST_DATA);

  c.pieces[0].len = 1024;
  ahci_host_start_port (f->host, DISK);
  ahci_host_issue (f->host, DISK, 0, &c);
  test_wait_until (px (f, DISK, AHCI_HOST_PX_CI) == 0);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_IS), ==, 0x01000001);
  assert_pattern (f, AHCI_HOST_DATA, 1024, 0);
  g_assert_cmpuint (ahci_host_prdbc (f->host, DISK, 0), ==, 1024);
}

static void
test_pio_frames (Fixture *f, gconstpointer data)
{
  AhciHostCommand c = { .command = 0x20,
                        .device = 0x40,
                        .lba = 1,
                        .count = 1,
                        .pieces = { { AHCI_HOST_DATA, 512 } },
                        .n_pieces = 1 };

  ahci_host_start_port (f->host, DISK);
  ahci_host_issue (f->host, DISK, 0, &c);
  test_wait_until (px (f, DISK, AHCI_HOST_PX_CI) == 0);
  /* PIO Setup with I and D: status 58 before, 50 after, 512 bytes; that is what SeaBIOS waits for. */
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_IS), ==, 0x2);
  assert_frame (f, DISK, 0x20, "5f 60 58 00 00 00 00 40 00 00 00 00 00 00 00 50 00 02");
  assert_pattern (f, AHCI_HOST_DATA, 512, 512);
}

static void
test_bad_frame (Fixture *f, gconstpointer data)
{
  AhciHostCommand c = read_dma_ext (0, 1, AHCI_HOST_DATA);
  guint8 type = 0x39;

  ahci_host_start_port (f->host, DISK);
  ahci_host_prepare (f->host, DISK, 0, &c);
  test_ram_write (f->board, ahci_host_table (DISK, 0), &type, 1);
  set_px (f, DISK, AHCI_HOST_PX_CI, 1);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_IS), ==, 0x08000000);
  ahci_host_stop_port (f->host, DISK);
  ahci_host_start_port (f->host, DISK);
  g_assert_cmphex (ahci_host_run (f->host, DISK, &c), ==, 0x50);
}

static void
test_not_started (Fixture *f, gconstpointer data)
{
  AhciHostCommand c = read_dma_ext (0, 1, AHCI_HOST_DATA);

  ahci_host_start_port (f->host, DISK);
  ahci_host_stop_port (f->host, DISK);
  ahci_host_prepare (f->host, DISK, 0, &c);
  set_px (f, DISK, AHCI_HOST_PX_SACT, 1);
  set_px (f, DISK, AHCI_HOST_PX_CI, 1);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_CI), ==, 0);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_SACT), ==, 0);
}

static void
test_slots_in_turn (Fixture *f, gconstpointer data)
{
  ahci_host_start_port (f->host, DISK);
  for (guint slot = 0; slot < 32; slot++)
    {
      AhciHostCommand c = read_dma_ext (slot, 1, AHCI_HOST_DATA + slot * 512);

      ahci_host_prepare (f->host, DISK, slot, &c);
    }
  set_px (f, DISK, AHCI_HOST_PX_CI, 0xffffffff);
  test_wait_until (px (f, DISK, AHCI_HOST_PX_CI) == 0);
  assert_pattern (f, AHCI_HOST_DATA, 32 * 512, 0);
}

/* === Errors === */

static void
test_error_keeps_the_slot (Fixture *f, gconstpointer data)
{
  AhciHostCommand bad = read_dma_ext (DISK_SECTORS, 1, AHCI_HOST_DATA);
  AhciHostCommand good = read_dma_ext (0, 1, AHCI_HOST_DATA);

  ahci_host_start_port (f->host, DISK);
  ahci_host_issue (f->host, DISK, 7, &bad);
  /* §6.2.2.1: task file error, PxCI keeps the slot, PxCMD.CCS names it. */
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_TFD), ==, 0x1051); /* IDNF */
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_IS), ==, 0x40000001);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_CI), ==, 0x80);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_CMD) >> 8 & 0x1f, ==, 7);
  ahci_host_prepare (f->host, DISK, 8, &good);
  set_px (f, DISK, AHCI_HOST_PX_CI, 0x100);
  test_board_settle (f->board);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_CI), ==, 0x180);
  ahci_host_stop_port (f->host, DISK);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_CI), ==, 0);
  set_px (f, DISK, AHCI_HOST_PX_CMD, px (f, DISK, AHCI_HOST_PX_CMD) | 1);
  g_assert_cmphex (ahci_host_run (f->host, DISK, &good), ==, 0x50);
}

static void
test_medium_error (Fixture *f, gconstpointer data)
{
  AhciHostCommand c = read_dma_ext (40, 8, AHCI_HOST_DATA);

  f->fail = -EIO;
  ahci_host_start_port (f->host, DISK);
  g_assert_cmphex (ahci_host_run (f->host, DISK, &c), ==, 0x4051); /* UNC */
  assert_frame (f, DISK, 0x40, "34 40 51 40 28 00 00");
  f->fail = 0;
  g_assert_cmphex (ahci_host_run (f->host, DISK, &c), ==, 0x50);
}

static void
test_full_host_disk (Fixture *f, gconstpointer data)
{
  AhciHostCommand c = { .command = 0x35,
                        .device = 0x40,
                        .lba = 100,
                        .count = 1,
                        .write = TRUE,
                        .pieces = { { AHCI_HOST_DATA, 512 } },
                        .n_pieces = 1 };

  f->fail = -ENOSPC;
  ahci_host_start_port (f->host, DISK);
  ahci_host_issue (f->host, DISK, 0, &c);
  wait_at_gate (f);
  test_board_settle (f->board);
  test_board_settle (f->board);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_CI), ==, 1); /* the guest waits */
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_TFD) & 0x80, ==, 0x80);
  f->fail = 0;
  g_assert_cmpuint (f->board->machine->blocks->len, ==, 1);
  vmm_block_retry (f->board->machine->blocks->pdata[0]);
  test_wait_until (px (f, DISK, AHCI_HOST_PX_CI) == 0);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_TFD), ==, 0x50);
}

/* === Queued commands === */

static void
test_queue_read (Fixture *f, gconstpointer data)
{
  ahci_host_start_port (f->host, DISK);
  for (guint slot = 0; slot < 32; slot++)
    {
      AhciHostCommand c = queued (FALSE, slot, slot * 8, 8, AHCI_HOST_DATA + slot * 4096);

      ahci_host_prepare (f->host, DISK, slot, &c);
    }
  close_gate (f);
  set_px (f, DISK, AHCI_HOST_PX_SACT, 0xffffffff);
  set_px (f, DISK, AHCI_HOST_PX_CI, 0xffffffff);
  /* Accepted: PxCI is clear, PxSACT stands (§5.6.4.1). */
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_CI), ==, 0);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_SACT), ==, 0xffffffff);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_TFD), ==, 0x50);
  open_gate (f);
  test_wait_until (px (f, DISK, AHCI_HOST_PX_SACT) == 0);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_IS) & 0x40000008, ==, 0x8);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_TFD), ==, 0x50);
  assert_pattern (f, AHCI_HOST_DATA, 32 * 4096, 0);
  assert_frame (f, DISK, 0x58, "a1 40 50 00");
}

static void
test_queue_write_fua (Fixture *f, gconstpointer data)
{
  AhciHostCommand c = queued (TRUE, 4, 9, 1, AHCI_HOST_DATA);
  guint8 byte;
  int fd = open (f->disk_path, O_RDONLY | O_CLOEXEC);

  test_ram_write (f->board, AHCI_HOST_DATA, "Z", 1);
  c.device |= 0x80;
  ahci_host_start_port (f->host, DISK);
  ahci_host_issue (f->host, DISK, 4, &c);
  test_wait_until (px (f, DISK, AHCI_HOST_PX_SACT) == 0);
  g_assert_cmpuint (f->n_done, ==, 2); /* the write and a flush */
  g_assert_cmpint (pread (fd, &byte, 1, 9 * 512), ==, 1);
  g_assert_cmpint (byte, ==, 'Z');
  close (fd);
}

/* §6.2.2.2; Linux: ahci_error_intr(), ata_eh_analyze_ncq_error(). */
static void
test_queue_error (Fixture *f, gconstpointer data)
{
  AhciHostCommand bad = queued (FALSE, 5, 0x123456, 8, AHCI_HOST_DATA);
  AhciHostCommand good = queued (FALSE, 6, 16, 8, AHCI_HOST_DATA);
  AhciHostCommand log = { .command = 0x2f,
                          .device = 0x40,
                          .lba = 0x10,
                          .count = 1,
                          .pieces = { { AHCI_HOST_DATA, 512 } },
                          .n_pieces = 1 };
  guint8 page[512], sum = 0;

  ahci_host_start_port (f->host, DISK);
  ahci_host_prepare (f->host, DISK, 5, &bad);
  ahci_host_prepare (f->host, DISK, 6, &good);
  set_px (f, DISK, AHCI_HOST_PX_SACT, 0x60);
  set_px (f, DISK, AHCI_HOST_PX_CI, 0x60);
  test_wait_until ((px (f, DISK, AHCI_HOST_PX_IS) & 0x40000000) != 0);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_TFD), ==, 0x1051);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_SACT) & 0x20, ==, 0x20);
  ahci_host_stop_port (f->host, DISK);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_SACT), ==, 0);
  set_px (f, DISK, AHCI_HOST_PX_IS, 0xffffffff);
  set_px (f, DISK, AHCI_HOST_PX_CMD, px (f, DISK, AHCI_HOST_PX_CMD) | 1);

  /* Everything else is refused before the log was read (ACS-3 §4.14.4). */
  g_assert_cmphex (ahci_host_ata (f->host, DISK, 0xec, 0, 0, 0, 512, FALSE), ==, 0x0451);
  g_assert_cmphex (ahci_host_run (f->host, DISK, &log), ==, 0x50);
  test_ram_read (f->board, AHCI_HOST_DATA, page, sizeof page);
  g_assert_cmphex (page[0], ==, 0x05); /* tag, and no NQ */
  g_assert_cmphex (page[2], ==, 0x51);
  g_assert_cmphex (page[3], ==, 0x10);
  g_assert_cmphex (page[4], ==, 0x56);
  g_assert_cmphex (page[5], ==, 0x34);
  g_assert_cmphex (page[6], ==, 0x12);
  for (guint i = 0; i < sizeof page; i++)
    sum = (guint8) (sum + page[i]);
  g_assert_cmphex (sum, ==, 0);

  ahci_host_issue (f->host, DISK, 6, &good);
  test_wait_until (px (f, DISK, AHCI_HOST_PX_SACT) == 0);
  assert_pattern (f, AHCI_HOST_DATA, 4096, 16 * 512);
}

static void
test_queue_wrong_tag (Fixture *f, gconstpointer data)
{
  AhciHostCommand c = queued (FALSE, 9, 0, 1, AHCI_HOST_DATA);

  ahci_host_start_port (f->host, DISK);
  ahci_host_prepare (f->host, DISK, 3, &c);
  set_px (f, DISK, AHCI_HOST_PX_SACT, 8);
  set_px (f, DISK, AHCI_HOST_PX_CI, 8);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_IS) & 0x40000000, !=, 0);
}

/* A command that is not queued waits for those that are. */
static void
test_queue_then_single (Fixture *f, gconstpointer data)
{
  AhciHostCommand q = queued (FALSE, 0, 0, 8, AHCI_HOST_DATA);
  AhciHostCommand c = read_dma_ext (64, 8, AHCI_HOST_DATA + 4096);

  ahci_host_start_port (f->host, DISK);
  close_gate (f);
  ahci_host_issue (f->host, DISK, 0, &q);
  ahci_host_issue (f->host, DISK, 1, &c);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_CI), ==, 2);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_TFD), ==, 0x50);
  open_gate (f);
  test_wait_until (px (f, DISK, AHCI_HOST_PX_CI) == 0);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_SACT), ==, 0);
  assert_pattern (f, AHCI_HOST_DATA, 4096, 0);
  assert_pattern (f, AHCI_HOST_DATA + 4096, 4096, 64 * 512);
}

/* === Commands in flight === */

static void
test_stop_waits_for_flight (Fixture *f, gconstpointer data)
{
  AhciHostCommand c = read_dma_ext (0, 8, AHCI_HOST_DATA);

  ahci_host_start_port (f->host, DISK);
  close_gate (f);
  ahci_host_issue (f->host, DISK, 0, &c);
  wait_at_gate (f);
  set_px (f, DISK, AHCI_HOST_PX_IS, 0xffffffff);
  set_px (f, DISK, AHCI_HOST_PX_CMD, px (f, DISK, AHCI_HOST_PX_CMD) & ~1u);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_CI), ==, 0);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_CMD) & 0x8000, ==, 0x8000); /* CR: memory is still in use */
  open_gate (f);
  test_wait_until ((px (f, DISK, AHCI_HOST_PX_CMD) & 0x8000) == 0);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_IS), ==, 0); /* nobody hears of it */
  set_px (f, DISK, AHCI_HOST_PX_CMD, px (f, DISK, AHCI_HOST_PX_CMD) | 1);
}

static void
test_comreset_waits_for_flight (Fixture *f, gconstpointer data)
{
  ahci_host_start_port (f->host, DISK);
  for (guint slot = 0; slot < 32; slot++)
    {
      AhciHostCommand c = queued (FALSE, slot, slot, 1, AHCI_HOST_DATA + slot * 512);

      ahci_host_prepare (f->host, DISK, slot, &c);
    }
  close_gate (f);
  set_px (f, DISK, AHCI_HOST_PX_SACT, 0xffffffff);
  set_px (f, DISK, AHCI_HOST_PX_CI, 0xffffffff);
  wait_at_gate (f);
  set_px (f, DISK, AHCI_HOST_PX_CMD, px (f, DISK, AHCI_HOST_PX_CMD) & ~1u);
  set_px (f, DISK, AHCI_HOST_PX_SCTL, 1);
  set_px (f, DISK, AHCI_HOST_PX_SCTL, 0);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_SSTS), ==, 0x113);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_TFD) & 0x80, ==, 0x80);
  open_gate (f);
  test_wait_until (px (f, DISK, AHCI_HOST_PX_TFD) == 0x0150);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_SACT), ==, 0);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_IS) & 0x9, ==, 0);
}

static void
test_hba_reset_waits_for_flight (Fixture *f, gconstpointer data)
{
  AhciHostCommand c = read_dma_ext (0, 8, AHCI_HOST_DATA);

  ahci_host_start_port (f->host, DISK);
  close_gate (f);
  ahci_host_issue (f->host, DISK, 0, &c);
  wait_at_gate (f);
  ahci_host_write (f->host, AHCI_HOST_GHC, 0x80000001);
  g_assert_cmphex (ahci_host_read (f->host, AHCI_HOST_GHC), ==, 0x80000001);
  open_gate (f);
  test_wait_until (ahci_host_read (f->host, AHCI_HOST_GHC) == 0x80000000);
  ahci_host_start_port (f->host, DISK);
  g_assert_cmphex (ahci_host_run (f->host, DISK, &c), ==, 0x50);
}

static gpointer
open_later (gpointer data)
{
  g_usleep (20000);
  open_gate (data);
  return NULL;
}

/* The machine's reset line: quiesce, reset, resume. */
static void
test_machine_reset_in_flight (Fixture *f, gconstpointer data)
{
  AhciHostCommand c = read_dma_ext (0, 8, AHCI_HOST_DATA);
  GThread *thread;

  ahci_host_start_port (f->host, DISK);
  close_gate (f);
  ahci_host_issue (f->host, DISK, 0, &c);
  wait_at_gate (f);
  thread = g_thread_new ("opener", open_later, f);
  test_board_reset (f->board, VMM_RESET_WARM);
  g_thread_join (thread);
  test_pci_write (f->board, AHCI_HOST_DEVFN, 0x24, 4, AHCI_HOST_BAR);
  test_pci_write (f->board, AHCI_HOST_DEVFN, 0x04, 2, 0x0006);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_CLB), ==, 0);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_CMD), ==, 0x6);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_TFD), ==, 0x0150);
  ahci_host_start_port (f->host, DISK);
  g_assert_cmphex (ahci_host_run (f->host, DISK, &c), ==, 0x50);
}

/* The host's disk is full while the machine is reset: the write is given up, and does not come back with the next guest's memory. */
static void
test_machine_reset_while_stalled (Fixture *f, gconstpointer data)
{
  AhciHostCommand write = queued (TRUE, 0, 8, 1, AHCI_HOST_DATA), read = read_dma_ext (8, 1, AHCI_HOST_DATA);
  GThread *thread;

  ahci_host_start_port (f->host, DISK);
  close_gate (f);
  f->fail = -ENOSPC;
  ahci_host_prepare (f->host, DISK, 0, &write);
  set_px (f, DISK, AHCI_HOST_PX_SACT, 1);
  set_px (f, DISK, AHCI_HOST_PX_CI, 1);
  wait_at_gate (f);
  thread = g_thread_new ("opener", open_later, f);
  test_board_reset (f->board, VMM_RESET_WARM);
  g_thread_join (thread);
  f->fail = 0;
  test_pci_write (f->board, AHCI_HOST_DEVFN, 0x24, 4, AHCI_HOST_BAR);
  test_pci_write (f->board, AHCI_HOST_DEVFN, 0x04, 2, 0x0006);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_TFD), ==, 0x0150);
  vmm_block_retry (f->block);
  vmm_block_drain (f->block);
  ahci_host_start_port (f->host, DISK);
  g_assert_cmphex (ahci_host_run (f->host, DISK, &read), ==, 0x50);
  assert_pattern (f, AHCI_HOST_DATA, 512, 8 * 512);
}

/* A pause and a resume between the requests of one long command, and before another: nothing is lost. */
static void
test_quiesce_and_go_on (Fixture *f, gconstpointer data)
{
  VmmDevice *ahci = f->host->ahci;
  AhciHostCommand c = read_dma_ext (0, 8, AHCI_HOST_DATA);

  ahci_host_start_port (f->host, DISK);
  ahci->class->quiesce (ahci);
  ahci_host_issue (f->host, DISK, 0, &c);
  test_board_settle (f->board);
  g_assert_cmphex (px (f, DISK, AHCI_HOST_PX_CI), ==, 1);
  ahci->class->resume (ahci);
  test_wait_until (px (f, DISK, AHCI_HOST_PX_CI) == 0);
  assert_pattern (f, AHCI_HOST_DATA, 4096, 0);
}

/* === Interrupts === */

static void
test_level (Fixture *f, gconstpointer data)
{
  AhciHostCommand c = read_dma_ext (0, 1, AHCI_HOST_DATA);

  ahci_host_start_port (f->host, DISK);
  ahci_host_write (f->host, AHCI_HOST_GHC, 0x80000002);
  ahci_host_issue (f->host, DISK, 0, &c);
  test_wait_until (px (f, DISK, AHCI_HOST_PX_CI) == 0);
  g_assert_false (test_irq_level (f->board, GSI)); /* PxIE is 0 */
  g_assert_cmphex (ahci_host_read (f->host, AHCI_HOST_IS), ==, 0);

  set_px (f, DISK, AHCI_HOST_PX_IE, 1);
  g_assert_true (test_irq_level (f->board, GSI));
  g_assert_cmphex (ahci_host_read (f->host, AHCI_HOST_IS), ==, 1);
  ahci_host_write (f->host, AHCI_HOST_IS, 1); /* the port still asks */
  g_assert_true (test_irq_level (f->board, GSI));
  set_px (f, DISK, AHCI_HOST_PX_IS, 1);
  g_assert_true (test_irq_level (f->board, GSI)); /* IS is a latch */
  ahci_host_write (f->host, AHCI_HOST_IS, 1);
  g_assert_false (test_irq_level (f->board, GSI));

  ahci_host_issue (f->host, DISK, 0, &c);
  test_wait_until (test_irq_level (f->board, GSI));
  ahci_host_write (f->host, AHCI_HOST_GHC, 0x80000000);
  g_assert_false (test_irq_level (f->board, GSI));
}

static void
test_msi (Fixture *f, gconstpointer data)
{
  AhciHostCommand c = read_dma_ext (0, 1, AHCI_HOST_DATA);

  test_pci_write (f->board, AHCI_HOST_DEVFN, 0x84, 4, 0xfee01000);
  test_pci_write (f->board, AHCI_HOST_DEVFN, 0x8c, 2, 0x4041);
  test_pci_write (f->board, AHCI_HOST_DEVFN, 0x82, 2, 0x0001);
  ahci_host_start_port (f->host, DISK);
  ahci_host_write (f->host, AHCI_HOST_GHC, 0x80000002);
  set_px (f, DISK, AHCI_HOST_PX_IE, 1);
  ahci_host_issue (f->host, DISK, 0, &c);
  test_wait_until (test_msi_count (f->board) == 1);
  g_assert_cmphex (test_msi_get (f->board, 0).address, ==, 0xfee01000);
  g_assert_cmphex (test_msi_get (f->board, 0).data, ==, 0x4041);
  g_assert_false (test_irq_level (f->board, GSI));
  /* Cleared too early: the port still asks, so another message comes; else it would be lost. */
  ahci_host_write (f->host, AHCI_HOST_IS, 1);
  g_assert_cmpuint (test_msi_count (f->board), ==, 2);
  set_px (f, DISK, AHCI_HOST_PX_IS, 1);
  ahci_host_write (f->host, AHCI_HOST_IS, 1);
  g_assert_cmpuint (test_msi_count (f->board), ==, 2);
  ahci_host_issue (f->host, DISK, 0, &c);
  test_wait_until (test_msi_count (f->board) == 3);
}

/* Tags that come back together are one frame and one interrupt. */
static void
test_msi_of_many (Fixture *f, gconstpointer data)
{
  test_pci_write (f->board, AHCI_HOST_DEVFN, 0x84, 4, 0xfee01000);
  test_pci_write (f->board, AHCI_HOST_DEVFN, 0x82, 2, 0x0001);
  ahci_host_start_port (f->host, DISK);
  ahci_host_write (f->host, AHCI_HOST_GHC, 0x80000002);
  set_px (f, DISK, AHCI_HOST_PX_IE, 0x8);
  for (guint slot = 0; slot < 32; slot++)
    {
      AhciHostCommand c = queued (FALSE, slot, slot, 1, AHCI_HOST_DATA + slot * 512);

      ahci_host_prepare (f->host, DISK, slot, &c);
    }
  close_gate (f);
  set_px (f, DISK, AHCI_HOST_PX_SACT, 0xffffffff);
  set_px (f, DISK, AHCI_HOST_PX_CI, 0xffffffff);
  wait_at_gate (f);
  open_gate (f);
  test_wait_until (px (f, DISK, AHCI_HOST_PX_SACT) == 0);
  g_assert_cmpuint (test_msi_count (f->board), ==, 1); /* nobody cleared IS in between */
}

/* === Construction === */

static void
test_ports_are_given_out (Fixture *f, gconstpointer data)
{
  g_autoptr (GHashTable) settings = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GError) error = NULL;
  VmmSataDrive *drive;

  drive = (VmmSataDrive *) test_board_add (f->board, "sata-cd", "cd1", NULL);
  g_assert_cmpuint (drive->port, ==, 1);
  g_hash_table_insert (settings, (gpointer) "port", (gpointer) "2");
  g_assert_null (vmm_device_new (f->board->machine, vmm_device_class_find ("sata-cd"), "cd2", settings, &error));
  g_assert_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG);
  g_clear_error (&error);
  for (guint i = 0; i < 3; i++)
    {
      g_autofree char *id = g_strdup_printf ("more%u", i);

      test_board_add (f->board, "sata-cd", id, NULL);
    }
  g_assert_null (vmm_device_new (f->board->machine, vmm_device_class_find ("sata-cd"), "cd9", NULL, &error));
  g_assert_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG);
}

static void
test_state_is_described (void)
{
  static const char *const names[] = { "ahci", "sata-disk", "sata-cd" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      const VmmDeviceClass *class = vmm_device_class_find (names[i]);
      gsize gap = 0;

      g_assert_true (vmm_fields_covers (class->regs_fields, class->regs_size, &gap));
    }
}

#define ADD(path, func) g_test_add ("/ahci/" path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("registers/identity", test_identity);
  ADD ("registers/start-values", test_start_values);
  ADD ("registers/masks", test_address_masks);
  ADD ("registers/narrow-writes-keep-neighbours", test_narrow_writes_keep_neighbours);
  ADD ("registers/index-and-data-ports", test_index_ports);
  ADD ("reset/comreset-brings-signature", test_comreset);
  ADD ("reset/comreset-brings-atapi-signature", test_comreset_cd);
  ADD ("reset/signature-frame-waits-for-fre", test_signature_waits_for_fre);
  ADD ("reset/offline-and-back", test_offline);
  ADD ("reset/soft-reset-of-linux", test_soft_reset);
  ADD ("reset/hba-reset", test_hba_reset);
  ADD ("dma/read", test_dma_read);
  ADD ("dma/write", test_dma_write);
  ADD ("dma/pieces-of-odd-sizes", test_dma_odd_pieces);
  ADD ("dma/65535-pieces", test_dma_many_pieces);
  ADD ("dma/outside-ram-is-a-bus-error", test_dma_outside_ram);
  ADD ("dma/structures-outside-ram", test_structures_outside_ram);
  ADD ("dma/none-without-bus-mastering", test_dma_without_bus_master);
  ADD ("dma/short-table-overflows", test_dma_short_table);
  ADD ("pio/setup-frame", test_pio_frames);
  ADD ("command/wrong-frame-type", test_bad_frame);
  ADD ("command/nothing-while-stopped", test_not_started);
  ADD ("command/32-slots", test_slots_in_turn);
  ADD ("error/slot-stays-until-restart", test_error_keeps_the_slot);
  ADD ("error/unreadable-sector", test_medium_error);
  ADD ("error/full-host-disk-waits", test_full_host_disk);
  ADD ("queue/32-reads", test_queue_read);
  ADD ("queue/write-with-fua-flushes", test_queue_write_fua);
  ADD ("queue/error-and-recovery", test_queue_error);
  ADD ("queue/tag-is-not-the-slot", test_queue_wrong_tag);
  ADD ("queue/others-wait", test_queue_then_single);
  ADD ("flight/stop-keeps-cr", test_stop_waits_for_flight);
  ADD ("flight/comreset-keeps-bsy", test_comreset_waits_for_flight);
  ADD ("flight/hba-reset-keeps-hr", test_hba_reset_waits_for_flight);
  ADD ("flight/machine-reset", test_machine_reset_in_flight);
  ADD ("flight/machine-reset-gives-up-what-stalled", test_machine_reset_while_stalled);
  ADD ("flight/pause-and-resume", test_quiesce_and_go_on);
  ADD ("irq/level", test_level);
  ADD ("irq/msi", test_msi);
  ADD ("irq/one-message-for-many", test_msi_of_many);
  ADD ("ports/are-given-out", test_ports_are_given_out);
  g_test_add_func ("/ahci/state/every-byte-is-described", test_state_is_described);
  return g_test_run ();
}
