/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: Intel 82574 datasheet (sections named), and what Linux's driver e1000e asks for. */
#include "net-probe.h"

#include "core/machine.h"

#include <string.h>

#define DEVFN (2 << 3)
#define BAR 0xe0000000u
#define MSIX_BAR 0xe0080000u
#define RX_RING 0x100000u
#define TX_RING 0x110000u
#define RX_DATA 0x200000u
#define TX_DATA 0x400000u
#define RING 8
#define MAC "52:54:00:12:34:56"

#define CTRL 0x0000
#define STATUS 0x0008
#define EERD 0x0014
#define CTRL_EXT 0x0018
#define MDIC 0x0020
#define ICR 0x00c0
#define ITR 0x00c4
#define ICS 0x00c8
#define IMS 0x00d0
#define IMC 0x00d8
#define EIAC 0x00dc
#define IVAR 0x00e4
#define RCTL 0x0100
#define TCTL 0x0400
#define RDBAL 0x2800
#define RDLEN 0x2808
#define RDH 0x2810
#define RDT 0x2818
#define TDBAL 0x3800
#define TDLEN 0x3808
#define TDH 0x3810
#define TDT 0x3818
#define GPRC 0x4074
#define GPTC 0x4080
#define RFCTL 0x5008
#define MTA 0x5200
#define RAL 0x5400
#define VFTA 0x5600
#define SWSM 0x5b50

#define ICR_TXDW 0x01u
#define ICR_LSC 0x04u
#define ICR_RXT0 0x80u
#define ICR_RXQ0 0x00100000u
#define ICR_TXQ0 0x00400000u
#define ICR_OTHER 0x01000000u
#define ICR_ASSERTED 0x80000000u

typedef struct {
  TestBoard *board;
  VmmDevice *dev;
  NetWire *wire;
  guint tail; /* of the transmit ring */
} Fixture;

static guint32
get (Fixture *f, guint reg)
{
  return (guint32) test_read (f->board, BAR + reg, 4);
}

static void
set (Fixture *f, guint reg, guint32 value)
{
  test_write (f->board, BAR + reg, 4, value);
}

static void
put32 (Fixture *f, guint64 at, guint32 value)
{
  guint32 le = GUINT32_TO_LE (value);

  test_ram_write (f->board, at, &le, 4);
}

static guint32
peek32 (Fixture *f, guint64 at)
{
  guint32 le;

  test_ram_read (f->board, at, &le, 4);
  return GUINT32_FROM_LE (le);
}

static void
start_rings (Fixture *f)
{
  for (guint i = 0; i < RING; i++)
    {
      put32 (f, RX_RING + 16 * i, RX_DATA + 0x1000 * i);
      put32 (f, RX_RING + 16 * i + 4, 0);
      put32 (f, RX_RING + 16 * i + 8, 0);
      put32 (f, RX_RING + 16 * i + 12, 0);
    }
  set (f, RDBAL, RX_RING);
  set (f, RDLEN, RING * 16);
  set (f, RDH, 0);
  set (f, RDT, RING - 1);
  set (f, RCTL, 0x04008002); /* enabled, broadcasts, 2 KiB, no check sequence */
  set (f, TDBAL, TX_RING);
  set (f, TDLEN, RING * 16);
  set (f, TDH, 0);
  set (f, TDT, 0);
  set (f, TCTL, 0x0103f0fa);
  f->tail = 0;
}

static Fixture *
fixture_new (gboolean takes_sums)
{
  Fixture *f = g_new0 (Fixture, 1);

  f->board = test_board_new ();
  f->dev = test_board_add (f->board, "e1000e", "net0", "network", "none", "mac", MAC, NULL);
  test_pci_write (f->board, DEVFN, 0x10, 4, BAR);
  test_pci_write (f->board, DEVFN, 0x14, 4, BAR + 0x20000);
  test_pci_write (f->board, DEVFN, 0x1c, 4, MSIX_BAR);
  test_pci_write (f->board, DEVFN, 0x04, 2, 0x0006);
  f->wire = net_wire_new (f->board, "net0", takes_sums);
  test_board_settle (f->board);
  get (f, ICR);
  start_rings (f);
  return f;
}

static void
fixture_free (Fixture *f)
{
  test_board_free (f->board);
  g_free (f);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Fixture, fixture_free)

static void
add_tx (Fixture *f, guint32 low, guint32 high, guint32 word2, guint32 word3)
{
  guint64 at = TX_RING + 16 * f->tail;

  put32 (f, at, low);
  put32 (f, at + 4, high);
  put32 (f, at + 8, word2);
  put32 (f, at + 12, word3);
  f->tail = (f->tail + 1) % RING;
}

static void
kick (Fixture *f)
{
  set (f, TDT, f->tail);
  test_board_settle (f->board);
}

/* An Ethernet frame to @to with @len bytes in all. */
static guint8 *
make_frame (const char *to, gsize len)
{
  guint8 *frame = g_malloc0 (len);

  memcpy (frame, to, 6);
  memcpy (frame + 6, "\x52\x55\x0a\x00\x02\x02", 6);
  frame[12] = 0x08;
  for (gsize i = 14; i < len; i++)
    frame[i] = (guint8) i;
  return frame;
}

#define TO_US "\x52\x54\x00\x12\x34\x56"
#define TO_ALL "\xff\xff\xff\xff\xff\xff"

static void
deliver (Fixture *f, const char *to, gsize len)
{
  g_autofree guint8 *frame = make_frame (to, len);

  net_wire_deliver (f->wire, NULL, frame, len);
}

static void
test_identity (void)
{
  g_autoptr (Fixture) f = fixture_new (TRUE);
  guint16 sum = 0;

  g_assert_cmphex (test_pci_read (f->board, DEVFN, 0x00, 4), ==, 0x10d38086);
  g_assert_cmphex (test_pci_read (f->board, DEVFN, 0x08, 4) >> 8, ==, 0x020000);
  g_assert_cmphex (get (f, STATUS), ==, 0x80283); /* link up, full duplex, 1000 Mb/s, as an 82574 says */
  g_assert_cmphex (get (f, RAL), ==, 0x12005452);
  g_assert_cmphex (get (f, RAL + 4), ==, 0x80005634);
  for (guint i = 0; i < 64; i++)
    {
      set (f, EERD, i << 2 | 1);
      g_assert_cmphex (get (f, EERD) & 2, ==, 2);
      sum = (guint16) (sum + (get (f, EERD) >> 16));
    }
  g_assert_cmphex (sum, ==, 0xbaba); /* §6.1.2.11 */
}

static guint
read_phy (Fixture *f, guint reg)
{
  set (f, MDIC, 0x08000000 | 1 << 21 | reg << 16);
  g_assert_cmphex (get (f, MDIC) & 0x50000000, ==, 0x10000000); /* ready, no error */
  return get (f, MDIC) & 0xffff;
}

static void
test_phy (void)
{
  g_autoptr (Fixture) f = fixture_new (TRUE);

  g_assert_cmphex (read_phy (f, 2), ==, 0x0141);
  g_assert_cmphex (read_phy (f, 3), ==, 0x0cb1); /* Linux: BME1000_E_PHY_ID_R2 */
  g_assert_cmphex (read_phy (f, 1) & 0x24, ==, 0x24);
  vmm_net_set_link (vmm_net_find (f->board->machine, "net0"), FALSE);
  g_assert_cmphex (read_phy (f, 1) & 0x24, ==, 0);
  g_assert_cmphex (get (f, STATUS) & 2, ==, 0);
  g_assert_cmphex (get (f, ICR) & ICR_LSC, ==, ICR_LSC);
}

static void
test_semaphore (void)
{
  g_autoptr (Fixture) f = fixture_new (TRUE);

  g_assert_cmphex (get (f, SWSM) & 1, ==, 0);
  g_assert_cmphex (get (f, SWSM) & 1, ==, 1);
  set (f, SWSM, 2);
  g_assert_cmphex (get (f, SWSM) & 3, ==, 2);
}

static void
test_send_legacy (void)
{
  g_autoptr (Fixture) f = fixture_new (TRUE);
  g_autofree guint8 *data = make_frame (TO_ALL, 100);
  g_autofree NetProbeFrame *sent = NULL;

  test_ram_write (f->board, TX_DATA, data, 40);
  test_ram_write (f->board, TX_DATA + 0x1000, data + 40, 60);
  add_tx (f, TX_DATA, 0, 40, 0);
  add_tx (f, TX_DATA + 0x1000, 0, 0x0b000000 | 60, 0); /* RS, IFCS, EOP */
  kick (f);
  sent = net_wire_take (f->wire, TRUE);
  g_assert_nonnull (sent);
  g_assert_cmpmem (sent->data, sent->len, data, 100);
  g_assert_cmpuint (get (f, TDH), ==, 2);
  g_assert_cmphex (peek32 (f, TX_RING + 12) & 1, ==, 0);
  g_assert_cmphex (peek32 (f, TX_RING + 16 + 12) & 1, ==, 1); /* DD where RS was */
  g_assert_cmphex (get (f, ICR) & ICR_TXDW, ==, ICR_TXDW);
  g_assert_cmpuint (get (f, GPTC), ==, 1);
  g_assert_cmpuint (get (f, GPTC), ==, 0);
}

/* As Linux does it: context, then the data with TXSM: the field holds the pseudo header's sum. */
static void
test_send_checksum (void)
{
  g_autoptr (Fixture) f = fixture_new (TRUE);
  g_autofree guint8 *data = make_frame (TO_US, 80);
  g_autofree NetProbeFrame *sent = NULL;

  test_ram_write (f->board, TX_DATA, data, 80);
  add_tx (f, 0, 34u | 40u << 8, 0x21000000, 0);
  add_tx (f, TX_DATA, 0, 0x2b100000 | 80, 0x0200);
  kick (f);
  sent = net_wire_take (f->wire, TRUE);
  g_assert_nonnull (sent);
  g_assert_true (sent->has_header);
  g_assert_cmphex (sent->header.flags, ==, VMM_NET_NEEDS_CSUM);
  g_assert_cmpuint (GUINT16_FROM_LE (sent->header.csum_start), ==, 34);
  g_assert_cmpuint (GUINT16_FROM_LE (sent->header.csum_offset), ==, 6);
}

static guint16
sum16 (const guint8 *data, gsize len, guint32 sum)
{
  for (gsize i = 0; i < len; i++)
    sum += (i & 1) != 0 ? data[i] : (guint32) data[i] << 8;
  while (sum >> 16 != 0)
    sum = (sum & 0xffff) + (sum >> 16);
  return (guint16) ~sum;
}

/* 3000 bytes over a network that cannot cut: three frames with right sums. */
static void
test_send_segmented (void)
{
  g_autoptr (Fixture) f = fixture_new (FALSE);
  guint8 header[54] = "\x52\x55\x0a\x00\x02\x02" TO_US "\x08\x00\x45\x00\x00\x00\x12\x34\x40\x00\x40\x06\x00\x00"
                      "\x0a\x00\x02\x0f\x0a\x00\x02\x02\x0f\xa0\x00\x50\x00\x00\x10\x00\x00\x00\x20\x00\x50\x19\xff\xff";
  guint8 payload[3000];
  const guint want[] = { 1460, 1460, 80 };

  for (guint i = 0; i < sizeof payload; i++)
    payload[i] = (guint8) (i * 11 >> 1);
  test_ram_write (f->board, TX_DATA, header, 54);
  test_ram_write (f->board, TX_DATA + 0x1000, payload, sizeof payload);
  /* §7.2.5: IP from 14, its sum at 24, to 33; TCP from 34, its sum at 50; 3000 bytes, header 54, MSS 1460 */
  add_tx (f, 14u | 24u << 8 | 33u << 16, 34u | 50u << 8, 0x27000000 | 3000, 54u << 8 | 1460u << 16);
  add_tx (f, TX_DATA, 0, 0x26100000 | 54, 0x0300);
  add_tx (f, TX_DATA + 0x1000, 0, 0x2f100000 | 3000, 0x0300);
  kick (f);
  for (guint i = 0, done = 0; i < G_N_ELEMENTS (want); done += want[i++])
    {
      g_autofree NetProbeFrame *sent = net_wire_take (f->wire, TRUE);
      const guint8 *ip, *tcp;

      g_assert_nonnull (sent);
      g_assert_cmpuint (sent->len, ==, 54 + want[i]);
      ip = sent->data + 14;
      tcp = ip + 20;
      g_assert_cmpuint ((guint) (ip[2] << 8 | ip[3]), ==, 40 + want[i]);
      g_assert_cmpuint ((guint) (ip[4] << 8 | ip[5]), ==, 0x1234 + i);
      g_assert_cmphex (sum16 (ip, 20, 0), ==, 0);
      g_assert_cmphex (sum16 (tcp, 20 + want[i], 0x0a00 + 0x020f + 0x0a00 + 0x0202 + 6 + 20 + want[i]), ==, 0);
      g_assert_cmpuint ((guint) (tcp[6] << 8 | tcp[7]), ==, 0x1000 + done);
      g_assert_cmphex (tcp[13], ==, i == 2 ? 0x19 : 0x10); /* FIN and PSH at the end alone */
      g_assert_cmpmem (tcp + 20, want[i], payload + done, want[i]);
    }
  g_assert_null (net_wire_take (f->wire, FALSE));
}

static void
test_send_when_full (void)
{
  g_autoptr (Fixture) f = fixture_new (TRUE);
  g_autofree guint8 *data = make_frame (TO_ALL, 64);
  g_autofree NetProbeFrame *sent = NULL;

  net_wire_set_full (f->wire, TRUE);
  test_ram_write (f->board, TX_DATA, data, 64);
  add_tx (f, TX_DATA, 0, 0x0b000000 | 64, 0);
  kick (f);
  g_assert_cmpuint (get (f, TDH), ==, 0);
  net_wire_set_full (f->wire, FALSE);
  sent = net_wire_take (f->wire, TRUE);
  g_assert_nonnull (sent);
  g_assert_cmpuint (get (f, TDH), ==, 1);
}

static void
test_send_lies (void)
{
  g_autoptr (Fixture) f = fixture_new (TRUE);

  add_tx (f, 0xf0000000, 0, 0x0b000000 | 64, 0); /* outside of RAM */
  kick (f);
  g_assert_null (net_wire_take (f->wire, FALSE));
  g_assert_cmpuint (get (f, TDH), ==, 1);
  set (f, TDT, 4000); /* outside of the ring */
  test_board_settle (f->board);
  set (f, TDH, 5000);
  set (f, TDT, 4);
  test_board_settle (f->board);
  set (f, TDBAL, 0xf0000000);
  set (f, TDH, 0);
  set (f, TDT, 4);
  test_board_settle (f->board);
  g_assert_null (net_wire_take (f->wire, FALSE));
}

static void
test_receive (void)
{
  g_autoptr (Fixture) f = fixture_new (TRUE);
  g_autofree guint8 *data = make_frame (TO_US, 1514);
  guint8 got[1514];

  net_wire_deliver (f->wire, NULL, data, 1514);
  g_assert_cmpuint (get (f, RDH), ==, 1);
  g_assert_cmpuint (peek32 (f, RX_RING + 8) & 0xffff, ==, 1514);
  g_assert_cmphex (peek32 (f, RX_RING + 12) & 0x3, ==, 0x3); /* DD, EOP */
  test_ram_read (f->board, RX_DATA, got, sizeof got);
  g_assert_cmpmem (got, sizeof got, data, 1514);
  g_assert_cmphex (get (f, ICR) & ICR_RXT0, ==, ICR_RXT0);
  g_assert_cmpuint (get (f, GPRC), ==, 1);
  /* A short frame is padded, and has a check sequence if it is asked for. */
  set (f, RCTL, 0x00008002);
  deliver (f, TO_US, 20);
  g_assert_cmpuint (peek32 (f, RX_RING + 16 + 8) & 0xffff, ==, 64);
}

static void
test_receive_extended (void)
{
  g_autoptr (Fixture) f = fixture_new (TRUE);

  set (f, RFCTL, 0x8000);
  set (f, RCTL, 0x0403c002 & ~0x4000u); /* 256-byte buffers */
  deliver (f, TO_ALL, 600);
  g_assert_cmpuint (get (f, RDH), ==, 3);
  g_assert_cmphex (peek32 (f, RX_RING + 8) & 0x3, ==, 0x1);
  g_assert_cmphex (peek32 (f, RX_RING + 32 + 8) & 0x3, ==, 0x3);
  g_assert_cmpuint (peek32 (f, RX_RING + 32 + 12) & 0xffff, ==, 88);
}

static void
test_receive_full (void)
{
  g_autoptr (Fixture) f = fixture_new (TRUE);

  for (guint i = 0; i < RING - 1; i++)
    deliver (f, TO_US, 64);
  g_assert_cmpuint (get (f, RDH), ==, RING - 1);
  deliver (f, TO_US, 200);
  g_assert_cmpuint (get (f, RDH), ==, RING - 1);
  set (f, RDT, 2);
  test_board_settle (f->board);
  g_assert_cmpuint (get (f, RDH), ==, 0);
  g_assert_cmpuint (peek32 (f, RX_RING + 16 * (RING - 1) + 8) & 0xffff, ==, 200);
  g_assert_cmpuint (net_wire_get_ready (f->wire), ==, 1);
}

static guint
count_received (Fixture *f, const char *to)
{
  guint before = get (f, RDH);

  set (f, RDT, (before + RING - 1) % RING);
  deliver (f, to, 64);
  return (get (f, RDH) + RING - before) % RING;
}

static void
test_filters (void)
{
  g_autoptr (Fixture) f = fixture_new (TRUE);
  const char *group = "\x01\x00\x5e\x00\x00\xfb", *other = "\x52\x54\x00\x00\x00\x01";
  guint hash = (0xfbu << 8 | 0x00u) >> 4 & 0xfff; /* §7.1.1.2, offset 0: bits 47:36 */
  g_autofree guint8 *tagged = make_frame (TO_US, 64);

  g_assert_cmpuint (count_received (f, TO_US), ==, 1);
  g_assert_cmpuint (count_received (f, TO_ALL), ==, 1);
  g_assert_cmpuint (count_received (f, other), ==, 0);
  g_assert_cmpuint (count_received (f, group), ==, 0);
  set (f, MTA + hash / 32 * 4, 1u << hash % 32);
  g_assert_cmpuint (count_received (f, group), ==, 1);
  set (f, RCTL, 0x0400800a); /* promiscuous for stations */
  g_assert_cmpuint (count_received (f, other), ==, 1);
  set (f, RCTL, 0x04000002);
  g_assert_cmpuint (count_received (f, TO_ALL), ==, 0);
  /* VLAN filter, and the tag stripped */
  memcpy (tagged + 12, "\x81\x00\x00\x05", 4);
  set (f, RCTL, 0x04048002);
  set (f, CTRL, get (f, CTRL) | 0x40000000);
  set (f, RDH, 0);
  set (f, RDT, RING - 1);
  net_wire_deliver (f->wire, NULL, tagged, 64);
  g_assert_cmpuint (get (f, RDH), ==, 0);
  set (f, VFTA, 1u << 5);
  net_wire_deliver (f->wire, NULL, tagged, 64);
  g_assert_cmpuint (get (f, RDH), ==, 1);
  g_assert_cmphex (peek32 (f, RX_RING + 12) >> 16, ==, 5);
  g_assert_cmphex (peek32 (f, RX_RING + 12) & 0x8, ==, 0x8);
  g_assert_cmpuint (peek32 (f, RX_RING + 8) & 0xffff, ==, 60);
}

/* §10.2.4.1 */
static void
test_icr (void)
{
  g_autoptr (Fixture) f = fixture_new (TRUE);

  set (f, ICS, ICR_LSC);
  g_assert_cmphex (get (f, ICR), ==, ICR_LSC); /* masked: cleared by reading */
  g_assert_cmphex (get (f, ICR), ==, 0);
  set (f, IMS, ICR_RXT0);
  set (f, ICS, ICR_LSC);
  g_assert_cmphex (get (f, ICR), ==, ICR_LSC); /* not asserted: stays */
  g_assert_cmphex (get (f, ICR), ==, ICR_LSC);
  set (f, ICS, ICR_RXT0);
  g_assert_cmphex (get (f, ICR), ==, ICR_LSC | ICR_RXT0 | ICR_ASSERTED);
  g_assert_cmphex (get (f, ICR), ==, 0);
  set (f, ICS, ICR_LSC | ICR_TXDW);
  set (f, ICR, ICR_LSC);
  g_assert_cmphex (get (f, ICR), ==, ICR_TXDW);
}

static gboolean
intx (Fixture *f)
{
  return (test_pci_read (f->board, DEVFN, 0x06, 2) & 8) != 0;
}

static void
test_intx_and_throttle (void)
{
  g_autoptr (Fixture) f = fixture_new (TRUE);

  set (f, ITR, 1000); /* 256 us */
  set (f, IMS, ICR_LSC);
  test_advance_ns (f->board, 1000000);
  set (f, ICS, ICR_LSC);
  g_assert_true (intx (f));
  get (f, ICR);
  g_assert_false (intx (f));
  set (f, ICS, ICR_LSC);
  g_assert_false (intx (f));
  test_advance_ns (f->board, 255000);
  g_assert_false (intx (f));
  test_advance_ns (f->board, 2000);
  g_assert_true (intx (f));
  set (f, IMC, ICR_LSC);
  g_assert_false (intx (f));
}

static void
test_msix (void)
{
  g_autoptr (Fixture) f = fixture_new (TRUE);

  for (guint i = 0; i < 3; i++)
    {
      test_write (f->board, MSIX_BAR + 16 * i, 4, 0xfee00000);
      test_write (f->board, MSIX_BAR + 16 * i + 4, 4, 0);
      test_write (f->board, MSIX_BAR + 16 * i + 8, 4, 0x40 + i);
      test_write (f->board, MSIX_BAR + 16 * i + 12, 4, 0);
    }
  g_assert_cmphex (test_pci_read (f->board, DEVFN, 0xa0, 1), ==, 0x11);
  g_assert_cmphex (test_pci_read (f->board, DEVFN, 0xa2, 2), ==, 4);
  test_pci_write (f->board, DEVFN, 0xa2, 2, 0x8000);
  /* As Linux: receive 0, transmit 1, other 2 */
  set (f, IVAR, 0x800a0908u);
  set (f, EIAC, ICR_RXQ0 | ICR_TXQ0);
  set (f, IMS, ICR_RXQ0 | ICR_TXQ0 | ICR_OTHER | ICR_LSC);
  deliver (f, TO_US, 64);
  g_assert_cmpuint (test_msi_count (f->board), ==, 1);
  g_assert_cmphex (test_msi_get (f->board, 0).data, ==, 0x40);
  /* The cause cleared itself and masked itself: nothing until the driver allows it again. */
  g_assert_cmphex (get (f, IMS) & ICR_RXQ0, ==, 0);
  deliver (f, TO_US, 64);
  g_assert_cmpuint (test_msi_count (f->board), ==, 1);
  set (f, IMS, ICR_RXQ0);
  g_assert_cmpuint (test_msi_count (f->board), ==, 2);
  vmm_net_set_link (vmm_net_find (f->board->machine, "net0"), FALSE);
  g_assert_cmpuint (test_msi_count (f->board), ==, 3);
  g_assert_cmphex (test_msi_get (f->board, 2).data, ==, 0x42);
  g_assert_cmphex (get (f, ICR) & (ICR_LSC | ICR_OTHER), ==, ICR_LSC | ICR_OTHER);
}

static void
test_reset (void)
{
  g_autoptr (Fixture) f = fixture_new (TRUE);

  set (f, IMS, ICR_RXT0);
  deliver (f, TO_US, 64);
  set (f, CTRL, 0x04000000);
  g_assert_cmphex (get (f, CTRL) & 0x04000000, ==, 0);
  g_assert_cmphex (get (f, RCTL), ==, 0);
  g_assert_cmphex (get (f, IMS), ==, 0);
  g_assert_cmphex (get (f, RAL), ==, 0x12005452);
  g_assert_false (intx (f));
  deliver (f, TO_US, 64);
  g_assert_cmpuint (get (f, RDH), ==, 0);
  test_board_reset (f->board, VMM_RESET_WARM);
  g_assert_cmphex (test_pci_read (f->board, DEVFN, 0x04, 2), ==, 0);
}

/* What was queued while the machine stood still goes out when it goes on. */
static void
test_quiesce (void)
{
  g_autoptr (Fixture) f = fixture_new (TRUE);
  g_autofree guint8 *data = make_frame (TO_ALL, 64);
  g_autofree NetProbeFrame *sent = NULL;

  f->dev->class->quiesce (f->dev);
  test_ram_write (f->board, TX_DATA, data, 64);
  add_tx (f, TX_DATA, 0, 0x0b000000 | 64, 0);
  kick (f);
  deliver (f, TO_US, 64);
  g_assert_cmpuint (get (f, TDH), ==, 0);
  g_assert_cmpuint (get (f, RDH), ==, 0);
  g_assert_cmpuint (test_msi_count (f->board), ==, 0);
  f->dev->class->resume (f->dev);
  sent = net_wire_take (f->wire, TRUE);
  g_assert_nonnull (sent);
  test_board_settle (f->board);
  g_assert_cmpuint (get (f, RDH), ==, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/e1000e/identity", test_identity);
  g_test_add_func ("/e1000e/phy/id-and-link", test_phy);
  g_test_add_func ("/e1000e/semaphore", test_semaphore);
  g_test_add_func ("/e1000e/send/legacy", test_send_legacy);
  g_test_add_func ("/e1000e/send/checksum", test_send_checksum);
  g_test_add_func ("/e1000e/send/segmented", test_send_segmented);
  g_test_add_func ("/e1000e/send/waits-for-the-network", test_send_when_full);
  g_test_add_func ("/e1000e/send/lies", test_send_lies);
  g_test_add_func ("/e1000e/receive/legacy", test_receive);
  g_test_add_func ("/e1000e/receive/extended-over-three-buffers", test_receive_extended);
  g_test_add_func ("/e1000e/receive/waits-for-buffers", test_receive_full);
  g_test_add_func ("/e1000e/receive/filters", test_filters);
  g_test_add_func ("/e1000e/interrupt/cause-register", test_icr);
  g_test_add_func ("/e1000e/interrupt/pin-and-throttle", test_intx_and_throttle);
  g_test_add_func ("/e1000e/interrupt/msix", test_msix);
  g_test_add_func ("/e1000e/reset", test_reset);
  g_test_add_func ("/e1000e/quiesce", test_quiesce);
  return g_test_run ();
}
