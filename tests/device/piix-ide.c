/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: ATA/ATAPI-6 (sections named), Programming Interface for Bus Master IDE Controller 1.0, PIIX3 datasheet; sequences of
 * SeaBIOS' ata.c and Linux' libata-sff. */
#include "core/fields.h"
#include "pci/pci.h"
#include "test-board.h"

#include <glib/gstdio.h>
#include <string.h>

#define DEVFN (2 << 3)
#define SECTORS 16384u
#define BM 0xc000
#define PRDT 0x10000u
#define DATA 0x100000u

typedef struct {
  TestBoard *board;
  VmmDevice *ide;
  char *dir, *disk, *cd;
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

static void
map (Fixture *f)
{
  test_pci_write (f->board, DEVFN, 0x20, 4, BM);
  test_pci_write (f->board, DEVFN, 0x04, 2, 0x0005);
}

/* A disk at the first place of the first channel, a CD drive at the first of the second. */
static void
set_up (Fixture *f, gconstpointer data)
{
  f->dir = g_dir_make_tmp ("lodge-ide-XXXXXX", NULL);
  f->disk = g_build_filename (f->dir, "disk.img", NULL);
  f->cd = g_build_filename (f->dir, "cd.iso", NULL);
  make_image (f->disk, SECTORS * 512);
  make_image (f->cd, 100 * 2048);
  f->board = test_board_new ();
  test_board_add (f->board, "ide-disk", "disk0", "image", f->disk, "port", "0", NULL);
  test_board_add (f->board, "ide-cd", "cd0", "image", f->cd, "port", "2", NULL);
  f->ide = vmm_machine_find_class (f->board->machine, "piix-ide");
  g_assert_nonnull (f->ide);
  test_board_reset (f->board, VMM_RESET_COLD);
  map (f);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  test_board_free (f->board);
  g_unlink (f->disk);
  g_unlink (f->cd);
  g_rmdir (f->dir);
  g_free (f->disk);
  g_free (f->cd);
  g_free (f->dir);
}

static guint16
base (guint channel)
{
  return channel == 0 ? 0x1f0 : 0x170;
}

/* §9.3: waits until BSY is clear by the alternate status, which leaves the interrupt alone. */
static guint8
wait_idle (Fixture *f, guint channel)
{
  test_wait_until ((test_inb (f->board, base (channel) + 0x206) & 0x80) == 0);
  return test_inb (f->board, base (channel) + 0x206);
}

static void
task_file (Fixture *f, guint channel, guint8 command, guint8 device, guint64 lba, guint16 count)
{
  guint16 b = base (channel);

  test_outb (f->board, b + 6, device);
  test_outb (f->board, b + 2, (guint8) (count >> 8));
  test_outb (f->board, b + 3, (guint8) (lba >> 24));
  test_outb (f->board, b + 4, (guint8) (lba >> 32));
  test_outb (f->board, b + 5, (guint8) (lba >> 40));
  test_outb (f->board, b + 2, (guint8) count);
  test_outb (f->board, b + 3, (guint8) lba);
  test_outb (f->board, b + 4, (guint8) (lba >> 8));
  test_outb (f->board, b + 5, (guint8) (lba >> 16));
  test_outb (f->board, b + 7, command);
}

static void
read_block (Fixture *f, guint channel, guint bytes, guint8 *to)
{
  for (guint i = 0; i < bytes; i += 2)
    {
      guint16 word = test_inw (f->board, base (channel));

      to[i] = (guint8) word;
      to[i + 1] = (guint8) (word >> 8);
    }
}

static gboolean
irq (Fixture *f, guint channel)
{
  return test_irq_level (f->board, 14 + channel);
}

/* === Function === */

static void
test_pci_header (Fixture *f, gconstpointer data)
{
  g_assert_cmphex (test_pci_read (f->board, DEVFN, 0x00, 4), ==, 0x70108086);
  g_assert_cmphex (test_pci_read (f->board, DEVFN, 0x08, 4) >> 8, ==, 0x010180);
  g_assert_cmphex (test_pci_read (f->board, DEVFN, 0x20, 4), ==, BM | 1);
}

static void
test_pci_decode_enable (Fixture *f, gconstpointer data)
{
  g_assert_cmphex (test_inb (f->board, 0x1f7), ==, 0x50);
  test_pci_write (f->board, DEVFN, 0x40, 2, 0x0000);
  g_assert_cmphex (test_inb (f->board, 0x1f7), ==, 0xff);
  test_pci_write (f->board, DEVFN, 0x40, 2, 0x8000);
  g_assert_cmphex (test_inb (f->board, 0x1f7), ==, 0x50);
}

/* === Drives === */

/* §9.12: what a drive shows after reset. */
static void
test_reset_signature (Fixture *f, gconstpointer data)
{
  for (guint channel = 0; channel < 2; channel++)
    {
      test_outb (f->board, base (channel) + 0x206, 0x04);
      g_assert_cmphex (test_inb (f->board, base (channel) + 0x206) & 0x80, ==, 0x80);
      test_outb (f->board, base (channel) + 0x206, 0x00);
      wait_idle (f, channel);
      g_assert_cmphex (test_inb (f->board, base (channel) + 1), ==, 0x01);
      g_assert_cmphex (test_inb (f->board, base (channel) + 2), ==, 0x01);
      g_assert_cmphex (test_inb (f->board, base (channel) + 3), ==, 0x01);
      g_assert_cmphex (test_inb (f->board, base (channel) + 4), ==, channel == 0 ? 0x00 : 0x14);
      g_assert_cmphex (test_inb (f->board, base (channel) + 5), ==, channel == 0 ? 0x00 : 0xeb);
    }
}

/* §9.16.1: the other drive is not there; its status reads 0. */
static void
test_absent_drive (Fixture *f, gconstpointer data)
{
  test_outb (f->board, 0x1f6, 0xb0);
  g_assert_cmphex (test_inb (f->board, 0x1f7), ==, 0);
  test_outb (f->board, 0x1f7, 0xec);
  g_assert_cmphex (test_inb (f->board, 0x1f7), ==, 0);
  test_outb (f->board, 0x1f6, 0xa0);
  g_assert_cmphex (test_inb (f->board, 0x1f7), ==, 0x50);
}

static void
test_identify (Fixture *f, gconstpointer data)
{
  guint8 id[512];

  task_file (f, 0, 0xec, 0xa0, 0, 0);
  g_assert_cmphex (wait_idle (f, 0), ==, 0x58);
  g_assert_true (irq (f, 0));
  test_inb (f->board, 0x1f7); /* reading the status takes INTRQ away (§6.5) */
  g_assert_false (irq (f, 0));
  read_block (f, 0, 512, id);
  g_assert_cmphex (test_inb (f->board, 0x1f7), ==, 0x50);
  g_assert_cmpuint (id[120] | id[121] << 8, ==, SECTORS);
  g_assert_cmphex (id[152] | id[153] << 8, ==, 0); /* word 76: not Serial ATA */
  g_assert_cmphex ((id[187] & 0xe0), ==, 0x60);    /* word 93: valid, 80 conductors */
}

static void
test_identify_packet_device (Fixture *f, gconstpointer data)
{
  guint8 id[512];

  task_file (f, 1, 0xec, 0xa0, 0, 0); /* aborted with the signature (§8.15.5.2) */
  g_assert_cmphex (wait_idle (f, 1) & 1, ==, 1);
  g_assert_cmphex (test_inb (f->board, 0x175), ==, 0xeb);
  task_file (f, 1, 0xa1, 0xa0, 0, 0);
  g_assert_cmphex (wait_idle (f, 1) & 0x08, ==, 0x08);
  read_block (f, 1, 512, id);
  g_assert_cmphex (id[1] & 0xdf, ==, 0x85);
}

/* === PIO === */

static void
read_pio (Fixture *f, guint8 command, guint64 lba, guint n, guint block)
{
  g_autofree guint8 *bytes = g_malloc (n * 512);

  task_file (f, 0, command, 0xe0 | (command == 0x24 ? 0 : (lba >> 24 & 0xf)), lba, (guint16) n);
  for (guint done = 0; done < n; done += block)
    {
      g_assert_cmphex (wait_idle (f, 0), ==, 0x58);
      g_assert_true (irq (f, 0));
      test_inb (f->board, 0x1f7);
      read_block (f, 0, MIN (block, n - done) * 512, bytes + done * 512);
    }
  g_assert_cmphex (wait_idle (f, 0), ==, 0x50);
  g_assert_false (irq (f, 0));
  for (guint i = 0; i < n * 512; i++)
    g_assert_cmphex (bytes[i], ==, pattern (lba * 512 + i));
}

static void
test_pio_read (Fixture *f, gconstpointer data)
{
  read_pio (f, 0x20, 7, 3, 1);
}

/* §8.31: one interrupt a block. */
static void
test_pio_read_multiple (Fixture *f, gconstpointer data)
{
  task_file (f, 0, 0xc6, 0xe0, 0, 8);
  g_assert_cmphex (wait_idle (f, 0), ==, 0x50);
  test_inb (f->board, 0x1f7);
  read_pio (f, 0xc4, 100, 20, 8);
}

/* More than the buffer holds */
static void
test_pio_read_long (Fixture *f, gconstpointer data)
{
  read_pio (f, 0x24, 9, 600, 1);
}

static void
write_pio (Fixture *f, guint8 command, guint64 lba, guint n)
{
  task_file (f, 0, command, 0xe0, lba, (guint16) n);
  for (guint i = 0; i < n; i++)
    {
      g_assert_cmphex (wait_idle (f, 0), ==, 0x58);
      g_assert_true (irq (f, 0) == (i > 0)); /* §9.6: none for the first block */
      test_inb (f->board, 0x1f7);
      for (guint j = 0; j < 256; j++)
        test_outw (f->board, 0x1f0, (guint16) (i * 256 + j));
    }
  test_wait_until (irq (f, 0));
  g_assert_cmphex (test_inb (f->board, 0x1f7), ==, 0x50);
}

static void
assert_written (Fixture *f, guint64 lba, guint n)
{
  g_autofree char *contents = NULL;

  g_assert_true (g_file_get_contents (f->disk, &contents, NULL, NULL));
  for (guint i = 0; i < n * 256; i++)
    g_assert_cmphex ((guint8) contents[lba * 512 + 2 * i] | (guint8) contents[lba * 512 + 2 * i + 1] << 8, ==, i & 0xffff);
}

static void
test_pio_write (Fixture *f, gconstpointer data)
{
  write_pio (f, 0x30, 33, 3);
  assert_written (f, 33, 3);
  write_pio (f, 0x34, 40, 520);
  assert_written (f, 40, 520);
}

static void
test_pio_out_of_range (Fixture *f, gconstpointer data)
{
  task_file (f, 0, 0x20, 0xe0, SECTORS - 1, 2);
  g_assert_cmphex (wait_idle (f, 0) & 0x09, ==, 0x01);
  g_assert_cmphex (test_inb (f->board, 0x1f1) & 0x10, ==, 0x10); /* IDNF */
  g_assert_true (irq (f, 0));
}

static void
test_unknown_command_aborts (Fixture *f, gconstpointer data)
{
  task_file (f, 0, 0x60, 0xe0, 0, 0); /* queued commands are Serial ATA's */
  g_assert_cmphex (wait_idle (f, 0) & 0x89, ==, 0x01);
  g_assert_cmphex (test_inb (f->board, 0x1f1), ==, 0x04);
  task_file (f, 0, 0xff, 0xe0, 0, 0);
  g_assert_cmphex (wait_idle (f, 0) & 0x89, ==, 0x01);
}

/* nIEN keeps the line down (§7.4). */
static void
test_interrupt_enable (Fixture *f, gconstpointer data)
{
  test_outb (f->board, 0x3f6, 0x02);
  task_file (f, 0, 0xec, 0xa0, 0, 0);
  wait_idle (f, 0);
  g_assert_false (irq (f, 0));
  test_outb (f->board, 0x3f6, 0x00);
  g_assert_true (irq (f, 0));
}

/* === DMA === */

static void
put_prd (Fixture *f, guint i, guint32 addr, guint32 len, gboolean last)
{
  guint32 entry[2] = { GUINT32_TO_LE (addr), GUINT32_TO_LE ((len & 0xffff) | (last ? 0x80000000u : 0)) };

  test_ram_write (f->board, PRDT + i * 8, entry, sizeof entry);
}

static guint8
run_dma (Fixture *f, guint channel, gboolean to_memory)
{
  guint16 bm = (guint16) (BM + 8 * channel);

  test_outb (f->board, bm + 2, 0x66); /* as drivers do: what was is cleared */
  test_outb (f->board, bm, to_memory ? 8 : 0);
  test_outb (f->board, bm, to_memory ? 9 : 1);
  test_wait_until ((test_inb (f->board, bm + 2) & 0x04) != 0);
  test_outb (f->board, bm, to_memory ? 8 : 0);
  return test_inb (f->board, bm + 2);
}

static void
test_dma_read (Fixture *f, gconstpointer data)
{
  guint8 *bytes = vmm_memory_map (f->board->machine->memory, DATA, 0x40000);

  put_prd (f, 0, DATA, 0x200, FALSE);
  put_prd (f, 1, DATA + 0x1000, 0x10000, FALSE); /* 0: 64 KiB */
  put_prd (f, 2, DATA + 0x20002, 0xe00, TRUE);
  test_outl (f->board, BM + 4, PRDT);
  test_outb (f->board, BM + 2, 0x66);
  task_file (f, 0, 0x25, 0xe0, 50, 136);
  g_assert_cmphex (test_inb (f->board, 0x3f6) & 0x80, ==, 0x80); /* waits for the start bit */
  g_assert_cmphex (run_dma (f, 0, TRUE), ==, 0x64);
  g_assert_cmphex (test_inb (f->board, 0x1f7), ==, 0x50);
  for (guint i = 0; i < 0x200; i++)
    g_assert_cmphex (bytes[i], ==, pattern (50 * 512 + i));
  for (guint i = 0; i < 0x10000; i++)
    g_assert_cmphex (bytes[0x1000 + i], ==, pattern (51 * 512 + i));
  for (guint i = 0; i < 0xe00; i++)
    g_assert_cmphex (bytes[0x20002 + i], ==, pattern (179 * 512 + i));
  test_outb (f->board, BM + 2, 0x64); /* interrupt: cleared by writing 1 */
  g_assert_cmphex (test_inb (f->board, BM + 2), ==, 0x60);
}

static void
test_dma_write (Fixture *f, gconstpointer data)
{
  guint8 *bytes = vmm_memory_map (f->board->machine->memory, DATA, 0x1000);

  for (guint i = 0; i < 2048; i++)
    {
      bytes[2 * i] = (guint8) i;
      bytes[2 * i + 1] = (guint8) (i >> 8);
    }
  put_prd (f, 0, DATA, 0x1000, TRUE);
  test_outl (f->board, BM + 4, PRDT);
  task_file (f, 0, 0xca, 0xe0, 200, 8);
  g_assert_cmphex (run_dma (f, 0, FALSE) & 0x07, ==, 0x04);
  g_assert_cmphex (test_inb (f->board, 0x1f7), ==, 0x50);
  assert_written (f, 200, 8);
}

static void
test_dma_bad_memory (Fixture *f, gconstpointer data)
{
  put_prd (f, 0, 0xd0000000, 0x1000, TRUE);
  test_outl (f->board, BM + 4, PRDT);
  task_file (f, 0, 0xca, 0xe0, 200, 8);
  g_assert_cmphex (run_dma (f, 0, FALSE) & 0x07, ==, 0x06);
  g_assert_cmphex (test_inb (f->board, 0x1f7) & 0x81, ==, 0x01);
}

/* === PACKET === */

static void
send_packet (Fixture *f, gboolean dma, guint16 limit, const guint8 cdb[12])
{
  test_outb (f->board, 0x176, 0xa0);
  test_outb (f->board, 0x171, dma ? 1 : 0);
  test_outb (f->board, 0x174, (guint8) limit);
  test_outb (f->board, 0x175, (guint8) (limit >> 8));
  test_outb (f->board, 0x177, 0xa0);
  g_assert_cmphex (wait_idle (f, 1) & 0x88, ==, 0x08);
  g_assert_cmphex (test_inb (f->board, 0x172) & 3, ==, 1); /* C/D */
  for (guint i = 0; i < 12; i += 2)
    test_outw (f->board, 0x170, (guint16) (cdb[i] | cdb[i + 1] << 8));
}

static void
clear_attention (Fixture *f)
{
  static const guint8 test_unit_ready[12];

  send_packet (f, FALSE, 0, test_unit_ready);
  g_assert_cmphex (wait_idle (f, 1) & 0x80, ==, 0);
  send_packet (f, FALSE, 0, test_unit_ready);
  g_assert_cmphex (wait_idle (f, 1) & 0x81, ==, 0);
  g_assert_cmphex (test_inb (f->board, 0x172) & 3, ==, 3);
  test_inb (f->board, 0x177);
}

/* §9.10: data in blocks of at most the byte count limit, an interrupt each, and one for the status. */
static void
test_packet_pio (Fixture *f, gconstpointer data)
{
  static const guint8 cdb[12] = { 0x28, 0, 0, 0, 0, 5, 0, 0, 2 };
  guint8 bytes[4096];

  clear_attention (f);
  send_packet (f, FALSE, 3000, cdb);
  for (guint done = 0; done < 4096;)
    {
      guint n;

      g_assert_cmphex (wait_idle (f, 1) & 0x08, ==, 0x08);
      g_assert_true (irq (f, 1));
      test_inb (f->board, 0x177);
      g_assert_cmphex (test_inb (f->board, 0x172) & 3, ==, 2);
      n = test_inb (f->board, 0x174) | test_inb (f->board, 0x175) << 8;
      g_assert_cmpuint (n, ==, MIN (3000, 4096 - done));
      read_block (f, 1, n, bytes + done);
      done += n;
    }
  g_assert_cmphex (wait_idle (f, 1) & 0x89, ==, 0);
  g_assert_true (irq (f, 1));
  g_assert_cmphex (test_inb (f->board, 0x172) & 3, ==, 3);
  for (guint i = 0; i < 4096; i++)
    g_assert_cmphex (bytes[i], ==, pattern (5 * 2048 + i));
}

static void
test_packet_dma (Fixture *f, gconstpointer data)
{
  static const guint8 cdb[12] = { 0x28, 0, 0, 0, 0, 7, 0, 0, 1 };
  guint8 *bytes = vmm_memory_map (f->board->machine->memory, DATA, 0x1000);

  clear_attention (f);
  put_prd (f, 0, DATA, 0x800, TRUE);
  test_outl (f->board, BM + 12, PRDT);
  send_packet (f, TRUE, 0, cdb);
  g_assert_cmphex (run_dma (f, 1, TRUE) & 0x07, ==, 0x04);
  g_assert_cmphex (test_inb (f->board, 0x177) & 0x89, ==, 0);
  for (guint i = 0; i < 2048; i++)
    g_assert_cmphex (bytes[i], ==, pattern (7 * 2048 + i));
}

/* === Life === */

static void
test_quiesce_holds_back (Fixture *f, gconstpointer data)
{
  guint8 sector[512];

  f->ide->class->quiesce (f->ide);
  task_file (f, 0, 0x20, 0xe0, 3, 1);
  test_board_settle (f->board);
  g_assert_cmphex (test_inb (f->board, 0x3f6), ==, 0x80);
  f->ide->class->resume (f->ide);
  g_assert_cmphex (wait_idle (f, 0), ==, 0x58);
  read_block (f, 0, 512, sector);
  g_assert_cmphex (sector[5], ==, pattern (3 * 512 + 5));
}

static void
test_reset_clears (Fixture *f, gconstpointer data)
{
  task_file (f, 0, 0x20, 0xe0, 3, 4);
  test_board_reset (f->board, VMM_RESET_WARM);
  map (f);
  g_assert_cmphex (test_inb (f->board, 0x1f7), ==, 0x50);
  g_assert_false (irq (f, 0));
  read_pio (f, 0x20, 7, 3, 1);
}

static void
test_regs_are_described (Fixture *f, gconstpointer data)
{
  gsize gap;

  g_assert_true (vmm_fields_covers (f->ide->class->regs_fields, f->ide->class->regs_size, &gap));
}

#define ADD(path, func) g_test_add ("/piix-ide/" path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("pci/header", test_pci_header);
  ADD ("pci/decode-enable", test_pci_decode_enable);
  ADD ("drive/reset-signature", test_reset_signature);
  ADD ("drive/absent", test_absent_drive);
  ADD ("identify/disk", test_identify);
  ADD ("identify/packet-device", test_identify_packet_device);
  ADD ("pio/read", test_pio_read);
  ADD ("pio/read-multiple", test_pio_read_multiple);
  ADD ("pio/read-long", test_pio_read_long);
  ADD ("pio/write", test_pio_write);
  ADD ("pio/out-of-range", test_pio_out_of_range);
  ADD ("command/unknown-aborts", test_unknown_command_aborts);
  ADD ("interrupt/enable", test_interrupt_enable);
  ADD ("dma/read", test_dma_read);
  ADD ("dma/write", test_dma_write);
  ADD ("dma/bad-memory", test_dma_bad_memory);
  ADD ("packet/pio", test_packet_pio);
  ADD ("packet/dma", test_packet_dma);
  ADD ("quiesce/holds-back", test_quiesce_holds_back);
  ADD ("reset/clears", test_reset_clears);
  ADD ("state/described", test_regs_are_described);
  return g_test_run ();
}
