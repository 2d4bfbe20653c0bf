/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Loss of power at any moment, on a replay: what the engine does to a qcow2 file is recorded, with its syncs; then images are made
 * as a disk could have them at a random moment: everything that a finished sync covers, and of the rest any part, in pieces of
 * sectors. qemu-img check may find leaks in them, nothing else; and each sector the guest sees holds what was there at its last
 * finished flush, or something written later.
 */
#include "block-client.h"

#include "block/qcow2.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECTOR 512u

typedef struct {
  const char *name;
  const char *options; /* of qemu-img create */
  guint64 size;
  gboolean backed, snapshot;
  guint cache;   /* slices of L2; 0: as always */
  gboolean full; /* the host's disk is full now and then */
} Config;

/* What happened to the file. Positions count all events of a run. */
typedef struct {
  VmmIoKind kind;
  guint64 offset, len;
  guint8 *data;     /* NULL: zeros */
  guint begin, end; /* positions; end 0: never */
  int result;
} Record;

/* What the guest did. */
typedef struct {
  gboolean flush;
  guint64 sector, n_sectors;
  guint32 version; /* 0: zeros */
  guint begin, end;
} Act;

typedef struct {
  GMutex lock;
  guint position;
  GPtrArray *records; /* Record */
  GPtrArray *acts;    /* Act */
  gint full;          /* atomic: writes fail */
} Log;

static void
record_free (gpointer data)
{
  Record *record = data;

  g_free (record->data);
  g_free (record);
}

static int
log_begin (gpointer data, VmmIoKind kind, guint64 offset, guint64 len, const struct iovec *iov, guint n_iov, gpointer *ret_cookie)
{
  Log *log = data;
  Record *record;
  guint8 *p;

  *ret_cookie = NULL;
  if (kind == VMM_IO_READ)
    return 0;
  if (kind == VMM_IO_WRITE && g_atomic_int_get (&log->full))
    return -ENOSPC;
  record = g_new0 (Record, 1);
  record->kind = kind;
  record->offset = offset;
  record->len = len;
  if (kind == VMM_IO_WRITE)
    {
      p = record->data = g_malloc (len);
      for (guint i = 0; i < n_iov; i++)
        p = mempcpy (p, iov[i].iov_base, iov[i].iov_len);
    }
  g_mutex_lock (&log->lock);
  record->begin = ++log->position;
  g_ptr_array_add (log->records, record);
  g_mutex_unlock (&log->lock);
  *ret_cookie = record;
  return 0;
}

static void
log_end (gpointer data, gpointer cookie, int result)
{
  Log *log = data;
  Record *record = cookie;

  if (record == NULL)
    return;
  g_mutex_lock (&log->lock);
  record->end = ++log->position;
  record->result = result;
  g_mutex_unlock (&log->lock);
}

static const VmmFileHooks log_hooks = { log_begin, log_end };

typedef struct {
  Log *log;
  Act *act;
} ActDone;

static void
on_act_done (int result, gconstpointer buf, gpointer data)
{
  g_autofree ActDone *done = data;

  g_assert_cmpint (result, ==, 0);
  g_mutex_lock (&done->log->lock);
  done->act->end = ++done->log->position;
  g_mutex_unlock (&done->log->lock);
}

static void
start_act (Log *log, BlockClient *client, VmmBlockOp op, guint64 sector, guint64 n_sectors, guint32 version)
{
  Act *act = g_new0 (Act, 1);
  ActDone *done = g_new (ActDone, 1);
  g_autofree guint32 *buf = NULL;

  act->flush = op == VMM_BLOCK_FLUSH;
  act->sector = sector;
  act->n_sectors = n_sectors;
  act->version = version;
  if (op == VMM_BLOCK_WRITE)
    {
      buf = g_new (guint32, n_sectors * SECTOR / 4);
      for (guint64 i = 0; i < n_sectors * SECTOR / 4; i++)
        buf[i] = version ^ (guint32) ((sector + i / (SECTOR / 4)) << 20);
    }
  *done = (ActDone) { log, act };
  g_mutex_lock (&log->lock);
  act->begin = ++log->position;
  g_ptr_array_add (log->acts, act);
  g_mutex_unlock (&log->lock);
  block_client_start (client, op, sector * SECTOR, buf, n_sectors * SECTOR, on_act_done, done);
}

static void
on_stalled (VmmBlock *block, int error, gpointer data)
{
  Log *log = data;

  /* One that failed before there was room again, and comes late. */
  if (!g_atomic_int_get (&log->full))
    vmm_block_retry (block);
}

static void
work (Log *log, BlockClient *client, const Config *config, GRand *rand)
{
  guint64 n_sectors = config->size / SECTOR;
  g_autofree guint8 *busy = g_malloc0 (n_sectors);

  for (guint32 i = 1; i <= 200; i++)
    {
      guint64 len = (guint64) g_rand_int_range (rand, 1, g_rand_boolean (rand) ? 9 : 200);
      guint64 sector = (guint64) g_rand_int_range (rand, 0, (gint32) (n_sectors - len));
      int what = g_rand_int_range (rand, 0, 20);

      if (config->full && i % 40 == 20)
        g_atomic_int_set (&log->full, 1);
      if (config->full && i % 40 == 30)
        {
          g_atomic_int_set (&log->full, 0);
          vmm_block_retry (client->block);
        }
      if (what == 0)
        {
          start_act (log, client, VMM_BLOCK_FLUSH, 0, 0, 0);
          continue;
        }
      /* Two writes of one sector at once would have no order. */
      if (memchr (busy + sector, 1, len) != NULL)
        {
          g_atomic_int_set (&log->full, 0);
          vmm_block_retry (client->block);
          g_assert_cmpint (block_client_wait (client), ==, 0);
          memset (busy, 0, n_sectors);
        }
      memset (busy + sector, 1, len);
      if (what < 3)
        start_act (log, client, VMM_BLOCK_DISCARD, sector, len, 0);
      else if (what < 5)
        start_act (log, client, VMM_BLOCK_WRITE_ZEROES, sector, len, 0);
      else
        start_act (log, client, VMM_BLOCK_WRITE, sector, len, i + 1000);
      /* A guest that waits now and then, and one that does not. */
      block_client_wait_below (client, config->full ? 100 : (guint) g_rand_int_range (rand, 1, 32));
    }
  g_atomic_int_set (&log->full, 0);
  vmm_block_retry (client->block);
  g_assert_cmpint (block_client_wait (client), ==, 0);
}

static void
run_command (const char *const *argv, int allowed)
{
  g_autofree char *out = NULL, *err = NULL;
  GError *error = NULL;
  int status = 0;

  g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, &err, &status, &error);
  g_assert_no_error (error);
  if (status != 0 && !(WIFEXITED (status) && allowed != 0 && WEXITSTATUS (status) == allowed))
    g_error ("%s %s: status %d\n%s%s", argv[0], argv[1], status, out, err);
}

/* Whether a sync that was over before @moment covers @record. */
static gboolean
is_durable (const Log *log, const Record *record, guint moment)
{
  if (record->end == 0)
    return FALSE;
  for (guint i = 0; i < log->records->len; i++)
    {
      const Record *sync = log->records->pdata[i];

      if (sync->kind == VMM_IO_SYNC && sync->result == 0 && sync->end != 0 && sync->end < moment && record->end < sync->begin)
        return TRUE;
    }
  return FALSE;
}

static void
apply (int fd, const Record *record, guint64 from, guint64 len)
{
  g_autofree guint8 *zeros = record->data == NULL ? g_malloc0 (len) : NULL;

  g_assert_cmpint (pwrite (fd, zeros != NULL ? zeros : record->data + from, len, (off_t) (record->offset + from)), ==,
                   (gssize) len);
}

static int
compare_ends (gconstpointer a, gconstpointer b)
{
  const Record *x = *(const Record *const *) a, *y = *(const Record *const *) b;

  return x->end < y->end ? -1 : x->end > y->end;
}

/* The file as a disk could have it at @moment. */
static void
make_crashed (const Log *log, const char *path, const char *original, guint moment, GRand *rand)
{
  g_autoptr (GPtrArray) records = g_ptr_array_new ();
  g_autofree char *content = NULL;
  double likely = (double[]) { 0, 0.1, 0.5, 0.9, 1 }[g_rand_int_range (rand, 0, 5)];
  GError *error = NULL;
  gsize len;
  int fd;

  g_file_get_contents (original, &content, &len, &error);
  g_assert_no_error (error);
  fd = open (path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (write (fd, content, len), ==, (gssize) len);
  for (guint i = 0; i < log->records->len; i++)
    {
      Record *record = log->records->pdata[i];

      if (record->kind != VMM_IO_SYNC && record->begin < moment)
        g_ptr_array_add (records, record);
    }
  g_ptr_array_sort (records, compare_ends);
  for (guint i = 0; i < records->len; i++)
    {
      const Record *record = records->pdata[i];

      /* A hole behind the end of the file does nothing. */
      if (record->kind == VMM_IO_FALLOCATE && (off_t) (record->offset + record->len) > lseek (fd, 0, SEEK_END))
        continue;
      if (is_durable (log, record, moment))
        apply (fd, record, 0, record->len);
      else if (g_rand_double (rand) < likely)
        {
          gboolean torn = g_rand_int_range (rand, 0, 4) == 0;

          /* Sectors are whole; metadata is also written in pieces below a sector. */
          for (guint64 at = 0; at < record->len;)
            {
              guint64 n = MIN (SECTOR - (record->offset + at) % SECTOR, record->len - at);

              if (!torn)
                n = record->len;
              if (!torn || g_rand_boolean (rand))
                apply (fd, record, at, n);
              at += n;
            }
        }
    }
  close (fd);
}

/* Each sector holds a version that it may hold. */
static void
check_content (const Log *log, const char *path, const Config *config, const guint32 *initial, guint moment)
{
  g_autofree guint32 *disk = g_malloc (config->size);
  const Act *flush = NULL;
  GError *error = NULL;
  BlockClient *client = block_client_new (path, "qcow2", VMM_BLOCK_READ_ONLY, &error);

  g_assert_no_error (error);
  g_assert_cmpint (block_client_do (client, VMM_BLOCK_READ, 0, disk, config->size), ==, 0);
  block_client_free (client);
  for (guint i = 0; i < log->acts->len; i++)
    {
      const Act *act = log->acts->pdata[i];

      if (act->flush && act->end != 0 && act->end < moment && (flush == NULL || act->begin > flush->begin))
        flush = act;
    }
  for (guint64 sector = 0; sector < config->size / SECTOR; sector++)
    {
      const guint32 *words = disk + sector * SECTOR / 4;
      guint32 version = words[0] == 0 ? 0 : words[0] ^ (guint32) (sector << 20);
      gboolean ok = words[0] == initial[sector];

      for (guint i = 1; i < SECTOR / 4; i++)
        if (words[i] != words[0])
          g_error ("sector %" G_GUINT64_FORMAT " is torn at moment %u", sector, moment);
      for (guint i = 0; i < log->acts->len; i++)
        {
          const Act *act = log->acts->pdata[i];

          if (act->flush || sector < act->sector || sector >= act->sector + act->n_sectors || act->begin >= moment)
            continue;
          if (flush != NULL && act->end != 0 && act->end < flush->begin)
            ok = act->version == version; /* nothing older is allowed any more */
          else if (act->version == version)
            ok = TRUE;
        }
      if (!ok)
        g_error ("sector %" G_GUINT64_FORMAT " holds 0x%08x (version %u) at moment %u, which is lost or never was", sector,
                 words[0], version, moment);
    }
}

static void
test_crash (gconstpointer data)
{
  const Config *config = data;
  g_autofree char *dir = g_dir_make_tmp ("lodge-crash-XXXXXX", NULL);
  g_autofree char *base = g_build_filename (dir, "base.raw", NULL);
  g_autofree char *path = g_build_filename (dir, "disk.qcow2", NULL);
  g_autofree char *original = g_build_filename (dir, "original.qcow2", NULL);
  g_autofree char *crashed = g_build_filename (dir, "crashed.qcow2", NULL);
  g_autofree char *size = g_strdup_printf ("%" G_GUINT64_FORMAT, config->size);
  g_autofree guint32 *initial = g_new0 (guint32, config->size / SECTOR);
  g_autoptr (GRand) rand = g_rand_new_with_seed ((guint32) g_test_rand_int ());
  Log log = { .records = g_ptr_array_new_with_free_func (record_free), .acts = g_ptr_array_new_with_free_func (g_free) };
  GError *error = NULL;
  BlockClient *client;

  if (config->backed)
    {
      for (guint64 i = 0; i < config->size / SECTOR; i++)
        initial[i] = 7u ^ (guint32) (i << 20);
      {
        g_autofree guint32 *content = g_malloc (config->size);

        for (guint64 i = 0; i < config->size / 4; i++)
          content[i] = initial[i / (SECTOR / 4)];
        g_file_set_contents (base, (const char *) content, (gssize) config->size, &error);
        g_assert_no_error (error);
      }
      run_command ((const char *const[]) { "qemu-img", "create", "-q", "-f", "qcow2", "-o", config->options, "-b", base, "-F",
                                           "raw", path, size, NULL },
                   0);
    }
  else
    run_command ((const char *const[]) { "qemu-img", "create", "-q", "-f", "qcow2", "-o", config->options, path, size, NULL }, 0);
  if (config->snapshot)
    {
      /* A snapshot shares every cluster of the first half. */
      Log first = { .records = g_ptr_array_new (), .acts = g_ptr_array_new_with_free_func (g_free) };

      client = block_client_new (path, "qcow2", VMM_BLOCK_DEFAULT, &error);
      g_assert_no_error (error);
      for (guint64 i = 0; i < config->size / SECTOR / 2; i += 16)
        start_act (&first, client, VMM_BLOCK_WRITE, i, 16, 9);
      g_assert_cmpint (block_client_wait (client), ==, 0);
      block_client_free (client);
      g_ptr_array_unref (first.records);
      g_ptr_array_unref (first.acts);
      for (guint64 i = 0; i < config->size / SECTOR / 32 * 16; i++)
        initial[i] = 9u ^ (guint32) (i << 20);
      run_command ((const char *const[]) { "qemu-img", "snapshot", "-c", "one", path, NULL }, 0);
    }
  run_command ((const char *const[]) { "cp", path, original, NULL }, 0);

  client = block_client_new (path, "qcow2", VMM_BLOCK_DEFAULT, &error);
  g_assert_no_error (error);
  vmm_block_set_hooks (client->block, &log_hooks, &log);
  if (config->cache != 0)
    ((VmmQcow2 *) vmm_block_get_node (client->block))->l2_cache.max_slices = config->cache;
  if (config->full)
    vmm_block_set_stall (client->block, on_stalled, &log);
  work (&log, client, config, rand);
  block_client_free (client);
  run_command ((const char *const[]) { "qemu-img", "check", "-q", path, NULL }, 0);

  for (guint i = 0; i < (g_test_thorough () ? 300u : 12u); i++)
    {
      guint moment = (guint) g_rand_int_range (rand, 1, (gint32) log.position + 2);
      const Record *near = log.records->pdata[g_rand_int_range (rand, 0, (gint32) log.records->len)];

      /* Metadata are written around syncs. */
      while (near->kind != VMM_IO_SYNC)
        near = log.records->pdata[g_rand_int_range (rand, 0, (gint32) log.records->len)];
      if (i % 4 != 0)
        moment = near->begin + (guint) g_rand_int_range (rand, 0, 6);
      make_crashed (&log, crashed, original, moment, rand);
      run_command ((const char *const[]) { "qemu-img", "check", "-q", crashed, NULL }, 3);
      check_content (&log, crashed, config, initial, moment);
    }
  g_ptr_array_unref (log.records);
  g_ptr_array_unref (log.acts);
  run_command ((const char *const[]) { "rm", "-r", dir, NULL }, 0);
}

int
main (int argc, char **argv)
{
  static const Config configs[] = {
    { "default", "cluster_size=65536", 6u << 20, FALSE, FALSE, 0, FALSE },
    { "small-clusters", "cluster_size=512", 1u << 20, FALSE, FALSE, 0, FALSE },
    { "small-clusters-small-cache", "cluster_size=512", 1u << 20, FALSE, FALSE, 3, FALSE },
    { "small-cache", "cluster_size=4096", 3u << 20, FALSE, FALSE, 1, FALSE },
    { "backed", "cluster_size=16384", 2u << 20, TRUE, FALSE, 0, FALSE },
    { "backed-small-clusters", "cluster_size=1024", 1u << 20, TRUE, FALSE, 4, FALSE },
    { "subclusters", "cluster_size=16384,extended_l2=on", 2u << 20, FALSE, FALSE, 0, FALSE },
    { "subclusters-backed", "cluster_size=65536,extended_l2=on", 2u << 20, TRUE, FALSE, 2, FALSE },
    { "snapshot", "cluster_size=4096", 2u << 20, FALSE, TRUE, 0, FALSE },
    { "snapshot-small-clusters", "cluster_size=512", 1u << 20, FALSE, TRUE, 4, FALSE },
    { "snapshot-subclusters", "cluster_size=16384,extended_l2=on", 2u << 20, FALSE, TRUE, 0, FALSE },
    { "wide-refcounts", "cluster_size=512,refcount_bits=64", 1u << 20, FALSE, FALSE, 0, FALSE },
    { "full-disk", "cluster_size=4096", 2u << 20, FALSE, FALSE, 0, TRUE },
    { "full-disk-backed-subclusters", "cluster_size=16384,extended_l2=on", 2u << 20, TRUE, FALSE, 2, TRUE },
    { "version-2", "cluster_size=4096,compat=0.10", 2u << 20, FALSE, TRUE, 0, FALSE },
  };
  g_autofree char *program = g_find_program_in_path ("qemu-img");

  g_test_init (&argc, &argv, NULL);
  if (program == NULL)
    {
      g_print ("1..0 # SKIP qemu-img is not installed\n");
      return 0;
    }
  for (guint i = 0; i < G_N_ELEMENTS (configs); i++)
    {
      g_autofree char *name = g_strdup_printf ("/qcow2/crash/%s", configs[i].name);

      g_test_add_data_func (name, &configs[i], test_crash);
    }
  return g_test_run ();
}
