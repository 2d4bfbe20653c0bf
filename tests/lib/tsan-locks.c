/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GLib's locks over pthread's, for builds with ThreadSanitizer (-Db_sanitize=thread), which cannot see into GLib's own and would call
 * everything that they guard a race. Linked whole into each test then; GLib's own use of its locks stays as it is. */
#include <glib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* GLib's locks need no initialisation: what stands behind one is made when it is first used. */
static gpointer
tl_get (gpointer *where, gsize size, void (*init) (gpointer lock))
{
  gpointer lock = g_atomic_pointer_get (where), fresh;

  if (lock != NULL)
    return lock;
  fresh = calloc (1, size);
  init (fresh);
  if (g_atomic_pointer_compare_and_exchange (where, NULL, fresh))
    return fresh;
  free (fresh);
  return g_atomic_pointer_get (where);
}

static void
tl_init_mutex (gpointer lock)
{
  pthread_mutex_init (lock, NULL);
}

static void
tl_init_cond (gpointer lock)
{
  pthread_condattr_t attributes;

  pthread_condattr_init (&attributes);
  pthread_condattr_setclock (&attributes, CLOCK_MONOTONIC);
  pthread_cond_init (lock, &attributes);
  pthread_condattr_destroy (&attributes);
}

static void
tl_init_rwlock (gpointer lock)
{
  pthread_rwlock_init (lock, NULL);
}

static pthread_mutex_t *
tl_mutex (GMutex *mutex)
{
  return tl_get (&mutex->p, sizeof (pthread_mutex_t), tl_init_mutex);
}

static pthread_cond_t *
tl_cond (GCond *cond)
{
  return tl_get (&cond->p, sizeof (pthread_cond_t), tl_init_cond);
}

static pthread_rwlock_t *
tl_rwlock (GRWLock *lock)
{
  return tl_get (&lock->p, sizeof (pthread_rwlock_t), tl_init_rwlock);
}

void
g_mutex_init (GMutex *mutex)
{
  mutex->p = NULL;
}

void
g_mutex_clear (GMutex *mutex)
{
  if (mutex->p != NULL)
    pthread_mutex_destroy (mutex->p);
  g_clear_pointer (&mutex->p, free);
}

void
g_mutex_lock (GMutex *mutex)
{
  pthread_mutex_lock (tl_mutex (mutex));
}

gboolean
g_mutex_trylock (GMutex *mutex)
{
  return pthread_mutex_trylock (tl_mutex (mutex)) == 0;
}

void
g_mutex_unlock (GMutex *mutex)
{
  pthread_mutex_unlock (tl_mutex (mutex));
}

void
g_cond_init (GCond *cond)
{
  cond->p = NULL;
}

void
g_cond_clear (GCond *cond)
{
  if (cond->p != NULL)
    pthread_cond_destroy (cond->p);
  g_clear_pointer (&cond->p, free);
}

void
g_cond_wait (GCond *cond, GMutex *mutex)
{
  pthread_cond_wait (tl_cond (cond), tl_mutex (mutex));
}

gboolean
g_cond_wait_until (GCond *cond, GMutex *mutex, gint64 end_us)
{
  struct timespec end = { end_us / G_USEC_PER_SEC, end_us % G_USEC_PER_SEC * 1000 };

  return pthread_cond_timedwait (tl_cond (cond), tl_mutex (mutex), &end) == 0;
}

void
g_cond_signal (GCond *cond)
{
  pthread_cond_signal (tl_cond (cond));
}

void
g_cond_broadcast (GCond *cond)
{
  pthread_cond_broadcast (tl_cond (cond));
}

void
g_rw_lock_init (GRWLock *lock)
{
  lock->p = NULL;
}

void
g_rw_lock_clear (GRWLock *lock)
{
  if (lock->p != NULL)
    pthread_rwlock_destroy (lock->p);
  g_clear_pointer (&lock->p, free);
}

void
g_rw_lock_reader_lock (GRWLock *lock)
{
  pthread_rwlock_rdlock (tl_rwlock (lock));
}

void
g_rw_lock_reader_unlock (GRWLock *lock)
{
  pthread_rwlock_unlock (tl_rwlock (lock));
}

void
g_rw_lock_writer_lock (GRWLock *lock)
{
  pthread_rwlock_wrlock (tl_rwlock (lock));
}

void
g_rw_lock_writer_unlock (GRWLock *lock)
{
  pthread_rwlock_unlock (tl_rwlock (lock));
}
