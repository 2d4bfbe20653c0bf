/* SPDX-License-Identifier: GPL-3.0-or-later */
/* New Machine, page 2: which operating system; recognised where the medium says so, changeable always. */
#pragma once

#include <adwaita.h>

#include "model/machine-spec.h"

G_BEGIN_DECLS

#define LODGE_TYPE_WIZARD_SYSTEM (lodge_wizard_system_get_type ())
G_DECLARE_FINAL_TYPE (LodgeWizardSystem, lodge_wizard_system, LODGE, WIZARD_SYSTEM, AdwNavigationPage)

void lodge_wizard_system_set_spec (LodgeWizardSystem *self, LodgeMachineSpec *spec);

G_END_DECLS
