/* SPDX-License-Identifier: GPL-3.0-or-later */
/* virtio sound device: one stream to play, one to record, a jack for each.
 * Spec: VIRTIO 1.2 §5.14. Left out: control elements, shared memory, events, jack remapping; none is offered.
 *
 * Theory of operation: the queues are the streams' FIFOs. A buffer is taken, used as far as the machine's clock says that its time has
 * come, and put back into the ring until the rest is due; so nothing is held, and how far the first buffer is done is all that a saved
 * state needs. A buffer goes back to the driver when its last frame is played or recorded by the clock: the host's sound system has
 * no say in the pace. A stream whose queue runs dry waits, and begins to count anew with the next buffer. A timer does this at the end of
 * each buffer, at most 5 ms apart, while a stream runs and has buffers. */
#include "audio/audio.h"
#include "core/clock.h"
#include "virtio/virtio.h"

#include <string.h>

enum { VSND_QUEUE_CONTROL, VSND_QUEUE_EVENT, VSND_QUEUE_TX, VSND_QUEUE_RX, VSND_QUEUES };

#define VSND_QUEUE_SIZE 256
#define VSND_STREAMS 2 /* by VmmAudioDirection, which counts as the specification does */
#define VSND_CONFIG_SIZE 12

/* §5.14.6 */
#define VSND_JACK_INFO 0x0001
#define VSND_PCM_INFO 0x0100
#define VSND_PCM_SET_PARAMS 0x0101
#define VSND_PCM_PREPARE 0x0102
#define VSND_PCM_RELEASE 0x0103
#define VSND_PCM_START 0x0104
#define VSND_PCM_STOP 0x0105
#define VSND_CHMAP_INFO 0x0200
#define VSND_OK 0x8000
#define VSND_BAD_MSG 0x8001
#define VSND_NOT_SUPP 0x8002

#define VSND_FORMAT_S16 5
#define VSND_FORMAT_S32 17
#define VSND_FORMATS (1u << VSND_FORMAT_S16 | 1u << VSND_FORMAT_S32)
#define VSND_POSITION_LEFT 3
#define VSND_POSITION_RIGHT 4

#define VSND_XFER_SIZE 4u   /* before the samples: the stream */
#define VSND_STATUS_SIZE 8u /* behind them: status, latency */

#define VSND_TICK_NS (5 * 1000 * 1000)
#define VSND_MIN_TICK_NS (1000 * 1000)
#define VSND_NS_PER_S G_GINT64_CONSTANT (1000000000)
#define VSND_MAX_BYTES (512u << 10) /* of one catching up: more than any ordinary delay brings */
#define VSND_MAX_ELEMENTS 1024u

static const guint32 vsnd_rates[] = { 5512,  8000,  11025, 16000, 22050,  32000,  44100,
                                      48000, 64000, 88200, 96000, 176400, 192000, 384000 };

/* §5.14.6.6.1 */
enum { VSND_NONE, VSND_SET, VSND_PREPARED, VSND_RUNNING, VSND_STOPPED, VSND_RELEASED, VSND_STATES };

typedef struct {
  guint8 state;
  guint8 format, rate, channels; /* as the driver set them */
  guint32 done;                  /* bytes of the queue's first buffer */
  guint32 frames_done;           /* since start_ns */
  guint32 starved;               /* the queue is dry */
  gint64 start_ns;               /* of the machine's clock */
} VsndStreamRegs;

typedef struct {
  VsndStreamRegs stream[VSND_STREAMS];
} VsndRegs;

typedef struct {
  VmmVirtio virtio;
  VsndRegs regs;
  VmmAudio *audio;
  VmmAudioStream *stream[VSND_STREAMS];
  VmmTimer timer[VSND_STREAMS];
  VmmVirtioElement element; /* in use during one call only */
} VirtioSnd;

#define VSND_STREAM_FIELDS(n)                                                                                                   \
  VMM_FIELD_MAX (VsndRegs, stream[n].state, VSND_STATES - 1), VMM_FIELD_MAX (VsndRegs, stream[n].format, VSND_FORMAT_S32),      \
      VMM_FIELD_MAX (VsndRegs, stream[n].rate, G_N_ELEMENTS (vsnd_rates) - 1), VMM_FIELD_MAX (VsndRegs, stream[n].channels, 2), \
      VMM_FIELD (VsndRegs, stream[n].done), VMM_FIELD (VsndRegs, stream[n].frames_done),                                        \
      VMM_FIELD_MAX (VsndRegs, stream[n].starved, 1), VMM_FIELD (VsndRegs, stream[n].start_ns)

static const VmmField vsnd_fields[] = {
  VSND_STREAM_FIELDS (0),
  VSND_STREAM_FIELDS (1),
  VMM_FIELD_END,
};

static void
vsnd_put16 (guint8 *bytes, guint value)
{
  bytes[0] = (guint8) value;
  bytes[1] = (guint8) (value >> 8);
}

static void
vsnd_put32 (guint8 *bytes, guint32 value)
{
  vsnd_put16 (bytes, value & 0xffff);
  vsnd_put16 (bytes + 2, value >> 16);
}

static guint32
vsnd_get32 (const guint8 *bytes)
{
  return bytes[0] | (guint32) bytes[1] << 8 | (guint32) bytes[2] << 16 | (guint32) bytes[3] << 24;
}

static gint64
vsnd_now (VirtioSnd *snd)
{
  return vmm_clock_now (vmm_device_get_clock (&snd->virtio.pci.base));
}

static void
vsnd_get_spec (const VsndStreamRegs *regs, VmmAudioSpec *ret_spec)
{
  ret_spec->format = regs->format == VSND_FORMAT_S16 ? VMM_AUDIO_S16 : VMM_AUDIO_S32;
  ret_spec->rate = vsnd_rates[regs->rate];
  ret_spec->channels = MAX (regs->channels, 1);
}

/* === Buffers === */

static VmmVirtqueue *
vsnd_get_queue (VirtioSnd *snd, guint index)
{
  return vmm_virtio_get_queue (&snd->virtio, index == VMM_AUDIO_OUTPUT ? VSND_QUEUE_TX : VSND_QUEUE_RX);
}

/* Gives the buffer back. @recorded: bytes of samples in it. */
static void
vsnd_complete (VirtioSnd *snd, guint index, guint32 status, guint32 recorded)
{
  VmmVirtioElement *element = &snd->element;
  guint8 bytes[VSND_STATUS_SIZE] = { 0 };
  guint32 written = 0;

  vsnd_put32 (bytes, status);
  if (element->in_bytes >= VSND_STATUS_SIZE)
    {
      vmm_virtio_element_write (element, element->in_bytes - VSND_STATUS_SIZE, bytes, sizeof bytes);
      written = recorded + VSND_STATUS_SIZE;
    }
  vmm_virtqueue_push (vsnd_get_queue (snd, index), element, written);
}

/* Bytes of samples in the buffer. FALSE: it is none for this stream. */
static gboolean
vsnd_measure (VirtioSnd *snd, guint index, guint32 *ret_size)
{
  const VmmVirtioElement *element = &snd->element;
  guint8 header[VSND_XFER_SIZE];
  gsize size;

  if (vmm_virtio_element_read (element, 0, header, sizeof header) < sizeof header || vsnd_get32 (header) != index
      || element->in_bytes < VSND_STATUS_SIZE)
    return FALSE;
  size = index == VMM_AUDIO_OUTPUT ? element->out_bytes - VSND_XFER_SIZE : element->in_bytes - VSND_STATUS_SIZE;
  *ret_size = (guint32) MIN (size, G_MAXINT32);
  return TRUE;
}

/* Moves @len bytes between the buffer and the host. */
static void
vsnd_transfer (VirtioSnd *snd, guint index, guint32 len)
{
  guint8 buffer[4096]; /* whole frames */
  guint32 done = snd->regs.stream[index].done;

  while (len > 0)
    {
      guint32 piece = MIN (len, sizeof buffer);

      if (index == VMM_AUDIO_OUTPUT)
        {
          vmm_virtio_element_read (&snd->element, VSND_XFER_SIZE + done, buffer, piece);
          vmm_audio_stream_write (snd->stream[index], buffer, piece);
        }
      else
        {
          vmm_audio_stream_read (snd->stream[index], buffer, piece);
          vmm_virtio_element_write (&snd->element, done, buffer, piece);
        }
      done += piece;
      len -= piece;
    }
  snd->regs.stream[index].done = done;
}

/* What falls due is played or recorded; @due: bytes. */
static void
vsnd_run_queue (VirtioSnd *snd, guint index, guint32 due)
{
  VsndStreamRegs *regs = &snd->regs.stream[index];
  VmmVirtqueue *queue = vsnd_get_queue (snd, index);
  guint32 size;

  for (guint n = 0; due > 0 && n < VSND_MAX_ELEMENTS; n++)
    {
      guint32 piece;

      if (!vmm_virtqueue_pop (queue, &snd->element))
        {
          regs->starved = TRUE;
          break;
        }
      if (!vsnd_measure (snd, index, &size))
        {
          vmm_guest_error (&snd->virtio.pci.base, "a buffer of queue %u is none of its stream", vmm_virtqueue_get_index (queue));
          vsnd_complete (snd, index, VSND_BAD_MSG, 0);
          continue;
        }
      regs->done = MIN (regs->done, size); /* the driver may have changed it meanwhile */
      piece = MIN (due, size - regs->done);
      vsnd_transfer (snd, index, piece);
      due -= piece;
      if (regs->done < size)
        {
          vmm_virtqueue_unpop (queue, &snd->element);
          break;
        }
      vsnd_complete (snd, index, VSND_OK, index == VMM_AUDIO_INPUT ? size : 0);
      regs->done = 0;
    }
  vmm_virtqueue_notify (queue);
}

/* Brings the stream up to now. */
static void
vsnd_sync (VirtioSnd *snd, guint index)
{
  VsndStreamRegs *regs = &snd->regs.stream[index];
  gint64 now_ns = vsnd_now (snd);
  VmmAudioSpec spec;
  guint64 due, seconds;
  guint frame;

  if (regs->state != VSND_RUNNING || regs->starved)
    return;
  vsnd_get_spec (regs, &spec);
  frame = vmm_audio_spec_frame_size (&spec);
  if (now_ns < regs->start_ns || now_ns - regs->start_ns > 3600 * VSND_NS_PER_S) /* a saved state that lies */
    {
      regs->start_ns = now_ns;
      regs->frames_done = 0;
    }
  seconds = MIN ((guint64) (now_ns - regs->start_ns) / VSND_NS_PER_S, regs->frames_done / spec.rate);
  regs->start_ns += (gint64) seconds * VSND_NS_PER_S;
  regs->frames_done -= (guint32) seconds * spec.rate;
  due = (guint64) (now_ns - regs->start_ns) * spec.rate / VSND_NS_PER_S;
  if (due <= regs->frames_done)
    return;
  due -= regs->frames_done;
  if (due > VSND_MAX_BYTES / frame)
    {
      /* The machine was not scheduled for long: nobody hears what lies between. */
      due = VSND_MAX_BYTES / frame;
      regs->start_ns = now_ns;
      regs->frames_done = 0;
    }
  else
    regs->frames_done += (guint32) due;
  vsnd_run_queue (snd, index, (guint32) due * frame);
}

/* The next time that something happens: the end of the first buffer, or a tick. */
static void
vsnd_arm (VirtioSnd *snd, guint index)
{
  VsndStreamRegs *regs = &snd->regs.stream[index];
  VmmVirtqueue *queue = vsnd_get_queue (snd, index);
  gint64 now_ns = vsnd_now (snd), deadline_ns = now_ns + VSND_TICK_NS;
  VmmAudioSpec spec;
  guint32 size;

  if (regs->state != VSND_RUNNING || regs->starved || vmm_virtio_is_quiesced (&snd->virtio))
    {
      vmm_timer_disarm (&snd->timer[index]);
      return;
    }
  vsnd_get_spec (regs, &spec);
  if (vmm_virtqueue_pop (queue, &snd->element))
    {
      if (vsnd_measure (snd, index, &size))
        {
          guint frame = vmm_audio_spec_frame_size (&spec);
          guint64 left = ((guint64) size - MIN (size, regs->done) + frame - 1) / frame;

          if (left < spec.rate)
            deadline_ns = MIN (deadline_ns,
                               regs->start_ns
                                   + (gint64) (((regs->frames_done + left) * VSND_NS_PER_S + spec.rate - 1) / spec.rate));
        }
      vmm_virtqueue_unpop (queue, &snd->element);
    }
  vmm_timer_arm (&snd->timer[index], MAX (deadline_ns, now_ns + VSND_MIN_TICK_NS));
}

static void
vsnd_begin (VirtioSnd *snd, guint index)
{
  VsndStreamRegs *regs = &snd->regs.stream[index];
  VmmVirtqueue *queue = vsnd_get_queue (snd, index);

  regs->start_ns = vsnd_now (snd);
  regs->frames_done = 0;
  /* Not vmm_virtqueue_is_empty(): a queue that is popped when dry asks for a kick. */
  regs->starved = !vmm_virtqueue_pop (queue, &snd->element);
  if (!regs->starved)
    vmm_virtqueue_unpop (queue, &snd->element);
  vsnd_arm (snd, index);
}

static void
vsnd_on_timer (VmmDevice *dev, gpointer data)
{
  VirtioSnd *snd = (VirtioSnd *) dev;
  guint index = GPOINTER_TO_UINT (data);

  vsnd_sync (snd, index);
  vsnd_arm (snd, index);
}

/* Everything goes back to the driver (§5.14.6.6.6). */
static void
vsnd_flush (VirtioSnd *snd, guint index)
{
  VmmVirtqueue *queue = vsnd_get_queue (snd, index);

  for (guint n = 0; n < VSND_MAX_ELEMENTS && vmm_virtqueue_pop (queue, &snd->element); n++)
    {
      vsnd_complete (snd, index, VSND_OK, 0);
      snd->regs.stream[index].done = 0;
    }
  vmm_virtqueue_notify (queue);
}

/* === Requests === */

static guint32
vsnd_set_params (VirtioSnd *snd, guint index, const guint8 *request)
{
  VsndStreamRegs *regs = &snd->regs.stream[index];
  guint32 buffer_bytes = vsnd_get32 (request + 8), period_bytes = vsnd_get32 (request + 12), features = vsnd_get32 (request + 16);
  guint8 channels = request[20], format = request[21], rate = request[22];

  if (regs->state == VSND_RUNNING || regs->state == VSND_STOPPED || period_bytes == 0 || buffer_bytes % period_bytes != 0)
    return VSND_BAD_MSG;
  if (features != 0 || channels < 1 || channels > VMM_AUDIO_MAX_CHANNELS || format > VSND_FORMAT_S32
      || (VSND_FORMATS >> format & 1) == 0 || rate >= G_N_ELEMENTS (vsnd_rates))
    return VSND_NOT_SUPP;
  regs->channels = channels;
  regs->format = format;
  regs->rate = rate;
  regs->state = VSND_SET;
  return VSND_OK;
}

/* What follows on what (§5.14.6.6.1). */
static guint32
vsnd_change_state (VirtioSnd *snd, guint index, guint32 code)
{
  VsndStreamRegs *regs = &snd->regs.stream[index];
  VmmAudioSpec spec;

  switch (code)
    {
    case VSND_PCM_PREPARE:
      if (regs->state == VSND_NONE || regs->state == VSND_RUNNING)
        return VSND_BAD_MSG;
      regs->state = VSND_PREPARED;
      return VSND_OK;
    case VSND_PCM_START:
      if (regs->state != VSND_PREPARED && regs->state != VSND_STOPPED)
        return VSND_BAD_MSG;
      regs->state = VSND_RUNNING;
      vsnd_get_spec (regs, &spec);
      vmm_audio_stream_start (snd->stream[index], &spec);
      vsnd_begin (snd, index);
      return VSND_OK;
    case VSND_PCM_STOP:
      if (regs->state != VSND_RUNNING)
        return VSND_BAD_MSG;
      vsnd_sync (snd, index);
      regs->state = VSND_STOPPED;
      vmm_audio_stream_stop (snd->stream[index]);
      vmm_timer_disarm (&snd->timer[index]);
      return VSND_OK;
    default: /* release */
      if (regs->state != VSND_PREPARED && regs->state != VSND_STOPPED)
        return VSND_BAD_MSG;
      vsnd_flush (snd, index);
      regs->state = VSND_RELEASED;
      return VSND_OK;
    }
}

/* One item of an information request, in the sizes of §5.14.6.4.1, §5.14.6.6.2 and §5.14.6.7.1; the jacks are as the HDA specification
 * writes them: line out (green), line in (blue), at the rear. */
#define VSND_INFO_MAX 32
static guint
vsnd_get_info (guint32 code, guint index, guint8 info[VSND_INFO_MAX])
{
  gboolean output = index == VMM_AUDIO_OUTPUT;

  memset (info, 0, VSND_INFO_MAX);
  switch (code)
    {
    case VSND_JACK_INFO:
      vsnd_put32 (info + 8, output ? 0x01014110 : 0x01813120);
      vsnd_put32 (info + 12, output ? 0x10 : 0x20);
      info[16] = 1; /* connected */
      return 24;
    case VSND_PCM_INFO:
      vsnd_put32 (info + 8, VSND_FORMATS);
      vsnd_put32 (info + 16, (1u << G_N_ELEMENTS (vsnd_rates)) - 1);
      info[24] = (guint8) index;
      info[25] = 1;
      info[26] = VMM_AUDIO_MAX_CHANNELS;
      return 32;
    default: /* channel map */
      info[4] = (guint8) index;
      info[5] = 2;
      info[6] = VSND_POSITION_LEFT;
      info[7] = VSND_POSITION_RIGHT;
      return 24;
    }
}

static guint32
vsnd_query (const VmmVirtioElement *element, guint32 code, const guint8 *request, guint32 *ret_written)
{
  guint32 first = vsnd_get32 (request + 4), count = vsnd_get32 (request + 8), size = vsnd_get32 (request + 12);
  guint8 info[VSND_INFO_MAX];

  if (first >= VSND_STREAMS || count > VSND_STREAMS - first || size < vsnd_get_info (code, 0, info)
      || element->in_bytes < 4 + (guint64) count * size)
    return VSND_BAD_MSG;
  for (guint32 i = 0; i < count; i++)
    vmm_virtio_element_write (element, 4 + (gsize) i * size, info, vsnd_get_info (code, first + i, info));
  *ret_written += count * size;
  return VSND_OK;
}

static guint32
vsnd_answer (VirtioSnd *snd, const VmmVirtioElement *element, guint32 *ret_written)
{
  guint8 request[24] = { 0 };
  gsize len = vmm_virtio_element_read (element, 0, request, sizeof request);
  guint32 code = vsnd_get32 (request), index = vsnd_get32 (request + 4);

  switch (code)
    {
    case VSND_JACK_INFO:
    case VSND_PCM_INFO:
    case VSND_CHMAP_INFO:
      return len >= 16 ? vsnd_query (element, code, request, ret_written) : VSND_BAD_MSG;
    case VSND_PCM_SET_PARAMS:
      return len >= 24 && index < VSND_STREAMS ? vsnd_set_params (snd, index, request) : VSND_BAD_MSG;
    case VSND_PCM_PREPARE:
    case VSND_PCM_RELEASE:
    case VSND_PCM_START:
    case VSND_PCM_STOP:
      return len >= 8 && index < VSND_STREAMS ? vsnd_change_state (snd, index, code) : VSND_BAD_MSG;
    default:
      return len >= 4 ? VSND_NOT_SUPP : VSND_BAD_MSG;
    }
}

static void
vsnd_handle_control (VirtioSnd *snd)
{
  VmmVirtqueue *queue = vmm_virtio_get_queue (&snd->virtio, VSND_QUEUE_CONTROL);
  VmmVirtioElement element = { 0 };

  while (vmm_virtqueue_pop (queue, &element))
    {
      guint32 written = 4;
      guint8 bytes[4];

      vsnd_put32 (bytes, vsnd_answer (snd, &element, &written));
      if (vmm_virtio_element_write (&element, 0, bytes, sizeof bytes) < sizeof bytes)
        written = 0;
      vmm_virtqueue_push (queue, &element, written);
    }
  vmm_virtqueue_notify (queue);
  vmm_virtio_element_clear (&element);
}

/* A buffer came: a stream that waits for one goes on. */
static void
vsnd_handle_stream (VirtioSnd *snd, guint index)
{
  VsndStreamRegs *regs = &snd->regs.stream[index];

  if (regs->state != VSND_RUNNING)
    return;
  if (regs->starved)
    vsnd_begin (snd, index);
  else
    vsnd_on_timer (&snd->virtio.pci.base, GUINT_TO_POINTER (index));
}

static void
vsnd_handle_queue (VmmVirtio *virtio, guint index)
{
  VirtioSnd *snd = (VirtioSnd *) virtio;

  if (index == VSND_QUEUE_CONTROL)
    vsnd_handle_control (snd);
  else if (index == VSND_QUEUE_TX)
    vsnd_handle_stream (snd, VMM_AUDIO_OUTPUT);
  else if (index == VSND_QUEUE_RX)
    vsnd_handle_stream (snd, VMM_AUDIO_INPUT);
  /* Buffers for events stay where they are. */
}

/* === Life === */

static void
vsnd_reset (VmmVirtio *virtio)
{
  VirtioSnd *snd = (VirtioSnd *) virtio;

  memset (&snd->regs, 0, sizeof snd->regs);
  for (guint i = 0; i < VSND_STREAMS; i++)
    {
      vmm_timer_disarm (&snd->timer[i]);
      vmm_audio_stream_stop (snd->stream[i]);
    }
}

static const VmmVirtioOps vsnd_ops = {
  .handle_queue = vsnd_handle_queue,
  .reset = vsnd_reset,
};

static void
vsnd_quiesce (VmmDevice *dev)
{
  VirtioSnd *snd = (VirtioSnd *) dev;

  vmm_device_lock (dev);
  for (guint i = 0; i < VSND_STREAMS; i++)
    {
      vsnd_sync (snd, i);
      vmm_timer_disarm (&snd->timer[i]);
    }
  vmm_device_unlock (dev);
  vmm_virtio_quiesce (dev);
  /* What the driver kicked meanwhile may have armed them again. */
  vmm_device_lock (dev);
  for (guint i = 0; i < VSND_STREAMS; i++)
    vmm_timer_disarm (&snd->timer[i]);
  vmm_device_unlock (dev);
}

static gboolean
vsnd_post_load (VmmDevice *dev, GError **error)
{
  VirtioSnd *snd = (VirtioSnd *) dev;

  if (!vmm_virtio_post_load (dev, error))
    return FALSE;
  for (guint i = 0; i < VSND_STREAMS; i++)
    {
      VmmAudioSpec spec;

      vsnd_get_spec (&snd->regs.stream[i], &spec);
      if (snd->regs.stream[i].state == VSND_RUNNING)
        vmm_audio_stream_start (snd->stream[i], &spec);
      else
        vmm_audio_stream_stop (snd->stream[i]);
    }
  return TRUE;
}

static void
vsnd_unrealize (VmmDevice *dev)
{
  VirtioSnd *snd = (VirtioSnd *) dev;

  vmm_virtio_stop (&snd->virtio);
  for (guint i = 0; i < VSND_STREAMS; i++)
    vmm_timer_clear (&snd->timer[i]);
  vmm_virtio_clear (&snd->virtio);
  vmm_virtio_element_clear (&snd->element);
  vmm_audio_free (snd->audio);
}

static gboolean
vsnd_realize (VmmDevice *dev, GError **error)
{
  VirtioSnd *snd = (VirtioSnd *) dev;
  const VmmVirtioParams params = {
    .device_id = VMM_VIRTIO_ID_SOUND,
    .pci_class = 0x040100,
    .devfn = -1,
    .n_queues = VSND_QUEUES,
    .queue_size = VSND_QUEUE_SIZE,
    .config_size = VSND_CONFIG_SIZE,
  };

  snd->audio = vmm_audio_new (dev, error);
  if (snd->audio == NULL)
    return FALSE;
  snd->stream[VMM_AUDIO_OUTPUT] = vmm_audio_add_stream (snd->audio, VMM_AUDIO_OUTPUT, "Line out");
  snd->stream[VMM_AUDIO_INPUT] = vmm_audio_add_stream (snd->audio, VMM_AUDIO_INPUT, "Line in");
  for (guint i = 0; i < VSND_STREAMS; i++)
    vmm_timer_init (&snd->timer[i], dev, vsnd_on_timer, GUINT_TO_POINTER (i));
  if (!vmm_virtio_init (&snd->virtio, &vsnd_ops, &params, error))
    {
      vmm_audio_free (snd->audio);
      return FALSE;
    }
  /* §5.14.4: jacks, streams, channel maps */
  for (guint i = 0; i < 3; i++)
    vmm_virtio_config_put (&snd->virtio, 4 * i, 4, VSND_STREAMS);
  return TRUE;
}

const VmmDeviceClass vmm_virtio_snd_class = {
  .name = "virtio-snd",
  .summary = N_ ("Sound card (virtio)"),
  .bus = VMM_DEVICE_PCI,
  .user_creatable = TRUE,
  .instance_size = sizeof (VirtioSnd),
  .settings = vmm_audio_settings,
  .regs_offset = G_STRUCT_OFFSET (VirtioSnd, regs),
  .regs_size = sizeof (VsndRegs),
  .regs_fields = vsnd_fields,
  .state_version = 1,
  .realize = vsnd_realize,
  .reset = vmm_virtio_reset,
  .quiesce = vsnd_quiesce,
  .resume = vmm_virtio_resume,
  .post_load = vsnd_post_load,
  .unrealize = vsnd_unrealize,
};
