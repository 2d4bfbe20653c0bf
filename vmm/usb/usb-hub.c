/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A USB 2 hub with four ports, for machines with more devices than the controller has connectors.
 * Spec: Universal Serial Bus 2.0 §11 (section numbers below). Left out: the transaction translator does nothing, for nothing here runs
 * over a wire; indicators, over-current.
 *
 * Theory of operation: the ports are places for devices as the controller's are. What happens at them sets change bits, and the status
 * change endpoint tells of them when it is asked, or when something changes while it is being asked. */
#include "usb/usb.h"

#define UHUB_PORTS 4

/* §11.24.2.7, wPortStatus and wPortChange */
#define UHUB_CONNECTION 0x0001u
#define UHUB_ENABLE 0x0002u
#define UHUB_SUSPEND 0x0004u
#define UHUB_RESET 0x0010u
#define UHUB_POWER 0x0100u
#define UHUB_LOW_SPEED 0x0200u
#define UHUB_HIGH_SPEED 0x0400u

/* Table 11-17 */
enum {
  UHUB_FEATURE_ENABLE = 1,
  UHUB_FEATURE_SUSPEND = 2,
  UHUB_FEATURE_RESET = 4,
  UHUB_FEATURE_POWER = 8,
  UHUB_FEATURE_C_CONNECTION = 16,
  UHUB_FEATURE_C_RESET = 20,
  UHUB_FEATURE_INDICATOR = 22,
};

typedef struct {
  VmmUsbDeviceRegs usb;
  guint32 status[UHUB_PORTS];
  guint32 change[UHUB_PORTS];
} UhubRegs;

typedef struct {
  VmmUsbDevice usb;
  UhubRegs regs;
  VmmUsbPort ports[UHUB_PORTS];
  VmmUsbPacket *waiting; /* (nullable) */
} Uhub;

static const VmmSetting uhub_settings[] = {
  { "port", VMM_SETTING_STRING, NULL, 0, 0, NULL, N_ ("USB port, as 2 or 2.1 behind a hub; the first that is free if unset"),
    VMM_SETTING_NONE },
  { NULL },
};

static const VmmField uhub_fields[] = {
  VMM_USB_DEVICE_FIELDS (UhubRegs, usb),
  VMM_FIELD_ARRAY (UhubRegs, status),
  VMM_FIELD_ARRAY (UhubRegs, change),
  VMM_FIELD_END,
};

/* §11.23.1 */
static const guint8 uhub_device[] = { 18, 1, 0x00, 0x02, 9, 0, 1, 64, 0x09, 0x12, 0x05, 0x00, 0x00, 0x01, 1, 2, 3, 1 };
static const guint8 uhub_config[] = {
  9, 2, 25,   0, 1, 1, 0,  0xe0, 0, /* configuration: has its own power, wakes */
  9, 4, 0,    0, 1, 9, 0,  0,    0, /* interface */
  7, 5, 0x81, 3, 1, 0, 12,          /* status changes */
};
/* §11.23.2.1: power switched port by port, no over-current protection. */
static const guint8 uhub_descriptor[] = { 9, 0x29, UHUB_PORTS, 0x11, 0x00, 1, 0, 0x00, 0xff };
static const VmmUsbDescriptors uhub_descriptors = { .device = uhub_device, .config = uhub_config };

static const char *
uhub_get_string (VmmUsbDevice *dev, guint index)
{
  static const char *const strings[] = { NULL, "Lodge", "Lodge USB Hub", "1" };

  return index < G_N_ELEMENTS (strings) ? strings[index] : NULL;
}

/* === Ports === */

/* §11.12.4: a bit for each port that changed, from bit 1. 0: none did. */
static guint8
uhub_get_changes (const UhubRegs *regs)
{
  guint changes = 0;

  for (guint i = 0; i < UHUB_PORTS; i++)
    if (regs->change[i] != 0)
      changes |= 2u << i;
  return (guint8) changes;
}

static void
uhub_tell (Uhub *hub)
{
  guint8 changes = uhub_get_changes (&hub->regs);

  if (changes == 0)
    return;
  vmm_usb_device_wakeup (&hub->usb, &hub->regs.usb);
  if (hub->waiting != NULL)
    {
      VmmUsbPacket *packet = g_steal_pointer (&hub->waiting);

      vmm_usb_packet_put (packet, &changes, 1);
      vmm_usb_packet_complete (packet, VMM_USB_OK);
    }
}

/* What a port without power cannot see. */
static void
uhub_sense (Uhub *hub, guint port)
{
  const VmmUsbDevice *dev = hub->ports[port].dev;
  guint32 before = hub->regs.status[port], now = before & UHUB_POWER;

  if (now != 0 && dev != NULL)
    {
      now |= UHUB_CONNECTION;
      if (dev->speed == VMM_USB_SPEED_HIGH)
        now |= UHUB_HIGH_SPEED;
      else if (dev->speed == VMM_USB_SPEED_LOW)
        now |= UHUB_LOW_SPEED;
    }
  hub->regs.status[port] = now;
  if (((before ^ now) & UHUB_CONNECTION) != 0)
    hub->regs.change[port] |= UHUB_CONNECTION;
}

static void
uhub_on_changed (VmmUsbPort *port)
{
  Uhub *hub = (Uhub *) port->hub;
  guint index = (guint) (port - hub->ports);

  /* Out and in again at once is a change all the same. */
  if ((hub->regs.status[index] & UHUB_CONNECTION) != 0)
    hub->regs.change[index] |= UHUB_CONNECTION;
  uhub_sense (hub, index);
  uhub_tell (hub);
}

static void
uhub_on_wakeup (VmmUsbPort *port)
{
  Uhub *hub = (Uhub *) port->hub;
  guint index = (guint) (port - hub->ports);

  if ((hub->regs.status[index] & UHUB_SUSPEND) != 0)
    {
      hub->regs.status[index] &= ~UHUB_SUSPEND;
      hub->regs.change[index] |= UHUB_SUSPEND;
    }
  uhub_tell (hub);
  vmm_usb_device_wakeup (&hub->usb, &hub->regs.usb);
}

static const VmmUsbPortOps uhub_port_ops = { .changed = uhub_on_changed, .wakeup = uhub_on_wakeup };

static VmmUsbStatus
uhub_set_feature (Uhub *hub, guint port, guint feature)
{
  guint32 *status = &hub->regs.status[port];

  switch (feature)
    {
    case UHUB_FEATURE_POWER:
      *status |= UHUB_POWER;
      uhub_sense (hub, port);
      break;
    case UHUB_FEATURE_RESET:
      if ((*status & UHUB_CONNECTION) != 0)
        {
          vmm_usb_device_reset (hub->ports[port].dev);
          *status = (*status & ~UHUB_SUSPEND) | UHUB_ENABLE;
          hub->regs.change[port] |= UHUB_RESET;
        }
      break;
    case UHUB_FEATURE_SUSPEND:
      if ((*status & UHUB_ENABLE) != 0)
        *status |= UHUB_SUSPEND;
      break;
    case UHUB_FEATURE_INDICATOR:
      break;
    default:
      return VMM_USB_STALL;
    }
  uhub_tell (hub);
  return VMM_USB_OK;
}

static VmmUsbStatus
uhub_clear_feature (Uhub *hub, guint port, guint feature)
{
  guint32 *status = &hub->regs.status[port];

  if (feature >= UHUB_FEATURE_C_CONNECTION && feature <= UHUB_FEATURE_C_RESET)
    {
      hub->regs.change[port] &= ~(1u << (feature - UHUB_FEATURE_C_CONNECTION));
      return VMM_USB_OK;
    }
  switch (feature)
    {
    case UHUB_FEATURE_ENABLE:
      *status &= ~(UHUB_ENABLE | UHUB_SUSPEND);
      break;
    case UHUB_FEATURE_SUSPEND:
      if ((*status & UHUB_SUSPEND) != 0)
        hub->regs.change[port] |= UHUB_SUSPEND; /* resumed, at once */
      *status &= ~UHUB_SUSPEND;
      break;
    case UHUB_FEATURE_POWER:
      *status = 0;
      break;
    case UHUB_FEATURE_INDICATOR:
      break;
    default:
      return VMM_USB_STALL;
    }
  uhub_tell (hub);
  return VMM_USB_OK;
}

/* === Requests, §11.24 === */

static VmmUsbStatus
uhub_send (VmmUsbPacket *packet, gconstpointer data, gsize len)
{
  vmm_usb_packet_put (packet, data, MIN (len, packet->setup.length));
  return VMM_USB_OK;
}

static VmmUsbStatus
uhub_control (Uhub *hub, VmmUsbPacket *packet)
{
  const VmmUsbSetup *setup = &packet->setup;
  guint request = VMM_USB_REQUEST (setup->request_type, setup->request), port = (setup->index & 0xff) - 1u;
  guint8 bytes[4] = { 0 };

  if ((setup->request_type & 0x7f) == 0x23 && setup->request < 8 && port >= UHUB_PORTS)
    return VMM_USB_STALL;
  switch (request)
    {
    case VMM_USB_REQUEST (0xa0, 0): /* GetHubStatus: power is good */
      return uhub_send (packet, bytes, 4);
    case VMM_USB_REQUEST (0xa0, 6): /* GetHubDescriptor */
      return uhub_send (packet, uhub_descriptor, sizeof uhub_descriptor);
    case VMM_USB_REQUEST (0x20, 1): /* hub features: changes that never are */
    case VMM_USB_REQUEST (0x20, 3):
      return setup->value <= 1 ? VMM_USB_OK : VMM_USB_STALL;
    case VMM_USB_REQUEST (0xa3, 0): /* GetPortStatus */
      bytes[0] = (guint8) hub->regs.status[port];
      bytes[1] = (guint8) (hub->regs.status[port] >> 8);
      bytes[2] = (guint8) hub->regs.change[port];
      bytes[3] = (guint8) (hub->regs.change[port] >> 8);
      return uhub_send (packet, bytes, 4);
    case VMM_USB_REQUEST (0x23, 1):
      return uhub_clear_feature (hub, port, setup->value);
    case VMM_USB_REQUEST (0x23, 3):
      return uhub_set_feature (hub, port, setup->value);
    case VMM_USB_REQUEST (0x23, 8): /* ClearTTBuffer, ResetTT, StopTT */
    case VMM_USB_REQUEST (0x23, 9):
    case VMM_USB_REQUEST (0x23, 11):
      return VMM_USB_OK;
    default:
      return vmm_usb_control (&hub->usb, &hub->regs.usb, &uhub_descriptors, uhub_get_string, packet);
    }
}

static VmmUsbStatus
uhub_submit (VmmUsbDevice *dev, VmmUsbPacket *packet)
{
  Uhub *hub = (Uhub *) dev;
  guint8 changes;

  if (packet->type == VMM_USB_CONTROL && packet->endpoint == 0)
    return uhub_control (hub, packet);
  if (hub->regs.usb.configuration == 0 || !packet->in || packet->endpoint != 1 || (hub->regs.usb.halted_in & 2) != 0
      || hub->waiting != NULL)
    return VMM_USB_STALL;
  changes = uhub_get_changes (&hub->regs);
  if (changes == 0)
    {
      hub->waiting = packet;
      return VMM_USB_PENDING;
    }
  vmm_usb_packet_put (packet, &changes, 1);
  return VMM_USB_OK;
}

static void
uhub_cancel (VmmUsbDevice *dev, VmmUsbPacket *packet)
{
  Uhub *hub = (Uhub *) dev;

  if (hub->waiting == packet)
    hub->waiting = NULL;
}

static void
uhub_bus_reset (VmmUsbDevice *dev)
{
  Uhub *hub = (Uhub *) dev;

  hub->regs = (UhubRegs) { 0 };
  for (guint i = 0; i < UHUB_PORTS; i++)
    if (hub->ports[i].dev != NULL)
      vmm_usb_device_reset (hub->ports[i].dev); /* without power */
}

static const VmmUsbDeviceOps uhub_ops = { .reset = uhub_bus_reset, .submit = uhub_submit, .cancel = uhub_cancel };

/* === Life === */

static gboolean
uhub_realize (VmmDevice *dev, GError **error)
{
  Uhub *hub = (Uhub *) dev;

  for (guint i = 0; i < UHUB_PORTS; i++)
    hub->ports[i] = (VmmUsbPort) { .ops = &uhub_port_ops, .hub = &hub->usb, .number = i + 1, .speeds = VMM_USB_SPEEDS_2 };
  hub->usb.ops = &uhub_ops;
  hub->usb.speeds = VMM_USB_SPEED_MASK (VMM_USB_SPEED_HIGH);
  hub->usb.ports = hub->ports;
  hub->usb.n_ports = UHUB_PORTS;
  return vmm_usb_device_attach (&hub->usb, vmm_device_get_string (dev, "port"), TRUE, error);
}

static void
uhub_unrealize (VmmDevice *dev)
{
  vmm_usb_device_detach (&((Uhub *) dev)->usb);
}

const VmmDeviceClass vmm_usb_hub_class = {
  .name = "usb-hub",
  .summary = N_ ("Hub with four ports (USB 2)"),
  .description = N_ ("More ports for USB devices."),
  .bus = VMM_DEVICE_USB,
  .user_creatable = TRUE,
  .instance_size = sizeof (Uhub),
  .settings = uhub_settings,
  .regs_offset = G_STRUCT_OFFSET (Uhub, regs),
  .regs_size = sizeof (UhubRegs),
  .regs_fields = uhub_fields,
  .state_version = 1,
  .realize = uhub_realize,
  .unrealize = uhub_unrealize,
};
