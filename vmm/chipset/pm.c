/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The ICH9's power management block: fixed-hardware ACPI (PM1 event and control, PM timer, GPE0), power button, soft-off.
 * Spec: Intel I/O Controller Hub 9 datasheet (316972) §13.8.3; ACPI 6.5 §4.8. Left out: SMM (SMI_EN reads APMC_EN, so that firmware
 * takes the handler as set up), sleep states other than S5, the TCO watchdog (NO_REBOOT is stuck at 1 in lpc.c), processor throttling.
 *
 * Theory of operation: 128 ports where the LPC bridge says. SCI_EN is always 1: there is no SMI that could take the events instead. The
 * timer is the machine's clock in another unit, read without the lock: firmware reads it millions of times. TMR_STS is computed when
 * somebody looks; a host timer runs only while TMR_EN asks for the interrupt. */
#include "chipset/pm.h"

#include "core/bus.h"
#include "core/clock.h"
#include "core/device.h"
#include "core/irq.h"
#include "core/machine.h"

#include <string.h>

#define PMB_N_PORTS 0x80
#define PMB_PM1_STS 0x00
#define PMB_PM1_EN 0x02
#define PMB_PM1_CNT 0x04
#define PMB_PM1_TMR 0x08
#define PMB_GPE0_STS 0x20
#define PMB_GPE0_EN 0x28
#define PMB_GPE0_BYTES 8
#define PMB_SMI_EN 0x30

#define PMB_TMR_STS 0x0001
#define PMB_PWRBTN_STS 0x0100
#define PMB_PM1_STS_W1C 0x8521 /* WAK, RTC, PWRBTN, GBL, TMR */
#define PMB_PM1_EN_BITS 0x0521
#define PMB_SCI_EN 0x0001
#define PMB_PM1_CNT_BITS 0x1c02 /* SLP_TYP, BM_RLD; SLP_EN reads 0 */
#define PMB_SLP_EN 0x2000
#define PMB_SLP_TYP_SHIFT 10
#define PMB_SLP_TYP_S5 0 /* as _S5 in the DSDT says */
#define PMB_APMC_EN 0x20

#define PMB_TIMER_HZ 3579545
#define PMB_TIMER_BITS 24
#define PMB_TIMER_HALF (1 << (PMB_TIMER_BITS - 1)) /* TMR_STS: the highest bit changed */
#define PMB_NS 1000000000

typedef struct {
  guint16 pm1_sts, pm1_en, pm1_cnt;
  guint16 padding;
  guint64 gpe0_sts, gpe0_en;
  guint64 tmr_change_ns; /* when the timer's highest bit changes next, counted from when TMR_STS was last clear */
} PmbRegs;

typedef struct {
  VmmDevice base;
  PmbRegs regs;
  guint16 port; /* 0: nowhere */
  VmmRegion ports;
  VmmRegion timer_port;
  VmmTimer timer;
  VmmIrqPin sci;
} Pmb;

static const VmmField pmb_fields[] = {
  VMM_FIELD (PmbRegs, pm1_sts),       VMM_FIELD (PmbRegs, pm1_en),
  VMM_FIELD (PmbRegs, pm1_cnt),       VMM_FIELD_NOT_SAVED (PmbRegs, padding, "alignment"),
  VMM_FIELD (PmbRegs, gpe0_sts),      VMM_FIELD (PmbRegs, gpe0_en),
  VMM_FIELD (PmbRegs, tmr_change_ns), VMM_FIELD_END,
};

/* Time */

static guint64
pmb_ticks (gint64 now_ns)
{
  guint64 ns = (guint64) now_ns;

  return ns / PMB_NS * PMB_TIMER_HZ + ns % PMB_NS * PMB_TIMER_HZ / PMB_NS;
}

/* The first nanosecond at which pmb_ticks() has reached @ticks. */
static guint64
pmb_ticks_to_ns (guint64 ticks)
{
  return ticks / PMB_TIMER_HZ * PMB_NS + (ticks % PMB_TIMER_HZ * PMB_NS + PMB_TIMER_HZ - 1) / PMB_TIMER_HZ;
}

static guint64
pmb_next_change (gint64 now_ns)
{
  return pmb_ticks_to_ns ((pmb_ticks (now_ns) | (PMB_TIMER_HALF - 1)) + 1);
}

/* Brings TMR_STS, the SCI and the host timer up to date. */
static void
pmb_update (Pmb *pm)
{
  PmbRegs *regs = &pm->regs;
  gboolean sci;

  if (vmm_clock_now (vmm_device_get_clock (&pm->base)) >= (gint64) regs->tmr_change_ns)
    regs->pm1_sts |= PMB_TMR_STS;
  if ((regs->pm1_en & ~regs->pm1_sts & PMB_TMR_STS) != 0)
    vmm_timer_arm (&pm->timer, (gint64) regs->tmr_change_ns);
  else
    vmm_timer_disarm (&pm->timer);
  sci = (regs->pm1_sts & regs->pm1_en) != 0 || (regs->gpe0_sts & regs->gpe0_en) != 0;
  vmm_irq_pin_set (&pm->sci, sci);
}

static void
pmb_timer_due (VmmDevice *dev, gpointer data)
{
  pmb_update ((Pmb *) dev);
}

/* Registers, byte by byte: accesses of any width and place come apart into these. */

static guint8
pmb_read_byte (const PmbRegs *regs, guint offset)
{
  if (offset < PMB_PM1_EN)
    return (guint8) (regs->pm1_sts >> 8 * offset);
  if (offset < PMB_PM1_CNT)
    return (guint8) (regs->pm1_en >> 8 * (offset - PMB_PM1_EN));
  if (offset < PMB_PM1_CNT + 2)
    return (guint8) ((regs->pm1_cnt | PMB_SCI_EN) >> 8 * (offset - PMB_PM1_CNT));
  if (offset >= PMB_GPE0_STS && offset < PMB_GPE0_STS + PMB_GPE0_BYTES)
    return (guint8) (regs->gpe0_sts >> 8 * (offset - PMB_GPE0_STS));
  if (offset >= PMB_GPE0_EN && offset < PMB_GPE0_EN + PMB_GPE0_BYTES)
    return (guint8) (regs->gpe0_en >> 8 * (offset - PMB_GPE0_EN));
  return offset == PMB_SMI_EN ? PMB_APMC_EN : 0;
}

static guint16
pmb_merge16 (guint16 old, guint shift, guint8 byte, guint16 writable)
{
  guint16 mask = (guint16) (0xff << shift) & writable;

  return (guint16) ((old & ~mask) | ((guint16) (byte << shift) & mask));
}

static void
pmb_sleep (Pmb *pm)
{
  guint type = pm->regs.pm1_cnt >> PMB_SLP_TYP_SHIFT & 7;

  if (type == PMB_SLP_TYP_S5)
    vmm_machine_request_power_off (pm->base.machine);
  else
    vmm_guest_error (&pm->base, "sleep type %u does not exist", type);
}

static void
pmb_write_byte (Pmb *pm, guint offset, guint8 byte)
{
  PmbRegs *regs = &pm->regs;

  if (offset < PMB_PM1_EN)
    {
      guint16 clear = (guint16) (byte << 8 * offset) & PMB_PM1_STS_W1C;

      regs->pm1_sts &= (guint16) ~clear;
      if ((clear & PMB_TMR_STS) != 0)
        regs->tmr_change_ns = pmb_next_change (vmm_clock_now (vmm_device_get_clock (&pm->base)));
    }
  else if (offset < PMB_PM1_CNT)
    regs->pm1_en = pmb_merge16 (regs->pm1_en, 8 * (offset - PMB_PM1_EN), byte, PMB_PM1_EN_BITS);
  else if (offset < PMB_PM1_CNT + 2)
    {
      guint shift = 8 * (offset - PMB_PM1_CNT);

      regs->pm1_cnt = pmb_merge16 (regs->pm1_cnt, shift, byte, PMB_PM1_CNT_BITS);
      if ((byte << shift & PMB_SLP_EN) != 0)
        pmb_sleep (pm);
    }
  else if (offset >= PMB_GPE0_STS && offset < PMB_GPE0_STS + PMB_GPE0_BYTES)
    regs->gpe0_sts &= ~((guint64) byte << 8 * (offset - PMB_GPE0_STS));
  else if (offset >= PMB_GPE0_EN && offset < PMB_GPE0_EN + PMB_GPE0_BYTES)
    {
      guint shift = 8 * (offset - PMB_GPE0_EN);

      regs->gpe0_en = (regs->gpe0_en & ~((guint64) 0xff << shift)) | (guint64) byte << shift;
    }
}

static guint64
pmb_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  Pmb *pm = (Pmb *) dev;
  guint64 value = 0;

  pmb_update (pm);
  for (guint i = 0; i < size; i++)
    value |= (guint64) pmb_read_byte (&pm->regs, (guint) offset + i) << 8 * i;
  return value;
}

static void
pmb_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  Pmb *pm = (Pmb *) dev;

  pmb_update (pm);
  for (guint i = 0; i < size; i++)
    pmb_write_byte (pm, (guint) offset + i, (guint8) (value >> 8 * i));
  pmb_update (pm);
}

static const VmmRegionOps pmb_ops = { .name = "pm", .read = pmb_read, .write = pmb_write, .access_max = 4 };

static guint64
pmb_timer_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  guint64 ticks = pmb_ticks (vmm_clock_now (vmm_device_get_clock (dev))) & ((1 << PMB_TIMER_BITS) - 1);

  return ticks >> 8 * offset;
}

static const VmmRegionOps pmb_timer_ops = { .name = "pm-timer", .read = pmb_timer_read, .access_max = 4 };

/* Calls from elsewhere */

void
vmm_pm_power_button (VmmDevice *dev)
{
  Pmb *pm = (Pmb *) dev;

  vmm_device_lock (dev);
  pm->regs.pm1_sts |= PMB_PWRBTN_STS;
  pmb_update (pm);
  vmm_device_unlock (dev);
}

void
vmm_pm_set_window (VmmDevice *dev, guint16 base, guint sci_gsi)
{
  Pmb *pm = (Pmb *) dev;
  VmmBus *bus = vmm_device_get_bus (dev);

  vmm_device_lock (dev);
  if (sci_gsi != pm->sci.gsi)
    {
      vmm_irq_pin_set (&pm->sci, FALSE);
      vmm_irq_pin_init (&pm->sci, vmm_device_get_irq (dev), sci_gsi);
      pmb_update (pm);
    }
  if (base != pm->port)
    {
      pm->port = base;
      if (base != 0)
        {
          vmm_region_map (bus, &pm->ports, base);
          vmm_region_map (bus, &pm->timer_port, base + PMB_PM1_TMR); /* on top */
        }
      else
        {
          vmm_region_unmap (bus, &pm->timer_port);
          vmm_region_unmap (bus, &pm->ports);
        }
    }
  vmm_device_unlock (dev);
}

/* Life */

static void
pmb_reset (VmmDevice *dev, VmmResetKind kind)
{
  Pmb *pm = (Pmb *) dev;

  pm->regs = (PmbRegs) { 0 };
  pm->regs.tmr_change_ns = pmb_next_change (vmm_clock_now (vmm_device_get_clock (dev)));
  pmb_update (pm);
}

static gboolean
pmb_post_load (VmmDevice *dev, GError **error)
{
  pmb_update ((Pmb *) dev);
  return TRUE;
}

static gboolean
pmb_realize (VmmDevice *dev, GError **error)
{
  Pmb *pm = (Pmb *) dev;

  vmm_irq_pin_init (&pm->sci, vmm_device_get_irq (dev), 9);
  vmm_timer_init (&pm->timer, dev, pmb_timer_due, NULL);
  vmm_region_init (&pm->ports, dev, VMM_SPACE_PIO, &pmb_ops, NULL, PMB_N_PORTS, VMM_REGION_DEFAULT);
  vmm_region_init (&pm->timer_port, dev, VMM_SPACE_PIO, &pmb_timer_ops, NULL, 4, VMM_REGION_UNLOCKED);
  return TRUE;
}

static void
pmb_unrealize (VmmDevice *dev)
{
  Pmb *pm = (Pmb *) dev;

  vmm_timer_clear (&pm->timer);
  vmm_region_unmap (vmm_device_get_bus (dev), &pm->timer_port);
  vmm_region_unmap (vmm_device_get_bus (dev), &pm->ports);
}

const VmmDeviceClass vmm_pm_class = {
  .name = "pm",
  .summary = N_ ("ACPI power management"),
  .bus = VMM_DEVICE_SYSTEM,
  .instance_size = sizeof (Pmb),
  .regs_offset = G_STRUCT_OFFSET (Pmb, regs),
  .regs_size = sizeof (PmbRegs),
  .regs_fields = pmb_fields,
  .state_version = 1,
  .realize = pmb_realize,
  .reset = pmb_reset,
  .unrealize = pmb_unrealize,
  .post_load = pmb_post_load,
};
