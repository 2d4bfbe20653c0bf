/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hardware/lodge-add-hardware.h"

#include <glib/gi18n.h>

#include "hardware/lodge-device-page.h"
#include "hardware/lodge-setting-row.h"
#include "widgets/lodge-amount-row.h"
#include "widgets/lodge-toast.h"

#define LADD_DISK_MIB (20 * 1024)
#define LADD_DISK_MIN_MIB 1
#define LADD_DISK_MAX_MIB ((double) (64 << 20)) /* 64 TiB, as the image format allows */

struct _LodgeAddHardware {
  AdwDialog parent_instance;

  AdwNavigationView *view;
  GtkEditable *search_entry;
  GtkStack *list_stack;
  GtkListBox *list;
  AdwNavigationPage *settings_page;
  GtkWidget *add_button;
  GtkWidget *disk_group;
  AdwSwitchRow *new_disk_row;
  LodgeAmountRow *size_row;
  AdwPreferencesGroup *group;

  LodgeHardware *hardware;
  const LodgeDeviceInfo *info; /* (nullable): the one whose settings are shown */
  GPtrArray *rows;             /* LodgeSettingRow, not owned: in group */
};

enum { SIGNAL_ADDED, N_SIGNALS };
static guint ladd_signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (LodgeAddHardware, lodge_add_hardware, ADW_TYPE_DIALOG)

/* --- The list --- */

static const LodgeDeviceInfo *
ladd_row_info (GtkListBoxRow *row)
{
  return g_object_get_data (G_OBJECT (row), "lodge-info");
}

static gboolean
ladd_matches (GtkListBoxRow *row, gpointer data)
{
  LodgeAddHardware *self = LODGE_ADD_HARDWARE (data);
  const LodgeDeviceInfo *info = ladd_row_info (row);
  g_autofree char *needle = g_utf8_casefold (gtk_editable_get_text (self->search_entry), -1);
  g_autofree char *text = g_strjoin (" ", info->summary, info->description != NULL ? info->description : "", info->name, info->bus,
                                     NULL);
  g_autofree char *hay = g_utf8_casefold (text, -1);
  g_auto (GStrv) words = g_strsplit_set (needle, " \t", -1);

  for (guint i = 0; words[i] != NULL; i++)
    if (strstr (hay, words[i]) == NULL)
      return FALSE;
  return TRUE;
}

static GtkListBoxRow *
ladd_first_match (LodgeAddHardware *self)
{
  GtkListBoxRow *row;

  for (int i = 0; (row = gtk_list_box_get_row_at_index (self->list, i)) != NULL; i++)
    if (ladd_matches (row, self))
      return row;
  return NULL;
}

static void
on_search_changed_cb (LodgeAddHardware *self)
{
  gtk_list_box_invalidate_filter (self->list);
  gtk_stack_set_visible_child_name (self->list_stack, ladd_first_match (self) != NULL ? "list" : "nothing");
}

static void
on_search_stopped_cb (LodgeAddHardware *self)
{
  if (*gtk_editable_get_text (self->search_entry) != '\0')
    gtk_editable_set_text (self->search_entry, "");
  else
    adw_dialog_close (ADW_DIALOG (self));
}

/* --- The settings --- */

static void
ladd_update_add (LodgeAddHardware *self)
{
  gboolean makes_disk = gtk_widget_get_visible (self->disk_group) && adw_switch_row_get_active (self->new_disk_row);
  gboolean whole = self->info != NULL;

  for (guint i = 0; i < self->rows->len; i++)
    {
      const LodgeSettingInfo *info = lodge_setting_row_get_info (self->rows->pdata[i]);
      g_autofree char *value = lodge_setting_row_dup_value (self->rows->pdata[i]);
      gboolean is_image = g_str_equal (info->key, "image"), is_format = g_str_equal (info->key, "format");

      if (gtk_widget_get_visible (self->disk_group))
        gtk_widget_set_visible (lodge_setting_row_get_widget (self->rows->pdata[i]), is_format ? FALSE : !is_image || !makes_disk);
      if (info->required && value == NULL && !(is_image && makes_disk))
        whole = FALSE;
    }
  gtk_widget_set_sensitive (self->add_button, whole);
}

static void
on_new_disk_changed_cb (LodgeAddHardware *self)
{
  ladd_update_add (self);
}

static void
on_row_edited_cb (LodgeSettingRow *row, const char *value, LodgeAddHardware *self)
{
  g_object_set_data (G_OBJECT (row), "lodge-edited", GINT_TO_POINTER (TRUE));
  ladd_update_add (self);
}

static void
ladd_show_settings (LodgeAddHardware *self, const LodgeDeviceInfo *info)
{
  const char *folder = lodge_machine_get_path (lodge_hardware_get_machine (self->hardware));

  for (guint i = 0; i < self->rows->len; i++)
    adw_preferences_group_remove (self->group, lodge_setting_row_get_widget (self->rows->pdata[i]));
  g_ptr_array_set_size (self->rows, 0);
  self->info = info;
  adw_navigation_page_set_title (self->settings_page, info->summary);
  {
    g_autofree char *escaped = info->description != NULL ? g_markup_escape_text (info->description, -1) : NULL;

    adw_preferences_group_set_description (self->group, escaped);
  }
  gtk_widget_set_visible (self->disk_group, lodge_device_info_takes_new_disk (info));
  for (guint i = 0; i < info->n_settings; i++)
    {
      LodgeSettingRow *row;

      if (g_str_equal (info->settings[i].key, "boot"))
        continue; /* the boot order has it */
      row = lodge_setting_row_new (&info->settings[i], folder, TRUE);
      g_ptr_array_add (self->rows, row);
      adw_preferences_group_add (self->group, lodge_setting_row_get_widget (row));
      g_signal_connect_object (row, "edited", G_CALLBACK (on_row_edited_cb), self, 0);
    }
  ladd_update_add (self);
  adw_navigation_view_push_by_tag (self->view, "settings");
  adw_dialog_set_default_widget (ADW_DIALOG (self), self->add_button);
  gtk_widget_grab_focus (self->add_button);
}

static void
on_row_activated_cb (GtkListBox *list, GtkListBoxRow *row, LodgeAddHardware *self)
{
  ladd_show_settings (self, ladd_row_info (row));
}

static void
on_search_activated_cb (LodgeAddHardware *self)
{
  GtkListBoxRow *row = ladd_first_match (self);

  if (row != NULL)
    ladd_show_settings (self, ladd_row_info (row));
}

static void
on_popped_cb (LodgeAddHardware *self)
{
  adw_dialog_set_default_widget (ADW_DIALOG (self), NULL);
  gtk_widget_grab_focus (GTK_WIDGET (self->search_entry));
}

static void
on_added_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LodgeAddHardware) self = LODGE_ADD_HARDWARE (data);
  g_autoptr (GError) error = NULL;
  g_autofree char *id = lodge_hardware_add_finish (LODGE_HARDWARE (source), result, &error);

  gtk_widget_set_sensitive (GTK_WIDGET (self->view), TRUE);
  if (id == NULL)
    {
      lodge_toast_error (GTK_WIDGET (self->view), error);
      return;
    }
  g_signal_emit (self, ladd_signals[SIGNAL_ADDED], 0, id);
  adw_dialog_close (ADW_DIALOG (self));
}

static void
on_add_clicked_cb (LodgeAddHardware *self)
{
  g_autoptr (GHashTable) values = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  gboolean makes_disk = gtk_widget_get_visible (self->disk_group) && adw_switch_row_get_active (self->new_disk_row);

  /* What nobody touched is left to the engine. */
  for (guint i = 0; i < self->rows->len; i++)
    {
      const LodgeSettingInfo *info = lodge_setting_row_get_info (self->rows->pdata[i]);
      char *value = lodge_setting_row_dup_value (self->rows->pdata[i]);

      if (value != NULL && g_object_get_data (self->rows->pdata[i], "lodge-edited") != NULL
          && g_strcmp0 (value, info->fallback) != 0 && gtk_widget_get_visible (lodge_setting_row_get_widget (self->rows->pdata[i])))
        g_hash_table_insert (values, g_strdup (info->key), value);
      else
        g_free (value);
    }
  gtk_widget_set_sensitive (GTK_WIDGET (self->view), FALSE);
  lodge_hardware_add_async (self->hardware, self->info->name, NULL, values,
                            makes_disk ? (guint64) lodge_amount_row_get_value (self->size_row) : 0, NULL, on_added_cb,
                            g_object_ref (self));
}

/* --- Object --- */

static void
lodge_add_hardware_dispose (GObject *object)
{
  LodgeAddHardware *self = LODGE_ADD_HARDWARE (object);

  g_clear_object (&self->hardware);
  g_clear_pointer (&self->rows, g_ptr_array_unref);
  gtk_widget_dispose_template (GTK_WIDGET (self), LODGE_TYPE_ADD_HARDWARE);
  G_OBJECT_CLASS (lodge_add_hardware_parent_class)->dispose (object);
}

static void
lodge_add_hardware_class_init (LodgeAddHardwareClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = lodge_add_hardware_dispose;
  ladd_signals[SIGNAL_ADDED] = g_signal_new ("added", LODGE_TYPE_ADD_HARDWARE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE,
                                             1, G_TYPE_STRING);

  g_type_ensure (LODGE_TYPE_AMOUNT_ROW);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/lodge_vm/Lodge/hardware/lodge-add-hardware.ui");
  gtk_widget_class_bind_template_child (widget_class, LodgeAddHardware, view);
  gtk_widget_class_bind_template_child (widget_class, LodgeAddHardware, search_entry);
  gtk_widget_class_bind_template_child (widget_class, LodgeAddHardware, list_stack);
  gtk_widget_class_bind_template_child (widget_class, LodgeAddHardware, list);
  gtk_widget_class_bind_template_child (widget_class, LodgeAddHardware, settings_page);
  gtk_widget_class_bind_template_child (widget_class, LodgeAddHardware, add_button);
  gtk_widget_class_bind_template_child (widget_class, LodgeAddHardware, disk_group);
  gtk_widget_class_bind_template_child (widget_class, LodgeAddHardware, new_disk_row);
  gtk_widget_class_bind_template_child (widget_class, LodgeAddHardware, size_row);
  gtk_widget_class_bind_template_child (widget_class, LodgeAddHardware, group);
  gtk_widget_class_bind_template_callback (widget_class, on_search_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_search_activated_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_search_stopped_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_row_activated_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_popped_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_add_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_new_disk_changed_cb);
}

static void
lodge_add_hardware_init (LodgeAddHardware *self)
{
  guint n;
  const LodgeDeviceInfo *const *infos = lodge_device_catalog_list (&n);

  self->rows = g_ptr_array_new ();
  gtk_widget_init_template (GTK_WIDGET (self));
  for (guint i = 0; i < n; i++)
    {
      GtkWidget *row = adw_action_row_new (), *arrow = gtk_image_new_from_icon_name ("go-next-symbolic");

      adw_preferences_row_set_use_markup (ADW_PREFERENCES_ROW (row), FALSE);
      adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), infos[i]->summary);
      adw_action_row_set_subtitle (ADW_ACTION_ROW (row), infos[i]->description != NULL ? infos[i]->description : infos[i]->name);
      adw_action_row_add_prefix (ADW_ACTION_ROW (row), gtk_image_new_from_icon_name (lodge_device_get_icon (infos[i])));
      adw_action_row_add_suffix (ADW_ACTION_ROW (row), arrow);
      gtk_list_box_row_set_activatable (GTK_LIST_BOX_ROW (row), TRUE);
      g_object_set_data (G_OBJECT (row), "lodge-info", (gpointer) infos[i]);
      gtk_list_box_append (self->list, row);
    }
  gtk_list_box_set_filter_func (self->list, ladd_matches, self, NULL);
  lodge_amount_row_set_range (self->size_row, LADD_DISK_MIN_MIB, LADD_DISK_MAX_MIB, 0, 0, NULL);
  lodge_amount_row_set_value (self->size_row, LADD_DISK_MIB);
}

LodgeAddHardware *
lodge_add_hardware_new (LodgeHardware *hardware)
{
  LodgeAddHardware *self = g_object_new (LODGE_TYPE_ADD_HARDWARE, NULL);

  self->hardware = g_object_ref (hardware);
  return self;
}
