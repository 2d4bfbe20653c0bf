/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The machine's side of the clock. */
#pragma once

#include "core/clock.h"

/* @iothread: (nullable): NULL makes a clock that only vmm_clock_advance() moves. Stands still at first. */
VmmClock *vmm_clock_new (VmmIoThread *iothread, GError **error);
void vmm_clock_free (VmmClock *clock);
/* Control thread. */
void vmm_clock_set_running (VmmClock *clock, gboolean running);
/* Moves a clock that stands still and fires what comes due, in order, on this thread. For tests. */
void vmm_clock_advance (VmmClock *clock, gint64 ns);
