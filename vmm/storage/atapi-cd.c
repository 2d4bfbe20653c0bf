/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A SATA CD/DVD-ROM drive over an ISO image.
 * Spec: MMC-5 (INCITS 430), SPC-4, ACS-3 (PACKET feature set). What the answers look like is in storage/mmc.c. Left out: audio, raw
 * sectors (READ CD gives user data), writing, regions and keys.
 *
 * Theory of operation: a PACKET command's CDB is looked up in acd_commands[]. Before it runs, what the guest must hear first is told: a
 * unit attention after a reset or a change of medium, "not ready" without a medium. All ends at once but reading.
 *
 * A change of medium while the machine runs shows the guest what a hand would do: the medium goes (event "removal", once "not ready,
 * medium not present" even if a new one is already in), the new one comes (event "new media", unit attention 28/00). Transfers from the
 * old medium end with an error. A locked tray opens only by force; asking without it makes the event "eject request", which desktop
 * guests answer by unlocking and ejecting themselves. What the guest ejects is gone: the image is closed and the machine told. */
#include "core/machine.h"
#include "storage/mmc.h"
#include "storage/sata.h"

#include <errno.h>
#include <string.h>

#define ACD_MODEL "LODGE DVD-ROM"
#define ACD_FIRMWARE "1.0"
#define ACD_SERIAL_MAX 20
#define ACD_READY (VMM_ATA_STATUS_DRDY | VMM_ATA_STATUS_DSC)
#define ACD_REASON_STATUS 3 /* interrupt reason, in count: C/D and I/O, the command is over */
#define ACD_SIGNATURE_LBA 0xeb1401
#define ACD_MODE_UDMA6 0x46
#define ACD_FEATURE_DMA 0x01

/* Sense keys (SPC-4 §4.5.6) */
#define ACD_NOT_READY 0x2
#define ACD_MEDIUM_ERROR 0x3
#define ACD_ILLEGAL_REQUEST 0x5
#define ACD_UNIT_ATTENTION 0x6
/* Additional codes, ASC << 8 | ASCQ */
#define ACD_READ_ERROR 0x1100
#define ACD_INVALID_OPCODE 0x2000
#define ACD_OUT_OF_RANGE 0x2100
#define ACD_INVALID_FIELD 0x2400
#define ACD_MEDIUM_CHANGED 0x2800
#define ACD_WAS_RESET 0x2900
#define ACD_INCOMPATIBLE 0x3002
#define ACD_NOT_SAVED 0x3900
#define ACD_NO_MEDIUM_CLOSED 0x3a01
#define ACD_NO_MEDIUM_OPEN 0x3a02
#define ACD_REMOVAL_PREVENTED 0x5302
#define ACD_WRONG_TRACK 0x6400

enum {
  ACD_ATTENTION_RESET = 1 << 0,
  ACD_ATTENTION_MEDIUM = 1 << 1,
};

typedef struct {
  guint16 sense_code; /* of the last command */
  guint8 sense_key;
  guint8 attention; /* unit attentions to be told */
  guint8 events;    /* 1 << VmmMmcEvent */
  guint8 tray_open, locked;
  guint8 swapped; /* the guest has not seen the drive empty between two media */
  guint8 mode;    /* SET FEATURES 03 */
  guint8 standby;
} AtapiCdRegs;

typedef struct {
  VmmSataDrive drive;
  AtapiCdRegs regs;
  char *serial;
} AtapiCd;

static const VmmSetting acd_settings[] = {
  { "image", VMM_SETTING_PATH, NULL, 0, 0, NULL, N_ ("Disc image (ISO)"), VMM_SETTING_LIVE },
  { "port", VMM_SETTING_INT, "-1", -1, 5, NULL, N_ ("SATA port, -1 for the first that is free"), VMM_SETTING_NONE },
  { "boot", VMM_SETTING_INT, "-1", -1, 1000, NULL, N_ ("Place in the boot order, -1 for none"), VMM_SETTING_NONE },
  { NULL },
};

static const VmmSetting acd_ide_settings[] = {
  { "image", VMM_SETTING_PATH, NULL, 0, 0, NULL, N_ ("Disc image (ISO)"), VMM_SETTING_LIVE },
  { "port", VMM_SETTING_INT, "-1", -1, 3, NULL,
    N_ ("Place: twice the channel, plus 1 for the second drive; -1 for the first that is free"), VMM_SETTING_NONE },
  { "boot", VMM_SETTING_INT, "-1", -1, 1000, NULL, N_ ("Place in the boot order, -1 for none"), VMM_SETTING_NONE },
  { NULL },
};

static const VmmField acd_fields[] = {
  VMM_FIELD (AtapiCdRegs, sense_code),
  VMM_FIELD_MAX (AtapiCdRegs, sense_key, 15),
  VMM_FIELD_MAX (AtapiCdRegs, attention, ACD_ATTENTION_RESET | ACD_ATTENTION_MEDIUM),
  VMM_FIELD_MAX (AtapiCdRegs, events, 0x0f),
  VMM_FIELD_MAX (AtapiCdRegs, tray_open, 1),
  VMM_FIELD_MAX (AtapiCdRegs, locked, 1),
  VMM_FIELD_MAX (AtapiCdRegs, swapped, 1),
  VMM_FIELD (AtapiCdRegs, mode),
  VMM_FIELD_MAX (AtapiCdRegs, standby, 1),
  VMM_FIELD_END,
};

static AtapiCd *
acd_of (VmmSataTask *task)
{
  return (AtapiCd *) task->drive;
}

static guint32
acd_blocks (const AtapiCd *cd)
{
  return cd->drive.block != NULL ? (guint32) MIN (vmm_block_get_size (cd->drive.block) / VMM_MMC_SECTOR, G_MAXUINT32) : 0;
}

static VmmMmcState
acd_state (const AtapiCd *cd)
{
  return (VmmMmcState) { .blocks = cd->regs.swapped ? 0 : acd_blocks (cd),
                         .tray_open = cd->regs.tray_open,
                         .locked = cd->regs.locked };
}

/* === Answers === */

static void
acd_succeed (VmmSataTask *task)
{
  task->out.status = ACD_READY;
  task->out.device = task->in.device;
  task->out.count = ACD_REASON_STATUS;
  if (task->protocol == VMM_SATA_PACKET_PIO)
    task->out.lba = (guint64) MIN (task->moved, 0xfffe) << 8; /* byte count */
  vmm_sata_task_complete (task);
}

/* CHECK CONDITION: the sense key stands in the error register, the rest is for REQUEST SENSE. */
static void
acd_check (VmmSataTask *task, guint key, guint code)
{
  AtapiCd *cd = acd_of (task);

  cd->regs.sense_key = (guint8) key;
  cd->regs.sense_code = (guint16) code;
  task->out = (VmmAtaRegisters) {
    .status = ACD_READY | VMM_ATA_STATUS_ERR,
    .error = (guint8) (key << 4 | (key == ACD_ILLEGAL_REQUEST ? VMM_ATA_ERROR_ABRT : 0)),
    .device = task->in.device,
    .count = ACD_REASON_STATUS,
  };
  vmm_sata_task_complete (task);
}

static void
acd_invalid_field (VmmSataTask *task)
{
  acd_check (task, ACD_ILLEGAL_REQUEST, ACD_INVALID_FIELD);
}

/* @len 0: what made it found an invalid field. */
static void
acd_reply (VmmSataTask *task, const guint8 *data, gsize len, gsize allocated)
{
  if (len == 0)
    {
      acd_invalid_field (task);
      return;
    }
  vmm_sata_task_put (task, data, MIN (len, allocated));
  acd_succeed (task);
}

static guint
acd_no_medium_code (const AtapiCd *cd)
{
  return cd->regs.tray_open ? ACD_NO_MEDIUM_OPEN : ACD_NO_MEDIUM_CLOSED;
}

/* === Reading === */

static void
acd_on_read (VmmSataTask *task, int result)
{
  if (result == 0 || result == -EFAULT) /* the controller tells when memory ran out */
    acd_succeed (task);
  else if (result == -ENOMEDIUM)
    acd_check (task, ACD_NOT_READY, acd_no_medium_code (acd_of (task)));
  else
    acd_check (task, ACD_MEDIUM_ERROR, ACD_READ_ERROR);
}

static void
acd_read (VmmSataTask *task, guint32 lba, guint32 n)
{
  AtapiCd *cd = acd_of (task);
  guint32 blocks = acd_blocks (cd);

  if (lba > blocks || n > blocks - lba)
    acd_check (task, ACD_ILLEGAL_REQUEST, ACD_OUT_OF_RANGE);
  else if (n == 0)
    acd_succeed (task);
  else
    vmm_sata_task_transfer (task, VMM_BLOCK_READ, (guint64) lba * VMM_MMC_SECTOR, (guint64) n * VMM_MMC_SECTOR, acd_on_read);
}

static void
acd_read_10 (VmmSataTask *task)
{
  acd_read (task, vmm_mmc_get32 (task->cdb + 2), vmm_mmc_get16 (task->cdb + 7));
}

static void
acd_read_12 (VmmSataTask *task)
{
  acd_read (task, vmm_mmc_get32 (task->cdb + 2), vmm_mmc_get32 (task->cdb + 6));
}

/* Which parts of which sectors; @n is 0 if nothing is to be transferred. */
static void
acd_read_cd_sectors (VmmSataTask *task, guint32 lba, guint32 n)
{
  guint type = task->cdb[1] >> 2 & 7, parts = task->cdb[9] & 0xfe;

  if (type == 1) /* audio */
    acd_check (task, ACD_ILLEGAL_REQUEST, ACD_WRONG_TRACK);
  else if ((parts != 0 && parts != 0x10) || (task->cdb[10] & 7) != 0)
    acd_invalid_field (task); /* only user data */
  else
    acd_read (task, lba, parts != 0 ? n : 0);
}

static void
acd_read_cd (VmmSataTask *task)
{
  acd_read_cd_sectors (task, vmm_mmc_get32 (task->cdb + 2), vmm_mmc_get32 (task->cdb + 5) & 0xffffff);
}

static void
acd_read_cd_msf (VmmSataTask *task)
{
  const guint8 *from = task->cdb + 3, *to = task->cdb + 6;
  gint64 first = (from[0] * 60 + from[1]) * 75 + from[2] - 150, end = (to[0] * 60 + to[1]) * 75 + to[2] - 150;

  if (first < 0 || end < first)
    acd_invalid_field (task);
  else
    acd_read_cd_sectors (task, (guint32) first, (guint32) (end - first));
}

static void
acd_seek (VmmSataTask *task)
{
  acd_read (task, vmm_mmc_get32 (task->cdb + 2), 0);
}

static void
acd_read_capacity (VmmSataTask *task)
{
  guint8 reply[8];

  vmm_mmc_put32 (reply, acd_blocks (acd_of (task)) - 1);
  vmm_mmc_put32 (reply + 4, VMM_MMC_SECTOR);
  acd_reply (task, reply, sizeof reply, sizeof reply);
}

/* === Information === */

static void
acd_test_unit_ready (VmmSataTask *task)
{
  acd_succeed (task);
}

static void
acd_request_sense (VmmSataTask *task)
{
  AtapiCdRegs *regs = &acd_of (task)->regs;
  guint8 reply[18] = { 0x70 };

  if (regs->sense_key == 0 && (regs->attention & ACD_ATTENTION_RESET) != 0)
    {
      regs->sense_key = ACD_UNIT_ATTENTION;
      regs->sense_code = ACD_WAS_RESET;
      regs->attention &= (guint8) ~ACD_ATTENTION_RESET;
    }
  else if (regs->sense_key == 0 && (regs->attention & ACD_ATTENTION_MEDIUM) != 0 && !regs->swapped)
    {
      regs->sense_key = ACD_UNIT_ATTENTION;
      regs->sense_code = ACD_MEDIUM_CHANGED;
      regs->attention &= (guint8) ~ACD_ATTENTION_MEDIUM;
    }
  reply[2] = regs->sense_key;
  reply[7] = sizeof reply - 8;
  vmm_mmc_put16 (reply + 12, regs->sense_code);
  regs->sense_key = 0;
  regs->sense_code = 0;
  acd_reply (task, reply, sizeof reply, task->cdb[4]);
}

static void
acd_inquiry (VmmSataTask *task)
{
  guint8 reply[VMM_MMC_MAX_REPLY] = { 0 };

  acd_reply (task, reply, vmm_mmc_inquiry (task->cdb, acd_of (task)->serial, reply), vmm_mmc_get16 (task->cdb + 3));
}

static void
acd_mode_sense (VmmSataTask *task)
{
  VmmMmcState state = acd_state (acd_of (task));
  guint8 reply[VMM_MMC_MAX_REPLY] = { 0 };

  if (task->cdb[2] >> 6 == 3)
    acd_check (task, ACD_ILLEGAL_REQUEST, ACD_NOT_SAVED);
  else
    acd_reply (task, reply, vmm_mmc_mode_sense (&state, task->cdb, reply), vmm_mmc_get16 (task->cdb + 7));
}

static void
acd_get_configuration (VmmSataTask *task)
{
  VmmMmcState state = acd_state (acd_of (task));
  guint8 reply[VMM_MMC_MAX_REPLY] = { 0 };

  acd_reply (task, reply, vmm_mmc_get_configuration (&state, task->cdb, reply), vmm_mmc_get16 (task->cdb + 7));
}

/* Events are told one at a time, in the order of their happening. */
static void
acd_event_status (VmmSataTask *task)
{
  static const VmmMmcEvent order[] = { VMM_MMC_EVENT_REMOVAL, VMM_MMC_EVENT_NEW_MEDIA, VMM_MMC_EVENT_EJECT_REQUEST };
  AtapiCd *cd = acd_of (task);
  VmmMmcState state = acd_state (cd);
  VmmMmcEvent event = VMM_MMC_EVENT_NONE;
  guint8 reply[VMM_MMC_MAX_REPLY] = { 0 };
  gsize len;

  for (guint i = 0; i < G_N_ELEMENTS (order) && event == VMM_MMC_EVENT_NONE; i++)
    if ((cd->regs.events & 1u << order[i]) != 0)
      event = order[i];
  len = vmm_mmc_event_status (&state, event, task->cdb, reply);
  if (len == 8 && vmm_mmc_get16 (task->cdb + 7) > 4 && event != VMM_MMC_EVENT_NONE)
    {
      cd->regs.events &= (guint8) ~(1u << event);
      if (event == VMM_MMC_EVENT_REMOVAL)
        cd->regs.swapped = FALSE; /* seen */
    }
  acd_reply (task, reply, len, vmm_mmc_get16 (task->cdb + 7));
}

static void
acd_mechanism_status (VmmSataTask *task)
{
  VmmMmcState state = acd_state (acd_of (task));
  guint8 reply[VMM_MMC_MAX_REPLY] = { 0 };

  acd_reply (task, reply, vmm_mmc_mechanism_status (&state, reply), vmm_mmc_get16 (task->cdb + 8));
}

static void
acd_read_toc (VmmSataTask *task)
{
  VmmMmcState state = acd_state (acd_of (task));
  guint8 reply[VMM_MMC_MAX_REPLY] = { 0 };

  acd_reply (task, reply, vmm_mmc_read_toc (&state, task->cdb, reply), vmm_mmc_get16 (task->cdb + 7));
}

static void
acd_disc_information (VmmSataTask *task)
{
  VmmMmcState state = acd_state (acd_of (task));
  guint8 reply[VMM_MMC_MAX_REPLY] = { 0 };

  acd_reply (task, reply, vmm_mmc_disc_information (&state, task->cdb, reply), vmm_mmc_get16 (task->cdb + 7));
}

static void
acd_track_information (VmmSataTask *task)
{
  VmmMmcState state = acd_state (acd_of (task));
  guint8 reply[VMM_MMC_MAX_REPLY] = { 0 };

  acd_reply (task, reply, vmm_mmc_track_information (&state, task->cdb, reply), vmm_mmc_get16 (task->cdb + 7));
}

static void
acd_disc_structure (VmmSataTask *task)
{
  VmmMmcState state = acd_state (acd_of (task));
  guint8 reply[VMM_MMC_MAX_REPLY] = { 0 };

  if (!vmm_mmc_is_dvd (state.blocks))
    acd_check (task, ACD_ILLEGAL_REQUEST, ACD_INCOMPATIBLE);
  else
    acd_reply (task, reply, vmm_mmc_disc_structure (&state, task->cdb, reply), vmm_mmc_get16 (task->cdb + 8));
}

static void
acd_sub_channel (VmmSataTask *task)
{
  VmmMmcState state = acd_state (acd_of (task));
  guint8 reply[VMM_MMC_MAX_REPLY] = { 0 };

  acd_reply (task, reply, vmm_mmc_sub_channel (&state, task->cdb, reply), vmm_mmc_get16 (task->cdb + 7));
}

static void
acd_accept (VmmSataTask *task)
{
  acd_succeed (task);
}

/* === Tray === */

/* The medium goes; @block: (nullable): the next comes. */
static void
acd_change (AtapiCd *cd, VmmBlock *block)
{
  AtapiCdRegs *regs = &cd->regs;

  if (cd->drive.block != NULL)
    {
      regs->events |= 1u << VMM_MMC_EVENT_REMOVAL;
      regs->swapped = block != NULL;
    }
  regs->events &= (guint8) ~(1u << VMM_MMC_EVENT_EJECT_REQUEST | 1u << VMM_MMC_EVENT_NEW_MEDIA);
  regs->attention &= (guint8) ~ACD_ATTENTION_MEDIUM;
  if (block != NULL)
    {
      regs->events |= 1u << VMM_MMC_EVENT_NEW_MEDIA;
      regs->attention |= ACD_ATTENTION_MEDIUM;
    }
  else
    regs->swapped = FALSE;
  regs->tray_open = block == NULL;
  vmm_sata_drive_swap_medium (&cd->drive, block);
}

/* §6.42: bit 1 LoEj, bit 0 Start */
static void
acd_start_stop (VmmSataTask *task)
{
  AtapiCd *cd = acd_of (task);

  if ((task->cdb[4] >> 4) != 0 || (task->cdb[4] & 2) == 0)
    {
      acd_succeed (task); /* power conditions, spinning up and down */
      return;
    }
  if ((task->cdb[4] & 1) != 0)
    cd->regs.tray_open = FALSE;
  else if (cd->regs.locked)
    {
      acd_check (task, ACD_ILLEGAL_REQUEST, ACD_REMOVAL_PREVENTED);
      return;
    }
  else if (cd->drive.block != NULL)
    {
      acd_change (cd, NULL);
      vmm_machine_notify_medium (cd->drive.base.machine, &cd->drive.base, NULL);
    }
  else
    cd->regs.tray_open = TRUE;
  acd_succeed (task);
}

static void
acd_prevent (VmmSataTask *task)
{
  acd_of (task)->regs.locked = (task->cdb[4] & 1) != 0;
  acd_succeed (task);
}

/* === Packets === */

typedef enum {
  ACD_MEDIUM = 1 << 0, /* needs one */
  ACD_QUIET = 1 << 1,  /* runs before a unit attention is told (SPC-4 §5.14) */
} AcdFlags;

static const struct {
  guint8 opcode;
  guint flags;
  void (*func) (VmmSataTask *task);
} acd_commands[] = {
  { 0x00, ACD_MEDIUM, acd_test_unit_ready },
  { 0x03, ACD_QUIET, acd_request_sense },
  { 0x12, ACD_QUIET, acd_inquiry },
  { 0x1b, 0, acd_start_stop },
  { 0x1e, 0, acd_prevent },
  { 0x25, ACD_MEDIUM, acd_read_capacity },
  { 0x28, ACD_MEDIUM, acd_read_10 },
  { 0x2b, ACD_MEDIUM, acd_seek },
  { 0x42, ACD_MEDIUM, acd_sub_channel },
  { 0x43, ACD_MEDIUM, acd_read_toc },
  { 0x46, ACD_QUIET, acd_get_configuration },
  { 0x4a, ACD_QUIET, acd_event_status },
  { 0x51, ACD_MEDIUM, acd_disc_information },
  { 0x52, ACD_MEDIUM, acd_track_information },
  { 0x5a, 0, acd_mode_sense },
  { 0xa8, ACD_MEDIUM, acd_read_12 },
  { 0xad, ACD_MEDIUM, acd_disc_structure },
  { 0xb9, ACD_MEDIUM, acd_read_cd_msf },
  { 0xbb, 0, acd_accept }, /* SET CD SPEED */
  { 0xbd, 0, acd_mechanism_status },
  { 0xbe, ACD_MEDIUM, acd_read_cd },
};

/* What has to be told first. TRUE: the command ended with it. */
static gboolean
acd_tell_first (VmmSataTask *task, guint flags)
{
  AtapiCd *cd = acd_of (task);
  AtapiCdRegs *regs = &cd->regs;

  if ((flags & ACD_QUIET) == 0 && (regs->attention & ACD_ATTENTION_RESET) != 0)
    {
      regs->attention &= (guint8) ~ACD_ATTENTION_RESET;
      acd_check (task, ACD_UNIT_ATTENTION, ACD_WAS_RESET);
      return TRUE;
    }
  if ((flags & ACD_MEDIUM) != 0 && (cd->drive.block == NULL || regs->swapped))
    {
      regs->swapped = FALSE;
      acd_check (task, ACD_NOT_READY, acd_no_medium_code (cd));
      return TRUE;
    }
  if ((flags & ACD_QUIET) == 0 && (regs->attention & ACD_ATTENTION_MEDIUM) != 0)
    {
      regs->attention &= (guint8) ~ACD_ATTENTION_MEDIUM;
      acd_check (task, ACD_UNIT_ATTENTION, ACD_MEDIUM_CHANGED);
      return TRUE;
    }
  return FALSE;
}

static void
acd_packet (VmmSataTask *task)
{
  AtapiCd *cd = acd_of (task);

  task->protocol = (task->in.feature & ACD_FEATURE_DMA) != 0 ? VMM_SATA_PACKET_DMA : VMM_SATA_PACKET_PIO;
  if (!task->has_cdb)
    {
      vmm_guest_error (&cd->drive.base, "PACKET without a packet");
      acd_check (task, ACD_ILLEGAL_REQUEST, ACD_INVALID_OPCODE);
      return;
    }
  if (task->cdb[0] != 0x03) /* sense data last until the next command (SPC-4 §4.5.1) */
    {
      cd->regs.sense_key = 0;
      cd->regs.sense_code = 0;
    }
  cd->regs.standby = FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (acd_commands); i++)
    if (acd_commands[i].opcode == task->cdb[0])
      {
        if (!acd_tell_first (task, acd_commands[i].flags))
          acd_commands[i].func (task);
        return;
      }
  acd_check (task, ACD_ILLEGAL_REQUEST, ACD_INVALID_OPCODE);
}

/* === ATA commands === */

static void
acd_get_signature (VmmSataDrive *drive, VmmAtaRegisters *ret)
{
  *ret = (VmmAtaRegisters) { .error = 0x01, .count = 1, .lba = ACD_SIGNATURE_LBA };
}

static void
acd_ata_succeed (VmmSataTask *task)
{
  task->out.status = ACD_READY;
  task->out.device = task->in.device;
  vmm_sata_task_complete (task);
}

/* Commands of disks are aborted with the signature (ACS-3 §7.12.5.2). */
static void
acd_ata_abort (VmmSataTask *task)
{
  acd_get_signature (task->drive, &task->out);
  task->out.status = ACD_READY | VMM_ATA_STATUS_ERR;
  task->out.error = VMM_ATA_ERROR_ABRT;
  vmm_sata_task_complete (task);
}

/* IDENTIFY PACKET DEVICE, ACS-3 §7.13 */
static void
acd_identify (VmmSataTask *task)
{
  AtapiCd *cd = acd_of (task);
  guint16 id[256] = { 0 };

  id[0] = 0x85c0; /* ATAPI, CD/DVD, removable, DRQ within 50 µs, packets of 12 bytes */
  vmm_ata_put_string (id + 10, 10, cd->serial);
  vmm_ata_put_string (id + 23, 4, ACD_FIRMWARE);
  vmm_ata_put_string (id + 27, 20, ACD_MODEL);
  id[49] = 0x0f00; /* IORDY, LBA, DMA */
  id[53] = 0x0006; /* 64-70, 88 are valid */
  id[63] = 0x0007;
  if ((cd->regs.mode & 0xf8) == 0x20)
    id[63] |= (guint16) (0x100 << (cd->regs.mode & 7));
  id[64] = 0x0003;
  id[65] = id[66] = id[67] = id[68] = 120;
  id[76] = 0x000e; /* SATA 1.5, 3, 6 Gb/s */
  id[77] = 0x0002;
  if (cd->drive.host->parallel)
    {
      id[76] = id[77] = 0;
      id[93] = 0x6001; /* hardware reset: 80-conductor cable */
    }
  id[80] = 0x07e0;
  id[82] = 0x4218; /* NOP, DEVICE RESET, PACKET, power management */
  id[83] = 0x4000;
  id[84] = 0x4000;
  id[85] = 0x4218;
  id[87] = 0x4000;
  id[88] = 0x007f;
  if ((cd->regs.mode & 0xf8) == 0x40)
    id[88] |= (guint16) (0x100 << (cd->regs.mode & 7));
  id[222] = 0x10ff;
  vmm_ata_put_integrity (id);
  for (guint i = 0; i < G_N_ELEMENTS (id); i++)
    id[i] = GUINT16_TO_LE (id[i]);
  task->protocol = VMM_SATA_PIO_IN;
  vmm_sata_task_put (task, id, sizeof id);
  acd_ata_succeed (task);
}

static void
acd_set_features (VmmSataTask *task)
{
  guint mode = task->in.count & 0xff;

  switch (task->in.feature & 0xff)
    {
    case 0x03:
      if (mode > 1 && !(mode >= 0x08 && mode <= 0x0c) && !(mode >= 0x20 && mode <= 0x22) && !(mode >= 0x40 && mode <= 0x46))
        {
          acd_ata_abort (task);
          return;
        }
      acd_of (task)->regs.mode = (guint8) mode;
      break;
    case 0x66:
    case 0xcc:
      break;
    default:
      acd_ata_abort (task);
      return;
    }
  acd_ata_succeed (task);
}

static void
acd_bus_reset (VmmSataDrive *drive, VmmSataReset kind)
{
  AtapiCdRegs *regs = &((AtapiCd *) drive)->regs;

  regs->sense_key = 0;
  regs->sense_code = 0;
  regs->standby = FALSE;
  if (kind != VMM_SATA_RESET_HARDWARE)
    return;
  regs->attention |= ACD_ATTENTION_RESET;
  regs->locked = FALSE;
  regs->mode = ACD_MODE_UDMA6;
}

static void
acd_start (VmmSataDrive *drive, VmmSataTask *task)
{
  AtapiCd *cd = (AtapiCd *) drive;

  switch (task->in.command)
    {
    case 0xa0:
      acd_packet (task);
      break;
    case 0xa1:
      acd_identify (task);
      break;
    case 0xef:
      acd_set_features (task);
      break;
    case 0x08: /* DEVICE RESET */
      acd_bus_reset (drive, VMM_SATA_RESET_SOFT);
      G_GNUC_FALLTHROUGH;
    case 0x90: /* EXECUTE DEVICE DIAGNOSTIC */
      acd_get_signature (drive, &task->out);
      vmm_sata_task_complete (task);
      break;
    case 0xe5: /* CHECK POWER MODE */
      task->out.count = cd->regs.standby ? 0x00 : 0xff;
      acd_ata_succeed (task);
      break;
    case 0xe0: /* STANDBY IMMEDIATE, STANDBY, SLEEP */
    case 0xe2:
    case 0xe6:
      cd->regs.standby = TRUE;
      acd_ata_succeed (task);
      break;
    case 0xe1: /* IDLE IMMEDIATE, IDLE */
    case 0xe3:
      cd->regs.standby = FALSE;
      acd_ata_succeed (task);
      break;
    default:
      acd_ata_abort (task);
      break;
    }
}

static const VmmSataDriveOps acd_ops = { .start = acd_start, .reset = acd_bus_reset, .get_signature = acd_get_signature };

/* === Life === */

static VmmBlock *
acd_open (VmmDevice *dev, const char *path, GError **error)
{
  VmmBlock *block = vmm_block_open (path, "raw", VMM_BLOCK_READ_ONLY, vmm_device_get_iothread (dev), error);

  if (block == NULL || vmm_block_get_size (block) >= VMM_MMC_SECTOR)
    return block;
  g_set_error (error, VMM_ERROR, VMM_ERROR_CORRUPT, "%s: too small for a disc image", path);
  vmm_block_close (block);
  return NULL;
}

static gboolean
acd_change_medium (VmmDevice *dev, const char *path, gboolean force, GError **error)
{
  AtapiCd *cd = (AtapiCd *) dev;
  VmmDevice *controller = cd->drive.host->controller;
  VmmBlock *block = NULL;
  gboolean locked;

  if (path != NULL && (block = acd_open (dev, path, error)) == NULL)
    return FALSE;

  vmm_device_lock (controller);
  locked = cd->regs.locked && cd->drive.block != NULL && !force;
  if (locked)
    cd->regs.events |= 1u << VMM_MMC_EVENT_EJECT_REQUEST;
  else if (block != NULL || cd->drive.block != NULL)
    {
      if (force)
        cd->regs.locked = FALSE;
      acd_change (cd, block);
    }
  vmm_device_unlock (controller);

  if (locked)
    {
      g_clear_pointer (&block, vmm_block_close);
      g_set_error (error, VMM_ERROR, VMM_ERROR_BUSY, "the guest has locked the tray of %s; it was asked to open it", dev->id);
      return FALSE;
    }
  vmm_sata_drive_close_retired (&cd->drive);
  return TRUE;
}

/* The tray and what lies in it stay as they are. */
static void
acd_reset (VmmDevice *dev, VmmResetKind kind)
{
  AtapiCd *cd = (AtapiCd *) dev;

  cd->regs = (AtapiCdRegs) { .tray_open = cd->regs.tray_open };
  acd_bus_reset (&cd->drive, VMM_SATA_RESET_HARDWARE);
}

static gboolean
acd_realize (VmmDevice *dev, GError **error)
{
  AtapiCd *cd = (AtapiCd *) dev;
  g_autofree char *path = vmm_device_dup_path (dev, "image");

  cd->drive.ops = &acd_ops;
  if (path != NULL && (cd->drive.block = acd_open (dev, path, error)) == NULL)
    return FALSE;
  cd->serial = vmm_sata_drive_dup_serial (&cd->drive, ACD_SERIAL_MAX);
  if (vmm_sata_drive_attach (&cd->drive, vmm_device_get_int (dev, "port"), vmm_device_get_int (dev, "boot"), error))
    return TRUE;
  g_free (cd->serial);
  g_clear_pointer (&cd->drive.block, vmm_block_close);
  return FALSE;
}

static void
acd_unrealize (VmmDevice *dev)
{
  AtapiCd *cd = (AtapiCd *) dev;

  vmm_sata_drive_detach (&cd->drive);
  g_free (cd->serial);
}

const VmmDeviceClass vmm_atapi_cd_class = {
  .name = "sata-cd",
  .summary = N_ ("CD/DVD drive (SATA)"),
  .description = N_ ("A drive for disc images; the disc can be changed while the machine runs."),
  .bus = VMM_DEVICE_SATA,
  .user_creatable = TRUE,
  .instance_size = sizeof (AtapiCd),
  .settings = acd_settings,
  .regs_offset = G_STRUCT_OFFSET (AtapiCd, regs),
  .regs_size = sizeof (AtapiCdRegs),
  .regs_fields = acd_fields,
  .state_version = 1,
  .realize = acd_realize,
  .reset = acd_reset,
  .unrealize = acd_unrealize,
  .change_medium = acd_change_medium,
};

const VmmDeviceClass vmm_ide_cd_class = {
  .name = "ide-cd",
  .summary = N_ ("CD/DVD drive (IDE)"),
  .bus = VMM_DEVICE_IDE,
  .user_creatable = TRUE,
  .instance_size = sizeof (AtapiCd),
  .settings = acd_ide_settings,
  .regs_offset = G_STRUCT_OFFSET (AtapiCd, regs),
  .regs_size = sizeof (AtapiCdRegs),
  .regs_fields = acd_fields,
  .state_version = 1,
  .realize = acd_realize,
  .reset = acd_reset,
  .unrealize = acd_unrealize,
  .change_medium = acd_change_medium,
};
