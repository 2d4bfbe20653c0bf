/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the tests of the VGA share. */
#pragma once

#include "test-board.h"
#include "vga-mode-tables.h"

#include "display/vga.h"

#include <glib/gstdio.h>

/* A board with a VGA on it. The expansion ROM is a file of our own: these tests need no firmware. */
typedef struct {
  TestBoard *board;
  VmmDevice *dev;
  VmmVga *vga;
  VmmConsole *console;
  char *rom;
} VgaTest;

static inline void
vga_test_init (VgaTest *test, const char *memory)
{
  /* PCI 3.0 §6.3.1: header with the pointer at 18, data structure of 18 bytes, one unit long, last image */
  guint8 rom[512] = { 0x55, 0xaa, 0x01, [0x18] = 0x1c, [0x1c] = 'P',  'C',           'I',          'R',
                      0x34, 0x12, 0x11, 0x11,          [0x26] = 0x18, [0x2c] = 0x01, [0x31] = 0x80 };
  g_autoptr (GError) error = NULL;
  int fd = g_file_open_tmp ("vga-test-XXXXXX.rom", &test->rom, &error);

  g_assert_no_error (error);
  close (fd);
  g_file_set_contents (test->rom, (const char *) rom, sizeof rom, &error);
  g_assert_no_error (error);
  test->board = test_board_new ();
  test->dev = test_board_add (test->board, "vga", "video0", "memory", memory, "rom", test->rom, NULL);
  test->vga = &((VmmStdVga *) test->dev)->vga;
  test->console = vmm_machine_get_console (test->board->machine, 0);
  g_assert_nonnull (test->console);
}

static inline void
vga_test_clear (VgaTest *test)
{
  test_board_free (test->board);
  g_unlink (test->rom);
  g_free (test->rom);
}

static inline void
vga_test_out (VgaTest *test, guint16 port, guint8 index, guint8 value)
{
  test_outw (test->board, port, (guint16) (index | value << 8));
}

static inline void
vga_test_attr (VgaTest *test, guint8 index, guint8 value)
{
  test_inb (test->board, test->vga->regs->misc & 1 ? 0x3da : 0x3ba);
  test_outb (test->board, 0x3c0, index);
  test_outb (test->board, 0x3c0, value);
  test_outb (test->board, 0x3c0, 0x20);
}

static inline void
vga_test_color (VgaTest *test, guint8 index, guint8 r, guint8 g, guint8 b)
{
  test_outb (test->board, 0x3c8, index);
  test_outb (test->board, 0x3c9, r);
  test_outb (test->board, 0x3c9, g);
  test_outb (test->board, 0x3c9, b);
}

/* A mode set as a BIOS does it: palette too. */
static inline void
vga_test_set_mode (VgaTest *test, const VgaTestMode *mode)
{
  guint16 crtc = mode->misc & 1 ? 0x3d4 : 0x3b4;

  test_outb (test->board, 0x3c2, mode->misc);
  for (guint8 i = 0; i < G_N_ELEMENTS (mode->seq); i++)
    vga_test_out (test, 0x3c4, i, mode->seq[i]);
  vga_test_out (test, crtc, 0x11, 0x00);
  for (guint8 i = 0; i < G_N_ELEMENTS (mode->crtc); i++)
    if (i != 0x11)
      vga_test_out (test, crtc, i, mode->crtc[i]);
  vga_test_out (test, crtc, 0x11, mode->crtc[0x11]);
  for (guint8 i = 0; i < G_N_ELEMENTS (mode->gfx); i++)
    vga_test_out (test, 0x3ce, i, mode->gfx[i]);
  test_inb (test->board, crtc + 6);
  for (guint8 i = 0; i < G_N_ELEMENTS (mode->attr); i++)
    {
      test_outb (test->board, 0x3c0, i);
      test_outb (test->board, 0x3c0, mode->attr[i]);
    }
  test_outb (test->board, 0x3c0, 0x20);
  test_outb (test->board, 0x3c6, 0xff);
  /* The 64 colours of an EGA: bits 2-0 two thirds of red, green, blue, bits 5-3 one third. */
  for (guint8 i = 0; i < 64; i++)
    vga_test_color (test, i, (i >> 2 & 1) * 42 + (i >> 5 & 1) * 21, (i >> 1 & 1) * 42 + (i >> 4 & 1) * 21,
                    (i & 1) * 42 + (i >> 3 & 1) * 21);
}

/* Loads glyphs the documented way: plane 2 alone, flat, at A0000; then back to text. */
static inline void
vga_test_set_glyph (VgaTest *test, guint32 font, guint8 character, const guint8 rows[16])
{
  guint8 map = test_inb (test->board, 0x3c4);
  guint8 gfx6 = test->vga->regs->gfx[6];

  vga_test_out (test, 0x3c4, 2, 0x04);
  vga_test_out (test, 0x3c4, 4, 0x07);
  vga_test_out (test, 0x3ce, 4, 0x02);
  vga_test_out (test, 0x3ce, 5, 0x00);
  vga_test_out (test, 0x3ce, 6, 0x04);
  for (guint i = 0; i < 16; i++)
    test_write (test->board, 0xa0000 + font + character * 32u + i, 1, rows[i]);
  vga_test_out (test, 0x3c4, 2, 0x03);
  vga_test_out (test, 0x3c4, 4, 0x02);
  vga_test_out (test, 0x3ce, 4, 0x00);
  vga_test_out (test, 0x3ce, 5, 0x10);
  vga_test_out (test, 0x3ce, 6, gfx6);
  test_outb (test->board, 0x3c4, map);
}

static inline void
vga_test_put (VgaTest *test, guint column, guint row, guint8 character, guint8 attr)
{
  test_write (test->board, 0xb8000 + (row * 80 + column) * 2, 2, (guint) character | (guint) attr << 8);
}

static inline guint32
vga_test_pixel (const VmmSurface *surface, int x, int y)
{
  guint32 pixel;

  g_assert_cmpint (x, <, surface->width);
  g_assert_cmpint (y, <, surface->height);
  memcpy (&pixel, surface->pixels + (gsize) y * surface->stride + (gsize) x * 4, 4);
  return pixel & 0xffffff;
}

/* A row of pixels as text: '#' where it is @fg, '.' where it is @bg, '?' else. */
static inline char *
vga_test_row (const VmmSurface *surface, int x, int y, int width, guint32 fg, guint32 bg)
{
  char *row = g_malloc ((gsize) width + 1);

  for (int i = 0; i < width; i++)
    {
      guint32 pixel = vga_test_pixel (surface, x + i, y);

      row[i] = pixel == fg ? '#' : pixel == bg ? '.' : '?';
    }
  row[width] = '\0';
  return row;
}

static inline void
vga_test_assert_row (const VmmSurface *surface, int x, int y, guint32 fg, guint32 bg, const char *expected)
{
  g_autofree char *row = vga_test_row (surface, x, y, (int) strlen (expected), fg, bg);

  g_assert_cmpstr (row, ==, expected);
}

static inline void
vga_test_dispi (VgaTest *test, guint16 index, guint16 value)
{
  test_outw (test->board, 0x1ce, index);
  test_outw (test->board, 0x1cf, value);
}

static inline guint16
vga_test_dispi_read (VgaTest *test, guint16 index)
{
  test_outw (test->board, 0x1ce, index);
  return test_inw (test->board, 0x1cf);
}

/* As a driver does it (Bochs vbe_spec). */
static inline void
vga_test_vbe (VgaTest *test, guint16 width, guint16 height, guint16 bpp, guint16 flags)
{
  vga_test_dispi (test, VMM_VGA_DISPI_ENABLE, 0);
  vga_test_dispi (test, VMM_VGA_DISPI_XRES, width);
  vga_test_dispi (test, VMM_VGA_DISPI_YRES, height);
  vga_test_dispi (test, VMM_VGA_DISPI_BPP, bpp);
  vga_test_dispi (test, VMM_VGA_DISPI_ENABLE, VMM_VGA_DISPI_ENABLED | flags);
  test_outb (test->board, 0x3c2, 0x67);
  test_inb (test->board, 0x3da);
  test_outb (test->board, 0x3c0, 0x20);
}
