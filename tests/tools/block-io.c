/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Commands on a disk image through the engine's block layer: what qemu-io is to QEMU. */
#include "block-client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
  "usage: block-io [-r] [-n] [-f raw|qcow2] IMAGE COMMAND…\n"
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

static void
tool_bench (Tool *tool, char **args)
{
  VmmBlockOp op = g_str_equal (args[0], "write") ? VMM_BLOCK_WRITE : VMM_BLOCK_READ;
  gboolean rand = g_str_equal (args[1], "rand");
  guint depth = (guint) parse_size (args[2]);
  guint64 len = parse_size (args[3]), count = parse_size (args[4]);
  guint64 blocks = vmm_block_get_size (tool->client->block) / len;
  g_autofree guint8 *buf = g_malloc (len);
  g_autoptr (GRand) prng = g_rand_new_with_seed (1);
  gint64 start;
  double seconds;

  memset (buf, 0x5a, len);
  start = g_get_monotonic_time ();
  for (guint64 i = 0; i < count; i++)
    {
      guint64 n = rand ? (((guint64) g_rand_int (prng) << 32) | g_rand_int (prng)) % blocks : i % blocks;

      block_client_wait_below (tool->client, depth);
      block_client_start (tool->client, op, n * len, buf, len, NULL, NULL);
    }
  tool_report (tool, "bench", block_client_wait (tool->client));
  seconds = (double) (g_get_monotonic_time () - start) / 1e6;
  printf ("%s %s depth %u, %" G_GUINT64_FORMAT " x %" G_GUINT64_FORMAT ": %.2f s, %.0f MB/s, %.0f/s (%s)\n", args[0], args[1], depth, count, len, seconds,
          (double) (count * len) / seconds / 1e6, (double) count / seconds, vmm_block_get_io_name (tool->client->block));
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
    tool_bench (tool, args + 1);
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
    return vmm_image_create (argv[4], argv[2], parse_size (argv[3]), argc > 6 ? argv[5] : NULL, argc > 6 ? argv[6] : NULL, &error) ? 0 : tool_fail (error);
  if (argc == 3 && g_str_equal (argv[1], "-p"))
    {
      g_autoptr (VmmImageInfo) info = vmm_image_probe (argv[2], &error);

      if (info == NULL)
        return tool_fail (error);
      printf ("%s %" G_GUINT64_FORMAT " %s %s\n", info->format, info->size_bytes, info->backing_path != NULL ? info->backing_path : "-",
              info->backing_format != NULL ? info->backing_format : "-");
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
