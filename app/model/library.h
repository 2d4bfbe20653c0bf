/* SPDX-License-Identifier: GPL-3.0-or-later */
/* All machines of this user, as a list that keeps itself up to date. */
#pragma once

#include "model/machine.h"

G_BEGIN_DECLS

/**
 * LodgeLibrary:
 * A GListModel of LodgeMachine, sorted by name. Bundles that appear or vanish in the directory, by whosever hand, appear and
 * vanish here; machines that run are reached through their processes' sockets, also those that somebody else started.
 * Main thread only; files are read on other threads.
 *
 * Properties: "loaded" boolean: the first look into the directory is over; "message" string: why the directory cannot be read
 * (%NULL: it can).
 */
#define LODGE_TYPE_LIBRARY (lodge_library_get_type ())
G_DECLARE_FINAL_TYPE (LodgeLibrary, lodge_library, LODGE, LIBRARY, GObject)

/**
 * lodge_library_new:
 * @directory: (nullable): where the bundles are; %NULL: $XDG_DATA_HOME/lodge/machines
 * The list is empty until the first look is over.
 */
LodgeLibrary *lodge_library_new (const char *directory);

const char *lodge_library_get_directory (LodgeLibrary *self);
gboolean lodge_library_get_loaded (LodgeLibrary *self);

/**
 * lodge_library_load_async:
 * Done when the first look is over and the state of every machine in the list is known.
 */
void lodge_library_load_async (LodgeLibrary *self, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
gboolean lodge_library_load_finish (LodgeLibrary *self, GAsyncResult *result, GError **error);

/**
 * lodge_library_find:
 * @name: a machine's name or uuid
 * Errors: LODGE_ERROR_NOT_FOUND.
 * Returns: (transfer none): the machine.
 */
LodgeMachine *lodge_library_find (LodgeLibrary *self, const char *name, GError **error);

/** lodge_library_find_path: Returns: (transfer none) (nullable): the machine of that bundle. */
LodgeMachine *lodge_library_find_path (LodgeLibrary *self, const char *path);

/**
 * lodge_library_refresh:
 * Looks at the bundle @path (nullable: at all) now and does not wait for the file monitor.
 */
void lodge_library_refresh (LodgeLibrary *self, const char *path);

/**
 * lodge_library_dup_free_name:
 * Returns: (transfer full): @wish, or "@wish 2" and so on if that is taken.
 */
char *lodge_library_dup_free_name (LodgeLibrary *self, const char *wish);

/**
 * lodge_library_delete_async:
 * Moves the machine's bundle to the trash (the desktop's, or the library's own where that fails).
 * Errors: LODGE_ERROR_RUNNING the machine is on; LODGE_ERROR_FAILED.
 */
void lodge_library_delete_async (LodgeLibrary *self, LodgeMachine *machine, GCancellable *cancellable, GAsyncReadyCallback callback,
                                 gpointer user_data);

/**
 * lodge_library_delete_finish:
 * Returns: (transfer full): a token for lodge_library_undo_delete_async(); %NULL on error.
 */
char *lodge_library_delete_finish (LodgeLibrary *self, GAsyncResult *result, GError **error);

/**
 * lodge_library_undo_delete_async:
 * Brings a machine back from the trash.
 * Errors: LODGE_ERROR_NOT_FOUND the trash was emptied; LODGE_ERROR_EXISTS its place is taken.
 */
void lodge_library_undo_delete_async (LodgeLibrary *self, const char *token, GCancellable *cancellable,
                                      GAsyncReadyCallback callback, gpointer user_data);
/** lodge_library_undo_delete_finish: Returns: (transfer full): the machine, in the list again; %NULL on error. */
LodgeMachine *lodge_library_undo_delete_finish (LodgeLibrary *self, GAsyncResult *result, GError **error);

G_END_DECLS
