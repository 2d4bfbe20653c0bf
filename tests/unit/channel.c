/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/channel.h"

#include "test-board.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
  TestBoard *board;
  VmmDevice dev;
  VmmChannel *channel;
  int peer;
  GString *got; /* by the device */
  gsize room;
} Fixture;

static gsize
receive (VmmDevice *dev, const guint8 *data, gsize len)
{
  Fixture *fixture = (Fixture *) ((guint8 *) dev - G_STRUCT_OFFSET (Fixture, dev));
  gsize n = MIN (len, fixture->room);

  g_string_append_len (fixture->got, (const char *) data, (gssize) n);
  fixture->room -= n;
  return n;
}

static void
attach (Fixture *fixture, gboolean replay)
{
  g_autoptr (GError) error = NULL;
  int pair[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
  vmm_machine_attach_serial (fixture->board->machine, "serial0", pair[0], replay, &error);
  g_assert_no_error (error);
  fixture->peer = pair[1];
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  fixture->board = test_board_new ();
  fixture->dev.machine = fixture->board->machine;
  fixture->dev.id = g_strdup ("serial0");
  g_mutex_init (&fixture->dev.lock);
  fixture->got = g_string_new (NULL);
  fixture->room = 1 << 20;
  fixture->peer = -1;
  fixture->channel = vmm_channel_new (&fixture->dev, receive, &error);
  g_assert_no_error (error);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  vmm_channel_free (fixture->channel);
  if (fixture->peer >= 0)
    close (fixture->peer);
  test_board_free (fixture->board);
  g_free (fixture->dev.id);
  g_mutex_clear (&fixture->dev.lock);
  g_string_free (fixture->got, TRUE);
}

static void
guest_writes (Fixture *fixture, const char *text, gsize len)
{
  vmm_device_lock (&fixture->dev);
  vmm_channel_write (fixture->channel, (const guint8 *) text, len);
  vmm_device_unlock (&fixture->dev);
}

static char *
peer_reads (Fixture *fixture, gsize len)
{
  g_autofree char *text = g_malloc0 (len + 1);

  for (gsize got = 0; got < len;)
    {
      gssize n = read (fixture->peer, text + got, len - got);

      g_assert_cmpint (n, >, 0);
      got += (gsize) n;
    }
  return g_steal_pointer (&text);
}

static gsize
device_got (Fixture *fixture)
{
  gsize len;

  vmm_device_lock (&fixture->dev);
  len = fixture->got->len;
  vmm_device_unlock (&fixture->dev);
  return len;
}

static void
test_output (Fixture *fixture, gconstpointer data)
{
  g_autofree char *text = NULL;

  attach (fixture, FALSE);
  guest_writes (fixture, "hello", 5);
  text = peer_reads (fixture, 5);
  g_assert_cmpstr (text, ==, "hello");
}

static void
test_replay (Fixture *fixture, gconstpointer data)
{
  g_autofree char *text = NULL;

  guest_writes (fixture, "before", 6);
  attach (fixture, TRUE);
  guest_writes (fixture, "after", 5);
  text = peer_reads (fixture, 11);
  g_assert_cmpstr (text, ==, "beforeafter");
}

static void
test_input_waits (Fixture *fixture, gconstpointer data)
{
  fixture->room = 3;
  attach (fixture, FALSE);
  g_assert_cmpint (write (fixture->peer, "abcdef", 6), ==, 6);
  test_wait_until (device_got (fixture) == 3);
  vmm_device_lock (&fixture->dev);
  fixture->room = 10;
  vmm_channel_accept (fixture->channel);
  vmm_device_unlock (&fixture->dev);
  test_wait_until (device_got (fixture) == 6);
  g_assert_cmpstr (fixture->got->str, ==, "abcdef");
}

/* A client that never reads costs a bounded buffer and nobody's time. */
static void
test_slow_client (Fixture *fixture, gconstpointer data)
{
  g_autofree char *block = g_strnfill (1 << 20, 'x');

  attach (fixture, FALSE);
  for (guint i = 0; i < 16; i++)
    guest_writes (fixture, block, 1 << 20);
  test_board_settle (fixture->board);
}

static void
test_client_leaves (Fixture *fixture, gconstpointer data)
{
  attach (fixture, FALSE);
  close (fixture->peer);
  fixture->peer = -1;
  guest_writes (fixture, "into the void", 13);
  test_board_settle (fixture->board);
  guest_writes (fixture, "again", 5);
  test_board_settle (fixture->board);
}

#define ADD(path, func) g_test_add (path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/channel/output-reaches-the-client", test_output);
  ADD ("/channel/replay-comes-before-new-output", test_replay);
  ADD ("/channel/input-waits-until-the-device-has-room", test_input_waits);
  ADD ("/channel/client-that-does-not-read-stops-nobody", test_slow_client);
  ADD ("/channel/client-that-leaves-is-forgotten", test_client_leaves);
  return g_test_run ();
}
