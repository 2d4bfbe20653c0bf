/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A program for test guests, statically linked: tone play|record. Plays a tone that nobody mistakes, or records and wants to hear a ramp.
 * Straight at the kernel (ALSA's interface of PCM and control devices): a guest of ten megabytes has no sound library. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <stdint.h>
#include <time.h>

#include <sound/asound.h>

#define RATE 48000
#define CHANNELS 2
#define PERIOD 6000 /* frames */
#define PERIODS 8
#define PLAY_FRAMES 72000
#define RECORD_FRAMES 12000

static void
die (const char *what)
{
  printf ("tone: %s: %s\n", what, strerror (errno));
  exit (1);
}

/* Every switch on, every volume up: as a person would with the mixer. */
static void
open_the_mixer (void)
{
  static struct snd_ctl_elem_id ids[64];
  struct snd_ctl_elem_list list = { .space = 64, .pids = ids };
  int fd = open ("/dev/snd/controlC0", O_RDWR);

  if (fd < 0)
    die ("no control device");
  if (ioctl (fd, SNDRV_CTL_IOCTL_ELEM_LIST, &list) < 0)
    die ("ELEM_LIST");
  for (unsigned i = 0; i < list.used; i++)
    {
      struct snd_ctl_elem_info info = { .id = ids[i] };
      struct snd_ctl_elem_value value = { .id = ids[i] };

      if (ioctl (fd, SNDRV_CTL_IOCTL_ELEM_INFO, &info) < 0 || !(info.access & SNDRV_CTL_ELEM_ACCESS_WRITE))
        continue;
      if (info.type != SNDRV_CTL_ELEM_TYPE_BOOLEAN && info.type != SNDRV_CTL_ELEM_TYPE_INTEGER)
        continue;
      for (unsigned c = 0; c < info.count && c < 128; c++)
        value.value.integer.value[c] = info.type == SNDRV_CTL_ELEM_TYPE_BOOLEAN ? 1 : info.value.integer.max;
      ioctl (fd, SNDRV_CTL_IOCTL_ELEM_WRITE, &value);
      printf ("mixer: %s\n", ids[i].name);
    }
  close (fd);
}

static void
set_mask (struct snd_pcm_hw_params *params, int which, unsigned bit)
{
  struct snd_mask *mask = &params->masks[which - SNDRV_PCM_HW_PARAM_FIRST_MASK];

  memset (mask, 0, sizeof *mask);
  mask->bits[bit / 32] = 1u << bit % 32;
}

static void
set_interval (struct snd_pcm_hw_params *params, int which, unsigned value)
{
  struct snd_interval *interval = &params->intervals[which - SNDRV_PCM_HW_PARAM_FIRST_INTERVAL];

  interval->min = interval->max = value;
  interval->integer = 1;
}

static int
open_pcm (const char *path, unsigned start_threshold)
{
  struct snd_pcm_hw_params hw = { .rmask = ~0u, .info = ~0u };
  struct snd_pcm_sw_params sw = { .period_step = 1,
                                  .avail_min = PERIOD,
                                  .start_threshold = start_threshold,
                                  .stop_threshold = PERIOD * PERIODS };
  int fd = open (path, O_RDWR);

  if (fd < 0)
    die (path);
  memset (hw.masks, 0xff, sizeof hw.masks);
  for (unsigned i = 0; i <= SNDRV_PCM_HW_PARAM_LAST_INTERVAL - SNDRV_PCM_HW_PARAM_FIRST_INTERVAL; i++)
    hw.intervals[i].max = ~0u;
  set_mask (&hw, SNDRV_PCM_HW_PARAM_ACCESS, (unsigned) SNDRV_PCM_ACCESS_RW_INTERLEAVED);
  set_mask (&hw, SNDRV_PCM_HW_PARAM_FORMAT, (unsigned) SNDRV_PCM_FORMAT_S16_LE);
  set_mask (&hw, SNDRV_PCM_HW_PARAM_SUBFORMAT, (unsigned) SNDRV_PCM_SUBFORMAT_STD);
  set_interval (&hw, SNDRV_PCM_HW_PARAM_CHANNELS, CHANNELS);
  set_interval (&hw, SNDRV_PCM_HW_PARAM_RATE, RATE);
  set_interval (&hw, SNDRV_PCM_HW_PARAM_PERIOD_SIZE, PERIOD);
  set_interval (&hw, SNDRV_PCM_HW_PARAM_PERIODS, PERIODS);
  if (ioctl (fd, SNDRV_PCM_IOCTL_HW_PARAMS, &hw) < 0)
    die ("HW_PARAMS");
  if (ioctl (fd, SNDRV_PCM_IOCTL_SW_PARAMS, &sw) < 0)
    die ("SW_PARAMS");
  if (ioctl (fd, SNDRV_PCM_IOCTL_PREPARE) < 0)
    die ("PREPARE");
  return fd;
}

static double
seconds (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

static int
play (void)
{
  static int16_t samples[PLAY_FRAMES * CHANNELS];
  int fd = open_pcm ("/dev/snd/pcmC0D0p", PERIOD * PERIODS);
  double begin;

  for (unsigned i = 0; i < PLAY_FRAMES; i++)
    {
      samples[2 * i] = (int16_t) (i % 480 * 60);
      samples[2 * i + 1] = (int16_t) (0u - i % 240 * 70);
    }
  begin = seconds ();
  for (unsigned done = 0; done < PLAY_FRAMES;)
    {
      struct snd_xferi transfer = { .buf = samples + done * CHANNELS, .frames = PLAY_FRAMES - done };

      if (ioctl (fd, SNDRV_PCM_IOCTL_WRITEI_FRAMES, &transfer) < 0)
        die ("WRITEI_FRAMES");
      done += (unsigned) transfer.result;
    }
  if (ioctl (fd, SNDRV_PCM_IOCTL_DRAIN) < 0)
    die ("DRAIN");
  printf ("TONE-PLAYED in %.2f s\n", seconds () - begin);
  close (fd);
  return 0;
}

static int
record (void)
{
  static int16_t samples[RECORD_FRAMES * CHANNELS];
  int fd = open_pcm ("/dev/snd/pcmC0D0c", 1);
  unsigned steps = 0;

  for (unsigned done = 0; done < RECORD_FRAMES;)
    {
      struct snd_xferi transfer = { .buf = samples + done * CHANNELS, .frames = RECORD_FRAMES - done };

      if (ioctl (fd, SNDRV_PCM_IOCTL_READI_FRAMES, &transfer) < 0)
        die ("READI_FRAMES");
      done += (unsigned) transfer.result;
    }
  close (fd);
  for (unsigned i = 1; i < RECORD_FRAMES; i++)
    steps += (uint16_t) (samples[2 * i] - samples[2 * i - 2]) == 1 && (uint16_t) (samples[2 * i - 1] - samples[2 * i + 1]) == 1;
  printf ("TONE-RECORDED %u of %u steps right, the first sample %d\n", steps, RECORD_FRAMES - 1, samples[0]);
  return steps == RECORD_FRAMES - 1 ? 0 : 1;
}

int
main (int argc, char **argv)
{
  open_the_mixer ();
  return argc > 1 && strcmp (argv[1], "record") == 0 ? record () : play ();
}
