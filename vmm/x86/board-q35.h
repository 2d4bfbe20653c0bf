/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The q35 board: which devices at which addresses. */
#pragma once

#include "core/types.h"

/* Makes the board's own devices, then those of machine.conf, then tables and boot items. Errors: a device's. */
gboolean vmm_board_q35_build (VmmMachine *machine, GError **error);
/* Presses the ACPI power button. Control thread. */
void vmm_board_q35_power_button (VmmMachine *machine);
