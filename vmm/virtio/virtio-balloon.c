/* SPDX-License-Identifier: GPL-3.0-or-later */
/* virtio memory balloon.
 * Spec: VIRTIO 1.2 §5.5. Left out: free page hints (for migration), page poison; neither is offered.
 *
 * Theory of operation: RAM is a memfd, so a page that the guest gives up is a hole punched there: the process shrinks at once, and the page
 * is zeros when the guest takes it back, which needs nothing from us. Page numbers are collected, sorted and joined to ranges, so that a
 * hole is as large as can be. With free page reporting the guest tells by itself what it does not use, without any target; that is what
 * gives memory back on an ordinary day. Statistics are asked for only when somebody reads them: the guest's buffer is held until then.
 *
 * Queue numbers: inflate 0, deflate 1; the queues behind exist only with their features and move up if one is missing (§5.5.2). */
#include "core/machine.h"
#include "virtio/virtio.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define VBAL_QUEUE_SIZE 128
#define VBAL_PAGE 4096u
#define VBAL_PAGE_SHIFT 12
#define VBAL_BATCH 256              /* page numbers looked at at once */
#define VBAL_MAX_PFNS 65536         /* of one buffer; Linux sends 256 */
#define VBAL_MAX_REPORT (64u << 20) /* bytes of one reported piece; Linux reports 4 MiB */

#define VBAL_F_STATS 1
#define VBAL_F_DEFLATE_ON_OOM 2
#define VBAL_F_REPORTING 5

#define VBAL_CFG_NUM_PAGES 0x00
#define VBAL_CFG_ACTUAL 0x04
#define VBAL_CFG_SIZE 0x08

#define VBAL_INFLATE 0
#define VBAL_DEFLATE 1

/* Statistics, §5.5.6.3 */
#define VBAL_STAT_SIZE 10
#define VBAL_S_FREE 4
#define VBAL_S_TOTAL 5
#define VBAL_S_AVAILABLE 6
#define VBAL_MAX_STATS 32

typedef struct {
  guint64 total, free, available; /* bytes; 0: not told */
} VbalRegs;

typedef struct {
  VmmVirtio virtio;
  VbalRegs regs;
  VmmVirtioElement stats;
  gboolean has_stats;
} VirtioBalloon;

static const VmmSetting vbal_settings[] = {
  { "target", VMM_SETTING_INT, "0", 0, 1 << 24, NULL, N_ ("Memory in MiB that the guest shall keep, 0 for all"), VMM_SETTING_NONE },
  { "reporting", VMM_SETTING_BOOL, "true", 0, 0, NULL, N_ ("Give memory back to the host that the guest does not use"),
    VMM_SETTING_NONE },
  { NULL },
};

static const VmmField vbal_fields[] = {
  VMM_FIELD (VbalRegs, total),
  VMM_FIELD (VbalRegs, free),
  VMM_FIELD (VbalRegs, available),
  VMM_FIELD_END,
};

/* === Memory === */

/* The pages wholly inside become zeros and cost nothing. */
static void
vbal_punch (VirtioBalloon *balloon, gpointer host, gsize len)
{
  VmmRam *ram = vmm_memory_get_ram (vmm_device_get_memory (&balloon->virtio.pci.base));
  gsize offset = (gsize) ((guint8 *) host - ram->host);
  gsize start = (offset + VBAL_PAGE - 1) & ~(gsize) (VBAL_PAGE - 1), end = (offset + len) & ~(gsize) (VBAL_PAGE - 1);

  if (start >= end)
    return;
  while (fallocate (ram->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t) start, (off_t) (end - start)) < 0
         && errno == EINTR)
    ;
}

static int
vbal_compare (const void *a, const void *b)
{
  guint32 x = *(const guint32 *) a, y = *(const guint32 *) b;

  return x < y ? -1 : x > y;
}

static void
vbal_punch_pages (VirtioBalloon *balloon, guint32 *pages, guint n)
{
  VmmMemory *memory = vmm_device_get_memory (&balloon->virtio.pci.base);

  qsort (pages, n, sizeof *pages, vbal_compare);
  for (guint i = 0; i < n;)
    {
      guint run = 1;
      gpointer host;

      while (i + run < n && pages[i + run] - pages[i + run - 1] <= 1)
        run++;
      /* With doubles the run has fewer pages than entries. */
      host = vmm_memory_map (memory, (guint64) pages[i] << VBAL_PAGE_SHIFT,
                             ((gsize) (pages[i + run - 1] - pages[i]) + 1) * VBAL_PAGE);
      if (host != NULL)
        vbal_punch (balloon, host, ((gsize) (pages[i + run - 1] - pages[i]) + 1) * VBAL_PAGE);
      else
        vmm_guest_error (&balloon->virtio.pci.base, "page %x is not in RAM", pages[i]);
      i += run;
    }
}

static void
vbal_inflate (VirtioBalloon *balloon, const VmmVirtioElement *element)
{
  gsize offset = 0, end = MIN (element->out_bytes, VBAL_MAX_PFNS * sizeof (guint32));

  if (element->out_bytes > end)
    vmm_guest_error (&balloon->virtio.pci.base, "%" G_GSIZE_FORMAT " bytes of page numbers at once", element->out_bytes);
  while (offset < end)
    {
      guint32 pages[VBAL_BATCH];
      guint n = (guint) (vmm_virtio_element_read (element, offset, pages, MIN (sizeof pages, end - offset)) / sizeof pages[0]);

      if (n == 0)
        return;
      for (guint i = 0; i < n; i++)
        pages[i] = GUINT32_FROM_LE (pages[i]);
      vbal_punch_pages (balloon, pages, n);
      offset += n * sizeof pages[0];
    }
}

/* §5.5.6.7: the buffers themselves are the free memory. */
static void
vbal_report (VirtioBalloon *balloon, const VmmVirtioElement *element)
{
  for (guint i = 0; i < element->n_in; i++)
    {
      const struct iovec *piece = &element->iov[element->n_out + i];

      vbal_punch (balloon, piece->iov_base, MIN (piece->iov_len, VBAL_MAX_REPORT));
    }
}

/* === Statistics === */

static void
vbal_read_stats (VirtioBalloon *balloon)
{
  guint8 bytes[VBAL_MAX_STATS * VBAL_STAT_SIZE];
  gsize n = vmm_virtio_element_read (&balloon->stats, 0, bytes, sizeof bytes) / VBAL_STAT_SIZE;

  for (gsize i = 0; i < n; i++)
    {
      guint16 tag;
      guint64 value;

      memcpy (&tag, bytes + i * VBAL_STAT_SIZE, sizeof tag);
      memcpy (&value, bytes + i * VBAL_STAT_SIZE + 2, sizeof value);
      value = GUINT64_FROM_LE (value);
      switch (GUINT16_FROM_LE (tag))
        {
        case VBAL_S_FREE:
          balloon->regs.free = value;
          break;
        case VBAL_S_TOTAL:
          balloon->regs.total = value;
          break;
        case VBAL_S_AVAILABLE:
          balloon->regs.available = value;
          break;
        default:
          break;
        }
    }
}

static guint
vbal_stats_index (VirtioBalloon *balloon)
{
  return vmm_virtio_has_feature (&balloon->virtio, VBAL_F_STATS) ? 2 : G_MAXUINT;
}

static guint
vbal_report_index (VirtioBalloon *balloon)
{
  if (!vmm_virtio_has_feature (&balloon->virtio, VBAL_F_REPORTING))
    return G_MAXUINT;
  return vmm_virtio_has_feature (&balloon->virtio, VBAL_F_STATS) ? 3 : 2;
}

/* The driver gives one buffer and keeps it so; it hears that it shall fill it again when it comes back (§5.5.6.3). */
static void
vbal_handle_stats (VirtioBalloon *balloon, VmmVirtqueue *queue)
{
  VmmVirtioElement element = { 0 };

  while (vmm_virtqueue_pop (queue, &element))
    {
      if (balloon->has_stats)
        vmm_virtqueue_push (queue, &balloon->stats, 0);
      vmm_virtio_element_clear (&balloon->stats);
      balloon->stats = element;
      balloon->has_stats = TRUE;
      element = (VmmVirtioElement) { 0 };
      vbal_read_stats (balloon);
    }
  vmm_virtio_element_clear (&element);
  vmm_virtqueue_notify (queue);
}

/* === Queues === */

static void
vbal_handle_queue (VmmVirtio *virtio, guint index)
{
  VirtioBalloon *balloon = (VirtioBalloon *) virtio;
  VmmVirtqueue *queue = vmm_virtio_get_queue (virtio, index);
  VmmVirtioElement element = { 0 };

  if (index == vbal_stats_index (balloon))
    {
      vbal_handle_stats (balloon, queue);
      return;
    }
  while (vmm_virtqueue_pop (queue, &element))
    {
      if (index == VBAL_INFLATE)
        vbal_inflate (balloon, &element);
      else if (index == vbal_report_index (balloon))
        vbal_report (balloon, &element);
      vmm_virtqueue_push (queue, &element, 0);
    }
  vmm_virtqueue_notify (queue);
  vmm_virtio_element_clear (&element);
}

/* === The host's side === */

/* Lock held. */
static void
vbal_set_target (VirtioBalloon *balloon, guint64 bytes)
{
  guint64 ram = balloon->virtio.pci.base.machine->ram_bytes;
  guint64 pages = bytes == 0 || bytes >= ram ? 0 : (ram - bytes) / VBAL_PAGE;

  if (pages == vmm_virtio_config_get (&balloon->virtio, VBAL_CFG_NUM_PAGES, 4))
    return;
  vmm_virtio_config_put (&balloon->virtio, VBAL_CFG_NUM_PAGES, 4, MIN (pages, G_MAXUINT32));
  vmm_virtio_config_changed (&balloon->virtio);
}

typedef struct {
  VmmMachine *machine;
  guint64 bytes;
} VbalRequest;

/* Control thread. */
static void
vbal_on_set_target (gpointer data)
{
  VbalRequest *request = data;
  VmmDevice *dev = vmm_machine_find_class (request->machine, "virtio-balloon");

  if (dev != NULL)
    {
      vmm_device_lock (dev);
      vbal_set_target ((VirtioBalloon *) dev, request->bytes);
      vmm_device_unlock (dev);
    }
  g_free (request);
}

gboolean
vmm_machine_set_balloon (VmmMachine *machine, guint64 guest_bytes, GError **error)
{
  VbalRequest *request;

  if (vmm_machine_find_class (machine, "virtio-balloon") == NULL)
    {
      g_set_error_literal (error, VMM_ERROR, VMM_ERROR_NOT_FOUND, "this machine has no memory balloon");
      return FALSE;
    }
  request = g_new (VbalRequest, 1);
  *request = (VbalRequest) { machine, guest_bytes };
  if (machine->control != NULL)
    vmm_machine_post (machine, vbal_on_set_target, request);
  else
    vbal_on_set_target (request); /* test boards have no control thread */
  return TRUE;
}

gboolean
vmm_machine_get_balloon (VmmMachine *machine, VmmBalloonInfo *ret_info, GError **error)
{
  VmmDevice *dev = vmm_machine_find_class (machine, "virtio-balloon");
  VirtioBalloon *balloon = (VirtioBalloon *) dev;

  if (dev == NULL)
    {
      g_set_error_literal (error, VMM_ERROR, VMM_ERROR_NOT_FOUND, "this machine has no memory balloon");
      return FALSE;
    }
  vmm_device_lock (dev);
  *ret_info = (VmmBalloonInfo) { .inflated_bytes = vmm_virtio_config_get (&balloon->virtio, VBAL_CFG_ACTUAL, 4) * VBAL_PAGE,
                                 .total_bytes = balloon->regs.total,
                                 .free_bytes = balloon->regs.free,
                                 .available_bytes = balloon->regs.available };
  if (balloon->has_stats) /* newer ones for the next time */
    {
      VmmVirtqueue *queue = vmm_virtio_get_queue (&balloon->virtio, vbal_stats_index (balloon));

      vmm_virtqueue_push (queue, &balloon->stats, 0);
      vmm_virtqueue_notify (queue);
      balloon->has_stats = FALSE;
    }
  vmm_device_unlock (dev);
  return TRUE;
}

/* === Life === */

static void
vbal_drop_stats (VirtioBalloon *balloon, gboolean keep)
{
  VmmVirtqueue *queue;

  if (!balloon->has_stats)
    return;
  queue = vmm_virtio_get_queue (&balloon->virtio, 2);
  if (keep)
    vmm_virtqueue_unpop (queue, &balloon->stats);
  else
    vmm_virtqueue_drop (queue, &balloon->stats);
  balloon->has_stats = FALSE;
}

static void
vbal_reset_virtio (VmmVirtio *virtio)
{
  VirtioBalloon *balloon = (VirtioBalloon *) virtio;

  vbal_drop_stats (balloon, FALSE);
  balloon->regs = (VbalRegs) { 0 };
  vmm_virtio_config_put (virtio, VBAL_CFG_ACTUAL, 4, 0);
}

static const VmmVirtioOps vbal_ops = {
  .handle_queue = vbal_handle_queue,
  .reset = vbal_reset_virtio,
};

static void
vbal_quiesce (VmmDevice *dev)
{
  vmm_virtio_quiesce (dev);
  vmm_device_lock (dev);
  vbal_drop_stats ((VirtioBalloon *) dev, TRUE);
  vmm_device_unlock (dev);
}

static gboolean
vbal_realize (VmmDevice *dev, GError **error)
{
  VirtioBalloon *balloon = (VirtioBalloon *) dev;
  VmmVirtioParams params = {
    .device_id = VMM_VIRTIO_ID_BALLOON,
    .pci_class = 0x00ff00,
    .devfn = -1,
    .n_queues = 4,
    .queue_size = VBAL_QUEUE_SIZE,
    .features = VMM_VIRTIO_F (VBAL_F_STATS) | VMM_VIRTIO_F (VBAL_F_DEFLATE_ON_OOM),
    .config_size = VBAL_CFG_SIZE,
  };

  if (vmm_machine_find_class (dev->machine, "virtio-balloon") != NULL)
    {
      g_set_error_literal (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "a machine has one memory balloon at most");
      return FALSE;
    }
  if (vmm_device_get_bool (dev, "reporting"))
    params.features |= VMM_VIRTIO_F (VBAL_F_REPORTING);
  if (!vmm_virtio_init (&balloon->virtio, &vbal_ops, &params, error))
    return FALSE;
  memset (balloon->virtio.config_mask + VBAL_CFG_ACTUAL, 0xff, 4);
  vbal_set_target (balloon, (guint64) vmm_device_get_int (dev, "target") << 20);
  return TRUE;
}

static void
vbal_unrealize (VmmDevice *dev)
{
  VirtioBalloon *balloon = (VirtioBalloon *) dev;

  vmm_virtio_stop (&balloon->virtio);
  vmm_virtio_element_clear (&balloon->stats);
  vmm_virtio_clear (&balloon->virtio);
}

const VmmDeviceClass vmm_virtio_balloon_class = {
  .name = "virtio-balloon",
  .summary = N_ ("Memory balloon (virtio)"),
  .description = N_ ("Lets the guest give memory that it does not use back to this computer."),
  .bus = VMM_DEVICE_PCI,
  .user_creatable = TRUE,
  .instance_size = sizeof (VirtioBalloon),
  .settings = vbal_settings,
  .regs_offset = G_STRUCT_OFFSET (VirtioBalloon, regs),
  .regs_size = sizeof (VbalRegs),
  .regs_fields = vbal_fields,
  .state_version = 1,
  .realize = vbal_realize,
  .reset = vmm_virtio_reset,
  .quiesce = vbal_quiesce,
  .resume = vmm_virtio_resume,
  .post_load = vmm_virtio_post_load,
  .unrealize = vbal_unrealize,
};
