/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The USB controller with a keyboard, a tablet, a hub and a stick under a guest that does anything: registers, rings and contexts in RAM that is
 * partly none, TRBs of any kind, resets. The input is a list of steps. Nothing may crash, hang or be left behind. */
#include "core/machine.h"
#include "xhci-host.h"

#include <stdint.h>
#include <string.h>
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

/* An address: mostly RAM of the test or its rings, sometimes anything. */
static guint64
take_address (Input *input)
{
  guint64 raw = take (input, 3);

  switch (raw >> 22)
    {
    case 0:
      return take (input, 8);
    case 1:
      return 0x100000 + (raw & 0x3fffff);
    default:
      return XHCI_HOST_DATA + (raw & 0x3fffff);
    }
}

static void
step_trb (XhciHost *host, Input *input)
{
  guint where = (guint) take (input, 1), slot = where >> 5 & 3, dci = where & 31;
  guint64 parameter = (where & 0x80) != 0 ? take (input, 8) : take_address (input);
  guint32 status = (guint32) take (input, 3), control = (guint32) take (input, 4);

  if (dci == 0)
    dci = 1;
  xhci_host_push (host, slot + 1, dci, parameter, status, control & ~1u);
  if ((status & 1) != 0)
    xhci_host_doorbell (host, slot + 1, dci);
}

static void
step_control (XhciHost *host, Input *input)
{
  guint slot = ((guint) take (input, 1) & 3) + 1;
  guint64 setup = take (input, 8);
  guint len = (guint) (setup >> 48);

  xhci_host_push (host, slot, 1, setup, 8, 2u << 10 | 0x40);
  if (len > 0)
    xhci_host_push (host, slot, 1, take_address (input), len, 3u << 10 | 4);
  xhci_host_push (host, slot, 1, 0, 0, 4u << 10 | 0x20);
  xhci_host_doorbell (host, slot, 1);
}

static void
step_command (XhciHost *host, Input *input)
{
  guint8 trb[16] = { 0 };
  guint64 parameter = take_address (input);
  guint at = host->command_index;

  memcpy (trb, &parameter, 8);
  trb[12] = (guint8) (host->command_cycle | ((guint) take (input, 1) & 2));
  trb[13] = (guint8) ((take (input, 1) % 24 << 2) | (take (input, 1) & 2));
  trb[14] = (guint8) (take (input, 1) & 31);
  trb[15] = (guint8) (take (input, 1) & 7);
  test_ram_write (host->board, 0x101000 + at * 16, trb, 16);
  host->command_index = (at + 1) % 250;
  xhci_host_write (host, 0x2000, 0);
}

/* A stick's command, with any CDB. */
static void
step_scsi (XhciHost *host, Input *input)
{
  guint slot = ((guint) take (input, 1) & 3) + 1;
  guint8 cbw[31] = { 'U', 'S', 'B', 'C' };
  guint32 len = (guint32) take (input, 2);

  memcpy (cbw + 8, &len, 4);
  cbw[12] = (guint8) take (input, 1);
  cbw[14] = 16;
  for (guint i = 0; i < 16; i++)
    cbw[15 + i] = (guint8) take (input, 1);
  test_ram_write (host->board, XHCI_HOST_DATA, cbw, sizeof cbw);
  xhci_host_push (host, slot, 4, XHCI_HOST_DATA, 31, 1u << 10 | 0x20);
  xhci_host_doorbell (host, slot, 4);
  xhci_host_push (host, slot, (cbw[12] & 0x80) != 0 ? 3 : 4, take_address (input), len, 1u << 10 | 0x24);
  xhci_host_doorbell (host, slot, (cbw[12] & 0x80) != 0 ? 3 : 4);
  xhci_host_push (host, slot, 3, XHCI_HOST_DATA + 0x1000, 13, 1u << 10 | 0x24);
  xhci_host_doorbell (host, slot, 3);
}

static void
step_life (TestBoard *board, XhciHost *host, Input *input)
{
  switch (take (input, 1) & 3)
    {
    case 0:
      test_board_reset (board, VMM_RESET_WARM);
      test_pci_write (board, host->devfn, 0x10, 4, XHCI_HOST_BAR);
      test_pci_write (board, host->devfn, 0x04, 2, 0x0006);
      break;
    case 1:
      host->xhci->class->quiesce (host->xhci);
      host->xhci->class->resume (host->xhci);
      break;
    case 2:
      test_pci_write (board, host->devfn, 0x04, 2, (guint32) take (input, 2) | 2);
      break;
    default:
      xhci_host_write (host, 0x40, 2);
      xhci_host_write (host, 0x40, 5);
      break;
    }
}

static void
step (TestBoard *board, XhciHost *host, Input *input)
{
  switch (take (input, 1) % 12)
    {
    case 0:
    case 1:
      step_trb (host, input);
      break;
    case 2:
      step_control (host, input);
      break;
    case 3:
    case 4:
      step_command (host, input);
      break;
    case 5:
      step_scsi (host, input);
      break;
    case 6:
      {
        guint reg = (guint) take (input, 2) & 0x3fff;

        test_write (board, XHCI_HOST_BAR + reg, 1u << (reg & 3), take (input, 4));
        break;
      }
    case 7:
      {
        guint reg = (guint) take (input, 2) & 0x3fff;

        test_read (board, XHCI_HOST_BAR + reg, 1u << (reg & 3));
        break;
      }
    case 8:
      {
        guint64 value = take (input, 4), at = 0x100000 + (take (input, 2) << 2);

        test_ram_write (board, at, &value, 4);
        break;
      }
    case 9:
      vmm_machine_key (board->machine, (guint) take (input, 1), TRUE);
      vmm_machine_pointer_position (board->machine, (int) take (input, 2), 5);
      break;
    case 10:
      step_life (board, host, input);
      break;
    default:
      test_board_settle (board);
      break;
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  Input input = { data, size };
  TestBoard *board = test_board_new ();
  XhciHost *host = xhci_host_new (board);
  int disk_fd = memfd_create ("fuzz", MFD_CLOEXEC);
  char disk[32];
  guint slot;

  g_assert (disk_fd >= 0 && ftruncate (disk_fd, FUZZ_DISK_BYTES) == 0);
  g_snprintf (disk, sizeof disk, "/proc/self/fd/%d", disk_fd);
  test_board_add (board, "usb-storage", "stick0", "image", disk, "port", "1", NULL);
  test_board_add (board, "usb-keyboard", "kbd0", "port", "2", NULL);
  test_board_add (board, "usb-hub", "hub0", "port", "3", NULL);
  test_board_add (board, "usb-tablet", "tablet0", "port", "3.1", NULL);
  xhci_host_start (host);
  slot = xhci_host_address (host, 1, 0);
  xhci_host_add_endpoint (host, slot, 3, 6, 1024);
  xhci_host_add_endpoint (host, slot, 4, 2, 1024);
  xhci_host_control (host, slot, 0x00, 9, 1, 0, 0, NULL);
  slot = xhci_host_address (host, 6, 0);
  xhci_host_add_endpoint (host, slot, 3, 7, 8);
  xhci_host_control (host, slot, 0x00, 9, 1, 0, 0, NULL);
  slot = xhci_host_address (host, 7, 0);
  xhci_host_add_endpoint (host, slot, 3, 7, 1);
  xhci_host_control (host, slot, 0x00, 9, 1, 0, 0, NULL);
  for (guint i = 0; i < FUZZ_STEPS && input.size > 0; i++)
    step (board, host, &input);
  test_board_free (board);
  xhci_host_free (host);
  close (disk_fd);
  return 0;
}
