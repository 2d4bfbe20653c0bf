/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "x86/cpuid.h"

#include <cpuid.h>
#include <string.h>

#define CPUID_MAX_ENTRIES 512

/* Leaf 1 ECX */
#define CPUID_1_MONITOR (1u << 3)
#define CPUID_1_TSC_DEADLINE (1u << 24)
#define CPUID_1_OSXSAVE (1u << 27)
#define CPUID_1_HYPERVISOR (1u << 31)
#define CPUID_1_X2APIC (1u << 21)
/* Leaf 1 EDX */
#define CPUID_1_HTT (1u << 28)
/* Leaf 7.0 ECX */
#define CPUID_7_OSPKE (1u << 4)
/* Leaf 80000001 ECX */
#define CPUID_AMD_CMP_LEGACY (1u << 1)
#define CPUID_AMD_TOPOEXT (1u << 22)

guint
vmm_cpuid_apic_id (guint index)
{
  return index;
}

gboolean
vmm_cpuid_is_amd (void)
{
  guint eax = 0, ebx = 0, ecx = 0, edx = 0;

  __get_cpuid (0, &eax, &ebx, &ecx, &edx);
  return ebx == 0x68747541 || ebx == 0x6f677948; /* "Auth", "Hygo" */
}

/* Width of the field that holds the core's number. */
static guint
cpuid_core_bits (guint n_vcpus)
{
  return n_vcpus > 1 ? 32 - (guint) __builtin_clz (n_vcpus - 1) : 0;
}

static struct kvm_cpuid_entry2 *
cpuid_add (struct kvm_cpuid2 *cpuid, guint32 function, guint32 index, gboolean indexed)
{
  struct kvm_cpuid_entry2 *entry;

  if (cpuid->nent >= CPUID_MAX_ENTRIES)
    return NULL;
  entry = &cpuid->entries[cpuid->nent++];
  *entry = (struct kvm_cpuid_entry2) { .function = function,
                                       .index = index,
                                       .flags = indexed ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0 };
  return entry;
}

static struct kvm_cpuid_entry2 *
cpuid_find (struct kvm_cpuid2 *cpuid, guint32 function)
{
  for (guint i = 0; i < cpuid->nent; i++)
    if (cpuid->entries[i].function == function)
      return &cpuid->entries[i];
  return NULL;
}

/* Leaf B (and 1F): levels "thread" and "core" of one package. */
static void
cpuid_add_topology (struct kvm_cpuid2 *cpuid, guint32 function, guint index, guint n_vcpus)
{
  struct kvm_cpuid_entry2 *thread = cpuid_add (cpuid, function, 0, TRUE);
  struct kvm_cpuid_entry2 *core = cpuid_add (cpuid, function, 1, TRUE);
  struct kvm_cpuid_entry2 *end = cpuid_add (cpuid, function, 2, TRUE);

  if (end == NULL)
    return;
  thread->eax = 0;
  thread->ebx = 1;
  thread->ecx = 1 << 8;
  core->eax = cpuid_core_bits (n_vcpus);
  core->ebx = n_vcpus;
  core->ecx = 1 | 2 << 8;
  end->ecx = 2;
  thread->edx = core->edx = end->edx = vmm_cpuid_apic_id (index);
}

static void
cpuid_fix (struct kvm_cpuid_entry2 *entry, guint index, guint n_vcpus)
{
  guint32 phys_bits;

  switch (entry->function)
    {
    case 1:
      entry->ebx = (entry->ebx & 0xffff) | MIN (n_vcpus, 255) << 16 | vmm_cpuid_apic_id (index) << 24;
      entry->ecx |= CPUID_1_HYPERVISOR | CPUID_1_X2APIC | CPUID_1_TSC_DEADLINE;
      entry->ecx &= ~(CPUID_1_OSXSAVE | CPUID_1_MONITOR);
      entry->edx = n_vcpus > 1 ? entry->edx | CPUID_1_HTT : entry->edx & ~CPUID_1_HTT;
      break;
    case 4:
    case 0x8000001d:
      /* Who shares this cache: the first two levels a core alone, the third all. */
      if ((entry->eax & 0x1f) == 0)
        break;
      entry->eax &= 0x3fff;
      if (((entry->eax >> 5) & 7) >= 3)
        entry->eax |= (MIN (n_vcpus, 4096) - 1) << 14;
      if (entry->function == 4)
        entry->eax |= (guint32) ((1u << MIN (cpuid_core_bits (n_vcpus), 6)) - 1) << 26;
      break;
    case 5:   /* MONITOR/MWAIT */
    case 6:   /* thermal and power */
    case 0xa: /* performance counters: KVM's own list would tie the guest to this host */
      entry->eax = entry->ebx = entry->ecx = entry->edx = 0;
      break;
    case 7:
      if (entry->index == 0)
        entry->ecx &= ~CPUID_7_OSPKE;
      break;
    case 0x80000001:
      entry->ecx = n_vcpus > 1 && vmm_cpuid_is_amd () ? entry->ecx | CPUID_AMD_CMP_LEGACY : entry->ecx & ~CPUID_AMD_CMP_LEGACY;
      break;
    case 0x80000008:
      phys_bits = entry->eax & 0xff;
      entry->eax = (entry->eax & 0xff00) | phys_bits;
      if (vmm_cpuid_is_amd ())
        entry->ecx = (n_vcpus - 1) | cpuid_core_bits (n_vcpus) << 12;
      break;
    case 0x8000001e:
      entry->eax = vmm_cpuid_apic_id (index);
      entry->ebx = index & 0xff;
      entry->ecx = 0;
      entry->edx = 0;
      break;
    default:
      break;
    }
}

struct kvm_cpuid2 *
vmm_cpuid_make (const struct kvm_cpuid2 *supported, guint index, guint n_vcpus)
{
  struct kvm_cpuid2 *cpuid = g_malloc0 (sizeof *cpuid + CPUID_MAX_ENTRIES * sizeof (struct kvm_cpuid_entry2));
  struct kvm_cpuid_entry2 *leaf0;

  for (guint i = 0; i < supported->nent; i++)
    {
      const struct kvm_cpuid_entry2 *from = &supported->entries[i];

      /* Replaced below; processor trace and SGX would need state that we do not keep. */
      if (from->function == 0xb || from->function == 0x1f || from->function == 0x12 || from->function == 0x14)
        continue;
      if (cpuid->nent == CPUID_MAX_ENTRIES - 8)
        break;
      cpuid->entries[cpuid->nent] = *from;
      cpuid_fix (&cpuid->entries[cpuid->nent++], index, n_vcpus);
    }
  leaf0 = cpuid_find (cpuid, 0);
  if (leaf0 != NULL && leaf0->eax >= 0xb)
    cpuid_add_topology (cpuid, 0xb, index, n_vcpus);
  if (leaf0 != NULL && leaf0->eax >= 0x1f && !vmm_cpuid_is_amd ())
    cpuid_add_topology (cpuid, 0x1f, index, n_vcpus);
  return cpuid;
}
