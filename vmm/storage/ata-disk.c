/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A SATA or IDE hard disk over an image.
 * Spec: ATA/ATAPI Command Set 3 (ACS-3), T13/2161-D revision 5; section and word numbers below. Left out: host protected area, device
 * configuration overlay, APM, AAM, self-tests and error logs of SMART, the passwords of the security feature set (the drive is frozen
 * from power on), streaming, long sectors.
 *
 * Theory of operation: every command is looked up in adisk_commands[]. Reads, writes, flushes and trims become transfers
 * (storage/sata.h) and end on the iothread; everything else ends at once. The write cache is the host's: a guest that switches it off,
 * or writes with FUA, gets a flush behind each write. After a queued command failed everything but reading the log that tells which is
 * refused, until then or a reset (§4.14.4). */
#include "core/clock.h"
#include "core/machine.h"
#include "storage/ata-smart.h"
#include "storage/sata.h"

#include <errno.h>
#include <string.h>

#define ADISK_MODEL "LODGE HARDDISK"
#define ADISK_FIRMWARE "1.0"
#define ADISK_SERIAL_MAX 20
#define ADISK_HEADS 16
#define ADISK_TRACK 63
#define ADISK_MAX_CYLINDERS 16383
#define ADISK_MAX_MULTIPLE 16
#define ADISK_MAX_LBA28 0x0fffffff
#define ADISK_TRIM_PAGES 8 /* of 512 bytes, word 105 */
#define ADISK_LOG_DIRECTORY 0x00
#define ADISK_LOG_QUEUED_ERROR 0x10
#define ADISK_READY (VMM_ATA_STATUS_DRDY | VMM_ATA_STATUS_DSC)
#define ADISK_MODE_UDMA6 0x46

typedef struct {
  guint64 failed_lba; /* of the queued command that failed */
  guint16 failed_count, failed_feature;
  guint16 heads, track; /* present translation for CHS addresses */
  guint8 failed_tag, failed_status, failed_error, failed_device;
  guint8 queue_failed; /* waits for its log to be read */
  guint8 multiple;     /* sectors; 0: READ and WRITE MULTIPLE are off */
  guint8 mode;         /* SET FEATURES 03 */
  guint8 write_cache, look_ahead, smart, standby;
  guint8 buffer[VMM_ATA_SECTOR];
} AtaDiskRegs;

typedef struct {
  VmmSataDrive drive;
  AtaDiskRegs regs;
  guint64 sectors;
  char *serial;
  gboolean discard;
} AtaDisk;

static const char *const adisk_formats[] = { "raw", "qcow2", NULL };
static const char *const adisk_caches[] = { "writeback", "direct", NULL };

static const VmmSetting adisk_settings[] = {
  { "image", VMM_SETTING_PATH, NULL, 0, 0, NULL, N_ ("Disk image"), VMM_SETTING_REQUIRED },
  { "format", VMM_SETTING_ENUM, "raw", 0, 0, adisk_formats, N_ ("Format of the image"), VMM_SETTING_NONE },
  { "cache", VMM_SETTING_ENUM, "writeback", 0, 0, adisk_caches, N_ ("Use the host's page cache, or go to the disk directly"),
    VMM_SETTING_NONE },
  { "readonly", VMM_SETTING_BOOL, "false", 0, 0, NULL, N_ ("Refuse all writes"), VMM_SETTING_NONE },
  { "serial", VMM_SETTING_STRING, NULL, 0, 0, NULL, N_ ("Serial number, up to 20 characters"), VMM_SETTING_NONE },
  { "port", VMM_SETTING_INT, "-1", -1, 5, NULL, N_ ("SATA port, -1 for the first that is free"), VMM_SETTING_NONE },
  { "discard", VMM_SETTING_BOOL, "true", 0, 0, NULL, N_ ("Give the space of deleted data back to the host"), VMM_SETTING_NONE },
  { "boot", VMM_SETTING_INT, "-1", -1, 1000, NULL, N_ ("Place in the boot order, -1 for none"), VMM_SETTING_NONE },
  { NULL },
};

static const VmmSetting adisk_ide_settings[] = {
  { "image", VMM_SETTING_PATH, NULL, 0, 0, NULL, N_ ("Disk image"), VMM_SETTING_REQUIRED },
  { "format", VMM_SETTING_ENUM, "raw", 0, 0, adisk_formats, N_ ("Format of the image"), VMM_SETTING_NONE },
  { "cache", VMM_SETTING_ENUM, "writeback", 0, 0, adisk_caches, N_ ("Use the host's page cache, or go to the disk directly"),
    VMM_SETTING_NONE },
  { "readonly", VMM_SETTING_BOOL, "false", 0, 0, NULL, N_ ("Refuse all writes"), VMM_SETTING_NONE },
  { "serial", VMM_SETTING_STRING, NULL, 0, 0, NULL, N_ ("Serial number, up to 20 characters"), VMM_SETTING_NONE },
  { "port", VMM_SETTING_INT, "-1", -1, 3, NULL,
    N_ ("Place: twice the channel, plus 1 for the second drive; -1 for the first that is free"), VMM_SETTING_NONE },
  { "discard", VMM_SETTING_BOOL, "true", 0, 0, NULL, N_ ("Give the space of deleted data back to the host"), VMM_SETTING_NONE },
  { "boot", VMM_SETTING_INT, "-1", -1, 1000, NULL, N_ ("Place in the boot order, -1 for none"), VMM_SETTING_NONE },
  { NULL },
};

static const VmmField adisk_fields[] = {
  VMM_FIELD (AtaDiskRegs, failed_lba),
  VMM_FIELD (AtaDiskRegs, failed_count),
  VMM_FIELD (AtaDiskRegs, failed_feature),
  VMM_FIELD_MAX (AtaDiskRegs, heads, 16),
  VMM_FIELD_MAX (AtaDiskRegs, track, 255),
  VMM_FIELD_MAX (AtaDiskRegs, failed_tag, 31),
  VMM_FIELD (AtaDiskRegs, failed_status),
  VMM_FIELD (AtaDiskRegs, failed_error),
  VMM_FIELD (AtaDiskRegs, failed_device),
  VMM_FIELD_MAX (AtaDiskRegs, queue_failed, 1),
  VMM_FIELD_MAX (AtaDiskRegs, multiple, ADISK_MAX_MULTIPLE),
  VMM_FIELD (AtaDiskRegs, mode),
  VMM_FIELD_MAX (AtaDiskRegs, write_cache, 1),
  VMM_FIELD_MAX (AtaDiskRegs, look_ahead, 1),
  VMM_FIELD_MAX (AtaDiskRegs, smart, 1),
  VMM_FIELD_MAX (AtaDiskRegs, standby, 1),
  VMM_FIELD_BLOB (AtaDiskRegs, buffer),
  VMM_FIELD_END,
};

static AtaDisk *
adisk_of (VmmSataTask *task)
{
  return (AtaDisk *) task->drive;
}

/* === Answers === */

static void
adisk_succeed (VmmSataTask *task)
{
  task->out.status = ADISK_READY;
  task->out.device = task->in.device;
  vmm_sata_task_complete (task);
}

/* @lba: the first sector that could not be done. */
static void
adisk_fail_at (VmmSataTask *task, guint8 error, guint64 lba)
{
  AtaDisk *disk = adisk_of (task);

  task->out = (VmmAtaRegisters) {
    .status = ADISK_READY | VMM_ATA_STATUS_ERR,
    .error = error,
    .device = task->in.device,
    .count = task->in.count,
    .lba = lba,
  };
  if (task->protocol == VMM_SATA_QUEUED && !disk->regs.queue_failed)
    {
      disk->regs.queue_failed = TRUE;
      disk->regs.failed_tag = (guint8) task->tag;
      disk->regs.failed_status = task->out.status;
      disk->regs.failed_error = error;
      disk->regs.failed_device = task->in.device;
      disk->regs.failed_count = task->in.count;
      disk->regs.failed_lba = lba;
    }
  vmm_sata_task_complete (task);
}

static void
adisk_abort (VmmSataTask *task)
{
  adisk_fail_at (task, VMM_ATA_ERROR_ABRT, task->in.lba);
}

static void
adisk_send (VmmSataTask *task, VmmSataProtocol protocol, gconstpointer data, gsize len)
{
  task->protocol = protocol;
  vmm_sata_task_put (task, data, len);
  adisk_succeed (task);
}

/* === IDENTIFY DEVICE, §7.12.7 === */

static void
adisk_fill_capacity (const AtaDisk *disk, guint16 *id)
{
  guint32 lba28 = (guint32) MIN (disk->sectors, ADISK_MAX_LBA28);
  guint32 chs;

  id[1] = (guint16) MIN (disk->sectors / (ADISK_HEADS * ADISK_TRACK), ADISK_MAX_CYLINDERS);
  id[3] = ADISK_HEADS;
  id[6] = ADISK_TRACK;
  id[54] = (guint16) MIN (disk->sectors / (disk->regs.heads * disk->regs.track), 65535);
  id[55] = disk->regs.heads;
  id[56] = disk->regs.track;
  chs = (guint32) id[54] * id[55] * id[56];
  id[57] = (guint16) chs;
  id[58] = (guint16) (chs >> 16);
  id[60] = (guint16) lba28;
  id[61] = (guint16) (lba28 >> 16);
  for (guint i = 0; i < 4; i++)
    id[100 + i] = (guint16) (disk->sectors >> 16 * i);
}

/* A name of its own for the drive: NAA 3 (locally assigned), 60 bits of the serial number's digest (SPC-4 §7.8.6.6). */
static void
adisk_fill_wwn (const AtaDisk *disk, guint16 *id)
{
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  guint8 digest[32];
  gsize len = sizeof digest;

  g_checksum_update (checksum, (const guchar *) disk->serial, -1);
  g_checksum_get_digest (checksum, digest, &len);
  for (guint i = 0; i < 4; i++)
    id[108 + i] = (guint16) (digest[2 * i] << 8 | digest[2 * i + 1]);
  id[108] = (id[108] & 0x0fff) | 0x3000;
}

static void
adisk_fill_identity (const AtaDisk *disk, guint16 id[256])
{
  const AtaDiskRegs *regs = &disk->regs;

  id[0] = 0x0040; /* an ATA device, fixed */
  id[2] = 0xc837; /* complete without SET FEATURES spin-up */
  vmm_ata_put_string (id + 10, 10, disk->serial);
  vmm_ata_put_string (id + 23, 4, ADISK_FIRMWARE);
  vmm_ata_put_string (id + 27, 20, ADISK_MODEL);
  id[47] = 0x8000 | ADISK_MAX_MULTIPLE;
  id[48] = 0x4000; /* no trusted computing */
  id[49] = 0x2f00; /* standby timer, IORDY, LBA, DMA */
  id[50] = 0x4000;
  id[53] = 0x0007; /* 54-58, 64-70, 88 are valid */
  id[59] = regs->multiple != 0 ? 0x0100 | regs->multiple : 0;
  id[63] = 0x0007; /* multiword DMA 0-2 */
  if ((regs->mode & 0xf8) == 0x20)
    id[63] |= (guint16) (0x100 << (regs->mode & 7));
  id[64] = 0x0003;                         /* PIO 3, 4 */
  id[65] = id[66] = id[67] = id[68] = 120; /* ns a cycle */
  id[75] = 31;                             /* queue depth - 1 */
  id[76] = 0x010e;                         /* NCQ; SATA 1.5, 3, 6 Gb/s */
  id[77] = 0x0002;                         /* now at 1.5 Gb/s */
  id[80] = 0x07e0;                         /* ATA/ATAPI-5 to ACS-3 */
  id[82] = 0x702b;                         /* NOP, READ/WRITE BUFFER, write cache, power management, security, SMART */
  id[82] |= 0x0040;                        /* look-ahead */
  id[83] = 0x7400;                         /* FLUSH CACHE (EXT), 48 bits */
  id[84] = 0x4160;                         /* WWN, WRITE FUA, general purpose logging */
  id[85] = (guint16) (0x7008 | (regs->look_ahead ? 0x40 : 0) | (regs->write_cache ? 0x20 : 0) | (regs->smart ? 1 : 0));
  id[86] = 0xb400; /* as 83; 119 and 120 are valid */
  id[87] = 0x4160;
  id[88] = 0x007f; /* Ultra DMA 0-6 */
  if ((regs->mode & 0xf8) == 0x40)
    id[88] |= (guint16) (0x100 << (regs->mode & 7));
  id[92] = 0xfffe; /* master password: none was set */
  id[105] = disk->discard ? ADISK_TRIM_PAGES : 0;
  id[106] = 0x6003;           /* 8 logical sectors a physical one */
  id[119] = id[120] = 0x4008; /* READ LOG DMA EXT */
  id[128] = 0x0009;           /* security: supported, frozen */
  id[209] = 0x4000;           /* aligned at 0 */
  id[217] = 1;                /* does not rotate */
  id[222] = 0x10ff;           /* serial, SATA 3.2 and before */
  if (disk->discard)
    {
      id[69] |= 0x4020; /* trimmed sectors read as zeros */
      id[169] = 1;      /* TRIM */
    }
  if (disk->drive.host->parallel)
    {
      id[75] = id[76] = id[77] = id[222] = 0;
      id[93] = 0x6001; /* hardware reset: device 0, 80-conductor cable */
    }
  adisk_fill_capacity (disk, id);
  adisk_fill_wwn (disk, id);
  vmm_ata_put_integrity (id);
}

static void
adisk_identify (VmmSataTask *task)
{
  guint16 id[256] = { 0 };

  adisk_fill_identity (adisk_of (task), id);
  for (guint i = 0; i < G_N_ELEMENTS (id); i++)
    id[i] = GUINT16_TO_LE (id[i]);
  adisk_send (task, VMM_SATA_PIO_IN, id, sizeof id);
}

/* === Reading and writing === */

typedef enum {
  ADISK_EXT = 1 << 0, /* 48 bits */
  ADISK_WRITE = 1 << 1,
  ADISK_DMA = 1 << 2,
  ADISK_QUEUED = 1 << 3,
  ADISK_FUA = 1 << 4,
  ADISK_MULTIPLE = 1 << 5,
} AdiskFlags;

/* The sectors that the registers name. FALSE: an address that does not exist. */
static gboolean
adisk_get_range (const AtaDisk *disk, const VmmAtaRegisters *in, guint flags, guint64 *ret_lba, guint32 *ret_n)
{
  guint64 lba;
  guint32 n;

  if ((flags & ADISK_QUEUED) != 0)
    {
      lba = in->lba;
      n = in->feature != 0 ? in->feature : 65536;
    }
  else if ((flags & ADISK_EXT) != 0)
    {
      lba = in->lba;
      n = in->count != 0 ? in->count : 65536;
    }
  else
    {
      n = (in->count & 0xff) != 0 ? in->count & 0xff : 256;
      if ((in->device & VMM_ATA_DEVICE_LBA) != 0)
        lba = (in->lba & 0xffffff) | (guint64) (in->device & 0x0f) << 24;
      else
        {
          guint sector = in->lba & 0xff, head = in->device & 0x0f;

          if (sector == 0 || sector > disk->regs.track || head >= disk->regs.heads)
            return FALSE;
          lba = ((in->lba >> 8 & 0xffff) * disk->regs.heads + head) * disk->regs.track + sector - 1;
        }
    }
  if (lba >= disk->sectors || n > disk->sectors - lba)
    return FALSE;
  *ret_lba = lba;
  *ret_n = n;
  return TRUE;
}

static void
adisk_on_flushed (VmmSataTask *task, int result)
{
  if (result == 0)
    {
      adisk_succeed (task);
      return;
    }
  task->in.lba = 0;
  adisk_abort (task);
}

static void
adisk_on_moved (VmmSataTask *task, int result)
{
  gboolean write = task->req.op == VMM_BLOCK_WRITE;

  if (result == -EFAULT && !write)
    result = 0; /* the guest wanted less than it asked for: the controller says so */
  if (result < 0)
    adisk_fail_at (task, write ? VMM_ATA_ERROR_ABRT : VMM_ATA_ERROR_UNC, task->offset / VMM_ATA_SECTOR);
  else if (write && task->write_through)
    vmm_sata_task_transfer (task, VMM_BLOCK_FLUSH, 0, 0, adisk_on_flushed);
  else
    adisk_succeed (task);
}

static void
adisk_move (VmmSataTask *task, guint flags)
{
  AtaDisk *disk = adisk_of (task);
  gboolean write = (flags & ADISK_WRITE) != 0;
  guint64 lba;
  guint32 n;

  if ((flags & ADISK_QUEUED) != 0)
    {
      task->protocol = VMM_SATA_QUEUED;
      if (task->in.count >> 3 != task->tag)
        {
          vmm_guest_error (&disk->drive.base, "queued command in slot %u has tag %u", task->tag, task->in.count >> 3);
          adisk_abort (task);
          return;
        }
    }
  else if ((flags & ADISK_DMA) != 0)
    task->protocol = write ? VMM_SATA_DMA_OUT : VMM_SATA_DMA_IN;
  else
    task->protocol = write ? VMM_SATA_PIO_OUT : VMM_SATA_PIO_IN;

  if (((flags & ADISK_MULTIPLE) != 0 && disk->regs.multiple == 0) || (write && vmm_block_is_read_only (disk->drive.block)))
    {
      adisk_abort (task);
      return;
    }
  if (!adisk_get_range (disk, &task->in, flags, &lba, &n))
    {
      adisk_fail_at (task, VMM_ATA_ERROR_IDNF, task->in.lba);
      return;
    }
  disk->regs.standby = FALSE;
  task->write_through = write
                        && (!disk->regs.write_cache || (flags & ADISK_FUA) != 0
                            || ((flags & ADISK_QUEUED) != 0 && (task->in.device & 0x80) != 0));
  vmm_sata_task_transfer (task, write ? VMM_BLOCK_WRITE : VMM_BLOCK_READ, lba * VMM_ATA_SECTOR, (guint64) n * VMM_ATA_SECTOR,
                          adisk_on_moved);
}

static void
adisk_on_verified (VmmSataTask *task, int result)
{
  if (result < 0)
    adisk_fail_at (task, VMM_ATA_ERROR_UNC, task->offset / VMM_ATA_SECTOR);
  else
    adisk_succeed (task);
}

static void
adisk_verify (VmmSataTask *task, guint flags)
{
  AtaDisk *disk = adisk_of (task);
  guint64 lba;
  guint32 n;

  if (!adisk_get_range (disk, &task->in, flags, &lba, &n))
    {
      adisk_fail_at (task, VMM_ATA_ERROR_IDNF, task->in.lba);
      return;
    }
  disk->regs.standby = FALSE;
  vmm_sata_task_verify (task, lba * VMM_ATA_SECTOR, (guint64) n * VMM_ATA_SECTOR, adisk_on_verified);
}

static void
adisk_flush (VmmSataTask *task, guint flags)
{
  vmm_sata_task_transfer (task, VMM_BLOCK_FLUSH, 0, 0, adisk_on_flushed);
}

/* STANDBY and SLEEP write the cache out first (§7.45.4, §7.46.4). */
static void
adisk_stand_by (VmmSataTask *task, guint flags)
{
  adisk_of (task)->regs.standby = TRUE;
  adisk_flush (task, 0);
}

/* === DATA SET MANAGEMENT, §7.6: TRIM === */

/* Range @index of the list that the guest sent: 48 bits of address, 16 of length. Returns: sectors. */
static guint64
adisk_trim_range (const VmmSataTask *task, guint index, guint64 *ret_lba)
{
  guint64 entry;

  memcpy (&entry, task->scratch + index * sizeof entry, sizeof entry);
  entry = GUINT64_FROM_LE (entry);
  *ret_lba = entry & G_GUINT64_CONSTANT (0xffffffffffff);
  return entry >> 48;
}

static void
adisk_trim_next (VmmSataTask *task, int result)
{
  guint64 lba, next, n = 0;

  while (result == 0 && n == 0 && task->position < task->total)
    n = adisk_trim_range (task, task->position++, &lba);
  if (result < 0)
    {
      adisk_abort (task);
      return;
    }
  if (n == 0)
    {
      adisk_succeed (task);
      return;
    }
  /* Long ranges come in pieces of 65535 sectors. */
  while (task->position < task->total)
    {
      guint64 more = adisk_trim_range (task, task->position, &next);

      if (more != 0 && next != lba + n)
        break;
      n += more;
      task->position++;
    }
  vmm_sata_task_transfer (task, VMM_BLOCK_DISCARD, lba * VMM_ATA_SECTOR, n * VMM_ATA_SECTOR, adisk_trim_next);
}

static void
adisk_trim (VmmSataTask *task, guint flags)
{
  AtaDisk *disk = adisk_of (task);
  gsize size = (gsize) task->in.count * VMM_ATA_SECTOR;

  task->protocol = VMM_SATA_DMA_OUT;
  if (!disk->discard || task->in.feature != 1 || task->in.count == 0 || task->in.count > ADISK_TRIM_PAGES
      || vmm_block_is_read_only (disk->drive.block) || (task->scratch = g_try_malloc (size)) == NULL
      || vmm_sata_task_get (task, task->scratch, size) != size)
    {
      adisk_abort (task);
      return;
    }
  task->total = (guint32) (size / sizeof (guint64));
  for (guint i = 0; i < task->total; i++)
    {
      guint64 lba, n = adisk_trim_range (task, i, &lba);

      if (n != 0 && (lba >= disk->sectors || n > disk->sectors - lba))
        {
          adisk_fail_at (task, VMM_ATA_ERROR_IDNF | VMM_ATA_ERROR_ABRT, lba);
          return;
        }
    }
  adisk_trim_next (task, 0);
}

/* === Logs and SMART === */

/* §9.8 (general purpose log directory), §9.14 (NCQ command error) */
static void
adisk_read_log (VmmSataTask *task, guint flags)
{
  AtaDisk *disk = adisk_of (task);
  AtaDiskRegs *regs = &disk->regs;
  guint page = (guint) (task->in.lba >> 8 & 0xff) | (guint) (task->in.lba >> 32 & 0xff) << 8;
  guint8 log[VMM_ATA_SECTOR] = { 0 };
  guint8 sum = 0;

  task->protocol = (flags & ADISK_DMA) != 0 ? VMM_SATA_DMA_IN : VMM_SATA_PIO_IN;
  if (page != 0 || task->in.count != 1)
    {
      adisk_abort (task);
      return;
    }
  switch (task->in.lba & 0xff)
    {
    case ADISK_LOG_DIRECTORY:
      log[0] = 1; /* version; then the number of pages of each log */
      log[2 * ADISK_LOG_QUEUED_ERROR] = 1;
      break;
    case ADISK_LOG_QUEUED_ERROR:
      if (!regs->queue_failed)
        log[0] = 0x80; /* no queued command failed */
      else
        {
          log[0] = regs->failed_tag;
          log[2] = regs->failed_status;
          log[3] = regs->failed_error;
          log[7] = regs->failed_device;
          for (guint i = 0; i < 3; i++)
            {
              log[4 + i] = (guint8) (regs->failed_lba >> 8 * i);
              log[8 + i] = (guint8) (regs->failed_lba >> (24 + 8 * i));
            }
          log[12] = (guint8) regs->failed_count;
          log[13] = (guint8) (regs->failed_count >> 8);
        }
      for (guint i = 0; i < VMM_ATA_SECTOR - 1; i++)
        sum = (guint8) (sum + log[i]);
      log[VMM_ATA_SECTOR - 1] = (guint8) -sum;
      regs->queue_failed = FALSE;
      break;
    default:
      adisk_abort (task);
      return;
    }
  adisk_send (task, task->protocol, log, sizeof log);
}

/* §7.47 */
static void
adisk_smart (VmmSataTask *task, guint flags)
{
  AtaDisk *disk = adisk_of (task);
  gint64 hours = vmm_clock_now (vmm_device_get_clock (&disk->drive.base)) / 3600 / G_USEC_PER_SEC / 1000;
  guint8 page[VMM_ATA_SECTOR];

  switch (vmm_ata_smart_command (&task->in, &disk->regs.smart, (guint64) hours, page))
    {
    case VMM_ATA_SMART_DATA:
      adisk_send (task, VMM_SATA_PIO_IN, page, sizeof page);
      break;
    case VMM_ATA_SMART_GOOD:
      task->out.lba = VMM_ATA_SMART_SIGNATURE; /* no threshold was exceeded */
      G_GNUC_FALLTHROUGH;
    case VMM_ATA_SMART_DONE:
      adisk_succeed (task);
      break;
    case VMM_ATA_SMART_REFUSED:
      adisk_abort (task);
      break;
    }
}

/* === Small commands === */

/* §7.44 */
static void
adisk_set_features (VmmSataTask *task, guint flags)
{
  AtaDiskRegs *regs = &adisk_of (task)->regs;

  switch (task->in.feature & 0xff)
    {
    case 0x02:
      regs->write_cache = TRUE;
      break;
    case 0x82: /* what is in the cache must reach the medium first (§7.44.3.2) */
      regs->write_cache = FALSE;
      adisk_flush (task, 0);
      return;
    case 0x03:
      {
        guint mode = task->in.count & 0xff;

        if (mode > 1 && !(mode >= 0x08 && mode <= 0x0c) && !(mode >= 0x20 && mode <= 0x22) && !(mode >= 0x40 && mode <= 0x46))
          {
            adisk_abort (task);
            return;
          }
        regs->mode = (guint8) mode;
        break;
      }
    case 0x55:
      regs->look_ahead = FALSE;
      break;
    case 0xaa:
      regs->look_ahead = TRUE;
      break;
    case 0x66: /* keep (66) or lose (CC) settings at a soft reset: they are kept */
    case 0xcc:
      break;
    default:
      adisk_abort (task);
      return;
    }
  adisk_succeed (task);
}

static void
adisk_set_multiple (VmmSataTask *task, guint flags)
{
  guint count = task->in.count & 0xff;

  if (count > ADISK_MAX_MULTIPLE || (count & (count - 1)) != 0)
    {
      adisk_abort (task);
      return;
    }
  adisk_of (task)->regs.multiple = (guint8) count;
  adisk_succeed (task);
}

static void
adisk_set_translation (VmmSataTask *task, guint flags)
{
  AtaDiskRegs *regs = &adisk_of (task)->regs;
  guint track = task->in.count & 0xff;

  if (track == 0)
    {
      adisk_abort (task);
      return;
    }
  regs->heads = (task->in.device & 0x0f) + 1;
  regs->track = (guint16) track;
  adisk_succeed (task);
}

static void
adisk_check_power (VmmSataTask *task, guint flags)
{
  task->out.count = adisk_of (task)->regs.standby ? 0x00 : 0xff;
  adisk_succeed (task);
}

static void
adisk_idle (VmmSataTask *task, guint flags)
{
  adisk_of (task)->regs.standby = FALSE;
  adisk_succeed (task);
}

static void
adisk_diagnose (VmmSataTask *task, guint flags)
{
  task->drive->ops->get_signature (task->drive, &task->out);
  vmm_sata_task_complete (task);
}

static void
adisk_read_buffer (VmmSataTask *task, guint flags)
{
  adisk_send (task, (flags & ADISK_DMA) != 0 ? VMM_SATA_DMA_IN : VMM_SATA_PIO_IN, adisk_of (task)->regs.buffer, VMM_ATA_SECTOR);
}

static void
adisk_write_buffer (VmmSataTask *task, guint flags)
{
  task->protocol = (flags & ADISK_DMA) != 0 ? VMM_SATA_DMA_OUT : VMM_SATA_PIO_OUT;
  if (vmm_sata_task_get (task, adisk_of (task)->regs.buffer, VMM_ATA_SECTOR) == VMM_ATA_SECTOR)
    adisk_succeed (task);
  else
    adisk_abort (task);
}

static void
adisk_accept (VmmSataTask *task, guint flags)
{
  adisk_succeed (task);
}

static void
adisk_do_identify (VmmSataTask *task, guint flags)
{
  adisk_identify (task);
}

/* Table 25 and Annex A; what is not here is aborted, as NOP (00) is by its definition. */
static const struct {
  guint8 command;
  guint flags;
  void (*func) (VmmSataTask *task, guint flags);
} adisk_commands[] = {
  { 0x60, ADISK_QUEUED | ADISK_EXT, adisk_move },               /* READ FPDMA QUEUED */
  { 0x61, ADISK_QUEUED | ADISK_EXT | ADISK_WRITE, adisk_move }, /* WRITE FPDMA QUEUED */
  { 0x25, ADISK_DMA | ADISK_EXT, adisk_move },                  /* READ DMA EXT */
  { 0x35, ADISK_DMA | ADISK_EXT | ADISK_WRITE, adisk_move },    /* WRITE DMA EXT */
  { 0xc8, ADISK_DMA, adisk_move },                              /* READ DMA */
  { 0xc9, ADISK_DMA, adisk_move },                              /* READ DMA without retries */
  { 0xca, ADISK_DMA | ADISK_WRITE, adisk_move },                /* WRITE DMA */
  { 0xcb, ADISK_DMA | ADISK_WRITE, adisk_move },                /* WRITE DMA without retries */
  { 0xea, 0, adisk_flush },                                     /* FLUSH CACHE EXT */
  { 0xe7, 0, adisk_flush },                                     /* FLUSH CACHE */
  { 0x06, 0, adisk_trim },                                      /* DATA SET MANAGEMENT */
  { 0x20, 0, adisk_move },                                      /* READ SECTOR(S) */
  { 0x21, 0, adisk_move },
  { 0x24, ADISK_EXT, adisk_move },                  /* READ SECTOR(S) EXT */
  { 0x29, ADISK_EXT | ADISK_MULTIPLE, adisk_move }, /* READ MULTIPLE EXT */
  { 0xc4, ADISK_MULTIPLE, adisk_move },             /* READ MULTIPLE */
  { 0x30, ADISK_WRITE, adisk_move },                /* WRITE SECTOR(S) */
  { 0x31, ADISK_WRITE, adisk_move },
  { 0x34, ADISK_EXT | ADISK_WRITE, adisk_move },                              /* WRITE SECTOR(S) EXT */
  { 0x39, ADISK_EXT | ADISK_MULTIPLE | ADISK_WRITE, adisk_move },             /* WRITE MULTIPLE EXT */
  { 0xc5, ADISK_MULTIPLE | ADISK_WRITE, adisk_move },                         /* WRITE MULTIPLE */
  { 0xce, ADISK_EXT | ADISK_MULTIPLE | ADISK_WRITE | ADISK_FUA, adisk_move }, /* WRITE MULTIPLE FUA EXT */
  { 0x3d, ADISK_DMA | ADISK_EXT | ADISK_WRITE | ADISK_FUA, adisk_move },      /* WRITE DMA FUA EXT */
  { 0x40, 0, adisk_verify },                                                  /* READ VERIFY SECTOR(S) */
  { 0x41, 0, adisk_verify },
  { 0x42, ADISK_EXT, adisk_verify },       /* READ VERIFY SECTOR(S) EXT */
  { 0xec, 0, adisk_do_identify },          /* IDENTIFY DEVICE */
  { 0xef, 0, adisk_set_features },         /* SET FEATURES */
  { 0xc6, 0, adisk_set_multiple },         /* SET MULTIPLE MODE */
  { 0x91, 0, adisk_set_translation },      /* INITIALIZE DEVICE PARAMETERS */
  { 0x90, 0, adisk_diagnose },             /* EXECUTE DEVICE DIAGNOSTIC */
  { 0x2f, 0, adisk_read_log },             /* READ LOG EXT */
  { 0x47, ADISK_DMA, adisk_read_log },     /* READ LOG DMA EXT */
  { 0xb0, 0, adisk_smart },                /* SMART */
  { 0xe0, 0, adisk_stand_by },             /* STANDBY IMMEDIATE */
  { 0xe2, 0, adisk_stand_by },             /* STANDBY */
  { 0xe6, 0, adisk_stand_by },             /* SLEEP */
  { 0xe1, 0, adisk_idle },                 /* IDLE IMMEDIATE */
  { 0xe3, 0, adisk_idle },                 /* IDLE */
  { 0xe5, 0, adisk_check_power },          /* CHECK POWER MODE */
  { 0xe4, 0, adisk_read_buffer },          /* READ BUFFER */
  { 0xe8, 0, adisk_write_buffer },         /* WRITE BUFFER */
  { 0xe9, ADISK_DMA, adisk_read_buffer },  /* READ BUFFER DMA */
  { 0xeb, ADISK_DMA, adisk_write_buffer }, /* WRITE BUFFER DMA */
  { 0xf5, 0, adisk_accept },               /* SECURITY FREEZE LOCK: it is */
  { 0x10, 0, adisk_accept },               /* RECALIBRATE */
  { 0x70, 0, adisk_accept },               /* SEEK */
};

/* === The controller's calls === */

static void
adisk_start (VmmSataDrive *drive, VmmSataTask *task)
{
  AtaDisk *disk = (AtaDisk *) drive;
  gboolean reads_error_log = (task->in.command == 0x2f || task->in.command == 0x47)
                             && (task->in.lba & 0xff) == ADISK_LOG_QUEUED_ERROR;

  if (disk->regs.queue_failed && !reads_error_log)
    {
      adisk_abort (task);
      return;
    }
  for (guint i = 0; i < G_N_ELEMENTS (adisk_commands); i++)
    if (adisk_commands[i].command == task->in.command)
      {
        adisk_commands[i].func (task, adisk_commands[i].flags);
        return;
      }
  adisk_abort (task);
}

static void
adisk_set_defaults (AtaDisk *disk)
{
  disk->regs.multiple = ADISK_MAX_MULTIPLE;
  disk->regs.mode = ADISK_MODE_UDMA6;
  disk->regs.write_cache = TRUE;
  disk->regs.look_ahead = TRUE;
  disk->regs.heads = ADISK_HEADS;
  disk->regs.track = ADISK_TRACK;
}

static void
adisk_bus_reset (VmmSataDrive *drive, VmmSataReset kind)
{
  AtaDisk *disk = (AtaDisk *) drive;

  disk->regs.queue_failed = FALSE;
  disk->regs.standby = FALSE;
  if (kind == VMM_SATA_RESET_HARDWARE)
    adisk_set_defaults (disk);
}

/* Table 182: an ATA device that passed its diagnostics. */
static void
adisk_get_signature (VmmSataDrive *drive, VmmAtaRegisters *ret)
{
  *ret = (VmmAtaRegisters) { .status = ADISK_READY, .error = 0x01, .count = 1, .lba = 1 };
}

static const VmmSataDriveOps adisk_ops = {
  .start = adisk_start,
  .reset = adisk_bus_reset,
  .get_signature = adisk_get_signature,
};

/* === Life === */

/* Iothread: a write could not be done and is kept. The machine stands still until there is room. */
static void
adisk_on_stalled (VmmBlock *block, int error, gpointer data)
{
  AtaDisk *disk = data;
  g_autofree char *message = g_strdup_printf ("%s: %s: %s", disk->drive.base.id, vmm_block_get_path (block), g_strerror (error));

  vmm_machine_request_pause (disk->drive.base.machine,
                             error == ENOSPC || error == EDQUOT ? VMM_REASON_NO_SPACE : VMM_REASON_IO_ERROR, message);
}

static void
adisk_reset (VmmDevice *dev, VmmResetKind kind)
{
  AtaDisk *disk = (AtaDisk *) dev;

  disk->regs = (AtaDiskRegs) { .smart = TRUE };
  adisk_set_defaults (disk);
}

static gboolean
adisk_realize (VmmDevice *dev, GError **error)
{
  AtaDisk *disk = (AtaDisk *) dev;
  g_autofree char *path = vmm_device_dup_path (dev, "image");
  gboolean read_only = vmm_device_get_bool (dev, "readonly");
  guint flags = VMM_BLOCK_DEFAULT;

  if (path == NULL)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "image: the disk needs one");
      return FALSE;
    }
  if (read_only)
    flags |= VMM_BLOCK_READ_ONLY;
  if (g_str_equal (vmm_device_get_string (dev, "cache"), "direct"))
    flags |= VMM_BLOCK_DIRECT;
  disk->drive.ops = &adisk_ops;
  disk->drive.block = vmm_block_open (path, vmm_device_get_string (dev, "format"), flags, vmm_device_get_iothread (dev), error);
  if (disk->drive.block == NULL)
    return FALSE;
  disk->sectors = vmm_block_get_size (disk->drive.block) / VMM_ATA_SECTOR;
  disk->discard = vmm_device_get_bool (dev, "discard") && !read_only;
  disk->serial = vmm_sata_drive_dup_serial (&disk->drive, ADISK_SERIAL_MAX);
  adisk_reset (dev, VMM_RESET_COLD);
  if (disk->sectors == 0 || disk->sectors > G_GUINT64_CONSTANT (1) << 48)
    g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "%s: %s for an ATA disk", path,
                 disk->sectors == 0 ? "too small" : "too large");
  else if (vmm_sata_drive_attach (&disk->drive, vmm_device_get_int (dev, "port"), vmm_device_get_int (dev, "boot"), error))
    {
      vmm_block_set_stall (disk->drive.block, adisk_on_stalled, disk);
      g_ptr_array_add (dev->machine->blocks, disk->drive.block);
      return TRUE;
    }
  g_free (disk->serial);
  vmm_block_close (disk->drive.block);
  return FALSE;
}

static void
adisk_unrealize (VmmDevice *dev)
{
  AtaDisk *disk = (AtaDisk *) dev;

  g_ptr_array_remove (dev->machine->blocks, disk->drive.block);
  vmm_sata_drive_detach (&disk->drive);
  g_free (disk->serial);
}

const VmmDeviceClass vmm_ata_disk_class = {
  .name = "sata-disk",
  .summary = N_ ("Hard disk (SATA)"),
  .description = N_ ("A disk that every system has a driver for."),
  .bus = VMM_DEVICE_SATA,
  .user_creatable = TRUE,
  .instance_size = sizeof (AtaDisk),
  .settings = adisk_settings,
  .regs_offset = G_STRUCT_OFFSET (AtaDisk, regs),
  .regs_size = sizeof (AtaDiskRegs),
  .regs_fields = adisk_fields,
  .state_version = 1,
  .realize = adisk_realize,
  .reset = adisk_reset,
  .unrealize = adisk_unrealize,
};

const VmmDeviceClass vmm_ide_disk_class = {
  .name = "ide-disk",
  .summary = N_ ("Hard disk (IDE)"),
  .bus = VMM_DEVICE_IDE,
  .user_creatable = TRUE,
  .instance_size = sizeof (AtaDisk),
  .settings = adisk_ide_settings,
  .regs_offset = G_STRUCT_OFFSET (AtaDisk, regs),
  .regs_size = sizeof (AtaDiskRegs),
  .regs_fields = adisk_fields,
  .state_version = 1,
  .realize = adisk_realize,
  .reset = adisk_reset,
  .unrealize = adisk_unrealize,
};
