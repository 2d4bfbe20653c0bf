/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "virtio-host.h"

#include <string.h>

#define VH_RINGS 0x1000000u
#define VH_RING_STEP 0x10000u
#define VH_AVAIL 0x4000u
#define VH_USED 0x8000u
#define VH_VERSION_1 (G_GUINT64_CONSTANT (1) << 32)

static guint8
vh_config8 (VirtioHost *host, guint offset)
{
  return (guint8) test_pci_read (host->board, host->devfn, offset, 1);
}

/* §4.1.4: walks the list; the first of each type counts. */
static void
vh_find_caps (VirtioHost *host)
{
  guint steps = 0;

  for (guint at = vh_config8 (host, 0x34); at != 0; at = vh_config8 (host, at + 1))
    {
      guint type, offset;
      guint64 *where = NULL;

      g_assert_cmpuint (++steps, <, 48);
      if (vh_config8 (host, at) != 0x09)
        continue;
      type = vh_config8 (host, at + 3);
      offset = test_pci_read (host->board, host->devfn, at + 8, 4);
      if (type == 1)
        where = &host->common;
      else if (type == 2)
        {
          where = &host->notify;
          host->notify_step = test_pci_read (host->board, host->devfn, at + 16, 4);
        }
      else if (type == 3)
        where = &host->isr;
      else if (type == 4)
        where = &host->device;
      if (where == NULL || *where != 0)
        continue;
      g_assert_cmpuint (vh_config8 (host, at + 4), ==, 4);
      *where = host->bar + offset;
    }
  g_assert_true (host->common != 0 && host->notify != 0 && host->isr != 0 && host->device != 0);
}

void
virtio_host_init (VirtioHost *host, TestBoard *board, guint devfn, guint64 bar)
{
  memset (host, 0, sizeof *host);
  host->board = board;
  host->devfn = devfn;
  host->bar = bar;
  g_assert_cmphex (test_pci_read (board, devfn, 0x00, 2), ==, 0x1af4);
  test_pci_write (board, devfn, 0x14, 4, (guint32) (bar + 0x10000));
  test_pci_write (board, devfn, 0x20, 4, (guint32) bar);
  test_pci_write (board, devfn, 0x24, 4, (guint32) (bar >> 32));
  test_pci_write (board, devfn, 0x04, 2, 0x0006);
  vh_find_caps (host);
}

guint64
virtio_host_get (VirtioHost *host, guint common_offset, guint size)
{
  return test_read (host->board, host->common + common_offset, size);
}

void
virtio_host_set (VirtioHost *host, guint common_offset, guint size, guint64 value)
{
  test_write (host->board, host->common + common_offset, size, value);
}

guint64
virtio_host_read_features (VirtioHost *host)
{
  guint64 low, high;

  virtio_host_set (host, 0x00, 4, 0);
  low = virtio_host_get (host, 0x04, 4);
  virtio_host_set (host, 0x00, 4, 1);
  high = virtio_host_get (host, 0x04, 4);
  return low | high << 32;
}

void
virtio_host_negotiate (VirtioHost *host, guint64 wanted)
{
  virtio_host_set (host, 0x14, 1, 0);
  test_wait_until (virtio_host_get (host, 0x14, 1) == 0);
  virtio_host_set (host, 0x14, 1, 1);
  virtio_host_set (host, 0x14, 1, 3);
  host->features = virtio_host_read_features (host) & (wanted | VH_VERSION_1);
  virtio_host_set (host, 0x08, 4, 0);
  virtio_host_set (host, 0x0c, 4, (guint32) host->features);
  virtio_host_set (host, 0x08, 4, 1);
  virtio_host_set (host, 0x0c, 4, host->features >> 32);
  virtio_host_set (host, 0x14, 1, 0x0b);
  g_assert_cmphex (virtio_host_get (host, 0x14, 1), ==, 0x0b);
  host->n_queues = (guint) virtio_host_get (host, 0x12, 2);
  g_assert_cmpuint (host->n_queues, <=, VIRTIO_HOST_MAX_QUEUES);
}

void
virtio_host_add_queue (VirtioHost *host, guint index, guint queue_size)
{
  VirtioHostQueue *queue = &host->queues[index];
  guint64 at = VH_RINGS + (guint64) index * VH_RING_STEP;
  guint8 zero[256] = { 0 };
  guint max;

  virtio_host_set (host, 0x16, 2, index);
  max = (guint) virtio_host_get (host, 0x18, 2);
  g_assert_cmpuint (max, >, 0);
  *queue = (VirtioHostQueue) { .size = MIN (max, queue_size), .desc = at, .avail = at + VH_AVAIL, .used = at + VH_USED };
  for (guint i = 0; i < VH_RING_STEP; i += sizeof zero)
    test_ram_write (host->board, at + i, zero, sizeof zero);
  virtio_host_set (host, 0x18, 2, queue->size);
  /* in halves, as every driver does */
  virtio_host_set (host, 0x20, 4, (guint32) queue->desc);
  virtio_host_set (host, 0x24, 4, queue->desc >> 32);
  virtio_host_set (host, 0x28, 4, (guint32) queue->avail);
  virtio_host_set (host, 0x2c, 4, queue->avail >> 32);
  virtio_host_set (host, 0x30, 4, (guint32) queue->used);
  virtio_host_set (host, 0x34, 4, queue->used >> 32);
  queue->notify = host->notify + host->notify_step * virtio_host_get (host, 0x1e, 2);
  virtio_host_set (host, 0x1c, 2, 1);
}

void
virtio_host_enable_msix (VirtioHost *host)
{
  guint at = vh_config8 (host, 0x34), vectors;

  while (at != 0 && vh_config8 (host, at) != 0x11)
    at = vh_config8 (host, at + 1);
  g_assert_cmpuint (at, !=, 0);
  vectors = (test_pci_read (host->board, host->devfn, at + 2, 2) & 0x7ff) + 1;
  for (guint i = 0; i < vectors; i++)
    {
      guint64 entry = host->bar + 0x10000 + i * 16;

      test_write (host->board, entry, 4, VIRTIO_HOST_MSIX_MESSAGE);
      test_write (host->board, entry + 4, 4, 0);
      test_write (host->board, entry + 8, 4, 0x40 + i);
      test_write (host->board, entry + 12, 4, 0);
    }
  test_pci_write (host->board, host->devfn, at + 2, 2, 0x8000);
}

void
virtio_host_start (VirtioHost *host, guint64 wanted, guint queue_size, gboolean msix)
{
  virtio_host_negotiate (host, wanted);
  if (msix)
    {
      virtio_host_enable_msix (host);
      virtio_host_set (host, 0x10, 2, 0);
    }
  for (guint i = 0; i < host->n_queues; i++)
    {
      virtio_host_add_queue (host, i, queue_size);
      if (msix)
        {
          virtio_host_set (host, 0x16, 2, i);
          virtio_host_set (host, 0x1a, 2, i + 1);
        }
    }
  virtio_host_set (host, 0x14, 1, 0x0f);
  g_assert_cmphex (virtio_host_get (host, 0x14, 1), ==, 0x0f);
}

void
virtio_host_set_desc (VirtioHost *host, guint queue, guint index, guint64 addr, guint32 len, guint16 flags, guint16 next)
{
  struct {
    guint64 addr;
    guint32 len;
    guint16 flags, next;
  } desc = { GUINT64_TO_LE (addr), GUINT32_TO_LE (len), GUINT16_TO_LE (flags), GUINT16_TO_LE (next) };

  test_ram_write (host->board, host->queues[queue].desc + index * 16, &desc, sizeof desc);
}

void
virtio_host_offer (VirtioHost *host, guint index, guint16 head)
{
  VirtioHostQueue *queue = &host->queues[index];
  guint16 value = GUINT16_TO_LE (head);

  test_ram_write (host->board, queue->avail + 4 + 2 * (queue->avail_idx % queue->size), &value, 2);
  queue->avail_idx++;
  value = GUINT16_TO_LE (queue->avail_idx);
  __atomic_thread_fence (__ATOMIC_SEQ_CST);
  test_ram_write (host->board, queue->avail + 2, &value, 2);
}

guint
virtio_host_add (VirtioHost *host, guint index, const VirtioHostPiece *pieces, guint n_out, guint n_in)
{
  VirtioHostQueue *queue = &host->queues[index];
  guint head = queue->free_desc, n = n_out + n_in;

  g_assert_cmpuint (n, <=, queue->size);
  for (guint i = 0; i < n; i++)
    {
      guint at = (head + i) % queue->size;

      virtio_host_set_desc (host, index, at, pieces[i].addr, pieces[i].len, (guint16) ((i + 1 < n ? 1 : 0) | (i >= n_out ? 2 : 0)),
                            (guint16) ((at + 1) % queue->size));
    }
  queue->free_desc = (head + n) % queue->size;
  virtio_host_offer (host, index, (guint16) head);
  return head;
}

void
virtio_host_kick (VirtioHost *host, guint index)
{
  test_write (host->board, host->queues[index].notify, 2, index);
}

guint16
virtio_host_used_idx (VirtioHost *host, guint index)
{
  guint16 idx;

  test_ram_read (host->board, host->queues[index].used + 2, &idx, 2);
  __atomic_thread_fence (__ATOMIC_SEQ_CST);
  return GUINT16_FROM_LE (idx);
}

guint32
virtio_host_take (VirtioHost *host, guint index, guint32 *ret_head)
{
  VirtioHostQueue *queue = &host->queues[index];
  guint32 entry[2];

  test_wait_until (virtio_host_used_idx (host, index) != queue->taken);
  test_ram_read (host->board, queue->used + 4 + 8 * (queue->taken % queue->size), entry, sizeof entry);
  queue->taken++;
  if (ret_head != NULL)
    *ret_head = GUINT32_FROM_LE (entry[0]);
  return GUINT32_FROM_LE (entry[1]);
}

guint32
virtio_host_do (VirtioHost *host, guint index, const VirtioHostPiece *pieces, guint n_out, guint n_in)
{
  guint head = virtio_host_add (host, index, pieces, n_out, n_in);
  guint32 used_head, written;

  virtio_host_kick (host, index);
  written = virtio_host_take (host, index, &used_head);
  g_assert_cmpuint (used_head, ==, head);
  return written;
}
