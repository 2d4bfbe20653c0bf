/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What every NIC's connection does: link, rate, capture, checksums and segmentation in software. */
#include "net-probe.h"

#include <glib/gstdio.h>
#include <string.h>

#define MS (1000 * 1000)

typedef struct {
  TestBoard *board;
  VmmDevice *nic;
  NetWire *wire;
} Fixture;

static Fixture *
fixture_new (const char *key, const char *value)
{
  Fixture *f = g_new0 (Fixture, 1);

  f->board = test_board_new ();
  f->nic = net_probe_add (f->board, "net0", "network", "none", key, value, NULL);
  f->wire = net_wire_new (f->board, "net0", FALSE);
  return f;
}

static void
fixture_free (Fixture *f)
{
  test_board_free (f->board);
  g_free (f);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Fixture, fixture_free)

static gboolean
send_bytes (Fixture *f, gsize len)
{
  g_autofree guint8 *frame = g_malloc0 (len);

  return net_probe_send (f->nic, NULL, frame, len);
}

static guint
count_sent (Fixture *f)
{
  guint n = 0;

  for (;; n++)
    {
      g_autofree NetProbeFrame *frame = net_wire_take (f->wire, FALSE);

      if (frame == NULL)
        return n;
    }
}

static void
test_link (void)
{
  g_autoptr (Fixture) f = fixture_new ("link", "false");
  VmmNet *net = net_probe_get_net (f->nic);
  g_autofree NetProbeFrame *got = NULL;

  g_assert_false (vmm_net_get_link (net));
  g_assert_true (send_bytes (f, 64)); /* lost, not held */
  net_wire_deliver (f->wire, NULL, "0123456789abcdef", 16);
  g_assert_cmpuint (count_sent (f), ==, 0);
  vmm_net_set_link (net, TRUE);
  g_assert_true (vmm_net_get_link (net));
  g_assert_true (send_bytes (f, 64));
  g_assert_cmpuint (count_sent (f), ==, 1);
  net_wire_deliver (f->wire, NULL, "0123456789abcdeX", 16);
  got = net_probe_take (f->board, f->nic, TRUE);
  g_assert_nonnull (got);
  g_assert_cmpmem (got->data, got->len, "0123456789abcdeX", 16);
  vmm_net_attach (net, NULL, NULL); /* no network: no link */
  g_assert_false (vmm_net_get_link (net));
}

/* 800 kbit/s are 100 bytes a millisecond. */
static void
test_rate (void)
{
  g_autoptr (Fixture) f = fixture_new ("rate-limit", "800");
  guint sent = 0, times = 0;

  while (send_bytes (f, 1000))
    g_assert_cmpuint (++sent, <, 100);
  g_assert_cmpuint (sent, <=, 5);
  for (guint ms = 0; ms < 1000; ms += 5)
    {
      test_advance_ns (f->board, 5 * MS);
      test_board_settle (f->board);
      if (net_probe_get_writable (f->nic) == times)
        continue;
      times = net_probe_get_writable (f->nic);
      while (send_bytes (f, 1000))
        g_assert_cmpuint (++sent, <, 1000);
    }
  g_assert_cmpuint (sent, >=, 95);
  g_assert_cmpuint (sent, <=, 108);
}

static void
test_receive_rate (void)
{
  g_autoptr (Fixture) f = fixture_new ("rate-limit", "800");
  g_autofree guint8 *data = g_malloc0 (1000);
  guint got = 0;

  for (guint i = 0; i < 40; i++)
    net_wire_deliver (f->wire, NULL, data, 1000);
  for (guint ms = 0; ms < 200; ms += 5)
    {
      for (NetProbeFrame *frame; (frame = net_probe_take (f->board, f->nic, FALSE)) != NULL; got++)
        g_free (frame);
      test_advance_ns (f->board, 5 * MS);
      test_board_settle (f->board);
    }
  g_assert_cmpuint (got, >=, 17);
  g_assert_cmpuint (got, <=, 26);
}

static void
test_capture (void)
{
  g_autofree char *dir = g_dir_make_tmp ("lodge-net-XXXXXX", NULL), *path = g_build_filename (dir, "net.pcap", NULL);
  Fixture *f = fixture_new ("capture", path);
  g_autofree char *content = NULL;
  guint8 sent[60], received[100];
  guint32 words[4];
  guint16 version[2];
  gsize len;

  memset (sent, 0x11, sizeof sent);
  memset (received, 0x22, sizeof received);
  g_assert_true (net_probe_send (f->nic, NULL, sent, sizeof sent));
  net_wire_deliver (f->wire, NULL, received, sizeof received);
  fixture_free (f);
  g_assert_true (g_file_get_contents (path, &content, &len, NULL));
  g_assert_cmpuint (len, ==, 24 + 16 + sizeof sent + 16 + sizeof received);
  memcpy (words, content, 4);
  g_assert_cmphex (words[0], ==, 0xa1b2c3d4);
  memcpy (version, content + 4, 4);
  g_assert_cmpuint (version[0], ==, 2);
  g_assert_cmpuint (version[1], ==, 4);
  memcpy (words, content + 20, 4);
  g_assert_cmpuint (words[0], ==, 1); /* Ethernet */
  memcpy (words, content + 24, 16);
  g_assert_cmpuint (words[2], ==, sizeof sent);
  g_assert_cmpuint (words[3], ==, sizeof sent);
  g_assert_cmpmem (content + 40, sizeof sent, sent, sizeof sent);
  memcpy (words, content + 40 + sizeof sent, 16);
  g_assert_cmpuint (words[2], ==, sizeof received);
  g_assert_cmpmem (content + 56 + sizeof sent, sizeof received, received, sizeof received);
  g_unlink (path);
  g_rmdir (dir);
}

static void
test_checksum (void)
{
  g_autoptr (Fixture) f = fixture_new ("link", "true");
  /* UDP 10.0.2.15:1000 -> 10.0.2.2:2000 "hi", the field holding the pseudo header's sum:
   * 0a00 + 020f + 0a00 + 0202 + 0011 + 000a = 182c */
  guint8 frame[60] = "\x52\x55\x0a\x00\x02\x02\x52\x54\x00\x12\x34\x56\x08\x00\x45\x00\x00\x1e\x00\x00\x00\x00\x40\x11\x62\xa1"
                     "\x0a\x00\x02\x0f\x0a\x00\x02\x02\x03\xe8\x07\xd0\x00\x0a\x18\x2chi";
  const VmmNetHeader header = { .flags = VMM_NET_NEEDS_CSUM, .csum_start = 34, .csum_offset = 6 };
  VmmNetHeader wrong = header;
  g_autofree NetProbeFrame *sent = NULL;

  g_assert_true (net_probe_send (f->nic, &header, frame, 44));
  sent = net_wire_take (f->wire, TRUE);
  g_assert_nonnull (sent);
  g_assert_false (sent->has_header);
  /* 182c + 03e8 + 07d0 + 000a + 6869 = 8c57; its complement 73a8 */
  g_assert_cmphex (sent->data[40] << 8 | sent->data[41], ==, 0x73a8);
  /* A field outside of the frame: nothing is sent, nothing is read beyond. */
  wrong.csum_offset = 0xfff0;
  g_assert_true (net_probe_send (f->nic, &wrong, frame, 44));
  wrong = (VmmNetHeader) { .flags = VMM_NET_NEEDS_CSUM, .gso_type = VMM_NET_GSO_TCP4, .gso_size = 1, .csum_start = 34 };
  g_assert_true (net_probe_send (f->nic, &wrong, frame, 44));
  wrong.csum_start = 0xffff;
  g_assert_true (net_probe_send (f->nic, &wrong, frame, 44));
  g_assert_cmpuint (count_sent (f), ==, 0);
}

static void
test_segments_wait (void)
{
  g_autoptr (Fixture) f = fixture_new ("link", "true");
  const VmmNetHeader header = { .flags = VMM_NET_NEEDS_CSUM,
                                .gso_type = VMM_NET_GSO_TCP6,
                                .gso_size = 1000,
                                .csum_start = 54,
                                .csum_offset = 16 };
  guint8 frame[74 + 3000] = { 0 };

  memcpy (frame + 12, "\x86\xdd\x60", 3);
  frame[20] = 6;
  frame[66] = 0x50;
  net_wire_set_full (f->wire, TRUE);
  g_assert_true (net_probe_send (f->nic, &header, frame, sizeof frame)); /* taken whole */
  g_assert_false (send_bytes (f, 64));                                   /* what follows waits */
  g_assert_cmpuint (count_sent (f), ==, 0);
  net_wire_set_full (f->wire, FALSE);
  g_assert_cmpuint (count_sent (f), ==, 3);
  g_assert_cmpuint (net_probe_get_writable (f->nic), ==, 1);
}

static void
test_mac (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  VmmDevice *first = net_probe_add (board, "net0", "network", "none", NULL);
  VmmDevice *second = net_probe_add (board, "net1", "network", "none", NULL);
  const guint8 *a = vmm_net_get_mac (net_probe_get_net (first)), *b = vmm_net_get_mac (net_probe_get_net (second));

  g_assert_cmpmem (a, 3, "\x52\x54\x00", 3);
  g_assert_true (memcmp (a, b, 6) != 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/net/link", test_link);
  g_test_add_func ("/net/rate/sending", test_rate);
  g_test_add_func ("/net/rate/receiving", test_receive_rate);
  g_test_add_func ("/net/capture/is-read-back", test_capture);
  g_test_add_func ("/net/checksum", test_checksum);
  g_test_add_func ("/net/segments-wait-for-the-network", test_segments_wait);
  g_test_add_func ("/net/mac/made", test_mac);
  return g_test_run ();
}
