/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A machine in a bundle, as the manager and the command line see it: files while it is off, its process's socket while it is on. */
#pragma once

#include "engine/bundle.h"
#include "model/machine.h"

G_BEGIN_DECLS

#define LODGE_TYPE_BUNDLE_MACHINE (lodge_bundle_machine_get_type ())
G_DECLARE_FINAL_TYPE (LodgeBundleMachine, lodge_bundle_machine, LODGE, BUNDLE_MACHINE, LodgeMachine)

/**
 * lodge_bundle_machine_new:
 * @path: absolute path of the bundle
 * @executable: (nullable): the program that runs machines, %NULL: this one
 */
LodgeBundleMachine *lodge_bundle_machine_new (const char *path, const char *executable);

/**
 * lodge_bundle_machine_take_bundle:
 * @bundle: (transfer full) (nullable): what its files say now; %NULL: they cannot be understood
 * @error: (nullable): why, if @bundle is %NULL
 */
void lodge_bundle_machine_take_bundle (LodgeBundleMachine *self, LodgeBundle *bundle, const GError *error);

/**
 * lodge_bundle_machine_connect_async:
 * Looks whether a process runs the machine and connects to it; removes the socket of one that was killed. No error if none runs.
 */
void lodge_bundle_machine_connect_async (LodgeBundleMachine *self, GCancellable *cancellable, GAsyncReadyCallback callback,
                                         gpointer user_data);
gboolean lodge_bundle_machine_connect_finish (LodgeBundleMachine *self, GAsyncResult *result, GError **error);

/**
 * lodge_bundle_machine_release_async:
 * Ends the process of a machine that is off but whose window is still open, so that its files can be moved.
 * Errors: LODGE_ERROR_RUNNING.
 */
void lodge_bundle_machine_release_async (LodgeBundleMachine *self, GCancellable *cancellable, GAsyncReadyCallback callback,
                                         gpointer user_data);
gboolean lodge_bundle_machine_release_finish (LodgeBundleMachine *self, GAsyncResult *result, GError **error);

/** lodge_bundle_machine_get_process_id: Returns: the process that runs the machine, 0 if none does. */
guint lodge_bundle_machine_get_process_id (LodgeBundleMachine *self);

G_END_DECLS
