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
