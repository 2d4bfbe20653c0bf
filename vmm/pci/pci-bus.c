/* SPDX-License-Identifier: GPL-3.0-or-later */
/* PCI bus 0 of the q35 board: its functions, configuration mechanism 1 (CF8/CFC), ECAM, the reset register CF9, and PIRQ routing.
 * Spec: PCI Local Bus 3.0 §3.2.2.3.2 (mechanism 1), PCI Express Base 2.0 §7.2.2 (ECAM), ICH9 datasheet §13.7.5 (RST_CNT),
 * §5.8.6 (PIRQ). Left out: bridges; other buses read as absent.
 *
 * Theory of operation: the device "pci-host" owns the ports CF8-CFF and the ECAM region; its lock serialises configuration accesses and
 * is taken before the lock of the function that is reached. CF9 lies inside the address register's ports but answers bytes alone, as
 * the address register answers aligned dwords alone, so neither disturbs the other.
 * Each PIRQ counts the functions that hold it up. It drives two lines: the I/O APIC's pin 16+n always, and the ISA interrupt that the
 * LPC bridge routes it to. */
#include "pci/pci-private.h"

#include "core/machine.h"

#define PCIB_SLOTS 32
#define PCIB_FUNCTIONS 256
#define PCIB_FIRST_FREE_SLOT 2 /* 0 is the host bridge, 1 the display */
#define PCIB_GSI_BASE 16
#define PCIB_ECAM_MAX (256u << 20)

#define PCIB_PORT 0xcf8
#define PCIB_N_PORTS 8
#define PCIB_ADDRESS_ENABLE 0x80000000u
#define PCIB_ADDRESS_BITS 0x80fffffcu /* the others read 0 */
#define PCIB_RST_CNT 1                /* CF9 */
#define PCIB_RST_CNT_KEPT 0x0a        /* SYS_RST, FULL_RST */
#define PCIB_RST_CPU 0x04

typedef struct {
  guint users; /* functions that hold it up */
  VmmIrqPin ioapic_pin;
  VmmIrqPin isa_pin;
  guint isa_irq; /* 0: not routed */
} PcibPirq;

struct _VmmPciBus {
  VmmMachine *machine;
  VmmPciDevice *devices[PCIB_FUNCTIONS]; /* (nullable) (not owned) changes only while no vCPU runs */
  GMutex lock;                           /* guards pirqs and the ECAM window; last in the order but for the irq and bus locks */
  PcibPirq pirqs[VMM_PCI_PIRQS];
  guint64 ecam_base, ecam_size;
  VmmDevice *host; /* (nullable) "pci-host" */
};

typedef struct {
  guint32 address;
  guint8 reset_control;
  guint8 padding[3];
} PcibRegs;

typedef struct {
  VmmDevice base;
  PcibRegs regs;
  VmmRegion ports;
  VmmRegion ecam;
} PcibHost;

static const VmmField pcib_fields[] = {
  VMM_FIELD (PcibRegs, address),
  VMM_FIELD (PcibRegs, reset_control),
  VMM_FIELD_NOT_SAVED (PcibRegs, padding, "alignment"),
  VMM_FIELD_END,
};

static guint32
pcib_all_ones (guint size)
{
  return size >= 4 ? G_MAXUINT32 : (1u << size * 8) - 1;
}

/* The same map as in the _PRT of x86/dsdt.asl: slots 0-24 and 30 turn through PIRQE-H, the others have PIRQA-D by pin. @pin 0…3. */
static guint
pcib_pirq_of (guint slot, guint pin)
{
  if (slot <= 24 || slot == 30)
    return 4 + ((slot + pin) & 3);
  return pin;
}

/* Functions */

gboolean
_vmm_pci_bus_attach (VmmPciBus *bus, VmmPciDevice *dev, int devfn, GError **error)
{
  if (devfn < 0)
    {
      for (guint slot = PCIB_FIRST_FREE_SLOT; slot < PCIB_SLOTS && devfn < 0; slot++)
        {
          gboolean is_free = TRUE;

          for (guint function = 0; function < 8; function++)
            is_free = is_free && bus->devices[VMM_PCI_DEVFN (slot, function)] == NULL;
          if (is_free)
            devfn = VMM_PCI_DEVFN ((int) slot, 0);
        }
      if (devfn < 0)
        {
          g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "%s: no free place on the PCI bus", dev->base.id);
          return FALSE;
        }
    }
  g_assert (devfn < PCIB_FUNCTIONS);
  if (bus->devices[devfn] != NULL)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "%s: PCI place %02x.%x is taken by %s", dev->base.id,
                   (guint) devfn >> 3, (guint) devfn & 7, bus->devices[devfn]->base.id);
      return FALSE;
    }
  dev->devfn = (guint8) devfn;
  bus->devices[devfn] = dev;
  return TRUE;
}

void
_vmm_pci_bus_detach (VmmPciBus *bus, VmmPciDevice *dev)
{
  if (bus->devices[dev->devfn] == dev)
    bus->devices[dev->devfn] = NULL;
}

VmmPciDevice *
vmm_pci_bus_get_device (VmmPciBus *bus, guint devfn)
{
  return devfn < PCIB_FUNCTIONS ? bus->devices[devfn] : NULL;
}

gboolean
_vmm_pci_bus_is_slot_free (VmmPciBus *bus, guint64 base, guint64 size)
{
  for (guint i = 0; i < PCIB_FUNCTIONS; i++)
    for (guint j = 0; bus->devices[i] != NULL && j < G_N_ELEMENTS (bus->devices[i]->bars); j++)
      {
        const VmmPciBar *bar = &bus->devices[i]->bars[j];

        if (bar->slot != NULL && base < bar->address + bar->size && bar->address < base + size)
          return FALSE;
      }
  return TRUE;
}

/* Configuration accesses */

guint32
vmm_pci_bus_config_read (VmmPciBus *bus, guint bdf, guint offset, guint size)
{
  VmmPciDevice *dev = vmm_pci_bus_get_device (bus, bdf);
  guint32 value;

  if (dev == NULL)
    return pcib_all_ones (size);
  if (offset + size > VMM_PCI_CONFIG_SIZE)
    return 0;
  vmm_device_lock (&dev->base);
  value = _vmm_pci_device_config_read (dev, offset, size);
  vmm_device_unlock (&dev->base);
  return value;
}

void
vmm_pci_bus_config_write (VmmPciBus *bus, guint bdf, guint offset, guint size, guint32 value)
{
  VmmPciDevice *dev = vmm_pci_bus_get_device (bus, bdf);

  if (dev == NULL || offset + size > VMM_PCI_CONFIG_SIZE)
    return;
  vmm_device_lock (&dev->base);
  _vmm_pci_device_config_write (dev, offset, size, value);
  vmm_device_unlock (&dev->base);
}

static guint64
pcib_port_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  PcibHost *host = (PcibHost *) dev;
  guint32 address = host->regs.address;

  if (offset >= 4)
    {
      if ((address & PCIB_ADDRESS_ENABLE) == 0)
        return pcib_all_ones (size);
      return vmm_pci_bus_config_read (vmm_device_get_pci_bus (dev), address >> 8 & 0xffff, (address & 0xfc) + (offset & 3), size);
    }
  if (offset == 0 && size == 4)
    return address;
  if (offset == PCIB_RST_CNT && size == 1)
    return host->regs.reset_control;
  return pcib_all_ones (size);
}

static void
pcib_port_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  PcibHost *host = (PcibHost *) dev;
  guint32 address = host->regs.address;

  if (offset >= 4)
    {
      if ((address & PCIB_ADDRESS_ENABLE) != 0)
        vmm_pci_bus_config_write (vmm_device_get_pci_bus (dev), address >> 8 & 0xffff, (address & 0xfc) + (offset & 3), size,
                                  (guint32) value);
    }
  else if (offset == 0 && size == 4)
    host->regs.address = (guint32) value & PCIB_ADDRESS_BITS;
  else if (offset == PCIB_RST_CNT && size == 1)
    {
      if ((value & PCIB_RST_CPU & ~host->regs.reset_control) != 0)
        vmm_machine_request_reset (dev->machine);
      host->regs.reset_control = (guint8) value & PCIB_RST_CNT_KEPT;
    }
}

static const VmmRegionOps pcib_port_ops = { .name = "pci-config",
                                            .read = pcib_port_read,
                                            .write = pcib_port_write,
                                            .access_max = 4 };

static guint64
pcib_ecam_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  return vmm_pci_bus_config_read (vmm_device_get_pci_bus (dev), (guint) (offset >> 12), offset & 0xfff, size);
}

static void
pcib_ecam_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  vmm_pci_bus_config_write (vmm_device_get_pci_bus (dev), (guint) (offset >> 12), offset & 0xfff, size, (guint32) value);
}

static const VmmRegionOps pcib_ecam_ops = { .name = "pci-ecam", .read = pcib_ecam_read, .write = pcib_ecam_write, .access_max = 4 };

void
vmm_pci_bus_set_ecam (VmmPciBus *bus, guint64 base, guint64 size)
{
  PcibHost *host = (PcibHost *) bus->host;
  gboolean same;

  g_mutex_lock (&bus->lock);
  same = base == bus->ecam_base && size == bus->ecam_size;
  bus->ecam_base = size != 0 ? base : 0;
  bus->ecam_size = size;
  g_mutex_unlock (&bus->lock);
  if (same || host == NULL)
    return;
  vmm_region_unmap (bus->machine->bus, &host->ecam);
  if (size == 0)
    return;
  host->ecam.size = size; /* and nothing else: another vCPU may be on its way into the region */
  vmm_region_map (bus->machine->bus, &host->ecam, base);
}

void
vmm_pci_bus_get_ecam (VmmPciBus *bus, guint64 *ret_base, guint64 *ret_size)
{
  g_mutex_lock (&bus->lock);
  *ret_base = bus->ecam_base;
  *ret_size = bus->ecam_size;
  g_mutex_unlock (&bus->lock);
}

/* Interrupts */

void
_vmm_pci_bus_change_intx (VmmPciBus *bus, guint devfn, guint pin, gboolean level)
{
  PcibPirq *pirq = &bus->pirqs[pcib_pirq_of (devfn >> 3, pin)];

  g_mutex_lock (&bus->lock);
  g_assert (level || pirq->users > 0);
  pirq->users = level ? pirq->users + 1 : pirq->users - 1;
  if (pirq->users == (level ? 1 : 0))
    {
      vmm_irq_pin_set (&pirq->ioapic_pin, level);
      if (pirq->isa_irq != 0)
        vmm_irq_pin_set (&pirq->isa_pin, level);
    }
  g_mutex_unlock (&bus->lock);
}

void
vmm_pci_bus_route_pirq (VmmPciBus *bus, guint index, guint isa_irq)
{
  PcibPirq *pirq;

  g_assert (index < VMM_PCI_PIRQS && isa_irq < 16);
  pirq = &bus->pirqs[index];
  g_mutex_lock (&bus->lock);
  if (isa_irq != pirq->isa_irq)
    {
      if (pirq->isa_irq != 0)
        vmm_irq_pin_set (&pirq->isa_pin, FALSE);
      pirq->isa_irq = isa_irq;
      if (isa_irq != 0)
        {
          vmm_irq_pin_init (&pirq->isa_pin, bus->machine->irq, isa_irq);
          vmm_irq_pin_set (&pirq->isa_pin, pirq->users > 0);
        }
    }
  g_mutex_unlock (&bus->lock);
}

/* Life */

VmmPciBus *
vmm_pci_bus_new (VmmMachine *machine)
{
  VmmPciBus *bus = g_new0 (VmmPciBus, 1);

  bus->machine = machine;
  g_mutex_init (&bus->lock);
  for (guint i = 0; i < VMM_PCI_PIRQS; i++)
    vmm_irq_pin_init (&bus->pirqs[i].ioapic_pin, machine->irq, PCIB_GSI_BASE + i);
  return bus;
}

void
vmm_pci_bus_free (VmmPciBus *bus)
{
  g_mutex_clear (&bus->lock);
  g_free (bus);
}

static void
pcib_reset (VmmDevice *dev, VmmResetKind kind)
{
  PcibHost *host = (PcibHost *) dev;

  host->regs = (PcibRegs) { 0 };
}

static gboolean
pcib_realize (VmmDevice *dev, GError **error)
{
  PcibHost *host = (PcibHost *) dev;

  vmm_device_get_pci_bus (dev)->host = dev;
  vmm_bus_map_pio (&host->ports, dev, &pcib_port_ops, NULL, PCIB_PORT, PCIB_N_PORTS);
  vmm_region_init (&host->ecam, dev, VMM_SPACE_MMIO, &pcib_ecam_ops, NULL, PCIB_ECAM_MAX, VMM_REGION_DEFAULT);
  return TRUE;
}

static void
pcib_unrealize (VmmDevice *dev)
{
  PcibHost *host = (PcibHost *) dev;

  vmm_pci_bus_set_ecam (vmm_device_get_pci_bus (dev), 0, 0);
  vmm_region_unmap (vmm_device_get_bus (dev), &host->ports);
  vmm_device_get_pci_bus (dev)->host = NULL;
}

const VmmDeviceClass vmm_pci_host_class = {
  .name = "pci-host",
  .summary = N_ ("PCI configuration ports and memory"),
  .bus = VMM_DEVICE_SYSTEM,
  .instance_size = sizeof (PcibHost),
  .regs_offset = G_STRUCT_OFFSET (PcibHost, regs),
  .regs_size = sizeof (PcibRegs),
  .regs_fields = pcib_fields,
  .state_version = 1,
  .realize = pcib_realize,
  .reset = pcib_reset,
  .unrealize = pcib_unrealize,
};
