/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: TCG PC Client Platform TPM Profile 1.05 §6.5.3 (registers), TPM 2.0 library part 2 (codes) and 3 (commands). The TPM is a
 * stand-in, this program started anew as "swtpm socket …", but for the last test, which takes the real one. */
#include "test-board.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BASE 0xfed40000u
#define START (BASE + 0x4c)
#define STS (BASE + 0x44)
#define BUFFER (BASE + 0x80)

/* Commands that only the stand-in knows: it echoes the rest, waits to be cancelled, dies, answers with an absurd length. */
#define CC_ECHO 0x20000001
#define CC_WAIT 0x20000002
#define CC_DIE 0x20000003
#define CC_ABSURD 0x20000004

/* === The stand-in === */

static guint32
load_be32 (const guint8 *from)
{
  guint32 value;

  memcpy (&value, from, sizeof value);
  return GUINT32_FROM_BE (value);
}

static void
store_be32 (guint8 *to, guint32 value)
{
  value = GUINT32_TO_BE (value);
  memcpy (to, &value, sizeof value);
}

/* Exact reads and writes of a peer that tests us: anything else ends us. */
static void
fake_read (int fd, guint8 *data, gsize len)
{
  for (gssize n; len > 0; data += n, len -= (gsize) n)
    if ((n = read (fd, data, len)) <= 0)
      _exit (0);
}

static void
fake_write (int fd, const guint8 *data, gsize len)
{
  if (write (fd, data, len) != (gssize) len)
    _exit (1);
}

/* Reads a control message's first word, and the descriptor that came with it. */
static guint32
fake_read_control (int fd, int *ret_passed)
{
  guint8 word[4];
  struct iovec iov = { word, sizeof word };
  union {
    struct cmsghdr align;
    char space[CMSG_SPACE (sizeof (int))];
  } extra = { 0 };
  struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = extra.space, .msg_controllen = sizeof extra.space };

  if (recvmsg (fd, &message, 0) != sizeof word)
    _exit (0);
  if (CMSG_FIRSTHDR (&message) != NULL)
    memcpy (ret_passed, CMSG_DATA (CMSG_FIRSTHDR (&message)), sizeof *ret_passed);
  return load_be32 (word);
}

static void
fake_note (const char *dir, const char *event)
{
  g_autofree char *path = g_build_filename (dir, "events", NULL);
  int fd = open (path, O_WRONLY | O_CREAT | O_APPEND, 0600);

  fake_write (fd, (const guint8 *) event, strlen (event));
  close (fd);
}

static gboolean
fake_control (int fd, const char *dir, int *data)
{
  guint8 answer[16] = { 0 }, argument[4];

  switch (fake_read_control (fd, data))
    {
    case 0x01: /* capabilities: INIT, SHUTDOWN, CANCEL, STOP, SET_DATAFD, SET_BUFFERSIZE */
      store_be32 (answer + 4, 1 << 0 | 1 << 1 | 1 << 5 | 1 << 10 | 1 << 12 | 1 << 13);
      fake_write (fd, answer, 8);
      break;
    case 0x02:
      fake_read (fd, argument, 4);
      fake_note (dir, "init ");
      fake_write (fd, answer, 4);
      break;
    case 0x03:
      fake_note (dir, "shutdown ");
      fake_write (fd, answer, 4);
      _exit (0);
    case 0x09:
      fake_note (dir, "cancel ");
      fake_write (fd, answer, 4);
      return TRUE;
    case 0x0e:
      fake_note (dir, "stop ");
      fake_write (fd, answer, 4);
      break;
    case 0x10:
      fake_write (fd, answer, 4);
      break;
    case 0x11:
      fake_read (fd, argument, 4);
      store_be32 (answer + 4, load_be32 (argument));
      fake_write (fd, answer, 16);
      break;
    default:
      _exit (1);
    }
  return FALSE;
}

static void
fake_command (int control, int data, const char *dir, gboolean cancelled)
{
  guint8 buffer[4096];
  guint32 size;

  fake_read (data, buffer, 10);
  size = load_be32 (buffer + 2);
  fake_read (data, buffer + 10, size - 10);
  switch (load_be32 (buffer + 6))
    {
    case CC_DIE:
      _exit (1);
    case CC_ABSURD:
      store_be32 (buffer + 2, G_MAXUINT32);
      break;
    case CC_WAIT:
      while (!cancelled)
        cancelled = fake_control (control, dir, &data);
      store_be32 (buffer + 2, 10);
      store_be32 (buffer + 6, 0x909); /* TPM_RC_CANCELED */
      size = 10;
      break;
    default:
      store_be32 (buffer + 6, 0);
      break;
    }
  fake_write (data, buffer, size);
}

static G_NORETURN void
fake_main (int argc, char **argv)
{
  const char *dir = NULL;
  gboolean cancelled = FALSE; /* the request may overtake the command */
  int data = -1;

  for (int i = 0; i < argc; i++)
    if (g_str_has_prefix (argv[i], "dir="))
      dir = argv[i] + 4;
  for (;;)
    {
      struct pollfd fds[2] = { { .fd = 3, .events = POLLIN }, { .fd = data, .events = POLLIN } };

      poll (fds, 2, -1);
      if (fds[0].revents != 0)
        cancelled |= fake_control (3, dir, &data);
      else if (fds[1].revents != 0)
        {
          fake_command (3, data, dir, cancelled);
          cancelled = FALSE;
        }
    }
}

/* === The tests === */

typedef struct {
  TestBoard *board;
  char *dir;
} Tpm;

static void
tpm_start (Tpm *tpm, const char *program)
{
  tpm->board = test_board_new ();
  if (program != NULL)
    test_board_add (tpm->board, "tpm-crb", "tpm0", "state", tpm->dir, "program", program, NULL);
  else
    test_board_add (tpm->board, "tpm-crb", "tpm0", "state", tpm->dir, NULL);
}

static void
tpm_init (Tpm *tpm)
{
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);

  tpm->dir = g_dir_make_tmp ("lodge-test-XXXXXX", NULL);
  tpm_start (tpm, self);
  test_write (tpm->board, BASE + 0x08, 4, 1);
}

static void
remove_dir (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *file = g_build_filename (path, name, NULL);

      g_remove (file);
    }
  g_rmdir (path);
}

static void
tpm_clear (Tpm *tpm)
{
  test_board_free (tpm->board);
  remove_dir (tpm->dir);
  g_free (tpm->dir);
}

static char *
dup_events (Tpm *tpm)
{
  g_autofree char *path = g_build_filename (tpm->dir, "events", NULL);
  char *text = NULL;

  return g_file_get_contents (path, &text, NULL, NULL) ? text : g_strdup ("");
}

static guint32
get32 (Tpm *tpm, guint64 address)
{
  return (guint32) test_read (tpm->board, address, 4);
}

static void
put_command (Tpm *tpm, guint32 code, const guint8 *rest, guint len)
{
  guint8 header[10] = { 0x80, 0x01 };

  store_be32 (header + 2, 10 + len);
  store_be32 (header + 6, code);
  for (guint i = 0; i < sizeof header; i++)
    test_write (tpm->board, BUFFER + i, 1, header[i]);
  for (guint i = 0; i < len; i++)
    test_write (tpm->board, BUFFER + 10 + i, 1, rest[i]);
}

static guint32
get_be32 (Tpm *tpm, guint offset)
{
  return GUINT32_SWAP_LE_BE (get32 (tpm, BUFFER + offset));
}

/* Starts the command and waits for its end. Returns: the response's code. */
static guint32
run (Tpm *tpm)
{
  test_write (tpm->board, START, 4, 1);
  test_wait_until (get32 (tpm, START) == 0);
  return get_be32 (tpm, 6);
}

static void
test_identity (void)
{
  Tpm tpm;

  tpm_init (&tpm);
  g_assert_cmphex (get32 (&tpm, BASE + 0x30) & 0xf, ==, 1);      /* the interface in force is CRB */
  g_assert_cmphex (get32 (&tpm, BASE + 0x30) >> 4 & 0xf, ==, 1); /* its version */
  g_assert_cmphex (get32 (&tpm, BASE + 0x30) >> 8 & 1, ==, 0);   /* locality 0 only */
  g_assert_cmphex (get32 (&tpm, BASE + 0x30) >> 11 & 3, ==, 3);  /* 64 bytes at a time */
  g_assert_cmphex (get32 (&tpm, BASE + 0x30) >> 13 & 3, ==, 2);  /* CRB, no FIFO */
  g_assert_cmphex (get32 (&tpm, BASE + 0x30) >> 17 & 3, ==, 1);  /* CRB is selected */
  g_assert_cmpuint (get32 (&tpm, BASE + 0x58), ==, 3968);
  g_assert_cmphex (get32 (&tpm, BASE + 0x5c), ==, BUFFER);
  g_assert_cmphex (get32 (&tpm, BASE + 0x60), ==, 0);
  g_assert_cmpuint (get32 (&tpm, BASE + 0x64), ==, 3968);
  g_assert_cmphex (test_read (tpm.board, BASE + 0x68, 8), ==, BUFFER);
  /* As Windows reads them: bytes of a register of 64 bits. */
  for (guint i = 0; i < 8; i++)
    g_assert_cmphex (test_read (tpm.board, BASE + 0x68 + i, 1), ==, ((guint64) BUFFER >> 8 * i & 0xff));
  g_assert_cmphex (get32 (&tpm, STS), ==, 0x02); /* idle, no fatal error */
  test_write (tpm.board, BASE + 0x40, 4, 1);     /* command ready */
  g_assert_cmphex (get32 (&tpm, STS), ==, 0x00);
  g_assert_cmphex (get32 (&tpm, BASE + 0x40), ==, 0x00);
  test_write (tpm.board, BASE + 0x40, 1, 2); /* go idle, by a byte */
  g_assert_cmphex (get32 (&tpm, STS), ==, 0x02);
  tpm_clear (&tpm);
}

static void
test_locality (void)
{
  Tpm tpm;

  tpm_init (&tpm);
  g_assert_cmphex (get32 (&tpm, BASE + 0x00), ==, 0x83); /* valid, assigned to 0, not established */
  g_assert_cmphex (get32 (&tpm, BASE + 0x0c), ==, 0x01);
  test_write (tpm.board, BASE + 0x08, 4, 2);
  g_assert_cmphex (get32 (&tpm, BASE + 0x00), ==, 0x81);
  g_assert_cmphex (get32 (&tpm, BASE + 0x0c), ==, 0x00);
  put_command (&tpm, CC_ECHO, NULL, 0);
  test_write (tpm.board, START, 4, 1);
  g_assert_cmphex (get32 (&tpm, START), ==, 0);
  g_assert_cmphex (get_be32 (&tpm, 6), ==, CC_ECHO); /* did not run */
  test_write (tpm.board, BASE + 0x08, 4, 1);
  g_assert_cmphex (run (&tpm), ==, 0);
  tpm_clear (&tpm);
}

static void
test_command (void)
{
  guint8 rest[3968 - 10];
  Tpm tpm;

  for (guint i = 0; i < sizeof rest; i++)
    rest[i] = (guint8) (i * 3);
  tpm_init (&tpm);
  put_command (&tpm, CC_ECHO, rest, sizeof rest);
  g_assert_cmphex (run (&tpm), ==, 0);
  g_assert_cmpuint (get_be32 (&tpm, 2), ==, 3968);
  for (guint i = 0; i < sizeof rest; i += 4)
    g_assert_cmphex (test_read (tpm.board, BUFFER + 10 + i, 1), ==, rest[i]);
  tpm_clear (&tpm);
}

static void
test_wrong_size (void)
{
  static const guint32 sizes[] = { 0, 9, 3969, G_MAXUINT32 };
  Tpm tpm;

  tpm_init (&tpm);
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      put_command (&tpm, CC_ECHO, NULL, 0);
      test_write (tpm.board, BUFFER + 2, 4, GUINT32_SWAP_LE_BE (sizes[i]));
      g_assert_cmphex (run (&tpm), ==, 0x142); /* TPM_RC_COMMAND_SIZE */
      g_assert_cmphex (test_read (tpm.board, BUFFER, 2), ==, 0x0180);
      g_assert_cmpuint (get_be32 (&tpm, 2), ==, 10);
    }
  tpm_clear (&tpm);
}

static void
test_cancel (void)
{
  g_autofree char *events = NULL;
  Tpm tpm;

  tpm_init (&tpm);
  put_command (&tpm, CC_WAIT, NULL, 0);
  test_write (tpm.board, START, 4, 1);
  g_assert_cmphex (get32 (&tpm, START), ==, 1);
  test_write (tpm.board, BUFFER, 4, 0x12345678); /* not while it runs */
  g_assert_cmphex (get_be32 (&tpm, 6), ==, CC_WAIT);
  g_usleep (20000);
  test_write (tpm.board, BASE + 0x48, 4, 1);
  test_wait_until (get32 (&tpm, START) == 0);
  g_assert_cmphex (get_be32 (&tpm, 6), ==, 0x909);
  put_command (&tpm, CC_ECHO, NULL, 0);
  g_assert_cmphex (run (&tpm), ==, 0);
  events = dup_events (&tpm);
  g_assert_cmpstr (events, ==, "init stop init cancel "); /* made; powered on by the board's first reset */
  tpm_clear (&tpm);
}

/* A reset in the middle of a command: given up, then the TPM loses its power once; a command after it comes after that. */
static void
test_reset (void)
{
  g_autofree char *events = NULL;
  Tpm tpm;

  tpm_init (&tpm);
  put_command (&tpm, CC_WAIT, NULL, 0);
  test_write (tpm.board, START, 4, 1);
  g_usleep (20000);
  test_board_reset (tpm.board, VMM_RESET_WARM);
  g_assert_cmphex (get32 (&tpm, START), ==, 0);
  g_assert_cmphex (get32 (&tpm, BASE + 0x00), ==, 0x81);
  g_assert_cmphex (get_be32 (&tpm, 6), ==, 0);
  test_write (tpm.board, BASE + 0x08, 4, 1);
  put_command (&tpm, CC_ECHO, NULL, 0);
  g_assert_cmphex (run (&tpm), ==, 0);
  events = dup_events (&tpm);
  g_assert_cmpstr (events, ==, "init stop init cancel stop init ");
  tpm_clear (&tpm);
}

static void
test_ends (void)
{
  g_autofree char *events = NULL;
  Tpm tpm;

  tpm_init (&tpm);
  put_command (&tpm, CC_WAIT, NULL, 0);
  test_write (tpm.board, START, 4, 1);
  test_board_free (tpm.board);
  events = dup_events (&tpm);
  g_assert_true (g_str_has_suffix (events, "shutdown "));
  tpm.board = test_board_new ();
  tpm_clear (&tpm);
}

/* @code makes the stand-in unusable: the guest is told, and the machine goes on. */
static void
check_fatal (guint32 code)
{
  GLogLevelFlags fatal = g_log_set_always_fatal (G_LOG_FATAL_MASK); /* it is warned of */
  Tpm tpm;

  tpm_init (&tpm);
  put_command (&tpm, code, NULL, 0);
  g_assert_cmphex (run (&tpm), ==, 0x101); /* TPM_RC_FAILURE */
  g_assert_cmphex (get32 (&tpm, STS) & 1, ==, 1);
  put_command (&tpm, CC_ECHO, NULL, 0);
  test_write (tpm.board, START, 4, 1);
  g_assert_cmphex (get32 (&tpm, START), ==, 0);
  test_board_reset (tpm.board, VMM_RESET_WARM);
  tpm_clear (&tpm);
  g_log_set_always_fatal (fatal);
}

static void
test_dies (void)
{
  check_fatal (CC_DIE);
}

static void
test_absurd (void)
{
  check_fatal (CC_ABSURD);
}

static void
test_missing (void)
{
  static const char *const programs[] = { "/nonexistent/swtpm", "/bin/false" };
  g_autofree char *dir = g_dir_make_tmp ("lodge-test-XXXXXX", NULL);
  g_autoptr (TestBoard) board = test_board_new ();

  for (guint i = 0; i < G_N_ELEMENTS (programs); i++)
    {
      g_autoptr (GHashTable) settings = g_hash_table_new (g_str_hash, g_str_equal);
      g_autoptr (GError) error = NULL;

      g_hash_table_insert (settings, (gpointer) "state", dir);
      g_hash_table_insert (settings, (gpointer) "program", (gpointer) programs[i]);
      g_assert_null (vmm_device_new (board->machine, vmm_device_class_find ("tpm-crb"), "tpm0", settings, &error));
      g_assert_error (error, VMM_ERROR, (int) (i == 0 ? VMM_ERROR_NOT_FOUND : VMM_ERROR_HOST));
      g_assert_nonnull (strstr (error->message, "swtpm"));
    }
  remove_dir (dir);
}

/* Starts the TPM as firmware does it. Returns: how often it was reset in its life (part 3 §29.1, part 2 §10.11.1). */
static guint32
real_start (Tpm *tpm)
{
  static const guint8 startup_clear[] = { 0x00, 0x00 }, full_test[] = { 0x01 };

  test_write (tpm->board, BASE + 0x08, 4, 1);
  put_command (tpm, 0x144, startup_clear, sizeof startup_clear); /* TPM2_Startup */
  g_assert_cmphex (run (tpm), ==, 0);
  put_command (tpm, 0x143, full_test, sizeof full_test); /* TPM2_SelfTest */
  g_assert_cmphex (run (tpm), ==, 0);
  put_command (tpm, 0x181, NULL, 0); /* TPM2_ReadClock: time, clock, resets, restarts, safe */
  g_assert_cmphex (run (tpm), ==, 0);
  return get_be32 (tpm, 10 + 16);
}

static void
test_real (void)
{
  static const guint8 eight[] = { 0x00, 0x08 };
  g_autofree char *program = g_find_program_in_path ("swtpm");
  guint32 resets;
  Tpm tpm;

  if (program == NULL)
    {
      g_test_skip ("swtpm is not installed");
      return;
    }
  tpm.dir = g_dir_make_tmp ("lodge-test-XXXXXX", NULL);
  tpm_start (&tpm, NULL);
  resets = real_start (&tpm);
  put_command (&tpm, 0x17b, eight, sizeof eight); /* TPM2_GetRandom */
  g_assert_cmphex (run (&tpm), ==, 0);
  g_assert_cmpuint (get_be32 (&tpm, 2), ==, 10 + 2 + 8);
  /* Without a reset a second start is refused; a reset takes the power away. */
  put_command (&tpm, 0x144, (const guint8[]) { 0, 0 }, 2);
  g_assert_cmphex (run (&tpm), ==, 0x100); /* TPM_RC_INITIALIZE */
  test_board_reset (tpm.board, VMM_RESET_WARM);
  g_assert_cmpuint (real_start (&tpm), ==, resets + 1);
  test_board_free (tpm.board);
  /* Another start of the machine finds the same TPM. */
  tpm_start (&tpm, NULL);
  g_assert_cmpuint (real_start (&tpm), ==, resets + 2);
  tpm_clear (&tpm);
}

int
main (int argc, char **argv)
{
  if (argc > 1 && strcmp (argv[1], "socket") == 0)
    fake_main (argc, argv);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tpm-crb/interface/registers", test_identity);
  g_test_add_func ("/tpm-crb/locality/granted-and-given-back", test_locality);
  g_test_add_func ("/tpm-crb/command/whole-buffer-there-and-back", test_command);
  g_test_add_func ("/tpm-crb/command/wrong-size-is-answered", test_wrong_size);
  g_test_add_func ("/tpm-crb/command/cancelled", test_cancel);
  g_test_add_func ("/tpm-crb/reset/gives-up-and-cuts-the-power", test_reset);
  g_test_add_func ("/tpm-crb/swtpm/ends-with-the-machine", test_ends);
  g_test_add_func ("/tpm-crb/swtpm/its-end-is-a-fatal-error", test_dies);
  g_test_add_func ("/tpm-crb/swtpm/absurd-answer-is-a-fatal-error", test_absurd);
  g_test_add_func ("/tpm-crb/swtpm/missing-or-broken-is-said", test_missing);
  g_test_add_func ("/tpm-crb/swtpm/state-is-kept", test_real);
  return g_test_run ();
}
