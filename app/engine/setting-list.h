/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engine's setting tables as text. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/** lodge_setting_list_dup_text: Returns: (transfer full): all groups, device classes and keys with what each allows, for a help text. */
char *lodge_setting_list_dup_text (void);

/** lodge_setting_list_dup_devices: Returns: (transfer full): the same without the groups that are no devices. */
char *lodge_setting_list_dup_devices (void);

G_END_DECLS
