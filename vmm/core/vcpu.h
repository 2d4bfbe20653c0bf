/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The machine's processors and their threads: enter the guest, serve its exits, stop when told. */
#pragma once

#include "core/types.h"

/* Makes a thread and a KVM vCPU for each processor; they wait, parked. Control thread. */
gboolean vmm_vcpus_start (VmmMachine *machine, GError **error);
/* Ends the threads. Control thread. */
void vmm_vcpus_stop (VmmMachine *machine);

/* Every vCPU out of the guest and between two instructions, device state complete. Control thread; nothing if parked already. */
void vmm_vcpus_park (VmmMachine *machine);
void vmm_vcpus_unpark (VmmMachine *machine);
/* While parked: registers to their start values. */
gboolean vmm_vcpus_reset (VmmMachine *machine, GError **error);

/* Short exclusion for a change of memory slots: all other vCPUs leave the guest until the release. Any thread; nests across threads. */
void vmm_vcpus_hold (VmmMachine *machine);
void vmm_vcpus_release (VmmMachine *machine);
