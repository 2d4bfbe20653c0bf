/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What one can do with a machine, as actions for menus, buttons and shortcuts: one set for the list and the machine's window. */
#pragma once

#include <gtk/gtk.h>

#include "model/machine.h"

G_BEGIN_DECLS

/**
 * LodgeMachineActions:
 * A GActionGroup; to be inserted as "machine". Its actions are enabled while they make sense:
 *   start, pause, resume, shut-down, restart, force-off, show-window, main (start, resume or show-window, whatever comes next),
 *   insert-disc, eject-disc, screenshot, copy-screenshot, copy-text, type-clipboard, send-keys (au: input event codes),
 *   open-folder.
 * What cannot be undone asks first. Errors and results are told by toasts in the owner's window.
 */
#define LODGE_TYPE_MACHINE_ACTIONS (lodge_machine_actions_get_type ())
G_DECLARE_FINAL_TYPE (LodgeMachineActions, lodge_machine_actions, LODGE, MACHINE_ACTIONS, GSimpleActionGroup)

/** lodge_machine_actions_new: @owner: (not owned): where toasts and dialogs appear */
LodgeMachineActions *lodge_machine_actions_new (GtkWidget *owner);

/** lodge_machine_actions_set_machine: @machine: (nullable): NULL disables everything */
void lodge_machine_actions_set_machine (LodgeMachineActions *self, LodgeMachine *machine);

/** lodge_machine_actions_set_head: Which screen is photographed, from 0. */
void lodge_machine_actions_set_head (LodgeMachineActions *self, guint head);

/** lodge_machine_actions_act: Carries out @verb and tells an error; asks nothing. */
void lodge_machine_actions_act (LodgeMachineActions *self, LodgeVerb verb);

/** lodge_machine_actions_insert: Puts the image @path into the machine's CD drive and tells how that went. */
void lodge_machine_actions_insert (LodgeMachineActions *self, const char *path);

/** lodge_machine_actions_build_keys_menu: Returns: (transfer full): key combinations that a desktop keeps for itself. */
GMenuModel *lodge_machine_actions_build_keys_menu (void);

G_END_DECLS
