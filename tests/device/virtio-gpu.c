/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: VIRTIO 1.2 §5.7; commands as Linux's driver (drivers/gpu/drm/virtio) gives them; VESA E-EDID A2. */
#include "virtio-host.h"

#include "vmm.h"

#include <glib/gstdio.h>
#include <string.h>

#define BAR 0xe0000000u
#define COMMAND 0x200000u
#define ANSWER 0x210000u
#define ENTRIES 0x220000u
#define PIXELS 0x400000u
#define CONTROL 0
#define CURSOR 1

#define GET_DISPLAY_INFO 0x100
#define CREATE_2D 0x101
#define UNREF 0x102
#define SET_SCANOUT 0x103
#define FLUSH 0x104
#define TRANSFER 0x105
#define ATTACH 0x106
#define DETACH 0x107
#define GET_EDID 0x10a
#define UPDATE_CURSOR 0x300
#define MOVE_CURSOR 0x301
#define OK_NODATA 0x1100
#define OK_DISPLAY_INFO 0x1101
#define OK_EDID 0x1104
#define ERR_UNSPEC 0x1200
#define ERR_OUT_OF_MEMORY 0x1201
#define ERR_INVALID_SCANOUT 0x1202
#define ERR_INVALID_RESOURCE 0x1203
#define ERR_INVALID_PARAMETER 0x1205

#define B8G8R8X8 2
#define B8G8R8A8 1
#define VMM_EDID_FEATURE (G_GUINT64_CONSTANT (1) << 1)

typedef struct {
  TestBoard *board;
  VirtioHost host;
  char *rom;
} Gpu;

static VmmConsole *
console (Gpu *gpu, guint head)
{
  return vmm_machine_get_console (gpu->board->machine, head);
}

static void
start_driver (Gpu *gpu)
{
  virtio_host_init (&gpu->host, gpu->board, (gpu->rom != NULL ? 1 : 2) << 3, BAR);
  virtio_host_start (&gpu->host, VMM_EDID_FEATURE, 16, TRUE);
}

static void
start (Gpu *gpu, const char *heads, const char *memory)
{
  memset (gpu, 0, sizeof *gpu);
  gpu->board = test_board_new ();
  test_board_add (gpu->board, "virtio-gpu", "display0", "heads", heads, "memory", memory, NULL);
  start_driver (gpu);
}

static void
start_vga (Gpu *gpu)
{
  /* PCI 3.0 §6.3.1: header with the pointer at 18, data structure of 18 bytes, one unit long, last image */
  const guint8 rom[512] = { 0x55, 0xaa, 0x01, [0x18] = 0x1c, [0x1c] = 'P',  'C',           'I',          'R',
                            0xf4, 0x1a, 0x50, 0x10,          [0x26] = 0x18, [0x2c] = 0x01, [0x31] = 0x80 };
  g_autoptr (GError) error = NULL;
  int fd;

  memset (gpu, 0, sizeof *gpu);
  fd = g_file_open_tmp ("gpu-test-XXXXXX.rom", &gpu->rom, &error);
  g_assert_no_error (error);
  close (fd);
  g_file_set_contents (gpu->rom, (const char *) rom, sizeof rom, &error);
  g_assert_no_error (error);
  gpu->board = test_board_new ();
  test_board_add (gpu->board, "virtio-vga", "display0", "rom", gpu->rom, NULL);
}

static void
stop (Gpu *gpu)
{
  test_board_free (gpu->board);
  if (gpu->rom != NULL)
    g_unlink (gpu->rom);
  g_free (gpu->rom);
}

/* A command of 32-bit words behind a header without a fence. Returns: type of the answer. */
static guint32
command_in (Gpu *gpu, guint queue, guint32 type, const guint32 *words, guint n_words, guint32 answer_size)
{
  const VirtioHostPiece pieces[] = { { COMMAND, 24 + n_words * 4 }, { ANSWER, answer_size } };
  guint32 all[64] = { type };

  g_assert_cmpuint (n_words, <=, 58);
  if (n_words > 0)
    memcpy (all + 6, words, n_words * 4);
  test_ram_write (gpu->board, COMMAND, all, 24 + n_words * 4);
  virtio_host_do (&gpu->host, queue, pieces, 1, answer_size != 0);
  if (answer_size == 0)
    return 0;
  test_ram_read (gpu->board, ANSWER, all, 4);
  return all[0];
}

#define command(gpu, type, ...) \
  command_in (gpu, CONTROL, type, (const guint32[]) { __VA_ARGS__ }, sizeof ((const guint32[]) { __VA_ARGS__ }) / 4, 24)
#define cursor_command(gpu, type, ...) \
  command_in (gpu, CURSOR, type, (const guint32[]) { __VA_ARGS__ }, sizeof ((const guint32[]) { __VA_ARGS__ }) / 4, 0)

static guint32
answer_word (Gpu *gpu, guint index)
{
  guint32 word;

  test_ram_read (gpu->board, ANSWER + index * 4, &word, 4);
  return word;
}

/* A resource with its memory at PIXELS in two pieces that are not in order. */
static void
make_resource (Gpu *gpu, guint32 id, guint32 format, guint32 width, guint32 height)
{
  g_assert_cmphex (command (gpu, CREATE_2D, id, format, width, height), ==, OK_NODATA);
  g_assert_cmphex (command (gpu, ATTACH, id, 2, PIXELS + 0x1000, 0, 0x1000, 0, PIXELS + 0x2000, 0, 0x7fe000, 0), ==, OK_NODATA);
}

/* @offset in the resource's memory */
static void
put_pixel (Gpu *gpu, guint32 offset, guint32 value)
{
  test_ram_write (gpu->board, PIXELS + 0x1000 + offset, &value, 4);
}

static guint32
pixel (VmmSurface *surface, int x, int y)
{
  return *(guint32 *) (gpointer) (surface->pixels + (gsize) y * surface->stride + (gsize) x * 4);
}

static void
identity (void)
{
  Gpu gpu;

  start (&gpu, "2", "64");
  g_assert_cmphex (test_pci_read (gpu.board, gpu.host.devfn, 0x02, 2), ==, 0x1050);
  g_assert_cmphex (test_pci_read (gpu.board, gpu.host.devfn, 0x0a, 2), ==, 0x0380);
  g_assert_cmpuint (gpu.host.n_queues, ==, 2);
  g_assert_cmpuint (test_read (gpu.board, gpu.host.device + 8, 4), ==, 2); /* num_scanouts */
  g_assert_cmpuint (test_read (gpu.board, gpu.host.device + 12, 4), ==, 0);
  g_assert_true ((gpu.host.features & VMM_EDID_FEATURE) != 0);
  stop (&gpu);
}

static void
display_info_and_edid (void)
{
  const guint32 words[] = { 1, 0 };
  guint8 edid[128], sum = 0;
  Gpu gpu;

  start (&gpu, "2", "64");
  g_assert_cmphex (command_in (&gpu, CONTROL, GET_DISPLAY_INFO, NULL, 0, 24 + 16 * 24), ==, OK_DISPLAY_INFO);
  g_assert_cmpuint (answer_word (&gpu, 6), ==, 0); /* x, y, width, height, enabled, flags */
  g_assert_cmpuint (answer_word (&gpu, 8), ==, 1280);
  g_assert_cmpuint (answer_word (&gpu, 9), ==, 800);
  g_assert_cmpuint (answer_word (&gpu, 10), ==, 1);
  g_assert_cmpuint (answer_word (&gpu, 12), ==, 1280); /* beside the first */
  g_assert_cmpuint (answer_word (&gpu, 16), ==, 1);
  g_assert_cmpuint (answer_word (&gpu, 22), ==, 0);

  g_assert_cmphex (command_in (&gpu, CONTROL, GET_EDID, words, 2, 24 + 8 + 1024), ==, OK_EDID);
  g_assert_cmpuint (answer_word (&gpu, 6), ==, 128);
  test_ram_read (gpu.board, ANSWER + 32, edid, 128);
  g_assert_cmpmem (edid, 8, "\x00\xff\xff\xff\xff\xff\xff\x00", 8);
  for (guint i = 0; i < 128; i++)
    sum = (guint8) (sum + edid[i]);
  g_assert_cmphex (sum, ==, 0);
  g_assert_cmpuint (edid[54 + 2] | (edid[54 + 4] & 0xf0) << 4, ==, 1280);
  g_assert_cmpuint (edid[54 + 5] | (edid[54 + 7] & 0xf0) << 4, ==, 800);
  g_assert_cmpuint (edid[12], ==, 2); /* serial number */
  g_assert_cmphex (command (&gpu, GET_EDID, 2, 0), ==, ERR_INVALID_SCANOUT);
  stop (&gpu);
}

static void
fence_comes_back (void)
{
  const VirtioHostPiece pieces[] = { { COMMAND, 40 }, { ANSWER, 24 } };
  const guint32 words[] = { CREATE_2D, 1, 0x12345678, 0x9abcdef0, 7, 0, 1, B8G8R8X8, 16, 16 };
  Gpu gpu;

  start (&gpu, "1", "64");
  test_ram_write (gpu.board, COMMAND, words, sizeof words);
  g_assert_cmpuint (virtio_host_do (&gpu.host, CONTROL, pieces, 1, 1), ==, 24);
  g_assert_cmphex (answer_word (&gpu, 0), ==, OK_NODATA);
  g_assert_cmphex (answer_word (&gpu, 1), ==, 1);
  g_assert_cmphex (answer_word (&gpu, 2), ==, 0x12345678);
  g_assert_cmphex (answer_word (&gpu, 3), ==, 0x9abcdef0);
  stop (&gpu);
}

static void
picture_goes_from_memory_to_the_viewer (void)
{
  Gpu gpu;
  VmmViewer *viewer;

  start (&gpu, "1", "64");
  viewer = vmm_console_add_viewer (console (&gpu, 0));
  make_resource (&gpu, 5, B8G8R8X8, 640, 480);
  put_pixel (&gpu, 0, 0x00112233);
  put_pixel (&gpu, (479 * 640 + 639) * 4, 0x00445566);
  g_assert_cmphex (command (&gpu, SET_SCANOUT, 0, 0, 640, 480, 0, 5), ==, OK_NODATA);
  g_assert_cmphex (command (&gpu, TRANSFER, 0, 0, 640, 480, 0, 0, 5, 0), ==, OK_NODATA);
  g_assert_cmphex (command (&gpu, FLUSH, 0, 0, 640, 480, 5, 0), ==, OK_NODATA);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    g_assert_true (frame.new_surface);
    g_assert_cmpint (frame.surface->width, ==, 640);
    g_assert_cmpint (frame.surface->height, ==, 480);
    g_assert_cmpint (frame.surface->fd, >=, 0);
    g_assert_cmphex (pixel (frame.surface, 0, 0), ==, 0x00112233);
    g_assert_cmphex (pixel (frame.surface, 639, 479), ==, 0x00445566);
  }
  /* A part: 10 × 2 at 20, 30 */
  put_pixel (&gpu, (31 * 640 + 29) * 4, 0x00778899);
  put_pixel (&gpu, (32 * 640 + 20) * 4, 0x00ffffff);
  g_assert_cmphex (command (&gpu, TRANSFER, 20, 30, 10, 2, (30 * 640 + 20) * 4, 0, 5, 0), ==, OK_NODATA);
  g_assert_cmphex (command (&gpu, FLUSH, 20, 30, 10, 2, 5, 0), ==, OK_NODATA);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    g_assert_false (frame.new_surface);
    g_assert_cmpuint (frame.n_rects, ==, 1);
    g_assert_cmpint (frame.rects[0].x, ==, 20);
    g_assert_cmpint (frame.rects[0].y, ==, 30);
    g_assert_cmpint (frame.rects[0].width, ==, 10);
    g_assert_cmpint (frame.rects[0].height, ==, 2);
    g_assert_cmphex (pixel (frame.surface, 29, 31), ==, 0x00778899);
    g_assert_cmphex (pixel (frame.surface, 20, 32), ==, 0); /* not transferred */
  }
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_false (vmm_viewer_pull (viewer, &frame));
  }
  vmm_viewer_free (viewer);
  stop (&gpu);
}

static void
formats_become_the_viewers (void)
{
  static const struct {
    guint32 format;
    guint8 bytes[4]; /* of colour 0x112233 */
  } cases[] = {
    { 1, { 0x33, 0x22, 0x11, 0xff } },   { 2, { 0x33, 0x22, 0x11, 0 } },     { 3, { 0xff, 0x11, 0x22, 0x33 } },
    { 4, { 0, 0x11, 0x22, 0x33 } },      { 67, { 0x11, 0x22, 0x33, 0xff } }, { 68, { 0, 0x33, 0x22, 0x11 } },
    { 121, { 0xff, 0x33, 0x22, 0x11 } }, { 134, { 0x11, 0x22, 0x33, 0 } },
  };
  Gpu gpu;
  VmmViewer *viewer;

  start (&gpu, "1", "64");
  viewer = vmm_console_add_viewer (console (&gpu, 0));
  for (guint32 i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_auto (VmmFrame) frame = { 0 };

      make_resource (&gpu, i + 1, cases[i].format, 32, 16);
      test_ram_write (gpu.board, PIXELS + 0x1000, cases[i].bytes, 4);
      g_assert_cmphex (command (&gpu, TRANSFER, 0, 0, 32, 16, 0, 0, i + 1, 0), ==, OK_NODATA);
      g_assert_cmphex (command (&gpu, SET_SCANOUT, 0, 0, 32, 16, 0, i + 1), ==, OK_NODATA);
      g_assert_true (vmm_viewer_pull (viewer, &frame));
      g_assert_cmphex (pixel (frame.surface, 0, 0) & 0xffffff, ==, 0x112233);
    }
  g_assert_cmphex (command (&gpu, CREATE_2D, 100, 5, 16, 16), ==, ERR_INVALID_PARAMETER);
  vmm_viewer_free (viewer);
  stop (&gpu);
}

/* Two outputs that show parts of one resource (X.Org does that): damage goes where it lies. */
static void
two_outputs_of_one_resource (void)
{
  Gpu gpu;
  VmmViewer *left, *right;
  g_auto (VmmFrame) frame_left = { 0 };
  g_auto (VmmFrame) frame_right = { 0 };

  start (&gpu, "2", "64");
  left = vmm_console_add_viewer (console (&gpu, 0));
  right = vmm_console_add_viewer (console (&gpu, 1));
  make_resource (&gpu, 1, B8G8R8X8, 1024, 384);
  g_assert_cmphex (command (&gpu, SET_SCANOUT, 0, 0, 512, 384, 0, 1), ==, OK_NODATA);
  g_assert_cmphex (command (&gpu, SET_SCANOUT, 512, 0, 512, 384, 1, 1), ==, OK_NODATA);
  g_assert_true (vmm_viewer_pull (left, &frame_left));
  g_assert_true (vmm_viewer_pull (right, &frame_right));
  g_assert_cmpint (frame_right.surface->width, ==, 512);
  vmm_frame_clear (&frame_left);
  put_pixel (&gpu, (10 * 1024 + 600) * 4, 0xabcdef);
  command (&gpu, TRANSFER, 600, 10, 4, 4, (10 * 1024 + 600) * 4, 0, 1, 0);
  g_assert_cmphex (command (&gpu, FLUSH, 600, 10, 4, 4, 1, 0), ==, OK_NODATA);
  g_assert_false (vmm_viewer_pull (left, &frame_left));
  vmm_frame_clear (&frame_right);
  g_assert_true (vmm_viewer_pull (right, &frame_right));
  g_assert_cmpint (frame_right.rects[0].x, ==, 88);
  g_assert_cmpint (frame_right.rects[0].y, ==, 10);
  g_assert_cmphex (pixel (frame_right.surface, 88, 10), ==, 0xabcdef);

  /* A resource that goes takes its outputs along; the viewer's picture stays readable. */
  g_assert_cmphex (command (&gpu, UNREF, 1, 0), ==, OK_NODATA);
  g_assert_cmphex (pixel (frame_right.surface, 88, 10), ==, 0xabcdef);
  g_assert_true (vmm_viewer_pull (left, &frame_left));
  g_assert_true (frame_left.new_surface);
  vmm_viewer_free (left);
  vmm_viewer_free (right);
  stop (&gpu);
}

static void
size_follows_the_viewer (void)
{
  Gpu gpu;
  guint msis;
  guint8 generation;

  start (&gpu, "2", "64");
  g_assert_true (vmm_console_can_resize (console (&gpu, 0)));
  msis = test_msi_count (gpu.board);
  generation = (guint8) virtio_host_get (&gpu.host, 0x15, 1);
  vmm_console_request_size (console (&gpu, 0), 1003, 701);
  g_assert_cmpuint (test_msi_count (gpu.board), ==, msis + 1);
  g_assert_cmphex (test_msi_get (gpu.board, msis).data, ==, 0x40); /* the configuration's vector */
  g_assert_cmpuint (virtio_host_get (&gpu.host, 0x15, 1), !=, generation);
  g_assert_cmpuint (test_read (gpu.board, gpu.host.device, 4), ==, 1); /* VIRTIO_GPU_EVENT_DISPLAY */
  g_assert_cmphex (command_in (&gpu, CONTROL, GET_DISPLAY_INFO, NULL, 0, 24 + 16 * 24), ==, OK_DISPLAY_INFO);
  g_assert_cmpuint (answer_word (&gpu, 8), ==, 1000);
  g_assert_cmpuint (answer_word (&gpu, 9), ==, 701);
  g_assert_cmpuint (answer_word (&gpu, 12), ==, 1000);
  g_assert_cmpuint (answer_word (&gpu, 14), ==, 1280);
  test_write (gpu.board, gpu.host.device + 4, 4, 1); /* events_clear */
  g_assert_cmpuint (test_read (gpu.board, gpu.host.device, 4), ==, 0);
  vmm_console_request_size (console (&gpu, 0), 1000, 701); /* nothing new */
  g_assert_cmpuint (test_read (gpu.board, gpu.host.device, 4), ==, 0);
  vmm_console_request_size (console (&gpu, 0), 100000, 0);
  command_in (&gpu, CONTROL, GET_DISPLAY_INFO, NULL, 0, 24 + 16 * 24);
  g_assert_cmpuint (answer_word (&gpu, 8), ==, 4088);
  g_assert_cmpuint (answer_word (&gpu, 9), ==, 64);
  stop (&gpu);
}

/* E-EDID §3.10.2: the pixel clock has 16 bits of 10 kHz; a size that 60 Hz would take more for gets fewer. */
static void
edid_of_a_huge_screen (void)
{
  const guint32 words[] = { 0, 0 };
  guint8 edid[128];
  Gpu gpu;

  start (&gpu, "1", "64");
  vmm_console_request_size (console (&gpu, 0), 5000, 5000);
  g_assert_cmphex (command_in (&gpu, CONTROL, GET_EDID, words, 2, 24 + 8 + 1024), ==, OK_EDID);
  test_ram_read (gpu.board, ANSWER + 32, edid, 128);
  g_assert_cmpuint (edid[54] | edid[55] << 8, ==, 65525);
  g_assert_cmpuint (edid[54 + 2] | (edid[54 + 4] & 0xf0) << 4, ==, 4088);
  g_assert_cmpuint (edid[54 + 5] | (edid[54 + 7] & 0xf0) << 4, ==, 4095);
  stop (&gpu);
}

static void
pointer_image (void)
{
  Gpu gpu;
  VmmViewer *viewer;
  g_autoptr (VmmCursor) cursor = NULL;
  VmmCursor *none = (VmmCursor *) 1;
  int x, y;

  start (&gpu, "1", "64");
  viewer = vmm_console_add_viewer (console (&gpu, 0));
  make_resource (&gpu, 9, B8G8R8A8, 64, 64);
  put_pixel (&gpu, (63 * 64 + 63) * 4, 0x80402010);
  command (&gpu, TRANSFER, 0, 0, 64, 64, 0, 0, 9, 0);
  g_assert_true (vmm_viewer_pull_cursor (viewer, &cursor, &x, &y)); /* the state at first */
  g_assert_null (cursor);
  cursor_command (&gpu, UPDATE_CURSOR, 0, 100, 0xfffffffe, 0, 9, 3, 4, 0);
  g_assert_true (vmm_viewer_pull_cursor (viewer, &cursor, &x, &y));
  g_assert_cmpint (cursor->width, ==, 64);
  g_assert_cmpint (cursor->hot_x, ==, 3);
  g_assert_cmpint (cursor->hot_y, ==, 4);
  g_assert_cmpint (x, ==, 100);
  g_assert_cmpint (y, ==, -2);
  g_assert_cmphex (cursor->pixels[63 * 64 + 63], ==, 0x80402010);
  g_clear_pointer (&cursor, vmm_cursor_unref);
  cursor_command (&gpu, MOVE_CURSOR, 0, 7, 8, 0, 9, 0, 0, 0);
  g_assert_true (vmm_viewer_pull_cursor (viewer, &cursor, &x, &y));
  g_assert_nonnull (cursor);
  g_assert_cmpint (x, ==, 7);
  g_assert_false (vmm_viewer_pull_cursor (viewer, &none, &x, &y));
  cursor_command (&gpu, UPDATE_CURSOR, 0, 7, 8, 0, 0, 0, 0, 0);
  g_assert_true (vmm_viewer_pull_cursor (viewer, &none, &x, &y));
  g_assert_null (none);
  cursor_command (&gpu, UPDATE_CURSOR, 3, 7, 8, 0, 9, 0, 0, 0); /* no such output: nothing */
  g_assert_false (vmm_viewer_pull_cursor (viewer, &none, &x, &y));
  vmm_viewer_free (viewer);
  stop (&gpu);
}

static void
wrong_commands_are_refused (void)
{
  Gpu gpu;

  start (&gpu, "1", "64");
  g_assert_cmphex (command (&gpu, 0x999, 0), ==, ERR_UNSPEC);
  g_assert_cmphex (command (&gpu, CREATE_2D, 0, B8G8R8X8, 16, 16), ==, ERR_INVALID_RESOURCE);
  g_assert_cmphex (command (&gpu, CREATE_2D, 1, B8G8R8X8, 0, 16), ==, ERR_INVALID_PARAMETER);
  g_assert_cmphex (command (&gpu, CREATE_2D, 1, B8G8R8X8, 0xffffffff, 0xffffffff), ==, ERR_INVALID_PARAMETER);
  g_assert_cmphex (command (&gpu, CREATE_2D, 1, B8G8R8X8), ==, ERR_UNSPEC); /* cut off */
  make_resource (&gpu, 1, B8G8R8X8, 64, 64);
  g_assert_cmphex (command (&gpu, CREATE_2D, 1, B8G8R8X8, 64, 64), ==, ERR_INVALID_RESOURCE);
  g_assert_cmphex (command (&gpu, SET_SCANOUT, 0, 0, 64, 64, 1, 1), ==, ERR_INVALID_SCANOUT);
  g_assert_cmphex (command (&gpu, SET_SCANOUT, 0, 0, 65, 64, 0, 1), ==, ERR_INVALID_PARAMETER);
  g_assert_cmphex (command (&gpu, SET_SCANOUT, 0xffffffff, 0, 2, 64, 0, 1), ==, ERR_INVALID_PARAMETER);
  g_assert_cmphex (command (&gpu, SET_SCANOUT, 0, 0, 64, 64, 0, 2), ==, ERR_INVALID_RESOURCE);
  g_assert_cmphex (command (&gpu, TRANSFER, 0, 0, 64, 65, 0, 0, 1, 0), ==, ERR_INVALID_PARAMETER);
  g_assert_cmphex (command (&gpu, TRANSFER, 0, 0, 64, 64, 0xffffffff, 0xffffffff, 1, 0), ==, ERR_INVALID_PARAMETER);
  g_assert_cmphex (command (&gpu, TRANSFER, 0, 0, 64, 64, 0xf0000000, 0, 1, 0), ==, OK_NODATA); /* beyond its memory: nothing */
  g_assert_cmphex (command (&gpu, FLUSH, 0, 0, 65, 1, 1, 0), ==, ERR_INVALID_PARAMETER);
  g_assert_cmphex (command (&gpu, FLUSH, 0, 0, 1, 1, 2, 0), ==, ERR_INVALID_RESOURCE);
  g_assert_cmphex (command (&gpu, UNREF, 2, 0), ==, ERR_INVALID_RESOURCE);
  g_assert_cmphex (command (&gpu, ATTACH, 1, 1, PIXELS, 0, 4096, 0), ==, ERR_UNSPEC); /* has some */
  g_assert_cmphex (command (&gpu, DETACH, 1, 0), ==, OK_NODATA);
  g_assert_cmphex (command (&gpu, TRANSFER, 0, 0, 64, 64, 0, 0, 1, 0), ==, ERR_INVALID_RESOURCE);
  g_assert_cmphex (command (&gpu, ATTACH, 1, 1, 0xfff00000, 0, 4096, 0), ==, ERR_INVALID_PARAMETER); /* no RAM there */
  g_assert_cmphex (command (&gpu, ATTACH, 1, 0xffffffff, PIXELS, 0, 4096, 0), ==, ERR_INVALID_PARAMETER);
  g_assert_cmphex (command (&gpu, ATTACH, 1, 2, PIXELS, 0, 4096, 0), ==, ERR_INVALID_PARAMETER); /* one is missing */
  g_assert_cmphex (command (&gpu, ATTACH, 1, 1, PIXELS, 0, 4096, 0), ==, OK_NODATA);
  stop (&gpu);
}

static void
host_memory_is_limited (void)
{
  Gpu gpu;
  guint made = 0;

  start (&gpu, "1", "64");
  g_assert_cmphex (command (&gpu, CREATE_2D, 1, B8G8R8X8, 16384, 16384), ==, ERR_OUT_OF_MEMORY);
  while (made < 64 && command (&gpu, CREATE_2D, made + 1, B8G8R8X8, 1024, 1024) == OK_NODATA)
    made++;
  g_assert_cmpuint (made, ==, 15); /* 4 MiB and a little each */
  g_assert_cmphex (answer_word (&gpu, 0), ==, ERR_OUT_OF_MEMORY);
  g_assert_cmphex (command (&gpu, UNREF, 3, 0), ==, OK_NODATA);
  g_assert_cmphex (command (&gpu, CREATE_2D, 99, B8G8R8X8, 1024, 1024), ==, OK_NODATA);
  /* A reset frees all. */
  virtio_host_start (&gpu.host, 0, 16, TRUE);
  for (guint i = 0; i < 15; i++)
    g_assert_cmphex (command (&gpu, CREATE_2D, i + 1, B8G8R8X8, 1024, 1024), ==, OK_NODATA);
  stop (&gpu);
}

static void
no_edid_without_the_feature (void)
{
  const guint32 words[] = { 0, 0 };
  Gpu gpu;

  start (&gpu, "1", "64");
  virtio_host_start (&gpu.host, 0, 16, TRUE);
  g_assert_cmphex (command_in (&gpu, CONTROL, GET_EDID, words, 2, 24 + 8 + 1024), ==, ERR_UNSPEC);
  stop (&gpu);
}

/* The tablet's plane is both screens: 600 and 200 pixels, side by side. */
static void
positions_count_all_outputs (void)
{
  const VirtioHostPiece pieces[] = { { 0x300000, 8 }, { 0x300008, 8 }, { 0x300010, 8 } };
  Gpu gpu;
  VirtioHost tablet;
  guint8 bytes[16];

  start (&gpu, "2", "64");
  make_resource (&gpu, 1, B8G8R8X8, 800, 400);
  g_assert_cmphex (command (&gpu, SET_SCANOUT, 0, 0, 600, 400, 0, 1), ==, OK_NODATA);
  g_assert_cmphex (command (&gpu, SET_SCANOUT, 600, 0, 200, 100, 1, 1), ==, OK_NODATA);

  /* Its rings lie where those of the display are, which is done. */
  test_board_add (gpu.board, "virtio-tablet", "input0", NULL);
  virtio_host_init (&tablet, gpu.board, 3 << 3, 0xe1000000u);
  virtio_host_start (&tablet, 0, 16, FALSE);
  for (guint i = 0; i < 3; i++)
    virtio_host_add (&tablet, 0, &pieces[i], 0, 1);
  virtio_host_kick (&tablet, 0);
  g_assert_true (vmm_console_pointer_position (console (&gpu, 1), 16384, 32767));
  for (guint i = 0; i < 3; i++)
    virtio_host_take (&tablet, 0, NULL);
  test_ram_read (gpu.board, 0x300000, bytes, 16);
  g_assert_cmpint (ABS ((bytes[4] | bytes[5] << 8) - 32767 * 7 / 8), <=, 2); /* 700 of 800 pixels */
  g_assert_cmpint (ABS ((bytes[12] | bytes[13] << 8) - 32767 / 4), <=, 2);   /* 100 of 400 */
  stop (&gpu);
}

static void
vga_until_the_driver_draws (void)
{
  Gpu gpu;
  VmmViewer *viewer;
  g_autofree char *text = NULL;

  start_vga (&gpu);
  g_assert_cmphex (test_pci_read (gpu.board, 1 << 3, 0x00, 4), ==, 0x10501af4);
  g_assert_cmphex (test_pci_read (gpu.board, 1 << 3, 0x09, 2), ==, 0x0000);
  g_assert_cmphex (test_pci_read (gpu.board, 1 << 3, 0x0b, 1), ==, 0x03); /* 030000: VGA compatible */
  /* Bochs VBE: 800 × 600, 32 bits */
  test_pci_write (gpu.board, 1 << 3, 0x10, 4, 0xd0000000);
  test_pci_write (gpu.board, 1 << 3, 0x18, 4, 0xd8000000);
  test_pci_write (gpu.board, 1 << 3, 0x04, 2, 0x0007);
  test_write (gpu.board, 0xd8000400, 1, 0x20); /* the picture on */
  test_write (gpu.board, 0xd8000502, 2, 800);
  test_write (gpu.board, 0xd8000504, 2, 600);
  test_write (gpu.board, 0xd8000506, 2, 32);
  test_write (gpu.board, 0xd8000508, 2, 0x41);
  g_assert_cmphex (test_inb (gpu.board, 0x3cc), ==, 0x00);
  viewer = vmm_console_add_viewer (console (&gpu, 0));
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    g_assert_cmpint (frame.surface->width, ==, 800);
    g_assert_cmpint (frame.surface->height, ==, 600);
  }
  start_driver (&gpu);
  make_resource (&gpu, 1, B8G8R8X8, 640, 480);
  put_pixel (&gpu, 0, 0xffee00);
  command (&gpu, TRANSFER, 0, 0, 640, 480, 0, 0, 1, 0);
  g_assert_cmphex (command (&gpu, SET_SCANOUT, 0, 0, 640, 480, 0, 1), ==, OK_NODATA);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame));
    g_assert_cmpint (frame.surface->width, ==, 640);
    g_assert_cmphex (pixel (frame.surface, 0, 0), ==, 0xffee00);
    g_assert_null (vmm_console_dup_text (console (&gpu, 0)));
  }
  test_board_reset (gpu.board, VMM_RESET_WARM);
  {
    g_auto (VmmFrame) frame = { 0 };

    g_assert_true (vmm_viewer_pull (viewer, &frame)); /* VGA's registers are as after power on: black */
    g_assert_true (frame.new_surface);
    g_assert_cmphex (pixel (frame.surface, 0, 0), ==, 0);
  }
  vmm_viewer_free (viewer);
  stop (&gpu);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/virtio-gpu/config/identity", identity);
  g_test_add_func ("/virtio-gpu/config/display-info-and-edid", display_info_and_edid);
  g_test_add_func ("/virtio-gpu/config/no-edid-without-the-feature", no_edid_without_the_feature);
  g_test_add_func ("/virtio-gpu/control/fence-comes-back", fence_comes_back);
  g_test_add_func ("/virtio-gpu/control/picture-goes-from-memory-to-the-viewer", picture_goes_from_memory_to_the_viewer);
  g_test_add_func ("/virtio-gpu/control/formats-become-the-viewers", formats_become_the_viewers);
  g_test_add_func ("/virtio-gpu/control/two-outputs-of-one-resource", two_outputs_of_one_resource);
  g_test_add_func ("/virtio-gpu/control/wrong-commands-are-refused", wrong_commands_are_refused);
  g_test_add_func ("/virtio-gpu/control/host-memory-is-limited", host_memory_is_limited);
  g_test_add_func ("/virtio-gpu/viewer/size-follows-the-viewer", size_follows_the_viewer);
  g_test_add_func ("/virtio-gpu/viewer/edid-of-a-huge-screen", edid_of_a_huge_screen);
  g_test_add_func ("/virtio-gpu/viewer/pointer-image", pointer_image);
  g_test_add_func ("/virtio-gpu/viewer/positions-count-all-outputs", positions_count_all_outputs);
  g_test_add_func ("/virtio-vga/viewer/vga-until-the-driver-draws", vga_until_the_driver_draws);
  return g_test_run ();
}
