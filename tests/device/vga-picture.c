/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the VGA shows. Expected pixels are worked out by hand from IBM's definition of the VGA. */
#include "vga-modes.h"

#define LIGHT_GRAY 0xaaaaaa
#define BLACK 0x000000
#define BLUE 0x0000aa
#define WHITE 0xffffff
#define YELLOW 0xffff55
#define FRAME_NS 14268500 /* mode 3: 900 × 449 dots at 28.322 MHz are 14.26806 ms; a little more */

/* First row, last row, and one with both ends of a cell set */
static const guint8 glyph_frame[16] = { 0xff, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81,
                                        0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0xff };
static const guint8 glyph_a[16] = {
  0x00, 0x00, 0x10, 0x38, 0x6c, 0xc6, 0xc6, 0xfe, 0xc6, 0xc6, 0xc6, 0xc6, 0x00, 0x00, 0x00, 0x00,
};

static void
start_text (VgaTest *test)
{
  vga_test_init (test, "16");
  vga_test_set_mode (test, &vga_test_mode_3);
  for (guint i = 0; i < 80 * 25; i++)
    vga_test_put (test, i % 80, i / 80, ' ', 0x07);
  vga_test_set_glyph (test, 0, 'A', glyph_a);
  vga_test_out (test, 0x3d4, 0x0a, 0x20); /* cursor off */
}

static void
text_cell_has_nine_dots (void)
{
  VgaTest test;
  VmmViewer *viewer;

  start_text (&test);
  vga_test_put (&test, 2, 3, 'A', 0x1e); /* yellow on blue */
  viewer = vmm_console_add_viewer (test.console);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    g_assert_cmpint (frame.surface->width, ==, 720);
    g_assert_cmpint (frame.surface->height, ==, 400);
    vga_test_assert_row (frame.surface, 18, 48 + 0, YELLOW, BLUE, ".........");
    vga_test_assert_row (frame.surface, 18, 48 + 2, YELLOW, BLUE, "...#.....");
    vga_test_assert_row (frame.surface, 18, 48 + 3, YELLOW, BLUE, "..###....");
    vga_test_assert_row (frame.surface, 18, 48 + 4, YELLOW, BLUE, ".##.##...");
    vga_test_assert_row (frame.surface, 18, 48 + 7, YELLOW, BLUE, "#######..");
    vga_test_assert_row (frame.surface, 18, 48 + 15, YELLOW, BLUE, ".........");
    g_assert_cmphex (vga_test_pixel (frame.surface, 17, 48), ==, BLACK);
    g_assert_cmphex (vga_test_pixel (frame.surface, 27, 48), ==, BLACK);
  }
  vmm_viewer_free (viewer);
  vga_test_clear (&test);
}

static void
line_characters_join (void)
{
  VgaTest test;
  VmmViewer *viewer;

  start_text (&test);
  vga_test_set_glyph (&test, 0, 0xc4, glyph_frame);
  vga_test_set_glyph (&test, 0, 0xb3, glyph_frame);
  vga_test_put (&test, 0, 0, 0xc4, 0x07); /* C0-DF: the ninth dot is the eighth */
  vga_test_put (&test, 1, 0, 0xb3, 0x07); /* others: background */
  viewer = vmm_console_add_viewer (test.console);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    vga_test_assert_row (frame.surface, 0, 0, LIGHT_GRAY, BLACK, "#################.");
    vga_test_assert_row (frame.surface, 0, 1, LIGHT_GRAY, BLACK, "#......###......#.");
  }
  vga_test_attr (&test, 0x10, 0x08); /* without line graphics */
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    vga_test_assert_row (frame.surface, 0, 0, LIGHT_GRAY, BLACK, "########.########.");
  }
  vmm_viewer_free (viewer);
  vga_test_clear (&test);
}

static void
eight_dots_and_fifty_lines (void)
{
  VgaTest test;
  VmmViewer *viewer;

  start_text (&test);
  vga_test_out (&test, 0x3c4, 1, 0x01);
  vga_test_out (&test, 0x3d4, 0x09, 0x47); /* eight rows */
  vga_test_put (&test, 79, 49, 'A', 0x07);
  viewer = vmm_console_add_viewer (test.console);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    g_assert_cmpint (frame.surface->width, ==, 640);
    g_assert_cmpint (frame.surface->height, ==, 400);
    vga_test_assert_row (frame.surface, 632, 392 + 2, LIGHT_GRAY, BLACK, "...#....");
    vga_test_assert_row (frame.surface, 632, 392 + 7, LIGHT_GRAY, BLACK, "#######.");
  }
  vmm_viewer_free (viewer);
  vga_test_clear (&test);
}

static void
attribute_bit_3_chooses_the_font (void)
{
  static const guint8 rows[16] = { 0x0f };
  VgaTest test;
  VmmViewer *viewer;

  start_text (&test);
  vga_test_set_glyph (&test, 0x4000, 'A', rows); /* second block of 16 KiB */
  vga_test_out (&test, 0x3c4, 3, 0x04);          /* bit 3 set: font 1; clear: font 0 */
  vga_test_put (&test, 0, 0, 'A', 0x07);
  vga_test_put (&test, 1, 0, 'A', 0x0f);
  viewer = vmm_console_add_viewer (test.console);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    vga_test_assert_row (frame.surface, 0, 0, LIGHT_GRAY, BLACK, ".........");
    vga_test_assert_row (frame.surface, 9, 0, WHITE, BLACK, "....####.");
    vga_test_assert_row (frame.surface, 0, 7, LIGHT_GRAY, BLACK, "#######..");
    vga_test_assert_row (frame.surface, 9, 7, WHITE, BLACK, ".........");
  }
  vmm_viewer_free (viewer);
  vga_test_clear (&test);
}

static void
a_new_glyph_redraws_its_characters_only (void)
{
  static const guint8 rows[16] = { 0x80 };
  VgaTest test;
  VmmViewer *viewer;

  start_text (&test);
  vga_test_put (&test, 5, 6, 'A', 0x07);
  viewer = vmm_console_add_viewer (test.console);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
  }
  vga_test_set_glyph (&test, 0, 'A', rows);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    g_assert_cmpuint (frame.n_rects, ==, 1);
    g_assert_cmpmem (&frame.rects[0], sizeof (VmmRect), (&(VmmRect) { 45, 96, 9, 16 }), sizeof (VmmRect));
    vga_test_assert_row (frame.surface, 45, 96, LIGHT_GRAY, BLACK, "#........");
    vga_test_assert_row (frame.surface, 45, 103, LIGHT_GRAY, BLACK, ".........");
  }
  vmm_viewer_free (viewer);
  vga_test_clear (&test);
}

static void
cursor_has_its_rows_and_blinks_with_the_clock (void)
{
  VgaTest test;
  VmmViewer *viewer;
  guint changes = 0;

  start_text (&test);
  vga_test_out (&test, 0x3d4, 0x0a, 13);
  vga_test_out (&test, 0x3d4, 0x0b, 14);
  vga_test_out (&test, 0x3d4, 0x0e, 0x00);
  vga_test_out (&test, 0x3d4, 0x0f, 82); /* column 2, line 1 */
  viewer = vmm_console_add_viewer (test.console);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    vga_test_assert_row (frame.surface, 17, 16 + 12, LIGHT_GRAY, BLACK, "...........");
    vga_test_assert_row (frame.surface, 17, 16 + 13, LIGHT_GRAY, BLACK, ".#########.");
    vga_test_assert_row (frame.surface, 17, 16 + 14, LIGHT_GRAY, BLACK, ".#########.");
    vga_test_assert_row (frame.surface, 17, 16 + 15, LIGHT_GRAY, BLACK, "...........");
  }
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_false (vmm_viewer_pull (viewer, &frame));
  }
  /* On for eight frames and off for eight: in 64 frames eight changes, each of one cell. */
  for (guint i = 0; i < 64; i++)
    {
      g_auto (VmmFrame) frame = { 0 };

      test_advance_ns (test.board, FRAME_NS);
      if (!vmm_viewer_pull (viewer, &frame))
        continue;
      changes++;
      g_assert_cmpuint (frame.n_rects, ==, 1);
      g_assert_cmpmem (&frame.rects[0], sizeof (VmmRect), (&(VmmRect) { 18, 16, 9, 16 }), sizeof (VmmRect));
      vga_test_assert_row (frame.surface, 18, 16 + 13, LIGHT_GRAY, BLACK, changes % 2 == 1 ? "........." : "#########");
    }
  g_assert_cmpuint (changes, ==, 8);

  /* A start below the end shows none; so does CR0A bit 5. */
  vga_test_out (&test, 0x3d4, 0x0a, 15);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    vga_test_assert_row (frame.surface, 18, 16 + 15, LIGHT_GRAY, BLACK, ".........");
    vga_test_assert_row (frame.surface, 18, 16 + 13, LIGHT_GRAY, BLACK, ".........");
  }
  vmm_viewer_free (viewer);
  vga_test_clear (&test);
}

static void
attribute_bit_7_blinks_or_is_bright (void)
{
  VgaTest test;
  VmmViewer *viewer;

  start_text (&test);
  vga_test_put (&test, 0, 0, 'A', 0x97);
  viewer = vmm_console_add_viewer (test.console);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    vga_test_assert_row (frame.surface, 0, 7, LIGHT_GRAY, BLUE, "#######..");
  }
  test_advance_ns (test.board, 16 * FRAME_NS + FRAME_NS / 2);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    vga_test_assert_row (frame.surface, 0, 7, LIGHT_GRAY, BLUE, ".........");
  }
  vga_test_attr (&test, 0x10, 0x04); /* without blinking: background 9 */
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    vga_test_assert_row (frame.surface, 0, 7, LIGHT_GRAY, 0x5555ff, "#######..");
  }
  vmm_viewer_free (viewer);
  vga_test_clear (&test);
}

static void
monochrome_underlines (void)
{
  VgaTest test;
  VmmViewer *viewer;

  vga_test_init (&test, "16");
  vga_test_set_mode (&test, &vga_test_mode_7);
  vga_test_set_glyph (&test, 0, 'A', glyph_a);
  for (guint i = 0; i < 80 * 25; i++)
    test_write (test.board, 0xb0000 + i * 2, 2, 0x0720);
  test_write (test.board, 0xb0000, 2, 0x0141); /* underlined A */
  test_write (test.board, 0xb0002, 2, 0x0741);
  vga_test_out (&test, 0x3b4, 0x0a, 0x20);
  viewer = vmm_console_add_viewer (test.console);
  {
    g_auto (VmmFrame) frame = { 0 };
    guint32 normal = vmm_viewer_pull (viewer, &frame) ? vga_test_pixel (frame.surface, 0, 7) : 0;

    g_assert_cmphex (normal, !=, BLACK);
    vga_test_assert_row (frame.surface, 0, 12, normal, BLACK, "..................");
    vga_test_assert_row (frame.surface, 0, 13, normal, BLACK, "########..........");
    vga_test_assert_row (frame.surface, 0, 7, normal, BLACK, "#######..#######..");
  }
  vmm_viewer_free (viewer);
  vga_test_clear (&test);
}

static void
text_scrolls_smoothly (void)
{
  VgaTest test;
  VmmViewer *viewer;

  start_text (&test);
  vga_test_put (&test, 1, 1, 'A', 0x07);
  vga_test_out (&test, 0x3d4, 0x08, 5); /* five rows up */
  vga_test_attr (&test, 0x13, 2);       /* three dots to the left */
  viewer = vmm_console_add_viewer (test.console);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    vga_test_assert_row (frame.surface, 0, 16 - 5 + 7, LIGHT_GRAY, BLACK, "......#######..");
    vga_test_assert_row (frame.surface, 0, 16 - 5 + 2, LIGHT_GRAY, BLACK, ".........#.....");
  }
  /* Start address 80: the second line of memory is the first of the screen. */
  vga_test_out (&test, 0x3d4, 0x0d, 80);
  vga_test_out (&test, 0x3d4, 0x08, 0);
  vga_test_attr (&test, 0x13, 8);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    vga_test_assert_row (frame.surface, 0, 7, LIGHT_GRAY, BLACK, ".........#######..");
  }
  vmm_viewer_free (viewer);
  vga_test_clear (&test);
}

static void
text_splits_at_the_line_compare (void)
{
  VgaTest test;
  VmmViewer *viewer;

  start_text (&test);
  vga_test_put (&test, 0, 0, 'A', 0x07);
  vga_test_out (&test, 0x3d4, 0x0d, 160);  /* from the third line on */
  vga_test_out (&test, 0x3d4, 0x18, 99);   /* lines 100… from address 0 */
  vga_test_out (&test, 0x3d4, 0x07, 0x0f); /* protected but for bit 8 of the compare */
  vga_test_out (&test, 0x3d4, 0x09, 0x0f);
  g_assert_cmphex (test.vga->regs->crtc[7], ==, 0x0f);
  viewer = vmm_console_add_viewer (test.console);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    g_assert_cmpint (frame.surface->height, ==, 400);
    vga_test_assert_row (frame.surface, 0, 7, LIGHT_GRAY, BLACK, ".........");
    vga_test_assert_row (frame.surface, 0, 106, LIGHT_GRAY, BLACK, "##...##..");
    vga_test_assert_row (frame.surface, 0, 107, LIGHT_GRAY, BLACK, "#######..");
  }
  vmm_viewer_free (viewer);
  vga_test_clear (&test);
}

static void
planar_pixels_take_a_bit_of_each_plane (void)
{
  VgaTest test;
  VmmViewer *viewer;

  vga_test_init (&test, "16");
  vga_test_set_mode (&test, &vga_test_mode_12);
  /* Colour 14 in the first pixel of byte 81, 5 in its last: each plane by itself. */
  for (guint plane = 0; plane < 4; plane++)
    {
      vga_test_out (&test, 0x3c4, 2, (guint8) (1 << plane));
      test_write (test.board, 0xa0000 + 81, 1, (guint) ((14 >> plane & 1) << 7 | (5 >> plane & 1)));
    }
  viewer = vmm_console_add_viewer (test.console);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    g_assert_cmpint (frame.surface->width, ==, 640);
    g_assert_cmpint (frame.surface->height, ==, 480);
    g_assert_cmphex (vga_test_pixel (frame.surface, 7, 1), ==, BLACK);
    g_assert_cmphex (vga_test_pixel (frame.surface, 8, 1), ==, YELLOW);
    g_assert_cmphex (vga_test_pixel (frame.surface, 9, 1), ==, BLACK);
    g_assert_cmphex (vga_test_pixel (frame.surface, 15, 1), ==, 0xaa00aa);
    g_assert_cmphex (vga_test_pixel (frame.surface, 8, 0), ==, BLACK);
  }
  /* One byte changes: nothing but the lines that share its page is damaged. */
  vga_test_out (&test, 0x3c4, 2, 0x0f);
  test_write (test.board, 0xa0000 + 80 * 479, 1, 0x01);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    g_assert_cmpuint (frame.n_rects, ==, 1);
    g_assert_cmpint (frame.rects[0].y, >, 450);
    g_assert_cmpint (frame.rects[0].y + frame.rects[0].height, ==, 480);
    g_assert_cmphex (vga_test_pixel (frame.surface, 7, 479), ==, WHITE);
  }
  /* AR12 takes planes away: colour 14 without plane 1 is 12. */
  vga_test_attr (&test, 0x12, 0x0d);
  /* Panning by three dots */
  vga_test_attr (&test, 0x13, 0x03);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    g_assert_cmphex (vga_test_pixel (frame.surface, 5, 1), ==, 0xff5555);
    g_assert_cmphex (vga_test_pixel (frame.surface, 8, 1), ==, BLACK);
  }
  vmm_viewer_free (viewer);
  vga_test_clear (&test);
}

static void
mode_13_is_linear_and_doubled (void)
{
  VgaTest test;
  VmmViewer *viewer;

  vga_test_init (&test, "16");
  vga_test_set_mode (&test, &vga_test_mode_13);
  vga_test_color (&test, 200, 63, 0, 21);
  test_write (test.board, 0xa0000 + 320 * 199 + 319, 1, 200);
  test_write (test.board, 0xa0000 + 320 * 10 + 5, 1, 200);
  viewer = vmm_console_add_viewer (test.console);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    g_assert_cmpint (frame.surface->width, ==, 640);
    g_assert_cmpint (frame.surface->height, ==, 400);
    for (int y = 19; y <= 22; y++)
      vga_test_assert_row (frame.surface, 9, y, 0xff0055, BLACK, y == 20 || y == 21 ? ".##." : "....");
    vga_test_assert_row (frame.surface, 637, 397, 0xff0055, BLACK, "...");
    vga_test_assert_row (frame.surface, 637, 398, 0xff0055, BLACK, ".##");
    vga_test_assert_row (frame.surface, 637, 399, 0xff0055, BLACK, ".##");
  }
  /* The DAC's mask applies: 200 & 0x0f is 8. */
  test_outb (test.board, 0x3c6, 0x0f);
  vga_test_color (&test, 8, 0, 63, 0);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    g_assert_cmphex (vga_test_pixel (frame.surface, 10, 20), ==, 0x00ff00);
  }
  vmm_viewer_free (viewer);
  vga_test_clear (&test);
}

/* 320×240, unchained, as M. Abrash published it ("Mode X") */
static void
set_mode_x (VgaTest *test)
{
  static const guint8 crtc[][2] = { { 0x06, 0x0d }, { 0x07, 0x3e }, { 0x09, 0x41 }, { 0x10, 0xea }, { 0x11, 0xac },
                                    { 0x12, 0xdf }, { 0x14, 0x00 }, { 0x15, 0xe7 }, { 0x16, 0x06 }, { 0x17, 0xe3 } };

  vga_test_set_mode (test, &vga_test_mode_13);
  vga_test_out (test, 0x3c4, 4, 0x06);
  vga_test_out (test, 0x3c4, 0, 0x01);
  test_outb (test->board, 0x3c2, 0xe3);
  vga_test_out (test, 0x3c4, 0, 0x03);
  test_outb (test->board, 0x3d4, 0x11);
  test_outb (test->board, 0x3d5, test_inb (test->board, 0x3d5) & 0x7f);
  for (guint i = 0; i < G_N_ELEMENTS (crtc); i++)
    vga_test_out (test, 0x3d4, crtc[i][0], crtc[i][1]);
}

static void
mode_x_has_four_pixels_an_address (void)
{
  VgaTest test;
  VmmViewer *viewer;

  vga_test_init (&test, "16");
  set_mode_x (&test);
  vga_test_color (&test, 9, 63, 63, 63);
  /* x = 321 in a picture 320 wide: line 1, plane 1, address 80 */
  vga_test_out (&test, 0x3c4, 2, 1 << 1);
  test_write (test.board, 0xa0000 + 80, 1, 9);
  /* all four planes at once, last line */
  vga_test_out (&test, 0x3c4, 2, 0x0f);
  test_write (test.board, 0xa0000 + 80 * 239, 1, 9);
  viewer = vmm_console_add_viewer (test.console);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    g_assert_cmpint (frame.surface->width, ==, 640);
    g_assert_cmpint (frame.surface->height, ==, 480);
    vga_test_assert_row (frame.surface, 0, 1, WHITE, BLACK, "......");
    vga_test_assert_row (frame.surface, 0, 2, WHITE, BLACK, "..##..");
    vga_test_assert_row (frame.surface, 0, 3, WHITE, BLACK, "..##..");
    vga_test_assert_row (frame.surface, 0, 479, WHITE, BLACK, "########..");
  }
  /* A page flip to address 80, a pixel of panning to the left */
  vga_test_out (&test, 0x3d4, 0x0d, 80);
  vga_test_attr (&test, 0x13, 0x02);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    vga_test_assert_row (frame.surface, 0, 0, WHITE, BLACK, "##..");
    vga_test_assert_row (frame.surface, 0, 477, WHITE, BLACK, "######..");
  }
  /* Split screen: line compare 99 shows address 0 from line 100 on, without panning if AR10 says so. */
  vga_test_attr (&test, 0x10, 0x61);
  vga_test_out (&test, 0x3d4, 0x18, 99);
  vga_test_out (&test, 0x3d4, 0x07, 0x2e);
  vga_test_out (&test, 0x3d4, 0x09, 0x01);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    vga_test_assert_row (frame.surface, 0, 0, WHITE, BLACK, "##..");
    vga_test_assert_row (frame.surface, 0, 101, WHITE, BLACK, "......");
    vga_test_assert_row (frame.surface, 0, 102, WHITE, BLACK, "..##..");
  }
  vmm_viewer_free (viewer);
  vga_test_clear (&test);
}

static void
cga_four_colours_interleave_lines (void)
{
  VgaTest test;
  VmmViewer *viewer;

  vga_test_init (&test, "16");
  vga_test_set_mode (&test, &vga_test_mode_4);
  test_write (test.board, 0xb8000, 2, 0x001b);            /* 0 1 2 3 in the first byte */
  test_write (test.board, 0xb8000 + 0x2000 + 1, 1, 0x40); /* second line, fifth pixel: 1 */
  test_write (test.board, 0xb8000 + 80, 1, 0xc0);         /* third line, first pixel: 3 */
  viewer = vmm_console_add_viewer (test.console);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    g_assert_cmpint (frame.surface->width, ==, 640);
    g_assert_cmpint (frame.surface->height, ==, 400);
    for (int y = 0; y < 2; y++)
      {
        /* palette 13 15 17: light cyan, light magenta, white with intensity bit 4 of green only: as the DAC has them */
        vga_test_assert_row (frame.surface, 0, y, BLACK, BLACK, "##");
        g_assert_cmphex (vga_test_pixel (frame.surface, 2, y), ==, vga_test_pixel (frame.surface, 3, y));
        g_assert_cmphex (vga_test_pixel (frame.surface, 2, y), ==, 0x00ffaa);
        g_assert_cmphex (vga_test_pixel (frame.surface, 4, y), ==, 0xaa55aa);
        g_assert_cmphex (vga_test_pixel (frame.surface, 6, y), ==, 0xaaffaa);
        g_assert_cmphex (vga_test_pixel (frame.surface, 8, y), ==, BLACK);
      }
    vga_test_assert_row (frame.surface, 0, 2, 0x00ffaa, BLACK, "........##..");
    vga_test_assert_row (frame.surface, 0, 3, 0x00ffaa, BLACK, "........##..");
    vga_test_assert_row (frame.surface, 0, 4, 0xaaffaa, BLACK, "##..");
  }
  vmm_viewer_free (viewer);
  vga_test_clear (&test);
}

static void
cga_two_colours_have_a_bit_a_pixel (void)
{
  VgaTest test;
  VmmViewer *viewer;

  vga_test_init (&test, "16");
  vga_test_set_mode (&test, &vga_test_mode_6);
  test_write (test.board, 0xb8000 + 1, 1, 0xa0);
  test_write (test.board, 0xb8000 + 0x2000 + 79, 1, 0x01);
  viewer = vmm_console_add_viewer (test.console);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    g_assert_cmpint (frame.surface->width, ==, 640);
    g_assert_cmpint (frame.surface->height, ==, 400);
    vga_test_assert_row (frame.surface, 8, 0, 0xaaffaa, BLACK, "#.#.....");
    vga_test_assert_row (frame.surface, 8, 1, 0xaaffaa, BLACK, "#.#.....");
    vga_test_assert_row (frame.surface, 632, 2, 0xaaffaa, BLACK, ".......#");
    vga_test_assert_row (frame.surface, 8, 4, 0xaaffaa, BLACK, "........");
  }
  vmm_viewer_free (viewer);
  vga_test_clear (&test);
}

static void
a_blanked_screen_is_black (void)
{
  VgaTest test;
  VmmViewer *viewer;

  start_text (&test);
  vga_test_put (&test, 0, 0, 'A', 0x07);
  viewer = vmm_console_add_viewer (test.console);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
  }
  vga_test_out (&test, 0x3c4, 1, 0x20); /* SR1: screen off */
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    g_assert_false (frame.new_surface);
    vga_test_assert_row (frame.surface, 0, 7, BLACK, 1, "#########");
  }
  vga_test_out (&test, 0x3c4, 1, 0x00);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    vga_test_assert_row (frame.surface, 0, 7, LIGHT_GRAY, BLACK, "#######..");
  }
  vmm_viewer_free (viewer);
  vga_test_clear (&test);
}

static void
text_is_dumped_as_utf8 (void)
{
  static const char *const expected[] = { "Lodge", "", "é ß ░█ ☺", NULL };
  static const guint8 line[] = { 0x82, ' ', 0xe1, ' ', 0xb0, 0xdb, 0x00, 0x01, 0x00, 0xff };
  VgaTest test;
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;

  start_text (&test);
  for (guint i = 0; i < 5; i++)
    vga_test_put (&test, i, 0, (guint8) "Lodge"[i], 0x07);
  for (guint i = 0; i < sizeof line; i++)
    vga_test_put (&test, i, 2, line[i], 0x07);
  text = vmm_console_dup_text (test.console);
  g_assert_nonnull (text);
  lines = g_strsplit (text, "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), ==, 26);
  for (guint i = 0; expected[i] != NULL; i++)
    g_assert_cmpstr (lines[i], ==, expected[i]);
  vga_test_set_mode (&test, &vga_test_mode_12);
  g_assert_null (vmm_console_dup_text (test.console));
  vga_test_clear (&test);
}

/* Viewers */

static void
each_viewer_has_its_own_damage (void)
{
  VgaTest test;
  VmmViewer *one, *two;

  start_text (&test);
  one = vmm_console_add_viewer (test.console);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (one, &frame));
    g_assert_true (frame.new_surface);
  }
  two = vmm_console_add_viewer (test.console);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (two, &frame));
    g_assert_true (frame.new_surface);
    g_assert_cmpmem (&frame.rects[0], sizeof (VmmRect), (&(VmmRect) { 0, 0, 720, 400 }), sizeof (VmmRect));
  }
  vga_test_put (&test, 0, 0, 'A', 0x07);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (one, &frame));
    g_assert_cmpuint (frame.n_rects, ==, 1);
    g_assert_cmpmem (&frame.rects[0], sizeof (VmmRect), (&(VmmRect) { 0, 0, 9, 16 }), sizeof (VmmRect));
  }
  vga_test_put (&test, 79, 24, 'A', 0x07);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (one, &frame));
    g_assert_cmpuint (frame.n_rects, ==, 1);
    g_assert_cmpmem (&frame.rects[0], sizeof (VmmRect), (&(VmmRect) { 711, 384, 9, 16 }), sizeof (VmmRect));
  }
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (two, &frame));
    g_assert_false (frame.new_surface);
    g_assert_cmpuint (frame.n_rects, ==, 2);
  }
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_false (vmm_viewer_pull (one, &frame));
    g_assert_false (vmm_viewer_pull (two, &frame));
  }
  vmm_viewer_free (one);
  vmm_viewer_free (two);
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
the_dirty_log_runs_only_while_watched (void)
{
  VgaTest test;
  VmmViewer *viewer;
  VmmMemory *memory;
  VmmSlot *slot;
  guint64 bitmap[64];

  vga_test_init (&test, "16");
  memory = test.board->machine->memory;
  map_bars (&test);
  slot = vmm_pci_device_get_bar_slot (test.vga->pci, 0);
  g_assert_nonnull (slot);
  g_assert_false (vmm_slot_fetch_dirty (memory, slot, bitmap, G_N_ELEMENTS (bitmap)));
  viewer = vmm_console_add_viewer (test.console);
  {
    g_auto (VmmFrame) frame = { 0 };

    vmm_viewer_pull (viewer, &frame);
  }
  g_assert_true (vmm_slot_fetch_dirty (memory, slot, bitmap, G_N_ELEMENTS (bitmap)));
  vmm_viewer_free (viewer);
  g_assert_false (vmm_slot_fetch_dirty (memory, slot, bitmap, G_N_ELEMENTS (bitmap)));
  vga_test_clear (&test);
}

static void
true_colour_is_shown_from_video_memory (void)
{
  VgaTest test;
  VmmViewer *viewer;
  VmmSlot *slot;

  vga_test_init (&test, "16");
  map_bars (&test);
  vga_test_vbe (&test, 1024, 768, 32, VMM_VGA_DISPI_LFB);
  viewer = vmm_console_add_viewer (test.console);
  slot = vmm_pci_device_get_bar_slot (test.vga->pci, 0);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    g_assert_cmpint (frame.surface->width, ==, 1024);
    g_assert_cmpint (frame.surface->height, ==, 768);
    g_assert_true (frame.surface->pixels == test.vga->vram);
    g_assert_cmpint (frame.surface->fd, ==, test.vga->memory->ram->fd);
    g_assert_cmpuint (frame.surface->stride, ==, 4096);
  }
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_false (vmm_viewer_pull (viewer, &frame));
  }
  /* The guest writes lines 10 to 12 and a word in line 700. */
  vmm_slot_mark_dirty (test.board->machine->memory, slot, 10 * 4096, 3 * 4096);
  vmm_slot_mark_dirty (test.board->machine->memory, slot, 700 * 4096 + 96, 4);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    g_assert_false (frame.new_surface);
    g_assert_cmpuint (frame.n_rects, ==, 2);
    g_assert_cmpmem (&frame.rects[0], sizeof (VmmRect), (&(VmmRect) { 0, 10, 1024, 3 }), sizeof (VmmRect));
    g_assert_cmpmem (&frame.rects[1], sizeof (VmmRect), (&(VmmRect) { 0, 700, 1024, 1 }), sizeof (VmmRect));
  }
  /* A flip to the second page is another surface; memory beyond the picture is no damage. */
  vga_test_dispi (&test, VMM_VGA_DISPI_Y_OFFSET, 768);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    g_assert_true (frame.new_surface);
    g_assert_true (frame.surface->pixels == test.vga->vram + 768 * 4096);
    g_assert_cmpuint (frame.surface->fd_offset, ==, 768 * 4096);
  }
  vmm_slot_mark_dirty (test.board->machine->memory, slot, 767 * 4096, 4096);
  vmm_slot_mark_dirty (test.board->machine->memory, slot, 1536 * 4096, 4096);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_false (vmm_viewer_pull (viewer, &frame));
  }
  /* Moving the BAR makes a new log: everything counts as changed once. */
  test_pci_write (test.board, 1 << 3, 0x10, 4, 0xc8000000);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    g_assert_cmpmem (&frame.rects[0], sizeof (VmmRect), (&(VmmRect) { 0, 0, 1024, 768 }), sizeof (VmmRect));
  }
  vmm_viewer_free (viewer);
  vga_test_clear (&test);
}

/* Pages narrower than a line: damage is as narrow. */
static void
damage_of_wide_lines_is_cut_to_pages (void)
{
  VgaTest test;
  VmmViewer *viewer;
  VmmSlot *slot;

  vga_test_init (&test, "64");
  map_bars (&test);
  vga_test_vbe (&test, 3840, 2160, 32, VMM_VGA_DISPI_LFB);
  viewer = vmm_console_add_viewer (test.console);
  slot = vmm_pci_device_get_bar_slot (test.vga->pci, 0);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    g_assert_cmpint (frame.surface->width, ==, 3840);
    g_assert_cmpint (frame.surface->height, ==, 2160);
  }
  vmm_slot_mark_dirty (test.board->machine->memory, slot, 4096, 1);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    g_assert_cmpuint (frame.n_rects, ==, 1);
    g_assert_cmpmem (&frame.rects[0], sizeof (VmmRect), (&(VmmRect) { 1024, 0, 1024, 1 }), sizeof (VmmRect));
  }
  /* Every tenth line of the whole screen: sixteen rectangles must do, and none is lost. */
  for (guint y = 0; y < 2160; y += 10)
    vmm_slot_mark_dirty (test.board->machine->memory, slot, y * 15360, 1);
  {
    g_auto (VmmFrame) frame = { 0 };
    guint found = 0;

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    g_assert_cmpuint (frame.n_rects, <=, VMM_FRAME_MAX_RECTS);
    for (int y = 0; y < 2160; y += 10)
      for (guint i = 0; i < frame.n_rects; i++)
        if (frame.rects[i].x == 0 && frame.rects[i].y <= y && y < frame.rects[i].y + frame.rects[i].height)
          found++;
    g_assert_cmpuint (found, ==, 216);
  }
  vmm_viewer_free (viewer);
  vga_test_clear (&test);
}

static void
assert_vbe_pixel (guint16 bpp, const guint8 *bytes, guint n_bytes, guint32 expected)
{
  VgaTest test;
  VmmViewer *viewer;

  vga_test_init (&test, "16");
  map_bars (&test);
  vga_test_vbe (&test, 800, 600, bpp, VMM_VGA_DISPI_LFB | (bpp == 8 ? VMM_VGA_DISPI_8BIT_DAC : 0));
  vga_test_color (&test, 0x5a, 0x12, 0x34, 0x56);
  viewer = vmm_console_add_viewer (test.console);
  /* Second pixel of the second line */
  memcpy (test.vga->vram + n_bytes * 801, bytes, n_bytes);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    g_assert_cmpint (frame.surface->width, ==, 800);
    g_assert_cmpint (frame.surface->height, ==, 600);
    g_assert_cmphex (vga_test_pixel (frame.surface, 1, 1), ==, expected);
    g_assert_cmphex (vga_test_pixel (frame.surface, 2, 1), ==, BLACK);
    g_assert_cmphex (vga_test_pixel (frame.surface, 0, 1), ==, BLACK);
  }
  /* Only dirty lines are drawn again. */
  vmm_slot_mark_dirty (test.board->machine->memory, vmm_pci_device_get_bar_slot (test.vga->pci, 0), n_bytes * 800 * 599, n_bytes);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    g_assert_cmpuint (frame.n_rects, ==, 1);
    g_assert_cmpint (frame.rects[0].y, >, 590);
  }
  vmm_viewer_free (viewer);
  vga_test_clear (&test);
}

static void
linear_depths (void)
{
  assert_vbe_pixel (8, (const guint8[]) { 0x5a }, 1, 0x123456);
  assert_vbe_pixel (15, (const guint8[]) { 0x1f, 0x40 }, 2, 0x8400ff); /* 10000 00000 11111 */
  assert_vbe_pixel (16, (const guint8[]) { 0xe0, 0x87 }, 2, 0x84ff00); /* 10000 111111 00000 */
  assert_vbe_pixel (24, (const guint8[]) { 0x56, 0x34, 0x12 }, 3, 0x123456);
  assert_vbe_pixel (32, (const guint8[]) { 0x56, 0x34, 0x12, 0x00 }, 4, 0x123456);
}

static void
planar_vbe_uses_banks_and_its_own_geometry (void)
{
  VgaTest test;
  VmmViewer *viewer;

  vga_test_init (&test, "16");
  vga_test_set_mode (&test, &vga_test_mode_12);
  vga_test_vbe (&test, 1024, 768, 4, 0);
  /* Line 600 starts at address 76800: bank 1, 11264. */
  vga_test_dispi (&test, VMM_VGA_DISPI_BANK, 1);
  test_write (test.board, 0xa0000 + 11264, 1, 0x40);
  viewer = vmm_console_add_viewer (test.console);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    g_assert_cmpint (frame.surface->width, ==, 1024);
    g_assert_cmpint (frame.surface->height, ==, 768);
    vga_test_assert_row (frame.surface, 0, 600, WHITE, BLACK, ".#..");
    vga_test_assert_row (frame.surface, 0, 599, WHITE, BLACK, "....");
  }
  vmm_viewer_free (viewer);
  vga_test_clear (&test);
}

/* Whatever the registers hold, a pull ends and stays inside (the sanitizers watch). */
static void
absurd_geometry_is_bounded (void)
{
  static const guint16 depths[] = { 0, 4, 8, 15, 16, 24, 32, 0xffff };
  VgaTest test;
  VmmViewer *viewer;

  vga_test_init (&test, "8");
  test_outb (test.board, 0x3c2, 0xef);
  viewer = vmm_console_add_viewer (test.console);
  for (guint kind = 0; kind < 64; kind++)
    {
      g_auto (VmmFrame) frame = { 0 };

      for (guint8 i = 0x18; i != 0xff; i--)
        vga_test_out (&test, 0x3d4, i, i == 0x11 ? 0x00 : i == 0x17 ? (guint8) (0x80 | kind) : 0xff);
      vga_test_out (&test, 0x3d4, 0x09, kind & 1 ? 0x80 : 0x1f);
      vga_test_out (&test, 0x3c4, 1, kind & 2 ? 0x08 : 0x00);
      vga_test_out (&test, 0x3c4, 3, 0x3f);
      vga_test_out (&test, 0x3ce, 5, (guint8) (kind << 3));
      vga_test_out (&test, 0x3ce, 6, kind & 4 ? 0x00 : 0x01);
      vga_test_attr (&test, 0x13, 0x07);
      g_assert_true (vmm_viewer_pull (viewer, &frame));
      g_assert_cmpint (frame.surface->width, <=, 4096);
      g_assert_cmpint (frame.surface->height, <=, 1024);
    }
  for (guint i = 0; i < G_N_ELEMENTS (depths); i++)
    {
      g_auto (VmmFrame) frame = { 0 };

      vga_test_vbe (&test, 0xffff, 0xffff, depths[i], 0);
      vga_test_dispi (&test, VMM_VGA_DISPI_VIRT_WIDTH, 0xffff);
      vga_test_dispi (&test, VMM_VGA_DISPI_X_OFFSET, 0xffff);
      vga_test_dispi (&test, VMM_VGA_DISPI_Y_OFFSET, 0xffff);
      g_assert_true (vmm_viewer_pull (viewer, &frame));
      g_assert_cmpint (frame.surface->width, ==, 4096);
      g_assert_cmpint (frame.surface->height, <=, 4096);
    }
  vmm_viewer_free (viewer);
  vga_test_clear (&test);
}

/* A surface outlives mode changes and the machine's interest in it. */
static void
a_surface_outlives_its_mode (void)
{
  VgaTest test;
  VmmViewer *viewer;
  VmmSurface *surface;
  g_auto (VmmFrame) frame = { 0 };

  vga_test_init (&test, "16");
  map_bars (&test);
  vga_test_vbe (&test, 640, 480, 32, VMM_VGA_DISPI_LFB);
  viewer = vmm_console_add_viewer (test.console);
  g_assert_true (vmm_viewer_pull (viewer, &frame));
  surface = vmm_surface_ref (frame.surface);
  vmm_frame_clear (&frame);
  vmm_viewer_free (viewer);
  vga_test_clear (&test);
  g_assert_cmphex (vga_test_pixel (surface, 639, 479), ==, BLACK);
  vmm_surface_unref (surface);
}

/* With "-m perf" only: what a pull costs. The bounds are loose; the numbers are for reading. */

static gint64
cpu_ns (void)
{
  struct timespec now;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * G_GINT64_CONSTANT (1000000000) + now.tv_nsec;
}

/* Microseconds of this thread's processor time for one pull. */
static double
pull_us (VgaTest *test, VmmViewer *viewer, void (*change) (VgaTest *test, guint i))
{
  gint64 total = 0;

  for (guint i = 0; i < 200; i++)
    {
      g_auto (VmmFrame) frame = { 0 };
      gint64 before;

      if (change != NULL)
        change (test, i);
      before = cpu_ns ();
      vmm_viewer_pull (viewer, &frame);
      total += cpu_ns () - before;
    }
  return (double) total / 200 / 1000;
}

static void
change_nothing (VgaTest *test, guint i)
{
}

static void
change_one_cell (VgaTest *test, guint i)
{
  vga_test_put (test, 40, 12, (guint8) i, 0x07);
}

static void
change_all_cells (VgaTest *test, guint i)
{
  for (guint j = 0; j < 80 * 25; j++)
    vga_test_put (test, j % 80, j / 80, (guint8) (i + j), (guint8) (j >> 3));
}

static void
change_palette (VgaTest *test, guint i)
{
  vga_test_color (test, 7, (guint8) (i & 63), 0, 0);
}

static void
change_page (VgaTest *test, guint i)
{
  vmm_slot_mark_dirty (test->board->machine->memory, vmm_pci_device_get_bar_slot (test->vga->pci, 0), (i % 1000) * 4096, 4096);
}

static void
change_everything (VgaTest *test, guint i)
{
  vmm_slot_mark_dirty (test->board->machine->memory, vmm_pci_device_get_bar_slot (test->vga->pci, 0), 0, test->vga->vram_size);
}

static void
pulls_are_quick (void)
{
  static const struct {
    guint16 width, height, bpp;
  } modes[] = { { 1024, 768, 8 }, { 1024, 768, 16 }, { 1024, 768, 32 }, { 3840, 2160, 16 }, { 3840, 2160, 32 } };
  VgaTest test;
  VmmViewer *viewer;
  double us;

  start_text (&test);
  for (guint i = 0; i < 256; i++)
    vga_test_set_glyph (&test, 0, (guint8) i, glyph_frame);
  viewer = vmm_console_add_viewer (test.console);
  pull_us (&test, viewer, change_all_cells);
  g_test_message ("text, nothing changed: %.1f µs", pull_us (&test, viewer, change_nothing));
  g_test_message ("text, one cell changed: %.1f µs", pull_us (&test, viewer, change_one_cell));
  us = pull_us (&test, viewer, change_all_cells);
  g_test_minimized_result (us, "text, all 2000 cells changed: %.1f µs", us);
  g_assert_cmpfloat (us, <, 1000);
  g_test_message ("text, palette changed: %.1f µs", pull_us (&test, viewer, change_palette));
  vga_test_set_mode (&test, &vga_test_mode_12);
  g_test_message ("640×480×4, palette changed: %.1f µs", pull_us (&test, viewer, change_palette));
  vga_test_set_mode (&test, &vga_test_mode_13);
  g_test_message ("320×200×8, palette changed: %.1f µs", pull_us (&test, viewer, change_palette));
  vmm_viewer_free (viewer);
  vga_test_clear (&test);

  for (guint i = 0; i < G_N_ELEMENTS (modes); i++)
    {
      vga_test_init (&test, "64");
      map_bars (&test);
      vga_test_vbe (&test, modes[i].width, modes[i].height, modes[i].bpp, 0);
      viewer = vmm_console_add_viewer (test.console);
      pull_us (&test, viewer, change_everything);
      g_test_message ("%u×%u×%u: nothing %.1f µs, one page %.1f µs, everything %.1f µs", modes[i].width, modes[i].height,
                      modes[i].bpp, pull_us (&test, viewer, change_nothing), pull_us (&test, viewer, change_page),
                      pull_us (&test, viewer, change_everything));
      vmm_viewer_free (viewer);
      vga_test_clear (&test);
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/vga/text/cell-has-nine-dots", text_cell_has_nine_dots);
  g_test_add_func ("/vga/text/line-characters-join", line_characters_join);
  g_test_add_func ("/vga/text/eight-dots-and-fifty-lines", eight_dots_and_fifty_lines);
  g_test_add_func ("/vga/text/attribute-bit-3-chooses-the-font", attribute_bit_3_chooses_the_font);
  g_test_add_func ("/vga/text/a-new-glyph-redraws-its-characters-only", a_new_glyph_redraws_its_characters_only);
  g_test_add_func ("/vga/text/cursor-has-its-rows-and-blinks-with-the-clock", cursor_has_its_rows_and_blinks_with_the_clock);
  g_test_add_func ("/vga/text/attribute-bit-7-blinks-or-is-bright", attribute_bit_7_blinks_or_is_bright);
  g_test_add_func ("/vga/text/monochrome-underlines", monochrome_underlines);
  g_test_add_func ("/vga/text/scrolls-smoothly", text_scrolls_smoothly);
  g_test_add_func ("/vga/text/splits-at-the-line-compare", text_splits_at_the_line_compare);
  g_test_add_func ("/vga/text/is-dumped-as-utf8", text_is_dumped_as_utf8);
  g_test_add_func ("/vga/planar/pixels-take-a-bit-of-each-plane", planar_pixels_take_a_bit_of_each_plane);
  g_test_add_func ("/vga/256/mode-13-is-linear-and-doubled", mode_13_is_linear_and_doubled);
  g_test_add_func ("/vga/256/mode-x-has-four-pixels-an-address", mode_x_has_four_pixels_an_address);
  g_test_add_func ("/vga/cga/four-colours-interleave-lines", cga_four_colours_interleave_lines);
  g_test_add_func ("/vga/cga/two-colours-have-a-bit-a-pixel", cga_two_colours_have_a_bit_a_pixel);
  g_test_add_func ("/vga/blank/screen-is-black", a_blanked_screen_is_black);
  g_test_add_func ("/vga/viewers/each-has-its-own-damage", each_viewer_has_its_own_damage);
  g_test_add_func ("/vga/viewers/dirty-log-runs-only-while-watched", the_dirty_log_runs_only_while_watched);
  g_test_add_func ("/vga/vbe/true-colour-is-shown-from-video-memory", true_colour_is_shown_from_video_memory);
  g_test_add_func ("/vga/vbe/damage-of-wide-lines-is-cut-to-pages", damage_of_wide_lines_is_cut_to_pages);
  g_test_add_func ("/vga/vbe/linear-depths", linear_depths);
  g_test_add_func ("/vga/vbe/planar-uses-banks-and-its-own-geometry", planar_vbe_uses_banks_and_its_own_geometry);
  g_test_add_func ("/vga/hostile/absurd-geometry-is-bounded", absurd_geometry_is_bounded);
  g_test_add_func ("/vga/surface/outlives-its-mode", a_surface_outlives_its_mode);
  if (g_test_perf ())
    g_test_add_func ("/vga/speed/pulls-are-quick", pulls_are_quick);
  return g_test_run ();
}
