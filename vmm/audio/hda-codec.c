/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The codec on the HDA link: one line-out jack with its DAC, one line-in jack with its ADC.
 * Spec: High Definition Audio 1.0a §7 (verbs, parameters, widgets). The IDs and the shape are those of QEMU's "hda-duplex", which
 *   systems know. Left out: jack detection (the pins say so), unsolicited responses, digital converters, EAPD, GPIO.
 *
 * Theory of operation: verbs change the registers here and nothing else. A converter takes part when a stream with its tag runs; then the
 * host's stream runs in the rate and width of the link's stream, always with two channels, and the converter's amplifier is applied to
 * the samples on their way. */
#include "audio/hda-codec.h"

#include <string.h>

/* Nodes */
enum { CODEC_ROOT, CODEC_GROUP, CODEC_DAC, CODEC_OUT_PIN, CODEC_ADC, CODEC_IN_PIN, CODEC_NODES };

#define CODEC_VENDOR 0x1af40022u
#define CODEC_REVISION 0x00100101u /* HDA 1.0 */

/* §7.3.3: verbs with 8 bits of data */
#define CODEC_GET_PARAMETER 0xf00
#define CODEC_GET_CONNECTION 0xf01
#define CODEC_GET_CONNECTION_LIST 0xf02
#define CODEC_GET_POWER 0xf05
#define CODEC_SET_POWER 0x705
#define CODEC_GET_STREAM 0xf06
#define CODEC_SET_STREAM 0x706
#define CODEC_GET_PIN_CONTROL 0xf07
#define CODEC_SET_PIN_CONTROL 0x707
#define CODEC_GET_PIN_SENSE 0xf09
#define CODEC_GET_CONFIG_DEFAULT 0xf1c
#define CODEC_SET_CONFIG_DEFAULT_0 0x71c
#define CODEC_SET_CONFIG_DEFAULT_3 0x71f
#define CODEC_GET_SUBSYSTEM 0xf20
#define CODEC_SET_SUBSYSTEM_0 0x720
#define CODEC_SET_SUBSYSTEM_3 0x723
#define CODEC_RESET 0x7ff
/* with 16 bits of data */
#define CODEC_SET_FORMAT 0x2
#define CODEC_SET_AMP 0x3
#define CODEC_GET_FORMAT 0xa
#define CODEC_GET_AMP 0xb

/* §7.3.4: parameters */
#define CODEC_PARAM_VENDOR 0x00
#define CODEC_PARAM_REVISION 0x02
#define CODEC_PARAM_NODES 0x04
#define CODEC_PARAM_GROUP_TYPE 0x05
#define CODEC_PARAM_GROUP_CAPS 0x08
#define CODEC_PARAM_WIDGET_CAPS 0x09
#define CODEC_PARAM_PCM 0x0a
#define CODEC_PARAM_FORMATS 0x0b
#define CODEC_PARAM_PIN_CAPS 0x0c
#define CODEC_PARAM_IN_AMP 0x0d
#define CODEC_PARAM_CONNECTIONS 0x0e
#define CODEC_PARAM_POWER 0x0f
#define CODEC_PARAM_OUT_AMP 0x12

/* §7.3.4.6 */
#define CODEC_WIDGET_STEREO 0x0001u
#define CODEC_WIDGET_IN_AMP 0x0002u
#define CODEC_WIDGET_OUT_AMP 0x0004u
#define CODEC_WIDGET_AMP_OVERRIDE 0x0008u
#define CODEC_WIDGET_FORMAT_OVERRIDE 0x0010u
#define CODEC_WIDGET_CONNECTIONS 0x0100u
#define CODEC_WIDGET_ADC 0x00100000u
#define CODEC_WIDGET_PIN 0x00400000u

#define CODEC_PCM 0x000e0160u /* §7.3.4.7: 16, 20, 24 bits; 44.1, 48, 96 kHz */
#define CODEC_AMP_STEPS 0x4au
#define CODEC_AMP (0x80000000u | 3u << 16 | CODEC_AMP_STEPS << 8 | CODEC_AMP_STEPS) /* mute; steps of 1 dB; the last is 0 dB */
#define CODEC_MUTE 0x80u
#define CODEC_PIN_OUT 0x40u
#define CODEC_PIN_IN 0x20u
/* §7.3.3.31: jacks at the rear, 3.5 mm, green and blue, no detection; associations 1 and 2 */
#define CODEC_OUT_CONFIG 0x01014110u
#define CODEC_IN_CONFIG 0x01813120u

/* 10^(-n/20) in 1/65536 */
static const guint32 codec_decibel[CODEC_AMP_STEPS + 1] = {
  65536, 58409, 52057, 46396, 41350, 36854, 32846, 29274, 26090, 23253, 20724, 18471, 16462, 14672, 13076, 11654, 10387, 9257, 8250,
  7353,  6554,  5841,  5206,  4640,  4135,  3685,  3285,  2927,  2609,  2325,  2072,  1847,  1646,  1467,  1308,  1165,  1039, 926,
  825,   735,   655,   584,   521,   464,   414,   369,   328,   293,   261,   233,   207,   185,   165,   147,   131,   117,  104,
  93,    83,    74,    66,    58,    52,    46,    41,    37,    33,    29,    26,    23,    21,    18,    16,    15,    13,
};

/* === Formats === */

gboolean
_vmm_hda_format_parse (guint16 word, HdaFormat *ret_format)
{
  static const guint8 sizes[8] = { 1, 2, 4, 4, 4 };
  guint multiple = (word >> 11 & 7u) + 1, divisor = (word >> 8 & 7u) + 1;

  if ((word & 0x8000u) != 0 || multiple > 4 || sizes[word >> 4 & 7u] == 0)
    return FALSE;
  ret_format->rate = ((word & 0x4000u) != 0 ? 44100 : 48000) * multiple / divisor;
  ret_format->channels = (word & 0xfu) + 1;
  ret_format->sample_size = sizes[word >> 4 & 7u];
  return TRUE;
}

/* === The way to the host === */

/* The host's stream runs while the converter's tag runs on the link. */
static void
codec_update_stream (HdaCodec *codec, VmmAudioDirection direction)
{
  const HdaConverterRegs *converter = &codec->regs->converter[direction];
  HdaFormat format;

  if (converter->tag != 0 && (codec->runs[direction] >> converter->tag & 1) != 0
      && _vmm_hda_format_parse (codec->format[direction][converter->tag], &format))
    {
      VmmAudioSpec spec = { .format = format.sample_size == 4 ? VMM_AUDIO_S32 : VMM_AUDIO_S16, .rate = format.rate, .channels = 2 };

      vmm_audio_stream_start (codec->stream[direction], &spec);
    }
  else
    vmm_audio_stream_stop (codec->stream[direction]);
}

void
_vmm_hda_codec_stream_start (HdaCodec *codec, VmmAudioDirection direction, guint tag, guint16 format)
{
  codec->runs[direction] |= (guint16) (1u << tag);
  codec->format[direction][tag] = format;
  if (codec->regs->converter[direction].tag == tag)
    codec_update_stream (codec, direction);
}

void
_vmm_hda_codec_stream_stop (HdaCodec *codec, VmmAudioDirection direction, guint tag)
{
  codec->runs[direction] &= (guint16) ~(1u << tag);
  if (codec->regs->converter[direction].tag == tag)
    codec_update_stream (codec, direction);
}

static gint32
codec_amplify (gint32 sample, guint8 gain)
{
  if ((gain & CODEC_MUTE) != 0)
    return 0;
  return (gint32) ((gint64) sample * codec_decibel[CODEC_AMP_STEPS - MIN (gain, CODEC_AMP_STEPS)] / 65536);
}

/* A sample as its format has it (§4.5.1: left-justified in its container), as 16 or 32 bits. */
static gint32
codec_get_sample (const guint8 *data, guint size)
{
  guint32 wide;
  guint16 half;

  switch (size)
    {
    case 1:
      return ((gint32) data[0] - 128) * 256; /* 8 bits are unsigned */
    case 2:
      memcpy (&half, data, 2);
      return (gint16) GUINT16_FROM_LE (half);
    default:
      memcpy (&wide, data, 4);
      return (gint32) GUINT32_FROM_LE (wide);
    }
}

static void
codec_put_sample (guint8 *data, guint size, gint32 sample)
{
  guint32 wide;
  guint16 half;

  switch (size)
    {
    case 1:
      data[0] = (guint8) (sample / 256 + 128);
      break;
    case 2:
      half = GUINT16_TO_LE ((guint16) sample);
      memcpy (data, &half, 2);
      break;
    default:
      wide = GUINT32_TO_LE ((guint32) sample);
      memcpy (data, &wide, 4);
    }
}

/* Which channel of the stream is the converter's left or right; a stream of one channel feeds both. */
static guint
codec_channel (const HdaConverterRegs *converter, const HdaFormat *format, guint side)
{
  return format->channels == 1 ? 0 : converter->channel + side;
}

void
_vmm_hda_codec_play (HdaCodec *codec, guint tag, const guint8 *data, gsize len)
{
  const HdaConverterRegs *converter = &codec->regs->converter[VMM_AUDIO_OUTPUT];
  VmmAudioStream *stream = codec->stream[VMM_AUDIO_OUTPUT];
  gboolean audible = (converter->pin_control & CODEC_PIN_OUT) != 0;
  guint8 buffer[4096];
  gsize frame, out_size, at = 0;
  HdaFormat format;

  if (tag == 0 || converter->tag != tag || !vmm_audio_stream_is_running (stream)
      || !_vmm_hda_format_parse (codec->format[VMM_AUDIO_OUTPUT][tag], &format))
    return;
  frame = (gsize) format.channels * format.sample_size;
  out_size = format.sample_size == 4 ? 4 : 2;
  for (; len >= frame; data += frame, len -= frame)
    {
      for (guint side = 0; side < 2; side++)
        {
          guint channel = codec_channel (converter, &format, side);
          gint32 sample = 0;

          if (audible && channel < format.channels)
            sample = codec_amplify (codec_get_sample (data + channel * format.sample_size, format.sample_size),
                                    converter->gain[side]);
          codec_put_sample (buffer + at + side * out_size, (guint) out_size, sample);
        }
      at += 2 * out_size;
      if (at == sizeof buffer || len < 2 * frame)
        {
          vmm_audio_stream_write (stream, buffer, at);
          at = 0;
        }
    }
}

void
_vmm_hda_codec_record (HdaCodec *codec, guint tag, guint8 *data, gsize len)
{
  const HdaConverterRegs *converter = &codec->regs->converter[VMM_AUDIO_INPUT];
  VmmAudioStream *stream = codec->stream[VMM_AUDIO_INPUT];
  gboolean audible = (converter->pin_control & CODEC_PIN_IN) != 0;
  guint8 buffer[4096];
  gsize frame, in_size;
  HdaFormat format;

  memset (data, 0, len);
  if (tag == 0 || converter->tag != tag || !vmm_audio_stream_is_running (stream)
      || !_vmm_hda_format_parse (codec->format[VMM_AUDIO_INPUT][tag], &format))
    return;
  frame = (gsize) format.channels * format.sample_size;
  in_size = format.sample_size == 4 ? 4 : 2;
  while (len >= frame)
    {
      gsize frames = MIN (len / frame, sizeof buffer / (2 * in_size));

      vmm_audio_stream_read (stream, buffer, frames * 2 * in_size);
      for (gsize i = 0; i < frames; i++, data += frame)
        for (guint side = 0; side < 2; side++)
          {
            guint channel = codec_channel (converter, &format, side);
            gint32 sample = audible ? codec_get_sample (buffer + (2 * i + side) * in_size, (guint) in_size) : 0;

            if (channel < format.channels && (format.channels > 1 || side == 0))
              codec_put_sample (data + channel * format.sample_size, format.sample_size,
                                codec_amplify (sample, converter->gain[side]));
          }
      len -= frames * frame;
    }
}

/* === Verbs === */

static guint32
codec_parameter (guint node, guint parameter)
{
  if (node == CODEC_ROOT)
    switch (parameter)
      {
      case CODEC_PARAM_VENDOR:
        return CODEC_VENDOR;
      case CODEC_PARAM_REVISION:
        return CODEC_REVISION;
      case CODEC_PARAM_NODES:
        return CODEC_GROUP << 16 | 1;
      default:
        return 0;
      }
  if (node == CODEC_GROUP)
    switch (parameter)
      {
      case CODEC_PARAM_NODES:
        return CODEC_DAC << 16 | (CODEC_NODES - CODEC_DAC);
      case CODEC_PARAM_GROUP_TYPE:
        return 1; /* audio */
      case CODEC_PARAM_GROUP_CAPS:
        return 0x0808; /* delays of the two ways, in samples */
      case CODEC_PARAM_PCM:
        return CODEC_PCM;
      case CODEC_PARAM_FORMATS:
        return 1; /* PCM */
      case CODEC_PARAM_POWER:
        return 0x9; /* D0, D3 */
      default:
        return 0;
      }
  switch (parameter)
    {
    case CODEC_PARAM_WIDGET_CAPS:
      switch (node)
        {
        case CODEC_DAC:
          return CODEC_WIDGET_STEREO | CODEC_WIDGET_OUT_AMP | CODEC_WIDGET_AMP_OVERRIDE | CODEC_WIDGET_FORMAT_OVERRIDE;
        case CODEC_OUT_PIN:
          return CODEC_WIDGET_PIN | CODEC_WIDGET_STEREO | CODEC_WIDGET_CONNECTIONS;
        case CODEC_ADC:
          return CODEC_WIDGET_ADC | CODEC_WIDGET_STEREO | CODEC_WIDGET_IN_AMP | CODEC_WIDGET_AMP_OVERRIDE
                 | CODEC_WIDGET_FORMAT_OVERRIDE | CODEC_WIDGET_CONNECTIONS;
        default:
          return CODEC_WIDGET_PIN | CODEC_WIDGET_STEREO;
        }
    case CODEC_PARAM_PCM:
      return node == CODEC_DAC || node == CODEC_ADC ? CODEC_PCM : 0;
    case CODEC_PARAM_FORMATS:
      return node == CODEC_DAC || node == CODEC_ADC ? 1 : 0;
    case CODEC_PARAM_PIN_CAPS:
      return node == CODEC_OUT_PIN ? 0x10 : node == CODEC_IN_PIN ? 0x20 : 0;
    case CODEC_PARAM_IN_AMP:
      return node == CODEC_ADC ? CODEC_AMP : 0;
    case CODEC_PARAM_OUT_AMP:
      return node == CODEC_DAC ? CODEC_AMP : 0;
    case CODEC_PARAM_CONNECTIONS:
      return node == CODEC_OUT_PIN || node == CODEC_ADC ? 1 : 0;
    default:
      return 0;
    }
}

/* §7.3.3.7: which sides, and whether the amplifier is the one that this converter has. */
static void
codec_set_amp (HdaConverterRegs *converter, gboolean output, guint value)
{
  if ((value & (output ? 0x8000u : 0x4000u)) == 0)
    return;
  for (guint side = 0; side < 2; side++)
    if ((value & (side == 0 ? 0x2000u : 0x1000u)) != 0)
      converter->gain[side] = (guint8) ((value & CODEC_MUTE) | MIN (value & 0x7fu, CODEC_AMP_STEPS));
}

static guint32
codec_get_amp (const HdaConverterRegs *converter, gboolean output, guint value)
{
  if (((value & 0x8000u) != 0) != output || (!output && (value & 0xfu) != 0))
    return 0;
  return converter->gain[(value & 0x2000u) != 0 ? 0 : 1];
}

static void
codec_set_byte (guint32 *word, guint byte, guint value)
{
  *word = (*word & ~(0xffu << byte * 8)) | (guint32) value << byte * 8;
}

static void
codec_set_stream (HdaCodec *codec, VmmAudioDirection direction, guint value)
{
  HdaConverterRegs *converter = &codec->regs->converter[direction];

  converter->tag = (guint8) (value >> 4);
  converter->channel = value & 0xf;
  codec_update_stream (codec, direction);
}

/* What a function reset keeps (§7.3.3.33: pin configuration, subsystem) is not touched. */
static void
codec_reset_function (HdaCodec *codec)
{
  for (guint direction = 0; direction < 2; direction++)
    {
      HdaConverterRegs *converter = &codec->regs->converter[direction];

      converter->format = 0x0011; /* 48 kHz, 16 bits, stereo */
      converter->tag = 0;
      converter->channel = 0;
      converter->gain[0] = converter->gain[1] = CODEC_AMP_STEPS;
      converter->pin_control = direction == VMM_AUDIO_OUTPUT ? CODEC_PIN_OUT : CODEC_PIN_IN;
      codec_update_stream (codec, direction);
    }
  codec->regs->power = 0;
}

static guint32
codec_group_command (HdaCodec *codec, guint verb, guint value)
{
  HdaCodecRegs *regs = codec->regs;

  switch (verb)
    {
    case CODEC_GET_POWER:
      return (guint32) regs->power << 4 | regs->power;
    case CODEC_SET_POWER:
      regs->power = (value & 0xf) == 3 ? 3 : 0;
      return 0;
    case CODEC_GET_SUBSYSTEM:
      return regs->subsystem;
    case CODEC_RESET:
      codec_reset_function (codec);
      return 0;
    default:
      if (verb >= CODEC_SET_SUBSYSTEM_0 && verb <= CODEC_SET_SUBSYSTEM_3)
        codec_set_byte (&regs->subsystem, verb - CODEC_SET_SUBSYSTEM_0, value);
      return 0;
    }
}

static guint32
codec_converter_command (HdaCodec *codec, VmmAudioDirection direction, guint verb, guint value)
{
  const HdaConverterRegs *converter = &codec->regs->converter[direction];

  switch (verb)
    {
    case CODEC_GET_STREAM:
      return (guint32) converter->tag << 4 | converter->channel;
    case CODEC_SET_STREAM:
      codec_set_stream (codec, direction, value);
      return 0;
    case CODEC_GET_CONNECTION_LIST:
      return direction == VMM_AUDIO_INPUT && value == 0 ? CODEC_IN_PIN : 0;
    default:
      return 0;
    }
}

static guint32
codec_pin_command (HdaConverterRegs *converter, gboolean output, guint verb, guint value)
{
  switch (verb)
    {
    case CODEC_GET_PIN_CONTROL:
      return converter->pin_control;
    case CODEC_SET_PIN_CONTROL:
      converter->pin_control = (guint8) (value & (output ? CODEC_PIN_OUT : CODEC_PIN_IN));
      return 0;
    case CODEC_GET_CONNECTION_LIST:
      return output && value == 0 ? CODEC_DAC : 0;
    case CODEC_GET_PIN_SENSE:
      return 0x80000000u; /* something is plugged in */
    case CODEC_GET_CONFIG_DEFAULT:
      return converter->pin_config;
    default:
      if (verb >= CODEC_SET_CONFIG_DEFAULT_0 && verb <= CODEC_SET_CONFIG_DEFAULT_3)
        codec_set_byte (&converter->pin_config, verb - CODEC_SET_CONFIG_DEFAULT_0, value);
      return 0;
    }
}

/* The verbs with 16 bits of data are the converters'. */
static guint32
codec_long_command (HdaCodec *codec, guint node, guint verb, guint value)
{
  gboolean output = node == CODEC_DAC;
  HdaConverterRegs *converter = &codec->regs->converter[output ? VMM_AUDIO_OUTPUT : VMM_AUDIO_INPUT];

  if (node != CODEC_DAC && node != CODEC_ADC)
    return 0;
  switch (verb)
    {
    case CODEC_SET_FORMAT:
      converter->format = (guint16) value;
      return 0;
    case CODEC_GET_FORMAT:
      return converter->format;
    case CODEC_SET_AMP:
      codec_set_amp (converter, output, value);
      return 0;
    default:
      return codec_get_amp (converter, output, value);
    }
}

guint32
_vmm_hda_codec_command (HdaCodec *codec, guint32 command)
{
  guint node = command >> 20 & 0xff, verb = command >> 8 & 0xfff, value = command & 0xff, high = command >> 16 & 0xf;

  if (node >= CODEC_NODES)
    return 0;
  if (high == CODEC_SET_FORMAT || high == CODEC_SET_AMP || high == CODEC_GET_FORMAT || high == CODEC_GET_AMP)
    return codec_long_command (codec, node, high, command & 0xffff);
  if (verb == CODEC_GET_PARAMETER)
    return codec_parameter (node, value);
  switch (node)
    {
    case CODEC_GROUP:
      return codec_group_command (codec, verb, value);
    case CODEC_DAC:
      return codec_converter_command (codec, VMM_AUDIO_OUTPUT, verb, value);
    case CODEC_ADC:
      return codec_converter_command (codec, VMM_AUDIO_INPUT, verb, value);
    case CODEC_OUT_PIN:
      return codec_pin_command (&codec->regs->converter[VMM_AUDIO_OUTPUT], TRUE, verb, value);
    case CODEC_IN_PIN:
      return codec_pin_command (&codec->regs->converter[VMM_AUDIO_INPUT], FALSE, verb, value);
    default:
      return 0;
    }
}

/* === Life === */

void
_vmm_hda_codec_reset (HdaCodec *codec)
{
  codec->runs[VMM_AUDIO_OUTPUT] = codec->runs[VMM_AUDIO_INPUT] = 0;
  codec_reset_function (codec);
  codec->regs->subsystem = CODEC_VENDOR;
  codec->regs->converter[VMM_AUDIO_OUTPUT].pin_config = CODEC_OUT_CONFIG;
  codec->regs->converter[VMM_AUDIO_INPUT].pin_config = CODEC_IN_CONFIG;
}

void
_vmm_hda_codec_post_load (HdaCodec *codec)
{
  codec->runs[VMM_AUDIO_OUTPUT] = codec->runs[VMM_AUDIO_INPUT] = 0;
  codec_update_stream (codec, VMM_AUDIO_OUTPUT);
  codec_update_stream (codec, VMM_AUDIO_INPUT);
}

gboolean
_vmm_hda_codec_realize (HdaCodec *codec, VmmDevice *dev, HdaCodecRegs *regs, GError **error)
{
  codec->dev = dev;
  codec->regs = regs;
  codec->audio = vmm_audio_new (dev, error);
  if (codec->audio == NULL)
    return FALSE;
  codec->stream[VMM_AUDIO_OUTPUT] = vmm_audio_add_stream (codec->audio, VMM_AUDIO_OUTPUT, "Line out");
  codec->stream[VMM_AUDIO_INPUT] = vmm_audio_add_stream (codec->audio, VMM_AUDIO_INPUT, "Line in");
  return TRUE;
}

void
_vmm_hda_codec_unrealize (HdaCodec *codec)
{
  vmm_audio_free (codec->audio);
}
