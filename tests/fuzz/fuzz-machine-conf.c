/* SPDX-License-Identifier: GPL-3.0-or-later */
/* machine.conf as the manager reads it: any text is a bundle whose every value can be asked for, or an error that names the file. */
#include "engine/bundle.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LodgeBundle) bundle = NULL;
  g_auto (GStrv) groups = NULL;

  if (size > 65536)
    return 0;
  bundle = lodge_bundle_new_from_data ("/nonexistent", (const char *) data, size, &error);
  g_assert ((bundle == NULL) == (error != NULL));
  if (bundle == NULL)
    {
      g_assert (error->domain == LODGE_ERROR && strstr (error->message, "/nonexistent/machine.conf") != NULL);
      return 0;
    }
  g_assert (*lodge_bundle_get_name (bundle) != '\0');
  g_assert (g_uuid_string_is_valid (lodge_bundle_get_uuid (bundle)));
  g_assert (lodge_bundle_get_memory_mib (bundle) > 0 && lodge_bundle_get_cpus (bundle) > 0);
  groups = lodge_bundle_dup_groups (bundle);
  for (gsize i = 0; groups[i] != NULL; i++)
    {
      g_auto (GStrv) keys = lodge_bundle_dup_keys (bundle, groups[i]);
      g_autofree char *medium = lodge_bundle_dup_medium (bundle, groups[i]);

      g_assert (medium == NULL || g_path_is_absolute (medium));
      for (gsize j = 0; keys[j] != NULL; j++)
        g_free (lodge_bundle_dup_value (bundle, groups[i], keys[j]));
    }
  return 0;
}
