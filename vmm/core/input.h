/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where keys and pointer events go: the public calls queue onto the iothread, which calls the device with its lock held. */
#pragma once

#include "core/types.h"

typedef struct {
  void (*key) (VmmDevice *dev, guint evdev_code, gboolean down);
  void (*motion) (VmmDevice *dev, int dx, int dy);
  void (*button) (VmmDevice *dev, guint evdev_code, gboolean down);
  void (*wheel) (VmmDevice *dev, int dy);
  void (*position) (VmmDevice *dev, int x, int y);                          /* 0…32767; NULL: no absolute pointer */
  void (*touch) (VmmDevice *dev, guint slot, VmmTouch touch, int x, int y); /* 0…32767; NULL: no touch screen */
} VmmInputOps;

/* In realize. Of several keyboards (pointers) the last added that is active gets the events. */
void vmm_input_add (VmmDevice *dev, const VmmInputOps *ops);
void vmm_input_remove (VmmDevice *dev); /* in unrealize */
/* A driver in the guest started or stopped using the device. Lock held or not. */
void vmm_input_set_active (VmmDevice *dev, gboolean active);
