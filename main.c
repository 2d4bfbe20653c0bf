/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One program, three jobs: the command line, the process of one machine, and the manager's window. */
#include "application.h"
#include "cli/cli.h"
#include "engine/machine-service.h"

#include <dlfcn.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

/* Loads the windows and GTK, which the command line and machines without a window have no use for: from beside the program where
 * it is run without being installed. Returns: (nullable): their entry; %NULL after an error was printed. */
static const LodgeUiEntry *
main_load_ui (void)
{
  static const LodgeUiEntry *entry;
  g_autofree char *program = NULL, *folder = NULL, *path = NULL;
  void *module;

  if (entry != NULL)
    return entry;
  program = g_file_read_link ("/proc/self/exe", NULL);
  folder = g_path_get_dirname (program != NULL ? program : "");
  path = g_build_filename (folder, "lodge-ui.so", NULL);
  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    {
      g_free (path);
      path = g_build_filename (LODGE_MODULE_DIR, "lodge-ui.so", NULL);
    }
  module = dlopen (path, RTLD_NOW | RTLD_LOCAL);
  if (module != NULL)
    entry = dlsym (module, "lodge_ui_entry");
  if (entry == NULL)
    {
      g_printerr ("lodge: ");
      /* Translators: %s is what the system's loader says */
      g_printerr (_ ("the windows cannot be loaded; install Lodge and GTK again: %s"), dlerror ());
      g_printerr ("\n");
    }
  return entry;
}

/* `lodge machine BUNDLE [--headless]`: what the manager and `lodge start` run. */
static int
main_run_machine (int argc, char **argv)
{
  g_autoptr (LodgeMachineService) service = NULL;
  g_autoptr (GError) error = NULL;
  const LodgeUiEntry *ui = NULL;
  const char *bundle = NULL;
  gboolean headless = FALSE;
  int status;

  for (int i = 2; i < argc; i++)
    {
      if (g_str_equal (argv[i], "--headless"))
        headless = TRUE;
      else if (argv[i][0] != '-' && bundle == NULL)
        bundle = argv[i];
      else
        bundle = "";
    }
  if (bundle == NULL || *bundle == '\0')
    {
      g_printerr (_ ("Usage: lodge machine FOLDER [--headless]"));
      g_printerr ("\n");
      return 2;
    }
  if (!headless)
    {
      ui = main_load_ui ();
      return ui != NULL ? ui->run_machine (bundle) : EXIT_FAILURE;
    }

  service = lodge_machine_service_new (bundle, &error);
  if (service == NULL)
    {
      g_autofree char *line = g_strdelimit (g_strdup (error->message), "\n", ' ');

      lodge_machine_service_tell_starter (error);
      g_printerr ("lodge: %s\n", line);
      return EXIT_FAILURE;
    }
  status = lodge_machine_service_run_headless (service);
  while (status == -1)
    {
      /* Somebody wants to see it: the same process shows its window from now on. Without a display the machine runs on. */
      ui = main_load_ui ();
      status = ui != NULL ? ui->run_machine_service (service) : EXIT_FAILURE;
      if (status != 0)
        status = lodge_machine_service_run_on (service);
    }
  return status;
}

int
main (int argc, char **argv)
{
  const LodgeUiEntry *ui;
  const char *locale_dir = g_getenv ("LODGE_LOCALE_DIR"); /* where it is run from without being installed */

  setlocale (LC_ALL, "");
  bindtextdomain (GETTEXT_PACKAGE, locale_dir != NULL ? locale_dir : LODGE_LOCALE_DIR);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);

  if (argc > 1 && g_str_equal (argv[1], "machine"))
    return main_run_machine (argc, argv);
  if (argc > 1 && g_str_equal (argv[1], "--version"))
    {
      g_print ("lodge %s\n", LODGE_VERSION);
      return EXIT_SUCCESS;
    }
  /* A word that is no command and no file is a mistyped command, not something to open. */
  if (argc > 1
      && (lodge_cli_is_command (argv[1])
          || (argv[1][0] != '-' && strstr (argv[1], "://") == NULL && !g_file_test (argv[1], G_FILE_TEST_EXISTS))))
    return lodge_cli_run (argc, argv);
  ui = main_load_ui ();
  return ui != NULL ? ui->run (argc, argv) : EXIT_FAILURE;
}
