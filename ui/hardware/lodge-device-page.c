/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hardware/lodge-device-page.h"

#include <glib/gi18n.h>

#include "hardware/lodge-boot-order.h"
#include "hardware/lodge-setting-row.h"
#include "widgets/lodge-toast.h"

struct _LodgeDevicePage {
  AdwBin parent_instance;

  AdwPreferencesGroup *group;
  LodgeBootOrder *boot_order;
  GtkWidget *remove_button;

  LodgeHardware *hardware; /* (nullable) */
  LodgeDevice *device;     /* (nullable) */
  GPtrArray *rows;         /* LodgeSettingRow, not owned: in group */
};

enum { SIGNAL_REMOVED, N_SIGNALS };
static guint ldpg_signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (LodgeDevicePage, lodge_device_page, ADW_TYPE_BIN)

/* By what the description has, so that a new device gets its icon without a word here. */
const char *
lodge_device_get_icon (const LodgeDeviceInfo *info)
{
  const LodgeSettingInfo *image = lodge_device_info_find (info, "image");

  if (g_str_equal (info->name, "machine") || g_str_equal (info->name, "kernel"))
    return "computer-symbolic";
  if (lodge_device_info_is_network (info))
    return "network-wired-symbolic";
  if (image != NULL)
    return image->live ? "drive-optical-symbolic" : "drive-harddisk-symbolic";
  if (lodge_device_info_is_screen (info))
    return "video-display-symbolic";
  if (lodge_device_info_find (info, "audio") != NULL || strstr (info->name, "hda") != NULL || strstr (info->name, "sound") != NULL)
    return "audio-card-symbolic";
  if (strstr (info->name, "keyboard") != NULL)
    return "input-keyboard-symbolic";
  if (strstr (info->name, "tablet") != NULL)
    return "input-tablet-symbolic";
  if (strstr (info->name, "mouse") != NULL || strstr (info->name, "input") != NULL)
    return "input-mouse-symbolic";
  if (g_str_equal (info->bus, "usb") || strstr (info->name, "usb") != NULL || strstr (info->name, "xhci") != NULL)
    return "media-removable-symbolic";
  return "thunderbolt-symbolic";
}

static void
ldpg_update (LodgeDevicePage *self)
{
  for (guint i = 0; i < self->rows->len; i++)
    {
      const char *key = lodge_setting_row_get_info (self->rows->pdata[i])->key;

      lodge_setting_row_set_value (self->rows->pdata[i], lodge_device_get_value (self->device, key),
                                   lodge_device_is_set (self->device, key), lodge_device_is_pending (self->device, key));
    }
  adw_preferences_group_set_description (self->group, lodge_device_get_state (self->device) == LODGE_DEVICE_ADDED
                                                          ? _ ("The machine has this device from its next start on.")
                                                          : NULL);
}

static void
on_value_set_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LodgeDevicePage) self = LODGE_DEVICE_PAGE (data);
  g_autoptr (GError) error = NULL;

  if (lodge_hardware_set_finish (LODGE_HARDWARE (source), result, &error))
    return;
  lodge_toast_error (GTK_WIDGET (self), error);
  if (self->device != NULL)
    ldpg_update (self); /* the row shows again what holds */
}

static void
on_row_edited_cb (LodgeSettingRow *row, const char *value, LodgeDevicePage *self)
{
  const LodgeSettingInfo *info = lodge_setting_row_get_info (row);

  if (self->device == NULL || g_strcmp0 (value, lodge_device_get_value (self->device, info->key)) == 0)
    return;
  lodge_hardware_set_async (self->hardware, lodge_device_get_id (self->device), info->key, value, NULL, on_value_set_cb,
                            g_object_ref (self));
}

static void
ldpg_clear (LodgeDevicePage *self)
{
  for (guint i = 0; i < self->rows->len; i++)
    adw_preferences_group_remove (self->group, lodge_setting_row_get_widget (self->rows->pdata[i]));
  g_ptr_array_set_size (self->rows, 0);
  if (self->device != NULL)
    g_signal_handlers_disconnect_by_data (self->device, self);
  g_clear_object (&self->device);
}

void
lodge_device_page_set_device (LodgeDevicePage *self, LodgeHardware *hardware, LodgeDevice *device)
{
  const LodgeDeviceInfo *info;
  const char *folder;

  g_return_if_fail (LODGE_IS_DEVICE_PAGE (self));

  if (self->device == device && self->hardware == hardware)
    return;
  ldpg_clear (self);
  g_set_object (&self->hardware, hardware);
  g_set_object (&self->device, device);
  lodge_boot_order_set_hardware (self->boot_order, device != NULL && !lodge_device_is_removable (device) ? hardware : NULL);
  if (device == NULL)
    return;

  info = lodge_device_get_info (device);
  folder = lodge_machine_get_path (lodge_hardware_get_machine (hardware));
  {
    g_autofree char *title = g_markup_escape_text (info->summary, -1);

    adw_preferences_group_set_title (self->group, title);
  }
  gtk_widget_set_visible (self->remove_button, lodge_device_is_removable (device));
  for (guint i = 0; i < info->n_settings; i++)
    {
      LodgeSettingRow *row;

      if (g_str_equal (info->settings[i].key, "boot") && lodge_device_can_boot (device))
        continue; /* the boot order has it */
      row = lodge_setting_row_new (&info->settings[i], folder, FALSE);
      g_ptr_array_add (self->rows, row);
      adw_preferences_group_add (self->group, lodge_setting_row_get_widget (row));
      g_signal_connect_object (row, "edited", G_CALLBACK (on_row_edited_cb), self, 0);
    }
  g_signal_connect_object (device, "changed", G_CALLBACK (ldpg_update), self, G_CONNECT_SWAPPED);
  ldpg_update (self);
}

static void
on_remove_clicked_cb (LodgeDevicePage *self)
{
  if (self->device != NULL)
    g_signal_emit (self, ldpg_signals[SIGNAL_REMOVED], 0, lodge_device_get_id (self->device));
}

static void
lodge_device_page_dispose (GObject *object)
{
  LodgeDevicePage *self = LODGE_DEVICE_PAGE (object);

  if (self->device != NULL)
    g_signal_handlers_disconnect_by_data (self->device, self);
  g_clear_object (&self->device);
  g_clear_object (&self->hardware);
  g_clear_pointer (&self->rows, g_ptr_array_unref);
  gtk_widget_dispose_template (GTK_WIDGET (self), LODGE_TYPE_DEVICE_PAGE);
  G_OBJECT_CLASS (lodge_device_page_parent_class)->dispose (object);
}

static void
lodge_device_page_class_init (LodgeDevicePageClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = lodge_device_page_dispose;
  ldpg_signals[SIGNAL_REMOVED] = g_signal_new ("removed", LODGE_TYPE_DEVICE_PAGE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                               G_TYPE_NONE, 1, G_TYPE_STRING);

  g_type_ensure (LODGE_TYPE_BOOT_ORDER);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/lodge_vm/Lodge/hardware/lodge-device-page.ui");
  gtk_widget_class_bind_template_child (widget_class, LodgeDevicePage, group);
  gtk_widget_class_bind_template_child (widget_class, LodgeDevicePage, boot_order);
  gtk_widget_class_bind_template_child (widget_class, LodgeDevicePage, remove_button);
  gtk_widget_class_bind_template_callback (widget_class, on_remove_clicked_cb);
}

static void
lodge_device_page_init (LodgeDevicePage *self)
{
  self->rows = g_ptr_array_new ();
  gtk_widget_init_template (GTK_WIDGET (self));
}
