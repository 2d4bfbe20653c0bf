/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Preferences on a key file, $XDG_CONFIG_HOME/lodge/lodge.conf, group [ui]. */
#include "settings/lodge-settings.h"

#include <glib/gi18n.h>

#define LSET_GROUP "ui"

struct _LodgeSettings {
  GObject parent_instance;

  char *path;
  GFileMonitor *monitor;
  LodgeStyle style;
  LodgeReleaseKeys release_keys;
  LodgeClosePolicy close_policy;
  gboolean loading;
};

enum {
  PROP_0,
  PROP_STYLE,
  PROP_RELEASE_KEYS,
  PROP_CLOSE_POLICY,
  N_PROPS,
};

static GParamSpec *lset_props[N_PROPS];

G_DEFINE_FINAL_TYPE (LodgeSettings, lodge_settings, G_TYPE_OBJECT)

G_DEFINE_ENUM_TYPE (LodgeReleaseKeys, lodge_release_keys, G_DEFINE_ENUM_VALUE (LODGE_RELEASE_LEFT_CTRL_ALT, "left-ctrl-alt"),
                    G_DEFINE_ENUM_VALUE (LODGE_RELEASE_RIGHT_CTRL, "right-ctrl"),
                    G_DEFINE_ENUM_VALUE (LODGE_RELEASE_RIGHT_CTRL_ALT, "right-ctrl-alt"))

G_DEFINE_ENUM_TYPE (LodgeClosePolicy, lodge_close_policy, G_DEFINE_ENUM_VALUE (LODGE_CLOSE_ASK, "ask"),
                    G_DEFINE_ENUM_VALUE (LODGE_CLOSE_KEEP_RUNNING, "keep-running"),
                    G_DEFINE_ENUM_VALUE (LODGE_CLOSE_SHUT_DOWN, "shut-down"),
                    G_DEFINE_ENUM_VALUE (LODGE_CLOSE_TURN_OFF, "turn-off"))

G_DEFINE_ENUM_TYPE (LodgeStyle, lodge_style, G_DEFINE_ENUM_VALUE (LODGE_STYLE_SYSTEM, "system"),
                    G_DEFINE_ENUM_VALUE (LODGE_STYLE_LIGHT, "light"), G_DEFINE_ENUM_VALUE (LODGE_STYLE_DARK, "dark"))

static const char *
lset_enum_nick (GType type, int value)
{
  g_autoptr (GEnumClass) klass = g_type_class_ref (type);
  GEnumValue *entry = g_enum_get_value (klass, value);

  return entry != NULL ? entry->value_nick : klass->values[0].value_nick;
}

static int
lset_enum_value (GType type, const char *nick)
{
  g_autoptr (GEnumClass) klass = g_type_class_ref (type);
  GEnumValue *entry = nick != NULL ? g_enum_get_value_by_nick (klass, nick) : NULL;

  return entry != NULL ? entry->value : klass->values[0].value;
}

const char *
lodge_close_policy_to_nick (LodgeClosePolicy policy)
{
  return lset_enum_nick (LODGE_TYPE_CLOSE_POLICY, policy);
}

LodgeClosePolicy
lodge_close_policy_from_nick (const char *nick)
{
  return lset_enum_value (LODGE_TYPE_CLOSE_POLICY, nick);
}

const char *
lodge_release_keys_get_label (LodgeReleaseKeys keys)
{
  switch (keys)
    {
    case LODGE_RELEASE_RIGHT_CTRL:
      return _ ("Right Ctrl");
    case LODGE_RELEASE_RIGHT_CTRL_ALT:
      return _ ("Right Ctrl+Alt");
    case LODGE_RELEASE_LEFT_CTRL_ALT:
    default:
      return _ ("Left Ctrl+Alt");
    }
}

static void
lset_load (LodgeSettings *self)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();

  /* No file, or one that cannot be read, is the same as one that says nothing. */
  g_key_file_load_from_file (file, self->path, G_KEY_FILE_NONE, NULL);

  self->loading = TRUE;
  for (guint i = 1; i < N_PROPS; i++)
    {
      const char *name = g_param_spec_get_name (lset_props[i]);
      g_autofree char *nick = g_key_file_get_string (file, LSET_GROUP, name, NULL);
      g_auto (GValue) value = G_VALUE_INIT;

      g_value_init (&value, lset_props[i]->value_type);
      g_value_set_enum (&value, lset_enum_value (lset_props[i]->value_type, nick));
      g_object_set_property (G_OBJECT (self), name, &value);
    }
  self->loading = FALSE;
}

static void
lset_save (LodgeSettings *self)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *dir = g_path_get_dirname (self->path);

  g_key_file_load_from_file (file, self->path, G_KEY_FILE_KEEP_COMMENTS, NULL);
  g_key_file_set_string (file, LSET_GROUP, "style", lset_enum_nick (LODGE_TYPE_STYLE, self->style));
  g_key_file_set_string (file, LSET_GROUP, "release-keys", lset_enum_nick (LODGE_TYPE_RELEASE_KEYS, self->release_keys));
  g_key_file_set_string (file, LSET_GROUP, "close-policy", lset_enum_nick (LODGE_TYPE_CLOSE_POLICY, self->close_policy));

  if (g_mkdir_with_parents (dir, 0700) != 0 || !g_key_file_save_to_file (file, self->path, &error))
    g_warning ("The preferences could not be saved to %s: %s", self->path, error != NULL ? error->message : g_strerror (errno));
}

static void
on_file_changed_cb (GFileMonitor *monitor, GFile *file, GFile *other, GFileMonitorEvent event, gpointer data)
{
  if (event == G_FILE_MONITOR_EVENT_CHANGES_DONE_HINT || event == G_FILE_MONITOR_EVENT_CREATED
      || event == G_FILE_MONITOR_EVENT_RENAMED)
    lset_load (LODGE_SETTINGS (data));
}

static void
lodge_settings_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  LodgeSettings *self = LODGE_SETTINGS (object);

  switch (id)
    {
    case PROP_STYLE:
      g_value_set_enum (value, self->style);
      break;
    case PROP_RELEASE_KEYS:
      g_value_set_enum (value, self->release_keys);
      break;
    case PROP_CLOSE_POLICY:
      g_value_set_enum (value, self->close_policy);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
lodge_settings_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  LodgeSettings *self = LODGE_SETTINGS (object);
  int wanted = g_value_get_enum (value), present;

  switch (id)
    {
    case PROP_STYLE:
      present = self->style;
      self->style = wanted;
      break;
    case PROP_RELEASE_KEYS:
      present = self->release_keys;
      self->release_keys = wanted;
      break;
    case PROP_CLOSE_POLICY:
      present = self->close_policy;
      self->close_policy = wanted;
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      return;
    }

  if (present == wanted)
    return;
  g_object_notify_by_pspec (object, pspec);
  if (!self->loading)
    lset_save (self);
}

static void
lodge_settings_finalize (GObject *object)
{
  LodgeSettings *self = LODGE_SETTINGS (object);

  g_clear_object (&self->monitor);
  g_free (self->path);
  G_OBJECT_CLASS (lodge_settings_parent_class)->finalize (object);
}

static void
lodge_settings_class_init (LodgeSettingsClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = lodge_settings_get_property;
  object_class->set_property = lodge_settings_set_property;
  object_class->finalize = lodge_settings_finalize;

  lset_props[PROP_STYLE] = g_param_spec_enum ("style", NULL, NULL, LODGE_TYPE_STYLE, LODGE_STYLE_SYSTEM, flags);
  lset_props[PROP_RELEASE_KEYS] = g_param_spec_enum ("release-keys", NULL, NULL, LODGE_TYPE_RELEASE_KEYS,
                                                     LODGE_RELEASE_LEFT_CTRL_ALT, flags);
  lset_props[PROP_CLOSE_POLICY] = g_param_spec_enum ("close-policy", NULL, NULL, LODGE_TYPE_CLOSE_POLICY, LODGE_CLOSE_ASK, flags);
  g_object_class_install_properties (object_class, N_PROPS, lset_props);
}

static void
lodge_settings_init (LodgeSettings *self)
{
  g_autoptr (GFile) file = NULL;

  self->path = g_build_filename (g_get_user_config_dir (), "lodge", "lodge.conf", NULL);
  lset_load (self);

  file = g_file_new_for_path (self->path);
  self->monitor = g_file_monitor_file (file, G_FILE_MONITOR_WATCH_MOVES, NULL, NULL);
  if (self->monitor != NULL)
    g_signal_connect_object (self->monitor, "changed", G_CALLBACK (on_file_changed_cb), self, 0);
}

LodgeSettings *
lodge_settings_get_default (void)
{
  static LodgeSettings *settings;

  if (settings == NULL)
    settings = g_object_new (LODGE_TYPE_SETTINGS, NULL);
  return settings;
}

LodgeStyle
lodge_settings_get_style (LodgeSettings *self)
{
  return self->style;
}

LodgeReleaseKeys
lodge_settings_get_release_keys (LodgeSettings *self)
{
  return self->release_keys;
}

LodgeClosePolicy
lodge_settings_get_close_policy (LodgeSettings *self)
{
  return self->close_policy;
}
