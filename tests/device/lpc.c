/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: Intel 316972 §13.1, and what SeaBIOS, OVMF and Linux's iTCO_wdt do. PIRQ routing is in tests/device/pci.c. */
#include "pci/pci.h"
#include "test-board.h"

#define LPC 0xf8

static void
test_identity (void)
{
  g_autoptr (TestBoard) board = test_board_new ();

  test_board_add (board, "lpc", "lpc", NULL);
  g_assert_cmphex (test_pci_read (board, LPC, 0x00, 4), ==, 0x29188086);
  g_assert_cmphex (test_pci_read (board, LPC, 0x08, 4), ==, 0x06010002);
  g_assert_cmphex (test_pci_read (board, LPC, 0x0e, 1), ==, 0x80);
  g_assert_cmphex (test_pci_read (board, LPC, 0x2c, 4), ==, 0x11001af4);
  g_assert_cmphex (test_pci_read (board, LPC, 0x40, 4), ==, 0x00000001);
  g_assert_cmphex (test_pci_read (board, LPC, 0x60, 4), ==, 0x80808080);
  g_assert_cmphex (test_pci_read (board, LPC, 0x68, 4), ==, 0x80808080);
}

static void
test_pmbase (void)
{
  g_autoptr (TestBoard) board = test_board_new ();

  test_board_add (board, "pm", "pm", NULL);
  test_board_add (board, "lpc", "lpc", NULL);
  g_assert_cmphex (test_inw (board, 0x604), ==, 0xffff);
  test_pci_write (board, LPC, 0x40, 4, 0x601);
  g_assert_cmphex (test_pci_read (board, LPC, 0x40, 4), ==, 0x601);
  g_assert_cmphex (test_inw (board, 0x604), ==, 0xffff);
  test_pci_write (board, LPC, 0x44, 1, 0x80);
  g_assert_cmphex (test_inw (board, 0x604), ==, 0x0001);
  test_pci_write (board, LPC, 0x40, 4, 0xb0ff);
  g_assert_cmphex (test_pci_read (board, LPC, 0x40, 4), ==, 0xb081);
  g_assert_cmphex (test_inw (board, 0x604), ==, 0xffff);
  g_assert_cmphex (test_inw (board, 0xb084), ==, 0x0001);
  test_board_reset (board, VMM_RESET_WARM);
  g_assert_cmphex (test_inw (board, 0xb084), ==, 0xffff);
}

static void
test_rcba (void)
{
  g_autoptr (TestBoard) board = test_board_new ();

  test_board_add (board, "lpc", "lpc", NULL);
  g_assert_cmphex (test_read (board, 0xfed1f410, 4), ==, 0xffffffff);
  test_pci_write (board, LPC, 0xf0, 4, 0xfed1c001);
  /* NO_REBOOT cannot be cleared: iTCO_wdt keeps away. */
  g_assert_cmphex (test_read (board, 0xfed1f410, 4), ==, 0x20);
  test_write (board, 0xfed1f410, 4, 0);
  g_assert_cmphex (test_read (board, 0xfed1f410, 4), ==, 0x20);
  g_assert_cmphex (test_read (board, 0xfed1f404, 4), ==, 0); /* HPTC */
  g_assert_cmphex (test_read (board, 0xfed1f410, 1), ==, 0x20);
  test_pci_write (board, LPC, 0xf0, 1, 0);
  g_assert_cmphex (test_read (board, 0xfed1f410, 4), ==, 0xffffffff);
}

static void
test_ports (void)
{
  g_autoptr (TestBoard) board = test_board_new ();

  test_board_add (board, "lpc", "lpc", NULL);
  test_board_add (board, "isa-stubs", "isa-stubs", NULL);
  g_assert_cmphex (test_inb (board, 0x92), ==, 0);
  test_outb (board, 0x92, 0x02);
  g_assert_cmphex (test_inb (board, 0x92), ==, 0x02);
  test_outb (board, 0xb2, 0x5a);
  test_outb (board, 0xb3, 0xa5);
  g_assert_cmphex (test_inw (board, 0xb2), ==, 0xa55a);
  test_outb (board, 0x80, 0x12);
  test_outb (board, 0x0d, 0);
  test_outb (board, 0xd6, 0xc0);
  test_outb (board, 0xed, 0xff);
  g_assert_cmphex (test_inb (board, 0x08), ==, 0);
  g_assert_cmphex (test_inb (board, 0xd0), ==, 0);
  test_board_reset (board, VMM_RESET_WARM);
  g_assert_cmphex (test_inw (board, 0xb2), ==, 0);
  g_assert_cmphex (test_inb (board, 0x92), ==, 0);
}

static void
test_pirq_bits (void)
{
  g_autoptr (TestBoard) board = test_board_new ();

  test_board_add (board, "lpc", "lpc", NULL);
  test_pci_write (board, LPC, 0x60, 1, 0x7f);
  g_assert_cmphex (test_pci_read (board, LPC, 0x60, 1), ==, 0x0f);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/lpc/identity", test_identity);
  g_test_add_func ("/lpc/pmbase-moves-the-pm-block", test_pmbase);
  g_test_add_func ("/lpc/rcba-no-reboot-is-stuck", test_rcba);
  g_test_add_func ("/lpc/port-92-and-apm-latch", test_ports);
  g_test_add_func ("/lpc/pirq-register-bits", test_pirq_bits);
  return g_test_run ();
}
