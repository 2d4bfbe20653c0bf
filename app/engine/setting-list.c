/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engine's setting tables as text. */
#include "engine/setting-list.h"

#include "engine/device-catalog.h"

static void
lsel_append (GString *text, const char *title, const char *summary, const LodgeDeviceInfo *info)
{
  g_string_append_printf (text, "\n  %s%s%s\n", title, summary != NULL ? "  " : "", summary != NULL ? summary : "");
  for (guint i = 0; i < info->n_settings; i++)
    {
      const LodgeSettingInfo *setting = &info->settings[i];
      g_autofree char *values = lodge_setting_info_dup_values (setting);
      g_autofree char *left = g_strdup_printf ("%s=%s", setting->key, values);

      g_string_append_printf (text, "    %s%*s  %s", left, (int) MAX (0, 28 - g_utf8_strlen (left, -1)), "", setting->summary);
      if (setting->fallback != NULL)
        g_string_append_printf (text, " [%s]", setting->fallback);
      g_string_append_c (text, '\n');
    }
}

char *
lodge_setting_list_dup_devices (void)
{
  GString *text = g_string_new (NULL);
  guint n;
  const LodgeDeviceInfo *const *devices = lodge_device_catalog_list (&n);

  for (guint i = 0; i < n; i++)
    {
      g_autofree char *title = g_strconcat ("class=", devices[i]->name, NULL);

      lsel_append (text, title, devices[i]->summary, devices[i]);
    }
  return g_string_free (text, FALSE);
}

char *
lodge_setting_list_dup_text (void)
{
  GString *text = g_string_new (NULL);
  g_autofree char *devices = lodge_setting_list_dup_devices ();

  lsel_append (text, "machine", NULL, lodge_device_catalog_get_machine ());
  lsel_append (text, "kernel", NULL, lodge_device_catalog_get_kernel ());
  g_string_append (text, devices);
  return g_string_free (text, FALSE);
}
