/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engine's image tools with words for people. */
#include "engine/image-tools.h"

#include "engine/bundle.h"

#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <vmm.h>

gboolean
lodge_image_create_qcow2 (const char *path, guint64 size_bytes, GError **error)
{
  GError *local = NULL;

  if (vmm_image_create (path, "qcow2", size_bytes, NULL, NULL, &local))
    return TRUE;
  g_propagate_error (error, lodge_bundle_error_from_engine (local, _ ("The disk image could not be made.")));
  return FALSE;
}

guint64
lodge_image_probe (const char *path, char **ret_backing, GError **error)
{
  GError *local = NULL;
  g_autoptr (VmmImageInfo) info = vmm_image_probe (path, &local);
  GStatBuf st;

  if (info == NULL)
    {
      g_autofree char *sentence = g_strdup_printf (_ ("“%s” cannot be used as a disk."), path);

      g_propagate_error (error, lodge_bundle_error_from_engine (local, sentence));
      return 0;
    }
  if (info->size_bytes < LODGE_SECTOR_BYTES || g_stat (path, &st) < 0 || st.st_size < LODGE_SECTOR_BYTES)
    {
      g_set_error (error, LODGE_ERROR, LODGE_ERROR_INVALID, _ ("“%s” is too small to be a disk."), path);
      return 0;
    }
  *ret_backing = g_strdup (info->backing_path);
  return info->size_bytes;
}
