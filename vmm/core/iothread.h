/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A thread around epoll: queues, timers, completions of block and net. Never waits on a vCPU. */
#pragma once

#include "core/types.h"

typedef void (*VmmFdFunc) (int fd, guint32 epoll_events, gpointer data);
typedef void (*VmmCallFunc) (gpointer data);

VmmIoThread *vmm_iothread_new (const char *name, GError **error);
void vmm_iothread_free (VmmIoThread *thread); /* runs what was queued, then joins */

/* Any thread. @events: EPOLLIN, EPOLLOUT …; level-triggered. @func runs on the iothread without any lock. */
gboolean vmm_iothread_add_fd (VmmIoThread *thread, int fd, guint32 events, VmmFdFunc func, gpointer data, GError **error);
void vmm_iothread_modify_fd (VmmIoThread *thread, int fd, guint32 events);
/* After it returns @func does not run any more (waits for a running one unless called on the iothread). */
void vmm_iothread_remove_fd (VmmIoThread *thread, int fd);

/* Any thread: @func (@data) on the iothread, soon, in order. */
void vmm_iothread_call (VmmIoThread *thread, VmmCallFunc func, gpointer data);
/* The same, and waits for it. Not with a lock that @func or anything on the iothread takes. */
void vmm_iothread_call_sync (VmmIoThread *thread, VmmCallFunc func, gpointer data);
gboolean vmm_iothread_is_current (VmmIoThread *thread);
