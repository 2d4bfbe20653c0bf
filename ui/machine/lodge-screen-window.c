/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "machine/lodge-screen-window.h"

#include <glib/gi18n.h>

struct _LodgeScreenWindow {
  AdwApplicationWindow parent_instance;

  LodgeDisplay *display;
  AdwToolbarView *toolbar;
  LodgeMachine *machine;
};

G_DEFINE_FINAL_TYPE (LodgeScreenWindow, lodge_screen_window, ADW_TYPE_APPLICATION_WINDOW)

static void
on_state_changed_cb (LodgeScreenWindow *self)
{
  lodge_display_set_interactive (self->display, lodge_machine_get_state (self->machine) == LODGE_MACHINE_STATE_RUNNING);
}

static void
on_closed_cb (LodgeScreenWindow *self)
{
  gtk_window_close (GTK_WINDOW (self));
}

static void
on_fullscreen_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  if (gtk_window_is_fullscreen (GTK_WINDOW (widget)))
    gtk_window_unfullscreen (GTK_WINDOW (widget));
  else
    gtk_window_fullscreen (GTK_WINDOW (widget));
}

/* In full screen the bar is there while the guest has not got the keyboard. */
static void
on_bars_changed_cb (LodgeScreenWindow *self)
{
  gboolean fullscreen = gtk_window_is_fullscreen (GTK_WINDOW (self));

  adw_toolbar_view_set_extend_content_to_top_edge (self->toolbar, fullscreen);
  adw_toolbar_view_set_reveal_top_bars (self->toolbar, !fullscreen || !lodge_display_get_grabbed (self->display));
}

static void
lodge_screen_window_dispose (GObject *object)
{
  LodgeScreenWindow *self = LODGE_SCREEN_WINDOW (object);

  g_clear_object (&self->machine);
  G_OBJECT_CLASS (lodge_screen_window_parent_class)->dispose (object);
}

static void
lodge_screen_window_class_init (LodgeScreenWindowClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = lodge_screen_window_dispose;
  gtk_widget_class_install_action (widget_class, "win.fullscreen", NULL, on_fullscreen_cb);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_F11, 0, "win.fullscreen", NULL);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_w, GDK_CONTROL_MASK, "window.close", NULL);
}

static void
lodge_screen_window_init (LodgeScreenWindow *self)
{
  GtkWidget *bar = adw_header_bar_new (), *toolbar = adw_toolbar_view_new (), *display = lodge_display_new ();
  GtkWidget *button = gtk_button_new_from_icon_name ("view-fullscreen-symbolic");

  gtk_actionable_set_action_name (GTK_ACTIONABLE (button), "win.fullscreen");
  gtk_widget_set_tooltip_text (button, _ ("Full Screen"));
  adw_header_bar_pack_end (ADW_HEADER_BAR (bar), button);
  gtk_widget_set_hexpand (display, TRUE);
  gtk_widget_set_vexpand (display, TRUE);
  self->display = LODGE_DISPLAY (display);
  self->toolbar = ADW_TOOLBAR_VIEW (toolbar);
  adw_toolbar_view_set_top_bar_style (self->toolbar, ADW_TOOLBAR_RAISED);
  adw_toolbar_view_add_top_bar (self->toolbar, bar);
  adw_toolbar_view_set_content (self->toolbar, display);
  adw_application_window_set_content (ADW_APPLICATION_WINDOW (self), toolbar);
  gtk_window_set_default_size (GTK_WINDOW (self), 1024, 815);
  gtk_widget_set_size_request (GTK_WIDGET (self), 360, 294);
  g_signal_connect_object (display, "notify::grabbed", G_CALLBACK (on_bars_changed_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect (self, "notify::fullscreened", G_CALLBACK (on_bars_changed_cb), NULL);
}

GtkWindow *
lodge_screen_window_new (GtkApplication *application, LodgeMachine *machine, LodgeConsole *console, guint head)
{
  LodgeScreenWindow *self = g_object_new (LODGE_TYPE_SCREEN_WINDOW, "application", application, NULL);
  g_autofree char *title = g_strdup_printf (_ ("%s, Screen %u"), lodge_machine_get_name (machine), head + 1);

  self->machine = g_object_ref (machine);
  gtk_window_set_title (GTK_WINDOW (self), title);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->display), GTK_ACCESSIBLE_PROPERTY_LABEL, title, -1);
  g_signal_connect_object (machine, "notify::state", G_CALLBACK (on_state_changed_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (console, "closed", G_CALLBACK (on_closed_cb), self, G_CONNECT_SWAPPED);
  lodge_display_set_console (self->display, console);
  on_state_changed_cb (self);
  return GTK_WINDOW (self);
}

LodgeDisplay *
lodge_screen_window_get_display (LodgeScreenWindow *self)
{
  g_return_val_if_fail (LODGE_IS_SCREEN_WINDOW (self), NULL);
  return self->display;
}
