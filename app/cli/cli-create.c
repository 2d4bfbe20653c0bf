/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lodge create. */
#include "cli/cli-private.h"

#include "engine/bundle.h"
#include "engine/setting-list.h"
#include "media/os.h"
#include "model/host.h"
#include "model/machine-spec.h"

#include <gio/gio.h>
#include <glib-unix.h>
#include <glib/gi18n.h>
#include <string.h>
#include <unistd.h>

void
lodge_cli_create_more_help (void)
{
  g_autofree char *text = lodge_setting_list_dup_text ();

  g_print ("\n%s\n%s", _ ("Groups and keys for --set; a new group is a new device and needs its class first:"), text);
}

static int
lccr_list_systems (void)
{
  LodgeOsDatabase *database = lodge_os_database_get_default ();

  for (guint i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (database)); i++)
    {
      g_autoptr (LodgeOs) os = g_list_model_get_item (G_LIST_MODEL (database), i);

      g_print ("%s\t%s\n", lodge_os_get_id (os), lodge_os_get_name (os));
    }
  return EXIT_SUCCESS;
}

/* GROUP.KEY=VALUE; the group's name has no dot. */
static int
lccr_apply_set (LodgeCliCall *call, LodgeMachineSpec *spec, const char *text)
{
  const char *dot = strchr (text, '.');
  const char *equals = dot != NULL ? strchr (dot, '=') : NULL;
  g_autofree char *group = NULL;
  g_autofree char *key = NULL;
  GError *error = NULL;

  if (equals == NULL || dot == text || equals == dot + 1)
    return lodge_cli_usage (call, _ ("“%s” does not look like GROUP.KEY=VALUE."), text);
  group = g_strndup (text, (gsize) (dot - text));
  key = g_strndup (dot + 1, (gsize) (equals - dot - 1));
  if (!lodge_machine_spec_set_setting (spec, group, key, equals[1] != '\0' ? equals + 1 : NULL, &error))
    return lodge_cli_fail (error);
  return 0;
}

static int
lccr_set (LodgeMachineSpec *spec, const char *group, const char *key, const char *path)
{
  g_autofree char *absolute = g_canonicalize_filename (path, NULL);
  GError *error = NULL;

  if (!lodge_bundle_check_file (absolute, &error) || !lodge_machine_spec_set_setting (spec, group, key, absolute, &error))
    return lodge_cli_fail (error);
  return 0;
}

/* What the machine starts from: the image before the kernel before the disc; the others become settings. */
static int
lccr_apply_sources (LodgeCliCall *call, LodgeMachineSpec *spec)
{
  const char *iso = lodge_cli_option (call, "iso"), *image = lodge_cli_option (call, "import");
  const char *kernel = lodge_cli_option (call, "kernel");
  LodgeSource source = image != NULL    ? LODGE_SOURCE_IMAGE
                       : kernel != NULL ? LODGE_SOURCE_KERNEL
                       : iso != NULL    ? LODGE_SOURCE_ISO
                                        : LODGE_SOURCE_EMPTY;
  int status = 0;

  if (kernel == NULL && (lodge_cli_option (call, "initrd") != NULL || lodge_cli_option (call, "append") != NULL))
    return lodge_cli_usage (call, "%s", _ ("--initrd and --append go with --kernel."));
  if (image == NULL && lodge_cli_option (call, "link") != NULL)
    return lodge_cli_usage (call, "%s", _ ("--link goes with --import."));
  lodge_machine_spec_set_source (spec, source);
  lodge_machine_spec_set_link_image (spec, lodge_cli_option (call, "link") != NULL);
  lodge_machine_spec_set_path (spec, image != NULL ? image : kernel != NULL ? kernel : iso);
  if (source == LODGE_SOURCE_KERNEL)
    {
      lodge_machine_spec_set_initrd (spec, lodge_cli_option (call, "initrd"));
      lodge_machine_spec_set_kernel_args (spec, lodge_cli_option (call, "append"));
    }
  else if (kernel != NULL)
    {
      GError *error = NULL;

      status = lccr_set (spec, "kernel", "kernel", kernel);
      if (status == 0 && lodge_cli_option (call, "initrd") != NULL)
        status = lccr_set (spec, "kernel", "initrd", lodge_cli_option (call, "initrd"));
      if (status == 0 && lodge_cli_option (call, "append") != NULL
          && !lodge_machine_spec_set_setting (spec, "kernel", "append", lodge_cli_option (call, "append"), &error))
        status = lodge_cli_fail (error);
    }
  if (status == 0 && iso != NULL && source != LODGE_SOURCE_ISO)
    status = lccr_set (spec, "cdrom0", "image", iso);
  return status;
}

static int
lccr_apply_resources (LodgeCliCall *call, LodgeMachineSpec *spec)
{
  const char *memory = lodge_cli_option (call, "memory"), *cpus = lodge_cli_option (call, "cpus"),
             *disk = lodge_cli_option (call, "disk"), *firmware = lodge_cli_option (call, "firmware");
  guint64 number;

  if (memory != NULL)
    {
      if (!lodge_cli_parse_size (memory, 1 << 20, &number))
        return lodge_cli_usage (call, _ ("“%s” is not an amount of memory like 2048 or 2G."), memory);
      lodge_machine_spec_set_memory_mib (spec, (guint) MIN (number, G_MAXINT));
    }
  if (cpus != NULL)
    {
      if (!g_ascii_string_to_unsigned (cpus, 10, 0, G_MAXINT, &number, NULL))
        return lodge_cli_usage (call, _ ("“%s” is not a number of processors."), cpus);
      lodge_machine_spec_set_cpus (spec, (guint) number);
    }
  if (disk != NULL)
    {
      if (!lodge_cli_parse_size (disk, 0, &number))
        return lodge_cli_usage (call, _ ("“%s” is not a size like 20G."), disk);
      if (number == 0 && strspn (disk, "0") != strlen (disk))
        return lodge_cli_usage (call, _ ("“%s” is not a size like 20G."), disk);
      lodge_machine_spec_set_disk_mib (spec, number);
    }
  if (firmware != NULL)
    {
      if (!g_str_equal (firmware, "bios") && !g_str_equal (firmware, "uefi"))
        return lodge_cli_usage (call, _ ("“%s” is not a firmware: it is bios or uefi."), firmware);
      lodge_machine_spec_set_firmware (spec, firmware);
    }
  if (lodge_cli_option (call, "tpm") != NULL)
    lodge_machine_spec_set_tpm (spec, TRUE);
  return 0;
}

static void
lccr_on_progress_cb (LodgeOperation *operation, GParamSpec *pspec, gpointer user_data)
{
  double fraction = lodge_operation_get_fraction (operation);
  g_autofree char *detail = lodge_operation_dup_detail (operation);

  if (lodge_operation_get_title (operation) != NULL && fraction >= 0)
    g_printerr ("\r%s: %3.0f %% (%s)\033[K", lodge_operation_get_title (operation), fraction * 100, detail);
}

static gboolean
lccr_on_interrupt_cb (gpointer data)
{
  lodge_operation_cancel (data);
  return G_SOURCE_CONTINUE;
}

static int
lccr_make (LodgeMachineSpec *spec)
{
  g_autoptr (LodgeOperation) operation = lodge_operation_new ();
  g_auto (LodgeCliWait) wait = { 0 };
  g_autoptr (LodgeMachine) machine = NULL;
  gboolean shows = isatty (STDERR_FILENO);
  guint int_id = g_unix_signal_add (SIGINT, lccr_on_interrupt_cb, operation);
  guint term_id = g_unix_signal_add (SIGTERM, lccr_on_interrupt_cb, operation);
  GError *error = NULL;

  if (shows)
    g_signal_connect (operation, "notify", G_CALLBACK (lccr_on_progress_cb), NULL);
  lodge_machine_spec_create_async (spec, operation, lodge_cli_wait_cb, &wait);
  machine = lodge_machine_spec_create_finish (spec, lodge_cli_wait (&wait), &error);
  g_signal_handlers_disconnect_by_func (operation, lccr_on_progress_cb, NULL);
  g_source_remove (int_id);
  g_source_remove (term_id);
  if (shows && lodge_operation_get_total_bytes (operation) > 0)
    g_printerr ("\r\033[K");
  return machine != NULL ? EXIT_SUCCESS : lodge_cli_fail (error);
}

int
lodge_cli_create (LodgeCliCall *call)
{
  g_autoptr (LodgeMachineSpec) spec = lodge_machine_spec_new (call->library);
  const char *os_id = lodge_cli_option (call, "os");
  GPtrArray *sets = lodge_cli_option_all (call, "set");
  g_auto (LodgeCliWait) wait = { 0 };
  LodgeOsDatabase *database = lodge_os_database_get_default ();
  int status;

  lodge_machine_spec_set_name (spec, lodge_cli_argument (call, 0));
  status = lccr_apply_sources (call, spec);
  if (status != 0)
    return status;
  /* The database of systems takes a second to read: only for who asks for one, or for a disc that may have one. */
  if (os_id != NULL || lodge_machine_spec_get_source (spec) == LODGE_SOURCE_ISO)
    {
      lodge_machine_spec_prepare_async (spec, NULL, lodge_cli_wait_cb, &wait);
      lodge_machine_spec_prepare_finish (spec, lodge_cli_wait (&wait), NULL);
    }
  else
    {
      lodge_host_refresh_async (lodge_host_get_default (), NULL, lodge_cli_wait_cb, &wait);
      lodge_host_refresh_finish (lodge_host_get_default (), lodge_cli_wait (&wait), NULL);
    }

  if (g_strcmp0 (os_id, "list") == 0)
    return lccr_list_systems ();
  if (os_id != NULL && g_list_model_get_n_items (G_LIST_MODEL (database)) > 0
      && lodge_os_database_find_similar (database, os_id) == NULL)
    return lodge_cli_fail (g_error_new (LODGE_ERROR, LODGE_ERROR_INVALID,
                                        _ ("There is no operating system “%s”. “--os list” shows all."), os_id));
  if (os_id != NULL)
    lodge_machine_spec_set_os_id (spec, os_id);
  status = lccr_apply_resources (call, spec);
  for (guint i = 0; status == 0 && sets != NULL && i < sets->len; i++)
    status = lccr_apply_set (call, spec, sets->pdata[i]);
  return status == 0 ? lccr_make (spec) : status;
}
