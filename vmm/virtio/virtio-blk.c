/* SPDX-License-Identifier: GPL-3.0-or-later */
/* virtio block device.
 * Spec: VIRTIO 1.2 §5.2; contract 7.3, 4.4. Left out: secure erase, zoned devices, lifetime information; none is offered.
 *
 * Theory of operation: every queue is served by one I/O thread, the machine's or an own one; the image completes there too. A request's
 * data goes between the image and the guest's pages without a copy: the element's vector loses the 16 bytes of the header in front and
 * the status byte behind, and is the block request's vector. Requests end in any order. Without a write cache (the driver did not take
 * FLUSH, or turned the cache off) a write is followed by a flush before it ends. Discard and write zeroes take up to 16 segments, one
 * after the other.
 *
 * Requests in flight own guest memory: a driver's reset is over when the last is back. A request that meets a full host disk stalls in
 * the block layer, the machine pauses, and goes on when it is resumed. Nothing of it is saved: a quiesce waits for what is in flight. */
#include "virtio/virtio.h"

#include "block/block.h"
#include "chipset/fw-cfg.h"
#include "core/config.h"
#include "core/iothread.h"
#include "core/machine.h"

#include <errno.h>
#include <string.h>

#define VBLK_SECTOR 512u
#define VBLK_QUEUE_SIZE 256
#define VBLK_SEG_MAX (VBLK_QUEUE_SIZE - 2)
#define VBLK_SERIAL_SIZE 20
#define VBLK_HEADER_SIZE 16
#define VBLK_MAX_SEGMENTS 16
#define VBLK_MAX_RANGE (4u << 20) /* sectors of one segment */

/* Features, §5.2.3 */
#define VBLK_F_SEG_MAX 2
#define VBLK_F_GEOMETRY 4
#define VBLK_F_RO 5
#define VBLK_F_BLK_SIZE 6
#define VBLK_F_FLUSH 9
#define VBLK_F_TOPOLOGY 10
#define VBLK_F_CONFIG_WCE 11
#define VBLK_F_MQ 12
#define VBLK_F_DISCARD 13
#define VBLK_F_WRITE_ZEROES 14

/* Configuration, §5.2.4 */
#define VBLK_CFG_CAPACITY 0x00
#define VBLK_CFG_SEG_MAX 0x0c
#define VBLK_CFG_CYLINDERS 0x10
#define VBLK_CFG_HEADS 0x12
#define VBLK_CFG_SECTORS 0x13
#define VBLK_CFG_BLK_SIZE 0x14
#define VBLK_CFG_PHYSICAL_EXP 0x18
#define VBLK_CFG_ALIGNMENT 0x19
#define VBLK_CFG_MIN_IO 0x1a
#define VBLK_CFG_OPT_IO 0x1c
#define VBLK_CFG_WRITEBACK 0x20
#define VBLK_CFG_NUM_QUEUES 0x22
#define VBLK_CFG_MAX_DISCARD 0x24
#define VBLK_CFG_MAX_DISCARD_SEG 0x28
#define VBLK_CFG_DISCARD_ALIGNMENT 0x2c
#define VBLK_CFG_MAX_ZEROES 0x30
#define VBLK_CFG_MAX_ZEROES_SEG 0x34
#define VBLK_CFG_ZEROES_MAY_UNMAP 0x38
#define VBLK_CFG_SIZE 0x3c

/* Requests, §5.2.6 */
#define VBLK_T_IN 0
#define VBLK_T_OUT 1
#define VBLK_T_FLUSH 4
#define VBLK_T_GET_ID 8
#define VBLK_T_DISCARD 11
#define VBLK_T_WRITE_ZEROES 13
#define VBLK_S_OK 0
#define VBLK_S_IOERR 1
#define VBLK_S_UNSUPP 2
#define VBLK_SEGMENT_UNMAP 1

typedef struct {
  guint32 type, reserved;
  guint64 sector;
} VblkHeader;

typedef struct {
  guint64 sector;
  guint32 n_sectors, flags;
} VblkSegment;

G_STATIC_ASSERT (sizeof (VblkHeader) == VBLK_HEADER_SIZE);
G_STATIC_ASSERT (sizeof (VblkSegment) == 16);

typedef struct _VirtioBlk VirtioBlk;

typedef struct _VblkRequest VblkRequest;
struct _VblkRequest {
  VmmVirtioElement element;
  VmmBlockRequest req;
  VirtioBlk *blk;
  VmmVirtqueue *queue;
  guint8 *status; /* in guest memory */
  guint32 written;
  gboolean flush_after;
  VblkSegment segments[VBLK_MAX_SEGMENTS];
  guint n_segments, next_segment;
  VblkRequest *next_free;
};

struct _VirtioBlk {
  VmmVirtio virtio;
  VmmIoThread *own_iothread; /* (nullable) (owned) */
  VmmBlock *block;
  guint64 sectors;
  char serial[VBLK_SERIAL_SIZE + 1];
  gboolean discard;
  VblkRequest *free_requests;
};

static const char *const vblk_formats[] = { "raw", "qcow2", NULL };
static const char *const vblk_caches[] = { "writeback", "direct", NULL };

static const VmmSetting vblk_settings[] = {
  { "image", VMM_SETTING_PATH, NULL, 0, 0, NULL, N_ ("Disk image"), VMM_SETTING_REQUIRED },
  { "format", VMM_SETTING_ENUM, "raw", 0, 0, vblk_formats, N_ ("Format of the image"), VMM_SETTING_NONE },
  { "cache", VMM_SETTING_ENUM, "writeback", 0, 0, vblk_caches, N_ ("Use the host's page cache, or go to the disk directly"),
    VMM_SETTING_NONE },
  { "readonly", VMM_SETTING_BOOL, "false", 0, 0, NULL, N_ ("Refuse all writes"), VMM_SETTING_NONE },
  { "serial", VMM_SETTING_STRING, NULL, 0, 0, NULL, N_ ("Serial number, up to 20 characters"), VMM_SETTING_NONE },
  { "queues", VMM_SETTING_INT, "0", 0, 16, NULL, N_ ("Queues, 0 for one a processor"), VMM_SETTING_NONE },
  { "iothread", VMM_SETTING_BOOL, "true", 0, 0, NULL, N_ ("An I/O thread of its own"), VMM_SETTING_NONE },
  { "discard", VMM_SETTING_BOOL, "true", 0, 0, NULL, N_ ("Give the space of deleted data back to the host"), VMM_SETTING_NONE },
  { "boot", VMM_SETTING_INT, "-1", -1, 1000, NULL, N_ ("Place in the boot order, -1 for none"), VMM_SETTING_NONE },
  { NULL },
};

/* === Requests === */

static VblkRequest *
vblk_request_new (VirtioBlk *blk)
{
  VblkRequest *request = blk->free_requests;

  if (request != NULL)
    blk->free_requests = request->next_free;
  else
    request = g_new0 (VblkRequest, 1); /* never more than the rings have entries */
  request->blk = blk;
  request->status = NULL;
  request->written = 0;
  request->flush_after = FALSE;
  request->n_segments = request->next_segment = 0;
  return request;
}

static void
vblk_request_free (VblkRequest *request)
{
  request->next_free = request->blk->free_requests;
  request->blk->free_requests = request;
}

static void
vblk_complete (VblkRequest *request, guint8 status)
{
  VmmVirtqueue *queue = request->queue;

  if (request->status != NULL)
    {
      *request->status = status;
      request->written++;
    }
  vmm_virtqueue_push (queue, &request->element, request->written);
  vmm_virtqueue_notify (queue);
  vblk_request_free (request);
}

static void vblk_on_done (VmmBlockRequest *req, int result);

static void
vblk_submit (VblkRequest *request, VmmBlockOp op, guint64 offset, guint64 len, const struct iovec *iov, guint n_iov)
{
  request->req = (VmmBlockRequest) { .op = op,
                                     .offset = offset,
                                     .len = len,
                                     .iov = iov,
                                     .n_iov = n_iov,
                                     .done = vblk_on_done,
                                     .data = request };
  vmm_block_submit (request->blk->block, &request->req);
}

/* The next segment of a discard or write zeroes. FALSE: there is none. */
static gboolean
vblk_submit_segment (VblkRequest *request, VmmBlockOp op)
{
  while (request->next_segment < request->n_segments)
    {
      const VblkSegment *segment = &request->segments[request->next_segment++];

      if (segment->n_sectors == 0)
        continue;
      vblk_submit (request, op, segment->sector * VBLK_SECTOR, (guint64) segment->n_sectors * VBLK_SECTOR, NULL, 0);
      return TRUE;
    }
  return FALSE;
}

/* The block's iothread, no lock held. */
static void
vblk_on_done (VmmBlockRequest *req, int result)
{
  VblkRequest *request = req->data;
  VmmDevice *dev = &request->blk->virtio.pci.base;
  VmmBlockOp op = req->op;

  vmm_device_lock (dev);
  if (result == 0 && (op == VMM_BLOCK_DISCARD || op == VMM_BLOCK_WRITE_ZEROES) && vblk_submit_segment (request, op))
    ;
  else if (result == 0 && request->flush_after)
    {
      request->flush_after = FALSE;
      vblk_submit (request, VMM_BLOCK_FLUSH, 0, 0, NULL, 0);
    }
  else
    {
      if (result == 0 && op == VMM_BLOCK_READ)
        request->written = (guint32) req->len;
      vblk_complete (request, result == 0 ? VBLK_S_OK : VBLK_S_IOERR);
    }
  vmm_device_unlock (dev);
}

/* §5.2.5: is there a volatile cache that only FLUSH empties? */
static gboolean
vblk_is_writeback (VirtioBlk *blk)
{
  if (!vmm_virtio_has_feature (&blk->virtio, VBLK_F_FLUSH))
    return FALSE;
  return !vmm_virtio_has_feature (&blk->virtio, VBLK_F_CONFIG_WCE)
         || vmm_virtio_config_get (&blk->virtio, VBLK_CFG_WRITEBACK, 1) != 0;
}

static gboolean
vblk_range_is_valid (VirtioBlk *blk, guint64 sector, guint64 n_sectors)
{
  return sector <= blk->sectors && n_sectors <= blk->sectors - sector;
}

/* Takes the header's bytes off the front. */
static void
vblk_strip_front (VmmVirtioElement *element, gsize len)
{
  element->out_bytes -= len;
  for (guint i = 0; i < element->n_out && len > 0; i++)
    {
      struct iovec *piece = &element->iov[i];
      gsize here = MIN (len, piece->iov_len);

      piece->iov_base = (guint8 *) piece->iov_base + here;
      piece->iov_len -= here;
      len -= here;
    }
}

/* Pieces without bytes were left by taking bytes off. */
static const struct iovec *
vblk_trim (const struct iovec *iov, guint *n_iov)
{
  while (*n_iov > 0 && iov->iov_len == 0)
    {
      iov++;
      --*n_iov;
    }
  while (*n_iov > 0 && iov[*n_iov - 1].iov_len == 0)
    --*n_iov;
  return iov;
}

static void
vblk_start_transfer (VblkRequest *request, gboolean is_write, guint64 sector)
{
  VirtioBlk *blk = request->blk;
  VmmVirtioElement *element = &request->element;
  guint n = is_write ? element->n_out : element->n_in;
  const struct iovec *iov = vblk_trim (is_write ? element->iov : element->iov + element->n_out, &n);
  gsize len = is_write ? element->out_bytes : element->in_bytes;

  if (len % VBLK_SECTOR != 0 || !vblk_range_is_valid (blk, sector, len / VBLK_SECTOR) || len > G_MAXUINT32
      || (is_write && vmm_block_is_read_only (blk->block)))
    {
      vblk_complete (request, VBLK_S_IOERR);
      return;
    }
  if (len == 0)
    {
      vblk_complete (request, VBLK_S_OK);
      return;
    }
  request->flush_after = is_write && !vblk_is_writeback (blk);
  vblk_submit (request, is_write ? VMM_BLOCK_WRITE : VMM_BLOCK_READ, sector * VBLK_SECTOR, len, iov, n);
}

static void
vblk_start_segments (VblkRequest *request, gboolean is_discard)
{
  VirtioBlk *blk = request->blk;
  gsize len = request->element.out_bytes;
  VmmBlockOp op = is_discard ? VMM_BLOCK_DISCARD : VMM_BLOCK_WRITE_ZEROES;

  if (!vmm_virtio_has_feature (&blk->virtio, is_discard ? VBLK_F_DISCARD : VBLK_F_WRITE_ZEROES))
    {
      vblk_complete (request, VBLK_S_UNSUPP);
      return;
    }
  if (len == 0 || len % sizeof (VblkSegment) != 0 || len > sizeof request->segments)
    {
      vblk_complete (request, VBLK_S_IOERR);
      return;
    }
  vmm_virtio_element_read (&request->element, 0, request->segments, len);
  request->n_segments = (guint) (len / sizeof (VblkSegment));
  for (guint i = 0; i < request->n_segments; i++)
    {
      VblkSegment *segment = &request->segments[i];

      segment->sector = GUINT64_FROM_LE (segment->sector);
      segment->n_sectors = GUINT32_FROM_LE (segment->n_sectors);
      segment->flags = GUINT32_FROM_LE (segment->flags);
      /* §5.2.6.2: reserved flags, and unmap in a discard, are not supported */
      if ((segment->flags & ~(guint32) VBLK_SEGMENT_UNMAP) != 0 || (is_discard && segment->flags != 0))
        {
          vblk_complete (request, VBLK_S_UNSUPP);
          return;
        }
      if (segment->n_sectors > VBLK_MAX_RANGE || !vblk_range_is_valid (blk, segment->sector, segment->n_sectors)
          || vmm_block_is_read_only (blk->block))
        {
          vblk_complete (request, VBLK_S_IOERR);
          return;
        }
    }
  request->flush_after = !is_discard && !vblk_is_writeback (blk);
  if (!vblk_submit_segment (request, op))
    vblk_complete (request, VBLK_S_OK);
}

static void
vblk_get_id (VblkRequest *request)
{
  char id[VBLK_SERIAL_SIZE] = { 0 };

  memcpy (id, request->blk->serial, strlen (request->blk->serial));
  request->written = (guint32) vmm_virtio_element_write (&request->element, 0, id, sizeof id);
  vblk_complete (request, VBLK_S_OK);
}

static void
vblk_start (VblkRequest *request)
{
  VmmVirtioElement *element = &request->element;
  struct iovec *last;
  VblkHeader header;

  if (element->in_bytes == 0 || vmm_virtio_element_read (element, 0, &header, sizeof header) != sizeof header)
    {
      vmm_virtio_fail (&request->blk->virtio, "a request without header or status");
      vblk_complete (request, VBLK_S_IOERR);
      return;
    }
  vblk_strip_front (element, sizeof header);
  last = &element->iov[element->n_out + element->n_in - 1];
  last->iov_len--;
  element->in_bytes--;
  request->status = (guint8 *) last->iov_base + last->iov_len;

  switch (GUINT32_FROM_LE (header.type))
    {
    case VBLK_T_IN:
      vblk_start_transfer (request, FALSE, GUINT64_FROM_LE (header.sector));
      break;
    case VBLK_T_OUT:
      vblk_start_transfer (request, TRUE, GUINT64_FROM_LE (header.sector));
      break;
    case VBLK_T_FLUSH:
      vblk_submit (request, VMM_BLOCK_FLUSH, 0, 0, NULL, 0);
      break;
    case VBLK_T_GET_ID:
      vblk_get_id (request);
      break;
    case VBLK_T_DISCARD:
      vblk_start_segments (request, TRUE);
      break;
    case VBLK_T_WRITE_ZEROES:
      vblk_start_segments (request, FALSE);
      break;
    default:
      vblk_complete (request, VBLK_S_UNSUPP);
      break;
    }
}

static void
vblk_handle_queue (VmmVirtio *virtio, guint index)
{
  VirtioBlk *blk = (VirtioBlk *) virtio;
  VmmVirtqueue *queue = vmm_virtio_get_queue (virtio, index);

  vmm_block_begin_batch (blk->block);
  for (;;)
    {
      VblkRequest *request = vblk_request_new (blk);

      request->queue = queue;
      if (!vmm_virtqueue_pop (queue, &request->element))
        {
          vblk_request_free (request);
          break;
        }
      vblk_start (request);
    }
  vmm_block_end_batch (blk->block);
}

/* === Life === */

static void
vblk_reset_virtio (VmmVirtio *virtio)
{
  vmm_virtio_config_put (virtio, VBLK_CFG_WRITEBACK, 1, 1);
}

static void
vblk_config_written (VmmVirtio *virtio, guint offset, guint size)
{
  /* §5.2.5.2: 0 or 1 */
  vmm_virtio_config_put (virtio, VBLK_CFG_WRITEBACK, 1, vmm_virtio_config_get (virtio, VBLK_CFG_WRITEBACK, 1) & 1);
}

static const VmmVirtioOps vblk_ops = {
  .handle_queue = vblk_handle_queue,
  .config_written = vblk_config_written,
  .reset = vblk_reset_virtio,
};

static void
vblk_quiesce (VmmDevice *dev)
{
  vmm_virtio_quiesce (dev);
  vmm_block_drain (((VirtioBlk *) dev)->block);
}

/* Iothread: a write could not be done and is kept. The machine stands still until there is room. */
static void
vblk_on_stalled (VmmBlock *block, int error, gpointer data)
{
  VmmDevice *dev = data;
  g_autofree char *message = g_strdup_printf ("%s: %s: %s", dev->id, vmm_block_get_path (block), g_strerror (error));

  vmm_machine_request_pause (dev->machine, error == ENOSPC || error == EDQUOT ? VMM_REASON_NO_SPACE : VMM_REASON_IO_ERROR, message);
}

static void
vblk_fill_config (VirtioBlk *blk, guint n_queues)
{
  VmmVirtio *virtio = &blk->virtio;
  guint64 cylinders = MIN (blk->sectors / (16 * 63), 16383);

  vmm_virtio_config_put (virtio, VBLK_CFG_CAPACITY, 8, blk->sectors);
  vmm_virtio_config_put (virtio, VBLK_CFG_SEG_MAX, 4, VBLK_SEG_MAX);
  vmm_virtio_config_put (virtio, VBLK_CFG_CYLINDERS, 2, MAX (cylinders, 1));
  vmm_virtio_config_put (virtio, VBLK_CFG_HEADS, 1, 16);
  vmm_virtio_config_put (virtio, VBLK_CFG_SECTORS, 1, 63);
  vmm_virtio_config_put (virtio, VBLK_CFG_BLK_SIZE, 4, VBLK_SECTOR);
  /* 4 KiB is what the host's file systems write at once */
  vmm_virtio_config_put (virtio, VBLK_CFG_PHYSICAL_EXP, 1, 3);
  vmm_virtio_config_put (virtio, VBLK_CFG_MIN_IO, 2, 8);
  vmm_virtio_config_put (virtio, VBLK_CFG_WRITEBACK, 1, 1);
  vmm_virtio_config_put (virtio, VBLK_CFG_NUM_QUEUES, 2, n_queues);
  if (!vmm_block_is_read_only (blk->block))
    {
      virtio->config_mask[VBLK_CFG_WRITEBACK] = 0xff;
      vmm_virtio_config_put (virtio, VBLK_CFG_MAX_ZEROES, 4, VBLK_MAX_RANGE);
      vmm_virtio_config_put (virtio, VBLK_CFG_MAX_ZEROES_SEG, 4, VBLK_MAX_SEGMENTS);
    }
  if (blk->discard)
    {
      vmm_virtio_config_put (virtio, VBLK_CFG_MAX_DISCARD, 4, VBLK_MAX_RANGE);
      vmm_virtio_config_put (virtio, VBLK_CFG_MAX_DISCARD_SEG, 4, VBLK_MAX_SEGMENTS);
      vmm_virtio_config_put (virtio, VBLK_CFG_DISCARD_ALIGNMENT, 4, 8);
    }
}

static guint64
vblk_features (VirtioBlk *blk, guint n_queues)
{
  guint64 features = VMM_VIRTIO_F (VBLK_F_SEG_MAX) | VMM_VIRTIO_F (VBLK_F_GEOMETRY) | VMM_VIRTIO_F (VBLK_F_BLK_SIZE)
                     | VMM_VIRTIO_F (VBLK_F_FLUSH) | VMM_VIRTIO_F (VBLK_F_TOPOLOGY);

  if (vmm_block_is_read_only (blk->block))
    features |= VMM_VIRTIO_F (VBLK_F_RO);
  else
    features |= VMM_VIRTIO_F (VBLK_F_CONFIG_WCE) | VMM_VIRTIO_F (VBLK_F_WRITE_ZEROES);
  if (blk->discard)
    features |= VMM_VIRTIO_F (VBLK_F_DISCARD);
  if (n_queues > 1)
    features |= VMM_VIRTIO_F (VBLK_F_MQ);
  return features;
}

static void
vblk_add_boot_path (VirtioBlk *blk)
{
  VmmDevice *dev = &blk->virtio.pci.base;
  gint64 index = vmm_device_get_int (dev, "boot");
  VmmFwCfg *fw_cfg = vmm_device_get_fw_cfg (dev);
  guint slot = blk->virtio.pci.devfn >> 3, function = blk->virtio.pci.devfn & 7;
  g_autofree char *path = NULL;

  if (fw_cfg == NULL || index < 0)
    return;
  /* Contract 4.4: OVMF matches these names literally. */
  if (function != 0)
    path = g_strdup_printf ("/pci@i0cf8/scsi@%x,%x/disk@0,0", slot, function);
  else
    path = g_strdup_printf ("/pci@i0cf8/scsi@%x/disk@0,0", slot);
  vmm_fw_cfg_add_boot_path (fw_cfg, (int) index, path);
}

static gboolean
vblk_open (VirtioBlk *blk, GError **error)
{
  VmmDevice *dev = &blk->virtio.pci.base;
  g_autofree char *path = vmm_device_dup_path (dev, "image");
  gboolean read_only = vmm_device_get_bool (dev, "readonly");
  guint flags = VMM_BLOCK_DEFAULT;

  if (path == NULL)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "image: the disk needs one");
      return FALSE;
    }
  if (read_only)
    flags |= VMM_BLOCK_READ_ONLY;
  if (g_str_equal (vmm_device_get_string (dev, "cache"), "direct"))
    flags |= VMM_BLOCK_DIRECT;
  if (vmm_device_get_bool (dev, "iothread") && (blk->own_iothread = vmm_iothread_new (dev->id, error)) == NULL)
    return FALSE;
  blk->block = vmm_block_open (path, vmm_device_get_string (dev, "format"), flags,
                               blk->own_iothread != NULL ? blk->own_iothread : vmm_device_get_iothread (dev), error);
  if (blk->block == NULL)
    return FALSE;
  blk->sectors = vmm_block_get_size (blk->block) / VBLK_SECTOR;
  blk->discard = vmm_device_get_bool (dev, "discard") && !read_only;
  if (blk->sectors > 0)
    return TRUE;
  g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "%s: too small for a disk", path);
  return FALSE;
}

static void
vblk_close (VirtioBlk *blk)
{
  g_clear_pointer (&blk->block, vmm_block_close);
  g_clear_pointer (&blk->own_iothread, vmm_iothread_free);
  while (blk->free_requests != NULL)
    {
      VblkRequest *request = blk->free_requests;

      blk->free_requests = request->next_free;
      vmm_virtio_element_clear (&request->element);
      g_free (request);
    }
}

static gboolean
vblk_realize (VmmDevice *dev, GError **error)
{
  VirtioBlk *blk = (VirtioBlk *) dev;
  guint n_queues = (guint) vmm_device_get_int (dev, "queues");
  g_autofree char *serial = vmm_device_dup_serial (dev, VBLK_SERIAL_SIZE);
  VmmVirtioParams params = {
    .device_id = VMM_VIRTIO_ID_BLOCK,
    .pci_class = 0x010000,
    .devfn = -1,
    .queue_size = VBLK_QUEUE_SIZE,
    .config_size = VBLK_CFG_SIZE,
  };

  if (n_queues == 0)
    n_queues = CLAMP (dev->machine->n_vcpus, 1, 16);
  g_strlcpy (blk->serial, serial, sizeof blk->serial);
  if (!vblk_open (blk, error))
    {
      vblk_close (blk);
      return FALSE;
    }
  params.n_queues = n_queues;
  params.features = vblk_features (blk, n_queues);
  params.iothread = blk->own_iothread;
  if (!vmm_virtio_init (&blk->virtio, &vblk_ops, &params, error))
    {
      vblk_close (blk);
      return FALSE;
    }
  vblk_fill_config (blk, n_queues);
  vblk_add_boot_path (blk);
  vmm_block_set_stall (blk->block, vblk_on_stalled, dev);
  g_ptr_array_add (dev->machine->blocks, blk->block);
  return TRUE;
}

static void
vblk_unrealize (VmmDevice *dev)
{
  VirtioBlk *blk = (VirtioBlk *) dev;
  VmmBlock *block = g_steal_pointer (&blk->block);

  vmm_virtio_stop (&blk->virtio);
  g_ptr_array_remove (dev->machine->blocks, block);
  vmm_block_close (block);
  vmm_virtio_clear (&blk->virtio);
  vblk_close (blk);
}

const VmmDeviceClass vmm_virtio_blk_class = {
  .name = "virtio-blk",
  .summary = N_ ("Hard disk (virtio)"),
  .description
  = N_ ("The fastest disk, for systems that have virtio drivers: Linux and the BSDs; Windows with additional drivers."),
  .bus = VMM_DEVICE_PCI,
  .user_creatable = TRUE,
  .instance_size = sizeof (VirtioBlk),
  .settings = vblk_settings,
  .state_version = 1,
  .realize = vblk_realize,
  .reset = vmm_virtio_reset,
  .quiesce = vblk_quiesce,
  .resume = vmm_virtio_resume,
  .post_load = vmm_virtio_post_load,
  .unrealize = vblk_unrealize,
};
