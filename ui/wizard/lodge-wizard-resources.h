/* SPDX-License-Identifier: GPL-3.0-or-later */
/* New Machine, page 3: memory, processors, disk. */
#pragma once

#include <adwaita.h>

#include "model/machine-spec.h"

G_BEGIN_DECLS

#define LODGE_TYPE_WIZARD_RESOURCES (lodge_wizard_resources_get_type ())
G_DECLARE_FINAL_TYPE (LodgeWizardResources, lodge_wizard_resources, LODGE, WIZARD_RESOURCES, AdwNavigationPage)

void lodge_wizard_resources_set_spec (LodgeWizardResources *self, LodgeMachineSpec *spec);

G_END_DECLS
