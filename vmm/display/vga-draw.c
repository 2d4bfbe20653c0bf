/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Theory of operation: a pull collects what changed since the last one (registers, dirty pages), works mode and palette out anew if a
 * register was written, and draws the lines whose memory changed. A linear mode of 32 bits is not drawn at all: the surface is video memory
 * and the dirty pages are the damage. Everything a guest chooses has been limited in vga-mode.c; addresses in the planes are masked, linear
 * lines that end outside video memory stay black. */
#include "display/vga.h"

#include "core/log.h"
#include "core/memory.h"

#include <string.h>

/* Lines of damage that touch each other become one rectangle. */
typedef struct {
  VmmConsole *console;
  VmmRect rect; /* height 0: none yet */
} VgadSpan;

static void
vgad_span_flush (VgadSpan *span)
{
  if (span->rect.height > 0)
    vmm_console_damage (span->console, span->rect.x, span->rect.y, span->rect.width, span->rect.height);
  span->rect.height = 0;
}

static void
vgad_span_add (VgadSpan *span, int x, int y, int width, int height)
{
  VmmRect *rect = &span->rect;

  if (rect->height > 0 && y <= rect->y + rect->height)
    {
      int right = MAX (rect->x + rect->width, x + width);

      rect->x = MIN (rect->x, x);
      rect->width = right - rect->x;
      rect->height = y + height - rect->y;
      return;
    }
  vgad_span_flush (span);
  *rect = (VmmRect) { x, y, width, height };
}

/* Planes. A line of dots is drawn from its leftmost character clock on, then cut to the panning. */

/* Eight pixels of a byte a plane, first pixel in the lowest byte. */
static inline guint64
vgad_spread (guint8 bits)
{
  guint64 spread = bits * G_GUINT64_CONSTANT (0x0101010101010101) & G_GUINT64_CONSTANT (0x0102040810204080);

  return (spread + G_GUINT64_CONSTANT (0x7f7f7f7f7f7f7f7f)) >> 7 & G_GUINT64_CONSTANT (0x0101010101010101);
}

static inline void
vgad_clock_planar (const guint8 *bytes, const guint32 *palette, guint32 *out)
{
  guint64 pixels = vgad_spread (bytes[0]) | vgad_spread (bytes[1]) << 1 | vgad_spread (bytes[2]) << 2 | vgad_spread (bytes[3]) << 3;

  for (guint i = 0; i < 8; i++, pixels >>= 8)
    out[i] = palette[pixels & 0x0f];
}

/* Two bits a pixel: planes 0 and 1 after each other, planes 2 and 3 bring the upper bits. */
static inline void
vgad_clock_cga (const guint8 *bytes, const guint32 *palette, guint32 *out)
{
  for (guint half = 0; half < 2; half++)
    for (guint i = 0; i < 4; i++)
      *out++ = palette[(bytes[half] >> (6 - 2 * i) & 3) | (bytes[half + 2] >> (6 - 2 * i) & 3) << 2];
}

static inline void
vgad_clock_256 (const guint8 *bytes, const guint32 *palette, guint32 *out)
{
  for (guint i = 0; i < 4; i++)
    out[2 * i] = out[2 * i + 1] = palette[bytes[i]];
}

static void
vgad_draw_planes (VmmVga *vga, const VmmVgaBand *band, guint row, guint32 *out)
{
  const VmmVgaMode *mode = &vga->mode;
  guint32 dots[VMM_VGA_MAX_WIDTH + 8];
  guint pan = band->below ? mode->pan_below : mode->pan, clocks = mode->chars + (pan > 0 ? 1 : 0);

  for (guint i = 0; i < clocks; i++)
    {
      const guint8 *bytes = vga->vram + vmm_vga_address (mode, band->counter + i, row) * 4;

      if (mode->kind == VMM_VGA_PLANAR)
        vgad_clock_planar (bytes, vga->palette, dots + 8 * i);
      else if (mode->kind == VMM_VGA_CGA)
        vgad_clock_cga (bytes, vga->palette, dots + 8 * i);
      else
        vgad_clock_256 (bytes, vga->palette, dots + 8 * i);
    }
  if (mode->dot_repeat == 1)
    memcpy (out, dots + pan, (gsize) mode->width * 4);
  else
    for (gint32 x = 0; x < mode->width / 2; x++)
      out[2 * x] = out[2 * x + 1] = dots[(guint) x + pan];
}

static gboolean
vgad_planes_dirty (const VmmVga *vga, const VmmVgaBand *band)
{
  const VmmVgaMode *mode = &vga->mode;
  guint32 address = band->counter & mode->wrap, clocks = mode->chars + 1, fit = mode->wrap + 1 - address;

  /* Not one piece of memory: any change of what the planes can hold counts. */
  if (mode->word || mode->row_bits != 0)
    return vmm_vga_is_dirty (vga, 0, VMM_VGA_LEGACY_SIZE);
  return vmm_vga_is_dirty (vga, address * 4, MIN (clocks, fit) * 4)
         || (clocks > fit && vmm_vga_is_dirty (vga, 0, (clocks - fit) * 4));
}

static void
vgad_planes (VmmVga *vga, VmmSurface *surface)
{
  const VmmVgaMode *mode = &vga->mode;
  VgadSpan span = { .console = vga->console };
  VmmVgaBand band = { 0 };

  while (vmm_vga_next_band (mode, &band))
    {
      if (!vga->redraw && !vgad_planes_dirty (vga, &band))
        continue;
      for (int i = 0; i < band.lines; i++)
        {
          guint32 *out = (guint32 *) (surface->pixels + (gsize) (band.y + i) * surface->stride);
          gboolean same = i > 0 && (mode->row_bits == 0 || (guint) i % mode->line_repeat != 0);

          if (same)
            memcpy (out, (guint8 *) out - surface->stride, (gsize) mode->width * 4);
          else
            vgad_draw_planes (vga, &band, band.row + (guint) i / mode->line_repeat, out);
        }
      vgad_span_add (&span, 0, band.y, mode->width, band.lines);
    }
  vgad_span_flush (&span);
}

/* Linear memory that needs conversion */

static guint
vgad_linear_bytes (const VmmVgaMode *mode)
{
  switch ((VmmVgaKind) mode->kind)
    {
    case VMM_VGA_LINEAR_8:
      return 1;
    case VMM_VGA_LINEAR_15:
    case VMM_VGA_LINEAR_16:
      return 2;
    case VMM_VGA_LINEAR_24:
      return 3;
    default:
      return 4;
    }
}

/* Eight pixels at a time: widths are multiples of eight. */
typedef guint16 VgadPixels16 __attribute__ ((vector_size (16)));
typedef guint32 VgadPixels32 __attribute__ ((vector_size (32)));

static inline void
vgad_draw_high_color (const guint8 *in, guint32 *out, gint32 width, guint red_shift, guint green_bits, gboolean big_endian)
{
  guint green_mask = (1u << green_bits) - 1, green_up = 8 - green_bits, green_down = 2 * green_bits - 8;

  for (gint32 x = 0; x < width; x += 8)
    {
      VgadPixels16 raw;
      VgadPixels32 v, r, g, b;

      memcpy (&raw, in + 2 * x, sizeof raw);
      if (big_endian)
        raw = raw << 8 | raw >> 8;
      v = __builtin_convertvector (raw, VgadPixels32);
      r = v >> red_shift & 0x1f;
      g = v >> 5 & green_mask;
      b = v & 0x1f;
      v = (r << 3 | r >> 2) << 16 | (g << green_up | g >> green_down) << 8 | (b << 3 | b >> 2);
      memcpy (out + x, &v, sizeof v);
    }
}

static void
vgad_draw_linear (const VmmVga *vga, const guint8 *in, guint32 *out)
{
  const VmmVgaMode *mode = &vga->mode;
  gint32 width = mode->width;

  switch ((VmmVgaKind) mode->kind)
    {
    case VMM_VGA_LINEAR_8:
      for (gint32 x = 0; x < width; x++)
        out[x] = vga->palette[in[x]];
      break;
    case VMM_VGA_LINEAR_15:
      vgad_draw_high_color (in, out, width, 10, 5, mode->big_endian != 0);
      break;
    case VMM_VGA_LINEAR_16:
      vgad_draw_high_color (in, out, width, 11, 6, mode->big_endian != 0);
      break;
    case VMM_VGA_LINEAR_24:
      for (gint32 x = 0; x < width; x++, in += 3)
        out[x] = mode->big_endian ? (guint32) in[0] << 16 | (guint32) in[1] << 8 | in[2]
                                  : (guint32) in[2] << 16 | (guint32) in[1] << 8 | in[0];
      break;
    default:
      for (gint32 x = 0; x < width; x++, in += 4)
        out[x] = mode->big_endian ? (guint32) in[1] << 16 | (guint32) in[2] << 8 | in[3]
                                  : (guint32) in[2] << 16 | (guint32) in[1] << 8 | in[0];
      break;
    }
}

static void
vgad_linear (VmmVga *vga, VmmSurface *surface)
{
  const VmmVgaMode *mode = &vga->mode;
  VgadSpan span = { .console = vga->console };
  guint32 len = (guint32) mode->width * vgad_linear_bytes (mode);

  for (gint32 y = 0; y < mode->height; y++)
    {
      guint32 *out = (guint32 *) (surface->pixels + (gsize) y * surface->stride);
      guint64 offset = mode->start + (guint64) mode->pitch * (guint32) y;
      gboolean inside = offset + len <= vga->vram_size;

      if (!vga->redraw && (!inside || !vmm_vga_is_dirty (vga, (guint32) offset, len)))
        continue;
      if (inside)
        vgad_draw_linear (vga, vga->vram + offset, out);
      else
        memset (out, 0, (gsize) mode->width * 4);
      vgad_span_add (&span, 0, y, mode->width, 1);
    }
  vgad_span_flush (&span);
}

/* Video memory shown as it is: dirty pages become damage. */
static void
vgad_direct (VmmVga *vga)
{
  const VmmVgaMode *mode = &vga->mode;
  VgadSpan span = { .console = vga->console };
  guint32 line_bytes = (guint32) mode->width * 4;
  guint32 start = mode->start, end = start + mode->pitch * ((guint32) mode->height - 1) + line_bytes;
  guint32 page = start / VMM_VGA_PAGE, last = (end - 1) / VMM_VGA_PAGE;

  if (vga->redraw)
    {
      vmm_console_damage (vga->console, 0, 0, mode->width, mode->height);
      return;
    }
  while (page <= last)
    {
      guint32 first = page, from, to, y, y_last, x = 0, right = (guint32) mode->width;

      if (vga->dirty[page / 64] >> page % 64 == 0)
        {
          page = (page | 63) + 1;
          continue;
        }
      if (!(vga->dirty[page / 64] >> page % 64 & 1))
        {
          page++;
          continue;
        }
      while (page <= last && (vga->dirty[page / 64] >> page % 64 & 1))
        page++;
      from = MAX (first * VMM_VGA_PAGE, start) - start;
      to = MIN (page * VMM_VGA_PAGE, end) - start;
      y = from / mode->pitch;
      y_last = (to - 1) / mode->pitch;
      if (y == y_last)
        {
          x = from % mode->pitch / 4;
          right = MIN (((to - 1) % mode->pitch) / 4 + 1, right);
          if (x >= right)
            continue; /* right of the picture */
        }
      vgad_span_add (&span, (int) x, (int) y, (int) (right - x), (int) (y_last - y + 1));
    }
  vgad_span_flush (&span);
}

/* Adds what the guest wrote through BAR0. */
static void
vgad_collect_dirty (VmmVga *vga)
{
  VmmMemory *memory = vmm_device_get_memory (&vga->pci->base);
  VmmSlot *slot = vmm_pci_device_get_bar_slot (vga->pci, 0);

  if (slot == NULL)
    return;
  if (!vmm_slot_fetch_dirty (memory, slot, vga->fetched, vga->dirty_words))
    {
      /* A new slot: the BAR was moved. What was written meanwhile is unknown. */
      vmm_slot_set_logging (memory, slot, TRUE);
      vmm_vga_mark_all_dirty (vga);
      return;
    }
  for (gsize i = 0; i < vga->dirty_words; i++)
    if (vga->fetched[i] != 0)
      {
        vga->dirty[i] |= vga->fetched[i];
        vga->touched = TRUE;
        if (i * 64 * VMM_VGA_PAGE < VMM_VGA_LEGACY_SIZE)
          vga->font_touched = TRUE;
      }
}

/* Works mode and palette out; notes whether the picture is to be drawn anew. */
static void
vgad_refresh_mode (VmmVga *vga)
{
  VmmVgaMode mode, old = vga->mode;
  guint32 palette[256];

  vmm_vga_mode_from_regs (vga->regs, vga->vram_size, &mode);
  vmm_vga_palette_from_regs (vga->regs, &mode, palette);
  if (mode.kind == VMM_VGA_TEXT)
    old.start = mode.start; /* the text renderer compares what it shows */
  if (memcmp (&mode, &old, sizeof mode) != 0 || memcmp (palette, vga->palette, sizeof palette) != 0)
    vga->redraw = TRUE;
  vga->mode = mode;
  memcpy (vga->palette, palette, sizeof palette);
}

/* FALSE: the host has no memory for it; tried again at the next pull. */
static gboolean
vgad_need_surface (VmmVga *vga, VmmConsole *console, int width, int height)
{
  VmmSurface *surface = vmm_console_get_surface (console);
  g_autoptr (GError) error = NULL;

  if (surface != NULL && !vga->direct && surface->width == width && surface->height == height)
    return TRUE;
  surface = vmm_surface_new (width, height, &error);
  if (surface == NULL)
    {
      vmm_log_warning (vga->pci->base.machine, &vga->pci->base, "%s", error->message);
      return FALSE;
    }
  vmm_console_set_surface (console, surface);
  vga->direct = FALSE;
  vga->redraw = TRUE;
  return TRUE;
}

static gboolean
vgad_blank (VmmVga *vga, VmmConsole *console)
{
  VmmSurface *surface = vmm_console_get_surface (console);
  int width = surface != NULL ? surface->width : 720, height = surface != NULL ? surface->height : 400;

  if (!vga->redraw)
    return TRUE;
  if (!vgad_need_surface (vga, console, width, height))
    return FALSE;
  surface = vmm_console_get_surface (console);
  memset (surface->pixels, 0, surface->stride * (gsize) surface->height);
  vmm_console_damage (console, 0, 0, surface->width, surface->height);
  return TRUE;
}

static void
vgad_direct_surface (VmmVga *vga, VmmConsole *console)
{
  const VmmVgaMode *mode = &vga->mode;

  if (!vga->redraw)
    return;
  vmm_console_set_surface (console, vmm_surface_new_for_memory (mode->width, mode->height, mode->pitch, vga->vram + mode->start,
                                                                vga->memory->ram->fd, mode->start, vmm_vga_memory_unref,
                                                                vmm_vga_memory_ref (vga->memory)));
  vga->direct = TRUE;
}

void
vmm_vga_update (VmmVga *vga)
{
  VmmConsole *console = vga->console;
  VmmSurface *surface;

  vgad_collect_dirty (vga);
  if (vga->stale)
    vgad_refresh_mode (vga);

  if (vga->mode.blank)
    {
      if (!vgad_blank (vga, console))
        return;
    }
  else if (vga->mode.kind == VMM_VGA_DIRECT)
    vgad_direct_surface (vga, console);
  else if (!vgad_need_surface (vga, console, vga->mode.width, vga->mode.height))
    return;

  surface = vmm_console_get_surface (console);
  if (!vga->mode.blank)
    switch ((VmmVgaKind) vga->mode.kind)
      {
      case VMM_VGA_TEXT:
        vmm_vga_text_draw (vga, surface);
        break;
      case VMM_VGA_PLANAR:
      case VMM_VGA_CGA:
      case VMM_VGA_256:
        if (vga->redraw || vga->touched)
          vgad_planes (vga, surface);
        break;
      case VMM_VGA_LINEAR_8:
      case VMM_VGA_LINEAR_15:
      case VMM_VGA_LINEAR_16:
      case VMM_VGA_LINEAR_24:
      case VMM_VGA_LINEAR_32:
        if (vga->redraw || vga->touched)
          vgad_linear (vga, surface);
        break;
      case VMM_VGA_DIRECT:
        if (vga->redraw || vga->touched)
          vgad_direct (vga);
        break;
      }

  if (vga->touched)
    memset (vga->dirty, 0, vga->dirty_words * sizeof *vga->dirty);
  vga->touched = vga->redraw = vga->stale = FALSE;
}

void
vmm_vga_set_watched (VmmVga *vga, gboolean watched)
{
  VmmSlot *slot = vmm_pci_device_get_bar_slot (vga->pci, 0);

  /* The log is switched on by the first pull, together with a look at everything. */
  if (!watched && slot != NULL)
    vmm_slot_set_logging (vmm_device_get_memory (&vga->pci->base), slot, FALSE);
  if (watched)
    vmm_vga_mark_all_dirty (vga);
}
