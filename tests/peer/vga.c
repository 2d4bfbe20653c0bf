/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The same guest in our engine and in QEMU: the pictures are equal. Needs /dev/kvm and qemu-system-x86_64. */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vmm.h>

#define SCENARIO_OFFSET 0xff00
#define WAIT_US (120 * G_USEC_PER_SEC)
#define PULL_US 8000
#define SETTLE_US (G_USEC_PER_SEC / 5) /* the firmware's last letters reach its log before the screen */

typedef struct {
  int width, height;
  guint8 *rgb;
} Picture;

static char *rom_path; /* the image with scenario 0 */

static void
picture_clear (Picture *picture)
{
  g_clear_pointer (&picture->rgb, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Picture, picture_clear)

static gboolean
file_ends_with (const char *path, const char *text)
{
  g_autofree char *contents = NULL;

  return g_file_get_contents (path, &contents, NULL, NULL) && strstr (contents, text) != NULL;
}

static void
remove_tree (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *child = g_build_filename (path, name, NULL);

      remove_tree (child);
    }
  g_remove (path);
}

static void
picture_copy (Picture *picture, const VmmSurface *surface, const VmmRect *rect)
{
  for (int y = rect->y; y < rect->y + rect->height; y++)
    for (int x = rect->x; x < rect->x + rect->width; x++)
      {
        const guint8 *in = surface->pixels + (gsize) y * surface->stride + (gsize) x * 4;
        guint8 *out = picture->rgb + ((gsize) y * (gsize) surface->width + (gsize) x) * 3;

        out[0] = in[2];
        out[1] = in[1];
        out[2] = in[0];
      }
}

/* What a window does: keeps a picture of its own and takes over what is said to have changed. */
typedef struct {
  VmmViewer *viewer;
  Picture picture;
  guint frames, rects;
} Mirror;

static void
mirror_pull (Mirror *mirror)
{
  g_auto (VmmFrame) frame = { 0 };

  if (!vmm_viewer_pull (mirror->viewer, &frame))
    return;
  mirror->frames++;
  if (frame.new_surface)
    {
      picture_clear (&mirror->picture);
      mirror->picture.width = frame.surface->width;
      mirror->picture.height = frame.surface->height;
      mirror->picture.rgb = g_malloc0 ((gsize) frame.surface->width * (gsize) frame.surface->height * 3);
    }
  for (guint i = 0; i < frame.n_rects; i++)
    picture_copy (&mirror->picture, frame.surface, &frame.rects[i]);
  mirror->rects += frame.n_rects;
}

/* Runs the engine until the guest's log holds @mark; the picture is what a viewer made of its pulls meanwhile. */
static void
run_engine (const char *dir, const char *rom, const char *mark, Picture *ret_picture, char **ret_text)
{
  static const VmmMachineEvents events = { 0 };
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autoptr (VmmConfig) config = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *log = g_build_filename (dir, "firmware.log", NULL);
  VmmMachine *machine;
  VmmConsole *console;
  Mirror mirror = { 0 };
  gint64 deadline = g_get_monotonic_time () + WAIT_US;
  gboolean done = FALSE;

  g_key_file_set_integer (file, "machine", "memory", 64);
  if (rom != NULL)
    g_key_file_set_string (file, "machine", "firmware-image", rom);
  g_key_file_set_string (file, "display0", "class", "vga");
  config = vmm_config_new (file, dir, &error);
  g_assert_no_error (error);
  machine = vmm_machine_new (config, dir, &events, NULL, &error);
  g_assert_no_error (error);
  console = vmm_machine_get_console (machine, 0);
  mirror.viewer = vmm_console_add_viewer (console);
  vmm_machine_start (machine);
  while (!done && g_get_monotonic_time () < deadline)
    {
      g_usleep (PULL_US);
      mirror_pull (&mirror);
      done = file_ends_with (log, mark);
    }
  g_assert_true (done);
  g_usleep (SETTLE_US);
  mirror_pull (&mirror);
  *ret_picture = mirror.picture;
  g_test_message ("%u frames, %u rectangles", mirror.frames, mirror.rects);
  if (ret_text != NULL)
    *ret_text = vmm_console_dup_text (console);
  vmm_viewer_free (mirror.viewer);
  vmm_machine_free (machine);
}

static void
read_ppm (const char *path, Picture *ret_picture)
{
  g_autofree char *contents = NULL;
  g_autoptr (GError) error = NULL;
  gsize len;
  int used = 0;

  g_file_get_contents (path, &contents, &len, &error);
  g_assert_no_error (error);
  g_assert_cmpint (sscanf (contents, "P6 %d %d 255%n", &ret_picture->width, &ret_picture->height, &used), ==, 2);
  used++;
  g_assert_cmpuint (len, ==, (gsize) used + (gsize) ret_picture->width * (gsize) ret_picture->height * 3);
  ret_picture->rgb = g_memdup2 (contents + used, len - (gsize) used);
}

static gboolean
wait_for_file (const char *path, const char *mark)
{
  gint64 deadline = g_get_monotonic_time () + WAIT_US;

  while (g_get_monotonic_time () < deadline)
    {
      if (file_ends_with (path, mark))
        return TRUE;
      g_usleep (20000);
    }
  return FALSE;
}

/* The same in QEMU. */
static void
run_qemu (const char *dir, const char *rom, const char *mark, Picture *ret_picture)
{
  g_autofree char *log = g_build_filename (dir, "qemu.log", NULL);
  g_autofree char *dump = g_build_filename (dir, "qemu.ppm", NULL);
  g_autofree char *chardev = g_strdup_printf ("file,id=debug,path=%s", log);
  g_autofree char *commands = g_strdup_printf ("screendump %s\nquit\n", dump);
  const char *args[] = { "qemu-system-x86_64",
                         "-accel",
                         "tcg",
                         "-machine",
                         "q35",
                         "-m",
                         "64",
                         "-nodefaults",
                         "-vga",
                         "std",
                         "-display",
                         "none",
                         "-monitor",
                         "stdio",
                         "-chardev",
                         chardev,
                         "-device",
                         "isa-debugcon,iobase=0x402,chardev=debug",
                         rom != NULL ? "-bios" : NULL,
                         rom,
                         NULL };
  g_autoptr (GError) error = NULL;
  GPid pid;
  int input, status;

  g_spawn_async_with_pipes (NULL, (char **) args, NULL,
                            G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, &pid, &input,
                            NULL, NULL, &error);
  g_assert_no_error (error);
  if (!wait_for_file (log, mark))
    {
      kill (pid, SIGKILL);
      g_test_message ("QEMU did not come so far");
    }
  g_usleep (SETTLE_US);
  g_assert_cmpint (write (input, commands, strlen (commands)), ==, (gssize) strlen (commands));
  close (input);
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_true (WIFEXITED (status) && WEXITSTATUS (status) == 0);
  read_ppm (dump, ret_picture);
}

static void
write_ppm (const char *name, const Picture *picture)
{
  g_autofree char *dir = g_build_filename (g_get_tmp_dir (), "lodge-peer-vga", NULL);
  g_autofree char *path = g_build_filename (dir, name, NULL);
  FILE *file;

  g_mkdir_with_parents (dir, 0700);
  file = g_fopen (path, "we");
  if (file == NULL)
    return;
  fprintf (file, "P6 %d %d 255\n", picture->width, picture->height);
  fwrite (picture->rgb, 3, (gsize) picture->width * (gsize) picture->height, file);
  fclose (file);
  g_test_message ("see %s", path);
}

/* @tolerance: of each colour */
static void
assert_equal (const Picture *ours, const Picture *theirs, int tolerance)
{
  guint wrong = 0;

  if (ours->width == theirs->width && ours->height == theirs->height)
    for (int i = 0; i < ours->width * ours->height; i++)
      {
        gboolean differs = FALSE;

        for (int c = 0; c < 3; c++)
          differs |= ABS (ours->rgb[3 * i + c] - theirs->rgb[3 * i + c]) > tolerance;
        if (differs && wrong++ < 5)
          g_test_message ("%d, %d: ours %02x%02x%02x, QEMU's %02x%02x%02x", i % ours->width, i / ours->width, ours->rgb[3 * i],
                          ours->rgb[3 * i + 1], ours->rgb[3 * i + 2], theirs->rgb[3 * i], theirs->rgb[3 * i + 1],
                          theirs->rgb[3 * i + 2]);
      }
  if (wrong > 0 || ours->width != theirs->width || ours->height != theirs->height)
    {
      write_ppm ("ours.ppm", ours);
      write_ppm ("qemu.ppm", theirs);
    }
  g_assert_cmpint (ours->width, ==, theirs->width);
  g_assert_cmpint (ours->height, ==, theirs->height);
  g_assert_cmpuint (wrong, ==, 0);
}

typedef struct {
  const char *name;
  guint8 number;
  int tolerance;
} Scenario;

/* QEMU makes A8 of two thirds in a DAC of six bits, exact is AA; and it does not fill the low bits of 15- and 16-bit colours. */
#define SIX_BITS 3
#define HIGH_COLOUR 7

static void
pictures_are_equal (gconstpointer data)
{
  const Scenario *scenario = data;
  g_autoptr (GError) error = NULL;
  g_autofree char *dir = g_dir_make_tmp ("lodge-peer-vga-XXXXXX", &error);
  g_autofree char *rom = NULL, *image = NULL;
  g_auto (Picture) ours = { 0 };
  g_auto (Picture) theirs = { 0 };
  gsize len;

  g_assert_no_error (error);
  rom = g_build_filename (dir, "rom.bin", NULL);
  g_file_get_contents (rom_path, &image, &len, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (len, ==, 0x10000);
  image[SCENARIO_OFFSET] = (char) scenario->number;
  g_file_set_contents (rom, image, (gssize) len, &error);
  g_assert_no_error (error);

  run_engine (dir, rom, "D", &ours, NULL);
  run_qemu (dir, rom, "D", &theirs);
  assert_equal (&ours, &theirs, scenario->tolerance);
  remove_tree (dir);
}

/* SeaBIOS with its VGA BIOS and nothing to boot. What it tries in which order depends on the rest of the machine, so each line of text is
 * looked for among QEMU's. The line of the mark is the last that is complete; the cursor stands in it or below. */
static void
firmware_screen_is_equal (void)
{
  static const char mark[] = "No bootable device.";
  g_autoptr (GError) error = NULL;
  g_autofree char *dir = g_dir_make_tmp ("lodge-peer-vga-XXXXXX", &error);
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;
  g_auto (Picture) ours = { 0 };
  g_auto (Picture) theirs = { 0 };
  gsize band = 16 * 720 * 3;
  guint row = 0;

  g_assert_no_error (error);
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
          gboolean same = TRUE;

          for (gsize i = 0; i < band && same; i++)
            same = ABS (ours.rgb[row * band + i] - theirs.rgb[other * band + i]) <= SIX_BITS;
          found = same;
        }
      if (!found)
        {
          write_ppm ("ours.ppm", &ours);
          write_ppm ("qemu.ppm", &theirs);
          g_test_message ("not in QEMU's picture: %s", lines[row]);
        }
      g_assert_true (found);
    }
  g_assert_nonnull (lines[row]);
  g_assert_cmpuint (row, >=, 2);
  remove_tree (dir);
}

int
main (int argc, char *argv[])
{
  static const Scenario scenarios[] = {
    { "/peer/vga/text-nine-dots", 0, SIX_BITS },
    { "/peer/vga/text-eight-dots-two-fonts", 1, SIX_BITS },
    { "/peer/vga/planar-write-modes", 2, SIX_BITS },
    { "/peer/vga/planar-read-modes", 3, SIX_BITS },
    { "/peer/vga/planar-split-and-panning", 4, SIX_BITS },
    { "/peer/vga/mode-13", 5, 0 },
    { "/peer/vga/mode-x", 6, 0 },
    { "/peer/vga/mode-x-second-page", 7, 0 },
    { "/peer/vga/cga-four-colours", 8, SIX_BITS },
    { "/peer/vga/cga-two-colours", 9, SIX_BITS },
    { "/peer/vga/vbe-8", 10, 0 },
    { "/peer/vga/vbe-15", 11, HIGH_COLOUR },
    { "/peer/vga/vbe-16", 12, HIGH_COLOUR },
    { "/peer/vga/vbe-24", 13, 0 },
    { "/peer/vga/vbe-32", 14, 0 },
    { "/peer/vga/vbe-32-moved-view", 15, 0 },
    { "/peer/vga/vbe-32-written-linearly", 16, 0 },
    { "/peer/vga/vbe-16-written-linearly", 17, HIGH_COLOUR },
  };
  g_autofree char *qemu = g_find_program_in_path ("qemu-system-x86_64");

  g_test_init (&argc, &argv, NULL);
  if (argc != 2)
    {
      g_printerr ("usage: peer-vga ROM\n");
      return 2;
    }
  if (access ("/dev/kvm", R_OK | W_OK) < 0 || qemu == NULL)
    {
      g_print ("1..0 # SKIP needs /dev/kvm and qemu-system-x86_64\n");
      return 0;
    }
  rom_path = argv[1];
  vmm_init ();
  signal (SIGPIPE, SIG_IGN);
  for (guint i = 0; i < G_N_ELEMENTS (scenarios); i++)
    g_test_add_data_func (scenarios[i].name, &scenarios[i], pictures_are_equal);
  g_test_add_func ("/peer/vga/firmware-screen", firmware_screen_is_equal);
  return g_test_run ();
}
