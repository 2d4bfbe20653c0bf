/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "block/qcow2.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMG_MIN_SIZE (G_GUINT64_CONSTANT (1) << 20)
#define IMG_MAX_SIZE (G_GUINT64_CONSTANT (64) << 40)

void
vmm_image_info_free (VmmImageInfo *info)
{
  if (info == NULL)
    return;
  g_free (info->format);
  g_free (info->backing_path);
  g_free (info->backing_format);
  g_free (info);
}

VmmImageInfo *
vmm_image_probe (const char *path, GError **error)
{
  g_autoptr (VmmFile) file = vmm_file_open (path, VMM_FILE_READ_ONLY, error);
  g_autoptr (VmmImageInfo) info = NULL;
  const char *format;
  struct stat st;

  if (file == NULL)
    return NULL;
  format = vmm_node_probe_format (file, error);
  if (format == NULL)
    return NULL;
  if (fstat (file->fd, &st) < 0)
    {
      vmm_file_set_error (error, path, "cannot read", errno);
      return NULL;
    }
  info = g_new0 (VmmImageInfo, 1);
  info->format = g_strdup (format);
  if (g_str_equal (format, "raw"))
    {
      gint64 size = vmm_file_get_size (file);

      if (size < 0)
        {
          vmm_file_set_error (error, path, "cannot find its size", (int) -size);
          return NULL;
        }
      info->size_bytes = ((guint64) size + 511) / 512 * 512;
    }
  else if (g_str_equal (format, "qcow2"))
    {
      VmmQcow2Header header;
      g_autofree char *backing = NULL;
      GError *sub_error = NULL;

      if (!vmm_qcow2_header_read (file, &header, error))
        return NULL;
      backing = vmm_qcow2_header_dup_backing_path (&header, path, &sub_error);
      if (backing != NULL)
        info->backing_path = g_canonicalize_filename (backing, NULL);
      info->backing_format = g_strdup (header.backing_format);
      info->size_bytes = header.size / 512 * 512;
      vmm_qcow2_header_clear (&header);
      if (sub_error != NULL)
        {
          g_propagate_error (error, sub_error);
          return NULL;
        }
    }
  else
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED, "%s: images in the format “%s” are not supported", path, format);
      return NULL;
    }
  info->used_bytes = file->is_device ? info->size_bytes : (guint64) st.st_blocks * 512;
  return g_steal_pointer (&info);
}

/* A new file beside @path with a name nobody uses; its name in @ret_name. */
static int
img_make_temporary (const char *path, char **ret_name, GError **error)
{
  g_autofree char *dir = g_path_get_dirname (path);
  g_autofree char *base = g_path_get_basename (path);
  g_autofree char *name = g_strdup_printf ("%s/.%s.XXXXXX", dir, base);
  int fd = g_mkstemp_full (name, O_RDWR | O_CLOEXEC, 0666);

  if (fd < 0)
    {
      vmm_file_set_error (error, path, "cannot create", errno);
      return -1;
    }
  *ret_name = g_steal_pointer (&name);
  return fd;
}

static int
img_sync_directory (const char *path)
{
  g_autofree char *dir = g_path_get_dirname (path);
  int fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int r = 0;

  if (fd < 0)
    return -errno;
  if (fsync (fd) < 0 && errno != EINVAL)
    r = -errno;
  close (fd);
  return r;
}

/* Gives the file its name unless there is one already. */
static int
img_rename (const char *temporary, const char *path)
{
  if (renameat2 (AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
    return 0;
  if (errno != EINVAL && errno != ENOSYS)
    return -errno;
  if (link (temporary, path) < 0)
    return -errno;
  unlink (temporary);
  return 0;
}

/* How @backing_path is written into an image at @path: relative to its directory if that does not lead upwards over the root. */
static char *
img_relative_name (const char *path, const char *backing_path)
{
  g_autofree char *dir_name = g_path_get_dirname (path);
  g_autofree char *dir = g_canonicalize_filename (dir_name, NULL);
  g_autofree char *target = g_canonicalize_filename (backing_path, NULL);
  g_auto (GStrv) from = g_strsplit (dir, "/", -1);
  g_auto (GStrv) to = g_strsplit (target, "/", -1);
  g_autoptr (GString) name = g_string_new (NULL);
  guint common = 0;

  while (from[common] != NULL && to[common] != NULL && g_str_equal (from[common], to[common]))
    common++;
  /* With nothing in common but the root, the image is not moved together with its backing file. */
  if (common < 2)
    return g_strdup (target);
  for (guint i = common; from[i] != NULL && from[i][0] != '\0'; i++)
    g_string_append (name, "../");
  for (guint i = common; to[i] != NULL; i++)
    g_string_append_printf (name, "%s%s", i > common ? "/" : "", to[i]);
  /* A first part with a colon would look like the name of a protocol. */
  if (strchr (name->str, ':') != NULL)
    g_string_prepend (name, "./");
  return g_strdup (name->str);
}

/* Everything that can be wrong with the request, before anything is made. */
static gboolean
img_check_request (const char *path, const char *format, guint64 *size_bytes, const char *backing_path, const char **backing_format,
                   GError **error)
{
  if (!g_str_equal (format, "raw") && !g_str_equal (format, "qcow2"))
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED, "%s: images in the format “%s” are not supported", path, format);
      return FALSE;
    }
  if (backing_path != NULL)
    {
      g_autoptr (VmmImageInfo) backing = NULL;

      if (!g_str_equal (format, "qcow2")
          || (*backing_format != NULL && !g_str_equal (*backing_format, "raw") && !g_str_equal (*backing_format, "qcow2")))
        {
          g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "%s: only qcow2 over raw or qcow2 can have a backing file",
                       path);
          return FALSE;
        }
      if (*backing_format != NULL && g_str_equal (*backing_format, "raw"))
        {
          g_autoptr (VmmFile) file = vmm_file_open (backing_path, VMM_FILE_READ_ONLY, error);
          gint64 size = file != NULL ? vmm_file_get_size (file) : -1;

          if (file == NULL)
            return FALSE;
          if (*size_bytes == 0 && size > 0)
            *size_bytes = ((guint64) size + 511) / 512 * 512;
        }
      else
        {
          backing = vmm_image_probe (backing_path, error);
          if (backing == NULL)
            return FALSE;
          if (*backing_format != NULL && !g_str_equal (*backing_format, backing->format))
            {
              g_set_error (error, VMM_ERROR, VMM_ERROR_CORRUPT, "%s: is not in the format “%s”", backing_path, *backing_format);
              return FALSE;
            }
          *backing_format = g_str_equal (backing->format, "raw") ? "raw" : "qcow2";
          if (*size_bytes == 0)
            *size_bytes = backing->size_bytes;
        }
    }
  if (*size_bytes % 512 != 0 || *size_bytes > IMG_MAX_SIZE
      || (*size_bytes < IMG_MIN_SIZE && (backing_path == NULL || *size_bytes == 0)))
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG,
                   "%s: a size of %" G_GUINT64_FORMAT " bytes is not a multiple of 512 from 1 MiB to 64 TiB", path, *size_bytes);
      return FALSE;
    }
  if (g_file_test (path, G_FILE_TEST_EXISTS))
    {
      vmm_file_set_error (error, path, "cannot create", EEXIST);
      return FALSE;
    }
  return TRUE;
}

gboolean
vmm_image_create (const char *path, const char *format, guint64 size_bytes, const char *backing_path, const char *backing_format,
                  GError **error)
{
  g_autofree char *temporary = NULL;
  g_autofree char *backing_name = NULL;
  int fd, r = 0;

  if (!img_check_request (path, format, &size_bytes, backing_path, &backing_format, error))
    return FALSE;
  if (backing_path != NULL)
    backing_name = img_relative_name (path, backing_path);
  fd = img_make_temporary (path, &temporary, error);
  if (fd < 0)
    return FALSE;
  if (g_str_equal (format, "qcow2"))
    r = vmm_qcow2_format (fd, size_bytes, backing_name, backing_format);
  else if (ftruncate (fd, (off_t) size_bytes) < 0)
    r = -errno;
  if (r == 0 && fsync (fd) < 0)
    r = -errno;
  if (close (fd) < 0 && r == 0)
    r = -errno;
  if (r == 0)
    r = img_rename (temporary, path);
  if (r == 0)
    r = img_sync_directory (path);
  if (r < 0)
    {
      unlink (temporary);
      vmm_file_set_error (error, path, "cannot create", -r);
      return FALSE;
    }
  return TRUE;
}
