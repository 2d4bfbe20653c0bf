/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The model behind the wizard. */
#include "model/machine-spec-private.h"

#include "engine/bundle.h"
#include "model/host.h"
#include "support.h"

#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
  char *directory;
  LodgeLibrary *library;
  LodgeMachineSpec *spec;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  static guint counter;
  g_autofree char *name = g_strdup_printf ("machines-%u", counter++);
  g_autoptr (GAsyncResult) loaded = NULL;
  g_autoptr (GAsyncResult) prepared = NULL;

  fixture->directory = test_path (name);
  fixture->library = lodge_library_new (fixture->directory);
  lodge_library_load_async (fixture->library, NULL, test_wait_cb, &loaded);
  test_wait (&loaded);
  fixture->spec = lodge_machine_spec_new (fixture->library);
  lodge_machine_spec_prepare_async (fixture->spec, NULL, test_wait_cb, &prepared);
  test_wait (&prepared);
  g_assert_true (lodge_machine_spec_prepare_finish (fixture->spec, prepared, NULL));
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_object_unref (fixture->spec);
  g_object_run_dispose (G_OBJECT (fixture->library));
  g_object_unref (fixture->library);
  g_free (fixture->directory);
}

static LodgeMachine *
create (Fixture *fixture, LodgeOperation *operation, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;

  lodge_machine_spec_create_async (fixture->spec, operation, test_wait_cb, &result);
  test_wait (&result);
  return lodge_machine_spec_create_finish (fixture->spec, result, error);
}

/* Devices that this build of the engine may lack are taken out: these tests are about the model. */
static void
plain (Fixture *fixture)
{
  lodge_machine_spec_set_disk_mib (fixture->spec, 0);
  g_assert_true (lodge_machine_spec_set_setting (fixture->spec, "cdrom0", "class", NULL, NULL));
}

static void
test_enter_enter_enter (Fixture *fixture, gconstpointer data)
{
  g_assert_true (lodge_machine_spec_get_valid (fixture->spec));
  g_assert_nonnull (lodge_machine_spec_get_name (fixture->spec));
  g_assert_cmpuint (lodge_machine_spec_get_memory_mib (fixture->spec), >=, 4);
  g_assert_cmpuint (lodge_machine_spec_get_cpus (fixture->spec), >=, 1);
  g_assert_cmpuint (lodge_machine_spec_get_disk_mib (fixture->spec), ==, 20 * 1024);
}

static void
test_system_sets_what_hands_did_not (Fixture *fixture, gconstpointer data)
{
  lodge_machine_spec_set_memory_mib (fixture->spec, 777);
  lodge_machine_spec_set_os_id (fixture->spec, "debian12");
  if (lodge_machine_spec_get_recommended_disk_mib (fixture->spec) == 20 * 1024
      && g_strcmp0 (lodge_machine_spec_get_name (fixture->spec), "Debian 12") != 0)
    {
      g_test_skip ("osinfo-db is not installed");
      return;
    }
  g_assert_cmpstr (lodge_machine_spec_get_name (fixture->spec), ==, "Debian 12");
  g_assert_cmpuint (lodge_machine_spec_get_memory_mib (fixture->spec), ==, 777);
  g_assert_cmpuint (lodge_machine_spec_get_disk_mib (fixture->spec), ==,
                    lodge_machine_spec_get_recommended_disk_mib (fixture->spec));
  lodge_machine_spec_set_name (fixture->spec, "Mine");
  lodge_machine_spec_set_os_id (fixture->spec, "debian11");
  g_assert_cmpstr (lodge_machine_spec_get_name (fixture->spec), ==, "Mine");
}

static void
test_system_needs_uefi (Fixture *fixture, gconstpointer data)
{
  g_assert_cmpstr (lodge_machine_spec_get_firmware (fixture->spec), ==, "bios");
  g_assert_false (lodge_machine_spec_get_tpm (fixture->spec));
  lodge_machine_spec_set_os_id (fixture->spec, "win11");
  if (g_strcmp0 (lodge_machine_spec_get_recommended_firmware (fixture->spec), "uefi") != 0)
    {
      g_test_skip ("osinfo-db is not installed, or too old to know Windows 11");
      return;
    }
  g_assert_cmpstr (lodge_machine_spec_get_firmware (fixture->spec), ==, "uefi");
  g_assert_true (lodge_machine_spec_get_tpm (fixture->spec));
  g_assert_cmpint (lodge_machine_spec_get_problem (fixture->spec, LODGE_SPEC_FIRMWARE) == NULL, ==,
                   lodge_host_get_uefi_path (lodge_host_get_default ()) != NULL);
  g_assert_cmpint (lodge_machine_spec_get_problem (fixture->spec, LODGE_SPEC_TPM) == NULL, ==,
                   lodge_host_get_swtpm_path (lodge_host_get_default ()) != NULL);
  /* By hand goes over it, and stays. */
  lodge_machine_spec_set_firmware (fixture->spec, "bios");
  g_assert_nonnull (strstr (lodge_machine_spec_get_hint (fixture->spec), "UEFI"));
  g_assert_null (lodge_machine_spec_get_problem (fixture->spec, LODGE_SPEC_FIRMWARE));
  lodge_machine_spec_set_os_id (fixture->spec, "debian12");
  g_assert_cmpstr (lodge_machine_spec_get_firmware (fixture->spec), ==, "bios");
  g_assert_false (lodge_machine_spec_get_tpm (fixture->spec));
}

static void
test_system_gets_what_it_has_drivers_for (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GKeyFile) plain = _lodge_machine_spec_build (fixture->spec);
  g_autoptr (GKeyFile) conf = NULL;
  g_autofree char *plain_class = g_key_file_get_string (plain, "display0", "class", NULL);
  g_autofree char *class_name = NULL;
  g_autofree char *tablet = NULL;

  g_assert_cmpstr (plain_class, ==, "vga");
  g_assert_false (g_key_file_has_group (plain, "tablet0"));
  lodge_machine_spec_set_os_id (fixture->spec, "debian12");
  if (g_strcmp0 (lodge_machine_spec_get_name (fixture->spec), "Debian 12") != 0)
    {
      g_test_skip ("osinfo-db is not installed");
      return;
    }
  conf = _lodge_machine_spec_build (fixture->spec);
  class_name = g_key_file_get_string (conf, "display0", "class", NULL);
  tablet = g_key_file_get_string (conf, "tablet0", "class", NULL);
  g_assert_cmpstr (class_name, ==, "virtio-vga");
  g_assert_cmpstr (tablet, ==, "virtio-tablet");
}

static void
test_names_are_judged (Fixture *fixture, gconstpointer data)
{
  static const char *const bad[] = { "", ".hidden", "a/b", "a\nb", " a", "a ", "\x01" };
  g_autofree char *long_name = g_strnfill (300, 'x');

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      lodge_machine_spec_set_name (fixture->spec, bad[i]);
      g_assert_nonnull (lodge_machine_spec_get_problem (fixture->spec, LODGE_SPEC_NAME));
      g_assert_false (lodge_machine_spec_get_valid (fixture->spec));
    }
  lodge_machine_spec_set_name (fixture->spec, long_name);
  g_assert_nonnull (lodge_machine_spec_get_problem (fixture->spec, LODGE_SPEC_NAME));
  lodge_machine_spec_set_name (fixture->spec, "Büro 2 – „Test“");
  g_assert_null (lodge_machine_spec_get_problem (fixture->spec, LODGE_SPEC_NAME));
  g_assert_true (lodge_machine_spec_get_valid (fixture->spec));
}

static void
test_amounts_are_judged (Fixture *fixture, gconstpointer data)
{
  lodge_machine_spec_set_memory_mib (fixture->spec, 0);
  g_assert_nonnull (lodge_machine_spec_get_problem (fixture->spec, LODGE_SPEC_MEMORY));
  lodge_machine_spec_set_memory_mib (fixture->spec, G_MAXINT);
  g_assert_nonnull (lodge_machine_spec_get_problem (fixture->spec, LODGE_SPEC_MEMORY));
  lodge_machine_spec_set_memory_mib (fixture->spec, 64);
  g_assert_null (lodge_machine_spec_get_problem (fixture->spec, LODGE_SPEC_MEMORY));
  lodge_machine_spec_set_cpus (fixture->spec, 0);
  g_assert_nonnull (lodge_machine_spec_get_problem (fixture->spec, LODGE_SPEC_CPUS));
  lodge_machine_spec_set_cpus (fixture->spec, 100000);
  g_assert_nonnull (lodge_machine_spec_get_problem (fixture->spec, LODGE_SPEC_CPUS));
  lodge_machine_spec_set_cpus (fixture->spec, 1);
  lodge_machine_spec_set_disk_mib (fixture->spec, G_MAXUINT64);
  g_assert_nonnull (lodge_machine_spec_get_problem (fixture->spec, LODGE_SPEC_DISK));
  lodge_machine_spec_set_disk_mib (fixture->spec, 0);
  g_assert_true (lodge_machine_spec_get_valid (fixture->spec));
}

static void
test_sources_are_judged (Fixture *fixture, gconstpointer data)
{
  static const LodgeSource sources[] = { LODGE_SOURCE_ISO, LODGE_SOURCE_IMAGE, LODGE_SOURCE_KERNEL };
  static const char *const bad[] = { NULL, "/nonexistent", "/", "/dev/null" };

  for (gsize i = 0; i < G_N_ELEMENTS (sources); i++)
    for (gsize j = 0; j < G_N_ELEMENTS (bad); j++)
      {
        lodge_machine_spec_set_source (fixture->spec, sources[i]);
        lodge_machine_spec_set_path (fixture->spec, bad[j]);
        g_assert_nonnull (lodge_machine_spec_get_problem (fixture->spec, LODGE_SPEC_PATH));
        g_assert_false (lodge_machine_spec_get_valid (fixture->spec));
      }
}

static gboolean
is_detected (gpointer data)
{
  return !lodge_machine_spec_get_detecting (data);
}

static void
test_wrong_disc_is_told (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = test_write ("no-disc.iso", "text", -1);

  lodge_machine_spec_set_source (fixture->spec, LODGE_SOURCE_ISO);
  lodge_machine_spec_set_path (fixture->spec, path);
  g_assert_false (lodge_machine_spec_get_valid (fixture->spec));
  test_wait_until (is_detected, fixture->spec);
  g_assert_nonnull (strstr (lodge_machine_spec_get_problem (fixture->spec, LODGE_SPEC_PATH), "not a disc image"));
  g_assert_false (lodge_machine_spec_get_valid (fixture->spec));
}

static void
test_settings_are_judged (Fixture *fixture, gconstpointer data)
{
  static const struct {
    const char *group, *key, *value;
  } bad[] = {
    { "machine", "bogus", "1" },   { "machine", "cpus", "0" }, { "nothing0", "key", "1" }, { "new0", "class", "bogus" },
    { "display0", "colour", "1" }, { "", "a", "b" },           { "a]", "class", "vga" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_false (lodge_machine_spec_set_setting (fixture->spec, bad[i].group, bad[i].key, bad[i].value, &error));
      g_assert_error (error, LODGE_ERROR, LODGE_ERROR_INVALID);
    }
  g_assert_true (lodge_machine_spec_set_setting (fixture->spec, "serial1", "class", "serial", NULL));
  g_assert_true (lodge_machine_spec_set_setting (fixture->spec, "serial1", "port", "com2", NULL));
}

static void
test_created_as_specified (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LodgeMachine) machine = NULL;
  g_autoptr (LodgeBundle) bundle = NULL;
  g_autofree char *notes = NULL;
  g_autofree char *drive = NULL;

  plain (fixture);
  lodge_machine_spec_set_name (fixture->spec, "A machine");
  lodge_machine_spec_set_memory_mib (fixture->spec, 99);
  lodge_machine_spec_set_cpus (fixture->spec, 1);
  g_assert_true (lodge_machine_spec_set_setting (fixture->spec, "machine", "notes", "a;b\\c = \n", NULL));
  machine = create (fixture, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (lodge_machine_get_name (machine), ==, "A machine");
  g_assert_true (machine == lodge_library_find (fixture->library, "A machine", NULL));
  bundle = lodge_bundle_load (lodge_machine_get_path (machine), &error);
  g_assert_no_error (error);
  g_assert_cmpuint (lodge_bundle_get_memory_mib (bundle), ==, 99);
  notes = lodge_bundle_dup_value (bundle, "machine", "notes");
  g_assert_cmpstr (notes, ==, "a;b\\c = \n");
  drive = lodge_bundle_find_device (bundle, "sata-cd");
  g_assert_null (drive);
  g_assert_true (g_uuid_string_is_valid (lodge_bundle_get_uuid (bundle)));
}

static void
test_taken_name (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LodgeMachine) first = NULL;

  plain (fixture);
  lodge_machine_spec_set_name (fixture->spec, "Twin");
  first = create (fixture, NULL, &error);
  g_assert_no_error (error);
  g_assert_null (create (fixture, NULL, &error));
  g_assert_error (error, LODGE_ERROR, LODGE_ERROR_INVALID);
  g_assert_cmpuint (test_count (fixture->directory), ==, 1);
}

static void
test_cancelled_leaves_nothing (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LodgeOperation) operation = lodge_operation_new ();
  g_autoptr (GError) error = NULL;

  plain (fixture);
  lodge_operation_cancel (operation);
  g_assert_null (create (fixture, operation, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpuint (test_count (fixture->directory), ==, 0);
}

static void
test_half_made_is_cleaned (Fixture *fixture, gconstpointer data)
{
  g_autofree char *left = g_build_filename (fixture->directory, ".new-killed", "sub", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (LodgeMachine) machine = NULL;

  g_assert_cmpint (g_mkdir_with_parents (left, 0700), ==, 0);
  plain (fixture);
  machine = create (fixture, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (test_count (fixture->directory), ==, 1);
}

static void
test_raw_image_is_copied_with_its_holes (Fixture *fixture, gconstpointer data)
{
  g_autofree char *from = test_write ("disk.img", "begin", -1);
  g_autoptr (GError) error = NULL;
  g_autoptr (LodgeMachine) machine = NULL;
  g_autofree char *to = NULL;
  g_autofree char *head = NULL;
  struct stat st;

  g_assert_cmpint (truncate (from, 64 << 20), ==, 0);
  lodge_machine_spec_set_source (fixture->spec, LODGE_SOURCE_IMAGE);
  lodge_machine_spec_set_path (fixture->spec, from);
  machine = create (fixture, NULL, &error);
  g_assert_no_error (error);
  to = g_build_filename (lodge_machine_get_path (machine), "disk0.img", NULL);
  g_assert_cmpint (stat (to, &st), ==, 0);
  g_assert_cmpint (st.st_size, ==, 64 << 20);
  g_assert_cmpint (st.st_blocks, <, 2048);
  g_assert_true (g_file_get_contents (to, &head, NULL, NULL));
  g_assert_cmpmem (head, 6, "begin", 6);
}

static void
test_image_keeps_the_firmware (Fixture *fixture, gconstpointer data)
{
  g_autofree char *from = test_write ("uefi.img", "begin", -1);
  g_autoptr (GError) error = NULL;
  g_autoptr (LodgeMachine) machine = NULL;
  g_autoptr (LodgeBundle) bundle = NULL;
  g_autofree char *firmware = NULL;

  if (lodge_host_get_uefi_path (lodge_host_get_default ()) == NULL)
    {
      g_test_skip ("OVMF is not installed");
      return;
    }
  g_assert_cmpint (truncate (from, 1 << 20), ==, 0);
  lodge_machine_spec_set_firmware (fixture->spec, "uefi");
  lodge_machine_spec_set_source (fixture->spec, LODGE_SOURCE_IMAGE);
  lodge_machine_spec_set_path (fixture->spec, from);
  machine = create (fixture, NULL, &error);
  g_assert_no_error (error);
  bundle = lodge_bundle_load (lodge_machine_get_path (machine), &error);
  g_assert_no_error (error);
  firmware = lodge_bundle_dup_value (bundle, "machine", "firmware");
  g_assert_cmpstr (firmware, ==, "uefi");
}

static void
test_guesses (Fixture *fixture, gconstpointer data)
{
  g_assert_cmpint (lodge_machine_spec_guess_source ("/a/Debian-13.ISO"), ==, LODGE_SOURCE_ISO);
  g_assert_cmpint (lodge_machine_spec_guess_source ("/a/disk.vmdk"), ==, LODGE_SOURCE_IMAGE);
  g_assert_cmpint (lodge_machine_spec_guess_source ("/boot/vmlinuz-6.12"), ==, LODGE_SOURCE_KERNEL);
  g_assert_cmpint (lodge_machine_spec_guess_source ("/a/text.txt"), ==, LODGE_SOURCE_EMPTY);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
#define ADD(path, func) g_test_add (path, Fixture, NULL, set_up, func, tear_down)
  ADD ("/machine-spec/defaults/are-valid", test_enter_enter_enter);
  ADD ("/machine-spec/defaults/system-sets-what-hands-did-not", test_system_sets_what_hands_did_not);
  ADD ("/machine-spec/defaults/source-guessed-by-name", test_guesses);
  ADD ("/machine-spec/defaults/uefi-and-tpm-where-the-system-needs-them", test_system_needs_uefi);
  ADD ("/machine-spec/defaults/system-gets-what-it-has-drivers-for", test_system_gets_what_it_has_drivers_for);
  ADD ("/machine-spec/problem/names", test_names_are_judged);
  ADD ("/machine-spec/problem/amounts", test_amounts_are_judged);
  ADD ("/machine-spec/problem/folders-devices-and-missing-files", test_sources_are_judged);
  ADD ("/machine-spec/problem/wrong-disc-is-told", test_wrong_disc_is_told);
  ADD ("/machine-spec/problem/settings", test_settings_are_judged);
  ADD ("/machine-spec/create/as-specified", test_created_as_specified);
  ADD ("/machine-spec/create/taken-name-is-refused", test_taken_name);
  ADD ("/machine-spec/create/cancelled-leaves-nothing", test_cancelled_leaves_nothing);
  ADD ("/machine-spec/create/what-was-left-half-made-is-cleaned", test_half_made_is_cleaned);
  ADD ("/machine-spec/create/raw-image-keeps-its-holes", test_raw_image_is_copied_with_its_holes);
  ADD ("/machine-spec/create/image-keeps-the-firmware", test_image_keeps_the_firmware);
  return test_run ();
}
