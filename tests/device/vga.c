/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Registers and window of the VGA, against IBM's definition (PS/2 Hardware Interface Technical Reference, Video Subsystem), Bochs VBE and
 * VESA's EDID and CVT. */
#include "vga-modes.h"

#include "display/edid.h"

#include "core/fields.h"

#define FRAME_NS 14268500 /* mode 3: 900 × 449 dots at 28.322 MHz are 14.26806 ms; a little more */
#define WINDOW 0xa0000

static void
start_planar (VgaTest *test)
{
  vga_test_init (test, "16");
  vga_test_set_mode (test, &vga_test_mode_12);
}

static guint8
plane_at (VgaTest *test, guint plane, guint32 address)
{
  vga_test_out (test, 0x3ce, 4, (guint8) plane);
  return (guint8) test_read (test->board, WINDOW + address, 1);
}

static void
assert_planes (VgaTest *test, guint32 address, guint8 p0, guint8 p1, guint8 p2, guint8 p3)
{
  vga_test_out (test, 0x3ce, 5, 0x00);
  g_assert_cmphex (plane_at (test, 0, address), ==, p0);
  g_assert_cmphex (plane_at (test, 1, address), ==, p1);
  g_assert_cmphex (plane_at (test, 2, address), ==, p2);
  g_assert_cmphex (plane_at (test, 3, address), ==, p3);
}

/* The four planes by themselves. */
static void
put_planes (VgaTest *test, guint32 address, guint8 p0, guint8 p1, guint8 p2, guint8 p3)
{
  const guint8 bytes[4] = { p0, p1, p2, p3 };

  vga_test_out (test, 0x3ce, 1, 0x00);
  vga_test_out (test, 0x3ce, 3, 0x00);
  vga_test_out (test, 0x3ce, 5, 0x00);
  vga_test_out (test, 0x3ce, 8, 0xff);
  for (guint8 i = 0; i < 4; i++)
    {
      vga_test_out (test, 0x3c4, 2, (guint8) (1 << i));
      test_write (test->board, WINDOW + address, 1, bytes[i]);
    }
  vga_test_out (test, 0x3c4, 2, 0x0f);
}

static void
write_mode_0_rotates_sets_and_masks (void)
{
  VgaTest test;

  start_planar (&test);
  put_planes (&test, 0, 0x00, 0xff, 0x0f, 0xf0);

  /* Rotated right by three: 0x81 → 0x30, to planes 0 and 2 */
  vga_test_out (&test, 0x3ce, 3, 0x03);
  vga_test_out (&test, 0x3c4, 2, 0x05);
  test_write (test.board, WINDOW, 1, 0x81);
  assert_planes (&test, 0, 0x30, 0xff, 0x30, 0xf0);

  /* Set/reset 1010 enabled for planes 0, 1: plane 0 gets 00, plane 1 FF; the others the data */
  vga_test_out (&test, 0x3ce, 3, 0x00);
  vga_test_out (&test, 0x3ce, 0, 0x0a);
  vga_test_out (&test, 0x3ce, 1, 0x03);
  vga_test_out (&test, 0x3c4, 2, 0x0f);
  test_write (test.board, WINDOW + 1, 1, 0x5a);
  assert_planes (&test, 1, 0x00, 0xff, 0x5a, 0x5a);

  /* The bit mask keeps bits of the latches, and those come from the last read, not from the address written */
  put_planes (&test, 2, 0x11, 0x22, 0x44, 0x88);
  put_planes (&test, 3, 0x00, 0x00, 0x00, 0x00);
  test_read (test.board, WINDOW + 2, 1);
  vga_test_out (&test, 0x3ce, 8, 0xf0);
  test_write (test.board, WINDOW + 3, 1, 0xcc);
  assert_planes (&test, 3, 0xc1, 0xc2, 0xc4, 0xc8);
  vga_test_clear (&test);
}

static void
the_alu_combines_data_with_the_latches (void)
{
  static const struct {
    guint8 function, p0, p1, p2, p3;
  } cases[] = { { 0x08, 0x0c, 0x00, 0x30, 0x3c },   /* AND 3C */
                { 0x10, 0x3f, 0x3c, 0xfc, 0xff },   /* OR */
                { 0x18, 0x33, 0x3c, 0xcc, 0xc3 } }; /* XOR */
  VgaTest test;

  start_planar (&test);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      put_planes (&test, 7, 0x0f, 0x00, 0xf0, 0xff);
      test_read (test.board, WINDOW + 7, 1);
      vga_test_out (&test, 0x3ce, 3, cases[i].function);
      test_write (test.board, WINDOW + 7, 1, 0x3c);
      assert_planes (&test, 7, cases[i].p0, cases[i].p1, cases[i].p2, cases[i].p3);
    }
  vga_test_clear (&test);
}

static void
write_mode_1_copies_the_latches (void)
{
  VgaTest test;

  start_planar (&test);
  put_planes (&test, 100, 0x12, 0x34, 0x56, 0x78);
  vga_test_out (&test, 0x3ce, 5, 0x01);
  vga_test_out (&test, 0x3ce, 8, 0x0f); /* of no effect here */
  vga_test_out (&test, 0x3c4, 2, 0x0b); /* but the map mask is */
  test_read (test.board, WINDOW + 100, 1);
  test_write (test.board, WINDOW + 200, 1, 0xff);
  assert_planes (&test, 200, 0x12, 0x34, 0x00, 0x78);
  vga_test_clear (&test);
}

static void
write_mode_2_writes_a_colour (void)
{
  VgaTest test;

  start_planar (&test);
  put_planes (&test, 5, 0xff, 0x00, 0xff, 0x00);
  vga_test_out (&test, 0x3ce, 5, 0x02);
  vga_test_out (&test, 0x3ce, 8, 0x10); /* one pixel */
  test_read (test.board, WINDOW + 5, 1);
  test_write (test.board, WINDOW + 5, 1, 0x0a);
  assert_planes (&test, 5, 0xef, 0x10, 0xef, 0x10);
  vga_test_clear (&test);
}

static void
write_mode_3_takes_the_data_as_mask (void)
{
  VgaTest test;

  start_planar (&test);
  put_planes (&test, 6, 0x00, 0x00, 0xff, 0xff);
  vga_test_out (&test, 0x3ce, 0, 0x05); /* whatever GR1 says */
  vga_test_out (&test, 0x3ce, 3, 0x04); /* rotate by four: 0x3c → 0xc3 */
  vga_test_out (&test, 0x3ce, 5, 0x03);
  vga_test_out (&test, 0x3ce, 8, 0xfe); /* and mask: 0xc2 */
  test_read (test.board, WINDOW + 6, 1);
  test_write (test.board, WINDOW + 6, 1, 0x3c);
  assert_planes (&test, 6, 0xc2, 0x00, 0xff, 0x3d);
  vga_test_clear (&test);
}

static void
read_mode_1_finds_a_colour (void)
{
  VgaTest test;

  start_planar (&test);
  /* Pixels 0 to 7: 0 1 2 3 4 5 6 7 */
  put_planes (&test, 9, 0x55, 0x33, 0x0f, 0x00);
  vga_test_out (&test, 0x3ce, 5, 0x08);
  vga_test_out (&test, 0x3ce, 2, 0x05);
  vga_test_out (&test, 0x3ce, 7, 0x0f);
  g_assert_cmphex (test_read (test.board, WINDOW + 9, 1), ==, 0x04);
  vga_test_out (&test, 0x3ce, 7, 0x05); /* planes 1, 3 do not matter: 5 and 7 */
  g_assert_cmphex (test_read (test.board, WINDOW + 9, 1), ==, 0x05);
  vga_test_out (&test, 0x3ce, 7, 0x00);
  g_assert_cmphex (test_read (test.board, WINDOW + 9, 1), ==, 0xff);
  vga_test_clear (&test);
}

static void
wide_accesses_are_bytes_in_order (void)
{
  VgaTest test;

  start_planar (&test);
  test_write (test.board, WINDOW + 16, 4, 0x44332211);
  g_assert_cmphex (test_read (test.board, WINDOW + 16, 1), ==, 0x11);
  g_assert_cmphex (test_read (test.board, WINDOW + 17, 2), ==, 0x3322);
  g_assert_cmphex (test_read (test.board, WINDOW + 16, 8), ==, 0x44332211);
  vga_test_clear (&test);
}

static void
the_window_is_where_gr6_says (void)
{
  static const struct {
    guint8 gfx6;
    guint32 first, end;
  } cases[] = { { 0x01, 0xa0000, 0xc0000 }, { 0x05, 0xa0000, 0xb0000 }, { 0x09, 0xb0000, 0xb8000 }, { 0x0d, 0xb8000, 0xc0000 } };
  VgaTest test;

  start_planar (&test);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      vga_test_out (&test, 0x3ce, 6, 0x05);
      put_planes (&test, 0, 0, 0, 0, 0);
      put_planes (&test, 0x7fff, 0, 0, 0, 0);
      vga_test_out (&test, 0x3ce, 6, cases[i].gfx6);
      test_write (test.board, cases[i].first, 1, 0x77);
      g_assert_cmphex (test_read (test.board, cases[i].first, 1), ==, 0x77);
      test_write (test.board, cases[i].end - 1, 1, 0x66);
      g_assert_cmphex (test_read (test.board, cases[i].end - 1, 1), ==, 0x66);
      if (cases[i].first > 0xa0000)
        {
          test_write (test.board, cases[i].first - 1, 1, 0x12);
          g_assert_cmphex (test_read (test.board, cases[i].first - 1, 1), ==, 0xff);
        }
      if (cases[i].end < 0xc0000)
        {
          test_write (test.board, cases[i].end, 1, 0x12);
          g_assert_cmphex (test_read (test.board, cases[i].end, 1), ==, 0xff);
        }
    }
  /* Misc bit 1 takes memory away altogether. */
  test_outb (test.board, 0x3c2, 0x61);
  g_assert_cmphex (test_read (test.board, 0xb8000, 1), ==, 0xff);
  vga_test_clear (&test);
}

static void
odd_and_even_bytes_go_to_planes (void)
{
  VgaTest test;

  vga_test_init (&test, "16");
  vga_test_set_mode (&test, &vga_test_mode_3);
  test_write (test.board, 0xb8000 + 10, 2, 0x1e41);
  g_assert_cmphex (test_read (test.board, 0xb8000 + 10, 2), ==, 0x1e41);
  /* Plane 0 has the even byte, plane 1 the odd one, both at address 10. */
  vga_test_out (&test, 0x3c4, 4, 0x06);
  vga_test_out (&test, 0x3ce, 5, 0x00);
  vga_test_out (&test, 0x3ce, 6, 0x0c);
  vga_test_out (&test, 0x3ce, 4, 0x00);
  g_assert_cmphex (test_read (test.board, 0xb8000 + 10, 1), ==, 0x41);
  vga_test_out (&test, 0x3ce, 4, 0x01);
  g_assert_cmphex (test_read (test.board, 0xb8000 + 10, 1), ==, 0x1e);
  vga_test_clear (&test);
}

static void
chain_4_spreads_bytes_over_planes (void)
{
  VgaTest test;

  vga_test_init (&test, "16");
  vga_test_set_mode (&test, &vga_test_mode_13);
  test_write (test.board, WINDOW + 8, 4, 0x04030201);
  g_assert_cmphex (test_read (test.board, WINDOW + 8, 4), ==, 0x04030201);
  vga_test_out (&test, 0x3c4, 2, 0x0d); /* plane 1 may not be written */
  test_write (test.board, WINDOW + 8, 4, 0x14131211);
  g_assert_cmphex (test_read (test.board, WINDOW + 8, 4), ==, 0x14130211);
  vga_test_clear (&test);
}

static void
crtc_protection_leaves_line_compare_bit_8 (void)
{
  VgaTest test;

  start_planar (&test);
  g_assert_cmphex (test.vga->regs->crtc[0x11], ==, 0x8c);
  test_outb (test.board, 0x3d4, 0x00);
  test_outb (test.board, 0x3d5, 0x12);
  g_assert_cmphex (test_inb (test.board, 0x3d5), ==, 0x5f);
  vga_test_out (&test, 0x3d4, 0x07, 0x00);
  g_assert_cmphex (test_inb (test.board, 0x3d5), ==, 0x2e);
  vga_test_out (&test, 0x3d4, 0x11, 0x0c);
  vga_test_out (&test, 0x3d4, 0x00, 0x12);
  g_assert_cmphex (test_inb (test.board, 0x3d5), ==, 0x12);
  vga_test_clear (&test);
}

static void
crtc_moves_with_the_misc_register (void)
{
  VgaTest test;

  start_planar (&test);
  g_assert_cmphex (test_inb (test.board, 0x3b5), ==, 0xff);
  test_outb (test.board, 0x3c2, 0xe2);
  g_assert_cmphex (test_inb (test.board, 0x3cc), ==, 0xe2);
  g_assert_cmphex (test_inb (test.board, 0x3d5), ==, 0xff);
  g_assert_cmphex (test_inb (test.board, 0x3da), ==, 0xff);
  test_outb (test.board, 0x3b4, 0x01);
  g_assert_cmphex (test_inb (test.board, 0x3b5), ==, 0x4f);
  vga_test_clear (&test);
}

static void
attribute_port_alternates (void)
{
  VgaTest test;

  start_planar (&test);
  test_inb (test.board, 0x3da);
  test_outb (test.board, 0x3c0, 0x11 | 0x20);
  test_outb (test.board, 0x3c0, 0x2a);
  test_outb (test.board, 0x3c0, 0x12 | 0x20);
  test_outb (test.board, 0x3c0, 0xff);
  g_assert_cmphex (test_inb (test.board, 0x3c0), ==, 0x32);
  g_assert_cmphex (test_inb (test.board, 0x3c1), ==, 0x3f);
  test_outb (test.board, 0x3c0, 0x31); /* index, then the status read starts over */
  test_inb (test.board, 0x3da);
  test_outb (test.board, 0x3c0, 0x31);
  g_assert_cmphex (test_inb (test.board, 0x3c1), ==, 0x2a);
  vga_test_clear (&test);
}

static void
dac_takes_three_parts_and_counts_on (void)
{
  static const guint8 parts[] = { 0x01, 0x42, 0x3f, 0x04, 0x05, 0x06 };
  VgaTest test;

  start_planar (&test);
  test_outb (test.board, 0x3c8, 0xff);
  for (guint i = 0; i < sizeof parts; i++)
    test_outb (test.board, 0x3c9, parts[i]);
  g_assert_cmphex (test_inb (test.board, 0x3c7), ==, 0x00);
  g_assert_cmphex (test_inb (test.board, 0x3c8), ==, 0x01); /* wrapped, and on */
  test_outb (test.board, 0x3c7, 0xff);
  g_assert_cmphex (test_inb (test.board, 0x3c7), ==, 0x03);
  for (guint i = 0; i < sizeof parts; i++)
    g_assert_cmphex (test_inb (test.board, 0x3c9), ==, parts[i] & 0x3f); /* six bits */

  /* Eight bits when VBE says so */
  vga_test_dispi (&test, VMM_VGA_DISPI_ENABLE, VMM_VGA_DISPI_8BIT_DAC);
  vga_test_color (&test, 7, 0xff, 0x80, 0x7f);
  test_outb (test.board, 0x3c7, 7);
  g_assert_cmphex (test_inb (test.board, 0x3c9), ==, 0xff);
  g_assert_cmphex (test_inb (test.board, 0x3c9), ==, 0x80);
  g_assert_cmphex (test_inb (test.board, 0x3c9), ==, 0x7f);
  vga_test_clear (&test);
}

/* Mode 3: 449 lines of 900 dots at 28.322 MHz, of which 400 × 720 are shown; retrace in lines 412 and 413. */
static void
status_follows_the_clock (void)
{
  VgaTest test;
  guint retraces = 0, in_retrace = 0, hidden = 0;
  guint8 last = 0;

  vga_test_init (&test, "16");
  vga_test_set_mode (&test, &vga_test_mode_3);
  for (guint i = 0; i < 70 * 1000; i++)
    {
      guint8 status = test_inb (test.board, 0x3da);

      g_assert_cmphex (status & ~0x09, ==, 0);
      if (status & 0x08)
        g_assert_cmphex (status & 0x01, ==, 0x01);
      retraces += (status & ~last & 0x08) != 0;
      in_retrace += (status & 0x08) != 0;
      hidden += status & 0x01;
      last = status;
      test_advance_ns (test.board, FRAME_NS / 1000);
    }
  g_assert_cmpuint (retraces, ==, 70);
  /* 2 of 449 lines, and 1 − (400 × 720) / (449 × 900) of the time */
  g_assert_cmpuint (in_retrace, >, 250);
  g_assert_cmpuint (in_retrace, <, 375);
  g_assert_cmpuint (hidden, >, 70 * 1000 * 28 / 100);
  g_assert_cmpuint (hidden, <, 70 * 1000 * 30 / 100);
  vga_test_clear (&test);
}

/* A guest that has programmed nothing and waits for a retrace does not hang. */
static void
status_toggles_from_the_start (void)
{
  VgaTest test;
  guint8 seen = 0, missed = 0;

  vga_test_init (&test, "16");
  test_outb (test.board, 0x3c2, 0x01);
  for (guint i = 0; i < 1000; i++)
    {
      guint8 status = test_inb (test.board, 0x3da);

      seen |= status;
      missed |= (guint8) ~status;
      test_advance_ns (test.board, 20000);
    }
  g_assert_cmphex (seen & 0x09, ==, 0x09);
  g_assert_cmphex (missed & 0x09, ==, 0x09);
  vga_test_clear (&test);
}

/* Bochs VBE */

static void
vbe_identifies_itself (void)
{
  VgaTest test;

  vga_test_init (&test, "32");
  g_assert_cmphex (vga_test_dispi_read (&test, VMM_VGA_DISPI_ID), ==, 0xb0c5);
  for (guint16 id = 0xb0c0; id <= 0xb0c5; id++)
    {
      vga_test_dispi (&test, VMM_VGA_DISPI_ID, id);
      g_assert_cmphex (vga_test_dispi_read (&test, VMM_VGA_DISPI_ID), ==, id);
    }
  vga_test_dispi (&test, VMM_VGA_DISPI_ID, 0xb0c6);
  g_assert_cmphex (vga_test_dispi_read (&test, VMM_VGA_DISPI_ID), ==, 0xb0c5);
  g_assert_cmphex (vga_test_dispi_read (&test, VMM_VGA_DISPI_MEMORY), ==, 0x200);
  vga_test_dispi (&test, VMM_VGA_DISPI_ENABLE, VMM_VGA_DISPI_GETCAPS);
  g_assert_cmpuint (vga_test_dispi_read (&test, VMM_VGA_DISPI_XRES), ==, 4096);
  g_assert_cmpuint (vga_test_dispi_read (&test, VMM_VGA_DISPI_YRES), ==, 4096);
  g_assert_cmpuint (vga_test_dispi_read (&test, VMM_VGA_DISPI_BPP), ==, 32);
  vga_test_clear (&test);
}

static void
vbe_mode_is_fixed_while_on_and_fits (void)
{
  VgaTest test;

  vga_test_init (&test, "16");
  memset (test.vga->vram, 0xaa, 1024 * 768 * 4 + 1);
  vga_test_vbe (&test, 1024, 768, 32, VMM_VGA_DISPI_LFB);
  g_assert_cmphex (test.vga->vram[0], ==, 0x00); /* cleared as far as it shows */
  g_assert_cmphex (test.vga->vram[1024 * 768 * 4 - 1], ==, 0x00);
  g_assert_cmphex (test.vga->vram[1024 * 768 * 4], ==, 0xaa);
  vga_test_dispi (&test, VMM_VGA_DISPI_XRES, 640);
  g_assert_cmpuint (vga_test_dispi_read (&test, VMM_VGA_DISPI_XRES), ==, 1024);
  g_assert_cmpuint (vga_test_dispi_read (&test, VMM_VGA_DISPI_VIRT_WIDTH), ==, 1024);
  g_assert_cmpuint (vga_test_dispi_read (&test, VMM_VGA_DISPI_VIRT_HEIGHT), ==, 4096);
  vga_test_dispi (&test, VMM_VGA_DISPI_Y_OFFSET, 5000);
  g_assert_cmpuint (vga_test_dispi_read (&test, VMM_VGA_DISPI_Y_OFFSET), ==, 4096 - 768);
  vga_test_dispi (&test, VMM_VGA_DISPI_VIRT_WIDTH, 2048);
  g_assert_cmpuint (vga_test_dispi_read (&test, VMM_VGA_DISPI_VIRT_HEIGHT), ==, 2048);

  /* NOCLEAR keeps memory; widths are multiples of eight. */
  test.vga->vram[0] = 0xaa;
  vga_test_vbe (&test, 1027, 768, 32, VMM_VGA_DISPI_NOCLEAR);
  g_assert_cmphex (test.vga->vram[0], ==, 0xaa);
  g_assert_cmpuint (vga_test_dispi_read (&test, VMM_VGA_DISPI_XRES), ==, 1024);

  /* 3840×2160×32 takes 32 MiB; of 16 MiB there are 1092 lines. */
  vga_test_vbe (&test, 3840, 2160, 32, 0);
  g_assert_cmpuint (vga_test_dispi_read (&test, VMM_VGA_DISPI_XRES), ==, 3840);
  g_assert_cmpuint (vga_test_dispi_read (&test, VMM_VGA_DISPI_YRES), ==, 16 * 1024 * 1024 / (3840 * 4));
  vga_test_clear (&test);

  vga_test_init (&test, "32");
  vga_test_vbe (&test, 3840, 2160, 32, 0);
  g_assert_cmpuint (vga_test_dispi_read (&test, VMM_VGA_DISPI_YRES), ==, 2160);
  vga_test_clear (&test);
}

static void
vbe_banks_show_linear_memory (void)
{
  VgaTest test;

  vga_test_init (&test, "8");
  vga_test_set_mode (&test, &vga_test_mode_3); /* whatever the sequencer says */
  vga_test_vbe (&test, 800, 600, 16, 0);
  vga_test_dispi (&test, VMM_VGA_DISPI_BANK, 3);
  test_write (test.board, WINDOW + 0x1234, 4, 0xdeadbeef);
  g_assert_cmphex (test_read (test.board, WINDOW + 0x1234, 4), ==, 0xdeadbeef);
  g_assert_cmpmem (test.vga->vram + 0x31234, 4, "\xef\xbe\xad\xde", 4);
  g_assert_cmphex (test_read (test.board, 0xb0000, 4), ==, 0xffffffff);
  /* Banks beyond memory wrap: 8 MiB have 128. */
  vga_test_dispi (&test, VMM_VGA_DISPI_BANK, 0x83);
  g_assert_cmphex (vga_test_dispi_read (&test, VMM_VGA_DISPI_BANK), ==, 3);
  vga_test_clear (&test);
}

static void
map_bars (VgaTest *test)
{
  test_pci_write (test->board, 1 << 3, 0x10, 4, 0xc0000000);
  test_pci_write (test->board, 1 << 3, 0x18, 4, 0xd0000000);
  test_pci_write (test->board, 1 << 3, 0x04, 2, 0x0002);
}

static void
pci_header_is_the_standard_vga (void)
{
  VgaTest test;

  vga_test_init (&test, "32");
  g_assert_cmphex (test_pci_read (test.board, 1 << 3, 0x00, 4), ==, 0x11111234);
  g_assert_cmphex (test_pci_read (test.board, 1 << 3, 0x08, 4), ==, 0x03000002);
  test_pci_write (test.board, 1 << 3, 0x10, 4, 0xffffffff);
  g_assert_cmphex (test_pci_read (test.board, 1 << 3, 0x10, 4), ==, 0xfe000008); /* 32 MiB, prefetchable */
  test_pci_write (test.board, 1 << 3, 0x18, 4, 0xffffffff);
  g_assert_cmphex (test_pci_read (test.board, 1 << 3, 0x18, 4), ==, 0xfffff000);
  vga_test_clear (&test);
}

/* As OVMF's QemuVideoDxe drives it: everything through the MMIO BAR, no port. */
static void
mmio_bar_has_the_same_registers (void)
{
  VgaTest test;
  const guint64 bar = 0xd0000000;

  vga_test_init (&test, "16");
  map_bars (&test);
  test_write (test.board, bar + 0x402, 1, 0x01);
  test_write (test.board, bar + 0x400, 1, 0x20);
  g_assert_cmphex (test.vga->regs->attr_index, ==, 0x20);
  test_write (test.board, bar + 0x408, 1, 5);
  for (guint i = 1; i <= 3; i++)
    test_write (test.board, bar + 0x409, 1, i);
  g_assert_cmphex (test.vga->regs->dac[17], ==, 3);
  test_read (test.board, bar + 0x41a, 1);
  g_assert_cmphex (test_read (test.board, bar + 0x500, 2), ==, 0xb0c5);
  test_write (test.board, bar + 0x508, 2, 0);
  test_write (test.board, bar + 0x502, 2, 1280);
  test_write (test.board, bar + 0x504, 2, 720);
  test_write (test.board, bar + 0x506, 2, 32);
  test_write (test.board, bar + 0x508, 2, 0x41);
  g_assert_cmphex (test_read (test.board, bar + 0x50c, 2), ==, 1280);
  g_assert_cmphex (test_read (test.board, bar + 0x514, 2), ==, 0x100);
  g_assert_cmphex (test_read (test.board, bar + 0x502, 4), ==, 720 << 16 | 1280);
  g_assert_true (vmm_vga_dispi_enabled (test.vga->regs));
  /* index and data of the sequencer as one word */
  test_write (test.board, bar + 0x404, 2, 0x0502);
  g_assert_cmphex (test.vga->regs->seq[2], ==, 0x05);
  g_assert_cmphex (test_read (test.board, bar + 0x600, 4), ==, 8);
  g_assert_cmphex (test_read (test.board, bar + 0x604, 4), ==, 0x1e1e1e1e);
  test_write (test.board, bar + 0x604, 4, 0xbebebebe);
  g_assert_cmphex (test_read (test.board, bar + 0x604, 4), ==, 0xbebebebe);
  g_assert_cmphex (test_read (test.board, bar + 0x800, 4), ==, 0);
  vga_test_clear (&test);
}

static void
big_endian_pixels_are_swapped (void)
{
  VgaTest test;
  VmmViewer *viewer;
  g_auto (VmmFrame) frame = { 0 };

  vga_test_init (&test, "16");
  map_bars (&test);
  vga_test_vbe (&test, 640, 480, 32, 0);
  test_write (test.board, 0xd0000604, 4, 0xbebebebe);
  memcpy (test.vga->vram, "\x00\x12\x34\x56", 4);
  viewer = vmm_console_add_viewer (test.console);
  g_assert_true (vmm_viewer_pull (viewer, &frame));
  g_assert_cmphex (vga_test_pixel (frame.surface, 0, 0), ==, 0x123456);
  vmm_viewer_free (viewer);
  vga_test_clear (&test);
}

static void
cold_reset_forgets_memory_and_warm_keeps_it (void)
{
  VgaTest test;

  start_planar (&test);
  test.vga->vram[4096] = 0x5a;
  test_board_reset (test.board, VMM_RESET_WARM);
  g_assert_cmphex (test.vga->vram[4096], ==, 0x5a);
  g_assert_cmphex (test.vga->regs->misc, ==, 0x00);
  g_assert_cmphex (vga_test_dispi_read (&test, VMM_VGA_DISPI_ID), ==, 0xb0c5);
  test_board_reset (test.board, VMM_RESET_COLD);
  g_assert_cmphex (test.vga->vram[4096], ==, 0x00);
  vga_test_clear (&test);
}

static void
state_is_described_completely (void)
{
  const VmmDeviceClass *class = vmm_device_class_find ("vga");
  gsize gap = 0;

  g_assert_true (vmm_fields_covers (class->regs_fields, class->regs_size, &gap));
}

/* Saved state may come from a bad file: registers that no guest could have set still show something inside video memory. */
static void
loaded_state_is_made_to_fit (void)
{
  VgaTest test;
  VmmViewer *viewer;
  g_autoptr (GError) error = NULL;
  g_auto (VmmFrame) frame = { 0 };

  vga_test_init (&test, "8");
  for (guint i = 0; i < VMM_VGA_DISPI_COUNT; i++)
    test.vga->regs->dispi[i] = 0xffff;
  test.vga->regs->dispi[VMM_VGA_DISPI_BPP] = 32;
  test.vga->regs->attr_index = 0x20;
  g_assert_true (test.dev->class->post_load (test.dev, &error));
  viewer = vmm_console_add_viewer (test.console);
  g_assert_true (vmm_viewer_pull (viewer, &frame));
  g_assert_cmpint (frame.surface->width, ==, 4096);
  g_assert_cmpint (frame.surface->height, ==, 512);
  vmm_viewer_free (viewer);
  vga_test_clear (&test);
}

/* EDID */

static guint
detailed_clock_10khz (const guint8 *edid)
{
  return edid[54] | (guint) edid[55] << 8;
}

/* Timings as VESA's CVT generator gives them for reduced blanking at 60 Hz. */
static void
edid_prefers_cvt_timings (void)
{
  static const struct {
    int width, height;
    guint clock, h_total, v_total, v_sync;
  } cases[] = { { 1280, 800, 7100, 1440, 823, 6 },
                { 1920, 1080, 13850, 2080, 1111, 5 },
                { 1600, 1200, 13025, 1760, 1235, 4 },
                { 2560, 1600, 26850, 2720, 1646, 6 },
                { 3840, 2160, 53325, 4000, 2222, 5 } };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      guint8 edid[128], sum = 0;
      const guint8 *t = edid + 54;

      vmm_edid_make (cases[i].width, cases[i].height, 0, edid);
      for (guint j = 0; j < 128; j++)
        sum = (guint8) (sum + edid[j]);
      g_assert_cmpuint (sum, ==, 0);
      g_assert_cmpmem (edid, 8, "\0\xff\xff\xff\xff\xff\xff\0", 8);
      g_assert_cmpuint (edid[18], ==, 1);
      g_assert_cmpuint (edid[19], ==, 4);
      g_assert_cmpint (t[2] | (t[4] >> 4) << 8, ==, cases[i].width);
      g_assert_cmpint (t[5] | (t[7] >> 4) << 8, ==, cases[i].height);
      g_assert_cmpuint (detailed_clock_10khz (edid), ==, cases[i].clock);
      g_assert_cmpuint ((guint) cases[i].width + (t[3] | (t[4] & 15u) << 8), ==, cases[i].h_total);
      g_assert_cmpuint ((guint) cases[i].height + (t[6] | (t[7] & 15u) << 8), ==, cases[i].v_total);
      g_assert_cmpuint (t[10] & 15, ==, cases[i].v_sync);
    }
}

static void
edid_is_read_from_the_bar (void)
{
  VgaTest test;
  guint8 expected[128];

  vga_test_init (&test, "16");
  map_bars (&test);
  vmm_edid_make (1280, 800, 0, expected);
  for (guint i = 0; i < 128; i++)
    g_assert_cmphex (test_read (test.board, 0xd0000000 + i, 1), ==, expected[i]);
  g_assert_cmphex (test_read (test.board, 0xd0000000, 4), ==, 0xffffff00);
  g_assert_cmphex (test_read (test.board, 0xd0000080, 1), ==, 0);
  vga_test_clear (&test);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/vga/window/write-mode-0-rotates-sets-and-masks", write_mode_0_rotates_sets_and_masks);
  g_test_add_func ("/vga/window/alu-combines-data-with-the-latches", the_alu_combines_data_with_the_latches);
  g_test_add_func ("/vga/window/write-mode-1-copies-the-latches", write_mode_1_copies_the_latches);
  g_test_add_func ("/vga/window/write-mode-2-writes-a-colour", write_mode_2_writes_a_colour);
  g_test_add_func ("/vga/window/write-mode-3-takes-the-data-as-mask", write_mode_3_takes_the_data_as_mask);
  g_test_add_func ("/vga/window/read-mode-1-finds-a-colour", read_mode_1_finds_a_colour);
  g_test_add_func ("/vga/window/wide-accesses-are-bytes-in-order", wide_accesses_are_bytes_in_order);
  g_test_add_func ("/vga/window/is-where-gr6-says", the_window_is_where_gr6_says);
  g_test_add_func ("/vga/window/odd-and-even-bytes-go-to-planes", odd_and_even_bytes_go_to_planes);
  g_test_add_func ("/vga/window/chain-4-spreads-bytes-over-planes", chain_4_spreads_bytes_over_planes);
  g_test_add_func ("/vga/ports/crtc-protection-leaves-line-compare-bit-8", crtc_protection_leaves_line_compare_bit_8);
  g_test_add_func ("/vga/ports/crtc-moves-with-the-misc-register", crtc_moves_with_the_misc_register);
  g_test_add_func ("/vga/ports/attribute-port-alternates", attribute_port_alternates);
  g_test_add_func ("/vga/ports/dac-takes-three-parts-and-counts-on", dac_takes_three_parts_and_counts_on);
  g_test_add_func ("/vga/ports/status-follows-the-clock", status_follows_the_clock);
  g_test_add_func ("/vga/ports/status-toggles-from-the-start", status_toggles_from_the_start);
  g_test_add_func ("/vga/vbe/identifies-itself", vbe_identifies_itself);
  g_test_add_func ("/vga/vbe/mode-is-fixed-while-on-and-fits", vbe_mode_is_fixed_while_on_and_fits);
  g_test_add_func ("/vga/vbe/banks-show-linear-memory", vbe_banks_show_linear_memory);
  g_test_add_func ("/vga/pci/header-is-the-standard-vga", pci_header_is_the_standard_vga);
  g_test_add_func ("/vga/mmio/has-the-same-registers", mmio_bar_has_the_same_registers);
  g_test_add_func ("/vga/mmio/big-endian-pixels-are-swapped", big_endian_pixels_are_swapped);
  g_test_add_func ("/vga/reset/cold-forgets-memory-and-warm-keeps-it", cold_reset_forgets_memory_and_warm_keeps_it);
  g_test_add_func ("/vga/state/is-described-completely", state_is_described_completely);
  g_test_add_func ("/vga/state/loaded-state-is-made-to-fit", loaded_state_is_made_to_fit);
  g_test_add_func ("/vga/edid/prefers-cvt-timings", edid_prefers_cvt_timings);
  g_test_add_func ("/vga/edid/is-read-from-the-bar", edid_is_read_from_the_bar);
  return g_test_run ();
}
