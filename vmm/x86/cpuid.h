/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the guest's processors say of themselves. */
#pragma once

#include "core/kvm.h"

/* One package, one core a vCPU: APIC ids are the indices. The MADT says the same. */
guint vmm_cpuid_apic_id (guint index);

typedef enum {
  VMM_CPU_HOST, /* all that KVM can give */
  VMM_CPU_V2,   /* x86-64-v2 and v3 of the psABI: the same on every host that has them */
  VMM_CPU_V3,
} VmmCpuBase;

#define VMM_CPUID_MAX_CHANGES 32

/* What the machine's processors are to be. */
typedef struct {
  VmmCpuBase base;
  guint n_changes;
  struct {
    guint feature; /* in the table of cpuid.c */
    gboolean on;
  } changes[VMM_CPUID_MAX_CHANGES];
  gboolean hyperv; /* enlightenments for Windows */
  gboolean synic;  /* with synthetic interrupts and timers */
} VmmCpuModel;

/**
 * vmm_cpu_model_parse:
 * @base: "host", "x86-64-v2" or "x86-64-v3"; @features: (nullable): names as in Linux' /proc/cpuinfo with + or -, separated by commas
 * @supported: what KVM offers
 * Errors: VMM_ERROR_INVALID_CONFIG: a name that is none; VMM_ERROR_UNSUPPORTED: what the host does not have.
 */
gboolean vmm_cpu_model_parse (const char *base, const char *features, const struct kvm_cpuid2 *supported, VmmCpuModel *ret_model,
                              GError **error);

/**
 * vmm_cpuid_make:
 * @supported: what KVM offers
 * @hyperv: (nullable): what KVM offers of Hyper-V; used if the model wants it
 * Spec: Intel SDM vol. 2A CPUID; AMD APM vol. 3 appendix E; x86-64 psABI 1.0 §3.1.1 (levels); Hypervisor Top Level Functional
 *   Specification 6.0b §2.4; contract 6.2, 6.3.
 * Returns: (transfer full): the table for processor @index of @n_vcpus cores in one package; free with g_free().
 */
struct kvm_cpuid2 *vmm_cpuid_make (const struct kvm_cpuid2 *supported, const struct kvm_cpuid2 *hyperv, const VmmCpuModel *model,
                                   guint index, guint n_vcpus);

/* The processor's maker as leaf 0 says it: TRUE for AMD and Hygon. */
gboolean vmm_cpuid_is_amd (void);
