/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a SCSI disk answers about itself, as bytes on the wire. Pure functions; who moves the data is usb/usb-storage.c.
 * Spec: SPC-4, SBC-3; section numbers with their names. */
#pragma once

#include "core/types.h"

#define VMM_SCSI_BLOCK 512
#define VMM_SCSI_MAX_REPLY 256
#define VMM_SCSI_MAX_UNMAP 16 /* ranges a command */

/* Sense keys (SPC-4 §4.5.6) and additional codes, ASC << 8 | ASCQ */
#define VMM_SCSI_MEDIUM_ERROR 0x3
#define VMM_SCSI_ILLEGAL_REQUEST 0x5
#define VMM_SCSI_DATA_PROTECT 0x7
#define VMM_SCSI_WRITE_ERROR 0x0c00
#define VMM_SCSI_READ_ERROR 0x1100
#define VMM_SCSI_PARAMETER_LENGTH 0x1a00
#define VMM_SCSI_INVALID_OPCODE 0x2000
#define VMM_SCSI_OUT_OF_RANGE 0x2100
#define VMM_SCSI_INVALID_FIELD 0x2400
#define VMM_SCSI_WRITE_PROTECTED 0x2700
#define VMM_SCSI_NOT_SAVED 0x3900

typedef struct {
  guint64 blocks; /* of 512 bytes, at least 1 */
  const char *product, *serial;
  gboolean removable, read_only, discard;
} VmmScsiDisk;

/* All: @reply has room for VMM_SCSI_MAX_REPLY bytes and is zeroed. Returns: bytes, or 0: a field of the @cdb is invalid. */
gsize vmm_scsi_inquiry (const VmmScsiDisk *disk, const guint8 *cdb, guint8 *reply);     /* SPC-4 §6.6, §7.8; SBC-3 §6.6 */
gsize vmm_scsi_mode_sense (const VmmScsiDisk *disk, const guint8 *cdb, guint8 *reply);  /* SPC-4 §6.13, §6.14; SBC-3 §6.5 */
gsize vmm_scsi_capacity_10 (const VmmScsiDisk *disk, guint8 *reply);                    /* SBC-3 §5.15 */
gsize vmm_scsi_capacity_16 (const VmmScsiDisk *disk, const guint8 *cdb, guint8 *reply); /* SBC-3 §5.16 */
gsize vmm_scsi_sense (guint key, guint code, guint8 *reply);                            /* fixed format, SPC-4 §4.5.3 */

/* Where a READ, WRITE or VERIFY of any length goes. Returns: FALSE if the @cdb is none of them. */
gboolean vmm_scsi_parse_range (const guint8 *cdb, guint64 *ret_lba, guint32 *ret_blocks);

static inline guint32
vmm_scsi_get32 (const guint8 *bytes)
{
  return (guint32) bytes[0] << 24 | (guint32) bytes[1] << 16 | (guint32) bytes[2] << 8 | bytes[3];
}

static inline guint64
vmm_scsi_get64 (const guint8 *bytes)
{
  return (guint64) vmm_scsi_get32 (bytes) << 32 | vmm_scsi_get32 (bytes + 4);
}

static inline void
vmm_scsi_put32 (guint8 *bytes, guint32 value)
{
  for (guint i = 0; i < 4; i++)
    bytes[i] = (guint8) (value >> (24 - 8 * i));
}

static inline void
vmm_scsi_put64 (guint8 *bytes, guint64 value)
{
  vmm_scsi_put32 (bytes, (guint32) (value >> 32));
  vmm_scsi_put32 (bytes + 4, (guint32) value);
}
