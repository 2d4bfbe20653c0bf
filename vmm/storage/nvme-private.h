/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The NVMe controller's inside: nvme.c has the registers and the device's life, nvme-queue.c the queues, nvme-admin.c and nvme-io.c the
 * commands. Section and figure numbers are those of NVM Express Base Specification 1.4. */
#pragma once

#include "block/block.h"
#include "pci/pci.h"

#include <sys/uio.h>

#define NVME_QUEUES 64       /* submission and completion queues each, with the admin queue: as many as MSI-X vectors */
#define NVME_COMMANDS 256    /* under way at once, all queues together */
#define NVME_IO_COMMANDS 224 /* of these; the rest is for the admin queue */
#define NVME_MAX_ENTRIES 2048
#define NVME_EVENTS 4 /* asynchronous event requests (AERL + 1) */
#define NVME_MDTS 7   /* 2^7 pages of 4 KiB: the longest transfer */
#define NVME_BLOCK 512u
#define NVME_BLOCK_BITS 9

#define NVME_SQE_SIZE 64u
#define NVME_CQE_SIZE 16u

/* Registers, §3.1 */
#define NVME_DOORBELLS 0x1000u
#define NVME_CC_EN 0x00000001u
#define NVME_CSTS_RDY 0x00000001u
#define NVME_CSTS_CFS 0x00000002u

/* Status codes (SCT << 8 | SC), §4.6.1 */
#define NVME_OK 0x000
#define NVME_INVALID_OPCODE 0x001
#define NVME_INVALID_FIELD 0x002
#define NVME_DATA_TRANSFER_ERROR 0x004
#define NVME_INTERNAL_ERROR 0x006
#define NVME_INVALID_NAMESPACE 0x00b
#define NVME_INVALID_PRP_OFFSET 0x013
#define NVME_OUT_OF_RANGE 0x080
#define NVME_CAPACITY_EXCEEDED 0x081
#define NVME_INVALID_QUEUE 0x100 /* completion queue, at CREATE I/O SUBMISSION QUEUE */
#define NVME_INVALID_QUEUE_ID 0x101
#define NVME_INVALID_QUEUE_SIZE 0x102
#define NVME_EVENT_LIMIT 0x105
#define NVME_INVALID_VECTOR 0x108
#define NVME_INVALID_LOG_PAGE 0x109
#define NVME_INVALID_QUEUE_DELETION 0x10c
#define NVME_NOT_SAVEABLE 0x10d
#define NVME_NOT_CHANGEABLE 0x10e
#define NVME_READ_ONLY 0x182
#define NVME_WRITE_FAULT 0x280
#define NVME_UNRECOVERED_READ 0x281
#define NVME_DNR 0x4000 /* do not retry: trying again would fail again */

/* Asynchronous events, figure 147 */
#define NVME_EVENT_BAD_DOORBELL 0x00
#define NVME_EVENT_BAD_VALUE 0x01

typedef struct {
  guint64 base; /* gpa */
  guint16 size; /* entries; 0: there is no such queue */
  guint16 head, tail;
  guint16 cq;
  guint8 deleting;
  guint8 reserved[7];
} NvmeSq;

typedef struct {
  guint64 base;
  guint16 size;
  guint16 head, tail;
  guint16 vector;
  guint8 phase;
  guint8 interrupts; /* IEN */
  guint8 reserved[6];
} NvmeCq;

typedef enum {
  NVME_FREE,
  NVME_RUNNING,
  NVME_EVENT,    /* an asynchronous event request */
  NVME_DELETING, /* DELETE I/O SUBMISSION QUEUE, waits for the queue's commands */
  NVME_DONE,     /* waits for room in its completion queue */
} NvmeCommandState;

/* A command from its fetching to its completion entry. What runs is begun anew after a load: every command may be done twice. */
typedef struct {
  guint8 entry[NVME_SQE_SIZE];
  guint32 result; /* NVME_DONE: dword 0 */
  guint16 status;
  guint16 sq;
  guint8 state;
  guint8 reserved[7];
} NvmeCommandRegs;

typedef struct {
  guint64 asq, acq;
  guint64 shadow, event;                                          /* DOORBELL BUFFER CONFIG; 0: not in use */
  guint64 read_units, write_units, read_commands, write_commands; /* for the SMART log */
  guint64 timestamp_ms, timestamp_at_ns;                          /* feature 0E */
  guint32 intms, cc, csts, aqa;
  /* Features */
  guint32 arbitration, temperature_over, temperature_under, recovery, coalescing, atomicity, event_config;
  guint32 write_cache;
  guint32 queues_granted; /* NUMBER OF QUEUES was set */
  guint8 events_masked;   /* bit: type; until its log is read */
  guint8 timestamp_set;
  guint8 disabling; /* CC.EN fell, commands are still on their way back */
  guint8 shutting;  /* CC.SHN was set: the cache is being flushed */
  guint8 coalescing_off[NVME_QUEUES];
  NvmeSq sq[NVME_QUEUES];
  NvmeCq cq[NVME_QUEUES];
  NvmeCommandRegs commands[NVME_COMMANDS];
} NvmeRegs;

typedef struct _Nvme Nvme;
typedef struct _NvmeCommand NvmeCommand;

struct _NvmeCommand {
  Nvme *nvme;
  NvmeCommandRegs *regs;
  gboolean aborted;   /* the queue is gone: nobody waits for an answer */
  gboolean in_flight; /* the request is the block layer's */
  gboolean parked;    /* quiesced before the request was submitted */
  void (*done) (NvmeCommand *command, int result);
  VmmBlockRequest req;
  struct iovec *iov; /* (owned) (nullable): stays with the slot */
  guint iov_size, n_iov;
  guint8 *ranges; /* (owned) (nullable): DATASET MANAGEMENT's */
  guint range, n_ranges;
};

typedef struct {
  Nvme *nvme;
  guint id;
  int kick_fd;            /* -1: the queue does not exist */
  guint64 notify_at;      /* gpa of the doorbell that KVM watches, or NVME_NOWHERE */
  guint64 cq_notify_at;   /* the same of the completion queue with this number */
  guint n_running;        /* commands that are not free */
  gboolean waits;         /* entries wait for a free command */
  gboolean interrupt_due; /* of the completion queue */
  guint n_waiting;        /* of the completion queue: NVME_DONE */
} NvmeQueue;

#define NVME_NOWHERE G_MAXUINT64

struct _Nvme {
  VmmPciDevice pci;
  NvmeRegs regs;
  VmmBlock *block;
  guint64 blocks;
  char *serial;
  gboolean discard, read_only;
  gboolean quiesced;
  gboolean report_queued;               /* nvmeq_on_report is on its way */
  guint n_running;                      /* NVME_RUNNING and NVME_DELETING */
  guint n_io;                           /* commands of I/O queues that are not free */
  guint64 free_map[NVME_COMMANDS / 64]; /* bit: the command is free */
  gboolean someone_waits;               /* of the queues */
  NvmeQueue queues[NVME_QUEUES];
  NvmeCommand commands[NVME_COMMANDS];
  VmmBlockRequest shutdown; /* the flush of a shutdown */
  gboolean shutdown_in_flight;
};

/* Little-endian fields of entries and answers. */

static inline guint16
_nvme_get16 (const guint8 *bytes)
{
  return (guint16) (bytes[0] | bytes[1] << 8);
}

static inline guint32
_nvme_get32 (const guint8 *bytes)
{
  return (guint32) _nvme_get16 (bytes) | (guint32) _nvme_get16 (bytes + 2) << 16;
}

static inline guint64
_nvme_get64 (const guint8 *bytes)
{
  return (guint64) _nvme_get32 (bytes) | (guint64) _nvme_get32 (bytes + 4) << 32;
}

static inline void
_nvme_put16 (guint8 *bytes, guint value)
{
  bytes[0] = (guint8) value;
  bytes[1] = (guint8) (value >> 8);
}

static inline void
_nvme_put32 (guint8 *bytes, guint32 value)
{
  _nvme_put16 (bytes, value & 0xffff);
  _nvme_put16 (bytes + 2, value >> 16);
}

static inline void
_nvme_put64 (guint8 *bytes, guint64 value)
{
  _nvme_put32 (bytes, (guint32) value);
  _nvme_put32 (bytes + 4, (guint32) (value >> 32));
}

/* Command dword @n, 0 to 15 */
static inline guint32
_nvme_dword (const NvmeCommand *command, guint n)
{
  return _nvme_get32 (command->regs->entry + 4 * n);
}

/* Bytes of a memory page as the guest chose it (CC.MPS). */
static inline guint32
_nvme_page_size (const Nvme *nvme)
{
  return 4096u << (nvme->regs.cc >> 7 & 0xf);
}

/* All of these: device's lock held. */

/* nvme.c */
void _vmm_nvme_fail (Nvme *nvme, const char *what); /* CSTS.CFS: the guest must reset the controller */
void _vmm_nvme_update_irq (Nvme *nvme);
/* The last command of a disabled controller came back, maybe. */
void _vmm_nvme_update_disabling (Nvme *nvme);

/* nvme-queue.c */
/* A descriptor for the queue; it stays until the device goes. FALSE: none to be had. */
gboolean _vmm_nvme_open_queue (Nvme *nvme, guint id);
void _vmm_nvme_close_descriptors (Nvme *nvme); /* without the lock */
/* Asks KVM to watch the doorbells that need no value, where they are now. */
void _vmm_nvme_update_notify (Nvme *nvme);
/* A doorbell register was written. */
void _vmm_nvme_ring (Nvme *nvme, guint index, guint32 value);
void _vmm_nvme_kick (Nvme *nvme, guint id);
/* Ends @command with @status and dword 0 of the answer. */
void _vmm_nvme_complete (NvmeCommand *command, guint status, guint32 result);
/* All commands are given up; what the block layer has comes back later and is dropped. */
void _vmm_nvme_abort_all (Nvme *nvme);
/* The shadow doorbells begin with what the registers say. */
void _vmm_nvme_start_shadow (Nvme *nvme);
/* An event for the guest, if it waits for one: type, information, log page of figure 146. */
void _vmm_nvme_raise_event (Nvme *nvme, guint type, guint info, guint log_page);
/* Counts anew what the registers say of commands and queues. */
void _vmm_nvme_recount (Nvme *nvme);
/* Begins to delete a submission queue; @command ends when that is done. */
void _vmm_nvme_delete_sq (Nvme *nvme, guint id, NvmeCommand *command);
void _vmm_nvme_restart (Nvme *nvme); /* after resume: what was held back goes on */

/* nvme-admin.c, nvme-io.c: begin a command; it ends now or later. */
void _vmm_nvme_admin (NvmeCommand *command);
void _vmm_nvme_io (NvmeCommand *command);

/**
 * _vmm_nvme_map:
 * @len: bytes, at most the longest transfer
 * Fills the command's vector with the memory of its PRPs (§4.3). Returns: a status.
 */
guint _vmm_nvme_map (NvmeCommand *command, gsize len);
/* Data to (from) the guest. Return: a status. */
guint _vmm_nvme_put (NvmeCommand *command, gconstpointer data, gsize len);
guint _vmm_nvme_get (NvmeCommand *command, gpointer buf, gsize len);
/* The command's request with @req filled in: @done is called with the lock, unless the command was aborted. */
void _vmm_nvme_submit (NvmeCommand *command, void (*done) (NvmeCommand *command, int result));
