/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Theory of operation: descriptors are JSON files in three directories, the user's, the administrator's, the distribution's; a file in an
 * earlier directory hides those of its name in later ones, an empty one switches them off, and names sort by preference. Only what the
 * engine can use is taken: q35 on x86-64, a BIOS mapped into memory, UEFI as two raw flash images. A descriptor that cannot be read is
 * passed over with a warning. Of several UEFI builds the fittest is taken, of equals the first. */
#include "firmware/firmware.h"

#include "core/log.h"
#include "firmware/json.h"

#include <glib/gstdio.h>
#include <string.h>

#define FWF_BIOS "bios-256k.bin"
#define FWF_MAX_DESCRIPTOR (64 * 1024)
#define FWF_VARS_4M 0x84000 /* bytes of variables in OVMF's layout with 4 MiB */

static const char *const fwf_directories[] = {
  "/usr/share/seabios", "/usr/share/seavgabios", "/usr/share/qemu",       "/usr/share/qemu-kvm",      "/usr/share/kvm",
  "/app/share/seabios", "/app/share/qemu",       "/usr/local/share/qemu", "/usr/local/share/seabios", "/usr/share/ipxe/qemu",
};

static const char *const fwf_uefi_directories[] = {
  "/usr/share/OVMF",      "/usr/share/edk2/x64",     "/usr/share/edk2-ovmf/x64",
  "/usr/share/edk2/ovmf", "/usr/share/edk2/OvmfX64", "/usr/share/qemu",
  "/app/share/OVMF",      "/usr/local/share/OVMF",   NULL,
};

/* As Debian, Arch, Fedora, openSUSE name them. */
static const struct {
  const char *code, *vars;
} fwf_uefi_pairs[] = {
  { "OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd" },
  { "OVMF_CODE.4m.fd", "OVMF_VARS.4m.fd" },
  { "OVMF_CODE.fd", "OVMF_VARS.fd" },
  { "ovmf-x86_64-4m-code.bin", "ovmf-x86_64-4m-vars.bin" },
  { "ovmf-x86_64-code.bin", "ovmf-x86_64-vars.bin" },
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

/* A file that a descriptor names. (nullable) */
static const char *
fwf_get_file (const VmmJson *object)
{
  const char *path = vmm_json_get_string (vmm_json_get_member (object, "filename"));

  return path != NULL && g_path_is_absolute (path) && g_file_test (path, G_FILE_TEST_IS_REGULAR) ? path : NULL;
}

/* The BIOS image that a descriptor names, NULL if it is about something else. */
static const char *
fwf_get_bios (const VmmJson *descriptor)
{
  const VmmJson *mapping = vmm_json_get_member (descriptor, "mapping");

  if (!vmm_json_has_string (vmm_json_get_member (descriptor, "interface-types"), "bios")
      || g_strcmp0 (vmm_json_get_string (vmm_json_get_member (mapping, "device")), "memory") != 0 || !fwf_is_for_q35 (descriptor))
    return NULL;
  return fwf_get_file (mapping);
}

/* UEFI as two raw images in flash, NULL if the descriptor is about something else. */
static VmmFirmwareUefi *
fwf_get_uefi (const VmmJson *descriptor)
{
  const VmmJson *mapping = vmm_json_get_member (descriptor, "mapping");
  const VmmJson *executable = vmm_json_get_member (mapping, "executable"), *vars = vmm_json_get_member (mapping, "nvram-template");
  const char *mode = vmm_json_get_string (vmm_json_get_member (mapping, "mode"));
  VmmFirmwareUefi *uefi;

  if (!vmm_json_has_string (vmm_json_get_member (descriptor, "interface-types"), "uefi")
      || g_strcmp0 (vmm_json_get_string (vmm_json_get_member (mapping, "device")), "flash") != 0
      || (mode != NULL && !g_str_equal (mode, "split")) || !fwf_is_for_q35 (descriptor)
      || g_strcmp0 (vmm_json_get_string (vmm_json_get_member (executable, "format")), "raw") != 0
      || g_strcmp0 (vmm_json_get_string (vmm_json_get_member (vars, "format")), "raw") != 0 || fwf_get_file (executable) == NULL
      || fwf_get_file (vars) == NULL)
    return NULL;
  uefi = g_new (VmmFirmwareUefi, 1);
  *uefi = (VmmFirmwareUefi) { g_strdup (fwf_get_file (executable)), g_strdup (fwf_get_file (vars)) };
  return uefi;
}

static VmmJson *
fwf_read_descriptor (const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  VmmJson *descriptor = NULL;
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
    vmm_log_warning (NULL, NULL, "firmware descriptor %s: %s", path, error->message);
  return descriptor;
}

static int
fwf_compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* (transfer full) (element-type VmmJson): best first, as the administrator and the distribution see it. */
static GPtrArray *
fwf_read_descriptors (void)
{
  g_autofree char *user = g_build_filename (g_get_user_config_dir (), "qemu", "firmware", NULL);
  const char *directories[] = { user, "/etc/qemu/firmware", "/usr/share/qemu/firmware" };
  g_autoptr (GHashTable) paths = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free); /* name -> path */
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  GPtrArray *descriptors = g_ptr_array_new_with_free_func ((GDestroyNotify) vmm_json_free);

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
  for (guint i = 0; i < names->len; i++)
    {
      VmmJson *descriptor = fwf_read_descriptor (g_hash_table_lookup (paths, names->pdata[i]));

      if (descriptor != NULL)
        g_ptr_array_add (descriptors, descriptor);
    }
  return descriptors;
}

static char *
fwf_find_by_descriptors (void)
{
  g_autoptr (GPtrArray) descriptors = fwf_read_descriptors ();

  for (guint i = 0; i < descriptors->len; i++)
    if (fwf_get_bios (descriptors->pdata[i]) != NULL)
      return g_strdup (fwf_get_bios (descriptors->pdata[i]));
  return NULL;
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
                 "qemu-system-data, seavgabios-bin; of network cards: ipxe-qemu, ipxe-roms-qemu)",
                 name);
  return path;
}

/* UEFI */

void
vmm_firmware_uefi_free (VmmFirmwareUefi *uefi)
{
  if (uefi == NULL)
    return;
  g_free (uefi->code);
  g_free (uefi->vars_template);
  g_free (uefi);
}

static guint64
fwf_file_size (const char *path)
{
  GStatBuf st;

  return g_stat (path, &st) == 0 && st.st_size > 0 ? (guint64) st.st_size : 0;
}

/* How well a build suits; 0: not at all. */
static guint
fwf_rate (const VmmFirmwareUefi *uefi, const VmmJson *features, guint64 vars_size)
{
  guint64 size = fwf_file_size (uefi->vars_template);

  if (vmm_json_has_string (features, "requires-smm") || (vars_size != 0 && size != vars_size))
    return 0;
  return 1 + (vmm_json_has_string (features, "secure-boot") ? 0 : 2) + (size == FWF_VARS_4M ? 1 : 0);
}

static VmmFirmwareUefi *
fwf_find_uefi_by_descriptors (guint64 vars_size)
{
  g_autoptr (GPtrArray) descriptors = fwf_read_descriptors ();
  g_autoptr (VmmFirmwareUefi) best = NULL;
  guint best_rate = 0;

  for (guint i = 0; i < descriptors->len; i++)
    {
      g_autoptr (VmmFirmwareUefi) uefi = fwf_get_uefi (descriptors->pdata[i]);
      guint rate = uefi != NULL ? fwf_rate (uefi, vmm_json_get_member (descriptors->pdata[i], "features"), vars_size) : 0;

      if (rate <= best_rate)
        continue;
      vmm_firmware_uefi_free (best);
      best = g_steal_pointer (&uefi);
      best_rate = rate;
    }
  return g_steal_pointer (&best);
}

/* @directories: ended by NULL, tried in order with each pair of names. */
static VmmFirmwareUefi *
fwf_find_uefi_in (const char *const *directories, guint64 vars_size)
{
  for (; *directories != NULL; directories++)
    for (guint i = 0; i < G_N_ELEMENTS (fwf_uefi_pairs); i++)
      {
        g_autofree char *code = fwf_file_in (*directories, fwf_uefi_pairs[i].code);
        g_autofree char *vars = fwf_file_in (*directories, fwf_uefi_pairs[i].vars);
        VmmFirmwareUefi *uefi;

        if (code == NULL || vars == NULL || (vars_size != 0 && fwf_file_size (vars) != vars_size))
          continue;
        uefi = g_new (VmmFirmwareUefi, 1);
        *uefi = (VmmFirmwareUefi) { g_steal_pointer (&code), g_steal_pointer (&vars) };
        return uefi;
      }
  return NULL;
}

VmmFirmwareUefi *
vmm_firmware_find_uefi (guint64 vars_size, GError **error)
{
  const char *variable = g_getenv ("LODGE_FIRMWARE_PATH");
  g_auto (GStrv) directories = g_strsplit (variable != NULL ? variable : "", ":", -1);
  VmmFirmwareUefi *uefi = fwf_find_uefi_in ((const char *const *) directories, vars_size);

  if (uefi == NULL)
    uefi = fwf_find_uefi_by_descriptors (vars_size);
  if (uefi == NULL)
    uefi = fwf_find_uefi_in (fwf_uefi_directories, vars_size);
  if (uefi != NULL)
    return uefi;
  if (vars_size != 0)
    g_set_error (error, VMM_ERROR, VMM_ERROR_NOT_FOUND,
                 "no UEFI firmware on this host can read this machine's variables of %" G_GUINT64_FORMAT " KiB", vars_size / 1024);
  else
    g_set_error_literal (error, VMM_ERROR, VMM_ERROR_NOT_FOUND,
                         "no UEFI firmware: OVMF_CODE_4M.fd and OVMF_VARS_4M.fd are neither in LODGE_FIRMWARE_PATH nor in "
                         "/usr/share/OVMF or /usr/share/edk2, and no firmware descriptor names others (packages: ovmf, edk2-ovmf)");
  return NULL;
}

VmmFirmwareUefi *
vmm_firmware_find_uefi_for (const char *code, GError **error)
{
  g_autoptr (GPtrArray) descriptors = fwf_read_descriptors ();
  g_autofree char *directory = g_path_get_dirname (code);
  g_autofree char *name = g_path_get_basename (code);
  g_autoptr (GString) vars_name = g_string_new (name);
  VmmFirmwareUefi *found;

  for (guint i = 0; i < descriptors->len; i++)
    {
      g_autoptr (VmmFirmwareUefi) uefi = fwf_get_uefi (descriptors->pdata[i]);

      if (uefi == NULL || !g_str_equal (uefi->code, code))
        continue;
      if (!vmm_json_has_string (vmm_json_get_member (descriptors->pdata[i], "features"), "requires-smm"))
        return g_steal_pointer (&uefi);
      g_set_error (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED,
                   "%s: this build (for Secure Boot) needs system management mode, which the engine does not have", code);
      return NULL;
    }
  g_string_replace (vars_name, "CODE", "VARS", 1);
  g_string_replace (vars_name, "code", "vars", 1);
  found = g_new (VmmFirmwareUefi, 1);
  *found = (VmmFirmwareUefi) { g_strdup (code),
                               g_str_equal (vars_name->str, name) ? NULL : fwf_file_in (directory, vars_name->str) };
  if (found->vars_template != NULL)
    return found;
  vmm_firmware_uefi_free (found);
  g_set_error (
      error, VMM_ERROR, VMM_ERROR_NOT_FOUND,
      "%s: no template for its variables: no firmware descriptor names one, and beside it there is no file with VARS in place of "
      "CODE in its name",
      code);
  return NULL;
}
