/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The networks "tap" and "bridge", in a network namespace of our own (skipped where the host allows none). This program also plays
 * qemu-bridge-helper. */
#include "net-probe.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <arpa/inet.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define TYPE 0x88b5 /* for experiments, IEEE 802 */

static int
open_tap (const char *name)
{
  struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
  int fd = open ("/dev/net/tun", O_RDWR);

  g_strlcpy (request.ifr_name, name, sizeof request.ifr_name);
  if (fd >= 0 && ioctl (fd, TUNSETIFF, &request) == 0)
    return fd;
  if (fd >= 0)
    close (fd);
  return -1;
}

/* The host's side: the interface comes up, and a socket sees all of its frames of our type. */
static int
open_host (const char *name)
{
  struct ifreq request = { 0 };
  struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons (TYPE) };
  int fd = socket (AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons (TYPE));

  g_strlcpy (request.ifr_name, name, sizeof request.ifr_name);
  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (ioctl (fd, SIOCGIFFLAGS, &request), ==, 0);
  request.ifr_flags |= IFF_UP;
  g_assert_cmpint (ioctl (fd, SIOCSIFFLAGS, &request), ==, 0);
  g_assert_cmpint (ioctl (fd, SIOCGIFINDEX, &request), ==, 0);
  address.sll_ifindex = request.ifr_ifindex;
  g_assert_cmpint (bind (fd, (struct sockaddr *) &address, sizeof address), ==, 0);
  return fd;
}

static void
fill (guint8 *frame, gsize len, guint8 mark)
{
  memset (frame, mark, len);
  memset (frame, 0xff, 6);
  frame[6] = 0x02;
  frame[12] = TYPE >> 8;
  frame[13] = TYPE & 0xff;
}

static void
check_both_ways (TestBoard *board, VmmDevice *nic, const char *name)
{
  int host = open_host (name);
  struct pollfd ready = { .fd = host, .events = POLLIN };
  guint8 frame[200], got[300];

  fill (frame, sizeof frame, 1);
  g_assert_true (net_probe_send (nic, NULL, frame, sizeof frame));
  g_assert_cmpint (poll (&ready, 1, 5000), ==, 1);
  g_assert_cmpint (recv (host, got, sizeof got, 0), ==, sizeof frame);
  g_assert_cmpmem (got, sizeof frame, frame, sizeof frame);

  fill (frame, sizeof frame, 2);
  g_assert_cmpint (send (host, frame, sizeof frame, 0), ==, sizeof frame);
  for (;;)
    {
      g_autofree NetProbeFrame *taken = net_probe_take (board, nic, TRUE);

      g_assert_nonnull (taken);
      if (taken->len == sizeof frame && taken->data[12] == TYPE >> 8)
        {
          g_assert_cmpmem (taken->data, taken->len, frame, sizeof frame);
          break;
        }
    }
  close (host);
}

static gboolean
have_tap (void)
{
  int fd = open_tap ("probe0");

  if (fd < 0)
    {
      g_test_skip ("no tap interfaces here");
      return FALSE;
    }
  close (fd);
  return TRUE;
}

static void
test_name (void)
{
  g_autoptr (TestBoard) board = NULL;
  VmmDevice *nic;

  if (!have_tap ())
    return;
  board = test_board_new ();
  nic = net_probe_add (board, "net0", "network", "tap", "tap", "lodge0", NULL);
  check_both_ways (board, nic, "lodge0");
}

static void
test_descriptor (void)
{
  g_autoptr (TestBoard) board = NULL;
  g_autofree char *text = NULL;
  VmmDevice *nic;

  if (!have_tap ())
    return;
  board = test_board_new ();
  text = g_strdup_printf ("%d", open_tap ("lodge1"));
  nic = net_probe_add (board, "net0", "network", "tap", "tap-fd", text, NULL);
  check_both_ways (board, nic, "lodge1");
}

/* Segmentation is left to the host: it takes the header. */
static void
test_large (void)
{
  g_autoptr (TestBoard) board = NULL;
  const VmmNetHeader header = { .flags = VMM_NET_NEEDS_CSUM,
                                .gso_type = VMM_NET_GSO_TCP4,
                                .header_len = 54,
                                .gso_size = 1000,
                                .csum_start = 34,
                                .csum_offset = 16 };
  guint8 frame[54 + 3000] = "\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\1\x08\0\x45";
  VmmDevice *nic;

  if (!have_tap ())
    return;
  board = test_board_new ();
  nic = net_probe_add (board, "net0", "network", "tap", "tap", "lodge2", NULL);
  close (open_host ("lodge2"));
  frame[16] = 3040 >> 8;
  frame[17] = 3040 & 0xff;
  frame[22] = 64;
  frame[23] = 6;
  frame[46] = 0x50;
  g_assert_true (net_probe_send (nic, &header, frame, sizeof frame));
}

static void
test_bridge (void)
{
  g_autoptr (TestBoard) board = NULL;
  g_autofree char *exe = g_file_read_link ("/proc/self/exe", NULL);
  g_autoptr (GError) error = NULL;
  VmmDevice *nic;

  if (!have_tap ())
    return;
  g_setenv ("LODGE_BRIDGE_HELPER", exe, TRUE);
  board = test_board_new ();
  nic = net_probe_add (board, "net0", "network", "bridge", "bridge", "br9", NULL);
  check_both_ways (board, nic, "br9-port");
  g_setenv ("LODGE_BRIDGE_HELPER", "/bin/false", TRUE);
  g_assert_null (net_probe_try (board, &error, "net1", "network", "bridge", "bridge", "br9", NULL));
  g_assert_error (error, VMM_ERROR, VMM_ERROR_HOST);
}

static void
test_wrong (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *text = g_strdup_printf ("%d", open ("/dev/null", O_RDWR | O_CLOEXEC));

  g_assert_null (net_probe_try (board, &error, "net0", "network", "tap", NULL));
  g_assert_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG);
  g_clear_error (&error);
  g_assert_null (net_probe_try (board, &error, "net0", "network", "tap", "tap-fd", text, NULL));
  g_assert_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG);
}

static int
play_helper (const char *bridge)
{
  g_autofree char *name = g_strconcat (bridge, "-port", NULL);
  int fd = open_tap (name);
  char byte = 0;
  struct iovec iov = { &byte, 1 };
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE (sizeof (int))];
  } control = { .header = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN (sizeof (int)) } };
  struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };

  memcpy (CMSG_DATA (&control.header), &fd, sizeof fd);
  return fd >= 0 && sendmsg (3, &message, 0) == 1 ? 0 : 1;
}

int
main (int argc, char **argv)
{
  g_autofree char *uid_map = g_strdup_printf ("0 %u 1", getuid ()), *gid_map = g_strdup_printf ("0 %u 1", getgid ());

  for (int i = 1; i < argc; i++)
    if (g_str_has_prefix (argv[i], "--br="))
      return play_helper (argv[i] + 5);
  if (unshare (CLONE_NEWUSER | CLONE_NEWNET) == 0)
    {
      g_file_set_contents_full ("/proc/self/setgroups", "deny", -1, G_FILE_SET_CONTENTS_NONE, 0, NULL);
      g_file_set_contents_full ("/proc/self/uid_map", uid_map, -1, G_FILE_SET_CONTENTS_NONE, 0, NULL);
      g_file_set_contents_full ("/proc/self/gid_map", gid_map, -1, G_FILE_SET_CONTENTS_NONE, 0, NULL);
    }
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/net-tap/by-name", test_name);
  g_test_add_func ("/net-tap/by-descriptor", test_descriptor);
  g_test_add_func ("/net-tap/large-packets", test_large);
  g_test_add_func ("/net-tap/bridge-helper", test_bridge);
  g_test_add_func ("/net-tap/wrong-settings", test_wrong);
  return g_test_run ();
}
