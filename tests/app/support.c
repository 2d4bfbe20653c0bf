/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the tests of app/ share. */
#include "support.h"

#include "engine/bundle.h"

#include <glib/gstdio.h>
#include <locale.h>

static char *tsup_directory;

void
test_init (int *argc, char ***argv)
{
  static const char *const variables[][2] = {
    { "HOME", "home" },           { "XDG_DATA_HOME", "data" }, { "XDG_CONFIG_HOME", "config" }, { "XDG_CACHE_HOME", "cache" },
    { "XDG_RUNTIME_DIR", "run" },
  };

  setlocale (LC_ALL, "C.UTF-8");
  tsup_directory = g_dir_make_tmp ("lodge-XXXXXX", NULL);
  g_assert_nonnull (tsup_directory);
  for (gsize i = 0; i < G_N_ELEMENTS (variables); i++)
    {
      g_autofree char *path = g_build_filename (tsup_directory, variables[i][1], NULL);

      g_mkdir (path, 0700);
      g_setenv (variables[i][0], path, TRUE);
    }
  g_test_init (argc, argv, NULL);
}

int
test_run (void)
{
  int status = g_test_run ();

  lodge_bundle_remove_tree (tsup_directory);
  g_free (tsup_directory);
  return status;
}

const char *
test_directory (void)
{
  return tsup_directory;
}

char *
test_path (const char *name)
{
  return g_build_filename (tsup_directory, name, NULL);
}

char *
test_write (const char *name, const void *data, gssize size)
{
  char *path = test_path (name);
  g_autofree char *folder = g_path_get_dirname (path);
  g_autoptr (GError) error = NULL;

  g_mkdir_with_parents (folder, 0700);
  g_file_set_contents (path, data, size, &error);
  g_assert_no_error (error);
  return path;
}

guint
test_count (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  guint n = 0;

  while (dir != NULL && g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

void
test_wait_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  *(GAsyncResult **) user_data = g_object_ref (result);
}

void
test_wait (GAsyncResult **result)
{
  while (*result == NULL)
    g_main_context_iteration (NULL, TRUE);
}

static gboolean
tsup_tick_cb (gpointer data)
{
  return G_SOURCE_CONTINUE;
}

void
test_wait_until (TestCondition condition, gpointer data)
{
  gint64 end_us = g_get_monotonic_time () + 10 * G_USEC_PER_SEC;
  guint tick_id = g_timeout_add (50, tsup_tick_cb, NULL);

  while (!condition (data))
    {
      g_assert_cmpint (g_get_monotonic_time (), <, end_us);
      g_main_context_iteration (NULL, TRUE);
    }
  g_source_remove (tick_id);
}
