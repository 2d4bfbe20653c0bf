/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Long work that shows how far it is and can be cancelled. */
#include "model/operation.h"

#include <glib/gi18n.h>

#define LOPN_NOTIFY_INTERVAL_US (100 * 1000)

struct _LodgeOperation {
  GObject parent_instance;
  GCancellable *cancellable;

  GMutex lock; /* over all below */
  char *title;
  guint64 done_bytes, total_bytes, rate;
  gint64 step_started_us, told_us;
  guint notify_id;

  /* What the main thread shows: a copy, so that getters may lend strings. */
  char *shown_title;
};

enum { PROP_0, PROP_TITLE, PROP_FRACTION, PROP_DONE_BYTES, PROP_TOTAL_BYTES, PROP_RATE, PROP_CANCELLABLE, N_PROPS };
static GParamSpec *lopn_props[N_PROPS];

G_DEFINE_FINAL_TYPE (LodgeOperation, lodge_operation, G_TYPE_OBJECT)

static gboolean
lopn_tell_cb (gpointer data)
{
  LodgeOperation *self = data;

  g_mutex_lock (&self->lock);
  self->notify_id = 0;
  self->told_us = g_get_monotonic_time ();
  g_set_str (&self->shown_title, self->title);
  g_mutex_unlock (&self->lock);

  g_object_freeze_notify (G_OBJECT (self));
  for (guint i = PROP_TITLE; i <= PROP_RATE; i++)
    g_object_notify_by_pspec (G_OBJECT (self), lopn_props[i]);
  g_object_thaw_notify (G_OBJECT (self));
  return G_SOURCE_REMOVE;
}

/* With the lock held. */
static void
lopn_queue_tell (LodgeOperation *self, gboolean at_once)
{
  gint64 wait_us = at_once ? 0 : self->told_us + LOPN_NOTIFY_INTERVAL_US - g_get_monotonic_time ();

  if (self->notify_id != 0)
    return;
  self->notify_id = g_timeout_add_full (G_PRIORITY_DEFAULT, wait_us > 0 ? (guint) (wait_us / 1000) : 0, lopn_tell_cb,
                                        g_object_ref (self), g_object_unref);
}

void
lodge_operation_begin_step (LodgeOperation *self, const char *title, guint64 total_bytes)
{
  g_mutex_lock (&self->lock);
  g_set_str (&self->title, title);
  self->done_bytes = 0;
  self->total_bytes = total_bytes;
  self->rate = 0;
  self->step_started_us = g_get_monotonic_time ();
  lopn_queue_tell (self, TRUE);
  g_mutex_unlock (&self->lock);
}

void
lodge_operation_report (LodgeOperation *self, guint64 done_bytes)
{
  gint64 elapsed_us;

  g_mutex_lock (&self->lock);
  self->done_bytes = done_bytes;
  elapsed_us = g_get_monotonic_time () - self->step_started_us;
  if (elapsed_us > 200 * 1000)
    self->rate = (guint64) ((double) done_bytes * G_USEC_PER_SEC / (double) elapsed_us);
  lopn_queue_tell (self, FALSE);
  g_mutex_unlock (&self->lock);
}

const char *
lodge_operation_get_title (LodgeOperation *self)
{
  return self->shown_title;
}

double
lodge_operation_get_fraction (LodgeOperation *self)
{
  double fraction;

  g_mutex_lock (&self->lock);
  fraction = self->total_bytes == 0 ? -1.0 : CLAMP ((double) self->done_bytes / (double) self->total_bytes, 0.0, 1.0);
  g_mutex_unlock (&self->lock);
  return fraction;
}

static guint64
lopn_get (LodgeOperation *self, const guint64 *number)
{
  guint64 value;

  g_mutex_lock (&self->lock);
  value = *number;
  g_mutex_unlock (&self->lock);
  return value;
}

guint64
lodge_operation_get_done_bytes (LodgeOperation *self)
{
  return lopn_get (self, &self->done_bytes);
}

guint64
lodge_operation_get_total_bytes (LodgeOperation *self)
{
  return lopn_get (self, &self->total_bytes);
}

guint64
lodge_operation_get_rate (LodgeOperation *self)
{
  return lopn_get (self, &self->rate);
}

GCancellable *
lodge_operation_get_cancellable (LodgeOperation *self)
{
  return self->cancellable;
}

void
lodge_operation_cancel (LodgeOperation *self)
{
  g_cancellable_cancel (self->cancellable);
}

char *
lodge_operation_dup_detail (LodgeOperation *self)
{
  guint64 done = lodge_operation_get_done_bytes (self);
  guint64 total = lodge_operation_get_total_bytes (self);
  guint64 rate = lodge_operation_get_rate (self);
  g_autofree char *done_text = g_format_size (done);
  g_autofree char *total_text = g_format_size (total);
  g_autofree char *rate_text = g_format_size (rate);

  if (total == 0)
    return g_strdup ("");
  if (rate == 0)
    /* Translators: amounts of data, like "1.2 GB of 4.0 GB" */
    return g_strdup_printf (_ ("%s of %s"), done_text, total_text);
  /* Translators: amounts of data, like "1.2 GB of 4.0 GB, 210 MB/s" */
  return g_strdup_printf (_ ("%s of %s, %s/s"), done_text, total_text, rate_text);
}

LodgeOperation *
lodge_operation_new (void)
{
  return g_object_new (LODGE_TYPE_OPERATION, NULL);
}

static void
lopn_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  LodgeOperation *self = LODGE_OPERATION (object);

  switch (id)
    {
    case PROP_TITLE:
      g_value_set_string (value, self->shown_title);
      break;
    case PROP_FRACTION:
      g_value_set_double (value, lodge_operation_get_fraction (self));
      break;
    case PROP_DONE_BYTES:
      g_value_set_uint64 (value, lodge_operation_get_done_bytes (self));
      break;
    case PROP_TOTAL_BYTES:
      g_value_set_uint64 (value, lodge_operation_get_total_bytes (self));
      break;
    case PROP_RATE:
      g_value_set_uint64 (value, lodge_operation_get_rate (self));
      break;
    case PROP_CANCELLABLE:
      g_value_set_object (value, self->cancellable);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
lopn_finalize (GObject *object)
{
  LodgeOperation *self = LODGE_OPERATION (object);

  g_object_unref (self->cancellable);
  g_free (self->title);
  g_free (self->shown_title);
  g_mutex_clear (&self->lock);
  G_OBJECT_CLASS (lodge_operation_parent_class)->finalize (object);
}

static void
lodge_operation_class_init (LodgeOperationClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = lopn_get_property;
  object_class->finalize = lopn_finalize;
  lopn_props[PROP_TITLE] = g_param_spec_string ("title", NULL, NULL, NULL, flags);
  lopn_props[PROP_FRACTION] = g_param_spec_double ("fraction", NULL, NULL, -1, 1, -1, flags);
  lopn_props[PROP_DONE_BYTES] = g_param_spec_uint64 ("done-bytes", NULL, NULL, 0, G_MAXUINT64, 0, flags);
  lopn_props[PROP_TOTAL_BYTES] = g_param_spec_uint64 ("total-bytes", NULL, NULL, 0, G_MAXUINT64, 0, flags);
  lopn_props[PROP_RATE] = g_param_spec_uint64 ("rate", NULL, NULL, 0, G_MAXUINT64, 0, flags);
  lopn_props[PROP_CANCELLABLE] = g_param_spec_object ("cancellable", NULL, NULL, G_TYPE_CANCELLABLE, flags);
  g_object_class_install_properties (object_class, N_PROPS, lopn_props);
}

static void
lodge_operation_init (LodgeOperation *self)
{
  g_mutex_init (&self->lock);
  self->cancellable = g_cancellable_new ();
}
