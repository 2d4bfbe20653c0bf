/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What this host can do, and what to do about what it can't. */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/**
 * LodgeKvmStatus:
 * @LODGE_KVM_UNKNOWN: not asked yet
 * @LODGE_KVM_OK: usable
 * @LODGE_KVM_MISSING: the processor can, the kernel's module is not loaded
 * @LODGE_KVM_NO_CPU: the processor does not offer virtualization: too old, or switched off in the firmware
 * @LODGE_KVM_FORBIDDEN: this user may not open /dev/kvm
 * @LODGE_KVM_UNUSABLE: opens, but is not what the engine needs
 */
typedef enum {
  LODGE_KVM_UNKNOWN,
  LODGE_KVM_OK,
  LODGE_KVM_MISSING,
  LODGE_KVM_NO_CPU,
  LODGE_KVM_FORBIDDEN,
  LODGE_KVM_UNUSABLE,
} LodgeKvmStatus;

#define LODGE_TYPE_KVM_STATUS (lodge_kvm_status_get_type ())
GType lodge_kvm_status_get_type (void);

/**
 * LodgeHost:
 * Properties (notify): "kvm" LodgeKvmStatus; "title", "remedy" and "command" as the getters.
 */
#define LODGE_TYPE_HOST (lodge_host_get_type ())
G_DECLARE_FINAL_TYPE (LodgeHost, lodge_host, LODGE, HOST, GObject)

/** lodge_host_get_default: Returns: (transfer none): the one of this process. Knows nothing before the first refresh is done. */
LodgeHost *lodge_host_get_default (void);

/** lodge_host_refresh_async: Asks the host anew, on another thread. */
void lodge_host_refresh_async (LodgeHost *self, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
gboolean lodge_host_refresh_finish (LodgeHost *self, GAsyncResult *result, GError **error);

LodgeKvmStatus lodge_host_get_kvm (LodgeHost *self);

/** lodge_host_get_title: Returns: (transfer none) (nullable): what is wrong, in one short translated sentence; %NULL if nothing. */
const char *lodge_host_get_title (LodgeHost *self);
/** lodge_host_get_remedy: Returns: (transfer none) (nullable): what to do about it, one to three translated sentences. */
const char *lodge_host_get_remedy (LodgeHost *self);
/** lodge_host_get_command: Returns: (transfer none) (nullable): a command line for a terminal that mends it, to be copied. */
const char *lodge_host_get_command (LodgeHost *self);
/** lodge_host_get_detail: Returns: (transfer none) (nullable): technical text. */
const char *lodge_host_get_detail (LodgeHost *self);

guint lodge_host_get_cpus (LodgeHost *self);              /* processors of the host; never 0 */
guint lodge_host_get_max_cpus (LodgeHost *self);          /* the most that a machine may have */
guint64 lodge_host_get_memory_bytes (LodgeHost *self);    /* the host's RAM */
guint64 lodge_host_get_available_bytes (LodgeHost *self); /* of it free for use, when last asked */
const char *lodge_host_get_cpu_model (LodgeHost *self);
const char *lodge_host_get_bios_path (LodgeHost *self);                 /* (nullable): SeaBIOS */
const char *lodge_host_get_vgabios_path (LodgeHost *self);              /* (nullable) */
const char *lodge_host_get_uefi_path (LodgeHost *self);                 /* (nullable): OVMF */
const char *lodge_host_get_swtpm_path (LodgeHost *self);                /* (nullable): what TPMs are made of */
gboolean lodge_host_has_feature (LodgeHost *self, const char *feature); /* "irqfd", "ioeventfd", "smm", "io_uring" */

G_END_DECLS
