/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A machine's own process: the engine's machine in this process, reached by others through a socket. */
#pragma once

#include "model/machine.h"

G_BEGIN_DECLS

/**
 * LodgeMachineService:
 * Holds the lock of the bundle and the socket as long as it lives. Main thread only.
 *
 * Properties: "has-window" boolean, writable: the UI says whether a window is open; told to the manager.
 * Signals:
 *   "show-window" (LodgeMachineService *): somebody asked for the window: open or raise it.
 *   "quit" (LodgeMachineService *): the machine went off and no window is open, or somebody asked: end the process.
 */
#define LODGE_TYPE_MACHINE_SERVICE (lodge_machine_service_get_type ())
G_DECLARE_FINAL_TYPE (LodgeMachineService, lodge_machine_service, LODGE, MACHINE_SERVICE, GObject)

/**
 * lodge_machine_service_new:
 * Opens and locks the bundle and listens. Small files only; to be called once, before the main loop runs.
 * Errors: LODGE_ERROR_BUSY the machine runs already; LODGE_ERROR_CONFIG; LODGE_ERROR_NOT_FOUND; LODGE_ERROR_FAILED.
 */
LodgeMachineService *lodge_machine_service_new (const char *bundle_path, GError **error);

/**
 * lodge_machine_service_start:
 * Starts the machine and tells whoever started this process how that went. Call when the window is there, or without one.
 * When it fails, the service emits "quit" if somebody was told, or if there is no window to show the machine's message in.
 */
void lodge_machine_service_start (LodgeMachineService *self);

/** lodge_machine_service_get_machine: Returns: (transfer none): the machine; its "console" is set while it runs. */
LodgeMachine *lodge_machine_service_get_machine (LodgeMachineService *self);

/** lodge_machine_service_set_has_window: As the property. FALSE while the machine is off emits "quit". */
void lodge_machine_service_set_has_window (LodgeMachineService *self, gboolean has_window);

/** lodge_machine_service_get_exit_status: Returns: what the process should end with. */
int lodge_machine_service_get_exit_status (LodgeMachineService *self);

/**
 * lodge_machine_service_tell_starter:
 * @error: (nullable): NULL if it worked
 * Answers whoever started this process and waits. Only the first call counts; without a starter nothing happens. lodge_machine_service_start() calls it; others call
 * it when the process ends before.
 */
void lodge_machine_service_tell_starter (const GError *error);

/**
 * lodge_machine_service_run_headless:
 * Starts the machine and runs a main loop until "quit" or "show-window".
 * Returns: the exit status, or -1: a window is wanted; open it over this service, the machine goes on running.
 */
int lodge_machine_service_run_headless (LodgeMachineService *self);

/** lodge_machine_service_run_on: As lodge_machine_service_run_headless() for a machine that was started before. */
int lodge_machine_service_run_on (LodgeMachineService *self);

G_END_DECLS
