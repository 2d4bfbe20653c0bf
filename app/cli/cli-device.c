/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lodge set, device list, device add, device remove: a machine's settings and devices, from the engine's tables. */
#include "cli/cli-private.h"

#include "engine/setting-list.h"
#include "model/hardware.h"

#include <glib/gi18n.h>
#include <json-glib/json-glib.h>

void
lodge_cli_device_more_help (void)
{
  g_autofree char *text = lodge_setting_list_dup_devices ();

  g_print ("\n%s\n%s", _ ("Classes of devices and their settings, with what holds if they are not given:"), text);
}

/* A path as a person gives it: from here if there is such a file, else as machine.conf means it. */
static char *
lcdv_dup_value (const LodgeSettingInfo *setting, const char *value)
{
  if (setting != NULL && setting->type == LODGE_SETTING_FILE && *value != '\0' && g_file_test (value, G_FILE_TEST_EXISTS))
    return g_canonicalize_filename (value, NULL);
  return g_strdup (value);
}

/* Says if what was done is yet to come. */
static int
lcdv_tell_pending (LodgeHardware *hardware)
{
  if (lodge_hardware_get_pending (hardware))
    {
      g_print (_ ("“%s” is on: this takes effect when it is started again."),
               lodge_machine_get_name (lodge_hardware_get_machine (hardware)));
      g_print ("\n");
    }
  return EXIT_SUCCESS;
}

static LodgeHardware *
lcdv_open (LodgeCliCall *call)
{
  LodgeMachine *machine = lodge_cli_find (call);

  if (machine == NULL)
    return NULL;
  if (lodge_machine_get_state (machine) == LODGE_MACHINE_STATE_BROKEN)
    {
      lodge_cli_fail (g_error_new_literal (LODGE_ERROR, LODGE_ERROR_CONFIG, lodge_machine_get_message (machine)));
      return NULL;
    }
  return lodge_hardware_new (machine);
}

int
lodge_cli_set (LodgeCliCall *call)
{
  g_autoptr (LodgeHardware) hardware = NULL;
  g_autoptr (GVariantBuilder) changes = g_variant_builder_new (G_VARIANT_TYPE ("a(sss)"));
  g_auto (LodgeCliWait) wait = { 0 };
  LodgeMachine *machine;
  GError *error = NULL;

  for (guint i = 1; i < call->arguments->len; i++)
    {
      const char *word = lodge_cli_argument (call, i), *dot = strchr (word, '.'), *equals = strchr (word, '=');

      if (dot == NULL || equals == NULL || dot == word || dot > equals || equals == dot + 1)
        return lodge_cli_usage (call, _ ("“%s” is not GROUP.KEY=VALUE."), word);
    }
  hardware = lcdv_open (call);
  if (hardware == NULL)
    return EXIT_FAILURE;
  for (guint i = 1; i < call->arguments->len; i++)
    {
      const char *word = lodge_cli_argument (call, i), *dot = strchr (word, '.'), *equals = strchr (word, '=');
      g_autofree char *group = g_strndup (word, (gsize) (dot - word));
      g_autofree char *key = g_strndup (dot + 1, (gsize) (equals - dot - 1));
      LodgeDevice *device = lodge_hardware_find (hardware, group);
      g_autofree char *value = lcdv_dup_value (device != NULL ? lodge_device_info_find (lodge_device_get_info (device), key) : NULL,
                                               equals + 1);

      g_variant_builder_add (changes, "(sss)", group, key, value);
    }
  machine = lodge_hardware_get_machine (hardware);
  lodge_machine_configure_async (machine, g_variant_builder_end (changes), NULL, lodge_cli_wait_cb, &wait);
  if (!lodge_machine_configure_finish (machine, lodge_cli_wait (&wait), &error))
    return lodge_cli_fail (error);
  return lcdv_tell_pending (hardware);
}

/* --- Devices ------------------------------------------------------------------------------------------------------------------- */

static const char *
lcdv_state_nick (LodgeDevice *device)
{
  g_autoptr (GEnumClass) klass = g_type_class_ref (LODGE_TYPE_DEVICE_STATE);

  return g_enum_get_value (klass, (int) lodge_device_get_state (device))->value_nick;
}

static const char *
lcdv_state_label (LodgeDevice *device)
{
  switch (lodge_device_get_state (device))
    {
    case LODGE_DEVICE_CHANGED:
      return _ ("(changes at the next start)");
    case LODGE_DEVICE_ADDED:
      return _ ("(comes with the next start)");
    case LODGE_DEVICE_SAME:
    default:
      return "";
    }
}

static void
lcdv_add_json (JsonBuilder *builder, LodgeDevice *device)
{
  const LodgeDeviceInfo *info = lodge_device_get_info (device);

  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "id");
  json_builder_add_string_value (builder, lodge_device_get_id (device));
  json_builder_set_member_name (builder, "class");
  json_builder_add_string_value (builder, info->name);
  json_builder_set_member_name (builder, "summary");
  json_builder_add_string_value (builder, info->summary);
  json_builder_set_member_name (builder, "bus");
  json_builder_add_string_value (builder, info->bus);
  json_builder_set_member_name (builder, "state");
  json_builder_add_string_value (builder, lcdv_state_nick (device));
  json_builder_set_member_name (builder, "settings");
  json_builder_begin_object (builder);
  for (guint i = 0; i < info->n_settings; i++)
    {
      const char *value = lodge_device_get_value (device, info->settings[i].key);

      json_builder_set_member_name (builder, info->settings[i].key);
      if (value != NULL)
        json_builder_add_string_value (builder, value);
      else
        json_builder_add_null_value (builder);
    }
  json_builder_end_object (builder);
  json_builder_end_object (builder);
}

static void
lcdv_print_device (LodgeDevice *device)
{
  const LodgeDeviceInfo *info = lodge_device_get_info (device);
  const char *state = lcdv_state_label (device);

  g_print ("%-12s  %-16s  %s%s%s\n", lodge_device_get_id (device), info->name, info->summary, *state != '\0' ? "  " : "", state);
}

int
lodge_cli_device_list (LodgeCliCall *call)
{
  g_autoptr (LodgeHardware) hardware = lcdv_open (call);
  gboolean as_json = lodge_cli_option (call, "json") != NULL;
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  if (hardware == NULL)
    return EXIT_FAILURE;
  json_builder_begin_array (builder);
  for (guint i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (hardware)); i++)
    {
      g_autoptr (LodgeDevice) device = g_list_model_get_item (G_LIST_MODEL (hardware), i);

      if (!lodge_device_is_removable (device))
        continue;
      if (as_json)
        lcdv_add_json (builder, device);
      else
        lcdv_print_device (device);
    }
  json_builder_end_array (builder);
  if (as_json)
    {
      g_autoptr (JsonNode) root = json_builder_get_root (builder);
      g_autofree char *text = json_to_string (root, TRUE);

      g_print ("%s\n", text);
    }
  return EXIT_SUCCESS;
}

int
lodge_cli_device_add (LodgeCliCall *call)
{
  const char *class_name = lodge_cli_argument (call, 1), *size = lodge_cli_option (call, "size");
  const LodgeDeviceInfo *info = lodge_device_catalog_find (class_name);
  g_autoptr (GHashTable) values = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr (LodgeHardware) hardware = NULL;
  g_auto (LodgeCliWait) wait = { 0 };
  g_autofree char *id = NULL;
  guint64 size_mib = 0;
  GError *error = NULL;

  for (guint i = 2; i < call->arguments->len; i++)
    {
      const char *word = lodge_cli_argument (call, i), *equals = strchr (word, '=');
      g_autofree char *key = equals != NULL ? g_strndup (word, (gsize) (equals - word)) : NULL;

      if (equals == NULL || equals == word)
        return lodge_cli_usage (call, _ ("“%s” is not KEY=VALUE."), word);
      g_hash_table_insert (values, g_strdup (key),
                           lcdv_dup_value (info != NULL ? lodge_device_info_find (info, key) : NULL, equals + 1));
    }
  if (size != NULL && (!lodge_cli_parse_size (size, 0, &size_mib) || size_mib == 0))
    return lodge_cli_usage (call, _ ("“%s” is not a size like 20G."), size);
  if (size != NULL && g_hash_table_contains (values, "image"))
    return lodge_cli_usage (call, "%s", _ ("--size makes an image; image=… gives one."));
  hardware = lcdv_open (call);
  if (hardware == NULL)
    return EXIT_FAILURE;
  lodge_hardware_add_async (hardware, class_name, lodge_cli_option (call, "id"), values, size_mib, NULL, lodge_cli_wait_cb, &wait);
  id = lodge_hardware_add_finish (hardware, lodge_cli_wait (&wait), &error);
  if (id == NULL)
    return lodge_cli_fail (error);
  g_print ("%s\n", id);
  return lcdv_tell_pending (hardware);
}

int
lodge_cli_device_remove (LodgeCliCall *call)
{
  g_autoptr (LodgeHardware) hardware = lcdv_open (call);
  g_auto (LodgeCliWait) wait = { 0 };
  g_autoptr (GVariant) undo = NULL;
  GError *error = NULL;

  if (hardware == NULL)
    return EXIT_FAILURE;
  lodge_hardware_remove_async (hardware, lodge_cli_argument (call, 1), NULL, lodge_cli_wait_cb, &wait);
  undo = lodge_hardware_remove_finish (hardware, lodge_cli_wait (&wait), &error);
  if (undo == NULL)
    return lodge_cli_fail (error);
  return lcdv_tell_pending (hardware);
}
