/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Refcounts of qcow2 images: finding free clusters, giving them back. Spec: qcow2.txt, "Host cluster management". Worker only. */
#include "block/qcow2.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* The refcount number @index of a block that begins at @data. */
static guint64
qref_get (const VmmQcow2 *q, const guint8 *data, guint64 index)
{
  switch (q->header.refcount_order)
    {
    case 0:
      return (data[index / 8] >> (index % 8)) & 1;
    case 1:
      return (data[index / 4] >> (2 * (index % 4))) & 3;
    case 2:
      return (data[index / 2] >> (4 * (index % 2))) & 15;
    case 3:
      return data[index];
    case 4:
      return GUINT16_FROM_BE (((const guint16 *) (gconstpointer) data)[index]);
    case 5:
      return GUINT32_FROM_BE (((const guint32 *) (gconstpointer) data)[index]);
    default:
      return GUINT64_FROM_BE (((const guint64 *) (gconstpointer) data)[index]);
    }
}

static void
qref_put (const VmmQcow2 *q, guint8 *data, guint64 index, guint64 value)
{
  switch (q->header.refcount_order)
    {
    case 0:
      data[index / 8] = (guint8) ((data[index / 8] & ~(1u << (index % 8))) | (guint) value << (index % 8));
      break;
    case 1:
      data[index / 4] = (guint8) ((data[index / 4] & ~(3u << (2 * (index % 4)))) | (guint) value << (2 * (index % 4)));
      break;
    case 2:
      data[index / 2] = (guint8) ((data[index / 2] & ~(15u << (4 * (index % 2)))) | (guint) value << (4 * (index % 2)));
      break;
    case 3:
      data[index] = (guint8) value;
      break;
    case 4:
      ((guint16 *) (gpointer) data)[index] = GUINT16_TO_BE ((guint16) value);
      break;
    case 5:
      ((guint32 *) (gpointer) data)[index] = GUINT32_TO_BE ((guint32) value);
      break;
    default:
      ((guint64 *) (gpointer) data)[index] = GUINT64_TO_BE (value);
      break;
    }
}

static guint64
qref_max (const VmmQcow2 *q)
{
  return q->header.refcount_order == 6 ? G_MAXUINT64 : (G_GUINT64_CONSTANT (1) << (1u << q->header.refcount_order)) - 1;
}

/* log2 of the refcounts in a slice of the cache. */
static guint
qref_slice_bits (const VmmQcow2 *q)
{
  return (guint) g_bit_nth_lsf (q->ref_cache.slice_size, -1) + 3 - q->header.refcount_order;
}

/* The pinned slice with the refcount of @cluster; NULL: it has no refcount block, so it is free. */
static int
qref_load (VmmQcow2 *q, guint64 cluster, VmmQcow2Slice **ret_slice)
{
  guint64 block = cluster >> q->refblock_bits;
  guint64 index = cluster & ((G_GUINT64_CONSTANT (1) << q->refblock_bits) - 1);
  guint64 offset;

  *ret_slice = NULL;
  if (block >= q->reftable_size || q->reftable[block] == 0)
    return 0;
  offset = q->reftable[block];
  if (offset % q->cluster_size != 0 || offset >= QCOW2_MAX_HOST_OFFSET)
    {
      vmm_qcow2_set_broken (q, "a refcount block is at a bad place");
      return -EIO;
    }
  return vmm_qcow2_cache_load (q, &q->ref_cache, offset + (index >> qref_slice_bits (q)) * q->ref_cache.slice_size, ret_slice);
}

static guint64
qref_slice_index (const VmmQcow2 *q, guint64 cluster)
{
  return cluster & ((G_GUINT64_CONSTANT (1) << qref_slice_bits (q)) - 1);
}

static void
qref_touch (VmmQcow2 *q, guint64 first, guint64 n)
{
  q->untouched = MAX (q->untouched, first + n);
}

static void
qref_reftable_set (VmmQcow2 *q, guint32 index, guint64 offset)
{
  q->reftable[index] = offset;
  if (q->reftable_dirty_first == q->reftable_dirty_end)
    {
      q->reftable_dirty_first = index;
      q->reftable_dirty_end = index + 1;
    }
  q->reftable_dirty_first = MIN (q->reftable_dirty_first, index);
  q->reftable_dirty_end = MAX (q->reftable_dirty_end, index + 1);
}

static gboolean
qref_in_limits (const VmmQcow2 *q, guint64 end)
{
  return end <= q->max_clusters && end <= QCOW2_MAX_HOST_OFFSET >> q->cluster_bits;
}

/*
 * A larger refcount table that has room for block @block. The new table and the refcount blocks for it go behind everything that the
 * old one can describe, so nothing is there. It becomes the table when the header points to it.
 */
static int
qref_grow_reftable (VmmQcow2 *q, guint64 block)
{
  const guint64 per_block = G_GUINT64_CONSTANT (1) << q->refblock_bits;
  const guint64 area = (guint64) q->reftable_size << q->refblock_bits;
  const guint64 old_offset = q->header.reftable_offset, old_clusters = q->header.reftable_clusters;
  guint64 n_entries = MAX (block + 1, q->reftable_size + q->reftable_size / 2), n_table, n_blocks = 1;
  g_autofree guint8 *image = NULL;
  guint64 *table;
  guint8 pointer[12];
  int r;

  while (TRUE)
    {
      n_table = (n_entries * 8 + q->cluster_size - 1) >> q->cluster_bits;
      n_blocks = (n_blocks + n_table + per_block - 1) / per_block;
      if (n_blocks * per_block < n_blocks + n_table)
        continue;
      if (q->reftable_size + n_blocks <= n_table << (q->cluster_bits - 3))
        break;
      n_entries = q->reftable_size + n_blocks + 1;
    }
  n_entries = n_table << (q->cluster_bits - 3);
  if (n_entries * 8 > QCOW2_MAX_REFTABLE_BYTES || !qref_in_limits (q, area + n_blocks + n_table))
    return -EFBIG;

  image = g_try_malloc0 ((n_blocks + n_table) << q->cluster_bits);
  table = g_try_renew (guint64, q->reftable, n_entries);
  if (table != NULL)
    q->reftable = table;
  if (table == NULL || image == NULL)
    return -ENOMEM;
  memset (table + q->reftable_size, 0, (n_entries - q->reftable_size) * 8);
  for (guint64 i = 0; i < n_blocks + n_table; i++)
    qref_put (q, image + ((i >> q->refblock_bits) << q->cluster_bits), i & (per_block - 1), 1);
  for (guint64 i = 0; i < n_entries; i++)
    {
      guint64 entry = table[i];

      if (i >= q->reftable_size && i < q->reftable_size + n_blocks)
        entry = (area + i - q->reftable_size) << q->cluster_bits;
      ((guint64 *) (gpointer) (image + (n_blocks << q->cluster_bits)))[i] = GUINT64_TO_BE (entry);
    }
  qref_touch (q, area, n_blocks + n_table);
  r = vmm_file_write (q->node.file, area << q->cluster_bits, image, (n_blocks + n_table) << q->cluster_bits);
  if (r == 0)
    r = vmm_qcow2_cache_write (q, &q->ref_cache);
  if (r == 0)
    r = vmm_file_sync (q->node.file);
  if (r < 0)
    return r;

  q->header.reftable_offset = (area + n_blocks) << q->cluster_bits;
  q->header.reftable_clusters = (guint32) n_table;
  for (guint i = 0; i < 8; i++)
    pointer[i] = (guint8) (q->header.reftable_offset >> (56 - 8 * i));
  for (guint i = 0; i < 4; i++)
    pointer[8 + i] = (guint8) (q->header.reftable_clusters >> (24 - 8 * i));
  r = vmm_file_write (q->node.file, 48, pointer, sizeof pointer);
  if (r == 0)
    r = vmm_file_sync (q->node.file);
  if (r < 0)
    {
      /* Nobody knows which one the disk has: no more writes. */
      vmm_qcow2_set_broken (q, "cannot write the header");
      return r;
    }
  for (guint64 i = 0; i < n_blocks; i++)
    {
      table[q->reftable_size + i] = (area + i) << q->cluster_bits;
      vmm_qcow2_cache_forget (q, &q->ref_cache, (area + i) << q->cluster_bits, q->cluster_size);
    }
  q->reftable_size = (guint32) n_entries;
  q->reftable_dirty_first = q->reftable_dirty_end = 0;
  g_mutex_lock (&q->lock);
  vmm_qcow2_meta_add (q, area << q->cluster_bits, (n_blocks + n_table) << q->cluster_bits);
  vmm_qcow2_meta_remove (q, old_offset, old_clusters << q->cluster_bits);
  g_array_append_vals (q->frees, &(VmmQcow2Range) { old_offset, old_clusters << q->cluster_bits }, 1);
  g_mutex_unlock (&q->lock);
  return 0;
}

/* A refcount block for number @block. It describes clusters nobody uses yet, so it takes the first of them. */
static int
qref_make_block (VmmQcow2 *q, guint64 block)
{
  guint64 cluster = block << q->refblock_bits;
  guint64 offset = cluster << q->cluster_bits;
  VmmQcow2Slice *slice;
  gboolean overlaps;
  int r;

  if (block >= q->reftable_size)
    {
      r = qref_grow_reftable (q, block);
      if (r < 0 || q->reftable[block] != 0)
        return r;
    }
  if (!qref_in_limits (q, cluster + 1))
    return q->max_clusters < QCOW2_MAX_HOST_OFFSET >> q->cluster_bits ? -ENOSPC : -EFBIG;
  g_mutex_lock (&q->lock);
  overlaps = vmm_qcow2_overlaps (q, offset, q->cluster_size);
  g_mutex_unlock (&q->lock);
  if (overlaps)
    return -EIO;
  qref_touch (q, cluster, 1);
  r = vmm_file_write_zeroes (q->node.file, offset, q->cluster_size);
  if (r < 0)
    return r;
  vmm_qcow2_cache_forget (q, &q->ref_cache, offset, q->cluster_size);
  vmm_qcow2_cache_forget (q, &q->l2_cache, offset, q->cluster_size);
  r = vmm_qcow2_cache_load (q, &q->ref_cache, offset, &slice);
  if (r < 0)
    return r;
  qref_put (q, slice->data, 0, 1);
  slice->dirty = TRUE;
  vmm_qcow2_slice_unpin (q, slice);
  qref_reftable_set (q, (guint32) block, offset);
  g_mutex_lock (&q->lock);
  vmm_qcow2_meta_add (q, offset, q->cluster_size);
  g_mutex_unlock (&q->lock);
  return 0;
}

int
vmm_qcow2_alloc (VmmQcow2 *q, guint64 n_wanted, guint64 *ret_offset, guint64 *ret_n, gboolean *ret_untouched)
{
  guint64 cluster = q->free_hint, first = 0, n = 0;
  VmmQcow2Slice *slice = NULL;
  guint64 slice_end = 0;
  gboolean overlaps;
  int r = 0;

  while (n < n_wanted)
    {
      if (!qref_in_limits (q, cluster + 1))
        {
          r = q->max_clusters < QCOW2_MAX_HOST_OFFSET >> q->cluster_bits ? -ENOSPC : -EFBIG;
          break;
        }
      if (cluster >= slice_end)
        {
          guint64 per_slice = G_GUINT64_CONSTANT (1) << qref_slice_bits (q);

          vmm_qcow2_slice_unpin (q, slice);
          r = qref_load (q, cluster, &slice);
          if (r == 0 && slice == NULL)
            {
              if (n > 0)
                break; /* the new block would take the next cluster */
              r = qref_make_block (q, cluster >> q->refblock_bits);
              if (r == 0)
                continue;
            }
          if (r < 0)
            break;
          slice_end = (cluster / per_slice + 1) * per_slice;
        }
      if (qref_get (q, slice->data, qref_slice_index (q, cluster)) != 0)
        {
          if (n > 0)
            break;
          cluster++;
          continue;
        }
      if (n == 0)
        first = cluster;
      /* Taken at once, as the slice is at hand; given back below if the run turns out to be no good. */
      qref_put (q, slice->data, qref_slice_index (q, cluster), 1);
      slice->dirty = TRUE;
      cluster++;
      n++;
    }
  vmm_qcow2_slice_unpin (q, slice);
  if (n == 0)
    return r;

  q->free_hint = first + n;
  g_mutex_lock (&q->lock);
  overlaps = vmm_qcow2_overlaps (q, first << q->cluster_bits, n << q->cluster_bits);
  g_mutex_unlock (&q->lock);
  if (overlaps)
    return -EIO;
  if (ret_untouched != NULL)
    *ret_untouched = first >= q->untouched;
  qref_touch (q, first, n);
  *ret_offset = first << q->cluster_bits;
  *ret_n = n;
  return 0;
}

/* Lowers one refcount; @ret_free: nothing is left of it. */
static int
qref_lower (VmmQcow2 *q, guint64 cluster, gboolean *ret_free)
{
  VmmQcow2Slice *slice;
  guint64 value;
  int r = qref_load (q, cluster, &slice);

  *ret_free = FALSE;
  if (r < 0)
    return r;
  value = slice != NULL ? qref_get (q, slice->data, qref_slice_index (q, cluster)) : 0;
  if (value == 0)
    vmm_qcow2_set_broken (q, "a cluster in use is counted as free");
  else
    {
      qref_put (q, slice->data, qref_slice_index (q, cluster), value - 1);
      slice->dirty = TRUE;
      *ret_free = value == 1;
    }
  vmm_qcow2_slice_unpin (q, slice);
  return 0;
}

int
vmm_qcow2_raise_refcount (VmmQcow2 *q, guint64 cluster, guint64 value)
{
  VmmQcow2Slice *slice;
  int r = qref_load (q, cluster, &slice);

  if (r == 0 && (slice == NULL || value > qref_max (q)))
    r = -ERANGE;
  if (r == 0 && qref_get (q, slice->data, qref_slice_index (q, cluster)) < value)
    {
      qref_put (q, slice->data, qref_slice_index (q, cluster), value);
      slice->dirty = TRUE;
    }
  vmm_qcow2_slice_unpin (q, slice);
  return r;
}

int
vmm_qcow2_give_back (VmmQcow2 *q, const GArray *ranges)
{
  guint64 hole = 0, hole_len = 0;
  int r = 0;

  vmm_qcow2_forget_decoded (q);
  for (guint i = 0; i < ranges->len && r == 0; i++)
    {
      VmmQcow2Range range = g_array_index (ranges, VmmQcow2Range, i);
      guint64 end = (range.offset + range.len + q->cluster_size - 1) >> q->cluster_bits;

      for (guint64 cluster = range.offset >> q->cluster_bits; cluster < end && r == 0; cluster++)
        {
          gboolean is_free;

          r = qref_lower (q, cluster, &is_free);
          if (!is_free)
            continue;
          q->free_hint = MIN (q->free_hint, cluster);
          if (hole_len > 0 && hole + hole_len == cluster << q->cluster_bits)
            hole_len += q->cluster_size;
          else
            {
              if (hole_len > 0)
                (void) vmm_file_fallocate (q->node.file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, hole, hole_len);
              hole = cluster << q->cluster_bits;
              hole_len = q->cluster_size;
            }
        }
    }
  if (hole_len > 0)
    (void) vmm_file_fallocate (q->node.file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, hole, hole_len);
  return r;
}

int
vmm_qcow2_write_refcounts (VmmQcow2 *q)
{
  int r = vmm_qcow2_cache_write (q, &q->ref_cache);
  guint32 n = q->reftable_dirty_end - q->reftable_dirty_first;

  if (r == 0 && n > 0)
    {
      g_autofree guint64 *entries = g_new (guint64, n);

      r = vmm_file_sync (q->node.file); /* new blocks, before something points to them */
      for (guint32 i = 0; i < n; i++)
        entries[i] = GUINT64_TO_BE (q->reftable[q->reftable_dirty_first + i]);
      if (r == 0)
        r = vmm_file_write (q->node.file, q->header.reftable_offset + (guint64) q->reftable_dirty_first * 8, entries,
                            (gsize) n * 8);
      if (r == 0)
        q->reftable_dirty_first = q->reftable_dirty_end = 0;
    }
  return r;
}
