/* SPDX-License-Identifier: GPL-3.0-or-later */
/* L1 and L2 tables of qcow2 images. Spec: qcow2.txt, "Cluster mapping", "Extended L2 Entries". */
#include "block/qcow2.h"

#include <errno.h>
#include <string.h>

/* Metadata clusters, so that nothing is written over them */

static gpointer
ql2_meta_key (guint64 cluster)
{
  return GSIZE_TO_POINTER ((gsize) cluster + 1);
}

void
vmm_qcow2_meta_add (VmmQcow2 *q, guint64 host, guint64 len)
{
  if (q->meta != NULL && len > 0)
    for (guint64 c = host >> q->cluster_bits; c <= (host + len - 1) >> q->cluster_bits; c++)
      g_hash_table_add (q->meta, ql2_meta_key (c));
}

void
vmm_qcow2_meta_remove (VmmQcow2 *q, guint64 host, guint64 len)
{
  if (q->meta != NULL && len > 0)
    for (guint64 c = host >> q->cluster_bits; c <= (host + len - 1) >> q->cluster_bits; c++)
      g_hash_table_remove (q->meta, ql2_meta_key (c));
}

gboolean
vmm_qcow2_overlaps (VmmQcow2 *q, guint64 host, guint64 len)
{
  for (guint64 c = host >> q->cluster_bits; c <= (host + len - 1) >> q->cluster_bits; c++)
    if (g_hash_table_contains (q->meta, ql2_meta_key (c)))
      {
        vmm_qcow2_set_broken (q, "data in the place of metadata");
        return TRUE;
      }
  return FALSE;
}

/* Geometry */

static guint64
ql2_table_index (const VmmQcow2 *q, guint64 guest_offset)
{
  return (guest_offset >> q->cluster_bits) & ((G_GUINT64_CONSTANT (1) << q->l2_bits) - 1);
}

static guint64
ql2_per_slice (const VmmQcow2 *q)
{
  return q->l2_cache.slice_size / q->l2_entry_size;
}

guint64
vmm_qcow2_slice_offset (const VmmQcow2 *q, guint64 l2_offset, guint64 guest_offset)
{
  return l2_offset + ql2_table_index (q, guest_offset) / ql2_per_slice (q) * q->l2_cache.slice_size;
}

guint
vmm_qcow2_slice_index (const VmmQcow2 *q, guint64 guest_offset)
{
  return (guint) (ql2_table_index (q, guest_offset) % ql2_per_slice (q));
}

guint64
vmm_qcow2_slice_rest (const VmmQcow2 *q, guint64 guest_offset)
{
  guint64 span = ql2_per_slice (q) << q->cluster_bits;

  return span - guest_offset % span;
}

/* Entries */

gboolean
vmm_qcow2_get_entry (const VmmQcow2 *q, const VmmQcow2Slice *slice, guint index, VmmQcow2Entry *ret_entry)
{
  const guint64 *p = (const guint64 *) (gconstpointer) (slice->data + (gsize) index * q->l2_entry_size);
  guint64 raw = GUINT64_FROM_BE (p[0]);
  VmmQcow2Entry e = { .raw = raw, .compressed = (raw & QCOW2_COMPRESSED) != 0 };

  if (!e.compressed)
    {
      e.host = raw & QCOW2_OFFSET_MASK;
      e.copied = (raw & QCOW2_COPIED) != 0 && e.host != 0;
      if (q->n_subclusters > 1)
        {
          guint64 bits = GUINT64_FROM_BE (p[1]);

          e.alloc = (guint32) bits;
          e.zero = (guint32) (bits >> 32);
          if ((e.alloc & e.zero) != 0 || (e.alloc != 0 && e.host == 0))
            return FALSE;
        }
      else
        {
          e.zero = (raw & QCOW2_ZERO) != 0;
          e.alloc = !e.zero && e.host != 0;
          if (e.zero && q->header.version < 3)
            return FALSE;
        }
      if (e.host % q->cluster_size != 0)
        return FALSE;
    }
  *ret_entry = e;
  return TRUE;
}

void
vmm_qcow2_set_entry (VmmQcow2 *q, VmmQcow2Slice *slice, guint index, guint64 raw, guint32 alloc, guint32 zero)
{
  guint64 *p = (guint64 *) (gpointer) (slice->data + (gsize) index * q->l2_entry_size);

  if (q->n_subclusters > 1)
    p[1] = GUINT64_TO_BE ((guint64) zero << 32 | alloc);
  else if (zero != 0)
    raw |= QCOW2_ZERO;
  p[0] = GUINT64_TO_BE (raw);
  slice->dirty = TRUE;
  q->dirty = TRUE;
}

void
vmm_qcow2_compressed_range (const VmmQcow2 *q, guint64 raw, guint64 *ret_offset, guint64 *ret_len)
{
  guint x = 62 - (q->cluster_bits - 8);
  guint64 offset = raw & ((G_GUINT64_CONSTANT (1) << x) - 1);
  guint64 n_sectors = ((raw & ~(QCOW2_COPIED | QCOW2_COMPRESSED)) >> x) + 1;

  *ret_offset = offset;
  *ret_len = n_sectors * 512 - offset % 512;
}

void
vmm_qcow2_let_go (VmmQcow2 *q, const VmmQcow2Entry *entry)
{
  VmmQcow2Range range = { entry->host, q->cluster_size };

  if (entry->compressed)
    vmm_qcow2_compressed_range (q, entry->raw, &range.offset, &range.len);
  else if (entry->host == 0)
    return;
  g_array_append_val (q->frees, range);
}

/* Slices */

/* The slice's place: 0: there is no table. */
static int
ql2_find (VmmQcow2 *q, guint64 guest_offset, guint64 *ret_offset)
{
  guint64 index = guest_offset >> (q->cluster_bits + q->l2_bits);
  guint64 l2_offset = q->l1[index] & QCOW2_OFFSET_MASK;

  *ret_offset = 0;
  if (l2_offset == 0)
    return 0;
  if (l2_offset % q->cluster_size != 0)
    {
      vmm_qcow2_set_broken (q, "an L2 table is at a bad place");
      return -EIO;
    }
  *ret_offset = vmm_qcow2_slice_offset (q, l2_offset, guest_offset);
  return 0;
}

int
vmm_qcow2_peek_slice (VmmQcow2 *q, guint64 guest_offset, VmmQcow2Slice **ret_slice)
{
  guint64 offset;
  int r = ql2_find (q, guest_offset, &offset);

  *ret_slice = NULL;
  if (r < 0 || offset == 0)
    return r;
  *ret_slice = vmm_qcow2_cache_peek (&q->l2_cache, offset);
  return *ret_slice != NULL ? 0 : -EAGAIN;
}

int
vmm_qcow2_load_slice (VmmQcow2 *q, guint64 guest_offset, VmmQcow2Slice **ret_slice)
{
  guint64 offset;
  int r;

  *ret_slice = NULL;
  g_mutex_lock (&q->lock);
  r = ql2_find (q, guest_offset, &offset);
  g_mutex_unlock (&q->lock);
  if (r < 0 || offset == 0)
    return r;
  return vmm_qcow2_cache_load (q, &q->l2_cache, offset, ret_slice);
}

/* A table of our own for the L1 entry: empty, or a copy of one that a snapshot has as well. */
static int
ql2_make_table (VmmQcow2 *q, guint32 l1_index)
{
  guint64 old = q->l1[l1_index] & QCOW2_OFFSET_MASK, offset, n;
  int r;

  if (old % q->cluster_size != 0)
    {
      vmm_qcow2_set_broken (q, "an L2 table is at a bad place");
      return -EIO;
    }
  r = vmm_qcow2_alloc (q, 1, &offset, &n, NULL);
  if (r < 0)
    return r;
  if (old == 0)
    r = vmm_file_write_zeroes (q->node.file, offset, q->cluster_size);
  else
    {
      g_autofree guint8 *table = g_malloc (q->cluster_size);

      r = vmm_file_read (q->node.file, old, table, q->cluster_size);
      if (r == 0)
        r = vmm_file_write (q->node.file, offset, table, q->cluster_size);
    }
  vmm_qcow2_cache_forget (q, &q->l2_cache, offset, q->cluster_size);
  vmm_qcow2_cache_forget (q, &q->ref_cache, offset, q->cluster_size);

  g_mutex_lock (&q->lock);
  if (r < 0)
    g_array_append_vals (q->frees, &(VmmQcow2Range) { offset, q->cluster_size }, 1);
  else
    {
      q->l1[l1_index] = offset | QCOW2_COPIED;
      if (q->l1_dirty_first == q->l1_dirty_end)
        {
          q->l1_dirty_first = l1_index;
          q->l1_dirty_end = l1_index + 1;
        }
      q->l1_dirty_first = MIN (q->l1_dirty_first, l1_index);
      q->l1_dirty_end = MAX (q->l1_dirty_end, l1_index + 1);
      q->dirty = TRUE;
      vmm_qcow2_meta_add (q, offset, q->cluster_size);
      if (old != 0)
        {
          vmm_qcow2_meta_remove (q, old, q->cluster_size);
          g_array_append_vals (q->frees, &(VmmQcow2Range) { old, q->cluster_size }, 1);
        }
    }
  g_mutex_unlock (&q->lock);
  return r;
}

int
vmm_qcow2_make_slice (VmmQcow2 *q, guint64 guest_offset, VmmQcow2Slice **ret_slice)
{
  guint32 l1_index = (guint32) (guest_offset >> (q->cluster_bits + q->l2_bits));

  *ret_slice = NULL;
  if ((q->l1[l1_index] & QCOW2_COPIED) == 0 || (q->l1[l1_index] & QCOW2_OFFSET_MASK) == 0)
    {
      int r = ql2_make_table (q, l1_index);

      if (r < 0)
        return r;
    }
  return vmm_qcow2_load_slice (q, guest_offset, ret_slice);
}

/* Looking up */

static VmmQcow2Kind
ql2_kind (const VmmQcow2Entry *e, guint subcluster)
{
  if (e->compressed)
    return VMM_QCOW2_IS_COMPRESSED;
  if ((e->zero >> subcluster & 1) != 0)
    return VMM_QCOW2_IS_ZERO;
  return (e->alloc >> subcluster & 1) != 0 ? VMM_QCOW2_IS_DATA : VMM_QCOW2_UNALLOCATED;
}

int
vmm_qcow2_locate (VmmQcow2 *q, const VmmQcow2Slice *slice, guint64 guest_offset, guint64 *len, VmmQcow2Kind *ret_kind,
                  guint64 *ret_host, guint64 *ret_raw)
{
  guint64 wanted = MIN (*len, vmm_qcow2_slice_rest (q, guest_offset)), n = 0, host = 0;
  VmmQcow2Kind kind = VMM_QCOW2_UNALLOCATED;

  if (slice == NULL)
    {
      *len = MIN (*len, vmm_qcow2_l2_span (q) - guest_offset % vmm_qcow2_l2_span (q));
      *ret_kind = VMM_QCOW2_UNALLOCATED;
      return 0;
    }
  while (n < wanted)
    {
      guint64 at = guest_offset + n, in_cluster = at & (q->cluster_size - 1);
      guint64 subcluster = in_cluster >> q->subcluster_bits;
      VmmQcow2Kind this_kind;
      VmmQcow2Entry e;

      if (!vmm_qcow2_get_entry (q, slice, vmm_qcow2_slice_index (q, at), &e))
        {
          if (n > 0)
            break;
          vmm_qcow2_set_broken (q, "a bad L2 entry");
          return -EIO;
        }
      this_kind = ql2_kind (&e, (guint) subcluster);
      if (n == 0)
        {
          kind = this_kind;
          host = e.host + in_cluster;
          *ret_raw = e.raw;
        }
      else if (this_kind != kind || (kind == VMM_QCOW2_IS_DATA && e.host + in_cluster != host + n))
        break;
      if (kind == VMM_QCOW2_IS_COMPRESSED)
        {
          n = q->cluster_size - in_cluster;
          break;
        }
      n += ((subcluster + 1) << q->subcluster_bits) - in_cluster;
    }
  *len = MIN (n, wanted);
  *ret_kind = kind;
  *ret_host = host;
  return 0;
}

gboolean
vmm_qcow2_locate_writable (VmmQcow2 *q, const VmmQcow2Slice *slice, guint64 guest_offset, guint64 *len, guint64 *ret_host)
{
  guint64 wanted = MIN (*len, vmm_qcow2_slice_rest (q, guest_offset)), n = 0, host = 0;

  while (slice != NULL && n < wanted)
    {
      guint64 at = guest_offset + n, in_cluster = at & (q->cluster_size - 1);
      guint64 subcluster = in_cluster >> q->subcluster_bits;
      VmmQcow2Entry e;

      if (!vmm_qcow2_get_entry (q, slice, vmm_qcow2_slice_index (q, at), &e) || !e.copied
          || ql2_kind (&e, (guint) subcluster) != VMM_QCOW2_IS_DATA)
        break;
      if (n == 0)
        host = e.host + in_cluster;
      else if (e.host + in_cluster != host + n)
        break;
      n += ((subcluster + 1) << q->subcluster_bits) - in_cluster;
    }
  if (n == 0)
    return FALSE;
  *len = MIN (n, wanted);
  *ret_host = host;
  return TRUE;
}
