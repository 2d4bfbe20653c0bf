/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A machine in a bundle, as the manager and the command line see it: files while it is off, its process's socket while it is on.
 *
 * OFF means for everybody that the files are free: a process that says "off" and has no window is about to end, and the machine is OFF
 * here when its connection closes. A connection that closes without that word is a process that died.
 */
#include "engine/bundle-machine.h"

#include "engine/lodge-machine1.h"
#include "engine/spawner.h"
#include "model/machine-private.h"

#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define LBMC_OBJECT_PATH "/io/github/lodge_vm/Machine"
#define LBMC_CONNECT_TIMEOUT_S 5
#define LBMC_CALL_TIMEOUT_MS 25000
#define LBMC_RETRY_MS 200 /* a process has its socket a moment before it listens */
#define LBMC_MAX_RETRIES 10
#define LBMC_THUMBNAIL_INTERVAL_MS 1000

struct _LodgeBundleMachine {
  LodgeMachine parent_instance;
  char *executable;    /* (nullable) */
  LodgeBundle *bundle; /* (nullable): NULL if broken */

  LodgeMachine1 *proxy;     /* (nullable): while connected */
  GCancellable *connecting; /* (nullable): while a connection is being made */
  GPtrArray *connect_tasks; /* GTask */
  GCancellable *starting;   /* (nullable): while a process starts */
  GPtrArray *off_tasks;     /* GTask: done when the machine is OFF */
  GPtrArray *release_tasks; /* GTask: done when the process is gone */

  guint thumb_id;
  guint64 thumb_serial;
  gboolean thumb_asked;

  guint retry_id, n_retries;
};

G_DEFINE_FINAL_TYPE (LodgeBundleMachine, lodge_bundle_machine, LODGE_TYPE_MACHINE)

static void
lbmc_settle (GPtrArray **tasks, gboolean value)
{
  g_autoptr (GPtrArray) done = g_steal_pointer (tasks);

  *tasks = g_ptr_array_new_with_free_func (g_object_unref);
  for (guint i = 0; i < done->len; i++)
    g_task_return_boolean (done->pdata[i], value);
}

static void
lbmc_set_off (LodgeBundleMachine *self, LodgeReason reason, const char *message)
{
  _lodge_machine_set_started_at (LODGE_MACHINE (self), 0);
  _lodge_machine_set_has_window (LODGE_MACHINE (self), FALSE);
  _lodge_machine_set_running_settings (LODGE_MACHINE (self), NULL);
  _lodge_machine_set_state (LODGE_MACHINE (self), self->bundle != NULL ? LODGE_MACHINE_STATE_OFF : LODGE_MACHINE_STATE_BROKEN,
                            reason, message);
  lbmc_settle (&self->off_tasks, TRUE);
}

/* --- Files --------------------------------------------------------------------------------------------------------------------- */

void
lodge_bundle_machine_take_bundle (LodgeBundleMachine *self, LodgeBundle *bundle, const GError *error)
{
  LodgeMachine *machine = LODGE_MACHINE (self);
  LodgeCapabilities capabilities = LODGE_CAPABILITY_DELETE;
  gboolean connected = self->proxy != NULL || self->connecting != NULL || self->starting != NULL;

  if (bundle == NULL && connected)
    return; /* the running process knows better than a file that is being edited */
  g_clear_pointer (&self->bundle, lodge_bundle_free);
  self->bundle = bundle;
  if (bundle == NULL)
    {
      g_autofree char *base = g_path_get_basename (lodge_machine_get_path (machine));

      if (g_str_has_suffix (base, LODGE_BUNDLE_SUFFIX))
        base[strlen (base) - strlen (LODGE_BUNDLE_SUFFIX)] = '\0';
      _lodge_machine_set_name (machine, base);
      _lodge_machine_set_uuid (machine, NULL);
      _lodge_machine_set_os_id (machine, NULL);
      _lodge_machine_set_medium (machine, NULL);
      _lodge_machine_set_settings (machine, NULL);
      _lodge_machine_set_capabilities (machine, capabilities);
      _lodge_machine_set_state (machine, LODGE_MACHINE_STATE_BROKEN, LODGE_REASON_NONE, error != NULL ? error->message : NULL);
      return;
    }

  _lodge_machine_set_name (machine, lodge_bundle_get_name (bundle));
  _lodge_machine_set_uuid (machine, lodge_bundle_get_uuid (bundle));
  _lodge_machine_set_os_id (machine, lodge_bundle_get_os_id (bundle));
  _lodge_machine_set_memory_mib (machine, lodge_bundle_get_memory_mib (bundle));
  _lodge_machine_set_cpus (machine, lodge_bundle_get_cpus (bundle));
  {
    g_autofree char *settings = lodge_bundle_dup_text (bundle);
    g_autofree char *drive = lodge_bundle_find_drive (bundle);
    g_autofree char *serial = lodge_bundle_find_device (bundle, "serial");
    g_autofree char *medium = drive != NULL ? lodge_bundle_dup_medium (bundle, drive) : NULL;

    _lodge_machine_set_settings (machine, settings);
    capabilities |= LODGE_CAPABILITY_KEYBOARD;
    capabilities |= lodge_bundle_has_screen (bundle) ? LODGE_CAPABILITY_SCREENSHOT : 0;
    capabilities |= drive != NULL ? LODGE_CAPABILITY_MEDIUM : 0;
    capabilities |= serial != NULL ? LODGE_CAPABILITY_SERIAL : 0;
    _lodge_machine_set_capabilities (machine, capabilities);
    if (!connected)
      _lodge_machine_set_medium (machine, medium);
  }
  if (!connected && lodge_machine_get_state (machine) == LODGE_MACHINE_STATE_BROKEN)
    _lodge_machine_set_state (machine, LODGE_MACHINE_STATE_OFF, LODGE_REASON_NONE, NULL);
}

/* --- The connection ------------------------------------------------------------------------------------------------------------ */

static void
lbmc_update_from_proxy (LodgeBundleMachine *self)
{
  LodgeMachine *machine = LODGE_MACHINE (self);
  g_autoptr (GEnumClass) states = g_type_class_ref (LODGE_TYPE_MACHINE_STATE);
  g_autoptr (GEnumClass) reasons = g_type_class_ref (LODGE_TYPE_REASON);
  const char *state_nick = lodge_machine1_get_state (self->proxy);
  const char *reason_nick = lodge_machine1_get_reason (self->proxy);
  const char *message = lodge_machine1_get_message (self->proxy);
  const char *medium = lodge_machine1_get_medium (self->proxy);
  const char *running = lodge_machine1_get_running_settings (self->proxy);
  GEnumValue *state = state_nick != NULL ? g_enum_get_value_by_nick (states, state_nick) : NULL;
  GEnumValue *reason = reason_nick != NULL ? g_enum_get_value_by_nick (reasons, reason_nick) : NULL;

  if (state == NULL)
    return; /* a newer version's word */
  g_object_freeze_notify (G_OBJECT (self));
  _lodge_machine_set_medium (machine, medium != NULL && *medium != '\0' ? medium : NULL);
  _lodge_machine_set_running_settings (machine, running != NULL && *running != '\0' ? running : NULL);
  _lodge_machine_set_started_at (machine, lodge_machine1_get_started_at (self->proxy));
  _lodge_machine_set_has_window (machine, lodge_machine1_get_has_window (self->proxy));
  if (state->value != LODGE_MACHINE_STATE_OFF)
    _lodge_machine_set_state (machine, (LodgeMachineState) state->value,
                              reason != NULL ? (LodgeReason) reason->value : LODGE_REASON_NONE,
                              message != NULL && *message != '\0' ? message : NULL);
  else if (lodge_machine1_get_has_window (self->proxy))
    {
      _lodge_machine_set_state (machine, LODGE_MACHINE_STATE_OFF, reason != NULL ? (LodgeReason) reason->value : LODGE_REASON_NONE,
                                message != NULL && *message != '\0' ? message : NULL);
      lbmc_settle (&self->off_tasks, TRUE);
    }
  g_object_thaw_notify (G_OBJECT (self));
}

static void
lbmc_on_properties_changed_cb (GDBusProxy *proxy, GVariant *changed, GStrv invalidated, LodgeBundleMachine *self)
{
  lbmc_update_from_proxy (self);
}

static void
lbmc_on_was_reset_cb (LodgeMachine1 *proxy, LodgeBundleMachine *self)
{
  _lodge_machine_emit_was_reset (LODGE_MACHINE (self));
}

static void
lbmc_on_connection_closed_cb (GDBusConnection *connection, gboolean vanished, GError *error, LodgeBundleMachine *self)
{
  g_autoptr (LodgeMachine1) proxy = g_steal_pointer (&self->proxy);
  g_autoptr (GEnumClass) reasons = g_type_class_ref (LODGE_TYPE_REASON);
  GEnumValue *reason;

  if (proxy == NULL)
    return;
  g_signal_handlers_disconnect_by_data (connection, self);
  g_signal_handlers_disconnect_by_data (proxy, self);
  self->thumb_serial = 0;
  if (g_strcmp0 (lodge_machine1_get_state (proxy), "off") == 0)
    {
      const char *message = lodge_machine1_get_message (proxy);

      reason = g_enum_get_value_by_nick (reasons, lodge_machine1_get_reason (proxy));
      lbmc_set_off (self, reason != NULL ? (LodgeReason) reason->value : LODGE_REASON_NONE,
                    message != NULL && *message != '\0' ? message : NULL);
    }
  else
    lbmc_set_off (self, LODGE_REASON_LOST, _ ("The machine's process ended unexpectedly. Its folder “log” may tell why."));
  lbmc_settle (&self->release_tasks, TRUE);
}

static void
lbmc_clean_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  const char *bundle_path = lodge_machine_get_path (source);
  g_autofree char *socket_path = lodge_bundle_dup_socket_path (data);
  /* Who has the lock runs the machine or is about to listen: then the socket is no leftover. */
  g_autofd int lock_fd = lodge_bundle_lock (bundle_path, NULL);

  if (lock_fd >= 0)
    unlink (socket_path);
  g_task_return_boolean (task, lock_fd < 0);
}

static gboolean
lbmc_retry_cb (gpointer data)
{
  LodgeBundleMachine *self = data;

  self->retry_id = 0;
  lodge_bundle_machine_connect_async (self, NULL, NULL, NULL);
  return G_SOURCE_REMOVE;
}

static void
lbmc_on_cleaned_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  LodgeBundleMachine *self = LODGE_BUNDLE_MACHINE (object);

  gboolean somebody = g_task_propagate_boolean (G_TASK (result), NULL);

  g_clear_object (&self->connecting);
  lbmc_settle (&self->connect_tasks, FALSE);
  if (somebody && self->retry_id == 0 && self->n_retries++ < LBMC_MAX_RETRIES)
    self->retry_id = g_timeout_add (LBMC_RETRY_MS, lbmc_retry_cb, self);
}

static void
lbmc_connect_failed (LodgeBundleMachine *self, gboolean stale)
{
  if (stale && self->bundle != NULL)
    {
      g_autoptr (GTask) task = g_task_new (self, NULL, lbmc_on_cleaned_cb, NULL);

      g_task_set_task_data (task, g_strdup (lodge_bundle_get_uuid (self->bundle)), g_free);
      g_task_run_in_thread (task, lbmc_clean_thread);
      return;
    }
  g_clear_object (&self->connecting);
  lbmc_settle (&self->connect_tasks, FALSE);
}

static gboolean
lbmc_is_same_place (const char *a, const char *b)
{
  struct stat st_a, st_b;

  return g_strcmp0 (a, b) == 0
         || (a != NULL && stat (a, &st_a) == 0 && stat (b, &st_b) == 0 && st_a.st_dev == st_b.st_dev && st_a.st_ino == st_b.st_ino);
}

static void
lbmc_on_proxy_made_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (LodgeBundleMachine) self = user_data;
  g_autoptr (LodgeMachine1) proxy = lodge_machine1_proxy_new_finish (result, NULL);
  GDBusConnection *connection;

  if (proxy == NULL || lodge_machine1_get_state (proxy) == NULL)
    {
      lbmc_connect_failed (self, FALSE);
      return;
    }
  connection = g_dbus_proxy_get_connection (G_DBUS_PROXY (proxy));
  /* A copy of this bundle has the same identifier: its process is not ours. */
  if (g_dbus_connection_is_closed (connection)
      || !lbmc_is_same_place (lodge_machine1_get_bundle (proxy), lodge_machine_get_path (LODGE_MACHINE (self))))
    {
      lbmc_connect_failed (self, FALSE);
      return;
    }
  g_dbus_proxy_set_default_timeout (G_DBUS_PROXY (proxy), LBMC_CALL_TIMEOUT_MS);
  self->proxy = g_steal_pointer (&proxy);
  g_signal_connect_object (connection, "closed", G_CALLBACK (lbmc_on_connection_closed_cb), self, G_CONNECT_DEFAULT);
  g_signal_connect_object (self->proxy, "g-properties-changed", G_CALLBACK (lbmc_on_properties_changed_cb), self,
                           G_CONNECT_DEFAULT);
  g_signal_connect_object (self->proxy, "was-reset", G_CALLBACK (lbmc_on_was_reset_cb), self, G_CONNECT_DEFAULT);
  g_clear_object (&self->connecting);
  self->n_retries = 0;
  lbmc_update_from_proxy (self);
  lbmc_settle (&self->connect_tasks, TRUE);
}

static gboolean
lbmc_connect_timeout_cb (gpointer data)
{
  g_cancellable_cancel (data);
  return G_SOURCE_REMOVE;
}

static void
lbmc_on_connection_made_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (LodgeBundleMachine) self = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GDBusConnection) connection = g_dbus_connection_new_for_address_finish (result, &error);

  if (connection == NULL)
    {
      lbmc_connect_failed (self, g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED));
      return;
    }
  lodge_machine1_proxy_new (connection, G_DBUS_PROXY_FLAGS_NONE, NULL, LBMC_OBJECT_PATH, self->connecting, lbmc_on_proxy_made_cb,
                            g_object_ref (self));
}

void
lodge_bundle_machine_connect_async (LodgeBundleMachine *self, GCancellable *cancellable, GAsyncReadyCallback callback,
                                    gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);
  g_autoptr (GSource) timeout = NULL;
  g_autofree char *path = NULL;
  g_autofree char *escaped = NULL;
  g_autofree char *address = NULL;

  g_task_set_source_tag (task, lodge_bundle_machine_connect_async);
  if (self->proxy != NULL || self->bundle == NULL)
    {
      g_task_return_boolean (task, self->proxy != NULL);
      return;
    }
  path = lodge_bundle_dup_socket_path (lodge_bundle_get_uuid (self->bundle));
  if (self->connecting == NULL && !g_file_test (path, G_FILE_TEST_EXISTS))
    {
      g_task_return_boolean (task, FALSE);
      return;
    }
  g_ptr_array_add (self->connect_tasks, g_object_ref (task));
  if (self->connecting != NULL)
    return;

  self->connecting = g_cancellable_new ();
  timeout = g_timeout_source_new_seconds (LBMC_CONNECT_TIMEOUT_S);
  g_source_set_callback (timeout, lbmc_connect_timeout_cb, g_object_ref (self->connecting), g_object_unref);
  g_source_attach (timeout, NULL);
  escaped = g_dbus_address_escape_value (path);
  address = g_strconcat ("unix:path=", escaped, NULL);
  g_dbus_connection_new_for_address (address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL, self->connecting,
                                     lbmc_on_connection_made_cb, g_object_ref (self));
}

gboolean
lodge_bundle_machine_connect_finish (LodgeBundleMachine *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  return g_task_propagate_boolean (G_TASK (result), error);
}

/* --- Calls --------------------------------------------------------------------------------------------------------------------- */

typedef void (*LbmcReturn) (GTask *task, GVariant *reply, GUnixFDList *fds);

static void
lbmc_on_called_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  g_autoptr (GUnixFDList) fds = NULL;
  GError *error = NULL;
  g_autoptr (GVariant) reply = g_dbus_proxy_call_with_unix_fd_list_finish (G_DBUS_PROXY (object), &fds, result, &error);
  LbmcReturn convert = (LbmcReturn) g_object_get_data (G_OBJECT (task), "return");

  if (reply != NULL)
    {
      if (convert != NULL)
        convert (task, reply, fds);
      else
        g_task_return_boolean (task, TRUE);
      return;
    }
  g_dbus_error_strip_remote_error (error);
  if (error->domain != LODGE_ERROR)
    {
      g_autofree char *detail = g_strdup (error->message);

      g_clear_error (&error);
      error = g_error_new (LODGE_ERROR, LODGE_ERROR_FAILED, "%s\n%s", _ ("The machine's process does not answer."), detail);
    }
  g_task_return_error (task, error);
}

/* @parameters: (transfer floating) (nullable); @convert: (nullable): makes the result; %NULL: TRUE */
static void
lbmc_call (LodgeBundleMachine *self, const char *method, GVariant *parameters, int timeout_ms, LbmcReturn convert, GTask *task)
{
  g_object_set_data (G_OBJECT (task), "return", (gpointer) convert);
  g_dbus_proxy_call_with_unix_fd_list (G_DBUS_PROXY (self->proxy), method, parameters, G_DBUS_CALL_FLAGS_NONE, timeout_ms, NULL,
                                       g_task_get_cancellable (task), lbmc_on_called_cb, g_object_ref (task));
}

/* --- Verbs --------------------------------------------------------------------------------------------------------------------- */

static void
lbmc_on_started_connected_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  LodgeBundleMachine *self = LODGE_BUNDLE_MACHINE (object);
  g_autoptr (GTask) verb = user_data;

  if (lodge_bundle_machine_connect_finish (self, result, NULL))
    {
      g_task_return_boolean (verb, TRUE);
      return;
    }
  /* It ran and is over already. */
  lbmc_set_off (self, LODGE_REASON_GUEST, NULL);
  g_task_return_boolean (verb, TRUE);
}

static void
lbmc_on_spawned_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) verb = user_data;
  LodgeBundleMachine *self = g_task_get_source_object (verb);
  GError *error = NULL;

  g_clear_object (&self->starting);
  if (lodge_spawner_start_finish (result, &error))
    {
      lodge_bundle_machine_connect_async (self, NULL, lbmc_on_started_connected_cb, g_steal_pointer (&verb));
      return;
    }
  if (self->proxy == NULL)
    lbmc_set_off (self, LODGE_REASON_NONE, g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) ? NULL : error->message);
  g_task_return_error (verb, error);
}

static void
lbmc_start (LodgeBundleMachine *self, gboolean headless, GTask *task)
{
  if (self->proxy != NULL)
    {
      /* Its window is still open. */
      lbmc_call (self, "Start", NULL, G_MAXINT, NULL, task);
      return;
    }
  self->starting = g_cancellable_new ();
  _lodge_machine_set_state (LODGE_MACHINE (self), LODGE_MACHINE_STATE_STARTING, LODGE_REASON_REQUEST, NULL);
  lodge_spawner_start_async (self->executable, lodge_machine_get_path (LODGE_MACHINE (self)), lodge_bundle_get_uuid (self->bundle),
                             headless, self->starting, lbmc_on_spawned_cb, g_object_ref (task));
}

static void
lbmc_on_stopped_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) verb = user_data;
  LodgeBundleMachine *self = LODGE_BUNDLE_MACHINE (object);
  GError *error = NULL;

  /* Done when the machine is OFF, which its process may tell by its end. */
  if (!g_task_propagate_boolean (G_TASK (result), &error) && self->proxy != NULL && g_ptr_array_remove (self->off_tasks, verb))
    g_task_return_error (verb, error);
  else
    g_clear_error (&error);
}

static void
lbmc_force_off (LodgeBundleMachine *self, GTask *verb)
{
  g_autoptr (GTask) task = NULL;

  g_ptr_array_add (self->off_tasks, g_object_ref (verb));
  if (self->proxy == NULL)
    {
      if (self->starting != NULL)
        g_cancellable_cancel (self->starting);
      return;
    }
  task = g_task_new (self, NULL, lbmc_on_stopped_cb, g_object_ref (verb));
  lbmc_call (self, "Stop", NULL, G_MAXINT, NULL, task);
}

static GVariant *
lbmc_environment (void)
{
  static const char *const names[] = { "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY" };
  GVariantBuilder builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a{ss}"));

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_getenv (names[i]) != NULL)
      g_variant_builder_add (&builder, "{ss}", names[i], g_getenv (names[i]));
  return g_variant_new ("(a{ss})", &builder);
}

static void
lbmc_act (LodgeMachine *machine, LodgeVerb verb, GTask *task)
{
  static const char *const methods[LODGE_N_VERBS] = {
    [LODGE_VERB_PAUSE] = "Pause",
    [LODGE_VERB_RESUME] = "Resume",
    [LODGE_VERB_SHUT_DOWN] = "PowerButton",
    [LODGE_VERB_RESET] = "Reset",
  };
  LodgeBundleMachine *self = LODGE_BUNDLE_MACHINE (machine);

  if (verb == LODGE_VERB_START || verb == LODGE_VERB_START_HEADLESS)
    lbmc_start (self, verb == LODGE_VERB_START_HEADLESS, task);
  else if (verb == LODGE_VERB_FORCE_OFF)
    lbmc_force_off (self, task);
  else if (self->proxy == NULL)
    _lodge_machine_return_off (machine, task);
  else if (verb == LODGE_VERB_SHOW_WINDOW)
    lbmc_call (self, "ShowWindow", lbmc_environment (), LBMC_CALL_TIMEOUT_MS, NULL, task);
  else
    lbmc_call (self, methods[verb], NULL, LBMC_CALL_TIMEOUT_MS, NULL, task);
}

/* --- Media --------------------------------------------------------------------------------------------------------------------- */

typedef struct {
  char *bundle_path, *device_id, *path;
  gboolean force, is_off;
  LodgeBundle *bundle; /* (nullable): as written */
} LbmcMedium;

static void
lbmc_medium_free (gpointer data)
{
  LbmcMedium *medium = data;

  g_free (medium->bundle_path);
  g_free (medium->device_id);
  g_free (medium->path);
  g_clear_pointer (&medium->bundle, lodge_bundle_free);
  g_free (medium);
}

/* Checks the file; of a machine that is off, changes machine.conf. */
static void
lbmc_medium_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  LbmcMedium *medium = data;
  g_autoptr (LodgeBundle) bundle = NULL;
  g_autofree char *device = NULL;
  g_autofd int lock_fd = -1;
  GError *error = NULL;

  if (medium->path != NULL && !lodge_bundle_check_file (medium->path, &error))
    {
      g_task_return_error (task, error);
      return;
    }
  if (!medium->is_off)
    {
      g_task_return_boolean (task, TRUE);
      return;
    }

  lock_fd = lodge_bundle_lock (medium->bundle_path, &error);
  if (lock_fd >= 0)
    bundle = lodge_bundle_load (medium->bundle_path, &error);
  if (bundle == NULL)
    {
      g_task_return_error (task, error);
      return;
    }
  device = medium->device_id != NULL ? g_strdup (medium->device_id) : lodge_bundle_find_drive (bundle);
  if (device == NULL || !lodge_bundle_has_drive (bundle, device))
    {
      g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_NOT_FOUND, _ ("“%s” has no CD drive “%s”."),
                               lodge_bundle_get_name (bundle), device != NULL ? device : "cdrom0");
      return;
    }
  lodge_bundle_set_value (bundle, device, "image", medium->path);
  if (!lodge_bundle_save (bundle, &error))
    {
      g_task_return_error (task, error);
      return;
    }
  medium->bundle = g_steal_pointer (&bundle);
  g_task_return_boolean (task, TRUE);
}

static void
lbmc_on_medium_checked_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  LodgeBundleMachine *self = LODGE_BUNDLE_MACHINE (object);
  LbmcMedium *medium = g_task_get_task_data (G_TASK (result));
  g_autoptr (GTask) verb = user_data;
  const char *device = medium->device_id != NULL ? medium->device_id : "";
  GError *error = NULL;

  if (!g_task_propagate_boolean (G_TASK (result), &error))
    g_task_return_error (verb, error);
  else if (medium->is_off)
    {
      if (self->proxy == NULL)
        lodge_bundle_machine_take_bundle (self, g_steal_pointer (&medium->bundle), NULL);
      g_task_return_boolean (verb, TRUE);
    }
  else if (self->proxy == NULL)
    _lodge_machine_return_off (LODGE_MACHINE (self), verb);
  else if (medium->path != NULL)
    lbmc_call (self, "Insert", g_variant_new ("(ssb)", device, medium->path, medium->force), LBMC_CALL_TIMEOUT_MS, NULL, verb);
  else
    lbmc_call (self, "Eject", g_variant_new ("(sb)", device, medium->force), LBMC_CALL_TIMEOUT_MS, NULL, verb);
}

static void
lbmc_change_medium (LodgeMachine *machine, const char *device_id, const char *path, gboolean force, GTask *verb)
{
  LodgeBundleMachine *self = LODGE_BUNDLE_MACHINE (machine);
  g_autoptr (GTask) task = NULL;
  LbmcMedium *medium;

  if (self->bundle == NULL)
    {
      _lodge_machine_return_verb_error (machine, LODGE_VERB_START, verb);
      return;
    }
  medium = g_new0 (LbmcMedium, 1);
  medium->bundle_path = g_strdup (lodge_machine_get_path (machine));
  medium->device_id = g_strdup (device_id);
  medium->path = path != NULL ? g_canonicalize_filename (path, NULL) : NULL;
  medium->force = force;
  medium->is_off = self->proxy == NULL;
  task = g_task_new (self, NULL, lbmc_on_medium_checked_cb, g_object_ref (verb));
  g_task_set_task_data (task, medium, lbmc_medium_free);
  g_task_run_in_thread (task, lbmc_medium_thread);
}

/* --- Settings ------------------------------------------------------------------------------------------------------------------ */

static void
lbmc_configure_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  const char *path = lodge_machine_get_path (source);
  LodgeBundle *bundle = NULL;
  GError *error = NULL;
  g_autofd int lock_fd = lodge_bundle_lock (path, &error);

  if (lock_fd >= 0)
    bundle = lodge_bundle_apply (path, data, &error);
  if (bundle != NULL)
    g_task_return_pointer (task, bundle, (GDestroyNotify) lodge_bundle_free);
  else
    g_task_return_error (task, error);
}

static void
lbmc_on_configured_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  LodgeBundleMachine *self = LODGE_BUNDLE_MACHINE (object);
  g_autoptr (GTask) verb = user_data;
  GError *error = NULL;
  g_autoptr (LodgeBundle) bundle = g_task_propagate_pointer (G_TASK (result), &error);

  if (bundle == NULL)
    {
      g_task_return_error (verb, error);
      return;
    }
  lodge_bundle_machine_take_bundle (self, g_steal_pointer (&bundle), NULL);
  g_task_return_boolean (verb, TRUE);
}

static void
lbmc_on_configured_on_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  LodgeBundleMachine *self = LODGE_BUNDLE_MACHINE (object);
  g_autoptr (GTask) verb = user_data;
  GError *error = NULL;

  if (!g_task_propagate_boolean (G_TASK (result), &error))
    {
      g_task_return_error (verb, error);
      return;
    }
  {
    /* What the process wrote: small, and our own. */
    g_autoptr (LodgeBundle) bundle = lodge_bundle_load (lodge_machine_get_path (LODGE_MACHINE (self)), NULL);

    if (bundle != NULL)
      lodge_bundle_machine_take_bundle (self, g_steal_pointer (&bundle), NULL);
  }
  g_task_return_boolean (verb, TRUE);
}

static void
lbmc_configure (LodgeMachine *machine, GVariant *changes, GTask *verb)
{
  LodgeBundleMachine *self = LODGE_BUNDLE_MACHINE (machine);
  g_autoptr (GTask) task = NULL;

  if (self->proxy != NULL)
    {
      task = g_task_new (self, NULL, lbmc_on_configured_on_cb, g_object_ref (verb));
      lbmc_call (self, "Configure", g_variant_new ("(@a(sss))", changes), LBMC_CALL_TIMEOUT_MS, NULL, task);
      return;
    }
  task = g_task_new (self, NULL, lbmc_on_configured_cb, g_object_ref (verb));
  g_task_set_task_data (task, g_variant_ref (changes), (GDestroyNotify) g_variant_unref);
  g_task_run_in_thread (task, lbmc_configure_thread);
}

/* --- The screen, keys, serial ports ---------------------------------------------------------------------------------------------- */

/* The picture in a memory file of another process: sizes are checked, the file is copied. */
static LodgePicture *
lbmc_picture_from_fd (int fd, int width, int height)
{
  struct stat st;
  gsize size;
  gpointer pixels;
  g_autoptr (GBytes) bytes = NULL;

  if (width <= 0 || height <= 0 || width > 16384 || height > 16384 || fstat (fd, &st) < 0)
    return NULL;
  size = (gsize) width * 3 * (gsize) height;
  if (st.st_size != (off_t) size)
    return NULL;
  pixels = g_try_malloc (size);
  if (pixels == NULL)
    return NULL;
  bytes = g_bytes_new_take (pixels, size);
  for (gsize done = 0; done < size;)
    {
      ssize_t n = TEMP_FAILURE_RETRY (pread (fd, (guint8 *) pixels + done, size - done, (off_t) done));

      if (n <= 0)
        return NULL;
      done += (gsize) n;
    }
  return lodge_picture_new (bytes, LODGE_PICTURE_RGB888, width, height, (gsize) width * 3);
}

static void
lbmc_return_screenshot (GTask *task, GVariant *reply, GUnixFDList *fds)
{
  LodgePicture *picture = NULL;
  g_autofd int fd = -1;
  int index = 0, width = 0, height = 0;

  if (g_variant_is_of_type (reply, G_VARIANT_TYPE ("(hii)")))
    g_variant_get (reply, "(hii)", &index, &width, &height);
  if (fds != NULL)
    fd = g_unix_fd_list_get (fds, index, NULL);
  if (fd >= 0)
    picture = lbmc_picture_from_fd (fd, width, height);
  if (picture != NULL)
    g_task_return_pointer (task, picture, (GDestroyNotify) lodge_picture_unref);
  else
    g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_FAILED, "%s", _ ("The machine's process sent no picture."));
}

/* What needs the process: ends @task with an error if there is none. */
static gboolean
lbmc_check_connected (LodgeBundleMachine *self, GTask *task)
{
  if (self->proxy != NULL)
    return TRUE;
  _lodge_machine_return_off (LODGE_MACHINE (self), task);
  return FALSE;
}

static void
lbmc_screenshot (LodgeMachine *machine, guint head, GTask *task)
{
  LodgeBundleMachine *self = LODGE_BUNDLE_MACHINE (machine);

  if (lbmc_check_connected (self, task))
    lbmc_call (self, "Screenshot", g_variant_new ("(u)", head), LBMC_CALL_TIMEOUT_MS, lbmc_return_screenshot, task);
}

static void
lbmc_resize_screen (LodgeMachine *machine, guint head, int width, int height, GTask *task)
{
  LodgeBundleMachine *self = LODGE_BUNDLE_MACHINE (machine);

  if (lbmc_check_connected (self, task))
    lbmc_call (self, "ResizeScreen", g_variant_new ("(uii)", head, width, height), LBMC_CALL_TIMEOUT_MS, NULL, task);
}

static void
lbmc_send_keys (LodgeMachine *machine, const guint *codes, gsize n_codes, GTask *task)
{
  LodgeBundleMachine *self = LODGE_BUNDLE_MACHINE (machine);

  if (lbmc_check_connected (self, task))
    lbmc_call (self, "Key",
               g_variant_new ("(@au)", g_variant_new_fixed_array (G_VARIANT_TYPE_UINT32, codes, n_codes, sizeof *codes)),
               LBMC_CALL_TIMEOUT_MS, NULL, task);
}

static void
lbmc_type_text (LodgeMachine *machine, const char *text, GTask *task)
{
  LodgeBundleMachine *self = LODGE_BUNDLE_MACHINE (machine);

  if (lbmc_check_connected (self, task))
    lbmc_call (self, "Type", g_variant_new ("(s)", text), G_MAXINT, NULL, task); /* as long as the text is */
}

static void
lbmc_return_text (GTask *task, GVariant *reply, GUnixFDList *fds)
{
  char *text = NULL;

  if (g_variant_is_of_type (reply, G_VARIANT_TYPE ("(s)")))
    g_variant_get (reply, "(s)", &text);
  g_task_return_pointer (task, text != NULL ? text : g_strdup (""), g_free);
}

static void
lbmc_read_text (LodgeMachine *machine, GTask *task)
{
  LodgeBundleMachine *self = LODGE_BUNDLE_MACHINE (machine);

  if (lbmc_check_connected (self, task))
    lbmc_call (self, "Text", NULL, LBMC_CALL_TIMEOUT_MS, lbmc_return_text, task);
}

static void
lbmc_return_stream (GTask *task, GVariant *reply, GUnixFDList *fds)
{
  g_autofd int fd = fds != NULL ? g_unix_fd_list_get (fds, 0, NULL) : -1;
  g_autoptr (GSocket) socket = NULL;
  GError *error = NULL;

  if (fd < 0 || (socket = g_socket_new_from_fd (fd, &error)) == NULL)
    {
      g_clear_error (&error);
      g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_FAILED, "%s", _ ("The serial port could not be reached."));
      return;
    }
  (void) g_steal_fd (&fd);
  g_task_return_pointer (task, g_socket_connection_factory_create_connection (socket), g_object_unref);
}

static void
lbmc_attach_serial (LodgeMachine *machine, const char *device_id, gboolean replay, GTask *task)
{
  LodgeBundleMachine *self = LODGE_BUNDLE_MACHINE (machine);

  if (lbmc_check_connected (self, task))
    lbmc_call (self, "AttachSerial", g_variant_new ("(sb)", device_id != NULL ? device_id : "", replay), LBMC_CALL_TIMEOUT_MS,
               lbmc_return_stream, task);
}

/* --- Thumbnails ---------------------------------------------------------------------------------------------------------------- */

static void
lbmc_on_thumbnail_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (LodgeBundleMachine) self = user_data;
  g_autoptr (GVariant) reply = g_dbus_proxy_call_finish (G_DBUS_PROXY (object), result, NULL);
  g_autoptr (GVariant) pixels = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (LodgePicture) picture = NULL;
  guint64 serial;
  int width, height;

  self->thumb_asked = FALSE;
  if (reply == NULL || !g_variant_is_of_type (reply, G_VARIANT_TYPE ("(tayii)")))
    return;
  g_variant_get (reply, "(t@ayii)", &serial, &pixels, &width, &height);
  bytes = g_variant_get_data_as_bytes (pixels);
  if (g_bytes_get_size (bytes) == 0 || width <= 0)
    return;
  picture = lodge_picture_new (bytes, LODGE_PICTURE_RGB888, width, height, (gsize) width * 3);
  if (picture == NULL)
    return;
  self->thumb_serial = serial;
  _lodge_machine_set_thumbnail (LODGE_MACHINE (self), picture);
}

static gboolean
lbmc_thumbnail_cb (gpointer data)
{
  LodgeBundleMachine *self = data;

  if (self->proxy == NULL || self->thumb_asked || !lodge_machine_is_on (LODGE_MACHINE (self)))
    return G_SOURCE_CONTINUE;
  self->thumb_asked = TRUE;
  g_dbus_proxy_call (G_DBUS_PROXY (self->proxy), "Thumbnail", g_variant_new ("(t)", self->thumb_serial), G_DBUS_CALL_FLAGS_NONE,
                     LBMC_CALL_TIMEOUT_MS, NULL, lbmc_on_thumbnail_cb, g_object_ref (self));
  return G_SOURCE_CONTINUE;
}

static void
lbmc_watch_thumbnail (LodgeMachine *machine, gboolean on)
{
  LodgeBundleMachine *self = LODGE_BUNDLE_MACHINE (machine);

  if (on)
    {
      self->thumb_id = g_timeout_add (LBMC_THUMBNAIL_INTERVAL_MS, lbmc_thumbnail_cb, self);
      lbmc_thumbnail_cb (self);
    }
  else
    g_clear_handle_id (&self->thumb_id, g_source_remove);
}

/* --- Release ------------------------------------------------------------------------------------------------------------------- */

static void
lbmc_on_quit_called_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  /* The end of the connection is the answer that counts. */
  if (!g_task_propagate_boolean (G_TASK (result), &error))
    g_debug ("Quit: %s", error->message);
}

void
lodge_bundle_machine_release_async (LodgeBundleMachine *self, GCancellable *cancellable, GAsyncReadyCallback callback,
                                    gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);
  g_autoptr (GTask) quit = NULL;

  g_task_set_source_tag (task, lodge_bundle_machine_release_async);
  if (lodge_machine_is_on (LODGE_MACHINE (self)))
    g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_RUNNING, _ ("“%s” is on. Shut it down first."),
                             lodge_machine_get_name (LODGE_MACHINE (self)));
  else if (self->proxy == NULL)
    g_task_return_boolean (task, TRUE);
  else
    {
      g_ptr_array_add (self->release_tasks, g_object_ref (task));
      quit = g_task_new (self, NULL, lbmc_on_quit_called_cb, NULL);
      lbmc_call (self, "Quit", NULL, LBMC_CALL_TIMEOUT_MS, NULL, quit);
    }
}

gboolean
lodge_bundle_machine_release_finish (LodgeBundleMachine *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  return g_task_propagate_boolean (G_TASK (result), error);
}

guint
lodge_bundle_machine_get_process_id (LodgeBundleMachine *self)
{
  return self->proxy != NULL ? lodge_machine1_get_process_id (self->proxy) : 0;
}

/* --- Object -------------------------------------------------------------------------------------------------------------------- */

LodgeBundleMachine *
lodge_bundle_machine_new (const char *path, const char *executable)
{
  LodgeBundleMachine *self = g_object_new (LODGE_TYPE_BUNDLE_MACHINE, NULL);

  self->executable = g_strdup (executable);
  _lodge_machine_set_path (LODGE_MACHINE (self), path);
  return self;
}

static void
lbmc_dispose (GObject *object)
{
  LodgeBundleMachine *self = LODGE_BUNDLE_MACHINE (object);

  g_clear_handle_id (&self->thumb_id, g_source_remove);
  g_clear_handle_id (&self->retry_id, g_source_remove);
  g_clear_object (&self->proxy);
  G_OBJECT_CLASS (lodge_bundle_machine_parent_class)->dispose (object);
}

static void
lbmc_finalize (GObject *object)
{
  LodgeBundleMachine *self = LODGE_BUNDLE_MACHINE (object);

  g_free (self->executable);
  g_clear_pointer (&self->bundle, lodge_bundle_free);
  g_clear_object (&self->connecting);
  g_clear_object (&self->starting);
  g_ptr_array_unref (self->connect_tasks);
  g_ptr_array_unref (self->off_tasks);
  g_ptr_array_unref (self->release_tasks);
  G_OBJECT_CLASS (lodge_bundle_machine_parent_class)->finalize (object);
}

static void
lodge_bundle_machine_class_init (LodgeBundleMachineClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  LodgeMachineClass *machine_class = LODGE_MACHINE_CLASS (klass);

  (void) LODGE_ERROR; /* registers the names of our errors, so that the remote ones are recognised */
  object_class->dispose = lbmc_dispose;
  object_class->finalize = lbmc_finalize;
  machine_class->act = lbmc_act;
  machine_class->change_medium = lbmc_change_medium;
  machine_class->configure = lbmc_configure;
  machine_class->screenshot = lbmc_screenshot;
  machine_class->resize_screen = lbmc_resize_screen;
  machine_class->send_keys = lbmc_send_keys;
  machine_class->type_text = lbmc_type_text;
  machine_class->read_text = lbmc_read_text;
  machine_class->attach_serial = lbmc_attach_serial;
  machine_class->watch_thumbnail = lbmc_watch_thumbnail;
}

static void
lodge_bundle_machine_init (LodgeBundleMachine *self)
{
  self->connect_tasks = g_ptr_array_new_with_free_func (g_object_unref);
  self->off_tasks = g_ptr_array_new_with_free_func (g_object_unref);
  self->release_tasks = g_ptr_array_new_with_free_func (g_object_unref);
}
