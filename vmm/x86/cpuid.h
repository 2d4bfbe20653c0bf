/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the guest's processors say of themselves. */
#pragma once

#include "core/kvm.h"

/* One package, one core a vCPU: APIC ids are the indices. The MADT says the same. */
guint vmm_cpuid_apic_id (guint index);

/**
 * vmm_cpuid_make:
 * @supported: what KVM offers
 * The model "host": all that KVM can give, with the topology of @n_vcpus cores in one package.
 * Spec: Intel SDM vol. 2A CPUID; AMD APM vol. 3 appendix E; contract 6.2.
 * Returns: (transfer full): the table for processor @index; free with g_free().
 */
struct kvm_cpuid2 *vmm_cpuid_make (const struct kvm_cpuid2 *supported, guint index, guint n_vcpus);

/* The processor's maker as leaf 0 says it: TRUE for AMD and Hygon. */
gboolean vmm_cpuid_is_amd (void);
