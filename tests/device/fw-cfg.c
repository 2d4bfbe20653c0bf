/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: QEMU's docs/specs/fw_cfg, and how SeaBIOS and Linux's qemu_fw_cfg use it. */
#include "chipset/fw-cfg.h"
#include "test-board.h"

#include <string.h>

#define DESCRIPTOR 0x8000
#define BUFFER 0x9000

static VmmFwCfg *
add_fw_cfg (TestBoard *board)
{
  return (VmmFwCfg *) test_board_add (board, "fw-cfg", "fw-cfg", NULL);
}

static void
add_file (VmmFwCfg *fw_cfg, const char *name, const char *content)
{
  g_autoptr (GBytes) bytes = g_bytes_new (content, strlen (content));

  vmm_fw_cfg_add_file (fw_cfg, name, bytes);
}

static void
read_port (TestBoard *board, guint16 key, gpointer buf, gsize len)
{
  test_outw (board, 0x510, key);
  for (gsize i = 0; i < len; i++)
    ((guint8 *) buf)[i] = test_inb (board, 0x511);
}

/* Returns the control field as the device left it. */
static guint32
run_dma (TestBoard *board, guint32 control, guint64 address, guint32 length)
{
  struct {
    guint32 control, length;
    guint64 address;
  } descriptor = { GUINT32_TO_BE (control), GUINT32_TO_BE (length), GUINT64_TO_BE (address) };
  guint32 left;

  test_ram_write (board, DESCRIPTOR, &descriptor, sizeof descriptor);
  test_outl (board, 0x518, GUINT32_TO_BE (DESCRIPTOR));
  test_ram_read (board, DESCRIPTOR, &left, sizeof left);
  return GUINT32_FROM_BE (left);
}

typedef struct {
  guint32 size;
  guint16 key, reserved;
  char name[56];
} Entry;

static guint
read_directory (TestBoard *board, Entry *entries, guint max)
{
  guint8 raw[4 + 16 * sizeof (Entry)] = { 0 };
  guint32 count;

  g_assert_cmpuint (max, <=, 16);
  read_port (board, 0x19, raw, sizeof raw);
  memcpy (&count, raw, 4);
  memcpy (entries, raw + 4, max * sizeof *entries);
  for (guint i = 0; i < max; i++)
    {
      entries[i].size = GUINT32_FROM_BE (entries[i].size);
      entries[i].key = GUINT16_FROM_BE (entries[i].key);
    }
  return GUINT32_FROM_BE (count);
}

static guint16
find_file (TestBoard *board, const char *name, guint32 *ret_size)
{
  Entry entries[16];
  guint count = read_directory (board, entries, 16);

  for (guint i = 0; i < count; i++)
    if (g_str_equal (entries[i].name, name))
      {
        if (ret_size != NULL)
          *ret_size = entries[i].size;
        return entries[i].key;
      }
  g_assert_not_reached ();
}

static void
test_signature (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  char text[5] = "";
  guint32 id;

  add_fw_cfg (board);
  read_port (board, 0, text, 4);
  g_assert_cmpstr (text, ==, "QEMU");
  read_port (board, 1, &id, 4);
  g_assert_cmphex (GUINT32_FROM_LE (id), ==, 3);
  g_assert_cmphex (test_inl (board, 0x514), ==, 0x554d4551); /* "QEMU", "  CFG" read as bytes in order */
  g_assert_cmphex (test_inl (board, 0x518), ==, 0x47464320);
  g_assert_cmphex (test_inb (board, 0x514), ==, 'Q');
}

static void
test_items (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  VmmFwCfg *fw_cfg = add_fw_cfg (board);
  guint8 bytes[10];

  vmm_fw_cfg_set_u16 (fw_cfg, 5, 0x1234);
  vmm_fw_cfg_set_u64 (fw_cfg, 3, G_GUINT64_CONSTANT (0x1122334455667788));
  vmm_fw_cfg_set_u32 (fw_cfg, 0x8002, 7);
  vmm_fw_cfg_set_u16 (fw_cfg, 5, 0x5678); /* replaces */
  memset (bytes, 0xee, sizeof bytes);
  read_port (board, 5, bytes, 4);
  g_assert_cmpmem (bytes, 4, "\x78\x56\x00\x00", 4); /* zeros after the end */
  read_port (board, 3 | 0x4000, bytes, 10);          /* the write bit means nothing */
  g_assert_cmpmem (bytes, 10, "\x88\x77\x66\x55\x44\x33\x22\x11\x00\x00", 10);
  read_port (board, 0x8002, bytes, 1);
  g_assert_cmphex (bytes[0], ==, 7);
  memset (bytes, 0xee, sizeof bytes);
  read_port (board, 0x1234, bytes, 4);
  g_assert_cmpmem (bytes, 4, "\0\0\0\0", 4);
  /* Byte writes to the selector select nothing. */
  test_outw (board, 0x510, 0);
  test_outb (board, 0x510, 5);
  g_assert_cmphex (test_inb (board, 0x511), ==, 'Q');
}

static void
test_directory (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  VmmFwCfg *fw_cfg = add_fw_cfg (board);
  Entry entries[16];
  char content[4] = "";

  add_file (fw_cfg, "etc/table-loader", "loader");
  add_file (fw_cfg, "etc/acpi/tables", "old");
  add_file (fw_cfg, "bios-geometry", "geo");
  add_file (fw_cfg, "etc/acpi/tables", "new1"); /* replaces */
  g_assert_cmpuint (read_directory (board, entries, 3), ==, 3);
  g_assert_cmpstr (entries[0].name, ==, "bios-geometry");
  g_assert_cmpstr (entries[1].name, ==, "etc/acpi/tables");
  g_assert_cmpstr (entries[2].name, ==, "etc/table-loader");
  for (guint i = 0; i < 3; i++)
    g_assert_cmphex (entries[i].key, ==, 0x20 + i);
  g_assert_cmpuint (entries[1].size, ==, 4);
  read_port (board, 0x21, content, 4);
  g_assert_cmpmem (content, 4, "new1", 4);
}

static void
test_boot_order (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  VmmFwCfg *fw_cfg = add_fw_cfg (board);
  static const char expected[] = "/pci@i0cf8/pci8086,2922@1f,2/drive@0/disk@0\n/pci@i0cf8/scsi@3/disk@0,0\n/last";
  char text[sizeof expected];
  guint32 size;
  guint16 key;

  vmm_fw_cfg_add_boot_path (fw_cfg, 9, "/last");
  vmm_fw_cfg_add_boot_path (fw_cfg, 1, "/pci@i0cf8/pci8086,2922@1f,2/drive@0/disk@0");
  vmm_fw_cfg_add_boot_path (fw_cfg, 2, "/pci@i0cf8/scsi@3/disk@0,0");
  key = find_file (board, "bootorder", &size);
  g_assert_cmpuint (size, ==, sizeof expected);
  read_port (board, key, text, sizeof text);
  g_assert_cmpmem (text, sizeof text, expected, sizeof expected); /* with the NUL */
}

static GBytes *
make_content (gpointer data)
{
  guint *made = data;
  g_autofree char *text = g_strdup_printf ("made %u", ++*made);

  return g_bytes_new (text, strlen (text));
}

static void
test_made_file (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  VmmFwCfg *fw_cfg = add_fw_cfg (board);
  char text[16];
  guint made = 0;
  guint32 size;
  guint16 key;

  vmm_fw_cfg_add_made_file (fw_cfg, "etc/made", 16, make_content, &made);
  key = find_file (board, "etc/made", &size);
  g_assert_cmpuint (size, ==, 16);
  g_assert_cmpuint (made, ==, 0); /* not before it is selected */
  for (guint i = 0; i < 2; i++)
    {
      read_port (board, key, text, sizeof text);
      g_assert_cmpmem (text, sizeof text, "made 1\0\0\0\0\0\0\0\0\0", 16);
    }
  test_board_reset (board, VMM_RESET_WARM);
  g_assert_cmphex (run_dma (board, (guint32) key << 16 | 0x0a, BUFFER, 16), ==, 0);
  test_ram_read (board, BUFFER, text, 16);
  g_assert_cmpmem (text, sizeof text, "made 2\0\0\0\0\0\0\0\0\0", 16);
  g_assert_cmpuint (made, ==, 2);
}

static void
test_dma_read (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  VmmFwCfg *fw_cfg = add_fw_cfg (board);
  guint8 buf[12];
  guint16 key;

  add_file (fw_cfg, "f", "0123456789");
  key = find_file (board, "f", NULL);
  memset (buf, 0xee, sizeof buf);
  test_ram_write (board, BUFFER, buf, sizeof buf);
  /* Select and read, then skip, then read over the end. */
  g_assert_cmphex (run_dma (board, (guint32) key << 16 | 0x0a, BUFFER, 3), ==, 0);
  test_ram_read (board, BUFFER, buf, 4);
  g_assert_cmpmem (buf, 4, "012\xee", 4);
  g_assert_cmphex (run_dma (board, 0x04, 0, 4), ==, 0);
  g_assert_cmphex (run_dma (board, 0x02, BUFFER, 8), ==, 0);
  test_ram_read (board, BUFFER, buf, 12);
  g_assert_cmpmem (buf, 12, "789\0\0\0\0\0\xee\xee\xee\xee", 12);
  /* Select alone, and the data port goes on from there. */
  g_assert_cmphex (run_dma (board, (guint32) key << 16 | 0x08, 0, 0), ==, 0);
  g_assert_cmphex (test_inb (board, 0x511), ==, '0');
  /* OVMF writes the high half first. */
  test_outl (board, 0x514, 0);
  g_assert_cmphex (run_dma (board, 0x02, BUFFER, 1), ==, 0);
  test_ram_read (board, BUFFER, buf, 1);
  g_assert_cmphex (buf[0], ==, '1');
}

static void
test_dma_write (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  VmmFwCfg *fw_cfg = add_fw_cfg (board);
  const guint8 *data;
  guint16 key;

  vmm_fw_cfg_add_writable_file (fw_cfg, "etc/vmgenid_addr", 8, &data);
  add_file (fw_cfg, "etc/e820", "not writable");
  key = find_file (board, "etc/vmgenid_addr", NULL);
  test_ram_write (board, BUFFER, "ABCDEFGH", 8);
  g_assert_cmphex (run_dma (board, (guint32) key << 16 | 0x18, BUFFER, 8), ==, 0);
  g_assert_cmpmem (data, 8, "ABCDEFGH", 8);
  /* A part of it, by select-and-skip. */
  g_assert_cmphex (run_dma (board, (guint32) key << 16 | 0x0c, 0, 6), ==, 0);
  g_assert_cmphex (run_dma (board, 0x10, BUFFER, 2), ==, 0);
  g_assert_cmpmem (data, 8, "ABCDEFAB", 8);
  /* Over its end, from outside RAM, and another file. */
  g_assert_cmphex (run_dma (board, 0x10, BUFFER, 1), ==, 1);
  g_assert_cmphex (run_dma (board, (guint32) key << 16 | 0x18, BUFFER, 9), ==, 1);
  g_assert_cmphex (run_dma (board, (guint32) key << 16 | 0x18, 0x40000000, 8), ==, 1);
  key = find_file (board, "etc/e820", NULL);
  g_assert_cmphex (run_dma (board, (guint32) key << 16 | 0x18, BUFFER, 4), ==, 1);
  g_assert_cmphex (run_dma (board, 0x99990018, BUFFER, 4), ==, 1);
  g_assert_cmpmem (data, 8, "ABCDEFAB", 8);
  test_board_reset (board, VMM_RESET_WARM);
  g_assert_cmpmem (data, 8, "\0\0\0\0\0\0\0\0", 8);
}

static void
test_hostile_dma (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  VmmFwCfg *fw_cfg = add_fw_cfg (board);
  static const struct {
    guint64 address;
    guint32 length;
  } wrong[] = {
    { G_MAXUINT64, 2 }, { G_MAXUINT64 - 3, 4 }, { 0x4000000 - 1, 2 },       { 0, G_MAXUINT32 },
    { 0xfffc0000, 16 }, { 0x100000000, 1 },     { 0x3ffffff, G_MAXUINT32 },
  };

  add_file (fw_cfg, "f", "0123456789");
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      g_assert_cmphex (run_dma (board, 0x0020000a, wrong[i].address, wrong[i].length), ==, 1);
      g_assert_cmphex (run_dma (board, 0x00200018, wrong[i].address, wrong[i].length), ==, 1);
    }
  /* A descriptor that is not in RAM, or half. */
  test_outl (board, 0x514, GUINT32_TO_BE (0xffffffff));
  test_outl (board, 0x518, GUINT32_TO_BE (0xfffffff8));
  test_outl (board, 0x518, GUINT32_TO_BE (0x4000000 - 8));
  /* Skipping for ever does not come round. */
  for (guint i = 0; i < 8; i++)
    g_assert_cmphex (run_dma (board, i == 0 ? 0x0020000c : 4, 0, G_MAXUINT32), ==, 0);
  g_assert_cmphex (run_dma (board, 0x02, BUFFER, 4), ==, 0);
  test_ram_read (board, BUFFER, (guint8[4]) { 0 }, 4);
  /* A descriptor that overwrites itself. */
  g_assert_cmphex (run_dma (board, 0x0020000a, DESCRIPTOR, 16), ==, 0);
  g_assert_cmpuint (((VmmDevice *) fw_cfg)->guest_errors, >, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/fw-cfg/signature-and-id", test_signature);
  g_test_add_func ("/fw-cfg/items/little-endian-and-zeros-after-the-end", test_items);
  g_test_add_func ("/fw-cfg/files/directory-is-sorted", test_directory);
  g_test_add_func ("/fw-cfg/files/bootorder", test_boot_order);
  g_test_add_func ("/fw-cfg/files/made-once-a-reset-and-padded", test_made_file);
  g_test_add_func ("/fw-cfg/dma/select-skip-read", test_dma_read);
  g_test_add_func ("/fw-cfg/dma/write-only-to-writable-files", test_dma_write);
  g_test_add_func ("/fw-cfg/dma/hostile-descriptors", test_hostile_dma);
  return g_test_run ();
}
