/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a machine is made of.
 *
 * Two texts are compared: machine.conf as it stands, and the one that the running machine was started with. Objects stay the same as
 * long as id and class do, so that a page that shows one is not torn away by a change.
 */
#include "model/hardware.h"

#include "engine/bundle.h"
#include "engine/image-tools.h"
#include "media/image-import.h"

#include <glib/gi18n.h>
#include <glib/gstdio.h>

struct _LodgeHardware {
  GObject parent_instance;
  LodgeMachine *machine;
  GPtrArray *devices;
  gboolean pending;
};

enum { PROP_0, PROP_MACHINE, PROP_PENDING, N_PROPS };
static GParamSpec *lhwm_props[N_PROPS];

enum { SIGNAL_BOOT_ORDER_CHANGED, N_SIGNALS };
static guint lhwm_signals[N_SIGNALS];

static void lhwm_list_model_init (GListModelInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (LodgeHardware, lodge_hardware, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, lhwm_list_model_init))

/* --- Reading ------------------------------------------------------------------------------------------------------------------- */

static const LodgeDeviceInfo *
lhwm_info_of (GKeyFile *file, const char *group)
{
  g_autofree char *class_name = NULL;

  if (g_str_equal (group, "machine"))
    return lodge_device_catalog_get_machine ();
  if (g_str_equal (group, "kernel"))
    return lodge_device_catalog_get_kernel ();
  class_name = g_key_file_get_string (file, group, "class", NULL);
  return class_name != NULL ? lodge_device_catalog_find (class_name) : NULL;
}

static GKeyFile *
lhwm_parse (const char *text)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();

  if (text == NULL || *text == '\0' || !g_key_file_load_from_data (file, text, (gsize) -1, G_KEY_FILE_NONE, NULL))
    return NULL;
  return g_steal_pointer (&file);
}

static LodgeDevice *
lhwm_find_same (GPtrArray *devices, const char *id, const LodgeDeviceInfo *info)
{
  for (guint i = 0; i < devices->len; i++)
    if (g_str_equal (lodge_device_get_id (devices->pdata[i]), id) && lodge_device_get_info (devices->pdata[i]) == info)
      return devices->pdata[i];
  return NULL;
}

/* What is shown in place of @old. Tells only of the part between equal ends, so that a selection outside of it stays. */
static void
lhwm_replace (LodgeHardware *self, GPtrArray *now)
{
  g_autoptr (GPtrArray) old = self->devices;
  guint start = 0, end = 0;

  while (start < old->len && start < now->len && old->pdata[start] == now->pdata[start])
    start++;
  while (end < old->len - start && end < now->len - start && old->pdata[old->len - 1 - end] == now->pdata[now->len - 1 - end])
    end++;
  self->devices = now;
  if (old->len - start - end > 0 || now->len - start - end > 0)
    g_list_model_items_changed (G_LIST_MODEL (self), start, old->len - start - end, now->len - start - end);
}

/* Whether the running machine has a device that machine.conf has not. */
static gboolean
lhwm_has_removed (GKeyFile *running, GPtrArray *devices)
{
  g_auto (GStrv) groups = running != NULL ? g_key_file_get_groups (running, NULL) : NULL;

  for (guint i = 0; groups != NULL && groups[i] != NULL; i++)
    {
      const LodgeDeviceInfo *info = lhwm_info_of (running, groups[i]);

      if (info != NULL && lhwm_find_same (devices, groups[i], info) == NULL)
        return TRUE;
    }
  return FALSE;
}

static void
lhwm_update (LodgeHardware *self)
{
  g_autoptr (GKeyFile) settings = lhwm_parse (lodge_machine_get_settings (self->machine));
  g_autoptr (GKeyFile) running = lhwm_parse (lodge_machine_get_running_settings (self->machine));
  g_auto (GStrv) groups = settings != NULL ? g_key_file_get_groups (settings, NULL) : g_new0 (char *, 1);
  GPtrArray *now = g_ptr_array_new_with_free_func (g_object_unref);
  gboolean pending;
  guint n_first = 0;

  for (guint i = 0; groups[i] != NULL; i++)
    {
      const LodgeDeviceInfo *info = lhwm_info_of (settings, groups[i]);
      LodgeDevice *device = info != NULL ? lhwm_find_same (self->devices, groups[i], info) : NULL;

      if (info == NULL)
        continue; /* what a window remembers */
      device = device != NULL ? g_object_ref (device) : _lodge_device_new (groups[i], info);
      _lodge_device_update (device, settings, running);
      g_ptr_array_insert (now, lodge_device_is_removable (device) ? -1 : (int) n_first++, device);
    }
  pending = lhwm_has_removed (running, now);
  for (guint i = 0; i < now->len; i++)
    pending |= lodge_device_get_state (now->pdata[i]) != LODGE_DEVICE_SAME;
  lhwm_replace (self, now);
  if (self->pending != pending)
    {
      self->pending = pending;
      g_object_notify_by_pspec (G_OBJECT (self), lhwm_props[PROP_PENDING]);
    }
  g_signal_emit (self, lhwm_signals[SIGNAL_BOOT_ORDER_CHANGED], 0);
}

LodgeMachine *
lodge_hardware_get_machine (LodgeHardware *self)
{
  return self->machine;
}

gboolean
lodge_hardware_get_pending (LodgeHardware *self)
{
  return self->pending;
}

LodgeDevice *
lodge_hardware_find (LodgeHardware *self, const char *id)
{
  for (guint i = 0; i < self->devices->len; i++)
    if (g_str_equal (lodge_device_get_id (self->devices->pdata[i]), id))
      return self->devices->pdata[i];
  return NULL;
}

/* "sata-disk" -> "disk1", "serial" -> "serial0", "nvme-x2" -> "x2-0": what a person reads, not what anything depends on. */
char *
lodge_hardware_dup_free_id (LodgeHardware *self, const char *class_name)
{
  const LodgeDeviceInfo *info = lodge_device_catalog_find (class_name);
  const char *dash = strrchr (class_name, '-');
  const char *base = info != NULL && lodge_device_info_takes_new_disk (info) ? "disk"
                     : info != NULL && lodge_device_info_is_drive (info)     ? "cdrom"
                     : info != NULL && lodge_device_info_is_network (info)   ? "net"
                     : info != NULL && lodge_device_info_is_screen (info)    ? "display"
                     : dash != NULL && dash[1] != '\0'                       ? dash + 1
                                                                             : class_name;
  const char *between = strpbrk (base, "0123456789") != NULL ? "-" : "";
  g_autoptr (GKeyFile) running = lhwm_parse (lodge_machine_get_running_settings (self->machine));

  for (guint i = 0;; i++)
    {
      g_autofree char *id = g_strdup_printf ("%s%s%u", base, between, i);

      if (lodge_hardware_find (self, id) == NULL && (running == NULL || !g_key_file_has_group (running, id))
          && !g_str_has_prefix (id, "app") && !g_str_has_prefix (id, "window"))
        return g_steal_pointer (&id);
    }
}

gboolean
lodge_hardware_check (const LodgeDeviceInfo *info, const char *id, const char *key, const char *value, GError **error)
{
  const LodgeSettingInfo *setting = lodge_device_info_find (info, key);
  gboolean is_device = lodge_device_catalog_find (info->name) == info;

  if (setting != NULL && setting->required && (value == NULL || *value == '\0'))
    {
      g_set_error (error, LODGE_ERROR, LODGE_ERROR_INVALID, _ ("“%s” must have a value."), setting->summary);
      return FALSE;
    }
  return lodge_bundle_setting_check (id, is_device ? info->name : NULL, key, value, error);
}

/* --- Changing ------------------------------------------------------------------------------------------------------------------ */

static GTask *
lhwm_task_new (LodgeHardware *self, gpointer tag, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  GTask *task = g_task_new (self, cancellable, callback, user_data);

  g_task_set_source_tag (task, tag);
  return task;
}

static gboolean
lhwm_return_not_found (LodgeHardware *self, const char *id, GTask *task)
{
  g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_NOT_FOUND, _ ("“%s” has no device “%s”."),
                           lodge_machine_get_name (self->machine), id);
  return FALSE;
}

static void
lhwm_on_configured_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  GError *error = NULL;

  if (lodge_machine_configure_finish (LODGE_MACHINE (object), result, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

void
lodge_hardware_set_async (LodgeHardware *self, const char *id, const char *key, const char *value, GCancellable *cancellable,
                          GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = lhwm_task_new (self, lodge_hardware_set_async, cancellable, callback, user_data);
  LodgeDevice *device = lodge_hardware_find (self, id);
  GVariantBuilder changes = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a(sss)"));
  GError *error = NULL;

  if (device == NULL)
    lhwm_return_not_found (self, id, task);
  else if (!lodge_hardware_check (lodge_device_get_info (device), id, key, value, &error))
    g_task_return_error (task, error);
  else
    {
      g_variant_builder_add (&changes, "(sss)", id, key, value != NULL ? value : "");
      lodge_machine_configure_async (self->machine, g_variant_builder_end (&changes), cancellable, lhwm_on_configured_cb,
                                     g_steal_pointer (&task));
      return;
    }
  g_variant_builder_clear (&changes);
}

gboolean
lodge_hardware_set_finish (LodgeHardware *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  return g_task_propagate_boolean (G_TASK (result), error);
}

typedef struct {
  char *id, *bundle_path, *image_path; /* image_path: (nullable): made for this device */
  GHashTable *values;
  guint64 new_disk_mib;
  gboolean finds_format;
} LhwmAdd;

static void
lhwm_add_free (gpointer data)
{
  LhwmAdd *add = data;

  g_free (add->id);
  g_free (add->bundle_path);
  g_free (add->image_path);
  g_hash_table_unref (add->values);
  g_free (add);
}

/* The files: makes the new image, or looks at the given one. */
static void
lhwm_add_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  LhwmAdd *add = data;
  const char *image = g_hash_table_lookup (add->values, "image");
  GError *error = NULL;

  if (add->new_disk_mib > 0)
    {
      g_autofree char *name = NULL;
      g_autofree char *path = NULL;

      for (guint i = 0; path == NULL || g_file_test (path, G_FILE_TEST_EXISTS); i++)
        {
          g_free (name);
          g_free (path);
          name = i == 0 ? g_strdup_printf ("%s.qcow2", add->id) : g_strdup_printf ("%s-%u.qcow2", add->id, i);
          path = g_build_filename (add->bundle_path, name, NULL);
        }
      if (!lodge_image_create_qcow2 (path, add->new_disk_mib << 20, &error))
        {
          g_task_return_error (task, error);
          return;
        }
      add->image_path = g_steal_pointer (&path);
      g_hash_table_insert (add->values, g_strdup ("image"), g_steal_pointer (&name));
      g_hash_table_insert (add->values, g_strdup ("format"), g_strdup ("qcow2"));
    }
  else if (add->finds_format && image != NULL)
    {
      g_autofree char *path = g_canonicalize_filename (image, add->bundle_path);
      const LodgeImageKind *kind;

      if (!lodge_bundle_check_file (path, &error) || (kind = lodge_image_recognise (path, &error)) == NULL)
        {
          g_task_return_error (task, error);
          return;
        }
      g_hash_table_insert (add->values, g_strdup ("format"), g_strdup (kind->name));
    }
  g_task_return_boolean (task, TRUE);
}

static void
lhwm_on_added_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  LhwmAdd *add = g_task_get_task_data (task);
  GError *error = NULL;

  if (lodge_machine_configure_finish (LODGE_MACHINE (object), result, &error))
    {
      g_task_return_pointer (task, g_strdup (add->id), g_free);
      return;
    }
  if (add->image_path != NULL)
    g_unlink (add->image_path);
  g_task_return_error (task, error);
}

static void
lhwm_on_files_ready_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  LodgeHardware *self = LODGE_HARDWARE (object);
  g_autoptr (GTask) task = user_data;
  LhwmAdd *add = g_task_get_task_data (task);
  GVariantBuilder changes = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a(sss)"));
  GHashTableIter iter;
  gpointer key, value;
  GError *error = NULL;

  if (!g_task_propagate_boolean (G_TASK (result), &error))
    {
      g_variant_builder_clear (&changes);
      g_task_return_error (task, error);
      return;
    }
  g_variant_builder_add (&changes, "(sss)", add->id, "class", g_hash_table_lookup (add->values, "class"));
  g_hash_table_iter_init (&iter, add->values);
  while (g_hash_table_iter_next (&iter, &key, &value))
    if (!g_str_equal (key, "class"))
      g_variant_builder_add (&changes, "(sss)", add->id, key, value);
  lodge_machine_configure_async (self->machine, g_variant_builder_end (&changes), g_task_get_cancellable (task), lhwm_on_added_cb,
                                 g_object_ref (task));
}

void
lodge_hardware_add_async (LodgeHardware *self, const char *class_name, const char *id, GHashTable *values, guint64 new_disk_mib,
                          GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = lhwm_task_new (self, lodge_hardware_add_async, cancellable, callback, user_data);
  g_autoptr (GTask) files = NULL;
  const LodgeDeviceInfo *info = lodge_device_catalog_find (class_name);
  LhwmAdd *add = g_new0 (LhwmAdd, 1);
  GHashTableIter iter;
  gpointer key, value;
  GError *error = NULL;

  add->id = id != NULL ? g_strdup (id) : lodge_hardware_dup_free_id (self, class_name);
  add->bundle_path = g_strdup (lodge_machine_get_path (self->machine));
  add->values = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  add->new_disk_mib = new_disk_mib;
  g_task_set_task_data (task, add, lhwm_add_free);
  if (info == NULL)
    {
      lodge_bundle_setting_check (add->id, class_name, "class", class_name, &error);
      g_task_return_error (task, error);
      return;
    }
  if (lodge_hardware_find (self, add->id) != NULL || g_str_equal (add->id, "machine") || g_str_equal (add->id, "kernel"))
    {
      g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_EXISTS, _ ("“%s” has a device “%s” already."),
                               lodge_machine_get_name (self->machine), add->id);
      return;
    }
  if (new_disk_mib > 0 && !lodge_device_info_takes_new_disk (info))
    {
      g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_INVALID, _ ("“%s” is not a disk that an image can be made for."),
                               info->summary);
      return;
    }
  if (values != NULL)
    g_hash_table_iter_init (&iter, values);
  while (values != NULL && g_hash_table_iter_next (&iter, &key, &value))
    {
      if (!lodge_hardware_check (info, add->id, key, value, &error))
        {
          g_task_return_error (task, error);
          return;
        }
      g_hash_table_insert (add->values, g_strdup (key), g_strdup (value));
    }
  for (guint i = 0; i < info->n_settings; i++)
    if (info->settings[i].required && !g_hash_table_contains (add->values, info->settings[i].key)
        && !(new_disk_mib > 0 && g_str_equal (info->settings[i].key, "image")))
      {
        g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_INVALID, _ ("%s is missing: %s=… is needed."),
                                 info->settings[i].summary, info->settings[i].key);
        return;
      }
  g_hash_table_insert (add->values, g_strdup ("class"), g_strdup (class_name));
  add->finds_format = lodge_device_info_takes_new_disk (info) && !g_hash_table_contains (add->values, "format");
  files = g_task_new (self, cancellable, lhwm_on_files_ready_cb, g_object_ref (task));
  g_task_set_task_data (files, add, NULL);
  g_task_run_in_thread (files, lhwm_add_thread);
}

char *
lodge_hardware_add_finish (LodgeHardware *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}

static void
lhwm_on_removed_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  GError *error = NULL;

  if (lodge_machine_configure_finish (LODGE_MACHINE (object), result, &error))
    g_task_return_pointer (task, g_variant_ref (g_task_get_task_data (task)), (GDestroyNotify) g_variant_unref);
  else
    g_task_return_error (task, error);
}

void
lodge_hardware_remove_async (LodgeHardware *self, const char *id, GCancellable *cancellable, GAsyncReadyCallback callback,
                             gpointer user_data)
{
  g_autoptr (GTask) task = lhwm_task_new (self, lodge_hardware_remove_async, cancellable, callback, user_data);
  LodgeDevice *device = lodge_hardware_find (self, id);
  g_auto (GStrv) keys = NULL;
  GVariantBuilder undo = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a(sss)")), changes;

  if (device == NULL || !lodge_device_is_removable (device))
    {
      g_variant_builder_clear (&undo);
      lhwm_return_not_found (self, id, task);
      return;
    }
  keys = lodge_device_dup_keys (device);
  for (guint i = 0; keys[i] != NULL; i++)
    g_variant_builder_add (&undo, "(sss)", id, keys[i],
                           g_str_equal (keys[i], "class") ? lodge_device_get_info (device)->name
                                                          : lodge_device_get_value (device, keys[i]));
  g_task_set_task_data (task, g_variant_ref_sink (g_variant_builder_end (&undo)), (GDestroyNotify) g_variant_unref);
  g_variant_builder_init (&changes, G_VARIANT_TYPE ("a(sss)"));
  g_variant_builder_add (&changes, "(sss)", id, "", "");
  lodge_machine_configure_async (self->machine, g_variant_builder_end (&changes), cancellable, lhwm_on_removed_cb,
                                 g_steal_pointer (&task));
}

GVariant *
lodge_hardware_remove_finish (LodgeHardware *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}

/* --- The boot order ------------------------------------------------------------------------------------------------------------ */

static int
lhwm_compare_boot (gconstpointer a, gconstpointer b)
{
  int first = lodge_device_get_boot (*(LodgeDevice *const *) a), second = lodge_device_get_boot (*(LodgeDevice *const *) b);

  if ((first < 0) != (second < 0))
    return first < 0 ? 1 : -1;
  return (first > second) - (first < second);
}

GPtrArray *
lodge_hardware_list_boot_order (LodgeHardware *self)
{
  GPtrArray *devices = g_ptr_array_new_with_free_func (g_object_unref);

  for (guint i = 0; i < self->devices->len; i++)
    if (lodge_device_can_boot (self->devices->pdata[i]))
      g_ptr_array_add (devices, g_object_ref (self->devices->pdata[i]));
  g_ptr_array_sort (devices, lhwm_compare_boot); /* stable: GLib's sort of arrays is */
  return devices;
}

void
lodge_hardware_set_boot_order_async (LodgeHardware *self, const char *const *ids, GCancellable *cancellable,
                                     GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = lhwm_task_new (self, lodge_hardware_set_boot_order_async, cancellable, callback, user_data);
  GVariantBuilder changes = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a(sss)"));

  for (guint i = 0; ids[i] != NULL; i++)
    {
      LodgeDevice *device = lodge_hardware_find (self, ids[i]);

      if (device == NULL || !lodge_device_can_boot (device))
        {
          g_variant_builder_clear (&changes);
          lhwm_return_not_found (self, ids[i], task);
          return;
        }
    }
  for (guint i = 0; i < self->devices->len; i++)
    {
      LodgeDevice *device = self->devices->pdata[i];
      g_autofree char *place = NULL;

      if (!lodge_device_can_boot (device))
        continue;
      for (guint j = 0; ids[j] != NULL && place == NULL; j++)
        if (g_str_equal (ids[j], lodge_device_get_id (device)))
          place = g_strdup_printf ("%u", j + 1);
      g_variant_builder_add (&changes, "(sss)", lodge_device_get_id (device), "boot", place != NULL ? place : "");
    }
  lodge_machine_configure_async (self->machine, g_variant_builder_end (&changes), cancellable, lhwm_on_configured_cb,
                                 g_steal_pointer (&task));
}

gboolean
lodge_hardware_set_boot_order_finish (LodgeHardware *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  return g_task_propagate_boolean (G_TASK (result), error);
}

/* --- Object -------------------------------------------------------------------------------------------------------------------- */

static GType
lhwm_get_item_type (GListModel *model)
{
  return LODGE_TYPE_DEVICE;
}

static guint
lhwm_get_n_items (GListModel *model)
{
  return LODGE_HARDWARE (model)->devices->len;
}

static gpointer
lhwm_get_item (GListModel *model, guint position)
{
  LodgeHardware *self = LODGE_HARDWARE (model);

  return position < self->devices->len ? g_object_ref (self->devices->pdata[position]) : NULL;
}

static void
lhwm_list_model_init (GListModelInterface *iface)
{
  iface->get_item_type = lhwm_get_item_type;
  iface->get_n_items = lhwm_get_n_items;
  iface->get_item = lhwm_get_item;
}

LodgeHardware *
lodge_hardware_new (LodgeMachine *machine)
{
  LodgeHardware *self = g_object_new (LODGE_TYPE_HARDWARE, NULL);

  self->machine = g_object_ref (machine);
  g_signal_connect_object (machine, "notify::settings", G_CALLBACK (lhwm_update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (machine, "notify::running-settings", G_CALLBACK (lhwm_update), self, G_CONNECT_SWAPPED);
  lhwm_update (self);
  return self;
}

static void
lhwm_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  LodgeHardware *self = LODGE_HARDWARE (object);

  switch (id)
    {
    case PROP_MACHINE:
      g_value_set_object (value, self->machine);
      break;
    case PROP_PENDING:
      g_value_set_boolean (value, self->pending);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
lhwm_finalize (GObject *object)
{
  LodgeHardware *self = LODGE_HARDWARE (object);

  g_clear_object (&self->machine);
  g_ptr_array_unref (self->devices);
  G_OBJECT_CLASS (lodge_hardware_parent_class)->finalize (object);
}

static void
lodge_hardware_class_init (LodgeHardwareClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = lhwm_get_property;
  object_class->finalize = lhwm_finalize;
  lhwm_props[PROP_MACHINE] = g_param_spec_object ("machine", NULL, NULL, LODGE_TYPE_MACHINE, flags);
  lhwm_props[PROP_PENDING] = g_param_spec_boolean ("pending", NULL, NULL, FALSE, flags);
  g_object_class_install_properties (object_class, N_PROPS, lhwm_props);
  lhwm_signals[SIGNAL_BOOT_ORDER_CHANGED] = g_signal_new ("boot-order-changed", LODGE_TYPE_HARDWARE, G_SIGNAL_RUN_LAST, 0, NULL,
                                                          NULL, NULL, G_TYPE_NONE, 0);
}

static void
lodge_hardware_init (LodgeHardware *self)
{
  self->devices = g_ptr_array_new_with_free_func (g_object_unref);
}
