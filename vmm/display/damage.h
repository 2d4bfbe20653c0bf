/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A few rectangles that together cover what changed. Never more than VMM_FRAME_MAX_RECTS, never overlapping: when there is no room
 * left, those two are joined that waste the least. */
#pragma once

#include "core/types.h"

typedef struct {
  guint n_rects;
  VmmRect rects[VMM_FRAME_MAX_RECTS];
} VmmDamage;

/* Adds a rectangle of at least one pixel. */
void vmm_damage_add (VmmDamage *damage, VmmRect rect);
