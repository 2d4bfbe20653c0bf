/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sound by PipeWire: one client a sound device, one of its streams for each of the device's.
 *
 * Theory of operation: the client has a thread of its own (pw_thread_loop) for connecting and control, and the library another, with
 * real-time priority, that asks for samples. The device says what it wants under a small lock and wakes the loop by an event; it never
 * waits. The real-time thread touches the ring and nothing else. The device's clock and the sound card's differ by some parts in a
 * million: the fill of the ring, averaged over seconds, steers PipeWire's resampler, so that the ring neither runs dry nor over.
 *
 * A stream that the guest stopped is drained and made inactive, and then costs nothing. If the server goes away, what is played is lost
 * until the guest starts a stream again; then the server is looked for once. */
#include "audio/audio-private.h"

#include "core/config.h"
#include "core/log.h"
#include "core/machine.h"

#ifdef LODGE_HAVE_PIPEWIRE

#  include <pipewire/pipewire.h>
#  include <spa/node/io.h>
#  include <spa/param/audio/format-utils.h>

#  include <errno.h>

#  define PWB_CAPACITY_MS 500
#  define PWB_TARGET_MS 40
#  define PWB_LATENCY_MS 20        /* asked for: how much the server takes at once */
#  define PWB_MAX_CORRECTION 0.005 /* of the rate: not heard */

typedef struct {
  VmmAudio *audio;
  struct pw_thread_loop *loop;
  struct pw_context *context;
  struct pw_core *core; /* (nullable): loop thread; NULL: the server is gone */
  gboolean lost;        /* loop thread */
  struct spa_hook core_listener;
} PwbServer;

typedef struct {
  VmmAudioStream *stream;
  PwbServer *server;
  struct spa_source *event; /* wakes the loop for pwb_update() */

  GMutex lock;
  VmmAudioRing *wanted; /* (nullable); under lock */
  gboolean wanted_running;

  /* Loop thread; the real-time thread only while `pw` is there */
  struct pw_stream *pw; /* (nullable) */
  struct spa_hook listener;
  VmmAudioRing *ring; /* (nullable): of `pw` */
  gboolean active;

  /* Real-time thread */
  struct spa_io_rate_match *_Atomic rate_match; /* (nullable) */
  double surplus;                               /* frames above the target, averaged */
  guint silent_cycles;
} PwbStream;

/* === Real-time thread === */

static void
pwb_steer (PwbStream *ps, gsize fill)
{
  struct spa_io_rate_match *match = atomic_load_explicit (&ps->rate_match, memory_order_relaxed);
  const VmmAudioSpec *spec = &ps->ring->spec;
  double surplus = ((double) fill - (double) ps->ring->target) / vmm_audio_spec_frame_size (spec), correction;

  if (match == NULL)
    return;
  ps->surplus += (surplus - ps->surplus) / 64;
  /* What is too much goes away within some ten seconds. */
  correction = CLAMP (ps->surplus / spec->rate / 10, -PWB_MAX_CORRECTION, PWB_MAX_CORRECTION);
  match->rate = ps->stream->direction == VMM_AUDIO_OUTPUT ? 1.0 + correction : 1.0 - correction;
  match->flags |= SPA_IO_RATE_MATCH_FLAG_ACTIVE;
}

static void
pwb_on_process (void *data)
{
  PwbStream *ps = data;
  guint frame = vmm_audio_spec_frame_size (&ps->ring->spec);
  struct pw_buffer *buffer = pw_stream_dequeue_buffer (ps->pw);
  struct spa_data *d;

  if (buffer == NULL)
    return;
  d = &buffer->buffer->datas[0];
  if (d->data != NULL && ps->stream->direction == VMM_AUDIO_OUTPUT)
    {
      guint64 frames = d->maxsize / frame;
      gboolean ended = atomic_load_explicit (&ps->ring->ended, memory_order_acquire);

      if (buffer->requested != 0)
        frames = MIN (frames, buffer->requested);
      ps->silent_cycles = _vmm_audio_ring_pull (ps->ring, d->data, (gsize) frames * frame) > 0 ? 0 : ps->silent_cycles + 1;
      d->chunk->offset = 0;
      d->chunk->stride = (gint32) frame;
      d->chunk->size = (guint32) frames * frame;
      if (ps->ring->primed)
        pwb_steer (ps, _vmm_audio_ring_get_fill (ps->ring));
      if (ended && ps->silent_cycles > 2) /* what was played has left the server's buffers too */
        pw_loop_signal_event (pw_thread_loop_get_loop (ps->server->loop), ps->event);
    }
  else if (d->data != NULL && d->chunk->offset <= d->maxsize)
    {
      gsize size = MIN (d->chunk->size, d->maxsize - d->chunk->offset);

      _vmm_audio_ring_write (ps->ring, (const guint8 *) d->data + d->chunk->offset, size - size % frame);
      pwb_steer (ps, _vmm_audio_ring_get_fill (ps->ring));
    }
  pw_stream_queue_buffer (ps->pw, buffer);
}

/* === Loop thread === */

static void
pwb_on_io_changed (void *data, uint32_t id, void *area, uint32_t size)
{
  PwbStream *ps = data;

  if (id == SPA_IO_RateMatch)
    atomic_store (&ps->rate_match, size >= sizeof (struct spa_io_rate_match) ? area : NULL);
}

static void
pwb_on_state_changed (void *data, enum pw_stream_state old, enum pw_stream_state state, const char *error)
{
  PwbStream *ps = data;
  VmmDevice *dev = ps->server->audio->dev;

  if (state == PW_STREAM_STATE_ERROR)
    vmm_log_warning (dev->machine, dev, "%s: PipeWire says: %s", ps->stream->name, error != NULL ? error : "error");
}

static const struct pw_stream_events pwb_stream_events = {
  .version = PW_VERSION_STREAM_EVENTS,
  .state_changed = pwb_on_state_changed,
  .io_changed = pwb_on_io_changed,
  .process = pwb_on_process,
};

static void
pwb_on_core_error (void *data, uint32_t id, int seq, int res, const char *message)
{
  PwbServer *server = data;
  VmmDevice *dev = server->audio->dev;

  if (id != PW_ID_CORE || res != -EPIPE)
    return;
  vmm_log_warning (dev->machine, dev, "PipeWire is gone; what is played is lost until the guest begins anew");
  server->lost = TRUE; /* the connection may not be taken down from within its own event: pwb_update() does it */
  for (guint i = 0; i < server->audio->streams->len; i++)
    {
      PwbStream *ps = ((VmmAudioStream *) server->audio->streams->pdata[i])->backend;

      if (ps != NULL)
        pw_loop_signal_event (pw_thread_loop_get_loop (server->loop), ps->event);
    }
}

static const struct pw_core_events pwb_core_events = {
  .version = PW_VERSION_CORE_EVENTS,
  .error = pwb_on_core_error,
};

static gboolean
pwb_connect_server (PwbServer *server)
{
  server->core = pw_context_connect (server->context, NULL, 0);
  if (server->core == NULL)
    return FALSE;
  pw_core_add_listener (server->core, &server->core_listener, &pwb_core_events, server);
  return TRUE;
}

static void
pwb_disconnect_stream (PwbStream *ps)
{
  if (ps->pw != NULL)
    pw_stream_destroy (ps->pw); /* waits until the real-time thread is out of it */
  ps->pw = NULL;
  ps->active = FALSE;
  atomic_store (&ps->rate_match, NULL);
  g_clear_pointer (&ps->ring, _vmm_audio_ring_unref);
}

static void
pwb_disconnect_server (PwbServer *server)
{
  for (guint i = 0; i < server->audio->streams->len; i++)
    {
      PwbStream *ps = ((VmmAudioStream *) server->audio->streams->pdata[i])->backend;

      if (ps != NULL)
        pwb_disconnect_stream (ps);
    }
  g_clear_pointer (&server->core, pw_core_disconnect);
  server->lost = FALSE;
}

/* Takes over @ring. */
static gboolean
pwb_connect_stream (PwbStream *ps, VmmAudioRing *ring)
{
  const VmmAudioSpec *spec = &ring->spec;
  VmmDevice *dev = ps->server->audio->dev;
  gboolean output = ps->stream->direction == VMM_AUDIO_OUTPUT;
  const char *machine = dev->machine->config != NULL ? vmm_config_get_machine (dev->machine->config, "name") : NULL;
  struct spa_audio_info_raw info = { .format = spec->format == VMM_AUDIO_S16 ? SPA_AUDIO_FORMAT_S16_LE : SPA_AUDIO_FORMAT_S32_LE,
                                     .rate = spec->rate,
                                     .channels = spec->channels };
  guint8 space[1024];
  struct spa_pod_builder builder = SPA_POD_BUILDER_INIT (space, sizeof space);
  const struct spa_pod *params[1];
  struct pw_properties *properties;

  info.position[0] = spec->channels == 1 ? SPA_AUDIO_CHANNEL_MONO : SPA_AUDIO_CHANNEL_FL;
  info.position[1] = SPA_AUDIO_CHANNEL_FR;
  params[0] = spa_format_audio_raw_build (&builder, SPA_PARAM_EnumFormat, &info);
  properties = pw_properties_new (PW_KEY_MEDIA_TYPE, "Audio", PW_KEY_MEDIA_CATEGORY, output ? "Playback" : "Capture",
                                  PW_KEY_APP_NAME, "Lodge", PW_KEY_APP_ID, LODGE_APPLICATION_ID, PW_KEY_MEDIA_NAME,
                                  ps->stream->name, PW_KEY_NODE_NAME, machine != NULL ? machine : "Lodge", PW_KEY_NODE_DESCRIPTION,
                                  machine != NULL ? machine : "Lodge", NULL);
  pw_properties_setf (properties, PW_KEY_NODE_LATENCY, "%u/%u", spec->rate * PWB_LATENCY_MS / 1000, spec->rate);

  ps->ring = ring;
  ps->surplus = 0;
  ps->silent_cycles = 0;
  ps->pw = pw_stream_new (ps->server->core, ps->stream->name, properties);
  if (ps->pw != NULL)
    {
      pw_stream_add_listener (ps->pw, &ps->listener, &pwb_stream_events, ps);
      if (pw_stream_connect (ps->pw, output ? PW_DIRECTION_OUTPUT : PW_DIRECTION_INPUT, PW_ID_ANY,
                             PW_STREAM_FLAG_AUTOCONNECT | PW_STREAM_FLAG_MAP_BUFFERS | PW_STREAM_FLAG_RT_PROCESS, params, 1)
          >= 0)
        {
          ps->active = TRUE;
          return TRUE;
        }
    }
  vmm_log_warning (dev->machine, dev, "%s: cannot connect to PipeWire: %s", ps->stream->name, g_strerror (errno));
  pwb_disconnect_stream (ps);
  return FALSE;
}

/* Brings the stream to what the device wants. */
static void
pwb_update (void *data, uint64_t count)
{
  PwbStream *ps = data;
  VmmAudioRing *ring = NULL;
  gboolean running, lively;

  if (ps->server->lost)
    pwb_disconnect_server (ps->server);
  g_mutex_lock (&ps->lock);
  if (ps->wanted != NULL)
    ring = _vmm_audio_ring_ref (ps->wanted);
  running = ps->wanted_running;
  g_mutex_unlock (&ps->lock);
  if (ring == NULL)
    return;

  lively = running || (ps->stream->direction == VMM_AUDIO_OUTPUT && _vmm_audio_ring_get_fill (ring) > 0);
  if (!lively)
    {
      if (ps->pw != NULL && ps->active && (ps->stream->direction == VMM_AUDIO_INPUT || ps->silent_cycles > 2 || ps->ring != ring))
        {
          pw_stream_set_active (ps->pw, false);
          ps->active = FALSE;
        }
    }
  else if (ps->server->core != NULL || pwb_connect_server (ps->server))
    {
      if (ps->pw != NULL && (ps->ring != ring || pw_stream_get_state (ps->pw, NULL) == PW_STREAM_STATE_ERROR))
        pwb_disconnect_stream (ps);
      if (ps->pw == NULL)
        pwb_connect_stream (ps, g_steal_pointer (&ring));
      else if (!ps->active)
        {
          ps->silent_cycles = 0;
          ps->active = pw_stream_set_active (ps->pw, true) >= 0;
        }
    }
  g_clear_pointer (&ring, _vmm_audio_ring_unref);
}

/* === The device's side === */

static void
pwb_want (VmmAudioStream *stream, gboolean running)
{
  PwbStream *ps = stream->backend;

  g_mutex_lock (&ps->lock);
  if (ps->wanted != stream->ring)
    {
      g_clear_pointer (&ps->wanted, _vmm_audio_ring_unref);
      ps->wanted = _vmm_audio_ring_ref (stream->ring);
    }
  ps->wanted_running = running;
  g_mutex_unlock (&ps->lock);
  pw_loop_signal_event (pw_thread_loop_get_loop (ps->server->loop), ps->event);
}

static void
pwb_start (VmmAudioStream *stream)
{
  pwb_want (stream, TRUE);
}

static void
pwb_stop (VmmAudioStream *stream)
{
  pwb_want (stream, FALSE);
}

static void
pwb_add (VmmAudioStream *stream)
{
  PwbStream *ps = g_new0 (PwbStream, 1);

  ps->stream = stream;
  ps->server = stream->audio->backend;
  g_mutex_init (&ps->lock);
  pw_thread_loop_lock (ps->server->loop);
  ps->event = pw_loop_add_event (pw_thread_loop_get_loop (ps->server->loop), pwb_update, ps);
  stream->backend = ps;
  pw_thread_loop_unlock (ps->server->loop);
}

static void
pwb_remove (VmmAudioStream *stream)
{
  PwbStream *ps = stream->backend;

  pw_thread_loop_lock (ps->server->loop);
  pwb_disconnect_stream (ps);
  pw_loop_destroy_source (pw_thread_loop_get_loop (ps->server->loop), ps->event);
  stream->backend = NULL;
  pw_thread_loop_unlock (ps->server->loop);
  g_clear_pointer (&ps->wanted, _vmm_audio_ring_unref);
  g_mutex_clear (&ps->lock);
  g_free (ps);
}

static void
pwb_free_server (PwbServer *server)
{
  if (server->loop != NULL)
    pw_thread_loop_stop (server->loop);
  if (server->core != NULL)
    pw_core_disconnect (server->core);
  if (server->context != NULL)
    pw_context_destroy (server->context);
  if (server->loop != NULL)
    pw_thread_loop_destroy (server->loop);
  g_free (server);
  pw_deinit ();
}

static void
pwb_close (VmmAudio *audio)
{
  pwb_free_server (audio->backend);
}

static const VmmAudioOps pwb_ops = {
  .name = "pipewire",
  .capacity_ms = PWB_CAPACITY_MS,
  .target_ms = PWB_TARGET_MS,
  .add = pwb_add,
  .start = pwb_start,
  .stop = pwb_stop,
  .remove = pwb_remove,
  .close = pwb_close,
};

gboolean
_vmm_audio_pipewire_open (VmmAudio *audio)
{
  VmmDevice *dev = audio->dev;
  PwbServer *server = g_new0 (PwbServer, 1);
  int error;

  pw_init (NULL, NULL);
  server->audio = audio;
  server->loop = pw_thread_loop_new ("sound", NULL);
  if (server->loop != NULL)
    server->context = pw_context_new (pw_thread_loop_get_loop (server->loop), NULL, 0);
  if (server->context != NULL && pwb_connect_server (server) && pw_thread_loop_start (server->loop) == 0)
    {
      audio->ops = &pwb_ops;
      audio->backend = server;
      return TRUE;
    }
  error = errno;
  vmm_log_info (dev->machine, dev, "no sound: PipeWire cannot be reached (%s)", g_strerror (error));
  pwb_free_server (server);
  return FALSE;
}

#else

gboolean
_vmm_audio_pipewire_open (VmmAudio *audio)
{
  vmm_log_info (audio->dev->machine, audio->dev, "no sound: this Lodge was built without PipeWire");
  return FALSE;
}

#endif
