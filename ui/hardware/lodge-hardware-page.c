/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hardware/lodge-hardware-page.h"

#include <glib/gi18n.h>

#include "hardware/lodge-add-hardware.h"
#include "hardware/lodge-device-page.h"
#include "model/hardware.h"
#include "widgets/lodge-toast.h"

struct _LodgeHardwarePage {
  AdwBin parent_instance;

  AdwBanner *banner;
  AdwNavigationSplitView *split;
  GtkListView *list;
  AdwNavigationPage *device_page_holder;
  LodgeDevicePage *device_page;

  LodgeHardware *hardware; /* (nullable) */
  GtkSingleSelection *selection;
};

G_DEFINE_FINAL_TYPE (LodgeHardwarePage, lodge_hardware_page, ADW_TYPE_BIN)

/* --- The list --- */

static void
on_row_setup_cb (GtkSignalListItemFactory *factory, GtkListItem *item, gpointer data)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 12), *lines = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0),
            *icon = gtk_image_new (), *title = gtk_label_new (NULL), *detail = gtk_label_new (NULL);

  gtk_widget_set_margin_top (box, 6);
  gtk_widget_set_margin_bottom (box, 6);
  gtk_widget_set_valign (lines, GTK_ALIGN_CENTER);
  gtk_widget_set_hexpand (lines, TRUE);
  for (guint i = 0; i < 2; i++)
    {
      GtkLabel *label = GTK_LABEL (i == 0 ? title : detail);

      gtk_label_set_xalign (label, 0);
      gtk_label_set_ellipsize (label, PANGO_ELLIPSIZE_END);
      gtk_box_append (GTK_BOX (lines), GTK_WIDGET (label));
    }
  gtk_label_set_wrap (GTK_LABEL (title), TRUE);
  gtk_label_set_lines (GTK_LABEL (title), 2);
  gtk_widget_add_css_class (detail, "caption");
  gtk_widget_add_css_class (detail, "dimmed");
  gtk_box_append (GTK_BOX (box), icon);
  gtk_box_append (GTK_BOX (box), lines);
  g_object_set_data (G_OBJECT (box), "icon", icon);
  g_object_set_data (G_OBJECT (box), "title", title);
  g_object_set_data (G_OBJECT (box), "detail", detail);
  gtk_list_item_set_child (item, box);
}

static void
lhwp_update_row (LodgeDevice *device, GtkListItem *item)
{
  GObject *box = G_OBJECT (gtk_list_item_get_child (item));
  LodgeDeviceState state = lodge_device_get_state (device);
  const char *detail = lodge_device_get_detail (device);
  g_autofree char *text = state == LODGE_DEVICE_ADDED     ? g_strdup_printf (_ ("%s, from the next start on"), detail)
                          : state == LODGE_DEVICE_CHANGED ? g_strdup_printf (_ ("%s, changes at the next start"), detail)
                                                          : g_strdup (detail);
  g_autofree char *name = g_strdup_printf ("%s, %s", lodge_device_get_title (device), text);

  gtk_image_set_from_icon_name (g_object_get_data (box, "icon"), lodge_device_get_icon (lodge_device_get_info (device)));
  gtk_label_set_label (g_object_get_data (box, "title"), lodge_device_get_title (device));
  gtk_label_set_label (g_object_get_data (box, "detail"), text);
  gtk_list_item_set_accessible_label (item, name);
}

static void
on_row_bind_cb (GtkSignalListItemFactory *factory, GtkListItem *item, gpointer data)
{
  LodgeDevice *device = gtk_list_item_get_item (item);

  lhwp_update_row (device, item);
  g_signal_connect_object (device, "changed", G_CALLBACK (lhwp_update_row), item, 0);
}

static void
on_row_unbind_cb (GtkSignalListItemFactory *factory, GtkListItem *item, gpointer data)
{
  g_signal_handlers_disconnect_by_func (gtk_list_item_get_item (item), lhwp_update_row, item);
}

static void
on_selected_changed_cb (LodgeHardwarePage *self)
{
  LodgeDevice *device = gtk_single_selection_get_selected_item (self->selection);

  if (device != NULL)
    adw_navigation_page_set_title (self->device_page_holder, lodge_device_get_title (device));
  lodge_device_page_set_device (self->device_page, self->hardware, device);
  gtk_widget_set_visible (GTK_WIDGET (self->device_page), device != NULL);
}

static void
on_list_activated_cb (GtkListView *list, guint position, LodgeHardwarePage *self)
{
  adw_navigation_split_view_set_show_content (self->split, TRUE);
}

static void
lhwp_select (LodgeHardwarePage *self, const char *id)
{
  for (guint i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (self->hardware)); i++)
    {
      g_autoptr (LodgeDevice) device = g_list_model_get_item (G_LIST_MODEL (self->hardware), i);

      if (!g_str_equal (lodge_device_get_id (device), id))
        continue;
      gtk_list_view_scroll_to (self->list, i, GTK_LIST_SCROLL_SELECT | GTK_LIST_SCROLL_FOCUS, NULL);
      adw_navigation_split_view_set_show_content (self->split, TRUE);
      return;
    }
}

/* --- Add and remove --- */

static void
on_added_cb (LodgeAddHardware *dialog, const char *id, LodgeHardwarePage *self)
{
  lhwp_select (self, id);
}

static void
on_add_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  LodgeHardwarePage *self = LODGE_HARDWARE_PAGE (widget);
  LodgeAddHardware *dialog;

  if (self->hardware == NULL)
    return;
  dialog = lodge_add_hardware_new (self->hardware);
  g_signal_connect_object (dialog, "added", G_CALLBACK (on_added_cb), self, 0);
  adw_dialog_present (ADW_DIALOG (dialog), widget);
}

typedef struct {
  LodgeHardwarePage *page;
  LodgeMachine *machine;
  GVariant *undo;
  char *id;
} LhwpUndo;

static void
lhwp_undo_free (gpointer data, GClosure *closure)
{
  LhwpUndo *undo = data;

  g_object_unref (undo->page);
  g_object_unref (undo->machine);
  g_variant_unref (undo->undo);
  g_free (undo->id);
  g_free (undo);
}

static void
on_undone_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LodgeHardwarePage) self = LODGE_HARDWARE_PAGE (data);
  g_autoptr (GError) error = NULL;

  if (!lodge_machine_configure_finish (LODGE_MACHINE (source), result, &error))
    lodge_toast_error (GTK_WIDGET (self), error);
}

static void
on_undo_clicked_cb (AdwToast *toast, LhwpUndo *undo)
{
  lodge_machine_configure_async (undo->machine, undo->undo, NULL, on_undone_cb, g_object_ref (undo->page));
}

static void
on_device_removed_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LodgeHardwarePage) self = LODGE_HARDWARE_PAGE (data);
  g_autoptr (GError) error = NULL;
  GVariant *changes = lodge_hardware_remove_finish (LODGE_HARDWARE (source), result, &error);
  LhwpUndo *undo;
  AdwToast *toast;

  if (changes == NULL)
    {
      lodge_toast_error (GTK_WIDGET (self), error);
      return;
    }
  undo = g_new0 (LhwpUndo, 1);
  undo->page = g_object_ref (self);
  undo->machine = g_object_ref (lodge_hardware_get_machine (LODGE_HARDWARE (source)));
  undo->undo = changes;
  adw_navigation_split_view_set_show_content (self->split, FALSE);
  toast = adw_toast_new (_ ("The device was removed; its files stay"));
  adw_toast_set_button_label (toast, _ ("_Undo"));
  adw_toast_set_timeout (toast, 15);
  g_signal_connect_data (toast, "button-clicked", G_CALLBACK (on_undo_clicked_cb), undo, lhwp_undo_free, 0);
  lodge_toast_add (GTK_WIDGET (self), toast);
}

static void
on_removed_cb (LodgeDevicePage *page, const char *id, LodgeHardwarePage *self)
{
  lodge_hardware_remove_async (self->hardware, id, NULL, on_device_removed_cb, g_object_ref (self));
}

static void
on_remove_pressed_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  LodgeHardwarePage *self = LODGE_HARDWARE_PAGE (widget);
  LodgeDevice *device = gtk_single_selection_get_selected_item (self->selection);

  if (device != NULL && lodge_device_is_removable (device))
    on_removed_cb (self->device_page, lodge_device_get_id (device), self);
}

static gboolean
on_delete_pressed_cb (GtkWidget *list, GVariant *args, gpointer data)
{
  return gtk_widget_activate_action (list, "hardware.remove", NULL);
}

/* --- Object --- */

static void
on_pending_changed_cb (LodgeHardwarePage *self)
{
  adw_banner_set_revealed (self->banner, self->hardware != NULL && lodge_hardware_get_pending (self->hardware));
}

void
lodge_hardware_page_set_machine (LodgeHardwarePage *self, LodgeMachine *machine)
{
  g_return_if_fail (LODGE_IS_HARDWARE_PAGE (self));

  if (machine == (self->hardware != NULL ? lodge_hardware_get_machine (self->hardware) : NULL))
    return;
  if (self->hardware != NULL)
    g_signal_handlers_disconnect_by_data (self->hardware, self);
  lodge_device_page_set_device (self->device_page, NULL, NULL);
  g_clear_object (&self->hardware);
  if (machine != NULL)
    {
      self->hardware = lodge_hardware_new (machine);
      g_signal_connect_object (self->hardware, "notify::pending", G_CALLBACK (on_pending_changed_cb), self, G_CONNECT_SWAPPED);
    }
  gtk_single_selection_set_model (self->selection, self->hardware != NULL ? G_LIST_MODEL (self->hardware) : NULL);
  adw_navigation_split_view_set_show_content (self->split, FALSE);
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "hardware.add", self->hardware != NULL);
  on_pending_changed_cb (self);
  on_selected_changed_cb (self);
}

static void
lodge_hardware_page_dispose (GObject *object)
{
  LodgeHardwarePage *self = LODGE_HARDWARE_PAGE (object);

  if (self->selection != NULL)
    g_signal_handlers_disconnect_by_data (self->selection, self);
  if (self->hardware != NULL)
    g_signal_handlers_disconnect_by_data (self->hardware, self);
  g_clear_object (&self->selection);
  g_clear_object (&self->hardware);
  gtk_widget_dispose_template (GTK_WIDGET (self), LODGE_TYPE_HARDWARE_PAGE);
  G_OBJECT_CLASS (lodge_hardware_page_parent_class)->dispose (object);
}

static void
lodge_hardware_page_class_init (LodgeHardwarePageClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = lodge_hardware_page_dispose;

  g_type_ensure (LODGE_TYPE_DEVICE_PAGE);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/lodge_vm/Lodge/hardware/lodge-hardware-page.ui");
  gtk_widget_class_bind_template_child (widget_class, LodgeHardwarePage, banner);
  gtk_widget_class_bind_template_child (widget_class, LodgeHardwarePage, split);
  gtk_widget_class_bind_template_child (widget_class, LodgeHardwarePage, list);
  gtk_widget_class_bind_template_child (widget_class, LodgeHardwarePage, device_page_holder);
  gtk_widget_class_bind_template_child (widget_class, LodgeHardwarePage, device_page);
  gtk_widget_class_bind_template_callback (widget_class, on_list_activated_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_removed_cb);
  gtk_widget_class_install_action (widget_class, "hardware.add", NULL, on_add_cb);
  gtk_widget_class_install_action (widget_class, "hardware.remove", NULL, on_remove_pressed_cb);
}

static void
lodge_hardware_page_init (LodgeHardwarePage *self)
{
  GtkListItemFactory *factory = gtk_signal_list_item_factory_new ();
  GtkEventController *keys = gtk_shortcut_controller_new ();

  gtk_widget_init_template (GTK_WIDGET (self));
  g_signal_connect (factory, "setup", G_CALLBACK (on_row_setup_cb), NULL);
  g_signal_connect (factory, "bind", G_CALLBACK (on_row_bind_cb), NULL);
  g_signal_connect (factory, "unbind", G_CALLBACK (on_row_unbind_cb), NULL);
  gtk_list_view_set_factory (self->list, factory);
  g_object_unref (factory);

  self->selection = gtk_single_selection_new (NULL);
  g_signal_connect_object (self->selection, "notify::selected-item", G_CALLBACK (on_selected_changed_cb), self, G_CONNECT_SWAPPED);
  gtk_list_view_set_model (self->list, GTK_SELECTION_MODEL (self->selection));

  gtk_shortcut_controller_add_shortcut (GTK_SHORTCUT_CONTROLLER (keys),
                                        gtk_shortcut_new (gtk_keyval_trigger_new (GDK_KEY_Delete, 0),
                                                          gtk_callback_action_new (on_delete_pressed_cb, NULL, NULL)));
  gtk_widget_add_controller (GTK_WIDGET (self->list), keys);
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "hardware.add", FALSE);
}
