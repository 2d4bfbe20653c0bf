/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Real-time clock and CMOS memory.
 * Spec: Motorola MC146818A data sheet (registers A-D, update cycle, divider); IBM PC/AT CMOS layout; ACPI century byte 32.
 * Left out on purpose: daylight saving (DSE), the square-wave output, crystals other than 32.768 kHz.
 *
 * Theory of operation. Nothing ticks. Time is a calendar second @base_s plus the seconds that the divider chain, started at
 * @phase_ns, has counted; the time registers are made from it when they are read. The flags in register C are brought up to date
 * (rtc_sync) before anything looks at them. A timer is armed only while an interrupt is enabled and not yet pending. Changing DM
 * or 24/12 while the clock runs changes how the registers are shown.
 * While SET is 1 or the divider is held, the time registers are plain memory in @cmos.
 *
 * Periodic interrupts that the guest did not take in time are counted (@owed) and delivered later, a quarter period after the
 * guest has acknowledged the one before: guests that count ticks keep their time.
 *
 * Power on sets everything; a reset only clears the interrupt enables and flags (data sheet, RESET pin). The machine's clock stands
 * still while the machine is paused or the host sleeps; the date then jumps by the whole seconds that the host's date went on
 * (rtc_follow_host), unless it was set to start elsewhere. */
#include "core/bus.h"
#include "core/clock.h"
#include "core/device.h"
#include "core/irq.h"
#include "core/machine.h"
#include "core/memory.h"

#include <time.h>

#define RTC_PORT 0x70
#define RTC_GSI 8
#define RTC_NS G_GINT64_CONSTANT (1000000000)
#define RTC_HZ 32768
#define RTC_UIP_NS 244000   /* UIP precedes the update by t_BUC */
#define RTC_OWED_SECONDS 10 /* longest stretch of periodic interrupts that is made up for */

enum {
  RTC_SECONDS = 0x00,
  RTC_SECONDS_ALARM = 0x01,
  RTC_MINUTES = 0x02,
  RTC_MINUTES_ALARM = 0x03,
  RTC_HOURS = 0x04,
  RTC_HOURS_ALARM = 0x05,
  RTC_DAY_OF_WEEK = 0x06,
  RTC_DAY = 0x07,
  RTC_MONTH = 0x08,
  RTC_YEAR = 0x09,
  RTC_A = 0x0a,
  RTC_B = 0x0b,
  RTC_C = 0x0c,
  RTC_D = 0x0d,
  RTC_SHUTDOWN = 0x0f,
  RTC_EQUIPMENT = 0x14,
  RTC_BASE_MEMORY = 0x15,     /* 15, 16: KiB below 1 MiB */
  RTC_EXTENDED_MEMORY = 0x17, /* 17, 18: KiB above 1 MiB, again in 30, 31 */
  RTC_CHECKSUM = 0x2e,        /* 2E, 2F: sum of 10-2D, high byte first */
  RTC_EXTENDED_MEMORY2 = 0x30,
  RTC_CENTURY = 0x32,
  RTC_MEMORY_16M = 0x34, /* 34, 35: 64 KiB units above 16 MiB, below 4 GiB */
  RTC_CENTURY2 = 0x37,   /* where the PS/2 has it */
  RTC_BOOT_FLAGS1 = 0x38,
  RTC_BOOT_FLAGS2 = 0x3d,
  RTC_MEMORY_4G = 0x5b, /* 5B-5D: 64 KiB units above 4 GiB */
  RTC_CPUS = 0x5f,      /* processors - 1 */
};

#define RTC_A_UIP 0x80
#define RTC_A_DIVIDER 0x70
#define RTC_A_DIVIDER_RUN 0x20
#define RTC_A_RATE 0x0f
#define RTC_B_SET 0x80
#define RTC_B_PIE 0x40
#define RTC_B_AIE 0x20
#define RTC_B_UIE 0x10
#define RTC_B_SQWE 0x08
#define RTC_B_BINARY 0x04
#define RTC_B_24H 0x02
#define RTC_C_IRQF 0x80
#define RTC_C_PF 0x40
#define RTC_C_AF 0x20
#define RTC_C_UF 0x10
#define RTC_D_VRT 0x80
#define RTC_PM 0x80 /* in an hours register, 12-hour mode */

typedef struct {
  gint64 base_s;      /* calendar time, seconds since 1970, when the divider had counted no second */
  gint64 phase_ns;    /* machine's time from which the divider counts */
  gint64 checked_ns;  /* the flags in C are right up to here */
  gint64 catch_up_ns; /* when the next owed interrupt is due; 0: not set */
  guint32 owed;       /* periodic interrupts that the guest has yet to get */
  guint8 index;       /* port 70 */
  guint8 day_shift;   /* day of the week as the guest counts it, less the calendar's: 0-6 */
  guint8 cmos[128];
} RtcRegs;

typedef struct {
  VmmDevice base;
  RtcRegs regs;
  VmmRegion region;
  VmmIrqPin irq;
  VmmTimer timer;
  gboolean reinject;
  gboolean follows_host;
  gint64 host_offset_ns; /* host's date less the machine's clock */
} VmmRtc;

static const char *const rtc_bases[] = { "utc", "local", NULL };
static const char *const rtc_lost_ticks[] = { "reinject", "drop", NULL };

static const VmmSetting rtc_settings[] = {
  { .key = "base",
    .type = VMM_SETTING_ENUM,
    .fallback = "utc",
    .choices = rtc_bases,
    .summary = N_ ("Time zone of the clock: UTC or the host's") },
  { .key = "start",
    .type = VMM_SETTING_INT,
    .min = -2208988800,
    .max = 253402300799,
    .summary = N_ ("Date at power on, in seconds since 1970, in place of the host's") },
  { .key = "lost-ticks",
    .type = VMM_SETTING_ENUM,
    .fallback = "reinject",
    .choices = rtc_lost_ticks,
    .summary = N_ ("What becomes of periodic interrupts that came too fast") },
  { .key = NULL },
};

static const VmmField rtc_fields[] = {
  VMM_FIELD (RtcRegs, base_s),
  VMM_FIELD (RtcRegs, phase_ns),
  VMM_FIELD (RtcRegs, checked_ns),
  VMM_FIELD (RtcRegs, catch_up_ns),
  VMM_FIELD_MAX (RtcRegs, owed, RTC_OWED_SECONDS *RTC_HZ),
  VMM_FIELD_MAX (RtcRegs, index, 0x7f),
  VMM_FIELD_MAX (RtcRegs, day_shift, 6),
  VMM_FIELD_BLOB (RtcRegs, cmos),
  VMM_FIELD_END,
};

/* --- the calendar ------------------------------------------------------------------------------------------------------------ */

typedef struct {
  int year, month, day; /* month, day from 1 */
  int hour, minute, second;
  int weekday; /* 0: Sunday */
} RtcDate;

/* Days since 1970-01-01 of the proleptic Gregorian calendar. Years start in March here, so that leap days come last. */
static gint64
rtc_days (int year, int month, int day)
{
  gint64 y = year - (month <= 2);
  gint64 era = (y >= 0 ? y : y - 399) / 400;
  gint64 year_of_era = y - era * 400;
  gint64 day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static gint64
rtc_floor_div (gint64 value, gint64 by)
{
  return value / by - (value % by < 0);
}

static void
rtc_date_from_seconds (gint64 seconds, RtcDate *date)
{
  gint64 days = rtc_floor_div (seconds, 86400);
  int in_day = (int) (seconds - days * 86400);
  gint64 shifted = days + 719468;
  gint64 era = rtc_floor_div (shifted, 146097);
  gint64 day_of_era = shifted - era * 146097;
  gint64 year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  gint64 day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int month = (int) ((5 * day_of_year + 2) / 153);

  date->day = (int) (day_of_year - (153 * month + 2) / 5 + 1);
  date->month = month < 10 ? month + 3 : month - 9;
  date->year = (int) (year_of_era + era * 400 + (date->month <= 2));
  date->hour = in_day / 3600;
  date->minute = in_day / 60 % 60;
  date->second = in_day % 60;
  date->weekday = (int) (((days + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
}

/* --- register formats -------------------------------------------------------------------------------------------------------- */

static guint8
rtc_encode (const RtcRegs *regs, int value)
{
  if (regs->cmos[RTC_B] & RTC_B_BINARY)
    return (guint8) value;
  return (guint8) (value / 10 % 10 << 4 | value % 10);
}

static int
rtc_decode (const RtcRegs *regs, guint8 value)
{
  if (regs->cmos[RTC_B] & RTC_B_BINARY)
    return value;
  return (value >> 4) * 10 + (value & 15);
}

static guint8
rtc_encode_hour (const RtcRegs *regs, int hour)
{
  if (regs->cmos[RTC_B] & RTC_B_24H)
    return rtc_encode (regs, hour);
  return rtc_encode (regs, hour % 12 == 0 ? 12 : hour % 12) | (hour >= 12 ? RTC_PM : 0);
}

static int
rtc_decode_hour (const RtcRegs *regs, guint8 value)
{
  int hour;

  if (regs->cmos[RTC_B] & RTC_B_24H)
    return rtc_decode (regs, value);
  hour = rtc_decode (regs, value & ~RTC_PM);
  return (hour == 12 ? 0 : hour) + (value & RTC_PM ? 12 : 0);
}

/* --- time -------------------------------------------------------------------------------------------------------------------- */

static gboolean
rtc_divider_runs (const RtcRegs *regs)
{
  return (regs->cmos[RTC_A] & RTC_A_DIVIDER) == RTC_A_DIVIDER_RUN;
}

/* Whether seconds are counted. */
static gboolean
rtc_counts (const RtcRegs *regs)
{
  return rtc_divider_runs (regs) && !(regs->cmos[RTC_B] & RTC_B_SET);
}

static gint64
rtc_ticks (gint64 ns)
{
  return ns / RTC_NS * RTC_HZ + ns % RTC_NS * RTC_HZ / RTC_NS;
}

static gint64
rtc_ticks_to_ns (gint64 ticks)
{
  return ticks / RTC_HZ * RTC_NS + (ticks % RTC_HZ * RTC_NS + RTC_HZ - 1) / RTC_HZ;
}

/* Ticks between two periodic interrupts; 0: none. */
static gint64
rtc_period (const RtcRegs *regs)
{
  guint rate = regs->cmos[RTC_A] & RTC_A_RATE;

  if (rate == 0)
    return 0;
  return rate <= 2 ? 64 << rate : 1 << (rate - 1); /* rates 1 and 2 are those of 8 and 9 */
}

static gint64
rtc_seconds (const RtcRegs *regs, gint64 now_ns)
{
  return regs->base_s + (now_ns - regs->phase_ns) / RTC_NS;
}

/* Time registers <- time. */
static void
rtc_show_time (RtcRegs *regs, gint64 now_ns)
{
  RtcDate date;

  rtc_date_from_seconds (rtc_seconds (regs, now_ns), &date);
  regs->cmos[RTC_SECONDS] = rtc_encode (regs, date.second);
  regs->cmos[RTC_MINUTES] = rtc_encode (regs, date.minute);
  regs->cmos[RTC_HOURS] = rtc_encode_hour (regs, date.hour);
  regs->cmos[RTC_DAY_OF_WEEK] = rtc_encode (regs, (date.weekday + regs->day_shift) % 7 + 1);
  regs->cmos[RTC_DAY] = rtc_encode (regs, date.day);
  regs->cmos[RTC_MONTH] = rtc_encode (regs, date.month);
  regs->cmos[RTC_YEAR] = rtc_encode (regs, date.year % 100);
  regs->cmos[RTC_CENTURY] = regs->cmos[RTC_CENTURY2] = rtc_encode (regs, date.year / 100);
}

/* Time <- time registers. Out-of-range values carry over into the next unit. */
static void
rtc_take_time (RtcRegs *regs, gint64 now_ns)
{
  int year = rtc_decode (regs, regs->cmos[RTC_CENTURY]) * 100 + rtc_decode (regs, regs->cmos[RTC_YEAR]);
  int month = CLAMP (rtc_decode (regs, regs->cmos[RTC_MONTH]), 1, 12);
  int day = rtc_decode (regs, regs->cmos[RTC_DAY]);
  int weekday = rtc_decode (regs, regs->cmos[RTC_DAY_OF_WEEK]) - 1;
  gint64 seconds = rtc_days (year, month, day) * 86400 + rtc_decode_hour (regs, regs->cmos[RTC_HOURS]) * 3600
                   + rtc_decode (regs, regs->cmos[RTC_MINUTES]) * 60 + rtc_decode (regs, regs->cmos[RTC_SECONDS]);
  RtcDate date;

  rtc_date_from_seconds (seconds, &date);
  regs->day_shift = (guint8) (((weekday - date.weekday) % 7 + 7) % 7);
  regs->base_s = seconds - (now_ns - regs->phase_ns) / RTC_NS;
}

/* The first second after @seconds at which the alarm fires, or -1 if it never does. */
static gint64
rtc_next_alarm (const RtcRegs *regs, gint64 seconds)
{
  gboolean any_hour = regs->cmos[RTC_HOURS_ALARM] >= 0xc0;
  gboolean any_minute = regs->cmos[RTC_MINUTES_ALARM] >= 0xc0;
  gboolean any_second = regs->cmos[RTC_SECONDS_ALARM] >= 0xc0;
  int hour = rtc_decode_hour (regs, regs->cmos[RTC_HOURS_ALARM]);
  int minute = rtc_decode (regs, regs->cmos[RTC_MINUTES_ALARM]);
  int second = rtc_decode (regs, regs->cmos[RTC_SECONDS_ALARM]);
  gint64 midnight = rtc_floor_div (seconds + 1, 86400) * 86400;
  gint64 at = seconds + 1 - midnight;

  if ((!any_hour && hour > 23) || (!any_minute && minute > 59) || (!any_second && second > 59))
    return -1;
  for (;;)
    {
      if (!any_hour && at / 3600 % 24 != hour)
        at = (at / 3600 + 1) * 3600;
      else if (!any_minute && at / 60 % 60 != minute)
        at = (at / 60 + 1) * 60;
      else if (!any_second && at % 60 != second)
        at++;
      else
        return midnight + at;
    }
}

/* The machine's clock, after the date has followed the host's. */
static gint64
rtc_now (VmmRtc *rtc)
{
  gint64 now_ns = vmm_clock_now (vmm_device_get_clock (&rtc->base));
  gint64 offset_ns;

  if (!rtc->follows_host)
    return now_ns;
  offset_ns = g_get_real_time () * 1000 - now_ns;
  if (offset_ns < rtc->host_offset_ns) /* set back, or slowed down: time does not run backwards here */
    rtc->host_offset_ns = offset_ns;
  else if (offset_ns - rtc->host_offset_ns >= RTC_NS)
    {
      gint64 missed = (offset_ns - rtc->host_offset_ns) / RTC_NS;

      rtc->host_offset_ns += missed * RTC_NS;
      if (rtc_counts (&rtc->regs))
        rtc->regs.base_s += missed;
    }
  return now_ns;
}

/* --- flags and interrupts ---------------------------------------------------------------------------------------------------- */

/* Brings the flags in C up to @now_ns. */
static void
rtc_sync (VmmRtc *rtc, gint64 now_ns)
{
  RtcRegs *regs = &rtc->regs;
  guint8 *c = &regs->cmos[RTC_C];

  if (now_ns <= regs->checked_ns)
    return;
  if (rtc_divider_runs (regs))
    {
      gint64 period = rtc_period (regs);
      gint64 from = rtc_seconds (regs, regs->checked_ns), to = rtc_seconds (regs, now_ns);

      if (period > 0)
        {
          gint64 edges = rtc_ticks (now_ns - regs->phase_ns) / period - rtc_ticks (regs->checked_ns - regs->phase_ns) / period;

          if (edges > 0)
            {
              if (rtc->reinject && regs->cmos[RTC_B] & RTC_B_PIE)
                {
                  gint64 owed = regs->owed + edges - (*c & RTC_C_PF ? 0 : 1);

                  regs->owed = (guint32) MIN (owed, RTC_OWED_SECONDS * RTC_HZ / period);
                }
              *c |= RTC_C_PF;
            }
        }
      if (rtc_counts (regs) && to > from)
        {
          gint64 alarm = rtc_next_alarm (regs, from);

          *c |= RTC_C_UF;
          if (alarm != -1 && alarm <= to)
            *c |= RTC_C_AF;
        }
    }
  regs->checked_ns = now_ns;
}

/* IRQF and the line follow the flags; the timer is armed for the next one that interrupts. */
static void
rtc_update (VmmRtc *rtc)
{
  RtcRegs *regs = &rtc->regs;
  guint8 b = regs->cmos[RTC_B], *c = &regs->cmos[RTC_C];
  gint64 now_ns = regs->checked_ns, since = now_ns - regs->phase_ns;
  gint64 deadline = G_MAXINT64;

  if (*c & b & (RTC_C_PF | RTC_C_AF | RTC_C_UF)) /* the enables have the flags' places */
    {
      gboolean rises = !(*c & RTC_C_IRQF);

      *c |= RTC_C_IRQF;
      if (!vmm_irq_pin_set (&rtc->irq, TRUE) && rises && rtc->reinject && *c & b & RTC_C_PF)
        regs->owed++;
    }
  else
    {
      *c &= ~RTC_C_IRQF;
      vmm_irq_pin_set (&rtc->irq, FALSE);
    }

  if (rtc_divider_runs (regs))
    {
      gint64 period = rtc_period (regs);

      if (b & RTC_B_PIE && !(*c & RTC_C_PF) && period > 0)
        {
          deadline = regs->phase_ns + rtc_ticks_to_ns ((rtc_ticks (since) / period + 1) * period);
          if (regs->catch_up_ns != 0)
            deadline = MIN (deadline, regs->catch_up_ns);
        }
      if (rtc_counts (regs) && b & RTC_B_UIE && !(*c & RTC_C_UF))
        deadline = MIN (deadline, regs->phase_ns + (since / RTC_NS + 1) * RTC_NS);
      if (rtc_counts (regs) && b & RTC_B_AIE && !(*c & RTC_C_AF))
        {
          gint64 alarm = rtc_next_alarm (regs, rtc_seconds (regs, now_ns));

          if (alarm != -1)
            deadline = MIN (deadline, regs->phase_ns + (alarm - regs->base_s) * RTC_NS);
        }
    }
  if (deadline != G_MAXINT64)
    vmm_timer_arm (&rtc->timer, deadline);
  else
    vmm_timer_disarm (&rtc->timer);
}

static void
rtc_on_timer (VmmDevice *dev, gpointer data)
{
  VmmRtc *rtc = (VmmRtc *) dev;
  RtcRegs *regs = &rtc->regs;

  rtc_sync (rtc, rtc_now (rtc));
  if (regs->catch_up_ns != 0 && regs->checked_ns >= regs->catch_up_ns)
    {
      regs->catch_up_ns = 0;
      if (regs->owed > 0 && regs->cmos[RTC_B] & RTC_B_PIE && !(regs->cmos[RTC_C] & RTC_C_PF))
        {
          regs->owed--;
          regs->cmos[RTC_C] |= RTC_C_PF;
        }
    }
  rtc_update (rtc);
}

/* --- registers --------------------------------------------------------------------------------------------------------------- */

static gboolean
rtc_is_time (guint8 index)
{
  return index == RTC_SECONDS || index == RTC_MINUTES || (index >= RTC_HOURS && index <= RTC_YEAR && index != RTC_HOURS_ALARM)
         || index == RTC_CENTURY || index == RTC_CENTURY2;
}

/* Reading C acknowledges. */
static guint8
rtc_read_c (VmmRtc *rtc)
{
  RtcRegs *regs = &rtc->regs;
  guint8 value = regs->cmos[RTC_C];

  regs->cmos[RTC_C] = 0;
  regs->catch_up_ns = 0;
  if (regs->owed > 0 && value & RTC_C_PF)
    regs->catch_up_ns = regs->checked_ns + rtc_ticks_to_ns (rtc_period (regs)) / 4;
  rtc_update (rtc);
  return value;
}

static guint64
rtc_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  VmmRtc *rtc = (VmmRtc *) dev;
  RtcRegs *regs = &rtc->regs;
  gint64 now_ns = rtc_now (rtc);

  if (offset == 0) /* the index is write only */
    return 0xff;
  switch (regs->index)
    {
    case RTC_A:
      if (rtc_counts (regs) && (now_ns - regs->phase_ns) % RTC_NS >= RTC_NS - RTC_UIP_NS)
        return regs->cmos[RTC_A] | RTC_A_UIP;
      return regs->cmos[RTC_A];
    case RTC_C:
      rtc_sync (rtc, now_ns);
      /* the flag's interrupt may be due on another thread just now: it is the same event, seen here */
      if (regs->cmos[RTC_C] & regs->cmos[RTC_B] & (RTC_C_PF | RTC_C_AF | RTC_C_UF))
        regs->cmos[RTC_C] |= RTC_C_IRQF;
      return rtc_read_c (rtc);
    default:
      if (rtc_is_time (regs->index) && rtc_counts (regs))
        rtc_show_time (regs, now_ns);
      return regs->cmos[regs->index];
    }
}

static void
rtc_write_a (RtcRegs *regs, guint8 value, gint64 now_ns)
{
  gboolean ran = rtc_divider_runs (regs), counted = rtc_counts (regs);

  if (counted)
    rtc_show_time (regs, now_ns);
  regs->cmos[RTC_A] = value & ~RTC_A_UIP;
  if (!ran && rtc_divider_runs (regs))
    regs->phase_ns = now_ns - RTC_NS / 2; /* the first update comes half a second after the divider is let go */
  if (rtc_counts (regs) && !counted)
    rtc_take_time (regs, now_ns);
}

static void
rtc_write_b (RtcRegs *regs, guint8 value, gint64 now_ns)
{
  gboolean counted = rtc_counts (regs);

  if (counted && value & RTC_B_SET)
    rtc_show_time (regs, now_ns);
  if (value & RTC_B_SET)
    value &= ~RTC_B_UIE;
  regs->cmos[RTC_B] = value;
  if (!(value & RTC_B_PIE))
    {
      regs->owed = 0;
      regs->catch_up_ns = 0;
    }
  if (rtc_counts (regs) && !counted)
    rtc_take_time (regs, now_ns);
}

static void
rtc_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  VmmRtc *rtc = (VmmRtc *) dev;
  RtcRegs *regs = &rtc->regs;
  gint64 now_ns = rtc_now (rtc);

  if (offset == 0)
    {
      regs->index = value & 0x7f; /* bit 7 masks NMI, of which there is none */
      return;
    }
  rtc_sync (rtc, now_ns);
  switch (regs->index)
    {
    case RTC_A:
      rtc_write_a (regs, (guint8) value, now_ns);
      break;
    case RTC_B:
      rtc_write_b (regs, (guint8) value, now_ns);
      break;
    case RTC_C:
    case RTC_D:
      return; /* read only */
    default:
      if (!rtc_is_time (regs->index))
        {
          regs->cmos[regs->index] = (guint8) value;
          break;
        }
      if (rtc_counts (regs))
        rtc_show_time (regs, now_ns);
      regs->cmos[regs->index] = (guint8) value;
      if (regs->index == RTC_CENTURY || regs->index == RTC_CENTURY2)
        regs->cmos[RTC_CENTURY] = regs->cmos[RTC_CENTURY2] = (guint8) value;
      if (rtc_counts (regs))
        rtc_take_time (regs, now_ns);
      break;
    }
  rtc_update (rtc);
}

static const VmmRegionOps rtc_ops = { .name = "rtc", .read = rtc_read, .write = rtc_write, .access_max = 1 };

/* --- life -------------------------------------------------------------------------------------------------------------------- */

static gint64
rtc_host_time (VmmRtc *rtc)
{
  time_t now;
  struct tm tm;

  if (vmm_device_get_string (&rtc->base, "start") != NULL)
    return vmm_device_get_int (&rtc->base, "start");
  now = time (NULL);
  if (g_str_equal (vmm_device_get_string (&rtc->base, "base"), "local") && localtime_r (&now, &tm) != NULL)
    return now + tm.tm_gmtoff;
  return now;
}

static void
rtc_put_u16 (RtcRegs *regs, guint index, guint64 value)
{
  regs->cmos[index] = value & 0xff;
  regs->cmos[index + 1] = value >> 8 & 0xff;
}

/* What the firmware of a PC/AT would find after its battery was put in, with the sizes of this machine (contract 2.1). */
static void
rtc_fill_cmos (VmmRtc *rtc)
{
  RtcRegs *regs = &rtc->regs;
  VmmMemory *memory = vmm_device_get_memory (&rtc->base);
  guint64 low = vmm_memory_get_low_size (memory), high = vmm_memory_get_high_size (memory);
  guint64 extended = low > 0x100000 ? (low - 0x100000) >> 10 : 0;
  guint sum = 0;

  memset (regs->cmos, 0, sizeof regs->cmos);
  regs->cmos[RTC_A] = RTC_A_DIVIDER_RUN | 6; /* 1024 Hz */
  regs->cmos[RTC_B] = RTC_B_24H;
  regs->cmos[RTC_D] = RTC_D_VRT;
  regs->cmos[RTC_EQUIPMENT] = 0x06; /* coprocessor, PS/2 mouse; no floppy */
  rtc_put_u16 (regs, RTC_BASE_MEMORY, 640);
  rtc_put_u16 (regs, RTC_EXTENDED_MEMORY, MIN (extended, 0xffff));
  rtc_put_u16 (regs, RTC_EXTENDED_MEMORY2, MIN (extended, 0xffff));
  rtc_put_u16 (regs, RTC_MEMORY_16M, low > 0x1000000 ? MIN ((low - 0x1000000) >> 16, 0xffff) : 0);
  rtc_put_u16 (regs, RTC_MEMORY_4G, high >> 16);
  regs->cmos[RTC_MEMORY_4G + 2] = high >> 32 & 0xff;
  regs->cmos[RTC_BOOT_FLAGS1] = 0x30; /* third: CD */
  regs->cmos[RTC_BOOT_FLAGS2] = 0x12; /* first: hard disk, second: floppy */
  regs->cmos[RTC_CPUS] = (guint8) (MAX (rtc->base.machine->n_vcpus, 1) - 1);
  for (guint i = 0x10; i < RTC_CHECKSUM; i++)
    sum += regs->cmos[i];
  regs->cmos[RTC_CHECKSUM] = sum >> 8 & 0xff;
  regs->cmos[RTC_CHECKSUM + 1] = sum & 0xff;
}

static void
rtc_reset (VmmDevice *dev, VmmResetKind kind)
{
  VmmRtc *rtc = (VmmRtc *) dev;
  RtcRegs *regs = &rtc->regs;
  gint64 now_ns = rtc_now (rtc);

  if (kind == VMM_RESET_COLD)
    {
      rtc_fill_cmos (rtc);
      regs->index = 0;
      regs->day_shift = 0;
      regs->phase_ns = now_ns;
      regs->checked_ns = now_ns;
      rtc->host_offset_ns = g_get_real_time () * 1000 - now_ns;
      regs->base_s = rtc_host_time (rtc);
      rtc_show_time (regs, now_ns);
    }
  else
    rtc_sync (rtc, now_ns);
  regs->owed = 0;
  regs->catch_up_ns = 0;
  regs->cmos[RTC_B] &= ~(RTC_B_PIE | RTC_B_AIE | RTC_B_UIE | RTC_B_SQWE);
  regs->cmos[RTC_C] = 0;
  rtc_update (rtc);
}

static gboolean
rtc_post_load (VmmDevice *dev, GError **error)
{
  VmmRtc *rtc = (VmmRtc *) dev;
  RtcRegs *regs = &rtc->regs;

  if (regs->phase_ns < -RTC_NS || regs->phase_ns > regs->checked_ns || regs->catch_up_ns < 0
      || ABS (regs->base_s) > G_GINT64_CONSTANT (1) << 40)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_STATE_MISMATCH, "%s: times in the saved state contradict each other", dev->id);
      return FALSE;
    }
  rtc_update (rtc);
  return TRUE;
}

static gboolean
rtc_realize (VmmDevice *dev, GError **error)
{
  VmmRtc *rtc = (VmmRtc *) dev;

  rtc->follows_host = vmm_device_get_string (dev, "start") == NULL;
  rtc->reinject = g_str_equal (vmm_device_get_string (dev, "lost-ticks"), "reinject");
  vmm_irq_pin_init (&rtc->irq, vmm_device_get_irq (dev), RTC_GSI);
  vmm_timer_init (&rtc->timer, dev, rtc_on_timer, NULL);
  vmm_bus_map_pio (&rtc->region, dev, &rtc_ops, NULL, RTC_PORT, 2);
  return TRUE;
}

static void
rtc_unrealize (VmmDevice *dev)
{
  VmmRtc *rtc = (VmmRtc *) dev;

  vmm_region_unmap (vmm_device_get_bus (dev), &rtc->region);
  vmm_timer_clear (&rtc->timer);
}

const VmmDeviceClass vmm_rtc_class = {
  .name = "rtc",
  .summary = N_ ("Real-time clock"),
  .bus = VMM_DEVICE_SYSTEM,
  .instance_size = sizeof (VmmRtc),
  .settings = rtc_settings,
  .regs_offset = G_STRUCT_OFFSET (VmmRtc, regs),
  .regs_size = sizeof (RtcRegs),
  .regs_fields = rtc_fields,
  .state_version = 1,
  .realize = rtc_realize,
  .reset = rtc_reset,
  .unrealize = rtc_unrealize,
  .post_load = rtc_post_load,
};
