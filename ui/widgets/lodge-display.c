/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A machine's picture.
 *
 * The frame clock pulls: a tick callback asks the console for what changed and, only if something did, makes a texture over the
 * console's own memory (no copy) that names the damaged region, so that the renderer uploads and redraws that alone. After
 * LDISP_STILL_FRAMES frames without a change the tick callback goes and a poll of LDISP_POLL_MS takes its place; a change or
 * input brings the tick back. Unmapped or suspended, nothing runs and the console knows that nobody looks.
 *
 * Keys are passed by hardware code (X11 and Wayland keycode minus 8 is the kernel's input event code), so the host's layout
 * does not matter. What is held is remembered and released when the keyboard goes elsewhere.
 */
#include "widgets/lodge-display.h"

#include <glib/gi18n.h>
#include <linux/input-event-codes.h>

#include "settings/lodge-settings.h"
#include "widgets/lodge-focus-watch.h"
#include "widgets/lodge-pointer-lock.h"
#include "widgets/lodge-texture.h"

#define LDISP_STILL_FRAMES 60
#define LDISP_POLL_MS 50
#define LDISP_SURFACE_UNITS_PER_NOTCH 15.0
/* The guest is asked for another size when the window's has been still for so long. */
#define LDISP_RESIZE_MS 250
/* Guests round widths down; a picture that is so little smaller than the space is not blown up. */
#define LDISP_RESIZE_SLACK 8
#define LDISP_MAX_TOUCHES 10

struct _LodgeDisplay {
  GtkWidget parent_instance;

  LodgeConsole *console;
  GdkTexture *texture; /* what is shown */
  gboolean pulling;    /* somebody looks */
  gboolean closed;     /* there will be no other picture */
  guint tick_id;
  guint poll_id;
  guint still_frames;
  GtkWindow *window;        /* that we are mapped in */
  GtkEventController *keys; /* on the window; it owns it */

  LodgeScaling scaling;
  gboolean follow; /* the guest is asked for the size of the space */
  guint resize_id;
  graphene_rect_t picture; /* where the picture is, widget coordinates */

  GdkTexture *cursor; /* (nullable): the guest's pointer, where we draw it */
  LodgeCursor cursor_facts;
  GdkCursor *host_cursor; /* (nullable): the same for the windowing system */
  GdkEventSequence *touches[LDISP_MAX_TOUCHES];

  gboolean interactive;
  LodgeFocusWatch *focus_watch; /* while mapped */
  gboolean grabbed;             /* the guest has the keyboard */
  gboolean regrab;              /* it gets it when the window has the focus */
  LodgePointerLock *lock;       /* the guest has the pointer */
  gboolean has_last;
  double last_x, last_y; /* last position seen, where the pointer cannot be locked */
  double rest_x, rest_y; /* fractions of a guest pixel not yet told */
  double rest_wheel;
  guint8 held[(KEY_CNT + 7) / 8];
  guint buttons;          /* bit n: button code BTN_MOUSE + n is held */
  gboolean release_armed; /* only release keys were pressed since the first of them */
};

enum {
  PROP_0,
  PROP_CONSOLE,
  PROP_SCALING,
  PROP_FOLLOW,
  PROP_GRABBED,
  PROP_INTERACTIVE,
  N_PROPS,
};

static GParamSpec *ldisp_props[N_PROPS];

enum {
  SIGNAL_PICTURE_RESIZED,
  N_SIGNALS,
};

static guint ldisp_signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (LodgeDisplay, lodge_display, GTK_TYPE_WIDGET)

G_DEFINE_ENUM_TYPE (LodgeScaling, lodge_scaling, G_DEFINE_ENUM_VALUE (LODGE_SCALING_FIT, "fit"),
                    G_DEFINE_ENUM_VALUE (LODGE_SCALING_ORIGINAL, "original"))

static void ldisp_pull_fast (LodgeDisplay *self);
static void ldisp_update_cursor (LodgeDisplay *self);
static gboolean ldisp_is_absolute (LodgeDisplay *self);

/* --- The picture --- */

static double
ldisp_get_scale (LodgeDisplay *self)
{
  GtkNative *native = gtk_widget_get_native (GTK_WIDGET (self));
  GdkSurface *surface = native != NULL ? gtk_native_get_surface (native) : NULL;

  return surface != NULL ? gdk_surface_get_scale (surface) : 1.0;
}

/* Puts the picture on whole pixels of the screen, whatever the scale and wherever in the window we are. */
static void
ldisp_layout (LodgeDisplay *self)
{
  GtkWidget *widget = GTK_WIDGET (self);
  GtkNative *native = gtk_widget_get_native (widget);
  double scale = ldisp_get_scale (self), factor = 1.0, native_x = 0, native_y = 0;
  double space_width = gtk_widget_get_width (widget) * scale, space_height = gtk_widget_get_height (widget) * scale;
  double width, height, x, y;
  graphene_point_t origin = GRAPHENE_POINT_INIT_ZERO;

  if (self->texture == NULL)
    return;

  width = gdk_texture_get_width (self->texture);
  height = gdk_texture_get_height (self->texture);
  if (self->scaling == LODGE_SCALING_FIT)
    {
      double rest_width = space_width - width, rest_height = space_height - height;

      if (!self->follow || rest_width < 0 || rest_width >= LDISP_RESIZE_SLACK || rest_height < 0
          || rest_height >= LDISP_RESIZE_SLACK)
        factor = MIN (space_width / width, space_height / height);
    }
  width = MAX (1, floor (width * factor + 0.001));
  height = MAX (1, floor (height * factor + 0.001));

  if (native != NULL && gtk_widget_compute_point (widget, GTK_WIDGET (native), &GRAPHENE_POINT_INIT (0, 0), &origin))
    gtk_native_get_surface_transform (native, &native_x, &native_y);
  native_x = (native_x + origin.x) * scale;
  native_y = (native_y + origin.y) * scale;
  x = round (native_x + MAX (0, space_width - width) / 2) - native_x;
  y = round (native_y + MAX (0, space_height - height) / 2) - native_y;

  self->picture = GRAPHENE_RECT_INIT (x / scale, y / scale, width / scale, height / scale);
}

static void
lodge_display_snapshot (GtkWidget *widget, GtkSnapshot *snapshot)
{
  LodgeDisplay *self = LODGE_DISPLAY (widget);
  double factor;

  if (self->texture == NULL)
    return;

  ldisp_layout (self);
  factor = self->picture.size.width * ldisp_get_scale (self) / gdk_texture_get_width (self->texture);

  /* A plain texture node redraws only what differs between two textures, so it is used wherever its linear filter does: that is
   * everywhere but at whole multiples, where pixels stay square, and far below the original size. */
  if (factor >= 2 && ABS (factor - round (factor)) < 0.001)
    gtk_snapshot_append_scaled_texture (snapshot, self->texture, GSK_SCALING_FILTER_NEAREST, &self->picture);
  else if (factor < 0.5)
    gtk_snapshot_append_scaled_texture (snapshot, self->texture, GSK_SCALING_FILTER_TRILINEAR, &self->picture);
  else
    gtk_snapshot_append_texture (snapshot, self->texture, &self->picture);

  /* A guest that takes motions alone: its pointer is where it says. */
  if (self->cursor != NULL && !ldisp_is_absolute (self))
    {
      double unit = self->picture.size.width / gdk_texture_get_width (self->texture);

      gtk_snapshot_push_clip (snapshot, &self->picture);
      gtk_snapshot_append_texture (snapshot, self->cursor,
                                   &GRAPHENE_RECT_INIT ((float) (self->picture.origin.x + self->cursor_facts.x * unit),
                                                        (float) (self->picture.origin.y + self->cursor_facts.y * unit),
                                                        (float) (self->cursor_facts.width * unit),
                                                        (float) (self->cursor_facts.height * unit)));
      gtk_snapshot_pop (snapshot);
    }
}

static gboolean
on_resize_due_cb (gpointer data)
{
  LodgeDisplay *self = LODGE_DISPLAY (data);
  double scale = ldisp_get_scale (self);

  self->resize_id = 0;
  if (self->console != NULL && gtk_widget_get_mapped (GTK_WIDGET (self)))
    lodge_console_request_size (self->console, (int) (gtk_widget_get_width (GTK_WIDGET (self)) * scale + 0.001),
                                (int) (gtk_widget_get_height (GTK_WIDGET (self)) * scale + 0.001));
  return G_SOURCE_REMOVE;
}

/* Asks the guest for our size, soon. */
static void
ldisp_queue_resize (LodgeDisplay *self)
{
  g_clear_handle_id (&self->resize_id, g_source_remove);
  if (self->follow && self->scaling == LODGE_SCALING_FIT && self->console != NULL && !self->closed
      && gtk_widget_get_mapped (GTK_WIDGET (self)) && lodge_console_can_resize (self->console))
    self->resize_id = g_timeout_add (LDISP_RESIZE_MS, on_resize_due_cb, self);
}

static void
lodge_display_size_allocate (GtkWidget *widget, int width, int height, int baseline)
{
  GTK_WIDGET_CLASS (lodge_display_parent_class)->size_allocate (widget, width, height, baseline);
  ldisp_queue_resize (LODGE_DISPLAY (widget));
}

static void
lodge_display_measure (GtkWidget *widget, GtkOrientation orientation, int for_size, int *minimum, int *natural,
                       int *minimum_baseline, int *natural_baseline)
{
  LodgeDisplay *self = LODGE_DISPLAY (widget);
  int size = 0;

  if (self->texture != NULL)
    {
      size = orientation == GTK_ORIENTATION_HORIZONTAL ? gdk_texture_get_width (self->texture)
                                                       : gdk_texture_get_height (self->texture);
      size = (int) ceil (size / ldisp_get_scale (self) - 0.001);
    }
  *natural = size;
  *minimum = self->scaling == LODGE_SCALING_ORIGINAL ? size : 0;
}

static void
ldisp_take_frame (LodgeDisplay *self, LodgeFrame *frame)
{
  g_autoptr (GdkMemoryTextureBuilder) builder = gdk_memory_texture_builder_new ();
  g_autoptr (GdkTexture) texture = NULL;
  int width = lodge_picture_get_width (frame->picture), height = lodge_picture_get_height (frame->picture);
  gboolean resized = self->texture == NULL || gdk_texture_get_width (self->texture) != width
                     || gdk_texture_get_height (self->texture) != height;

  gdk_memory_texture_builder_set_bytes (builder, lodge_picture_get_bytes (frame->picture));
  gdk_memory_texture_builder_set_width (builder, width);
  gdk_memory_texture_builder_set_height (builder, height);
  gdk_memory_texture_builder_set_stride (builder, lodge_picture_get_stride (frame->picture));
  gdk_memory_texture_builder_set_format (builder, lodge_memory_format_for_picture (frame->picture));
  if (!resized && !frame->new_picture)
    {
      cairo_region_t *region = cairo_region_create ();

      for (guint i = 0; i < frame->n_rects; i++)
        cairo_region_union_rectangle (region, &(cairo_rectangle_int_t) { frame->rects[i].x, frame->rects[i].y,
                                                                         frame->rects[i].width, frame->rects[i].height });
      gdk_memory_texture_builder_set_update_texture (builder, self->texture);
      gdk_memory_texture_builder_set_update_region (builder, region);
      cairo_region_destroy (region);
    }
  texture = gdk_memory_texture_builder_build (builder);
  g_set_object (&self->texture, texture);

  if (resized)
    {
      gtk_widget_queue_resize (GTK_WIDGET (self));
      g_signal_emit (self, ldisp_signals[SIGNAL_PICTURE_RESIZED], 0, width, height);
    }
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

/* The guest's pointer as large as it would be in the picture. */
static GdkTexture *
ldisp_get_cursor_texture (GdkCursor *cursor, int cursor_size, double scale, int *width, int *height, int *hot_x, int *hot_y,
                          gpointer data)
{
  LodgeDisplay *self = *(LodgeDisplay **) data;
  double unit;

  if (self == NULL || self->cursor == NULL || self->texture == NULL)
    return NULL;
  unit = self->picture.size.width / gdk_texture_get_width (self->texture);
  *width = MAX (1, (int) round (self->cursor_facts.width * unit));
  *height = MAX (1, (int) round (self->cursor_facts.height * unit));
  *hot_x = CLAMP ((int) (self->cursor_facts.hot_x * unit), 0, *width - 1);
  *hot_y = CLAMP ((int) (self->cursor_facts.hot_y * unit), 0, *height - 1);
  return g_object_ref (self->cursor);
}

static void
ldisp_free_weak (gpointer data)
{
  g_clear_weak_pointer ((LodgeDisplay **) data);
  g_free (data);
}

static void
ldisp_take_cursor (LodgeDisplay *self, LodgeCursor *facts)
{
  gboolean image_changed = facts->pixels == NULL || self->cursor_facts.pixels == NULL
                           || g_bytes_get_data (facts->pixels, NULL) != g_bytes_get_data (self->cursor_facts.pixels, NULL);

  lodge_cursor_clear (&self->cursor_facts);
  self->cursor_facts = *facts;
  facts->pixels = NULL;
  if (image_changed)
    {
      g_clear_object (&self->cursor);
      g_clear_object (&self->host_cursor);
      if (self->cursor_facts.pixels != NULL)
        {
          LodgeDisplay **weak = g_new0 (LodgeDisplay *, 1);

          self->cursor = gdk_memory_texture_new (self->cursor_facts.width, self->cursor_facts.height,
                                                 GDK_MEMORY_B8G8R8A8_PREMULTIPLIED, self->cursor_facts.pixels,
                                                 (gsize) self->cursor_facts.width * 4);
          g_set_weak_pointer (weak, self);
          self->host_cursor = gdk_cursor_new_from_callback (ldisp_get_cursor_texture, weak, ldisp_free_weak, NULL);
        }
      ldisp_update_cursor (self);
    }
  if (!ldisp_is_absolute (self))
    gtk_widget_queue_draw (GTK_WIDGET (self));
}

static gboolean
ldisp_pull (LodgeDisplay *self)
{
  g_auto (LodgeFrame) frame = { 0 };
  g_auto (LodgeCursor) cursor = { 0 };
  gboolean changed = FALSE;

  if (lodge_console_pull_cursor (self->console, &cursor))
    {
      ldisp_take_cursor (self, &cursor);
      changed = TRUE;
    }
  if (lodge_console_pull (self->console, &frame))
    {
      ldisp_take_frame (self, &frame);
      changed = TRUE;
    }
  return changed;
}

static gboolean
on_poll_cb (gpointer data)
{
  LodgeDisplay *self = LODGE_DISPLAY (data);

  if (!ldisp_pull (self))
    return G_SOURCE_CONTINUE;
  self->poll_id = 0;
  ldisp_pull_fast (self);
  return G_SOURCE_REMOVE;
}

static gboolean
on_tick_cb (GtkWidget *widget, GdkFrameClock *clock, gpointer data)
{
  LodgeDisplay *self = LODGE_DISPLAY (widget);

  if (ldisp_pull (self))
    self->still_frames = 0;
  else if (++self->still_frames >= LDISP_STILL_FRAMES)
    {
      self->tick_id = 0;
      self->poll_id = g_timeout_add (LDISP_POLL_MS, on_poll_cb, self);
      return G_SOURCE_REMOVE;
    }
  return G_SOURCE_CONTINUE;
}

static void
ldisp_pull_fast (LodgeDisplay *self)
{
  self->still_frames = 0;
  g_clear_handle_id (&self->poll_id, g_source_remove);
  if (self->pulling && self->tick_id == 0)
    self->tick_id = gtk_widget_add_tick_callback (GTK_WIDGET (self), on_tick_cb, NULL, NULL);
}

static void
ldisp_update_pulling (LodgeDisplay *self)
{
  gboolean wanted = self->console != NULL && !self->closed && gtk_widget_get_mapped (GTK_WIDGET (self))
                    && !(self->window != NULL && gtk_window_is_suspended (self->window));

  if (wanted == self->pulling)
    return;

  self->pulling = wanted;
  if (wanted)
    ldisp_pull_fast (self);
  else
    {
      g_clear_handle_id (&self->poll_id, g_source_remove);
      if (self->tick_id != 0)
        gtk_widget_remove_tick_callback (GTK_WIDGET (self), self->tick_id);
      self->tick_id = 0;
    }
}

/* --- The keyboard --- */

static void
ldisp_send_key (LodgeDisplay *self, guint code, gboolean down)
{
  if (code == KEY_RESERVED || code >= KEY_CNT)
    return;
  if (!down && !(self->held[code / 8] & (1 << (code % 8))))
    return;
  if (down)
    self->held[code / 8] |= 1 << (code % 8);
  else
    self->held[code / 8] &= ~(1 << (code % 8));
  lodge_console_key (self->console, code, down);
  ldisp_pull_fast (self);
}

static gboolean
ldisp_is_held (LodgeDisplay *self, guint code)
{
  return (self->held[code / 8] & (1 << (code % 8))) != 0;
}

static void
ldisp_release_held (LodgeDisplay *self)
{
  self->release_armed = FALSE;
  for (guint i = 0; i < LDISP_MAX_TOUCHES; i++)
    if (self->touches[i] != NULL)
      {
        self->touches[i] = NULL;
        if (self->console != NULL)
          lodge_console_touch (self->console, i, LODGE_TOUCH_UP, 0, 0);
      }
  memset (self->held, 0, sizeof self->held);
  self->buttons = 0;
  if (self->console != NULL)
    lodge_console_release_keys (self->console);
}

/* The keys that give the keyboard back, by hardware code like all others. */
static const guint *
ldisp_get_release_codes (void)
{
  static const guint left_ctrl_alt[] = { KEY_LEFTCTRL, KEY_LEFTALT, 0 };
  static const guint right_ctrl[] = { KEY_RIGHTCTRL, 0 };
  static const guint right_ctrl_alt[] = { KEY_RIGHTCTRL, KEY_RIGHTALT, 0 };

  switch (lodge_settings_get_release_keys (lodge_settings_get_default ()))
    {
    case LODGE_RELEASE_RIGHT_CTRL:
      return right_ctrl;
    case LODGE_RELEASE_RIGHT_CTRL_ALT:
      return right_ctrl_alt;
    case LODGE_RELEASE_LEFT_CTRL_ALT:
    default:
      return left_ctrl_alt;
    }
}

/* Release means: all release keys down, no other key pressed meanwhile, one let go. So Ctrl+Alt+F1 stays the guest's. */
static gboolean
ldisp_watch_release (LodgeDisplay *self, guint code, gboolean down)
{
  const guint *codes = ldisp_get_release_codes ();
  gboolean ours = FALSE, all = TRUE;

  for (guint i = 0; codes[i] != 0; i++)
    {
      ours |= codes[i] == code;
      all &= codes[i] == code || ldisp_is_held (self, codes[i]);
    }

  if (down && !ours)
    self->release_armed = FALSE;
  else if (down && !ldisp_is_held (self, code))
    {
      gboolean other = FALSE;

      for (guint i = 0; i < KEY_CNT && !other; i++)
        {
          other = ldisp_is_held (self, i);
          for (guint j = 0; codes[j] != 0 && other; j++)
            other = codes[j] != i;
        }
      self->release_armed = all && !other;
    }
  else if (!down && ours && all && self->release_armed)
    {
      self->release_armed = FALSE;
      return TRUE;
    }
  return FALSE;
}

static gboolean
on_key_pressed_cb (LodgeDisplay *self, guint keyval, guint keycode, GdkModifierType state, GtkEventControllerKey *controller)
{
  if (!self->interactive || self->console == NULL || keycode < 8 || !gtk_widget_is_focus (GTK_WIDGET (self)))
    return GDK_EVENT_PROPAGATE;

  if (!self->grabbed)
    {
      /* With the keyboard alone: Enter on the picture gives the keyboard to the guest. */
      if (keyval != GDK_KEY_Return && keyval != GDK_KEY_KP_Enter)
        return GDK_EVENT_PROPAGATE;
      lodge_display_grab (self);
      return GDK_EVENT_STOP;
    }

  ldisp_watch_release (self, keycode - 8, TRUE);
  ldisp_send_key (self, keycode - 8, TRUE);
  return GDK_EVENT_STOP;
}

static void
on_key_released_cb (LodgeDisplay *self, guint keyval, guint keycode, GdkModifierType state, GtkEventControllerKey *controller)
{
  gboolean release;

  if (!self->grabbed || self->console == NULL || keycode < 8)
    return;

  release = ldisp_watch_release (self, keycode - 8, FALSE);
  ldisp_send_key (self, keycode - 8, FALSE);
  if (release)
    lodge_display_release (self);
}

/* --- The pointer --- */

static gboolean
ldisp_is_absolute (LodgeDisplay *self)
{
  return self->console != NULL && lodge_console_has_absolute_pointer (self->console);
}

static void
ldisp_send_motion (LodgeDisplay *self, double dx, double dy)
{
  int whole_x, whole_y;

  self->rest_x += dx;
  self->rest_y += dy;
  whole_x = (int) self->rest_x;
  whole_y = (int) self->rest_y;
  if (whole_x == 0 && whole_y == 0)
    return;
  self->rest_x -= whole_x;
  self->rest_y -= whole_y;
  lodge_console_pointer_motion (self->console, whole_x, whole_y);
  ldisp_pull_fast (self);
}

static void
on_locked_moved_cb (double dx, double dy, gpointer data)
{
  LodgeDisplay *self = LODGE_DISPLAY (data);

  if (self->console != NULL && !ldisp_is_absolute (self))
    ldisp_send_motion (self, dx, dy);
}

static void
ldisp_update_cursor (LodgeDisplay *self)
{
  gboolean hidden = self->grabbed && (self->lock != NULL || self->has_last || ldisp_is_absolute (self));

  if (self->grabbed && self->host_cursor != NULL && self->lock == NULL && ldisp_is_absolute (self))
    {
      gtk_widget_set_cursor (GTK_WIDGET (self), self->host_cursor);
      return;
    }
  gtk_widget_set_cursor_from_name (GTK_WIDGET (self), hidden ? "none" : NULL);
}

static void
ldisp_lock_pointer (LodgeDisplay *self, double x, double y)
{
  if (ldisp_is_absolute (self) || self->lock != NULL || self->has_last)
    return;
  self->rest_x = self->rest_y = 0;
  self->lock = lodge_pointer_lock_new (GTK_WIDGET (self), on_locked_moved_cb, self);
  if (self->lock == NULL)
    {
      /* The pointer stays the desktop's; what it does over the picture moves the guest's. */
      self->has_last = TRUE;
      self->last_x = x;
      self->last_y = y;
    }
  ldisp_update_cursor (self);
}

static void
ldisp_unlock_pointer (LodgeDisplay *self)
{
  g_clear_pointer (&self->lock, lodge_pointer_lock_free);
  self->has_last = FALSE;
  ldisp_update_cursor (self);
}

static void
ldisp_pointer_moved (LodgeDisplay *self, double x, double y)
{
  double guest_x = (x - self->picture.origin.x) / MAX (self->picture.size.width, 1);
  double guest_y = (y - self->picture.origin.y) / MAX (self->picture.size.height, 1);

  if (ldisp_is_absolute (self))
    {
      lodge_console_pointer_position (self->console, (int) (CLAMP (guest_x, 0, 1) * 32767), (int) (CLAMP (guest_y, 0, 1) * 32767));
      ldisp_pull_fast (self);
    }
  else if (self->has_last)
    {
      double factor = self->texture != NULL ? gdk_texture_get_width (self->texture) / MAX (self->picture.size.width, 1) : 1;

      ldisp_send_motion (self, (x - self->last_x) * factor, (y - self->last_y) * factor);
      self->last_x = x;
      self->last_y = y;
    }
}

static gboolean
ldisp_button (LodgeDisplay *self, guint button, gboolean down, double x, double y)
{
  guint code;

  switch (button)
    {
    case GDK_BUTTON_PRIMARY:
      code = BTN_LEFT;
      break;
    case GDK_BUTTON_MIDDLE:
      code = BTN_MIDDLE;
      break;
    case GDK_BUTTON_SECONDARY:
      code = BTN_RIGHT;
      break;
    case 8:
      code = BTN_SIDE;
      break;
    case 9:
      code = BTN_EXTRA;
      break;
    default:
      return GDK_EVENT_PROPAGATE;
    }

  if (down && !(self->grabbed && (ldisp_is_absolute (self) || self->lock != NULL || self->has_last)))
    {
      gtk_widget_grab_focus (GTK_WIDGET (self));
      lodge_display_grab (self);
      ldisp_lock_pointer (self, x, y);
      /* A click that only takes the pointer is not the guest's: it would land wherever the guest's pointer happens to be. */
      if (!ldisp_is_absolute (self))
        return GDK_EVENT_STOP;
      ldisp_pointer_moved (self, x, y);
    }
  if (!down && !(self->buttons & (1u << (code - BTN_MOUSE))))
    return GDK_EVENT_STOP;

  if (down)
    self->buttons |= 1u << (code - BTN_MOUSE);
  else
    self->buttons &= ~(1u << (code - BTN_MOUSE));
  lodge_console_pointer_button (self->console, code, down);
  ldisp_pull_fast (self);
  return GDK_EVENT_STOP;
}

static gboolean
ldisp_scroll (LodgeDisplay *self, GdkEvent *event)
{
  double dx = 0, dy = 0;
  int notches;

  if (!self->grabbed)
    return GDK_EVENT_PROPAGATE;

  switch (gdk_scroll_event_get_direction (event))
    {
    case GDK_SCROLL_UP:
      dy = -1;
      break;
    case GDK_SCROLL_DOWN:
      dy = 1;
      break;
    case GDK_SCROLL_SMOOTH:
      gdk_scroll_event_get_deltas (event, &dx, &dy);
      if (gdk_scroll_event_get_unit (event) == GDK_SCROLL_UNIT_SURFACE)
        dy /= LDISP_SURFACE_UNITS_PER_NOTCH;
      break;
    case GDK_SCROLL_LEFT:
    case GDK_SCROLL_RIGHT:
    default:
      return GDK_EVENT_STOP;
    }

  self->rest_wheel += dy;
  notches = (int) self->rest_wheel;
  if (notches != 0)
    {
      self->rest_wheel -= notches;
      lodge_console_pointer_wheel (self->console, notches);
      ldisp_pull_fast (self);
    }
  return GDK_EVENT_STOP;
}

/* A finger on the picture goes to the guest's touch screen. */
static gboolean
ldisp_touch (LodgeDisplay *self, GdkEvent *event, double x, double y)
{
  GdkEventSequence *sequence = gdk_event_get_event_sequence (event);
  GdkEventType type = gdk_event_get_event_type (event);
  int guest_x = (int) (CLAMP ((x - self->picture.origin.x) / MAX (self->picture.size.width, 1), 0, 1) * 32767);
  int guest_y = (int) (CLAMP ((y - self->picture.origin.y) / MAX (self->picture.size.height, 1), 0, 1) * 32767);
  guint slot = 0;

  while (slot < LDISP_MAX_TOUCHES && self->touches[slot] != (type == GDK_TOUCH_BEGIN ? NULL : sequence))
    slot++;
  if (slot == LDISP_MAX_TOUCHES)
    return GDK_EVENT_PROPAGATE;
  switch ((int) type)
    {
    case GDK_TOUCH_BEGIN:
      if (!lodge_console_touch (self->console, slot, LODGE_TOUCH_DOWN, guest_x, guest_y))
        return GDK_EVENT_PROPAGATE;
      self->touches[slot] = sequence;
      if (!self->grabbed)
        lodge_display_grab (self);
      break;
    case GDK_TOUCH_UPDATE:
      lodge_console_touch (self->console, slot, LODGE_TOUCH_MOVE, guest_x, guest_y);
      break;
    default:
      lodge_console_touch (self->console, slot, LODGE_TOUCH_UP, guest_x, guest_y);
      self->touches[slot] = NULL;
      break;
    }
  ldisp_pull_fast (self);
  return GDK_EVENT_STOP;
}

/* Raw events, because the gestures follow one button at a time and guests have users who press two. */
static gboolean
on_event_cb (LodgeDisplay *self, GdkEvent *event, GtkEventController *controller)
{
  double x, y, native_x = 0, native_y = 0;
  GtkNative *native = gtk_widget_get_native (GTK_WIDGET (self));
  graphene_point_t point;

  if (!self->interactive || self->console == NULL)
    return GDK_EVENT_PROPAGATE;
  if (gdk_event_get_event_type (event) == GDK_SCROLL)
    return ldisp_scroll (self, event); /* the one that has no position */
  if (!gdk_event_get_position (event, &x, &y))
    return GDK_EVENT_PROPAGATE;

  gtk_native_get_surface_transform (native, &native_x, &native_y);
  if (!gtk_widget_compute_point (GTK_WIDGET (native), GTK_WIDGET (self), &GRAPHENE_POINT_INIT (x - native_x, y - native_y), &point))
    return GDK_EVENT_PROPAGATE;

  switch ((int) gdk_event_get_event_type (event))
    {
    case GDK_MOTION_NOTIFY:
      if (self->lock != NULL && ldisp_is_absolute (self))
        ldisp_unlock_pointer (self); /* the guest has learnt to take positions */
      if (self->lock == NULL)
        ldisp_pointer_moved (self, point.x, point.y);
      return GDK_EVENT_PROPAGATE; /* full screen looks for the edge */
    case GDK_BUTTON_PRESS:
    case GDK_BUTTON_RELEASE:
      return ldisp_button (self, gdk_button_event_get_button (event), gdk_event_get_event_type (event) == GDK_BUTTON_PRESS, point.x,
                           point.y);
    case GDK_TOUCH_BEGIN:
    case GDK_TOUCH_UPDATE:
    case GDK_TOUCH_END:
    case GDK_TOUCH_CANCEL:
      return ldisp_touch (self, event, point.x, point.y);
    default:
      return GDK_EVENT_PROPAGATE;
    }
}

/* --- Grab and focus --- */

static GdkToplevel *
ldisp_get_toplevel (LodgeDisplay *self)
{
  GtkNative *native = gtk_widget_get_native (GTK_WIDGET (self));
  GdkSurface *surface = native != NULL ? gtk_native_get_surface (native) : NULL;

  return surface != NULL && GDK_IS_TOPLEVEL (surface) ? GDK_TOPLEVEL (surface) : NULL;
}

void
lodge_display_grab (LodgeDisplay *self)
{
  GdkToplevel *toplevel;

  g_return_if_fail (LODGE_IS_DISPLAY (self));

  if (self->grabbed || !self->interactive || self->console == NULL)
    return;

  gtk_widget_grab_focus (GTK_WIDGET (self));
  if (self->window == NULL || !gtk_window_is_active (self->window))
    {
      /* The windowing system refuses what is asked for a window that has no focus: when it has. */
      self->regrab = TRUE;
      return;
    }
  toplevel = ldisp_get_toplevel (self);
  if (toplevel != NULL)
    gdk_toplevel_inhibit_system_shortcuts (toplevel, NULL);
  self->grabbed = TRUE;
  self->regrab = FALSE;
  gtk_widget_add_css_class (GTK_WIDGET (self), "grabbed");
  ldisp_update_cursor (self);
  g_object_notify_by_pspec (G_OBJECT (self), ldisp_props[PROP_GRABBED]);
}

void
lodge_display_release (LodgeDisplay *self)
{
  GdkToplevel *toplevel;

  g_return_if_fail (LODGE_IS_DISPLAY (self));

  self->regrab = FALSE;
  if (!self->grabbed)
    return;

  ldisp_release_held (self);
  self->grabbed = FALSE;
  ldisp_unlock_pointer (self);
  toplevel = ldisp_get_toplevel (self);
  if (toplevel != NULL)
    gdk_toplevel_restore_system_shortcuts (toplevel);
  gtk_widget_remove_css_class (GTK_WIDGET (self), "grabbed");
  g_object_notify_by_pspec (G_OBJECT (self), ldisp_props[PROP_GRABBED]);
}

static void
ldisp_lose_focus (gpointer data)
{
  LodgeDisplay *self = LODGE_DISPLAY (data);

  if (!self->grabbed)
    return;
  lodge_display_release (self);
  self->regrab = TRUE;
}

static void
on_window_active_cb (GtkWindow *window, GParamSpec *pspec, LodgeDisplay *self)
{
  if (gtk_window_is_active (window))
    {
      if (self->regrab && gtk_widget_has_focus (GTK_WIDGET (self)))
        lodge_display_grab (self);
    }
  else
    ldisp_lose_focus (self);
}

static void
on_focus_left_cb (LodgeDisplay *self, GtkEventControllerFocus *controller)
{
  /* Focus that goes with the window comes back with it; focus that goes to another widget does not. */
  if (self->window == NULL || gtk_window_is_active (self->window))
    lodge_display_release (self);
  else
    ldisp_release_held (self);
}

static void
on_window_suspended_cb (GtkWindow *window, GParamSpec *pspec, LodgeDisplay *self)
{
  ldisp_update_pulling (self);
}

static void
lodge_display_map (GtkWidget *widget)
{
  LodgeDisplay *self = LODGE_DISPLAY (widget);
  GtkRoot *root = gtk_widget_get_root (widget);

  GTK_WIDGET_CLASS (lodge_display_parent_class)->map (widget);
  if (GTK_IS_WINDOW (root))
    {
      self->window = GTK_WINDOW (root);
      self->focus_watch = lodge_focus_watch_new (widget, ldisp_lose_focus, self);
      /* On the window and before anybody else's: mnemonics, F10 and the application's shortcuts are looked for there on the way
       * down, before a key comes to the widget that has the focus. */
      self->keys = gtk_event_controller_key_new ();
      gtk_event_controller_set_propagation_phase (self->keys, GTK_PHASE_CAPTURE);
      g_signal_connect_object (self->keys, "key-pressed", G_CALLBACK (on_key_pressed_cb), self, G_CONNECT_SWAPPED);
      g_signal_connect_object (self->keys, "key-released", G_CALLBACK (on_key_released_cb), self, G_CONNECT_SWAPPED);
      gtk_widget_add_controller (GTK_WIDGET (root), self->keys);
      g_signal_connect_object (root, "notify::is-active", G_CALLBACK (on_window_active_cb), self, 0);
      g_signal_connect_object (root, "notify::suspended", G_CALLBACK (on_window_suspended_cb), self, 0);
    }
  ldisp_update_pulling (self);
  ldisp_queue_resize (self);
}

static void
lodge_display_unmap (GtkWidget *widget)
{
  LodgeDisplay *self = LODGE_DISPLAY (widget);

  g_clear_handle_id (&self->resize_id, g_source_remove);
  lodge_display_release (self);
  if (self->window != NULL)
    {
      g_signal_handlers_disconnect_by_data (self->window, self);
      gtk_widget_remove_controller (GTK_WIDGET (self->window), self->keys);
      self->keys = NULL;
      g_clear_pointer (&self->focus_watch, lodge_focus_watch_free);
      self->window = NULL;
    }
  GTK_WIDGET_CLASS (lodge_display_parent_class)->unmap (widget);
  ldisp_update_pulling (self);
}

static void
on_console_closed_cb (LodgeDisplay *self)
{
  self->closed = TRUE;
  lodge_display_release (self);
  ldisp_update_pulling (self);
}

/* --- Object --- */

static void
lodge_display_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  LodgeDisplay *self = LODGE_DISPLAY (object);

  switch (id)
    {
    case PROP_CONSOLE:
      g_value_set_object (value, self->console);
      break;
    case PROP_SCALING:
      g_value_set_enum (value, self->scaling);
      break;
    case PROP_FOLLOW:
      g_value_set_boolean (value, self->follow);
      break;
    case PROP_GRABBED:
      g_value_set_boolean (value, self->grabbed);
      break;
    case PROP_INTERACTIVE:
      g_value_set_boolean (value, self->interactive);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
lodge_display_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  LodgeDisplay *self = LODGE_DISPLAY (object);

  switch (id)
    {
    case PROP_CONSOLE:
      lodge_display_set_console (self, g_value_get_object (value));
      break;
    case PROP_SCALING:
      lodge_display_set_scaling (self, g_value_get_enum (value));
      break;
    case PROP_FOLLOW:
      lodge_display_set_follow (self, g_value_get_boolean (value));
      break;
    case PROP_INTERACTIVE:
      lodge_display_set_interactive (self, g_value_get_boolean (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
lodge_display_dispose (GObject *object)
{
  LodgeDisplay *self = LODGE_DISPLAY (object);

  lodge_display_set_console (self, NULL);
  G_OBJECT_CLASS (lodge_display_parent_class)->dispose (object);
}

static void
lodge_display_class_init (LodgeDisplayClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->get_property = lodge_display_get_property;
  object_class->set_property = lodge_display_set_property;
  object_class->dispose = lodge_display_dispose;
  widget_class->snapshot = lodge_display_snapshot;
  widget_class->measure = lodge_display_measure;
  widget_class->size_allocate = lodge_display_size_allocate;
  widget_class->map = lodge_display_map;
  widget_class->unmap = lodge_display_unmap;

  ldisp_props[PROP_CONSOLE] = g_param_spec_object ("console", NULL, NULL, LODGE_TYPE_CONSOLE,
                                                   G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY);
  ldisp_props[PROP_SCALING] = g_param_spec_enum ("scaling", NULL, NULL, LODGE_TYPE_SCALING, LODGE_SCALING_FIT,
                                                 G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY);
  ldisp_props[PROP_FOLLOW] = g_param_spec_boolean ("follow", NULL, NULL, FALSE,
                                                   G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY);
  ldisp_props[PROP_GRABBED] = g_param_spec_boolean ("grabbed", NULL, NULL, FALSE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  ldisp_props[PROP_INTERACTIVE] = g_param_spec_boolean ("interactive", NULL, NULL, TRUE,
                                                        G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY);
  g_object_class_install_properties (object_class, N_PROPS, ldisp_props);

  /* (width, height) in guest pixels */
  ldisp_signals[SIGNAL_PICTURE_RESIZED] = g_signal_new ("picture-resized", LODGE_TYPE_DISPLAY, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                                        NULL, G_TYPE_NONE, 2, G_TYPE_INT, G_TYPE_INT);

  gtk_widget_class_set_css_name (widget_class, "display");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_APPLICATION);
}

static void
lodge_display_init (LodgeDisplay *self)
{
  GtkEventController *controller;

  self->interactive = TRUE;
  gtk_widget_set_focusable (GTK_WIDGET (self), TRUE);
  gtk_widget_set_overflow (GTK_WIDGET (self), GTK_OVERFLOW_HIDDEN);

  controller = gtk_event_controller_focus_new ();
  g_signal_connect_swapped (controller, "leave", G_CALLBACK (on_focus_left_cb), self);
  gtk_widget_add_controller (GTK_WIDGET (self), controller);

  controller = gtk_event_controller_legacy_new ();
  g_signal_connect_swapped (controller, "event", G_CALLBACK (on_event_cb), self);
  gtk_widget_add_controller (GTK_WIDGET (self), controller);
}

GtkWidget *
lodge_display_new (void)
{
  return g_object_new (LODGE_TYPE_DISPLAY, NULL);
}

void
lodge_display_set_console (LodgeDisplay *self, LodgeConsole *console)
{
  g_return_if_fail (LODGE_IS_DISPLAY (self));
  g_return_if_fail (console == NULL || LODGE_IS_CONSOLE (console));

  if (self->console == console)
    return;

  lodge_display_release (self);
  if (self->console != NULL)
    g_signal_handlers_disconnect_by_data (self->console, self);
  g_clear_object (&self->console);
  self->closed = FALSE;
  ldisp_update_pulling (self);
  g_clear_object (&self->texture);
  g_clear_object (&self->cursor);
  g_clear_object (&self->host_cursor);
  lodge_cursor_clear (&self->cursor_facts);
  g_clear_handle_id (&self->resize_id, g_source_remove);

  if (console != NULL)
    {
      self->console = g_object_ref (console);
      lodge_console_start_over (console); /* it may have been shown elsewhere, or here before another */
      g_signal_connect_object (console, "closed", G_CALLBACK (on_console_closed_cb), self, G_CONNECT_SWAPPED);
    }
  ldisp_update_pulling (self);
  ldisp_queue_resize (self);
  gtk_widget_queue_resize (GTK_WIDGET (self));
  g_object_notify_by_pspec (G_OBJECT (self), ldisp_props[PROP_CONSOLE]);
}

LodgeConsole *
lodge_display_get_console (LodgeDisplay *self)
{
  g_return_val_if_fail (LODGE_IS_DISPLAY (self), NULL);
  return self->console;
}

void
lodge_display_set_scaling (LodgeDisplay *self, LodgeScaling scaling)
{
  g_return_if_fail (LODGE_IS_DISPLAY (self));

  if (self->scaling == scaling)
    return;
  self->scaling = scaling;
  ldisp_queue_resize (self);
  gtk_widget_queue_resize (GTK_WIDGET (self));
  g_object_notify_by_pspec (G_OBJECT (self), ldisp_props[PROP_SCALING]);
}

LodgeScaling
lodge_display_get_scaling (LodgeDisplay *self)
{
  g_return_val_if_fail (LODGE_IS_DISPLAY (self), LODGE_SCALING_FIT);
  return self->scaling;
}

void
lodge_display_set_follow (LodgeDisplay *self, gboolean follow)
{
  g_return_if_fail (LODGE_IS_DISPLAY (self));

  follow = !!follow;
  if (self->follow == follow)
    return;
  self->follow = follow;
  ldisp_queue_resize (self);
  gtk_widget_queue_draw (GTK_WIDGET (self));
  g_object_notify_by_pspec (G_OBJECT (self), ldisp_props[PROP_FOLLOW]);
}

gboolean
lodge_display_get_follow (LodgeDisplay *self)
{
  g_return_val_if_fail (LODGE_IS_DISPLAY (self), FALSE);
  return self->follow;
}

void
lodge_display_set_interactive (LodgeDisplay *self, gboolean interactive)
{
  g_return_if_fail (LODGE_IS_DISPLAY (self));

  interactive = !!interactive;
  if (self->interactive == interactive)
    return;
  if (!interactive)
    lodge_display_release (self);
  self->interactive = interactive;
  gtk_widget_set_focusable (GTK_WIDGET (self), interactive);
  g_object_notify_by_pspec (G_OBJECT (self), ldisp_props[PROP_INTERACTIVE]);
}

gboolean
lodge_display_get_grabbed (LodgeDisplay *self)
{
  g_return_val_if_fail (LODGE_IS_DISPLAY (self), FALSE);
  return self->grabbed;
}

gboolean
lodge_display_get_picture_size (LodgeDisplay *self, int *width, int *height)
{
  g_return_val_if_fail (LODGE_IS_DISPLAY (self), FALSE);

  if (self->texture == NULL)
    return FALSE;
  *width = gdk_texture_get_width (self->texture);
  *height = gdk_texture_get_height (self->texture);
  return TRUE;
}

GdkTexture *
lodge_display_dup_texture (LodgeDisplay *self)
{
  g_return_val_if_fail (LODGE_IS_DISPLAY (self), NULL);
  return self->texture != NULL ? g_object_ref (self->texture) : NULL;
}
