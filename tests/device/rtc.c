/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: MC146818A data sheet (registers, periodic rates table 5, update cycle), the calendar, contract 2.1. */
#include "test-board.h"

#define START "1709251198" /* 2024-02-29 23:59:58 UTC, a Thursday */
#define NS_PER_S G_GINT64_CONSTANT (1000000000)
#define GSI 8

static guint8
cmos_read (TestBoard *board, guint8 index)
{
  test_outb (board, 0x70, index);
  return test_inb (board, 0x71);
}

static void
cmos_write (TestBoard *board, guint8 index, guint8 value)
{
  test_outb (board, 0x70, index);
  test_outb (board, 0x71, value);
}

static void
assert_time (TestBoard *board, const char *expected)
{
  g_autofree char *text = g_strdup_printf ("%02x%02x-%02x-%02x %02x:%02x:%02x day %x", cmos_read (board, 0x32),
                                           cmos_read (board, 9), cmos_read (board, 8), cmos_read (board, 7), cmos_read (board, 4),
                                           cmos_read (board, 2), cmos_read (board, 0), cmos_read (board, 6));

  g_assert_cmpstr (text, ==, expected);
}

static void
test_counts (void)
{
  g_autoptr (TestBoard) board = test_board_new ();

  test_board_add (board, "rtc", "rtc", "start", START, NULL);
  assert_time (board, "2024-02-29 23:59:58 day 5");
  test_advance_ns (board, NS_PER_S - 1);
  assert_time (board, "2024-02-29 23:59:58 day 5");
  test_advance_ns (board, NS_PER_S + 1);
  assert_time (board, "2024-03-01 00:00:00 day 6");
  g_assert_cmphex (cmos_read (board, 0x37), ==, 0x20);
  g_assert_cmphex (cmos_read (board, 0x0d), ==, 0x80);
}

static void
test_century (void)
{
  g_autoptr (TestBoard) board = test_board_new ();

  /* 2099-12-31 23:59:59 UTC: Thursday; 2100 is no leap year */
  test_board_add (board, "rtc", "rtc", "start", "4102444799", NULL);
  assert_time (board, "2099-12-31 23:59:59 day 5");
  test_advance_ns (board, NS_PER_S);
  assert_time (board, "2100-01-01 00:00:00 day 6");
  test_advance_ns (board, 59 * 86400 * NS_PER_S);
  assert_time (board, "2100-03-01 00:00:00 day 2");
}

static void
test_host_time (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autoptr (GDateTime) before = g_date_time_new_now_utc ();
  g_autofree char *text = NULL;

  test_board_add (board, "rtc", "rtc", NULL);
  text = g_date_time_format (before, "%Y%m%d");
  if (g_date_time_get_hour (before) < 23) /* else the day may change under the test */
    {
      g_autofree char *seen = g_strdup_printf ("%02x%02x%02x%02x", cmos_read (board, 0x32), cmos_read (board, 9),
                                               cmos_read (board, 8), cmos_read (board, 7));

      g_assert_cmpstr (seen, ==, text);
    }
}

static void
test_local_time (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autoptr (GDateTime) now = NULL;
  int hour;

  g_setenv ("TZ", "LGT-5:30", TRUE); /* five and a half hours east of Greenwich */
  tzset ();
  test_board_add (board, "rtc", "rtc", "base", "local", NULL);
  now = g_date_time_new_now_utc ();
  hour = (cmos_read (board, 4) >> 4) * 10 + (cmos_read (board, 4) & 15);
  hour = hour * 60 + (cmos_read (board, 2) >> 4) * 10 + (cmos_read (board, 2) & 15);
  hour -= g_date_time_get_hour (now) * 60 + g_date_time_get_minute (now);
  hour = (hour + 24 * 60) % (24 * 60);
  g_assert_cmpint (hour, >=, 329); /* a minute may pass between */
  g_assert_cmpint (hour, <=, 330);
  g_unsetenv ("TZ");
  tzset ();
}

static void
test_formats (void)
{
  g_autoptr (TestBoard) board = test_board_new ();

  test_board_add (board, "rtc", "rtc", "start", START, NULL);
  cmos_write (board, 0x0b, 0x06); /* binary, 24 hours */
  g_assert_cmpuint (cmos_read (board, 0), ==, 58);
  g_assert_cmpuint (cmos_read (board, 4), ==, 23);
  g_assert_cmpuint (cmos_read (board, 9), ==, 24);
  cmos_write (board, 0x0b, 0x04); /* binary, 12 hours: 11 PM */
  g_assert_cmphex (cmos_read (board, 4), ==, 0x8b);
  cmos_write (board, 0x0b, 0x00); /* BCD, 12 hours */
  g_assert_cmphex (cmos_read (board, 4), ==, 0x91);
  test_advance_ns (board, 2 * NS_PER_S); /* midnight is 12 AM */
  g_assert_cmphex (cmos_read (board, 4), ==, 0x12);
  test_advance_ns (board, 12 * 3600 * NS_PER_S); /* noon is 12 PM */
  g_assert_cmphex (cmos_read (board, 4), ==, 0x92);
}

static void
test_set (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  static const guint8 bcd[][2] = { { 0, 0x30 }, { 2, 0x59 }, { 4, 0x23 }, { 6, 0x01 },
                                   { 7, 0x31 }, { 8, 0x12 }, { 9, 0x99 }, { 0x32, 0x19 } };

  test_board_add (board, "rtc", "rtc", "start", START, NULL);
  cmos_write (board, 0x0b, 0x92); /* SET takes UIE with it */
  g_assert_cmphex (cmos_read (board, 0x0b), ==, 0x82);
  for (guint i = 0; i < G_N_ELEMENTS (bcd); i++)
    cmos_write (board, bcd[i][0], bcd[i][1]);
  test_advance_ns (board, 10 * NS_PER_S); /* time stands still */
  assert_time (board, "1999-12-31 23:59:30 day 1");
  cmos_write (board, 0x0b, 0x02);
  test_advance_ns (board, 30 * NS_PER_S);
  assert_time (board, "2000-01-01 00:00:00 day 2"); /* the day of the week counts from what was set */
}

static void
test_divider (void)
{
  g_autoptr (TestBoard) board = test_board_new ();

  test_board_add (board, "rtc", "rtc", "start", START, NULL);
  cmos_write (board, 0x0a, 0x76); /* held in reset */
  test_advance_ns (board, 5 * NS_PER_S);
  g_assert_cmphex (cmos_read (board, 0), ==, 0x58);
  cmos_write (board, 0x0a, 0x26);
  test_advance_ns (board, NS_PER_S / 2 - 1); /* the first update comes half a second later */
  g_assert_cmphex (cmos_read (board, 0), ==, 0x58);
  test_advance_ns (board, 1);
  g_assert_cmphex (cmos_read (board, 0), ==, 0x59);
}

static void
test_uip (void)
{
  g_autoptr (TestBoard) board = test_board_new ();

  test_board_add (board, "rtc", "rtc", "start", START, NULL);
  g_assert_cmphex (cmos_read (board, 0x0a), ==, 0x26);
  test_advance_ns (board, NS_PER_S - 244001);
  g_assert_cmphex (cmos_read (board, 0x0a), ==, 0x26);
  test_advance_ns (board, 1);
  g_assert_cmphex (cmos_read (board, 0x0a), ==, 0xa6);
  g_assert_cmphex (cmos_read (board, 0), ==, 0x58);
  test_advance_ns (board, 244000);
  g_assert_cmphex (cmos_read (board, 0x0a), ==, 0x26);
  g_assert_cmphex (cmos_read (board, 0), ==, 0x59);
}

static void
test_alarm_all (void)
{
  g_autoptr (TestBoard) board = test_board_new ();

  test_board_add (board, "rtc", "rtc", "start", START, NULL);
  cmos_write (board, 1, 0x03);
  cmos_write (board, 3, 0x01);
  cmos_write (board, 5, 0x00);
  cmos_write (board, 0x0b, 0x22);
  test_advance_ns (board, 64 * NS_PER_S); /* 00:01:02 */
  g_assert_cmpuint (test_irq_rises (board, GSI), ==, 0);
  test_advance_ns (board, NS_PER_S);
  g_assert_cmpuint (test_irq_rises (board, GSI), ==, 1);
  g_assert_true (test_irq_level (board, GSI));
  g_assert_cmphex (cmos_read (board, 0x0c), ==, 0xf0); /* the update and the periodic flag came with it, not enabled */
  g_assert_false (test_irq_level (board, GSI));
  g_assert_cmphex (cmos_read (board, 0x0c), ==, 0x00);
  test_advance_ns (board, 86399 * NS_PER_S);
  g_assert_cmpuint (test_irq_rises (board, GSI), ==, 1);
  test_advance_ns (board, NS_PER_S); /* and every day */
  g_assert_cmpuint (test_irq_rises (board, GSI), ==, 2);
}

static void
test_alarm_any (void)
{
  g_autoptr (TestBoard) board = test_board_new ();

  test_board_add (board, "rtc", "rtc", "start", START, NULL);
  cmos_write (board, 1, 0x05);
  cmos_write (board, 3, 0xff); /* C0 to FF: any */
  cmos_write (board, 5, 0xc0);
  cmos_write (board, 0x0b, 0x22);
  for (guint minute = 1; minute <= 3; minute++)
    {
      test_advance_ns (board, (minute == 1 ? 7 : 60) * NS_PER_S);
      g_assert_cmpuint (test_irq_rises (board, GSI), ==, minute);
      g_assert_cmphex (cmos_read (board, 0x0c) & 0xa0, ==, 0xa0);
    }
  cmos_write (board, 1, 0x60); /* no such second */
  test_advance_ns (board, 3600 * NS_PER_S);
  g_assert_cmpuint (test_irq_rises (board, GSI), ==, 3);
}

static void
test_alarm_polled (void)
{
  g_autoptr (TestBoard) board = test_board_new ();

  test_board_add (board, "rtc", "rtc", "start", START, NULL);
  cmos_write (board, 1, 0x59);
  cmos_write (board, 3, 0x59);
  cmos_write (board, 5, 0x23);
  test_advance_ns (board, NS_PER_S);
  g_assert_cmphex (cmos_read (board, 0x0c), ==, 0x70); /* flags without IRQF */
  g_assert_cmpuint (test_irq_rises (board, GSI), ==, 0);
}

static void
test_update (void)
{
  g_autoptr (TestBoard) board = test_board_new ();

  test_board_add (board, "rtc", "rtc", "start", START, NULL);
  cmos_write (board, 0x0b, 0x12);
  for (guint i = 1; i <= 3; i++)
    {
      test_advance_ns (board, NS_PER_S);
      g_assert_cmpuint (test_irq_rises (board, GSI), ==, i);
      g_assert_cmphex (cmos_read (board, 0x0c) & 0x90, ==, 0x90);
    }
  test_advance_ns (board, 5 * NS_PER_S); /* the line stays up until C is read */
  g_assert_cmpuint (test_irq_rises (board, GSI), ==, 4);
}

/* Table 5 of the data sheet, 32.768 kHz time base. */
static void
test_rates (void)
{
  static const double hz[16] = { 0, 256, 128, 8192, 4096, 2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2 };

  for (guint rate = 1; rate < 16; rate++)
    {
      g_autoptr (TestBoard) board = test_board_new ();
      guint interrupts = 0;

      test_board_add (board, "rtc", "rtc", "start", START, NULL);
      cmos_write (board, 0x0a, 0x20 | rate);
      cmos_write (board, 0x0b, 0x42);
      for (gint64 t = 0; t < NS_PER_S; t += 50000)
        {
          test_advance_ns (board, 50000);
          if (test_irq_level (board, GSI))
            {
              g_assert_cmphex (cmos_read (board, 0x0c) & 0xc0, ==, 0xc0);
              interrupts++;
            }
        }
      g_assert_cmpuint (interrupts, ==, (guint) hz[rate]);
    }
}

static void
test_rate_none (void)
{
  g_autoptr (TestBoard) board = test_board_new ();

  test_board_add (board, "rtc", "rtc", "start", START, NULL);
  cmos_write (board, 0x0a, 0x20);
  cmos_write (board, 0x0b, 0x42);
  test_advance_ns (board, 10 * NS_PER_S);
  g_assert_cmpuint (test_irq_rises (board, GSI), ==, 0);
}

/* Takes every interrupt that comes during @ns, looking each millisecond. */
static guint
count_interrupts (TestBoard *board, gint64 ns)
{
  guint interrupts = 0;

  for (gint64 t = 0; t < ns; t += 1000000)
    {
      test_advance_ns (board, 1000000);
      if (test_irq_level (board, GSI))
        {
          cmos_read (board, 0x0c);
          interrupts++;
        }
    }
  return interrupts;
}

static void
test_reinject (void)
{
  g_autoptr (TestBoard) board = test_board_new ();

  test_board_add (board, "rtc", "rtc", "start", START, NULL);
  cmos_write (board, 0x0a, 0x2a); /* 64 Hz, as Windows */
  cmos_write (board, 0x0b, 0x42);
  test_advance_ns (board, NS_PER_S); /* the guest was not let run */
  g_assert_cmpuint (test_irq_rises (board, GSI), ==, 1);
  g_assert_cmpuint (count_interrupts (board, NS_PER_S), ==, 128); /* two seconds' worth in all */
  g_assert_cmpuint (count_interrupts (board, NS_PER_S), ==, 64);
}

static void
test_drop (void)
{
  g_autoptr (TestBoard) board = test_board_new ();

  test_board_add (board, "rtc", "rtc", "start", START, "lost-ticks", "drop", NULL);
  cmos_write (board, 0x0a, 0x2a);
  cmos_write (board, 0x0b, 0x42);
  test_advance_ns (board, NS_PER_S);
  g_assert_cmpuint (count_interrupts (board, NS_PER_S), ==, 65);
}

static void
test_reinject_gap (void)
{
  g_autoptr (TestBoard) board = test_board_new ();

  test_board_add (board, "rtc", "rtc", "start", START, NULL);
  cmos_write (board, 0x0a, 0x2a);
  cmos_write (board, 0x0b, 0x42);
  test_advance_ns (board, NS_PER_S);
  g_assert_cmphex (cmos_read (board, 0x0c) & 0xc0, ==, 0xc0);
  g_assert_cmphex (cmos_read (board, 0x0c), ==, 0x00); /* a guest that reads until it is clear gets out */
}

static void
test_warm_reset (void)
{
  g_autoptr (TestBoard) board = test_board_new ();

  test_board_add (board, "rtc", "rtc", "start", START, NULL);
  cmos_write (board, 0x0f, 0x0a);
  cmos_write (board, 0x50, 0x5a);
  cmos_write (board, 0x0b, 0x72);
  test_advance_ns (board, 3 * NS_PER_S);
  g_assert_true (test_irq_level (board, GSI));
  test_board_reset (board, VMM_RESET_WARM);
  g_assert_false (test_irq_level (board, GSI));
  g_assert_cmphex (cmos_read (board, 0x0f), ==, 0x0a);
  g_assert_cmphex (cmos_read (board, 0x50), ==, 0x5a);
  g_assert_cmphex (cmos_read (board, 0x0b), ==, 0x02);
  g_assert_cmphex (cmos_read (board, 0x0c), ==, 0x00);
  assert_time (board, "2024-03-01 00:00:01 day 6");
  test_board_reset (board, VMM_RESET_COLD);
  g_assert_cmphex (cmos_read (board, 0x0f), ==, 0x00);
  g_assert_cmphex (cmos_read (board, 0x50), ==, 0x00);
  assert_time (board, "2024-02-29 23:59:58 day 5");
}

/* The board has 64 MiB and one processor. */
static void
test_sizes (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  guint sum = 0;

  test_board_add (board, "rtc", "rtc", "start", START, NULL);
  g_assert_cmpuint (cmos_read (board, 0x15) | cmos_read (board, 0x16) << 8, ==, 640);
  g_assert_cmpuint (cmos_read (board, 0x17) | cmos_read (board, 0x18) << 8, ==, 63 * 1024);
  g_assert_cmpuint (cmos_read (board, 0x30) | cmos_read (board, 0x31) << 8, ==, 63 * 1024);
  g_assert_cmpuint (cmos_read (board, 0x34) | cmos_read (board, 0x35) << 8, ==, 48 * 16);
  g_assert_cmpuint (cmos_read (board, 0x5b) | cmos_read (board, 0x5c) << 8 | cmos_read (board, 0x5d) << 16, ==, 0);
  g_assert_cmpuint (cmos_read (board, 0x5f), ==, 0);
  g_assert_cmphex (cmos_read (board, 0x38), ==, 0x30);
  g_assert_cmphex (cmos_read (board, 0x3d), ==, 0x12);
  for (guint8 i = 0x10; i <= 0x2d; i++)
    sum += cmos_read (board, i);
  g_assert_cmphex (cmos_read (board, 0x2e) << 8 | cmos_read (board, 0x2f), ==, sum);
}

static void
test_sizes_big (void)
{
  TestBoard board = { 0 };
  g_autoptr (GError) error = NULL;

  board.machine = vmm_machine_new_bare (G_GUINT64_CONSTANT (4) << 30, 4, &error);
  g_assert_no_error (error);
  test_board_add (&board, "rtc", "rtc", NULL);
  g_assert_cmphex (cmos_read (&board, 0x17) | cmos_read (&board, 0x18) << 8, ==, 0xffff);
  g_assert_cmphex (cmos_read (&board, 0x34) | cmos_read (&board, 0x35) << 8, ==, 0x7f00); /* contract 2.1 */
  g_assert_cmphex (cmos_read (&board, 0x5b) | cmos_read (&board, 0x5c) << 8 | cmos_read (&board, 0x5d) << 16, ==, 0x8000);
  g_assert_cmpuint (cmos_read (&board, 0x5f), ==, 3);
  vmm_machine_free (board.machine);
}

static void
test_ports (void)
{
  g_autoptr (TestBoard) board = test_board_new ();

  test_board_add (board, "rtc", "rtc", "start", START, NULL);
  cmos_write (board, 0x50, 0x77);
  test_outb (board, 0x70, 0xd0); /* bit 7 masks NMI and is no part of the index */
  g_assert_cmphex (test_inb (board, 0x71), ==, 0x77);
  g_assert_cmphex (test_inb (board, 0x70), ==, 0xff);
  cmos_write (board, 0x0d, 0x00); /* read only */
  g_assert_cmphex (cmos_read (board, 0x0d), ==, 0x80);
  test_outw (board, 0x70, 0x3351); /* index and data in one */
  g_assert_cmphex (cmos_read (board, 0x51), ==, 0x33);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rtc/time/counts-over-leap-day", test_counts);
  g_test_add_func ("/rtc/time/counts-into-2100", test_century);
  g_test_add_func ("/rtc/time/starts-with-the-hosts-date", test_host_time);
  g_test_add_func ("/rtc/time/starts-in-the-hosts-zone", test_local_time);
  g_test_add_func ("/rtc/time/has-binary-and-12-hour-formats", test_formats);
  g_test_add_func ("/rtc/time/set-holds-and-takes-what-was-written", test_set);
  g_test_add_func ("/rtc/time/divider-reset-puts-the-update-off-by-half-a-second", test_divider);
  g_test_add_func ("/rtc/time/uip-precedes-the-update-by-244-us", test_uip);
  g_test_add_func ("/rtc/alarm/fires-when-all-three-match", test_alarm_all);
  g_test_add_func ("/rtc/alarm/wildcards-match-any", test_alarm_any);
  g_test_add_func ("/rtc/alarm/flag-shows-without-interrupt", test_alarm_polled);
  g_test_add_func ("/rtc/update/interrupts-each-second-once-acknowledged", test_update);
  g_test_add_func ("/rtc/periodic/has-the-data-sheets-rates", test_rates);
  g_test_add_func ("/rtc/periodic/rate-0-is-off", test_rate_none);
  g_test_add_func ("/rtc/periodic/missed-interrupts-come-later", test_reinject);
  g_test_add_func ("/rtc/periodic/missed-interrupts-are-dropped-when-set-so", test_drop);
  g_test_add_func ("/rtc/periodic/late-interrupts-leave-gaps", test_reinject_gap);
  g_test_add_func ("/rtc/reset/warm-keeps-memory-and-time-cold-does-not", test_warm_reset);
  g_test_add_func ("/rtc/cmos/tells-memory-and-processors", test_sizes);
  g_test_add_func ("/rtc/cmos/tells-memory-above-4-gib", test_sizes_big);
  g_test_add_func ("/rtc/ports/index-is-write-only-and-7-bits", test_ports);
  return g_test_run ();
}
