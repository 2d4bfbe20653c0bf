/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Disc images, made here sector by sector as ECMA-119 and El Torito have them. */
#include "media/media-info.h"

#include "media/image-import.h"
#include "media/os.h"
#include "model/error.h"
#include "support.h"

#include <string.h>

#define SECTOR 2048
#define N_SECTORS 40
#define CATALOG 30

static void
put_le32 (guint8 *p, guint32 value)
{
  for (int i = 0; i < 4; i++)
    p[i] = (guint8) (value >> (8 * i));
}

/* Boot record, primary descriptor, terminator, and a catalog with an entry for a BIOS, UEFI, or both. */
static guint8 *
make_disc (const char *label, gboolean bios, gboolean uefi)
{
  guint8 *disc = g_malloc0 (SECTOR * N_SECTORS);
  guint8 *primary = disc + 16 * SECTOR, *boot = disc + 17 * SECTOR, *end = disc + 18 * SECTOR, *catalog = disc + CATALOG * SECTOR;

  primary[0] = 1;
  memcpy (primary + 1, "CD001", 5);
  primary[6] = 1;
  memset (primary + 40, ' ', 32);
  memcpy (primary + 40, label, strlen (label));
  put_le32 (primary + 80, N_SECTORS);
  boot[0] = 0;
  memcpy (boot + 1, "CD001\1EL TORITO SPECIFICATION", 30);
  put_le32 (boot + 0x47, CATALOG);
  end[0] = 255;
  memcpy (end + 1, "CD001\1", 6);
  catalog[0] = 1;
  catalog[1] = bios ? 0x00 : 0xef;
  catalog[30] = 0x55;
  catalog[31] = 0xaa;
  catalog[32] = bios || uefi ? 0x88 : 0x00;
  if (bios && uefi)
    {
      catalog[64] = 0x91;
      catalog[65] = 0xef;
      catalog[66] = 1;
      catalog[96] = 0x88;
    }
  return disc;
}

static LodgeMediaInfo *
load_path (const char *path, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;

  lodge_media_info_load_async (path, NULL, test_wait_cb, &result);
  test_wait (&result);
  return lodge_media_info_load_finish (result, error);
}

static LodgeMediaInfo *
load_disc (const char *label, gboolean bios, gboolean uefi, gsize size, GError **error)
{
  g_autofree guint8 *disc = make_disc (label, bios, uefi);
  g_autofree char *path = test_write ("disc.iso", disc, (gssize) size);

  return load_path (path, error);
}

static void
test_boot_entries (void)
{
  for (int i = 0; i < 4; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (LodgeMediaInfo) info = load_disc ("TEST DISC", i & 1, (i & 2) != 0, SECTOR * N_SECTORS, &error);

      g_assert_no_error (error);
      g_assert_cmpstr (lodge_media_info_get_label (info), ==, "TEST DISC");
      g_assert_cmpint (lodge_media_info_get_boots_bios (info), ==, (i & 1) != 0);
      g_assert_cmpint (lodge_media_info_get_boots_uefi (info), ==, (i & 2) != 0);
    }
}

static void
test_other_files_are_refused (void)
{
  g_autofree char *text = test_write ("text.iso", "no disc at all", -1);
  g_autofree char *missing = test_path ("missing.iso");
  const struct {
    const char *path;
    int code;
  } cases[] = {
    { text, LODGE_ERROR_INVALID },
    { missing, LODGE_ERROR_NOT_FOUND },
    { test_directory (), LODGE_ERROR_INVALID },
    { "/dev/zero", LODGE_ERROR_INVALID },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (load_path (cases[i].path, &error));
      g_assert_error (error, LODGE_ERROR, cases[i].code);
    }
}

static void
test_cut_off_disc (void)
{
  g_autofree guint8 *disc = make_disc ("LONG", TRUE, FALSE);
  g_autofree char *path = NULL;
  g_autoptr (GError) error = NULL;

  put_le32 (disc + 16 * SECTOR + 80, 400000);
  path = test_write ("cut.iso", disc, SECTOR * N_SECTORS);
  g_assert_null (load_path (path, &error));
  g_assert_error (error, LODGE_ERROR, LODGE_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, "cut off"));
}

/* Every prefix of a disc, and flipped bytes in its descriptors, give an answer or an error, never more. */
static void
test_damaged_discs (void)
{
  for (gsize size = 15 * SECTOR; size < N_SECTORS * SECTOR; size += 3700)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (LodgeMediaInfo) info = load_disc ("TEST", TRUE, TRUE, size, &error);

      g_assert_true ((info == NULL) == (error != NULL));
    }
  for (gsize i = 0; i < 32; i++)
    {
      g_autofree guint8 *disc = make_disc ("TEST", TRUE, TRUE);
      g_autofree char *path = NULL;
      g_autoptr (GError) error = NULL;
      g_autoptr (LodgeMediaInfo) info = NULL;

      disc[(i % 2 == 0 ? 16 * SECTOR : CATALOG * SECTOR) + i * 3] ^= (guint8) (1 + i);
      path = test_write ("flipped.iso", disc, SECTOR * N_SECTORS);
      info = load_path (path, &error);
      g_assert_true ((info == NULL) == (error != NULL));
    }
}

/* Volume ids as the projects' own discs have them. */
static void
test_labels (void)
{
  static const struct {
    const char *label, *id;
  } cases[] = {
    { "Debian 13.0.0 amd64 n", "debian13" },
    { "Debian 12.5.0 amd64 1", "debian12" },
    { "Ubuntu 24.04.1 LTS amd64", "ubuntu24.04" },
    { "Ubuntu-Server 25.10 amd64", "ubuntu25.10" },
    { "Fedora-WS-Live-42", "fedora42" },
    { "Fedora-S-dvd-x86_64-41", "fedora41" },
    { "AlmaLinux-10-0-x86_64-dvd", "almalinux10" },
    { "alpine-std 3.22.1 x86_64", "alpinelinux3.22" },
    { "ARCH_202511", "archlinux" },
    { "GRUB2", NULL },
    { "", NULL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *name = NULL;
      g_autofree char *id = lodge_os_guess_from_label (cases[i].label, &name);

      g_assert_cmpstr (id, ==, cases[i].id);
      g_assert_true ((id == NULL) == (name == NULL));
    }
}

static void
test_recognised_in_the_file (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LodgeMediaInfo) info = load_disc ("Debian 13.0.0 amd64 n", TRUE, FALSE, SECTOR * N_SECTORS, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (lodge_media_info_get_os_id (info), ==, "debian13");
  g_assert_cmpstr (lodge_media_info_get_os_name (info), ==, "Debian 13");
}

static void
test_database (void)
{
  LodgeOsDatabase *database = lodge_os_database_get_default ();
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  LodgeOs *os;

  lodge_os_database_load_async (database, NULL, test_wait_cb, &result);
  test_wait (&result);
  g_assert_true (lodge_os_database_load_finish (database, result, &error));
  if (g_list_model_get_n_items (G_LIST_MODEL (database)) == 0)
    {
      g_test_skip ("osinfo-db is not installed");
      return;
    }
  os = lodge_os_database_find (database, "debian12");
  g_assert_nonnull (os);
  g_assert_cmpstr (lodge_os_get_family (os), ==, "linux");
  g_assert_cmpuint (lodge_os_get_recommended_memory_bytes (os), >=, (guint64) 1 << 30);
  g_assert_null (lodge_os_database_find (database, "debian99"));
  g_assert_nonnull (lodge_os_database_find_similar (database, "debian99"));
  g_assert_null (lodge_os_database_find_similar (database, "no-such-system"));
  os = lodge_os_database_find (database, "win11");
  g_assert_true (os == NULL || lodge_os_get_needs_uefi (os));
}

/* The signs at the places that each format's specification has them. */
static void
test_image_formats (void)
{
  static const struct {
    gsize offset;
    const char *sign;
    gsize size;
    const char *name;
  } cases[] = {
    { 0, "QFI\xfb\0\0\0\3", 8, "qcow2" }, { 0, "KDMV", 4, "vmdk" },        { 0, "# Disk DescriptorFile\n", 22, "vmdk" },
    { 64, "\x7f\x10\xda\xbe", 4, "vdi" }, { 0, "vhdxfile", 8, "vhdx" },    { 0, "conectix", 8, "vpc" },
    { 4096 - 512, "conectix", 8, "vpc" }, { 0, "\xeb\x63\x90", 3, "raw" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      guint8 file[4096] = { 0 };
      g_autofree char *path = NULL;
      const LodgeImageKind *kind;

      memcpy (file + cases[i].offset, cases[i].sign, cases[i].size);
      path = test_write ("image", file, sizeof file);
      kind = lodge_image_recognise (path, NULL);
      g_assert_nonnull (kind);
      g_assert_cmpstr (kind->name, ==, cases[i].name);
    }
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/media/disc/boot-entries-of-bios-and-uefi", test_boot_entries);
  g_test_add_func ("/media/disc/other-files-are-refused", test_other_files_are_refused);
  g_test_add_func ("/media/disc/cut-off-is-told", test_cut_off_disc);
  g_test_add_func ("/media/disc/damage-does-no-harm", test_damaged_discs);
  g_test_add_func ("/media/os/labels-newer-than-the-database", test_labels);
  g_test_add_func ("/media/os/recognised-in-the-file", test_recognised_in_the_file);
  g_test_add_func ("/media/os/database-has-resources", test_database);
  g_test_add_func ("/media/image/formats-by-their-signs", test_image_formats);
  return test_run ();
}
