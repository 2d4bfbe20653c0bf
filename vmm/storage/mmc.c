/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "storage/mmc.h"

#include <string.h>

#define MMC_VENDOR "LODGE   "
#define MMC_PRODUCT "DVD-ROM         "
#define MMC_REVISION "1.0 "
#define MMC_CD_BLOCKS (80 * 60 * 75) /* 80 minutes */
#define MMC_LEADIN 150               /* frames before block 0 */
#define MMC_LEADOUT 0xaa
#define MMC_DATA_TRACK 0x14 /* ADR 1, digital copy prohibited, data */
#define MMC_CD_SPEED 8467   /* kB/s: 48 times */

gboolean
vmm_mmc_is_dvd (guint32 blocks)
{
  return blocks > MMC_CD_BLOCKS;
}

static void
mmc_put_text (guint8 *to, const char *text, gsize len)
{
  memset (to, ' ', len);
  memcpy (to, text, MIN (strlen (text), len));
}

gsize
vmm_mmc_inquiry (const guint8 *cdb, const char *serial, guint8 *reply)
{
  gsize serial_len = strlen (serial);

  if ((cdb[1] & 1) == 0)
    {
      if (cdb[2] != 0)
        return 0;
      reply[0] = 0x05; /* CD/DVD device */
      reply[1] = 0x80; /* removable */
      reply[2] = 0x05; /* SPC-3 */
      reply[3] = 0x02;
      reply[4] = 31;
      mmc_put_text (reply + 8, MMC_VENDOR, 8);
      mmc_put_text (reply + 16, MMC_PRODUCT, 16);
      mmc_put_text (reply + 32, MMC_REVISION, 4);
      return 36;
    }
  reply[0] = 0x05;
  reply[1] = cdb[2];
  switch (cdb[2]) /* vital product data, SPC-4 §7.8 */
    {
    case 0x00:
      reply[3] = 3;
      reply[5] = 0x80;
      reply[6] = 0x83;
      return 7;
    case 0x80:
      reply[3] = (guint8) serial_len;
      memcpy (reply + 4, serial, serial_len);
      return 4 + serial_len;
    case 0x83: /* one designator: T10 vendor, ASCII */
      reply[3] = (guint8) (12 + serial_len);
      reply[4] = 0x02;
      reply[5] = 0x01;
      reply[7] = (guint8) (8 + serial_len);
      memcpy (reply + 8, MMC_VENDOR, 8);
      memcpy (reply + 16, serial, serial_len);
      return 16 + serial_len;
    default:
      return 0;
    }
}

/* === Mode pages === */

static gsize
mmc_page_error_recovery (const VmmMmcState *state, guint8 *page)
{
  page[3] = 5; /* retries */
  return 12;
}

static gsize
mmc_page_power (const VmmMmcState *state, guint8 *page)
{
  return 12;
}

static gsize
mmc_page_timeout (const VmmMmcState *state, guint8 *page)
{
  return 12;
}

/* MMC-3 §6.3.11 */
static gsize
mmc_page_capabilities (const VmmMmcState *state, guint8 *page)
{
  page[2] = 0x0b;                              /* reads CD-R, CD-RW, DVD-ROM */
  page[4] = 0x70;                              /* mode 2 forms 1 and 2, several sessions */
  page[6] = 0x29 | (state->locked ? 0x02 : 0); /* tray, ejects, locks */
  vmm_mmc_put16 (page + 8, MMC_CD_SPEED);
  vmm_mmc_put16 (page + 12, 512); /* buffer, KiB */
  vmm_mmc_put16 (page + 14, MMC_CD_SPEED);
  return 22;
}

static const struct {
  guint8 code;
  gsize (*fill) (const VmmMmcState *state, guint8 *page);
} mmc_pages[] = {
  { 0x01, mmc_page_error_recovery },
  { 0x1a, mmc_page_power },
  { 0x1d, mmc_page_timeout },
  { 0x2a, mmc_page_capabilities },
};

/* MMC-3 table 330 of medium types. */
static guint8
mmc_medium_type (const VmmMmcState *state)
{
  if (state->tray_open)
    return 0x71;
  return state->blocks == 0 ? 0x70 : 0x01;
}

gsize
vmm_mmc_mode_sense (const VmmMmcState *state, const guint8 *cdb, guint8 *reply)
{
  guint code = cdb[2] & 0x3f, control = cdb[2] >> 6;
  gsize len = 8;

  for (guint i = 0; i < G_N_ELEMENTS (mmc_pages); i++)
    if (code == 0x3f || code == mmc_pages[i].code)
      {
        guint8 *page = reply + len;
        gsize size = mmc_pages[i].fill (state, page);

        if (control == 1) /* what can be changed: nothing */
          memset (page, 0, size);
        page[0] = mmc_pages[i].code;
        page[1] = (guint8) (size - 2);
        len += size;
      }
  if (len == 8)
    return 0;
  vmm_mmc_put16 (reply, (guint) len - 2);
  reply[2] = mmc_medium_type (state);
  return len;
}

/* === Table of contents === */

static void
mmc_put_msf (guint8 *to, guint32 block)
{
  guint32 frame = block + MMC_LEADIN;

  to[0] = (guint8) MIN (frame / 75 / 60, 255);
  to[1] = (guint8) (frame / 75 % 60);
  to[2] = (guint8) (frame % 75);
}

static void
mmc_put_address (guint8 *to, guint32 block, gboolean msf)
{
  if (msf)
    mmc_put_msf (to + 1, block);
  else
    vmm_mmc_put32 (to, block);
}

static gsize
mmc_put_track (guint8 *to, guint8 track, guint32 block, gboolean msf)
{
  to[1] = MMC_DATA_TRACK;
  to[2] = track;
  mmc_put_address (to + 4, block, msf);
  return 8;
}

/* Format 2: the lead-in's entries (§6.25.3.4). */
static gsize
mmc_put_raw_entry (guint8 *to, guint8 point, guint8 a, guint8 b, guint8 c)
{
  to[0] = 1;
  to[1] = MMC_DATA_TRACK;
  to[3] = point;
  to[8] = a;
  to[9] = b;
  to[10] = c;
  return 11;
}

gsize
vmm_mmc_read_toc (const VmmMmcState *state, const guint8 *cdb, guint8 *reply)
{
  gboolean msf = (cdb[1] & 2) != 0;
  guint format = cdb[2] & 0x0f, first = cdb[6];
  guint8 end[3];
  gsize len = 4;

  if (format == 0)
    format = cdb[9] >> 6; /* where SFF-8020 had it */
  reply[2] = reply[3] = 1;
  switch (format)
    {
    case 0:
      if (first > 1 && first != MMC_LEADOUT)
        return 0;
      if (first <= 1)
        len += mmc_put_track (reply + len, 1, 0, msf);
      len += mmc_put_track (reply + len, MMC_LEADOUT, state->blocks, msf);
      break;
    case 1:
      len += mmc_put_track (reply + len, 1, 0, msf);
      break;
    case 2:
      mmc_put_msf (end, state->blocks);
      len += mmc_put_raw_entry (reply + len, 0xa0, 1, 0, 0);
      len += mmc_put_raw_entry (reply + len, 0xa1, 1, 0, 0);
      len += mmc_put_raw_entry (reply + len, 0xa2, end[0], end[1], end[2]);
      len += mmc_put_raw_entry (reply + len, 1, 0, 2, 0);
      break;
    default:
      return 0;
    }
  vmm_mmc_put16 (reply, (guint) len - 2);
  return len;
}

/* === Features, §5 === */

#define MMC_PROFILE_CD_ROM 0x0008
#define MMC_PROFILE_DVD_ROM 0x0010
#define MMC_FEATURE_PERSISTENT 0x02
#define MMC_FEATURE_CURRENT 0x01

static gsize
mmc_feature_profiles (const VmmMmcState *state, guint8 *data)
{
  gboolean dvd = vmm_mmc_is_dvd (state->blocks);

  vmm_mmc_put16 (data, MMC_PROFILE_DVD_ROM);
  data[2] = dvd;
  vmm_mmc_put16 (data + 4, MMC_PROFILE_CD_ROM);
  data[6] = state->blocks != 0 && !dvd;
  return 8;
}

static gsize
mmc_feature_core (const VmmMmcState *state, guint8 *data)
{
  vmm_mmc_put32 (data, 8); /* Serial ATA */
  data[4] = 0x01;          /* device busy events */
  return 8;
}

static gsize
mmc_feature_morphing (const VmmMmcState *state, guint8 *data)
{
  data[0] = 0x02; /* tells of operational changes in the event status; not asynchronous */
  return 4;
}

static gsize
mmc_feature_removable (const VmmMmcState *state, guint8 *data)
{
  data[0] = 0x29; /* tray, ejects, locks */
  return 4;
}

static gsize
mmc_feature_random_readable (const VmmMmcState *state, guint8 *data)
{
  vmm_mmc_put32 (data, VMM_MMC_SECTOR);
  vmm_mmc_put16 (data + 4, vmm_mmc_is_dvd (state->blocks) ? 16 : 1); /* blocking */
  data[6] = 0x01;                                                    /* has the error recovery page */
  return 8;
}

static gsize
mmc_feature_empty (const VmmMmcState *state, guint8 *data)
{
  return 0;
}

static gsize
mmc_feature_cd_read (const VmmMmcState *state, guint8 *data)
{
  return 4;
}

static gboolean
mmc_when_always (const VmmMmcState *state)
{
  return TRUE;
}

static gboolean
mmc_when_disc (const VmmMmcState *state)
{
  return state->blocks != 0;
}

static gboolean
mmc_when_cd (const VmmMmcState *state)
{
  return state->blocks != 0 && !vmm_mmc_is_dvd (state->blocks);
}

static gboolean
mmc_when_dvd (const VmmMmcState *state)
{
  return vmm_mmc_is_dvd (state->blocks);
}

static const struct {
  guint16 code;
  guint8 flags; /* version in bits 5:2 */
  gboolean (*is_current) (const VmmMmcState *state);
  gsize (*fill) (const VmmMmcState *state, guint8 *data);
} mmc_features[] = {
  { 0x0000, MMC_FEATURE_PERSISTENT, mmc_when_always, mmc_feature_profiles },
  { 0x0001, MMC_FEATURE_PERSISTENT | 2 << 2, mmc_when_always, mmc_feature_core },
  { 0x0002, MMC_FEATURE_PERSISTENT | 1 << 2, mmc_when_always, mmc_feature_morphing },
  { 0x0003, MMC_FEATURE_PERSISTENT, mmc_when_always, mmc_feature_removable },
  { 0x0010, 0, mmc_when_disc, mmc_feature_random_readable },
  { 0x001d, 0, mmc_when_disc, mmc_feature_empty }, /* multi-read */
  { 0x001e, 2 << 2, mmc_when_cd, mmc_feature_cd_read },
  { 0x001f, 0, mmc_when_dvd, mmc_feature_empty },                         /* DVD read */
  { 0x0100, MMC_FEATURE_PERSISTENT, mmc_when_always, mmc_feature_empty }, /* power management */
  { 0x0105, MMC_FEATURE_PERSISTENT, mmc_when_always, mmc_feature_empty }, /* timeout */
};

gsize
vmm_mmc_get_configuration (const VmmMmcState *state, const guint8 *cdb, guint8 *reply)
{
  guint which = cdb[1] & 3, first = vmm_mmc_get16 (cdb + 2);
  gsize len = 8;

  if (which == 3)
    return 0;
  for (guint i = 0; i < G_N_ELEMENTS (mmc_features); i++)
    {
      gboolean current = mmc_features[i].is_current (state);
      guint8 *feature = reply + len;
      gsize size;

      if (which == 2 ? mmc_features[i].code != first : mmc_features[i].code < first || (which == 1 && !current))
        continue;
      size = mmc_features[i].fill (state, feature + 4);
      vmm_mmc_put16 (feature, mmc_features[i].code);
      feature[2] = mmc_features[i].flags | (current ? MMC_FEATURE_CURRENT : 0);
      feature[3] = (guint8) size;
      len += 4 + size;
    }
  vmm_mmc_put32 (reply, (guint32) len - 4);
  if (state->blocks != 0)
    vmm_mmc_put16 (reply + 6, vmm_mmc_is_dvd (state->blocks) ? MMC_PROFILE_DVD_ROM : MMC_PROFILE_CD_ROM);
  return len;
}

/* === The disc === */

gsize
vmm_mmc_disc_information (const VmmMmcState *state, const guint8 *cdb, guint8 *reply)
{
  if ((cdb[1] & 7) != 0)
    return 0;
  vmm_mmc_put16 (reply, 32);
  reply[2] = 0x0e;                               /* disc and last session complete */
  reply[3] = reply[4] = reply[5] = reply[6] = 1; /* first track, sessions, tracks of the last session */
  reply[7] = 0x20;                               /* unrestricted use */
  return 34;
}

gsize
vmm_mmc_track_information (const VmmMmcState *state, const guint8 *cdb, guint8 *reply)
{
  guint32 address = vmm_mmc_get32 (cdb + 2);

  switch (cdb[1] & 3)
    {
    case 0:
      if (address >= state->blocks)
        return 0;
      break;
    case 1:
    case 2:
      if (address != 1)
        return 0;
      break;
    default:
      return 0;
    }
  vmm_mmc_put16 (reply, 34);
  reply[2] = reply[3] = 1; /* track, session */
  reply[5] = 0x04;         /* data */
  reply[6] = 0x01;         /* mode 1 */
  vmm_mmc_put32 (reply + 24, state->blocks);
  return 36;
}

/* DVD only. */
gsize
vmm_mmc_disc_structure (const VmmMmcState *state, const guint8 *cdb, guint8 *reply)
{
  gsize len = 4;

  if ((cdb[1] & 0x0f) != 0 || cdb[6] != 0) /* DVD, layer 0 */
    return 0;
  switch (cdb[7])
    {
    case 0x00: /* physical format: DVD-ROM 1.0, 120 mm, one layer, data from 30000 on (§6.22.3.2.1) */
      reply[4] = 0x01;
      reply[5] = 0x0f; /* no maximum rate */
      reply[6] = 0x01;
      vmm_mmc_put32 (reply + 8, 0x030000);
      vmm_mmc_put32 (reply + 12, 0x030000 + state->blocks - 1);
      len += 2048;
      break;
    case 0x01: /* copyright: none, all regions */
      len += 4;
      break;
    case 0x04: /* the manufacturer says nothing */
      len += 2048;
      break;
    case 0xff: /* which there are: readable, length with header */
      for (guint i = 0; i < 3; i++)
        {
          static const guint8 formats[] = { 0x00, 0x01, 0x04 };

          reply[len] = formats[i];
          reply[len + 1] = 0x40;
          vmm_mmc_put16 (reply + len + 2, formats[i] == 0x01 ? 8 : 2052);
          len += 4;
        }
      break;
    default:
      return 0;
    }
  vmm_mmc_put16 (reply, (guint) len - 2);
  return len;
}

gsize
vmm_mmc_sub_channel (const VmmMmcState *state, const guint8 *cdb, guint8 *reply)
{
  gsize len = 4;

  reply[1] = 0x15; /* there is no audio */
  if ((cdb[2] & 0x40) != 0)
    switch (cdb[3])
      {
      case 1: /* position */
        reply[4] = 1;
        reply[5] = MMC_DATA_TRACK;
        reply[6] = reply[7] = 1;
        len += 12;
        break;
      case 2: /* catalogue number, ISRC: none */
      case 3:
        reply[4] = cdb[3];
        len += 20;
        break;
      default:
        return 0;
      }
  vmm_mmc_put16 (reply + 2, (guint) len - 4);
  return len;
}

/* === The drive === */

gsize
vmm_mmc_event_status (const VmmMmcState *state, VmmMmcEvent event, const guint8 *cdb, guint8 *reply)
{
  const guint8 media_class = 1 << 4;

  if ((cdb[1] & 1) == 0)
    return 0; /* asynchronous: not here */
  reply[3] = media_class;
  if ((cdb[4] & media_class) == 0)
    {
      vmm_mmc_put16 (reply, 2);
      reply[2] = 0x80; /* none of these */
      return 4;
    }
  vmm_mmc_put16 (reply, 6);
  reply[2] = 4;
  reply[4] = event;
  reply[5] = (state->tray_open ? 0x01 : 0) | (state->blocks != 0 ? 0x02 : 0);
  return 8;
}

gsize
vmm_mmc_mechanism_status (const VmmMmcState *state, guint8 *reply)
{
  reply[1] = state->tray_open ? 0x10 : 0;
  return 8;
}
