/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: VIRTIO 1.2 §5.14, and the sequences of Linux' virtio_snd. */
#include "virtio-host.h"

#include <glib/gstdio.h>
#include <string.h>

#define BAR 0xe0000000u
#define REQUEST 0x100000u
#define RESPONSE 0x101000u
#define XFER 0x102000u /* headers, 8 bytes apart */
#define STATUS 0x104000u
#define DATA 0x200000u
#define MS G_GINT64_CONSTANT (1000000)

enum { CONTROL, EVENT, TX, RX };

#define OK 0x8000u
#define BAD_MSG 0x8001u
#define NOT_SUPP 0x8002u

#define PERIOD 1920u /* 10 ms of 48 kHz, 16 bits, two channels */

typedef struct {
  TestBoard *board;
  VirtioHost host;
  VmmDevice *dev;
  char *dir, *file, *input;
  guint n_tx, n_rx;
} Fixture;

static gint16
heard (guint frame, guint channel)
{
  return (gint16) (channel == 0 ? frame : 0u - frame);
}

static void
make_input (const char *path)
{
  static const guint8 header[44] = { 'R', 'I', 'F', 'F', 0x24, 0x58, 2,   0,   'W', 'A',  'V',  'E',  'f', 'm', 't',
                                     ' ', 16,  0,   0,   0,    1,    0,   2,   0,   0x80, 0xbb, 0,    0,   0,   0xee,
                                     2,   0,   4,   0,   16,   0,    'd', 'a', 't', 'a',  0,    0x58, 2,   0 };
  g_autofree guint8 *bytes = g_malloc (44 + 153600);

  memcpy (bytes, header, 44);
  for (guint i = 0; i < 38400; i++)
    for (guint c = 0; c < 2; c++)
      {
        gint16 sample = heard (i, c);

        memcpy (bytes + 44 + i * 4 + c * 2, &sample, 2);
      }
  g_assert_true (g_file_set_contents (path, (const char *) bytes, 44 + 153600, NULL));
}

static void
set_up (Fixture *f, gconstpointer data)
{
  f->dir = g_dir_make_tmp ("lodge-snd-XXXXXX", NULL);
  f->file = g_build_filename (f->dir, "played.wav", NULL);
  f->input = g_build_filename (f->dir, "heard.wav", NULL);
  make_input (f->input);
  f->board = test_board_new ();
  f->dev = test_board_add (f->board, "virtio-snd", "sound0", "backend", "wav", "file", f->file, "input-file", f->input, NULL);
  virtio_host_init (&f->host, f->board, 2 << 3, BAR);
  virtio_host_start (&f->host, G_MAXUINT64, 64, TRUE);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  test_board_free (f->board);
  g_unlink (f->file);
  g_unlink (f->input);
  g_rmdir (f->dir);
  g_free (f->dir);
  g_free (f->file);
  g_free (f->input);
}

static guint32
ram32 (Fixture *f, guint64 addr)
{
  guint32 value;

  test_ram_read (f->board, addr, &value, 4);
  return GUINT32_FROM_LE (value);
}

/* A request of @len bytes with room for @room bytes of response. Returns: the status. */
static guint32
ask (Fixture *f, const guint32 *words, guint len, guint room, guint32 *ret_written)
{
  const VirtioHostPiece pieces[] = { { REQUEST, len }, { RESPONSE, room } };
  guint32 written;

  test_ram_write (f->board, REQUEST, words, len);
  written = virtio_host_do (&f->host, CONTROL, pieces, 1, 1);
  if (ret_written != NULL)
    *ret_written = written;
  return ram32 (f, RESPONSE);
}

static guint32
stream_request (Fixture *f, guint32 code, guint32 stream)
{
  const guint32 words[] = { code, stream };

  return ask (f, words, 8, 4, NULL);
}

static guint32
set_params (Fixture *f, guint stream, guint channels, guint format, guint rate)
{
  const guint32 words[] = { 0x101, stream, 4 * PERIOD, PERIOD, 0, channels | format << 8 | rate << 16 };

  return ask (f, words, 24, 4, NULL);
}

static void
prepare (Fixture *f, guint stream)
{
  g_assert_cmphex (set_params (f, stream, 2, 5, 7), ==, OK);
  g_assert_cmphex (stream_request (f, 0x102, stream), ==, OK);
}

static gint16
tone (guint frame, guint channel)
{
  return (gint16) (channel == 0 ? frame % 480 * 60 : 0u - frame % 240 * 70);
}

/* A period of the tone, as Linux sends it: header, samples, status. Returns: its number. */
static guint
send_period (Fixture *f, guint32 stream)
{
  guint n = f->n_tx++;
  guint64 data = DATA + n % 64 * PERIOD;
  const VirtioHostPiece pieces[] = { { XFER + n % 64 * 8, 4 }, { data, PERIOD }, { STATUS + n % 64 * 8, 8 } };
  gint16 samples[PERIOD / 2];
  guint32 nothing[2] = { 0xffffffff, 0xffffffff };

  for (guint i = 0; i < PERIOD / 4; i++)
    for (guint c = 0; c < 2; c++)
      samples[2 * i + c] = tone (n * PERIOD / 4 + i, c);
  test_ram_write (f->board, data, samples, PERIOD);
  test_ram_write (f->board, pieces[0].addr, &stream, 4);
  test_ram_write (f->board, pieces[2].addr, nothing, 8);
  virtio_host_add (&f->host, TX, pieces, 2, 1);
  virtio_host_kick (&f->host, TX);
  return n;
}

static void
offer_period (Fixture *f)
{
  guint n = f->n_rx++;
  guint32 stream = 1;
  const VirtioHostPiece pieces[] = { { XFER + 0x800 + n % 64 * 8, 4 },
                                     { DATA + 0x100000 + n % 64 * PERIOD, PERIOD },
                                     { STATUS + 0x800 + n % 64 * 8, 8 } };

  test_ram_write (f->board, pieces[0].addr, &stream, 4);
  virtio_host_add (&f->host, RX, pieces, 1, 2);
  virtio_host_kick (&f->host, RX);
}

static void
settle (Fixture *f)
{
  for (guint i = 0; i < 3; i++)
    {
      g_usleep (2000);
      test_board_settle (f->board);
    }
}

static void
assert_played (Fixture *f, gsize frames)
{
  g_autofree char *contents = NULL;
  gsize size;

  settle (f);
  g_assert_true (g_file_get_contents (f->file, &contents, &size, NULL));
  g_assert_cmpuint (size, ==, 44 + frames * 4);
  for (guint i = 0; i < frames; i++)
    for (guint c = 0; c < 2; c++)
      {
        gint16 sample;

        memcpy (&sample, contents + 44 + i * 4 + c * 2, 2);
        g_assert_cmpint (sample, ==, tone (i, c));
      }
}

/* === Requests === */

static void
test_identity (Fixture *f, gconstpointer data)
{
  g_assert_cmphex (test_pci_read (f->board, f->host.devfn, 0x00, 4), ==, 0x10591af4); /* 1040 + 25 */
  g_assert_cmphex (test_pci_read (f->board, f->host.devfn, 0x08, 4) >> 8, ==, 0x040100);
  g_assert_cmpuint (f->host.n_queues, ==, 4);
  for (guint i = 0; i < 3; i++) /* jacks, streams, channel maps */
    g_assert_cmpuint (test_read (f->board, f->host.device + 4 * i, 4), ==, 2);
}

static void
test_information (Fixture *f, gconstpointer data)
{
  const guint32 jacks[] = { 0x0001, 0, 2, 24 }, streams[] = { 0x0100, 0, 2, 32 }, maps[] = { 0x0200, 1, 1, 24 };
  guint8 bytes[72];
  guint32 written;

  g_assert_cmphex (ask (f, jacks, 16, 52, &written), ==, OK);
  g_assert_cmpuint (written, ==, 52);
  test_ram_read (f->board, RESPONSE, bytes, 52);
  g_assert_cmpuint (bytes[4 + 16], ==, 1); /* connected */
  g_assert_cmpuint (bytes[4 + 24 + 16], ==, 1);

  g_assert_cmphex (ask (f, streams, 16, 68, &written), ==, OK);
  g_assert_cmpuint (written, ==, 68);
  test_ram_read (f->board, RESPONSE, bytes, 68);
  for (guint i = 0; i < 2; i++)
    {
      g_assert_cmphex (ram32 (f, RESPONSE + 4 + i * 32 + 4), ==, 0);            /* no features */
      g_assert_cmphex (ram32 (f, RESPONSE + 4 + i * 32 + 8), ==, 0x00020020);   /* S16, S32 */
      g_assert_cmphex (ram32 (f, RESPONSE + 4 + i * 32 + 16) & 0xc0, ==, 0xc0); /* 44.1, 48 kHz */
      g_assert_cmpuint (bytes[4 + i * 32 + 24], ==, i);                         /* direction */
      g_assert_cmpuint (bytes[4 + i * 32 + 25], ==, 1);
      g_assert_cmpuint (bytes[4 + i * 32 + 26], ==, 2);
    }

  g_assert_cmphex (ask (f, maps, 16, 28, &written), ==, OK);
  test_ram_read (f->board, RESPONSE, bytes, 28);
  g_assert_cmpuint (bytes[4 + 4], ==, 1);
  g_assert_cmpuint (bytes[4 + 5], ==, 2);
  g_assert_cmpuint (bytes[4 + 6], ==, 3); /* front left, front right */
  g_assert_cmpuint (bytes[4 + 7], ==, 4);
}

static void
test_wrong_requests (Fixture *f, gconstpointer data)
{
  const guint32 beyond[] = { 0x0100, 1, 2, 32 }, huge[] = { 0x0100, 0xffffffff, 2, 32 }, narrow[] = { 0x0100, 0, 2, 16 },
                wide[] = { 0x0100, 0, 2, 0x80000000 }, unknown[] = { 0x0777, 0 };

  g_assert_cmphex (ask (f, beyond, 16, 100, NULL), ==, BAD_MSG);
  g_assert_cmphex (ask (f, huge, 16, 100, NULL), ==, BAD_MSG);
  g_assert_cmphex (ask (f, narrow, 16, 100, NULL), ==, BAD_MSG);
  g_assert_cmphex (ask (f, wide, 16, 100, NULL), ==, BAD_MSG);
  g_assert_cmphex (ask (f, unknown, 2, 4, NULL), ==, BAD_MSG); /* cut off */
  g_assert_cmphex (ask (f, unknown, 8, 4, NULL), ==, NOT_SUPP);
  g_assert_cmphex (stream_request (f, 0x102, 2), ==, BAD_MSG);
}

static void
test_parameters (Fixture *f, gconstpointer data)
{
  const guint32 odd[] = { 0x101, 0, 1000, 999, 0, 2 | 5 << 8 | 7 << 16 },
                shared[] = { 0x101, 0, 1000, 1000, 1, 2 | 5 << 8 | 7 << 16 };

  g_assert_cmphex (set_params (f, 2, 2, 5, 7), ==, BAD_MSG);
  g_assert_cmphex (set_params (f, 0, 3, 5, 7), ==, NOT_SUPP);
  g_assert_cmphex (set_params (f, 0, 0, 5, 7), ==, NOT_SUPP);
  g_assert_cmphex (set_params (f, 0, 2, 6, 7), ==, NOT_SUPP);
  g_assert_cmphex (set_params (f, 0, 2, 255, 7), ==, NOT_SUPP);
  g_assert_cmphex (set_params (f, 0, 2, 5, 14), ==, NOT_SUPP);
  g_assert_cmphex (ask (f, odd, 24, 4, NULL), ==, BAD_MSG);
  g_assert_cmphex (ask (f, shared, 24, 4, NULL), ==, NOT_SUPP);
  g_assert_cmphex (set_params (f, 0, 1, 17, 13), ==, OK);
}

/* §5.14.6.6.1 */
static void
test_states (Fixture *f, gconstpointer data)
{
  g_assert_cmphex (stream_request (f, 0x102, 0), ==, BAD_MSG); /* prepare before parameters */
  g_assert_cmphex (stream_request (f, 0x104, 0), ==, BAD_MSG);
  g_assert_cmphex (set_params (f, 0, 2, 5, 7), ==, OK);
  g_assert_cmphex (stream_request (f, 0x104, 0), ==, BAD_MSG); /* start before prepare */
  g_assert_cmphex (stream_request (f, 0x102, 0), ==, OK);
  g_assert_cmphex (stream_request (f, 0x105, 0), ==, BAD_MSG); /* stop before start */
  g_assert_cmphex (stream_request (f, 0x104, 0), ==, OK);
  g_assert_cmphex (stream_request (f, 0x103, 0), ==, BAD_MSG); /* release while it runs */
  g_assert_cmphex (set_params (f, 0, 2, 5, 7), ==, BAD_MSG);
  g_assert_cmphex (stream_request (f, 0x105, 0), ==, OK);
  g_assert_cmphex (stream_request (f, 0x104, 0), ==, OK);
  g_assert_cmphex (stream_request (f, 0x105, 0), ==, OK);
  g_assert_cmphex (stream_request (f, 0x103, 0), ==, OK);
  g_assert_cmphex (stream_request (f, 0x102, 0), ==, OK);
  g_assert_cmphex (stream_request (f, 0x103, 0), ==, OK);
  g_assert_cmphex (set_params (f, 0, 2, 5, 7), ==, OK);
}

/* === Streams === */

static void
test_plays_by_the_clock (Fixture *f, gconstpointer data)
{
  prepare (f, 0);
  for (guint i = 0; i < 4; i++)
    send_period (f, 0);
  settle (f);
  test_advance_ns (f->board, 100 * MS);
  g_assert_cmpuint (virtio_host_used_idx (&f->host, TX), ==, 0); /* not before the start */
  g_assert_cmphex (stream_request (f, 0x104, 0), ==, OK);
  test_advance_ns (f->board, 10 * MS - 1);
  g_assert_cmpuint (virtio_host_used_idx (&f->host, TX), ==, 0);
  test_advance_ns (f->board, 1);
  g_assert_cmpuint (virtio_host_used_idx (&f->host, TX), ==, 1);
  g_assert_cmpuint (virtio_host_take (&f->host, TX, NULL), ==, 8);
  g_assert_cmphex (ram32 (f, STATUS), ==, OK);
  g_assert_cmphex (ram32 (f, STATUS + 8), ==, 0xffffffff);
  for (guint i = 1; i < 50; i++)
    {
      send_period (f, 0);
      settle (f);
      test_advance_ns (f->board, 10 * MS);
      g_assert_cmpuint (virtio_host_used_idx (&f->host, TX), ==, i + 1);
      g_assert_cmpuint (virtio_host_take (&f->host, TX, NULL), ==, 8);
    }
  g_assert_cmphex (stream_request (f, 0x105, 0), ==, OK);
  assert_played (f, 50 * PERIOD / 4);
}

/* Nothing to play: it waits, and goes on with the next buffer, in its full length. */
static void
test_dry_queue (Fixture *f, gconstpointer data)
{
  prepare (f, 0);
  g_assert_cmphex (stream_request (f, 0x104, 0), ==, OK);
  test_advance_ns (f->board, 55 * MS);
  for (guint i = 0; i < 3; i++)
    {
      send_period (f, 0);
      settle (f);
      g_assert_cmpuint (virtio_host_used_idx (&f->host, TX), ==, i);
      test_advance_ns (f->board, 10 * MS - 1);
      g_assert_cmpuint (virtio_host_used_idx (&f->host, TX), ==, i);
      test_advance_ns (f->board, 33 * MS);
      g_assert_cmpuint (virtio_host_used_idx (&f->host, TX), ==, i + 1);
    }
  assert_played (f, 3 * PERIOD / 4);
}

static void
test_pause_and_release (Fixture *f, gconstpointer data)
{
  prepare (f, 0);
  for (guint i = 0; i < 4; i++)
    send_period (f, 0);
  g_assert_cmphex (stream_request (f, 0x104, 0), ==, OK);
  test_advance_ns (f->board, 14 * MS);
  g_assert_cmphex (stream_request (f, 0x105, 0), ==, OK);
  test_advance_ns (f->board, 100 * MS);
  g_assert_cmpuint (virtio_host_used_idx (&f->host, TX), ==, 1);
  g_assert_cmphex (stream_request (f, 0x104, 0), ==, OK);
  test_advance_ns (f->board, 6 * MS);
  g_assert_cmpuint (virtio_host_used_idx (&f->host, TX), ==, 2);
  assert_played (f, 2 * PERIOD / 4);
  g_assert_cmphex (stream_request (f, 0x105, 0), ==, OK);
  /* §5.14.6.6.6: all come back before the answer. */
  g_assert_cmphex (stream_request (f, 0x103, 0), ==, OK);
  g_assert_cmpuint (virtio_host_used_idx (&f->host, TX), ==, 4);
}

static void
test_records (Fixture *f, gconstpointer data)
{
  gint16 samples[PERIOD / 2];

  prepare (f, 1);
  for (guint i = 0; i < 4; i++)
    offer_period (f);
  g_assert_cmphex (stream_request (f, 0x104, 1), ==, OK);
  test_advance_ns (f->board, 35 * MS);
  g_assert_cmpuint (virtio_host_used_idx (&f->host, RX), ==, 3);
  for (guint n = 0; n < 3; n++)
    {
      g_assert_cmpuint (virtio_host_take (&f->host, RX, NULL), ==, PERIOD + 8);
      g_assert_cmphex (ram32 (f, STATUS + 0x800 + n * 8), ==, OK);
      test_ram_read (f->board, DATA + 0x100000 + n * PERIOD, samples, PERIOD);
      for (guint i = 0; i < PERIOD / 4; i++)
        for (guint c = 0; c < 2; c++)
          g_assert_cmpint (samples[2 * i + c], ==, heard (n * PERIOD / 4 + i, c));
    }
}

static void
test_wrong_buffers (Fixture *f, gconstpointer data)
{
  const VirtioHostPiece bare[] = { { XFER, 2 }, { STATUS, 4 } };
  guint32 written;

  prepare (f, 0);
  g_assert_cmphex (stream_request (f, 0x104, 0), ==, OK);
  send_period (f, 1); /* the other's */
  settle (f);
  test_advance_ns (f->board, 6 * MS);
  g_assert_cmpuint (virtio_host_take (&f->host, TX, NULL), ==, 8);
  g_assert_cmphex (ram32 (f, STATUS), ==, BAD_MSG);
  virtio_host_add (&f->host, TX, bare, 1, 1); /* no header, no room for a status */
  virtio_host_kick (&f->host, TX);
  settle (f);
  test_advance_ns (f->board, 6 * MS);
  written = virtio_host_take (&f->host, TX, NULL);
  g_assert_cmpuint (written, ==, 0);
}

static void
test_reset_while_playing (Fixture *f, gconstpointer data)
{
  prepare (f, 0);
  for (guint i = 0; i < 4; i++)
    send_period (f, 0);
  g_assert_cmphex (stream_request (f, 0x104, 0), ==, OK);
  test_advance_ns (f->board, 14 * MS);
  virtio_host_set (&f->host, 0x14, 1, 0);
  g_assert_cmphex (virtio_host_get (&f->host, 0x14, 1), ==, 0);
  test_advance_ns (f->board, 100 * MS);
  virtio_host_start (&f->host, G_MAXUINT64, 64, TRUE);
  g_assert_cmphex (stream_request (f, 0x104, 0), ==, BAD_MSG);
  f->n_tx = 0;
  prepare (f, 0);
  g_assert_cmphex (stream_request (f, 0x104, 0), ==, OK);
  send_period (f, 0);
  settle (f);
  test_advance_ns (f->board, 10 * MS);
  g_assert_cmpuint (virtio_host_used_idx (&f->host, TX), ==, 1);
  test_board_reset (f->board, VMM_RESET_WARM);
  test_advance_ns (f->board, 100 * MS);
}

static void
test_machine_pause (Fixture *f, gconstpointer data)
{
  gsize gap;

  g_assert_true (vmm_fields_covers (f->dev->class->regs_fields, f->dev->class->regs_size, &gap));
  prepare (f, 0);
  for (guint i = 0; i < 4; i++)
    send_period (f, 0);
  g_assert_cmphex (stream_request (f, 0x104, 0), ==, OK);
  test_advance_ns (f->board, 14 * MS);
  f->dev->class->quiesce (f->dev);
  settle (f);
  f->dev->class->resume (f->dev);
  settle (f);
  test_advance_ns (f->board, 6 * MS);
  g_assert_cmpuint (virtio_host_used_idx (&f->host, TX), ==, 2);
  test_advance_ns (f->board, 20 * MS);
  assert_played (f, 4 * PERIOD / 4);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, func) g_test_add (path, Fixture, NULL, set_up, func, tear_down)
  ADD ("/virtio-snd/identity", test_identity);
  ADD ("/virtio-snd/requests/information", test_information);
  ADD ("/virtio-snd/requests/wrong", test_wrong_requests);
  ADD ("/virtio-snd/requests/parameters", test_parameters);
  ADD ("/virtio-snd/requests/states", test_states);
  ADD ("/virtio-snd/output/plays-by-the-clock", test_plays_by_the_clock);
  ADD ("/virtio-snd/output/dry-queue", test_dry_queue);
  ADD ("/virtio-snd/output/pause-and-release", test_pause_and_release);
  ADD ("/virtio-snd/input/records", test_records);
  ADD ("/virtio-snd/wrong/buffers", test_wrong_buffers);
  ADD ("/virtio-snd/reset/while-playing", test_reset_while_playing);
  ADD ("/virtio-snd/time/machine-pause", test_machine_pause);
  return g_test_run ();
}
