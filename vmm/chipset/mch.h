/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "core/types.h"

/**
 * vmm_mch_set_bios:
 * @mch: a device of class "mch"
 * @bios: (not owned) (nullable): outlives @mch, or is taken away with NULL
 * The ROM whose last 128 KiB (or less, if it is smaller; at least 64 KiB, a multiple of 16 KiB) show at E0000-FFFFF while PAM does not send reads to RAM.
 * Thread: control, before the machine runs or after its vCPUs are gone.
 */
void vmm_mch_set_bios (VmmDevice *mch, VmmRam *bios);
