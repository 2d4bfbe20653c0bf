/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A machine's window: its screen, and what one does with it while it runs. */
#pragma once

#include <adwaita.h>

#include "model/machine.h"

G_BEGIN_DECLS

/**
 * LodgeMachineWindow:
 * While the guest has the keyboard none of the window's shortcuts fires: they are handled after the display has had its turn.
 */
#define LODGE_TYPE_MACHINE_WINDOW (lodge_machine_window_get_type ())
G_DECLARE_FINAL_TYPE (LodgeMachineWindow, lodge_machine_window, LODGE, MACHINE_WINDOW, AdwApplicationWindow)

LodgeMachineWindow *lodge_machine_window_new (AdwApplication *application, LodgeMachine *machine);

G_END_DECLS
