/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Realtek RTL8139C: a 100 Mb/s NIC for systems that know nothing newer.
 * Spec: Realtek RTL8139C(L) datasheet 1.4 (§5 registers, §6 EEPROM), Microchip 93C46 (EEPROM's protocol). Left out: the C+ descriptors
 * (the revision says there are none), early receive interrupts, wake-up, full-duplex flow control.
 *
 * Theory of operation: 256 bytes of registers, reachable alike by ports and memory. Four buffers to send, used in turn: a write of a size to
 * TSDn starts it; the iothread sends those whose OWN is clear. Received frames go into a ring of bytes in RAM, each behind a status and a
 * length; while there is no room they wait in the network layer, until the driver moves CAPR.
 *
 * Saved state: the registers, whose turn it is, and the state of the EEPROM's serial line. */
#include "net/net-private.h"
#include "pci/pci.h"

#include <string.h>
#include <zlib.h> /* crc32 */

#define R39_ROM "efi-rtl8139.rom"
#define R39_FRAME_MAX 1792 /* §5.2: largest size of TSD */
#define R39_CLOCK_HZ 33000000

/* §5 */
#define R39_IDR 0x00
#define R39_MAR 0x08
#define R39_TSD 0x10
#define R39_TSAD 0x20
#define R39_RBSTART 0x30
#define R39_CR 0x37
#define R39_CAPR 0x38
#define R39_CBR 0x3a
#define R39_IMR 0x3c
#define R39_ISR 0x3e
#define R39_TCR 0x40
#define R39_RCR 0x44
#define R39_TCTR 0x48
#define R39_MPC 0x4c
#define R39_9346CR 0x50
#define R39_CONFIG0 0x51
#define R39_CONFIG1 0x52
#define R39_TIMERINT 0x54
#define R39_MSR 0x58
#define R39_TSALL 0x60
#define R39_BMCR 0x62
#define R39_BMSR 0x64
#define R39_ANAR 0x66
#define R39_ANLPAR 0x68
#define R39_ANER 0x6a

#define R39_CR_BUFE 0x01
#define R39_CR_TE 0x04
#define R39_CR_RE 0x08
#define R39_CR_RST 0x10
#define R39_TSD_SIZE 0x1fffu
#define R39_TSD_OWN 0x2000u
#define R39_TSD_TUN 0x4000u
#define R39_TSD_TOK 0x8000u
#define R39_TSD_TABT 0x40000000u
#define R39_ISR_ROK 0x0001
#define R39_ISR_TOK 0x0004
#define R39_ISR_TER 0x0008
#define R39_ISR_LINK 0x0020
#define R39_ISR_TIMEOUT 0x4000
#define R39_TCR_VERSION 0x74000000u /* RTL8139C */
#define R39_TCR_LOOPBACK 0x00060000u
#define R39_RCR_AAP 0x01u
#define R39_RCR_APM 0x02u
#define R39_RCR_AM 0x04u
#define R39_RCR_AB 0x08u
#define R39_RCR_WRAP 0x80u
#define R39_RX_OK 0x0001u
#define R39_RX_BROADCAST 0x2000u
#define R39_RX_PHYSICAL 0x4000u
#define R39_RX_MULTICAST 0x8000u

/* The EEPROM's line in 9346CR */
#define R39_EE_DO 0x01
#define R39_EE_DI 0x02
#define R39_EE_SK 0x04
#define R39_EE_CS 0x08
#define R39_EE_MODE 0xc0
#define R39_EE_PROGRAM 0x80
#define R39_EE_UNLOCKED 0xc0
#define R39_EE_WORDS 64

typedef struct {
  guint8 bytes[256];
  guint16 eeprom[R39_EE_WORDS];
  gint64 timer_start_ns; /* when TCTR was 0 */
  guint32 next;          /* buffer to send whose turn it is */
  guint32 ee_bits;       /* of the command so far, from its start bit on */
  guint32 ee_count;      /* bits in it; 0: no start bit yet */
  guint32 ee_out;        /* bits yet to be read, from bit 15 */
} R39Regs;

typedef struct {
  VmmPciDevice pci;
  R39Regs regs;
  VmmNet *net;
  VmmTimer timer;
  gboolean tx_queued, quiesced;
} R39;

static const VmmField r39_fields[] = {
  VMM_FIELD_BLOB (R39Regs, bytes),     VMM_FIELD_ARRAY (R39Regs, eeprom),
  VMM_FIELD (R39Regs, timer_start_ns), VMM_FIELD_MAX (R39Regs, next, 3),
  VMM_FIELD (R39Regs, ee_bits),        VMM_FIELD_MAX (R39Regs, ee_count, 32),
  VMM_FIELD (R39Regs, ee_out),         VMM_FIELD_END,
};

static guint16
r39_get16 (const R39 *r39, guint reg)
{
  return (guint16) (r39->regs.bytes[reg] | r39->regs.bytes[reg + 1] << 8);
}

static guint32
r39_get32 (const R39 *r39, guint reg)
{
  return r39_get16 (r39, reg) | (guint32) r39_get16 (r39, reg + 2) << 16;
}

static void
r39_put16 (R39 *r39, guint reg, guint value)
{
  r39->regs.bytes[reg] = (guint8) value;
  r39->regs.bytes[reg + 1] = (guint8) (value >> 8);
}

static void
r39_put32 (R39 *r39, guint reg, guint32 value)
{
  r39_put16 (r39, reg, value & 0xffff);
  r39_put16 (r39, reg + 2, value >> 16);
}

static gint64
r39_now (R39 *r39)
{
  return vmm_clock_now (vmm_device_get_clock (&r39->pci.base));
}

static void
r39_update_irq (R39 *r39)
{
  if (!r39->quiesced)
    vmm_pci_device_set_intx (&r39->pci, (r39_get16 (r39, R39_ISR) & r39_get16 (r39, R39_IMR)) != 0);
}

static void
r39_raise (R39 *r39, guint causes)
{
  r39_put16 (r39, R39_ISR, r39_get16 (r39, R39_ISR) | causes);
  r39_update_irq (r39);
}

/* === The timer (§5.14: TCTR at 33 MHz, an interrupt at TIMERINT) === */

static guint32
r39_get_tctr (R39 *r39)
{
  gint64 ns = MAX (r39_now (r39) - r39->regs.timer_start_ns, 0);

  return (guint32) (ns / 1000 * (R39_CLOCK_HZ / 1000000) + ns % 1000 * (R39_CLOCK_HZ / 1000000) / 1000);
}

static void
r39_arm_timer (R39 *r39)
{
  guint32 at = r39_get32 (r39, R39_TIMERINT);

  if (at == 0)
    vmm_timer_disarm (&r39->timer);
  else if (at > r39_get_tctr (r39))
    vmm_timer_arm (&r39->timer, r39->regs.timer_start_ns + (gint64) at * 1000 / (R39_CLOCK_HZ / 1000000) + 1);
}

static void
r39_on_timer (VmmDevice *dev, gpointer data)
{
  R39 *r39 = data;

  if (r39_get32 (r39, R39_TIMERINT) != 0)
    r39_raise (r39, R39_ISR_TIMEOUT);
}

/* === Receiving === */

static guint32
r39_ring_size (R39 *r39)
{
  return 8192u << (r39_get32 (r39, R39_RCR) >> 11 & 3);
}

/* Bytes that the driver has not read; CAPR is 16 behind where it reads. */
static guint32
r39_ring_used (R39 *r39)
{
  guint32 size = r39_ring_size (r39);

  return (r39_get16 (r39, R39_CBR) - (r39_get16 (r39, R39_CAPR) + 16u)) & (size - 1);
}

/* §5.7: 0: not for us, else the status bit that says why it is. */
static guint
r39_accept (R39 *r39, const guint8 *frame)
{
  guint32 rcr = r39_get32 (r39, R39_RCR);

  if (memcmp (frame, "\xff\xff\xff\xff\xff\xff", VMM_NET_MAC_LEN) == 0)
    return (rcr & (R39_RCR_AB | R39_RCR_AAP)) != 0 ? R39_RX_BROADCAST : 0;
  if ((frame[0] & 1) != 0)
    {
      guint32 crc = 0xffffffff;
      guint hash;

      /* The upper six bits of Ethernet's CRC, its bits in the order of sending. */
      for (guint i = 0; i < VMM_NET_MAC_LEN; i++)
        for (guint bit = 0; bit < 8; bit++)
          crc = crc << 1 ^ ((crc >> 31 ^ (frame[i] >> bit & 1u)) != 0 ? 0x04c11db7u : 0);
      hash = crc >> 26;
      if ((rcr & R39_RCR_AAP) != 0 || ((rcr & R39_RCR_AM) != 0 && (r39->regs.bytes[R39_MAR + hash / 8] & 1u << hash % 8) != 0))
        return R39_RX_MULTICAST;
      return 0;
    }
  if (memcmp (frame, r39->regs.bytes + R39_IDR, VMM_NET_MAC_LEN) == 0)
    return (rcr & (R39_RCR_APM | R39_RCR_AAP)) != 0 ? R39_RX_PHYSICAL : 0;
  return (rcr & R39_RCR_AAP) != 0 ? R39_RX_OK : 0;
}

/* With WRAP a frame that begins in the ring goes on behind its end, where the driver has room for one. */
static gboolean
r39_write_ring (R39 *r39, const guint8 *data, guint32 len)
{
  guint32 base = r39_get32 (r39, R39_RBSTART), at = r39_get16 (r39, R39_CBR), size = r39_ring_size (r39), first = len;

  if ((r39_get32 (r39, R39_RCR) & R39_RCR_WRAP) == 0 || size == 65536)
    first = MIN (len, size - at);
  return vmm_pci_dma_write (&r39->pci, (guint64) base + at, data, first)
         && (first == len || vmm_pci_dma_write (&r39->pci, base, data + first, len - first));
}

static gboolean
r39_receive_locked (R39 *r39, const guint8 *frame, gsize len)
{
  guint8 out[4 + R39_FRAME_MAX + 4 + 4] = { 0 };
  guint32 total = (guint32) MAX (len, VMM_NET_FRAME_MIN) + 4, taken = (4 + total + 3) & ~3u, size = r39_ring_size (r39), sum;
  guint status;

  if ((r39->regs.bytes[R39_CR] & R39_CR_RE) == 0 || len > R39_FRAME_MAX - 4 || (status = r39_accept (r39, frame)) == 0)
    return TRUE;
  if (r39_ring_used (r39) + taken >= size)
    return FALSE;
  status |= R39_RX_OK;
  out[0] = (guint8) status;
  out[1] = (guint8) (status >> 8);
  out[2] = (guint8) total;
  out[3] = (guint8) (total >> 8);
  memcpy (out + 4, frame, len);
  sum = GUINT32_TO_LE ((guint32) crc32 (0, out + 4, total - 4));
  memcpy (out + total, &sum, 4);
  if (!r39_write_ring (r39, out, 4 + total))
    {
      vmm_guest_error (&r39->pci.base, "receive ring outside of RAM, or no bus mastering");
      return TRUE;
    }
  r39_put16 (r39, R39_CBR, (r39_get16 (r39, R39_CBR) + taken) & (size - 1));
  r39_raise (r39, R39_ISR_ROK);
  return TRUE;
}

static gboolean
r39_receive (VmmDevice *dev, guint queue, const VmmNetHeader *header, const guint8 *frame, gsize len)
{
  gboolean taken;

  vmm_device_lock (dev);
  taken = r39_receive_locked ((R39 *) dev, frame, len);
  vmm_device_unlock (dev);
  return taken;
}

/* === Sending === */

/* Returns: FALSE: the network is full. */
static gboolean
r39_send (R39 *r39, guint index)
{
  guint32 tsd = r39_get32 (r39, R39_TSD + 4 * index), size = tsd & R39_TSD_SIZE;
  struct iovec iov = { vmm_pci_dma_map (&r39->pci, r39_get32 (r39, R39_TSAD + 4 * index), MAX (size, 1)), size };
  gboolean ok = iov.iov_base != NULL && size <= R39_FRAME_MAX;

  if (!ok)
    vmm_guest_error (&r39->pci.base, "buffer %u of %u bytes cannot be sent", index, size);
  else if ((r39_get32 (r39, R39_TCR) & R39_TCR_LOOPBACK) == R39_TCR_LOOPBACK)
    {
      guint8 copy[R39_FRAME_MAX];

      memcpy (copy, iov.iov_base, size);
      if (size >= 14)
        r39_receive_locked (r39, copy, size);
    }
  else if (!vmm_net_send (r39->net, 0, NULL, &iov, 1))
    return FALSE;
  r39_put32 (r39, R39_TSD + 4 * index, tsd | R39_TSD_OWN | (ok ? R39_TSD_TOK : R39_TSD_TABT));
  r39_raise (r39, ok ? R39_ISR_TOK : R39_ISR_TER);
  return TRUE;
}

static void
r39_on_send (gpointer data)
{
  R39 *r39 = data;

  vmm_device_lock (&r39->pci.base);
  r39->tx_queued = FALSE;
  for (guint i = 0; i < 4 && !r39->quiesced && (r39->regs.bytes[R39_CR] & R39_CR_TE) != 0; i++)
    {
      if ((r39_get32 (r39, R39_TSD + 4 * r39->regs.next) & R39_TSD_OWN) != 0 || !r39_send (r39, r39->regs.next))
        break;
      r39->regs.next = (r39->regs.next + 1) & 3;
    }
  vmm_device_unlock (&r39->pci.base);
}

static void
r39_kick (R39 *r39)
{
  if (r39->tx_queued)
    return;
  r39->tx_queued = TRUE;
  vmm_iothread_call (vmm_device_get_iothread (&r39->pci.base), r39_on_send, r39);
}

static void
r39_writable (VmmDevice *dev, guint queue)
{
  r39_on_send (dev);
}

/* === EEPROM: a start bit, two of a command (10: read), six of an address, then 16 bits come out === */

static void
r39_clock_eeprom (R39 *r39, gboolean bit)
{
  R39Regs *regs = &r39->regs;

  if (regs->ee_count == 9)
    {
      regs->bytes[R39_9346CR] = (guint8) ((regs->bytes[R39_9346CR] & ~R39_EE_DO) | (regs->ee_out >> 15 & 1));
      regs->ee_out = regs->ee_out << 1 & 0xffff;
      return;
    }
  if (regs->ee_count == 0 && !bit)
    return;
  regs->ee_bits = regs->ee_bits << 1 | (bit ? 1 : 0);
  if (++regs->ee_count < 9)
    return;
  regs->ee_out = (regs->ee_bits >> 6 & 3) == 2 ? regs->eeprom[regs->ee_bits & 63] : 0;
  regs->bytes[R39_9346CR] &= (guint8) ~R39_EE_DO;
}

static void
r39_write_9346 (R39 *r39, guint8 value)
{
  guint8 *reg = &r39->regs.bytes[R39_9346CR], before = *reg;

  *reg = (guint8) ((value & ~R39_EE_DO) | (before & R39_EE_DO));
  if ((value & R39_EE_MODE) != R39_EE_PROGRAM || (value & R39_EE_CS) == 0)
    r39->regs.ee_count = r39->regs.ee_bits = r39->regs.ee_out = 0;
  else if ((value & R39_EE_SK) != 0 && (before & R39_EE_SK) == 0)
    r39_clock_eeprom (r39, (value & R39_EE_DI) != 0);
}

static void
r39_fill_eeprom (R39 *r39)
{
  const guint8 *mac = vmm_net_get_mac (r39->net);
  guint16 *eeprom = r39->regs.eeprom;

  memset (eeprom, 0, sizeof r39->regs.eeprom);
  eeprom[0] = 0x8129;
  eeprom[1] = eeprom[3] = 0x10ec;
  eeprom[2] = eeprom[4] = 0x8139;
  for (guint i = 0; i < 3; i++)
    eeprom[7 + i] = (guint16) (mac[2 * i] | mac[2 * i + 1] << 8);
}

/* === Registers === */

static void
r39_update_link (R39 *r39)
{
  gboolean up = vmm_net_get_link (r39->net);

  r39->regs.bytes[R39_MSR] = up ? 0x10 : 0x14; /* LINKB is 0 when there is one */
  r39_put16 (r39, R39_BMSR, up ? 0x782d : 0x7809);
  r39_put16 (r39, R39_ANLPAR, up ? 0x45e1 : 0);
}

static void
r39_link_changed (VmmDevice *dev, gboolean up)
{
  R39 *r39 = (R39 *) dev;

  vmm_device_lock (dev);
  r39_update_link (r39);
  r39_raise (r39, R39_ISR_LINK);
  vmm_device_unlock (dev);
}

/* §5.4: RST leaves addresses and configuration. */
static void
r39_soft_reset (R39 *r39)
{
  for (guint i = 0; i < 4; i++)
    {
      r39_put32 (r39, R39_TSD + 4 * i, R39_TSD_OWN);
      r39_put32 (r39, R39_TSAD + 4 * i, 0);
    }
  r39_put32 (r39, R39_RBSTART, 0);
  r39->regs.bytes[R39_CR] = 0;
  r39_put16 (r39, R39_CAPR, 0xfff0);
  r39_put16 (r39, R39_CBR, 0);
  r39_put16 (r39, R39_IMR, 0);
  r39_put16 (r39, R39_ISR, 0);
  r39_put32 (r39, R39_TCR, R39_TCR_VERSION | 0x03000000);
  r39_put32 (r39, R39_RCR, 0);
  r39_put32 (r39, R39_MPC, 0);
  r39_put32 (r39, R39_TIMERINT, 0);
  r39_put16 (r39, R39_BMCR, 0x3100);
  r39_put16 (r39, R39_ANAR, 0x05e1);
  r39_put16 (r39, R39_ANER, 0x0001);
  r39->regs.next = 0;
  r39->regs.timer_start_ns = r39_now (r39);
  vmm_timer_disarm (&r39->timer);
  r39_update_link (r39);
  r39_update_irq (r39);
}

static void
r39_write_cr (R39 *r39, guint8 value)
{
  guint8 *cr = &r39->regs.bytes[R39_CR];

  if ((value & R39_CR_RST) != 0)
    {
      r39_soft_reset (r39);
      return;
    }
  /* Drivers take it that the ring starts anew. */
  if ((value & ~*cr & R39_CR_RE) != 0)
    {
      r39_put16 (r39, R39_CBR, 0);
      r39_put16 (r39, R39_CAPR, 0xfff0);
    }
  if ((value & ~*cr & R39_CR_TE) != 0)
    r39->regs.next = 0;
  *cr = value & (R39_CR_TE | R39_CR_RE);
  vmm_net_receive_ready (r39->net);
}

/* Bits of a byte that hold what is written. */
static guint8
r39_write_mask (R39 *r39, guint reg)
{
  gboolean unlocked = (r39->regs.bytes[R39_9346CR] & R39_EE_MODE) == R39_EE_UNLOCKED;

  if (reg < R39_MAR - 2 || (reg >= R39_CONFIG0 && reg <= R39_CONFIG1) || (reg >= 0x59 && reg <= 0x5a) || reg == 0xd8)
    return unlocked ? 0xff : 0;
  if (reg == R39_TCR + 3)
    return 0x03;
  if (reg == R39_TCR + 2)
    return 0x3f;
  if ((reg >= R39_MAR && reg < R39_RBSTART + 4) || (reg >= R39_CAPR && reg < R39_CBR) || (reg >= R39_IMR && reg < R39_ISR)
      || (reg >= R39_TCR && reg < R39_TCTR) || (reg >= R39_TIMERINT && reg < R39_TIMERINT + 4) || (reg >= 0x5c && reg < 0x5e)
      || (reg >= R39_ANAR && reg < R39_ANLPAR) || (reg >= 0x6c && reg < 0x80))
    return 0xff;
  return 0;
}

static gboolean
r39_meets (guint offset, guint size, guint reg, guint len)
{
  return offset < reg + len && reg < offset + size;
}

static void
r39_write_bmcr (R39 *r39, guint value)
{
  if ((value & 0x8000) != 0)
    value = 0x3100;
  r39_put16 (r39, R39_BMCR, value & 0x3100);
  r39_update_link (r39);
}

static guint64
r39_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  R39 *r39 = (R39 *) dev;
  guint reg = (guint) offset, all = 0;
  guint32 value = 0;

  if (r39_meets (reg, size, R39_CR, 1))
    {
      guint8 *cr = &r39->regs.bytes[R39_CR];

      *cr = (guint8) ((*cr & ~R39_CR_BUFE) | (r39_ring_used (r39) == 0 ? R39_CR_BUFE : 0));
    }
  if (r39_meets (reg, size, R39_TCTR, 4))
    r39_put32 (r39, R39_TCTR, r39_get_tctr (r39));
  if (r39_meets (reg, size, R39_TSALL, 2))
    {
      for (guint i = 0; i < 4; i++)
        {
          guint32 tsd = r39_get32 (r39, R39_TSD + 4 * i);

          all |= ((tsd & R39_TSD_OWN) != 0 ? 0x1u : 0) << i | ((tsd & R39_TSD_TABT) != 0 ? 0x10u : 0) << i
                 | ((tsd & R39_TSD_TUN) != 0 ? 0x100u : 0) << i | ((tsd & R39_TSD_TOK) != 0 ? 0x1000u : 0) << i;
        }
      r39_put16 (r39, R39_TSALL, all);
    }
  for (guint i = 0; i < size && reg + i < sizeof r39->regs.bytes; i++)
    value |= (guint32) r39->regs.bytes[reg + i] << 8 * i;
  return value;
}

static void
r39_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  R39 *r39 = (R39 *) dev;
  guint reg = (guint) offset;
  guint16 clear = 0;

  for (guint i = 0; i < size && reg + i < sizeof r39->regs.bytes; i++)
    {
      guint8 byte = (guint8) (value >> 8 * i), mask = r39_write_mask (r39, reg + i);
      guint8 *at = &r39->regs.bytes[reg + i];

      *at = (guint8) ((*at & ~mask) | (byte & mask));
      if (reg + i == R39_CR)
        r39_write_cr (r39, byte);
      else if (reg + i == R39_9346CR)
        r39_write_9346 (r39, byte);
      else if (reg + i == R39_ISR || reg + i == R39_ISR + 1)
        clear |= (guint16) (byte << (reg + i - R39_ISR) * 8);
    }
  if (clear != 0)
    r39_put16 (r39, R39_ISR, r39_get16 (r39, R39_ISR) & (guint) ~clear);
  if (r39_meets (reg, size, R39_IMR, 4))
    r39_update_irq (r39);
  if (r39_meets (reg, size, R39_BMCR, 2) && reg <= R39_BMCR)
    r39_write_bmcr (r39, (guint) (value >> (R39_BMCR - reg) * 8) & 0xffff);
  if (r39_meets (reg, size, R39_TCTR, 4))
    r39->regs.timer_start_ns = r39_now (r39);
  if (r39_meets (reg, size, R39_MPC, 4))
    r39_put32 (r39, R39_MPC, 0);
  if (r39_meets (reg, size, R39_TCTR, 4) || r39_meets (reg, size, R39_TIMERINT, 4))
    r39_arm_timer (r39);
  if (r39_meets (reg, size, R39_TSD, 16))
    r39_kick (r39);
  if (r39_meets (reg, size, R39_CAPR, 2) || r39_meets (reg, size, R39_RCR, 4))
    {
      r39_put16 (r39, R39_CBR, r39_get16 (r39, R39_CBR) & (r39_ring_size (r39) - 1));
      vmm_net_receive_ready (r39->net);
    }
}

static const VmmRegionOps r39_ops = { .name = "rtl8139", .read = r39_read, .write = r39_write, .access_max = 4 };

/* === Life === */

static void
r39_reset (VmmDevice *dev, VmmResetKind kind)
{
  R39 *r39 = (R39 *) dev;

  vmm_pci_device_reset (&r39->pci);
  memset (&r39->regs, 0, sizeof r39->regs);
  r39_fill_eeprom (r39);
  memcpy (r39->regs.bytes + R39_IDR, vmm_net_get_mac (r39->net), VMM_NET_MAC_LEN);
  r39->regs.bytes[R39_CONFIG1] = 0x0c; /* both windows decode */
  r39_soft_reset (r39);
}

static void
r39_nothing (gpointer data)
{
}

static void
r39_quiesce (VmmDevice *dev)
{
  R39 *r39 = (R39 *) dev;

  vmm_net_quiesce (r39->net);
  vmm_device_lock (dev);
  r39->quiesced = TRUE;
  vmm_device_unlock (dev);
  vmm_iothread_call_sync (vmm_device_get_iothread (dev), r39_nothing, NULL);
}

static void
r39_resume (VmmDevice *dev)
{
  R39 *r39 = (R39 *) dev;

  vmm_device_lock (dev);
  r39->quiesced = FALSE;
  if (((r39->regs.bytes[R39_MSR] & 0x04) == 0) != vmm_net_get_link (r39->net))
    {
      r39_update_link (r39);
      r39_put16 (r39, R39_ISR, r39_get16 (r39, R39_ISR) | R39_ISR_LINK);
    }
  r39_update_irq (r39);
  r39_kick (r39);
  vmm_device_unlock (dev);
  vmm_net_resume (r39->net);
}

static gboolean
r39_post_load (VmmDevice *dev, GError **error)
{
  R39 *r39 = (R39 *) dev;

  vmm_pci_device_post_load (&r39->pci);
  r39_put16 (r39, R39_CBR, r39_get16 (r39, R39_CBR) & (r39_ring_size (r39) - 1));
  r39_arm_timer (r39);
  return TRUE;
}

static void
r39_unrealize (VmmDevice *dev)
{
  R39 *r39 = (R39 *) dev;

  vmm_net_free (r39->net);
  vmm_timer_clear (&r39->timer);
  vmm_pci_device_clear (&r39->pci);
}

static const VmmNetClient r39_client = { .receive = r39_receive, .writable = r39_writable, .link_changed = r39_link_changed };

static gboolean
r39_realize (VmmDevice *dev, GError **error)
{
  static const VmmPciId id = { .vendor = 0x10ec,
                               .device = 0x8139,
                               .revision = 0x10,
                               .class_code = 0x020000,
                               .subsystem_vendor = 0x10ec,
                               .subsystem = 0x8139 };
  R39 *r39 = (R39 *) dev;

  if (!vmm_pci_device_init (&r39->pci, -1, &id, error))
    return FALSE;
  r39->pci.pci.config[0x3d] = 1;
  vmm_pci_device_add_bar (&r39->pci, 0, VMM_PCI_BAR_IO, 256, VMM_PCI_BAR_32, &r39_ops, NULL);
  vmm_pci_device_add_bar (&r39->pci, 1, VMM_PCI_BAR_MMIO, 256, VMM_PCI_BAR_32, &r39_ops, NULL);
  vmm_timer_init (&r39->timer, dev, r39_on_timer, r39);
  if (vmm_net_add_boot (dev, R39_ROM, error) && (r39->net = vmm_net_new (dev, &r39_client, 1, error)) != NULL)
    return TRUE;
  vmm_pci_device_clear (&r39->pci);
  return FALSE;
}

const VmmDeviceClass vmm_rtl8139_class = {
  .name = "rtl8139",
  .summary = N_ ("Network card (Realtek RTL8139)"),
  .bus = VMM_DEVICE_PCI,
  .user_creatable = TRUE,
  .instance_size = sizeof (R39),
  .settings = vmm_net_settings,
  .regs_offset = G_STRUCT_OFFSET (R39, regs),
  .regs_size = sizeof (R39Regs),
  .regs_fields = r39_fields,
  .state_version = 1,
  .realize = r39_realize,
  .reset = r39_reset,
  .quiesce = r39_quiesce,
  .resume = r39_resume,
  .unrealize = r39_unrealize,
  .post_load = r39_post_load,
};
