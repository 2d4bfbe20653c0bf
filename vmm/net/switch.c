/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The network "switch": joins NICs of machines of one user. There is no process in the middle: every port of a switch is connected to every
 * other by a Unix socket, and each learns by itself which address is behind which peer.
 *
 * Theory of operation: ports are sockets in $XDG_RUNTIME_DIR/lodge/switch/NAME/. Whoever joins takes the lock of that directory, listens,
 * connects to all that are there, and lets go: so any two ports have exactly one connection, made by the later one. A socket that nobody
 * listens on was left by a process that died, and is removed. A message is a VmmNetHeader, padded to 12 bytes, and a frame, so segmentation
 * and checksums cross it undone. A frame from a peer is never passed on to another: there are no loops. A peer that does not read
 * (its guest takes nothing) loses frames once its buffer is full, like a port of any switch.
 *
 * Everything after joining happens on the iothread. Peers are processes of the same user, but what they send is checked like a guest's. */
#include "net/net-private.h"

#include "core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SWI_HELLO "lodge-switch-1" /* sent first by both; another form of message gets another number */
#define SWI_HEADER 12
#define SWI_OUT_MAX (1u << 20) /* bytes that wait for a peer */
#define SWI_ADDRESSES_MAX 4096
#define SWI_PEERS_MAX 256
#define SWI_BATCH 64
#define SWI_LOCK_TRIES 200 /* of 10 ms */
#define SWI_SNDBUF (1 << 20)

typedef struct _Swi Swi;

typedef struct {
  Swi *swi;
  int fd;
  guint32 events;
  gboolean greeted;
  GQueue out; /* GBytes */
  gsize out_bytes;
} SwiPeer;

struct _Swi {
  VmmNet *net;
  VmmDevice *dev;
  VmmIoThread *iothread;
  int dir_fd, listen_fd;
  char *port;          /* file name */
  GPtrArray *peers;    /* SwiPeer */
  GHashTable *learned; /* address -> SwiPeer */
  gboolean held;       /* the guest takes nothing: peers are not read */
  guint8 *buffer;      /* SWI_HEADER + VMM_NET_FRAME_MAX */
};

static guint64 *
swi_address (const guint8 *mac, guint64 *storage)
{
  *storage = 0;
  memcpy (storage, mac, VMM_NET_MAC_LEN);
  return storage;
}

/* === Peers === */

static gboolean
swi_is_behind (gpointer key, gpointer value, gpointer data)
{
  return value == data;
}

static void
swi_drop_peer (SwiPeer *peer)
{
  Swi *swi = peer->swi;

  vmm_iothread_remove_fd (swi->iothread, peer->fd);
  close (peer->fd);
  g_hash_table_foreach_remove (swi->learned, swi_is_behind, peer);
  g_queue_clear_full (&peer->out, (GDestroyNotify) g_bytes_unref);
  g_ptr_array_remove_fast (swi->peers, peer);
  g_free (peer);
}

static void
swi_update_events (SwiPeer *peer)
{
  guint32 events = (peer->swi->held ? 0 : EPOLLIN) | (peer->out_bytes != 0 ? EPOLLOUT : 0);

  if (events == peer->events)
    return;
  peer->events = events;
  vmm_iothread_modify_fd (peer->swi->iothread, peer->fd, events);
}

static void
swi_set_held (Swi *swi, gboolean held)
{
  if (swi->held == held)
    return;
  swi->held = held;
  for (guint i = 0; i < swi->peers->len; i++)
    swi_update_events (swi->peers->pdata[i]);
}

static void
swi_learn (SwiPeer *peer, const guint8 *mac)
{
  GHashTable *learned = peer->swi->learned;
  guint64 key;

  if ((mac[0] & 1) != 0 || g_hash_table_lookup (learned, swi_address (mac, &key)) == peer)
    return;
  /* An address in use moves; a peer that makes up addresses fills no memory. */
  if (g_hash_table_size (learned) >= SWI_ADDRESSES_MAX)
    g_hash_table_remove_all (learned);
  g_hash_table_insert (learned, g_memdup2 (&key, sizeof key), peer);
}

/* Returns: FALSE: the peer is of no use. */
static gboolean
swi_take_message (SwiPeer *peer, const guint8 *message, gsize len)
{
  VmmNetHeader header;

  if (!peer->greeted)
    {
      peer->greeted = len == sizeof SWI_HELLO && memcmp (message, SWI_HELLO, len) == 0;
      return peer->greeted;
    }
  if (len < SWI_HEADER + 14)
    return FALSE;
  memcpy (&header, message, sizeof header);
  swi_learn (peer, message + SWI_HEADER + VMM_NET_MAC_LEN);
  if (!vmm_net_deliver (peer->swi->net, 0, &header, message + SWI_HEADER, len - SWI_HEADER))
    swi_set_held (peer->swi, TRUE);
  return TRUE;
}

/* Returns: FALSE: the peer is gone. */
static gboolean
swi_read (SwiPeer *peer)
{
  for (guint i = 0; i < SWI_BATCH && !peer->swi->held; i++)
    {
      gssize n = recv (peer->fd, peer->swi->buffer, SWI_HEADER + VMM_NET_FRAME_MAX, MSG_DONTWAIT | MSG_TRUNC);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return TRUE;
      if (n <= 0 || n > SWI_HEADER + VMM_NET_FRAME_MAX || !swi_take_message (peer, peer->swi->buffer, (gsize) n))
        return FALSE;
    }
  return TRUE;
}

/* Returns: FALSE: the peer is gone. */
static gboolean
swi_flush (SwiPeer *peer)
{
  GBytes *bytes;

  while ((bytes = g_queue_peek_head (&peer->out)) != NULL)
    {
      gsize len;
      gconstpointer data = g_bytes_get_data (bytes, &len);
      gssize n = send (peer->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS;
      peer->out_bytes -= len;
      g_bytes_unref (g_queue_pop_head (&peer->out));
    }
  return TRUE;
}

static void
swi_on_peer (int fd, guint32 events, gpointer data)
{
  SwiPeer *peer = data;

  if (((events & EPOLLIN) != 0 && !swi_read (peer)) || ((events & EPOLLOUT) != 0 && !swi_flush (peer))
      || ((events & (EPOLLHUP | EPOLLERR)) != 0 && ((events & EPOLLIN) == 0 || peer->swi->held)))
    swi_drop_peer (peer);
  else
    swi_update_events (peer);
}

/* @fd: (transfer full) */
static gboolean
swi_add_peer (Swi *swi, int fd, GError **error)
{
  struct ucred cred = { 0 };
  socklen_t len = sizeof cred;
  int size = SWI_SNDBUF;
  SwiPeer *peer;

  if (getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 || cred.uid != getuid () || swi->peers->len >= SWI_PEERS_MAX)
    {
      close (fd);
      return TRUE;
    }
  setsockopt (fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  if (send (fd, SWI_HELLO, sizeof SWI_HELLO, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
    {
      close (fd);
      return TRUE;
    }
  peer = g_new0 (SwiPeer, 1);
  peer->swi = swi;
  peer->fd = fd;
  peer->events = swi->held ? 0 : EPOLLIN;
  g_queue_init (&peer->out);
  g_ptr_array_add (swi->peers, peer);
  if (vmm_iothread_add_fd (swi->iothread, fd, peer->events, swi_on_peer, peer, error))
    return TRUE;
  g_ptr_array_remove_fast (swi->peers, peer);
  close (fd);
  g_free (peer);
  return FALSE;
}

static void
swi_on_accept (int fd, guint32 events, gpointer data)
{
  Swi *swi = data;
  int peer_fd = accept4 (fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  g_autoptr (GError) error = NULL;

  if (peer_fd >= 0 && !swi_add_peer (swi, peer_fd, &error))
    vmm_log_warning (swi->dev->machine, swi->dev, "a port of the switch is lost: %s", error->message);
}

/* === Frames from the guest === */

static gboolean
swi_send_to (SwiPeer *peer, const struct iovec *iov, guint n_iov)
{
  struct msghdr message = { .msg_iov = (struct iovec *) iov, .msg_iovlen = n_iov };
  guint8 *copy;
  gsize len = 0, at = 0;

  if (peer->out_bytes == 0)
    {
      gssize n;

      do
        n = sendmsg (peer->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
      while (n < 0 && errno == EINTR);
      if (n >= 0)
        return TRUE;
      if (errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS)
        return FALSE;
    }
  for (guint i = 0; i < n_iov; i++)
    len += iov[i].iov_len;
  if (peer->out_bytes + len > SWI_OUT_MAX)
    return TRUE;
  copy = g_malloc (len);
  for (guint i = 0; i < n_iov; i++)
    {
      memcpy (copy + at, iov[i].iov_base, iov[i].iov_len);
      at += iov[i].iov_len;
    }
  g_queue_push_tail (&peer->out, g_bytes_new_take (copy, len));
  peer->out_bytes += len;
  swi_update_events (peer);
  return TRUE;
}

static gboolean
swi_send (gpointer backend, guint queue, const VmmNetHeader *header, const struct iovec *iov, guint n_iov, gsize len)
{
  Swi *swi = backend;
  guint8 prefix[SWI_HEADER] = { 0 }, mac[VMM_NET_MAC_LEN];
  struct iovec out[18] = { { prefix, sizeof prefix } };
  g_autofree guint8 *whole = NULL;
  SwiPeer *peer = NULL;
  guint64 key;

  if (header != NULL)
    memcpy (prefix, header, sizeof *header);
  if (n_iov < G_N_ELEMENTS (out))
    memcpy (out + 1, iov, n_iov * sizeof *iov);
  else
    {
      gsize at = 0;

      whole = g_malloc (len);
      for (guint i = 0; i < n_iov; i++)
        {
          memcpy (whole + at, iov[i].iov_base, iov[i].iov_len);
          at += iov[i].iov_len;
        }
      out[1] = (struct iovec) { whole, len };
      n_iov = 1;
    }
  for (guint i = 0, at = 0; i < n_iov && at < sizeof mac; i++)
    for (gsize j = 0; j < out[1 + i].iov_len && at < sizeof mac; j++)
      mac[at++] = ((const guint8 *) out[1 + i].iov_base)[j];
  if ((mac[0] & 1) == 0)
    peer = g_hash_table_lookup (swi->learned, swi_address (mac, &key));
  if (peer != NULL)
    {
      if (!swi_send_to (peer, out, n_iov + 1))
        swi_drop_peer (peer);
      return TRUE;
    }
  for (guint i = swi->peers->len; i > 0; i--)
    if (!swi_send_to (swi->peers->pdata[i - 1], out, n_iov + 1))
      swi_drop_peer (swi->peers->pdata[i - 1]);
  return TRUE;
}

static void
swi_receive_ready (gpointer backend)
{
  swi_set_held (backend, FALSE);
}

/* === Joining === */

/* A name below the directory, however long the path of that is (a socket's address takes 107 bytes). */
static void
swi_fill_address (Swi *swi, const char *name, struct sockaddr_un *ret_address)
{
  *ret_address = (struct sockaddr_un) { .sun_family = AF_UNIX };
  g_snprintf (ret_address->sun_path, sizeof ret_address->sun_path, "/proc/self/fd/%d/%s", swi->dir_fd, name);
}

static int
swi_lock (Swi *swi, GError **error)
{
  int fd = openat (swi->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

  for (guint i = 0; fd >= 0 && i < SWI_LOCK_TRIES; i++)
    {
      if (flock (fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
      if (errno != EWOULDBLOCK && errno != EINTR)
        break;
      g_usleep (10000);
    }
  g_set_error (error, VMM_ERROR, VMM_ERROR_BUSY, "the switch cannot be joined: %s", g_strerror (errno));
  if (fd >= 0)
    close (fd);
  return -1;
}

static gboolean
swi_listen (Swi *swi, GError **error)
{
  struct sockaddr_un address;
  g_autofree char *uuid = g_uuid_string_random ();

  swi->port = g_strdup_printf ("port-%s", uuid);
  swi_fill_address (swi, swi->port, &address);
  swi->listen_fd = socket (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (swi->listen_fd < 0 || bind (swi->listen_fd, (struct sockaddr *) &address, sizeof address) < 0
      || listen (swi->listen_fd, SWI_PEERS_MAX) < 0)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "cannot make a port of the switch: %s", g_strerror (errno));
      return FALSE;
    }
  return TRUE;
}

static gboolean
swi_connect_to (Swi *swi, const char *name, GError **error)
{
  struct sockaddr_un address;
  int fd = socket (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  if (fd < 0)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "cannot make a socket: %s", g_strerror (errno));
      return FALSE;
    }
  swi_fill_address (swi, name, &address);
  if (connect (fd, (struct sockaddr *) &address, sizeof address) == 0)
    return swi_add_peer (swi, fd, error);
  if (errno == ECONNREFUSED)
    unlinkat (swi->dir_fd, name, 0);
  else
    vmm_log_warning (swi->dev->machine, swi->dev, "a port of the switch does not answer: %s", g_strerror (errno));
  close (fd);
  return TRUE;
}

typedef struct {
  Swi *swi;
  const char *path;
  GError **error;
  gboolean ok;
} SwiJoin;

/* On the iothread, so that no peer's message is looked at while the list is made. */
static void
swi_on_join (gpointer data)
{
  SwiJoin *join = data;
  g_autoptr (GDir) dir = g_dir_open (join->path, 0, join->error);
  const char *name;

  join->ok = dir != NULL;
  while (join->ok && (name = g_dir_read_name (dir)) != NULL)
    if (g_str_has_prefix (name, "port-") && !g_str_equal (name, join->swi->port))
      join->ok = swi_connect_to (join->swi, name, join->error);
}

static void
swi_on_leave (gpointer data)
{
  Swi *swi = data;

  while (swi->peers->len > 0)
    swi_drop_peer (swi->peers->pdata[0]);
}

static void
swi_close (gpointer backend)
{
  Swi *swi = backend;

  if (swi->listen_fd >= 0)
    {
      vmm_iothread_remove_fd (swi->iothread, swi->listen_fd);
      unlinkat (swi->dir_fd, swi->port, 0);
      close (swi->listen_fd);
    }
  vmm_iothread_call_sync (swi->iothread, swi_on_leave, swi);
  if (swi->dir_fd >= 0)
    close (swi->dir_fd);
  g_ptr_array_unref (swi->peers);
  g_hash_table_unref (swi->learned);
  g_free (swi->buffer);
  g_free (swi->port);
  g_free (swi);
}

static gboolean
swi_name_is_valid (const char *name)
{
  gsize len = strlen (name);

  if (len == 0 || len > 64 || name[0] == '.')
    return FALSE;
  for (gsize i = 0; i < len; i++)
    if (!g_ascii_isalnum (name[i]) && strchr ("-_.", name[i]) == NULL)
      return FALSE;
  return TRUE;
}

static gboolean
swi_join (Swi *swi, const char *name, GError **error)
{
  g_autofree char *path = g_build_filename (g_get_user_runtime_dir (), "lodge", "switch", name, NULL);
  SwiJoin join = { swi, path, error, FALSE };
  int lock_fd;

  if (g_mkdir_with_parents (path, 0700) < 0 || (swi->dir_fd = g_open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)) < 0)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "cannot make the directory %s: %s", path, g_strerror (errno));
      return FALSE;
    }
  if ((lock_fd = swi_lock (swi, error)) < 0)
    return FALSE;
  if (swi_listen (swi, error))
    {
      vmm_iothread_call_sync (swi->iothread, swi_on_join, &join);
      if (join.ok)
        join.ok = vmm_iothread_add_fd (swi->iothread, swi->listen_fd, EPOLLIN, swi_on_accept, swi, error);
    }
  close (lock_fd);
  return join.ok;
}

static gpointer
swi_open (VmmNet *net, guint *queues, GError **error)
{
  const char *name = vmm_device_get_string (vmm_net_get_device (net), "switch");
  Swi *swi;

  if (name == NULL || !swi_name_is_valid (name))
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "switch=%s: a name is of letters, digits, '-', '_' and '.'",
                   name != NULL ? name : "");
      return NULL;
    }
  swi = g_new0 (Swi, 1);
  swi->net = net;
  swi->dev = vmm_net_get_device (net);
  swi->iothread = vmm_net_get_iothread (net);
  swi->dir_fd = swi->listen_fd = -1;
  swi->peers = g_ptr_array_new ();
  swi->learned = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  swi->buffer = g_malloc (SWI_HEADER + VMM_NET_FRAME_MAX);
  *queues = 1;
  if (swi_join (swi, name, error))
    return swi;
  swi_close (swi);
  return NULL;
}

const VmmNetOps vmm_net_switch_ops = {
  .name = "switch",
  .takes = VMM_NET_OFFLOAD_TSO4 | VMM_NET_OFFLOAD_TSO6 | VMM_NET_OFFLOAD_ECN,
  .takes_sums = TRUE,
  .open = swi_open,
  .close = swi_close,
  .send = swi_send,
  .receive_ready = swi_receive_ready,
};
