/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The network "user": a router, DHCP, DNS and TFTP server in this process (libslirp); the guest reaches what the user's own programs reach.
 * Guest 10.0.2.15/24, host 10.0.2.2, DNS 10.0.2.3; fec0::/64 alike.
 *
 * Theory of operation: libslirp runs on the machine's iothread alone. Its sockets are in an epoll set of our own, and that set is one
 * descriptor of the iothread; after whatever happened the set is brought in line with what libslirp wants. Its time is the machine's:
 * while the machine is paused no timer of it runs. Frames from the guest wait in a queue until the NIC has left vmm_net_send(), so nothing
 * comes back from within and no socket call is made under a device's lock. While the guest takes no frames no socket is read.
 *
 * TCP segmentation is left to it for IPv4: it takes a segment of 64 KiB as one packet. */
#include "net/net-private.h"

#include "core/log.h"

#include <errno.h>
#include <libslirp.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define USR_QUEUE_MAX 256 /* frames from the guest that wait */
#define USR_MAX_EVENTS 64
#define USR_NS_PER_MS 1000000

typedef struct {
  int fd;
  guint32 events; /* epoll, as libslirp wants them now */
  guint32 ready;
} UsrPoll;

typedef struct {
  int fd;
  guint32 events; /* in the epoll set */
  gboolean wanted;
} UsrFd;

typedef struct _Usr Usr;

typedef struct {
  Usr *usr;
  VmmTimer timer;
  SlirpTimerId id;
  void *opaque;
} UsrTimer;

struct _Usr {
  VmmNet *net;
  VmmDevice *dev;
  VmmIoThread *iothread;
  char *tftp, *bootfile, *hostname;
  gboolean ipv6, restricted;
  GArray *forwards; /* VmmNetForward; iothread */

  /* Iothread */
  Slirp *slirp;
  int epoll_fd;
  GArray *polls;   /* UsrPoll, as filled last */
  GHashTable *fds; /* fd -> UsrFd */
  VmmTimer timer;  /* the next time libslirp wants to be asked */
  GQueue frames;   /* GBytes, from the guest */
  gboolean work_queued, full, closing;
};

/* === The set of sockets === */

static int
usr_on_add_poll (int fd, int events, void *opaque)
{
  Usr *usr = opaque;
  guint32 wanted = ((events & SLIRP_POLL_IN) != 0 ? EPOLLIN : 0) | ((events & SLIRP_POLL_OUT) != 0 ? EPOLLOUT : 0)
                   | ((events & SLIRP_POLL_PRI) != 0 ? EPOLLPRI : 0);
  UsrPoll poll = { fd, wanted, 0 };

  g_array_append_val (usr->polls, poll);
  return (int) usr->polls->len - 1;
}

static int
usr_on_get_revents (int index, void *opaque)
{
  Usr *usr = opaque;
  guint32 ready;

  if (index < 0 || (guint) index >= usr->polls->len)
    return 0;
  ready = g_array_index (usr->polls, UsrPoll, index).ready;
  return ((ready & EPOLLIN) != 0 ? SLIRP_POLL_IN : 0) | ((ready & EPOLLOUT) != 0 ? SLIRP_POLL_OUT : 0)
         | ((ready & EPOLLPRI) != 0 ? SLIRP_POLL_PRI : 0) | ((ready & EPOLLERR) != 0 ? SLIRP_POLL_ERR : 0)
         | ((ready & EPOLLHUP) != 0 ? SLIRP_POLL_HUP : 0);
}

static gboolean
usr_drop_unwanted (gpointer key, gpointer value, gpointer data)
{
  Usr *usr = data;
  UsrFd *entry = value;

  if (entry->wanted)
    return FALSE;
  epoll_ctl (usr->epoll_fd, EPOLL_CTL_DEL, entry->fd, NULL);
  return TRUE;
}

/* libslirp is about to close @fd. */
static void
usr_on_unregister_fd (int fd, void *opaque)
{
  Usr *usr = opaque;

  if (g_hash_table_remove (usr->fds, GINT_TO_POINTER (fd)))
    epoll_ctl (usr->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

static void
usr_on_register_fd (int fd, void *opaque)
{
}

static void
usr_want_fd (Usr *usr, int fd, guint32 events)
{
  UsrFd *entry = g_hash_table_lookup (usr->fds, GINT_TO_POINTER (fd));
  struct epoll_event event = { .events = events, .data.fd = fd };

  if (entry == NULL)
    {
      entry = g_new0 (UsrFd, 1);
      entry->fd = fd;
      g_hash_table_insert (usr->fds, GINT_TO_POINTER (fd), entry);
      if (epoll_ctl (usr->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        vmm_log_warning (usr->dev->machine, usr->dev, "cannot watch a socket: %s", g_strerror (errno));
    }
  else if (entry->events != events && epoll_ctl (usr->epoll_fd, EPOLL_CTL_MOD, fd, &event) < 0 && errno == ENOENT)
    epoll_ctl (usr->epoll_fd, EPOLL_CTL_ADD, fd, &event);
  entry->events = events;
  entry->wanted = TRUE;
}

static void
usr_clear_wanted (gpointer key, gpointer value, gpointer data)
{
  ((UsrFd *) value)->wanted = FALSE;
}

/* Asks libslirp what to wait for, and waits for it. */
static void
usr_update (Usr *usr)
{
  guint32 timeout_ms = G_MAXUINT32;

  g_array_set_size (usr->polls, 0);
  slirp_pollfds_fill (usr->slirp, &timeout_ms, usr_on_add_poll, usr);
  g_hash_table_foreach (usr->fds, usr_clear_wanted, NULL);
  if (vmm_net_may_deliver (usr->net))
    for (guint i = 0; i < usr->polls->len; i++)
      {
        const UsrPoll *poll = &g_array_index (usr->polls, UsrPoll, i);

        usr_want_fd (usr, poll->fd, poll->events);
      }
  g_hash_table_foreach_remove (usr->fds, usr_drop_unwanted, usr);
  if (timeout_ms != G_MAXUINT32)
    vmm_timer_arm (&usr->timer, vmm_clock_now (vmm_device_get_clock (usr->dev)) + (gint64) timeout_ms * USR_NS_PER_MS);
  else
    vmm_timer_disarm (&usr->timer);
}

/* Lets libslirp look at what is ready and at the time. */
static void
usr_poll (Usr *usr)
{
  struct epoll_event events[USR_MAX_EVENTS];
  int n = epoll_wait (usr->epoll_fd, events, USR_MAX_EVENTS, 0);

  for (int i = 0; i < n; i++)
    for (guint j = 0; j < usr->polls->len; j++)
      {
        UsrPoll *poll = &g_array_index (usr->polls, UsrPoll, j);

        if (poll->fd == events[i].data.fd)
          poll->ready = events[i].events;
      }
  slirp_pollfds_poll (usr->slirp, n < 0, usr_on_get_revents, usr);
  usr_update (usr);
}

static void
usr_on_ready (int fd, guint32 events, gpointer data)
{
  usr_poll (data);
}

/* === Work that must not happen within a callback === */

static void
usr_on_work (gpointer data)
{
  Usr *usr = data;
  GBytes *bytes;

  usr->work_queued = FALSE;
  if (usr->slirp == NULL)
    return;
  while ((bytes = g_queue_pop_head (&usr->frames)) != NULL)
    {
      gsize len;
      const guint8 *frame = g_bytes_get_data (bytes, &len);

      slirp_input (usr->slirp, frame, (int) len);
      g_bytes_unref (bytes);
    }
  usr_poll (usr);
  if (usr->full)
    {
      usr->full = FALSE;
      vmm_net_writable (usr->net);
    }
}

/* Iothread. */
static void
usr_queue_work (Usr *usr)
{
  if (usr->work_queued || usr->closing)
    return;
  usr->work_queued = TRUE;
  vmm_iothread_call (usr->iothread, usr_on_work, usr);
}

static void
usr_on_kick (gpointer data)
{
  usr_queue_work (data);
}

/* On whatever thread the clock runs, the device's lock held. */
static void
usr_on_poll_timer (VmmDevice *dev, gpointer data)
{
  vmm_iothread_call (((Usr *) data)->iothread, usr_on_kick, data);
}

/* === libslirp's callbacks === */

static slirp_ssize_t
usr_on_send_packet (const void *frame, size_t len, void *opaque)
{
  const VmmNetHeader valid = { .flags = VMM_NET_DATA_VALID }; /* made here: nothing can have spoilt it */
  Usr *usr = opaque;

  if (!usr->closing)
    vmm_net_deliver (usr->net, 0, &valid, frame, len);
  return (slirp_ssize_t) len;
}

static void
usr_on_guest_error (const char *message, void *opaque)
{
  Usr *usr = opaque;

  vmm_log_debug (usr->dev->machine, usr->dev, "libslirp: %s", message);
}

static int64_t
usr_on_clock (void *opaque)
{
  return vmm_clock_now (vmm_device_get_clock (((Usr *) opaque)->dev));
}

static void
usr_on_handle_timer (gpointer data)
{
  UsrTimer *timer = data;

  if (timer->usr->slirp == NULL)
    return;
  slirp_handle_timer (timer->usr->slirp, timer->id, timer->opaque);
  usr_queue_work (timer->usr);
}

static void
usr_on_timer (VmmDevice *dev, gpointer data)
{
  vmm_iothread_call (((UsrTimer *) data)->usr->iothread, usr_on_handle_timer, data);
}

static void *
usr_on_timer_new (SlirpTimerId id, void *cb_opaque, void *opaque)
{
  UsrTimer *timer = g_new0 (UsrTimer, 1);

  timer->usr = opaque;
  timer->id = id;
  timer->opaque = cb_opaque;
  vmm_timer_init (&timer->timer, timer->usr->dev, usr_on_timer, timer);
  return timer;
}

/* Only from slirp_cleanup(); a call that is on its way must still find it. */
static void
usr_on_timer_free (void *data, void *opaque)
{
  UsrTimer *timer = data;

  vmm_timer_clear (&timer->timer);
  vmm_iothread_call (timer->usr->iothread, g_free, timer);
}

static void
usr_on_timer_mod (void *data, int64_t expire_ms, void *opaque)
{
  UsrTimer *timer = data;

  vmm_timer_arm (&timer->timer, CLAMP (expire_ms, 0, G_MAXINT64 / USR_NS_PER_MS) * USR_NS_PER_MS);
}

static void
usr_on_notify (void *opaque)
{
  usr_queue_work (opaque);
}

static const SlirpCb usr_callbacks = {
  .send_packet = usr_on_send_packet,
  .guest_error = usr_on_guest_error,
  .clock_get_ns = usr_on_clock,
  .timer_free = usr_on_timer_free,
  .timer_mod = usr_on_timer_mod,
  .register_poll_fd = usr_on_register_fd,
  .unregister_poll_fd = usr_on_unregister_fd,
  .notify = usr_on_notify,
  .timer_new_opaque = usr_on_timer_new,
};

/* === Frames from the guest === */

static gboolean
usr_send (gpointer backend, guint queue, const VmmNetHeader *header, const struct iovec *iov, guint n_iov, gsize len)
{
  Usr *usr = backend;
  guint8 *frame;
  gsize at = 0;

  if (usr->frames.length >= USR_QUEUE_MAX)
    {
      usr->full = TRUE;
      return FALSE;
    }
  frame = g_malloc (MAX (len, VMM_NET_FRAME_MIN));
  for (guint i = 0; i < n_iov; i++)
    {
      memcpy (frame + at, iov[i].iov_base, iov[i].iov_len);
      at += iov[i].iov_len;
    }
  if (at < VMM_NET_FRAME_MIN)
    memset (frame + at, 0, VMM_NET_FRAME_MIN - at);
  g_queue_push_tail (&usr->frames, g_bytes_new_take (frame, MAX (len, VMM_NET_FRAME_MIN)));
  usr_queue_work (usr);
  return TRUE;
}

static void
usr_receive_ready (gpointer backend)
{
  usr_queue_work (backend);
}

/* === Port forwards === */

typedef struct {
  Usr *usr;
  const VmmNetForward *forward;
  int result; /* 0 or errno */
  char **list;
} UsrChange;

static gsize
usr_make_address (const VmmNetForward *forward, gboolean guest, struct sockaddr_storage *ret_address)
{
  const guint8 *from = guest ? forward->guest : forward->host;
  in_port_t port = htons (guest ? forward->guest_port : forward->host_port);

  memset (ret_address, 0, sizeof *ret_address);
  if (forward->ipv6)
    {
      struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) ret_address;

      in6->sin6_family = AF_INET6;
      in6->sin6_port = port;
      memcpy (&in6->sin6_addr, from, 16);
      return sizeof *in6;
    }
  else
    {
      struct sockaddr_in *in = (struct sockaddr_in *) ret_address;

      in->sin_family = AF_INET;
      in->sin_port = port;
      memcpy (&in->sin_addr, from, 4);
      return sizeof *in;
    }
}

static guint
usr_find_forward (Usr *usr, const VmmNetForward *forward)
{
  for (guint i = 0; i < usr->forwards->len; i++)
    if (vmm_net_forward_same_host (&g_array_index (usr->forwards, VmmNetForward, i), forward))
      return i;
  return G_MAXUINT;
}

static int
usr_forward_flags (const VmmNetForward *forward)
{
  return (forward->udp ? SLIRP_HOSTFWD_UDP : 0) | (forward->ipv6 ? SLIRP_HOSTFWD_V6ONLY : 0);
}

static void
usr_on_add_forward (gpointer data)
{
  UsrChange *change = data;
  Usr *usr = change->usr;
  struct sockaddr_storage host, guest;
  gsize host_len = usr_make_address (change->forward, FALSE, &host), guest_len = usr_make_address (change->forward, TRUE, &guest);

  if (usr_find_forward (usr, change->forward) != G_MAXUINT)
    {
      change->result = EADDRINUSE;
      return;
    }
  errno = 0;
  if (slirp_add_hostxfwd (usr->slirp, (struct sockaddr *) &host, (socklen_t) host_len, (struct sockaddr *) &guest,
                          (socklen_t) guest_len, usr_forward_flags (change->forward))
      < 0)
    {
      change->result = errno != 0 ? errno : EADDRINUSE;
      return;
    }
  g_array_append_val (usr->forwards, *change->forward);
  usr_queue_work (usr);
}

static void
usr_on_remove_forward (gpointer data)
{
  UsrChange *change = data;
  Usr *usr = change->usr;
  guint index = usr_find_forward (usr, change->forward);
  struct sockaddr_storage host;
  gsize host_len;

  if (index == G_MAXUINT)
    {
      change->result = ENOENT;
      return;
    }
  host_len = usr_make_address (change->forward, FALSE, &host);
  slirp_remove_hostxfwd (usr->slirp, (struct sockaddr *) &host, (socklen_t) host_len, usr_forward_flags (change->forward));
  g_array_remove_index (usr->forwards, index);
  usr_queue_work (usr);
}

static void
usr_on_dup_forwards (gpointer data)
{
  UsrChange *change = data;
  GArray *forwards = change->usr->forwards;

  change->list = g_new0 (char *, forwards->len + 1);
  for (guint i = 0; i < forwards->len; i++)
    change->list[i] = vmm_net_forward_format (&g_array_index (forwards, VmmNetForward, i));
}

static gboolean
usr_add_forward (gpointer backend, const char *text, GError **error)
{
  VmmNetForward forward;
  UsrChange change = { backend, &forward, 0, NULL };

  if (!vmm_net_forward_parse (text, &forward, error))
    return FALSE;
  vmm_iothread_call_sync (change.usr->iothread, usr_on_add_forward, &change);
  if (change.result == 0)
    return TRUE;
  g_set_error (error, VMM_ERROR, change.result == EADDRINUSE ? VMM_ERROR_BUSY : VMM_ERROR_HOST, "the port forward '%s': %s", text,
               g_strerror (change.result));
  return FALSE;
}

static gboolean
usr_remove_forward (gpointer backend, const char *text, GError **error)
{
  VmmNetForward forward;
  UsrChange change = { backend, &forward, 0, NULL };

  if (!vmm_net_forward_parse (text, &forward, error))
    return FALSE;
  vmm_iothread_call_sync (change.usr->iothread, usr_on_remove_forward, &change);
  if (change.result == 0)
    return TRUE;
  g_set_error (error, VMM_ERROR, VMM_ERROR_NOT_FOUND, "there is no port forward '%s'", text);
  return FALSE;
}

static char **
usr_dup_forwards (gpointer backend)
{
  UsrChange change = { backend, NULL, 0, NULL };

  vmm_iothread_call_sync (change.usr->iothread, usr_on_dup_forwards, &change);
  return change.list;
}

/* === Life === */

static void
usr_on_start (gpointer data)
{
  Usr *usr = data;
  SlirpConfig config = {
    .version = 4,
    .restricted = usr->restricted,
    .in_enabled = true,
    .in6_enabled = usr->ipv6,
    .vprefix_len = 64,
    .vhostname = usr->hostname,
    .tftp_path = usr->tftp,
    .bootfile = usr->bootfile,
  };

  inet_pton (AF_INET, "10.0.2.0", &config.vnetwork);
  inet_pton (AF_INET, "255.255.255.0", &config.vnetmask);
  inet_pton (AF_INET, "10.0.2.2", &config.vhost);
  inet_pton (AF_INET, "10.0.2.3", &config.vnameserver);
  inet_pton (AF_INET, "10.0.2.15", &config.vdhcp_start);
  inet_pton (AF_INET6, "fec0::", &config.vprefix_addr6);
  inet_pton (AF_INET6, "fec0::2", &config.vhost6);
  inet_pton (AF_INET6, "fec0::3", &config.vnameserver6);
  usr->slirp = slirp_new (&config, &usr_callbacks, usr);
  if (usr->slirp != NULL)
    usr_update (usr);
}

static void
usr_on_stop (gpointer data)
{
  Usr *usr = data;

  usr->closing = TRUE;
  if (usr->slirp != NULL)
    {
      slirp_cleanup (usr->slirp);
      usr->slirp = NULL;
    }
}

static void
usr_nothing (gpointer data)
{
}

static void
usr_close (gpointer backend)
{
  Usr *usr = backend;

  if (usr->epoll_fd >= 0)
    vmm_iothread_remove_fd (usr->iothread, usr->epoll_fd);
  vmm_iothread_call_sync (usr->iothread, usr_on_stop, usr);
  vmm_timer_clear (&usr->timer);
  /* Calls that were on their way have found nothing to do after this. */
  vmm_iothread_call_sync (usr->iothread, usr_nothing, NULL);
  g_queue_clear_full (&usr->frames, (GDestroyNotify) g_bytes_unref);
  if (usr->epoll_fd >= 0)
    close (usr->epoll_fd);
  g_hash_table_unref (usr->fds);
  g_array_unref (usr->polls);
  g_array_unref (usr->forwards);
  g_free (usr->tftp);
  g_free (usr->bootfile);
  g_free (usr->hostname);
  g_free (usr);
}

static gboolean
usr_add_forwards (Usr *usr, GError **error)
{
  const char *text = vmm_device_get_string (usr->dev, "forward");
  g_auto (GStrv) list = g_strsplit_set (text != NULL ? text : "", ", ", -1);

  for (char **forward = list; *forward != NULL; forward++)
    if (**forward != '\0' && !usr_add_forward (usr, *forward, error))
      return FALSE;
  return TRUE;
}

static gpointer
usr_open (VmmNet *net, guint *queues, GError **error)
{
  Usr *usr = g_new0 (Usr, 1);

  usr->net = net;
  usr->dev = vmm_net_get_device (net);
  usr->iothread = vmm_net_get_iothread (net);
  usr->forwards = g_array_new (FALSE, FALSE, sizeof (VmmNetForward));
  usr->polls = g_array_new (FALSE, FALSE, sizeof (UsrPoll));
  usr->fds = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  usr->tftp = vmm_device_dup_path (usr->dev, "tftp");
  usr->bootfile = g_strdup (vmm_device_get_string (usr->dev, "bootfile"));
  usr->hostname = g_strdup (vmm_device_get_string (usr->dev, "hostname"));
  usr->ipv6 = vmm_device_get_bool (usr->dev, "ipv6");
  usr->restricted = vmm_device_get_bool (usr->dev, "restricted");
  g_queue_init (&usr->frames);
  vmm_timer_init (&usr->timer, usr->dev, usr_on_poll_timer, usr);
  *queues = 1;

  usr->epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  if (usr->epoll_fd < 0)
    g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "cannot make the network: %s", g_strerror (errno));
  else if (usr->tftp != NULL && !g_file_test (usr->tftp, G_FILE_TEST_IS_DIR))
    g_set_error (error, VMM_ERROR, VMM_ERROR_NOT_FOUND, "tftp=%s: no such directory", usr->tftp);
  else if (usr->bootfile != NULL && strlen (usr->bootfile) > 127) /* RFC 2131 §2: the field "file" */
    g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "bootfile: longer than 127 characters");
  else if (usr->hostname != NULL && strlen (usr->hostname) > 63)
    g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "hostname: longer than 63 characters");
  else
    {
      vmm_iothread_call_sync (usr->iothread, usr_on_start, usr);
      if (usr->slirp == NULL)
        g_set_error_literal (error, VMM_ERROR, VMM_ERROR_HOST, "libslirp refused the network");
      else if (usr_add_forwards (usr, error)
               && vmm_iothread_add_fd (usr->iothread, usr->epoll_fd, EPOLLIN, usr_on_ready, usr, error))
        return usr;
    }
  usr_close (usr);
  return NULL;
}

const VmmNetOps vmm_net_user_ops = {
  .name = "user",
  .takes = VMM_NET_OFFLOAD_TSO4,
  .open = usr_open,
  .close = usr_close,
  .send = usr_send,
  .receive_ready = usr_receive_ready,
  .add_forward = usr_add_forward,
  .remove_forward = usr_remove_forward,
  .dup_forwards = usr_dup_forwards,
};
