/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The host's USB devices, and lending them to a machine. What stands in machine.conf is a device of class "usb-host"; what is attached
 * while the machine runs is the same, until the machine ends. */
#pragma once

#include "vmm-machine.h"

G_BEGIN_DECLS

/**
 * VmmUsbHostDevice:
 * @port: where it is plugged in, as the kernel writes it: "1-2.3" (bus 1, port 2, port 3 of the hub there)
 * @vendor, @product: (nullable): what the device calls them
 * @device_class: bDeviceClass, or the class of the first interface where that is 0
 */
typedef struct {
  guint16 vendor_id, product_id;
  char *vendor, *product, *serial; /* (nullable) */
  char *port;
  guint bus, address;
  guint8 device_class;
  guint mbit;          /* speed, Mbit/s: 1 for 1.5 */
  gboolean accessible; /* this user may open it */
} VmmUsbHostDevice;

/**
 * vmm_usb_host_list:
 * All devices of this host but hubs. Opens none of them; takes milliseconds.
 * Thread: any.
 * Errors: VMM_ERROR_HOST there is no USB.
 * Returns: (transfer full) (element-type VmmUsbHostDevice): ordered by port; elements are freed with the array
 */
GPtrArray *vmm_usb_host_list (GError **error);

/**
 * VmmUsbLoan:
 * A device of class "usb-host" of a machine.
 * @port: (nullable): of the host, while it is there
 */
typedef struct {
  char *id;                      /* "usb0": the group in machine.conf, or as given to attach */
  guint16 vendor_id, product_id; /* 0: any */
  char *serial, *port;           /* (nullable): what it is chosen by */
  gboolean present;              /* the guest has it now */
  char *present_port;            /* (nullable): where on the host it is plugged in */
  char *name;                    /* (nullable): "Vendor Product" of what the guest has or last had */
} VmmUsbLoan;

/** vmm_machine_usb_list: Thread: any. Returns: (transfer full) (element-type VmmUsbLoan) */
GPtrArray *vmm_machine_usb_list (VmmMachine *machine);

/**
 * vmm_machine_usb_attach:
 * @id: a name that no device of the machine has; lower case letters and digits
 * @settings: keys of class "usb-host" (vendor, product, serial, port) and their values
 * Gives the guest the host's device that matches, now and whenever it comes back. It need not be there now.
 * Errors: VMM_ERROR_INVALID_CONFIG (settings, name, no USB controller in the machine); VMM_ERROR_BUSY no port is free;
 *   VMM_ERROR_NOT_FOUND it isn't there (it is waited for all the same); VMM_ERROR_HOST it is there and can't be had (no permission):
 *   nothing is attached then.
 * Thread: any; @done runs on the control thread.
 */
void vmm_machine_usb_attach (VmmMachine *machine, const char *id, GHashTable *settings, VmmDone done, gpointer data);

/**
 * vmm_machine_usb_detach:
 * Takes it from the guest, as a hand would, and gives it back to the host's driver. Also for devices of machine.conf, until the machine is
 * started anew.
 * Errors: VMM_ERROR_NOT_FOUND.
 * Thread: any; @done runs on the control thread.
 */
void vmm_machine_usb_detach (VmmMachine *machine, const char *id, VmmDone done, gpointer data);

G_END_DECLS
