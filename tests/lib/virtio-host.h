/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A virtio driver in a test: finds the capabilities as VIRTIO 1.2 §4.1.4 says, negotiates, builds rings in the board's RAM, adds buffers.
 * Rings lie from 16 MiB on; the test's data may lie below. */
#pragma once

#include "test-board.h"

#define VIRTIO_HOST_MAX_QUEUES 64
#define VIRTIO_HOST_MSIX_MESSAGE 0xfee01000u /* address of every vector; the vector's number is the data, plus 0x40 */

typedef struct {
  guint size;
  guint64 desc, avail, used; /* guest physical */
  guint64 notify;            /* address to write */
  guint free_desc;           /* the next descriptor, round and round */
  guint16 avail_idx;
  guint16 taken; /* used entries that the test took */
} VirtioHostQueue;

typedef struct {
  TestBoard *board;
  guint devfn;
  guint64 bar;                         /* of BAR 4 */
  guint64 common, isr, device, notify; /* addresses of the structures */
  guint32 notify_step;
  guint n_queues;
  guint64 features; /* agreed on */
  VirtioHostQueue queues[VIRTIO_HOST_MAX_QUEUES];
} VirtioHost;

typedef struct {
  guint64 addr;
  guint32 len;
} VirtioHostPiece;

/* Places BARs at @bar (128 KiB, in the PCI hole) and turns memory and bus mastering on; checks the capabilities. */
void virtio_host_init (VirtioHost *host, TestBoard *board, guint devfn, guint64 bar);
/* Reset, negotiation (@wanted and VERSION_1, as far as offered; fails the test if the device refuses), all queues with @queue_size
 * entries at most, DRIVER_OK. @msix: a vector each for configuration (0) and queues (1, 2, …). */
void virtio_host_start (VirtioHost *host, guint64 wanted, guint queue_size, gboolean msix);
/* The steps one by one. */
void virtio_host_negotiate (VirtioHost *host, guint64 wanted);
void virtio_host_add_queue (VirtioHost *host, guint index, guint queue_size);
void virtio_host_enable_msix (VirtioHost *host);
guint64 virtio_host_read_features (VirtioHost *host);

guint64 virtio_host_get (VirtioHost *host, guint common_offset, guint size);
void virtio_host_set (VirtioHost *host, guint common_offset, guint size, guint64 value);

void virtio_host_set_desc (VirtioHost *host, guint queue, guint index, guint64 addr, guint32 len, guint16 flags, guint16 next);
/* Adds a chain of @n_out readable and @n_in writable pieces without a kick. Returns: its head. */
guint virtio_host_add (VirtioHost *host, guint queue, const VirtioHostPiece *pieces, guint n_out, guint n_in);
/* Puts @head into the available ring. */
void virtio_host_offer (VirtioHost *host, guint queue, guint16 head);
void virtio_host_kick (VirtioHost *host, guint queue);
guint16 virtio_host_used_idx (VirtioHost *host, guint queue);
/* Waits until there is another used element, and takes it. Returns: bytes written. @ret_head: (nullable) */
guint32 virtio_host_take (VirtioHost *host, guint queue, guint32 *ret_head);
/* add, kick, take. */
guint32 virtio_host_do (VirtioHost *host, guint queue, const VirtioHostPiece *pieces, guint n_out, guint n_in);
