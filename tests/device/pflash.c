/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: JESD68.01 (query structure), Intel 28F320J3 datasheet (commands, status bits), and the sequences by which OVMF's
 * QemuFlash.c finds flash and writes to it. */
#include "test-board.h"

#include "core/memory-private.h"

#include <glib/gstdio.h>
#include <string.h>

#define SIZE 0x84000 /* OVMF's variables, layout with 4 MiB */
#define END G_GUINT64_CONSTANT (0xffc84000)
#define BASE (END - SIZE)

typedef struct {
  TestBoard *board;
  char *dir, *path;
  VmmDevice *flash;
} Chip;

static void
chip_init (Chip *chip, gboolean readonly)
{
  g_autofree guint8 *content = g_malloc (SIZE);
  g_autofree char *template = NULL;

  for (guint i = 0; i < SIZE; i++)
    content[i] = (guint8) (i * 7 ^ i >> 8);
  chip->dir = g_dir_make_tmp ("lodge-test-XXXXXX", NULL);
  chip->path = g_build_filename (chip->dir, "nvram.fd", NULL);
  template = g_build_filename (chip->dir, "template.fd", NULL);
  g_assert_true (g_file_set_contents (readonly ? chip->path : template, (const char *) content, SIZE, NULL));
  chip->board = test_board_new ();
  chip->flash = test_board_add (chip->board, "pflash", "flash1", "file", chip->path, "template", template, "readonly",
                                readonly ? "true" : "false", "end", "0xffc84000", NULL);
}

static void
chip_clear (Chip *chip)
{
  g_autofree char *template = g_build_filename (chip->dir, "template.fd", NULL);

  test_board_free (chip->board);
  g_remove (chip->path);
  g_remove (template);
  g_assert_cmpint (g_rmdir (chip->dir), ==, 0); /* nothing else was left */
  g_free (chip->path);
  g_free (chip->dir);
}

static guint8
content_at (guint offset)
{
  return (guint8) (offset * 7 ^ offset >> 8);
}

static guint8
get (Chip *chip, guint offset)
{
  return (guint8) test_read (chip->board, BASE + offset, 1);
}

static void
put (Chip *chip, guint offset, guint8 value)
{
  test_write (chip->board, BASE + offset, 1, value);
}

/* Whether the processor sees the content as memory, without leaving the guest. */
static gboolean
is_memory (Chip *chip)
{
  guint64 base;
  VmmRam *ram;
  gsize offset;
  VmmSlotFlags flags;
  VmmSlot *slot = vmm_memory_find_slot (chip->board->machine->memory, BASE + 5, &base, &ram, &offset, &flags);

  if (slot == NULL)
    return FALSE;
  g_assert_cmpuint (base, ==, BASE);
  g_assert_cmpint (flags, ==, VMM_SLOT_READONLY);
  return TRUE;
}

/* QemuFlashDetected(): the first byte that is none of the commands. */
static void
test_detection (void)
{
  Chip chip;
  guint8 original;

  chip_init (&chip, FALSE);
  g_assert_true (is_memory (&chip));
  original = get (&chip, 0x10);
  g_assert_cmphex (original, ==, content_at (0x10));
  put (&chip, 0x10, 0x50);
  g_assert_cmphex (get (&chip, 0x10), ==, original);
  put (&chip, 0x10, 0x70);
  g_assert_cmphex (get (&chip, 0x10), ==, 0x00);
  g_assert_false (is_memory (&chip));
  put (&chip, 0x10, 0x10);
  g_assert_false (is_memory (&chip));
  put (&chip, 0x10, original);
  put (&chip, 0x10, 0x70);
  g_assert_cmphex (get (&chip, 0x10), ==, 0x80);
  put (&chip, 0x10, 0xff);
  g_assert_true (is_memory (&chip));
  g_assert_cmphex (get (&chip, 0x10), ==, original);
  chip_clear (&chip);
}

/* The same, as OVMF's security self test does it to the code: "ready" with a program error. */
static void
test_readonly (void)
{
  Chip chip;

  chip_init (&chip, TRUE);
  put (&chip, 0x10, 0x50);
  g_assert_cmphex (get (&chip, 0x10), ==, content_at (0x10));
  put (&chip, 0x10, 0x70);
  g_assert_cmphex (get (&chip, 0x10), ==, 0x00);
  put (&chip, 0x10, 0x10);
  put (&chip, 0x10, 0x00);
  put (&chip, 0x10, 0x70);
  g_assert_cmphex (get (&chip, 0x10), ==, 0x90);
  put (&chip, 0x10, 0x50);
  put (&chip, 0x1000, 0x20);
  put (&chip, 0x1000, 0xd0);
  g_assert_cmphex (get (&chip, 0), ==, 0xa0);
  put (&chip, 0x10, 0xff);
  g_assert_cmphex (get (&chip, 0x10), ==, content_at (0x10));
  g_assert_cmphex (get (&chip, 0x1000), ==, content_at (0x1000));
  chip_clear (&chip);
}

static void
test_program_clears_bits (void)
{
  Chip chip;

  chip_init (&chip, FALSE);
  put (&chip, 0x2001, 0x10);
  put (&chip, 0x2001, 0x5a);
  g_assert_cmphex (get (&chip, 0), ==, 0x80);
  put (&chip, 0x2002, 0x40);
  put (&chip, 0x2002, 0xf0);
  put (&chip, 0, 0xff);
  g_assert_cmphex (get (&chip, 0x2001), ==, (content_at (0x2001) & 0x5a));
  g_assert_cmphex (get (&chip, 0x2002), ==, (content_at (0x2002) & 0xf0));
  g_assert_cmphex (get (&chip, 0x2003), ==, content_at (0x2003));
  chip_clear (&chip);
}

static void
test_erase (void)
{
  Chip chip;

  chip_init (&chip, FALSE);
  put (&chip, 0x3456, 0x20);
  g_assert_cmphex (get (&chip, 0x3456), ==, 0x80);
  put (&chip, 0x3456, 0xd0);
  g_assert_cmphex (get (&chip, 0x3456), ==, 0x80);
  put (&chip, 0, 0xff);
  g_assert_cmphex (get (&chip, 0x2fff), ==, content_at (0x2fff));
  for (guint i = 0x3000; i < 0x4000; i++)
    g_assert_cmphex (get (&chip, i), ==, 0xff);
  g_assert_cmphex (get (&chip, 0x4000), ==, content_at (0x4000));
  /* Anything but the confirmation: both error bits, nothing erased. */
  put (&chip, 0x4000, 0x20);
  put (&chip, 0x4000, 0xff);
  g_assert_cmphex (get (&chip, 0), ==, 0xb0);
  put (&chip, 0, 0x50);
  g_assert_cmphex (get (&chip, 0x4000), ==, content_at (0x4000));
  chip_clear (&chip);
}

static void
test_buffer (void)
{
  Chip chip;

  chip_init (&chip, FALSE);
  put (&chip, 0x5000, 0x20);
  put (&chip, 0x5000, 0xd0);
  put (&chip, 0x5010, 0xe8);
  g_assert_cmphex (get (&chip, 0x5010), ==, 0x80);
  put (&chip, 0x5010, 3); /* four bytes */
  for (guint i = 0; i < 4; i++)
    put (&chip, 0x5010 + i, (guint8) (0x11 * (i + 1)));
  put (&chip, 0x5010, 0xd0);
  g_assert_cmphex (get (&chip, 0x5010), ==, 0x80);
  put (&chip, 0, 0xff);
  g_assert_cmphex (get (&chip, 0x500f), ==, 0xff);
  g_assert_cmphex ((guint32) test_read (chip.board, BASE + 0x5010, 4), ==, 0x44332211);
  g_assert_cmphex (get (&chip, 0x5014), ==, 0xff);
  /* Without the confirmation nothing is programmed. */
  put (&chip, 0x5020, 0xe8);
  put (&chip, 0x5020, 0);
  put (&chip, 0x5020, 0x77);
  put (&chip, 0x5020, 0xff);
  g_assert_cmphex (get (&chip, 0x5020), ==, 0xb0);
  put (&chip, 0, 0x50);
  g_assert_cmphex (get (&chip, 0x5020), ==, 0xff);
  /* Out of its block. */
  put (&chip, 0x5fff, 0xe8);
  put (&chip, 0x5fff, 1);
  put (&chip, 0x5fff, 0x00);
  put (&chip, 0x6000, 0x00);
  g_assert_cmphex (get (&chip, 0), ==, 0xb0);
  put (&chip, 0, 0x50);
  g_assert_cmphex (get (&chip, 0x5fff), ==, 0xff);
  /* More than the buffer holds. */
  put (&chip, 0x5000, 0xe8);
  put (&chip, 0x5000, 0x20);
  g_assert_cmphex (get (&chip, 0), ==, 0xb0);
  chip_clear (&chip);
}

static void
test_query (void)
{
  Chip chip;

  chip_init (&chip, FALSE);
  put (&chip, 0x55, 0x98);
  g_assert_cmphex (get (&chip, 0x10), ==, 'Q');
  g_assert_cmphex (get (&chip, 0x11), ==, 'R');
  g_assert_cmphex (get (&chip, 0x12), ==, 'Y');
  g_assert_cmphex (get (&chip, 0x13), ==, 0x01); /* Intel/Sharp extended */
  g_assert_cmphex (get (&chip, 0x14), ==, 0x00);
  g_assert_cmpuint (1u << get (&chip, 0x27), >=, SIZE);
  g_assert_cmphex (get (&chip, 0x28), ==, 0x00); /* eight data lines */
  g_assert_cmphex (get (&chip, 0x2a), ==, 5);    /* 32 bytes of write buffer */
  g_assert_cmphex (get (&chip, 0x2c), ==, 1);
  g_assert_cmpuint (get (&chip, 0x2d) + get (&chip, 0x2e) * 256u + 1, ==, SIZE / 4096);
  g_assert_cmpuint ((get (&chip, 0x2f) + get (&chip, 0x30) * 256u) * 256, ==, 4096);
  g_assert_cmphex (get (&chip, get (&chip, 0x15)), ==, 'P');
  put (&chip, 0, 0x90);
  g_assert_cmphex (get (&chip, 0), ==, 0x89);
  g_assert_cmphex (get (&chip, 2), ==, 0x00); /* the block is not locked */
  put (&chip, 0, 0xff);
  g_assert_true (is_memory (&chip));
  chip_clear (&chip);
}

static guint8
file_at (Chip *chip, guint offset)
{
  g_autofree char *content = NULL;
  gsize len;

  g_assert_true (g_file_get_contents (chip->path, &content, &len, NULL));
  g_assert_cmpuint (len, ==, SIZE);
  return (guint8) content[offset];
}

/* What is written is in the file soon after the chip shows its array again, not before. */
static void
test_write_through (void)
{
  Chip chip;

  chip_init (&chip, FALSE);
  g_assert_cmphex (file_at (&chip, 0x100), ==, content_at (0x100));
  put (&chip, 0x101, 0x10);
  put (&chip, 0x101, 0x00);
  g_usleep (20000);
  g_assert_cmphex (file_at (&chip, 0x101), ==, content_at (0x101));
  put (&chip, 0x101, 0xff);
  test_wait_until (file_at (&chip, 0x101) == 0x00);
  g_assert_cmphex (file_at (&chip, 0x100), ==, content_at (0x100));
  chip_clear (&chip);
}

/* A guest that never goes back to reading: reset and power-off write what it did; the next start finds it. */
static void
test_kept (void)
{
  Chip chip;

  chip_init (&chip, FALSE);
  put (&chip, 0x201, 0x10);
  put (&chip, 0x201, 0x00);
  test_board_reset (chip.board, VMM_RESET_COLD);
  g_assert_cmphex (file_at (&chip, 0x201), ==, 0x00);
  g_assert_cmphex (get (&chip, 0x201), ==, 0x00);
  g_assert_true (is_memory (&chip));
  put (&chip, 0x202, 0x10);
  put (&chip, 0x202, 0x00);
  test_board_free (chip.board);

  chip.board = test_board_new ();
  test_board_add (chip.board, "pflash", "flash1", "file", chip.path, "template", "/nonexistent", "readonly", "false", "end",
                  "0xffc84000", NULL);
  g_assert_cmphex (get (&chip, 0x201), ==, 0x00);
  g_assert_cmphex (get (&chip, 0x202), ==, 0x00);
  g_assert_cmphex (get (&chip, 0x203), ==, content_at (0x203));
  chip_clear (&chip);
}

/* The file cannot be replaced: the machine goes on, and what was written is not lost when it can be again. */
static void
test_write_error (void)
{
  g_autofree char *in_the_way = NULL;
  GLogLevelFlags fatal;
  Chip chip;

  chip_init (&chip, FALSE);
  in_the_way = g_strconcat (chip.path, ".new", NULL);
  g_assert_cmpint (g_mkdir (in_the_way, 0700), ==, 0);
  fatal = g_log_set_always_fatal (G_LOG_FATAL_MASK); /* it is warned of */
  put (&chip, 0x301, 0x10);
  put (&chip, 0x301, 0x00);
  put (&chip, 0x301, 0xff);
  test_board_reset (chip.board, VMM_RESET_WARM); /* does not wait for ever */
  g_assert_cmphex (file_at (&chip, 0x301), ==, content_at (0x301));
  g_log_set_always_fatal (fatal);
  g_assert_cmpint (g_rmdir (in_the_way), ==, 0);
  test_board_reset (chip.board, VMM_RESET_COLD);
  g_assert_cmphex (file_at (&chip, 0x301), ==, 0x00);
  chip_clear (&chip);
}

static void
test_wrong_files (void)
{
  static const char *const wrong[] = { "", "x" };
  g_autofree char *dir = g_dir_make_tmp ("lodge-test-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (dir, "nvram.fd", NULL);
  g_autoptr (TestBoard) board = test_board_new ();
  g_autoptr (GHashTable) settings = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GError) missing = NULL;

  g_hash_table_insert (settings, (gpointer) "file", path);
  g_hash_table_insert (settings, (gpointer) "readonly", (gpointer) "false");
  g_assert_null (vmm_device_new (board->machine, vmm_device_class_find ("pflash"), "flash", settings, &missing));
  g_assert_error (missing, VMM_ERROR, VMM_ERROR_NOT_FOUND);
  g_assert_nonnull (strstr (missing->message, path));
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_true (g_file_set_contents (path, wrong[i], -1, NULL));
      g_assert_null (vmm_device_new (board->machine, vmm_device_class_find ("pflash"), "flash", settings, &error));
      g_assert_error (error, VMM_ERROR, VMM_ERROR_CORRUPT);
    }
  g_remove (path);
  g_rmdir (dir);
}

static void
test_unknown_command (void)
{
  Chip chip;

  chip_init (&chip, FALSE);
  put (&chip, 0, 0x42);
  g_assert_true (is_memory (&chip));
  g_assert_cmpuint (chip.flash->guest_errors, ==, 1);
  put (&chip, 0, 0x00); /* what a test for RAM writes */
  g_assert_cmpuint (chip.flash->guest_errors, ==, 1);
  g_assert_cmphex (get (&chip, 0), ==, content_at (0));
  chip_clear (&chip);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/pflash/detection/as-ovmf-does-it", test_detection);
  g_test_add_func ("/pflash/detection/read-only-chip-says-program-error", test_readonly);
  g_test_add_func ("/pflash/program/only-clears-bits", test_program_clears_bits);
  g_test_add_func ("/pflash/erase/one-block-after-confirmation", test_erase);
  g_test_add_func ("/pflash/buffer/within-one-block-after-confirmation", test_buffer);
  g_test_add_func ("/pflash/query/structure-and-identifiers", test_query);
  g_test_add_func ("/pflash/file/written-when-the-array-shows", test_write_through);
  g_test_add_func ("/pflash/file/kept-over-power-cycles", test_kept);
  g_test_add_func ("/pflash/file/tried-again-after-an-error", test_write_error);
  g_test_add_func ("/pflash/file/wrong-ones-are-refused", test_wrong_files);
  g_test_add_func ("/pflash/command/unknown-goes-back-to-reading", test_unknown_command);
  return g_test_run ();
}
