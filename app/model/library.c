/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * All machines of this user, as a list that keeps itself up to date.
 *
 * A look into the directory reads all bundles on a worker thread and is compared with the list on the main thread. One look at a time;
 * what happens meanwhile asks for another one. New sockets are connected to when they appear.
 */
#include "model/library-private.h"

#include "engine/bundle-machine.h"
#include "engine/bundle.h"
#include "model/trash.h"
#include "model/watcher.h"

#include <errno.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <string.h>

#define LLIB_SETTLE_MS 50 /* changes come in bursts */

struct _LodgeLibrary {
  GObject parent_instance;
  char *directory, *executable, *message;
  char *socket_directory;
  GListStore *store;
  GHashTable *by_path; /* path -> LodgeMachine, owned by the store */
  LodgeWatcher *watcher;

  gboolean loaded, scanning, scan_wanted;
  guint scan_id;
  GPtrArray *scan_tasks; /* GTask: done after the look under way */
  GPtrArray *next_tasks; /* GTask: done after the look that is wanted */
};

typedef struct {
  char *path;
  LodgeBundle *bundle; /* (nullable) */
  GError *error;       /* (nullable) */
} LlibFound;

typedef struct {
  char *directory, *socket_directory;
  char *message; /* (nullable): why the directory cannot be read */
  GPtrArray *found;
} LlibScan;

enum { PROP_0, PROP_LOADED, PROP_MESSAGE, PROP_DIRECTORY, PROP_EXECUTABLE, N_PROPS };
static GParamSpec *llib_props[N_PROPS];

static void llib_list_model_init (GListModelInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (LodgeLibrary, lodge_library, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, llib_list_model_init))

/* --- The list ------------------------------------------------------------------------------------------------------------------ */

static GType
llib_get_item_type (GListModel *model)
{
  return LODGE_TYPE_MACHINE;
}

static guint
llib_get_n_items (GListModel *model)
{
  return g_list_model_get_n_items (G_LIST_MODEL (LODGE_LIBRARY (model)->store));
}

static gpointer
llib_get_item (GListModel *model, guint position)
{
  return g_list_model_get_item (G_LIST_MODEL (LODGE_LIBRARY (model)->store), position);
}

static void
llib_list_model_init (GListModelInterface *iface)
{
  iface->get_item_type = llib_get_item_type;
  iface->get_n_items = llib_get_n_items;
  iface->get_item = llib_get_item;
}

static void
llib_on_items_changed_cb (GListModel *store, guint position, guint removed, guint added, LodgeLibrary *self)
{
  g_list_model_items_changed (G_LIST_MODEL (self), position, removed, added);
}

static int
llib_compare (gconstpointer a, gconstpointer b, gpointer data)
{
  g_autofree char *key_a = g_utf8_collate_key_for_filename (lodge_machine_get_name (LODGE_MACHINE ((gpointer) a)), -1);
  g_autofree char *key_b = g_utf8_collate_key_for_filename (lodge_machine_get_name (LODGE_MACHINE ((gpointer) b)), -1);
  int order = strcmp (key_a, key_b);

  return order != 0 ? order
                    : strcmp (lodge_machine_get_path (LODGE_MACHINE ((gpointer) a)),
                              lodge_machine_get_path (LODGE_MACHINE ((gpointer) b)));
}

static void
llib_remove (LodgeLibrary *self, LodgeMachine *machine)
{
  guint position;

  if (!g_list_store_find (self->store, machine, &position))
    return;
  lodge_watcher_remove (self->watcher, lodge_machine_get_path (machine));
  g_hash_table_remove (self->by_path, lodge_machine_get_path (machine));
  g_signal_handlers_disconnect_by_data (machine, self);
  g_list_store_remove (self->store, position);
}

static void
llib_on_name_changed_cb (LodgeMachine *machine, GParamSpec *pspec, LodgeLibrary *self)
{
  g_autoptr (LodgeMachine) kept = g_object_ref (machine);
  guint position;

  if (!g_list_store_find (self->store, machine, &position))
    return;
  g_list_store_remove (self->store, position);
  g_list_store_insert_sorted (self->store, machine, llib_compare, NULL);
}

/* --- Looking into the directory ------------------------------------------------------------------------------------------------- */

static void
llib_found_free (gpointer data)
{
  LlibFound *found = data;

  g_free (found->path);
  g_clear_pointer (&found->bundle, lodge_bundle_free);
  g_clear_error (&found->error);
  g_free (found);
}

static void
llib_scan_free (gpointer data)
{
  LlibScan *scan = data;

  g_free (scan->directory);
  g_free (scan->socket_directory);
  g_free (scan->message);
  g_ptr_array_unref (scan->found);
  g_free (scan);
}

static void
llib_scan_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  LlibScan *scan = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GDir) dir = NULL;
  const char *name;

  g_mkdir_with_parents (scan->directory, 0700); /* so that it can be watched; a failure shows when it is opened */
  g_mkdir_with_parents (scan->socket_directory, 0700);
  dir = g_dir_open (scan->directory, 0, &error);
  if (dir == NULL && !g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
    scan->message = g_strdup_printf (_ ("The folder of the machines cannot be read: %s"), error->message);
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (scan->directory, name, NULL);
      LlibFound *found;

      if (name[0] == '.' || !g_str_has_suffix (name, LODGE_BUNDLE_SUFFIX) || !g_file_test (path, G_FILE_TEST_IS_DIR))
        continue;
      found = g_new0 (LlibFound, 1);
      found->path = g_steal_pointer (&path);
      found->bundle = lodge_bundle_load (found->path, &found->error);
      g_ptr_array_add (scan->found, found);
    }
  g_task_return_boolean (task, TRUE);
}

static void llib_scan (LodgeLibrary *self);

static void
llib_finish_scan (LodgeLibrary *self)
{
  g_autoptr (GPtrArray) tasks = g_steal_pointer (&self->scan_tasks);

  self->scan_tasks = g_ptr_array_new_with_free_func (g_object_unref);
  self->scanning = FALSE;
  if (!self->loaded)
    {
      self->loaded = TRUE;
      g_object_notify_by_pspec (G_OBJECT (self), llib_props[PROP_LOADED]);
    }
  for (guint i = 0; i < tasks->len; i++)
    g_task_return_boolean (tasks->pdata[i], TRUE);
  if (self->scan_wanted && self->scan_id == 0)
    llib_scan (self);
}

typedef struct {
  LodgeLibrary *self;
  guint n_connecting;
} LlibRound;

static void
llib_round_done (LlibRound *round)
{
  if (--round->n_connecting > 0)
    return;
  llib_finish_scan (round->self);
  g_object_unref (round->self);
  g_free (round);
}

static void
llib_on_connected_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  lodge_bundle_machine_connect_finish (LODGE_BUNDLE_MACHINE (object), result, NULL);
  llib_round_done (user_data);
}

static void
llib_on_scanned_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  LodgeLibrary *self = LODGE_LIBRARY (object);
  LlibScan *scan = g_task_get_task_data (G_TASK (result));
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GPtrArray) machines = g_ptr_array_new_with_free_func (g_object_unref);
  LlibRound *round = g_new0 (LlibRound, 1);

  round->self = g_object_ref (self);
  round->n_connecting = 1; /* this function itself */
  if (g_set_str (&self->message, scan->message))
    g_object_notify_by_pspec (G_OBJECT (self), llib_props[PROP_MESSAGE]);
  lodge_watcher_add (self->watcher, self->directory);
  lodge_watcher_add (self->watcher, self->socket_directory);

  for (guint i = 0; i < scan->found->len; i++)
    {
      LlibFound *found = scan->found->pdata[i];
      LodgeMachine *machine = g_hash_table_lookup (self->by_path, found->path);

      g_hash_table_add (seen, found->path);
      if (machine != NULL)
        {
          lodge_bundle_machine_take_bundle (LODGE_BUNDLE_MACHINE (machine), g_steal_pointer (&found->bundle), found->error);
          continue;
        }
      machine = LODGE_MACHINE (lodge_bundle_machine_new (found->path, self->executable));
      lodge_bundle_machine_take_bundle (LODGE_BUNDLE_MACHINE (machine), g_steal_pointer (&found->bundle), found->error);
      lodge_watcher_add (self->watcher, found->path);
      g_hash_table_insert (self->by_path, g_strdup (found->path), machine);
      g_signal_connect (machine, "notify::name", G_CALLBACK (llib_on_name_changed_cb), self);
      g_list_store_insert_sorted (self->store, machine, llib_compare, NULL);
      g_object_unref (machine);
    }

  for (guint i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (self->store)); i++)
    g_ptr_array_add (machines, g_list_model_get_item (G_LIST_MODEL (self->store), i));
  for (guint i = 0; i < machines->len; i++)
    {
      LodgeMachine *machine = machines->pdata[i];

      if (!g_hash_table_contains (seen, lodge_machine_get_path (machine)))
        {
          llib_remove (self, machine);
          continue;
        }
      round->n_connecting++;
      lodge_bundle_machine_connect_async (LODGE_BUNDLE_MACHINE (machine), NULL, llib_on_connected_cb, round);
    }
  llib_round_done (round);
}

static void
llib_scan (LodgeLibrary *self)
{
  g_autoptr (GTask) task = NULL;
  LlibScan *scan;

  g_clear_handle_id (&self->scan_id, g_source_remove);
  self->scan_wanted = TRUE;
  if (self->scanning)
    return;
  self->scan_wanted = FALSE;
  self->scanning = TRUE;
  g_ptr_array_extend_and_steal (self->scan_tasks, g_steal_pointer (&self->next_tasks));
  self->next_tasks = g_ptr_array_new_with_free_func (g_object_unref);

  scan = g_new0 (LlibScan, 1);
  scan->directory = g_strdup (self->directory);
  scan->socket_directory = g_strdup (self->socket_directory);
  scan->found = g_ptr_array_new_with_free_func (llib_found_free);
  task = g_task_new (self, NULL, llib_on_scanned_cb, NULL);
  g_task_set_task_data (task, scan, llib_scan_free);
  g_task_run_in_thread (task, llib_scan_thread);
}

static gboolean
llib_scan_cb (gpointer data)
{
  LodgeLibrary *self = data;

  self->scan_id = 0;
  llib_scan (self);
  return G_SOURCE_REMOVE;
}

static void
llib_on_socket_connected_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  lodge_bundle_machine_connect_finish (LODGE_BUNDLE_MACHINE (object), result, NULL);
}

static void
llib_on_watched_cb (const char *directory, const char *name, gpointer user_data)
{
  LodgeLibrary *self = user_data;

  if (directory != NULL && g_str_equal (directory, self->socket_directory))
    {
      for (guint i = 0; name != NULL && i < g_list_model_get_n_items (G_LIST_MODEL (self->store)); i++)
        {
          g_autoptr (LodgeMachine) machine = g_list_model_get_item (G_LIST_MODEL (self->store), i);
          const char *uuid = lodge_machine_get_uuid (machine);

          if (uuid != NULL && g_str_has_prefix (name, uuid) && g_str_has_suffix (name, ".sock"))
            lodge_bundle_machine_connect_async (LODGE_BUNDLE_MACHINE (machine), NULL, llib_on_socket_connected_cb, NULL);
        }
      return;
    }
  /* In a bundle only its settings count, in the library only bundles. */
  if (directory != NULL && name != NULL && !g_str_equal (name, LODGE_BUNDLE_CONF) && !g_str_has_suffix (name, LODGE_BUNDLE_SUFFIX))
    return;
  lodge_library_refresh (self, NULL);
}

void
lodge_library_refresh (LodgeLibrary *self, const char *path)
{
  if (self->scan_id == 0)
    self->scan_id = g_timeout_add (LLIB_SETTLE_MS, llib_scan_cb, self);
}

void
_lodge_library_sync_async (LodgeLibrary *self, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  GTask *task = g_task_new (self, cancellable, callback, user_data);

  g_task_set_source_tag (task, _lodge_library_sync_async);
  g_ptr_array_add (self->next_tasks, task);
  llib_scan (self);
}

gboolean
_lodge_library_sync_finish (LodgeLibrary *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  return g_task_propagate_boolean (G_TASK (result), error);
}

void
lodge_library_load_async (LodgeLibrary *self, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  GTask *task = g_task_new (self, cancellable, callback, user_data);

  g_task_set_source_tag (task, lodge_library_load_async);
  if (self->loaded)
    {
      g_task_return_boolean (task, TRUE);
      g_object_unref (task);
    }
  else
    g_ptr_array_add (self->scan_tasks, task); /* the first look has begun with us */
}

gboolean
lodge_library_load_finish (LodgeLibrary *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  return g_task_propagate_boolean (G_TASK (result), error);
}

/* --- Finding ------------------------------------------------------------------------------------------------------------------- */

LodgeMachine *
lodge_library_find_path (LodgeLibrary *self, const char *path)
{
  return g_hash_table_lookup (self->by_path, path);
}

LodgeMachine *
lodge_library_find (LodgeLibrary *self, const char *name, GError **error)
{
  LodgeMachine *found = NULL;
  guint n_found = 0;

  for (guint i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (self->store)); i++)
    {
      g_autoptr (LodgeMachine) machine = g_list_model_get_item (G_LIST_MODEL (self->store), i);
      const char *uuid = lodge_machine_get_uuid (machine);

      if (g_str_equal (lodge_machine_get_name (machine), name) || (uuid != NULL && g_ascii_strcasecmp (uuid, name) == 0))
        {
          found = machine;
          n_found++;
        }
    }
  if (n_found > 1)
    {
      g_set_error (error, LODGE_ERROR, LODGE_ERROR_EXISTS, _ ("Several machines are called “%s”."), name);
      return NULL;
    }
  if (found == NULL)
    g_set_error (error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND, _ ("There is no machine “%s”."), name);
  return found;
}

static gboolean
llib_is_taken (LodgeLibrary *self, const char *name)
{
  g_autofree char *folded = g_utf8_casefold (name, -1);

  for (guint i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (self->store)); i++)
    {
      g_autoptr (LodgeMachine) machine = g_list_model_get_item (G_LIST_MODEL (self->store), i);
      g_autofree char *other = g_utf8_casefold (lodge_machine_get_name (machine), -1);

      if (g_str_equal (folded, other))
        return TRUE;
    }
  return FALSE;
}

char *
lodge_library_dup_free_name (LodgeLibrary *self, const char *wish)
{
  char *name = g_strdup (wish);

  for (guint i = 2; llib_is_taken (self, name); i++)
    {
      g_free (name);
      name = g_strdup_printf ("%s %u", wish, i);
    }
  return name;
}

/* --- Trash --------------------------------------------------------------------------------------------------------------------- */

static void
llib_delete_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  LodgeLibrary *self = source;
  const char *path = data;
  g_autofree char *own_trash = g_build_filename (self->directory, ".trash", NULL);
  g_autoptr (GError) error = NULL;
  g_autofd int lock_fd = lodge_bundle_lock (path, &error);
  char *token;

  if (lock_fd < 0 && g_error_matches (error, LODGE_ERROR, LODGE_ERROR_BUSY))
    {
      g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_RUNNING, "%s", error->message);
      return;
    }
  g_clear_error (&error); /* a folder that cannot be locked cannot run either */
  token = lodge_trash_put (path, own_trash, &error);
  if (token != NULL)
    g_task_return_pointer (task, token, g_free);
  else
    g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_FAILED, "%s\n%s", _ ("The machine could not be moved to the trash."),
                             error->message);
}

static void
llib_on_deleted_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  LodgeLibrary *self = LODGE_LIBRARY (object);
  g_autoptr (GTask) task = user_data;
  LodgeMachine *machine = g_task_get_task_data (task);
  GError *error = NULL;
  char *token = g_task_propagate_pointer (G_TASK (result), &error);

  if (token == NULL)
    {
      g_task_return_error (task, error);
      return;
    }
  llib_remove (self, machine);
  g_task_return_pointer (task, token, g_free);
}

static void
llib_on_released_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  LodgeLibrary *self = g_task_get_source_object (task);
  g_autoptr (GTask) thread = NULL;
  GError *error = NULL;

  if (!lodge_bundle_machine_release_finish (LODGE_BUNDLE_MACHINE (object), result, &error))
    {
      g_task_return_error (task, error);
      return;
    }
  thread = g_task_new (self, NULL, llib_on_deleted_cb, g_object_ref (task));
  g_task_set_task_data (thread, g_strdup (lodge_machine_get_path (LODGE_MACHINE (object))), g_free);
  g_task_run_in_thread (thread, llib_delete_thread);
}

void
lodge_library_delete_async (LodgeLibrary *self, LodgeMachine *machine, GCancellable *cancellable, GAsyncReadyCallback callback,
                            gpointer user_data)
{
  GTask *task = g_task_new (self, cancellable, callback, user_data);

  g_task_set_source_tag (task, lodge_library_delete_async);
  g_task_set_task_data (task, g_object_ref (machine), g_object_unref);
  lodge_bundle_machine_release_async (LODGE_BUNDLE_MACHINE (machine), cancellable, llib_on_released_cb, task);
}

char *
lodge_library_delete_finish (LodgeLibrary *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}

static void
llib_restore_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  GError *error = NULL;
  char *path = lodge_trash_restore (data, &error);

  if (path != NULL)
    g_task_return_pointer (task, path, g_free);
  else
    g_task_return_error (task, error);
}

static void
llib_on_restored_synced_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  LodgeLibrary *self = LODGE_LIBRARY (object);
  g_autoptr (GTask) task = user_data;
  LodgeMachine *machine = lodge_library_find_path (self, g_task_get_task_data (task));

  if (machine != NULL)
    g_task_return_pointer (task, g_object_ref (machine), g_object_unref);
  else
    g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_NOT_FOUND, "%s", _ ("The machine is no longer in the trash."));
}

static void
llib_on_restored_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  GError *error = NULL;
  char *path = g_task_propagate_pointer (G_TASK (result), &error);

  if (path == NULL)
    {
      g_task_return_error (task, error);
      return;
    }
  g_task_set_task_data (task, path, g_free);
  _lodge_library_sync_async (LODGE_LIBRARY (object), NULL, llib_on_restored_synced_cb, g_steal_pointer (&task));
}

void
lodge_library_undo_delete_async (LodgeLibrary *self, const char *token, GCancellable *cancellable, GAsyncReadyCallback callback,
                                 gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);
  g_autoptr (GTask) thread = g_task_new (self, NULL, llib_on_restored_cb, g_object_ref (task));

  g_task_set_source_tag (task, lodge_library_undo_delete_async);
  g_task_set_task_data (thread, g_strdup (token), g_free);
  g_task_run_in_thread (thread, llib_restore_thread);
}

LodgeMachine *
lodge_library_undo_delete_finish (LodgeLibrary *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}

/* --- Object -------------------------------------------------------------------------------------------------------------------- */

LodgeLibrary *
lodge_library_new (const char *directory)
{
  return g_object_new (LODGE_TYPE_LIBRARY, "directory", directory, NULL);
}

const char *
lodge_library_get_directory (LodgeLibrary *self)
{
  return self->directory;
}

gboolean
lodge_library_get_loaded (LodgeLibrary *self)
{
  return self->loaded;
}

static void
llib_constructed (GObject *object)
{
  LodgeLibrary *self = LODGE_LIBRARY (object);

  G_OBJECT_CLASS (lodge_library_parent_class)->constructed (object);
  if (self->directory == NULL)
    self->directory = g_build_filename (g_get_user_data_dir (), "lodge", "machines", NULL);
  llib_scan (self);
}

static void
llib_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  LodgeLibrary *self = LODGE_LIBRARY (object);

  switch (id)
    {
    case PROP_DIRECTORY:
      self->directory = g_value_get_string (value) != NULL ? g_canonicalize_filename (g_value_get_string (value), NULL) : NULL;
      break;
    case PROP_EXECUTABLE:
      self->executable = g_value_dup_string (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
llib_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  LodgeLibrary *self = LODGE_LIBRARY (object);

  switch (id)
    {
    case PROP_LOADED:
      g_value_set_boolean (value, self->loaded);
      break;
    case PROP_MESSAGE:
      g_value_set_string (value, self->message);
      break;
    case PROP_DIRECTORY:
      g_value_set_string (value, self->directory);
      break;
    case PROP_EXECUTABLE:
      g_value_set_string (value, self->executable);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
llib_dispose (GObject *object)
{
  LodgeLibrary *self = LODGE_LIBRARY (object);

  g_clear_handle_id (&self->scan_id, g_source_remove);
  g_clear_pointer (&self->watcher, lodge_watcher_free);
  for (guint i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (self->store)); i++)
    {
      g_autoptr (LodgeMachine) machine = g_list_model_get_item (G_LIST_MODEL (self->store), i);

      g_signal_handlers_disconnect_by_data (machine, self);
    }
  G_OBJECT_CLASS (lodge_library_parent_class)->dispose (object);
}

static void
llib_finalize (GObject *object)
{
  LodgeLibrary *self = LODGE_LIBRARY (object);

  g_object_unref (self->store);
  g_hash_table_unref (self->by_path);
  g_ptr_array_unref (self->scan_tasks);
  g_ptr_array_unref (self->next_tasks);
  g_free (self->directory);
  g_free (self->executable);
  g_free (self->message);
  g_free (self->socket_directory);
  G_OBJECT_CLASS (lodge_library_parent_class)->finalize (object);
}

static void
lodge_library_class_init (LodgeLibraryClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags readable = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;
  const GParamFlags construct = G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS;

  object_class->constructed = llib_constructed;
  object_class->set_property = llib_set_property;
  object_class->get_property = llib_get_property;
  object_class->dispose = llib_dispose;
  object_class->finalize = llib_finalize;
  llib_props[PROP_LOADED] = g_param_spec_boolean ("loaded", NULL, NULL, FALSE, readable);
  llib_props[PROP_MESSAGE] = g_param_spec_string ("message", NULL, NULL, NULL, readable);
  llib_props[PROP_DIRECTORY] = g_param_spec_string ("directory", NULL, NULL, NULL, construct);
  llib_props[PROP_EXECUTABLE] = g_param_spec_string ("executable", NULL, NULL, NULL, construct);
  g_object_class_install_properties (object_class, N_PROPS, llib_props);
}

static void
lodge_library_init (LodgeLibrary *self)
{
  self->socket_directory = lodge_bundle_dup_socket_directory ();
  self->store = g_list_store_new (LODGE_TYPE_MACHINE);
  self->by_path = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->scan_tasks = g_ptr_array_new_with_free_func (g_object_unref);
  self->next_tasks = g_ptr_array_new_with_free_func (g_object_unref);
  self->watcher = lodge_watcher_new (llib_on_watched_cb, self);
  g_signal_connect_object (self->store, "items-changed", G_CALLBACK (llib_on_items_changed_cb), self, G_CONNECT_DEFAULT);
}
