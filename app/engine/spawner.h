/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Starts a machine's process. */
#pragma once

#include "model/error.h"

G_BEGIN_DECLS

/**
 * lodge_spawner_start_async:
 * @executable: (nullable): %NULL: the program of this process
 * @uuid: names the file for what the process says before it has its own log
 * Starts `lodge machine @bundle_path` in a session of its own, so that it outlives this process, and waits until the machine runs.
 * Cancelling asks the process to end.
 * Errors: what the process tells; LODGE_ERROR_FAILED with the end of its output if it ends without a word.
 */
void lodge_spawner_start_async (const char *executable, const char *bundle_path, const char *uuid, gboolean headless,
                                GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
gboolean lodge_spawner_start_finish (GAsyncResult *result, GError **error);

G_END_DECLS
