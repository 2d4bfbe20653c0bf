/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The VGA under any mix of port, window, MMIO and video memory accesses, with a viewer that pulls, and under any saved state.
 *
 * Input: commands of a byte and what it takes:
 *   00 port16 value8, 01 port16 value16: out (ports are taken into the VGA's)   02 port16: in
 *   03 offset24 size8 value64: write the window   04 offset24 size8: read it    05 offset16 size8 value32: write the MMIO BAR
 *   06 offset16 size8: read it   07: pull   08: text   09 ms16: time passes   0A offset32 value32: the guest writes video memory
 *   0B group8 index8 value8: a register of the sequencer, graphics, attribute or CRT controller   0C index8 value16: a VBE register
 *   0D: reset   0E n8 bytes: saved state, the first n bytes of it */
#include "core/clock-private.h"
#include "core/machine.h"
#include "display/vga.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RAM_BYTES (2u << 20)
#define MMIO 0xd0000000
#define MAX_COMMANDS 2000
#define MAX_PULLS 3 /* a pull of 4096 × 4096 pixels takes a while under the sanitizers */
#define DEVFN (1 << 3)

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

typedef struct {
  const uint8_t *at, *end;
  VmmMachine *machine;
  VmmVga *vga;
  VmmViewer *viewer;
  guint pulls;
} Fuzz;

static guint64
take (Fuzz *fuzz, guint bytes)
{
  guint64 value = 0;

  for (guint i = 0; i < bytes; i++)
    value |= (guint64) (fuzz->at < fuzz->end ? *fuzz->at++ : 0) << 8 * i;
  return value;
}

static guint
take_size (Fuzz *fuzz)
{
  return 1u << (take (fuzz, 1) & 3);
}

static guint64
access_bus (Fuzz *fuzz, VmmSpace space, guint64 addr, guint size, guint64 value, gboolean is_write)
{
  guint64 raw = GUINT64_TO_LE (value);

  vmm_bus_access (fuzz->machine->bus, space, addr, &raw, size, is_write);
  return raw;
}

static void
out (Fuzz *fuzz, guint16 port, guint size, guint value)
{
  access_bus (fuzz, VMM_SPACE_PIO, port, size, value, TRUE);
}

static guint16
take_port (Fuzz *fuzz)
{
  guint16 port = (guint16) take (fuzz, 2);

  return port & 0x8000 ? 0x1ce + (port & 1) : 0x3b0 + port % 0x30;
}

static void
pull (Fuzz *fuzz)
{
  g_auto (VmmFrame) frame = { 0 };
  guint32 sum = 0;

  if (fuzz->pulls++ >= MAX_PULLS || !vmm_viewer_pull (fuzz->viewer, &frame))
    return;
  g_assert (frame.n_rects >= 1 && frame.n_rects <= VMM_FRAME_MAX_RECTS);
  for (guint i = 0; i < frame.n_rects; i++)
    {
      const VmmRect *rect = &frame.rects[i];

      g_assert (rect->x >= 0 && rect->y >= 0 && rect->width > 0 && rect->height > 0);
      g_assert (rect->x + rect->width <= frame.surface->width && rect->y + rect->height <= frame.surface->height);
      for (guint j = 0; j < i; j++)
        g_assert (rect->x >= frame.rects[j].x + frame.rects[j].width || frame.rects[j].x >= rect->x + rect->width
                  || rect->y >= frame.rects[j].y + frame.rects[j].height || frame.rects[j].y >= rect->y + rect->height);
      /* The far corner can be read. */
      sum += frame.surface
                 ->pixels[(gsize) (rect->y + rect->height - 1) * frame.surface->stride + (gsize) (rect->x + rect->width) * 4 - 1];
    }
  (void) sum;
}

/* As a loader does it: what the field table refuses never gets to the device. */
static void
load_state (Fuzz *fuzz)
{
  const VmmDeviceClass *class = fuzz->vga->pci->base.class;
  VmmVgaRegs regs = *fuzz->vga->regs;
  guint n = (guint) take (fuzz, 1) * 8;

  for (guint i = 0; i < n && i < sizeof regs && fuzz->at < fuzz->end; i++)
    ((guint8 *) &regs)[i] = *fuzz->at++;
  for (const VmmField *field = class->regs_fields; field->name != NULL; field++)
    if (field->max != 0 && field->element_size == 1 && ((guint8 *) &regs)[field->offset] > field->max)
      return;
  vmm_device_lock (&fuzz->vga->pci->base);
  *fuzz->vga->regs = regs;
  class->post_load (&fuzz->vga->pci->base, NULL);
  vmm_device_unlock (&fuzz->vga->pci->base);
}

static void
set_register (Fuzz *fuzz)
{
  guint group = take (fuzz, 1) & 3, index = (guint) take (fuzz, 1), value = (guint) take (fuzz, 1);
  guint crtc = fuzz->vga->regs->misc & 1 ? 0x3d4 : 0x3b4;

  if (group == 3)
    {
      access_bus (fuzz, VMM_SPACE_PIO, crtc + 6, 1, 0, FALSE);
      out (fuzz, 0x3c0, 1, index);
      out (fuzz, 0x3c0, 1, value);
      out (fuzz, 0x3c0, 1, 0x20);
    }
  else
    out (fuzz, (guint16) (group == 0 ? 0x3c4 : group == 1 ? 0x3ce : crtc), 2, index | value << 8);
}

static void
command (Fuzz *fuzz)
{
  guint64 addr;
  guint size;

  switch (take (fuzz, 1) % 15)
    {
    case 0:
      addr = take_port (fuzz);
      out (fuzz, (guint16) addr, 1, (guint) take (fuzz, 1));
      break;
    case 1:
      addr = take_port (fuzz);
      out (fuzz, (guint16) addr, 2, (guint) take (fuzz, 2));
      break;
    case 2:
      access_bus (fuzz, VMM_SPACE_PIO, take_port (fuzz), 1, 0, FALSE);
      break;
    case 3:
      addr = 0xa0000 + take (fuzz, 3) % 0x20000;
      size = take_size (fuzz);
      access_bus (fuzz, VMM_SPACE_MMIO, addr, size, take (fuzz, 8), TRUE);
      break;
    case 4:
      addr = 0xa0000 + take (fuzz, 3) % 0x20000;
      access_bus (fuzz, VMM_SPACE_MMIO, addr, take_size (fuzz), 0, FALSE);
      break;
    case 5:
      addr = MMIO + take (fuzz, 2) % 0x1000;
      size = take_size (fuzz);
      access_bus (fuzz, VMM_SPACE_MMIO, addr, size, take (fuzz, 4), TRUE);
      break;
    case 6:
      addr = MMIO + take (fuzz, 2) % 0x1000;
      access_bus (fuzz, VMM_SPACE_MMIO, addr, take_size (fuzz), 0, FALSE);
      break;
    case 7:
      pull (fuzz);
      break;
    case 8:
      g_free (vmm_console_dup_text (fuzz->vga->console));
      break;
    case 9:
      vmm_clock_advance (fuzz->machine->clock, (gint64) take (fuzz, 2) * 1000000);
      break;
    case 10:
      addr = take (fuzz, 4) % (fuzz->vga->vram_size - 3);
      for (guint i = 0; i < 4; i++)
        fuzz->vga->vram[addr + i] = (guint8) take (fuzz, 1);
      vmm_slot_mark_dirty (fuzz->machine->memory, vmm_pci_device_get_bar_slot (fuzz->vga->pci, 0), addr, 4);
      break;
    case 11:
      set_register (fuzz);
      break;
    case 12:
      out (fuzz, 0x1ce, 2, take (fuzz, 1) % 12);
      out (fuzz, 0x1cf, 2, (guint) take (fuzz, 2));
      break;
    case 13:
      vmm_machine_reset_devices (fuzz->machine, VMM_RESET_WARM);
      break;
    default:
      load_state (fuzz);
      break;
    }
}

static void
map_bars (Fuzz *fuzz)
{
  vmm_pci_bus_config_write (fuzz->machine->pci_bus, DEVFN, 0x10, 4, 0xc0000000);
  vmm_pci_bus_config_write (fuzz->machine->pci_bus, DEVFN, 0x18, 4, MMIO);
  vmm_pci_bus_config_write (fuzz->machine->pci_bus, DEVFN, 0x04, 2, 0x0002);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const guint8 rom[512] = { 0x55, 0xaa, 0x01, [0x18] = 0x1c, [0x1c] = 'P',  'C',           'I',          'R',
                                   0x34, 0x12, 0x11, 0x11,          [0x26] = 0x18, [0x2c] = 0x01, [0x31] = 0x80 };
  g_autoptr (GHashTable) settings = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  g_autoptr (GError) error = NULL;
  Fuzz fuzz = { .at = data, .end = data + size };
  int fd = memfd_create ("rom", MFD_CLOEXEC);

  if (fd < 0 || write (fd, rom, sizeof rom) != sizeof rom)
    abort ();
  g_hash_table_insert (settings, (gpointer) "memory", g_strdup ("8"));
  g_hash_table_insert (settings, (gpointer) "rom", g_strdup_printf ("/proc/self/fd/%d", fd));
  fuzz.machine = vmm_machine_new_bare (RAM_BYTES, 1, &error);
  g_assert_no_error (error);
  fuzz.vga = &((VmmStdVga *) vmm_device_new (fuzz.machine, vmm_device_class_find ("vga"), "video0", settings, &error))->vga;
  g_assert_no_error (error);
  close (fd);
  vmm_machine_reset_devices (fuzz.machine, VMM_RESET_COLD);
  map_bars (&fuzz);
  fuzz.viewer = vmm_console_add_viewer (fuzz.vga->console);

  for (guint i = 0; i < MAX_COMMANDS && fuzz.at < fuzz.end; i++)
    {
      command (&fuzz);
      if (vmm_pci_device_get_bar_slot (fuzz.vga->pci, 0) == NULL)
        map_bars (&fuzz); /* a reset took them away */
    }
  pull (&fuzz);
  vmm_viewer_free (fuzz.viewer);
  vmm_machine_free (fuzz.machine);
  return 0;
}
