/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Between a USB host controller and the devices behind it. The controller makes packets of what the guest asks for and submits them; the
 * device completes each at once or later. A packet is a whole transfer (of one TD), not a transaction on the wire; a device that has
 * nothing to say yet keeps an IN packet until it has, so nobody polls.
 * Spec: Universal Serial Bus 2.0 §8, §9; Universal Serial Bus 3.2 §9.
 *
 * One lock for all: what a device does for its controller, and all of its state, is under the controller's lock (vmm_usb_lock()). The
 * device's own lock guards nothing; where it is held (input, reset by the machine) the controller's is taken inside it. */
#pragma once

#include "core/device.h"

#include <sys/uio.h>

typedef struct _VmmUsbDevice VmmUsbDevice;
typedef struct _VmmUsbHost VmmUsbHost;
typedef struct _VmmUsbPort VmmUsbPort;
typedef struct _VmmUsbPacket VmmUsbPacket;

typedef enum {
  VMM_USB_SPEED_LOW,
  VMM_USB_SPEED_FULL,
  VMM_USB_SPEED_HIGH,
  VMM_USB_SPEED_SUPER,
} VmmUsbSpeed;
#define VMM_USB_SPEED_MASK(speed) (1u << (speed))
#define VMM_USB_SPEEDS_2 0x7u /* low, full, high */

/* As in bmAttributes (USB 2.0 table 9-13). */
typedef enum {
  VMM_USB_CONTROL = 0,
  VMM_USB_ISOCHRONOUS = 1,
  VMM_USB_BULK = 2,
  VMM_USB_INTERRUPT = 3,
} VmmUsbType;

typedef enum {
  VMM_USB_OK,      /* fewer bytes than asked for are a short packet, not an error */
  VMM_USB_PENDING, /* from submit: vmm_usb_packet_complete() follows */
  VMM_USB_STALL,
  VMM_USB_BABBLE, /* more data than asked for */
  VMM_USB_FAILED, /* transaction error, or the device is gone */
} VmmUsbStatus;

/* USB 2.0 table 9-2, in host order */
typedef struct {
  guint8 request_type, request;
  guint16 value, index, length;
} VmmUsbSetup;

#define VMM_USB_REQUEST(type, request) ((guint) (type) << 8 | (guint) (request))

/**
 * VmmUsbPacket:
 * Owned by the controller from submit until it is completed or cancelled; then @iov is nobody's.
 */
struct _VmmUsbPacket {
  VmmUsbDevice *dev;
  VmmUsbType type;
  guint endpoint;    /* 0 to 15 */
  gboolean in;       /* data go to the guest */
  VmmUsbSetup setup; /* control; @size is at most setup.length */
  const struct iovec *iov;
  guint n_iov;
  gsize size; /* bytes, sum of @iov */

  /* The device's answer. */
  gsize actual; /* bytes moved */
  VmmUsbStatus status;

  gboolean pending;     /* with the device */
  guint device_kind;    /* the device's */
  gpointer device_data; /* the device's */
};

/* All but drain: controller's lock held. */
typedef struct {
  /* The port was reset: default state, address 0, not configured. Pending packets were cancelled before. */
  void (*reset) (VmmUsbDevice *dev);
  /* Takes a packet. Returns VMM_USB_PENDING, or its status with @actual set. At most @max_in_flight a pipe are pending at once. */
  VmmUsbStatus (*submit) (VmmUsbDevice *dev, VmmUsbPacket *packet);
  /* Gives a pending packet up: neither it nor its memory is touched after the return. */
  void (*cancel) (VmmUsbDevice *dev, VmmUsbPacket *packet);
  /* (nullable) Control thread, no lock held, nothing is submitted meanwhile: waits until all packets that need no one but the host to
   * complete are completed. */
  void (*drain) (VmmUsbDevice *dev);
} VmmUsbDeviceOps;

/* What standard requests ask for, as bytes on the wire. */
typedef struct {
  const guint8 *device; /* 18 bytes */
  const guint8 *config; /* wTotalLength bytes, with interfaces, endpoints and all between them */
  const guint8 *bos;    /* (nullable): wTotalLength bytes */
} VmmUsbDescriptors;

/* State of the chapter 9, to be embedded in a device's regs. */
typedef struct {
  guint32 address;
  guint32 configuration;
  guint32 remote_wakeup;
  guint32 halted_in, halted_out; /* a bit an endpoint */
} VmmUsbDeviceRegs;

/* A device's instance starts with it. */
struct _VmmUsbDevice {
  VmmDevice base;
  const VmmUsbDeviceOps *ops;
  guint speeds;        /* VMM_USB_SPEED_MASK: what it can run at; the fastest that the port has is taken */
  guint max_in_flight; /* packets a pipe; 0: 1 */
  VmmUsbHost *host;    /* (nullable): the controller; set by vmm_usb_device_attach() */
  VmmUsbPort *port;    /* (nullable): not plugged in */
  VmmUsbSpeed speed;   /* while plugged in */
  VmmUsbPort *ports;   /* (nullable): of a hub */
  guint n_ports;
};

typedef struct {
  /* A device was plugged into (port->dev is set) or pulled out of (NULL) the port. Controller's lock held. */
  void (*changed) (VmmUsbPort *port);
  /* The device behind the port wants the guest's attention while it is suspended. Controller's lock held. */
  void (*wakeup) (VmmUsbPort *port);
} VmmUsbPortOps;

struct _VmmUsbPort {
  const VmmUsbPortOps *ops;
  VmmUsbDevice *hub; /* (nullable): a root port */
  guint number;      /* from 1; as written on the case: root ports of USB 2 and 3 share them */
  guint speeds;      /* VMM_USB_SPEED_MASK */
  VmmUsbDevice *dev; /* (nullable) */
};

typedef struct {
  /* A pending packet was completed. Controller's lock held. */
  void (*complete) (VmmUsbHost *host, VmmUsbPacket *packet);
  /* The device is about to be reset: its pending packets are cancelled. Controller's lock held. */
  void (*device_reset) (VmmUsbHost *host, VmmUsbDevice *dev);
  /* The device is about to be pulled out: its pending packets fail. Controller's lock held. */
  void (*device_gone) (VmmUsbHost *host, VmmUsbDevice *dev);
} VmmUsbHostOps;

/* Embedded in a controller. */
struct _VmmUsbHost {
  const VmmUsbHostOps *ops;
  VmmDevice *controller;
  VmmUsbPort *ports; /* root ports */
  guint n_ports;
};

static inline void
vmm_usb_lock (VmmUsbHost *host)
{
  vmm_device_lock (host->controller);
}

static inline void
vmm_usb_unlock (VmmUsbHost *host)
{
  vmm_device_unlock (host->controller);
}

/* === Attachment; control thread, no lock held === */

/**
 * vmm_usb_device_attach:
 * @path: (nullable): "2", or "2.1" (port 1 of the hub at port 2); NULL or "": the first that is free
 * In realize, ops and speeds set: finds the controller and reserves a place there; the device is plugged in if @plugged. Sets @host.
 */
gboolean vmm_usb_device_attach (VmmUsbDevice *dev, const char *path, gboolean plugged, GError **error);
/* In unrealize: pulls it out. */
void vmm_usb_device_detach (VmmUsbDevice *dev);
/* Plugs into a free port that suits @speeds. Returns: FALSE if there is none. For devices that come and go. Lock held. */
gboolean vmm_usb_device_plug (VmmUsbDevice *dev, const char *path);
/* Lock held. Pending packets fail. */
void vmm_usb_device_unplug (VmmUsbDevice *dev);
/* (transfer full) (nullable): "2.1", the ports from the root. Lock held. */
char *vmm_usb_device_dup_path (VmmUsbDevice *dev);
/* (transfer full) (nullable): how the boot order names a disk there: "/pci@i0cf8/usb@4/hub@2/storage@1/channel@0/disk@0,0". Lock held. */
char *vmm_usb_device_dup_boot_path (VmmUsbDevice *dev);
/* (nullable): the device at a root port (an index of host->ports) and a route string of hub ports (xHCI 1.1 §8.9). Lock held. */
VmmUsbDevice *vmm_usb_host_find (VmmUsbHost *host, guint root_port, guint32 route);

/* === For devices; lock held === */

/* The port resets what is plugged into it: packets are cancelled, the device gets its reset. */
void vmm_usb_device_reset (VmmUsbDevice *dev);
/* A packet that was pending is done, with @packet->actual set. */
void vmm_usb_packet_complete (VmmUsbPacket *packet, VmmUsbStatus status);
/* Copies to the guest from where the last one ended (@actual), or from the guest. Returns: bytes. */
gsize vmm_usb_packet_put (VmmUsbPacket *packet, gconstpointer data, gsize len);
gsize vmm_usb_packet_get (VmmUsbPacket *packet, gpointer buf, gsize len);
/* Wakes a suspended guest's port, if the guest allowed it. */
void vmm_usb_device_wakeup (VmmUsbDevice *dev, const VmmUsbDeviceRegs *regs);

/**
 * vmm_usb_control:
 * @get_string: (nullable): string @index (from 1), UTF-8, or NULL
 * Carries out a standard request (USB 2.0 §9.4, USB 3.2 §9.4) that the device does not handle itself.
 * Returns: its status; VMM_USB_STALL for what is none of them.
 */
VmmUsbStatus vmm_usb_control (VmmUsbDevice *dev, VmmUsbDeviceRegs *regs, const VmmUsbDescriptors *descriptors,
                              const char *(*get_string) (VmmUsbDevice *dev, guint index), VmmUsbPacket *packet);

#define VMM_USB_DEVICE_FIELDS(Struct, member)                                                                             \
  VMM_FIELD (Struct, member.address), VMM_FIELD (Struct, member.configuration), VMM_FIELD (Struct, member.remote_wakeup), \
      VMM_FIELD (Struct, member.halted_in), VMM_FIELD (Struct, member.halted_out)
