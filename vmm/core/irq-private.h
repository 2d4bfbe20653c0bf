/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "core/irq.h"

typedef struct {
  guint64 address;
  guint32 data;
} VmmIrqMsi;

VmmIrq *vmm_irq_new (VmmKvm *kvm); /* @kvm: (nullable) (not owned): NULL records instead */
void vmm_irq_free (VmmIrq *irq);

/* The recorder; for tests. */
gboolean vmm_irq_get_level (VmmIrq *irq, guint gsi);
guint vmm_irq_get_rises (VmmIrq *irq, guint gsi);
guint vmm_irq_get_msis (VmmIrq *irq, guint index, VmmIrqMsi *ret_msi); /* Returns: how many there are */
