/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The 82574L under a guest that does anything: registers, descriptors in RAM that is partly none, frames that come, a network that is full,
 * resets. The input is a list of steps. Nothing may crash, hang or be left behind. */
#include "core/machine.h"
#include "net-probe.h"

#include <stdint.h>
#include <string.h>

#define FUZZ_STEPS 64
#define DEVFN (2 << 3)
#define BAR 0xe0000000u
#define PIO 0xc000u
#define MSIX_BAR 0xe0080000u
#define RX_RING 0x100000u
#define TX_RING 0x110000u

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

static void
start_rings (TestBoard *board)
{
  static const guint32 writes[][2] = {
    { 0x2800, RX_RING }, { 0x2808, 128 * 16 }, { 0x2818, 127 },        { 0x0100, 0x04008002 },
    { 0x3800, TX_RING }, { 0x3808, 128 * 16 }, { 0x0400, 0x0103f0fa },
  };

  for (guint i = 0; i < G_N_ELEMENTS (writes); i++)
    test_write (board, BAR + writes[i][0], 4, writes[i][1]);
  for (guint i = 0; i < 128; i++)
    {
      guint64 address = GUINT64_TO_LE (0x200000 + 0x1000 * (guint64) i);

      test_ram_write (board, RX_RING + 16 * i, &address, 8);
    }
}

static void
step_descriptor (TestBoard *board, Input *input, guint64 ring)
{
  guint index = (guint) take (input, 1);
  guint64 raw = take (input, 4), words[2];

  words[0] = GUINT64_TO_LE ((raw & 0xf0000000) == 0xf0000000 ? take (input, 8) : 0x200000 + (raw & 0x3fffff));
  words[1] = GUINT64_TO_LE (take (input, 8));
  test_ram_write (board, ring + 16 * index, words, sizeof words);
}

static void
step_frame (NetWire *wire, Input *input)
{
  guint how = (guint) take (input, 1);
  gsize len = 14 + (take (input, 2) & 0x3fff);
  g_autofree guint8 *frame = g_malloc0 (len);
  VmmNetHeader header;

  for (guint i = 0; i < sizeof header; i++)
    ((guint8 *) &header)[i] = (guint8) take (input, 1);
  memset (frame, 0xff, 6);
  for (guint i = 12; i < MIN (len, 80); i++)
    frame[i] = (guint8) take (input, 1);
  net_wire_deliver (wire, (how & 1) != 0 ? &header : NULL, frame, len);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  Input input = { data, size };
  g_autoptr (TestBoard) board = test_board_new ();
  VmmDevice *dev = test_board_add (board, "e1000e", "net0", "network", "none", NULL);
  NetWire *wire = net_wire_new (board, "net0", (take (&input, 1) & 1) != 0);

  test_pci_write (board, DEVFN, 0x10, 4, BAR);
  test_pci_write (board, DEVFN, 0x18, 4, PIO);
  test_pci_write (board, DEVFN, 0x1c, 4, MSIX_BAR);
  test_pci_write (board, DEVFN, 0x04, 2, 0x0007);
  start_rings (board);
  for (guint step = 0; step < FUZZ_STEPS && input.size > 0; step++)
    switch (take (&input, 1) % 12)
      {
      case 0:
      case 1:
        {
          guint reg = (guint) take (&input, 2) & 0x7ffc;

          test_write (board, BAR + reg, 4, take (&input, 4));
          break;
        }
      case 2:
        test_read (board, BAR + ((guint) take (&input, 2) & 0x7fff), 4);
        break;
      case 3:
        step_descriptor (board, &input, TX_RING);
        break;
      case 4:
        step_descriptor (board, &input, RX_RING);
        break;
      case 5:
        test_write (board, BAR + 0x3818, 4, take (&input, 1));
        test_board_settle (board);
        break;
      case 6:
        step_frame (wire, &input);
        break;
      case 7:
        net_wire_set_full (wire, (take (&input, 1) & 1) != 0);
        break;
      case 8:
        test_write (board, MSIX_BAR + (take (&input, 2) & 0x3ffc), 4, take (&input, 4));
        test_pci_write (board, DEVFN, 0xa0 + ((guint) take (&input, 1) & 0x5c), 4, (guint32) take (&input, 4));
        break;
      case 9:
        test_outl (board, PIO, (guint32) take (&input, 4));
        test_outl (board, PIO + 4, (guint32) take (&input, 4));
        break;
      case 10:
        test_advance_ns (board, (gint64) take (&input, 3));
        break;
      default:
        {
          guint how = (guint) take (&input, 1);

          if ((how & 1) != 0)
            vmm_net_set_link (vmm_net_find (board->machine, "net0"), (how & 2) != 0);
          else if ((how & 2) != 0)
            {
              dev->class->quiesce (dev);
              dev->class->resume (dev);
            }
          else
            test_board_reset (board, (how & 4) != 0 ? VMM_RESET_COLD : VMM_RESET_WARM);
          break;
        }
      }
  test_board_settle (board);
  return 0;
}
