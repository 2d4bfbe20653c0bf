/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Makes a bundle in one piece. */
#include "model/machine-maker.h"

#include "engine/bundle.h"
#include "engine/image-tools.h"
#include "media/image-import.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LMAK_PREFIX ".new-"

void
lodge_make_job_free (LodgeMakeJob *job)
{
  g_free (job->directory);
  g_free (job->name);
  g_key_file_unref (job->conf);
  g_free (job->image_path);
  g_object_unref (job->operation);
  g_free (job);
}

char *
lodge_make_dup_path (const char *directory, const char *name)
{
  g_autofree char *base = g_strconcat (name, LODGE_BUNDLE_SUFFIX, NULL);

  return g_build_filename (directory, base, NULL);
}

/* Whoever makes a bundle holds the lock in it, so what nobody holds was left by a process that was killed. */
static void
lmak_clean (const char *directory)
{
  g_autoptr (GDir) dir = g_dir_open (directory, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (directory, name, NULL);
      g_autofd int lock_fd = -1;

      if (!g_str_has_prefix (name, LMAK_PREFIX))
        continue;
      lock_fd = lodge_bundle_lock (path, NULL);
      if (lock_fd >= 0)
        lodge_bundle_remove_tree (path);
    }
}

static gboolean
lmak_fill (LodgeMakeJob *job, const char *path, GError **error)
{
  GCancellable *cancellable = lodge_operation_get_cancellable (job->operation);
  g_autoptr (LodgeBundle) bundle = NULL;
  g_autofree char *data = NULL;
  gsize size;

  if (job->image_path != NULL)
    {
      const char *format = NULL;
      g_autofree char *image = lodge_image_import (job->image_path, path, "disk0", job->operation, cancellable, &format, error);

      if (image == NULL)
        return FALSE;
      g_key_file_set_string (job->conf, "disk0", "image", image);
      g_key_file_set_string (job->conf, "disk0", "format", format);
    }
  else if (job->disk_bytes > 0)
    {
      g_autofree char *image = g_build_filename (path, "disk0.qcow2", NULL);

      lodge_operation_begin_step (job->operation, _ ("Making the disk"), 0);
      if (!lodge_image_create_qcow2 (image, job->disk_bytes, error))
        return FALSE;
    }
  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  data = g_key_file_to_data (job->conf, &size, NULL);
  bundle = lodge_bundle_new_from_data (path, data, size, error);
  return bundle != NULL && lodge_bundle_save (bundle, error);
}

static gboolean
lmak_move (const char *from, const char *to, const char *directory, const char *name, GError **error)
{
  g_autofd int dir_fd = -1;

  if (renameat2 (AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) < 0)
    {
      if (errno == EEXIST)
        g_set_error (error, LODGE_ERROR, LODGE_ERROR_EXISTS, _ ("There is already a machine “%s”."), name);
      else
        g_set_error (error, LODGE_ERROR, LODGE_ERROR_FAILED, _ ("“%s” cannot be made: %s"), to, g_strerror (errno));
      return FALSE;
    }
  dir_fd = open (directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir_fd >= 0)
    fsync (dir_fd);
  return TRUE;
}

char *
lodge_make_job_run (LodgeMakeJob *job, GError **error)
{
  g_autofree char *path = lodge_make_dup_path (job->directory, job->name);
  g_autofree char *unfinished = g_build_filename (job->directory, LMAK_PREFIX "XXXXXX", NULL);
  g_autofd int lock_fd = -1;

  if (g_mkdir_with_parents (job->directory, 0700) < 0)
    {
      g_set_error (error, LODGE_ERROR, LODGE_ERROR_FAILED, _ ("“%s” cannot be made: %s"), job->directory, g_strerror (errno));
      return NULL;
    }
  if (g_file_test (path, G_FILE_TEST_EXISTS))
    {
      g_set_error (error, LODGE_ERROR, LODGE_ERROR_EXISTS, _ ("There is already a machine “%s”."), job->name);
      return NULL;
    }
  lmak_clean (job->directory);
  if (g_mkdtemp_full (unfinished, 0700) == NULL)
    {
      g_set_error (error, LODGE_ERROR, errno == ENOSPC ? LODGE_ERROR_NO_SPACE : LODGE_ERROR_FAILED,
                   _ ("“%s” cannot be written: %s"), job->directory, g_strerror (errno));
      return NULL;
    }
  lock_fd = lodge_bundle_lock (unfinished, error);
  if (lock_fd < 0 || !lmak_fill (job, unfinished, error) || !lmak_move (unfinished, path, job->directory, job->name, error))
    {
      lodge_bundle_remove_tree (unfinished);
      return NULL;
    }
  return g_steal_pointer (&path);
}
