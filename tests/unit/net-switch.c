/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The network "switch", between boards of this process and with a process that dies. */
#include "net-probe.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAC_A "\x52\x54\x00\x00\x00\x0a"
#define MAC_B "\x52\x54\x00\x00\x00\x0b"
#define MAC_C "\x52\x54\x00\x00\x00\x0c"
#define TO_ALL "\xff\xff\xff\xff\xff\xff"

static VmmDevice *
join (TestBoard *board, const char *name)
{
  return net_probe_add (board, "net0", "network", "switch", "switch", name, NULL);
}

static void
send_frame (VmmDevice *nic, const char *to, const char *from, guint8 mark, gsize len)
{
  g_autofree guint8 *frame = g_malloc0 (len);

  memcpy (frame, to, 6);
  memcpy (frame + 6, from, 6);
  frame[12] = 0x88;
  frame[13] = 0xb5; /* for experiments, IEEE 802 */
  frame[14] = mark;
  g_assert_true (net_probe_send (nic, NULL, frame, len));
}

static void
expect (TestBoard *board, VmmDevice *nic, guint8 mark, gsize len)
{
  g_autofree NetProbeFrame *frame = net_probe_take (board, nic, TRUE);

  g_assert_nonnull (frame);
  g_assert_cmpuint (frame->len, ==, len);
  g_assert_cmpuint (frame->data[14], ==, mark);
}

static void
expect_nothing (TestBoard *board, VmmDevice *nic)
{
  g_usleep (20000);
  g_assert_null (net_probe_take (board, nic, FALSE));
}

static void
test_exchange (void)
{
  g_autoptr (TestBoard) a = test_board_new (), b = test_board_new (), c = test_board_new (), d = test_board_new ();
  VmmDevice *nic_a = join (a, "one"), *nic_b = join (b, "one"), *nic_c = join (c, "one"), *nic_d = join (d, "two");

  send_frame (nic_a, TO_ALL, MAC_A, 1, 60);
  expect (b, nic_b, 1, 60);
  expect (c, nic_c, 1, 60);
  expect_nothing (a, nic_a);
  expect_nothing (d, nic_d);
  send_frame (nic_b, MAC_A, MAC_B, 2, 1514);
  expect (a, nic_a, 2, 1514);
  expect_nothing (c, nic_c); /* it was learned where A is */
  send_frame (nic_c, MAC_B, MAC_C, 3, 60);
  expect (b, nic_b, 3, 60);
}

/* What is left to do of a frame crosses the switch, and is done for a guest that cannot. */
static void
test_offloads (void)
{
  g_autoptr (TestBoard) a = test_board_new (), b = test_board_new ();
  VmmDevice *nic_a = join (a, "offloads"), *nic_b = join (b, "offloads");
  const VmmNetHeader header = { .flags = VMM_NET_NEEDS_CSUM,
                                .gso_type = VMM_NET_GSO_TCP4,
                                .header_len = 54,
                                .gso_size = 1000,
                                .csum_start = 34,
                                .csum_offset = 16 };
  g_autofree guint8 *frame = g_malloc0 (54 + 2500);
  NetProbeFrame *got;

  memcpy (frame, MAC_B MAC_A "\x08\x00\x45", 15);
  frame[16] = 2540 >> 8;
  frame[17] = 2540 & 0xff;
  frame[23] = 6;
  frame[46] = 0x50;
  g_assert_true (net_probe_send (nic_a, &header, frame, 54 + 2500));
  for (guint i = 0; i < 3; i++)
    {
      got = net_probe_take (b, nic_b, TRUE);
      g_assert_nonnull (got);
      g_assert_cmpuint (got->len, ==, i < 2 ? 1054 : 554);
      g_free (got);
    }
  vmm_net_set_offloads (net_probe_get_net (nic_b), VMM_NET_OFFLOAD_CSUM | VMM_NET_OFFLOAD_TSO4);
  g_assert_true (net_probe_send (nic_a, &header, frame, 54 + 2500));
  got = net_probe_take (b, nic_b, TRUE);
  g_assert_nonnull (got);
  g_assert_cmpuint (got->len, ==, 54 + 2500);
  g_assert_cmpuint (got->header.gso_size, ==, 1000);
  g_free (got);
}

static void
test_leaving (void)
{
  g_autoptr (TestBoard) a = test_board_new (), b = test_board_new ();
  VmmDevice *nic_a = join (a, "leaving"), *nic_b = join (b, "leaving");

  send_frame (nic_b, TO_ALL, MAC_B, 1, 60);
  expect (a, nic_a, 1, 60);
  net_probe_remove (b, nic_b);
  send_frame (nic_a, MAC_B, MAC_A, 2, 60);
  nic_b = join (b, "leaving");
  send_frame (nic_a, MAC_B, MAC_A, 3, 60);
  expect (b, nic_b, 3, 60);
}

/* Another process takes part and is killed; its socket is left behind. */
static void
test_death (void)
{
  g_autoptr (TestBoard) a = test_board_new (), b = NULL;
  VmmDevice *nic_a = join (a, "death"), *nic_b;
  const char *const argv[] = { "/proc/self/exe", "--take-part", NULL };
  g_autofree char *exe = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *path = g_build_filename (g_get_user_runtime_dir (), "lodge", "switch", "death", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GDir) dir = NULL;
  const char *spawn[] = { exe, argv[1], NULL };
  guint ports = 0;
  GPid pid;

  g_spawn_async (NULL, (char **) spawn, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid, &error);
  g_assert_no_error (error);
  expect (a, nic_a, 77, 60);
  kill (pid, SIGKILL);
  waitpid (pid, NULL, 0);
  send_frame (nic_a, TO_ALL, MAC_A, 1, 60); /* to nobody */
  b = test_board_new ();
  nic_b = join (b, "death");
  send_frame (nic_a, TO_ALL, MAC_A, 2, 60);
  expect (b, nic_b, 2, 60);
  dir = g_dir_open (path, 0, NULL);
  for (const char *name; (name = g_dir_read_name (dir)) != NULL;)
    ports += g_str_has_prefix (name, "port-");
  g_assert_cmpuint (ports, ==, 2);
}

static int
take_part (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  VmmDevice *nic = join (board, "death");

  send_frame (nic, TO_ALL, MAC_B, 77, 60);
  while (pause () < 0)
    continue;
  return 1;
}

/* A guest that takes nothing holds up nobody else. */
static void
test_slow_peer (void)
{
  g_autoptr (TestBoard) a = test_board_new (), b = test_board_new (), c = test_board_new ();
  VmmDevice *nic_a = join (a, "slow"), *nic_b = join (b, "slow"), *nic_c = join (c, "slow");

  net_probe_set_full (nic_b, TRUE);
  for (guint i = 0; i < 3000; i++)
    {
      send_frame (nic_a, TO_ALL, MAC_A, (guint8) i, 1514);
      expect (c, nic_c, (guint8) i, 1514);
    }
  net_probe_set_full (nic_b, FALSE);
  expect (b, nic_b, 0, 1514);
}

static void
test_names (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  const char *const bad[] = { "", "../up", "a/b", ".hidden", "with space" };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (net_probe_try (board, &error, "net0", "network", "switch", "switch", bad[i], NULL));
      g_assert_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG);
    }
}

int
main (int argc, char **argv)
{
  g_autofree char *dir = NULL;
  int status;

  if (argc > 1 && g_str_equal (argv[1], "--take-part"))
    return take_part ();
  /* A directory of our own, with a path that is longer than a socket's address may be. */
  dir = g_dir_make_tmp (
      "lodge-switch-XXXXXX-with-a-name-that-makes-the-path-of-a-socket-longer-than-an-address-may-be-which-is-107", NULL);
  g_setenv ("XDG_RUNTIME_DIR", dir, TRUE);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/net-switch/exchange", test_exchange);
  g_test_add_func ("/net-switch/offloads-cross", test_offloads);
  g_test_add_func ("/net-switch/leaving-and-coming-back", test_leaving);
  g_test_add_func ("/net-switch/death-of-a-process", test_death);
  g_test_add_func ("/net-switch/slow-peer-holds-up-nobody", test_slow_peer);
  g_test_add_func ("/net-switch/names", test_names);
  status = g_test_run ();
  return status;
}
