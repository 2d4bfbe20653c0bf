/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The AHCI controller, a disk and a CD drive under a guest that does anything: registers, command lists, frames and tables in RAM that is
 * partly none, resets, media that come and go. The input is a list of steps. Nothing may crash, hang or be left behind. */
#include "ahci-host.h"
#include "pci/pci.h"
#include "storage/sata.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FUZZ_STEPS 64
#define FUZZ_DISK_BYTES (1u << 20)
#define FUZZ_DISC_BYTES (64u << 10)

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
  guint64 raw = take (input, 4);

  return (raw & 0xf0000000) == 0xf0000000 ? take (input, 8) : AHCI_HOST_DATA + (raw & 0x3fffff);
}

static int
make_image (gsize size, char path[32])
{
  int fd = memfd_create ("fuzz", MFD_CLOEXEC);

  g_assert (fd >= 0 && ftruncate (fd, (off_t) size) == 0);
  g_snprintf (path, 32, "/proc/self/fd/%d", fd);
  return fd;
}

static void
step_command (AhciHost *host, Input *input, gboolean packet)
{
  guint where = (guint) take (input, 1), port = where >> 5 & 1, slot = where & 31;
  guint8 cdb[16] = { 0 };
  AhciHostCommand c = { .device = 0x40 };
  gboolean issue;

  if (packet)
    {
      for (guint i = 0; i < 12; i++)
        cdb[i] = (guint8) take (input, 1);
      c.command = 0xa0;
      c.feature = (guint16) take (input, 1);
      c.cdb = cdb;
    }
  else
    {
      c.command = (guint8) take (input, 1);
      c.device = (guint8) take (input, 1);
      c.feature = (guint16) take (input, 2);
      c.count = (guint16) take (input, 2);
      c.lba = take (input, 6);
    }
  c.n_pieces = (guint) take (input, 1) & 7;
  issue = (c.n_pieces & 1) != 0;
  for (guint i = 0; i < c.n_pieces; i++)
    {
      c.pieces[i].addr = take_address (input);
      c.pieces[i].len = (guint32) take (input, 3) + 1;
    }
  if (issue)
    ahci_host_issue (host, port, slot, &c);
  else
    ahci_host_prepare (host, port, slot, &c);
}

static void
step_raw (AhciHost *host, Input *input)
{
  guint where = (guint) take (input, 1), at = (guint) take (input, 1);
  guint64 table = ahci_host_table (where >> 5 & 1, where & 31), header = ahci_host_header (where >> 5 & 1, where & 31);
  guint64 value = take (input, 4);

  if ((at & 0x80) != 0)
    test_ram_write (host->board, header + (at & 0x1f), &value, 4);
  else
    test_ram_write (host->board, table + (at & 0x7f) * 2, &value, 4);
}

static void
step_medium (VmmDevice *cd, Input *input, const char *path)
{
  guint how = (guint) take (input, 1);
  g_autoptr (GError) error = NULL;

  cd->class->change_medium (cd, (how & 1) != 0 ? path : NULL, (how & 2) != 0, &error);
}

/* As a driver that starts; the input may do it otherwise. */
static void
start_port (AhciHost *host, guint port)
{
  ahci_host_set_px (host, port, AHCI_HOST_PX_CLB, (guint32) ahci_host_header (port, 0));
  ahci_host_set_px (host, port, AHCI_HOST_PX_FB, (guint32) ahci_host_frames (port));
  ahci_host_set_px (host, port, AHCI_HOST_PX_IE, 0xffffffff);
  ahci_host_set_px (host, port, AHCI_HOST_PX_CMD, 0x17);
}

static void
step (TestBoard *board, AhciHost *host, VmmDevice *cd, Input *input, const char *disc)
{
  switch (take (input, 1) % 12)
    {
    case 0:
    case 1:
      step_command (host, input, FALSE);
      break;
    case 2:
    case 3:
      step_command (host, input, TRUE);
      break;
    case 4:
      {
        guint reg = (guint) take (input, 2) & 0x7ff;

        test_write (board, AHCI_HOST_BAR + reg, 1u << (reg & 3), take (input, 4));
        break;
      }
    case 5:
      {
        guint reg = (guint) take (input, 2) & 0xfff;

        test_read (board, AHCI_HOST_BAR + reg, 1u << (reg & 3));
        break;
      }
    case 6:
      {
        guint port = (guint) take (input, 1) & 7;

        ahci_host_set_px (host, port, (guint) take (input, 1) & 0x7c, (guint32) take (input, 4));
        break;
      }
    case 7:
      step_raw (host, input);
      break;
    case 8:
      test_board_settle (board);
      break;
    case 9:
      step_medium (cd, input, disc);
      break;
    case 10:
      switch (take (input, 1) & 3)
        {
        case 0:
          test_board_reset (board, VMM_RESET_WARM);
          test_pci_write (board, AHCI_HOST_DEVFN, 0x24, 4, AHCI_HOST_BAR);
          test_pci_write (board, AHCI_HOST_DEVFN, 0x04, 2, 0x0006);
          break;
        case 1:
          host->ahci->class->quiesce (host->ahci);
          host->ahci->class->resume (host->ahci);
          break;
        case 2:
          test_pci_write (board, AHCI_HOST_DEVFN, 0x04, 2, (guint32) take (input, 2) | 2);
          break;
        default:
          test_pci_write (board, AHCI_HOST_DEVFN, (guint) take (input, 1) & 0xfc, 4, (guint32) take (input, 4));
          test_pci_write (board, AHCI_HOST_DEVFN, 0x24, 4, AHCI_HOST_BAR);
          break;
        }
      break;
    default:
      start_port (host, (guint) take (input, 1) & 1);
      break;
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  Input input = { data, size };
  TestBoard *board = test_board_new ();
  AhciHost *host = ahci_host_new (board);
  char disk[32], disc[32];
  int disk_fd = make_image (FUZZ_DISK_BYTES, disk), disc_fd = make_image (FUZZ_DISC_BYTES, disc);
  VmmDevice *cd;

  test_board_add (board, "sata-disk", "disk0", "image", disk, NULL);
  cd = test_board_add (board, "sata-cd", "cd0", "image", disc, NULL);
  start_port (host, 0);
  start_port (host, 1);
  for (guint i = 0; i < FUZZ_STEPS && input.size > 0; i++)
    step (board, host, cd, &input, disc);
  test_board_free (board);
  ahci_host_free (host);
  close (disk_fd);
  close (disc_fd);
  return 0;
}
