/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where the distribution keeps firmware: the directories in LODGE_FIRMWARE_PATH (separated by colons) first, then QEMU's firmware
 * descriptors, then the places that distributions are known to use. */
#pragma once

#include <glib.h>

/**
 * vmm_firmware_find_bios:
 * The BIOS for the q35 board: SeaBIOS's bios-256k.bin, or what a descriptor with the interface "bios" names.
 * Thread: any; reads files.
 * Errors: VMM_ERROR_NOT_FOUND saying where it looked and which packages bring it.
 * Spec: QEMU docs/interop/firmware.json.
 * Returns: (transfer full): an absolute path, or NULL.
 */
char *vmm_firmware_find_bios (GError **error);

/**
 * vmm_firmware_find_rom:
 * @name: file name, "vgabios-stdvga.bin"
 * An option ROM. Thread: any; looks at files.
 * Errors: VMM_ERROR_NOT_FOUND.
 * Returns: (transfer full): an absolute path, or NULL.
 */
char *vmm_firmware_find_rom (const char *name, GError **error);

typedef struct {
  char *code;          /* image of the code, shown read-only */
  char *vars_template; /* what a machine's variables are at first: to be copied, never written */
} VmmFirmwareUefi;

void vmm_firmware_uefi_free (VmmFirmwareUefi *uefi);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VmmFirmwareUefi, vmm_firmware_uefi_free)

/**
 * vmm_firmware_find_uefi:
 * @vars_size: bytes that the machine's variables already have: only a build of the same layout can read them; 0: any
 * UEFI firmware (OVMF) for the q35 board as two flash images, that does not need system management mode; best one without Secure Boot (it
 * would be without effect) and of the layout with 4 MiB.
 * Thread: any; reads files.
 * Errors: VMM_ERROR_NOT_FOUND saying where it looked and which packages bring it.
 * Spec: QEMU docs/interop/firmware.json.
 * Returns: (transfer full): or NULL.
 */
VmmFirmwareUefi *vmm_firmware_find_uefi (guint64 vars_size, GError **error);

/**
 * vmm_firmware_find_uefi_for:
 * @code: an image of UEFI code that somebody chose
 * Its template of variables: what a descriptor pairs with it, or a file beside it that is named alike.
 * Errors: VMM_ERROR_NOT_FOUND (no template); _UNSUPPORTED (a build that only starts with system management mode).
 */
VmmFirmwareUefi *vmm_firmware_find_uefi_for (const char *code, GError **error);
