/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SMART of a disk that knows nothing bad of itself. */
#pragma once

#include "storage/sata.h"

#define VMM_ATA_SMART_SIGNATURE 0xc24f00 /* LBA high and mid */

typedef enum {
  VMM_ATA_SMART_DONE, /* no data */
  VMM_ATA_SMART_GOOD, /* RETURN STATUS: answer with the signature */
  VMM_ATA_SMART_DATA, /* a page to send */
  VMM_ATA_SMART_REFUSED,
} VmmAtaSmartResult;

/**
 * vmm_ata_smart_command:
 * @enabled: the state of the feature set, changed by ENABLE and DISABLE OPERATIONS
 * @hours: powered on
 * @page: (out): 512 bytes, filled for VMM_ATA_SMART_DATA
 * Spec: ACS-3 §7.47; the attributes' layout is the industry's (SFF-8035i §6).
 */
VmmAtaSmartResult vmm_ata_smart_command (const VmmAtaRegisters *in, guint8 *enabled, guint64 hours, guint8 page[VMM_ATA_SECTOR]);
