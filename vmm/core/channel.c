/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Theory of operation: output goes to the replay ring, to the log file's buffer and to the clients' buffers under one small lock, and the
 * iothread is told once; it writes what it can, drops what a slow client cannot take (the newest is kept), and reads what clients send
 * for the device. Input that the device cannot take stays in `input`; while it is full no client is read. */
#include "core/channel.h"

#include "core/device.h"
#include "core/iothread.h"
#include "core/log.h"
#include "core/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHAN_REPLAY_SIZE (64u << 10)
#define CHAN_CLIENT_MAX (256u << 10)
#define CHAN_INPUT_MAX (64u << 10)
#define CHAN_LOG_MAX (16u << 20)
#define CHAN_MAX_CLIENTS 16

typedef struct {
  VmmChannel *channel;
  int fd;
  GByteArray *out; /* under lock */
  guint32 events;  /* iothread */
} ChanClient;

struct _VmmChannel {
  VmmDevice *dev;
  VmmIoThread *iothread;
  VmmChannelReceive receive;
  GMutex lock;
  GByteArray *replay;     /* under lock: the last output */
  GByteArray *log_out;    /* under lock */
  gboolean flush_queued;  /* under lock */
  GPtrArray *clients;     /* ChanClient; under lock, changed on the iothread */
  GByteArray *input;      /* iothread: not yet taken by the device */
  gboolean accept_queued; /* under lock */
  char *log_path;         /* (nullable) */
  int log_fd;
  gsize log_size;
};

static void
chan_open_log (VmmChannel *channel)
{
  if (channel->log_path == NULL)
    return;
  channel->log_fd = g_open (channel->log_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  channel->log_size = 0;
  if (channel->log_fd < 0)
    vmm_log_warning (channel->dev->machine, channel->dev, "cannot write %s: %s", channel->log_path, g_strerror (errno));
}

static void
chan_write_log (VmmChannel *channel, const guint8 *data, gsize len)
{
  if (channel->log_fd < 0 || len == 0)
    return;
  if (channel->log_size + len > CHAN_LOG_MAX)
    {
      g_autofree char *old = g_strconcat (channel->log_path, ".old", NULL);

      close (channel->log_fd);
      g_rename (channel->log_path, old);
      chan_open_log (channel);
      if (channel->log_fd < 0)
        return;
    }
  while (len > 0)
    {
      gssize n = write (channel->log_fd, data, len);

      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return; /* a full disk must not stop the guest */
      data += n;
      len -= (gsize) n;
      channel->log_size += (gsize) n;
    }
}

static void
chan_drop_client (VmmChannel *channel, ChanClient *client)
{
  vmm_iothread_remove_fd (channel->iothread, client->fd);
  g_mutex_lock (&channel->lock);
  g_ptr_array_remove (channel->clients, client);
  g_mutex_unlock (&channel->lock);
  close (client->fd);
  g_byte_array_unref (client->out);
  g_free (client);
}

static void
chan_update_events (ChanClient *client)
{
  guint32 events = client->channel->input->len < CHAN_INPUT_MAX ? EPOLLIN : 0;

  g_mutex_lock (&client->channel->lock);
  if (client->out->len > 0)
    events |= EPOLLOUT;
  g_mutex_unlock (&client->channel->lock);
  if (events != client->events)
    {
      client->events = events;
      vmm_iothread_modify_fd (client->channel->iothread, client->fd, events);
    }
}

/* Iothread. Returns: FALSE if the client is gone. */
static gboolean
chan_send (VmmChannel *channel, ChanClient *client)
{
  gboolean alive = TRUE;

  g_mutex_lock (&channel->lock);
  while (client->out->len > 0)
    {
      gssize n = send (client->fd, client->out->data, client->out->len, MSG_NOSIGNAL);

      if (n < 0 && errno == ENOTSOCK)
        n = write (client->fd, client->out->data, client->out->len);
      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        {
          alive = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
          break;
        }
      g_byte_array_remove_range (client->out, 0, (guint) n);
    }
  g_mutex_unlock (&channel->lock);
  if (!alive)
    chan_drop_client (channel, client);
  else
    chan_update_events (client);
  return alive;
}

static void
chan_flush (gpointer data)
{
  VmmChannel *channel = data;
  g_autoptr (GByteArray) log = NULL;

  g_mutex_lock (&channel->lock);
  channel->flush_queued = FALSE;
  log = g_steal_pointer (&channel->log_out);
  channel->log_out = g_byte_array_new ();
  g_mutex_unlock (&channel->lock);
  chan_write_log (channel, log->data, log->len);
  for (guint i = channel->clients->len; i > 0; i--)
    chan_send (channel, channel->clients->pdata[i - 1]);
}

static void
chan_append_limited (GByteArray *array, const guint8 *data, gsize len, gsize limit)
{
  if (len > limit)
    {
      data += len - limit;
      len = limit;
    }
  g_byte_array_append (array, data, (guint) len);
  /* Trimming moves memory: do it once per quarter of the limit. */
  if (array->len > limit + limit / 4)
    g_byte_array_remove_range (array, 0, array->len - (guint) limit);
}

void
vmm_channel_write (VmmChannel *channel, const guint8 *data, gsize len)
{
  gboolean tell;

  g_mutex_lock (&channel->lock);
  chan_append_limited (channel->replay, data, len, CHAN_REPLAY_SIZE);
  if (channel->log_path != NULL)
    chan_append_limited (channel->log_out, data, len, CHAN_LOG_MAX / 4);
  for (guint i = 0; i < channel->clients->len; i++)
    chan_append_limited (((ChanClient *) channel->clients->pdata[i])->out, data, len, CHAN_CLIENT_MAX);
  tell = !channel->flush_queued && (channel->log_path != NULL || channel->clients->len > 0);
  channel->flush_queued |= tell;
  g_mutex_unlock (&channel->lock);
  if (tell)
    vmm_iothread_call (channel->iothread, chan_flush, channel);
}

/* Iothread: gives the device what it takes. */
static void
chan_offer (gpointer data)
{
  VmmChannel *channel = data;

  g_mutex_lock (&channel->lock);
  channel->accept_queued = FALSE;
  g_mutex_unlock (&channel->lock);

  while (channel->input->len > 0)
    {
      gsize n;

      vmm_device_lock (channel->dev);
      n = channel->receive (channel->dev, channel->input->data, channel->input->len);
      vmm_device_unlock (channel->dev);
      if (n == 0)
        break;
      g_byte_array_remove_range (channel->input, 0, (guint) MIN (n, channel->input->len));
    }
  for (guint i = 0; i < channel->clients->len; i++)
    chan_update_events (channel->clients->pdata[i]);
}

void
vmm_channel_accept (VmmChannel *channel)
{
  gboolean tell;

  g_mutex_lock (&channel->lock);
  tell = !channel->accept_queued && channel->clients->len > 0;
  channel->accept_queued |= tell;
  g_mutex_unlock (&channel->lock);
  if (tell)
    vmm_iothread_call (channel->iothread, chan_offer, channel);
}

static void
chan_on_client (int fd, guint32 events, gpointer data)
{
  ChanClient *client = data;
  VmmChannel *channel = client->channel;
  guint8 buffer[4096];

  if ((events & EPOLLOUT) && !chan_send (channel, client))
    return;
  if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
    return;
  if (channel->input->len < CHAN_INPUT_MAX)
    {
      gssize n = read (fd, buffer, sizeof buffer);

      if (n > 0)
        {
          g_byte_array_append (channel->input, buffer, (guint) n);
          chan_offer (channel);
          return;
        }
      if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    }
  else if (!(events & (EPOLLHUP | EPOLLERR)))
    return;
  chan_drop_client (channel, client);
}

VmmChannel *
vmm_channel_new (VmmDevice *dev, VmmChannelReceive receive, GError **error)
{
  VmmChannel *channel = g_new0 (VmmChannel, 1);

  channel->dev = dev;
  channel->iothread = vmm_device_get_iothread (dev);
  channel->receive = receive;
  g_mutex_init (&channel->lock);
  channel->replay = g_byte_array_new ();
  channel->log_out = g_byte_array_new ();
  channel->input = g_byte_array_new ();
  channel->clients = g_ptr_array_new ();
  channel->log_fd = -1;
  if (dev->machine->log_dir != NULL)
    {
      g_autofree char *name = g_strconcat (dev->id, ".log", NULL);

      channel->log_path = g_build_filename (dev->machine->log_dir, name, NULL);
      chan_open_log (channel);
    }
  g_ptr_array_add (dev->machine->channels, channel);
  return channel;
}

static void
chan_close_clients (gpointer data)
{
  VmmChannel *channel = data;

  chan_flush (channel);
  while (channel->clients->len > 0)
    chan_drop_client (channel, channel->clients->pdata[0]);
}

void
vmm_channel_free (VmmChannel *channel)
{
  if (channel == NULL)
    return;
  g_ptr_array_remove (channel->dev->machine->channels, channel);
  vmm_iothread_call_sync (channel->iothread, chan_close_clients, channel);
  if (channel->log_fd >= 0)
    close (channel->log_fd);
  g_free (channel->log_path);
  g_byte_array_unref (channel->replay);
  g_byte_array_unref (channel->log_out);
  g_byte_array_unref (channel->input);
  g_ptr_array_unref (channel->clients);
  g_mutex_clear (&channel->lock);
  g_free (channel);
}

typedef struct {
  ChanClient *client;
  gboolean replay;
  GError *error;
} ChanAttach;

static void
chan_attach (gpointer data)
{
  ChanAttach *attach = data;
  ChanClient *client = attach->client;
  VmmChannel *channel = client->channel;

  if (channel->clients->len >= CHAN_MAX_CLIENTS)
    {
      g_set_error_literal (&attach->error, VMM_ERROR, VMM_ERROR_BUSY, "too many are attached to this serial port");
      return;
    }
  client->events = EPOLLIN;
  if (!vmm_iothread_add_fd (channel->iothread, client->fd, EPOLLIN, chan_on_client, client, &attach->error))
    return;
  g_mutex_lock (&channel->lock);
  if (attach->replay)
    g_byte_array_append (client->out, channel->replay->data, channel->replay->len);
  g_ptr_array_add (channel->clients, client);
  g_mutex_unlock (&channel->lock);
  chan_send (channel, client);
}

gboolean
vmm_machine_attach_serial (VmmMachine *machine, const char *device_id, int fd, gboolean replay, GError **error)
{
  VmmChannel *channel = NULL;
  ChanAttach attach = { .replay = replay };

  for (guint i = 0; i < machine->channels->len; i++)
    if (g_str_equal (((VmmChannel *) machine->channels->pdata[i])->dev->id, device_id))
      channel = machine->channels->pdata[i];
  if (channel == NULL)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_NOT_FOUND, "there is no serial port %s", device_id);
      close (fd);
      return FALSE;
    }

  fcntl (fd, F_SETFL, fcntl (fd, F_GETFL) | O_NONBLOCK);
  attach.client = g_new0 (ChanClient, 1);
  *attach.client = (ChanClient) { .channel = channel, .fd = fd, .out = g_byte_array_new () };
  vmm_iothread_call_sync (channel->iothread, chan_attach, &attach);
  if (attach.error == NULL)
    return TRUE;
  g_propagate_error (error, attach.error);
  close (fd);
  g_byte_array_unref (attach.client->out);
  g_free (attach.client);
  return FALSE;
}
