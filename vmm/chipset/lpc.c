/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The ICH9 LPC bridge, 00:1f.0: PIRQ routing, where the power management block and the root complex registers are, port 92, the APM
 * latch.
 * Spec: Intel I/O Controller Hub 9 datasheet (316972) §13.1 (configuration), §10.1 (RCBA block), §13.5 (port 92), §13.7.2 (B2, B3).
 * Left out: SMI (B2 is a latch), GPIO, the decoding of LPC ranges (scratch), function disable. CF9 is in pci/pci-bus.c.
 *
 * Theory of operation: the configuration space is what is saved; after a write the affected decoder is told anew. Interrupt routing goes
 * to the PCI bus, PMBASE to the device "pm". */
#include "chipset/pm.h"
#include "pci/pci.h"

#include "core/machine.h"

#include <string.h>

#define LPC_DEVFN VMM_PCI_DEVFN (0x1f, 0)
#define LPC_PMBASE 0x40
#define LPC_PMBASE_BITS 0xff80
#define LPC_ACPI_CNTL 0x44
#define LPC_ACPI_CNTL_ENABLE 0x80
#define LPC_PIRQA 0x60
#define LPC_SIRQ 0x64
#define LPC_PIRQE 0x68
#define LPC_PIRQ_OFF 0x80
#define LPC_RCBA 0xf0
#define LPC_RCBA_BASE 0xffffc000u
#define LPC_RCBA_ENABLE 1

#define LPC_RCRB_SIZE 0x4000
#define LPC_GCS 0x3410
#define LPC_GCS_NO_REBOOT 0x20 /* stuck at 1: there is no watchdog that could reset */

#define LPC_PORT92 0x92
#define LPC_PORT92_RESET 0x01
#define LPC_PORT92_KEPT 0x03
#define LPC_APM 0xb2

typedef struct {
  guint8 port92;
  guint8 apm[2]; /* B2 control, B3 status */
} LpcRegs;

typedef struct {
  VmmPciDevice pci;
  LpcRegs regs;
  VmmDevice *pm; /* (nullable) (not owned) */
  VmmRegion port92, apm, rcrb;
  guint32 rcrb_base; /* 0: nowhere */
} Lpc;

static const VmmField lpc_fields[] = {
  VMM_FIELD (LpcRegs, port92),
  VMM_FIELD_ARRAY (LpcRegs, apm),
  VMM_FIELD_END,
};

static guint32
lpc_config32 (const Lpc *lpc, guint offset)
{
  guint32 value;

  memcpy (&value, lpc->pci.pci.config + offset, sizeof value);
  return GUINT32_FROM_LE (value);
}

/* Interrupts that the ISA bus keeps for itself cannot be routed to (§13.1.20). */
static gboolean
lpc_irq_is_routable (guint irq)
{
  return irq >= 3 && irq != 8 && irq != 13;
}

static void
lpc_update_pirqs (Lpc *lpc)
{
  for (guint i = 0; i < VMM_PCI_PIRQS; i++)
    {
      guint8 value = lpc->pci.pci.config[i < 4 ? LPC_PIRQA + i : LPC_PIRQE + i - 4];
      guint irq = value & 0x0f;

      vmm_pci_bus_route_pirq (vmm_device_get_pci_bus (&lpc->pci.base), i,
                              (value & LPC_PIRQ_OFF) == 0 && lpc_irq_is_routable (irq) ? irq : 0);
    }
}

static void
lpc_update_pm (Lpc *lpc)
{
  static const guint sci_gsis[8] = { 9, 10, 11, 9, 20, 21, 22, 23 }; /* §13.1.4 */
  guint8 control = lpc->pci.pci.config[LPC_ACPI_CNTL];

  if (lpc->pm != NULL)
    vmm_pm_set_window (lpc->pm, (control & LPC_ACPI_CNTL_ENABLE) != 0 ? lpc_config32 (lpc, LPC_PMBASE) & LPC_PMBASE_BITS : 0,
                       sci_gsis[control & 7]);
}

static void
lpc_update_rcba (Lpc *lpc)
{
  guint32 value = lpc_config32 (lpc, LPC_RCBA);
  guint32 base = (value & LPC_RCBA_ENABLE) != 0 ? value & LPC_RCBA_BASE : 0;
  VmmBus *bus = vmm_device_get_bus (&lpc->pci.base);

  if (base == lpc->rcrb_base)
    return;
  lpc->rcrb_base = base;
  if (base != 0)
    vmm_region_map (bus, &lpc->rcrb, base);
  else
    vmm_region_unmap (bus, &lpc->rcrb);
}

static gboolean
lpc_touches (guint offset, guint size, guint reg, guint reg_size)
{
  return offset < reg + reg_size && offset + size > reg;
}

static void
lpc_config_written (VmmPciDevice *pci, guint offset, guint size)
{
  Lpc *lpc = (Lpc *) pci;

  if (lpc_touches (offset, size, LPC_PMBASE, LPC_ACPI_CNTL + 1 - LPC_PMBASE))
    lpc_update_pm (lpc);
  if (lpc_touches (offset, size, LPC_PIRQA, LPC_PIRQE + 4 - LPC_PIRQA))
    lpc_update_pirqs (lpc);
  if (lpc_touches (offset, size, LPC_RCBA, 4))
    lpc_update_rcba (lpc);
}

/* Ports and memory */

static guint64
lpc_port92_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  return ((Lpc *) dev)->regs.port92;
}

static void
lpc_port92_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  Lpc *lpc = (Lpc *) dev;

  if ((value & LPC_PORT92_RESET & ~lpc->regs.port92) != 0)
    vmm_machine_request_reset (dev->machine);
  lpc->regs.port92 = value & LPC_PORT92_KEPT; /* the A20 gate is only remembered: address line 20 is always on */
}

static const VmmRegionOps lpc_port92_ops = { .name = "port92",
                                             .read = lpc_port92_read,
                                             .write = lpc_port92_write,
                                             .access_max = 1 };

static guint64
lpc_apm_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  return ((Lpc *) dev)->regs.apm[offset];
}

static void
lpc_apm_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  ((Lpc *) dev)->regs.apm[offset] = (guint8) value;
}

static const VmmRegionOps lpc_apm_ops = { .name = "apm", .read = lpc_apm_read, .write = lpc_apm_write, .access_max = 1 };

static guint64
lpc_rcrb_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  return offset == LPC_GCS ? LPC_GCS_NO_REBOOT : 0;
}

static const VmmRegionOps lpc_rcrb_ops = { .name = "rcrb", .read = lpc_rcrb_read, .access_min = 4, .access_max = 4 };

/* Life */

static void
lpc_update_all (Lpc *lpc)
{
  lpc_update_pm (lpc);
  lpc_update_pirqs (lpc);
  lpc_update_rcba (lpc);
}

static void
lpc_reset (VmmDevice *dev, VmmResetKind kind)
{
  Lpc *lpc = (Lpc *) dev;
  guint8 *config = lpc->pci.pci.config;

  vmm_pci_device_reset (&lpc->pci);
  memset (config + LPC_PIRQA, LPC_PIRQ_OFF, 4);
  memset (config + LPC_PIRQE, LPC_PIRQ_OFF, 4);
  config[LPC_SIRQ] = 0x10;
  lpc->regs = (LpcRegs) { 0 };
  lpc_update_all (lpc);
}

static gboolean
lpc_post_load (VmmDevice *dev, GError **error)
{
  vmm_pci_device_post_load (&((Lpc *) dev)->pci);
  lpc_update_all ((Lpc *) dev);
  return TRUE;
}

static void
lpc_scratch (Lpc *lpc, guint offset, guint size)
{
  memset (lpc->pci.wmask + offset, 0xff, size);
}

static gboolean
lpc_realize (VmmDevice *dev, GError **error)
{
  static const VmmPciId id = { .vendor = 0x8086, .device = 0x2918, .revision = 2, .class_code = 0x060100, .multifunction = TRUE };
  Lpc *lpc = (Lpc *) dev;
  guint8 *wmask = lpc->pci.wmask;

  if (!vmm_pci_device_init (&lpc->pci, LPC_DEVFN, &id, error))
    return FALSE;
  lpc->pm = vmm_device_find_class (dev, "pm");
  lpc->pci.pci.config[LPC_PMBASE] = 1; /* I/O space */
  wmask[LPC_PMBASE] = (guint8) LPC_PMBASE_BITS;
  wmask[LPC_PMBASE + 1] = LPC_PMBASE_BITS >> 8;
  wmask[LPC_ACPI_CNTL] = LPC_ACPI_CNTL_ENABLE | 7;
  lpc_scratch (lpc, 0x48, 5); /* GPIO_BASE, GPIO_CNTL */
  memset (wmask + LPC_PIRQA, LPC_PIRQ_OFF | 0x0f, 4);
  memset (wmask + LPC_PIRQE, LPC_PIRQ_OFF | 0x0f, 4);
  lpc_scratch (lpc, LPC_SIRQ, 1);
  lpc_scratch (lpc, 0x80, 0x14); /* LPC_IO_DEC, LPC_EN, GEN1_DEC-GEN4_DEC */
  lpc_scratch (lpc, 0xa0, 6);    /* GEN_PMCON_1-3 */
  lpc_scratch (lpc, 0xd0, 0x0d); /* FWH_SEL1 … BIOS_CNTL */
  wmask[LPC_RCBA] = LPC_RCBA_ENABLE;
  wmask[LPC_RCBA + 1] = LPC_RCBA_BASE >> 8 & 0xff;
  memset (wmask + LPC_RCBA + 2, 0xff, 2);
  lpc->pci.config_written = lpc_config_written;

  vmm_bus_map_pio (&lpc->port92, dev, &lpc_port92_ops, NULL, LPC_PORT92, 1);
  vmm_bus_map_pio (&lpc->apm, dev, &lpc_apm_ops, NULL, LPC_APM, 2);
  vmm_region_init (&lpc->rcrb, dev, VMM_SPACE_MMIO, &lpc_rcrb_ops, NULL, LPC_RCRB_SIZE, VMM_REGION_DEFAULT);
  return TRUE;
}

static void
lpc_unrealize (VmmDevice *dev)
{
  Lpc *lpc = (Lpc *) dev;
  VmmBus *bus = vmm_device_get_bus (dev);

  for (guint i = 0; i < VMM_PCI_PIRQS; i++)
    vmm_pci_bus_route_pirq (vmm_device_get_pci_bus (dev), i, 0);
  vmm_region_unmap (bus, &lpc->port92);
  vmm_region_unmap (bus, &lpc->apm);
  vmm_region_unmap (bus, &lpc->rcrb);
  vmm_pci_device_clear (&lpc->pci);
}

const VmmDeviceClass vmm_lpc_class = {
  .name = "lpc",
  .summary = N_ ("ISA bridge"),
  .bus = VMM_DEVICE_PCI,
  .instance_size = sizeof (Lpc),
  .regs_offset = G_STRUCT_OFFSET (Lpc, regs),
  .regs_size = sizeof (LpcRegs),
  .regs_fields = lpc_fields,
  .state_version = 1,
  .realize = lpc_realize,
  .reset = lpc_reset,
  .unrealize = lpc_unrealize,
  .post_load = lpc_post_load,
};
