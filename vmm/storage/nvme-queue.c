/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The queues of the NVMe controller: doorbells, fetching, completion entries, interrupts, memory of a command.
 *
 * Theory of operation: each submission queue has a descriptor on which the iothread waits. A write to a doorbell register stores the tail
 * and signals it; a guest that gave us shadow doorbells (DOORBELL BUFFER CONFIG) leaves the tail in memory, and KVM signals the
 * descriptor without an exit. The iothread fetches entries one after the other, up to a bound a turn, while there are free commands.
 * Completion entries that find no room wait in their command until the guest moves the head. */
#include "storage/nvme-private.h"

#include "core/iothread.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define NVMEQ_TURN 256 /* entries that one signal may have fetched */
#define NVMEQ_DOORBELL 4

/* === Shadow doorbells, §5.5, §7.13 === */

/* (nullable): the doorbell at @index (2 * queue, + 1 for completion) in the buffer at @base. */
static guint32 *
nvmeq_shadow (Nvme *nvme, guint64 base, guint index)
{
  return base != 0 && index >= 2 ? vmm_pci_dma_map (&nvme->pci, base + index * NVMEQ_DOORBELL, NVMEQ_DOORBELL) : NULL;
}

/* What the guest left there; @fallback without one, or if it is no entry of a queue. */
static guint16
nvmeq_load_shadow (Nvme *nvme, guint index, guint16 size, guint16 fallback)
{
  guint32 *doorbell = nvmeq_shadow (nvme, nvme->regs.shadow, index);
  guint32 value;

  if (doorbell == NULL)
    return fallback;
  value = GUINT32_FROM_LE (__atomic_load_n (doorbell, __ATOMIC_ACQUIRE));
  if (value < size)
    return (guint16) value;
  vmm_guest_error (&nvme->pci.base, "shadow doorbell %u says %u of %u entries", index, value, size);
  return fallback;
}

/* From now on a change from @value on shall be told. */
static void
nvmeq_ask (Nvme *nvme, guint index, guint16 value)
{
  guint32 *event = nvmeq_shadow (nvme, nvme->regs.event, index);

  if (event == NULL)
    return;
  __atomic_store_n (event, GUINT32_TO_LE ((guint32) value), __ATOMIC_RELEASE);
  __atomic_thread_fence (__ATOMIC_SEQ_CST); /* before the doorbell is read again */
}

void
_vmm_nvme_start_shadow (Nvme *nvme)
{
  for (guint i = 1; i < NVME_QUEUES; i++)
    {
      guint32 *tail = nvmeq_shadow (nvme, nvme->regs.shadow, 2 * i), *head = nvmeq_shadow (nvme, nvme->regs.shadow, 2 * i + 1);

      if (nvme->regs.sq[i].size != 0 && tail != NULL)
        {
          __atomic_store_n (tail, GUINT32_TO_LE ((guint32) nvme->regs.sq[i].tail), __ATOMIC_RELEASE);
          nvmeq_ask (nvme, 2 * i, nvme->regs.sq[i].tail);
        }
      if (nvme->regs.cq[i].size != 0 && head != NULL)
        {
          __atomic_store_n (head, GUINT32_TO_LE ((guint32) nvme->regs.cq[i].head), __ATOMIC_RELEASE);
          nvmeq_ask (nvme, 2 * i + 1, nvme->regs.cq[i].head);
        }
    }
  _vmm_nvme_update_notify (nvme);
}

static void
nvmeq_watch (Nvme *nvme, guint64 *at, guint64 wanted, int fd)
{
  VmmBus *bus = vmm_device_get_bus (&nvme->pci.base);

  if (*at == wanted)
    return;
  if (*at != NVME_NOWHERE)
    vmm_bus_remove_ioeventfd (bus, VMM_SPACE_MMIO, *at, 0, fd);
  *at = NVME_NOWHERE;
  /* Without it the write comes as an exit, which does the same. */
  if (wanted != NVME_NOWHERE && vmm_bus_add_ioeventfd (bus, VMM_SPACE_MMIO, wanted, 0, fd, NULL))
    *at = wanted;
}

void
_vmm_nvme_update_notify (Nvme *nvme)
{
  guint64 bar = nvme->pci.bars[0].address;
  gboolean watch = nvme->regs.shadow != 0 && bar != NVME_NOWHERE;

  for (guint i = 1; i < NVME_QUEUES; i++)
    {
      NvmeQueue *queue = &nvme->queues[i];
      guint64 doorbell = bar + NVME_DOORBELLS + 2 * i * NVMEQ_DOORBELL;

      if (queue->kick_fd < 0)
        continue;
      nvmeq_watch (nvme, &queue->notify_at, watch && nvme->regs.sq[i].size != 0 ? doorbell : NVME_NOWHERE, queue->kick_fd);
      nvmeq_watch (nvme, &queue->cq_notify_at, watch && nvme->regs.cq[i].size != 0 ? doorbell + NVMEQ_DOORBELL : NVME_NOWHERE,
                   queue->kick_fd);
    }
}

/* === Completion === */

static gboolean
nvmeq_is_full (Nvme *nvme, guint id)
{
  NvmeCq *cq = &nvme->regs.cq[id];
  guint16 next = cq->tail + 1 < cq->size ? cq->tail + 1 : 0;

  if (next != cq->head)
    return FALSE;
  cq->head = nvmeq_load_shadow (nvme, 2 * id + 1, cq->size, cq->head);
  if (next != cq->head)
    return FALSE;
  nvmeq_ask (nvme, 2 * id + 1, cq->head);
  cq->head = nvmeq_load_shadow (nvme, 2 * id + 1, cq->size, cq->head);
  return next == cq->head;
}

/* §4.6. The dword with the phase goes last: the guest may look at it any time. */
static void
nvmeq_post (Nvme *nvme, NvmeCommand *command)
{
  NvmeCommandRegs *regs = command->regs;
  guint id = nvme->regs.sq[regs->sq].cq;
  NvmeCq *cq = &nvme->regs.cq[id];
  guint8 *to = vmm_pci_dma_map (&nvme->pci, cq->base + (guint64) cq->tail * NVME_CQE_SIZE, NVME_CQE_SIZE), entry[NVME_CQE_SIZE];
  guint32 last;

  if (to == NULL)
    {
      _vmm_nvme_fail (nvme, "a completion queue is in no memory");
      return;
    }
  _nvme_put32 (entry, regs->result);
  _nvme_put32 (entry + 4, 0);
  _nvme_put16 (entry + 8, nvme->regs.sq[regs->sq].head);
  _nvme_put16 (entry + 10, regs->sq);
  memcpy (entry + 12, regs->entry + 2, 2);
  _nvme_put16 (entry + 14, (guint) regs->status << 1 | cq->phase);
  memcpy (to, entry, 12);
  memcpy (&last, entry + 12, sizeof last);
  __atomic_store_n ((guint32 *) (gpointer) (to + 12), last, __ATOMIC_RELEASE);
  if (++cq->tail == cq->size)
    {
      cq->tail = 0;
      cq->phase ^= 1;
    }
  nvme->queues[id].interrupt_due = TRUE;
}

static void
nvmeq_free_command (NvmeCommand *command)
{
  Nvme *nvme = command->nvme;
  NvmeCommandRegs *regs = command->regs;
  NvmeQueue *queue = &nvme->queues[regs->sq];

  g_clear_pointer (&command->ranges, g_free);
  if (regs->state == NVME_DONE)
    nvme->queues[nvme->regs.sq[regs->sq].cq].n_waiting--;
  regs->state = NVME_FREE;
  if (regs->sq != 0)
    nvme->n_io--;
  queue->n_running--;
  nvme->free_map[(command - nvme->commands) / 64] |= G_GUINT64_CONSTANT (1) << (command - nvme->commands) % 64;
  if (!nvme->someone_waits)
    return;
  nvme->someone_waits = FALSE;
  for (guint i = 0; i < NVME_QUEUES; i++)
    if (nvme->queues[i].waits)
      _vmm_nvme_kick (nvme, i);
}

/* The queue that is being deleted has come to rest: the command that asked for it ends. */
static void
nvmeq_update_deletion (Nvme *nvme, guint id)
{
  if (!nvme->regs.sq[id].deleting || nvme->queues[id].n_running > 0)
    return;
  nvme->regs.sq[id] = (NvmeSq) { 0 };
  nvme->queues[id].waits = FALSE;
  _vmm_nvme_update_notify (nvme);
  for (guint i = 0; i < NVME_COMMANDS; i++)
    if (nvme->commands[i].regs->state == NVME_DELETING && (_nvme_dword (&nvme->commands[i], 10) & 0xffff) == id)
      _vmm_nvme_complete (&nvme->commands[i], NVME_OK, 0);
}

/* Iothread. */
static void
nvmeq_on_report (gpointer data)
{
  Nvme *nvme = data;

  vmm_device_lock (&nvme->pci.base);
  nvme->report_queued = FALSE;
  _vmm_nvme_update_irq (nvme);
  vmm_device_unlock (&nvme->pci.base);
}

/* Others may come back in the same round of the iothread: one interrupt for all. */
static void
nvmeq_report (Nvme *nvme)
{
  if (nvme->n_running == 0)
    _vmm_nvme_update_irq (nvme);
  else if (!nvme->report_queued)
    {
      nvme->report_queued = TRUE;
      vmm_iothread_call (vmm_device_get_iothread (&nvme->pci.base), nvmeq_on_report, nvme);
    }
}

void
_vmm_nvme_complete (NvmeCommand *command, guint status, guint32 result)
{
  Nvme *nvme = command->nvme;
  NvmeCommandRegs *regs = command->regs;
  guint sq = regs->sq, cq = nvme->regs.sq[sq].cq;

  if (regs->state == NVME_RUNNING || regs->state == NVME_DELETING)
    nvme->n_running--;
  regs->result = result;
  regs->status = (guint16) status;
  if (status != NVME_OK && status != NVME_DATA_TRANSFER_ERROR)
    regs->status |= NVME_DNR;
  if (nvme->queues[cq].n_waiting > 0 || nvmeq_is_full (nvme, cq))
    {
      if (!nvme->regs.sq[sq].deleting)
        {
          regs->state = NVME_DONE;
          nvme->queues[cq].n_waiting++;
          return;
        }
    }
  else
    nvmeq_post (nvme, command);
  nvmeq_free_command (command);
  nvmeq_update_deletion (nvme, sq);
  nvmeq_report (nvme);
}

/* The guest made room. */
static void
nvmeq_flush_waiting (Nvme *nvme, guint cq)
{
  for (guint i = 0; i < NVME_COMMANDS && nvme->queues[cq].n_waiting > 0; i++)
    {
      NvmeCommand *command = &nvme->commands[i];

      if (command->regs->state != NVME_DONE || nvme->regs.sq[command->regs->sq].cq != cq)
        continue;
      if (nvmeq_is_full (nvme, cq))
        return;
      nvmeq_post (nvme, command);
      nvmeq_free_command (command);
    }
}

void
_vmm_nvme_raise_event (Nvme *nvme, guint type, guint info, guint log_page)
{
  if ((nvme->regs.events_masked & 1u << type) != 0)
    return;
  for (guint i = 0; i < NVME_COMMANDS; i++)
    if (nvme->commands[i].regs->state == NVME_EVENT)
      {
        nvme->regs.events_masked |= (guint8) (1u << type);
        _vmm_nvme_complete (&nvme->commands[i], NVME_OK, log_page << 16 | info << 8 | type);
        return;
      }
}

void
_vmm_nvme_abort_all (Nvme *nvme)
{
  for (guint i = 0; i < NVME_COMMANDS; i++)
    {
      NvmeCommand *command = &nvme->commands[i];
      NvmeCommandRegs *regs = command->regs;

      if (regs->state == NVME_FREE)
        continue;
      if (command->in_flight)
        {
          command->aborted = TRUE;
          continue;
        }
      command->parked = FALSE;
      if (regs->state == NVME_RUNNING || regs->state == NVME_DELETING)
        nvme->n_running--;
      nvmeq_free_command (command);
    }
}

/* === Fetching === */

static NvmeCommand *
nvmeq_find_free (Nvme *nvme, guint sq)
{
  if (sq != 0 && nvme->n_io >= NVME_IO_COMMANDS)
    return NULL;
  for (guint i = 0; i < G_N_ELEMENTS (nvme->free_map); i++)
    if (nvme->free_map[i] != 0)
      return &nvme->commands[64 * i + (guint) __builtin_ctzll (nvme->free_map[i])];
  return NULL;
}

static void
nvmeq_begin (NvmeCommand *command)
{
  if (command->regs->sq == 0)
    _vmm_nvme_admin (command);
  else
    _vmm_nvme_io (command);
}

/* One entry. FALSE: not now. */
static gboolean
nvmeq_fetch (Nvme *nvme, guint id)
{
  NvmeSq *sq = &nvme->regs.sq[id];
  NvmeCommand *command = nvmeq_find_free (nvme, id);

  if (command == NULL)
    {
      nvme->queues[id].waits = TRUE;
      nvme->someone_waits = TRUE;
      return FALSE;
    }
  if (!vmm_pci_dma_read (&nvme->pci, sq->base + (guint64) sq->head * NVME_SQE_SIZE, command->regs->entry, NVME_SQE_SIZE))
    {
      _vmm_nvme_fail (nvme, "a submission queue is in no memory");
      return FALSE;
    }
  sq->head = sq->head + 1 < sq->size ? sq->head + 1 : 0;
  command->regs->sq = (guint16) id;
  command->regs->state = NVME_RUNNING;
  command->aborted = FALSE;
  nvme->free_map[(command - nvme->commands) / 64] &= ~(G_GUINT64_CONSTANT (1) << (command - nvme->commands) % 64);
  nvme->n_running++;
  nvme->queues[id].n_running++;
  if (id != 0)
    nvme->n_io++;
  nvmeq_begin (command);
  return TRUE;
}

static gboolean
nvmeq_may_run (Nvme *nvme, guint id)
{
  return !nvme->quiesced && !nvme->regs.disabling && (nvme->regs.csts & (NVME_CSTS_RDY | NVME_CSTS_CFS)) == NVME_CSTS_RDY
         && nvme->regs.sq[id].size != 0 && !nvme->regs.sq[id].deleting;
}

static void
nvmeq_run (Nvme *nvme, guint id)
{
  NvmeSq *sq = &nvme->regs.sq[id];
  guint left = NVMEQ_TURN;

  nvme->queues[id].waits = FALSE;
  while (nvmeq_may_run (nvme, id))
    {
      if (sq->head == sq->tail)
        {
          sq->tail = nvmeq_load_shadow (nvme, 2 * id, sq->size, sq->tail);
          if (sq->head == sq->tail)
            {
              nvmeq_ask (nvme, 2 * id, sq->tail);
              sq->tail = nvmeq_load_shadow (nvme, 2 * id, sq->size, sq->tail);
            }
          if (sq->head == sq->tail)
            return;
        }
      if (left-- == 0)
        {
          _vmm_nvme_kick (nvme, id); /* others have their turn */
          return;
        }
      if (!nvmeq_fetch (nvme, id))
        return;
    }
}

/* Iothread. */
static void
nvmeq_on_kicked (int fd, guint32 events, gpointer data)
{
  NvmeQueue *queue = data;
  Nvme *nvme = queue->nvme;
  guint64 count;

  while (read (fd, &count, sizeof count) < 0 && errno == EINTR)
    ;
  vmm_block_begin_batch (nvme->block);
  vmm_device_lock (&nvme->pci.base);
  if (nvme->regs.cq[queue->id].size != 0 && nvme->regs.shadow != 0)
    {
      NvmeCq *cq = &nvme->regs.cq[queue->id];

      cq->head = nvmeq_load_shadow (nvme, 2 * queue->id + 1, cq->size, cq->head);
      if (queue->n_waiting > 0)
        nvmeq_flush_waiting (nvme, queue->id);
      if (!vmm_pci_device_msix_enabled (&nvme->pci))
        nvmeq_ask (nvme, 2 * queue->id + 1, cq->head); /* the pin follows the head */
    }
  nvmeq_run (nvme, queue->id);
  _vmm_nvme_update_irq (nvme);
  vmm_device_unlock (&nvme->pci.base);
  vmm_block_end_batch (nvme->block); /* system calls: not under the lock that vCPUs want */
}

void
_vmm_nvme_kick (Nvme *nvme, guint id)
{
  guint64 one = 1;

  if (nvme->queues[id].kick_fd >= 0)
    while (write (nvme->queues[id].kick_fd, &one, sizeof one) < 0 && errno == EINTR)
      ;
}

/* §3.1.24, §3.1.25 */
void
_vmm_nvme_ring (Nvme *nvme, guint index, guint32 value)
{
  guint id = index / 2;
  gboolean is_cq = (index & 1) != 0;
  guint16 size;

  if ((nvme->regs.csts & (NVME_CSTS_RDY | NVME_CSTS_CFS)) != NVME_CSTS_RDY || nvme->regs.disabling)
    return;
  size = id >= NVME_QUEUES ? 0 : is_cq ? nvme->regs.cq[id].size : nvme->regs.sq[id].size;
  if (size == 0 || value >= size)
    {
      vmm_guest_error (&nvme->pci.base, "doorbell of %s queue %u: %u", is_cq ? "completion" : "submission", id, value);
      _vmm_nvme_raise_event (nvme, 0, size == 0 ? NVME_EVENT_BAD_DOORBELL : NVME_EVENT_BAD_VALUE, 1);
      return;
    }
  if (!is_cq)
    {
      nvme->regs.sq[id].tail = (guint16) value;
      _vmm_nvme_kick (nvme, id);
      return;
    }
  nvme->regs.cq[id].head = (guint16) value;
  if (nvme->queues[id].n_waiting > 0)
    nvmeq_flush_waiting (nvme, id);
  _vmm_nvme_update_irq (nvme);
}

void
_vmm_nvme_restart (Nvme *nvme)
{
  for (guint i = 0; i < NVME_COMMANDS; i++)
    {
      NvmeCommand *command = &nvme->commands[i];

      if (command->parked)
        {
          command->parked = FALSE;
          _vmm_nvme_submit (command, command->done);
        }
      else if (command->regs->state == NVME_RUNNING && !command->in_flight)
        nvmeq_begin (command); /* from a saved state */
    }
  for (guint i = 0; i < NVME_QUEUES; i++)
    {
      nvmeq_update_deletion (nvme, i);
      _vmm_nvme_kick (nvme, i);
    }
}

/* === A queue's descriptor === */

gboolean
_vmm_nvme_open_queue (Nvme *nvme, guint id)
{
  NvmeQueue *queue = &nvme->queues[id];

  if (queue->kick_fd >= 0)
    return TRUE;
  queue->kick_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (queue->kick_fd < 0)
    return FALSE;
  if (vmm_iothread_add_fd (vmm_device_get_iothread (&nvme->pci.base), queue->kick_fd, EPOLLIN, nvmeq_on_kicked, queue, NULL))
    return TRUE;
  close (queue->kick_fd);
  queue->kick_fd = -1;
  return FALSE;
}

void
_vmm_nvme_close_descriptors (Nvme *nvme)
{
  for (guint i = 0; i < NVME_QUEUES; i++)
    if (nvme->queues[i].kick_fd >= 0)
      {
        vmm_iothread_remove_fd (vmm_device_get_iothread (&nvme->pci.base), nvme->queues[i].kick_fd);
        close (nvme->queues[i].kick_fd);
        nvme->queues[i].kick_fd = -1;
      }
}

void
_vmm_nvme_delete_sq (Nvme *nvme, guint id, NvmeCommand *command)
{
  nvme->regs.sq[id].deleting = TRUE;
  /* What waits for room is given up: the guest may never make any. */
  for (guint i = 0; i < NVME_COMMANDS; i++)
    if (nvme->commands[i].regs->state == NVME_DONE && nvme->commands[i].regs->sq == id)
      nvmeq_free_command (&nvme->commands[i]);
  command->regs->state = NVME_DELETING;
  nvmeq_update_deletion (nvme, id);
}

void
_vmm_nvme_recount (Nvme *nvme)
{
  nvme->n_running = nvme->n_io = 0;
  memset (nvme->free_map, 0, sizeof nvme->free_map);
  for (guint i = 0; i < NVME_QUEUES; i++)
    nvme->queues[i].n_running = nvme->queues[i].n_waiting = 0;
  for (guint i = 0; i < NVME_COMMANDS; i++)
    {
      const NvmeCommandRegs *regs = nvme->commands[i].regs;

      if (regs->state == NVME_FREE)
        {
          nvme->free_map[i / 64] |= G_GUINT64_CONSTANT (1) << i % 64;
          continue;
        }
      if (regs->state == NVME_RUNNING || regs->state == NVME_DELETING)
        nvme->n_running++;
      if (regs->state == NVME_DONE)
        nvme->queues[nvme->regs.sq[regs->sq].cq].n_waiting++;
      if (regs->sq != 0)
        nvme->n_io++;
      nvme->queues[regs->sq].n_running++;
    }
}

/* === Memory of a command, §4.3 === */

static gboolean
nvmeq_add_piece (NvmeCommand *command, guint64 gpa, gsize len)
{
  guint8 *host = vmm_pci_dma_map (&command->nvme->pci, gpa, len);

  if (host == NULL)
    return FALSE;
  if (command->n_iov > 0)
    {
      struct iovec *last = &command->iov[command->n_iov - 1];

      if ((guint8 *) last->iov_base + last->iov_len == host)
        {
          last->iov_len += len;
          return TRUE;
        }
    }
  if (command->n_iov == command->iov_size)
    {
      guint size = MAX (8, command->iov_size * 2);
      struct iovec *iov = g_try_realloc_n (command->iov, size, sizeof *iov);

      if (iov == NULL)
        return FALSE;
      command->iov = iov;
      command->iov_size = size;
    }
  command->iov[command->n_iov++] = (struct iovec) { host, len };
  return TRUE;
}

/* The pages that a list names, from @list on; its last entry leads to the next part if there is more. */
static guint
nvmeq_walk_list (NvmeCommand *command, guint64 list, gsize len)
{
  guint32 page = _nvme_page_size (command->nvme);
  guint8 entries[512];
  guint n = 0, at = 0;

  if ((list & 7) != 0)
    return NVME_INVALID_PRP_OFFSET;
  while (len > 0)
    {
      gboolean last_of_page = (list & (page - 1)) == page - 8;
      guint64 prp;

      if (at == n)
        {
          /* As many as may be needed, but not over the page's end. */
          gsize wanted = MIN ((len + page - 1) / page, sizeof entries / 8), left = (page - (list & (page - 1))) / 8;

          n = (guint) MIN (wanted, left);
          at = 0;
          if (!vmm_pci_dma_read (&command->nvme->pci, list, entries, n * 8))
            return NVME_DATA_TRANSFER_ERROR;
        }
      prp = _nvme_get64 (entries + 8 * at++);
      list += 8;
      if (last_of_page && len > page)
        {
          if ((prp & (page - 1)) != 0)
            return NVME_INVALID_PRP_OFFSET;
          list = prp;
          n = at = 0;
          continue; /* a whole page of entries is ahead: this ends */
        }
      if ((prp & (page - 1)) != 0)
        return NVME_INVALID_PRP_OFFSET;
      if (!nvmeq_add_piece (command, prp, MIN (len, page)))
        return NVME_DATA_TRANSFER_ERROR;
      len -= MIN (len, page);
    }
  return NVME_OK;
}

guint
_vmm_nvme_map (NvmeCommand *command, gsize len)
{
  guint32 page = _nvme_page_size (command->nvme);
  guint64 prp1 = _nvme_get64 (command->regs->entry + 24), prp2 = _nvme_get64 (command->regs->entry + 32);
  gsize first = MIN (len, page - (prp1 & (page - 1)));

  command->n_iov = 0;
  if ((prp1 & 3) != 0)
    return NVME_INVALID_PRP_OFFSET;
  if (len == 0)
    return NVME_OK;
  if (!nvmeq_add_piece (command, prp1, first))
    return NVME_DATA_TRANSFER_ERROR;
  len -= first;
  if (len == 0)
    return NVME_OK;
  if (len > page)
    return nvmeq_walk_list (command, prp2, len);
  if ((prp2 & (page - 1)) != 0)
    return NVME_INVALID_PRP_OFFSET;
  return nvmeq_add_piece (command, prp2, len) ? NVME_OK : NVME_DATA_TRANSFER_ERROR;
}

guint
_vmm_nvme_put (NvmeCommand *command, gconstpointer data, gsize len)
{
  guint status = _vmm_nvme_map (command, len);
  const guint8 *from = data;

  if (status != NVME_OK)
    return status;
  for (guint i = 0; i < command->n_iov; from += command->iov[i++].iov_len)
    memcpy (command->iov[i].iov_base, from, command->iov[i].iov_len);
  return NVME_OK;
}

guint
_vmm_nvme_get (NvmeCommand *command, gpointer buf, gsize len)
{
  guint status = _vmm_nvme_map (command, len);
  guint8 *to = buf;

  if (status != NVME_OK)
    return status;
  for (guint i = 0; i < command->n_iov; to += command->iov[i++].iov_len)
    memcpy (to, command->iov[i].iov_base, command->iov[i].iov_len);
  return NVME_OK;
}

/* === Requests === */

/* Iothread. */
static void
nvmeq_on_request_done (VmmBlockRequest *req, int result)
{
  NvmeCommand *command = req->data;
  Nvme *nvme = command->nvme;

  vmm_device_lock (&nvme->pci.base);
  command->in_flight = FALSE;
  if (command->aborted)
    {
      nvme->n_running--;
      nvmeq_free_command (command);
      _vmm_nvme_update_disabling (nvme);
    }
  else
    command->done (command, result);
  vmm_device_unlock (&nvme->pci.base);
}

void
_vmm_nvme_submit (NvmeCommand *command, void (*done) (NvmeCommand *command, int result))
{
  command->done = done;
  command->req.done = nvmeq_on_request_done;
  command->req.data = command;
  if (command->nvme->quiesced)
    {
      command->parked = TRUE;
      return;
    }
  command->in_flight = TRUE;
  vmm_block_submit (command->nvme->block, &command->req);
}
