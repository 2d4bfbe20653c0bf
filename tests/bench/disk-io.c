/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs in the guest of a benchmark, static, from the initial RAM disk: 4 KiB requests past the page cache, in order and at random, alone and
 * from several threads, a few seconds each after one to warm up. Prints a line "RESULT name requests-per-second" for each. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/fs.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 4096u
#define MAX_THREADS 32

typedef struct {
  int fd, write, random;
  uint64_t blocks, seed;
  atomic_ulong *next;
  double from, until; /* counted is what ends between */
  unsigned long done;
} Job;

static double
now (void)
{
  struct timespec t;

  clock_gettime (CLOCK_MONOTONIC, &t);
  return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static void *
work (void *data)
{
  Job *job = data;
  void *buffer;

  if (posix_memalign (&buffer, BLOCK, BLOCK) != 0)
    exit (1);
  memset (buffer, 0x5a, BLOCK);
  for (double time = now (); time < job->until;)
    {
      uint64_t block;

      job->seed = job->seed * 6364136223846793005u + 1442695040888963407u;
      block = (job->random ? job->seed >> 20 : atomic_fetch_add (job->next, 1)) % job->blocks;
      if ((job->write ? pwrite (job->fd, buffer, BLOCK, (off_t) (block * BLOCK))
                      : pread (job->fd, buffer, BLOCK, (off_t) (block * BLOCK)))
          != (ssize_t) BLOCK)
        exit (1);
      time = now ();
      job->done += time >= job->from && time < job->until;
    }
  free (buffer);
  return NULL;
}

int
main (int argc, char **argv)
{
  double seconds = argc > 2 ? atof (argv[2]) : 3;
  int fd = open (argc > 1 ? argv[1] : "/dev/sda", O_RDWR | O_DIRECT);
  uint64_t size = 0;

  if (fd < 0 || ioctl (fd, BLKGETSIZE64, &size) < 0 || size < 64 * BLOCK)
    {
      perror ("disk-io");
      return 1;
    }
  for (int kind = 0; kind < 8; kind++)
    {
      int random = kind & 1, write = kind >> 1 & 1, threads = kind & 4 ? 16 : 1;
      Job jobs[MAX_THREADS];
      pthread_t ids[MAX_THREADS];
      atomic_ulong next = 0;
      unsigned long total = 0;
      double start = now ();

      for (int i = 0; i < threads; i++)
        {
          jobs[i] = (Job) {
            fd, write, random, size / BLOCK, 88172645463325252u + (uint64_t) i * 7919, &next, start + 1, start + 1 + seconds, 0
          };
          pthread_create (&ids[i], NULL, work, &jobs[i]);
        }
      for (int i = 0; i < threads; i++)
        {
          pthread_join (ids[i], NULL);
          total += jobs[i].done;
        }
      printf ("RESULT %s-%s-%d %.2f\n", random ? "random" : "sequential", write ? "write" : "read", threads,
              (double) total / seconds);
      fflush (stdout);
    }
  return 0;
}
