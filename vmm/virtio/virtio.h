/* SPDX-License-Identifier: GPL-3.0-or-later */
/* virtio over PCI: what a device (virtio-blk, -net, -gpu …) builds on. The transport (virtio-pci.c) does registers, features, interrupts
 * and notifications; virtqueue.c does rings. A device is an instance that starts with VmmVirtio, one VmmVirtioOps, and its class.
 * Spec: VIRTIO 1.2 §2 (queues), §3 (initialisation), §4.1 (PCI); contract 7.2.
 *
 * Threads: the device is a monitor as any other. A driver's kick arrives by ioeventfd at the device's iothread, which takes the device's
 * lock and calls handle_queue. Every call here is made with the device's lock held unless it says otherwise.
 *
 *   typedef struct { VmmVirtio virtio; FooRegs regs; … } Foo;
 *   realize:   vmm_virtio_init (v, &foo_ops, &params, error); config and features; on a later failure vmm_virtio_clear (v)
 *   unrealize: vmm_virtio_stop (v); free what handle_queue uses; vmm_virtio_clear (v)
 *   class:     .bus = VMM_DEVICE_PCI, .reset = vmm_virtio_reset, .quiesce = vmm_virtio_quiesce, .resume = vmm_virtio_resume,
 *              .post_load = vmm_virtio_post_load; a device with more to do has its own that call these first. */
#pragma once

#include "pci/pci.h"

#include <sys/uio.h>

#define VMM_VIRTIO_MAX_QUEUES 64
#define VMM_VIRTIO_MAX_QUEUE_SIZE 1024
#define VMM_VIRTIO_MAX_CHAIN 1024 /* descriptors of one element, indirect ones counted */
#define VMM_VIRTIO_CONFIG_SIZE 256
#define VMM_VIRTIO_NO_VECTOR 0xffff

/* Device types, §5 */
#define VMM_VIRTIO_ID_NET 1
#define VMM_VIRTIO_ID_BLOCK 2
#define VMM_VIRTIO_ID_CONSOLE 3
#define VMM_VIRTIO_ID_ENTROPY 4
#define VMM_VIRTIO_ID_BALLOON 5
#define VMM_VIRTIO_ID_GPU 16
#define VMM_VIRTIO_ID_INPUT 18
#define VMM_VIRTIO_ID_VSOCK 19
#define VMM_VIRTIO_ID_SOUND 25
#define VMM_VIRTIO_ID_FS 26

/* Features are bit numbers; masks by VMM_VIRTIO_F(). Those of the transport (§6) are offered for every device. */
#define VMM_VIRTIO_F(bit) (G_GUINT64_CONSTANT (1) << (bit))
#define VMM_VIRTIO_F_INDIRECT_DESC 28
#define VMM_VIRTIO_F_EVENT_IDX 29
#define VMM_VIRTIO_F_VERSION_1 32

/* Device status, §2.1 */
#define VMM_VIRTIO_ACKNOWLEDGE 0x01
#define VMM_VIRTIO_DRIVER 0x02
#define VMM_VIRTIO_DRIVER_OK 0x04
#define VMM_VIRTIO_FEATURES_OK 0x08
#define VMM_VIRTIO_NEEDS_RESET 0x40
#define VMM_VIRTIO_FAILED 0x80

typedef struct _VmmVirtio VmmVirtio;
typedef struct _VmmVirtqueue VmmVirtqueue;

/* === Elements: what a driver gives at once === */

/**
 * VmmVirtioElement:
 * A chain of buffers, taken from a queue and to be given back once. Zero-initialise; the vector is kept from pop to pop and freed by
 * vmm_virtio_element_clear(). iov[0 … n_out) is for the device to read, iov[n_out … n_out + n_in) to write; all lie in guest RAM, checked,
 * without empty pieces. The guest may change what is in them at any time: copy before checking.
 */
typedef struct {
  struct iovec *iov; /* (owned) (nullable) */
  guint n_out, n_in;
  gsize out_bytes, in_bytes;

  /* virtqueue.c's own */
  guint iov_size;
  guint generation;
  guint16 head;
} VmmVirtioElement;

/* Copies from the readable (to the writable) part, @offset bytes from its start. Returns: bytes; less than @len where the part ends. */
gsize vmm_virtio_element_read (const VmmVirtioElement *element, gsize offset, gpointer buf, gsize len);
gsize vmm_virtio_element_write (const VmmVirtioElement *element, gsize offset, gconstpointer buf, gsize len);
/* Any thread, no lock needed. */
void vmm_virtio_element_clear (VmmVirtioElement *element);

/* Pieces of vectors, for headers that stand before (behind) data: a view of [offset, offset + len) of @iov into @ret, which has room for
 * @n_ret pieces. Returns: pieces used. */
guint vmm_virtio_iov_slice (const struct iovec *iov, guint n_iov, gsize offset, gsize len, struct iovec *ret, guint n_ret);

/* === Queues === */

/**
 * vmm_virtqueue_pop:
 * Takes the next element. FALSE: there is none (a kick comes when there is), the driver has not started the device, the device is quiesced
 * or broken, or (inside handle_queue) it has had its turn and is called again soon. A driver that lies breaks the device (NEEDS_RESET).
 */
gboolean vmm_virtqueue_pop (VmmVirtqueue *queue, VmmVirtioElement *element);
/* Puts back the element that was popped last (a packet did not fit, say): the next pop gives it again. */
void vmm_virtqueue_unpop (VmmVirtqueue *queue, VmmVirtioElement *element);
/* Gives an element back; @written: bytes that were written from the start of its writable part. The driver sees it at once, but hears of it
 * only by vmm_virtqueue_notify(). Elements of before a reset are dropped. Any order. */
void vmm_virtqueue_push (VmmVirtqueue *queue, VmmVirtioElement *element, guint32 written);
/* Drops an element that the driver never gets back: from ops->reset, for what the device holds. */
void vmm_virtqueue_drop (VmmVirtqueue *queue, VmmVirtioElement *element);
/* Interrupts the driver if it wants to hear of what was pushed since the last time. Once a batch. */
void vmm_virtqueue_notify (VmmVirtqueue *queue);
/* Is there anything to pop? Asks for no kick. */
gboolean vmm_virtqueue_is_empty (VmmVirtqueue *queue);
/* handle_queue is called soon, as if the driver had kicked: for a device that left elements in the ring. Any thread, lock or not. */
void vmm_virtqueue_kick (VmmVirtqueue *queue);
guint vmm_virtqueue_get_index (VmmVirtqueue *queue);
/* TRUE once the driver enabled it and set DRIVER_OK, until a reset. */
gboolean vmm_virtqueue_is_live (VmmVirtqueue *queue);

/* === The device === */

/* Guest-visible state of the transport, saved beside the device's own regs (as VmmPciRegs are). */
typedef struct {
  guint64 desc, avail, used; /* guest physical */
  guint16 size;
  guint16 vector;
  guint16 enable;
  guint16 last_avail; /* next entry of the available ring to take */
  guint16 used_idx;   /* next entry of the used ring to fill */
  guint16 signalled;  /* used_idx when the driver was last interrupted */
  guint16 signalled_valid;
  guint16 padding;
} VmmVirtqueueRegs;

typedef struct {
  guint64 driver_features;
  guint32 device_feature_select, driver_feature_select;
  guint16 config_vector, queue_select;
  guint8 status;
  guint8 generation; /* of the configuration, §2.5 */
  guint8 isr;
  guint8 resetting; /* the driver wrote status 0, but something is in flight */
  guint8 config[VMM_VIRTIO_CONFIG_SIZE];
  VmmVirtqueueRegs queue[VMM_VIRTIO_MAX_QUEUES];
} VmmVirtioRegs;

extern const VmmField vmm_virtio_regs_fields[];

typedef struct {
  /* The driver kicked queue @index: pop until FALSE. Device's iothread, lock held; only between start and reset. */
  void (*handle_queue) (VmmVirtio *virtio, guint index);
  /* (nullable) Before the driver reads its configuration: bring virtio->regs.config up to date. */
  void (*config_reading) (VmmVirtio *virtio);
  /* (nullable) The driver wrote bytes that virtio->config_mask lets it. */
  void (*config_written) (VmmVirtio *virtio, guint offset, guint size);
  /* (nullable) FALSE refuses a combination of features (which is a part of what was offered, with VERSION_1). */
  gboolean (*check_features) (VmmVirtio *virtio, guint64 features);
  /* (nullable) DRIVER_OK: features are settled, queues are live. vCPU thread (also after a load: control thread). Must not block. */
  void (*start) (VmmVirtio *virtio);
  /* (nullable) The driver reset the device, or the machine was reset: registers to their start values, held elements dropped. What is in
   * flight may still be pushed: a driver's reset is over only then. Also called before the first start. Must not block. */
  void (*reset) (VmmVirtio *virtio);
} VmmVirtioOps;

typedef struct {
  guint16 device_id;     /* VMM_VIRTIO_ID_… */
  guint32 pci_class;     /* 24 bits */
  int devfn;             /* -1: lowest free place */
  guint n_queues;        /* greatest number; get_queue (0 … n_queues - 1) */
  guint16 queue_size;    /* of every queue; power of two, at most VMM_VIRTIO_MAX_QUEUE_SIZE */
  guint64 features;      /* the device's own, without those of the transport */
  guint config_size;     /* bytes of regs.config that exist */
  VmmIoThread *iothread; /* (nullable) (not owned): the machine's */
} VmmVirtioParams;

struct _VmmVirtio {
  VmmPciDevice pci;
  VmmVirtioRegs regs;
  const VmmVirtioOps *ops;
  VmmIoThread *iothread;
  guint64 features;                           /* offered */
  guint8 config_mask[VMM_VIRTIO_CONFIG_SIZE]; /* bits of regs.config that the driver may write; set in realize */
  guint config_size;
  guint n_queues;
  guint16 max_queue_size;

  /* virtio-pci.c's own */
  VmmVirtqueue *queues; /* (owned) (array length=n_queues) */
  guint holds;          /* elements that the device has, and vmm_virtio_hold() */
  guint generation;     /* of elements */
  gboolean quiesced, stopped, resetting_now;
  guint64 notify_base; /* where ioeventfds are registered, or G_MAXUINT64 */
};

/**
 * vmm_virtio_init:
 * First in realize: takes a place on the PCI bus, makes BARs, capabilities, queues. Control thread, without the lock.
 */
gboolean vmm_virtio_init (VmmVirtio *virtio, const VmmVirtioOps *ops, const VmmVirtioParams *params, GError **error);
/* First in unrealize, without the lock: no handle_queue runs after it. */
void vmm_virtio_stop (VmmVirtio *virtio);
/* Last in unrealize (or in a realize that fails after init), without the lock. Stops if that was not done. */
void vmm_virtio_clear (VmmVirtio *virtio);

/* For the class table. */
void vmm_virtio_reset (VmmDevice *dev, VmmResetKind kind);
/* No handle_queue after it; a device with I/O in flight waits for that itself, after this call. */
void vmm_virtio_quiesce (VmmDevice *dev);
/* Every live queue is kicked. */
void vmm_virtio_resume (VmmDevice *dev);
gboolean vmm_virtio_post_load (VmmDevice *dev, GError **error);

VmmVirtqueue *vmm_virtio_get_queue (VmmVirtio *virtio, guint index);
/* Does the driver use this feature? False before FEATURES_OK. */
gboolean vmm_virtio_has_feature (VmmVirtio *virtio, guint bit);
/* DRIVER_OK and not broken. */
gboolean vmm_virtio_is_live (VmmVirtio *virtio);
gboolean vmm_virtio_is_quiesced (VmmVirtio *virtio);
/* After a change of regs.config that the driver did not make: new generation, configuration interrupt. */
void vmm_virtio_config_changed (VmmVirtio *virtio);
/* The driver broke the protocol beyond what can be answered: counted and logged, NEEDS_RESET, the queues stand still until a reset. */
void vmm_virtio_fail (VmmVirtio *virtio, const char *format, ...) G_GNUC_PRINTF (2, 3);
/* Something outside (a back end that has the queues) must end before a reset is over. Released on any thread, lock held. */
void vmm_virtio_hold (VmmVirtio *virtio);
void vmm_virtio_release (VmmVirtio *virtio);

/* Little-endian fields of regs.config. */
void vmm_virtio_config_put (VmmVirtio *virtio, guint offset, guint size, guint64 value);
guint64 vmm_virtio_config_get (VmmVirtio *virtio, guint offset, guint size);

/* === Queues that somebody else serves: vhost in the kernel, vhost-user === */

typedef struct {
  guint64 desc, avail, used; /* guest physical */
  guint16 size;
  guint16 last_avail; /* where to go on */
  guint16 used_idx;
} VmmVirtqueueLayout;

void vmm_virtqueue_get_layout (VmmVirtqueue *queue, VmmVirtqueueLayout *ret_layout);
/**
 * vmm_virtqueue_give:
 * From now on somebody outside reads the kick descriptor and signals the call descriptor, which reaches the guest by irqfd while the
 * driver's vector is unmasked and through the iothread otherwise. handle_queue is not called. From ops->start or later.
 * Errors: _HOST, _UNSUPPORTED: no route left.
 */
gboolean vmm_virtqueue_give (VmmVirtqueue *queue, int *ret_kick_fd, int *ret_call_fd, GError **error);
/* It is ours again (it stopped at @last_avail). From ops->reset or a quiesce, after the outside has let go. */
void vmm_virtqueue_take_back (VmmVirtqueue *queue, guint16 last_avail);
