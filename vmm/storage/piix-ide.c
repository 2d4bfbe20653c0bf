/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The IDE function of the PIIX3: two channels of two drives at the ports of the first PCs, for guests that know no AHCI.
 * Spec: Intel 82371SB (PIIX3) datasheet 290550 §2.3 (PCI configuration), §2.7 (bus master registers); Programming Interface for Bus
 * Master IDE Controller 1.0; ATA/ATAPI-6 (T13/1410D) §6, §9 (task file and protocols). Left out: Ultra DMA of the PIIX4, timing (the
 * registers are kept, nothing waits), the host's DMA aligned to 64 KiB (any memory does).
 *
 * Theory of operation: the drives are those of the SATA controller (storage/sata.h) with other words in IDENTIFY. A command becomes a task
 * of the drive. By DMA the drive reaches the guest's memory through the table of physical regions (PRD), when the guest has set the
 * bus master's start bit. By PIO data goes through the channel's buffer: filled before the task of a write, read by the guest after the
 * task of a read; what does not fit the buffer is done in parts, each its own task. Only one command of a channel is under way.
 *
 * A software reset while the drive is busy marks the task as aborted; BSY stays until it is back.
 * Saved state: all but the task; a command that was running is begun anew from cur and cdb. */
#include "storage/piix-ide.h"

#include "core/iothread.h"
#include "core/machine.h"
#include "pci/pci.h"

#include <string.h>

#define PIDE_CHANNELS 2
#define PIDE_BUFFER (256u << 10) /* what firmware asks of a CD drive in one packet: 127 sectors */
#define PIDE_PRD_MAX 8192        /* a table is 64 KiB at most */

/* §2.3.9: decode enable of IDETIM */
#define PIDE_IDETIM 0x40
#define PIDE_IDETIM_DECODE 0x8000

/* Device control */
#define PIDE_CONTROL_NIEN 0x02
#define PIDE_CONTROL_SRST 0x04
#define PIDE_CONTROL_HOB 0x80
#define PIDE_DEVICE_UNIT 0x10

/* Bus master registers */
#define PIDE_BM_START 0x01
#define PIDE_BM_TO_MEMORY 0x08
#define PIDE_BM_ACTIVE 0x01
#define PIDE_BM_ERROR 0x02
#define PIDE_BM_INTERRUPT 0x04
#define PIDE_BM_DRIVES 0x60

/* Interrupt reason of PACKET */
#define PIDE_REASON_COMMAND 1
#define PIDE_REASON_IN 2
#define PIDE_REASON_STATUS 3

#define PIDE_PACKET 0xa0
#define PIDE_PACKET_BYTES 12

typedef enum {
  PIDE_IDLE,
  PIDE_RUNNING,  /* the drive has it */
  PIDE_DMA_WAIT, /* for the start bit */
  PIDE_READING,  /* the guest takes data */
  PIDE_WRITING,  /* the guest brings data */
  PIDE_COMMAND,  /* the guest brings a packet */
} PidePhase;

typedef enum {
  PIDE_OUT = 1 << 0, /* PIO to the drive */
  PIDE_IN = 1 << 1,  /* PIO of sectors, which may be done in parts */
  PIDE_DMA = 1 << 2,
  PIDE_EXT = 1 << 3,
  PIDE_MULTIPLE = 1 << 4,
  PIDE_ONE = 1 << 5, /* one sector, whatever the count says */
} PideFlags;

typedef struct {
  guint8 cur_command, cur_device; /* of the command under way */
  guint8 status, error;
  guint8 feature[2], count[2], lba[6]; /* [1] and [3…5]: what was there before (48 bits) */
  guint8 device, control;
  guint8 phase;
  guint8 irq; /* INTRQ */
  guint8 bm_command, bm_status;
  guint8 multiple[2]; /* sectors a block of READ and WRITE MULTIPLE, by unit */
  guint8 cdb[PIDE_PACKET_BYTES];
  guint16 cur_feature, cur_count;
  guint32 prdt;
  guint64 cur_lba;
  guint32 left;             /* sectors of a PIO command after this part */
  guint32 part;             /* sectors of this part */
  guint32 flags;            /* PideFlags of the command */
  guint32 position, filled; /* in the buffer */
  guint32 block_end;        /* where DRQ falls */
  guint32 block;            /* bytes a DRQ block */
  guint8 buffer[PIDE_BUFFER];
} PideChannelRegs;

typedef struct {
  PideChannelRegs channel[PIDE_CHANNELS];
} PideRegs;

typedef struct _PiixIde PiixIde;

typedef struct {
  VmmSataTask task; /* first */
  PiixIde *ide;
  guint index;
  VmmSataDrive *drives[2]; /* (nullable) */
  VmmRegion ports, control_port;
  VmmIrqPin pin;
  gboolean active; /* the drive has the task */
  gboolean reset_due;
  gboolean is_dma;
  guint prd; /* the walk of the table */
  guint32 prd_used;
  gboolean bad_memory;
} PideChannel;

struct _PiixIde {
  VmmPciDevice pci;
  PideRegs regs;
  VmmSataHost host;
  PideChannel channels[PIDE_CHANNELS];
};

#define PIDE_FIELDS(n)                                                                                                             \
  VMM_FIELD (PideRegs, channel[n].cur_command), VMM_FIELD (PideRegs, channel[n].cur_device),                                       \
      VMM_FIELD (PideRegs, channel[n].status), VMM_FIELD (PideRegs, channel[n].error),                                             \
      VMM_FIELD_BLOB (PideRegs, channel[n].feature), VMM_FIELD_BLOB (PideRegs, channel[n].count),                                  \
      VMM_FIELD_BLOB (PideRegs, channel[n].lba), VMM_FIELD (PideRegs, channel[n].device),                                          \
      VMM_FIELD (PideRegs, channel[n].control), VMM_FIELD_MAX (PideRegs, channel[n].phase, PIDE_COMMAND),                          \
      VMM_FIELD_MAX (PideRegs, channel[n].irq, 1), VMM_FIELD (PideRegs, channel[n].bm_command),                                    \
      VMM_FIELD (PideRegs, channel[n].bm_status), VMM_FIELD_BLOB (PideRegs, channel[n].multiple),                                  \
      VMM_FIELD_BLOB (PideRegs, channel[n].cdb), VMM_FIELD (PideRegs, channel[n].cur_feature),                                     \
      VMM_FIELD (PideRegs, channel[n].cur_count), VMM_FIELD (PideRegs, channel[n].prdt), VMM_FIELD (PideRegs, channel[n].cur_lba), \
      VMM_FIELD_MAX (PideRegs, channel[n].left, 65536), VMM_FIELD_MAX (PideRegs, channel[n].part, PIDE_BUFFER / 512),              \
      VMM_FIELD (PideRegs, channel[n].flags), VMM_FIELD_MAX (PideRegs, channel[n].position, PIDE_BUFFER),                          \
      VMM_FIELD_MAX (PideRegs, channel[n].filled, PIDE_BUFFER), VMM_FIELD_MAX (PideRegs, channel[n].block_end, PIDE_BUFFER),       \
      VMM_FIELD_MAX (PideRegs, channel[n].block, PIDE_BUFFER), VMM_FIELD_BLOB (PideRegs, channel[n].buffer)

static const VmmField pide_fields[] = { PIDE_FIELDS (0), PIDE_FIELDS (1), VMM_FIELD_END };

static PideChannelRegs *
pide_regs (PideChannel *channel)
{
  return &channel->ide->regs.channel[channel->index];
}

static guint
pide_unit (PideChannel *channel)
{
  return (pide_regs (channel)->device & PIDE_DEVICE_UNIT) != 0;
}

static VmmSataDrive *
pide_drive (PideChannel *channel)
{
  return channel->drives[pide_unit (channel)];
}

/* === Interrupts === */

static void
pide_update_irq (PideChannel *channel)
{
  PideChannelRegs *regs = pide_regs (channel);

  vmm_irq_pin_set (&channel->pin, regs->irq && (regs->control & PIDE_CONTROL_NIEN) == 0);
}

static void
pide_interrupt (PideChannel *channel)
{
  PideChannelRegs *regs = pide_regs (channel);

  regs->irq = TRUE;
  regs->bm_status |= PIDE_BM_INTERRUPT;
  pide_update_irq (channel);
}

/* === Answers === */

static void
pide_set_answer (PideChannel *channel, const VmmAtaRegisters *out)
{
  PideChannelRegs *regs = pide_regs (channel);

  regs->status = out->status & (guint8) ~(VMM_ATA_STATUS_BSY | VMM_ATA_STATUS_DRQ);
  regs->error = out->error;
  regs->count[0] = (guint8) out->count;
  regs->count[1] = (guint8) (out->count >> 8);
  for (guint i = 0; i < 6; i++)
    regs->lba[i] = (guint8) (out->lba >> 8 * i);
}

static void
pide_end (PideChannel *channel)
{
  PideChannelRegs *regs = pide_regs (channel);

  regs->phase = PIDE_IDLE;
  regs->flags = 0;
  regs->left = 0;
  pide_interrupt (channel);
}

static void
pide_abort_command (PideChannel *channel)
{
  PideChannelRegs *regs = pide_regs (channel);

  regs->status = VMM_ATA_STATUS_DRDY | VMM_ATA_STATUS_DSC | VMM_ATA_STATUS_ERR;
  regs->error = VMM_ATA_ERROR_ABRT;
  pide_end (channel);
}

/* === Data through the buffer === */

/* The next block of the buffer stands ready, or is wanted. */
static void
pide_offer_block (PideChannel *channel, gboolean interrupt)
{
  PideChannelRegs *regs = pide_regs (channel);

  regs->block_end = MIN (regs->position + regs->block, regs->filled);
  regs->status = VMM_ATA_STATUS_DRDY | VMM_ATA_STATUS_DSC | VMM_ATA_STATUS_DRQ;
  if (regs->cur_command == PIDE_PACKET && regs->phase == PIDE_READING)
    {
      guint32 bytes = regs->block_end - regs->position;

      regs->count[0] = PIDE_REASON_IN;
      regs->lba[1] = (guint8) bytes;
      regs->lba[2] = (guint8) (bytes >> 8);
    }
  if (interrupt)
    pide_interrupt (channel);
}

static void pide_start_part (PideChannel *channel);
static void pide_run (PideChannel *channel);

/* The guest took the last byte of a block (§9.5). */
static void
pide_block_read (PideChannel *channel)
{
  PideChannelRegs *regs = pide_regs (channel);

  if (regs->position < regs->filled)
    pide_offer_block (channel, TRUE);
  else if (regs->left > 0)
    pide_start_part (channel);
  else if (regs->cur_command == PIDE_PACKET)
    {
      regs->status = VMM_ATA_STATUS_DRDY | VMM_ATA_STATUS_DSC;
      regs->count[0] = PIDE_REASON_STATUS;
      pide_end (channel);
    }
  else
    {
      regs->status = VMM_ATA_STATUS_DRDY | VMM_ATA_STATUS_DSC;
      regs->phase = PIDE_IDLE;
    }
}

/* The guest brought the last byte of a block (§9.6). */
static void
pide_block_written (PideChannel *channel)
{
  PideChannelRegs *regs = pide_regs (channel);

  if (regs->position < regs->filled)
    {
      pide_offer_block (channel, TRUE);
      return;
    }
  if (regs->phase == PIDE_COMMAND)
    memcpy (regs->cdb, regs->buffer, sizeof regs->cdb);
  regs->position = 0;
  if (regs->phase == PIDE_COMMAND && (regs->cur_feature & 1) != 0)
    {
      regs->status = VMM_ATA_STATUS_BSY;
      regs->phase = PIDE_DMA_WAIT;
      if ((regs->bm_command & PIDE_BM_START) != 0)
        pide_run (channel);
      return;
    }
  pide_run (channel);
}

static guint64
pide_data_read (PideChannel *channel, guint size)
{
  PideChannelRegs *regs = pide_regs (channel);
  guint64 value = 0;

  if (regs->phase != PIDE_READING)
    return 0;
  for (guint i = 0; i < size && regs->position < regs->block_end; i++)
    value |= (guint64) regs->buffer[regs->position++] << 8 * i;
  if (regs->position >= regs->block_end)
    pide_block_read (channel);
  return value;
}

static void
pide_data_write (PideChannel *channel, guint size, guint64 value)
{
  PideChannelRegs *regs = pide_regs (channel);

  if (regs->phase != PIDE_WRITING && regs->phase != PIDE_COMMAND)
    return;
  for (guint i = 0; i < size && regs->position < regs->block_end; i++)
    regs->buffer[regs->position++] = (guint8) (value >> 8 * i);
  if (regs->position >= regs->block_end)
    pide_block_written (channel);
}

/* === The drive's side === */

/* Memory of a task by PIO: the buffer. */
static gsize
pide_map_buffer (PideChannel *channel, gsize max_bytes, gsize granule, struct iovec *iov, guint *ret_n)
{
  PideChannelRegs *regs = pide_regs (channel);
  gsize room = ((regs->flags & PIDE_OUT) != 0 ? regs->filled : PIDE_BUFFER) - regs->position;
  gsize bytes = MIN (room, max_bytes);

  bytes -= bytes % granule;
  iov[0] = (struct iovec) { regs->buffer + regs->position, bytes };
  regs->position += (guint32) bytes;
  *ret_n = bytes > 0;
  return bytes;
}

/* By DMA: what the table names. An entry: address, count (0: 64 KiB), bit 31 of the second word: the last. */
static gsize
pide_map_prds (PideChannel *channel, gsize max_bytes, gsize granule, struct iovec *iov, guint max_iov, guint *ret_n)
{
  PiixIde *ide = channel->ide;
  PideChannelRegs *regs = pide_regs (channel);
  guint prd = channel->prd, n = 0, cut_n = 0, cut_prd = prd;
  guint32 used = channel->prd_used, cut_used = used;
  gsize total = 0, cut_bytes = 0, cut_last = 0;

  while (total < max_bytes && prd < PIDE_PRD_MAX)
    {
      guint32 entry[2];
      gsize len, take;
      guint8 *host;

      if (!vmm_pci_dma_read (&ide->pci, regs->prdt + (guint64) prd * 8, entry, sizeof entry))
        {
          channel->bad_memory = TRUE;
          break;
        }
      len = GUINT32_FROM_LE (entry[1]) & 0xfffe;
      len = len != 0 ? len : 0x10000;
      if (used >= len)
        {
          if ((GUINT32_FROM_LE (entry[1]) & 0x80000000u) != 0)
            break;
          prd++;
          used = 0;
          continue;
        }
      take = MIN (len - used, max_bytes - total);
      host = vmm_pci_dma_map (&ide->pci, (guint64) (GUINT32_FROM_LE (entry[0]) & ~1u) + used, take);
      if (host == NULL)
        {
          channel->bad_memory = TRUE;
          break;
        }
      if (n > 0 && (guint8 *) iov[n - 1].iov_base + iov[n - 1].iov_len == host)
        iov[n - 1].iov_len += take;
      else if (n < max_iov)
        iov[n++] = (struct iovec) { host, take };
      else
        break;
      total += take;
      used += (guint32) take;
      if (total - total % granule > cut_bytes)
        {
          gsize excess = total % granule;

          cut_bytes = total - excess;
          cut_n = n;
          cut_last = iov[n - 1].iov_len - excess;
          cut_prd = prd;
          cut_used = used - (guint32) excess;
        }
    }
  channel->prd = cut_prd;
  channel->prd_used = cut_used;
  if (cut_n > 0)
    iov[cut_n - 1].iov_len = cut_last;
  *ret_n = cut_n;
  return cut_bytes;
}

static gsize
pide_map (VmmSataTask *task, gsize max_bytes, gsize granule, struct iovec *iov, guint max_iov, guint *ret_n)
{
  PideChannel *channel = (PideChannel *) task;

  if (channel->is_dma)
    return pide_map_prds (channel, max_bytes, granule, iov, max_iov, ret_n);
  return pide_map_buffer (channel, max_bytes, granule, iov, ret_n);
}

static void
pide_put_signature (PideChannel *channel)
{
  VmmSataDrive *drive = pide_drive (channel);
  VmmAtaRegisters out = { 0 };

  if (drive != NULL)
    drive->ops->get_signature (drive, &out);
  pide_set_answer (channel, &out);
}

/* §9.2: both drives to their start values, the first selected. */
static void
pide_reset_drives (PideChannel *channel, VmmSataReset kind)
{
  PideChannelRegs *regs = pide_regs (channel);

  channel->reset_due = FALSE;
  for (guint i = 0; i < 2; i++)
    if (channel->drives[i] != NULL)
      channel->drives[i]->ops->reset (channel->drives[i], kind);
  regs->device = 0;
  regs->irq = FALSE;
  pide_put_signature (channel);
  pide_update_irq (channel);
}

static void
pide_complete_dma (PideChannel *channel)
{
  PideChannelRegs *regs = pide_regs (channel);

  if (channel->bad_memory)
    {
      vmm_guest_error (&channel->ide->pci.base, "channel %u: the data's memory is none", channel->index);
      regs->bm_status |= PIDE_BM_ERROR;
    }
  regs->bm_status &= (guint8) ~PIDE_BM_ACTIVE;
  pide_end (channel);
}

static void
pide_complete (VmmSataTask *task)
{
  PideChannel *channel = (PideChannel *) task;
  PideChannelRegs *regs = pide_regs (channel);
  gboolean failed = (task->out.status & (VMM_ATA_STATUS_ERR | VMM_ATA_STATUS_DF)) != 0;
  guint32 limit;

  channel->active = FALSE;
  if (task->aborted)
    {
      vmm_sata_task_clear (task);
      if (channel->reset_due)
        pide_reset_drives (channel, VMM_SATA_RESET_SOFT);
      return;
    }
  pide_set_answer (channel, &task->out);
  if (!failed && regs->cur_command == 0xc6)
    regs->multiple[pide_unit (channel)] = (guint8) regs->cur_count;
  vmm_sata_task_clear (task);
  if (channel->is_dma)
    pide_complete_dma (channel);
  else if (failed)
    pide_end (channel);
  else if ((regs->flags & PIDE_OUT) != 0)
    {
      if (regs->left > 0)
        pide_start_part (channel);
      else
        pide_end (channel);
    }
  else if (regs->position == 0)
    pide_end (channel); /* no data */
  else
    {
      regs->filled = regs->position;
      regs->position = 0;
      regs->phase = PIDE_READING;
      if (regs->cur_command == PIDE_PACKET)
        {
          /* At most what the guest said, and even unless it is the last (§8.23.5). */
          limit = (guint32) (regs->cur_lba >> 8 & 0xffff);
          limit = limit == 0 || limit == 0xffff ? 0xfffe : limit;
          regs->block = limit > 1 ? limit & ~1u : limit;
        }
      pide_offer_block (channel, TRUE);
    }
}

/* Hands the command, or its next part, to the drive. */
static void
pide_run (PideChannel *channel)
{
  PideChannelRegs *regs = pide_regs (channel);
  VmmSataTask *task = &channel->task;
  gboolean parts = (regs->flags & (PIDE_IN | PIDE_OUT)) != 0 && (regs->flags & PIDE_ONE) == 0;

  if (channel->ide->host.quiesced)
    {
      regs->phase = PIDE_RUNNING; /* resume begins it */
      regs->status = VMM_ATA_STATUS_BSY;
      return;
    }
  *task = (VmmSataTask) { .host = &channel->ide->host,
                          .drive = pide_drive (channel),
                          .iov = task->iov,
                          .iov_size = task->iov_size,
                          .has_cdb = regs->cur_command == PIDE_PACKET };
  if (task->drive == NULL)
    {
      pide_abort_command (channel);
      return;
    }
  task->in = (VmmAtaRegisters) { .command = regs->cur_command,
                                 .device = regs->cur_device,
                                 .feature = regs->cur_feature,
                                 .count = parts ? (guint16) regs->part : regs->cur_count,
                                 .lba = regs->cur_lba };
  memcpy (task->cdb, regs->cdb, sizeof regs->cdb);
  regs->phase = PIDE_RUNNING;
  regs->status = VMM_ATA_STATUS_BSY;
  regs->position = 0;
  channel->is_dma = (regs->flags & PIDE_DMA) != 0 || (regs->cur_command == PIDE_PACKET && (regs->cur_feature & 1) != 0);
  channel->prd = 0;
  channel->prd_used = 0;
  channel->bad_memory = FALSE;
  channel->active = TRUE;
  task->drive->ops->start (task->drive, task);
}

/* A part that fits the buffer. The addresses of the parts behind the first are ours to count (24 bits and 4 of the device register,
 * or 48; cylinders and heads never need more than one part). */
static void
pide_start_part (PideChannel *channel)
{
  PideChannelRegs *regs = pide_regs (channel);

  if ((regs->flags & PIDE_EXT) != 0)
    regs->cur_lba += regs->part;
  else
    {
      guint32 lba = ((regs->cur_device & 0x0fu) << 24 | (guint32) (regs->cur_lba & 0xffffff)) + regs->part;

      regs->cur_lba = lba & 0xffffff;
      regs->cur_device = (guint8) ((regs->cur_device & 0xf0) | (lba >> 24 & 0x0f));
    }
  regs->part = MIN (regs->left, PIDE_BUFFER / VMM_ATA_SECTOR);
  regs->left -= regs->part;
  regs->position = 0;
  if ((regs->flags & PIDE_OUT) != 0)
    {
      regs->filled = regs->part * VMM_ATA_SECTOR;
      regs->phase = PIDE_WRITING;
      pide_offer_block (channel, TRUE);
    }
  else
    pide_run (channel);
}

/* === Commands === */

/* What the wire must know of a command; all others move no data, or up to a sector to the guest. */
static const struct {
  guint8 command, flags;
} pide_commands[] = {
  { 0x20, PIDE_IN },
  { 0x21, PIDE_IN },
  { 0x24, PIDE_IN | PIDE_EXT },
  { 0x29, PIDE_IN | PIDE_EXT | PIDE_MULTIPLE },
  { 0xc4, PIDE_IN | PIDE_MULTIPLE },
  { 0x30, PIDE_OUT },
  { 0x31, PIDE_OUT },
  { 0x34, PIDE_OUT | PIDE_EXT },
  { 0x39, PIDE_OUT | PIDE_EXT | PIDE_MULTIPLE },
  { 0xc5, PIDE_OUT | PIDE_MULTIPLE },
  { 0xce, PIDE_OUT | PIDE_EXT | PIDE_MULTIPLE },
  { 0xe8, PIDE_OUT | PIDE_ONE },
  { 0x25, PIDE_DMA | PIDE_EXT },
  { 0x35, PIDE_DMA | PIDE_EXT },
  { 0x3d, PIDE_DMA | PIDE_EXT },
  { 0x06, PIDE_DMA | PIDE_EXT },
  { 0x47, PIDE_DMA | PIDE_EXT },
  { 0xc8, PIDE_DMA },
  { 0xc9, PIDE_DMA },
  { 0xca, PIDE_DMA },
  { 0xcb, PIDE_DMA },
  { 0xe9, PIDE_DMA },
  { 0xeb, PIDE_DMA },
};

static guint32
pide_flags_of (guint8 command)
{
  for (guint i = 0; i < G_N_ELEMENTS (pide_commands); i++)
    if (pide_commands[i].command == command)
      return pide_commands[i].flags;
  return 0;
}

static gboolean
pide_is_atapi (VmmSataDrive *drive)
{
  VmmAtaRegisters signature = { 0 };

  drive->ops->get_signature (drive, &signature);
  return signature.lba >> 8 == 0xeb14;
}

static void
pide_begin (PideChannel *channel, guint8 command)
{
  PideChannelRegs *regs = pide_regs (channel);
  guint32 flags = pide_is_atapi (pide_drive (channel)) ? 0 : pide_flags_of (command), n;
  gboolean ext = (flags & PIDE_EXT) != 0 || command == 0x2f || command == 0xea || command == 0x42;

  regs->cur_command = command;
  regs->cur_device = regs->device;
  regs->cur_feature = (guint16) (regs->feature[0] | (ext ? regs->feature[1] << 8 : 0));
  regs->cur_count = (guint16) (regs->count[0] | (ext ? regs->count[1] << 8 : 0));
  regs->cur_lba = 0;
  for (guint i = 0; i < (ext ? 6 : 3); i++)
    regs->cur_lba |= (guint64) regs->lba[i] << 8 * i;
  regs->flags = flags;
  regs->position = regs->filled = regs->left = regs->part = 0;
  regs->block = VMM_ATA_SECTOR;
  regs->error = 0;
  if (command == PIDE_PACKET && pide_is_atapi (pide_drive (channel)))
    {
      regs->filled = regs->block_end = PIDE_PACKET_BYTES;
      regs->phase = PIDE_COMMAND;
      regs->status = VMM_ATA_STATUS_DRDY | VMM_ATA_STATUS_DRQ;
      regs->count[0] = PIDE_REASON_COMMAND;
      return;
    }
  if (vmm_ata_is_queued (command) || ((flags & PIDE_MULTIPLE) != 0 && regs->multiple[pide_unit (channel)] == 0))
    {
      pide_abort_command (channel);
      return;
    }
  if ((flags & PIDE_DMA) != 0)
    {
      regs->status = VMM_ATA_STATUS_BSY;
      regs->phase = PIDE_DMA_WAIT;
      if ((regs->bm_command & PIDE_BM_START) != 0)
        pide_run (channel);
      return;
    }
  if ((flags & PIDE_MULTIPLE) != 0)
    regs->block = regs->multiple[pide_unit (channel)] * VMM_ATA_SECTOR;
  n = (flags & PIDE_ONE) != 0 ? 1 : regs->cur_count != 0 ? regs->cur_count : ext ? 65536 : 256;
  if ((flags & (PIDE_IN | PIDE_OUT)) != 0)
    {
      regs->part = MIN (n, PIDE_BUFFER / VMM_ATA_SECTOR);
      regs->left = n - regs->part;
    }
  if ((flags & PIDE_OUT) != 0)
    {
      regs->filled = regs->part * VMM_ATA_SECTOR;
      regs->phase = PIDE_WRITING;
      pide_offer_block (channel, FALSE); /* the first block comes without an interrupt */
      return;
    }
  pide_run (channel);
}

static void
pide_write_command (PideChannel *channel, guint8 command)
{
  PideChannelRegs *regs = pide_regs (channel);
  VmmSataDrive *drive = pide_drive (channel);

  regs->irq = FALSE;
  pide_update_irq (channel);
  if (drive == NULL || (regs->control & PIDE_CONTROL_SRST) != 0 || channel->active)
    return;
  if (command == 0x08) /* DEVICE RESET, for packet drives */
    {
      if (pide_is_atapi (drive))
        {
          drive->ops->reset (drive, VMM_SATA_RESET_SOFT);
          regs->phase = PIDE_IDLE;
          pide_put_signature (channel);
        }
      else
        {
          regs->cur_command = command;
          pide_abort_command (channel);
        }
      return;
    }
  if ((regs->status & VMM_ATA_STATUS_BSY) != 0)
    return;
  pide_begin (channel, command);
}

static void
pide_write_control (PideChannel *channel, guint8 value)
{
  PideChannelRegs *regs = pide_regs (channel);
  guint8 before = regs->control;

  regs->control = value;
  if ((value & ~before & PIDE_CONTROL_SRST) != 0)
    {
      if (channel->active)
        {
          channel->task.aborted = TRUE;
          channel->reset_due = TRUE;
          if (channel->task.parked)
            {
              channel->active = FALSE;
              vmm_sata_task_clear (&channel->task);
            }
        }
      regs->phase = PIDE_IDLE;
      regs->status = VMM_ATA_STATUS_BSY;
      regs->irq = FALSE;
    }
  else if ((before & ~value & PIDE_CONTROL_SRST) != 0 && !channel->active)
    pide_reset_drives (channel, VMM_SATA_RESET_SOFT);
  pide_update_irq (channel);
}

/* === Ports === */

static guint8
pide_read_status (PideChannel *channel)
{
  return pide_drive (channel) != NULL ? pide_regs (channel)->status : 0;
}

static guint64
pide_port_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  PideChannel *channel = opaque;
  PideChannelRegs *regs = pide_regs (channel);
  guint hob = (regs->control & PIDE_CONTROL_HOB) != 0;
  guint8 status;

  if (channel->drives[0] == NULL && channel->drives[1] == NULL)
    return G_MAXUINT64; /* nothing drives the bus */
  switch (offset)
    {
    case 0:
      return pide_data_read (channel, size);
    case 1:
      return regs->error;
    case 2:
      return regs->count[hob];
    case 3:
    case 4:
    case 5:
      return regs->lba[offset - 3 + 3 * hob];
    case 6:
      return regs->device | 0xa0;
    default:
      status = pide_read_status (channel);
      regs->irq = FALSE;
      pide_update_irq (channel);
      return status;
    }
}

static void
pide_port_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  PideChannel *channel = opaque;
  PideChannelRegs *regs = pide_regs (channel);

  if (offset != 0)
    regs->control &= (guint8) ~PIDE_CONTROL_HOB;
  switch (offset)
    {
    case 0:
      pide_data_write (channel, size, value);
      break;
    case 1:
      regs->feature[1] = regs->feature[0];
      regs->feature[0] = (guint8) value;
      break;
    case 2:
      regs->count[1] = regs->count[0];
      regs->count[0] = (guint8) value;
      break;
    case 3:
    case 4:
    case 5:
      regs->lba[offset] = regs->lba[offset - 3];
      regs->lba[offset - 3] = (guint8) value;
      break;
    case 6:
      if (channel->active || regs->phase != PIDE_IDLE)
        break; /* not while a command is under way */
      if (((regs->device ^ value) & PIDE_DEVICE_UNIT) != 0)
        {
          regs->device = (guint8) value;
          if (pide_drive (channel) != NULL && (regs->status & VMM_ATA_STATUS_BSY) == 0)
            regs->status = pide_is_atapi (pide_drive (channel)) ? 0 : VMM_ATA_STATUS_DRDY | VMM_ATA_STATUS_DSC;
        }
      regs->device = (guint8) value;
      break;
    default:
      pide_write_command (channel, (guint8) value);
      break;
    }
}

/* Words and dwords exist at the data port alone, and the bus splits what is not aligned. */
static const VmmRegionOps pide_port_ops = { .name = "ide", .read = pide_port_read, .write = pide_port_write, .access_max = 4 };

static guint64
pide_control_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  PideChannel *channel = opaque;

  if (channel->drives[0] == NULL && channel->drives[1] == NULL)
    return G_MAXUINT64;
  return pide_read_status (channel);
}

static void
pide_control_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  pide_write_control (opaque, (guint8) value);
}

static const VmmRegionOps pide_control_ops = { .name = "ide-control",
                                               .read = pide_control_read,
                                               .write = pide_control_write,
                                               .access_max = 1 };

/* Bus master registers: command, status and table of each channel. */

static guint64
pide_bm_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  PideChannelRegs *regs = &((PiixIde *) dev)->regs.channel[offset / 8];

  switch (offset % 8)
    {
    case 0:
      return regs->bm_command;
    case 2:
      return regs->bm_status;
    case 4:
    case 5:
    case 6:
    case 7:
      return regs->prdt >> 8 * (offset % 4);
    default:
      return 0;
    }
}

static void
pide_bm_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  PiixIde *ide = (PiixIde *) dev;
  PideChannel *channel = &ide->channels[offset / 8];
  PideChannelRegs *regs = pide_regs (channel);
  guint shift = 8 * (guint) (offset % 4);
  guint8 before = regs->bm_command;

  switch (offset % 8)
    {
    case 0:
      regs->bm_command = (guint8) value & (PIDE_BM_START | PIDE_BM_TO_MEMORY);
      if ((regs->bm_command & ~before & PIDE_BM_START) != 0)
        {
          regs->bm_status |= PIDE_BM_ACTIVE;
          if (regs->phase == PIDE_DMA_WAIT)
            pide_run (channel);
        }
      else if ((before & ~regs->bm_command & PIDE_BM_START) != 0)
        regs->bm_status &= (guint8) ~PIDE_BM_ACTIVE;
      break;
    case 2:
      regs->bm_status = (guint8) ((regs->bm_status & ~PIDE_BM_DRIVES & ~(value & (PIDE_BM_ERROR | PIDE_BM_INTERRUPT)))
                                  | (value & PIDE_BM_DRIVES));
      break;
    case 4:
    case 5:
    case 6:
    case 7:
      regs->prdt = (guint32) ((regs->prdt & ~(0xffull << shift)) | (value & 0xff) << shift) & ~3u;
      break;
    default:
      break;
    }
}

static const VmmRegionOps pide_bm_ops = { .name = "ide-dma", .read = pide_bm_read, .write = pide_bm_write, .access_max = 1 };

/* === The function === */

static void
pide_update_ports (PiixIde *ide)
{
  static const guint16 ports[] = { 0x1f0, 0x170 }, controls[] = { 0x3f6, 0x376 };
  VmmBus *bus = vmm_device_get_bus (&ide->pci.base);
  const guint8 *config = ide->pci.pci.config;

  for (guint i = 0; i < PIDE_CHANNELS; i++)
    {
      PideChannel *channel = &ide->channels[i];
      gboolean decode = (config[4] & 1) != 0 && (config[PIDE_IDETIM + 2 * i + 1] & PIDE_IDETIM_DECODE >> 8) != 0;

      if (decode == channel->ports.mapped)
        continue;
      if (decode)
        {
          vmm_region_map (bus, &channel->ports, ports[i]);
          vmm_region_map (bus, &channel->control_port, controls[i]);
        }
      else
        {
          vmm_region_unmap (bus, &channel->ports);
          vmm_region_unmap (bus, &channel->control_port);
        }
    }
}

static void
pide_config_written (VmmPciDevice *pci, guint offset, guint size)
{
  pide_update_ports ((PiixIde *) pci);
}

static void
pide_reset_channel (PideChannel *channel)
{
  PideChannelRegs *regs = pide_regs (channel);

  if (channel->active)
    {
      channel->task.aborted = TRUE; /* parked: nothing was submitted */
      channel->active = FALSE;
      vmm_sata_task_clear (&channel->task);
    }
  memset (regs, 0, G_STRUCT_OFFSET (PideChannelRegs, buffer));
  regs->multiple[0] = regs->multiple[1] = 16; /* as the disks have it from power on */
  pide_reset_drives (channel, VMM_SATA_RESET_HARDWARE);
}

static void
pide_reset (VmmDevice *dev, VmmResetKind kind)
{
  PiixIde *ide = (PiixIde *) dev;

  vmm_pci_device_reset (&ide->pci);
  /* Power on leaves the channels off (§2.3.9); not every firmware turns them on, so they begin so. */
  ide->pci.pci.config[PIDE_IDETIM + 1] = ide->pci.pci.config[PIDE_IDETIM + 3] = PIDE_IDETIM_DECODE >> 8;
  for (guint i = 0; i < PIDE_CHANNELS; i++)
    pide_reset_channel (&ide->channels[i]);
  pide_update_ports (ide);
}

static void
pide_nothing (gpointer data)
{
}

static void
pide_quiesce (VmmDevice *dev)
{
  PiixIde *ide = (PiixIde *) dev;

  vmm_device_lock (dev);
  ide->host.quiesced = TRUE;
  vmm_device_unlock (dev);
  for (guint i = 0; i < PIDE_CHANNELS; i++)
    for (guint unit = 0; unit < 2; unit++)
      if (ide->channels[i].drives[unit] != NULL)
        vmm_sata_drive_drain (ide->channels[i].drives[unit]);
  vmm_iothread_call_sync (vmm_device_get_iothread (dev), pide_nothing, NULL);
}

static void
pide_resume (VmmDevice *dev)
{
  PiixIde *ide = (PiixIde *) dev;

  vmm_device_lock (dev);
  ide->host.quiesced = FALSE;
  for (guint i = 0; i < PIDE_CHANNELS; i++)
    {
      PideChannel *channel = &ide->channels[i];

      if (channel->active)
        vmm_sata_task_unpark (&channel->task);
      else if (pide_regs (channel)->phase == PIDE_RUNNING)
        pide_run (channel);
    }
  vmm_device_unlock (dev);
}

static gboolean
pide_post_load (VmmDevice *dev, GError **error)
{
  PiixIde *ide = (PiixIde *) dev;

  vmm_pci_device_post_load (&ide->pci);
  pide_update_ports (ide);
  for (guint i = 0; i < PIDE_CHANNELS; i++)
    {
      PideChannel *channel = &ide->channels[i];
      PideChannelRegs *regs = pide_regs (channel);

      if (regs->phase != PIDE_IDLE && pide_drive (channel) == NULL)
        {
          g_set_error (error, VMM_ERROR, VMM_ERROR_STATE_MISMATCH, "the saved machine has a drive at IDE channel %u", i);
          return FALSE;
        }
      regs->filled = MAX (regs->filled, regs->position);
      regs->block_end = MIN (regs->block_end, regs->filled);
      channel->active = channel->reset_due = FALSE;
      vmm_sata_task_clear (&channel->task);
      pide_update_irq (channel);
    }
  return TRUE;
}

static void
pide_detach (VmmSataDrive *drive)
{
  PiixIde *ide = (PiixIde *) drive->host->controller;
  PideChannel *channel = &ide->channels[drive->port / 2];

  vmm_device_lock (&ide->pci.base);
  if (channel->active && channel->task.drive == drive)
    channel->task.aborted = TRUE;
  vmm_device_unlock (&ide->pci.base);
  vmm_sata_drive_drain (drive);
  vmm_device_lock (&ide->pci.base);
  channel->drives[drive->port % 2] = NULL;
  drive->host = NULL;
  vmm_device_unlock (&ide->pci.base);
}

static const VmmSataHostOps pide_host_ops = { .map = pide_map, .complete = pide_complete, .detach = pide_detach };

gboolean
vmm_piix_ide_attach (VmmSataDrive *drive, gint64 place, GError **error)
{
  VmmDevice *dev = vmm_device_find_class (&drive->base, "piix-ide");
  PiixIde *ide;

  if (dev == NULL)
    dev = vmm_device_new (drive->base.machine, vmm_device_class_find ("piix-ide"), "ide", NULL, error);
  if (dev == NULL)
    return FALSE;
  ide = (PiixIde *) dev;
  for (gint64 i = place < 0 ? 0 : place; i < (place < 0 ? 2 * PIDE_CHANNELS : place + 1); i++)
    if (ide->channels[i / 2].drives[i % 2] == NULL)
      {
        vmm_device_lock (dev);
        ide->channels[i / 2].drives[i % 2] = drive;
        drive->host = &ide->host;
        drive->port = (guint) i;
        pide_reset_drives (&ide->channels[i / 2], VMM_SATA_RESET_HARDWARE);
        vmm_device_unlock (dev);
        return TRUE;
      }
  if (place < 0)
    g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "the IDE controller has no place left (of %d)", 2 * PIDE_CHANNELS);
  else
    g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "IDE place %d has a drive already", (int) place);
  return FALSE;
}

char *
vmm_piix_ide_dup_boot_path (VmmSataDrive *drive)
{
  const VmmPciDevice *pci = (const VmmPciDevice *) drive->host->controller;

  return g_strdup_printf ("/pci@i0cf8/ide@%x/drive@%u/disk@%u", (guint) pci->devfn >> 3, drive->port / 2, drive->port % 2);
}

static void
pide_unrealize (VmmDevice *dev)
{
  PiixIde *ide = (PiixIde *) dev;
  VmmBus *bus = vmm_device_get_bus (dev);

  for (guint i = 0; i < PIDE_CHANNELS; i++)
    {
      PideChannel *channel = &ide->channels[i];

      for (guint unit = 0; unit < 2; unit++)
        if (channel->drives[unit] != NULL)
          pide_detach (channel->drives[unit]);
      vmm_sata_task_clear (&channel->task);
      g_free (channel->task.iov);
      vmm_region_unmap (bus, &channel->ports);
      vmm_region_unmap (bus, &channel->control_port);
    }
  vmm_iothread_call_sync (vmm_device_get_iothread (dev), pide_nothing, NULL);
  vmm_pci_device_clear (&ide->pci);
}

static gboolean
pide_realize (VmmDevice *dev, GError **error)
{
  static const VmmPciId id = { .vendor = 0x8086, .device = 0x7010, .class_code = 0x010180 };
  PiixIde *ide = (PiixIde *) dev;

  if (!vmm_pci_device_init (&ide->pci, -1, &id, error))
    return FALSE;
  memset (ide->pci.wmask + PIDE_IDETIM, 0xff, 4);
  vmm_pci_device_add_bar (&ide->pci, 4, VMM_PCI_BAR_IO, 16, VMM_PCI_BAR_32, &pide_bm_ops, ide);
  ide->pci.config_written = pide_config_written;
  ide->host = (VmmSataHost) { .ops = &pide_host_ops, .controller = dev, .parallel = TRUE };
  for (guint i = 0; i < PIDE_CHANNELS; i++)
    {
      PideChannel *channel = &ide->channels[i];

      channel->ide = ide;
      channel->index = i;
      vmm_irq_pin_init (&channel->pin, vmm_device_get_irq (dev), 14 + i);
      vmm_region_init (&channel->ports, dev, VMM_SPACE_PIO, &pide_port_ops, channel, 8, VMM_REGION_DEFAULT);
      vmm_region_init (&channel->control_port, dev, VMM_SPACE_PIO, &pide_control_ops, channel, 1, VMM_REGION_DEFAULT);
    }
  return TRUE;
}

const VmmDeviceClass vmm_piix_ide_class = {
  .name = "piix-ide",
  .summary = N_ ("IDE controller (PIIX3)"),
  .bus = VMM_DEVICE_PCI,
  .instance_size = sizeof (PiixIde),
  .regs_offset = G_STRUCT_OFFSET (PiixIde, regs),
  .regs_size = sizeof (PideRegs),
  .regs_fields = pide_fields,
  .state_version = 1,
  .realize = pide_realize,
  .reset = pide_reset,
  .quiesce = pide_quiesce,
  .resume = pide_resume,
  .unrealize = pide_unrealize,
  .post_load = pide_post_load,
};
