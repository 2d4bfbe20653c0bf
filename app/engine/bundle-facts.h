/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a bundle says beyond the machine's properties: its disks, and what its window remembers. */
#pragma once

#include "model/machine.h"

G_BEGIN_DECLS

/**
 * LodgeDiskFacts:
 * One hard disk of a machine.
 */
typedef struct {
  char *device_id;    /* "disk0" … */
  char *path;         /* absolute */
  char *format;       /* (nullable): "qcow2", "raw"; NULL: the image cannot be read */
  guint64 size_bytes; /* what the guest sees */
  guint64 used_bytes; /* what it takes on the host */
  char *problem;      /* (nullable): why the image cannot be read, for people */
} LodgeDiskFacts;

void lodge_disk_facts_free (LodgeDiskFacts *facts);

/**
 * lodge_bundle_list_disks_async:
 * Reads the machine's files on another thread. A machine without a bundle has no disks that we know of.
 */
void lodge_bundle_list_disks_async (LodgeMachine *machine, GCancellable *cancellable, GAsyncReadyCallback callback,
                                    gpointer user_data);
/** lodge_bundle_list_disks_finish: Returns: (transfer full): of LodgeDiskFacts, in the order of the file; NULL on error. */
GPtrArray *lodge_bundle_list_disks_finish (LodgeMachine *machine, GAsyncResult *result, GError **error);

/**
 * lodge_bundle_get_window_setting_async:
 * Reads @key of the group [window], which the engine leaves alone.
 */
void lodge_bundle_get_window_setting_async (LodgeMachine *machine, const char *key, GCancellable *cancellable,
                                            GAsyncReadyCallback callback, gpointer user_data);
/** lodge_bundle_get_window_setting_finish: Returns: (transfer full) (nullable): the value; NULL if there is none, or on error. */
char *lodge_bundle_get_window_setting_finish (LodgeMachine *machine, GAsyncResult *result, GError **error);

/**
 * lodge_bundle_set_window_setting_async:
 * @value: (nullable): NULL removes the key
 * To be called where the machine runs, or while it is off: that process alone writes its machine.conf.
 */
void lodge_bundle_set_window_setting_async (LodgeMachine *machine, const char *key, const char *value, GCancellable *cancellable,
                                            GAsyncReadyCallback callback, gpointer user_data);
gboolean lodge_bundle_set_window_setting_finish (LodgeMachine *machine, GAsyncResult *result, GError **error);

G_END_DECLS
