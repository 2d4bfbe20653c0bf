/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A device's saved state, described once: serves save, load, dump, comparison and fuzzing (state/, to come). Plain data only: no
 * pointers in regs. vmm_fields_covers() is run by a test over every class: fields, holes and padding cover every byte of regs. */
#pragma once

#include "core/types.h"

typedef enum {
  VMM_FIELD_UINT,  /* 1, 2, 4 or 8 bytes, or an array of them */
  VMM_FIELD_BYTES, /* a blob */
  VMM_FIELD_HOLE,  /* not saved; name says why */
} VmmFieldType;

struct _VmmField {
  const char *name;
  VmmFieldType type;
  gsize offset;       /* in regs */
  gsize element_size; /* bytes */
  guint count;        /* elements */
  guint since;        /* state version that brought it */
  guint64 max;        /* greatest valid value; 0: any */
};

#define VMM_FIELD(Struct, member)                                                                                       \
  { .name = #member,                                                                                                    \
    .type = VMM_FIELD_UINT,                                                                                             \
    .offset = G_STRUCT_OFFSET (Struct, member),                                                                         \
    .element_size = sizeof (((Struct *) 0)->member) + 0 * sizeof (char[sizeof (((Struct *) 0)->member) <= 8 ? 1 : -1]), \
    .count = 1,                                                                                                         \
    .since = 1 }
/* As VMM_FIELD; a loaded value above @limit is refused. */
#define VMM_FIELD_MAX(Struct, member, limit)         \
  { .name = #member,                                 \
    .type = VMM_FIELD_UINT,                          \
    .offset = G_STRUCT_OFFSET (Struct, member),      \
    .element_size = sizeof (((Struct *) 0)->member), \
    .count = 1,                                      \
    .since = 1,                                      \
    .max = (limit) }
/* An array of 1-, 2-, 4- or 8-byte integers. */
#define VMM_FIELD_ARRAY(Struct, member)                 \
  { .name = #member,                                    \
    .type = VMM_FIELD_UINT,                             \
    .offset = G_STRUCT_OFFSET (Struct, member),         \
    .element_size = sizeof (((Struct *) 0)->member[0]), \
    .count = G_N_ELEMENTS (((Struct *) 0)->member),     \
    .since = 1 }
/* Bytes, or an array of structs without padding. */
#define VMM_FIELD_BLOB(Struct, member)          \
  { .name = #member,                            \
    .type = VMM_FIELD_BYTES,                    \
    .offset = G_STRUCT_OFFSET (Struct, member), \
    .element_size = 1,                          \
    .count = sizeof (((Struct *) 0)->member),   \
    .since = 1 }
#define VMM_FIELD_NOT_SAVED(Struct, member, reason) \
  { .name = reason,                                 \
    .type = VMM_FIELD_HOLE,                         \
    .offset = G_STRUCT_OFFSET (Struct, member),     \
    .element_size = 1,                              \
    .count = sizeof (((Struct *) 0)->member),       \
    .since = 1 }
#define VMM_FIELD_END { .name = NULL }

/* TRUE if @fields cover @size bytes, leaving out at most 7 bytes of padding in a row; else *@ret_gap is the first byte left out. */
gboolean vmm_fields_covers (const VmmField *fields, gsize size, gsize *ret_gap);
