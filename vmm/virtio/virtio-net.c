/* SPDX-License-Identifier: GPL-3.0-or-later */
/* virtio network device.
 * Spec: VIRTIO 1.2 §5.1. Left out: hashing and RSS, UDP segmentation, a limit of the MTU.
 *
 * Theory of operation: all queues are served on the iothread, under the lock. What the driver sends is named to the network in place, in
 * guest memory; a packet that the network refuses goes back into the ring and the network tells when to go on. A frame from the network is
 * copied into as many buffers as it takes (merged if the driver can); if there are not enough it stays with the network layer, and the
 * driver's kick of the receive queue fetches it. Segmentation and checksums go both ways as the driver agreed to: what the other side cannot
 * do is done in net/.
 *
 * Saved state: the filters and what the control queue set. */
#include "net/net.h"
#include "virtio/virtio.h"

#include <string.h>

#define VNET_ROM "efi-virtio.rom"
#define VNET_QUEUE_SIZE 256
#define VNET_MERGE_MAX 64 /* buffers of one frame */
#define VNET_TABLE_MAX 64

/* §5.1.3 */
#define VNET_F_CSUM 0
#define VNET_F_GUEST_CSUM 1
#define VNET_F_CTRL_GUEST_OFFLOADS 2
#define VNET_F_MAC 5
#define VNET_F_GUEST_TSO4 7
#define VNET_F_GUEST_TSO6 8
#define VNET_F_GUEST_ECN 9
#define VNET_F_HOST_TSO4 11
#define VNET_F_HOST_TSO6 12
#define VNET_F_HOST_ECN 13
#define VNET_F_MRG_RXBUF 15
#define VNET_F_STATUS 16
#define VNET_F_CTRL_VQ 17
#define VNET_F_CTRL_RX 18
#define VNET_F_CTRL_VLAN 19
#define VNET_F_CTRL_RX_EXTRA 20
#define VNET_F_GUEST_ANNOUNCE 21
#define VNET_F_MQ 22
#define VNET_F_CTRL_MAC_ADDR 23

/* §5.1.4 */
#define VNET_CONFIG_MAC 0
#define VNET_CONFIG_STATUS 6
#define VNET_CONFIG_MAX_PAIRS 8
#define VNET_CONFIG_SIZE 12
#define VNET_STATUS_LINK_UP 1
#define VNET_STATUS_ANNOUNCE 2

/* §5.1.6.5: classes and commands */
#define VNET_CTRL_RX 0
#define VNET_CTRL_MAC 1
#define VNET_CTRL_MAC_TABLE_SET 0
#define VNET_CTRL_MAC_ADDR_SET 1
#define VNET_CTRL_VLAN 2
#define VNET_CTRL_VLAN_ADD 0
#define VNET_CTRL_VLAN_DEL 1
#define VNET_CTRL_ANNOUNCE 3
#define VNET_CTRL_MQ 4
#define VNET_CTRL_GUEST_OFFLOADS 5
#define VNET_ACK_OK 0
#define VNET_ACK_ERR 1

/* §5.1.6: a frame's header, with VERSION_1 always whole */
typedef struct {
  VmmNetHeader header;
  guint16 num_buffers;
} VnetHeader;
G_STATIC_ASSERT (sizeof (VnetHeader) == 12);

/* By number of the command, §5.1.6.5.1 */
enum {
  VNET_PROMISC,
  VNET_ALL_MULTI,
  VNET_ALL_UNI,
  VNET_NO_MULTI,
  VNET_NO_UNI,
  VNET_NO_BROADCAST,
  VNET_N_MODES,
};

typedef struct {
  guint8 modes[VNET_N_MODES];
  guint8 mac[VMM_NET_MAC_LEN];
  guint8 table[VNET_TABLE_MAX][VMM_NET_MAC_LEN];
  guint32 n_table, n_uni; /* of table; the first are for stations */
  guint8 table_full_uni, table_full_multi;
  guint16 pairs;
  guint32 vlans[4096 / 32];
  guint32 offloads; /* VmmNetOffloads */
} VnetRegs;

typedef struct {
  VmmVirtio virtio;
  VnetRegs regs;
  VmmNet *net;
  guint max_pairs;
  VmmVirtioElement elements[VNET_MERGE_MAX]; /* receiving; empty between frames but for their vectors */
  VmmVirtioElement tx_element, ctrl_element;
  struct iovec iov[VMM_NET_SEND_MAX_IOV];
} VirtioNet;

static const VmmField vnet_fields[] = {
  VMM_FIELD_BLOB (VnetRegs, modes),
  VMM_FIELD_BLOB (VnetRegs, mac),
  VMM_FIELD_BLOB (VnetRegs, table),
  VMM_FIELD_MAX (VnetRegs, n_table, VNET_TABLE_MAX),
  VMM_FIELD_MAX (VnetRegs, n_uni, VNET_TABLE_MAX),
  VMM_FIELD_MAX (VnetRegs, table_full_uni, 1),
  VMM_FIELD_MAX (VnetRegs, table_full_multi, 1),
  VMM_FIELD_MAX (VnetRegs, pairs, VMM_NET_MAX_QUEUES),
  VMM_FIELD_ARRAY (VnetRegs, vlans),
  VMM_FIELD (VnetRegs, offloads),
  VMM_FIELD_END,
};

static gboolean
vnet_has (VirtioNet *nic, guint bit)
{
  return vmm_virtio_has_feature (&nic->virtio, bit);
}

static guint
vnet_ctrl_index (VirtioNet *nic)
{
  return vnet_has (nic, VNET_F_MQ) ? 2 * nic->max_pairs : 2;
}

/* === Receiving === */

/* §5.1.6.5.1, .2, .3 */
static gboolean
vnet_accepts (VirtioNet *nic, const guint8 *frame, gsize len)
{
  const VnetRegs *regs = &nic->regs;
  gboolean multi = (frame[0] & 1) != 0;

  if (regs->modes[VNET_PROMISC])
    return TRUE;
  if (vnet_has (nic, VNET_F_CTRL_VLAN) && len >= 18 && frame[12] == 0x81 && frame[13] == 0x00)
    {
      guint vlan = (guint) (frame[14] << 8 | frame[15]) & 0xfff;

      if ((regs->vlans[vlan / 32] & 1u << vlan % 32) == 0)
        return FALSE;
    }
  if (memcmp (frame, "\xff\xff\xff\xff\xff\xff", VMM_NET_MAC_LEN) == 0)
    return !regs->modes[VNET_NO_BROADCAST];
  if (multi ? regs->modes[VNET_NO_MULTI] : regs->modes[VNET_NO_UNI])
    return FALSE;
  if (multi ? regs->modes[VNET_ALL_MULTI] || regs->table_full_multi : regs->modes[VNET_ALL_UNI] || regs->table_full_uni)
    return TRUE;
  if (memcmp (frame, regs->mac, VMM_NET_MAC_LEN) == 0)
    return TRUE;
  for (guint i = multi ? regs->n_uni : 0; i < (multi ? regs->n_table : regs->n_uni); i++)
    if (memcmp (frame, regs->table[i], VMM_NET_MAC_LEN) == 0)
      return TRUE;
  return FALSE;
}

/* The part of a header that the driver knows. FALSE: it asks for what the driver did not agree to. */
static gboolean
vnet_make_header (VirtioNet *nic, const VmmNetHeader *from, VnetHeader *ret_header)
{
  guint32 offloads = nic->regs.offloads;
  guint gso;

  memset (ret_header, 0, sizeof *ret_header);
  if (from == NULL)
    return TRUE;
  gso = from->gso_type & ~(guint) VMM_NET_GSO_ECN;
  if (((from->flags & VMM_NET_NEEDS_CSUM) != 0 && (offloads & VMM_NET_OFFLOAD_CSUM) == 0)
      || (gso == VMM_NET_GSO_TCP4 && (offloads & VMM_NET_OFFLOAD_TSO4) == 0)
      || (gso == VMM_NET_GSO_TCP6 && (offloads & VMM_NET_OFFLOAD_TSO6) == 0))
    return FALSE;
  ret_header->header = *from;
  if ((offloads & VMM_NET_OFFLOAD_CSUM) == 0)
    ret_header->header.flags = 0;
  return TRUE;
}

/* Returns: buffers of @elements that hold @len bytes; 0: not enough in the ring; G_MAXUINT: too many or one that is too small. What was
 * taken is put back then. */
static guint
vnet_gather (VirtioNet *nic, VmmVirtqueue *queue, gsize len)
{
  gboolean merge = vnet_has (nic, VNET_F_MRG_RXBUF);
  guint n = 0, result = 0;
  gsize room = 0;

  while (n < VNET_MERGE_MAX && vmm_virtqueue_pop (queue, &nic->elements[n]))
    {
      room += nic->elements[n++].in_bytes;
      if (room >= len)
        return n;
      if (!merge)
        break;
    }
  if (n == VNET_MERGE_MAX || (!merge && n == 1))
    result = G_MAXUINT;
  while (n > 0)
    vmm_virtqueue_unpop (queue, &nic->elements[--n]);
  return result;
}

static gboolean
vnet_receive_locked (VirtioNet *nic, guint pair, const VmmNetHeader *from, const guint8 *frame, gsize len)
{
  VmmVirtqueue *queue = vmm_virtio_get_queue (&nic->virtio, 2 * (pair < nic->regs.pairs ? pair : 0));
  VnetHeader header;
  gsize done = 0;
  guint n;

  if (!vmm_virtqueue_is_live (queue) || !vnet_accepts (nic, frame, len) || !vnet_make_header (nic, from, &header))
    return TRUE;
  /* (A first buffer too small for the header, against §5.1.6.3.1, gets a part of it; the frame then starts in the second.) */
  n = vnet_gather (nic, queue, sizeof header + len);
  if (n == 0)
    return FALSE;
  if (n == G_MAXUINT)
    return TRUE;
  header.num_buffers = GUINT16_TO_LE ((guint16) n);
  for (guint i = 0; i < n; i++)
    {
      VmmVirtioElement *element = &nic->elements[i];
      gsize written = 0;

      if (i == 0)
        written = vmm_virtio_element_write (element, 0, &header, sizeof header);
      written += vmm_virtio_element_write (element, written, frame + done, len - done);
      done += written - (i == 0 ? MIN (written, sizeof header) : 0);
      vmm_virtqueue_push (queue, element, (guint32) written);
    }
  vmm_virtqueue_notify (queue);
  return TRUE;
}

static gboolean
vnet_receive (VmmDevice *dev, guint queue, const VmmNetHeader *header, const guint8 *frame, gsize len)
{
  gboolean taken;

  vmm_device_lock (dev);
  taken = vnet_receive_locked ((VirtioNet *) dev, queue, header, frame, len);
  vmm_device_unlock (dev);
  return taken;
}

/* === Sending === */

/* Returns: FALSE: the network is full. */
static gboolean
vnet_send (VirtioNet *nic, guint pair, const VmmVirtioElement *element)
{
  VnetHeader header;
  guint gso, n;

  if (vmm_virtio_element_read (element, 0, &header, sizeof header) < sizeof header)
    {
      vmm_guest_error (&nic->virtio.pci.base, "a packet without a whole header");
      return TRUE;
    }
  gso = header.header.gso_type & ~(guint) VMM_NET_GSO_ECN;
  if (((header.header.flags & VMM_NET_NEEDS_CSUM) != 0 && !vnet_has (nic, VNET_F_CSUM))
      || (gso != VMM_NET_GSO_NONE && (gso != VMM_NET_GSO_TCP4 || !vnet_has (nic, VNET_F_HOST_TSO4))
          && (gso != VMM_NET_GSO_TCP6 || !vnet_has (nic, VNET_F_HOST_TSO6))))
    {
      vmm_guest_error (&nic->virtio.pci.base, "a packet asks for what was not agreed on: flags %x, segmentation %x",
                       header.header.flags, header.header.gso_type);
      return TRUE;
    }
  header.header.flags &= VMM_NET_NEEDS_CSUM;
  n = vmm_virtio_iov_slice (element->iov, element->n_out, sizeof header, element->out_bytes - sizeof header, nic->iov,
                            G_N_ELEMENTS (nic->iov));
  return vmm_net_send (nic->net, pair < vmm_net_get_queues (nic->net) ? pair : 0, &header.header, nic->iov, n);
}

static void
vnet_run_tx (VirtioNet *nic, guint index)
{
  VmmVirtqueue *queue = vmm_virtio_get_queue (&nic->virtio, index);
  VmmVirtioElement *element = &nic->tx_element;
  gboolean any = FALSE;

  while (vmm_virtqueue_pop (queue, element))
    {
      if (!vnet_send (nic, index / 2, element))
        {
          vmm_virtqueue_unpop (queue, element);
          break;
        }
      vmm_virtqueue_push (queue, element, 0);
      any = TRUE;
    }
  if (any)
    vmm_virtqueue_notify (queue);
}

static void
vnet_writable (VmmDevice *dev, guint pair)
{
  vmm_virtqueue_kick (vmm_virtio_get_queue ((VmmVirtio *) dev, 2 * pair + 1));
}

/* === The control queue === */

static gboolean
vnet_set_mode (VirtioNet *nic, guint command, const VmmVirtioElement *element)
{
  guint8 on;

  if (command >= VNET_N_MODES || !vnet_has (nic, command < VNET_ALL_UNI ? VNET_F_CTRL_RX : VNET_F_CTRL_RX_EXTRA)
      || vmm_virtio_element_read (element, 2, &on, 1) != 1)
    return FALSE;
  nic->regs.modes[command] = on != 0;
  return TRUE;
}

/* Two lists: stations, then groups. A list that does not fit lets all of its kind in. */
static gboolean
vnet_set_table (VirtioNet *nic, const VmmVirtioElement *element)
{
  VnetRegs *regs = &nic->regs;
  VnetRegs fresh = { 0 };
  gsize at = 2;

  for (guint list = 0; list < 2; list++)
    {
      guint32 n;

      if (vmm_virtio_element_read (element, at, &n, sizeof n) != sizeof n)
        return FALSE;
      n = GUINT32_FROM_LE (n);
      at += sizeof n;
      if (n > (element->out_bytes - at) / VMM_NET_MAC_LEN)
        return FALSE;
      if (fresh.n_table + n > VNET_TABLE_MAX)
        *(list == 0 ? &fresh.table_full_uni : &fresh.table_full_multi) = TRUE;
      else
        {
          vmm_virtio_element_read (element, at, fresh.table[fresh.n_table], n * VMM_NET_MAC_LEN);
          fresh.n_table += n;
        }
      at += (gsize) n * VMM_NET_MAC_LEN;
      if (list == 0)
        fresh.n_uni = fresh.n_table;
    }
  memcpy (regs->table, fresh.table, sizeof regs->table);
  regs->n_table = fresh.n_table;
  regs->n_uni = fresh.n_uni;
  regs->table_full_uni = fresh.table_full_uni;
  regs->table_full_multi = fresh.table_full_multi;
  return TRUE;
}

static gboolean
vnet_set_mac (VirtioNet *nic, guint command, const VmmVirtioElement *element)
{
  guint8 mac[VMM_NET_MAC_LEN];

  if (command == VNET_CTRL_MAC_TABLE_SET && vnet_has (nic, VNET_F_CTRL_RX))
    return vnet_set_table (nic, element);
  if (command != VNET_CTRL_MAC_ADDR_SET || !vnet_has (nic, VNET_F_CTRL_MAC_ADDR)
      || vmm_virtio_element_read (element, 2, mac, sizeof mac) != sizeof mac)
    return FALSE;
  memcpy (nic->regs.mac, mac, sizeof mac);
  memcpy (nic->virtio.regs.config + VNET_CONFIG_MAC, mac, sizeof mac);
  return TRUE;
}

static gboolean
vnet_set_vlan (VirtioNet *nic, guint command, const VmmVirtioElement *element)
{
  guint16 vlan;

  if (command > VNET_CTRL_VLAN_DEL || !vnet_has (nic, VNET_F_CTRL_VLAN)
      || vmm_virtio_element_read (element, 2, &vlan, sizeof vlan) != sizeof vlan)
    return FALSE;
  vlan = GUINT16_FROM_LE (vlan);
  if (vlan >= 4096)
    return FALSE;
  if (command == VNET_CTRL_VLAN_ADD)
    nic->regs.vlans[vlan / 32] |= 1u << vlan % 32;
  else
    nic->regs.vlans[vlan / 32] &= ~(1u << vlan % 32);
  return TRUE;
}

static void
vnet_set_status (VirtioNet *nic, guint clear, guint set)
{
  guint64 status = vmm_virtio_config_get (&nic->virtio, VNET_CONFIG_STATUS, 2);

  vmm_virtio_config_put (&nic->virtio, VNET_CONFIG_STATUS, 2, (status & ~(guint64) clear) | set);
}

static gboolean
vnet_set_pairs (VirtioNet *nic, const VmmVirtioElement *element)
{
  guint16 pairs;

  if (!vnet_has (nic, VNET_F_MQ) || vmm_virtio_element_read (element, 2, &pairs, sizeof pairs) != sizeof pairs)
    return FALSE;
  pairs = GUINT16_FROM_LE (pairs);
  if (pairs < 1 || pairs > nic->max_pairs)
    return FALSE;
  nic->regs.pairs = pairs;
  vmm_net_set_active_queues (nic->net, pairs);
  return TRUE;
}

static void
vnet_take_offloads (VirtioNet *nic, guint64 bits)
{
  nic->regs.offloads = ((bits & VMM_VIRTIO_F (VNET_F_GUEST_CSUM)) != 0 ? VMM_NET_OFFLOAD_CSUM : 0)
                       | ((bits & VMM_VIRTIO_F (VNET_F_GUEST_TSO4)) != 0 ? VMM_NET_OFFLOAD_TSO4 : 0)
                       | ((bits & VMM_VIRTIO_F (VNET_F_GUEST_TSO6)) != 0 ? VMM_NET_OFFLOAD_TSO6 : 0)
                       | ((bits & VMM_VIRTIO_F (VNET_F_GUEST_ECN)) != 0 ? VMM_NET_OFFLOAD_ECN : 0);
  vmm_net_set_offloads (nic->net, (VmmNetOffloads) nic->regs.offloads);
}

static gboolean
vnet_set_offloads (VirtioNet *nic, const VmmVirtioElement *element)
{
  guint64 bits;

  if (!vnet_has (nic, VNET_F_CTRL_GUEST_OFFLOADS) || vmm_virtio_element_read (element, 2, &bits, sizeof bits) != sizeof bits)
    return FALSE;
  bits = GUINT64_FROM_LE (bits);
  if ((bits & ~nic->virtio.regs.driver_features) != 0)
    return FALSE;
  vnet_take_offloads (nic, bits);
  return TRUE;
}

static gboolean
vnet_do_command (VirtioNet *nic, const VmmVirtioElement *element)
{
  guint8 command[2];

  if (vmm_virtio_element_read (element, 0, command, sizeof command) != sizeof command)
    return FALSE;
  switch (command[0])
    {
    case VNET_CTRL_RX:
      return vnet_set_mode (nic, command[1], element);
    case VNET_CTRL_MAC:
      return vnet_set_mac (nic, command[1], element);
    case VNET_CTRL_VLAN:
      return vnet_set_vlan (nic, command[1], element);
    case VNET_CTRL_ANNOUNCE:
      if (command[1] != 0 || !vnet_has (nic, VNET_F_GUEST_ANNOUNCE))
        return FALSE;
      vnet_set_status (nic, VNET_STATUS_ANNOUNCE, 0);
      return TRUE;
    case VNET_CTRL_MQ:
      return command[1] == 0 && vnet_set_pairs (nic, element);
    case VNET_CTRL_GUEST_OFFLOADS:
      return command[1] == 0 && vnet_set_offloads (nic, element);
    default:
      return FALSE;
    }
}

static void
vnet_run_ctrl (VirtioNet *nic, guint index)
{
  VmmVirtqueue *queue = vmm_virtio_get_queue (&nic->virtio, index);
  VmmVirtioElement *element = &nic->ctrl_element;
  gboolean any = FALSE;

  while (vmm_virtqueue_pop (queue, element))
    {
      guint8 ack = vnet_do_command (nic, element) ? VNET_ACK_OK : VNET_ACK_ERR;

      vmm_virtqueue_push (queue, element, (guint32) vmm_virtio_element_write (element, 0, &ack, 1));
      any = TRUE;
    }
  if (any)
    vmm_virtqueue_notify (queue);
}

static void
vnet_handle_queue (VmmVirtio *virtio, guint index)
{
  VirtioNet *nic = (VirtioNet *) virtio;

  if (vnet_has (nic, VNET_F_CTRL_VQ) && index == vnet_ctrl_index (nic))
    vnet_run_ctrl (nic, index);
  else if (index >= 2 * nic->max_pairs)
    return;
  else if ((index & 1) != 0)
    vnet_run_tx (nic, index);
  else
    vmm_net_receive_ready (nic->net);
}

/* === Life === */

static void
vnet_start (VmmVirtio *virtio)
{
  VirtioNet *nic = (VirtioNet *) virtio;

  vnet_take_offloads (nic, virtio->regs.driver_features);
}

static void
vnet_reset_device (VmmVirtio *virtio)
{
  VirtioNet *nic = (VirtioNet *) virtio;

  memset (&nic->regs, 0, sizeof nic->regs);
  nic->regs.pairs = 1;
  nic->regs.modes[VNET_PROMISC] = TRUE; /* until the driver sets filters, if it ever does */
  if (nic->net == NULL)
    return;
  memcpy (nic->regs.mac, vmm_net_get_mac (nic->net), VMM_NET_MAC_LEN);
  memcpy (virtio->regs.config + VNET_CONFIG_MAC, nic->regs.mac, VMM_NET_MAC_LEN);
  vmm_virtio_config_put (virtio, VNET_CONFIG_MAX_PAIRS, 2, nic->max_pairs);
  vnet_set_status (nic, VNET_STATUS_LINK_UP | VNET_STATUS_ANNOUNCE, vmm_net_get_link (nic->net) ? VNET_STATUS_LINK_UP : 0);
  vmm_net_set_offloads (nic->net, VMM_NET_OFFLOAD_NONE);
  vmm_net_set_active_queues (nic->net, 1);
}

static const VmmVirtioOps vnet_ops = {
  .handle_queue = vnet_handle_queue,
  .start = vnet_start,
  .reset = vnet_reset_device,
};

/* Lock held. */
static void
vnet_update_link (VirtioNet *nic)
{
  gboolean up = vmm_net_get_link (nic->net);
  gboolean was_up = (vmm_virtio_config_get (&nic->virtio, VNET_CONFIG_STATUS, 2) & VNET_STATUS_LINK_UP) != 0;

  if (up == was_up)
    return;
  vnet_set_status (nic, VNET_STATUS_LINK_UP, up ? VNET_STATUS_LINK_UP : 0);
  vmm_virtio_config_changed (&nic->virtio);
}

static void
vnet_link_changed (VmmDevice *dev, gboolean up)
{
  vmm_device_lock (dev);
  vnet_update_link ((VirtioNet *) dev);
  vmm_device_unlock (dev);
}

static void
vnet_quiesce (VmmDevice *dev)
{
  vmm_net_quiesce (((VirtioNet *) dev)->net);
  vmm_virtio_quiesce (dev);
}

static void
vnet_resume (VmmDevice *dev)
{
  VirtioNet *nic = (VirtioNet *) dev;

  vmm_virtio_resume (dev);
  vmm_device_lock (dev);
  vnet_update_link (nic);
  vmm_device_unlock (dev);
  vmm_net_resume (nic->net);
}

static gboolean
vnet_post_load (VmmDevice *dev, GError **error)
{
  VirtioNet *nic = (VirtioNet *) dev;

  if (nic->regs.pairs < 1 || nic->regs.pairs > nic->max_pairs || nic->regs.n_uni > nic->regs.n_table)
    {
      g_set_error_literal (error, VMM_ERROR, VMM_ERROR_STATE_MISMATCH, "the saved network card has other queues");
      return FALSE;
    }
  if (!vmm_virtio_post_load (dev, error))
    return FALSE;
  vmm_net_set_offloads (nic->net, (VmmNetOffloads) nic->regs.offloads);
  vmm_net_set_active_queues (nic->net, nic->regs.pairs);
  /* §5.1.6.5.4: the network has to learn again where the guest is. */
  if (vnet_has (nic, VNET_F_GUEST_ANNOUNCE))
    {
      vnet_set_status (nic, 0, VNET_STATUS_ANNOUNCE);
      vmm_virtio_config_changed (&nic->virtio);
    }
  return TRUE;
}

static void
vnet_unrealize (VmmDevice *dev)
{
  VirtioNet *nic = (VirtioNet *) dev;

  vmm_virtio_stop (&nic->virtio);
  vmm_net_free (nic->net);
  nic->net = NULL;
  for (guint i = 0; i < VNET_MERGE_MAX; i++)
    vmm_virtio_element_clear (&nic->elements[i]);
  vmm_virtio_element_clear (&nic->tx_element);
  vmm_virtio_element_clear (&nic->ctrl_element);
  vmm_virtio_clear (&nic->virtio);
}

static const VmmNetClient vnet_client = { .receive = vnet_receive, .writable = vnet_writable, .link_changed = vnet_link_changed };

static gboolean
vnet_realize (VmmDevice *dev, GError **error)
{
  VirtioNet *nic = (VirtioNet *) dev;
  gboolean tap = g_strcmp0 (vmm_device_get_string (dev, "network"), "tap") == 0;
  guint pairs = tap ? (guint) vmm_device_get_int (dev, "queues") : 1;
  const VmmVirtioParams params = {
    .device_id = VMM_VIRTIO_ID_NET,
    .pci_class = 0x020000,
    .devfn = -1,
    .n_queues = 2 * pairs + 1,
    .queue_size = VNET_QUEUE_SIZE,
    .config_size = VNET_CONFIG_SIZE,
    .features = VMM_VIRTIO_F (VNET_F_CSUM) | VMM_VIRTIO_F (VNET_F_GUEST_CSUM) | VMM_VIRTIO_F (VNET_F_CTRL_GUEST_OFFLOADS)
                | VMM_VIRTIO_F (VNET_F_MAC) | VMM_VIRTIO_F (VNET_F_GUEST_TSO4) | VMM_VIRTIO_F (VNET_F_GUEST_TSO6)
                | VMM_VIRTIO_F (VNET_F_GUEST_ECN) | VMM_VIRTIO_F (VNET_F_HOST_TSO4) | VMM_VIRTIO_F (VNET_F_HOST_TSO6)
                | VMM_VIRTIO_F (VNET_F_HOST_ECN) | VMM_VIRTIO_F (VNET_F_MRG_RXBUF) | VMM_VIRTIO_F (VNET_F_STATUS)
                | VMM_VIRTIO_F (VNET_F_CTRL_VQ) | VMM_VIRTIO_F (VNET_F_CTRL_RX) | VMM_VIRTIO_F (VNET_F_CTRL_VLAN)
                | VMM_VIRTIO_F (VNET_F_CTRL_RX_EXTRA) | VMM_VIRTIO_F (VNET_F_GUEST_ANNOUNCE) | VMM_VIRTIO_F (VNET_F_CTRL_MAC_ADDR)
                | (pairs > 1 ? VMM_VIRTIO_F (VNET_F_MQ) : 0),
  };

  nic->max_pairs = pairs;
  if (!vmm_virtio_init (&nic->virtio, &vnet_ops, &params, error))
    return FALSE;
  if (vmm_net_add_boot (dev, VNET_ROM, error) && (nic->net = vmm_net_new (dev, &vnet_client, pairs, error)) != NULL)
    {
      vnet_reset_device (&nic->virtio);
      return TRUE;
    }
  vmm_virtio_clear (&nic->virtio);
  return FALSE;
}

const VmmDeviceClass vmm_virtio_net_class = {
  .name = "virtio-net",
  .summary = N_ ("Network card (virtio)"),
  .bus = VMM_DEVICE_PCI,
  .user_creatable = TRUE,
  .instance_size = sizeof (VirtioNet),
  .settings = vmm_net_settings,
  .regs_offset = G_STRUCT_OFFSET (VirtioNet, regs),
  .regs_size = sizeof (VnetRegs),
  .regs_fields = vnet_fields,
  .state_version = 1,
  .realize = vnet_realize,
  .reset = vmm_virtio_reset,
  .quiesce = vnet_quiesce,
  .resume = vnet_resume,
  .post_load = vnet_post_load,
  .unrealize = vnet_unrealize,
};
