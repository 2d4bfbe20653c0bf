/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A machine to be made: limits and advice, and what speaks against it. */
#include "model/machine-spec-private.h"

#include "engine/bundle.h"
#include "engine/image-tools.h"
#include "model/host.h"
#include "model/machine-maker.h"

#include <glib/gi18n.h>
#include <string.h>

/* --- Limits and advice --------------------------------------------------------------------------------------------------------- */

LodgeOs *
_lodge_machine_spec_get_os (LodgeMachineSpec *self)
{
  return self->os_id != NULL ? lodge_os_database_find_similar (lodge_os_database_get_default (), self->os_id) : NULL;
}

guint
lodge_machine_spec_get_maximum_memory_mib (LodgeMachineSpec *self)
{
  return (guint) MIN (lodge_host_get_memory_bytes (lodge_host_get_default ()) / LSPC_MIB, 1024 * 1024);
}

guint
lodge_machine_spec_get_minimum_memory_mib (LodgeMachineSpec *self)
{
  LodgeOs *os = _lodge_machine_spec_get_os (self);
  guint64 wanted = os != NULL ? lodge_os_get_minimum_memory_bytes (os) / LSPC_MIB : 0;

  return (guint) CLAMP (wanted, LSPC_MEMORY_MIN, lodge_machine_spec_get_maximum_memory_mib (self));
}

guint
lodge_machine_spec_get_recommended_memory_mib (LodgeMachineSpec *self)
{
  LodgeOs *os = _lodge_machine_spec_get_os (self);
  guint64 wanted = os != NULL ? lodge_os_get_recommended_memory_bytes (os) / LSPC_MIB : 0;
  guint half = lodge_machine_spec_get_maximum_memory_mib (self) / 2;

  if (wanted == 0 && os != NULL)
    wanted = lodge_os_get_minimum_memory_bytes (os) / LSPC_MIB * 2;
  if (wanted == 0)
    wanted = LSPC_DEFAULT_MEMORY;
  wanted = MIN (wanted, half); /* the host needs some too */
  return (guint) MAX (wanted, lodge_machine_spec_get_minimum_memory_mib (self));
}

guint
lodge_machine_spec_get_maximum_cpus (LodgeMachineSpec *self)
{
  return lodge_host_get_max_cpus (lodge_host_get_default ());
}

guint
lodge_machine_spec_get_recommended_cpus (LodgeMachineSpec *self)
{
  LodgeOs *os = _lodge_machine_spec_get_os (self);
  guint wanted = os != NULL ? lodge_os_get_recommended_cpus (os) : 0;

  return MIN (wanted > 0 ? wanted : 2, lodge_host_get_cpus (lodge_host_get_default ()));
}

guint64
lodge_machine_spec_get_minimum_disk_mib (LodgeMachineSpec *self)
{
  LodgeOs *os = _lodge_machine_spec_get_os (self);

  return MAX (1, os != NULL ? lodge_os_get_minimum_disk_bytes (os) / LSPC_MIB : 0);
}

guint64
lodge_machine_spec_get_recommended_disk_mib (LodgeMachineSpec *self)
{
  LodgeOs *os = _lodge_machine_spec_get_os (self);
  guint64 wanted = os != NULL ? lodge_os_get_recommended_disk_bytes (os) / LSPC_MIB : 0;

  return MAX (wanted > 0 ? wanted : LSPC_DEFAULT_DISK, lodge_machine_spec_get_minimum_disk_mib (self));
}

guint64
lodge_machine_spec_get_maximum_disk_mib (LodgeMachineSpec *self)
{
  return LODGE_DISK_MAXIMUM_BYTES / LSPC_MIB;
}

guint64
lodge_machine_spec_get_free_disk_mib (LodgeMachineSpec *self)
{
  return self->free_disk_mib;
}

static gboolean
lspj_disc_is_uefi_only (LodgeMachineSpec *self)
{
  return self->media != NULL && lodge_media_info_get_boots_uefi (self->media) && !lodge_media_info_get_boots_bios (self->media);
}

const char *
lodge_machine_spec_get_recommended_firmware (LodgeMachineSpec *self)
{
  LodgeOs *os = _lodge_machine_spec_get_os (self);

  return (os != NULL && lodge_os_get_needs_uefi (os)) || lspj_disc_is_uefi_only (self) ? "uefi" : "bios";
}

/* libosinfo does not tell: these refuse to be installed without one. */
gboolean
lodge_machine_spec_get_recommended_tpm (LodgeMachineSpec *self)
{
  LodgeOs *os = _lodge_machine_spec_get_os (self);

  return os != NULL && g_str_has_prefix (lodge_os_get_id (os), "win11");
}

const char *
lodge_machine_spec_get_firmware_note (LodgeMachineSpec *self)
{
  /* What Windows 11 is told to have, this machine has but for Secure Boot. */
  if (lodge_machine_spec_get_recommended_tpm (self))
    return _ ("Its installer asks for Secure Boot, which these machines do not have yet.");
  return lodge_machine_spec_get_recommended_firmware (self)[0] == 'u' ? _ ("Recommended: UEFI. Nothing else starts it.")
                                                                      : _ ("BIOS suits most systems; some newer ones need UEFI.");
}

/* --- Judgement ----------------------------------------------------------------------------------------------------------------- */

static char *
lspj_judge_name (LodgeMachineSpec *self)
{
  g_autofree char *path = NULL;
  g_autofree char *free_name = NULL;

  if (self->name == NULL || *self->name == '\0')
    return g_strdup (_ ("The machine needs a name."));
  if (!g_utf8_validate (self->name, -1, NULL))
    return g_strdup (_ ("The name is not valid UTF-8."));
  if (g_utf8_strlen (self->name, -1) > LSPC_NAME_MAX || strlen (self->name) > LSPC_NAME_BYTES_MAX)
    return g_strdup_printf (_ ("The name is longer than %d characters."), LSPC_NAME_MAX);
  if (self->name[0] == '.')
    return g_strdup (_ ("The name must not begin with a dot."));
  for (const char *p = self->name; *p != '\0'; p = g_utf8_next_char (p))
    if (*p == '/' || !g_unichar_isprint (g_utf8_get_char (p)))
      return g_strdup (_ ("The name must not contain “/” or invisible characters."));
  if (g_ascii_isspace (self->name[0]) || g_ascii_isspace (self->name[strlen (self->name) - 1]))
    return g_strdup (_ ("The name must not begin or end with a space."));
  path = lodge_make_dup_path (lodge_library_get_directory (self->library), self->name);
  free_name = lodge_library_dup_free_name (self->library, self->name);
  if (!g_str_equal (free_name, self->name) || g_file_test (path, G_FILE_TEST_EXISTS))
    return g_strdup_printf (_ ("There is already a machine “%s”."), self->name);
  return NULL;
}

static char *
lspj_judge_file (const char *path, const char *if_missing)
{
  g_autoptr (GError) error = NULL;

  if (path == NULL)
    return g_strdup (if_missing);
  if (!lodge_bundle_check_file (path, &error))
    return lodge_error_split (error->message, NULL);
  return NULL;
}

static char *
lspj_judge_path (LodgeMachineSpec *self)
{
  const char *if_missing = self->source == LODGE_SOURCE_ISO     ? _ ("Choose a disc image.")
                           : self->source == LODGE_SOURCE_IMAGE ? _ ("Choose a disk image.")
                                                                : _ ("Choose a kernel file.");
  char *problem;

  if (self->source == LODGE_SOURCE_EMPTY)
    return NULL;
  problem = lspj_judge_file (self->path, if_missing);
  if (problem == NULL && self->source == LODGE_SOURCE_ISO)
    problem = g_strdup (self->media_problem);
  return problem;
}

static char *
lspj_judge_memory (LodgeMachineSpec *self)
{
  guint maximum = lodge_machine_spec_get_maximum_memory_mib (self);

  if (self->memory_mib < LSPC_MEMORY_MIN)
    return g_strdup_printf (_ ("A machine needs at least %d MiB of memory."), LSPC_MEMORY_MIN);
  if (self->memory_mib > maximum)
    return g_strdup_printf (_ ("This computer has only %u MiB of memory."), maximum);
  return NULL;
}

static char *
lspj_judge_cpus (LodgeMachineSpec *self)
{
  guint maximum = lodge_machine_spec_get_maximum_cpus (self);

  if (self->cpus < 1)
    return g_strdup (_ ("A machine needs at least one processor."));
  if (self->cpus > maximum)
    return g_strdup_printf (_ ("A machine can have at most %u processors on this computer."), maximum);
  return NULL;
}

static char *
lspj_judge_disk (LodgeMachineSpec *self)
{
  if (self->disk_mib > lodge_machine_spec_get_maximum_disk_mib (self))
    return g_strdup_printf (_ ("A disk can have at most %d TiB."), (int) (LODGE_DISK_MAXIMUM_BYTES >> 40));
  if (self->source == LODGE_SOURCE_IMAGE && (self->by_hand & LSPC_HAND_DISK) && self->disk_mib > 0)
    return g_strdup (_ ("The disk has the size of its image."));
  return NULL;
}

/* Before the host was asked, nothing is known to be missing. */
static gboolean
lspj_host_is_known (void)
{
  return lodge_host_get_kvm (lodge_host_get_default ()) != LODGE_KVM_UNKNOWN;
}

static char *
lspj_judge_firmware (LodgeMachineSpec *self)
{
  if (g_str_equal (self->firmware, "uefi") && lspj_host_is_known () && lodge_host_get_uefi_path (lodge_host_get_default ()) == NULL)
    return g_strdup (_ ("This computer has no UEFI firmware for machines. Install the package “ovmf” or “edk2-ovmf”."));
  return NULL;
}

static char *
lspj_judge_tpm (LodgeMachineSpec *self)
{
  if (self->tpm && lspj_host_is_known () && lodge_host_get_swtpm_path (lodge_host_get_default ()) == NULL)
    return g_strdup (_ ("A TPM needs the program swtpm. Install the package “swtpm”."));
  return NULL;
}

static char *
lspj_dup_hint (LodgeMachineSpec *self)
{
  LodgeOs *os = _lodge_machine_spec_get_os (self);
  guint64 available = lodge_host_get_available_bytes (lodge_host_get_default ()) / LSPC_MIB;
  gboolean uefi = g_str_equal (self->firmware, "uefi");

  if (self->media != NULL && !lodge_media_info_get_boots_bios (self->media) && !lodge_media_info_get_boots_uefi (self->media))
    return g_strdup (_ ("A computer cannot start from this disc."));
  if (!uefi && lspj_disc_is_uefi_only (self))
    return g_strdup (_ ("This disc starts only with UEFI firmware."));
  if (uefi && self->media != NULL && !lodge_media_info_get_boots_uefi (self->media))
    return g_strdup (_ ("This disc starts only with BIOS firmware."));
  if (!uefi && os != NULL && lodge_os_get_needs_uefi (os))
    return g_strdup_printf (_ ("%s needs UEFI firmware."), lodge_os_get_name (os));
  if (os != NULL && self->memory_mib < lodge_machine_spec_get_minimum_memory_mib (self))
    return g_strdup_printf (_ ("%s wants at least %u MiB of memory."), lodge_os_get_name (os),
                            lodge_machine_spec_get_minimum_memory_mib (self));
  if (available > 0 && self->memory_mib > available)
    return g_strdup_printf (_ ("Only %u MiB of memory are free on this computer now."), (guint) available);
  if (self->cpus > lodge_host_get_cpus (lodge_host_get_default ()))
    return g_strdup_printf (_ ("This computer has only %u processors; the machine will be slow with more."),
                            lodge_host_get_cpus (lodge_host_get_default ()));
  return NULL;
}

static char *
lspj_judge_settings (LodgeMachineSpec *self)
{
  g_autoptr (GKeyFile) conf = NULL;
  g_autoptr (LodgeBundle) bundle = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *data = NULL;
  gsize size;

  if (self->overrides->len == 0)
    return NULL; /* what we write ourselves is right */
  conf = _lodge_machine_spec_build (self);
  data = g_key_file_to_data (conf, &size, NULL);
  bundle = lodge_bundle_new_from_data (lodge_library_get_directory (self->library), data, size, &error);
  return bundle == NULL ? g_strdup (error->message) : NULL;
}

void
_lodge_machine_spec_judge (LodgeMachineSpec *self)
{
  char *(*const judges[LODGE_N_SPEC_FIELDS]) (LodgeMachineSpec *) = {
    [LODGE_SPEC_NAME] = lspj_judge_name, [LODGE_SPEC_PATH] = lspj_judge_path, [LODGE_SPEC_MEMORY] = lspj_judge_memory,
    [LODGE_SPEC_CPUS] = lspj_judge_cpus, [LODGE_SPEC_DISK] = lspj_judge_disk, [LODGE_SPEC_FIRMWARE] = lspj_judge_firmware,
    [LODGE_SPEC_TPM] = lspj_judge_tpm,
  };
  g_autofree char *hint = lspj_dup_hint (self);
  gboolean valid = self->detecting == NULL;

  for (guint i = 0; i < LODGE_N_SPEC_FIELDS; i++)
    {
      g_clear_pointer (&self->problems[i], g_free);
      if (judges[i] != NULL)
        self->problems[i] = judges[i](self);
    }
  if (self->source == LODGE_SOURCE_KERNEL && self->initrd != NULL)
    self->problems[LODGE_SPEC_INITRD] = lspj_judge_file (self->initrd, NULL);
  if (self->problems[LODGE_SPEC_NAME] == NULL)
    self->problems[LODGE_SPEC_SETTINGS] = lspj_judge_settings (self);
  for (guint i = 0; i < LODGE_N_SPEC_FIELDS; i++)
    valid &= self->problems[i] == NULL;

  if (g_set_str (&self->hint, hint))
    g_object_notify (G_OBJECT (self), "hint");
  if (self->valid != valid)
    {
      self->valid = valid;
      g_object_notify (G_OBJECT (self), "valid");
    }
}
