/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Theory of operation: one thread around epoll_wait. Calls and removals reach it through a queue and an eventfd. A descriptor's record
 * stays allocated until the thread has passed through its loop after the removal, so an event that epoll has already returned never
 * meets freed memory. */
#include "core/iothread.h"

#include "core/waiters.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define IOT_MAX_EVENTS 32

typedef struct {
  int fd;
  gboolean removed; /* under lock */
  VmmFdFunc func;
  gpointer data;
} IotFd;

typedef struct {
  VmmCallFunc func;
  gpointer data;
  gboolean *done; /* (nullable) under lock */
} IotCall;

struct _VmmIoThread {
  GThread *thread;
  int epoll_fd, wake_fd;
  GMutex lock;
  VmmWaiters waiters;
  GHashTable *fds;    /* fd -> IotFd */
  GPtrArray *retired; /* IotFd that were removed */
  GQueue calls;       /* IotCall */
  gboolean woken;     /* wake_fd is signalled */
  gboolean stop;
  IotFd *running; /* whose func runs now */
};

static void
iot_wake_locked (VmmIoThread *thread)
{
  guint64 one = 1;

  if (thread->woken)
    return;
  thread->woken = TRUE;
  while (write (thread->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
    ;
}

static void
iot_run_calls (VmmIoThread *thread)
{
  g_mutex_lock (&thread->lock);
  for (IotCall *call; (call = g_queue_pop_head (&thread->calls)) != NULL;)
    {
      g_mutex_unlock (&thread->lock);
      call->func (call->data);
      g_mutex_lock (&thread->lock);
      if (call->done != NULL)
        {
          *call->done = TRUE;
          vmm_waiters_wake (&thread->waiters);
        }
      g_free (call);
    }
  g_mutex_unlock (&thread->lock);
}

static void
iot_dispatch (VmmIoThread *thread, IotFd *entry, guint32 events)
{
  g_mutex_lock (&thread->lock);
  if (entry->removed)
    {
      g_mutex_unlock (&thread->lock);
      return;
    }
  thread->running = entry;
  g_mutex_unlock (&thread->lock);

  entry->func (entry->fd, events, entry->data);

  g_mutex_lock (&thread->lock);
  thread->running = NULL;
  vmm_waiters_wake (&thread->waiters);
  g_mutex_unlock (&thread->lock);
}

static gpointer
iot_main (gpointer data)
{
  VmmIoThread *thread = data;
  struct epoll_event events[IOT_MAX_EVENTS];

  for (;;)
    {
      int n = epoll_wait (thread->epoll_fd, events, IOT_MAX_EVENTS, -1);
      gboolean stop;

      for (int i = 0; i < n; i++)
        {
          if (events[i].data.ptr == NULL)
            {
              guint64 count;

              g_mutex_lock (&thread->lock);
              if (read (thread->wake_fd, &count, sizeof count) < 0)
                g_assert (errno == EAGAIN || errno == EINTR);
              thread->woken = FALSE;
              g_mutex_unlock (&thread->lock);
              iot_run_calls (thread);
            }
          else
            iot_dispatch (thread, events[i].data.ptr, events[i].events);
        }

      g_mutex_lock (&thread->lock);
      g_ptr_array_set_size (thread->retired, 0);
      stop = thread->stop && g_queue_is_empty (&thread->calls);
      g_mutex_unlock (&thread->lock);
      if (stop)
        return NULL;
    }
}

VmmIoThread *
vmm_iothread_new (const char *name, GError **error)
{
  VmmIoThread *thread = g_new0 (VmmIoThread, 1);
  struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };

  g_mutex_init (&thread->lock);
  vmm_waiters_init (&thread->waiters);
  thread->fds = g_hash_table_new (NULL, NULL);
  thread->retired = g_ptr_array_new_with_free_func (g_free);
  thread->epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  thread->wake_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (thread->epoll_fd < 0 || thread->wake_fd < 0 || epoll_ctl (thread->epoll_fd, EPOLL_CTL_ADD, thread->wake_fd, &event) < 0)
    g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "cannot make an I/O thread: %s", g_strerror (errno));
  else
    thread->thread = g_thread_try_new (name, iot_main, thread, error);

  if (thread->thread == NULL)
    g_clear_pointer (&thread, vmm_iothread_free);
  return thread;
}

void
vmm_iothread_free (VmmIoThread *thread)
{
  if (thread == NULL)
    return;
  if (thread->thread != NULL)
    {
      g_mutex_lock (&thread->lock);
      thread->stop = TRUE;
      iot_wake_locked (thread);
      g_mutex_unlock (&thread->lock);
      g_thread_join (thread->thread);
    }
  g_assert (g_hash_table_size (thread->fds) == 0);
  g_hash_table_unref (thread->fds);
  g_ptr_array_unref (thread->retired);
  if (thread->epoll_fd >= 0)
    close (thread->epoll_fd);
  if (thread->wake_fd >= 0)
    close (thread->wake_fd);
  g_mutex_clear (&thread->lock);
  vmm_waiters_clear (&thread->waiters);
  g_free (thread);
}

gboolean
vmm_iothread_add_fd (VmmIoThread *thread, int fd, guint32 events, VmmFdFunc func, gpointer data, GError **error)
{
  IotFd *entry = g_new0 (IotFd, 1);
  struct epoll_event event = { .events = events, .data.ptr = entry };
  gboolean ok;

  *entry = (IotFd) { .fd = fd, .func = func, .data = data };
  g_mutex_lock (&thread->lock);
  g_assert (!g_hash_table_contains (thread->fds, GINT_TO_POINTER (fd)));
  ok = epoll_ctl (thread->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
  if (ok)
    g_hash_table_insert (thread->fds, GINT_TO_POINTER (fd), entry);
  else
    g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "cannot watch a descriptor: %s", g_strerror (errno));
  g_mutex_unlock (&thread->lock);
  if (!ok)
    g_free (entry);
  return ok;
}

void
vmm_iothread_modify_fd (VmmIoThread *thread, int fd, guint32 events)
{
  struct epoll_event event = { .events = events };

  g_mutex_lock (&thread->lock);
  event.data.ptr = g_hash_table_lookup (thread->fds, GINT_TO_POINTER (fd));
  if (event.data.ptr != NULL)
    epoll_ctl (thread->epoll_fd, EPOLL_CTL_MOD, fd, &event);
  g_mutex_unlock (&thread->lock);
}

void
vmm_iothread_remove_fd (VmmIoThread *thread, int fd)
{
  IotFd *entry;

  g_mutex_lock (&thread->lock);
  entry = g_hash_table_lookup (thread->fds, GINT_TO_POINTER (fd));
  if (entry != NULL)
    {
      epoll_ctl (thread->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
      g_hash_table_remove (thread->fds, GINT_TO_POINTER (fd));
      entry->removed = TRUE;
      while (thread->running == entry && !vmm_iothread_is_current (thread))
        vmm_waiters_wait (&thread->waiters, &thread->lock);
      g_ptr_array_add (thread->retired, entry);
      iot_wake_locked (thread);
    }
  g_mutex_unlock (&thread->lock);
}

static void
iot_push (VmmIoThread *thread, VmmCallFunc func, gpointer data, gboolean *done)
{
  IotCall *call = g_new (IotCall, 1);

  *call = (IotCall) { func, data, done };
  g_queue_push_tail (&thread->calls, call);
  iot_wake_locked (thread);
}

void
vmm_iothread_call (VmmIoThread *thread, VmmCallFunc func, gpointer data)
{
  g_mutex_lock (&thread->lock);
  iot_push (thread, func, data, NULL);
  g_mutex_unlock (&thread->lock);
}

void
vmm_iothread_call_sync (VmmIoThread *thread, VmmCallFunc func, gpointer data)
{
  gboolean done = FALSE;

  if (vmm_iothread_is_current (thread))
    {
      func (data);
      return;
    }
  g_mutex_lock (&thread->lock);
  iot_push (thread, func, data, &done);
  while (!done)
    vmm_waiters_wait (&thread->waiters, &thread->lock);
  g_mutex_unlock (&thread->lock);
}

gboolean
vmm_iothread_is_current (VmmIoThread *thread)
{
  return g_thread_self () == thread->thread;
}
