/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a machine starts from: a list to put in order by dragging, by Alt+Up and Alt+Down, or by each row's menu. */
#pragma once

#include <adwaita.h>

#include "model/hardware.h"

G_BEGIN_DECLS

#define LODGE_TYPE_BOOT_ORDER (lodge_boot_order_get_type ())
G_DECLARE_FINAL_TYPE (LodgeBootOrder, lodge_boot_order, LODGE, BOOT_ORDER, AdwPreferencesGroup)

/** lodge_boot_order_set_hardware: @hardware: (nullable). It hides itself where there is nothing to start from. */
void lodge_boot_order_set_hardware (LodgeBootOrder *self, LodgeHardware *hardware);

G_END_DECLS
