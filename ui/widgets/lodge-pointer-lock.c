/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * GTK 4 has no call to hold the pointer, so this talks to the windowing systems beneath it.
 *
 * Wayland: pointer-constraints locks the pointer of the surface, relative-pointer tells how it would have moved. The objects live on
 * GDK's own event queue, so GDK dispatches their events.
 * X11: XInput 2 raw motion tells how far the device moved, even where the pointer itself cannot; the (hidden) pointer is put back to
 * the middle of the widget whenever it has moved, so that no click lands elsewhere.
 * Spec: pointer-constraints-unstable-v1, relative-pointer-unstable-v1; XInput 2.2 RawEvent.
 */
#include "widgets/lodge-pointer-lock.h"

#ifdef LODGE_HAVE_X11
#  include <X11/extensions/XInput2.h>
#  include <gdk/x11/gdkx.h>
#endif
#ifdef LODGE_HAVE_WAYLAND
#  include <gdk/wayland/gdkwayland.h>
#  include <wayland-client.h>

#  include "pointer-constraints-unstable-v1-client-protocol.h"
#  include "relative-pointer-unstable-v1-client-protocol.h"
#endif

struct _LodgePointerLock {
  GtkWidget *widget;
  LodgePointerMoved moved;
  gpointer data;

#ifdef LODGE_HAVE_X11
  GdkDisplay *x_display; /* NULL: not X11 */
  gulong x_event_id;
#endif
#ifdef LODGE_HAVE_WAYLAND
  struct zwp_pointer_constraints_v1 *constraints;
  struct zwp_relative_pointer_manager_v1 *manager;
  struct zwp_locked_pointer_v1 *locked; /* NULL: not Wayland */
  struct zwp_relative_pointer_v1 *relative;
#endif
};

static GdkSurface *
lplock_get_surface (GtkWidget *widget)
{
  return gtk_native_get_surface (gtk_widget_get_native (widget));
}

/* --- X11 --- */

#ifdef LODGE_HAVE_X11

/* GDK marks its X11 calls as deprecated because it will drop the back end with GTK 5; for GTK 4 there is no other way. */
G_GNUC_BEGIN_IGNORE_DEPRECATIONS

static void
lplock_x_center (LodgePointerLock *lock)
{
  Display *display = gdk_x11_display_get_xdisplay (lock->x_display);
  GtkNative *native = gtk_widget_get_native (lock->widget);
  GdkSurface *surface = gtk_native_get_surface (native);
  graphene_point_t middle = GRAPHENE_POINT_INIT (gtk_widget_get_width (lock->widget) / 2.0f,
                                                 gtk_widget_get_height (lock->widget) / 2.0f);
  double x = 0, y = 0, scale = gdk_surface_get_scale (surface);

  if (!gtk_widget_compute_point (lock->widget, GTK_WIDGET (native), &middle, &middle))
    return;
  gtk_native_get_surface_transform (native, &x, &y);
  XWarpPointer (display, None, gdk_x11_surface_get_xid (surface), 0, 0, 0, 0, (int) ((x + middle.x) * scale),
                (int) ((y + middle.y) * scale));
  XFlush (display);
}

static void
lplock_x_select (LodgePointerLock *lock, gboolean on)
{
  Display *display = gdk_x11_display_get_xdisplay (lock->x_display);
  unsigned char bits[XIMaskLen (XI_LASTEVENT)] = { 0 };
  XIEventMask mask = { .deviceid = XIAllMasterDevices, .mask_len = sizeof bits, .mask = bits };

  if (on)
    XISetMask (bits, XI_RawMotion);
  XISelectEvents (display, DefaultRootWindow (display), &mask, 1);
}

static gboolean
on_x_event_cb (GdkDisplay *gdk_display, gpointer xevent, LodgePointerLock *lock)
{
  XGenericEventCookie *cookie = &((XEvent *) xevent)->xcookie;
  Display *display = gdk_x11_display_get_xdisplay (gdk_display);
  int opcode, event, error;
  gboolean ours = FALSE;

  if (cookie->type != GenericEvent || cookie->evtype != XI_RawMotion
      || !XQueryExtension (display, "XInputExtension", &opcode, &event, &error) || cookie->extension != opcode)
    return FALSE;

  if (cookie->data != NULL || (ours = XGetEventData (display, cookie)))
    {
      const XIRawEvent *raw = cookie->data;
      const double *value = raw->valuators.values;
      double delta[2] = { 0, 0 };

      for (int i = 0; i < raw->valuators.mask_len * 8 && i < 2; i++)
        if (XIMaskIsSet (raw->valuators.mask, i))
          delta[i] = *value++;
      if (ours)
        XFreeEventData (display, cookie);
      if (delta[0] != 0 || delta[1] != 0)
        {
          lplock_x_center (lock);
          lock->moved (delta[0], delta[1], lock->data);
        }
    }
  return TRUE;
}

/* Raw values of an absolute device (a tablet, or a virtual machine's pointer) are places, not ways; then there is no lock. */
static gboolean
lplock_x_is_relative (Display *display)
{
  int n_devices = 0;
  XIDeviceInfo *devices = XIQueryDevice (display, XIAllDevices, &n_devices);
  gboolean relative = TRUE;

  for (int i = 0; i < n_devices; i++)
    for (int j = 0; devices[i].use == XISlavePointer && devices[i].enabled && j < devices[i].num_classes; j++)
      {
        const XIValuatorClassInfo *valuator = (const XIValuatorClassInfo *) devices[i].classes[j];

        if (valuator->type == XIValuatorClass && valuator->number == 0 && valuator->mode == XIModeAbsolute)
          relative = FALSE;
      }
  if (devices != NULL)
    XIFreeDeviceInfo (devices);
  return relative;
}

static gboolean
lplock_x_start (LodgePointerLock *lock)
{
  GdkDisplay *gdk_display = gtk_widget_get_display (lock->widget);
  Display *display;
  int opcode, event, error;

  if (!GDK_IS_X11_DISPLAY (gdk_display))
    return FALSE;
  display = gdk_x11_display_get_xdisplay (gdk_display);
  /* GDK has asked for XInput 2 already; asking again for an older version is an error. */
  if (!XQueryExtension (display, "XInputExtension", &opcode, &event, &error) || !lplock_x_is_relative (display))
    return FALSE;

  lock->x_display = gdk_display;
  lock->x_event_id = g_signal_connect (gdk_display, "xevent", G_CALLBACK (on_x_event_cb), lock);
  lplock_x_select (lock, TRUE);
  lplock_x_center (lock);
  return TRUE;
}

static void
lplock_x_stop (LodgePointerLock *lock)
{
  if (lock->x_display == NULL)
    return;
  lplock_x_select (lock, FALSE);
  g_signal_handler_disconnect (lock->x_display, lock->x_event_id);
}

G_GNUC_END_IGNORE_DEPRECATIONS

#endif

/* --- Wayland --- */

#ifdef LODGE_HAVE_WAYLAND

static void
on_global_announced_cb (void *data, struct wl_registry *registry, uint32_t name, const char *interface, uint32_t version)
{
  LodgePointerLock *lock = data;

  if (g_strcmp0 (interface, zwp_pointer_constraints_v1_interface.name) == 0)
    lock->constraints = wl_registry_bind (registry, name, &zwp_pointer_constraints_v1_interface, 1);
  else if (g_strcmp0 (interface, zwp_relative_pointer_manager_v1_interface.name) == 0)
    lock->manager = wl_registry_bind (registry, name, &zwp_relative_pointer_manager_v1_interface, 1);
}

static void
on_global_removed_cb (void *data, struct wl_registry *registry, uint32_t name)
{
}

static const struct wl_registry_listener lplock_registry_listener = {
  .global = on_global_announced_cb,
  .global_remove = on_global_removed_cb,
};

static void
on_relative_motion_cb (void *data, struct zwp_relative_pointer_v1 *relative, uint32_t time_hi, uint32_t time_lo, wl_fixed_t dx,
                       wl_fixed_t dy, wl_fixed_t dx_unaccelerated, wl_fixed_t dy_unaccelerated)
{
  LodgePointerLock *lock = data;

  lock->moved (wl_fixed_to_double (dx), wl_fixed_to_double (dy), lock->data);
}

static const struct zwp_relative_pointer_v1_listener lplock_relative_listener = {
  .relative_motion = on_relative_motion_cb,
};

static gboolean
lplock_wl_start (LodgePointerLock *lock)
{
  GdkDisplay *gdk_display = gtk_widget_get_display (lock->widget);
  GdkSurface *surface = lplock_get_surface (lock->widget);
  GdkSeat *seat = gdk_display_get_default_seat (gdk_display);
  GdkDevice *device = seat != NULL ? gdk_seat_get_pointer (seat) : NULL;
  struct wl_display *display, *wrapper;
  struct wl_event_queue *queue;
  struct wl_registry *registry;
  struct wl_pointer *pointer;

  if (!GDK_IS_WAYLAND_DISPLAY (gdk_display) || device == NULL)
    return FALSE;
  display = gdk_wayland_display_get_wl_display (gdk_display);
  pointer = gdk_wayland_device_get_wl_pointer (device);
  if (pointer == NULL)
    return FALSE;

  /* The globals are asked for on a queue of our own, so that waiting for them dispatches nothing of GDK's. */
  queue = wl_display_create_queue (display);
  wrapper = wl_proxy_create_wrapper (display);
  wl_proxy_set_queue ((struct wl_proxy *) wrapper, queue);
  registry = wl_display_get_registry (wrapper);
  wl_proxy_wrapper_destroy (wrapper);
  wl_registry_add_listener (registry, &lplock_registry_listener, lock);
  wl_display_roundtrip_queue (display, queue);
  wl_registry_destroy (registry);
  if (lock->constraints != NULL)
    wl_proxy_set_queue ((struct wl_proxy *) lock->constraints, NULL);
  if (lock->manager != NULL)
    wl_proxy_set_queue ((struct wl_proxy *) lock->manager, NULL);
  wl_event_queue_destroy (queue);
  if (lock->constraints == NULL || lock->manager == NULL)
    return FALSE;

  lock->locked = zwp_pointer_constraints_v1_lock_pointer (lock->constraints, gdk_wayland_surface_get_wl_surface (surface), pointer,
                                                          NULL, ZWP_POINTER_CONSTRAINTS_V1_LIFETIME_PERSISTENT);
  lock->relative = zwp_relative_pointer_manager_v1_get_relative_pointer (lock->manager, pointer);
  zwp_relative_pointer_v1_add_listener (lock->relative, &lplock_relative_listener, lock);
  return TRUE;
}

static void
lplock_wl_stop (LodgePointerLock *lock)
{
  g_clear_pointer (&lock->relative, zwp_relative_pointer_v1_destroy);
  g_clear_pointer (&lock->locked, zwp_locked_pointer_v1_destroy);
  g_clear_pointer (&lock->manager, zwp_relative_pointer_manager_v1_destroy);
  g_clear_pointer (&lock->constraints, zwp_pointer_constraints_v1_destroy);
}

#endif

LodgePointerLock *
lodge_pointer_lock_new (GtkWidget *widget, LodgePointerMoved moved, gpointer data)
{
  LodgePointerLock *lock = g_new0 (LodgePointerLock, 1);

  lock->widget = widget;
  lock->moved = moved;
  lock->data = data;
  if (lplock_get_surface (widget) == NULL)
    {
      g_free (lock);
      return NULL;
    }
#ifdef LODGE_HAVE_X11
  if (lplock_x_start (lock))
    return lock;
#endif
#ifdef LODGE_HAVE_WAYLAND
  if (lplock_wl_start (lock))
    return lock;
#endif
  lodge_pointer_lock_free (lock);
  return NULL;
}

void
lodge_pointer_lock_free (LodgePointerLock *lock)
{
#ifdef LODGE_HAVE_X11
  lplock_x_stop (lock);
#endif
#ifdef LODGE_HAVE_WAYLAND
  lplock_wl_stop (lock);
#endif
  g_free (lock);
}
