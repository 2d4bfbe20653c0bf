/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a machine is made of, from its description and its machine.conf, and how that is changed. */
#include "model/hardware.h"

#include "support.h"

#include "engine/bundle-machine.h"
#include "engine/bundle.h"
#include "model/error.h"
#include "model/machine-private.h"

#include <glib/gstdio.h>

#define UUID "5b2b0f4e-8b1c-4c39-9d5e-0f3c7b1f6a11"
#define CONF                                                                                                                  \
  "# kept\n[machine]\nname=One\nuuid=" UUID "\nmemory=64\n\n[display0]\nclass=vga\n\n[disk0]\nclass=sata-disk\nimage=a.img\n" \
  "boot=2\n\n[cdrom0]\nclass=sata-cd\nboot=1\n\n[disk1]\nclass=sata-disk\nimage=b.img\n\n[window]\nclose=ask\n"

static LodgeMachine *
make (const char *conf)
{
  g_autofree char *file = test_write ("one.lodge/machine.conf", conf, -1);
  g_autofree char *path = g_path_get_dirname (file);
  LodgeBundleMachine *machine = lodge_bundle_machine_new (path, NULL);
  GError *error = NULL;
  LodgeBundle *bundle = lodge_bundle_load (path, &error);

  g_assert_no_error (error);
  lodge_bundle_machine_take_bundle (machine, bundle, NULL);
  return LODGE_MACHINE (machine);
}

static char *
read_conf (void)
{
  g_autofree char *path = test_path ("one.lodge/machine.conf");
  char *text = NULL;

  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  return text;
}

static char *
list_ids (LodgeHardware *hardware)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (hardware)); i++)
    {
      g_autoptr (LodgeDevice) device = g_list_model_get_item (G_LIST_MODEL (hardware), i);

      g_string_append_printf (text, "%s%s", i > 0 ? " " : "", lodge_device_get_id (device));
    }
  return g_string_free (text, FALSE);
}

static gboolean
set (LodgeHardware *hardware, const char *id, const char *key, const char *value, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;

  lodge_hardware_set_async (hardware, id, key, value, NULL, test_wait_cb, &result);
  test_wait (&result);
  return lodge_hardware_set_finish (hardware, result, error);
}

static char *
add (LodgeHardware *hardware, const char *class_name, const char *id, const char *key, const char *value, guint64 mib,
     GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GHashTable) values = g_hash_table_new (g_str_hash, g_str_equal);

  if (key != NULL)
    g_hash_table_insert (values, (gpointer) key, (gpointer) value);
  lodge_hardware_add_async (hardware, class_name, id, values, mib, NULL, test_wait_cb, &result);
  test_wait (&result);
  return lodge_hardware_add_finish (hardware, result, error);
}

static void
test_devices_are_those_of_the_file (void)
{
  g_autoptr (LodgeMachine) machine = make (CONF);
  g_autoptr (LodgeHardware) hardware = lodge_hardware_new (machine);
  g_autofree char *ids = list_ids (hardware);
  LodgeDevice *disk = lodge_hardware_find (hardware, "disk0");

  g_assert_cmpstr (ids, ==, "machine display0 disk0 cdrom0 disk1");
  g_assert_false (lodge_hardware_get_pending (hardware));
  g_assert_cmpstr (lodge_device_get_info (disk)->name, ==, "sata-disk");
  g_assert_cmpstr (lodge_device_get_value (disk, "image"), ==, "a.img");
  g_assert_cmpstr (lodge_device_get_value (disk, "cache"), ==, "writeback"); /* what holds without it */
  g_assert_false (lodge_device_is_set (disk, "cache"));
  g_assert_null (lodge_device_get_value (disk, "serial"));
  g_assert_cmpint (lodge_device_get_boot (disk), ==, 2);
  g_assert_nonnull (strstr (lodge_device_get_detail (disk), "a.img"));
  g_assert_false (lodge_device_is_removable (lodge_hardware_find (hardware, "machine")));
  g_assert_null (lodge_hardware_find (hardware, "window"));
}

static void
test_catalog_describes_every_setting (void)
{
  guint n;
  const LodgeDeviceInfo *const *infos = lodge_device_catalog_list (&n);

  g_assert_cmpuint (n, >, 3);
  for (guint i = 0; i < n; i++)
    {
      g_assert_cmpstr (infos[i]->summary, !=, "");
      g_assert_true (lodge_device_catalog_find (infos[i]->name) == infos[i]);
      for (guint j = 0; j < infos[i]->n_settings; j++)
        {
          const LodgeSettingInfo *setting = &infos[i]->settings[j];
          g_autoptr (GError) error = NULL;

          g_assert_cmpstr (setting->summary, !=, "");
          if (setting->type == LODGE_SETTING_CHOICE)
            g_assert_nonnull (setting->choices[0]);
          if (setting->type == LODGE_SETTING_NUMBER)
            g_assert_cmpint (setting->minimum, <, setting->maximum);
          /* What holds without the setting is a value that it takes. */
          if (setting->fallback != NULL)
            lodge_hardware_check (infos[i], "device0", setting->key, setting->fallback, &error);
          g_assert_no_error (error);
        }
    }
  g_assert_null (lodge_device_catalog_find ("machine"));
  g_assert_nonnull (lodge_device_info_find (lodge_device_catalog_get_machine (), "memory"));
}

static void
test_value_is_written_and_seen (void)
{
  g_autoptr (LodgeMachine) machine = make (CONF);
  g_autoptr (LodgeHardware) hardware = lodge_hardware_new (machine);
  LodgeDevice *disk = lodge_hardware_find (hardware, "disk0");
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  g_autofree char *again = NULL;

  set (hardware, "disk0", "cache", "direct", &error);
  g_assert_no_error (error);
  g_assert_true (lodge_hardware_find (hardware, "disk0") == disk); /* a page that shows it stays */
  g_assert_cmpstr (lodge_device_get_value (disk, "cache"), ==, "direct");
  text = read_conf ();
  g_assert_nonnull (strstr (text, "cache=direct"));
  g_assert_nonnull (strstr (text, "# kept"));
  g_assert_nonnull (strstr (text, "[window]"));

  g_assert_true (set (hardware, "disk0", "cache", NULL, &error));
  again = read_conf ();
  g_assert_null (strstr (again, "cache="));
  g_assert_true (set (hardware, "machine", "memory", "128", &error));
  g_assert_cmpuint (lodge_machine_get_memory_mib (machine), ==, 128);
}

static void
test_wrong_value_changes_nothing (void)
{
  static const struct {
    const char *id, *key, *value;
    int code;
  } cases[] = {
    { "disk0", "cache", "fast", LODGE_ERROR_INVALID },    { "disk0", "port", "6", LODGE_ERROR_INVALID },
    { "disk0", "colour", "red", LODGE_ERROR_INVALID },    { "disk0", "image", NULL, LODGE_ERROR_INVALID },
    { "disk0", "image", "", LODGE_ERROR_INVALID },        { "disk7", "cache", "direct", LODGE_ERROR_NOT_FOUND },
    { "machine", "memory", "many", LODGE_ERROR_INVALID }, { "machine", "uuid", "nobody", LODGE_ERROR_INVALID },
    { "machine", "name", NULL, LODGE_ERROR_INVALID },     { "window", "close", "ask", LODGE_ERROR_NOT_FOUND },
  };
  g_autoptr (LodgeMachine) machine = make (CONF);
  g_autoptr (LodgeHardware) hardware = lodge_hardware_new (machine);
  g_autofree char *before = read_conf ();

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *after = NULL;

      g_assert_false (set (hardware, cases[i].id, cases[i].key, cases[i].value, &error));
      g_assert_error (error, LODGE_ERROR, cases[i].code);
      after = read_conf ();
      g_assert_cmpstr (before, ==, after);
    }
}

static void
test_add_and_remove (void)
{
  g_autoptr (LodgeMachine) machine = make (CONF);
  g_autoptr (LodgeHardware) hardware = lodge_hardware_new (machine);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GAsyncResult) undone = NULL;
  g_autoptr (GVariant) undo = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *id = add (hardware, "serial", NULL, "port", "com2", 0, &error);
  g_autofree char *ids = NULL;
  g_autofree char *without = NULL;

  g_assert_no_error (error);
  g_assert_cmpstr (id, ==, "serial0");
  g_assert_cmpstr (lodge_device_get_value (lodge_hardware_find (hardware, id), "port"), ==, "com2");

  lodge_hardware_remove_async (hardware, "serial0", NULL, test_wait_cb, &result);
  test_wait (&result);
  undo = lodge_hardware_remove_finish (hardware, result, &error);
  g_assert_no_error (error);
  without = list_ids (hardware);
  g_assert_cmpstr (without, ==, "machine display0 disk0 cdrom0 disk1");

  lodge_machine_configure_async (machine, undo, NULL, test_wait_cb, &undone);
  test_wait (&undone);
  g_assert_true (lodge_machine_configure_finish (machine, undone, &error));
  g_assert_cmpstr (lodge_device_get_value (lodge_hardware_find (hardware, "serial0"), "port"), ==, "com2");
}

static void
test_what_cannot_be_added (void)
{
  static const struct {
    const char *class_name, *id, *key, *value;
    guint64 mib;
    int code;
  } cases[] = {
    { "flux-capacitor", NULL, NULL, NULL, 0, LODGE_ERROR_INVALID },
    { "i8042", NULL, NULL, NULL, 0, LODGE_ERROR_INVALID }, /* the board has it */
    { "sata-disk", NULL, NULL, NULL, 0, LODGE_ERROR_INVALID },
    { "sata-disk", NULL, "image", "nowhere.img", 0, LODGE_ERROR_NOT_FOUND },
    { "sata-disk", "disk0", NULL, NULL, 64, LODGE_ERROR_EXISTS },
    { "sata-disk", "machine", NULL, NULL, 64, LODGE_ERROR_EXISTS },
    { "sata-disk", "a]b", NULL, NULL, 64, LODGE_ERROR_INVALID },
    { "serial", NULL, NULL, NULL, 64, LODGE_ERROR_INVALID },
    { "serial", NULL, "port", "com9", 0, LODGE_ERROR_INVALID },
  };
  g_autoptr (LodgeMachine) machine = make (CONF);
  g_autoptr (LodgeHardware) hardware = lodge_hardware_new (machine);
  g_autofree char *before = read_conf ();
  guint n_files = test_count (lodge_machine_get_path (machine));

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *id = add (hardware, cases[i].class_name, cases[i].id, cases[i].key, cases[i].value, cases[i].mib, &error);
      g_autofree char *after = NULL;

      g_assert_null (id);
      g_assert_error (error, LODGE_ERROR, cases[i].code);
      after = read_conf ();
      g_assert_cmpstr (before, ==, after);
    }
  g_assert_cmpuint (test_count (lodge_machine_get_path (machine)), <=, n_files + 1); /* the lock, no image left */
}

static void
test_new_disk_gets_its_image (void)
{
  g_autoptr (LodgeMachine) machine = make (CONF);
  g_autoptr (LodgeHardware) hardware = lodge_hardware_new (machine);
  g_autofree char *taken = test_write ("one.lodge/disk2.qcow2", "mine", 4);
  g_autoptr (GError) error = NULL;
  g_autofree char *id = add (hardware, "sata-disk", NULL, NULL, NULL, 64, &error);
  g_autofree char *image = NULL;
  g_autofree char *content = NULL;
  gsize size;

  g_assert_no_error (error);
  g_assert_cmpstr (id, ==, "disk2");
  g_assert_cmpstr (lodge_device_get_value (lodge_hardware_find (hardware, id), "image"), ==,
                   "disk2-1.qcow2"); /* nothing is overwritten */
  g_assert_cmpstr (lodge_device_get_value (lodge_hardware_find (hardware, id), "format"), ==, "qcow2");
  image = test_path ("one.lodge/disk2-1.qcow2");
  g_assert_true (g_file_get_contents (image, &content, &size, NULL));
  g_assert_cmpuint (size, >, 4);
  g_assert_cmpmem (content, 4, "QFI\xfb", 4); /* qcow2's magic */
}

static void
test_given_image_tells_its_format (void)
{
  g_autoptr (LodgeMachine) machine = make (CONF);
  g_autoptr (LodgeHardware) hardware = lodge_hardware_new (machine);
  static const char zeros[4096];
  g_autofree char *raw = test_write ("plain.img", zeros, sizeof zeros);
  g_autoptr (GError) error = NULL;
  g_autofree char *id = add (hardware, "sata-disk", "spare", "image", raw, 0, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (id, ==, "spare");
  g_assert_cmpstr (lodge_device_get_value (lodge_hardware_find (hardware, id), "format"), ==, "raw");
}

static void
test_boot_order (void)
{
  g_autoptr (LodgeMachine) machine = make (CONF);
  g_autoptr (LodgeHardware) hardware = lodge_hardware_new (machine);
  g_autoptr (GPtrArray) order = lodge_hardware_list_boot_order (hardware);
  g_autoptr (GPtrArray) after = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  const char *const wish[] = { "disk1", "cdrom0", NULL };

  g_assert_cmpuint (order->len, ==, 3);
  g_assert_cmpstr (lodge_device_get_id (order->pdata[0]), ==, "cdrom0");
  g_assert_cmpstr (lodge_device_get_id (order->pdata[1]), ==, "disk0");
  g_assert_cmpstr (lodge_device_get_id (order->pdata[2]), ==, "disk1");
  g_assert_cmpint (lodge_device_get_boot (order->pdata[2]), ==, -1);

  lodge_hardware_set_boot_order_async (hardware, wish, NULL, test_wait_cb, &result);
  test_wait (&result);
  g_assert_true (lodge_hardware_set_boot_order_finish (hardware, result, &error));
  g_assert_no_error (error);
  after = lodge_hardware_list_boot_order (hardware);
  g_assert_cmpstr (lodge_device_get_id (after->pdata[0]), ==, "disk1");
  g_assert_cmpstr (lodge_device_get_id (after->pdata[1]), ==, "cdrom0");
  g_assert_cmpstr (lodge_device_get_id (after->pdata[2]), ==, "disk0");
  g_assert_cmpint (lodge_device_get_boot (after->pdata[2]), ==, -1);
}

static void
test_running_machine_tells_what_is_pending (void)
{
  g_autoptr (LodgeMachine) machine = make (CONF);
  g_autoptr (LodgeHardware) hardware = lodge_hardware_new (machine);
  LodgeDevice *disk = lodge_hardware_find (hardware, "disk0");
  g_autofree char *id = NULL;

  _lodge_machine_set_running_settings (machine, lodge_machine_get_settings (machine));
  g_assert_false (lodge_hardware_get_pending (hardware));

  g_assert_true (set (hardware, "disk0", "cache", "direct", NULL));
  g_assert_true (lodge_hardware_get_pending (hardware));
  g_assert_cmpint (lodge_device_get_state (disk), ==, LODGE_DEVICE_CHANGED);
  g_assert_true (lodge_device_is_pending (disk, "cache"));
  g_assert_false (lodge_device_is_pending (disk, "image"));
  g_assert_true (set (hardware, "disk0", "cache", "writeback", NULL)); /* what holds without it is no change */
  g_assert_false (lodge_hardware_get_pending (hardware));

  g_assert_true (set (hardware, "cdrom0", "image", "/tmp/other.iso", NULL)); /* may change while it runs */
  g_assert_false (lodge_hardware_get_pending (hardware));

  id = add (hardware, "serial", NULL, NULL, NULL, 0, NULL);
  g_assert_cmpint (lodge_device_get_state (lodge_hardware_find (hardware, id)), ==, LODGE_DEVICE_ADDED);
  g_assert_true (lodge_hardware_get_pending (hardware));

  _lodge_machine_set_running_settings (machine, NULL);
  g_assert_false (lodge_hardware_get_pending (hardware));
}

static void
test_removed_device_is_pending (void)
{
  g_autoptr (LodgeMachine) machine = make (CONF);
  g_autoptr (LodgeHardware) hardware = lodge_hardware_new (machine);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GVariant) undo = NULL;
  g_autofree char *id = NULL;

  _lodge_machine_set_running_settings (machine, lodge_machine_get_settings (machine));
  lodge_hardware_remove_async (hardware, "disk1", NULL, test_wait_cb, &result);
  test_wait (&result);
  undo = lodge_hardware_remove_finish (hardware, result, NULL);
  g_assert_nonnull (undo);
  g_assert_true (lodge_hardware_get_pending (hardware));
  id = lodge_hardware_dup_free_id (hardware, "sata-disk");
  g_assert_cmpstr (id, ==, "disk2"); /* the running machine still has disk1 */
}

static void
test_locked_machine_is_left_alone (void)
{
  g_autoptr (LodgeMachine) machine = make (CONF);
  g_autoptr (LodgeHardware) hardware = lodge_hardware_new (machine);
  g_autofree char *before = read_conf ();
  g_autofree char *after = NULL;
  g_autoptr (GError) error = NULL;
  g_autofd int lock = lodge_bundle_lock (lodge_machine_get_path (machine), NULL);

  g_assert_cmpint (lock, >=, 0);
  g_assert_false (set (hardware, "disk0", "cache", "direct", &error));
  g_assert_error (error, LODGE_ERROR, LODGE_ERROR_BUSY);
  after = read_conf ();
  g_assert_cmpstr (before, ==, after);
}

static void
test_changes_are_all_or_nothing (void)
{
  g_autoptr (LodgeMachine) machine = make (CONF);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *before = read_conf ();
  g_autofree char *after = NULL;

  lodge_machine_configure_async (machine, g_variant_new_parsed ("[('disk0', 'cache', 'direct'), ('disk0', 'port', '99')]"), NULL,
                                 test_wait_cb, &result);
  test_wait (&result);
  g_assert_false (lodge_machine_configure_finish (machine, result, &error));
  g_assert_error (error, LODGE_ERROR, LODGE_ERROR_INVALID);
  after = read_conf ();
  g_assert_cmpstr (before, ==, after);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/hardware/devices-are-those-of-the-file", test_devices_are_those_of_the_file);
  g_test_add_func ("/hardware/catalog-describes-every-setting", test_catalog_describes_every_setting);
  g_test_add_func ("/hardware/value-is-written-and-seen", test_value_is_written_and_seen);
  g_test_add_func ("/hardware/wrong-value-changes-nothing", test_wrong_value_changes_nothing);
  g_test_add_func ("/hardware/add-and-remove", test_add_and_remove);
  g_test_add_func ("/hardware/what-cannot-be-added", test_what_cannot_be_added);
  g_test_add_func ("/hardware/new-disk-gets-its-image", test_new_disk_gets_its_image);
  g_test_add_func ("/hardware/given-image-tells-its-format", test_given_image_tells_its_format);
  g_test_add_func ("/hardware/boot-order", test_boot_order);
  g_test_add_func ("/hardware/running-machine-tells-what-is-pending", test_running_machine_tells_what_is_pending);
  g_test_add_func ("/hardware/removed-device-is-pending", test_removed_device_is_pending);
  g_test_add_func ("/hardware/locked-machine-is-left-alone", test_locked_machine_is_left_alone);
  g_test_add_func ("/hardware/changes-are-all-or-nothing", test_changes_are_all_or_nothing);
  return test_run ();
}
