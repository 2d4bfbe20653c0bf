/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One device of a machine: its description and what machine.conf says. */
#include "model/device.h"

#include <glib/gi18n.h>

struct _LodgeDevice {
  GObject parent_instance;
  char *id, *detail;
  const LodgeDeviceInfo *info;
  LodgeDeviceState state;
  GHashTable *values;  /* key -> text, as in machine.conf */
  GHashTable *running; /* (nullable): the same as it runs; NULL: off, or not there */
};

enum { PROP_0, PROP_TITLE, PROP_DETAIL, PROP_STATE, N_PROPS };
static GParamSpec *ldev_props[N_PROPS];

enum { SIGNAL_CHANGED, N_SIGNALS };
static guint ldev_signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (LodgeDevice, lodge_device, G_TYPE_OBJECT)

G_DEFINE_ENUM_TYPE (LodgeDeviceState, lodge_device_state, G_DEFINE_ENUM_VALUE (LODGE_DEVICE_SAME, "same"),
                    G_DEFINE_ENUM_VALUE (LODGE_DEVICE_CHANGED, "changed"), G_DEFINE_ENUM_VALUE (LODGE_DEVICE_ADDED, "added"))

const char *
lodge_device_get_id (LodgeDevice *self)
{
  return self->id;
}

const LodgeDeviceInfo *
lodge_device_get_info (LodgeDevice *self)
{
  return self->info;
}

const char *
lodge_device_get_title (LodgeDevice *self)
{
  return self->info->summary;
}

const char *
lodge_device_get_detail (LodgeDevice *self)
{
  return self->detail;
}

LodgeDeviceState
lodge_device_get_state (LodgeDevice *self)
{
  return self->state;
}

gboolean
lodge_device_is_removable (LodgeDevice *self)
{
  return self->info != lodge_device_catalog_get_machine () && self->info != lodge_device_catalog_get_kernel ();
}

static const char *
ldev_value_in (LodgeDevice *self, GHashTable *values, const char *key)
{
  const LodgeSettingInfo *setting = lodge_device_info_find (self->info, key);
  const char *value = g_hash_table_lookup (values, key);

  return value != NULL ? value : setting != NULL ? setting->fallback : NULL;
}

const char *
lodge_device_get_value (LodgeDevice *self, const char *key)
{
  return ldev_value_in (self, self->values, key);
}

gboolean
lodge_device_is_set (LodgeDevice *self, const char *key)
{
  return g_hash_table_contains (self->values, key);
}

gboolean
lodge_device_is_pending (LodgeDevice *self, const char *key)
{
  const LodgeSettingInfo *setting = lodge_device_info_find (self->info, key);

  return self->running != NULL && (setting == NULL || !setting->live)
         && g_strcmp0 (ldev_value_in (self, self->values, key), ldev_value_in (self, self->running, key)) != 0;
}

char **
lodge_device_dup_keys (LodgeDevice *self)
{
  g_autoptr (GStrvBuilder) keys = g_strv_builder_new ();

  if (g_hash_table_contains (self->values, "class"))
    g_strv_builder_add (keys, "class");
  for (guint i = 0; i < self->info->n_settings; i++)
    if (g_hash_table_contains (self->values, self->info->settings[i].key))
      g_strv_builder_add (keys, self->info->settings[i].key);
  return g_strv_builder_end (keys);
}

gboolean
lodge_device_can_boot (LodgeDevice *self)
{
  const LodgeSettingInfo *setting = lodge_device_info_find (self->info, "boot");

  return setting != NULL && setting->type == LODGE_SETTING_NUMBER && lodge_device_is_removable (self);
}

int
lodge_device_get_boot (LodgeDevice *self)
{
  const char *value = lodge_device_can_boot (self) ? lodge_device_get_value (self, "boot") : NULL;
  gint64 number;

  if (value == NULL || !g_ascii_string_to_signed (value, g_str_has_prefix (value, "0x") ? 16 : 10, -1, G_MAXINT, &number, NULL))
    return -1;
  return (int) number;
}

/* The file that the device stands on says more than its number. */
static char *
ldev_dup_detail (LodgeDevice *self)
{
  if (!lodge_device_is_removable (self))
    return g_strdup (lodge_device_get_value (self, "name"));
  for (guint i = 0; i < self->info->n_settings; i++)
    {
      const LodgeSettingInfo *setting = &self->info->settings[i];
      const char *value = g_hash_table_lookup (self->values, setting->key);

      if (setting->type == LODGE_SETTING_FILE && value != NULL && *value != '\0')
        {
          g_autofree char *name = g_filename_display_basename (value);

          /* Translators: a device's identifier in the settings file, then the file it uses. */
          return g_strdup_printf (_ ("%s · %s"), self->id, name);
        }
    }
  return g_strdup (self->id);
}

static GHashTable *
ldev_read (LodgeDevice *self, GKeyFile *file)
{
  g_auto (GStrv) keys = file != NULL ? g_key_file_get_keys (file, self->id, NULL, NULL) : NULL;
  GHashTable *values;

  if (keys == NULL)
    return NULL;
  values = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  for (guint i = 0; keys[i] != NULL; i++)
    {
      char *value = g_key_file_get_string (file, self->id, keys[i], NULL);

      if (value != NULL)
        g_hash_table_insert (values, g_strdup (keys[i]), value);
    }
  return values;
}

static gboolean
ldev_is_same (GHashTable *a, GHashTable *b)
{
  GHashTableIter iter;
  gpointer key, value;

  if (a == NULL || b == NULL)
    return a == b;
  if (g_hash_table_size (a) != g_hash_table_size (b))
    return FALSE;
  g_hash_table_iter_init (&iter, a);
  while (g_hash_table_iter_next (&iter, &key, &value))
    if (g_strcmp0 (g_hash_table_lookup (b, key), value) != 0)
      return FALSE;
  return TRUE;
}

void
_lodge_device_update (LodgeDevice *self, GKeyFile *settings, GKeyFile *running)
{
  GHashTable *values = ldev_read (self, settings), *now = ldev_read (self, running);
  gboolean changed;
  LodgeDeviceState state = LODGE_DEVICE_SAME;
  g_autofree char *detail = NULL;

  if (values == NULL)
    values = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  changed = self->values == NULL || !ldev_is_same (values, self->values) || !ldev_is_same (now, self->running);
  g_clear_pointer (&self->values, g_hash_table_unref);
  g_clear_pointer (&self->running, g_hash_table_unref);
  self->values = values;
  self->running = now;
  if (running != NULL && now == NULL)
    state = LODGE_DEVICE_ADDED;
  else if (now != NULL && g_strcmp0 (g_hash_table_lookup (now, "class"), g_hash_table_lookup (values, "class")) != 0)
    state = LODGE_DEVICE_ADDED;
  else
    for (guint i = 0; i < self->info->n_settings; i++)
      if (lodge_device_is_pending (self, self->info->settings[i].key))
        state = LODGE_DEVICE_CHANGED;

  detail = ldev_dup_detail (self);
  if (g_set_str (&self->detail, detail))
    g_object_notify_by_pspec (G_OBJECT (self), ldev_props[PROP_DETAIL]);
  if (self->state != state)
    {
      self->state = state;
      g_object_notify_by_pspec (G_OBJECT (self), ldev_props[PROP_STATE]);
      changed = TRUE;
    }
  if (changed)
    g_signal_emit (self, ldev_signals[SIGNAL_CHANGED], 0);
}

LodgeDevice *
_lodge_device_new (const char *id, const LodgeDeviceInfo *info)
{
  LodgeDevice *self = g_object_new (LODGE_TYPE_DEVICE, NULL);

  self->id = g_strdup (id);
  self->info = info;
  return self;
}

static void
ldev_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  LodgeDevice *self = LODGE_DEVICE (object);

  switch (id)
    {
    case PROP_TITLE:
      g_value_set_string (value, self->info->summary);
      break;
    case PROP_DETAIL:
      g_value_set_string (value, self->detail);
      break;
    case PROP_STATE:
      g_value_set_enum (value, (int) self->state);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
ldev_finalize (GObject *object)
{
  LodgeDevice *self = LODGE_DEVICE (object);

  g_free (self->id);
  g_free (self->detail);
  g_clear_pointer (&self->values, g_hash_table_unref);
  g_clear_pointer (&self->running, g_hash_table_unref);
  G_OBJECT_CLASS (lodge_device_parent_class)->finalize (object);
}

static void
lodge_device_class_init (LodgeDeviceClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = ldev_get_property;
  object_class->finalize = ldev_finalize;
  ldev_props[PROP_TITLE] = g_param_spec_string ("title", NULL, NULL, NULL, flags);
  ldev_props[PROP_DETAIL] = g_param_spec_string ("detail", NULL, NULL, NULL, flags);
  ldev_props[PROP_STATE] = g_param_spec_enum ("state", NULL, NULL, LODGE_TYPE_DEVICE_STATE, LODGE_DEVICE_SAME, flags);
  g_object_class_install_properties (object_class, N_PROPS, ldev_props);
  ldev_signals[SIGNAL_CHANGED] = g_signal_new ("changed", LODGE_TYPE_DEVICE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE,
                                               0);
}

static void
lodge_device_init (LodgeDevice *self)
{
}
