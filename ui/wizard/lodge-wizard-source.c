/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wizard/lodge-wizard-source.h"

#include <glib/gi18n.h>

#include "widgets/lodge-toast.h"
#include "wizard/lodge-wizard.h"

#define LWSRC_MAX_DOWNLOADS 5

struct _LodgeWizardSource {
  AdwNavigationPage parent_instance;

  GtkButton *next_button;
  GtkCheckButton *iso_check;
  GtkCheckButton *image_check;
  GtkCheckButton *kernel_check;
  GtkCheckButton *empty_check;
  GtkWidget *file_box;
  GtkEditable *path_row;
  GtkEditable *initrd_row;
  GtkEditable *args_row;
  AdwSwitchRow *copy_row;
  GtkLabel *path_problem;
  GtkLabel *initrd_problem;
  AdwPreferencesGroup *downloads_group;

  LodgeMachineSpec *spec;
  GCancellable *cancellable;
  gboolean updating;
};

G_DEFINE_FINAL_TYPE (LodgeWizardSource, lodge_wizard_source, ADW_TYPE_NAVIGATION_PAGE)

/* What to do next: with no file yet, choosing one. */
static gboolean
lwsrc_wants_file (LodgeWizardSource *self)
{
  const char *path = lodge_machine_spec_get_path (self->spec);

  return lodge_machine_spec_get_source (self->spec) != LODGE_SOURCE_EMPTY && (path == NULL || *path == '\0');
}

static void
lwsrc_update (LodgeWizardSource *self)
{
  LodgeSource source = lodge_machine_spec_get_source (self->spec);
  gboolean wants_file = lwsrc_wants_file (self);
  const char *initrd = lodge_machine_spec_get_initrd (self->spec);
  const char *path_problem = wants_file || source == LODGE_SOURCE_EMPTY
                                 ? NULL
                                 : lodge_machine_spec_get_problem (self->spec, LODGE_SPEC_PATH);
  const char *initrd_problem = source == LODGE_SOURCE_KERNEL && initrd != NULL
                                   ? lodge_machine_spec_get_problem (self->spec, LODGE_SPEC_INITRD)
                                   : NULL;

  gtk_widget_set_visible (self->file_box, source != LODGE_SOURCE_EMPTY);
  gtk_widget_set_visible (GTK_WIDGET (self->initrd_row), source == LODGE_SOURCE_KERNEL);
  gtk_widget_set_visible (GTK_WIDGET (self->args_row), source == LODGE_SOURCE_KERNEL);
  gtk_widget_set_visible (GTK_WIDGET (self->copy_row), source == LODGE_SOURCE_IMAGE);
  gtk_widget_set_visible (GTK_WIDGET (self->downloads_group),
                          source == LODGE_SOURCE_ISO
                              && g_object_get_data (G_OBJECT (self->downloads_group), "lodge-found") != NULL);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (self->path_row), source == LODGE_SOURCE_KERNEL  ? _ ("Kernel File")
                                                                       : source == LODGE_SOURCE_IMAGE ? _ ("Disk Image File")
                                                                                                      : _ ("ISO File"));

  lodge_wizard_show_problem (GTK_WIDGET (self->path_row), self->path_problem, path_problem);
  lodge_wizard_show_problem (GTK_WIDGET (self->initrd_row), self->initrd_problem, initrd_problem);

  gtk_button_set_label (self->next_button, wants_file ? _ ("_Choose File…") : _ ("_Next"));
  gtk_widget_set_sensitive (GTK_WIDGET (self->next_button), path_problem == NULL && initrd_problem == NULL);
}

/* The rows follow the model where it was changed by others; what is being typed is left alone. */
static void
lwsrc_set_text (GtkEditable *row, const char *text)
{
  if (g_strcmp0 (gtk_editable_get_text (row), text != NULL ? text : "") != 0)
    gtk_editable_set_text (row, text != NULL ? text : "");
}

static void
on_spec_notify_cb (LodgeWizardSource *self)
{
  if (self->updating)
    return;
  self->updating = TRUE;
  switch (lodge_machine_spec_get_source (self->spec))
    {
    case LODGE_SOURCE_ISO:
      gtk_check_button_set_active (self->iso_check, TRUE);
      break;
    case LODGE_SOURCE_IMAGE:
      gtk_check_button_set_active (self->image_check, TRUE);
      break;
    case LODGE_SOURCE_KERNEL:
      gtk_check_button_set_active (self->kernel_check, TRUE);
      break;
    case LODGE_SOURCE_EMPTY:
    default:
      gtk_check_button_set_active (self->empty_check, TRUE);
      break;
    }
  lwsrc_set_text (self->path_row, lodge_machine_spec_get_path (self->spec));
  lwsrc_set_text (self->initrd_row, lodge_machine_spec_get_initrd (self->spec));
  lwsrc_set_text (self->args_row, lodge_machine_spec_get_kernel_args (self->spec));
  adw_switch_row_set_active (self->copy_row, !lodge_machine_spec_get_link_image (self->spec));
  self->updating = FALSE;
  lwsrc_update (self);
}

static void
on_source_toggled_cb (LodgeWizardSource *self)
{
  LodgeSource source = gtk_check_button_get_active (self->iso_check)      ? LODGE_SOURCE_ISO
                       : gtk_check_button_get_active (self->image_check)  ? LODGE_SOURCE_IMAGE
                       : gtk_check_button_get_active (self->kernel_check) ? LODGE_SOURCE_KERNEL
                                                                          : LODGE_SOURCE_EMPTY;

  /* A choice tells twice: the old button goes off, and only then the new one on. In between nothing is chosen. */
  if (source == LODGE_SOURCE_EMPTY && !gtk_check_button_get_active (self->empty_check))
    return;
  if (self->spec == NULL || self->updating || source == lodge_machine_spec_get_source (self->spec))
    return;
  self->updating = TRUE;
  lodge_machine_spec_set_source (self->spec, source);
  self->updating = FALSE;
  on_spec_notify_cb (self);
}

/* --- Files --- */

/* "file:///…" from a clipboard and "~/…" from a shell are meant as paths too. */
static char *
lwsrc_dup_path (GtkEditable *row)
{
  g_autofree char *text = g_strstrip (g_strdup (gtk_editable_get_text (row)));

  if (g_str_has_prefix (text, "file://"))
    {
      char *path = g_filename_from_uri (text, NULL, NULL);

      if (path != NULL)
        return path;
    }
  if (g_str_has_prefix (text, "~/"))
    return g_build_filename (g_get_home_dir (), text + 2, NULL);
  return g_steal_pointer (&text);
}

static void
on_path_changed_cb (LodgeWizardSource *self)
{
  g_autofree char *path = lwsrc_dup_path (self->path_row);

  if (self->spec == NULL || self->updating)
    return;
  self->updating = TRUE;
  lodge_machine_spec_set_path (self->spec, *path != '\0' ? path : NULL);
  self->updating = FALSE;
  lwsrc_update (self);
}

static void
on_initrd_changed_cb (LodgeWizardSource *self)
{
  g_autofree char *path = lwsrc_dup_path (self->initrd_row);

  if (self->spec == NULL || self->updating)
    return;
  self->updating = TRUE;
  lodge_machine_spec_set_initrd (self->spec, *path != '\0' ? path : NULL);
  self->updating = FALSE;
  lwsrc_update (self);
}

static void
on_args_changed_cb (LodgeWizardSource *self)
{
  if (self->spec == NULL || self->updating)
    return;
  self->updating = TRUE;
  lodge_machine_spec_set_kernel_args (self->spec, gtk_editable_get_text (self->args_row));
  self->updating = FALSE;
}

static void
on_copy_changed_cb (LodgeWizardSource *self)
{
  if (self->spec == NULL || self->updating)
    return;
  self->updating = TRUE;
  lodge_machine_spec_set_link_image (self->spec, !adw_switch_row_get_active (self->copy_row));
  self->updating = FALSE;
  lwsrc_update (self);
}

static void
on_file_chosen_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LodgeWizardSource) self = LODGE_WIZARD_SOURCE (data);
  g_autoptr (GError) error = NULL;
  g_autoptr (GFile) file = gtk_file_dialog_open_finish (GTK_FILE_DIALOG (source), result, &error);
  GtkEditable *row = g_object_get_data (source, "lodge-row");

  if (file == NULL)
    lodge_toast_error (GTK_WIDGET (self), error);
  else if (g_file_peek_path (file) == NULL)
    lodge_toast_show (GTK_WIDGET (self), _ ("Only a file on this computer can become a machine"));
  else
    {
      gtk_editable_set_text (row, g_file_peek_path (file));
      gtk_widget_grab_focus (GTK_WIDGET (self->next_button));
    }
}

static void
lwsrc_choose (LodgeWizardSource *self, GtkEditable *row, const char *title, const char *kind, const char *const *suffixes)
{
  g_autoptr (GtkFileDialog) dialog = gtk_file_dialog_new ();
  const char *downloads = g_get_user_special_dir (G_USER_DIRECTORY_DOWNLOAD);
  g_autofree char *present = lwsrc_dup_path (row);
  g_autoptr (GFile) folder = NULL;

  gtk_file_dialog_set_title (dialog, title);
  if (*present != '\0')
    {
      g_autoptr (GFile) file = g_file_new_for_path (present);

      folder = g_file_get_parent (file);
    }
  else if (downloads != NULL && g_file_test (downloads, G_FILE_TEST_IS_DIR))
    folder = g_file_new_for_path (downloads);
  if (folder != NULL)
    gtk_file_dialog_set_initial_folder (dialog, folder);

  if (suffixes != NULL)
    {
      g_autoptr (GListStore) filters = g_list_store_new (GTK_TYPE_FILE_FILTER);
      g_autoptr (GtkFileFilter) wanted = gtk_file_filter_new ();
      g_autoptr (GtkFileFilter) all = gtk_file_filter_new ();

      gtk_file_filter_set_name (wanted, kind);
      for (guint i = 0; suffixes[i] != NULL; i++)
        gtk_file_filter_add_suffix (wanted, suffixes[i]);
      gtk_file_filter_set_name (all, _ ("All Files"));
      gtk_file_filter_add_pattern (all, "*");
      g_list_store_append (filters, wanted);
      g_list_store_append (filters, all);
      gtk_file_dialog_set_filters (dialog, G_LIST_MODEL (filters));
    }
  g_object_set_data (G_OBJECT (dialog), "lodge-row", row);
  gtk_file_dialog_open (dialog, GTK_WINDOW (gtk_widget_get_root (GTK_WIDGET (self))), self->cancellable, on_file_chosen_cb,
                        g_object_ref (self));
}

static void
on_choose_path_clicked_cb (LodgeWizardSource *self)
{
  static const char *const discs[] = { "iso", NULL };
  static const char *const disks[] = { "qcow2", "img", "raw", "qcow", "vmdk", "vdi", "vhdx", NULL };

  switch (lodge_machine_spec_get_source (self->spec))
    {
    case LODGE_SOURCE_ISO:
      lwsrc_choose (self, self->path_row, _ ("Choose Disc Image"), _ ("Disc Images"), discs);
      break;
    case LODGE_SOURCE_IMAGE:
      lwsrc_choose (self, self->path_row, _ ("Choose Disk Image"), _ ("Disk Images"), disks);
      break;
    case LODGE_SOURCE_KERNEL:
      lwsrc_choose (self, self->path_row, _ ("Choose Kernel"), NULL, NULL);
      break;
    case LODGE_SOURCE_EMPTY:
    default:
      break;
    }
}

static void
on_choose_initrd_clicked_cb (LodgeWizardSource *self)
{
  lwsrc_choose (self, self->initrd_row, _ ("Choose Initial RAM Disk"), NULL, NULL);
}

static void
on_next_clicked_cb (LodgeWizardSource *self)
{
  if (lwsrc_wants_file (self))
    on_choose_path_clicked_cb (self);
  else
    gtk_widget_activate_action (GTK_WIDGET (self), "wizard.next", NULL);
}

/* --- What was downloaded --- */

static void
on_download_activated_cb (AdwActionRow *row, LodgeWizardSource *self)
{
  gtk_editable_set_text (self->path_row, g_object_get_data (G_OBJECT (row), "lodge-path"));
  if (gtk_widget_get_sensitive (GTK_WIDGET (self->next_button)))
    on_next_clicked_cb (self);
}

static int
lwsrc_compare_newest (gconstpointer a, gconstpointer b)
{
  g_autoptr (GDateTime) left = g_file_info_get_modification_date_time (*(GFileInfo *const *) a);
  g_autoptr (GDateTime) right = g_file_info_get_modification_date_time (*(GFileInfo *const *) b);

  if (left == NULL || right == NULL)
    return (left == NULL) - (right == NULL);
  return g_date_time_compare (right, left);
}

static void
lwsrc_list_downloads (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  g_autoptr (GFileEnumerator) enumerator = g_file_enumerate_children (
      G_FILE (data), "standard::name,standard::display-name,standard::type,standard::size,time::modified", G_FILE_QUERY_INFO_NONE,
      cancellable, NULL);
  GPtrArray *found = g_ptr_array_new_with_free_func (g_object_unref);
  GFileInfo *info;

  /* A folder that cannot be read offers nothing; that is no error. */
  while (enumerator != NULL && g_file_enumerator_iterate (enumerator, &info, NULL, cancellable, NULL) && info != NULL)
    {
      g_autofree char *lower = g_ascii_strdown (g_file_info_get_name (info), -1);

      if (g_file_info_get_file_type (info) == G_FILE_TYPE_REGULAR && g_str_has_suffix (lower, ".iso"))
        g_ptr_array_add (found, g_object_ref (info));
    }
  g_ptr_array_sort (found, lwsrc_compare_newest);
  g_task_return_pointer (task, found, (GDestroyNotify) g_ptr_array_unref);
}

static void
on_downloads_listed_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GPtrArray) found = g_task_propagate_pointer (G_TASK (result), NULL);
  LodgeWizardSource *self = LODGE_WIZARD_SOURCE (source);
  GFile *folder = g_task_get_task_data (G_TASK (result));

  if (found == NULL || found->len == 0 || self->spec == NULL)
    return;

  for (guint i = 0; i < MIN (found->len, LWSRC_MAX_DOWNLOADS); i++)
    {
      GFileInfo *info = g_ptr_array_index (found, i);
      GtkWidget *row = adw_action_row_new ();
      g_autofree char *size = g_format_size (g_file_info_get_size (info));

      adw_preferences_row_set_use_markup (ADW_PREFERENCES_ROW (row), FALSE);
      adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), g_file_info_get_display_name (info));
      adw_action_row_set_subtitle (ADW_ACTION_ROW (row), size);
      adw_action_row_set_title_lines (ADW_ACTION_ROW (row), 2);
      adw_action_row_add_suffix (ADW_ACTION_ROW (row), gtk_image_new_from_icon_name ("go-next-symbolic"));
      gtk_list_box_row_set_activatable (GTK_LIST_BOX_ROW (row), TRUE);
      g_object_set_data_full (G_OBJECT (row), "lodge-path",
                              g_build_filename (g_file_peek_path (folder), g_file_info_get_name (info), NULL), g_free);
      g_signal_connect_object (row, "activated", G_CALLBACK (on_download_activated_cb), self, 0);
      adw_preferences_group_add (self->downloads_group, row);
    }
  g_object_set_data (G_OBJECT (self->downloads_group), "lodge-found", GINT_TO_POINTER (TRUE));
  lwsrc_update (self);
}

static void
lwsrc_look_into_downloads (LodgeWizardSource *self)
{
  const char *downloads = g_get_user_special_dir (G_USER_DIRECTORY_DOWNLOAD);
  g_autoptr (GTask) task = NULL;

  if (downloads == NULL)
    return;
  task = g_task_new (self, self->cancellable, on_downloads_listed_cb, NULL);
  g_task_set_task_data (task, g_file_new_for_path (downloads), g_object_unref);
  g_task_run_in_thread (task, lwsrc_list_downloads);
}

/* --- Object --- */

static void
lodge_wizard_source_showing (AdwNavigationPage *page)
{
  LodgeWizardSource *self = LODGE_WIZARD_SOURCE (page);
  GtkWidget *dialog = gtk_widget_get_ancestor (GTK_WIDGET (self), ADW_TYPE_DIALOG);

  if (dialog != NULL)
    {
      adw_dialog_set_default_widget (ADW_DIALOG (dialog), GTK_WIDGET (self->next_button));
      adw_dialog_set_focus (ADW_DIALOG (dialog), GTK_WIDGET (self->next_button));
    }
}

static void
lodge_wizard_source_dispose (GObject *object)
{
  LodgeWizardSource *self = LODGE_WIZARD_SOURCE (object);

  if (self->cancellable != NULL)
    g_cancellable_cancel (self->cancellable);
  g_clear_object (&self->cancellable);
  if (self->spec != NULL)
    g_signal_handlers_disconnect_by_data (self->spec, self);
  g_clear_object (&self->spec);
  gtk_widget_dispose_template (GTK_WIDGET (self), LODGE_TYPE_WIZARD_SOURCE);
  G_OBJECT_CLASS (lodge_wizard_source_parent_class)->dispose (object);
}

static void
lodge_wizard_source_class_init (LodgeWizardSourceClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = lodge_wizard_source_dispose;
  ADW_NAVIGATION_PAGE_CLASS (klass)->shown = lodge_wizard_source_showing;

  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/lodge_vm/Lodge/wizard/lodge-wizard-source.ui");
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardSource, next_button);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardSource, iso_check);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardSource, image_check);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardSource, kernel_check);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardSource, empty_check);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardSource, file_box);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardSource, path_row);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardSource, initrd_row);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardSource, args_row);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardSource, copy_row);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardSource, path_problem);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardSource, initrd_problem);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardSource, downloads_group);
  gtk_widget_class_bind_template_callback (widget_class, on_next_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_source_toggled_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_path_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_initrd_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_args_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_copy_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_choose_path_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_choose_initrd_clicked_cb);
}

static void
lodge_wizard_source_init (LodgeWizardSource *self)
{
  self->cancellable = g_cancellable_new ();
  gtk_widget_init_template (GTK_WIDGET (self));
}

void
lodge_wizard_source_set_spec (LodgeWizardSource *self, LodgeMachineSpec *spec)
{
  g_return_if_fail (LODGE_IS_WIZARD_SOURCE (self));
  g_return_if_fail (self->spec == NULL);

  self->spec = g_object_ref (spec);
  g_signal_connect_object (spec, "notify", G_CALLBACK (on_spec_notify_cb), self, G_CONNECT_SWAPPED);
  on_spec_notify_cb (self);
  lwsrc_look_into_downloads (self);
}
