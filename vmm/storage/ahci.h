/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "storage/sata.h"

/**
 * vmm_ahci_attach:
 * @controller: a device of class "ahci"
 * @port: or -1: the first that is free
 * Plugs a drive in, as at power on. Control thread, before the machine runs.
 * Errors: VMM_ERROR_INVALID_CONFIG: the port is taken, or all are.
 */
gboolean vmm_ahci_attach (VmmDevice *controller, VmmSataDrive *drive, gint64 port, GError **error);
/* Aborts the drive's tasks and waits for them. Control thread, vCPUs gone. */
void vmm_ahci_detach (VmmSataDrive *drive);
