/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a monitor says of itself. */
#pragma once

#include <glib.h>

/* EDID 1.4 for a monitor whose preferred mode is @width × @height (at most 4095 each) at 60 Hz, or at what 655 MHz allow. @serial: tells
 * monitors apart, 0: none. */
void vmm_edid_make (int width, int height, guint32 serial, guint8 ret_edid[128]);
