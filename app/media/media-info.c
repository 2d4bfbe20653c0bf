/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is on a disc image.
 * Spec: ECMA-119 (ISO 9660) 8.1-8.4 volume descriptors; El Torito 1.0 section 2 and UEFI 2.10 section 13.3.2.1 for the platform EF;
 * ECMA-167 part 2 for discs that have only UDF.
 */
#include "media/media-info.h"

#include "media/os.h"
#include "model/error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LMED_SECTOR 2048
#define LMED_FIRST_DESCRIPTOR 16 /* sectors; ECMA-119 6.2.1: the system area comes before */
#define LMED_MAX_DESCRIPTORS 64
#define LMED_MAX_MISSING (512 * 1024) /* bytes that some writers leave away at the end: padding */

struct _LodgeMediaInfo {
  GObject parent_instance;
  char *path, *label, *os_id, *os_name;
  guint64 size_bytes;
  gboolean boots_bios, boots_uefi;
};

G_DEFINE_FINAL_TYPE (LodgeMediaInfo, lodge_media_info, G_TYPE_OBJECT)

static gboolean
lmed_read_sector (int fd, guint32 sector, guint8 *buffer)
{
  return TEMP_FAILURE_RETRY (pread (fd, buffer, LMED_SECTOR, (off_t) sector * LMED_SECTOR)) == LMED_SECTOR;
}

static guint32
lmed_le32 (const guint8 *p)
{
  return (guint32) p[0] | (guint32) p[1] << 8 | (guint32) p[2] << 16 | (guint32) p[3] << 24;
}

static void
lmed_note_platform (LodgeMediaInfo *self, guint8 platform)
{
  self->boots_bios |= platform == 0x00;
  self->boots_uefi |= platform == 0xef;
}

/* El Torito 2.1-2.3: a validation entry, the default entry, then sections. */
static void
lmed_read_boot_catalog (LodgeMediaInfo *self, int fd, guint32 sector)
{
  guint8 catalog[LMED_SECTOR];
  guint8 platform;

  if (!lmed_read_sector (fd, sector, catalog) || catalog[0] != 0x01 || catalog[30] != 0x55 || catalog[31] != 0xaa)
    return;
  platform = catalog[1];
  if (catalog[32] == 0x88)
    lmed_note_platform (self, platform);
  for (gsize at = 64; at + 32 <= sizeof catalog && (catalog[at] == 0x90 || catalog[at] == 0x91);)
    {
      guint n_entries = catalog[at + 2] | (guint) catalog[at + 3] << 8;
      gboolean last = catalog[at] == 0x91;

      platform = catalog[at + 1];
      at += 32;
      for (guint i = 0; i < n_entries && at + 32 <= sizeof catalog; i++, at += 32)
        if (catalog[at] == 0x88)
          lmed_note_platform (self, platform);
      if (last)
        break;
    }
}

static char *
lmed_dup_label (const guint8 *descriptor)
{
  g_autofree char *label = g_strndup ((const char *) descriptor + 40, 32); /* ECMA-119 8.4.7 */
  char *valid = g_utf8_make_valid (g_strchomp (label), -1);

  if (*valid == '\0')
    g_clear_pointer (&valid, g_free);
  return valid;
}

static gboolean
lmed_read (LodgeMediaInfo *self, int fd, GError **error)
{
  guint8 sector[LMED_SECTOR];
  gboolean is_disc = FALSE;
  guint64 claimed = 0;

  for (guint32 i = 0; i < LMED_MAX_DESCRIPTORS && lmed_read_sector (fd, LMED_FIRST_DESCRIPTOR + i, sector); i++)
    {
      gboolean is_iso = memcmp (sector + 1, "CD001", 5) == 0;

      if (!is_iso && memcmp (sector + 1, "BEA01", 5) != 0 && memcmp (sector + 1, "NSR0", 4) != 0
          && memcmp (sector + 1, "TEA01", 5) != 0)
        break;
      is_disc = TRUE;
      if (!is_iso)
        continue;
      if (sector[0] == 0 && memcmp (sector + 7, "EL TORITO SPECIFICATION", 23) == 0)
        lmed_read_boot_catalog (self, fd, lmed_le32 (sector + 0x47));
      else if (sector[0] == 1 && self->label == NULL)
        {
          self->label = lmed_dup_label (sector);
          claimed = (guint64) lmed_le32 (sector + 80) * LMED_SECTOR; /* ECMA-119 8.4.8 volume space size */
        }
    }
  if (!is_disc)
    {
      g_set_error (error, LODGE_ERROR, LODGE_ERROR_INVALID, _ ("“%s” is not a disc image (ISO)."), self->path);
      return FALSE;
    }
  if (claimed > self->size_bytes + LMED_MAX_MISSING)
    {
      g_autofree char *has = g_format_size (self->size_bytes);
      g_autofree char *wants = g_format_size (claimed);

      g_set_error (error, LODGE_ERROR, LODGE_ERROR_INVALID, _ ("“%s” is cut off: it has %s of %s. Download it again."), self->path,
                   has, wants);
      return FALSE;
    }
  return TRUE;
}

static void
lmed_load_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  const char *path = data;
  g_autoptr (LodgeMediaInfo) self = g_object_new (LODGE_TYPE_MEDIA_INFO, NULL);
  g_autofd int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  GError *error = NULL;
  struct stat st;

  self->path = g_strdup (path);
  if (fd < 0 || fstat (fd, &st) < 0)
    {
      int code = errno == ENOENT || errno == ENOTDIR ? LODGE_ERROR_NOT_FOUND : LODGE_ERROR_FAILED;

      g_task_return_new_error (task, LODGE_ERROR, code, _ ("“%s” cannot be read: %s"), path, g_strerror (errno));
      return;
    }
  if (!S_ISREG (st.st_mode))
    {
      g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_INVALID,
                               S_ISDIR (st.st_mode) ? _ ("“%s” is a folder. A file is wanted.")
                                                    : _ ("“%s” is a device or a pipe. A plain file is wanted."),
                               path);
      return;
    }
  self->size_bytes = (guint64) st.st_size;
  if (!lmed_read (self, fd, &error))
    {
      g_task_return_error (task, error);
      return;
    }
  self->os_id = lodge_os_identify_media (path, cancellable, &self->os_name);
  if (self->os_id == NULL && self->label != NULL)
    self->os_id = lodge_os_guess_from_label (self->label, &self->os_name);
  g_task_return_pointer (task, g_steal_pointer (&self), g_object_unref);
}

void
lodge_media_info_load_async (const char *path, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, user_data);

  g_task_set_source_tag (task, lodge_media_info_load_async);
  g_task_set_task_data (task, g_strdup (path), g_free);
  g_task_run_in_thread (task, lmed_load_thread);
}

LodgeMediaInfo *
lodge_media_info_load_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

const char *
lodge_media_info_get_path (LodgeMediaInfo *self)
{
  return self->path;
}

const char *
lodge_media_info_get_label (LodgeMediaInfo *self)
{
  return self->label;
}

const char *
lodge_media_info_get_os_id (LodgeMediaInfo *self)
{
  return self->os_id;
}

const char *
lodge_media_info_get_os_name (LodgeMediaInfo *self)
{
  return self->os_name;
}

guint64
lodge_media_info_get_size_bytes (LodgeMediaInfo *self)
{
  return self->size_bytes;
}

gboolean
lodge_media_info_get_boots_bios (LodgeMediaInfo *self)
{
  return self->boots_bios;
}

gboolean
lodge_media_info_get_boots_uefi (LodgeMediaInfo *self)
{
  return self->boots_uefi;
}

static void
lmed_finalize (GObject *object)
{
  LodgeMediaInfo *self = LODGE_MEDIA_INFO (object);

  g_free (self->path);
  g_free (self->label);
  g_free (self->os_id);
  g_free (self->os_name);
  G_OBJECT_CLASS (lodge_media_info_parent_class)->finalize (object);
}

static void
lodge_media_info_class_init (LodgeMediaInfoClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = lmed_finalize;
}

static void
lodge_media_info_init (LodgeMediaInfo *self)
{
}
