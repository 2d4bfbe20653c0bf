/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "library/lodge-machine-page.h"

#include <glib/gi18n.h>

#include "engine/bundle-facts.h"
#include "media/os.h"
#include "widgets/lodge-amount-row.h"
#include "widgets/lodge-thumbnail.h"
#include "widgets/lodge-toast.h"

struct _LodgeMachinePage {
  AdwBin parent_instance;

  LodgeThumbnail *thumbnail;
  GtkButton *picture_button;
  GtkLabel *name;
  GtkLabel *state;
  GtkButton *main_button;
  GtkMenuButton *power_button;
  GtkWidget *message_box;
  GtkLabel *message;
  GtkWidget *details_button;
  AdwActionRow *os_row;
  AdwActionRow *memory_row;
  AdwActionRow *cpus_row;
  AdwActionRow *since_row;
  AdwPreferencesGroup *disks_group;
  AdwPreferencesGroup *disc_group;
  AdwActionRow *disc_row;
  AdwActionRow *folder_row;

  LodgeMachine *machine;
  GCancellable *disks_cancellable; /* of the disks being read */
  GPtrArray *disk_rows;            /* not owned: AdwActionRow in disks_group */
};

G_DEFINE_FINAL_TYPE (LodgeMachinePage, lodge_machine_page, ADW_TYPE_BIN)

static const char *
lpage_get_main_label (LodgeMachine *machine)
{
  switch (lodge_machine_get_state (machine))
    {
    case LODGE_MACHINE_STATE_PAUSED:
      return _ ("_Resume");
    case LODGE_MACHINE_STATE_STARTING:
    case LODGE_MACHINE_STATE_RUNNING:
    case LODGE_MACHINE_STATE_FAILED:
      return _ ("_Show");
    case LODGE_MACHINE_STATE_OFF:
    case LODGE_MACHINE_STATE_BROKEN:
    default:
      return _ ("_Start");
    }
}

static void
lpage_update_message (LodgeMachinePage *self)
{
  const char *text = lodge_machine_get_message (self->machine);
  g_autofree char *details = NULL;
  g_autofree char *sentence = text != NULL ? lodge_error_split (text, &details) : NULL;

  gtk_widget_set_visible (self->message_box, sentence != NULL);
  gtk_label_set_label (self->message, sentence != NULL ? sentence : "");
  gtk_widget_set_visible (self->details_button, details != NULL);
}

static void
lpage_update_facts (LodgeMachinePage *self)
{
  const char *os_id = lodge_machine_get_os_id (self->machine);
  LodgeOs *os = os_id != NULL ? lodge_os_database_find (lodge_os_database_get_default (), os_id) : NULL;
  guint cpus = lodge_machine_get_cpus (self->machine);
  gint64 started_at = lodge_machine_get_started_at (self->machine);
  g_autofree char *memory = lodge_amount_format (lodge_machine_get_memory_mib (self->machine));
  g_autofree char *processors = g_strdup_printf ("%u", cpus);

  adw_action_row_set_subtitle (self->os_row, os != NULL ? lodge_os_get_name (os) : os_id != NULL ? os_id : _ ("Unknown"));
  adw_action_row_set_subtitle (self->memory_row, memory);
  adw_action_row_set_subtitle (self->cpus_row, processors);
  gtk_widget_set_visible (GTK_WIDGET (self->since_row), started_at != 0);
  if (started_at != 0)
    {
      g_autoptr (GDateTime) started = g_date_time_new_from_unix_local (started_at);
      g_autofree char *text = g_date_time_format (started, "%x %X");

      adw_action_row_set_subtitle (self->since_row, text);
    }
}

static void
lpage_update_disc (LodgeMachinePage *self)
{
  const char *medium = lodge_machine_get_medium (self->machine);
  g_autofree char *base = medium != NULL ? g_filename_display_basename (medium) : NULL;
  g_autofree char *dir = medium != NULL ? g_path_get_dirname (medium) : NULL;
  g_autofree char *shown = dir != NULL ? g_filename_display_name (dir) : NULL;

  gtk_widget_set_visible (GTK_WIDGET (self->disc_group),
                          (lodge_machine_get_capabilities (self->machine) & LODGE_CAPABILITY_MEDIUM) != 0);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (self->disc_row), base != NULL ? base : _ ("Empty"));
  adw_action_row_set_subtitle (self->disc_row, shown != NULL ? shown : "");
}

static void
on_disks_listed_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LodgeMachinePage) self = LODGE_MACHINE_PAGE (data);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) disks = lodge_bundle_list_disks_finish (LODGE_MACHINE (source), result, &error);

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) || LODGE_MACHINE (source) != self->machine)
    return;
  for (guint i = 0; i < self->disk_rows->len; i++)
    adw_preferences_group_remove (self->disks_group, g_ptr_array_index (self->disk_rows, i));
  g_ptr_array_set_size (self->disk_rows, 0);

  /* What is wrong with a machine whose files cannot be read is told by its message. */
  for (guint i = 0; disks != NULL && i < disks->len; i++)
    {
      const LodgeDiskFacts *facts = g_ptr_array_index (disks, i);
      GtkWidget *row = adw_action_row_new ();
      g_autofree char *size = lodge_amount_format (facts->size_bytes / 1048576.0);
      g_autofree char *used = g_format_size_full (facts->used_bytes, G_FORMAT_SIZE_IEC_UNITS);
      g_autofree char *name = g_filename_display_basename (facts->path);
      g_autofree char *shown = g_filename_display_name (facts->path);
      /* Translators: a disk's size, how much of it is in use on this computer, the name of its file. */
      g_autofree char *text = facts->problem != NULL ? g_strdup (facts->problem)
                                                     : g_strdup_printf (_ ("%s, %s used, in %s"), size, used, name);

      adw_preferences_row_set_use_markup (ADW_PREFERENCES_ROW (row), FALSE);
      adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), facts->device_id);
      adw_action_row_set_subtitle (ADW_ACTION_ROW (row), text);
      gtk_widget_set_tooltip_text (row, shown);
      gtk_widget_add_css_class (row, "property");
      adw_preferences_group_add (self->disks_group, row);
      g_ptr_array_add (self->disk_rows, row);
    }
  gtk_widget_set_visible (GTK_WIDGET (self->disks_group), self->disk_rows->len > 0);
}

static void
lpage_update_disks (LodgeMachinePage *self)
{
  if (self->disks_cancellable != NULL)
    g_cancellable_cancel (self->disks_cancellable);
  g_clear_object (&self->disks_cancellable);
  if (self->machine == NULL)
    return;
  self->disks_cancellable = g_cancellable_new ();
  lodge_bundle_list_disks_async (self->machine, self->disks_cancellable, on_disks_listed_cb, g_object_ref (self));
}

static void
lpage_update (LodgeMachinePage *self)
{
  LodgeMachineState state;
  const char *name, *path;
  g_autofree char *described = NULL;
  g_autofree char *shown = NULL;

  if (self->machine == NULL)
    return;

  state = lodge_machine_get_state (self->machine);
  name = lodge_machine_get_name (self->machine);
  path = lodge_machine_get_path (self->machine);

  gtk_label_set_label (self->name, name);
  gtk_label_set_label (self->state, lodge_machine_state_to_label (state));
  gtk_button_set_label (self->main_button, lpage_get_main_label (self->machine));
  gtk_button_set_use_underline (self->main_button, TRUE);
  gtk_widget_set_visible (GTK_WIDGET (self->power_button), lodge_machine_is_on (self->machine));

  described = g_strdup_printf (_ ("Picture of %s"), name);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->picture_button), GTK_ACCESSIBLE_PROPERTY_LABEL, described, -1);

  shown = path != NULL ? g_filename_display_name (path) : NULL;
  adw_action_row_set_subtitle (self->folder_row, shown != NULL ? shown : "");
  gtk_widget_set_visible (GTK_WIDGET (self->folder_row), path != NULL);

  lpage_update_message (self);
  lpage_update_facts (self);
  lpage_update_disc (self);
}

static void
on_details_clicked_cb (LodgeMachinePage *self)
{
  g_autofree char *details = NULL;
  g_autofree char *sentence = lodge_error_split (lodge_machine_get_message (self->machine), &details);

  lodge_show_details (GTK_WIDGET (self), lodge_machine_get_name (self->machine), sentence, details);
}

static void
on_database_loaded_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LodgeMachinePage) self = LODGE_MACHINE_PAGE (data);

  lodge_os_database_load_finish (LODGE_OS_DATABASE (source), result, NULL);
  if (self->machine != NULL)
    lpage_update_facts (self);
}

void
lodge_machine_page_set_machine (LodgeMachinePage *self, LodgeMachine *machine)
{
  static const char *const watched[] = { "notify::state",      "notify::name", "notify::message", "notify::os-id",
                                         "notify::memory-mib", "notify::cpus", "notify::medium",  "notify::capabilities",
                                         "notify::started-at", "notify::path" };

  g_return_if_fail (LODGE_IS_MACHINE_PAGE (self));

  if (self->machine == machine)
    return;
  if (self->machine != NULL)
    g_signal_handlers_disconnect_by_data (self->machine, self);
  g_set_object (&self->machine, machine);
  lodge_thumbnail_set_machine (self->thumbnail, machine);
  if (machine == NULL)
    return;

  for (guint i = 0; i < G_N_ELEMENTS (watched); i++)
    g_signal_connect_object (machine, watched[i], G_CALLBACK (lpage_update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (machine, "notify::state", G_CALLBACK (lpage_update_disks), self, G_CONNECT_SWAPPED);
  gtk_widget_set_visible (GTK_WIDGET (self->disks_group), FALSE);
  lpage_update (self);
  lpage_update_disks (self);
  if (lodge_machine_get_os_id (machine) != NULL)
    lodge_os_database_load_async (lodge_os_database_get_default (), NULL, on_database_loaded_cb, g_object_ref (self));
}

static void
lodge_machine_page_dispose (GObject *object)
{
  LodgeMachinePage *self = LODGE_MACHINE_PAGE (object);

  if (self->machine != NULL)
    g_signal_handlers_disconnect_by_data (self->machine, self);
  g_clear_object (&self->machine);
  lpage_update_disks (self);
  g_clear_pointer (&self->disk_rows, g_ptr_array_unref);
  gtk_widget_dispose_template (GTK_WIDGET (self), LODGE_TYPE_MACHINE_PAGE);
  G_OBJECT_CLASS (lodge_machine_page_parent_class)->dispose (object);
}

static void
lodge_machine_page_class_init (LodgeMachinePageClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = lodge_machine_page_dispose;

  g_type_ensure (LODGE_TYPE_THUMBNAIL);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/lodge_vm/Lodge/library/lodge-machine-page.ui");
  gtk_widget_class_bind_template_child (widget_class, LodgeMachinePage, thumbnail);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachinePage, picture_button);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachinePage, name);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachinePage, state);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachinePage, main_button);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachinePage, power_button);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachinePage, message_box);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachinePage, message);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachinePage, details_button);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachinePage, os_row);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachinePage, memory_row);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachinePage, cpus_row);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachinePage, since_row);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachinePage, disks_group);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachinePage, disc_group);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachinePage, disc_row);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachinePage, folder_row);
  gtk_widget_class_bind_template_callback (widget_class, on_details_clicked_cb);
}

static void
lodge_machine_page_init (LodgeMachinePage *self)
{
  self->disk_rows = g_ptr_array_new ();
  gtk_widget_init_template (GTK_WIDGET (self));
}
