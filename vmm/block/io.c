/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Theory of operation: operations come from any thread into a list and are given to the kernel by the iothread alone, which
 * also takes the answers. An eventfd wakes it, once for a burst of submissions; what comes up while it works costs no wake-up.
 */
#include "block/io.h"

#include "core/iothread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define IO_MAX_BOUNCE (1024 * 1024)
#define IO_MAX_ROUNDS 16

static void io_event (int fd, guint32 events, gpointer data);

static void
io_append (VmmIoOp ***end, VmmIoOp *op)
{
  op->next = NULL;
  **end = op;
  *end = &op->next;
}

static gboolean
io_iov_is_aligned (const VmmIoOp *op)
{
  guint64 all = 0, lens = 0;

  for (guint i = 0; i < op->n_iov; i++)
    {
      all |= (guintptr) op->iov[i].iov_base;
      lens |= op->iov[i].iov_len;
    }
  return all % op->file->direct_mem_align == 0 && lens % op->file->direct_align == 0;
}

/*
 * Chooses between direct and cached access. Memory that does not fit goes through a bounce buffer. An offset or length that
 * does not fit goes through the page cache: the kernel keeps both ways coherent as long as no direct write meets the same
 * page at the same time, and that would be two overlapping writes of the guest.
 */
static void
io_choose_fd (VmmIoOp *op)
{
  VmmFile *file = op->file;

  op->fd = file->fd;
  if (file->direct_fd < 0 || (op->kind != VMM_IO_READ && op->kind != VMM_IO_WRITE)
      || (op->offset | op->len) % file->direct_align != 0)
    return;
  if (!io_iov_is_aligned (op))
    {
      void *bounce = NULL;

      if (op->len > IO_MAX_BOUNCE || posix_memalign (&bounce, MAX (file->direct_mem_align, sizeof (void *)), op->len) != 0)
        return;
      op->bounce = bounce;
      if (op->kind == VMM_IO_WRITE)
        for (guint i = 0; i < op->n_iov; i++)
          bounce = mempcpy (bounce, op->iov[i].iov_base, op->iov[i].iov_len);
      op->own_iov = g_new (struct iovec, 1);
      op->own_iov[0] = (struct iovec) { op->bounce, op->len };
      op->cur_iov = op->own_iov;
      op->n_cur_iov = 1;
    }
  op->fd = file->direct_fd;
}

static void
io_op_finish (VmmIo *io, VmmIoOp *op, int result)
{
  if (op->file->hooks != NULL && op->result == 0)
    op->file->hooks->end (op->file->hooks_data, op->cookie, result);
  if (op->bounce != NULL)
    {
      const guint8 *p = op->bounce;

      if (op->kind == VMM_IO_READ && result == 0)
        for (guint i = 0; i < op->n_iov; i++)
          {
            memcpy (op->iov[i].iov_base, p, op->iov[i].iov_len);
            p += op->iov[i].iov_len;
          }
      free (op->bounce);
    }
  g_free (op->own_iov);
  op->done (op, result);
}

static void
io_op_start (VmmIo *io, VmmIoOp *op)
{
  op->cur_iov = op->iov;
  op->n_cur_iov = op->n_iov;
  op->transferred = 0;
  op->result = 0;
  op->own_iov = NULL;
  op->bounce = NULL;
  io_choose_fd (op);
  if (op->file->hooks != NULL)
    op->result = op->file->hooks->begin (op->file->hooks_data, op->kind, op->offset, op->len, op->iov, op->n_iov, &op->cookie);
  io->n_flight++;
  io->klass->queue (io, op);
}

/* Drops the first @n bytes of what is left to do. */
static void
io_op_advance (VmmIoOp *op, gsize n)
{
  struct iovec *left;

  op->transferred += n;
  while (n > 0 && n >= op->cur_iov->iov_len)
    {
      n -= op->cur_iov->iov_len;
      op->cur_iov++;
      op->n_cur_iov--;
    }
  left = g_memdup2 (op->cur_iov, op->n_cur_iov * sizeof *left);
  if (n > 0)
    {
      left->iov_base = (guint8 *) left->iov_base + n;
      left->iov_len -= n;
    }
  g_free (op->own_iov);
  op->own_iov = left;
  op->cur_iov = left;
}

void
vmm_io_op_returned (VmmIo *io, VmmIoOp *op, int result)
{
  gboolean transfers = op->kind == VMM_IO_READ || op->kind == VMM_IO_WRITE;

  if (op->result < 0)
    result = op->result; /* a test's hook refused it */
  else if (result == -EINTR || result == -EAGAIN)
    {
      io->klass->queue (io, op);
      return;
    }
  else if (transfers && result > 0 && (guint64) result < op->len - op->transferred)
    {
      io_op_advance (op, (gsize) result);
      /* Direct I/O cannot go on at an odd place; the end of a file is usually one. */
      if (op->fd == op->file->direct_fd && (guint) result % op->file->direct_align != 0)
        op->fd = op->file->fd;
      io->klass->queue (io, op);
      return;
    }
  else if (transfers && result == 0 && op->transferred < op->len)
    {
      if (op->kind == VMM_IO_READ)
        for (guint i = 0; i < op->n_cur_iov; i++)
          memset (op->cur_iov[i].iov_base, 0, op->cur_iov[i].iov_len);
      else
        result = -ENOSPC; /* the end of a block device */
    }
  io->n_flight--;
  io_op_finish (io, op, MIN (result, 0));
}

/* Gives the kernel what has come in. */
static void
io_submit (VmmIo *io)
{
  g_mutex_lock (&io->lock);
  if (io->incoming != NULL)
    {
      *io->waiting_end = io->incoming;
      io->waiting_end = io->incoming_end;
      io->incoming = NULL;
      io->incoming_end = &io->incoming;
    }
  g_mutex_unlock (&io->lock);

  while (io->waiting != NULL && io->n_flight < VMM_IO_DEPTH)
    {
      VmmIoOp *op = io->waiting;

      io->waiting = op->next;
      if (io->waiting == NULL)
        io->waiting_end = &io->waiting;
      io_op_start (io, op);
    }
  io->klass->submit (io);
}

static void
io_work (VmmIo *io)
{
  guint round = 0;

  io->in_event = TRUE;
  do
    {
      io->again = FALSE;
      if (io->run (io->data, TRUE))
        io->again = TRUE;
      io_submit (io);
      if (io->klass->reap (io) > 0)
        io->again = TRUE;
    }
  while (io->again && ++round < IO_MAX_ROUNDS);
  io->in_event = FALSE;
  if (io->again)
    vmm_io_wake (io); /* let other files of this thread have a turn */
}

static void
io_event (int fd, guint32 events, gpointer data)
{
  VmmIo *io = data;
  eventfd_t count;

  (void) eventfd_read (fd, &count);
  g_atomic_int_set (&io->kicked, 0); /* who finds it set until here has its work seen below */
  io_work (io);
}

static void
io_answered (int fd, guint32 events, gpointer data)
{
  io_work (data);
}

void
vmm_io_queue (VmmIo *io, VmmIoOp *op)
{
  g_mutex_lock (&io->lock);
  io_append (&io->incoming_end, op);
  g_mutex_unlock (&io->lock);
}

void
vmm_io_wake (VmmIo *io)
{
  if (vmm_iothread_is_current (io->iothread) && io->in_event)
    io->again = TRUE;
  else if (!g_atomic_int_exchange (&io->kicked, 1))
    (void) eventfd_write (io->event_fd, 1);
}

void
vmm_io_kick (VmmIo *io)
{
  if (!vmm_iothread_is_current (io->iothread))
    vmm_io_wake (io);
  else if (!io->in_event) /* else the loop there does it, once more after this */
    {
      io->in_event = TRUE;
      io->again = FALSE;
      io->run (io->data, FALSE);
      io_submit (io);
      io->in_event = FALSE;
      if (io->again)
        vmm_io_wake (io);
    }
}

typedef struct {
  VmmIo *io;
  gboolean threads;
  GError **error;
} IoStart;

/* On the iothread, because a ring with deferred task work belongs to the thread that makes it. */
static void
io_start (gpointer data)
{
  IoStart *start = data;
  VmmIo *io = start->io;

  io->klass = NULL;
  io->answer_fd = -1;
  if (!start->threads && vmm_io_uring_class.init (io, NULL))
    io->klass = &vmm_io_uring_class;
  else if (vmm_io_threads_class.init (io, start->error))
    io->klass = &vmm_io_threads_class;
}

VmmIo *
vmm_io_new (VmmIoThread *iothread, gboolean (*run) (gpointer data, gboolean may_finish), gpointer data, GError **error)
{
  VmmIo *io = g_new0 (VmmIo, 1);
  IoStart start = { io, g_strcmp0 (g_getenv ("LODGE_IO"), "threads") == 0, error };

  io->iothread = iothread;
  io->run = run;
  io->data = data;
  io->incoming_end = &io->incoming;
  io->waiting_end = &io->waiting;
  g_mutex_init (&io->lock);
  io->event_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (io->event_fd < 0)
    g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "cannot make an eventfd: %s", g_strerror (errno));
  else
    vmm_iothread_call_sync (iothread, io_start, &start);
  if (io->klass == NULL || !vmm_iothread_add_fd (iothread, io->event_fd, EPOLLIN, io_event, io, error)
      || (io->answer_fd >= 0 && !vmm_iothread_add_fd (iothread, io->answer_fd, EPOLLIN, io_answered, io, error)))
    {
      if (io->klass != NULL)
        vmm_iothread_remove_fd (iothread, io->event_fd);
      if (io->klass != NULL)
        io->klass->clear (io);
      if (io->event_fd >= 0)
        close (io->event_fd);
      g_mutex_clear (&io->lock);
      g_free (io);
      return NULL;
    }
  return io;
}

void
vmm_io_free (VmmIo *io)
{
  if (io == NULL)
    return;
  vmm_iothread_remove_fd (io->iothread, io->event_fd);
  if (io->answer_fd >= 0)
    vmm_iothread_remove_fd (io->iothread, io->answer_fd);
  g_assert (io->n_flight == 0 && io->waiting == NULL && io->incoming == NULL);
  io->klass->clear (io);
  close (io->event_fd);
  g_mutex_clear (&io->lock);
  g_free (io);
}
