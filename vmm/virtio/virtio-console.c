/* SPDX-License-Identifier: GPL-3.0-or-later */
/* virtio console with many ports.
 * Spec: VIRTIO 1.2 §5.3. Left out: the size of the terminal (serial lines have none either).
 *
 * Theory of operation: port 0 is a terminal (hvc0 in Linux): a VmmChannel, with log and attached clients like a serial port. The other
 * ports are byte streams with a name, for agents; each has a listening socket in the host's file system that serves one client at a
 * time. Nothing is lost and nobody waits: what the client does not take stays in the guest's buffer (the element is held until the socket
 * has room), and a client is read only while the guest has opened the port and given room.
 *
 * Control messages to the guest are not queued: each port has a set of messages that are due, sent when the guest gives buffers, in the
 * order that drivers expect: PORT_ADD, then after the guest's PORT_READY its name, CONSOLE_PORT, PORT_OPEN.
 *
 * Saved: which ports the guest opened, what is due, and how much of a held element went out; a quiesce puts the element back. Clients are
 * the host's and are not saved. */
#include "core/channel.h"
#include "core/iothread.h"
#include "core/machine.h"
#include "virtio/virtio.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define VCON_MAX_PORTS 16
#define VCON_QUEUE_SIZE 128
#define VCON_NAME_MAX 64
#define VCON_READS 32 /* of a client, before others have their turn */
#define VCON_MAX_IOV 64

#define VCON_F_MULTIPORT 1
#define VCON_F_EMERG_WRITE 2

/* Configuration, §5.3.4 */
#define VCON_CFG_MAX_PORTS 0x04
#define VCON_CFG_EMERG_WRITE 0x08
#define VCON_CFG_SIZE 0x0c

/* Queues, §5.3.2 */
#define VCON_CONTROL_RX 2
#define VCON_CONTROL_TX 3

/* Control messages, §5.3.6.2 */
#define VCON_DEVICE_READY 0
#define VCON_PORT_ADD 1
#define VCON_PORT_READY 3
#define VCON_CONSOLE_PORT 4
#define VCON_PORT_OPEN 6
#define VCON_PORT_NAME 7

typedef struct {
  guint32 id;
  guint16 event, value;
} VconMessage;

G_STATIC_ASSERT (sizeof (VconMessage) == 8);

/* In the order of their sending */
enum {
  VCON_DUE_ADD = 1 << 0,
  VCON_DUE_NAME = 1 << 1,
  VCON_DUE_CONSOLE = 1 << 2,
  VCON_DUE_OPEN = 1 << 3,
};

typedef struct {
  guint8 ready[VCON_MAX_PORTS];      /* the guest knows the port */
  guint8 guest_open[VCON_MAX_PORTS]; /* a program in the guest has it open */
  guint8 due[VCON_MAX_PORTS];
  guint64 sent[VCON_MAX_PORTS]; /* bytes of the oldest output element that are out */
} VconRegs;

typedef struct _VirtioConsole VirtioConsole;

typedef struct {
  VirtioConsole *console;
  guint id;
  char *name; /* (nullable): port 0 */
  char *path;
  int listen_fd, client_fd;
  guint32 events; /* that the client's descriptor is watched for */
  gboolean hung;  /* the client is gone, but what it sent is not all read; its descriptor is not watched */
  VmmVirtioElement out;
  gboolean has_out;
  VmmVirtioElement in;
} VconPort;

struct _VirtioConsole {
  VmmVirtio virtio;
  VconRegs regs;
  VmmChannel *channel; /* (nullable): there is no port 0 */
  VconPort ports[VCON_MAX_PORTS];
  guint n_ports;
  VmmVirtioElement control;
};

static const VmmSetting vcon_settings[] = {
  { "console", VMM_SETTING_BOOL, "true", 0, 0, NULL, N_ ("A terminal (hvc0) that can be attached to like a serial port"),
    VMM_SETTING_NONE },
  { "ports", VMM_SETTING_STRING, NULL, 0, 0, NULL, N_ ("Agent channels: NAME=SOCKET, several separated by commas"),
    VMM_SETTING_NONE },
  { NULL },
};

static const VmmField vcon_fields[] = {
  VMM_FIELD_ARRAY (VconRegs, ready),
  VMM_FIELD_ARRAY (VconRegs, guest_open),
  VMM_FIELD_ARRAY (VconRegs, due),
  VMM_FIELD_ARRAY (VconRegs, sent),
  VMM_FIELD_END,
};

static VmmVirtqueue *
vcon_rx (VconPort *port)
{
  return vmm_virtio_get_queue (&port->console->virtio, port->id == 0 ? 0 : 2 + 2 * port->id);
}

static VmmVirtqueue *
vcon_tx (VconPort *port)
{
  return vmm_virtio_get_queue (&port->console->virtio, port->id == 0 ? 1 : 3 + 2 * port->id);
}

static gboolean
vcon_port_exists (VconPort *port)
{
  return port->id != 0 || port->console->channel != NULL;
}

/* Does somebody in the host listen? */
static gboolean
vcon_host_open (VconPort *port)
{
  return port->id == 0 || port->client_fd >= 0;
}

static gboolean
vcon_guest_listens (VconPort *port)
{
  return !vmm_virtio_has_feature (&port->console->virtio, VCON_F_MULTIPORT) || port->console->regs.guest_open[port->id] != 0;
}

/* === Control messages === */

/* FALSE: the guest has given no buffer. */
static gboolean
vcon_send_message (VconPort *port, guint16 event, guint16 value, const char *text)
{
  VirtioConsole *console = port->console;
  VmmVirtqueue *queue = vmm_virtio_get_queue (&console->virtio, VCON_CONTROL_RX);
  const VconMessage message = { GUINT32_TO_LE (port->id), GUINT16_TO_LE (event), GUINT16_TO_LE (value) };
  gsize n;

  if (!vmm_virtqueue_pop (queue, &console->control))
    return FALSE;
  n = vmm_virtio_element_write (&console->control, 0, &message, sizeof message);
  if (text != NULL)
    n += vmm_virtio_element_write (&console->control, n, text, strlen (text));
  vmm_virtqueue_push (queue, &console->control, (guint32) n);
  return TRUE;
}

static gboolean
vcon_send_due (VconPort *port, guint8 due)
{
  switch (due)
    {
    case VCON_DUE_ADD:
      return vcon_send_message (port, VCON_PORT_ADD, 1, NULL);
    case VCON_DUE_NAME:
      return vcon_send_message (port, VCON_PORT_NAME, 1, port->name);
    case VCON_DUE_CONSOLE:
      return vcon_send_message (port, VCON_CONSOLE_PORT, 1, NULL);
    default:
      return vcon_send_message (port, VCON_PORT_OPEN, vcon_host_open (port), NULL);
    }
}

static void
vcon_flush_control (VirtioConsole *console)
{
  gboolean room = TRUE;

  if (!vmm_virtio_has_feature (&console->virtio, VCON_F_MULTIPORT))
    return;
  for (guint i = 0; i < console->n_ports && room; i++)
    for (guint8 bit = VCON_DUE_ADD; bit <= VCON_DUE_OPEN && room; bit = (guint8) (bit << 1))
      if ((console->regs.due[i] & bit) != 0)
        {
          room = vcon_send_due (&console->ports[i], bit);
          if (room)
            console->regs.due[i] &= (guint8) ~bit;
        }
  vmm_virtqueue_notify (vmm_virtio_get_queue (&console->virtio, VCON_CONTROL_RX));
}

/* === Output: from the guest === */

static void vcon_update_events (VconPort *port);
static void vcon_drop_client (VconPort *port);

static void
vcon_end_output (VconPort *port)
{
  port->has_out = FALSE;
  port->console->regs.sent[port->id] = 0;
  vmm_virtqueue_push (vcon_tx (port), &port->out, 0);
}

/* TRUE: the element is out (or nobody wanted it). */
static gboolean
vcon_send_output (VconPort *port)
{
  guint64 *sent = &port->console->regs.sent[port->id];

  while (*sent < port->out.out_bytes && port->client_fd >= 0)
    {
      struct iovec iov[VCON_MAX_IOV];
      struct msghdr message = { .msg_iov = iov };
      gssize n;

      message.msg_iovlen = vmm_virtio_iov_slice (port->out.iov, port->out.n_out, *sent, port->out.out_bytes - *sent, iov,
                                                 VCON_MAX_IOV);
      n = sendmsg (port->client_fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n > 0)
        *sent += (gsize) n;
      else if (n < 0 && errno == EAGAIN)
        return FALSE;
      else if (n == 0 || errno != EINTR)
        vcon_drop_client (port);
    }
  return TRUE;
}

static void
vcon_write_channel (VconPort *port)
{
  for (guint i = 0; i < port->out.n_out; i++)
    vmm_channel_write (port->console->channel, port->out.iov[i].iov_base, port->out.iov[i].iov_len);
}

static void
vcon_run_output (VconPort *port)
{
  VmmVirtqueue *queue = vcon_tx (port);

  while (port->has_out || (port->has_out = vmm_virtqueue_pop (queue, &port->out)))
    {
      if (port->id == 0 && port->console->channel != NULL)
        vcon_write_channel (port);
      else if (port->id != 0 && !vcon_send_output (port))
        break;
      /* A client that went away took the element along. */
      if (port->has_out)
        vcon_end_output (port);
    }
  vmm_virtqueue_notify (queue);
  vcon_update_events (port);
}

/* === Input: to the guest === */

/* Asks for a kick if there is none. */
static gboolean
vcon_has_room (VconPort *port)
{
  if (!vcon_guest_listens (port) || !vmm_virtqueue_pop (vcon_rx (port), &port->in))
    return FALSE;
  vmm_virtqueue_unpop (vcon_rx (port), &port->in);
  return TRUE;
}

static void
vcon_update_events (VconPort *port)
{
  guint32 events = 0;

  if (port->client_fd < 0 || port->hung)
    return;
  if (vcon_has_room (port))
    events |= EPOLLIN;
  if (port->has_out)
    events |= EPOLLOUT;
  if (events == port->events)
    return;
  port->events = events;
  vmm_iothread_modify_fd (port->console->virtio.iothread, port->client_fd, events);
}

static void
vcon_run_input (VconPort *port)
{
  VmmVirtqueue *queue = vcon_rx (port);

  for (guint i = 0; i < VCON_READS && port->client_fd >= 0 && vcon_guest_listens (port); i++)
    {
      gssize n;

      if (!vmm_virtqueue_pop (queue, &port->in))
        break;
      if (port->in.in_bytes == 0)
        {
          vmm_virtqueue_push (queue, &port->in, 0);
          continue;
        }
      n = readv (port->client_fd, port->in.iov + port->in.n_out, (int) MIN (port->in.n_in, VCON_MAX_IOV));
      if (n > 0)
        {
          vmm_virtqueue_push (queue, &port->in, (guint32) n);
          continue;
        }
      vmm_virtqueue_unpop (queue, &port->in);
      if (n < 0 && (errno == EAGAIN || errno == EINTR))
        break;
      vcon_drop_client (port);
    }
  vmm_virtqueue_notify (queue);
  if (port->hung)
    {
      guint8 byte;

      if (!vcon_guest_listens (port) || recv (port->client_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
        vcon_drop_client (port);
      else if (vcon_has_room (port))
        vmm_virtqueue_kick (queue); /* the rest soon */
    }
  vcon_update_events (port);
}

/* The guest has given room, or opened or closed the port. */
static void
vcon_on_room (VconPort *port)
{
  if (port->hung)
    vcon_run_input (port);
  else
    vcon_update_events (port);
}

/* Iothread, lock held: input of the terminal. */
static gsize
vcon_receive (VmmDevice *dev, const guint8 *data, gsize len)
{
  VirtioConsole *console = (VirtioConsole *) dev;
  VconPort *port = &console->ports[0];
  VmmVirtqueue *queue = vcon_rx (port);
  gsize taken = 0;

  while (taken < len && vcon_guest_listens (port) && vmm_virtqueue_pop (queue, &port->in))
    {
      gsize n = vmm_virtio_element_write (&port->in, 0, data + taken, len - taken);

      vmm_virtqueue_push (queue, &port->in, (guint32) n);
      taken += n;
    }
  vmm_virtqueue_notify (queue);
  return taken;
}

/* === Clients; iothread === */

/* Lock held. */
static void
vcon_drop_client (VconPort *port)
{
  VirtioConsole *console = port->console;

  if (!port->hung)
    vmm_iothread_remove_fd (console->virtio.iothread, port->client_fd);
  close (port->client_fd);
  port->client_fd = -1;
  port->events = 0;
  port->hung = FALSE;
  if (port->has_out)
    vcon_end_output (port);
  if (console->regs.ready[port->id])
    console->regs.due[port->id] |= VCON_DUE_OPEN;
  vcon_flush_control (console);
  vmm_iothread_modify_fd (console->virtio.iothread, port->listen_fd, EPOLLIN);
}

static void
vcon_on_client (int fd, guint32 events, gpointer data)
{
  VconPort *port = data;
  VmmDevice *dev = &port->console->virtio.pci.base;

  vmm_device_lock (dev);
  if (fd == port->client_fd && (events & (EPOLLHUP | EPOLLERR)) != 0)
    {
      /* It would be reported for ever. */
      vmm_iothread_remove_fd (port->console->virtio.iothread, fd);
      port->hung = TRUE;
      vcon_run_output (port);
      if (fd == port->client_fd)
        vcon_run_input (port);
    }
  if (fd == port->client_fd && !port->hung && (events & EPOLLOUT) != 0)
    vcon_run_output (port);
  if (fd == port->client_fd && !port->hung && (events & EPOLLIN) != 0)
    vcon_run_input (port);
  vmm_device_unlock (dev);
}

static void
vcon_on_listen (int fd, guint32 events, gpointer data)
{
  VconPort *port = data;
  VirtioConsole *console = port->console;
  VmmDevice *dev = &console->virtio.pci.base;
  int client = accept4 (fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

  if (client < 0)
    return;
  vmm_device_lock (dev);
  if (port->client_fd >= 0 || !vmm_iothread_add_fd (console->virtio.iothread, client, 0, vcon_on_client, port, NULL))
    close (client);
  else
    {
      port->client_fd = client;
      port->events = 0;
      vmm_iothread_modify_fd (console->virtio.iothread, fd, 0); /* the next one waits */
      if (console->regs.ready[port->id])
        console->regs.due[port->id] |= VCON_DUE_OPEN;
      vcon_flush_control (console);
      vcon_update_events (port);
    }
  vmm_device_unlock (dev);
}

/* === Queues === */

static void
vcon_on_message (VirtioConsole *console, const VconMessage *message)
{
  guint32 id = GUINT32_FROM_LE (message->id);
  guint16 event = GUINT16_FROM_LE (message->event), value = GUINT16_FROM_LE (message->value);
  VconPort *port;

  if (event == VCON_DEVICE_READY)
    {
      for (guint i = 0; i < console->n_ports && value == 1; i++)
        if (vcon_port_exists (&console->ports[i]))
          console->regs.due[i] |= VCON_DUE_ADD;
      return;
    }
  if (id >= console->n_ports || !vcon_port_exists (&console->ports[id]))
    {
      vmm_guest_error (&console->virtio.pci.base, "control message %u for port %u", event, id);
      return;
    }
  port = &console->ports[id];
  if (event == VCON_PORT_READY && value == 1)
    {
      console->regs.ready[id] = TRUE;
      console->regs.due[id] |= (guint8) ((port->name != NULL ? VCON_DUE_NAME : 0) | (id == 0 ? VCON_DUE_CONSOLE : 0)
                                         | (vcon_host_open (port) ? VCON_DUE_OPEN : 0));
    }
  else if (event == VCON_PORT_OPEN)
    {
      console->regs.guest_open[id] = value != 0;
      if (id == 0 && value != 0)
        vmm_channel_accept (console->channel);
      vcon_on_room (port);
    }
}

static void
vcon_handle_control (VirtioConsole *console)
{
  VmmVirtqueue *queue = vmm_virtio_get_queue (&console->virtio, VCON_CONTROL_TX);

  while (vmm_virtqueue_pop (queue, &console->control))
    {
      VconMessage message;
      gboolean complete = vmm_virtio_element_read (&console->control, 0, &message, sizeof message) == sizeof message;

      vmm_virtqueue_push (queue, &console->control, 0);
      if (complete)
        vcon_on_message (console, &message);
    }
  vmm_virtqueue_notify (queue);
  vcon_flush_control (console);
}

static void
vcon_handle_queue (VmmVirtio *virtio, guint index)
{
  VirtioConsole *console = (VirtioConsole *) virtio;

  if (index == VCON_CONTROL_RX)
    vcon_flush_control (console);
  else if (index == VCON_CONTROL_TX)
    vcon_handle_control (console);
  else
    {
      VconPort *port = &console->ports[index < 2 ? 0 : index / 2 - 1];

      if ((index & 1) != 0)
        vcon_run_output (port);
      else if (port->id != 0)
        vcon_on_room (port);
      else if (console->channel != NULL)
        vmm_channel_accept (console->channel);
    }
}

static void
vcon_config_written (VmmVirtio *virtio, guint offset, guint size)
{
  VirtioConsole *console = (VirtioConsole *) virtio;
  guint8 character = virtio->regs.config[VCON_CFG_EMERG_WRITE];

  /* §5.3.4: may be written at any time, even before features are settled */
  if (offset <= VCON_CFG_EMERG_WRITE && offset + size > VCON_CFG_EMERG_WRITE && console->channel != NULL)
    vmm_channel_write (console->channel, &character, 1);
}

/* === Life === */

static void
vcon_reset_virtio (VmmVirtio *virtio)
{
  VirtioConsole *console = (VirtioConsole *) virtio;

  for (guint i = 0; i < console->n_ports; i++)
    {
      VconPort *port = &console->ports[i];

      if (port->has_out)
        vmm_virtqueue_drop (vcon_tx (port), &port->out);
      port->has_out = FALSE;
    }
  memset (&console->regs, 0, sizeof console->regs);
  for (guint i = 0; i < console->n_ports; i++)
    vcon_update_events (&console->ports[i]);
}

static const VmmVirtioOps vcon_ops = {
  .handle_queue = vcon_handle_queue,
  .config_written = vcon_config_written,
  .reset = vcon_reset_virtio,
};

static void
vcon_quiesce (VmmDevice *dev)
{
  VirtioConsole *console = (VirtioConsole *) dev;

  vmm_virtio_quiesce (dev);
  vmm_device_lock (dev);
  for (guint i = 0; i < console->n_ports; i++)
    {
      VconPort *port = &console->ports[i];

      if (port->has_out)
        vmm_virtqueue_unpop (vcon_tx (port), &port->out);
      port->has_out = FALSE;
      vcon_update_events (port);
    }
  vmm_device_unlock (dev);
}

static gboolean
vcon_listen (VconPort *port, GError **error)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  struct stat st;

  if (strlen (port->path) >= sizeof address.sun_path)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "ports: %s: too long for a socket", port->path);
      return FALSE;
    }
  memcpy (address.sun_path, port->path, strlen (port->path));
  if (lstat (port->path, &st) == 0 && S_ISSOCK (st.st_mode)) /* left over */
    g_unlink (port->path);
  port->listen_fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (port->listen_fd < 0 || fchmod (port->listen_fd, 0600) < 0
      || bind (port->listen_fd, (const struct sockaddr *) &address, sizeof address) < 0 || listen (port->listen_fd, 4) < 0)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "ports: %s: %s", port->path, g_strerror (errno));
      return FALSE;
    }
  return vmm_iothread_add_fd (port->console->virtio.iothread, port->listen_fd, EPOLLIN, vcon_on_listen, port, error);
}

static gboolean
vcon_name_is_valid (const char *name)
{
  gsize len = strlen (name);

  for (gsize i = 0; i < len; i++)
    if (!g_ascii_isgraph (name[i]))
      return FALSE;
  return len > 0 && len <= VCON_NAME_MAX;
}

/* "NAME=SOCKET,NAME=SOCKET" */
static gboolean
vcon_parse_ports (VirtioConsole *console, GError **error)
{
  const char *text = vmm_device_get_string (&console->virtio.pci.base, "ports");
  g_auto (GStrv) entries = g_strsplit (text != NULL ? text : "", ",", -1);

  console->n_ports = 1;
  for (guint i = 0; entries[i] != NULL; i++)
    {
      const char *entry = g_strstrip (entries[i]);
      char *separator = strchr (entry, '=');
      VconPort *port;

      if (entry[0] == '\0')
        continue;
      if (separator == NULL || separator[1] == '\0' || console->n_ports == VCON_MAX_PORTS)
        {
          g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG,
                       separator == NULL || separator[1] == '\0' ? "ports: %s: not of the form NAME=SOCKET" : "ports: %s: too many",
                       entry);
          return FALSE;
        }
      *separator = '\0';
      port = &console->ports[console->n_ports];
      if (!vcon_name_is_valid (entry))
        {
          g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "ports: %s: not a name", entry);
          return FALSE;
        }
      port->name = g_strdup (entry);
      port->path = vmm_device_resolve_path (&console->virtio.pci.base, separator + 1);
      console->n_ports++;
    }
  return TRUE;
}

static void
vcon_free_ports (VirtioConsole *console)
{
  for (guint i = 0; i < VCON_MAX_PORTS; i++)
    {
      VconPort *port = &console->ports[i];

      g_clear_pointer (&port->name, g_free);
      g_clear_pointer (&port->path, g_free);
      vmm_virtio_element_clear (&port->out);
      vmm_virtio_element_clear (&port->in);
    }
  vmm_virtio_element_clear (&console->control);
}

static void
vcon_close_ports (VirtioConsole *console)
{
  VmmIoThread *iothread = console->virtio.iothread;

  for (guint i = 0; i < console->n_ports; i++)
    {
      VconPort *port = &console->ports[i];

      /* First the listener, so that no new client comes. */
      if (port->listen_fd >= 0)
        {
          vmm_iothread_remove_fd (iothread, port->listen_fd);
          close (port->listen_fd);
          g_unlink (port->path);
        }
      if (port->client_fd >= 0)
        {
          if (!port->hung)
            vmm_iothread_remove_fd (iothread, port->client_fd);
          close (port->client_fd);
        }
      port->listen_fd = port->client_fd = -1;
    }
}

static gboolean
vcon_realize (VmmDevice *dev, GError **error)
{
  VirtioConsole *console = (VirtioConsole *) dev;
  VmmVirtioParams params = {
    .device_id = VMM_VIRTIO_ID_CONSOLE,
    .pci_class = 0x078000,
    .devfn = -1,
    .queue_size = VCON_QUEUE_SIZE,
    .features = VMM_VIRTIO_F (VCON_F_MULTIPORT) | VMM_VIRTIO_F (VCON_F_EMERG_WRITE),
    .config_size = VCON_CFG_SIZE,
  };

  for (guint i = 0; i < VCON_MAX_PORTS; i++)
    console->ports[i] = (VconPort) { .console = console, .id = i, .listen_fd = -1, .client_fd = -1 };
  if (!vcon_parse_ports (console, error))
    {
      vcon_free_ports (console);
      return FALSE;
    }
  params.n_queues = 2 * (console->n_ports + 1);
  if (!vmm_virtio_init (&console->virtio, &vcon_ops, &params, error))
    {
      vcon_free_ports (console);
      return FALSE;
    }
  vmm_virtio_config_put (&console->virtio, VCON_CFG_MAX_PORTS, 4, console->n_ports);
  memset (console->virtio.config_mask + VCON_CFG_EMERG_WRITE, 0xff, 4);
  for (guint i = 1; i < console->n_ports; i++)
    if (!vcon_listen (&console->ports[i], error))
      {
        if (console->ports[i].listen_fd >= 0)
          close (console->ports[i].listen_fd);
        console->ports[i].listen_fd = -1;
        goto fail;
      }
  if (vmm_device_get_bool (dev, "console") && (console->channel = vmm_channel_new (dev, vcon_receive, error)) == NULL)
    goto fail;
  return TRUE;

fail:
  vmm_virtio_stop (&console->virtio);
  vcon_close_ports (console);
  vcon_free_ports (console);
  vmm_virtio_clear (&console->virtio);
  return FALSE;
}

static void
vcon_unrealize (VmmDevice *dev)
{
  VirtioConsole *console = (VirtioConsole *) dev;

  vmm_virtio_stop (&console->virtio);
  vcon_close_ports (console);
  vmm_channel_free (console->channel);
  vcon_free_ports (console);
  vmm_virtio_clear (&console->virtio);
}

const VmmDeviceClass vmm_virtio_console_class = {
  .name = "virtio-console",
  .summary = N_ ("Console and agent channels (virtio)"),
  .description = N_ ("A text console, and channels for programs in the guest that work with this computer."),
  .bus = VMM_DEVICE_PCI,
  .user_creatable = TRUE,
  .instance_size = sizeof (VirtioConsole),
  .settings = vcon_settings,
  .regs_offset = G_STRUCT_OFFSET (VirtioConsole, regs),
  .regs_size = sizeof (VconRegs),
  .regs_fields = vcon_fields,
  .state_version = 1,
  .realize = vcon_realize,
  .reset = vmm_virtio_reset,
  .quiesce = vcon_quiesce,
  .resume = vmm_virtio_resume,
  .post_load = vmm_virtio_post_load,
  .unrealize = vcon_unrealize,
};
