/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A small reader of JSON (RFC 8259) for firmware descriptors: builds a tree, never writes. Tolerates nothing beyond the RFC; numbers are
 * kept as text. */
#pragma once

#include <glib.h>

typedef struct _VmmJson VmmJson;

/**
 * vmm_json_parse:
 * @len: at most 1 MiB; nesting at most 32
 * Errors: VMM_ERROR_CORRUPT saying where.
 * Returns: (transfer full): the value, or NULL.
 */
VmmJson *vmm_json_parse (const char *text, gsize len, GError **error);
void vmm_json_free (VmmJson *json);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VmmJson, vmm_json_free)

/* (nullable) (transfer none): a member of an object by name (the last of several), an element of an array, the text of a string. All take
 * NULL and a value of another kind, and give NULL or 0 for it. */
const VmmJson *vmm_json_get_member (const VmmJson *json, const char *name);
const VmmJson *vmm_json_get_element (const VmmJson *json, guint index);
guint vmm_json_get_length (const VmmJson *json); /* elements of an array */
const char *vmm_json_get_string (const VmmJson *json);

/* TRUE if @json is an array that holds the string @text. */
gboolean vmm_json_has_string (const VmmJson *json, const char *text);
