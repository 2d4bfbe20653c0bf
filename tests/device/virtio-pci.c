/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: VIRTIO 1.2 §4.1 and §3.1; the places of the capabilities are those that firmware is known to take (contract 7.2). */
#include "virtio-host.h"

#include "virtio/virtio.h"

#include <poll.h>
#include <unistd.h>

#define BAR 0xe0000000u
#define DATA 0x200000u
#define DEVFN (2 << 3)

static VirtioHost *
probe (TestBoard *board)
{
  VirtioHost *host = g_new0 (VirtioHost, 1);

  test_board_add (board, "virtio-rng", "rng0", NULL);
  virtio_host_init (host, board, DEVFN, BAR);
  return host;
}

static void
test_capabilities (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = probe (board);
  static const struct {
    guint at, id, type, offset;
  } caps[] = { { 0x98, 0x11, 0, 0 },   { 0x84, 9, 5, 0 },      { 0x70, 9, 2, 0x3000 },
               { 0x60, 9, 4, 0x2000 }, { 0x50, 9, 3, 0x1000 }, { 0x40, 9, 1, 0 } };
  guint at = test_pci_read (board, DEVFN, 0x34, 1);

  for (guint i = 0; i < G_N_ELEMENTS (caps); i++, at = test_pci_read (board, DEVFN, at + 1, 1))
    {
      g_assert_cmphex (at, ==, caps[i].at);
      g_assert_cmphex (test_pci_read (board, DEVFN, at, 1), ==, caps[i].id);
      if (caps[i].id != 9)
        continue;
      g_assert_cmphex (test_pci_read (board, DEVFN, at + 3, 1), ==, caps[i].type);
      g_assert_cmphex (test_pci_read (board, DEVFN, at + 8, 4), ==, caps[i].offset);
    }
  g_assert_cmphex (at, ==, 0);
  g_assert_cmphex (test_pci_read (board, DEVFN, 0x08, 1), ==, 1); /* revision: not transitional */
  g_assert_cmphex (test_pci_read (board, DEVFN, 0x2c, 4), ==, 0x11001af4);
  g_assert_cmphex (test_pci_read (board, DEVFN, 0x3d, 1), ==, 1);
  g_assert_cmphex (test_pci_read (board, DEVFN, 0x20, 4) & 0xf, ==, 0xc); /* 64 bits, prefetchable */
  g_assert_cmpuint (host->notify_step, ==, 4);
}

static void
test_reset_values (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = probe (board);

  g_assert_cmphex (virtio_host_get (host, 0x14, 1), ==, 0);
  g_assert_cmphex (virtio_host_get (host, 0x10, 2), ==, 0xffff);
  g_assert_cmphex (virtio_host_get (host, 0x12, 2), ==, 1);
  g_assert_cmphex (virtio_host_get (host, 0x18, 2), ==, 64);
  g_assert_cmphex (virtio_host_get (host, 0x1a, 2), ==, 0xffff);
  g_assert_cmphex (virtio_host_get (host, 0x1c, 2), ==, 0);
  virtio_host_set (host, 0x16, 2, 1);
  g_assert_cmphex (virtio_host_get (host, 0x18, 2), ==, 0); /* §4.1.4.3.1: no such queue */
  virtio_host_set (host, 0x18, 2, 8);
  virtio_host_set (host, 0x1c, 2, 1);
  g_assert_cmphex (virtio_host_get (host, 0x1c, 2), ==, 0);
}

static void
test_widths (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = probe (board);

  virtio_host_set (host, 0x20, 8, G_GUINT64_CONSTANT (0x1122334455667780));
  g_assert_cmphex (virtio_host_get (host, 0x20, 8), ==, G_GUINT64_CONSTANT (0x1122334455667780));
  g_assert_cmphex (virtio_host_get (host, 0x24, 4), ==, 0x11223344);
  virtio_host_set (host, 0x20, 4, 0xabcdef00);
  g_assert_cmphex (virtio_host_get (host, 0x20, 8), ==, G_GUINT64_CONSTANT (0x11223344abcdef00));
  virtio_host_set (host, 0x25, 1, 0x99);
  g_assert_cmphex (virtio_host_get (host, 0x24, 4), ==, 0x11229944);
  virtio_host_set (host, 0x16, 2, 0);
  virtio_host_set (host, 0x18, 4, 0xffff0010); /* size and vector at once */
  g_assert_cmphex (virtio_host_get (host, 0x18, 2), ==, 16);
  g_assert_cmphex (virtio_host_get (host, 0x1a, 2), ==, 0xffff);
}

static void
test_queue_sizes (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = probe (board);
  static const guint16 wrong[] = { 0, 3, 65, 128, 0x8000 };

  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      virtio_host_set (host, 0x18, 2, wrong[i]);
      g_assert_cmpuint (virtio_host_get (host, 0x18, 2), ==, 64);
    }
  virtio_host_set (host, 0x18, 2, 4);
  g_assert_cmpuint (virtio_host_get (host, 0x18, 2), ==, 4);
}

static void
test_vectors (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = probe (board);

  virtio_host_set (host, 0x1a, 2, 1);
  g_assert_cmphex (virtio_host_get (host, 0x1a, 2), ==, 1);
  virtio_host_set (host, 0x1a, 2, 2); /* two vectors: 0 and 1 */
  g_assert_cmphex (virtio_host_get (host, 0x1a, 2), ==, 0xffff);
  virtio_host_set (host, 0x10, 2, 40);
  g_assert_cmphex (virtio_host_get (host, 0x10, 2), ==, 0xffff);
}

static void
try_features (VirtioHost *host, guint32 low, guint32 high)
{
  virtio_host_set (host, 0x14, 1, 0);
  virtio_host_set (host, 0x14, 1, 1);
  virtio_host_set (host, 0x14, 1, 3);
  virtio_host_set (host, 0x08, 4, 0);
  virtio_host_set (host, 0x0c, 4, low);
  virtio_host_set (host, 0x08, 4, 1);
  virtio_host_set (host, 0x0c, 4, high);
  virtio_host_set (host, 0x14, 1, 0x0b);
}

static void
test_features (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = probe (board);

  g_assert_cmphex (virtio_host_read_features (host), ==, G_GUINT64_CONSTANT (0x130000000));
  virtio_host_set (host, 0x00, 4, 2);
  g_assert_cmphex (virtio_host_get (host, 0x04, 4), ==, 0);
  try_features (host, 0, 0); /* no VERSION_1 */
  g_assert_cmphex (virtio_host_get (host, 0x14, 1), ==, 0x03);
  virtio_host_set (host, 0x14, 1, 0x0f); /* DRIVER_OK all the same */
  g_assert_cmphex (virtio_host_get (host, 0x14, 1), ==, 0x03);
  try_features (host, 1, 1); /* not offered */
  g_assert_cmphex (virtio_host_get (host, 0x14, 1), ==, 0x03);
  try_features (host, 0x30000000, 1);
  g_assert_cmphex (virtio_host_get (host, 0x14, 1), ==, 0x0b);
  virtio_host_set (host, 0x0c, 4, 0); /* too late */
  g_assert_cmphex (virtio_host_get (host, 0x0c, 4), ==, 1);
  virtio_host_set (host, 0x14, 1, 0x8b);
  g_assert_cmphex (virtio_host_get (host, 0x14, 1), ==, 0x8b);
}

static void
test_intx_and_isr (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = probe (board);
  const VirtioHostPiece piece = { DATA, 4 };
  guint gsi;

  virtio_host_start (host, 0, 16, FALSE);
  virtio_host_do (host, 0, &piece, 0, 1);
  test_wait_until ((test_pci_read (board, DEVFN, 0x06, 2) & 8) != 0);
  for (gsi = 16; gsi < 24 && !test_irq_level (board, gsi); gsi++)
    ;
  g_assert_cmpuint (gsi, <, 24);
  g_assert_cmphex (test_read (board, host->isr, 1), ==, 1);
  g_assert_false (test_irq_level (board, gsi));
  g_assert_cmphex (test_read (board, host->isr, 1), ==, 0);
  g_assert_cmpuint (test_msi_count (board), ==, 0);
}

/* A start without buffers is no reason to interrupt. */
static void
test_no_interrupt_for_nothing (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = probe (board);

  virtio_host_start (host, 0, 16, TRUE);
  virtio_host_kick (host, 0);
  g_usleep (20000);
  test_board_settle (board);
  g_assert_cmpuint (test_msi_count (board), ==, 0);
}

static void
test_msix_mask_latches (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = probe (board);
  const VirtioHostPiece piece = { DATA, 4 };

  virtio_host_start (host, 0, 16, TRUE);
  test_write (board, host->bar + 0x10000 + 16 + 12, 4, 1); /* vector 1 masked */
  virtio_host_do (host, 0, &piece, 0, 1);
  test_wait_until (test_read (board, host->bar + 0x10000 + 0x800, 4) == 2);
  g_assert_cmpuint (test_msi_count (board), ==, 0);
  test_write (board, host->bar + 0x10000 + 16 + 12, 4, 0);
  g_assert_cmpuint (test_msi_count (board), ==, 1);
  g_assert_cmphex (test_msi_get (board, 0).data, ==, 0x41);
  g_assert_cmphex (test_read (board, host->isr, 1), ==, 0);
}

/* §4.1.4.9: the window in configuration space, for firmware that cannot reach the BAR. */
static void
test_access_capability (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = probe (board);

  test_pci_write (board, DEVFN, 0x84 + 4, 1, 4);
  test_pci_write (board, DEVFN, 0x84 + 8, 4, 0x12);
  test_pci_write (board, DEVFN, 0x84 + 12, 4, 2);
  g_assert_cmphex (test_pci_read (board, DEVFN, 0x84 + 16, 2), ==, 1); /* num_queues */
  test_pci_write (board, DEVFN, 0x84 + 8, 4, 0x14);
  test_pci_write (board, DEVFN, 0x84 + 12, 4, 1);
  test_pci_write (board, DEVFN, 0x84 + 16, 1, 1);
  g_assert_cmphex (virtio_host_get (host, 0x14, 1), ==, 1);
  g_assert_cmphex (test_pci_read (board, DEVFN, 0x84 + 16, 1), ==, 1);
  /* nonsense shows nothing */
  test_pci_write (board, DEVFN, 0x84 + 12, 4, 3);
  test_pci_write (board, DEVFN, 0x84 + 16, 4, 0xff);
  test_pci_write (board, DEVFN, 0x84 + 8, 4, 0xfffffffc);
  test_pci_write (board, DEVFN, 0x84 + 12, 4, 4);
  test_pci_read (board, DEVFN, 0x84 + 16, 4);
  test_pci_write (board, DEVFN, 0x84 + 4, 1, 1);
  test_pci_read (board, DEVFN, 0x84 + 16, 4);
  g_assert_cmphex (virtio_host_get (host, 0x14, 1), ==, 1);
}

static void
test_bar_moves (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = probe (board);
  const VirtioHostPiece piece = { DATA, 4 };

  virtio_host_start (host, 0, 16, TRUE);
  virtio_host_do (host, 0, &piece, 0, 1);
  test_pci_write (board, DEVFN, 0x04, 2, 0x0004);
  test_pci_write (board, DEVFN, 0x20, 4, 0xe1000000);
  test_pci_write (board, DEVFN, 0x04, 2, 0x0006);
  host->common += 0x1000000;
  host->queues[0].notify += 0x1000000;
  g_assert_cmphex (virtio_host_get (host, 0x14, 1), ==, 0x0f);
  virtio_host_do (host, 0, &piece, 0, 1);
}

static void
test_enabled_queue_stays (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = probe (board);
  const VirtioHostPiece piece = { DATA, 4 };

  virtio_host_start (host, 0, 16, TRUE);
  virtio_host_set (host, 0x20, 4, 0);
  virtio_host_set (host, 0x18, 2, 8);
  virtio_host_set (host, 0x1c, 2, 0);
  g_assert_cmphex (virtio_host_get (host, 0x18, 2), ==, 16);
  virtio_host_do (host, 0, &piece, 0, 1);
}

static void
test_queue_outside_ram (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = probe (board);

  virtio_host_negotiate (host, 0);
  virtio_host_set (host, 0x20, 8, 64u << 20);
  virtio_host_set (host, 0x28, 8, G_MAXUINT64 - 1);
  virtio_host_set (host, 0x30, 8, 0x3fffffc);
  virtio_host_set (host, 0x1c, 2, 1);
  virtio_host_set (host, 0x14, 1, 0x0f);
  g_assert_cmphex (virtio_host_get (host, 0x14, 1), ==, 0x4f);
  virtio_host_start (host, 0, 16, TRUE);
}

static void
test_machine_reset (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = probe (board);
  const VirtioHostPiece piece = { DATA, 4 };

  virtio_host_start (host, 0, 16, TRUE);
  virtio_host_do (host, 0, &piece, 0, 1);
  test_board_reset (board, VMM_RESET_WARM);
  g_assert_cmphex (test_pci_read (board, DEVFN, 0x04, 2), ==, 0);
  virtio_host_init (host, board, DEVFN, BAR);
  g_assert_cmphex (virtio_host_get (host, 0x14, 1), ==, 0);
  g_assert_cmphex (virtio_host_get (host, 0x1c, 2), ==, 0);
  virtio_host_start (host, 0, 16, TRUE);
  virtio_host_do (host, 0, &piece, 0, 1);
}

static void
test_quiesce_holds_kicks (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = probe (board);
  VmmDevice *rng = vmm_machine_find_device (board->machine, "rng0");
  const VirtioHostPiece piece = { DATA, 4 };

  virtio_host_start (host, 0, 16, TRUE);
  rng->class->quiesce (rng);
  virtio_host_add (host, 0, &piece, 0, 1);
  virtio_host_kick (host, 0);
  g_usleep (10000);
  test_board_settle (board);
  g_assert_cmpuint (virtio_host_used_idx (host, 0), ==, 0);
  rng->class->resume (rng);
  virtio_host_take (host, 0, NULL);
}

/* A queue that somebody else serves: kicks go to their descriptor, their calls become interrupts, masked ones are latched. */
static void
test_given_queue (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree VirtioHost *host = probe (board);
  VmmVirtio *virtio = (VmmVirtio *) vmm_machine_find_device (board->machine, "rng0");
  const VirtioHostPiece piece = { DATA, 4 };
  g_autoptr (GError) error = NULL;
  VmmVirtqueueLayout layout;
  struct pollfd waiting;
  int kick_fd, call_fd;
  guint64 count = 0;

  virtio_host_start (host, 0, 16, TRUE);
  vmm_device_lock (&virtio->pci.base);
  g_assert_true (vmm_virtqueue_give (vmm_virtio_get_queue (virtio, 0), &kick_fd, &call_fd, &error));
  vmm_virtqueue_get_layout (vmm_virtio_get_queue (virtio, 0), &layout);
  vmm_device_unlock (&virtio->pci.base);
  g_assert_no_error (error);
  g_assert_cmphex (layout.desc, ==, host->queues[0].desc);
  g_assert_cmpuint (layout.size, ==, 16);
  g_usleep (5000);
  while (read (kick_fd, &count, sizeof count) > 0)
    ;
  waiting = (struct pollfd) { .fd = kick_fd, .events = POLLIN };
  virtio_host_add (host, 0, &piece, 0, 1);
  virtio_host_kick (host, 0);
  g_assert_cmpint (poll (&waiting, 1, 5000), ==, 1);
  g_assert_cmpint (read (kick_fd, &count, sizeof count), ==, sizeof count);
  g_assert_cmpuint (virtio_host_used_idx (host, 0), ==, 0);
  count = 1;
  g_assert_cmpint (write (call_fd, &count, sizeof count), ==, sizeof count);
  test_wait_until (test_msi_count (board) == 1);
  g_assert_cmphex (test_msi_get (board, 0).data, ==, 0x41);
  vmm_device_lock (&virtio->pci.base);
  vmm_virtqueue_take_back (vmm_virtio_get_queue (virtio, 0), 0);
  vmm_device_unlock (&virtio->pci.base);
  vmm_virtqueue_kick (vmm_virtio_get_queue (virtio, 0));
  virtio_host_take (host, 0, NULL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/virtio-pci/capabilities", test_capabilities);
  g_test_add_func ("/virtio-pci/reset-values", test_reset_values);
  g_test_add_func ("/virtio-pci/widths", test_widths);
  g_test_add_func ("/virtio-pci/queue-sizes", test_queue_sizes);
  g_test_add_func ("/virtio-pci/vectors", test_vectors);
  g_test_add_func ("/virtio-pci/features", test_features);
  g_test_add_func ("/virtio-pci/intx-and-isr", test_intx_and_isr);
  g_test_add_func ("/virtio-pci/no-interrupt-for-nothing", test_no_interrupt_for_nothing);
  g_test_add_func ("/virtio-pci/msix-mask-latches", test_msix_mask_latches);
  g_test_add_func ("/virtio-pci/access-capability", test_access_capability);
  g_test_add_func ("/virtio-pci/bar-moves", test_bar_moves);
  g_test_add_func ("/virtio-pci/enabled-queue-stays", test_enabled_queue_stays);
  g_test_add_func ("/virtio-pci/queue-outside-ram", test_queue_outside_ram);
  g_test_add_func ("/virtio-pci/machine-reset", test_machine_reset);
  g_test_add_func ("/virtio-pci/quiesce-holds-kicks", test_quiesce_holds_kicks);
  g_test_add_func ("/virtio-pci/given-queue", test_given_queue);
  return g_test_run ();
}
