/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Between a NIC and its back end. A NIC owns a VmmNet; which network is behind it (user, switch, tap, bridge, none), its MAC, link,
 * rate limit and capture file are settings that every NIC has, read here. What a network or a guest cannot do by itself (checksums,
 * segmentation) is done here, so a NIC may use every offload towards any network.
 *
 * Everything that moves frames runs on the machine's iothread: a NIC does its queues' work there, not on a vCPU. The device's lock may
 * be held while sending; the callbacks come without it and never from within vmm_net_send(). */
#pragma once

#include "core/device.h"
#include "core/iothread.h"

#include <sys/uio.h>

#define VMM_NET_MAC_LEN 6
#define VMM_NET_FRAME_MIN 60      /* on a wire; shorter ones may be sent and received here: padding is the NIC's */
#define VMM_NET_FRAME_MAX 65550   /* a whole segmented packet: Ethernet header and 64 KiB, with a VLAN tag */
#define VMM_NET_MAX_QUEUES 8      /* pairs */
#define VMM_NET_SEND_MAX_IOV 1024 /* pieces of a frame */

/**
 * VmmNetHeader:
 * What is left to do of a frame: struct virtio_net_hdr, little-endian, without num_buffers.
 * Spec: virtio 1.2 §5.1.6.
 */
typedef struct {
  guint8 flags;        /* VmmNetFlags */
  guint8 gso_type;     /* VmmNetGso, perhaps with VMM_NET_GSO_ECN */
  guint16 header_len;  /* bytes up to the payload; a hint */
  guint16 gso_size;    /* payload bytes of a segment */
  guint16 csum_start;  /* with NEEDS_CSUM: from here to the end of the frame */
  guint16 csum_offset; /* from csum_start */
} VmmNetHeader;

typedef enum {
  VMM_NET_NEEDS_CSUM = 1 << 0, /* the field holds the sum of the pseudo header */
  VMM_NET_DATA_VALID = 1 << 1, /* received: the checksum was looked at and is right */
} VmmNetFlags;

typedef enum {
  VMM_NET_GSO_NONE = 0,
  VMM_NET_GSO_TCP4 = 1,
  VMM_NET_GSO_TCP6 = 4,
  VMM_NET_GSO_ECN = 0x80,
} VmmNetGso;

/* What the guest takes in received frames (vmm_net_set_offloads). */
typedef enum {
  VMM_NET_OFFLOAD_NONE = 0,
  VMM_NET_OFFLOAD_CSUM = 1 << 0, /* frames with NEEDS_CSUM */
  VMM_NET_OFFLOAD_TSO4 = 1 << 1,
  VMM_NET_OFFLOAD_TSO6 = 1 << 2,
  VMM_NET_OFFLOAD_ECN = 1 << 3,
} VmmNetOffloads;

/**
 * VmmNetClient:
 * The NIC's side. All on the iothread, no lock held, not while quiesced.
 */
typedef struct {
  /* A frame for the guest, whole. @header: (nullable): nothing is left to do. @queue: which pair the network chose; 0 with one. FALSE:
   * no buffer is free: the frame is kept and offered again, first of all, after vmm_net_receive_ready(). A NIC whose receiver is off
   * returns TRUE and drops. */
  gboolean (*receive) (VmmDevice *dev, guint queue, const VmmNetHeader *header, const guint8 *frame, gsize len);
  /* (nullable) vmm_net_send() on @queue said FALSE: now it may be tried again. */
  void (*writable) (VmmDevice *dev, guint queue);
  /* (nullable) The cable was plugged or pulled. */
  void (*link_changed) (VmmDevice *dev, gboolean up);
} VmmNetClient;

/* The settings of every NIC, as a class's table: network, mac, link, rate-limit, capture, boot, rom, queues, and those of the networks. */
extern const VmmSetting vmm_net_settings[];

/**
 * vmm_net_new:
 * @client: static
 * @queues: pairs of queues that the NIC can use, at most VMM_NET_MAX_QUEUES; the setting "queues" may make it less
 * In a NIC's realize: joins the network that @dev's settings name. @client is called from then on.
 * Errors: VMM_ERROR_INVALID_CONFIG, _HOST, _NOT_FOUND naming the setting.
 */
VmmNet *vmm_net_new (VmmDevice *dev, const VmmNetClient *client, guint queues, GError **error);
void vmm_net_free (VmmNet *net); /* (nullable); in unrealize; leaves the network */

/* First and last in the NIC's quiesce and resume; control thread, no lock. While quiesced no callback comes; frames wait or are lost. */
void vmm_net_quiesce (VmmNet *net);
void vmm_net_resume (VmmNet *net);

const guint8 *vmm_net_get_mac (VmmNet *net); /* VMM_NET_MAC_LEN bytes, as set */
guint vmm_net_get_queues (VmmNet *net);      /* pairs that the network really has, 1 … @queues */
gboolean vmm_net_get_link (VmmNet *net);     /* any thread */

/* What the guest takes in received frames; VMM_NET_OFFLOAD_NONE at first: then headers are NULL (or DATA_VALID). Any thread, the
 * device's lock may be held; frames on their way may still come the old way: a NIC drops what the guest has not asked for. */
void vmm_net_set_offloads (VmmNet *net, VmmNetOffloads offloads);
/* How many of the pairs the guest uses now, 1 at first. Any thread, lock may be held. */
void vmm_net_set_active_queues (VmmNet *net, guint queues);

/**
 * vmm_net_send:
 * @queue: below vmm_net_get_queues()
 * @header: (nullable): what is left to do; all that VmmNetHeader can say is taken
 * @iov: one frame, without its check sequence; guest memory may be named: it is read once before return
 * Sends. A frame that makes no sense (too short, too long, wrong header) or meets a pulled cable is dropped.
 * Thread: iothread, the device's lock may be held.
 * Returns: FALSE: the network is full: keep the frame; VmmNetClient.writable follows.
 */
gboolean vmm_net_send (VmmNet *net, guint queue, const VmmNetHeader *header, const struct iovec *iov, guint n_iov);

/* The NIC has buffers again after its receive said FALSE. Any thread, the device's lock may be held. Costs nothing when nothing waits. */
void vmm_net_receive_ready (VmmNet *net);

/**
 * vmm_net_add_boot:
 * @dev: NIC that is a PCI device; @rom: file name of iPXE's image for it, "efi-e1000e.rom"
 * In realize after vmm_pci_device_init(): with the setting "boot" the place in the boot order and the boot ROM (setting "rom", or the
 * distribution's); without it a ROM only if "rom" names one: a machine that boots from its disk need not start iPXE first.
 */
gboolean vmm_net_add_boot (VmmDevice *dev, const char *rom, GError **error);
