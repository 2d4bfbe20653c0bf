/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A disk, a console and a balloon under a driver that does anything: descriptors, rings and tables in RAM that is partly none, registers in
 * any order, kicks, resets, bus mastering on and off. The input is a list of steps. Nothing may crash, hang or be left behind. */
#include "virtio-host.h"
#include "pci/pci.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FUZZ_STEPS 96
#define FUZZ_DISK_BYTES (1u << 20)
#define FUZZ_BAR 0xe0000000u
#define FUZZ_BAR_STEP 0x100000u
#define FUZZ_DEVICES 3
#define FUZZ_DATA 0x200000u

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

typedef struct {
  const uint8_t *data;
  size_t size;
} Input;

static guint64
take (Input *input, guint bytes)
{
  guint64 value = 0;

  for (guint i = 0; i < bytes && input->size > 0; i++, input->size--)
    value |= (guint64) *input->data++ << 8 * i;
  return value;
}

/* An address: mostly RAM of the test, sometimes a ring, sometimes anything. */
static guint64
take_address (Input *input)
{
  guint64 raw = take (input, 3);

  if ((raw & 0xf00000) == 0xf00000)
    return take (input, 8);
  return (raw & 0x800000) != 0 ? 0x1000000 + (raw & 0x7ffff) : FUZZ_DATA + (raw & 0x7ffff);
}

/* What drivers do, so that the fuzzer need not find it. */
static void
step_start (VirtioHost *host, Input *input)
{
  guint how = (guint) take (input, 1);
  guint64 features = (how & 1) != 0 ? take (input, 2) : G_MAXUINT64;

  virtio_host_set (host, 0x14, 1, 0);
  if (virtio_host_get (host, 0x14, 1) != 0)
    return; /* something is in flight */
  virtio_host_set (host, 0x14, 1, 3);
  features = virtio_host_read_features (host) & (features | ((guint64) (how & 6) << 27) | G_GUINT64_CONSTANT (1) << 32);
  virtio_host_set (host, 0x08, 4, 0);
  virtio_host_set (host, 0x0c, 4, (guint32) features);
  virtio_host_set (host, 0x08, 4, 1);
  virtio_host_set (host, 0x0c, 4, features >> 32);
  virtio_host_set (host, 0x14, 1, 0x0b);
  host->n_queues = MIN ((guint) virtio_host_get (host, 0x12, 2), 8);
  for (guint i = 0; i < host->n_queues; i++)
    virtio_host_add_queue (host, i, 8);
  virtio_host_set (host, 0x14, 1, 0x0f);
}

static void
step_request (VirtioHost *host, Input *input)
{
  guint how = (guint) take (input, 1), queue = how & 7, n = how >> 3 & 7, out = how >> 6;
  VirtioHostPiece pieces[8];

  if (queue >= host->n_queues || host->queues[queue].size == 0 || n == 0)
    return;
  for (guint i = 0; i < n; i++)
    pieces[i] = (VirtioHostPiece) { take_address (input), (guint32) take (input, 2) };
  out = MIN (out, n);
  virtio_host_add (host, queue, pieces, out, n - out);
  virtio_host_kick (host, queue);
}

static void
step_desc (VirtioHost *host, Input *input)
{
  guint queue = (guint) take (input, 1) & 7, index = (guint) take (input, 1) & 7;
  guint64 addr = take_address (input);
  guint32 len = (guint32) take (input, 2);
  guint16 flags = (guint16) take (input, 1);

  if (queue < host->n_queues && host->queues[queue].size != 0)
    virtio_host_set_desc (host, queue, index, addr, (len & 0x8000) != 0 ? len << 16 : len, flags & 0xf, flags >> 4);
}

static void
step (TestBoard *board, VirtioHost *hosts, Input *input)
{
  guint op = (guint) take (input, 1);
  VirtioHost *host = &hosts[(op >> 4) % FUZZ_DEVICES];

  switch (op & 15)
    {
    case 0:
    case 1:
      step_start (host, input);
      break;
    case 2:
    case 3:
    case 4:
      step_request (host, input);
      break;
    case 5:
      step_desc (host, input);
      break;
    case 6:
      {
        guint queue = (guint) take (input, 1) & 7;

        if (queue < host->n_queues && host->queues[queue].size != 0)
          {
            virtio_host_offer (host, queue, (guint16) take (input, 1));
            virtio_host_kick (host, queue);
          }
        break;
      }
    case 7:
    case 8:
      {
        guint reg = (guint) take (input, 1);

        test_write (board, host->bar + (reg & 0x3f), 1u << (reg >> 6), take (input, 8));
        break;
      }
    case 9:
      {
        guint reg = (guint) take (input, 2);

        test_write (board, host->bar + (reg & 0x3fff), 1u << (reg >> 14), take (input, 4));
        break;
      }
    case 10:
      {
        guint reg = (guint) take (input, 2);

        test_read (board, host->bar + (reg & 0x3fff), 1u << (reg >> 14));
        break;
      }
    case 11:
      {
        guint64 at = take_address (input), value = take (input, 8);

        if (at <= 0x3fffff0)
          test_ram_write (board, at, &value, sizeof value);
        break;
      }
    case 12:
      test_pci_write (board, host->devfn, (guint) take (input, 1) & 0xfc, 4, (guint32) take (input, 4));
      test_pci_write (board, host->devfn, 0x20, 4, (guint32) host->bar);
      test_pci_write (board, host->devfn, 0x24, 4, 0);
      test_pci_write (board, host->devfn, 0x04, 2, 0x0006);
      break;
    case 13:
      test_board_settle (board);
      break;
    case 14:
      {
        VmmDevice *dev = &vmm_pci_bus_get_device (board->machine->pci_bus, host->devfn)->base;

        dev->class->quiesce (dev);
        dev->class->resume (dev);
        break;
      }
    default:
      if ((take (input, 1) & 7) == 0)
        {
          test_board_reset (board, VMM_RESET_WARM);
          for (guint i = 0; i < FUZZ_DEVICES; i++)
            virtio_host_init (&hosts[i], board, (2 + i) << 3, FUZZ_BAR + i * FUZZ_BAR_STEP);
        }
      else
        vmm_machine_set_balloon (board->machine, take (input, 4), NULL);
      break;
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  Input input = { data, size };
  TestBoard *board = test_board_new ();
  VirtioHost *hosts = g_new0 (VirtioHost, FUZZ_DEVICES);
  int fd = memfd_create ("fuzz", MFD_CLOEXEC);
  char disk[32];

  g_assert (fd >= 0 && ftruncate (fd, FUZZ_DISK_BYTES) == 0);
  g_snprintf (disk, sizeof disk, "/proc/self/fd/%d", fd);
  test_board_add (board, "virtio-blk", "disk0", "image", disk, "queues", "2", NULL);
  test_board_add (board, "virtio-console", "console0", NULL);
  test_board_add (board, "virtio-balloon", "balloon0", NULL);
  for (guint i = 0; i < FUZZ_DEVICES; i++)
    virtio_host_init (&hosts[i], board, (2 + i) << 3, FUZZ_BAR + i * FUZZ_BAR_STEP);
  for (guint i = 0; i < FUZZ_STEPS && input.size > 0; i++)
    step (board, hosts, &input);
  test_board_free (board);
  g_free (hosts);
  close (fd);
  return 0;
}
