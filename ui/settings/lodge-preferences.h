/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What holds for all machines. Every change applies at once. */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

#define LODGE_TYPE_PREFERENCES (lodge_preferences_get_type ())
G_DECLARE_FINAL_TYPE (LodgePreferences, lodge_preferences, LODGE, PREFERENCES, AdwPreferencesDialog)

/** lodge_preferences_new: @directory: (nullable): where the machines are kept; NULL hides the row */
AdwDialog *lodge_preferences_new (const char *directory);

G_END_DECLS
