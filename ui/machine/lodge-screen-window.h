/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A further window of a machine, for one of its screens: so two screens of a guest can lie on two of the host. */
#pragma once

#include <adwaita.h>

#include "model/machine.h"
#include "widgets/lodge-display.h"

G_BEGIN_DECLS

#define LODGE_TYPE_SCREEN_WINDOW (lodge_screen_window_get_type ())
G_DECLARE_FINAL_TYPE (LodgeScreenWindow, lodge_screen_window, LODGE, SCREEN_WINDOW, AdwApplicationWindow)

/** lodge_screen_window_new: @head: the screen's number, from 0. The window closes itself when the machine goes off. */
GtkWindow *lodge_screen_window_new (GtkApplication *application, LodgeMachine *machine, LodgeConsole *console, guint head);

LodgeDisplay *lodge_screen_window_get_display (LodgeScreenWindow *self);

G_END_DECLS
