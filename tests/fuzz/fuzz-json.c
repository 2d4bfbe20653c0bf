/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Firmware descriptors: any text is either a tree or an error. */
#include "firmware/json.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VmmJson) json = vmm_json_parse ((const char *) data, size, &error);

  g_assert ((json == NULL) == (error != NULL));
  vmm_json_has_string (vmm_json_get_member (json, "interface-types"), "bios");
  vmm_json_get_string (vmm_json_get_member (vmm_json_get_element (vmm_json_get_member (json, "targets"), 0), "architecture"));
  return 0;
}
