/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Machines on disk. */
#include "engine/bundle.h"

#include "support.h"

#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define UUID "5b2b0f4e-8b1c-4c39-9d5e-0f3c7b1f6a11"
#define GOOD "# kept\n[machine]\nname=One\nuuid=" UUID "\nmemory=0x40\n\n[display0]\nclass=vga\n"

static LodgeBundle *
load (const char *conf, GError **error)
{
  g_autofree char *file = test_write ("b.lodge/machine.conf", conf, -1);
  g_autofree char *path = g_path_get_dirname (file);

  return lodge_bundle_load (path, error);
}

static void
test_reads_what_is_written (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LodgeBundle) bundle = load (GOOD, &error);
  g_autofree char *display = NULL;
  g_autofree char *drive = NULL;

  g_assert_no_error (error);
  g_assert_cmpstr (lodge_bundle_get_name (bundle), ==, "One");
  g_assert_cmpstr (lodge_bundle_get_uuid (bundle), ==, UUID);
  g_assert_cmpuint (lodge_bundle_get_memory_mib (bundle), ==, 64);
  g_assert_cmpuint (lodge_bundle_get_cpus (bundle), ==, 1);
  g_assert_null (lodge_bundle_get_os_id (bundle));
  display = lodge_bundle_find_device (bundle, "vga");
  drive = lodge_bundle_find_device (bundle, "serial");
  g_assert_cmpstr (display, ==, "display0");
  g_assert_null (drive);
}

static void
test_wrong_content_is_named (void)
{
  static const struct {
    const char *conf, *told;
  } cases[] = {
    { "[machine]\nname=One\nuuid=" UUID "\nbogus=1\n", "[machine] bogus" },
    { "[machine]\nname=One\nuuid=" UUID "\nmemory=0\n", "memory=0" },
    { "[machine]\nname=One\nuuid=" UUID "\nmemory=99999999999999999999\n", "memory=" },
    { "[machine]\nname=One\nuuid=" UUID "\ncpus=-1\n", "cpus=-1" },
    { "[machine]\nname=One\nuuid=" UUID "\n[display0]\nclass=bogus\n", "class=bogus" },
    { "[machine]\nname=One\nuuid=" UUID "\n[display0]\nclass=vga\ncolour=red\n", "[display0] colour" },
    { "[machine]\nname=One\nuuid=" UUID "\n[what]\nkey=1\n", "[what]" },
    { "[machine]\nuuid=" UUID "\n", "name" },
    { "[machine]\nname=One\n", "uuid" },
    { "[machine]\nname=One\nuuid=../../etc/passwd\n", "uuid" },
    { "not a key file\n", "machine.conf" },
    { "", "machine.conf" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (load (cases[i].conf, &error));
      g_assert_error (error, LODGE_ERROR, LODGE_ERROR_CONFIG);
      g_assert_nonnull (strstr (error->message, "b.lodge/machine.conf"));
      g_assert_nonnull (strstr (error->message, cases[i].told));
    }
}

static void
test_other_things_in_its_place (void)
{
  g_autofree char *bundle = test_path ("strange.lodge");
  g_autofree char *conf = test_path ("strange.lodge/machine.conf");
  g_autofree char *file = test_write ("plain-file.lodge", "x", 1);
  g_autoptr (GError) error = NULL;

  g_assert_null (lodge_bundle_load (bundle, &error));
  g_assert_error (error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_null (lodge_bundle_load (file, &error));
  g_assert_error (error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_mkdir (bundle, 0700);
  g_assert_null (lodge_bundle_load (bundle, &error));
  g_assert_error (error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_mkdir (conf, 0700);
  g_assert_null (lodge_bundle_load (bundle, &error));
  g_assert_error (error, LODGE_ERROR, LODGE_ERROR_CONFIG);
  g_clear_error (&error);
  g_rmdir (conf);
  g_assert_cmpint (mkfifo (conf, 0600), ==, 0);
  g_assert_null (lodge_bundle_load (bundle, &error)); /* and does not wait for a writer */
  g_assert_error (error, LODGE_ERROR, LODGE_ERROR_CONFIG);
  g_clear_error (&error);
  g_unlink (conf);
  g_assert_cmpint (symlink ("/dev/zero", conf), ==, 0);
  g_assert_null (lodge_bundle_load (bundle, &error));
  g_assert_error (error, LODGE_ERROR, LODGE_ERROR_CONFIG);
}

static void
test_huge_file_is_refused (void)
{
  g_autofree char *conf = test_write ("huge.lodge/machine.conf", "", 0);
  g_autofree char *path = g_path_get_dirname (conf);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (truncate (conf, (off_t) 1 << 40), ==, 0);
  g_assert_null (lodge_bundle_load (path, &error));
  g_assert_error (error, LODGE_ERROR, LODGE_ERROR_CONFIG);
}

static void
test_save_keeps_comments_and_leaves_no_rest (void)
{
  g_autoptr (LodgeBundle) bundle = load (GOOD, NULL);
  g_autofree char *conf = test_path ("b.lodge/machine.conf");
  g_autofree char *path = test_path ("b.lodge");
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;

  lodge_bundle_set_value (bundle, "machine", "cpus", "4");
  g_assert_true (lodge_bundle_save (bundle, &error));
  g_assert_no_error (error);
  g_assert_true (g_file_get_contents (conf, &text, NULL, NULL));
  g_assert_true (g_str_has_prefix (text, "# kept\n"));
  g_assert_nonnull (strstr (text, "\ncpus=4\n"));
  g_assert_cmpuint (test_count (path), ==, 1);
}

static void
test_wrong_save_changes_nothing (void)
{
  g_autoptr (LodgeBundle) bundle = load (GOOD, NULL);
  g_autofree char *conf = test_path ("b.lodge/machine.conf");
  g_autofree char *path = test_path ("b.lodge");
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;

  lodge_bundle_set_value (bundle, "machine", "cpus", "0");
  g_assert_false (lodge_bundle_save (bundle, &error));
  g_assert_error (error, LODGE_ERROR, LODGE_ERROR_CONFIG);
  g_assert_true (g_file_get_contents (conf, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, GOOD);
  g_assert_cmpuint (test_count (path), ==, 1);
}

static void
test_lock_has_one_owner (void)
{
  g_autofree char *path = test_path ("b.lodge");
  g_autoptr (GError) error = NULL;
  int first, second;

  g_mkdir (path, 0700);
  first = lodge_bundle_lock (path, &error);
  g_assert_no_error (error);
  second = lodge_bundle_lock (path, &error);
  g_assert_cmpint (second, ==, -1);
  g_assert_error (error, LODGE_ERROR, LODGE_ERROR_BUSY);
  g_clear_error (&error);
  close (first);
  second = lodge_bundle_lock (path, &error);
  g_assert_no_error (error);
  close (second);
}

static void
test_files_are_judged (void)
{
  g_autofree char *good = test_write ("file", "x", 1);
  g_autofree char *empty = test_write ("empty", "", 0);
  g_autofree char *missing = test_path ("missing");
  const struct {
    const char *path;
    int code;
  } cases[] = {
    { missing, LODGE_ERROR_NOT_FOUND },
    { test_directory (), LODGE_ERROR_INVALID },
    { "/dev/zero", LODGE_ERROR_INVALID },
    { empty, LODGE_ERROR_INVALID },
  };

  g_assert_true (lodge_bundle_check_file (good, NULL));
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_false (lodge_bundle_check_file (cases[i].path, &error));
      g_assert_error (error, LODGE_ERROR, cases[i].code);
      g_assert_nonnull (strstr (error->message, cases[i].path));
    }
}

static void
test_medium_paths (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LodgeBundle) bundle = load (GOOD, &error);
  g_autofree char *inside = test_path ("b.lodge/disc.iso");
  g_autofree char *none = NULL;
  g_autofree char *relative = NULL;
  g_autofree char *absolute = NULL;

  none = lodge_bundle_dup_medium (bundle, "cdrom0");
  g_assert_null (none);
  lodge_bundle_set_value (bundle, "cdrom0", "image", "disc.iso");
  relative = lodge_bundle_dup_medium (bundle, "cdrom0");
  g_assert_cmpstr (relative, ==, inside);
  lodge_bundle_set_value (bundle, "cdrom0", "image", "/a/b.iso");
  absolute = lodge_bundle_dup_medium (bundle, "cdrom0");
  g_assert_cmpstr (absolute, ==, "/a/b.iso");
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/bundle/load/reads-what-is-written", test_reads_what_is_written);
  g_test_add_func ("/bundle/load/wrong-content-names-file-group-and-key", test_wrong_content_is_named);
  g_test_add_func ("/bundle/load/folders-pipes-and-devices-are-refused", test_other_things_in_its_place);
  g_test_add_func ("/bundle/load/huge-file-is-refused", test_huge_file_is_refused);
  g_test_add_func ("/bundle/save/keeps-comments-and-leaves-no-rest", test_save_keeps_comments_and_leaves_no_rest);
  g_test_add_func ("/bundle/save/wrong-value-changes-nothing", test_wrong_save_changes_nothing);
  g_test_add_func ("/bundle/lock/has-one-owner", test_lock_has_one_owner);
  g_test_add_func ("/bundle/check-file/says-what-it-is-instead", test_files_are_judged);
  g_test_add_func ("/bundle/medium/relative-to-the-bundle", test_medium_paths);
  return test_run ();
}
