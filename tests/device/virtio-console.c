/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: VIRTIO 1.2 §5.3; the order of the control messages as Linux's virtio_console expects it. */
#include "virtio-host.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BAR 0xe0000000u
#define DATA 0x200000u
#define CONTROL_IN 0x300000u
#define CONTROL_OUT 0x310000u
#define F_MULTIPORT (1u << 1)

typedef struct {
  TestBoard *board;
  VirtioHost host;
  char *dir, *path;
} Fixture;

static void
offer_control (Fixture *f, guint n)
{
  for (guint i = 0; i < n; i++)
    {
      const VirtioHostPiece piece = { CONTROL_IN + i * 128, 128 };

      virtio_host_add (&f->host, 2, &piece, 0, 1);
    }
  virtio_host_kick (&f->host, 2);
}

static Fixture *
fixture_new (guint64 features)
{
  Fixture *f = g_new0 (Fixture, 1);
  g_autofree char *ports = NULL;

  f->dir = g_dir_make_tmp ("lodge-XXXXXX", NULL);
  f->path = g_build_filename (f->dir, "agent", NULL);
  ports = g_strdup_printf ("org.qemu.guest_agent.0=%s", f->path);
  f->board = test_board_new ();
  test_board_add (f->board, "virtio-console", "console0", "ports", ports, NULL);
  virtio_host_init (&f->host, f->board, 2 << 3, BAR);
  virtio_host_start (&f->host, features, 64, TRUE);
  if (features != 0)
    offer_control (f, 32);
  return f;
}

static void
fixture_free (Fixture *f)
{
  test_board_free (f->board);
  g_assert_false (g_file_test (f->path, G_FILE_TEST_EXISTS));
  rmdir (f->dir);
  g_free (f->dir);
  g_free (f->path);
  g_free (f);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Fixture, fixture_free)

static void
send_control (Fixture *f, guint32 id, guint16 event, guint16 value)
{
  struct {
    guint32 id;
    guint16 event, value;
  } message = { GUINT32_TO_LE (id), GUINT16_TO_LE (event), GUINT16_TO_LE (value) };
  const VirtioHostPiece piece = { CONTROL_OUT, 8 };

  test_ram_write (f->board, CONTROL_OUT, &message, sizeof message);
  virtio_host_do (&f->host, 3, &piece, 1, 0);
}

static void
expect_control (Fixture *f, guint32 id, guint16 event, guint16 value, const char *text)
{
  guint32 head, n = virtio_host_take (&f->host, 2, &head);
  guint8 bytes[128];
  guint32 got_id;
  guint16 got_event, got_value;

  g_assert_cmpuint (n, ==, 8 + (text != NULL ? strlen (text) : 0));
  test_ram_read (f->board, CONTROL_IN + head * 128, bytes, sizeof bytes);
  memcpy (&got_id, bytes, 4);
  memcpy (&got_event, bytes + 4, 2);
  memcpy (&got_value, bytes + 6, 2);
  g_assert_cmpuint (GUINT32_FROM_LE (got_id), ==, id);
  g_assert_cmpuint (GUINT16_FROM_LE (got_event), ==, event);
  g_assert_cmpuint (GUINT16_FROM_LE (got_value), ==, value);
  if (text != NULL)
    g_assert_cmpmem (bytes + 8, n - 8, text, strlen (text));
}

static int
connect_client (Fixture *f)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_strlcpy (address.sun_path, f->path, sizeof address.sun_path);
  g_assert_cmpint (connect (fd, (const struct sockaddr *) &address, sizeof address), ==, 0);
  return fd;
}

/* DEVICE_READY … both ports open on the guest's side. */
static void
open_ports (Fixture *f)
{
  send_control (f, 0, 0, 1);
  expect_control (f, 0, 1, 1, NULL);
  expect_control (f, 1, 1, 1, NULL);
  send_control (f, 0, 3, 1);
  expect_control (f, 0, 4, 1, NULL);
  expect_control (f, 0, 6, 1, NULL);
  send_control (f, 1, 3, 1);
  expect_control (f, 1, 7, 1, "org.qemu.guest_agent.0");
  send_control (f, 0, 6, 1);
  send_control (f, 1, 6, 1);
}

static void
test_handshake (void)
{
  g_autoptr (Fixture) f = fixture_new (F_MULTIPORT);
  int fd;

  g_assert_cmphex (test_pci_read (f->board, f->host.devfn, 0x02, 2), ==, 0x1043);
  g_assert_cmpuint (test_read (f->board, f->host.device + 4, 4), ==, 2);
  g_assert_cmpuint (f->host.n_queues, ==, 6);
  open_ports (f);
  fd = connect_client (f);
  expect_control (f, 1, 6, 1, NULL);
  close (fd);
  expect_control (f, 1, 6, 0, NULL);
  fd = connect_client (f);
  expect_control (f, 1, 6, 1, NULL);
  close (fd);
}

static void
test_echo (void)
{
  g_autoptr (Fixture) f = fixture_new (F_MULTIPORT);
  const VirtioHostPiece in[] = { { DATA, 3 }, { DATA + 0x1000, 100 } }, out[] = { { DATA + 0x2000, 2 }, { DATA + 0x3000, 4 } };
  char bytes[8] = { 0 };
  int fd;

  open_ports (f);
  fd = connect_client (f);
  expect_control (f, 1, 6, 1, NULL);
  g_assert_cmpint (write (fd, "hello", 5), ==, 5);
  virtio_host_add (&f->host, 4, in, 0, 2);
  virtio_host_kick (&f->host, 4);
  g_assert_cmpuint (virtio_host_take (&f->host, 4, NULL), ==, 5);
  test_ram_read (f->board, DATA, bytes, 3);
  test_ram_read (f->board, DATA + 0x1000, bytes + 3, 2);
  g_assert_cmpstr (bytes, ==, "hello");
  test_ram_write (f->board, DATA + 0x2000, "ab", 2);
  test_ram_write (f->board, DATA + 0x3000, "cdef", 4);
  g_assert_cmpuint (virtio_host_do (&f->host, 5, out, 2, 0), ==, 0);
  memset (bytes, 0, sizeof bytes);
  g_assert_cmpint (recv (fd, bytes, 6, MSG_WAITALL), ==, 6);
  g_assert_cmpstr (bytes, ==, "abcdef");
  close (fd);
}

/* What the client does not take stays with the guest, and nothing is lost. */
static void
test_throttle (void)
{
  g_autoptr (Fixture) f = fixture_new (F_MULTIPORT);
  g_autofree guint8 *bytes = g_malloc (1u << 20), *back = g_malloc (1u << 20);
  VmmDevice *console = vmm_machine_find_device (f->board->machine, "console0");
  gsize got = 0;
  int fd;

  open_ports (f);
  fd = connect_client (f);
  expect_control (f, 1, 6, 1, NULL);
  for (guint i = 0; i < 1u << 20; i++)
    bytes[i] = (guint8) (i * 31 + (i >> 8));
  test_ram_write (f->board, DATA + 0x200000, bytes, 1u << 20);
  for (guint i = 0; i < 32; i++)
    {
      const VirtioHostPiece piece = { DATA + 0x200000 + i * 0x8000, 0x8000 };

      virtio_host_add (&f->host, 5, &piece, 1, 0);
    }
  virtio_host_kick (&f->host, 5);
  g_usleep (20000);
  test_board_settle (f->board);
  g_assert_cmpuint (virtio_host_used_idx (&f->host, 5), <, 32);
  /* a pause in the middle of an element changes nothing */
  console->class->quiesce (console);
  console->class->resume (console);
  while (got < 1u << 20)
    {
      gssize n = recv (fd, back + got, (1u << 20) - got, 0);

      g_assert_cmpint (n, >, 0);
      got += (gsize) n;
    }
  g_assert_cmpmem (bytes, 1u << 20, back, 1u << 20);
  for (guint i = 0; i < 32; i++)
    virtio_host_take (&f->host, 5, NULL);
  close (fd);
}

static void
test_megabyte_in (void)
{
  g_autoptr (Fixture) f = fixture_new (F_MULTIPORT);
  g_autofree guint8 *bytes = g_malloc (1u << 20), *back = g_malloc (1u << 20);
  gsize sent = 0, got = 0;
  int fd;

  open_ports (f);
  fd = connect_client (f);
  for (guint i = 0; i < 1u << 20; i++)
    bytes[i] = (guint8) (i * 13 + (i >> 9));
  while (got < 1u << 20)
    {
      const VirtioHostPiece piece = { DATA, 0x4000 };
      guint32 n;

      while (sent < 1u << 20)
        {
          gssize m = send (fd, bytes + sent, (1u << 20) - sent, MSG_DONTWAIT);

          if (m < 0)
            break;
          sent += (gsize) m;
        }
      /* the client may go before all is read */
      if (sent == 1u << 20 && fd >= 0)
        {
          close (fd);
          fd = -1;
        }
      virtio_host_add (&f->host, 4, &piece, 0, 1);
      virtio_host_kick (&f->host, 4);
      n = virtio_host_take (&f->host, 4, NULL);
      g_assert_cmpuint (n, >, 0);
      g_assert_cmpuint (got + n, <=, 1u << 20);
      test_ram_read (f->board, DATA, back + got, n);
      got += n;
    }
  g_assert_cmpmem (bytes, 1u << 20, back, 1u << 20);
}

static void
test_terminal (void)
{
  g_autoptr (Fixture) f = fixture_new (0); /* one port, no control queues: the firmware's way */
  const VirtioHostPiece out = { DATA, 5 }, in = { DATA + 0x1000, 16 };
  char bytes[8] = { 0 };
  int pair[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
  g_assert_true (vmm_machine_attach_serial (f->board->machine, "console0", pair[0], FALSE, NULL));
  test_ram_write (f->board, DATA, "login", 5);
  g_assert_cmpuint (virtio_host_do (&f->host, 1, &out, 1, 0), ==, 0);
  g_assert_cmpint (recv (pair[1], bytes, 5, MSG_WAITALL), ==, 5);
  g_assert_cmpstr (bytes, ==, "login");
  test_write (f->board, f->host.device + 8, 4, '!');
  g_assert_cmpint (recv (pair[1], bytes, 1, MSG_WAITALL), ==, 1);
  g_assert_cmpint (bytes[0], ==, '!');
  g_assert_cmpint (write (pair[1], "root", 4), ==, 4);
  virtio_host_add (&f->host, 0, &in, 0, 1);
  virtio_host_kick (&f->host, 0);
  g_assert_cmpuint (virtio_host_take (&f->host, 0, NULL), ==, 4);
  close (pair[1]);
}

static void
test_nobody_listens (void)
{
  g_autoptr (Fixture) f = fixture_new (F_MULTIPORT);
  const VirtioHostPiece piece = { DATA, 64 };

  open_ports (f);
  for (guint i = 0; i < 100; i++)
    g_assert_cmpuint (virtio_host_do (&f->host, 5, &piece, 1, 0), ==, 0);
  send_control (f, 77, 3, 1);
  send_control (f, 1, 99, 1);
}

static void
test_reset_with_output_held (void)
{
  g_autoptr (Fixture) f = fixture_new (F_MULTIPORT);
  const VirtioHostPiece piece = { DATA, 4u << 20 };
  int fd;

  open_ports (f);
  fd = connect_client (f);
  expect_control (f, 1, 6, 1, NULL);
  virtio_host_add (&f->host, 5, &piece, 1, 0);
  virtio_host_kick (&f->host, 5);
  g_usleep (5000);
  virtio_host_start (&f->host, F_MULTIPORT, 64, TRUE);
  offer_control (f, 32);
  send_control (f, 0, 0, 1);
  expect_control (f, 0, 1, 1, NULL);
  expect_control (f, 1, 1, 1, NULL);
  send_control (f, 1, 3, 1);
  expect_control (f, 1, 7, 1, "org.qemu.guest_agent.0");
  expect_control (f, 1, 6, 1, NULL); /* the client is still there */
  close (fd);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/virtio-console/handshake", test_handshake);
  g_test_add_func ("/virtio-console/echo", test_echo);
  g_test_add_func ("/virtio-console/throttle", test_throttle);
  g_test_add_func ("/virtio-console/megabyte-in", test_megabyte_in);
  g_test_add_func ("/virtio-console/terminal", test_terminal);
  g_test_add_func ("/virtio-console/nobody-listens", test_nobody_listens);
  g_test_add_func ("/virtio-console/reset-with-output-held", test_reset_with_output_held);
  return g_test_run ();
}
