/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: High Definition Audio 1.0a (sections named), the ICH6's PCI header, and the sequences of Linux' snd-hda-intel. */
#include "pci/pci.h"
#include "test-board.h"

#include <glib/gstdio.h>
#include <string.h>

#define DEVFN VMM_PCI_DEVFN (2, 0) /* the first free place */
#define GSI (16 + 4 + 2)           /* slot 2, INTA: PIRQG */
#define BAR 0xfe000000u
#define CORB 0x100000u
#define RIRB 0x100800u
#define POSITIONS 0x101000u
#define BDL 0x102000u
#define BUFFER 0x200000u
#define OUT 4 /* the first output stream */
#define IN 0
#define MS G_GINT64_CONSTANT (1000000)

/* 48 kHz, 16 bits, two channels: 192 bytes a millisecond */
#define FORMAT 0x0011
#define BYTES_PER_MS 192u
#define ENTRY_BYTES 1920u /* 10 ms */
#define ENTRIES 4u
#define CYCLE (ENTRY_BYTES * ENTRIES)

typedef struct {
  TestBoard *board;
  char *dir, *file, *input;
  VmmDevice *dev;
  guint8 corb_wp, rirb_rp;
} Fixture;

/* === A small driver === */

static guint32
rd (Fixture *f, guint reg, guint size)
{
  return (guint32) test_read (f->board, BAR + reg, size);
}

static void
wr (Fixture *f, guint reg, guint size, guint32 value)
{
  test_write (f->board, BAR + reg, size, value);
}

static guint
sd (guint stream, guint reg)
{
  return 0x80 + stream * 0x20 + reg;
}

static void
link_up (Fixture *f)
{
  wr (f, 0x08, 4, 0);
  g_assert_cmphex (rd (f, 0x08, 4), ==, 0);
  wr (f, 0x08, 4, 1);
  g_assert_cmphex (rd (f, 0x08, 4), ==, 1);
}

/* Linux: snd_hdac_bus_init_cmd_io(). */
static void
start_rings (Fixture *f, guint interrupt_count)
{
  wr (f, 0x40, 4, CORB);
  wr (f, 0x44, 4, 0);
  wr (f, 0x4e, 1, 0x02);
  wr (f, 0x48, 2, 0);
  wr (f, 0x4a, 2, 0x8000);
  g_assert_cmphex (rd (f, 0x4a, 2), ==, 0x8000);
  wr (f, 0x4a, 2, 0);
  g_assert_cmphex (rd (f, 0x4a, 2), ==, 0);
  wr (f, 0x4c, 1, 0x02);
  wr (f, 0x50, 4, RIRB);
  wr (f, 0x54, 4, 0);
  wr (f, 0x5e, 1, 0x02);
  wr (f, 0x58, 2, 0x8000);
  wr (f, 0x5a, 2, interrupt_count);
  wr (f, 0x5c, 1, 0x03);
  f->corb_wp = f->rirb_rp = 0;
}

static void
send (Fixture *f, guint32 verb)
{
  f->corb_wp++;
  test_ram_write (f->board, CORB + f->corb_wp * 4u, &verb, 4);
}

static void
kick (Fixture *f)
{
  wr (f, 0x48, 1, f->corb_wp);
}

static guint32
next_response (Fixture *f)
{
  guint32 words[2];

  g_assert_cmpuint (rd (f, 0x58, 1), !=, f->rirb_rp);
  f->rirb_rp++;
  test_ram_read (f->board, RIRB + f->rirb_rp * 8u, words, 8);
  g_assert_cmphex (words[1], ==, 0);
  return words[0];
}

/* By the immediate registers (§3.4). */
static guint32
verb (Fixture *f, guint node, guint code, guint value)
{
  wr (f, 0x68, 2, 0x2);
  wr (f, 0x60, 4, node << 20 | (code < 16 ? code << 16 : code << 8) | value);
  wr (f, 0x68, 2, 0x1);
  g_assert_cmphex (rd (f, 0x68, 2) & 3, ==, 0x2);
  return rd (f, 0x64, 4);
}

static guint32
parameter (Fixture *f, guint node, guint number)
{
  return verb (f, node, 0xf00, number);
}

static void
set_entry (Fixture *f, guint index, guint64 address, guint32 length, guint32 flags)
{
  guint32 words[4] = { (guint32) address, (guint32) (address >> 32), length, flags };

  test_ram_write (f->board, BDL + index * 16, words, 16);
}

static gint16
tone (guint frame, guint channel)
{
  return (gint16) (channel == 0 ? frame % 480 * 60 : 0u - frame % 240 * 70);
}

/* The cyclic buffer holds a whole number of periods of the tone. */
static void
fill_buffer (Fixture *f)
{
  gint16 samples[CYCLE / 2];

  for (guint i = 0; i < CYCLE / 4; i++)
    for (guint c = 0; c < 2; c++)
      samples[2 * i + c] = tone (i, c);
  test_ram_write (f->board, BUFFER, samples, sizeof samples);
}

/* Linux: snd_hdac_stream_setup(). */
static void
set_up_stream (Fixture *f, guint stream, guint tag, guint flags)
{
  wr (f, sd (stream, 0), 1, 0x01);
  g_assert_cmphex (rd (f, sd (stream, 0), 1) & 1, ==, 1);
  wr (f, sd (stream, 0), 1, 0x00);
  g_assert_cmphex (rd (f, sd (stream, 0), 1) & 1, ==, 0);
  for (guint i = 0; i < ENTRIES; i++)
    set_entry (f, i, BUFFER + i * ENTRY_BYTES, ENTRY_BYTES, flags);
  wr (f, sd (stream, 0), 4, tag << 20);
  wr (f, sd (stream, 0x08), 4, CYCLE);
  wr (f, sd (stream, 0x12), 2, FORMAT);
  wr (f, sd (stream, 0x0c), 2, ENTRIES - 1);
  wr (f, sd (stream, 0x18), 4, BDL);
  wr (f, sd (stream, 0x1c), 4, 0);
}

static void
set_up_playback (Fixture *f)
{
  link_up (f);
  fill_buffer (f);
  set_up_stream (f, OUT, 5, 1);
  verb (f, 2, 0x706, 5 << 4);
  verb (f, 2, 0x2, FORMAT);
  wr (f, 0x20, 4, 0x80000000u | 1u << OUT);
}

static void
run (Fixture *f, guint stream)
{
  wr (f, sd (stream, 0), 1, rd (f, sd (stream, 0), 1) | 0x1e);
}

static void
stop (Fixture *f, guint stream)
{
  wr (f, sd (stream, 0), 1, rd (f, sd (stream, 0), 1) & ~0x1eu);
}

static guint32
lpib (Fixture *f, guint stream)
{
  return rd (f, sd (stream, 0x04), 4);
}

static guint
status (Fixture *f, guint stream)
{
  return rd (f, sd (stream, 0x03), 1);
}

/* What the WAV file holds so far; the samples as they are. */
static gint16 *
played (Fixture *f, gsize *ret_frames)
{
  g_autofree char *contents = NULL;
  gsize size;

  test_board_settle (f->board);
  g_assert_true (g_file_get_contents (f->file, &contents, &size, NULL));
  if (size == 0)
    {
      *ret_frames = 0;
      return NULL;
    }
  g_assert_cmpuint (size, >=, 44);
  *ret_frames = (size - 44) / 4;
  return g_memdup2 (contents + 44, size - 44);
}

/* Input for recording: a ramp. */
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
  f->dir = g_dir_make_tmp ("lodge-hda-XXXXXX", NULL);
  f->file = g_build_filename (f->dir, "played.wav", NULL);
  f->input = g_build_filename (f->dir, "heard.wav", NULL);
  make_input (f->input);
  f->board = test_board_new ();
  f->dev = test_board_add (f->board, "hda", "sound0", "backend", "wav", "file", f->file, "input-file", f->input, NULL);
  test_pci_write (f->board, DEVFN, 0x10, 4, BAR);
  test_pci_write (f->board, DEVFN, 0x04, 2, 0x0006);
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

/* === Controller === */

static void
test_identity (Fixture *f, gconstpointer data)
{
  g_assert_cmphex (test_pci_read (f->board, DEVFN, 0x00, 4), ==, 0x26688086);
  g_assert_cmphex (test_pci_read (f->board, DEVFN, 0x08, 4), ==, 0x04030001);
  g_assert_cmphex (test_pci_read (f->board, DEVFN, 0x2c, 4), ==, 0x11001af4);
  g_assert_cmphex (test_pci_read (f->board, DEVFN, 0x3d, 1), ==, 1);
  g_assert_cmphex (test_pci_read (f->board, DEVFN, 0x40, 1), ==, 1);
  test_pci_write (f->board, DEVFN, 0x10, 4, 0xffffffff);
  g_assert_cmphex (test_pci_read (f->board, DEVFN, 0x10, 4), ==, 0xffffc000);
}

/* §3.3: values at the start; nothing but GCTL takes writes in reset. */
static void
test_start_values (Fixture *f, gconstpointer data)
{
  g_assert_cmphex (rd (f, 0x00, 2), ==, 0x4401);
  g_assert_cmphex (rd (f, 0x02, 1), ==, 0);
  g_assert_cmphex (rd (f, 0x03, 1), ==, 1);
  g_assert_cmphex (rd (f, 0x04, 2), ==, 0x3c);
  g_assert_cmphex (rd (f, 0x06, 2), ==, 0x1d);
  g_assert_cmphex (rd (f, 0x08, 4), ==, 0);
  g_assert_cmphex (rd (f, 0x0e, 2), ==, 0);
  wr (f, 0x20, 4, 0xffffffff);
  g_assert_cmphex (rd (f, 0x20, 4), ==, 0);
  link_up (f);
  g_assert_cmphex (rd (f, 0x0e, 2), ==, 1);
  wr (f, 0x0e, 2, 0x7fff);
  g_assert_cmphex (rd (f, 0x0e, 2), ==, 0);
  wr (f, 0x20, 4, 0xffffffff);
  g_assert_cmphex (rd (f, 0x20, 4), ==, 0xc00000ff);
  g_assert_cmphex (rd (f, 0x4e, 1), ==, 0x42);
  g_assert_cmphex (rd (f, 0x5e, 1), ==, 0x42);
  wr (f, 0x18 + 0x80, 4, 0xffffffff); /* addresses of buffers: 128-byte aligned */
  g_assert_cmphex (rd (f, 0x18 + 0x80, 4), ==, 0xffffff80);
  wr (f, 0x08, 4, 0);
  wr (f, 0x08, 4, 1);
  g_assert_cmphex (rd (f, 0x20, 4), ==, 0);
  g_assert_cmphex (rd (f, 0x18 + 0x80, 4), ==, 0);
}

static void
test_wall_clock (Fixture *f, gconstpointer data)
{
  link_up (f);
  test_advance_ns (f->board, 1000 * MS);
  g_assert_cmpuint (rd (f, 0x30, 4), ==, 24000000);
  g_assert_cmpuint (rd (f, 0x2030, 4), ==, 24000000);
  test_advance_ns (f->board, 500);
  g_assert_cmpuint (rd (f, 0x30, 4), ==, 24000012);
}

static void
test_wake_interrupt (Fixture *f, gconstpointer data)
{
  wr (f, 0x0c, 2, 1);
  link_up (f);
  g_assert_false (test_irq_level (f->board, GSI));
  wr (f, 0x20, 4, 0xc0000000u);
  g_assert_true (test_irq_level (f->board, GSI));
  g_assert_cmphex (rd (f, 0x24, 4), ==, 0xc0000000u);
  wr (f, 0x0e, 2, 1);
  g_assert_false (test_irq_level (f->board, GSI));
  g_assert_cmphex (rd (f, 0x24, 4), ==, 0);
}

/* === Verbs === */

static void
test_rings (Fixture *f, gconstpointer data)
{
  link_up (f);
  start_rings (f, 1);
  wr (f, 0x20, 4, 0xc0000000u);
  send (f, 0x000f0000);
  kick (f);
  g_assert_cmphex (rd (f, 0x4a, 2), ==, 1);
  g_assert_cmphex (rd (f, 0x58, 2), ==, 1);
  g_assert_cmphex (next_response (f), ==, 0x1af40022);
  g_assert_cmphex (rd (f, 0x5d, 1), ==, 1);
  g_assert_true (test_irq_level (f->board, GSI));
  wr (f, 0x5d, 1, 5);
  g_assert_false (test_irq_level (f->board, GSI));
  /* Around the ring's end, many at once. */
  for (guint i = 0; i < 300; i++)
    {
      send (f, 0x000f0000 + (i % 2) * 0x02);
      if (i % 3 == 2)
        kick (f);
    }
  g_assert_cmphex (rd (f, 0x58, 2), ==, 301 % 256);
  g_assert_cmphex (rd (f, 0x4a, 2), ==, 301 % 256);
  for (guint i = 0; i < 300; i++)
    if (i >= 300 - 255)
      {
        f->rirb_rp = (guint8) (i + 1);
        g_assert_cmphex (next_response (f), ==, i % 2 == 0 ? 0x1af40022 : 0x00100101);
      }
}

/* A codec that is not there gives no response; the one behind it is not held up. */
static void
test_absent_codec (Fixture *f, gconstpointer data)
{
  link_up (f);
  start_rings (f, 1);
  send (f, 0x100f0000);
  send (f, 0x000f0000);
  kick (f);
  g_assert_cmphex (rd (f, 0x58, 2), ==, 1);
  g_assert_cmphex (next_response (f), ==, 0x1af40022);
  wr (f, 0x60, 4, 0x100f0000);
  wr (f, 0x68, 2, 1);
  g_assert_cmphex (rd (f, 0x68, 2) & 2, ==, 0);
}

static void
test_commands_wait_for_response_ring (Fixture *f, gconstpointer data)
{
  link_up (f);
  start_rings (f, 1);
  wr (f, 0x5c, 1, 0);
  send (f, 0x000f0000);
  kick (f);
  g_assert_cmphex (rd (f, 0x4a, 2), ==, 0);
  wr (f, 0x5c, 1, 3);
  g_assert_cmphex (rd (f, 0x4a, 2), ==, 1);
  g_assert_cmphex (next_response (f), ==, 0x1af40022);
}

/* The tree as a driver walks it (§7.3.4). */
static void
test_codec_tree (Fixture *f, gconstpointer data)
{
  guint type[2] = { 0, 0 };

  link_up (f);
  g_assert_cmphex (parameter (f, 0, 0x00), ==, 0x1af40022);
  g_assert_cmphex (parameter (f, 0, 0x04), ==, 0x00010001);
  g_assert_cmphex (parameter (f, 1, 0x05) & 0xff, ==, 1); /* an audio function group */
  g_assert_cmphex (parameter (f, 1, 0x04), ==, 0x00020004);
  for (guint node = 2; node < 6; node++)
    {
      guint32 caps = parameter (f, node, 0x09);

      switch (caps >> 20 & 0xf)
        {
        case 0: /* DAC, with its own formats: 16, 20, 24 bits, 44.1, 48, 96 kHz; PCM */
        case 1: /* ADC */
          type[caps >> 20 & 0xf]++;
          g_assert_cmphex (caps & 0x11, ==, 0x11);
          g_assert_cmphex (parameter (f, node, 0x0a), ==, 0x000e0160);
          g_assert_cmphex (parameter (f, node, 0x0b), ==, 1);
          break;
        case 4: /* a pin is a jack; what the codec says it does is what the pin can */
          {
            guint32 config = verb (f, node, 0xf1c, 0), pin = parameter (f, node, 0x0c);

            g_assert_cmphex (config >> 30, ==, 0);
            g_assert_cmphex (config >> 20 & 0xf, ==, (pin & 0x10) != 0 ? 0 : 8); /* line out, line in */
            g_assert_cmphex (pin & 0x30, !=, 0);
            g_assert_cmphex (verb (f, node, 0xf07, 0), ==, (pin & 0x10) != 0 ? 0x40 : 0x20);
            break;
          }
        default:
          g_assert_not_reached ();
        }
      if ((caps & 0x100) != 0) /* its only connection is a node of the tree */
        {
          g_assert_cmpuint (parameter (f, node, 0x0e), ==, 1);
          g_assert_cmpuint (verb (f, node, 0xf02, 0), >=, 2);
          g_assert_cmpuint (verb (f, node, 0xf02, 0), <, 6);
        }
    }
  g_assert_cmpuint (type[0], ==, 1);
  g_assert_cmpuint (type[1], ==, 1);
}

static void
test_codec_registers (Fixture *f, gconstpointer data)
{
  link_up (f);
  verb (f, 2, 0x2, 0x4031);
  g_assert_cmphex (verb (f, 2, 0xa, 0), ==, 0x4031);
  verb (f, 2, 0x706, 0x51);
  g_assert_cmphex (verb (f, 2, 0xf06, 0), ==, 0x51);
  /* Amplifiers: left and right apart; output at the DAC, input at the ADC (§7.3.3.7) */
  verb (f, 2, 0x3, 0xa020);
  verb (f, 2, 0x3, 0x9090);
  g_assert_cmphex (verb (f, 2, 0xb, 0xa000), ==, 0x20);
  g_assert_cmphex (verb (f, 2, 0xb, 0x8000), ==, 0x90);
  verb (f, 4, 0x3, 0xa000); /* the ADC has no output amplifier */
  g_assert_cmphex (verb (f, 4, 0xb, 0x2000), ==, 0x4a);
  verb (f, 4, 0x3, 0x7011);
  g_assert_cmphex (verb (f, 4, 0xb, 0x0000), ==, 0x11);
  verb (f, 1, 0x705, 3);
  g_assert_cmphex (verb (f, 1, 0xf05, 0), ==, 0x33);
  verb (f, 3, 0x71f, 0x41);
  g_assert_cmphex (verb (f, 3, 0xf1c, 0) >> 24, ==, 0x41);
  /* A function reset keeps the pins' configuration. */
  verb (f, 1, 0x7ff, 0);
  g_assert_cmphex (verb (f, 2, 0xf06, 0), ==, 0);
  g_assert_cmphex (verb (f, 2, 0xb, 0x8000), ==, 0x4a);
  g_assert_cmphex (verb (f, 3, 0xf1c, 0) >> 24, ==, 0x41);
  link_up (f);
  g_assert_cmphex (verb (f, 3, 0xf1c, 0) >> 24, ==, 0x01);
}

/* === Playing === */

static void
test_plays_tone (Fixture *f, gconstpointer data)
{
  g_autofree gint16 *samples = NULL;
  gsize frames;

  set_up_playback (f);
  run (f, OUT);
  g_assert_cmphex (status (f, OUT), ==, 0x20); /* FIFORDY */
  test_advance_ns (f->board, 500 * MS);
  stop (f, OUT);
  test_advance_ns (f->board, 100 * MS);
  samples = played (f, &frames);
  g_assert_cmpuint (frames, ==, 24000);
  for (guint i = 0; i < frames; i++)
    for (guint c = 0; c < 2; c++)
      if (samples[2 * i + c] != tone (i, c))
        g_error ("frame %u: %d, not %d", i, samples[2 * i + c], tone (i, c));
}

static void
test_position_is_the_clocks (Fixture *f, gconstpointer data)
{
  gint64 now_ns = 0;

  set_up_playback (f);
  run (f, OUT);
  g_assert_cmpuint (lpib (f, OUT), ==, 0);
  for (guint i = 0; i < 2000; i++)
    {
      gint64 step = 1 + (gint64) i * 7919 % 1700000;

      test_advance_ns (f->board, step);
      now_ns += step;
      g_assert_cmpuint (lpib (f, OUT), ==, (guint64) now_ns * 48000 / 1000000000 * 4 % CYCLE);
    }
  g_assert_cmpuint (rd (f, 0x2084 + OUT * 0x20, 4), ==, lpib (f, OUT));
}

static void
test_interrupt_at_each_entry (Fixture *f, gconstpointer data)
{
  set_up_playback (f);
  set_entry (f, 1, BUFFER + ENTRY_BYTES, ENTRY_BYTES, 0); /* the second doesn't ask for one */
  run (f, OUT);
  test_advance_ns (f->board, 10 * MS - 1);
  g_assert_cmphex (status (f, OUT) & 0x1c, ==, 0);
  test_advance_ns (f->board, 1);
  g_assert_true (test_irq_level (f->board, GSI));
  g_assert_cmphex (rd (f, 0x24, 4), ==, 0x80000000u | 1u << OUT);
  g_assert_cmphex (status (f, OUT) & 0x1c, ==, 0x04);
  g_assert_cmpuint (lpib (f, OUT), ==, ENTRY_BYTES);
  wr (f, sd (OUT, 3), 1, 0x1c);
  g_assert_false (test_irq_level (f->board, GSI));
  test_advance_ns (f->board, 20 * MS - 1);
  g_assert_false (test_irq_level (f->board, GSI));
  test_advance_ns (f->board, 1);
  g_assert_true (test_irq_level (f->board, GSI));
  wr (f, sd (OUT, 3), 1, 0x1c);
  test_advance_ns (f->board, 10 * MS);
  g_assert_true (test_irq_level (f->board, GSI));
  g_assert_cmpuint (lpib (f, OUT), ==, 0);
  /* Without the enables it is told but not heard. */
  wr (f, 0x20, 4, 0x80000000u);
  g_assert_false (test_irq_level (f->board, GSI));
  g_assert_cmphex (rd (f, 0x24, 4), ==, 1u << OUT);
}

static void
test_message_for_each_entry (Fixture *f, gconstpointer data)
{
  test_pci_write (f->board, DEVFN, 0x64, 4, 0xfee01000);
  test_pci_write (f->board, DEVFN, 0x6c, 2, 0x4051);
  test_pci_write (f->board, DEVFN, 0x62, 2, 0x0001);
  set_up_playback (f);
  run (f, OUT);
  for (guint i = 1; i <= 10; i++)
    {
      test_advance_ns (f->board, 10 * MS);
      g_assert_cmpuint (test_msi_count (f->board), ==, i);
      wr (f, sd (OUT, 3), 1, 0x1c);
    }
  g_assert_cmphex (test_msi_get (f->board, 0).address, ==, 0xfee01000);
  g_assert_cmphex (test_msi_get (f->board, 0).data, ==, 0x4051);
  /* One that is not acknowledged yet stands for those that follow. */
  test_advance_ns (f->board, 30 * MS);
  g_assert_cmpuint (test_msi_count (f->board), ==, 11);
  g_assert_cmpuint (test_irq_rises (f->board, GSI), ==, 0);
}

static void
test_position_buffer (Fixture *f, gconstpointer data)
{
  guint32 position, last = 0;

  set_up_playback (f);
  wr (f, 0x70, 4, POSITIONS | 1);
  wr (f, 0x74, 4, 0);
  run (f, OUT);
  for (guint i = 0; i < 30; i++)
    {
      test_advance_ns (f->board, MS);
      test_ram_read (f->board, POSITIONS + OUT * 8, &position, 4);
      g_assert_cmpuint (position, >=, last); /* at most 5 ms old */
      g_assert_cmpuint (position + 6 * BYTES_PER_MS, >, (i + 1) * BYTES_PER_MS);
      last = position;
    }
  g_assert_cmpuint (lpib (f, OUT), ==, 30 * BYTES_PER_MS);
  test_ram_read (f->board, POSITIONS + OUT * 8, &position, 4);
  g_assert_cmpuint (position, ==, 30 * BYTES_PER_MS);
}

static void
test_pause_keeps_position (Fixture *f, gconstpointer data)
{
  g_autofree gint16 *samples = NULL;
  gsize frames;

  set_up_playback (f);
  run (f, OUT);
  test_advance_ns (f->board, 13 * MS);
  stop (f, OUT);
  g_assert_cmpuint (lpib (f, OUT), ==, 13 * BYTES_PER_MS);
  test_advance_ns (f->board, 100 * MS);
  g_assert_cmpuint (lpib (f, OUT), ==, 13 * BYTES_PER_MS);
  run (f, OUT);
  test_advance_ns (f->board, 4 * MS);
  g_assert_cmpuint (lpib (f, OUT), ==, 17 * BYTES_PER_MS);
  samples = played (f, &frames);
  g_assert_cmpuint (frames, ==, 17 * 48);
  for (guint i = 0; i < frames; i++)
    g_assert_cmpint (samples[2 * i], ==, tone (i, 0));
}

/* §4.5.4: prepared with SSYNC, let go together. */
static void
test_synchronous_start (Fixture *f, gconstpointer data)
{
  set_up_playback (f);
  set_up_stream (f, OUT + 1, 6, 0);
  wr (f, 0x34, 4, 3u << OUT);
  g_assert_cmphex (rd (f, 0x38, 4), ==, 3u << OUT);
  run (f, OUT);
  test_advance_ns (f->board, 3 * MS);
  run (f, OUT + 1);
  test_advance_ns (f->board, 30 * MS);
  g_assert_cmphex (status (f, OUT), ==, 0x20);
  g_assert_cmpuint (lpib (f, OUT), ==, 0);
  wr (f, 0x34, 4, 0);
  test_advance_ns (f->board, 5 * MS);
  g_assert_cmpuint (lpib (f, OUT), ==, 5 * BYTES_PER_MS);
  g_assert_cmpuint (lpib (f, OUT + 1), ==, 5 * BYTES_PER_MS);
}

static void
test_volume (Fixture *f, gconstpointer data)
{
  g_autofree gint16 *samples = NULL;
  gsize frames;

  set_up_playback (f);
  verb (f, 2, 0x3, 0xa000 | (0x4a - 20)); /* left: 20 dB down */
  verb (f, 2, 0x3, 0x9080 | 0x4a);        /* right: mute */
  run (f, OUT);
  test_advance_ns (f->board, 20 * MS);
  samples = played (f, &frames);
  g_assert_cmpuint (frames, ==, 960);
  for (guint i = 0; i < frames; i++)
    {
      g_assert_cmpint (ABS (samples[2 * i] - tone (i, 0) / 10), <=, 1);
      g_assert_cmpint (samples[2 * i + 1], ==, 0);
    }
}

/* Nobody hears a stream with another tag, or with the pin switched off; the position moves all the same. */
static void
test_not_connected (Fixture *f, gconstpointer data)
{
  g_autofree gint16 *samples = NULL;
  gsize frames;

  set_up_playback (f);
  verb (f, 2, 0x706, 7 << 4);
  run (f, OUT);
  test_advance_ns (f->board, 10 * MS);
  g_assert_cmpuint (lpib (f, OUT), ==, 10 * BYTES_PER_MS);
  g_assert_null (played (f, &frames));
  verb (f, 3, 0x707, 0);
  verb (f, 2, 0x706, 5 << 4);
  test_advance_ns (f->board, 10 * MS);
  samples = played (f, &frames);
  g_assert_cmpuint (frames, ==, 480);
  for (guint i = 0; i < 2 * frames; i++)
    g_assert_cmpint (samples[i], ==, 0);
}

/* 96 kHz, 24 bits in 32, and one channel of 8 bits at 48/6 kHz (§3.7.1, §4.5.1). */
static void
test_other_formats (Fixture *f, gconstpointer data)
{
  g_autofree char *second = g_build_filename (f->dir, "played-2.wav", NULL);
  g_autofree char *contents = NULL, *second_contents = NULL;
  gsize size;
  guint8 bytes[CYCLE];

  set_up_playback (f);
  wr (f, sd (OUT, 0x12), 2, 0x0831);
  for (guint i = 0; i < sizeof bytes; i++)
    bytes[i] = (guint8) (i % 4 == 0 ? 0 : i / 4);
  test_ram_write (f->board, BUFFER, bytes, sizeof bytes);
  run (f, OUT);
  test_advance_ns (f->board, 5 * MS);
  g_assert_cmpuint (lpib (f, OUT), ==, 5 * 96 * 8);
  stop (f, OUT);
  test_board_settle (f->board);
  g_assert_true (g_file_get_contents (f->file, &contents, &size, NULL));
  g_assert_cmpuint (size, ==, 44 + 5 * 96 * 8);
  g_assert_cmpmem (contents + 44, size - 44, bytes, size - 44);

  set_up_stream (f, OUT, 5, 0);
  wr (f, sd (OUT, 0x12), 2, 0x0500);
  memset (bytes, 0x80 + 0x21, sizeof bytes);
  test_ram_write (f->board, BUFFER, bytes, sizeof bytes);
  run (f, OUT);
  test_advance_ns (f->board, 5 * MS);
  g_assert_cmpuint (lpib (f, OUT), ==, 5 * 8);
  stop (f, OUT);
  test_board_settle (f->board);
  g_assert_true (g_file_get_contents (second, &second_contents, &size, NULL));
  g_assert_cmpuint (size, ==, 44 + 5 * 8 * 4);
  for (guint i = 44; i < size; i += 2)
    g_assert_cmphex ((guint8) second_contents[i] | (guint8) second_contents[i + 1] << 8, ==, 0x2100);
  g_unlink (second);
}

/* === Recording === */

static void
test_records (Fixture *f, gconstpointer data)
{
  gint16 samples[CYCLE / 2];

  link_up (f);
  set_up_stream (f, IN, 3, 1);
  verb (f, 4, 0x706, 3 << 4);
  verb (f, 4, 0x2, FORMAT);
  wr (f, 0x20, 4, 0x80000000u | 1u << IN);
  run (f, IN);
  test_advance_ns (f->board, 10 * MS);
  g_assert_true (test_irq_level (f->board, GSI));
  test_advance_ns (f->board, 30 * MS);
  g_assert_cmpuint (lpib (f, IN), ==, 0);
  test_ram_read (f->board, BUFFER, samples, sizeof samples);
  for (guint i = 0; i < CYCLE / 4; i++)
    for (guint c = 0; c < 2; c++)
      g_assert_cmpint (samples[2 * i + c], ==, heard (i, c));
  /* Muted: zeros come. */
  verb (f, 4, 0x3, 0x7080);
  test_advance_ns (f->board, 10 * MS);
  test_ram_read (f->board, BUFFER, samples, sizeof samples);
  for (guint i = 0; i < ENTRY_BYTES / 2; i++)
    g_assert_cmpint (samples[i], ==, 0);
  g_assert_cmpint (samples[ENTRY_BYTES / 2], ==, heard (ENTRY_BYTES / 4, 0));
}

/* === Resets, and what a driver may do wrong === */

static void
test_resets_under_load (Fixture *f, gconstpointer data)
{
  for (guint i = 0; i < 4; i++)
    {
      set_up_playback (f);
      run (f, OUT);
      test_advance_ns (f->board, 25 * MS);
      g_assert_true (test_irq_level (f->board, GSI));
      switch (i)
        {
        case 0:
          wr (f, sd (OUT, 0), 1, 1);
          break;
        case 1:
          wr (f, 0x08, 4, 0);
          break;
        default:
          test_board_reset (f->board, i == 2 ? VMM_RESET_WARM : VMM_RESET_COLD);
          test_pci_write (f->board, DEVFN, 0x10, 4, BAR);
          test_pci_write (f->board, DEVFN, 0x04, 2, 0x0006);
          g_assert_cmphex (rd (f, 0x08, 4), ==, 0);
          g_assert_cmphex (rd (f, 0x0e, 2), ==, 0);
        }
      g_assert_false (test_irq_level (f->board, GSI));
      test_advance_ns (f->board, 100 * MS);
      g_assert_false (test_irq_level (f->board, GSI));
      g_assert_cmpuint (lpib (f, OUT), ==, 0);
    }
}

static void
test_bad_lists_end_the_stream (Fixture *f, gconstpointer data)
{
  for (guint i = 0; i < 4; i++)
    {
      set_up_playback (f);
      switch (i)
        {
        case 0: /* the list lies nowhere */
          wr (f, sd (OUT, 0x1c), 4, 0x40);
          break;
        case 1: /* an entry lies nowhere */
          set_entry (f, 1, G_MAXUINT64 - 100, ENTRY_BYTES, 1);
          break;
        case 2: /* an empty entry */
          set_entry (f, 1, BUFFER, 0, 1);
          break;
        default: /* no bus mastering */
          test_pci_write (f->board, DEVFN, 0x04, 2, 0x0002);
        }
      run (f, OUT);
      test_advance_ns (f->board, 100 * MS);
      g_assert_cmphex (status (f, OUT) & 0x10, ==, 0x10); /* DESE */
      g_assert_cmpuint (lpib (f, OUT), <=, ENTRY_BYTES);
      test_pci_write (f->board, DEVFN, 0x04, 2, 0x0006);
      /* A new start is a new chance. */
      set_up_playback (f);
      run (f, OUT);
      test_advance_ns (f->board, 15 * MS);
      g_assert_cmpuint (lpib (f, OUT), ==, 15 * BYTES_PER_MS);
    }
}

static void
test_odd_settings_are_survived (Fixture *f, gconstpointer data)
{
  set_up_playback (f);
  wr (f, sd (OUT, 0x08), 4, 0); /* no cycle */
  run (f, OUT);
  test_advance_ns (f->board, 100 * MS);
  g_assert_cmpuint (lpib (f, OUT), ==, 0);
  stop (f, OUT);
  wr (f, sd (OUT, 0x08), 4, 1);      /* a cycle shorter than a frame */
  wr (f, sd (OUT, 0x12), 2, 0x187f); /* not a format */
  run (f, OUT);
  test_advance_ns (f->board, 100 * MS);
  g_assert_cmpuint (lpib (f, OUT), ==, 0);
  stop (f, OUT);
  wr (f, sd (OUT, 0x12), 2, 0x184f); /* 192 kHz, 32 bits, 16 channels */
  run (f, OUT);
  test_advance_ns (f->board, 100 * MS);
  stop (f, OUT);
  for (guint i = 0; i < ENTRIES; i++)
    set_entry (f, i, BUFFER, 1, 1); /* entries of a byte */
  wr (f, sd (OUT, 0x08), 4, 0xffffffff);
  run (f, OUT);
  test_advance_ns (f->board, 100 * MS);
  /* Writes while it runs change nothing. */
  wr (f, sd (OUT, 0x08), 4, 4);
  wr (f, sd (OUT, 0x12), 2, 0);
  g_assert_cmphex (rd (f, sd (OUT, 0x08), 4), ==, 0xffffffff);
  g_assert_cmphex (rd (f, sd (OUT, 0x12), 2), ==, 0x184f);
}

static void
test_goes_on_for_long (Fixture *f, gconstpointer data)
{
  set_up_playback (f);
  run (f, OUT);
  test_advance_ns (f->board, 3 * MS);
  for (guint i = 0; i < 30; i++)
    test_advance_ns (f->board, 1000 * MS);
  g_assert_cmpuint (lpib (f, OUT), ==, 30003 * (guint64) BYTES_PER_MS % CYCLE);
}

static void
test_machine_pause (Fixture *f, gconstpointer data)
{
  set_up_playback (f);
  run (f, OUT);
  test_advance_ns (f->board, 7 * MS);
  f->dev->class->quiesce (f->dev);
  test_advance_ns (f->board, 0);
  g_assert_cmpuint (lpib (f, OUT), ==, 7 * BYTES_PER_MS);
  f->dev->class->resume (f->dev);
  test_advance_ns (f->board, 3 * MS);
  g_assert_true (test_irq_level (f->board, GSI));
  g_assert_cmpuint (lpib (f, OUT), ==, ENTRY_BYTES);
}

static void
test_fields_cover_the_state (Fixture *f, gconstpointer data)
{
  gsize gap = 0;

  g_assert_true (vmm_fields_covers (f->dev->class->regs_fields, f->dev->class->regs_size, &gap));
}

/* The state in the middle of playing, put into a second machine: it goes on at the same place. */
static void
test_state_goes_on (Fixture *f, gconstpointer data)
{
  g_autofree guint8 *regs = NULL;
  const VmmDeviceClass *class = f->dev->class;

  set_up_playback (f);
  run (f, OUT);
  test_advance_ns (f->board, 12 * MS);
  class->quiesce (f->dev);
  regs = g_memdup2 ((guint8 *) f->dev + class->regs_offset, class->regs_size);
  vmm_device_lock (f->dev);
  class->reset (f->dev, VMM_RESET_COLD);
  vmm_device_unlock (f->dev);
  test_pci_write (f->board, DEVFN, 0x10, 4, BAR);
  test_pci_write (f->board, DEVFN, 0x04, 2, 0x0006);
  memcpy ((guint8 *) f->dev + class->regs_offset, regs, class->regs_size);
  g_assert_true (class->post_load (f->dev, NULL));
  class->resume (f->dev);
  g_assert_cmpuint (lpib (f, OUT), ==, 12 * BYTES_PER_MS);
  test_advance_ns (f->board, 9 * MS);
  g_assert_cmpuint (lpib (f, OUT), ==, 21 * BYTES_PER_MS);
  g_assert_true (test_irq_level (f->board, GSI));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, func) g_test_add (path, Fixture, NULL, set_up, func, tear_down)
  ADD ("/hda/identity", test_identity);
  ADD ("/hda/start-values", test_start_values);
  ADD ("/hda/wall-clock", test_wall_clock);
  ADD ("/hda/wake-interrupt", test_wake_interrupt);
  ADD ("/hda/verbs/rings", test_rings);
  ADD ("/hda/verbs/absent-codec", test_absent_codec);
  ADD ("/hda/verbs/wait-for-the-response-ring", test_commands_wait_for_response_ring);
  ADD ("/hda/codec/tree", test_codec_tree);
  ADD ("/hda/codec/registers", test_codec_registers);
  ADD ("/hda/output/plays-a-tone", test_plays_tone);
  ADD ("/hda/output/position-is-the-clocks", test_position_is_the_clocks);
  ADD ("/hda/output/interrupt-at-each-entry", test_interrupt_at_each_entry);
  ADD ("/hda/output/message-for-each-entry", test_message_for_each_entry);
  ADD ("/hda/output/position-buffer", test_position_buffer);
  ADD ("/hda/output/pause-keeps-the-position", test_pause_keeps_position);
  ADD ("/hda/output/synchronous-start", test_synchronous_start);
  ADD ("/hda/output/volume", test_volume);
  ADD ("/hda/output/not-connected", test_not_connected);
  ADD ("/hda/output/other-formats", test_other_formats);
  ADD ("/hda/input/records", test_records);
  ADD ("/hda/reset/under-load", test_resets_under_load);
  ADD ("/hda/wrong/bad-lists-end-the-stream", test_bad_lists_end_the_stream);
  ADD ("/hda/wrong/odd-settings-are-survived", test_odd_settings_are_survived);
  ADD ("/hda/time/goes-on-for-long", test_goes_on_for_long);
  ADD ("/hda/time/machine-pause", test_machine_pause);
  ADD ("/hda/state/fields-cover-it", test_fields_cover_the_state);
  ADD ("/hda/state/goes-on", test_state_goes_on);
  return g_test_run ();
}
