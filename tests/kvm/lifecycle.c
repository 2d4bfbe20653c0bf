/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Machines begin, pause, reset and end on the real /dev/kvm, with the firmware as their guest. */
#include "core/kvm.h"
#include "core/machine.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <vmm.h>

typedef struct {
  VmmMachine *machine;
  GMutex lock;
  GCond cond;
  VmmMachineState state;
  guint changes, resets;
  gboolean hold, synced; /* under lock: the control thread */
} Guest;

static void
on_state_changed (VmmMachine *machine, VmmMachineState state, VmmReason reason, const char *message, gpointer data)
{
  Guest *guest = data;

  g_mutex_lock (&guest->lock);
  guest->state = state;
  guest->changes++;
  g_cond_broadcast (&guest->cond);
  g_mutex_unlock (&guest->lock);
}

static void
on_was_reset (VmmMachine *machine, gpointer data)
{
  Guest *guest = data;

  g_mutex_lock (&guest->lock);
  guest->resets++;
  g_cond_broadcast (&guest->cond);
  g_mutex_unlock (&guest->lock);
}

static Guest *
guest_new_sized (guint n_vcpus, int memory_mib)
{
  static const VmmMachineEvents events = { .state_changed = on_state_changed, .was_reset = on_was_reset };
  Guest *guest = g_new0 (Guest, 1);
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autoptr (VmmConfig) config = NULL;
  g_autoptr (GError) error = NULL;

  g_mutex_init (&guest->lock);
  g_cond_init (&guest->cond);
  g_key_file_set_integer (file, "machine", "memory", memory_mib);
  g_key_file_set_integer (file, "machine", "cpus", (int) n_vcpus);
  g_key_file_set_string (file, "display0", "class", "vga");
  config = vmm_config_new (file, "/", &error);
  g_assert_no_error (error);
  guest->machine = vmm_machine_new (config, NULL, &events, guest, &error);
  g_assert_no_error (error);
  return guest;
}

static Guest *
guest_new (guint n_vcpus)
{
  return guest_new_sized (n_vcpus, 32);
}

static void
guest_free (Guest *guest)
{
  vmm_machine_free (guest->machine);
  g_mutex_clear (&guest->lock);
  g_cond_clear (&guest->cond);
  g_free (guest);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Guest, guest_free)

static void
wait_for_state (Guest *guest, VmmMachineState state)
{
  gint64 deadline = g_get_monotonic_time () + 30 * G_USEC_PER_SEC;

  g_mutex_lock (&guest->lock);
  while (guest->state != state)
    g_assert_true (g_cond_wait_until (&guest->cond, &guest->lock, deadline));
  g_mutex_unlock (&guest->lock);
}

static void
wait_for_text (Guest *guest, const char *text)
{
  gint64 deadline = g_get_monotonic_time () + 60 * G_USEC_PER_SEC;
  VmmConsole *console = vmm_machine_get_console (guest->machine, 0);

  for (;;)
    {
      g_autofree char *screen = vmm_console_dup_text (console);

      if (screen != NULL && strstr (screen, text) != NULL)
        return;
      g_assert_cmpint (g_get_monotonic_time (), <, deadline);
      g_usleep (20000);
    }
}

static guint
count_entries (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  guint n = 0;

  while (g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

static guint64
resident_kib (void)
{
  g_autofree char *text = NULL;
  const char *at;

  g_assert_true (g_file_get_contents ("/proc/self/status", &text, NULL, NULL));
  at = strstr (text, "VmRSS:");
  return g_ascii_strtoull (at + 6, NULL, 10);
}

static void
start_and_stop (guint times)
{
  for (guint i = 0; i < times; i++)
    {
      g_autoptr (Guest) guest = guest_new (1 + i % 2);

      vmm_machine_start (guest->machine);
      wait_for_state (guest, VMM_MACHINE_RUNNING);
      if (i % 3 != 0)
        {
          vmm_machine_stop (guest->machine);
          wait_for_state (guest, VMM_MACHINE_OFF);
        }
    }
}

static void
test_500_times (void)
{
  guint fds, threads;
  guint64 kib;

  start_and_stop (20); /* allocators and caches find their size */
  fds = count_entries ("/proc/self/fd");
  threads = count_entries ("/proc/self/task");
  kib = resident_kib ();
  start_and_stop (500);
  g_assert_cmpuint (count_entries ("/proc/self/fd"), ==, fds);
  g_assert_cmpuint (count_entries ("/proc/self/task"), ==, threads);
  g_test_message ("resident before and after: %" G_GUINT64_FORMAT ", %" G_GUINT64_FORMAT " KiB", kib, resident_kib ());
#ifndef __SANITIZE_ADDRESS__
  /* A machine's own memory is some megabytes: 500 of them would show. The sanitizer keeps freed memory by design and finds leaks itself. */
  g_assert_cmpuint (resident_kib (), <, kib + (16 << 10));
#endif
}

static void
test_two_machines (void)
{
  g_autoptr (Guest) first = guest_new (1);
  g_autoptr (Guest) second = guest_new (2);

  vmm_machine_start (first->machine);
  vmm_machine_start (second->machine);
  wait_for_text (first, "SeaBIOS");
  wait_for_text (second, "SeaBIOS");
  vmm_machine_stop (first->machine);
  wait_for_state (first, VMM_MACHINE_OFF);
  g_assert_cmpint (vmm_machine_get_state (second->machine), ==, VMM_MACHINE_RUNNING);
}

static void
test_pause_and_resume (void)
{
  g_autoptr (Guest) guest = guest_new (2);

  vmm_machine_start (guest->machine);
  wait_for_state (guest, VMM_MACHINE_RUNNING);
  for (guint i = 0; i < 50; i++)
    {
      vmm_machine_pause (guest->machine);
      wait_for_state (guest, VMM_MACHINE_PAUSED);
      vmm_machine_resume (guest->machine);
      wait_for_state (guest, VMM_MACHINE_RUNNING);
    }
  wait_for_text (guest, "SeaBIOS");
}

static void
test_reset (void)
{
  g_autoptr (Guest) guest = guest_new (2);

  vmm_machine_start (guest->machine);
  for (guint i = 0; i < 5; i++)
    {
      wait_for_text (guest, "No bootable device");
      vmm_machine_reset (guest->machine);
      g_mutex_lock (&guest->lock);
      while (guest->resets <= i)
        g_cond_wait (&guest->cond, &guest->lock);
      g_mutex_unlock (&guest->lock);
    }
}

static void
test_off_and_on (void)
{
  g_autoptr (Guest) guest = guest_new (1);

  for (guint i = 0; i < 3; i++)
    {
      vmm_machine_start (guest->machine);
      wait_for_text (guest, "No bootable device");
      vmm_machine_stop (guest->machine);
      wait_for_state (guest, VMM_MACHINE_OFF);
    }
}

static void
test_impossible_requests (void)
{
  g_autoptr (Guest) guest = guest_new (1);

  vmm_machine_pause (guest->machine);
  vmm_machine_resume (guest->machine);
  vmm_machine_reset (guest->machine);
  vmm_machine_stop (guest->machine);
  vmm_machine_power_button (guest->machine);
  vmm_machine_start (guest->machine);
  wait_for_state (guest, VMM_MACHINE_RUNNING);
  g_assert_cmpuint (guest->changes, ==, 1);
}

static void
on_wait (gpointer data)
{
  Guest *guest = data;

  g_mutex_lock (&guest->lock);
  while (guest->hold)
    g_cond_wait (&guest->cond, &guest->lock);
  g_mutex_unlock (&guest->lock);
}

/* The control thread stands still between the two: what is asked meanwhile is asked together. */
static void
hold_control (Guest *guest)
{
  guest->hold = TRUE;
  vmm_machine_post (guest->machine, on_wait, guest);
}

static void
release_control (Guest *guest)
{
  g_mutex_lock (&guest->lock);
  guest->hold = FALSE;
  g_cond_broadcast (&guest->cond);
  g_mutex_unlock (&guest->lock);
}

static void
on_sync (gpointer data)
{
  Guest *guest = data;

  g_mutex_lock (&guest->lock);
  guest->synced = TRUE;
  g_cond_broadcast (&guest->cond);
  g_mutex_unlock (&guest->lock);
}

static void
wait_for_control (Guest *guest)
{
  guest->synced = FALSE;
  vmm_machine_post (guest->machine, on_sync, guest);
  g_mutex_lock (&guest->lock);
  while (!guest->synced)
    g_cond_wait (&guest->cond, &guest->lock);
  g_mutex_unlock (&guest->lock);
}

static void
test_stale_requests (void)
{
  g_autoptr (Guest) guest = guest_new (1);

  vmm_machine_start (guest->machine);
  wait_for_state (guest, VMM_MACHINE_RUNNING);
  hold_control (guest);
  vmm_machine_reset (guest->machine);
  vmm_machine_request_reset (guest->machine);
  vmm_machine_request_power_off (guest->machine);
  vmm_machine_request_pause (guest->machine, VMM_REASON_NO_SPACE, "full");
  vmm_machine_report_fault (guest->machine, "fault");
  release_control (guest);
  wait_for_control (guest);
  g_assert_cmpuint (guest->resets, ==, 1);
  g_assert_cmpuint (guest->changes, ==, 1);

  hold_control (guest);
  vmm_machine_stop (guest->machine);
  vmm_machine_report_fault (guest->machine, "fault");
  release_control (guest);
  wait_for_control (guest);
  g_assert_cmpint (vmm_machine_get_state (guest->machine), ==, VMM_MACHINE_OFF);
  g_assert_cmpuint (guest->changes, ==, 2);
}

static void
test_fault_is_last_word (void)
{
  g_autoptr (Guest) guest = guest_new (1);
  GLogLevelFlags fatal = g_log_set_always_fatal (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL); /* a fault is a warning */

  vmm_machine_start (guest->machine);
  wait_for_state (guest, VMM_MACHINE_RUNNING);
  hold_control (guest);
  vmm_machine_report_fault (guest->machine, "first");
  vmm_machine_report_fault (guest->machine, "second");
  vmm_machine_request_reset (guest->machine);
  release_control (guest);
  wait_for_control (guest);
  g_assert_cmpint (vmm_machine_get_state (guest->machine), ==, VMM_MACHINE_FAILED);
  g_assert_cmpuint (guest->changes, ==, 2);
  /* The user may. */
  vmm_machine_reset (guest->machine);
  wait_for_state (guest, VMM_MACHINE_RUNNING);
  g_log_set_always_fatal (fatal);
}

/* What was asked too late is dropped, not leaked (the leak checker looks). */
static void
test_requests_at_the_end (void)
{
  g_autoptr (Guest) guest = guest_new (1);

  vmm_machine_start (guest->machine);
  wait_for_state (guest, VMM_MACHINE_RUNNING);
  vmm_machine_post (guest->machine, (VmmCallFunc) vmm_machine_reset, guest->machine);
  vmm_machine_post (guest->machine, (VmmCallFunc) vmm_machine_request_reset, guest->machine);
  vmm_machine_change_medium (guest->machine, "nothing", "/nowhere", FALSE, NULL, NULL);
}

static void
test_large (void)
{
  g_autoptr (GError) error = NULL;
  VmmKvm *kvm = vmm_kvm_new (&error);
  guint max = kvm != NULL ? vmm_kvm_get_max_vcpus (kvm) : 0;
  g_autoptr (Guest) guest = NULL;

  g_assert_no_error (error);
  vmm_kvm_free (kvm);
  if (max < 64)
    {
      g_test_skip ("this host's KVM has less than 64 processors");
      return;
    }
  guest = guest_new_sized (64, 5 << 10);
  vmm_machine_start (guest->machine);
  /* SeaBIOS waits until all processors have come, and only then shows itself. */
  wait_for_text (guest, "SeaBIOS");
  vmm_machine_pause (guest->machine);
  wait_for_state (guest, VMM_MACHINE_PAUSED);
  vmm_machine_reset (guest->machine);
  vmm_machine_resume (guest->machine);
  wait_for_state (guest, VMM_MACHINE_RUNNING);
}

int
main (int argc, char **argv)
{
  int fd = open ("/dev/kvm", O_RDWR | O_CLOEXEC);

  g_test_init (&argc, &argv, NULL);
  if (fd < 0)
    {
      g_print ("1..0 # SKIP /dev/kvm cannot be opened on this host\n");
      return 77;
    }
  close (fd);
  vmm_init ();
  g_test_add_func ("/lifecycle/two-machines-in-one-process-do-not-disturb-each-other", test_two_machines);
  g_test_add_func ("/lifecycle/pause-and-resume-lose-nothing", test_pause_and_resume);
  g_test_add_func ("/lifecycle/reset-starts-the-firmware-anew", test_reset);
  g_test_add_func ("/lifecycle/off-and-on-again", test_off_and_on);
  g_test_add_func ("/lifecycle/requests-out-of-place-are-ignored", test_impossible_requests);
  g_test_add_func ("/lifecycle/what-was-asked-before-a-reset-is-forgotten", test_stale_requests);
  g_test_add_func ("/lifecycle/after-a-fault-only-the-user-resets", test_fault_is_last_word);
  g_test_add_func ("/lifecycle/requests-at-the-end-are-dropped", test_requests_at_the_end);
  g_test_add_func ("/lifecycle/64-processors-and-5-gib", test_large);
  g_test_add_func ("/lifecycle/500-machines-leave-no-descriptor-thread-or-memory", test_500_times);
  return g_test_run ();
}
