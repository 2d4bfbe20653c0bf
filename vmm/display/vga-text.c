/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Text modes.
 * Theory of operation: vga->cells remembers for every place on the screen what was drawn there: character, attribute, cursor, blinking. A
 * pull compares and draws what differs, so it does not matter how the guest came to it: a write, scrolling by start address, a new
 * cursor. The fonts in plane 2 are compared with a copy, and only when that plane may have been written.
 * Spec: IBM Personal System/2 Hardware Interface Technical Reference, Video Subsystem: alphanumeric modes, cursor (CR0A-0F), SR3, AR10. */
#include "display/vga.h"

#include "core/clock.h"

#include <string.h>

#define VGAT_GLYPH 32 /* bytes a character in a font */
#define VGAT_CELL_CURSOR 0x10000
#define VGAT_CELL_HIDDEN 0x20000

#define VGAT_CR0A_OFF 0x20
#define VGAT_CURSOR_FRAMES 8 /* on, and as many off */
#define VGAT_BLINK_FRAMES 16
#define VGAT_PHASE_CURSOR 1
#define VGAT_PHASE_BLINK 2

/* Code page 437, in which the character generator's 00-1F and 7F are pictures: sixteen characters a row. */
static const char *const vgat_cp437[16] = {
  " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼",  /* 00 */
  "►◄↕‼¶§▬↨↑↓→←∟↔▲▼",  /* 10 */
  " !\"#$%&'()*+,-./", /* 20 */
  "0123456789:;<=>?",  /* 30 */
  "@ABCDEFGHIJKLMNO",  /* 40 */
  "PQRSTUVWXYZ[\\]^_", /* 50 */
  "`abcdefghijklmno",  /* 60 */
  "pqrstuvwxyz{|}~⌂",  /* 70 */
  "ÇüéâäàåçêëèïîìÄÅ",  /* 80 */
  "ÉæÆôöòûùÿÖÜ¢£¥₧ƒ",  /* 90 */
  "áíóúñÑªº¿⌐¬½¼¡«»",  /* A0 */
  "░▒▓│┤╡╢╖╕╣║╗╝╜╛┐",  /* B0 */
  "└┴┬├─┼╞╟╚╔╩╦╠═╬╧",  /* C0 */
  "╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀",  /* D0 */
  "αßΓπΣσµτΦΘΩδ∞φε∩",  /* E0 */
  "≡±≥≤⌠⌡÷≈°∙·√ⁿ²■ ",  /* F0 */
};

/* Four dots, the leftmost in bit 3, as masks */
static const guint32 vgat_dots[16][4] = {
  { 0, 0, 0, 0 },     { 0, 0, 0, ~0u },     { 0, 0, ~0u, 0 },     { 0, 0, ~0u, ~0u },     { 0, ~0u, 0, 0 },   { 0, ~0u, 0, ~0u },
  { 0, ~0u, ~0u, 0 }, { 0, ~0u, ~0u, ~0u }, { ~0u, 0, 0, 0 },     { ~0u, 0, 0, ~0u },     { ~0u, 0, ~0u, 0 }, { ~0u, 0, ~0u, ~0u },
  { ~0u, ~0u, 0, 0 }, { ~0u, ~0u, 0, ~0u }, { ~0u, ~0u, ~0u, 0 }, { ~0u, ~0u, ~0u, ~0u },
};

/* What of the blinking things is visible now. */
static guint32
vgat_phase (VmmVga *vga)
{
  gint64 frames = vmm_clock_now (vmm_device_get_clock (&vga->pci->base)) / vmm_vga_frame_ns (vga->regs);

  return (frames / VGAT_CURSOR_FRAMES % 2 == 0 ? VGAT_PHASE_CURSOR : 0)
         | (!vga->mode.blink || frames / VGAT_BLINK_FRAMES % 2 == 0 ? VGAT_PHASE_BLINK : 0);
}

/* Takes the fonts over from plane 2; bits of the characters that look different now. */
static void
vgat_refresh_glyphs (VmmVga *vga, guint64 ret_changed[2][4])
{
  memset (ret_changed, 0, 2 * 4 * sizeof (guint64));
  for (guint font = 0; font < 2; font++)
    for (guint i = 0; i < 256 * VGAT_GLYPH; i++)
      {
        guint8 bits = vga->vram[(vga->mode.font[font] + i) * 4 + 2];

        if (vga->glyphs[font][i] != bits)
          {
            vga->glyphs[font][i] = bits;
            ret_changed[font][i / VGAT_GLYPH / 64] |= G_GUINT64_CONSTANT (1) << i / VGAT_GLYPH % 64;
          }
      }
}

typedef struct {
  guint32 address;   /* counter at the cursor, skewed; G_MAXUINT32: not shown */
  guint first, last; /* rows */
} VgatCursor;

static VgatCursor
vgat_cursor (const VmmVgaRegs *regs, guint32 phase)
{
  VgatCursor cursor = { G_MAXUINT32, regs->crtc[0x0a] & 0x1f, regs->crtc[0x0b] & 0x1f };

  if (!(regs->crtc[0x0a] & VGAT_CR0A_OFF) && (phase & VGAT_PHASE_CURSOR) && cursor.first <= cursor.last)
    cursor.address = ((guint32) regs->crtc[0x0e] << 8 | regs->crtc[0x0f]) + (regs->crtc[0x0b] >> 5 & 3u);
  return cursor;
}

/* Dots of one row of a character cell: 9 at most. */
static void
vgat_draw_row (const VmmVgaMode *mode, guint32 cell, guint8 bits, guint32 fg, guint32 bg, guint32 *out)
{
  guint32 differ = fg ^ bg;

  for (guint i = 0; i < 4; i++)
    {
      out[i] = bg ^ (differ & vgat_dots[bits >> 4][i]);
      out[4 + i] = bg ^ (differ & vgat_dots[bits & 15][i]);
    }
  if (mode->dots == 9)
    out[8] = mode->line_graphics && (cell & 0xe0) == 0xc0 ? out[7] : bg;
}

static void
vgat_draw_cell (VmmVga *vga, VmmSurface *surface, const VmmVgaBand *band, int x, guint32 cell, const VgatCursor *cursor)
{
  const VmmVgaMode *mode = &vga->mode;
  guint attr = cell >> 8 & 0xff;
  const guint8 *glyph = &vga->glyphs[attr >> 3 & 1][(cell & 0xff) * VGAT_GLYPH];
  guint32 fg = vga->palette[attr & 0x0f], bg = vga->palette[mode->blink ? attr >> 4 & 7 : attr >> 4];
  int width = (int) (mode->dots * mode->dot_repeat), left = MAX (-x, 0), right = MIN (width, mode->width - x);

  if (left >= right)
    return;
  for (int i = 0; i < band->lines; i++)
    {
      guint row = band->row + (guint) i / mode->line_repeat;
      guint32 dots[9], *out = (guint32 *) (surface->pixels + (gsize) (band->y + i) * surface->stride);
      guint8 bits = cell & VGAT_CELL_HIDDEN ? 0 : glyph[row];

      /* Monochrome underlining: attributes that differ from 01 in intensity and blinking only. */
      if (row == mode->underline && (attr & 0x77) == 0x01 && !(cell & VGAT_CELL_HIDDEN))
        bits = 0xff;
      vgat_draw_row (mode, cell, bits, fg, bg, dots);
      if ((cell & VGAT_CELL_CURSOR) && row >= cursor->first && row <= cursor->last)
        for (guint j = 0; j < mode->dots; j++)
          dots[j] = fg;
      if (mode->dot_repeat == 1)
        memcpy (out + x + left, dots + left, (gsize) (right - left) * 4);
      else
        for (int j = left; j < right; j++)
          out[x + j] = dots[j / 2];
    }
}

/* Room for the whole screen. FALSE: the host has no memory. */
static gboolean
vgat_need_cells (VmmVga *vga, guint columns)
{
  VmmVgaBand band = { 0 };
  gsize n = 0;

  while (vmm_vga_next_band (&vga->mode, &band))
    n += columns;
  if (vga->cells == NULL || vga->n_cells != n)
    {
      g_free (vga->cells);
      vga->n_cells = 0;
      vga->cells = g_try_new (guint32, n);
      if (vga->cells == NULL)
        return FALSE;
      vga->n_cells = n;
    }
  memset (vga->cells, 0xff, n * sizeof *vga->cells);
  return TRUE;
}

void
vmm_vga_text_draw (VmmVga *vga, VmmSurface *surface)
{
  const VmmVgaMode *mode = &vga->mode;
  guint columns = mode->chars + (mode->pan > 0 || mode->pan_below > 0 ? 1 : 0), width = mode->dots * mode->dot_repeat;
  guint32 phase = vgat_phase (vga), *drawn;
  VgatCursor cursor = vgat_cursor (vga->regs, phase);
  guint64 changed[2][4] = { { 0 } };
  VmmVgaBand band = { 0 };

  if (!vga->redraw && !vga->stale && !vga->touched && phase == vga->phase && vga->cells != NULL)
    return;
  if (vga->font_touched || vga->redraw)
    vgat_refresh_glyphs (vga, changed);
  vga->font_touched = FALSE;
  if ((vga->redraw || vga->cells == NULL) && !vgat_need_cells (vga, columns))
    return;
  vga->phase = phase;

  drawn = vga->cells;
  while (vmm_vga_next_band (mode, &band))
    {
      int pan = (int) ((band.below ? mode->pan_below : mode->pan) * mode->dot_repeat), first = -1, last = -1;

      for (guint column = 0; column < columns; column++, drawn++)
        {
          guint32 counter = (band.counter + column) & 0xffff;
          const guint8 *bytes = vga->vram + vmm_vga_address (mode, counter, 0) * 4;
          guint32 cell = bytes[0] | (guint32) bytes[1] << 8;
          guint font = cell >> 11 & 1, glyph = cell & 0xff;

          if (counter == cursor.address)
            cell |= VGAT_CELL_CURSOR | cursor.first << 20 | cursor.last << 25;
          if (mode->blink && (cell & 0x8000) && !(phase & VGAT_PHASE_BLINK))
            cell |= VGAT_CELL_HIDDEN;
          if (cell == *drawn && !(changed[font][glyph / 64] >> glyph % 64 & 1))
            continue;
          *drawn = cell;
          vgat_draw_cell (vga, surface, &band, (int) (column * width) - pan, cell, &cursor);
          if (first < 0)
            first = (int) column;
          last = (int) column;
        }
      if (first >= 0)
        vmm_console_damage (vga->console, first * (int) width - pan, band.y, (last - first + 1) * (int) width, band.lines);
    }
}

gboolean
vmm_vga_text_dump (VmmVga *vga, GString *text)
{
  VmmVgaMode mode;
  VmmVgaBand band = { 0 };

  vmm_vga_mode_from_regs (vga->regs, vga->vram_size, &mode);
  if (mode.kind != VMM_VGA_TEXT)
    return FALSE;
  while (vmm_vga_next_band (&mode, &band))
    {
      gsize end = text->len;

      for (guint column = 0; column < mode.chars; column++)
        {
          guint8 character = vga->vram[vmm_vga_address (&mode, band.counter + column, 0) * 4];
          const char *utf8 = g_utf8_offset_to_pointer (vgat_cp437[character >> 4], character & 15);

          g_string_append_len (text, utf8, g_utf8_next_char (utf8) - utf8);
          if (*utf8 != ' ')
            end = text->len;
        }
      g_string_truncate (text, end);
      g_string_append_c (text, '\n');
    }
  return TRUE;
}
