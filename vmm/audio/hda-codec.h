/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The codec behind the HDA controller: what verbs say, and where the samples of a stream go. */
#pragma once

#include "audio/audio.h"

#define HDA_CODEC_STREAMS 16 /* tags on the link; 0: none */

/* A converter: DAC or ADC (HDA 1.0a §7.3.3). */
typedef struct {
  guint16 format;     /* verb 2/A: as the driver set it */
  guint8 tag;         /* verb 706, 7:4: stream; 0: none */
  guint8 channel;     /* verb 706, 3:0 */
  guint8 gain[2];     /* verb 3/B: left, right; bit 7: mute */
  guint8 pin_control; /* verb 707: of the converter's pin */
  guint8 reserved;
  guint32 pin_config; /* verb 71C-71F */
} HdaConverterRegs;

typedef struct {
  HdaConverterRegs converter[2]; /* by VmmAudioDirection */
  guint32 subsystem;             /* verb 720-723 */
  guint8 power;                  /* verb 705 of the function group */
  guint8 reserved[3];
} HdaCodecRegs;

typedef struct {
  VmmDevice *dev;
  HdaCodecRegs *regs;
  VmmAudio *audio;
  VmmAudioStream *stream[2]; /* by VmmAudioDirection */
  /* What runs on the link, by direction and tag: the format of the stream, or 0 with `runs` clear. */
  guint16 runs[2];
  guint16 format[2][HDA_CODEC_STREAMS];
} HdaCodec;

/* Of a stream's format word (§3.7.1). FALSE: the word means nothing. */
typedef struct {
  guint rate, channels;
  guint sample_size; /* bytes */
} HdaFormat;
gboolean _vmm_hda_format_parse (guint16 word, HdaFormat *ret_format);

gboolean _vmm_hda_codec_realize (HdaCodec *codec, VmmDevice *dev, HdaCodecRegs *regs, GError **error);
void _vmm_hda_codec_unrealize (HdaCodec *codec);
/* All below: device's lock held. */
void _vmm_hda_codec_reset (HdaCodec *codec); /* power on */
void _vmm_hda_codec_post_load (HdaCodec *codec);
/* One verb, without the codec's address. */
guint32 _vmm_hda_codec_command (HdaCodec *codec, guint32 verb);
/* A stream of the link begins (again) or stops. */
void _vmm_hda_codec_stream_start (HdaCodec *codec, VmmAudioDirection direction, guint tag, guint16 format);
void _vmm_hda_codec_stream_stop (HdaCodec *codec, VmmAudioDirection direction, guint tag);
/* @data: whole frames of the stream @tag, as the driver's format has them. */
void _vmm_hda_codec_play (HdaCodec *codec, guint tag, const guint8 *data, gsize len);
void _vmm_hda_codec_record (HdaCodec *codec, guint tag, guint8 *data, gsize len);
