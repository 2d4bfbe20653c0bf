/* SPDX-License-Identifier: GPL-3.0-or-later */
/* For subclasses of LodgeMachine: its properties are kept in the base class. Each call notifies if something changed. */
#pragma once

#include "model/machine.h"

G_BEGIN_DECLS

void _lodge_machine_set_name (LodgeMachine *self, const char *name);
void _lodge_machine_set_uuid (LodgeMachine *self, const char *uuid);
void _lodge_machine_set_path (LodgeMachine *self, const char *path);
void _lodge_machine_set_os_id (LodgeMachine *self, const char *os_id);
void _lodge_machine_set_state (LodgeMachine *self, LodgeMachineState state, LodgeReason reason, const char *message);
void _lodge_machine_set_capabilities (LodgeMachine *self, LodgeCapabilities capabilities);
void _lodge_machine_set_memory_mib (LodgeMachine *self, guint memory_mib);
void _lodge_machine_set_cpus (LodgeMachine *self, guint cpus);
void _lodge_machine_set_medium (LodgeMachine *self, const char *medium);
void _lodge_machine_set_started_at (LodgeMachine *self, gint64 started_at);
void _lodge_machine_set_has_window (LodgeMachine *self, gboolean has_window);
void _lodge_machine_set_thumbnail (LodgeMachine *self, LodgePicture *thumbnail);
/* The only one; NULL: there is none any more. */
void _lodge_machine_set_console (LodgeMachine *self, LodgeConsole *console);
/* A further one, after the first. */
void _lodge_machine_add_console (LodgeMachine *self, LodgeConsole *console);
void _lodge_machine_set_settings (LodgeMachine *self, const char *text);
void _lodge_machine_set_running_settings (LodgeMachine *self, const char *text);
void _lodge_machine_emit_was_reset (LodgeMachine *self);

/** _lodge_machine_get_watched: Returns: %TRUE while somebody watches the thumbnail. */
gboolean _lodge_machine_get_watched (LodgeMachine *self);

/** _lodge_machine_return_verb_error: Ends @task with the error that says why @verb makes no sense in the present state. */
void _lodge_machine_return_verb_error (LodgeMachine *self, LodgeVerb verb, GTask *task);

/** _lodge_machine_return_off: Ends @task with LODGE_ERROR_NOT_RUNNING. */
void _lodge_machine_return_off (LodgeMachine *self, GTask *task);

G_END_DECLS
