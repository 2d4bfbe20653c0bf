/* SPDX-License-Identifier: GPL-3.0-or-later */
/* virtio over PCI, modern transport.
 * Spec: VIRTIO 1.2 §4.1 (PCI; section numbers below), §2.1-2.5, §3; contract 7.2. Left out: the legacy interface, shared memory
 * regions, queue reset, notification data; none is offered.
 *
 * Theory of operation: BAR 4 holds the common configuration at 0, the interrupt status at 1000, the device's configuration at 2000 and
 * one notification address a queue from 3000, BAR 1 the MSI-X table. While the driver has the device running, each notification
 * address is an ioeventfd, which the device's iothread watches; a write that reaches us nonetheless (the BAR moved, there is no KVM)
 * signals the same descriptor. One turn of a queue ends after as many elements as it has entries, so that no driver keeps the thread.
 *
 * Reset: a driver's reset stops the queues at once, but the status reads 0 only when everything that was popped has come back, since the
 * driver frees its buffers then. A reset of the machine comes after a quiesce; elements carry a generation, so one that came late is
 * dropped.
 *
 * Interrupts go out by KVM_SIGNAL_MSI, one system call as an irqfd is. Queues that are given to somebody outside have an irqfd: a route
 * that follows the vector's entry of the MSI-X table; while the vector is masked (or INTx is used) the iothread reads the descriptor and
 * interrupts in the ordinary way, which latches in the PBA. */
#include "virtio/virtio-private.h"

#include "core/iothread.h"
#include "core/log.h"
#include "core/machine.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define VPCI_VENDOR 0x1af4
#define VPCI_DEVICE_BASE 0x1040 /* §4.1.2 */

#define VPCI_MSIX_BAR 1
#define VPCI_MSIX_PBA 0x800
#define VPCI_BAR 4
#define VPCI_BAR_SIZE 0x4000
#define VPCI_PART_SIZE 0x1000
#define VPCI_COMMON 0x0000
#define VPCI_ISR 0x1000
#define VPCI_DEVICE 0x2000
#define VPCI_NOTIFY 0x3000
#define VPCI_NOTIFY_STEP 4

/* Capabilities, §4.1.4 */
#define VPCI_CAP_VENDOR 0x09
#define VPCI_CAP_MSIX_AT 0x98
#define VPCI_CAP_ACCESS_AT 0x84
#define VPCI_CAP_NOTIFY_AT 0x70
#define VPCI_CAP_DEVICE_AT 0x60
#define VPCI_CAP_ISR_AT 0x50
#define VPCI_CAP_COMMON_AT 0x40
#define VPCI_CAP_COMMON 1
#define VPCI_CAP_NOTIFY 2
#define VPCI_CAP_ISR 3
#define VPCI_CAP_DEVICE 4
#define VPCI_CAP_ACCESS 5
#define VPCI_ACCESS_BAR (VPCI_CAP_ACCESS_AT + 4)
#define VPCI_ACCESS_OFFSET (VPCI_CAP_ACCESS_AT + 8)
#define VPCI_ACCESS_LENGTH (VPCI_CAP_ACCESS_AT + 12)
#define VPCI_ACCESS_DATA (VPCI_CAP_ACCESS_AT + 16)

/* Common configuration, §4.1.4.3 */
#define VPCI_DEVICE_FEATURE_SELECT 0x00
#define VPCI_DEVICE_FEATURE 0x04
#define VPCI_DRIVER_FEATURE_SELECT 0x08
#define VPCI_DRIVER_FEATURE 0x0c
#define VPCI_CONFIG_VECTOR 0x10
#define VPCI_NUM_QUEUES 0x12
#define VPCI_STATUS 0x14
#define VPCI_GENERATION 0x15
#define VPCI_QUEUE_SELECT 0x16
#define VPCI_QUEUE_SIZE 0x18
#define VPCI_QUEUE_VECTOR 0x1a
#define VPCI_QUEUE_ENABLE 0x1c
#define VPCI_QUEUE_NOTIFY_OFF 0x1e
#define VPCI_QUEUE_DESC 0x20
#define VPCI_QUEUE_AVAIL 0x28
#define VPCI_QUEUE_USED 0x30

#define VPCI_ISR_QUEUE 1
#define VPCI_ISR_CONFIG 2
#define VPCI_NOWHERE G_MAXUINT64
#define VPCI_OFFERED \
  (VMM_VIRTIO_F (VMM_VIRTIO_F_INDIRECT_DESC) | VMM_VIRTIO_F (VMM_VIRTIO_F_EVENT_IDX) | VMM_VIRTIO_F (VMM_VIRTIO_F_VERSION_1))

G_STATIC_ASSERT (VMM_VIRTIO_MAX_QUEUES *VPCI_NOTIFY_STEP <= VPCI_PART_SIZE);
G_STATIC_ASSERT (sizeof (VmmVirtqueueRegs) == 40);

const VmmField vmm_virtio_regs_fields[] = {
  VMM_FIELD (VmmVirtioRegs, driver_features),
  VMM_FIELD (VmmVirtioRegs, device_feature_select),
  VMM_FIELD (VmmVirtioRegs, driver_feature_select),
  VMM_FIELD (VmmVirtioRegs, config_vector),
  VMM_FIELD (VmmVirtioRegs, queue_select),
  VMM_FIELD (VmmVirtioRegs, status),
  VMM_FIELD (VmmVirtioRegs, generation),
  VMM_FIELD_MAX (VmmVirtioRegs, isr, VPCI_ISR_QUEUE | VPCI_ISR_CONFIG),
  VMM_FIELD_MAX (VmmVirtioRegs, resetting, 1),
  VMM_FIELD_BLOB (VmmVirtioRegs, config),
  VMM_FIELD_BLOB (VmmVirtioRegs, queue),
  VMM_FIELD_END,
};

/* === Interrupts === */

static void
vpci_raise (VmmVirtio *virtio, guint16 vector, guint8 isr)
{
  if (vmm_pci_device_msix_enabled (&virtio->pci))
    {
      if (vector != VMM_VIRTIO_NO_VECTOR)
        vmm_pci_device_signal (&virtio->pci, vector);
      return;
    }
  virtio->regs.isr |= isr;
  vmm_pci_device_set_intx (&virtio->pci, TRUE);
}

void
_vmm_virtio_raise (VmmVirtqueue *queue)
{
  vpci_raise (queue->virtio, queue->virtio->regs.queue[queue->index].vector, VPCI_ISR_QUEUE);
}

void
vmm_virtio_config_changed (VmmVirtio *virtio)
{
  virtio->regs.generation++;
  if ((virtio->regs.status & VMM_VIRTIO_DRIVER_OK) != 0 && !virtio->regs.resetting)
    vpci_raise (virtio, virtio->regs.config_vector, VPCI_ISR_CONFIG);
}

void
vmm_virtio_fail (VmmVirtio *virtio, const char *format, ...)
{
  g_autofree char *message = NULL;
  va_list args;

  va_start (args, format);
  message = g_strdup_vprintf (format, args);
  va_end (args);
  vmm_guest_error (&virtio->pci.base, "%s", message);
  if ((virtio->regs.status & VMM_VIRTIO_NEEDS_RESET) != 0)
    return;
  virtio->regs.status |= VMM_VIRTIO_NEEDS_RESET;
  if ((virtio->regs.status & VMM_VIRTIO_DRIVER_OK) != 0) /* §2.1.2 */
    vpci_raise (virtio, virtio->regs.config_vector, VPCI_ISR_CONFIG);
}

/* The irqfd of a given queue follows its vector. */
static void
vpci_update_route (VmmVirtqueue *queue)
{
  VmmVirtio *virtio = queue->virtio;
  guint16 vector = virtio->regs.queue[queue->index].vector;
  guint64 address = 0;
  guint32 data = 0;

  if (queue->route == NULL)
    return;
  queue->direct = queue->given && virtio->pci.base.machine->kvm != NULL && vector != VMM_VIRTIO_NO_VECTOR
                  && vmm_pci_device_get_message (&virtio->pci, vector, &address, &data);
  if (queue->direct)
    vmm_iothread_modify_fd (virtio->iothread, vmm_msi_route_get_eventfd (queue->route), 0);
  vmm_msi_route_set (queue->route, address, data, queue->direct);
  if (!queue->direct)
    vmm_iothread_modify_fd (virtio->iothread, vmm_msi_route_get_eventfd (queue->route), queue->given ? EPOLLIN : 0);
}

static void
vpci_update_routes (VmmVirtio *virtio)
{
  for (guint i = 0; i < virtio->n_queues; i++)
    vpci_update_route (&virtio->queues[i]);
}

static void
vpci_msix_changed (VmmPciDevice *pci)
{
  vpci_update_routes ((VmmVirtio *) pci);
}

static void
vpci_empty_eventfd (int fd)
{
  guint64 count;

  if (read (fd, &count, sizeof count) < 0)
    g_assert (errno == EAGAIN || errno == EINTR);
}

/* Iothread: the outside wants to interrupt, and there is no irqfd for it. */
static void
vpci_on_call (int fd, guint32 events, gpointer data)
{
  VmmVirtqueue *queue = data;

  vpci_empty_eventfd (fd);
  vmm_device_lock (&queue->virtio->pci.base);
  if (queue->given && vmm_virtqueue_is_live (queue))
    _vmm_virtio_raise (queue);
  vmm_device_unlock (&queue->virtio->pci.base);
}

/* === Kicks === */

/* Iothread. */
static void
vpci_on_kick (int fd, guint32 events, gpointer data)
{
  VmmVirtqueue *queue = data;
  VmmVirtio *virtio = queue->virtio;

  vpci_empty_eventfd (fd);
  vmm_device_lock (&virtio->pci.base);
  if (queue->given)
    vmm_virtqueue_kick (queue); /* it was not for us */
  else if (vmm_virtqueue_is_live (queue) && !virtio->quiesced)
    {
      queue->budget = virtio->regs.queue[queue->index].size;
      virtio->ops->handle_queue (virtio, queue->index);
      queue->budget = G_MAXUINT;
      if (queue->starved)
        vmm_virtqueue_kick (queue);
      queue->starved = FALSE;
    }
  vmm_device_unlock (&virtio->pci.base);
}

static void
vpci_kick_all (VmmVirtio *virtio)
{
  for (guint i = 0; i < virtio->n_queues; i++)
    if (vmm_virtqueue_is_live (&virtio->queues[i]))
      vmm_virtqueue_kick (&virtio->queues[i]);
}

static void
vpci_set_ioeventfds (VmmVirtio *virtio, guint64 base, gboolean on)
{
  VmmBus *bus = vmm_device_get_bus (&virtio->pci.base);

  for (guint i = 0; i < virtio->n_queues; i++)
    {
      guint64 address = base + i * VPCI_NOTIFY_STEP;
      g_autoptr (GError) error = NULL;

      if (!on)
        vmm_bus_remove_ioeventfd (bus, VMM_SPACE_MMIO, address, 0, virtio->queues[i].kick_fd);
      /* Where it fails (two BARs at one place), kicks come by the region. */
      else if (!vmm_bus_add_ioeventfd (bus, VMM_SPACE_MMIO, address, 0, virtio->queues[i].kick_fd, &error))
        vmm_log_warning (virtio->pci.base.machine, &virtio->pci.base, "slow notifications: %s", error->message);
    }
}

static void
vpci_update_ioeventfds (VmmVirtio *virtio)
{
  guint64 bar = virtio->pci.bars[VPCI_BAR].address, base = VPCI_NOWHERE;

  if (bar != VPCI_NOWHERE && vmm_virtio_is_live (virtio) && !virtio->stopped)
    base = bar + VPCI_NOTIFY;
  if (base == virtio->notify_base)
    return;
  if (virtio->notify_base != VPCI_NOWHERE)
    vpci_set_ioeventfds (virtio, virtio->notify_base, FALSE);
  virtio->notify_base = base;
  if (base != VPCI_NOWHERE)
    vpci_set_ioeventfds (virtio, base, TRUE);
}

/* === Status === */

gboolean
vmm_virtio_is_live (VmmVirtio *virtio)
{
  return (virtio->regs.status & (VMM_VIRTIO_DRIVER_OK | VMM_VIRTIO_NEEDS_RESET)) == VMM_VIRTIO_DRIVER_OK && !virtio->regs.resetting;
}

gboolean
vmm_virtio_is_quiesced (VmmVirtio *virtio)
{
  return virtio->quiesced;
}

gboolean
vmm_virtio_has_feature (VmmVirtio *virtio, guint bit)
{
  return (virtio->regs.status & VMM_VIRTIO_FEATURES_OK) != 0 && (virtio->regs.driver_features & VMM_VIRTIO_F (bit)) != 0;
}

static void
vpci_finish_reset (VmmVirtio *virtio)
{
  guint8 generation = virtio->regs.generation, config[VMM_VIRTIO_CONFIG_SIZE];

  memcpy (config, virtio->regs.config, sizeof config);
  memset (&virtio->regs, 0, sizeof virtio->regs);
  memcpy (virtio->regs.config, config, sizeof config);
  virtio->regs.generation = generation;
  virtio->regs.config_vector = VMM_VIRTIO_NO_VECTOR;
  virtio->generation++;
  virtio->holds = 0;
  for (guint i = 0; i < virtio->n_queues; i++)
    {
      _vmm_virtqueue_reset (&virtio->queues[i]);
      vpci_update_route (&virtio->queues[i]);
    }
  vmm_pci_device_set_intx (&virtio->pci, FALSE);
}

static void
vpci_begin_reset (VmmVirtio *virtio)
{
  if (virtio->regs.resetting)
    return;
  virtio->regs.resetting = TRUE;
  vpci_update_ioeventfds (virtio);
  virtio->resetting_now = TRUE;
  if (virtio->ops->reset != NULL)
    virtio->ops->reset (virtio);
  virtio->resetting_now = FALSE;
  if (virtio->holds == 0)
    vpci_finish_reset (virtio);
}

void
vmm_virtio_hold (VmmVirtio *virtio)
{
  virtio->holds++;
}

void
vmm_virtio_release (VmmVirtio *virtio)
{
  g_assert (virtio->holds > 0);
  if (--virtio->holds == 0 && virtio->regs.resetting && !virtio->resetting_now)
    vpci_finish_reset (virtio);
}

static void
vpci_start (VmmVirtio *virtio)
{
  for (guint i = 0; i < virtio->n_queues; i++)
    if (virtio->regs.queue[i].enable && virtio->queues[i].used == NULL)
      {
        vmm_virtio_fail (virtio, "queue %u lies outside RAM", i);
        return;
      }
  vpci_update_ioeventfds (virtio);
  if (virtio->ops->start != NULL)
    virtio->ops->start (virtio);
  vpci_kick_all (virtio); /* a driver may have filled its queues before */
}

static gboolean
vpci_accept_features (VmmVirtio *virtio)
{
  guint64 features = virtio->regs.driver_features;

  if ((features & ~virtio->features) != 0 || (features & VMM_VIRTIO_F (VMM_VIRTIO_F_VERSION_1)) == 0)
    return FALSE;
  return virtio->ops->check_features == NULL || virtio->ops->check_features (virtio, features);
}

static void
vpci_write_status (VmmVirtio *virtio, guint8 value)
{
  VmmVirtioRegs *regs = &virtio->regs;
  guint8 added;

  if (value == 0)
    {
      vpci_begin_reset (virtio);
      return;
    }
  if (regs->resetting)
    {
      vmm_guest_error (&virtio->pci.base, "status %x written before the reset was over", value);
      return;
    }
  added = value & ~regs->status
          & (VMM_VIRTIO_ACKNOWLEDGE | VMM_VIRTIO_DRIVER | VMM_VIRTIO_DRIVER_OK | VMM_VIRTIO_FEATURES_OK | VMM_VIRTIO_FAILED);
  if ((added & VMM_VIRTIO_FEATURES_OK) != 0 && !vpci_accept_features (virtio))
    added &= (guint8) ~VMM_VIRTIO_FEATURES_OK; /* §3.1.1: the driver reads back */
  if ((added & VMM_VIRTIO_DRIVER_OK) != 0 && ((regs->status | added) & VMM_VIRTIO_FEATURES_OK) == 0)
    {
      vmm_guest_error (&virtio->pci.base, "DRIVER_OK without FEATURES_OK");
      added &= (guint8) ~VMM_VIRTIO_DRIVER_OK;
    }
  regs->status |= added;
  if ((added & VMM_VIRTIO_DRIVER_OK) != 0)
    vpci_start (virtio);
}

/* === Common configuration === */

static const struct {
  guint8 offset, size;
} vpci_fields[] = {
  { VPCI_DEVICE_FEATURE_SELECT, 4 },
  { VPCI_DEVICE_FEATURE, 4 },
  { VPCI_DRIVER_FEATURE_SELECT, 4 },
  { VPCI_DRIVER_FEATURE, 4 },
  { VPCI_CONFIG_VECTOR, 2 },
  { VPCI_NUM_QUEUES, 2 },
  { VPCI_STATUS, 1 },
  { VPCI_GENERATION, 1 },
  { VPCI_QUEUE_SELECT, 2 },
  { VPCI_QUEUE_SIZE, 2 },
  { VPCI_QUEUE_VECTOR, 2 },
  { VPCI_QUEUE_ENABLE, 2 },
  { VPCI_QUEUE_NOTIFY_OFF, 2 },
  { VPCI_QUEUE_DESC, 8 },
  { VPCI_QUEUE_AVAIL, 8 },
  { VPCI_QUEUE_USED, 8 },
};

/* (nullable): the selected queue. */
static VmmVirtqueueRegs *
vpci_selected (VmmVirtio *virtio)
{
  return virtio->regs.queue_select < virtio->n_queues ? &virtio->regs.queue[virtio->regs.queue_select] : NULL;
}

static guint64
vpci_read_field (VmmVirtio *virtio, guint field)
{
  const VmmVirtioRegs *regs = &virtio->regs;
  const VmmVirtqueueRegs *queue = vpci_selected (virtio);

  switch (field)
    {
    case VPCI_DEVICE_FEATURE_SELECT:
      return regs->device_feature_select;
    case VPCI_DEVICE_FEATURE:
      return regs->device_feature_select < 2 ? (guint32) (virtio->features >> 32 * regs->device_feature_select) : 0;
    case VPCI_DRIVER_FEATURE_SELECT:
      return regs->driver_feature_select;
    case VPCI_DRIVER_FEATURE:
      return regs->driver_feature_select < 2 ? (guint32) (regs->driver_features >> 32 * regs->driver_feature_select) : 0;
    case VPCI_CONFIG_VECTOR:
      return regs->config_vector;
    case VPCI_NUM_QUEUES:
      return virtio->n_queues;
    case VPCI_STATUS:
      return regs->status;
    case VPCI_GENERATION:
      return regs->generation;
    case VPCI_QUEUE_SELECT:
      return regs->queue_select;
    default:
      break;
    }
  if (queue == NULL)
    return 0;
  switch (field)
    {
    case VPCI_QUEUE_SIZE:
      return queue->size;
    case VPCI_QUEUE_VECTOR:
      return queue->vector;
    case VPCI_QUEUE_ENABLE:
      return queue->enable;
    case VPCI_QUEUE_NOTIFY_OFF:
      return regs->queue_select;
    case VPCI_QUEUE_DESC:
      return queue->desc;
    case VPCI_QUEUE_AVAIL:
      return queue->avail;
    case VPCI_QUEUE_USED:
      return queue->used;
    default:
      return 0;
    }
}

/* §4.1.5.1.2.1: what does not exist reads back as none. */
static guint16
vpci_valid_vector (VmmVirtio *virtio, guint64 vector)
{
  return vector < virtio->pci.msix.vectors ? (guint16) vector : VMM_VIRTIO_NO_VECTOR;
}

static void
vpci_write_queue (VmmVirtio *virtio, guint field, guint64 value)
{
  VmmVirtqueueRegs *queue = vpci_selected (virtio);
  VmmVirtqueue *runtime = &virtio->queues[virtio->regs.queue_select];

  if (field == VPCI_QUEUE_VECTOR)
    {
      queue->vector = vpci_valid_vector (virtio, value);
      vpci_update_route (runtime);
      return;
    }
  if (queue->enable)
    {
      if (field != VPCI_QUEUE_ENABLE || value != 1)
        vmm_guest_error (&virtio->pci.base, "register %x of queue %u written while it is enabled", field, runtime->index);
      return;
    }
  switch (field)
    {
    case VPCI_QUEUE_SIZE:
      if (value == 0 || (value & (value - 1)) != 0 || value > virtio->max_queue_size)
        vmm_guest_error (&virtio->pci.base, "queue size %u", (guint) value);
      else
        queue->size = (guint16) value;
      break;
    case VPCI_QUEUE_ENABLE:
      if (value != 1)
        break;
      queue->enable = 1;
      if (!_vmm_virtqueue_map (runtime) && (virtio->regs.status & VMM_VIRTIO_DRIVER_OK) != 0)
        vmm_virtio_fail (virtio, "queue %u lies outside RAM", runtime->index);
      break;
    case VPCI_QUEUE_DESC:
      queue->desc = value;
      break;
    case VPCI_QUEUE_AVAIL:
      queue->avail = value;
      break;
    case VPCI_QUEUE_USED:
      queue->used = value;
      break;
    default:
      break;
    }
}

static void
vpci_write_field (VmmVirtio *virtio, guint field, guint64 value)
{
  VmmVirtioRegs *regs = &virtio->regs;

  if (regs->resetting && field != VPCI_STATUS)
    return;
  switch (field)
    {
    case VPCI_DEVICE_FEATURE_SELECT:
      regs->device_feature_select = (guint32) value;
      break;
    case VPCI_DRIVER_FEATURE_SELECT:
      regs->driver_feature_select = (guint32) value;
      break;
    case VPCI_DRIVER_FEATURE:
      if ((regs->status & VMM_VIRTIO_FEATURES_OK) != 0)
        vmm_guest_error (&virtio->pci.base, "features written after FEATURES_OK");
      else if (regs->driver_feature_select < 2)
        {
          guint shift = 32 * regs->driver_feature_select;

          regs->driver_features &= ~((guint64) G_MAXUINT32 << shift);
          regs->driver_features |= (value & G_MAXUINT32) << shift;
        }
      break;
    case VPCI_CONFIG_VECTOR:
      regs->config_vector = vpci_valid_vector (virtio, value);
      break;
    case VPCI_STATUS:
      vpci_write_status (virtio, (guint8) value);
      break;
    case VPCI_QUEUE_SELECT:
      regs->queue_select = (guint16) value;
      break;
    case VPCI_QUEUE_SIZE:
    case VPCI_QUEUE_VECTOR:
    case VPCI_QUEUE_ENABLE:
    case VPCI_QUEUE_DESC:
    case VPCI_QUEUE_AVAIL:
    case VPCI_QUEUE_USED:
      if (vpci_selected (virtio) != NULL)
        vpci_write_queue (virtio, field, value);
      break;
    default:
      break; /* read-only */
    }
}

static guint64
vpci_size_mask (guint size)
{
  return size >= 8 ? G_MAXUINT64 : (G_GUINT64_CONSTANT (1) << size * 8) - 1;
}

/* Any naturally aligned width: an access may cover a part of a field, or several. */
static guint64
vpci_read_common (VmmVirtio *virtio, guint offset, guint size)
{
  guint64 value = 0;

  for (guint i = 0; i < G_N_ELEMENTS (vpci_fields); i++)
    {
      guint at = vpci_fields[i].offset, end = at + vpci_fields[i].size;

      if (at >= offset + size || offset >= end)
        continue;
      if (at >= offset)
        value |= vpci_read_field (virtio, at) << 8 * (at - offset);
      else
        value |= vpci_read_field (virtio, at) >> 8 * (offset - at);
    }
  return value & vpci_size_mask (size);
}

static void
vpci_write_common (VmmVirtio *virtio, guint offset, guint size, guint64 value)
{
  for (guint i = 0; i < G_N_ELEMENTS (vpci_fields); i++)
    {
      guint at = vpci_fields[i].offset, end = at + vpci_fields[i].size;
      guint64 mask = vpci_size_mask (size), bits = value;

      if (at >= offset + size || offset >= end)
        continue;
      if (at >= offset)
        {
          bits >>= 8 * (at - offset);
          mask >>= 8 * (at - offset);
        }
      else
        {
          bits <<= 8 * (offset - at);
          mask <<= 8 * (offset - at);
        }
      mask &= vpci_size_mask (vpci_fields[i].size);
      bits &= mask;
      if (mask != vpci_size_mask (vpci_fields[i].size))
        bits |= vpci_read_field (virtio, at) & ~mask;
      vpci_write_field (virtio, at, bits);
    }
}

/* === The device's configuration === */

void
vmm_virtio_config_put (VmmVirtio *virtio, guint offset, guint size, guint64 value)
{
  guint64 le = GUINT64_TO_LE (value);

  g_assert (size <= 8 && offset + size <= VMM_VIRTIO_CONFIG_SIZE);
  memcpy (virtio->regs.config + offset, &le, size);
}

guint64
vmm_virtio_config_get (VmmVirtio *virtio, guint offset, guint size)
{
  guint64 le = 0;

  g_assert (size <= 8 && offset + size <= VMM_VIRTIO_CONFIG_SIZE);
  memcpy (&le, virtio->regs.config + offset, size);
  return GUINT64_FROM_LE (le);
}

static guint64
vpci_read_config (VmmVirtio *virtio, guint offset, guint size)
{
  guint8 bytes[8] = { 0 };
  guint64 value;

  if (offset >= virtio->config_size)
    return 0;
  if (virtio->ops->config_reading != NULL)
    virtio->ops->config_reading (virtio);
  memcpy (bytes, virtio->regs.config + offset, MIN (size, virtio->config_size - offset));
  memcpy (&value, bytes, sizeof value);
  return GUINT64_FROM_LE (value);
}

static void
vpci_write_config (VmmVirtio *virtio, guint offset, guint size, guint64 value)
{
  gboolean any = FALSE;

  for (guint i = 0; i < size && offset + i < virtio->config_size; i++)
    {
      guint8 mask = virtio->config_mask[offset + i], *byte = &virtio->regs.config[offset + i];

      *byte = (guint8) ((*byte & ~mask) | ((guint8) (value >> 8 * i) & mask));
      any = any || mask != 0;
    }
  if (any && virtio->ops->config_written != NULL)
    virtio->ops->config_written (virtio, offset, size);
}

/* === BAR 4 === */

static guint64
vpci_bar_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  VmmVirtio *virtio = opaque;
  guint at = (guint) offset & (VPCI_PART_SIZE - 1);
  guint8 isr;

  switch (offset & ~(guint64) (VPCI_PART_SIZE - 1))
    {
    case VPCI_COMMON:
      return vpci_read_common (virtio, at, size);
    case VPCI_ISR: /* §4.1.4.5: reading clears */
      if (at != 0)
        return 0;
      isr = virtio->regs.isr;
      virtio->regs.isr = 0;
      vmm_pci_device_set_intx (&virtio->pci, FALSE);
      return isr;
    case VPCI_DEVICE:
      return vpci_read_config (virtio, at, size);
    default:
      return 0;
    }
}

static void
vpci_bar_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  VmmVirtio *virtio = opaque;
  guint at = (guint) offset & (VPCI_PART_SIZE - 1);

  switch (offset & ~(guint64) (VPCI_PART_SIZE - 1))
    {
    case VPCI_COMMON:
      vpci_write_common (virtio, at, size, value);
      break;
    case VPCI_DEVICE:
      vpci_write_config (virtio, at, size, value);
      break;
    case VPCI_NOTIFY:
      if (at / VPCI_NOTIFY_STEP < virtio->n_queues && vmm_virtqueue_is_live (&virtio->queues[at / VPCI_NOTIFY_STEP]))
        vmm_virtqueue_kick (&virtio->queues[at / VPCI_NOTIFY_STEP]);
      break;
    default:
      break;
    }
}

static const VmmRegionOps vpci_bar_ops = { .name = "virtio", .read = vpci_bar_read, .write = vpci_bar_write, .access_max = 8 };

/* === Configuration space === */

static guint32
vpci_get32 (const guint8 *bytes)
{
  guint32 value;

  memcpy (&value, bytes, sizeof value);
  return GUINT32_FROM_LE (value);
}

/* §4.1.4.9: the window that the access capability shows. FALSE: it shows nothing. */
static gboolean
vpci_get_window (VmmVirtio *virtio, guint *ret_offset, guint *ret_size)
{
  const guint8 *config = virtio->pci.pci.config;
  guint32 offset = vpci_get32 (config + VPCI_ACCESS_OFFSET), length = vpci_get32 (config + VPCI_ACCESS_LENGTH);

  if (config[VPCI_ACCESS_BAR] != VPCI_BAR || (length != 1 && length != 2 && length != 4) || offset % length != 0
      || offset >= VPCI_BAR_SIZE)
    return FALSE;
  *ret_offset = offset;
  *ret_size = length;
  return TRUE;
}

static gboolean
vpci_meets (guint offset, guint size, guint start, guint len)
{
  return offset < start + len && start < offset + size;
}

static void
vpci_config_reading (VmmPciDevice *pci, guint offset, guint size)
{
  VmmVirtio *virtio = (VmmVirtio *) pci;
  guint at, n;

  if (vpci_meets (offset, size, VPCI_ACCESS_DATA, 4) && vpci_get_window (virtio, &at, &n))
    {
      guint32 value = GUINT32_TO_LE ((guint32) vpci_bar_read (&pci->base, virtio, at, n));

      memcpy (pci->pci.config + VPCI_ACCESS_DATA, &value, n);
    }
}

static void
vpci_config_written (VmmPciDevice *pci, guint offset, guint size)
{
  VmmVirtio *virtio = (VmmVirtio *) pci;
  guint at, n;

  if (vpci_meets (offset, size, VPCI_ACCESS_DATA, 4) && vpci_get_window (virtio, &at, &n))
    vpci_bar_write (&pci->base, virtio, at, n, vpci_get32 (pci->pci.config + VPCI_ACCESS_DATA) & vpci_size_mask (n));
  if (vpci_meets (offset, size, 0x04, 2) || vpci_meets (offset, size, 0x10, 24))
    vpci_update_ioeventfds (virtio);
  if (vpci_meets (offset, size, 0x04, 2) || vpci_meets (offset, size, VPCI_CAP_MSIX_AT, 4))
    vpci_update_routes (virtio);
  /* What was kicked while it could not reach memory. */
  if (vpci_meets (offset, size, 0x04, 2) && vmm_pci_device_is_master (pci))
    vpci_kick_all (virtio);
}

static void
vpci_add_cap (VmmVirtio *virtio, guint8 type, guint8 at, guint8 size, guint32 offset, guint32 length)
{
  guint8 *config = virtio->pci.pci.config + at;
  guint32 le_offset = GUINT32_TO_LE (offset), le_length = GUINT32_TO_LE (length);

  vmm_pci_device_add_capability (&virtio->pci, VPCI_CAP_VENDOR, at, size);
  config[2] = size;
  config[3] = type;
  config[4] = type == VPCI_CAP_ACCESS ? 0 : VPCI_BAR;
  memcpy (config + 8, &le_offset, 4);
  memcpy (config + 12, &le_length, 4);
  if (type == VPCI_CAP_NOTIFY)
    config[16] = VPCI_NOTIFY_STEP;
}

static void
vpci_add_caps (VmmVirtio *virtio)
{
  guint vectors = MIN (virtio->n_queues + 1, VMM_VIRTIO_MAX_QUEUES);

  /* SeaBIOS and OVMF take the first of each type; this is the order that they know. */
  vmm_pci_device_add_msix (&virtio->pci, VPCI_CAP_MSIX_AT, VPCI_MSIX_BAR, 0, VPCI_MSIX_PBA, vectors);
  vpci_add_cap (virtio, VPCI_CAP_ACCESS, VPCI_CAP_ACCESS_AT, 20, 0, 0);
  vpci_add_cap (virtio, VPCI_CAP_NOTIFY, VPCI_CAP_NOTIFY_AT, 20, VPCI_NOTIFY, VPCI_PART_SIZE);
  vpci_add_cap (virtio, VPCI_CAP_DEVICE, VPCI_CAP_DEVICE_AT, 16, VPCI_DEVICE, VPCI_PART_SIZE);
  vpci_add_cap (virtio, VPCI_CAP_ISR, VPCI_CAP_ISR_AT, 16, VPCI_ISR, VPCI_PART_SIZE);
  vpci_add_cap (virtio, VPCI_CAP_COMMON, VPCI_CAP_COMMON_AT, 16, VPCI_COMMON, VPCI_PART_SIZE);
  virtio->pci.wmask[VPCI_ACCESS_BAR] = 0xff;
  memset (virtio->pci.wmask + VPCI_ACCESS_OFFSET, 0xff, 12); /* offset, length, data */
}

/* === Queues for somebody outside === */

gboolean
vmm_virtqueue_give (VmmVirtqueue *queue, int *ret_kick_fd, int *ret_call_fd, GError **error)
{
  VmmVirtio *virtio = queue->virtio;

  if (queue->route == NULL)
    {
      VmmMsiRoute *route = vmm_msi_route_new (vmm_device_get_irq (&virtio->pci.base), error);

      if (route == NULL)
        return FALSE;
      if (!vmm_iothread_add_fd (virtio->iothread, vmm_msi_route_get_eventfd (route), 0, vpci_on_call, queue, error))
        {
          vmm_msi_route_free (route);
          return FALSE;
        }
      queue->route = route;
    }
  queue->given = TRUE;
  vmm_iothread_modify_fd (virtio->iothread, queue->kick_fd, 0);
  vpci_update_route (queue);
  *ret_kick_fd = queue->kick_fd;
  *ret_call_fd = vmm_msi_route_get_eventfd (queue->route);
  return TRUE;
}

void
vmm_virtqueue_take_back (VmmVirtqueue *queue, guint16 last_avail)
{
  VmmVirtqueueRegs *regs = &queue->virtio->regs.queue[queue->index];

  if (!queue->given)
    return;
  queue->given = FALSE;
  regs->last_avail = last_avail;
  if (queue->used != NULL)
    {
      guint16 idx;

      memcpy (&idx, queue->used + 2, sizeof idx);
      regs->used_idx = GUINT16_FROM_LE (idx);
      regs->signalled_valid = FALSE;
    }
  vpci_update_route (queue);
  vmm_iothread_modify_fd (queue->virtio->iothread, queue->kick_fd, EPOLLIN);
}

/* === Life === */

VmmVirtqueue *
vmm_virtio_get_queue (VmmVirtio *virtio, guint index)
{
  g_assert (index < virtio->n_queues);
  return &virtio->queues[index];
}

void
vmm_virtio_reset (VmmDevice *dev, VmmResetKind kind)
{
  VmmVirtio *virtio = (VmmVirtio *) dev;

  virtio->regs.resetting = TRUE;
  vmm_pci_device_reset (&virtio->pci);
  vpci_update_ioeventfds (virtio);
  virtio->resetting_now = TRUE;
  if (virtio->ops->reset != NULL)
    virtio->ops->reset (virtio);
  virtio->resetting_now = FALSE;
  vpci_finish_reset (virtio);
}

void
vmm_virtio_quiesce (VmmDevice *dev)
{
  VmmVirtio *virtio = (VmmVirtio *) dev;

  vmm_device_lock (dev);
  virtio->quiesced = TRUE;
  vmm_device_unlock (dev);
}

void
vmm_virtio_resume (VmmDevice *dev)
{
  VmmVirtio *virtio = (VmmVirtio *) dev;

  vmm_device_lock (dev);
  virtio->quiesced = FALSE;
  vpci_kick_all (virtio);
  vmm_device_unlock (dev);
}

gboolean
vmm_virtio_post_load (VmmDevice *dev, GError **error)
{
  VmmVirtio *virtio = (VmmVirtio *) dev;

  vmm_pci_device_post_load (&virtio->pci);
  virtio->generation++;
  virtio->holds = 0;
  for (guint i = 0; i < virtio->n_queues; i++)
    {
      VmmVirtqueueRegs *regs = &virtio->regs.queue[i];
      VmmVirtqueue *queue = &virtio->queues[i];

      queue->outstanding = 0;
      queue->kicks_off = TRUE; /* it may be; then pop clears it */
      queue->pushed = FALSE;
      queue->desc = queue->avail = queue->used = NULL;
      if (regs->size == 0 || (regs->size & (regs->size - 1)) != 0 || regs->size > virtio->max_queue_size
          || (regs->enable && !_vmm_virtqueue_map (queue) && vmm_virtio_is_live (virtio)))
        {
          g_set_error (error, VMM_ERROR, VMM_ERROR_STATE_MISMATCH, "queue %u of the saved machine cannot be", i);
          return FALSE;
        }
    }
  /* What the old machine waited for is not in flight here. */
  if (virtio->regs.resetting)
    vpci_finish_reset (virtio);
  vpci_update_ioeventfds (virtio);
  if (vmm_virtio_is_live (virtio) && virtio->ops->start != NULL)
    virtio->ops->start (virtio);
  return TRUE;
}

gboolean
vmm_virtio_init (VmmVirtio *virtio, const VmmVirtioOps *ops, const VmmVirtioParams *params, GError **error)
{
  VmmPciId id = { .vendor = VPCI_VENDOR,
                  .device = (guint16) (VPCI_DEVICE_BASE + params->device_id),
                  .revision = 1, /* §4.1.2.1 */
                  .class_code = params->pci_class };

  g_assert (params->n_queues <= VMM_VIRTIO_MAX_QUEUES && params->config_size <= VMM_VIRTIO_CONFIG_SIZE);
  g_assert (params->queue_size > 0 && (params->queue_size & (params->queue_size - 1)) == 0
            && params->queue_size <= VMM_VIRTIO_MAX_QUEUE_SIZE);
  if (!vmm_pci_device_init (&virtio->pci, params->devfn, &id, error))
    return FALSE;
  virtio->ops = ops;
  virtio->iothread = params->iothread != NULL ? params->iothread : vmm_device_get_iothread (&virtio->pci.base);
  virtio->features = params->features | VPCI_OFFERED;
  virtio->config_size = params->config_size;
  virtio->n_queues = params->n_queues;
  virtio->max_queue_size = params->queue_size;
  virtio->notify_base = VPCI_NOWHERE;
  virtio->pci.pci.config[0x3d] = 1; /* INTA */
  virtio->pci.config_reading = vpci_config_reading;
  virtio->pci.config_written = vpci_config_written;
  virtio->pci.msix_changed = vpci_msix_changed;
  vpci_add_caps (virtio);
  vmm_pci_device_add_bar (&virtio->pci, VPCI_BAR, VMM_PCI_BAR_MMIO, VPCI_BAR_SIZE, VMM_PCI_BAR_64 | VMM_PCI_BAR_PREFETCH,
                          &vpci_bar_ops, virtio);

  virtio->queues = g_new0 (VmmVirtqueue, MAX (virtio->n_queues, 1));
  for (guint i = 0; i < virtio->n_queues; i++)
    virtio->queues[i] = (VmmVirtqueue) { .virtio = virtio, .index = i, .kick_fd = -1 };
  for (guint i = 0; i < virtio->n_queues; i++)
    {
      VmmVirtqueue *queue = &virtio->queues[i];
      int fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);

      _vmm_virtqueue_reset (queue);
      if (fd < 0)
        {
          g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "cannot make a notification descriptor: %s", g_strerror (errno));
          vmm_virtio_clear (virtio);
          return FALSE;
        }
      if (!vmm_iothread_add_fd (virtio->iothread, fd, EPOLLIN, vpci_on_kick, queue, error))
        {
          close (fd);
          vmm_virtio_clear (virtio);
          return FALSE;
        }
      queue->kick_fd = fd;
    }
  return TRUE;
}

void
vmm_virtio_stop (VmmVirtio *virtio)
{
  if (virtio->stopped)
    return;
  virtio->stopped = TRUE;
  vpci_update_ioeventfds (virtio);
  for (guint i = 0; i < virtio->n_queues; i++)
    {
      VmmVirtqueue *queue = &virtio->queues[i];

      if (queue->kick_fd >= 0)
        vmm_iothread_remove_fd (virtio->iothread, queue->kick_fd);
      if (queue->route != NULL)
        vmm_iothread_remove_fd (virtio->iothread, vmm_msi_route_get_eventfd (queue->route));
    }
}

void
vmm_virtio_clear (VmmVirtio *virtio)
{
  vmm_virtio_stop (virtio);
  for (guint i = 0; i < virtio->n_queues; i++)
    {
      g_clear_pointer (&virtio->queues[i].route, vmm_msi_route_free);
      if (virtio->queues[i].kick_fd >= 0)
        close (virtio->queues[i].kick_fd);
    }
  g_clear_pointer (&virtio->queues, g_free);
  virtio->n_queues = 0;
  vmm_pci_device_clear (&virtio->pci);
}
