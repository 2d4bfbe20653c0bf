/* SPDX-License-Identifier: GPL-3.0-or-later */
/* New Machine, page 1: what the machine starts from. */
#pragma once

#include <adwaita.h>

#include "model/machine-spec.h"

G_BEGIN_DECLS

#define LODGE_TYPE_WIZARD_SOURCE (lodge_wizard_source_get_type ())
G_DECLARE_FINAL_TYPE (LodgeWizardSource, lodge_wizard_source, LODGE, WIZARD_SOURCE, AdwNavigationPage)

void lodge_wizard_source_set_spec (LodgeWizardSource *self, LodgeMachineSpec *spec);

G_END_DECLS
