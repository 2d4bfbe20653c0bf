/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A USB stick or disk over an image.
 * Spec: USB Mass Storage Class, Bulk-Only Transport 1.0 (section numbers below); the SCSI commands: SPC-4, SBC-3 (storage/scsi-disk.c).
 * Left out: more than one logical unit, UAS, descriptor-format sense data, WRITE SAME.
 *
 * Theory of operation: a command wrapper (31 bytes) comes by the bulk-out pipe, data go either way, a status wrapper (13 bytes) goes by
 * bulk-in. Data of the medium pass through a buffer of ours, a piece at a time, so that a packet can be given back to the controller at
 * any moment. What was read ahead for a packet that was taken back is simply read again; what was taken from one that was writing is
 * remembered (skip), for the same packet comes again when the machine goes on.
 *
 * Saved state: the registers; nothing but the buffer's content is outside of them, and that is empty between two requests. */
#include "block/block.h"
#include "chipset/fw-cfg.h"
#include "core/config.h"
#include "core/machine.h"
#include "storage/scsi-disk.h"
#include "usb/usb.h"

#include <errno.h>
#include <string.h>

#define UMS_CBW_LEN 31
#define UMS_CBW_SIGNATURE 0x43425355u /* "USBC", §5.1 */
#define UMS_CSW_LEN 13
#define UMS_CSW_SIGNATURE 0x53425355u /* "USBS", §5.2 */
#define UMS_BUFFER (512u << 10)
#define UMS_REPLY 512
#define UMS_IN_HALT (1u << 1)  /* endpoint 1 */
#define UMS_OUT_HALT (1u << 2) /* endpoint 2 */

enum { UMS_GOOD = 0, UMS_FAILED = 1, UMS_PHASE_ERROR = 2 }; /* bCSWStatus */

enum {
  UMS_COMMAND, /* waits for a wrapper */
  UMS_DATA_IN,
  UMS_DATA_OUT,
  UMS_STATUS,
  UMS_DEAD, /* a wrapper was none: until reset recovery (§6.6.1) */
};

/* What comes of the data. */
enum {
  UMS_NONE,    /* nothing is there or wanted */
  UMS_REPLIES, /* in reply[], to the guest */
  UMS_READS,
  UMS_WRITES,
  UMS_TAKES, /* into reply[], then ums_on_parameters() */
};

typedef struct {
  VmmUsbDeviceRegs usb;
  guint64 position;  /* on the medium, bytes */
  guint64 left;      /* bytes that the device still moves */
  guint32 residue;   /* bytes that the guest expects to move and that were not processed */
  guint32 wire_left; /* bytes of the data phase that have not passed */
  guint32 phase, data, tag, status;
  guint32 reply_at;  /* in reply[] */
  guint32 skip;      /* bytes of the next OUT packet that were taken before */
  guint32 tail_len;  /* bytes of a block that isn't whole yet */
  guint32 flush_due; /* the write was to reach the medium (FUA) */
  guint32 sense_key, sense_code;
  guint32 unmap_next, unmap_n;
  guint8 cdb[16];
  guint8 reply[UMS_REPLY];
  guint8 tail[VMM_SCSI_BLOCK];
} UmsRegs;

typedef struct {
  VmmUsbDevice usb;
  UmsRegs regs;
  VmmBlock *block;
  VmmScsiDisk disk;
  char *serial;
  guint8 *buffer;
  gsize buffer_at, buffer_len; /* what was read and not yet fetched */
  VmmUsbPacket *in, *out;      /* (nullable): waiting */
  VmmBlockRequest req;
  struct iovec iov;
  gboolean busy;    /* @req is under way */
  gboolean stale;   /* and nobody waits for it */
  gboolean stalled; /* the host's disk is full */
  gboolean pausing; /* goes on with the next packet */
} Ums;

static const char *const ums_formats[] = { "raw", "qcow2", NULL };
static const char *const ums_caches[] = { "writeback", "direct", NULL };

static const VmmSetting ums_settings[] = {
  { "image", VMM_SETTING_PATH, NULL, 0, 0, NULL, N_ ("Disk image"), VMM_SETTING_REQUIRED },
  { "format", VMM_SETTING_ENUM, "raw", 0, 0, ums_formats, N_ ("Format of the image"), VMM_SETTING_NONE },
  { "cache", VMM_SETTING_ENUM, "writeback", 0, 0, ums_caches, N_ ("Use the host's page cache, or go to the disk directly"),
    VMM_SETTING_NONE },
  { "readonly", VMM_SETTING_BOOL, "false", 0, 0, NULL, N_ ("Refuse all writes"), VMM_SETTING_NONE },
  { "serial", VMM_SETTING_STRING, NULL, 0, 0, NULL, N_ ("Serial number, up to 20 characters"), VMM_SETTING_NONE },
  { "port", VMM_SETTING_STRING, NULL, 0, 0, NULL, N_ ("USB port, as 2 or 2.1 behind a hub; the first that is free if unset"),
    VMM_SETTING_NONE },
  { "removable", VMM_SETTING_BOOL, "false", 0, 0, NULL, N_ ("Say that the medium can be taken out, as sticks do"),
    VMM_SETTING_NONE },
  { "discard", VMM_SETTING_BOOL, "true", 0, 0, NULL, N_ ("Give the space of deleted data back to the host"), VMM_SETTING_NONE },
  { "boot", VMM_SETTING_INT, "-1", -1, 1000, NULL, N_ ("Place in the boot order, -1 for none"), VMM_SETTING_NONE },
  { NULL },
};

static const VmmField ums_fields[] = {
  VMM_USB_DEVICE_FIELDS (UmsRegs, usb),
  VMM_FIELD (UmsRegs, position),
  VMM_FIELD (UmsRegs, left),
  VMM_FIELD (UmsRegs, residue),
  VMM_FIELD (UmsRegs, wire_left),
  VMM_FIELD_MAX (UmsRegs, phase, UMS_DEAD),
  VMM_FIELD_MAX (UmsRegs, data, UMS_TAKES),
  VMM_FIELD (UmsRegs, tag),
  VMM_FIELD_MAX (UmsRegs, status, UMS_PHASE_ERROR),
  VMM_FIELD_MAX (UmsRegs, reply_at, UMS_REPLY),
  VMM_FIELD (UmsRegs, skip),
  VMM_FIELD_MAX (UmsRegs, tail_len, VMM_SCSI_BLOCK - 1),
  VMM_FIELD_MAX (UmsRegs, flush_due, 1),
  VMM_FIELD_MAX (UmsRegs, sense_key, 15),
  VMM_FIELD_MAX (UmsRegs, sense_code, 0xffff),
  VMM_FIELD_MAX (UmsRegs, unmap_next, VMM_SCSI_MAX_UNMAP),
  VMM_FIELD_MAX (UmsRegs, unmap_n, VMM_SCSI_MAX_UNMAP),
  VMM_FIELD_BLOB (UmsRegs, cdb),
  VMM_FIELD_BLOB (UmsRegs, reply),
  VMM_FIELD_BLOB (UmsRegs, tail),
  VMM_FIELD_END,
};

/* === Descriptors, §4 === */

static const guint8 ums_device[] = { 18, 1, 0x00, 0x03, 0, 0, 0, 9, 0x09, 0x12, 0x04, 0x00, 0x00, 0x01, 1, 2, 3, 1 };

static const guint8 ums_config_high[] = {
  9, 2, 32,   0, 1,    1,    0, 0x80, 50, /* configuration */
  9, 4, 0,    0, 2,    8,    6, 0x50, 0,  /* interface: mass storage, SCSI, bulk only */
  7, 5, 0x81, 2, 0x00, 0x02, 0,           /* in, 512 bytes */
  7, 5, 0x02, 2, 0x00, 0x02, 0,           /* out */
};

static const guint8 ums_config_super[] = {
  9, 2,    44,   0, 1,    1,    0, 0x80, 12, /* configuration */
  9, 4,    0,    0, 2,    8,    6, 0x50, 0,  /* interface: mass storage, SCSI, bulk only */
  7, 5,    0x81, 2, 0x00, 0x04, 0,           /* in, 1024 bytes */
  6, 0x30, 15,   0, 0,    0,                 /* bursts of 16 */
  7, 5,    0x02, 2, 0x00, 0x04, 0,           /* out */
  6, 0x30, 15,   0, 0,    0,
};

static const guint8 ums_bos[] = {
  5,  15, 22, 0, 2,                           /* two capabilities */
  7,  16, 2,  0, 0,    0,    0,               /* USB 2.0 extension: no link power management */
  10, 16, 3,  0, 0x0c, 0x00, 2, 0x0a, 0x20, 0 /* SuperSpeed: high and super */
};
G_STATIC_ASSERT (sizeof ums_config_high == 32 && sizeof ums_config_super == 44 && sizeof ums_bos == 22);

static const VmmUsbDescriptors ums_high = { .device = ums_device, .config = ums_config_high, .bos = ums_bos };
static const VmmUsbDescriptors ums_super = { .device = ums_device, .config = ums_config_super, .bos = ums_bos };

static const char *
ums_get_string (VmmUsbDevice *dev, guint index)
{
  switch (index)
    {
    case 1:
      return "Lodge";
    case 2:
      return "Lodge USB Disk";
    case 3:
      return ((Ums *) dev)->serial;
    default:
      return NULL;
    }
}

/* === Commands === */

static void
ums_fail (Ums *ums, guint key, guint code)
{
  ums->regs.status = UMS_FAILED;
  ums->regs.sense_key = key;
  ums->regs.sense_code = code;
  ums->regs.data = UMS_NONE;
  ums->regs.left = 0;
}

/* @len 0: what made it found an invalid field. */
static void
ums_reply (Ums *ums, gsize len, gsize allocated)
{
  if (len == 0)
    {
      ums_fail (ums, VMM_SCSI_ILLEGAL_REQUEST, VMM_SCSI_INVALID_FIELD);
      return;
    }
  ums->regs.data = UMS_REPLIES;
  ums->regs.reply_at = 0;
  ums->regs.left = MIN (len, allocated);
}

static void ums_on_done (VmmBlockRequest *req, int result);

static void
ums_start (Ums *ums, VmmBlockOp op, guint64 offset, guint64 len)
{
  ums->iov = (struct iovec) { ums->buffer, (gsize) len };
  ums->req = (VmmBlockRequest) { .op = op, .offset = offset, .len = len, .done = ums_on_done, .data = ums };
  if (op == VMM_BLOCK_READ || op == VMM_BLOCK_WRITE)
    {
      ums->req.iov = &ums->iov;
      ums->req.n_iov = 1;
    }
  ums->busy = TRUE;
  vmm_block_submit (ums->block, &ums->req);
}

static void
ums_move (Ums *ums, gboolean write)
{
  UmsRegs *regs = &ums->regs;
  guint64 lba;
  guint32 blocks;

  if (!vmm_scsi_parse_range (regs->cdb, &lba, &blocks))
    return;
  if (lba >= ums->disk.blocks + (blocks == 0) || blocks > ums->disk.blocks - lba)
    ums_fail (ums, VMM_SCSI_ILLEGAL_REQUEST, VMM_SCSI_OUT_OF_RANGE);
  else if (write && ums->disk.read_only)
    ums_fail (ums, VMM_SCSI_DATA_PROTECT, VMM_SCSI_WRITE_PROTECTED);
  else
    {
      regs->data = write ? UMS_WRITES : UMS_READS;
      regs->position = lba * VMM_SCSI_BLOCK;
      regs->left = (guint64) blocks * VMM_SCSI_BLOCK;
      regs->flush_due = write && regs->cdb[0] != 0x0a && (regs->cdb[1] & 0x08) != 0;
    }
}

static void
ums_read (Ums *ums)
{
  ums_move (ums, FALSE);
}

static void
ums_write (Ums *ums)
{
  ums_move (ums, TRUE);
}

/* Without byte check there is nothing to compare, and the host's disk checks itself. */
static void
ums_verify (Ums *ums)
{
  guint check = ums->regs.cdb[1] >> 1 & 3;

  ums_move (ums, FALSE);
  if (ums->regs.status != UMS_GOOD)
    return;
  ums->regs.data = UMS_NONE;
  ums->regs.left = 0;
  if (check != 0)
    ums_fail (ums, VMM_SCSI_ILLEGAL_REQUEST, VMM_SCSI_INVALID_FIELD);
}

static void
ums_accept (Ums *ums)
{
}

static void
ums_request_sense (Ums *ums)
{
  UmsRegs *regs = &ums->regs;

  ums_reply (ums, vmm_scsi_sense (regs->sense_key, regs->sense_code, regs->reply), regs->cdb[4]);
  regs->sense_key = regs->sense_code = 0;
}

static void
ums_inquiry (Ums *ums)
{
  ums_reply (ums, vmm_scsi_inquiry (&ums->disk, ums->regs.cdb, ums->regs.reply), (gsize) ums->regs.cdb[3] << 8 | ums->regs.cdb[4]);
}

static void
ums_mode_sense (Ums *ums)
{
  const guint8 *cdb = ums->regs.cdb;

  if (cdb[2] >> 6 == 3)
    ums_fail (ums, VMM_SCSI_ILLEGAL_REQUEST, VMM_SCSI_NOT_SAVED);
  else
    ums_reply (ums, vmm_scsi_mode_sense (&ums->disk, cdb, ums->regs.reply), cdb[0] == 0x5a ? (gsize) cdb[7] << 8 | cdb[8] : cdb[4]);
}

static void
ums_capacity_10 (Ums *ums)
{
  ums_reply (ums, vmm_scsi_capacity_10 (&ums->disk, ums->regs.reply), 8);
}

static void
ums_capacity_16 (Ums *ums)
{
  ums_reply (ums, vmm_scsi_capacity_16 (&ums->disk, ums->regs.cdb, ums->regs.reply), vmm_scsi_get32 (ums->regs.cdb + 10));
}

/* READ FORMAT CAPACITIES (of MMC), which Windows asks of removable disks. */
static void
ums_format_capacities (Ums *ums)
{
  guint8 *reply = ums->regs.reply;

  reply[3] = 8;
  vmm_scsi_put32 (reply + 4, (guint32) MIN (ums->disk.blocks, G_MAXUINT32));
  vmm_scsi_put32 (reply + 8, VMM_SCSI_BLOCK);
  reply[8] = 2; /* formatted */
  ums_reply (ums, 12, (gsize) ums->regs.cdb[7] << 8 | ums->regs.cdb[8]);
}

static void
ums_report_luns (Ums *ums)
{
  ums->regs.reply[3] = 8; /* one: 0 */
  ums_reply (ums, 16, vmm_scsi_get32 (ums->regs.cdb + 6));
}

static void
ums_flush (Ums *ums)
{
  if (!ums->disk.read_only)
    ums_start (ums, VMM_BLOCK_FLUSH, 0, 0);
}

static void
ums_unmap (Ums *ums)
{
  guint len = (guint) ums->regs.cdb[7] << 8 | ums->regs.cdb[8];

  if (!ums->disk.discard)
    ums_fail (ums, VMM_SCSI_ILLEGAL_REQUEST, VMM_SCSI_INVALID_OPCODE);
  else if (ums->disk.read_only)
    ums_fail (ums, VMM_SCSI_DATA_PROTECT, VMM_SCSI_WRITE_PROTECTED);
  else if (len > 8 + VMM_SCSI_MAX_UNMAP * 16)
    ums_fail (ums, VMM_SCSI_ILLEGAL_REQUEST, VMM_SCSI_PARAMETER_LENGTH);
  else if (len > 0)
    {
      ums->regs.data = UMS_TAKES;
      ums->regs.left = len;
    }
}

/* The next range that has blocks; FALSE: that was all. */
static gboolean
ums_unmap_step (Ums *ums)
{
  UmsRegs *regs = &ums->regs;

  while (regs->unmap_next < regs->unmap_n)
    {
      const guint8 *range = regs->reply + 8 + 16 * regs->unmap_next++;
      guint64 lba = vmm_scsi_get64 (range);
      guint32 n = vmm_scsi_get32 (range + 8);

      if (n == 0)
        continue;
      ums_start (ums, VMM_BLOCK_DISCARD, lba * VMM_SCSI_BLOCK, (guint64) n * VMM_SCSI_BLOCK);
      return TRUE;
    }
  return FALSE;
}

/* The parameters of UNMAP are here as a whole (SBC-3 §5.28). */
static void
ums_on_parameters (Ums *ums)
{
  UmsRegs *regs = &ums->regs;
  guint n = MIN ((guint) regs->reply[2] << 8 | regs->reply[3], regs->reply_at > 8 ? regs->reply_at - 8 : 0) / 16;

  for (guint i = 0; i < n; i++)
    {
      guint64 lba = vmm_scsi_get64 (regs->reply + 8 + 16 * i);
      guint32 blocks = vmm_scsi_get32 (regs->reply + 16 + 16 * i);

      if (lba > ums->disk.blocks || blocks > ums->disk.blocks - lba)
        {
          ums_fail (ums, VMM_SCSI_ILLEGAL_REQUEST, VMM_SCSI_OUT_OF_RANGE);
          return;
        }
    }
  regs->unmap_next = 0;
  regs->unmap_n = n;
  ums_unmap_step (ums);
}

/* What is not here is refused. */
static const struct {
  guint8 opcode;
  void (*func) (Ums *ums);
} ums_commands[] = {
  { 0x00, ums_accept }, /* TEST UNIT READY */
  { 0x03, ums_request_sense },
  { 0x08, ums_read },
  { 0x0a, ums_write },
  { 0x12, ums_inquiry },
  { 0x1a, ums_mode_sense },
  { 0x1b, ums_accept }, /* START STOP UNIT */
  { 0x1e, ums_accept }, /* PREVENT ALLOW MEDIUM REMOVAL */
  { 0x23, ums_format_capacities },
  { 0x25, ums_capacity_10 },
  { 0x28, ums_read },
  { 0x2a, ums_write },
  { 0x2e, ums_write }, /* WRITE AND VERIFY */
  { 0x2f, ums_verify },
  { 0x35, ums_flush }, /* SYNCHRONIZE CACHE */
  { 0x42, ums_unmap },
  { 0x5a, ums_mode_sense },
  { 0x88, ums_read },
  { 0x8a, ums_write },
  { 0x8f, ums_verify },
  { 0x91, ums_flush },
  { 0x9e, ums_capacity_16 },
  { 0xa0, ums_report_luns },
  { 0xa8, ums_read },
  { 0xaa, ums_write },
  { 0xaf, ums_verify },
};

static void
ums_execute (Ums *ums)
{
  memset (ums->regs.reply, 0, sizeof ums->regs.reply);
  for (guint i = 0; i < G_N_ELEMENTS (ums_commands); i++)
    if (ums_commands[i].opcode == ums->regs.cdb[0])
      {
        ums_commands[i].func (ums);
        return;
      }
  ums_fail (ums, VMM_SCSI_ILLEGAL_REQUEST, VMM_SCSI_INVALID_OPCODE);
}

/* === Phases === */

static guint32
ums_get32 (const guint8 *bytes)
{
  return (guint32) bytes[0] | (guint32) bytes[1] << 8 | (guint32) bytes[2] << 16 | (guint32) bytes[3] << 24;
}

/* §6.7: what the device does against what the guest expects. */
static void
ums_agree (Ums *ums, gboolean guest_reads)
{
  UmsRegs *regs = &ums->regs;
  gboolean device_reads = regs->data == UMS_WRITES || regs->data == UMS_TAKES;

  if (regs->data == UMS_NONE || regs->left == 0)
    {
      regs->data = UMS_NONE;
      regs->left = 0;
    }
  else if (regs->wire_left == 0 || device_reads == guest_reads || regs->left > regs->wire_left)
    {
      /* Cases 2, 3, 7, 8, 10, 13. A reply longer than the guest has room for is cut without ado, as everybody does. */
      if (regs->data == UMS_REPLIES && guest_reads && regs->wire_left > 0)
        regs->left = regs->wire_left;
      else
        {
          regs->status = UMS_PHASE_ERROR;
          regs->data = UMS_NONE;
          regs->left = 0;
        }
    }
  regs->phase = regs->wire_left == 0 ? UMS_STATUS : guest_reads ? UMS_DATA_IN : UMS_DATA_OUT;
}

static VmmUsbStatus
ums_take_command (Ums *ums, VmmUsbPacket *packet)
{
  UmsRegs *regs = &ums->regs;
  guint8 cbw[UMS_CBW_LEN];

  if (packet->size != UMS_CBW_LEN || vmm_usb_packet_get (packet, cbw, sizeof cbw) != sizeof cbw
      || ums_get32 (cbw) != UMS_CBW_SIGNATURE || (cbw[13] & 0x0f) != 0 || (cbw[14] & 0x1f) < 1 || (cbw[14] & 0x1f) > 16)
    {
      vmm_guest_error (&ums->usb.base, "a command wrapper that is none");
      regs->phase = UMS_DEAD;
      regs->usb.halted_in |= UMS_IN_HALT;
      regs->usb.halted_out |= UMS_OUT_HALT;
      return VMM_USB_STALL;
    }
  regs->tag = ums_get32 (cbw + 4);
  regs->wire_left = regs->residue = ums_get32 (cbw + 8);
  regs->status = UMS_GOOD;
  regs->data = UMS_NONE;
  regs->left = 0;
  regs->reply_at = regs->skip = regs->tail_len = regs->flush_due = regs->unmap_next = regs->unmap_n = 0;
  ums->buffer_len = 0;
  memset (regs->cdb, 0, sizeof regs->cdb);
  memcpy (regs->cdb, cbw + 15, cbw[14] & 0x1f);
  ums_execute (ums);
  ums_agree (ums, (cbw[12] & 0x80) != 0);
  return VMM_USB_OK;
}

static VmmUsbStatus
ums_give_status (Ums *ums, VmmUsbPacket *packet)
{
  UmsRegs *regs = &ums->regs;
  guint8 csw[UMS_CSW_LEN];

  for (guint i = 0; i < 4; i++)
    {
      csw[i] = (guint8) (UMS_CSW_SIGNATURE >> 8 * i);
      csw[4 + i] = (guint8) (regs->tag >> 8 * i);
      csw[8 + i] = (guint8) (regs->residue >> 8 * i);
    }
  csw[12] = (guint8) regs->status;
  if (packet->size < sizeof csw)
    return VMM_USB_BABBLE;
  vmm_usb_packet_put (packet, csw, sizeof csw);
  regs->phase = UMS_COMMAND;
  return VMM_USB_OK;
}

/* An IN packet got what there is for it. */
static VmmUsbStatus
ums_end_in (Ums *ums, VmmUsbPacket *packet)
{
  UmsRegs *regs = &ums->regs;

  guint32 moved = (guint32) MIN (packet->actual, regs->wire_left);

  regs->wire_left -= moved;
  regs->residue -= moved;
  if (packet->actual < packet->size || regs->wire_left == 0)
    regs->phase = UMS_STATUS;
  return VMM_USB_OK;
}

/* VMM_USB_PENDING: the medium has to be read. */
static VmmUsbStatus
ums_fill (Ums *ums, VmmUsbPacket *packet)
{
  UmsRegs *regs = &ums->regs;
  gsize n;

  if (regs->data == UMS_NONE || regs->left == 0) /* nothing (more): the guest hears it by a stall (§6.7.2) */
    {
      regs->usb.halted_in |= UMS_IN_HALT;
      regs->phase = UMS_STATUS;
      return VMM_USB_STALL;
    }
  if (regs->data == UMS_REPLIES)
    {
      n = vmm_usb_packet_put (packet, regs->reply + regs->reply_at, regs->left);
      regs->reply_at += (guint32) n;
      regs->left -= n;
      return ums_end_in (ums, packet);
    }
  while (regs->left > 0 && packet->actual < packet->size)
    {
      if (ums->buffer_len == 0)
        {
          /* The guest may stop in the middle of a block; requests are of whole ones. */
          guint64 start = regs->position & ~(guint64) (VMM_SCSI_BLOCK - 1);

          if (!ums->busy && !ums->pausing)
            ums_start (ums, VMM_BLOCK_READ, start, MIN (regs->left + (regs->position - start), UMS_BUFFER));
          return VMM_USB_PENDING;
        }
      n = vmm_usb_packet_put (packet, ums->buffer + ums->buffer_at, ums->buffer_len);
      ums->buffer_at += n;
      ums->buffer_len -= n;
      regs->position += n;
      regs->left -= n;
    }
  return ums_end_in (ums, packet);
}

/* Bytes of the data phase came and were processed. */
static void
ums_count_out (UmsRegs *regs, gsize n)
{
  regs->wire_left -= (guint32) MIN (n, regs->wire_left);
  regs->residue -= (guint32) MIN (n, regs->residue);
}

/* As much of the packet as fits the buffer goes to the medium. VMM_USB_PENDING: it is being written. */
static VmmUsbStatus
ums_drink (Ums *ums, VmmUsbPacket *packet)
{
  UmsRegs *regs = &ums->regs;

  while (packet->actual < packet->size && !ums->busy)
    {
      gsize n, whole;

      if (regs->data == UMS_TAKES && regs->left > 0)
        {
          n = vmm_usb_packet_get (packet, regs->reply + regs->reply_at, MIN (regs->left, UMS_REPLY - regs->reply_at));
          regs->reply_at += (guint32) n;
          regs->left -= n;
          ums_count_out (regs, n);
          if (regs->left == 0)
            ums_on_parameters (ums);
          continue;
        }
      if (regs->data != UMS_WRITES || regs->left == 0) /* nobody wants it: it stays in the residue (§5.2) */
        {
          regs->wire_left -= (guint32) MIN (packet->size - packet->actual, regs->wire_left);
          packet->actual = packet->size;
          break;
        }
      if (ums->pausing)
        return VMM_USB_PENDING;
      memcpy (ums->buffer, regs->tail, regs->tail_len);
      n = vmm_usb_packet_get (packet, ums->buffer + regs->tail_len, (gsize) MIN (regs->left, UMS_BUFFER) - regs->tail_len);
      ums_count_out (regs, n);
      n += regs->tail_len;
      whole = n & ~(gsize) (VMM_SCSI_BLOCK - 1);
      regs->tail_len = (guint32) (n - whole);
      memcpy (regs->tail, ums->buffer + whole, regs->tail_len);
      if (whole > 0)
        ums_start (ums, VMM_BLOCK_WRITE, regs->position, whole);
    }
  if (ums->busy)
    return VMM_USB_PENDING;
  if (regs->wire_left == 0)
    regs->phase = UMS_STATUS;
  return VMM_USB_OK;
}

static VmmUsbStatus
ums_serve_in (Ums *ums, VmmUsbPacket *packet)
{
  if ((ums->regs.usb.halted_in & UMS_IN_HALT) != 0)
    return VMM_USB_STALL;
  switch (ums->regs.phase)
    {
    case UMS_DATA_IN:
      return ums_fill (ums, packet);
    case UMS_STATUS:
      return ums->busy ? VMM_USB_PENDING : ums_give_status (ums, packet);
    default:
      return VMM_USB_PENDING; /* too early: until there's something to say */
    }
}

static VmmUsbStatus
ums_serve_out (Ums *ums, VmmUsbPacket *packet)
{
  if ((ums->regs.usb.halted_out & UMS_OUT_HALT) != 0)
    return VMM_USB_STALL;
  switch (ums->regs.phase)
    {
    case UMS_COMMAND:
      return ums->busy ? VMM_USB_PENDING : ums_take_command (ums, packet);
    case UMS_DATA_OUT:
      return ums_drink (ums, packet);
    case UMS_DATA_IN:
    case UMS_STATUS:
      ums->regs.phase = UMS_DEAD;
      G_GNUC_FALLTHROUGH;
    default:
      ums->regs.usb.halted_out |= UMS_OUT_HALT;
      return VMM_USB_STALL;
    }
}

/* Goes on with the packets that wait. Each may let the other go on, so twice. */
static void
ums_go_on (Ums *ums)
{
  for (guint i = 0; i < 2; i++)
    {
      if (ums->out != NULL)
        {
          VmmUsbPacket *packet = g_steal_pointer (&ums->out);
          VmmUsbStatus status = ums_serve_out (ums, packet);

          if (status == VMM_USB_PENDING)
            ums->out = packet;
          else
            vmm_usb_packet_complete (packet, status);
        }
      if (ums->in != NULL)
        {
          VmmUsbPacket *packet = g_steal_pointer (&ums->in);
          VmmUsbStatus status = ums_serve_in (ums, packet);

          if (status == VMM_USB_PENDING)
            ums->in = packet;
          else
            vmm_usb_packet_complete (packet, status);
        }
    }
}

static void
ums_on_result (Ums *ums, int result)
{
  UmsRegs *regs = &ums->regs;

  switch (ums->req.op)
    {
    case VMM_BLOCK_READ:
      ums->buffer_at = regs->position - ums->req.offset;
      ums->buffer_len = result == 0 ? ums->req.len - ums->buffer_at : 0;
      if (result < 0)
        ums_fail (ums, VMM_SCSI_MEDIUM_ERROR, VMM_SCSI_READ_ERROR);
      break;
    case VMM_BLOCK_WRITE:
      regs->position += ums->req.len;
      regs->left -= MIN (ums->req.len, regs->left);
      if (result < 0)
        ums_fail (ums, VMM_SCSI_MEDIUM_ERROR, VMM_SCSI_WRITE_ERROR);
      else if (regs->left == 0 && regs->flush_due)
        {
          regs->flush_due = FALSE;
          ums_start (ums, VMM_BLOCK_FLUSH, 0, 0);
        }
      break;
    case VMM_BLOCK_DISCARD:
      if (result < 0)
        ums_fail (ums, VMM_SCSI_MEDIUM_ERROR, VMM_SCSI_WRITE_ERROR);
      else
        ums_unmap_step (ums);
      break;
    case VMM_BLOCK_FLUSH:
    case VMM_BLOCK_WRITE_ZEROES:
    default:
      if (result < 0)
        ums_fail (ums, VMM_SCSI_MEDIUM_ERROR, VMM_SCSI_WRITE_ERROR);
      break;
    }
}

/* Iothread. */
static void
ums_on_done (VmmBlockRequest *req, int result)
{
  Ums *ums = req->data;

  vmm_usb_lock (ums->usb.host);
  ums->busy = ums->stalled = FALSE;
  if (ums->stale)
    ums->stale = FALSE;
  else
    ums_on_result (ums, result);
  ums_go_on (ums);
  vmm_usb_unlock (ums->usb.host);
}

/* === The controller's calls === */

/* §3.1: Bulk-Only Mass Storage Reset; what the medium does is not waited for. */
static void
ums_restart (Ums *ums)
{
  UmsRegs *regs = &ums->regs;

  ums->stale = ums->busy;
  ums->buffer_len = 0;
  regs->phase = UMS_COMMAND;
  regs->data = UMS_NONE;
  regs->left = 0;
  regs->wire_left = regs->residue = regs->skip = regs->tail_len = regs->flush_due = regs->unmap_next = regs->unmap_n = 0;
}

static VmmUsbStatus
ums_control (Ums *ums, VmmUsbPacket *packet)
{
  static const guint8 max_lun = 0;
  gboolean is_super = ums->usb.speed == VMM_USB_SPEED_SUPER;

  switch (VMM_USB_REQUEST (packet->setup.request_type, packet->setup.request))
    {
    case VMM_USB_REQUEST (0x21, 0xff): /* the halts stay (§6.6.1) */
      ums_restart (ums);
      return VMM_USB_OK;
    case VMM_USB_REQUEST (0xa1, 0xfe): /* GET MAX LUN */
      vmm_usb_packet_put (packet, &max_lun, MIN (1, packet->setup.length));
      return VMM_USB_OK;
    case VMM_USB_REQUEST (0x00, 9): /* SET_CONFIGURATION */
      ums_restart (ums);
      G_GNUC_FALLTHROUGH;
    default:
      {
        VmmUsbStatus status = vmm_usb_control (&ums->usb, &ums->regs.usb, is_super ? &ums_super : &ums_high, ums_get_string,
                                               packet);

        /* Before reset recovery the halts come back (§5.3.4). */
        if (ums->regs.phase == UMS_DEAD)
          {
            ums->regs.usb.halted_in |= UMS_IN_HALT;
            ums->regs.usb.halted_out |= UMS_OUT_HALT;
          }
        return status;
      }
    }
}

static VmmUsbStatus
ums_submit (VmmUsbDevice *dev, VmmUsbPacket *packet)
{
  Ums *ums = (Ums *) dev;
  VmmUsbStatus status;

  ums->pausing = FALSE;
  if (packet->type == VMM_USB_CONTROL && packet->endpoint == 0)
    return ums_control (ums, packet);
  if (ums->regs.usb.configuration == 0 || packet->type != VMM_USB_BULK)
    return VMM_USB_STALL;
  if (packet->in && packet->endpoint == 1 && ums->in == NULL)
    {
      status = ums_serve_in (ums, packet);
      if (status == VMM_USB_PENDING)
        ums->in = packet;
      return status;
    }
  if (packet->in || packet->endpoint != 2 || ums->out != NULL)
    return VMM_USB_STALL;
  packet->actual = MIN (ums->regs.skip, packet->size);
  ums->regs.skip = 0;
  status = ums_serve_out (ums, packet);
  if (status == VMM_USB_PENDING)
    ums->out = packet;
  else if (ums->in != NULL)
    ums_go_on (ums);
  return status;
}

static void
ums_cancel (VmmUsbDevice *dev, VmmUsbPacket *packet)
{
  Ums *ums = (Ums *) dev;

  if (packet == ums->out)
    {
      ums->out = NULL;
      if (ums->regs.phase == UMS_DATA_OUT)
        ums->regs.skip = (guint32) packet->actual;
    }
  else if (packet == ums->in)
    {
      ums->in = NULL;
      if (ums->regs.phase == UMS_DATA_IN && ums->regs.data == UMS_READS)
        {
          ums->regs.position -= packet->actual;
          ums->regs.left += packet->actual;
          ums->buffer_len = 0;
          ums->stale = ums->busy; /* what it reads is behind */
        }
    }
}

static void
ums_bus_reset (VmmUsbDevice *dev)
{
  Ums *ums = (Ums *) dev;

  ums_restart (ums);
  ums->regs = (UmsRegs) { .phase = UMS_COMMAND };
}

/* A write that stalls on a full disk isn't waited for. */
static void
ums_drain (VmmUsbDevice *dev)
{
  Ums *ums = (Ums *) dev;
  gboolean busy = TRUE;

  vmm_usb_lock (dev->host);
  ums->pausing = TRUE;
  vmm_usb_unlock (dev->host);
  for (guint i = 0; busy && i < 4 * VMM_SCSI_MAX_UNMAP; i++)
    {
      vmm_block_drain (ums->block);
      vmm_usb_lock (dev->host);
      busy = ums->busy && !ums->stalled;
      vmm_usb_unlock (dev->host);
    }
}

static const VmmUsbDeviceOps ums_ops = { .reset = ums_bus_reset, .submit = ums_submit, .cancel = ums_cancel, .drain = ums_drain };

/* === Life === */

/* Iothread: a write could not be done and is kept. The machine stands still until there is room. */
static void
ums_on_stalled (VmmBlock *block, int error, gpointer data)
{
  Ums *ums = data;
  g_autofree char *message = g_strdup_printf ("%s: %s: %s", ums->usb.base.id, vmm_block_get_path (block), g_strerror (error));

  vmm_usb_lock (ums->usb.host);
  ums->stalled = TRUE;
  vmm_usb_unlock (ums->usb.host);
  vmm_machine_request_pause (ums->usb.base.machine, error == ENOSPC || error == EDQUOT ? VMM_REASON_NO_SPACE : VMM_REASON_IO_ERROR,
                             message);
}

/* §4.1.1: at least twelve characters of 0 to 9 and A to F, the same for ever. */
static char *
ums_dup_serial (VmmDevice *dev)
{
  const VmmConfig *config = dev->machine->config;
  const char *uuid = config != NULL ? vmm_config_get_machine (config, "uuid") : NULL,
             *given = vmm_device_get_string (dev, "serial");
  g_autofree char *source = g_strdup_printf ("%s/%s", uuid != NULL ? uuid : "", dev->id);
  g_autofree char *digest = g_compute_checksum_for_string (G_CHECKSUM_SHA256, source, -1);
  char *serial;

  if (given == NULL || *given == '\0')
    return g_ascii_strup (digest, 12);
  serial = g_strndup (given, 20);
  for (char *c = serial; *c != '\0'; c++)
    if (!g_ascii_isprint (*c))
      *c = '_';
  return serial;
}

static void
ums_free_parts (Ums *ums)
{
  g_clear_pointer (&ums->block, vmm_block_close);
  g_clear_pointer (&ums->buffer, g_free);
  g_clear_pointer (&ums->serial, g_free);
}

static gboolean
ums_realize (VmmDevice *dev, GError **error)
{
  Ums *ums = (Ums *) dev;
  g_autofree char *path = vmm_device_dup_path (dev, "image"), *boot_path = NULL;
  gboolean read_only = vmm_device_get_bool (dev, "readonly");
  gint64 boot = vmm_device_get_int (dev, "boot");
  VmmFwCfg *fw_cfg = vmm_device_get_fw_cfg (dev);
  guint flags = read_only ? VMM_BLOCK_READ_ONLY : VMM_BLOCK_DEFAULT;

  if (path == NULL)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "image: the disk needs one");
      return FALSE;
    }
  if (g_str_equal (vmm_device_get_string (dev, "cache"), "direct"))
    flags |= VMM_BLOCK_DIRECT;
  ums->block = vmm_block_open (path, vmm_device_get_string (dev, "format"), flags, vmm_device_get_iothread (dev), error);
  if (ums->block == NULL)
    return FALSE;
  ums->serial = ums_dup_serial (dev);
  ums->buffer = g_malloc (UMS_BUFFER);
  ums->disk = (VmmScsiDisk) { .blocks = vmm_block_get_size (ums->block) / VMM_SCSI_BLOCK,
                              .product = "USB DISK",
                              .serial = ums->serial,
                              .removable = vmm_device_get_bool (dev, "removable"),
                              .read_only = read_only,
                              .discard = vmm_device_get_bool (dev, "discard") && !read_only };
  ums->usb.ops = &ums_ops;
  ums->usb.speeds = VMM_USB_SPEED_MASK (VMM_USB_SPEED_HIGH) | VMM_USB_SPEED_MASK (VMM_USB_SPEED_SUPER);
  if (ums->disk.blocks == 0)
    g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "%s: too small for a disk", path);
  if (ums->disk.blocks == 0 || !vmm_usb_device_attach (&ums->usb, vmm_device_get_string (dev, "port"), TRUE, error))
    {
      ums_free_parts (ums);
      return FALSE;
    }
  vmm_block_set_stall (ums->block, ums_on_stalled, ums);
  g_ptr_array_add (dev->machine->blocks, ums->block);
  boot_path = vmm_usb_device_dup_boot_path (&ums->usb);
  if (fw_cfg != NULL && boot >= 0)
    vmm_fw_cfg_add_boot_path (fw_cfg, (int) boot, boot_path);
  return TRUE;
}

static void
ums_unrealize (VmmDevice *dev)
{
  Ums *ums = (Ums *) dev;

  g_ptr_array_remove (dev->machine->blocks, ums->block);
  vmm_usb_device_detach (&ums->usb);
  ums_free_parts (ums);
}

const VmmDeviceClass vmm_usb_storage_class = {
  .name = "usb-storage",
  .summary = N_ ("Disk or stick (USB)"),
  .description = N_ ("A disk that the guest sees as one on USB; needs a USB controller."),
  .bus = VMM_DEVICE_USB,
  .user_creatable = TRUE,
  .instance_size = sizeof (Ums),
  .settings = ums_settings,
  .regs_offset = G_STRUCT_OFFSET (Ums, regs),
  .regs_size = sizeof (UmsRegs),
  .regs_fields = ums_fields,
  .state_version = 1,
  .realize = ums_realize,
  .unrealize = ums_unrealize,
};
