/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bringing a disk image into a bundle. */
#include "media/image-import.h"

#include "engine/bundle.h"
#include "engine/image-tools.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define LIMP_COPY_CHUNK (4 * 1024 * 1024) /* bytes */
#define LIMP_HEAD 512

static const LodgeImageKind limp_raw = { "raw", TRUE };
static const LodgeImageKind limp_vpc = { "vpc", FALSE };

/* Where each format has its sign; the formats' specifications. */
static const struct {
  guint offset;
  const char *sign;
  gsize size;
  LodgeImageKind kind;
} limp_signs[] = {
  { 0, "QFI\xfb", 4, { "qcow2", TRUE } },
  { 0, "KDMV", 4, { "vmdk", FALSE } },
  { 0, "COWD", 4, { "vmdk", FALSE } },
  { 0, "# Disk DescriptorFile", 21, { "vmdk", FALSE } },
  { 64, "\x7f\x10\xda\xbe", 4, { "vdi", FALSE } },
  { 0, "vhdxfile", 8, { "vhdx", FALSE } },
  { 0, "conectix", 8, { "vpc", FALSE } },
  { 0, "WithoutFreeSpace", 16, { "parallels", FALSE } },
  { 0, "WithouFreSpacExt", 16, { "parallels", FALSE } },
  { 0, "QED\0", 4, { "qed", FALSE } },
};

const LodgeImageKind *
lodge_image_recognise (const char *path, GError **error)
{
  guint8 head[LIMP_HEAD] = { 0 }, foot[LIMP_HEAD] = { 0 };
  g_autofd int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat st;

  if (fd < 0 || fstat (fd, &st) < 0 || TEMP_FAILURE_RETRY (pread (fd, head, sizeof head, 0)) < 0)
    {
      g_set_error (error, LODGE_ERROR, LODGE_ERROR_FAILED, _ ("“%s” cannot be read: %s"), path, g_strerror (errno));
      return NULL;
    }
  for (gsize i = 0; i < G_N_ELEMENTS (limp_signs); i++)
    if (memcmp (head + limp_signs[i].offset, limp_signs[i].sign, limp_signs[i].size) == 0)
      return &limp_signs[i].kind;
  /* A fixed VHD has its sign in the last sector only. */
  if (st.st_size > LIMP_HEAD && TEMP_FAILURE_RETRY (pread (fd, foot, sizeof foot, st.st_size - LIMP_HEAD)) == LIMP_HEAD
      && memcmp (foot, "conectix", 8) == 0)
    return &limp_vpc;
  return &limp_raw;
}

/* What an image stands on must lie beside it: a downloaded file must not pull others of the user's files into a guest. */
static gboolean
limp_check_backing (const char *path, const char *backing, GError **error)
{
  g_autofree char *absolute = g_canonicalize_filename (path, NULL);
  g_autofree char *directory = g_path_get_dirname (absolute);
  g_autofree char *real_directory = realpath (directory, NULL);
  g_autofree char *real_backing = realpath (backing, NULL);
  g_autofree char *prefix = real_directory != NULL ? g_strconcat (real_directory, "/", NULL) : NULL;

  if (real_backing == NULL)
    g_set_error (error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND, _ ("“%s” stands on “%s”, which is missing."), path, backing);
  else if (prefix == NULL || !g_str_has_prefix (real_backing, prefix))
    g_set_error (error, LODGE_ERROR, LODGE_ERROR_INVALID, _ ("“%s” stands on “%s”, which is not in the same folder."), path,
                 backing);
  else
    return TRUE;
  return FALSE;
}

gboolean
lodge_image_check (const char *path, gboolean link, GError **error)
{
  const LodgeImageKind *kind;
  g_autofree char *backing = NULL;
  g_autofree char *tool = NULL;
  gboolean convert;

  if (!lodge_bundle_check_file (path, error) || (kind = lodge_image_recognise (path, error)) == NULL)
    return FALSE;
  if (kind->native && lodge_image_probe (path, &backing, error) == 0)
    return FALSE;
  if (backing != NULL && !link && !limp_check_backing (path, backing, error))
    return FALSE;
  convert = !kind->native || backing != NULL;
  if (link && !kind->native)
    {
      g_set_error (error, LODGE_ERROR, LODGE_ERROR_UNSUPPORTED, _ ("“%s” is a %s image. It can be copied, not used where it is."),
                   path, kind->name);
      return FALSE;
    }
  tool = convert && !link ? g_find_program_in_path ("qemu-img") : NULL;
  if (convert && !link && tool == NULL)
    {
      g_set_error (error, LODGE_ERROR, LODGE_ERROR_UNSUPPORTED, _ ("“%s” is a %s image. Install qemu-img to convert it."), path,
                   kind->name);
      return FALSE;
    }
  return TRUE;
}

static void
limp_set_write_error (GError **error, const char *path, int code)
{
  if (code == ENOSPC || code == EDQUOT)
    g_set_error (error, LODGE_ERROR, LODGE_ERROR_NO_SPACE, _ ("There is not enough room for “%s”."), path);
  else
    g_set_error (error, LODGE_ERROR, LODGE_ERROR_FAILED, _ ("“%s” cannot be written: %s"), path, g_strerror (code));
}

static gboolean
limp_check_space (const char *directory, guint64 wanted, GError **error)
{
  struct statvfs fs;
  guint64 available;

  if (statvfs (directory, &fs) < 0)
    return TRUE;
  available = (guint64) fs.f_bavail * fs.f_frsize;
  if (available >= wanted)
    return TRUE;
  {
    g_autofree char *wanted_text = g_format_size (wanted);
    g_autofree char *available_text = g_format_size (available);

    g_set_error (error, LODGE_ERROR, LODGE_ERROR_NO_SPACE, _ ("The disk image needs %s, and %s are free."), wanted_text,
                 available_text);
  }
  return FALSE;
}

/* Copies the part [from, to) with a few ways that each host offers, in this order. */
static gboolean
limp_copy_range (int from_fd, int to_fd, off_t from, off_t to, const char *to_path, LodgeOperation *operation,
                 GCancellable *cancellable, guint64 *done, GError **error)
{
  g_autofree guint8 *buffer = NULL;
  gboolean in_kernel = TRUE;

  while (from < to)
    {
      gsize wanted = (gsize) MIN (to - from, LIMP_COPY_CHUNK);
      off_t in = from, out = from;
      ssize_t n = -1;

      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;
      if (in_kernel)
        {
          n = copy_file_range (from_fd, &in, to_fd, &out, wanted, 0);
          in_kernel = n > 0 || errno == ENOSPC || errno == EDQUOT || errno == EIO;
        }
      if (!in_kernel)
        {
          if (buffer == NULL)
            buffer = g_malloc (LIMP_COPY_CHUNK);
          n = TEMP_FAILURE_RETRY (pread (from_fd, buffer, wanted, from));
          if (n > 0)
            n = TEMP_FAILURE_RETRY (pwrite (to_fd, buffer, (gsize) n, from));
        }
      if (n <= 0)
        {
          limp_set_write_error (error, to_path, n == 0 ? EIO : errno);
          return FALSE;
        }
      from += n;
      *done += (guint64) n;
      lodge_operation_report (operation, *done);
    }
  return TRUE;
}

static gboolean
limp_copy (const char *from_path, const char *to_path, LodgeOperation *operation, GCancellable *cancellable, GError **error)
{
  g_autofd int from_fd = open (from_path, O_RDONLY | O_CLOEXEC);
  g_autofd int to_fd = -1;
  g_autofree char *directory = g_path_get_dirname (to_path);
  guint64 used, done = 0;
  struct stat st;
  off_t hole = 0;

  if (from_fd < 0 || fstat (from_fd, &st) < 0)
    {
      g_set_error (error, LODGE_ERROR, LODGE_ERROR_FAILED, _ ("“%s” cannot be read: %s"), from_path, g_strerror (errno));
      return FALSE;
    }
  to_fd = open (to_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (to_fd < 0 || ftruncate (to_fd, st.st_size) < 0)
    {
      limp_set_write_error (error, to_path, errno);
      return FALSE;
    }
  if (ioctl (to_fd, FICLONE, from_fd) == 0)
    return TRUE; /* a file system that shares blocks: done at once */

  used = MIN ((guint64) st.st_blocks * 512, (guint64) st.st_size);
  if (!limp_check_space (directory, used, error))
    return FALSE;
  lodge_operation_begin_step (operation, _ ("Copying the disk image"), used);
  while (hole < st.st_size)
    {
      off_t data = lseek (from_fd, hole, SEEK_DATA);

      if (data < 0 && errno == ENXIO)
        break; /* only a hole is left */
      if (data < 0)
        data = hole;
      hole = lseek (from_fd, data, SEEK_HOLE);
      if (hole < 0)
        hole = st.st_size;
      if (!limp_copy_range (from_fd, to_fd, data, hole, to_path, operation, cancellable, &done, error))
        return FALSE;
    }
  if (fsync (to_fd) < 0)
    {
      limp_set_write_error (error, to_path, errno);
      return FALSE;
    }
  return TRUE;
}

/* Reads qemu-img's progress, "(12.34/100%)" and a carriage return, until it ends. */
static void
limp_follow (GSubprocess *process, guint64 total, LodgeOperation *operation, GCancellable *cancellable)
{
  GInputStream *stream = g_subprocess_get_stdout_pipe (process);
  g_autoptr (GString) text = g_string_new (NULL);
  char buffer[256];
  gssize n;

  while ((n = g_input_stream_read (stream, buffer, sizeof buffer, cancellable, NULL)) > 0)
    {
      char *open_mark;

      g_string_append_len (text, buffer, n);
      open_mark = strrchr (text->str, '(');
      if (open_mark != NULL && strchr (open_mark, '/') != NULL)
        {
          double percent = g_ascii_strtod (open_mark + 1, NULL);

          lodge_operation_report (operation, (guint64) (CLAMP (percent, 0, 100) / 100 * (double) total));
          g_string_truncate (text, 0);
        }
      if (text->len > 4096)
        g_string_truncate (text, 0);
    }
}

static gboolean
limp_convert (const char *from_path, const char *from_format, const char *to_path, LodgeOperation *operation,
              GCancellable *cancellable, GError **error)
{
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE
                                                                        | G_SUBPROCESS_FLAGS_STDERR_PIPE);
  g_autoptr (GSubprocess) process = NULL;
  g_autoptr (GBytes) complaint = NULL;
  g_autoptr (GError) local = NULL;
  g_autofree char *text = NULL;
  GStatBuf st;
  gsize size;

  g_subprocess_launcher_setenv (launcher, "LC_ALL", "C", TRUE);
  process = g_subprocess_launcher_spawn (launcher, &local, "qemu-img", "convert", "-p", "-f", from_format, "-O", "qcow2", from_path,
                                         to_path, NULL);
  if (process == NULL)
    {
      g_set_error (error, LODGE_ERROR, LODGE_ERROR_FAILED, "%s\n%s", _ ("qemu-img could not be started."), local->message);
      return FALSE;
    }
  lodge_operation_begin_step (operation, _ ("Converting the disk image"),
                              g_stat (from_path, &st) == 0 ? (guint64) st.st_size : 100);
  limp_follow (process, lodge_operation_get_total_bytes (operation), operation, cancellable);
  if (g_cancellable_is_cancelled (cancellable))
    g_subprocess_force_exit (process);
  complaint = g_input_stream_read_bytes (g_subprocess_get_stderr_pipe (process), 4096, NULL, NULL);
  g_subprocess_wait (process, NULL, NULL);
  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  if (g_subprocess_get_successful (process))
    return TRUE;
  text = complaint != NULL ? g_strndup (g_bytes_get_data (complaint, &size), g_bytes_get_size (complaint)) : g_strdup ("");
  g_strchomp (text);
  g_set_error (error, LODGE_ERROR, strstr (text, "No space left") != NULL ? LODGE_ERROR_NO_SPACE : LODGE_ERROR_FAILED, "%s\n%s",
               _ ("The disk image could not be converted."), text);
  return FALSE;
}

char *
lodge_image_import (const char *path, const char *directory, const char *stem, LodgeOperation *operation, GCancellable *cancellable,
                    const char **ret_format, GError **error)
{
  const LodgeImageKind *kind;
  g_autofree char *backing = NULL;
  g_autofree char *name = NULL;
  g_autofree char *target = NULL;
  gboolean copy, is_raw;

  if (!lodge_image_check (path, FALSE, error) || (kind = lodge_image_recognise (path, error)) == NULL)
    return NULL;
  if (kind->native && lodge_image_probe (path, &backing, error) == 0)
    return NULL;
  copy = kind->native && backing == NULL;
  is_raw = g_str_equal (kind->name, "raw");
  name = g_strconcat (stem, copy && is_raw ? ".img" : ".qcow2", NULL);
  target = g_build_filename (directory, name, NULL);
  if (!(copy ? limp_copy (path, target, operation, cancellable, error)
             : limp_convert (path, kind->name, target, operation, cancellable, error)))
    return NULL;
  *ret_format = copy && is_raw ? "raw" : "qcow2";
  return g_steal_pointer (&name);
}
