/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the registers mean: geometry, addresses, colours and timing. Pure functions.
 * Spec: IBM Personal System/2 Hardware Interface Technical Reference, Video Subsystem (1992); Bochs VBE.
 * Left out: dividing the memory clock (CR14 bit 5, CR17 bit 3) and the line clock (CR17 bit 2), cursor skew in graphics, interlace. */
#include "display/vga.h"

#define VGA_NS G_GINT64_CONSTANT (1000000000)

/* Sequencer */
#define VGA_SR1_8_DOTS 0x01
#define VGA_SR1_HALF_CLOCK 0x08
#define VGA_SR1_SCREEN_OFF 0x20
/* Graphics controller */
#define VGA_GR5_INTERLEAVE 0x20
#define VGA_GR5_256 0x40
#define VGA_GR6_GRAPHICS 0x01
/* Attribute controller */
#define VGA_AR_INDEX_ON 0x20
#define VGA_AR10_LINE_GRAPHICS 0x04
#define VGA_AR10_BLINK 0x08
#define VGA_AR10_PAN_SPLIT 0x20
#define VGA_AR10_P54 0x80
/* CRT controller */
#define VGA_CR9_DOUBLE 0x80
#define VGA_CR14_DWORD 0x40
#define VGA_CR17_ROW_13 0x01
#define VGA_CR17_ROW_14 0x02
#define VGA_CR17_BIT_15 0x20
#define VGA_CR17_BYTE 0x40
#define VGA_CR17_RUN 0x80

static guint
vgam_crtc_10 (const VmmVgaRegs *regs, guint index, guint bit8, guint bit9)
{
  return regs->crtc[index] | (regs->crtc[0x07] >> bit8 & 1u) << 8 | (regs->crtc[0x07] >> bit9 & 1u) << 9;
}

/* SR3: two bits low and one high choose one of eight fonts of 8 KiB, in an order of its own. */
static guint32
vgam_font (guint low, guint high)
{
  return low * 0x4000 + high * 0x2000;
}

static void
vgam_linear_mode (const VmmVgaRegs *regs, guint32 vram_size, VmmVgaMode *mode)
{
  guint bpp = regs->dispi[VMM_VGA_DISPI_BPP];
  guint32 bytes = (bpp + 7) / 8;
  guint64 start, end;

  mode->pitch = vmm_vga_dispi_stride (regs);
  start = (guint64) regs->dispi[VMM_VGA_DISPI_Y_OFFSET] * mode->pitch + regs->dispi[VMM_VGA_DISPI_X_OFFSET] * bytes;
  end = start + (guint64) mode->pitch * ((guint32) mode->height - 1) + (guint32) mode->width * bytes;
  mode->start = (guint32) MIN (start, vram_size);
  mode->big_endian = regs->big_endian;
  switch (bpp)
    {
    case 8:
      mode->kind = VMM_VGA_LINEAR_8;
      break;
    case 15:
      mode->kind = VMM_VGA_LINEAR_15;
      break;
    case 16:
      mode->kind = VMM_VGA_LINEAR_16;
      break;
    case 24:
      mode->kind = VMM_VGA_LINEAR_24;
      break;
    default:
      mode->kind = !regs->big_endian && end <= vram_size && G_BYTE_ORDER == G_LITTLE_ENDIAN ? VMM_VGA_DIRECT : VMM_VGA_LINEAR_32;
      break;
    }
}

/* The split, the panning and what else text and planar modes share. */
static void
vgam_row_mode (const VmmVgaRegs *regs, VmmVgaMode *mode)
{
  guint compare = regs->crtc[0x18] | (regs->crtc[0x07] >> 4 & 1u) << 8 | (regs->crtc[0x09] >> 6 & 1u) << 9;
  guint pan = regs->attr[0x13] & 0x0f;

  mode->row_lines = (regs->crtc[0x09] & 0x1f) + 1u;
  mode->line_repeat = regs->crtc[0x09] & VGA_CR9_DOUBLE ? 2 : 1;
  mode->first_row = MIN (regs->crtc[0x08] & 0x1fu, mode->row_lines - 1);
  mode->split = MIN (compare + 1, (guint) mode->height);
  mode->pitch = regs->crtc[0x13] * 2u;
  mode->start = ((guint32) regs->crtc[0x0c] << 8 | regs->crtc[0x0d]) + (regs->crtc[0x08] >> 5 & 3u);
  mode->wrap = 0xffff;

  /* AR13: with nine dots 8 means none and 0 one; with 256 colours two dots make a pixel. */
  if (mode->dots == 9)
    mode->pan = pan >= 8 ? 0 : pan + 1;
  else if (mode->kind == VMM_VGA_256)
    mode->pan = pan & 6;
  else
    mode->pan = pan >= 8 ? 0 : pan;
  mode->pan_below = regs->attr[0x10] & VGA_AR10_PAN_SPLIT ? 0 : mode->pan;

  /* Memory of chain-4 modes is packed here, so that their double words lie next to each other: the counter is the address. */
  if (!(regs->crtc[0x14] & VGA_CR14_DWORD) && !(regs->crtc[0x17] & VGA_CR17_BYTE))
    {
      mode->word = 1;
      mode->word_bit = regs->crtc[0x17] & VGA_CR17_BIT_15 ? 15 : 13;
    }
  mode->row_bits = ~regs->crtc[0x17] & (VGA_CR17_ROW_13 | VGA_CR17_ROW_14);
}

static void
vgam_legacy_mode (const VmmVgaRegs *regs, VmmVgaMode *mode)
{
  mode->chars = regs->crtc[0x01] + 1u;
  mode->height = (gint32) vgam_crtc_10 (regs, 0x12, 1, 6) + 1;
  mode->dot_repeat = regs->seq[1] & VGA_SR1_HALF_CLOCK ? 2 : 1;
  mode->dots = 8;
  if (!(regs->gfx[6] & VGA_GR6_GRAPHICS))
    {
      mode->kind = VMM_VGA_TEXT;
      mode->dots = regs->seq[1] & VGA_SR1_8_DOTS ? 8 : 9;
      mode->font[0] = vgam_font (regs->seq[3] & 3u, regs->seq[3] >> 4 & 1u);
      mode->font[1] = vgam_font (regs->seq[3] >> 2 & 3u, regs->seq[3] >> 5 & 1u);
      mode->line_graphics = (regs->attr[0x10] & VGA_AR10_LINE_GRAPHICS) != 0;
      mode->blink = (regs->attr[0x10] & VGA_AR10_BLINK) != 0;
      mode->underline = regs->crtc[0x14] & 0x1f;
    }
  else if (regs->gfx[5] & VGA_GR5_256)
    mode->kind = VMM_VGA_256;
  else
    mode->kind = regs->gfx[5] & VGA_GR5_INTERLEAVE ? VMM_VGA_CGA : VMM_VGA_PLANAR;

  mode->chars = MIN (mode->chars, VMM_VGA_MAX_WIDTH / (mode->dots * mode->dot_repeat));
  mode->width = (gint32) (mode->chars * mode->dots * mode->dot_repeat);
  vgam_row_mode (regs, mode);
}

/* Bochs VBE with four bits: planar memory, geometry from VBE. */
static void
vgam_dispi_planar_mode (const VmmVgaRegs *regs, guint32 vram_size, VmmVgaMode *mode)
{
  mode->kind = VMM_VGA_PLANAR;
  mode->chars = (guint32) mode->width / 8;
  mode->dots = 8;
  mode->dot_repeat = mode->row_lines = mode->line_repeat = 1;
  mode->split = (guint32) mode->height;
  mode->pitch = vmm_vga_dispi_stride (regs) / 4;
  mode->start = regs->dispi[VMM_VGA_DISPI_Y_OFFSET] * mode->pitch + regs->dispi[VMM_VGA_DISPI_X_OFFSET] / 8u;
  mode->pan = mode->pan_below = regs->dispi[VMM_VGA_DISPI_X_OFFSET] % 8u;
  mode->wrap = vram_size / 4 - 1;
}

void
vmm_vga_mode_from_regs (const VmmVgaRegs *regs, guint32 vram_size, VmmVgaMode *ret_mode)
{
  VmmVgaMode mode = { 0 };

  mode.blank = !(regs->attr_index & VGA_AR_INDEX_ON) || (regs->seq[1] & VGA_SR1_SCREEN_OFF) != 0;
  if (vmm_vga_dispi_enabled (regs))
    {
      mode.width = CLAMP (regs->dispi[VMM_VGA_DISPI_XRES] & ~7, 8, VMM_VGA_MAX_WIDTH);
      mode.height = CLAMP (regs->dispi[VMM_VGA_DISPI_YRES], 1, VMM_VGA_MAX_HEIGHT);
      if (regs->dispi[VMM_VGA_DISPI_BPP] == 4)
        vgam_dispi_planar_mode (regs, vram_size, &mode);
      else
        vgam_linear_mode (regs, vram_size, &mode);
    }
  else
    {
      vgam_legacy_mode (regs, &mode);
      /* No sync without a running CRT controller. */
      if (!(regs->crtc[0x17] & VGA_CR17_RUN))
        mode.blank = 1;
    }
  *ret_mode = mode;
}

guint32
vmm_vga_address (const VmmVgaMode *mode, guint32 counter, guint row)
{
  guint32 address = counter;

  if (mode->word)
    address = (counter << 1 & 0xfffe) | (counter >> mode->word_bit & 1);
  if (mode->row_bits & VGA_CR17_ROW_13)
    address = (address & ~0x2000u) | (row & 1u) << 13;
  if (mode->row_bits & VGA_CR17_ROW_14)
    address = (address & ~0x4000u) | (row >> 1 & 1u) << 14;
  return address & mode->wrap;
}

gboolean
vmm_vga_next_band (const VmmVgaMode *mode, VmmVgaBand *band)
{
  gint32 end;

  if (band->lines == 0)
    {
      band->counter = mode->start;
      band->row = mode->first_row;
    }
  else
    {
      band->y += band->lines;
      band->counter += mode->pitch;
      band->row = 0;
      if (!band->below && band->y == (int) mode->split)
        {
          band->below = TRUE;
          band->counter = 0;
        }
    }
  if (band->y >= mode->height)
    return FALSE;
  end = band->below ? mode->height : (gint32) mode->split;
  band->lines = MIN ((int) ((mode->row_lines - band->row) * mode->line_repeat), end - band->y);
  return TRUE;
}

static guint32
vgam_dac_pixel (const VmmVgaRegs *regs, guint8 index)
{
  const guint8 *dac = &regs->dac[3u * (index & regs->dac_mask)];
  guint32 r = dac[0], g = dac[1], b = dac[2];

  if (!(regs->dispi[VMM_VGA_DISPI_ENABLE] & VMM_VGA_DISPI_8BIT_DAC))
    {
      r = (r & 0x3f) << 2 | (r & 0x3f) >> 4;
      g = (g & 0x3f) << 2 | (g & 0x3f) >> 4;
      b = (b & 0x3f) << 2 | (b & 0x3f) >> 4;
    }
  return r << 16 | g << 8 | b;
}

void
vmm_vga_palette_from_regs (const VmmVgaRegs *regs, const VmmVgaMode *mode, guint32 ret_palette[256])
{
  memset (ret_palette, 0, 256 * sizeof *ret_palette);
  switch ((VmmVgaKind) mode->kind)
    {
    case VMM_VGA_TEXT:
    case VMM_VGA_PLANAR:
    case VMM_VGA_CGA:
      for (guint i = 0; i < 16; i++)
        {
          guint8 color = regs->attr[i & regs->attr[0x12] & 0x0f] & 0x3f;

          if (regs->attr[0x10] & VGA_AR10_P54)
            color = (guint8) ((color & 0x0f) | (regs->attr[0x14] & 3u) << 4);
          color |= (guint8) ((regs->attr[0x14] & 0x0cu) << 4);
          ret_palette[i] = vgam_dac_pixel (regs, color);
        }
      break;
    case VMM_VGA_256:
    case VMM_VGA_LINEAR_8:
      for (guint i = 0; i < 256; i++)
        ret_palette[i] = vgam_dac_pixel (regs, (guint8) i);
      break;
    case VMM_VGA_LINEAR_15:
    case VMM_VGA_LINEAR_16:
    case VMM_VGA_LINEAR_24:
    case VMM_VGA_LINEAR_32:
    case VMM_VGA_DIRECT:
      break;
    }
}

typedef struct {
  guint total_dots, shown_dots; /* a line */
  guint total, shown;           /* lines */
  guint sync_start, sync_end;   /* lines; end: low four bits */
  guint clock;                  /* Hz */
} VgamTiming;

static VgamTiming
vgam_timing (const VmmVgaRegs *regs)
{
  guint dots = regs->seq[1] & VGA_SR1_8_DOTS ? 8 : 9;
  VgamTiming timing = { .total_dots = (regs->crtc[0x00] + 5u) * dots,
                        .shown_dots = (regs->crtc[0x01] + 1u) * dots,
                        .total = vgam_crtc_10 (regs, 0x06, 0, 5) + 2,
                        .shown = vgam_crtc_10 (regs, 0x12, 1, 6) + 1,
                        .sync_start = vgam_crtc_10 (regs, 0x10, 2, 7),
                        .sync_end = regs->crtc[0x11] & 0x0f,
                        .clock = (regs->misc >> 2 & 3) == 1 ? 28322000 : 25175000 };

  if (regs->seq[1] & VGA_SR1_HALF_CLOCK)
    timing.clock /= 2;
  /* Under VBE the CRT controller is not what drives the screen; and a guest that waits for a retrace it never programmed shall not wait
   * for ever: 640×480 at 60 Hz. */
  if (vmm_vga_dispi_enabled (regs) || timing.shown_dots >= timing.total_dots || timing.shown >= timing.total
      || timing.sync_start < timing.shown || timing.sync_start >= timing.total)
    timing = (VgamTiming) { 800, 640, 525, 480, 490, 492 & 0x0f, 25175000 };
  return timing;
}

gint64
vmm_vga_frame_ns (const VmmVgaRegs *regs)
{
  VgamTiming timing = vgam_timing (regs);

  return VGA_NS * timing.total_dots * timing.total / timing.clock;
}

guint8
vmm_vga_input_status (const VmmVgaRegs *regs, gint64 now_ns)
{
  VgamTiming timing = vgam_timing (regs);
  gint64 frame_ns = VGA_NS * timing.total_dots * timing.total / timing.clock;
  guint64 dot = (guint64) (now_ns % frame_ns) * timing.clock / (guint64) VGA_NS;
  guint line = (guint) (dot / timing.total_dots), column = (guint) (dot % timing.total_dots);
  guint sync_lines = (timing.sync_end - timing.sync_start) & 0x0f;
  guint8 status = 0;

  if (line >= timing.shown || column >= timing.shown_dots)
    status |= 0x01;
  if (line >= timing.sync_start && line < timing.sync_start + (sync_lines != 0 ? sync_lines : 16))
    status |= 0x09;
  return status;
}
