/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: ACPI 6.5 §4.8, Intel 316972 §13.8.3. */
#include "chipset/pm.h"
#include "test-board.h"

#define BASE 0x600
#define SECOND G_GINT64_CONSTANT (1000000000)

static VmmDevice *
add_pm (TestBoard *board)
{
  VmmDevice *pm = test_board_add (board, "pm", "pm", NULL);

  vmm_pm_set_window (pm, BASE, 9);
  return pm;
}

static void
test_start (void)
{
  g_autoptr (TestBoard) board = test_board_new ();

  add_pm (board);
  g_assert_cmphex (test_inw (board, BASE + 0), ==, 0);
  g_assert_cmphex (test_inw (board, BASE + 2), ==, 0);
  g_assert_cmphex (test_inw (board, BASE + 4), ==, 1);
  g_assert_cmphex (test_inl (board, BASE + 0x30), ==, 0x20); /* SeaBIOS skips SMM by this */
  test_outl (board, BASE + 0x30, 0);
  g_assert_cmphex (test_inl (board, BASE + 0x30), ==, 0x20);
  test_outw (board, BASE + 4, 0);
  g_assert_cmphex (test_inw (board, BASE + 4), ==, 1); /* SCI_EN */
}

static void
test_timer_rate (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  guint32 before;

  add_pm (board);
  before = test_inl (board, BASE + 8);
  test_advance_ns (board, SECOND);
  g_assert_cmpuint ((test_inl (board, BASE + 8) - before) & 0xffffff, ==, 3579545);
  test_advance_ns (board, 279); /* less than a tick */
  g_assert_cmpuint ((test_inl (board, BASE + 8) - before) & 0xffffff, ==, 3579545);
  test_advance_ns (board, 1);
  g_assert_cmpuint ((test_inl (board, BASE + 8) - before) & 0xffffff, ==, 3579546);
  /* 24 bits, and by parts. */
  test_advance_ns (board, 100 * SECOND);
  g_assert_cmpuint ((test_inl (board, BASE + 8) - before) & 0xffffff, ==, (101 * G_GUINT64_CONSTANT (3579545) + 1) & 0xffffff);
  g_assert_cmphex (test_inl (board, BASE + 8) >> 24, ==, 0);
  g_assert_cmphex (test_inw (board, BASE + 8), ==, test_inl (board, BASE + 8) & 0xffff);
  g_assert_cmphex (test_inb (board, BASE + 10), ==, test_inl (board, BASE + 8) >> 16);
  /* Years of running do not overflow. */
  test_advance_ns (board, 400 * 86400 * SECOND);
  g_assert_cmpuint ((test_inl (board, BASE + 8) - before) & 0xffffff, ==,
                    ((101 + 400 * G_GUINT64_CONSTANT (86400)) * 3579545 + 1) & 0xffffff);
}

/* §4.8.2.1: the status is set whenever the highest bit changes: every 2.34 s. */
static void
test_timer_status (void)
{
  g_autoptr (TestBoard) board = test_board_new ();

  add_pm (board);
  test_advance_ns (board, SECOND * 234 / 100);
  g_assert_cmphex (test_inw (board, BASE) & 1, ==, 0);
  test_advance_ns (board, SECOND / 100);
  g_assert_cmphex (test_inw (board, BASE) & 1, ==, 1);
  g_assert_false (test_irq_level (board, 9));
  test_outw (board, BASE, 1);
  g_assert_cmphex (test_inw (board, BASE) & 1, ==, 0);
  test_outw (board, BASE + 2, 1);
  g_assert_false (test_irq_level (board, 9));
  test_advance_ns (board, SECOND * 234 / 100); /* by the timer alone: nobody reads */
  g_assert_true (test_irq_level (board, 9));
  test_outw (board, BASE, 1);
  g_assert_false (test_irq_level (board, 9));
}

static void
test_power_button (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  VmmDevice *pm = add_pm (board);

  vmm_pm_power_button (pm);
  g_assert_false (test_irq_level (board, 9));
  g_assert_cmphex (test_inw (board, BASE), ==, 0x0100);
  test_outw (board, BASE + 2, 0x0100);
  g_assert_true (test_irq_level (board, 9));
  test_outw (board, BASE, 0x0021); /* other bits */
  g_assert_true (test_irq_level (board, 9));
  test_outb (board, BASE + 1, 0x01);
  g_assert_false (test_irq_level (board, 9));
  g_assert_cmphex (test_inw (board, BASE), ==, 0);
  vmm_pm_power_button (pm);
  g_assert_true (test_irq_level (board, 9));
  g_assert_cmpuint (test_irq_rises (board, 9), ==, 2);
  test_board_reset (board, VMM_RESET_WARM);
  g_assert_false (test_irq_level (board, 9));
}

/* Linux clears all of GPE0 with FF at its start. */
static void
test_gpe (void)
{
  g_autoptr (TestBoard) board = test_board_new ();

  add_pm (board);
  for (guint i = 0; i < 8; i++)
    {
      test_outb (board, BASE + 0x28 + i, (guint8) (0x11 * i));
      test_outb (board, BASE + 0x20 + i, 0xff);
    }
  g_assert_cmphex (test_inl (board, BASE + 0x28), ==, 0x33221100);
  g_assert_cmphex (test_inl (board, BASE + 0x2c), ==, 0x77665544);
  g_assert_cmphex (test_inl (board, BASE + 0x20), ==, 0);
  g_assert_false (test_irq_level (board, 9));
}

static void
test_control_bits (void)
{
  g_autoptr (TestBoard) board = test_board_new ();

  add_pm (board);
  test_outw (board, BASE + 4, 0x1c02);
  g_assert_cmphex (test_inw (board, BASE + 4), ==, 0x1c03);
  test_outw (board, BASE + 4, 0x2001); /* Linux powers off so; SLP_EN reads 0 */
  g_assert_cmphex (test_inw (board, BASE + 4), ==, 0x0001);
  test_outb (board, BASE + 5, 0x24); /* a sleep type that is not there */
  g_assert_cmphex (test_inw (board, BASE + 4), ==, 0x0401);
}

static void
test_sci_moves (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  VmmDevice *pm = add_pm (board);

  test_outw (board, BASE + 2, 0x0100);
  vmm_pm_power_button (pm);
  g_assert_true (test_irq_level (board, 9));
  vmm_pm_set_window (pm, BASE, 20);
  g_assert_false (test_irq_level (board, 9));
  g_assert_true (test_irq_level (board, 20));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/pm/start-values", test_start);
  g_test_add_func ("/pm/timer/rate-and-width", test_timer_rate);
  g_test_add_func ("/pm/timer/status-and-interrupt", test_timer_status);
  g_test_add_func ("/pm/power-button-raises-sci-if-enabled", test_power_button);
  g_test_add_func ("/pm/gpe0-registers", test_gpe);
  g_test_add_func ("/pm/control-bits", test_control_bits);
  g_test_add_func ("/pm/sci-moves-with-acpi-cntl", test_sci_moves);
  return g_test_run ();
}
