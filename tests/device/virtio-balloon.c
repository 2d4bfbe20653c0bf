/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: VIRTIO 1.2 §5.5. */
#include "virtio-host.h"

#include <string.h>
#include <sys/stat.h>

#define BAR 0xe0000000u
#define DATA 0x200000u
#define VICTIM 0x2000000u /* the guest's pages that come and go */
#define F(bit) (G_GUINT64_CONSTANT (1) << (bit))

static VirtioHost *
start (TestBoard *board, guint64 features, const char *target)
{
  VirtioHost *host = g_new0 (VirtioHost, 1);

  test_board_add (board, "virtio-balloon", "balloon0", "target", target, NULL);
  virtio_host_init (host, board, 2 << 3, BAR);
  virtio_host_start (host, features, 64, TRUE);
  return host;
}

static guint64
ram_blocks (TestBoard *board)
{
  struct stat st;

  g_assert_cmpint (fstat (vmm_memory_get_ram (board->machine->memory)->fd, &st), ==, 0);
  return (guint64) st.st_blocks;
}

static void
dirty (TestBoard *board, guint64 gpa, gsize len)
{
  g_autofree guint8 *bytes = g_malloc (len);

  memset (bytes, 0xaa, len);
  test_ram_write (board, gpa, bytes, len);
}

static guint8
byte_at (TestBoard *board, guint64 gpa)
{
  guint8 byte;

  test_ram_read (board, gpa, &byte, 1);
  return byte;
}

static void
test_target (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = start (board, 0, "48");
  g_autoptr (GError) error = NULL;
  guint messages = test_msi_count (board);
  guint generation = (guint) virtio_host_get (host, 0x15, 1);

  g_assert_cmphex (test_pci_read (board, host->devfn, 0x02, 2), ==, 0x1045);
  g_assert_cmpuint (test_read (board, host->device, 4), ==, (16 << 20) / 4096);
  test_write (board, host->device + 4, 4, 77);
  g_assert_cmpuint (test_read (board, host->device + 4, 4), ==, 77);
  g_assert_true (vmm_machine_set_balloon (board->machine, 32 << 20, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (test_read (board, host->device, 4), ==, (32 << 20) / 4096);
  g_assert_cmpuint (test_msi_count (board), ==, messages + 1);
  g_assert_cmphex (test_msi_get (board, messages).data, ==, 0x40);
  g_assert_cmpuint (virtio_host_get (host, 0x15, 1), !=, generation);
}

static void
test_inflate (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = start (board, 0, "0");
  const guint32 first = VICTIM / 4096;
  guint32 pages[] = { first + 3, first + 1, first + 1, first, first + 5, 0xfffff000u };
  const VirtioHostPiece piece = { DATA, sizeof pages };
  guint64 before;

  dirty (board, VICTIM, 8 * 4096);
  test_ram_write (board, DATA, pages, sizeof pages);
  before = ram_blocks (board);
  g_assert_cmpuint (virtio_host_do (host, 0, &piece, 1, 0), ==, 0);
  for (guint i = 0; i < 8; i++)
    g_assert_cmphex (byte_at (board, VICTIM + i * 4096 + 100), ==, i == 0 || i == 1 || i == 3 || i == 5 ? 0 : 0xaa);
  g_assert_cmpuint (ram_blocks (board), <=, before);
  g_assert_cmpuint (virtio_host_do (host, 1, &piece, 1, 0), ==, 0); /* deflate */
  dirty (board, VICTIM, 4096);
  g_assert_cmphex (byte_at (board, VICTIM), ==, 0xaa);
}

static void
test_memory_goes_back (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = start (board, 0, "0");
  guint32 pages[1024];
  const VirtioHostPiece piece = { DATA, sizeof pages };
  guint64 before;

  dirty (board, VICTIM, 8u << 20);
  before = ram_blocks (board);
  for (guint round = 0; round < 2; round++)
    {
      for (guint i = 0; i < 1024; i++)
        pages[i] = VICTIM / 4096 + round * 1024 + (i * 7) % 1024;
      test_ram_write (board, DATA, pages, sizeof pages);
      virtio_host_do (host, 0, &piece, 1, 0);
    }
  g_assert_cmpuint (ram_blocks (board) + (8u << 20) / 512, <=, before + 64);
}

static void
test_reporting (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = start (board, F (5), "0");
  const VirtioHostPiece pieces[] = { { VICTIM, 2u << 20 }, { VICTIM + (4u << 20) + 100, 8192 } };
  guint64 before;

  dirty (board, VICTIM, 6u << 20);
  before = ram_blocks (board);
  /* no STATS: the reporting queue moves up to 2 (§5.5.2) */
  g_assert_cmpuint (virtio_host_do (host, 2, pieces, 0, 2), ==, 0);
  g_assert_cmpuint (ram_blocks (board) + (2u << 20) / 512, <=, before);
  g_assert_cmphex (byte_at (board, VICTIM), ==, 0);
  g_assert_cmphex (byte_at (board, VICTIM + (2u << 20)), ==, 0xaa);
  /* only whole pages inside */
  g_assert_cmphex (byte_at (board, VICTIM + (4u << 20) + 100), ==, 0xaa);
  g_assert_cmphex (byte_at (board, VICTIM + (4u << 20) + 4096), ==, 0);
  g_assert_cmphex (byte_at (board, VICTIM + (4u << 20) + 8192), ==, 0xaa);
}

static void
put_stat (TestBoard *board, guint index, guint16 tag, guint64 value)
{
  tag = GUINT16_TO_LE (tag);
  value = GUINT64_TO_LE (value);
  test_ram_write (board, DATA + index * 10, &tag, 2);
  test_ram_write (board, DATA + index * 10 + 2, &value, 8);
}

static gboolean
total_is (TestBoard *board, guint64 total)
{
  VmmBalloonInfo info;

  g_assert_true (vmm_machine_get_balloon (board->machine, &info, NULL));
  return info.total_bytes == total;
}

static void
test_stats (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = start (board, F (1) | F (5), "0");
  const VirtioHostPiece piece = { DATA, 20 };

  put_stat (board, 0, 5, 60 << 20);
  put_stat (board, 1, 6, 40 << 20);
  virtio_host_add (host, 2, &piece, 1, 0);
  virtio_host_kick (host, 2);
  test_wait_until (total_is (board, 60 << 20));
  /* asked for newer ones: the buffer comes back */
  virtio_host_take (host, 2, NULL);
  put_stat (board, 0, 5, 61 << 20);
  virtio_host_add (host, 2, &piece, 1, 0);
  virtio_host_kick (host, 2);
  test_wait_until (total_is (board, 61 << 20));
  test_board_reset (board, VMM_RESET_WARM);
  g_assert_true (total_is (board, 0));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/virtio-balloon/target", test_target);
  g_test_add_func ("/virtio-balloon/inflate", test_inflate);
  g_test_add_func ("/virtio-balloon/memory-goes-back", test_memory_goes_back);
  g_test_add_func ("/virtio-balloon/reporting", test_reporting);
  g_test_add_func ("/virtio-balloon/stats", test_stats);
  return g_test_run ();
}
