/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What this host can do for the engine. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
  VMM_KVM_OK,
  VMM_KVM_MISSING,   /* no /dev/kvm and the processor offers virtualization: module not loaded */
  VMM_KVM_NO_CPU,    /* no /dev/kvm and the processor does not say it can virtualize (absent, or off in the firmware) */
  VMM_KVM_FORBIDDEN, /* /dev/kvm is there, this user may not open it */
  VMM_KVM_UNUSABLE,  /* opens, but its interface is not the one we need (see message) */
} VmmKvmStatus;

typedef struct {
  VmmKvmStatus kvm;
  char *kvm_message; /* (nullable): technical detail */
  guint max_vcpus;
  guint host_cpus;
  guint64 memory_bytes; /* the host's RAM */
  guint64 available_bytes;
  gboolean irqfd, ioeventfd, smm, io_uring;
  char *cpu_model;
  char *bios_path;    /* (nullable): SeaBIOS image found */
  char *vgabios_path; /* (nullable) */
  char *uefi_path;    /* (nullable): OVMF code image found */
  char *swtpm_path;   /* (nullable): swtpm found */
} VmmHostInfo;

/** vmm_host_info_new: Asks the host. Opens a few files; takes milliseconds. Thread: any. */
VmmHostInfo *vmm_host_info_new (void);
void vmm_host_info_free (VmmHostInfo *info);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VmmHostInfo, vmm_host_info_free)

G_END_DECLS
