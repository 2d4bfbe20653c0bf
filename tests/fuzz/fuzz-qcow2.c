/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * qcow2: any file is an image or an error, and whatever the guest then does to it ends in success or an error.
 *
 * Input: one byte n; n commands of 4 bytes (what; place; place; length); the image. The image is sparse: it is a list of pieces, each of
 * three bytes of place (in 512 bytes), two of length and the content, so that small inputs can have tables at clusters' ends.
 */
#include "block/block-private.h"

#include "core/iothread.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FUZZ_MAX_FILE (8u << 20)
#define FUZZ_MAX_LEN (128u << 10)

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
fuzz_done (VmmBlockRequest *req, int result)
{
}

static void
fuzz_command (VmmBlock *block, const uint8_t *command)
{
  static const VmmBlockOp ops[8] = { VMM_BLOCK_READ,         VMM_BLOCK_WRITE, VMM_BLOCK_FLUSH, VMM_BLOCK_DISCARD,
                                     VMM_BLOCK_WRITE_ZEROES, VMM_BLOCK_READ,  VMM_BLOCK_WRITE, VMM_BLOCK_READ };
  guint64 size = vmm_block_get_size (block), place = (guint64) command[1] << 8 | command[2];
  VmmBlockRequest req = { .op = ops[command[0] & 7], .done = fuzz_done };
  g_autofree guint8 *buf = NULL;
  struct iovec iov;

  req.len = MIN ((guint64) (command[3] + 1) * 512, FUZZ_MAX_LEN);
  /* From the start, from the end, or spread. */
  req.offset = (command[0] & 16) != 0 ? place * 512 : size / 65536 * place / 512 * 512;
  if ((command[0] & 8) != 0)
    req.offset = size - place * 512;
  if (req.op == VMM_BLOCK_DISCARD && (command[0] & 32) != 0)
    req.len *= 64;
  buf = g_malloc (req.len);
  memset (buf, command[2], req.len);
  iov = (struct iovec) { buf, req.len };
  req.iov = &iov;
  req.n_iov = 1;
  vmm_block_submit (block, &req);
  vmm_block_drain (block);
}

/* Damage is told at the log; nobody reads it here. */
static GLogWriterOutput
fuzz_log (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer data)
{
  return G_LOG_WRITER_HANDLED;
}

/* Makes the image; 0 if the input has none. */
static int
fuzz_make_image (int fd, const uint8_t *data, size_t size)
{
  while (size >= 5)
    {
      off_t place = (off_t) ((guint32) data[0] << 16 | (guint32) data[1] << 8 | data[2]) * 512;
      size_t len = MIN ((size_t) data[3] << 8 | data[4], size - 5);

      if (place + (off_t) len > (off_t) FUZZ_MAX_FILE || pwrite (fd, data + 5, len, place) != (ssize_t) len)
        return 0;
      data += 5 + len;
      size -= 5 + len;
    }
  return 1;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static gboolean quiet = FALSE;
  g_autoptr (GError) error = NULL;
  g_autofree char *path = NULL;
  VmmIoThread *iothread;
  VmmBlock *block;
  size_t n_commands;
  int fd;

  if (size < 1 || size - 1 < (n_commands = MIN (data[0], 32)) * 4)
    return 0;
  if (!quiet)
    {
      g_log_set_always_fatal (G_LOG_LEVEL_ERROR);
      g_log_set_writer_func (fuzz_log, NULL, NULL);
    }
  quiet = TRUE;
  fd = memfd_create ("fuzz", MFD_CLOEXEC);
  g_assert (fd >= 0);
  path = g_strdup_printf ("/proc/self/fd/%d", fd);
  if (fuzz_make_image (fd, data + 1 + n_commands * 4, size - 1 - n_commands * 4))
    {
      vmm_image_info_free (vmm_image_probe (path, NULL));
      /* Threads: a ring for every input is slower. */
      g_setenv ("LODGE_IO", "threads", TRUE);
      iothread = vmm_iothread_new ("fuzz", NULL);
      block = vmm_block_open (path, "qcow2", (data[0] & 0x40) != 0 ? VMM_BLOCK_READ_ONLY : VMM_BLOCK_DEFAULT, iothread, &error);
      g_assert ((block == NULL) == (error != NULL));
      for (size_t i = 0; i < n_commands && block != NULL; i++)
        fuzz_command (block, data + 1 + i * 4);
      vmm_block_close (block);
      vmm_iothread_free (iothread);
    }
  close (fd);
  return 0;
}
