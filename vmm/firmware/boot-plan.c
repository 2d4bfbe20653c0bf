/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/boot-plan.h"

#define BPLAN_PAGE 4096
#define BPLAN_MIB G_GUINT64_CONSTANT (0x100000)

static void
bplan_clear_piece (gpointer data)
{
  VmmBootPiece *piece = data;

  g_clear_pointer (&piece->bytes, g_bytes_unref);
}

void
vmm_boot_plan_free (VmmBootPlan *plan)
{
  if (plan == NULL)
    return;
  g_array_unref (plan->pieces);
  g_free (plan);
}

static gboolean
bplan_add (VmmBootPlan *plan, const VmmBootRequest *request, const VmmBootPiece *piece, guint64 address, guint64 memory_len,
           GError **error)
{
  guint64 end = address + memory_len;
  gboolean low = address >= ROM_LOAD_LOW && end <= ROM_LOAD_LOW_END, high = address >= BPLAN_MIB && end <= request->memory_end;
  VmmBootPiece copy = *piece;

  if (end < address || !(low || high))
    {
      if (address >= BPLAN_MIB && end >= address && end <= G_MAXUINT32)
        g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "needs at least %" G_GUINT64_FORMAT " MiB of memory",
                     end / BPLAN_MIB + 2);
      else
        g_set_error (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED,
                     "wants to be loaded at 0x%" G_GINT64_MODIFIER "x, where there is no memory for it", address);
      return FALSE;
    }
  if (plan->pieces->len >= ROM_MAX_PIECES)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED, "has more than %d parts to load", ROM_MAX_PIECES);
      return FALSE;
    }
  copy.address = (guint32) address;
  copy.memory_len = (guint32) memory_len;
  g_array_append_val (plan->pieces, copy);
  return TRUE;
}

gboolean
vmm_boot_plan_add_kernel (VmmBootPlan *plan, const VmmBootRequest *request, guint64 offset, guint64 len, guint64 address,
                          guint64 memory_len, GError **error)
{
  VmmBootPiece piece = { .source = VMM_BOOT_FROM_KERNEL, .offset = offset, .len = (guint32) len };

  if (offset > request->kernel_len || len > request->kernel_len - offset)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_CORRUPT,
                   "is truncated: %" G_GUINT64_FORMAT " bytes at %" G_GUINT64_FORMAT " are wanted of %" G_GSIZE_FORMAT, len, offset,
                   request->kernel_len);
      return FALSE;
    }
  if (memory_len < len || len > G_MAXUINT32)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_CORRUPT, "has a part that is longer in the file than in memory");
      return FALSE;
    }
  return memory_len == 0 || bplan_add (plan, request, &piece, address, memory_len, error);
}

gboolean
vmm_boot_plan_add_module (VmmBootPlan *plan, const VmmBootRequest *request, guint module, guint64 address, GError **error)
{
  guint64 size = request->modules[module].size;
  VmmBootPiece piece = { .source = VMM_BOOT_FROM_MODULE, .module = module, .len = (guint32) size };

  g_assert (module < request->n_modules);
  if (address > G_MAXUINT32 || size > G_MAXUINT32)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "does not fit below 4 GiB together with %s",
                   request->modules[module].text);
      return FALSE;
    }
  if (size > 0 && !bplan_add (plan, request, &piece, address, size, error))
    {
      g_prefix_error (error, "with %s: ", request->modules[module].text);
      return FALSE;
    }
  return TRUE;
}

void
vmm_boot_plan_add_bytes (VmmBootPlan *plan, GBytes *bytes, guint32 address)
{
  VmmBootPiece piece = { .source = VMM_BOOT_FROM_BYTES, .bytes = bytes, .address = address };

  g_assert (plan->pieces->len < ROM_MAX_PIECES + 2);
  piece.len = piece.memory_len = (guint32) g_bytes_get_size (bytes);
  g_array_append_val (plan->pieces, piece);
}

guint64
vmm_boot_plan_get_end (const VmmBootPlan *plan)
{
  guint64 end = BPLAN_MIB;

  for (guint i = 0; i < plan->pieces->len; i++)
    {
      const VmmBootPiece *piece = &g_array_index (plan->pieces, VmmBootPiece, i);

      if (piece->address >= BPLAN_MIB)
        end = MAX (end, (guint64) piece->address + piece->memory_len);
    }
  return (end + BPLAN_PAGE - 1) & ~(guint64) (BPLAN_PAGE - 1);
}

static gboolean
bplan_plan_elf (VmmBootPlan *plan, const VmmBootRequest *request, GError **error)
{
  VmmElf elf;

  if (!vmm_elf_parse (request->kernel, request->kernel_len, &elf, error))
    return FALSE;
  if (!elf.has_pvh)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED, "is an ELF image with neither a Multiboot 1 header nor a PVH entry");
      return FALSE;
    }
  return vmm_pvh_plan (plan, request, &elf, error);
}

VmmBootPlan *
vmm_boot_plan_new (const VmmBootRequest *request, GError **error)
{
  g_autoptr (VmmBootPlan) plan = g_new0 (VmmBootPlan, 1);
  gssize header = vmm_multiboot_find_header (request->kernel, request->kernel_len);
  gboolean ok;

  plan->pieces = g_array_new (FALSE, FALSE, sizeof (VmmBootPiece));
  g_array_set_clear_func (plan->pieces, bplan_clear_piece);
  if (vmm_linux_is_image (request->kernel, request->kernel_len))
    ok = vmm_linux_plan (plan, request, error);
  else if (header >= 0)
    ok = vmm_multiboot_plan (plan, request, (gsize) header, error);
  else if (vmm_elf_is_image (request->kernel, request->kernel_len))
    ok = bplan_plan_elf (plan, request, error);
  else
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED,
                   "is no kernel that can be started: neither a Linux bzImage, nor Multiboot 1, nor ELF with a PVH entry");
      ok = FALSE;
    }
  if (ok && plan->pieces->len > ROM_MAX_PIECES)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED, "has more than %d parts to load", ROM_MAX_PIECES);
      ok = FALSE;
    }
  return ok ? g_steal_pointer (&plan) : NULL;
}
