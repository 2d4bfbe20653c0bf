/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sound into a WAV file, and out of one: for tests, and to keep what a guest plays.
 * Spec: Multimedia Programming Interface and Data Specifications 1.0 (Microsoft, IBM 1991), "Waveform Audio File Format": RIFF, "fmt ",
 *   "data". Left out: other than PCM with 16 or 32 bits.
 *
 * Theory of operation: a device's samples pass through the ring to the machine's iothread, which writes them; nothing is filled up with
 * silence, the file holds what was played and nothing else. Sound of another format than the file's begins the next file: x.wav,
 * x-2.wav, … The sizes in the header are right whenever nothing is on its way. The file to be heard is read as a whole at the start. */
#include "audio/audio-private.h"

#include "core/iothread.h"
#include "core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAV_HEADER_SIZE 44
#define WAV_MAX_DATA (G_MAXUINT32 - WAV_HEADER_SIZE)
#define WAV_MAX_INPUT (256u << 20)
#define WAV_CAPACITY_MS 8000

/* Of the machine's sound device. */
typedef struct {
  char *path;
  int first_fd;  /* the file made when the machine was; -1: in use */
  guint n_files; /* iothread */
  GBytes *input; /* (nullable): samples */
  VmmAudioSpec input_spec;
} WavFiles;

/* Of one stream. */
typedef struct {
  VmmAudioStream *stream;
  WavFiles *files;
  GMutex lock;
  GPtrArray *rings; /* VmmAudioRing; under lock: what is to be written, oldest first; only the last still grows */
  gboolean queued;  /* under lock */
  int fd;           /* iothread */
  VmmAudioSpec spec;
  guint32 n_bytes;
  gboolean failed;
  gsize input_at; /* device's lock */
} WavStream;

/* === Header === */

static void
wav_put32 (guint8 *bytes, guint32 value)
{
  value = GUINT32_TO_LE (value);
  memcpy (bytes, &value, 4);
}

static void
wav_put16 (guint8 *bytes, guint value)
{
  bytes[0] = (guint8) value;
  bytes[1] = (guint8) (value >> 8);
}

static guint32
wav_get32 (const guint8 *bytes)
{
  guint32 value;

  memcpy (&value, bytes, 4);
  return GUINT32_FROM_LE (value);
}

static guint
wav_get16 (const guint8 *bytes)
{
  return bytes[0] | (guint) bytes[1] << 8;
}

static gboolean
wav_write_header (int fd, const VmmAudioSpec *spec, guint32 n_bytes)
{
  guint8 header[WAV_HEADER_SIZE] = "RIFF....WAVEfmt ....................data";
  guint frame = vmm_audio_spec_frame_size (spec);

  wav_put32 (header + 4, WAV_HEADER_SIZE - 8 + n_bytes);
  wav_put32 (header + 16, 16);
  wav_put16 (header + 20, 1); /* PCM */
  wav_put16 (header + 22, spec->channels);
  wav_put32 (header + 24, spec->rate);
  wav_put32 (header + 28, spec->rate * frame);
  wav_put16 (header + 32, frame);
  wav_put16 (header + 34, frame / spec->channels * 8);
  wav_put32 (header + 40, n_bytes);
  return pwrite (fd, header, sizeof header, 0) == sizeof header;
}

/* === Output: on the iothread === */

static void
wav_fail (WavStream *ws)
{
  VmmDevice *dev = ws->stream->audio->dev;

  vmm_log_warning (dev->machine, dev, "cannot write %s: %s; what is played is lost", ws->files->path, g_strerror (errno));
  ws->failed = TRUE;
}

static int
wav_open_next (WavFiles *files)
{
  g_autofree char *path = NULL;
  gsize stem = strlen (files->path);
  int fd = files->first_fd;

  files->n_files++;
  files->first_fd = -1;
  if (fd >= 0)
    return fd;
  if (g_str_has_suffix (files->path, ".wav"))
    stem -= 4;
  path = g_strdup_printf ("%.*s-%u%s", (int) stem, files->path, files->n_files, files->path + stem);
  return g_open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

static void
wav_append (WavStream *ws, const VmmAudioSpec *spec, const guint8 *data, gsize len)
{
  if (ws->fd < 0 || memcmp (&ws->spec, spec, sizeof *spec) != 0)
    {
      if (ws->fd >= 0)
        close (ws->fd);
      ws->spec = *spec;
      ws->n_bytes = 0;
      ws->fd = wav_open_next (ws->files);
      if (ws->fd < 0)
        {
          wav_fail (ws);
          return;
        }
    }
  len = MIN (len, WAV_MAX_DATA - ws->n_bytes);
  while (len > 0)
    {
      gssize n = pwrite (ws->fd, data, len, (off_t) WAV_HEADER_SIZE + ws->n_bytes);

      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        {
          wav_fail (ws);
          return;
        }
      data += n;
      len -= (gsize) n;
      ws->n_bytes += (guint32) n;
    }
  if (!wav_write_header (ws->fd, spec, ws->n_bytes))
    wav_fail (ws);
}

static void
wav_drain_ring (WavStream *ws, VmmAudioRing *ring)
{
  guint8 buffer[32768];
  gsize n;

  while ((n = _vmm_audio_ring_read (ring, buffer, sizeof buffer)) > 0)
    if (!ws->failed)
      wav_append (ws, &ring->spec, buffer, n);
}

static void
wav_drain (gpointer data)
{
  WavStream *ws = data;
  gboolean more;

  g_mutex_lock (&ws->lock);
  ws->queued = FALSE;
  g_mutex_unlock (&ws->lock);
  do
    {
      VmmAudioRing *ring = NULL;

      g_mutex_lock (&ws->lock);
      more = ws->rings->len > 1;
      if (ws->rings->len > 0)
        ring = ws->rings->pdata[0];
      g_mutex_unlock (&ws->lock);
      if (ring == NULL)
        return;
      wav_drain_ring (ws, ring);
      if (more) /* the device writes to a later one */
        {
          g_mutex_lock (&ws->lock);
          g_ptr_array_remove_index (ws->rings, 0);
          g_mutex_unlock (&ws->lock);
        }
    }
  while (more);
}

/* === The stream's side === */

static void
wav_add (VmmAudioStream *stream)
{
  WavStream *ws = g_new0 (WavStream, 1);

  ws->stream = stream;
  ws->files = stream->audio->backend;
  ws->fd = -1;
  ws->rings = g_ptr_array_new_with_free_func ((GDestroyNotify) _vmm_audio_ring_unref);
  g_mutex_init (&ws->lock);
  stream->backend = ws;
}

static void
wav_start (VmmAudioStream *stream)
{
  WavStream *ws = stream->backend;

  ws->input_at = 0;
  if (stream->direction == VMM_AUDIO_INPUT)
    return;
  g_mutex_lock (&ws->lock);
  if (ws->rings->len == 0 || ws->rings->pdata[ws->rings->len - 1] != stream->ring)
    g_ptr_array_add (ws->rings, _vmm_audio_ring_ref (stream->ring));
  g_mutex_unlock (&ws->lock);
}

static void
wav_stop (VmmAudioStream *stream)
{
}

static void
wav_wrote (VmmAudioStream *stream)
{
  WavStream *ws = stream->backend;
  gboolean tell;

  g_mutex_lock (&ws->lock);
  tell = !ws->queued;
  ws->queued = TRUE;
  g_mutex_unlock (&ws->lock);
  if (tell)
    vmm_iothread_call (vmm_device_get_iothread (stream->audio->dev), wav_drain, ws);
}

static void
wav_wanted (VmmAudioStream *stream, gsize len)
{
  WavStream *ws = stream->backend;
  WavFiles *files = ws->files;
  gsize size;
  const guint8 *samples;

  if (files->input == NULL || memcmp (&files->input_spec, &stream->ring->spec, sizeof files->input_spec) != 0)
    return;
  samples = g_bytes_get_data (files->input, &size);
  ws->input_at += _vmm_audio_ring_write (stream->ring, samples + ws->input_at, MIN (len, size - ws->input_at));
}

static void
wav_remove (VmmAudioStream *stream)
{
  WavStream *ws = stream->backend;

  vmm_iothread_call_sync (vmm_device_get_iothread (stream->audio->dev), wav_drain, ws);
  if (ws->fd >= 0)
    close (ws->fd);
  g_ptr_array_unref (ws->rings);
  g_mutex_clear (&ws->lock);
  g_free (ws);
}

static void
wav_close (VmmAudio *audio)
{
  WavFiles *files = audio->backend;

  if (files->first_fd >= 0)
    close (files->first_fd);
  g_clear_pointer (&files->input, g_bytes_unref);
  g_free (files->path);
  g_free (files);
}

static const VmmAudioOps wav_ops = {
  .name = "wav",
  .capacity_ms = WAV_CAPACITY_MS,
  .add = wav_add,
  .start = wav_start,
  .stop = wav_stop,
  .wrote = wav_wrote,
  .wanted = wav_wanted,
  .remove = wav_remove,
  .close = wav_close,
};

/* === The file to be heard === */

/* Returns: FALSE unless the file is PCM of a kind that a stream can have. */
static gboolean
wav_parse (const guint8 *bytes, gsize size, VmmAudioSpec *ret_spec, gsize *ret_data, gsize *ret_data_size)
{
  gboolean has_format = FALSE;
  gsize at = 12;

  if (size < 12 || memcmp (bytes, "RIFF", 4) != 0 || memcmp (bytes + 8, "WAVE", 4) != 0)
    return FALSE;
  while (size - at >= 8)
    {
      const guint8 *chunk = bytes + at;
      gsize length = MIN (wav_get32 (chunk + 4), size - at - 8);

      if (memcmp (chunk, "fmt ", 4) == 0 && length >= 16)
        {
          guint bits = wav_get16 (chunk + 22);

          ret_spec->format = bits == 16 ? VMM_AUDIO_S16 : VMM_AUDIO_S32;
          ret_spec->channels = wav_get16 (chunk + 10);
          ret_spec->rate = wav_get32 (chunk + 12);
          has_format = wav_get16 (chunk + 8) == 1 && (bits == 16 || bits == 32) && ret_spec->channels >= 1
                       && ret_spec->channels <= VMM_AUDIO_MAX_CHANNELS && ret_spec->rate >= VMM_AUDIO_MIN_RATE
                       && ret_spec->rate <= VMM_AUDIO_MAX_RATE;
        }
      else if (memcmp (chunk, "data", 4) == 0)
        {
          if (!has_format)
            return FALSE;
          *ret_data = at + 8;
          *ret_data_size = length - length % vmm_audio_spec_frame_size (ret_spec);
          return TRUE;
        }
      at += 8 + length;
      at += MIN (length & 1, size - at); /* chunks begin at even places */
    }
  return FALSE;
}

static gboolean
wav_load_input (WavFiles *files, const char *path, GError **error)
{
  g_autofree char *contents = NULL;
  g_autoptr (GError) file_error = NULL;
  g_autoptr (GBytes) whole = NULL;
  GStatBuf info;
  gsize size, data, data_size;

  if (g_stat (path, &info) == 0 && (!S_ISREG (info.st_mode) || info.st_size > WAV_MAX_INPUT))
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "input-file=%s is no file of at most %u MiB", path,
                   WAV_MAX_INPUT >> 20);
      return FALSE;
    }
  if (!g_file_get_contents (path, &contents, &size, &file_error))
    {
      g_set_error_literal (error, VMM_ERROR,
                           g_error_matches (file_error, G_FILE_ERROR, G_FILE_ERROR_NOENT) ? VMM_ERROR_NOT_FOUND : VMM_ERROR_HOST,
                           file_error->message);
      return FALSE;
    }
  if (!wav_parse ((const guint8 *) contents, size, &files->input_spec, &data, &data_size))
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG,
                   "input-file=%s is not a WAV file with 16 or 32 bits and one or two channels", path);
      return FALSE;
    }
  whole = g_bytes_new_take (g_steal_pointer (&contents), size);
  files->input = g_bytes_new_from_bytes (whole, data, data_size);
  return TRUE;
}

gboolean
_vmm_audio_wav_open (VmmAudio *audio, GError **error)
{
  g_autofree char *path = vmm_device_dup_path (audio->dev, "file"), *input = vmm_device_dup_path (audio->dev, "input-file");
  WavFiles *files;

  if (path == NULL)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "backend=wav needs file=");
      return FALSE;
    }
  files = g_new0 (WavFiles, 1);
  files->first_fd = -1;
  if (input != NULL && !wav_load_input (files, input, error))
    {
      g_free (files);
      return FALSE;
    }
  files->first_fd = g_open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (files->first_fd < 0)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "cannot write %s: %s", path, g_strerror (errno));
      g_clear_pointer (&files->input, g_bytes_unref);
      g_free (files);
      return FALSE;
    }
  files->path = g_steal_pointer (&path);
  audio->ops = &wav_ops;
  audio->backend = files;
  return TRUE;
}
