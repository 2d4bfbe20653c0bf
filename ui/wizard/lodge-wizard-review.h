/* SPDX-License-Identifier: GPL-3.0-or-later */
/* New Machine, page 4: the name, and what is about to be made. */
#pragma once

#include <adwaita.h>

#include "model/machine-spec.h"

G_BEGIN_DECLS

#define LODGE_TYPE_WIZARD_REVIEW (lodge_wizard_review_get_type ())
G_DECLARE_FINAL_TYPE (LodgeWizardReview, lodge_wizard_review, LODGE, WIZARD_REVIEW, AdwNavigationPage)

void lodge_wizard_review_set_spec (LodgeWizardReview *self, LodgeMachineSpec *spec);

/** lodge_wizard_review_show_error: @error: (nullable): why the machine could not be made */
void lodge_wizard_review_show_error (LodgeWizardReview *self, const GError *error);

/** lodge_wizard_review_get_start: Returns: whether the machine is to be started once it is made. */
gboolean lodge_wizard_review_get_start (LodgeWizardReview *self);

G_END_DECLS
