/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A byte stream between a device (serial port, later virtio-console) and the host: log file, attached sockets. Never makes the
 * guest wait: output that nobody takes is kept in the replay buffer (64 KiB) and the log (rotated at 16 MiB). */
#pragma once

#include "core/types.h"

/* How much the device can take now: 0…n bytes. Iothread, device's lock held. */
typedef gsize (*VmmChannelReceive) (VmmDevice *dev, const guint8 *data, gsize len);

/* In realize; named after the device's id. */
VmmChannel *vmm_channel_new (VmmDevice *dev, VmmChannelReceive receive, GError **error);
void vmm_channel_free (VmmChannel *channel); /* in unrealize */
/* Guest output. Device's lock held; never blocks. */
void vmm_channel_write (VmmChannel *channel, const guint8 *data, gsize len);
/* The device has room again: input that it did not take is offered anew. Device's lock held. */
void vmm_channel_accept (VmmChannel *channel);
