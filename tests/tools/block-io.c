/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Commands on a disk image through the engine's block layer: what qemu-io is to QEMU. */
#include "block-client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[]
    = "usage: block-io [-r] [-n] [-f raw|qcow2] IMAGE COMMAND…\n"
      "       block-io -c raw|qcow2 SIZE IMAGE [BACKING FORMAT]   create an image\n"
      "       block-io -p IMAGE                                   probe an image\n"
      "  -r read only   -n no cache (O_DIRECT)\n"
      "A command is one argument; “-” reads commands from standard input, one a line. Numbers take k, M, G, T.\n"
      "  write [-P BYTE] OFFSET LEN   fill with BYTE (0xcd)\n"
      "  read [-P BYTE] OFFSET LEN    with -P: fails unless every byte is BYTE\n"
      "  zero OFFSET LEN | discard OFFSET LEN | flush | size | mark TEXT (prints TEXT)\n"
      "  awrite [-P BYTE] OFFSET LEN  like write, does not wait; “wait” does; at most 64 are under way\n"
      "  load FILE OFFSET LEN FROM    writes LEN bytes of FILE from its offset FROM; “aload” does not wait\n"
      "  dump FILE OFFSET LEN\n"
      "  bench read|write seq|rand DEPTH BLOCK COUNT   prints MB/s and operations a second\n";

typedef struct {
  BlockClient *client;
  int failures;
} Tool;

static guint64
parse_size (const char *s)
{
  char *end = NULL;
  guint64 v = g_ascii_strtoull (s, &end, 0);

  switch (*end)
    {
    case 'k':
    case 'K':
      return v << 10;
    case 'M':
      return v << 20;
    case 'G':
      return v << 30;
    case 'T':
      return v << 40;
    default:
      return v;
    }
}

static void
tool_report (Tool *tool, const char *command, int result)
{
  if (result < 0)
    {
      fprintf (stderr, "block-io: %s: %s\n", command, g_strerror (-result));
      tool->failures++;
    }
}

/* The benchmark submits on the iothread, as the queue of a device does. */

typedef struct _Bench Bench;

typedef struct {
  VmmBlockRequest req;
  struct iovec iov;
  Bench *bench;
} BenchRequest;

struct _Bench {
  VmmBlock *block;
  VmmBlockOp op;
  gboolean rand;
  guint64 len, blocks;
  GRand *prng;
  BenchRequest *reqs;
  guint depth;
  /* Iothread: */
  guint64 todo, next;
  guint n_flight;
  int result;
  GMutex lock;
  GCond cond;
  gboolean finished; /* under lock */
};

static void
bench_submit (BenchRequest *breq)
{
  Bench *bench = breq->bench;
  guint64 n = bench->next++ % bench->blocks;

  if (bench->rand)
    n = (((guint64) g_rand_int (bench->prng) << 32) | g_rand_int (bench->prng)) % bench->blocks;
  breq->req.offset = n * bench->len;
  bench->todo--;
  bench->n_flight++;
  vmm_block_submit (bench->block, &breq->req);
}

static void
bench_done (VmmBlockRequest *req, int result)
{
  BenchRequest *breq = req->data;
  Bench *bench = breq->bench;

  bench->n_flight--;
  if (result < 0)
    {
      bench->result = result;
      bench->todo = 0;
    }
  if (bench->todo > 0)
    bench_submit (breq);
  else if (bench->n_flight == 0)
    {
      g_mutex_lock (&bench->lock);
      bench->finished = TRUE;
      g_cond_signal (&bench->cond);
      g_mutex_unlock (&bench->lock);
    }
}

static void
bench_start (gpointer data)
{
  Bench *bench = data;

  vmm_block_begin_batch (bench->block);
  for (guint i = 0; i < bench->depth && bench->todo > 0; i++)
    bench_submit (&bench->reqs[i]);
  vmm_block_end_batch (bench->block);
}

static void
tool_bench (Tool *tool, const char *command, char **args)
{
  Bench bench = { .block = tool->client->block,
                  .op = g_str_equal (args[0], "write") ? VMM_BLOCK_WRITE : VMM_BLOCK_READ,
                  .rand = g_str_equal (args[1], "rand") };
  guint64 count = parse_size (args[4]);
  gint64 start;
  double seconds;

  bench.depth = (guint) parse_size (args[2]);
  bench.len = parse_size (args[3]);
  bench.blocks = vmm_block_get_size (bench.block) / MAX (bench.len, 1);
  bench.todo = count;
  if (bench.depth == 0 || bench.blocks == 0 || count == 0)
    {
      tool_report (tool, command, -EINVAL);
      return;
    }
  bench.prng = g_rand_new_with_seed (1);
  bench.reqs = g_new0 (BenchRequest, bench.depth);
  g_mutex_init (&bench.lock);
  g_cond_init (&bench.cond);
  for (guint i = 0; i < bench.depth; i++)
    {
      BenchRequest *breq = &bench.reqs[i];

      breq->bench = &bench;
      g_assert (posix_memalign (&breq->iov.iov_base, 4096, bench.len) == 0);
      memset (breq->iov.iov_base, 0x5a, bench.len);
      breq->iov.iov_len = bench.len;
      breq->req = (VmmBlockRequest) { .op = bench.op,
                                      .len = bench.len,
                                      .iov = &breq->iov,
                                      .n_iov = 1,
                                      .done = bench_done,
                                      .data = breq };
    }
  start = g_get_monotonic_time ();
  vmm_iothread_call (tool->client->iothread, bench_start, &bench);
  g_mutex_lock (&bench.lock);
  while (!bench.finished)
    g_cond_wait (&bench.cond, &bench.lock);
  g_mutex_unlock (&bench.lock);
  vmm_block_drain (bench.block);
  seconds = (double) (g_get_monotonic_time () - start) / 1e6;
  tool_report (tool, command, bench.result);
  printf ("%s %s depth %u, %" G_GUINT64_FORMAT " x %" G_GUINT64_FORMAT ": %.2f s, %.0f MB/s, %.0f/s (%s)\n", args[0], args[1],
          bench.depth, count, bench.len, seconds, (double) (count * bench.len) / seconds / 1e6, (double) count / seconds,
          vmm_block_get_io_name (bench.block));
  for (guint i = 0; i < bench.depth; i++)
    free (bench.reqs[i].iov.iov_base);
  g_free (bench.reqs);
  g_rand_free (bench.prng);
  g_mutex_clear (&bench.lock);
  g_cond_clear (&bench.cond);
}

static void
tool_load (Tool *tool, const char *command, char **args)
{
  g_autofree guint8 *buf = g_malloc (parse_size (args[3]));
  guint64 offset = parse_size (args[2]), len = parse_size (args[3]);
  FILE *in = fopen (args[1], "rb");

  if (in == NULL || fseeko (in, (off_t) parse_size (args[4]), SEEK_SET) != 0 || fread (buf, 1, len, in) != len)
    tool_report (tool, command, -EIO);
  else if (args[0][0] != 'a')
    tool_report (tool, command, block_client_do (tool->client, VMM_BLOCK_WRITE, offset, buf, len));
  else
    {
      block_client_wait_below (tool->client, 64);
      block_client_start (tool->client, VMM_BLOCK_WRITE, offset, buf, len, NULL, NULL);
    }
  if (in != NULL)
    fclose (in);
}

static void
tool_dump (Tool *tool, const char *command, const char *file, guint64 offset, guint64 len)
{
  FILE *out = fopen (file, "wb");
  gsize step = 1 << 20;
  g_autofree guint8 *buf = g_malloc (step);

  while (out != NULL && len > 0)
    {
      gsize n = MIN (len, step);
      int r = block_client_do (tool->client, VMM_BLOCK_READ, offset, buf, n);

      tool_report (tool, command, r);
      if (r < 0 || fwrite (buf, 1, n, out) != n)
        break;
      offset += n;
      len -= n;
    }
  if (out == NULL || fclose (out) != 0)
    tool_report (tool, command, -EIO);
}

static void
tool_run (Tool *tool, const char *command)
{
  g_auto (GStrv) args = NULL;
  int argc = 0, at = 1, pattern = -1, r = 0;
  guint64 offset, len;
  g_autofree guint8 *buf = NULL;
  const char *verb;

  if (!g_shell_parse_argv (command, &argc, &args, NULL))
    return; /* an empty line */
  verb = args[0];
  if (argc > 2 && g_str_equal (args[1], "-P"))
    {
      pattern = (int) parse_size (args[2]) & 0xff;
      at = 3;
    }
  offset = argc > at ? parse_size (args[at]) : 0;
  len = argc > at + 1 ? parse_size (args[at + 1]) : 0;

  if (g_str_equal (verb, "flush"))
    r = block_client_do (tool->client, VMM_BLOCK_FLUSH, 0, NULL, 0);
  else if (g_str_equal (verb, "wait"))
    r = block_client_wait (tool->client);
  else if (g_str_equal (verb, "size"))
    printf ("%" G_GUINT64_FORMAT "\n", vmm_block_get_size (tool->client->block));
  else if (g_str_equal (verb, "mark") && argc == 2)
    puts (args[1]);
  else if (g_str_equal (verb, "zero"))
    r = block_client_do (tool->client, VMM_BLOCK_WRITE_ZEROES, offset, NULL, len);
  else if (g_str_equal (verb, "discard"))
    r = block_client_do (tool->client, VMM_BLOCK_DISCARD, offset, NULL, len);
  else if ((g_str_equal (verb, "load") || g_str_equal (verb, "aload")) && argc == 5)
    tool_load (tool, command, args);
  else if (g_str_equal (verb, "dump") && argc == 4)
    tool_dump (tool, command, args[1], parse_size (args[2]), parse_size (args[3]));
  else if (g_str_equal (verb, "bench") && argc == 6)
    tool_bench (tool, command, args + 1);
  else if (g_str_equal (verb, "write") || g_str_equal (verb, "awrite"))
    {
      buf = g_malloc (MAX (len, 1));
      memset (buf, pattern < 0 ? 0xcd : pattern, len);
      if (verb[0] == 'a')
        {
          block_client_wait_below (tool->client, 64);
          block_client_start (tool->client, VMM_BLOCK_WRITE, offset, buf, len, NULL, NULL);
        }
      else
        r = block_client_do (tool->client, VMM_BLOCK_WRITE, offset, buf, len);
    }
  else if (g_str_equal (verb, "read"))
    {
      buf = g_malloc (MAX (len, 1));
      r = block_client_do (tool->client, VMM_BLOCK_READ, offset, buf, len);
      for (guint64 i = 0; i < len && r == 0 && pattern >= 0; i++)
        if (buf[i] != pattern)
          {
            fprintf (stderr, "block-io: %s: byte %" G_GUINT64_FORMAT " is 0x%02x\n", command, offset + i, buf[i]);
            tool->failures++;
            break;
          }
    }
  else
    {
      fprintf (stderr, "block-io: %s: no such command\n%s", command, usage);
      tool->failures++;
    }
  tool_report (tool, command, r);
}

static int
tool_fail (GError *error)
{
  fprintf (stderr, "block-io: %s\n", error->message);
  g_error_free (error);
  return 1;
}

int
main (int argc, char **argv)
{
  VmmBlockFlags flags = VMM_BLOCK_DEFAULT;
  const char *format = NULL;
  Tool tool = { NULL, 0 };
  GError *error = NULL;
  int i = 1;

  if (argc >= 5 && g_str_equal (argv[1], "-c"))
    return vmm_image_create (argv[4], argv[2], parse_size (argv[3]), argc > 6 ? argv[5] : NULL, argc > 6 ? argv[6] : NULL, &error)
               ? 0
               : tool_fail (error);
  if (argc == 3 && g_str_equal (argv[1], "-p"))
    {
      g_autoptr (VmmImageInfo) info = vmm_image_probe (argv[2], &error);

      if (info == NULL)
        return tool_fail (error);
      printf ("%s %" G_GUINT64_FORMAT " %s %s\n", info->format, info->size_bytes,
              info->backing_path != NULL ? info->backing_path : "-", info->backing_format != NULL ? info->backing_format : "-");
      return 0;
    }
  for (; i < argc && argv[i][0] == '-'; i++)
    {
      if (g_str_equal (argv[i], "-r"))
        flags |= VMM_BLOCK_READ_ONLY;
      else if (g_str_equal (argv[i], "-n"))
        flags |= VMM_BLOCK_DIRECT;
      else if (g_str_equal (argv[i], "-f") && i + 1 < argc)
        format = argv[++i];
      else
        break;
    }
  if (i >= argc || argv[i][0] == '-')
    {
      fputs (usage, stderr);
      return 2;
    }
  tool.client = block_client_new (argv[i], format, flags, &error);
  if (tool.client == NULL)
    return tool_fail (error);
  for (i++; i < argc; i++)
    {
      char line[4096];

      if (!g_str_equal (argv[i], "-"))
        tool_run (&tool, argv[i]);
      else
        while (fgets (line, sizeof line, stdin) != NULL)
          {
            tool_run (&tool, line);
            fflush (stdout);
          }
    }
  tool_report (&tool, "wait", block_client_wait (tool.client));
  block_client_free (tool.client);
  return tool.failures > 0 ? 1 : 0;
}
