/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Operating systems that we know of (libosinfo), as a list to choose from. */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/**
 * LodgeOs:
 * One operating system; immutable. Properties: "id" string ("debian13"), "name" string ("Debian 13"), "family" string ("linux",
 * "winnt" …), "search-text" string (lower case).
 */
#define LODGE_TYPE_OS (lodge_os_get_type ())
G_DECLARE_FINAL_TYPE (LodgeOs, lodge_os, LODGE, OS, GObject)

const char *lodge_os_get_id (LodgeOs *self);
const char *lodge_os_get_name (LodgeOs *self);
const char *lodge_os_get_family (LodgeOs *self);
gint64 lodge_os_get_release_date (LodgeOs *self);          /* Julian day number; 0: unknown */
guint64 lodge_os_get_minimum_memory_bytes (LodgeOs *self); /* 0: unknown, as below */
guint64 lodge_os_get_recommended_memory_bytes (LodgeOs *self);
guint64 lodge_os_get_minimum_disk_bytes (LodgeOs *self);
guint64 lodge_os_get_recommended_disk_bytes (LodgeOs *self);
guint lodge_os_get_recommended_cpus (LodgeOs *self);
gboolean lodge_os_get_needs_uefi (LodgeOs *self);
gboolean lodge_os_get_has_virtio_gpu (LodgeOs *self);   /* has a driver for it, as it comes */
gboolean lodge_os_get_has_virtio_input (LodgeOs *self); /* likewise */

/**
 * LodgeOsDatabase:
 * A GListModel of LodgeOs, newest first within a name's family; empty until loaded.
 */
#define LODGE_TYPE_OS_DATABASE (lodge_os_database_get_type ())
G_DECLARE_FINAL_TYPE (LodgeOsDatabase, lodge_os_database, LODGE, OS_DATABASE, GObject)

/** lodge_os_database_get_default: Returns: (transfer none): the one of this process. */
LodgeOsDatabase *lodge_os_database_get_default (void);

/** lodge_os_database_load_async: Reads osinfo-db on another thread, once; a missing database is an empty list, not an error. */
void lodge_os_database_load_async (LodgeOsDatabase *self, GCancellable *cancellable, GAsyncReadyCallback callback,
                                   gpointer user_data);
gboolean lodge_os_database_load_finish (LodgeOsDatabase *self, GAsyncResult *result, GError **error);

/** lodge_os_database_find: Returns: (transfer none) (nullable): by id; %NULL if unknown or not loaded yet. */
LodgeOs *lodge_os_database_find (LodgeOsDatabase *self, const char *id);

/** lodge_os_database_find_similar: Returns: (transfer none) (nullable): by id, else the newest of the same distribution. */
LodgeOs *lodge_os_database_find_similar (LodgeOsDatabase *self, const char *id);

/**
 * lodge_os_identify_media:
 * @path: a disc image
 * Asks libosinfo, whose database is read if that has not happened yet. Blocks; not for the main thread.
 * Returns: (transfer full) (nullable): the id of the system on the disc; its name in @ret_name.
 */
char *lodge_os_identify_media (const char *path, GCancellable *cancellable, char **ret_name);

/**
 * lodge_os_guess_from_label:
 * @label: a disc's volume id
 * Recognises discs that are newer than the database.
 * Returns: (transfer full) (nullable): the id that the database has or will have for it; its name in @ret_name.
 */
char *lodge_os_guess_from_label (const char *label, char **ret_name);

G_END_DECLS
