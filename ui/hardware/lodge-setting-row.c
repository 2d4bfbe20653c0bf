/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hardware/lodge-setting-row.h"

#include <glib/gi18n.h>

#include "widgets/lodge-toast.h"

#define LSET_REST_MS 600 /* a number is told when it has not changed for this long */

struct _LodgeSettingRow {
  GObject parent_instance;

  const LodgeSettingInfo *info;
  char *folder;
  GtkWidget *widget;       /* not owned: it owns us */
  GtkSpinButton *spin;     /* (nullable): of a number */
  GtkWidget *pending_icon; /* (nullable): in a row without a subtitle */
  GtkWidget *clear_button; /* (nullable): of a file */
  char *value;             /* (nullable): of a file, or as last told to the others */
  gboolean at_once, updating, pending;
  guint rest_id;
};

enum { SIGNAL_EDITED, N_SIGNALS };
static guint lset_signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (LodgeSettingRow, lodge_setting_row, G_TYPE_OBJECT)

static gboolean
lset_is_number_row (LodgeSettingRow *self)
{
  /* A number that may be absent is typed: a spin button always has one. */
  return self->info->type == LODGE_SETTING_NUMBER && self->info->fallback != NULL;
}

/* A choice that need not be made has “Not set” before the others. */
static guint
lset_first_choice (LodgeSettingRow *self)
{
  return self->info->fallback == NULL && !self->info->required ? 1 : 0;
}

char *
lodge_setting_row_dup_value (LodgeSettingRow *self)
{
  const char *text;
  guint selected;

  switch (self->info->type)
    {
    case LODGE_SETTING_SWITCH:
      return g_strdup (adw_switch_row_get_active (ADW_SWITCH_ROW (self->widget)) ? "true" : "false");
    case LODGE_SETTING_CHOICE:
      selected = adw_combo_row_get_selected (ADW_COMBO_ROW (self->widget));
      if (selected == GTK_INVALID_LIST_POSITION || selected < lset_first_choice (self))
        return NULL;
      return g_strdup (self->info->choices[selected - lset_first_choice (self)]);
    case LODGE_SETTING_FILE:
      return g_strdup (self->value);
    case LODGE_SETTING_NUMBER:
      if (lset_is_number_row (self))
        return g_strdup_printf ("%.0f", gtk_spin_button_get_value (self->spin));
      G_GNUC_FALLTHROUGH;
    case LODGE_SETTING_TEXT:
    default:
      text = gtk_editable_get_text (GTK_EDITABLE (self->widget));
      return *text != '\0' ? g_strdup (text) : NULL;
    }
}

static void
lset_tell (LodgeSettingRow *self)
{
  g_autofree char *value = NULL;

  g_clear_handle_id (&self->rest_id, g_source_remove);
  if (self->updating)
    return;
  value = lodge_setting_row_dup_value (self);
  g_signal_emit (self, lset_signals[SIGNAL_EDITED], 0, value);
}

static gboolean
lset_rest_cb (gpointer data)
{
  LodgeSettingRow *self = data;

  self->rest_id = 0;
  lset_tell (self);
  return G_SOURCE_REMOVE;
}

static void
on_number_changed_cb (LodgeSettingRow *self)
{
  if (self->updating)
    return;
  g_clear_handle_id (&self->rest_id, g_source_remove);
  if (self->at_once)
    lset_tell (self);
  else
    self->rest_id = g_timeout_add (LSET_REST_MS, lset_rest_cb, self);
}

/* A page that goes away takes no edit with it. */
static void
on_widget_unmapped_cb (LodgeSettingRow *self)
{
  if (self->rest_id != 0)
    lset_tell (self);
}

/* --- Files --- */

static void
lset_show_file (LodgeSettingRow *self)
{
  g_autofree char *base = self->value != NULL ? g_filename_display_basename (self->value) : NULL;
  g_autofree char *full = self->value != NULL ? g_filename_display_name (self->value) : NULL;
  const char *shown = base != NULL && *base != '\0' ? base : _ ("None");
  g_autofree char *text = self->pending ? g_strdup_printf ("%s\n%s", shown, _ ("Takes effect at the next start"))
                                        : g_strdup (shown);

  adw_action_row_set_subtitle (ADW_ACTION_ROW (self->widget), text);
  gtk_widget_set_tooltip_text (self->widget, full);
  gtk_widget_set_visible (self->clear_button, self->value != NULL && !self->info->required);
}

static void
on_file_chosen_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LodgeSettingRow) self = LODGE_SETTING_ROW (data);
  g_autoptr (GError) error = NULL;
  g_autoptr (GFile) file = gtk_file_dialog_open_finish (GTK_FILE_DIALOG (source), result, &error);
  g_autoptr (GFile) folder = self->folder != NULL ? g_file_new_for_path (self->folder) : NULL;
  g_autofree char *inside = NULL;

  if (self->widget == NULL)
    return;
  if (file == NULL)
    {
      lodge_toast_error (self->widget, error);
      return;
    }
  if (g_file_peek_path (file) == NULL)
    {
      lodge_toast_show (self->widget, _ ("Only a file on this computer can be used"));
      return;
    }
  inside = folder != NULL ? g_file_get_relative_path (folder, file) : NULL;
  g_set_str (&self->value, inside != NULL ? inside : g_file_peek_path (file));
  lset_show_file (self);
  lset_tell (self);
}

static void
on_choose_clicked_cb (LodgeSettingRow *self)
{
  g_autoptr (GtkFileDialog) dialog = gtk_file_dialog_new ();
  g_autofree char *path = self->value != NULL && self->folder != NULL ? g_canonicalize_filename (self->value, self->folder) : NULL;
  g_autoptr (GFile) file = path != NULL ? g_file_new_for_path (path) : NULL;

  gtk_file_dialog_set_title (dialog, self->info->summary);
  if (file != NULL && g_file_query_exists (file, NULL))
    gtk_file_dialog_set_initial_file (dialog, file);
  gtk_file_dialog_open (dialog, GTK_WINDOW (gtk_widget_get_root (self->widget)), NULL, on_file_chosen_cb, g_object_ref (self));
}

static void
on_clear_clicked_cb (LodgeSettingRow *self)
{
  g_clear_pointer (&self->value, g_free);
  lset_show_file (self);
  lset_tell (self);
}

static GtkWidget *
lset_make_file (LodgeSettingRow *self)
{
  GtkWidget *row = adw_action_row_new (), *choose = gtk_button_new_with_mnemonic (_ ("C_hoose…"));
  g_autofree char *name = g_strdup_printf (_ ("Choose: %s"), self->info->summary);
  g_autofree char *clear_name = g_strdup_printf (_ ("Clear: %s"), self->info->summary);

  self->clear_button = gtk_button_new_from_icon_name ("edit-clear-symbolic");
  gtk_widget_set_tooltip_text (self->clear_button, _ ("Clear"));
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->clear_button), GTK_ACCESSIBLE_PROPERTY_LABEL, clear_name, -1);
  gtk_accessible_update_property (GTK_ACCESSIBLE (choose), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
  gtk_widget_add_css_class (self->clear_button, "flat");
  gtk_widget_set_valign (self->clear_button, GTK_ALIGN_CENTER);
  gtk_widget_set_valign (choose, GTK_ALIGN_CENTER);
  g_signal_connect_object (self->clear_button, "clicked", G_CALLBACK (on_clear_clicked_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (choose, "clicked", G_CALLBACK (on_choose_clicked_cb), self, G_CONNECT_SWAPPED);
  adw_action_row_add_suffix (ADW_ACTION_ROW (row), self->clear_button);
  adw_action_row_add_suffix (ADW_ACTION_ROW (row), choose);
  adw_action_row_set_activatable_widget (ADW_ACTION_ROW (row), choose);
  gtk_widget_add_css_class (row, "property");
  return row;
}

/* --- The others --- */

static GtkWidget *
lset_make_choice (LodgeSettingRow *self)
{
  GtkWidget *row = adw_combo_row_new ();
  g_autoptr (GtkStringList) names = gtk_string_list_new (NULL);

  if (lset_first_choice (self) > 0)
    gtk_string_list_append (names, _ ("Not set"));
  for (guint i = 0; self->info->choices[i] != NULL; i++)
    gtk_string_list_append (names, self->info->choices[i]);
  adw_combo_row_set_model (ADW_COMBO_ROW (row), G_LIST_MODEL (names));
  g_signal_connect_object (row, "notify::selected", G_CALLBACK (lset_tell), self, G_CONNECT_SWAPPED);
  return row;
}

static GtkWidget *
lset_make_number (LodgeSettingRow *self)
{
  GtkAdjustment *adjustment = gtk_adjustment_new (0, (double) self->info->minimum, (double) self->info->maximum, 1, 10, 0);
  GtkWidget *row = adw_action_row_new (), *spin = gtk_spin_button_new (adjustment, 1, 0);

  /* Not AdwSpinRow: it does not show its number to screen readers. */
  self->spin = GTK_SPIN_BUTTON (spin);
  gtk_spin_button_set_numeric (self->spin, TRUE);
  gtk_widget_set_valign (spin, GTK_ALIGN_CENTER);
  gtk_accessible_update_property (GTK_ACCESSIBLE (spin), GTK_ACCESSIBLE_PROPERTY_LABEL, self->info->summary, -1);
  adw_action_row_add_suffix (ADW_ACTION_ROW (row), spin);
  adw_action_row_set_activatable_widget (ADW_ACTION_ROW (row), spin);
  g_signal_connect_object (spin, "value-changed", G_CALLBACK (on_number_changed_cb), self, G_CONNECT_SWAPPED);
  return row;
}

static GtkWidget *
lset_make_text (LodgeSettingRow *self)
{
  GtkWidget *row = adw_entry_row_new ();

  self->pending_icon = gtk_image_new_from_icon_name ("view-refresh-symbolic");
  gtk_widget_set_tooltip_text (self->pending_icon, _ ("Takes effect at the next start"));
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->pending_icon), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  _ ("Takes effect at the next start"), -1);
  gtk_widget_set_visible (self->pending_icon, FALSE);
  adw_entry_row_add_suffix (ADW_ENTRY_ROW (row), self->pending_icon);
  if (self->info->type == LODGE_SETTING_NUMBER)
    adw_entry_row_set_input_purpose (ADW_ENTRY_ROW (row), GTK_INPUT_PURPOSE_NUMBER);
  adw_entry_row_set_show_apply_button (ADW_ENTRY_ROW (row), !self->at_once);
  g_signal_connect_object (row, self->at_once ? "changed" : "apply", G_CALLBACK (lset_tell), self, G_CONNECT_SWAPPED);
  return row;
}

static GtkWidget *
lset_make_switch (LodgeSettingRow *self)
{
  GtkWidget *row = adw_switch_row_new ();

  g_signal_connect_object (row, "notify::active", G_CALLBACK (lset_tell), self, G_CONNECT_SWAPPED);
  return row;
}

LodgeSettingRow *
lodge_setting_row_new (const LodgeSettingInfo *info, const char *folder, gboolean at_once)
{
  LodgeSettingRow *self = g_object_new (LODGE_TYPE_SETTING_ROW, NULL);

  self->info = info;
  self->folder = g_strdup (folder);
  self->at_once = at_once;
  self->updating = TRUE;
  if (info->type == LODGE_SETTING_SWITCH)
    self->widget = lset_make_switch (self);
  else if (info->type == LODGE_SETTING_CHOICE)
    self->widget = lset_make_choice (self);
  else if (info->type == LODGE_SETTING_FILE)
    self->widget = lset_make_file (self);
  else if (lset_is_number_row (self))
    self->widget = lset_make_number (self);
  else
    self->widget = lset_make_text (self);
  adw_preferences_row_set_use_markup (ADW_PREFERENCES_ROW (self->widget), FALSE);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (self->widget), info->summary);
  if (ADW_IS_ACTION_ROW (self->widget))
    adw_action_row_set_title_lines (ADW_ACTION_ROW (self->widget), 3);
  g_object_set_data_full (G_OBJECT (self->widget), "lodge-setting-row", self, g_object_unref);
  g_object_add_weak_pointer (G_OBJECT (self->widget), (gpointer *) &self->widget);
  g_signal_connect_object (self->widget, "unmap", G_CALLBACK (on_widget_unmapped_cb), self, G_CONNECT_SWAPPED);
  self->updating = FALSE;
  lodge_setting_row_set_value (self, info->fallback, FALSE, FALSE);
  return self;
}

GtkWidget *
lodge_setting_row_get_widget (LodgeSettingRow *self)
{
  return self->widget;
}

const LodgeSettingInfo *
lodge_setting_row_get_info (LodgeSettingRow *self)
{
  return self->info;
}

static void
lset_show_value (LodgeSettingRow *self, const char *value)
{
  guint selected = 0;

  switch (self->info->type)
    {
    case LODGE_SETTING_SWITCH:
      adw_switch_row_set_active (ADW_SWITCH_ROW (self->widget), g_strcmp0 (value, "true") == 0);
      break;
    case LODGE_SETTING_CHOICE:
      for (guint i = 0; value != NULL && self->info->choices[i] != NULL; i++)
        if (g_str_equal (self->info->choices[i], value))
          selected = i + lset_first_choice (self);
      adw_combo_row_set_selected (ADW_COMBO_ROW (self->widget), selected);
      break;
    case LODGE_SETTING_FILE:
      g_set_str (&self->value, value != NULL && *value != '\0' ? value : NULL);
      lset_show_file (self);
      break;
    case LODGE_SETTING_NUMBER:
      if (lset_is_number_row (self))
        {
          gboolean hex = value != NULL && g_ascii_strncasecmp (value, "0x", 2) == 0;

          gtk_spin_button_set_value (self->spin, value != NULL ? (double) g_ascii_strtoll (value, NULL, hex ? 16 : 10) : 0);
          break;
        }
      G_GNUC_FALLTHROUGH;
    case LODGE_SETTING_TEXT:
    default:
      if (g_strcmp0 (gtk_editable_get_text (GTK_EDITABLE (self->widget)), value != NULL ? value : "") != 0)
        gtk_editable_set_text (GTK_EDITABLE (self->widget), value != NULL ? value : "");
    }
}

void
lodge_setting_row_set_value (LodgeSettingRow *self, const char *value, gboolean is_set, gboolean pending)
{
  g_return_if_fail (LODGE_IS_SETTING_ROW (self));

  if (self->rest_id != 0)
    return; /* somebody is at it */
  self->updating = TRUE;
  self->pending = pending;
  lset_show_value (self, value);
  if (self->pending_icon != NULL)
    gtk_widget_set_visible (self->pending_icon, pending);
  else if (self->info->type != LODGE_SETTING_FILE)
    adw_action_row_set_subtitle (ADW_ACTION_ROW (self->widget), pending ? _ ("Takes effect at the next start") : "");
  self->updating = FALSE;
}

static void
lodge_setting_row_dispose (GObject *object)
{
  LodgeSettingRow *self = LODGE_SETTING_ROW (object);

  g_clear_handle_id (&self->rest_id, g_source_remove);
  if (self->widget != NULL)
    g_object_remove_weak_pointer (G_OBJECT (self->widget), (gpointer *) &self->widget);
  self->widget = NULL;
  G_OBJECT_CLASS (lodge_setting_row_parent_class)->dispose (object);
}

static void
lodge_setting_row_finalize (GObject *object)
{
  LodgeSettingRow *self = LODGE_SETTING_ROW (object);

  g_free (self->folder);
  g_free (self->value);
  G_OBJECT_CLASS (lodge_setting_row_parent_class)->finalize (object);
}

static void
lodge_setting_row_class_init (LodgeSettingRowClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = lodge_setting_row_dispose;
  G_OBJECT_CLASS (klass)->finalize = lodge_setting_row_finalize;
  lset_signals[SIGNAL_EDITED] = g_signal_new ("edited", LODGE_TYPE_SETTING_ROW, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE,
                                              1, G_TYPE_STRING);
}

static void
lodge_setting_row_init (LodgeSettingRow *self)
{
}
