/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "net-probe.h"

#include "core/machine.h"

#include <string.h>

#define NPR_WAIT_US (5 * G_USEC_PER_SEC)

typedef struct {
  VmmDevice base;
  VmmNet *net;
  GAsyncQueue *frames;
  gint full, writable;
} NetProbe;

static NetProbeFrame *
npr_frame_new (const VmmNetHeader *header, gconstpointer data, gsize len)
{
  NetProbeFrame *frame = g_malloc0 (sizeof *frame + len);

  frame->has_header = header != NULL;
  if (header != NULL)
    frame->header = *header;
  frame->len = len;
  memcpy (frame->data, data, len);
  return frame;
}

static gboolean
npr_receive (VmmDevice *dev, guint queue, const VmmNetHeader *header, const guint8 *frame, gsize len)
{
  NetProbe *probe = (NetProbe *) dev;

  if (g_atomic_int_get (&probe->full))
    return FALSE;
  g_async_queue_push (probe->frames, npr_frame_new (header, frame, len));
  return TRUE;
}

static void
npr_writable (VmmDevice *dev, guint queue)
{
  g_atomic_int_inc (&((NetProbe *) dev)->writable);
}

static const VmmNetClient npr_client = { .receive = npr_receive, .writable = npr_writable };

static gboolean
npr_realize (VmmDevice *dev, GError **error)
{
  NetProbe *probe = (NetProbe *) dev;

  probe->frames = g_async_queue_new_full (g_free);
  probe->net = vmm_net_new (dev, &npr_client, 1, error);
  if (probe->net != NULL)
    return TRUE;
  g_async_queue_unref (probe->frames);
  return FALSE;
}

static void
npr_unrealize (VmmDevice *dev)
{
  NetProbe *probe = (NetProbe *) dev;

  vmm_net_free (probe->net);
  g_async_queue_unref (probe->frames);
}

static VmmDevice *
npr_make (TestBoard *board, GError **error, const char *id, va_list args)
{
  static const VmmDeviceClass class = {
    .name = "net-probe",
    .summary = "NIC of a test",
    .bus = VMM_DEVICE_SYSTEM,
    .instance_size = sizeof (NetProbe),
    .settings = vmm_net_settings,
    .realize = npr_realize,
    .unrealize = npr_unrealize,
  };
  g_autoptr (GHashTable) settings = g_hash_table_new (g_str_hash, g_str_equal);

  for (char *key; (key = va_arg (args, char *)) != NULL;)
    g_hash_table_insert (settings, key, va_arg (args, char *));
  return vmm_device_new (board->machine, &class, id, settings, error);
}

VmmDevice *
net_probe_try (TestBoard *board, GError **error, const char *id, ...)
{
  VmmDevice *dev;
  va_list args;

  va_start (args, id);
  dev = npr_make (board, error, id, args);
  va_end (args);
  return dev;
}

VmmDevice *
net_probe_add (TestBoard *board, const char *id, ...)
{
  g_autoptr (GError) error = NULL;
  VmmDevice *dev;
  va_list args;

  va_start (args, id);
  dev = npr_make (board, &error, id, args);
  va_end (args);
  g_assert_no_error (error);
  return dev;
}

void
net_probe_remove (TestBoard *board, VmmDevice *probe)
{
  g_ptr_array_remove (board->machine->devices, probe);
  vmm_device_free (probe);
}

VmmNet *
net_probe_get_net (VmmDevice *probe)
{
  return ((NetProbe *) probe)->net;
}

typedef struct {
  VmmNet *net;
  const VmmNetHeader *header;
  struct iovec iov;
  gboolean result;
} NprCall;

static void
npr_on_send (gpointer data)
{
  NprCall *call = data;

  call->result = vmm_net_send (call->net, 0, call->header, &call->iov, 1);
}

gboolean
net_probe_send (VmmDevice *probe, const VmmNetHeader *header, gconstpointer data, gsize len)
{
  NprCall call = { ((NetProbe *) probe)->net, header, { (gpointer) data, len }, FALSE };

  vmm_iothread_call_sync (vmm_device_get_iothread (probe), npr_on_send, &call);
  return call.result;
}

void
net_probe_set_full (VmmDevice *probe, gboolean full)
{
  g_atomic_int_set (&((NetProbe *) probe)->full, full);
  if (!full)
    vmm_net_receive_ready (((NetProbe *) probe)->net);
}

guint
net_probe_get_writable (VmmDevice *probe)
{
  return (guint) g_atomic_int_get (&((NetProbe *) probe)->writable);
}

NetProbeFrame *
net_probe_take (TestBoard *board, VmmDevice *dev, gboolean wait)
{
  NetProbe *probe = (NetProbe *) dev;
  gint64 deadline_us = g_get_monotonic_time () + NPR_WAIT_US;
  NetProbeFrame *frame;

  test_board_settle (board);
  while ((frame = g_async_queue_timeout_pop (probe->frames, 1000)) == NULL && wait && g_get_monotonic_time () < deadline_us)
    test_advance_ns (board, 1000 * 1000);
  return frame;
}

/* === The network === */

struct _NetWire {
  VmmNet *net;
  VmmDevice *dev;
  GAsyncQueue *frames;
  gint full, ready;
};

static gboolean
npr_wire_send (gpointer backend, guint queue, const VmmNetHeader *header, const struct iovec *iov, guint n_iov, gsize len)
{
  NetWire *wire = backend;
  g_autofree guint8 *whole = NULL;
  gsize at = 0;

  if (g_atomic_int_get (&wire->full))
    return FALSE;
  whole = g_malloc (len);
  for (guint i = 0; i < n_iov; i++)
    {
      memcpy (whole + at, iov[i].iov_base, iov[i].iov_len);
      at += iov[i].iov_len;
    }
  g_assert_cmpuint (at, ==, len);
  g_async_queue_push (wire->frames, npr_frame_new (header, whole, len));
  return TRUE;
}

static void
npr_wire_ready (gpointer backend)
{
  g_atomic_int_inc (&((NetWire *) backend)->ready);
}

static void
npr_wire_close (gpointer backend)
{
  NetWire *wire = backend;

  g_async_queue_unref (wire->frames);
  g_free (wire);
}

NetWire *
net_wire_new (TestBoard *board, const char *device_id, gboolean takes_sums)
{
  static const VmmNetOps plain = { .name = "wire",
                                   .close = npr_wire_close,
                                   .send = npr_wire_send,
                                   .receive_ready = npr_wire_ready };
  static const VmmNetOps able = {
    .name = "wire",
    .takes = VMM_NET_OFFLOAD_TSO4 | VMM_NET_OFFLOAD_TSO6 | VMM_NET_OFFLOAD_ECN,
    .takes_sums = TRUE,
    .close = npr_wire_close,
    .send = npr_wire_send,
    .receive_ready = npr_wire_ready,
  };
  NetWire *wire = g_new0 (NetWire, 1);

  wire->net = vmm_net_find (board->machine, device_id);
  g_assert_nonnull (wire->net);
  wire->dev = vmm_net_get_device (wire->net);
  wire->frames = g_async_queue_new_full (g_free);
  vmm_net_attach (wire->net, takes_sums ? &able : &plain, wire);
  return wire;
}

NetProbeFrame *
net_wire_take (NetWire *wire, gboolean wait)
{
  return g_async_queue_timeout_pop (wire->frames, wait ? NPR_WAIT_US : 20000);
}

typedef struct {
  NetWire *wire;
  const VmmNetHeader *header;
  gconstpointer data;
  gsize len;
  gboolean result;
} NprDelivery;

static void
npr_on_deliver (gpointer data)
{
  NprDelivery *delivery = data;

  delivery->result = vmm_net_deliver (delivery->wire->net, 0, delivery->header, delivery->data, delivery->len);
}

gboolean
net_wire_deliver (NetWire *wire, const VmmNetHeader *header, gconstpointer data, gsize len)
{
  NprDelivery delivery = { wire, header, data, len, FALSE };

  vmm_iothread_call_sync (vmm_device_get_iothread (wire->dev), npr_on_deliver, &delivery);
  return delivery.result;
}

static void
npr_on_writable (gpointer data)
{
  vmm_net_writable (((NetWire *) data)->net);
}

void
net_wire_set_full (NetWire *wire, gboolean full)
{
  g_atomic_int_set (&wire->full, full);
  if (!full)
    vmm_iothread_call_sync (vmm_device_get_iothread (wire->dev), npr_on_writable, wire);
}

guint
net_wire_get_ready (NetWire *wire)
{
  return (guint) g_atomic_int_get (&wire->ready);
}
