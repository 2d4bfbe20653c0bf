/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "settings/lodge-preferences.h"

#include <glib/gi18n.h>

#include "settings/lodge-settings.h"
#include "widgets/lodge-toast.h"

struct _LodgePreferences {
  AdwPreferencesDialog parent_instance;

  AdwComboRow *style_row;
  AdwComboRow *release_row;
  AdwComboRow *close_row;
  AdwActionRow *folder_row;

  char *directory;
};

G_DEFINE_FINAL_TYPE (LodgePreferences, lodge_preferences, ADW_TYPE_PREFERENCES_DIALOG)

/* The rows list the values of the enumeration in its order. */
static gboolean
lpref_enum_to_selected (GBinding *binding, const GValue *from, GValue *to, gpointer data)
{
  g_value_set_uint (to, (guint) g_value_get_enum (from));
  return TRUE;
}

static gboolean
lpref_selected_to_enum (GBinding *binding, const GValue *from, GValue *to, gpointer data)
{
  if (g_value_get_uint (from) == GTK_INVALID_LIST_POSITION)
    return FALSE;
  g_value_set_enum (to, (int) g_value_get_uint (from));
  return TRUE;
}

static void
lpref_bind (const char *property, AdwComboRow *row)
{
  g_object_bind_property_full (lodge_settings_get_default (), property, row, "selected",
                               G_BINDING_SYNC_CREATE | G_BINDING_BIDIRECTIONAL, lpref_enum_to_selected, lpref_selected_to_enum,
                               NULL, NULL);
}

static void
on_folder_opened_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LodgePreferences) self = LODGE_PREFERENCES (data);
  g_autoptr (GError) error = NULL;

  if (!gtk_file_launcher_launch_finish (GTK_FILE_LAUNCHER (source), result, &error))
    lodge_toast_error (GTK_WIDGET (self), error);
}

static void
on_folder_clicked_cb (LodgePreferences *self)
{
  g_autoptr (GFile) file = g_file_new_for_path (self->directory);
  g_autoptr (GtkFileLauncher) launcher = gtk_file_launcher_new (file);

  gtk_file_launcher_launch (launcher, GTK_WINDOW (gtk_widget_get_root (GTK_WIDGET (self))), NULL, on_folder_opened_cb,
                            g_object_ref (self));
}

static void
lodge_preferences_dispose (GObject *object)
{
  LodgePreferences *self = LODGE_PREFERENCES (object);

  g_clear_pointer (&self->directory, g_free);
  gtk_widget_dispose_template (GTK_WIDGET (self), LODGE_TYPE_PREFERENCES);
  G_OBJECT_CLASS (lodge_preferences_parent_class)->dispose (object);
}

static void
lodge_preferences_class_init (LodgePreferencesClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = lodge_preferences_dispose;

  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/lodge_vm/Lodge/settings/lodge-preferences.ui");
  gtk_widget_class_bind_template_child (widget_class, LodgePreferences, style_row);
  gtk_widget_class_bind_template_child (widget_class, LodgePreferences, release_row);
  gtk_widget_class_bind_template_child (widget_class, LodgePreferences, close_row);
  gtk_widget_class_bind_template_child (widget_class, LodgePreferences, folder_row);
  gtk_widget_class_bind_template_callback (widget_class, on_folder_clicked_cb);
}

static void
lodge_preferences_init (LodgePreferences *self)
{
  g_autoptr (GtkStringList) keys = gtk_string_list_new (NULL);

  gtk_widget_init_template (GTK_WIDGET (self));

  for (LodgeReleaseKeys i = LODGE_RELEASE_LEFT_CTRL_ALT; i <= LODGE_RELEASE_RIGHT_CTRL_ALT; i++)
    gtk_string_list_append (keys, lodge_release_keys_get_label (i));
  adw_combo_row_set_model (self->release_row, G_LIST_MODEL (keys));
  lpref_bind ("style", self->style_row);
  lpref_bind ("release-keys", self->release_row);
  lpref_bind ("close-policy", self->close_row);
}

AdwDialog *
lodge_preferences_new (const char *directory)
{
  LodgePreferences *self = g_object_new (LODGE_TYPE_PREFERENCES, NULL);
  g_autofree char *shown = directory != NULL ? g_filename_display_name (directory) : NULL;

  self->directory = g_strdup (directory);
  gtk_widget_set_visible (GTK_WIDGET (self->folder_row), directory != NULL);
  if (shown != NULL)
    adw_action_row_set_subtitle (self->folder_row, shown);
  return ADW_DIALOG (self);
}
