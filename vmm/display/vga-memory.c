/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Video memory and the window to it at A0000-BFFFF.
 * Spec: IBM Personal System/2 Hardware Interface Technical Reference, Video Subsystem: graphics controller, write modes 0-3, read modes 0-1.
 * Chain-4 memory is packed (address a is plane a % 4 at a / 4), as later chips had it, so that banked and linear access see the same. */
#include "display/vga.h"

#include <string.h>

#define VGAW_SR4_SEQUENTIAL 0x04
#define VGAW_SR4_CHAIN4 0x08
#define VGAW_GR5_READ_COMPARE 0x08
#define VGAW_GR5_ODD_EVEN 0x10
#define VGAW_GR6_CHAIN_ODD_EVEN 0x02
#define VGAW_MISC_MEMORY 0x02

VmmVgaMemory *
vmm_vga_memory_new (gsize size, GError **error)
{
  VmmRam *ram = vmm_ram_new ("lodge-video", size, error);
  VmmVgaMemory *memory;

  if (ram == NULL)
    return NULL;
  memory = g_new (VmmVgaMemory, 1);
  g_atomic_ref_count_init (&memory->ref_count);
  memory->ram = ram;
  return memory;
}

VmmVgaMemory *
vmm_vga_memory_ref (VmmVgaMemory *memory)
{
  g_atomic_ref_count_inc (&memory->ref_count);
  return memory;
}

void
vmm_vga_memory_unref (gpointer memory)
{
  VmmVgaMemory *self = memory;

  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  vmm_ram_free (self->ram);
  g_free (self);
}

void
vmm_vga_mark_dirty (VmmVga *vga, guint32 offset, guint32 len)
{
  if (len == 0)
    return;
  for (guint32 page = offset / VMM_VGA_PAGE; page <= (offset + len - 1) / VMM_VGA_PAGE; page++)
    vga->dirty[page / 64] |= G_GUINT64_CONSTANT (1) << page % 64;
  vga->touched = TRUE;
}

void
vmm_vga_mark_all_dirty (VmmVga *vga)
{
  memset (vga->dirty, 0xff, vga->dirty_words * sizeof *vga->dirty);
  vga->touched = vga->font_touched = TRUE;
}

gboolean
vmm_vga_is_dirty (const VmmVga *vga, guint32 offset, guint32 len)
{
  for (guint32 page = offset / VMM_VGA_PAGE; page <= (offset + len - 1) / VMM_VGA_PAGE; page++)
    if (vga->dirty[page / 64] >> page % 64 & 1)
      return TRUE;
  return FALSE;
}

/* Bits 0-3 to the bytes of the four planes. */
static inline guint32
vgaw_planes (guint bits)
{
  return (bits & 1 ? 0x000000ffu : 0) | (bits & 2 ? 0x0000ff00u : 0) | (bits & 4 ? 0x00ff0000u : 0) | (bits & 8 ? 0xff000000u : 0);
}

static inline guint32
vgaw_load (const guint8 *bytes)
{
  return (guint32) bytes[0] | (guint32) bytes[1] << 8 | (guint32) bytes[2] << 16 | (guint32) bytes[3] << 24;
}

static inline void
vgaw_store (guint8 *bytes, guint32 value)
{
  bytes[0] = (guint8) value;
  bytes[1] = (guint8) (value >> 8);
  bytes[2] = (guint8) (value >> 16);
  bytes[3] = (guint8) (value >> 24);
}

/* GR6: which part of the window answers. FALSE: not this address; else *@offset is from its start. */
static gboolean
vgaw_decode (const VmmVgaRegs *regs, guint32 *offset)
{
  if (!(regs->misc & VGAW_MISC_MEMORY))
    return FALSE;
  switch (regs->gfx[6] >> 2 & 3)
    {
    case 0:
      return TRUE;
    case 1:
      return *offset < 0x10000;
    case 2:
      *offset -= 0x10000;
      return *offset < 0x8000;
    default:
      *offset -= 0x18000;
      return *offset < 0x8000;
    }
}

static gboolean
vgaw_is_linear (const VmmVgaRegs *regs)
{
  return vmm_vga_dispi_enabled (regs) && regs->dispi[VMM_VGA_DISPI_BPP] != 4;
}

/* Where a byte of the window lies: address in the planes, and the planes that a write may reach (before SR2) or a read comes from. */
static void
vgaw_translate (const VmmVga *vga, guint32 offset, gboolean is_write, guint32 *ret_address, guint *ret_planes)
{
  const VmmVgaRegs *regs = vga->regs;
  gboolean planar_vbe = vmm_vga_dispi_enabled (regs);
  guint32 wrap = planar_vbe ? vga->vram_size / 4 - 1 : 0xffff;
  gboolean odd_even = is_write ? !(regs->seq[4] & VGAW_SR4_SEQUENTIAL) : (regs->gfx[5] & VGAW_GR5_ODD_EVEN) != 0;

  if (planar_vbe)
    offset += (guint32) regs->dispi[VMM_VGA_DISPI_BANK] << 16;
  if (regs->seq[4] & VGAW_SR4_CHAIN4)
    {
      *ret_planes = 1u << (offset & 3);
      *ret_address = offset >> 2 & wrap;
      return;
    }
  if (odd_even)
    {
      *ret_planes = offset & 1 ? 0x0a : 0x05;
      if (!is_write)
        *ret_planes = 1u << ((regs->gfx[4] & 2) | (offset & 1));
      /* A0 chooses the plane; in its place comes the bit above the 64 KiB. */
      if (regs->gfx[6] & VGAW_GR6_CHAIN_ODD_EVEN)
        offset = (offset & ~1u) | (offset >> 16 & 1);
    }
  else
    *ret_planes = is_write ? 0x0f : 1u << (regs->gfx[4] & 3);
  *ret_address = offset & wrap;
}

static guint8
vgaw_read_byte (VmmVga *vga, guint32 offset)
{
  VmmVgaRegs *regs = vga->regs;
  guint32 address, latch, differs;
  guint planes;

  vgaw_translate (vga, offset, FALSE, &address, &planes);
  memcpy (regs->latch, vga->vram + address * 4, 4);
  latch = vgaw_load (regs->latch);
  if (!(regs->gfx[5] & VGAW_GR5_READ_COMPARE))
    return (guint8) (latch >> 8 * (guint) __builtin_ctz (planes));

  /* Read mode 1: a bit is set where all planes that matter (GR7) have the colour GR2. */
  differs = (latch ^ vgaw_planes (regs->gfx[2])) & vgaw_planes (regs->gfx[7]);
  differs |= differs >> 16;
  differs |= differs >> 8;
  return (guint8) ~differs;
}

static void
vgaw_write_byte (VmmVga *vga, guint32 offset, guint8 byte)
{
  VmmVgaRegs *regs = vga->regs;
  guint32 address, latch = vgaw_load (regs->latch), value, mask, bits, old;
  guint planes, rotate = regs->gfx[3] & 7, bit_mask = regs->gfx[8];
  guint8 *bytes;

  vgaw_translate (vga, offset, TRUE, &address, &planes);
  planes &= regs->seq[2] & 0x0f;
  if (planes == 0)
    return;

  switch (regs->gfx[5] & 3)
    {
    case 0:
      byte = (guint8) (byte >> rotate | byte << (8 - rotate));
      mask = vgaw_planes (regs->gfx[1]);
      value = (byte * 0x01010101u & ~mask) | (vgaw_planes (regs->gfx[0]) & mask);
      break;
    case 1:
      value = latch;
      break;
    case 2:
      value = vgaw_planes (byte);
      break;
    default:
      byte = (guint8) (byte >> rotate | byte << (8 - rotate));
      bit_mask &= byte;
      value = vgaw_planes (regs->gfx[0]);
      break;
    }
  if ((regs->gfx[5] & 3) != 1)
    {
      switch (regs->gfx[3] >> 3 & 3)
        {
        case 0:
          break;
        case 1:
          value &= latch;
          break;
        case 2:
          value |= latch;
          break;
        default:
          value ^= latch;
          break;
        }
      bits = bit_mask * 0x01010101u;
      value = (value & bits) | (latch & ~bits);
    }

  bytes = vga->vram + address * 4;
  old = vgaw_load (bytes);
  mask = vgaw_planes (planes);
  vgaw_store (bytes, (old & ~mask) | (value & mask));
  if (planes & 4)
    vga->font_touched = TRUE;
  vmm_vga_mark_dirty (vga, address * 4, 4);
}

/* Bytes of a linear mode behind the bank register; 0: outside. */
static guint
vgaw_linear (const VmmVga *vga, guint32 offset, guint size, guint32 *ret_offset)
{
  if (offset >= 0x10000)
    return 0;
  *ret_offset = ((guint32) vga->regs->dispi[VMM_VGA_DISPI_BANK] << 16) + offset;
  return *ret_offset < vga->vram_size ? MIN (size, 0x10000 - offset) : 0;
}

static guint64
vgaw_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  VmmVga *vga = opaque;
  guint8 bytes[8];
  guint64 value = 0;
  guint32 at;
  guint n;

  memset (bytes, 0xff, sizeof bytes);
  if (vgaw_is_linear (vga->regs))
    {
      n = vgaw_linear (vga, (guint32) offset, size, &at);
      memcpy (bytes, vga->vram + (n > 0 ? at : 0), n);
    }
  else
    for (guint i = 0; i < size; i++)
      {
        at = (guint32) offset + i;
        if (vgaw_decode (vga->regs, &at))
          bytes[i] = vgaw_read_byte (vga, at);
      }
  for (guint i = 0; i < size; i++)
    value |= (guint64) bytes[i] << 8 * i;
  return value;
}

static void
vgaw_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  VmmVga *vga = opaque;
  guint32 at;

  if (vgaw_is_linear (vga->regs))
    {
      guint n = vgaw_linear (vga, (guint32) offset, size, &at);

      if (n == 0)
        return;
      for (guint i = 0; i < n; i++)
        vga->vram[at + i] = (guint8) (value >> 8 * i);
      vga->font_touched = TRUE;
      vmm_vga_mark_dirty (vga, at, n);
      return;
    }
  for (guint i = 0; i < size; i++)
    {
      at = (guint32) offset + i;
      if (vgaw_decode (vga->regs, &at))
        vgaw_write_byte (vga, at, (guint8) (value >> 8 * i));
    }
}

/* Bytes go to memory in order, low address first. */
const VmmRegionOps vmm_vga_window_ops = { .name = "vga-window",
                                          .read = vgaw_read,
                                          .write = vgaw_write,
                                          .access_min = 1,
                                          .access_max = 8 };
