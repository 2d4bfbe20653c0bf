/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The NVM command set of the NVMe controller (§6): FLUSH, WRITE, READ, WRITE ZEROES, DATASET MANAGEMENT. */
#include "storage/nvme-private.h"

#include <errno.h>

#define NVMEI_FLUSH 0x00
#define NVMEI_WRITE 0x01
#define NVMEI_READ 0x02
#define NVMEI_WRITE_ZEROES 0x08
#define NVMEI_DATASET 0x09

#define NVMEI_FUA 0x40000000u        /* dword 12 */
#define NVMEI_DEALLOCATE 0x02000000u /* dword 12 of WRITE ZEROES */
#define NVMEI_DATASET_DEALLOCATE 0x4 /* dword 11 */
#define NVMEI_RANGE_SIZE 16

static guint
nvmei_status (NvmeCommand *command, int result)
{
  switch (result)
    {
    case 0:
      return NVME_OK;
    case -EROFS:
      return NVME_READ_ONLY;
    case -ENOSPC:
    case -EDQUOT:
      return NVME_CAPACITY_EXCEEDED;
    default:
      return command->req.op == VMM_BLOCK_READ ? NVME_UNRECOVERED_READ : NVME_WRITE_FAULT;
    }
}

static void
nvmei_on_done (NvmeCommand *command, int result)
{
  _vmm_nvme_complete (command, nvmei_status (command, result), 0);
}

static void
nvmei_flush (NvmeCommand *command)
{
  command->req = (VmmBlockRequest) { .op = VMM_BLOCK_FLUSH };
  _vmm_nvme_submit (command, nvmei_on_done);
}

/* With the cache switched off, or FUA, what was written must be on the medium (§6.15). */
static void
nvmei_on_written (NvmeCommand *command, int result)
{
  gboolean through = !command->nvme->regs.write_cache || (_nvme_dword (command, 12) & NVMEI_FUA) != 0;

  if (result == 0 && through)
    nvmei_flush (command);
  else
    nvmei_on_done (command, result);
}

/* The blocks of dwords 10-12. */
static gboolean
nvmei_get_range (NvmeCommand *command, guint64 *ret_first, guint32 *ret_n)
{
  guint64 first = _nvme_get64 (command->regs->entry + 40);
  guint32 n = (_nvme_dword (command, 12) & 0xffff) + 1;

  if (first >= command->nvme->blocks || n > command->nvme->blocks - first)
    return FALSE;
  *ret_first = first;
  *ret_n = n;
  return TRUE;
}

static void
nvmei_move (NvmeCommand *command, VmmBlockOp op)
{
  Nvme *nvme = command->nvme;
  guint64 first;
  guint32 n;
  gsize len;
  guint status;

  if (!nvmei_get_range (command, &first, &n))
    {
      _vmm_nvme_complete (command, NVME_OUT_OF_RANGE, 0);
      return;
    }
  len = (gsize) n * NVME_BLOCK;
  if (len > (4096u << NVME_MDTS))
    status = NVME_INVALID_FIELD;
  else if (op == VMM_BLOCK_WRITE && nvme->read_only)
    status = NVME_READ_ONLY;
  else
    status = _vmm_nvme_map (command, len);
  if (status != NVME_OK)
    {
      _vmm_nvme_complete (command, status, 0);
      return;
    }
  if (op == VMM_BLOCK_READ)
    {
      nvme->regs.read_commands++;
      nvme->regs.read_units += n;
    }
  else
    {
      nvme->regs.write_commands++;
      nvme->regs.write_units += n;
    }
  command->req = (VmmBlockRequest) { .op = op,
                                     .offset = first * NVME_BLOCK,
                                     .len = len,
                                     .iov = command->iov,
                                     .n_iov = command->n_iov };
  _vmm_nvme_submit (command, op == VMM_BLOCK_READ ? nvmei_on_done : nvmei_on_written);
}

static void
nvmei_write_zeroes (NvmeCommand *command)
{
  gboolean deallocate = (_nvme_dword (command, 12) & NVMEI_DEALLOCATE) != 0 && command->nvme->discard;
  guint64 first;
  guint32 n;

  if (!nvmei_get_range (command, &first, &n))
    {
      _vmm_nvme_complete (command, NVME_OUT_OF_RANGE, 0);
      return;
    }
  if (command->nvme->read_only)
    {
      _vmm_nvme_complete (command, NVME_READ_ONLY, 0);
      return;
    }
  command->req = (VmmBlockRequest) { .op = deallocate ? VMM_BLOCK_DISCARD : VMM_BLOCK_WRITE_ZEROES,
                                     .offset = first * NVME_BLOCK,
                                     .len = (guint64) n * NVME_BLOCK };
  _vmm_nvme_submit (command, nvmei_on_written);
}

/* === DATASET MANAGEMENT, §6.7 === */

/* Range @i: attributes, length, first block. */
static guint64
nvmei_dataset_range (const NvmeCommand *command, guint i, guint64 *ret_first)
{
  const guint8 *range = command->ranges + i * NVMEI_RANGE_SIZE;

  *ret_first = _nvme_get64 (range + 8);
  return _nvme_get32 (range + 4);
}

static void
nvmei_dataset_next (NvmeCommand *command, int result)
{
  guint64 first = 0, n = 0;

  while (result == 0 && command->range < command->n_ranges && n == 0)
    n = nvmei_dataset_range (command, command->range++, &first);
  if (n == 0 || result != 0)
    {
      nvmei_on_done (command, result);
      return;
    }
  command->req = (VmmBlockRequest) { .op = VMM_BLOCK_DISCARD, .offset = first * NVME_BLOCK, .len = n * NVME_BLOCK };
  _vmm_nvme_submit (command, nvmei_dataset_next);
}

static void
nvmei_dataset (NvmeCommand *command)
{
  Nvme *nvme = command->nvme;
  gsize size;
  guint status;

  command->n_ranges = (_nvme_dword (command, 10) & 0xff) + 1;
  command->range = 0;
  size = (gsize) command->n_ranges * NVMEI_RANGE_SIZE;
  command->ranges = g_try_malloc (size);
  status = command->ranges == NULL ? NVME_INTERNAL_ERROR : _vmm_nvme_get (command, command->ranges, size);
  for (guint i = 0; status == NVME_OK && i < command->n_ranges; i++)
    {
      guint64 first, n = nvmei_dataset_range (command, i, &first);

      if (n != 0 && (first >= nvme->blocks || n > nvme->blocks - first))
        status = NVME_OUT_OF_RANGE;
    }
  if (status == NVME_OK && nvme->read_only)
    status = NVME_READ_ONLY;
  /* Everything but deallocation is advice. */
  if (status != NVME_OK || !nvme->discard || (_nvme_dword (command, 11) & NVMEI_DATASET_DEALLOCATE) == 0)
    {
      _vmm_nvme_complete (command, status, 0);
      return;
    }
  nvmei_dataset_next (command, 0);
}

void
_vmm_nvme_io (NvmeCommand *command)
{
  const guint8 *entry = command->regs->entry;
  guint32 nsid = _nvme_dword (command, 1);

  if ((entry[1] & 0xc3) != 0) /* SGLs, fused operations */
    _vmm_nvme_complete (command, NVME_INVALID_FIELD, 0);
  else if (nsid != 1 && !(nsid == 0xffffffff && entry[0] == NVMEI_FLUSH))
    _vmm_nvme_complete (command, NVME_INVALID_NAMESPACE, 0);
  else
    switch (entry[0])
      {
      case NVMEI_FLUSH:
        nvmei_flush (command);
        break;
      case NVMEI_WRITE:
        nvmei_move (command, VMM_BLOCK_WRITE);
        break;
      case NVMEI_READ:
        nvmei_move (command, VMM_BLOCK_READ);
        break;
      case NVMEI_WRITE_ZEROES:
        nvmei_write_zeroes (command);
        break;
      case NVMEI_DATASET:
        nvmei_dataset (command);
        break;
      default:
        _vmm_nvme_complete (command, NVME_INVALID_OPCODE, 0);
        break;
      }
}
