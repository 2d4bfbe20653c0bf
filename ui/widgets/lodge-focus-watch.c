/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * GDK grabs the keyboard on X11 when the desktop's shortcuts are to be inhibited, and takes the window for focused as long as it has
 * the grab. A focus that goes elsewhere meanwhile is told by the server in a FocusOut of the mode NotifyWhileGrabbed, which GDK
 * ignores; this does not.
 * Spec: XInput 2, FocusOut; X protocol, SetInputFocus.
 */
#include "widgets/lodge-focus-watch.h"

#ifdef LODGE_HAVE_X11
#  include <X11/extensions/XInput2.h>
#  include <gdk/x11/gdkx.h>

/* GDK marks its X11 calls as deprecated because it will drop the back end with GTK 5; for GTK 4 there is no other way. */
G_GNUC_BEGIN_IGNORE_DEPRECATIONS

struct _LodgeFocusWatch {
  GdkDisplay *display;
  gulong event_id;
  Window window;
  int opcode; /* of the extension XInput */
  void (*lost) (gpointer data);
  gpointer data;
};

static gboolean
on_x_event_cb (GdkDisplay *display, gpointer xevent, LodgeFocusWatch *watch)
{
  XGenericEventCookie *cookie = &((XEvent *) xevent)->xcookie;
  Display *xdisplay = gdk_x11_display_get_xdisplay (display);
  gboolean ours = FALSE, lost = FALSE;

  if (cookie->type != GenericEvent || cookie->extension != watch->opcode || cookie->evtype != XI_FocusOut)
    return FALSE;
  if (cookie->data != NULL || (ours = XGetEventData (xdisplay, cookie)))
    {
      const XIFocusOutEvent *event = cookie->data;

      lost = event->event == watch->window && event->mode == XINotifyWhileGrabbed && event->detail != XINotifyInferior
             && event->detail != XINotifyPointer;
      if (ours)
        XFreeEventData (xdisplay, cookie);
    }
  if (lost)
    watch->lost (watch->data);
  return FALSE;
}

LodgeFocusWatch *
lodge_focus_watch_new (GtkWidget *widget, void (*lost) (gpointer data), gpointer data)
{
  GdkDisplay *display = gtk_widget_get_display (widget);
  GdkSurface *surface = gtk_native_get_surface (gtk_widget_get_native (widget));
  LodgeFocusWatch *watch;
  int opcode, event, error;

  if (!GDK_IS_X11_DISPLAY (display) || surface == NULL
      || !XQueryExtension (gdk_x11_display_get_xdisplay (display), "XInputExtension", &opcode, &event, &error))
    return NULL;

  watch = g_new0 (LodgeFocusWatch, 1);
  watch->display = display;
  watch->window = gdk_x11_surface_get_xid (surface);
  watch->opcode = opcode;
  watch->lost = lost;
  watch->data = data;
  watch->event_id = g_signal_connect (display, "xevent", G_CALLBACK (on_x_event_cb), watch);
  return watch;
}

void
lodge_focus_watch_free (LodgeFocusWatch *watch)
{
  g_signal_handler_disconnect (watch->display, watch->event_id);
  g_free (watch);
}

G_GNUC_END_IGNORE_DEPRECATIONS

#else

LodgeFocusWatch *
lodge_focus_watch_new (GtkWidget *widget, void (*lost) (gpointer data), gpointer data)
{
  return NULL;
}

void
lodge_focus_watch_free (LodgeFocusWatch *watch)
{
}

#endif
