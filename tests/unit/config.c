/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/config.h"
#include "core/device.h"

static VmmConfig *
load (const char *text, GError **error)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();

  g_assert_true (g_key_file_load_from_data (file, text, strlen (text), G_KEY_FILE_NONE, NULL));
  return vmm_config_new (file, "/bundle", error);
}

static void
test_defaults (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VmmConfig) config = load ("[machine]\nname=x\n", &error);

  g_assert_no_error (error);
  g_assert_cmpuint (vmm_config_get_machine_int (config, "cpus"), ==, 1);
  g_assert_cmpstr (vmm_config_get_machine (config, "firmware"), ==, "bios");
  g_assert_false (vmm_config_has_kernel (config));
}

static void
test_paths (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VmmConfig) config = load ("[kernel]\nkernel=vmlinuz\ninitrd=/boot/initrd\n", &error);
  g_autofree char *kernel = NULL, *initrd = NULL;

  g_assert_no_error (error);
  kernel = vmm_config_dup_kernel_path (config, "kernel");
  initrd = vmm_config_dup_kernel_path (config, "initrd");
  g_assert_cmpstr (kernel, ==, "/bundle/vmlinuz");
  g_assert_cmpstr (initrd, ==, "/boot/initrd");
}

static void
test_refused (gconstpointer data)
{
  const char *const *parts = data; /* text, what the message must name */
  g_autoptr (GError) error = NULL;
  g_autoptr (VmmConfig) config = load (parts[0], &error);

  g_assert_null (config);
  g_assert_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG);
  for (guint i = 1; parts[i] != NULL; i++)
    g_assert_nonnull (strstr (error->message, parts[i]));
}

static void
test_app_groups (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VmmConfig) config = load ("[machine]\n[window]\nanything=1\n[app-history]\nx=y\n", &error);

  g_assert_no_error (error);
}

static const struct {
  const char *path;
  const char *parts[5];
} refused[] = {
  { "unknown-key", { "[machine]\nmemroy=1\n", "machine", "memroy" } },
  { "unknown-group", { "[disk]\nimage=x\n", "disk", "class" } },
  { "unknown-class", { "[disk0]\nclass=floppotron\n", "disk0", "floppotron" } },
  { "board-device", { "[x]\nclass=mch\n", "mch" } },
  { "zero-processors", { "[machine]\ncpus=0\n", "cpus", "1 to 64" } },
  { "absurd-memory", { "[machine]\nmemory=99999999999999999999\n", "memory" } },
  { "negative-memory", { "[machine]\nmemory=-5\n", "memory" } },
  { "not-a-number", { "[machine]\ncpus=four\n", "cpus", "four" } },
  { "bad-choice", { "[machine]\nfirmware=coreboot\n", "firmware", "coreboot", "bios" } },
  { "bad-bool", { "[machine]\nboot-menu=maybe\n", "boot-menu", "maybe" } },
  { "kernel-missing", { "[kernel]\nappend=quiet\n", "kernel", "missing" } },
};

/* Every class describes its saved state whole, and its settings' defaults obey their own rules. */
static void
test_classes (void)
{
  for (guint i = 0; vmm_device_classes[i] != NULL; i++)
    {
      const VmmDeviceClass *class = vmm_device_classes[i];
      gsize gap = 0;

      if (!vmm_fields_covers (class->regs_fields, class->regs_size, &gap))
        g_error ("%s: byte %" G_GSIZE_FORMAT " of its registers is in no field", class->name, gap);
      g_assert_cmpuint (class->regs_offset + class->regs_size, <=, class->instance_size);
      for (const VmmSetting *setting = class->settings; setting != NULL && setting->key != NULL; setting++)
        {
          g_autoptr (GError) error = NULL;

          g_assert_nonnull (setting->summary);
          if (setting->fallback != NULL)
            vmm_setting_check (setting, setting->fallback, &error);
          g_assert_no_error (error);
        }
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/config/defaults-are-filled-in", test_defaults);
  g_test_add_func ("/config/relative-paths-start-at-the-bundle", test_paths);
  g_test_add_func ("/config/groups-of-the-layers-above-are-left-alone", test_app_groups);
  for (guint i = 0; i < G_N_ELEMENTS (refused); i++)
    {
      g_autofree char *path = g_strconcat ("/config/refused/", refused[i].path, NULL);

      g_test_add_data_func (path, refused[i].parts, test_refused);
    }
  g_test_add_func ("/registry/every-class-describes-itself-whole", test_classes);
  return g_test_run ();
}
