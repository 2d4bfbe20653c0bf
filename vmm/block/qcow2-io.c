/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests on qcow2 images. See qcow2.h for who does what. */
#include "block/qcow2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define QIO_MAX_JOB (4u << 20) /* bytes of writes taken together */
#define QIO_MAX_FREES 1024

/* Data on their way to clusters: with a slice, they are linked there when the data are written. */
struct _VmmQcow2Write {
  VmmQcow2 *q;
  VmmQcow2Epoch *epoch; /* written in place, nothing to link; else NULL and: */
  VmmQcow2Slice *slice; /* pinned */
  guint64 guest;        /* first cluster's offset */
  guint64 n_clusters;
  guint64 host;
  gboolean allocated; /* the host's clusters are new */
  guint32 first_alloc, first_zero, last_alloc, last_zero;

  GPtrArray *reqs; /* held */
  GArray *iov;
  guint8 *head, *tail; /* what was copied from before and behind */
  guint n_left;
  int result;
  struct {
    VmmIoOp op;
    VmmQcow2Write *write;
  } part[];
};

/* Writes that the worker does as one: neighbours in the guest. */
typedef struct {
  guint64 start, end;
  GArray *iov;     /* struct iovec */
  GPtrArray *reqs; /* held by who made the job */
} QioJob;

/* Looking up */

static int
qio_epoch_left (int result, gpointer data)
{
  VmmQcow2Epoch *epoch = data;
  VmmQcow2 *q = epoch->qcow2;

  g_mutex_lock (&q->lock);
  if (--epoch->n == 0)
    vmm_waiters_wake (&q->epoch_waiters);
  g_mutex_unlock (&q->lock);
  return result;
}

/* As vmm_qcow2_map(); with @ret_epoch, data in this image's own file are entered there. */
static int
qio_map (VmmQcow2 *q, guint64 offset, guint64 *len, gboolean may_block, VmmExtent *ret_extent, VmmQcow2Epoch **ret_epoch)
{
  VmmQcow2Slice *slice;
  VmmQcow2Kind kind = VMM_QCOW2_UNALLOCATED;
  guint64 host = 0, raw = 0;
  gboolean pinned = FALSE;
  int r;

  g_mutex_lock (&q->lock);
  r = vmm_qcow2_peek_slice (q, offset, &slice);
  if (r == -EAGAIN && may_block)
    {
      g_mutex_unlock (&q->lock);
      r = vmm_qcow2_load_slice (q, offset, &slice);
      pinned = r == 0 && slice != NULL;
      g_mutex_lock (&q->lock);
    }
  if (r == 0)
    r = vmm_qcow2_locate (q, slice, offset, len, &kind, &host, &raw);
  if (r == 0 && kind == VMM_QCOW2_IS_DATA && ret_epoch != NULL)
    {
      *ret_epoch = &q->epochs[q->epoch];
      (*ret_epoch)->n++;
    }
  if (pinned)
    slice->pins--;
  g_mutex_unlock (&q->lock);
  if (r < 0)
    return r;

  *ret_extent = (VmmExtent) { .kind = VMM_EXTENT_ZERO, .node = &q->node };
  switch (kind)
    {
    case VMM_QCOW2_IS_ZERO:
      break;
    case VMM_QCOW2_IS_DATA:
      ret_extent->kind = VMM_EXTENT_DATA;
      ret_extent->file = q->node.file;
      ret_extent->offset = host;
      break;
    case VMM_QCOW2_IS_COMPRESSED:
      ret_extent->kind = VMM_EXTENT_CODED;
      ret_extent->offset = offset;
      ret_extent->coded = raw;
      break;
    case VMM_QCOW2_UNALLOCATED:
      if (q->node.backing != NULL)
        return vmm_node_map (q->node.backing, offset, len, may_block, ret_extent);
      break;
    }
  return 0;
}

int
vmm_qcow2_map (VmmNode *node, guint64 offset, guint64 *len, gboolean may_block, VmmExtent *ret_extent)
{
  return qio_map ((VmmQcow2 *) node, offset, len, may_block, ret_extent, NULL);
}

/* Whether all of it reads as zeros, as far as the tables tell: 1, 0 or -errno. Worker. */
static int
qio_is_zero (VmmQcow2 *q, guint64 offset, guint64 len)
{
  while (len > 0)
    {
      guint64 n = len;
      VmmExtent extent;
      int r = vmm_node_map (&q->node, offset, &n, TRUE, &extent);

      if (r < 0)
        return r;
      if (extent.kind != VMM_EXTENT_ZERO)
        return 0;
      offset += n;
      len -= n;
    }
  return 1;
}

/* Reading */

static int
qio_read_coded (VmmBlockRequest *req, guint64 pos, guint64 len, const VmmExtent *extent)
{
  g_autofree guint8 *buf = g_try_malloc (len);
  int r = buf != NULL ? extent->node->klass->read_coded (extent->node, extent, buf, len) : -ENOMEM;

  if (r == 0)
    vmm_request_copy_in (req, pos, buf, len);
  return r;
}

/* FALSE: the rest needs the worker. */
static gboolean
qio_read (VmmQcow2 *q, VmmBlockRequest *req, gboolean may_block)
{
  VmmRequestState *state = vmm_request_state (req);

  while (state->pos < req->len)
    {
      guint64 n = req->len - state->pos;
      VmmQcow2Epoch *epoch = NULL;
      VmmExtent extent;
      int r = qio_map (q, req->offset + state->pos, &n, may_block, &extent, &epoch);

      if (!may_block && (r == -EAGAIN || (r == 0 && extent.kind == VMM_EXTENT_CODED)))
        return FALSE;
      if (r == 0)
        switch (extent.kind)
          {
          case VMM_EXTENT_ZERO:
            vmm_request_set_zero (req, state->pos, n);
            break;
          case VMM_EXTENT_DATA:
            vmm_request_transfer (req, state->pos, n, extent.file, extent.offset, epoch != NULL ? qio_epoch_left : NULL, epoch);
            if (may_block)
              vmm_block_kick (q->node.block); /* the worker may wait for it */
            break;
          case VMM_EXTENT_CODED:
            r = qio_read_coded (req, state->pos, n, &extent);
            break;
          }
      if (r < 0)
        {
          vmm_request_set_error (req, r);
          break;
        }
      state->pos += n;
    }
  return TRUE;
}

/* Writing, where all is there already */

static gboolean
qio_write_fast (VmmQcow2 *q, VmmBlockRequest *req)
{
  VmmRequestState *state = vmm_request_state (req);

  while (state->pos < req->len)
    {
      guint64 n = req->len - state->pos, host = 0;
      VmmQcow2Epoch *epoch = NULL;
      VmmQcow2Slice *slice;

      g_mutex_lock (&q->lock);
      if (!q->broken && vmm_qcow2_peek_slice (q, req->offset + state->pos, &slice) == 0
          && vmm_qcow2_locate_writable (q, slice, req->offset + state->pos, &n, &host) && !vmm_qcow2_overlaps (q, host, n))
        {
          epoch = &q->epochs[q->epoch];
          epoch->n++;
        }
      g_mutex_unlock (&q->lock);
      if (epoch == NULL)
        return FALSE;
      vmm_request_transfer (req, state->pos, n, q->node.file, host, qio_epoch_left, epoch);
      state->pos += n;
    }
  return TRUE;
}

/* Writing by the worker */

/* Makes the cached tables point to the new data. Lock held. */
static void
qio_link (VmmQcow2Write *w)
{
  VmmQcow2 *q = w->q;
  guint index = vmm_qcow2_slice_index (q, w->guest);
  guint32 all = q->n_subclusters > 1 ? G_MAXUINT32 : 1;

  for (guint64 i = 0; i < w->n_clusters; i++)
    {
      guint64 host = w->host + (i << q->cluster_bits);
      guint32 alloc = all, zero = 0;
      VmmQcow2Entry old;

      if (i == 0)
        {
          alloc = w->first_alloc;
          zero = w->first_zero;
        }
      else if (i + 1 == w->n_clusters)
        {
          alloc = w->last_alloc;
          zero = w->last_zero;
        }
      if (vmm_qcow2_get_entry (q, w->slice, index + (guint) i, &old) && (old.compressed || old.host != host))
        vmm_qcow2_let_go (q, &old);
      vmm_qcow2_set_entry (q, w->slice, index + (guint) i, host | QCOW2_COPIED, alloc, zero);
    }
}

static void
qio_write_done (VmmIoOp *op, int result)
{
  VmmQcow2Write *w = *(VmmQcow2Write **) (op + 1);
  VmmQcow2 *q = w->q;

  if (result < 0 && w->result == 0)
    w->result = result;
  if (--w->n_left > 0)
    return;

  if (w->epoch != NULL)
    qio_epoch_left (0, w->epoch);
  else
    {
      g_mutex_lock (&q->lock);
      if (w->result == 0)
        qio_link (w);
      else if (w->allocated)
        g_array_append_vals (q->frees, &(VmmQcow2Range) { w->host, w->n_clusters << q->cluster_bits }, 1);
      w->slice->pins--;
      g_ptr_array_remove_fast (q->writes, w);
      vmm_waiters_wake (&q->write_waiters);
      g_mutex_unlock (&q->lock);
    }
  for (guint i = 0; i < w->reqs->len; i++)
    vmm_request_release (w->reqs->pdata[i], w->result);
  g_ptr_array_unref (w->reqs);
  g_array_unref (w->iov);
  free (w->head);
  free (w->tail);
  g_free (w);
}

/* Starts @w, whose iov goes to @host, and forgets it. */
static void
qio_submit (VmmQcow2Write *proto, guint64 host)
{
  VmmQcow2 *q = proto->q;
  const struct iovec *iov = (const struct iovec *) (gconstpointer) proto->iov->data;
  guint n_parts = (proto->iov->len + VMM_IO_MAX_IOV - 1) / VMM_IO_MAX_IOV;
  VmmQcow2Write *w = g_malloc0 (sizeof *w + n_parts * sizeof w->part[0]);

  G_STATIC_ASSERT (G_STRUCT_OFFSET (VmmQcow2Write, part[0].write) - G_STRUCT_OFFSET (VmmQcow2Write, part[0].op)
                   == sizeof (VmmIoOp));
  *w = *proto;
  w->n_left = n_parts;
  for (guint i = 0; i < w->reqs->len; i++)
    vmm_request_hold (w->reqs->pdata[i]);
  if (w->epoch == NULL)
    {
      g_mutex_lock (&q->lock);
      g_ptr_array_add (q->writes, w);
      g_mutex_unlock (&q->lock);
    }
  for (guint i = 0; i < n_parts; i++)
    {
      VmmIoOp *op = &w->part[i].op;

      w->part[i].write = w;
      op->kind = VMM_IO_WRITE;
      op->file = q->node.file;
      op->offset = host;
      op->iov = iov + i * VMM_IO_MAX_IOV;
      op->n_iov = MIN (w->iov->len - i * VMM_IO_MAX_IOV, VMM_IO_MAX_IOV);
      for (guint j = 0; j < op->n_iov; j++)
        op->len += op->iov[j].iov_len;
      op->done = qio_write_done;
      host += op->len;
    }
  /* The last part may be done before the last is queued if that went one by one; the count is right, but @w may be gone. */
  for (guint i = 0; i < n_parts; i++)
    vmm_io_queue (vmm_block_get_io (q->node.block), &w->part[i].op);
  vmm_block_kick (q->node.block);
}

static void
qio_append_slice (GArray *to, const GArray *from, guint64 pos, guint64 len)
{
  for (guint i = 0; i < from->len && len > 0; i++)
    {
      struct iovec piece = g_array_index (from, struct iovec, i);

      if (pos >= piece.iov_len)
        {
          pos -= piece.iov_len;
          continue;
        }
      piece.iov_base = (guint8 *) piece.iov_base + pos;
      piece.iov_len = MIN (piece.iov_len - pos, len);
      g_array_append_val (to, piece);
      len -= piece.iov_len;
      pos = 0;
    }
}

static void
qio_append_zeroes (GArray *to, guint64 len)
{
  while (len > 0)
    {
      struct iovec piece = { (gpointer) vmm_zeroes, MIN (len, VMM_ZEROES_SIZE) };

      g_array_append_val (to, piece);
      len -= piece.iov_len;
    }
}

/*
 * Appends what the guest has in [@start, @start + @len) to @iov, from a buffer in @ret_buf. @untouched: the place reads as zeros
 * already: then zeros are left out, and @ret_skipped set.
 */
static int
qio_append_old (VmmQcow2 *q, GArray *iov, guint64 start, guint64 len, gboolean untouched, guint8 **ret_buf, gboolean *ret_skipped)
{
  struct iovec piece = { NULL, len };
  void *buf = NULL;
  int r;

  *ret_skipped = FALSE;
  if (len == 0)
    return 0;
  r = qio_is_zero (q, start, len);
  if (r < 0)
    return r;
  if (r == 1)
    {
      if (untouched)
        *ret_skipped = TRUE;
      else
        qio_append_zeroes (iov, len);
      return 0;
    }
  if (posix_memalign (&buf, 4096, len) != 0)
    return -ENOMEM;
  *ret_buf = buf;
  piece.iov_base = buf;
  g_array_append_val (iov, piece);
  return vmm_node_read (&q->node, start, buf, len);
}

/* Waits until no write that will link touches the clusters of the range. Lock held, let go for the time. */
static void
qio_wait_writes (VmmQcow2 *q, guint64 guest, guint64 len)
{
  guint i = 0;

  while (i < q->writes->len)
    {
      const VmmQcow2Write *w = q->writes->pdata[i];

      if (guest < w->guest + (w->n_clusters << q->cluster_bits) && w->guest < ((guest + len - 1) | (q->cluster_size - 1)) + 1)
        {
          vmm_waiters_wait (&q->write_waiters, &q->lock);
          i = 0;
        }
      else
        i++;
    }
}

/* Subclusters @first … @last. */
static guint32
qio_mask (guint first, guint last)
{
  return (guint32) (((G_GUINT64_CONSTANT (1) << (last + 1)) - 1) & ~((G_GUINT64_CONSTANT (1) << first) - 1));
}

/* The state of a new cluster of which subclusters @first … @last are written; TRUE: all of the cluster must be. */
static gboolean
qio_new_bits (const VmmQcow2 *q, const VmmQcow2Entry *old, guint first, guint last, guint32 *ret_alloc, guint32 *ret_zero)
{
  gboolean whole = q->n_subclusters == 1 || old->compressed || old->host != 0;

  *ret_alloc = whole ? qio_mask (0, q->n_subclusters - 1) : qio_mask (first, last);
  *ret_zero = whole ? 0 : old->zero & ~*ret_alloc;
  return whole;
}

/*
 * Writes the beginning of @len bytes at @at, which must be linked; cuts *@len to what it did. @slice is pinned and taken. Lock not
 * held; nothing else links in these clusters.
 */
static int
qio_write_linking (VmmQcow2 *q, const QioJob *job, guint64 at, guint64 *len, VmmQcow2Slice *slice, guint64 n_clusters,
                   const VmmQcow2Entry *first, const VmmQcow2Entry *last)
{
  VmmQcow2Write w = { .q = q, .slice = slice, .guest = at & ~(q->cluster_size - 1), .n_clusters = 1, .reqs = job->reqs };
  guint64 in_cluster = at - w.guest, cow_start, cow_end, end;
  gboolean untouched = FALSE, head_skipped, tail_skipped, whole_first, whole_last;
  VmmQcow2Entry last_entry = *last;
  guint sub_first = (guint) (in_cluster >> q->subcluster_bits), sub_last;
  guint64 subcluster = G_GUINT64_CONSTANT (1) << q->subcluster_bits;
  int r = 0;

  if (first->copied)
    {
      /* The cluster is ours, some of its subclusters (or all, being zero) are not in use yet. */
      *len = MIN (*len, q->cluster_size - in_cluster);
      w.host = first->host;
      sub_last = (guint) ((in_cluster + *len - 1) >> q->subcluster_bits);
      end = at + *len;
      cow_start = (first->alloc >> sub_first & 1) != 0 ? at : at & ~(subcluster - 1);
      cow_end = (first->alloc >> sub_last & 1) != 0 ? end : (end + subcluster - 1) & ~(subcluster - 1);
      w.first_alloc = first->alloc | qio_mask (sub_first, sub_last);
      w.first_zero = first->zero & ~w.first_alloc;
    }
  else
    {
      guint64 n = n_clusters;

      r = vmm_qcow2_alloc (q, n, &w.host, &n, &untouched);
      if (r < 0)
        {
          vmm_qcow2_slice_unpin (q, slice);
          return r;
        }
      w.allocated = TRUE;
      w.n_clusters = n;
      *len = MIN (*len, (n << q->cluster_bits) - in_cluster);
      end = at + *len;
      sub_last = (guint) (((end - 1) & (q->cluster_size - 1)) >> q->subcluster_bits);
      if (n == 1)
        {
          whole_first = whole_last = qio_new_bits (q, first, sub_first, sub_last, &w.first_alloc, &w.first_zero);
        }
      else
        {
          if (n < n_clusters)
            {
              g_mutex_lock (&q->lock);
              if (!vmm_qcow2_get_entry (q, slice, vmm_qcow2_slice_index (q, end - 1), &last_entry))
                r = -EIO;
              g_mutex_unlock (&q->lock);
            }
          whole_first = qio_new_bits (q, first, sub_first, q->n_subclusters - 1, &w.first_alloc, &w.first_zero);
          whole_last = qio_new_bits (q, &last_entry, 0, sub_last, &w.last_alloc, &w.last_zero);
        }
      cow_start = at & ~((whole_first ? q->cluster_size : subcluster) - 1);
      cow_end = (end + (whole_last ? q->cluster_size : subcluster) - 1) & ~((whole_last ? q->cluster_size : subcluster) - 1);
    }

  w.iov = g_array_new (FALSE, FALSE, sizeof (struct iovec));
  if (r == 0)
    r = qio_append_old (q, w.iov, cow_start, at - cow_start, untouched, &w.head, &head_skipped);
  if (r == 0)
    {
      if (head_skipped)
        cow_start = at;
      qio_append_slice (w.iov, job->iov, at - job->start, *len);
      r = qio_append_old (q, w.iov, end, cow_end - end, untouched, &w.tail, &tail_skipped);
    }
  if (r < 0)
    {
      g_mutex_lock (&q->lock);
      if (w.allocated)
        g_array_append_vals (q->frees, &(VmmQcow2Range) { w.host, w.n_clusters << q->cluster_bits }, 1);
      slice->pins--;
      g_mutex_unlock (&q->lock);
      g_array_unref (w.iov);
      free (w.head);
      free (w.tail);
      return r;
    }
  g_ptr_array_ref (w.reqs);
  qio_submit (&w, w.host + (cow_start - w.guest));
  return 0;
}

/* Starts writing the beginning of *@len bytes of the job at @at; cuts *@len to what it did. */
static int
qio_write_step (VmmQcow2 *q, const QioJob *job, guint64 at, guint64 *len)
{
  guint64 host, n = 0, n_clusters = 0;
  VmmQcow2Entry first = { 0 }, entry;
  VmmQcow2Slice *slice;
  int r = vmm_qcow2_make_slice (q, at, &slice);

  if (r < 0)
    return r;
  *len = MIN (*len, vmm_qcow2_slice_rest (q, at));
  g_mutex_lock (&q->lock);
  qio_wait_writes (q, at, 1);
  n = *len;
  if (vmm_qcow2_locate_writable (q, slice, at, &n, &host))
    {
      VmmQcow2Write w = { .q = q, .epoch = &q->epochs[q->epoch], .reqs = job->reqs };
      gboolean overlaps = vmm_qcow2_overlaps (q, host, n);

      slice->pins--;
      if (!overlaps)
        w.epoch->n++;
      g_mutex_unlock (&q->lock);
      if (overlaps)
        return -EIO;
      *len = n;
      w.iov = g_array_new (FALSE, FALSE, sizeof (struct iovec));
      qio_append_slice (w.iov, job->iov, at - job->start, n);
      g_ptr_array_ref (w.reqs);
      qio_submit (&w, host);
      return 0;
    }

  /* A run of clusters that need new ones, or one that needs more of its own. */
  for (n = 0; n < *len; n_clusters++)
    {
      guint64 cluster_rest = q->cluster_size - ((at + n) & (q->cluster_size - 1));
      gboolean taken = FALSE;

      if (!vmm_qcow2_get_entry (q, slice, vmm_qcow2_slice_index (q, at + n), &entry))
        {
          r = -EIO;
          break;
        }
      for (guint i = 0; i < q->writes->len && !taken && n > 0; i++)
        {
          const VmmQcow2Write *w = q->writes->pdata[i];

          taken = w->guest <= at + n && at + n < w->guest + (w->n_clusters << q->cluster_bits);
        }
      if (n_clusters > 0 && (first.copied || entry.copied || taken))
        break;
      if (n_clusters == 0)
        first = entry;
      n += cluster_rest;
    }
  if (r == 0 && first.copied && vmm_qcow2_overlaps (q, first.host, q->cluster_size))
    r = -EIO;
  if (r < 0)
    {
      vmm_qcow2_set_broken (q, "a bad L2 entry");
      slice->pins--;
      g_mutex_unlock (&q->lock);
      return r;
    }
  *len = MIN (*len, n);
  if (!vmm_qcow2_get_entry (q, slice, vmm_qcow2_slice_index (q, at + *len - 1), &entry))
    entry = first;
  g_mutex_unlock (&q->lock);
  return qio_write_linking (q, job, at, len, slice, n_clusters, &first, &entry);
}

static int
qio_write_job (VmmQcow2 *q, const QioJob *job)
{
  guint64 at = job->start;
  int r = 0;

  while (at < job->end && r == 0)
    {
      guint64 len = job->end - at;

      if (q->broken)
        {
          vmm_qcow2_tell_broken (q);
          return -EIO;
        }
      r = qio_write_step (q, job, at, &len);
      at += len;
    }
  return r;
}

/* Takes the following requests along while they go on where this one ends. */
static void
qio_write (VmmQcow2 *q, VmmBlockRequest *req)
{
  QioJob job = { .start = req->offset + vmm_request_state (req)->pos, .end = req->offset + req->len };
  int r;

  job.iov = g_array_new (FALSE, FALSE, sizeof (struct iovec));
  job.reqs = g_ptr_array_new ();
  g_ptr_array_add (job.reqs, req);
  vmm_request_append_iov (req, vmm_request_state (req)->pos, job.end - job.start, job.iov);
  while (job.end - job.start < QIO_MAX_JOB)
    {
      VmmBlockRequest *next = vmm_block_peek_work (q->node.block);
      guint64 pos;

      if (next == NULL || next->op != VMM_BLOCK_WRITE)
        break;
      pos = vmm_request_state (next)->pos;
      if (next->offset + pos != job.end)
        break;
      vmm_block_take_work (q->node.block);
      g_ptr_array_add (job.reqs, next);
      vmm_request_append_iov (next, pos, next->len - pos, job.iov);
      job.end += next->len - pos;
    }
  r = qio_write_job (q, &job);
  for (guint i = 0; i < job.reqs->len; i++)
    vmm_request_release (job.reqs->pdata[i], r);
  g_array_unref (job.iov);
  g_ptr_array_unref (job.reqs);
}

/* Zeroing and discarding */

/* Zeros as data. */
static int
qio_write_zeroes (VmmQcow2 *q, VmmBlockRequest *req, guint64 at, guint64 len)
{
  QioJob job = { .start = at, .end = at + len };
  int r = qio_is_zero (q, at, len);

  if (r != 0)
    return MIN (r, 0);
  job.iov = g_array_new (FALSE, FALSE, sizeof (struct iovec));
  job.reqs = g_ptr_array_new ();
  g_ptr_array_add (job.reqs, req);
  qio_append_zeroes (job.iov, len);
  r = qio_write_job (q, &job);
  g_array_unref (job.iov);
  g_ptr_array_unref (job.reqs);
  return r;
}

/* Zeroes subclusters @first … @last of one entry; FALSE: it takes data. Lock held. */
static gboolean
qio_zero_entry (VmmQcow2 *q, VmmQcow2Slice *slice, guint index, guint64 guest, guint first, guint last)
{
  gboolean backed = q->node.backing != NULL && guest < q->node.backing->size;
  guint32 mask = qio_mask (first, last), all = qio_mask (0, q->n_subclusters - 1);
  VmmQcow2Entry e;

  if (!vmm_qcow2_get_entry (q, slice, index, &e))
    {
      vmm_qcow2_set_broken (q, "a bad L2 entry");
      return TRUE;
    }
  if (mask != all && e.compressed)
    return FALSE;
  if (mask != all && (e.alloc & ~mask) != 0)
    {
      /* Others of its subclusters stay. */
      if ((e.zero & mask) != mask)
        vmm_qcow2_set_entry (q, slice, index, e.raw, e.alloc & ~mask, e.zero | mask);
      return TRUE;
    }
  /* No flag is needed where nothing is behind. */
  mask = backed ? (mask != all ? e.zero | mask : all) : 0;
  if (e.compressed || e.host != 0 || e.zero != mask)
    {
      if (q->header.version < 3 && backed)
        return FALSE;
      vmm_qcow2_let_go (q, &e);
      vmm_qcow2_set_entry (q, slice, index, 0, 0, mask);
    }
  return TRUE;
}

/* Zeroes the beginning of *@len bytes at @at; cuts *@len to what it did. */
static int
qio_zero_step (VmmQcow2 *q, VmmBlockRequest *req, guint64 at, guint64 *len)
{
  guint64 subcluster = G_GUINT64_CONSTANT (1) << q->subcluster_bits, in_cluster = at & (q->cluster_size - 1), n = 0;
  guint64 l1_index = at >> (q->cluster_bits + q->l2_bits);
  VmmQcow2Slice *slice;
  int r;

  if ((q->l1[l1_index] & QCOW2_OFFSET_MASK) == 0 && (q->node.backing == NULL || at >= q->node.backing->size))
    {
      *len = MIN (*len, vmm_qcow2_l2_span (q) - at % vmm_qcow2_l2_span (q));
      return 0;
    }
  if (at % subcluster != 0 || *len < subcluster || (q->header.version < 3 && q->node.backing != NULL && at < q->node.backing->size))
    {
      *len = MIN (*len, subcluster - at % subcluster);
      return qio_write_zeroes (q, req, at, MIN (*len, q->node.size - at));
    }
  r = vmm_qcow2_make_slice (q, at, &slice);
  if (r < 0)
    return r;
  *len = MIN (*len & ~(subcluster - 1), vmm_qcow2_slice_rest (q, at));
  g_mutex_lock (&q->lock);
  qio_wait_writes (q, at, *len);
  while (n < *len && !q->broken)
    {
      guint64 piece = MIN (*len - n, q->cluster_size - in_cluster);

      if (!qio_zero_entry (q, slice, vmm_qcow2_slice_index (q, at + n), at + n - in_cluster,
                           (guint) (in_cluster >> q->subcluster_bits), (guint) ((in_cluster + piece - 1) >> q->subcluster_bits)))
        break;
      n += piece;
      in_cluster = 0;
    }
  slice->pins--;
  g_mutex_unlock (&q->lock);
  if (q->broken)
    return -EIO;
  if (n == 0)
    {
      *len = MIN (*len, q->cluster_size - in_cluster);
      return qio_write_zeroes (q, req, at, MIN (*len, q->node.size - at));
    }
  *len = n;
  return 0;
}

static int
qio_zero (VmmQcow2 *q, VmmBlockRequest *req)
{
  guint64 at = req->offset, end = req->offset + req->len;
  int r = 0;

  /* Nobody sees what is behind the end of the disk. */
  if (end == q->node.size)
    end = (end + q->cluster_size - 1) & ~(q->cluster_size - 1);
  while (at < MIN (end, q->node.size) && r == 0)
    {
      guint64 len = end - at;

      if (q->broken)
        {
          vmm_qcow2_tell_broken (q);
          return -EIO;
        }
      r = qio_zero_step (q, req, at, &len);
      at += len;
    }
  return r;
}

/* Flushing */

static void
qio_flush (VmmQcow2 *q, VmmBlockRequest *req)
{
  g_autoptr (GPtrArray) reqs = g_ptr_array_new ();
  VmmBlockRequest *next;
  int r;

  g_ptr_array_add (reqs, req);
  while ((next = vmm_block_peek_work (q->node.block)) != NULL && next->op == VMM_BLOCK_FLUSH)
    g_ptr_array_add (reqs, vmm_block_take_work (q->node.block));
  r = vmm_qcow2_flush (q);
  for (guint i = 0; i < reqs->len; i++)
    vmm_request_release (reqs->pdata[i], r);
}

gboolean
vmm_qcow2_start (VmmNode *node, VmmBlockRequest *req)
{
  VmmQcow2 *q = (VmmQcow2 *) node;
  gboolean clean;

  switch (req->op)
    {
    case VMM_BLOCK_READ:
      return qio_read (q, req, FALSE);
    case VMM_BLOCK_WRITE:
      return qio_write_fast (q, req);
    case VMM_BLOCK_FLUSH:
      g_mutex_lock (&q->lock);
      clean = !q->dirty && !q->flushing && !q->broken;
      g_mutex_unlock (&q->lock);
      if (clean)
        vmm_request_file_op (req, VMM_IO_SYNC, 0, node->file, 0, 0, NULL, NULL);
      return clean;
    case VMM_BLOCK_DISCARD:
    case VMM_BLOCK_WRITE_ZEROES:
      return FALSE;
    }
  return FALSE;
}

void
vmm_qcow2_work (VmmNode *node, VmmBlockRequest *req)
{
  VmmQcow2 *q = (VmmQcow2 *) node;
  gboolean many;

  switch (req->op)
    {
    case VMM_BLOCK_READ:
      (void) qio_read (q, req, TRUE);
      vmm_request_release (req, 0);
      break;
    case VMM_BLOCK_WRITE:
      qio_write (q, req);
      break;
    case VMM_BLOCK_FLUSH:
      qio_flush (q, req);
      break;
    case VMM_BLOCK_DISCARD:
    case VMM_BLOCK_WRITE_ZEROES:
      vmm_request_release (req, qio_zero (q, req));
      break;
    }
  g_mutex_lock (&q->lock);
  many = q->frees->len > QIO_MAX_FREES;
  g_mutex_unlock (&q->lock);
  if (many)
    (void) vmm_qcow2_flush (q);
}
