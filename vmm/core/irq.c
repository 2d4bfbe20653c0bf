/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Theory of operation: a line counts the pins that hold it up; the kernel hears of it when the OR changes. The GSI routing table is one
 * array (KVM replaces it whole): PIC and I/O APIC entries first, then one MSI entry per route. Spec: contract 3.4, 3.5; KVM API 4.25, 4.52. */
#include "core/irq.h"

#include "core/irq-private.h"
#include "core/kvm.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define IRQ_MAX_ROUTES 1024

struct _VmmMsiRoute {
  VmmIrq *irq;
  int eventfd;
  guint gsi;
  guint64 address;
  guint32 data;
  gboolean enabled;
};

struct _VmmIrq {
  VmmKvm *kvm; /* (nullable) */
  GMutex lock;
  guint level_count[VMM_IRQ_MAX_GSI];
  guint rises[VMM_IRQ_MAX_GSI]; /* recorder, without KVM */
  GArray *msis;                 /* VmmIrqMsi; recorder, without KVM */
  GPtrArray *routes;            /* VmmMsiRoute or NULL, by gsi - VMM_IRQ_MAX_GSI */
};

static void
irq_push_routing (VmmIrq *irq)
{
  g_autofree VmmKvmRoute *table = NULL;
  guint n = 0;

  if (irq->kvm == NULL)
    return;
  table = g_new0 (VmmKvmRoute, VMM_IRQ_MAX_GSI * 2 + irq->routes->len);
  for (guint gsi = 0; gsi < 16; gsi++)
    if (gsi != 2)
      table[n++] = (VmmKvmRoute) { .gsi = gsi, .chip = gsi < 8 ? VMM_KVM_CHIP_PIC_MASTER : VMM_KVM_CHIP_PIC_SLAVE, .pin = gsi & 7 };
  /* The MADT overrides ISA IRQ 0 to I/O APIC pin 2. */
  for (guint gsi = 0; gsi < VMM_IRQ_MAX_GSI; gsi++)
    if (gsi != 2)
      table[n++] = (VmmKvmRoute) { .gsi = gsi, .chip = VMM_KVM_CHIP_IOAPIC, .pin = gsi == 0 ? 2 : gsi };
  for (guint i = 0; i < irq->routes->len; i++)
    {
      VmmMsiRoute *route = irq->routes->pdata[i];

      if (route != NULL && route->enabled)
        table[n++] = (VmmKvmRoute) { .gsi = route->gsi, .chip = VMM_KVM_CHIP_MSI, .address = route->address, .data = route->data };
    }
  vmm_kvm_set_routing (irq->kvm, table, n);
}

VmmIrq *
vmm_irq_new (VmmKvm *kvm)
{
  VmmIrq *irq = g_new0 (VmmIrq, 1);

  irq->kvm = kvm;
  g_mutex_init (&irq->lock);
  irq->msis = g_array_new (FALSE, FALSE, sizeof (VmmIrqMsi));
  irq->routes = g_ptr_array_new ();
  irq_push_routing (irq);
  return irq;
}

void
vmm_irq_free (VmmIrq *irq)
{
  if (irq == NULL)
    return;
  g_array_unref (irq->msis);
  g_ptr_array_unref (irq->routes);
  g_mutex_clear (&irq->lock);
  g_free (irq);
}

void
vmm_irq_pin_init (VmmIrqPin *pin, VmmIrq *irq, guint gsi)
{
  g_assert (gsi < VMM_IRQ_MAX_GSI);
  *pin = (VmmIrqPin) { .irq = irq, .gsi = gsi };
}

gboolean
vmm_irq_pin_set (VmmIrqPin *pin, gboolean level)
{
  VmmIrq *irq = pin->irq;
  gboolean delivered = TRUE;

  level = level != FALSE;
  g_mutex_lock (&irq->lock);
  if (pin->level != level)
    {
      guint *count = &irq->level_count[pin->gsi];
      guint before = *count;

      pin->level = level;
      *count += level ? 1 : -1;
      if ((before == 0) != (*count == 0))
        {
          if (level)
            irq->rises[pin->gsi]++;
          if (irq->kvm != NULL)
            delivered = vmm_kvm_irq_line (irq->kvm, pin->gsi, level);
        }
    }
  g_mutex_unlock (&irq->lock);
  return delivered;
}

gboolean
vmm_irq_pin_pulse (VmmIrqPin *pin)
{
  gboolean delivered;

  vmm_irq_pin_set (pin, FALSE);
  delivered = vmm_irq_pin_set (pin, TRUE);
  vmm_irq_pin_set (pin, FALSE);
  return delivered;
}

void
vmm_irq_signal_msi (VmmIrq *irq, guint64 address, guint32 data)
{
  if (irq->kvm != NULL)
    vmm_kvm_signal_msi (irq->kvm, address, data);
  else
    {
      VmmIrqMsi msi = { address, data };

      g_mutex_lock (&irq->lock);
      g_array_append_val (irq->msis, msi);
      g_mutex_unlock (&irq->lock);
    }
}

VmmMsiRoute *
vmm_msi_route_new (VmmIrq *irq, GError **error)
{
  VmmMsiRoute *route;
  int fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  guint index;

  if (fd < 0)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "cannot make an interrupt descriptor: %s", g_strerror (errno));
      return NULL;
    }
  g_mutex_lock (&irq->lock);
  if (!g_ptr_array_find (irq->routes, NULL, &index))
    {
      index = irq->routes->len;
      g_ptr_array_add (irq->routes, NULL);
    }
  route = g_new0 (VmmMsiRoute, 1);
  *route = (VmmMsiRoute) { .irq = irq, .eventfd = fd, .gsi = VMM_IRQ_MAX_GSI + index };
  if (index < IRQ_MAX_ROUTES)
    irq->routes->pdata[index] = route;
  g_mutex_unlock (&irq->lock);
  if (index >= IRQ_MAX_ROUTES)
    {
      g_set_error_literal (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED, "too many interrupt vectors");
      close (fd);
      g_clear_pointer (&route, g_free);
    }
  return route;
}

int
vmm_msi_route_get_eventfd (VmmMsiRoute *route)
{
  return route->eventfd;
}

void
vmm_msi_route_set (VmmMsiRoute *route, guint64 address, guint32 data, gboolean enabled)
{
  VmmIrq *irq = route->irq;

  g_mutex_lock (&irq->lock);
  if (route->enabled && !enabled && irq->kvm != NULL)
    vmm_kvm_set_irqfd (irq->kvm, route->eventfd, route->gsi, FALSE);
  if (route->enabled != enabled || (enabled && (route->address != address || route->data != data)))
    {
      gboolean was = route->enabled;

      route->address = address;
      route->data = data;
      route->enabled = enabled;
      irq_push_routing (irq);
      if (enabled && !was && irq->kvm != NULL)
        vmm_kvm_set_irqfd (irq->kvm, route->eventfd, route->gsi, TRUE);
    }
  g_mutex_unlock (&irq->lock);
}

void
vmm_msi_route_free (VmmMsiRoute *route)
{
  if (route == NULL)
    return;
  vmm_msi_route_set (route, 0, 0, FALSE);
  g_mutex_lock (&route->irq->lock);
  route->irq->routes->pdata[route->gsi - VMM_IRQ_MAX_GSI] = NULL;
  g_mutex_unlock (&route->irq->lock);
  close (route->eventfd);
  g_free (route);
}

gboolean
vmm_irq_get_level (VmmIrq *irq, guint gsi)
{
  gboolean level;

  g_mutex_lock (&irq->lock);
  level = irq->level_count[gsi] > 0;
  g_mutex_unlock (&irq->lock);
  return level;
}

guint
vmm_irq_get_rises (VmmIrq *irq, guint gsi)
{
  guint rises;

  g_mutex_lock (&irq->lock);
  rises = irq->rises[gsi];
  g_mutex_unlock (&irq->lock);
  return rises;
}

guint
vmm_irq_get_msis (VmmIrq *irq, guint index, VmmIrqMsi *ret_msi)
{
  guint n;

  g_mutex_lock (&irq->lock);
  n = irq->msis->len;
  if (ret_msi != NULL && index < n)
    *ret_msi = g_array_index (irq->msis, VmmIrqMsi, index);
  g_mutex_unlock (&irq->lock);
  return n;
}
