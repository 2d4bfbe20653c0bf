/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Moving a folder to the trash so that it can come back.
 *
 * g_file_trash() does not say where the thing went. A move within a file system keeps device and inode, so it is found by them: in
 * the home trash, and in the trash of the top folder of the file system ($topdir/.Trash/$uid and $topdir/.Trash-$uid).
 * A token is two lines: where it is, where it was.
 */
#include "model/trash.h"

#include "model/error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char *
ltra_find_in (const char *trash, const struct stat *wanted)
{
  g_autofree char *files = g_build_filename (trash, "files", NULL);
  g_autoptr (GDir) dir = g_dir_open (files, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (files, name, NULL);
      struct stat st;

      if (lstat (path, &st) == 0 && st.st_dev == wanted->st_dev && st.st_ino == wanted->st_ino)
        return g_steal_pointer (&path);
    }
  return NULL;
}

static char *
ltra_find (const char *old_path, const struct stat *wanted)
{
  g_autofree char *home = g_build_filename (g_get_user_data_dir (), "Trash", NULL);
  g_autofree char *top = g_path_get_dirname (old_path);
  g_autofree char *mine = NULL;
  g_autofree char *shared = NULL;
  char *found = ltra_find_in (home, wanted);

  while (found == NULL)
    {
      g_autofree char *parent = g_path_get_dirname (top);
      struct stat st;

      if (g_str_equal (parent, top) || stat (parent, &st) < 0 || st.st_dev != wanted->st_dev)
        break;
      g_set_str (&top, parent);
    }
  mine = g_strdup_printf ("%s/.Trash-%u", top, (guint) getuid ());
  shared = g_strdup_printf ("%s/.Trash/%u", top, (guint) getuid ());
  if (found == NULL)
    found = ltra_find_in (mine, wanted);
  if (found == NULL)
    found = ltra_find_in (shared, wanted);
  return found;
}

char *
lodge_trash_put (const char *path, const char *own_trash, GError **error)
{
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autofree char *base = g_path_get_basename (path);
  g_autofree char *found = NULL;
  struct stat st;

  if (lstat (path, &st) < 0)
    {
      g_set_error_literal (error, G_IO_ERROR, g_io_error_from_errno (errno), g_strerror (errno));
      return NULL;
    }
  if (g_file_trash (file, NULL, NULL))
    {
      found = ltra_find (path, &st);
      return g_strdup_printf ("%s\n%s", found != NULL ? found : "", path);
    }

  if (g_mkdir_with_parents (own_trash, 0700) < 0)
    {
      g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errno), "%s: %s", own_trash, g_strerror (errno));
      return NULL;
    }
  for (guint i = 1; i < 10000; i++)
    {
      g_autofree char *to = i == 1 ? g_build_filename (own_trash, base, NULL) : g_strdup_printf ("%s/%s.%u", own_trash, base, i);

      if (renameat2 (AT_FDCWD, path, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return g_strdup_printf ("%s\n%s", to, path);
      if (errno != EEXIST)
        break;
    }
  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errno), "%s: %s", own_trash, g_strerror (errno));
  return NULL;
}

/* Removes the note that the desktop's trash keeps beside @trashed, if there is one. */
static void
ltra_remove_info (const char *trashed)
{
  g_autofree char *files = g_path_get_dirname (trashed);
  g_autofree char *files_name = g_path_get_basename (files);
  g_autofree char *trash = g_path_get_dirname (files);
  g_autofree char *base = g_path_get_basename (trashed);
  g_autofree char *info_name = g_strconcat (base, ".trashinfo", NULL);
  g_autofree char *info = g_build_filename (trash, "info", info_name, NULL);

  if (g_str_equal (files_name, "files"))
    g_unlink (info);
}

char *
lodge_trash_restore (const char *token, GError **error)
{
  g_auto (GStrv) lines = g_strsplit (token, "\n", 2);

  if (g_strv_length (lines) != 2 || *lines[0] == '\0' || !g_file_test (lines[0], G_FILE_TEST_IS_DIR))
    {
      g_set_error_literal (error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND, _ ("The machine is no longer in the trash."));
      return NULL;
    }
  if (renameat2 (AT_FDCWD, lines[0], AT_FDCWD, lines[1], RENAME_NOREPLACE) < 0)
    {
      if (errno == EEXIST)
        g_set_error (error, LODGE_ERROR, LODGE_ERROR_EXISTS, _ ("“%s” is there already."), lines[1]);
      else
        g_set_error (error, LODGE_ERROR, LODGE_ERROR_FAILED, "%s\n%s: %s",
                     _ ("The machine could not be brought back from the trash."), lines[0], g_strerror (errno));
      return NULL;
    }
  ltra_remove_info (lines[0]);
  return g_strdup (lines[1]);
}
