/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Direct start of kernels, without a boot disk: the settings of the group [kernel]. */
#pragma once

#include "core/types.h"

/**
 * vmm_boot_install:
 * Checks the kernel that the machine's configuration names, plans where it and what goes with it shall lie, and puts the plan, the pieces and
 * the option ROM that carries it out (boot-rom/) into fw_cfg, first in the boot order. Nothing to do without a group [kernel].
 * UEFI firmware runs no such ROM; it starts a Linux kernel that is an EFI program, which it gets by fw_cfg's own keys.
 * @modules of the configuration: "FILE ARGUMENTS;FILE;…", paths relative to the bundle.
 * Blocks on files. Control thread, after fw_cfg was made.
 * Errors: VMM_ERROR_NOT_FOUND, _HOST (unreadable, no regular file), _UNSUPPORTED (no image that we can start), _CORRUPT (an image that
 *   contradicts itself), _INVALID_CONFIG (does not fit into memory, command line too long); the message names the file.
 */
gboolean vmm_boot_install (VmmMachine *machine, GError **error);
