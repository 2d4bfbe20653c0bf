/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The networks "tap" and "bridge": an interface of the host, by name, as an inherited descriptor, or on a bridge by QEMU's helper
 * (qemu-bridge-helper, which has the right to make one). Checksums and segmentation cross it undone (IFF_VNET_HDR).
 * Spec: Linux Documentation/networking/tuntap.rst, include/uapi/linux/if_tun.h.
 * Left out: vhost-net. */
#include "net/net-private.h"

#include "core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define TAP_BATCH 64
#define TAP_HELPER_TIMEOUT_MS 5000

static const char *const tap_helpers[] = {
  "/usr/lib/qemu/qemu-bridge-helper",
  "/usr/libexec/qemu-bridge-helper",
  "/usr/lib/qemu-bridge-helper",
};

typedef struct _Tap Tap;

typedef struct {
  Tap *tap;
  guint index;
  int fd;
  guint32 events;
  gboolean watched, attached;
} TapQueue;

struct _Tap {
  VmmNet *net;
  VmmDevice *dev;
  VmmIoThread *iothread;
  guint n_queues;
  TapQueue queues[VMM_NET_MAX_QUEUES];
  gsize header_len; /* 0: frames without a header */
  gboolean held;
  guint8 *buffer;
};

/* === Frames === */

static void
tap_update_events (TapQueue *queue, gboolean want_out)
{
  guint32 events = (queue->tap->held ? 0 : EPOLLIN) | (want_out ? EPOLLOUT : 0);

  if (!queue->watched || events == queue->events)
    return;
  queue->events = events;
  vmm_iothread_modify_fd (queue->tap->iothread, queue->fd, events);
}

static void
tap_set_held (Tap *tap, gboolean held)
{
  tap->held = held;
  for (guint i = 0; i < tap->n_queues; i++)
    tap_update_events (&tap->queues[i], (tap->queues[i].events & EPOLLOUT) != 0);
}

/* The interface went away under us. */
static void
tap_give_up (TapQueue *queue, int error)
{
  vmm_log_warning (queue->tap->dev->machine, queue->tap->dev, "the host's network interface is gone: %s", g_strerror (error));
  vmm_iothread_remove_fd (queue->tap->iothread, queue->fd);
  queue->watched = FALSE;
}

static void
tap_on_ready (int fd, guint32 events, gpointer data)
{
  TapQueue *queue = data;
  Tap *tap = queue->tap;

  if ((events & EPOLLOUT) != 0)
    {
      tap_update_events (queue, FALSE);
      vmm_net_writable (tap->net);
    }
  if ((events & EPOLLERR) != 0)
    {
      tap_give_up (queue, EIO);
      return;
    }
  for (guint i = 0; i < TAP_BATCH && !tap->held && (events & EPOLLIN) != 0; i++)
    {
      gssize n = read (fd, tap->buffer, tap->header_len + VMM_NET_FRAME_MAX);
      VmmNetHeader header;

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
        tap_give_up (queue, errno);
      if (n <= 0)
        return;
      if ((gsize) n < tap->header_len)
        continue;
      if (tap->header_len != 0)
        memcpy (&header, tap->buffer, sizeof header);
      if (!vmm_net_deliver (tap->net, queue->index, tap->header_len != 0 ? &header : NULL, tap->buffer + tap->header_len,
                            (gsize) n - tap->header_len))
        tap_set_held (tap, TRUE);
    }
}

static gboolean
tap_send (gpointer backend, guint index, const VmmNetHeader *header, const struct iovec *iov, guint n_iov, gsize len)
{
  Tap *tap = backend;
  TapQueue *queue = &tap->queues[index < tap->n_queues && tap->queues[index].attached ? index : 0];
  VmmNetHeader none = { 0 };
  struct iovec out[18];
  g_autofree guint8 *whole = NULL;
  guint first = tap->header_len != 0 ? 1 : 0;
  gssize n;

  if (!queue->watched)
    return TRUE;
  out[0] = (struct iovec) { (gpointer) (header != NULL ? header : &none), sizeof none };
  if (n_iov + first <= G_N_ELEMENTS (out))
    memcpy (out + first, iov, n_iov * sizeof *iov);
  else
    {
      gsize at = 0;

      whole = g_malloc (len);
      for (guint i = 0; i < n_iov; i++)
        {
          memcpy (whole + at, iov[i].iov_base, iov[i].iov_len);
          at += iov[i].iov_len;
        }
      out[first] = (struct iovec) { whole, len };
      n_iov = 1;
    }
  do
    n = writev (queue->fd, out, (int) (n_iov + first));
  while (n < 0 && errno == EINTR);
  /* Other errors (an interface that is down, a header that the host finds wrong) cost the frame. */
  if (n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
    return TRUE;
  tap_update_events (queue, TRUE);
  return FALSE;
}

static void
tap_receive_ready (gpointer backend)
{
  tap_set_held (backend, FALSE);
}

static gboolean
tap_is_plain (gpointer backend)
{
  return ((Tap *) backend)->header_len == 0;
}

static void
tap_set_offloads (gpointer backend, VmmNetOffloads offloads)
{
  Tap *tap = backend;
  unsigned int flags = 0;

  if (tap->header_len == 0)
    return;
  if ((offloads & VMM_NET_OFFLOAD_CSUM) != 0)
    flags = TUN_F_CSUM | ((offloads & VMM_NET_OFFLOAD_TSO4) != 0 ? TUN_F_TSO4 : 0)
            | ((offloads & VMM_NET_OFFLOAD_TSO6) != 0 ? TUN_F_TSO6 : 0)
            | ((offloads & VMM_NET_OFFLOAD_ECN) != 0 ? TUN_F_TSO_ECN : 0);
  /* Refused, the frames come with offloads that are done in software then. */
  ioctl (tap->queues[0].fd, TUNSETOFFLOAD, flags);
}

static void
tap_set_active_queues (gpointer backend, guint queues)
{
  Tap *tap = backend;

  for (guint i = 1; i < tap->n_queues; i++)
    {
      struct ifreq request = { .ifr_flags = i < queues ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE };

      if ((i < queues) != tap->queues[i].attached && ioctl (tap->queues[i].fd, TUNSETQUEUE, &request) == 0)
        tap->queues[i].attached = i < queues;
    }
}

/* === Life === */

static void
tap_close (gpointer backend)
{
  Tap *tap = backend;

  for (guint i = 0; i < tap->n_queues; i++)
    {
      if (tap->queues[i].watched)
        vmm_iothread_remove_fd (tap->iothread, tap->queues[i].fd);
      close (tap->queues[i].fd);
    }
  g_free (tap->buffer);
  g_free (tap);
}

static Tap *
tap_new (VmmNet *net)
{
  Tap *tap = g_new0 (Tap, 1);

  tap->net = net;
  tap->dev = vmm_net_get_device (net);
  tap->iothread = vmm_net_get_iothread (net);
  tap->buffer = g_malloc (sizeof (VmmNetHeader) + VMM_NET_FRAME_MAX);
  return tap;
}

/* @fd: (transfer full) */
static void
tap_add_queue (Tap *tap, int fd)
{
  tap->queues[tap->n_queues] = (TapQueue) { tap, tap->n_queues, fd, EPOLLIN, FALSE, TRUE };
  tap->n_queues++;
}

/* Asks the descriptor what it is, and watches it. */
static gboolean
tap_start (Tap *tap, GError **error)
{
  for (guint i = 0; i < tap->n_queues; i++)
    {
      TapQueue *queue = &tap->queues[i];
      struct ifreq request = { 0 };
      int size = sizeof (VmmNetHeader), flags = fcntl (queue->fd, F_GETFL);

      if (flags < 0 || fcntl (queue->fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl (queue->fd, F_SETFD, FD_CLOEXEC) < 0
          || ioctl (queue->fd, TUNGETIFF, &request) < 0 || (request.ifr_flags & IFF_TAP) == 0)
        {
          g_set_error_literal (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "the descriptor is no tap interface");
          return FALSE;
        }
      if ((request.ifr_flags & IFF_VNET_HDR) != 0)
        {
          if (ioctl (queue->fd, TUNSETVNETHDRSZ, &size) < 0)
            {
              g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "the tap interface: %s", g_strerror (errno));
              return FALSE;
            }
          tap->header_len = sizeof (VmmNetHeader);
        }
    }
  tap_set_offloads (tap, VMM_NET_OFFLOAD_NONE);
  tap_set_active_queues (tap, 1);
  for (guint i = 0; i < tap->n_queues; i++)
    {
      if (!vmm_iothread_add_fd (tap->iothread, tap->queues[i].fd, EPOLLIN, tap_on_ready, &tap->queues[i], error))
        return FALSE;
      tap->queues[i].watched = TRUE;
    }
  return TRUE;
}

static int
tap_open_named (const char *name, gboolean many, GError **error)
{
  struct ifreq request = { .ifr_flags = (short) (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (many ? IFF_MULTI_QUEUE : 0)) };
  int fd = open ("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

  g_strlcpy (request.ifr_name, name, sizeof request.ifr_name);
  if (fd >= 0 && ioctl (fd, TUNSETIFF, &request) == 0)
    return fd;
  g_set_error (error, VMM_ERROR, errno == EBUSY ? VMM_ERROR_BUSY : VMM_ERROR_HOST, "the tap interface %s: %s", name,
               g_strerror (errno));
  if (fd >= 0)
    close (fd);
  return -1;
}

static gpointer
tap_open (VmmNet *net, guint *queues, GError **error)
{
  VmmDevice *dev = vmm_net_get_device (net);
  const char *name = vmm_device_get_string (dev, "tap");
  int fd = (int) vmm_device_get_int (dev, "tap-fd");
  Tap *tap = tap_new (net);

  if (fd >= 0)
    {
      *queues = 1;
      tap_add_queue (tap, fd);
    }
  else if (name == NULL || name[0] == '\0' || strlen (name) >= IFNAMSIZ)
    g_set_error_literal (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "network=tap needs tap= or tap-fd=, up to 15 characters");
  else
    for (guint i = 0; i < *queues && (fd = tap_open_named (name, *queues > 1, error)) >= 0; i++)
      tap_add_queue (tap, fd);
  if (fd >= 0 && tap_start (tap, error))
    return tap;
  tap_close (tap);
  return NULL;
}

/* === Bridge === */

static const char *
tap_find_helper (void)
{
  const char *helper = g_getenv ("LODGE_BRIDGE_HELPER");

  if (helper != NULL)
    return helper;
  for (guint i = 0; i < G_N_ELEMENTS (tap_helpers); i++)
    if (g_file_test (tap_helpers[i], G_FILE_TEST_IS_EXECUTABLE))
      return tap_helpers[i];
  return NULL;
}

/* The helper sends one byte with the descriptor. */
static int
tap_receive_fd (int socket_fd)
{
  char byte;
  struct iovec iov = { &byte, 1 };
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE (sizeof (int))];
  } control = { 0 };
  struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
  struct pollfd poll_fd = { .fd = socket_fd, .events = POLLIN };
  struct cmsghdr *header;
  int fd = -1;

  if (poll (&poll_fd, 1, TAP_HELPER_TIMEOUT_MS) != 1 || recvmsg (socket_fd, &message, MSG_CMSG_CLOEXEC) < 1)
    return -1;
  header = CMSG_FIRSTHDR (&message);
  if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS
      && header->cmsg_len == CMSG_LEN (sizeof (int)))
    memcpy (&fd, CMSG_DATA (header), sizeof fd);
  return fd;
}

static int
tap_run_helper (const char *bridge, GError **error)
{
  const char *helper = tap_find_helper ();
  g_autofree char *bridge_arg = g_strdup_printf ("--br=%s", bridge);
  const char *argv[] = { helper, "--use-vnet", "--fd=3", bridge_arg, NULL };
  int pair[2], target = 3, fd = -1;
  gboolean spawned;

  if (helper == NULL)
    {
      g_set_error_literal (error, VMM_ERROR, VMM_ERROR_NOT_FOUND,
                           "qemu-bridge-helper is not installed (packages: qemu-system-common, qemu-common)");
      return -1;
    }
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "cannot make a socket: %s", g_strerror (errno));
      return -1;
    }
  /* The child is a grandchild that init reaps: an engine in a library watches no children. */
  spawned = g_spawn_async_with_pipes_and_fds (NULL, argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, -1, -1, -1, &pair[1], &target, 1, NULL,
                                              NULL, NULL, NULL, error);
  close (pair[1]);
  if (spawned)
    {
      fd = tap_receive_fd (pair[0]);
      if (fd < 0)
        g_set_error (
            error, VMM_ERROR, VMM_ERROR_HOST,
            "%s gave no interface on the bridge %s: it has to be allowed in /etc/qemu/bridge.conf, and the helper to be setuid",
            helper, bridge);
    }
  close (pair[0]);
  return fd;
}

static gpointer
tap_bridge_open (VmmNet *net, guint *queues, GError **error)
{
  const char *bridge = vmm_device_get_string (vmm_net_get_device (net), "bridge");
  Tap *tap = NULL;
  int fd;

  *queues = 1;
  if (bridge == NULL || bridge[0] == '\0' || strlen (bridge) >= IFNAMSIZ)
    {
      g_set_error_literal (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "network=bridge needs bridge=, up to 15 characters");
      return NULL;
    }
  if ((fd = tap_run_helper (bridge, error)) < 0)
    return NULL;
  tap = tap_new (net);
  tap_add_queue (tap, fd);
  if (tap_start (tap, error))
    return tap;
  tap_close (tap);
  return NULL;
}

const VmmNetOps vmm_net_tap_ops = {
  .name = "tap",
  .takes = VMM_NET_OFFLOAD_TSO4 | VMM_NET_OFFLOAD_TSO6 | VMM_NET_OFFLOAD_ECN,
  .takes_sums = TRUE,
  .is_plain = tap_is_plain,
  .open = tap_open,
  .close = tap_close,
  .send = tap_send,
  .receive_ready = tap_receive_ready,
  .set_offloads = tap_set_offloads,
  .set_active_queues = tap_set_active_queues,
};

const VmmNetOps vmm_net_bridge_ops = {
  .name = "bridge",
  .takes = VMM_NET_OFFLOAD_TSO4 | VMM_NET_OFFLOAD_TSO6 | VMM_NET_OFFLOAD_ECN,
  .takes_sums = TRUE,
  .is_plain = tap_is_plain,
  .open = tap_bridge_open,
  .close = tap_close,
  .send = tap_send,
  .receive_ready = tap_receive_ready,
  .set_offloads = tap_set_offloads,
};
