/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Kernels with a Multiboot 1 header. The ROM adds the memory map, which only the firmware knows.
 * Left out on purpose: a video mode (bit 2 is a wish; the screen stays in text mode), symbols, drives, APM. */
#include "firmware/boot-info.h"

#include <string.h>

#define MBOOT_MAGIC 0x1badb002
#define MBOOT_SEARCH 8192
#define MBOOT_REQUIRED 0xffff /* bits that a loader must know */
#define MBOOT_ALIGN_MODULES (1 << 0)
#define MBOOT_WANT_MEMORY (1 << 1)
#define MBOOT_WANT_VIDEO (1 << 2)
#define MBOOT_HAS_ADDRESSES (1 << 16)

#define MBOOT_INFO_CMDLINE (1 << 2)
#define MBOOT_INFO_MODULES (1 << 3)
#define MBOOT_INFO_LOADER_NAME (1 << 9)

#define MBOOT_PAGE 4096

typedef struct {
  guint32 magic, flags, checksum;
  guint32 header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
} MbootHeader;

typedef struct {
  guint32 flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
  guint32 syms[4];
  guint32 mmap_length, mmap_addr, drives_length, drives_addr, config_table, boot_loader_name, apm_table;
  guint32 video[12];
} MbootInfo;
G_STATIC_ASSERT (sizeof (MbootInfo) == 120);

typedef struct {
  guint32 start, end, string, reserved;
} MbootModule;

gssize
vmm_multiboot_find_header (const guint8 *data, gsize len)
{
  gsize end = MIN (len, MBOOT_SEARCH);

  for (gsize at = 0; at + 12 <= end; at += 4)
    {
      guint32 words[3];

      memcpy (words, data + at, sizeof words);
      if (GUINT32_FROM_LE (words[0]) == MBOOT_MAGIC
          && (guint32) (GUINT32_FROM_LE (words[0]) + GUINT32_FROM_LE (words[1]) + GUINT32_FROM_LE (words[2])) == 0)
        return (gssize) at;
    }
  return -1;
}

static gboolean
mboot_plan_by_addresses (VmmBootPlan *plan, const VmmBootRequest *request, gsize at, const MbootHeader *header, GError **error)
{
  guint64 load = GUINT32_FROM_LE (header->load_addr), load_end = GUINT32_FROM_LE (header->load_end_addr);
  guint64 bss_end = GUINT32_FROM_LE (header->bss_end_addr), header_address = GUINT32_FROM_LE (header->header_addr);
  guint64 offset, len;

  if (header_address < load || header_address - load > at || (load_end != 0 && load_end < load))
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_CORRUPT, "has a Multiboot header with addresses that make no sense");
      return FALSE;
    }
  offset = at - (header_address - load);
  len = load_end != 0 ? load_end - load : request->kernel_len - offset;
  plan->entry = GUINT32_FROM_LE (header->entry_addr);
  return vmm_boot_plan_add_kernel (plan, request, offset, len, load, bss_end > load + len ? bss_end - load : len, error);
}

static gboolean
mboot_plan_elf (VmmBootPlan *plan, const VmmBootRequest *request, GError **error)
{
  VmmElf elf;
  guint64 entry;

  if (!vmm_elf_is_image (request->kernel, request->kernel_len))
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_CORRUPT, "has a Multiboot header without addresses and is no ELF image");
      return FALSE;
    }
  if (!vmm_elf_parse (request->kernel, request->kernel_len, &elf, error))
    return FALSE;
  entry = elf.entry;
  for (guint i = 0; i < elf.n_loads; i++) /* the entry is a virtual address */
    if (elf.entry >= elf.loads[i].virtual_address && elf.entry - elf.loads[i].virtual_address < elf.loads[i].memory_len)
      entry = elf.loads[i].address + (elf.entry - elf.loads[i].virtual_address);
  if (entry > G_MAXUINT32)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED, "has its entry above 4 GiB, where Multiboot cannot go");
      return FALSE;
    }
  plan->entry = (guint32) entry;
  return vmm_elf_plan_segments (plan, request, &elf, error);
}

static void
mboot_put (GByteArray *info, gsize offset, guint32 value)
{
  value = GUINT32_TO_LE (value);
  memcpy (info->data + offset, &value, sizeof value);
}

/* The information, but for what the ROM adds: mem_*, mmap_* and their flags. @starts: where the modules lie */
static GByteArray *
mboot_make_info (const VmmBootRequest *request, const guint32 *starts)
{
  GByteArray *info = g_byte_array_new ();
  guint32 flags = MBOOT_INFO_CMDLINE | MBOOT_INFO_LOADER_NAME | (request->n_modules > 0 ? MBOOT_INFO_MODULES : 0);
  guint modules = sizeof (MbootInfo);

  g_byte_array_set_size (info, modules + request->n_modules * (guint) sizeof (MbootModule));
  memset (info->data, 0, info->len);
  for (guint i = 0; i < request->n_modules; i++)
    {
      guint at = modules + i * (guint) sizeof (MbootModule);

      mboot_put (info, at + G_STRUCT_OFFSET (MbootModule, start), starts[i]);
      mboot_put (info, at + G_STRUCT_OFFSET (MbootModule, end), starts[i] + (guint32) request->modules[i].size);
      mboot_put (info, at + G_STRUCT_OFFSET (MbootModule, string), vmm_boot_info_add_string (info, request->modules[i].text, ""));
    }
  mboot_put (info, G_STRUCT_OFFSET (MbootInfo, flags), flags);
  mboot_put (info, G_STRUCT_OFFSET (MbootInfo, cmdline), vmm_boot_info_add_string (info, request->name, request->cmdline));
  mboot_put (info, G_STRUCT_OFFSET (MbootInfo, boot_loader_name), vmm_boot_info_add_string (info, "Lodge", ""));
  mboot_put (info, G_STRUCT_OFFSET (MbootInfo, mods_count), request->n_modules);
  mboot_put (info, G_STRUCT_OFFSET (MbootInfo, mods_addr), request->n_modules > 0 ? ROM_INFO + modules : 0);
  return info;
}

gboolean
vmm_multiboot_plan (VmmBootPlan *plan, const VmmBootRequest *request, gsize at, GError **error)
{
  MbootHeader header = { 0 };
  guint32 flags;
  guint64 address;
  g_autofree guint32 *starts = g_new0 (guint32, request->n_modules + 1);

  memcpy (&header, request->kernel + at, MIN (sizeof header, request->kernel_len - at));
  flags = GUINT32_FROM_LE (header.flags);
  if (flags & MBOOT_REQUIRED & ~(guint32) (MBOOT_ALIGN_MODULES | MBOOT_WANT_MEMORY | MBOOT_WANT_VIDEO))
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED, "wants of its Multiboot loader what ours does not have (flags %08x)",
                   flags);
      return FALSE;
    }
  plan->kind = ROM_KIND_MULTIBOOT;
  if (flags & MBOOT_HAS_ADDRESSES)
    {
      if (request->kernel_len - at < sizeof header)
        {
          g_set_error (error, VMM_ERROR, VMM_ERROR_CORRUPT, "is truncated in its Multiboot header");
          return FALSE;
        }
      if (!mboot_plan_by_addresses (plan, request, at, &header, error))
        return FALSE;
    }
  else if (!mboot_plan_elf (plan, request, error))
    return FALSE;

  address = vmm_boot_plan_get_end (plan);
  for (guint i = 0; i < request->n_modules; i++)
    {
      if (!vmm_boot_plan_add_module (plan, request, i, address, error))
        return FALSE;
      starts[i] = (guint32) address;
      address = (address + request->modules[i].size + MBOOT_PAGE - 1) & ~(guint64) (MBOOT_PAGE - 1);
    }
  return vmm_boot_info_finish (mboot_make_info (request, starts), plan, error);
}
