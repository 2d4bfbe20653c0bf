/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs a fuzz target once over the files given, and over all files of the directories given. */
#include <glib.h>
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static int n_inputs;

static void
replay_file (const char *path)
{
  g_autofree char *data = NULL;
  g_autofree char *name = g_path_get_basename (path);
  gsize size;

  if (!g_file_get_contents (path, &data, &size, NULL))
    {
      printf ("not ok %d - %s cannot be read\n", ++n_inputs, name);
      return;
    }
  /* Exactly as long as the input, so that the sanitizer sees a read behind it. */
  {
    g_autofree uint8_t *exact = g_memdup2 (data, size);

    LLVMFuzzerTestOneInput (exact, size);
  }
  printf ("ok %d - %s\n", ++n_inputs, name);
  fflush (stdout);
}

int
main (int argc, char **argv)
{
  for (int i = 1; i < argc; i++)
    {
      g_autoptr (GDir) dir = g_dir_open (argv[i], 0, NULL);
      const char *name;

      if (dir == NULL)
        replay_file (argv[i]);
      while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
        {
          g_autofree char *path = g_build_filename (argv[i], name, NULL);

          replay_file (path);
        }
    }
  printf ("1..%d\n", n_inputs);
  return n_inputs > 0 ? 0 : 1;
}
