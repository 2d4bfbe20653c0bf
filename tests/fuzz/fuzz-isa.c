/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Clock, keyboard controller and serial port under random accesses, keys and time. What is saved of them must stay in the ranges that
 * their field tables promise. One input is a list of commands of three bytes. */
#include "core/bus.h"
#include "core/clock-private.h"
#include "core/iothread.h"
#include "core/machine.h"

#include <linux/input-event-codes.h>
#include <stdint.h>
#include <string.h>

#define MAX_COMMANDS 400
#define DAY_NS G_GINT64_CONSTANT (86400000000000)

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
nothing (gpointer data)
{
}

static void
check_fields (VmmDevice *dev)
{
  const guint8 *regs = (const guint8 *) dev + dev->class->regs_offset;

  for (const VmmField *field = dev->class->regs_fields; field != NULL && field->name != NULL; field++)
    for (guint i = 0; field->type == VMM_FIELD_UINT && field->max != 0 && i < field->count; i++)
      {
        guint64 value = 0;

        memcpy (&value, regs + field->offset + i * field->element_size, field->element_size);
        g_assert (value <= field->max);
      }
}

static void
run_command (VmmMachine *machine, const uint8_t command[3])
{
  static const guint16 ports[] = { 0x60,  0x64,  0x70,  0x71,  0x3f8, 0x3f9, 0x3fa, 0x3fb,
                                   0x3fc, 0x3fd, 0x3fe, 0x3ff, 0x2f8, 0x2fc, 0x2fa, 0x2f9 };
  guint8 where = command[1], value = command[2];
  guint32 wide = where | (guint32) value << 8;

  switch (command[0] & 7)
    {
    case 0:
      vmm_bus_access (machine->bus, VMM_SPACE_PIO, ports[where & 15], &wide, where & 0x80 ? 2 : 1, FALSE);
      break;
    case 1:
    case 2:
      vmm_bus_access (machine->bus, VMM_SPACE_PIO, ports[where & 15], &value, 1, TRUE);
      break;
    case 3: /* CMOS register */
      vmm_bus_access (machine->bus, VMM_SPACE_PIO, 0x70, &where, 1, TRUE);
      vmm_bus_access (machine->bus, VMM_SPACE_PIO, 0x71, &value, 1, (command[0] & 0x80) != 0);
      break;
    case 4:
      vmm_machine_key (machine, wide & 0x2ff, command[0] & 0x80);
      break;
    case 5:
      if (command[0] & 0x40)
        vmm_machine_pointer_motion (machine, (gint8) where * 100, (gint8) value * 100);
      else if (command[0] & 0x20)
        vmm_machine_pointer_wheel (machine, (gint8) where * 1000);
      else
        vmm_machine_pointer_button (machine, BTN_MOUSE + (where & 7), command[0] & 0x80);
      break;
    case 6: /* half a microsecond to a day */
      vmm_clock_advance (machine->clock, where & 0x80 ? value * DAY_NS / 256 : (gint64) value << (where & 31));
      break;
    default:
      vmm_machine_reset_devices (machine, value & 1 ? VMM_RESET_WARM : VMM_RESET_COLD);
      break;
    }
  if ((command[0] & 7) == 4 || (command[0] & 7) == 5)
    vmm_iothread_call_sync (machine->iothread, nothing, NULL);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  VmmMachine *machine = vmm_machine_new_bare (2u << 20, 2, NULL);
  g_autoptr (GHashTable) com2 = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GHashTable) start = g_hash_table_new (g_str_hash, g_str_equal);

  g_hash_table_insert (com2, (gpointer) "port", (gpointer) "com2");
  g_hash_table_insert (start, (gpointer) "start", (gpointer) "1709251198");
  if (vmm_device_new (machine, vmm_device_class_find ("rtc"), "rtc", start, NULL) == NULL
      || vmm_device_new (machine, vmm_device_class_find ("i8042"), "i8042", NULL, NULL) == NULL
      || vmm_device_new (machine, vmm_device_class_find ("serial"), "serial0", NULL, NULL) == NULL
      || vmm_device_new (machine, vmm_device_class_find ("serial"), "serial1", com2, NULL) == NULL)
    g_assert_not_reached ();
  vmm_machine_reset_devices (machine, VMM_RESET_COLD);
  for (size_t i = 0; i < MAX_COMMANDS && (i + 1) * 3 <= size; i++)
    {
      run_command (machine, data + 3 * i);
      for (guint d = 0; d < machine->devices->len; d++)
        check_fields (machine->devices->pdata[d]);
    }
  vmm_machine_free (machine);
  return 0;
}
