/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ELF kernels by Xen's PVH entry (Linux' vmlinux, FreeBSD, Xen). The ROM adds the memory map and where ACPI's RSDP is. */
#include "firmware/boot-info.h"

#include <string.h>

#define PVH_MAGIC 0x336ec578
#define PVH_PAGE 4096

typedef struct {
  guint32 magic, version, flags, n_modules;
  guint64 modules, cmdline, rsdp, memmap;
  guint32 n_memmap, reserved;
} PvhInfo;
G_STATIC_ASSERT (sizeof (PvhInfo) == 56);

typedef struct {
  guint64 address, size, cmdline, reserved;
} PvhModule;
G_STATIC_ASSERT (sizeof (PvhModule) == 32);

/* @starts: where the modules lie */
static GByteArray *
pvh_make_info (const VmmBootRequest *request, const guint32 *starts)
{
  GByteArray *bytes = g_byte_array_new ();
  PvhInfo info = { .magic = GUINT32_TO_LE (PVH_MAGIC),
                   .version = GUINT32_TO_LE (1),
                   .n_modules = GUINT32_TO_LE (request->n_modules) };
  guint modules = sizeof info;

  g_byte_array_set_size (bytes, modules + request->n_modules * (guint) sizeof (PvhModule));
  for (guint i = 0; i < request->n_modules; i++)
    {
      PvhModule module = { .address = GUINT64_TO_LE ((guint64) starts[i]), .size = GUINT64_TO_LE (request->modules[i].size) };

      module.cmdline = GUINT64_TO_LE ((guint64) vmm_boot_info_add_string (bytes, request->modules[i].text, ""));
      memcpy (bytes->data + modules + i * sizeof module, &module, sizeof module);
    }
  info.modules = GUINT64_TO_LE ((guint64) (request->n_modules > 0 ? ROM_INFO + modules : 0));
  info.cmdline = GUINT64_TO_LE ((guint64) vmm_boot_info_add_string (bytes, request->cmdline, ""));
  memcpy (bytes->data, &info, sizeof info);
  return bytes;
}

/* Modules lie at the end of memory: Linux takes what follows its image for its own first needs. */
gboolean
vmm_pvh_plan (VmmBootPlan *plan, const VmmBootRequest *request, const VmmElf *elf, GError **error)
{
  guint64 address = request->memory_end, bottom;
  g_autofree guint32 *starts = g_new0 (guint32, request->n_modules + 1);

  plan->kind = ROM_KIND_PVH;
  if (elf->pvh_entry > G_MAXUINT32)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_CORRUPT, "has its PVH entry above 4 GiB");
      return FALSE;
    }
  plan->entry = (guint32) elf->pvh_entry;
  if (!vmm_elf_plan_segments (plan, request, elf, error))
    return FALSE;
  bottom = vmm_boot_plan_get_end (plan);
  for (guint i = 0; i < request->n_modules; i++)
    {
      guint64 size = request->modules[i].size;

      if (size > address || ((address - size) & ~(guint64) (PVH_PAGE - 1)) < bottom)
        {
          g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG,
                       "does not fit into memory together with %s: give the machine more memory", request->modules[i].text);
          return FALSE;
        }
      address = (address - size) & ~(guint64) (PVH_PAGE - 1);
      starts[i] = (guint32) address;
      if (!vmm_boot_plan_add_module (plan, request, i, address, error))
        return FALSE;
    }
  return vmm_boot_info_finish (pvh_make_info (request, starts), plan, error);
}
