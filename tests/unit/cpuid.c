/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: x86-64 psABI §3.1.1 (levels), Intel SDM vol. 2A CPUID, Hypervisor Top Level Functional Specification §2.4. */
#include "x86/cpuid.h"

#include <string.h>

#define N 9

typedef struct {
  guint32 nent, padding;
  struct kvm_cpuid_entry2 entries[N];
} Table;

/* A host that has everything in the leaves that matter. */
static Table *
make_host (void)
{
  static const struct {
    guint32 function, index, eax;
  } leaves[N] = { { 0, 0, 0x20 },
                  { 1, 0, 0xffffffff },
                  { 7, 0, 2 },
                  { 7, 1, 0xffffffff },
                  { 0xd, 0, 0xffffffff },
                  { 0x19, 0, 7 },
                  { 0x40000000, 0, 0x40000001 },
                  { 0x40000001, 0, 0x0100007b },
                  { 0x80000001, 0, 0 } };
  Table *table = g_new0 (Table, 1);

  table->nent = N;
  for (guint i = 0; i < N; i++)
    table->entries[i] = (struct kvm_cpuid_entry2) { .function = leaves[i].function,
                                                    .index = leaves[i].index,
                                                    .eax = leaves[i].eax,
                                                    .ebx = 0xffffffff,
                                                    .ecx = 0xffffffff,
                                                    .edx = 0xffffffff };
  return table;
}

static const struct kvm_cpuid_entry2 *
find (const struct kvm_cpuid2 *cpuid, guint32 function, guint32 index)
{
  for (guint i = 0; i < cpuid->nent; i++)
    if (cpuid->entries[i].function == function && cpuid->entries[i].index == index)
      return &cpuid->entries[i];
  return NULL;
}

/* One that must be there. */
static struct kvm_cpuid_entry2
entry (const struct kvm_cpuid2 *cpuid, guint32 function, guint32 index)
{
  const struct kvm_cpuid_entry2 *found = find (cpuid, function, index);

  g_assert_nonnull (found);
  return found != NULL ? *found : (struct kvm_cpuid_entry2) { 0 };
}

static struct kvm_cpuid2 *
make (const char *base, const char *features)
{
  g_autofree Table *host = make_host ();
  g_autoptr (GError) error = NULL;
  VmmCpuModel model;

  g_assert_true (vmm_cpu_model_parse (base, features, (const struct kvm_cpuid2 *) host, &model, &error));
  g_assert_no_error (error);
  return vmm_cpuid_make ((const struct kvm_cpuid2 *) host, NULL, &model, 0, 2);
}

static void
test_v2 (void)
{
  g_autofree struct kvm_cpuid2 *cpuid = make ("x86-64-v2", NULL);
  guint32 ecx = entry (cpuid, 1, 0).ecx;

  /* CMPXCHG16B, LAHF, POPCNT, SSE3, SSE4.1, SSE4.2, SSSE3 */
  g_assert_cmphex (ecx & 0x00982201, ==, 0x00982201);
  /* neither AVX, FMA, F16C, MOVBE, XSAVE nor AES, RDRAND */
  g_assert_cmphex (ecx & 0x76401000, ==, 0);
  g_assert_cmphex (entry (cpuid, 0x80000001, 0).ecx & 0x21, ==, 0x01);
  g_assert_cmphex (entry (cpuid, 7, 0).ebx, ==, 0);
  g_assert_null (find (cpuid, 7, 1));
  g_assert_null (find (cpuid, 0xd, 0));
  g_assert_null (find (cpuid, 0x19, 0));
  g_assert_cmphex (entry (cpuid, 0, 0).eax, ==, 0xd);
  g_assert_nonnull (find (cpuid, 0x40000000, 0)); /* KVM's own stay */
}

static void
test_v3 (void)
{
  g_autofree struct kvm_cpuid2 *cpuid = make ("x86-64-v3", "+aes,-movbe");

  /* AVX, F16C, FMA, XSAVE; AES was asked for, MOVBE not wanted */
  g_assert_cmphex (entry (cpuid, 1, 0).ecx & 0x36401000, ==, 0x36001000);
  g_assert_cmphex (entry (cpuid, 7, 0).ebx, ==, 0x00000128); /* BMI1, AVX2, BMI2 */
  g_assert_cmphex (entry (cpuid, 0x80000001, 0).ecx & 0x20, ==, 0x20);
  g_assert_cmphex (entry (cpuid, 0xd, 0).eax, ==, 7); /* x87, SSE, AVX */
  g_assert_cmpuint (entry (cpuid, 0xd, 0).ecx, ==, 832);
}

static void
test_host_with_changes (void)
{
  g_autofree struct kvm_cpuid2 *cpuid = make ("host", "-avx512f, -rdrand");

  g_assert_cmphex (entry (cpuid, 7, 0).ebx, ==, 0xfffeffff);
  g_assert_cmphex (entry (cpuid, 1, 0).ecx & 0x40000000, ==, 0);
  g_assert_cmphex (entry (cpuid, 1, 0).ecx & 0x80000000, ==, 0x80000000);
}

static void
test_refusals (void)
{
  g_autofree Table *host = make_host ();
  g_autoptr (GError) unknown = NULL, missing = NULL, level = NULL;
  VmmCpuModel model;

  g_assert_false (vmm_cpu_model_parse ("host", "+warp", (const struct kvm_cpuid2 *) host, &model, &unknown));
  g_assert_error (unknown, VMM_ERROR, VMM_ERROR_INVALID_CONFIG);
  host->entries[2].ebx &= ~0x20u;
  g_assert_false (vmm_cpu_model_parse ("host", "avx2", (const struct kvm_cpuid2 *) host, &model, &missing));
  g_assert_error (missing, VMM_ERROR, VMM_ERROR_UNSUPPORTED);
  g_assert_false (vmm_cpu_model_parse ("x86-64-v3", NULL, (const struct kvm_cpuid2 *) host, &model, &level));
  g_assert_error (level, VMM_ERROR, VMM_ERROR_UNSUPPORTED);
  g_assert_true (vmm_cpu_model_parse ("x86-64-v2", NULL, (const struct kvm_cpuid2 *) host, &model, NULL));
}

static void
test_hyperv (void)
{
  g_autofree Table *host = make_host (), *offered = make_host ();
  g_autofree struct kvm_cpuid2 *cpuid = NULL;
  VmmCpuModel model = { .hyperv = TRUE };
  const struct kvm_cpuid_entry2 *first;

  offered->entries[0].function = 0x40000003;
  offered->entries[0].eax = 0xffffffff;
  offered->entries[1].function = 0x40000004;
  cpuid = vmm_cpuid_make ((const struct kvm_cpuid2 *) host, (const struct kvm_cpuid2 *) offered, &model, 0, 1);
  first = find (cpuid, 0x40000000, 0);
  g_assert_cmphex (first->eax, ==, 0x40000005);
  g_assert_cmpmem (&first->ebx, 4, "Micr", 4);
  g_assert_cmpmem (&first->ecx, 4, "osof", 4);
  g_assert_cmpmem (&first->edx, 4, "t Hv", 4);
  g_assert_cmphex (entry (cpuid, 0x40000001, 0).eax, ==, 0x31237648);
  g_assert_cmphex (entry (cpuid, 0x40000003, 0).eax & 0x0c, ==, 0); /* no synthetic interrupts in this model */
  g_assert_cmphex (entry (cpuid, 0x40000003, 0).eax & 0x0a73, ==, 0x0a73);
  g_assert_cmphex (entry (cpuid, 0x40000100, 0).eax, ==, 0x40000101); /* KVM's leaves moved */
  g_assert_cmphex (entry (cpuid, 0x40000101, 0).eax, ==, 0x0100007b);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cpuid/x86-64-v2-has-its-level", test_v2);
  g_test_add_func ("/cpuid/x86-64-v3-with-changes", test_v3);
  g_test_add_func ("/cpuid/host-with-changes", test_host_with_changes);
  g_test_add_func ("/cpuid/what-is-not-there-is-refused", test_refusals);
  g_test_add_func ("/cpuid/hyperv-takes-the-first-leaves", test_hyperv);
  return g_test_run ();
}
