/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/boot-info.h"

#include <string.h>

guint32
vmm_boot_info_add_string (GByteArray *info, const char *first, const char *second)
{
  g_autofree char *text = g_strconcat (first, *first != '\0' && *second != '\0' ? " " : "", second, NULL);
  guint32 address = ROM_INFO + info->len;

  g_byte_array_append (info, (const guint8 *) text, (guint) strlen (text) + 1);
  return address;
}

gboolean
vmm_boot_info_finish (GByteArray *info, VmmBootPlan *plan, GError **error)
{
  g_autoptr (GBytes) bytes = g_byte_array_free_to_bytes (info);

  if (g_bytes_get_size (bytes) > ROM_INFO_MAX)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG,
                   "command line and module arguments are longer than %d characters together", ROM_INFO_MAX);
      return FALSE;
    }
  plan->info_len = (guint32) g_bytes_get_size (bytes);
  vmm_boot_plan_add_bytes (plan, g_steal_pointer (&bytes), ROM_INFO);
  return TRUE;
}
