/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "core/memory.h"

/* @kvm: (nullable) (not owned). @size_bytes: page multiple, at least 2 MiB. */
VmmMemory *vmm_memory_new (VmmMachine *machine, VmmKvm *kvm, guint64 size_bytes, GError **error);
void vmm_memory_free (VmmMemory *memory);
/* (nullable): what the processor sees at @gpa; for tests. */
VmmSlot *vmm_memory_find_slot (VmmMemory *memory, guint64 gpa, guint64 *ret_base, VmmRam **ret_ram, gsize *ret_offset,
                               VmmSlotFlags *ret_flags);
