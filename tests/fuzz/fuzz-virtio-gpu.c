/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The virtio graphics adapter under a driver that does anything, with two viewers that pull. The input is a list of steps of a byte and what
 * it takes:
 *   00 type8 n8 words32: a command of the control queue; small types are the 2D set    01 type8 n8 words32: of the cursor queue
 *   02 n8 bytes: anything as a command   03 head8 width16 height16: the viewer's size   04 head8: pull   05: the driver resets
 *   06 offset8 value32: write the configuration   07: the machine resets   08 queue8 descriptors: chains of any kind
 *   09 addr32 value32: guest memory
 * Words and addresses: the byte before a value says whether it is a small number, a place in RAM, or 32 bits as they come. */
#include "virtio-host.h"

#include "core/machine.h"

#include <stdint.h>
#include <string.h>

#define FUZZ_STEPS 48
#define FUZZ_WORDS 24
#define FUZZ_BAR 0xe0000000u
#define FUZZ_DATA 0x200000u
#define FUZZ_ANSWER 0x210000u
#define FUZZ_EDID (G_GUINT64_CONSTANT (1) << 1)
#define FUZZ_RING 16

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

typedef struct {
  const uint8_t *data;
  size_t size;
  TestBoard *board;
  VirtioHost host;
  VmmViewer *viewers[2];
} Fuzz;

static guint64
take (Fuzz *fuzz, guint bytes)
{
  guint64 value = 0;

  for (guint i = 0; i < bytes && fuzz->size > 0; i++, fuzz->size--)
    value |= (guint64) *fuzz->data++ << 8 * i;
  return value;
}

static guint32
take_word (Fuzz *fuzz)
{
  guint how = (guint) take (fuzz, 1);

  if (how < 0xa0)
    return how & 0x3f;
  if (how < 0xd0)
    return (guint32) (FUZZ_DATA + (take (fuzz, 2) << 6));
  if (how < 0xf0)
    return (guint32) take (fuzz, 2) & 0x3ff;
  return (guint32) take (fuzz, 4);
}

static void
settle (Fuzz *fuzz)
{
  test_board_settle (fuzz->board);
  test_board_settle (fuzz->board); /* kicks that came while the first was under way */
}

static void
step_command (Fuzz *fuzz, guint queue)
{
  VirtioHostPiece pieces[] = { { FUZZ_DATA, 0 }, { FUZZ_ANSWER, 24 + 16 * 24 } };
  guint32 words[6 + FUZZ_WORDS] = { 0 };
  guint type = (guint) take (fuzz, 1), n = (guint) take (fuzz, 1) % (FUZZ_WORDS + 1);

  words[0] = queue != 0 ? 0x300 + type % 3 : 0x100 + type % 12;
  words[1] = type >> 7;
  for (guint i = 0; i < n; i++)
    words[6 + i] = take_word (fuzz);
  pieces[0].len = 24 + n * 4;
  test_ram_write (fuzz->board, FUZZ_DATA, words, pieces[0].len);
  virtio_host_add (&fuzz->host, queue, pieces, 1, queue == 0);
  virtio_host_kick (&fuzz->host, queue);
  settle (fuzz);
}

static void
step_raw (Fuzz *fuzz)
{
  VirtioHostPiece pieces[] = { { FUZZ_DATA, (guint32) take (fuzz, 1) + 1 }, { FUZZ_ANSWER, 8 } };

  for (guint i = 0; i < pieces[0].len && fuzz->size > 0; i++)
    test_ram_write (fuzz->board, FUZZ_DATA + i, &(guint8) { (guint8) take (fuzz, 1) }, 1);
  virtio_host_add (&fuzz->host, 0, pieces, 1, 1);
  virtio_host_kick (&fuzz->host, 0);
  settle (fuzz);
}

static void
step_pull (Fuzz *fuzz)
{
  VmmViewer *viewer = fuzz->viewers[take (fuzz, 1) & 1];
  g_auto (VmmFrame) frame = { 0 };
  g_autoptr (VmmCursor) cursor = NULL;
  int x, y;
  guint32 sum = 0;

  if (vmm_viewer_pull_cursor (viewer, &cursor, &x, &y) && cursor != NULL)
    sum += cursor->pixels[cursor->width * cursor->height - 1];
  if (vmm_viewer_pull (viewer, &frame))
    for (guint i = 0; i < frame.n_rects; i++)
      {
        const VmmRect *rect = &frame.rects[i];

        g_assert (rect->x >= 0 && rect->y >= 0 && rect->width > 0 && rect->height > 0);
        g_assert (rect->x + rect->width <= frame.surface->width && rect->y + rect->height <= frame.surface->height);
        /* The far corner can be read. */
        sum += frame.surface
                   ->pixels[(gsize) (rect->y + rect->height - 1) * frame.surface->stride + (gsize) (rect->x + rect->width) * 4 - 1];
      }
  (void) sum;
}

static void
step_chains (Fuzz *fuzz)
{
  guint queue = (guint) take (fuzz, 1) & 1, n = (guint) take (fuzz, 1) & 7;

  for (guint i = 0; i < n; i++)
    virtio_host_set_desc (&fuzz->host, queue, i, take_word (fuzz), take_word (fuzz), (guint16) take (fuzz, 1),
                          (guint16) take (fuzz, 1) & 31);
  virtio_host_offer (&fuzz->host, queue, (guint16) take (fuzz, 1) & 31);
  virtio_host_kick (&fuzz->host, queue);
  settle (fuzz);
}

static void
restart (Fuzz *fuzz)
{
  virtio_host_start (&fuzz->host, FUZZ_EDID, FUZZ_RING, TRUE);
}

static void
step (Fuzz *fuzz)
{
  guint64 value;
  guint head;

  switch (take (fuzz, 1) % 10)
    {
    case 1:
      step_command (fuzz, 1);
      break;
    case 2:
      step_raw (fuzz);
      break;
    case 3:
      head = (guint) take (fuzz, 1) & 1;
      value = take (fuzz, 4);
      vmm_console_request_size (vmm_machine_get_console (fuzz->board->machine, head), (gint16) value, (gint16) (value >> 16));
      break;
    case 4:
      step_pull (fuzz);
      break;
    case 5:
      restart (fuzz);
      break;
    case 6:
      value = take (fuzz, 1);
      test_write (fuzz->board, fuzz->host.device + value, 4, take (fuzz, 4));
      break;
    case 7:
      test_board_reset (fuzz->board, VMM_RESET_WARM);
      virtio_host_init (&fuzz->host, fuzz->board, 2 << 3, FUZZ_BAR);
      restart (fuzz);
      break;
    case 8:
      step_chains (fuzz);
      break;
    case 9:
      value = FUZZ_DATA + take (fuzz, 2) * 4;
      test_ram_write (fuzz->board, value, &(guint32) { (guint32) take (fuzz, 4) }, 4);
      break;
    default:
      step_command (fuzz, 0);
      break;
    }
  if (virtio_host_get (&fuzz->host, 0x14, 1) & 0x40)
    restart (fuzz); /* it lied, and was found out */
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  Fuzz fuzz = { .data = data, .size = size, .board = test_board_new () };

  test_board_add (fuzz.board, "virtio-gpu", "display0", "heads", "2", "memory", "64", NULL);
  virtio_host_init (&fuzz.host, fuzz.board, 2 << 3, FUZZ_BAR);
  restart (&fuzz);
  for (guint i = 0; i < 2; i++)
    fuzz.viewers[i] = vmm_console_add_viewer (vmm_machine_get_console (fuzz.board->machine, i));
  for (guint i = 0; i < FUZZ_STEPS && fuzz.size > 0; i++)
    step (&fuzz);
  step_pull (&fuzz);
  for (guint i = 0; i < 2; i++)
    vmm_viewer_free (fuzz.viewers[i]);
  test_board_free (fuzz.board);
  return 0;
}
