/* SPDX-License-Identifier: GPL-3.0-or-later */
/* JSON by RFC 8259; descriptors by QEMU's docs/interop/firmware.json. */
#include "firmware/firmware.h"
#include "firmware/json.h"
#include "vmm-error.h"

#include <glib/gstdio.h>
#include <string.h>

static VmmJson *
parse (const char *text, GError **error)
{
  return vmm_json_parse (text, strlen (text), error);
}

static void
test_json (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VmmJson) json = parse (
      " { \"a\" : [ \"x\", 1, -2.5e3, true, false, null, {} ] ,\n\"b\":{\"c\":\"d\"}, \"a2\":\"\\u00e9\\ud83d\\ude00\\\"\\\\\\n\" } ",
      &error);
  const VmmJson *list;

  g_assert_no_error (error);
  list = vmm_json_get_member (json, "a");
  g_assert_cmpuint (vmm_json_get_length (list), ==, 7);
  g_assert_cmpstr (vmm_json_get_string (vmm_json_get_element (list, 0)), ==, "x");
  g_assert_null (vmm_json_get_string (vmm_json_get_element (list, 1)));
  g_assert_null (vmm_json_get_element (list, 7));
  g_assert_true (vmm_json_has_string (list, "x"));
  g_assert_false (vmm_json_has_string (list, "y"));
  g_assert_cmpstr (vmm_json_get_string (vmm_json_get_member (vmm_json_get_member (json, "b"), "c")), ==, "d");
  g_assert_cmpstr (vmm_json_get_string (vmm_json_get_member (json, "a2")), ==, "\xc3\xa9\xf0\x9f\x98\x80\"\\\n");
  g_assert_null (vmm_json_get_member (list, "a"));
  g_assert_null (vmm_json_get_member (NULL, "a"));
}

static void
test_json_refused (void)
{
  static const char *const wrong[] = {
    "",
    " ",
    "{",
    "[",
    "\"",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "[1,]",
    "[1 2]",
    "nul",
    "yes",
    "01",
    "1.",
    "+1",
    "-",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\ud800\"",
    "\"\\ud800\\u0041\"",
    "\"\\udc00\"",
    "\"a\nb\"",
    "\"\xff\"",
    "[1] 2",
    "{1:2}",
    "'a'",
    "// x\n1",
  };
  g_autofree char *deep = g_strnfill (100000, '[');
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      g_autoptr (GError) each = NULL;

      g_assert_null (parse (wrong[i], &each));
      g_assert_error (each, VMM_ERROR, VMM_ERROR_CORRUPT);
    }
  g_assert_null (parse (deep, &error));
  g_assert_error (error, VMM_ERROR, VMM_ERROR_CORRUPT);
}

static void
write_file (const char *dir, const char *name, const char *content)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);
  g_autofree char *parent = g_path_get_dirname (path);

  g_assert_cmpint (g_mkdir_with_parents (parent, 0700), ==, 0);
  g_assert_true (g_file_set_contents (path, content, -1, NULL));
}

static void
remove_files (const char *dir, const char *const *names)
{
  for (; *names != NULL; names++)
    {
      g_autofree char *path = g_str_equal (*names, ".") ? g_strdup (dir) : g_build_filename (dir, *names, NULL);

      g_assert_cmpint (g_remove (path), ==, 0);
    }
}

/* In a process of its own: the environment and the user's directories are read once. */
static void
test_descriptor_wins (void)
{
  if (g_test_subprocess ())
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *found = NULL;

      g_log_set_always_fatal (G_LOG_FATAL_MASK); /* the broken one is warned of */
      found = vmm_firmware_find_bios (&error);
      g_assert_no_error (error);
      g_print ("%s\n", found);
      return;
    }
  {
    g_autofree char *dir = g_dir_make_tmp ("lodge-test-XXXXXX", NULL);
    g_autofree char *image = g_build_filename (dir, "my-bios.bin", NULL);
    g_autofree char *good
        = g_strdup_printf ("{\"interface-types\":[\"bios\"],\"mapping\":{\"device\":\"memory\",\"filename\":\"%s\"},"
                           "\"targets\":[{\"architecture\":\"x86_64\",\"machines\":[\"pc-q35-*\"]}]}",
                           image);
    g_autofree char *other
        = g_strdup_printf ("{\"interface-types\":[\"bios\"],\"mapping\":{\"device\":\"memory\",\"filename\":\"/bin/sh\"},"
                           "\"targets\":[{\"architecture\":\"aarch64\",\"machines\":[\"*\"]}]}");
    g_autofree char *pattern = g_strconcat ("*", image, "\n*", NULL);
    g_auto (GStrv) env = g_get_environ ();

    write_file (dir, "my-bios.bin", "x");
    write_file (dir, "qemu/firmware/10-other.json", other);
    write_file (dir, "qemu/firmware/20-broken.json", "{");
    write_file (dir, "qemu/firmware/30-good.json", good);
    env = g_environ_setenv (env, "XDG_CONFIG_HOME", dir, TRUE);
    env = g_environ_unsetenv (env, "LODGE_FIRMWARE_PATH");
    env = g_environ_unsetenv (env, "G_DEBUG");
    g_test_trap_subprocess_with_envp (NULL, (const char *const *) env, 0, G_TEST_SUBPROCESS_DEFAULT);
    g_test_trap_assert_passed ();
    g_test_trap_assert_stdout (pattern);
    remove_files (dir, (const char *const[]) { "qemu/firmware/10-other.json", "qemu/firmware/20-broken.json",
                                               "qemu/firmware/30-good.json", "qemu/firmware", "qemu", "my-bios.bin", ".", NULL });
  }
}

static void
write_sized (const char *dir, const char *name, gsize size)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);
  g_autofree char *content = g_malloc0 (size);

  g_assert_true (g_file_set_contents (path, content, (gssize) size, NULL));
}

static void
write_uefi (const char *dir, const char *name, const char *code, const char *vars, const char *features)
{
  g_autofree char *text = g_strdup_printf ("{\"interface-types\":[\"uefi\"],\"mapping\":{\"device\":\"flash\","
                                           "\"executable\":{\"filename\":\"%s/%s\",\"format\":\"raw\"},"
                                           "\"nvram-template\":{\"filename\":\"%s/%s\",\"format\":\"raw\"}},"
                                           "\"targets\":[{\"architecture\":\"x86_64\",\"machines\":[\"pc-q35-*\"]}],"
                                           "\"features\":[%s]}",
                                           dir, code, dir, vars, features);

  write_file (dir, name, text);
}

/* The build that needs no SMM, without Secure Boot, with 4 MiB; where a machine has variables already, the layout that reads them. */
static void
test_uefi (void)
{
  if (g_test_subprocess ())
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (VmmFirmwareUefi) any = vmm_firmware_find_uefi (0, &error);
      g_autoptr (VmmFirmwareUefi) small = vmm_firmware_find_uefi (0x20000, &error);
      g_autoptr (VmmFirmwareUefi) beside = NULL;
      g_autofree char *other = NULL;

      g_assert_no_error (error);
      g_assert_true (g_str_has_suffix (any->code, "/good.fd"));
      g_assert_true (g_str_has_suffix (any->vars_template, "/vars4.fd"));
      g_assert_true (g_str_has_suffix (small->code, "/small.fd"));
      g_assert_null (vmm_firmware_find_uefi (0x1000, &error));
      g_assert_error (error, VMM_ERROR, VMM_ERROR_NOT_FOUND);
      g_clear_error (&error);
      /* A build that somebody chose: paired by its descriptor, or by its name. */
      g_free (any->vars_template);
      any->vars_template = g_path_get_dirname (any->code);
      other = g_build_filename (any->vars_template, "MY_CODE.fd", NULL);
      beside = vmm_firmware_find_uefi_for (other, &error);
      g_assert_no_error (error);
      g_assert_true (g_str_has_suffix (beside->vars_template, "/MY_VARS.fd"));
      vmm_firmware_uefi_free (g_steal_pointer (&beside));
      beside = vmm_firmware_find_uefi_for (small->code, &error);
      g_assert_no_error (error);
      g_assert_true (g_str_has_suffix (beside->vars_template, "/vars2.fd"));
      g_free (other);
      other = g_build_filename (any->vars_template, "smm.fd", NULL);
      g_assert_null (vmm_firmware_find_uefi_for (other, &error));
      g_assert_error (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED);
      g_clear_error (&error);
      g_assert_null (vmm_firmware_find_uefi_for ("/nonexistent/lonely.fd", &error));
      g_assert_error (error, VMM_ERROR, VMM_ERROR_NOT_FOUND);
      return;
    }
  {
    g_autofree char *dir = g_dir_make_tmp ("lodge-test-XXXXXX", NULL);
    g_auto (GStrv) env = g_get_environ ();

    write_sized (dir, "secure.fd", 4096);
    write_sized (dir, "smm.fd", 4096);
    write_sized (dir, "small.fd", 4096);
    write_sized (dir, "good.fd", 4096);
    write_sized (dir, "MY_CODE.fd", 4096);
    write_sized (dir, "MY_VARS.fd", 4096);
    write_sized (dir, "vars4.fd", 0x84000);
    write_sized (dir, "vars2.fd", 0x20000);
    write_uefi (dir, "qemu/firmware/10-smm.json", "smm.fd", "vars4.fd", "\"secure-boot\",\"requires-smm\"");
    write_uefi (dir, "qemu/firmware/20-secure.json", "secure.fd", "vars4.fd", "\"secure-boot\"");
    write_uefi (dir, "qemu/firmware/30-small.json", "small.fd", "vars2.fd", "");
    write_uefi (dir, "qemu/firmware/40-good.json", "good.fd", "vars4.fd", "\"acpi-s3\"");
    write_uefi (dir, "qemu/firmware/50-same.json", "small.fd", "vars4.fd", "");
    env = g_environ_setenv (env, "XDG_CONFIG_HOME", dir, TRUE);
    env = g_environ_unsetenv (env, "LODGE_FIRMWARE_PATH");
    g_test_trap_subprocess_with_envp (NULL, (const char *const *) env, 0, G_TEST_SUBPROCESS_DEFAULT);
    g_test_trap_assert_passed ();
    remove_files (dir, (const char *const[]) {
                           "qemu/firmware/10-smm.json", "qemu/firmware/20-secure.json", "qemu/firmware/30-small.json",
                           "qemu/firmware/40-good.json", "qemu/firmware/50-same.json", "qemu/firmware", "qemu", "secure.fd",
                           "smm.fd", "small.fd", "good.fd", "MY_CODE.fd", "MY_VARS.fd", "vars4.fd", "vars2.fd", ".", NULL });
  }
}

static void
test_environment_wins (void)
{
  if (g_test_subprocess ())
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *found = vmm_firmware_find_bios (&error);
      g_autofree char *rom = vmm_firmware_find_rom ("vgabios-test.bin", &error);

      g_assert_no_error (error);
      g_assert_true (g_str_has_suffix (found, "/bios-256k.bin"));
      g_assert_true (g_str_has_suffix (rom, "/vgabios-test.bin"));
      g_assert_null (vmm_firmware_find_rom ("no-such-rom.bin", &error));
      g_assert_error (error, VMM_ERROR, VMM_ERROR_NOT_FOUND);
      return;
    }
  {
    g_autofree char *dir = g_dir_make_tmp ("lodge-test-XXXXXX", NULL);
    g_autofree char *paths = g_strdup_printf ("/nonexistent:%s", dir);
    g_auto (GStrv) env = g_get_environ ();

    write_file (dir, "bios-256k.bin", "x");
    write_file (dir, "vgabios-test.bin", "x");
    env = g_environ_setenv (env, "LODGE_FIRMWARE_PATH", paths, TRUE);
    g_test_trap_subprocess_with_envp (NULL, (const char *const *) env, 0, G_TEST_SUBPROCESS_DEFAULT);
    g_test_trap_assert_passed ();
    remove_files (dir, (const char *const[]) { "bios-256k.bin", "vgabios-test.bin", ".", NULL });
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/firmware/json/values", test_json);
  g_test_add_func ("/firmware/json/refuses-what-is-none", test_json_refused);
  g_test_add_func ("/firmware/find/descriptor-for-q35", test_descriptor_wins);
  g_test_add_func ("/firmware/find/environment-first", test_environment_wins);
  g_test_add_func ("/firmware/find/uefi-that-suits-best", test_uefi);
  return g_test_run ();
}
