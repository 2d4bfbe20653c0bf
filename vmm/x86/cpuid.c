/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "x86/cpuid.h"

#include <cpuid.h>
#include <string.h>

#define CPUID_MAX_ENTRIES 512
#define CPUID_V_MAX_LEAF 0x0d /* of the models that are the same on every host */
#define CPUID_V_MAX_EXTENDED 0x80000008u
#define CPUID_KVM_BASE 0x40000000u
#define CPUID_KVM_MOVED 0x40000100u /* with Hyper-V in its place */

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

/* === Models === */

typedef enum { CPUID_EAX, CPUID_EBX, CPUID_ECX, CPUID_EDX } CpuidReg;

/* Features of the processor by the names of Linux. @level: the first level of x86-64 that has it (1: all; the rest of 1 is what a PC
 * needs besides), 0: none. */
static const struct {
  const char *name;
  guint32 function, index;
  guint8 reg, bit, level;
} cpuid_features[] = {
  { "fpu", 1, 0, CPUID_EDX, 0, 1 },
  { "vme", 1, 0, CPUID_EDX, 1, 1 },
  { "de", 1, 0, CPUID_EDX, 2, 1 },
  { "pse", 1, 0, CPUID_EDX, 3, 1 },
  { "tsc", 1, 0, CPUID_EDX, 4, 1 },
  { "msr", 1, 0, CPUID_EDX, 5, 1 },
  { "pae", 1, 0, CPUID_EDX, 6, 1 },
  { "mce", 1, 0, CPUID_EDX, 7, 1 },
  { "cx8", 1, 0, CPUID_EDX, 8, 1 },
  { "apic", 1, 0, CPUID_EDX, 9, 1 },
  { "sep", 1, 0, CPUID_EDX, 11, 1 },
  { "mtrr", 1, 0, CPUID_EDX, 12, 1 },
  { "pge", 1, 0, CPUID_EDX, 13, 1 },
  { "mca", 1, 0, CPUID_EDX, 14, 1 },
  { "cmov", 1, 0, CPUID_EDX, 15, 1 },
  { "pat", 1, 0, CPUID_EDX, 16, 1 },
  { "pse36", 1, 0, CPUID_EDX, 17, 1 },
  { "clflush", 1, 0, CPUID_EDX, 19, 1 },
  { "mmx", 1, 0, CPUID_EDX, 23, 1 },
  { "fxsr", 1, 0, CPUID_EDX, 24, 1 },
  { "sse", 1, 0, CPUID_EDX, 25, 1 },
  { "sse2", 1, 0, CPUID_EDX, 26, 1 },
  { "ht", 1, 0, CPUID_EDX, 28, 1 },
  { "pni", 1, 0, CPUID_ECX, 0, 2 },
  { "sse3", 1, 0, CPUID_ECX, 0, 2 },
  { "pclmulqdq", 1, 0, CPUID_ECX, 1, 0 },
  { "vmx", 1, 0, CPUID_ECX, 5, 0 },
  { "ssse3", 1, 0, CPUID_ECX, 9, 2 },
  { "fma", 1, 0, CPUID_ECX, 12, 3 },
  { "cx16", 1, 0, CPUID_ECX, 13, 2 },
  { "pcid", 1, 0, CPUID_ECX, 17, 0 },
  { "sse4_1", 1, 0, CPUID_ECX, 19, 2 },
  { "sse4_2", 1, 0, CPUID_ECX, 20, 2 },
  { "x2apic", 1, 0, CPUID_ECX, 21, 1 },
  { "movbe", 1, 0, CPUID_ECX, 22, 3 },
  { "popcnt", 1, 0, CPUID_ECX, 23, 2 },
  { "tsc_deadline_timer", 1, 0, CPUID_ECX, 24, 1 },
  { "aes", 1, 0, CPUID_ECX, 25, 0 },
  { "xsave", 1, 0, CPUID_ECX, 26, 3 },
  { "avx", 1, 0, CPUID_ECX, 28, 3 },
  { "f16c", 1, 0, CPUID_ECX, 29, 3 },
  { "rdrand", 1, 0, CPUID_ECX, 30, 0 },
  { "hypervisor", 1, 0, CPUID_ECX, 31, 1 },
  { "fsgsbase", 7, 0, CPUID_EBX, 0, 0 },
  { "bmi1", 7, 0, CPUID_EBX, 3, 3 },
  { "hle", 7, 0, CPUID_EBX, 4, 0 },
  { "avx2", 7, 0, CPUID_EBX, 5, 3 },
  { "smep", 7, 0, CPUID_EBX, 7, 0 },
  { "bmi2", 7, 0, CPUID_EBX, 8, 3 },
  { "erms", 7, 0, CPUID_EBX, 9, 0 },
  { "invpcid", 7, 0, CPUID_EBX, 10, 0 },
  { "rtm", 7, 0, CPUID_EBX, 11, 0 },
  { "avx512f", 7, 0, CPUID_EBX, 16, 0 },
  { "avx512dq", 7, 0, CPUID_EBX, 17, 0 },
  { "rdseed", 7, 0, CPUID_EBX, 18, 0 },
  { "adx", 7, 0, CPUID_EBX, 19, 0 },
  { "smap", 7, 0, CPUID_EBX, 20, 0 },
  { "clflushopt", 7, 0, CPUID_EBX, 23, 0 },
  { "clwb", 7, 0, CPUID_EBX, 24, 0 },
  { "sha_ni", 7, 0, CPUID_EBX, 29, 0 },
  { "avx512bw", 7, 0, CPUID_EBX, 30, 0 },
  { "avx512vl", 7, 0, CPUID_EBX, 31, 0 },
  { "umip", 7, 0, CPUID_ECX, 2, 0 },
  { "pku", 7, 0, CPUID_ECX, 3, 0 },
  { "gfni", 7, 0, CPUID_ECX, 8, 0 },
  { "vaes", 7, 0, CPUID_ECX, 9, 0 },
  { "vpclmulqdq", 7, 0, CPUID_ECX, 10, 0 },
  { "la57", 7, 0, CPUID_ECX, 16, 0 },
  { "rdpid", 7, 0, CPUID_ECX, 22, 0 },
  { "fsrm", 7, 0, CPUID_EDX, 4, 0 },
  { "md_clear", 7, 0, CPUID_EDX, 10, 0 },
  { "spec_ctrl", 7, 0, CPUID_EDX, 26, 0 },
  { "stibp", 7, 0, CPUID_EDX, 27, 0 },
  { "arch_capabilities", 7, 0, CPUID_EDX, 29, 0 },
  { "ssbd", 7, 0, CPUID_EDX, 31, 0 },
  { "xsaveopt", 0xd, 1, CPUID_EAX, 0, 0 },
  { "xsavec", 0xd, 1, CPUID_EAX, 1, 0 },
  { "xsaves", 0xd, 1, CPUID_EAX, 3, 0 },
  { "lahf_lm", 0x80000001, 0, CPUID_ECX, 0, 2 },
  { "cmp_legacy", 0x80000001, 0, CPUID_ECX, 1, 1 },
  { "svm", 0x80000001, 0, CPUID_ECX, 2, 0 },
  { "abm", 0x80000001, 0, CPUID_ECX, 5, 3 },
  { "lzcnt", 0x80000001, 0, CPUID_ECX, 5, 3 },
  { "sse4a", 0x80000001, 0, CPUID_ECX, 6, 0 },
  { "topoext", 0x80000001, 0, CPUID_ECX, 22, 0 },
  { "syscall", 0x80000001, 0, CPUID_EDX, 11, 1 },
  { "nx", 0x80000001, 0, CPUID_EDX, 20, 1 },
  { "pdpe1gb", 0x80000001, 0, CPUID_EDX, 26, 0 },
  { "rdtscp", 0x80000001, 0, CPUID_EDX, 27, 0 },
  { "lm", 0x80000001, 0, CPUID_EDX, 29, 1 },
};

/* AMD repeats these bits of leaf 1 in 80000001 EDX. */
#define CPUID_AMD_REPEATED 0x0183f3ffu

static guint32 *
cpuid_register (struct kvm_cpuid_entry2 *entry, CpuidReg reg)
{
  switch (reg)
    {
    case CPUID_EAX:
      return &entry->eax;
    case CPUID_EBX:
      return &entry->ebx;
    case CPUID_ECX:
      return &entry->ecx;
    case CPUID_EDX:
    default:
      return &entry->edx;
    }
}

static gboolean
cpuid_has (const struct kvm_cpuid2 *cpuid, guint feature)
{
  for (guint i = 0; i < cpuid->nent; i++)
    {
      struct kvm_cpuid_entry2 entry = cpuid->entries[i];

      if (entry.function == cpuid_features[feature].function && entry.index == cpuid_features[feature].index)
        return (*cpuid_register (&entry, cpuid_features[feature].reg) >> cpuid_features[feature].bit & 1) != 0;
    }
  return FALSE;
}

static gboolean
cpuid_parse_change (const char *text, const struct kvm_cpuid2 *supported, VmmCpuModel *model, GError **error)
{
  const char *name = text[0] == '+' || text[0] == '-' ? text + 1 : text;
  gboolean on = text[0] != '-';

  for (guint i = 0; i < G_N_ELEMENTS (cpuid_features); i++)
    {
      if (!g_str_equal (cpuid_features[i].name, name))
        continue;
      if (on && !cpuid_has (supported, i))
        {
          g_set_error (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED, "cpu-features: this computer's processors have no %s", name);
          return FALSE;
        }
      if (model->n_changes == VMM_CPUID_MAX_CHANGES)
        {
          g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "cpu-features: more than %d", VMM_CPUID_MAX_CHANGES);
          return FALSE;
        }
      model->changes[model->n_changes].feature = i;
      model->changes[model->n_changes++].on = on;
      return TRUE;
    }
  g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "cpu-features: there is no feature \"%s\"", name);
  return FALSE;
}

gboolean
vmm_cpu_model_parse (const char *base, const char *features, const struct kvm_cpuid2 *supported, VmmCpuModel *ret_model,
                     GError **error)
{
  g_auto (GStrv) words = g_strsplit_set (features != NULL ? features : "", ", ", -1);
  VmmCpuModel model = { 0 };

  model.base = g_str_equal (base, "x86-64-v2") ? VMM_CPU_V2 : g_str_equal (base, "x86-64-v3") ? VMM_CPU_V3 : VMM_CPU_HOST;
  for (guint i = 0; model.base != VMM_CPU_HOST && i < G_N_ELEMENTS (cpuid_features); i++)
    if (cpuid_features[i].level >= 2 && cpuid_features[i].level <= (model.base == VMM_CPU_V2 ? 2 : 3) && !cpuid_has (supported, i))
      {
        g_set_error (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED, "cpu-model=%s: this computer's processors have no %s", base,
                     cpuid_features[i].name);
        return FALSE;
      }
  for (guint i = 0; words[i] != NULL; i++)
    if (words[i][0] != '\0' && !cpuid_parse_change (words[i], supported, &model, error))
      return FALSE;
  *ret_model = model;
  return TRUE;
}

/* Leaves only what the level has. FALSE: the leaf does not exist in this model. */
static gboolean
cpuid_limit (struct kvm_cpuid_entry2 *entry, guint level)
{
  guint32 mask[4] = { 0 };

  if ((entry->function > CPUID_V_MAX_LEAF && entry->function < CPUID_KVM_BASE) || entry->function > CPUID_V_MAX_EXTENDED)
    return FALSE;
  if (entry->function == 0)
    entry->eax = MIN (entry->eax, CPUID_V_MAX_LEAF);
  else if (entry->function == 0x80000000)
    entry->eax = MIN (entry->eax, CPUID_V_MAX_EXTENDED);
  if (entry->function == 7 && entry->index > 0)
    return FALSE;
  if (entry->function == 0xd)
    {
      /* x87, SSE and AVX at their architectural places (SDM vol. 1 §13.4) */
      if (level < 3 || entry->index > 2)
        return FALSE;
      if (entry->index == 0)
        {
          entry->eax &= 7;
          entry->ebx = entry->ecx = 576 + 256;
          entry->edx = 0;
        }
      else if (entry->index == 1)
        entry->eax = entry->ebx = entry->ecx = entry->edx = 0;
      return TRUE;
    }
  if (entry->function != 1 && entry->function != 7 && entry->function != 0x80000001)
    return TRUE;
  for (guint i = 0; i < G_N_ELEMENTS (cpuid_features); i++)
    if (cpuid_features[i].function == entry->function && cpuid_features[i].level >= 1 && cpuid_features[i].level <= level)
      mask[cpuid_features[i].reg] |= 1u << cpuid_features[i].bit;
  if (entry->function == 0x80000001 && vmm_cpuid_is_amd ())
    mask[CPUID_EDX] |= CPUID_AMD_REPEATED;
  if (entry->function == 7)
    {
      entry->eax = 0;
      entry->ebx &= mask[CPUID_EBX];
    }
  entry->ecx &= mask[CPUID_ECX];
  entry->edx &= mask[CPUID_EDX];
  return TRUE;
}

static void
cpuid_apply_changes (struct kvm_cpuid2 *cpuid, const VmmCpuModel *model)
{
  for (guint i = 0; i < model->n_changes; i++)
    for (guint j = 0; j < cpuid->nent; j++)
      {
        guint feature = model->changes[i].feature;
        struct kvm_cpuid_entry2 *entry = &cpuid->entries[j];
        guint32 bit = 1u << cpuid_features[feature].bit, *value;

        if (entry->function != cpuid_features[feature].function || entry->index != cpuid_features[feature].index)
          continue;
        value = cpuid_register (entry, cpuid_features[feature].reg);
        *value = model->changes[i].on ? *value | bit : *value & ~bit;
      }
}

/* === Hyper-V, TLFS §2.4 === */

#define CPUID_HV_RUNTIME 0x0001u
#define CPUID_HV_TIME 0x0002u
#define CPUID_HV_SYNIC 0x0004u
#define CPUID_HV_TIMERS 0x0008u
#define CPUID_HV_APIC 0x0010u
#define CPUID_HV_HYPERCALL 0x0020u
#define CPUID_HV_VP_INDEX 0x0040u
#define CPUID_HV_TSC_PAGE 0x0200u
#define CPUID_HV_FREQUENCY 0x0800u
#define CPUID_HV_FREQUENCY_EDX 0x0100u
#define CPUID_HV_TIMERS_DIRECT_EDX 0x80000u
#define CPUID_HV_RECOMMEND_TLB 0x0004u
#define CPUID_HV_RECOMMEND_APIC 0x0008u
#define CPUID_HV_RECOMMEND_RELAXED 0x0020u
#define CPUID_HV_RECOMMEND_IPI 0x0400u
#define CPUID_HV_RECOMMEND_EX 0x0800u
#define CPUID_HV_SPINLOCKS 0x1fff

static const struct kvm_cpuid_entry2 *
cpuid_find_offered (const struct kvm_cpuid2 *cpuid, guint32 function)
{
  for (guint i = 0; i < cpuid->nent; i++)
    if (cpuid->entries[i].function == function)
      return &cpuid->entries[i];
  return NULL;
}

static void
cpuid_add_leaf (struct kvm_cpuid2 *cpuid, guint32 function, guint32 eax, guint32 ebx, guint32 ecx, guint32 edx)
{
  struct kvm_cpuid_entry2 *entry = cpuid_add (cpuid, function, 0, FALSE);

  if (entry == NULL)
    return;
  entry->eax = eax;
  entry->ebx = ebx;
  entry->ecx = ecx;
  entry->edx = edx;
}

static void
cpuid_add_hyperv (struct kvm_cpuid2 *cpuid, const struct kvm_cpuid2 *hyperv, gboolean synic)
{
  const struct kvm_cpuid_entry2 *privileges = cpuid_find_offered (hyperv, 0x40000003);
  const struct kvm_cpuid_entry2 *recommended = cpuid_find_offered (hyperv, 0x40000004);
  guint32 wanted = CPUID_HV_RUNTIME | CPUID_HV_TIME | CPUID_HV_APIC | CPUID_HV_HYPERCALL | CPUID_HV_VP_INDEX | CPUID_HV_TSC_PAGE
                   | CPUID_HV_FREQUENCY | (synic ? CPUID_HV_SYNIC | CPUID_HV_TIMERS : 0);
  guint32 wanted_edx = CPUID_HV_FREQUENCY_EDX | (synic ? CPUID_HV_TIMERS_DIRECT_EDX : 0);
  guint32 advice = CPUID_HV_RECOMMEND_TLB | CPUID_HV_RECOMMEND_APIC | CPUID_HV_RECOMMEND_IPI | CPUID_HV_RECOMMEND_EX;

  /* KVM's own leaves make room. */
  for (guint i = 0; i < cpuid->nent; i++)
    if (cpuid->entries[i].function == CPUID_KVM_BASE || cpuid->entries[i].function == CPUID_KVM_BASE + 1)
      {
        if (cpuid->entries[i].function == CPUID_KVM_BASE)
          cpuid->entries[i].eax = CPUID_KVM_MOVED + 1;
        cpuid->entries[i].function += CPUID_KVM_MOVED - CPUID_KVM_BASE;
      }
  cpuid_add_leaf (cpuid, 0x40000000, 0x40000005, 0x7263694d, 0x666f736f, 0x76482074); /* "Microsoft Hv" */
  cpuid_add_leaf (cpuid, 0x40000001, 0x31237648, 0, 0, 0);                            /* "Hv#1" */
  cpuid_add_leaf (cpuid, 0x40000002, 0x3839, 0x000a0000, 0, 0);                       /* as Windows Server 2016 */
  cpuid_add_leaf (cpuid, 0x40000003, privileges != NULL ? privileges->eax & wanted : 0, 0, 0,
                  privileges != NULL ? privileges->edx & wanted_edx : 0);
  cpuid_add_leaf (cpuid, 0x40000004, CPUID_HV_RECOMMEND_RELAXED | (recommended != NULL ? recommended->eax & advice : 0),
                  CPUID_HV_SPINLOCKS, 0, 0);
  cpuid_add_leaf (cpuid, 0x40000005, 64, 64, 0, 0);
}

/* === The table === */

struct kvm_cpuid2 *
vmm_cpuid_make (const struct kvm_cpuid2 *supported, const struct kvm_cpuid2 *hyperv, const VmmCpuModel *model, guint index,
                guint n_vcpus)
{
  struct kvm_cpuid2 *cpuid = g_malloc0 (sizeof *cpuid + CPUID_MAX_ENTRIES * sizeof (struct kvm_cpuid_entry2));
  struct kvm_cpuid_entry2 *leaf0;

  for (guint i = 0; i < supported->nent; i++)
    {
      struct kvm_cpuid_entry2 *entry = &cpuid->entries[cpuid->nent];
      const struct kvm_cpuid_entry2 *from = &supported->entries[i];

      /* Replaced below; processor trace and SGX would need state that we do not keep. */
      if (from->function == 0xb || from->function == 0x1f || from->function == 0x12 || from->function == 0x14)
        continue;
      if (cpuid->nent == CPUID_MAX_ENTRIES - 16)
        break;
      *entry = *from;
      cpuid_fix (entry, index, n_vcpus);
      if (model->base == VMM_CPU_HOST || cpuid_limit (entry, model->base == VMM_CPU_V2 ? 2 : 3))
        cpuid->nent++;
    }
  cpuid_apply_changes (cpuid, model);
  leaf0 = cpuid_find (cpuid, 0);
  if (leaf0 != NULL && leaf0->eax >= 0xb)
    cpuid_add_topology (cpuid, 0xb, index, n_vcpus);
  if (leaf0 != NULL && leaf0->eax >= 0x1f && !vmm_cpuid_is_amd ())
    cpuid_add_topology (cpuid, 0x1f, index, n_vcpus);
  if (model->hyperv && hyperv != NULL)
    cpuid_add_hyperv (cpuid, hyperv, model->synic);
  return cpuid;
}
