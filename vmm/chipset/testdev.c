/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What test guests need; only in builds with -Dtest-devices=true.
 * Spec: the addresses and meanings of QEMU's isa-debug-exit and pc-testdev, so that guests written for those run; engine contract 2.
 *
 * F4          ends the machine with code (value << 1) | 1
 * E0-E3, E8-EB  latches: what is written reads back
 * E4          the page of guest RAM at the address written is taken out of the processor's mapping, and comes back by a fault
 * 2000+n      line n (0-23) goes to the level written
 * 2100, 2104  our own: address and data of an MSI; writing the data sends it
 * FF000000    64 KiB of memory that only exits reach */
#include "core/bus.h"
#include "core/device.h"
#include "core/irq.h"
#include "core/memory.h"

#include <string.h>
#include <sys/mman.h>

#define TDEV_PAGE 4096
#define TDEV_MMIO_SIZE 0x10000

typedef struct {
  guint32 latches[2];
  guint32 msi_address;
  guint32 levels; /* bit n: line n */
  guint8 mmio[TDEV_MMIO_SIZE];
} TdevRegs;

typedef struct {
  VmmDevice base;
  TdevRegs regs;
  VmmRegion exit_region, latch_regions[2], flush_region, line_region, msi_region, mmio_region;
  VmmIrqPin pins[VMM_IRQ_MAX_GSI];
} VmmTestDevice;

static const VmmField tdev_fields[] = {
  VMM_FIELD_ARRAY (TdevRegs, latches),
  VMM_FIELD (TdevRegs, msi_address),
  VMM_FIELD_MAX (TdevRegs, levels, (1 << VMM_IRQ_MAX_GSI) - 1),
  VMM_FIELD_BLOB (TdevRegs, mmio),
  VMM_FIELD_END,
};

static void
tdev_exit_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  vmm_machine_request_exit (dev->machine, (int) (value & 0xff) << 1 | 1);
}

static guint64
tdev_zero_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  return 0;
}

static guint64
tdev_latch_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  guint32 *latch = opaque;

  return *latch >> offset * 8;
}

static void
tdev_latch_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  guint32 *latch = opaque;
  guint32 mask = (guint32) (((G_GUINT64_CONSTANT (1) << size * 8) - 1) << offset * 8);

  *latch = (*latch & ~mask) | ((guint32) (value << offset * 8) & mask);
}

static void
tdev_flush_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  gpointer page = vmm_memory_map (vmm_device_get_memory (dev), value & ~(guint64) (TDEV_PAGE - 1), TDEV_PAGE);

  /* RAM is a shared mapping: its content stays. */
  if (page == NULL || madvise (page, TDEV_PAGE, MADV_DONTNEED) < 0)
    vmm_guest_error (dev, "there is no page of RAM at %" G_GINT64_MODIFIER "x", value);
}

static void
tdev_set_line (VmmTestDevice *test, guint line, gboolean level)
{
  test->regs.levels = level ? test->regs.levels | 1u << line : test->regs.levels & ~(1u << line);
  vmm_irq_pin_set (&test->pins[line], level);
}

static void
tdev_line_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  tdev_set_line ((VmmTestDevice *) dev, (guint) offset, value != 0);
}

static void
tdev_msi_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  VmmTestDevice *test = (VmmTestDevice *) dev;

  if (offset == 0)
    test->regs.msi_address = (guint32) value;
  else if (offset == 4)
    vmm_irq_signal_msi (vmm_device_get_irq (dev), test->regs.msi_address, (guint32) value);
}

static guint64
tdev_mmio_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  VmmTestDevice *test = (VmmTestDevice *) dev;
  guint64 value = 0;

  memcpy (&value, test->regs.mmio + offset, size);
  return GUINT64_FROM_LE (value);
}

static void
tdev_mmio_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  VmmTestDevice *test = (VmmTestDevice *) dev;
  guint64 raw = GUINT64_TO_LE (value);

  memcpy (test->regs.mmio + offset, &raw, size);
}

static const VmmRegionOps tdev_exit_ops = { .name = "test-exit",
                                            .read = tdev_zero_read,
                                            .write = tdev_exit_write,
                                            .access_max = 4 };
static const VmmRegionOps tdev_latch_ops = { .name = "test-latch",
                                             .read = tdev_latch_read,
                                             .write = tdev_latch_write,
                                             .access_max = 4 };
static const VmmRegionOps tdev_flush_ops = { .name = "test-flush",
                                             .read = tdev_zero_read,
                                             .write = tdev_flush_write,
                                             .access_max = 4 };
static const VmmRegionOps tdev_line_ops = { .name = "test-lines",
                                            .read = tdev_zero_read,
                                            .write = tdev_line_write,
                                            .access_max = 1 };
static const VmmRegionOps tdev_msi_ops = { .name = "test-msi", .read = tdev_zero_read, .write = tdev_msi_write, .access_max = 4 };
static const VmmRegionOps tdev_mmio_ops = { .name = "test-memory", .read = tdev_mmio_read, .write = tdev_mmio_write };

static void
tdev_reset (VmmDevice *dev, VmmResetKind kind)
{
  VmmTestDevice *test = (VmmTestDevice *) dev;

  memset (&test->regs, 0, sizeof test->regs);
  for (guint i = 0; i < VMM_IRQ_MAX_GSI; i++)
    tdev_set_line (test, i, FALSE);
}

static gboolean
tdev_post_load (VmmDevice *dev, GError **error)
{
  VmmTestDevice *test = (VmmTestDevice *) dev;

  for (guint i = 0; i < VMM_IRQ_MAX_GSI; i++)
    tdev_set_line (test, i, (test->regs.levels >> i & 1) != 0);
  return TRUE;
}

static gboolean
tdev_realize (VmmDevice *dev, GError **error)
{
  VmmTestDevice *test = (VmmTestDevice *) dev;

  for (guint i = 0; i < VMM_IRQ_MAX_GSI; i++)
    vmm_irq_pin_init (&test->pins[i], vmm_device_get_irq (dev), i);
  vmm_bus_map_pio (&test->exit_region, dev, &tdev_exit_ops, NULL, 0xf4, 4);
  vmm_bus_map_pio (&test->latch_regions[0], dev, &tdev_latch_ops, &test->regs.latches[0], 0xe0, 4);
  vmm_bus_map_pio (&test->flush_region, dev, &tdev_flush_ops, NULL, 0xe4, 4);
  vmm_bus_map_pio (&test->latch_regions[1], dev, &tdev_latch_ops, &test->regs.latches[1], 0xe8, 4);
  vmm_bus_map_pio (&test->line_region, dev, &tdev_line_ops, NULL, 0x2000, VMM_IRQ_MAX_GSI);
  vmm_bus_map_pio (&test->msi_region, dev, &tdev_msi_ops, NULL, 0x2100, 8);
  vmm_bus_map_mmio (&test->mmio_region, dev, &tdev_mmio_ops, NULL, 0xff000000, TDEV_MMIO_SIZE);
  return TRUE;
}

static void
tdev_unrealize (VmmDevice *dev)
{
  VmmTestDevice *test = (VmmTestDevice *) dev;
  VmmRegion *regions[] = { &test->exit_region, &test->latch_regions[0], &test->flush_region, &test->latch_regions[1],
                           &test->line_region, &test->msi_region,       &test->mmio_region };

  for (guint i = 0; i < G_N_ELEMENTS (regions); i++)
    vmm_region_unmap (vmm_device_get_bus (dev), regions[i]);
}

const VmmDeviceClass vmm_test_device_class = {
  .name = "test-device",
  .summary = N_ ("Device for test guests"),
  .bus = VMM_DEVICE_SYSTEM,
  .user_creatable = TRUE,
  .instance_size = sizeof (VmmTestDevice),
  .regs_offset = G_STRUCT_OFFSET (VmmTestDevice, regs),
  .regs_size = sizeof (TdevRegs),
  .regs_fields = tdev_fields,
  .state_version = 1,
  .realize = tdev_realize,
  .reset = tdev_reset,
  .unrealize = tdev_unrealize,
  .post_load = tdev_post_load,
};
