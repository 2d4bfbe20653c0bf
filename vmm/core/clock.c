/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Theory of operation: guest time is CLOCK_MONOTONIC minus a base while the machine runs, and a frozen value while it does not. Readers
 * take no lock (a sequence count tells them to try again). Armed timers stand sorted in a sequence; one timerfd on the machine's
 * iothread wakes for the first. Lock order: device, then clock. */
#include "core/clock.h"

#include "core/clock-private.h"
#include "core/device.h"
#include "core/iothread.h"
#include "core/waiters.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

struct _VmmClock {
  /* Written under lock, read without. */
  atomic_uint sequence;
  _Atomic gint64 base_ns;   /* running: monotonic time of guest time 0 */
  _Atomic gint64 frozen_ns; /* not running: the guest's time */
  atomic_bool running;

  GMutex lock;
  VmmWaiters waiters;
  GSequence *armed;  /* VmmTimer by deadline */
  VmmTimer *current; /* being fired */
  GThread *current_thread;
  VmmIoThread *iothread; /* (nullable): a test moves the clock */
  int timer_fd;
};

static gint64
clk_monotonic_ns (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return now.tv_sec * G_GINT64_CONSTANT (1000000000) + now.tv_nsec;
}

gint64
vmm_clock_now (VmmClock *clock)
{
  for (;;)
    {
      guint before = atomic_load_explicit (&clock->sequence, memory_order_acquire);
      gint64 now_ns;

      if (before & 1)
        continue;
      if (atomic_load_explicit (&clock->running, memory_order_relaxed))
        now_ns = clk_monotonic_ns () - atomic_load_explicit (&clock->base_ns, memory_order_relaxed);
      else
        now_ns = atomic_load_explicit (&clock->frozen_ns, memory_order_relaxed);
      atomic_thread_fence (memory_order_acquire);
      if (atomic_load_explicit (&clock->sequence, memory_order_relaxed) == before)
        return now_ns;
    }
}

static gint
clk_compare (gconstpointer a, gconstpointer b, gpointer data)
{
  const VmmTimer *ta = a, *tb = b;

  return (ta->deadline_ns > tb->deadline_ns) - (ta->deadline_ns < tb->deadline_ns);
}

static VmmTimer *
clk_first (VmmClock *clock)
{
  GSequenceIter *begin = g_sequence_get_begin_iter (clock->armed);

  return g_sequence_iter_is_end (begin) ? NULL : g_sequence_get (begin);
}

/* Sets the timerfd to the first deadline. Lock held. */
static void
clk_program (VmmClock *clock)
{
  VmmTimer *first = clk_first (clock);
  struct itimerspec spec = { 0 };

  if (clock->timer_fd < 0)
    return;
  if (first != NULL && atomic_load (&clock->running))
    {
      gint64 when_ns = MAX (atomic_load (&clock->base_ns) + first->deadline_ns, 1);

      spec.it_value.tv_sec = when_ns / 1000000000;
      spec.it_value.tv_nsec = when_ns % 1000000000;
    }
  timerfd_settime (clock->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

static void
clk_remove (VmmTimer *timer)
{
  if (timer->position != NULL)
    g_sequence_remove (timer->position);
  timer->position = NULL;
  timer->deadline_ns = -1;
}

/* Fires what is due at @now_ns, one after the other. */
static void
clk_fire_due (VmmClock *clock, gint64 now_ns)
{
  g_mutex_lock (&clock->lock);
  for (;;)
    {
      VmmTimer *timer = clk_first (clock);

      if (timer == NULL || timer->deadline_ns > now_ns)
        break;
      clock->current = timer;
      clock->current_thread = g_thread_self ();
      g_mutex_unlock (&clock->lock);

      vmm_device_lock (timer->dev);
      g_mutex_lock (&clock->lock);
      if (timer->position != NULL && timer->deadline_ns <= now_ns)
        {
          clk_remove (timer);
          g_mutex_unlock (&clock->lock);
          timer->func (timer->dev, timer->data);
        }
      else
        g_mutex_unlock (&clock->lock);
      vmm_device_unlock (timer->dev);

      g_mutex_lock (&clock->lock);
      clock->current = NULL;
      clock->current_thread = NULL;
      vmm_waiters_wake (&clock->waiters);
    }
  clk_program (clock);
  g_mutex_unlock (&clock->lock);
}

static void
clk_on_timer (int fd, guint32 events, gpointer data)
{
  VmmClock *clock = data;
  guint64 expirations;

  if (read (fd, &expirations, sizeof expirations) < 0 && errno == EAGAIN)
    return;
  if (atomic_load (&clock->running))
    clk_fire_due (clock, vmm_clock_now (clock));
}

VmmClock *
vmm_clock_new (VmmIoThread *iothread, GError **error)
{
  VmmClock *clock = g_new0 (VmmClock, 1);

  g_mutex_init (&clock->lock);
  vmm_waiters_init (&clock->waiters);
  clock->armed = g_sequence_new (NULL);
  clock->timer_fd = -1;
  if (iothread == NULL)
    return clock;

  clock->timer_fd = timerfd_create (CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (clock->timer_fd < 0)
    g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "cannot make a timer: %s", g_strerror (errno));
  else if (vmm_iothread_add_fd (iothread, clock->timer_fd, EPOLLIN, clk_on_timer, clock, error))
    {
      clock->iothread = iothread;
      return clock;
    }
  vmm_clock_free (clock);
  return NULL;
}

void
vmm_clock_free (VmmClock *clock)
{
  if (clock == NULL)
    return;
  if (clock->iothread != NULL)
    vmm_iothread_remove_fd (clock->iothread, clock->timer_fd);
  if (clock->timer_fd >= 0)
    close (clock->timer_fd);
  g_assert (g_sequence_is_empty (clock->armed));
  g_sequence_free (clock->armed);
  g_mutex_clear (&clock->lock);
  vmm_waiters_clear (&clock->waiters);
  g_free (clock);
}

void
vmm_clock_set_running (VmmClock *clock, gboolean running)
{
  gint64 now_ns = vmm_clock_now (clock);

  g_mutex_lock (&clock->lock);
  if (running != atomic_load (&clock->running))
    {
      atomic_fetch_add (&clock->sequence, 1);
      if (running)
        atomic_store (&clock->base_ns, clk_monotonic_ns () - now_ns);
      else
        atomic_store (&clock->frozen_ns, now_ns);
      atomic_store (&clock->running, running);
      atomic_fetch_add (&clock->sequence, 1);
      clk_program (clock);
    }
  g_mutex_unlock (&clock->lock);
}

void
vmm_clock_advance (VmmClock *clock, gint64 ns)
{
  gint64 target_ns = vmm_clock_now (clock) + ns;

  g_assert (!atomic_load (&clock->running));
  for (;;)
    {
      VmmTimer *first;
      gint64 step_ns = target_ns;

      g_mutex_lock (&clock->lock);
      first = clk_first (clock);
      if (first != NULL)
        step_ns = CLAMP (first->deadline_ns, vmm_clock_now (clock), target_ns);
      atomic_store (&clock->frozen_ns, step_ns);
      first = first != NULL && first->deadline_ns <= step_ns ? first : NULL;
      g_mutex_unlock (&clock->lock);
      if (first == NULL)
        return;
      clk_fire_due (clock, step_ns);
    }
}

void
vmm_timer_init (VmmTimer *timer, VmmDevice *dev, VmmTimerFunc func, gpointer data)
{
  *timer = (VmmTimer) { .clock = vmm_device_get_clock (dev), .dev = dev, .func = func, .data = data, .deadline_ns = -1 };
}

void
vmm_timer_arm (VmmTimer *timer, gint64 deadline_ns)
{
  VmmClock *clock = timer->clock;

  g_mutex_lock (&clock->lock);
  clk_remove (timer);
  timer->deadline_ns = MAX (deadline_ns, 0);
  timer->position = g_sequence_insert_sorted (clock->armed, timer, clk_compare, NULL);
  if (clk_first (clock) == timer)
    clk_program (clock);
  g_mutex_unlock (&clock->lock);
}

void
vmm_timer_disarm (VmmTimer *timer)
{
  if (timer->clock == NULL)
    return;
  g_mutex_lock (&timer->clock->lock);
  clk_remove (timer);
  g_mutex_unlock (&timer->clock->lock);
}

void
vmm_timer_clear (VmmTimer *timer)
{
  VmmClock *clock = timer->clock;

  if (clock == NULL)
    return;
  g_mutex_lock (&clock->lock);
  clk_remove (timer);
  while (clock->current == timer && clock->current_thread != g_thread_self ())
    vmm_waiters_wait (&clock->waiters, &clock->lock);
  clk_remove (timer); /* a last callback may have armed it again */
  g_mutex_unlock (&clock->lock);
}
