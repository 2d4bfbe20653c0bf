/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Repair of the refcounts of images that a program with lazy refcounts did not close. Spec: qcow2.txt, "dirty bit". */
#include "block/qcow2.h"

#include <errno.h>
#include <string.h>

#define QCHECK_MAX_CLUSTERS (G_GUINT64_CONSTANT (1) << 28)

typedef struct {
  VmmQcow2 *q;
  guint32 *counts;
  guint64 n_counts; /* clusters the file has, and some room */
  guint64 end;      /* first cluster behind the file */
} Qcheck;

int
vmm_qcow2_next_snapshot (VmmQcow2 *q, guint64 *at, guint64 *ret_l1_offset, guint32 *ret_l1_size)
{
  guint8 head[40];
  guint64 l1_offset;
  guint32 l1_size, extra_len;
  guint16 id_len, name_len;
  int r = vmm_file_read (q->node.file, *at, head, sizeof head);

  if (r < 0)
    return r;
  memcpy (&l1_offset, head, 8);
  memcpy (&l1_size, head + 8, 4);
  memcpy (&id_len, head + 12, 2);
  memcpy (&name_len, head + 14, 2);
  memcpy (&extra_len, head + 36, 4);
  l1_offset = GUINT64_FROM_BE (l1_offset);
  l1_size = GUINT32_FROM_BE (l1_size);
  extra_len = GUINT32_FROM_BE (extra_len);
  if (extra_len > 1024 || l1_size > QCOW2_MAX_L1_BYTES / 8 || l1_offset % q->cluster_size != 0
      || l1_offset >= QCOW2_MAX_HOST_OFFSET)
    return -EUCLEAN;
  *at += (40 + (guint64) extra_len + GUINT16_FROM_BE (id_len) + GUINT16_FROM_BE (name_len) + 7) & ~G_GUINT64_CONSTANT (7);
  if (*at - q->header.snapshots_offset > (64u << 20))
    return -EUCLEAN;
  *ret_l1_offset = l1_offset;
  *ret_l1_size = l1_size;
  return 0;
}

static int
qcheck_count (Qcheck *c, guint64 offset, guint64 len)
{
  guint64 first = offset >> c->q->cluster_bits, last;

  if (len == 0)
    return 0;
  last = (offset + len - 1) >> c->q->cluster_bits;
  for (guint64 i = first; i <= last; i++)
    {
      if (i >= c->n_counts || c->counts[i] == G_MAXUINT32)
        return -EUCLEAN;
      c->counts[i]++;
    }
  c->end = MAX (c->end, last + 1);
  return 0;
}

static int
qcheck_count_l2 (Qcheck *c, guint64 offset)
{
  VmmQcow2 *q = c->q;
  VmmQcow2Slice table = { .offset = offset };
  g_autofree guint8 *data = g_malloc (q->cluster_size);
  int r;

  if (offset % q->cluster_size != 0)
    return -EUCLEAN;
  r = qcheck_count (c, offset, q->cluster_size);
  if (r == 0)
    r = vmm_file_read (q->node.file, offset, data, q->cluster_size);
  table.data = data;
  for (guint i = 0; i < 1u << q->l2_bits && r == 0; i++)
    {
      VmmQcow2Entry e;
      guint64 at, len;

      if (!vmm_qcow2_get_entry (q, &table, i, &e))
        r = -EUCLEAN;
      else if (e.compressed)
        {
          vmm_qcow2_compressed_range (q, e.raw, &at, &len);
          r = qcheck_count (c, at, len);
        }
      else if (e.host != 0)
        r = qcheck_count (c, e.host, q->cluster_size);
    }
  return r;
}

static int
qcheck_count_l1 (Qcheck *c, guint64 offset, guint32 size)
{
  g_autofree guint64 *l1 = g_try_new (guint64, MAX (size, 1));
  guint64 n_tables = 0;
  int r = l1 != NULL ? vmm_file_read (c->q->node.file, offset, l1, (gsize) size * 8) : -ENOMEM;

  if (r == 0)
    r = qcheck_count (c, offset, (guint64) size * 8);
  for (guint32 i = 0; i < size && r == 0; i++)
    {
      guint64 l2 = GUINT64_FROM_BE (l1[i]) & QCOW2_OFFSET_MASK;

      /* No table is there twice: one that claims more of them than the file has clusters is not worth the time. */
      if (l2 != 0)
        r = ++n_tables <= c->n_counts ? qcheck_count_l2 (c, l2) : -EUCLEAN;
    }
  return r;
}

static int
qcheck_count_all (Qcheck *c)
{
  VmmQcow2 *q = c->q;
  const VmmQcow2Header *h = &q->header;
  guint64 at = h->snapshots_offset;
  int r = qcheck_count (c, 0, q->cluster_size);

  if (r == 0)
    r = qcheck_count (c, h->reftable_offset, (guint64) h->reftable_clusters << q->cluster_bits);
  for (guint32 i = 0; i < q->reftable_size && r == 0; i++)
    if (q->reftable[i] != 0)
      r = q->reftable[i] % q->cluster_size == 0 ? qcheck_count (c, q->reftable[i], q->cluster_size) : -EUCLEAN;
  if (r == 0)
    r = qcheck_count_l1 (c, h->l1_offset, h->l1_size);
  for (guint32 i = 0; i < h->n_snapshots && r == 0; i++)
    {
      guint64 l1_offset;
      guint32 l1_size;

      r = vmm_qcow2_next_snapshot (q, &at, &l1_offset, &l1_size);
      if (r == 0)
        r = qcheck_count_l1 (c, l1_offset, l1_size);
    }
  if (r == 0 && h->n_snapshots > 0)
    r = qcheck_count (c, h->snapshots_offset, at - h->snapshots_offset);
  return r;
}

/* Blocks that are missing go behind the end of the file, where nothing refers to. */
static int
qcheck_make_blocks (Qcheck *c)
{
  VmmQcow2 *q = c->q;
  int r = 0;

  for (guint64 block = 0; block <= (c->end - 1) >> q->refblock_bits && r == 0; block++)
    {
      guint64 cluster = c->end;

      if (block >= q->reftable_size || cluster >= c->n_counts)
        return -EFBIG;
      if (q->reftable[block] != 0)
        continue;
      r = vmm_file_write_zeroes (q->node.file, cluster << q->cluster_bits, q->cluster_size);
      if (r == 0)
        r = qcheck_count (c, cluster << q->cluster_bits, q->cluster_size);
      q->reftable[block] = cluster << q->cluster_bits;
    }
  q->reftable_dirty_first = 0;
  q->reftable_dirty_end = q->reftable_size;
  return r;
}

gboolean
vmm_qcow2_rebuild_refcounts (VmmQcow2 *q, GError **error)
{
  Qcheck c = { .q = q, .end = q->untouched };
  int r;

  if (q->node.file->is_device)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED,
                   "%s: was not closed properly and is on a device; “qemu-img check -r all” repairs it", q->node.file->path);
      return FALSE;
    }
  c.n_counts = q->untouched + (q->untouched >> q->refblock_bits) + 16;
  c.counts = c.n_counts <= QCHECK_MAX_CLUSTERS ? g_try_new0 (guint32, c.n_counts) : NULL;
  r = c.counts != NULL ? qcheck_count_all (&c) : -ENOMEM;
  if (r == 0)
    r = qcheck_make_blocks (&c);
  for (guint64 i = 0; i < c.end && r == 0; i++)
    if (c.counts[i] > 0)
      r = vmm_qcow2_raise_refcount (q, i, c.counts[i]);
  if (r == 0)
    r = vmm_qcow2_write_refcounts (q);
  if (r == 0)
    r = vmm_file_sync (q->node.file);
  q->untouched = MAX (q->untouched, c.end);
  g_free (c.counts);
  if (r == -EUCLEAN || r == -ERANGE || r == -EFBIG)
    g_set_error (error, VMM_ERROR, VMM_ERROR_CORRUPT,
                 "%s: was not closed properly, and its tables contradict each other; “qemu-img check -r all” may repair it",
                 q->node.file->path);
  else if (r < 0)
    vmm_file_set_error (error, q->node.file->path, "was not closed properly; cannot repair it", -r);
  return r == 0;
}
