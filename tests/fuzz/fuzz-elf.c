/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ELF images by Multiboot and PVH: any bytes are either a plan whose parts lie in file and memory, or an error. The first byte chooses what goes with
 * the kernel. */
#include "firmware/boot-plan.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define MEMORY_END (63u << 20)

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  const VmmBootModule modules[] = { { "initrd", 4097 }, { "module a b", 70 << 20 }, { "module", 1 } };
  g_autoptr (VmmBootPlan) plan = NULL;
  g_autoptr (GError) error = NULL;
  VmmBootRequest request = { .name = "kernel", .cmdline = "vga=791 quiet", .modules = modules, .memory_end = MEMORY_END };

  if (size == 0 || size > 65536)
    return 0;
  request.n_modules = data[0] % (G_N_ELEMENTS (modules) + 1);
  request.kernel = data + 1;
  request.kernel_len = size - 1;
  plan = vmm_boot_plan_new (&request, &error);
  g_assert ((plan == NULL) == (error != NULL));
  for (guint i = 0; plan != NULL && i < plan->pieces->len; i++)
    {
      const VmmBootPiece *piece = &g_array_index (plan->pieces, VmmBootPiece, i);

      g_assert ((guint64) piece->address + piece->memory_len <= MEMORY_END);
      g_assert (piece->len <= piece->memory_len);
      if (piece->source == VMM_BOOT_FROM_KERNEL)
        g_assert (piece->offset + piece->len <= request.kernel_len);
    }
  return 0;
}
