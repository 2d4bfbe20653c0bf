/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Between an ATA controller and the drives behind it. The controller fetches a command and hands it to the drive as a task; the drive
 * says how it transfers, moves the data to or from what the controller maps, and completes the task with its registers.
 *
 * One lock for both: all that a drive does for its controller, and all of its state, is under the controller's lock. The drive's own
 * lock guards nothing (it is taken by the machine around reset). */
#pragma once

#include "block/block.h"
#include "core/device.h"

#include <sys/uio.h>

typedef struct _VmmSataDrive VmmSataDrive;
typedef struct _VmmSataHost VmmSataHost;
typedef struct _VmmSataTask VmmSataTask;

/* ACS-3 §6.2, §6.3 */
#define VMM_ATA_STATUS_ERR 0x01
#define VMM_ATA_STATUS_DRQ 0x08
#define VMM_ATA_STATUS_DSC 0x10
#define VMM_ATA_STATUS_DF 0x20
#define VMM_ATA_STATUS_DRDY 0x40
#define VMM_ATA_STATUS_BSY 0x80
#define VMM_ATA_ERROR_ABRT 0x04
#define VMM_ATA_ERROR_IDNF 0x10
#define VMM_ATA_ERROR_UNC 0x40
#define VMM_ATA_DEVICE_LBA 0x40
#define VMM_ATA_READ_FPDMA_QUEUED 0x60
#define VMM_ATA_WRITE_FPDMA_QUEUED 0x61

#define VMM_ATA_SECTOR 512

/* What a Register FIS carries (SATA 3.1 §10.5.5, §10.5.6). */
typedef struct {
  guint8 command; /* to the device */
  guint8 status;  /* to the host */
  guint8 error;   /* to the host */
  guint8 device;
  guint16 feature, count;
  guint64 lba; /* 48 bits */
} VmmAtaRegisters;

/* How a task ends on the wire. */
typedef enum {
  VMM_SATA_NO_DATA,
  VMM_SATA_PIO_IN,
  VMM_SATA_PIO_OUT,
  VMM_SATA_DMA_IN,
  VMM_SATA_DMA_OUT,
  VMM_SATA_QUEUED,
  VMM_SATA_PACKET_PIO, /* PACKET; the data, if any, by PIO */
  VMM_SATA_PACKET_DMA,
} VmmSataProtocol;

typedef void (*VmmSataTaskFunc) (VmmSataTask *task, int result);

/**
 * VmmSataTask:
 * Embedded in the controller's slot. The controller sets @host, @drive, @tag, @in and @cdb, zeroes the rest and calls the drive's start.
 */
struct _VmmSataTask {
  VmmSataHost *host;
  VmmSataDrive *drive;
  guint tag;
  VmmAtaRegisters in;
  guint8 cdb[16];
  gboolean has_cdb;

  /* The drive's answer. */
  VmmSataProtocol protocol;
  VmmAtaRegisters out;
  guint32 moved; /* bytes to or from the guest */

  gboolean aborted; /* the controller: nobody waits for the answer any more */

  /* The transfer under way; storage/sata.c */
  gboolean parked; /* quiesced before it was submitted */
  VmmBlock *block;
  guint generation;    /* of the drive's medium */
  guint64 offset, len; /* bytes still to do */
  gboolean discards;   /* reads go to scratch */
  VmmSataTaskFunc done;
  VmmBlockRequest req;
  struct iovec *iov; /* (owned) (nullable) */
  guint iov_size;
  gboolean grow;   /* it was too short */
  guint8 *scratch; /* (owned) (nullable): freed with the task */
  /* The drive's own */
  guint32 position, total;
  gboolean write_through;
};

typedef struct {
  /**
   * map:
   * @iov: room for @max_iov pieces; @ret_n: pieces used
   * The next at most @max_bytes of the task's memory, in order. What is returned is a multiple of @granule.
   * Returns: bytes, 0 if the guest gave no more memory (or memory that is none). Controller's lock held.
   */
  gsize (*map) (VmmSataTask *task, gsize max_bytes, gsize granule, struct iovec *iov, guint max_iov, guint *ret_n);
  /* The drive is done with the task, whatever became of it. Controller's lock held. */
  void (*complete) (VmmSataTask *task);
  /* Aborts the drive's tasks, waits for them and forgets it. Control thread, vCPUs gone, no lock held. */
  void (*detach) (VmmSataDrive *drive);
} VmmSataHostOps;

/* Embedded in a controller. */
struct _VmmSataHost {
  const VmmSataHostOps *ops;
  VmmDevice *controller;
  gboolean quiesced; /* nothing is submitted */
  gboolean parallel; /* IDE: drives say nothing of SATA */
};

typedef enum {
  VMM_SATA_RESET_SOFT,     /* SRST, DEVICE RESET */
  VMM_SATA_RESET_HARDWARE, /* COMRESET, power on */
} VmmSataReset;

typedef struct {
  /* Takes a task; completes it now or later. */
  void (*start) (VmmSataDrive *drive, VmmSataTask *task);
  /* The drive's registers go to their start values; its tasks were aborted before. */
  void (*reset) (VmmSataDrive *drive, VmmSataReset kind);
  /* What the drive says after a reset, or after EXECUTE DEVICE DIAGNOSTIC. */
  void (*get_signature) (VmmSataDrive *drive, VmmAtaRegisters *ret);
} VmmSataDriveOps;

/* A drive's instance starts with it. */
struct _VmmSataDrive {
  VmmDevice base;
  const VmmSataDriveOps *ops;
  VmmSataHost *host; /* (nullable): not attached */
  guint port;
  VmmBlock *block;    /* (nullable): no medium */
  guint generation;   /* changes with the medium */
  GPtrArray *retired; /* (element-type VmmBlock) (owned): taken out, to be closed by the control thread */
};

/**
 * vmm_sata_drive_attach:
 * @port: of the controller, or -1: the first that is free
 * In realize: finds the controller, takes a port, adds the drive to the firmware's boot order (@boot_index; negative: not).
 */
gboolean vmm_sata_drive_attach (VmmSataDrive *drive, gint64 port, gint64 boot_index, GError **error);
/* In unrealize, last: leaves the controller, closes the images. */
void vmm_sata_drive_detach (VmmSataDrive *drive);

/**
 * vmm_sata_drive_swap_medium:
 * @block: (nullable) (transfer full)
 * Another medium; the transfers of the old one end with -ENOMEDIUM. The old image lands in @retired. Lock held.
 */
void vmm_sata_drive_swap_medium (VmmSataDrive *drive, VmmBlock *block);
/* Closes what was taken out. Control thread, no lock held. */
void vmm_sata_drive_close_retired (VmmSataDrive *drive);
/* Waits until nothing is in flight. Control thread, no lock held, the host quiesced. */
void vmm_sata_drive_drain (VmmSataDrive *drive);

/* Is it one of the commands that NCQ queues (ACS-3 §4.15)? */
gboolean vmm_ata_is_queued (guint8 command);
/* @text into IDENTIFY words: two characters a word, high byte first, padded with blanks (ACS-3 §3.4.9). */
void vmm_ata_put_string (guint16 *words, guint n_words, const char *text);
/* Word 255: signature and checksum of the other 511 bytes, words in host order (ACS-3 §7.12.7.76). */
void vmm_ata_put_integrity (guint16 words[256]);
/* The drive's serial number: the setting, or one made of the machine's and the drive's name. At most @max characters. */
char *vmm_sata_drive_dup_serial (VmmSataDrive *drive, guint max);

/* Tasks; lock held. */

/* Copies to (from) the task's memory, going on where the last one ended. Returns: bytes; less than @len if the guest gave less. */
gsize vmm_sata_task_put (VmmSataTask *task, gconstpointer data, gsize len);
gsize vmm_sata_task_get (VmmSataTask *task, gpointer buf, gsize len);

/**
 * vmm_sata_task_transfer:
 * @op: READ or WRITE between the medium and the task's memory; DISCARD and FLUSH without memory
 * @offset, @len: bytes, multiples of 512
 * @done: result 0, -errno of the medium, -EFAULT (memory ran out) or -ENOMEDIUM; lock held. Not called when the task is aborted.
 * Any length, in as many requests as it takes, zero-copy, one after the other.
 */
void vmm_sata_task_transfer (VmmSataTask *task, VmmBlockOp op, guint64 offset, guint64 len, VmmSataTaskFunc done);
/* Reads and throws away. */
void vmm_sata_task_verify (VmmSataTask *task, guint64 offset, guint64 len, VmmSataTaskFunc done);

/* With the registers in @out. */
void vmm_sata_task_complete (VmmSataTask *task);

/* For the controller: submits what a quiesce held back. */
void vmm_sata_task_unpark (VmmSataTask *task);
/* For the controller: frees what the task holds, when it is over. */
void vmm_sata_task_clear (VmmSataTask *task);
