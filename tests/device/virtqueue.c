/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rings built in RAM as VIRTIO 1.2 §2.7 has them, honest and lying, with the entropy device at the other end: it gives every writable byte
 * back as written. */
#include "virtio-host.h"

#include <string.h>

#define BAR 0xe0000000u
#define DATA 0x200000u
#define TABLE 0x400000u
#define F_INDIRECT (1u << 28)
#define F_EVENT_IDX (1u << 29)
#define DESC_NEXT 1
#define DESC_WRITE 2
#define DESC_INDIRECT 4
#define RAM_BYTES (64u << 20)

static VirtioHost *
start (TestBoard *board, guint64 features, guint size)
{
  VirtioHost *host = g_new0 (VirtioHost, 1);

  test_board_add (board, "virtio-rng", "rng0", NULL);
  virtio_host_init (host, board, 2 << 3, BAR);
  virtio_host_start (host, features, size, TRUE);
  return host;
}

static void
put_table (TestBoard *board, guint64 table, guint index, guint64 addr, guint32 len, guint16 flags, guint16 next)
{
  struct {
    guint64 addr;
    guint32 len;
    guint16 flags, next;
  } desc = { GUINT64_TO_LE (addr), GUINT32_TO_LE (len), GUINT16_TO_LE (flags), GUINT16_TO_LE (next) };

  test_ram_write (board, table + index * 16, &desc, sizeof desc);
}

static guint16
word (TestBoard *board, guint64 gpa)
{
  guint16 value;

  test_ram_read (board, gpa, &value, 2);
  return GUINT16_FROM_LE (value);
}

static void
put_word (TestBoard *board, guint64 gpa, guint16 value)
{
  value = GUINT16_TO_LE (value);
  test_ram_write (board, gpa, &value, 2);
}

/* Offers descriptor 0 and expects the device to break: NEEDS_RESET, a configuration interrupt (§2.1.2), nothing used. */
static void
expect_broken (VirtioHost *host)
{
  guint messages = test_msi_count (host->board);

  virtio_host_offer (host, 0, 0);
  virtio_host_kick (host, 0);
  test_wait_until (virtio_host_get (host, 0x14, 1) == 0x4f);
  g_assert_cmpuint (virtio_host_used_idx (host, 0), ==, 0);
  g_assert_cmpuint (test_msi_count (host->board), ==, messages + 1);
  g_assert_cmphex (test_msi_get (host->board, messages).data, ==, 0x40);
  /* a reset mends it */
  virtio_host_start (host, host->features, 16, TRUE);
  virtio_host_set_desc (host, 0, 0, DATA, 8, DESC_WRITE, 0);
  virtio_host_offer (host, 0, 0);
  virtio_host_kick (host, 0);
  g_assert_cmpuint (virtio_host_take (host, 0, NULL), ==, 8);
}

typedef struct {
  const char *name;
  guint64 features;
  struct {
    guint64 addr;
    guint32 len;
    guint16 flags, next;
  } direct[3], indirect[3];
} Lie;

static const Lie lies[] = {
  { "next-beyond-the-ring", 0, { { DATA, 8, DESC_NEXT | DESC_WRITE, 16 } }, { { 0 } } },
  { "loop", 0, { { DATA, 8, DESC_NEXT | DESC_WRITE, 1 }, { DATA, 8, DESC_NEXT | DESC_WRITE, 0 } }, { { 0 } } },
  { "self-loop", 0, { { DATA, 8, DESC_NEXT | DESC_WRITE, 0 } }, { { 0 } } },
  { "outside-ram", 0, { { RAM_BYTES, 8, DESC_WRITE, 0 } }, { { 0 } } },
  { "end-outside-ram", 0, { { RAM_BYTES - 8, 9, DESC_WRITE, 0 } }, { { 0 } } },
  { "address-wraps", 0, { { G_MAXUINT64 - 4, 8, DESC_WRITE, 0 } }, { { 0 } } },
  { "huge-length", 0, { { DATA, G_MAXUINT32, DESC_WRITE, 0 } }, { { 0 } } },
  { "readable-after-writable", 0, { { DATA, 8, DESC_NEXT | DESC_WRITE, 1 }, { DATA, 8, 0, 0 } }, { { 0 } } },
  { "indirect-not-agreed-on", 0, { { TABLE, 16, DESC_INDIRECT, 0 } }, { { DATA, 8, DESC_WRITE, 0 } } },
  { "indirect-length-odd", F_INDIRECT, { { TABLE, 17, DESC_INDIRECT, 0 } }, { { DATA, 8, DESC_WRITE, 0 } } },
  { "indirect-empty", F_INDIRECT, { { TABLE, 0, DESC_INDIRECT, 0 } }, { { DATA, 8, DESC_WRITE, 0 } } },
  { "indirect-huge", F_INDIRECT, { { TABLE, 0x10000, DESC_INDIRECT, 0 } }, { { DATA, 8, DESC_WRITE, 0 } } },
  { "indirect-outside-ram", F_INDIRECT, { { RAM_BYTES - 8, 16, DESC_INDIRECT, 0 } }, { { 0 } } },
  { "indirect-with-next", F_INDIRECT, { { TABLE, 16, DESC_INDIRECT | DESC_NEXT, 1 } }, { { DATA, 8, DESC_WRITE, 0 } } },
  { "indirect-in-indirect", F_INDIRECT, { { TABLE, 32, DESC_INDIRECT, 0 } }, { { TABLE, 16, DESC_INDIRECT, 0 } } },
  { "indirect-next-beyond-the-table", F_INDIRECT, { { TABLE, 32, DESC_INDIRECT, 0 } }, { { DATA, 8, DESC_WRITE | DESC_NEXT, 2 } } },
  { "indirect-loop", F_INDIRECT, { { TABLE, 32, DESC_INDIRECT, 0 } }, { { DATA, 8, DESC_WRITE | DESC_NEXT, 0 } } },
};

static void
test_lie (gconstpointer data)
{
  const Lie *lie = data;
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = start (board, lie->features, 16);

  for (guint i = 0; i < 3; i++)
    {
      virtio_host_set_desc (host, 0, i, lie->direct[i].addr, lie->direct[i].len, lie->direct[i].flags, lie->direct[i].next);
      put_table (board, TABLE, i, lie->indirect[i].addr, lie->indirect[i].len, lie->indirect[i].flags, lie->indirect[i].next);
    }
  expect_broken (host);
}

static void
test_head_beyond_the_ring (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = start (board, 0, 16);

  virtio_host_offer (host, 0, 16);
  virtio_host_kick (host, 0);
  test_wait_until (virtio_host_get (host, 0x14, 1) == 0x4f);
}

static void
test_avail_idx_jumps (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = start (board, 0, 16);

  put_word (board, host->queues[0].avail + 2, 17);
  virtio_host_kick (host, 0);
  test_wait_until (virtio_host_get (host, 0x14, 1) == 0x4f);
}

static void
test_chains (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = start (board, F_INDIRECT, 16);
  VirtioHostPiece pieces[16];
  guint32 head;

  /* as long as the ring */
  for (guint i = 0; i < 16; i++)
    pieces[i] = (VirtioHostPiece) { DATA + i * 64, 4 };
  g_assert_cmpuint (virtio_host_do (host, 0, pieces, 0, 16), ==, 64);
  /* a table, longer than the ring, behind a direct descriptor (§2.7.5.3.2) */
  for (guint i = 0; i < 40; i++)
    put_table (board, TABLE, i, DATA + 0x1000 + i * 64, 2, i < 39 ? DESC_WRITE | DESC_NEXT : DESC_WRITE, (guint16) (i + 1));
  virtio_host_set_desc (host, 0, 3, DATA, 8, DESC_NEXT, 5);
  virtio_host_set_desc (host, 0, 5, TABLE, 40 * 16, DESC_INDIRECT, 0);
  virtio_host_offer (host, 0, 3);
  virtio_host_kick (host, 0);
  g_assert_cmpuint (virtio_host_take (host, 0, &head), ==, 80);
  g_assert_cmpuint (head, ==, 3);
  /* empty pieces take no part */
  virtio_host_set_desc (host, 0, 0, DATA, 0, DESC_NEXT | DESC_WRITE, 1);
  virtio_host_set_desc (host, 0, 1, DATA, 7, DESC_WRITE, 0);
  virtio_host_offer (host, 0, 0);
  virtio_host_kick (host, 0);
  g_assert_cmpuint (virtio_host_take (host, 0, NULL), ==, 7);
}

/* Indices are 16 bits wide and go round. */
static void
test_wraps (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = start (board, F_EVENT_IDX, 64);
  const VirtioHostPiece piece = { DATA, 1 };

  for (guint done = 0; done < 66000; done += 60)
    {
      for (guint i = 0; i < 60; i++)
        virtio_host_add (host, 0, &piece, 0, 1);
      virtio_host_kick (host, 0);
      for (guint i = 0; i < 60; i++)
        g_assert_cmpuint (virtio_host_take (host, 0, NULL), ==, 1);
    }
}

static void
test_interrupt_suppression (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = start (board, 0, 16);
  const VirtioHostPiece piece = { DATA, 4 };
  guint messages;

  put_word (board, host->queues[0].avail, 1); /* NO_INTERRUPT */
  virtio_host_do (host, 0, &piece, 0, 1);
  test_board_settle (board);
  test_board_settle (board);
  messages = test_msi_count (board);
  g_assert_cmpuint (messages, ==, 0);
  put_word (board, host->queues[0].avail, 0);
  virtio_host_do (host, 0, &piece, 0, 1);
  test_wait_until (test_msi_count (board) == 1);
  /* no kicks wanted while it works; wanted again when it is idle */
  test_wait_until (word (board, host->queues[0].used) == 0);
}

static void
test_event_index (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = start (board, F_EVENT_IDX, 16);
  const VirtioHostPiece piece = { DATA, 4 };
  guint64 used_event = host->queues[0].avail + 4 + 2 * 16, avail_event = host->queues[0].used + 4 + 8 * 16;

  /* §2.7.10: used_event 1: interrupt when the second is used */
  put_word (board, used_event, 1);
  put_word (board, host->queues[0].avail, 1); /* flags are ignored */
  virtio_host_do (host, 0, &piece, 0, 1);
  test_wait_until (word (board, avail_event) == 1);
  test_board_settle (board);
  virtio_host_do (host, 0, &piece, 0, 1);
  test_wait_until (test_msi_count (board) >= 1);
  test_wait_until (word (board, avail_event) == 2);
  g_assert_cmpuint (test_msi_count (board), <=, 2); /* the first may interrupt: there was no earlier index to compare with */
}

static void
test_no_dma_without_bus_mastering (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = start (board, 0, 16);
  const VirtioHostPiece piece = { DATA, 4 };

  test_pci_write (board, host->devfn, 0x04, 2, 0x0002);
  virtio_host_add (host, 0, &piece, 0, 1);
  virtio_host_kick (host, 0);
  g_usleep (10000);
  test_board_settle (board);
  g_assert_cmpuint (virtio_host_used_idx (host, 0), ==, 0);
  test_pci_write (board, host->devfn, 0x04, 2, 0x0006);
  g_assert_cmpuint (virtio_host_take (host, 0, NULL), ==, 4);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (lies); i++)
    {
      g_autofree char *path = g_strconcat ("/virtqueue/lies/", lies[i].name, NULL);

      g_test_add_data_func (path, &lies[i], test_lie);
    }
  g_test_add_func ("/virtqueue/lies/head-beyond-the-ring", test_head_beyond_the_ring);
  g_test_add_func ("/virtqueue/lies/avail-idx-jumps", test_avail_idx_jumps);
  g_test_add_func ("/virtqueue/chains", test_chains);
  g_test_add_func ("/virtqueue/wraps", test_wraps);
  g_test_add_func ("/virtqueue/interrupt-suppression", test_interrupt_suppression);
  g_test_add_func ("/virtqueue/event-index", test_event_index);
  g_test_add_func ("/virtqueue/no-dma-without-bus-mastering", test_no_dma_without_bus_mastering);
  return g_test_run ();
}
