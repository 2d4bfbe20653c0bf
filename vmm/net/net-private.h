/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Between the common half of the network layer (net.c) and the kinds of networks. */
#pragma once

#include "core/clock.h"
#include "net/net.h"

/**
 * VmmNetOps:
 * A kind of network. What it opened is its own struct. On the iothread, the NIC's lock perhaps held, unless told otherwise.
 */
typedef struct {
  const char *name;
  VmmNetOffloads takes; /* what send's header may hold; the rest is done before */
  gboolean takes_sums;  /* FALSE: segmentation may be left to it, checksums not */
  /* (nullable) TRUE: this one takes no header at all, whatever its kind takes. */
  gboolean (*is_plain) (gpointer backend);
  /* Control thread, no lock. @queues: (inout): wanted, had. Frames may come from now on. */
  gpointer (*open) (VmmNet *net, guint *queues, GError **error);
  /* Control thread, no lock. No frame comes after. */
  void (*close) (gpointer backend);
  /* @len: of all @iov. FALSE: full, and vmm_net_writable() follows, not from within. */
  gboolean (*send) (gpointer backend, guint queue, const VmmNetHeader *header, const struct iovec *iov, guint n_iov, gsize len);
  /* (nullable) The guest takes frames again after vmm_net_deliver() said FALSE. */
  void (*receive_ready) (gpointer backend);
  /* (nullable) */
  void (*set_offloads) (gpointer backend, VmmNetOffloads offloads);
  /* (nullable) */
  void (*set_active_queues) (gpointer backend, guint queues);
  /* (nullable) No lock held. */
  gboolean (*add_forward) (gpointer backend, const char *forward, GError **error);
  gboolean (*remove_forward) (gpointer backend, const char *forward, GError **error);
  char **(*dup_forwards) (gpointer backend);
} VmmNetOps;

extern const VmmNetOps vmm_net_user_ops;
extern const VmmNetOps vmm_net_switch_ops;
extern const VmmNetOps vmm_net_tap_ops;
extern const VmmNetOps vmm_net_bridge_ops;

/**
 * vmm_net_deliver:
 * @header: (nullable)
 * A frame from the network for the guest. It is taken in any case: given to the NIC, kept, or dropped if too much waits. Thread: iothread,
 * no lock held.
 * Returns: FALSE: better read no more; VmmNetOps.receive_ready follows.
 */
gboolean vmm_net_deliver (VmmNet *net, guint queue, const VmmNetHeader *header, const guint8 *frame, gsize len);
gboolean vmm_net_may_deliver (VmmNet *net); /* what vmm_net_deliver() said last, or would say */
void vmm_net_writable (VmmNet *net);        /* iothread, no lock held */

VmmDevice *vmm_net_get_device (VmmNet *net);
VmmIoThread *vmm_net_get_iothread (VmmNet *net);

/* Puts the NIC on another network; NULL: none. @backend is closed with the NIC. Control thread, no lock. */
void vmm_net_attach (VmmNet *net, const VmmNetOps *ops, gpointer backend);
/* (nullable): a NIC's, by the id of its device. Control thread. */
VmmNet *vmm_net_find (VmmMachine *machine, const char *device_id);
void vmm_net_set_link (VmmNet *net, gboolean up); /* control thread, no lock */
gboolean vmm_net_add_forward (VmmNet *net, const char *forward, GError **error);
gboolean vmm_net_remove_forward (VmmNet *net, const char *forward, GError **error);
char **vmm_net_dup_forwards (VmmNet *net); /* never NULL */

/* offload.c */

/* Called for each piece; the buffer is the callee's to read only. */
typedef void (*VmmNetPieceFunc) (gpointer data, const guint8 *frame, gsize len);

/* Fills the checksum that @header says is missing. FALSE: it lies outside the frame. */
gboolean vmm_net_complete_checksum (guint8 *frame, gsize len, const VmmNetHeader *header);
/* Completes the checksum of a segmented frame as if it were one packet of that size. */
gboolean vmm_net_complete_large (guint8 *frame, gsize len, const VmmNetHeader *header);
/* Cuts a TCP packet into frames of at most header->gso_size payload. FALSE: it is none, or would be too many. */
gboolean vmm_net_segment (const guint8 *frame, gsize len, const VmmNetHeader *header, VmmNetPieceFunc piece, gpointer data);

/* pcap.c */

typedef struct _VmmNetCapture VmmNetCapture;

VmmNetCapture *vmm_net_capture_new (const char *path, GError **error); /* written over */
void vmm_net_capture_free (VmmNetCapture *capture);
/* Returns: FALSE with errno if the host's disk failed. */
gboolean vmm_net_capture_write (VmmNetCapture *capture, const struct iovec *iov, guint n_iov, gsize len);

/* forward.c */

typedef struct {
  gboolean udp;
  gboolean ipv6;
  guint8 host[16], guest[16]; /* in network order; 4 bytes used if not ipv6 */
  guint16 host_port, guest_port;
} VmmNetForward;

/* "tcp:[HOST:]PORT-[GUEST:]PORT"; IPv6 addresses in brackets; host 127.0.0.1 and guest 10.0.2.15 if left out. */
gboolean vmm_net_forward_parse (const char *text, VmmNetForward *ret_forward, GError **error);
gboolean vmm_net_forward_same_host (const VmmNetForward *a, const VmmNetForward *b);
char *vmm_net_forward_format (const VmmNetForward *forward);
