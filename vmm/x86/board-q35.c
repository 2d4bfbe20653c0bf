/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "x86/board-q35.h"

#include "chipset/pm.h"
#include "core/config.h"
#include "core/machine.h"
#include "firmware/boot.h"
#include "x86/tables.h"

/* In the order of their making: whom others look for comes first. */
static const struct {
  const char *class, *id;
} q35_devices[] = {
  { "fw-cfg", "fw-cfg" },
  { "pci-host", "pci-host" },
  { "mch", "mch" },
  { "pm", "pm" },
  { "lpc", "lpc" },
  { "i8042", "i8042" },
  { "isa-stubs", "isa-stubs" },
  { "ahci", "ahci" },
  { "debugcon", "firmware" }, /* the id names its log */
};

static gboolean
q35_add_bios (VmmMachine *machine, GError **error)
{
  g_autoptr (GHashTable) settings = g_hash_table_new (g_str_hash, g_str_equal);
  const char *image = vmm_config_get_machine (machine->config, "firmware-image");

  if (image != NULL)
    g_hash_table_insert (settings, (gpointer) "file", (gpointer) image);
  return vmm_device_new (machine, vmm_device_class_find ("bios-rom"), "bios-rom", settings, error) != NULL;
}

static gboolean
q35_add_rtc (VmmMachine *machine, GError **error)
{
  g_autoptr (GHashTable) settings = g_hash_table_new (g_str_hash, g_str_equal);

  g_hash_table_insert (settings, (gpointer) "base", (gpointer) vmm_config_get_machine (machine->config, "clock"));
  return vmm_device_new (machine, vmm_device_class_find ("rtc"), "rtc", settings, error) != NULL;
}

gboolean
vmm_board_q35_build (VmmMachine *machine, GError **error)
{
  for (guint i = 0; i < G_N_ELEMENTS (q35_devices); i++)
    if (vmm_device_new (machine, vmm_device_class_find (q35_devices[i].class), q35_devices[i].id, NULL, error) == NULL)
      return FALSE;
  if (!q35_add_rtc (machine, error) || !q35_add_bios (machine, error))
    return FALSE;

  for (guint i = 0; i < vmm_config_get_n_devices (machine->config); i++)
    {
      const VmmConfigDevice *device = vmm_config_get_device (machine->config, i);

      if (vmm_device_new (machine, device->class, device->id, device->settings, error) == NULL)
        return FALSE;
    }

  vmm_items_install (machine, g_strcmp0 (vmm_config_get_machine (machine->config, "boot-menu"), "true") == 0);
  vmm_e820_install (machine);
  vmm_smbios_install (machine, vmm_config_get_machine (machine->config, "uuid"));
  vmm_acpi_install (machine);
  return vmm_boot_install (machine, error);
}

void
vmm_board_q35_power_button (VmmMachine *machine)
{
  vmm_pm_power_button (vmm_machine_find_class (machine, "pm"));
}
