/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A machine of the engine that runs in this very process. */
#pragma once

#include "engine/bundle.h"
#include "model/machine.h"

G_BEGIN_DECLS

/* Pictures for lists are at most this large. */
#define LODGE_THUMBNAIL_WIDTH 640  /* pixels */
#define LODGE_THUMBNAIL_HEIGHT 400 /* pixels */

/**
 * LodgeEngineMachine:
 * Main thread only. Whoever makes it holds the lock of the bundle while it lives.
 * Signals: "window-requested" (LodgeEngineMachine *): somebody used LODGE_VERB_SHOW_WINDOW.
 */
#define LODGE_TYPE_ENGINE_MACHINE (lodge_engine_machine_get_type ())
G_DECLARE_FINAL_TYPE (LodgeEngineMachine, lodge_engine_machine, LODGE, ENGINE_MACHINE, LodgeMachine)

LodgeEngineMachine *lodge_engine_machine_new (LodgeBundle *bundle);

/** lodge_engine_machine_set_has_window: Sets the property "has-window", which the UI alone knows. */
void lodge_engine_machine_set_has_window (LodgeEngineMachine *self, gboolean has_window);

/**
 * lodge_engine_machine_update_thumbnail_async:
 * Brings the property "thumbnail" up to date.
 */
void lodge_engine_machine_update_thumbnail_async (LodgeEngineMachine *self, GCancellable *cancellable, GAsyncReadyCallback callback,
                                                  gpointer user_data);
/** lodge_engine_machine_update_thumbnail_finish: Returns: the number of the picture: another one for another picture; 0: none. */
guint64 lodge_engine_machine_update_thumbnail_finish (LodgeEngineMachine *self, GAsyncResult *result, GError **error);

G_END_DECLS
