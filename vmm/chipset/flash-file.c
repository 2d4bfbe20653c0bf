/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Theory of operation: `content` is what shall be in the file, `wanted` counts its changes, `written` says which of them are in the file. The
 * thread sleeps while the two agree; changes that come while it writes go together into the next file. A host that loses power keeps the old
 * file or the new one: the new one is synced before it takes the old one's name, the directory after. */
#include "chipset/flash-file.h"

#include "core/device.h"
#include "core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FLFI_MAX (16u << 20)
#define FLFI_BLOCK 4096u
#define FLFI_RETRY_US (2 * G_USEC_PER_SEC)
#define FLFI_GAP_US (G_USEC_PER_SEC / 10) /* between two writes that nobody waits for */

struct _VmmFlashFile {
  VmmMachine *machine;
  char *path;
  GThread *thread;
  GMutex lock;
  GCond cond;              /* anything below changed */
  guint8 *content;         /* under lock */
  gsize size;              /* bytes */
  guint64 wanted, written; /* under lock: generations of the content */
  guint64 tries, failed;   /* under lock: number of the last try begun, of the last that failed */
  guint waiters;           /* under lock: vmm_flash_file_sync() */
  gboolean ending;         /* under lock */
  gboolean failing;        /* thread: the last try failed, and said so */
};

static int
flfi_error_code (int error_number)
{
  return error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG ? VMM_ERROR_NO_SPACE : VMM_ERROR_HOST;
}

static gboolean
flfi_write_all (int fd, const guint8 *data, gsize size)
{
  while (size > 0)
    {
      gssize n = write (fd, data, size);

      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return FALSE;
      data += n;
      size -= (gsize) n;
    }
  return TRUE;
}

static void
flfi_sync_directory (const char *path)
{
  g_autofree char *directory = g_path_get_dirname (path);
  int fd = open (directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (fd < 0)
    return;
  fsync (fd); /* some file systems cannot; the file itself is safe */
  close (fd);
}

/* The whole file, or no change. The lock on a bundle keeps others from the same temporary name. */
static gboolean
flfi_replace (const char *path, const guint8 *data, gsize size, GError **error)
{
  g_autofree char *next = g_strconcat (path, ".new", NULL);
  int fd = open (next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  int error_number = 0;

  if (fd < 0 || !flfi_write_all (fd, data, size) || fsync (fd) < 0)
    error_number = errno;
  if (fd >= 0 && close (fd) < 0 && error_number == 0)
    error_number = errno;
  if (error_number == 0 && g_rename (next, path) < 0)
    error_number = errno;
  if (error_number != 0)
    {
      if (fd >= 0)
        g_unlink (next);
      g_set_error (error, VMM_ERROR, flfi_error_code (error_number), "%s: %s", path, g_strerror (error_number));
      return FALSE;
    }
  flfi_sync_directory (path);
  return TRUE;
}

/* The whole file. @ret_missing: there is none. */
static guint8 *
flfi_read (const char *path, gsize *ret_size, gboolean *ret_missing, GError **error)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  g_autofree guint8 *data = NULL;
  gsize len = 0;
  struct stat st;

  *ret_missing = fd < 0 && errno == ENOENT;
  if (fd < 0)
    {
      g_set_error (error, VMM_ERROR, *ret_missing ? VMM_ERROR_NOT_FOUND : VMM_ERROR_HOST, "%s: %s", path, g_strerror (errno));
      return NULL;
    }
  if (fstat (fd, &st) < 0 || !S_ISREG (st.st_mode) || st.st_size == 0 || st.st_size > FLFI_MAX || st.st_size % FLFI_BLOCK != 0)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_CORRUPT,
                   "%s: the content of a flash chip is a file of at most 16 MiB, in whole blocks of 4 KiB", path);
      close (fd);
      return NULL;
    }
  data = g_malloc ((gsize) st.st_size);
  while (len < (gsize) st.st_size)
    {
      gssize n = read (fd, data + len, (gsize) st.st_size - len);

      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        {
          g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "%s: %s", path, n < 0 ? g_strerror (errno) : "it became shorter");
          close (fd);
          return NULL;
        }
      len += (gsize) n;
    }
  close (fd);
  *ret_size = len;
  return g_steal_pointer (&data);
}

static void
flfi_tell (VmmFlashFile *file, const GError *error)
{
  if (error == NULL)
    {
      file->failing = FALSE;
      return;
    }
  if (!file->failing)
    vmm_log_warning (file->machine, NULL, "%s", error->message);
  file->failing = TRUE;
  vmm_machine_request_pause (file->machine,
                             g_error_matches (error, VMM_ERROR, VMM_ERROR_NO_SPACE) ? VMM_REASON_NO_SPACE : VMM_REASON_IO_ERROR,
                             error->message);
}

/* Lock held. Sleeps as long as nobody waits for the file, at most until @until_us. */
static void
flfi_linger (VmmFlashFile *file, gint64 until_us)
{
  while (file->waiters == 0 && !file->ending && g_cond_wait_until (&file->cond, &file->lock, until_us))
    ;
}

static gpointer
flfi_main (gpointer data)
{
  VmmFlashFile *file = data;
  g_autofree guint8 *copy = g_malloc (file->size);

  g_mutex_lock (&file->lock);
  for (;;)
    {
      g_autoptr (GError) error = NULL;
      guint64 generation, number;

      while (file->written == file->wanted && !file->ending)
        g_cond_wait (&file->cond, &file->lock);
      if (file->written == file->wanted)
        break;
      generation = file->wanted;
      number = ++file->tries;
      memcpy (copy, file->content, file->size);
      g_mutex_unlock (&file->lock);

      flfi_replace (file->path, copy, file->size, &error);
      flfi_tell (file, error);

      g_mutex_lock (&file->lock);
      if (error == NULL)
        file->written = generation;
      else
        file->failed = number;
      g_cond_broadcast (&file->cond);
      if (error != NULL && file->ending)
        break;
      flfi_linger (file, g_get_monotonic_time () + (error != NULL ? FLFI_RETRY_US : FLFI_GAP_US));
    }
  g_mutex_unlock (&file->lock);
  return NULL;
}

VmmFlashFile *
vmm_flash_file_open (VmmMachine *machine, const char *path, const char *template_path, GBytes **ret_bytes, GError **error)
{
  g_autoptr (GError) local = NULL;
  VmmFlashFile *file;
  gboolean missing;
  gsize size = 0;
  guint8 *content = flfi_read (path, &size, &missing, &local);

  if (content == NULL && missing && template_path != NULL)
    {
      g_clear_error (&local);
      content = flfi_read (template_path, &size, &missing, &local);
      if (content != NULL && !flfi_replace (path, content, size, &local))
        g_clear_pointer (&content, g_free);
    }
  if (content == NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return NULL;
    }

  file = g_new0 (VmmFlashFile, 1);
  *file = (VmmFlashFile) { .machine = machine, .path = g_strdup (path), .content = content, .size = size };
  g_mutex_init (&file->lock);
  g_cond_init (&file->cond);
  *ret_bytes = g_bytes_new (content, size);
  file->thread = g_thread_new ("nvram", flfi_main, file);
  return file;
}

void
vmm_flash_file_update (VmmFlashFile *file, gsize offset, const guint8 *data, gsize len)
{
  g_assert (offset <= file->size && len <= file->size - offset);
  g_mutex_lock (&file->lock);
  memcpy (file->content + offset, data, len);
  file->wanted++;
  g_cond_broadcast (&file->cond);
  g_mutex_unlock (&file->lock);
}

gboolean
vmm_flash_file_sync (VmmFlashFile *file)
{
  guint64 generation, begun;
  gboolean done;

  g_mutex_lock (&file->lock);
  generation = file->wanted;
  begun = file->tries; /* what is under way may be too old */
  file->waiters++;
  g_cond_broadcast (&file->cond);
  while (file->written < generation && file->failed <= begun)
    g_cond_wait (&file->cond, &file->lock);
  file->waiters--;
  done = file->written >= generation;
  g_mutex_unlock (&file->lock);
  return done;
}

void
vmm_flash_file_free (VmmFlashFile *file)
{
  if (file == NULL)
    return;
  g_mutex_lock (&file->lock);
  file->ending = TRUE;
  g_cond_broadcast (&file->cond);
  g_mutex_unlock (&file->lock);
  g_thread_join (file->thread);
  g_free (file->content);
  g_free (file->path);
  g_mutex_clear (&file->lock);
  g_cond_clear (&file->cond);
  g_free (file);
}
