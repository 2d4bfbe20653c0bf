/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The q35 host bridge (MCH), 00:00.0: PAM and PCIEXBAR.
 * Spec: Intel 3 Series Express Chipset datasheet (316966) §5.1.13 (PCIEXBAR), §5.1.16-22 (PAM0-6). Left out: SMRAM and TSEG (no SMM:
 * 9D and 9E read 0), the memory controller's registers (scratch), PCI Express graphics.
 *
 * Theory of operation: PAM says for 13 segments of C0000-FFFFF whether reads and writes go to RAM or to the ROM behind. KVM has no
 * write-only or split mappings, so each segment is one of: nothing (accesses exit), the BIOS ROM, RAM read-only (writes exit to nobody),
 * RAM. After a change equal neighbours are joined and slots that stay as they are, stay; the rest is replaced in one go. Firmware depends
 * on it: it copies itself from the ROM at the top of 4 GiB to the RAM below 1 MiB. */
#include "chipset/mch.h"

#include "core/machine.h"
#include "pci/pci.h"

#include <string.h>

#define MCH_DEVFN VMM_PCI_DEVFN (0, 0)
#define MCH_PCIEXBAR 0x60
#define MCH_PCIEXBAR_ENABLE 1
#define MCH_PCIEXBAR_DEFAULT 0xb0000000u
#define MCH_PAM0 0x90
#define MCH_N_PAM 7
#define MCH_PAM_READ 1
#define MCH_PAM_WRITE 2
#define MCH_SMRAM 0x9d
#define MCH_ESMRAMC 0x9e

#define MCH_SHADOW 0xc0000u
#define MCH_BIOS_ALIAS 0xe0000u
#define MCH_F_SEGMENT 0xf0000u
#define MCH_1M 0x100000u
#define MCH_SEGMENT 0x4000u
#define MCH_N_SEGMENTS 13 /* 12 of 16 KiB, then F0000 with 64 KiB */

typedef enum { MCH_NOTHING, MCH_ROM, MCH_RAM_READONLY, MCH_RAM } MchView;

typedef struct {
  MchView view;
  guint32 gpa, size;
  VmmSlot *slot;
} MchRun;

typedef struct {
  VmmPciDevice pci;
  MchRun runs[MCH_N_SEGMENTS];
  guint n_runs;
  VmmRam *bios; /* (nullable) (not owned) */
} Mch;

static MchView
mch_segment_view (const Mch *mch, guint segment)
{
  const guint8 *pam = mch->pci.pci.config + MCH_PAM0;
  guint bits = segment == MCH_N_SEGMENTS - 1 ? pam[0] >> 4 : pam[1 + segment / 2] >> (segment % 2 * 4);
  guint32 gpa = MCH_SHADOW + segment * MCH_SEGMENT;

  /* Write-only is shown as RAM: nobody uses it, and KVM cannot have it. */
  if ((bits & MCH_PAM_WRITE) != 0)
    return MCH_RAM;
  if ((bits & MCH_PAM_READ) != 0)
    return MCH_RAM_READONLY;
  return mch->bios != NULL && gpa >= MCH_1M - MIN (mch->bios->size, MCH_1M - MCH_BIOS_ALIAS) ? MCH_ROM : MCH_NOTHING;
}

static guint
mch_find_runs (const Mch *mch, MchRun *runs)
{
  guint n = 0;

  for (guint segment = 0; segment < MCH_N_SEGMENTS; segment++)
    {
      MchView view = mch_segment_view (mch, segment);
      guint32 size = segment == MCH_N_SEGMENTS - 1 ? MCH_1M - MCH_F_SEGMENT : MCH_SEGMENT;

      if (n > 0 && runs[n - 1].view == view)
        runs[n - 1].size += size;
      else
        runs[n++] = (MchRun) { .view = view, .gpa = MCH_SHADOW + segment * MCH_SEGMENT, .size = size };
    }
  return n;
}

static VmmSlot *
mch_show_run (Mch *mch, VmmMemory *memory, const MchRun *run)
{
  switch (run->view)
    {
    case MCH_ROM:
      return vmm_memory_add_slot (memory, mch->bios, mch->bios->size - (MCH_1M - run->gpa), run->gpa, run->size, VMM_SLOT_READONLY);
    case MCH_RAM_READONLY:
      return vmm_memory_add_slot (memory, vmm_memory_get_ram (memory), run->gpa, run->gpa, run->size, VMM_SLOT_READONLY);
    case MCH_RAM:
      return vmm_memory_add_slot (memory, vmm_memory_get_ram (memory), run->gpa, run->gpa, run->size, VMM_SLOT_RW);
    case MCH_NOTHING:
    default:
      return NULL;
    }
}

static void
mch_set_runs (Mch *mch, const MchRun *runs, guint n)
{
  VmmMemory *memory = vmm_device_get_memory (&mch->pci.base);
  MchRun next[MCH_N_SEGMENTS];
  gboolean same = n == mch->n_runs;

  if (n > 0)
    memcpy (next, runs, n * sizeof *runs);
  for (guint i = 0; same && i < n; i++)
    same = runs[i].view == mch->runs[i].view && runs[i].gpa == mch->runs[i].gpa && runs[i].size == mch->runs[i].size;
  if (same)
    return;
  vmm_memory_begin (memory);
  for (guint i = 0; i < mch->n_runs; i++)
    {
      gboolean kept = FALSE;

      for (guint j = 0; j < n && !kept; j++)
        if (mch->runs[i].view == next[j].view && mch->runs[i].gpa == next[j].gpa && mch->runs[i].size == next[j].size)
          {
            next[j].slot = mch->runs[i].slot;
            kept = TRUE;
          }
      if (!kept && mch->runs[i].slot != NULL)
        vmm_memory_remove_slot (memory, mch->runs[i].slot);
    }
  for (guint j = 0; j < n; j++)
    if (next[j].slot == NULL)
      next[j].slot = mch_show_run (mch, memory, &next[j]);
  vmm_memory_commit (memory);
  if (n > 0)
    memcpy (mch->runs, next, n * sizeof *next);
  mch->n_runs = n;
}

static void
mch_update_shadow (Mch *mch)
{
  MchRun runs[MCH_N_SEGMENTS];
  guint n = mch_find_runs (mch, runs);

  mch_set_runs (mch, runs, n);
}

void
vmm_mch_set_bios (VmmDevice *dev, VmmRam *bios)
{
  Mch *mch = (Mch *) dev;

  g_assert (bios == NULL || (bios->size >= MCH_1M - MCH_F_SEGMENT && bios->size % MCH_SEGMENT == 0));
  vmm_device_lock (dev);
  if (mch->bios != bios)
    {
      mch_set_runs (mch, NULL, 0); /* equal runs must not keep the old ROM's slots */
      mch->bios = bios;
      mch_update_shadow (mch);
    }
  vmm_device_unlock (dev);
}

static void
mch_update_ecam (Mch *mch)
{
  static const guint64 sizes[4] = { 256 << 20, 128 << 20, 64 << 20, 0 /* reserved */ };
  guint64 value, size;

  memcpy (&value, mch->pci.pci.config + MCH_PCIEXBAR, sizeof value);
  value = GUINT64_FROM_LE (value);
  size = (value & MCH_PCIEXBAR_ENABLE) != 0 ? sizes[value >> 1 & 3] : 0;
  vmm_pci_bus_set_ecam (vmm_device_get_pci_bus (&mch->pci.base),
                        size != 0 ? value & G_GUINT64_CONSTANT (0xfffffffff) & ~(size - 1) : 0, size);
}

static void
mch_config_written (VmmPciDevice *pci, guint offset, guint size)
{
  Mch *mch = (Mch *) pci;

  if (offset < MCH_PCIEXBAR + 8 && offset + size > MCH_PCIEXBAR)
    mch_update_ecam (mch);
  if (offset < MCH_PAM0 + MCH_N_PAM && offset + size > MCH_PAM0)
    mch_update_shadow (mch);
}

static void
mch_reset (VmmDevice *dev, VmmResetKind kind)
{
  Mch *mch = (Mch *) dev;
  guint32 pciexbar = GUINT32_TO_LE (MCH_PCIEXBAR_DEFAULT);

  vmm_pci_device_reset (&mch->pci);
  memcpy (mch->pci.pci.config + MCH_PCIEXBAR, &pciexbar, sizeof pciexbar);
  mch_update_ecam (mch);
  mch_update_shadow (mch);
}

static gboolean
mch_post_load (VmmDevice *dev, GError **error)
{
  Mch *mch = (Mch *) dev;

  vmm_pci_device_post_load (&mch->pci);
  mch_update_ecam (mch);
  mch_update_shadow (mch);
  return TRUE;
}

static gboolean
mch_realize (VmmDevice *dev, GError **error)
{
  static const VmmPciId id = { .vendor = 0x8086, .device = 0x29c0, .class_code = 0x060000 };
  Mch *mch = (Mch *) dev;
  guint8 *wmask = mch->pci.wmask;

  if (vmm_memory_get_low_size (vmm_device_get_memory (dev)) < MCH_1M)
    {
      g_set_error_literal (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "memory: less than 1 MiB");
      return FALSE;
    }
  if (!vmm_pci_device_init (&mch->pci, MCH_DEVFN, &id, error))
    return FALSE;
  memset (wmask + 0x40, 0xff, VMM_PCI_CONFIG_SIZE - 0x40); /* scratch, but for: */
  memset (wmask + MCH_PCIEXBAR, 0, 8);
  wmask[MCH_PCIEXBAR] = 0x07;
  wmask[MCH_PCIEXBAR + 3] = 0xfc;
  wmask[MCH_PCIEXBAR + 4] = 0x0f;
  wmask[MCH_PAM0] = (MCH_PAM_READ | MCH_PAM_WRITE) << 4;
  memset (wmask + MCH_PAM0 + 1, (MCH_PAM_READ | MCH_PAM_WRITE) << 4 | MCH_PAM_READ | MCH_PAM_WRITE, MCH_N_PAM - 1);
  wmask[MCH_SMRAM] = 0;
  wmask[MCH_ESMRAMC] = 0;
  mch->pci.config_written = mch_config_written;
  return TRUE;
}

static void
mch_unrealize (VmmDevice *dev)
{
  Mch *mch = (Mch *) dev;

  mch_set_runs (mch, NULL, 0);
  vmm_pci_bus_set_ecam (vmm_device_get_pci_bus (dev), 0, 0);
  vmm_pci_device_clear (&mch->pci);
}

const VmmDeviceClass vmm_mch_class = {
  .name = "mch",
  .summary = N_ ("Host bridge"),
  .bus = VMM_DEVICE_PCI,
  .instance_size = sizeof (Mch),
  .regs_offset = G_STRUCT_OFFSET (VmmPciDevice, pci),
  .regs_size = sizeof (VmmPciRegs),
  .regs_fields = vmm_pci_regs_fields,
  .state_version = 1,
  .realize = mch_realize,
  .reset = mch_reset,
  .unrealize = mch_unrealize,
  .post_load = mch_post_load,
};
