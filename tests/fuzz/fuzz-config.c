/* SPDX-License-Identifier: GPL-3.0-or-later */
/* machine.conf: any text is either a configuration or an error. */
#include "vmm.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autoptr (VmmConfig) config = NULL;
  g_autoptr (GError) error = NULL;

  if (size == 0 || size > 65536 || !g_key_file_load_from_data (file, (const char *) data, size, G_KEY_FILE_NONE, NULL))
    return 0;
  config = vmm_config_new (file, "/nonexistent", &error);
  g_assert ((config == NULL) == (error != NULL));
  return 0;
}
