/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The inside of vmm/audio: the ring, and what a back end is. */
#pragma once

#include "audio/audio.h"

#include <stdatomic.h>

/* A ring of bytes between one writer and one reader; neither waits for the other. It belongs to one format: a stream that changes its
 * format takes a new ring, and both sides let go of the old one when they are done with it. */
typedef struct {
  gatomicrefcount ref_count;
  VmmAudioSpec spec;
  gsize size;   /* bytes: whole frames */
  gsize target; /* bytes that should lie here: what the reader waits for before it begins */
  guint8 *data;
  _Atomic guint64 written, read; /* bytes since the ring was made */
  atomic_bool ended;             /* the writer stopped: play what is left without waiting for more */
  gboolean primed;               /* reader: the target was reached, bytes flow */
  atomic_uint underruns, overruns;
} VmmAudioRing;

VmmAudioRing *_vmm_audio_ring_new (const VmmAudioSpec *spec, guint capacity_ms, guint target_ms);
VmmAudioRing *_vmm_audio_ring_ref (VmmAudioRing *ring);
void _vmm_audio_ring_unref (VmmAudioRing *ring);
gsize _vmm_audio_ring_get_fill (VmmAudioRing *ring); /* bytes; either side */
gsize _vmm_audio_ring_write (VmmAudioRing *ring, gconstpointer data,
                             gsize len);                                   /* bytes taken, whole frames; the rest is dropped */
gsize _vmm_audio_ring_read (VmmAudioRing *ring, gpointer data, gsize len); /* bytes given, whole frames */
/* For a reader with a clock of its own: fills @len bytes, with silence until the target is reached and after running dry; what lies
 * here beyond twice the target and @len is skipped. Returns the bytes that are not silence. */
gsize _vmm_audio_ring_pull (VmmAudioRing *ring, gpointer data, gsize len);

typedef struct {
  const char *name;
  guint capacity_ms, target_ms;
  void (*add) (VmmAudioStream *stream);               /* control thread */
  void (*start) (VmmAudioStream *stream);             /* stream->ring is the one to use; device's lock held */
  void (*stop) (VmmAudioStream *stream);              /* device's lock held */
  void (*wrote) (VmmAudioStream *stream);             /* (nullable): there is something in the ring; device's lock held */
  void (*wanted) (VmmAudioStream *stream, gsize len); /* (nullable): the device will read @len bytes; device's lock held */
  void (*remove) (VmmAudioStream *stream);            /* control thread: no more use of the stream after it */
  void (*close) (VmmAudio *audio);                    /* control thread, after all streams were removed */
} VmmAudioOps;

struct _VmmAudio {
  const VmmAudioOps *ops;
  VmmDevice *dev;
  GPtrArray *streams; /* (element-type VmmAudioStream) (owned) */
  gpointer backend;   /* the back end's own */
};

struct _VmmAudioStream {
  VmmAudio *audio;
  VmmAudioDirection direction;
  const char *name;
  gboolean running;
  VmmAudioRing *ring; /* (nullable) (owned): the current one; under the device's lock */
  gpointer backend;   /* the back end's own */
};

extern const VmmAudioOps _vmm_audio_none_ops;

gboolean _vmm_audio_wav_open (VmmAudio *audio, GError **error);
/* FALSE: no server; the reason was logged. */
gboolean _vmm_audio_pipewire_open (VmmAudio *audio);
