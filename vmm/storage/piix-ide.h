/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "storage/sata.h"

/**
 * vmm_piix_ide_attach:
 * @place: channel * 2 + unit, or -1: the first that is free
 * Plugs a drive in; the first one brings the controller with it. Control thread, before the machine runs.
 * Errors: VMM_ERROR_INVALID_CONFIG: the place is taken, or all are.
 */
gboolean vmm_piix_ide_attach (VmmSataDrive *drive, gint64 place, GError **error);
/* For the firmware's boot order (contract 4.4). Returns: (transfer full) */
char *vmm_piix_ide_dup_boot_path (VmmSataDrive *drive);
