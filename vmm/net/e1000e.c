/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Intel 82574L: a gigabit NIC that every system has a driver for.
 * Spec: Intel 82574 GbE Controller Family Datasheet 3.4 (section numbers below), IEEE 802.3 clause 22 (PHY). Left out: hashing for two
 * receive queues (all goes to queue 0, as a hash of none does), splitting of headers in packet-split descriptors (they are filled in
 * order), UDP fragmentation offload, flow control, wake-up, management, flash (the NVM is an EEPROM), time stamps.
 *
 * Theory of operation: registers are one array; what has effects is found in two switches. A write to a tail register queues a call to the
 * iothread, which walks the ring under the lock: a packet is looked at whole (up to its EOP) before anything is written back, so one that
 * the network refuses is simply looked at again later. Buffers are named to the network in place; only headers that the NIC has to change
 * (IP checksum, lengths of segmented packets, VLAN tag) are copied. Frames come on the iothread, and wait in the network layer while the
 * ring is empty. Interrupts are held back by ITR and EITR; the delay timers of single descriptors (RDTR, TIDV) count as zero.
 *
 * Saved state: the registers. Nothing is in flight: what was not sent is found between TDH and TDT. */
#include "net/net-private.h"
#include "pci/pci.h"

#include <string.h>
#include <zlib.h> /* crc32 */

#define E1K_ROM "efi-e1000e.rom"
#define E1K_QUEUES 2
#define E1K_VECTORS 5
#define E1K_MAC_WORDS (0x6000 / 4)
#define E1K_STATS 0x4000
#define E1K_STATS_END 0x4128
#define E1K_NVM_WORDS 64
#define E1K_TX_MAX_IOV 256
#define E1K_HEADER_MAX 256
#define E1K_FRAME_MAX 1518  /* without check sequence, with one VLAN tag */
#define E1K_JUMBO_MAX 16380 /* RCTL.LPE */

/* §10.2: registers */
#define E1K_CTRL 0x0000
#define E1K_STATUS 0x0008
#define E1K_EECD 0x0010
#define E1K_EERD 0x0014
#define E1K_CTRL_EXT 0x0018
#define E1K_MDIC 0x0020
#define E1K_VET 0x0038
#define E1K_ICR 0x00c0
#define E1K_ITR 0x00c4
#define E1K_ICS 0x00c8
#define E1K_IMS 0x00d0
#define E1K_IMC 0x00d8
#define E1K_EIAC 0x00dc
#define E1K_IAM 0x00e0
#define E1K_IVAR 0x00e4
#define E1K_EITR 0x00e8
#define E1K_RCTL 0x0100
#define E1K_TCTL 0x0400
#define E1K_PBA 0x1000
#define E1K_EEMNGCTL 0x1010
#define E1K_EEWR 0x102c
#define E1K_PSRCTL 0x2170
#define E1K_RDBAL 0x2800
#define E1K_RDBAH 0x2804
#define E1K_RDLEN 0x2808
#define E1K_RDH 0x2810
#define E1K_RDT 0x2818
#define E1K_RXDCTL 0x2828
#define E1K_TDBAL 0x3800
#define E1K_TDBAH 0x3804
#define E1K_TDLEN 0x3808
#define E1K_TDH 0x3810
#define E1K_TDT 0x3818
#define E1K_TXDCTL 0x3828
#define E1K_QUEUE_STRIDE 0x100
#define E1K_RXCSUM 0x5000
#define E1K_RFCTL 0x5008
#define E1K_MTA 0x5200
#define E1K_RAL 0x5400
#define E1K_VFTA 0x5600
#define E1K_SWSM 0x5b50

#define E1K_CTRL_GIO_DISABLE 0x00000004u
#define E1K_CTRL_RST 0x04000000u
#define E1K_CTRL_VME 0x40000000u
#define E1K_CTRL_PHY_RST 0x80000000u
#define E1K_STATUS_FD 0x00000001u
#define E1K_STATUS_LU 0x00000002u
#define E1K_STATUS_1000 0x00000080u
#define E1K_STATUS_INIT_DONE 0x00000200u
#define E1K_STATUS_GIO_MASTER 0x00080000u
#define E1K_EECD_REQ 0x00000040u
#define E1K_EECD_GNT 0x00000080u
#define E1K_EECD_PRES 0x00000100u
#define E1K_EECD_AUTO_RD 0x00000200u
#define E1K_NVM_START 0x00000001u
#define E1K_NVM_DONE 0x00000002u
#define E1K_CTRL_EXT_EIAME 0x01000000u
#define E1K_CTRL_EXT_IAME 0x08000000u
#define E1K_MDIC_WRITE 0x04000000u
#define E1K_MDIC_READ 0x08000000u
#define E1K_MDIC_READY 0x10000000u
#define E1K_MDIC_INT 0x20000000u
#define E1K_MDIC_ERROR 0x40000000u
#define E1K_EEMNGCTL_DONE 0x000c0000u
#define E1K_SWSM_SMBI 0x00000001u
#define E1K_IVAR_VALID 8u

/* §10.2.4: causes */
#define E1K_ICR_TXDW 0x00000001u
#define E1K_ICR_TXQE 0x00000002u
#define E1K_ICR_LSC 0x00000004u
#define E1K_ICR_RXDMT0 0x00000010u
#define E1K_ICR_RXO 0x00000040u
#define E1K_ICR_RXT0 0x00000080u
#define E1K_ICR_MDAC 0x00000200u
#define E1K_ICR_SRPD 0x00010000u
#define E1K_ICR_ACK 0x00020000u
#define E1K_ICR_MNG 0x00040000u
#define E1K_ICR_RXQ0 0x00100000u
#define E1K_ICR_TXQ0 0x00400000u
#define E1K_ICR_OTHER 0x01000000u
#define E1K_ICR_ASSERTED 0x80000000u
#define E1K_ICR_MSIX 0x01f00000u
#define E1K_ICR_OTHERS (E1K_ICR_LSC | E1K_ICR_RXO | E1K_ICR_MDAC | E1K_ICR_SRPD | E1K_ICR_ACK | E1K_ICR_MNG)

/* §10.2.5 */
#define E1K_RCTL_EN 0x00000002u
#define E1K_RCTL_UPE 0x00000008u
#define E1K_RCTL_MPE 0x00000010u
#define E1K_RCTL_LPE 0x00000020u
#define E1K_RCTL_LBM 0x000000c0u
#define E1K_RCTL_BAM 0x00008000u
#define E1K_RCTL_VFE 0x00040000u
#define E1K_RCTL_BSEX 0x02000000u
#define E1K_RCTL_SECRC 0x04000000u
#define E1K_RFCTL_EXTEN 0x00008000u
#define E1K_TCTL_EN 0x00000002u
#define E1K_TCTL_PSP 0x00000008u
#define E1K_RAH_AV 0x80000000u

/* §7.1: receive descriptors */
#define E1K_RXD_DD 0x01u
#define E1K_RXD_EOP 0x02u
#define E1K_RXD_IXSM 0x04u
#define E1K_RXD_VP 0x08u
#define E1K_RXD_UDPCS 0x10u
#define E1K_RXD_TCPCS 0x20u
#define E1K_RXD_IPCS 0x40u

/* §7.2: transmit descriptors, the words at 8 and 12 */
#define E1K_TXD_EOP 0x01000000u
#define E1K_TXD_IC 0x04000000u  /* legacy */
#define E1K_TXD_TSE 0x04000000u /* extended */
#define E1K_TXD_RS 0x08000000u
#define E1K_TXD_DEXT 0x20000000u
#define E1K_TXD_VLE 0x40000000u
#define E1K_TXD_TYPE 0x00f00000u
#define E1K_TXD_TYPE_DATA 0x00100000u
#define E1K_TXC_TCP 0x01000000u
#define E1K_TXC_IP 0x02000000u
#define E1K_TXD_DD 0x01u
#define E1K_POPTS_IXSM 0x01u
#define E1K_POPTS_TXSM 0x02u

/* PHY, IEEE 802.3 §22.2.4 and the 82574's own (§8.5) */
#define E1K_PHY_ADDRESS 1
#define E1K_PHY_BMCR 0
#define E1K_PHY_BMSR 1
#define E1K_PHY_ID1 2
#define E1K_PHY_ID2 3
#define E1K_PHY_LPA 5
#define E1K_PHY_1000T_STATUS 10
#define E1K_PHY_EXT_STATUS 15
#define E1K_PHY_SPECIFIC_STATUS 17
#define E1K_PHY_PAGE 22
#define E1K_BMCR_RESET 0x8000
#define E1K_BMCR_LOOPBACK 0x4000
#define E1K_BMCR_ANRESTART 0x0200
#define E1K_BMSR_LINK 0x0024 /* link, negotiation done */

typedef struct {
  guint32 mac[E1K_MAC_WORDS]; /* by offset / 4 */
  guint32 context[E1K_QUEUES * 4];
  guint16 phy[32];
  guint16 nvm[E1K_NVM_WORDS];
  guint32 signalled; /* causes that a message was sent for */
  guint32 io_address;
} E1kRegs;

typedef struct {
  VmmPciDevice pci;
  E1kRegs regs;
  VmmNet *net;
  VmmTimer irq_timer;
  gint64 next_irq_ns[E1K_VECTORS]; /* 0 is also that of INTx and MSI */
  gboolean intx_raised, tx_queued, quiesced;
} E1k;

static const VmmField e1k_fields[] = {
  VMM_FIELD_ARRAY (E1kRegs, mac),
  VMM_FIELD_ARRAY (E1kRegs, context),
  VMM_FIELD_ARRAY (E1kRegs, phy),
  VMM_FIELD_ARRAY (E1kRegs, nvm),
  VMM_FIELD (E1kRegs, signalled),
  VMM_FIELD (E1kRegs, io_address),
  VMM_FIELD_END,
};

static inline guint32 *
e1k_reg (E1k *e1k, guint offset)
{
  return &e1k->regs.mac[offset / 4];
}

static inline guint32
e1k_get (const E1k *e1k, guint offset)
{
  return e1k->regs.mac[offset / 4];
}

static gint64
e1k_now (E1k *e1k)
{
  return vmm_clock_now (vmm_device_get_clock (&e1k->pci.base));
}

/* === Interrupts === */

/* §7.4.4: units of 256 ns. TRUE: too early; the timer will tell. */
static gboolean
e1k_is_throttled (E1k *e1k, guint vector)
{
  gint64 now_ns = e1k_now (e1k);

  if (now_ns >= e1k->next_irq_ns[vector])
    return FALSE;
  if (e1k->irq_timer.deadline_ns < 0 || e1k->irq_timer.deadline_ns > e1k->next_irq_ns[vector])
    vmm_timer_arm (&e1k->irq_timer, e1k->next_irq_ns[vector]);
  return TRUE;
}

static void
e1k_throttle (E1k *e1k, guint vector, guint32 interval)
{
  e1k->next_irq_ns[vector] = e1k_now (e1k) + (gint64) (interval & 0xffff) * 256;
}

/* §7.4.3: the vector of a cause, by IVAR. */
static guint
e1k_cause_vector (E1k *e1k, guint cause_bit)
{
  static const guint8 shifts[] = { 0, 4, 8, 12, 16 }; /* RXQ0, RXQ1, TXQ0, TXQ1, OTHER */
  guint entry = e1k_get (e1k, E1K_IVAR) >> shifts[cause_bit - 20] & 0xf;

  return (entry & E1K_IVAR_VALID) != 0 ? entry & 7 : G_MAXUINT;
}

static void
e1k_update_msix (E1k *e1k)
{
  guint32 *icr = e1k_reg (e1k, E1K_ICR), *ims = e1k_reg (e1k, E1K_IMS), active;

  if ((*icr & *ims & E1K_ICR_OTHERS) != 0)
    *icr |= E1K_ICR_OTHER;
  active = *icr & *ims & E1K_ICR_MSIX;
  e1k->regs.signalled &= active;
  for (guint bit = 20; bit <= 24; bit++)
    {
      guint32 cause = 1u << bit;
      guint vector = e1k_cause_vector (e1k, bit);

      if ((active & cause) == 0 || (e1k->regs.signalled & cause) != 0 || vector >= E1K_VECTORS || e1k_is_throttled (e1k, vector))
        continue;
      e1k_throttle (e1k, vector, e1k_get (e1k, E1K_EITR + 4 * vector));
      e1k->regs.signalled |= cause;
      vmm_pci_device_signal (&e1k->pci, vector);
      if ((e1k_get (e1k, E1K_CTRL_EXT) & E1K_CTRL_EXT_EIAME) != 0)
        *ims &= ~(e1k_get (e1k, E1K_IAM) & cause);
      if ((e1k_get (e1k, E1K_EIAC) & cause) != 0)
        {
          /* §10.2.4.8: the cause clears itself, and unless IAME its mask too. */
          *icr &= ~cause;
          e1k->regs.signalled &= ~cause;
          if ((e1k_get (e1k, E1K_CTRL_EXT) & E1K_CTRL_EXT_IAME) == 0)
            *ims &= ~cause;
        }
    }
}

static void
e1k_update_legacy (E1k *e1k)
{
  guint32 active = e1k_get (e1k, E1K_ICR) & e1k_get (e1k, E1K_IMS) & ~E1K_ICR_ASSERTED;
  gboolean msi = vmm_pci_device_msi_enabled (&e1k->pci);

  e1k->regs.signalled &= active;
  if (active == 0 || msi)
    {
      vmm_pci_device_set_intx (&e1k->pci, FALSE);
      e1k->intx_raised = FALSE;
    }
  if ((active & ~e1k->regs.signalled) == 0 || (!msi && e1k->intx_raised) || e1k_is_throttled (e1k, 0))
    return;
  e1k_throttle (e1k, 0, e1k_get (e1k, E1K_ITR));
  e1k->regs.signalled |= active;
  if (msi)
    vmm_pci_device_signal (&e1k->pci, 0);
  else
    {
      vmm_pci_device_set_intx (&e1k->pci, TRUE);
      e1k->intx_raised = TRUE;
    }
}

static void
e1k_update_irq (E1k *e1k)
{
  guint32 *icr = e1k_reg (e1k, E1K_ICR);

  if (e1k->quiesced)
    return;
  if (vmm_pci_device_msix_enabled (&e1k->pci))
    {
      vmm_pci_device_set_intx (&e1k->pci, FALSE);
      e1k->intx_raised = FALSE;
      e1k_update_msix (e1k);
    }
  else
    e1k_update_legacy (e1k);
  *icr &= ~E1K_ICR_ASSERTED;
  if ((*icr & e1k_get (e1k, E1K_IMS)) != 0)
    *icr |= E1K_ICR_ASSERTED;
}

static void
e1k_raise (E1k *e1k, guint32 causes)
{
  *e1k_reg (e1k, E1K_ICR) |= causes & ~E1K_ICR_ASSERTED;
  e1k_update_irq (e1k);
}

static void
e1k_on_irq_timer (VmmDevice *dev, gpointer data)
{
  e1k_update_irq (data);
}

static void
e1k_config_written (VmmPciDevice *pci, guint offset, guint size)
{
  e1k_update_irq ((E1k *) pci);
}

/* §10.2.4.1: three cases. */
static guint32
e1k_read_icr (E1k *e1k)
{
  guint32 *icr = e1k_reg (e1k, E1K_ICR), value = *icr;

  if (e1k_get (e1k, E1K_IMS) == 0)
    *icr = 0;
  else if ((value & E1K_ICR_ASSERTED) != 0)
    {
      *icr = 0;
      if ((e1k_get (e1k, E1K_CTRL_EXT) & E1K_CTRL_EXT_IAME) != 0)
        *e1k_reg (e1k, E1K_IMS) &= ~e1k_get (e1k, E1K_IAM);
    }
  e1k_update_irq (e1k);
  return value;
}

/* === Statistics (§10.2.6): 32 bits, cleared by reading === */

static void
e1k_count (E1k *e1k, guint offset, guint32 n)
{
  guint32 *counter = e1k_reg (e1k, offset);

  *counter = *counter > G_MAXUINT32 - n ? G_MAXUINT32 : *counter + n;
}

static void
e1k_count_octets (E1k *e1k, guint offset, gsize len)
{
  guint64 sum = ((guint64) e1k_get (e1k, offset + 4) << 32 | e1k_get (e1k, offset)) + len;

  *e1k_reg (e1k, offset) = (guint32) sum;
  *e1k_reg (e1k, offset + 4) = (guint32) (sum >> 32);
}

/* @base: PRC64 or PTC64 */
static void
e1k_count_size (E1k *e1k, guint base, gsize wire_len)
{
  static const guint16 limits[] = { 64, 127, 255, 511, 1023 };
  guint index = 0;

  while (index < G_N_ELEMENTS (limits) && wire_len > limits[index])
    index++;
  e1k_count (e1k, base + 4 * index, 1);
}

static void
e1k_count_received (E1k *e1k, const guint8 *frame, gsize wire_len)
{
  e1k_count (e1k, 0x4074, 1); /* GPRC */
  e1k_count (e1k, 0x40d0, 1); /* TPR */
  e1k_count_octets (e1k, 0x4088, wire_len);
  e1k_count_octets (e1k, 0x40c0, wire_len);
  e1k_count_size (e1k, 0x405c, wire_len);
  if (memcmp (frame, "\xff\xff\xff\xff\xff\xff", VMM_NET_MAC_LEN) == 0)
    e1k_count (e1k, 0x4078, 1); /* BPRC */
  else if ((frame[0] & 1) != 0)
    e1k_count (e1k, 0x407c, 1); /* MPRC */
}

static void
e1k_count_sent (E1k *e1k, const guint8 *header, gsize wire_len)
{
  e1k_count (e1k, 0x4080, 1); /* GPTC */
  e1k_count (e1k, 0x40d4, 1); /* TPT */
  e1k_count_octets (e1k, 0x4090, wire_len);
  e1k_count_octets (e1k, 0x40c8, wire_len);
  e1k_count_size (e1k, 0x40d8, wire_len);
  if (memcmp (header, "\xff\xff\xff\xff\xff\xff", VMM_NET_MAC_LEN) == 0)
    e1k_count (e1k, 0x40f4, 1); /* BPTC */
  else if ((header[0] & 1) != 0)
    e1k_count (e1k, 0x40f0, 1); /* MPTC */
}

/* === Receiving === */

static guint16
e1k_be16 (const guint8 *at)
{
  return (guint16) (at[0] << 8 | at[1]);
}

static gboolean
e1k_is_tagged (E1k *e1k, const guint8 *frame, gsize len)
{
  return len >= 18 && e1k_be16 (frame + 12) == (e1k_get (e1k, E1K_VET) & 0xffff);
}

/* §7.1.1: filters by address and VLAN. */
static gboolean
e1k_accepts (E1k *e1k, const guint8 *frame, gsize len)
{
  static const guint8 shifts[] = { 4, 3, 2, 0 };
  guint32 rctl = e1k_get (e1k, E1K_RCTL);

  if (len > ((rctl & E1K_RCTL_LPE) != 0 ? E1K_JUMBO_MAX : E1K_FRAME_MAX))
    {
      e1k_count (e1k, 0x40ac, 1); /* ROC */
      return FALSE;
    }
  if ((rctl & E1K_RCTL_VFE) != 0 && e1k_is_tagged (e1k, frame, len))
    {
      guint vlan = e1k_be16 (frame + 14) & 0xfffu;

      if ((e1k_get (e1k, E1K_VFTA + vlan / 32 * 4) & 1u << vlan % 32) == 0)
        return FALSE;
    }
  if (memcmp (frame, "\xff\xff\xff\xff\xff\xff", VMM_NET_MAC_LEN) == 0 && (rctl & E1K_RCTL_BAM) != 0)
    return TRUE;
  if ((frame[0] & 1) != 0)
    {
      guint hash = ((guint) frame[5] << 8 | frame[4]) >> shifts[rctl >> 12 & 3] & 0xfff;

      if ((rctl & E1K_RCTL_MPE) != 0 || (e1k_get (e1k, E1K_MTA + hash / 32 * 4) & 1u << hash % 32) != 0)
        return TRUE;
    }
  else if ((rctl & E1K_RCTL_UPE) != 0)
    return TRUE;
  for (guint i = 0; i < 16; i++)
    {
      guint32 low = GUINT32_TO_LE (e1k_get (e1k, E1K_RAL + 8 * i)), high = e1k_get (e1k, E1K_RAL + 8 * i + 4);
      guint16 last = GUINT16_TO_LE ((guint16) high);

      if ((high & E1K_RAH_AV) != 0 && memcmp (frame, &low, 4) == 0 && memcmp (frame + 4, &last, 2) == 0)
        return TRUE;
    }
  return FALSE;
}

static gsize
e1k_buffer_size (E1k *e1k)
{
  guint32 rctl = e1k_get (e1k, E1K_RCTL);
  guint size = rctl >> 16 & 3, flexible = rctl >> 27 & 0xf;

  if (flexible != 0)
    return flexible * 1024;
  return (rctl & E1K_RCTL_BSEX) != 0 && size != 0 ? 32768u >> size : 2048u >> size;
}

typedef struct {
  gboolean extended, split;
  gsize sizes[4]; /* of a descriptor's buffers */
  gsize total;
  guint descriptor_len;
} E1kRxShape;

/* §7.1.4-7.1.6: which descriptors the ring has. */
static E1kRxShape
e1k_rx_shape (E1k *e1k)
{
  E1kRxShape shape = { .extended = (e1k_get (e1k, E1K_RFCTL) & E1K_RFCTL_EXTEN) != 0, .descriptor_len = 16 };

  shape.split = shape.extended && (e1k_get (e1k, E1K_RCTL) >> 10 & 3) == 1;
  if (shape.split)
    {
      guint32 psrctl = e1k_get (e1k, E1K_PSRCTL);

      shape.descriptor_len = 32;
      shape.sizes[0] = (psrctl & 0x7f) * 128;
      shape.sizes[1] = (psrctl >> 8 & 0x3f) * 1024;
      shape.sizes[2] = (psrctl >> 16 & 0x3f) * 1024;
      shape.sizes[3] = (psrctl >> 24 & 0x3f) * 1024;
    }
  else
    shape.sizes[0] = e1k_buffer_size (e1k);
  for (guint i = 0; i < G_N_ELEMENTS (shape.sizes); i++)
    shape.total += shape.sizes[i];
  return shape;
}

static guint32
e1k_rx_status (const VmmNetHeader *header, const guint8 *frame, gsize len)
{
  gsize ip = 14;
  guint type = e1k_be16 (frame + 12), protocol = 0;

  if (type == 0x8100 && len >= 18)
    {
      ip += 4;
      type = e1k_be16 (frame + 16);
    }
  if (header == NULL || (header->flags & VMM_NET_DATA_VALID) == 0)
    return E1K_RXD_IXSM;
  if (type == 0x0800 && len >= ip + 20 && (e1k_be16 (frame + ip + 6) & 0x3fff) == 0)
    protocol = frame[ip + 9];
  else if (type == 0x86dd && len >= ip + 40)
    protocol = frame[ip + 6];
  if (protocol == 6)
    return (type == 0x0800 ? E1K_RXD_IPCS : 0) | E1K_RXD_TCPCS;
  if (protocol == 17)
    return (type == 0x0800 ? E1K_RXD_IPCS : 0) | E1K_RXD_TCPCS | E1K_RXD_UDPCS;
  return E1K_RXD_IXSM;
}

/* Writes back what a descriptor got. @used: bytes in each buffer */
static gboolean
e1k_write_back (E1k *e1k, const E1kRxShape *shape, guint64 at, const guint8 *old, const gsize *used, guint32 status, guint16 vlan)
{
  guint8 wb[32] = { 0 };
  guint16 vlan_le = GUINT16_TO_LE (vlan), len_le = GUINT16_TO_LE ((guint16) used[0]);
  guint32 status_le = GUINT32_TO_LE (status);
  gsize len = shape->descriptor_len;

  if (!shape->extended)
    {
      memcpy (wb, old, 8);
      memcpy (wb + 8, &len_le, 2);
      wb[12] = (guint8) status;
      memcpy (wb + 14, &vlan_le, 2);
    }
  else
    {
      memcpy (wb + 8, &status_le, 4);
      memcpy (wb + 12, &len_le, 2);
      memcpy (wb + 14, &vlan_le, 2);
      for (guint i = 1; shape->split && i < 4; i++)
        {
          guint16 more_le = GUINT16_TO_LE ((guint16) used[i]);

          memcpy (wb + 16 + 2 * i, &more_le, 2);
        }
    }
  return vmm_pci_dma_write (&e1k->pci, at, wb, len);
}

/* Scatters @data over descriptors from RDH on; there are enough. */
static gboolean
e1k_fill_ring (E1k *e1k, const E1kRxShape *shape, guint n, const guint8 *data, gsize len, guint32 status, guint16 vlan)
{
  guint64 base = (guint64) e1k_get (e1k, E1K_RDBAH) << 32 | e1k_get (e1k, E1K_RDBAL);
  guint32 *rdh = e1k_reg (e1k, E1K_RDH);
  gsize done = 0;

  while (done < len)
    {
      guint64 at = base + (guint64) *rdh * shape->descriptor_len;
      guint8 descriptor[32];
      gsize used[4] = { 0 };
      gboolean last;

      if (!vmm_pci_dma_read (&e1k->pci, at, descriptor, shape->descriptor_len))
        return FALSE;
      for (guint i = 0; i < (shape->split ? 4u : 1u) && done < len; i++)
        {
          guint64 address;

          memcpy (&address, descriptor + 8 * i, 8);
          address = GUINT64_FROM_LE (address);
          used[i] = MIN (shape->sizes[i], len - done);
          /* §7.1.2: a null address is one that is skipped. */
          if (address != 0 && used[i] != 0 && !vmm_pci_dma_write (&e1k->pci, address, data + done, used[i]))
            return FALSE;
          done += used[i];
        }
      last = done == len;
      if (!e1k_write_back (e1k, shape, at, descriptor, used, E1K_RXD_DD | (last ? E1K_RXD_EOP | status : 0), last ? vlan : 0))
        return FALSE;
      *rdh = (*rdh + 1) % n;
    }
  return TRUE;
}

/* Lock held. Returns: FALSE: no descriptors. */
static gboolean
e1k_receive_locked (E1k *e1k, const VmmNetHeader *header, const guint8 *frame, gsize len)
{
  E1kRxShape shape = e1k_rx_shape (e1k);
  guint n = e1k_get (e1k, E1K_RDLEN) / shape.descriptor_len, free, needed, threshold;
  guint32 rdh = e1k_get (e1k, E1K_RDH), rdt = e1k_get (e1k, E1K_RDT), rctl = e1k_get (e1k, E1K_RCTL), status, causes;
  gboolean tagged, strip;
  guint16 vlan = 0;
  gsize total = 0;
  g_autofree guint8 *whole = NULL;

  if ((rctl & E1K_RCTL_EN) == 0 || n == 0 || shape.total == 0 || !e1k_accepts (e1k, frame, len))
    return TRUE;
  if (rdh >= n || rdt >= n)
    {
      vmm_guest_error (&e1k->pci.base, "receive ring: head %u and tail %u of %u", rdh, rdt, n);
      return TRUE;
    }
  free = (rdt + n - rdh) % n;
  needed = (guint) ((MAX (len, VMM_NET_FRAME_MIN) + 4 + shape.total - 1) / shape.total);
  if (needed >= n)
    {
      e1k_count (e1k, 0x4010, 1); /* MPC */
      return TRUE;
    }
  if (free < needed)
    return FALSE;

  tagged = e1k_is_tagged (e1k, frame, len);
  strip = tagged && (e1k_get (e1k, E1K_CTRL) & E1K_CTRL_VME) != 0;
  status = e1k_rx_status (header, frame, len) | (tagged ? E1K_RXD_VP : 0);
  if (tagged)
    vlan = e1k_be16 (frame + 14);
  whole = g_malloc (MAX (len, VMM_NET_FRAME_MIN) + 4);
  memcpy (whole, frame, len);
  total = len;
  if (strip)
    {
      memmove (whole + 12, whole + 16, len - 16);
      total -= 4;
    }
  if (total < VMM_NET_FRAME_MIN)
    {
      memset (whole + total, 0, VMM_NET_FRAME_MIN - total);
      total = VMM_NET_FRAME_MIN;
    }
  if ((rctl & E1K_RCTL_SECRC) == 0)
    {
      guint32 sum = GUINT32_TO_LE ((guint32) crc32 (0, whole, (uInt) total));

      memcpy (whole + total, &sum, 4);
      total += 4;
    }
  e1k_count_received (e1k, frame, MAX (len, VMM_NET_FRAME_MIN) + 4);
  if (!e1k_fill_ring (e1k, &shape, n, whole, total, status, strip ? vlan : 0))
    vmm_guest_error (&e1k->pci.base, "receive ring or buffer outside of RAM, or no bus mastering");

  causes = E1K_ICR_RXT0 | E1K_ICR_RXQ0;
  threshold = n >> (1 + (rctl >> 8 & 3));
  free = (rdt + n - e1k_get (e1k, E1K_RDH)) % n;
  if (free <= threshold)
    causes |= E1K_ICR_RXDMT0;
  e1k_raise (e1k, causes);
  return TRUE;
}

static gboolean
e1k_receive (VmmDevice *dev, guint queue, const VmmNetHeader *header, const guint8 *frame, gsize len)
{
  gboolean taken;

  vmm_device_lock (dev);
  taken = e1k_receive_locked ((E1k *) dev, header, frame, len);
  vmm_device_unlock (dev);
  return taken;
}

/* === Sending === */

typedef struct {
  struct iovec iov[E1K_TX_MAX_IOV + 2]; /* the first is for a header that was copied */
  guint n_iov;
  gsize len;
  gboolean bad;      /* lost: too many pieces, or outside RAM */
  gboolean has_data; /* there was a data descriptor: options and VLAN come from the first */
  guint32 options, command, legacy_css, legacy_cso;
  guint16 vlan;
  gboolean extended;
} E1kPacket;

static void
e1k_packet_clear (E1kPacket *packet)
{
  packet->n_iov = 0;
  packet->len = 0;
  packet->bad = packet->has_data = packet->extended = FALSE;
  packet->options = packet->command = packet->legacy_css = packet->legacy_cso = 0;
  packet->vlan = 0;
}

static void
e1k_tx_add (E1k *e1k, E1kPacket *packet, const guint32 *words, guint64 address)
{
  gboolean extended = (words[2] & E1K_TXD_DEXT) != 0;
  gsize len = extended ? words[2] & 0xfffff : words[2] & 0xffff;
  gpointer host;

  if (!packet->has_data)
    {
      packet->has_data = TRUE;
      packet->extended = extended;
      packet->command = words[2];
      packet->options = extended ? words[3] >> 8 & 0xff : 0;
    }
  if (!extended && (words[2] & E1K_TXD_EOP) != 0)
    {
      packet->command |= words[2] & E1K_TXD_IC;
      packet->legacy_cso = words[2] >> 16 & 0xff;
      packet->legacy_css = words[3] >> 8 & 0xff;
    }
  if ((words[2] & E1K_TXD_EOP) != 0)
    {
      packet->vlan = (guint16) (words[3] >> 16);
      packet->command |= words[2] & E1K_TXD_VLE;
    }
  if (len == 0)
    return;
  host = packet->n_iov < E1K_TX_MAX_IOV ? vmm_pci_dma_map (&e1k->pci, address, len) : NULL;
  if (host == NULL || packet->len + len > VMM_NET_FRAME_MAX)
    {
      packet->bad = TRUE;
      return;
    }
  packet->iov[1 + packet->n_iov++] = (struct iovec) { host, len };
  packet->len += len;
}

static guint16
e1k_fold (guint64 sum)
{
  while (sum >> 16 != 0)
    sum = (sum & 0xffff) + (sum >> 16);
  return (guint16) sum;
}

static guint64
e1k_sum (const guint8 *data, gsize len)
{
  guint64 sum = 0;

  for (gsize i = 0; i + 1 < len; i += 2)
    sum += e1k_be16 (data + i);
  return (len & 1) != 0 ? sum + ((guint64) data[len - 1] << 8) : sum;
}

static void
e1k_put16 (guint8 *at, guint value)
{
  at[0] = (guint8) (value >> 8);
  at[1] = (guint8) value;
}

/* §7.2.5: a packet to be cut. What the driver left open (lengths, the length in the pseudo header) is filled in. */
static gboolean
e1k_prepare_segmented (const guint32 *context, guint8 *header, gsize header_len, gsize len, VmmNetHeader *net_header)
{
  guint ip = context[0] & 0xff, tcp = context[1] & 0xff, field = context[1] >> 8 & 0xff;
  guint16 mss = (guint16) (context[3] >> 16);
  guint64 sum = len - tcp + 6;

  if ((context[2] & E1K_TXC_TCP) == 0 || mss == 0 || tcp + 20 > header_len || field != tcp + 16 || ip < 14 || ip > tcp
      || len - ip > G_MAXUINT16)
    return FALSE;
  if ((context[2] & E1K_TXC_IP) != 0)
    {
      if (ip + 20 > tcp)
        return FALSE;
      e1k_put16 (header + ip + 2, (guint) (len - ip));
      e1k_put16 (header + ip + 10, 0);
      e1k_put16 (header + ip + 10, (guint16) ~e1k_fold (e1k_sum (header + ip, tcp - ip)));
      sum += e1k_sum (header + ip + 12, 8);
      net_header->gso_type = VMM_NET_GSO_TCP4;
    }
  else
    {
      if (ip + 40 > tcp)
        return FALSE;
      e1k_put16 (header + ip + 4, (guint) (len - ip - 40));
      sum += e1k_sum (header + ip + 8, 32);
      net_header->gso_type = VMM_NET_GSO_TCP6;
    }
  e1k_put16 (header + field, e1k_fold (sum));
  net_header->flags = VMM_NET_NEEDS_CSUM;
  net_header->header_len = GUINT16_TO_LE ((guint16) (context[3] >> 8 & 0xff));
  net_header->gso_size = GUINT16_TO_LE (mss);
  net_header->csum_start = GUINT16_TO_LE ((guint16) tcp);
  net_header->csum_offset = GUINT16_TO_LE (16);
  return TRUE;
}

/* §7.2.4.2: sums by the context: IP's is done here, TCP's or UDP's is left to the network if it reaches to the end, as it always does. */
static void
e1k_prepare_sums (const guint32 *context, guint32 options, guint8 *header, gsize header_len, gsize len, VmmNetHeader *net_header)
{
  gsize ip = context[0] & 0xff, ip_field = context[0] >> 8 & 0xff, ip_end = context[0] >> 16;
  gsize tcp = context[1] & 0xff, field = context[1] >> 8 & 0xff;

  if (ip_end == 0 || ip_end >= header_len)
    ip_end = header_len - 1;
  if ((options & E1K_POPTS_IXSM) != 0 && ip <= ip_end && ip_field + 2 <= header_len)
    {
      e1k_put16 (header + ip_field, 0);
      e1k_put16 (header + ip_field, (guint16) ~e1k_fold (e1k_sum (header + ip, ip_end + 1 - ip)));
    }
  if ((options & E1K_POPTS_TXSM) != 0 && tcp >= 14 && field >= tcp && field + 2 <= len)
    {
      net_header->flags = VMM_NET_NEEDS_CSUM;
      net_header->csum_start = GUINT16_TO_LE ((guint16) tcp);
      net_header->csum_offset = GUINT16_TO_LE ((guint16) (field - tcp));
    }
}

/* Takes the first bytes out of the pieces. */
static gsize
e1k_take_header (E1kPacket *packet, guint8 *header, gsize max)
{
  gsize len = 0;

  for (guint i = 1; i <= packet->n_iov && len < max; i++)
    {
      gsize part = MIN (packet->iov[i].iov_len, max - len);

      memcpy (header + len, packet->iov[i].iov_base, part);
      packet->iov[i].iov_base = (guint8 *) packet->iov[i].iov_base + part;
      packet->iov[i].iov_len -= part;
      len += part;
    }
  return len;
}

static gboolean
e1k_is_looped (E1k *e1k)
{
  return (e1k_get (e1k, E1K_RCTL) & E1K_RCTL_LBM) == 0x40 || (e1k->regs.phy[E1K_PHY_BMCR] & E1K_BMCR_LOOPBACK) != 0;
}

static void
e1k_loop (E1k *e1k, const VmmNetHeader *header, const struct iovec *iov, guint n_iov, gsize len)
{
  g_autofree guint8 *frame = g_malloc (len);
  gsize at = 0;

  for (guint i = 0; i < n_iov; i++)
    {
      memcpy (frame + at, iov[i].iov_base, iov[i].iov_len);
      at += iov[i].iov_len;
    }
  if (header->gso_type == VMM_NET_GSO_NONE
      && ((header->flags & VMM_NET_NEEDS_CSUM) == 0 || vmm_net_complete_checksum (frame, len, header)))
    e1k_receive_locked (e1k, NULL, frame, len);
}

/* Returns: FALSE: the network is full. */
static gboolean
e1k_send_packet (E1k *e1k, guint queue, E1kPacket *packet)
{
  static const guint8 zeros[VMM_NET_FRAME_MIN] = { 0 };
  const guint32 *context = e1k->regs.context + 4 * queue;
  guint8 header[E1K_HEADER_MAX + 4];
  VmmNetHeader net_header = { 0 };
  gsize header_len, len = packet->len;

  if (packet->bad || len < 14)
    return TRUE;
  header_len = e1k_take_header (packet, header, E1K_HEADER_MAX);
  if (packet->extended && (packet->command & E1K_TXD_TSE) != 0)
    {
      if (!e1k_prepare_segmented (context, header, header_len, len, &net_header))
        {
          vmm_guest_error (&e1k->pci.base, "a packet cannot be segmented by its context descriptor");
          return TRUE;
        }
    }
  else if (packet->extended)
    e1k_prepare_sums (context, packet->options, header, header_len, len, &net_header);
  else if ((packet->command & E1K_TXD_IC) != 0 && packet->legacy_css >= 14 && packet->legacy_cso >= packet->legacy_css
           && packet->legacy_cso + 2 <= len)
    {
      net_header.flags = VMM_NET_NEEDS_CSUM;
      net_header.csum_start = GUINT16_TO_LE ((guint16) packet->legacy_css);
      net_header.csum_offset = GUINT16_TO_LE ((guint16) (packet->legacy_cso - packet->legacy_css));
    }
  if ((packet->command & E1K_TXD_VLE) != 0 && (e1k_get (e1k, E1K_CTRL) & E1K_CTRL_VME) != 0)
    {
      memmove (header + 16, header + 12, header_len - 12);
      e1k_put16 (header + 12, e1k_get (e1k, E1K_VET) & 0xffff);
      e1k_put16 (header + 14, packet->vlan);
      header_len += 4;
      len += 4;
      if (net_header.flags != 0)
        net_header.csum_start = GUINT16_TO_LE ((guint16) (GUINT16_FROM_LE (net_header.csum_start) + 4));
    }
  packet->iov[0] = (struct iovec) { header, header_len };
  if (len < VMM_NET_FRAME_MIN && (e1k_get (e1k, E1K_TCTL) & E1K_TCTL_PSP) != 0 && net_header.flags == 0)
    {
      packet->iov[++packet->n_iov] = (struct iovec) { (gpointer) zeros, VMM_NET_FRAME_MIN - len };
      len = VMM_NET_FRAME_MIN;
    }
  if (e1k_is_looped (e1k))
    e1k_loop (e1k, &net_header, packet->iov, packet->n_iov + 1, len);
  else if (!vmm_net_send (e1k->net, queue, &net_header, packet->iov, packet->n_iov + 1))
    return FALSE;
  e1k_count_sent (e1k, header, MAX (len, VMM_NET_FRAME_MIN) + 4);
  return TRUE;
}

static gboolean
e1k_read_tx (E1k *e1k, guint64 base, guint32 index, guint32 *ret_words)
{
  guint32 raw[4];

  if (!vmm_pci_dma_read (&e1k->pci, base + (guint64) index * 16, raw, sizeof raw))
    return FALSE;
  for (guint i = 0; i < 4; i++)
    ret_words[i] = GUINT32_FROM_LE (raw[i]);
  return TRUE;
}

/* Marks [from, to) as done where the driver asked to be told. Returns: the interrupt's causes. */
static guint32
e1k_report_tx (E1k *e1k, guint64 base, guint32 from, guint32 to, guint n)
{
  guint32 causes = 0;

  for (guint32 i = from; i != to; i = (i + 1) % n)
    {
      guint32 words[4], status;

      if (!e1k_read_tx (e1k, base, i, words) || (words[2] & E1K_TXD_RS) == 0)
        continue;
      causes |= E1K_ICR_TXDW | E1K_ICR_TXQ0;
      status = GUINT32_TO_LE (words[3] | E1K_TXD_DD);
      vmm_pci_dma_write (&e1k->pci, base + (guint64) i * 16 + 12, &status, sizeof status);
    }
  return causes;
}

/* One pass over a ring: at most its length. */
static guint32
e1k_run_queue (E1k *e1k, guint queue)
{
  guint offset = queue * E1K_QUEUE_STRIDE, n = e1k_get (e1k, E1K_TDLEN + offset) / 16;
  guint64 base = (guint64) e1k_get (e1k, E1K_TDBAH + offset) << 32 | e1k_get (e1k, E1K_TDBAL + offset);
  guint32 *tdh = e1k_reg (e1k, E1K_TDH + offset), tdt = e1k_get (e1k, E1K_TDT + offset), at, causes = 0;
  E1kPacket packet;

  if (n == 0 || *tdh == tdt)
    return 0;
  if (*tdh >= n || tdt >= n)
    {
      vmm_guest_error (&e1k->pci.base, "transmit ring %u: head %u and tail %u of %u", queue, *tdh, tdt, n);
      return 0;
    }
  e1k_packet_clear (&packet);
  at = *tdh;
  while (at != tdt)
    {
      guint32 words[4];

      if (!e1k_read_tx (e1k, base, at, words))
        {
          vmm_guest_error (&e1k->pci.base, "transmit ring outside of RAM, or no bus mastering");
          return causes;
        }
      at = (at + 1) % n;
      if ((words[2] & (E1K_TXD_DEXT | E1K_TXD_TYPE)) == E1K_TXD_DEXT)
        {
          memcpy (e1k->regs.context + 4 * queue, words, sizeof words);
          if (packet.has_data)
            continue;
        }
      else
        {
          e1k_tx_add (e1k, &packet, words, (guint64) words[1] << 32 | words[0]);
          if ((words[2] & E1K_TXD_EOP) == 0)
            continue;
          if (!e1k_send_packet (e1k, queue, &packet))
            return causes;
          e1k_packet_clear (&packet);
        }
      causes |= e1k_report_tx (e1k, base, *tdh, at, n);
      *tdh = at;
    }
  if (*tdh == tdt)
    causes |= E1K_ICR_TXQE;
  return (causes & E1K_ICR_TXQ0) != 0 ? (causes & ~E1K_ICR_TXQ0) | E1K_ICR_TXQ0 << queue : causes;
}

static void
e1k_on_send (gpointer data)
{
  E1k *e1k = data;
  guint32 causes = 0;

  vmm_device_lock (&e1k->pci.base);
  e1k->tx_queued = FALSE;
  if (!e1k->quiesced && (e1k_get (e1k, E1K_TCTL) & E1K_TCTL_EN) != 0)
    for (guint i = 0; i < E1K_QUEUES; i++)
      causes |= e1k_run_queue (e1k, i);
  if (causes != 0)
    e1k_raise (e1k, causes);
  vmm_device_unlock (&e1k->pci.base);
}

static void
e1k_kick (E1k *e1k)
{
  if (e1k->tx_queued)
    return;
  e1k->tx_queued = TRUE;
  vmm_iothread_call (vmm_device_get_iothread (&e1k->pci.base), e1k_on_send, e1k);
}

static void
e1k_writable (VmmDevice *dev, guint queue)
{
  e1k_on_send (dev);
}

/* === PHY and NVM === */

static void
e1k_update_link (E1k *e1k)
{
  gboolean up = vmm_net_get_link (e1k->net);
  guint16 *phy = e1k->regs.phy;

  *e1k_reg (e1k, E1K_STATUS) = (e1k_get (e1k, E1K_STATUS) & ~E1K_STATUS_LU) | (up ? E1K_STATUS_LU : 0);
  phy[E1K_PHY_BMSR] = (guint16) (0x7949 | (up ? E1K_BMSR_LINK : 0));
  phy[E1K_PHY_LPA] = up ? 0xcde1 : 0;
  phy[E1K_PHY_1000T_STATUS] = up ? 0x3c00 : 0;
  phy[E1K_PHY_SPECIFIC_STATUS] = up ? 0xac00 : 0x8000;
}

static void
e1k_link_changed (VmmDevice *dev, gboolean up)
{
  E1k *e1k = (E1k *) dev;

  vmm_device_lock (dev);
  e1k_update_link (e1k);
  e1k_raise (e1k, E1K_ICR_LSC);
  vmm_device_unlock (dev);
}

static void
e1k_reset_phy (E1k *e1k)
{
  guint16 *phy = e1k->regs.phy;

  memset (phy, 0, sizeof e1k->regs.phy);
  phy[E1K_PHY_BMCR] = 0x1140;
  phy[E1K_PHY_ID1] = 0x0141;
  phy[E1K_PHY_ID2] = 0x0cb1;
  phy[4] = 0x0de1;
  phy[6] = 0x000d;
  phy[9] = 0x0e00;
  phy[E1K_PHY_EXT_STATUS] = 0x3000;
  phy[16] = 0x0068;
  phy[20] = 0x0d60;
  e1k_update_link (e1k);
}

/* Page 0 of the PHY, and the page register; other pages read 0. */
static void
e1k_write_mdic (E1k *e1k, guint32 value)
{
  guint reg = value >> 16 & 0x1f, address = value >> 21 & 0x1f;
  gboolean paged = e1k->regs.phy[E1K_PHY_PAGE] != 0 && reg != E1K_PHY_PAGE && reg >= 16;
  guint16 *phy = &e1k->regs.phy[reg];

  value &= ~(E1K_MDIC_READY | E1K_MDIC_ERROR);
  if (address != E1K_PHY_ADDRESS)
    value |= E1K_MDIC_ERROR | 0xffff;
  else if ((value & E1K_MDIC_READ) != 0)
    value = (value & 0xffff0000) | (paged ? 0 : *phy);
  else if ((value & E1K_MDIC_WRITE) != 0 && !paged)
    switch (reg)
      {
      case E1K_PHY_BMCR:
        if ((value & E1K_BMCR_RESET) != 0)
          e1k_reset_phy (e1k);
        else
          *phy = (guint16) (value & ~(guint32) E1K_BMCR_ANRESTART & 0x7fc0);
        if ((value & (E1K_BMCR_RESET | E1K_BMCR_ANRESTART)) != 0 && vmm_net_get_link (e1k->net))
          *e1k_reg (e1k, E1K_ICR) |= E1K_ICR_LSC;
        break;
      case E1K_PHY_BMSR:
      case E1K_PHY_ID1:
      case E1K_PHY_ID2:
      case E1K_PHY_LPA:
      case 6:
      case E1K_PHY_1000T_STATUS:
      case E1K_PHY_EXT_STATUS:
      case E1K_PHY_SPECIFIC_STATUS:
        break;
      default:
        *phy = (guint16) value;
        break;
      }
  *e1k_reg (e1k, E1K_MDIC) = value | E1K_MDIC_READY;
  if ((value & E1K_MDIC_INT) != 0)
    *e1k_reg (e1k, E1K_ICR) |= E1K_ICR_MDAC;
  e1k_update_irq (e1k);
}

/* §6.1: the words that drivers look at; the sum of all is BABA. */
static void
e1k_fill_nvm (E1k *e1k)
{
  static const guint16 words[] = { 0,      0,      0,      0x0420, 0xf746, 0x2010, 0xffff, 0xffff, 0,
                                   0,      0x026b, 0xa01f, 0x8086, 0x10d3, 0x8086, 0x80d4, 0,      0x2020,
                                   0x7e94, 0x8000, 0x1000, 0x7b00, 0x3500, 0x4c02, 0x6000, 0xc8ff, 0x0019 };
  const guint8 *mac = vmm_net_get_mac (e1k->net);
  guint16 *nvm = e1k->regs.nvm, sum = 0;

  memset (nvm, 0xff, sizeof e1k->regs.nvm);
  memcpy (nvm, words, sizeof words);
  for (guint i = 0; i < 3; i++)
    nvm[i] = (guint16) (mac[2 * i] | mac[2 * i + 1] << 8);
  for (guint i = 0; i < E1K_NVM_WORDS - 1; i++)
    sum = (guint16) (sum + nvm[i]);
  nvm[E1K_NVM_WORDS - 1] = (guint16) (0xbaba - sum);
}

/* === Registers === */

static void
e1k_reset_mac (E1k *e1k)
{
  const guint8 *mac = vmm_net_get_mac (e1k->net);

  memset (e1k->regs.mac, 0, sizeof e1k->regs.mac);
  memset (e1k->regs.context, 0, sizeof e1k->regs.context);
  memset (e1k->next_irq_ns, 0, sizeof e1k->next_irq_ns);
  e1k->regs.signalled = 0;
  *e1k_reg (e1k, E1K_CTRL) = 0x00000201;
  *e1k_reg (e1k, E1K_STATUS) = E1K_STATUS_FD | E1K_STATUS_1000 | E1K_STATUS_INIT_DONE | E1K_STATUS_GIO_MASTER;
  *e1k_reg (e1k, E1K_EECD) = E1K_EECD_AUTO_RD | E1K_EECD_PRES;
  *e1k_reg (e1k, E1K_VET) = 0x8100;
  *e1k_reg (e1k, E1K_PBA) = 0x00140014;
  *e1k_reg (e1k, E1K_EEMNGCTL) = E1K_EEMNGCTL_DONE;
  *e1k_reg (e1k, E1K_RXDCTL) = *e1k_reg (e1k, E1K_RXDCTL + E1K_QUEUE_STRIDE) = 0x00010000;
  *e1k_reg (e1k, E1K_PSRCTL) = 0x00040402; /* §10.2.5.6: 256 bytes, then 4 KiB */
  *e1k_reg (e1k, E1K_RXCSUM) = 0x00000300;
  *e1k_reg (e1k, E1K_RAL) = (guint32) mac[0] | (guint32) mac[1] << 8 | (guint32) mac[2] << 16 | (guint32) mac[3] << 24;
  *e1k_reg (e1k, E1K_RAL + 4) = E1K_RAH_AV | (guint32) mac[4] | (guint32) mac[5] << 8;
  vmm_timer_disarm (&e1k->irq_timer);
  e1k_update_link (e1k);
  e1k_update_irq (e1k);
}

/* Offsets that hold what is written (with their ends); everything else reads 0. */
static const struct {
  guint16 from, to;
} e1k_plain[] = {
  { 0x0018, 0x001c }, { 0x0028, 0x0038 }, { 0x0038, 0x003c }, { 0x00c4, 0x00c8 }, { 0x00dc, 0x00fc }, { 0x0100, 0x0104 },
  { 0x0170, 0x017c }, { 0x0400, 0x0408 }, { 0x0410, 0x0414 }, { 0x0458, 0x045c }, { 0x0e00, 0x0e04 }, { 0x0f00, 0x0f04 },
  { 0x0f08, 0x0f0c }, { 0x0f10, 0x0f14 }, { 0x1000, 0x1004 }, { 0x1008, 0x100c }, { 0x2008, 0x200c }, { 0x2160, 0x2174 },
  { 0x2800, 0x2830 }, { 0x2900, 0x2930 }, { 0x2c00, 0x2c0c }, { 0x3800, 0x3844 }, { 0x3900, 0x3944 }, { 0x5000, 0x500c },
  { 0x5010, 0x5018 }, { 0x5200, 0x5480 }, { 0x5600, 0x5804 }, { 0x5808, 0x580c }, { 0x5810, 0x5824 }, { 0x5838, 0x5860 },
  { 0x5880, 0x5890 }, { 0x5b00, 0x5b30 }, { 0x5b50, 0x5b54 }, { 0x5b58, 0x5b5c }, { 0x5b60, 0x5b6c }, { 0x5c00, 0x5ca8 },
};

static gboolean
e1k_is_plain (guint offset)
{
  for (guint i = 0; i < G_N_ELEMENTS (e1k_plain); i++)
    if (offset >= e1k_plain[i].from && offset < e1k_plain[i].to)
      return TRUE;
  return FALSE;
}

static guint32
e1k_read_reg (E1k *e1k, guint offset)
{
  guint32 value;

  if (offset >= E1K_MAC_WORDS * 4)
    return 0;
  if (offset >= E1K_STATS && offset < E1K_STATS_END)
    {
      value = e1k_get (e1k, offset);
      *e1k_reg (e1k, offset) = 0;
      return value;
    }
  switch (offset)
    {
    case E1K_ICR:
      return e1k_read_icr (e1k);
    case E1K_ICS:
    case E1K_IMC:
      return 0;
    case E1K_SWSM: /* §10.2.8.15: reading takes the semaphore */
      value = e1k_get (e1k, E1K_SWSM);
      *e1k_reg (e1k, E1K_SWSM) |= E1K_SWSM_SMBI;
      return value;
    default:
      return e1k_get (e1k, offset);
    }
}

static void
e1k_write_ctrl (E1k *e1k, guint32 value)
{
  guint32 *status = e1k_reg (e1k, E1K_STATUS);

  if ((value & E1K_CTRL_RST) != 0)
    {
      e1k_reset_mac (e1k);
      return;
    }
  *e1k_reg (e1k, E1K_CTRL) = value & ~(E1K_CTRL_RST | E1K_CTRL_PHY_RST);
  *status = (*status & ~E1K_STATUS_GIO_MASTER) | ((value & E1K_CTRL_GIO_DISABLE) != 0 ? 0 : E1K_STATUS_GIO_MASTER);
  if ((value & E1K_CTRL_PHY_RST) != 0)
    {
      e1k_reset_phy (e1k);
      e1k_raise (e1k, E1K_ICR_LSC);
    }
}

static void
e1k_write_eerd (E1k *e1k, guint32 value)
{
  guint address = value >> 2 & 0x3fff;
  guint16 word = address < E1K_NVM_WORDS ? e1k->regs.nvm[address] : 0xffff;

  *e1k_reg (e1k, E1K_EERD) = (value & E1K_NVM_START) != 0 ? (guint32) word << 16 | (value & 0xfffc) | E1K_NVM_DONE : value & 0xfffc;
}

static void
e1k_write_eewr (E1k *e1k, guint32 value)
{
  guint address = value >> 2 & 0x3fff;

  if ((value & E1K_NVM_START) != 0 && address < E1K_NVM_WORDS)
    e1k->regs.nvm[address] = (guint16) (value >> 16);
  *e1k_reg (e1k, E1K_EEWR) = (value & ~E1K_NVM_START) | E1K_NVM_DONE;
}

static void
e1k_write_reg (E1k *e1k, guint offset, guint32 value)
{
  switch (offset)
    {
    case E1K_CTRL:
      e1k_write_ctrl (e1k, value);
      return;
    case E1K_EECD:
      *e1k_reg (e1k, E1K_EECD) = (value & E1K_EECD_REQ) | ((value & E1K_EECD_REQ) != 0 ? E1K_EECD_GNT : 0) | E1K_EECD_PRES
                                 | E1K_EECD_AUTO_RD;
      return;
    case E1K_EERD:
      e1k_write_eerd (e1k, value);
      return;
    case E1K_EEWR:
      e1k_write_eewr (e1k, value);
      return;
    case E1K_MDIC:
      e1k_write_mdic (e1k, value);
      return;
    case E1K_ICR:
      *e1k_reg (e1k, E1K_ICR) &= ~value;
      e1k_update_irq (e1k);
      return;
    case E1K_ICS:
      e1k_raise (e1k, value);
      return;
    case E1K_IMS:
      *e1k_reg (e1k, E1K_IMS) |= value & ~E1K_ICR_ASSERTED;
      e1k_update_irq (e1k);
      return;
    case E1K_IMC:
      *e1k_reg (e1k, E1K_IMS) &= ~value;
      e1k_update_irq (e1k);
      return;
    case E1K_RDBAL:
    case E1K_RDBAL + E1K_QUEUE_STRIDE:
    case E1K_TDBAL:
    case E1K_TDBAL + E1K_QUEUE_STRIDE:
      *e1k_reg (e1k, offset) = value & ~0xfu;
      return;
    case E1K_RDLEN:
    case E1K_RDLEN + E1K_QUEUE_STRIDE:
    case E1K_TDLEN:
    case E1K_TDLEN + E1K_QUEUE_STRIDE:
      *e1k_reg (e1k, offset) = value & 0xfff80;
      return;
    case E1K_RDH:
    case E1K_RDH + E1K_QUEUE_STRIDE:
    case E1K_TDH:
    case E1K_TDH + E1K_QUEUE_STRIDE:
    case E1K_RDT + E1K_QUEUE_STRIDE:
      *e1k_reg (e1k, offset) = value & 0xffff;
      return;
    case E1K_RDT:
      *e1k_reg (e1k, offset) = value & 0xffff;
      vmm_net_receive_ready (e1k->net);
      return;
    case E1K_RCTL:
      *e1k_reg (e1k, offset) = value;
      vmm_net_receive_ready (e1k->net);
      return;
    case E1K_TDT:
    case E1K_TDT + E1K_QUEUE_STRIDE:
      *e1k_reg (e1k, offset) = value & 0xffff;
      e1k_kick (e1k);
      return;
    case E1K_TCTL:
      *e1k_reg (e1k, offset) = value;
      e1k_kick (e1k);
      return;
    case E1K_RXDCTL:
    case E1K_TXDCTL:
      *e1k_reg (e1k, offset) = value;
      return;
    case E1K_RAL + 4: /* §10.2.5.18: no more bits than these */
      *e1k_reg (e1k, offset) = value & 0x8003ffff;
      return;
    default:
      if (e1k_is_plain (offset))
        *e1k_reg (e1k, offset) = value;
      return;
    }
}

static guint64
e1k_mmio_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  return e1k_read_reg ((E1k *) dev, (guint) offset);
}

static void
e1k_mmio_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  if (offset < E1K_MAC_WORDS * 4)
    e1k_write_reg ((E1k *) dev, (guint) offset, (guint32) value);
}

static const VmmRegionOps e1k_mmio_ops = {
  .name = "e1000e",
  .read = e1k_mmio_read,
  .write = e1k_mmio_write,
  .access_min = 4,
  .access_max = 4,
};

/* §10.2.1: the flash that is not there. */
static guint64
e1k_flash_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  return G_MAXUINT64;
}

static void
e1k_flash_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
}

static const VmmRegionOps e1k_flash_ops = { .name = "e1000e-flash", .read = e1k_flash_read, .write = e1k_flash_write };

/* §10.1.1.2: address and data ports. */
static guint64
e1k_pio_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  E1k *e1k = (E1k *) dev;

  if (offset == 0)
    return e1k->regs.io_address;
  return offset == 4 ? e1k_read_reg (e1k, e1k->regs.io_address & ~3u) : 0;
}

static void
e1k_pio_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  E1k *e1k = (E1k *) dev;

  if (offset == 0)
    e1k->regs.io_address = (guint32) value & 0x1ffff;
  else if (offset == 4 && e1k->regs.io_address < E1K_MAC_WORDS * 4)
    e1k_write_reg (e1k, e1k->regs.io_address & ~3u, (guint32) value);
}

static const VmmRegionOps e1k_pio_ops = {
  .name = "e1000e-io",
  .read = e1k_pio_read,
  .write = e1k_pio_write,
  .access_min = 4,
  .access_max = 4,
};

/* === Life === */

static void
e1k_reset (VmmDevice *dev, VmmResetKind kind)
{
  E1k *e1k = (E1k *) dev;

  vmm_pci_device_reset (&e1k->pci);
  e1k->intx_raised = FALSE;
  e1k->regs.io_address = 0;
  e1k_fill_nvm (e1k);
  e1k_reset_phy (e1k);
  e1k_reset_mac (e1k);
}

static void
e1k_nothing (gpointer data)
{
}

static void
e1k_quiesce (VmmDevice *dev)
{
  E1k *e1k = (E1k *) dev;

  vmm_net_quiesce (e1k->net);
  vmm_device_lock (dev);
  e1k->quiesced = TRUE;
  vmm_device_unlock (dev);
  /* A walk that is on its way has nothing left to do after this. */
  vmm_iothread_call_sync (vmm_device_get_iothread (dev), e1k_nothing, NULL);
}

static void
e1k_resume (VmmDevice *dev)
{
  E1k *e1k = (E1k *) dev;

  vmm_device_lock (dev);
  e1k->quiesced = FALSE;
  /* The cable may have moved meanwhile. */
  if (((e1k_get (e1k, E1K_STATUS) & E1K_STATUS_LU) != 0) != vmm_net_get_link (e1k->net))
    {
      e1k_update_link (e1k);
      *e1k_reg (e1k, E1K_ICR) |= E1K_ICR_LSC;
    }
  e1k_update_irq (e1k);
  e1k_kick (e1k);
  vmm_device_unlock (dev);
  vmm_net_resume (e1k->net);
}

static gboolean
e1k_post_load (VmmDevice *dev, GError **error)
{
  E1k *e1k = (E1k *) dev;

  vmm_pci_device_post_load (&e1k->pci);
  memset (e1k->next_irq_ns, 0, sizeof e1k->next_irq_ns);
  e1k->intx_raised = FALSE;
  e1k->regs.signalled = 0; /* a message too many is none too few */
  return TRUE;
}

static void
e1k_unrealize (VmmDevice *dev)
{
  E1k *e1k = (E1k *) dev;

  vmm_net_free (e1k->net);
  vmm_timer_clear (&e1k->irq_timer);
  vmm_pci_device_clear (&e1k->pci);
}

/* Power management (PCI PM 1.2 §3.2: D0 and D3hot, which forgets nothing) and PCI Express (§7.8: an endpoint inside the root complex). */
static void
e1k_add_capabilities (E1k *e1k)
{
  guint8 *config = e1k->pci.pci.config, *mask = e1k->pci.wmask;

  vmm_pci_device_add_capability (&e1k->pci, 0x01, 0xc8, 8);
  config[0xca] = 0x03;
  config[0xcc] = 0x08; /* no soft reset */
  mask[0xcc] = 0x03;
  vmm_pci_device_add_msi (&e1k->pci, 0xd0);
  vmm_pci_device_add_capability (&e1k->pci, 0x10, 0xe0, 20);
  config[0xe2] = 0x91;
  config[0xe5] = 0x80; /* role-based error reporting */
  mask[0xe8] = 0xff;
  mask[0xe9] = 0x7f;
  vmm_pci_device_add_msix (&e1k->pci, 0xa0, 3, 0, 0x2000, E1K_VECTORS);
}

static const VmmNetClient e1k_client = { .receive = e1k_receive, .writable = e1k_writable, .link_changed = e1k_link_changed };

static gboolean
e1k_realize (VmmDevice *dev, GError **error)
{
  static const VmmPciId id = { .vendor = 0x8086,
                               .device = 0x10d3,
                               .class_code = 0x020000,
                               .subsystem_vendor = 0x8086,
                               .subsystem = 0xa01f };
  E1k *e1k = (E1k *) dev;

  if (!vmm_pci_device_init (&e1k->pci, -1, &id, error))
    return FALSE;
  e1k->pci.pci.config[0x3d] = 1;
  e1k->pci.config_written = e1k_config_written;
  vmm_pci_device_add_bar (&e1k->pci, 0, VMM_PCI_BAR_MMIO, 0x20000, VMM_PCI_BAR_32, &e1k_mmio_ops, NULL);
  vmm_pci_device_add_bar (&e1k->pci, 1, VMM_PCI_BAR_MMIO, 0x20000, VMM_PCI_BAR_32, &e1k_flash_ops, NULL);
  vmm_pci_device_add_bar (&e1k->pci, 2, VMM_PCI_BAR_IO, 0x20, VMM_PCI_BAR_32, &e1k_pio_ops, NULL);
  e1k_add_capabilities (e1k);
  vmm_timer_init (&e1k->irq_timer, dev, e1k_on_irq_timer, e1k);
  if (vmm_net_add_boot (dev, E1K_ROM, error) && (e1k->net = vmm_net_new (dev, &e1k_client, 1, error)) != NULL)
    return TRUE;
  vmm_pci_device_clear (&e1k->pci);
  return FALSE;
}

const VmmDeviceClass vmm_e1000e_class = {
  .name = "e1000e",
  .summary = N_ ("Network card (Intel 82574L)"),
  .description = N_ ("A network card that every system has a driver for, Windows too."),
  .bus = VMM_DEVICE_PCI,
  .user_creatable = TRUE,
  .instance_size = sizeof (E1k),
  .settings = vmm_net_settings,
  .regs_offset = G_STRUCT_OFFSET (E1k, regs),
  .regs_size = sizeof (E1kRegs),
  .regs_fields = e1k_fields,
  .state_version = 1,
  .realize = e1k_realize,
  .reset = e1k_reset,
  .quiesce = e1k_quiesce,
  .resume = e1k_resume,
  .unrealize = e1k_unrealize,
  .post_load = e1k_post_load,
};
