/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A machine on disk: a directory with machine.conf, images and logs. */
#include "engine/bundle.h"

#include "engine/device-catalog.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <gio/gio.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vmm.h>

#define LBUN_CONF_MAX (1024 * 1024) /* bytes; a machine.conf has one to ten KiB */
#define LBUN_LOCK "lock"

struct _LodgeBundle {
  char *path, *name, *uuid, *os_id;
  GKeyFile *file;
};

/* Which sentence and code people get for an engine's code. */
static const struct {
  VmmError from;
  LodgeError to;
  const char *sentence;
} lbun_errors[] = {
  { VMM_ERROR_UNSUPPORTED, LODGE_ERROR_UNSUPPORTED, N_ ("This is not supported.") },
  { VMM_ERROR_INVALID_CONFIG, LODGE_ERROR_CONFIG, N_ ("The machine's settings are wrong.") },
  { VMM_ERROR_HOST, LODGE_ERROR_FAILED, N_ ("This computer refused something that the machine needs.") },
  { VMM_ERROR_BUSY, LODGE_ERROR_BUSY, N_ ("Something that the machine needs is in use.") },
  { VMM_ERROR_CORRUPT, LODGE_ERROR_INVALID, N_ ("A file of the machine is damaged.") },
  { VMM_ERROR_STATE_MISMATCH, LODGE_ERROR_INVALID, N_ ("The saved state does not fit this machine.") },
  { VMM_ERROR_NO_SPACE, LODGE_ERROR_NO_SPACE, N_ ("There is no space left on this computer's disk.") },
  { VMM_ERROR_NO_KVM, LODGE_ERROR_NO_KVM, N_ ("This computer cannot run virtual machines as it is set up now.") },
  { VMM_ERROR_NOT_FOUND, LODGE_ERROR_NOT_FOUND, N_ ("A file that the machine needs is missing.") },
};

GError *
lodge_bundle_error_from_engine (GError *error, const char *sentence)
{
  int code = LODGE_ERROR_FAILED;
  GError *words;

  if (error->domain == LODGE_ERROR)
    return error;
  if (error->domain == VMM_ERROR)
    for (gsize i = 0; i < G_N_ELEMENTS (lbun_errors); i++)
      if (lbun_errors[i].from == (VmmError) error->code)
        {
          code = (int) lbun_errors[i].to;
          if (sentence == NULL)
            sentence = _ (lbun_errors[i].sentence);
        }
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE) || g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC))
    code = LODGE_ERROR_NO_SPACE;
  if (sentence == NULL)
    sentence = _ ("Something went wrong.");
  words = g_error_new (LODGE_ERROR, code, "%s\n%s", sentence, error->message);
  g_error_free (error);
  return words;
}

gboolean
lodge_bundle_check_file (const char *path, GError **error)
{
  struct stat st;

  if (stat (path, &st) < 0)
    {
      if (errno == ENOENT || errno == ENOTDIR)
        g_set_error (error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND, _ ("There is no file “%s”."), path);
      else
        g_set_error (error, LODGE_ERROR, LODGE_ERROR_FAILED, _ ("“%s” cannot be read: %s"), path, g_strerror (errno));
      return FALSE;
    }
  if (S_ISDIR (st.st_mode))
    {
      g_set_error (error, LODGE_ERROR, LODGE_ERROR_INVALID, _ ("“%s” is a folder. A file is wanted."), path);
      return FALSE;
    }
  if (!S_ISREG (st.st_mode))
    {
      g_set_error (error, LODGE_ERROR, LODGE_ERROR_INVALID, _ ("“%s” is a device or a pipe. A plain file is wanted."), path);
      return FALSE;
    }
  if (st.st_size == 0)
    {
      g_set_error (error, LODGE_ERROR, LODGE_ERROR_INVALID, _ ("“%s” is empty."), path);
      return FALSE;
    }
  if (access (path, R_OK) < 0)
    {
      g_set_error (error, LODGE_ERROR, LODGE_ERROR_FAILED, _ ("“%s” cannot be read: %s"), path, g_strerror (errno));
      return FALSE;
    }
  return TRUE;
}

static const VmmSetting *
lbun_settings_of (const char *group, const char *class_name)
{
  static const VmmSetting none[] = { { NULL } };

  if (class_name == NULL)
    return g_str_equal (group, "machine") ? vmm_machine_settings () : g_str_equal (group, "kernel") ? vmm_kernel_settings () : NULL;
  for (const VmmClassInfo *info = vmm_class_list (); info->name != NULL; info++)
    if (info->user_creatable && g_str_equal (info->name, class_name))
      return info->settings != NULL ? info->settings : none;
  return NULL;
}

gboolean
lodge_bundle_setting_check (const char *group, const char *class_name, const char *key, const char *value, GError **error)
{
  const VmmSetting *settings = lbun_settings_of (group, class_name);
  g_autoptr (GString) known = g_string_new (NULL);
  g_autoptr (GError) local = NULL;

  if (settings == NULL && class_name != NULL)
    {
      for (const VmmClassInfo *info = vmm_class_list (); info->name != NULL; info++)
        if (info->user_creatable)
          g_string_append_printf (known, "%s%s", known->len > 0 ? ", " : "", info->name);
      g_set_error (error, LODGE_ERROR, LODGE_ERROR_INVALID, _ ("There is no kind of device “%s”. There are: %s."), class_name,
                   known->str);
      return FALSE;
    }
  if (g_str_equal (key, "class") && class_name != NULL)
    return TRUE;
  for (const VmmSetting *setting = settings; setting != NULL && setting->key != NULL; setting++)
    {
      if (!g_str_equal (setting->key, key))
        {
          g_string_append_printf (known, "%s%s", known->len > 0 ? ", " : "", setting->key);
          continue;
        }
      if (value == NULL || vmm_setting_check (setting, value, &local))
        return TRUE;
      g_set_error (error, LODGE_ERROR, LODGE_ERROR_INVALID, _ ("A setting of [%s] is not allowed: %s"), group, local->message);
      return FALSE;
    }
  if (settings == NULL)
    g_set_error (error, LODGE_ERROR, LODGE_ERROR_INVALID, _ ("There is no group [%s]. For a new device, set %s.class first."),
                 group, group);
  else
    g_set_error (error, LODGE_ERROR, LODGE_ERROR_INVALID, _ ("[%s] has no setting “%s”. It has: %s."), group, key, known->str);
  return FALSE;
}

/* Sets an error about the content of machine.conf: @detail names group and key. */
static void
lbun_set_config_error (GError **error, const char *path, const char *detail)
{
  g_autofree char *conf = g_build_filename (path, LODGE_BUNDLE_CONF, NULL);
  g_autofree char *base = g_path_get_basename (path);

  g_set_error (error, LODGE_ERROR, LODGE_ERROR_CONFIG, "%s\n%s: %s", _ ("The settings of this machine cannot be understood."), conf,
               detail);
}

/* Checks all of the content and takes out what everybody asks for. */
static gboolean
lbun_check (LodgeBundle *self, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (VmmConfig) config = vmm_config_new (self->file, self->path, &local);
  g_autofree char *name = NULL;
  g_autofree char *uuid = NULL;

  if (config == NULL)
    {
      lbun_set_config_error (error, self->path, local->message);
      return FALSE;
    }
  name = lodge_bundle_dup_value (self, "machine", "name");
  if (name == NULL || *g_strstrip (name) == '\0' || !g_utf8_validate (name, -1, NULL))
    {
      lbun_set_config_error (error, self->path, "[machine]: name is missing");
      return FALSE;
    }
  uuid = lodge_bundle_dup_value (self, "machine", "uuid");
  if (uuid == NULL || !g_uuid_string_is_valid (uuid))
    {
      lbun_set_config_error (error, self->path,
                             "[machine] uuid: 36 characters like 5b2b0f4e-8b1c-4c39-9d5e-0f3c7b1f6a11 are wanted");
      return FALSE;
    }
  g_set_str (&self->name, name);
  g_clear_pointer (&self->uuid, g_free);
  self->uuid = g_ascii_strdown (uuid, -1); /* names the socket */
  g_free (self->os_id);
  self->os_id = lodge_bundle_dup_value (self, "machine", "os");
  return TRUE;
}

LodgeBundle *
lodge_bundle_new_from_data (const char *path, const char *data, gsize size, GError **error)
{
  g_autoptr (LodgeBundle) self = g_new0 (LodgeBundle, 1);
  g_autoptr (GError) local = NULL;

  self->path = g_strdup (path);
  self->file = g_key_file_new ();
  if (size > LBUN_CONF_MAX)
    {
      lbun_set_config_error (error, path, "larger than 1 MiB");
      return NULL;
    }
  if (size == 0 || !g_key_file_load_from_data (self->file, data, size, G_KEY_FILE_KEEP_COMMENTS, &local))
    {
      lbun_set_config_error (error, path, size == 0 ? "empty" : local->message);
      return NULL;
    }
  if (!lbun_check (self, error))
    return NULL;
  return g_steal_pointer (&self);
}

LodgeBundle *
lodge_bundle_load (const char *path, GError **error)
{
  g_autofree char *conf = g_build_filename (path, LODGE_BUNDLE_CONF, NULL);
  g_autofree char *data = NULL;
  g_autofd int fd = -1;
  struct stat st;
  gsize size = 0;

  if (!g_file_test (path, G_FILE_TEST_IS_DIR))
    {
      g_set_error (error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND, _ ("“%s” is not the folder of a machine."), path);
      return NULL;
    }
  /* O_NONBLOCK: a pipe in its place must not hold us. */
  fd = open (conf, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0 || fstat (fd, &st) < 0 || !S_ISREG (st.st_mode))
    {
      if (fd < 0 && errno == ENOENT)
        g_set_error (error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND, _ ("“%s” is not the folder of a machine: it has no %s."), path,
                     LODGE_BUNDLE_CONF);
      else if (fd < 0)
        g_set_error (error, LODGE_ERROR, LODGE_ERROR_FAILED, _ ("“%s” cannot be read: %s"), conf, g_strerror (errno));
      else
        g_set_error (error, LODGE_ERROR, LODGE_ERROR_CONFIG, _ ("“%s” is not a file."), conf);
      return NULL;
    }
  if (st.st_size > LBUN_CONF_MAX)
    {
      lbun_set_config_error (error, path, "larger than 1 MiB");
      return NULL;
    }
  data = g_malloc ((gsize) st.st_size + 1);
  while (size < (gsize) st.st_size)
    {
      ssize_t n = TEMP_FAILURE_RETRY (read (fd, data + size, (gsize) st.st_size - size));

      if (n < 0)
        {
          g_set_error (error, LODGE_ERROR, LODGE_ERROR_FAILED, _ ("“%s” cannot be read: %s"), conf, g_strerror (errno));
          return NULL;
        }
      if (n == 0)
        break;
      size += (gsize) n;
    }
  data[size] = '\0';
  return lodge_bundle_new_from_data (path, data, size, error);
}

void
lodge_bundle_free (LodgeBundle *self)
{
  g_free (self->path);
  g_free (self->name);
  g_free (self->uuid);
  g_free (self->os_id);
  g_key_file_unref (self->file);
  g_free (self);
}

gboolean
lodge_bundle_save (LodgeBundle *self, GError **error)
{
  g_autofree char *conf = g_build_filename (self->path, LODGE_BUNDLE_CONF, NULL);
  g_autofree char *data = NULL;
  g_autofd int dir_fd = -1;
  GError *local = NULL;
  gsize size;

  if (!lbun_check (self, error))
    return FALSE;
  data = g_key_file_to_data (self->file, &size, NULL);
  /* CONSISTENT: a temporary file, renamed; DURABLE: fsync before. The directory's own fsync makes the rename last. */
  if (!g_file_set_contents_full (conf, data, (gssize) size, G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0666,
                                 &local))
    {
      g_autofree char *sentence = g_strdup_printf (_ ("The settings of “%s” cannot be written."), self->name);

      g_propagate_error (error, lodge_bundle_error_from_engine (local, sentence));
      return FALSE;
    }
  dir_fd = open (self->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir_fd < 0 || fsync (dir_fd) < 0)
    {
      g_set_error (error, LODGE_ERROR, LODGE_ERROR_FAILED, _ ("“%s” cannot be written: %s"), self->path, g_strerror (errno));
      return FALSE;
    }
  return TRUE;
}

static GMutex lbun_order; /* who reads a machine.conf to write it */

gboolean
lodge_bundle_edit (const char *path, const char *group, const char *key, const char *value, GError **error)
{
  g_autoptr (LodgeBundle) bundle = NULL;
  g_autofree char *before = NULL;
  gboolean ok = FALSE;

  g_mutex_lock (&lbun_order);
  bundle = lodge_bundle_load (path, error);
  if (bundle != NULL)
    {
      before = lodge_bundle_dup_value (bundle, group, key);
      if (g_strcmp0 (before, value) != 0)
        lodge_bundle_set_value (bundle, group, key, value);
      ok = g_strcmp0 (before, value) == 0 || lodge_bundle_save (bundle, error);
    }
  g_mutex_unlock (&lbun_order);
  return ok;
}

/* One change, judged by the tables. */
static gboolean
lbun_apply_change (LodgeBundle *self, const char *group, const char *key, const char *value, GError **error)
{
  gboolean is_plain = g_str_equal (group, "machine") || g_str_equal (group, "kernel");
  g_autofree char *class_name = NULL;

  if (*group == '\0' || strpbrk (group, "[]\n") != NULL || !g_utf8_validate (group, -1, NULL) || !g_utf8_validate (value, -1, NULL))
    {
      g_set_error (error, LODGE_ERROR, LODGE_ERROR_INVALID, _ ("“%s.%s” is not a setting."), group, key);
      return FALSE;
    }
  if (*key == '\0')
    {
      if (!is_plain && g_key_file_has_key (self->file, group, "class", NULL))
        return g_key_file_remove_group (self->file, group, NULL);
      g_set_error (error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND, _ ("The machine has no device “%s”."), group);
      return FALSE;
    }
  if (!is_plain)
    class_name = g_str_equal (key, "class") ? g_strdup (value) : lodge_bundle_dup_value (self, group, "class");
  if (!lodge_bundle_setting_check (group, class_name, key, *value != '\0' ? value : NULL, error))
    return FALSE;
  lodge_bundle_set_value (self, group, key, *value != '\0' ? value : NULL);
  return TRUE;
}

LodgeBundle *
lodge_bundle_apply (const char *path, GVariant *changes, GError **error)
{
  g_autoptr (LodgeBundle) bundle = NULL;
  g_autoptr (GError) local = NULL;
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;
  const char *group, *key, *value;
  GVariantIter iter;
  gboolean ok;

  g_mutex_lock (&lbun_order);
  bundle = lodge_bundle_load (path, &local);
  ok = bundle != NULL;
  if (ok)
    before = lodge_bundle_dup_text (bundle);
  g_variant_iter_init (&iter, changes);
  while (ok && g_variant_iter_next (&iter, "(&s&s&s)", &group, &key, &value))
    ok = lbun_apply_change (bundle, group, key, value, &local);
  if (ok && !lbun_check (bundle, &local))
    {
      g_autofree char *details = NULL;
      g_autofree char *sentence = lodge_error_split (local->message, &details);

      ok = FALSE;
      g_clear_error (&local);
      local = g_error_new (LODGE_ERROR, LODGE_ERROR_INVALID, "%s\n%s", _ ("The machine's settings would be wrong."), details);
    }
  if (ok)
    {
      after = lodge_bundle_dup_text (bundle);
      ok = g_str_equal (before, after) || lodge_bundle_save (bundle, &local);
    }
  g_mutex_unlock (&lbun_order);
  if (ok)
    return g_steal_pointer (&bundle);
  g_propagate_error (error, g_steal_pointer (&local));
  return NULL;
}

int
lodge_bundle_lock (const char *path, GError **error)
{
  g_autofree char *lock = g_build_filename (path, LBUN_LOCK, NULL);
  g_autofd int fd = open (lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

  if (fd < 0)
    {
      g_set_error (error, LODGE_ERROR, LODGE_ERROR_FAILED, _ ("“%s” cannot be written: %s"), path, g_strerror (errno));
      return -1;
    }
  if (flock (fd, LOCK_EX | LOCK_NB) < 0)
    {
      if (errno == EWOULDBLOCK)
        g_set_error (error, LODGE_ERROR, LODGE_ERROR_BUSY, _ ("Another process runs or changes the machine in “%s”."), path);
      else
        g_set_error (error, LODGE_ERROR, LODGE_ERROR_FAILED, _ ("“%s” cannot be locked: %s"), lock, g_strerror (errno));
      return -1;
    }
  return g_steal_fd (&fd);
}

VmmConfig *
lodge_bundle_create_config (LodgeBundle *self, GError **error)
{
  GError *local = NULL;
  VmmConfig *config = vmm_config_new (self->file, self->path, &local);

  if (config == NULL)
    g_propagate_error (error, lodge_bundle_error_from_engine (local, NULL));
  return config;
}

const char *
lodge_bundle_get_path (LodgeBundle *self)
{
  return self->path;
}

const char *
lodge_bundle_get_name (LodgeBundle *self)
{
  return self->name;
}

const char *
lodge_bundle_get_uuid (LodgeBundle *self)
{
  return self->uuid;
}

const char *
lodge_bundle_get_os_id (LodgeBundle *self)
{
  return self->os_id;
}

/* A number of [machine] as the file or the table says; checked already. */
static guint
lbun_get_machine_number (LodgeBundle *self, const char *key)
{
  g_autofree char *value = lodge_bundle_dup_value (self, "machine", key);
  const char *text = value;

  for (const VmmSetting *setting = vmm_machine_settings (); text == NULL && setting->key != NULL; setting++)
    if (g_str_equal (setting->key, key))
      text = setting->fallback;
  return text != NULL ? (guint) g_ascii_strtoull (text, NULL, g_ascii_strncasecmp (text, "0x", 2) == 0 ? 16 : 10) : 0;
}

guint
lodge_bundle_get_memory_mib (LodgeBundle *self)
{
  return lbun_get_machine_number (self, "memory");
}

guint
lodge_bundle_get_cpus (LodgeBundle *self)
{
  return lbun_get_machine_number (self, "cpus");
}

char **
lodge_bundle_dup_groups (LodgeBundle *self)
{
  return g_key_file_get_groups (self->file, NULL);
}

char **
lodge_bundle_dup_keys (LodgeBundle *self, const char *group)
{
  char **keys = g_key_file_get_keys (self->file, group, NULL, NULL);

  return keys != NULL ? keys : g_new0 (char *, 1);
}

char *
lodge_bundle_dup_value (LodgeBundle *self, const char *group, const char *key)
{
  return g_key_file_get_string (self->file, group, key, NULL);
}

void
lodge_bundle_set_value (LodgeBundle *self, const char *group, const char *key, const char *value)
{
  if (value != NULL)
    g_key_file_set_string (self->file, group, key, value);
  else
    g_key_file_remove_key (self->file, group, key, NULL);
}

char *
lodge_bundle_dup_text (LodgeBundle *self)
{
  return g_key_file_to_data (self->file, NULL, NULL);
}

char *
lodge_bundle_find_device (LodgeBundle *self, const char *class_name)
{
  g_auto (GStrv) groups = lodge_bundle_dup_groups (self);

  for (gsize i = 0; groups[i] != NULL; i++)
    {
      g_autofree char *value = lodge_bundle_dup_value (self, groups[i], "class");

      if (g_strcmp0 (value, class_name) == 0)
        return g_strdup (groups[i]);
    }
  return NULL;
}

static char *
lbun_find_kind (LodgeBundle *self, gboolean (*is_kind) (const LodgeDeviceInfo *info), const char *only)
{
  g_auto (GStrv) groups = lodge_bundle_dup_groups (self);

  for (gsize i = 0; groups[i] != NULL; i++)
    {
      g_autofree char *value = lodge_bundle_dup_value (self, groups[i], "class");
      const LodgeDeviceInfo *info = value != NULL ? lodge_device_catalog_find (value) : NULL;

      if (info != NULL && is_kind (info) && (only == NULL || g_str_equal (groups[i], only)))
        return g_strdup (groups[i]);
    }
  return NULL;
}

char *
lodge_bundle_find_drive (LodgeBundle *self)
{
  return lbun_find_kind (self, lodge_device_info_is_drive, NULL);
}

gboolean
lodge_bundle_has_drive (LodgeBundle *self, const char *device)
{
  g_autofree char *found = lbun_find_kind (self, lodge_device_info_is_drive, device);

  return found != NULL;
}

gboolean
lodge_bundle_has_screen (LodgeBundle *self)
{
  g_autofree char *found = lbun_find_kind (self, lodge_device_info_is_screen, NULL);

  return found != NULL;
}

char *
lodge_bundle_dup_medium (LodgeBundle *self, const char *device)
{
  g_autofree char *image = lodge_bundle_dup_value (self, device, "image");

  return image == NULL || *image == '\0' ? NULL : g_canonicalize_filename (image, self->path);
}

char *
lodge_bundle_dup_socket_directory (void)
{
  return g_build_filename (g_get_user_runtime_dir (), "lodge", NULL);
}

char *
lodge_bundle_dup_socket_path (const char *uuid)
{
  g_autofree char *name = g_strconcat (uuid, ".sock", NULL);

  return g_build_filename (g_get_user_runtime_dir (), "lodge", name, NULL);
}

static int
lbun_remove_cb (const char *path, const struct stat *st, int type, struct FTW *ftw)
{
  return remove (path);
}

gboolean
lodge_bundle_remove_tree (const char *path)
{
  return nftw (path, lbun_remove_cb, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == 0;
}
