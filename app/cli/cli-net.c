/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lodge net forward: ports of this computer that lead into a machine. */
#include "cli/cli-private.h"

#include "engine/net-forwards.h"
#include "model/hardware.h"

#include <glib/gi18n.h>

/* The network device that is meant: the one given, or the first. */
static LodgeDevice *
lcnt_find_device (LodgeCliCall *call, LodgeHardware *hardware)
{
  const char *wanted = lodge_cli_option (call, "device");

  for (guint i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (hardware)); i++)
    {
      g_autoptr (LodgeDevice) device = g_list_model_get_item (G_LIST_MODEL (hardware), i);

      if (lodge_device_info_find (lodge_device_get_info (device), "forward") != NULL
          && (wanted == NULL || g_str_equal (wanted, lodge_device_get_id (device))))
        return device; /* the model holds it */
    }
  lodge_cli_fail (g_error_new (LODGE_ERROR, LODGE_ERROR_NOT_FOUND,
                               wanted != NULL ? _ ("“%s” has no network device “%s”.") : _ ("“%s” has no network device."),
                               lodge_machine_get_name (lodge_hardware_get_machine (hardware)), wanted));
  return NULL;
}

static int
lcnt_list (const char *value)
{
  GError *error = NULL;
  g_auto (GStrv) forwards = lodge_net_forwards_parse (value, &error);

  if (forwards == NULL)
    return lodge_cli_fail (error);
  for (guint i = 0; forwards[i] != NULL; i++)
    g_print ("%s\n", forwards[i]);
  return EXIT_SUCCESS;
}

int
lodge_cli_net_forward (LodgeCliCall *call)
{
  const char *action = lodge_cli_argument (call, 1), *forward = lodge_cli_argument (call, 2);
  gboolean lists = g_str_equal (action, "list"), adds = g_str_equal (action, "add");
  g_autoptr (LodgeHardware) hardware = NULL;
  g_auto (LodgeCliWait) wait = { 0 };
  g_autofree char *value = NULL;
  LodgeMachine *machine;
  LodgeDevice *device;
  const char *before;
  GError *error = NULL;

  if (!lists && !adds && !g_str_equal (action, "remove"))
    return lodge_cli_usage (call, _ ("“%s” is not add, remove or list."), action);
  if (lists != (forward == NULL))
    return lists ? lodge_cli_usage (call, _ ("“%s” is too much."), forward)
                 : lodge_cli_usage (call, _ ("Something is missing: %s."), "FORWARD");
  machine = lodge_cli_find (call);
  if (machine == NULL)
    return EXIT_FAILURE;
  hardware = lodge_hardware_new (machine);
  device = lcnt_find_device (call, hardware);
  if (device == NULL)
    return EXIT_FAILURE;
  before = lodge_device_get_value (device, "forward");
  if (lists)
    return lcnt_list (before);
  value = adds ? lodge_net_forwards_add (before, forward, &error) : lodge_net_forwards_remove (before, forward, &error);
  if (value == NULL)
    return lodge_cli_fail (error);
  lodge_hardware_set_async (hardware, lodge_device_get_id (device), "forward", *value != '\0' ? value : NULL, NULL,
                            lodge_cli_wait_cb, &wait);
  return lodge_hardware_set_finish (hardware, lodge_cli_wait (&wait), &error) ? EXIT_SUCCESS : lodge_cli_fail (error);
}
