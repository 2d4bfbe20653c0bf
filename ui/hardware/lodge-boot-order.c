/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hardware/lodge-boot-order.h"

#include <glib/gi18n.h>

#include "widgets/lodge-menu-names.h"
#include "widgets/lodge-toast.h"

struct _LodgeBootOrder {
  AdwPreferencesGroup parent_instance;

  GtkListBox *list;
  GMenuModel *row_menu;

  LodgeHardware *hardware; /* (nullable) */
  char *shown;             /* (nullable): what the rows show, to make them anew only when that changes */
  char *focus_id;          /* (nullable): the device whose row was moved by the keyboard */
};

G_DEFINE_FINAL_TYPE (LodgeBootOrder, lodge_boot_order, ADW_TYPE_PREFERENCES_GROUP)

static void lboot_update (LodgeBootOrder *self);

static const char *
lboot_row_id (GtkWidget *row)
{
  return g_object_get_data (G_OBJECT (row), "lodge-id");
}

static GtkCheckButton *
lboot_row_check (GtkWidget *row)
{
  return g_object_get_data (G_OBJECT (row), "lodge-check");
}

static void
on_order_set_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LodgeBootOrder) self = LODGE_BOOT_ORDER (data);
  g_autoptr (GError) error = NULL;

  if (lodge_hardware_set_boot_order_finish (LODGE_HARDWARE (source), result, &error))
    return;
  lodge_toast_error (GTK_WIDGET (self), error);
  g_clear_pointer (&self->shown, g_free);
  lboot_update (self);
}

/* Tells the machine what the rows say: in their order, those that are checked. */
static void
lboot_tell (LodgeBootOrder *self)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  g_auto (GStrv) ids = NULL;
  GtkListBoxRow *row;

  for (int i = 0; (row = gtk_list_box_get_row_at_index (self->list, i)) != NULL; i++)
    if (gtk_check_button_get_active (lboot_row_check (GTK_WIDGET (row))))
      g_strv_builder_add (builder, lboot_row_id (GTK_WIDGET (row)));
  ids = g_strv_builder_end (builder);
  lodge_hardware_set_boot_order_async (self->hardware, (const char *const *) ids, NULL, on_order_set_cb, g_object_ref (self));
}

static void
on_check_changed_cb (GtkWidget *check, GParamSpec *pspec, LodgeBootOrder *self)
{
  GtkWidget *row = gtk_widget_get_ancestor (check, GTK_TYPE_LIST_BOX_ROW);

  g_set_str (&self->focus_id, lboot_row_id (row));
  lboot_tell (self);
}

/* Puts the row of @id at @position; what moves among the others is to be started from. */
static void
lboot_move (LodgeBootOrder *self, const char *id, int position)
{
  GtkListBoxRow *row;

  for (int i = 0; (row = gtk_list_box_get_row_at_index (self->list, i)) != NULL; i++)
    if (g_str_equal (lboot_row_id (GTK_WIDGET (row)), id))
      break;
  if (row == NULL || position < 0 || position == gtk_list_box_row_get_index (row)
      || gtk_list_box_get_row_at_index (self->list, position) == NULL)
    return;
  g_object_ref (row);
  gtk_list_box_remove (self->list, GTK_WIDGET (row));
  gtk_list_box_insert (self->list, GTK_WIDGET (row), position);
  g_object_unref (row);
  gtk_widget_grab_focus (GTK_WIDGET (row));
  g_set_str (&self->focus_id, lboot_row_id (GTK_WIDGET (row)));
  if (gtk_check_button_get_active (lboot_row_check (GTK_WIDGET (row))))
    lboot_tell (self);
  else
    gtk_check_button_set_active (lboot_row_check (GTK_WIDGET (row)), TRUE); /* tells */
}

/* --- By keyboard and menu --- */

static void
lboot_move_by (GtkWidget *row, int by)
{
  LodgeBootOrder *self = LODGE_BOOT_ORDER (gtk_widget_get_ancestor (row, LODGE_TYPE_BOOT_ORDER));
  g_autofree char *id = g_strdup (lboot_row_id (row));

  if (self != NULL)
    lboot_move (self, id, gtk_list_box_row_get_index (GTK_LIST_BOX_ROW (row)) + by);
}

static gboolean
on_up_pressed_cb (GtkWidget *widget, GVariant *args, gpointer data)
{
  lboot_move_by (widget, -1);
  return TRUE;
}

static gboolean
on_down_pressed_cb (GtkWidget *widget, GVariant *args, gpointer data)
{
  lboot_move_by (widget, 1);
  return TRUE;
}

static void
on_up_cb (GSimpleAction *action, GVariant *parameter, gpointer row)
{
  lboot_move_by (row, -1);
}

static void
on_down_cb (GSimpleAction *action, GVariant *parameter, gpointer row)
{
  lboot_move_by (row, 1);
}

/* --- By dragging --- */

static GdkContentProvider *
on_drag_prepared_cb (GtkDragSource *source, double x, double y, GtkWidget *row)
{
  return gdk_content_provider_new_typed (GTK_TYPE_LIST_BOX_ROW, row);
}

static void
on_drag_began_cb (GtkDragSource *source, GdkDrag *drag, GtkWidget *row)
{
  g_autoptr (GdkPaintable) picture = gtk_widget_paintable_new (row);

  gtk_drag_source_set_icon (source, picture, 0, 0);
}

static gboolean
on_dropped_cb (GtkDropTarget *target, const GValue *value, double x, double y, GtkWidget *row)
{
  LodgeBootOrder *self = LODGE_BOOT_ORDER (gtk_widget_get_ancestor (row, LODGE_TYPE_BOOT_ORDER));
  GtkWidget *dragged = g_value_get_object (value);
  g_autofree char *id = NULL;

  if (self == NULL || dragged == NULL || gtk_widget_get_ancestor (dragged, LODGE_TYPE_BOOT_ORDER) != GTK_WIDGET (self))
    return FALSE;
  id = g_strdup (lboot_row_id (dragged));
  lboot_move (self, id, gtk_list_box_row_get_index (GTK_LIST_BOX_ROW (row)));
  return TRUE;
}

/* --- Rows --- */

static GtkWidget *
lboot_make_row (LodgeBootOrder *self, LodgeDevice *device)
{
  static const GActionEntry entries[] = { { .name = "up", .activate = on_up_cb }, { .name = "down", .activate = on_down_cb } };
  GtkWidget *row = adw_action_row_new (), *check = gtk_check_button_new (), *menu = gtk_menu_button_new (),
            *handle = gtk_image_new_from_icon_name ("list-drag-handle-symbolic");
  g_autoptr (GSimpleActionGroup) actions = g_simple_action_group_new ();
  GtkEventController *keys = gtk_shortcut_controller_new ();
  GtkDragSource *drag = gtk_drag_source_new ();
  GtkDropTarget *drop = gtk_drop_target_new (GTK_TYPE_LIST_BOX_ROW, GDK_ACTION_MOVE);
  g_autofree char *check_name = g_strdup_printf (_ ("Start from %s"), lodge_device_get_id (device));
  g_autofree char *menu_name = g_strdup_printf (_ ("Move %s"), lodge_device_get_id (device));

  adw_preferences_row_set_use_markup (ADW_PREFERENCES_ROW (row), FALSE);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), lodge_device_get_title (device));
  adw_action_row_set_subtitle (ADW_ACTION_ROW (row), lodge_device_get_detail (device));
  g_object_set_data_full (G_OBJECT (row), "lodge-id", g_strdup (lodge_device_get_id (device)), g_free);
  g_object_set_data (G_OBJECT (row), "lodge-check", check);

  gtk_widget_add_css_class (handle, "dimmed");
  gtk_accessible_update_state (GTK_ACCESSIBLE (handle), GTK_ACCESSIBLE_STATE_HIDDEN, TRUE, -1);
  gtk_check_button_set_active (GTK_CHECK_BUTTON (check), lodge_device_get_boot (device) >= 0);
  gtk_widget_set_valign (check, GTK_ALIGN_CENTER);
  gtk_widget_set_tooltip_text (check, _ ("Start from this device"));
  gtk_accessible_update_property (GTK_ACCESSIBLE (check), GTK_ACCESSIBLE_PROPERTY_LABEL, check_name, -1);
  g_signal_connect_object (check, "notify::active", G_CALLBACK (on_check_changed_cb), self, 0);
  gtk_menu_button_set_icon_name (GTK_MENU_BUTTON (menu), "view-more-symbolic");
  gtk_menu_button_set_menu_model (GTK_MENU_BUTTON (menu), self->row_menu);
  gtk_widget_set_tooltip_text (menu, _ ("Move"));
  gtk_widget_set_valign (menu, GTK_ALIGN_CENTER);
  gtk_widget_add_css_class (menu, "flat");
  gtk_accessible_update_property (GTK_ACCESSIBLE (menu), GTK_ACCESSIBLE_PROPERTY_LABEL, menu_name, -1);
  lodge_menu_names_add (menu);
  adw_action_row_add_prefix (ADW_ACTION_ROW (row), check);
  adw_action_row_set_activatable_widget (ADW_ACTION_ROW (row), check);
  gtk_accessible_reset_relation (GTK_ACCESSIBLE (check), GTK_ACCESSIBLE_RELATION_LABELLED_BY); /* two disks have one title */
  adw_action_row_add_prefix (ADW_ACTION_ROW (row), handle);
  adw_action_row_add_suffix (ADW_ACTION_ROW (row), menu);

  g_action_map_add_action_entries (G_ACTION_MAP (actions), entries, G_N_ELEMENTS (entries), row);
  gtk_widget_insert_action_group (row, "row", G_ACTION_GROUP (actions));
  gtk_shortcut_controller_add_shortcut (GTK_SHORTCUT_CONTROLLER (keys),
                                        gtk_shortcut_new (gtk_keyval_trigger_new (GDK_KEY_Up, GDK_ALT_MASK),
                                                          gtk_callback_action_new (on_up_pressed_cb, NULL, NULL)));
  gtk_shortcut_controller_add_shortcut (GTK_SHORTCUT_CONTROLLER (keys),
                                        gtk_shortcut_new (gtk_keyval_trigger_new (GDK_KEY_Down, GDK_ALT_MASK),
                                                          gtk_callback_action_new (on_down_pressed_cb, NULL, NULL)));
  gtk_widget_add_controller (row, keys);
  gtk_drag_source_set_actions (drag, GDK_ACTION_MOVE);
  g_signal_connect (drag, "prepare", G_CALLBACK (on_drag_prepared_cb), row);
  g_signal_connect (drag, "drag-begin", G_CALLBACK (on_drag_began_cb), row);
  gtk_widget_add_controller (row, GTK_EVENT_CONTROLLER (drag));
  g_signal_connect (drop, "drop", G_CALLBACK (on_dropped_cb), row);
  gtk_widget_add_controller (row, GTK_EVENT_CONTROLLER (drop));
  return row;
}

static void
lboot_update (LodgeBootOrder *self)
{
  g_autoptr (GPtrArray) devices = self->hardware != NULL ? lodge_hardware_list_boot_order (self->hardware) : g_ptr_array_new ();
  g_autoptr (GString) shown = g_string_new (NULL);
  g_autoptr (GString) rows = g_string_new (NULL);
  GtkListBoxRow *row;

  /* A device that was moved without being one to start from stays where the person left it. */
  for (guint i = 0; i < devices->len; i++)
    g_string_append_printf (shown, "%s\t%d\t%s\n", lodge_device_get_id (devices->pdata[i]),
                            lodge_device_get_boot (devices->pdata[i]) >= 0, lodge_device_get_detail (devices->pdata[i]));
  gtk_widget_set_visible (GTK_WIDGET (self), devices->len > 0);
  if (g_strcmp0 (self->shown, shown->str) == 0)
    return;
  g_set_str (&self->shown, shown->str);
  for (int i = 0; (row = gtk_list_box_get_row_at_index (self->list, i)) != NULL; i++)
    g_string_append_printf (rows, "%s\t%d\t%s\n", lboot_row_id (GTK_WIDGET (row)),
                            gtk_check_button_get_active (lboot_row_check (GTK_WIDGET (row))),
                            adw_action_row_get_subtitle (ADW_ACTION_ROW (row)));
  if (g_str_equal (rows->str, shown->str))
    return; /* what a person did here has arrived */
  gtk_list_box_remove_all (self->list);
  for (guint i = 0; i < devices->len; i++)
    {
      GtkWidget *made = lboot_make_row (self, devices->pdata[i]);

      gtk_list_box_append (self->list, made);
      if (g_strcmp0 (self->focus_id, lboot_row_id (made)) == 0 && gtk_widget_get_mapped (GTK_WIDGET (self)))
        gtk_widget_grab_focus (made);
    }
  g_clear_pointer (&self->focus_id, g_free);
}

void
lodge_boot_order_set_hardware (LodgeBootOrder *self, LodgeHardware *hardware)
{
  g_return_if_fail (LODGE_IS_BOOT_ORDER (self));

  if (self->hardware == hardware)
    return;
  if (self->hardware != NULL)
    g_signal_handlers_disconnect_by_data (self->hardware, self);
  g_set_object (&self->hardware, hardware);
  g_clear_pointer (&self->shown, g_free);
  if (hardware != NULL)
    g_signal_connect_object (hardware, "boot-order-changed", G_CALLBACK (lboot_update), self, G_CONNECT_SWAPPED);
  lboot_update (self);
}

static void
lodge_boot_order_dispose (GObject *object)
{
  LodgeBootOrder *self = LODGE_BOOT_ORDER (object);

  if (self->hardware != NULL)
    g_signal_handlers_disconnect_by_data (self->hardware, self);
  g_clear_object (&self->hardware);
  g_clear_pointer (&self->shown, g_free);
  g_clear_pointer (&self->focus_id, g_free);
  gtk_widget_dispose_template (GTK_WIDGET (self), LODGE_TYPE_BOOT_ORDER);
  G_OBJECT_CLASS (lodge_boot_order_parent_class)->dispose (object);
}

static void
lodge_boot_order_class_init (LodgeBootOrderClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = lodge_boot_order_dispose;
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/lodge_vm/Lodge/hardware/lodge-boot-order.ui");
  gtk_widget_class_bind_template_child (widget_class, LodgeBootOrder, list);
  gtk_widget_class_bind_template_child (widget_class, LodgeBootOrder, row_menu);
}

static void
lodge_boot_order_init (LodgeBootOrder *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}
