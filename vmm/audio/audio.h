/* SPDX-License-Identifier: GPL-3.0-or-later */
/* PCM streams between a sound device and the host. The device's clock is the machine's time: it hands over samples (or takes some) when
 * that time says so and never waits; a ring between the two sides takes up what the host's sound server does at its own pace. What the
 * host doesn't deliver in time is silence, what it doesn't take in time is dropped; a device never notices. */
#pragma once

#include "core/device.h"

typedef struct _VmmAudio VmmAudio;
typedef struct _VmmAudioStream VmmAudioStream;

typedef enum {
  VMM_AUDIO_OUTPUT, /* the guest plays */
  VMM_AUDIO_INPUT,  /* the guest records */
} VmmAudioDirection;

/* Signed, little-endian, in 2 or 4 bytes; fewer than 32 bits lie at the top of the 4 bytes. */
typedef enum {
  VMM_AUDIO_S16,
  VMM_AUDIO_S32,
} VmmAudioFormat;

#define VMM_AUDIO_MIN_RATE 4000u
#define VMM_AUDIO_MAX_RATE 384000u
#define VMM_AUDIO_MAX_CHANNELS 2u

/* Channels are interleaved: left, right; or one. */
typedef struct {
  VmmAudioFormat format;
  guint rate;     /* frames a second: VMM_AUDIO_MIN_RATE to VMM_AUDIO_MAX_RATE */
  guint channels; /* 1 or 2 */
} VmmAudioSpec;

/* Bytes of one frame. */
static inline guint
vmm_audio_spec_frame_size (const VmmAudioSpec *spec)
{
  return spec->channels * (spec->format == VMM_AUDIO_S16 ? 2 : 4);
}

/* The settings of a sound device: its class's table. */
extern const VmmSetting vmm_audio_settings[];

/**
 * vmm_audio_new:
 * @dev: a device with the settings above
 * Opens what the settings name. A sound server that is not there is no error: the log says so, and nothing is heard.
 * Thread: control (realize).
 * Errors: VMM_ERROR_INVALID_CONFIG, VMM_ERROR_HOST or VMM_ERROR_NOT_FOUND for a file that cannot be used.
 */
VmmAudio *vmm_audio_new (VmmDevice *dev, GError **error);
/* Frees the streams too. Thread: control (unrealize), the device silent. */
void vmm_audio_free (VmmAudio *audio);

/* A stream for the whole life of the device, stopped. @name: (static) what a person reads in the host's mixer. Thread: control (realize). */
VmmAudioStream *vmm_audio_add_stream (VmmAudio *audio, VmmAudioDirection direction, const char *name);

/* All below: device's lock held, any thread; none blocks. */

/* A second start without a stop goes on, or changes to the new @spec. */
void vmm_audio_stream_start (VmmAudioStream *stream, const VmmAudioSpec *spec);
/* What was written before is still played. */
void vmm_audio_stream_stop (VmmAudioStream *stream);
gboolean vmm_audio_stream_is_running (VmmAudioStream *stream);

/* @data: whole frames. Drops what there is no room for, or everything while the stream is stopped. */
void vmm_audio_stream_write (VmmAudioStream *stream, gconstpointer data, gsize len);
/* @data: (out): whole frames, silence where nothing was recorded. */
void vmm_audio_stream_read (VmmAudioStream *stream, gpointer data, gsize len);
