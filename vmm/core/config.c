/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The settings of [machine] and [kernel], and the check of machine.conf against the tables. */
#include "core/config.h"

#include "core/device.h"

struct _VmmConfig {
  gatomicrefcount ref_count;
  char *base_dir;
  GHashTable *machine, *kernel; /* key -> value */
  gboolean has_kernel;
  GPtrArray *devices; /* VmmConfigDevice */
};

static const char *const cfg_firmwares[] = { "bios", "uefi", NULL };
static const char *const cfg_cpu_models[] = { "host", "x86-64-v2", "x86-64-v3", NULL };
static const char *const cfg_hyperv[] = { "auto", "on", "off", NULL };
static const char *const cfg_rtc_bases[] = { "utc", "local", NULL };
static const char *const cfg_triple_faults[] = { "stop", "reset", NULL };

static const VmmSetting cfg_machine_settings[] = {
  { "name", VMM_SETTING_STRING, NULL, 0, 0, NULL, N_ ("Name"), VMM_SETTING_NONE },
  { "uuid", VMM_SETTING_STRING, NULL, 0, 0, NULL, N_ ("Identifier that the guest's firmware shows"), VMM_SETTING_NONE },
  { "os", VMM_SETTING_STRING, NULL, 0, 0, NULL, N_ ("Operating system, as libosinfo names it"), VMM_SETTING_NONE },
  { "notes", VMM_SETTING_STRING, NULL, 0, 0, NULL, N_ ("Notes"), VMM_SETTING_LIVE },
  { "memory", VMM_SETTING_INT, "1024", 4, 1048576, NULL, N_ ("Memory in MiB"), VMM_SETTING_NONE },
  { "cpus", VMM_SETTING_INT, "1", 1, 64, NULL, N_ ("Processors"), VMM_SETTING_NONE },
  { "cpu-model", VMM_SETTING_ENUM, "host", 0, 0, cfg_cpu_models, N_ ("Model of the processors"), VMM_SETTING_NONE },
  { "cpu-features", VMM_SETTING_STRING, NULL, 0, 0, NULL, N_ ("Features on or off, such as +aes,-rdrand"), VMM_SETTING_NONE },
  { "hyperv", VMM_SETTING_ENUM, "auto", 0, 0, cfg_hyperv, N_ ("What makes Windows faster in a machine; auto: for Windows"),
    VMM_SETTING_NONE },
  { "firmware", VMM_SETTING_ENUM, "bios", 0, 0, cfg_firmwares, N_ ("Firmware"), VMM_SETTING_NONE },
  { "firmware-image", VMM_SETTING_PATH, NULL, 0, 0, NULL, N_ ("Firmware image instead of the host's"), VMM_SETTING_NONE },
  { "nvram", VMM_SETTING_PATH, "nvram.fd", 0, 0, NULL, N_ ("UEFI variables of this machine"), VMM_SETTING_NONE },
  { "boot-menu", VMM_SETTING_BOOL, "false", 0, 0, NULL, N_ ("Offer the firmware's boot menu"), VMM_SETTING_NONE },
  { "clock", VMM_SETTING_ENUM, "utc", 0, 0, cfg_rtc_bases, N_ ("Time zone of the hardware clock"), VMM_SETTING_NONE },
  { "triple-fault", VMM_SETTING_ENUM, "stop", 0, 0, cfg_triple_faults, N_ ("What a triple fault does"), VMM_SETTING_NONE },
  { NULL },
};

static const VmmSetting cfg_kernel_settings[] = {
  { "kernel", VMM_SETTING_PATH, NULL, 0, 0, NULL, N_ ("Kernel to start directly"), VMM_SETTING_REQUIRED },
  { "initrd", VMM_SETTING_PATH, NULL, 0, 0, NULL, N_ ("Initial RAM disk"), VMM_SETTING_NONE },
  { "append", VMM_SETTING_STRING, NULL, 0, 0, NULL, N_ ("Kernel command line"), VMM_SETTING_NONE },
  { "modules", VMM_SETTING_STRING, NULL, 0, 0, NULL, N_ ("Multiboot modules, separated by semicolons"), VMM_SETTING_NONE },
  { NULL },
};

const VmmSetting *
vmm_machine_settings (void)
{
  return cfg_machine_settings;
}

const VmmSetting *
vmm_kernel_settings (void)
{
  return cfg_kernel_settings;
}

const VmmClassInfo *
vmm_class_list (void)
{
  static gsize once;
  static VmmClassInfo *list; /* made once, constant afterwards */

  if (g_once_init_enter (&once))
    {
      static const char *const buses[] = { "system", "pci", "sata", "usb", "ide" };
      guint n = 0;

      while (vmm_device_classes[n] != NULL)
        n++;
      list = g_new0 (VmmClassInfo, n + 1);
      for (guint i = 0; i < n; i++)
        list[i] = (VmmClassInfo) { .name = vmm_device_classes[i]->name,
                                   .summary = vmm_device_classes[i]->summary,
                                   .description = vmm_device_classes[i]->description,
                                   .bus = buses[vmm_device_classes[i]->bus],
                                   .settings = vmm_device_classes[i]->settings,
                                   .user_creatable = vmm_device_classes[i]->user_creatable };
      g_once_init_leave (&once, 1);
    }
  return list;
}

gboolean
vmm_setting_parse_int (const char *text, gint64 *ret_value)
{
  gboolean hex = g_ascii_strncasecmp (text, "0x", 2) == 0;

  return g_ascii_string_to_signed (hex ? text + 2 : text, hex ? 16 : 10, G_MININT64, G_MAXINT64, ret_value, NULL);
}

gboolean
vmm_setting_check (const VmmSetting *setting, const char *value, GError **error)
{
  gint64 number;
  g_autofree char *choices = NULL;

  switch (setting->type)
    {
    case VMM_SETTING_INT:
      if (vmm_setting_parse_int (value, &number) && number >= setting->min && number <= setting->max)
        return TRUE;
      g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG,
                   "%s=%s: a whole number from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT " is wanted", setting->key, value,
                   setting->min, setting->max);
      return FALSE;
    case VMM_SETTING_BOOL:
      if (g_str_equal (value, "true") || g_str_equal (value, "false"))
        return TRUE;
      g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "%s=%s: true or false is wanted", setting->key, value);
      return FALSE;
    case VMM_SETTING_ENUM:
      if (g_strv_contains (setting->choices, value))
        return TRUE;
      choices = g_strjoinv (", ", (char **) setting->choices);
      g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "%s=%s: one of these is wanted: %s", setting->key, value, choices);
      return FALSE;
    case VMM_SETTING_PATH:
    case VMM_SETTING_STRING:
    default:
      return TRUE;
    }
}

static void
cfg_device_free (VmmConfigDevice *device)
{
  g_free (device->id);
  g_hash_table_unref (device->settings);
  g_free (device);
}

static const VmmSetting *
cfg_find (const VmmSetting *settings, const char *key)
{
  for (; settings != NULL && settings->key != NULL; settings++)
    if (g_str_equal (settings->key, key))
      return settings;
  return NULL;
}

/* Reads one group into @values. @skip: (nullable): a key that is not a setting. */
static gboolean
cfg_read_group (GKeyFile *file, const char *group, const VmmSetting *settings, const char *skip, GHashTable *values, GError **error)
{
  g_auto (GStrv) keys = g_key_file_get_keys (file, group, NULL, error);

  if (keys == NULL)
    return FALSE;
  for (guint i = 0; keys[i] != NULL; i++)
    {
      const VmmSetting *setting = cfg_find (settings, keys[i]);
      g_autofree char *value = NULL;

      if (skip != NULL && g_str_equal (keys[i], skip))
        continue;
      if (setting == NULL)
        {
          g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "[%s] %s: there is no such setting", group, keys[i]);
          return FALSE;
        }
      value = g_key_file_get_string (file, group, keys[i], error);
      if (value == NULL || !vmm_setting_check (setting, value, error))
        {
          g_prefix_error (error, "[%s] ", group);
          return FALSE;
        }
      g_hash_table_insert (values, g_strdup (keys[i]), g_steal_pointer (&value));
    }
  for (const VmmSetting *setting = settings; setting != NULL && setting->key != NULL; setting++)
    if ((setting->flags & VMM_SETTING_REQUIRED) && !g_hash_table_contains (values, setting->key))
      {
        g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "[%s]: %s is missing", group, setting->key);
        return FALSE;
      }
  return TRUE;
}

static gboolean
cfg_read_device (VmmConfig *config, GKeyFile *file, const char *group, GError **error)
{
  g_autofree char *name = g_key_file_get_string (file, group, "class", NULL);
  const VmmDeviceClass *class = name != NULL ? vmm_device_class_find (name) : NULL;
  VmmConfigDevice *device;

  if (name == NULL)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "[%s]: unknown group (a device needs class=)", group);
      return FALSE;
    }
  if (class == NULL || !class->user_creatable)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "[%s] class=%s: there is no such device", group, name);
      return FALSE;
    }
  device = g_new0 (VmmConfigDevice, 1);
  device->id = g_strdup (group);
  device->class = class;
  device->settings = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_ptr_array_add (config->devices, device);
  return cfg_read_group (file, group, class->settings, "class", device->settings, error);
}

VmmConfig *
vmm_config_new (GKeyFile *file, const char *base_dir, GError **error)
{
  g_autoptr (VmmConfig) config = g_new0 (VmmConfig, 1);
  g_auto (GStrv) groups = g_key_file_get_groups (file, NULL);

  g_atomic_ref_count_init (&config->ref_count);
  config->base_dir = g_strdup (base_dir);
  config->machine = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  config->kernel = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  config->devices = g_ptr_array_new_with_free_func ((GDestroyNotify) cfg_device_free);

  for (guint i = 0; groups[i] != NULL; i++)
    {
      gboolean ok;

      if (g_str_has_prefix (groups[i], "app") || g_str_has_prefix (groups[i], "window"))
        continue;
      if (g_str_equal (groups[i], "machine"))
        ok = cfg_read_group (file, groups[i], cfg_machine_settings, NULL, config->machine, error);
      else if (g_str_equal (groups[i], "kernel"))
        {
          config->has_kernel = TRUE;
          ok = cfg_read_group (file, groups[i], cfg_kernel_settings, NULL, config->kernel, error);
        }
      else
        ok = cfg_read_device (config, file, groups[i], error);
      if (!ok)
        return NULL;
    }
  return g_steal_pointer (&config);
}

VmmConfig *
vmm_config_ref (VmmConfig *config)
{
  g_atomic_ref_count_inc (&config->ref_count);
  return config;
}

void
vmm_config_unref (VmmConfig *config)
{
  if (!g_atomic_ref_count_dec (&config->ref_count))
    return;
  g_free (config->base_dir);
  g_hash_table_unref (config->machine);
  g_hash_table_unref (config->kernel);
  g_ptr_array_unref (config->devices);
  g_free (config);
}

const char *
vmm_config_get_base_dir (const VmmConfig *config)
{
  return config->base_dir;
}

const char *
vmm_config_get_machine (const VmmConfig *config, const char *key)
{
  const char *value = g_hash_table_lookup (config->machine, key);
  const VmmSetting *setting = cfg_find (cfg_machine_settings, key);

  g_assert (setting != NULL);
  return value != NULL ? value : setting->fallback;
}

guint64
vmm_config_get_machine_int (const VmmConfig *config, const char *key)
{
  const char *value = vmm_config_get_machine (config, key);
  gint64 number = 0;

  vmm_setting_parse_int (value, &number);
  return (guint64) number;
}

const char *
vmm_config_get_kernel (const VmmConfig *config, const char *key)
{
  return g_hash_table_lookup (config->kernel, key);
}

static char *
cfg_dup_path (const VmmConfig *config, const char *value)
{
  if (value == NULL || value[0] == '\0')
    return NULL;
  return g_path_is_absolute (value) ? g_strdup (value) : g_build_filename (config->base_dir, value, NULL);
}

char *
vmm_config_dup_machine_path (const VmmConfig *config, const char *key)
{
  return cfg_dup_path (config, vmm_config_get_machine (config, key));
}

char *
vmm_config_dup_kernel_path (const VmmConfig *config, const char *key)
{
  return cfg_dup_path (config, vmm_config_get_kernel (config, key));
}

gboolean
vmm_config_has_kernel (const VmmConfig *config)
{
  return config->has_kernel;
}

guint
vmm_config_get_n_devices (const VmmConfig *config)
{
  return config->devices->len;
}

const VmmConfigDevice *
vmm_config_get_device (const VmmConfig *config, guint index)
{
  return config->devices->pdata[index];
}
