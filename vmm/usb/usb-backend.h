/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How the host's USB devices are reached: libusb, or a fake in tests. */
#pragma once

#include "core/iothread.h"
#include "usb/usb.h"
#include "vmm-usb.h"

typedef struct _VmmUsbTransfer VmmUsbTransfer;

/**
 * VmmUsbTransfer:
 * From submit until @done the backend's.
 */
struct _VmmUsbTransfer {
  VmmUsbType type;
  guint8 endpoint; /* with 80 for IN */
  guint8 *buffer;  /* for control with 8 bytes of setup before the data */
  gsize len;       /* bytes of data, without the setup */
  /* The device's thread, no lock held. */
  void (*done) (VmmUsbTransfer *transfer);
  gpointer owner, packet; /* the caller's */

  gsize actual;
  VmmUsbStatus status;
  gboolean gone;         /* the device is not there any more */
  gpointer own, request; /* the backend's */
};

typedef struct {
  /* As vmm_usb_host_list(). Any thread. */
  GPtrArray *(*list) (gpointer data, GError **error);
  /* Returns: a descriptor that is readable when devices came or left, or -1: that is never told. */
  int (*watch) (gpointer data);
  /* Takes what is there to read. Returns: TRUE if a device came or left. */
  gboolean (*read_watch) (gpointer data, int fd);

  /* All below: on @thread, and may block for as long as a device takes, but submit and cancel. */

  /* Opens, takes the interfaces away from the host's drivers. (transfer full) */
  gpointer (*open) (gpointer data, const VmmUsbHostDevice *device, VmmIoThread *thread, GError **error);
  /* Waits for what is in flight (it was cancelled), gives the interfaces back. */
  void (*close) (gpointer handle);
  /* All FALSE: the device refused; *ret_gone: it left. */
  gboolean (*set_configuration) (gpointer handle, guint value, gboolean *ret_gone);
  gboolean (*set_interface) (gpointer handle, guint interface, guint setting, gboolean *ret_gone);
  gboolean (*clear_halt) (gpointer handle, guint8 endpoint, gboolean *ret_gone);
  gboolean (*reset) (gpointer handle, gboolean *ret_gone);
  /* Any thread, controller's lock held. FALSE: not taken; @done is not called. */
  gboolean (*submit) (gpointer handle, VmmUsbTransfer *transfer);
  /* @done follows. */
  void (*cancel) (gpointer handle, VmmUsbTransfer *transfer);
} VmmUsbBackend;

/* Instead of libusb, for tests; before the devices are made. */
void vmm_machine_set_usb_backend (VmmMachine *machine, const VmmUsbBackend *backend, gpointer data);

extern const VmmUsbBackend _vmm_usb_libusb_backend;

/* usb-list.c: what @sysfs ("/sys/bus/usb/devices") holds; @dev: "/dev/bus/usb". */
GPtrArray *_vmm_usb_scan (const char *sysfs, const char *dev, GError **error);
