/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The device half of PCI: configuration space, BARs, expansion ROM, capabilities, MSI, MSI-X, INTx, bus mastering.
 * Spec: PCI Local Bus 3.0 §6 (configuration space), §6.8 (MSI, MSI-X), §6.3 (expansion ROM). Left out: power management, extended
 * configuration space, MSI with several vectors or masking.
 *
 * Theory of operation: regs (VmmPciRegs) hold the configuration space as bytes; wmask and w1cmask say which bits a write changes. After
 * each write the mappings are computed anew from COMMAND and the BARs and applied where they differ, so no order of writes matters. A
 * RAM BAR and the expansion ROM are memory slots, all others are regions. What a guest may choose for a slot is limited to the PCI
 * holes: a slot over RAM, the local APIC or another slot would be refused by KVM. */
#include "pci/pci-private.h"

#include "core/machine.h"

#include <string.h>

/* §6.1 */
#define PCID_COMMAND 0x04
#define PCID_COMMAND_IO 0x0001
#define PCID_COMMAND_MEMORY 0x0002
#define PCID_COMMAND_MASTER 0x0004
#define PCID_COMMAND_SERR 0x0100
#define PCID_COMMAND_INTX_DISABLE 0x0400
#define PCID_STATUS 0x06
#define PCID_STATUS_INTX 0x0008
#define PCID_STATUS_CAPS 0x0010
#define PCID_STATUS_W1C 0xf900
#define PCID_BAR0 0x10
#define PCID_ROM 0x30
#define PCID_ROM_INDEX 6
#define PCID_CAP_POINTER 0x34
#define PCID_INT_LINE 0x3c
#define PCID_INT_PIN 0x3d
/* §6.8.1, §6.8.2 */
#define PCID_CAP_MSI 0x05
#define PCID_CAP_MSIX 0x11
#define PCID_MSI_ENABLE 0x0001
#define PCID_MSI_64BIT 0x0080
#define PCID_MSIX_ENABLE 0x8000
#define PCID_MSIX_MASK_ALL 0x4000
#define PCID_MSIX_ENTRY 16
#define PCID_MSIX_MASKED 1

#define PCID_ROM_MAX (16 * 1024 * 1024)
#define PCID_NOWHERE G_MAXUINT64
/* Slots for BARs: below the I/O APIC, or above RAM within the smallest address width of processors that KVM runs on. */
#define PCID_SLOT_LOW_END G_GUINT64_CONSTANT (0xfec00000)
#define PCID_SLOT_HIGH_START G_GUINT64_CONSTANT (0x100000000)
#define PCID_SLOT_HIGH_END (G_GUINT64_CONSTANT (1) << 46)

G_STATIC_ASSERT (sizeof (((VmmPciRegs *) 0)->msix_table) == 64 * PCID_MSIX_ENTRY);

const VmmField vmm_pci_regs_fields[] = {
  VMM_FIELD_BLOB (VmmPciRegs, config),
  VMM_FIELD_BLOB (VmmPciRegs, msix_table),
  VMM_FIELD (VmmPciRegs, msix_pending),
  VMM_FIELD_MAX (VmmPciRegs, intx, 1),
  VMM_FIELD_END,
};

/* Little-endian access to byte arrays. */

static guint16
pcid_get16 (const guint8 *bytes)
{
  return (guint16) (bytes[0] | bytes[1] << 8);
}

static guint32
pcid_get32 (const guint8 *bytes)
{
  return (guint32) pcid_get16 (bytes) | (guint32) pcid_get16 (bytes + 2) << 16;
}

static void
pcid_put16 (guint8 *bytes, guint16 value)
{
  bytes[0] = (guint8) value;
  bytes[1] = (guint8) (value >> 8);
}

static void
pcid_put32 (guint8 *bytes, guint32 value)
{
  pcid_put16 (bytes, (guint16) value);
  pcid_put16 (bytes + 2, (guint16) (value >> 16));
}

static guint16
pcid_command (const VmmPciDevice *dev)
{
  return pcid_get16 (dev->pci.config + PCID_COMMAND);
}

static gboolean
pcid_ranges_meet (guint a, guint a_size, guint b, guint b_size)
{
  return a < b + b_size && b < a + a_size;
}

/* Interrupts */

gboolean
vmm_pci_device_msi_enabled (VmmPciDevice *dev)
{
  return dev->msi_cap != 0 && (dev->pci.config[dev->msi_cap + 2] & PCID_MSI_ENABLE) != 0;
}

static guint16
pcid_msix_control (const VmmPciDevice *dev)
{
  return dev->msix.cap != 0 ? pcid_get16 (dev->pci.config + dev->msix.cap + 2) : 0;
}

gboolean
vmm_pci_device_msix_enabled (VmmPciDevice *dev)
{
  return (pcid_msix_control (dev) & PCID_MSIX_ENABLE) != 0;
}

/* The wire: what the device asks for, unless the guest turned INTx off or uses messages (§6.8.1.3, §6.8.2.3). */
static void
pcid_update_intx (VmmPciDevice *dev)
{
  guint pin = dev->pci.config[PCID_INT_PIN];
  gboolean level = dev->pci.intx != 0 && pin >= 1 && pin <= 4 && (pcid_command (dev) & PCID_COMMAND_INTX_DISABLE) == 0
                   && !vmm_pci_device_msi_enabled (dev) && !vmm_pci_device_msix_enabled (dev);

  dev->pci.config[PCID_STATUS] = (guint8) ((dev->pci.config[PCID_STATUS] & ~PCID_STATUS_INTX)
                                           | (dev->pci.intx != 0 ? PCID_STATUS_INTX : 0));
  if (level == dev->intx_asserted)
    return;
  dev->intx_asserted = level;
  _vmm_pci_bus_change_intx (vmm_device_get_pci_bus (&dev->base), dev->devfn, pin - 1, level);
}

void
vmm_pci_device_set_intx (VmmPciDevice *dev, gboolean level)
{
  if (dev->pci.intx == (guint32) (level != FALSE))
    return;
  dev->pci.intx = level != FALSE;
  pcid_update_intx (dev);
}

static void
pcid_msix_fire (VmmPciDevice *dev, guint vector)
{
  const guint8 *entry = dev->pci.msix_table + vector * PCID_MSIX_ENTRY;

  vmm_irq_signal_msi (vmm_device_get_irq (&dev->base), pcid_get32 (entry) | (guint64) pcid_get32 (entry + 4) << 32,
                      pcid_get32 (entry + 8));
}

static gboolean
pcid_msix_is_masked (const VmmPciDevice *dev, guint vector)
{
  return (pcid_msix_control (dev) & PCID_MSIX_MASK_ALL) != 0
         || (dev->pci.msix_table[vector * PCID_MSIX_ENTRY + 12] & PCID_MSIX_MASKED) != 0;
}

/* Sends what was latched while masked (§6.8.2.9). */
static void
pcid_msix_fire_pending (VmmPciDevice *dev)
{
  if (dev->pci.msix_pending == 0 || !vmm_pci_device_msix_enabled (dev) || (pcid_command (dev) & PCID_COMMAND_MASTER) == 0)
    return;
  for (guint i = 0; i < dev->msix.vectors; i++)
    if ((dev->pci.msix_pending >> i & 1) != 0 && !pcid_msix_is_masked (dev, i))
      {
        dev->pci.msix_pending &= ~(G_GUINT64_CONSTANT (1) << i);
        pcid_msix_fire (dev, i);
      }
}

void
vmm_pci_device_signal (VmmPciDevice *dev, guint vector)
{
  if ((pcid_command (dev) & PCID_COMMAND_MASTER) == 0)
    return;
  if (vmm_pci_device_msix_enabled (dev))
    {
      if (vector >= dev->msix.vectors)
        return; /* a device may pass on what its driver chose */
      if (pcid_msix_is_masked (dev, vector))
        dev->pci.msix_pending |= G_GUINT64_CONSTANT (1) << vector;
      else
        pcid_msix_fire (dev, vector);
    }
  else if (vmm_pci_device_msi_enabled (dev) && vector == 0)
    {
      const guint8 *cap = dev->pci.config + dev->msi_cap;

      vmm_irq_signal_msi (vmm_device_get_irq (&dev->base), pcid_get32 (cap + 4) | (guint64) pcid_get32 (cap + 8) << 32,
                          pcid_get16 (cap + 12));
    }
}

gboolean
vmm_pci_device_is_master (VmmPciDevice *dev)
{
  return (pcid_command (dev) & PCID_COMMAND_MASTER) != 0;
}

gboolean
vmm_pci_device_get_message (VmmPciDevice *dev, guint vector, guint64 *ret_address, guint32 *ret_data)
{
  const guint8 *entry = dev->pci.msix_table + vector * PCID_MSIX_ENTRY;

  if (!vmm_pci_device_is_master (dev) || !vmm_pci_device_msix_enabled (dev) || vector >= dev->msix.vectors
      || pcid_msix_is_masked (dev, vector))
    return FALSE;
  *ret_address = pcid_get32 (entry) | (guint64) pcid_get32 (entry + 4) << 32;
  *ret_data = pcid_get32 (entry + 8);
  return TRUE;
}

/* The MSI-X table and the pending bits; offsets from the lower of the two. */

static guint64
pcid_msix_read (VmmDevice *base, gpointer opaque, guint64 offset, guint size)
{
  VmmPciDevice *dev = opaque;
  VmmPciMsix *msix = &dev->msix;
  guint64 in_bar = offset + MIN (msix->table, msix->pba), value = 0;
  guint64 pending = GUINT64_TO_LE (dev->pci.msix_pending);

  if (in_bar >= msix->table && in_bar + size <= msix->table + (guint64) msix->vectors * PCID_MSIX_ENTRY)
    memcpy (&value, dev->pci.msix_table + (in_bar - msix->table), size);
  else if (in_bar >= msix->pba && in_bar + size <= (guint64) msix->pba + sizeof pending)
    memcpy (&value, (const guint8 *) &pending + (in_bar - msix->pba), size);
  return GUINT64_FROM_LE (value);
}

static void
pcid_msix_write (VmmDevice *base, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  VmmPciDevice *dev = opaque;
  VmmPciMsix *msix = &dev->msix;
  guint64 in_bar = offset + MIN (msix->table, msix->pba), at, le = GUINT64_TO_LE (value);

  if (in_bar < msix->table || in_bar + size > msix->table + (guint64) msix->vectors * PCID_MSIX_ENTRY)
    return; /* the pending bits are read-only */
  at = in_bar - msix->table;
  memcpy (dev->pci.msix_table + at, &le, size);
  /* Of the last word of an entry only the mask bit exists (§6.8.2.9). */
  memset (dev->pci.msix_table + at / PCID_MSIX_ENTRY * PCID_MSIX_ENTRY + 13, 0, 3);
  dev->pci.msix_table[at / PCID_MSIX_ENTRY * PCID_MSIX_ENTRY + 12] &= PCID_MSIX_MASKED;
  pcid_msix_fire_pending (dev);
  if (dev->msix_changed != NULL)
    dev->msix_changed (dev);
}

static const VmmRegionOps pcid_msix_ops = {
  .name = "msix",
  .read = pcid_msix_read,
  .write = pcid_msix_write,
  .access_min = 4,
  .access_max = 8,
};

/* Mapping */

static guint
pcid_bar_offset (guint bar)
{
  return bar == PCID_ROM_INDEX ? PCID_ROM : PCID_BAR0 + 4 * bar;
}

/* Where a BAR wants to be, by the configuration space alone. */
static guint64
pcid_bar_address (const VmmPciDevice *dev, guint index)
{
  const VmmPciBar *bar = &dev->bars[index];
  const guint8 *reg = dev->pci.config + pcid_bar_offset (index);
  guint16 command = pcid_command (dev);
  guint64 address = pcid_get32 (reg);

  if (bar->kind == VMM_PCI_BAR_IO)
    {
      address &= ~(bar->size - 1);
      return (command & PCID_COMMAND_IO) == 0 || address == 0 || address + bar->size > 0x10000 ? PCID_NOWHERE : address;
    }
  if ((command & PCID_COMMAND_MEMORY) == 0 || (index == PCID_ROM_INDEX && (address & 1) == 0))
    return PCID_NOWHERE;
  if ((bar->flags & VMM_PCI_BAR_64) != 0)
    address |= (guint64) pcid_get32 (reg + 4) << 32;
  address &= ~(bar->size - 1);
  /* 0 and what sizing leaves (all ones) are nowhere. */
  if (address == 0 || address > G_MAXUINT64 - bar->size)
    return PCID_NOWHERE;
  if ((bar->flags & VMM_PCI_BAR_64) == 0 && address + bar->size > G_MAXUINT32)
    return PCID_NOWHERE;
  return address;
}

static gboolean
pcid_slot_may_be (VmmPciDevice *dev, guint64 address, guint64 size)
{
  VmmMemory *memory = vmm_device_get_memory (&dev->base);
  guint64 low = MAX (vmm_memory_get_low_size (memory), 0x100000);
  guint64 high = PCID_SLOT_HIGH_START + vmm_memory_get_high_size (memory);

  if (!(address >= low && address + size <= PCID_SLOT_LOW_END) && !(address >= high && address + size <= PCID_SLOT_HIGH_END))
    return FALSE;
  return _vmm_pci_bus_is_slot_free (vmm_device_get_pci_bus (&dev->base), address, size);
}

static void
pcid_move_slot (VmmPciDevice *dev, guint index, guint64 address)
{
  VmmPciBar *bar = &dev->bars[index];
  VmmMemory *memory = vmm_device_get_memory (&dev->base);
  gboolean refused = FALSE;

  vmm_memory_begin (memory);
  if (bar->slot != NULL)
    vmm_memory_remove_slot (memory, bar->slot);
  bar->slot = NULL;
  bar->address = PCID_NOWHERE;
  if (address != PCID_NOWHERE && !(refused = !pcid_slot_may_be (dev, address, bar->size)))
    bar->slot = vmm_memory_add_slot (memory, bar->ram, 0, address, bar->size,
                                     index == PCID_ROM_INDEX ? VMM_SLOT_READONLY : VMM_SLOT_RW);
  vmm_memory_commit (memory);
  bar->address = address; /* even if refused: it is not tried again until the guest moves it */
  if (refused)
    vmm_guest_error (&dev->base, "BAR %u at 0x%" G_GINT64_MODIFIER "x lies over other memory", index, address);
}

static void
pcid_move_region (VmmPciDevice *dev, guint index, guint64 address)
{
  VmmPciBar *bar = &dev->bars[index];
  VmmBus *bus = vmm_device_get_bus (&dev->base);
  VmmPciMsix *msix = &dev->msix;
  gboolean overlay = msix->cap != 0 && msix->bar == index && bar->region.ops != &pcid_msix_ops;

  if (address == PCID_NOWHERE)
    {
      if (overlay)
        vmm_region_unmap (bus, &msix->region);
      vmm_region_unmap (bus, &bar->region);
    }
  else
    {
      vmm_region_map (bus, &bar->region, address);
      if (overlay) /* on top */
        vmm_region_map (bus, &msix->region, address + MIN (msix->table, msix->pba));
    }
  bar->address = address;
}

static void
pcid_update_bars (VmmPciDevice *dev)
{
  for (guint i = 0; i < G_N_ELEMENTS (dev->bars); i++)
    {
      VmmPciBar *bar = &dev->bars[i];
      guint64 address;

      if (bar->kind == VMM_PCI_BAR_NONE)
        continue;
      address = pcid_bar_address (dev, i);
      if (address == bar->address)
        continue;
      if (bar->kind == VMM_PCI_BAR_RAM)
        pcid_move_slot (dev, i, address);
      else
        pcid_move_region (dev, i, address);
    }
}

void
vmm_pci_device_add_bar (VmmPciDevice *dev, guint index, VmmPciBarKind kind, guint64 size, VmmPciBarFlags flags,
                        const VmmRegionOps *ops, gpointer opaque)
{
  VmmPciBar *bar = &dev->bars[index];
  guint8 *reg = dev->pci.config + pcid_bar_offset (index), *mask = dev->wmask + pcid_bar_offset (index);
  guint64 writable = ~(size - 1);

  g_assert (index < PCID_ROM_INDEX && bar->kind == VMM_PCI_BAR_NONE && kind != VMM_PCI_BAR_NONE);
  g_assert (size != 0 && (size & (size - 1)) == 0 && size >= (kind == VMM_PCI_BAR_IO ? 4 : 16));
  g_assert ((flags & VMM_PCI_BAR_64) == 0 || index < 5);
  bar->kind = kind;
  bar->flags = flags;
  bar->size = size;
  bar->address = PCID_NOWHERE;
  if (kind == VMM_PCI_BAR_IO)
    pcid_put32 (reg, 1);
  else
    pcid_put32 (reg, ((flags & VMM_PCI_BAR_64) != 0 ? 4 : 0) | ((flags & VMM_PCI_BAR_PREFETCH) != 0 ? 8 : 0));
  pcid_put32 (mask, (guint32) writable);
  if ((flags & VMM_PCI_BAR_64) != 0)
    pcid_put32 (mask + 4, (guint32) (writable >> 32));
  if (kind != VMM_PCI_BAR_RAM)
    vmm_region_init (&bar->region, &dev->base, kind == VMM_PCI_BAR_IO ? VMM_SPACE_PIO : VMM_SPACE_MMIO, ops, opaque, size,
                     VMM_REGION_DEFAULT);
}

void
vmm_pci_device_add_ram_bar (VmmPciDevice *dev, guint index, VmmRam *ram, VmmPciBarFlags flags)
{
  vmm_pci_device_add_bar (dev, index, VMM_PCI_BAR_RAM, ram->size, flags, NULL, NULL);
  dev->bars[index].ram = ram;
}

VmmSlot *
vmm_pci_device_get_bar_slot (VmmPciDevice *dev, guint bar)
{
  return dev->bars[bar].slot;
}

/* Expansion ROM (§6.3.1.1): images follow each other, each with a header (55 AA) and a PCI data structure ("PCIR"). */

static gboolean
pcid_rom_image_data (const guint8 *rom, gsize size, gsize image, gsize *ret_pcir)
{
  gsize pcir;

  if (image + 0x1a > size || rom[image] != 0x55 || rom[image + 1] != 0xaa)
    return FALSE;
  pcir = image + pcid_get16 (rom + image + 0x18);
  if (pcir + 0x18 > size || memcmp (rom + pcir, "PCIR", 4) != 0)
    return FALSE;
  *ret_pcir = pcir;
  return TRUE;
}

/* Firmware runs only images that carry the function's own ID: writes it in, and mends the sum of a BIOS image. */
static void
pcid_rom_adopt (const VmmPciDevice *dev, guint8 *rom, gsize size)
{
  gsize image = 0, pcir, length;

  while (pcid_rom_image_data (rom, size, image, &pcir))
    {
      length = (gsize) pcid_get16 (rom + pcir + 0x10) * 512;
      if (memcmp (rom + pcir + 4, dev->pci.config, 4) != 0)
        {
          guint8 change = 0;

          for (guint i = 0; i < 4; i++)
            {
              change = (guint8) (change + rom[pcir + 4 + i] - dev->pci.config[i]);
              rom[pcir + 4 + i] = dev->pci.config[i];
            }
          if (rom[pcir + 0x14] == 0) /* code type: PC-AT; byte 6 of its header is where they balance the sum */
            rom[image + 6] = (guint8) (rom[image + 6] + change);
        }
      if ((rom[pcir + 0x15] & 0x80) != 0 || length == 0 || length > size - image)
        return;
      image += length;
    }
}

gboolean
vmm_pci_device_add_rom (VmmPciDevice *dev, const char *path, GError **error)
{
  VmmPciBar *bar = &dev->bars[PCID_ROM_INDEX];
  g_autofree char *contents = NULL;
  gsize length, size = 4096, pcir;

  g_assert (bar->kind == VMM_PCI_BAR_NONE);
  if (!g_file_get_contents (path, &contents, &length, error))
    {
      g_prefix_error (error, "option ROM: ");
      return FALSE;
    }
  if (length > PCID_ROM_MAX || !pcid_rom_image_data ((const guint8 *) contents, length, 0, &pcir))
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_CORRUPT, "%s: not a PCI option ROM", path);
      return FALSE;
    }
  while (size < length)
    size *= 2;
  dev->rom = vmm_ram_new ("option-rom", size, error);
  if (dev->rom == NULL)
    return FALSE;
  memcpy (dev->rom->host, contents, length);
  pcid_rom_adopt (dev, dev->rom->host, length);
  bar->kind = VMM_PCI_BAR_RAM;
  bar->size = size;
  bar->address = PCID_NOWHERE;
  bar->ram = dev->rom;
  pcid_put32 (dev->wmask + PCID_ROM, (guint32) ~(size - 1) | 1);
  return TRUE;
}

/* Capabilities */

void
vmm_pci_device_add_capability (VmmPciDevice *dev, guint8 id, guint8 offset, guint8 size)
{
  guint8 *config = dev->pci.config;

  g_assert (offset >= 0x40 && (offset & 3) == 0 && size >= 2 && offset + size <= VMM_PCI_CONFIG_SIZE);
  memset (config + offset, 0, size);
  memset (dev->wmask + offset, 0, size);
  config[offset] = id;
  config[dev->cap_tail != 0 ? dev->cap_tail + 1 : PCID_CAP_POINTER] = offset;
  config[PCID_STATUS] |= PCID_STATUS_CAPS;
  dev->cap_tail = offset;
}

void
vmm_pci_device_add_msi (VmmPciDevice *dev, guint8 offset)
{
  vmm_pci_device_add_capability (dev, PCID_CAP_MSI, offset, 14);
  dev->msi_cap = offset;
  pcid_put16 (dev->pci.config + offset + 2, PCID_MSI_64BIT);
  pcid_put16 (dev->wmask + offset + 2, PCID_MSI_ENABLE);
  pcid_put32 (dev->wmask + offset + 4, 0xfffffffc);
  pcid_put32 (dev->wmask + offset + 8, 0xffffffff);
  pcid_put16 (dev->wmask + offset + 12, 0xffff);
}

void
vmm_pci_device_add_msix (VmmPciDevice *dev, guint8 offset, guint bar, guint32 table, guint32 pba, guint vectors)
{
  VmmPciMsix *msix = &dev->msix;
  guint32 start = MIN (table, pba), end = MAX (table + vectors * PCID_MSIX_ENTRY, pba + 8);

  g_assert (vectors >= 1 && vectors <= 64 && bar < PCID_ROM_INDEX && ((table | pba) & 7) == 0);
  g_assert (!pcid_ranges_meet (table, vectors * PCID_MSIX_ENTRY, pba, 8));
  vmm_pci_device_add_capability (dev, PCID_CAP_MSIX, offset, 12);
  msix->vectors = (guint16) vectors;
  msix->cap = offset;
  msix->bar = (guint8) bar;
  msix->table = table;
  msix->pba = pba;
  pcid_put16 (dev->pci.config + offset + 2, (guint16) (vectors - 1));
  pcid_put32 (dev->pci.config + offset + 4, table | bar);
  pcid_put32 (dev->pci.config + offset + 8, pba | bar);
  pcid_put16 (dev->wmask + offset + 2, PCID_MSIX_ENABLE | PCID_MSIX_MASK_ALL);
  if (dev->bars[bar].kind == VMM_PCI_BAR_NONE)
    {
      guint64 size = 4096;

      while (size < end)
        size *= 2;
      g_assert (start == 0);
      vmm_pci_device_add_bar (dev, bar, VMM_PCI_BAR_MMIO, size, VMM_PCI_BAR_32, &pcid_msix_ops, dev);
    }
  else
    {
      g_assert (dev->bars[bar].kind == VMM_PCI_BAR_MMIO && end <= dev->bars[bar].size);
      vmm_region_init (&msix->region, &dev->base, VMM_SPACE_MMIO, &pcid_msix_ops, dev, end - start, VMM_REGION_DEFAULT);
    }
}

/* Configuration accesses */

guint32
_vmm_pci_device_config_read (VmmPciDevice *dev, guint offset, guint size)
{
  guint32 value = 0;

  if (dev->config_reading != NULL)
    dev->config_reading (dev, offset, size);
  memcpy (&value, dev->pci.config + offset, size);
  return GUINT32_FROM_LE (value);
}

void
_vmm_pci_device_config_write (VmmPciDevice *dev, guint offset, guint size, guint32 value)
{
  guint8 *config = dev->pci.config;

  for (guint i = offset; i < offset + size; i++, value >>= 8)
    {
      guint8 byte = (guint8) value;

      config[i] = (guint8) ((config[i] & ~dev->wmask[i]) | (byte & dev->wmask[i]));
      config[i] &= (guint8) ~(byte & dev->w1cmask[i]);
    }
  if (pcid_ranges_meet (offset, size, PCID_COMMAND, 2) || pcid_ranges_meet (offset, size, PCID_BAR0, 6 * 4)
      || pcid_ranges_meet (offset, size, PCID_ROM, 4))
    pcid_update_bars (dev);
  if (pcid_ranges_meet (offset, size, PCID_COMMAND, 2)
      || (dev->msi_cap != 0 && pcid_ranges_meet (offset, size, dev->msi_cap + 2u, 2))
      || (dev->msix.cap != 0 && pcid_ranges_meet (offset, size, dev->msix.cap + 2u, 2)))
    {
      pcid_update_intx (dev);
      pcid_msix_fire_pending (dev);
    }
  if (dev->config_written != NULL)
    dev->config_written (dev, offset, size);
}

/* DMA */

gboolean
vmm_pci_dma_read (VmmPciDevice *dev, guint64 gpa, gpointer buf, gsize len)
{
  return (pcid_command (dev) & PCID_COMMAND_MASTER) != 0 && vmm_memory_read (vmm_device_get_memory (&dev->base), gpa, buf, len);
}

gboolean
vmm_pci_dma_write (VmmPciDevice *dev, guint64 gpa, gconstpointer buf, gsize len)
{
  return (pcid_command (dev) & PCID_COMMAND_MASTER) != 0 && vmm_memory_write (vmm_device_get_memory (&dev->base), gpa, buf, len);
}

gpointer
vmm_pci_dma_map (VmmPciDevice *dev, guint64 gpa, gsize len)
{
  if ((pcid_command (dev) & PCID_COMMAND_MASTER) == 0)
    return NULL;
  return vmm_memory_map (vmm_device_get_memory (&dev->base), gpa, len);
}

/* Reset, load, life */

void
vmm_pci_device_reset (VmmPciDevice *dev)
{
  vmm_pci_device_set_intx (dev, FALSE);
  for (guint i = 0; i < VMM_PCI_CONFIG_SIZE; i++)
    dev->pci.config[i] &= (guint8) ~(dev->wmask[i] | dev->w1cmask[i]);
  memset (dev->pci.msix_table, 0, sizeof dev->pci.msix_table);
  for (guint i = 0; i < dev->msix.vectors; i++)
    dev->pci.msix_table[i * PCID_MSIX_ENTRY + 12] = PCID_MSIX_MASKED;
  dev->pci.msix_pending = 0;
  pcid_update_bars (dev);
}

void
vmm_pci_device_post_load (VmmPciDevice *dev)
{
  pcid_update_bars (dev);
  pcid_update_intx (dev);
}

gboolean
vmm_pci_device_init (VmmPciDevice *dev, int devfn, const VmmPciId *id, GError **error)
{
  guint8 *config = dev->pci.config;
  gboolean subsystem = id->subsystem_vendor != 0 || id->subsystem != 0;

  if (!_vmm_pci_bus_attach (vmm_device_get_pci_bus (&dev->base), dev, devfn, error))
    return FALSE;
  memset (&dev->pci, 0, sizeof dev->pci);
  pcid_put16 (config + 0x00, id->vendor);
  pcid_put16 (config + 0x02, id->device);
  pcid_put32 (config + 0x08, id->class_code << 8 | id->revision);
  config[0x0e] = id->multifunction ? 0x80 : 0;
  pcid_put16 (config + 0x2c, subsystem ? id->subsystem_vendor : 0x1af4);
  pcid_put16 (config + 0x2e, subsystem ? id->subsystem : 0x1100);
  pcid_put16 (dev->wmask + PCID_COMMAND,
              PCID_COMMAND_IO | PCID_COMMAND_MEMORY | PCID_COMMAND_MASTER | PCID_COMMAND_SERR | PCID_COMMAND_INTX_DISABLE);
  pcid_put16 (dev->w1cmask + PCID_STATUS, PCID_STATUS_W1C);
  dev->wmask[0x0c] = 0xff; /* cache line size */
  dev->wmask[PCID_INT_LINE] = 0xff;
  return TRUE;
}

void
vmm_pci_device_clear (VmmPciDevice *dev)
{
  VmmBus *bus = vmm_device_get_bus (&dev->base);
  VmmMemory *memory = vmm_device_get_memory (&dev->base);

  vmm_pci_device_set_intx (dev, FALSE);
  for (guint i = 0; i < G_N_ELEMENTS (dev->bars); i++)
    {
      VmmPciBar *bar = &dev->bars[i];

      if (bar->kind == VMM_PCI_BAR_RAM && bar->slot != NULL)
        {
          vmm_memory_begin (memory);
          vmm_memory_remove_slot (memory, bar->slot);
          bar->slot = NULL;
          vmm_memory_commit (memory);
        }
      else if (bar->kind == VMM_PCI_BAR_IO || bar->kind == VMM_PCI_BAR_MMIO)
        vmm_region_unmap (bus, &bar->region);
    }
  if (dev->msix.region.ops != NULL)
    vmm_region_unmap (bus, &dev->msix.region);
  g_clear_pointer (&dev->rom, vmm_ram_free);
  _vmm_pci_bus_detach (vmm_device_get_pci_bus (&dev->base), dev);
}
