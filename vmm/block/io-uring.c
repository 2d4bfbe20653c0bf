/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Asynchronous I/O through io_uring: one ring an image, used by the iothread alone, which waits for answers on the ring's own
 * descriptor. So what the page cache answers at once is taken right after its submission and wakes nobody. The ring cannot defer
 * its task work for that: deferred answers only show up on an eventfd. Spec: io_uring(7), io_uring_setup(2). */
#include "block/io.h"

#include <errno.h>
#include <liburing.h>

typedef struct {
  struct io_uring ring;
  guint n_unsubmitted;
} UringImpl;

static gboolean
uring_init (VmmIo *io, GError **error)
{
  UringImpl *impl = g_new0 (UringImpl, 1);
  struct io_uring_params params = { .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN };
  int r;

  r = io_uring_queue_init_params (VMM_IO_DEPTH, &impl->ring, &params);
  if (r == -EINVAL) /* Linux before 6.0 */
    {
      params = (struct io_uring_params) { 0 };
      r = io_uring_queue_init_params (VMM_IO_DEPTH, &impl->ring, &params);
    }
  if (r == 0)
    {
      /* 5.6: the first with IORING_OP_FALLOCATE and current file positions; nobody runs older ones here. */
      if ((params.features & IORING_FEAT_NODROP) == 0 || (params.features & IORING_FEAT_RW_CUR_POS) == 0)
        {
          io_uring_queue_exit (&impl->ring);
          r = -ENOSYS;
        }
    }
  if (r < 0)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "io_uring is not available: %s", g_strerror (-r));
      g_free (impl);
      return FALSE;
    }
  io->impl = impl;
  io->answer_fd = impl->ring.ring_fd;
  return TRUE;
}

static void
uring_clear (VmmIo *io)
{
  UringImpl *impl = io->impl;

  io_uring_queue_exit (&impl->ring);
  g_free (impl);
}

static void
uring_queue (VmmIo *io, VmmIoOp *op)
{
  UringImpl *impl = io->impl;
  struct io_uring_sqe *sqe = io_uring_get_sqe (&impl->ring);

  g_assert (sqe != NULL); /* the ring has VMM_IO_DEPTH entries */
  if (op->result < 0)
    io_uring_prep_nop (sqe); /* refused by a hook */
  else
    switch (op->kind)
      {
      case VMM_IO_READ:
        io_uring_prep_readv (sqe, op->fd, op->cur_iov, op->n_cur_iov, op->offset + op->transferred);
        break;
      case VMM_IO_WRITE:
        io_uring_prep_writev (sqe, op->fd, op->cur_iov, op->n_cur_iov, op->offset + op->transferred);
        break;
      case VMM_IO_SYNC:
        io_uring_prep_fsync (sqe, op->fd, IORING_FSYNC_DATASYNC);
        break;
      case VMM_IO_FALLOCATE:
        io_uring_prep_fallocate (sqe, op->fd, op->mode, op->offset, op->len);
        break;
      }
  io_uring_sqe_set_data (sqe, op);
  impl->n_unsubmitted++;
}

static void
uring_submit (VmmIo *io)
{
  UringImpl *impl = io->impl;
  int r;

  if (impl->n_unsubmitted == 0)
    return;
  do
    r = io_uring_submit (&impl->ring);
  while (r == -EINTR);
  if (r > 0)
    impl->n_unsubmitted -= MIN ((guint) r, impl->n_unsubmitted);
  if (impl->n_unsubmitted > 0)
    vmm_io_wake (io); /* the kernel is short of something (EAGAIN, EBUSY): once more soon */
}

static guint
uring_reap (VmmIo *io)
{
  UringImpl *impl = io->impl;
  struct io_uring_cqe *cqe;
  guint n = 0;

  while (io_uring_peek_cqe (&impl->ring, &cqe) == 0)
    {
      VmmIoOp *op = io_uring_cqe_get_data (cqe);
      int result = cqe->res;

      io_uring_cqe_seen (&impl->ring, cqe);
      vmm_io_op_returned (io, op, result);
      n++;
    }
  return n;
}

const VmmIoClass vmm_io_uring_class = {
  .name = "io_uring",
  .init = uring_init,
  .clear = uring_clear,
  .queue = uring_queue,
  .submit = uring_submit,
  .reap = uring_reap,
};
