/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: PCI Local Bus 3.0 §6; what OVMF, SeaBIOS and Linux do to configuration space; the routing that QEMU's q35 has. */
#include "core/memory-private.h"
#include "pci/pci.h"
#include "test-board.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HOST_BRIDGE 0x00
#define LPC 0xf8

/* A device with one of everything. */
typedef struct {
  VmmPciDevice pci;
  VmmRam *ram;
  guint64 last_write, last_offset;
} Probe;

static guint64
probe_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  return 0x1122334455667700 | offset;
}

static void
probe_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  ((Probe *) dev)->last_offset = offset;
  ((Probe *) dev)->last_write = value;
}

static const VmmRegionOps probe_ops = {
  .name = "probe",
  .read = probe_read,
  .write = probe_write,
};

static const char *probe_rom_path;
static int probe_devfn = -1;

static gboolean
probe_realize (VmmDevice *dev, GError **error)
{
  static const VmmPciId id = { .vendor = 0x1234, .device = 0x5678, .revision = 3, .class_code = 0x0300ff };
  Probe *probe = (Probe *) dev;

  if (!vmm_pci_device_init (&probe->pci, probe_devfn, &id, error))
    return FALSE;
  probe->pci.pci.config[0x3d] = 1;
  vmm_pci_device_add_bar (&probe->pci, 0, VMM_PCI_BAR_IO, 16, VMM_PCI_BAR_32, &probe_ops, NULL);
  vmm_pci_device_add_bar (&probe->pci, 1, VMM_PCI_BAR_MMIO, 0x4000, VMM_PCI_BAR_32, &probe_ops, NULL);
  probe->ram = vmm_ram_new ("probe", 1 << 20, error);
  g_assert_nonnull (probe->ram);
  vmm_pci_device_add_ram_bar (&probe->pci, 2, probe->ram, VMM_PCI_BAR_PREFETCH);
  vmm_pci_device_add_bar (&probe->pci, 4, VMM_PCI_BAR_MMIO, 0x1000, VMM_PCI_BAR_64, &probe_ops, NULL);
  vmm_pci_device_add_msix (&probe->pci, 0x98, 1, 0x2000, 0x3000, 4);
  vmm_pci_device_add_msi (&probe->pci, 0x80);
  if (probe_rom_path != NULL && !vmm_pci_device_add_rom (&probe->pci, probe_rom_path, error))
    {
      vmm_pci_device_clear (&probe->pci);
      vmm_ram_free (probe->ram);
      return FALSE;
    }
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

static VmmPciDevice *
add_probe (TestBoard *board, const char *id)
{
  g_autoptr (GError) error = NULL;
  VmmDevice *dev = vmm_device_new (board->machine, &probe_class, id, NULL, &error);

  g_assert_no_error (error);
  vmm_device_lock (dev);
  probe_reset (dev, VMM_RESET_COLD);
  vmm_device_unlock (dev);
  return (VmmPciDevice *) dev;
}

static void
set_intx (VmmPciDevice *dev, gboolean level)
{
  vmm_device_lock (&dev->base);
  vmm_pci_device_set_intx (dev, level);
  vmm_device_unlock (&dev->base);
}

static void
signal_vector (VmmPciDevice *dev, guint vector)
{
  vmm_device_lock (&dev->base);
  vmm_pci_device_signal (dev, vector);
  vmm_device_unlock (&dev->base);
}

static guint32
cf8_read (TestBoard *board, guint devfn, guint offset)
{
  test_outl (board, 0xcf8, 0x80000000u | devfn << 8 | (offset & ~3u));
  return test_inl (board, 0xcfc);
}

static void
test_header (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  VmmPciDevice *dev = add_probe (board, "p");

  g_assert_cmphex (dev->devfn, ==, 2 << 3);
  g_assert_cmphex (test_pci_read (board, dev->devfn, 0, 4), ==, 0x56781234);
  g_assert_cmphex (test_pci_read (board, dev->devfn, 8, 4), ==, 0x0300ff03);
  g_assert_cmphex (test_pci_read (board, dev->devfn, 0x2c, 4), ==, 0x11001af4);
  g_assert_cmphex (test_pci_read (board, dev->devfn, 0x0e, 1), ==, 0);
  /* Read-only. */
  test_pci_write (board, dev->devfn, 0, 4, 0);
  test_pci_write (board, dev->devfn, 0x2c, 4, 0);
  test_pci_write (board, dev->devfn, 0x3d, 1, 4);
  g_assert_cmphex (test_pci_read (board, dev->devfn, 0, 4), ==, 0x56781234);
  g_assert_cmphex (test_pci_read (board, dev->devfn, 0x2c, 4), ==, 0x11001af4);
  g_assert_cmphex (test_pci_read (board, dev->devfn, 0x3d, 1), ==, 1);
  /* Writable. */
  test_pci_write (board, dev->devfn, 0x3c, 1, 11);
  g_assert_cmphex (test_pci_read (board, dev->devfn, 0x3c, 1), ==, 11);
  /* Each capability once, in the order of adding. */
  g_assert_cmphex (test_pci_read (board, dev->devfn, 0x34, 1), ==, 0x98);
  g_assert_cmphex (test_pci_read (board, dev->devfn, 0x98, 2), ==, 0x8011);
  g_assert_cmphex (test_pci_read (board, dev->devfn, 0x80, 2), ==, 0x0005);
}

/* OVMF writes 27 and 10 and reads back to learn which bits exist. */
static void
test_command_bits (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  VmmPciDevice *dev = add_probe (board, "p");

  test_pci_write (board, dev->devfn, 4, 2, 0x27);
  g_assert_cmphex (test_pci_read (board, dev->devfn, 4, 2), ==, 0x07);
  test_pci_write (board, dev->devfn, 4, 2, 0xffff);
  g_assert_cmphex (test_pci_read (board, dev->devfn, 4, 2), ==, 0x0507);
  g_assert_cmphex (test_pci_read (board, dev->devfn, 6, 2), ==, 0x0010);
}

static void
test_absent (void)
{
  g_autoptr (TestBoard) board = test_board_new ();

  test_board_add (board, "pci-host", "pci-host", NULL);
  for (guint offset = 0; offset < 0x100; offset += 4)
    g_assert_cmphex (cf8_read (board, 5 << 3, offset), ==, 0xffffffff);
  g_assert_cmphex (test_pci_read (board, 5 << 3, 0, 2), ==, 0xffff);
  g_assert_cmphex (test_pci_read (board, 5 << 3, 0x400, 4), ==, 0xffffffff);
}

static void
test_mechanism_1 (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  VmmPciDevice *dev;

  test_board_add (board, "pci-host", "pci-host", NULL);
  dev = add_probe (board, "p");
  /* Linux: byte writes to CFB are nothing, the register reads back. */
  test_outb (board, 0xcfb, 0x01);
  test_outl (board, 0xcf8, 0x80000000);
  g_assert_cmphex (test_inl (board, 0xcf8), ==, 0x80000000);
  g_assert_cmphex (cf8_read (board, dev->devfn, 0), ==, 0x56781234);
  g_assert_cmphex (test_inw (board, 0xcfe), ==, 0x5678);
  g_assert_cmphex (test_inb (board, 0xcfd), ==, 0x12);
  /* Without the enable bit nothing answers. */
  test_outl (board, 0xcf8, (guint32) dev->devfn << 8);
  g_assert_cmphex (test_inl (board, 0xcfc), ==, 0xffffffff);
  /* Another bus. */
  test_outl (board, 0xcf8, 0x80010000u | (guint32) dev->devfn << 8);
  g_assert_cmphex (test_inl (board, 0xcfc), ==, 0xffffffff);
  /* A byte in the middle. */
  test_outl (board, 0xcf8, 0x80000000u | (guint32) dev->devfn << 8 | 0x3c);
  test_outb (board, 0xcfc, 0x0a);
  g_assert_cmphex (test_inl (board, 0xcfc), ==, 0x0000010a);
}

static void
test_reset_register (void)
{
  g_autoptr (TestBoard) board = test_board_new ();

  test_board_add (board, "pci-host", "pci-host", NULL);
  test_outl (board, 0xcf8, 0x8000f844);
  test_outb (board, 0xcf9, 0x02);
  g_assert_cmphex (test_inb (board, 0xcf9), ==, 0x02);
  g_assert_cmphex (test_inl (board, 0xcf8), ==, 0x8000f844);
  test_outl (board, 0xcf8, 0x80000000);
  g_assert_cmphex (test_inb (board, 0xcf9), ==, 0x02);
  /* Neighbours do not reach it. */
  test_outb (board, 0xcf8, 0xff);
  test_outw (board, 0xcf8, 0xffff);
  test_outb (board, 0xcfa, 0xff);
  g_assert_cmphex (test_inb (board, 0xcf9), ==, 0x02);
  g_assert_cmphex (test_inl (board, 0xcf8), ==, 0x80000000);
}

static void
test_ecam (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  VmmPciDevice *dev;
  guint64 base, size;

  test_board_add (board, "pci-host", "pci-host", NULL);
  test_board_add (board, "mch", "mch", NULL);
  dev = add_probe (board, "p");
  g_assert_cmphex (test_read (board, 0xb0000000 + ((guint64) dev->devfn << 12), 4), ==, 0xffffffff);
  /* As SeaBIOS does. */
  test_pci_write (board, HOST_BRIDGE, 0x60, 4, 0);
  test_pci_write (board, HOST_BRIDGE, 0x64, 4, 0);
  test_pci_write (board, HOST_BRIDGE, 0x60, 4, 0xb0000001);
  g_assert_cmphex (test_read (board, 0xb0000000 + ((guint64) dev->devfn << 12), 4), ==, 0x56781234);
  g_assert_cmphex (test_read (board, 0xb0000002 + ((guint64) dev->devfn << 12), 2), ==, 0x5678);
  g_assert_cmphex (test_read (board, 0xb0000000 + ((guint64) dev->devfn << 12), 8), ==, 0x0010000056781234);
  g_assert_cmphex (test_read (board, 0xb0000100 + ((guint64) dev->devfn << 12), 4), ==, 0);
  g_assert_cmphex (test_read (board, 0xb0100000, 4), ==, 0xffffffff);
  test_write (board, 0xb000003c + ((guint64) dev->devfn << 12), 1, 7);
  g_assert_cmphex (test_pci_read (board, dev->devfn, 0x3c, 1), ==, 7);
  /* As OVMF does: it moves. */
  test_pci_write (board, HOST_BRIDGE, 0x60, 4, 0xe0000001);
  g_assert_cmphex (test_read (board, 0xb0000000 + ((guint64) dev->devfn << 12), 4), ==, 0xffffffff);
  g_assert_cmphex (test_read (board, 0xe0000000 + ((guint64) dev->devfn << 12), 4), ==, 0x56781234);
  vmm_pci_bus_get_ecam (board->machine->pci_bus, &base, &size);
  g_assert_cmphex (base, ==, 0xe0000000);
  g_assert_cmphex (size, ==, 256 << 20);
  /* 64 MiB. */
  test_pci_write (board, HOST_BRIDGE, 0x60, 4, 0xe4000005);
  g_assert_cmphex (test_read (board, 0xe4000000 + ((guint64) dev->devfn << 12), 4), ==, 0x56781234);
  g_assert_cmphex (test_read (board, 0xe0000000 + ((guint64) dev->devfn << 12), 4), ==, 0xffffffff);
  test_board_reset (board, VMM_RESET_WARM);
  g_assert_cmphex (test_read (board, 0xe4000000 + ((guint64) dev->devfn << 12), 4), ==, 0xffffffff);
  g_assert_cmphex (test_pci_read (board, HOST_BRIDGE, 0x60, 4), ==, 0xb0000000);
}

static void
test_bar_sizing (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  VmmPciDevice *dev = add_probe (board, "p");
  static const guint32 expected[6] = { 0xfffffff1, 0xffffc000, 0xfff00008, 0, 0xfffff004, 0xffffffff };

  for (guint i = 0; i < 6; i++)
    {
      test_pci_write (board, dev->devfn, 0x10 + 4 * i, 4, 0xffffffff);
      g_assert_cmphex (test_pci_read (board, dev->devfn, 0x10 + 4 * i, 4), ==, expected[i]);
    }
}

static void
test_bar_decoding (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  VmmPciDevice *dev = add_probe (board, "p");

  test_pci_write (board, dev->devfn, 0x10, 4, 0xc000);
  test_pci_write (board, dev->devfn, 0x14, 4, 0xfe000000);
  g_assert_cmphex (test_inb (board, 0xc005), ==, 0xff);
  test_pci_write (board, dev->devfn, 4, 2, 1);
  g_assert_cmphex (test_inb (board, 0xc005), ==, 0x05);
  g_assert_cmphex (test_read (board, 0xfe000010, 1), ==, 0xff);
  test_pci_write (board, dev->devfn, 4, 2, 2);
  g_assert_cmphex (test_inb (board, 0xc005), ==, 0xff);
  g_assert_cmphex (test_read (board, 0xfe000010, 8), ==, 0x1122334455667710);
  /* Moved while decoding is on, one byte at a time. */
  test_pci_write (board, dev->devfn, 0x17, 1, 0xfd);
  g_assert_cmphex (test_read (board, 0xfe000010, 1), ==, 0xff);
  g_assert_cmphex (test_read (board, 0xfd000010, 1), ==, 0x10);
  /* Sized with decoding on: nowhere, and back. */
  test_pci_write (board, dev->devfn, 0x14, 4, 0xffffffff);
  g_assert_cmphex (test_read (board, 0xffffc000, 1), ==, 0xff);
  test_pci_write (board, dev->devfn, 0x14, 4, 0xfd000000);
  g_assert_cmphex (test_read (board, 0xfd000010, 1), ==, 0x10);
  /* Zero is nowhere. */
  test_pci_write (board, dev->devfn, 0x14, 4, 0);
  g_assert_cmphex (test_read (board, 0x10, 1), ==, 0xff);
  test_board_reset (board, VMM_RESET_WARM);
  g_assert_cmphex (test_pci_read (board, dev->devfn, 0x14, 4), ==, 0);
  g_assert_cmphex (test_pci_read (board, dev->devfn, 4, 2), ==, 0);
}

static void
test_bar_64 (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  VmmPciDevice *dev = add_probe (board, "p");

  test_pci_write (board, dev->devfn, 4, 2, 2);
  test_pci_write (board, dev->devfn, 0x20, 4, 0x00001000);
  test_pci_write (board, dev->devfn, 0x24, 4, 0x000000c0);
  g_assert_cmphex (test_pci_read (board, dev->devfn, 0x20, 4), ==, 0x00001004);
  g_assert_cmphex (test_read (board, 0xc000001020, 1), ==, 0x20);
  g_assert_cmphex (test_read (board, 0x1020, 1), ==, 0xff);
  test_pci_write (board, dev->devfn, 0x20, 4, 0xffffffff);
  test_pci_write (board, dev->devfn, 0x24, 4, 0xffffffff);
  g_assert_cmphex (test_read (board, 0xfffffffffffff020, 1), ==, 0xff);
}

static gboolean
has_slot (TestBoard *board, guint64 gpa, VmmRam *ram)
{
  VmmRam *found;
  guint64 base;
  gsize offset;
  VmmSlotFlags flags;

  return vmm_memory_find_slot (board->machine->memory, gpa, &base, &found, &offset, &flags) != NULL && found == ram && base == gpa;
}

static void
test_ram_bar (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  VmmPciDevice *dev = add_probe (board, "p"), *other = add_probe (board, "q");
  VmmRam *ram = ((Probe *) dev)->ram;
  static const guint64 refused[] = { 0x01000000, 0x000c0000 & ~0xfffffu, 0xfee00000, 0xfff00000, 0xfec00000 };

  g_assert_null (vmm_pci_device_get_bar_slot (dev, 2));
  test_pci_write (board, dev->devfn, 4, 2, 2);
  test_pci_write (board, dev->devfn, 0x18, 4, 0xd0000000);
  g_assert_true (has_slot (board, 0xd0000000, ram));
  g_assert_nonnull (vmm_pci_device_get_bar_slot (dev, 2));
  /* Over RAM, the interrupt controllers and the ROM: refused, and possible again elsewhere. */
  for (guint i = 0; i < G_N_ELEMENTS (refused); i++)
    {
      test_pci_write (board, dev->devfn, 0x18, 4, (guint32) refused[i]);
      g_assert_null (vmm_pci_device_get_bar_slot (dev, 2));
      test_pci_write (board, dev->devfn, 0x18, 4, 0xd0000000);
      g_assert_true (has_slot (board, 0xd0000000, ram));
    }
  /* Two functions at one place: the first keeps it. */
  test_pci_write (board, other->devfn, 4, 2, 2);
  test_pci_write (board, other->devfn, 0x18, 4, 0xd0000000);
  g_assert_null (vmm_pci_device_get_bar_slot (other, 2));
  g_assert_true (has_slot (board, 0xd0000000, ram));
  test_pci_write (board, dev->devfn, 4, 2, 0);
  g_assert_null (vmm_pci_device_get_bar_slot (dev, 2));
  test_pci_write (board, other->devfn, 0x18, 4, 0xd0100000);
  g_assert_nonnull (vmm_pci_device_get_bar_slot (other, 2));
}

static void
test_intx_routing (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  VmmPciDevice *dev, *other;

  test_board_add (board, "lpc", "lpc", NULL);
  dev = add_probe (board, "p");   /* slot 2, INTA: E + 2 = G: GSI 22 */
  other = add_probe (board, "q"); /* slot 3, INTA: H: GSI 23 */
  set_intx (dev, TRUE);
  g_assert_true (test_irq_level (board, 22));
  g_assert_false (test_irq_level (board, 23));
  g_assert_cmphex (test_pci_read (board, dev->devfn, 6, 2), ==, 0x0018);
  /* The LPC bridge sends G to ISA interrupt 11 while it is up; H shares it. */
  test_pci_write (board, LPC, 0x6a, 1, 11);
  test_pci_write (board, LPC, 0x6b, 1, 11);
  g_assert_true (test_irq_level (board, 11));
  set_intx (other, TRUE);
  set_intx (dev, FALSE);
  g_assert_false (test_irq_level (board, 22));
  g_assert_true (test_irq_level (board, 11));
  set_intx (other, FALSE);
  g_assert_false (test_irq_level (board, 11));
  g_assert_cmpuint (test_irq_rises (board, 11), ==, 1);
  /* Moved while up. */
  set_intx (dev, TRUE);
  test_pci_write (board, LPC, 0x6a, 1, 10);
  g_assert_false (test_irq_level (board, 11));
  g_assert_true (test_irq_level (board, 10));
  test_pci_write (board, LPC, 0x6a, 1, 0x8a);
  g_assert_false (test_irq_level (board, 10));
  g_assert_true (test_irq_level (board, 22));
  test_board_reset (board, VMM_RESET_WARM);
  g_assert_false (test_irq_level (board, 22));
}

/* The operating system learns the same routing from the _PRT. */
static void
test_intx_as_in_the_dsdt (void)
{
  g_autofree char *path = g_test_build_filename (G_TEST_DIST, "..", "..", "vmm", "x86", "dsdt.asl", NULL);
  g_autofree char *source = NULL;
  guint n = 0;

  if (!g_file_get_contents (path, &source, NULL, NULL))
    {
      g_test_skip ("the source of the DSDT is not here (G_TEST_SRCDIR)");
      return;
    }
  for (const char *at = strstr (source, "Name (PRTA"); (at = strstr (at, "Package () { 0x")) != NULL; at++)
    {
      guint slot, pin;
      char link;

      g_assert_cmpint (sscanf (at, "Package () { 0x%4xFFFF, %u, GSI%c, 0 }", &slot, &pin, &link), ==, 3);
      g_assert_cmpuint (slot, <, 32);
      g_assert_cmpuint (pin, <, 4);
      {
        g_autoptr (TestBoard) board = test_board_new ();
        VmmPciDevice *dev;

        probe_devfn = (int) (slot << 3);
        dev = add_probe (board, "p");
        probe_devfn = -1;
        dev->pci.config[0x3d] = (guint8) (pin + 1);
        set_intx (dev, TRUE);
        for (guint gsi = 16; gsi < 24; gsi++)
          g_assert_cmpint (test_irq_level (board, gsi), ==, gsi == 16u + (guint) (link - 'A'));
      }
      n++;
    }
  g_assert_cmpuint (n, ==, 128);
}

static void
test_intx_shared (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  VmmPciDevice *devs[5];

  for (guint i = 0; i < 5; i++)
    {
      g_autofree char *id = g_strdup_printf ("p%u", i);

      devs[i] = add_probe (board, id);
    }
  /* Slots 2 and 6 both have G. */
  set_intx (devs[0], TRUE);
  set_intx (devs[4], TRUE);
  set_intx (devs[0], FALSE);
  g_assert_true (test_irq_level (board, 22));
  set_intx (devs[4], FALSE);
  g_assert_false (test_irq_level (board, 22));
  g_assert_cmpuint (test_irq_rises (board, 22), ==, 1);
}

static void
test_intx_disable (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  VmmPciDevice *dev = add_probe (board, "p");

  test_pci_write (board, dev->devfn, 4, 2, 0x400);
  set_intx (dev, TRUE);
  g_assert_false (test_irq_level (board, 22));
  g_assert_cmphex (test_pci_read (board, dev->devfn, 6, 2) & 8, ==, 8);
  test_pci_write (board, dev->devfn, 4, 2, 0);
  g_assert_true (test_irq_level (board, 22));
  /* A function that uses messages does not use the wire. */
  test_pci_write (board, dev->devfn, 0x82, 2, 1);
  g_assert_false (test_irq_level (board, 22));
}

static void
test_msi (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  VmmPciDevice *dev = add_probe (board, "p");

  g_assert_cmphex (test_pci_read (board, dev->devfn, 0x82, 2), ==, 0x0080);
  test_pci_write (board, dev->devfn, 0x84, 4, 0xfee01003);
  g_assert_cmphex (test_pci_read (board, dev->devfn, 0x84, 4), ==, 0xfee01000);
  test_pci_write (board, dev->devfn, 0x88, 4, 0x1);
  test_pci_write (board, dev->devfn, 0x8c, 2, 0x4031);
  test_pci_write (board, dev->devfn, 0x82, 2, 0x0001);
  g_assert_true (vmm_pci_device_msi_enabled (dev));
  signal_vector (dev, 0);
  g_assert_cmpuint (test_msi_count (board), ==, 0); /* no bus mastering */
  test_pci_write (board, dev->devfn, 4, 2, 4);
  signal_vector (dev, 0);
  signal_vector (dev, 1);
  g_assert_cmpuint (test_msi_count (board), ==, 1);
  g_assert_cmphex (test_msi_get (board, 0).address, ==, 0x1fee01000);
  g_assert_cmphex (test_msi_get (board, 0).data, ==, 0x4031);
}

#define TABLE 0xfe002000
#define PBA 0xfe003000

static VmmPciDevice *
add_msix_probe (TestBoard *board)
{
  VmmPciDevice *dev = add_probe (board, "p");

  test_pci_write (board, dev->devfn, 0x14, 4, 0xfe000000);
  test_pci_write (board, dev->devfn, 4, 2, 6);
  for (guint i = 0; i < 4; i++)
    {
      test_write (board, TABLE + 16 * i, 8, 0xfee00000 + 0x1000 * i);
      test_write (board, TABLE + 16 * i + 8, 4, 0x40 + i);
    }
  return dev;
}

static void
test_msix_table (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  VmmPciDevice *dev = add_msix_probe (board);

  g_assert_cmphex (test_pci_read (board, dev->devfn, 0x9a, 2), ==, 3); /* vectors - 1 */
  g_assert_cmphex (test_pci_read (board, dev->devfn, 0x9c, 4), ==, 0x2001);
  g_assert_cmphex (test_pci_read (board, dev->devfn, 0xa0, 4), ==, 0x3001);
  for (guint i = 0; i < 4; i++)
    g_assert_cmphex (test_read (board, TABLE + 16 * i + 12, 4), ==, 1); /* masked after reset */
  g_assert_cmphex (test_read (board, TABLE + 16, 4), ==, 0xfee01000);
  g_assert_cmphex (test_read (board, TABLE + 24, 4), ==, 0x41);
  /* Beside the table the device's own registers. */
  g_assert_cmphex (test_read (board, 0xfe001ff0, 1), ==, 0xf0);
  /* Reserved bits of the last word. */
  test_write (board, TABLE + 12, 4, 0xfffffffe);
  g_assert_cmphex (test_read (board, TABLE + 12, 4), ==, 0);
  /* The pending bits are read-only. */
  test_write (board, PBA, 8, ~G_GUINT64_CONSTANT (0));
  g_assert_cmphex (test_read (board, PBA, 8), ==, 0);
}

static void
test_msix_delivery (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  VmmPciDevice *dev = add_msix_probe (board);

  test_write (board, TABLE + 32 + 12, 4, 0);
  signal_vector (dev, 2);
  g_assert_cmpuint (test_msi_count (board), ==, 0); /* not enabled */
  test_pci_write (board, dev->devfn, 0x9a, 2, 0x8000);
  signal_vector (dev, 2);
  g_assert_cmpuint (test_msi_count (board), ==, 1);
  g_assert_cmphex (test_msi_get (board, 0).address, ==, 0xfee02000);
  g_assert_cmphex (test_msi_get (board, 0).data, ==, 0x42);
  signal_vector (dev, 4); /* no such vector */
  signal_vector (dev, 0xffff);
  g_assert_cmpuint (test_msi_count (board), ==, 1);
}

static void
test_msix_pending (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  VmmPciDevice *dev = add_msix_probe (board);

  test_pci_write (board, dev->devfn, 0x9a, 2, 0x8000);
  signal_vector (dev, 1);
  signal_vector (dev, 1);
  signal_vector (dev, 3);
  g_assert_cmpuint (test_msi_count (board), ==, 0);
  g_assert_cmphex (test_read (board, PBA, 8), ==, 0x0a);
  /* Unmasked one by one; latched once. */
  test_write (board, TABLE + 16 + 12, 4, 0);
  g_assert_cmpuint (test_msi_count (board), ==, 1);
  g_assert_cmphex (test_msi_get (board, 0).data, ==, 0x41);
  g_assert_cmphex (test_read (board, PBA, 8), ==, 0x08);
  /* The function's mask holds all of them. */
  test_pci_write (board, dev->devfn, 0x9a, 2, 0xc000);
  test_write (board, TABLE + 48 + 12, 4, 0);
  signal_vector (dev, 1);
  g_assert_cmpuint (test_msi_count (board), ==, 1);
  g_assert_cmphex (test_read (board, PBA, 4), ==, 0x0a);
  test_pci_write (board, dev->devfn, 0x9a, 2, 0x8000);
  g_assert_cmpuint (test_msi_count (board), ==, 3);
  g_assert_cmphex (test_read (board, PBA, 8), ==, 0);
}

static void
test_dma (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  VmmPciDevice *dev = add_probe (board, "p");
  guint32 value = 0x12345678;

  g_assert_false (vmm_pci_dma_write (dev, 0x1000, &value, 4));
  g_assert_null (vmm_pci_dma_map (dev, 0x1000, 4));
  test_pci_write (board, dev->devfn, 4, 2, 4);
  g_assert_true (vmm_pci_dma_write (dev, 0x1000, &value, 4));
  value = 0;
  g_assert_true (vmm_pci_dma_read (dev, 0x1000, &value, 4));
  g_assert_cmphex (value, ==, 0x12345678);
  g_assert_false (vmm_pci_dma_read (dev, G_MAXUINT64 - 1, &value, 4));
}

static void
test_places (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autoptr (GError) error = NULL;

  for (guint i = 2; i < 32; i++)
    {
      g_autofree char *id = g_strdup_printf ("p%u", i);

      g_assert_cmphex (add_probe (board, id)->devfn, ==, i << 3);
    }
  g_assert_null (vmm_device_new (board->machine, &probe_class, "too-many", NULL, &error));
  g_assert_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG);
}

/* Two images as in efi-virtio.rom: one for a BIOS, one for UEFI. */
static char *
make_rom (guint16 vendor, guint16 device)
{
  g_autofree guint8 *rom = g_malloc0 (1536);
  char *path = g_build_filename (g_get_tmp_dir (), "lodge-test-rom-XXXXXX", NULL);
  guint8 sum = 0;
  int fd = g_mkstemp (path);

  for (guint image = 0; image < 2; image++)
    {
      guint8 *at = rom + image * 512;

      at[0] = 0x55;
      at[1] = 0xaa;
      at[2] = image == 0 ? 1 : 2;
      at[0x18] = 0x40;
      memcpy (at + 0x40, "PCIR", 4);
      at[0x44] = (guint8) vendor;
      at[0x45] = (guint8) (vendor >> 8);
      at[0x46] = (guint8) device;
      at[0x47] = (guint8) (device >> 8);
      at[0x50] = image == 0 ? 1 : 2;
      at[0x54] = image == 0 ? 0 : 3;
      at[0x55] = image == 0 ? 0 : 0x80;
    }
  for (guint i = 0; i < 512; i++)
    sum = (guint8) (sum + rom[i]);
  rom[6] = (guint8) -sum;
  g_assert_cmpint (write (fd, rom, 1536), ==, 1536);
  close (fd);
  return path;
}

static void
test_rom (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree char *path = make_rom (0x1af4, 0x1041);
  VmmPciDevice *dev;
  guint8 sum = 0;

  probe_rom_path = path;
  dev = add_probe (board, "p");
  probe_rom_path = NULL;
  g_unlink (path);
  test_pci_write (board, dev->devfn, 0x30, 4, 0xfffff800); /* SeaBIOS */
  g_assert_cmphex (test_pci_read (board, dev->devfn, 0x30, 4), ==, 0xfffff000);
  test_pci_write (board, dev->devfn, 0x30, 4, 0xfffffffe); /* OVMF */
  g_assert_cmphex (test_pci_read (board, dev->devfn, 0x30, 4), ==, 0xfffff000);
  test_pci_write (board, dev->devfn, 0x30, 4, 0xfe000001);
  g_assert_null (vmm_pci_device_get_bar_slot (dev, 6));
  test_pci_write (board, dev->devfn, 4, 2, 2);
  g_assert_true (has_slot (board, 0xfe000000, dev->rom));
  test_pci_write (board, dev->devfn, 0x30, 4, 0xfe000000);
  g_assert_null (vmm_pci_device_get_bar_slot (dev, 6));
  /* Both images carry the function's ID now, and the first still sums to 0. */
  g_assert_cmpmem (dev->rom->host + 0x44, 4, "\x34\x12\x78\x56", 4);
  g_assert_cmpmem (dev->rom->host + 512 + 0x44, 4, "\x34\x12\x78\x56", 4);
  for (guint i = 0; i < 512; i++)
    sum = (guint8) (sum + dev->rom->host[i]);
  g_assert_cmpuint (sum, ==, 0);
}

static void
test_rom_refused (void)
{
  static const char *const contents[] = { "", "U\xaa", "hello, this is not a ROM, but long enough to have a header" };
  g_autofree char *path = g_build_filename (g_get_tmp_dir (), "lodge-test-rom-bad", NULL);

  for (guint i = 0; i < G_N_ELEMENTS (contents); i++)
    {
      g_autoptr (TestBoard) board = test_board_new ();
      g_autoptr (GError) error = NULL;

      g_assert_true (g_file_set_contents (path, contents[i], -1, NULL));
      probe_rom_path = path;
      g_assert_null (vmm_device_new (board->machine, &probe_class, "p", NULL, &error));
      g_assert_error (error, VMM_ERROR, VMM_ERROR_CORRUPT);
    }
  g_unlink (path);
  probe_rom_path = NULL;
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/pci/config/header-and-capabilities", test_header);
  g_test_add_func ("/pci/config/command-bits-that-exist", test_command_bits);
  g_test_add_func ("/pci/config/absent-functions-read-all-ones", test_absent);
  g_test_add_func ("/pci/host/mechanism-1", test_mechanism_1);
  g_test_add_func ("/pci/host/cf9-and-cf8-do-not-alias", test_reset_register);
  g_test_add_func ("/pci/host/ecam-moves-with-pciexbar", test_ecam);
  g_test_add_func ("/pci/bar/sizing", test_bar_sizing);
  g_test_add_func ("/pci/bar/follows-command-and-address", test_bar_decoding);
  g_test_add_func ("/pci/bar/64-bit", test_bar_64);
  g_test_add_func ("/pci/bar/ram-only-where-nothing-else-is", test_ram_bar);
  g_test_add_func ("/pci/intx/routing", test_intx_routing);
  g_test_add_func ("/pci/intx/as-the-prt-says", test_intx_as_in_the_dsdt);
  g_test_add_func ("/pci/intx/shared-line-is-the-or", test_intx_shared);
  g_test_add_func ("/pci/intx/disable-bit-and-messages", test_intx_disable);
  g_test_add_func ("/pci/msi/needs-bus-mastering", test_msi);
  g_test_add_func ("/pci/msix/table", test_msix_table);
  g_test_add_func ("/pci/msix/delivery", test_msix_delivery);
  g_test_add_func ("/pci/msix/masked-vectors-are-latched", test_msix_pending);
  g_test_add_func ("/pci/dma/needs-bus-mastering", test_dma);
  g_test_add_func ("/pci/bus/lowest-free-place-until-full", test_places);
  g_test_add_func ("/pci/rom/adopts-the-id", test_rom);
  g_test_add_func ("/pci/rom/refuses-what-is-none", test_rom_refused);
  return g_test_run ();
}
