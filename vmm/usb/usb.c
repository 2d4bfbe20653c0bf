/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What all USB devices share: ports and attachment, the data of a packet, standard requests. */
#include "usb/usb.h"

#include "pci/pci.h"
#include "usb/xhci.h"

#include <string.h>

/* USB 2.0 table 9-4, 9-5, 9-6 */
#define USB_DT_DEVICE 1
#define USB_DT_CONFIG 2
#define USB_DT_STRING 3
#define USB_DT_QUALIFIER 6
#define USB_DT_OTHER_SPEED 7
#define USB_DT_BOS 15

#define USB_FEATURE_HALT 0
#define USB_FEATURE_REMOTE_WAKEUP 1
#define USB_FEATURE_U1_ENABLE 48
#define USB_FEATURE_U2_ENABLE 49

#define USB_MAX_DEPTH 5 /* hubs in a row (USB 2.0 §4.1.1) */

/* === Ports === */

static void
usb_connect (VmmUsbDevice *dev, VmmUsbPort *port)
{
  guint common = dev->speeds & port->speeds;

  dev->speed = (VmmUsbSpeed) (g_bit_nth_msf (common, -1));
  dev->port = port;
  port->dev = dev;
  dev->ops->reset (dev);
  port->ops->changed (port);
}

/* The other half of the connector. */
static gboolean
usb_connector_is_free (VmmUsbPort *ports, guint n_ports, guint number)
{
  for (guint i = 0; i < n_ports; i++)
    if (ports[i].number == number && ports[i].dev != NULL)
      return FALSE;
  return TRUE;
}

/* The best free port with @number (0: any) among @ports for the device. */
static VmmUsbPort *
usb_choose_port (VmmUsbPort *ports, guint n_ports, guint number, guint speeds)
{
  VmmUsbPort *best = NULL;

  for (guint i = 0; i < n_ports; i++)
    {
      VmmUsbPort *port = &ports[i];
      guint common = port->speeds & speeds;

      if ((number != 0 && port->number != number) || common == 0 || !usb_connector_is_free (ports, n_ports, port->number))
        continue;
      if (best == NULL || common > (best->speeds & speeds))
        best = port;
    }
  return best;
}

/* The first free port: the controller's own, then those of hubs. */
static VmmUsbPort *
usb_find_any_port (VmmUsbPort *ports, guint n_ports, guint speeds, guint depth)
{
  VmmUsbPort *port = usb_choose_port (ports, n_ports, 0, speeds);

  for (guint i = 0; i < n_ports && port == NULL && depth < USB_MAX_DEPTH; i++)
    if (ports[i].dev != NULL && ports[i].dev->ports != NULL)
      port = usb_find_any_port (ports[i].dev->ports, ports[i].dev->n_ports, speeds, depth + 1);
  return port;
}

static VmmUsbPort *
usb_find_port (VmmUsbHost *host, const char *path, guint speeds)
{
  g_auto (GStrv) parts = NULL;
  VmmUsbPort *ports = host->ports;
  guint n_ports = host->n_ports;

  if (path == NULL || *path == '\0')
    return usb_find_any_port (ports, n_ports, speeds, 0);
  parts = g_strsplit (path, ".", USB_MAX_DEPTH + 2);
  for (guint i = 0; parts[i] != NULL && i <= USB_MAX_DEPTH; i++)
    {
      guint64 number;
      VmmUsbDevice *hub = NULL;

      if (!g_ascii_string_to_unsigned (parts[i], 10, 1, 15, &number, NULL))
        return NULL;
      if (parts[i + 1] == NULL)
        return usb_choose_port (ports, n_ports, (guint) number, speeds);
      for (guint j = 0; j < n_ports; j++)
        if (ports[j].number == number && ports[j].dev != NULL && ports[j].dev->ports != NULL)
          hub = ports[j].dev;
      if (hub == NULL)
        return NULL;
      ports = hub->ports;
      n_ports = hub->n_ports;
    }
  return NULL;
}

gboolean
vmm_usb_device_plug (VmmUsbDevice *dev, const char *path)
{
  VmmUsbPort *port = usb_find_port (dev->host, path, dev->speeds);

  g_assert (dev->port == NULL);
  if (port == NULL)
    return FALSE;
  usb_connect (dev, port);
  return TRUE;
}

void
vmm_usb_device_unplug (VmmUsbDevice *dev)
{
  VmmUsbPort *port = dev->port;

  if (port == NULL)
    return;
  for (guint i = 0; i < dev->n_ports; i++)
    if (dev->ports[i].dev != NULL)
      vmm_usb_device_unplug (dev->ports[i].dev);
  dev->host->ops->device_gone (dev->host, dev);
  port->dev = NULL;
  dev->port = NULL;
  dev->ops->reset (dev);
  port->ops->changed (port);
}

gboolean
vmm_usb_device_attach (VmmUsbDevice *dev, const char *path, gboolean plugged, GError **error)
{
  VmmDevice *controller = vmm_device_find_class (&dev->base, "xhci");
  gboolean ok = TRUE;

  if (controller == NULL)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "this machine has no USB controller");
      return FALSE;
    }
  dev->host = vmm_xhci_get_usb_host (controller);
  vmm_usb_lock (dev->host);
  if (plugged)
    ok = vmm_usb_device_plug (dev, path);
  vmm_usb_unlock (dev->host);
  if (!ok && path != NULL && *path != '\0')
    g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "USB port %s: there is none, or it is taken", path);
  else if (!ok)
    g_set_error (error, VMM_ERROR, VMM_ERROR_BUSY, "no USB port is free");
  return ok;
}

void
vmm_usb_device_detach (VmmUsbDevice *dev)
{
  if (dev->host == NULL)
    return;
  vmm_usb_lock (dev->host);
  vmm_usb_device_unplug (dev);
  vmm_usb_unlock (dev->host);
}

static void
usb_append_path (GString *path, const VmmUsbPort *port, const char *format_hub)
{
  if (port->hub != NULL && port->hub->port != NULL)
    {
      usb_append_path (path, port->hub->port, format_hub);
      g_string_append (path, format_hub);
    }
  g_string_append_printf (path, "%u", port->number);
}

char *
vmm_usb_device_dup_path (VmmUsbDevice *dev)
{
  GString *path;

  if (dev->port == NULL)
    return NULL;
  path = g_string_new (NULL);
  usb_append_path (path, dev->port, ".");
  return g_string_free (path, FALSE);
}

/* Contract 4.4; a hub on the way is "hub@PORT/". */
char *
vmm_usb_device_dup_boot_path (VmmUsbDevice *dev)
{
  const VmmPciDevice *controller = (VmmPciDevice *) dev->host->controller;
  g_autoptr (GString) hubs = g_string_new (NULL);

  if (dev->port == NULL)
    return NULL;
  for (VmmUsbDevice *hub = dev->port->hub; hub != NULL && hub->port != NULL; hub = hub->port->hub)
    {
      g_autofree char *part = g_strdup_printf ("hub@%x/", hub->port->number);

      g_string_prepend (hubs, part);
    }
  return g_strdup_printf ("/pci@i0cf8/usb@%x/%sstorage@%x/channel@0/disk@0,0", controller->devfn >> 3, hubs->str,
                          dev->port->number);
}

void
vmm_usb_device_reset (VmmUsbDevice *dev)
{
  dev->host->ops->device_reset (dev->host, dev);
  dev->ops->reset (dev);
}

VmmUsbDevice *
vmm_usb_host_find (VmmUsbHost *host, guint root_port, guint32 route)
{
  VmmUsbDevice *dev = root_port < host->n_ports ? host->ports[root_port].dev : NULL;

  for (guint i = 0; i < USB_MAX_DEPTH && dev != NULL && (route & 0xf) != 0; i++, route >>= 4)
    dev = (route & 0xf) <= dev->n_ports ? dev->ports[(route & 0xf) - 1].dev : NULL;
  return dev;
}

void
vmm_usb_device_wakeup (VmmUsbDevice *dev, const VmmUsbDeviceRegs *regs)
{
  if (dev->port != NULL && regs->remote_wakeup)
    dev->port->ops->wakeup (dev->port);
}

/* === Packets === */

void
vmm_usb_packet_complete (VmmUsbPacket *packet, VmmUsbStatus status)
{
  VmmUsbHost *host = packet->dev->host;

  g_assert (packet->pending);
  packet->pending = FALSE;
  packet->status = status;
  host->ops->complete (host, packet);
}

static gsize
usb_packet_copy (VmmUsbPacket *packet, gpointer buf, gsize len, gboolean to_guest)
{
  gsize skip = packet->actual, done = 0;

  for (guint i = 0; i < packet->n_iov && done < len; i++)
    {
      const struct iovec *iov = &packet->iov[i];
      gsize n;

      if (skip >= iov->iov_len)
        {
          skip -= iov->iov_len;
          continue;
        }
      n = MIN (iov->iov_len - skip, len - done);
      if (to_guest)
        memcpy ((guint8 *) iov->iov_base + skip, (guint8 *) buf + done, n);
      else
        memcpy ((guint8 *) buf + done, (guint8 *) iov->iov_base + skip, n);
      done += n;
      skip = 0;
    }
  packet->actual += done;
  return done;
}

gsize
vmm_usb_packet_put (VmmUsbPacket *packet, gconstpointer data, gsize len)
{
  return usb_packet_copy (packet, (gpointer) data, len, TRUE);
}

gsize
vmm_usb_packet_get (VmmUsbPacket *packet, gpointer buf, gsize len)
{
  return usb_packet_copy (packet, buf, len, FALSE);
}

/* === Standard requests === */

static VmmUsbStatus
usb_reply (VmmUsbPacket *packet, gconstpointer data, gsize len)
{
  vmm_usb_packet_put (packet, data, MIN (len, packet->setup.length));
  return VMM_USB_OK;
}

static guint
usb_total_length (const guint8 *descriptor)
{
  return (guint) descriptor[2] | (guint) descriptor[3] << 8;
}

/* USB 2.0 §9.6.7; a string has at most 126 UTF-16 units. */
static VmmUsbStatus
usb_reply_string (VmmUsbDevice *dev, const char *(*get_string) (VmmUsbDevice *dev, guint index), VmmUsbPacket *packet)
{
  static const guint8 languages[] = { 4, USB_DT_STRING, 0x09, 0x04 }; /* English (US) */
  guint index = packet->setup.value & 0xff;
  const char *text;
  g_autofree gunichar2 *units = NULL;
  guint8 reply[254];
  glong n = 0;

  if (index == 0)
    return usb_reply (packet, languages, sizeof languages);
  text = get_string != NULL ? get_string (dev, index) : NULL;
  if (text == NULL || (units = g_utf8_to_utf16 (text, -1, NULL, &n, NULL)) == NULL)
    return VMM_USB_STALL;
  n = MIN (n, 126);
  reply[0] = (guint8) (2 + 2 * n);
  reply[1] = USB_DT_STRING;
  for (glong i = 0; i < n; i++)
    {
      reply[2 + 2 * i] = (guint8) units[i];
      reply[3 + 2 * i] = (guint8) (units[i] >> 8);
    }
  return usb_reply (packet, reply, reply[0]);
}

static VmmUsbStatus
usb_reply_descriptor (VmmUsbDevice *dev, const VmmUsbDescriptors *descriptors,
                      const char *(*get_string) (VmmUsbDevice *dev, guint index), VmmUsbPacket *packet)
{
  guint8 reply[18];

  switch (packet->setup.value >> 8)
    {
    case USB_DT_DEVICE:
      memcpy (reply, descriptors->device, 18);
      /* A device that runs faster elsewhere says so here; at its slower speeds it's a device of USB 2. */
      if (dev->speed != VMM_USB_SPEED_SUPER && reply[3] >= 3)
        {
          reply[2] = dev->speed == VMM_USB_SPEED_HIGH ? 0x10 : 0x00;
          reply[3] = 2;
          reply[7] = 64;
        }
      return usb_reply (packet, reply, 18);
    case USB_DT_CONFIG:
      if ((packet->setup.value & 0xff) != 0)
        return VMM_USB_STALL;
      return usb_reply (packet, descriptors->config, usb_total_length (descriptors->config));
    case USB_DT_STRING:
      return usb_reply_string (dev, get_string, packet);
    case USB_DT_QUALIFIER:
      if (dev->speed != VMM_USB_SPEED_HIGH || (dev->speeds & VMM_USB_SPEED_MASK (VMM_USB_SPEED_FULL)) == 0)
        return VMM_USB_STALL; /* has no other speed (§9.6.2) */
      memset (reply, 0, sizeof reply);
      reply[0] = 10;
      reply[1] = USB_DT_QUALIFIER;
      memcpy (reply + 2, descriptors->device + 2, 5);
      reply[7] = 64;
      reply[8] = 1;
      return usb_reply (packet, reply, 10);
    case USB_DT_BOS:
      if (descriptors->bos == NULL)
        return VMM_USB_STALL;
      return usb_reply (packet, descriptors->bos, usb_total_length (descriptors->bos));
    default:
      return VMM_USB_STALL;
    }
}

static VmmUsbStatus
usb_reply_status (VmmUsbDeviceRegs *regs, const VmmUsbDescriptors *descriptors, VmmUsbPacket *packet)
{
  guint endpoint = packet->setup.index & 0xf;
  guint32 halted = (packet->setup.index & 0x80) != 0 ? regs->halted_in : regs->halted_out;
  guint8 reply[2] = { 0 };

  switch (packet->setup.request_type & 0x1f)
    {
    case 0: /* device */
      reply[0] = (guint8) (((descriptors->config[7] & 0x40) != 0 ? 1 : 0) | (regs->remote_wakeup ? 2 : 0));
      break;
    case 1:
      break;
    case 2:
      reply[0] = halted >> endpoint & 1;
      break;
    default:
      return VMM_USB_STALL;
    }
  return usb_reply (packet, reply, 2);
}

static VmmUsbStatus
usb_change_feature (VmmUsbDevice *dev, VmmUsbDeviceRegs *regs, VmmUsbPacket *packet, gboolean on)
{
  guint feature = packet->setup.value, bit = 1u << (packet->setup.index & 0xf);
  guint32 *halted = (packet->setup.index & 0x80) != 0 ? &regs->halted_in : &regs->halted_out;

  switch (VMM_USB_REQUEST (packet->setup.request_type & 0x1f, feature))
    {
    case VMM_USB_REQUEST (0, USB_FEATURE_REMOTE_WAKEUP):
      regs->remote_wakeup = on;
      return VMM_USB_OK;
    case VMM_USB_REQUEST (0, USB_FEATURE_U1_ENABLE):
    case VMM_USB_REQUEST (0, USB_FEATURE_U2_ENABLE):
      return dev->speed == VMM_USB_SPEED_SUPER ? VMM_USB_OK : VMM_USB_STALL;
    case VMM_USB_REQUEST (1, 0): /* FUNCTION_SUSPEND, USB 3 */
      if (dev->speed != VMM_USB_SPEED_SUPER)
        return VMM_USB_STALL;
      regs->remote_wakeup = on && (packet->setup.index & 0x200) != 0;
      return VMM_USB_OK;
    case VMM_USB_REQUEST (2, USB_FEATURE_HALT):
      if (bit == 1)
        return VMM_USB_OK; /* the default pipe never halts for long */
      *halted = on ? *halted | bit : *halted & ~bit;
      return VMM_USB_OK;
    default:
      return VMM_USB_STALL;
    }
}

VmmUsbStatus
vmm_usb_control (VmmUsbDevice *dev, VmmUsbDeviceRegs *regs, const VmmUsbDescriptors *descriptors,
                 const char *(*get_string) (VmmUsbDevice *dev, guint index), VmmUsbPacket *packet)
{
  const VmmUsbSetup *setup = &packet->setup;
  guint8 byte;

  if ((setup->request_type & 0x60) != 0)
    return VMM_USB_STALL;
  switch (setup->request)
    {
    case 0: /* GET_STATUS */
      return (setup->request_type & 0x80) != 0 ? usb_reply_status (regs, descriptors, packet) : VMM_USB_STALL;
    case 1: /* CLEAR_FEATURE */
    case 3: /* SET_FEATURE */
      return usb_change_feature (dev, regs, packet, setup->request == 3);
    case 5: /* SET_ADDRESS; the controller does it on its own */
      regs->address = setup->value & 0x7f;
      return VMM_USB_OK;
    case 6: /* GET_DESCRIPTOR */
      return setup->request_type == 0x80 ? usb_reply_descriptor (dev, descriptors, get_string, packet) : VMM_USB_STALL;
    case 8: /* GET_CONFIGURATION */
      byte = (guint8) regs->configuration;
      return usb_reply (packet, &byte, 1);
    case 9: /* SET_CONFIGURATION */
      if ((setup->value & 0xff) != 0 && (setup->value & 0xff) != descriptors->config[5])
        return VMM_USB_STALL;
      regs->configuration = setup->value & 0xff;
      regs->halted_in = regs->halted_out = 0;
      return VMM_USB_OK;
    case 10: /* GET_INTERFACE: there is one setting of each */
      byte = 0;
      return setup->index < descriptors->config[4] ? usb_reply (packet, &byte, 1) : VMM_USB_STALL;
    case 11: /* SET_INTERFACE */
      return setup->index < descriptors->config[4] && setup->value == 0 ? VMM_USB_OK : VMM_USB_STALL;
    case 48: /* SET_SEL, SET_ISOCH_DELAY: nobody sleeps here */
    case 49:
      return dev->speed == VMM_USB_SPEED_SUPER ? VMM_USB_OK : VMM_USB_STALL;
    default:
      return VMM_USB_STALL;
    }
}
