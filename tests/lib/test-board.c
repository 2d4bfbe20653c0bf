/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "test-board.h"

#include "core/clock-private.h"
#include "core/irq-private.h"
#include "pci/pci.h"

#define TB_RAM_BYTES (64u << 20)

TestBoard *
test_board_new (void)
{
  TestBoard *board = g_new0 (TestBoard, 1);
  g_autoptr (GError) error = NULL;

  board->machine = vmm_machine_new_bare (TB_RAM_BYTES, 1, &error);
  g_assert_no_error (error);
  return board;
}

void
test_board_free (TestBoard *board)
{
  vmm_machine_free (board->machine);
  g_free (board);
}

VmmDevice *
test_board_add (TestBoard *board, const char *class_name, const char *id, ...)
{
  const VmmDeviceClass *class = vmm_device_class_find (class_name);
  g_autoptr (GHashTable) settings = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr (GError) error = NULL;
  VmmDevice *dev;
  va_list args;

  g_assert_nonnull (class);
  va_start (args, id);
  for (const char *key; (key = va_arg (args, const char *)) != NULL;)
    g_hash_table_insert (settings, g_strdup (key), g_strdup (va_arg (args, const char *)));
  va_end (args);
  dev = vmm_device_new (board->machine, class, id, settings, &error);
  g_assert_no_error (error);
  vmm_device_lock (dev);
  if (class->reset != NULL)
    class->reset (dev, VMM_RESET_COLD);
  vmm_device_unlock (dev);
  return dev;
}

void
test_board_reset (TestBoard *board, VmmResetKind kind)
{
  vmm_machine_reset_devices (board->machine, kind);
}

static guint64
tb_read (TestBoard *board, VmmSpace space, guint64 addr, guint size)
{
  guint64 value = 0;

  vmm_bus_access (board->machine->bus, space, addr, &value, size, FALSE);
  return GUINT64_FROM_LE (value);
}

static void
tb_write (TestBoard *board, VmmSpace space, guint64 addr, guint size, guint64 value)
{
  guint64 raw = GUINT64_TO_LE (value);

  vmm_bus_access (board->machine->bus, space, addr, &raw, size, TRUE);
}

guint8
test_inb (TestBoard *board, guint16 port)
{
  return (guint8) tb_read (board, VMM_SPACE_PIO, port, 1);
}

guint16
test_inw (TestBoard *board, guint16 port)
{
  return (guint16) tb_read (board, VMM_SPACE_PIO, port, 2);
}

guint32
test_inl (TestBoard *board, guint16 port)
{
  return (guint32) tb_read (board, VMM_SPACE_PIO, port, 4);
}

void
test_outb (TestBoard *board, guint16 port, guint8 value)
{
  tb_write (board, VMM_SPACE_PIO, port, 1, value);
}

void
test_outw (TestBoard *board, guint16 port, guint16 value)
{
  tb_write (board, VMM_SPACE_PIO, port, 2, value);
}

void
test_outl (TestBoard *board, guint16 port, guint32 value)
{
  tb_write (board, VMM_SPACE_PIO, port, 4, value);
}

guint64
test_read (TestBoard *board, guint64 gpa, guint size)
{
  return tb_read (board, VMM_SPACE_MMIO, gpa, size);
}

void
test_write (TestBoard *board, guint64 gpa, guint size, guint64 value)
{
  tb_write (board, VMM_SPACE_MMIO, gpa, size, value);
}

void
test_ram_read (TestBoard *board, guint64 gpa, gpointer buf, gsize len)
{
  g_assert_true (vmm_memory_read (board->machine->memory, gpa, buf, len));
}

void
test_ram_write (TestBoard *board, guint64 gpa, gconstpointer buf, gsize len)
{
  g_assert_true (vmm_memory_write (board->machine->memory, gpa, buf, len));
}

gboolean
test_irq_level (TestBoard *board, guint gsi)
{
  return vmm_irq_get_level (board->machine->irq, gsi);
}

guint
test_irq_rises (TestBoard *board, guint gsi)
{
  return vmm_irq_get_rises (board->machine->irq, gsi);
}

guint
test_msi_count (TestBoard *board)
{
  return vmm_irq_get_msis (board->machine->irq, 0, NULL);
}

TestMsi
test_msi_get (TestBoard *board, guint index)
{
  VmmIrqMsi msi = { 0 };

  g_assert_cmpuint (index, <, vmm_irq_get_msis (board->machine->irq, index, &msi));
  return (TestMsi) { msi.address, msi.data };
}

void
test_advance_ns (TestBoard *board, gint64 ns)
{
  vmm_clock_advance (board->machine->clock, ns);
}

static void
tb_nothing (gpointer data)
{
}

void
test_board_settle (TestBoard *board)
{
  vmm_iothread_call_sync (board->machine->iothread, tb_nothing, NULL);
}

guint32
test_pci_read (TestBoard *board, guint devfn, guint offset, guint size)
{
  return vmm_pci_bus_config_read (board->machine->pci_bus, devfn, offset, size);
}

void
test_pci_write (TestBoard *board, guint devfn, guint offset, guint size, guint32 value)
{
  vmm_pci_bus_config_write (board->machine->pci_bus, devfn, offset, size, value);
}
