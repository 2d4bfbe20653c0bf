/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The commands of a flash chip: records of four bytes, an operation and its kind, an offset in the chip, a value. The chip is a small one
 * without a file, for variables or for code. */
#include "test-board.h"

#include <glib/gstdio.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define SIZE 0x4000u
#define BASE G_GUINT64_CONSTANT (0xffc00000)
#define MAX_RECORDS 512
#define MAX_RESETS 3 /* each waits for the disk */

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static char *
make_content (void)
{
  g_autofree guint8 *content = g_malloc (SIZE);
  char *path = NULL;
  int fd = g_file_open_tmp ("lodge-fuzz-XXXXXX", &path, NULL);

  g_assert_cmpint (fd, >=, 0);
  memset (content, 0xff, SIZE);
  g_assert_true (write (fd, content, SIZE) == (gssize) SIZE);
  close (fd);
  return path;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (TestBoard) board = NULL;
  g_autofree char *path = NULL;
  guint n_resets = 0;

  if (size < 1)
    return 0;
  path = make_content ();
  board = test_board_new ();
  /* A read-only chip has no file to write; one that is written has its own, which nobody waits for. */
  test_board_add (board, "pflash", "flash", "file", path, "readonly", (data[0] & 1) != 0 ? "true" : "false", "end", "0xffc04000",
                  NULL);
  for (size_t i = 1, n = 0; i + 4 <= size && n < MAX_RECORDS; i += 4, n++)
    {
      guint64 offset = data[i + 1] | (guint64) (data[i + 2] & 0x3f) << 8;
      guint width = 1u << (data[i] >> 2 & 3);

      switch (data[i] & 3)
        {
        case 0:
          test_read (board, BASE + offset, width);
          break;
        case 1:
        case 2:
          test_write (board, BASE + offset, width, data[i + 3] * G_GUINT64_CONSTANT (0x0101010101010101));
          break;
        default:
          if (data[i + 3] == 0 && n_resets++ < MAX_RESETS)
            test_board_reset (board, VMM_RESET_WARM);
          else
            test_write (board, BASE + offset, 1, data[i + 3]);
          break;
        }
    }
  g_clear_pointer (&board, test_board_free);
  g_remove (path);
  return 0;
}
