/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Raw images: a file or block device whose bytes are the guest's. A size that is no multiple of 512 is rounded up, zeros behind it. */
#include "block/block-private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

typedef struct {
  VmmNode node;
  gint no_zero_range, no_punch; /* atomic: the file system cannot */
} VmmRaw;

static void
raw_close (VmmNode *node)
{
  if (node->writable)
    (void) vmm_file_sync (node->file);
  vmm_file_free (node->file);
  g_free (node);
}

static gboolean
raw_is_unsupported (int result)
{
  return result == -EOPNOTSUPP || result == -ENOSYS || result == -ENODEV;
}

/* What cannot be done with fallocate is done with zeros, by the worker. */
static int
raw_zero_done (int result, gpointer data)
{
  VmmBlockRequest *req = data;
  VmmRaw *raw = (VmmRaw *) vmm_block_get_node (vmm_request_state (req)->block);

  if (!raw_is_unsupported (result))
    return result;
  if (req->op == VMM_BLOCK_WRITE_ZEROES && !g_atomic_int_get (&raw->no_zero_range))
    g_atomic_int_set (&raw->no_zero_range, 1);
  else
    g_atomic_int_set (&raw->no_punch, 1);
  vmm_block_restart (req);
  return 0;
}

static gboolean
raw_start (VmmNode *node, VmmBlockRequest *req)
{
  VmmRaw *raw = (VmmRaw *) node;
  int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

  switch (req->op)
    {
    case VMM_BLOCK_READ:
    case VMM_BLOCK_WRITE:
      vmm_request_transfer (req, 0, req->len, node->file, req->offset, NULL, NULL);
      return TRUE;
    case VMM_BLOCK_FLUSH:
      vmm_request_file_op (req, VMM_IO_SYNC, 0, node->file, 0, 0, NULL, NULL);
      return TRUE;
    case VMM_BLOCK_WRITE_ZEROES:
      if (!g_atomic_int_get (&raw->no_zero_range))
        mode = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
      else if (g_atomic_int_get (&raw->no_punch))
        return FALSE;
      break;
    case VMM_BLOCK_DISCARD:
      if (g_atomic_int_get (&raw->no_punch))
        return FALSE;
      break;
    }
  vmm_request_file_op (req, VMM_IO_FALLOCATE, mode, node->file, req->offset, req->len, raw_zero_done, req);
  return TRUE;
}

static void
raw_work (VmmNode *node, VmmBlockRequest *req)
{
  vmm_request_release (req, vmm_file_write_zeroes (node->file, req->offset, req->len));
}

static int
raw_map (VmmNode *node, guint64 offset, guint64 *len, gboolean may_block, VmmExtent *ret_extent)
{
  *ret_extent = (VmmExtent) { .kind = VMM_EXTENT_DATA, .file = node->file, .offset = offset, .node = node };
  return 0;
}

static const VmmNodeClass raw_class = {
  .format = "raw",
  .close = raw_close,
  .start = raw_start,
  .work = raw_work,
  .map = raw_map,
};

VmmNode *
vmm_raw_open (VmmBlock *block, VmmFile *file, GError **error)
{
  gint64 size = vmm_file_get_size (file);
  VmmRaw *raw;

  if (size < 0)
    {
      vmm_file_set_error (error, file->path, "cannot find its size", (int) -size);
      return NULL;
    }
  raw = g_new0 (VmmRaw, 1);
  raw->node = (VmmNode) {
    .klass = &raw_class,
    .block = block,
    .file = file,
    .size = ((guint64) size + 511) / 512 * 512,
    .writable = file->writable,
  };
  return &raw->node;
}
