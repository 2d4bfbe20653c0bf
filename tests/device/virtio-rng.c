/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: VIRTIO 1.2 §5.4. */
#include "virtio-host.h"

#include <string.h>

#define BAR 0xe0000000u
#define DATA 0x200000u

static VirtioHost *
start (TestBoard *board, const char *rate)
{
  VirtioHost *host = g_new0 (VirtioHost, 1);

  test_board_add (board, "virtio-rng", "rng0", "rate", rate, NULL);
  virtio_host_init (host, board, 2 << 3, BAR);
  virtio_host_start (host, 0, 16, TRUE);
  return host;
}

static void
test_identity (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = start (board, "0");

  g_assert_cmphex (test_pci_read (board, host->devfn, 0x02, 2), ==, 0x1044); /* 1040 + 4, §4.1.2 */
  g_assert_cmpuint (host->n_queues, ==, 1);
}

static void
test_fills (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = start (board, "0");
  const VirtioHostPiece pieces[] = { { DATA, 64 }, { DATA + 0x1000, 192 } };
  guint8 before[256] = { 0 }, after[256];
  guint different = 0;

  test_ram_write (board, DATA + 0x1000, before, 192);
  g_assert_cmpuint (virtio_host_do (host, 0, pieces, 0, 2), ==, 256);
  test_ram_read (board, DATA + 0x1000, after, 192);
  for (guint i = 0; i < 192; i++)
    different += after[i] != 0;
  g_assert_cmpuint (different, >, 150);
  g_assert_cmpuint (test_msi_count (board), ==, 1);
  g_assert_cmphex (test_msi_get (board, 0).data, ==, 0x41);
}

static void
test_large_buffer_gets_some (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = start (board, "0");
  const VirtioHostPiece piece = { DATA, 1u << 20 };
  guint32 n = virtio_host_do (host, 0, &piece, 0, 1);

  /* §5.4.6.2: one or more bytes, no need to use the whole length */
  g_assert_cmpuint (n, >=, 1);
  g_assert_cmpuint (n, <=, 1u << 20);
}

static void
test_rate (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = start (board, "1000");
  const VirtioHostPiece piece = { DATA, 1000 };
  guint32 n;

  g_assert_cmpuint (virtio_host_do (host, 0, &piece, 0, 1), ==, 100);
  virtio_host_add (host, 0, &piece, 0, 1);
  virtio_host_kick (host, 0);
  g_usleep (20000);
  test_board_settle (board);
  g_assert_cmpuint (virtio_host_used_idx (host, 0), ==, 1);
  test_advance_ns (board, 50 * 1000 * 1000);
  n = virtio_host_take (host, 0, NULL);
  g_assert_cmpuint (n, >=, 1);
  g_assert_cmpuint (n, <=, 50);
}

static void
test_readable_buffer_gets_nothing (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = start (board, "0");
  const VirtioHostPiece piece = { DATA, 16 };
  guint8 before[16] = { 1, 2, 3 }, after[16];

  test_ram_write (board, DATA, before, sizeof before);
  g_assert_cmpuint (virtio_host_do (host, 0, &piece, 1, 0), ==, 0);
  test_ram_read (board, DATA, after, sizeof after);
  g_assert_cmpmem (before, sizeof before, after, sizeof after);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/virtio-rng/identity", test_identity);
  g_test_add_func ("/virtio-rng/fills", test_fills);
  g_test_add_func ("/virtio-rng/large-buffer-gets-some", test_large_buffer_gets_some);
  g_test_add_func ("/virtio-rng/rate", test_rate);
  g_test_add_func ("/virtio-rng/readable-buffer-gets-nothing", test_readable_buffer_gets_nothing);
  return g_test_run ();
}
