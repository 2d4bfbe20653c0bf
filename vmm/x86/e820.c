/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The memory map and the plain numbers for the firmware. Spec: ACPI 6.5 §15 (e820 types); fw_cfg keys as QEMU defines them. */
#include "chipset/fw-cfg.h"
#include "core/machine.h"
#include "core/memory.h"
#include "x86/cpuid.h"
#include "x86/tables.h"

#include <string.h>

#define E820_RAM 1
#define E820_RESERVED 2
#define E820_HIGH_START G_GUINT64_CONSTANT (0x100000000)
/* The identity-map page and the three TSS pages that KVM uses on Intel processors (kvm.c puts them there). */
#define E820_KVM_PAGES 0xfeffc000u
#define E820_KVM_PAGES_SIZE 0x4000u
/* Addresses that AMD processors keep for HyperTransport. */
#define E820_HT_HOLE G_GUINT64_CONSTANT (0xfd00000000)
#define E820_HT_HOLE_SIZE G_GUINT64_CONSTANT (0x300000000)

#define FWK_RAM_SIZE 0x0003
#define FWK_NOGRAPHIC 0x0004
#define FWK_NB_CPUS 0x0005
#define FWK_NUMA 0x000d
#define FWK_BOOT_MENU 0x000e
#define FWK_MAX_CPUS 0x000f
#define FWK_ACPI_TABLES 0x8000
#define FWK_SMBIOS_ENTRIES 0x8001
#define FWK_IRQ0_OVERRIDE 0x8002

typedef struct {
  guint64 base, size;
  guint32 type;
} __attribute__ ((packed)) E820Entry;
G_STATIC_ASSERT (sizeof (E820Entry) == 20);

static void
e820_add (GByteArray *map, guint64 base, guint64 size, guint32 type)
{
  E820Entry entry = { GUINT64_TO_LE (base), GUINT64_TO_LE (size), GUINT32_TO_LE (type) };

  if (size > 0)
    g_byte_array_append (map, (const guint8 *) &entry, sizeof entry);
}

void
vmm_e820_install (VmmMachine *machine)
{
  GByteArray *map = g_byte_array_new ();
  g_autoptr (GBytes) bytes = NULL;

  e820_add (map, 0, vmm_memory_get_low_size (machine->memory), E820_RAM);
  e820_add (map, E820_HIGH_START, vmm_memory_get_high_size (machine->memory), E820_RAM);
  e820_add (map, E820_KVM_PAGES, E820_KVM_PAGES_SIZE, E820_RESERVED);
  if (vmm_cpuid_is_amd ())
    e820_add (map, E820_HT_HOLE, E820_HT_HOLE_SIZE, E820_RESERVED);
  bytes = g_byte_array_free_to_bytes (map);
  vmm_fw_cfg_add_file (machine->fw_cfg, "etc/e820", bytes);
}

void
vmm_items_install (VmmMachine *machine, gboolean boot_menu)
{
  /* One byte a sleep state: bit 7 exists, low bits its SLP_TYP (x86/dsdt.asl, chipset/pm.c). S0 and S5. */
  static const guint8 sleep_states[6] = { 0x80, 0, 0, 0, 0, 0x80 };
  static const guint8 irq0_override = 1; /* the MADT maps ISA interrupt 0 to pin 2 */
  VmmFwCfg *fw_cfg = machine->fw_cfg;
  g_autofree guint64 *numa = g_new0 (guint64, 1 + machine->n_vcpus); /* no nodes */
  g_autoptr (GBytes) states = g_bytes_new_static (sleep_states, sizeof sleep_states);

  vmm_fw_cfg_set_u64 (fw_cfg, FWK_RAM_SIZE, machine->ram_bytes);
  vmm_fw_cfg_set_u16 (fw_cfg, FWK_NOGRAPHIC, 0);
  vmm_fw_cfg_set_u16 (fw_cfg, FWK_NB_CPUS, (guint16) machine->n_vcpus);
  vmm_fw_cfg_set_u16 (fw_cfg, FWK_MAX_CPUS, (guint16) machine->n_vcpus);
  vmm_fw_cfg_set_item (fw_cfg, FWK_NUMA, numa, (1 + machine->n_vcpus) * sizeof *numa);
  vmm_fw_cfg_set_u16 (fw_cfg, FWK_BOOT_MENU, boot_menu ? 1 : 0);
  vmm_fw_cfg_set_u16 (fw_cfg, FWK_ACPI_TABLES, 0);
  vmm_fw_cfg_set_u16 (fw_cfg, FWK_SMBIOS_ENTRIES, 0);
  vmm_fw_cfg_set_item (fw_cfg, FWK_IRQ0_OVERRIDE, &irq0_override, sizeof irq0_override);
  vmm_fw_cfg_add_file (fw_cfg, "etc/system-states", states);
}
