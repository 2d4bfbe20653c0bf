/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The machine's time: nanoseconds since it was switched on, standing still while it is paused. Timers run on the machine's iothread
 * with their device's lock held. */
#pragma once

#include "core/types.h"

typedef void (*VmmTimerFunc) (VmmDevice *dev, gpointer data);

struct _VmmTimer {
  VmmClock *clock;
  VmmDevice *dev;
  VmmTimerFunc func;
  gpointer data;
  gint64 deadline_ns; /* -1: not armed */
  GSequenceIter *position;
};

gint64 vmm_clock_now (VmmClock *clock); /* ns; any thread; lock-free */

void vmm_timer_init (VmmTimer *timer, VmmDevice *dev, VmmTimerFunc func, gpointer data);
/* Arms for @deadline_ns (in the past: at once). Device's lock held, or before the machine runs. */
void vmm_timer_arm (VmmTimer *timer, gint64 deadline_ns);
void vmm_timer_disarm (VmmTimer *timer);
/* In unrealize, without the lock: disarms and waits for a running callback. */
void vmm_timer_clear (VmmTimer *timer);
