/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "library/lodge-window.h"

#include <glib/gi18n.h>

#include "hardware/lodge-hardware-page.h"
#include "library/lodge-machine-page.h"
#include "library/lodge-machine-row.h"
#include "media/os.h"
#include "model/error.h"
#include "model/host.h"
#include "widgets/lodge-machine-actions.h"
#include "widgets/lodge-menu-names.h"
#include "widgets/lodge-toast.h"
#include "wizard/lodge-wizard.h"

struct _LodgeWindow {
  AdwApplicationWindow parent_instance;

  AdwToastOverlay *toasts;
  GtkWidget *drop_hint;
  GtkStack *stack;
  AdwStatusPage *unreadable;
  AdwNavigationSplitView *split;
  AdwNavigationPage *content_page;
  GtkMenuButton *machine_menu_button;
  GMenuModel *machine_menu;
  GtkSearchBar *search_bar;
  GtkEditable *search_entry;
  GtkStack *list_stack;
  GtkListView *list;
  AdwBanner *banner;
  AdwBanner *sidebar_banner;
  AdwBanner *empty_banner;
  GtkMenuButton *menu_button;
  GtkMenuButton *empty_menu_button;
  GtkWidget *views;
  LodgeMachinePage *page;
  LodgeHardwarePage *hardware;

  LodgeLibrary *library;
  GtkFilter *filter;
  GtkSingleSelection *selection;
  LodgeMachineActions *actions;
  GtkWidget *context_menu;
};

G_DEFINE_FINAL_TYPE (LodgeWindow, lodge_window, ADW_TYPE_APPLICATION_WINDOW)

static LodgeMachine *
lwin_get_selected (LodgeWindow *self)
{
  return gtk_single_selection_get_selected_item (self->selection);
}

/* --- What is shown --- */

static void
lwin_update_stack (LodgeWindow *self)
{
  g_autofree char *message = NULL;
  guint n_machines = g_list_model_get_n_items (G_LIST_MODEL (self->library));
  const char *shown;

  g_object_get (self->library, "message", &message, NULL);
  if (n_machines > 0)
    shown = "library";
  else if (!lodge_library_get_loaded (self->library))
    shown = "loading";
  else if (message != NULL)
    {
      adw_status_page_set_description (self->unreadable, message);
      shown = "unreadable";
    }
  else
    shown = "empty";

  gtk_stack_set_visible_child_name (self->stack, shown);
  gtk_menu_button_set_primary (self->empty_menu_button, g_strcmp0 (shown, "empty") == 0);
  gtk_menu_button_set_primary (self->menu_button, g_strcmp0 (shown, "library") == 0);
  gtk_stack_set_visible_child_name (self->list_stack,
                                    g_list_model_get_n_items (G_LIST_MODEL (self->selection)) > 0 ? "list" : "nothing");
}

static void
lwin_update_actions (LodgeWindow *self)
{
  LodgeMachine *machine = lwin_get_selected (self);
  gboolean deletable = machine != NULL && (lodge_machine_get_capabilities (machine) & LODGE_CAPABILITY_DELETE) != 0
                       && !lodge_machine_is_on (machine) && !lodge_machine_get_busy (machine);

  gtk_widget_action_set_enabled (GTK_WIDGET (self), "win.delete-machine", deletable);
}

static void
on_selected_changed_cb (LodgeWindow *self)
{
  LodgeMachine *machine = lwin_get_selected (self);

  lodge_machine_actions_set_machine (self->actions, machine);
  gtk_widget_set_visible (GTK_WIDGET (self->machine_menu_button), machine != NULL);
  if (machine != NULL)
    {
      lodge_machine_page_set_machine (self->page, machine);
      lodge_hardware_page_set_machine (self->hardware, machine);
      adw_navigation_page_set_title (self->content_page, lodge_machine_get_name (machine));
    }
  gtk_widget_set_visible (self->views, machine != NULL);
  lwin_update_actions (self);
}

static void
on_machine_notify_cb (LodgeWindow *self)
{
  lwin_update_actions (self);
}

static void
on_row_setup_cb (GtkSignalListItemFactory *factory, GtkListItem *item, gpointer data)
{
  gtk_list_item_set_child (item, lodge_machine_row_new ());
}

static void
on_row_bind_cb (GtkSignalListItemFactory *factory, GtkListItem *item, gpointer data)
{
  LodgeMachine *machine = gtk_list_item_get_item (item);

  lodge_machine_row_set_machine (LODGE_MACHINE_ROW (gtk_list_item_get_child (item)), machine, item);
  g_signal_connect_object (machine, "notify::state", G_CALLBACK (on_machine_notify_cb), data, G_CONNECT_SWAPPED);
  g_signal_connect_object (machine, "notify::busy", G_CALLBACK (on_machine_notify_cb), data, G_CONNECT_SWAPPED);
}

static void
on_row_unbind_cb (GtkSignalListItemFactory *factory, GtkListItem *item, gpointer data)
{
  g_signal_handlers_disconnect_by_func (gtk_list_item_get_item (item), on_machine_notify_cb, data);
  lodge_machine_row_set_machine (LODGE_MACHINE_ROW (gtk_list_item_get_child (item)), NULL, NULL);
}

/* --- Search --- */

static gboolean
lwin_matches (gpointer item, gpointer data)
{
  LodgeWindow *self = LODGE_WINDOW (data);
  LodgeMachine *machine = LODGE_MACHINE (item);
  const char *os_id = lodge_machine_get_os_id (machine);
  LodgeOs *os = os_id != NULL ? lodge_os_database_find (lodge_os_database_get_default (), os_id) : NULL;
  g_autofree char *needle = g_utf8_casefold (gtk_editable_get_text (self->search_entry), -1);
  g_autofree char *text = g_strjoin (" ", lodge_machine_get_name (machine),
                                     os != NULL      ? lodge_os_get_name (os)
                                     : os_id != NULL ? os_id
                                                     : "",
                                     lodge_machine_state_to_label (lodge_machine_get_state (machine)), NULL);
  g_autofree char *hay = g_utf8_casefold (text, -1);
  g_auto (GStrv) words = g_strsplit_set (needle, " \t", -1);

  for (guint i = 0; words[i] != NULL; i++)
    if (strstr (hay, words[i]) == NULL)
      return FALSE;
  return TRUE;
}

static void
on_search_changed_cb (LodgeWindow *self)
{
  gtk_filter_changed (self->filter, GTK_FILTER_CHANGE_DIFFERENT);
  lwin_update_stack (self);
}

static void
on_search_stopped_cb (LodgeWindow *self)
{
  gtk_search_bar_set_search_mode (self->search_bar, FALSE);
  gtk_widget_grab_focus (GTK_WIDGET (self->list));
}

static void
on_search_activated_cb (LodgeWindow *self)
{
  if (lwin_get_selected (self) != NULL)
    adw_navigation_split_view_set_show_content (self->split, TRUE);
  gtk_widget_grab_focus (GTK_WIDGET (self->list));
}

static void
on_search_action_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  LodgeWindow *self = LODGE_WINDOW (widget);

  adw_navigation_split_view_set_show_content (self->split, FALSE);
  gtk_search_bar_set_search_mode (self->search_bar, TRUE);
  gtk_widget_grab_focus (GTK_WIDGET (self->search_entry));
}

/* --- The list --- */

static void
on_list_activated_cb (GtkListView *list, guint position, LodgeWindow *self)
{
  if (adw_navigation_split_view_get_collapsed (self->split))
    adw_navigation_split_view_set_show_content (self->split, TRUE);
  else
    gtk_widget_activate_action (GTK_WIDGET (self), "machine.main", NULL);
}

void
lodge_window_select (LodgeWindow *self, LodgeMachine *machine)
{
  g_return_if_fail (LODGE_IS_WINDOW (self));

  gtk_search_bar_set_search_mode (self->search_bar, FALSE);
  for (guint i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (self->selection)); i++)
    {
      g_autoptr (LodgeMachine) item = g_list_model_get_item (G_LIST_MODEL (self->selection), i);

      if (item != machine)
        continue;
      gtk_list_view_scroll_to (self->list, i, GTK_LIST_SCROLL_SELECT | GTK_LIST_SCROLL_FOCUS, NULL);
      adw_navigation_split_view_set_show_content (self->split, TRUE);
      return;
    }
}

static void
lwin_popup_context_menu (LodgeWindow *self, double x, double y)
{
  GdkRectangle rect = { (int) x, (int) y, 1, 1 };

  if (lwin_get_selected (self) == NULL)
    return;
  if (self->context_menu == NULL)
    {
      self->context_menu = gtk_popover_menu_new_from_model (self->machine_menu);
      gtk_popover_set_has_arrow (GTK_POPOVER (self->context_menu), FALSE);
      gtk_widget_set_halign (self->context_menu, GTK_ALIGN_START);
      lodge_menu_names_add (self->context_menu);
      gtk_widget_set_parent (self->context_menu, GTK_WIDGET (self->list_stack));
    }
  gtk_popover_set_pointing_to (GTK_POPOVER (self->context_menu), &rect);
  gtk_popover_popup (GTK_POPOVER (self->context_menu));
}

static void
on_list_pressed_cb (GtkGestureClick *gesture, int n_press, double x, double y, LodgeWindow *self)
{
  GtkWidget *row = gtk_widget_pick (GTK_WIDGET (self->list_stack), x, y, GTK_PICK_DEFAULT);
  LodgeMachine *machine = NULL;

  /* A row's item is not public; the row that we put into it knows its machine. */
  while (row != NULL && !LODGE_IS_MACHINE_ROW (row) && row != GTK_WIDGET (self->list_stack))
    {
      GtkWidget *child = gtk_widget_get_first_child (row);

      row = child != NULL && LODGE_IS_MACHINE_ROW (child) ? child : gtk_widget_get_parent (row);
    }
  if (row == NULL || !LODGE_IS_MACHINE_ROW (row))
    return;
  machine = lodge_machine_row_get_machine (LODGE_MACHINE_ROW (row));
  for (guint i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (self->selection)); i++)
    {
      g_autoptr (LodgeMachine) item = g_list_model_get_item (G_LIST_MODEL (self->selection), i);

      if (item == machine)
        gtk_single_selection_set_selected (self->selection, i);
    }
  gtk_gesture_set_state (GTK_GESTURE (gesture), GTK_EVENT_SEQUENCE_CLAIMED);
  lwin_popup_context_menu (self, x, y);
}

static void
on_context_menu_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  LodgeWindow *self = LODGE_WINDOW (widget);
  GtkWidget *focus = gtk_root_get_focus (GTK_ROOT (self));
  graphene_point_t point = GRAPHENE_POINT_INIT (24, 24);

  if (focus == NULL || !gtk_widget_is_ancestor (focus, GTK_WIDGET (self->list_stack)))
    return;
  if (!gtk_widget_compute_point (focus, GTK_WIDGET (self->list_stack), &GRAPHENE_POINT_INIT (24, gtk_widget_get_height (focus)),
                                 &point))
    return;
  lwin_popup_context_menu (self, point.x, point.y);
}

/* --- New --- */

static void
on_machine_created_cb (LodgeWizard *wizard, LodgeMachine *machine, gboolean start, LodgeWindow *self)
{
  lodge_window_select (self, machine);
  if (start)
    {
      lodge_machine_actions_set_machine (self->actions, machine);
      lodge_machine_actions_act (self->actions, LODGE_VERB_START);
      on_selected_changed_cb (self);
    }
}

void
lodge_window_open_wizard (LodgeWindow *self, const char *path)
{
  LodgeWizard *wizard;

  g_return_if_fail (LODGE_IS_WINDOW (self));

  if (adw_application_window_get_visible_dialog (ADW_APPLICATION_WINDOW (self)) != NULL
      && LODGE_IS_WIZARD (adw_application_window_get_visible_dialog (ADW_APPLICATION_WINDOW (self))))
    return;
  wizard = lodge_wizard_new (self->library, path);
  g_signal_connect_object (wizard, "machine-created", G_CALLBACK (on_machine_created_cb), self, 0);
  adw_dialog_present (ADW_DIALOG (wizard), GTK_WIDGET (self));
}

static void
on_new_machine_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  lodge_window_open_wizard (LODGE_WINDOW (widget), NULL);
}

static gboolean
on_dropped_cb (GtkDropTarget *target, const GValue *value, double x, double y, LodgeWindow *self)
{
  GSList *files = g_value_get_boxed (value);
  GFile *file = files != NULL ? files->data : NULL;

  if (file == NULL)
    return FALSE;
  if (g_file_peek_path (file) == NULL)
    {
      lodge_toast_show (GTK_WIDGET (self), _ ("Only a file on this computer can become a machine"));
      return FALSE;
    }
  lodge_window_open_wizard (self, g_file_peek_path (file));
  return TRUE;
}

static GdkDragAction
on_drag_entered_cb (GtkDropTarget *target, double x, double y, LodgeWindow *self)
{
  gtk_widget_set_visible (self->drop_hint, TRUE);
  return GDK_ACTION_COPY;
}

static void
on_drag_left_cb (GtkDropTarget *target, LodgeWindow *self)
{
  gtk_widget_set_visible (self->drop_hint, FALSE);
}

/* --- Delete and undo --- */

static void
on_delete_undone_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LodgeWindow) self = LODGE_WINDOW (data);
  g_autoptr (GError) error = NULL;
  g_autoptr (LodgeMachine) machine = lodge_library_undo_delete_finish (LODGE_LIBRARY (source), result, &error);

  if (machine != NULL)
    lodge_window_select (self, machine);
  else
    lodge_toast_error (GTK_WIDGET (self), error);
}

static void
on_undo_clicked_cb (AdwToast *toast, LodgeWindow *self)
{
  const char *token = g_object_get_data (G_OBJECT (toast), "lodge-token");

  lodge_library_undo_delete_async (self->library, token, NULL, on_delete_undone_cb, g_object_ref (self));
}

static void
on_deleted_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LodgeWindow) self = LODGE_WINDOW (data);
  g_autoptr (GError) error = NULL;
  char *token = lodge_library_delete_finish (LODGE_LIBRARY (source), result, &error);
  AdwToast *toast;

  if (token == NULL)
    {
      lodge_toast_error (GTK_WIDGET (self), error);
      return;
    }
  adw_navigation_split_view_set_show_content (self->split, FALSE);
  toast = adw_toast_new (_ ("The machine was moved to the trash"));
  adw_toast_set_button_label (toast, _ ("_Undo"));
  adw_toast_set_timeout (toast, 15);
  g_object_set_data_full (G_OBJECT (toast), "lodge-token", token, g_free);
  g_signal_connect_object (toast, "button-clicked", G_CALLBACK (on_undo_clicked_cb), self, 0);
  adw_toast_overlay_add_toast (self->toasts, toast);
}

static void
on_delete_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  LodgeWindow *self = LODGE_WINDOW (widget);
  LodgeMachine *machine = lwin_get_selected (self);

  if (machine != NULL)
    lodge_library_delete_async (self->library, machine, NULL, on_deleted_cb, g_object_ref (self));
}

/* --- The host --- */

static void
on_host_changed_cb (LodgeWindow *self)
{
  LodgeHost *host = lodge_host_get_default ();
  const char *title = lodge_host_get_title (host);
  AdwBanner *banners[] = { self->banner, self->sidebar_banner, self->empty_banner };

  for (guint i = 0; i < G_N_ELEMENTS (banners); i++)
    {
      if (title != NULL)
        adw_banner_set_title (banners[i], title);
      adw_banner_set_use_markup (banners[i], FALSE);
      adw_banner_set_revealed (banners[i], title != NULL);
    }
}

static void
on_host_refreshed_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LodgeWindow) self = LODGE_WINDOW (data);
  g_autoptr (GError) error = NULL;

  if (!lodge_host_refresh_finish (LODGE_HOST (source), result, &error))
    lodge_toast_error (GTK_WIDGET (self), error);
  on_host_changed_cb (self);
}

static void
on_kvm_answered_cb (AdwAlertDialog *dialog, const char *response, LodgeWindow *self)
{
  LodgeHost *host = lodge_host_get_default ();

  if (g_strcmp0 (response, "copy") == 0 && lodge_host_get_command (host) != NULL)
    {
      gdk_clipboard_set_text (gtk_widget_get_clipboard (GTK_WIDGET (self)), lodge_host_get_command (host));
      lodge_toast_show (GTK_WIDGET (self), _ ("Command copied"));
    }
  else if (g_strcmp0 (response, "check") == 0)
    lodge_host_refresh_async (host, NULL, on_host_refreshed_cb, g_object_ref (self));
}

static void
on_kvm_help_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  LodgeWindow *self = LODGE_WINDOW (widget);
  LodgeHost *host = lodge_host_get_default ();
  const char *command = lodge_host_get_command (host), *detail = lodge_host_get_detail (host);
  AdwDialog *dialog;
  GtkWidget *box;

  if (lodge_host_get_title (host) == NULL)
    return;

  dialog = adw_alert_dialog_new (lodge_host_get_title (host), lodge_host_get_remedy (host));
  box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 12);
  if (command != NULL)
    {
      GtkWidget *label = gtk_label_new (command);

      gtk_label_set_selectable (GTK_LABEL (label), TRUE);
      gtk_label_set_wrap (GTK_LABEL (label), TRUE);
      gtk_label_set_wrap_mode (GTK_LABEL (label), PANGO_WRAP_WORD_CHAR);
      gtk_label_set_xalign (GTK_LABEL (label), 0);
      gtk_widget_add_css_class (label, "monospace");
      gtk_widget_add_css_class (label, "details");
      gtk_widget_add_css_class (label, "card");
      gtk_box_append (GTK_BOX (box), label);
      adw_alert_dialog_add_response (ADW_ALERT_DIALOG (dialog), "copy", _ ("_Copy Command"));
    }
  if (detail != NULL)
    {
      GtkWidget *label = gtk_label_new (detail);

      gtk_label_set_selectable (GTK_LABEL (label), TRUE);
      gtk_label_set_wrap (GTK_LABEL (label), TRUE);
      gtk_label_set_wrap_mode (GTK_LABEL (label), PANGO_WRAP_WORD_CHAR);
      gtk_label_set_xalign (GTK_LABEL (label), 0);
      gtk_widget_add_css_class (label, "caption");
      gtk_widget_add_css_class (label, "dimmed");
      gtk_box_append (GTK_BOX (box), label);
    }
  if (gtk_widget_get_first_child (box) != NULL)
    adw_alert_dialog_set_extra_child (ADW_ALERT_DIALOG (dialog), box);
  else
    g_object_ref_sink (box), g_object_unref (box);
  adw_alert_dialog_add_responses (ADW_ALERT_DIALOG (dialog), "check", _ ("Check _Again"), "close", _ ("C_lose"), NULL);
  adw_alert_dialog_set_close_response (ADW_ALERT_DIALOG (dialog), "close");
  adw_alert_dialog_set_default_response (ADW_ALERT_DIALOG (dialog), "close");
  g_signal_connect_object (dialog, "response", G_CALLBACK (on_kvm_answered_cb), self, 0);
  adw_dialog_present (dialog, GTK_WIDGET (self));
}

/* --- Object --- */

static void
on_library_loaded_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LodgeWindow) self = LODGE_WINDOW (data);
  g_autoptr (GError) error = NULL;

  /* An unreadable directory is told by the library's message, on a page of its own. */
  lodge_library_load_finish (LODGE_LIBRARY (source), result, &error);
  lwin_update_stack (self);
  /* The machines came in any order; nobody has chosen one yet. */
  if (g_list_model_get_n_items (G_LIST_MODEL (self->selection)) > 0
      && adw_application_window_get_visible_dialog (ADW_APPLICATION_WINDOW (self)) == NULL)
    {
      gtk_list_view_scroll_to (self->list, 0, GTK_LIST_SCROLL_SELECT | GTK_LIST_SCROLL_FOCUS, NULL);
      gtk_widget_grab_focus (GTK_WIDGET (self->list));
    }
}

static void
on_show_view_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  LodgeWindow *self = LODGE_WINDOW (widget);

  if (lwin_get_selected (self) == NULL)
    return;
  adw_navigation_split_view_set_show_content (self->split, TRUE);
  adw_view_stack_set_visible_child_name (ADW_VIEW_STACK (self->views), g_variant_get_string (parameter, NULL));
}

static void
on_reload_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  lodge_library_refresh (LODGE_WINDOW (widget)->library, NULL);
}

static void
on_show_menu_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  LodgeWindow *self = LODGE_WINDOW (widget);

  adw_navigation_split_view_set_show_content (self->split, FALSE);
  gtk_menu_button_popup (g_strcmp0 (gtk_stack_get_visible_child_name (self->stack), "empty") == 0 ? self->empty_menu_button
                                                                                                  : self->menu_button);
}

static void
on_fullscreen_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  if (gtk_window_is_fullscreen (GTK_WINDOW (widget)))
    gtk_window_unfullscreen (GTK_WINDOW (widget));
  else
    gtk_window_fullscreen (GTK_WINDOW (widget));
}

static void
lodge_window_dispose (GObject *object)
{
  LodgeWindow *self = LODGE_WINDOW (object);

  if (self->library != NULL)
    g_signal_handlers_disconnect_by_data (self->library, self);
  g_clear_pointer (&self->context_menu, gtk_widget_unparent);
  g_clear_object (&self->actions);
  g_clear_object (&self->selection);
  g_clear_object (&self->library);
  gtk_widget_dispose_template (GTK_WIDGET (self), LODGE_TYPE_WINDOW);
  G_OBJECT_CLASS (lodge_window_parent_class)->dispose (object);
}

static void
lodge_window_class_init (LodgeWindowClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = lodge_window_dispose;

  g_type_ensure (LODGE_TYPE_HARDWARE_PAGE);
  g_type_ensure (LODGE_TYPE_MACHINE_PAGE);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/lodge_vm/Lodge/library/lodge-window.ui");
  gtk_widget_class_bind_template_child (widget_class, LodgeWindow, toasts);
  gtk_widget_class_bind_template_child (widget_class, LodgeWindow, drop_hint);
  gtk_widget_class_bind_template_child (widget_class, LodgeWindow, stack);
  gtk_widget_class_bind_template_child (widget_class, LodgeWindow, unreadable);
  gtk_widget_class_bind_template_child (widget_class, LodgeWindow, split);
  gtk_widget_class_bind_template_child (widget_class, LodgeWindow, content_page);
  gtk_widget_class_bind_template_child (widget_class, LodgeWindow, machine_menu_button);
  gtk_widget_class_bind_template_child (widget_class, LodgeWindow, machine_menu);
  gtk_widget_class_bind_template_child (widget_class, LodgeWindow, search_bar);
  gtk_widget_class_bind_template_child (widget_class, LodgeWindow, search_entry);
  gtk_widget_class_bind_template_child (widget_class, LodgeWindow, list_stack);
  gtk_widget_class_bind_template_child (widget_class, LodgeWindow, list);
  gtk_widget_class_bind_template_child (widget_class, LodgeWindow, banner);
  gtk_widget_class_bind_template_child (widget_class, LodgeWindow, sidebar_banner);
  gtk_widget_class_bind_template_child (widget_class, LodgeWindow, empty_banner);
  gtk_widget_class_bind_template_child (widget_class, LodgeWindow, menu_button);
  gtk_widget_class_bind_template_child (widget_class, LodgeWindow, empty_menu_button);
  gtk_widget_class_bind_template_child (widget_class, LodgeWindow, views);
  gtk_widget_class_bind_template_child (widget_class, LodgeWindow, page);
  gtk_widget_class_bind_template_child (widget_class, LodgeWindow, hardware);
  gtk_widget_class_bind_template_callback (widget_class, on_search_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_search_stopped_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_search_activated_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_list_activated_cb);

  gtk_widget_class_install_action (widget_class, "win.new-machine", NULL, on_new_machine_cb);
  gtk_widget_class_install_action (widget_class, "win.search", NULL, on_search_action_cb);
  gtk_widget_class_install_action (widget_class, "win.delete-machine", NULL, on_delete_cb);
  gtk_widget_class_install_action (widget_class, "win.kvm-help", NULL, on_kvm_help_cb);
  gtk_widget_class_install_action (widget_class, "win.reload", NULL, on_reload_cb);
  gtk_widget_class_install_action (widget_class, "win.show-view", "s", on_show_view_cb);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_1, GDK_ALT_MASK, "win.show-view", "s", "overview");
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_2, GDK_ALT_MASK, "win.show-view", "s", "hardware");
  gtk_widget_class_install_action (widget_class, "win.show-menu", NULL, on_show_menu_cb);
  gtk_widget_class_install_action (widget_class, "win.context-menu", NULL, on_context_menu_cb);
  gtk_widget_class_install_action (widget_class, "win.fullscreen", NULL, on_fullscreen_cb);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_F10, GDK_SHIFT_MASK, "win.context-menu", NULL);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_Menu, 0, "win.context-menu", NULL);
}

static void
lodge_window_init (LodgeWindow *self)
{
  GtkListItemFactory *factory = gtk_signal_list_item_factory_new ();
  GtkGesture *click;
  GtkDropTarget *drop;

  gtk_widget_init_template (GTK_WIDGET (self));
  gtk_window_set_title (GTK_WINDOW (self), g_get_application_name ());

  g_signal_connect (factory, "setup", G_CALLBACK (on_row_setup_cb), self);
  g_signal_connect (factory, "bind", G_CALLBACK (on_row_bind_cb), self);
  g_signal_connect (factory, "unbind", G_CALLBACK (on_row_unbind_cb), self);
  gtk_list_view_set_factory (self->list, factory);
  g_object_unref (factory);

  lodge_menu_names_add (GTK_WIDGET (self));
  self->actions = lodge_machine_actions_new (GTK_WIDGET (self));
  gtk_widget_insert_action_group (GTK_WIDGET (self), "machine", G_ACTION_GROUP (self->actions));

  click = gtk_gesture_click_new ();
  gtk_gesture_single_set_button (GTK_GESTURE_SINGLE (click), GDK_BUTTON_SECONDARY);
  g_signal_connect (click, "pressed", G_CALLBACK (on_list_pressed_cb), self);
  gtk_widget_add_controller (GTK_WIDGET (self->list_stack), GTK_EVENT_CONTROLLER (click));

  drop = gtk_drop_target_new (GDK_TYPE_FILE_LIST, GDK_ACTION_COPY);
  g_signal_connect (drop, "enter", G_CALLBACK (on_drag_entered_cb), self);
  g_signal_connect (drop, "leave", G_CALLBACK (on_drag_left_cb), self);
  g_signal_connect (drop, "drop", G_CALLBACK (on_dropped_cb), self);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (drop));
}

LodgeWindow *
lodge_window_new (AdwApplication *application, LodgeLibrary *library)
{
  LodgeWindow *self = g_object_new (LODGE_TYPE_WINDOW, "application", application, NULL);
  GtkFilterListModel *filtered;

  self->library = g_object_ref (library);
  self->filter = GTK_FILTER (gtk_custom_filter_new (lwin_matches, self, NULL));
  filtered = gtk_filter_list_model_new (g_object_ref (G_LIST_MODEL (library)), self->filter);
  self->selection = gtk_single_selection_new (G_LIST_MODEL (filtered));
  gtk_list_view_set_model (self->list, GTK_SELECTION_MODEL (self->selection));

  g_signal_connect_object (self->selection, "notify::selected-item", G_CALLBACK (on_selected_changed_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->selection, "items-changed", G_CALLBACK (lwin_update_stack), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (library, "items-changed", G_CALLBACK (lwin_update_stack), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (library, "notify::loaded", G_CALLBACK (lwin_update_stack), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (library, "notify::message", G_CALLBACK (lwin_update_stack), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (lodge_host_get_default (), "notify", G_CALLBACK (on_host_changed_cb), self, G_CONNECT_SWAPPED);

  on_selected_changed_cb (self);
  lwin_update_stack (self);
  lodge_library_load_async (library, NULL, on_library_loaded_cb, g_object_ref (self));
  lodge_host_refresh_async (lodge_host_get_default (), NULL, on_host_refreshed_cb, g_object_ref (self));
  return self;
}
