/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Between pci-bus.c and pci-device.c only. */
#pragma once

#include "pci/pci.h"

/* Takes a place on bus 0; @devfn -1: the lowest free device from 2. FALSE: taken, or the bus is full. */
gboolean _vmm_pci_bus_attach (VmmPciBus *bus, VmmPciDevice *dev, int devfn, GError **error);
void _vmm_pci_bus_detach (VmmPciBus *bus, VmmPciDevice *dev);
/* One function's INTx (@pin 0…3) went up or down. The caller calls it only when the level changes. */
void _vmm_pci_bus_change_intx (VmmPciBus *bus, guint devfn, guint pin, gboolean level);
/* TRUE if no RAM BAR or ROM of any function is mapped in [base, base+size). Inside vmm_memory_begin(). */
gboolean _vmm_pci_bus_is_slot_free (VmmPciBus *bus, guint64 base, guint64 size);
/* One access to a function's configuration space, @offset + @size within it. Lock held. */
guint32 _vmm_pci_device_config_read (VmmPciDevice *dev, guint offset, guint size);
void _vmm_pci_device_config_write (VmmPciDevice *dev, guint offset, guint size, guint32 value);
