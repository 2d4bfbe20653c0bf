/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The overview of one machine: its picture, what one can do now, what it is made of. */
#pragma once

#include <adwaita.h>

#include "model/machine.h"

G_BEGIN_DECLS

#define LODGE_TYPE_MACHINE_PAGE (lodge_machine_page_get_type ())
/* Uses the actions of the group "machine" of the widgets around it. */
G_DECLARE_FINAL_TYPE (LodgeMachinePage, lodge_machine_page, LODGE, MACHINE_PAGE, AdwBin)

void lodge_machine_page_set_machine (LodgeMachinePage *self, LodgeMachine *machine);

G_END_DECLS
