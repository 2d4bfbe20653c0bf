/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A machine, whatever runs it: properties, which verb makes sense when, and the async frame around the subclasses' work. */
#include "model/machine-private.h"

#include "model/keys.h"

#include <glib/gi18n.h>

typedef struct {
  char *name, *uuid, *path, *os_id, *message, *medium, *settings, *running_settings;
  LodgeMachineState state;
  LodgeReason reason;
  LodgeCapabilities capabilities;
  guint memory_mib, cpus, n_busy, n_watchers;
  gint64 started_at; /* seconds since 1970 */
  gboolean has_window;
  LodgePicture *thumbnail;
  LodgeConsole *console;
  GListStore *consoles; /* LodgeConsole */
} LodgeMachinePrivate;

enum {
  PROP_0,
  PROP_NAME,
  PROP_UUID,
  PROP_PATH,
  PROP_OS_ID,
  PROP_STATE,
  PROP_REASON,
  PROP_MESSAGE,
  PROP_BUSY,
  PROP_CAPABILITIES,
  PROP_MEMORY_MIB,
  PROP_CPUS,
  PROP_MEDIUM,
  PROP_STARTED_AT,
  PROP_HAS_WINDOW,
  PROP_THUMBNAIL,
  PROP_CONSOLE,
  PROP_SETTINGS,
  PROP_RUNNING_SETTINGS,
  N_PROPS
};
static GParamSpec *lmac_props[N_PROPS];

enum { SIGNAL_WAS_RESET, N_SIGNALS };
static guint lmac_signals[N_SIGNALS];

G_DEFINE_ABSTRACT_TYPE_WITH_PRIVATE (LodgeMachine, lodge_machine, G_TYPE_OBJECT)
#define LMAC_PRIV(self) ((LodgeMachinePrivate *) lodge_machine_get_instance_private (self))

G_DEFINE_ENUM_TYPE (LodgeMachineState, lodge_machine_state, G_DEFINE_ENUM_VALUE (LODGE_MACHINE_STATE_OFF, "off"),
                    G_DEFINE_ENUM_VALUE (LODGE_MACHINE_STATE_STARTING, "starting"),
                    G_DEFINE_ENUM_VALUE (LODGE_MACHINE_STATE_RUNNING, "running"),
                    G_DEFINE_ENUM_VALUE (LODGE_MACHINE_STATE_PAUSED, "paused"),
                    G_DEFINE_ENUM_VALUE (LODGE_MACHINE_STATE_FAILED, "failed"),
                    G_DEFINE_ENUM_VALUE (LODGE_MACHINE_STATE_BROKEN, "broken"))

G_DEFINE_ENUM_TYPE (LodgeReason, lodge_reason, G_DEFINE_ENUM_VALUE (LODGE_REASON_NONE, "none"),
                    G_DEFINE_ENUM_VALUE (LODGE_REASON_REQUEST, "request"), G_DEFINE_ENUM_VALUE (LODGE_REASON_GUEST, "guest"),
                    G_DEFINE_ENUM_VALUE (LODGE_REASON_NO_SPACE, "no-space"),
                    G_DEFINE_ENUM_VALUE (LODGE_REASON_IO_ERROR, "io-error"), G_DEFINE_ENUM_VALUE (LODGE_REASON_FAULT, "fault"),
                    G_DEFINE_ENUM_VALUE (LODGE_REASON_LOST, "lost"))

G_DEFINE_ENUM_TYPE (LodgeVerb, lodge_verb, G_DEFINE_ENUM_VALUE (LODGE_VERB_START, "start"),
                    G_DEFINE_ENUM_VALUE (LODGE_VERB_START_HEADLESS, "start-headless"),
                    G_DEFINE_ENUM_VALUE (LODGE_VERB_PAUSE, "pause"), G_DEFINE_ENUM_VALUE (LODGE_VERB_RESUME, "resume"),
                    G_DEFINE_ENUM_VALUE (LODGE_VERB_SHUT_DOWN, "shut-down"), G_DEFINE_ENUM_VALUE (LODGE_VERB_RESET, "reset"),
                    G_DEFINE_ENUM_VALUE (LODGE_VERB_FORCE_OFF, "force-off"),
                    G_DEFINE_ENUM_VALUE (LODGE_VERB_SHOW_WINDOW, "show-window"))

G_DEFINE_FLAGS_TYPE (LodgeCapabilities, lodge_capabilities, G_DEFINE_ENUM_VALUE (LODGE_CAPABILITY_MEDIUM, "medium"),
                     G_DEFINE_ENUM_VALUE (LODGE_CAPABILITY_SCREENSHOT, "screenshot"),
                     G_DEFINE_ENUM_VALUE (LODGE_CAPABILITY_KEYBOARD, "keyboard"),
                     G_DEFINE_ENUM_VALUE (LODGE_CAPABILITY_SERIAL, "serial"),
                     G_DEFINE_ENUM_VALUE (LODGE_CAPABILITY_DELETE, "delete"))

/* The states in which each verb makes sense, and whether it may come while another is under way. */
#define LMAC_IN(state) (1u << LODGE_MACHINE_STATE_##state)
static const struct {
  guint states;
  gboolean while_busy;
} lmac_verbs[LODGE_N_VERBS] = {
  [LODGE_VERB_START] = { LMAC_IN (OFF), FALSE },
  [LODGE_VERB_START_HEADLESS] = { LMAC_IN (OFF), FALSE },
  [LODGE_VERB_PAUSE] = { LMAC_IN (RUNNING), FALSE },
  [LODGE_VERB_RESUME] = { LMAC_IN (PAUSED), FALSE },
  [LODGE_VERB_SHUT_DOWN] = { LMAC_IN (RUNNING), TRUE },
  [LODGE_VERB_RESET] = { LMAC_IN (RUNNING) | LMAC_IN (PAUSED) | LMAC_IN (FAILED), FALSE },
  [LODGE_VERB_FORCE_OFF] = { LMAC_IN (STARTING) | LMAC_IN (RUNNING) | LMAC_IN (PAUSED) | LMAC_IN (FAILED), TRUE },
  [LODGE_VERB_SHOW_WINDOW] = { LMAC_IN (RUNNING) | LMAC_IN (PAUSED) | LMAC_IN (FAILED), TRUE },
};

static void
lmac_notify (LodgeMachine *self, guint prop)
{
  g_object_notify_by_pspec (G_OBJECT (self), lmac_props[prop]);
}

#define LMAC_GETTER(type, field)                      \
  type lodge_machine_get_##field (LodgeMachine *self) \
  {                                                   \
    return LMAC_PRIV (self)->field;                   \
  }
#define LMAC_STRING(field, PROP)                                          \
  LMAC_GETTER (const char *, field)                                       \
  void _lodge_machine_set_##field (LodgeMachine *self, const char *value) \
  {                                                                       \
    if (g_set_str (&LMAC_PRIV (self)->field, value))                      \
      lmac_notify (self, PROP);                                           \
  }
#define LMAC_PLAIN(type, field, PROP)                              \
  LMAC_GETTER (type, field)                                        \
  void _lodge_machine_set_##field (LodgeMachine *self, type value) \
  {                                                                \
    if (LMAC_PRIV (self)->field == value)                          \
      return;                                                      \
    LMAC_PRIV (self)->field = value;                               \
    lmac_notify (self, PROP);                                      \
  }

LMAC_STRING (name, PROP_NAME)
LMAC_STRING (uuid, PROP_UUID)
LMAC_STRING (path, PROP_PATH)
LMAC_STRING (os_id, PROP_OS_ID)
LMAC_STRING (medium, PROP_MEDIUM)
LMAC_STRING (settings, PROP_SETTINGS)
LMAC_STRING (running_settings, PROP_RUNNING_SETTINGS)
LMAC_PLAIN (LodgeCapabilities, capabilities, PROP_CAPABILITIES)
LMAC_PLAIN (guint, memory_mib, PROP_MEMORY_MIB)
LMAC_PLAIN (guint, cpus, PROP_CPUS)
LMAC_PLAIN (gint64, started_at, PROP_STARTED_AT)
LMAC_PLAIN (gboolean, has_window, PROP_HAS_WINDOW)
LMAC_GETTER (LodgeMachineState, state)
LMAC_GETTER (LodgeReason, reason)
LMAC_GETTER (const char *, message)
LMAC_GETTER (LodgePicture *, thumbnail)
LMAC_GETTER (LodgeConsole *, console)

gboolean
lodge_machine_get_busy (LodgeMachine *self)
{
  return LMAC_PRIV (self)->n_busy > 0;
}

void
_lodge_machine_set_state (LodgeMachine *self, LodgeMachineState state, LodgeReason reason, const char *message)
{
  LodgeMachinePrivate *priv = LMAC_PRIV (self);

  g_object_freeze_notify (G_OBJECT (self));
  if (g_set_str (&priv->message, message))
    lmac_notify (self, PROP_MESSAGE);
  if (priv->reason != reason)
    {
      priv->reason = reason;
      lmac_notify (self, PROP_REASON);
    }
  if (priv->state != state)
    {
      priv->state = state;
      lmac_notify (self, PROP_STATE);
    }
  g_object_thaw_notify (G_OBJECT (self));
}

void
_lodge_machine_set_thumbnail (LodgeMachine *self, LodgePicture *thumbnail)
{
  LodgeMachinePrivate *priv = LMAC_PRIV (self);

  if (priv->thumbnail == thumbnail)
    return;
  g_clear_pointer (&priv->thumbnail, lodge_picture_unref);
  priv->thumbnail = thumbnail != NULL ? lodge_picture_ref (thumbnail) : NULL;
  lmac_notify (self, PROP_THUMBNAIL);
}

void
_lodge_machine_set_console (LodgeMachine *self, LodgeConsole *console)
{
  LodgeMachinePrivate *priv = LMAC_PRIV (self);

  if (!g_set_object (&priv->console, console))
    return;
  g_list_store_splice (priv->consoles, 0, g_list_model_get_n_items (G_LIST_MODEL (priv->consoles)), (gpointer *) &console,
                       console != NULL);
  lmac_notify (self, PROP_CONSOLE);
}

void
_lodge_machine_add_console (LodgeMachine *self, LodgeConsole *console)
{
  g_list_store_append (LMAC_PRIV (self)->consoles, console);
}

GListModel *
lodge_machine_get_consoles (LodgeMachine *self)
{
  return G_LIST_MODEL (LMAC_PRIV (self)->consoles);
}

void
_lodge_machine_emit_was_reset (LodgeMachine *self)
{
  g_signal_emit (self, lmac_signals[SIGNAL_WAS_RESET], 0);
}

gboolean
lodge_machine_is_on (LodgeMachine *self)
{
  return ((LMAC_IN (STARTING) | LMAC_IN (RUNNING) | LMAC_IN (PAUSED) | LMAC_IN (FAILED)) >> LMAC_PRIV (self)->state) & 1;
}

const char *
lodge_machine_state_to_label (LodgeMachineState state)
{
  switch (state)
    {
    case LODGE_MACHINE_STATE_OFF:
      return _ ("Off");
    case LODGE_MACHINE_STATE_STARTING:
      return _ ("Starting");
    case LODGE_MACHINE_STATE_RUNNING:
      return _ ("Running");
    case LODGE_MACHINE_STATE_PAUSED:
      return _ ("Paused");
    case LODGE_MACHINE_STATE_FAILED:
      return _ ("Failed");
    case LODGE_MACHINE_STATE_BROKEN:
      return _ ("Damaged");
    default:
      g_return_val_if_reached ("");
    }
}

const char *
lodge_machine_state_to_nick (LodgeMachineState state)
{
  g_autoptr (GEnumClass) klass = g_type_class_ref (LODGE_TYPE_MACHINE_STATE);

  return g_enum_get_value (klass, (int) state)->value_nick;
}

gboolean
lodge_machine_can (LodgeMachine *self, LodgeVerb verb)
{
  LodgeMachinePrivate *priv = LMAC_PRIV (self);

  g_return_val_if_fail ((guint) verb < LODGE_N_VERBS, FALSE);
  return ((lmac_verbs[verb].states >> priv->state) & 1) && (priv->n_busy == 0 || lmac_verbs[verb].while_busy);
}

void
_lodge_machine_return_verb_error (LodgeMachine *self, LodgeVerb verb, GTask *task)
{
  LodgeMachinePrivate *priv = LMAC_PRIV (self);

  if (priv->state == LODGE_MACHINE_STATE_BROKEN)
    g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_CONFIG, "%s",
                             priv->message != NULL ? priv->message : _ ("The machine's files cannot be understood."));
  else if (priv->state == LODGE_MACHINE_STATE_OFF)
    _lodge_machine_return_off (self, task);
  else if ((lmac_verbs[verb].states >> priv->state) & 1)
    g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_BUSY, _ ("“%s” is still busy with something else."), priv->name);
  else if (verb == LODGE_VERB_START || verb == LODGE_VERB_START_HEADLESS)
    g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_RUNNING, _ ("“%s” is already on."), priv->name);
  else if (priv->state == LODGE_MACHINE_STATE_PAUSED && verb == LODGE_VERB_PAUSE)
    g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_BUSY, _ ("“%s” is paused already."), priv->name);
  else if (priv->state == LODGE_MACHINE_STATE_PAUSED)
    g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_BUSY, _ ("“%s” is paused. Resume it first."), priv->name);
  else if (priv->state == LODGE_MACHINE_STATE_FAILED)
    g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_NOT_RUNNING, _ ("“%s” has failed. Force it off or reset it."),
                             priv->name);
  else if (verb == LODGE_VERB_RESUME)
    g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_RUNNING, _ ("“%s” is not paused."), priv->name);
  else
    g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_BUSY, _ ("“%s” is still starting."), priv->name);
}

void
_lodge_machine_return_off (LodgeMachine *self, GTask *task)
{
  g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_NOT_RUNNING, _ ("“%s” is not running."), LMAC_PRIV (self)->name);
}

static void
lmac_on_task_completed_cb (GTask *task, GParamSpec *pspec, gpointer user_data)
{
  LodgeMachine *self = g_task_get_source_object (task);

  if (--LMAC_PRIV (self)->n_busy == 0)
    lmac_notify (self, PROP_BUSY);
}

/* For what only a machine whose processors run can take. */
static gboolean
lmac_check_running (LodgeMachine *self, GTask *task)
{
  LodgeMachinePrivate *priv = LMAC_PRIV (self);

  if (priv->state == LODGE_MACHINE_STATE_RUNNING)
    return TRUE;
  if (priv->state == LODGE_MACHINE_STATE_PAUSED)
    g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_BUSY, _ ("“%s” is paused. Resume it first."), priv->name);
  else
    _lodge_machine_return_off (self, task);
  return FALSE;
}

static GTask *
lmac_task_new (LodgeMachine *self, gpointer tag, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  GTask *task = g_task_new (self, cancellable, callback, user_data);

  g_task_set_source_tag (task, tag);
  return task;
}

void
lodge_machine_act_async (LodgeMachine *self, LodgeVerb verb, GCancellable *cancellable, GAsyncReadyCallback callback,
                         gpointer user_data)
{
  g_autoptr (GTask) task = lmac_task_new (self, lodge_machine_act_async, cancellable, callback, user_data);

  if (!lodge_machine_can (self, verb))
    {
      _lodge_machine_return_verb_error (self, verb, task);
      return;
    }
  g_signal_connect (task, "notify::completed", G_CALLBACK (lmac_on_task_completed_cb), NULL);
  if (LMAC_PRIV (self)->n_busy++ == 0)
    lmac_notify (self, PROP_BUSY);
  LODGE_MACHINE_GET_CLASS (self)->act (self, verb, task);
}

static gboolean
lmac_finish (LodgeMachine *self, GAsyncResult *result, gpointer tag, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  g_return_val_if_fail (g_task_get_source_tag (G_TASK (result)) == tag, FALSE);
  return g_task_propagate_boolean (G_TASK (result), error);
}

static gpointer
lmac_finish_pointer (LodgeMachine *self, GAsyncResult *result, gpointer tag, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_task_get_source_tag (G_TASK (result)) == tag, NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}

gboolean
lodge_machine_act_finish (LodgeMachine *self, GAsyncResult *result, GError **error)
{
  return lmac_finish (self, result, lodge_machine_act_async, error);
}

void
lodge_machine_change_medium_async (LodgeMachine *self, const char *device_id, const char *path, gboolean force,
                                   GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = lmac_task_new (self, lodge_machine_change_medium_async, cancellable, callback, user_data);

  LODGE_MACHINE_GET_CLASS (self)->change_medium (self, device_id, path, force, task);
}

gboolean
lodge_machine_change_medium_finish (LodgeMachine *self, GAsyncResult *result, GError **error)
{
  return lmac_finish (self, result, lodge_machine_change_medium_async, error);
}

void
lodge_machine_configure_async (LodgeMachine *self, GVariant *changes, GCancellable *cancellable, GAsyncReadyCallback callback,
                               gpointer user_data)
{
  g_autoptr (GTask) task = lmac_task_new (self, lodge_machine_configure_async, cancellable, callback, user_data);
  g_autoptr (GVariant) owned = g_variant_ref_sink (changes);

  if (LODGE_MACHINE_GET_CLASS (self)->configure == NULL)
    g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_UNSUPPORTED, _ ("The settings of “%s” cannot be changed from here."),
                             LMAC_PRIV (self)->name);
  else if (LMAC_PRIV (self)->state == LODGE_MACHINE_STATE_BROKEN)
    _lodge_machine_return_verb_error (self, LODGE_VERB_START, task);
  else
    LODGE_MACHINE_GET_CLASS (self)->configure (self, owned, task);
}

gboolean
lodge_machine_configure_finish (LodgeMachine *self, GAsyncResult *result, GError **error)
{
  return lmac_finish (self, result, lodge_machine_configure_async, error);
}

void
lodge_machine_screenshot_async (LodgeMachine *self, guint head, GCancellable *cancellable, GAsyncReadyCallback callback,
                                gpointer user_data)
{
  g_autoptr (GTask) task = lmac_task_new (self, lodge_machine_screenshot_async, cancellable, callback, user_data);

  if (!lodge_machine_is_on (self))
    _lodge_machine_return_off (self, task);
  else
    LODGE_MACHINE_GET_CLASS (self)->screenshot (self, head, task);
}

LodgePicture *
lodge_machine_screenshot_finish (LodgeMachine *self, GAsyncResult *result, GError **error)
{
  return lmac_finish_pointer (self, result, lodge_machine_screenshot_async, error);
}

void
lodge_machine_resize_screen_async (LodgeMachine *self, guint head, int width, int height, GCancellable *cancellable,
                                   GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = lmac_task_new (self, lodge_machine_resize_screen_async, cancellable, callback, user_data);

  if (!lodge_machine_is_on (self))
    _lodge_machine_return_off (self, task);
  else
    LODGE_MACHINE_GET_CLASS (self)->resize_screen (self, head, width, height, task);
}

gboolean
lodge_machine_resize_screen_finish (LodgeMachine *self, GAsyncResult *result, GError **error)
{
  return lmac_finish (self, result, lodge_machine_resize_screen_async, error);
}

void
lodge_machine_send_keys_async (LodgeMachine *self, const guint *codes, gsize n_codes, GCancellable *cancellable,
                               GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = lmac_task_new (self, lodge_machine_send_keys_async, cancellable, callback, user_data);

  if (lmac_check_running (self, task))
    LODGE_MACHINE_GET_CLASS (self)->send_keys (self, codes, n_codes, task);
}

gboolean
lodge_machine_send_keys_finish (LodgeMachine *self, GAsyncResult *result, GError **error)
{
  return lmac_finish (self, result, lodge_machine_send_keys_async, error);
}

void
lodge_machine_type_async (LodgeMachine *self, const char *text, GCancellable *cancellable, GAsyncReadyCallback callback,
                          gpointer user_data)
{
  g_autoptr (GTask) task = lmac_task_new (self, lodge_machine_type_async, cancellable, callback, user_data);
  GError *error = NULL;

  if (!lmac_check_running (self, task))
    return;
  if (!lodge_keys_check_text (text, &error))
    g_task_return_error (task, error);
  else
    LODGE_MACHINE_GET_CLASS (self)->type_text (self, text, task);
}

gboolean
lodge_machine_type_finish (LodgeMachine *self, GAsyncResult *result, GError **error)
{
  return lmac_finish (self, result, lodge_machine_type_async, error);
}

void
lodge_machine_read_text_async (LodgeMachine *self, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = lmac_task_new (self, lodge_machine_read_text_async, cancellable, callback, user_data);

  if (!lodge_machine_is_on (self))
    _lodge_machine_return_off (self, task);
  else
    LODGE_MACHINE_GET_CLASS (self)->read_text (self, task);
}

char *
lodge_machine_read_text_finish (LodgeMachine *self, GAsyncResult *result, GError **error)
{
  return lmac_finish_pointer (self, result, lodge_machine_read_text_async, error);
}

void
lodge_machine_attach_serial_async (LodgeMachine *self, const char *device_id, gboolean replay, GCancellable *cancellable,
                                   GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = lmac_task_new (self, lodge_machine_attach_serial_async, cancellable, callback, user_data);

  if (!lodge_machine_is_on (self))
    _lodge_machine_return_off (self, task);
  else
    LODGE_MACHINE_GET_CLASS (self)->attach_serial (self, device_id, replay, task);
}

GSocketConnection *
lodge_machine_attach_serial_finish (LodgeMachine *self, GAsyncResult *result, GError **error)
{
  return lmac_finish_pointer (self, result, lodge_machine_attach_serial_async, error);
}

gboolean
_lodge_machine_get_watched (LodgeMachine *self)
{
  return LMAC_PRIV (self)->n_watchers > 0;
}

void
lodge_machine_watch_thumbnail (LodgeMachine *self, gboolean on)
{
  LodgeMachinePrivate *priv = LMAC_PRIV (self);
  gboolean before = priv->n_watchers > 0;

  g_return_if_fail (on || before);
  priv->n_watchers += on ? 1 : -1;
  if (before != (priv->n_watchers > 0))
    LODGE_MACHINE_GET_CLASS (self)->watch_thumbnail (self, on);
}

static void
lmac_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  LodgeMachinePrivate *priv = LMAC_PRIV (LODGE_MACHINE (object));

  switch (id)
    {
    case PROP_NAME:
      g_value_set_string (value, priv->name);
      break;
    case PROP_UUID:
      g_value_set_string (value, priv->uuid);
      break;
    case PROP_PATH:
      g_value_set_string (value, priv->path);
      break;
    case PROP_OS_ID:
      g_value_set_string (value, priv->os_id);
      break;
    case PROP_STATE:
      g_value_set_enum (value, (int) priv->state);
      break;
    case PROP_REASON:
      g_value_set_enum (value, (int) priv->reason);
      break;
    case PROP_MESSAGE:
      g_value_set_string (value, priv->message);
      break;
    case PROP_BUSY:
      g_value_set_boolean (value, priv->n_busy > 0);
      break;
    case PROP_CAPABILITIES:
      g_value_set_flags (value, priv->capabilities);
      break;
    case PROP_MEMORY_MIB:
      g_value_set_uint (value, priv->memory_mib);
      break;
    case PROP_CPUS:
      g_value_set_uint (value, priv->cpus);
      break;
    case PROP_MEDIUM:
      g_value_set_string (value, priv->medium);
      break;
    case PROP_STARTED_AT:
      g_value_set_int64 (value, priv->started_at);
      break;
    case PROP_HAS_WINDOW:
      g_value_set_boolean (value, priv->has_window);
      break;
    case PROP_THUMBNAIL:
      g_value_set_boxed (value, priv->thumbnail);
      break;
    case PROP_CONSOLE:
      g_value_set_object (value, priv->console);
      break;
    case PROP_SETTINGS:
      g_value_set_string (value, priv->settings);
      break;
    case PROP_RUNNING_SETTINGS:
      g_value_set_string (value, priv->running_settings);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
lmac_finalize (GObject *object)
{
  LodgeMachinePrivate *priv = LMAC_PRIV (LODGE_MACHINE (object));

  g_free (priv->name);
  g_free (priv->uuid);
  g_free (priv->path);
  g_free (priv->os_id);
  g_free (priv->message);
  g_free (priv->medium);
  g_clear_pointer (&priv->thumbnail, lodge_picture_unref);
  g_free (priv->settings);
  g_free (priv->running_settings);
  g_clear_object (&priv->console);
  g_clear_object (&priv->consoles);
  G_OBJECT_CLASS (lodge_machine_parent_class)->finalize (object);
}

static void
lodge_machine_class_init (LodgeMachineClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = lmac_get_property;
  object_class->finalize = lmac_finalize;
  lmac_props[PROP_NAME] = g_param_spec_string ("name", NULL, NULL, NULL, flags);
  lmac_props[PROP_UUID] = g_param_spec_string ("uuid", NULL, NULL, NULL, flags);
  lmac_props[PROP_PATH] = g_param_spec_string ("path", NULL, NULL, NULL, flags);
  lmac_props[PROP_OS_ID] = g_param_spec_string ("os-id", NULL, NULL, NULL, flags);
  lmac_props[PROP_STATE] = g_param_spec_enum ("state", NULL, NULL, LODGE_TYPE_MACHINE_STATE, LODGE_MACHINE_STATE_OFF, flags);
  lmac_props[PROP_REASON] = g_param_spec_enum ("reason", NULL, NULL, LODGE_TYPE_REASON, LODGE_REASON_NONE, flags);
  lmac_props[PROP_MESSAGE] = g_param_spec_string ("message", NULL, NULL, NULL, flags);
  lmac_props[PROP_BUSY] = g_param_spec_boolean ("busy", NULL, NULL, FALSE, flags);
  lmac_props[PROP_CAPABILITIES] = g_param_spec_flags ("capabilities", NULL, NULL, LODGE_TYPE_CAPABILITIES, 0, flags);
  lmac_props[PROP_MEMORY_MIB] = g_param_spec_uint ("memory-mib", NULL, NULL, 0, G_MAXUINT, 0, flags);
  lmac_props[PROP_CPUS] = g_param_spec_uint ("cpus", NULL, NULL, 0, G_MAXUINT, 0, flags);
  lmac_props[PROP_MEDIUM] = g_param_spec_string ("medium", NULL, NULL, NULL, flags);
  lmac_props[PROP_STARTED_AT] = g_param_spec_int64 ("started-at", NULL, NULL, 0, G_MAXINT64, 0, flags);
  lmac_props[PROP_HAS_WINDOW] = g_param_spec_boolean ("has-window", NULL, NULL, FALSE, flags);
  lmac_props[PROP_THUMBNAIL] = g_param_spec_boxed ("thumbnail", NULL, NULL, LODGE_TYPE_PICTURE, flags);
  lmac_props[PROP_CONSOLE] = g_param_spec_object ("console", NULL, NULL, LODGE_TYPE_CONSOLE, flags);
  lmac_props[PROP_SETTINGS] = g_param_spec_string ("settings", NULL, NULL, NULL, flags);
  lmac_props[PROP_RUNNING_SETTINGS] = g_param_spec_string ("running-settings", NULL, NULL, NULL, flags);
  g_object_class_install_properties (object_class, N_PROPS, lmac_props);
  lmac_signals[SIGNAL_WAS_RESET] = g_signal_new ("was-reset", LODGE_TYPE_MACHINE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                                 G_TYPE_NONE, 0);
}

static void
lodge_machine_init (LodgeMachine *self)
{
  LMAC_PRIV (self)->consoles = g_list_store_new (LODGE_TYPE_CONSOLE);
}
