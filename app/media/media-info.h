/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is on a disc image. */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/**
 * LodgeMediaInfo:
 * Immutable. What an ISO file says about itself.
 */
#define LODGE_TYPE_MEDIA_INFO (lodge_media_info_get_type ())
G_DECLARE_FINAL_TYPE (LodgeMediaInfo, lodge_media_info, LODGE, MEDIA_INFO, GObject)

/**
 * lodge_media_info_load_async:
 * Reads @path on another thread; loads the OS database if that has not happened yet.
 * Errors: LODGE_ERROR_NOT_FOUND, _INVALID (a directory, a device that is no disc, not an ISO 9660 or UDF image, cut off).
 */
void lodge_media_info_load_async (const char *path, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
/** lodge_media_info_load_finish: Returns: (transfer full). */
LodgeMediaInfo *lodge_media_info_load_finish (GAsyncResult *result, GError **error);

const char *lodge_media_info_get_path (LodgeMediaInfo *self);
const char *lodge_media_info_get_label (LodgeMediaInfo *self);   /* (nullable): volume id */
const char *lodge_media_info_get_os_id (LodgeMediaInfo *self);   /* (nullable): recognised system, LodgeOs id */
const char *lodge_media_info_get_os_name (LodgeMediaInfo *self); /* (nullable) */
guint64 lodge_media_info_get_size_bytes (LodgeMediaInfo *self);
gboolean lodge_media_info_get_boots_bios (LodgeMediaInfo *self); /* El Torito entry for a PC BIOS */
gboolean lodge_media_info_get_boots_uefi (LodgeMediaInfo *self); /* El Torito entry for UEFI */

G_END_DECLS
