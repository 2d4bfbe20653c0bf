/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The NVMe controller under a guest that does anything: registers, doorbells, queues and lists in RAM that is partly none, resets. The
 * input is a list of steps. Nothing may crash, hang or be left behind. */
#include "nvme-host.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define FUZZ_STEPS 64
#define FUZZ_DISK_BYTES (1u << 20)

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

/* An address: mostly RAM of the test, sometimes anything. */
static guint64
take_address (Input *input)
{
  guint64 raw = take (input, 3);

  return (raw & 0xf00000) == 0xf00000 ? take (input, 8) : NVME_HOST_QUEUES + (raw & 0xfffff) * 4;
}

static void
step_command (NvmeHost *host, Input *input)
{
  guint how = (guint) take (input, 1);
  NvmeHostCommand c = { .opcode = (guint8) take (input, 1), .nsid = (how & 0x40) != 0 ? (guint32) take (input, 4) : 1 };
  guint queue = how & 3;

  c.flags = (how & 0x80) != 0 ? (guint8) take (input, 1) : 0;
  c.id = (guint16) take (input, 1);
  c.prp1 = take_address (input);
  c.prp2 = take_address (input);
  c.dw10 = (guint32) take (input, 4);
  c.dw11 = (guint32) take (input, 4);
  c.dw12 = (guint32) take (input, 2);
  if (host->queues[queue].size == 0)
    host->queues[queue].size = 8;
  nvme_host_put (host, queue, c);
  if ((how & 4) != 0)
    nvme_host_ring_sq (host, queue);
}

/* As a driver that starts; the input may do it otherwise. */
static void
start (NvmeHost *host)
{
  for (guint i = 0; i < 4; i++)
    host->queues[i] = (NvmeHostQueue) { .size = 8, .phase = 1 };
  nvme_host_write (host, NVME_HOST_AQA, 0x00070007);
  nvme_host_write (host, NVME_HOST_ASQ, (guint32) nvme_host_sq (0));
  nvme_host_write (host, NVME_HOST_ACQ, (guint32) nvme_host_cq (0));
  nvme_host_write (host, NVME_HOST_CC, 0x00460001);
  for (guint i = 1; i < 3; i++)
    {
      nvme_host_submit (host, 0, (NvmeHostCommand) { .opcode = 5, .prp1 = nvme_host_cq (i), .dw10 = 7 << 16 | i, .dw11 = 3 });
      nvme_host_submit (host, 0,
                        (NvmeHostCommand) { .opcode = 1, .prp1 = nvme_host_sq (i), .dw10 = 7 << 16 | i, .dw11 = i << 16 | 1 });
    }
  test_board_settle (host->board);
}

static void
step (TestBoard *board, NvmeHost *host, Input *input)
{
  NvmeHostAnswer answer;
  guint64 value;

  switch (take (input, 1) % 12)
    {
    case 0:
    case 1:
    case 2:
    case 3:
      step_command (host, input);
      break;
    case 4:
      {
        guint reg = (guint) take (input, 2) & 0x3fff;

        test_write (board, NVME_HOST_BAR + reg, 1u << (reg & 3), take (input, 4));
        break;
      }
    case 5:
      nvme_host_write (host, 0x1000 + ((guint) take (input, 1) & 0x1c), (guint32) take (input, 1) & 0xf);
      break;
    case 6:
      test_read (board, NVME_HOST_BAR + ((guint) take (input, 2) & 0x3fff), 4);
      break;
    case 7:
      value = take (input, 8);
      test_ram_write (board, NVME_HOST_QUEUES + (take (input, 3) & 0x7fffff) * 4, &value, 8);
      break;
    case 8:
      test_board_settle (board);
      break;
    case 9:
      nvme_host_poll (host, (guint) take (input, 1) & 3, TRUE, &answer);
      break;
    case 10:
      switch (take (input, 1) & 3)
        {
        case 0:
          test_board_reset (board, VMM_RESET_WARM);
          nvme_host_map (host);
          break;
        case 1:
          host->nvme->class->quiesce (host->nvme);
          host->nvme->class->resume (host->nvme);
          break;
        case 2:
          test_pci_write (board, NVME_HOST_DEVFN, 0x04, 2, (guint32) take (input, 2) | 2);
          break;
        default:
          test_pci_write (board, NVME_HOST_DEVFN, (guint) take (input, 1) & 0xfc, 4, (guint32) take (input, 4));
          nvme_host_map (host);
          break;
        }
      break;
    default:
      start (host);
      break;
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  Input input = { data, size };
  TestBoard *board = test_board_new ();
  int fd = memfd_create ("fuzz", MFD_CLOEXEC);
  char disk[32];
  NvmeHost *host;

  g_assert (fd >= 0 && ftruncate (fd, FUZZ_DISK_BYTES) == 0);
  g_snprintf (disk, sizeof disk, "/proc/self/fd/%d", fd);
  host = nvme_host_new (board, disk, "serial", "1");
  start (host);
  for (guint i = 0; i < FUZZ_STEPS && input.size > 0; i++)
    step (board, host, &input);
  test_board_free (board);
  nvme_host_free (host);
  close (fd);
  return 0;
}
