/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hardware/lodge-device-menu.h"

#include <glib/gi18n.h>

#include "model/hardware.h"
#include "widgets/lodge-toast.h"

struct _LodgeDeviceMenu {
  GSimpleActionGroup parent_instance;

  GtkWidget *owner; /* (nullable) (not owned) */
  LodgeHardware *hardware;
  GMenu *section;
  char *shown; /* (nullable): the names of the items, to make them anew only when they change */
};

G_DEFINE_FINAL_TYPE (LodgeDeviceMenu, lodge_device_menu, G_TYPE_SIMPLE_ACTION_GROUP)

static void ldmn_update (LodgeDeviceMenu *self);

static void
on_switched_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LodgeDeviceMenu) self = LODGE_DEVICE_MENU (data);
  g_autoptr (GError) error = NULL;

  if (!lodge_hardware_set_finish (LODGE_HARDWARE (source), result, &error) && self->owner != NULL)
    lodge_toast_error (self->owner, error);
  if (self->hardware != NULL)
    ldmn_update (self);
}

static void
on_switch_cb (GSimpleAction *action, GVariant *value, gpointer data)
{
  LodgeDeviceMenu *self = LODGE_DEVICE_MENU (data);
  const char *id = g_object_get_data (G_OBJECT (action), "lodge-id"), *key = g_object_get_data (G_OBJECT (action), "lodge-key");

  lodge_hardware_set_async (self->hardware, id, key, g_variant_get_boolean (value) ? "true" : "false", NULL, on_switched_cb,
                            g_object_ref (self));
}

typedef void (*LdmnFunc) (LodgeDeviceMenu *self, LodgeDevice *device, const LodgeSettingInfo *setting, const char *name,
                          gpointer data);

/* Calls @func for each switch of each device that is there now; one that comes with the next start has nothing to switch. */
static void
ldmn_foreach (LodgeDeviceMenu *self, LdmnFunc func, gpointer data)
{
  for (guint i = 0; self->hardware != NULL && i < g_list_model_get_n_items (G_LIST_MODEL (self->hardware)); i++)
    {
      g_autoptr (LodgeDevice) device = g_list_model_get_item (G_LIST_MODEL (self->hardware), i);
      const LodgeDeviceInfo *info = lodge_device_get_info (device);

      for (guint j = 0; j < info->n_settings && lodge_device_get_state (device) != LODGE_DEVICE_ADDED; j++)
        if (info->settings[j].live && info->settings[j].type == LODGE_SETTING_SWITCH)
          {
            g_autofree char *name = g_strdup_printf ("%s-%s", lodge_device_get_id (device), info->settings[j].key);

            if (g_action_name_is_valid (name))
              func (self, device, &info->settings[j], name, data);
          }
    }
}

static void
ldmn_collect (LodgeDeviceMenu *self, LodgeDevice *device, const LodgeSettingInfo *setting, const char *name, gpointer data)
{
  g_string_append_printf (data, "%s\n", name);
}

static void
ldmn_add_item (LodgeDeviceMenu *self, LodgeDevice *device, const LodgeSettingInfo *setting, const char *name, gpointer data)
{
  g_autoptr (GSimpleAction) action = g_simple_action_new_stateful (name, NULL, g_variant_new_boolean (TRUE));
  /* Translators: what can be switched at a device, then the device's name in the settings: “Cable plugged in (net0)”. */
  g_autofree char *label = g_strdup_printf (_ ("%s (%s)"), setting->summary, lodge_device_get_id (device));
  g_autofree char *detailed = g_strconcat ("device.", name, NULL);
  g_autoptr (GString) escaped = g_string_new (label);

  g_string_replace (escaped, "_", "__", 0);
  g_object_set_data_full (G_OBJECT (action), "lodge-id", g_strdup (lodge_device_get_id (device)), g_free);
  g_object_set_data (G_OBJECT (action), "lodge-key", (gpointer) setting->key);
  g_signal_connect_object (action, "change-state", G_CALLBACK (on_switch_cb), self, 0);
  g_action_map_add_action (G_ACTION_MAP (self), G_ACTION (action));
  g_menu_append (self->section, escaped->str, detailed);
}

static void
ldmn_set_state (LodgeDeviceMenu *self, LodgeDevice *device, const LodgeSettingInfo *setting, const char *name, gpointer data)
{
  GAction *action = g_action_map_lookup_action (G_ACTION_MAP (self), name);

  g_simple_action_set_state (G_SIMPLE_ACTION (action),
                             g_variant_new_boolean (g_strcmp0 (lodge_device_get_value (device, setting->key), "true") == 0));
}

static void
ldmn_update (LodgeDeviceMenu *self)
{
  g_autoptr (GString) names = g_string_new (NULL);

  ldmn_foreach (self, ldmn_collect, names);
  if (g_strcmp0 (names->str, self->shown) != 0)
    {
      g_auto (GStrv) old = g_action_group_list_actions (G_ACTION_GROUP (self));

      g_set_str (&self->shown, names->str);
      g_menu_remove_all (self->section);
      for (guint i = 0; old[i] != NULL; i++)
        g_action_map_remove_action (G_ACTION_MAP (self), old[i]);
      ldmn_foreach (self, ldmn_add_item, NULL);
    }
  ldmn_foreach (self, ldmn_set_state, NULL);
}

void
lodge_device_menu_set_machine (LodgeDeviceMenu *self, LodgeMachine *machine)
{
  g_return_if_fail (LODGE_IS_DEVICE_MENU (self));

  if (self->hardware != NULL)
    g_signal_handlers_disconnect_by_data (self->hardware, self);
  g_clear_object (&self->hardware);
  if (machine != NULL)
    {
      self->hardware = lodge_hardware_new (machine);
      /* Comes with every change of the settings. */
      g_signal_connect_object (self->hardware, "boot-order-changed", G_CALLBACK (ldmn_update), self, G_CONNECT_SWAPPED);
    }
  ldmn_update (self);
}

GMenuModel *
lodge_device_menu_get_section (LodgeDeviceMenu *self)
{
  return G_MENU_MODEL (self->section);
}

static void
lodge_device_menu_dispose (GObject *object)
{
  LodgeDeviceMenu *self = LODGE_DEVICE_MENU (object);

  if (self->hardware != NULL)
    g_signal_handlers_disconnect_by_data (self->hardware, self);
  g_clear_object (&self->hardware);
  g_clear_object (&self->section);
  g_clear_pointer (&self->shown, g_free);
  g_clear_weak_pointer (&self->owner);
  G_OBJECT_CLASS (lodge_device_menu_parent_class)->dispose (object);
}

static void
lodge_device_menu_class_init (LodgeDeviceMenuClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = lodge_device_menu_dispose;
}

static void
lodge_device_menu_init (LodgeDeviceMenu *self)
{
  self->section = g_menu_new ();
}

LodgeDeviceMenu *
lodge_device_menu_new (GtkWidget *owner)
{
  LodgeDeviceMenu *self = g_object_new (LODGE_TYPE_DEVICE_MENU, NULL);

  g_set_weak_pointer (&self->owner, owner);
  return self;
}
