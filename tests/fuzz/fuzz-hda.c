/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The HDA controller and its codec under random registers, verbs, buffer lists and time. One input is a list of commands of nine bytes. */
#include "core/bus.h"
#include "core/clock-private.h"
#include "core/machine.h"
#include "core/memory.h"
#include "pci/pci.h"

#include <stdint.h>
#include <string.h>

#define RAM_BYTES (2u << 20)
#define MAX_COMMANDS 100
#define BAR 0xfe000000u
#define DEVFN VMM_PCI_DEVFN (2, 0)

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

typedef struct {
  uint8_t what; /* low 4 bits: command, bits 4-5: log2 of the access size */
  uint8_t where[4];
  uint8_t value[4];
} Command;
G_STATIC_ASSERT (sizeof (Command) == 9);

static uint32_t
get32 (const uint8_t bytes[4])
{
  return (uint32_t) bytes[0] | (uint32_t) bytes[1] << 8 | (uint32_t) bytes[2] << 16 | (uint32_t) bytes[3] << 24;
}

static guint64
mmio (VmmMachine *machine, guint64 offset, guint size, gboolean is_write, guint64 value)
{
  vmm_bus_access (machine->bus, VMM_SPACE_MMIO, BAR + offset, &value, size, is_write);
  return value;
}

static void
run_command (VmmMachine *machine, const Command *command)
{
  guint size = 1u << (command->what >> 4 & 3);
  guint32 where = get32 (command->where), value = get32 (command->value);

  switch (command->what & 15)
    {
    case 0: /* a register of the controller */
    case 1:
      mmio (machine, where % 0x80, size, TRUE, value);
      break;
    case 2: /* a register of a stream */
    case 3:
      mmio (machine, 0x80 + where % 0x100, size, TRUE, value);
      break;
    case 4: /* anywhere */
      mmio (machine, where % 0x4000, size, TRUE, value);
      break;
    case 5:
      mmio (machine, where % 0x4000, size, FALSE, 0);
      break;
    case 6: /* a verb */
    case 7:
      mmio (machine, 0x60, 4, TRUE, value);
      mmio (machine, 0x68, 2, TRUE, 1);
      break;
    case 8: /* RAM */
      vmm_memory_write (machine->memory, where % RAM_BYTES, command->value, sizeof command->value);
      break;
    case 9: /* an entry of a buffer list at 1000 */
    case 10:
      {
        guint32 words[4] = { value % (RAM_BYTES + RAM_BYTES / 16), value >> 31, where % 20000, where >> 31 };

        vmm_memory_write (machine->memory, 0x1000 + (where >> 20) % 8 * 16, words, sizeof words);
        break;
      }
    case 11: /* a stream that is ready to run */
      {
        guint sd = 0x80 + where % 8 * 0x20;

        mmio (machine, sd, 1, TRUE, 0);
        mmio (machine, sd + 0x18, 4, TRUE, 0x1000);
        mmio (machine, sd + 0x1c, 4, TRUE, 0);
        mmio (machine, sd + 0x08, 4, TRUE, value >> 16);
        mmio (machine, sd + 0x0c, 2, TRUE, where >> 8 & 7);
        mmio (machine, sd + 0x12, 2, TRUE, value);
        mmio (machine, sd, 4, TRUE, (where >> 12 & 0xf) << 20 | 0x1e);
        break;
      }
    case 12:
      mmio (machine, 0x08, 4, TRUE, value & 3 ? 1 : 0);
      break;
    case 13:
      if ((value & 7) == 0)
        vmm_machine_reset_devices (machine, VMM_RESET_WARM);
      vmm_pci_bus_config_write (machine->pci_bus, DEVFN, 0x10, 4, BAR);
      vmm_pci_bus_config_write (machine->pci_bus, DEVFN, 0x04, 2, 6);
      break;
    case 14:
      vmm_pci_bus_config_write (machine->pci_bus, DEVFN, where & 0xff, MIN (size, 4), value);
      break;
    default:
      vmm_clock_advance (machine->clock, where % 20000000);
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GHashTable) settings = g_hash_table_new (g_str_hash, g_str_equal);
  VmmMachine *machine = vmm_machine_new_bare (RAM_BYTES, 1, NULL);

  g_hash_table_insert (settings, (gpointer) "backend", (gpointer) "none");
  if (vmm_device_new (machine, vmm_device_class_find ("hda"), "sound0", settings, NULL) == NULL)
    g_assert_not_reached ();
  vmm_machine_reset_devices (machine, VMM_RESET_COLD);
  vmm_pci_bus_config_write (machine->pci_bus, DEVFN, 0x10, 4, BAR);
  vmm_pci_bus_config_write (machine->pci_bus, DEVFN, 0x04, 2, 6);
  mmio (machine, 0x08, 4, TRUE, 1);
  for (size_t i = 0; i < MAX_COMMANDS && (i + 1) * sizeof (Command) <= size; i++)
    {
      Command command;

      memcpy (&command, data + i * sizeof (Command), sizeof command);
      run_command (machine, &command);
    }
  vmm_machine_free (machine);
  return 0;
}
