/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A machine to be made: the model behind the wizard and `lodge create`. */
#pragma once

#include "media/media-info.h"
#include "model/library.h"
#include "model/operation.h"

G_BEGIN_DECLS

/**
 * LodgeSource:
 * What the machine starts from.
 * @LODGE_SOURCE_ISO: a disc image in the CD drive, "path"
 * @LODGE_SOURCE_IMAGE: an existing disk image, "path", copied into the bundle unless "link-image"
 * @LODGE_SOURCE_KERNEL: a kernel file, "path", with "initrd" and "kernel-args"
 * @LODGE_SOURCE_EMPTY: nothing
 */
typedef enum {
  LODGE_SOURCE_ISO,
  LODGE_SOURCE_IMAGE,
  LODGE_SOURCE_KERNEL,
  LODGE_SOURCE_EMPTY,
} LodgeSource;

/**
 * LodgeSpecField:
 * The fields that lodge_machine_spec_get_problem() judges.
 */
typedef enum {
  LODGE_SPEC_NAME,
  LODGE_SPEC_PATH,
  LODGE_SPEC_INITRD,
  LODGE_SPEC_MEMORY,
  LODGE_SPEC_CPUS,
  LODGE_SPEC_DISK,
  LODGE_SPEC_FIRMWARE,
  LODGE_SPEC_TPM,
  LODGE_SPEC_SETTINGS,
  LODGE_N_SPEC_FIELDS,
} LodgeSpecField;

#define LODGE_TYPE_SOURCE (lodge_source_get_type ())
GType lodge_source_get_type (void);

/**
 * LodgeMachineSpec:
 * Main thread only.
 * Properties (read-write unless said, all notify):
 *   "source" LodgeSource; "name" string; "path", "initrd", "kernel-args" string; "link-image" boolean;
 *   "os-id" string (%NULL: unknown); "memory-mib" uint; "cpus" uint; "disk-mib" uint64 (0: no disk; not used with an image);
 *   "firmware" string ("bios", "uefi"); "tpm" boolean;
 *   read-only: "detecting" boolean: the medium is being looked at; "media" LodgeMediaInfo (%NULL: none or not an ISO);
 *   "valid" boolean: nothing speaks against creating it; "hint" string: translated remark that does not forbid, like "This disc
 *   does not start a PC" (%NULL: none).
 * Setting "path" of an ISO looks at it and sets "os-id"; setting "os-id" sets name, memory, processors, disk, firmware and TPM to what
 * suits the system, within what the host has; what was set by hand stays.
 */
#define LODGE_TYPE_MACHINE_SPEC (lodge_machine_spec_get_type ())
G_DECLARE_FINAL_TYPE (LodgeMachineSpec, lodge_machine_spec, LODGE, MACHINE_SPEC, GObject)

LodgeMachineSpec *lodge_machine_spec_new (LodgeLibrary *library);

/**
 * lodge_machine_spec_prepare_async:
 * Asks the host and loads the OS database, so that defaults and limits are right; then waits for a detection under way.
 */
void lodge_machine_spec_prepare_async (LodgeMachineSpec *self, GCancellable *cancellable, GAsyncReadyCallback callback,
                                       gpointer user_data);
gboolean lodge_machine_spec_prepare_finish (LodgeMachineSpec *self, GAsyncResult *result, GError **error);

LodgeSource lodge_machine_spec_get_source (LodgeMachineSpec *self);
void lodge_machine_spec_set_source (LodgeMachineSpec *self, LodgeSource source);
const char *lodge_machine_spec_get_name (LodgeMachineSpec *self);
void lodge_machine_spec_set_name (LodgeMachineSpec *self, const char *name);
const char *lodge_machine_spec_get_path (LodgeMachineSpec *self);
void lodge_machine_spec_set_path (LodgeMachineSpec *self, const char *path);
const char *lodge_machine_spec_get_initrd (LodgeMachineSpec *self);
void lodge_machine_spec_set_initrd (LodgeMachineSpec *self, const char *path);
const char *lodge_machine_spec_get_kernel_args (LodgeMachineSpec *self);
void lodge_machine_spec_set_kernel_args (LodgeMachineSpec *self, const char *args);
gboolean lodge_machine_spec_get_link_image (LodgeMachineSpec *self);
void lodge_machine_spec_set_link_image (LodgeMachineSpec *self, gboolean link_image);
const char *lodge_machine_spec_get_os_id (LodgeMachineSpec *self);
void lodge_machine_spec_set_os_id (LodgeMachineSpec *self, const char *os_id);
guint lodge_machine_spec_get_memory_mib (LodgeMachineSpec *self);
void lodge_machine_spec_set_memory_mib (LodgeMachineSpec *self, guint memory_mib);
guint lodge_machine_spec_get_cpus (LodgeMachineSpec *self);
void lodge_machine_spec_set_cpus (LodgeMachineSpec *self, guint cpus);
guint64 lodge_machine_spec_get_disk_mib (LodgeMachineSpec *self);
void lodge_machine_spec_set_disk_mib (LodgeMachineSpec *self, guint64 disk_mib);
const char *lodge_machine_spec_get_firmware (LodgeMachineSpec *self);
/** lodge_machine_spec_set_firmware: @firmware: "bios" or "uefi" */
void lodge_machine_spec_set_firmware (LodgeMachineSpec *self, const char *firmware);
gboolean lodge_machine_spec_get_tpm (LodgeMachineSpec *self);
void lodge_machine_spec_set_tpm (LodgeMachineSpec *self, gboolean tpm);
LodgeMediaInfo *lodge_machine_spec_get_media (LodgeMachineSpec *self);
gboolean lodge_machine_spec_get_detecting (LodgeMachineSpec *self);
gboolean lodge_machine_spec_get_valid (LodgeMachineSpec *self);
const char *lodge_machine_spec_get_hint (LodgeMachineSpec *self);

/**
 * lodge_machine_spec_guess_source:
 * Returns: the source that the file's name suggests (".iso" -> ISO, ".qcow2", ".img", ".vmdk" … -> IMAGE, vmlinuz* -> KERNEL);
 *   LODGE_SOURCE_EMPTY if none.
 */
LodgeSource lodge_machine_spec_guess_source (const char *path);

/* Limits and advice for the resources page; change with notify::os-id. */
guint lodge_machine_spec_get_recommended_memory_mib (LodgeMachineSpec *self);
guint lodge_machine_spec_get_minimum_memory_mib (LodgeMachineSpec *self);
guint lodge_machine_spec_get_maximum_memory_mib (LodgeMachineSpec *self); /* the host's RAM */
guint lodge_machine_spec_get_recommended_cpus (LodgeMachineSpec *self);
guint lodge_machine_spec_get_maximum_cpus (LodgeMachineSpec *self);
guint64 lodge_machine_spec_get_recommended_disk_mib (LodgeMachineSpec *self);
guint64 lodge_machine_spec_get_minimum_disk_mib (LodgeMachineSpec *self);
guint64 lodge_machine_spec_get_maximum_disk_mib (LodgeMachineSpec *self); /* what the format allows */
guint64 lodge_machine_spec_get_free_disk_mib (LodgeMachineSpec *self);    /* free where bundles are; 0: unknown */

/** lodge_machine_spec_get_recommended_firmware: Returns: (transfer none): "uefi" if system or disc start with nothing else, or "bios". */
const char *lodge_machine_spec_get_recommended_firmware (LodgeMachineSpec *self);
gboolean lodge_machine_spec_get_recommended_tpm (LodgeMachineSpec *self);
/** lodge_machine_spec_get_firmware_note: Returns: (transfer none): translated: what to know before choosing. */
const char *lodge_machine_spec_get_firmware_note (LodgeMachineSpec *self);

/**
 * lodge_machine_spec_set_setting:
 * @group: @key: @value: as they stand in machine.conf; go over what the spec would write. %NULL @value removes the key
 * Errors: LODGE_ERROR_INVALID: no such group, key or value; says what is allowed.
 */
gboolean lodge_machine_spec_set_setting (LodgeMachineSpec *self, const char *group, const char *key, const char *value,
                                         GError **error);

/**
 * lodge_machine_spec_get_problem:
 * Looks at files, briefly (stat).
 * Returns: (transfer none) (nullable): why @field forbids creating the machine, translated, for the row it is typed in; %NULL: fine.
 */
const char *lodge_machine_spec_get_problem (LodgeMachineSpec *self, LodgeSpecField field);

/**
 * lodge_machine_spec_create_async:
 * @operation: (nullable): shows progress and cancels
 * Makes the bundle in a hidden directory and moves it to its place when it is complete: a failed or cancelled call leaves nothing.
 * Errors: LODGE_ERROR_INVALID (lodge_machine_spec_get_problem() says the same), _EXISTS, _NO_SPACE, _FAILED; G_IO_ERROR_CANCELLED.
 */
void lodge_machine_spec_create_async (LodgeMachineSpec *self, LodgeOperation *operation, GAsyncReadyCallback callback,
                                      gpointer user_data);
/** lodge_machine_spec_create_finish: Returns: (transfer full): the new machine, in the library's list. */
LodgeMachine *lodge_machine_spec_create_finish (LodgeMachineSpec *self, GAsyncResult *result, GError **error);

G_END_DECLS
