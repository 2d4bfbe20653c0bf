/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A machine without an engine: its screen is a pattern, and what its keyboard and pointer get is written down. */
#pragma once

#include "model/machine.h"

G_BEGIN_DECLS

#define FAKE_TYPE_MACHINE (fake_machine_get_type ())
G_DECLARE_FINAL_TYPE (FakeMachine, fake_machine, FAKE, MACHINE, LodgeMachine)

/** fake_machine_new: It is off. @log: (nullable): called with each line: "key 30 down", "motion 3 -4", "act pause" … */
FakeMachine *fake_machine_new (const char *name, void (*log) (const char *line, gpointer data), gpointer data);

void fake_machine_set_state (FakeMachine *self, LodgeMachineState state, LodgeReason reason, const char *message);

/** fake_machine_set_size: Another screen size, in pixels; told at the next pull. */
void fake_machine_set_size (FakeMachine *self, int width, int height);

/** fake_machine_draw: Fills a rectangle of the screen with @xrgb; told at the next pull. */
void fake_machine_draw (FakeMachine *self, int x, int y, int width, int height, guint32 xrgb);

/** fake_machine_set_absolute: Whether it has an absolute pointer. */
/* Whether the screen can be asked for a size; requests are logged: "wanted WIDTH HEIGHT". */
void fake_machine_set_resizable (FakeMachine *self, gboolean resizable);
/* The guest has a pointer of its own from now on: a square of 16 pixels. */
void fake_machine_show_cursor (FakeMachine *self);
/* A second screen, until the machine goes off. */
void fake_machine_add_screen (FakeMachine *self, int width, int height);
void fake_machine_set_absolute (FakeMachine *self, gboolean absolute);

/** fake_machine_get_pulls: Returns: how often the screen was asked for. */
guint fake_machine_get_pulls (FakeMachine *self);

G_END_DECLS
