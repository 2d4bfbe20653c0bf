/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Theory of operation: a device's stream holds one ring at a time. The device writes (or reads) it under its lock by the machine's clock;
 * the back end reads (or writes) it on its own thread by the host's. The two meet in atomic counters only. */
#include "audio/audio-private.h"

#include "core/log.h"

#include <string.h>

static const char *const aud_backends[] = { "auto", "pipewire", "wav", "none", NULL };

const VmmSetting vmm_audio_settings[] = {
  { .key = "backend",
    .type = VMM_SETTING_ENUM,
    .fallback = "auto",
    .choices = aud_backends,
    .summary = N_ ("Where sound goes to and comes from") },
  { .key = "file", .type = VMM_SETTING_PATH, .summary = N_ ("WAV file that takes what is played (backend wav)") },
  { .key = "input-file", .type = VMM_SETTING_PATH, .summary = N_ ("WAV file that is heard when recording (backend wav)") },
  { .key = NULL },
};

/* === The ring === */

VmmAudioRing *
_vmm_audio_ring_new (const VmmAudioSpec *spec, guint capacity_ms, guint target_ms)
{
  VmmAudioRing *ring = g_new0 (VmmAudioRing, 1);
  gsize frame = vmm_audio_spec_frame_size (spec);

  g_assert (spec->rate >= VMM_AUDIO_MIN_RATE && spec->rate <= VMM_AUDIO_MAX_RATE);
  g_assert (spec->channels >= 1 && spec->channels <= VMM_AUDIO_MAX_CHANNELS);
  g_atomic_ref_count_init (&ring->ref_count);
  ring->spec = *spec;
  ring->size = frame * MAX ((gsize) spec->rate * capacity_ms / 1000, 1);
  ring->target = frame * ((gsize) spec->rate * target_ms / 1000);
  ring->data = g_malloc (ring->size);
  return ring;
}

VmmAudioRing *
_vmm_audio_ring_ref (VmmAudioRing *ring)
{
  g_atomic_ref_count_inc (&ring->ref_count);
  return ring;
}

void
_vmm_audio_ring_unref (VmmAudioRing *ring)
{
  if (!g_atomic_ref_count_dec (&ring->ref_count))
    return;
  g_free (ring->data);
  g_free (ring);
}

gsize
_vmm_audio_ring_get_fill (VmmAudioRing *ring)
{
  /* In this order: what is read by then was written before. */
  guint64 read = atomic_load_explicit (&ring->read, memory_order_acquire);

  return (gsize) MIN (atomic_load_explicit (&ring->written, memory_order_acquire) - read, ring->size);
}

gsize
_vmm_audio_ring_write (VmmAudioRing *ring, gconstpointer data, gsize len)
{
  guint64 written = atomic_load_explicit (&ring->written, memory_order_relaxed);
  gsize room = ring->size - (gsize) (written - atomic_load_explicit (&ring->read, memory_order_acquire));
  gsize n = MIN (len, room), at = (gsize) (written % ring->size), first = MIN (n, ring->size - at);

  n -= n % vmm_audio_spec_frame_size (&ring->spec);
  first = MIN (first, n);
  memcpy (ring->data + at, data, first);
  memcpy (ring->data, (const guint8 *) data + first, n - first);
  atomic_store_explicit (&ring->written, written + n, memory_order_release);
  if (n < len)
    atomic_fetch_add_explicit (&ring->overruns, 1, memory_order_relaxed);
  return n;
}

gsize
_vmm_audio_ring_read (VmmAudioRing *ring, gpointer data, gsize len)
{
  guint64 read = atomic_load_explicit (&ring->read, memory_order_relaxed);
  gsize fill = (gsize) (atomic_load_explicit (&ring->written, memory_order_acquire) - read);
  gsize n = MIN (len, fill), at = (gsize) (read % ring->size), first;

  n -= n % vmm_audio_spec_frame_size (&ring->spec);
  first = MIN (n, ring->size - at);
  memcpy (data, ring->data + at, first);
  memcpy ((guint8 *) data + first, ring->data, n - first);
  atomic_store_explicit (&ring->read, read + n, memory_order_release);
  return n;
}

gsize
_vmm_audio_ring_pull (VmmAudioRing *ring, gpointer data, gsize len)
{
  gsize fill = _vmm_audio_ring_get_fill (ring), n = 0;
  gboolean ended = atomic_load_explicit (&ring->ended, memory_order_acquire);

  if (fill > 2 * ring->target + len) /* this side was away: what lies here is old */
    {
      gsize frame = vmm_audio_spec_frame_size (&ring->spec), skip = fill - ring->target - len;

      skip -= skip % frame;
      atomic_fetch_add_explicit (&ring->read, skip, memory_order_release);
      atomic_fetch_add_explicit (&ring->overruns, 1, memory_order_relaxed);
      fill -= skip;
    }
  if (!ring->primed && fill > 0 && (ended || fill >= ring->target))
    ring->primed = TRUE;
  if (ring->primed)
    n = _vmm_audio_ring_read (ring, data, len);
  if (n < len)
    {
      memset ((guint8 *) data + n, 0, len - n);
      if (ring->primed && !ended)
        atomic_fetch_add_explicit (&ring->underruns, 1, memory_order_relaxed);
      ring->primed = FALSE;
    }
  return n;
}

/* === Streams === */

VmmAudioStream *
vmm_audio_add_stream (VmmAudio *audio, VmmAudioDirection direction, const char *name)
{
  VmmAudioStream *stream = g_new0 (VmmAudioStream, 1);

  stream->audio = audio;
  stream->direction = direction;
  stream->name = name;
  g_ptr_array_add (audio->streams, stream);
  audio->ops->add (stream);
  return stream;
}

void
vmm_audio_stream_start (VmmAudioStream *stream, const VmmAudioSpec *spec)
{
  const VmmAudioOps *ops = stream->audio->ops;

  /* Recorded sound from before is of no use; played sound that is still on its way is. */
  if (stream->ring == NULL || memcmp (&stream->ring->spec, spec, sizeof *spec) != 0
      || (stream->direction == VMM_AUDIO_INPUT && !stream->running))
    {
      g_clear_pointer (&stream->ring, _vmm_audio_ring_unref);
      stream->ring = _vmm_audio_ring_new (spec, ops->capacity_ms, ops->target_ms);
    }
  else if (stream->running)
    return;
  atomic_store_explicit (&stream->ring->ended, FALSE, memory_order_release);
  stream->running = TRUE;
  ops->start (stream);
}

void
vmm_audio_stream_stop (VmmAudioStream *stream)
{
  VmmAudioRing *ring = stream->ring;
  guint underruns, overruns;

  if (!stream->running)
    return;
  stream->running = FALSE;
  atomic_store_explicit (&ring->ended, TRUE, memory_order_release);
  stream->audio->ops->stop (stream);
  underruns = atomic_exchange (&ring->underruns, 0);
  overruns = atomic_exchange (&ring->overruns, 0);
  if (underruns + overruns > 0)
    vmm_log_debug (stream->audio->dev->machine, stream->audio->dev, "%s: ran dry %u times, ran over %u times", stream->name,
                   underruns, overruns);
}

gboolean
vmm_audio_stream_is_running (VmmAudioStream *stream)
{
  return stream->running;
}

void
vmm_audio_stream_write (VmmAudioStream *stream, gconstpointer data, gsize len)
{
  const VmmAudioOps *ops = stream->audio->ops;

  g_assert (stream->direction == VMM_AUDIO_OUTPUT);
  if (!stream->running || ops == &_vmm_audio_none_ops)
    return;
  _vmm_audio_ring_write (stream->ring, data, len);
  if (ops->wrote != NULL)
    ops->wrote (stream);
}

void
vmm_audio_stream_read (VmmAudioStream *stream, gpointer data, gsize len)
{
  const VmmAudioOps *ops = stream->audio->ops;

  g_assert (stream->direction == VMM_AUDIO_INPUT);
  if (!stream->running)
    {
      memset (data, 0, len);
      return;
    }
  if (ops->wanted != NULL)
    ops->wanted (stream, len);
  _vmm_audio_ring_pull (stream->ring, data, len);
}

/* === No back end === */

static void
aud_none (VmmAudioStream *stream)
{
}

static void
aud_none_close (VmmAudio *audio)
{
}

const VmmAudioOps _vmm_audio_none_ops = {
  .name = "none",
  .capacity_ms = 0,
  .add = aud_none,
  .start = aud_none,
  .stop = aud_none,
  .remove = aud_none,
  .close = aud_none_close,
};

/* === Life === */

VmmAudio *
vmm_audio_new (VmmDevice *dev, GError **error)
{
  const char *name = vmm_device_get_string (dev, "backend");
  VmmAudio *audio = g_new0 (VmmAudio, 1);

  audio->dev = dev;
  audio->streams = g_ptr_array_new ();
  audio->ops = &_vmm_audio_none_ops;
  if (g_strcmp0 (name, "wav") == 0)
    {
      if (!_vmm_audio_wav_open (audio, error))
        {
          vmm_audio_free (audio);
          return NULL;
        }
    }
  else if (g_strcmp0 (name, "none") != 0)
    _vmm_audio_pipewire_open (audio);
  return audio;
}

void
vmm_audio_free (VmmAudio *audio)
{
  for (guint i = 0; i < audio->streams->len; i++)
    audio->ops->remove (audio->streams->pdata[i]);
  audio->ops->close (audio);
  for (guint i = 0; i < audio->streams->len; i++)
    {
      VmmAudioStream *stream = audio->streams->pdata[i];

      g_clear_pointer (&stream->ring, _vmm_audio_ring_unref);
      g_free (stream);
    }
  g_ptr_array_unref (audio->streams);
  g_free (audio);
}
