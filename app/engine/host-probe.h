/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engine's view of the host as plain data. */
#pragma once

#include "model/host.h"

G_BEGIN_DECLS

typedef struct {
  LodgeKvmStatus kvm;
  char *detail; /* (nullable) */
  guint cpus, max_cpus;
  guint64 memory_bytes, available_bytes;
  char *cpu_model, *bios_path, *vgabios_path, *uefi_path, *swtpm_path; /* (nullable) */
  char **features;
  gboolean is_amd;
} LodgeHostFacts;

/** lodge_host_facts_new: Asks the host; takes milliseconds. Thread: any. */
LodgeHostFacts *lodge_host_facts_new (void);
void lodge_host_facts_clear (LodgeHostFacts *facts);
void lodge_host_facts_free (LodgeHostFacts *facts);

G_END_DECLS
