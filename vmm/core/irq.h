/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Interrupts into the in-kernel chips. Safe from any thread, with any device lock held; takes no lock above itself. */
#pragma once

#include "core/types.h"

/* One source on a line. Several sources share a GSI: the line is the OR of them. */
struct _VmmIrqPin {
  VmmIrq *irq;
  guint gsi;
  gboolean level;
};

#define VMM_IRQ_MAX_GSI 24 /* GSI 0-15 also reach the PIC, 16-23 the I/O APIC alone; MSI routes come after */

void vmm_irq_pin_init (VmmIrqPin *pin, VmmIrq *irq, guint gsi);
/* Returns: FALSE if a rising edge was lost because the same interrupt is still pending (coalesced), else TRUE. */
gboolean vmm_irq_pin_set (VmmIrqPin *pin, gboolean level);
/* Edge-triggered ISA interrupts: up and down. Same result. */
gboolean vmm_irq_pin_pulse (VmmIrqPin *pin);

/* Message-signalled interrupt, delivered at once. */
void vmm_irq_signal_msi (VmmIrq *irq, guint64 address, guint32 data);

/* A route for an irqfd: eventfd -> MSI without leaving the kernel. */
VmmMsiRoute *vmm_msi_route_new (VmmIrq *irq, GError **error);
int vmm_msi_route_get_eventfd (VmmMsiRoute *route);
void vmm_msi_route_set (VmmMsiRoute *route, guint64 address, guint32 data, gboolean enabled);
void vmm_msi_route_free (VmmMsiRoute *route);
