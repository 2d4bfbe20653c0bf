/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A condition that is signalled far more often than somebody waits for it. GCond makes a system call for every signal; this one only
 * when there is somebody to wake. All calls with the mutex held that guards what is waited for. */
#pragma once

#include <glib.h>

typedef struct {
  GCond cond;
  guint n; /* who waits */
} VmmWaiters;

static inline void
vmm_waiters_init (VmmWaiters *waiters)
{
  g_cond_init (&waiters->cond);
  waiters->n = 0;
}

static inline void
vmm_waiters_clear (VmmWaiters *waiters)
{
  g_cond_clear (&waiters->cond);
}

/* Returns after a wake, or for no reason: look again at what is waited for. */
static inline void
vmm_waiters_wait (VmmWaiters *waiters, GMutex *lock)
{
  waiters->n++;
  g_cond_wait (&waiters->cond, lock);
  waiters->n--;
}

static inline void
vmm_waiters_wake (VmmWaiters *waiters)
{
  if (waiters->n > 0)
    g_cond_broadcast (&waiters->cond);
}
