/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every KVM ioctl lives behind this header. Spec: Linux Documentation/virt/kvm/api.rst; order of set-up: contract 6.1. */
#pragma once

#include "core/types.h"

#include <linux/kvm.h>

typedef struct {
  guint64 addr;
  guint len;
  guint8 data[8];
  gboolean is_pio;
} VmmKvmCoalesced;

typedef enum { VMM_KVM_CHIP_PIC_MASTER, VMM_KVM_CHIP_PIC_SLAVE, VMM_KVM_CHIP_IOAPIC, VMM_KVM_CHIP_MSI } VmmKvmChip;

typedef struct {
  guint gsi;
  VmmKvmChip chip;
  guint pin;       /* chips */
  guint64 address; /* MSI */
  guint32 data;    /* MSI */
} VmmKvmRoute;

/**
 * vmm_kvm_new:
 * Opens /dev/kvm, makes a VM with interrupt chips and timer, remembers their start state.
 * Errors: VMM_ERROR_NO_KVM; VMM_ERROR_UNSUPPORTED names the capability that is missing.
 */
VmmKvm *vmm_kvm_new (GError **error);
void vmm_kvm_free (VmmKvm *kvm); /* all vCPUs are gone */
guint vmm_kvm_get_max_vcpus (VmmKvm *kvm);
gboolean vmm_kvm_check (VmmKvm *kvm, int capability);

/* Opens /dev/kvm and checks the API version. Returns: the descriptor, or -1. */
int vmm_kvm_open_device (GError **error);

gboolean vmm_kvm_set_slot (VmmKvm *kvm, guint32 id, guint64 gpa, gsize size, gpointer host, gboolean readonly, gboolean log,
                           GError **error);
gboolean vmm_kvm_get_dirty_log (VmmKvm *kvm, guint32 id, guint64 *bitmap);

/* Returns: FALSE if the edge was coalesced. */
gboolean vmm_kvm_irq_line (VmmKvm *kvm, guint gsi, gboolean level);
void vmm_kvm_signal_msi (VmmKvm *kvm, guint64 address, guint32 data);
gboolean vmm_kvm_set_routing (VmmKvm *kvm, const VmmKvmRoute *routes, guint n);
gboolean vmm_kvm_set_irqfd (VmmKvm *kvm, int fd, guint gsi, gboolean assign);
gboolean vmm_kvm_set_ioeventfd (VmmKvm *kvm, gboolean is_pio, guint64 addr, guint size, int fd, gboolean assign, GError **error);
/* Interrupt chips and timer to what they were when the VM was made. vCPUs parked. */
void vmm_kvm_reset_chips (VmmKvm *kvm);

void vmm_kvm_set_coalesced_zone (VmmKvm *kvm, gboolean is_pio, guint64 addr, guint64 size, gboolean on);
gboolean vmm_kvm_has_coalesced (VmmKvm *kvm);
/* One reader at a time: peek, act, drop. */
gboolean vmm_kvm_peek_coalesced (VmmKvm *kvm, VmmKvmCoalesced *ret_write);
void vmm_kvm_drop_coalesced (VmmKvm *kvm);

/* (transfer full) (nullable): what the host's KVM lets a guest see; free with g_free(). */
struct kvm_cpuid2 *vmm_kvm_get_supported_cpuid (VmmKvm *kvm, GError **error);
/* (transfer full) (nullable): the same of Hyper-V's leaves; NULL if this KVM has none. */
struct kvm_cpuid2 *vmm_kvm_get_supported_hyperv_cpuid (VmmKvm *kvm);

typedef struct _VmmKvmVcpu VmmKvmVcpu;

/* On the vCPU's own thread. */
VmmKvmVcpu *vmm_kvm_vcpu_new (VmmKvm *kvm, guint apic_id, GError **error);
void vmm_kvm_vcpu_free (VmmKvmVcpu *vcpu);
/* Hyper-V's synthetic interrupt controller; before CPUID. */
gboolean vmm_kvm_vcpu_enable_synic (VmmKvmVcpu *vcpu, GError **error);
gboolean vmm_kvm_vcpu_set_cpuid (VmmKvmVcpu *vcpu, struct kvm_cpuid2 *cpuid, GError **error);
/* After CPUID: remembers the registers as they are now; reset puts them back. */
gboolean vmm_kvm_vcpu_save_start_state (VmmKvmVcpu *vcpu, GError **error);
gboolean vmm_kvm_vcpu_reset (VmmKvmVcpu *vcpu, GError **error);
/* One KVM_RUN. Returns: 0, or -errno. */
int vmm_kvm_vcpu_run (VmmKvmVcpu *vcpu);
struct kvm_run *vmm_kvm_vcpu_get_run (VmmKvmVcpu *vcpu);
/* Registers between two runs. Returns: FALSE if the kernel refuses. */
gboolean vmm_kvm_vcpu_get_regs (VmmKvmVcpu *vcpu, struct kvm_regs *ret_regs);
gboolean vmm_kvm_vcpu_set_regs (VmmKvmVcpu *vcpu, const struct kvm_regs *regs);
gboolean vmm_kvm_vcpu_get_fpu (VmmKvmVcpu *vcpu, struct kvm_fpu *ret_fpu);
gboolean vmm_kvm_vcpu_set_fpu (VmmKvmVcpu *vcpu, const struct kvm_fpu *fpu);
/* An exception without an error code, delivered at the next run. */
gboolean vmm_kvm_vcpu_inject_exception (VmmKvmVcpu *vcpu, guint8 vector);
/* The guest's clock has stood still: its watchdogs shall not mind. Before the next run. */
void vmm_kvm_vcpu_tell_paused (VmmKvmVcpu *vcpu);
/* For reports: instruction pointer and the bytes there, as text. */
char *vmm_kvm_vcpu_describe (VmmKvmVcpu *vcpu);
