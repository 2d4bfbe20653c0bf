/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the image formats see of the block layer. */
#pragma once

#include "block/block.h"
#include "block/file.h"
#include "block/io.h"

typedef struct _VmmNode VmmNode;
typedef struct _VmmNodeClass VmmNodeClass;

/* The longest chain of backing files. */
#define VMM_BLOCK_MAX_DEPTH 64

typedef enum {
  VMM_EXTENT_ZERO,
  VMM_EXTENT_DATA,  /* at @offset of @file */
  VMM_EXTENT_CODED, /* only read_coded() of @node gets at it; within one cluster */
} VmmExtentKind;

typedef struct {
  VmmExtentKind kind;
  VmmFile *file;
  guint64 offset; /* CODED: the guest's */
  guint64 coded;  /* the format's */
  VmmNode *node;
} VmmExtent;

/* The files that lead to a backing file, from the last one up to the guest's own image. */
typedef struct _VmmNodeChain VmmNodeChain;
struct _VmmNodeChain {
  const VmmFile *file;
  const VmmNodeChain *above;
  guint depth;
};

/* An image format. */
struct _VmmNodeClass {
  const char *format;
  /* Flushes what it holds if writable; frees. Control thread; nothing in flight. */
  void (*close) (VmmNode *node);
  /*
   * Starts what needs no blocking. FALSE: the rest of the request (from state->pos) needs the worker. The caller holds the request,
   * and keeps the hold. Iothread.
   */
  gboolean (*start) (VmmNode *node, VmmBlockRequest *req);
  /* The rest of the request; releases the hold that came with it. May take more with vmm_block_take_work(). Worker. */
  void (*work) (VmmNode *node, VmmBlockRequest *req);
  /*
   * Where the guest's bytes from @offset are; *@len is cut to what lies together, at least 1. @may_block: worker only.
   * Returns 0, -EAGAIN (only blocking tells), another -errno. Iothread or worker.
   */
  int (*map) (VmmNode *node, guint64 offset, guint64 *len, gboolean may_block, VmmExtent *ret_extent);
  /* Reads bytes of one extent of the kind CODED, from its beginning. Worker. */
  int (*read_coded) (VmmNode *node, const VmmExtent *extent, gpointer buf, gsize len);
};

/* An image of a chain; the first belongs to the guest, the ones behind it are only read. */
struct _VmmNode {
  const VmmNodeClass *klass;
  VmmBlock *block;
  VmmFile *file;
  VmmNode *backing; /* (nullable) */
  guint64 size;     /* bytes the guest sees, multiple of 512 */
  gboolean writable;
};

/* What the block layer keeps in a request. */
typedef struct {
  VmmBlock *block;
  VmmBlockRequest *next;
  guint64 pos;      /* bytes started so far */
  gint holds;       /* atomic */
  gint result;      /* atomic: first error */
  gboolean restart; /* iothread: start it again when the last hold is gone */
} VmmRequestState;

G_STATIC_ASSERT (sizeof (VmmRequestState) <= sizeof (((VmmBlockRequest *) NULL)->reserved));

static inline VmmRequestState *
vmm_request_state (VmmBlockRequest *req)
{
  return (VmmRequestState *) req->reserved;
}

/* A request is complete when its last hold is gone; the first error is its result. Thread: any. */
void vmm_request_hold (VmmBlockRequest *req);
void vmm_request_release (VmmBlockRequest *req, int result);

/**
 * vmm_request_transfer:
 * @pos: bytes from the start of the request
 * @done: (nullable): iothread, before the request is released; may change the result
 * Moves a part of a READ or WRITE between its memory and @file. Runs at the next vmm_block_kick(). Thread: iothread, worker.
 */
void vmm_request_transfer (VmmBlockRequest *req, guint64 pos, guint64 len, VmmFile *file, guint64 offset,
                           int (*done) (int result, gpointer data), gpointer data);
/* The same for VMM_IO_SYNC and VMM_IO_FALLOCATE. */
void vmm_request_file_op (VmmBlockRequest *req, VmmIoKind kind, int mode, VmmFile *file, guint64 offset, guint64 len,
                          int (*done) (int result, gpointer data), gpointer data);

/* Memory of a READ or WRITE. */
void vmm_request_set_zero (VmmBlockRequest *req, guint64 pos, guint64 len);
void vmm_request_copy_in (VmmBlockRequest *req, guint64 pos, gconstpointer buf, gsize len); /* to the guest's memory */
/* Appends the memory of @len bytes from @pos to @iov (of struct iovec). */
void vmm_request_append_iov (VmmBlockRequest *req, guint64 pos, guint64 len, GArray *iov);

/* The first error is the result. The holds stay. */
void vmm_request_set_error (VmmBlockRequest *req, int result);

/* Has @req started again from its beginning once nothing holds it, for a format that must try another way. Iothread. */
void vmm_block_restart (VmmBlockRequest *req);

/* Gives what was queued to the iothread. Thread: any. */
void vmm_block_kick (VmmBlock *block);
VmmIo *vmm_block_get_io (VmmBlock *block);
VmmNode *vmm_block_get_node (VmmBlock *block);

/* The next requests that wait for the worker, in order; peek looks, take takes what peek gave, with its hold. Worker. */
VmmBlockRequest *vmm_block_peek_work (VmmBlock *block);
VmmBlockRequest *vmm_block_take_work (VmmBlock *block);

/**
 * vmm_node_open:
 * @chain: (nullable): what is above it; NULL for the guest's own image
 * Opens and locks an image and what is behind it.
 */
VmmNode *vmm_node_open (VmmBlock *block, const char *path, const char *format, VmmFileFlags flags, const VmmNodeChain *chain,
                        GError **error);
void vmm_node_close (VmmNode *node);
/* Reads through the chain; zeros behind the end. Worker. Returns 0 or -errno. */
int vmm_node_read (VmmNode *node, guint64 offset, gpointer buf, gsize len);
/* map() of a node's own class with the end of the image taken care of. */
int vmm_node_map (VmmNode *node, guint64 offset, guint64 *len, gboolean may_block, VmmExtent *ret_extent);

/* Returns: "raw", or the name of the format whose magic @head has, which may be one we do not support. */
const char *vmm_node_detect_format (const guint8 *head, gsize len);
const char *vmm_node_probe_format (VmmFile *file, GError **error);

/* Takes @file over if it succeeds. */
VmmNode *vmm_raw_open (VmmBlock *block, VmmFile *file, GError **error);

/* For tests: sees and breaks the operations on the guest's own image. Nothing in flight. */
void vmm_block_set_hooks (VmmBlock *block, const VmmFileHooks *hooks, gpointer data);
/* For tests: "io_uring" or "threads". */
const char *vmm_block_get_io_name (VmmBlock *block);
