/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/lodge-machine-actions.h"

#include <adwaita.h>
#include <glib/gi18n.h>
#include <linux/input-event-codes.h>

#include "widgets/lodge-toast.h"

struct _LodgeMachineActions {
  GSimpleActionGroup parent_instance;

  GtkWidget *owner; /* weak */
  LodgeMachine *machine;
  guint head; /* screen that is photographed */
};

G_DEFINE_FINAL_TYPE (LodgeMachineActions, lodge_machine_actions, G_TYPE_SIMPLE_ACTION_GROUP)

static const struct {
  const char *action;
  LodgeVerb verb;
} lact_verbs[] = {
  { "start", LODGE_VERB_START },
  { "pause", LODGE_VERB_PAUSE },
  { "resume", LODGE_VERB_RESUME },
  { "shut-down", LODGE_VERB_SHUT_DOWN },
  { "restart", LODGE_VERB_RESET },
  { "force-off", LODGE_VERB_FORCE_OFF },
  { "show-window", LODGE_VERB_SHOW_WINDOW },
};

/* --- Verbs --- */

static void
on_acted_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LodgeMachineActions) self = LODGE_MACHINE_ACTIONS (data);
  g_autoptr (GError) error = NULL;

  if (!lodge_machine_act_finish (LODGE_MACHINE (source), result, &error) && self->owner != NULL)
    lodge_toast_error (self->owner, error);
}

void
lodge_machine_actions_set_head (LodgeMachineActions *self, guint head)
{
  g_return_if_fail (LODGE_IS_MACHINE_ACTIONS (self));
  self->head = head;
}

void
lodge_machine_actions_act (LodgeMachineActions *self, LodgeVerb verb)
{
  g_return_if_fail (LODGE_IS_MACHINE_ACTIONS (self));

  if (self->machine != NULL && lodge_machine_can (self->machine, verb))
    lodge_machine_act_async (self->machine, verb, NULL, on_acted_cb, g_object_ref (self));
}

static void
on_force_answered_cb (AdwAlertDialog *dialog, const char *response, gpointer data)
{
  LodgeMachineActions *self = LODGE_MACHINE_ACTIONS (data);
  LodgeMachine *machine = g_object_get_data (G_OBJECT (dialog), "lodge-machine");

  /* The question was about this machine; the selection may have moved on. */
  if (g_strcmp0 (response, "force-off") == 0 && lodge_machine_can (machine, LODGE_VERB_FORCE_OFF))
    lodge_machine_act_async (machine, LODGE_VERB_FORCE_OFF, NULL, on_acted_cb, g_object_ref (self));
  else if (g_strcmp0 (response, "restart") == 0 && lodge_machine_can (machine, LODGE_VERB_RESET))
    lodge_machine_act_async (machine, LODGE_VERB_RESET, NULL, on_acted_cb, g_object_ref (self));
}

static void
lact_ask (LodgeMachineActions *self, const char *heading, const char *body, const char *response, const char *label)
{
  AdwDialog *dialog = adw_alert_dialog_new (heading, body);

  adw_alert_dialog_add_responses (ADW_ALERT_DIALOG (dialog), "cancel", _ ("_Cancel"), response, label, NULL);
  adw_alert_dialog_set_response_appearance (ADW_ALERT_DIALOG (dialog), response, ADW_RESPONSE_DESTRUCTIVE);
  adw_alert_dialog_set_close_response (ADW_ALERT_DIALOG (dialog), "cancel");
  g_object_set_data_full (G_OBJECT (dialog), "lodge-machine", g_object_ref (self->machine), g_object_unref);
  g_signal_connect_object (dialog, "response", G_CALLBACK (on_force_answered_cb), self, 0);
  adw_dialog_present (dialog, self->owner);
}

static void
on_verb_activated_cb (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  LodgeMachineActions *self = LODGE_MACHINE_ACTIONS (data);
  const char *name = g_action_get_name (G_ACTION (action));
  g_autofree char *heading = NULL;

  if (self->machine == NULL || self->owner == NULL)
    return;

  /* Pulling the power cannot be undone; a machine that has failed or never came up has nothing left to lose. */
  if (g_strcmp0 (name, "force-off") == 0 && lodge_machine_get_state (self->machine) != LODGE_MACHINE_STATE_FAILED)
    {
      heading = g_strdup_printf (_ ("Force Off “%s”?"), lodge_machine_get_name (self->machine));
      lact_ask (self, heading, _ ("What the guest has not saved is lost, as if its power was cut."), "force-off", _ ("_Force Off"));
    }
  else if (g_strcmp0 (name, "restart") == 0)
    {
      heading = g_strdup_printf (_ ("Restart “%s”?"), lodge_machine_get_name (self->machine));
      lact_ask (self, heading, _ ("The guest is reset at once. What it has not saved is lost."), "restart", _ ("_Restart"));
    }
  else
    for (guint i = 0; i < G_N_ELEMENTS (lact_verbs); i++)
      if (g_strcmp0 (name, lact_verbs[i].action) == 0)
        lodge_machine_actions_act (self, lact_verbs[i].verb);
}

static void
on_main_activated_cb (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  LodgeMachineActions *self = LODGE_MACHINE_ACTIONS (data);

  if (self->machine == NULL)
    return;
  if (lodge_machine_can (self->machine, LODGE_VERB_START))
    lodge_machine_actions_act (self, LODGE_VERB_START);
  else if (lodge_machine_get_state (self->machine) == LODGE_MACHINE_STATE_PAUSED
           && lodge_machine_can (self->machine, LODGE_VERB_RESUME))
    {
      lodge_machine_actions_act (self, LODGE_VERB_RESUME);
      if (!lodge_machine_get_has_window (self->machine))
        lodge_machine_act_async (self->machine, LODGE_VERB_SHOW_WINDOW, NULL, on_acted_cb, g_object_ref (self));
    }
  else
    lodge_machine_actions_act (self, LODGE_VERB_SHOW_WINDOW);
}

/* --- Discs --- */

typedef struct {
  LodgeMachineActions *self;
  char *path; /* NULL: eject */
} LactMedium;

static void
lact_medium_free (LactMedium *medium)
{
  g_object_unref (medium->self);
  g_free (medium->path);
  g_free (medium);
}

static void lact_change_medium (LodgeMachineActions *self, LodgeMachine *machine, const char *path, gboolean force);

static void
on_locked_answered_cb (AdwAlertDialog *dialog, const char *response, gpointer data)
{
  LodgeMachineActions *self = LODGE_MACHINE_ACTIONS (data);

  lact_change_medium (self, g_object_get_data (G_OBJECT (dialog), "lodge-machine"),
                      g_object_get_data (G_OBJECT (dialog), "lodge-path"), TRUE);
}

static void
on_medium_changed_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  LactMedium *medium = data;
  LodgeMachineActions *self = medium->self;
  g_autoptr (GError) error = NULL;
  g_autofree char *name = NULL;

  if (lodge_machine_change_medium_finish (LODGE_MACHINE (source), result, &error))
    {
      g_autofree char *text = NULL;

      if (medium->path != NULL)
        {
          name = g_filename_display_basename (medium->path);
          text = g_strdup_printf (_ ("“%s” is in the drive"), name);
        }
      else
        text = g_strdup (_ ("The disc was ejected"));
      if (self->owner != NULL)
        lodge_toast_show (self->owner, text);
    }
  else if (self->owner != NULL && g_error_matches (error, LODGE_ERROR, LODGE_ERROR_BUSY))
    {
      AdwDialog *dialog = adw_alert_dialog_new (_ ("The Guest Holds the Disc"),
                                                _ ("The guest has locked the drive, most likely because it is reading. "
                                                   "Eject the disc in the guest, or take it out by force."));

      adw_alert_dialog_add_responses (ADW_ALERT_DIALOG (dialog), "cancel", _ ("_Cancel"), "force", _ ("_Take Out"), NULL);
      adw_alert_dialog_set_response_appearance (ADW_ALERT_DIALOG (dialog), "force", ADW_RESPONSE_DESTRUCTIVE);
      adw_alert_dialog_set_close_response (ADW_ALERT_DIALOG (dialog), "cancel");
      g_object_set_data_full (G_OBJECT (dialog), "lodge-machine", g_object_ref (source), g_object_unref);
      g_object_set_data_full (G_OBJECT (dialog), "lodge-path", g_strdup (medium->path), g_free);
      g_signal_connect_object (dialog, "response::force", G_CALLBACK (on_locked_answered_cb), self, 0);
      adw_dialog_present (dialog, self->owner);
    }
  else if (self->owner != NULL)
    lodge_toast_error (self->owner, error);
  lact_medium_free (medium);
}

static void
lact_change_medium (LodgeMachineActions *self, LodgeMachine *machine, const char *path, gboolean force)
{
  LactMedium *medium = g_new0 (LactMedium, 1);

  medium->self = g_object_ref (self);
  medium->path = g_strdup (path);
  lodge_machine_change_medium_async (machine, NULL, path, force, NULL, on_medium_changed_cb, medium);
}

void
lodge_machine_actions_insert (LodgeMachineActions *self, const char *path)
{
  g_return_if_fail (LODGE_IS_MACHINE_ACTIONS (self));

  if (self->machine != NULL)
    lact_change_medium (self, self->machine, path, FALSE);
}

static void
on_disc_chosen_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LodgeMachineActions) self = LODGE_MACHINE_ACTIONS (data);
  g_autoptr (GError) error = NULL;
  g_autoptr (GFile) file = gtk_file_dialog_open_finish (GTK_FILE_DIALOG (source), result, &error);
  LodgeMachine *machine = g_object_get_data (source, "lodge-machine");

  if (file == NULL)
    {
      if (self->owner != NULL)
        lodge_toast_error (self->owner, error);
      return;
    }
  if (g_file_peek_path (file) != NULL)
    lact_change_medium (self, machine, g_file_peek_path (file), FALSE);
  else if (self->owner != NULL)
    lodge_toast_show (self->owner, _ ("Only a file on this computer can be inserted"));
}

static void
on_insert_activated_cb (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  LodgeMachineActions *self = LODGE_MACHINE_ACTIONS (data);
  g_autoptr (GtkFileDialog) dialog = gtk_file_dialog_new ();
  g_autoptr (GListStore) filters = g_list_store_new (GTK_TYPE_FILE_FILTER);
  g_autoptr (GtkFileFilter) discs = gtk_file_filter_new ();
  g_autoptr (GtkFileFilter) all = gtk_file_filter_new ();

  if (self->machine == NULL || self->owner == NULL)
    return;

  gtk_file_filter_set_name (discs, _ ("Disc Images"));
  gtk_file_filter_add_suffix (discs, "iso");
  gtk_file_filter_add_suffix (discs, "img");
  gtk_file_filter_add_mime_type (discs, "application/vnd.efi.iso");
  gtk_file_filter_set_name (all, _ ("All Files"));
  gtk_file_filter_add_pattern (all, "*");
  g_list_store_append (filters, discs);
  g_list_store_append (filters, all);
  gtk_file_dialog_set_filters (dialog, G_LIST_MODEL (filters));
  gtk_file_dialog_set_title (dialog, _ ("Insert Disc"));
  gtk_file_dialog_set_accept_label (dialog, _ ("_Insert"));
  if (lodge_machine_get_medium (self->machine) != NULL)
    {
      g_autoptr (GFile) present = g_file_new_for_path (lodge_machine_get_medium (self->machine));
      g_autoptr (GFile) folder = g_file_get_parent (present);

      gtk_file_dialog_set_initial_folder (dialog, folder);
    }
  g_object_set_data_full (G_OBJECT (dialog), "lodge-machine", g_object_ref (self->machine), g_object_unref);
  gtk_file_dialog_open (dialog, GTK_WINDOW (gtk_widget_get_root (self->owner)), NULL, on_disc_chosen_cb, g_object_ref (self));
}

static void
on_eject_activated_cb (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  LodgeMachineActions *self = LODGE_MACHINE_ACTIONS (data);

  if (self->machine != NULL)
    lact_change_medium (self, self->machine, NULL, FALSE);
}

/* --- Pictures and text --- */

static void
on_saved_shown_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GtkWidget) owner = GTK_WIDGET (data);
  g_autoptr (GError) error = NULL;

  if (!gtk_file_launcher_open_containing_folder_finish (GTK_FILE_LAUNCHER (source), result, &error))
    lodge_toast_error (owner, error);
}

static void
on_toast_show_clicked_cb (AdwToast *toast, gpointer data)
{
  LodgeMachineActions *self = LODGE_MACHINE_ACTIONS (data);
  g_autoptr (GFile) file = g_file_new_for_path (g_object_get_data (G_OBJECT (toast), "lodge-path"));
  g_autoptr (GtkFileLauncher) launcher = gtk_file_launcher_new (file);

  if (self->owner != NULL)
    gtk_file_launcher_open_containing_folder (launcher, GTK_WINDOW (gtk_widget_get_root (self->owner)), NULL, on_saved_shown_cb,
                                              g_object_ref (self->owner));
}

static void
on_screenshot_saved_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GTask) task = G_TASK (data);
  LodgeMachineActions *self = g_task_get_source_object (task);
  char *path = g_task_get_task_data (task);
  g_autoptr (GError) error = NULL;
  AdwToast *toast;

  if (!lodge_picture_save_png_finish (NULL, result, &error))
    {
      if (self->owner != NULL)
        lodge_toast_error (self->owner, error);
      return;
    }
  if (self->owner == NULL)
    return;
  toast = adw_toast_new (_ ("Screenshot saved in Pictures"));
  adw_toast_set_button_label (toast, _ ("_Show"));
  g_object_set_data_full (G_OBJECT (toast), "lodge-path", g_strdup (path), g_free);
  g_signal_connect_object (toast, "button-clicked", G_CALLBACK (on_toast_show_clicked_cb), self, 0);
  lodge_toast_add (self->owner, toast);
}

/* A file name of the machine's name and the time, in Pictures; a number follows where there is one already. */
static char *
lact_make_screenshot_path (LodgeMachine *machine, GError **error)
{
  const char *pictures = g_get_user_special_dir (G_USER_DIRECTORY_PICTURES);
  g_autofree char *fallback = g_build_filename (g_get_home_dir (), "Pictures", NULL);
  g_autofree char *name = g_strdelimit (g_strdup (lodge_machine_get_name (machine)), G_DIR_SEPARATOR_S, '-');
  g_autoptr (GDateTime) now = g_date_time_new_now_local ();
  g_autofree char *time = g_date_time_format (now, "%Y-%m-%d %H-%M-%S");
  g_autofree char *path = NULL;

  /* glib names the home directory itself where the desktop defines no folder for pictures. */
  if (pictures == NULL || g_strcmp0 (pictures, g_get_home_dir ()) == 0)
    pictures = fallback;
  if (g_mkdir_with_parents (pictures, 0755) != 0)
    {
      int saved = errno;

      g_set_error (error, G_IO_ERROR, g_io_error_from_errno (saved), _ ("The folder “%s” cannot be made.\n%s"), pictures,
                   g_strerror (saved));
      return NULL;
    }
  for (guint i = 1; path == NULL || g_file_test (path, G_FILE_TEST_EXISTS); i++)
    {
      g_autofree char *base = i == 1 ? g_strdup_printf ("%s %s.png", name, time)
                                     : g_strdup_printf ("%s %s (%u).png", name, time, i);

      g_free (path);
      path = g_build_filename (pictures, base, NULL);
    }
  return g_steal_pointer (&path);
}

static void
on_screenshot_taken_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LodgeMachineActions) self = LODGE_MACHINE_ACTIONS (data);
  LodgeMachine *machine = LODGE_MACHINE (source);
  g_autoptr (GError) error = NULL;
  g_autoptr (LodgePicture) picture = lodge_machine_screenshot_finish (machine, result, &error);
  g_autofree char *path = picture != NULL ? lact_make_screenshot_path (machine, &error) : NULL;
  GTask *task;

  if (path == NULL)
    {
      if (self->owner != NULL)
        lodge_toast_error (self->owner, error);
      return;
    }
  task = g_task_new (self, NULL, NULL, NULL);
  g_task_set_task_data (task, g_strdup (path), g_free);
  lodge_picture_save_png_async (picture, path, NULL, on_screenshot_saved_cb, task);
}

static void
on_screenshot_activated_cb (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  LodgeMachineActions *self = LODGE_MACHINE_ACTIONS (data);

  if (self->machine != NULL)
    lodge_machine_screenshot_async (self->machine, self->head, NULL, on_screenshot_taken_cb, g_object_ref (self));
}

static void
on_screenshot_copied_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LodgeMachineActions) self = LODGE_MACHINE_ACTIONS (data);
  g_autoptr (GError) error = NULL;
  g_autoptr (LodgePicture) picture = lodge_machine_screenshot_finish (LODGE_MACHINE (source), result, &error);
  g_autoptr (GdkTexture) texture = NULL;

  if (self->owner == NULL)
    return;
  if (picture == NULL)
    {
      lodge_toast_error (self->owner, error);
      return;
    }
  texture = gdk_memory_texture_new (lodge_picture_get_width (picture), lodge_picture_get_height (picture), GDK_MEMORY_R8G8B8,
                                    lodge_picture_get_bytes (picture), lodge_picture_get_stride (picture));
  gdk_clipboard_set_texture (gtk_widget_get_clipboard (self->owner), texture);
  lodge_toast_show (self->owner, _ ("Screenshot copied"));
}

static void
on_copy_screenshot_activated_cb (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  LodgeMachineActions *self = LODGE_MACHINE_ACTIONS (data);

  if (self->machine != NULL)
    lodge_machine_screenshot_async (self->machine, self->head, NULL, on_screenshot_copied_cb, g_object_ref (self));
}

static void
on_text_read_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LodgeMachineActions) self = LODGE_MACHINE_ACTIONS (data);
  g_autoptr (GError) error = NULL;
  g_autofree char *text = lodge_machine_read_text_finish (LODGE_MACHINE (source), result, &error);

  if (self->owner == NULL)
    return;
  if (text == NULL)
    {
      lodge_toast_error (self->owner, error);
      return;
    }
  gdk_clipboard_set_text (gtk_widget_get_clipboard (self->owner), text);
  lodge_toast_show (self->owner, _ ("The screen’s text was copied"));
}

static void
on_copy_text_activated_cb (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  LodgeMachineActions *self = LODGE_MACHINE_ACTIONS (data);

  if (self->machine != NULL)
    lodge_machine_read_text_async (self->machine, NULL, on_text_read_cb, g_object_ref (self));
}

/* --- Keys --- */

static void
on_keys_sent_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LodgeMachineActions) self = LODGE_MACHINE_ACTIONS (data);
  g_autoptr (GError) error = NULL;

  if (!lodge_machine_send_keys_finish (LODGE_MACHINE (source), result, &error) && self->owner != NULL)
    lodge_toast_error (self->owner, error);
}

static void
on_send_keys_activated_cb (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  LodgeMachineActions *self = LODGE_MACHINE_ACTIONS (data);
  gsize n_codes;
  const guint32 *codes = g_variant_get_fixed_array (parameter, &n_codes, sizeof *codes);

  if (self->machine != NULL)
    lodge_machine_send_keys_async (self->machine, codes, n_codes, NULL, on_keys_sent_cb, g_object_ref (self));
}

static void
on_typed_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LodgeMachineActions) self = LODGE_MACHINE_ACTIONS (data);
  g_autoptr (GError) error = NULL;

  if (!lodge_machine_type_finish (LODGE_MACHINE (source), result, &error) && self->owner != NULL)
    lodge_toast_error (self->owner, error);
}

static void
on_clipboard_read_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LodgeMachineActions) self = LODGE_MACHINE_ACTIONS (data);
  g_autoptr (GError) error = NULL;
  g_autofree char *text = gdk_clipboard_read_text_finish (GDK_CLIPBOARD (source), result, &error);

  if (self->machine == NULL || self->owner == NULL)
    return;
  if (text == NULL || *text == '\0')
    lodge_toast_show (self->owner, _ ("There is no text in the clipboard"));
  else
    lodge_machine_type_async (self->machine, text, NULL, on_typed_cb, g_object_ref (self));
}

static void
on_type_clipboard_activated_cb (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  LodgeMachineActions *self = LODGE_MACHINE_ACTIONS (data);

  if (self->owner != NULL)
    gdk_clipboard_read_text_async (gtk_widget_get_clipboard (self->owner), NULL, on_clipboard_read_cb, g_object_ref (self));
}

static void
lact_append_keys (GMenu *menu, const char *label, const guint32 *codes)
{
  g_autoptr (GMenuItem) item = g_menu_item_new (label, NULL);
  gsize n = 0;

  while (codes[n] != 0)
    n++;
  g_menu_item_set_action_and_target_value (item, "machine.send-keys",
                                           g_variant_new_fixed_array (G_VARIANT_TYPE_UINT32, codes, n, sizeof *codes));
  g_menu_append_item (menu, item);
}

GMenuModel *
lodge_machine_actions_build_keys_menu (void)
{
  static const guint32 function_keys[] = { KEY_F1, KEY_F2, KEY_F3, KEY_F4,  KEY_F5,  KEY_F6,
                                           KEY_F7, KEY_F8, KEY_F9, KEY_F10, KEY_F11, KEY_F12 };
  static const struct {
    const char *label;
    guint32 codes[4];
  } first[] = {
    { N_("Ctrl+Alt+_Delete"), { KEY_LEFTCTRL, KEY_LEFTALT, KEY_DELETE, 0 } },
    { N_("Ctrl+Alt+_Backspace"), { KEY_LEFTCTRL, KEY_LEFTALT, KEY_BACKSPACE, 0 } },
  }, last[] = {
    { N_("Alt+_Tab"), { KEY_LEFTALT, KEY_TAB, 0 } },
    { N_("Alt+F_4"), { KEY_LEFTALT, KEY_F4, 0 } },
    { N_("_Super"), { KEY_LEFTMETA, 0 } },
    { N_("_Menu"), { KEY_COMPOSE, 0 } },
    { N_("_Print Screen"), { KEY_SYSRQ, 0 } },
    { N_("Pa_use"), { KEY_PAUSE, 0 } },
  };
  g_autoptr (GMenu) menu = g_menu_new ();
  g_autoptr (GMenu) first_section = g_menu_new ();
  g_autoptr (GMenu) consoles = g_menu_new ();
  g_autoptr (GMenu) last_section = g_menu_new ();
  g_autoptr (GMenu) type_section = g_menu_new ();

  for (guint i = 0; i < G_N_ELEMENTS (first); i++)
    lact_append_keys (first_section, _ (first[i].label), first[i].codes);
  for (guint i = 0; i < G_N_ELEMENTS (function_keys); i++)
    {
      g_autofree char *label = g_strdup_printf ("Ctrl+Alt+F%u", i + 1);

      lact_append_keys (consoles, label, (const guint32[]) { KEY_LEFTCTRL, KEY_LEFTALT, function_keys[i], 0 });
    }
  g_menu_append_submenu (first_section, _ ("Ctrl+Alt+_Function Key"), G_MENU_MODEL (consoles));
  for (guint i = 0; i < G_N_ELEMENTS (last); i++)
    lact_append_keys (last_section, _ (last[i].label), last[i].codes);
  g_menu_append (type_section, _ ("Type the _Clipboard"), "machine.type-clipboard");

  g_menu_append_section (menu, NULL, G_MENU_MODEL (first_section));
  g_menu_append_section (menu, NULL, G_MENU_MODEL (last_section));
  g_menu_append_section (menu, NULL, G_MENU_MODEL (type_section));
  return G_MENU_MODEL (g_steal_pointer (&menu));
}

/* --- The folder --- */

static void
on_folder_opened_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LodgeMachineActions) self = LODGE_MACHINE_ACTIONS (data);
  g_autoptr (GError) error = NULL;

  if (!gtk_file_launcher_launch_finish (GTK_FILE_LAUNCHER (source), result, &error) && self->owner != NULL)
    lodge_toast_error (self->owner, error);
}

static void
on_open_folder_activated_cb (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  LodgeMachineActions *self = LODGE_MACHINE_ACTIONS (data);
  g_autoptr (GFile) file = NULL;
  g_autoptr (GtkFileLauncher) launcher = NULL;

  if (self->machine == NULL || self->owner == NULL || lodge_machine_get_path (self->machine) == NULL)
    return;
  file = g_file_new_for_path (lodge_machine_get_path (self->machine));
  launcher = gtk_file_launcher_new (file);
  gtk_file_launcher_launch (launcher, GTK_WINDOW (gtk_widget_get_root (self->owner)), NULL, on_folder_opened_cb,
                            g_object_ref (self));
}

/* --- Object --- */

static void
lact_set_enabled (LodgeMachineActions *self, const char *name, gboolean enabled)
{
  GAction *action = g_action_map_lookup_action (G_ACTION_MAP (self), name);

  g_simple_action_set_enabled (G_SIMPLE_ACTION (action), enabled);
}

static void
lact_update (LodgeMachineActions *self)
{
  LodgeMachine *machine = self->machine;
  LodgeCapabilities capabilities = machine != NULL ? lodge_machine_get_capabilities (machine) : LODGE_CAPABILITY_NONE;
  gboolean on = machine != NULL && lodge_machine_is_on (machine);
  gboolean running = machine != NULL && lodge_machine_get_state (machine) == LODGE_MACHINE_STATE_RUNNING;

  for (guint i = 0; i < G_N_ELEMENTS (lact_verbs); i++)
    lact_set_enabled (self, lact_verbs[i].action, machine != NULL && lodge_machine_can (machine, lact_verbs[i].verb));
  lact_set_enabled (self, "main",
                    machine != NULL
                        && (lodge_machine_can (machine, LODGE_VERB_START) || lodge_machine_can (machine, LODGE_VERB_RESUME)
                            || lodge_machine_can (machine, LODGE_VERB_SHOW_WINDOW)));
  lact_set_enabled (self, "insert-disc", (capabilities & LODGE_CAPABILITY_MEDIUM) != 0);
  lact_set_enabled (self, "eject-disc",
                    (capabilities & LODGE_CAPABILITY_MEDIUM) != 0 && lodge_machine_get_medium (machine) != NULL);
  lact_set_enabled (self, "screenshot", on && (capabilities & LODGE_CAPABILITY_SCREENSHOT) != 0);
  lact_set_enabled (self, "copy-screenshot", on && (capabilities & LODGE_CAPABILITY_SCREENSHOT) != 0);
  lact_set_enabled (self, "copy-text", on && (capabilities & LODGE_CAPABILITY_SCREENSHOT) != 0);
  lact_set_enabled (self, "send-keys", running && (capabilities & LODGE_CAPABILITY_KEYBOARD) != 0);
  lact_set_enabled (self, "type-clipboard", running && (capabilities & LODGE_CAPABILITY_KEYBOARD) != 0);
  lact_set_enabled (self, "open-folder", machine != NULL && lodge_machine_get_path (machine) != NULL);
}

void
lodge_machine_actions_set_machine (LodgeMachineActions *self, LodgeMachine *machine)
{
  g_return_if_fail (LODGE_IS_MACHINE_ACTIONS (self));

  if (self->machine == machine)
    return;
  if (self->machine != NULL)
    g_signal_handlers_disconnect_by_data (self->machine, self);
  g_set_object (&self->machine, machine);
  if (machine != NULL)
    {
      static const char *const watched[] = { "notify::state", "notify::busy", "notify::capabilities", "notify::medium",
                                             "notify::has-window" };

      for (guint i = 0; i < G_N_ELEMENTS (watched); i++)
        g_signal_connect_object (machine, watched[i], G_CALLBACK (lact_update), self, G_CONNECT_SWAPPED);
    }
  lact_update (self);
}

static void
lodge_machine_actions_dispose (GObject *object)
{
  LodgeMachineActions *self = LODGE_MACHINE_ACTIONS (object);

  if (self->machine != NULL)
    g_signal_handlers_disconnect_by_data (self->machine, self);
  g_clear_object (&self->machine);
  g_clear_weak_pointer (&self->owner);
  G_OBJECT_CLASS (lodge_machine_actions_parent_class)->dispose (object);
}

static void
lodge_machine_actions_class_init (LodgeMachineActionsClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = lodge_machine_actions_dispose;
}

static void
lodge_machine_actions_init (LodgeMachineActions *self)
{
  static const GActionEntry entries[] = {
    { .name = "main", .activate = on_main_activated_cb },
    { .name = "insert-disc", .activate = on_insert_activated_cb },
    { .name = "eject-disc", .activate = on_eject_activated_cb },
    { .name = "screenshot", .activate = on_screenshot_activated_cb },
    { .name = "copy-screenshot", .activate = on_copy_screenshot_activated_cb },
    { .name = "copy-text", .activate = on_copy_text_activated_cb },
    { .name = "send-keys", .activate = on_send_keys_activated_cb, .parameter_type = "au" },
    { .name = "type-clipboard", .activate = on_type_clipboard_activated_cb },
    { .name = "open-folder", .activate = on_open_folder_activated_cb },
  };

  for (guint i = 0; i < G_N_ELEMENTS (lact_verbs); i++)
    {
      const GActionEntry entry = { .name = lact_verbs[i].action, .activate = on_verb_activated_cb };

      g_action_map_add_action_entries (G_ACTION_MAP (self), &entry, 1, self);
    }
  g_action_map_add_action_entries (G_ACTION_MAP (self), entries, G_N_ELEMENTS (entries), self);
  lact_update (self);
}

LodgeMachineActions *
lodge_machine_actions_new (GtkWidget *owner)
{
  LodgeMachineActions *self = g_object_new (LODGE_TYPE_MACHINE_ACTIONS, NULL);

  g_set_weak_pointer (&self->owner, owner);
  return self;
}
