/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: Intel 6300ESB datasheet §16 and the sequences of Linux' i6300esb.c. Actions reach the log only on a test board. */
#include "core/fields.h"
#include "pci/pci.h"
#include "test-board.h"

#define DEVFN (2 << 3)
#define BAR 0xfe000000u
#define GSI (16 + 4 + 2)
#define TICK (32768 * G_GINT64_CONSTANT (30)) /* ns: 2^15 PCI clocks */

typedef struct {
  TestBoard *board;
  VmmDevice *dev;
} Fixture;

static void
map (Fixture *f)
{
  test_pci_write (f->board, DEVFN, 0x10, 4, BAR);
  test_pci_write (f->board, DEVFN, 0x04, 2, 2);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  f->board = test_board_new ();
  f->dev = test_board_add (f->board, "watchdog", "watchdog0", NULL);
  map (f);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  test_board_free (f->board);
}

static void
unlock (Fixture *f)
{
  test_write (f->board, BAR + 0xc, 2, 0x80);
  test_write (f->board, BAR + 0xc, 2, 0x86);
}

static void
reload (Fixture *f)
{
  unlock (f);
  test_write (f->board, BAR + 0xc, 2, 0x100);
}

static void
start (Fixture *f, guint config)
{
  test_pci_write (f->board, DEVFN, 0x60, 2, config);
  for (guint i = 0; i < 2; i++)
    {
      unlock (f);
      test_write (f->board, BAR + 4 * i, 4, 512);
    }
  reload (f);
  test_pci_write (f->board, DEVFN, 0x68, 1, 2);
}

static gboolean
timed_out (Fixture *f)
{
  return (test_read (f->board, BAR + 0xc, 2) & 0x200) != 0;
}

static void
test_header (Fixture *f, gconstpointer data)
{
  g_assert_cmphex (test_pci_read (f->board, DEVFN, 0, 4), ==, 0x25ab8086);
}

static void
test_values_need_unlocking (Fixture *f, gconstpointer data)
{
  test_write (f->board, BAR, 4, 5);
  g_assert_cmphex (test_read (f->board, BAR, 4), ==, 0xfffff);
  unlock (f);
  test_write (f->board, BAR, 4, 5);
  g_assert_cmphex (test_read (f->board, BAR, 4), ==, 5);
}

static void
test_expires_after_both_stages (Fixture *f, gconstpointer data)
{
  start (f, 3);
  test_advance_ns (f->board, 1023 * TICK);
  g_assert_false (timed_out (f));
  test_advance_ns (f->board, 2 * TICK);
  g_assert_true (timed_out (f));
}

static void
test_reload_postpones (Fixture *f, gconstpointer data)
{
  start (f, 3);
  for (guint i = 0; i < 10; i++)
    {
      test_advance_ns (f->board, 1000 * TICK);
      reload (f);
    }
  g_assert_false (timed_out (f));
  test_pci_write (f->board, DEVFN, 0x68, 1, 0); /* off */
  test_advance_ns (f->board, 5000 * TICK);
  g_assert_false (timed_out (f));
}

static void
test_first_stage_interrupts (Fixture *f, gconstpointer data)
{
  start (f, 0);
  test_advance_ns (f->board, 513 * TICK);
  g_assert_true (test_irq_level (f->board, GSI));
  test_write (f->board, BAR + 8, 4, 1);
  g_assert_false (test_irq_level (f->board, GSI));
}

static void
test_lock_holds_until_reset (Fixture *f, gconstpointer data)
{
  start (f, 3);
  test_pci_write (f->board, DEVFN, 0x68, 1, 3);
  test_pci_write (f->board, DEVFN, 0x68, 1, 0);
  g_assert_cmphex (test_pci_read (f->board, DEVFN, 0x68, 1), ==, 3);
  test_advance_ns (f->board, 1100 * TICK);
  g_assert_true (timed_out (f));
  test_board_reset (f->board, VMM_RESET_WARM);
  map (f);
  g_assert_cmphex (test_pci_read (f->board, DEVFN, 0x68, 1), ==, 0);
  g_assert_true (timed_out (f)); /* the guest can tell why it was reset */
  unlock (f);
  test_write (f->board, BAR + 0xc, 2, 0x200);
  g_assert_false (timed_out (f));
}

static void
test_regs_are_described (Fixture *f, gconstpointer data)
{
  gsize gap;

  g_assert_true (vmm_fields_covers (f->dev->class->regs_fields, f->dev->class->regs_size, &gap));
}

#define ADD(path, func) g_test_add ("/watchdog/" path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("header", test_header);
  ADD ("values-need-unlocking", test_values_need_unlocking);
  ADD ("expires-after-both-stages", test_expires_after_both_stages);
  ADD ("reload-postpones", test_reload_postpones);
  ADD ("first-stage-interrupts", test_first_stage_interrupts);
  ADD ("lock-holds-until-reset", test_lock_holds_until_reset);
  ADD ("state/described", test_regs_are_described);
  return g_test_run ();
}
