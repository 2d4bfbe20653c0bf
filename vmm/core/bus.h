/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Port I/O and MMIO: which device answers at an address. Accesses outside any region read all ones and drop writes. */
#pragma once

#include "core/device.h"

typedef enum { VMM_SPACE_PIO, VMM_SPACE_MMIO } VmmSpace;

typedef enum {
  VMM_REGION_DEFAULT = 0,
  VMM_REGION_UNLOCKED = 1 << 0, /* called without the device's lock (hot, self-synchronised registers) */
  VMM_REGION_COALESCE = 1 << 1, /* writes may be buffered by KVM and arrive late, in order */
} VmmRegionFlags;

/**
 * VmmRegionOps:
 * @read: Returns the value, @size 1, 2, 4 or 8 bytes, little-endian meaning. @offset from the region's start.
 * @access_max: greatest size that the callbacks take; wider accesses are split, low address first. 0: 8 bytes.
 * @access_min: smallest size that the callbacks take; narrower reads take the part, narrower writes are read-modify-written
 *   (0 or 1: none). Unaligned accesses are split to bytes when access_min is at most 1.
 * Called on a vCPU thread with the device's lock held (unless VMM_REGION_UNLOCKED). Must not block.
 */
typedef struct {
  const char *name;
  guint64 (*read) (VmmDevice *dev, gpointer opaque, guint64 offset, guint size);
  void (*write) (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value);
  guint access_min, access_max;
} VmmRegionOps;

/**
 * VmmRegion:
 * Embedded in a device's runtime part. Zero-initialised by the instance; set up by vmm_region_init(); in no space until mapped.
 */
struct _VmmRegion {
  const VmmRegionOps *ops;
  VmmDevice *dev;
  gpointer opaque;
  VmmSpace space;
  VmmRegionFlags flags;
  guint64 base, size; /* bytes */
  gboolean mapped;
  guint order; /* later mappings lie on top of earlier ones */
};

void vmm_region_init (VmmRegion *region, VmmDevice *dev, VmmSpace space, const VmmRegionOps *ops, gpointer opaque, guint64 size,
                      VmmRegionFlags flags);
/* Maps at @base, moving it there if it is mapped elsewhere. Regions may overlap; the last mapped wins. Any thread; takes the bus's
 * write lock, so not from within another region's UNLOCKED fast path. Allowed from a device's own callback. */
void vmm_region_map (VmmBus *bus, VmmRegion *region, guint64 base);
void vmm_region_unmap (VmmBus *bus, VmmRegion *region);

/* init + map: for fixed addresses, in realize. */
void vmm_bus_map_pio (VmmRegion *region, VmmDevice *dev, const VmmRegionOps *ops, gpointer opaque, guint16 port, guint16 n_ports);
void vmm_bus_map_mmio (VmmRegion *region, VmmDevice *dev, const VmmRegionOps *ops, gpointer opaque, guint64 gpa, guint64 size);

/* One access, as the vCPU does it. @data: @size bytes, little-endian. Thread: vCPU, or a test. */
void vmm_bus_access (VmmBus *bus, VmmSpace space, guint64 addr, gpointer data, guint size, gboolean is_write);

/**
 * vmm_bus_flush_coalesced:
 * Carries out writes that KVM buffered for coalesced regions. Call before reading what they change: the caller holds no device
 * lock. (The bus does it itself before every access.)
 */
void vmm_bus_flush_coalesced (VmmBus *bus);

/**
 * vmm_bus_add_ioeventfd:
 * @size: 0 any width. Writes of any value at @addr then signal @eventfd in the kernel instead of calling the region.
 */
gboolean vmm_bus_add_ioeventfd (VmmBus *bus, VmmSpace space, guint64 addr, guint size, int eventfd, GError **error);
void vmm_bus_remove_ioeventfd (VmmBus *bus, VmmSpace space, guint64 addr, guint size, int eventfd);
