/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "core/types.h"

VmmBus *vmm_bus_new (VmmKvm *kvm); /* @kvm: (nullable) (not owned) */
void vmm_bus_free (VmmBus *bus);
