/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The common half of the network layer.
 *
 * Theory of operation: everything that moves frames runs on the machine's iothread, so the queues here need no lock. A frame that the NIC
 * cannot take waits in `rx`, and the network is asked to hold back; what was cut from a large frame and finds the network full waits in
 * `tx`. Callbacks never come from within vmm_net_send(): what a network answers meanwhile is kept and delivered by a call to the iothread.
 * The rate limit is a bucket each way that may go below zero by one frame; a timer on the machine's clock lets go on.
 *
 * Saved state: none. Frames under way are lost when a machine is saved, as on any wire. */
#include "net/net-private.h"

#include "chipset/fw-cfg.h"
#include "core/config.h"
#include "core/log.h"
#include "core/machine.h"
#include "firmware/firmware.h"
#include "pci/pci.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define NET_RX_MAX_BYTES (4u << 20) /* what waits for a guest at most */
#define NET_RX_MAX_FRAMES 4096
#define NET_TX_MAX_BYTES (4u << 20)
#define NET_RATE_BURST_NS (20 * 1000 * 1000)
#define NET_RATE_BURST_MIN (2 * 1514)

static const char *const net_kinds[] = { "user", "switch", "tap", "bridge", "none", NULL };

const VmmSetting vmm_net_settings[] = {
  { "network", VMM_SETTING_ENUM, "user", 0, 0, net_kinds, N_ ("Network that the cable leads to"), VMM_SETTING_NONE },
  { "mac", VMM_SETTING_STRING, NULL, 0, 0, NULL, N_ ("Address (52:54:00:12:34:56), else made from the machine's UUID"),
    VMM_SETTING_NONE },
  { "link", VMM_SETTING_BOOL, "true", 0, 0, NULL, N_ ("Cable plugged in"), VMM_SETTING_LIVE },
  { "rate-limit", VMM_SETTING_INT, "0", 0, 100000000, NULL, N_ ("Greatest rate each way in kbit/s, 0 for none"), VMM_SETTING_NONE },
  { "capture", VMM_SETTING_PATH, NULL, 0, 0, NULL, N_ ("File that all frames are written to (pcap)"), VMM_SETTING_NONE },
  { "boot", VMM_SETTING_INT, "-1", -1, 1000, NULL, N_ ("Place in the boot order, -1 for none"), VMM_SETTING_NONE },
  { "rom", VMM_SETTING_PATH, NULL, 0, 0, NULL, N_ ("Boot ROM instead of the distribution's iPXE"), VMM_SETTING_NONE },
  { "queues", VMM_SETTING_INT, "1", 1, VMM_NET_MAX_QUEUES, NULL, N_ ("Pairs of queues, with tap and virtio"), VMM_SETTING_NONE },
  { "forward", VMM_SETTING_STRING, NULL, 0, 0, NULL,
    N_ ("Network user: ports of the host that lead into the guest, as tcp:2222-22,udp:127.0.0.1:5353-53"), VMM_SETTING_LIVE },
  { "tftp", VMM_SETTING_PATH, NULL, 0, 0, NULL, N_ ("Network user: directory that the guest may read by TFTP"), VMM_SETTING_NONE },
  { "bootfile", VMM_SETTING_STRING, NULL, 0, 0, NULL, N_ ("Network user: file that a network boot starts"), VMM_SETTING_NONE },
  { "hostname", VMM_SETTING_STRING, NULL, 0, 0, NULL, N_ ("Network user: name that DHCP gives the guest"), VMM_SETTING_NONE },
  { "ipv6", VMM_SETTING_BOOL, "true", 0, 0, NULL, N_ ("Network user: IPv6 too"), VMM_SETTING_NONE },
  { "restricted", VMM_SETTING_BOOL, "false", 0, 0, NULL, N_ ("Network user: no way to the host or the Internet"),
    VMM_SETTING_NONE },
  { "switch", VMM_SETTING_STRING, "default", 0, 0, NULL, N_ ("Network switch: its name; machines with the same one meet"),
    VMM_SETTING_NONE },
  { "tap", VMM_SETTING_STRING, NULL, 0, 0, NULL, N_ ("Network tap: name of the host's interface"), VMM_SETTING_NONE },
  { "tap-fd", VMM_SETTING_INT, "-1", -1, 65535, NULL, N_ ("Network tap: inherited descriptor instead of a name"),
    VMM_SETTING_NONE },
  { "bridge", VMM_SETTING_STRING, "virbr0", 0, 0, NULL, N_ ("Network bridge: name of the host's bridge"), VMM_SETTING_NONE },
  { NULL },
};

static const struct {
  const char *kind;
  const VmmNetOps *ops;
} net_backends[] = {
  { "user", &vmm_net_user_ops },
  { "switch", &vmm_net_switch_ops },
  { "tap", &vmm_net_tap_ops },
  { "bridge", &vmm_net_bridge_ops },
};

typedef struct {
  guint queue;
  gboolean has_header;
  VmmNetHeader header;
  gsize len;
  guint8 data[];
} NetFrame;

typedef struct {
  GQueue frames; /* NetFrame */
  gsize bytes;
} NetQueue;

typedef struct {
  gint64 bytes_per_s; /* 0: no limit */
  gint64 burst;
  gint64 tokens; /* bytes; below 0: wait */
  gint64 since_ns;
} NetLimit;

struct _VmmNet {
  VmmDevice *dev;
  const VmmNetClient *client;
  VmmIoThread *iothread;
  guint8 mac[VMM_NET_MAC_LEN];
  guint queues;
  atomic_bool cable;      /* the setting */
  atomic_bool link;       /* and there is a network */
  atomic_int offloads;    /* VmmNetOffloads */
  atomic_bool rx_blocked; /* the NIC said FALSE */
  atomic_bool flush_queued;
  VmmTimer timer; /* the rate limit */

  /* Iothread */
  const VmmNetOps *ops; /* (nullable): none */
  gpointer backend;
  VmmNetOffloads takes;
  gboolean takes_sums;
  gboolean quiesced, sending, refused; /* refused: the network was told to hold back */
  guint tx_refused;                    /* queues whose vmm_net_send() said FALSE */
  NetQueue rx, tx;
  NetLimit rx_limit, tx_limit;
  guint8 *scratch; /* VMM_NET_FRAME_MAX */
  VmmNetCapture *capture;
};

VmmDevice *
vmm_net_get_device (VmmNet *net)
{
  return net->dev;
}

VmmIoThread *
vmm_net_get_iothread (VmmNet *net)
{
  return net->iothread;
}

const guint8 *
vmm_net_get_mac (VmmNet *net)
{
  return net->mac;
}

guint
vmm_net_get_queues (VmmNet *net)
{
  return net->queues;
}

gboolean
vmm_net_get_link (VmmNet *net)
{
  return atomic_load (&net->link);
}

/* === Queues === */

static void
net_queue_push (NetQueue *queue, guint index, const VmmNetHeader *header, const guint8 *data, gsize len)
{
  NetFrame *frame = g_malloc (sizeof *frame + len);

  frame->queue = index;
  frame->has_header = header != NULL;
  if (header != NULL)
    frame->header = *header;
  frame->len = len;
  memcpy (frame->data, data, len);
  g_queue_push_tail (&queue->frames, frame);
  queue->bytes += len;
}

static void
net_queue_drop (NetQueue *queue)
{
  NetFrame *frame = g_queue_pop_head (&queue->frames);

  queue->bytes -= frame->len;
  g_free (frame);
}

static void
net_queue_clear (NetQueue *queue)
{
  while (!g_queue_is_empty (&queue->frames))
    net_queue_drop (queue);
}

/* === Rate === */

static void
net_limit_init (NetLimit *limit, gint64 kbit_per_s)
{
  limit->bytes_per_s = kbit_per_s * 125;
  limit->burst = MAX (limit->bytes_per_s / (G_GINT64_CONSTANT (1000000000) / NET_RATE_BURST_NS), NET_RATE_BURST_MIN);
  limit->tokens = limit->burst;
}

/* Returns: ns to wait before the next frame, or 0. */
static gint64
net_limit_wait_ns (NetLimit *limit, gint64 now_ns)
{
  gint64 elapsed_ns = now_ns - limit->since_ns, gained;

  if (limit->bytes_per_s == 0)
    return 0;
  elapsed_ns = CLAMP (elapsed_ns, 0, G_GINT64_CONSTANT (1000000000));
  gained = elapsed_ns / 1000 * limit->bytes_per_s / 1000000;
  if (gained > 0)
    {
      limit->tokens = MIN (limit->tokens + gained, limit->burst);
      limit->since_ns = now_ns;
    }
  return limit->tokens > 0 ? 0 : (1 - limit->tokens) * 1000000 / limit->bytes_per_s * 1000 + 1000000;
}

static void
net_limit_take (NetLimit *limit, gsize len)
{
  if (limit->bytes_per_s != 0)
    limit->tokens -= (gint64) len;
}

static void
net_wait (VmmNet *net, gint64 wait_ns)
{
  gint64 deadline_ns = vmm_clock_now (vmm_device_get_clock (net->dev)) + wait_ns;

  /* Both directions share the timer: the one that may go on first sets it. */
  if (net->timer.deadline_ns < 0 || deadline_ns < net->timer.deadline_ns)
    vmm_timer_arm (&net->timer, deadline_ns);
}

/* === Capture === */

static void
net_capture (VmmNet *net, const struct iovec *iov, guint n_iov, gsize len)
{
  if (net->capture == NULL || vmm_net_capture_write (net->capture, iov, n_iov, len))
    return;
  vmm_log_warning (net->dev->machine, net->dev, "the capture of frames ends: %s", g_strerror (errno));
  g_clear_pointer (&net->capture, vmm_net_capture_free);
}

/* === From the network === */

static void net_on_flush (gpointer data);

static void
net_queue_flush (VmmNet *net)
{
  if (!atomic_exchange (&net->flush_queued, TRUE))
    vmm_iothread_call (net->iothread, net_on_flush, net);
}

static gboolean
net_has_room (VmmNet *net)
{
  return g_queue_is_empty (&net->rx.frames);
}

/* Gives the NIC what waits, in order. */
static void
net_flush_rx (VmmNet *net)
{
  for (;;)
    {
      NetFrame *frame = g_queue_peek_head (&net->rx.frames);
      gint64 wait_ns;

      if (frame == NULL || net->quiesced)
        break;
      wait_ns = net_limit_wait_ns (&net->rx_limit, vmm_clock_now (vmm_device_get_clock (net->dev)));
      if (wait_ns != 0)
        {
          net_wait (net, wait_ns);
          return;
        }
      /* First the mark: buffers that come while it says no are not missed. */
      atomic_store (&net->rx_blocked, TRUE);
      if (!net->client->receive (net->dev, frame->queue, frame->has_header ? &frame->header : NULL, frame->data, frame->len))
        return;
      atomic_store (&net->rx_blocked, FALSE);
      net_limit_take (&net->rx_limit, frame->len);
      net_queue_drop (&net->rx);
    }
  if (net->refused && net_has_room (net))
    {
      net->refused = FALSE;
      if (net->ops != NULL && net->ops->receive_ready != NULL)
        net->ops->receive_ready (net->backend);
    }
}

static void
net_on_flush (gpointer data)
{
  VmmNet *net = data;

  atomic_store (&net->flush_queued, FALSE);
  net_flush_rx (net);
}

void
vmm_net_receive_ready (VmmNet *net)
{
  if (atomic_load (&net->rx_blocked))
    net_queue_flush (net);
}

static void
net_receive (VmmNet *net, guint queue, const VmmNetHeader *header, const guint8 *frame, gsize len)
{
  if (g_queue_is_empty (&net->rx.frames) && !net->sending && !net->quiesced && net->rx_limit.bytes_per_s == 0)
    {
      atomic_store (&net->rx_blocked, TRUE);
      if (net->client->receive (net->dev, queue, header, frame, len))
        {
          atomic_store (&net->rx_blocked, FALSE);
          return;
        }
    }
  if (net->rx.bytes + len > NET_RX_MAX_BYTES || net->rx.frames.length >= NET_RX_MAX_FRAMES)
    return;
  net_queue_push (&net->rx, queue, header, frame, len);
  if (net->sending)
    net_queue_flush (net);
  else if (net->rx_limit.bytes_per_s != 0)
    net_flush_rx (net);
}

typedef struct {
  VmmNet *net;
  guint queue;
} NetPiece;

static void
net_on_rx_piece (gpointer data, const guint8 *frame, gsize len)
{
  const VmmNetHeader valid = { .flags = VMM_NET_DATA_VALID };
  NetPiece *piece = data;

  net_receive (piece->net, piece->queue, &valid, frame, len);
}

/* Returns: TRUE if the guest takes the frame as it is. */
static gboolean
net_guest_takes (VmmNet *net, const VmmNetHeader *header)
{
  int offloads = atomic_load (&net->offloads);

  if ((header->flags & VMM_NET_NEEDS_CSUM) != 0 && (offloads & VMM_NET_OFFLOAD_CSUM) == 0)
    return FALSE;
  switch (header->gso_type & ~(guint) VMM_NET_GSO_ECN)
    {
    case VMM_NET_GSO_NONE:
      return TRUE;
    case VMM_NET_GSO_TCP4:
      return (offloads & VMM_NET_OFFLOAD_TSO4) != 0
             && ((header->gso_type & VMM_NET_GSO_ECN) == 0 || (offloads & VMM_NET_OFFLOAD_ECN) != 0);
    case VMM_NET_GSO_TCP6:
      return (offloads & VMM_NET_OFFLOAD_TSO6) != 0
             && ((header->gso_type & VMM_NET_GSO_ECN) == 0 || (offloads & VMM_NET_OFFLOAD_ECN) != 0);
    default:
      return FALSE;
    }
}

gboolean
vmm_net_may_deliver (VmmNet *net)
{
  if (net_has_room (net))
    return TRUE;
  net->refused = TRUE;
  return FALSE;
}

gboolean
vmm_net_deliver (VmmNet *net, guint queue, const VmmNetHeader *header, const guint8 *frame, gsize len)
{
  NetPiece piece = { net, queue < net->queues ? queue : 0 };
  struct iovec iov = { (gpointer) frame, len };
  VmmNetHeader copy;

  if (!vmm_net_get_link (net) || len < 14 || len > VMM_NET_FRAME_MAX)
    return TRUE;
  net_capture (net, &iov, 1, len);
  if (header != NULL && header->flags == 0 && header->gso_type == VMM_NET_GSO_NONE)
    header = NULL;
  if (header == NULL || net_guest_takes (net, header))
    {
      /* Sane towards the guest too: what a peer wrote must not lead its driver outside the frame. */
      if (header != NULL && (header->flags & VMM_NET_NEEDS_CSUM) != 0
          && (gsize) GUINT16_FROM_LE (header->csum_start) + GUINT16_FROM_LE (header->csum_offset) + 2 > len)
        return TRUE;
      net_receive (net, piece.queue, header, frame, len);
    }
  else if (header->gso_type != VMM_NET_GSO_NONE)
    vmm_net_segment (frame, len, header, net_on_rx_piece, &piece);
  else
    {
      g_autofree guint8 *whole = g_memdup2 (frame, len);

      copy = (VmmNetHeader) { .flags = VMM_NET_DATA_VALID };
      if (vmm_net_complete_checksum (whole, len, header))
        net_receive (net, piece.queue, &copy, whole, len);
    }
  return vmm_net_may_deliver (net);
}

/* === To the network === */

static gboolean
net_backend_send (VmmNet *net, guint queue, const VmmNetHeader *header, const struct iovec *iov, guint n_iov, gsize len)
{
  gboolean sent;

  if (net->ops == NULL)
    return TRUE;
  net->sending = TRUE;
  sent = net->ops->send (net->backend, queue, header, iov, n_iov, len);
  net->sending = FALSE;
  return sent;
}

static void
net_on_tx_piece (gpointer data, const guint8 *frame, gsize len)
{
  NetPiece *piece = data;
  struct iovec iov = { (gpointer) frame, len };

  if (!g_queue_is_empty (&piece->net->tx.frames) || !net_backend_send (piece->net, piece->queue, NULL, &iov, 1, len))
    if (piece->net->tx.bytes < NET_TX_MAX_BYTES)
      net_queue_push (&piece->net->tx, piece->queue, NULL, frame, len);
}

static gsize
net_gather (guint8 *buffer, const struct iovec *iov, guint n_iov)
{
  gsize at = 0;

  for (guint i = 0; i < n_iov; i++)
    {
      memcpy (buffer + at, iov[i].iov_base, iov[i].iov_len);
      at += iov[i].iov_len;
    }
  return at;
}

/* The network cannot do what the header asks for: it is done here. */
static gboolean
net_send_completed (VmmNet *net, guint queue, const VmmNetHeader *header, const struct iovec *iov, guint n_iov, gsize len)
{
  guint gso = header->gso_type & ~(guint) VMM_NET_GSO_ECN;
  VmmNetOffloads wanted = gso == VMM_NET_GSO_TCP4 ? VMM_NET_OFFLOAD_TSO4 : VMM_NET_OFFLOAD_TSO6;
  struct iovec whole = { net->scratch, len };
  NetPiece piece = { net, queue };

  net_gather (net->scratch, iov, n_iov);
  if (gso == VMM_NET_GSO_NONE)
    return !vmm_net_complete_checksum (net->scratch, len, header) || net_backend_send (net, queue, NULL, &whole, 1, len);
  if ((net->takes & wanted) != 0)
    return !vmm_net_complete_large (net->scratch, len, header) || net_backend_send (net, queue, header, &whole, 1, len);
  vmm_net_segment (net->scratch, len, header, net_on_tx_piece, &piece);
  return TRUE;
}

static gboolean
net_refuse (VmmNet *net, guint queue)
{
  net->tx_refused |= 1u << queue;
  return FALSE;
}

gboolean
vmm_net_send (VmmNet *net, guint queue, const VmmNetHeader *header, const struct iovec *iov, guint n_iov)
{
  gsize len = 0;
  gint64 wait_ns;
  gboolean sent;

  for (guint i = 0; i < n_iov && len <= VMM_NET_FRAME_MAX; i++)
    len += iov[i].iov_len;
  if (len < 14 || len > VMM_NET_FRAME_MAX || n_iov > VMM_NET_SEND_MAX_IOV || !vmm_net_get_link (net) || net->ops == NULL)
    return TRUE;
  if (!g_queue_is_empty (&net->tx.frames))
    return net_refuse (net, queue);
  wait_ns = net_limit_wait_ns (&net->tx_limit, vmm_clock_now (vmm_device_get_clock (net->dev)));
  if (wait_ns != 0)
    {
      net_wait (net, wait_ns);
      return net_refuse (net, queue);
    }

  if (header != NULL && (header->flags & VMM_NET_NEEDS_CSUM) == 0 && header->gso_type == VMM_NET_GSO_NONE)
    header = NULL;
  if (header == NULL || net->takes_sums)
    sent = net_backend_send (net, queue, header, iov, n_iov, len);
  else
    sent = net_send_completed (net, queue, header, iov, n_iov, len);
  if (!sent)
    return net_refuse (net, queue);
  net_capture (net, iov, n_iov, len);
  net_limit_take (&net->tx_limit, len);
  return TRUE;
}

void
vmm_net_writable (VmmNet *net)
{
  guint refused;

  while (!g_queue_is_empty (&net->tx.frames))
    {
      NetFrame *frame = g_queue_peek_head (&net->tx.frames);
      struct iovec iov = { frame->data, frame->len };

      if (!net_backend_send (net, frame->queue, NULL, &iov, 1, frame->len))
        return;
      net_queue_drop (&net->tx);
    }
  if (net->quiesced)
    return;
  refused = net->tx_refused;
  net->tx_refused = 0;
  for (guint i = 0; i < net->queues; i++)
    if ((refused & 1u << i) != 0 && net->client->writable != NULL)
      net->client->writable (net->dev, i);
}

/* === Time === */

static void
net_on_rate (gpointer data)
{
  VmmNet *net = data;

  net_flush_rx (net);
  if (net->tx_refused != 0)
    vmm_net_writable (net);
}

/* The device's lock is held here, and must not be in what follows. */
static void
net_on_timer (VmmDevice *dev, gpointer data)
{
  VmmNet *net = data;

  vmm_iothread_call (net->iothread, net_on_rate, net);
}

/* === What the NIC and others set === */

typedef struct {
  VmmNet *net;
  int value;
  const VmmNetOps *ops;
  gpointer backend;
} NetChange;

static void
net_on_offloads (gpointer data)
{
  VmmNet *net = data;

  if (net->ops != NULL && net->ops->set_offloads != NULL)
    net->ops->set_offloads (net->backend, (VmmNetOffloads) atomic_load (&net->offloads));
}

void
vmm_net_set_offloads (VmmNet *net, VmmNetOffloads offloads)
{
  if (atomic_exchange (&net->offloads, (int) offloads) != (int) offloads)
    vmm_iothread_call (net->iothread, net_on_offloads, net);
}

static void
net_on_active_queues (gpointer data)
{
  NetChange *change = data;
  VmmNet *net = change->net;

  if (net->ops != NULL && net->ops->set_active_queues != NULL)
    net->ops->set_active_queues (net->backend, (guint) change->value);
  g_free (change);
}

void
vmm_net_set_active_queues (VmmNet *net, guint queues)
{
  NetChange *change = g_new (NetChange, 1);

  *change = (NetChange) { net, (int) CLAMP (queues, 1, net->queues), NULL, NULL };
  vmm_iothread_call (net->iothread, net_on_active_queues, change);
}

/* Iothread. */
static void
net_update_link (VmmNet *net)
{
  gboolean up = atomic_load (&net->cable) && net->ops != NULL;

  if (atomic_exchange (&net->link, up) == up)
    return;
  if (!up)
    {
      net_queue_clear (&net->rx);
      net_queue_clear (&net->tx);
    }
  if (net->client->link_changed != NULL && !net->quiesced)
    net->client->link_changed (net->dev, up);
  /* Whoever waits to send goes on, if only to lose its frames. */
  if (net->tx_refused != 0)
    vmm_net_writable (net);
  net_flush_rx (net);
}

static void
net_on_set_link (gpointer data)
{
  NetChange *change = data;

  atomic_store (&change->net->cable, change->value);
  net_update_link (change->net);
}

void
vmm_net_set_link (VmmNet *net, gboolean up)
{
  NetChange change = { net, up, NULL, NULL };

  vmm_iothread_call_sync (net->iothread, net_on_set_link, &change);
}

static void
net_on_attach (gpointer data)
{
  NetChange *change = data;
  VmmNet *net = change->net;
  const VmmNetOps *old_ops = net->ops;
  gpointer old_backend = net->backend;

  net->ops = change->ops;
  net->backend = change->backend;
  net->takes = VMM_NET_OFFLOAD_NONE;
  net->takes_sums = FALSE;
  if (net->ops != NULL && (net->ops->is_plain == NULL || !net->ops->is_plain (net->backend)))
    {
      net->takes = net->ops->takes;
      net->takes_sums = net->ops->takes_sums;
    }
  net->refused = FALSE;
  net_on_offloads (net);
  net_update_link (net);
  change->ops = old_ops;
  change->backend = old_backend;
}

void
vmm_net_attach (VmmNet *net, const VmmNetOps *ops, gpointer backend)
{
  NetChange change = { net, 0, ops, backend };

  vmm_iothread_call_sync (net->iothread, net_on_attach, &change);
  if (change.ops != NULL)
    change.ops->close (change.backend);
}

gboolean
vmm_net_add_forward (VmmNet *net, const char *forward, GError **error)
{
  if (net->ops != NULL && net->ops->add_forward != NULL)
    return net->ops->add_forward (net->backend, forward, error);
  g_set_error (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED, "%s is not on the network 'user': it has no port forwards", net->dev->id);
  return FALSE;
}

gboolean
vmm_net_remove_forward (VmmNet *net, const char *forward, GError **error)
{
  if (net->ops != NULL && net->ops->remove_forward != NULL)
    return net->ops->remove_forward (net->backend, forward, error);
  g_set_error (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED, "%s is not on the network 'user': it has no port forwards", net->dev->id);
  return FALSE;
}

char **
vmm_net_dup_forwards (VmmNet *net)
{
  return net->ops != NULL && net->ops->dup_forwards != NULL ? net->ops->dup_forwards (net->backend) : g_new0 (char *, 1);
}

/* === Life === */

static void
net_on_quiesce (gpointer data)
{
  ((VmmNet *) data)->quiesced = TRUE;
}

void
vmm_net_quiesce (VmmNet *net)
{
  vmm_iothread_call_sync (net->iothread, net_on_quiesce, net);
}

/* A network that was on before the reset may be off now: the NIC asks for the link itself. */
static void
net_on_resume (gpointer data)
{
  VmmNet *net = data;

  net->quiesced = FALSE;
  net_flush_rx (net);
  if (net->tx_refused != 0)
    vmm_net_writable (net);
}

void
vmm_net_resume (VmmNet *net)
{
  vmm_iothread_call (net->iothread, net_on_resume, net);
}

static gboolean
net_parse_mac (VmmNet *net, GError **error)
{
  const char *text = vmm_device_get_string (net->dev, "mac");
  guint bytes[VMM_NET_MAC_LEN];
  char end;

  if (text == NULL || text[0] == '\0')
    {
      VmmConfig *config = net->dev->machine->config;
      const char *uuid = config != NULL ? vmm_config_get_machine (config, "uuid") : NULL;
      const char *machine = uuid != NULL ? uuid : config != NULL ? vmm_config_get_base_dir (config) : NULL;
      g_autofree char *name = g_strdup_printf ("%s/%s", machine != NULL ? machine : "", net->dev->id);
      g_autofree char *sum = g_compute_checksum_for_string (G_CHECKSUM_SHA256, name, -1);
      const guint8 prefix[] = { 0x52, 0x54, 0x00 };

      memcpy (net->mac, prefix, sizeof prefix);
      for (guint i = 0; i < 3; i++)
        net->mac[3 + i] = (guint8) (g_ascii_xdigit_value (sum[2 * i]) << 4 | g_ascii_xdigit_value (sum[2 * i + 1]));
      return TRUE;
    }
  if (strlen (text) != 17
      || sscanf (text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &bytes[0], &bytes[1], &bytes[2], &bytes[3], &bytes[4], &bytes[5], &end) != 6
      || (bytes[0] & 1) != 0)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "mac=%s: not an address of one station, such as 52:54:00:12:34:56",
                   text);
      return FALSE;
    }
  for (guint i = 0; i < VMM_NET_MAC_LEN; i++)
    net->mac[i] = (guint8) bytes[i];
  return TRUE;
}

static gboolean
net_open (VmmNet *net, GError **error)
{
  const char *kind = vmm_device_get_string (net->dev, "network");
  g_autofree char *capture = vmm_device_dup_path (net->dev, "capture");

  if (capture != NULL && (net->capture = vmm_net_capture_new (capture, error)) == NULL)
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (net_backends); i++)
    if (g_strcmp0 (kind, net_backends[i].kind) == 0)
      {
        gpointer backend = net_backends[i].ops->open (net, &net->queues, error);

        if (backend == NULL)
          return FALSE;
        vmm_net_attach (net, net_backends[i].ops, backend);
        return TRUE;
      }
  net->queues = 1;
  return TRUE;
}

static void
net_on_ready (gpointer data)
{
  ((VmmNet *) data)->quiesced = FALSE;
}

VmmNet *
vmm_net_new (VmmDevice *dev, const VmmNetClient *client, guint queues, GError **error)
{
  VmmNet *net = g_new0 (VmmNet, 1);
  gint64 rate = vmm_device_get_int (dev, "rate-limit");

  net->dev = dev;
  net->client = client;
  net->iothread = vmm_device_get_iothread (dev);
  net->queues = (guint) CLAMP (vmm_device_get_int (dev, "queues"), 1, (gint64) queues);
  net->scratch = g_malloc (VMM_NET_FRAME_MAX);
  atomic_init (&net->cable, vmm_device_get_bool (dev, "link"));
  g_queue_init (&net->rx.frames);
  g_queue_init (&net->tx.frames);
  net_limit_init (&net->rx_limit, rate);
  net_limit_init (&net->tx_limit, rate);
  vmm_timer_init (&net->timer, dev, net_on_timer, net);
  g_ptr_array_add (dev->machine->nets, net);
  /* Until the NIC knows its VmmNet, it is not called. */
  net->quiesced = TRUE;
  if (net_parse_mac (net, error) && net_open (net, error))
    {
      vmm_iothread_call_sync (net->iothread, net_on_ready, net);
      return net;
    }
  vmm_net_free (net);
  return NULL;
}

static void
net_nothing (gpointer data)
{
}

void
vmm_net_free (VmmNet *net)
{
  if (net == NULL)
    return;
  g_ptr_array_remove (net->dev->machine->nets, net);
  vmm_net_quiesce (net);
  vmm_net_attach (net, NULL, NULL);
  vmm_timer_clear (&net->timer);
  /* What was on its way finds nothing to do; after this nothing is. */
  vmm_iothread_call_sync (net->iothread, net_nothing, NULL);
  net_queue_clear (&net->rx);
  net_queue_clear (&net->tx);
  vmm_net_capture_free (net->capture);
  g_free (net->scratch);
  g_free (net);
}

VmmNet *
vmm_net_find (VmmMachine *machine, const char *device_id)
{
  for (guint i = 0; i < machine->nets->len; i++)
    {
      VmmNet *net = machine->nets->pdata[i];

      if (g_str_equal (net->dev->id, device_id))
        return net;
    }
  return NULL;
}

/* === Boot === */

gboolean
vmm_net_add_boot (VmmDevice *dev, const char *rom, GError **error)
{
  VmmPciDevice *pci = (VmmPciDevice *) dev;
  gint64 boot = vmm_device_get_int (dev, "boot");
  g_autofree char *path = vmm_device_dup_path (dev, "rom");

  if (path == NULL && boot < 0)
    return TRUE;
  if (path == NULL && (path = vmm_firmware_find_rom (rom, error)) == NULL)
    return FALSE;
  if (!vmm_pci_device_add_rom (pci, path, error))
    return FALSE;
  if (boot >= 0 && vmm_device_get_fw_cfg (dev) != NULL)
    {
      g_autofree char *place = (pci->devfn & 7) != 0
                                   ? g_strdup_printf ("/pci@i0cf8/ethernet@%x,%x/ethernet-phy@0", pci->devfn >> 3, pci->devfn & 7)
                                   : g_strdup_printf ("/pci@i0cf8/ethernet@%x/ethernet-phy@0", pci->devfn >> 3);

      vmm_fw_cfg_add_boot_path (vmm_device_get_fw_cfg (dev), (int) boot, place);
    }
  return TRUE;
}
