/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ports that software writes as a matter of course and that nothing depends on: the two 8237 DMA controllers with their page registers
 * (no ISA device here moves data), the POST port 80 and the delay port ED, the coprocessor's F0 and F1. Writes go nowhere, reads give 0.
 * Spec: ICH9 datasheet (316972) §13.2 (DMA), §13.7.1. Left out on purpose: all of their function. */
#include "core/bus.h"
#include "core/device.h"

typedef struct {
  VmmDevice base;
  VmmRegion regions[5];
} IsaStubs;

static const struct {
  guint16 port, n_ports;
} isas_ranges[] = {
  { 0x00, 0x10 }, /* DMA 1 */
  { 0x80, 0x10 }, /* POST code, DMA pages */
  { 0xc0, 0x20 }, /* DMA 2 */
  { 0xed, 0x01 }, /* delay */
  { 0xf0, 0x02 }, /* FERR */
};
G_STATIC_ASSERT (G_N_ELEMENTS (isas_ranges) <= G_N_ELEMENTS (((IsaStubs *) 0)->regions));

static guint64
isas_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  return 0;
}

static void
isas_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
}

static const VmmRegionOps isas_ops = { .name = "isa-stub", .read = isas_read, .write = isas_write, .access_max = 4 };

static gboolean
isas_realize (VmmDevice *dev, GError **error)
{
  IsaStubs *stubs = (IsaStubs *) dev;

  for (guint i = 0; i < G_N_ELEMENTS (isas_ranges); i++)
    {
      vmm_region_init (&stubs->regions[i], dev, VMM_SPACE_PIO, &isas_ops, NULL, isas_ranges[i].n_ports, VMM_REGION_UNLOCKED);
      vmm_region_map (vmm_device_get_bus (dev), &stubs->regions[i], isas_ranges[i].port);
    }
  return TRUE;
}

static void
isas_unrealize (VmmDevice *dev)
{
  IsaStubs *stubs = (IsaStubs *) dev;

  for (guint i = 0; i < G_N_ELEMENTS (isas_ranges); i++)
    vmm_region_unmap (vmm_device_get_bus (dev), &stubs->regions[i]);
}

const VmmDeviceClass vmm_isa_stubs_class = {
  .name = "isa-stubs",
  .summary = N_ ("DMA controller and delay ports"),
  .bus = VMM_DEVICE_SYSTEM,
  .instance_size = sizeof (IsaStubs),
  .state_version = 1,
  .realize = isas_realize,
  .unrealize = isas_unrealize,
};
