/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A small xHCI driver for tests: rings and contexts in guest RAM, written from xHCI 1.1, not from vmm/. */
#pragma once

#include "test-board.h"

#define XHCI_HOST_BAR 0xfe800000u
#define XHCI_HOST_DATA 0x1000000u /* RAM from here on is the test's */
#define XHCI_HOST_RING_TRBS 64    /* the last is a link */

typedef struct {
  guint64 parameter;
  guint32 status, control;
} XhciHostTrb;

typedef struct {
  TestBoard *board;
  VmmDevice *xhci;
  guint devfn;
  guint command_index, command_cycle;
  guint event_index, event_cycle;
  struct {
    guint index, cycle;
  } ring[65][32];
} XhciHost;

/* Adds the controller (class "xhci"), maps it, sets bus mastering; does not start it. */
XhciHost *xhci_host_new (TestBoard *board);
void xhci_host_free (XhciHost *host);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XhciHost, xhci_host_free)

guint32 xhci_host_read (XhciHost *host, guint reg);
void xhci_host_write (XhciHost *host, guint reg, guint32 value);
guint32 xhci_host_portsc (XhciHost *host, guint port); /* from 1 */
void xhci_host_set_portsc (XhciHost *host, guint port, guint32 value);

/* HCRST, rings, contexts, one interrupter, run (§4.2). */
void xhci_host_start (XhciHost *host);
/* The next event of the ring, if there's one. */
gboolean xhci_host_poll (XhciHost *host, XhciHostTrb *ret);
/* Waits up to 5 s for the next event of @type (others are dropped). */
XhciHostTrb xhci_host_wait (XhciHost *host, guint type);

/* Puts a command into the ring, rings, waits. Returns: completion code. */
guint xhci_host_command (XhciHost *host, guint64 parameter, guint32 control, guint *ret_slot);
guint64 xhci_host_output_context (guint slot);
guint64 xhci_host_input_context (void);
guint64 xhci_host_ring (guint slot, guint dci);

/* Resets the port if it's one of USB 2, enables a slot, addresses the device. Returns: the slot, 0 if it failed. */
guint xhci_host_address (XhciHost *host, guint port, guint32 route);
/* Adds an endpoint: @type as in the endpoint context (2 bulk out, 6 bulk in, 7 interrupt in …). Returns: completion code. */
guint xhci_host_add_endpoint (XhciHost *host, guint slot, guint dci, guint type, guint max_packet);

/* Puts a TRB into an endpoint's ring; does not ring. Returns its address. The cycle bit is put in here. */
guint64 xhci_host_push (XhciHost *host, guint slot, guint dci, guint64 parameter, guint32 status, guint32 control);
void xhci_host_doorbell (XhciHost *host, guint slot, guint dci);

/* A control transfer with its data at XHCI_HOST_DATA. Returns: completion code of the transfer; *ret_len: bytes moved. */
guint xhci_host_control (XhciHost *host, guint slot, guint8 type, guint8 request, guint16 value, guint16 index, guint16 length,
                         guint *ret_len);
/* One TRB with IOC and ISP; waits. */
guint xhci_host_transfer (XhciHost *host, guint slot, guint dci, guint64 gpa, guint32 len, guint *ret_len);
/* As Linux does after a stall: reset, move the dequeue pointer to where the driver would go on. */
void xhci_host_recover (XhciHost *host, guint slot, guint dci);
