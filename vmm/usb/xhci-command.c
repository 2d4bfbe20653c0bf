/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The command ring: slots and their contexts (§4.6, §6.2). See xhci.c. Contexts have 32 bytes; the input context is copied before it is
 * looked at, and what the controller goes by afterwards is its own copy, never the guest's output context. */
#include "usb/xhci-private.h"

#include <string.h>

#define XCMD_MAX_LINKS 32
#define XCMD_SLOT_ENTRIES_SHIFT 27
#define XCMD_SLOT_STATE_SHIFT 27

typedef struct {
  guint32 words[8];
} XcmdContext;

/* §6.2.5: input control context, slot, endpoints 1 to 31 */
typedef struct {
  XcmdContext control, slot, ep[XHCI_ENDPOINTS];
} XcmdInput;
G_STATIC_ASSERT (sizeof (XcmdInput) == 33 * 32);

static gboolean
xcmd_read_input (Xhci *xhci, guint64 gpa, XcmdInput *ret)
{
  return _vmm_xhci_read_words (xhci, gpa, (guint32 *) (gpointer) ret, sizeof *ret / 4);
}

static guint32
xcmd_drop (const XcmdInput *input)
{
  return input->control.words[0];
}

static guint32
xcmd_add (const XcmdInput *input)
{
  return input->control.words[1];
}

/* === Slots === */

static void
xcmd_forget_endpoint (Xhci *xhci, guint slot, guint dci)
{
  XhciEndpointRegs *ep = &xhci->regs.slot[slot].ep[dci - 1];

  _vmm_xhci_endpoint_cancel (xhci, slot, dci);
  xhci->kicked[slot] &= ~(1u << dci);
  memset (ep, 0, sizeof *ep);
}

void
_vmm_xhci_disable_slot (Xhci *xhci, guint slot)
{
  for (guint dci = 1; dci <= XHCI_ENDPOINTS; dci++)
    xcmd_forget_endpoint (xhci, slot, dci);
  xhci->regs.slot[slot] = (XhciSlotRegs) { 0 };
}

/* State and address into the output slot context (§6.2.2). */
static gboolean
xcmd_set_slot_state (Xhci *xhci, guint slot, guint state)
{
  XhciSlotRegs *regs = &xhci->regs.slot[slot];
  guint32 word = state << XCMD_SLOT_STATE_SHIFT | (state >= XHCI_SLOT_ADDRESSED ? slot + 1 : 0);

  regs->state = state;
  return _vmm_xhci_write_words (xhci, regs->context + 12, &word, 1);
}

/* An endpoint's context into the controller and, as running, into the output context. Returns: a completion code. */
static guint
xcmd_set_up_endpoint (Xhci *xhci, guint slot, guint dci, const XcmdContext *context)
{
  XhciEndpointRegs *ep = &xhci->regs.slot[slot].ep[dci - 1];
  XcmdContext output = *context;
  guint type = context->words[1] >> 3 & 7;
  gboolean in = (dci & 1) != 0;

  if ((context->words[0] >> 10 & 0x1f) != 0) /* streams: there are none */
    return XHCI_CC_TRB;
  if (type == 0 || (dci == 1 && type != XHCI_EP_CONTROL) || (type > XHCI_EP_CONTROL && !in) || (type < XHCI_EP_CONTROL && in))
    return XHCI_CC_PARAMETER;
  _vmm_xhci_endpoint_cancel (xhci, slot, dci);
  *ep = (XhciEndpointRegs) { .dequeue = ((guint64) context->words[3] << 32 | context->words[2]) & ~G_GUINT64_CONSTANT (0xf),
                             .cycle = context->words[2] & 1,
                             .state = XHCI_EP_RUNNING,
                             .type = type,
                             .max_packet = context->words[1] >> 16 };
  output.words[0] = (output.words[0] & ~7u) | XHCI_EP_RUNNING;
  if (!_vmm_xhci_write_words (xhci, xhci->regs.slot[slot].context + dci * 32, output.words, 8))
    {
      _vmm_xhci_fail (xhci, "device context", xhci->regs.slot[slot].context);
      return XHCI_CC_TRB;
    }
  return XHCI_CC_SUCCESS;
}

static guint
xcmd_enable_slot (Xhci *xhci, guint *ret_slot)
{
  guint max = MIN (xhci->regs.config & 0xff, XHCI_SLOTS);

  for (guint i = 0; i < max; i++)
    if (!xhci->regs.slot[i].enabled)
      {
        xhci->regs.slot[i] = (XhciSlotRegs) { .enabled = TRUE };
        *ret_slot = i + 1;
        return XHCI_CC_SUCCESS;
      }
  return XHCI_CC_NO_SLOTS;
}

/* Does another slot have the device? */
static gboolean
xcmd_is_taken (Xhci *xhci, guint slot, VmmUsbDevice *dev)
{
  for (guint i = 0; i < XHCI_SLOTS; i++)
    if (i != slot && xhci->regs.slot[i].state >= XHCI_SLOT_DEFAULT && _vmm_xhci_slot_device (xhci, i) == dev)
      return TRUE;
  return FALSE;
}

/* §4.6.5 */
static guint
xcmd_address_device (Xhci *xhci, guint slot, const XhciTrb *trb)
{
  XhciSlotRegs *regs = &xhci->regs.slot[slot];
  gboolean block = (trb->control & XHCI_BSR) != 0;
  guint64 at = xhci->regs.dcbaap + (slot + 1) * 8;
  guint32 pointer[2];
  XcmdInput input;
  VmmUsbDevice *dev;
  guint port, code;

  if (!xcmd_read_input (xhci, trb->parameter & ~G_GUINT64_CONSTANT (0xf), &input) || !_vmm_xhci_read_words (xhci, at, pointer, 2))
    {
      _vmm_xhci_fail (xhci, "contexts of Address Device", trb->parameter);
      return XHCI_CC_TRB;
    }
  if (xcmd_drop (&input) != 0 || xcmd_add (&input) != 3)
    return XHCI_CC_TRB;
  if (regs->state >= XHCI_SLOT_ADDRESSED || (block && regs->state != XHCI_SLOT_ENABLED))
    return XHCI_CC_CONTEXT_STATE;
  port = input.slot.words[1] >> 16 & 0xff;
  if (port < 1 || port > XHCI_PORTS)
    return XHCI_CC_TRB;
  dev = vmm_usb_host_find (&xhci->host, port - 1, input.slot.words[0] & 0xfffff);
  if (dev == NULL || (xhci->regs.portsc[port - 1] & 2) == 0 || xcmd_is_taken (xhci, slot, dev))
    return XHCI_CC_TRANSACTION;
  regs->context = ((guint64) pointer[1] << 32 | pointer[0]) & ~G_GUINT64_CONSTANT (0x3f);
  regs->root_port = port;
  regs->route = input.slot.words[0] & 0xfffff;
  code = xcmd_set_up_endpoint (xhci, slot, 1, &input.ep[0]);
  if (code != XHCI_CC_SUCCESS)
    return code;
  memset (input.slot.words + 4, 0, 16);
  if (!_vmm_xhci_write_words (xhci, regs->context, input.slot.words, 8)
      || !xcmd_set_slot_state (xhci, slot, block ? XHCI_SLOT_DEFAULT : XHCI_SLOT_ADDRESSED))
    return XHCI_CC_TRB;
  return XHCI_CC_SUCCESS;
}

static void
xcmd_disable_endpoint (Xhci *xhci, guint slot, guint dci)
{
  static const guint32 nothing[8];

  xcmd_forget_endpoint (xhci, slot, dci);
  _vmm_xhci_write_words (xhci, xhci->regs.slot[slot].context + dci * 32, nothing, 8);
}

/* The last endpoint that is not disabled, into the slot context. */
static void
xcmd_set_entries (Xhci *xhci, guint slot)
{
  XhciSlotRegs *regs = &xhci->regs.slot[slot];
  guint last = 1;
  guint32 word;

  for (guint dci = 2; dci <= XHCI_ENDPOINTS; dci++)
    if (regs->ep[dci - 1].state != XHCI_EP_DISABLED)
      last = dci;
  if (!_vmm_xhci_read_words (xhci, regs->context, &word, 1))
    return;
  word = (word & ((1u << XCMD_SLOT_ENTRIES_SHIFT) - 1)) | last << XCMD_SLOT_ENTRIES_SHIFT;
  _vmm_xhci_write_words (xhci, regs->context, &word, 1);
}

/* §4.6.6 */
static guint
xcmd_configure (Xhci *xhci, guint slot, const XhciTrb *trb)
{
  XhciSlotRegs *regs = &xhci->regs.slot[slot];
  XcmdInput input;
  guint code = XHCI_CC_SUCCESS;

  if (regs->state < XHCI_SLOT_ADDRESSED)
    return XHCI_CC_CONTEXT_STATE;
  if ((trb->control & XHCI_DC) != 0)
    {
      for (guint dci = 2; dci <= XHCI_ENDPOINTS; dci++)
        xcmd_disable_endpoint (xhci, slot, dci);
      xcmd_set_entries (xhci, slot);
      xcmd_set_slot_state (xhci, slot, XHCI_SLOT_ADDRESSED);
      return XHCI_CC_SUCCESS;
    }
  if (!xcmd_read_input (xhci, trb->parameter & ~G_GUINT64_CONSTANT (0xf), &input))
    {
      _vmm_xhci_fail (xhci, "input context", trb->parameter);
      return XHCI_CC_TRB;
    }
  if ((xcmd_drop (&input) & 3) != 0 || (xcmd_add (&input) & 2) != 0)
    return XHCI_CC_TRB;
  for (guint dci = 2; dci <= XHCI_ENDPOINTS && code == XHCI_CC_SUCCESS; dci++)
    {
      if ((xcmd_drop (&input) & 1u << dci) != 0)
        xcmd_disable_endpoint (xhci, slot, dci);
      if ((xcmd_add (&input) & 1u << dci) != 0)
        code = xcmd_set_up_endpoint (xhci, slot, dci, &input.ep[dci - 1]);
    }
  if (code != XHCI_CC_SUCCESS)
    return code;
  if ((xcmd_add (&input) & 1) != 0) /* what a hub is told about itself: words 0 to 2 */
    {
      guint32 words[3] = { (input.slot.words[0] & ~0xfffffu) | regs->route,
                           (input.slot.words[1] & ~0xff0000u) | regs->root_port << 16, input.slot.words[2] };

      _vmm_xhci_write_words (xhci, regs->context, words, 3);
    }
  xcmd_set_entries (xhci, slot);
  xcmd_set_slot_state (xhci, slot, XHCI_SLOT_CONFIGURED);
  return XHCI_CC_SUCCESS;
}

/* §4.6.7 */
static guint
xcmd_evaluate (Xhci *xhci, guint slot, const XhciTrb *trb)
{
  XhciSlotRegs *regs = &xhci->regs.slot[slot];
  XcmdInput input;
  guint32 words[3];

  if (regs->state < XHCI_SLOT_DEFAULT)
    return XHCI_CC_CONTEXT_STATE;
  if (!xcmd_read_input (xhci, trb->parameter & ~G_GUINT64_CONSTANT (0xf), &input)
      || !_vmm_xhci_read_words (xhci, regs->context, words, 3))
    {
      _vmm_xhci_fail (xhci, "contexts of Evaluate Context", trb->parameter);
      return XHCI_CC_TRB;
    }
  if (xcmd_drop (&input) != 0 || (xcmd_add (&input) & ~3u) != 0)
    return XHCI_CC_TRB;
  if ((xcmd_add (&input) & 1) != 0) /* maximum exit latency, interrupter */
    {
      words[1] = (words[1] & ~0xffffu) | (input.slot.words[1] & 0xffff);
      words[2] = (words[2] & 0x3fffff) | (input.slot.words[2] & ~0x3fffffu);
      _vmm_xhci_write_words (xhci, regs->context, words, 3);
    }
  if ((xcmd_add (&input) & 2) != 0) /* maximum packet size */
    {
      guint32 word;

      if (!_vmm_xhci_read_words (xhci, regs->context + 32 + 4, &word, 1))
        return XHCI_CC_TRB;
      word = (word & 0xffff) | (input.ep[0].words[1] & 0xffff0000u);
      regs->ep[0].max_packet = word >> 16;
      _vmm_xhci_write_words (xhci, regs->context + 32 + 4, &word, 1);
    }
  return XHCI_CC_SUCCESS;
}

/* §4.6.11 */
static guint
xcmd_reset_device (Xhci *xhci, guint slot)
{
  XhciSlotRegs *regs = &xhci->regs.slot[slot];

  if (regs->state < XHCI_SLOT_ADDRESSED)
    return XHCI_CC_CONTEXT_STATE;
  for (guint dci = 2; dci <= XHCI_ENDPOINTS; dci++)
    xcmd_disable_endpoint (xhci, slot, dci);
  _vmm_xhci_endpoint_cancel (xhci, slot, 1);
  xcmd_set_entries (xhci, slot);
  xcmd_set_slot_state (xhci, slot, XHCI_SLOT_DEFAULT);
  return XHCI_CC_SUCCESS;
}

/* === Endpoints === */

/* §4.6.8 */
static guint
xcmd_reset_endpoint (Xhci *xhci, guint slot, guint dci)
{
  if (xhci->regs.slot[slot].ep[dci - 1].state != XHCI_EP_HALTED)
    return XHCI_CC_CONTEXT_STATE;
  _vmm_xhci_endpoint_cancel (xhci, slot, dci);
  _vmm_xhci_endpoint_set_state (xhci, slot, dci, XHCI_EP_STOPPED);
  return XHCI_CC_SUCCESS;
}

/* §4.6.9 */
static guint
xcmd_stop_endpoint (Xhci *xhci, guint slot, guint dci)
{
  if (xhci->regs.slot[slot].ep[dci - 1].state != XHCI_EP_RUNNING)
    return XHCI_CC_CONTEXT_STATE;
  _vmm_xhci_endpoint_tell_stopped (xhci, slot, dci);
  _vmm_xhci_endpoint_cancel (xhci, slot, dci);
  xhci->kicked[slot] &= ~(1u << dci);
  _vmm_xhci_endpoint_set_state (xhci, slot, dci, XHCI_EP_STOPPED);
  return XHCI_CC_SUCCESS;
}

/* §4.6.10 */
static guint
xcmd_set_dequeue (Xhci *xhci, guint slot, guint dci, const XhciTrb *trb)
{
  XhciEndpointRegs *ep = &xhci->regs.slot[slot].ep[dci - 1];

  if (ep->state != XHCI_EP_STOPPED && ep->state != XHCI_EP_ERROR)
    return XHCI_CC_CONTEXT_STATE;
  _vmm_xhci_endpoint_cancel (xhci, slot, dci);
  ep->dequeue = trb->parameter & ~G_GUINT64_CONSTANT (0xf);
  ep->cycle = trb->parameter & 1;
  _vmm_xhci_endpoint_set_state (xhci, slot, dci, XHCI_EP_STOPPED);
  return XHCI_CC_SUCCESS;
}

/* §4.6.15, §6.2.6: of each port 80 % of the bandwidth is there to be had. */
static guint
xcmd_get_bandwidth (Xhci *xhci, const XhciTrb *trb)
{
  guint8 bytes[12] = { 0 };
  guint32 words[3];

  G_STATIC_ASSERT (sizeof bytes > XHCI_PORTS);
  memset (bytes + 1, 80, XHCI_PORTS);
  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    words[i] = (guint32) bytes[4 * i] | (guint32) bytes[4 * i + 1] << 8 | (guint32) bytes[4 * i + 2] << 16
               | (guint32) bytes[4 * i + 3] << 24;
  if (!_vmm_xhci_write_words (xhci, trb->parameter & ~G_GUINT64_CONSTANT (0xf), words, G_N_ELEMENTS (words)))
    return XHCI_CC_TRB;
  return XHCI_CC_SUCCESS;
}

/* === The ring === */

/* Commands about an endpoint of a slot. */
static guint
xcmd_endpoint_command (Xhci *xhci, guint slot, const XhciTrb *trb)
{
  guint dci = trb->control >> 16 & 0x1f;

  if (dci == 0)
    return XHCI_CC_TRB;
  if (xhci->regs.slot[slot].ep[dci - 1].state == XHCI_EP_DISABLED)
    return XHCI_CC_EP_NOT_ENABLED;
  switch (_vmm_xhci_trb_type (trb))
    {
    case XHCI_TRB_RESET_ENDPOINT:
      return xcmd_reset_endpoint (xhci, slot, dci);
    case XHCI_TRB_STOP_ENDPOINT:
      return xcmd_stop_endpoint (xhci, slot, dci);
    default:
      return xcmd_set_dequeue (xhci, slot, dci, trb);
    }
}

static guint
xcmd_slot_command (Xhci *xhci, guint slot, const XhciTrb *trb)
{
  switch (_vmm_xhci_trb_type (trb))
    {
    case XHCI_TRB_DISABLE_SLOT:
      if (xhci->regs.slot[slot].context != 0)
        xcmd_set_slot_state (xhci, slot, XHCI_SLOT_ENABLED);
      _vmm_xhci_disable_slot (xhci, slot);
      return XHCI_CC_SUCCESS;
    case XHCI_TRB_ADDRESS_DEVICE:
      return xcmd_address_device (xhci, slot, trb);
    case XHCI_TRB_CONFIGURE_ENDPOINT:
      return xcmd_configure (xhci, slot, trb);
    case XHCI_TRB_EVALUATE_CONTEXT:
      return xcmd_evaluate (xhci, slot, trb);
    case XHCI_TRB_RESET_DEVICE:
      return xcmd_reset_device (xhci, slot);
    default:
      return xcmd_endpoint_command (xhci, slot, trb);
    }
}

static void
xcmd_execute (Xhci *xhci, guint64 at, const XhciTrb *trb)
{
  guint slot = trb->control >> 24, code;

  switch (_vmm_xhci_trb_type (trb))
    {
    case XHCI_TRB_NO_OP_COMMAND:
      code = XHCI_CC_SUCCESS;
      slot = 0;
      break;
    case XHCI_TRB_ENABLE_SLOT:
      slot = 0;
      code = xcmd_enable_slot (xhci, &slot);
      break;
    case XHCI_TRB_GET_BANDWIDTH:
      code = xcmd_get_bandwidth (xhci, trb);
      break;
    case XHCI_TRB_DISABLE_SLOT:
    case XHCI_TRB_ADDRESS_DEVICE:
    case XHCI_TRB_CONFIGURE_ENDPOINT:
    case XHCI_TRB_EVALUATE_CONTEXT:
    case XHCI_TRB_RESET_ENDPOINT:
    case XHCI_TRB_STOP_ENDPOINT:
    case XHCI_TRB_SET_DEQUEUE:
    case XHCI_TRB_RESET_DEVICE:
      if (slot < 1 || slot > XHCI_SLOTS)
        code = XHCI_CC_TRB;
      else if (!xhci->regs.slot[slot - 1].enabled)
        code = XHCI_CC_SLOT_NOT_ENABLED;
      else
        code = xcmd_slot_command (xhci, slot - 1, trb);
      break;
    default:
      vmm_guest_error (&xhci->pci.base, "unknown command of type %u", _vmm_xhci_trb_type (trb));
      code = XHCI_CC_TRB;
      break;
    }
  _vmm_xhci_event (xhci, 0,
                   (XhciTrb) { .parameter = at,
                               .status = code << 24,
                               .control = slot << 24 | (guint32) XHCI_TRB_COMMAND_EVENT << 10 },
                   FALSE);
}

void
_vmm_xhci_command_run (Xhci *xhci)
{
  guint budget = XHCI_BUDGET, links = 0;

  xhci->command_kicked = FALSE;
  while (_vmm_xhci_is_running (xhci) && xhci->regs.command_running)
    {
      guint64 at = xhci->regs.crcr & ~G_GUINT64_CONSTANT (0xf);
      XhciTrb trb;

      if (xhci->quiesced || budget-- == 0 || !_vmm_xhci_can_report (xhci))
        {
          xhci->command_kicked = TRUE;
          if (!xhci->quiesced && _vmm_xhci_can_report (xhci))
            _vmm_xhci_schedule (xhci);
          return;
        }
      if (!_vmm_xhci_read_trb (xhci, at, &trb))
        {
          _vmm_xhci_fail (xhci, "command ring", at);
          return;
        }
      if ((trb.control & XHCI_C) != (xhci->regs.crcr & XHCI_CRCR_RCS))
        return;
      if (_vmm_xhci_trb_type (&trb) == XHCI_TRB_LINK)
        {
          guint32 cycle = (guint32) (xhci->regs.crcr & XHCI_CRCR_RCS) ^ ((trb.control & XHCI_TC) != 0 ? 1 : 0);

          if (++links > XCMD_MAX_LINKS)
            {
              _vmm_xhci_fail (xhci, "command ring of links only", at);
              return;
            }
          xhci->regs.crcr = (trb.parameter & ~G_GUINT64_CONSTANT (0xf)) | cycle;
          continue;
        }
      xhci->regs.crcr = (at + 16) | (xhci->regs.crcr & XHCI_CRCR_RCS);
      xcmd_execute (xhci, at, &trb);
    }
}

/* §4.6.1.1, §4.6.1.2: each command is done when the next instruction of the guest runs, so there's never one to abort. */
void
_vmm_xhci_command_stop (Xhci *xhci)
{
  if (!xhci->regs.command_running)
    return;
  xhci->regs.command_running = FALSE;
  _vmm_xhci_event (xhci, 0,
                   (XhciTrb) { .parameter = xhci->regs.crcr & ~G_GUINT64_CONSTANT (0xf),
                               .status = (guint32) XHCI_CC_COMMAND_RING_STOPPED << 24,
                               .control = (guint32) XHCI_TRB_COMMAND_EVENT << 10 },
                   FALSE);
}
