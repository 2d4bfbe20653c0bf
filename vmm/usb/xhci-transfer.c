/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Endpoints: transfer rings, packets for devices, transfer events. See xhci.c.
 *
 * A TD (for control pipes: the three stages together) is copied out of its ring, made a packet over the guest's pages and submitted. The
 * queue of an endpoint holds what was taken from the ring after its dequeue pointer; TDs leave it in order. A cancelled TD is simply
 * forgotten: the ring still holds it. */
#include "usb/xhci-private.h"

#define XTR_MAX_TRBS 4096
#define XTR_MAX_LINKS 64
#define XTR_MAX_BYTES (32u << 20)
#define XTR_LENGTH 0x1ffffu
#define XTR_MAX_IN_FLIGHT 256

typedef struct {
  XhciTrb trb;
  guint64 at;    /* gpa */
  guint32 cycle; /* with which it was valid */
} XtrTrb;

typedef struct {
  VmmUsbPacket packet; /* first */
  Xhci *xhci;
  guint slot, dci;
  XtrTrb *trbs;
  guint n_trbs;
  struct iovec *iov; /* (nullable) */
  guint64 next;      /* where the ring goes on */
  guint32 next_cycle;
  gboolean done;
  gboolean silent; /* nothing goes over the wire: no-op and event data TRBs alone */
  guint fault;     /* completion code of a TD that is none; 0: sound */
} XhciTransfer;

static void
xtr_free (XhciTransfer *transfer)
{
  g_free (transfer->trbs);
  g_free (transfer->iov);
  g_free (transfer);
}

static XhciEndpointRegs *
xtr_regs (Xhci *xhci, guint slot, guint dci)
{
  return &xhci->regs.slot[slot].ep[dci - 1];
}

VmmUsbDevice *
_vmm_xhci_slot_device (Xhci *xhci, guint slot)
{
  const XhciSlotRegs *regs = &xhci->regs.slot[slot];

  if (!regs->enabled || regs->root_port < 1 || regs->root_port > XHCI_PORTS)
    return NULL;
  return vmm_usb_host_find (&xhci->host, regs->root_port - 1, regs->route);
}

void
_vmm_xhci_endpoint_set_state (Xhci *xhci, guint slot, guint dci, guint state)
{
  XhciEndpointRegs *regs = xtr_regs (xhci, slot, dci);
  guint64 context = xhci->regs.slot[slot].context + dci * 32;
  guint32 info, pointer[2];

  regs->state = state;
  pointer[0] = (guint32) regs->dequeue | (regs->cycle & 1);
  pointer[1] = (guint32) (regs->dequeue >> 32);
  if (!_vmm_xhci_read_words (xhci, context, &info, 1))
    {
      _vmm_xhci_fail (xhci, "device context", context);
      return;
    }
  info = (info & ~7u) | state;
  _vmm_xhci_write_words (xhci, context, &info, 1);
  _vmm_xhci_write_words (xhci, context + 8, pointer, 2);
}

/* === Out of the ring === */

typedef enum { XTR_TD, XTR_NOTHING, XTR_BROKEN } XtrFetch;

static gboolean
xtr_is_data (guint type)
{
  return type == XHCI_TRB_NORMAL || type == XHCI_TRB_DATA || type == XHCI_TRB_ISOCH;
}

/* Copies a TD. What is not there yet as a whole stays in the ring. */
static XtrFetch
xtr_fetch (Xhci *xhci, guint64 at, guint32 cycle, XhciTransfer *transfer)
{
  g_autoptr (GArray) trbs = g_array_sized_new (FALSE, FALSE, sizeof (XtrTrb), 4);
  guint links = 0;
  gboolean control = FALSE, whole = FALSE;

  while (!whole)
    {
      XtrTrb entry = { .at = at, .cycle = cycle };
      guint type;

      if (!_vmm_xhci_read_trb (xhci, at, &entry.trb))
        {
          vmm_guest_error (&xhci->pci.base, "slot %u: a transfer ring leads to 0x%" G_GINT64_MODIFIER "x, which is no memory",
                           transfer->slot + 1, at);
          return XTR_BROKEN;
        }
      if ((entry.trb.control & XHCI_C) != cycle)
        return XTR_NOTHING;
      type = _vmm_xhci_trb_type (&entry.trb);
      if (type == XHCI_TRB_LINK)
        {
          if (++links > XTR_MAX_LINKS)
            {
              vmm_guest_error (&xhci->pci.base, "slot %u: a transfer ring of links only", transfer->slot + 1);
              return XTR_BROKEN;
            }
          at = entry.trb.parameter & ~G_GUINT64_CONSTANT (0xf);
          if ((entry.trb.control & XHCI_TC) != 0)
            cycle ^= 1;
          continue;
        }
      if (trbs->len == XTR_MAX_TRBS)
        {
          vmm_guest_error (&xhci->pci.base, "slot %u: a TD of more than %u TRBs", transfer->slot + 1, XTR_MAX_TRBS);
          return XTR_BROKEN;
        }
      g_array_append_val (trbs, entry);
      at += 16;
      if (type == XHCI_TRB_SETUP)
        control = TRUE;
      else if (type == XHCI_TRB_STATUS)
        control = FALSE; /* the last stage; event data may follow, chained */
      whole = !control && (entry.trb.control & XHCI_CH) == 0;
    }
  transfer->n_trbs = trbs->len;
  transfer->trbs = (XtrTrb *) (gpointer) g_array_free (g_steal_pointer (&trbs), FALSE);
  transfer->next = at;
  transfer->next_cycle = cycle;
  return XTR_TD;
}

/* The guest's pages, in order. FALSE: there are none where it says. */
static gboolean
xtr_map (XhciTransfer *transfer)
{
  VmmUsbPacket *packet = &transfer->packet;
  guint64 total = 0;

  transfer->iov = g_new (struct iovec, MAX (transfer->n_trbs, 1));
  packet->iov = transfer->iov;
  for (guint i = 0; i < transfer->n_trbs; i++)
    {
      XhciTrb *trb = &transfer->trbs[i].trb;
      guint32 len = trb->status & XTR_LENGTH;
      gpointer host;

      if (!xtr_is_data (_vmm_xhci_trb_type (trb)) || len == 0)
        continue;
      if ((trb->control & XHCI_IDT) != 0)
        {
          if (len > 8 || packet->in)
            return FALSE;
          trb->parameter = GUINT64_TO_LE (trb->parameter);
          host = &trb->parameter;
        }
      else
        host = vmm_pci_dma_map (&transfer->xhci->pci, trb->parameter, len);
      total += len;
      if (host == NULL || total > XTR_MAX_BYTES)
        return FALSE;
      transfer->iov[packet->n_iov++] = (struct iovec) { host, len };
    }
  packet->size = total;
  return TRUE;
}

/* Takes bytes off the end: the guest gave more room than its request asks for. */
static void
xtr_trim (XhciTransfer *transfer, gsize size)
{
  VmmUsbPacket *packet = &transfer->packet;
  gsize excess = packet->size > size ? packet->size - size : 0;

  packet->size -= excess;
  while (excess > 0)
    {
      struct iovec *last = &transfer->iov[packet->n_iov - 1];
      gsize n = MIN (last->iov_len, excess);

      last->iov_len -= n;
      excess -= n;
      if (last->iov_len == 0)
        packet->n_iov--;
    }
}

/* §4.11.2.2: setup in the first TRB, data in the middle, status at the end. */
static gboolean
xtr_parse_control (XhciTransfer *transfer)
{
  const XhciTrb *setup = &transfer->trbs[0].trb;
  guint64 bytes = setup->parameter;
  VmmUsbPacket *packet = &transfer->packet;

  if (_vmm_xhci_trb_type (setup) != XHCI_TRB_SETUP || (setup->control & XHCI_IDT) == 0 || (setup->status & XTR_LENGTH) != 8)
    return FALSE;
  for (guint i = 1; i < transfer->n_trbs; i++)
    if (_vmm_xhci_trb_type (&transfer->trbs[i].trb) == XHCI_TRB_SETUP)
      return FALSE;
  packet->setup = (VmmUsbSetup) { .request_type = (guint8) bytes,
                                  .request = (guint8) (bytes >> 8),
                                  .value = (guint16) (bytes >> 16),
                                  .index = (guint16) (bytes >> 32),
                                  .length = (guint16) (bytes >> 48) };
  packet->in = (packet->setup.request_type & 0x80) != 0;
  if (!xtr_map (transfer))
    return FALSE;
  xtr_trim (transfer, packet->setup.length);
  /* No data where the request promises some to the device. */
  if (!packet->in && packet->size < packet->setup.length)
    packet->setup.length = (guint16) packet->size;
  return TRUE;
}

static gboolean
xtr_parse (XhciTransfer *transfer)
{
  static const VmmUsbType types[8] = { VMM_USB_CONTROL, VMM_USB_ISOCHRONOUS, VMM_USB_BULK, VMM_USB_INTERRUPT,
                                       VMM_USB_CONTROL, VMM_USB_ISOCHRONOUS, VMM_USB_BULK, VMM_USB_INTERRUPT };
  const XhciEndpointRegs *regs = xtr_regs (transfer->xhci, transfer->slot, transfer->dci);
  VmmUsbPacket *packet = &transfer->packet;

  packet->type = types[regs->type & 7];
  packet->endpoint = transfer->dci / 2;
  if (packet->type == VMM_USB_CONTROL)
    return xtr_parse_control (transfer);
  packet->in = (transfer->dci & 1) != 0;
  transfer->silent = TRUE;
  for (guint i = 0; i < transfer->n_trbs; i++)
    {
      guint type = _vmm_xhci_trb_type (&transfer->trbs[i].trb);

      if (type != XHCI_TRB_NORMAL && type != XHCI_TRB_ISOCH && type != XHCI_TRB_EVENT_DATA && type != XHCI_TRB_NO_OP)
        return FALSE;
      if (xtr_is_data (type))
        transfer->silent = FALSE;
    }
  return xtr_map (transfer);
}

/* === Events, §4.10, §4.11 === */

static void
xtr_tell (XhciTransfer *transfer, const XtrTrb *at, guint code, guint32 left, guint32 edtla)
{
  gboolean data = _vmm_xhci_trb_type (&at->trb) == XHCI_TRB_EVENT_DATA;
  XhciTrb event = { .parameter = data ? at->trb.parameter : at->at,
                    .status = (guint32) code << 24 | ((data ? edtla : left) & 0xffffff),
                    .control = (guint32) (transfer->slot + 1) << 24 | transfer->dci << 16 | XHCI_TRB_TRANSFER_EVENT << 10
                               | (data ? XHCI_ED : 0) };

  _vmm_xhci_event (transfer->xhci, at->trb.status >> 22, event, (at->trb.control & XHCI_BEI) != 0 && code == XHCI_CC_SUCCESS);
}

static guint
xtr_code (VmmUsbStatus status)
{
  switch (status)
    {
    case VMM_USB_OK:
      return XHCI_CC_SUCCESS;
    case VMM_USB_STALL:
      return XHCI_CC_STALL;
    case VMM_USB_BABBLE:
      return XHCI_CC_BABBLE;
    case VMM_USB_PENDING:
    case VMM_USB_FAILED:
    default:
      return XHCI_CC_TRANSACTION;
    }
}

/* The TRB in which the transfer failed: the first whose data were not all moved, else the last of the data or the status stage. */
static guint
xtr_failed_trb (const XhciTransfer *transfer, guint32 *ret_left)
{
  gsize moved = transfer->packet.actual;
  guint last = 0;

  *ret_left = 0;
  for (guint i = 0; i < transfer->n_trbs; i++)
    {
      guint type = _vmm_xhci_trb_type (&transfer->trbs[i].trb);
      guint32 len = transfer->trbs[i].trb.status & XTR_LENGTH;

      if (xtr_is_data (type) && len > moved)
        {
          *ret_left = len - (guint32) moved;
          return i;
        }
      if (xtr_is_data (type))
        moved -= len;
      if (type != XHCI_TRB_EVENT_DATA)
        last = i;
    }
  return last;
}

static void
xtr_tell_good (XhciTransfer *transfer)
{
  gsize left = transfer->packet.actual;
  guint32 edtla = 0;
  gboolean is_short = FALSE, told = FALSE;

  for (guint i = 0; i < transfer->n_trbs; i++)
    {
      const XtrTrb *entry = &transfer->trbs[i];
      guint type = _vmm_xhci_trb_type (&entry->trb);
      guint32 len = xtr_is_data (type) ? entry->trb.status & XTR_LENGTH : 0;
      guint32 chunk = (guint32) MIN (len, left);
      gboolean wants = (entry->trb.control & XHCI_IOC) != 0;

      if (type == XHCI_TRB_STATUS)
        is_short = told = FALSE;
      left -= chunk;
      edtla += chunk;
      if (chunk < len && !is_short)
        {
          is_short = TRUE;
          wants = wants || (entry->trb.control & XHCI_ISP) != 0;
        }
      if (wants && !(is_short && told))
        {
          xtr_tell (transfer, entry, is_short ? XHCI_CC_SHORT : XHCI_CC_SUCCESS, len - chunk, edtla);
          told = is_short;
        }
      if (type == XHCI_TRB_EVENT_DATA)
        edtla = 0;
    }
}

/* A TD is done; its events. Returns: FALSE if the endpoint stops with it. */
static gboolean
xtr_report (XhciTransfer *transfer)
{
  Xhci *xhci = transfer->xhci;
  XhciEndpointRegs *regs = xtr_regs (xhci, transfer->slot, transfer->dci);
  gboolean isoch = regs->type == XHCI_EP_ISOCH_IN || regs->type == XHCI_EP_ISOCH_OUT;
  guint code = transfer->fault != 0 ? transfer->fault : xtr_code (transfer->packet.status);
  guint32 left;
  guint failed;

  regs->dequeue = transfer->next;
  regs->cycle = transfer->next_cycle;
  if (code == XHCI_CC_SUCCESS)
    {
      xtr_tell_good (transfer);
      return TRUE;
    }
  failed = xtr_failed_trb (transfer, &left);
  if (!isoch) /* isochronous pipes go on (§4.10.2.3) */
    {
      regs->dequeue = transfer->trbs[failed].at;
      regs->cycle = transfer->trbs[failed].cycle;
      _vmm_xhci_endpoint_set_state (xhci, transfer->slot, transfer->dci, code == XHCI_CC_TRB ? XHCI_EP_ERROR : XHCI_EP_HALTED);
    }
  xtr_tell (transfer, &transfer->trbs[failed], code, left, 0);
  return isoch;
}

/* === In flight === */

gboolean
_vmm_xhci_endpoint_cancel (Xhci *xhci, guint slot, guint dci)
{
  XhciEndpoint *ep = &xhci->ep[slot][dci - 1];
  XhciTransfer *transfer;
  gboolean any = FALSE;

  while ((transfer = g_queue_pop_tail (&ep->transfers)) != NULL)
    {
      VmmUsbPacket *packet = &transfer->packet;

      any = TRUE;
      if (packet->pending)
        {
          packet->pending = FALSE;
          packet->dev->ops->cancel (packet->dev, packet);
        }
      xtr_free (transfer);
    }
  return any;
}

void
_vmm_xhci_endpoint_tell_stopped (Xhci *xhci, guint slot, guint dci)
{
  XhciTransfer *transfer = g_queue_peek_head (&xhci->ep[slot][dci - 1].transfers);

  if (transfer != NULL)
    xtr_tell (transfer, &transfer->trbs[0], XHCI_CC_STOPPED,
              xtr_is_data (_vmm_xhci_trb_type (&transfer->trbs[0].trb)) ? transfer->trbs[0].trb.status & XTR_LENGTH : 0, 0);
}

void
_vmm_xhci_cancel_all (Xhci *xhci)
{
  for (guint slot = 0; slot < XHCI_SLOTS; slot++)
    for (guint dci = 1; xhci->regs.slot[slot].enabled && dci <= XHCI_ENDPOINTS; dci++)
      {
        _vmm_xhci_endpoint_cancel (xhci, slot, dci);
        if (xtr_regs (xhci, slot, dci)->state == XHCI_EP_RUNNING)
          xhci->kicked[slot] |= 1u << dci;
      }
}

/* What is at the head of the queue and done leaves. */
static void
xtr_retire (Xhci *xhci, guint slot, guint dci)
{
  XhciEndpoint *ep = &xhci->ep[slot][dci - 1];
  XhciTransfer *transfer;

  while ((transfer = g_queue_peek_head (&ep->transfers)) != NULL && transfer->done)
    {
      gboolean goes_on;

      g_queue_pop_head (&ep->transfers);
      goes_on = xtr_report (transfer);
      xtr_free (transfer);
      if (!goes_on)
        _vmm_xhci_endpoint_cancel (xhci, slot, dci);
    }
}

static void
xtr_submit (XhciTransfer *transfer)
{
  Xhci *xhci = transfer->xhci;
  VmmUsbPacket *packet = &transfer->packet;
  const XhciSlotRegs *slot = &xhci->regs.slot[transfer->slot];
  VmmUsbStatus status = VMM_USB_FAILED;

  packet->dev = _vmm_xhci_slot_device (xhci, transfer->slot);
  if (!xtr_parse (transfer))
    {
      guint type = _vmm_xhci_trb_type (&transfer->trbs[0].trb);

      if (transfer->n_trbs == 1 && type == XHCI_TRB_NO_OP)
        status = VMM_USB_OK; /* on a control pipe too (§6.4.1.4) */
      else
        {
          vmm_guest_error (&xhci->pci.base, "slot %u endpoint %u: a bad TD (first TRB of type %u)", transfer->slot + 1,
                           transfer->dci, type);
          transfer->fault = XHCI_CC_TRB;
        }
    }
  else if (transfer->silent)
    status = VMM_USB_OK;
  else if (packet->dev != NULL && (xhci->regs.portsc[slot->root_port - 1] & 2) != 0)
    {
      packet->pending = TRUE;
      status = packet->dev->ops->submit (packet->dev, packet);
      if (status == VMM_USB_PENDING)
        return;
      packet->pending = FALSE;
    }
  packet->status = status;
  transfer->done = TRUE;
}

void
_vmm_xhci_endpoint_run (Xhci *xhci, guint slot, guint dci)
{
  XhciEndpoint *ep = &xhci->ep[slot][dci - 1];
  XhciEndpointRegs *regs = xtr_regs (xhci, slot, dci);
  guint budget = XHCI_BUDGET;

  if (ep->running)
    return;
  ep->running = TRUE;
  xhci->kicked[slot] &= ~(1u << dci);
  while (xhci->regs.slot[slot].enabled && regs->state == XHCI_EP_RUNNING && _vmm_xhci_is_running (xhci))
    {
      VmmUsbDevice *dev = _vmm_xhci_slot_device (xhci, slot);
      guint in_flight = dev != NULL && dci > 1 ? CLAMP (dev->max_in_flight, 1, XTR_MAX_IN_FLIGHT) : 1;
      XhciTransfer *tail = g_queue_peek_tail (&ep->transfers), *transfer;
      XtrFetch fetched;

      if (g_queue_get_length (&ep->transfers) >= in_flight)
        break;
      if (xhci->quiesced || budget-- == 0 || !_vmm_xhci_can_report (xhci))
        {
          xhci->kicked[slot] |= 1u << dci;
          if (!xhci->quiesced && _vmm_xhci_can_report (xhci))
            _vmm_xhci_schedule (xhci);
          break;
        }
      transfer = g_new0 (XhciTransfer, 1);
      transfer->xhci = xhci;
      transfer->slot = slot;
      transfer->dci = dci;
      fetched = xtr_fetch (xhci, tail != NULL ? tail->next : regs->dequeue, tail != NULL ? tail->next_cycle : regs->cycle,
                           transfer);
      if (fetched != XTR_TD)
        {
          xtr_free (transfer);
          if (fetched == XTR_BROKEN && tail == NULL)
            _vmm_xhci_endpoint_set_state (xhci, slot, dci, XHCI_EP_ERROR);
          break;
        }
      g_queue_push_tail (&ep->transfers, transfer);
      xtr_submit (transfer);
      xtr_retire (xhci, slot, dci);
    }
  ep->running = FALSE;
}

void
_vmm_xhci_on_complete (VmmUsbHost *host, VmmUsbPacket *packet)
{
  XhciTransfer *transfer = (XhciTransfer *) packet;
  Xhci *xhci = transfer->xhci;
  guint slot = transfer->slot, dci = transfer->dci;

  transfer->done = TRUE;
  if (xhci->ep[slot][dci - 1].running)
    return; /* retired there */
  xtr_retire (xhci, slot, dci);
  _vmm_xhci_endpoint_run (xhci, slot, dci);
}

void
_vmm_xhci_on_device_reset (VmmUsbHost *host, VmmUsbDevice *dev)
{
  Xhci *xhci = (Xhci *) host->controller;

  for (guint slot = 0; slot < XHCI_SLOTS; slot++)
    if (_vmm_xhci_slot_device (xhci, slot) == dev)
      for (guint dci = 1; dci <= XHCI_ENDPOINTS; dci++)
        _vmm_xhci_endpoint_cancel (xhci, slot, dci);
}

void
_vmm_xhci_on_device_gone (VmmUsbHost *host, VmmUsbDevice *dev)
{
  Xhci *xhci = (Xhci *) host->controller;

  for (guint slot = 0; slot < XHCI_SLOTS; slot++)
    {
      if (_vmm_xhci_slot_device (xhci, slot) != dev)
        continue;
      for (guint dci = 1; dci <= XHCI_ENDPOINTS; dci++)
        {
          XhciTransfer *transfer = g_queue_peek_head (&xhci->ep[slot][dci - 1].transfers);

          for (GList *link = xhci->ep[slot][dci - 1].transfers.tail; link != NULL; link = link->prev)
            {
              VmmUsbPacket *packet = link->data;

              if (packet->pending)
                {
                  packet->pending = FALSE;
                  dev->ops->cancel (dev, packet);
                  packet->actual = 0;
                  packet->status = VMM_USB_FAILED;
                  ((XhciTransfer *) link->data)->done = TRUE;
                }
            }
          if (transfer != NULL)
            xtr_retire (xhci, slot, dci);
        }
    }
}
