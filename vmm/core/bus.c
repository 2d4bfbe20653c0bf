/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Theory of operation: each space keeps the list of its mapped regions and a flat, sorted view made from it, in which later mappings lie
 * on top. An access looks its region up under the read lock, lets go of the bus, takes the device's lock and calls. Devices live as
 * long as the machine, so the pointer stays good; whether the region is still mapped does not matter for an access that raced. */
#include "core/bus.h"

#include "core/bus-private.h"
#include "core/kvm.h"
#include "core/machine.h"

typedef struct {
  guint64 first, last; /* addresses, inclusive */
  VmmRegion *region;
} BusRange;

typedef struct {
  GPtrArray *regions; /* VmmRegion, in mapping order */
  GArray *view;       /* BusRange, sorted, disjoint */
} BusSpace;

struct _VmmBus {
  VmmKvm *kvm; /* (nullable) */
  GRWLock lock;
  BusSpace spaces[2];
  guint next_order;
  GMutex flush_lock;
};

/* Adds the parts of [first, last] that @view leaves free (regions are laid from the top down). */
static void
bus_fill_gaps (GArray *view, VmmRegion *region)
{
  guint64 first = region->base, end = region->base + (region->size - 1);
  guint i = 0;

  while (first <= end)
    {
      BusRange range = { first, end, region };

      while (i < view->len && g_array_index (view, BusRange, i).last < first)
        i++;
      if (i < view->len)
        {
          BusRange *next = &g_array_index (view, BusRange, i);

          if (next->first <= first)
            {
              if (next->last >= end)
                return;
              first = next->last + 1;
              continue;
            }
          if (next->first <= end)
            range.last = next->first - 1;
        }
      g_array_insert_val (view, i, range);
      if (range.last == end)
        return;
      first = range.last + 1;
    }
}

static void
bus_rebuild (BusSpace *space)
{
  g_array_set_size (space->view, 0);
  for (guint i = space->regions->len; i > 0; i--)
    bus_fill_gaps (space->view, space->regions->pdata[i - 1]);
}

static VmmRegion *
bus_lookup (VmmBus *bus, VmmSpace which, guint64 addr, guint64 *ret_offset, guint64 *ret_left)
{
  GArray *view = bus->spaces[which].view;
  VmmRegion *found = NULL;
  guint low = 0, high;

  g_rw_lock_reader_lock (&bus->lock);
  high = view->len;
  while (low < high)
    {
      guint middle = (low + high) / 2;
      const BusRange *range = &g_array_index (view, BusRange, middle);

      if (addr < range->first)
        high = middle;
      else if (addr > range->last)
        low = middle + 1;
      else
        {
          found = range->region;
          *ret_offset = addr - found->base;
          *ret_left = range->last - addr + 1;
          break;
        }
    }
  g_rw_lock_reader_unlock (&bus->lock);
  return found;
}

static guint64
bus_load (const guint8 *data, guint size)
{
  guint64 value = 0;

  for (guint i = 0; i < size; i++)
    value |= (guint64) data[i] << (8 * i);
  return value;
}

static void
bus_store (guint8 *data, guint size, guint64 value)
{
  for (guint i = 0; i < size; i++)
    data[i] = (guint8) (value >> (8 * i));
}

/* One access of a size that the callbacks take at an offset that is aligned to it (or any, if access_min is 1). */
static void
bus_call (const VmmRegionOps *ops, VmmDevice *dev, gpointer opaque, guint64 offset, guint8 *data, guint size, gboolean is_write)
{
  if (is_write)
    {
      if (ops->write != NULL)
        ops->write (dev, opaque, offset, size, bus_load (data, size));
    }
  else
    bus_store (data, size, ops->read != NULL ? ops->read (dev, opaque, offset, size) : G_MAXUINT64);
}

static void
bus_access_region (VmmRegion *region, guint64 offset, guint8 *data, guint size, gboolean is_write)
{
  const VmmRegionOps *ops = region->ops;
  guint min = MAX (ops->access_min, 1), max = ops->access_max != 0 ? ops->access_max : 8;
  gboolean locked = !(region->flags & VMM_REGION_UNLOCKED);

  if (locked)
    vmm_device_lock (region->dev);
  while (size > 0)
    {
      guint step = MIN (size, max);

      while (step > 1 && (offset % step != 0 || (step & (step - 1)) != 0))
        step--;
      if (step >= min)
        bus_call (ops, region->dev, region->opaque, offset, data, step, is_write);
      else
        {
          guint8 wide[8];
          guint64 start = offset - offset % min;
          guint skip = (guint) (offset - start);

          step = MIN (size, min - skip);
          bus_call (ops, region->dev, region->opaque, start, wide, min, FALSE);
          if (is_write)
            {
              memcpy (wide + skip, data, step);
              bus_call (ops, region->dev, region->opaque, start, wide, min, TRUE);
            }
          else
            memcpy (data, wide + skip, step);
        }
      offset += step;
      data += step;
      size -= step;
    }
  if (locked)
    vmm_device_unlock (region->dev);
}

static void
bus_dispatch (VmmBus *bus, VmmSpace which, guint64 addr, guint8 *data, guint size, gboolean is_write)
{
  while (size > 0)
    {
      guint64 offset = 0, left = 0;
      VmmRegion *region = bus_lookup (bus, which, addr, &offset, &left);
      guint step = region != NULL ? (guint) MIN (left, size) : 1;

      if (region != NULL)
        bus_access_region (region, offset, data, step, is_write);
      else if (!is_write)
        *data = 0xff;
      addr += step;
      data += step;
      size -= step;
    }
}

void
vmm_bus_access (VmmBus *bus, VmmSpace space, guint64 addr, gpointer data, guint size, gboolean is_write)
{
  vmm_bus_flush_coalesced (bus);
  bus_dispatch (bus, space, addr, data, size, is_write);
}

void
vmm_bus_flush_coalesced (VmmBus *bus)
{
  VmmKvmCoalesced write;

  if (bus->kvm == NULL || !vmm_kvm_has_coalesced (bus->kvm))
    return;
  /* One thread empties the ring at a time, so that writes reach the devices in order. */
  g_mutex_lock (&bus->flush_lock);
  while (vmm_kvm_peek_coalesced (bus->kvm, &write))
    {
      bus_dispatch (bus, write.is_pio ? VMM_SPACE_PIO : VMM_SPACE_MMIO, write.addr, write.data, write.len, TRUE);
      /* Only now: another thread that finds the ring empty may count on the write having been done. */
      vmm_kvm_drop_coalesced (bus->kvm);
    }
  g_mutex_unlock (&bus->flush_lock);
}

void
vmm_region_init (VmmRegion *region, VmmDevice *dev, VmmSpace space, const VmmRegionOps *ops, gpointer opaque, guint64 size,
                 VmmRegionFlags flags)
{
  g_assert (size > 0);
  *region = (VmmRegion) { .ops = ops, .dev = dev, .opaque = opaque, .space = space, .flags = flags, .size = size };
}

static void
bus_unmap_locked (VmmBus *bus, VmmRegion *region)
{
  if (!region->mapped)
    return;
  g_ptr_array_remove (bus->spaces[region->space].regions, region);
  region->mapped = FALSE;
  if (bus->kvm != NULL && (region->flags & VMM_REGION_COALESCE))
    vmm_kvm_set_coalesced_zone (bus->kvm, region->space == VMM_SPACE_PIO, region->base, region->size, FALSE);
}

void
vmm_region_map (VmmBus *bus, VmmRegion *region, guint64 base)
{
  BusSpace *space = &bus->spaces[region->space];

  g_rw_lock_writer_lock (&bus->lock);
  bus_unmap_locked (bus, region);
  /* A guest may place a BAR so that it would wrap around the end of the address space: such a region is nowhere. */
  if (base <= G_MAXUINT64 - (region->size - 1) && (region->space == VMM_SPACE_MMIO || base + region->size <= 0x10000))
    {
      region->base = base;
      region->order = bus->next_order++;
      region->mapped = TRUE;
      g_ptr_array_add (space->regions, region);
      if (bus->kvm != NULL && (region->flags & VMM_REGION_COALESCE))
        vmm_kvm_set_coalesced_zone (bus->kvm, region->space == VMM_SPACE_PIO, base, region->size, TRUE);
    }
  bus_rebuild (space);
  g_rw_lock_writer_unlock (&bus->lock);
}

void
vmm_region_unmap (VmmBus *bus, VmmRegion *region)
{
  g_rw_lock_writer_lock (&bus->lock);
  bus_unmap_locked (bus, region);
  bus_rebuild (&bus->spaces[region->space]);
  g_rw_lock_writer_unlock (&bus->lock);
}

void
vmm_bus_map_pio (VmmRegion *region, VmmDevice *dev, const VmmRegionOps *ops, gpointer opaque, guint16 port, guint16 n_ports)
{
  vmm_region_init (region, dev, VMM_SPACE_PIO, ops, opaque, n_ports, VMM_REGION_DEFAULT);
  vmm_region_map (vmm_device_get_bus (dev), region, port);
}

void
vmm_bus_map_mmio (VmmRegion *region, VmmDevice *dev, const VmmRegionOps *ops, gpointer opaque, guint64 gpa, guint64 size)
{
  vmm_region_init (region, dev, VMM_SPACE_MMIO, ops, opaque, size, VMM_REGION_DEFAULT);
  vmm_region_map (vmm_device_get_bus (dev), region, gpa);
}

gboolean
vmm_bus_add_ioeventfd (VmmBus *bus, VmmSpace space, guint64 addr, guint size, int eventfd, GError **error)
{
  return bus->kvm == NULL || vmm_kvm_set_ioeventfd (bus->kvm, space == VMM_SPACE_PIO, addr, size, eventfd, TRUE, error);
}

void
vmm_bus_remove_ioeventfd (VmmBus *bus, VmmSpace space, guint64 addr, guint size, int eventfd)
{
  if (bus->kvm != NULL)
    vmm_kvm_set_ioeventfd (bus->kvm, space == VMM_SPACE_PIO, addr, size, eventfd, FALSE, NULL);
}

VmmBus *
vmm_bus_new (VmmKvm *kvm)
{
  VmmBus *bus = g_new0 (VmmBus, 1);

  bus->kvm = kvm;
  g_rw_lock_init (&bus->lock);
  g_mutex_init (&bus->flush_lock);
  for (guint i = 0; i < G_N_ELEMENTS (bus->spaces); i++)
    {
      bus->spaces[i].regions = g_ptr_array_new ();
      bus->spaces[i].view = g_array_new (FALSE, FALSE, sizeof (BusRange));
    }
  return bus;
}

void
vmm_bus_free (VmmBus *bus)
{
  if (bus == NULL)
    return;
  for (guint i = 0; i < G_N_ELEMENTS (bus->spaces); i++)
    {
      g_ptr_array_unref (bus->spaces[i].regions);
      g_array_unref (bus->spaces[i].view);
    }
  g_rw_lock_clear (&bus->lock);
  g_mutex_clear (&bus->flush_lock);
  g_free (bus);
}
