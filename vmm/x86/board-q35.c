/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "x86/board-q35.h"

#include "chipset/pm.h"
#include "core/config.h"
#include "core/machine.h"
#include "firmware/boot.h"
#include "firmware/firmware.h"
#include "x86/tables.h"

#include <errno.h>
#include <glib/gstdio.h>

#define Q35_4G G_GUINT64_CONSTANT (0x100000000)

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

static VmmDevice *
q35_add_flash (VmmMachine *machine, const char *id, const char *file, const char *template, guint64 end, GError **error)
{
  g_autoptr (GHashTable) settings = g_hash_table_new (g_str_hash, g_str_equal);
  g_autofree char *end_text = g_strdup_printf ("%" G_GUINT64_FORMAT, end);

  g_hash_table_insert (settings, (gpointer) "file", (gpointer) file);
  if (template != NULL)
    g_hash_table_insert (settings, (gpointer) "template", (gpointer) template);
  g_hash_table_insert (settings, (gpointer) "readonly", (gpointer) (template != NULL ? "false" : "true"));
  g_hash_table_insert (settings, (gpointer) "end", end_text);
  return vmm_device_new (machine, vmm_device_class_find ("pflash"), id, settings, error);
}

/* Two chips: the code ends at 4 GiB, the variables end where it begins (OVMF was built for these addresses). */
static gboolean
q35_add_uefi (VmmMachine *machine, GError **error)
{
  g_autofree char *image = vmm_config_dup_machine_path (machine->config, "firmware-image");
  g_autofree char *nvram = vmm_config_dup_machine_path (machine->config, "nvram");
  g_autoptr (VmmFirmwareUefi) uefi = NULL;
  GStatBuf st;
  guint64 vars_size = g_stat (nvram, &st) == 0 && st.st_size > 0 ? (guint64) st.st_size : 0;

  uefi = image != NULL ? vmm_firmware_find_uefi_for (image, error) : vmm_firmware_find_uefi (vars_size, error);
  if (uefi == NULL)
    return FALSE;
  if (g_stat (uefi->code, &st) < 0)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_NOT_FOUND, "%s: %s", uefi->code, g_strerror (errno));
      return FALSE;
    }
  return q35_add_flash (machine, "flash0", uefi->code, NULL, Q35_4G, error) != NULL
         && q35_add_flash (machine, "flash1", nvram, uefi->vars_template, Q35_4G - (guint64) st.st_size, error) != NULL;
}

static gboolean
q35_add_firmware (VmmMachine *machine, GError **error)
{
  if (g_str_equal (vmm_config_get_machine (machine->config, "firmware"), "uefi"))
    return q35_add_uefi (machine, error);
  return q35_add_bios (machine, error);
}

static gboolean
q35_add_rtc (VmmMachine *machine, GError **error)
{
  g_autoptr (GHashTable) settings = g_hash_table_new (g_str_hash, g_str_equal);

  g_hash_table_insert (settings, (gpointer) "base", (gpointer) vmm_config_get_machine (machine->config, "clock"));
  return vmm_device_new (machine, vmm_device_class_find ("rtc"), "rtc", settings, error) != NULL;
}

/* The devices of the configuration on the USB, or all others. */
static gboolean
q35_add_configured (VmmMachine *machine, gboolean usb, GError **error)
{
  for (guint i = 0; i < vmm_config_get_n_devices (machine->config); i++)
    {
      const VmmConfigDevice *device = vmm_config_get_device (machine->config, i);

      if ((device->class->bus == VMM_DEVICE_USB) != usb)
        continue;
      /* Whoever asks for a USB device need not ask for a controller. */
      if (usb && vmm_machine_find_class (machine, "xhci") == NULL
          && vmm_device_new (machine, vmm_device_class_find ("xhci"), "usb-controller", NULL, error) == NULL)
        return FALSE;
      if (vmm_device_new (machine, device->class, device->id, device->settings, error) == NULL)
        return FALSE;
    }
  return TRUE;
}

gboolean
vmm_board_q35_build (VmmMachine *machine, GError **error)
{
  for (guint i = 0; i < G_N_ELEMENTS (q35_devices); i++)
    if (vmm_device_new (machine, vmm_device_class_find (q35_devices[i].class), q35_devices[i].id, NULL, error) == NULL)
      return FALSE;
  if (!q35_add_rtc (machine, error) || !q35_add_firmware (machine, error))
    return FALSE;

  if (!q35_add_configured (machine, FALSE, error) || !q35_add_configured (machine, TRUE, error))
    return FALSE;

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
