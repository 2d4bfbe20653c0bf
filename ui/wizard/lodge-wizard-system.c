/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wizard/lodge-wizard-system.h"

#include <glib/gi18n.h>

#include "media/os.h"

struct _LodgeWizardSystem {
  AdwNavigationPage parent_instance;

  GtkWidget *next_button;
  AdwActionRow *system_row;
  GtkWidget *spinner;
  GtkWidget *clear_button;
  GtkEditable *search_entry;
  GtkStack *list_stack;
  GtkListView *list;

  LodgeMachineSpec *spec;
  GtkFilter *filter;
  GtkSingleSelection *selection;
  gboolean loaded; /* the list of systems */
  gboolean updating;
};

G_DEFINE_FINAL_TYPE (LodgeWizardSystem, lodge_wizard_system, ADW_TYPE_NAVIGATION_PAGE)

static void
lwsys_update (LodgeWizardSystem *self)
{
  const char *os_id = lodge_machine_spec_get_os_id (self->spec), *hint = lodge_machine_spec_get_hint (self->spec);
  LodgeOs *os = os_id != NULL ? lodge_os_database_find (lodge_os_database_get_default (), os_id) : NULL;
  LodgeMediaInfo *media = lodge_machine_spec_get_media (self->spec);
  gboolean detecting = lodge_machine_spec_get_detecting (self->spec);
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->selection));
  g_autoptr (GString) subtitle = g_string_new (NULL);

  if (detecting)
    g_string_append (subtitle, _ ("Looking at the disc…"));
  else if (os_id != NULL && media != NULL && g_strcmp0 (lodge_media_info_get_os_id (media), os_id) == 0)
    g_string_append (subtitle, _ ("Recognised from the disc"));
  else if (os_id != NULL)
    g_string_append (subtitle, _ ("Chosen by you"));
  else if (media != NULL)
    g_string_append (subtitle, _ ("The disc does not say what it holds. It works all the same."));
  else
    g_string_append (subtitle, _ ("Choose one for settings that suit it, or just go on."));
  if (hint != NULL)
    g_string_append_printf (subtitle, "\n%s", hint);

  adw_preferences_row_set_use_markup (ADW_PREFERENCES_ROW (self->system_row), FALSE);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (self->system_row), os != NULL      ? lodge_os_get_name (os)
                                                                         : os_id != NULL ? os_id
                                                                                         : _ ("Unknown System"));
  adw_action_row_set_subtitle (self->system_row, subtitle->str);
  gtk_widget_set_visible (self->spinner, detecting);
  gtk_widget_set_visible (self->clear_button, os_id != NULL);
  gtk_stack_set_visible_child_name (self->list_stack, !self->loaded ? "loading" : n > 0 ? "list" : "nothing");

  self->updating = TRUE;
  for (guint i = 0; i <= n; i++)
    {
      g_autoptr (LodgeOs) item = i < n ? g_list_model_get_item (G_LIST_MODEL (self->selection), i) : NULL;

      if (item != NULL && item != os)
        continue;
      if (gtk_single_selection_get_selected (self->selection) != (i < n ? i : GTK_INVALID_LIST_POSITION))
        {
          gtk_single_selection_set_selected (self->selection, i < n ? i : GTK_INVALID_LIST_POSITION);
          if (i < n)
            gtk_list_view_scroll_to (self->list, i, GTK_LIST_SCROLL_NONE, NULL);
        }
      break;
    }
  self->updating = FALSE;
}

static void
on_selected_changed_cb (LodgeWizardSystem *self)
{
  LodgeOs *os = gtk_single_selection_get_selected_item (self->selection);

  if (self->updating || self->spec == NULL || os == NULL)
    return;
  lodge_machine_spec_set_os_id (self->spec, lodge_os_get_id (os));
}

static void
on_clear_clicked_cb (LodgeWizardSystem *self)
{
  lodge_machine_spec_set_os_id (self->spec, NULL);
  gtk_widget_grab_focus (self->next_button);
}

static void
on_list_activated_cb (GtkListView *list, guint position, LodgeWizardSystem *self)
{
  gtk_widget_activate_action (GTK_WIDGET (self), "wizard.next", NULL);
}

/* --- Search --- */

static gboolean
lwsys_matches (gpointer item, gpointer data)
{
  LodgeWizardSystem *self = LODGE_WIZARD_SYSTEM (data);
  g_autofree char *hay = NULL;
  g_autofree char *needle = g_utf8_strdown (gtk_editable_get_text (self->search_entry), -1);
  g_auto (GStrv) words = g_strsplit_set (needle, " \t", -1);

  g_object_get (item, "search-text", &hay, NULL);
  for (guint i = 0; words[i] != NULL; i++)
    if (hay == NULL || strstr (hay, words[i]) == NULL)
      return FALSE;
  return TRUE;
}

static void
on_search_changed_cb (LodgeWizardSystem *self)
{
  self->updating = TRUE;
  gtk_filter_changed (self->filter, GTK_FILTER_CHANGE_DIFFERENT);
  self->updating = FALSE;
  if (self->spec != NULL)
    lwsys_update (self);
}

static void
on_search_activated_cb (LodgeWizardSystem *self)
{
  g_autoptr (LodgeOs) first = g_list_model_get_item (G_LIST_MODEL (self->selection), 0);

  /* Enter with nothing typed means "go on"; with something typed, "that one". */
  if (*gtk_editable_get_text (self->search_entry) == '\0')
    gtk_widget_activate_action (GTK_WIDGET (self), "wizard.next", NULL);
  else if (first != NULL)
    {
      lodge_machine_spec_set_os_id (self->spec, lodge_os_get_id (first));
      gtk_widget_grab_focus (self->next_button);
    }
}

static void
on_search_stopped_cb (LodgeWizardSystem *self)
{
  gtk_editable_set_text (self->search_entry, "");
  gtk_widget_grab_focus (self->next_button);
}

/* --- Object --- */

static void
on_row_setup_cb (GtkSignalListItemFactory *factory, GtkListItem *item, gpointer data)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 12);
  GtkWidget *label = gtk_label_new (NULL), *check = gtk_image_new_from_icon_name ("object-select-symbolic");

  gtk_label_set_xalign (GTK_LABEL (label), 0);
  gtk_label_set_ellipsize (GTK_LABEL (label), PANGO_ELLIPSIZE_MIDDLE);
  gtk_widget_set_hexpand (label, TRUE);
  gtk_box_append (GTK_BOX (box), label);
  gtk_box_append (GTK_BOX (box), check);
  g_object_bind_property (item, "selected", check, "visible", G_BINDING_SYNC_CREATE);
  gtk_list_item_set_child (item, box);
}

static void
on_row_bind_cb (GtkSignalListItemFactory *factory, GtkListItem *item, gpointer data)
{
  GtkWidget *label = gtk_widget_get_first_child (gtk_list_item_get_child (item));
  const char *name = lodge_os_get_name (gtk_list_item_get_item (item));

  gtk_label_set_label (GTK_LABEL (label), name);
  gtk_list_item_set_accessible_label (item, name);
}

static void
on_database_loaded_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LodgeWizardSystem) self = LODGE_WIZARD_SYSTEM (data);

  /* A missing database is an empty list, not an error. */
  lodge_os_database_load_finish (LODGE_OS_DATABASE (source), result, NULL);
  self->loaded = TRUE;
  if (self->spec != NULL)
    lwsys_update (self);
}

static void
lodge_wizard_system_shown (AdwNavigationPage *page)
{
  LodgeWizardSystem *self = LODGE_WIZARD_SYSTEM (page);
  GtkWidget *dialog = gtk_widget_get_ancestor (GTK_WIDGET (self), ADW_TYPE_DIALOG);

  if (dialog != NULL)
    {
      adw_dialog_set_default_widget (ADW_DIALOG (dialog), self->next_button);
      adw_dialog_set_focus (ADW_DIALOG (dialog), self->next_button);
    }
}

static void
lodge_wizard_system_dispose (GObject *object)
{
  LodgeWizardSystem *self = LODGE_WIZARD_SYSTEM (object);

  if (self->spec != NULL)
    g_signal_handlers_disconnect_by_data (self->spec, self);
  g_clear_object (&self->spec);
  g_clear_object (&self->selection);
  gtk_widget_dispose_template (GTK_WIDGET (self), LODGE_TYPE_WIZARD_SYSTEM);
  G_OBJECT_CLASS (lodge_wizard_system_parent_class)->dispose (object);
}

static void
lodge_wizard_system_class_init (LodgeWizardSystemClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = lodge_wizard_system_dispose;
  ADW_NAVIGATION_PAGE_CLASS (klass)->shown = lodge_wizard_system_shown;

  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/lodge_vm/Lodge/wizard/lodge-wizard-system.ui");
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardSystem, next_button);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardSystem, system_row);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardSystem, spinner);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardSystem, clear_button);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardSystem, search_entry);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardSystem, list_stack);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardSystem, list);
  gtk_widget_class_bind_template_callback (widget_class, on_clear_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_list_activated_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_search_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_search_activated_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_search_stopped_cb);
}

static void
lodge_wizard_system_init (LodgeWizardSystem *self)
{
  GtkListItemFactory *factory = gtk_signal_list_item_factory_new ();
  GtkFilterListModel *filtered;

  gtk_widget_init_template (GTK_WIDGET (self));

  g_signal_connect (factory, "setup", G_CALLBACK (on_row_setup_cb), NULL);
  g_signal_connect (factory, "bind", G_CALLBACK (on_row_bind_cb), NULL);
  gtk_list_view_set_factory (self->list, factory);
  g_object_unref (factory);

  self->filter = GTK_FILTER (gtk_custom_filter_new (lwsys_matches, self, NULL));
  filtered = gtk_filter_list_model_new (g_object_ref (G_LIST_MODEL (lodge_os_database_get_default ())), self->filter);
  self->selection = gtk_single_selection_new (NULL);
  gtk_single_selection_set_autoselect (self->selection, FALSE);
  gtk_single_selection_set_can_unselect (self->selection, TRUE);
  gtk_single_selection_set_model (self->selection, G_LIST_MODEL (filtered));
  g_object_unref (filtered);
  gtk_list_view_set_model (self->list, GTK_SELECTION_MODEL (self->selection));
  g_signal_connect_object (self->selection, "notify::selected-item", G_CALLBACK (on_selected_changed_cb), self, G_CONNECT_SWAPPED);
}

void
lodge_wizard_system_set_spec (LodgeWizardSystem *self, LodgeMachineSpec *spec)
{
  g_return_if_fail (LODGE_IS_WIZARD_SYSTEM (self));
  g_return_if_fail (self->spec == NULL);

  self->spec = g_object_ref (spec);
  g_signal_connect_object (spec, "notify::os-id", G_CALLBACK (lwsys_update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (spec, "notify::detecting", G_CALLBACK (lwsys_update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (spec, "notify::media", G_CALLBACK (lwsys_update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (spec, "notify::hint", G_CALLBACK (lwsys_update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (lodge_os_database_get_default (), "items-changed", G_CALLBACK (lwsys_update), self, G_CONNECT_SWAPPED);
  lwsys_update (self);
  lodge_os_database_load_async (lodge_os_database_get_default (), NULL, on_database_loaded_cb, g_object_ref (self));
}
