/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/bundle-facts.h"

#include <vmm.h>

#include "engine/bundle.h"
#include "engine/device-catalog.h"

#define LFACTS_WINDOW "window"

typedef struct {
  char *path; /* of the bundle; NULL: none */
  char *key;
  char *value;
} LfactsWish;

static void
lfacts_wish_free (gpointer data)
{
  LfactsWish *wish = data;

  g_free (wish->path);
  g_free (wish->key);
  g_free (wish->value);
  g_free (wish);
}

static void
lfacts_run (LodgeMachine *machine, const char *key, const char *value, GTaskThreadFunc thread, GCancellable *cancellable,
            GAsyncReadyCallback callback, gpointer user_data, gpointer tag)
{
  g_autoptr (GTask) task = g_task_new (machine, cancellable, callback, user_data);
  LfactsWish *wish = g_new0 (LfactsWish, 1);

  wish->path = g_strdup (lodge_machine_get_path (machine));
  wish->key = g_strdup (key);
  wish->value = g_strdup (value);
  g_task_set_source_tag (task, tag);
  g_task_set_task_data (task, wish, lfacts_wish_free);
  g_task_run_in_thread (task, thread);
}

/* --- Disks --- */

void
lodge_disk_facts_free (LodgeDiskFacts *facts)
{
  g_free (facts->device_id);
  g_free (facts->path);
  g_free (facts->format);
  g_free (facts->problem);
  g_free (facts);
}

static void
lfacts_list_disks (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  LfactsWish *wish = data;
  g_autoptr (GPtrArray) disks = g_ptr_array_new_with_free_func ((GDestroyNotify) lodge_disk_facts_free);
  g_autoptr (LodgeBundle) bundle = NULL;
  g_auto (GStrv) groups = NULL;
  GError *error = NULL;

  if (wish->path != NULL)
    {
      bundle = lodge_bundle_load (wish->path, &error);
      if (bundle == NULL)
        {
          g_task_return_error (task, error);
          return;
        }
      groups = lodge_bundle_dup_groups (bundle);
    }

  for (guint i = 0; groups != NULL && groups[i] != NULL; i++)
    {
      g_autofree char *class_name = lodge_bundle_dup_value (bundle, groups[i], "class");
      g_autofree char *image = lodge_bundle_dup_value (bundle, groups[i], "image");
      g_autoptr (VmmImageInfo) info = NULL;
      g_autoptr (GError) probe_error = NULL;
      const LodgeDeviceInfo *class_info = class_name != NULL ? lodge_device_catalog_find (class_name) : NULL;
      LodgeDiskFacts *facts;

      if (class_info == NULL || !lodge_device_info_takes_new_disk (class_info) || image == NULL)
        continue;
      facts = g_new0 (LodgeDiskFacts, 1);
      facts->device_id = g_strdup (groups[i]);
      facts->path = g_canonicalize_filename (image, wish->path);
      info = vmm_image_probe (facts->path, &probe_error);
      if (info != NULL)
        {
          facts->format = g_strdup (info->format);
          facts->size_bytes = info->size_bytes;
          facts->used_bytes = info->used_bytes;
        }
      else
        {
          g_autoptr (GError) shown = lodge_bundle_error_from_engine (g_steal_pointer (&probe_error), NULL);

          facts->problem = lodge_error_split (shown->message, NULL);
        }
      g_ptr_array_add (disks, facts);
    }
  g_task_return_pointer (task, g_steal_pointer (&disks), (GDestroyNotify) g_ptr_array_unref);
}

void
lodge_bundle_list_disks_async (LodgeMachine *machine, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  g_return_if_fail (LODGE_IS_MACHINE (machine));
  lfacts_run (machine, NULL, NULL, lfacts_list_disks, cancellable, callback, user_data, lodge_bundle_list_disks_async);
}

GPtrArray *
lodge_bundle_list_disks_finish (LodgeMachine *machine, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, machine), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}

/* --- What the window remembers --- */

static void
lfacts_get (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  LfactsWish *wish = data;
  GError *error = NULL;
  g_autoptr (LodgeBundle) bundle = wish->path != NULL ? lodge_bundle_load (wish->path, &error) : NULL;

  if (error != NULL)
    g_task_return_error (task, error);
  else
    g_task_return_pointer (task, bundle != NULL ? lodge_bundle_dup_value (bundle, LFACTS_WINDOW, wish->key) : NULL, g_free);
}

void
lodge_bundle_get_window_setting_async (LodgeMachine *machine, const char *key, GCancellable *cancellable,
                                       GAsyncReadyCallback callback, gpointer user_data)
{
  g_return_if_fail (LODGE_IS_MACHINE (machine));
  lfacts_run (machine, key, NULL, lfacts_get, cancellable, callback, user_data, lodge_bundle_get_window_setting_async);
}

char *
lodge_bundle_get_window_setting_finish (LodgeMachine *machine, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, machine), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}

static void
lfacts_set (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  LfactsWish *wish = data;
  GError *error = NULL;

  if (wish->path == NULL || lodge_bundle_edit (wish->path, LFACTS_WINDOW, wish->key, wish->value, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

void
lodge_bundle_set_window_setting_async (LodgeMachine *machine, const char *key, const char *value, GCancellable *cancellable,
                                       GAsyncReadyCallback callback, gpointer user_data)
{
  g_return_if_fail (LODGE_IS_MACHINE (machine));
  lfacts_run (machine, key, value, lfacts_set, cancellable, callback, user_data, lodge_bundle_set_window_setting_async);
}

gboolean
lodge_bundle_set_window_setting_finish (LodgeMachine *machine, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, machine), FALSE);
  return g_task_propagate_boolean (G_TASK (result), error);
}
