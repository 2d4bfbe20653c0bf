/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The manager's program, and what it shares with a machine's. */
#include "application.h"

#include <glib/gi18n.h>

#include "application-private.h"
#include "library/lodge-window.h"
#include "lodge-ui-resources.h"
#include "model/library.h"
#include "settings/lodge-preferences.h"
#include "settings/lodge-settings.h"
#include "settings/lodge-shortcuts.h"

/* --- Shared --- */

static void
on_style_changed_cb (LodgeSettings *settings)
{
  AdwStyleManager *manager = adw_style_manager_get_default ();

  switch (lodge_settings_get_style (settings))
    {
    case LODGE_STYLE_LIGHT:
      adw_style_manager_set_color_scheme (manager, ADW_COLOR_SCHEME_FORCE_LIGHT);
      break;
    case LODGE_STYLE_DARK:
      adw_style_manager_set_color_scheme (manager, ADW_COLOR_SCHEME_FORCE_DARK);
      break;
    case LODGE_STYLE_SYSTEM:
    default:
      adw_style_manager_set_color_scheme (manager, ADW_COLOR_SCHEME_DEFAULT);
      break;
    }
}

void
lodge_ui_init (void)
{
  static gboolean done;
  GdkDisplay *display = gdk_display_get_default ();
  g_autoptr (GtkCssProvider) css = NULL;

  if (done)
    return;
  done = TRUE;

  lodge_ui_register_resource ();
  adw_init ();
  css = gtk_css_provider_new ();
  gtk_css_provider_load_from_resource (css, "/io/github/lodge_vm/Lodge/style.css");
  gtk_style_context_add_provider_for_display (display, GTK_STYLE_PROVIDER (css), GTK_STYLE_PROVIDER_PRIORITY_APPLICATION);
  gtk_icon_theme_add_resource_path (gtk_icon_theme_get_for_display (display), "/io/github/lodge_vm/Lodge/icons");
  gtk_window_set_default_icon_name (LODGE_APPLICATION_ID);
  g_signal_connect (lodge_settings_get_default (), "notify::style", G_CALLBACK (on_style_changed_cb), NULL);
  on_style_changed_cb (lodge_settings_get_default ());
}

gboolean
_lodge_ui_find_display (void)
{
  g_set_prgname (LODGE_APPLICATION_ID);
  g_set_application_name ("Lodge");
  if (gtk_init_check ())
    return TRUE;
  g_printerr ("lodge: %s\n", _ ("There is no display to show windows on. The commands work without one: lodge --help"));
  return FALSE;
}

static void
on_preferences_activated_cb (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  GtkWindow *window = gtk_application_get_active_window (GTK_APPLICATION (data));

  adw_dialog_present (lodge_preferences_new (g_object_get_data (G_OBJECT (data), "lodge-directory")), GTK_WIDGET (window));
}

static void
on_shortcuts_activated_cb (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  adw_dialog_present (lodge_shortcuts_new (), GTK_WIDGET (gtk_application_get_active_window (GTK_APPLICATION (data))));
}

static void
on_about_activated_cb (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  AdwDialog *dialog = adw_about_dialog_new ();

  g_object_set (dialog, "application-name", "Lodge", "application-icon", LODGE_APPLICATION_ID, "version", LODGE_VERSION, "comments",
                _ ("Virtual machines on your desktop"), "developer-name", _ ("The Lodge developers"), "license-type",
                GTK_LICENSE_GPL_3_0, "website", "https://github.com/lodge-vm/lodge", "issue-url",
                "https://github.com/lodge-vm/lodge/issues", "translator-credits",
                /* Translators: your name, one a line. */
                _ ("translator-credits"), NULL);
  adw_dialog_present (dialog, GTK_WIDGET (gtk_application_get_active_window (GTK_APPLICATION (data))));
}

void
_lodge_ui_add_actions (AdwApplication *application, const char *directory)
{
  static const GActionEntry entries[] = {
    { .name = "preferences", .activate = on_preferences_activated_cb },
    { .name = "shortcuts", .activate = on_shortcuts_activated_cb },
    { .name = "about", .activate = on_about_activated_cb },
  };

  g_object_set_data_full (G_OBJECT (application), "lodge-directory", g_strdup (directory), g_free);
  g_action_map_add_action_entries (G_ACTION_MAP (application), entries, G_N_ELEMENTS (entries), application);
}

/* --- The manager --- */

static void
on_quit_activated_cb (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  GtkApplication *application = GTK_APPLICATION (data);

  for (GList *list = gtk_application_get_windows (application); list != NULL; list = gtk_application_get_windows (application))
    gtk_window_destroy (list->data);
}

static void
on_manager_started_cb (AdwApplication *application, LodgeLibrary *library)
{
  static const GActionEntry entries[] = {
    { .name = "quit", .activate = on_quit_activated_cb },
  };
  static const struct {
    const char *action;
    const char *accels[3];
  } accels[] = {
    { "app.preferences", { "<Control>comma" } },
    { "app.shortcuts", { "<Control>question", "F1" } },
    { "app.quit", { "<Control>q" } },
    { "window.close", { "<Control>w" } },
    { "win.new-machine", { "<Control>n" } },
    { "win.search", { "<Control>f" } },
    { "win.delete-machine", { "Delete" } },
    { "win.fullscreen", { "F11" } },
  };

  lodge_ui_init ();
  g_action_map_add_action_entries (G_ACTION_MAP (application), entries, G_N_ELEMENTS (entries), application);
  _lodge_ui_add_actions (application, lodge_library_get_directory (library));
  for (guint i = 0; i < G_N_ELEMENTS (accels); i++)
    gtk_application_set_accels_for_action (GTK_APPLICATION (application), accels[i].action, (const char *const *) accels[i].accels);
}

static LodgeWindow *
lman_present (AdwApplication *application, LodgeLibrary *library)
{
  GtkWindow *window = gtk_application_get_active_window (GTK_APPLICATION (application));

  if (window == NULL)
    window = GTK_WINDOW (lodge_window_new (application, library));
  gtk_window_present (window);
  return LODGE_WINDOW (window);
}

static void
on_manager_activated_cb (AdwApplication *application, LodgeLibrary *library)
{
  lman_present (application, library);
}

static void
on_manager_opened_cb (AdwApplication *application, GFile **files, int n_files, const char *hint, LodgeLibrary *library)
{
  LodgeWindow *window = lman_present (application, library);

  if (n_files > 0 && g_file_peek_path (files[0]) != NULL)
    lodge_window_open_wizard (window, g_file_peek_path (files[0]));
}

int
lodge_ui_run (int argc, char **argv)
{
  g_autoptr (LodgeLibrary) library = NULL;
  g_autoptr (AdwApplication) application = NULL;

  if (!_lodge_ui_find_display ())
    return 1;

  library = lodge_library_new (NULL);
  application = adw_application_new (LODGE_APPLICATION_ID, G_APPLICATION_HANDLES_OPEN);
  g_signal_connect (application, "startup", G_CALLBACK (on_manager_started_cb), library);
  g_signal_connect (application, "activate", G_CALLBACK (on_manager_activated_cb), library);
  g_signal_connect (application, "open", G_CALLBACK (on_manager_opened_cb), library);
  return g_application_run (G_APPLICATION (application), argc, argv);
}

const LodgeUiEntry lodge_ui_entry = {
  .run = lodge_ui_run,
  .run_machine = lodge_ui_run_machine,
  .run_machine_service = lodge_ui_run_machine_service,
};
