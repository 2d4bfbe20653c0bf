/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: Intel 316966 §5.1 (PAM encoding), and the PAM writes of SeaBIOS. */
#include "chipset/mch.h"
#include "core/memory-private.h"
#include "test-board.h"

#include <stdio.h>
#include <string.h>

typedef enum { NOTHING, ROM, READONLY, WRITABLE } View;

typedef struct {
  TestBoard *board;
  VmmDevice *mch;
  VmmRam *bios;
} Bridge;

static void
bridge_init (Bridge *bridge)
{
  g_autoptr (GError) error = NULL;

  bridge->board = test_board_new ();
  bridge->mch = test_board_add (bridge->board, "mch", "mch", NULL);
  bridge->bios = vmm_ram_new ("bios", 256 * 1024, &error);
  g_assert_no_error (error);
  vmm_mch_set_bios (bridge->mch, bridge->bios);
}

static void
bridge_clear (Bridge *bridge)
{
  vmm_mch_set_bios (bridge->mch, NULL);
  test_board_free (bridge->board);
  vmm_ram_free (bridge->bios);
}

static View
look (Bridge *bridge, guint64 gpa)
{
  VmmMemory *memory = bridge->board->machine->memory;
  VmmRam *ram;
  guint64 base;
  gsize offset;
  VmmSlotFlags flags;

  if (vmm_memory_find_slot (memory, gpa, &base, &ram, &offset, &flags) == NULL)
    return NOTHING;
  offset += gpa - base;
  if (ram == bridge->bios)
    {
      /* The last 128 KiB of the image, as at the top of 4 GiB. */
      g_assert_cmphex (offset, ==, 256 * 1024 - (0x100000 - gpa));
      g_assert_true ((flags & VMM_SLOT_READONLY) != 0);
      return ROM;
    }
  g_assert_true (ram == vmm_memory_get_ram (memory));
  g_assert_cmphex (offset, ==, gpa);
  return (flags & VMM_SLOT_READONLY) != 0 ? READONLY : WRITABLE;
}

static void
assert_views (Bridge *bridge, guint64 from, guint64 to, View view)
{
  for (guint64 gpa = from; gpa < to; gpa += 0x1000)
    g_assert_cmpint (look (bridge, gpa), ==, view);
}

static void
test_identity (void)
{
  Bridge bridge;

  bridge_init (&bridge);
  g_assert_cmphex (test_pci_read (bridge.board, 0, 0x00, 4), ==, 0x29c08086);
  g_assert_cmphex (test_pci_read (bridge.board, 0, 0x08, 4), ==, 0x06000000);
  g_assert_cmphex (test_pci_read (bridge.board, 0, 0x0e, 1), ==, 0);
  g_assert_cmphex (test_pci_read (bridge.board, 0, 0x2c, 4), ==, 0x11001af4);
  bridge_clear (&bridge);
}

static void
test_after_reset (void)
{
  Bridge bridge;

  bridge_init (&bridge);
  assert_views (&bridge, 0xc0000, 0xe0000, NOTHING);
  assert_views (&bridge, 0xe0000, 0x100000, ROM);
  test_pci_write (bridge.board, 0, 0x90, 4, 0x33333330);
  test_board_reset (bridge.board, VMM_RESET_WARM);
  assert_views (&bridge, 0xc0000, 0xe0000, NOTHING);
  assert_views (&bridge, 0xe0000, 0x100000, ROM);
  g_assert_cmphex (test_pci_read (bridge.board, 0, 0x90, 4), ==, 0);
  bridge_clear (&bridge);
}

static void
test_seabios (void)
{
  Bridge bridge;

  bridge_init (&bridge);
  /* make_bios_writable_intel() */
  test_pci_write (bridge.board, 0, 0x90, 4, 0x33333330);
  test_pci_write (bridge.board, 0, 0x94, 4, 0x00333333);
  assert_views (&bridge, 0xc0000, 0x100000, WRITABLE);
  g_assert_cmphex (test_pci_read (bridge.board, 0, 0x90, 4), ==, 0x33333330);
  g_assert_cmphex (test_pci_read (bridge.board, 0, 0x94, 4), ==, 0x00333333);
  /* make_bios_readonly_intel(), with writable memory kept from E4000 on */
  test_pci_write (bridge.board, 0, 0x90, 4, 0x11111110);
  test_pci_write (bridge.board, 0, 0x94, 4, 0x00331111);
  assert_views (&bridge, 0xc0000, 0xe0000, READONLY);
  assert_views (&bridge, 0xe0000, 0xe8000, READONLY);
  assert_views (&bridge, 0xe8000, 0xf0000, WRITABLE);
  assert_views (&bridge, 0xf0000, 0x100000, READONLY);
  bridge_clear (&bridge);
}

static void
test_each_segment (void)
{
  Bridge bridge;

  bridge_init (&bridge);
  for (guint segment = 0; segment < 12; segment++)
    {
      guint64 gpa = 0xc0000 + 0x4000 * segment;
      guint offset = 0x91 + segment / 2, shift = segment % 2 * 4;
      View off = gpa >= 0xe0000 ? ROM : NOTHING;
      const View views[4] = { off, READONLY, WRITABLE, WRITABLE };

      for (guint bits = 0; bits < 4; bits++)
        {
          test_pci_write (bridge.board, 0, offset, 1, bits << shift);
          assert_views (&bridge, gpa, gpa + 0x4000, views[bits]);
          if (segment > 0)
            g_assert_cmpint (look (&bridge, gpa - 1), ==, gpa - 1 >= 0xe0000 ? ROM : NOTHING);
          g_assert_cmpint (look (&bridge, gpa + 0x4000), ==, gpa + 0x4000 >= 0xe0000 ? ROM : NOTHING);
        }
      test_pci_write (bridge.board, 0, offset, 1, 0);
    }
  /* PAM0: the F segment by the high half; the low one does not exist. */
  test_pci_write (bridge.board, 0, 0x90, 1, 0x0f);
  assert_views (&bridge, 0xf0000, 0x100000, ROM);
  g_assert_cmphex (test_pci_read (bridge.board, 0, 0x90, 1), ==, 0);
  test_pci_write (bridge.board, 0, 0x90, 1, 0x10);
  assert_views (&bridge, 0xf0000, 0x100000, READONLY);
  bridge_clear (&bridge);
}

static void
test_no_smm (void)
{
  Bridge bridge;

  bridge_init (&bridge);
  test_pci_write (bridge.board, 0, 0x9d, 1, 0x4a);
  test_pci_write (bridge.board, 0, 0x9e, 1, 0xff);
  g_assert_cmphex (test_pci_read (bridge.board, 0, 0x9d, 2), ==, 0);
  /* Scratch. */
  test_pci_write (bridge.board, 0, 0xb0, 4, 0x12345678);
  g_assert_cmphex (test_pci_read (bridge.board, 0, 0xb0, 4), ==, 0x12345678);
  bridge_clear (&bridge);
}

static void
test_bios_rom (void)
{
  g_autofree char *path = g_build_filename (g_get_tmp_dir (), "lodge-test-bios", NULL);
  g_autofree char *image = g_malloc0 (0x20000);
  g_autoptr (TestBoard) board = test_board_new ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GHashTable) settings = g_hash_table_new (g_str_hash, g_str_equal);
  VmmRam *ram, *alias;
  guint64 base;
  gsize offset;
  VmmSlotFlags flags;

  test_board_add (board, "mch", "mch", NULL);
  memcpy (image + 0x1fff0, "\xea\x5b\xe0\x00\xf0", 5);
  g_assert_true (g_file_set_contents (path, image, 0x20000, NULL));
  test_board_add (board, "bios-rom", "bios-rom", "file", path, NULL);
  g_assert_nonnull (vmm_memory_find_slot (board->machine->memory, 0xfffffff0, &base, &ram, &offset, &flags));
  g_assert_cmphex (base, ==, 0xfffe0000);
  g_assert_cmphex (flags, ==, VMM_SLOT_READONLY);
  g_assert_cmpmem (ram->host + offset + 0x1fff0, 5, image + 0x1fff0, 5);
  g_assert_nonnull (vmm_memory_find_slot (board->machine->memory, 0xffff0, &base, &alias, &offset, &flags));
  g_assert_true (alias == ram);
  /* A broken image. */
  g_assert_true (g_file_set_contents (path, image, 1000, NULL));
  g_hash_table_insert (settings, (gpointer) "file", path);
  g_assert_null (vmm_device_new (board->machine, vmm_device_class_find ("bios-rom"), "second", settings, &error));
  g_assert_error (error, VMM_ERROR, VMM_ERROR_CORRUPT);
  g_assert_cmpint (remove (path), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/mch/identity-that-seabios-looks-for", test_identity);
  g_test_add_func ("/mch/pam/rom-after-reset", test_after_reset);
  g_test_add_func ("/mch/pam/as-seabios-writes-it", test_seabios);
  g_test_add_func ("/mch/pam/each-segment-alone", test_each_segment);
  g_test_add_func ("/mch/smram-is-not-there", test_no_smm);
  g_test_add_func ("/mch/bios/ends-at-4g-and-shows-below-1m", test_bios_rom);
  return g_test_run ();
}
