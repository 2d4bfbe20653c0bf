/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Caches of metadata tables in slices. */
#include "block/qcow2.h"

#include <errno.h>

void
vmm_qcow2_cache_init (VmmQcow2Cache *cache, gsize slice_size, gsize budget, gboolean ordered)
{
  cache->slice_size = slice_size;
  cache->max_slices = (guint) MAX (budget / slice_size, 16);
  cache->ordered = ordered;
  cache->slices = g_hash_table_new (g_int64_hash, g_int64_equal);
  g_queue_init (&cache->lru);
}

static void
qcache_slice_free (VmmQcow2Slice *slice)
{
  g_free (slice->data);
  g_free (slice);
}

void
vmm_qcow2_cache_clear (VmmQcow2Cache *cache)
{
  GList *link;

  if (cache->slices == NULL)
    return;
  while ((link = g_queue_pop_head_link (&cache->lru)) != NULL)
    qcache_slice_free (link->data);
  g_hash_table_unref (cache->slices);
}

VmmQcow2Slice *
vmm_qcow2_cache_peek (VmmQcow2Cache *cache, guint64 offset)
{
  VmmQcow2Slice *slice = g_hash_table_lookup (cache->slices, &offset);

  if (slice != NULL && cache->lru.head != &slice->lru)
    {
      g_queue_unlink (&cache->lru, &slice->lru);
      g_queue_push_head_link (&cache->lru, &slice->lru);
    }
  return slice;
}

/* Lock held. */
static void
qcache_remove (VmmQcow2Cache *cache, VmmQcow2Slice *slice)
{
  g_queue_unlink (&cache->lru, &slice->lru);
  g_hash_table_remove (cache->slices, &slice->offset);
}

/* A slice to fill, taken out of the cache if that is full. Lock held, for a moment not. */
static int
qcache_get_room (VmmQcow2 *q, VmmQcow2Cache *cache, VmmQcow2Slice **ret_slice)
{
  VmmQcow2Slice *slice;

  for (guint attempt = 0; g_queue_get_length (&cache->lru) >= cache->max_slices && attempt < 2; attempt++)
    {
      int r;

      for (GList *l = cache->lru.tail; l != NULL; l = l->prev)
        {
          slice = l->data;
          if (slice->pins == 0 && !slice->dirty)
            {
              qcache_remove (cache, slice);
              *ret_slice = slice;
              return 0;
            }
        }
      if (attempt > 0)
        break; /* all in use: grow */
      g_mutex_unlock (&q->lock);
      r = cache->ordered ? vmm_qcow2_flush (q) : vmm_qcow2_cache_write (q, cache);
      g_mutex_lock (&q->lock);
      if (r < 0)
        return r;
    }
  slice = g_new0 (VmmQcow2Slice, 1);
  slice->data = g_malloc (cache->slice_size);
  slice->lru.data = slice;
  *ret_slice = slice;
  return 0;
}

int
vmm_qcow2_cache_load (VmmQcow2 *q, VmmQcow2Cache *cache, guint64 offset, VmmQcow2Slice **ret_slice)
{
  VmmQcow2Slice *slice;
  int r = 0;

  g_mutex_lock (&q->lock);
  slice = vmm_qcow2_cache_peek (cache, offset);
  if (slice == NULL)
    {
      r = qcache_get_room (q, cache, &slice);
      if (r == 0)
        {
          /* Only the worker loads: nobody else can put the same one in meanwhile. */
          g_mutex_unlock (&q->lock);
          r = vmm_file_read (q->node.file, offset, slice->data, cache->slice_size);
          g_mutex_lock (&q->lock);
          if (r < 0)
            qcache_slice_free (slice);
          else
            {
              slice->offset = offset;
              slice->dirty = FALSE;
              slice->pins = 0;
              g_hash_table_insert (cache->slices, &slice->offset, slice);
              g_queue_push_head_link (&cache->lru, &slice->lru);
            }
        }
    }
  if (r == 0)
    {
      slice->pins++;
      *ret_slice = slice;
    }
  g_mutex_unlock (&q->lock);
  return r;
}

void
vmm_qcow2_slice_unpin (VmmQcow2 *q, VmmQcow2Slice *slice)
{
  if (slice == NULL)
    return;
  g_mutex_lock (&q->lock);
  slice->pins--;
  g_mutex_unlock (&q->lock);
}

void
vmm_qcow2_cache_forget (VmmQcow2 *q, VmmQcow2Cache *cache, guint64 offset, guint64 len)
{
  g_mutex_lock (&q->lock);
  for (guint64 at = offset; at < offset + len; at += cache->slice_size)
    {
      VmmQcow2Slice *slice = g_hash_table_lookup (cache->slices, &at);

      if (slice != NULL && slice->pins == 0)
        {
          qcache_remove (cache, slice);
          qcache_slice_free (slice);
        }
    }
  g_mutex_unlock (&q->lock);
}

int
vmm_qcow2_cache_write (VmmQcow2 *q, VmmQcow2Cache *cache)
{
  int r = 0;

  /* Only the worker adds, removes and changes slices of this cache. */
  for (GList *l = cache->lru.head; l != NULL && r == 0; l = l->next)
    {
      VmmQcow2Slice *slice = l->data;

      if (!slice->dirty)
        continue;
      r = vmm_file_write (q->node.file, slice->offset, slice->data, cache->slice_size);
      if (r == 0)
        slice->dirty = FALSE;
    }
  return r;
}
