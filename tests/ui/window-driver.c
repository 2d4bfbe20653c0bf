/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A machine's window over a machine without an engine, driven by lines on standard input; what reaches the guest comes back as
 * lines on standard output. For the tests beside it.
 *
 *   state NAME [REASON [MESSAGE]]     off starting running paused failed; none request guest no-space io-error fault lost
 *   size W H | draw X Y W H XRGB | absolute 0|1 | medium PATH|none
 *   pulls | where | grabbed | quit    answered by a line that starts with the same word
 */
#include <adwaita.h>
#include <glib-unix.h>
#include <stdio.h>

#include "application.h"
#include "fake-machine.h"
#include "machine/lodge-machine-window.h"
#include "model/machine-private.h"
#include "widgets/lodge-display.h"

typedef struct {
  AdwApplication *application;
  FakeMachine *machine;
  GtkWindow *window;
  GIOChannel *input;
} Driver;

static void
drv_say (const char *line, gpointer data)
{
  printf ("%s\n", line);
  fflush (stdout);
}

static GtkWidget *
drv_find (GtkWidget *widget, GType type)
{
  if (G_TYPE_CHECK_INSTANCE_TYPE (widget, type))
    return widget;
  for (GtkWidget *child = gtk_widget_get_first_child (widget); child != NULL; child = gtk_widget_get_next_sibling (child))
    {
      GtkWidget *found = drv_find (child, type);

      if (found != NULL)
        return found;
    }
  return NULL;
}

static void
drv_state (Driver *self, char **words)
{
  static const char *const reasons[] = { "none", "request", "guest", "no-space", "io-error", "fault", "lost", NULL };
  LodgeReason reason = LODGE_REASON_NONE;

  for (guint i = 0; words[1] != NULL && words[2] != NULL && reasons[i] != NULL; i++)
    if (g_strcmp0 (words[2], reasons[i]) == 0)
      reason = i;
  for (LodgeMachineState state = LODGE_MACHINE_STATE_OFF; state <= LODGE_MACHINE_STATE_BROKEN; state++)
    if (g_strcmp0 (words[1], lodge_machine_state_to_nick (state)) == 0)
      {
        g_autofree char *message = words[2] != NULL && words[3] != NULL ? g_strcompress (words[3]) : NULL;

        fake_machine_set_state (self->machine, state, reason, message);
      }
}

static void
drv_do (Driver *self, const char *line)
{
  g_auto (GStrv) words = g_strsplit (line, " ", 4);
  g_auto (GStrv) all = g_strsplit (line, " ", -1);
  guint n = g_strv_length (all);
  GtkWidget *display = self->window != NULL ? drv_find (GTK_WIDGET (self->window), LODGE_TYPE_DISPLAY) : NULL;

  if (g_strcmp0 (words[0], "state") == 0 && n > 1)
    drv_state (self, words);
  else if (g_strcmp0 (words[0], "size") == 0 && n == 3)
    fake_machine_set_size (self->machine, atoi (all[1]), atoi (all[2]));
  else if (g_strcmp0 (words[0], "draw") == 0 && n == 6)
    fake_machine_draw (self->machine, atoi (all[1]), atoi (all[2]), atoi (all[3]), atoi (all[4]),
                       (guint32) strtoul (all[5], NULL, 16));
  else if (g_strcmp0 (words[0], "absolute") == 0 && n == 2)
    fake_machine_set_absolute (self->machine, atoi (all[1]));
  else if (g_strcmp0 (words[0], "resizable") == 0 && n == 2)
    {
      fake_machine_set_resizable (self->machine, atoi (all[1]));
      g_object_notify (G_OBJECT (self->machine), "console"); /* can-resize is looked at when the console comes */
    }
  else if (g_strcmp0 (words[0], "cursor") == 0)
    fake_machine_show_cursor (self->machine);
  else if (g_strcmp0 (words[0], "screen") == 0 && n == 3)
    fake_machine_add_screen (self->machine, atoi (all[1]), atoi (all[2]));
  else if (g_strcmp0 (words[0], "picture") == 0 && display != NULL)
    {
      int width = 0, height = 0;

      lodge_display_get_picture_size (LODGE_DISPLAY (display), &width, &height);
      printf ("picture %d %d\n", width, height);
    }
  else if (g_strcmp0 (words[0], "medium") == 0 && n == 2)
    _lodge_machine_set_medium (LODGE_MACHINE (self->machine), g_strcmp0 (all[1], "none") != 0 ? all[1] : NULL);
  else if (g_strcmp0 (words[0], "pulls") == 0)
    printf ("pulls %u\n", fake_machine_get_pulls (self->machine));
  else if (g_strcmp0 (words[0], "grabbed") == 0 && display != NULL)
    printf ("grabbed %d\n", lodge_display_get_grabbed (LODGE_DISPLAY (display)));
  else if (g_strcmp0 (words[0], "where") == 0 && display != NULL)
    {
      /* Where the display is in the window, shadows and all: AT-SPI does not tell it truly. */
      graphene_rect_t bounds;
      double x = 0, y = 0;

      gtk_native_get_surface_transform (GTK_NATIVE (self->window), &x, &y);
      if (gtk_widget_compute_bounds (display, GTK_WIDGET (self->window), &bounds))
        printf ("where %d %d %d %d\n", (int) (x + bounds.origin.x), (int) (y + bounds.origin.y), (int) bounds.size.width,
                (int) bounds.size.height);
    }
  else if (g_strcmp0 (words[0], "quit") == 0)
    g_application_quit (G_APPLICATION (self->application));
  else
    printf ("what? %s\n", line);
  fflush (stdout);
}

static gboolean
on_input_cb (GIOChannel *channel, GIOCondition condition, gpointer data)
{
  Driver *self = data;
  g_autofree char *line = NULL;
  gsize end = 0;

  if (g_io_channel_read_line (channel, &line, NULL, &end, NULL) != G_IO_STATUS_NORMAL)
    {
      g_application_quit (G_APPLICATION (self->application));
      return G_SOURCE_REMOVE;
    }
  line[end] = '\0';
  drv_do (self, line);
  return G_SOURCE_CONTINUE;
}

static void
on_window_gone_cb (Driver *self)
{
  self->window = NULL;
  drv_say ("closed", NULL);
}

static void
on_activated_cb (GApplication *application, gpointer data)
{
  static const GActionEntry nothing[] = { { .name = "preferences" }, { .name = "shortcuts" }, { .name = "about" } };
  Driver *self = data;

  g_application_hold (application);
  lodge_ui_init ();
  g_action_map_add_action_entries (G_ACTION_MAP (application), nothing, G_N_ELEMENTS (nothing), NULL);
  self->machine = fake_machine_new ("Test", drv_say, NULL);
  fake_machine_set_state (self->machine, LODGE_MACHINE_STATE_RUNNING, LODGE_REASON_REQUEST, NULL);
  self->window = GTK_WINDOW (lodge_machine_window_new (self->application, LODGE_MACHINE (self->machine)));
  g_signal_connect_swapped (self->window, "destroy", G_CALLBACK (on_window_gone_cb), self);
  gtk_window_present (self->window);
  self->input = g_io_channel_unix_new (0);
  g_io_add_watch (self->input, G_IO_IN | G_IO_HUP, on_input_cb, self);
}

int
main (int argc, char **argv)
{
  Driver self = { 0 };
  int status;

  self.application = adw_application_new ("io.github.lodge_vm.Lodge.Test", G_APPLICATION_NON_UNIQUE);
  g_signal_connect (self.application, "activate", G_CALLBACK (on_activated_cb), &self);
  status = g_application_run (G_APPLICATION (self.application), argc, argv);
  if (self.window != NULL)
    gtk_window_destroy (self.window);
  g_clear_object (&self.machine);
  g_clear_pointer (&self.input, g_io_channel_unref);
  g_object_unref (self.application);
  return status;
}
