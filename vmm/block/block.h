/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The block layer: an open image as a flat array of bytes. Controllers submit requests; completions come on the machine's iothread. */
#pragma once

#include "core/types.h"

#include <sys/uio.h>

typedef enum {
  VMM_BLOCK_READ,
  VMM_BLOCK_WRITE,
  VMM_BLOCK_FLUSH,
  VMM_BLOCK_DISCARD, /* content becomes unspecified-or-zero; reads as zeros after it here */
  VMM_BLOCK_WRITE_ZEROES,
} VmmBlockOp;

typedef enum {
  VMM_BLOCK_DEFAULT = 0,
  VMM_BLOCK_READ_ONLY = 1 << 0,
  VMM_BLOCK_DIRECT = 1 << 1, /* O_DIRECT; unaligned guest buffers are bounced */
} VmmBlockFlags;

/**
 * VmmBlockRequest:
 * Owned by the caller from submit until @done has run; embedded in the controller's own request.
 */
struct _VmmBlockRequest {
  VmmBlockOp op;
  guint64 offset;          /* bytes, multiple of 512 */
  guint64 len;             /* bytes, multiple of 512; for READ and WRITE the sum of iov */
  const struct iovec *iov; /* host addresses (guest RAM); stay valid until done */
  guint n_iov;
  /* Iothread, no lock held. @result: 0, or -errno. -ENOSPC is only seen with no_space handling off: see vmm_block_set_stall(). */
  void (*done) (VmmBlockRequest *req, int result);
  gpointer data; /* the caller's */

  /* block layer's own */
  gpointer reserved[8];
};

/**
 * vmm_block_open:
 * @format: "raw" or "qcow2"; (nullable): by magic (only app-chosen media; a raw disk a guest can write must name its format)
 * Opens and locks the image and its backing chain (writers exclude everybody, readers exclude writers; also against qemu-img, by the
 * same OFD byte-range locks). Control thread.
 * Errors: _NOT_FOUND, _BUSY (names the image), _CORRUPT, _UNSUPPORTED, _HOST.
 */
VmmBlock *vmm_block_open (const char *path, const char *format, VmmBlockFlags flags, VmmIoThread *iothread, GError **error);
void vmm_block_close (VmmBlock *block); /* drains, flushes, unlocks */

guint64 vmm_block_get_size (VmmBlock *block); /* bytes */
gboolean vmm_block_is_read_only (VmmBlock *block);
const char *vmm_block_get_path (VmmBlock *block);

/**
 * vmm_block_submit:
 * Starts @req. Out-of-range requests complete with -EINVAL, writes to a read-only image with -EROFS. @done never runs before return on
 * the submitting thread's stack; it runs on the iothread. Thread: any, any device lock held. Does no blocking I/O.
 */
void vmm_block_submit (VmmBlock *block, VmmBlockRequest *req);
/* Submissions between begin and end may go to the kernel in one call. Same thread; nests. */
void vmm_block_begin_batch (VmmBlock *block);
void vmm_block_end_batch (VmmBlock *block);

/* Waits until nothing is in flight; the caller submits nothing meanwhile and holds no device lock. Control thread. Stalled requests
 * stay stalled and do not count. */
void vmm_block_drain (VmmBlock *block);

/**
 * vmm_block_set_stall:
 * @stalled: a write met ENOSPC (or EIO): it is kept, not completed; the machine should pause and tell. Iothread.
 * vmm_block_retry() submits what was kept again. Without a handler such requests complete with the error.
 */
void vmm_block_set_stall (VmmBlock *block, void (*stalled) (VmmBlock *block, int error, gpointer data), gpointer data);
void vmm_block_retry (VmmBlock *block);
/* Completes what is stalled with its error (machine is being stopped). */
void vmm_block_fail_stalled (VmmBlock *block);
