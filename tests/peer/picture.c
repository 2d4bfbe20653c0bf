/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "picture.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void
picture_clear (Picture *picture)
{
  g_clear_pointer (&picture->rgb, g_free);
}

static gsize
picture_size (const Picture *picture)
{
  return (gsize) picture->width * (gsize) picture->height * 3;
}

void
picture_copy (Picture *ret_copy, const Picture *picture)
{
  *ret_copy = *picture;
  ret_copy->rgb = g_memdup2 (picture->rgb, picture_size (picture));
}

void
picture_read (Picture *ret_picture, const char *path)
{
  g_autofree char *contents = NULL;
  g_autoptr (GError) error = NULL;
  gsize len;
  int used = 0;

  g_file_get_contents (path, &contents, &len, &error);
  g_assert_no_error (error);
  g_assert_cmpint (sscanf (contents, "P6 %d %d 255%n", &ret_picture->width, &ret_picture->height, &used), ==, 2);
  used++;
  g_assert_cmpuint (len, ==, (gsize) used + picture_size (ret_picture));
  ret_picture->rgb = g_memdup2 (contents + used, len - (gsize) used);
}

void
picture_write (const Picture *picture, const char *name)
{
  g_autofree char *dir = g_build_filename (g_get_tmp_dir (), "lodge-peer-vga", NULL);
  g_autofree char *path = g_build_filename (dir, name, NULL);
  FILE *file;

  g_mkdir_with_parents (dir, 0700);
  file = g_fopen (path, "we");
  if (file == NULL)
    return;
  fprintf (file, "P6 %d %d 255\n", picture->width, picture->height);
  fwrite (picture->rgb, 1, picture_size (picture), file);
  fclose (file);
  g_test_message ("see %s", path);
}

void
picture_assert_equal (const Picture *ours, const Picture *theirs, int tolerance)
{
  gboolean same_size = ours->width == theirs->width && ours->height == theirs->height;
  guint wrong = 0;

  for (int i = 0; same_size && i < ours->width * ours->height; i++)
    {
      const guint8 *a = ours->rgb + 3 * i, *b = theirs->rgb + 3 * i;

      if (ABS (a[0] - b[0]) <= tolerance && ABS (a[1] - b[1]) <= tolerance && ABS (a[2] - b[2]) <= tolerance)
        continue;
      if (wrong++ < 5)
        g_test_message ("%d, %d: ours %02x%02x%02x, QEMU's %02x%02x%02x", i % ours->width, i / ours->width, a[0], a[1], a[2], b[0],
                        b[1], b[2]);
    }
  if (wrong > 0 || !same_size)
    {
      picture_write (ours, "ours.ppm");
      picture_write (theirs, "qemu.ppm");
    }
  g_assert_cmpint (ours->width, ==, theirs->width);
  g_assert_cmpint (ours->height, ==, theirs->height);
  g_assert_cmpuint (wrong, ==, 0);
}

static void
mirror_take (Picture *picture, const VmmSurface *surface, const VmmRect *rect)
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

void
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
      mirror->picture.rgb = g_malloc0 (picture_size (&mirror->picture));
    }
  for (guint i = 0; i < frame.n_rects; i++)
    mirror_take (&mirror->picture, frame.surface, &frame.rects[i]);
  mirror->rects += frame.n_rects;
}

VmmMachine *
peer_machine_new (const char *dir, const char *rom, const char *cd)
{
  static const VmmMachineEvents events = { 0 };
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autoptr (VmmConfig) config = NULL;
  g_autoptr (GError) error = NULL;
  VmmMachine *machine;

  g_key_file_set_integer (file, "machine", "memory", 64);
  if (rom != NULL)
    g_key_file_set_string (file, "machine", "firmware-image", rom);
  g_key_file_set_string (file, "display0", "class", "vga");
  if (cd != NULL)
    {
      g_key_file_set_string (file, "cd0", "class", "sata-cd");
      g_key_file_set_string (file, "cd0", "image", cd);
    }
  config = vmm_config_new (file, dir, &error);
  g_assert_no_error (error);
  machine = vmm_machine_new (config, dir, &events, NULL, &error);
  g_assert_no_error (error);
  return machine;
}

GPid
peer_qemu_start (const char *dir, const char *rom, const char *cd, int *ret_monitor)
{
  g_autofree char *chardev = g_strdup_printf ("file,id=debug,path=%s/qemu.log", dir);
  g_autoptr (GPtrArray) args = g_ptr_array_new ();
  static const char *const base[] = { "qemu-system-x86_64",
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
                                      "-device",
                                      "isa-debugcon,iobase=0x402,chardev=debug" };
  g_autoptr (GError) error = NULL;
  GPid pid;

  for (guint i = 0; i < G_N_ELEMENTS (base); i++)
    g_ptr_array_add (args, (gpointer) base[i]);
  g_ptr_array_add (args, (gpointer) "-chardev");
  g_ptr_array_add (args, chardev);
  if (rom != NULL)
    {
      g_ptr_array_add (args, (gpointer) "-bios");
      g_ptr_array_add (args, (gpointer) rom);
    }
  if (cd != NULL)
    {
      g_ptr_array_add (args, (gpointer) "-cdrom");
      g_ptr_array_add (args, (gpointer) cd);
    }
  g_ptr_array_add (args, NULL);
  g_spawn_async_with_pipes (NULL, (char **) args->pdata, NULL,
                            G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, &pid,
                            ret_monitor, NULL, NULL, &error);
  g_assert_no_error (error);
  return pid;
}

void
peer_qemu_command (int monitor, const char *command)
{
  g_autofree char *line = g_strconcat (command, "\n", NULL);

  g_assert_cmpint (write (monitor, line, strlen (line)), ==, (gssize) strlen (line));
}

void
peer_qemu_end (GPid pid, int monitor)
{
  int status;

  peer_qemu_command (monitor, "quit");
  close (monitor);
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_true (WIFEXITED (status) && WEXITSTATUS (status) == 0);
}

guint
peer_count_marks (const char *path, const char *mark)
{
  g_autofree char *contents = NULL;
  guint n = 0;

  if (!g_file_get_contents (path, &contents, NULL, NULL))
    return 0;
  for (const char *at = contents; (at = strstr (at, mark)) != NULL; at += strlen (mark))
    n++;
  return n;
}

gboolean
peer_wait_for_marks (const char *path, const char *mark, guint n)
{
  gint64 deadline = g_get_monotonic_time () + PEER_WAIT_US;

  while (peer_count_marks (path, mark) < n)
    {
      if (g_get_monotonic_time () > deadline)
        return FALSE;
      g_usleep (20000);
    }
  return TRUE;
}

char *
peer_dir_new (void)
{
  g_autoptr (GError) error = NULL;
  char *dir = g_dir_make_tmp ("lodge-peer-vga-XXXXXX", &error);

  g_assert_no_error (error);
  return dir;
}

void
peer_dir_remove (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *child = g_build_filename (path, name, NULL);

      peer_dir_remove (child);
    }
  g_remove (path);
}

gboolean
peer_skip (void)
{
  g_autofree char *qemu = g_find_program_in_path ("qemu-system-x86_64");

  signal (SIGPIPE, SIG_IGN);
  if (access ("/dev/kvm", R_OK | W_OK) == 0 && qemu != NULL)
    return FALSE;
  g_print ("1..0 # SKIP needs /dev/kvm and qemu-system-x86_64\n");
  return TRUE;
}
