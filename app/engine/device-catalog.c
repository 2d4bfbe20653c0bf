/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engine's tables in the words of app/, translated once. */
#include "engine/device-catalog.h"

#include <glib/gi18n.h>
#include <vmm.h>

typedef struct {
  LodgeDeviceInfo *infos[3]; /* machine, kernel, the devices */
  const LodgeDeviceInfo **devices;
  guint n_devices;
} LdcatCatalog;

static LodgeSettingInfo *
ldcat_take_settings (const VmmSetting *settings, guint *ret_n)
{
  static const LodgeSettingType types[] = {
    [VMM_SETTING_STRING] = LODGE_SETTING_TEXT, [VMM_SETTING_PATH] = LODGE_SETTING_FILE,   [VMM_SETTING_INT] = LODGE_SETTING_NUMBER,
    [VMM_SETTING_BOOL] = LODGE_SETTING_SWITCH, [VMM_SETTING_ENUM] = LODGE_SETTING_CHOICE,
  };
  LodgeSettingInfo *infos;
  guint n = 0;

  while (settings != NULL && settings[n].key != NULL)
    n++;
  infos = g_new0 (LodgeSettingInfo, n + 1);
  for (guint i = 0; i < n; i++)
    infos[i] = (LodgeSettingInfo) { .key = settings[i].key,
                                    .type = types[settings[i].type],
                                    .fallback = settings[i].fallback,
                                    .minimum = settings[i].min,
                                    .maximum = settings[i].max,
                                    .choices = settings[i].choices,
                                    .summary = _ (settings[i].summary),
                                    .required = (settings[i].flags & VMM_SETTING_REQUIRED) != 0,
                                    .live = (settings[i].flags & VMM_SETTING_LIVE) != 0 };
  *ret_n = n;
  return infos;
}

static void
ldcat_take (LodgeDeviceInfo *info, const char *name, const char *summary, const char *description, const char *bus,
            const VmmSetting *settings)
{
  info->name = name;
  info->summary = summary;
  info->description = description;
  info->bus = bus;
  info->settings = ldcat_take_settings (settings, &info->n_settings);
}

static const LdcatCatalog *
ldcat_get (void)
{
  static gsize once;
  static LdcatCatalog catalog; /* made once, constant afterwards */

  if (g_once_init_enter (&once))
    {
      const VmmClassInfo *classes = vmm_class_list ();
      guint n = 0;

      for (guint i = 0; classes[i].name != NULL; i++)
        n += classes[i].user_creatable ? 1 : 0;
      for (guint i = 0; i < 2; i++)
        catalog.infos[i] = g_new0 (LodgeDeviceInfo, 1);
      catalog.infos[2] = g_new0 (LodgeDeviceInfo, n + 1);
      catalog.devices = g_new0 (const LodgeDeviceInfo *, n + 1);
      ldcat_take (catalog.infos[0], "machine", _ ("System"), NULL, "system", vmm_machine_settings ());
      ldcat_take (catalog.infos[1], "kernel", _ ("Direct kernel start"), NULL, "system", vmm_kernel_settings ());
      for (guint i = 0; classes[i].name != NULL; i++)
        if (classes[i].user_creatable)
          {
            LodgeDeviceInfo *info = &catalog.infos[2][catalog.n_devices];

            ldcat_take (info, classes[i].name, _ (classes[i].summary),
                        classes[i].description != NULL ? _ (classes[i].description) : NULL, classes[i].bus, classes[i].settings);
            catalog.devices[catalog.n_devices++] = info;
          }
      g_once_init_leave (&once, 1);
    }
  return &catalog;
}

const LodgeDeviceInfo *const *
lodge_device_catalog_list (guint *ret_n)
{
  const LdcatCatalog *catalog = ldcat_get ();

  *ret_n = catalog->n_devices;
  return catalog->devices;
}

const LodgeDeviceInfo *
lodge_device_catalog_find (const char *name)
{
  const LdcatCatalog *catalog = ldcat_get ();

  for (guint i = 0; i < catalog->n_devices; i++)
    if (g_str_equal (catalog->devices[i]->name, name))
      return catalog->devices[i];
  return NULL;
}

const LodgeDeviceInfo *
lodge_device_catalog_get_machine (void)
{
  return ldcat_get ()->infos[0];
}

const LodgeDeviceInfo *
lodge_device_catalog_get_kernel (void)
{
  return ldcat_get ()->infos[1];
}

const LodgeSettingInfo *
lodge_device_info_find (const LodgeDeviceInfo *info, const char *key)
{
  for (guint i = 0; i < info->n_settings; i++)
    if (g_str_equal (info->settings[i].key, key))
      return &info->settings[i];
  return NULL;
}

gboolean
lodge_device_info_takes_new_disk (const LodgeDeviceInfo *info)
{
  const LodgeSettingInfo *image = lodge_device_info_find (info, "image"), *format = lodge_device_info_find (info, "format");

  return image != NULL && image->type == LODGE_SETTING_FILE && image->required && format != NULL
         && format->type == LODGE_SETTING_CHOICE && g_strv_contains (format->choices, "qcow2");
}

gboolean
lodge_device_info_is_drive (const LodgeDeviceInfo *info)
{
  const LodgeSettingInfo *image = lodge_device_info_find (info, "image");

  return image != NULL && image->type == LODGE_SETTING_FILE && image->live && !image->required;
}

gboolean
lodge_device_info_is_screen (const LodgeDeviceInfo *info)
{
  return lodge_device_info_find (info, "width") != NULL && lodge_device_info_find (info, "height") != NULL;
}

gboolean
lodge_device_info_is_network (const LodgeDeviceInfo *info)
{
  return lodge_device_info_find (info, "mac") != NULL && lodge_device_info_find (info, "link") != NULL;
}

char *
lodge_setting_info_dup_values (const LodgeSettingInfo *setting)
{
  switch (setting->type)
    {
    case LODGE_SETTING_NUMBER:
      return g_strdup_printf ("%" G_GINT64_FORMAT "…%" G_GINT64_FORMAT, setting->minimum, setting->maximum);
    case LODGE_SETTING_SWITCH:
      return g_strdup ("true|false");
    case LODGE_SETTING_CHOICE:
      return g_strjoinv ("|", (char **) setting->choices);
    case LODGE_SETTING_FILE:
      return g_strdup (_ ("FILE"));
    case LODGE_SETTING_TEXT:
    default:
      return g_strdup (_ ("TEXT"));
    }
}
