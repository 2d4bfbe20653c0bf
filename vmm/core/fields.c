/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/fields.h"

gboolean
vmm_fields_covers (const VmmField *fields, gsize size, gsize *ret_gap)
{
  g_autofree guint8 *seen = g_malloc0 (size + 1);
  gsize gap = 0;

  for (const VmmField *field = fields; field != NULL && field->name != NULL; field++)
    {
      gsize len = field->element_size * field->count;

      if (field->offset > size || len > size - field->offset)
        {
          *ret_gap = field->offset;
          return FALSE;
        }
      memset (seen + field->offset, 1, len);
    }

  for (gsize i = 0; i < size; i++)
    {
      gap = seen[i] ? 0 : gap + 1;
      if (gap > 7)
        {
          *ret_gap = i + 1 - gap;
          return FALSE;
        }
    }
  return TRUE;
}
