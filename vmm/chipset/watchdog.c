/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The watchdog timer of the Intel 6300ESB: a guest that stops reloading it is reset.
 * Spec: Intel 6300ESB I/O Controller Hub datasheet 300641 §16. Left out: the SMI of the first stage, the WDT_TOUT# pin.
 *
 * Theory of operation: two stages count down one after the other, each from its preload value, in ticks of 2^15 or 2^5 PCI clocks. The
 * first one's end raises an interrupt, the second's pulls the reset line, or what the setting says. Writes to the preload values and
 * the reload register count only behind the sequence 80, 86. */
#include "core/clock.h"
#include "core/log.h"
#include "core/machine.h"
#include "pci/pci.h"

#define WDG_CONFIG 0x60       /* 16 bits */
#define WDG_CONFIG_INT 0x0003 /* 0: interrupt, 2: SMI, 3: none */
#define WDG_CONFIG_FAST 0x0004
#define WDG_CONFIG_NO_REBOOT 0x0020
#define WDG_LOCK 0x68 /* 8 bits */
#define WDG_LOCK_LOCKED 0x01
#define WDG_LOCK_ENABLE 0x02
#define WDG_LOCK_FREE 0x04

#define WDG_TIMER1 0x0
#define WDG_TIMER2 0x4
#define WDG_STATUS 0x8
#define WDG_RELOAD 0xc
#define WDG_RELOAD_NOW 0x0100
#define WDG_RELOAD_TIMEOUT 0x0200
#define WDG_PRELOAD_BITS 0xfffffu

#define WDG_PCI_CLOCK_NS 30
#define WDG_MIN_NS G_GUINT64_CONSTANT (1000000)

typedef struct {
  guint64 deadline_ns; /* while it counts */
  guint32 preload[2];
  guint8 stage;     /* 0: does not count; 1, 2 */
  guint8 unlocked;  /* how much of the sequence came: 0 to 2 */
  guint8 status;    /* the first stage ended */
  guint8 timed_out; /* the second ended; a reset does not clear it */
  guint8 padding[4];
} WatchdogRegs;

typedef struct {
  VmmPciDevice pci;
  WatchdogRegs regs;
  VmmTimer timer;
} Watchdog;

static const char *const wdg_actions[] = { "reset", "power-off", "pause", "nothing", NULL };

static const VmmSetting wdg_settings[] = {
  { "action", VMM_SETTING_ENUM, "reset", 0, 0, wdg_actions, N_ ("What happens when the guest does not answer any more"),
    VMM_SETTING_NONE },
  { NULL },
};

static const VmmField wdg_fields[] = {
  VMM_FIELD (WatchdogRegs, deadline_ns),
  VMM_FIELD_ARRAY (WatchdogRegs, preload),
  VMM_FIELD_MAX (WatchdogRegs, stage, 2),
  VMM_FIELD_MAX (WatchdogRegs, unlocked, 2),
  VMM_FIELD_MAX (WatchdogRegs, status, 1),
  VMM_FIELD_MAX (WatchdogRegs, timed_out, 1),
  VMM_FIELD_NOT_SAVED (WatchdogRegs, padding, "alignment"),
  VMM_FIELD_END,
};

static guint8 *
wdg_config (Watchdog *watchdog)
{
  return watchdog->pci.pci.config;
}

static void
wdg_start (Watchdog *watchdog, guint stage)
{
  guint shift = (wdg_config (watchdog)[WDG_CONFIG] & WDG_CONFIG_FAST) != 0 ? 5 : 15;
  guint64 ns = ((guint64) watchdog->regs.preload[stage - 1] << shift) * WDG_PCI_CLOCK_NS;

  watchdog->regs.stage = (guint8) stage;
  /* At least so long that a guest cannot keep the host busy with it. */
  watchdog->regs.deadline_ns = (guint64) vmm_clock_now (vmm_device_get_clock (&watchdog->pci.base)) + MAX (ns, WDG_MIN_NS);
  vmm_timer_arm (&watchdog->timer, (gint64) watchdog->regs.deadline_ns);
}

static void
wdg_stop (Watchdog *watchdog)
{
  watchdog->regs.stage = 0;
  watchdog->regs.deadline_ns = 0;
  vmm_timer_disarm (&watchdog->timer);
}

static void
wdg_act (Watchdog *watchdog)
{
  VmmMachine *machine = watchdog->pci.base.machine;
  const char *action = vmm_device_get_string (&watchdog->pci.base, "action");

  vmm_log_info (machine, &watchdog->pci.base, "the watchdog was not reloaded in time");
  if (g_str_equal (action, "reset"))
    vmm_machine_request_reset (machine);
  else if (g_str_equal (action, "power-off"))
    vmm_machine_request_power_off (machine);
  else if (g_str_equal (action, "pause"))
    vmm_machine_request_pause (machine, VMM_REASON_WATCHDOG, "the guest does not answer its watchdog");
}

/* Iothread, lock held. */
static void
wdg_on_timer (VmmDevice *dev, gpointer data)
{
  Watchdog *watchdog = (Watchdog *) dev;
  const guint8 *config = wdg_config (watchdog);

  if (watchdog->regs.stage == 1)
    {
      if ((config[WDG_CONFIG] & WDG_CONFIG_INT) == 0)
        {
          watchdog->regs.status = TRUE;
          vmm_pci_device_set_intx (&watchdog->pci, TRUE);
        }
      wdg_start (watchdog, 2);
    }
  else if (watchdog->regs.stage == 2)
    {
      wdg_stop (watchdog);
      watchdog->regs.timed_out = TRUE;
      if ((config[WDG_CONFIG] & WDG_CONFIG_NO_REBOOT) == 0)
        wdg_act (watchdog);
      if ((config[WDG_LOCK] & WDG_LOCK_FREE) != 0)
        wdg_start (watchdog, 1);
    }
}

static guint64
wdg_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  const WatchdogRegs *regs = &((Watchdog *) dev)->regs;

  switch (offset)
    {
    case WDG_TIMER1:
      return regs->preload[0];
    case WDG_TIMER2:
      return regs->preload[1];
    case WDG_STATUS:
      return regs->status;
    case WDG_RELOAD:
      return regs->timed_out ? WDG_RELOAD_TIMEOUT : 0;
    default:
      return 0;
    }
}

/* TRUE behind 80, 86; what follows counts once. */
static gboolean
wdg_take_unlock (Watchdog *watchdog)
{
  gboolean unlocked = watchdog->regs.unlocked == 2;

  watchdog->regs.unlocked = 0;
  return unlocked;
}

static void
wdg_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  Watchdog *watchdog = (Watchdog *) dev;
  WatchdogRegs *regs = &watchdog->regs;

  switch (offset)
    {
    case WDG_TIMER1:
    case WDG_TIMER2:
      if (wdg_take_unlock (watchdog))
        regs->preload[offset / 4] = (guint32) value & WDG_PRELOAD_BITS;
      break;
    case WDG_STATUS:
      if ((value & 1) != 0)
        {
          regs->status = FALSE;
          vmm_pci_device_set_intx (&watchdog->pci, FALSE);
        }
      break;
    case WDG_RELOAD:
      if ((value & 0xffff) == 0x80)
        regs->unlocked = 1;
      else if ((value & 0xffff) == 0x86 && regs->unlocked == 1)
        regs->unlocked = 2;
      else if (wdg_take_unlock (watchdog))
        {
          if ((value & WDG_RELOAD_TIMEOUT) != 0)
            regs->timed_out = FALSE;
          if ((value & WDG_RELOAD_NOW) != 0 && regs->stage != 0)
            wdg_start (watchdog, 1);
        }
      break;
    default:
      break;
    }
}

static const VmmRegionOps wdg_ops = { .name = "watchdog", .read = wdg_read, .write = wdg_write, .access_max = 4 };

static void
wdg_config_written (VmmPciDevice *pci, guint offset, guint size)
{
  Watchdog *watchdog = (Watchdog *) pci;
  guint8 lock = pci->pci.config[WDG_LOCK];

  if (offset > WDG_LOCK || offset + size <= WDG_LOCK)
    return;
  if ((lock & WDG_LOCK_LOCKED) != 0) /* until the next reset */
    pci->wmask[WDG_LOCK] = 0;
  if ((lock & WDG_LOCK_ENABLE) != 0 && watchdog->regs.stage == 0)
    wdg_start (watchdog, 1);
  else if ((lock & WDG_LOCK_ENABLE) == 0)
    wdg_stop (watchdog);
}

static void
wdg_reset (VmmDevice *dev, VmmResetKind kind)
{
  Watchdog *watchdog = (Watchdog *) dev;
  guint8 timed_out = kind == VMM_RESET_WARM && watchdog->regs.timed_out;

  watchdog->pci.wmask[WDG_LOCK] = WDG_LOCK_LOCKED | WDG_LOCK_ENABLE | WDG_LOCK_FREE;
  vmm_pci_device_reset (&watchdog->pci);
  wdg_stop (watchdog);
  watchdog->regs = (WatchdogRegs) { .preload = { WDG_PRELOAD_BITS, WDG_PRELOAD_BITS }, .timed_out = timed_out };
}

static gboolean
wdg_post_load (VmmDevice *dev, GError **error)
{
  Watchdog *watchdog = (Watchdog *) dev;

  vmm_pci_device_post_load (&watchdog->pci);
  watchdog->pci.wmask[WDG_LOCK] = (wdg_config (watchdog)[WDG_LOCK] & WDG_LOCK_LOCKED) != 0
                                      ? 0
                                      : WDG_LOCK_LOCKED | WDG_LOCK_ENABLE | WDG_LOCK_FREE;
  if (watchdog->regs.stage != 0)
    vmm_timer_arm (&watchdog->timer, (gint64) MIN (watchdog->regs.deadline_ns, G_MAXINT64));
  else
    vmm_timer_disarm (&watchdog->timer);
  return TRUE;
}

static void
wdg_unrealize (VmmDevice *dev)
{
  Watchdog *watchdog = (Watchdog *) dev;

  vmm_timer_clear (&watchdog->timer);
  vmm_pci_device_clear (&watchdog->pci);
}

static gboolean
wdg_realize (VmmDevice *dev, GError **error)
{
  static const VmmPciId id = { .vendor = 0x8086, .device = 0x25ab, .revision = 2, .class_code = 0x088000 };
  Watchdog *watchdog = (Watchdog *) dev;

  if (!vmm_pci_device_init (&watchdog->pci, -1, &id, error))
    return FALSE;
  watchdog->pci.pci.config[0x3d] = 1; /* INTA */
  watchdog->pci.wmask[WDG_CONFIG] = WDG_CONFIG_INT | WDG_CONFIG_FAST | WDG_CONFIG_NO_REBOOT;
  watchdog->pci.config_written = wdg_config_written;
  vmm_pci_device_add_bar (&watchdog->pci, 0, VMM_PCI_BAR_MMIO, 16, VMM_PCI_BAR_32, &wdg_ops, NULL);
  vmm_timer_init (&watchdog->timer, dev, wdg_on_timer, NULL);
  return TRUE;
}

const VmmDeviceClass vmm_watchdog_class = {
  .name = "watchdog",
  .summary = N_ ("Watchdog (i6300ESB)"),
  .bus = VMM_DEVICE_PCI,
  .user_creatable = TRUE,
  .instance_size = sizeof (Watchdog),
  .settings = wdg_settings,
  .regs_offset = G_STRUCT_OFFSET (Watchdog, regs),
  .regs_size = sizeof (WatchdogRegs),
  .regs_fields = wdg_fields,
  .state_version = 1,
  .realize = wdg_realize,
  .reset = wdg_reset,
  .unrealize = wdg_unrealize,
  .post_load = wdg_post_load,
};
