/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "test-board.h"

typedef struct {
  TestBoard *board;
  VmmDevice dev;
  VmmTimer first, second;
  GString *log;
} Fixture;

static void
on_timer (VmmDevice *dev, gpointer data)
{
  Fixture *fixture = data;

  g_string_append_printf (fixture->log, "%" G_GINT64_FORMAT " ", vmm_clock_now (fixture->board->machine->clock));
}

static void
on_periodic (VmmDevice *dev, gpointer data)
{
  Fixture *fixture = data;

  on_timer (dev, data);
  vmm_timer_arm (&fixture->second, vmm_clock_now (fixture->board->machine->clock) + 100);
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->board = test_board_new ();
  fixture->dev.machine = fixture->board->machine;
  g_mutex_init (&fixture->dev.lock);
  vmm_timer_init (&fixture->first, &fixture->dev, on_timer, fixture);
  vmm_timer_init (&fixture->second, &fixture->dev, on_periodic, fixture);
  fixture->log = g_string_new (NULL);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  vmm_timer_clear (&fixture->first);
  vmm_timer_clear (&fixture->second);
  test_board_free (fixture->board);
  g_mutex_clear (&fixture->dev.lock);
  g_string_free (fixture->log, TRUE);
}

static void
test_in_order (Fixture *fixture, gconstpointer data)
{
  vmm_timer_arm (&fixture->first, 250);
  vmm_timer_arm (&fixture->second, 100);
  test_advance_ns (fixture->board, 99);
  g_assert_cmpstr (fixture->log->str, ==, "");
  test_advance_ns (fixture->board, 211);
  g_assert_cmpstr (fixture->log->str, ==, "100 200 250 300 ");
  g_assert_cmpint (vmm_clock_now (fixture->board->machine->clock), ==, 310);
}

static void
test_disarm (Fixture *fixture, gconstpointer data)
{
  vmm_timer_arm (&fixture->first, 100);
  vmm_timer_disarm (&fixture->first);
  test_advance_ns (fixture->board, 1000);
  g_assert_cmpstr (fixture->log->str, ==, "");
}

static void
test_rearm (Fixture *fixture, gconstpointer data)
{
  vmm_timer_arm (&fixture->first, 100);
  vmm_timer_arm (&fixture->first, 200);
  test_advance_ns (fixture->board, 1000);
  g_assert_cmpstr (fixture->log->str, ==, "200 ");
}

static void
test_past (Fixture *fixture, gconstpointer data)
{
  test_advance_ns (fixture->board, 500);
  vmm_timer_arm (&fixture->first, 100);
  test_advance_ns (fixture->board, 0);
  g_assert_cmpstr (fixture->log->str, ==, "500 ");
}

#define ADD(path, func) g_test_add (path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/clock/timers-fire-in-order-at-their-time", test_in_order);
  ADD ("/clock/disarmed-timer-does-not-fire", test_disarm);
  ADD ("/clock/arming-again-moves-the-deadline", test_rearm);
  ADD ("/clock/deadline-in-the-past-fires-at-once", test_past);
  return g_test_run ();
}
