/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/lodge-thumbnail.h"

#include "widgets/lodge-texture.h"

#define LTHUMB_RATIO (10.0 / 16.0)

struct _LodgeThumbnail {
  GtkWidget parent_instance;

  LodgeMachine *machine;
  GtkWidget *icon;
  GdkTexture *texture; /* NULL: there is no picture worth showing */
  GtkWindow *window;
  gboolean watching;
  int width; /* fixed, or -1 */
};

enum {
  PROP_0,
  PROP_MACHINE,
  PROP_ICON_SIZE,
  PROP_WIDTH,
  N_PROPS,
};

static GParamSpec *lthumb_props[N_PROPS];

G_DEFINE_FINAL_TYPE (LodgeThumbnail, lodge_thumbnail, GTK_TYPE_WIDGET)

static void
lthumb_update_watching (LodgeThumbnail *self)
{
  gboolean wanted = self->machine != NULL && gtk_widget_get_mapped (GTK_WIDGET (self))
                    && !(self->window != NULL && gtk_window_is_suspended (self->window));

  if (wanted == self->watching)
    return;
  self->watching = wanted;
  lodge_machine_watch_thumbnail (self->machine, wanted);
}

static void
lthumb_update (LodgeThumbnail *self)
{
  LodgePicture *picture = NULL;
  LodgeMachineState state = LODGE_MACHINE_STATE_OFF;

  if (self->machine != NULL)
    {
      state = lodge_machine_get_state (self->machine);
      if (lodge_machine_is_on (self->machine))
        picture = lodge_machine_get_thumbnail (self->machine);
    }

  g_clear_object (&self->texture);
  if (picture != NULL)
    self->texture = lodge_texture_new_for_picture (picture);
  gtk_widget_set_visible (self->icon, self->texture == NULL);
  if (self->texture != NULL)
    gtk_widget_add_css_class (GTK_WIDGET (self), "picture");
  else
    gtk_widget_remove_css_class (GTK_WIDGET (self), "picture");
  gtk_image_set_from_icon_name (GTK_IMAGE (self->icon), state == LODGE_MACHINE_STATE_FAILED || state == LODGE_MACHINE_STATE_BROKEN
                                                            ? "dialog-warning-symbolic"
                                                            : "computer-symbolic");
  if (state == LODGE_MACHINE_STATE_PAUSED || state == LODGE_MACHINE_STATE_FAILED)
    gtk_widget_add_css_class (GTK_WIDGET (self), "still");
  else
    gtk_widget_remove_css_class (GTK_WIDGET (self), "still");
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

static void
lodge_thumbnail_measure (GtkWidget *widget, GtkOrientation orientation, int for_size, int *minimum, int *natural,
                         int *minimum_baseline, int *natural_baseline)
{
  LodgeThumbnail *self = LODGE_THUMBNAIL (widget);
  int width = self->width > 0 ? self->width : 0;

  if (orientation == GTK_ORIENTATION_HORIZONTAL)
    *minimum = *natural = width;
  else if (width > 0)
    *minimum = *natural = (int) (width * LTHUMB_RATIO);
  else
    {
      *minimum = 0;
      *natural = for_size > 0 ? (int) (for_size * LTHUMB_RATIO) : 0;
      *minimum = *natural;
    }
}

static void
lodge_thumbnail_size_allocate (GtkWidget *widget, int width, int height, int baseline)
{
  gtk_widget_allocate (LODGE_THUMBNAIL (widget)->icon, width, height, -1, NULL);
}

static GtkSizeRequestMode
lodge_thumbnail_get_request_mode (GtkWidget *widget)
{
  return GTK_SIZE_REQUEST_HEIGHT_FOR_WIDTH;
}

static void
lodge_thumbnail_snapshot (GtkWidget *widget, GtkSnapshot *snapshot)
{
  LodgeThumbnail *self = LODGE_THUMBNAIL (widget);
  double width = gtk_widget_get_width (widget), height = gtk_widget_get_height (widget);

  if (self->texture != NULL)
    {
      double factor = MIN (width / gdk_texture_get_width (self->texture), height / gdk_texture_get_height (self->texture));
      double picture_width = gdk_texture_get_width (self->texture) * factor,
             picture_height = gdk_texture_get_height (self->texture) * factor;

      gtk_snapshot_append_scaled_texture (snapshot, self->texture,
                                          factor < 1 ? GSK_SCALING_FILTER_TRILINEAR : GSK_SCALING_FILTER_LINEAR,
                                          &GRAPHENE_RECT_INIT ((width - picture_width) / 2, (height - picture_height) / 2,
                                                               picture_width, picture_height));
    }
  GTK_WIDGET_CLASS (lodge_thumbnail_parent_class)->snapshot (widget, snapshot);
}

static void
on_window_suspended_cb (LodgeThumbnail *self)
{
  lthumb_update_watching (self);
}

static void
lodge_thumbnail_map (GtkWidget *widget)
{
  LodgeThumbnail *self = LODGE_THUMBNAIL (widget);
  GtkRoot *root = gtk_widget_get_root (widget);

  GTK_WIDGET_CLASS (lodge_thumbnail_parent_class)->map (widget);
  if (GTK_IS_WINDOW (root))
    {
      self->window = GTK_WINDOW (root);
      g_signal_connect_object (root, "notify::suspended", G_CALLBACK (on_window_suspended_cb), self, G_CONNECT_SWAPPED);
    }
  lthumb_update_watching (self);
}

static void
lodge_thumbnail_unmap (GtkWidget *widget)
{
  LodgeThumbnail *self = LODGE_THUMBNAIL (widget);

  if (self->window != NULL)
    g_signal_handlers_disconnect_by_data (self->window, self);
  self->window = NULL;
  GTK_WIDGET_CLASS (lodge_thumbnail_parent_class)->unmap (widget);
  lthumb_update_watching (self);
}

void
lodge_thumbnail_set_machine (LodgeThumbnail *self, LodgeMachine *machine)
{
  g_return_if_fail (LODGE_IS_THUMBNAIL (self));

  if (self->machine == machine)
    return;

  if (self->machine != NULL)
    {
      g_signal_handlers_disconnect_by_data (self->machine, self);
      if (self->watching)
        lodge_machine_watch_thumbnail (self->machine, FALSE);
      self->watching = FALSE;
    }
  g_set_object (&self->machine, machine);
  if (machine != NULL)
    {
      g_signal_connect_object (machine, "notify::thumbnail", G_CALLBACK (lthumb_update), self, G_CONNECT_SWAPPED);
      g_signal_connect_object (machine, "notify::state", G_CALLBACK (lthumb_update), self, G_CONNECT_SWAPPED);
    }
  lthumb_update_watching (self);
  lthumb_update (self);
  g_object_notify_by_pspec (G_OBJECT (self), lthumb_props[PROP_MACHINE]);
}

static void
lodge_thumbnail_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  LodgeThumbnail *self = LODGE_THUMBNAIL (object);

  switch (id)
    {
    case PROP_MACHINE:
      g_value_set_object (value, self->machine);
      break;
    case PROP_ICON_SIZE:
      g_value_set_int (value, gtk_image_get_pixel_size (GTK_IMAGE (self->icon)));
      break;
    case PROP_WIDTH:
      g_value_set_int (value, self->width);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
lodge_thumbnail_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  LodgeThumbnail *self = LODGE_THUMBNAIL (object);

  switch (id)
    {
    case PROP_MACHINE:
      lodge_thumbnail_set_machine (self, g_value_get_object (value));
      break;
    case PROP_ICON_SIZE:
      gtk_image_set_pixel_size (GTK_IMAGE (self->icon), g_value_get_int (value));
      break;
    case PROP_WIDTH:
      self->width = g_value_get_int (value);
      gtk_widget_queue_resize (GTK_WIDGET (self));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
lodge_thumbnail_dispose (GObject *object)
{
  LodgeThumbnail *self = LODGE_THUMBNAIL (object);

  lodge_thumbnail_set_machine (self, NULL);
  g_clear_object (&self->texture);
  g_clear_pointer (&self->icon, gtk_widget_unparent);
  G_OBJECT_CLASS (lodge_thumbnail_parent_class)->dispose (object);
}

static void
lodge_thumbnail_class_init (LodgeThumbnailClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->get_property = lodge_thumbnail_get_property;
  object_class->set_property = lodge_thumbnail_set_property;
  object_class->dispose = lodge_thumbnail_dispose;
  widget_class->measure = lodge_thumbnail_measure;
  widget_class->size_allocate = lodge_thumbnail_size_allocate;
  widget_class->get_request_mode = lodge_thumbnail_get_request_mode;
  widget_class->snapshot = lodge_thumbnail_snapshot;
  widget_class->map = lodge_thumbnail_map;
  widget_class->unmap = lodge_thumbnail_unmap;

  lthumb_props[PROP_MACHINE] = g_param_spec_object ("machine", NULL, NULL, LODGE_TYPE_MACHINE,
                                                    G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY);
  lthumb_props[PROP_ICON_SIZE] = g_param_spec_int ("icon-size", NULL, NULL, -1, 1024, 16,
                                                   G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS);
  lthumb_props[PROP_WIDTH] = g_param_spec_int ("width", NULL, NULL, -1, 4096, -1, G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, lthumb_props);

  gtk_widget_class_set_css_name (widget_class, "thumbnail");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_IMG);
}

static void
lodge_thumbnail_init (LodgeThumbnail *self)
{
  self->width = -1;
  self->icon = gtk_image_new ();
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->icon), GTK_ACCESSIBLE_PROPERTY_LABEL, "", -1);
  gtk_widget_set_parent (self->icon, GTK_WIDGET (self));
  gtk_widget_set_overflow (GTK_WIDGET (self), GTK_OVERFLOW_HIDDEN);
}
