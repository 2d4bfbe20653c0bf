/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Timers against the PM timer: none may be fast; how late they come is the host's. Processors: start and messages between them. */
#include "guest.h"

#define AP_PAGE 0x8000
#define IPI_VECTOR 0x50

static u32
ms_since (u32 start)
{
  return ((pm_ticks () - start) & 0xffffff) / (PM_TIMER_HZ / 1000);
}

static void
delay_ms (u32 ms)
{
  for (u32 start = pm_ticks (); ms_since (start) < ms;)
    ;
}

/* @count interrupts of @vector, from @start on, when the timer was about to be set: not before @ms milliseconds, and within two seconds
 * more. */
static void
check_pace (const char *name, u32 vector, u32 count, u32 start, u32 ms)
{
  int came = wait_for (&interrupts[vector], count, ms + 2000);
  u32 passed = ms_since (start);

  check (name, came && passed + 1 >= ms, came ? passed : interrupts[vector], ms);
}

static volatile u32 rtc_updates;

static void
acknowledge_rtc (void)
{
  if (cmos_read (0x0c) & 0x10)
    rtc_updates++;
  pic_eoi (8);
}

void
test_timers (void)
{
  u32 before, after, second;

  before = pm_ticks ();
  for (volatile u32 i = 0; i < 1000; i++)
    ;
  after = pm_ticks ();
  check ("timers/pm-timer-runs", before != after, after, before);

  before = pm_ticks ();
  outb (0x43, 0x34); /* counter 0, rate generator */
  outb (0x40, 11932 & 0xff);
  outb (0x40, 11932 >> 8); /* 100 Hz */
  pic_unmask (0);
  check_pace ("timers/pit-ticks-at-its-rate", PIC_BASE, 11, before, 100); /* one may have been latched before */
  outb (0x21, 0xff);

  handlers[PIC_BASE + 8] = acknowledge_rtc;
  before = pm_ticks ();
  cmos_write (0x0a, 0x2a); /* 64 Hz */
  cmos_write (0x0b, 0x42);
  cmos_read (0x0c);
  pic_unmask (8);
  check_pace ("timers/rtc-ticks-at-its-rate", PIC_BASE + 8, 17, before, 234); /* the first comes within a period */
  cmos_write (0x0a, 0x26);
  cmos_write (0x0b, 0x12); /* update-ended */
  cmos_read (0x0c);
  rtc_updates = 0; /* the flag also comes while only the periodic interrupt is on */
  second = cmos_read (0x00);
  wait_for (&rtc_updates, 1, 2500);
  check ("timers/rtc-second-comes-with-its-interrupt", rtc_updates == 1 && cmos_read (0x00) != second, cmos_read (0x00), second);
  cmos_write (0x0b, 0x02);
  outb (0x21, 0xff);
  outb (0xa1, 0xff);

  before = pm_ticks ();
  write32 (LAPIC + 0x3e0, 0x0b);     /* divide by 1: 1 GHz under KVM */
  write32 (LAPIC + 0x320, 0x44);     /* one shot */
  write32 (LAPIC + 0x380, 20000000); /* 20 ms */
  check_pace ("timers/local-apic-fires-once", 0x44, 1, before, 20);
  delay_ms (60); /* interrupts are off: a second one would wait */
  heartbeat_start ();
  wait_for (&interrupts[0x44], 2, 60);
  check_eq ("timers/local-apic-one-shot-does-not-repeat", interrupts[0x44], 1);
  before = pm_ticks ();
  write32 (LAPIC + 0x320, 0x20000 | 0x45); /* periodic */
  write32 (LAPIC + 0x380, 10000000);
  check_pace ("timers/local-apic-repeats", 0x45, 10, before, 100);
  heartbeat_start ();

  /* the PM timer's overflow raises the SCI: status bit 0 each time bit 23 changes (ACPI 6.5, 4.8.3.3) */
  outw (0x600, 0x0001);
  before = pm_ticks () & 0x800000;
  for (u32 ms = 0; ms < 3000 && (pm_ticks () & 0x800000) == before; ms++)
    for (u32 start = pm_ticks (); ms_since (start) < 1;)
      ;
  check_eq ("timers/pm-timer-tells-its-overflow", inw (0x600) & 1, 1);
}

static volatile u32 ap_ready;

void
ap_main (void)
{
  lapic_enable ();
  __asm__ volatile ("lock incl %0" : "+m"(ap_ready));
  for (;;)
    wait_interrupt ();
}

static void
lapic_send (u32 destination, u32 command)
{
  write32 (LAPIC + 0x310, destination << 24);
  write32 (LAPIC + 0x300, command);
  while (read32 (LAPIC + 0x300) & 0x1000)
    ;
}

/* @n: processors in all */
void
test_processors (u32 n)
{
  u32 self = read32 (LAPIC + 0x20) >> 24;

  check_eq ("processors/cmos-tells-their-number", cmos_read (0x5f), n - 1);
  for (u32 i = 0; i < (u32) (ap_end - ap_start); i++)
    ((volatile u8 *) AP_PAGE)[i] = ap_start[i];
  lapic_send (0, 0x000c4500); /* INIT to all others */
  delay_ms (10);
  lapic_send (0, 0x000c4600 | AP_PAGE >> 12); /* SIPI to all others */
  wait_for (&ap_ready, n - 1, 2000);
  lapic_send (0, 0x000c4600 | AP_PAGE >> 12); /* the second does nothing to those that run */
  wait_for (&ap_ready, n - 1, 3000);
  delay_ms (50);
  check_eq ("processors/all-start-by-init-sipi", ap_ready, n - 1);

  for (u32 i = 0, sent = 0; i < n; i++)
    if (i != self)
      {
        lapic_send (i, 0x4000 | IPI_VECTOR);
        wait_for (&interrupts[IPI_VECTOR], ++sent, 1000);
      }
  check_eq ("processors/each-takes-messages", interrupts[IPI_VECTOR], n - 1);
  lapic_send (0, 0x000c4000 | IPI_VECTOR); /* to all others */
  wait_for (&interrupts[IPI_VECTOR], 2 * (n - 1), 1000);
  check_eq ("processors/all-take-a-broadcast", interrupts[IPI_VECTOR], 2 * (n - 1));
}
