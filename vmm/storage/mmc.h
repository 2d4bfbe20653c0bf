/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an optical drive answers about itself and its disc, as bytes on the wire. Pure functions; the drive is storage/atapi-cd.c.
 * Spec: MMC-5 (INCITS 430), SPC-4; section numbers of MMC-5 unless said. */
#pragma once

#include "core/types.h"

#define VMM_MMC_SECTOR 2048
#define VMM_MMC_MAX_REPLY 2056

/* The drive as it is now. */
typedef struct {
  guint32 blocks; /* of 2048 bytes; 0: no disc */
  gboolean tray_open, locked;
} VmmMmcState;

/* Media events (table 320); also the order in which they are told. */
typedef enum {
  VMM_MMC_EVENT_NONE = 0,
  VMM_MMC_EVENT_EJECT_REQUEST = 1,
  VMM_MMC_EVENT_NEW_MEDIA = 2,
  VMM_MMC_EVENT_REMOVAL = 3,
} VmmMmcEvent;

/* Too large for a CD of 80 minutes: shown as a DVD. */
gboolean vmm_mmc_is_dvd (guint32 blocks);

/* All: @reply has room for VMM_MMC_MAX_REPLY bytes and is zeroed. Returns: bytes, or 0: a field of the @cdb is invalid. */
gsize vmm_mmc_inquiry (const guint8 *cdb, const char *serial, guint8 *reply);                 /* SPC-4 §6.6 */
gsize vmm_mmc_mode_sense (const VmmMmcState *state, const guint8 *cdb, guint8 *reply);        /* SPC-4 §6.14, MMC-5 §7 */
gsize vmm_mmc_read_toc (const VmmMmcState *state, const guint8 *cdb, guint8 *reply);          /* §6.25 */
gsize vmm_mmc_get_configuration (const VmmMmcState *state, const guint8 *cdb, guint8 *reply); /* §6.5, §5 */
gsize vmm_mmc_disc_information (const VmmMmcState *state, const guint8 *cdb, guint8 *reply);  /* §6.21 */
gsize vmm_mmc_track_information (const VmmMmcState *state, const guint8 *cdb, guint8 *reply); /* §6.26 */
gsize vmm_mmc_disc_structure (const VmmMmcState *state, const guint8 *cdb, guint8 *reply);    /* §6.22 */
gsize vmm_mmc_sub_channel (const VmmMmcState *state, const guint8 *cdb, guint8 *reply);       /* MMC-3 §5.22 */
gsize vmm_mmc_event_status (const VmmMmcState *state, VmmMmcEvent event, const guint8 *cdb, guint8 *reply); /* §6.6 */
gsize vmm_mmc_mechanism_status (const VmmMmcState *state, guint8 *reply);                                   /* §6.10 */

static inline guint16
vmm_mmc_get16 (const guint8 *bytes)
{
  return (guint16) (bytes[0] << 8 | bytes[1]);
}

static inline guint32
vmm_mmc_get32 (const guint8 *bytes)
{
  return (guint32) vmm_mmc_get16 (bytes) << 16 | vmm_mmc_get16 (bytes + 2);
}

static inline void
vmm_mmc_put16 (guint8 *bytes, guint value)
{
  bytes[0] = (guint8) (value >> 8);
  bytes[1] = (guint8) value;
}

static inline void
vmm_mmc_put32 (guint8 *bytes, guint32 value)
{
  vmm_mmc_put16 (bytes, value >> 16);
  vmm_mmc_put16 (bytes + 2, value & 0xffff);
}
