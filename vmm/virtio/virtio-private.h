/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Between the rings (virtqueue.c) and the transport (virtio-pci.c). */
#pragma once

#include "virtio/virtio.h"

struct _VmmVirtqueue {
  VmmVirtio *virtio;
  guint index;
  int kick_fd;
  guint8 *desc, *avail, *used; /* (nullable) host addresses of the rings, while enabled */
  guint outstanding;           /* elements popped and not given back */
  guint budget;                /* elements that one handle_queue may still pop */
  gboolean starved;            /* it wanted more */
  gboolean kicks_off;          /* used.flags says so */
  gboolean pushed;             /* since the last notify */

  /* Served by somebody outside */
  gboolean given;
  gboolean direct; /* the call descriptor is an irqfd now */
  VmmMsiRoute *route;
};

/* virtqueue.c; lock held */

/* Finds the rings of an enabled queue in RAM. FALSE: they are not all there. */
gboolean _vmm_virtqueue_map (VmmVirtqueue *queue);
/* The queue's start values; what is outstanding is forgotten. */
void _vmm_virtqueue_reset (VmmVirtqueue *queue);

/* virtio-pci.c; lock held */

/* Interrupts for a queue. */
void _vmm_virtio_raise (VmmVirtqueue *queue);
