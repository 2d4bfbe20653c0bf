/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: QEMU docs/specs/pvpanic, Linux drivers/misc/pvpanic. */
#include "core/fields.h"
#include "pci/pci.h"
#include "test-board.h"

#define DEVFN (2 << 3)
#define BAR 0xfe000000u

static void
test_events (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  VmmDevice *dev = test_board_add (board, "pvpanic", "pvpanic0", NULL);
  gsize gap;

  g_assert_cmphex (test_pci_read (board, DEVFN, 0, 4), ==, 0x00111b36);
  test_pci_write (board, DEVFN, 0x10, 4, BAR);
  test_pci_write (board, DEVFN, 0x04, 2, 2);
  g_assert_cmphex (test_read (board, BAR, 1), ==, 0x03); /* panicked, crash loaded */
  test_write (board, BAR, 1, 2);
  test_write (board, BAR, 1, 1);
  g_assert_cmphex (test_read (board, BAR, 1), ==, 0x03);
  g_assert_true (vmm_fields_covers (dev->class->regs_fields, dev->class->regs_size, &gap));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/pvpanic/events", test_events);
  return g_test_run ();
}
