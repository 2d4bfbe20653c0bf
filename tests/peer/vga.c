/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The same guest in our engine and in QEMU: the pictures are equal. Needs /dev/kvm and qemu-system-x86_64. */
#include "picture.h"

#include <string.h>
#include <unistd.h>

#define SCENARIO_OFFSET 0xff00

static char *rom_path; /* the image with scenario 0 */

/* Runs the engine until the guest's log holds @mark; the picture is what a viewer made of its pulls meanwhile. */
static void
run_engine (const char *dir, const char *rom, const char *mark, Picture *ret_picture, char **ret_text)
{
  g_autofree char *log = g_build_filename (dir, "firmware.log", NULL);
  VmmMachine *machine = peer_machine_new (dir, rom, NULL);
  VmmConsole *console = vmm_machine_get_console (machine, 0);
  Mirror mirror = { .viewer = vmm_console_add_viewer (console) };
  gint64 deadline = g_get_monotonic_time () + PEER_WAIT_US;
  gboolean done = FALSE;

  vmm_machine_start (machine);
  while (!done && g_get_monotonic_time () < deadline)
    {
      g_usleep (PEER_PULL_US);
      mirror_pull (&mirror);
      done = peer_count_marks (log, mark) > 0;
    }
  g_assert_true (done);
  g_usleep (PEER_SETTLE_US);
  mirror_pull (&mirror);
  *ret_picture = mirror.picture;
  g_test_message ("%u frames, %u rectangles", mirror.frames, mirror.rects);
  if (ret_text != NULL)
    *ret_text = vmm_console_dup_text (console);
  vmm_viewer_free (mirror.viewer);
  vmm_machine_free (machine);
}

/* The same in QEMU. */
static void
run_qemu (const char *dir, const char *rom, const char *mark, Picture *ret_picture)
{
  g_autofree char *log = g_build_filename (dir, "qemu.log", NULL);
  g_autofree char *dump = g_build_filename (dir, "qemu.ppm", NULL);
  g_autofree char *command = g_strdup_printf ("screendump %s", dump);
  int monitor;
  GPid pid = peer_qemu_start (dir, rom, NULL, &monitor);

  g_assert_true (peer_wait_for_marks (log, mark, 1));
  g_usleep (PEER_SETTLE_US);
  peer_qemu_command (monitor, command);
  peer_qemu_end (pid, monitor);
  picture_read (ret_picture, dump);
}

typedef struct {
  const char *name;
  guint8 number;
  int tolerance;
} Scenario;

static void
pictures_are_equal (gconstpointer data)
{
  const Scenario *scenario = data;
  g_autoptr (GError) error = NULL;
  g_autofree char *dir = peer_dir_new ();
  g_autofree char *rom = g_build_filename (dir, "rom.bin", NULL);
  g_autofree char *image = NULL;
  g_auto (Picture) ours = { 0 };
  g_auto (Picture) theirs = { 0 };
  gsize len;

  g_file_get_contents (rom_path, &image, &len, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (len, ==, 0x10000);
  image[SCENARIO_OFFSET] = (char) scenario->number;
  g_file_set_contents (rom, image, (gssize) len, &error);
  g_assert_no_error (error);

  run_engine (dir, rom, "D", &ours, NULL);
  run_qemu (dir, rom, "D", &theirs);
  picture_assert_equal (&ours, &theirs, scenario->tolerance);
  peer_dir_remove (dir);
}

/* SeaBIOS with its VGA BIOS and nothing to boot. What it tries in which order depends on the rest of the machine, so each line of text is
 * looked for among QEMU's. The line of the mark is the last that is complete; the cursor stands in it or below. */
static void
firmware_screen_is_equal (void)
{
  static const char mark[] = "No bootable device.";
  g_autofree char *dir = peer_dir_new ();
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;
  g_auto (Picture) ours = { 0 };
  g_auto (Picture) theirs = { 0 };
  gsize band = 16 * 720 * 3;
  guint row = 0;

  run_engine (dir, NULL, mark, &ours, &text);
  run_qemu (dir, NULL, mark, &theirs);
  g_assert_nonnull (text);
  g_assert_cmpint (ours.width, ==, 720);
  g_assert_cmpint (ours.height, ==, 400);
  g_assert_cmpint (theirs.width, ==, 720);
  g_assert_cmpint (theirs.height, ==, 400);
  lines = g_strsplit (text, "\n", -1);
  g_assert_true (g_str_has_prefix (lines[0], "SeaBIOS (version"));
  for (; lines[row] != NULL && !g_str_has_prefix (lines[row], mark); row++)
    {
      gboolean found = FALSE;

      for (guint other = 0; other < 25 && !found; other++)
        {
          found = TRUE;
          for (gsize i = 0; i < band && found; i++)
            found = ABS (ours.rgb[row * band + i] - theirs.rgb[other * band + i]) <= PEER_SIX_BITS;
        }
      if (!found)
        {
          picture_write (&ours, "ours.ppm");
          picture_write (&theirs, "qemu.ppm");
          g_test_message ("not in QEMU's picture: %s", lines[row]);
        }
      g_assert_true (found);
    }
  g_assert_nonnull (lines[row]);
  g_assert_cmpuint (row, >=, 2);
  peer_dir_remove (dir);
}

int
main (int argc, char *argv[])
{
  static const Scenario scenarios[] = {
    { "/peer/vga/text-nine-dots", 0, PEER_SIX_BITS },
    { "/peer/vga/text-eight-dots-two-fonts", 1, PEER_SIX_BITS },
    { "/peer/vga/planar-write-modes", 2, PEER_SIX_BITS },
    { "/peer/vga/planar-read-modes", 3, PEER_SIX_BITS },
    { "/peer/vga/planar-split-and-panning", 4, PEER_SIX_BITS },
    { "/peer/vga/mode-13", 5, 0 },
    { "/peer/vga/mode-x", 6, 0 },
    { "/peer/vga/mode-x-second-page", 7, 0 },
    { "/peer/vga/cga-four-colours", 8, PEER_SIX_BITS },
    { "/peer/vga/cga-two-colours", 9, PEER_SIX_BITS },
    { "/peer/vga/vbe-8", 10, 0 },
    { "/peer/vga/vbe-15", 11, PEER_HIGH_COLOUR },
    { "/peer/vga/vbe-16", 12, PEER_HIGH_COLOUR },
    { "/peer/vga/vbe-24", 13, 0 },
    { "/peer/vga/vbe-32", 14, 0 },
    { "/peer/vga/vbe-32-moved-view", 15, 0 },
    { "/peer/vga/vbe-32-written-linearly", 16, 0 },
    { "/peer/vga/vbe-16-written-linearly", 17, PEER_HIGH_COLOUR },
  };

  g_test_init (&argc, &argv, NULL);
  if (argc != 2)
    {
      g_printerr ("usage: peer-vga ROM\n");
      return 2;
    }
  if (peer_skip ())
    return 0;
  rom_path = argv[1];
  vmm_init ();
  for (guint i = 0; i < G_N_ELEMENTS (scenarios); i++)
    g_test_add_data_func (scenarios[i].name, &scenarios[i], pictures_are_equal);
  g_test_add_func ("/peer/vga/firmware-screen", firmware_screen_is_equal);
  return g_test_run ();
}
