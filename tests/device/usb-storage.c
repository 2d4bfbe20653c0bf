/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: Bulk-Only Transport 1.0 (sections named), SPC-4, SBC-3; the sequences are those of Linux' usb-storage and SeaBIOS. */
#include "xhci-host.h"

#include <glib/gstdio.h>
#include <string.h>

#define SECTORS 8192u
#define IN 3  /* DCI of endpoint 81 */
#define OUT 4 /* of endpoint 02 */
#define WRAPPER (XHCI_HOST_DATA + 0x800000u)

typedef struct {
  TestBoard *board;
  XhciHost *host;
  char *path;
  guint slot;
} Fixture;

static guint8
pattern (guint64 byte)
{
  return (guint8) (byte ^ byte >> 9 ^ byte >> 17);
}

static void
start (Fixture *f, guint port, guint route)
{
  f->slot = xhci_host_address (f->host, port, route);
  g_assert_cmpuint (f->slot, !=, 0);
  g_assert_cmpuint (xhci_host_add_endpoint (f->host, f->slot, IN, 6, port <= 4 ? 1024 : 512), ==, 1);
  g_assert_cmpuint (xhci_host_add_endpoint (f->host, f->slot, OUT, 2, port <= 4 ? 1024 : 512), ==, 1);
  g_assert_cmpuint (xhci_host_control (f->host, f->slot, 0x00, 9, 1, 0, 0, NULL), ==, 1);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  g_autofree guint8 *bytes = g_malloc (SECTORS * 512);

  for (gsize i = 0; i < SECTORS * 512; i++)
    bytes[i] = pattern (i);
  f->path = g_build_filename (g_get_tmp_dir (), "lodge-usb-XXXXXX", NULL);
  g_close (g_mkstemp (f->path), NULL);
  g_assert_true (g_file_set_contents (f->path, (const char *) bytes, SECTORS * 512, NULL));
  f->board = test_board_new ();
  f->host = xhci_host_new (f->board);
  if (data != NULL)
    test_board_add (f->board, "usb-hub", "hub0", "port", "2", NULL);
  test_board_add (f->board, "usb-storage", "stick0", "image", f->path, "port", data != NULL ? "2.3" : "1", "serial", "0123456789AB",
                  NULL);
  xhci_host_start (f->host);
  if (data == NULL)
    start (f, 1, 0);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  test_board_free (f->board);
  xhci_host_free (f->host);
  g_unlink (f->path);
  g_free (f->path);
}

/* The command wrapper. Returns: completion code. */
static guint
send_command (Fixture *f, const guint8 *cdb, guint cdb_len, guint32 len, gboolean in)
{
  guint8 cbw[31] = { 'U', 'S', 'B', 'C', 0x11, 0x22, 0x33, 0x44 };

  for (guint i = 0; i < 4; i++)
    cbw[8 + i] = (guint8) (len >> 8 * i);
  cbw[12] = in ? 0x80 : 0;
  cbw[14] = (guint8) cdb_len;
  memcpy (cbw + 15, cdb, cdb_len);
  test_ram_write (f->board, WRAPPER, cbw, sizeof cbw);
  return xhci_host_transfer (f->host, f->slot, OUT, WRAPPER, sizeof cbw, NULL);
}

/* Returns: bCSWStatus */
static guint
get_status (Fixture *f, guint32 *ret_residue)
{
  guint8 csw[13];
  guint len;

  g_assert_cmpuint (xhci_host_transfer (f->host, f->slot, IN, WRAPPER + 64, 13, &len), ==, 1);
  g_assert_cmpuint (len, ==, 13);
  test_ram_read (f->board, WRAPPER + 64, csw, 13);
  g_assert_cmpint (memcmp (csw, "USBS\x11\x22\x33\x44", 8), ==, 0);
  if (ret_residue != NULL)
    *ret_residue = csw[8] | (guint32) csw[9] << 8 | (guint32) csw[10] << 16 | (guint32) csw[11] << 24;
  return csw[12];
}

static guint
run (Fixture *f, const guint8 *cdb, guint cdb_len, guint32 len, gboolean in, guint *ret_moved)
{
  guint moved = 0, code;

  g_assert_cmpuint (send_command (f, cdb, cdb_len, len, in), ==, 1);
  if (len > 0)
    {
      code = xhci_host_transfer (f->host, f->slot, in ? IN : OUT, XHCI_HOST_DATA, len, &moved);
      if (code == 6) /* as Linux does: clear the halt on both sides */
        {
          xhci_host_recover (f->host, f->slot, in ? IN : OUT);
          g_assert_cmpuint (xhci_host_control (f->host, f->slot, 0x02, 1, 0, in ? 0x81 : 0x02, 0, NULL), ==, 1);
        }
    }
  if (ret_moved != NULL)
    *ret_moved = moved;
  return get_status (f, NULL);
}

static guint
sense (Fixture *f)
{
  static const guint8 cdb[6] = { 0x03, 0, 0, 0, 18, 0 };
  guint8 bytes[18];

  g_assert_cmpuint (run (f, cdb, 6, 18, TRUE, NULL), ==, 0);
  test_ram_read (f->board, XHCI_HOST_DATA, bytes, 18);
  return (guint) (bytes[2] & 15) << 16 | (guint) bytes[12] << 8 | bytes[13];
}

static void
assert_pattern (Fixture *f, guint64 gpa, gsize len, guint64 image_offset)
{
  g_autofree guint8 *bytes = g_malloc (len);

  test_ram_read (f->board, gpa, bytes, len);
  for (gsize i = 0; i < len; i++)
    if (bytes[i] != pattern (image_offset + i))
      g_error ("byte %zu is %02x, not %02x", i, bytes[i], pattern (image_offset + i));
}

static void
test_identity (Fixture *f, gconstpointer data)
{
  static const guint8 inquiry[6] = { 0x12, 0, 0, 0, 36, 0 }, ready[6] = { 0 };
  guint8 bytes[64];
  guint len;

  g_assert_cmpuint (xhci_host_control (f->host, f->slot, 0x80, 6, 0x0100, 0, 18, NULL), ==, 1);
  test_ram_read (f->board, XHCI_HOST_DATA, bytes, 18);
  g_assert_cmphex (bytes[3], ==, 3); /* USB 3 */
  g_assert_cmphex (bytes[7], ==, 9);
  g_assert_cmpuint (xhci_host_control (f->host, f->slot, 0x80, 6, 0x0303, 0x0409, 64, &len), ==, 1);
  g_assert_cmpuint (len, ==, 2 + 2 * 12);
  test_ram_read (f->board, XHCI_HOST_DATA, bytes, len);
  g_assert_cmpint (bytes[2], ==, '0');
  g_assert_cmpint (bytes[24], ==, 'B');
  g_assert_cmpuint (xhci_host_control (f->host, f->slot, 0xa1, 0xfe, 0, 0, 1, NULL), ==, 1);
  test_ram_read (f->board, XHCI_HOST_DATA, bytes, 1);
  g_assert_cmpuint (bytes[0], ==, 0);
  g_assert_cmpuint (run (f, inquiry, 6, 36, TRUE, &len), ==, 0);
  g_assert_cmpuint (len, ==, 36);
  test_ram_read (f->board, XHCI_HOST_DATA, bytes, 36);
  g_assert_cmpint (memcmp (bytes + 8, "LODGE   USB DISK        ", 24), ==, 0);
  g_assert_cmpuint (run (f, ready, 6, 0, FALSE, NULL), ==, 0);
}

static void
test_capacity (Fixture *f, gconstpointer data)
{
  static const guint8 ten[10] = { 0x25 }, sixteen[16] = { 0x9e, 0x10, [13] = 32 };
  guint8 bytes[32];

  g_assert_cmpuint (run (f, ten, 10, 8, TRUE, NULL), ==, 0);
  test_ram_read (f->board, XHCI_HOST_DATA, bytes, 8);
  g_assert_cmpint (memcmp (bytes, "\x00\x00\x1f\xff\x00\x00\x02\x00", 8), ==, 0);
  g_assert_cmpuint (run (f, sixteen, 16, 32, TRUE, NULL), ==, 0);
  test_ram_read (f->board, XHCI_HOST_DATA, bytes, 16);
  g_assert_cmpint (memcmp (bytes, "\x00\x00\x00\x00\x00\x00\x1f\xff\x00\x00\x02\x00\x00\x00\xc0\x00", 16), ==, 0);
}

static void
test_read_blocks (Fixture *f, gconstpointer data)
{
  static const guint8 cdb[10] = { 0x28, 0, 0, 0, 0, 5, 0, 0, 8, 0 };
  guint len;

  g_assert_cmpuint (run (f, cdb, 10, 8 * 512, TRUE, &len), ==, 0);
  g_assert_cmpuint (len, ==, 8 * 512);
  assert_pattern (f, XHCI_HOST_DATA, 8 * 512, 5 * 512);
}

/* Longer than the device's buffer, in one TD of many TRBs that lie in disorder; then in packets that do not end with blocks. */
static void
test_read_pieces (Fixture *f, gconstpointer data)
{
  static const guint8 cdb[10] = { 0x28, 0, 0, 0, 0, 0, 0, 0x08, 0, 0 };
  XhciHostTrb event;
  guint len;

  g_assert_cmpuint (send_command (f, cdb, 10, 2048 * 512, TRUE), ==, 1);
  for (guint i = 0; i < 32; i++)
    xhci_host_push (f->host, f->slot, IN, XHCI_HOST_DATA + (31 - i) * 0x10000, 32768, 1u << 10 | 4 | (i < 31 ? 0x10 : 0x20));
  xhci_host_doorbell (f->host, f->slot, IN);
  event = xhci_host_wait (f->host, 32);
  g_assert_cmphex (event.status, ==, 1u << 24);
  for (guint i = 0; i < 32; i++)
    assert_pattern (f, XHCI_HOST_DATA + (31 - i) * 0x10000, 32768, i * 32768);
  g_assert_cmpuint (get_status (f, NULL), ==, 0);

  g_assert_cmpuint (send_command (f, cdb, 10, 2048 * 512, TRUE), ==, 1);
  for (guint at = 0; at < 2048 * 512; at += len)
    {
      guint want = MIN (2048 * 512 - at, 30003);

      g_assert_cmpuint (xhci_host_transfer (f->host, f->slot, IN, XHCI_HOST_DATA, want, &len), ==, 1);
      g_assert_cmpuint (len, ==, want);
      assert_pattern (f, XHCI_HOST_DATA, len, at);
    }
  g_assert_cmpuint (get_status (f, NULL), ==, 0);
}

static void
test_write_blocks (Fixture *f, gconstpointer data)
{
  static const guint8 write[10] = { 0x2a, 0x08, 0, 0, 0, 100, 0, 0, 4, 0 }, flush[10] = { 0x35 };
  g_autofree char *contents = NULL;
  guint8 bytes[2048];
  guint32 residue;
  gsize n;

  for (guint i = 0; i < sizeof bytes; i++)
    bytes[i] = (guint8) (i * 7);
  test_ram_write (f->board, XHCI_HOST_DATA, bytes, sizeof bytes);
  g_assert_cmpuint (send_command (f, write, 10, 2048, FALSE), ==, 1);
  /* In pieces that do not end with blocks. */
  g_assert_cmpuint (xhci_host_transfer (f->host, f->slot, OUT, XHCI_HOST_DATA, 700, NULL), ==, 1);
  g_assert_cmpuint (xhci_host_transfer (f->host, f->slot, OUT, XHCI_HOST_DATA + 700, 1348, NULL), ==, 1);
  g_assert_cmpuint (get_status (f, &residue), ==, 0);
  g_assert_cmpuint (residue, ==, 0);
  g_assert_cmpuint (run (f, flush, 10, 0, FALSE, NULL), ==, 0);
  g_assert_true (g_file_get_contents (f->path, &contents, &n, NULL));
  g_assert_cmpint (memcmp (contents + 100 * 512, bytes, sizeof bytes), ==, 0);
  g_assert_cmphex ((guint8) contents[100 * 512 - 1], ==, pattern (100 * 512 - 1));
  g_assert_cmphex ((guint8) contents[104 * 512], ==, pattern (104 * 512));
}

static void
test_unmap (Fixture *f, gconstpointer data)
{
  static const guint8 unmap[10] = { 0x42, [8] = 24 }, read[10] = { 0x28, [5] = 64, [8] = 1 };
  static const guint8 list[24] = { 0, 22, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0, 8 };
  guint8 bytes[512];

  test_ram_write (f->board, XHCI_HOST_DATA, list, sizeof list);
  g_assert_cmpuint (run (f, unmap, 10, 24, FALSE, NULL), ==, 0);
  g_assert_cmpuint (run (f, read, 10, 512, TRUE, NULL), ==, 0);
  test_ram_read (f->board, XHCI_HOST_DATA, bytes, 512);
  for (guint i = 0; i < 512; i++)
    g_assert_cmphex (bytes[i], ==, 0);
}

static void
test_errors (Fixture *f, gconstpointer data)
{
  static const guint8 beyond[10] = { 0x28, 0, 0, 0, 0x1f, 0xff, 0, 0, 2, 0 }, unknown[6] = { 0xc0 };
  guint len;

  g_assert_cmpuint (run (f, beyond, 10, 1024, TRUE, &len), ==, 1); /* by a stall, §6.7.2 */
  g_assert_cmpuint (len, ==, 0);
  g_assert_cmphex (sense (f), ==, 0x52100);
  g_assert_cmphex (sense (f), ==, 0);
  g_assert_cmpuint (run (f, unknown, 6, 0, FALSE, NULL), ==, 1);
  g_assert_cmphex (sense (f), ==, 0x52000);
}

/* §6.7: the thirteen cases that matter. */
static void
test_disagreement (Fixture *f, gconstpointer data)
{
  static const guint8 read[10] = { 0x28, [8] = 1 }, inquiry[6] = { 0x12, 0, 0, 0, 36, 0 }, write[10] = { 0x2a, [8] = 1 };
  guint32 residue;
  guint len;

  /* 5: the guest expects more than there is: a short packet, and the residue. */
  g_assert_cmpuint (send_command (f, inquiry, 6, 100, TRUE), ==, 1);
  g_assert_cmpuint (xhci_host_transfer (f->host, f->slot, IN, XHCI_HOST_DATA, 100, &len), ==, 13);
  g_assert_cmpuint (len, ==, 36);
  g_assert_cmpuint (get_status (f, &residue), ==, 0);
  g_assert_cmpuint (residue, ==, 64);
  /* 2: it expects nothing. */
  g_assert_cmpuint (run (f, read, 10, 0, TRUE, NULL), ==, 2);
  /* 7: less than there is. */
  g_assert_cmpuint (run (f, read, 10, 256, TRUE, NULL), ==, 2);
  /* 11: it sends more than is wanted. */
  g_assert_cmpuint (send_command (f, write, 10, 1024, FALSE), ==, 1);
  g_assert_cmpuint (xhci_host_transfer (f->host, f->slot, OUT, XHCI_HOST_DATA, 1024, NULL), ==, 1);
  g_assert_cmpuint (get_status (f, &residue), ==, 0);
  g_assert_cmpuint (residue, ==, 512);
}

/* §6.6.1, §5.3.4 */
static void
test_reset_recovery (Fixture *f, gconstpointer data)
{
  static const guint8 ready[6] = { 0 };

  g_assert_cmpuint (xhci_host_transfer (f->host, f->slot, OUT, WRAPPER, 30, NULL), ==, 6);
  xhci_host_recover (f->host, f->slot, OUT);
  g_assert_cmpuint (xhci_host_control (f->host, f->slot, 0x02, 1, 0, 0x02, 0, NULL), ==, 1);
  g_assert_cmpuint (xhci_host_transfer (f->host, f->slot, OUT, WRAPPER, 31, NULL), ==, 6); /* still */
  xhci_host_recover (f->host, f->slot, OUT);
  g_assert_cmpuint (xhci_host_control (f->host, f->slot, 0x21, 0xff, 0, 0, 0, NULL), ==, 1);
  g_assert_cmpuint (xhci_host_control (f->host, f->slot, 0x02, 1, 0, 0x81, 0, NULL), ==, 1);
  g_assert_cmpuint (xhci_host_control (f->host, f->slot, 0x02, 1, 0, 0x02, 0, NULL), ==, 1);
  g_assert_cmpuint (run (f, ready, 6, 0, FALSE, NULL), ==, 0);
}

/* A pause in the middle of a read changes nothing. */
static void
test_quiesce (Fixture *f, gconstpointer data)
{
  static const guint8 cdb[10] = { 0x28, 0, 0, 0, 0, 0, 0, 0x08, 0, 0 };

  for (guint i = 0; i < 8; i++)
    {
      g_assert_cmpuint (send_command (f, cdb, 10, 2048 * 512, TRUE), ==, 1);
      xhci_host_push (f->host, f->slot, IN, XHCI_HOST_DATA, 2048 * 512 - 0x1ffff * 8, 1u << 10 | 0x10);
      for (guint j = 0; j < 8; j++)
        xhci_host_push (f->host, f->slot, IN, XHCI_HOST_DATA + (2048 * 512 - 0x1ffff * 8) + j * 0x1ffff, 0x1ffff,
                        1u << 10 | (j < 7 ? 0x10 : 0x20));
      xhci_host_doorbell (f->host, f->slot, IN);
      for (guint j = 0; j < i; j++)
        {
          f->host->xhci->class->quiesce (f->host->xhci);
          f->host->xhci->class->resume (f->host->xhci);
        }
      g_assert_cmphex (xhci_host_wait (f->host, 32).status >> 24, ==, 1);
      assert_pattern (f, XHCI_HOST_DATA, 2048 * 512, 0);
      g_assert_cmpuint (get_status (f, NULL), ==, 0);
    }
}

/* USB 2.0 §11.24: power, connection, reset; then the stick behind it as at the root. */
static void
test_hub (Fixture *f, gconstpointer data)
{
  static const guint8 cdb[10] = { 0x28, 0, 0, 0, 0, 5, 0, 0, 8, 0 };
  guint8 bytes[9];
  guint hub = xhci_host_address (f->host, 6, 0);

  g_assert_cmpuint (hub, !=, 0);
  g_assert_cmpuint (xhci_host_add_endpoint (f->host, hub, 3, 7, 1), ==, 1);
  g_assert_cmpuint (xhci_host_control (f->host, hub, 0x00, 9, 1, 0, 0, NULL), ==, 1);
  g_assert_cmpuint (xhci_host_control (f->host, hub, 0xa0, 6, 0x2900, 0, 9, NULL), ==, 1);
  test_ram_read (f->board, XHCI_HOST_DATA, bytes, 9);
  g_assert_cmpuint (bytes[2], ==, 4);
  xhci_host_push (f->host, hub, 3, XHCI_HOST_DATA + 0x1000, 1, 1u << 10 | 0x20);
  xhci_host_doorbell (f->host, hub, 3);
  g_assert_cmpuint (xhci_host_control (f->host, hub, 0xa3, 0, 0, 3, 4, NULL), ==, 1);
  test_ram_read (f->board, XHCI_HOST_DATA, bytes, 4);
  g_assert_cmpint (memcmp (bytes, "\0\0\0\0", 4), ==, 0);
  /* PORT_POWER: the stick shows; the status change endpoint tells of port 3, before or behind the request's own event. */
  xhci_host_push (f->host, hub, 1, 0x0000000300080323, 8, 2u << 10 | 0x40);
  xhci_host_push (f->host, hub, 1, 0, 0, 4u << 10 | 0x20 | 1u << 16);
  xhci_host_doorbell (f->host, hub, 1);
  g_assert_cmphex (xhci_host_wait (f->host, 32).status >> 24, ==, 1);
  g_assert_cmphex (xhci_host_wait (f->host, 32).status >> 24, ==, 1);
  test_ram_read (f->board, XHCI_HOST_DATA + 0x1000, bytes, 1);
  g_assert_cmphex (bytes[0], ==, 1 << 3);
  g_assert_cmpuint (xhci_host_control (f->host, hub, 0xa3, 0, 0, 3, 4, NULL), ==, 1);
  test_ram_read (f->board, XHCI_HOST_DATA, bytes, 4);
  g_assert_cmpint (memcmp (bytes, "\x01\x05\x01\x00", 4), ==, 0);
  g_assert_cmpuint (xhci_host_control (f->host, hub, 0x23, 1, 16, 3, 0, NULL), ==, 1);
  g_assert_cmpuint (xhci_host_control (f->host, hub, 0x23, 3, 4, 3, 0, NULL), ==, 1);
  g_assert_cmpuint (xhci_host_control (f->host, hub, 0xa3, 0, 0, 3, 4, NULL), ==, 1);
  test_ram_read (f->board, XHCI_HOST_DATA, bytes, 4);
  g_assert_cmpint (memcmp (bytes, "\x03\x05\x10\x00", 4), ==, 0);
  start (f, 6, 3);
  g_assert_cmpuint (run (f, cdb, 10, 8 * 512, TRUE, NULL), ==, 0);
  assert_pattern (f, XHCI_HOST_DATA, 8 * 512, 5 * 512);
}

#define ADD(path, func) g_test_add (path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/usb-storage/identity", test_identity);
  ADD ("/usb-storage/capacity", test_capacity);
  ADD ("/usb-storage/read", test_read_blocks);
  ADD ("/usb-storage/read-in-pieces", test_read_pieces);
  ADD ("/usb-storage/write-reaches-the-image", test_write_blocks);
  ADD ("/usb-storage/unmap-reads-as-zeros", test_unmap);
  ADD ("/usb-storage/errors-have-sense", test_errors);
  ADD ("/usb-storage/disagreement-about-length", test_disagreement);
  ADD ("/usb-storage/reset-recovery", test_reset_recovery);
  ADD ("/usb-storage/quiesce-during-read", test_quiesce);
  g_test_add ("/usb-hub/stick-behind-it", Fixture, "hub", set_up, test_hub, tear_down);
  return g_test_run ();
}
