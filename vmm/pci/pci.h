/* SPDX-License-Identifier: GPL-3.0-or-later */
/* PCI: configuration space, BARs, MSI and MSI-X. The bus (pci/pci-bus.c) offers CF8/CFC and ECAM; the device half is here. */
#pragma once

#include "core/bus.h"
#include "core/irq.h"
#include "core/memory.h"

#define VMM_PCI_DEVFN(device, function) ((device) << 3 | (function))
#define VMM_PCI_PIRQS 8
#define VMM_PCI_CONFIG_SIZE 256 /* no extended capabilities: 100-FFF of ECAM reads 0 */

typedef struct {
  guint16 vendor, device;
  guint8 revision;
  guint32 class_code;                  /* 24 bits: class, subclass, interface */
  guint16 subsystem_vendor, subsystem; /* 0, 0: 1af4:1100 */
  gboolean multifunction;
} VmmPciId;

typedef enum {
  VMM_PCI_BAR_NONE,
  VMM_PCI_BAR_IO,
  VMM_PCI_BAR_MMIO, /* a region */
  VMM_PCI_BAR_RAM,  /* a RAM block as a slot (video memory) */
} VmmPciBarKind;

typedef enum {
  VMM_PCI_BAR_32 = 0,
  VMM_PCI_BAR_64 = 1 << 0, /* takes two BARs */
  VMM_PCI_BAR_PREFETCH = 1 << 1,
} VmmPciBarFlags;

typedef struct {
  VmmPciBarKind kind;
  VmmPciBarFlags flags;
  guint64 size;    /* power of two */
  guint64 address; /* where it is mapped, or G_MAXUINT64 */
  VmmRegion region;
  VmmRam *ram;   /* (not owned) */
  VmmSlot *slot; /* (nullable): mapped RAM BAR */
} VmmPciBar;

typedef struct {
  guint16 vectors;
  guint8 cap; /* offset of the capability, 0: none */
  guint8 bar;
  guint32 table, pba; /* offsets in the BAR */
  VmmRegion region;
} VmmPciMsix;

/* Guest-visible PCI state, saved beside the device's own regs. */
typedef struct {
  guint8 config[VMM_PCI_CONFIG_SIZE];
  guint8 msix_table[64 * 16];
  guint64 msix_pending;
  guint32 intx;
} VmmPciRegs;

struct _VmmPciDevice {
  VmmDevice base;
  VmmPciRegs pci;
  guint8 devfn;
  guint8 wmask[VMM_PCI_CONFIG_SIZE];   /* bits the guest may write */
  guint8 w1cmask[VMM_PCI_CONFIG_SIZE]; /* bits the guest clears by writing 1 */
  VmmPciBar bars[7];                   /* 6: expansion ROM */
  VmmRam *rom;                         /* (nullable) */
  guint8 msi_cap;                      /* 0: none */
  VmmPciMsix msix;
  guint8 cap_tail;        /* the last capability: the next is linked there */
  gboolean intx_asserted; /* this function's share of its PIRQ */
  /* (nullable) After a write to [offset, offset+size) of the configuration space took effect. Lock held. */
  void (*config_written) (VmmPciDevice *dev, guint offset, guint size);
  /* (nullable) Before [offset, offset+size) of the configuration space is read. Lock held. */
  void (*config_reading) (VmmPciDevice *dev, guint offset, guint size);
  /* (nullable) After the guest changed the MSI-X table. Lock held. */
  void (*msix_changed) (VmmPciDevice *dev);
};

extern const VmmField vmm_pci_regs_fields[]; /* of VmmPciRegs */

/**
 * vmm_pci_device_init:
 * @devfn: device<<3 | function, or -1: the lowest free device from 2
 * First call in a PCI device's realize: fills the header, takes a place on the bus. If realize fails after it, call
 * vmm_pci_device_clear(). More writable bits: set them in wmask; a pin: config[3D].
 */
gboolean vmm_pci_device_init (VmmPciDevice *dev, int devfn, const VmmPciId *id, GError **error);
void vmm_pci_device_clear (VmmPciDevice *dev); /* last in unrealize */
/* First in the device's reset: INTx down, every writable bit of the configuration space to 0, BARs unmapped, MSI-X vectors masked.
 * Writable registers with another start value are the device's to set, after it. */
void vmm_pci_device_reset (VmmPciDevice *dev);
void vmm_pci_device_post_load (VmmPciDevice *dev); /* from the device's post_load: mappings and INTx as regs say */

void vmm_pci_device_add_bar (VmmPciDevice *dev, guint bar, VmmPciBarKind kind, guint64 size, VmmPciBarFlags flags,
                             const VmmRegionOps *ops, gpointer opaque);
void vmm_pci_device_add_ram_bar (VmmPciDevice *dev, guint bar, VmmRam *ram, VmmPciBarFlags flags);
/* The slot that shows a RAM BAR now, for its dirty log; NULL when it is not mapped. Lock held. */
VmmSlot *vmm_pci_device_get_bar_slot (VmmPciDevice *dev, guint bar);
gboolean vmm_pci_device_add_rom (VmmPciDevice *dev, const char *path, GError **error);
/* Adds a capability of @size bytes (header included) at @offset; bytes after the header are zero. */
void vmm_pci_device_add_capability (VmmPciDevice *dev, guint8 id, guint8 offset, guint8 size);
void vmm_pci_device_add_msi (VmmPciDevice *dev, guint8 offset);
void vmm_pci_device_add_msix (VmmPciDevice *dev, guint8 offset, guint bar, guint32 table, guint32 pba, guint vectors);

/* INTx level; pin from config[3D] (1 = INTA). Honours the interrupt-disable bit. Lock held. */
void vmm_pci_device_set_intx (VmmPciDevice *dev, gboolean level);
gboolean vmm_pci_device_msi_enabled (VmmPciDevice *dev);
gboolean vmm_pci_device_msix_enabled (VmmPciDevice *dev);
/* Fires an MSI (vector 0) or MSI-X vector; masked ones are latched in the PBA. Nothing without bus mastering. Lock held. */
void vmm_pci_device_signal (VmmPciDevice *dev, guint vector);
/* The message that vector stands for, if the guest lets it through now: for an irqfd. Changes are told by msix_changed and config_written.
 * Lock held. */
gboolean vmm_pci_device_get_message (VmmPciDevice *dev, guint vector, guint64 *ret_address, guint32 *ret_data);
gboolean vmm_pci_device_is_master (VmmPciDevice *dev);

/* DMA, refused (FALSE) while the guest has bus mastering off. */
gboolean vmm_pci_dma_read (VmmPciDevice *dev, guint64 gpa, gpointer buf, gsize len);
gboolean vmm_pci_dma_write (VmmPciDevice *dev, guint64 gpa, gconstpointer buf, gsize len);
gpointer vmm_pci_dma_map (VmmPciDevice *dev, guint64 gpa, gsize len);

/* Bus side: one configuration access, as CF8/CFC or ECAM make it. bus 0 only (bridges to come). */
guint32 vmm_pci_bus_config_read (VmmPciBus *bus, guint bdf, guint offset, guint size);
void vmm_pci_bus_config_write (VmmPciBus *bus, guint bdf, guint offset, guint size, guint32 value);

/* Where the firmware wants ECAM, told by the host bridge. @size: 1 MiB a bus; 0: off. The ports CF8-CFF and the ECAM region belong to the
 * device "pci-host"; without it (device tests) only the calls above reach configuration space. */
void vmm_pci_bus_set_ecam (VmmPciBus *bus, guint64 base, guint64 size);
/* (out): base and size, 0 and 0 while it is off. Any thread. */
void vmm_pci_bus_get_ecam (VmmPciBus *bus, guint64 *ret_base, guint64 *ret_size);

VmmPciBus *vmm_pci_bus_new (VmmMachine *machine);
void vmm_pci_bus_free (VmmPciBus *bus);
/* PIRQ routing (contract 3.4): the LPC bridge tells which ISA interrupt each of PIRQA-H goes to; 0: none. GSI 16-23 always. */
void vmm_pci_bus_route_pirq (VmmPciBus *bus, guint pirq, guint isa_irq);
/* Devices by place, NULL if none; for ACPI tables and tests. */
VmmPciDevice *vmm_pci_bus_get_device (VmmPciBus *bus, guint devfn);
