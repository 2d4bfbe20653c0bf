/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The windows' two programs: the manager, and the process of one machine. */
#pragma once

#include <glib.h>

#include "engine/machine-service.h"

G_BEGIN_DECLS

/**
 * lodge_ui_run:
 * The manager: shows its window, or raises the one of the manager that runs already. Files in @argv open the wizard.
 * Thread: main. Returns: the exit status.
 */
int lodge_ui_run (int argc, char **argv);

/**
 * lodge_ui_run_machine:
 * The process of the machine in @bundle: its service, the machine started, its window shown. Lives until the machine is off and
 * its window closed.
 * Thread: main. Returns: the exit status.
 */
int lodge_ui_run_machine (const char *bundle);

/**
 * lodge_ui_run_machine_service:
 * As lodge_ui_run_machine(), over a service whose machine runs already, without a window so far.
 * Thread: main. Returns: the exit status.
 */
int lodge_ui_run_machine_service (LodgeMachineService *service);

/**
 * lodge_ui_init:
 * Registers resources, icons and style for this process, after GTK found a display. Called by the functions above; for tests.
 */
void lodge_ui_init (void);

/**
 * LodgeUiEntry:
 * What the program takes from the windows' module when it has loaded it: the functions above, under the name lodge_ui_entry.
 */
typedef struct {
  int (*run) (int argc, char **argv);
  int (*run_machine) (const char *bundle);
  int (*run_machine_service) (LodgeMachineService *service);
} LodgeUiEntry;

extern const LodgeUiEntry lodge_ui_entry;

G_END_DECLS
