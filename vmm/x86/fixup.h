/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Some hosts' KVM emulates the guest's ring 0 and lacks a few instructions. The simplest of them are carried out here. */
#pragma once

#include "core/kvm.h"

/**
 * vmm_fixup_instruction:
 * @bytes: (array length=len): the instruction that KVM could not emulate, and what follows it
 * Carries out FWAIT, FNINIT, CLAC, STAC and INT3 on the vCPU's registers.
 * Thread: the vCPU's own, after its exit.
 * Spec: Intel SDM vol. 2, WAIT/FWAIT, FNINIT, CLAC, STAC, INT3; vol. 1 §8.1.10 (state after FNINIT).
 * Returns: FALSE, nothing done, for any other instruction.
 */
gboolean vmm_fixup_instruction (VmmKvmVcpu *vcpu, const guint8 *bytes, gsize len);
