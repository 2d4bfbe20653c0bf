/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The root hub: PORTSC and what plugging, resetting and suspending does to it (§4.19, §5.4.8). See xhci.c. */
#include "usb/xhci-private.h"

#define XPORT_CCS 0x00000001u
#define XPORT_PED 0x00000002u
#define XPORT_PR 0x00000010u
#define XPORT_PLS_SHIFT 5
#define XPORT_PLS 0x000001e0u
#define XPORT_PP 0x00000200u
#define XPORT_SPEED_SHIFT 10
#define XPORT_SPEED 0x00003c00u
#define XPORT_PIC 0x0000c000u
#define XPORT_LWS 0x00010000u
#define XPORT_CSC 0x00020000u
#define XPORT_PEC 0x00040000u
#define XPORT_WRC 0x00080000u
#define XPORT_PRC 0x00200000u
#define XPORT_PLC 0x00400000u
#define XPORT_CHANGES 0x00fe0000u
#define XPORT_WAKE 0x0e000000u
#define XPORT_WPR 0x80000000u

enum {
  XPORT_U0 = 0,
  XPORT_U2 = 2,
  XPORT_U3 = 3,
  XPORT_DISABLED = 4,
  XPORT_RX_DETECT = 5,
  XPORT_POLLING = 7,
  XPORT_RESUME = 15,
};

static Xhci *
xport_xhci (VmmUsbPort *port)
{
  /* Root ports lie in the controller's instance; those of hubs have other operations. */
  VmmUsbPort *first = port - (port->speeds == VMM_USB_SPEEDS_2 ? XHCI_PORTS_3 : 0) - (port->number - 1);

  return (Xhci *) (gpointer) ((guint8 *) first - G_STRUCT_OFFSET (Xhci, ports));
}

static gboolean
xport_is_usb3 (guint port)
{
  return port < XHCI_PORTS_3;
}

static guint
xport_get_link (const Xhci *xhci, guint port)
{
  return (xhci->regs.portsc[port] & XPORT_PLS) >> XPORT_PLS_SHIFT;
}

static void
xport_set_link (Xhci *xhci, guint port, guint state)
{
  xhci->regs.portsc[port] = (xhci->regs.portsc[port] & ~XPORT_PLS) | state << XPORT_PLS_SHIFT;
}

/* §4.19.2, §6.4.2.3 */
static void
xport_tell (Xhci *xhci, guint port, guint32 changes)
{
  XhciTrb event = { .parameter = (guint64) (port + 1) << 24,
                    .status = (guint32) XHCI_CC_SUCCESS << 24,
                    .control = XHCI_TRB_PORT_EVENT << 10 };

  if ((xhci->regs.portsc[port] & changes) == changes)
    return;
  xhci->regs.portsc[port] |= changes;
  xhci->regs.usbsts |= XHCI_STS_PCD;
  _vmm_xhci_event (xhci, 0, event, FALSE);
}

/* Table 157: protocol speed IDs as the default mapping has them. */
static guint32
xport_speed_id (VmmUsbSpeed speed)
{
  static const guint8 ids[] = { [VMM_USB_SPEED_LOW] = 2,
                                [VMM_USB_SPEED_FULL] = 1,
                                [VMM_USB_SPEED_HIGH] = 3,
                                [VMM_USB_SPEED_SUPER] = 4 };

  return ids[speed];
}

/* The state of a port as what is plugged in makes it. */
static void
xport_sense (Xhci *xhci, guint port)
{
  VmmUsbDevice *dev = xhci->ports[port].dev;

  xhci->regs.portsc[port] &= ~(XPORT_CCS | XPORT_PED | XPORT_PR | XPORT_SPEED);
  if (dev == NULL)
    {
      xport_set_link (xhci, port, XPORT_RX_DETECT);
      return;
    }
  xhci->regs.portsc[port] |= XPORT_CCS | xport_speed_id (dev->speed) << XPORT_SPEED_SHIFT;
  if (xport_is_usb3 (port)) /* trains its link and is enabled by itself (§4.19.1.2) */
    {
      xhci->regs.portsc[port] |= XPORT_PED;
      xport_set_link (xhci, port, XPORT_U0);
    }
  else
    xport_set_link (xhci, port, XPORT_POLLING);
}

static void
xport_on_changed (VmmUsbPort *port)
{
  Xhci *xhci = xport_xhci (port);
  guint index = (guint) (port - xhci->ports);

  xport_sense (xhci, index);
  xport_tell (xhci, index, XPORT_CSC);
}

/* §4.15.2.3: the device drives resume; USB 2 waits for the driver to end it. */
static void
xport_on_wakeup (VmmUsbPort *port)
{
  Xhci *xhci = xport_xhci (port);
  guint index = (guint) (port - xhci->ports);

  if (xport_get_link (xhci, index) != XPORT_U3)
    return;
  xport_set_link (xhci, index, xport_is_usb3 (index) ? XPORT_U0 : XPORT_RESUME);
  xport_tell (xhci, index, XPORT_PLC);
}

const VmmUsbPortOps _vmm_xhci_port_ops = { .changed = xport_on_changed, .wakeup = xport_on_wakeup };

void
_vmm_xhci_port_reset_all (Xhci *xhci)
{
  for (guint i = 0; i < XHCI_PORTS; i++)
    {
      xhci->regs.portsc[i] = XPORT_PP;
      xhci->regs.portpmsc[i] = 0;
      xport_sense (xhci, i);
      if (xhci->ports[i].dev != NULL)
        {
          vmm_usb_device_reset (xhci->ports[i].dev);
          xhci->regs.portsc[i] |= XPORT_CSC;
          xhci->regs.usbsts |= XHCI_STS_PCD;
        }
    }
}

static void
xport_reset (Xhci *xhci, guint port, gboolean warm)
{
  VmmUsbDevice *dev = xhci->ports[port].dev;

  if (dev == NULL)
    return;
  vmm_usb_device_reset (dev);
  xhci->regs.portsc[port] |= XPORT_PED;
  xport_set_link (xhci, port, XPORT_U0);
  xport_tell (xhci, port, XPORT_PRC | (warm && xport_is_usb3 (port) ? XPORT_WRC : 0));
}

static void
xport_write_link (Xhci *xhci, guint port, guint state)
{
  guint before = xport_get_link (xhci, port);
  gboolean enabled = (xhci->regs.portsc[port] & XPORT_PED) != 0;

  switch (state)
    {
    case XPORT_U0:
      if (!enabled || before == XPORT_U0)
        return;
      xport_set_link (xhci, port, XPORT_U0);
      if (before == XPORT_U3 || before == XPORT_RESUME)
        xport_tell (xhci, port, XPORT_PLC); /* §4.19.1.1.7, §4.19.1.2.13 */
      break;
    case XPORT_U2:
    case XPORT_U3:
      if (enabled)
        xport_set_link (xhci, port, state);
      break;
    case XPORT_RESUME:
      if (!xport_is_usb3 (port) && before == XPORT_U3)
        xport_set_link (xhci, port, XPORT_RESUME);
      break;
    case XPORT_RX_DETECT:
      if (xport_is_usb3 (port) && before == XPORT_DISABLED)
        xport_sense (xhci, port);
      break;
    default:
      break;
    }
}

static void
xport_write_sc (Xhci *xhci, guint port, guint32 value)
{
  guint32 *portsc = &xhci->regs.portsc[port];

  *portsc &= ~(value & XPORT_CHANGES);
  *portsc = (*portsc & ~(XPORT_PIC | XPORT_WAKE)) | (value & (XPORT_PIC | XPORT_WAKE));
  if ((value & XPORT_PP) == 0)
    return; /* the power is not switched (PPC is 0) */
  if ((value & XPORT_WPR) != 0 && xport_is_usb3 (port))
    {
      xport_reset (xhci, port, TRUE);
      return;
    }
  if ((value & XPORT_PR) != 0)
    {
      xport_reset (xhci, port, FALSE);
      return;
    }
  if ((value & *portsc & XPORT_PED) != 0) /* written 1: disabled */
    {
      *portsc &= ~XPORT_PED;
      xport_set_link (xhci, port, XPORT_DISABLED);
      return;
    }
  if ((value & XPORT_LWS) != 0)
    xport_write_link (xhci, port, (value & XPORT_PLS) >> XPORT_PLS_SHIFT);
}

guint32
_vmm_xhci_read_port (Xhci *xhci, guint offset)
{
  guint port = offset / 0x10;

  if (port >= XHCI_PORTS)
    return 0;
  switch (offset & 0xf)
    {
    case 0x0:
      return xhci->regs.portsc[port];
    case 0x4:
      return xhci->regs.portpmsc[port];
    default:
      return 0; /* PORTLI: no errors; PORTHLPMC: none */
    }
}

void
_vmm_xhci_write_port (Xhci *xhci, guint offset, guint32 value)
{
  guint port = offset / 0x10;

  if (port >= XHCI_PORTS)
    return;
  if ((offset & 0xf) == 0x0)
    xport_write_sc (xhci, port, value);
  else if ((offset & 0xf) == 0x4)
    xhci->regs.portpmsc[port] = value & (xport_is_usb3 (port) ? 0x0001ffffu : 0xf001fff8u);
}
