/* SPDX-License-Identifier: GPL-3.0-or-later */
/* By which a guest says that its system crashed: the PCI form of pvpanic.
 * Spec: QEMU docs/specs/pvpanic; Linux include/uapi/misc/pvpanic.h. One byte at BAR 0: reads give the events that are taken, writes tell
 * one. Left out: the shutdown event (ACPI has it). */
#include "core/log.h"
#include "core/machine.h"
#include "pci/pci.h"

#define PVP_PANICKED 0x01     /* the system crashed and stands still */
#define PVP_CRASH_LOADED 0x02 /* it crashed and handles it itself: a crash kernel runs */

typedef struct {
  guint8 reported; /* once a boot */
  guint8 padding[7];
} PvpanicRegs;

typedef struct {
  VmmPciDevice pci;
  PvpanicRegs regs;
} Pvpanic;

static const char *const pvp_actions[] = { "pause", "reset", "power-off", "nothing", NULL };

static const VmmSetting pvp_settings[] = {
  { "action", VMM_SETTING_ENUM, "pause", 0, 0, pvp_actions, N_ ("What a crash of the guest's system does to the machine"),
    VMM_SETTING_NONE },
  { NULL },
};

static const VmmField pvp_fields[] = {
  VMM_FIELD_MAX (PvpanicRegs, reported, 1),
  VMM_FIELD_NOT_SAVED (PvpanicRegs, padding, "alignment"),
  VMM_FIELD_END,
};

static guint64
pvp_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  return offset == 0 ? PVP_PANICKED | PVP_CRASH_LOADED : 0;
}

static void
pvp_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  Pvpanic *pvpanic = (Pvpanic *) dev;
  const char *action = vmm_device_get_string (dev, "action");

  if (offset != 0 || (value & (PVP_PANICKED | PVP_CRASH_LOADED)) == 0 || pvpanic->regs.reported)
    return;
  pvpanic->regs.reported = TRUE;
  vmm_log_info (dev->machine, dev, "the guest's system crashed");
  if ((value & PVP_PANICKED) == 0 || g_str_equal (action, "nothing"))
    return;
  if (g_str_equal (action, "reset"))
    vmm_machine_request_reset (dev->machine);
  else if (g_str_equal (action, "power-off"))
    vmm_machine_request_power_off (dev->machine);
  else
    vmm_machine_request_pause (dev->machine, VMM_REASON_PANIC, "the guest's system crashed");
}

static const VmmRegionOps pvp_ops = { .name = "pvpanic", .read = pvp_read, .write = pvp_write, .access_max = 1 };

static void
pvp_reset (VmmDevice *dev, VmmResetKind kind)
{
  Pvpanic *pvpanic = (Pvpanic *) dev;

  vmm_pci_device_reset (&pvpanic->pci);
  pvpanic->regs.reported = FALSE;
}

static gboolean
pvp_post_load (VmmDevice *dev, GError **error)
{
  vmm_pci_device_post_load ((VmmPciDevice *) dev);
  return TRUE;
}

static void
pvp_unrealize (VmmDevice *dev)
{
  vmm_pci_device_clear ((VmmPciDevice *) dev);
}

static gboolean
pvp_realize (VmmDevice *dev, GError **error)
{
  static const VmmPciId id = { .vendor = 0x1b36, .device = 0x0011, .revision = 1, .class_code = 0x088000 };
  Pvpanic *pvpanic = (Pvpanic *) dev;

  if (!vmm_pci_device_init (&pvpanic->pci, -1, &id, error))
    return FALSE;
  vmm_pci_device_add_bar (&pvpanic->pci, 0, VMM_PCI_BAR_MMIO, 16, VMM_PCI_BAR_32, &pvp_ops, NULL);
  return TRUE;
}

const VmmDeviceClass vmm_pvpanic_class = {
  .name = "pvpanic",
  .summary = N_ ("Report of crashes (pvpanic)"),
  .bus = VMM_DEVICE_PCI,
  .user_creatable = TRUE,
  .instance_size = sizeof (Pvpanic),
  .settings = pvp_settings,
  .regs_offset = G_STRUCT_OFFSET (Pvpanic, regs),
  .regs_size = sizeof (PvpanicRegs),
  .regs_fields = pvp_fields,
  .state_version = 1,
  .realize = pvp_realize,
  .reset = pvp_reset,
  .unrealize = pvp_unrealize,
  .post_load = pvp_post_load,
};
