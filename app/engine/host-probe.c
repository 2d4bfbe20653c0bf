/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engine's view of the host as plain data. */
#include "engine/host-probe.h"

#include <string.h>
#include <vmm.h>

static LodgeKvmStatus
lprb_status (VmmKvmStatus status)
{
  switch (status)
    {
    case VMM_KVM_OK:
      return LODGE_KVM_OK;
    case VMM_KVM_MISSING:
      return LODGE_KVM_MISSING;
    case VMM_KVM_NO_CPU:
      return LODGE_KVM_NO_CPU;
    case VMM_KVM_FORBIDDEN:
      return LODGE_KVM_FORBIDDEN;
    case VMM_KVM_UNUSABLE:
    default:
      return LODGE_KVM_UNUSABLE;
    }
}

LodgeHostFacts *
lodge_host_facts_new (void)
{
  g_autoptr (VmmHostInfo) info = vmm_host_info_new ();
  g_autoptr (GStrvBuilder) features = g_strv_builder_new ();
  LodgeHostFacts *facts = g_new0 (LodgeHostFacts, 1);

  facts->kvm = lprb_status (info->kvm);
  facts->detail = g_strdup (info->kvm_message);
  facts->cpus = info->host_cpus;
  facts->max_cpus = MIN (info->max_vcpus, 64);
  facts->memory_bytes = info->memory_bytes;
  facts->available_bytes = info->available_bytes;
  facts->cpu_model = g_strdup (info->cpu_model);
  facts->bios_path = g_strdup (info->bios_path);
  facts->vgabios_path = g_strdup (info->vgabios_path);
  facts->uefi_path = g_strdup (info->uefi_path);
  facts->swtpm_path = g_strdup (info->swtpm_path);
  facts->is_amd = info->cpu_model != NULL && strstr (info->cpu_model, "AMD") != NULL;
  if (info->irqfd)
    g_strv_builder_add (features, "irqfd");
  if (info->ioeventfd)
    g_strv_builder_add (features, "ioeventfd");
  if (info->smm)
    g_strv_builder_add (features, "smm");
  if (info->io_uring)
    g_strv_builder_add (features, "io_uring");
  facts->features = g_strv_builder_end (features);
  return facts;
}

void
lodge_host_facts_clear (LodgeHostFacts *facts)
{
  g_clear_pointer (&facts->detail, g_free);
  g_clear_pointer (&facts->cpu_model, g_free);
  g_clear_pointer (&facts->bios_path, g_free);
  g_clear_pointer (&facts->vgabios_path, g_free);
  g_clear_pointer (&facts->uefi_path, g_free);
  g_clear_pointer (&facts->swtpm_path, g_free);
  g_clear_pointer (&facts->features, g_strfreev);
}

void
lodge_host_facts_free (LodgeHostFacts *facts)
{
  lodge_host_facts_clear (facts);
  g_free (facts);
}
