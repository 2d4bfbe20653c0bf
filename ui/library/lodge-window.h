/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The manager's window: the list of machines and the chosen one. */
#pragma once

#include <adwaita.h>

#include "model/library.h"

G_BEGIN_DECLS

#define LODGE_TYPE_WINDOW (lodge_window_get_type ())
G_DECLARE_FINAL_TYPE (LodgeWindow, lodge_window, LODGE, WINDOW, AdwApplicationWindow)

LodgeWindow *lodge_window_new (AdwApplication *application, LodgeLibrary *library);

/** lodge_window_open_wizard: @path: (nullable): a file to start from */
void lodge_window_open_wizard (LodgeWindow *self, const char *path);

/** lodge_window_select: Chooses @machine in the list, and shows its page. */
void lodge_window_select (LodgeWindow *self, LodgeMachine *machine);

G_END_DECLS
