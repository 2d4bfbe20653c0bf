/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A small NVMe driver for tests, written from NVM Express Base Specification 1.4, not from vmm/. */
#pragma once

#include "test-board.h"

#define NVME_HOST_BAR 0xfe000000u
#define NVME_HOST_DEVFN (2 << 3)   /* the first free place */
#define NVME_HOST_QUEUES 0x100000u /* RAM: queue memory, 128 KiB a queue: 64 KiB of entries, 64 KiB of completions */
#define NVME_HOST_DATA 0x1000000u  /* RAM from here on is the test's */

/* Registers, §3.1 */
enum {
  NVME_HOST_CAP = 0x00,
  NVME_HOST_VS = 0x08,
  NVME_HOST_INTMS = 0x0c,
  NVME_HOST_INTMC = 0x10,
  NVME_HOST_CC = 0x14,
  NVME_HOST_CSTS = 0x1c,
  NVME_HOST_AQA = 0x24,
  NVME_HOST_ASQ = 0x28,
  NVME_HOST_ACQ = 0x30,
};

typedef struct {
  guint32 tail, head, size; /* of submission, of completion, of both */
  guint8 phase;
} NvmeHostQueue;

typedef struct {
  TestBoard *board;
  VmmDevice *nvme;
  NvmeHostQueue queues[64];
  guint16 next_id;
} NvmeHost;

typedef struct {
  guint8 opcode, flags;
  guint16 id; /* filled in */
  guint32 nsid;
  guint64 prp1, prp2;
  guint32 dw10, dw11, dw12, dw13;
} NvmeHostCommand;

typedef struct {
  guint32 result;
  guint16 sq_head, sq, id, status; /* status: SCT << 8 | SC, without phase and DNR */
  gboolean dnr;
} NvmeHostAnswer;

/* Adds a controller over @image and maps it; off. */
NvmeHost *nvme_host_new (TestBoard *board, const char *image, const char *key, const char *value);
void nvme_host_free (NvmeHost *host);
/* Maps the BAR and sets bus mastering, after a reset too. */
void nvme_host_map (NvmeHost *host);
guint32 nvme_host_read (NvmeHost *host, guint reg);
void nvme_host_write (NvmeHost *host, guint reg, guint32 value);
guint64 nvme_host_sq (guint queue); /* gpa */
guint64 nvme_host_cq (guint queue);

/* §7.6.1: admin queue of @entries, CC.EN, waits for CSTS.RDY. */
void nvme_host_enable (NvmeHost *host, guint entries);
void nvme_host_disable (NvmeHost *host);
/* Puts an entry and rings. Returns: its identifier. */
guint16 nvme_host_submit (NvmeHost *host, guint queue, NvmeHostCommand command);
void nvme_host_put (NvmeHost *host, guint queue, NvmeHostCommand command); /* without ringing */
void nvme_host_ring_sq (NvmeHost *host, guint queue);
/* Takes the next completion entry if there is one; @ring: and tells the controller. */
gboolean nvme_host_poll (NvmeHost *host, guint queue, gboolean ring, NvmeHostAnswer *ret_answer);
NvmeHostAnswer nvme_host_wait (NvmeHost *host, guint queue);
/* Submits and waits. */
NvmeHostAnswer nvme_host_run (NvmeHost *host, guint queue, NvmeHostCommand command);
/* CREATE I/O COMPLETION and SUBMISSION QUEUE, with an interrupt on @vector. */
void nvme_host_create_queue (NvmeHost *host, guint queue, guint entries, guint vector);
/* READ (2) or WRITE (1) of @n blocks in memory from @gpa on, in one piece; PRPs in a list if need be. Returns: status. */
guint nvme_host_move (NvmeHost *host, guint queue, guint8 opcode, guint64 first, guint n, guint64 gpa, guint32 dw12);
