/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The ring between a sound device and the host, and the WAV back end. Expected values: WAV as in "Multimedia Programming Interface and
 * Data Specifications 1.0". */
#include "audio/audio-private.h"
#include "test-board.h"

#include <glib/gstdio.h>
#include <string.h>

static const VmmAudioSpec cd = { VMM_AUDIO_S16, 44100, 2 }; /* frames of 4 bytes */
static const VmmAudioSpec studio = { VMM_AUDIO_S32, 96000, 1 };

/* === Ring === */

static void
fill (guint8 *bytes, gsize len, guint from)
{
  for (gsize i = 0; i < len; i++)
    bytes[i] = (guint8) (from + i);
}

static void
test_ring_keeps_order (void)
{
  VmmAudioRing *ring = _vmm_audio_ring_new (&cd, 10, 0);
  guint8 in[400], out[400];
  guint written = 0, read = 0;

  g_assert_cmpuint (ring->size, ==, 441 * 4);
  for (guint i = 0; i < 200; i++)
    {
      gsize len = 4 * (1 + i * 7 % 100), n;

      fill (in, len, written);
      written += (guint) _vmm_audio_ring_write (ring, in, len);
      n = _vmm_audio_ring_read (ring, out, 4 * (1 + i * 13 % 100));
      for (gsize j = 0; j < n; j++)
        g_assert_cmpuint (out[j], ==, (guint8) (read + j));
      read += (guint) n;
      g_assert_cmpuint (_vmm_audio_ring_get_fill (ring), ==, written - read);
    }
  g_assert_cmpuint (written, >, ring->size * 3);
  _vmm_audio_ring_unref (ring);
}

static void
test_ring_drops_what_has_no_room (void)
{
  VmmAudioRing *ring = _vmm_audio_ring_new (&cd, 1, 0); /* 44 frames */
  guint8 in[200] = { 0 }, out[200];

  g_assert_cmpuint (_vmm_audio_ring_write (ring, in, 100), ==, 100);
  g_assert_cmpuint (_vmm_audio_ring_write (ring, in, 102), ==, 76);
  g_assert_cmpuint (_vmm_audio_ring_write (ring, in, 4), ==, 0);
  g_assert_cmpuint (ring->overruns, ==, 2);
  g_assert_cmpuint (_vmm_audio_ring_read (ring, out, 200), ==, 176);
  g_assert_cmpuint (_vmm_audio_ring_read (ring, out, 200), ==, 0);
  _vmm_audio_ring_unref (ring);
}

static void
test_pull_waits_for_target_then_flows (void)
{
  VmmAudioRing *ring = _vmm_audio_ring_new (&cd, 100, 10); /* the target: 441 frames */
  guint8 in[4000], out[4000], silence[4000] = { 0 };

  memset (in, 1, sizeof in);
  _vmm_audio_ring_write (ring, in, 440 * 4);
  g_assert_cmpuint (_vmm_audio_ring_pull (ring, out, 400), ==, 0);
  g_assert_cmpmem (out, 400, silence, 400);
  _vmm_audio_ring_write (ring, in, 4);
  g_assert_cmpuint (_vmm_audio_ring_pull (ring, out, 400), ==, 400);
  g_assert_cmpmem (out, 400, in, 400);
  g_assert_cmpuint (ring->underruns, ==, 0);
  /* Dry: what is there, silence, and anew. */
  g_assert_cmpuint (_vmm_audio_ring_pull (ring, out, 4000), ==, 341 * 4);
  g_assert_cmpmem (out + 341 * 4, 400, silence, 400);
  g_assert_cmpuint (ring->underruns, ==, 1);
  _vmm_audio_ring_write (ring, in, 400);
  g_assert_cmpuint (_vmm_audio_ring_pull (ring, out, 400), ==, 0);
  g_assert_cmpuint (ring->underruns, ==, 1);
  _vmm_audio_ring_unref (ring);
}

static void
test_pull_of_ended_plays_the_rest (void)
{
  VmmAudioRing *ring = _vmm_audio_ring_new (&cd, 100, 10);
  guint8 in[400], out[400];

  memset (in, 1, sizeof in);
  _vmm_audio_ring_write (ring, in, 40);
  ring->ended = TRUE;
  g_assert_cmpuint (_vmm_audio_ring_pull (ring, out, 400), ==, 40);
  g_assert_cmpuint (_vmm_audio_ring_pull (ring, out, 400), ==, 0);
  g_assert_cmpuint (ring->underruns, ==, 0);
  _vmm_audio_ring_unref (ring);
}

static void
test_pull_skips_what_is_old (void)
{
  VmmAudioRing *ring = _vmm_audio_ring_new (&cd, 100, 10);
  guint8 in[441 * 4], out[400];

  for (guint i = 0; i < 5; i++)
    {
      memset (in, (int) i, sizeof in);
      _vmm_audio_ring_write (ring, in, sizeof in);
    }
  g_assert_cmpuint (_vmm_audio_ring_pull (ring, out, 400), ==, 400);
  g_assert_cmpuint (_vmm_audio_ring_get_fill (ring), ==, ring->target);
  g_assert_cmpuint (out[399], ==, 3);
  _vmm_audio_ring_unref (ring);
}

typedef struct {
  VmmAudioRing *ring;
  guint total;
} Stress;

static gpointer
stress_writer (gpointer data)
{
  Stress *stress = data;
  guint32 next = 0;

  while (next < stress->total)
    next += (guint32) (_vmm_audio_ring_write (stress->ring, &next, 4) / 4);
  return NULL;
}

static void
test_ring_between_threads (void)
{
  Stress stress = { _vmm_audio_ring_new (&cd, 1, 0), 20000 };
  GThread *writer = g_thread_new ("writer", stress_writer, &stress);

  for (guint32 expected = 0, got[16]; expected < stress.total;)
    {
      gsize n = _vmm_audio_ring_read (stress.ring, got, sizeof got) / 4;

      for (gsize i = 0; i < n; i++)
        g_assert_cmpuint (got[i], ==, expected++);
    }
  g_thread_join (writer);
  _vmm_audio_ring_unref (stress.ring);
}

/* === WAV === */

typedef struct {
  VmmDevice base;
} Speaker;

static gboolean
speaker_realize (VmmDevice *dev, GError **error)
{
  return TRUE;
}

static const VmmDeviceClass speaker_class = {
  .name = "speaker",
  .summary = "A device that plays",
  .instance_size = sizeof (Speaker),
  .settings = vmm_audio_settings,
  .realize = speaker_realize,
};

typedef struct {
  TestBoard *board;
  VmmDevice *dev;
  char *dir, *file, *second;
} Fixture;

static VmmDevice *
make_speaker (Fixture *f, const char *id, const char *backend, const char *input)
{
  g_autoptr (GHashTable) settings = g_hash_table_new (g_str_hash, g_str_equal);
  VmmDevice *dev;

  g_hash_table_insert (settings, (gpointer) "backend", (gpointer) backend);
  g_hash_table_insert (settings, (gpointer) "file", f->file);
  if (input != NULL)
    g_hash_table_insert (settings, (gpointer) "input-file", (gpointer) input);
  dev = vmm_device_new (f->board->machine, &speaker_class, id, settings, NULL);
  g_assert_nonnull (dev);
  return dev;
}

static void
set_up (Fixture *f, gconstpointer data)
{
  f->board = test_board_new ();
  f->dir = g_dir_make_tmp ("lodge-audio-XXXXXX", NULL);
  f->file = g_build_filename (f->dir, "played.wav", NULL);
  f->second = g_build_filename (f->dir, "played-2.wav", NULL);
  f->dev = make_speaker (f, "speaker", "wav", NULL);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  test_board_free (f->board);
  g_unlink (f->file);
  g_unlink (f->second);
  g_rmdir (f->dir);
  g_free (f->file);
  g_free (f->second);
  g_free (f->dir);
}

static void
assert_wav (const char *path, const guint8 header[44], gconstpointer data, gsize len)
{
  g_autofree char *contents = NULL;
  g_autoptr (GError) error = NULL;
  gsize size;

  g_file_get_contents (path, &contents, &size, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (size, ==, 44 + len);
  g_assert_cmpmem (contents, 44, header, 44);
  g_assert_cmpmem (contents + 44, len, data, len);
}

static const guint8 cd_header[44] = { 'R', 'I', 'F', 'F', 0xa4, 0x10, 0,   0,   'W', 'A',  'V',  'E',  'f', 'm',  't',
                                      ' ', 16,  0,   0,   0,    1,    0,   2,   0,   0x44, 0xac, 0,    0,   0x10, 0xb1,
                                      2,   0,   4,   0,   16,   0,    'd', 'a', 't', 'a',  0x80, 0x10, 0,   0 };

static void
test_wav_holds_what_was_played (Fixture *f, gconstpointer data)
{
  static const guint8 studio_header[44] = { 'R', 'I', 'F', 'F', 0x2c, 0, 0,   0,   'W', 'A', 'V',  'E', 'f', 'm', 't',
                                            ' ', 16,  0,   0,   0,    1, 0,   1,   0,   0,   0x77, 1,   0,   0,   0xdc,
                                            5,   0,   4,   0,   32,   0, 'd', 'a', 't', 'a', 8,    0,   0,   0 };
  VmmAudio *audio = vmm_audio_new (f->dev, NULL);
  VmmAudioStream *stream = vmm_audio_add_stream (audio, VMM_AUDIO_OUTPUT, "Line out");
  guint8 sound[4224];

  fill (sound, sizeof sound, 7);
  vmm_audio_stream_write (stream, sound, 400); /* stopped: to nowhere */
  vmm_audio_stream_start (stream, &cd);
  g_assert_true (vmm_audio_stream_is_running (stream));
  vmm_audio_stream_write (stream, sound, 1000);
  vmm_audio_stream_stop (stream);
  vmm_audio_stream_write (stream, sound, 400);
  vmm_audio_stream_start (stream, &cd);
  vmm_audio_stream_write (stream, sound + 1000, sizeof sound - 1000);
  /* Another format: another file. */
  vmm_audio_stream_start (stream, &studio);
  vmm_audio_stream_write (stream, sound, 8);
  vmm_audio_free (audio);
  assert_wav (f->file, cd_header, sound, sizeof sound);
  assert_wav (f->second, studio_header, sound, 8);
}

static void
test_wav_is_heard (Fixture *f, gconstpointer data)
{
  g_autofree char *input = g_build_filename (f->dir, "heard.wav", NULL);
  g_autofree guint8 *bytes = g_malloc (44 + 4224);
  guint8 out[3000], silence[3000] = { 0 };
  VmmAudioStream *stream;
  VmmAudio *audio;

  memcpy (bytes, cd_header, 44);
  fill (bytes + 44, 4224, 1);
  g_assert_true (g_file_set_contents (input, (const char *) bytes, 44 + 4224, NULL));
  audio = vmm_audio_new (make_speaker (f, "microphone", "wav", input), NULL);
  stream = vmm_audio_add_stream (audio, VMM_AUDIO_INPUT, "Line in");
  vmm_audio_stream_read (stream, out, 100);
  g_assert_cmpmem (out, 100, silence, 100);
  for (guint i = 0; i < 2; i++) /* each recording begins at the file's start */
    {
      vmm_audio_stream_start (stream, &cd);
      vmm_audio_stream_read (stream, out, 3000);
      g_assert_cmpmem (out, 3000, bytes + 44, 3000);
      vmm_audio_stream_read (stream, out, 3000);
      g_assert_cmpmem (out, 1224, bytes + 44 + 3000, 1224);
      g_assert_cmpmem (out + 1224, 1776, silence, 1776);
      vmm_audio_stream_stop (stream);
    }
  vmm_audio_stream_start (stream, &studio); /* it is another format: nothing is heard */
  vmm_audio_stream_read (stream, out, 400);
  g_assert_cmpmem (out, 400, silence, 400);
  vmm_audio_free (audio);
  g_unlink (input);
}

static void
test_wav_refuses_what_is_none (Fixture *f, gconstpointer data)
{
  g_autofree char *input = g_build_filename (f->dir, "bad.wav", NULL);
  g_autoptr (GError) error = NULL;
  guint8 bytes[44];

  g_assert_null (vmm_audio_new (make_speaker (f, "absent", "wav", input), &error));
  g_assert_error (error, VMM_ERROR, VMM_ERROR_NOT_FOUND);
  for (guint i = 0; i < 5; i++)
    {
      static const guint8 places[] = { 0, 20, 22, 34, 36 }; /* RIFF, PCM, channels, bits, data */
      g_autoptr (GError) bad = NULL;
      g_autofree char *id = g_strdup_printf ("bad%u", i);

      memcpy (bytes, cd_header, sizeof bytes);
      bytes[places[i]] = 24;
      g_assert_true (g_file_set_contents (input, (const char *) bytes, 44, NULL));
      g_assert_null (vmm_audio_new (make_speaker (f, id, "wav", input), &bad));
      g_assert_error (bad, VMM_ERROR, VMM_ERROR_INVALID_CONFIG);
    }
  g_unlink (input);
}

static void
test_none_takes_everything (Fixture *f, gconstpointer data)
{
  VmmAudio *audio = vmm_audio_new (make_speaker (f, "none", "none", NULL), NULL);
  VmmAudioStream *out = vmm_audio_add_stream (audio, VMM_AUDIO_OUTPUT, "Line out");
  VmmAudioStream *in = vmm_audio_add_stream (audio, VMM_AUDIO_INPUT, "Line in");
  guint8 bytes[4000] = { 1 }, silence[4000] = { 0 };

  vmm_audio_stream_start (out, &cd);
  vmm_audio_stream_start (in, &cd);
  vmm_audio_stream_write (out, bytes, sizeof bytes);
  vmm_audio_stream_read (in, bytes, sizeof bytes);
  g_assert_cmpmem (bytes, sizeof bytes, silence, sizeof silence);
  vmm_audio_stream_stop (out);
  vmm_audio_free (audio);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/audio/ring/keeps-order", test_ring_keeps_order);
  g_test_add_func ("/audio/ring/drops-what-has-no-room", test_ring_drops_what_has_no_room);
  g_test_add_func ("/audio/ring/pull-waits-for-the-target-then-flows", test_pull_waits_for_target_then_flows);
  g_test_add_func ("/audio/ring/pull-of-what-ended-plays-the-rest", test_pull_of_ended_plays_the_rest);
  g_test_add_func ("/audio/ring/pull-skips-what-is-old", test_pull_skips_what_is_old);
  g_test_add_func ("/audio/ring/between-threads", test_ring_between_threads);
#define ADD(path, func) g_test_add (path, Fixture, NULL, set_up, func, tear_down)
  ADD ("/audio/wav/holds-what-was-played", test_wav_holds_what_was_played);
  ADD ("/audio/wav/is-heard", test_wav_is_heard);
  ADD ("/audio/wav/refuses-what-is-no-wav", test_wav_refuses_what_is_none);
  ADD ("/audio/none/takes-everything", test_none_takes_everything);
  return g_test_run ();
}
