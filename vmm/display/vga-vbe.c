/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bochs VBE: linear and banked modes, its index and data ports, and the MMIO BAR with EDID, the VGA ports and the same registers.
 * Spec: Bochs vbe_spec (VBE DISPI interface, B0C5); QEMU docs/specs/standard-vga; contract 7.1.
 * What a guest asks for is made to fit when it enables a mode: it can read back what it got. */
#include "display/vga.h"

#include <string.h>

/* Offsets in the MMIO BAR */
#define VBE_MMIO_EDID_END 0x100
#define VBE_MMIO_PORTS 0x400
#define VBE_MMIO_PORTS_END 0x420
#define VBE_MMIO_DISPI 0x500
#define VBE_MMIO_DISPI_END (VBE_MMIO_DISPI + VMM_VGA_DISPI_COUNT * 2)
#define VBE_MMIO_EXTENSION 0x600
#define VBE_MMIO_EXTENSION_SIZE 8
#define VBE_MMIO_ENDIAN 0x604
#define VBE_LITTLE_ENDIAN 0x1e1e1e1eu
#define VBE_BIG_ENDIAN 0xbebebebeu

#define VBE_ID_FIRST 0xb0c0
#define VBE_ID_LAST 0xb0c5

gboolean
vmm_vga_dispi_enabled (const VmmVgaRegs *regs)
{
  return (regs->dispi[VMM_VGA_DISPI_ENABLE] & VMM_VGA_DISPI_ENABLED) != 0;
}

/* Bytes of memory that @pixels next to each other take; @pixels a multiple of 8. */
static guint32
vbe_bytes (const VmmVgaRegs *regs, guint32 pixels)
{
  return regs->dispi[VMM_VGA_DISPI_BPP] == 4 ? pixels / 2 : pixels * ((regs->dispi[VMM_VGA_DISPI_BPP] + 7u) / 8);
}

guint32
vmm_vga_dispi_stride (const VmmVgaRegs *regs)
{
  return vbe_bytes (regs, regs->dispi[VMM_VGA_DISPI_VIRT_WIDTH] & ~7u);
}

/* Brings width, height and depth to something that video memory can hold. */
static void
vbe_fit_mode (VmmVga *vga)
{
  guint16 *dispi = vga->regs->dispi;
  guint32 lines;

  switch (dispi[VMM_VGA_DISPI_BPP])
    {
    case 4:
    case 8:
    case 15:
    case 16:
    case 24:
    case 32:
      break;
    default:
      dispi[VMM_VGA_DISPI_BPP] = 8;
      break;
    }
  dispi[VMM_VGA_DISPI_XRES] = CLAMP (dispi[VMM_VGA_DISPI_XRES] & ~7, 8, VMM_VGA_MAX_WIDTH);
  lines = vga->vram_size / vbe_bytes (vga->regs, dispi[VMM_VGA_DISPI_XRES]);
  dispi[VMM_VGA_DISPI_YRES] = (guint16) CLAMP (dispi[VMM_VGA_DISPI_YRES], 1, MIN (lines, VMM_VGA_MAX_HEIGHT));
}

/* The same for the virtual width, then the offsets: the whole picture lies in video memory. */
static void
vbe_fit_view (VmmVga *vga)
{
  guint16 *dispi = vga->regs->dispi;
  guint32 width = dispi[VMM_VGA_DISPI_XRES], height = dispi[VMM_VGA_DISPI_YRES], unit = vbe_bytes (vga->regs, 8);
  guint32 most = MIN (vga->vram_size / height / unit * 8, 0xfff8), stride, x_bytes, rows;

  dispi[VMM_VGA_DISPI_VIRT_WIDTH] = (guint16) CLAMP (dispi[VMM_VGA_DISPI_VIRT_WIDTH] & ~7u, width, MAX (most, width));
  stride = vmm_vga_dispi_stride (vga->regs);
  rows = vga->vram_size / stride;
  dispi[VMM_VGA_DISPI_VIRT_HEIGHT] = (guint16) MIN (rows, G_MAXUINT16);

  /* The last line starts @x_bytes further to the right and may reach into the row after it. */
  x_bytes = (guint32) (((guint64) dispi[VMM_VGA_DISPI_X_OFFSET] * unit + 7) / 8);
  if ((guint64) x_bytes + (height - 1) * (guint64) stride + vbe_bytes (vga->regs, width) > vga->vram_size)
    {
      dispi[VMM_VGA_DISPI_X_OFFSET] = 0;
      x_bytes = 0;
    }
  rows = (vga->vram_size - x_bytes - vbe_bytes (vga->regs, width)) / stride;
  dispi[VMM_VGA_DISPI_Y_OFFSET] = (guint16) MIN (dispi[VMM_VGA_DISPI_Y_OFFSET], rows - (height - 1));
}

static void
vbe_write_enable (VmmVga *vga, guint16 value)
{
  guint16 *dispi = vga->regs->dispi;
  gboolean turned_on = (value & VMM_VGA_DISPI_ENABLED) && !vmm_vga_dispi_enabled (vga->regs);

  dispi[VMM_VGA_DISPI_ENABLE] = value
                                & (VMM_VGA_DISPI_ENABLED | VMM_VGA_DISPI_GETCAPS | VMM_VGA_DISPI_8BIT_DAC | VMM_VGA_DISPI_LFB
                                   | VMM_VGA_DISPI_NOCLEAR);
  if (!turned_on)
    return;
  vbe_fit_mode (vga);
  dispi[VMM_VGA_DISPI_VIRT_WIDTH] = dispi[VMM_VGA_DISPI_XRES];
  dispi[VMM_VGA_DISPI_X_OFFSET] = dispi[VMM_VGA_DISPI_Y_OFFSET] = dispi[VMM_VGA_DISPI_BANK] = 0;
  vbe_fit_view (vga);
  if (!(value & VMM_VGA_DISPI_NOCLEAR))
    {
      guint32 size = vmm_vga_dispi_stride (vga->regs) * dispi[VMM_VGA_DISPI_YRES];

      memset (vga->vram, 0, size);
      vga->font_touched = TRUE;
      vmm_vga_mark_dirty (vga, 0, size);
    }
}

static guint16
vbe_read (const VmmVga *vga, guint index)
{
  const guint16 *dispi = vga->regs->dispi;

  if (index >= VMM_VGA_DISPI_COUNT)
    return 0;
  if (dispi[VMM_VGA_DISPI_ENABLE] & VMM_VGA_DISPI_GETCAPS)
    switch (index)
      {
      case VMM_VGA_DISPI_XRES:
        return VMM_VGA_MAX_WIDTH;
      case VMM_VGA_DISPI_YRES:
        return VMM_VGA_MAX_HEIGHT;
      case VMM_VGA_DISPI_BPP:
        return 32;
      default:
        break;
      }
  return dispi[index];
}

static void
vbe_write (VmmVga *vga, guint index, guint16 value)
{
  guint16 *dispi = vga->regs->dispi;
  gboolean enabled = vmm_vga_dispi_enabled (vga->regs);
  guint32 banks;

  vga->stale = TRUE;
  switch (index)
    {
    case VMM_VGA_DISPI_ID:
      if (value >= VBE_ID_FIRST && value <= VBE_ID_LAST)
        dispi[index] = value;
      break;
    case VMM_VGA_DISPI_XRES:
    case VMM_VGA_DISPI_YRES:
    case VMM_VGA_DISPI_BPP:
      if (!enabled)
        dispi[index] = value;
      break;
    case VMM_VGA_DISPI_ENABLE:
      vbe_write_enable (vga, value);
      break;
    case VMM_VGA_DISPI_BANK:
      /* 64 KiB of the window; with four planes behind each address when there are 4 bits. */
      banks = vga->vram_size >> (dispi[VMM_VGA_DISPI_BPP] == 4 ? 18 : 16);
      dispi[index] = (guint16) (value & (banks - 1));
      break;
    case VMM_VGA_DISPI_VIRT_WIDTH:
    case VMM_VGA_DISPI_X_OFFSET:
    case VMM_VGA_DISPI_Y_OFFSET:
      dispi[index] = value;
      if (enabled)
        vbe_fit_view (vga);
      break;
    default:
      break;
    }
}

void
vmm_vga_dispi_reset (VmmVga *vga)
{
  memset (vga->regs->dispi, 0, sizeof vga->regs->dispi);
  vga->regs->dispi[VMM_VGA_DISPI_ID] = VBE_ID_LAST;
  vga->regs->dispi[VMM_VGA_DISPI_MEMORY] = (guint16) (vga->vram_size >> 16);
}

void
vmm_vga_dispi_sanitize (VmmVga *vga)
{
  vga->regs->dispi[VMM_VGA_DISPI_MEMORY] = (guint16) (vga->vram_size >> 16);
  if (!vmm_vga_dispi_enabled (vga->regs))
    return;
  vbe_fit_mode (vga);
  vbe_fit_view (vga);
}

/* Ports 1CE: index, 1CF: data, both 16 bits wide. The bus hands an access at an odd port on as bytes: the high one completes it. */

static guint64
vbe_port_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  const VmmVga *vga = opaque;

  switch (offset)
    {
    case 0:
      return vga->regs->dispi_index;
    case 1:
      return vbe_read (vga, vga->regs->dispi_index);
    default:
      return vbe_read (vga, vga->regs->dispi_index) >> 8;
    }
}

static void
vbe_port_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  VmmVga *vga = opaque;

  switch (offset)
    {
    case 0:
      vga->regs->dispi_index = (guint16) value;
      break;
    case 1:
      vga->regs->dispi_low = (guint8) value;
      break;
    default:
      vbe_write (vga, vga->regs->dispi_index, (guint16) (vga->regs->dispi_low | (value & 0xff) << 8));
      break;
    }
}

const VmmRegionOps vmm_vga_dispi_port_ops = { .name = "vbe-ports",
                                              .read = vbe_port_read,
                                              .write = vbe_port_write,
                                              .access_min = 1,
                                              .access_max = 2 };

/* The MMIO BAR, in halves of 16 bits. */

static guint16
vbe_mmio_read16 (VmmVga *vga, guint offset)
{
  if (offset < VBE_MMIO_EDID_END)
    return (guint16) (vga->edid[offset] | vga->edid[offset + 1] << 8);
  if (offset >= VBE_MMIO_DISPI && offset < VBE_MMIO_DISPI_END)
    return vbe_read (vga, (offset - VBE_MMIO_DISPI) / 2);
  if (offset == VBE_MMIO_EXTENSION)
    return VBE_MMIO_EXTENSION_SIZE;
  if (offset == VBE_MMIO_ENDIAN || offset == VBE_MMIO_ENDIAN + 2)
    return (guint16) (vga->regs->big_endian ? VBE_BIG_ENDIAN : VBE_LITTLE_ENDIAN);
  return 0;
}

static guint64
vbe_mmio_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  VmmVga *vga = opaque;
  guint32 value = 0;

  if (offset >= VBE_MMIO_PORTS && offset < VBE_MMIO_PORTS_END)
    {
      for (guint i = 0; i < size; i++)
        value |= (guint32) vmm_vga_port_read (vga, 0x3c0 + (guint) (offset - VBE_MMIO_PORTS) + i) << 8 * i;
      return value;
    }
  if (size == 1)
    return vbe_mmio_read16 (vga, (guint) offset & ~1u) >> 8 * (offset & 1) & 0xff;
  for (guint i = 0; i < size; i += 2)
    value |= (guint32) vbe_mmio_read16 (vga, (guint) offset + i) << 8 * i;
  return value;
}

static void
vbe_mmio_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  VmmVga *vga = opaque;

  if (offset >= VBE_MMIO_PORTS && offset < VBE_MMIO_PORTS_END)
    for (guint i = 0; i < size; i++)
      vmm_vga_port_write (vga, 0x3c0 + (guint) (offset - VBE_MMIO_PORTS) + i, (guint8) (value >> 8 * i));
  else if (offset >= VBE_MMIO_DISPI && offset < VBE_MMIO_DISPI_END && size >= 2)
    for (guint i = 0; i < size; i += 2)
      vbe_write (vga, ((guint) offset + i - VBE_MMIO_DISPI) / 2, (guint16) (value >> 8 * i));
  else if (offset == VBE_MMIO_ENDIAN && size == 4 && (value == VBE_LITTLE_ENDIAN || value == VBE_BIG_ENDIAN))
    {
      vga->regs->big_endian = value == VBE_BIG_ENDIAN;
      vga->stale = TRUE;
    }
}

const VmmRegionOps vmm_vga_mmio_ops = { .name = "vga-mmio",
                                        .read = vbe_mmio_read,
                                        .write = vbe_mmio_write,
                                        .access_min = 1,
                                        .access_max = 4 };
