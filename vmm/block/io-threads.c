/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Asynchronous I/O through a few threads, for hosts without io_uring. */
#include "block/io.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define IOTHR_MAX_THREADS 8

typedef struct {
  VmmIo *io;
  GMutex lock;
  GCond cond;
  VmmIoOp *todo, **todo_end;
  VmmIoOp *finished, **finished_end;
  GThread *threads[IOTHR_MAX_THREADS];
  guint n_threads, n_idle, n_todo;
  gboolean quit;
} IothrImpl;

static int
iothr_do (VmmIoOp *op)
{
  off_t offset = (off_t) (op->offset + op->transferred);
  gssize r = -1;

  if (op->result < 0)
    return op->result; /* refused by a hook */
  switch (op->kind)
    {
    case VMM_IO_READ:
      r = preadv (op->fd, op->cur_iov, (int) op->n_cur_iov, offset);
      break;
    case VMM_IO_WRITE:
      r = pwritev (op->fd, op->cur_iov, (int) op->n_cur_iov, offset);
      break;
    case VMM_IO_SYNC:
      r = fdatasync (op->fd);
      break;
    case VMM_IO_FALLOCATE:
      r = fallocate (op->fd, op->mode, offset, (off_t) op->len);
      break;
    }
  /* Linux moves at most 0x7ffff000 bytes in one call. */
  return r < 0 ? -errno : (int) r;
}

static gpointer
iothr_main (gpointer data)
{
  IothrImpl *impl = data;

  g_mutex_lock (&impl->lock);
  while (TRUE)
    {
      VmmIoOp *op;
      int r;

      while (impl->todo == NULL && !impl->quit)
        {
          impl->n_idle++;
          g_cond_wait (&impl->cond, &impl->lock);
          impl->n_idle--;
        }
      if (impl->todo == NULL)
        break;
      op = impl->todo;
      impl->todo = op->next;
      impl->n_todo--;
      if (impl->todo == NULL)
        impl->todo_end = &impl->todo;
      g_mutex_unlock (&impl->lock);

      r = iothr_do (op);

      g_mutex_lock (&impl->lock);
      op->next = NULL;
      op->returned = r;
      *impl->finished_end = op;
      impl->finished_end = &op->next;
      vmm_io_wake (impl->io);
    }
  g_mutex_unlock (&impl->lock);
  return NULL;
}

static gboolean
iothr_init (VmmIo *io, GError **error)
{
  IothrImpl *impl = g_new0 (IothrImpl, 1);

  impl->io = io;
  impl->todo_end = &impl->todo;
  impl->finished_end = &impl->finished;
  g_mutex_init (&impl->lock);
  g_cond_init (&impl->cond);
  impl->threads[0] = g_thread_try_new ("block-io", iothr_main, impl, error);
  if (impl->threads[0] == NULL)
    {
      g_mutex_clear (&impl->lock);
      g_cond_clear (&impl->cond);
      g_free (impl);
      return FALSE;
    }
  impl->n_threads = 1;
  io->impl = impl;
  return TRUE;
}

static void
iothr_clear (VmmIo *io)
{
  IothrImpl *impl = io->impl;

  g_mutex_lock (&impl->lock);
  impl->quit = TRUE;
  g_cond_broadcast (&impl->cond);
  g_mutex_unlock (&impl->lock);
  for (guint i = 0; i < impl->n_threads; i++)
    g_thread_join (impl->threads[i]);
  g_mutex_clear (&impl->lock);
  g_cond_clear (&impl->cond);
  g_free (impl);
}

static void
iothr_queue (VmmIo *io, VmmIoOp *op)
{
  IothrImpl *impl = io->impl;

  g_mutex_lock (&impl->lock);
  op->next = NULL;
  *impl->todo_end = op;
  impl->todo_end = &op->next;
  impl->n_todo++;
  if (impl->n_idle >= impl->n_todo || impl->n_threads == IOTHR_MAX_THREADS)
    g_cond_signal (&impl->cond);
  else
    {
      /* No new thread is no harm: the first is always there. */
      impl->threads[impl->n_threads] = g_thread_try_new ("block-io", iothr_main, impl, NULL);
      if (impl->threads[impl->n_threads] != NULL)
        impl->n_threads++;
      g_cond_signal (&impl->cond);
    }
  g_mutex_unlock (&impl->lock);
}

static void
iothr_submit (VmmIo *io)
{
}

static guint
iothr_reap (VmmIo *io)
{
  IothrImpl *impl = io->impl;
  VmmIoOp *op;
  guint n = 0;

  g_mutex_lock (&impl->lock);
  op = impl->finished;
  impl->finished = NULL;
  impl->finished_end = &impl->finished;
  g_mutex_unlock (&impl->lock);
  while (op != NULL)
    {
      VmmIoOp *next = op->next;

      vmm_io_op_returned (io, op, op->returned);
      op = next;
      n++;
    }
  return n;
}

const VmmIoClass vmm_io_threads_class = {
  .name = "threads",
  .init = iothr_init,
  .clear = iothr_clear,
  .queue = iothr_queue,
  .submit = iothr_submit,
  .reap = iothr_reap,
};
