/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The board's own devices under random accesses: configuration space by ports and ECAM, PAM, BARs, PIRQs, the PM block, fw_cfg with DMA
 * from random descriptors, the firmware tables. One input is a list of commands of nine bytes. */
#include "chipset/fw-cfg.h"
#include "chipset/pm.h"
#include "core/bus.h"
#include "core/clock-private.h"
#include "core/machine.h"
#include "core/memory.h"
#include "pci/pci.h"
#include "x86/tables.h"

#include <stdint.h>
#include <string.h>

#define RAM_BYTES (2u << 20)
#define MAX_COMMANDS 300

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

typedef struct {
  uint8_t what; /* low 4 bits: command, bits 4-5: log2 of the access size */
  uint8_t where[4];
  uint8_t value[4];
} Command;
G_STATIC_ASSERT (sizeof (Command) == 9);

/* A function with one of everything. */
typedef struct {
  VmmPciDevice pci;
  VmmRam *ram;
} Probe;

static guint64
probe_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  return offset;
}

static const VmmRegionOps probe_ops = {
  .name = "probe",
  .read = probe_read,
};

static gboolean
probe_realize (VmmDevice *dev, GError **error)
{
  static const VmmPciId id = { .vendor = 0x1234, .device = 0x5678, .class_code = 0x030000 };
  Probe *probe = (Probe *) dev;

  if (!vmm_pci_device_init (&probe->pci, 0x08, &id, error))
    return FALSE;
  probe->ram = vmm_ram_new ("probe", 65536, error);
  g_assert (probe->ram != NULL);
  probe->pci.pci.config[0x3d] = 1;
  vmm_pci_device_add_ram_bar (&probe->pci, 0, probe->ram, VMM_PCI_BAR_PREFETCH | VMM_PCI_BAR_64);
  vmm_pci_device_add_bar (&probe->pci, 2, VMM_PCI_BAR_IO, 32, VMM_PCI_BAR_32, &probe_ops, NULL);
  vmm_pci_device_add_bar (&probe->pci, 4, VMM_PCI_BAR_MMIO, 0x4000, VMM_PCI_BAR_64, &probe_ops, NULL);
  vmm_pci_device_add_msix (&probe->pci, 0x98, 4, 0x2000, 0x3000, 64);
  vmm_pci_device_add_msi (&probe->pci, 0x80);
  return TRUE;
}

static void
probe_reset (VmmDevice *dev, VmmResetKind kind)
{
  vmm_pci_device_reset ((VmmPciDevice *) dev);
}

static void
probe_unrealize (VmmDevice *dev)
{
  vmm_pci_device_clear ((VmmPciDevice *) dev);
  vmm_ram_free (((Probe *) dev)->ram);
}

static const VmmDeviceClass probe_class = {
  .name = "probe",
  .bus = VMM_DEVICE_PCI,
  .instance_size = sizeof (Probe),
  .realize = probe_realize,
  .reset = probe_reset,
  .unrealize = probe_unrealize,
};

static uint32_t
get32 (const uint8_t bytes[4])
{
  return (uint32_t) bytes[0] | (uint32_t) bytes[1] << 8 | (uint32_t) bytes[2] << 16 | (uint32_t) bytes[3] << 24;
}

static void
access_bus (VmmMachine *machine, VmmSpace space, guint64 addr, guint size, gboolean is_write, guint64 value)
{
  vmm_bus_access (machine->bus, space, addr, &value, size, is_write);
}

static void
run_command (VmmMachine *machine, const Command *command)
{
  static const guint16 ports[] = { 0xcf8, 0xcfc, 0x510, 0x511, 0x514, 0x518, 0x600, 0x604,
                                   0x608, 0x620, 0x92,  0xb2,  0xcf9, 0x402, 0x80 };
  static const guint8 functions[] = { 0x00, 0xf8, 0x10, 0x08, 0xff };
  guint size = 1u << (command->what >> 4 & 3);
  guint32 where = get32 (command->where), value = get32 (command->value);

  switch (command->what & 15)
    {
    case 0: /* a port that is likely to be there */
    case 1:
      access_bus (machine, VMM_SPACE_PIO, ports[where % G_N_ELEMENTS (ports)] + (where >> 8 & 3), MIN (size, 4),
                  (command->what & 1) != 0, value);
      break;
    case 2: /* any port */
    case 3:
      access_bus (machine, VMM_SPACE_PIO, where & 0xffff, MIN (size, 4), (command->what & 1) != 0, value);
      break;
    case 4: /* configuration space of a function that is there */
    case 5:
      access_bus (machine, VMM_SPACE_PIO, 0xcf8, 4, TRUE,
                  0x80000000u | (guint32) functions[where % G_N_ELEMENTS (functions)] << 8 | (where >> 8 & 0xff));
      access_bus (machine, VMM_SPACE_PIO, 0xcfc + (where >> 16 & 3), MIN (size, 4), (command->what & 1) != 0, value);
      break;
    case 6: /* memory */
    case 7:
      access_bus (machine, VMM_SPACE_MMIO, where, size, (command->what & 1) != 0, value | (guint64) value << 32);
      break;
    case 8: /* RAM */
      vmm_memory_write (machine->memory, where % RAM_BYTES, command->value, sizeof command->value);
      break;
    case 9: /* a fw_cfg descriptor: control and length from here, the address as it lies there */
      {
        guint32 control = GUINT32_TO_BE (value), length = GUINT32_TO_BE (where);

        vmm_memory_write (machine->memory, 0x1000, &control, 4);
        vmm_memory_write (machine->memory, 0x1004, &length, 4);
        access_bus (machine, VMM_SPACE_PIO, 0x518, 4, TRUE, GUINT32_TO_BE (0x1000));
        break;
      }
    case 10:
      vmm_machine_reset_devices (machine, VMM_RESET_WARM);
      break;
    case 11:
      vmm_pm_power_button (vmm_machine_find_class (machine, "pm"));
      break;
    case 12:
      vmm_clock_advance (machine->clock, (gint64) where * 1000);
      break;
    default: /* a vector of the function's, and its wire */
      {
        VmmPciDevice *dev = vmm_pci_bus_get_device (machine->pci_bus, 0x08);

        vmm_device_lock (&dev->base);
        vmm_pci_device_set_intx (dev, value & 1);
        vmm_pci_device_signal (dev, where & 0xff);
        vmm_device_unlock (&dev->base);
      }
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const char *const classes[] = { "fw-cfg", "pci-host", "mch", "pm", "lpc", "isa-stubs", "debugcon" };
  VmmMachine *machine = vmm_machine_new_bare (RAM_BYTES, 2, NULL);
  const guint8 *written;

  for (guint i = 0; i < G_N_ELEMENTS (classes); i++)
    if (vmm_device_new (machine, vmm_device_class_find (classes[i]), classes[i], NULL, NULL) == NULL)
      g_assert_not_reached ();
  if (vmm_device_new (machine, &probe_class, "probe", NULL, NULL) == NULL)
    g_assert_not_reached ();
  vmm_items_install (machine, TRUE);
  vmm_e820_install (machine);
  vmm_smbios_install (machine, NULL);
  vmm_acpi_install (machine);
  vmm_fw_cfg_add_writable_file (machine->fw_cfg, "etc/writable", 4096, &written);
  vmm_machine_reset_devices (machine, VMM_RESET_COLD);
  for (size_t i = 0; i < MAX_COMMANDS && (i + 1) * sizeof (Command) <= size; i++)
    {
      Command command;

      memcpy (&command, data + i * sizeof (Command), sizeof command);
      run_command (machine, &command);
    }
  vmm_machine_free (machine);
  return 0;
}
