/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lodge list, show, host: as text for people and as JSON for programs. */
#include "cli/cli-private.h"

#include "engine/bundle-machine.h"
#include "engine/bundle.h"
#include "model/host.h"

#include <glib/gi18n.h>
#include <json-glib/json-glib.h>

static void
lcsh_print_json (JsonBuilder *builder)
{
  g_autoptr (JsonNode) root = json_builder_get_root (builder);
  g_autofree char *text = json_to_string (root, TRUE);

  g_print ("%s\n", text);
}

static void
lcsh_add_string (JsonBuilder *builder, const char *name, const char *value)
{
  json_builder_set_member_name (builder, name);
  if (value != NULL)
    json_builder_add_string_value (builder, value);
  else
    json_builder_add_null_value (builder);
}

static void
lcsh_add_int (JsonBuilder *builder, const char *name, gint64 value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_int_value (builder, value);
}

static void
lcsh_add_bool (JsonBuilder *builder, const char *name, gboolean value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_boolean_value (builder, value);
}

static const char *
lcsh_reason (LodgeMachine *machine)
{
  g_autoptr (GEnumClass) klass = g_type_class_ref (LODGE_TYPE_REASON);

  return g_enum_get_value (klass, (int) lodge_machine_get_reason (machine))->value_nick;
}

static void
lcsh_add_machine (JsonBuilder *builder, LodgeMachine *machine)
{
  guint pid = LODGE_IS_BUNDLE_MACHINE (machine) ? lodge_bundle_machine_get_process_id (LODGE_BUNDLE_MACHINE (machine)) : 0;

  lcsh_add_string (builder, "name", lodge_machine_get_name (machine));
  lcsh_add_string (builder, "uuid", lodge_machine_get_uuid (machine));
  lcsh_add_string (builder, "path", lodge_machine_get_path (machine));
  lcsh_add_string (builder, "os", lodge_machine_get_os_id (machine));
  lcsh_add_string (builder, "state", lodge_machine_state_to_nick (lodge_machine_get_state (machine)));
  lcsh_add_string (builder, "reason", lcsh_reason (machine));
  lcsh_add_string (builder, "message", lodge_machine_get_message (machine));
  lcsh_add_int (builder, "memory_mib", lodge_machine_get_memory_mib (machine));
  lcsh_add_int (builder, "cpus", lodge_machine_get_cpus (machine));
  lcsh_add_string (builder, "medium", lodge_machine_get_medium (machine));
  lcsh_add_int (builder, "started_at", lodge_machine_get_started_at (machine));
  lcsh_add_bool (builder, "window", lodge_machine_get_has_window (machine));
  lcsh_add_int (builder, "pid", pid);
}

int
lodge_cli_list (LodgeCliCall *call)
{
  guint n_machines = g_list_model_get_n_items (G_LIST_MODEL (call->library));
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autofree char *message = NULL;

  g_object_get (call->library, "message", &message, NULL);
  if (message != NULL)
    return lodge_cli_fail (g_error_new_literal (LODGE_ERROR, LODGE_ERROR_FAILED, message));
  json_builder_begin_array (builder);
  for (guint i = 0; i < n_machines; i++)
    {
      g_autoptr (LodgeMachine) machine = g_list_model_get_item (G_LIST_MODEL (call->library), i);

      if (lodge_cli_option (call, "json") == NULL)
        {
          const char *state = lodge_machine_state_to_label (lodge_machine_get_state (machine));

          g_print ("%s%*s  %s\n", state, (int) MAX (0, 10 - g_utf8_strlen (state, -1)), "", lodge_machine_get_name (machine));
          continue;
        }
      json_builder_begin_object (builder);
      lcsh_add_machine (builder, machine);
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);
  if (lodge_cli_option (call, "json") != NULL)
    lcsh_print_json (builder);
  return EXIT_SUCCESS;
}

static void
lcsh_add_settings (JsonBuilder *builder, LodgeBundle *bundle)
{
  g_auto (GStrv) groups = lodge_bundle_dup_groups (bundle);

  json_builder_set_member_name (builder, "settings");
  json_builder_begin_object (builder);
  for (gsize i = 0; groups[i] != NULL; i++)
    {
      g_auto (GStrv) keys = lodge_bundle_dup_keys (bundle, groups[i]);

      json_builder_set_member_name (builder, groups[i]);
      json_builder_begin_object (builder);
      for (gsize j = 0; keys[j] != NULL; j++)
        {
          g_autofree char *value = lodge_bundle_dup_value (bundle, groups[i], keys[j]);

          lcsh_add_string (builder, keys[j], value);
        }
      json_builder_end_object (builder);
    }
  json_builder_end_object (builder);
}

static void
lcsh_print_line (const char *name, const char *value)
{
  if (value != NULL)
    g_print ("%s%*s  %s\n", name, (int) MAX (0, 12 - g_utf8_strlen (name, -1)), "", value);
}

static void
lcsh_print_machine (LodgeMachine *machine, LodgeBundle *bundle)
{
  const char *message = lodge_machine_get_message (machine);
  g_autofree char *details = NULL;
  g_autofree char *sentence = message != NULL ? lodge_error_split (message, &details) : NULL;
  g_auto (GStrv) groups = bundle != NULL ? lodge_bundle_dup_groups (bundle) : NULL;

  lcsh_print_line (_ ("Name"), lodge_machine_get_name (machine));
  lcsh_print_line (_ ("Identifier"), lodge_machine_get_uuid (machine));
  lcsh_print_line (_ ("Folder"), lodge_machine_get_path (machine));
  lcsh_print_line (_ ("State"), lodge_machine_state_to_label (lodge_machine_get_state (machine)));
  lcsh_print_line (_ ("Message"), sentence);
  lcsh_print_line (_ ("Details"), details);
  lcsh_print_line (_ ("Disc"), lodge_machine_get_medium (machine));
  for (gsize i = 0; groups != NULL && groups[i] != NULL; i++)
    {
      g_auto (GStrv) keys = lodge_bundle_dup_keys (bundle, groups[i]);

      g_print ("\n[%s]\n", groups[i]);
      for (gsize j = 0; keys[j] != NULL; j++)
        {
          g_autofree char *value = lodge_bundle_dup_value (bundle, groups[i], keys[j]);

          g_print ("%s=%s\n", keys[j], value);
        }
    }
}

int
lodge_cli_show (LodgeCliCall *call)
{
  LodgeMachine *machine = lodge_cli_find (call);
  g_autoptr (LodgeBundle) bundle = NULL;

  if (machine == NULL)
    return EXIT_FAILURE;
  bundle = lodge_bundle_load (lodge_machine_get_path (machine), NULL); /* a broken one has its message */
  if (lodge_cli_option (call, "json") != NULL)
    {
      g_autoptr (JsonBuilder) builder = json_builder_new ();

      json_builder_begin_object (builder);
      lcsh_add_machine (builder, machine);
      if (bundle != NULL)
        lcsh_add_settings (builder, bundle);
      json_builder_end_object (builder);
      lcsh_print_json (builder);
    }
  else
    lcsh_print_machine (machine, bundle);
  return EXIT_SUCCESS;
}

static const char *const lcsh_features[] = { "irqfd", "ioeventfd", "smm", "io_uring" };

static void
lcsh_print_host_json (LodgeHost *host)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (GEnumClass) klass = g_type_class_ref (LODGE_TYPE_KVM_STATUS);

  json_builder_begin_object (builder);
  lcsh_add_string (builder, "kvm", g_enum_get_value (klass, (int) lodge_host_get_kvm (host))->value_nick);
  lcsh_add_string (builder, "problem", lodge_host_get_title (host));
  lcsh_add_string (builder, "remedy", lodge_host_get_remedy (host));
  lcsh_add_string (builder, "command", lodge_host_get_command (host));
  lcsh_add_string (builder, "detail", lodge_host_get_detail (host));
  lcsh_add_string (builder, "cpu_model", lodge_host_get_cpu_model (host));
  lcsh_add_int (builder, "cpus", lodge_host_get_cpus (host));
  lcsh_add_int (builder, "max_cpus", lodge_host_get_max_cpus (host));
  lcsh_add_int (builder, "memory_bytes", (gint64) lodge_host_get_memory_bytes (host));
  lcsh_add_int (builder, "available_bytes", (gint64) lodge_host_get_available_bytes (host));
  lcsh_add_string (builder, "bios", lodge_host_get_bios_path (host));
  lcsh_add_string (builder, "vgabios", lodge_host_get_vgabios_path (host));
  lcsh_add_string (builder, "uefi", lodge_host_get_uefi_path (host));
  lcsh_add_string (builder, "swtpm", lodge_host_get_swtpm_path (host));
  for (gsize i = 0; i < G_N_ELEMENTS (lcsh_features); i++)
    lcsh_add_bool (builder, lcsh_features[i], lodge_host_has_feature (host, lcsh_features[i]));
  json_builder_end_object (builder);
  lcsh_print_json (builder);
}

int
lodge_cli_host (LodgeCliCall *call)
{
  LodgeHost *host = lodge_host_get_default ();
  g_auto (LodgeCliWait) wait = { 0 };
  g_autofree char *memory = NULL;
  g_autofree char *available = NULL;
  g_autofree char *cpus = NULL;
  g_autoptr (GString) features = g_string_new (NULL);

  lodge_host_refresh_async (host, NULL, lodge_cli_wait_cb, &wait);
  lodge_host_refresh_finish (host, lodge_cli_wait (&wait), NULL);
  if (lodge_cli_option (call, "json") != NULL)
    {
      lcsh_print_host_json (host);
      return EXIT_SUCCESS;
    }

  memory = g_format_size_full (lodge_host_get_memory_bytes (host), G_FORMAT_SIZE_IEC_UNITS);
  available = g_format_size_full (lodge_host_get_available_bytes (host), G_FORMAT_SIZE_IEC_UNITS);
  cpus = g_strdup_printf (_ ("%u × %s; a machine may have %u"), lodge_host_get_cpus (host), lodge_host_get_cpu_model (host),
                          lodge_host_get_max_cpus (host));
  for (gsize i = 0; i < G_N_ELEMENTS (lcsh_features); i++)
    g_string_append_printf (features, "%s%s %s", i > 0 ? ", " : "", lcsh_features[i],
                            lodge_host_has_feature (host, lcsh_features[i]) ? _ ("yes") : _ ("no"));
  lcsh_print_line ("KVM", lodge_host_get_title (host) != NULL ? lodge_host_get_title (host) : _ ("Ready"));
  lcsh_print_line (_ ("Details"), lodge_host_get_detail (host));
  lcsh_print_line (_ ("Remedy"), lodge_host_get_remedy (host));
  lcsh_print_line (_ ("Command"), lodge_host_get_command (host));
  lcsh_print_line (_ ("Processors"), cpus);
  g_print (_ ("Memory        %s, %s free"), memory, available);
  g_print ("\n");
  lcsh_print_line (_ ("BIOS"),
                   lodge_host_get_bios_path (host) != NULL ? lodge_host_get_bios_path (host) : _ ("missing: install SeaBIOS"));
  lcsh_print_line (_ ("VGA BIOS"), lodge_host_get_vgabios_path (host) != NULL ? lodge_host_get_vgabios_path (host)
                                                                              : _ ("missing: install SeaBIOS"));
  lcsh_print_line (_ ("UEFI"),
                   lodge_host_get_uefi_path (host) != NULL ? lodge_host_get_uefi_path (host) : _ ("missing: install OVMF"));
  lcsh_print_line (_ ("TPM"),
                   lodge_host_get_swtpm_path (host) != NULL ? lodge_host_get_swtpm_path (host) : _ ("missing: install swtpm"));
  lcsh_print_line (_ ("Features"), features->str);
  if (lodge_host_get_kvm (host) == LODGE_KVM_OK)
    lcsh_print_line (_ ("Secure Boot"), _ ("no: the engine has no system management mode (SMM)"));
  return EXIT_SUCCESS;
}
