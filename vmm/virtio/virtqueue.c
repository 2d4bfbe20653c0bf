/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Split virtqueues with indirect descriptors and event indices.
 * Spec: VIRTIO 1.2 §2.7 (split virtqueues; section numbers below). Left out: packed rings, in-order use; neither is offered.
 *
 * Theory of operation: when the driver enables a queue its three parts are looked up in RAM once. Everything read from them is copied
 * before it is checked, for the driver's processors run meanwhile. A chain is walked at pop into a vector of host addresses; a chain that
 * loops, leaves RAM or breaks the order breaks the device (vmm_virtio_fail()), for after that nothing in the ring can be trusted.
 * A driver can have no more elements outstanding than the ring has entries, so what it makes the device allocate is bounded.
 *
 * Kicks are suppressed by themselves: with event indices the driver kicks when it crosses avail_event, which is moved only when pop finds
 * the ring empty; without, a flag is set while there is work. Either way pop looks again after it asked for kicks. */
#include "virtio/virtio-private.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* §2.7.5 */
#define VQ_DESC_SIZE 16
#define VQ_DESC_F_NEXT 1
#define VQ_DESC_F_WRITE 2
#define VQ_DESC_F_INDIRECT 4

/* §2.7.6, §2.7.8: flags, idx, ring, event */
#define VQ_FLAGS 0
#define VQ_IDX 2
#define VQ_RING 4
#define VQ_AVAIL_F_NO_INTERRUPT 1
#define VQ_USED_F_NO_NOTIFY 1

typedef struct {
  guint64 addr;
  guint32 len;
  guint16 flags, next;
} VqDesc;

G_STATIC_ASSERT (sizeof (VqDesc) == VQ_DESC_SIZE);

/* Little-endian 16-bit words of the rings. */

static guint16
vq_load16 (const guint8 *at)
{
  return GUINT16_FROM_LE (__atomic_load_n ((const guint16 *) (gconstpointer) at, __ATOMIC_ACQUIRE));
}

static void
vq_store16 (guint8 *at, guint16 value)
{
  __atomic_store_n ((guint16 *) (gpointer) at, GUINT16_TO_LE (value), __ATOMIC_RELEASE);
}

static VmmVirtqueueRegs *
vq_regs (VmmVirtqueue *queue)
{
  return &queue->virtio->regs.queue[queue->index];
}

static guint8 *
vq_avail_event (VmmVirtqueue *queue)
{
  return queue->used + VQ_RING + 8u * vq_regs (queue)->size;
}

static guint8 *
vq_used_event (VmmVirtqueue *queue)
{
  return queue->avail + VQ_RING + 2u * vq_regs (queue)->size;
}

/* === Set-up === */

gboolean
_vmm_virtqueue_map (VmmVirtqueue *queue)
{
  VmmMemory *memory = vmm_device_get_memory (&queue->virtio->pci.base);
  const VmmVirtqueueRegs *regs = vq_regs (queue);

  queue->desc = queue->avail = queue->used = NULL;
  /* §2.7: alignments; a ring of one entry is as good as any */
  if ((regs->desc & 15) != 0 || (regs->avail & 1) != 0 || (regs->used & 3) != 0 || regs->size == 0)
    return FALSE;
  queue->desc = vmm_memory_map (memory, regs->desc, (gsize) VQ_DESC_SIZE * regs->size);
  queue->avail = vmm_memory_map (memory, regs->avail, VQ_RING + 2u * regs->size + 2);
  queue->used = vmm_memory_map (memory, regs->used, VQ_RING + 8u * regs->size + 2);
  return queue->desc != NULL && queue->avail != NULL && queue->used != NULL;
}

void
_vmm_virtqueue_reset (VmmVirtqueue *queue)
{
  *vq_regs (queue) = (VmmVirtqueueRegs) { .size = queue->virtio->max_queue_size, .vector = VMM_VIRTIO_NO_VECTOR };
  queue->desc = queue->avail = queue->used = NULL;
  queue->outstanding = 0;
  queue->budget = G_MAXUINT;
  queue->starved = queue->kicks_off = queue->pushed = FALSE;
}

guint
vmm_virtqueue_get_index (VmmVirtqueue *queue)
{
  return queue->index;
}

gboolean
vmm_virtqueue_is_live (VmmVirtqueue *queue)
{
  return vmm_virtio_is_live (queue->virtio) && queue->used != NULL && queue->avail != NULL && queue->desc != NULL;
}

void
vmm_virtqueue_kick (VmmVirtqueue *queue)
{
  guint64 one = 1;

  while (write (queue->kick_fd, &one, sizeof one) < 0 && errno == EINTR)
    ;
}

void
vmm_virtqueue_get_layout (VmmVirtqueue *queue, VmmVirtqueueLayout *ret_layout)
{
  const VmmVirtqueueRegs *regs = vq_regs (queue);

  *ret_layout = (VmmVirtqueueLayout) { .desc = regs->desc,
                                       .avail = regs->avail,
                                       .used = regs->used,
                                       .size = regs->size,
                                       .last_avail = regs->last_avail,
                                       .used_idx = regs->used_idx };
}

/* === Taking elements === */

static gboolean
vq_may_run (VmmVirtqueue *queue)
{
  return vmm_virtqueue_is_live (queue) && !queue->given && !queue->virtio->quiesced
         && vmm_pci_device_is_master (&queue->virtio->pci);
}

/* How many entries wait: §2.7.13. Asks for a kick if none. */
static guint
vq_look (VmmVirtqueue *queue)
{
  VmmVirtqueueRegs *regs = vq_regs (queue);
  guint16 pending = (guint16) (vq_load16 (queue->avail + VQ_IDX) - regs->last_avail);

  if (pending == 0)
    {
      if (vmm_virtio_has_feature (queue->virtio, VMM_VIRTIO_F_EVENT_IDX))
        vq_store16 (vq_avail_event (queue), regs->last_avail);
      else if (queue->kicks_off)
        {
          vq_store16 (queue->used + VQ_FLAGS, 0);
          queue->kicks_off = FALSE;
        }
      else
        return 0;
      /* The driver adds, fences, looks whether to kick; we ask, fence, look whether it added. */
      __atomic_thread_fence (__ATOMIC_SEQ_CST);
      pending = (guint16) (vq_load16 (queue->avail + VQ_IDX) - regs->last_avail);
    }
  if (pending > regs->size)
    {
      vmm_virtio_fail (queue->virtio, "queue %u: %u buffers in a ring of %u", queue->index, pending, regs->size);
      return 0;
    }
  return pending;
}

static gboolean
vq_add_piece (VmmVirtqueue *queue, VmmVirtioElement *element, const VqDesc *desc)
{
  guint n = element->n_out + element->n_in;
  gboolean is_write = (desc->flags & VQ_DESC_F_WRITE) != 0;
  gpointer host;

  if (desc->len == 0)
    return TRUE;
  if (!is_write && element->n_in > 0) /* §2.7.4.2 */
    {
      vmm_virtio_fail (queue->virtio, "queue %u: a readable buffer after a writable one", queue->index);
      return FALSE;
    }
  host = vmm_memory_map (vmm_device_get_memory (&queue->virtio->pci.base), desc->addr, desc->len);
  if (host == NULL)
    {
      vmm_virtio_fail (queue->virtio, "queue %u: buffer 0x%" G_GINT64_MODIFIER "x+0x%x outside RAM", queue->index, desc->addr,
                       desc->len);
      return FALSE;
    }
  if (n == element->iov_size)
    {
      guint size = MAX (8, element->iov_size * 2);
      struct iovec *iov = g_try_realloc_n (element->iov, size, sizeof *iov);

      if (iov == NULL)
        {
          vmm_virtio_fail (queue->virtio, "queue %u: no memory for a chain", queue->index);
          return FALSE;
        }
      element->iov = iov;
      element->iov_size = size;
    }
  element->iov[n] = (struct iovec) { host, desc->len };
  if (is_write)
    {
      element->n_in++;
      element->in_bytes += desc->len;
    }
  else
    {
      element->n_out++;
      element->out_bytes += desc->len;
    }
  return TRUE;
}

static VqDesc
vq_read_desc (const guint8 *table, guint index)
{
  VqDesc desc;

  memcpy (&desc, table + (gsize) index * VQ_DESC_SIZE, sizeof desc);
  desc.addr = GUINT64_FROM_LE (desc.addr);
  desc.len = GUINT32_FROM_LE (desc.len);
  desc.flags = GUINT16_FROM_LE (desc.flags);
  desc.next = GUINT16_FROM_LE (desc.next);
  return desc;
}

/* A table of descriptors elsewhere (§2.7.5.3). (nullable) */
static const guint8 *
vq_enter_indirect (VmmVirtqueue *queue, const VqDesc *desc)
{
  const guint8 *table = NULL;

  if (!vmm_virtio_has_feature (queue->virtio, VMM_VIRTIO_F_INDIRECT_DESC))
    vmm_virtio_fail (queue->virtio, "queue %u: an indirect descriptor that was not agreed on", queue->index);
  else if ((desc->flags & VQ_DESC_F_NEXT) != 0 || desc->len == 0 || desc->len % VQ_DESC_SIZE != 0
           || desc->len / VQ_DESC_SIZE > VMM_VIRTIO_MAX_CHAIN)
    vmm_virtio_fail (queue->virtio, "queue %u: a bad indirect descriptor (length %u, flags %x)", queue->index, desc->len,
                     desc->flags);
  else
    {
      table = vmm_memory_map (vmm_device_get_memory (&queue->virtio->pci.base), desc->addr, desc->len);
      if (table == NULL)
        vmm_virtio_fail (queue->virtio, "queue %u: an indirect table outside RAM", queue->index);
    }
  return table;
}

static gboolean
vq_walk (VmmVirtqueue *queue, guint head, VmmVirtioElement *element)
{
  const guint8 *table = queue->desc;
  guint entries = vq_regs (queue)->size, limit = entries, at = head, walked = 0;
  gboolean indirect = FALSE;

  element->n_out = element->n_in = 0;
  element->out_bytes = element->in_bytes = 0;
  for (;;)
    {
      VqDesc desc;

      if (at >= entries)
        {
          vmm_virtio_fail (queue->virtio, "queue %u: descriptor %u of %u", queue->index, at, entries);
          return FALSE;
        }
      if (++walked > limit)
        {
          vmm_virtio_fail (queue->virtio, "queue %u: an endless chain", queue->index);
          return FALSE;
        }
      desc = vq_read_desc (table, at);
      if ((desc.flags & VQ_DESC_F_INDIRECT) != 0)
        {
          if (indirect)
            {
              vmm_virtio_fail (queue->virtio, "queue %u: an indirect descriptor in an indirect table", queue->index);
              return FALSE;
            }
          table = vq_enter_indirect (queue, &desc);
          if (table == NULL)
            return FALSE;
          indirect = TRUE;
          entries = desc.len / VQ_DESC_SIZE;
          limit = VMM_VIRTIO_MAX_CHAIN;
          at = 0;
          continue;
        }
      if (!vq_add_piece (queue, element, &desc))
        return FALSE;
      if ((desc.flags & VQ_DESC_F_NEXT) == 0)
        return TRUE;
      at = desc.next;
    }
}

gboolean
vmm_virtqueue_pop (VmmVirtqueue *queue, VmmVirtioElement *element)
{
  VmmVirtqueueRegs *regs = vq_regs (queue);
  guint16 head;

  if (!vq_may_run (queue))
    return FALSE;
  if (queue->budget == 0)
    {
      queue->starved = TRUE;
      return FALSE;
    }
  if (vq_look (queue) == 0)
    return FALSE;
  if (queue->outstanding >= regs->size)
    {
      vmm_virtio_fail (queue->virtio, "queue %u: more buffers than the ring has entries", queue->index);
      return FALSE;
    }
  head = vq_load16 (queue->avail + VQ_RING + 2u * (regs->last_avail & (regs->size - 1u)));
  if (!vq_walk (queue, head, element))
    return FALSE;
  element->head = head;
  element->generation = queue->virtio->generation;
  regs->last_avail++;
  queue->outstanding++;
  queue->virtio->holds++;
  if (queue->budget != G_MAXUINT)
    queue->budget--;
  if (!queue->kicks_off && !vmm_virtio_has_feature (queue->virtio, VMM_VIRTIO_F_EVENT_IDX))
    {
      vq_store16 (queue->used + VQ_FLAGS, VQ_USED_F_NO_NOTIFY);
      queue->kicks_off = TRUE;
    }
  return TRUE;
}

gboolean
vmm_virtqueue_is_empty (VmmVirtqueue *queue)
{
  return !vq_may_run (queue) || vq_load16 (queue->avail + VQ_IDX) == vq_regs (queue)->last_avail;
}

/* FALSE: the element is of before a reset. */
static gboolean
vq_let_go (VmmVirtqueue *queue, const VmmVirtioElement *element)
{
  if (element->generation != queue->virtio->generation)
    return FALSE;
  g_assert (queue->outstanding > 0);
  queue->outstanding--;
  return TRUE;
}

void
vmm_virtqueue_unpop (VmmVirtqueue *queue, VmmVirtioElement *element)
{
  if (!vq_let_go (queue, element))
    return;
  vq_regs (queue)->last_avail--;
  vmm_virtio_release (queue->virtio);
}

void
vmm_virtqueue_drop (VmmVirtqueue *queue, VmmVirtioElement *element)
{
  if (vq_let_go (queue, element))
    vmm_virtio_release (queue->virtio);
}

/* === Giving them back === */

void
vmm_virtqueue_push (VmmVirtqueue *queue, VmmVirtioElement *element, guint32 written)
{
  VmmVirtqueueRegs *regs = vq_regs (queue);

  if (!vq_let_go (queue, element))
    return;
  if (vmm_virtqueue_is_live (queue))
    {
      guint32 entry[2] = { GUINT32_TO_LE ((guint32) element->head), GUINT32_TO_LE (written) };

      memcpy (queue->used + VQ_RING + 8u * (regs->used_idx & (regs->size - 1u)), entry, sizeof entry);
      regs->used_idx++;
      vq_store16 (queue->used + VQ_IDX, regs->used_idx);
      queue->pushed = TRUE;
    }
  vmm_virtio_release (queue->virtio);
}

void
vmm_virtqueue_notify (VmmVirtqueue *queue)
{
  VmmVirtqueueRegs *regs = vq_regs (queue);
  guint16 before = regs->signalled, now = regs->used_idx;
  gboolean was_valid = regs->signalled_valid, wanted;

  if (!vmm_virtqueue_is_live (queue) || !queue->pushed)
    return;
  queue->pushed = FALSE;
  /* The driver asks, fences, looks whether we pushed; we pushed, fence, look whether it asked. */
  __atomic_thread_fence (__ATOMIC_SEQ_CST);
  regs->signalled = now;
  regs->signalled_valid = TRUE;
  if (vmm_virtio_has_feature (queue->virtio, VMM_VIRTIO_F_EVENT_IDX)) /* §2.7.10.1 */
    wanted = !was_valid || (guint16) (now - vq_load16 (vq_used_event (queue)) - 1) < (guint16) (now - before);
  else
    wanted = (vq_load16 (queue->avail + VQ_FLAGS) & VQ_AVAIL_F_NO_INTERRUPT) == 0;
  if (wanted)
    _vmm_virtio_raise (queue);
}

/* === Vectors === */

void
vmm_virtio_element_clear (VmmVirtioElement *element)
{
  g_clear_pointer (&element->iov, g_free);
  element->iov_size = 0;
  element->n_out = element->n_in = 0;
  element->out_bytes = element->in_bytes = 0;
}

static gsize
vq_copy (const struct iovec *iov, guint n_iov, gsize offset, gpointer out, gconstpointer in, gsize len)
{
  gsize done = 0;

  for (guint i = 0; i < n_iov && done < len; i++)
    {
      gsize here;

      if (offset >= iov[i].iov_len)
        {
          offset -= iov[i].iov_len;
          continue;
        }
      here = MIN (iov[i].iov_len - offset, len - done);
      if (out != NULL)
        memcpy ((guint8 *) out + done, (const guint8 *) iov[i].iov_base + offset, here);
      else
        memcpy ((guint8 *) iov[i].iov_base + offset, (const guint8 *) in + done, here);
      done += here;
      offset = 0;
    }
  return done;
}

gsize
vmm_virtio_element_read (const VmmVirtioElement *element, gsize offset, gpointer buf, gsize len)
{
  return vq_copy (element->iov, element->n_out, offset, buf, NULL, len);
}

gsize
vmm_virtio_element_write (const VmmVirtioElement *element, gsize offset, gconstpointer buf, gsize len)
{
  if (element->n_in == 0)
    return 0; /* there may be no vector */
  return vq_copy (element->iov + element->n_out, element->n_in, offset, NULL, buf, len);
}

guint
vmm_virtio_iov_slice (const struct iovec *iov, guint n_iov, gsize offset, gsize len, struct iovec *ret, guint n_ret)
{
  guint n = 0;

  for (guint i = 0; i < n_iov && len > 0 && n < n_ret; i++)
    {
      gsize here;

      if (offset >= iov[i].iov_len)
        {
          offset -= iov[i].iov_len;
          continue;
        }
      here = MIN (iov[i].iov_len - offset, len);
      ret[n++] = (struct iovec) { (guint8 *) iov[i].iov_base + offset, here };
      len -= here;
      offset = 0;
    }
  return n;
}
