/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The list of shortcuts. */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

#define LODGE_TYPE_SHORTCUTS (lodge_shortcuts_get_type ())
G_DECLARE_FINAL_TYPE (LodgeShortcuts, lodge_shortcuts, LODGE, SHORTCUTS, AdwDialog)

AdwDialog *lodge_shortcuts_new (void);

G_END_DECLS
