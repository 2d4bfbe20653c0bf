/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The xHCI controller's inside: xhci.c has the registers, xhci-port.c the root hub, xhci-event.c the interrupters, xhci-command.c slots and
 * contexts, xhci-transfer.c the endpoints. Section numbers are xHCI 1.1's. */
#pragma once

#include "core/clock.h"
#include "pci/pci.h"
#include "usb/xhci.h"

#define XHCI_PORTS 8 /* 1 to 4: USB 3, 5 to 8: USB 2 */
#define XHCI_PORTS_3 4
#define XHCI_SLOTS 64
#define XHCI_INTERRUPTERS 16
#define XHCI_ENDPOINTS 31 /* by DCI - 1 */
#define XHCI_HELD 32      /* events that wait for room in a ring */
#define XHCI_BUDGET 64    /* TDs or commands a kick; the rest goes on on the iothread */

/* TRB types, table 138 */
enum {
  XHCI_TRB_NORMAL = 1,
  XHCI_TRB_SETUP = 2,
  XHCI_TRB_DATA = 3,
  XHCI_TRB_STATUS = 4,
  XHCI_TRB_ISOCH = 5,
  XHCI_TRB_LINK = 6,
  XHCI_TRB_EVENT_DATA = 7,
  XHCI_TRB_NO_OP = 8,
  XHCI_TRB_ENABLE_SLOT = 9,
  XHCI_TRB_DISABLE_SLOT = 10,
  XHCI_TRB_ADDRESS_DEVICE = 11,
  XHCI_TRB_CONFIGURE_ENDPOINT = 12,
  XHCI_TRB_EVALUATE_CONTEXT = 13,
  XHCI_TRB_RESET_ENDPOINT = 14,
  XHCI_TRB_STOP_ENDPOINT = 15,
  XHCI_TRB_SET_DEQUEUE = 16,
  XHCI_TRB_RESET_DEVICE = 17,
  XHCI_TRB_GET_BANDWIDTH = 21,
  XHCI_TRB_NO_OP_COMMAND = 23,
  XHCI_TRB_TRANSFER_EVENT = 32,
  XHCI_TRB_COMMAND_EVENT = 33,
  XHCI_TRB_PORT_EVENT = 34,
  XHCI_TRB_HOST_EVENT = 37,
};

/* Of a TRB's control word, §6.4 */
#define XHCI_C 0x00000001u
#define XHCI_TC 0x00000002u /* link: toggle cycle */
#define XHCI_ISP 0x00000004u
#define XHCI_ED 0x00000004u /* event: parameter is event data */
#define XHCI_CH 0x00000010u
#define XHCI_IOC 0x00000020u
#define XHCI_IDT 0x00000040u
#define XHCI_BEI 0x00000200u
#define XHCI_BSR 0x00000200u /* address device */
#define XHCI_DC 0x00000200u  /* configure endpoint: deconfigure */

/* Completion codes, table 130 */
enum {
  XHCI_CC_SUCCESS = 1,
  XHCI_CC_BABBLE = 3,
  XHCI_CC_TRANSACTION = 4,
  XHCI_CC_TRB = 5,
  XHCI_CC_STALL = 6,
  XHCI_CC_NO_SLOTS = 9,
  XHCI_CC_SLOT_NOT_ENABLED = 11,
  XHCI_CC_EP_NOT_ENABLED = 12,
  XHCI_CC_SHORT = 13,
  XHCI_CC_PARAMETER = 17,
  XHCI_CC_CONTEXT_STATE = 19,
  XHCI_CC_EVENT_RING_FULL = 21,
  XHCI_CC_COMMAND_RING_STOPPED = 24,
  XHCI_CC_STOPPED = 26,
};

/* Slot and endpoint states, tables 60 and 62 */
enum {
  XHCI_SLOT_ENABLED = 0,
  XHCI_SLOT_DEFAULT = 1,
  XHCI_SLOT_ADDRESSED = 2,
  XHCI_SLOT_CONFIGURED = 3,
};
enum {
  XHCI_EP_DISABLED = 0,
  XHCI_EP_RUNNING = 1,
  XHCI_EP_HALTED = 2,
  XHCI_EP_STOPPED = 3,
  XHCI_EP_ERROR = 4,
};
enum {
  XHCI_EP_ISOCH_OUT = 1,
  XHCI_EP_CONTROL = 4,
  XHCI_EP_ISOCH_IN = 5,
};

/* USBCMD, USBSTS: §5.4.1, §5.4.2 */
#define XHCI_CMD_RUN 0x0001u
#define XHCI_CMD_HCRST 0x0002u
#define XHCI_CMD_INTE 0x0004u
#define XHCI_CMD_HSEE 0x0008u
#define XHCI_CMD_CSS 0x0100u
#define XHCI_CMD_CRS 0x0200u
#define XHCI_STS_HCH 0x0001u
#define XHCI_STS_HSE 0x0004u
#define XHCI_STS_EINT 0x0008u
#define XHCI_STS_PCD 0x0010u
#define XHCI_STS_SRE 0x0400u

#define XHCI_IMAN_IP 0x1u
#define XHCI_IMAN_IE 0x2u
#define XHCI_ERDP_EHB 0x8u

#define XHCI_CRCR_RCS 0x1u
#define XHCI_CRCR_CS 0x2u
#define XHCI_CRCR_CA 0x4u
#define XHCI_CRCR_CRR 0x8u

typedef struct {
  guint64 parameter;
  guint32 status, control;
} XhciTrb;
G_STATIC_ASSERT (sizeof (XhciTrb) == 16);

typedef struct {
  guint64 erstba, erdp; /* erdp without its flags */
  guint64 segment;      /* gpa of the segment being filled */
  guint32 iman, imod, erstsz;
  guint32 ehb;           /* event handler busy */
  guint32 loaded;        /* the segment was looked up in the table */
  guint32 segment_index; /* in the table */
  guint32 segment_size, index, cycle;
  guint32 wants; /* there is an event to tell of (IPE, §4.17.2) */
  guint32 n_held;
  guint32 told_full; /* Event Ring Full was written since there was room */
  XhciTrb held[XHCI_HELD];
} XhciInterrupterRegs;

typedef struct {
  guint64 dequeue; /* gpa of the first TRB that is not done */
  guint32 cycle;
  guint32 state, type, max_packet;
} XhciEndpointRegs;

typedef struct {
  guint64 context; /* gpa of the output context */
  guint32 enabled, state, root_port, route;
  XhciEndpointRegs ep[XHCI_ENDPOINTS];
} XhciSlotRegs;

typedef struct {
  guint64 crcr; /* dequeue pointer and RCS */
  guint64 dcbaap;
  guint32 usbcmd, usbsts, dnctrl, config;
  guint32 command_running, reserved;
  guint32 portsc[XHCI_PORTS], portpmsc[XHCI_PORTS];
  XhciInterrupterRegs intr[XHCI_INTERRUPTERS];
  XhciSlotRegs slot[XHCI_SLOTS];
} XhciRegs;

typedef struct {
  GQueue transfers; /* XhciTransfer, in the order of the ring */
  gboolean running; /* inside _vmm_xhci_endpoint_run() */
} XhciEndpoint;

typedef struct {
  VmmPciDevice pci;
  XhciRegs regs;
  VmmUsbHost host;
  VmmUsbPort ports[XHCI_PORTS];
  VmmTimer timers[XHCI_INTERRUPTERS];
  gint64 quiet_until_ns[XHCI_INTERRUPTERS]; /* moderation */
  XhciEndpoint ep[XHCI_SLOTS][XHCI_ENDPOINTS];
  guint32 kicked[XHCI_SLOTS]; /* a bit a DCI: to be run by the next pass */
  gboolean command_kicked;
  gboolean pass_queued;
  gboolean quiesced;
} Xhci;

/* All with the device's lock held. Slots are counted from 0 here, from 1 on the wire. */

static inline gboolean
_vmm_xhci_is_running (const Xhci *xhci)
{
  return (xhci->regs.usbcmd & XHCI_CMD_RUN) != 0;
}

static inline guint
_vmm_xhci_trb_type (const XhciTrb *trb)
{
  return trb->control >> 10 & 0x3f;
}

/* xhci.c */

/* A ring or a context lies in no memory: the controller stops (§4.10.2.6: host system error). */
void _vmm_xhci_fail (Xhci *xhci, const char *what, guint64 gpa);
gboolean _vmm_xhci_read_trb (Xhci *xhci, guint64 gpa, XhciTrb *ret);
/* @words: in host order */
gboolean _vmm_xhci_read_words (Xhci *xhci, guint64 gpa, guint32 *words, guint n);
gboolean _vmm_xhci_write_words (Xhci *xhci, guint64 gpa, const guint32 *words, guint n);
/* Goes on on the iothread with what was kicked. */
void _vmm_xhci_schedule (Xhci *xhci);

/* xhci-event.c */

/* The cycle bit is put in here. @quiet: tells nobody (BEI). */
void _vmm_xhci_event (Xhci *xhci, guint interrupter, XhciTrb event, gboolean quiet);
/* Interrupts as IMAN, ERDP and USBCMD say. */
void _vmm_xhci_update_irq (Xhci *xhci);
/* Guest memory has room for events again. */
void _vmm_xhci_flush_events (Xhci *xhci, guint interrupter);
/* No event waits for room. */
gboolean _vmm_xhci_can_report (Xhci *xhci);
guint32 _vmm_xhci_read_runtime (Xhci *xhci, guint offset);
void _vmm_xhci_write_runtime (Xhci *xhci, guint offset, guint32 value);
void _vmm_xhci_on_moderated (VmmDevice *dev, gpointer data);

/* xhci-command.c */

void _vmm_xhci_command_run (Xhci *xhci);
void _vmm_xhci_command_stop (Xhci *xhci);
void _vmm_xhci_disable_slot (Xhci *xhci, guint slot);

/* xhci-transfer.c */

/* Starts what the ring holds. */
void _vmm_xhci_endpoint_run (Xhci *xhci, guint slot, guint dci);
/* Cancels what is in flight; the dequeue pointer stays before it. Returns: TRUE if there was something. */
gboolean _vmm_xhci_endpoint_cancel (Xhci *xhci, guint slot, guint dci);
/* Sets the state, in the output context too, with the dequeue pointer. */
void _vmm_xhci_endpoint_set_state (Xhci *xhci, guint slot, guint dci, guint state);
/* Tells of a transfer cut short by Stop Endpoint. */
void _vmm_xhci_endpoint_tell_stopped (Xhci *xhci, guint slot, guint dci);
/* Cancels all of all slots; those that ran are kicked. */
void _vmm_xhci_cancel_all (Xhci *xhci);
void _vmm_xhci_on_complete (VmmUsbHost *host, VmmUsbPacket *packet);
void _vmm_xhci_on_device_reset (VmmUsbHost *host, VmmUsbDevice *dev);
void _vmm_xhci_on_device_gone (VmmUsbHost *host, VmmUsbDevice *dev);
VmmUsbDevice *_vmm_xhci_slot_device (Xhci *xhci, guint slot);

/* xhci-port.c */

extern const VmmUsbPortOps _vmm_xhci_port_ops;
guint32 _vmm_xhci_read_port (Xhci *xhci, guint offset);
void _vmm_xhci_write_port (Xhci *xhci, guint offset, guint32 value);
/* Power-on state: what is plugged in is found anew. */
void _vmm_xhci_port_reset_all (Xhci *xhci);
