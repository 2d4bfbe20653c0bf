/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/device.h"

#include "core/config.h"
#include "core/machine.h"

#include <string.h>

const VmmDeviceClass *
vmm_device_class_find (const char *name)
{
  for (guint i = 0; vmm_device_classes[i] != NULL; i++)
    if (g_str_equal (vmm_device_classes[i]->name, name))
      return vmm_device_classes[i];
  return NULL;
}

static void
device_fill_defaults (VmmDevice *dev, GHashTable *settings)
{
  dev->settings = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  for (const VmmSetting *setting = dev->class->settings; setting != NULL && setting->key != NULL; setting++)
    {
      const char *value = settings != NULL ? g_hash_table_lookup (settings, setting->key) : NULL;

      if (value == NULL)
        value = setting->fallback;
      if (value != NULL)
        g_hash_table_insert (dev->settings, g_strdup (setting->key), g_strdup (value));
    }
}

static void
device_free (VmmDevice *dev)
{
  g_hash_table_unref (dev->settings);
  g_mutex_clear (&dev->lock);
  g_free (dev->id);
  g_free (dev);
}

VmmDevice *
vmm_device_new (VmmMachine *machine, const VmmDeviceClass *class, const char *id, GHashTable *settings, GError **error)
{
  VmmDevice *dev;

  g_assert (class->instance_size >= sizeof (VmmDevice));
  for (guint i = 0; i < machine->devices->len; i++)
    if (g_str_equal (((VmmDevice *) machine->devices->pdata[i])->id, id))
      {
        g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "[%s]: two devices have this name", id);
        return NULL;
      }

  dev = g_malloc0 (class->instance_size);
  dev->class = class;
  dev->machine = machine;
  dev->id = g_strdup (id);
  g_mutex_init (&dev->lock);
  device_fill_defaults (dev, settings);
  if (!class->realize (dev, error))
    {
      g_prefix_error (error, "[%s]: ", id);
      device_free (dev);
      return NULL;
    }
  g_ptr_array_add (machine->devices, dev);
  return dev;
}

void
vmm_device_free (VmmDevice *dev)
{
  if (dev->class->unrealize != NULL)
    dev->class->unrealize (dev);
  device_free (dev);
}

VmmMemory *
vmm_device_get_memory (VmmDevice *dev)
{
  return dev->machine->memory;
}

VmmBus *
vmm_device_get_bus (VmmDevice *dev)
{
  return dev->machine->bus;
}

VmmIrq *
vmm_device_get_irq (VmmDevice *dev)
{
  return dev->machine->irq;
}

VmmClock *
vmm_device_get_clock (VmmDevice *dev)
{
  return dev->machine->clock;
}

VmmIoThread *
vmm_device_get_iothread (VmmDevice *dev)
{
  return dev->machine->iothread;
}

VmmPciBus *
vmm_device_get_pci_bus (VmmDevice *dev)
{
  return dev->machine->pci_bus;
}

VmmFwCfg *
vmm_device_get_fw_cfg (VmmDevice *dev)
{
  return dev->machine->fw_cfg;
}

VmmDevice *
vmm_device_find (VmmDevice *dev, const char *id)
{
  return vmm_machine_find_device (dev->machine, id);
}

VmmDevice *
vmm_device_find_class (VmmDevice *dev, const char *class_name)
{
  return vmm_machine_find_class (dev->machine, class_name);
}

const char *
vmm_device_get_string (VmmDevice *dev, const char *key)
{
  return g_hash_table_lookup (dev->settings, key);
}

char *
vmm_device_dup_path (VmmDevice *dev, const char *key)
{
  return vmm_device_resolve_path (dev, vmm_device_get_string (dev, key));
}

char *
vmm_device_resolve_path (VmmDevice *dev, const char *value)
{
  if (value == NULL || value[0] == '\0')
    return NULL;
  if (g_path_is_absolute (value) || dev->machine->config == NULL)
    return g_strdup (value);
  return g_build_filename (vmm_config_get_base_dir (dev->machine->config), value, NULL);
}

gint64
vmm_device_get_int (VmmDevice *dev, const char *key)
{
  const char *value = vmm_device_get_string (dev, key);
  gint64 number = 0;

  if (value != NULL)
    vmm_setting_parse_int (value, &number);
  return number;
}

gboolean
vmm_device_get_bool (VmmDevice *dev, const char *key)
{
  return g_strcmp0 (vmm_device_get_string (dev, key), "true") == 0;
}

char *
vmm_device_dup_serial (VmmDevice *dev, guint max)
{
  const VmmConfig *config = dev->machine->config;
  const char *uuid = config != NULL ? vmm_config_get_machine (config, "uuid") : NULL;
  char *serial = g_strdup (vmm_device_get_string (dev, "serial"));

  if (serial == NULL || serial[0] == '\0')
    {
      /* Stable as long as the machine and the drive keep their names; differs between machines. */
      g_autofree char *source = g_strdup_printf ("%s/%s", uuid != NULL ? uuid : "", dev->id);
      g_autofree char *digest = g_compute_checksum_for_string (G_CHECKSUM_SHA256, source, -1);

      g_free (serial);
      serial = g_ascii_strup (digest, 12);
    }
  /* Printable ASCII stays; the rest of what a configuration may hold does not go into a wire format. */
  for (char *c = serial; *c != '\0'; c++)
    if (!g_ascii_isprint (*c))
      *c = '_';
  if (strlen (serial) > max)
    serial[max] = '\0';
  return serial;
}
