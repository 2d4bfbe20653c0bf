/* SPDX-License-Identifier: GPL-3.0-or-later */
/* qcow2 images: opening, closing, and the order in which metadata go to the disk. See qcow2.h. */
#include "block/qcow2.h"

#include "core/log.h"

#include <errno.h>
#include <string.h>

#define QCOW2_SLICE_SIZE 4096
#define QCOW2_L2_BUDGET (32u << 20)            /* maps 256 GiB in clusters of 64 KiB; only used as far as touched */
#define QCOW2_MAX_SNAPSHOT_ENTRIES (16u << 20) /* of all L1 tables together */
#define QCOW2_REF_BUDGET (4u << 20)

void
vmm_qcow2_set_broken (VmmQcow2 *q, const char *what)
{
  if (!q->broken)
    vmm_log_warning (NULL, NULL, "%s: damaged qcow2 image: %s%s", q->node.file->path, what,
                     q->node.writable ? "; nothing more is written to it" : "");
  q->broken = TRUE;
}

/* Writes the feature words; version 3. */
static int
qcow2_write_features (VmmQcow2 *q)
{
  guint64 words[3] = { GUINT64_TO_BE (q->header.incompatible), GUINT64_TO_BE (q->header.compatible),
                       GUINT64_TO_BE (q->header.autoclear) };
  int r = vmm_file_write (q->node.file, 72, words, sizeof words);

  return r < 0 ? r : vmm_file_sync (q->node.file);
}

void
vmm_qcow2_tell_broken (VmmQcow2 *q)
{
  if (q->broken_told || !q->node.writable)
    return;
  q->broken_told = TRUE;
  if (q->header.version < 3)
    return;
  q->header.incompatible |= QCOW2_INCOMPAT_CORRUPT;
  (void) qcow2_write_features (q);
}

/* Flushing */

/* A copy of what is to be written, so that the iothread may go on changing the original. */
typedef struct {
  guint64 offset;
  guint8 *data;
} Qcow2Copy;

static void
qcow2_copy_clear (gpointer data)
{
  g_free (((Qcow2Copy *) data)->data);
}

/* Lock held. */
static GArray *
qcow2_copy_dirty_l2 (VmmQcow2 *q)
{
  GArray *copies = g_array_new (FALSE, FALSE, sizeof (Qcow2Copy));

  g_array_set_clear_func (copies, qcow2_copy_clear);
  for (GList *l = q->l2_cache.lru.head; l != NULL; l = l->next)
    {
      VmmQcow2Slice *slice = l->data;
      Qcow2Copy copy = { slice->offset, NULL };

      if (!slice->dirty)
        continue;
      copy.data = g_memdup2 (slice->data, q->l2_cache.slice_size);
      g_array_append_val (copies, copy);
      slice->dirty = FALSE;
    }
  return copies;
}

/* It was not written after all. Lock held. */
static void
qcow2_redirty (VmmQcow2 *q, const GArray *copies)
{
  for (guint i = 0; i < copies->len; i++)
    {
      VmmQcow2Slice *slice = vmm_qcow2_cache_peek (&q->l2_cache, g_array_index (copies, Qcow2Copy, i).offset);

      if (slice != NULL)
        slice->dirty = TRUE;
    }
}

static int
qcow2_compare_copies (gconstpointer a, gconstpointer b)
{
  const Qcow2Copy *x = a, *y = b;

  return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int
qcow2_write_l2_and_l1 (VmmQcow2 *q, GArray *copies, const guint64 *l1, guint32 l1_first, guint32 l1_n)
{
  int r = vmm_qcow2_write_refcounts (q);

  if (r == 0 && (copies->len > 0 || l1_n > 0))
    r = vmm_file_sync (q->node.file); /* refcounts and all data that is linked in the copies */
  g_array_sort (copies, qcow2_compare_copies);
  for (guint i = 0; i < copies->len && r == 0; i++)
    {
      const Qcow2Copy *copy = &g_array_index (copies, Qcow2Copy, i);

      r = vmm_file_write (q->node.file, copy->offset, copy->data, q->l2_cache.slice_size);
    }
  /* New L2 tables were written whole, as zeros or copies, before the sync. */
  if (r == 0 && l1_n > 0)
    r = vmm_file_write (q->node.file, q->header.l1_offset + (guint64) l1_first * 8, l1, (gsize) l1_n * 8);
  return r < 0 ? r : vmm_file_sync (q->node.file);
}

/* Waits until no operation is left that started before now. */
static void
qcow2_wait_epoch (VmmQcow2 *q)
{
  VmmQcow2Epoch *old;

  g_mutex_lock (&q->lock);
  old = &q->epochs[q->epoch];
  q->epoch ^= 1;
  while (old->n > 0)
    vmm_waiters_wait (&q->epoch_waiters, &q->lock);
  g_mutex_unlock (&q->lock);
}

int
vmm_qcow2_flush (VmmQcow2 *q)
{
  g_autoptr (GArray) copies = NULL;
  g_autoptr (GArray) frees = NULL;
  g_autofree guint64 *l1 = NULL;
  guint32 l1_first, l1_n;
  int r;

  if (q->broken)
    {
      /* The guest's data may still be good where they are in place; the tables are not touched any more. */
      vmm_qcow2_tell_broken (q);
      (void) vmm_file_sync (q->node.file);
      return -EIO;
    }
  g_mutex_lock (&q->lock);
  copies = qcow2_copy_dirty_l2 (q);
  l1_first = q->l1_dirty_first;
  l1_n = q->l1_dirty_end - l1_first;
  l1 = g_new (guint64, MAX (l1_n, 1));
  for (guint32 i = 0; i < l1_n; i++)
    l1[i] = GUINT64_TO_BE (q->l1[l1_first + i]);
  q->l1_dirty_first = q->l1_dirty_end = 0;
  frees = g_steal_pointer (&q->frees);
  q->frees = g_array_new (FALSE, FALSE, sizeof (VmmQcow2Range));
  q->flushing = TRUE; /* a guest's flush must meanwhile not think that all is written */
  q->dirty = FALSE;
  g_mutex_unlock (&q->lock);

  r = qcow2_write_l2_and_l1 (q, copies, l1, l1_first, l1_n);

  g_mutex_lock (&q->lock);
  q->flushing = FALSE;
  if (r < 0)
    {
      qcow2_redirty (q, copies);
      if (l1_n > 0)
        {
          gboolean none = q->l1_dirty_first == q->l1_dirty_end;

          q->l1_dirty_first = none ? l1_first : MIN (q->l1_dirty_first, l1_first);
          q->l1_dirty_end = none ? l1_first + l1_n : MAX (q->l1_dirty_end, l1_first + l1_n);
        }
      g_array_append_vals (q->frees, frees->data, frees->len);
      q->dirty = TRUE;
    }
  g_mutex_unlock (&q->lock);
  if (r < 0 || frees->len == 0)
    return r;

  /* The disk points to none of them any more, and soon nobody uses them. */
  qcow2_wait_epoch (q);
  r = vmm_qcow2_give_back (q, frees);
  return r < 0 ? r : vmm_qcow2_cache_write (q, &q->ref_cache);
}

/* Opening and closing */

static gboolean
qcow2_fail (GError **error, VmmQcow2 *q, const char *what)
{
  g_set_error (error, VMM_ERROR, VMM_ERROR_CORRUPT, "%s: damaged qcow2 image: %s", q->node.file->path, what);
  return FALSE;
}

/* Reads a table of big-endian 64-bit entries. */
static guint64 *
qcow2_read_table (VmmQcow2 *q, guint64 offset, gsize n, GError **error)
{
  guint64 *table = g_try_new0 (guint64, MAX (n, 1));
  int r = table != NULL ? vmm_file_read (q->node.file, offset, table, n * 8) : -ENOMEM;

  if (r < 0)
    {
      g_free (table);
      vmm_file_set_error (error, q->node.file->path, "cannot read a table", -r);
      return NULL;
    }
  for (gsize i = 0; i < n; i++)
    table[i] = GUINT64_FROM_BE (table[i]);
  return table;
}

/* What snapshots need is metadata too. */
static gboolean
qcow2_note_snapshots (VmmQcow2 *q, GError **error)
{
  guint64 at = q->header.snapshots_offset, n_entries = 0;

  for (guint32 i = 0; i < q->header.n_snapshots; i++)
    {
      guint64 l1_offset;
      guint32 l1_size;
      int r = vmm_qcow2_next_snapshot (q, &at, &l1_offset, &l1_size);

      if (r == 0 && (n_entries += l1_size) > QCOW2_MAX_SNAPSHOT_ENTRIES)
        r = -EUCLEAN;
      if (r == -EUCLEAN)
        return qcow2_fail (error, q, "a bad snapshot");
      if (r < 0)
        {
          vmm_file_set_error (error, q->node.file->path, "cannot read the snapshot table", -r);
          return FALSE;
        }
      vmm_qcow2_meta_add (q, l1_offset, (guint64) l1_size * 8);
    }
  vmm_qcow2_meta_add (q, q->header.snapshots_offset, at - q->header.snapshots_offset);
  return TRUE;
}

/* What only writers need. */
static gboolean
qcow2_prepare_writing (VmmQcow2 *q, GError **error)
{
  VmmQcow2Header *h = &q->header;
  gint64 file_size = vmm_file_get_size (q->node.file);
  int r;

  if (file_size < 0)
    {
      vmm_file_set_error (error, q->node.file->path, "cannot find its size", (int) -file_size);
      return FALSE;
    }
  q->untouched = ((guint64) file_size + q->cluster_size - 1) >> q->cluster_bits;
  q->max_clusters = QCOW2_MAX_HOST_OFFSET >> q->cluster_bits;
  if (q->node.file->is_device)
    {
      q->max_clusters = (guint64) file_size >> q->cluster_bits;
      q->untouched = G_MAXUINT64 / 2; /* what is on a device is not zero */
    }

  q->reftable_size = h->reftable_clusters << (q->cluster_bits - 3);
  q->reftable = qcow2_read_table (q, h->reftable_offset, q->reftable_size, error);
  if (q->reftable == NULL)
    return FALSE;
  q->meta = g_hash_table_new (NULL, NULL);
  vmm_qcow2_meta_add (q, 0, q->cluster_size);
  vmm_qcow2_meta_add (q, h->l1_offset, (guint64) h->l1_size * 8);
  vmm_qcow2_meta_add (q, h->reftable_offset, (guint64) h->reftable_clusters << q->cluster_bits);
  if (!qcow2_note_snapshots (q, error))
    return FALSE;

  if ((h->incompatible & QCOW2_INCOMPAT_DIRTY) != 0 && !vmm_qcow2_rebuild_refcounts (q, error))
    return FALSE;
  for (guint32 i = 0; i < h->l1_size; i++)
    if ((q->l1[i] & QCOW2_OFFSET_MASK) != 0)
      vmm_qcow2_meta_add (q, q->l1[i] & QCOW2_OFFSET_MASK, q->cluster_size);
  for (guint32 i = 0; i < q->reftable_size; i++)
    {
      if (q->reftable[i] % q->cluster_size != 0 || q->reftable[i] >= QCOW2_MAX_HOST_OFFSET)
        return qcow2_fail (error, q, "a refcount block is at a bad place");
      if (q->reftable[i] != 0)
        vmm_qcow2_meta_add (q, q->reftable[i], q->cluster_size);
    }

  /* Whoever does not keep an automatic feature up to date must say so. The dirty mark goes with the repair it asked for. */
  if (h->autoclear != 0 || (h->incompatible & QCOW2_INCOMPAT_DIRTY) != 0)
    {
      h->autoclear = 0;
      h->incompatible &= ~(guint64) QCOW2_INCOMPAT_DIRTY;
      r = vmm_file_sync (q->node.file);
      if (r == 0)
        r = qcow2_write_features (q);
      if (r < 0)
        {
          vmm_file_set_error (error, q->node.file->path, "cannot write its header", -r);
          return FALSE;
        }
    }
  return TRUE;
}

static gboolean
qcow2_open_backing (VmmQcow2 *q, const VmmNodeChain *chain, VmmFileFlags flags, GError **error)
{
  VmmNodeChain here = { q->node.file, chain, chain != NULL ? chain->depth + 1 : 0 };
  const char *format = q->header.backing_format;
  g_autofree char *path = NULL;

  if (q->header.backing_name == NULL)
    return TRUE;
  path = vmm_qcow2_header_dup_backing_path (&q->header, q->node.file->path, error);
  if (path == NULL)
    return FALSE;
  if (format == NULL)
    {
      /* A guest could have written the magic of another format into a raw disk, with any backing file it likes. */
      g_autoptr (VmmFile) file = vmm_file_open (path, VMM_FILE_READ_ONLY, error);
      const char *found = file != NULL ? vmm_node_probe_format (file, error) : NULL;

      if (found == NULL)
        return FALSE;
      if (!g_str_equal (found, "raw"))
        {
          g_set_error (
              error, VMM_ERROR, VMM_ERROR_UNSUPPORTED,
              "%s: does not say in which format its backing file %s is (it looks like %s; “qemu-img rebase -u -F” writes it down)",
              q->node.file->path, path, found);
          return FALSE;
        }
      format = "raw";
    }
  q->node.backing = vmm_node_open (q->node.block, path, format, flags & ~(guint) VMM_FILE_WRITABLE, &here, error);
  return q->node.backing != NULL;
}

static void
qcow2_free (VmmQcow2 *q)
{
  vmm_node_close (q->node.backing);
  vmm_qcow2_cache_clear (&q->l2_cache);
  vmm_qcow2_cache_clear (&q->ref_cache);
  for (guint i = 0; i < G_N_ELEMENTS (q->decoded); i++)
    g_free (q->decoded[i].data);
  g_clear_pointer (&q->meta, g_hash_table_unref);
  g_array_unref (q->frees);
  g_ptr_array_unref (q->writes);
  g_free (q->l1);
  g_free (q->reftable);
  vmm_waiters_clear (&q->write_waiters);
  vmm_waiters_clear (&q->epoch_waiters);
  g_mutex_clear (&q->lock);
  vmm_qcow2_header_clear (&q->header);
  vmm_file_free (q->node.file);
  g_free (q);
}

static void
qcow2_close (VmmNode *node)
{
  VmmQcow2 *q = (VmmQcow2 *) node;

  if (node->writable)
    {
      int r = vmm_qcow2_flush (q);

      /* The second time for the refcounts of what the first gave back. */
      if (r == 0)
        r = vmm_qcow2_flush (q);
      if (r < 0 && !q->broken)
        vmm_log_warning (NULL, NULL, "%s: the last changes could not be written: %s", node->file->path, g_strerror (-r));
    }
  qcow2_free (q);
}

static const VmmNodeClass qcow2_class = {
  .format = "qcow2",
  .close = qcow2_close,
  .start = vmm_qcow2_start,
  .work = vmm_qcow2_work,
  .map = vmm_qcow2_map,
  .read_coded = vmm_qcow2_read_coded,
};

static void
qcow2_set_geometry (VmmQcow2 *q)
{
  gboolean extended = (q->header.incompatible & QCOW2_INCOMPAT_EXTENDED_L2) != 0;
  gsize slice;

  q->cluster_bits = q->header.cluster_bits;
  q->cluster_size = G_GUINT64_CONSTANT (1) << q->cluster_bits;
  q->l2_entry_size = extended ? 16 : 8;
  q->l2_bits = q->cluster_bits - (extended ? 4 : 3);
  q->n_subclusters = extended ? 32 : 1;
  q->subcluster_bits = q->cluster_bits - (extended ? 5 : 0);
  q->refblock_bits = q->cluster_bits + 3 - q->header.refcount_order;
  slice = MIN (q->cluster_size, QCOW2_SLICE_SIZE);
  vmm_qcow2_cache_init (&q->l2_cache, slice, QCOW2_L2_BUDGET, TRUE);
  vmm_qcow2_cache_init (&q->ref_cache, slice, QCOW2_REF_BUDGET, FALSE);
}

VmmNode *
vmm_qcow2_open (VmmBlock *block, VmmFile *file, const VmmNodeChain *chain, VmmFileFlags flags, GError **error)
{
  VmmQcow2Header header;
  VmmQcow2 *q;
  gboolean ok;

  if (!vmm_qcow2_header_read (file, &header, error))
    return NULL;
  q = g_new0 (VmmQcow2, 1);
  q->header = header;
  q->node = (VmmNode) { .klass = &qcow2_class,
                        .block = block,
                        .file = file,
                        .size = header.size / 512 * 512,
                        .writable = file->writable };
  q->frees = g_array_new (FALSE, FALSE, sizeof (VmmQcow2Range));
  q->writes = g_ptr_array_new ();
  q->epochs[0].qcow2 = q->epochs[1].qcow2 = q;
  g_mutex_init (&q->lock);
  vmm_waiters_init (&q->write_waiters);
  vmm_waiters_init (&q->epoch_waiters);
  qcow2_set_geometry (q);

  /* Small clusters share pages with metadata, which only goes through the page cache. */
  if (q->cluster_size < 4096 && file->direct_fd >= 0)
    vmm_file_drop_direct (file);
  if (q->node.writable && (header.incompatible & QCOW2_INCOMPAT_CORRUPT) != 0)
    ok = qcow2_fail (error, q, "it is marked as corrupt; “qemu-img check -r all” may repair it");
  else
    {
      q->l1 = qcow2_read_table (q, header.l1_offset, header.l1_size, error);
      /* The last changes the file, so all that can refuse it comes before. */
      ok = q->l1 != NULL && qcow2_open_backing (q, chain, flags, error) && (!q->node.writable || qcow2_prepare_writing (q, error));
    }
  if (!ok)
    {
      q->node.file = NULL; /* the caller's */
      qcow2_free (q);
      return NULL;
    }
  return &q->node;
}
