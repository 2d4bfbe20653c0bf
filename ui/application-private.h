/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

/**
 * _lodge_ui_add_actions:
 * @directory: (nullable): shown in the preferences
 * Adds what both programs offer: app.preferences, app.shortcuts, app.about.
 */
void _lodge_ui_add_actions (AdwApplication *application, const char *directory);

/**
 * _lodge_ui_find_display:
 * Returns: whether there is a display; otherwise why not is on stderr.
 */
gboolean _lodge_ui_find_display (void);

G_END_DECLS
