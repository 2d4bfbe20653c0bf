/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The open image that controllers see.
 *
 * Theory of operation: a submitted request goes into a list; the iothread takes it from there and asks the format to start it.
 * What only needs a cached mapping becomes asynchronous operations on the file at once. What needs to wait for metadata, to
 * allocate or to decode goes to the image's worker thread, which starts its data operations the same way. Every part that is
 * under way holds the request; when the last hold is gone it is complete, and done() runs on the iothread.
 * A write that met a full disk is kept whole and started again from its beginning by vmm_block_retry().
 */
#include "block/block-private.h"

#include "core/iothread.h"
#include "core/waiters.h"

#include <errno.h>
#include <string.h>

typedef struct {
  VmmBlockRequest *first, **end;
} BlkList;

struct _VmmBlock {
  VmmIoThread *iothread;
  VmmIo *io;
  VmmNode *top;
  char *path;
  gint batch; /* atomic */

  void (*stall_func) (VmmBlock *block, int error, gpointer data);
  gpointer stall_data;

  GMutex lock;
  /* Under the lock: */
  VmmWaiters idle_waiters;
  guint n_flight; /* submitted and neither done nor stalled */
  BlkList incoming, finished, stalled;
  BlkList work;
  GCond work_cond;
  GThread *worker;
  gboolean quit;
};

/* Parts of one request that go to one file. */
typedef struct {
  VmmBlockRequest *req;
  int (*done) (int result, gpointer data);
  gpointer data;
  guint n_left; /* iothread */
  int result;
  struct iovec *iov; /* (nullable) */
  struct {
    VmmIoOp op;
    gpointer transfer;
  } part[];
} BlkTransfer;

static void
blk_list_init (BlkList *list)
{
  list->first = NULL;
  list->end = &list->first;
}

static void
blk_list_append (BlkList *list, VmmBlockRequest *req)
{
  vmm_request_state (req)->next = NULL;
  *list->end = req;
  list->end = &vmm_request_state (req)->next;
}

static VmmBlockRequest *
blk_list_pop (BlkList *list)
{
  VmmBlockRequest *req = list->first;

  if (req != NULL)
    {
      list->first = vmm_request_state (req)->next;
      if (list->first == NULL)
        list->end = &list->first;
    }
  return req;
}

static BlkList
blk_list_steal (BlkList *list)
{
  BlkList stolen = *list;

  if (stolen.first == NULL)
    stolen.end = NULL; /* never used */
  blk_list_init (list);
  return stolen;
}

/* Holds and completion */

void
vmm_request_hold (VmmBlockRequest *req)
{
  g_atomic_int_inc (&vmm_request_state (req)->holds);
}

static void
blk_finish (VmmBlock *block, VmmBlockRequest *req)
{
  g_mutex_lock (&block->lock);
  blk_list_append (&block->finished, req);
  g_mutex_unlock (&block->lock);
  vmm_io_wake (block->io);
}

void
vmm_request_set_error (VmmBlockRequest *req, int result)
{
  if (result < 0)
    g_atomic_int_compare_and_exchange (&vmm_request_state (req)->result, 0, result);
}

void
vmm_request_release (VmmBlockRequest *req, int result)
{
  VmmRequestState *state = vmm_request_state (req);

  vmm_request_set_error (req, result);
  if (g_atomic_int_dec_and_test (&state->holds))
    blk_finish (state->block, req);
}

void
vmm_block_restart (VmmBlockRequest *req)
{
  vmm_request_state (req)->restart = TRUE;
}

/* Requests start from their beginning. Under the lock. */
static void
blk_enqueue (VmmBlock *block, VmmBlockRequest *req)
{
  VmmRequestState *state = vmm_request_state (req);

  state->pos = 0;
  state->result = 0;
  state->restart = FALSE;
  blk_list_append (&block->incoming, req);
}

static gboolean
blk_should_stall (VmmBlock *block, VmmBlockRequest *req, int result)
{
  if (block->stall_func == NULL)
    return FALSE;
  switch (req->op)
    {
    case VMM_BLOCK_READ:
      return FALSE;
    case VMM_BLOCK_WRITE:
    case VMM_BLOCK_WRITE_ZEROES:
    case VMM_BLOCK_DISCARD:
      return result == -ENOSPC || result == -EDQUOT || result == -EIO;
    case VMM_BLOCK_FLUSH:
      /* After a failed fdatasync() the kernel forgets what it could not write: a second one would lie. The guest must know. */
      return result == -ENOSPC || result == -EDQUOT;
    }
  return FALSE;
}

/* Iothread. */
static void
blk_complete (VmmBlock *block, VmmBlockRequest *req)
{
  VmmRequestState *state = vmm_request_state (req);
  int result = g_atomic_int_get (&state->result);
  gboolean stall = FALSE;

  if (state->restart && result == 0)
    {
      g_mutex_lock (&block->lock);
      blk_enqueue (block, req);
      g_mutex_unlock (&block->lock);
      return;
    }
  stall = result < 0 && !state->restart && blk_should_stall (block, req, result);
  if (stall)
    {
      g_mutex_lock (&block->lock);
      blk_list_append (&block->stalled, req);
      g_mutex_unlock (&block->lock);
      block->stall_func (block, -result, block->stall_data);
    }
  else
    req->done (req, result); /* may free it */

  g_mutex_lock (&block->lock);
  if (--block->n_flight == 0)
    vmm_waiters_wake (&block->idle_waiters);
  g_mutex_unlock (&block->lock);
}

/* Parts */

static void
blk_part_done (VmmIoOp *op, int result)
{
  BlkTransfer *transfer = *(gpointer *) (op + 1);
  VmmBlockRequest *req = transfer->req;

  if (result < 0 && transfer->result == 0)
    transfer->result = result;
  if (--transfer->n_left > 0)
    return;
  result = transfer->result;
  if (transfer->done != NULL)
    result = transfer->done (result, transfer->data);
  g_free (transfer->iov);
  g_free (transfer);
  vmm_request_release (req, result);
}

static BlkTransfer *
blk_transfer_new (VmmBlockRequest *req, guint n_parts, int (*done) (int result, gpointer data), gpointer data)
{
  BlkTransfer *transfer = g_malloc0 (sizeof *transfer + n_parts * sizeof transfer->part[0]);

  G_STATIC_ASSERT (G_STRUCT_OFFSET (BlkTransfer, part[0].transfer) - G_STRUCT_OFFSET (BlkTransfer, part[0].op) == sizeof (VmmIoOp));
  transfer->req = req;
  transfer->done = done;
  transfer->data = data;
  transfer->n_left = n_parts;
  vmm_request_hold (req);
  for (guint i = 0; i < n_parts; i++)
    {
      transfer->part[i].transfer = transfer;
      transfer->part[i].op.done = blk_part_done;
    }
  return transfer;
}

static guint64
blk_iov_length (const struct iovec *iov, guint n_iov)
{
  guint64 len = 0;

  for (guint i = 0; i < n_iov; i++)
    len += iov[i].iov_len;
  return len;
}

void
vmm_request_transfer (VmmBlockRequest *req, guint64 pos, guint64 len, VmmFile *file, guint64 offset,
                      int (*done) (int result, gpointer data), gpointer data)
{
  VmmBlock *block = vmm_request_state (req)->block;
  const struct iovec *iov = req->iov;
  g_autoptr (GArray) slice = NULL;
  BlkTransfer *transfer;
  guint n_iov = req->n_iov;
  guint n_parts;

  if (pos != 0 || len != req->len)
    {
      slice = g_array_new (FALSE, FALSE, sizeof (struct iovec));
      vmm_request_append_iov (req, pos, len, slice);
      iov = (const struct iovec *) (gpointer) slice->data;
      n_iov = slice->len;
    }
  n_parts = MAX ((n_iov + VMM_IO_MAX_IOV - 1) / VMM_IO_MAX_IOV, 1);
  transfer = blk_transfer_new (req, n_parts, done, data);
  if (slice != NULL)
    transfer->iov = (struct iovec *) (gpointer) g_array_free (g_steal_pointer (&slice), FALSE);
  for (guint i = 0; i < n_parts; i++)
    {
      VmmIoOp *op = &transfer->part[i].op;

      op->kind = req->op == VMM_BLOCK_READ ? VMM_IO_READ : VMM_IO_WRITE;
      op->file = file;
      op->offset = offset;
      op->iov = iov + i * VMM_IO_MAX_IOV;
      op->n_iov = MIN (n_iov - i * VMM_IO_MAX_IOV, VMM_IO_MAX_IOV);
      op->len = blk_iov_length (op->iov, op->n_iov);
      offset += op->len;
      vmm_io_queue (block->io, op);
    }
}

void
vmm_request_file_op (VmmBlockRequest *req, VmmIoKind kind, int mode, VmmFile *file, guint64 offset, guint64 len,
                     int (*done) (int result, gpointer data), gpointer data)
{
  BlkTransfer *transfer = blk_transfer_new (req, 1, done, data);
  VmmIoOp *op = &transfer->part[0].op;

  op->kind = kind;
  op->mode = mode;
  op->file = file;
  op->offset = offset;
  op->len = len;
  vmm_io_queue (vmm_request_state (req)->block->io, op);
}

/* Memory of a request */

void
vmm_request_append_iov (VmmBlockRequest *req, guint64 pos, guint64 len, GArray *iov)
{
  for (guint i = 0; i < req->n_iov && len > 0; i++)
    {
      guint8 *base = req->iov[i].iov_base;
      guint64 have = req->iov[i].iov_len;
      struct iovec piece;

      if (pos >= have)
        {
          pos -= have;
          continue;
        }
      piece.iov_base = base + pos;
      piece.iov_len = MIN (have - pos, len);
      if (piece.iov_len > 0)
        g_array_append_val (iov, piece);
      len -= piece.iov_len;
      pos = 0;
    }
}

void
vmm_request_copy_in (VmmBlockRequest *req, guint64 pos, gconstpointer buf, gsize len)
{
  const guint8 *p = buf;

  for (guint i = 0; i < req->n_iov && len > 0; i++)
    {
      guint8 *base = req->iov[i].iov_base;
      gsize have = req->iov[i].iov_len, n;

      if (pos >= have)
        {
          pos -= have;
          continue;
        }
      n = MIN (have - pos, len);
      if (p != NULL)
        {
          memcpy (base + pos, p, n);
          p += n;
        }
      else
        memset (base + pos, 0, n);
      len -= n;
      pos = 0;
    }
}

void
vmm_request_set_zero (VmmBlockRequest *req, guint64 pos, guint64 len)
{
  vmm_request_copy_in (req, pos, NULL, len);
}

/* The worker */

static gpointer
blk_worker (gpointer data)
{
  VmmBlock *block = data;

  g_mutex_lock (&block->lock);
  while (TRUE)
    {
      VmmBlockRequest *req;

      while (block->work.first == NULL && !block->quit)
        g_cond_wait (&block->work_cond, &block->lock);
      req = blk_list_pop (&block->work);
      if (req == NULL)
        break;
      g_mutex_unlock (&block->lock);
      block->top->klass->work (block->top, req);
      vmm_io_wake (block->io);
      g_mutex_lock (&block->lock);
    }
  g_mutex_unlock (&block->lock);
  return NULL;
}

/* With the caller's hold. */
static void
blk_push_work (VmmBlock *block, VmmBlockRequest *req)
{
  gboolean ok = TRUE;

  g_mutex_lock (&block->lock);
  if (block->worker == NULL)
    block->worker = g_thread_try_new ("block-work", blk_worker, block, NULL);
  ok = block->worker != NULL;
  if (ok)
    {
      blk_list_append (&block->work, req);
      g_cond_signal (&block->work_cond);
    }
  g_mutex_unlock (&block->lock);
  if (!ok)
    vmm_request_release (req, -EAGAIN);
}

VmmBlockRequest *
vmm_block_peek_work (VmmBlock *block)
{
  VmmBlockRequest *req;

  g_mutex_lock (&block->lock);
  req = block->work.first;
  g_mutex_unlock (&block->lock);
  return req;
}

VmmBlockRequest *
vmm_block_take_work (VmmBlock *block)
{
  VmmBlockRequest *req;

  g_mutex_lock (&block->lock);
  req = blk_list_pop (&block->work);
  g_mutex_unlock (&block->lock);
  return req;
}

/* Submission */

/* -errno, or 0: it may start. */
static int
blk_check (VmmBlock *block, const VmmBlockRequest *req)
{
  guint64 size = block->top->size;

  if (req->op == VMM_BLOCK_FLUSH)
    return 0;
  if (req->offset % 512 != 0 || req->len % 512 != 0 || req->offset > size || req->len > size - req->offset)
    return -EINVAL;
  if (req->op == VMM_BLOCK_READ)
    return blk_iov_length (req->iov, req->n_iov) == req->len ? 0 : -EINVAL;
  if (!block->top->writable)
    return -EROFS;
  if (req->op == VMM_BLOCK_WRITE && blk_iov_length (req->iov, req->n_iov) != req->len)
    return -EINVAL;
  return 0;
}

/* Iothread. */
static void
blk_start (VmmBlock *block, VmmBlockRequest *req)
{
  int r = blk_check (block, req);

  vmm_request_state (req)->holds = 1;
  if (r < 0 || (req->op != VMM_BLOCK_FLUSH && req->len == 0) || (req->op == VMM_BLOCK_FLUSH && !block->top->writable))
    vmm_request_release (req, r);
  else if (block->top->klass->start (block->top, req))
    vmm_request_release (req, 0);
  else
    blk_push_work (block, req);
}

/* Iothread; from the engine of I/O. */
static gboolean
blk_run (gpointer data, gboolean may_finish)
{
  VmmBlock *block = data;
  BlkList incoming, finished = { NULL, NULL };
  gboolean any = FALSE;
  VmmBlockRequest *req;

  g_mutex_lock (&block->lock);
  incoming = blk_list_steal (&block->incoming);
  if (may_finish)
    finished = blk_list_steal (&block->finished);
  g_mutex_unlock (&block->lock);

  while (incoming.first != NULL && (req = blk_list_pop (&incoming)) != NULL)
    blk_start (block, req);
  while (finished.first != NULL && (req = blk_list_pop (&finished)) != NULL)
    {
      blk_complete (block, req);
      any = TRUE;
    }
  return any;
}

void
vmm_block_submit (VmmBlock *block, VmmBlockRequest *req)
{
  vmm_request_state (req)->block = block;
  g_mutex_lock (&block->lock);
  block->n_flight++;
  blk_enqueue (block, req);
  g_mutex_unlock (&block->lock);
  if (g_atomic_int_get (&block->batch) == 0)
    vmm_io_kick (block->io);
}

void
vmm_block_begin_batch (VmmBlock *block)
{
  g_atomic_int_inc (&block->batch);
}

void
vmm_block_end_batch (VmmBlock *block)
{
  if (g_atomic_int_dec_and_test (&block->batch))
    vmm_io_kick (block->io);
}

void
vmm_block_kick (VmmBlock *block)
{
  vmm_io_kick (block->io);
}

void
vmm_block_drain (VmmBlock *block)
{
  g_assert (!vmm_iothread_is_current (block->iothread));
  g_mutex_lock (&block->lock);
  while (block->n_flight > 0)
    vmm_waiters_wait (&block->idle_waiters, &block->lock);
  g_mutex_unlock (&block->lock);
}

/* Stalling */

void
vmm_block_set_stall (VmmBlock *block, void (*stalled) (VmmBlock *block, int error, gpointer data), gpointer data)
{
  block->stall_func = stalled;
  block->stall_data = data;
}

void
vmm_block_retry (VmmBlock *block)
{
  BlkList stalled;
  VmmBlockRequest *req;

  g_mutex_lock (&block->lock);
  stalled = blk_list_steal (&block->stalled);
  while (stalled.first != NULL && (req = blk_list_pop (&stalled)) != NULL)
    {
      block->n_flight++;
      blk_enqueue (block, req);
    }
  g_mutex_unlock (&block->lock);
  vmm_io_wake (block->io);
}

void
vmm_block_fail_stalled (VmmBlock *block)
{
  BlkList stalled;
  VmmBlockRequest *req;

  g_mutex_lock (&block->lock);
  stalled = blk_list_steal (&block->stalled);
  while (stalled.first != NULL && (req = blk_list_pop (&stalled)) != NULL)
    {
      block->n_flight++;
      vmm_request_state (req)->restart = TRUE; /* with an error it means: not again */
      blk_list_append (&block->finished, req);
    }
  g_mutex_unlock (&block->lock);
  vmm_io_wake (block->io);
}

/* Life */

VmmBlock *
vmm_block_open (const char *path, const char *format, VmmBlockFlags flags, VmmIoThread *iothread, GError **error)
{
  VmmBlock *block = g_new0 (VmmBlock, 1);
  VmmFileFlags file_flags = VMM_FILE_READ_ONLY;

  if ((flags & VMM_BLOCK_READ_ONLY) == 0)
    file_flags |= VMM_FILE_WRITABLE;
  if ((flags & VMM_BLOCK_DIRECT) != 0)
    file_flags |= VMM_FILE_DIRECT;
  block->iothread = iothread;
  block->path = g_strdup (path);
  g_mutex_init (&block->lock);
  vmm_waiters_init (&block->idle_waiters);
  g_cond_init (&block->work_cond);
  blk_list_init (&block->incoming);
  blk_list_init (&block->finished);
  blk_list_init (&block->stalled);
  blk_list_init (&block->work);
  block->top = vmm_node_open (block, path, format, file_flags, NULL, error);
  if (block->top != NULL)
    block->io = vmm_io_new (iothread, blk_run, block, error);
  if (block->io == NULL)
    {
      vmm_block_close (block);
      return NULL;
    }
  return block;
}

void
vmm_block_close (VmmBlock *block)
{
  if (block == NULL)
    return;
  if (block->io != NULL)
    {
      vmm_block_drain (block); /* of this, something may stall */
      vmm_block_fail_stalled (block);
      vmm_block_drain (block);
    }
  if (block->worker != NULL)
    {
      g_mutex_lock (&block->lock);
      block->quit = TRUE;
      g_cond_signal (&block->work_cond);
      g_mutex_unlock (&block->lock);
      g_thread_join (block->worker);
    }
  vmm_io_free (block->io);
  vmm_node_close (block->top);
  vmm_waiters_clear (&block->idle_waiters);
  g_cond_clear (&block->work_cond);
  g_mutex_clear (&block->lock);
  g_free (block->path);
  g_free (block);
}

guint64
vmm_block_get_size (VmmBlock *block)
{
  return block->top->size;
}

gboolean
vmm_block_is_read_only (VmmBlock *block)
{
  return !block->top->writable;
}

const char *
vmm_block_get_path (VmmBlock *block)
{
  return block->path;
}

VmmIo *
vmm_block_get_io (VmmBlock *block)
{
  return block->io;
}

VmmNode *
vmm_block_get_node (VmmBlock *block)
{
  return block->top;
}

const char *
vmm_block_get_io_name (VmmBlock *block)
{
  return block->io->klass->name;
}

void
vmm_block_set_hooks (VmmBlock *block, const VmmFileHooks *hooks, gpointer data)
{
  block->top->file->hooks = hooks;
  block->top->file->hooks_data = data;
}
