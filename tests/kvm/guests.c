/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tiny guests (guests/) on the real /dev/kvm, started directly: what they see of the board, and how they were started. They tell it on the
 * serial port, which is logged, and end with the test device's exit port. */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>
#include <vmm.h>

#define SECONDS 120

typedef struct {
  GMutex lock;
  GCond cond;
  gboolean ended;
  VmmMachineState state;
  VmmReason reason;
  char *message;
  guint resets;
} Events;

typedef struct {
  VmmMachineState state;
  VmmReason reason;
  char *message; /* (nullable) */
  guint resets;
  char *log; /* what the guest wrote */
} Outcome;

static char *guests_dir; /* where the build left them */
static char *work_dir;

static void
on_state_changed (VmmMachine *machine, VmmMachineState state, VmmReason reason, const char *message, gpointer data)
{
  Events *events = data;

  g_mutex_lock (&events->lock);
  if (!events->ended && (state == VMM_MACHINE_OFF || state == VMM_MACHINE_FAILED))
    {
      events->ended = TRUE;
      events->state = state;
      events->reason = reason;
      events->message = g_strdup (message);
      g_cond_broadcast (&events->cond);
    }
  g_mutex_unlock (&events->lock);
}

static void
on_was_reset (VmmMachine *machine, gpointer data)
{
  Events *events = data;

  g_mutex_lock (&events->lock);
  events->resets++;
  g_mutex_unlock (&events->lock);
}

static void
outcome_free (Outcome *outcome)
{
  g_free (outcome->message);
  g_free (outcome->log);
  g_free (outcome);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Outcome, outcome_free)

/* A machine with test device and COM1, 64 MiB, that starts a kernel, or a ROM as its firmware; further settings as group, key, value, …, NULL. */
static GKeyFile *
settings_new (const char *image, ...)
{
  GKeyFile *file = g_key_file_new ();
  g_autofree char *path = g_build_filename (guests_dir, image, NULL);
  const char *group;
  va_list args;

  g_key_file_set_string (file, "machine", "memory", "64");
  if (g_str_has_suffix (image, ".rom"))
    g_key_file_set_string (file, "machine", "firmware-image", path);
  else
    g_key_file_set_string (file, "kernel", "kernel", path);
  g_key_file_set_string (file, "serial0", "class", "serial");
  g_key_file_set_string (file, "test0", "class", "test-device");
  va_start (args, image);
  while ((group = va_arg (args, const char *)) != NULL)
    {
      const char *key = va_arg (args, const char *);

      g_key_file_set_string (file, group, key, va_arg (args, const char *));
    }
  va_end (args);
  return file;
}

/* Runs the machine until it ends by itself. @file: (transfer full) */
static Outcome *
run (GKeyFile *file)
{
  static const VmmMachineEvents callbacks = { .state_changed = on_state_changed, .was_reset = on_was_reset };
  g_autoptr (GKeyFile) settings = file;
  g_autoptr (GError) error = NULL;
  g_autoptr (VmmConfig) config = vmm_config_new (settings, work_dir, &error);
  g_autofree char *log = g_build_filename (work_dir, "serial0.log", NULL);
  gint64 deadline = g_get_monotonic_time () + SECONDS * G_USEC_PER_SEC;
  Outcome *outcome = g_new0 (Outcome, 1);
  Events events = { 0 };
  VmmMachine *machine;

  g_assert_no_error (error);
  machine = vmm_machine_new (config, work_dir, &callbacks, &events, &error);
  g_assert_no_error (error);
  vmm_machine_start (machine);
  g_mutex_lock (&events.lock);
  while (!events.ended && g_cond_wait_until (&events.cond, &events.lock, deadline))
    ;
  g_mutex_unlock (&events.lock);
  vmm_machine_free (machine);
  g_assert_true (g_file_get_contents (log, &outcome->log, NULL, NULL));
  for (char **lines = g_strsplit (outcome->log, "\n", -1), **line = lines; line != NULL; line = NULL, g_strfreev (lines))
    for (char **at = line; *at != NULL; at++)
      if (g_str_has_prefix (*at, "not ok "))
        g_test_fail_printf ("%s", *at + strlen ("not ok "));
      else if (**at != '\0')
        g_test_message ("%s", *at);
  if (!events.ended)
    g_error ("the guest did not end within %d s", SECONDS);
  outcome->state = events.state;
  outcome->reason = events.reason;
  outcome->message = events.message;
  outcome->resets = events.resets;
  return outcome;
}

static void
assert_has (const Outcome *outcome, const char *line)
{
  g_autofree char *whole = g_strdup_printf ("\n%s\n", line);
  g_autofree char *log = g_strdup_printf ("\n%s\n", outcome->log);

  if (strstr (log, whole) == NULL)
    g_test_fail_printf ("the guest did not write \"%s\" (%s)", line, outcome->message != NULL ? outcome->message : "no message");
}

/* Ended by the exit port, with the code for success. */
static void
assert_finished (const Outcome *outcome)
{
  if (outcome->message == NULL || !g_str_has_suffix (outcome->message, "end with code 1"))
    g_test_fail_printf ("the guest ended otherwise: %s", outcome->message != NULL ? outcome->message : "no message");
}

static char *
write_file (const char *name, const char *content)
{
  char *path = g_build_filename (work_dir, name, NULL);

  g_assert_true (g_file_set_contents (path, content, -1, NULL));
  return path;
}

static void
test_multiboot (void)
{
  g_autofree char *first = write_file ("first module", "FIRST!");
  g_autofree char *second = write_file ("second", "SECOND");
  g_autofree char *initrd = write_file ("initrd", "INITRD");
  g_autoptr (Outcome) outcome = run (settings_new ("guest.elf", "kernel", "append", "one  two=\"3\"", "kernel", "initrd", initrd,
                                                   "kernel", "modules", "first module;second with words", NULL));

  assert_has (outcome, "cmdline guest.elf one  two=\"3\"");
  assert_has (outcome, "loader Lodge");
  assert_has (outcome, "lower-kib 0000027f"); /* 639: the last KiB is the BIOS's */
  assert_has (outcome, "module 00000006 initrd: INITRD");
  assert_has (outcome, "module 00000006 first module: FIRST!");
  assert_has (outcome, "module 00000006 second with words: SECOND");
  assert_has (outcome, "end");
  assert_finished (outcome);
}

static void
test_pvh (void)
{
  g_autofree char *initrd = write_file ("initrd", "INITRD");
  g_autoptr (Outcome) outcome = run (settings_new ("guest-pvh.elf", "kernel", "append", "hello pvh", "kernel", "initrd", initrd,
                                                   NULL));

  assert_has (outcome, "cmdline hello pvh");
  assert_has (outcome, "module 00000006 initrd: INITRD");
  assert_has (outcome, "end");
  assert_finished (outcome);
}

static void
test_linux (void)
{
  g_autofree char *initrd = write_file ("initrd", "INITRD42 and more");
  g_autoptr (Outcome) outcome = run (settings_new ("fake-linux.bin", "kernel", "append", "root=/dev/sda1 vga=791", "kernel",
                                                   "initrd", initrd, NULL));

  assert_has (outcome, "segments 1020 1000 1000 e000 ");
  assert_has (outcome, "header ff81 de00 0317 "); /* loader, flags; heap end; mode 791 */
  assert_has (outcome, "cmdline root=/dev/sda1 vga=791");
  assert_has (outcome, "kernel KERNEL42");
  assert_has (outcome, "initrd 0011 INITRD42");
  assert_has (outcome, "end");
  assert_finished (outcome);
}

static void
test_devices (void)
{
  g_autoptr (Outcome) outcome = run (settings_new ("devices.rom", NULL));

  assert_has (outcome, "end");
  assert_finished (outcome);
}

static void
test_processors (void)
{
  g_autoptr (Outcome) outcome = run (settings_new ("processors-4.rom", "machine", "cpus", "4", NULL));

  assert_has (outcome, "end");
  assert_finished (outcome);
}

static void
test_resets (void)
{
  g_autoptr (Outcome) outcome = run (settings_new ("resets.rom", "machine", "triple-fault", "reset", NULL));

  assert_finished (outcome);
  g_assert_cmpuint (outcome->resets, ==, 6);
}

static void
test_power_off (void)
{
  g_autoptr (Outcome) outcome = run (settings_new ("off.rom", NULL));

  g_assert_cmpint (outcome->state, ==, VMM_MACHINE_OFF);
  g_assert_cmpint (outcome->reason, ==, VMM_REASON_GUEST);
}

static void
test_triple_fault (void)
{
  g_autoptr (Outcome) outcome = run (settings_new ("triple-fault.rom", NULL));

  g_assert_cmpint (outcome->state, ==, VMM_MACHINE_FAILED);
  g_assert_cmpint (outcome->reason, ==, VMM_REASON_FAULT);
  g_assert_nonnull (strstr (outcome->message, "triple fault"));
}

static void
assert_refused (GKeyFile *file, VmmError code, const char *words)
{
  g_autoptr (GKeyFile) settings = file;
  g_autoptr (GError) error = NULL;
  g_autoptr (VmmConfig) config = vmm_config_new (settings, work_dir, NULL);

  g_assert_null (vmm_machine_new (config, NULL, NULL, NULL, &error));
  g_assert_error (error, VMM_ERROR, (int) code);
  g_assert_nonnull (strstr (error->message, words));
}

/* The message names the file. */
static void
test_bad_files (void)
{
  g_autofree char *text = write_file ("text", "no kernel at all\n");
  g_autofree char *empty = write_file ("empty", "");
  g_autofree char *cut = NULL;
  g_autofree char *image = g_build_filename (guests_dir, "guest.elf", NULL);
  g_autofree char *content = NULL;
  gsize len;

  assert_refused (settings_new ("missing.elf", NULL), VMM_ERROR_NOT_FOUND, "missing.elf");
  assert_refused (settings_new (work_dir, "kernel", "kernel", work_dir, NULL), VMM_ERROR_HOST, work_dir);
  assert_refused (settings_new (text, "kernel", "kernel", "/dev/zero", NULL), VMM_ERROR_HOST, "/dev/zero");
  assert_refused (settings_new (text, "kernel", "kernel", text, NULL), VMM_ERROR_UNSUPPORTED, text);
  assert_refused (settings_new (text, "kernel", "kernel", empty, NULL), VMM_ERROR_CORRUPT, empty);
  assert_refused (settings_new ("guest.elf", "kernel", "initrd", "/nonexistent/initrd", NULL), VMM_ERROR_NOT_FOUND,
                  "/nonexistent/initrd");
  assert_refused (settings_new ("guest.elf", "kernel", "modules", "text;gone a b", NULL), VMM_ERROR_NOT_FOUND, "/gone");
  g_assert_true (g_file_get_contents (image, &content, &len, NULL));
  cut = g_build_filename (work_dir, "cut", NULL);
  g_assert_true (g_file_set_contents (cut, content, 4200, NULL));
  assert_refused (settings_new (text, "kernel", "kernel", cut, NULL), VMM_ERROR_CORRUPT, cut);
}

int
main (int argc, char **argv)
{
  int fd = open ("/dev/kvm", O_RDWR | O_CLOEXEC);
  const char *const leftovers[] = { "first module", "second", "initrd", "text", "empty", "cut", "serial0.log", "firmware.log" };
  int status;

  g_test_init (&argc, &argv, NULL);
  g_log_set_always_fatal (G_LOG_FATAL_MASK); /* the engine warns of machines that end, which is what these do */
  if (fd < 0)
    {
      g_print ("1..0 # SKIP /dev/kvm cannot be opened on this host\n");
      return 77;
    }
  close (fd);
  vmm_init ();
  guests_dir = g_path_get_dirname (argv[0]);
  if (!g_path_is_absolute (guests_dir))
    {
      g_autofree char *relative = g_steal_pointer (&guests_dir);

      guests_dir = g_canonicalize_filename (relative, NULL);
    }
  work_dir = g_dir_make_tmp ("lodge-guests-XXXXXX", NULL);
  g_assert_nonnull (work_dir);
  g_test_add_func ("/guests/start/multiboot-with-modules", test_multiboot);
  g_test_add_func ("/guests/start/pvh-with-initrd", test_pvh);
  g_test_add_func ("/guests/start/linux-16-bit-with-initrd", test_linux);
  g_test_add_func ("/guests/start/bad-files-are-named", test_bad_files);
  g_test_add_func ("/guests/devices/ports-memory-interrupts-timers", test_devices);
  g_test_add_func ("/guests/devices/processors", test_processors);
  g_test_add_func ("/guests/end/resets-of-all-kinds", test_resets);
  g_test_add_func ("/guests/end/power-off", test_power_off);
  g_test_add_func ("/guests/end/triple-fault-is-told", test_triple_fault);
  status = g_test_run ();
  for (guint i = 0; i < G_N_ELEMENTS (leftovers); i++)
    {
      g_autofree char *path = g_build_filename (work_dir, leftovers[i], NULL);

      g_unlink (path);
    }
  g_rmdir (work_dir);
  g_free (work_dir);
  g_free (guests_dir);
  return status;
}
