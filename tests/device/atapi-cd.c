/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: MMC-5 and SPC-4 (sections named), and what Linux' sr, cdrom and libata, SeaBIOS' blockcmd.c and Windows' cdrom.sys
 * send when a disc is booted from, mounted, ejected and changed. */
#include "ahci-host.h"
#include "block/block-private.h"
#include "storage/sata.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define PORT 0
#define BLOCKS 500u
#define DVD_BLOCKS 400000u
#define OK 0x50u
/* PxTFD: the sense key in the error register's high half */
#define NOT_READY 0x2051u
#define MEDIUM_ERROR 0x3051u
#define ILLEGAL_REQUEST 0x5451u
#define UNIT_ATTENTION 0x6051u
/* Additional sense, ASC << 8 | ASCQ */
#define READ_ERROR 0x1100u
#define INVALID_OPCODE 0x2000u
#define OUT_OF_RANGE 0x2100u
#define INVALID_FIELD 0x2400u
#define MEDIUM_CHANGED 0x2800u
#define WAS_RESET 0x2900u
#define TRAY_CLOSED 0x3a01u
#define TRAY_OPEN 0x3a02u
#define REMOVAL_PREVENTED 0x5302u

typedef struct {
  TestBoard *board;
  AhciHost *host;
  VmmDevice *cd;
  char *dir, *path, *other_path, *dvd_path;
  gboolean closed; /* the gate, as in ahci.c */
  guint n_waiting;
  int fail;
  GMutex lock;
  GCond cond;
} Fixture;

static guint8
pattern (guint64 byte, guint8 disc)
{
  return (guint8) (byte ^ byte >> 11 ^ disc);
}

static int
on_begin (gpointer data, VmmIoKind kind, guint64 offset, guint64 len, const struct iovec *iov, guint n_iov, gpointer *ret_cookie)
{
  Fixture *f = data;
  int result;

  g_mutex_lock (&f->lock);
  f->n_waiting++;
  g_cond_broadcast (&f->cond);
  while (f->closed)
    g_cond_wait (&f->cond, &f->lock);
  result = f->fail;
  g_mutex_unlock (&f->lock);
  return result;
}

static void
on_end (gpointer data, gpointer cookie, int result)
{
}

static const VmmFileHooks hooks = { .begin = on_begin, .end = on_end };

static char *
make_disc (Fixture *f, const char *name, guint8 disc, gsize blocks)
{
  char *path = g_build_filename (f->dir, name, NULL);
  g_autofree guint8 *bytes = g_malloc (blocks * 2048);

  for (gsize i = 0; i < blocks * 2048; i++)
    bytes[i] = pattern (i, disc);
  g_assert_true (g_file_set_contents (path, (const char *) bytes, (gssize) (blocks * 2048), NULL));
  return path;
}

/* @data: "empty": without a disc, "dvd" */
static void
set_up (Fixture *f, gconstpointer data)
{
  const char *kind = data;
  const char *image;

  f->dir = g_dir_make_tmp ("lodge-cd-XXXXXX", NULL);
  f->path = make_disc (f, "a.iso", 0, BLOCKS);
  f->other_path = make_disc (f, "b.iso", 0xff, 50);
  f->dvd_path = make_disc (f, "dvd.iso", 1, 1);
  g_assert_cmpint (truncate (f->dvd_path, DVD_BLOCKS * 2048ll), ==, 0);
  f->board = test_board_new ();
  f->host = ahci_host_new (f->board);
  image = g_strcmp0 (kind, "dvd") == 0 ? f->dvd_path : f->path;
  f->cd = test_board_add (f->board, "sata-cd", "cd0", g_strcmp0 (kind, "empty") == 0 ? NULL : "image", image, NULL);
  ahci_host_start_port (f->host, PORT);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  test_board_free (f->board);
  ahci_host_free (f->host);
  g_unlink (f->path);
  g_unlink (f->other_path);
  g_unlink (f->dvd_path);
  g_rmdir (f->dir);
  g_free (f->path);
  g_free (f->other_path);
  g_free (f->dvd_path);
  g_free (f->dir);
}

/* A packet from hexadecimal text: "28 00 …", the rest zeros. */
static guint32
packet (Fixture *f, const char *text, guint32 bytes)
{
  guint8 cdb[16] = { 0 };

  for (guint i = 0; text[0] != '\0'; i++)
    cdb[i] = (guint8) strtoul (text, (char **) &text, 16);
  return ahci_host_packet (f->host, PORT, cdb, bytes);
}

static guint8 *
reply (Fixture *f)
{
  static guint8 bytes[4096];

  test_ram_read (f->board, AHCI_HOST_DATA, bytes, sizeof bytes);
  return bytes;
}

static guint32
moved (Fixture *f)
{
  return ahci_host_prdbc (f->host, PORT, 0);
}

static guint
be16 (const guint8 *bytes)
{
  return (guint) bytes[0] << 8 | bytes[1];
}

static guint32
be32 (const guint8 *bytes)
{
  return be16 (bytes) << 16 | be16 (bytes + 2);
}

/* What REQUEST SENSE says: key << 16 | ASC << 8 | ASCQ. */
static guint32
sense (Fixture *f)
{
  guint8 *bytes;

  g_assert_cmphex (packet (f, "03 00 00 00 12", 18), ==, OK);
  g_assert_cmpuint (moved (f), ==, 18);
  bytes = reply (f);
  g_assert_cmphex (bytes[0], ==, 0x70);
  g_assert_cmpuint (bytes[7], ==, 10);
  return (guint32) bytes[2] << 16 | be16 (bytes + 12);
}

static guint32
test_unit_ready (Fixture *f)
{
  return packet (f, "00", 0);
}

/* Linux' atapi_eh_clear_ua() after each reset of the port. */
static void
clear_attention (Fixture *f)
{
  while (test_unit_ready (f) == UNIT_ATTENTION)
    sense (f);
}

/* GET EVENT STATUS NOTIFICATION, polled, media class. Returns: event << 8 | media status. */
static guint
media_event (Fixture *f)
{
  guint8 *bytes;

  g_assert_cmphex (packet (f, "4a 01 00 00 10 00 00 00 08", 8), ==, OK);
  bytes = reply (f);
  g_assert_cmpuint (be16 (bytes), ==, 6);
  g_assert_cmpuint (bytes[2], ==, 4);
  return be16 (bytes + 4);
}

static gboolean
change (Fixture *f, const char *path, gboolean force, GError **error)
{
  return f->cd->class->change_medium (f->cd, path, force, error);
}

static void
assert_disc (Fixture *f, gsize len, guint64 offset, guint8 disc)
{
  g_autofree guint8 *bytes = g_malloc (len);

  test_ram_read (f->board, AHCI_HOST_DATA, bytes, len);
  for (gsize i = 0; i < len; i++)
    if (bytes[i] != pattern (offset + i, disc))
      g_error ("byte %zu is %02x, not %02x", i, bytes[i], pattern (offset + i, disc));
}

/* === ATA === */

static void
test_identify (Fixture *f, gconstpointer data)
{
  guint16 id[256];
  guint8 sum = 0;

  g_assert_cmphex (ahci_host_ata (f->host, PORT, 0xa1, 0, 0, 0, 512, FALSE), ==, OK);
  test_ram_read (f->board, AHCI_HOST_DATA, id, sizeof id);
  g_assert_cmphex (id[0], ==, 0x85c0); /* ATAPI, CD, removable, 12 bytes a packet */
  g_assert_cmphex (id[49] & 0x0300, ==, 0x0300);
  g_assert_cmphex (id[82] & 0x0210, ==, 0x0210); /* DEVICE RESET, PACKET */
  g_assert_cmphex (id[88], ==, 0x407f);
  for (guint i = 0; i < 512; i++)
    sum = (guint8) (sum + ((guint8 *) id)[i]);
  g_assert_cmphex (sum, ==, 0);
}

/* ACS-3 §7.12.5.2: how a driver that asks for a disk finds the CD. */
static void
test_identify_device_is_aborted (Fixture *f, gconstpointer data)
{
  guint8 frame[20];

  g_assert_cmphex (ahci_host_ata (f->host, PORT, 0xec, 0, 0, 0, 512, FALSE), ==, 0x0451);
  test_ram_read (f->board, ahci_host_frames (PORT) + 0x40, frame, sizeof frame);
  g_assert_cmphex (frame[4], ==, 0x01);
  g_assert_cmphex (frame[5], ==, 0x14);
  g_assert_cmphex (frame[6], ==, 0xeb);
  g_assert_cmphex (ahci_host_ata (f->host, PORT, 0x08, 0, 0, 0, 0, FALSE), ==, 0x0100); /* DEVICE RESET */
}

static void
test_pio_packet (Fixture *f, gconstpointer data)
{
  guint8 cdb[16] = { 0x12, [4] = 36 }, frame[20];
  AhciHostCommand c = { .command = 0xa0, .lba = 36 << 8, .cdb = cdb, .pieces = { { AHCI_HOST_DATA, 36 } }, .n_pieces = 1 };

  ahci_host_issue (f->host, PORT, 0, &c);
  test_wait_until (ahci_host_px (f->host, PORT, AHCI_HOST_PX_CI) == 0);
  g_assert_cmphex (ahci_host_px (f->host, PORT, AHCI_HOST_PX_IS), ==, 0x3); /* PIO Setup, then the registers */
  test_ram_read (f->board, ahci_host_frames (PORT) + 0x40, frame, sizeof frame);
  g_assert_cmphex (frame[2], ==, 0x50);
  g_assert_cmphex (frame[12], ==, 0x03); /* interrupt reason: over */
  g_assert_cmpuint (frame[5], ==, 36);   /* byte count */
}

/* === Information === */

static void
test_inquiry (Fixture *f, gconstpointer data)
{
  guint8 *bytes;

  g_assert_cmphex (packet (f, "12 00 00 00 24", 36), ==, OK); /* quiet before the unit attention */
  bytes = reply (f);
  g_assert_cmphex (bytes[0], ==, 0x05);
  g_assert_cmphex (bytes[1], ==, 0x80);
  g_assert_cmphex (bytes[3] & 0x0f, ==, 0x02);
  g_assert_cmpuint (bytes[4], ==, 31);
  g_assert_cmpmem (bytes + 8, 8, "LODGE   ", 8);
  g_assert_cmphex (packet (f, "12 00 00 00 05", 36), ==, OK);
  g_assert_cmpuint (moved (f), ==, 5);
  g_assert_cmphex (packet (f, "12 01 00 00 ff", 255), ==, OK);
  bytes = reply (f);
  g_assert_cmphex (bytes[1], ==, 0x00);
  g_assert_cmphex (bytes[5], ==, 0x80);
  g_assert_cmphex (packet (f, "12 01 80 00 ff", 255), ==, OK);
  g_assert_cmpuint (reply (f)[3], ==, moved (f) - 4);
  g_assert_cmphex (packet (f, "12 01 83 00 ff", 255), ==, OK);
  g_assert_cmpuint (be16 (reply (f) + 2), ==, moved (f) - 4);
  g_assert_cmphex (packet (f, "12 01 b1 00 ff", 255), ==, ILLEGAL_REQUEST);
  g_assert_cmphex (sense (f), ==, 0x50000 | INVALID_FIELD);
}

static void
test_read_capacity (Fixture *f, gconstpointer data)
{
  clear_attention (f);
  g_assert_cmphex (packet (f, "25", 8), ==, OK);
  g_assert_cmpuint (be32 (reply (f)), ==, BLOCKS - 1);
  g_assert_cmpuint (be32 (reply (f) + 4), ==, 2048);
}

/* §6.25.3 */
static void
test_read_toc (Fixture *f, gconstpointer data)
{
  static const guint8 lba[] = { 0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0, 0, 0x14, 0xaa, 0, 0, 0, BLOCKS >> 8, BLOCKS & 0xff };
  /* Block 0 is 00:02:00; 500 + 150 frames are 00:08:50. */
  static const guint8 msf[] = { 0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 2, 0, 0, 0x14, 0xaa, 0, 0, 0, 8, 50 };
  static const guint8 session[] = { 0, 10, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0 };

  clear_attention (f);
  g_assert_cmphex (packet (f, "43 00 00 00 00 00 00 08 00", 2048), ==, OK);
  g_assert_cmpmem (reply (f), moved (f), lba, sizeof lba);
  g_assert_cmphex (packet (f, "43 02 00 00 00 00 01 08 00", 2048), ==, OK);
  g_assert_cmpmem (reply (f), moved (f), msf, sizeof msf);
  g_assert_cmphex (packet (f, "43 00 00 00 00 00 aa 00 0c", 12), ==, OK); /* the lead-out alone: Linux asks so */
  g_assert_cmpuint (reply (f)[6], ==, 0xaa);
  g_assert_cmphex (packet (f, "43 00 01 00 00 00 00 00 0c", 12), ==, OK);
  g_assert_cmpmem (reply (f), moved (f), session, sizeof session);
  g_assert_cmphex (packet (f, "43 00 00 00 00 00 00 00 0c 40", 12), ==, OK); /* the same, in the old place */
  g_assert_cmpmem (reply (f), moved (f), session, sizeof session);
  g_assert_cmphex (packet (f, "43 02 02 00 00 00 00 08 00", 2048), ==, OK);
  g_assert_cmpuint (moved (f), ==, 4 + 4 * 11);
  g_assert_cmphex (packet (f, "43 00 00 00 00 00 02 08 00", 2048), ==, ILLEGAL_REQUEST); /* there is no track 2 */
  g_assert_cmphex (packet (f, "43 00 05 00 00 00 00 08 00", 2048), ==, ILLEGAL_REQUEST); /* no CD-Text */
}

/* §5, §6.5 */
static void
test_get_configuration (Fixture *f, gconstpointer data)
{
  gboolean dvd = g_strcmp0 (data, "dvd") == 0;
  guint16 seen[32];
  guint n = 0;
  guint8 *bytes;

  g_assert_cmphex (packet (f, "46 00 00 00 00 00 00 10 00", 4096), ==, OK);
  bytes = reply (f);
  g_assert_cmpuint (be32 (bytes), ==, moved (f) - 4);
  g_assert_cmphex (be16 (bytes + 6), ==, dvd ? 0x0010 : 0x0008); /* current profile */
  for (guint at = 8; at < moved (f); at += 4 + bytes[at + 3])
    {
      seen[n++] = (guint16) be16 (bytes + at);
      g_assert_cmpuint (bytes[at + 3] % 4, ==, 0);
      if (be16 (bytes + at) == 0x001f)
        g_assert_cmpuint (bytes[at + 2] & 1, ==, dvd);
      if (be16 (bytes + at) == 0x0003)
        g_assert_cmphex (bytes[at + 4], ==, 0x29); /* tray, eject, lock */
    }
  for (guint i = 1; i < n; i++)
    g_assert_cmpuint (seen[i], >, seen[i - 1]);
  g_assert_cmphex (packet (f, "46 02 00 10 00 00 00 10 00", 4096), ==, OK); /* one: random readable */
  g_assert_cmpuint (moved (f), ==, 8 + 12);
  g_assert_cmpuint (be32 (reply (f) + 12), ==, 2048);
  g_assert_cmphex (packet (f, "46 02 00 21 00 00 00 10 00", 4096), ==, OK); /* one that it lacks */
  g_assert_cmpuint (moved (f), ==, 8);
  g_assert_cmphex (packet (f, "46 00 00 00 00 00 00 00 08", 8), ==, OK); /* only the header: Windows asks so */
  g_assert_cmpuint (moved (f), ==, 8);
}

static void
test_mode_sense (Fixture *f, gconstpointer data)
{
  guint8 *bytes;

  clear_attention (f);
  g_assert_cmphex (packet (f, "5a 00 2a 00 00 00 00 00 80", 128), ==, OK); /* Linux: get_capabilities() */
  bytes = reply (f);
  g_assert_cmpuint (be16 (bytes), ==, moved (f) - 2);
  g_assert_cmpuint (be16 (bytes + 6), ==, 0); /* no block descriptors */
  g_assert_cmphex (bytes[8], ==, 0x2a);
  g_assert_cmphex (bytes[8 + 2] & 0x08, ==, 0x08); /* reads DVD-ROM */
  g_assert_cmphex (bytes[8 + 3], ==, 0);           /* writes nothing */
  g_assert_cmphex (bytes[8 + 6] & 0xeb, ==, 0x29); /* tray, ejects, not locked, locks */
  g_assert_cmphex (packet (f, "5a 00 3f 00 00 00 00 02 00", 512), ==, OK);
  g_assert_cmphex (packet (f, "5a 00 ea 00 00 00 00 00 80", 128), ==, ILLEGAL_REQUEST); /* saved values */
  g_assert_cmphex (sense (f), ==, 0x53900);
  g_assert_cmphex (packet (f, "5a 00 08 00 00 00 00 00 80", 128), ==, ILLEGAL_REQUEST);
  g_assert_cmphex (sense (f), ==, 0x50000 | INVALID_FIELD);
}

static void
test_disc_information (Fixture *f, gconstpointer data)
{
  clear_attention (f);
  g_assert_cmphex (packet (f, "51 00 00 00 00 00 00 00 22", 34), ==, OK);
  g_assert_cmpuint (be16 (reply (f)), ==, 32);
  g_assert_cmphex (reply (f)[2] & 0x0f, ==, 0x0e); /* complete */
  g_assert_cmphex (packet (f, "52 01 00 00 00 01 00 00 24", 36), ==, OK);
  g_assert_cmpuint (be32 (reply (f) + 24), ==, BLOCKS);
  g_assert_cmphex (packet (f, "52 01 00 00 00 02 00 00 24", 36), ==, ILLEGAL_REQUEST);
  g_assert_cmphex (packet (f, "42 02 40 01 00 00 00 00 10", 16), ==, OK);
  g_assert_cmphex (reply (f)[1], ==, 0x15); /* no audio status */
  g_assert_cmphex (packet (f, "bd 00 00 00 00 00 00 00 00 08", 8), ==, OK);
  g_assert_cmphex (reply (f)[1], ==, 0); /* the tray is closed */
}

static void
test_disc_structure (Fixture *f, gconstpointer data)
{
  guint8 *bytes;

  clear_attention (f);
  g_assert_cmphex (packet (f, "ad 00 00 00 00 00 00 00 08 04", 2052), ==, OK);
  bytes = reply (f);
  g_assert_cmpuint (be16 (bytes), ==, 2050);
  g_assert_cmphex (bytes[4] >> 4, ==, 0); /* DVD-ROM */
  g_assert_cmphex (be32 (bytes + 8), ==, 0x030000);
  g_assert_cmphex (be32 (bytes + 12), ==, 0x030000 + DVD_BLOCKS - 1);
  g_assert_cmphex (packet (f, "ad 00 00 00 00 00 00 01 00 08", 8), ==, OK);
  g_assert_cmphex (be32 (reply (f) + 4), ==, 0); /* no copy protection */
  g_assert_cmphex (packet (f, "ad 00 00 00 00 00 00 02 08 04", 2052), ==, ILLEGAL_REQUEST);
}

static void
test_disc_structure_of_cd (Fixture *f, gconstpointer data)
{
  clear_attention (f);
  g_assert_cmphex (packet (f, "ad 00 00 00 00 00 00 00 08 04", 2052), ==, ILLEGAL_REQUEST);
  g_assert_cmphex (sense (f), ==, 0x53002);
}

static void
test_unknown_packet (Fixture *f, gconstpointer data)
{
  clear_attention (f);
  g_assert_cmphex (packet (f, "a4 00 00 00 00 00 00 00 00 08 08", 8), ==, ILLEGAL_REQUEST); /* REPORT KEY */
  g_assert_cmphex (sense (f), ==, 0x50000 | INVALID_OPCODE);
  g_assert_cmphex (sense (f), ==, 0); /* told once */
}

/* === Reading === */

static void
test_reading (Fixture *f, gconstpointer data)
{
  clear_attention (f);
  g_assert_cmphex (packet (f, "28 00 00 00 00 10 00 00 04", 4 * 2048), ==, OK);
  g_assert_cmpuint (moved (f), ==, 4 * 2048);
  assert_disc (f, 4 * 2048, 16 * 2048, 0);
  g_assert_cmphex (packet (f, "a8 00 00 00 01 00 00 00 00 20", 32 * 2048), ==, OK);
  assert_disc (f, 32 * 2048, 256 * 2048, 0);
  g_assert_cmphex (packet (f, "be 00 00 00 00 05 00 00 02 10", 2 * 2048), ==, OK);
  assert_disc (f, 2 * 2048, 5 * 2048, 0);
  /* 00:02:10 to 00:02:12 are blocks 10 and 11. */
  g_assert_cmphex (packet (f, "b9 00 00 00 02 0a 00 02 0c 10", 2 * 2048), ==, OK);
  assert_disc (f, 2 * 2048, 10 * 2048, 0);
  g_assert_cmphex (packet (f, "28 00 00 00 00 00 00 00 00", 0), ==, OK);    /* nothing */
  g_assert_cmphex (packet (f, "28 00 00 00 01 f3 00 00 01", 2048), ==, OK); /* the last */
  g_assert_cmphex (packet (f, "28 00 00 00 01 f3 00 00 02", 4096), ==, ILLEGAL_REQUEST);
  g_assert_cmphex (sense (f), ==, 0x50000 | OUT_OF_RANGE);
  g_assert_cmphex (packet (f, "a8 00 ff ff ff ff ff ff ff ff", 4096), ==, ILLEGAL_REQUEST);
  g_assert_cmphex (packet (f, "be 04 00 00 00 00 00 00 01 10", 2352), ==, ILLEGAL_REQUEST); /* audio */
  g_assert_cmphex (sense (f), ==, 0x56400);
  g_assert_cmphex (packet (f, "2b 00 00 00 00 10", 0), ==, OK); /* SEEK */
  g_assert_cmphex (packet (f, "2b 00 00 00 02 00", 0), ==, ILLEGAL_REQUEST);
}

static void
test_read_error (Fixture *f, gconstpointer data)
{
  clear_attention (f);
  vmm_block_set_hooks (((VmmSataDrive *) f->cd)->block, &hooks, f);
  f->fail = -EIO;
  g_assert_cmphex (packet (f, "28 00 00 00 00 10 00 00 01", 2048), ==, MEDIUM_ERROR);
  g_assert_cmphex (sense (f), ==, 0x30000 | READ_ERROR);
}

/* === Attention and media === */

static void
test_attention_after_reset (Fixture *f, gconstpointer data)
{
  g_assert_cmphex (test_unit_ready (f), ==, UNIT_ATTENTION);
  g_assert_cmphex (sense (f), ==, 0x60000 | WAS_RESET);
  g_assert_cmphex (test_unit_ready (f), ==, OK);
  ahci_host_stop_port (f->host, PORT);
  ahci_host_set_px (f->host, PORT, AHCI_HOST_PX_SCTL, 1);
  ahci_host_set_px (f->host, PORT, AHCI_HOST_PX_SCTL, 0);
  ahci_host_start_port (f->host, PORT);
  g_assert_cmphex (sense (f), ==, 0x60000 | WAS_RESET); /* or asked for at once */
  g_assert_cmphex (test_unit_ready (f), ==, OK);
}

static void
test_empty_drive (Fixture *f, gconstpointer data)
{
  clear_attention (f);
  g_assert_cmphex (test_unit_ready (f), ==, NOT_READY);
  g_assert_cmphex (sense (f), ==, 0x20000 | TRAY_CLOSED);
  g_assert_cmphex (packet (f, "25", 8), ==, NOT_READY);
  g_assert_cmphex (packet (f, "28 00 00 00 00 00 00 00 01", 2048), ==, NOT_READY);
  g_assert_cmphex (media_event (f), ==, 0x0000);
  g_assert_cmphex (packet (f, "46 00 00 00 00 00 00 00 08", 8), ==, OK);
  g_assert_cmphex (be16 (reply (f) + 6), ==, 0); /* no profile */
}

static void
test_insert (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  clear_attention (f);
  g_assert_true (change (f, f->path, FALSE, &error));
  g_assert_cmphex (media_event (f), ==, 0x0202); /* new media, present */
  g_assert_cmphex (media_event (f), ==, 0x0002);
  g_assert_cmphex (test_unit_ready (f), ==, UNIT_ATTENTION);
  g_assert_cmphex (sense (f), ==, 0x60000 | MEDIUM_CHANGED);
  g_assert_cmphex (test_unit_ready (f), ==, OK);
  g_assert_cmphex (packet (f, "28 00 00 00 00 00 00 00 01", 2048), ==, OK);
  assert_disc (f, 2048, 0, 0);
}

static void
test_eject (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  clear_attention (f);
  g_assert_true (change (f, NULL, FALSE, &error));
  g_assert_cmphex (media_event (f), ==, 0x0301); /* removal, tray open */
  g_assert_cmphex (test_unit_ready (f), ==, NOT_READY);
  g_assert_cmphex (sense (f), ==, 0x20000 | TRAY_OPEN);
  g_assert_cmphex (packet (f, "bd 00 00 00 00 00 00 00 00 08", 8), ==, OK);
  g_assert_cmphex (reply (f)[1], ==, 0x10);                  /* door open */
  g_assert_cmphex (packet (f, "1b 00 00 00 03", 0), ==, OK); /* load: the tray closes, empty */
  g_assert_cmphex (test_unit_ready (f), ==, NOT_READY);
  g_assert_cmphex (sense (f), ==, 0x20000 | TRAY_CLOSED);
}

/* Another disc while one is in: the guest sees the drive empty once, then the change, and never the old content under the new. */
static void
test_swap (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  clear_attention (f);
  g_assert_true (change (f, f->other_path, FALSE, &error));
  g_assert_cmphex (test_unit_ready (f), ==, NOT_READY);
  g_assert_cmphex (sense (f), ==, 0x20000 | TRAY_CLOSED);
  g_assert_cmphex (packet (f, "25", 8), ==, UNIT_ATTENTION);
  g_assert_cmphex (sense (f), ==, 0x60000 | MEDIUM_CHANGED);
  g_assert_cmphex (packet (f, "25", 8), ==, OK);
  g_assert_cmpuint (be32 (reply (f)), ==, 49);
  g_assert_cmphex (packet (f, "28 00 00 00 00 03 00 00 01", 2048), ==, OK);
  assert_disc (f, 2048, 3 * 2048, 0xff);
}

static void
test_swap_by_events (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  clear_attention (f);
  g_assert_true (change (f, f->other_path, FALSE, &error));
  g_assert_cmphex (media_event (f) >> 8, ==, 3); /* removal */
  g_assert_cmphex (media_event (f), ==, 0x0202); /* new media */
  g_assert_cmphex (media_event (f), ==, 0x0002);
  g_assert_cmphex (test_unit_ready (f), ==, UNIT_ATTENTION);
  g_assert_cmphex (sense (f), ==, 0x60000 | MEDIUM_CHANGED);
}

static void
test_guest_ejects (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  clear_attention (f);
  g_assert_cmphex (packet (f, "1b 00 00 00 02", 0), ==, OK);
  g_assert_null (((VmmSataDrive *) f->cd)->block);
  g_assert_cmphex (test_unit_ready (f), ==, NOT_READY);
  g_assert_cmphex (sense (f), ==, 0x20000 | TRAY_OPEN);
  g_assert_true (change (f, f->path, FALSE, &error));
  g_assert_cmphex (test_unit_ready (f), ==, UNIT_ATTENTION);
  sense (f);
  g_assert_cmphex (test_unit_ready (f), ==, OK);
}

/* PREVENT ALLOW MEDIUM REMOVAL: as Linux does while a disc is mounted. */
static void
test_lock (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  clear_attention (f);
  g_assert_cmphex (packet (f, "1e 00 00 00 01", 0), ==, OK);
  g_assert_cmphex (packet (f, "5a 00 2a 00 00 00 00 00 80", 128), ==, OK);
  g_assert_cmphex (reply (f)[8 + 6] & 2, ==, 2); /* locked */
  g_assert_cmphex (packet (f, "1b 00 00 00 02", 0), ==, ILLEGAL_REQUEST);
  g_assert_cmphex (sense (f), ==, 0x50000 | REMOVAL_PREVENTED);

  g_assert_false (change (f, NULL, FALSE, &error));
  g_assert_error (error, VMM_ERROR, VMM_ERROR_BUSY);
  g_clear_error (&error);
  g_assert_false (change (f, f->other_path, FALSE, &error));
  g_assert_error (error, VMM_ERROR, VMM_ERROR_BUSY);
  g_clear_error (&error);
  /* The guest is asked: udev answers an eject request so. */
  g_assert_cmphex (media_event (f), ==, 0x0102);
  g_assert_cmphex (packet (f, "1e", 0), ==, OK);
  g_assert_cmphex (packet (f, "1b 00 00 00 02", 0), ==, OK);
  g_assert_null (((VmmSataDrive *) f->cd)->block);
}

static void
test_force (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  clear_attention (f);
  g_assert_cmphex (packet (f, "1e 00 00 00 01", 0), ==, OK);
  g_assert_true (change (f, NULL, TRUE, &error));
  g_assert_cmphex (media_event (f), ==, 0x0301);
  g_assert_true (change (f, f->other_path, FALSE, &error));
}

static void
test_reset_unlocks (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  clear_attention (f);
  g_assert_cmphex (packet (f, "1e 00 00 00 01", 0), ==, OK);
  test_board_reset (f->board, VMM_RESET_WARM);
  g_assert_true (change (f, NULL, FALSE, &error));
}

static gpointer
open_later (gpointer data)
{
  Fixture *f = data;

  g_usleep (20000);
  g_mutex_lock (&f->lock);
  f->closed = FALSE;
  g_cond_broadcast (&f->cond);
  g_mutex_unlock (&f->lock);
  return NULL;
}

/* The disc is pulled out while it is read. */
static void
test_change_while_reading (Fixture *f, gconstpointer data)
{
  guint8 cdb[16] = { 0x28, [5] = 0x10, [8] = 4 };
  AhciHostCommand c = { .command = 0xa0, .feature = 1, .cdb = cdb, .pieces = { { AHCI_HOST_DATA, 8192 } }, .n_pieces = 1 };
  g_autoptr (GError) error = NULL;
  GThread *thread;

  clear_attention (f);
  vmm_block_set_hooks (((VmmSataDrive *) f->cd)->block, &hooks, f);
  f->closed = TRUE;
  ahci_host_issue (f->host, PORT, 0, &c);
  g_mutex_lock (&f->lock);
  while (f->n_waiting == 0)
    g_cond_wait (&f->cond, &f->lock);
  g_mutex_unlock (&f->lock);
  thread = g_thread_new ("opener", open_later, f);
  /* Opening the new image needs the iothread, which waits at the gate. */
  g_assert_true (change (f, f->other_path, FALSE, &error));
  g_thread_join (thread);
  test_wait_until (ahci_host_px (f->host, PORT, AHCI_HOST_PX_CI) == 0 || (ahci_host_px (f->host, PORT, AHCI_HOST_PX_TFD) & 1) != 0);
  ahci_host_stop_port (f->host, PORT);
  ahci_host_start_port (f->host, PORT);
  g_assert_cmphex (test_unit_ready (f), ==, NOT_READY);
  g_assert_cmphex (test_unit_ready (f), ==, UNIT_ATTENTION);
  sense (f);
  g_assert_cmphex (packet (f, "28 00 00 00 00 00 00 00 01", 2048), ==, OK);
  assert_disc (f, 2048, 0, 0xff);
}

static void
test_bad_media (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *small = g_build_filename (f->dir, "small.iso", NULL);

  clear_attention (f);
  g_assert_true (g_file_set_contents (small, "x", 1, NULL));
  g_assert_false (change (f, small, FALSE, &error));
  g_assert_error (error, VMM_ERROR, VMM_ERROR_CORRUPT);
  g_clear_error (&error);
  g_assert_false (change (f, "/nonexistent", FALSE, &error));
  g_assert_error (error, VMM_ERROR, VMM_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_false (change (f, f->dir, FALSE, &error));
  g_assert_nonnull (error);
  g_assert_cmphex (test_unit_ready (f), ==, OK); /* the old one is still in */
  g_unlink (small);
}

/* Events of a class that is not there; asynchronous notification, which is not either (§6.6). */
static void
test_other_events (Fixture *f, gconstpointer data)
{
  g_assert_cmphex (packet (f, "4a 01 00 00 04 00 00 00 08", 8), ==, OK);
  g_assert_cmpuint (moved (f), ==, 4);
  g_assert_cmphex (be32 (reply (f)), ==, 0x00028010);
  g_assert_cmphex (packet (f, "4a 00 00 00 10 00 00 00 08", 8), ==, ILLEGAL_REQUEST);
  g_assert_cmphex (sense (f), ==, 0x50000 | INVALID_FIELD);
}

#define ADD(path, func) g_test_add ("/atapi-cd/" path, Fixture, NULL, set_up, func, tear_down)
#define ADD_WITH(path, data, func) g_test_add ("/atapi-cd/" path, Fixture, data, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("ata/identify", test_identify);
  ADD ("ata/identify-device-is-aborted-with-signature", test_identify_device_is_aborted);
  ADD ("ata/packet-by-pio", test_pio_packet);
  ADD ("information/inquiry", test_inquiry);
  ADD ("information/read-capacity", test_read_capacity);
  ADD ("information/read-toc", test_read_toc);
  ADD ("information/get-configuration-of-cd", test_get_configuration);
  ADD_WITH ("information/get-configuration-of-dvd", "dvd", test_get_configuration);
  ADD ("information/mode-sense", test_mode_sense);
  ADD ("information/disc-and-track", test_disc_information);
  ADD_WITH ("information/disc-structure-of-dvd", "dvd", test_disc_structure);
  ADD ("information/disc-structure-of-cd", test_disc_structure_of_cd);
  ADD ("information/unknown-packet", test_unknown_packet);
  ADD ("read/commands", test_reading);
  ADD ("read/error", test_read_error);
  ADD ("media/attention-after-reset", test_attention_after_reset);
  ADD_WITH ("media/empty-drive", "empty", test_empty_drive);
  ADD_WITH ("media/insert", "empty", test_insert);
  ADD ("media/eject", test_eject);
  ADD ("media/swap", test_swap);
  ADD ("media/swap-by-events", test_swap_by_events);
  ADD ("media/guest-ejects", test_guest_ejects);
  ADD ("media/lock-and-eject-request", test_lock);
  ADD ("media/force", test_force);
  ADD ("media/reset-unlocks", test_reset_unlocks);
  ADD ("media/change-while-reading", test_change_while_reading);
  ADD ("media/bad-images-change-nothing", test_bad_media);
  ADD ("media/other-events", test_other_events);
  return g_test_run ();
}
