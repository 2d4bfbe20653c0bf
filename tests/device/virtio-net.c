/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: VIRTIO 1.2 §5.1. */
#include "net-probe.h"
#include "virtio-host.h"

#include "core/machine.h"

#include <string.h>

#define BAR 0xe0000000u
#define DATA 0x200000u
#define RX_DATA 0x300000u
#define RX 0
#define TX 1
#define CTRL 2

#define F(bit) (G_GUINT64_CONSTANT (1) << (bit))
#define F_CSUM F (0)
#define F_GUEST_CSUM F (1)
#define F_GUEST_OFFLOADS F (2)
#define F_GUEST_TSO4 F (7)
#define F_HOST_TSO4 F (11)
#define F_MRG F (15)
#define F_STATUS F (16)
#define F_CTRL F (17)
#define F_CTRL_RX F (18)
#define F_CTRL_VLAN F (19)
#define F_CTRL_MAC F (23)

static const guint8 mac[] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };

typedef struct {
  TestBoard *board;
  VirtioHost host;
  NetWire *wire;
} Fixture;

static Fixture *
fixture_new (guint64 features)
{
  Fixture *f = g_new0 (Fixture, 1);

  f->board = test_board_new ();
  test_board_add (f->board, "virtio-net", "net0", "network", "none", "mac", "52:54:00:12:34:56", NULL);
  f->wire = net_wire_new (f->board, "net0", TRUE);
  test_board_settle (f->board);
  virtio_host_init (&f->host, f->board, 2 << 3, BAR);
  virtio_host_start (&f->host, features, 64, TRUE);
  return f;
}

static void
fixture_free (Fixture *f)
{
  test_board_free (f->board);
  g_free (f);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Fixture, fixture_free)

static guint8
config8 (Fixture *f, guint offset)
{
  return (guint8) test_read (f->board, f->host.device + offset, 1);
}

static void
give_rx (Fixture *f, guint n, guint32 len)
{
  for (guint i = 0; i < n; i++)
    {
      const VirtioHostPiece piece = { RX_DATA + f->host.queues[RX].avail_idx * 0x10000u, len };

      virtio_host_add (&f->host, RX, &piece, 0, 1);
    }
  virtio_host_kick (&f->host, RX);
  test_board_settle (f->board);
}

static void
send (Fixture *f, const VmmNetHeader *header, gconstpointer data, guint32 len)
{
  const VirtioHostPiece pieces[] = { { DATA, 12 }, { DATA + 0x100, len } };
  guint8 raw[12] = { 0 };

  if (header != NULL)
    memcpy (raw, header, sizeof *header);
  test_ram_write (f->board, DATA, raw, sizeof raw);
  test_ram_write (f->board, DATA + 0x100, data, len);
  g_assert_cmpuint (virtio_host_do (&f->host, TX, pieces, 2, 0), ==, 0);
}

static guint8
command (Fixture *f, guint8 class, guint8 cmd, gconstpointer data, guint32 len)
{
  const VirtioHostPiece pieces[] = { { DATA, 2 }, { DATA + 0x100, len }, { DATA + 0x8000, 1 } };
  guint8 raw[2] = { class, cmd }, ack = 0xff;

  test_ram_write (f->board, DATA, raw, 2);
  test_ram_write (f->board, DATA + 0x100, data, len);
  test_ram_write (f->board, DATA + 0x8000, &ack, 1);
  g_assert_cmpuint (virtio_host_do (&f->host, CTRL, pieces, 2, 1), ==, 1);
  test_ram_read (f->board, DATA + 0x8000, &ack, 1);
  return ack;
}

static void
deliver (Fixture *f, const guint8 *to, gsize len)
{
  g_autofree guint8 *frame = g_malloc0 (len);

  memcpy (frame, to, 6);
  frame[12] = 0x08;
  for (gsize i = 14; i < len; i++)
    frame[i] = (guint8) (i * 3);
  net_wire_deliver (f->wire, NULL, frame, len);
}

static void
test_identity (void)
{
  g_autoptr (Fixture) f = fixture_new (F_STATUS);

  g_assert_cmphex (test_pci_read (f->board, 2 << 3, 0x00, 4), ==, 0x10411af4);
  for (guint i = 0; i < 6; i++)
    g_assert_cmphex (config8 (f, i), ==, mac[i]);
  g_assert_cmphex (config8 (f, 6), ==, 1); /* link is up */
  g_assert_cmpuint (f->host.n_queues, ==, 3);
}

static void
test_send (void)
{
  g_autoptr (Fixture) f = fixture_new (F_CSUM | F_HOST_TSO4);
  const VmmNetHeader header = { .flags = VMM_NET_NEEDS_CSUM,
                                .gso_type = VMM_NET_GSO_TCP4,
                                .gso_size = 1000,
                                .csum_start = 34,
                                .csum_offset = 16 };
  guint8 data[4000] = { 1, 2, 3 };
  NetProbeFrame *sent;

  send (f, NULL, data, 60);
  sent = net_wire_take (f->wire, TRUE);
  g_assert_nonnull (sent);
  g_assert_cmpmem (sent->data, sent->len, data, 60);
  g_free (sent);
  send (f, &header, data, sizeof data);
  sent = net_wire_take (f->wire, TRUE);
  g_assert_nonnull (sent);
  g_assert_cmpuint (sent->len, ==, sizeof data);
  g_assert_cmpmem (&sent->header, sizeof header, &header, sizeof header);
  g_free (sent);
}

/* §5.1.6.2: flags and segmentation only as agreed on. */
static void
test_send_not_agreed (void)
{
  g_autoptr (Fixture) f = fixture_new (0);
  const VmmNetHeader header = { .flags = VMM_NET_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16 };
  const VirtioHostPiece piece = { DATA, 5 };
  guint8 data[100] = { 0 };

  send (f, &header, data, sizeof data);
  g_assert_cmpuint (virtio_host_do (&f->host, TX, &piece, 1, 0), ==, 0); /* not even a header */
  g_assert_null (net_wire_take (f->wire, FALSE));
}

static void
test_send_when_full (void)
{
  g_autoptr (Fixture) f = fixture_new (0);
  const VirtioHostPiece piece = { DATA, 12 + 60 };
  g_autofree NetProbeFrame *sent = NULL;

  net_wire_set_full (f->wire, TRUE);
  virtio_host_add (&f->host, TX, &piece, 1, 0);
  virtio_host_kick (&f->host, TX);
  g_usleep (20000);
  test_board_settle (f->board);
  g_assert_cmpuint (virtio_host_used_idx (&f->host, TX), ==, 0);
  net_wire_set_full (f->wire, FALSE);
  virtio_host_take (&f->host, TX, NULL);
  sent = net_wire_take (f->wire, TRUE);
  g_assert_nonnull (sent);
}

static void
test_receive (void)
{
  g_autoptr (Fixture) f = fixture_new (0);
  guint8 header[12], got[100];

  give_rx (f, 2, 2048);
  deliver (f, mac, 100);
  g_assert_cmpuint (virtio_host_take (&f->host, RX, NULL), ==, 112);
  test_ram_read (f->board, RX_DATA, header, sizeof header);
  g_assert_cmphex (header[0], ==, 0);
  g_assert_cmpuint (header[10], ==, 1); /* num_buffers */
  test_ram_read (f->board, RX_DATA + 12, got, sizeof got);
  g_assert_cmpmem (got, 6, mac, 6);
  g_assert_cmphex (got[99], ==, (guint8) (99 * 3));
  /* Larger than the buffer, which cannot be merged: lost, and the buffer stays. */
  deliver (f, mac, 3000);
  deliver (f, mac, 60);
  g_assert_cmpuint (virtio_host_take (&f->host, RX, NULL), ==, 72);
}

static void
test_receive_merged (void)
{
  g_autoptr (Fixture) f = fixture_new (F_MRG);
  guint8 count, got[512];

  give_rx (f, 2, 512);
  deliver (f, mac, 1400); /* needs three */
  g_assert_cmpuint (virtio_host_used_idx (&f->host, RX), ==, 0);
  give_rx (f, 2, 512);
  g_assert_cmpuint (virtio_host_take (&f->host, RX, NULL), ==, 512);
  g_assert_cmpuint (virtio_host_take (&f->host, RX, NULL), ==, 512);
  g_assert_cmpuint (virtio_host_take (&f->host, RX, NULL), ==, 1412 - 1024);
  test_ram_read (f->board, RX_DATA + 10, &count, 1);
  g_assert_cmpuint (count, ==, 3);
  test_ram_read (f->board, RX_DATA + 0x10000, got, sizeof got);
  g_assert_cmphex (got[0], ==, (guint8) (500 * 3));
}

static void
test_receive_offloads (void)
{
  g_autoptr (Fixture) f = fixture_new (F_MRG | F_GUEST_CSUM | F_GUEST_TSO4 | F_CTRL | F_GUEST_OFFLOADS);
  const VmmNetHeader header = { .flags = VMM_NET_NEEDS_CSUM,
                                .gso_type = VMM_NET_GSO_TCP4,
                                .header_len = 54,
                                .gso_size = 1000,
                                .csum_start = 34,
                                .csum_offset = 16 };
  guint8 frame[54 + 3000] = { 0 }, raw[12];
  guint64 none = 0, too_many = F_GUEST_TSO4 | F (8);

  memcpy (frame, mac, 6);
  memcpy (frame + 12, "\x08\x00\x45", 3);
  frame[23] = 6;
  frame[46] = 0x50;
  give_rx (f, 8, 8192);
  net_wire_deliver (f->wire, &header, frame, sizeof frame);
  g_assert_cmpuint (virtio_host_take (&f->host, RX, NULL), ==, 12 + sizeof frame);
  test_ram_read (f->board, RX_DATA, raw, sizeof raw);
  g_assert_cmpmem (raw, sizeof header, &header, sizeof header);
  /* The driver takes less from now on (§5.1.6.5.7.1): cut for it. */
  g_assert_cmpuint (command (f, 5, 0, &too_many, 8), ==, 1);
  g_assert_cmpuint (command (f, 5, 0, &none, 8), ==, 0);
  net_wire_deliver (f->wire, &header, frame, sizeof frame);
  for (guint i = 0; i < 3; i++)
    g_assert_cmpuint (virtio_host_take (&f->host, RX, NULL), ==, 12 + 1054);
}

static guint
received (Fixture *f, const char *to)
{
  guint before = virtio_host_used_idx (&f->host, RX), after;

  deliver (f, (const guint8 *) to, 60);
  after = virtio_host_used_idx (&f->host, RX);
  return after - before;
}

static void
test_filters (void)
{
  g_autoptr (Fixture) f = fixture_new (F_CTRL | F_CTRL_RX | F_CTRL_MAC);
  const char *other = "\x52\x54\x00\x00\x00\x01", *group = "\x33\x33\x00\x00\x00\x01", *all = "\xff\xff\xff\xff\xff\xff";
  const guint8 table[] = { 1, 0, 0, 0, 0x52, 0x54, 0, 0, 0, 1, 1, 0, 0, 0, 0x33, 0x33, 0, 0, 0, 1 };
  const guint8 empty[8] = { 0 }, lie[] = { 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0 };
  guint8 off = 0, on = 1;

  give_rx (f, 32, 2048);
  g_assert_cmpuint (received (f, other), ==, 1); /* everything until the driver says */
  g_assert_cmpuint (command (f, 0, 0, &off, 1), ==, 0);
  g_assert_cmpuint (received (f, other), ==, 0);
  g_assert_cmpuint (received (f, group), ==, 0);
  g_assert_cmpuint (received (f, (const char *) mac), ==, 1);
  g_assert_cmpuint (received (f, all), ==, 1);
  g_assert_cmpuint (command (f, 1, 0, table, sizeof table), ==, 0);
  g_assert_cmpuint (received (f, other), ==, 1);
  g_assert_cmpuint (received (f, group), ==, 1);
  g_assert_cmpuint (command (f, 1, 0, lie, sizeof lie), ==, 1);
  g_assert_cmpuint (received (f, other), ==, 1);
  g_assert_cmpuint (command (f, 1, 0, empty, sizeof empty), ==, 0);
  g_assert_cmpuint (received (f, other), ==, 0);
  g_assert_cmpuint (command (f, 0, 1, &on, 1), ==, 0); /* all groups */
  g_assert_cmpuint (received (f, group), ==, 1);
  g_assert_cmpuint (command (f, 1, 1, other, 6), ==, 0);
  g_assert_cmpuint (received (f, other), ==, 1);
  g_assert_cmphex (config8 (f, 5), ==, 1);
  g_assert_cmpuint (command (f, 9, 9, &on, 1), ==, 1);
}

static void
test_link (void)
{
  g_autoptr (Fixture) f = fixture_new (F_STATUS);
  guint before = test_msi_count (f->board);

  vmm_net_set_link (vmm_net_find (f->board->machine, "net0"), FALSE);
  g_assert_cmphex (config8 (f, 6), ==, 0);
  g_assert_cmpuint (test_msi_count (f->board), ==, before + 1);
  g_assert_cmphex (test_msi_get (f->board, before).data, ==, 0x40); /* configuration */
  vmm_net_set_link (vmm_net_find (f->board->machine, "net0"), TRUE);
  g_assert_cmphex (config8 (f, 6), ==, 1);
}

static void
test_reset (void)
{
  g_autoptr (Fixture) f = fixture_new (F_CTRL | F_CTRL_RX | F_CTRL_MAC);
  guint8 off = 0;

  g_assert_cmpuint (command (f, 0, 0, &off, 1), ==, 0);
  g_assert_cmpuint (command (f, 1, 1, "\x02\x00\x00\x00\x00\x01", 6), ==, 0);
  virtio_host_set (&f->host, 0x14, 1, 0);
  deliver (f, mac, 60); /* nobody takes it, nobody keeps it */
  virtio_host_start (&f->host, 0, 64, TRUE);
  g_assert_cmphex (config8 (f, 5), ==, 0x56);
  give_rx (f, 1, 2048);
  g_assert_cmpuint (virtio_host_used_idx (&f->host, RX), ==, 0);
  g_assert_cmpuint (received (f, "\x52\x54\x00\x00\x00\x01"), ==, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/virtio-net/identity", test_identity);
  g_test_add_func ("/virtio-net/send/with-and-without-header", test_send);
  g_test_add_func ("/virtio-net/send/what-was-not-agreed-on", test_send_not_agreed);
  g_test_add_func ("/virtio-net/send/waits-for-the-network", test_send_when_full);
  g_test_add_func ("/virtio-net/receive/plain", test_receive);
  g_test_add_func ("/virtio-net/receive/merged", test_receive_merged);
  g_test_add_func ("/virtio-net/receive/offloads", test_receive_offloads);
  g_test_add_func ("/virtio-net/control/filters", test_filters);
  g_test_add_func ("/virtio-net/link", test_link);
  g_test_add_func ("/virtio-net/reset", test_reset);
  return g_test_run ();
}
