/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a machine is made of: its devices on the left, the chosen one's settings on the right. */
#pragma once

#include <adwaita.h>

#include "model/machine.h"

G_BEGIN_DECLS

#define LODGE_TYPE_HARDWARE_PAGE (lodge_hardware_page_get_type ())
G_DECLARE_FINAL_TYPE (LodgeHardwarePage, lodge_hardware_page, LODGE, HARDWARE_PAGE, AdwBin)

/** lodge_hardware_page_set_machine: @machine: (nullable): nothing is shown */
void lodge_hardware_page_set_machine (LodgeHardwarePage *self, LodgeMachine *machine);

G_END_DECLS
