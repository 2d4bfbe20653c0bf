/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a PS/2 device wants to send. */
#include "chipset/ps2.h"

#include <string.h>

void
vmm_ps2_queue_reset (VmmPs2Queue *queue)
{
  memset (queue, 0, sizeof *queue);
}

gboolean
vmm_ps2_queue_is_empty (const VmmPs2Queue *queue)
{
  return queue->count == 0 && queue->reply_count == 0;
}

guint8
vmm_ps2_queue_pop (VmmPs2Queue *queue)
{
  if (queue->reply_count > 0)
    {
      queue->last = queue->reply[0];
      queue->reply_count--;
      memmove (queue->reply, queue->reply + 1, queue->reply_count);
      return queue->last;
    }
  g_assert (queue->count > 0);
  queue->last = queue->bytes[queue->head];
  queue->head = (queue->head + 1) % VMM_PS2_QUEUE_SIZE;
  queue->count--;
  return queue->last;
}

void
vmm_ps2_queue_reply (VmmPs2Queue *queue, guint8 byte)
{
  if (queue->reply_count < sizeof queue->reply)
    queue->reply[queue->reply_count++] = byte;
}

gboolean
vmm_ps2_queue_is_valid (const VmmPs2Queue *queue)
{
  return queue->head < VMM_PS2_QUEUE_SIZE && queue->count <= VMM_PS2_QUEUE_SIZE && queue->reply_count <= sizeof queue->reply;
}

guint
vmm_ps2_queue_get_room (const VmmPs2Queue *queue)
{
  return VMM_PS2_QUEUE_SIZE - queue->count;
}

void
vmm_ps2_queue_push (VmmPs2Queue *queue, guint8 byte)
{
  g_assert (queue->count < VMM_PS2_QUEUE_SIZE);
  queue->bytes[(queue->head + queue->count) % VMM_PS2_QUEUE_SIZE] = byte;
  queue->count++;
}
