/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The VGA BIOS at work in our engine and in QEMU: one boot each, mode after mode, a key from one to the next; the pictures are equal. Needs
 * /dev/kvm and qemu-system-x86_64. */
#include "picture.h"

#include <linux/input-event-codes.h>
#include <string.h>
#include <unistd.h>

#define MARK "~drawn~"

typedef struct {
  guint number;
  int tolerance;
} Mode;

/* The order of vga-bios.S */
static const Mode modes[] = {
  { 0x03, PEER_SIX_BITS },
  { 0x04, PEER_SIX_BITS },
  { 0x06, PEER_SIX_BITS },
  { 0x0d, PEER_SIX_BITS },
  { 0x12, PEER_SIX_BITS },
  { 0x13, PEER_SIX_BITS },
  { 0x101, PEER_SIX_BITS },
  { 0x111, PEER_HIGH_COLOUR },
  { 0x112, 0 },
  { 0x142, 0 },
};

static char *dir;

static void
run_engine (const char *cd, Picture pictures[G_N_ELEMENTS (modes)])
{
  g_autofree char *log = g_build_filename (dir, "firmware.log", NULL);
  VmmMachine *machine = peer_machine_new (dir, NULL, cd);
  Mirror mirror = { .viewer = vmm_console_add_viewer (vmm_machine_get_console (machine, 0)) };

  vmm_machine_start (machine);
  for (guint i = 0; i < G_N_ELEMENTS (modes); i++)
    {
      gint64 deadline = g_get_monotonic_time () + PEER_WAIT_US;

      while (peer_count_marks (log, MARK) < i + 1)
        {
          g_assert_cmpint (g_get_monotonic_time (), <, deadline);
          g_usleep (PEER_PULL_US);
          mirror_pull (&mirror);
        }
      mirror_pull (&mirror);
      picture_copy (&pictures[i], &mirror.picture);
      vmm_machine_key (machine, KEY_ENTER, TRUE);
      vmm_machine_key (machine, KEY_ENTER, FALSE);
    }
  picture_clear (&mirror.picture);
  vmm_viewer_free (mirror.viewer);
  vmm_machine_free (machine);
}

static void
run_qemu (const char *cd, Picture pictures[G_N_ELEMENTS (modes)])
{
  g_autofree char *log = g_build_filename (dir, "qemu.log", NULL);
  int monitor;
  GPid pid = peer_qemu_start (dir, NULL, cd, &monitor);

  for (guint i = 0; i < G_N_ELEMENTS (modes); i++)
    {
      g_autofree char *command = g_strdup_printf ("screendump %s/%u.ppm\nsendkey ret", dir, i);

      g_assert_true (peer_wait_for_marks (log, MARK, i + 1));
      peer_qemu_command (monitor, command);
    }
  peer_qemu_end (pid, monitor);
  for (guint i = 0; i < G_N_ELEMENTS (modes); i++)
    {
      g_autofree char *path = g_strdup_printf ("%s/%u.ppm", dir, i);

      picture_read (&pictures[i], path);
    }
}

typedef struct {
  int tolerance;
  const Picture *ours, *theirs;
} Pair;

static void
pictures_are_equal (gconstpointer data)
{
  const Pair *pair = data;

  picture_assert_equal (pair->ours, pair->theirs, pair->tolerance);
}

int
main (int argc, char *argv[])
{
  static Picture ours[G_N_ELEMENTS (modes)], theirs[G_N_ELEMENTS (modes)];
  Pair pairs[G_N_ELEMENTS (modes)];
  g_autofree char *iso = NULL;
  int result;

  g_test_init (&argc, &argv, NULL);
  if (argc != 2)
    {
      g_printerr ("usage: peer-vga-bios ISO\n");
      return 2;
    }
  iso = g_canonicalize_filename (argv[1], NULL); /* a machine's own paths start at its bundle */
  if (peer_skip ())
    return 0;
  vmm_init ();
  dir = peer_dir_new ();
  run_engine (iso, ours);
  run_qemu (iso, theirs);
  for (guint i = 0; i < G_N_ELEMENTS (modes); i++)
    {
      g_autofree char *name = g_strdup_printf ("/peer/vga-bios/mode-%02x", modes[i].number);

      pairs[i] = (Pair) { modes[i].tolerance, &ours[i], &theirs[i] };
      g_test_add_data_func (name, &pairs[i], pictures_are_equal);
    }
  result = g_test_run ();
  for (guint i = 0; i < G_N_ELEMENTS (modes); i++)
    {
      picture_clear (&ours[i]);
      picture_clear (&theirs[i]);
    }
  peer_dir_remove (dir);
  g_free (dir);
  return result;
}
