/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A machine of the engine that runs in this very process.
 *
 * The engine's VmmMachine lives from a start to the next OFF: it is made on a worker thread, its events come on its control thread and
 * hop to the main context in order, and it is freed on a worker thread. Only then is the machine OFF for everybody else, so that
 * images and locks are free by then.
 */
#include "engine/engine-machine.h"

#include "engine/device-catalog.h"
#include "engine/engine-console.h"
#include "engine/net-forwards.h"
#include "engine/surface-picture.h"
#include "model/keys.h"
#include "model/machine-private.h"

#include <gio/gio.h>
#include <glib/gi18n.h>
#include <linux/input-event-codes.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vmm.h>

#define LENG_KEY_INTERVAL_MS 20 /* between two key events of typed text: a keyboard's buffer is 16 bytes */
#define LENG_THUMBNAIL_INTERVAL_MS 1000

struct _LodgeEngineMachine {
  LodgeMachine parent_instance;
  LodgeBundle *bundle;
  VmmMachine *vm;    /* (nullable) */
  gboolean starting; /* a worker makes the VmmMachine */
  gboolean closing;  /* it goes away: no more calls */
  gboolean stop_wanted;
  LodgeReason off_reason;
  GPtrArray *pending; /* GTask: verbs that wait for an event */
  GPtrArray *media;   /* GTask: changes of medium under way in the engine */

  GQueue strokes; /* LengStroke */
  guint stroke_id;

  VmmViewer *thumb_viewer;
  GPtrArray *thumb_tasks; /* GTask: wait for the scaling under way */
  gboolean thumb_scaling;
  guint64 thumb_serial;
  guint thumb_id;
};

typedef struct {
  guint16 code;
  gboolean down;
  GTask *task; /* (nullable) (owned): done after this stroke */
} LengStroke;

enum { SIGNAL_WINDOW_REQUESTED, N_SIGNALS };
static guint leng_signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (LodgeEngineMachine, lodge_engine_machine, LODGE_TYPE_MACHINE)

static gboolean
leng_is_alive (LodgeEngineMachine *self)
{
  return self->vm != NULL && !self->closing;
}

/* --- Reading the bundle ------------------------------------------------------------------------------------------------------ */

static void
leng_take_bundle (LodgeEngineMachine *self, LodgeBundle *bundle)
{
  LodgeMachine *machine = LODGE_MACHINE (self);
  g_autofree char *drive = lodge_bundle_find_drive (bundle);
  g_autofree char *serial = lodge_bundle_find_device (bundle, "serial");
  g_autofree char *medium = drive != NULL ? lodge_bundle_dup_medium (bundle, drive) : NULL;
  g_autofree char *settings = lodge_bundle_dup_text (bundle);
  LodgeCapabilities capabilities = LODGE_CAPABILITY_KEYBOARD;

  capabilities |= lodge_bundle_has_screen (bundle) ? LODGE_CAPABILITY_SCREENSHOT : 0;
  capabilities |= drive != NULL ? LODGE_CAPABILITY_MEDIUM : 0;
  capabilities |= serial != NULL ? LODGE_CAPABILITY_SERIAL : 0;
  if (self->bundle != bundle)
    {
      g_clear_pointer (&self->bundle, lodge_bundle_free);
      self->bundle = bundle;
    }
  _lodge_machine_set_name (machine, lodge_bundle_get_name (bundle));
  _lodge_machine_set_uuid (machine, lodge_bundle_get_uuid (bundle));
  _lodge_machine_set_path (machine, lodge_bundle_get_path (bundle));
  _lodge_machine_set_os_id (machine, lodge_bundle_get_os_id (bundle));
  _lodge_machine_set_memory_mib (machine, lodge_bundle_get_memory_mib (bundle));
  _lodge_machine_set_cpus (machine, lodge_bundle_get_cpus (bundle));
  _lodge_machine_set_capabilities (machine, capabilities);
  _lodge_machine_set_settings (machine, settings);
  _lodge_machine_set_medium (machine, medium);
}

/* --- From the control thread to the main context ------------------------------------------------------------------------------ */

typedef enum { LENG_EVENT_STATE, LENG_EVENT_MEDIUM, LENG_EVENT_RESET, LENG_EVENT_DONE } LengEventKind;

typedef struct {
  LodgeEngineMachine *self;
  VmmMachine *vm;
  LengEventKind kind;
  VmmMachineState state;
  VmmReason reason;
  char *text; /* (nullable): message or path */
  char *device_id;
  GTask *task;   /* (nullable) (owned): LENG_EVENT_DONE */
  GError *error; /* (nullable): LENG_EVENT_DONE */
} LengEvent;

static void leng_handle_event (LodgeEngineMachine *self, LengEvent *event);

static void
leng_event_free (gpointer data)
{
  LengEvent *event = data;

  g_clear_object (&event->task);
  g_clear_error (&event->error);
  g_free (event->text);
  g_free (event->device_id);
  g_object_unref (event->self);
  g_free (event);
}

static gboolean
leng_event_cb (gpointer data)
{
  LengEvent *event = data;

  leng_handle_event (event->self, event);
  return G_SOURCE_REMOVE;
}

static LengEvent *
leng_event_new (gpointer data, VmmMachine *vm, LengEventKind kind)
{
  LengEvent *event = g_new0 (LengEvent, 1);

  event->self = g_object_ref (data);
  event->vm = vm;
  event->kind = kind;
  return event;
}

static void
leng_post (LengEvent *event)
{
  g_idle_add_full (G_PRIORITY_DEFAULT, leng_event_cb, event, leng_event_free);
}

static void
leng_on_vm_state_changed_cb (VmmMachine *vm, VmmMachineState state, VmmReason reason, const char *message, gpointer data)
{
  LengEvent *event = leng_event_new (data, vm, LENG_EVENT_STATE);

  event->state = state;
  event->reason = reason;
  event->text = g_strdup (message);
  leng_post (event);
}

static void
leng_on_vm_medium_changed_cb (VmmMachine *vm, const char *device_id, const char *path, gpointer data)
{
  LengEvent *event = leng_event_new (data, vm, LENG_EVENT_MEDIUM);

  event->device_id = g_strdup (device_id);
  event->text = g_strdup (path);
  leng_post (event);
}

static void
leng_on_vm_reset_cb (VmmMachine *vm, gpointer data)
{
  leng_post (leng_event_new (data, vm, LENG_EVENT_RESET));
}

static const VmmMachineEvents leng_events = {
  .state_changed = leng_on_vm_state_changed_cb,
  .medium_changed = leng_on_vm_medium_changed_cb,
  .was_reset = leng_on_vm_reset_cb,
};

/* --- Verbs that wait for an event ---------------------------------------------------------------------------------------------- */

static LodgeVerb
leng_task_verb (GTask *task)
{
  return (LodgeVerb) GPOINTER_TO_INT (g_task_get_task_data (task));
}

static void
leng_await (LodgeEngineMachine *self, LodgeVerb verb, GTask *task)
{
  g_task_set_task_data (task, GINT_TO_POINTER (verb), NULL);
  g_ptr_array_add (self->pending, g_object_ref (task));
}

/* Ends the verbs that @state decides. */
static void
leng_settle (LodgeEngineMachine *self, LodgeMachineState state, gboolean was_reset)
{
  g_autoptr (GPtrArray) tasks = g_steal_pointer (&self->pending);

  self->pending = g_ptr_array_new_with_free_func (g_object_unref);
  for (guint i = 0; i < tasks->len; i++)
    {
      GTask *task = tasks->pdata[i];
      gboolean done = FALSE;

      switch (leng_task_verb (task))
        {
        case LODGE_VERB_PAUSE:
          done = state == LODGE_MACHINE_STATE_PAUSED;
          break;
        case LODGE_VERB_RESET:
          done = was_reset;
          break;
        case LODGE_VERB_FORCE_OFF:
          done = state == LODGE_MACHINE_STATE_OFF;
          break;
        case LODGE_VERB_START:
        case LODGE_VERB_START_HEADLESS:
        case LODGE_VERB_RESUME:
        default:
          done = state == LODGE_MACHINE_STATE_RUNNING;
          break;
        }
      if (done)
        g_task_return_boolean (task, TRUE);
      else if (state == LODGE_MACHINE_STATE_FAILED && leng_task_verb (task) != LODGE_VERB_FORCE_OFF)
        g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_FAILED, "%s", lodge_machine_get_message (LODGE_MACHINE (self)));
      else if (state == LODGE_MACHINE_STATE_OFF)
        _lodge_machine_return_off (LODGE_MACHINE (self), task);
      else
        g_ptr_array_add (self->pending, g_object_ref (task));
    }
}

/* --- The end of a run ---------------------------------------------------------------------------------------------------------- */

static void
leng_close_parts (LodgeEngineMachine *self)
{
  GListModel *consoles = lodge_machine_get_consoles (LODGE_MACHINE (self));
  LengStroke *stroke;

  g_clear_handle_id (&self->stroke_id, g_source_remove);
  while ((stroke = g_queue_pop_head (&self->strokes)) != NULL)
    {
      if (stroke->task != NULL)
        _lodge_machine_return_off (LODGE_MACHINE (self), stroke->task);
      g_clear_object (&stroke->task);
      g_free (stroke);
    }
  g_clear_pointer (&self->thumb_viewer, vmm_viewer_free);
  for (guint i = 0; i < g_list_model_get_n_items (consoles); i++)
    {
      g_autoptr (LodgeEngineConsole) console = g_list_model_get_item (consoles, i);

      lodge_engine_console_close (console);
    }
  _lodge_machine_set_console (LODGE_MACHINE (self), NULL);
}

static void
leng_free_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  vmm_machine_free (data);
  g_task_return_boolean (task, TRUE);
}

static void
leng_on_vm_freed_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  LodgeEngineMachine *self = LODGE_ENGINE_MACHINE (object);
  g_autoptr (GPtrArray) media = g_steal_pointer (&self->media);

  self->media = g_ptr_array_new_with_free_func (g_object_unref);
  self->vm = NULL;
  self->closing = FALSE;
  for (guint i = 0; i < media->len; i++)
    _lodge_machine_return_off (LODGE_MACHINE (self), media->pdata[i]);
  _lodge_machine_set_started_at (LODGE_MACHINE (self), 0);
  _lodge_machine_set_running_settings (LODGE_MACHINE (self), NULL);
  _lodge_machine_set_state (LODGE_MACHINE (self), LODGE_MACHINE_STATE_OFF, self->off_reason, NULL);
  leng_settle (self, LODGE_MACHINE_STATE_OFF, FALSE);
}

/* -> OFF, when the engine's machine is gone. */
static void
leng_close (LodgeEngineMachine *self, LodgeReason reason)
{
  g_autoptr (GTask) task = NULL;

  if (!leng_is_alive (self))
    return;
  self->closing = TRUE;
  self->off_reason = reason;
  leng_close_parts (self);
  task = g_task_new (self, NULL, leng_on_vm_freed_cb, NULL);
  g_task_set_task_data (task, self->vm, NULL);
  g_task_run_in_thread (task, leng_free_thread);
}

/* --- Media --------------------------------------------------------------------------------------------------------------------- */

/* What the engine does while the machine runs. Media write themselves into machine.conf, the others are written by who asked. */
typedef enum { LENG_LIVE_MEDIUM, LENG_LIVE_LINK, LENG_LIVE_ADD_FORWARD, LENG_LIVE_REMOVE_FORWARD } LengLive;

typedef struct {
  LengLive live;
  char *path, *device_id, *medium; /* medium: or the link's "true" and "false", or a forward */
} LengStore;

static void
leng_store_free (gpointer data)
{
  LengStore *store = data;

  g_free (store->path);
  g_free (store->device_id);
  g_free (store->medium);
  g_free (store);
}

/* What machine.conf says after a change that did not come by configure. */
static void
leng_reload_settings (LodgeEngineMachine *self)
{
  g_autoptr (LodgeBundle) bundle = lodge_bundle_load (lodge_machine_get_path (LODGE_MACHINE (self)), NULL);
  g_autofree char *settings = bundle != NULL ? lodge_bundle_dup_text (bundle) : NULL;

  if (settings != NULL)
    _lodge_machine_set_settings (LODGE_MACHINE (self), settings);
}

static void
leng_store_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  LengStore *store = data;
  GError *error = NULL;

  if (lodge_bundle_edit (store->path, store->device_id, "image", store->medium, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

static void
leng_on_medium_stored_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) verb = user_data;
  GError *error = NULL;

  if (g_task_propagate_boolean (G_TASK (result), &error))
    {
      leng_reload_settings (LODGE_ENGINE_MACHINE (object));
      if (verb != NULL)
        g_task_return_boolean (verb, TRUE);
    }
  else if (verb != NULL)
    g_task_return_error (verb, error);
  else
    {
      g_warning ("The change of medium is not remembered: %s", error->message);
      g_error_free (error);
    }
}

/* Writes into machine.conf what is in the drive. @verb: (nullable): ended when that is done */
static void
leng_store_medium (LodgeEngineMachine *self, const char *device_id, const char *medium, GTask *verb)
{
  g_autofree char *first = lodge_bundle_find_drive (self->bundle);
  GTask *task = g_task_new (self, NULL, leng_on_medium_stored_cb, verb != NULL ? g_object_ref (verb) : NULL);
  LengStore *store = g_new0 (LengStore, 1);

  store->path = g_strdup (lodge_machine_get_path (LODGE_MACHINE (self)));
  store->device_id = g_strdup (device_id);
  store->medium = g_strdup (medium);
  if (g_strcmp0 (first, device_id) == 0)
    _lodge_machine_set_medium (LODGE_MACHINE (self), medium);
  g_task_set_task_data (task, store, leng_store_free);
  g_task_run_in_thread (task, leng_store_thread);
  g_object_unref (task);
}

static void
leng_on_vm_medium_done_cb (VmmMachine *vm, const GError *error, gpointer data)
{
  GTask *task = data;
  LengEvent *event = leng_event_new (g_task_get_source_object (task), vm, LENG_EVENT_DONE);

  event->task = g_object_ref (task);
  event->error = error != NULL ? g_error_copy (error) : NULL;
  leng_post (event);
}

static void
leng_handle_medium_done (LodgeEngineMachine *self, LengEvent *event)
{
  LengStore *wish = g_task_get_task_data (event->task);
  g_autoptr (GTask) task = g_object_ref (event->task);

  if (!g_ptr_array_remove (self->media, event->task))
    return; /* the machine went off meanwhile, and the verb with it */
  if (event->error == NULL && wish->live != LENG_LIVE_MEDIUM)
    g_task_return_boolean (task, TRUE);
  else if (event->error == NULL)
    leng_store_medium (self, wish->device_id, wish->medium, task);
  else if (g_error_matches (event->error, VMM_ERROR, VMM_ERROR_BUSY) && wish->medium == NULL)
    g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_BUSY, "%s\n%s",
                             _ ("The guest has locked the disc. Eject it in the guest, or force it out."), event->error->message);
  else
    g_task_return_error (task, lodge_bundle_error_from_engine (g_steal_pointer (&event->error),
                                                               wish->live == LENG_LIVE_MEDIUM ? _ ("The disc could not be changed.")
                                                               : wish->live == LENG_LIVE_LINK
                                                                   ? _ ("The network cable could not be moved.")
                                                                   : _ ("The port forward could not be changed.")));
}

static void
leng_change_medium (LodgeMachine *machine, const char *device_id, const char *path, gboolean force, GTask *task)
{
  LodgeEngineMachine *self = LODGE_ENGINE_MACHINE (machine);
  g_autofree char *device = device_id != NULL ? g_strdup (device_id) : lodge_bundle_find_drive (self->bundle);
  LengStore *wish = g_new0 (LengStore, 1);

  wish->device_id = g_strdup (device);
  wish->medium = path != NULL ? g_canonicalize_filename (path, NULL) : NULL;
  g_task_set_task_data (task, wish, leng_store_free);
  if (device == NULL || !lodge_bundle_has_drive (self->bundle, device))
    g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_NOT_FOUND,
                             device_id != NULL ? _ ("“%s” has no drive “%s”.") : _ ("“%s” has no CD drive."),
                             lodge_machine_get_name (machine), device_id);
  else if (self->starting || self->closing)
    g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_BUSY, _ ("“%s” is still busy with something else."),
                             lodge_machine_get_name (machine));
  else if (self->vm == NULL)
    leng_store_medium (self, device, wish->medium, task);
  else
    {
      g_ptr_array_add (self->media, g_object_ref (task));
      vmm_machine_change_medium (self->vm, device, wish->medium, force, leng_on_vm_medium_done_cb, task);
    }
}

/* --- Settings ------------------------------------------------------------------------------------------------------------------ */

typedef struct {
  GTask *verb; /* (owned) */
  char *path;
  GVariant *changes; /* what is written when the steps are done */
  GQueue steps;      /* LengStore: what the engine does first, so that what it refuses is not written */
} LengConfigure;

static void
leng_configure_free (LengConfigure *wish)
{
  g_object_unref (wish->verb);
  g_free (wish->path);
  g_clear_pointer (&wish->changes, g_variant_unref);
  g_queue_clear_full (&wish->steps, leng_store_free);
  g_free (wish);
}

static void
leng_configure_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  LengConfigure *wish = data;
  GError *error = NULL;
  LodgeBundle *bundle = lodge_bundle_apply (wish->path, wish->changes, &error);

  if (bundle != NULL)
    g_task_return_pointer (task, bundle, (GDestroyNotify) lodge_bundle_free);
  else
    g_task_return_error (task, error);
}

static void
leng_on_configured_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  LodgeEngineMachine *self = LODGE_ENGINE_MACHINE (object);
  LengConfigure *wish = user_data;
  GError *error = NULL;
  g_autoptr (LodgeBundle) bundle = g_task_propagate_pointer (G_TASK (result), &error);
  g_autofree char *settings = NULL;

  if (bundle == NULL)
    g_task_return_error (wish->verb, error);
  else
    {
      settings = lodge_bundle_dup_text (bundle);
      _lodge_machine_set_settings (LODGE_MACHINE (self), settings);
      if (self->vm == NULL && !self->starting)
        leng_take_bundle (self, g_steal_pointer (&bundle));
      g_task_return_boolean (wish->verb, TRUE);
    }
  leng_configure_free (wish);
}

static void leng_configure_next (LodgeEngineMachine *self, LengConfigure *wish);

static void
leng_on_step_done_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  LengConfigure *wish = user_data;
  GError *error = NULL;

  if (g_task_propagate_boolean (G_TASK (result), &error))
    leng_configure_next (LODGE_ENGINE_MACHINE (object), wish);
  else
    {
      g_task_return_error (wish->verb, error);
      leng_configure_free (wish);
    }
}

static void
leng_run_step (LodgeEngineMachine *self, LengStore *step, GTask *task)
{
  g_task_set_task_data (task, step, leng_store_free);
  if (step->live == LENG_LIVE_MEDIUM)
    {
      g_autofree char *device_id = g_strdup (step->device_id);
      g_autofree char *medium = g_strdup (step->medium);

      leng_change_medium (LODGE_MACHINE (self), device_id, medium, FALSE, task);
      return;
    }
  if (!leng_is_alive (self))
    {
      g_task_return_boolean (task, TRUE); /* it went off meanwhile: what is written holds at the next start */
      return;
    }
  g_ptr_array_add (self->media, g_object_ref (task));
  if (step->live == LENG_LIVE_LINK)
    vmm_machine_net_set_link (self->vm, step->device_id, g_str_equal (step->medium, "true"), leng_on_vm_medium_done_cb, task);
  else if (step->live == LENG_LIVE_ADD_FORWARD)
    vmm_machine_net_add_forward (self->vm, step->device_id, step->medium, leng_on_vm_medium_done_cb, task);
  else
    vmm_machine_net_remove_forward (self->vm, step->device_id, step->medium, leng_on_vm_medium_done_cb, task);
}

static void
leng_configure_next (LodgeEngineMachine *self, LengConfigure *wish)
{
  LengStore *step = g_queue_pop_head (&wish->steps);
  g_autoptr (GTask) task = NULL;

  if (step != NULL)
    {
      task = g_task_new (self, NULL, leng_on_step_done_cb, wish);
      leng_run_step (self, step, task);
      return;
    }
  if (g_variant_n_children (wish->changes) == 0)
    {
      g_task_return_boolean (wish->verb, TRUE);
      leng_configure_free (wish);
      return;
    }
  task = g_task_new (self, NULL, leng_on_configured_cb, wish);
  g_task_set_task_data (task, wish, NULL);
  g_task_run_in_thread (task, leng_configure_thread);
}

static void
leng_add_step (LengConfigure *wish, LengLive live, const char *device_id, char *value)
{
  LengStore *step = g_new0 (LengStore, 1);

  step->live = live;
  step->device_id = g_strdup (device_id);
  step->medium = value;
  g_queue_push_tail (&wish->steps, step);
}

/* What leads from the forwards @before to those in @after: removals first, so that a port can change its target. */
static gboolean
leng_add_forward_steps (LengConfigure *wish, const char *device_id, const char *before, const char *after, GError **error)
{
  g_auto (GStrv) old = lodge_net_forwards_parse (before, NULL);
  g_auto (GStrv) now = lodge_net_forwards_parse (after, error);

  if (now == NULL)
    return FALSE;
  for (guint i = 0; old != NULL && old[i] != NULL; i++)
    if (!g_strv_contains ((const char *const *) now, old[i]))
      leng_add_step (wish, LENG_LIVE_REMOVE_FORWARD, device_id, g_strdup (old[i]));
  for (guint i = 0; now[i] != NULL; i++)
    if (old == NULL || !g_strv_contains ((const char *const *) old, now[i]))
      leng_add_step (wish, LENG_LIVE_ADD_FORWARD, device_id, g_strdup (now[i]));
  return TRUE;
}

/* What the engine does of a change while the machine runs. Returns: FALSE with @error if the change is wrong. @ret_write: to be written */
static gboolean
leng_plan_change (LodgeEngineMachine *self, LengConfigure *wish, const char *group, const char *key, const char *value,
                  gboolean *ret_write, GError **error)
{
  g_autofree char *class_name = lodge_bundle_dup_value (self->bundle, group, "class");
  const LodgeDeviceInfo *info = class_name != NULL ? lodge_device_catalog_find (class_name) : NULL;
  const LodgeSettingInfo *setting = info != NULL ? lodge_device_info_find (info, key) : NULL;
  g_autofree char *network = NULL;

  *ret_write = TRUE;
  if (setting == NULL || !setting->live)
    return TRUE;
  if (*value != '\0' && !lodge_bundle_setting_check (group, class_name, key, value, error))
    return FALSE;
  if (g_str_equal (key, "image"))
    {
      *ret_write = FALSE;
      leng_add_step (wish, LENG_LIVE_MEDIUM, group, *value != '\0' ? g_canonicalize_filename (value, wish->path) : NULL);
    }
  else if (g_str_equal (key, "link"))
    leng_add_step (wish, LENG_LIVE_LINK, group, g_strdup (*value != '\0' ? value : setting->fallback));
  else if (g_str_equal (key, "forward"))
    {
      g_autoptr (GKeyFile) file = g_key_file_new ();
      g_autofree char *before = NULL;

      network = lodge_bundle_dup_value (self->bundle, group, "network");
      if (network != NULL && !g_str_equal (network, "user"))
        return lodge_net_forwards_check (value, error); /* kept for when it is on that network again */
      g_key_file_load_from_data (file, lodge_machine_get_settings (LODGE_MACHINE (self)), (gsize) -1, G_KEY_FILE_NONE, NULL);
      before = g_key_file_get_string (file, group, key, NULL);
      return leng_add_forward_steps (wish, group, before, value, error);
    }
  return TRUE;
}

static void
leng_configure (LodgeMachine *machine, GVariant *changes, GTask *verb)
{
  LodgeEngineMachine *self = LODGE_ENGINE_MACHINE (machine);
  gboolean is_on = self->vm != NULL || self->starting;
  g_autoptr (GVariantBuilder) rest = g_variant_builder_new (G_VARIANT_TYPE ("a(sss)"));
  LengConfigure *wish = g_new0 (LengConfigure, 1);
  const char *group, *key, *value;
  GError *error = NULL;
  GVariantIter iter;

  wish->verb = g_object_ref (verb);
  wish->path = g_strdup (lodge_machine_get_path (machine));
  g_variant_iter_init (&iter, changes);
  while (error == NULL && g_variant_iter_next (&iter, "(&s&s&s)", &group, &key, &value))
    {
      gboolean write = TRUE;

      if (is_on && g_str_equal (group, "machine") && g_str_equal (key, "uuid"))
        /* The socket has its name, and the manager looks for it by that. */
        error = g_error_new (LODGE_ERROR, LODGE_ERROR_RUNNING, _ ("The identifier of “%s” can change only while it is off."),
                             lodge_machine_get_name (machine));
      else if (is_on)
        leng_plan_change (self, wish, group, key, value, &write, &error);
      if (write)
        g_variant_builder_add (rest, "(sss)", group, key, value);
    }
  if (error != NULL)
    {
      g_task_return_error (verb, error);
      leng_configure_free (wish);
      return;
    }
  wish->changes = g_variant_ref_sink (g_variant_builder_end (rest));
  leng_configure_next (self, wish);
}

/* --- Events -------------------------------------------------------------------------------------------------------------------- */

static char *
leng_dup_message (VmmReason reason, const char *detail)
{
  const char *sentence;

  switch (reason)
    {
    case VMM_REASON_NO_SPACE:
      sentence = _ ("This computer's disk is full. Make room, then resume the machine.");
      break;
    case VMM_REASON_IO_ERROR:
      sentence = _ ("This computer cannot read or write a disk of the machine. Resume to try again.");
      break;
    case VMM_REASON_FAULT:
      sentence = _ ("The machine stopped because of a fault.");
      break;
    case VMM_REASON_NONE:
    case VMM_REASON_REQUEST:
    case VMM_REASON_GUEST:
    default:
      return g_strdup (detail);
    }
  return detail != NULL ? g_strconcat (sentence, "\n", detail, NULL) : g_strdup (sentence);
}

static LodgeReason
leng_reason_from_vmm (VmmReason reason)
{
  switch (reason)
    {
    case VMM_REASON_REQUEST:
      return LODGE_REASON_REQUEST;
    case VMM_REASON_GUEST:
      return LODGE_REASON_GUEST;
    case VMM_REASON_NO_SPACE:
      return LODGE_REASON_NO_SPACE;
    case VMM_REASON_IO_ERROR:
      return LODGE_REASON_IO_ERROR;
    case VMM_REASON_FAULT:
      return LODGE_REASON_FAULT;
    case VMM_REASON_NONE:
    default:
      return LODGE_REASON_NONE;
    }
}

static void
leng_handle_state (LodgeEngineMachine *self, LengEvent *event)
{
  LodgeMachine *machine = LODGE_MACHINE (self);
  g_autofree char *message = leng_dup_message (event->reason, event->text);
  LodgeMachineState state = LODGE_MACHINE_STATE_RUNNING;

  switch (event->state)
    {
    case VMM_MACHINE_OFF:
      leng_close (self, leng_reason_from_vmm (event->reason));
      return;
    case VMM_MACHINE_RUNNING:
      state = LODGE_MACHINE_STATE_RUNNING;
      if (lodge_machine_get_started_at (machine) == 0)
        _lodge_machine_set_started_at (machine, g_get_real_time () / G_USEC_PER_SEC);
      break;
    case VMM_MACHINE_PAUSED:
      state = LODGE_MACHINE_STATE_PAUSED;
      break;
    case VMM_MACHINE_FAILED:
    default:
      state = LODGE_MACHINE_STATE_FAILED;
      break;
    }
  _lodge_machine_set_state (machine, state, leng_reason_from_vmm (event->reason), message);
  leng_settle (self, state, FALSE);
}

static void
leng_handle_event (LodgeEngineMachine *self, LengEvent *event)
{
  if (event->vm != self->vm || self->closing)
    return;
  switch (event->kind)
    {
    case LENG_EVENT_STATE:
      leng_handle_state (self, event);
      break;
    case LENG_EVENT_MEDIUM:
      leng_store_medium (self, event->device_id, event->text, NULL);
      break;
    case LENG_EVENT_RESET:
      _lodge_machine_emit_was_reset (LODGE_MACHINE (self));
      leng_settle (self, lodge_machine_get_state (LODGE_MACHINE (self)), TRUE);
      break;
    case LENG_EVENT_DONE:
      leng_handle_medium_done (self, event);
      break;
    default:
      g_assert_not_reached ();
    }
}

/* --- Verbs --------------------------------------------------------------------------------------------------------------------- */

typedef struct {
  char *path;
  LodgeBundle *bundle; /* (nullable): as read for this start */
} LengStart;

static void
leng_start_free (gpointer data)
{
  LengStart *start = data;

  g_free (start->path);
  g_clear_pointer (&start->bundle, lodge_bundle_free);
  g_free (start);
}

static void
leng_start_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  LengStart *start = data;
  g_autofree char *log_dir = g_build_filename (start->path, "log", NULL);
  g_autofree char *sentence = NULL;
  g_autoptr (VmmConfig) config = NULL;
  VmmMachine *vm = NULL;
  GError *error = NULL;

  start->bundle = lodge_bundle_load (start->path, &error);
  if (start->bundle != NULL)
    config = lodge_bundle_create_config (start->bundle, &error);
  if (config != NULL)
    vm = vmm_machine_new (config, log_dir, &leng_events, source, &error);
  if (vm != NULL)
    {
      g_task_return_pointer (task, vm, (GDestroyNotify) vmm_machine_free);
      return;
    }
  if (error->domain == LODGE_ERROR || start->bundle == NULL)
    g_task_return_error (task, error);
  else
    {
      if (g_error_matches (error, VMM_ERROR, VMM_ERROR_HOST) || g_error_matches (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED))
        sentence = g_strdup_printf (_ ("“%s” could not be started."), lodge_bundle_get_name (start->bundle));
      g_task_return_error (task, lodge_bundle_error_from_engine (error, sentence));
    }
}

static void
leng_on_vm_made_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  LodgeEngineMachine *self = LODGE_ENGINE_MACHINE (object);
  LengStart *start = g_task_get_task_data (G_TASK (result));
  g_autoptr (GTask) verb = user_data;
  GError *error = NULL;
  VmmMachine *vm = g_task_propagate_pointer (G_TASK (result), &error);

  self->starting = FALSE;
  if (vm == NULL)
    {
      _lodge_machine_set_state (LODGE_MACHINE (self), LODGE_MACHINE_STATE_OFF, LODGE_REASON_NONE, error->message);
      g_task_return_error (verb, error);
      leng_settle (self, LODGE_MACHINE_STATE_OFF, FALSE);
      return;
    }
  self->vm = vm;
  leng_take_bundle (self, g_steal_pointer (&start->bundle));
  _lodge_machine_set_running_settings (LODGE_MACHINE (self), lodge_machine_get_settings (LODGE_MACHINE (self)));
  leng_await (self, LODGE_VERB_START, verb);
  if (self->stop_wanted)
    {
      leng_close (self, LODGE_REASON_REQUEST);
      return;
    }
  for (guint i = 0; vmm_machine_get_console (vm, i) != NULL; i++)
    {
      g_autoptr (LodgeEngineConsole) console = lodge_engine_console_new (vm, i);

      if (i == 0)
        _lodge_machine_set_console (LODGE_MACHINE (self), LODGE_CONSOLE (console));
      else
        _lodge_machine_add_console (LODGE_MACHINE (self), LODGE_CONSOLE (console));
    }
  vmm_machine_start (vm);
}

static void
leng_start (LodgeEngineMachine *self, GTask *verb)
{
  GTask *task = g_task_new (self, NULL, leng_on_vm_made_cb, g_object_ref (verb));
  LengStart *start = g_new0 (LengStart, 1);

  self->starting = TRUE;
  self->stop_wanted = FALSE;
  start->path = g_strdup (lodge_machine_get_path (LODGE_MACHINE (self)));
  _lodge_machine_set_state (LODGE_MACHINE (self), LODGE_MACHINE_STATE_STARTING, LODGE_REASON_REQUEST, NULL);
  g_task_set_task_data (task, start, leng_start_free);
  g_task_run_in_thread (task, leng_start_thread);
  g_object_unref (task);
}

static void
leng_act (LodgeMachine *machine, LodgeVerb verb, GTask *task)
{
  LodgeEngineMachine *self = LODGE_ENGINE_MACHINE (machine);

  if (verb == LODGE_VERB_START || verb == LODGE_VERB_START_HEADLESS)
    {
      leng_start (self, task);
      return;
    }
  if (verb == LODGE_VERB_SHOW_WINDOW)
    {
      g_signal_emit (self, leng_signals[SIGNAL_WINDOW_REQUESTED], 0);
      g_task_return_boolean (task, TRUE);
      return;
    }
  if (verb == LODGE_VERB_FORCE_OFF)
    {
      leng_await (self, verb, task);
      self->stop_wanted = TRUE;
      leng_close (self, LODGE_REASON_REQUEST);
      return;
    }
  if (!leng_is_alive (self))
    {
      _lodge_machine_return_off (machine, task);
      return;
    }
  if (verb == LODGE_VERB_SHUT_DOWN)
    {
      vmm_machine_power_button (self->vm);
      g_task_return_boolean (task, TRUE);
      return;
    }
  leng_await (self, verb, task);
  if (verb == LODGE_VERB_PAUSE)
    vmm_machine_pause (self->vm);
  else if (verb == LODGE_VERB_RESUME)
    vmm_machine_resume (self->vm);
  else
    vmm_machine_reset (self->vm);
}

/* --- Keys ---------------------------------------------------------------------------------------------------------------------- */

static gboolean
leng_stroke_cb (gpointer data)
{
  LodgeEngineMachine *self = data;
  LengStroke *stroke = g_queue_pop_head (&self->strokes);

  if (stroke == NULL)
    {
      self->stroke_id = 0;
      return G_SOURCE_REMOVE;
    }
  vmm_machine_key (self->vm, stroke->code, stroke->down);
  if (stroke->task != NULL)
    g_task_return_boolean (stroke->task, TRUE);
  g_clear_object (&stroke->task);
  g_free (stroke);
  return G_SOURCE_CONTINUE;
}

static void
leng_push_stroke (LodgeEngineMachine *self, guint code, gboolean down)
{
  LengStroke *stroke = g_new0 (LengStroke, 1);

  stroke->code = (guint16) code;
  stroke->down = down;
  g_queue_push_tail (&self->strokes, stroke);
}

/* Ends @task after the last stroke so far, and sees that strokes are sent. */
static void
leng_flush_strokes (LodgeEngineMachine *self, GTask *task)
{
  LengStroke *last = g_queue_peek_tail (&self->strokes);

  if (!leng_is_alive (self))
    {
      leng_close_parts (self);
      _lodge_machine_return_off (LODGE_MACHINE (self), task);
      return;
    }
  if (last == NULL)
    {
      g_task_return_boolean (task, TRUE);
      return;
    }
  last->task = g_object_ref (task);
  if (self->stroke_id == 0)
    self->stroke_id = g_timeout_add (LENG_KEY_INTERVAL_MS, leng_stroke_cb, self);
}

static void
leng_send_keys (LodgeMachine *machine, const guint *codes, gsize n_codes, GTask *task)
{
  LodgeEngineMachine *self = LODGE_ENGINE_MACHINE (machine);

  for (gsize i = 0; i < n_codes; i++)
    if (codes[i] == KEY_RESERVED || codes[i] > KEY_MAX)
      {
        g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_INVALID, _ ("There is no key with number %u."), codes[i]);
        return;
      }
  for (gsize i = 0; i < n_codes; i++)
    leng_push_stroke (self, codes[i], TRUE);
  for (gsize i = n_codes; i > 0; i--)
    leng_push_stroke (self, codes[i - 1], FALSE);
  leng_flush_strokes (self, task);
}

static void
leng_type_text (LodgeMachine *machine, const char *text, GTask *task)
{
  LodgeEngineMachine *self = LODGE_ENGINE_MACHINE (machine);

  for (const char *p = text; *p != '\0'; p = g_utf8_next_char (p))
    {
      guint code = 0;
      gboolean shift = FALSE;

      if (!lodge_keys_for_char (g_utf8_get_char (p), &code, &shift))
        continue; /* checked before */
      if (shift)
        leng_push_stroke (self, KEY_LEFTSHIFT, TRUE);
      leng_push_stroke (self, code, TRUE);
      leng_push_stroke (self, code, FALSE);
      if (shift)
        leng_push_stroke (self, KEY_LEFTSHIFT, FALSE);
    }
  leng_flush_strokes (self, task);
}

/* --- The screen ---------------------------------------------------------------------------------------------------------------- */

static void
leng_copy_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  g_task_return_pointer (task, lodge_picture_copy (data), (GDestroyNotify) lodge_picture_unref);
}

static void
leng_scale_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  g_task_return_pointer (task, lodge_picture_scale_down (data, LODGE_THUMBNAIL_WIDTH, LODGE_THUMBNAIL_HEIGHT),
                         (GDestroyNotify) lodge_picture_unref);
}

static void
leng_return_no_screen (LodgeMachine *machine, guint head, GTask *task)
{
  if (head == 0)
    g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_UNSUPPORTED, _ ("“%s” has no screen."),
                             lodge_machine_get_name (machine));
  else
    g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_UNSUPPORTED, _ ("“%s” has no screen %u."),
                             lodge_machine_get_name (machine), head + 1);
}

static void
leng_screenshot (LodgeMachine *machine, guint head, GTask *task)
{
  LodgeEngineMachine *self = LODGE_ENGINE_MACHINE (machine);
  VmmConsole *console = leng_is_alive (self) ? vmm_machine_get_console (self->vm, head) : NULL;
  g_autoptr (VmmViewer) viewer = console != NULL ? vmm_console_add_viewer (console) : NULL;
  g_auto (VmmFrame) frame = { 0 };
  LodgePicture *picture = NULL;

  if (viewer != NULL && vmm_viewer_pull (viewer, &frame))
    picture = lodge_surface_picture_new (frame.surface);
  if (picture == NULL)
    {
      leng_return_no_screen (machine, head, task);
      return;
    }
  g_task_set_task_data (task, picture, (GDestroyNotify) lodge_picture_unref);
  g_task_run_in_thread (task, leng_copy_thread);
}

static void
leng_resize_screen (LodgeMachine *machine, guint head, int width, int height, GTask *task)
{
  LodgeEngineMachine *self = LODGE_ENGINE_MACHINE (machine);
  VmmConsole *console = leng_is_alive (self) ? vmm_machine_get_console (self->vm, head) : NULL;

  if (console == NULL)
    leng_return_no_screen (machine, head, task);
  else if (!vmm_console_can_resize (console))
    g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_UNSUPPORTED, _ ("The graphics adapter of “%s” cannot ask for a size."),
                             lodge_machine_get_name (machine));
  else
    {
      vmm_console_request_size (console, width, height);
      g_task_return_boolean (task, TRUE);
    }
}

static void
leng_read_text (LodgeMachine *machine, GTask *task)
{
  LodgeEngineMachine *self = LODGE_ENGINE_MACHINE (machine);
  VmmConsole *console = leng_is_alive (self) ? vmm_machine_get_console (self->vm, 0) : NULL;
  char *text = console != NULL ? vmm_console_dup_text (console) : NULL;

  if (text != NULL)
    g_task_return_pointer (task, text, g_free);
  else
    g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_UNSUPPORTED,
                             console != NULL ? _ ("“%s” shows graphics now, no text.") : _ ("“%s” has no screen."),
                             lodge_machine_get_name (machine));
}

static void
leng_return_thumbnail (LodgeEngineMachine *self)
{
  g_autoptr (GPtrArray) tasks = g_steal_pointer (&self->thumb_tasks);

  self->thumb_tasks = g_ptr_array_new_with_free_func (g_object_unref);
  for (guint i = 0; i < tasks->len; i++)
    g_task_return_int (tasks->pdata[i], (gssize) self->thumb_serial);
}

static void
leng_on_scaled_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  LodgeEngineMachine *self = LODGE_ENGINE_MACHINE (object);
  g_autoptr (LodgePicture) picture = g_task_propagate_pointer (G_TASK (result), NULL);

  self->thumb_scaling = FALSE;
  self->thumb_serial++;
  _lodge_machine_set_thumbnail (LODGE_MACHINE (self), picture);
  leng_return_thumbnail (self);
}

void
lodge_engine_machine_update_thumbnail_async (LodgeEngineMachine *self, GCancellable *cancellable, GAsyncReadyCallback callback,
                                             gpointer user_data)
{
  VmmConsole *console = leng_is_alive (self) ? vmm_machine_get_console (self->vm, 0) : NULL;
  g_auto (VmmFrame) frame = { 0 };
  LodgePicture *picture = NULL;

  g_ptr_array_add (self->thumb_tasks, g_task_new (self, cancellable, callback, user_data));
  if (self->thumb_scaling)
    return;
  if (console != NULL && self->thumb_viewer == NULL)
    self->thumb_viewer = vmm_console_add_viewer (console);
  if (self->thumb_viewer != NULL && vmm_viewer_pull (self->thumb_viewer, &frame))
    picture = lodge_surface_picture_new (frame.surface);
  if (picture != NULL)
    {
      g_autoptr (GTask) task = g_task_new (self, NULL, leng_on_scaled_cb, NULL);

      self->thumb_scaling = TRUE;
      g_task_set_task_data (task, picture, (GDestroyNotify) lodge_picture_unref);
      g_task_run_in_thread (task, leng_scale_thread);
    }
  else
    leng_return_thumbnail (self);
}

guint64
lodge_engine_machine_update_thumbnail_finish (LodgeEngineMachine *self, GAsyncResult *result, GError **error)
{
  gssize serial = g_task_propagate_int (G_TASK (result), error);

  return serial > 0 ? (guint64) serial : 0;
}

static gboolean
leng_thumbnail_cb (gpointer data)
{
  lodge_engine_machine_update_thumbnail_async (data, NULL, NULL, NULL);
  return G_SOURCE_CONTINUE;
}

static void
leng_watch_thumbnail (LodgeMachine *machine, gboolean on)
{
  LodgeEngineMachine *self = LODGE_ENGINE_MACHINE (machine);

  if (on)
    self->thumb_id = g_timeout_add (LENG_THUMBNAIL_INTERVAL_MS, leng_thumbnail_cb, self);
  else
    g_clear_handle_id (&self->thumb_id, g_source_remove);
}

/* --- Serial ports -------------------------------------------------------------------------------------------------------------- */

static void
leng_attach_serial (LodgeMachine *machine, const char *device_id, gboolean replay, GTask *task)
{
  LodgeEngineMachine *self = LODGE_ENGINE_MACHINE (machine);
  g_autofree char *device = device_id != NULL ? g_strdup (device_id) : lodge_bundle_find_device (self->bundle, "serial");
  g_autoptr (GSocket) socket = NULL;
  GError *error = NULL;
  int fds[2];

  if (!leng_is_alive (self))
    _lodge_machine_return_off (machine, task);
  else if (device == NULL)
    g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_NOT_FOUND, _ ("“%s” has no serial port."),
                             lodge_machine_get_name (machine));
  else if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
    g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_FAILED, "%s", g_strerror (errno));
  else if (!vmm_machine_attach_serial (self->vm, device, fds[0], replay, &error))
    {
      close (fds[1]);
      g_task_return_error (task, lodge_bundle_error_from_engine (error, _ ("The serial port could not be reached.")));
    }
  else if ((socket = g_socket_new_from_fd (fds[1], &error)) == NULL)
    {
      close (fds[1]);
      g_task_return_error (task, error);
    }
  else
    g_task_return_pointer (task, g_socket_connection_factory_create_connection (socket), g_object_unref);
}

/* --- Object -------------------------------------------------------------------------------------------------------------------- */

void
lodge_engine_machine_set_has_window (LodgeEngineMachine *self, gboolean has_window)
{
  _lodge_machine_set_has_window (LODGE_MACHINE (self), has_window);
}

LodgeEngineMachine *
lodge_engine_machine_new (LodgeBundle *bundle)
{
  LodgeEngineMachine *self = g_object_new (LODGE_TYPE_ENGINE_MACHINE, NULL);

  leng_take_bundle (self, bundle);
  return self;
}

static void
leng_dispose (GObject *object)
{
  LodgeEngineMachine *self = LODGE_ENGINE_MACHINE (object);

  g_clear_handle_id (&self->thumb_id, g_source_remove);
  if (self->vm != NULL)
    {
      /* A worker that frees it holds a reference on us, so it is still ours. */
      leng_close_parts (self);
      g_clear_pointer (&self->vm, vmm_machine_free);
    }
  G_OBJECT_CLASS (lodge_engine_machine_parent_class)->dispose (object);
}

static void
leng_finalize (GObject *object)
{
  LodgeEngineMachine *self = LODGE_ENGINE_MACHINE (object);

  g_ptr_array_unref (self->pending);
  g_ptr_array_unref (self->media);
  g_ptr_array_unref (self->thumb_tasks);
  g_clear_pointer (&self->bundle, lodge_bundle_free);
  G_OBJECT_CLASS (lodge_engine_machine_parent_class)->finalize (object);
}

static void
lodge_engine_machine_class_init (LodgeEngineMachineClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  LodgeMachineClass *machine_class = LODGE_MACHINE_CLASS (klass);

  object_class->dispose = leng_dispose;
  object_class->finalize = leng_finalize;
  machine_class->act = leng_act;
  machine_class->change_medium = leng_change_medium;
  machine_class->configure = leng_configure;
  machine_class->screenshot = leng_screenshot;
  machine_class->resize_screen = leng_resize_screen;
  machine_class->send_keys = leng_send_keys;
  machine_class->type_text = leng_type_text;
  machine_class->read_text = leng_read_text;
  machine_class->attach_serial = leng_attach_serial;
  machine_class->watch_thumbnail = leng_watch_thumbnail;
  leng_signals[SIGNAL_WINDOW_REQUESTED] = g_signal_new ("window-requested", LODGE_TYPE_ENGINE_MACHINE, G_SIGNAL_RUN_LAST, 0, NULL,
                                                        NULL, NULL, G_TYPE_NONE, 0);
}

static void
lodge_engine_machine_init (LodgeEngineMachine *self)
{
  self->pending = g_ptr_array_new_with_free_func (g_object_unref);
  self->media = g_ptr_array_new_with_free_func (g_object_unref);
  self->thumb_tasks = g_ptr_array_new_with_free_func (g_object_unref);
  g_queue_init (&self->strokes);
}
