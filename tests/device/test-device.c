/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: what kvm-unit-tests expects of QEMU's pc-testdev. */
#include "test-board.h"

static void
test_latch (void)
{
  g_autoptr (TestBoard) board = test_board_new ();

  test_board_add (board, "test-device", "test0", NULL);
  test_outl (board, 0xe0, 0x11223344);
  test_outb (board, 0xe1, 0xaa);
  g_assert_cmphex (test_inl (board, 0xe0), ==, 0x1122aa44);
  g_assert_cmphex (test_inw (board, 0xe2), ==, 0x1122);
  g_assert_cmphex (test_inl (board, 0xe8), ==, 0);
}

static void
test_lines (void)
{
  g_autoptr (TestBoard) board = test_board_new ();

  test_board_add (board, "test-device", "test0", NULL);
  test_outb (board, 0x2005, 1);
  g_assert_true (test_irq_level (board, 5));
  test_outb (board, 0x2005, 0);
  g_assert_false (test_irq_level (board, 5));
  test_outb (board, 0x2017, 1);
  g_assert_true (test_irq_level (board, 23));
  test_board_reset (board, VMM_RESET_WARM);
  g_assert_false (test_irq_level (board, 23));
}

static void
test_msi (void)
{
  g_autoptr (TestBoard) board = test_board_new ();

  test_board_add (board, "test-device", "test0", NULL);
  test_outl (board, 0x2100, 0xfee00000);
  test_outl (board, 0x2104, 0x4041);
  g_assert_cmpuint (test_msi_count (board), ==, 1);
  g_assert_cmphex (test_msi_get (board, 0).address, ==, 0xfee00000);
  g_assert_cmphex (test_msi_get (board, 0).data, ==, 0x4041);
}

static void
test_flush (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  guint32 value = 0xcafe;

  test_board_add (board, "test-device", "test0", NULL);
  test_ram_write (board, 0x200010, &value, sizeof value);
  test_outl (board, 0xe4, 0x200000);
  value = 0;
  test_ram_read (board, 0x200010, &value, sizeof value);
  g_assert_cmphex (value, ==, 0xcafe);
  test_outl (board, 0xe4, 0xfffff000); /* no RAM there */
}

static void
test_memory (void)
{
  g_autoptr (TestBoard) board = test_board_new ();

  test_board_add (board, "test-device", "test0", NULL);
  test_write (board, 0xff000100, 8, G_GUINT64_CONSTANT (0x1122334455667788));
  g_assert_cmphex (test_read (board, 0xff000104, 2), ==, 0x3344);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/test-device/latch/reads-back", test_latch);
  g_test_add_func ("/test-device/lines/follow-their-ports", test_lines);
  g_test_add_func ("/test-device/msi/is-sent", test_msi);
  g_test_add_func ("/test-device/flush/keeps-the-content", test_flush);
  g_test_add_func ("/test-device/memory/reads-back", test_memory);
  return g_test_run ();
}
