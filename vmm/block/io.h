/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Asynchronous I/O on the files of one image: an io_uring, or a few threads where the host has none. */
#pragma once

#include "block/file.h"

typedef struct _VmmIo VmmIo;
typedef struct _VmmIoClass VmmIoClass;
typedef struct _VmmIoOp VmmIoOp;

#define VMM_IO_MAX_IOV 1024 /* IOV_MAX of Linux */
#define VMM_IO_DEPTH 256    /* operations in the kernel at once */

/**
 * VmmIoOp:
 * One operation; owned by the caller until @done has run. Short transfers are continued and reads behind the end of the file give
 * zeros, so the whole length is done when the result is 0.
 */
struct _VmmIoOp {
  VmmFile *file;
  VmmIoKind kind;
  int mode;                /* VMM_IO_FALLOCATE */
  guint64 offset, len;     /* bytes; not for VMM_IO_SYNC */
  const struct iovec *iov; /* VMM_IO_READ, _WRITE: the sum is @len */
  guint n_iov;             /* at most VMM_IO_MAX_IOV */
  /* Iothread, no lock held. @result: 0 or -errno */
  void (*done) (VmmIoOp *op, int result);

  /* own */
  VmmIoOp *next;
  int fd;
  int result;   /* -errno: a hook refused it */
  int returned; /* by the system call */
  guint64 transferred;
  struct iovec *own_iov; /* what is left after a short transfer, or the bounce buffer */
  const struct iovec *cur_iov;
  guint n_cur_iov;
  guint8 *bounce;
  gpointer cookie; /* of the file's hooks */
};

/* One way to do the operations. All calls on the iothread, but clear (control thread, nothing in flight). */
struct _VmmIoClass {
  const char *name;
  gboolean (*init) (VmmIo *io, GError **error);
  void (*clear) (VmmIo *io);
  void (*queue) (VmmIo *io, VmmIoOp *op); /* at most VMM_IO_DEPTH are queued and not done */
  void (*submit) (VmmIo *io);
  guint (*reap) (VmmIo *io); /* calls vmm_io_op_returned(); returns how many */
};

struct _VmmIo {
  const VmmIoClass *klass;
  gpointer impl;
  VmmIoThread *iothread;
  int event_fd;             /* wakes the iothread: work has come in, or was completed */
  int answer_fd;            /* readable when the kernel has answered; -1: the class wakes instead */
  int kicked;               /* atomic: event_fd was written and not read yet */
  gboolean in_event, again; /* iothread: its loop runs; it shall go round once more */
  gboolean (*run) (gpointer data, gboolean may_finish);
  gpointer data;

  GMutex lock;
  VmmIoOp *incoming, **incoming_end; /* under lock */
  VmmIoOp *waiting, **waiting_end;   /* iothread: more than the depth */
  guint n_flight;                    /* iothread */
};

/**
 * vmm_io_new:
 * @run: called on the iothread after each kick, before operations are submitted. @may_finish: it may complete requests; else a wake
 *   follows. Returns whether it did.
 * Uses io_uring, or threads where it is not available or the environment says LODGE_IO=threads.
 * Thread: control.
 */
VmmIo *vmm_io_new (VmmIoThread *iothread, gboolean (*run) (gpointer data, gboolean may_finish), gpointer data, GError **error);
void vmm_io_free (VmmIo *io); /* control thread; nothing in flight */

/** vmm_io_queue: Adds @op; it starts at the next vmm_io_kick(). Thread: any. */
void vmm_io_queue (VmmIo *io, VmmIoOp *op);

/**
 * vmm_io_kick:
 * Has what came in run and what is queued submitted: at once on the iothread, else soon. Never calls a done function itself.
 * Thread: any.
 */
void vmm_io_kick (VmmIo *io);

/** vmm_io_wake: Like vmm_io_kick(), but never at once. Thread: any. */
void vmm_io_wake (VmmIo *io);

/* For the classes: the kernel answered with a count of bytes or -errno. */
void vmm_io_op_returned (VmmIo *io, VmmIoOp *op, int result);

extern const VmmIoClass vmm_io_uring_class;
extern const VmmIoClass vmm_io_threads_class;
