/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: Realtek RTL8139C datasheet, and what Linux's driver 8139too does. */
#include "net-probe.h"

#include "core/machine.h"

#include <string.h>

#define DEVFN (2 << 3)
#define BAR 0xe0000000u
#define RING 0x100000u
#define TX_DATA 0x200000u
#define TO_US "\x52\x54\x00\x12\x34\x56"
#define TO_ALL "\xff\xff\xff\xff\xff\xff"

typedef struct {
  TestBoard *board;
  VmmDevice *dev;
  NetWire *wire;
} Fixture;

static guint32
get (Fixture *f, guint reg, guint size)
{
  return (guint32) test_read (f->board, BAR + reg, size);
}

static void
set (Fixture *f, guint reg, guint size, guint32 value)
{
  test_write (f->board, BAR + reg, size, value);
}

static Fixture *
fixture_new (void)
{
  Fixture *f = g_new0 (Fixture, 1);

  f->board = test_board_new ();
  f->dev = test_board_add (f->board, "rtl8139", "net0", "network", "none", "mac", "52:54:00:12:34:56", NULL);
  test_pci_write (f->board, DEVFN, 0x14, 4, BAR);
  test_pci_write (f->board, DEVFN, 0x04, 2, 0x0006);
  f->wire = net_wire_new (f->board, "net0", TRUE);
  test_board_settle (f->board);
  set (f, 0x3e, 2, 0xffff);
  set (f, 0x37, 1, 0x0c);
  set (f, 0x30, 4, RING);
  set (f, 0x44, 4, 0x0000e78a); /* 8139too: no limits, WRAP, broadcasts, our address; 8 KiB ring */
  return f;
}

static void
fixture_free (Fixture *f)
{
  test_board_free (f->board);
  g_free (f);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Fixture, fixture_free)

static guint8 *
make_frame (const char *to, gsize len)
{
  guint8 *frame = g_malloc0 (len);

  memcpy (frame, to, 6);
  for (gsize i = 12; i < len; i++)
    frame[i] = (guint8) (i * 5);
  return frame;
}

static void
deliver (Fixture *f, const char *to, gsize len)
{
  g_autofree guint8 *frame = make_frame (to, len);

  net_wire_deliver (f->wire, NULL, frame, len);
}

/* As 8139too's read_eeprom() does it. */
static guint
read_eeprom (Fixture *f, guint location)
{
  guint command = location | 6u << 6, value = 0;

  set (f, 0x50, 1, 0x80);
  set (f, 0x50, 1, 0x88);
  for (int i = 10; i >= 0; i--)
    {
      guint bit = (command >> i & 1) != 0 ? 0x02 : 0;

      set (f, 0x50, 1, 0x88 | bit);
      set (f, 0x50, 1, 0x8c | bit);
    }
  set (f, 0x50, 1, 0x88);
  for (guint i = 0; i < 16; i++)
    {
      set (f, 0x50, 1, 0x8c);
      value = value << 1 | (get (f, 0x50, 1) & 1);
      set (f, 0x50, 1, 0x88);
    }
  set (f, 0x50, 1, 0);
  return value;
}

static void
test_identity (void)
{
  g_autoptr (Fixture) f = fixture_new ();

  g_assert_cmphex (test_pci_read (f->board, DEVFN, 0, 4), ==, 0x813910ec);
  g_assert_cmphex (test_pci_read (f->board, DEVFN, 8, 1), <, 0x20); /* from 20 on it would be a C+ */
  g_assert_cmphex (get (f, 0x40, 4) & 0x7cc00000, ==, 0x74000000);  /* 8139too: "RTL-8139C" */
  g_assert_cmphex (read_eeprom (f, 0), ==, 0x8129);
  g_assert_cmphex (read_eeprom (f, 7), ==, 0x5452);
  g_assert_cmphex (read_eeprom (f, 8), ==, 0x1200);
  g_assert_cmphex (read_eeprom (f, 9), ==, 0x5634);
  g_assert_cmphex (get (f, 0x00, 4), ==, 0x12005452);
  g_assert_cmphex (get (f, 0x64, 2) & 0x24, ==, 0x24);
}

static void
test_send (void)
{
  g_autoptr (Fixture) f = fixture_new ();
  g_autofree guint8 *data = make_frame (TO_ALL, 300);

  test_ram_write (f->board, TX_DATA, data, 300);
  set (f, 0x3c, 2, 0x0004);
  for (guint i = 0; i < 6; i++)
    {
      g_autofree NetProbeFrame *sent = NULL;

      set (f, 0x20 + i % 4 * 4, 4, TX_DATA);
      set (f, 0x10 + i % 4 * 4, 4, 300);
      sent = net_wire_take (f->wire, TRUE);
      g_assert_nonnull (sent);
      g_assert_cmpmem (sent->data, sent->len, data, 300);
      test_board_settle (f->board);
      g_assert_cmphex (get (f, 0x10 + i % 4 * 4, 4), ==, 0xa000 | 300); /* OWN, TOK */
      g_assert_cmphex (get (f, 0x60, 2) & 0x1001 << i % 4, ==, 0x1001 << i % 4);
      g_assert_cmphex (get (f, 0x3e, 2), ==, 0x0004);
      g_assert_cmphex (test_pci_read (f->board, DEVFN, 6, 2) & 8, ==, 8);
      set (f, 0x3e, 2, 0x0004);
      g_assert_cmphex (test_pci_read (f->board, DEVFN, 6, 2) & 8, ==, 0);
    }
}

static void
test_send_full_and_lies (void)
{
  g_autoptr (Fixture) f = fixture_new ();
  g_autofree NetProbeFrame *sent = NULL;

  net_wire_set_full (f->wire, TRUE);
  set (f, 0x20, 4, TX_DATA);
  set (f, 0x10, 4, 60);
  test_board_settle (f->board);
  g_assert_cmphex (get (f, 0x10, 4), ==, 60);
  net_wire_set_full (f->wire, FALSE);
  sent = net_wire_take (f->wire, TRUE);
  g_assert_nonnull (sent);
  set (f, 0x24, 4, 0xf0000000);
  set (f, 0x14, 4, 60);
  test_board_settle (f->board);
  g_assert_cmphex (get (f, 0x14, 4) & 0x40002000, ==, 0x40002000); /* TABT, OWN */
  g_assert_cmphex (get (f, 0x3e, 2) & 0x0008, ==, 0x0008);
  g_assert_null (net_wire_take (f->wire, FALSE));
}

static void
test_receive (void)
{
  g_autoptr (Fixture) f = fixture_new ();
  g_autofree guint8 *frame = make_frame (TO_US, 100);
  guint8 got[104];

  g_assert_cmphex (get (f, 0x37, 1) & 1, ==, 1); /* empty */
  deliver (f, TO_US, 100);
  g_assert_cmphex (get (f, 0x37, 1) & 1, ==, 0);
  g_assert_cmphex (get (f, 0x3e, 2), ==, 0x0001);
  test_ram_read (f->board, RING, got, sizeof got);
  g_assert_cmphex (got[0] | got[1] << 8, ==, 0x4001);
  g_assert_cmpuint (got[2] | got[3] << 8, ==, 104); /* with its check sequence */
  g_assert_cmpmem (got + 4, 100, frame, 100);
  g_assert_cmpuint (get (f, 0x3a, 2), ==, 108);
  set (f, 0x38, 2, 108 - 16);
  g_assert_cmphex (get (f, 0x37, 1) & 1, ==, 1);
  deliver (f, "\x52\x54\x00\x00\x00\x01", 100);
  g_assert_cmphex (get (f, 0x37, 1) & 1, ==, 1); /* not for us */
  deliver (f, TO_ALL, 20);
  test_ram_read (f->board, RING + 108, got, 4);
  g_assert_cmphex (got[0] | got[1] << 8, ==, 0x2001);
  g_assert_cmpuint (got[2], ==, 64);
}

static void
test_receive_full (void)
{
  g_autoptr (Fixture) f = fixture_new ();
  guint8 got[4];

  for (guint i = 0; i < 6; i++)
    deliver (f, TO_US, 1514);
  g_assert_cmpuint (get (f, 0x3a, 2), ==, 5 * 1524); /* the sixth waits */
  set (f, 0x38, 2, 5 * 1524 - 16);
  test_board_settle (f->board);
  g_assert_cmpuint (get (f, 0x3a, 2), ==, (6 * 1524) % 8192);
  test_ram_read (f->board, RING + 5 * 1524, got, sizeof got);
  g_assert_cmpuint (got[2] | got[3] << 8, ==, 1518);
}

/* Linux: ether_crc (ETH_ALEN, 33:33:00:00:00:01) >> 26 */
static void
test_multicast (void)
{
  g_autoptr (Fixture) f = fixture_new ();

  set (f, 0x44, 4, 0x0000e78e);
  deliver (f, "\x33\x33\x00\x00\x00\x01", 60);
  g_assert_cmphex (get (f, 0x37, 1) & 1, ==, 1);
  set (f, 0x08, 4, 0xffffffff);
  set (f, 0x0c, 4, 0xffffffff);
  deliver (f, "\x33\x33\x00\x00\x00\x01", 60);
  g_assert_cmphex (get (f, 0x37, 1) & 1, ==, 0);
}

static void
test_timer (void)
{
  g_autoptr (Fixture) f = fixture_new ();

  set (f, 0x48, 4, 0);
  test_advance_ns (f->board, 1000000);
  g_assert_cmpuint (get (f, 0x48, 4), ==, 33000);
  set (f, 0x54, 4, 66000);
  g_assert_cmphex (get (f, 0x3e, 2), ==, 0);
  test_advance_ns (f->board, 1001000);
  g_assert_cmphex (get (f, 0x3e, 2), ==, 0x4000);
}

static void
test_reset (void)
{
  g_autoptr (Fixture) f = fixture_new ();

  deliver (f, TO_US, 60);
  set (f, 0x37, 1, 0x10);
  g_assert_cmphex (get (f, 0x37, 1), ==, 0x01);
  g_assert_cmphex (get (f, 0x10, 4), ==, 0x2000);
  g_assert_cmphex (get (f, 0x3e, 2), ==, 0);
  g_assert_cmphex (get (f, 0x00, 4), ==, 0x12005452);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rtl8139/identity-and-eeprom", test_identity);
  g_test_add_func ("/rtl8139/send/in-turn", test_send);
  g_test_add_func ("/rtl8139/send/full-and-lies", test_send_full_and_lies);
  g_test_add_func ("/rtl8139/receive/ring", test_receive);
  g_test_add_func ("/rtl8139/receive/waits-for-room", test_receive_full);
  g_test_add_func ("/rtl8139/receive/multicast", test_multicast);
  g_test_add_func ("/rtl8139/timer", test_timer);
  g_test_add_func ("/rtl8139/reset", test_reset);
  return g_test_run ();
}
