/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Theory of operation: descriptors are JSON files in three directories, the user's, the administrator's, the distribution's; a file in an
 * earlier directory hides those of its name in later ones, an empty one switches them off, and names sort by preference. Only what the
 * engine can use is taken: q35 on x86-64, a BIOS mapped into memory. A descriptor that cannot be read is passed over with a warning. */
#include "firmware/firmware.h"

#include "core/log.h"
#include "firmware/json.h"

#include <string.h>

#define FWF_BIOS "bios-256k.bin"
#define FWF_MAX_DESCRIPTOR (64 * 1024)

static const char *const fwf_directories[] = {
  "/usr/share/seabios", "/usr/share/seavgabios", "/usr/share/qemu",       "/usr/share/qemu-kvm",      "/usr/share/kvm",
  "/app/share/seabios", "/app/share/qemu",       "/usr/local/share/qemu", "/usr/local/share/seabios",
};

static char *
fwf_file_in (const char *directory, const char *name)
{
  g_autofree char *path = g_build_filename (directory, name, NULL);

  return g_path_is_absolute (path) && g_file_test (path, G_FILE_TEST_IS_REGULAR) ? g_steal_pointer (&path) : NULL;
}

static char *
fwf_find_in_environment (const char *name)
{
  const char *variable = g_getenv ("LODGE_FIRMWARE_PATH");
  g_auto (GStrv) directories = g_strsplit (variable != NULL ? variable : "", ":", -1);
  char *found = NULL;

  for (guint i = 0; directories[i] != NULL && found == NULL; i++)
    found = fwf_file_in (directories[i], name);
  return found;
}

static char *
fwf_find_in_known_places (const char *name)
{
  char *found = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (fwf_directories) && found == NULL; i++)
    found = fwf_file_in (fwf_directories[i], name);
  return found;
}

/* Descriptors */

static gboolean
fwf_is_for_q35 (const VmmJson *descriptor)
{
  const VmmJson *targets = vmm_json_get_member (descriptor, "targets");

  for (guint i = 0; i < vmm_json_get_length (targets); i++)
    {
      const VmmJson *target = vmm_json_get_element (targets, i), *machines = vmm_json_get_member (target, "machines");

      if (g_strcmp0 (vmm_json_get_string (vmm_json_get_member (target, "architecture")), "x86_64") != 0)
        continue;
      for (guint j = 0; j < vmm_json_get_length (machines); j++)
        {
          const char *pattern = vmm_json_get_string (vmm_json_get_element (machines, j));

          if (pattern != NULL && g_pattern_match_simple (pattern, "pc-q35-10.0"))
            return TRUE;
        }
    }
  return FALSE;
}

/* The BIOS image that a descriptor names, NULL if it is about something else. */
static char *
fwf_bios_of (const VmmJson *descriptor)
{
  const VmmJson *mapping = vmm_json_get_member (descriptor, "mapping");
  const char *path = vmm_json_get_string (vmm_json_get_member (mapping, "filename"));

  if (!vmm_json_has_string (vmm_json_get_member (descriptor, "interface-types"), "bios")
      || g_strcmp0 (vmm_json_get_string (vmm_json_get_member (mapping, "device")), "memory") != 0 || !fwf_is_for_q35 (descriptor)
      || path == NULL || !g_path_is_absolute (path) || !g_file_test (path, G_FILE_TEST_IS_REGULAR))
    return NULL;
  return g_strdup (path);
}

static char *
fwf_bios_of_file (const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VmmJson) descriptor = NULL;
  g_autofree char *text = NULL;
  gsize len;

  if (g_file_get_contents (path, &text, &len, &error))
    {
      if (len == 0) /* switched off */
        return NULL;
      if (len <= FWF_MAX_DESCRIPTOR)
        descriptor = vmm_json_parse (text, len, &error);
      else
        g_set_error_literal (&error, VMM_ERROR, VMM_ERROR_CORRUPT, "too long");
    }
  if (descriptor == NULL)
    {
      vmm_log_warning (NULL, NULL, "firmware descriptor %s: %s", path, error->message);
      return NULL;
    }
  return fwf_bios_of (descriptor);
}

static int
fwf_compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static char *
fwf_find_by_descriptors (void)
{
  g_autofree char *user = g_build_filename (g_get_user_config_dir (), "qemu", "firmware", NULL);
  const char *directories[] = { user, "/etc/qemu/firmware", "/usr/share/qemu/firmware" };
  g_autoptr (GHashTable) paths = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free); /* name -> path */
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  char *found = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (directories); i++)
    {
      g_autoptr (GDir) dir = g_dir_open (directories[i], 0, NULL);
      const char *name;

      while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
        if (g_str_has_suffix (name, ".json") && !g_hash_table_contains (paths, name))
          {
            char *key = g_strdup (name);

            g_hash_table_insert (paths, key, g_build_filename (directories[i], name, NULL));
            g_ptr_array_add (names, key);
          }
    }
  g_ptr_array_sort (names, fwf_compare_names);
  for (guint i = 0; i < names->len && found == NULL; i++)
    found = fwf_bios_of_file (g_hash_table_lookup (paths, names->pdata[i]));
  return found;
}

char *
vmm_firmware_find_bios (GError **error)
{
  char *path = fwf_find_in_environment (FWF_BIOS);

  if (path == NULL)
    path = fwf_find_by_descriptors ();
  if (path == NULL)
    path = fwf_find_in_known_places (FWF_BIOS);
  if (path == NULL)
    g_set_error_literal (error, VMM_ERROR, VMM_ERROR_NOT_FOUND,
                         "no BIOS: " FWF_BIOS
                         " is neither in LODGE_FIRMWARE_PATH nor in /usr/share/seabios or /usr/share/qemu, and no "
                         "firmware descriptor names one (packages: seabios, seabios-bin)");
  return path;
}

char *
vmm_firmware_find_rom (const char *name, GError **error)
{
  char *path = fwf_find_in_environment (name);

  if (path == NULL)
    path = fwf_find_in_known_places (name);
  if (path == NULL)
    g_set_error (error, VMM_ERROR, VMM_ERROR_NOT_FOUND,
                 "option ROM %s is neither in LODGE_FIRMWARE_PATH nor in /usr/share/seabios or /usr/share/qemu (packages: seabios, "
                 "qemu-system-data, seavgabios-bin)",
                 name);
  return path;
}
