/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What all drives share: attachment, media, and the transfer of a task's data.
 * Spec: ATA/ATAPI Command Set 3 (ACS-3).
 *
 * Theory of operation: a transfer is a chain of block requests, each as long as the pieces of guest memory that fit its vector; the
 * vector grows with need up to SATA_MAX_IOV. A request's completion takes the controller's lock and goes on. Whoever aborts a task only
 * marks it: the guest's memory stays the request's until it is done, and the controller waits for that before it lets the guest go on. */
#include "storage/sata.h"

#include "chipset/fw-cfg.h"
#include "core/machine.h"
#include "storage/ahci.h"
#include "storage/piix-ide.h"

#include <errno.h>
#include <string.h>

#define SATA_FIRST_IOV 64
#define SATA_MAX_IOV 1024
#define SATA_MAX_CHUNK (64u << 20)
#define SATA_SCRATCH (64u << 10)

/* Attachment */

static gboolean
sata_find_place (VmmSataDrive *drive, gint64 port, GError **error)
{
  VmmDevice *controller;

  if (drive->base.class->bus == VMM_DEVICE_IDE)
    return vmm_piix_ide_attach (drive, port, error);
  controller = vmm_device_find_class (&drive->base, "ahci");
  if (controller != NULL)
    return vmm_ahci_attach (controller, drive, port, error);
  g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "this machine has no SATA controller");
  return FALSE;
}

gboolean
vmm_sata_drive_attach (VmmSataDrive *drive, gint64 port, gint64 boot_index, GError **error)
{
  VmmFwCfg *fw_cfg = vmm_device_get_fw_cfg (&drive->base);

  if (drive->retired == NULL)
    drive->retired = g_ptr_array_new ();
  if (!sata_find_place (drive, port, error))
    {
      g_clear_pointer (&drive->retired, g_ptr_array_unref);
      return FALSE;
    }
  if (fw_cfg != NULL && boot_index >= 0)
    {
      /* Contract 4.4: OVMF matches these names literally. */
      g_autofree char *path = drive->host->parallel ? vmm_piix_ide_dup_boot_path (drive)
                                                    : g_strdup_printf ("/pci@i0cf8/pci8086,2922@1f,2/drive@%u/disk@0", drive->port);

      vmm_fw_cfg_add_boot_path (fw_cfg, (int) boot_index, path);
    }
  return TRUE;
}

void
vmm_sata_drive_detach (VmmSataDrive *drive)
{
  if (drive->host != NULL)
    drive->host->ops->detach (drive);
  vmm_sata_drive_close_retired (drive);
  g_clear_pointer (&drive->retired, g_ptr_array_unref);
  g_clear_pointer (&drive->block, vmm_block_close);
}

/* Media */

static void
sata_on_close_retired (gpointer data)
{
  vmm_sata_drive_close_retired (data);
}

void
vmm_sata_drive_swap_medium (VmmSataDrive *drive, VmmBlock *block)
{
  if (drive->block != NULL)
    {
      g_ptr_array_add (drive->retired, drive->block);
      /* Test boards have no control thread; there the next insertion or the end closes it. */
      if (drive->base.machine->control != NULL)
        vmm_machine_post (drive->base.machine, sata_on_close_retired, drive);
    }
  drive->block = block;
  drive->generation++;
}

void
vmm_sata_drive_close_retired (VmmSataDrive *drive)
{
  VmmDevice *controller = drive->host != NULL ? drive->host->controller : NULL;

  for (;;)
    {
      VmmBlock *block = NULL;

      if (controller != NULL)
        vmm_device_lock (controller);
      if (drive->retired != NULL && drive->retired->len > 0)
        block = g_ptr_array_steal_index_fast (drive->retired, 0);
      if (controller != NULL)
        vmm_device_unlock (controller);
      if (block == NULL)
        return;
      vmm_block_close (block);
    }
}

void
vmm_sata_drive_drain (VmmSataDrive *drive)
{
  /* Only the control thread takes blocks away, so they stay while it waits. */
  if (drive->block != NULL)
    vmm_block_drain (drive->block);
  vmm_sata_drive_close_retired (drive);
}

/* IDENTIFY */

gboolean
vmm_ata_is_queued (guint8 command)
{
  return command == VMM_ATA_READ_FPDMA_QUEUED || command == VMM_ATA_WRITE_FPDMA_QUEUED;
}

void
vmm_ata_put_string (guint16 *words, guint n_words, const char *text)
{
  gsize len = strlen (text);

  for (guint i = 0; i < n_words; i++)
    {
      guint8 high = 2 * i < len ? (guint8) text[2 * i] : ' ';
      guint8 low = 2 * i + 1 < len ? (guint8) text[2 * i + 1] : ' ';

      words[i] = (guint16) (high << 8 | low);
    }
}

void
vmm_ata_put_integrity (guint16 words[256])
{
  guint8 sum = 0xa5;

  for (guint i = 0; i < 255; i++)
    sum = (guint8) (sum + words[i] + (words[i] >> 8));
  words[255] = (guint16) ((guint8) -sum << 8 | 0xa5);
}

char *
vmm_sata_drive_dup_serial (VmmSataDrive *drive, guint max)
{
  return vmm_device_dup_serial (&drive->base, max);
}

/* Memory of a task */

gsize
vmm_sata_task_put (VmmSataTask *task, gconstpointer data, gsize len)
{
  const guint8 *from = data;
  gsize total = 0;

  while (total < len)
    {
      struct iovec iov[16];
      guint n;
      gsize bytes = task->host->ops->map (task, len - total, 1, iov, G_N_ELEMENTS (iov), &n);

      if (bytes == 0)
        break;
      for (guint i = 0; i < n; i++)
        {
          memcpy (iov[i].iov_base, from + total, iov[i].iov_len);
          total += iov[i].iov_len;
        }
    }
  task->moved += (guint32) total;
  return total;
}

gsize
vmm_sata_task_get (VmmSataTask *task, gpointer buf, gsize len)
{
  guint8 *to = buf;
  gsize total = 0;

  while (total < len)
    {
      struct iovec iov[16];
      guint n;
      gsize bytes = task->host->ops->map (task, len - total, 1, iov, G_N_ELEMENTS (iov), &n);

      if (bytes == 0)
        break;
      for (guint i = 0; i < n; i++)
        {
          memcpy (to + total, iov[i].iov_base, iov[i].iov_len);
          total += iov[i].iov_len;
        }
    }
  task->moved += (guint32) total;
  return total;
}

/* Transfers */

static void
sata_task_end (VmmSataTask *task, int result)
{
  VmmSataTaskFunc done = task->done;

  task->done = NULL;
  done (task, result);
}

static void sata_task_step (VmmSataTask *task);

/* Iothread. */
static void
sata_on_request_done (VmmBlockRequest *req, int result)
{
  VmmSataTask *task = req->data;
  VmmDevice *controller = task->host->controller;

  vmm_device_lock (controller);
  if (task->aborted)
    vmm_sata_task_complete (task);
  else if (result < 0 || req->op == VMM_BLOCK_FLUSH)
    sata_task_end (task, result);
  else
    {
      task->offset += req->len;
      task->len -= req->len;
      if (!task->discards && (req->op == VMM_BLOCK_READ || req->op == VMM_BLOCK_WRITE))
        task->moved += (guint32) req->len;
      sata_task_step (task);
    }
  vmm_device_unlock (controller);
}

static void
sata_task_submit (VmmSataTask *task)
{
  if (task->host->quiesced)
    task->parked = TRUE;
  else if (task->generation != task->drive->generation)
    sata_task_end (task, -ENOMEDIUM);
  else
    vmm_block_submit (task->block, &task->req);
}

/* A longer vector, if memory can be had. */
static gboolean
sata_task_grow_iov (VmmSataTask *task)
{
  guint size = task->iov == NULL ? SATA_FIRST_IOV : MIN (task->iov_size * 4, SATA_MAX_IOV);
  struct iovec *iov = size > task->iov_size ? g_try_realloc_n (task->iov, size, sizeof *iov) : NULL;

  if (iov == NULL)
    return FALSE;
  task->iov = iov;
  task->iov_size = size;
  return TRUE;
}

/* The next chunk of guest memory; 0: there is none. A vector that was filled is longer the next time; SATA_MAX_IOV holds a sector
 * even in pieces of one byte. */
static gsize
sata_task_map_chunk (VmmSataTask *task, guint *ret_n)
{
  gsize max = MIN (task->len, SATA_MAX_CHUNK), bytes;

  do
    bytes = task->host->ops->map (task, max, VMM_ATA_SECTOR, task->iov, task->iov_size, ret_n);
  while (bytes == 0 && sata_task_grow_iov (task));
  if (bytes > 0 && bytes < max && *ret_n == task->iov_size)
    task->grow = TRUE;
  return bytes;
}

static void
sata_task_step (VmmSataTask *task)
{
  VmmBlockRequest *req = &task->req;
  gsize bytes = 0;
  guint n = 0;

  if (task->len == 0 && req->op != VMM_BLOCK_FLUSH)
    {
      sata_task_end (task, 0);
      return;
    }
  req->offset = task->offset;
  switch (req->op)
    {
    case VMM_BLOCK_READ:
    case VMM_BLOCK_WRITE:
      if ((task->iov == NULL || task->grow) && !sata_task_grow_iov (task) && task->iov == NULL)
        {
          sata_task_end (task, -ENOMEM);
          return;
        }
      task->grow = FALSE;
      if (task->discards)
        {
          bytes = MIN (task->len, SATA_SCRATCH);
          task->iov[0] = (struct iovec) { task->scratch, bytes };
          n = 1;
        }
      else
        {
          bytes = sata_task_map_chunk (task, &n);
          if (bytes == 0)
            {
              sata_task_end (task, -EFAULT);
              return;
            }
        }
      break;
    case VMM_BLOCK_FLUSH:
    case VMM_BLOCK_DISCARD:
    case VMM_BLOCK_WRITE_ZEROES:
      bytes = task->len;
      break;
    }
  req->len = bytes;
  req->iov = task->iov;
  req->n_iov = n;
  sata_task_submit (task);
}

static void
sata_task_begin (VmmSataTask *task, VmmBlockOp op, guint64 offset, guint64 len, gboolean discards, VmmSataTaskFunc done)
{
  task->block = task->drive->block;
  task->generation = task->drive->generation;
  task->offset = offset;
  task->len = len;
  task->discards = discards;
  task->done = done;
  task->req = (VmmBlockRequest) { .op = op, .done = sata_on_request_done, .data = task };
  if (task->block == NULL)
    sata_task_end (task, -ENOMEDIUM);
  else
    sata_task_step (task);
}

void
vmm_sata_task_transfer (VmmSataTask *task, VmmBlockOp op, guint64 offset, guint64 len, VmmSataTaskFunc done)
{
  sata_task_begin (task, op, offset, len, FALSE, done);
}

void
vmm_sata_task_verify (VmmSataTask *task, guint64 offset, guint64 len, VmmSataTaskFunc done)
{
  if (task->scratch == NULL)
    task->scratch = g_try_malloc (SATA_SCRATCH);
  task->done = done;
  if (task->scratch == NULL)
    sata_task_end (task, -ENOMEM);
  else
    sata_task_begin (task, VMM_BLOCK_READ, offset, len, TRUE, done);
}

void
vmm_sata_task_complete (VmmSataTask *task)
{
  task->host->ops->complete (task);
}

void
vmm_sata_task_unpark (VmmSataTask *task)
{
  if (!task->parked)
    return;
  task->parked = FALSE;
  sata_task_submit (task);
}

void
vmm_sata_task_clear (VmmSataTask *task)
{
  task->parked = FALSE;
  task->done = NULL;
  g_clear_pointer (&task->scratch, g_free);
}
