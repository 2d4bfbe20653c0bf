/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engine's smallest user: runs the machine of a machine.conf without app/ or a window.
 *
 *   vmm-run machine.conf [--seconds N] [--text] [--until TEXT] [--picture FILE.ppm]
 *
 * Logs go to ./log; ends when the machine does, after N seconds, or when TEXT stands on the text screen. Exit code: 0 if the machine ended
 * by itself or TEXT came, 1 if it failed, 2 on wrong use, 124 on time-out. A guest that writes V to the test build's exit port ends it
 * with that code. */
#include <stdio.h>
#include <stdlib.h>
#include <vmm.h>

typedef struct {
  GMutex lock;
  GCond cond;
  gboolean ended;
  int code;
} Run;

static void
on_state_changed (VmmMachine *machine, VmmMachineState state, VmmReason reason, const char *message, gpointer data)
{
  Run *run = data;
  const char *marker = message != NULL ? g_strrstr (message, "end with code ") : NULL;

  g_printerr ("state %d, reason %d%s%s\n", state, reason, message != NULL ? ": " : "", message != NULL ? message : "");
  g_mutex_lock (&run->lock);
  if (state == VMM_MACHINE_OFF || state == VMM_MACHINE_FAILED)
    {
      run->ended = TRUE;
      run->code = state == VMM_MACHINE_FAILED;
      if (marker != NULL)
        run->code = atoi (marker + strlen ("end with code "));
    }
  g_cond_broadcast (&run->cond);
  g_mutex_unlock (&run->lock);
}

static void
on_was_reset (VmmMachine *machine, gpointer data)
{
  g_printerr ("the guest was reset\n");
}

/* The screen as a portable pixmap. */
static gboolean
write_picture (VmmConsole *console, const char *path)
{
  g_autoptr (VmmViewer) viewer = vmm_console_add_viewer (console);
  g_auto (VmmFrame) frame = { 0 };
  FILE *file = fopen (path, "we");

  if (file == NULL || !vmm_viewer_pull (viewer, &frame))
    {
      g_clear_pointer (&file, fclose);
      return FALSE;
    }
  fprintf (file, "P6 %d %d 255\n", frame.surface->width, frame.surface->height);
  for (int y = 0; y < frame.surface->height; y++)
    for (int x = 0; x < frame.surface->width; x++)
      {
        const guint8 *pixel = frame.surface->pixels + (gsize) y * frame.surface->stride + (gsize) x * 4;

        fputc (pixel[2], file);
        fputc (pixel[1], file);
        fputc (pixel[0], file);
      }
  return fclose (file) == 0;
}

int
main (int argc, char **argv)
{
  static const VmmMachineEvents events = { .state_changed = on_state_changed, .was_reset = on_was_reset };
  int seconds = 60;
  gboolean text = FALSE;
  char *until = NULL, *picture = NULL;
  const GOptionEntry entries[] = { { "seconds", 's', 0, G_OPTION_ARG_INT, &seconds, "End after N seconds", "N" },
                                   { "text", 't', 0, G_OPTION_ARG_NONE, &text, "Print the text screen at the end", NULL },
                                   { "until", 'u', 0, G_OPTION_ARG_STRING, &until, "End when the text screen shows TEXT", "TEXT" },
                                   { "picture", 'p', 0, G_OPTION_ARG_FILENAME, &picture, "Write the screen at the end",
                                     "FILE.ppm" },
                                   { NULL } };
  g_autoptr (GOptionContext) options = g_option_context_new ("MACHINE.CONF");
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autoptr (GError) error = NULL;
  g_autoptr (VmmConfig) config = NULL;
  g_autofree char *dir = NULL;
  VmmMachine *machine;
  Run run = { .code = 124 };
  gint64 deadline;

  g_option_context_add_main_entries (options, entries, NULL);
  if (!g_option_context_parse (options, &argc, &argv, &error) || argc != 2)
    {
      g_printerr ("usage: vmm-run MACHINE.CONF [--seconds N] [--text] [--until TEXT] [--picture FILE.ppm]\n");
      return 2;
    }
  vmm_init ();
  dir = g_path_get_dirname (argv[1]);
  if (!g_key_file_load_from_file (file, argv[1], G_KEY_FILE_NONE, &error) || (config = vmm_config_new (file, dir, &error)) == NULL
      || (machine = vmm_machine_new (config, "log", &events, &run, &error)) == NULL)
    {
      g_printerr ("%s\n", error->message);
      return 1;
    }

  vmm_machine_start (machine);
  deadline = g_get_monotonic_time () + seconds * G_USEC_PER_SEC;
  g_mutex_lock (&run.lock);
  while (!run.ended && g_get_monotonic_time () < deadline)
    {
      VmmConsole *console = vmm_machine_get_console (machine, 0);

      g_cond_wait_until (&run.cond, &run.lock, MIN (deadline, g_get_monotonic_time () + 100000));
      if (until != NULL && console != NULL)
        {
          g_autofree char *screen = vmm_console_dup_text (console);

          if (screen != NULL && strstr (screen, until) != NULL)
            {
              run.code = 0;
              break;
            }
        }
    }
  g_mutex_unlock (&run.lock);
  if (text && vmm_machine_get_console (machine, 0) != NULL)
    {
      g_autofree char *screen = vmm_console_dup_text (vmm_machine_get_console (machine, 0));

      g_print ("%s", screen != NULL ? screen : "(graphics)\n");
    }
  if (picture != NULL
      && (vmm_machine_get_console (machine, 0) == NULL || !write_picture (vmm_machine_get_console (machine, 0), picture)))
    {
      g_printerr ("cannot write a picture to %s\n", picture);
      run.code = 1;
    }
  vmm_machine_free (machine);
  g_free (until);
  g_free (picture);
  return run.code;
}
