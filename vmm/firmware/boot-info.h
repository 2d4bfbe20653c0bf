/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a kernel is told, put together where it will lie (ROM_INFO). */
#pragma once

#include "firmware/boot-plan.h"

/* Appends a string with its NUL. Returns: its guest physical address. */
guint32 vmm_boot_info_add_string (GByteArray *info, const char *first, const char *second);
/* Ends the information and adds it to the plan. Errors: _INVALID_CONFIG: too long. @info: (transfer full) */
gboolean vmm_boot_info_finish (GByteArray *info, VmmBootPlan *plan, GError **error);
