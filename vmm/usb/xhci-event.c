/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Interrupters: event rings and interrupts. See xhci.c.
 *
 * An event that finds its ring full is held, after the Event Ring Full event took the last place (§4.9.4); while one is held nothing new
 * is started, so few ever are. */
#include "usb/xhci-private.h"

#define XEV_IMOD_NS 250 /* the unit of IMODI, §5.5.2.2 */
#define XEV_MIN_SEGMENT 16
#define XEV_MAX_SEGMENT 4096
#define XEV_MFINDEX_NS 125000

/* Looks the segment up in the event ring segment table (§6.5). */
static gboolean
xev_load_segment (Xhci *xhci, XhciInterrupterRegs *intr)
{
  guint64 at = intr->erstba + intr->segment_index * 16;
  guint32 words[4];

  if (!_vmm_xhci_read_words (xhci, at, words, 4))
    {
      _vmm_xhci_fail (xhci, "event ring segment table", at);
      return FALSE;
    }
  intr->segment = ((guint64) words[1] << 32 | words[0]) & ~G_GUINT64_CONSTANT (0x3f);
  intr->segment_size = words[2] & 0xffff;
  if (intr->segment_size < XEV_MIN_SEGMENT || intr->segment_size > XEV_MAX_SEGMENT)
    {
      _vmm_xhci_fail (xhci, "event ring segment of a wrong size", at);
      return FALSE;
    }
  intr->loaded = TRUE;
  return TRUE;
}

/* Where the TRB after [@segment_index, @index] lies; 0: cannot be told. */
static guint64
xev_next_address (Xhci *xhci, const XhciInterrupterRegs *intr, guint steps)
{
  guint32 words[4];
  guint index = intr->index + steps;
  guint segment = intr->segment_index + 1 < intr->erstsz ? intr->segment_index + 1 : 0;

  if (index < intr->segment_size)
    return intr->segment + index * 16;
  if (intr->erstsz <= 1)
    return intr->segment + (index - intr->segment_size) * 16;
  if (!_vmm_xhci_read_words (xhci, intr->erstba + segment * 16, words, 4))
    return 0;
  return (((guint64) words[1] << 32 | words[0]) & ~G_GUINT64_CONSTANT (0x3f)) + (index - intr->segment_size) * 16;
}

static void
xev_write (Xhci *xhci, XhciInterrupterRegs *intr, const XhciTrb *event)
{
  guint64 at = intr->segment + intr->index * 16;
  guint32 words[4] = { (guint32) event->parameter, (guint32) (event->parameter >> 32), event->status,
                       (event->control & ~XHCI_C) | (intr->cycle ? XHCI_C : 0) };

  /* The word with the cycle bit last: the guest may be looking. */
  if (!_vmm_xhci_write_words (xhci, at, words, 3))
    {
      _vmm_xhci_fail (xhci, "event ring", at);
      return;
    }
  __atomic_thread_fence (__ATOMIC_RELEASE);
  _vmm_xhci_write_words (xhci, at + 12, words + 3, 1);
  if (++intr->index < intr->segment_size)
    return;
  intr->index = 0;
  if (++intr->segment_index >= intr->erstsz)
    {
      intr->segment_index = 0;
      intr->cycle ^= 1;
    }
  if (intr->erstsz > 1)
    xev_load_segment (xhci, intr);
}

/* FALSE: no room. */
static gboolean
xev_push (Xhci *xhci, XhciInterrupterRegs *intr, const XhciTrb *event)
{
  static const XhciTrb full = { .status = (guint32) XHCI_CC_EVENT_RING_FULL << 24, .control = XHCI_TRB_HOST_EVENT << 10 };

  if (xev_next_address (xhci, intr, 1) == intr->erdp)
    return FALSE;
  if (!intr->told_full && xev_next_address (xhci, intr, 2) == intr->erdp)
    {
      xev_write (xhci, intr, &full);
      intr->told_full = TRUE;
      return FALSE;
    }
  xev_write (xhci, intr, event);
  return TRUE;
}

void
_vmm_xhci_event (Xhci *xhci, guint interrupter, XhciTrb event, gboolean quiet)
{
  XhciInterrupterRegs *intr = &xhci->regs.intr[interrupter < XHCI_INTERRUPTERS ? interrupter : 0];

  if (!_vmm_xhci_is_running (xhci))
    return;
  if (intr->erstsz == 0 || (!intr->loaded && !xev_load_segment (xhci, intr)))
    {
      vmm_guest_error (&xhci->pci.base, "interrupter %u has no event ring", interrupter);
      return;
    }
  if (intr->n_held > 0 || !xev_push (xhci, intr, &event))
    {
      if (intr->n_held == XHCI_HELD)
        vmm_guest_error (&xhci->pci.base, "interrupter %u: an event is lost, the ring is full", interrupter);
      else
        intr->held[intr->n_held++] = event;
    }
  if (!quiet)
    intr->wants = TRUE;
  _vmm_xhci_update_irq (xhci);
}

void
_vmm_xhci_flush_events (Xhci *xhci, guint interrupter)
{
  XhciInterrupterRegs *intr = &xhci->regs.intr[interrupter];
  guint n = 0;

  if (intr->n_held == 0 || !_vmm_xhci_is_running (xhci))
    return;
  while (n < intr->n_held && xev_push (xhci, intr, &intr->held[n]))
    n++;
  for (guint i = n; i < intr->n_held; i++)
    intr->held[i - n] = intr->held[i];
  intr->n_held -= n;
  intr->wants = TRUE;
  if (intr->n_held > 0)
    return;
  intr->told_full = FALSE;
  _vmm_xhci_schedule (xhci);
}

gboolean
_vmm_xhci_can_report (Xhci *xhci)
{
  for (guint i = 0; i < XHCI_INTERRUPTERS; i++)
    if (xhci->regs.intr[i].n_held > 0)
      return FALSE;
  return TRUE;
}

/* §4.17.2: what wants to be told sets IP when the handler is not busy and the moderation interval is over. */
static void
xev_update_pending (Xhci *xhci, guint interrupter)
{
  XhciInterrupterRegs *intr = &xhci->regs.intr[interrupter];
  gint64 now = vmm_clock_now (vmm_device_get_clock (&xhci->pci.base));

  if (!intr->wants || intr->ehb)
    return;
  if (now < xhci->quiet_until_ns[interrupter])
    {
      vmm_timer_arm (&xhci->timers[interrupter], xhci->quiet_until_ns[interrupter]);
      return;
    }
  xhci->quiet_until_ns[interrupter] = now + (gint64) (intr->imod & 0xffff) * XEV_IMOD_NS;
  intr->wants = FALSE;
  intr->ehb = TRUE;
  intr->iman |= XHCI_IMAN_IP;
  xhci->regs.usbsts |= XHCI_STS_EINT;
}

void
_vmm_xhci_update_irq (Xhci *xhci)
{
  gboolean messages = vmm_pci_device_msix_enabled (&xhci->pci) || vmm_pci_device_msi_enabled (&xhci->pci);
  gboolean level = FALSE;

  for (guint i = 0; i < XHCI_INTERRUPTERS; i++)
    {
      XhciInterrupterRegs *intr = &xhci->regs.intr[i];

      xev_update_pending (xhci, i);
      if ((intr->iman & (XHCI_IMAN_IP | XHCI_IMAN_IE)) != (XHCI_IMAN_IP | XHCI_IMAN_IE) || (xhci->regs.usbcmd & XHCI_CMD_INTE) == 0)
        continue;
      if (messages)
        {
          intr->iman &= ~XHCI_IMAN_IP; /* §5.5.2.1: cleared by the message */
          vmm_pci_device_signal (&xhci->pci, i);
        }
      else
        level = TRUE;
    }
  vmm_pci_device_set_intx (&xhci->pci, level);
}

void
_vmm_xhci_on_moderated (VmmDevice *dev, gpointer data)
{
  _vmm_xhci_update_irq ((Xhci *) dev);
}

/* === Runtime registers, §5.5 === */

guint32
_vmm_xhci_read_runtime (Xhci *xhci, guint offset)
{
  const XhciInterrupterRegs *intr;

  if (offset == 0) /* MFINDEX; counts while the controller runs */
    return _vmm_xhci_is_running (xhci)
               ? (guint32) (vmm_clock_now (vmm_device_get_clock (&xhci->pci.base)) / XEV_MFINDEX_NS) & 0x3fff
               : 0;
  if (offset < 0x20 || (offset - 0x20) / 0x20 >= XHCI_INTERRUPTERS)
    return 0;
  intr = &xhci->regs.intr[(offset - 0x20) / 0x20];
  switch (offset & 0x1f)
    {
    case 0x00:
      return intr->iman;
    case 0x04:
      return intr->imod;
    case 0x08:
      return intr->erstsz;
    case 0x10:
      return (guint32) intr->erstba;
    case 0x14:
      return (guint32) (intr->erstba >> 32);
    case 0x18:
      return (guint32) intr->erdp | (intr->ehb ? XHCI_ERDP_EHB : 0);
    case 0x1c:
      return (guint32) (intr->erdp >> 32);
    default:
      return 0;
    }
}

static guint64
xev_set_low (guint64 value, guint32 low)
{
  return (value & ~G_GUINT64_CONSTANT (0xffffffff)) | low;
}

static guint64
xev_set_high (guint64 value, guint32 high)
{
  return (value & 0xffffffff) | (guint64) high << 32;
}

/* A new table: the ring begins anew. */
static void
xev_restart (XhciInterrupterRegs *intr)
{
  intr->loaded = FALSE;
  intr->segment_index = 0;
  intr->index = 0;
  intr->cycle = 1;
  intr->n_held = 0;
  intr->told_full = FALSE;
}

void
_vmm_xhci_write_runtime (Xhci *xhci, guint offset, guint32 value)
{
  guint index = (offset - 0x20) / 0x20;
  XhciInterrupterRegs *intr;

  if (offset < 0x20 || index >= XHCI_INTERRUPTERS)
    return;
  intr = &xhci->regs.intr[index];
  switch (offset & 0x1f)
    {
    case 0x00:
      if ((value & XHCI_IMAN_IP) != 0)
        intr->iman &= ~XHCI_IMAN_IP;
      intr->iman = (intr->iman & ~XHCI_IMAN_IE) | (value & XHCI_IMAN_IE);
      break;
    case 0x04:
      intr->imod = value;
      xhci->quiet_until_ns[index] = 0;
      break;
    case 0x08:
      intr->erstsz = value & 0xffff;
      if (intr->erstsz > 1u << 4) /* ERST Max */
        {
          vmm_guest_error (&xhci->pci.base, "an event ring of %u segments", intr->erstsz);
          intr->erstsz = 1u << 4;
        }
      break;
    case 0x10:
      intr->erstba = xev_set_low (intr->erstba, value & ~0x3fu);
      xev_restart (intr);
      break;
    case 0x14:
      intr->erstba = xev_set_high (intr->erstba, value);
      xev_restart (intr);
      break;
    case 0x18:
      intr->erdp = xev_set_low (intr->erdp, value & ~0xfu);
      _vmm_xhci_flush_events (xhci, index);
      if ((value & XHCI_ERDP_EHB) != 0)
        {
          intr->ehb = FALSE;
          if (intr->loaded && intr->erdp != intr->segment + intr->index * 16)
            intr->wants = TRUE; /* came while the handler was busy */
        }
      break;
    case 0x1c:
      intr->erdp = xev_set_high (intr->erdp, value);
      break;
    default:
      return;
    }
  _vmm_xhci_update_irq (xhci);
}
