/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Conversations with the network "user": the test is the guest, and on the other side a program of the host.
 * Expected values: RFC 826 (ARP), 2131 and 2132 (DHCP), 1350 (TFTP), 9293 (TCP). */
#include "net-probe.h"

#include <arpa/inet.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GUEST_IP 0x0a00020fu
#define HOST_IP 0x0a000202u

static const guint8 guest_mac[] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };
static guint8 router_mac[6] = { 0x52, 0x55, 0x0a, 0x00, 0x02, 0x02 };

static guint
get16 (const guint8 *at)
{
  return (guint) (at[0] << 8 | at[1]);
}

static guint32
get32 (const guint8 *at)
{
  return get16 (at) << 16 | get16 (at + 2);
}

static void
put16 (guint8 *at, guint value)
{
  at[0] = (guint8) (value >> 8);
  at[1] = (guint8) value;
}

static void
put32 (guint8 *at, guint32 value)
{
  put16 (at, value >> 16);
  put16 (at + 2, value & 0xffff);
}

static guint16
sum16 (const guint8 *data, gsize len, guint32 sum)
{
  for (gsize i = 0; i < len; i++)
    sum += (i & 1) != 0 ? data[i] : (guint32) data[i] << 8;
  while (sum >> 16 != 0)
    sum = (sum & 0xffff) + (sum >> 16);
  return (guint16) ~sum;
}

/* Ethernet and IPv4 around a payload, TCP or UDP with its sum. */
static gsize
make_ip (guint8 *frame, guint32 from, guint32 to, guint protocol, gconstpointer payload, gsize len)
{
  guint8 *ip = frame + 14;
  guint32 pseudo = (from >> 16) + (from & 0xffff) + (to >> 16) + (to & 0xffff) + protocol + (guint32) len;

  memcpy (frame, to == 0xffffffffu ? (const guint8 *) "\xff\xff\xff\xff\xff\xff" : router_mac, 6);
  memcpy (frame + 6, guest_mac, 6);
  put16 (frame + 12, 0x0800);
  memset (ip, 0, 20);
  ip[0] = 0x45;
  put16 (ip + 2, (guint) (20 + len));
  ip[8] = 64;
  ip[9] = (guint8) protocol;
  put32 (ip + 12, from);
  put32 (ip + 16, to);
  put16 (ip + 10, sum16 (ip, 20, 0));
  memcpy (ip + 20, payload, len);
  if (protocol == IPPROTO_TCP)
    put16 (ip + 20 + 16, sum16 (ip + 20, len, pseudo));
  else if (protocol == IPPROTO_UDP)
    put16 (ip + 20 + 6, sum16 (ip + 20, len, pseudo));
  return 34 + len;
}

static void
send_udp (VmmDevice *nic, guint32 from, guint from_port, guint32 to, guint to_port, gconstpointer data, gsize len)
{
  guint8 udp[2048] = { 0 }, frame[2048];

  put16 (udp, from_port);
  put16 (udp + 2, to_port);
  put16 (udp + 4, (guint) (8 + len));
  memcpy (udp + 8, data, len);
  g_assert_true (net_probe_send (nic, NULL, frame, make_ip (frame, from, to, IPPROTO_UDP, udp, 8 + len)));
}

static void
send_tcp (VmmDevice *nic, guint from_port, guint to_port, guint32 seq, guint32 ack, guint flags, gconstpointer data, gsize len)
{
  guint8 tcp[2048] = { 0 }, frame[2048];

  put16 (tcp, from_port);
  put16 (tcp + 2, to_port);
  put32 (tcp + 4, seq);
  put32 (tcp + 8, ack);
  tcp[12] = 0x50;
  tcp[13] = (guint8) flags;
  put16 (tcp + 14, 0xffff);
  if (len != 0)
    memcpy (tcp + 20, data, len);
  g_assert_true (net_probe_send (nic, NULL, frame, make_ip (frame, GUEST_IP, HOST_IP, IPPROTO_TCP, tcp, 20 + len)));
}

/* The guest's ARP: whoever asks for it gets an answer. Returns TRUE if the frame was such a question. */
static gboolean
answer_arp (VmmDevice *nic, const NetProbeFrame *frame)
{
  guint8 reply[42] = { 0 };

  if (get16 (frame->data + 12) != 0x0806)
    return FALSE;
  if (get16 (frame->data + 20) != 1 || get32 (frame->data + 38) != GUEST_IP)
    return TRUE;
  memcpy (reply, frame->data + 6, 6);
  memcpy (reply + 6, guest_mac, 6);
  memcpy (reply + 12, frame->data + 12, 8);
  put16 (reply + 20, 2);
  memcpy (reply + 22, guest_mac, 6);
  put32 (reply + 28, GUEST_IP);
  memcpy (reply + 32, frame->data + 22, 10);
  g_assert_true (net_probe_send (nic, NULL, reply, sizeof reply));
  return TRUE;
}

/* The next IPv4 packet of @protocol; its sums are right. */
static NetProbeFrame *
take_ip (TestBoard *board, VmmDevice *nic, guint protocol)
{
  for (guint tries = 0; tries < 100; tries++)
    {
      NetProbeFrame *frame = net_probe_take (board, nic, TRUE);

      g_assert_nonnull (frame);
      if (!answer_arp (nic, frame) && get16 (frame->data + 12) == 0x0800 && frame->data[14 + 9] == protocol)
        {
          g_assert_cmphex (sum16 (frame->data + 14, 20, 0), ==, 0);
          return frame;
        }
      g_free (frame);
    }
  g_assert_not_reached ();
}

static VmmDevice *
add_nic (TestBoard *board)
{
  return net_probe_add (board, "net0", "network", "user", "mac", "52:54:00:12:34:56", "ipv6", "false", NULL);
}

static void
send_arp_request (VmmDevice *nic, guint32 target)
{
  guint8 arp[42] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

  memcpy (arp + 6, guest_mac, 6);
  put16 (arp + 12, 0x0806);
  put16 (arp + 14, 1);
  put16 (arp + 16, 0x0800);
  arp[18] = 6;
  arp[19] = 4;
  put16 (arp + 20, 1);
  memcpy (arp + 22, guest_mac, 6);
  put32 (arp + 28, GUEST_IP);
  put32 (arp + 38, target);
  g_assert_true (net_probe_send (nic, NULL, arp, sizeof arp));
}

static void
test_arp (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  VmmDevice *nic = add_nic (board);
  g_autofree NetProbeFrame *reply = NULL;

  g_assert_true (vmm_net_get_link (net_probe_get_net (nic)));
  g_assert_cmpmem (vmm_net_get_mac (net_probe_get_net (nic)), 6, guest_mac, 6);
  send_arp_request (nic, HOST_IP);
  reply = net_probe_take (board, nic, TRUE);
  g_assert_nonnull (reply);
  g_assert_cmphex (get16 (reply->data + 12), ==, 0x0806);
  g_assert_cmphex (get16 (reply->data + 20), ==, 2);
  g_assert_cmphex (get32 (reply->data + 28), ==, HOST_IP);
  g_assert_cmpmem (reply->data, 6, guest_mac, 6);
}

static const guint8 *
find_option (const guint8 *options, guint8 code)
{
  for (guint i = 0; i < 300 && options[i] != 255; i += options[i] == 0 ? 1 : 2u + options[i + 1])
    if (options[i] == code)
      return options + i + 1;
  return NULL;
}

static void
test_dhcp (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree char *dir = g_dir_make_tmp ("lodge-net-XXXXXX", NULL);
  VmmDevice *nic = net_probe_add (board, "net0", "network", "user", "mac", "52:54:00:12:34:56", "tftp", dir, "bootfile",
                                  "pxe/start.0", "hostname", "guest1", NULL);
  guint8 bootp[300] = { 1, 1, 6, 0, 0xde, 0xad, 0xbe, 0xef };
  const guint8 discover[] = { 0x63, 0x82, 0x53, 0x63, 53, 1, 1, 55, 4, 1, 3, 6, 67, 255 };
  g_autofree NetProbeFrame *offer = NULL;
  const guint8 *reply, *option;

  memcpy (bootp + 28, guest_mac, 6);
  memcpy (bootp + 236, discover, sizeof discover);
  send_udp (nic, 0, 68, 0xffffffffu, 67, bootp, sizeof bootp);
  offer = take_ip (board, nic, IPPROTO_UDP);
  reply = offer->data + 14 + 20 + 8;
  g_assert_cmpuint (reply[0], ==, 2);
  g_assert_cmphex (get32 (reply + 4), ==, 0xdeadbeef);
  g_assert_cmphex (get32 (reply + 16), ==, GUEST_IP);
  g_assert_cmphex (get32 (reply + 20), ==, HOST_IP);
  g_assert_cmpstr ((const char *) reply + 108, ==, "pxe/start.0");
  option = find_option (reply + 240, 53);
  g_assert_nonnull (option);
  g_assert_cmpuint (option[1], ==, 2); /* DHCPOFFER */
  option = find_option (reply + 240, 3);
  g_assert_nonnull (option);
  g_assert_cmphex (get32 (option + 1), ==, HOST_IP);
  option = find_option (reply + 240, 12);
  g_assert_nonnull (option);
  g_assert_cmpmem (option + 1, option[0], "guest1", 6);
  g_rmdir (dir);
}

static void
test_tftp (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autofree char *dir = g_dir_make_tmp ("lodge-net-XXXXXX", NULL), *path = g_build_filename (dir, "start.0", NULL);
  VmmDevice *nic = net_probe_add (board, "net0", "network", "user", "mac", "52:54:00:12:34:56", "tftp", dir, "ipv6", "false", NULL);
  const guint8 ask[] = "\0\1start.0\0octet", escape[] = "\0\1../../../../../etc/passwd\0octet";
  guint8 content[700], ack[4] = { 0, 4, 0, 1 };
  NetProbeFrame *data;
  guint port;

  for (guint i = 0; i < sizeof content; i++)
    content[i] = (guint8) (i * 7);
  g_assert_true (g_file_set_contents (path, (const char *) content, sizeof content, NULL));
  send_arp_request (nic, HOST_IP);
  send_udp (nic, GUEST_IP, 2000, HOST_IP, 69, ask, sizeof ask);
  data = take_ip (board, nic, IPPROTO_UDP);
  g_assert_cmphex (get32 (data->data + 42), ==, 0x00030001); /* DATA, block 1 */
  g_assert_cmpmem (data->data + 46, 512, content, 512);
  port = get16 (data->data + 34);
  g_free (data);
  send_udp (nic, GUEST_IP, 2000, HOST_IP, port, ack, sizeof ack);
  data = take_ip (board, nic, IPPROTO_UDP);
  g_assert_cmphex (get32 (data->data + 42), ==, 0x00030002);
  g_assert_cmpuint (get16 (data->data + 38), ==, 8 + 4 + 188);
  g_assert_cmpmem (data->data + 46, 188, content + 512, 188);
  g_free (data);
  send_udp (nic, GUEST_IP, 2001, HOST_IP, 69, escape, sizeof escape);
  data = take_ip (board, nic, IPPROTO_UDP);
  g_assert_cmphex (get16 (data->data + 42), ==, 5); /* ERROR */
  g_free (data);
  g_unlink (path);
  g_rmdir (dir);
}

/* === TCP === */

static int
listen_somewhere (int type, guint *ret_port)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t len = sizeof address;
  int fd = socket (AF_INET, type | SOCK_CLOEXEC, 0);

  g_assert_cmpint (bind (fd, (struct sockaddr *) &address, sizeof address), ==, 0);
  if (type == SOCK_STREAM)
    g_assert_cmpint (listen (fd, 4), ==, 0);
  getsockname (fd, (struct sockaddr *) &address, &len);
  *ret_port = ntohs (address.sin_port);
  return fd;
}

static guint
free_port (int type)
{
  guint port;

  close (listen_somewhere (type, &port));
  return port;
}

static int
connect_to (int type, guint port)
{
  struct sockaddr_in address = { .sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl (INADDR_LOOPBACK),
                                 .sin_port = htons ((guint16) port) };
  int fd = socket (AF_INET, type | SOCK_CLOEXEC, 0);

  if (connect (fd, (struct sockaddr *) &address, sizeof address) == 0)
    return fd;
  close (fd);
  return -1;
}

static void
read_exactly (int fd, gpointer buffer, gsize len)
{
  for (gsize done = 0; done < len;)
    {
      struct pollfd ready = { .fd = fd, .events = POLLIN };
      gssize n;

      g_assert_cmpint (poll (&ready, 1, 5000), ==, 1);
      n = read (fd, (guint8 *) buffer + done, len - done);
      g_assert_cmpint (n, >, 0);
      done += (gsize) n;
    }
}

/* The next TCP segment with payload or with one of @flags set. */
static NetProbeFrame *
take_tcp (TestBoard *board, VmmDevice *nic, guint flags, const guint8 **ret_payload, gsize *ret_len)
{
  for (;;)
    {
      NetProbeFrame *frame = take_ip (board, nic, IPPROTO_TCP);
      const guint8 *tcp = frame->data + 34;
      gsize header = (gsize) (tcp[12] >> 4) * 4, len = get16 (frame->data + 16) - 20 - header;

      if ((flags != 0 && (tcp[13] & flags) == flags) || (flags == 0 && len > 0))
        {
          *ret_payload = tcp + header;
          *ret_len = len;
          return frame;
        }
      g_free (frame);
    }
}

static void
test_tcp_to_host (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  VmmDevice *nic = add_nic (board);
  guint port;
  int listener = listen_somewhere (SOCK_STREAM, &port), fd;
  g_autofree NetProbeFrame *answer = NULL, *data = NULL;
  const guint8 *payload;
  char buffer[5];
  guint32 seq;
  gsize len;

  send_arp_request (nic, HOST_IP);
  send_tcp (nic, 4000, port, 1000, 0, 0x02, NULL, 0);
  answer = take_tcp (board, nic, 0x12, &payload, &len);
  g_assert_cmpuint (get32 (answer->data + 42), ==, 1001);
  seq = get32 (answer->data + 38) + 1;
  send_tcp (nic, 4000, port, 1001, seq, 0x10, NULL, 0);
  fd = accept (listener, NULL, NULL);
  g_assert_cmpint (fd, >=, 0);
  send_tcp (nic, 4000, port, 1001, seq, 0x18, "hello", 5);
  read_exactly (fd, buffer, 5);
  g_assert_cmpmem (buffer, 5, "hello", 5);
  g_assert_cmpint (write (fd, "world!", 6), ==, 6);
  data = take_tcp (board, nic, 0, &payload, &len);
  g_assert_cmpmem (payload, len, "world!", 6);
  close (fd);
  close (listener);
}

/* A packet of many segments, its sum left open, as a virtio guest sends it. */
static void
test_large_to_host (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  VmmDevice *nic = add_nic (board);
  const gsize size = 30000;
  g_autofree guint8 *frame = g_malloc0 (54 + size), *got = g_malloc (size);
  VmmNetHeader header = { .flags = VMM_NET_NEEDS_CSUM,
                          .gso_type = VMM_NET_GSO_TCP4,
                          .header_len = 54,
                          .gso_size = 1460,
                          .csum_start = 34,
                          .csum_offset = 16 };
  guint port;
  int listener = listen_somewhere (SOCK_STREAM, &port), fd;
  g_autofree NetProbeFrame *answer = NULL;
  const guint8 *payload;
  guint8 tcp[20] = { 0 };
  gsize len;

  send_arp_request (nic, HOST_IP);
  send_tcp (nic, 4000, port, 1000, 0, 0x02, NULL, 0);
  answer = take_tcp (board, nic, 0x12, &payload, &len);
  send_tcp (nic, 4000, port, 1001, get32 (answer->data + 38) + 1, 0x10, NULL, 0);
  fd = accept (listener, NULL, NULL);

  put16 (tcp, 4000);
  put16 (tcp + 2, port);
  put32 (tcp + 4, 1001);
  put32 (tcp + 8, get32 (answer->data + 38) + 1);
  tcp[12] = 0x50;
  tcp[13] = 0x18;
  put16 (tcp + 14, 0xffff);
  make_ip (frame, GUEST_IP, HOST_IP, IPPROTO_TCP, tcp, sizeof tcp);
  put16 (frame + 16, (guint) (40 + size));
  for (gsize i = 0; i < size; i++)
    frame[54 + i] = (guint8) (i * 31 >> 3);
  g_assert_true (net_probe_send (nic, &header, frame, 54 + size));
  read_exactly (fd, got, size);
  g_assert_cmpmem (got, size, frame + 54, size);
  close (fd);
  close (listener);
}

static void
test_tcp_forward (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  VmmDevice *nic = add_nic (board);
  VmmNet *net = net_probe_get_net (nic);
  guint port = free_port (SOCK_STREAM);
  g_autofree char *forward = g_strdup_printf ("tcp:%u-22", port);
  g_autofree char *full = g_strdup_printf ("tcp:127.0.0.1:%u-10.0.2.15:22", port);
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) list = NULL;
  g_autofree NetProbeFrame *syn = NULL, *data = NULL;
  const guint8 *payload;
  char buffer[4];
  gsize len;
  guint peer;
  int fd;

  g_assert_cmpint (connect_to (SOCK_STREAM, port), ==, -1);
  vmm_net_add_forward (net, forward, &error);
  g_assert_no_error (error);
  g_assert_false (vmm_net_add_forward (net, full, &error));
  g_assert_error (error, VMM_ERROR, VMM_ERROR_BUSY);
  g_clear_error (&error);
  list = vmm_net_dup_forwards (net);
  g_assert_cmpuint (g_strv_length (list), ==, 1);
  g_assert_cmpstr (list[0], ==, full);

  fd = connect_to (SOCK_STREAM, port);
  g_assert_cmpint (fd, >=, 0);
  syn = take_tcp (board, nic, 0x02, &payload, &len);
  g_assert_cmpuint (get16 (syn->data + 36), ==, 22);
  peer = get16 (syn->data + 34);
  send_tcp (nic, 22, peer, 7000, get32 (syn->data + 38) + 1, 0x12, NULL, 0);
  g_assert_cmpint (write (fd, "ping", 4), ==, 4);
  data = take_tcp (board, nic, 0, &payload, &len);
  g_assert_cmpmem (payload, len, "ping", 4);
  send_tcp (nic, 22, peer, 7001, get32 (data->data + 38) + 4, 0x18, "pong", 4);
  read_exactly (fd, buffer, 4);
  g_assert_cmpmem (buffer, 4, "pong", 4);
  close (fd);

  vmm_net_remove_forward (net, forward, &error);
  g_assert_no_error (error);
  g_assert_cmpint (connect_to (SOCK_STREAM, port), ==, -1);
  g_assert_false (vmm_net_remove_forward (net, forward, &error));
  g_assert_error (error, VMM_ERROR, VMM_ERROR_NOT_FOUND);
}

static void
test_udp_forward (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  guint port = free_port (SOCK_DGRAM);
  g_autofree char *forward = g_strdup_printf ("udp:%u-53", port);
  VmmDevice *nic = net_probe_add (board, "net0", "network", "user", "ipv6", "false", "forward", forward, NULL);
  g_autofree NetProbeFrame *ask = NULL;
  char buffer[3];
  int fd = connect_to (SOCK_DGRAM, port);

  g_assert_cmpint (write (fd, "ask", 3), ==, 3);
  ask = take_ip (board, nic, IPPROTO_UDP);
  g_assert_cmpuint (get16 (ask->data + 36), ==, 53);
  g_assert_cmpmem (ask->data + 42, 3, "ask", 3);
  send_udp (nic, GUEST_IP, 53, get32 (ask->data + 26), get16 (ask->data + 34), "yes", 3);
  read_exactly (fd, buffer, 3);
  g_assert_cmpmem (buffer, 3, "yes", 3);
  close (fd);
}

/* A guest that takes nothing for a while loses nothing of a stream. */
static void
test_guest_full (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  VmmDevice *nic = add_nic (board);
  guint port;
  int listener = listen_somewhere (SOCK_STREAM, &port), fd;
  g_autofree NetProbeFrame *answer = NULL;
  g_autofree guint8 *content = g_malloc (20000);
  const guint8 *payload;
  gsize len, got = 0;
  guint32 seq;

  send_arp_request (nic, HOST_IP);
  send_tcp (nic, 4000, port, 1000, 0, 0x02, NULL, 0);
  answer = take_tcp (board, nic, 0x12, &payload, &len);
  seq = get32 (answer->data + 38) + 1;
  send_tcp (nic, 4000, port, 1001, seq, 0x10, NULL, 0);
  fd = accept (listener, NULL, NULL);
  net_probe_set_full (nic, TRUE);
  for (guint i = 0; i < 20000; i++)
    content[i] = (guint8) (i * 13 >> 2);
  g_assert_cmpint (write (fd, content, 20000), ==, 20000);
  g_usleep (20000);
  test_board_settle (board);
  g_assert_null (net_probe_take (board, nic, FALSE));
  net_probe_set_full (nic, FALSE);
  while (got < 20000)
    {
      g_autofree NetProbeFrame *frame = take_tcp (board, nic, 0, &payload, &len);

      if (get32 (frame->data + 38) != seq + got)
        continue; /* sent twice */
      g_assert_cmpmem (payload, len, content + got, len);
      got += len;
      send_tcp (nic, 4000, port, 1001, seq + (guint32) got, 0x10, NULL, 0);
    }
  close (fd);
  close (listener);
}

static void
test_forward_text (void)
{
  static const struct {
    const char *text, *full;
  } cases[] = {
    { "tcp:2222-22", "tcp:127.0.0.1:2222-10.0.2.15:22" },
    { "udp:0.0.0.0:53-10.0.2.20:5353", "udp:0.0.0.0:53-10.0.2.20:5353" },
    { "tcp::80-:8080", "tcp:127.0.0.1:80-10.0.2.15:8080" },
    { "tcp:[::1]:80-[fec0::5]:80", "tcp:[::1]:80-[fec0::5]:80" },
    { "tcp:80-[fec0::5]:80", "tcp:[::1]:80-[fec0::5]:80" },
    { "tcp:2222", NULL },
    { "icmp:1-1", NULL },
    { "tcp:0-22", NULL },
    { "tcp:70000-22", NULL },
    { "tcp:1.2.3:80-80", NULL },
    { "tcp:[::1]:80-80", NULL },
    { "tcp:127.0.0.1:80-[fec0::5]:80", NULL },
    { "tcp:80-80x", NULL },
    { "", NULL },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *full = vmm_net_forward_check (cases[i].text, &error);

      g_assert_cmpstr (full, ==, cases[i].full);
      if (cases[i].full == NULL)
        g_assert_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG);
    }
}

static void
test_wrong_settings (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autoptr (GError) error = NULL;

  g_assert_null (net_probe_try (board, &error, "net0", "network", "user", "tftp", "/nonexistent/lodge", NULL));
  g_assert_error (error, VMM_ERROR, VMM_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_null (net_probe_try (board, &error, "net0", "network", "user", "forward", "tcp:x", NULL));
  g_assert_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG);
  g_clear_error (&error);
  g_assert_null (net_probe_try (board, &error, "net0", "network", "none", "mac", "53:54:00:00:00:01", NULL));
  g_assert_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/net-user/arp", test_arp);
  g_test_add_func ("/net-user/dhcp", test_dhcp);
  g_test_add_func ("/net-user/tftp", test_tftp);
  g_test_add_func ("/net-user/tcp/guest-to-host", test_tcp_to_host);
  g_test_add_func ("/net-user/tcp/large-segments-to-host", test_large_to_host);
  g_test_add_func ("/net-user/tcp/guest-that-takes-nothing-loses-nothing", test_guest_full);
  g_test_add_func ("/net-user/forward/tcp-comes-and-goes", test_tcp_forward);
  g_test_add_func ("/net-user/forward/udp", test_udp_forward);
  g_test_add_func ("/net-user/forward/text", test_forward_text);
  g_test_add_func ("/net-user/settings/wrong-ones-are-refused", test_wrong_settings);
  return g_test_run ();
}
