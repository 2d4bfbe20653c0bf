/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The board on the real /dev/kvm: a firmware image of the test's own (board-bios.c), and what SeaBIOS says of the board. */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>
#include <vmm.h>

#define TIMEOUT (60 * G_USEC_PER_SEC)

typedef struct {
  VmmMachine *machine;
  char *dir; /* of the logs */
  GMutex lock;
  GCond cond;
  VmmMachineState state;
  VmmReason reason;
  guint resets;
} Board;

static char *board_bios; /* path */

static void
on_state_changed (VmmMachine *machine, VmmMachineState state, VmmReason reason, const char *message, gpointer data)
{
  Board *board = data;

  if (message != NULL)
    g_test_message ("%s", message);
  g_mutex_lock (&board->lock);
  board->state = state;
  board->reason = reason;
  g_cond_broadcast (&board->cond);
  g_mutex_unlock (&board->lock);
}

static void
on_was_reset (VmmMachine *machine, gpointer data)
{
  Board *board = data;

  g_mutex_lock (&board->lock);
  board->resets++;
  g_mutex_unlock (&board->lock);
}

static void
board_init (Board *board, int n_vcpus, const char *firmware)
{
  static const VmmMachineEvents events = { .state_changed = on_state_changed, .was_reset = on_was_reset };
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autoptr (VmmConfig) config = NULL;
  g_autoptr (GError) error = NULL;

  memset (board, 0, sizeof *board);
  g_mutex_init (&board->lock);
  g_cond_init (&board->cond);
  board->dir = g_dir_make_tmp ("lodge-test-XXXXXX", NULL);
  g_key_file_set_integer (file, "machine", "memory", 64);
  g_key_file_set_integer (file, "machine", "cpus", n_vcpus);
  g_key_file_set_string (file, "machine", "triple-fault", "reset");
  g_key_file_set_string (file, "machine", "uuid", "00112233-4455-6677-8899-aabbccddeeff");
  g_key_file_set_boolean (file, "machine", "boot-menu", TRUE);
  g_key_file_set_string (file, "display0", "class", "vga");
  if (firmware != NULL)
    g_key_file_set_string (file, "machine", "firmware-image", firmware);
  config = vmm_config_new (file, "/", &error);
  g_assert_no_error (error);
  board->machine = vmm_machine_new (config, board->dir, &events, board, &error);
  g_assert_no_error (error);
  vmm_machine_start (board->machine);
}

static void
board_clear (Board *board)
{
  g_autoptr (GDir) dir = NULL;

  g_clear_pointer (&board->machine, vmm_machine_free);
  dir = g_dir_open (board->dir, 0, NULL);
  for (const char *name; (name = g_dir_read_name (dir)) != NULL;)
    {
      g_autofree char *path = g_build_filename (board->dir, name, NULL);

      g_unlink (path);
    }
  g_rmdir (board->dir);
  g_free (board->dir);
  g_mutex_clear (&board->lock);
  g_cond_clear (&board->cond);
}

static char *
board_dup_log (Board *board)
{
  g_autofree char *path = g_build_filename (board->dir, "firmware.log", NULL);
  char *text = NULL;

  return g_file_get_contents (path, &text, NULL, NULL) ? text : g_strdup ("");
}

static guint
count (const char *text, const char *wanted)
{
  guint n = 0;

  while ((text = strstr (text, wanted)) != NULL)
    {
      text += strlen (wanted);
      n++;
    }
  return n;
}

static void
test_devices (void)
{
  gint64 deadline = g_get_monotonic_time () + TIMEOUT;
  g_autofree char *log = NULL;
  Board board;

  board_init (&board, 2, board_bios);
  g_mutex_lock (&board.lock);
  while ((board.state != VMM_MACHINE_OFF || board.reason != VMM_REASON_GUEST) && board.state != VMM_MACHINE_FAILED)
    if (!g_cond_wait_until (&board.cond, &board.lock, deadline))
      break;
  g_mutex_unlock (&board.lock);
  g_clear_pointer (&board.machine, vmm_machine_free); /* writes the log out */
  log = board_dup_log (&board);
  g_test_message ("%s", log);
  g_assert_null (strstr (log, "FAILED"));
  g_assert_cmpuint (count (log, "ok "), ==, 26);
  g_assert_true (g_str_has_suffix (log, "off\n"));
  g_assert_cmpint (board.state, ==, VMM_MACHINE_OFF);
  g_assert_cmpint (board.reason, ==, VMM_REASON_GUEST);
  g_assert_cmpuint (board.resets, ==, 4);
  board_clear (&board);
}

static void
wait_for_log (Board *board, const char *text, guint times)
{
  gint64 deadline = g_get_monotonic_time () + TIMEOUT;

  for (;;)
    {
      g_autofree char *log = board_dup_log (board);

      if (count (log, text) >= times)
        return;
      if (g_get_monotonic_time () > deadline)
        g_error ("\"%s\" did not come:\n%s", text, log);
      g_usleep (20000);
    }
}

static void
test_seabios (void)
{
  static const char *const wanted[] = {
    "Running on QEMU (q35)",
    "Running on KVM",
    "QEMU fw_cfg DMA interface supported",
    "Moving pm_base to 0x600",
    "PCIe: using q35 mmconfig at 0xb0000000",
    "len 0x0000000004000000 [RAM]",
    "addr 0x00000000feffc000 len 0x0000000000004000 [reserved]",
    "PCI: init bdf=00:1f.0 id=8086:2918",
    "PCI: Using 00:01.0 for primary VGA",
    "Found 2 cpu(s) max supported 2 cpu(s)",
    "Copying SMBIOS",
    "table(50434146)=",
    "ACPI: parse DSDT",
    "Machine UUID 00112233-4455-6677-8899-aabbccddeeff",
    "PS2 keyboard initialized",
  };
  Board board;

  board_init (&board, 2, NULL);
  for (guint boot = 1; boot <= 2; boot++)
    {
      g_autofree char *log = NULL;

      wait_for_log (&board, "Press ESC for boot menu.", boot);
      log = board_dup_log (&board);
      for (guint i = 0; i < G_N_ELEMENTS (wanted); i++)
        if (count (log, wanted[i]) != boot)
          g_error ("\"%s\" is not there %u times:\n%s", wanted[i], boot, log);
      g_assert_null (strstr (log, "parse error"));
      g_assert_null (strstr (log, "WARNING"));
      vmm_machine_reset (board.machine);
    }
  board_clear (&board);
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
  board_bios = g_canonicalize_filename (argv[1], NULL);
  g_assert_nonnull (board_bios);
  vmm_init ();
  g_test_add_func ("/board/devices-resets-and-power-as-the-processor-sees-them", test_devices);
  g_test_add_func ("/board/seabios-finds-all-of-it-at-every-start", test_seabios);
  return g_test_run ();
}
