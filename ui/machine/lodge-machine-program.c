/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The process of one machine: service, engine and window together, alive as long as the machine or its window is. */
#include <adwaita.h>
#include <glib/gi18n.h>

#include "application-private.h"
#include "application.h"
#include "machine/lodge-machine-window.h"

typedef struct {
  AdwApplication *application;
  LodgeMachineService *service;
  gboolean running; /* the machine was started before there was a window */
  gboolean held;
} LprogProgram;

static void
on_window_removed_cb (GtkApplication *application, GtkWindow *window, LprogProgram *program)
{
  if (LODGE_IS_MACHINE_WINDOW (window))
    lodge_machine_service_set_has_window (program->service, FALSE);
}

static void
lprog_show_window (LprogProgram *program)
{
  GtkWindow *window = gtk_application_get_active_window (GTK_APPLICATION (program->application));

  if (window == NULL)
    {
      window = GTK_WINDOW (lodge_machine_window_new (program->application, lodge_machine_service_get_machine (program->service)));
      lodge_machine_service_set_has_window (program->service, TRUE);
    }
  gtk_window_present (window);
}

static void
on_window_wanted_cb (LodgeMachineService *service, LprogProgram *program)
{
  lprog_show_window (program);
}

static void
on_quit_cb (LodgeMachineService *service, LprogProgram *program)
{
  if (program->held)
    g_application_release (G_APPLICATION (program->application));
  program->held = FALSE;
  g_application_quit (G_APPLICATION (program->application));
}

static void
on_activated_cb (GApplication *application, LprogProgram *program)
{
  if (program->held)
    return;

  /* The machine keeps the process alive, not its window. */
  g_application_hold (application);
  program->held = TRUE;
  lodge_ui_init ();
  _lodge_ui_add_actions (program->application, NULL);
  lprog_show_window (program);
  if (!program->running)
    lodge_machine_service_start (program->service);
}

static int
lprog_run (LodgeMachineService *service, gboolean running)
{
  g_autoptr (AdwApplication) application = adw_application_new (LODGE_APPLICATION_ID, G_APPLICATION_NON_UNIQUE);
  LprogProgram program = { .application = application, .service = service, .running = running };
  char name[] = "lodge", *argv[] = { name, NULL };
  int status;

  g_signal_connect (application, "activate", G_CALLBACK (on_activated_cb), &program);
  g_signal_connect (application, "window-removed", G_CALLBACK (on_window_removed_cb), &program);
  g_signal_connect (service, "show-window", G_CALLBACK (on_window_wanted_cb), &program);
  g_signal_connect (service, "quit", G_CALLBACK (on_quit_cb), &program);
  status = g_application_run (G_APPLICATION (application), 1, argv);
  g_signal_handlers_disconnect_by_data (service, &program);
  return status;
}

int
lodge_ui_run_machine_service (LodgeMachineService *service)
{
  g_return_val_if_fail (LODGE_IS_MACHINE_SERVICE (service), 1);

  if (!_lodge_ui_find_display ())
    return 1;
  return lprog_run (service, TRUE);
}

int
lodge_ui_run_machine (const char *bundle)
{
  g_autoptr (LodgeMachineService) service = NULL;
  g_autoptr (GError) error = NULL;

  if (!_lodge_ui_find_display ())
    {
      g_set_error_literal (&error, LODGE_ERROR, LODGE_ERROR_UNSUPPORTED,
                           _ ("There is no display to show the machine’s window on."));
      lodge_machine_service_tell_starter (error);
      return 1;
    }

  service = lodge_machine_service_new (bundle, &error);
  if (service == NULL)
    {
      g_printerr ("lodge: %s\n", error->message);
      lodge_machine_service_tell_starter (error);
      return 1;
    }
  return lprog_run (service, FALSE);
}
