/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A machine to be made: the model behind the wizard and `lodge create`.
 *
 * Each field that a system's defaults can set remembers whether somebody set it by hand. The settings that go over the defaults are
 * kept as a list and laid over the generated machine.conf, which the engine's own check judges as a whole.
 */
#include "model/machine-spec-private.h"

#include "engine/bundle.h"
#include "engine/image-tools.h"
#include "media/image-import.h"
#include "media/os.h"
#include "model/host.h"
#include "model/library-private.h"
#include "model/machine-maker.h"

#include <glib/gi18n.h>
#include <string.h>
#include <sys/statvfs.h>

enum {
  PROP_0,
  PROP_SOURCE,
  PROP_NAME,
  PROP_PATH,
  PROP_INITRD,
  PROP_KERNEL_ARGS,
  PROP_LINK_IMAGE,
  PROP_OS_ID,
  PROP_MEMORY_MIB,
  PROP_CPUS,
  PROP_DISK_MIB,
  PROP_FIRMWARE,
  PROP_TPM,
  PROP_DETECTING,
  PROP_MEDIA,
  PROP_VALID,
  PROP_HINT,
  N_PROPS
};
static GParamSpec *lspc_props[N_PROPS];

G_DEFINE_FINAL_TYPE (LodgeMachineSpec, lodge_machine_spec, G_TYPE_OBJECT)

G_DEFINE_ENUM_TYPE (LodgeSource, lodge_source, G_DEFINE_ENUM_VALUE (LODGE_SOURCE_ISO, "iso"),
                    G_DEFINE_ENUM_VALUE (LODGE_SOURCE_IMAGE, "image"), G_DEFINE_ENUM_VALUE (LODGE_SOURCE_KERNEL, "kernel"),
                    G_DEFINE_ENUM_VALUE (LODGE_SOURCE_EMPTY, "empty"))

static void
lspc_notify (LodgeMachineSpec *self, guint prop)
{
  g_object_notify_by_pspec (G_OBJECT (self), lspc_props[prop]);
}

static void
lspc_override_free (gpointer data)
{
  LspcOverride *override = data;

  g_free (override->group);
  g_free (override->key);
  g_free (override->value);
  g_free (override);
}

/* --- Defaults ------------------------------------------------------------------------------------------------------------------ */

static char *
lspc_dup_wished_name (LodgeMachineSpec *self)
{
  LodgeOs *os = self->os_id != NULL ? lodge_os_database_find (lodge_os_database_get_default (), self->os_id) : NULL;
  g_autofree char *base = NULL;
  char *dot;

  if (os != NULL)
    return g_strdup (lodge_os_get_name (os));
  if (self->media != NULL && lodge_media_info_get_os_name (self->media) != NULL)
    return g_strdup (lodge_media_info_get_os_name (self->media));
  if (self->path == NULL)
    return g_strdup (_ ("New Machine"));
  base = g_path_get_basename (self->path);
  if (!g_utf8_validate (base, -1, NULL))
    return g_strdup (_ ("New Machine"));
  dot = strrchr (base, '.');
  if (dot != NULL && dot != base && strlen (dot) <= 6)
    *dot = '\0';
  return g_steal_pointer (&base);
}

/* Sets what was not set by hand. */
static void
lspc_apply_defaults (LodgeMachineSpec *self)
{
  guint memory_mib = lodge_machine_spec_get_recommended_memory_mib (self);
  guint cpus = lodge_machine_spec_get_recommended_cpus (self);
  gboolean wants_disk = self->source == LODGE_SOURCE_ISO || self->source == LODGE_SOURCE_EMPTY;
  guint64 disk_mib = wants_disk ? lodge_machine_spec_get_recommended_disk_mib (self) : 0;

  if (!(self->by_hand & LSPC_HAND_NAME))
    {
      g_autofree char *wish = lspc_dup_wished_name (self);
      char *name = lodge_library_dup_free_name (self->library, wish);

      if (g_set_str (&self->name, name))
        lspc_notify (self, PROP_NAME);
      g_free (name);
    }
  if (!(self->by_hand & LSPC_HAND_MEMORY) && self->memory_mib != memory_mib)
    {
      self->memory_mib = memory_mib;
      lspc_notify (self, PROP_MEMORY_MIB);
    }
  if (!(self->by_hand & LSPC_HAND_CPUS) && self->cpus != cpus)
    {
      self->cpus = cpus;
      lspc_notify (self, PROP_CPUS);
    }
  if (!(self->by_hand & LSPC_HAND_DISK) && self->disk_mib != disk_mib)
    {
      self->disk_mib = disk_mib;
      lspc_notify (self, PROP_DISK_MIB);
    }
  if (!(self->by_hand & LSPC_HAND_FIRMWARE) && g_set_str (&self->firmware, lodge_machine_spec_get_recommended_firmware (self)))
    lspc_notify (self, PROP_FIRMWARE);
  if (!(self->by_hand & LSPC_HAND_TPM) && self->tpm != lodge_machine_spec_get_recommended_tpm (self))
    {
      self->tpm = !self->tpm;
      lspc_notify (self, PROP_TPM);
    }
  _lodge_machine_spec_judge (self);
}

/* --- Detection ----------------------------------------------------------------------------------------------------------------- */

static void
lspc_end_detection (LodgeMachineSpec *self)
{
  g_autoptr (GPtrArray) tasks = g_steal_pointer (&self->detect_tasks);

  self->detect_tasks = g_ptr_array_new_with_free_func (g_object_unref);
  g_clear_object (&self->detecting);
  lspc_notify (self, PROP_DETECTING);
  for (guint i = 0; i < tasks->len; i++)
    g_task_return_boolean (tasks->pdata[i], TRUE);
}

static void
lspc_on_media_loaded_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (LodgeMachineSpec) self = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (LodgeMediaInfo) media = lodge_media_info_load_finish (result, &error);

  if (g_task_get_cancellable (G_TASK (result)) != self->detecting)
    return; /* another path was set meanwhile */
  self->media = g_steal_pointer (&media);
  g_set_str (&self->media_problem, error != NULL ? error->message : NULL);
  lspc_notify (self, PROP_MEDIA);
  if (!(self->by_hand & LSPC_HAND_OS) && self->media != NULL && g_set_str (&self->os_id, lodge_media_info_get_os_id (self->media)))
    lspc_notify (self, PROP_OS_ID);
  lspc_apply_defaults (self);
  lspc_end_detection (self);
}

/* Looks at the medium if there is one, after a change of source or path. */
static void
lspc_detect (LodgeMachineSpec *self)
{
  gboolean was_detecting = self->detecting != NULL;

  if (was_detecting)
    g_cancellable_cancel (self->detecting);
  g_clear_object (&self->detecting);
  g_set_str (&self->media_problem, NULL);
  if (self->media != NULL)
    {
      g_clear_object (&self->media);
      lspc_notify (self, PROP_MEDIA);
    }
  if (!(self->by_hand & LSPC_HAND_OS) && g_set_str (&self->os_id, NULL))
    lspc_notify (self, PROP_OS_ID);

  if (self->source == LODGE_SOURCE_ISO && self->path != NULL && lodge_bundle_check_file (self->path, NULL))
    {
      self->detecting = g_cancellable_new ();
      lodge_media_info_load_async (self->path, self->detecting, lspc_on_media_loaded_cb, g_object_ref (self));
      lspc_notify (self, PROP_DETECTING);
    }
  else if (was_detecting)
    lspc_end_detection (self);
  lspc_apply_defaults (self);
}

const char *
lodge_machine_spec_get_problem (LodgeMachineSpec *self, LodgeSpecField field)
{
  g_return_val_if_fail ((guint) field < LODGE_N_SPEC_FIELDS, NULL);
  _lodge_machine_spec_judge (self);
  return self->problems[field];
}

/* --- machine.conf -------------------------------------------------------------------------------------------------------------- */

/* The configuration of the machine as it stands; the image of a copied disk is filled in when its name is known. */
GKeyFile *
_lodge_machine_spec_build (LodgeMachineSpec *self)
{
  LodgeOs *os = _lodge_machine_spec_get_os (self);
  GKeyFile *conf = g_key_file_new ();
  g_autofree char *uuid = g_uuid_string_random ();
  gboolean has_disk = self->source == LODGE_SOURCE_IMAGE || self->disk_mib > 0;

  g_key_file_set_string (conf, "machine", "name", self->name);
  g_key_file_set_string (conf, "machine", "uuid", uuid);
  if (self->os_id != NULL)
    g_key_file_set_string (conf, "machine", "os", self->os_id);
  g_key_file_set_integer (conf, "machine", "memory", (int) self->memory_mib);
  g_key_file_set_integer (conf, "machine", "cpus", (int) self->cpus);
  g_key_file_set_string (conf, "machine", "firmware", self->firmware);
  if (self->os_id != NULL && g_str_has_prefix (self->os_id, "win"))
    g_key_file_set_string (conf, "machine", "clock", "local"); /* Windows keeps local time in the hardware clock */
  if (self->source == LODGE_SOURCE_KERNEL)
    {
      g_key_file_set_string (conf, "kernel", "kernel", self->path != NULL ? self->path : "");
      if (self->initrd != NULL)
        g_key_file_set_string (conf, "kernel", "initrd", self->initrd);
      if (self->kernel_args != NULL)
        g_key_file_set_string (conf, "kernel", "append", self->kernel_args);
    }
  g_key_file_set_string (conf, "display0", "class", os != NULL && lodge_os_get_has_virtio_gpu (os) ? "virtio-vga" : "vga");
  if (os != NULL && lodge_os_get_has_virtio_input (os))
    g_key_file_set_string (conf, "tablet0", "class", "virtio-tablet");
  if (has_disk)
    {
      gboolean linked = self->source == LODGE_SOURCE_IMAGE && self->link_image && self->path != NULL;
      const LodgeImageKind *kind = linked ? lodge_image_recognise (self->path, NULL) : NULL;

      g_key_file_set_string (conf, "disk0", "class", "sata-disk");
      g_key_file_set_string (conf, "disk0", "image", linked ? self->path : "disk0.qcow2");
      g_key_file_set_string (conf, "disk0", "format", kind != NULL ? kind->name : "qcow2");
      g_key_file_set_string (conf, "disk0", "boot", "1"); /* before the disc: an installed system starts */
    }
  g_key_file_set_string (conf, "cdrom0", "class", "sata-cd");
  if (self->source == LODGE_SOURCE_ISO && self->path != NULL)
    g_key_file_set_string (conf, "cdrom0", "image", self->path);
  g_key_file_set_string (conf, "cdrom0", "boot", "2");
  if (self->tpm)
    g_key_file_set_string (conf, "tpm0", "class", "tpm-crb");
  g_key_file_set_string (conf, "serial0", "class", "serial");
  g_key_file_set_string (conf, "serial0", "port", "com1");

  for (guint i = 0; i < self->overrides->len; i++)
    {
      const LspcOverride *override = self->overrides->pdata[i];

      if (override->value != NULL)
        g_key_file_set_string (conf, override->group, override->key, override->value);
      else if (g_str_equal (override->key, "class"))
        g_key_file_remove_group (conf, override->group, NULL);
      else
        g_key_file_remove_key (conf, override->group, override->key, NULL);
    }
  return conf;
}

gboolean
lodge_machine_spec_set_setting (LodgeMachineSpec *self, const char *group, const char *key, const char *value, GError **error)
{
  g_autoptr (GKeyFile) conf = _lodge_machine_spec_build (self);
  g_autofree char *class_name = g_key_file_get_string (conf, group, "class", NULL);
  gboolean is_plain = g_str_equal (group, "machine") || g_str_equal (group, "kernel");
  LspcOverride *override;

  if (*group == '\0' || strpbrk (group, "[]") != NULL || *key == '\0')
    {
      g_set_error (error, LODGE_ERROR, LODGE_ERROR_INVALID, _ ("“%s.%s” is not a setting."), group, key);
      return FALSE;
    }
  if (!is_plain && g_str_equal (key, "class") && value != NULL)
    g_set_str (&class_name, value);
  /* Taking out a device needs no judgement on what it was. */
  if ((value != NULL || !g_str_equal (key, "class") || !g_key_file_has_group (conf, group))
      && !lodge_bundle_setting_check (group, is_plain ? NULL : class_name, key, value, error))
    return FALSE;
  override = g_new0 (LspcOverride, 1);
  override->group = g_strdup (group);
  override->key = g_strdup (key);
  override->value = g_strdup (value);
  g_ptr_array_add (self->overrides, override);
  _lodge_machine_spec_judge (self);
  return TRUE;
}

/* --- Creating ------------------------------------------------------------------------------------------------------------------ */

static void
lspc_create_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  GError *error = NULL;
  char *path = lodge_make_job_run (data, &error);

  if (path != NULL)
    g_task_return_pointer (task, path, g_free);
  else
    g_task_return_error (task, error);
}

static void
lspc_on_listed_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  LodgeLibrary *library = LODGE_LIBRARY (object);
  g_autoptr (GTask) task = user_data;
  LodgeMachine *machine = lodge_library_find_path (library, g_task_get_task_data (task));

  if (machine != NULL)
    g_task_return_pointer (task, g_object_ref (machine), g_object_unref);
  else
    g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_NOT_FOUND, "%s", _ ("The new machine has vanished."));
}

static void
lspc_on_made_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  LodgeMachineSpec *self = LODGE_MACHINE_SPEC (object);
  g_autoptr (GTask) task = user_data;
  GError *error = NULL;
  char *path = g_task_propagate_pointer (G_TASK (result), &error);

  if (path == NULL)
    {
      g_task_return_error (task, error);
      return;
    }
  g_task_set_task_data (task, path, g_free);
  _lodge_library_sync_async (self->library, NULL, lspc_on_listed_cb, g_steal_pointer (&task));
}

void
lodge_machine_spec_create_async (LodgeMachineSpec *self, LodgeOperation *operation, GAsyncReadyCallback callback,
                                 gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (self, NULL, callback, user_data);
  g_autoptr (GTask) thread = NULL;
  gboolean copies = self->source == LODGE_SOURCE_IMAGE && !self->link_image;
  LodgeMakeJob *job;

  g_task_set_source_tag (task, lodge_machine_spec_create_async);
  _lodge_machine_spec_judge (self);
  for (guint i = 0; i < LODGE_N_SPEC_FIELDS; i++)
    if (self->problems[i] != NULL)
      {
        g_task_return_new_error (task, LODGE_ERROR, i == LODGE_SPEC_SETTINGS ? LODGE_ERROR_CONFIG : LODGE_ERROR_INVALID, "%s",
                                 self->problems[i]);
        return;
      }

  job = g_new0 (LodgeMakeJob, 1);
  job->directory = g_strdup (lodge_library_get_directory (self->library));
  job->name = g_strdup (self->name);
  job->conf = _lodge_machine_spec_build (self);
  job->image_path = copies ? g_strdup (self->path) : NULL;
  if (self->source != LODGE_SOURCE_IMAGE)
    {
      g_autofree char *image = g_key_file_get_string (job->conf, "disk0", "image", NULL);

      /* Settings may have put another image in its place. */
      job->disk_bytes = g_strcmp0 (image, "disk0.qcow2") == 0 ? self->disk_mib * LSPC_MIB : 0;
    }
  job->operation = operation != NULL ? g_object_ref (operation) : lodge_operation_new ();
  thread = g_task_new (self, NULL, lspc_on_made_cb, g_object_ref (task));
  g_task_set_task_data (thread, job, (GDestroyNotify) lodge_make_job_free);
  g_task_run_in_thread (thread, lspc_create_thread);
}

LodgeMachine *
lodge_machine_spec_create_finish (LodgeMachineSpec *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}

/* --- Preparing ----------------------------------------------------------------------------------------------------------------- */

static void
lspc_space_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  g_autofree char *path = g_strdup (data);
  struct statvfs fs;

  while (statvfs (path, &fs) < 0)
    {
      g_autofree char *parent = g_path_get_dirname (path);

      if (g_str_equal (parent, path))
        {
          g_task_return_int (task, 0);
          return;
        }
      g_set_str (&path, parent);
    }
  g_task_return_int (task, (gssize) MIN ((guint64) fs.f_bavail * fs.f_frsize / LSPC_MIB, G_MAXSSIZE));
}

static void
lspc_on_space_known_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  LodgeMachineSpec *self = LODGE_MACHINE_SPEC (object);
  g_autoptr (GTask) task = user_data;
  gssize mib = g_task_propagate_int (G_TASK (result), NULL);

  self->free_disk_mib = mib > 0 ? (guint64) mib : 0;
  lspc_apply_defaults (self);
  lspc_notify (self, PROP_OS_ID); /* advice may have changed with what we know now */
  if (self->detecting != NULL)
    g_ptr_array_add (self->detect_tasks, g_steal_pointer (&task));
  else
    g_task_return_boolean (task, TRUE);
}

static void
lspc_on_systems_loaded_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  LodgeMachineSpec *self = g_task_get_source_object (task);
  g_autoptr (GTask) thread = NULL;

  lodge_os_database_load_finish (LODGE_OS_DATABASE (object), result, NULL);
  thread = g_task_new (self, NULL, lspc_on_space_known_cb, g_object_ref (task));
  g_task_set_task_data (thread, g_strdup (lodge_library_get_directory (self->library)), g_free);
  g_task_run_in_thread (thread, lspc_space_thread);
}

static void
lspc_on_host_known_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;

  lodge_host_refresh_finish (LODGE_HOST (object), result, NULL);
  lodge_os_database_load_async (lodge_os_database_get_default (), NULL, lspc_on_systems_loaded_cb, g_steal_pointer (&task));
}

void
lodge_machine_spec_prepare_async (LodgeMachineSpec *self, GCancellable *cancellable, GAsyncReadyCallback callback,
                                  gpointer user_data)
{
  GTask *task = g_task_new (self, cancellable, callback, user_data);

  g_task_set_source_tag (task, lodge_machine_spec_prepare_async);
  lodge_host_refresh_async (lodge_host_get_default (), NULL, lspc_on_host_known_cb, task);
}

gboolean
lodge_machine_spec_prepare_finish (LodgeMachineSpec *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  return g_task_propagate_boolean (G_TASK (result), error);
}

/* --- Fields -------------------------------------------------------------------------------------------------------------------- */

LodgeSource
lodge_machine_spec_guess_source (const char *path)
{
  static const struct {
    const char *ending;
    LodgeSource source;
  } endings[] = {
    { ".iso", LODGE_SOURCE_ISO },   { ".qcow2", LODGE_SOURCE_IMAGE }, { ".qcow", LODGE_SOURCE_IMAGE },
    { ".img", LODGE_SOURCE_IMAGE }, { ".raw", LODGE_SOURCE_IMAGE },   { ".vmdk", LODGE_SOURCE_IMAGE },
    { ".vdi", LODGE_SOURCE_IMAGE }, { ".vhd", LODGE_SOURCE_IMAGE },   { ".vhdx", LODGE_SOURCE_IMAGE },
    { ".hdd", LODGE_SOURCE_IMAGE }, { ".qed", LODGE_SOURCE_IMAGE },
  };
  static const char *const kernels[] = { "vmlinuz", "vmlinux", "bzimage", "linux" };
  g_autofree char *base = g_path_get_basename (path);
  g_autofree char *lower = g_ascii_strdown (base, -1);

  for (gsize i = 0; i < G_N_ELEMENTS (endings); i++)
    if (g_str_has_suffix (lower, endings[i].ending))
      return endings[i].source;
  for (gsize i = 0; i < G_N_ELEMENTS (kernels); i++)
    if (g_str_has_prefix (lower, kernels[i]))
      return LODGE_SOURCE_KERNEL;
  return LODGE_SOURCE_EMPTY;
}

LodgeMachineSpec *
lodge_machine_spec_new (LodgeLibrary *library)
{
  LodgeMachineSpec *self = g_object_new (LODGE_TYPE_MACHINE_SPEC, NULL);

  self->library = g_object_ref (library);
  lspc_apply_defaults (self);
  return self;
}

LodgeSource
lodge_machine_spec_get_source (LodgeMachineSpec *self)
{
  return self->source;
}

void
lodge_machine_spec_set_source (LodgeMachineSpec *self, LodgeSource source)
{
  if (self->source == source)
    return;
  self->source = source;
  lspc_notify (self, PROP_SOURCE);
  lspc_detect (self);
}

const char *
lodge_machine_spec_get_name (LodgeMachineSpec *self)
{
  return self->name;
}

void
lodge_machine_spec_set_name (LodgeMachineSpec *self, const char *name)
{
  if (!g_set_str (&self->name, name))
    return;
  self->by_hand |= LSPC_HAND_NAME;
  lspc_notify (self, PROP_NAME);
  _lodge_machine_spec_judge (self);
}

/* Paths are absolute in machine.conf, whatever the caller's directory. */
static gboolean
lspc_set_path (char **field, const char *path)
{
  g_autofree char *absolute = path != NULL && *path != '\0' ? g_canonicalize_filename (path, NULL) : NULL;

  return g_set_str (field, absolute);
}

const char *
lodge_machine_spec_get_path (LodgeMachineSpec *self)
{
  return self->path;
}

void
lodge_machine_spec_set_path (LodgeMachineSpec *self, const char *path)
{
  if (!lspc_set_path (&self->path, path))
    return;
  lspc_notify (self, PROP_PATH);
  lspc_detect (self);
}

const char *
lodge_machine_spec_get_initrd (LodgeMachineSpec *self)
{
  return self->initrd;
}

void
lodge_machine_spec_set_initrd (LodgeMachineSpec *self, const char *path)
{
  if (!lspc_set_path (&self->initrd, path))
    return;
  lspc_notify (self, PROP_INITRD);
  _lodge_machine_spec_judge (self);
}

const char *
lodge_machine_spec_get_kernel_args (LodgeMachineSpec *self)
{
  return self->kernel_args;
}

void
lodge_machine_spec_set_kernel_args (LodgeMachineSpec *self, const char *args)
{
  if (g_set_str (&self->kernel_args, args))
    lspc_notify (self, PROP_KERNEL_ARGS);
}

gboolean
lodge_machine_spec_get_link_image (LodgeMachineSpec *self)
{
  return self->link_image;
}

void
lodge_machine_spec_set_link_image (LodgeMachineSpec *self, gboolean link_image)
{
  if (self->link_image == link_image)
    return;
  self->link_image = link_image;
  lspc_notify (self, PROP_LINK_IMAGE);
  _lodge_machine_spec_judge (self);
}

const char *
lodge_machine_spec_get_os_id (LodgeMachineSpec *self)
{
  return self->os_id;
}

void
lodge_machine_spec_set_os_id (LodgeMachineSpec *self, const char *os_id)
{
  if (!g_set_str (&self->os_id, os_id != NULL && *os_id != '\0' ? os_id : NULL))
    return;
  self->by_hand |= LSPC_HAND_OS;
  lspc_notify (self, PROP_OS_ID);
  lspc_apply_defaults (self);
}

guint
lodge_machine_spec_get_memory_mib (LodgeMachineSpec *self)
{
  return self->memory_mib;
}

void
lodge_machine_spec_set_memory_mib (LodgeMachineSpec *self, guint memory_mib)
{
  if (self->memory_mib == memory_mib)
    return;
  self->memory_mib = memory_mib;
  self->by_hand |= LSPC_HAND_MEMORY;
  lspc_notify (self, PROP_MEMORY_MIB);
  _lodge_machine_spec_judge (self);
}

guint
lodge_machine_spec_get_cpus (LodgeMachineSpec *self)
{
  return self->cpus;
}

void
lodge_machine_spec_set_cpus (LodgeMachineSpec *self, guint cpus)
{
  if (self->cpus == cpus)
    return;
  self->cpus = cpus;
  self->by_hand |= LSPC_HAND_CPUS;
  lspc_notify (self, PROP_CPUS);
  _lodge_machine_spec_judge (self);
}

const char *
lodge_machine_spec_get_firmware (LodgeMachineSpec *self)
{
  return self->firmware;
}

void
lodge_machine_spec_set_firmware (LodgeMachineSpec *self, const char *firmware)
{
  g_return_if_fail (g_strcmp0 (firmware, "bios") == 0 || g_strcmp0 (firmware, "uefi") == 0);
  self->by_hand |= LSPC_HAND_FIRMWARE;
  if (g_set_str (&self->firmware, firmware))
    lspc_notify (self, PROP_FIRMWARE);
  _lodge_machine_spec_judge (self);
}

gboolean
lodge_machine_spec_get_tpm (LodgeMachineSpec *self)
{
  return self->tpm;
}

void
lodge_machine_spec_set_tpm (LodgeMachineSpec *self, gboolean tpm)
{
  self->by_hand |= LSPC_HAND_TPM;
  if (self->tpm == !!tpm)
    return;
  self->tpm = !!tpm;
  lspc_notify (self, PROP_TPM);
  _lodge_machine_spec_judge (self);
}

guint64
lodge_machine_spec_get_disk_mib (LodgeMachineSpec *self)
{
  return self->disk_mib;
}

void
lodge_machine_spec_set_disk_mib (LodgeMachineSpec *self, guint64 disk_mib)
{
  if (self->disk_mib == disk_mib)
    return;
  self->disk_mib = disk_mib;
  self->by_hand |= LSPC_HAND_DISK;
  lspc_notify (self, PROP_DISK_MIB);
  _lodge_machine_spec_judge (self);
}

LodgeMediaInfo *
lodge_machine_spec_get_media (LodgeMachineSpec *self)
{
  return self->media;
}

gboolean
lodge_machine_spec_get_detecting (LodgeMachineSpec *self)
{
  return self->detecting != NULL;
}

gboolean
lodge_machine_spec_get_valid (LodgeMachineSpec *self)
{
  return self->valid;
}

const char *
lodge_machine_spec_get_hint (LodgeMachineSpec *self)
{
  return self->hint;
}

static void
lspc_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  LodgeMachineSpec *self = LODGE_MACHINE_SPEC (object);

  switch (id)
    {
    case PROP_SOURCE:
      lodge_machine_spec_set_source (self, (LodgeSource) g_value_get_enum (value));
      break;
    case PROP_NAME:
      lodge_machine_spec_set_name (self, g_value_get_string (value));
      break;
    case PROP_PATH:
      lodge_machine_spec_set_path (self, g_value_get_string (value));
      break;
    case PROP_INITRD:
      lodge_machine_spec_set_initrd (self, g_value_get_string (value));
      break;
    case PROP_KERNEL_ARGS:
      lodge_machine_spec_set_kernel_args (self, g_value_get_string (value));
      break;
    case PROP_LINK_IMAGE:
      lodge_machine_spec_set_link_image (self, g_value_get_boolean (value));
      break;
    case PROP_OS_ID:
      lodge_machine_spec_set_os_id (self, g_value_get_string (value));
      break;
    case PROP_MEMORY_MIB:
      lodge_machine_spec_set_memory_mib (self, g_value_get_uint (value));
      break;
    case PROP_CPUS:
      lodge_machine_spec_set_cpus (self, g_value_get_uint (value));
      break;
    case PROP_DISK_MIB:
      lodge_machine_spec_set_disk_mib (self, g_value_get_uint64 (value));
      break;
    case PROP_FIRMWARE:
      lodge_machine_spec_set_firmware (self, g_value_get_string (value));
      break;
    case PROP_TPM:
      lodge_machine_spec_set_tpm (self, g_value_get_boolean (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
lspc_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  LodgeMachineSpec *self = LODGE_MACHINE_SPEC (object);

  switch (id)
    {
    case PROP_SOURCE:
      g_value_set_enum (value, (int) self->source);
      break;
    case PROP_NAME:
      g_value_set_string (value, self->name);
      break;
    case PROP_PATH:
      g_value_set_string (value, self->path);
      break;
    case PROP_INITRD:
      g_value_set_string (value, self->initrd);
      break;
    case PROP_KERNEL_ARGS:
      g_value_set_string (value, self->kernel_args);
      break;
    case PROP_LINK_IMAGE:
      g_value_set_boolean (value, self->link_image);
      break;
    case PROP_OS_ID:
      g_value_set_string (value, self->os_id);
      break;
    case PROP_MEMORY_MIB:
      g_value_set_uint (value, self->memory_mib);
      break;
    case PROP_CPUS:
      g_value_set_uint (value, self->cpus);
      break;
    case PROP_DISK_MIB:
      g_value_set_uint64 (value, self->disk_mib);
      break;
    case PROP_FIRMWARE:
      g_value_set_string (value, self->firmware);
      break;
    case PROP_TPM:
      g_value_set_boolean (value, self->tpm);
      break;
    case PROP_DETECTING:
      g_value_set_boolean (value, self->detecting != NULL);
      break;
    case PROP_MEDIA:
      g_value_set_object (value, self->media);
      break;
    case PROP_VALID:
      g_value_set_boolean (value, self->valid);
      break;
    case PROP_HINT:
      g_value_set_string (value, self->hint);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
lspc_finalize (GObject *object)
{
  LodgeMachineSpec *self = LODGE_MACHINE_SPEC (object);

  g_clear_object (&self->library);
  g_clear_object (&self->media);
  g_clear_object (&self->detecting);
  g_free (self->name);
  g_free (self->path);
  g_free (self->initrd);
  g_free (self->kernel_args);
  g_free (self->os_id);
  g_free (self->firmware);
  g_free (self->media_problem);
  g_free (self->hint);
  for (guint i = 0; i < LODGE_N_SPEC_FIELDS; i++)
    g_free (self->problems[i]);
  g_ptr_array_unref (self->overrides);
  g_ptr_array_unref (self->detect_tasks);
  G_OBJECT_CLASS (lodge_machine_spec_parent_class)->finalize (object);
}

static void
lodge_machine_spec_class_init (LodgeMachineSpecClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags readable = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;
  const GParamFlags flags = readable | G_PARAM_WRITABLE;

  object_class->set_property = lspc_set_property;
  object_class->get_property = lspc_get_property;
  object_class->finalize = lspc_finalize;
  lspc_props[PROP_SOURCE] = g_param_spec_enum ("source", NULL, NULL, LODGE_TYPE_SOURCE, LODGE_SOURCE_EMPTY, flags);
  lspc_props[PROP_NAME] = g_param_spec_string ("name", NULL, NULL, NULL, flags);
  lspc_props[PROP_PATH] = g_param_spec_string ("path", NULL, NULL, NULL, flags);
  lspc_props[PROP_INITRD] = g_param_spec_string ("initrd", NULL, NULL, NULL, flags);
  lspc_props[PROP_KERNEL_ARGS] = g_param_spec_string ("kernel-args", NULL, NULL, NULL, flags);
  lspc_props[PROP_LINK_IMAGE] = g_param_spec_boolean ("link-image", NULL, NULL, FALSE, flags);
  lspc_props[PROP_OS_ID] = g_param_spec_string ("os-id", NULL, NULL, NULL, flags);
  lspc_props[PROP_MEMORY_MIB] = g_param_spec_uint ("memory-mib", NULL, NULL, 0, G_MAXINT, 0, flags);
  lspc_props[PROP_CPUS] = g_param_spec_uint ("cpus", NULL, NULL, 0, G_MAXINT, 0, flags);
  lspc_props[PROP_DISK_MIB] = g_param_spec_uint64 ("disk-mib", NULL, NULL, 0, G_MAXUINT64, 0, flags);
  lspc_props[PROP_FIRMWARE] = g_param_spec_string ("firmware", NULL, NULL, "bios", flags);
  lspc_props[PROP_TPM] = g_param_spec_boolean ("tpm", NULL, NULL, FALSE, flags);
  lspc_props[PROP_DETECTING] = g_param_spec_boolean ("detecting", NULL, NULL, FALSE, readable);
  lspc_props[PROP_MEDIA] = g_param_spec_object ("media", NULL, NULL, LODGE_TYPE_MEDIA_INFO, readable);
  lspc_props[PROP_VALID] = g_param_spec_boolean ("valid", NULL, NULL, FALSE, readable);
  lspc_props[PROP_HINT] = g_param_spec_string ("hint", NULL, NULL, NULL, readable);
  g_object_class_install_properties (object_class, N_PROPS, lspc_props);
}

static void
lodge_machine_spec_init (LodgeMachineSpec *self)
{
  self->source = LODGE_SOURCE_EMPTY;
  self->firmware = g_strdup ("bios");
  self->overrides = g_ptr_array_new_with_free_func (lspc_override_free);
  self->detect_tasks = g_ptr_array_new_with_free_func (g_object_unref);
}
