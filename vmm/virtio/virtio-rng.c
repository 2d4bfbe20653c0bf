/* SPDX-License-Identifier: GPL-3.0-or-later */
/* virtio entropy device.
 * Spec: VIRTIO 1.2 §5.4. One queue; no features, no configuration.
 *
 * Theory of operation: bytes of the host's getrandom() go straight into the guest's buffers, at most 4 KiB a buffer (a driver has to take
 * less than it asked for). With a limit, a bucket that holds a tenth of a second's bytes is filled by the machine's clock; when it is empty
 * the buffer stays in the ring and a timer looks again. */
#include "core/clock.h"
#include "virtio/virtio.h"

#include <errno.h>
#include <sys/random.h>

#define VRNG_QUEUE_SIZE 64
#define VRNG_MAX_BYTES 4096
#define VRNG_BUCKET_NS (100 * 1000 * 1000)
#define VRNG_NS_PER_S G_GINT64_CONSTANT (1000000000)

typedef struct {
  VmmVirtio virtio;
  VmmTimer timer;
  gint64 rate;      /* bytes a second; 0: no limit */
  gint64 filled_ns; /* clock up to which the bucket was filled */
  gint64 bucket;    /* bytes */
} VirtioRng;

static const VmmSetting vrng_settings[] = {
  { "rate", VMM_SETTING_INT, "0", 0, 1 << 30, NULL, N_ ("Bytes a second that the guest may take, 0 for no limit"),
    VMM_SETTING_NONE },
  { NULL },
};

/* How much may go out now. */
static gsize
vrng_allowance (VirtioRng *rng)
{
  gint64 now = vmm_clock_now (vmm_device_get_clock (&rng->virtio.pci.base));
  gint64 capacity = MAX (rng->rate / 10, 1), gained;

  if (rng->rate == 0)
    return VRNG_MAX_BYTES;
  gained = MIN (now - rng->filled_ns, VRNG_NS_PER_S) * rng->rate / VRNG_NS_PER_S;
  if (gained > 0)
    {
      rng->bucket = MIN (rng->bucket + gained, capacity);
      rng->filled_ns = now;
    }
  return (gsize) MIN (rng->bucket, VRNG_MAX_BYTES);
}

static gsize
vrng_fill (const VmmVirtioElement *element, gsize max)
{
  gsize done = 0;

  for (guint i = 0; i < element->n_in && done < max; i++)
    {
      const struct iovec *piece = &element->iov[element->n_out + i];
      gsize want = MIN (piece->iov_len, max - done), got = 0;

      while (got < want)
        {
          gssize n = getrandom ((guint8 *) piece->iov_base + got, want - got, 0);

          if (n < 0 && errno == EINTR)
            continue;
          if (n <= 0)
            return done + got;
          got += (gsize) n;
        }
      done += got;
    }
  return done;
}

static void
vrng_handle_queue (VmmVirtio *virtio, guint index)
{
  VirtioRng *rng = (VirtioRng *) virtio;
  VmmVirtqueue *queue = vmm_virtio_get_queue (virtio, index);
  VmmVirtioElement element = { 0 };

  while (vmm_virtqueue_pop (queue, &element))
    {
      gsize max = vrng_allowance (rng), n;

      if (max == 0)
        {
          gint64 wait = MAX (VRNG_NS_PER_S / rng->rate, VRNG_BUCKET_NS / 10);

          vmm_virtqueue_unpop (queue, &element);
          vmm_timer_arm (&rng->timer, vmm_clock_now (vmm_device_get_clock (&virtio->pci.base)) + wait);
          break;
        }
      n = vrng_fill (&element, max);
      if (rng->rate != 0)
        rng->bucket -= (gint64) n;
      vmm_virtqueue_push (queue, &element, (guint32) n);
    }
  vmm_virtqueue_notify (queue);
  vmm_virtio_element_clear (&element);
}

static void
vrng_on_timer (VmmDevice *dev, gpointer data)
{
  vmm_virtqueue_kick (vmm_virtio_get_queue ((VmmVirtio *) dev, 0));
}

static void
vrng_reset (VmmVirtio *virtio)
{
  vmm_timer_disarm (&((VirtioRng *) virtio)->timer);
}

static const VmmVirtioOps vrng_ops = {
  .handle_queue = vrng_handle_queue,
  .reset = vrng_reset,
};

static gboolean
vrng_realize (VmmDevice *dev, GError **error)
{
  VirtioRng *rng = (VirtioRng *) dev;
  const VmmVirtioParams params = {
    .device_id = VMM_VIRTIO_ID_ENTROPY,
    .pci_class = 0x00ff00,
    .devfn = -1,
    .n_queues = 1,
    .queue_size = VRNG_QUEUE_SIZE,
  };

  rng->rate = vmm_device_get_int (dev, "rate");
  rng->bucket = MAX (rng->rate / 10, 1);
  vmm_timer_init (&rng->timer, dev, vrng_on_timer, NULL);
  return vmm_virtio_init (&rng->virtio, &vrng_ops, &params, error);
}

static void
vrng_unrealize (VmmDevice *dev)
{
  VirtioRng *rng = (VirtioRng *) dev;

  vmm_virtio_stop (&rng->virtio);
  vmm_timer_clear (&rng->timer);
  vmm_virtio_clear (&rng->virtio);
}

const VmmDeviceClass vmm_virtio_rng_class = {
  .name = "virtio-rng",
  .summary = N_ ("Source of random numbers (virtio)"),
  .description = N_ ("Gives the guest good random numbers from this computer, so that it starts without waiting for them."),
  .bus = VMM_DEVICE_PCI,
  .user_creatable = TRUE,
  .instance_size = sizeof (VirtioRng),
  .settings = vrng_settings,
  .state_version = 1,
  .realize = vrng_realize,
  .reset = vmm_virtio_reset,
  .quiesce = vmm_virtio_quiesce,
  .resume = vmm_virtio_resume,
  .post_load = vmm_virtio_post_load,
  .unrealize = vrng_unrealize,
};
