/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "block/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const guint8 vmm_zeroes[VMM_ZEROES_SIZE] = { 0 };

void
vmm_file_set_error (GError **error, const char *path, const char *what, int err)
{
  VmmError code = VMM_ERROR_HOST;

  if (err == ENOSPC || err == EDQUOT)
    code = VMM_ERROR_NO_SPACE;
  else if (err == ENOENT)
    code = VMM_ERROR_NOT_FOUND;
  g_set_error (error, VMM_ERROR, code, "%s: %s: %s", path, what, g_strerror (err));
}

static const char *
file_type_name (mode_t mode)
{
  if (S_ISDIR (mode))
    return "a directory";
  if (S_ISCHR (mode))
    return "a character device";
  if (S_ISFIFO (mode))
    return "a pipe";
  if (S_ISSOCK (mode))
    return "a socket";
  return "not a regular file";
}

/* What the kernel wants of direct I/O; FALSE: it does not say, or does none on this file. */
static gboolean
file_query_direct (VmmFile *file, int fd)
{
  struct statx stx;

  /* Linux 6.1 and later; block devices and most local file systems. */
  if (statx (fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) == 0 && (stx.stx_mask & STATX_DIOALIGN) != 0)
    {
      if (stx.stx_dio_offset_align == 0 || stx.stx_dio_offset_align > 65536 || stx.stx_dio_mem_align > 65536)
        return FALSE;
      file->direct_align = stx.stx_dio_offset_align;
      file->direct_mem_align = MAX (stx.stx_dio_mem_align, 1);
    }
  else
    {
      file->direct_align = 4096;
      file->direct_mem_align = 4096;
    }
  return TRUE;
}

VmmFile *
vmm_file_open (const char *path, VmmFileFlags flags, GError **error)
{
  g_autoptr (VmmFile) file = g_new0 (VmmFile, 1);
  int access = (flags & VMM_FILE_WRITABLE) != 0 ? O_RDWR : O_RDONLY;
  struct stat st;

  file->fd = file->direct_fd = -1;
  file->path = g_strdup (path);
  file->writable = (flags & VMM_FILE_WRITABLE) != 0;

  /* Opening some devices does things to them, so look first. */
  if (stat (path, &st) < 0)
    {
      vmm_file_set_error (error, path, "cannot open", errno);
      return NULL;
    }
  if (S_ISREG (st.st_mode) || S_ISBLK (st.st_mode))
    {
      file->fd = open (path, access | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
      if (file->fd < 0 || fstat (file->fd, &st) < 0)
        {
          vmm_file_set_error (error, path, file->writable ? "cannot open for writing" : "cannot open", errno);
          return NULL;
        }
    }
  if (!S_ISREG (st.st_mode) && !S_ISBLK (st.st_mode))
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "%s: is %s, not a file or a block device", path, file_type_name (st.st_mode));
      return NULL;
    }
  if (fcntl (file->fd, F_SETFL, access) < 0)
    {
      vmm_file_set_error (error, path, "cannot open", errno);
      return NULL;
    }
  file->is_device = S_ISBLK (st.st_mode);
  file->dev = file->is_device ? 0 : st.st_dev;
  file->ino = file->is_device ? st.st_rdev : st.st_ino;

  if ((flags & VMM_FILE_DIRECT) != 0)
    {
      /* The same inode as above, whatever has become of the path. */
      g_autofree char *self = g_strdup_printf ("/proc/self/fd/%d", file->fd);

      file->direct_fd = open (self, access | O_CLOEXEC | O_DIRECT);
      if (file->direct_fd >= 0 && !file_query_direct (file, file->direct_fd))
        {
          close (file->direct_fd);
          file->direct_fd = -1;
        }
    }
  return g_steal_pointer (&file);
}

void
vmm_file_free (VmmFile *file)
{
  if (file == NULL)
    return;
  if (file->direct_fd >= 0)
    close (file->direct_fd);
  if (file->fd >= 0)
    close (file->fd);
  g_free (file->path);
  g_free (file);
}

void
vmm_file_drop_direct (VmmFile *file)
{
  close (file->direct_fd);
  file->direct_fd = -1;
}

/* Locks. A holder of permission i has a shared lock on byte 100 + i, one who does not share permission i on byte 200 + i. */

#define FILE_LOCK_PERM 100
#define FILE_LOCK_UNSHARED 200
#define FILE_LOCK_ATTEMPTS 16
#define FILE_LOCK_PAUSE_US 25000

enum {
  FILE_PERM_READ = 1 << 0, /* consistent read */
  FILE_PERM_WRITE = 1 << 1,
  FILE_PERM_WRITE_UNCHANGED = 1 << 2,
  FILE_PERM_RESIZE = 1 << 3,
  FILE_N_PERMS = 4,
};

static gboolean
file_lock_unsupported (int err)
{
  return err == ENOLCK || err == EOPNOTSUPP || err == ENOSYS || err == EINVAL;
}

static int
file_lock_byte (VmmFile *file, short type, off_t byte)
{
  struct flock fl = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

  return fcntl (file->fd, F_OFD_SETLK, &fl) < 0 ? -errno : 0;
}

/* Whether somebody else has a lock on @byte. */
static gboolean
file_lock_is_taken (VmmFile *file, off_t byte)
{
  struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

  return fcntl (file->fd, F_OFD_GETLK, &fl) == 0 && fl.l_type != F_UNLCK;
}

static void
file_unlock (VmmFile *file)
{
  for (guint i = 0; i < FILE_N_PERMS; i++)
    {
      file_lock_byte (file, F_UNLCK, FILE_LOCK_PERM + (off_t) i);
      file_lock_byte (file, F_UNLCK, FILE_LOCK_UNSHARED + (off_t) i);
    }
}

/* 0, -EAGAIN: somebody else is there, or another -errno. */
static int
file_try_lock (VmmFile *file, guint perm, guint unshared)
{
  int r = 0;

  for (guint i = 0; i < FILE_N_PERMS && r == 0; i++)
    {
      if ((perm & (1u << i)) != 0)
        r = file_lock_byte (file, F_RDLCK, FILE_LOCK_PERM + (off_t) i);
      if (r == 0 && (unshared & (1u << i)) != 0)
        r = file_lock_byte (file, F_RDLCK, FILE_LOCK_UNSHARED + (off_t) i);
    }
  for (guint i = 0; i < FILE_N_PERMS && r == 0; i++)
    if (((perm & (1u << i)) != 0 && file_lock_is_taken (file, FILE_LOCK_UNSHARED + (off_t) i))
        || ((unshared & (1u << i)) != 0 && file_lock_is_taken (file, FILE_LOCK_PERM + (off_t) i)))
      r = -EAGAIN;
  if (r < 0)
    file_unlock (file);
  return r;
}

gboolean
vmm_file_lock (VmmFile *file, gboolean exclusive, GError **error)
{
  guint perm = exclusive ? FILE_PERM_READ | FILE_PERM_WRITE | FILE_PERM_RESIZE : FILE_PERM_READ;
  guint unshared = exclusive ? FILE_PERM_READ | FILE_PERM_WRITE | FILE_PERM_WRITE_UNCHANGED | FILE_PERM_RESIZE
                             : FILE_PERM_WRITE | FILE_PERM_RESIZE;
  int r = file_try_lock (file, perm, unshared);

  /* A process that is no more may hold its files a little longer, until the kernel has ended its io_uring operations. */
  for (guint i = 0; r < 0 && !file_lock_unsupported (-r) && i < FILE_LOCK_ATTEMPTS; i++)
    {
      g_usleep (FILE_LOCK_PAUSE_US);
      r = file_try_lock (file, perm, unshared);
    }
  if (r == 0 || file_lock_unsupported (-r))
    return TRUE; /* on a file system without locks QEMU goes on as well */
  g_set_error (error, VMM_ERROR, VMM_ERROR_BUSY, "%s: is in use by another program%s", file->path,
               exclusive ? "" : " that writes to it");
  return FALSE;
}

gint64
vmm_file_get_size (VmmFile *file)
{
  off_t size = lseek (file->fd, 0, SEEK_END); /* right for block devices too */

  return size < 0 ? -errno : size;
}

static int
file_begin (VmmFile *file, VmmIoKind kind, guint64 offset, guint64 len, const struct iovec *iov, gpointer *ret_cookie)
{
  return file->hooks != NULL ? file->hooks->begin (file->hooks_data, kind, offset, len, iov, iov != NULL ? 1 : 0, ret_cookie) : 0;
}

static int
file_end (VmmFile *file, gpointer cookie, int result)
{
  if (file->hooks != NULL)
    file->hooks->end (file->hooks_data, cookie, result);
  return result;
}

static int
file_transfer (VmmFile *file, VmmIoKind kind, guint64 offset, guint8 *buf, gsize len)
{
  struct iovec iov = { buf, len };
  gpointer cookie = NULL;
  int r = file_begin (file, kind, offset, len, &iov, &cookie);

  if (r < 0)
    return r;
  if (offset > G_MAXINT64 - len)
    return file_end (file, cookie, -EFBIG);
  while (len > 0 && r == 0)
    {
      gssize n = kind == VMM_IO_READ ? pread (file->fd, buf, len, (off_t) offset) : pwrite (file->fd, buf, len, (off_t) offset);

      if (n < 0 && errno != EINTR)
        r = -errno;
      else if (n == 0 && kind == VMM_IO_READ)
        {
          memset (buf, 0, len);
          break;
        }
      else if (n == 0)
        r = -ENOSPC;
      else if (n > 0)
        {
          buf += n;
          offset += (gsize) n;
          len -= (gsize) n;
        }
    }
  return file_end (file, cookie, r);
}

int
vmm_file_read (VmmFile *file, guint64 offset, gpointer buf, gsize len)
{
  return file_transfer (file, VMM_IO_READ, offset, buf, len);
}

int
vmm_file_write (VmmFile *file, guint64 offset, gconstpointer buf, gsize len)
{
  return file_transfer (file, VMM_IO_WRITE, offset, (guint8 *) buf, len);
}

int
vmm_file_write_zeroes (VmmFile *file, guint64 offset, guint64 len)
{
  while (len > 0)
    {
      gsize n = MIN (len, VMM_ZEROES_SIZE);
      int r = vmm_file_write (file, offset, vmm_zeroes, n);

      if (r < 0)
        return r;
      offset += n;
      len -= n;
    }
  return 0;
}

int
vmm_file_sync (VmmFile *file)
{
  gpointer cookie = NULL;
  int r = file_begin (file, VMM_IO_SYNC, 0, 0, NULL, &cookie);

  if (r < 0)
    return r;
  return file_end (file, cookie, fdatasync (file->fd) < 0 ? -errno : 0);
}

int
vmm_file_fallocate (VmmFile *file, int mode, guint64 offset, guint64 len)
{
  gpointer cookie = NULL;
  int r;

  if (offset > G_MAXINT64 || len > G_MAXINT64 - offset)
    return -EFBIG;
  r = file_begin (file, VMM_IO_FALLOCATE, offset, len, NULL, &cookie);
  if (r < 0)
    return r;
  do
    r = fallocate (file->fd, mode, (off_t) offset, (off_t) len) < 0 ? -errno : 0;
  while (r == -EINTR);
  return file_end (file, cookie, r);
}
