/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/kvm.h"

#include "core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Where KVM keeps its own pages: below SeaBIOS and the flash of OVMF (contract 1.1). */
#define KVM_IDENTITY_MAP 0xfeffc000u
#define KVM_TSS 0xfeffd000u
#define KVM_MAX_CPUID 256
#define KVM_N_CHIPS 3

struct _VmmKvm {
  int dev_fd, vm_fd;
  gsize run_size;
  guint max_vcpus;
  gboolean has_irq_status, has_readonly_mem;
  struct kvm_irqchip chips[KVM_N_CHIPS]; /* start state */
  struct kvm_pit_state2 pit;
  struct kvm_msr_list *msr_indices;
  struct kvm_coalesced_mmio_ring *ring; /* (nullable) lies in the first vCPU's run area */
  guint ring_max;
};

struct _VmmKvmVcpu {
  VmmKvm *kvm;
  int fd;
  guint apic_id;
  gboolean is_first;
  struct kvm_run *run;
  /* Start state. */
  struct kvm_regs regs;
  struct kvm_sregs sregs;
  struct kvm_fpu fpu;
  struct kvm_xsave *xsave; /* (nullable) */
  gsize xsave_size;
  struct kvm_xcrs xcrs;
  gboolean has_xcrs;
  struct kvm_debugregs debugregs;
  struct kvm_nested_state *nested; /* (nullable) */
  struct kvm_lapic_state lapic;
  struct kvm_vcpu_events events;
  struct kvm_mp_state mp_state;
  struct kvm_msrs *msrs;
};

static int
kvm_ioctl (int fd, unsigned long request, gpointer arg)
{
  int result;

  do
    result = ioctl (fd, request, arg);
  while (result < 0 && errno == EINTR);
  return result;
}

/* An ioctl whose argument is a number. */
static int
kvm_ioctl_n (int fd, unsigned long request, unsigned long arg)
{
  return kvm_ioctl (fd, request, (gpointer) arg); /* NOLINT: the kernel's interface */
}

static gboolean
kvm_failed (GError **error, const char *what)
{
  g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "KVM: %s: %s", what, g_strerror (errno));
  return FALSE;
}

int
vmm_kvm_open_device (GError **error)
{
  int fd = open ("/dev/kvm", O_RDWR | O_CLOEXEC);

  if (fd < 0)
    g_set_error (error, VMM_ERROR, VMM_ERROR_NO_KVM, "cannot open /dev/kvm: %s", g_strerror (errno));
  else if (kvm_ioctl_n (fd, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED, "/dev/kvm has another interface than version %d", KVM_API_VERSION);
      close (fd);
      fd = -1;
    }
  return fd;
}

static gboolean
kvm_make_chips (VmmKvm *kvm, GError **error)
{
  guint64 identity = KVM_IDENTITY_MAP;
  struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };

  if (kvm_ioctl (kvm->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0)
    return kvm_failed (error, "identity map");
  if (kvm_ioctl_n (kvm->vm_fd, KVM_SET_TSS_ADDR, KVM_TSS) < 0)
    return kvm_failed (error, "task state segment");
  if (kvm_ioctl_n (kvm->vm_fd, KVM_CREATE_IRQCHIP, 0) < 0)
    return kvm_failed (error, "interrupt controllers");
  if (kvm_ioctl (kvm->vm_fd, KVM_CREATE_PIT2, &pit) < 0)
    return kvm_failed (error, "interval timer");
  for (guint i = 0; i < KVM_N_CHIPS; i++)
    {
      kvm->chips[i].chip_id = i;
      if (kvm_ioctl (kvm->vm_fd, KVM_GET_IRQCHIP, &kvm->chips[i]) < 0)
        return kvm_failed (error, "reading the interrupt controllers");
    }
  if (kvm_ioctl (kvm->vm_fd, KVM_GET_PIT2, &kvm->pit) < 0)
    return kvm_failed (error, "reading the interval timer");
  return TRUE;
}

static gboolean
kvm_list_msrs (VmmKvm *kvm, GError **error)
{
  struct kvm_msr_list probe = { .nmsrs = 0 };

  if (kvm_ioctl (kvm->dev_fd, KVM_GET_MSR_INDEX_LIST, &probe) < 0 && errno != E2BIG)
    return kvm_failed (error, "list of MSRs");
  kvm->msr_indices = g_malloc0 (sizeof *kvm->msr_indices + probe.nmsrs * sizeof (guint32));
  kvm->msr_indices->nmsrs = probe.nmsrs;
  if (kvm_ioctl (kvm->dev_fd, KVM_GET_MSR_INDEX_LIST, kvm->msr_indices) < 0)
    return kvm_failed (error, "list of MSRs");
  return TRUE;
}

VmmKvm *
vmm_kvm_new (GError **error)
{
  static const struct {
    int capability;
    const char *name;
  } required[] = {
    { KVM_CAP_IRQCHIP, "in-kernel interrupt controllers" },
    { KVM_CAP_USER_MEMORY, "memory slots" },
    { KVM_CAP_PIT2, "in-kernel timer" },
    { KVM_CAP_EXT_CPUID, "CPUID" },
    { KVM_CAP_IRQ_ROUTING, "interrupt routing" },
    { KVM_CAP_IRQFD, "irqfd" },
    { KVM_CAP_IOEVENTFD, "ioeventfd" },
    { KVM_CAP_SIGNAL_MSI, "MSI" },
    { KVM_CAP_IMMEDIATE_EXIT, "immediate exit" },
    { KVM_CAP_READONLY_MEM, "read-only memory" },
  };
  VmmKvm *kvm = g_new0 (VmmKvm, 1);
  int size, n;

  kvm->vm_fd = -1;
  kvm->dev_fd = vmm_kvm_open_device (error);
  if (kvm->dev_fd < 0)
    goto failed;
  for (guint i = 0; i < G_N_ELEMENTS (required); i++)
    if (kvm_ioctl_n (kvm->dev_fd, KVM_CHECK_EXTENSION, (unsigned long) required[i].capability) <= 0)
      {
        g_set_error (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED, "this host's KVM lacks %s", required[i].name);
        goto failed;
      }

  kvm->vm_fd = kvm_ioctl_n (kvm->dev_fd, KVM_CREATE_VM, 0);
  if (kvm->vm_fd < 0)
    {
      kvm_failed (error, "new machine");
      goto failed;
    }
  /* A triple fault that a processor has yet to report is part of its state: a reset takes it away. Linux 6.1; before, it may come
   * after the reset. */
  (void) kvm_ioctl (kvm->vm_fd, KVM_ENABLE_CAP, &(struct kvm_enable_cap) { .cap = KVM_CAP_X86_TRIPLE_FAULT_EVENT, .args = { 1 } });
  size = kvm_ioctl_n (kvm->dev_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
  if (size < (int) sizeof (struct kvm_run))
    {
      kvm_failed (error, "size of a processor's area");
      goto failed;
    }
  kvm->run_size = (gsize) size;
  n = kvm_ioctl_n (kvm->dev_fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);
  kvm->max_vcpus = n > 0 ? (guint) n : 1;
  kvm->ring_max = (guint) ((4096 - sizeof (struct kvm_coalesced_mmio_ring)) / sizeof (struct kvm_coalesced_mmio));
  if (!kvm_make_chips (kvm, error) || !kvm_list_msrs (kvm, error))
    goto failed;
  return kvm;

failed:
  vmm_kvm_free (kvm);
  return NULL;
}

void
vmm_kvm_free (VmmKvm *kvm)
{
  if (kvm == NULL)
    return;
  if (kvm->vm_fd >= 0)
    close (kvm->vm_fd);
  if (kvm->dev_fd >= 0)
    close (kvm->dev_fd);
  g_free (kvm->msr_indices);
  g_free (kvm);
}

guint
vmm_kvm_get_max_vcpus (VmmKvm *kvm)
{
  return kvm->max_vcpus;
}

gboolean
vmm_kvm_check (VmmKvm *kvm, int capability)
{
  return kvm_ioctl_n (kvm->vm_fd, KVM_CHECK_EXTENSION, (unsigned long) capability) > 0;
}

gboolean
vmm_kvm_set_slot (VmmKvm *kvm, guint32 id, guint64 gpa, gsize size, gpointer host, gboolean readonly, gboolean log, GError **error)
{
  struct kvm_userspace_memory_region region = {
    .slot = id,
    .flags = (readonly ? KVM_MEM_READONLY : 0u) | (log ? KVM_MEM_LOG_DIRTY_PAGES : 0u),
    .guest_phys_addr = gpa,
    .memory_size = size,
    .userspace_addr = (guintptr) host,
  };

  return kvm_ioctl (kvm->vm_fd, KVM_SET_USER_MEMORY_REGION, &region) == 0 || kvm_failed (error, "memory slot");
}

gboolean
vmm_kvm_get_dirty_log (VmmKvm *kvm, guint32 id, guint64 *bitmap)
{
  struct kvm_dirty_log log = { .slot = id, .dirty_bitmap = bitmap };

  return kvm_ioctl (kvm->vm_fd, KVM_GET_DIRTY_LOG, &log) == 0;
}

gboolean
vmm_kvm_irq_line (VmmKvm *kvm, guint gsi, gboolean level)
{
  struct kvm_irq_level line = { .irq = gsi, .level = level };

  if (kvm_ioctl (kvm->vm_fd, KVM_IRQ_LINE_STATUS, &line) < 0)
    return TRUE;
  return (int) line.status != 0;
}

void
vmm_kvm_signal_msi (VmmKvm *kvm, guint64 address, guint32 data)
{
  struct kvm_msi msi = { .address_lo = (guint32) address, .address_hi = (guint32) (address >> 32), .data = data };

  kvm_ioctl (kvm->vm_fd, KVM_SIGNAL_MSI, &msi);
}

gboolean
vmm_kvm_set_routing (VmmKvm *kvm, const VmmKvmRoute *routes, guint n)
{
  g_autofree struct kvm_irq_routing *table = g_malloc0 (sizeof *table + n * sizeof (struct kvm_irq_routing_entry));

  table->nr = n;
  for (guint i = 0; i < n; i++)
    {
      struct kvm_irq_routing_entry *entry = &table->entries[i];

      entry->gsi = routes[i].gsi;
      if (routes[i].chip == VMM_KVM_CHIP_MSI)
        {
          entry->type = KVM_IRQ_ROUTING_MSI;
          entry->u.msi.address_lo = (guint32) routes[i].address;
          entry->u.msi.address_hi = (guint32) (routes[i].address >> 32);
          entry->u.msi.data = routes[i].data;
        }
      else
        {
          entry->type = KVM_IRQ_ROUTING_IRQCHIP;
          entry->u.irqchip.irqchip = routes[i].chip == VMM_KVM_CHIP_PIC_MASTER  ? KVM_IRQCHIP_PIC_MASTER
                                     : routes[i].chip == VMM_KVM_CHIP_PIC_SLAVE ? KVM_IRQCHIP_PIC_SLAVE
                                                                                : KVM_IRQCHIP_IOAPIC;
          entry->u.irqchip.pin = routes[i].pin;
        }
    }
  return kvm_ioctl (kvm->vm_fd, KVM_SET_GSI_ROUTING, table) == 0;
}

gboolean
vmm_kvm_set_irqfd (VmmKvm *kvm, int fd, guint gsi, gboolean assign)
{
  struct kvm_irqfd irqfd = { .fd = (guint32) fd, .gsi = gsi, .flags = assign ? 0 : KVM_IRQFD_FLAG_DEASSIGN };

  return kvm_ioctl (kvm->vm_fd, KVM_IRQFD, &irqfd) == 0;
}

gboolean
vmm_kvm_set_ioeventfd (VmmKvm *kvm, gboolean is_pio, guint64 addr, guint size, int fd, gboolean assign, GError **error)
{
  struct kvm_ioeventfd event = {
    .addr = addr,
    .len = size,
    .fd = fd,
    .flags = (is_pio ? KVM_IOEVENTFD_FLAG_PIO : 0u) | (assign ? 0u : KVM_IOEVENTFD_FLAG_DEASSIGN),
  };

  return kvm_ioctl (kvm->vm_fd, KVM_IOEVENTFD, &event) == 0 || kvm_failed (error, "ioeventfd");
}

void
vmm_kvm_reset_chips (VmmKvm *kvm)
{
  for (guint i = 0; i < KVM_N_CHIPS; i++)
    {
      struct kvm_irqchip chip = kvm->chips[i];

      kvm_ioctl (kvm->vm_fd, KVM_SET_IRQCHIP, &chip);
    }
  kvm_ioctl (kvm->vm_fd, KVM_SET_PIT2, &kvm->pit);
}

void
vmm_kvm_set_coalesced_zone (VmmKvm *kvm, gboolean is_pio, guint64 addr, guint64 size, gboolean on)
{
  struct kvm_coalesced_mmio_zone zone = { .addr = addr, .size = (guint32) size, .pio = is_pio };

  /* Without it every write exits: slower, not wrong. */
  kvm_ioctl (kvm->vm_fd, on ? KVM_REGISTER_COALESCED_MMIO : KVM_UNREGISTER_COALESCED_MMIO, &zone);
}

gboolean
vmm_kvm_has_coalesced (VmmKvm *kvm)
{
  struct kvm_coalesced_mmio_ring *ring = __atomic_load_n (&kvm->ring, __ATOMIC_ACQUIRE);

  return ring != NULL && __atomic_load_n (&ring->first, __ATOMIC_ACQUIRE) != __atomic_load_n (&ring->last, __ATOMIC_ACQUIRE);
}

gboolean
vmm_kvm_peek_coalesced (VmmKvm *kvm, VmmKvmCoalesced *ret_write)
{
  const struct kvm_coalesced_mmio *entry;

  if (!vmm_kvm_has_coalesced (kvm))
    return FALSE;
  entry = &kvm->ring->coalesced_mmio[kvm->ring->first % kvm->ring_max];
  *ret_write = (VmmKvmCoalesced) { .addr = entry->phys_addr, .len = MIN (entry->len, 8), .is_pio = entry->pio != 0 };
  memcpy (ret_write->data, entry->data, sizeof ret_write->data);
  return TRUE;
}

void
vmm_kvm_drop_coalesced (VmmKvm *kvm)
{
  __atomic_store_n (&kvm->ring->first, (kvm->ring->first + 1) % kvm->ring_max, __ATOMIC_RELEASE);
}

struct kvm_cpuid2 *
vmm_kvm_get_supported_cpuid (VmmKvm *kvm, GError **error)
{
  struct kvm_cpuid2 *cpuid = g_malloc0 (sizeof *cpuid + KVM_MAX_CPUID * sizeof (struct kvm_cpuid_entry2));

  cpuid->nent = KVM_MAX_CPUID;
  if (kvm_ioctl (kvm->dev_fd, KVM_GET_SUPPORTED_CPUID, cpuid) == 0)
    return cpuid;
  kvm_failed (error, "supported CPUID");
  g_free (cpuid);
  return NULL;
}

struct kvm_cpuid2 *
vmm_kvm_get_supported_hyperv_cpuid (VmmKvm *kvm)
{
  struct kvm_cpuid2 *cpuid;

  if (!vmm_kvm_check (kvm, KVM_CAP_SYS_HYPERV_CPUID))
    return NULL;
  cpuid = g_malloc0 (sizeof *cpuid + KVM_MAX_CPUID * sizeof (struct kvm_cpuid_entry2));
  cpuid->nent = KVM_MAX_CPUID;
  if (kvm_ioctl (kvm->dev_fd, KVM_GET_SUPPORTED_HV_CPUID, cpuid) == 0)
    return cpuid;
  g_free (cpuid);
  return NULL;
}

VmmKvmVcpu *
vmm_kvm_vcpu_new (VmmKvm *kvm, guint apic_id, GError **error)
{
  VmmKvmVcpu *vcpu = g_new0 (VmmKvmVcpu, 1);

  vcpu->kvm = kvm;
  vcpu->apic_id = apic_id;
  vcpu->fd = kvm_ioctl_n (kvm->vm_fd, KVM_CREATE_VCPU, apic_id);
  if (vcpu->fd < 0)
    kvm_failed (error, "new processor");
  else
    {
      vcpu->run = mmap (NULL, kvm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
      if (vcpu->run != MAP_FAILED)
        {
          int page = kvm_ioctl_n (kvm->dev_fd, KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_MMIO);

          if (apic_id == 0 && page > 0)
            {
              vcpu->is_first = TRUE;
              __atomic_store_n (&kvm->ring, (gpointer) ((guint8 *) vcpu->run + page * 4096), __ATOMIC_RELEASE);
            }
          return vcpu;
        }
      vcpu->run = NULL;
      kvm_failed (error, "processor's area");
    }
  vmm_kvm_vcpu_free (vcpu);
  return NULL;
}

void
vmm_kvm_vcpu_free (VmmKvmVcpu *vcpu)
{
  if (vcpu == NULL)
    return;
  if (vcpu->is_first)
    __atomic_store_n (&vcpu->kvm->ring, NULL, __ATOMIC_RELEASE);
  if (vcpu->run != NULL)
    munmap (vcpu->run, vcpu->kvm->run_size);
  if (vcpu->fd >= 0)
    close (vcpu->fd);
  g_free (vcpu->xsave);
  g_free (vcpu->nested);
  g_free (vcpu->msrs);
  g_free (vcpu);
}

gboolean
vmm_kvm_vcpu_enable_synic (VmmKvmVcpu *vcpu, GError **error)
{
  struct kvm_enable_cap cap = { .cap = KVM_CAP_HYPERV_SYNIC2 };

  return kvm_ioctl (vcpu->fd, KVM_ENABLE_CAP, &cap) == 0 || kvm_failed (error, "Hyper-V's interrupts");
}

gboolean
vmm_kvm_vcpu_set_cpuid (VmmKvmVcpu *vcpu, struct kvm_cpuid2 *cpuid, GError **error)
{
  return kvm_ioctl (vcpu->fd, KVM_SET_CPUID2, cpuid) == 0 || kvm_failed (error, "CPUID");
}

static gboolean
kvm_save_msrs (VmmKvmVcpu *vcpu)
{
  const struct kvm_msr_list *indices = vcpu->kvm->msr_indices;
  const guint32 extra[] = { 0x2ff, 0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f, 0x200, 0x201,
                            0x202, 0x203, 0x204, 0x205, 0x206, 0x207, 0x208, 0x209, 0x20a, 0x20b, 0x20c, 0x20d, 0x20e, 0x20f };
  guint n = 0;

  g_free (vcpu->msrs);
  vcpu->msrs = g_malloc0 (sizeof *vcpu->msrs + (indices->nmsrs + G_N_ELEMENTS (extra)) * sizeof (struct kvm_msr_entry));
  for (guint i = 0; i < indices->nmsrs + G_N_ELEMENTS (extra); i++)
    {
      union {
        struct kvm_msrs list;
        guint8 space[sizeof (struct kvm_msrs) + sizeof (struct kvm_msr_entry)];
      } one = { 0 };

      /* The time-stamp counter goes on over a reset; feature MSRs are fixed. KVM lists some that this processor lacks: ask each. */
      one.list.nmsrs = 1;
      one.list.entries[0].index = i < indices->nmsrs ? indices->indices[i] : extra[i - indices->nmsrs];
      if (one.list.entries[0].index == 0x10 || one.list.entries[0].index == 0x10a || one.list.entries[0].index == 0x3b)
        continue;
      if (kvm_ioctl (vcpu->fd, KVM_GET_MSRS, &one) != 1)
        continue;
      vcpu->msrs->entries[n++] = one.list.entries[0];
    }
  vcpu->msrs->nmsrs = n;
  return TRUE;
}

gboolean
vmm_kvm_vcpu_save_start_state (VmmKvmVcpu *vcpu, GError **error)
{
  int size = kvm_ioctl_n (vcpu->kvm->vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_XSAVE2);

  if (kvm_ioctl (vcpu->fd, KVM_GET_REGS, &vcpu->regs) < 0 || kvm_ioctl (vcpu->fd, KVM_GET_SREGS, &vcpu->sregs) < 0
      || kvm_ioctl (vcpu->fd, KVM_GET_FPU, &vcpu->fpu) < 0 || kvm_ioctl (vcpu->fd, KVM_GET_DEBUGREGS, &vcpu->debugregs) < 0
      || kvm_ioctl (vcpu->fd, KVM_GET_LAPIC, &vcpu->lapic) < 0 || kvm_ioctl (vcpu->fd, KVM_GET_MP_STATE, &vcpu->mp_state) < 0
      || kvm_ioctl (vcpu->fd, KVM_GET_VCPU_EVENTS, &vcpu->events) < 0)
    return kvm_failed (error, "processor's start state");
  vcpu->xsave_size = MAX ((gsize) MAX (size, 0), sizeof *vcpu->xsave);
  vcpu->xsave = g_malloc0 (vcpu->xsave_size);
  if (kvm_ioctl (vcpu->fd, size > 0 ? KVM_GET_XSAVE2 : KVM_GET_XSAVE, vcpu->xsave) < 0)
    g_clear_pointer (&vcpu->xsave, g_free);
  size = kvm_ioctl_n (vcpu->kvm->vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_NESTED_STATE);
  if (size >= (int) sizeof *vcpu->nested)
    {
      vcpu->nested = g_malloc0 ((gsize) size);
      vcpu->nested->size = (guint32) size;
      if (kvm_ioctl (vcpu->fd, KVM_GET_NESTED_STATE, vcpu->nested) < 0)
        g_clear_pointer (&vcpu->nested, g_free);
    }
  vcpu->has_xcrs = kvm_ioctl (vcpu->fd, KVM_GET_XCRS, &vcpu->xcrs) == 0 && vcpu->xcrs.nr_xcrs > 0;
  return kvm_save_msrs (vcpu);
}

gboolean
vmm_kvm_vcpu_reset (VmmKvmVcpu *vcpu, GError **error)
{
  guint done = 0;

  /* A guest that is a hypervisor itself: leaves VMX or SVM operation, with which the registers below would be refused. */
  if (vcpu->nested != NULL)
    kvm_ioctl (vcpu->fd, KVM_SET_NESTED_STATE, vcpu->nested);
  /* Order: contract 6.7. */
  if (kvm_ioctl (vcpu->fd, KVM_SET_MP_STATE, &vcpu->mp_state) < 0 || kvm_ioctl (vcpu->fd, KVM_SET_REGS, &vcpu->regs) < 0
      || kvm_ioctl (vcpu->fd, KVM_SET_SREGS, &vcpu->sregs) < 0)
    return kvm_failed (error, "resetting a processor");
  if (vcpu->xsave != NULL)
    kvm_ioctl (vcpu->fd, KVM_SET_XSAVE, vcpu->xsave);
  else
    kvm_ioctl (vcpu->fd, KVM_SET_FPU, &vcpu->fpu);
  if (vcpu->has_xcrs)
    kvm_ioctl (vcpu->fd, KVM_SET_XCRS, &vcpu->xcrs);
  kvm_ioctl (vcpu->fd, KVM_SET_DEBUGREGS, &vcpu->debugregs);
  if (kvm_ioctl (vcpu->fd, KVM_SET_LAPIC, &vcpu->lapic) < 0)
    return kvm_failed (error, "resetting a local APIC");
  /* KVM_SET_MSRS stops at the first that it refuses: go on behind it. */
  while (done < vcpu->msrs->nmsrs)
    {
      union {
        struct kvm_msrs list;
        guint8 space[sizeof (struct kvm_msrs) + sizeof (struct kvm_msr_entry)];
      } one = { 0 };

      one.list.nmsrs = 1;
      one.list.entries[0] = vcpu->msrs->entries[done++];
      kvm_ioctl (vcpu->fd, KVM_SET_MSRS, &one);
    }
  return kvm_ioctl (vcpu->fd, KVM_SET_VCPU_EVENTS, &vcpu->events) == 0 || kvm_failed (error, "resetting a processor's events");
}

int
vmm_kvm_vcpu_run (VmmKvmVcpu *vcpu)
{
  return ioctl (vcpu->fd, KVM_RUN, NULL) < 0 ? -errno : 0;
}

struct kvm_run *
vmm_kvm_vcpu_get_run (VmmKvmVcpu *vcpu)
{
  return vcpu->run;
}

gboolean
vmm_kvm_vcpu_get_regs (VmmKvmVcpu *vcpu, struct kvm_regs *ret_regs)
{
  return kvm_ioctl (vcpu->fd, KVM_GET_REGS, ret_regs) == 0;
}

gboolean
vmm_kvm_vcpu_set_regs (VmmKvmVcpu *vcpu, const struct kvm_regs *regs)
{
  return kvm_ioctl (vcpu->fd, KVM_SET_REGS, (gpointer) regs) == 0;
}

gboolean
vmm_kvm_vcpu_get_fpu (VmmKvmVcpu *vcpu, struct kvm_fpu *ret_fpu)
{
  return kvm_ioctl (vcpu->fd, KVM_GET_FPU, ret_fpu) == 0;
}

gboolean
vmm_kvm_vcpu_set_fpu (VmmKvmVcpu *vcpu, const struct kvm_fpu *fpu)
{
  return kvm_ioctl (vcpu->fd, KVM_SET_FPU, (gpointer) fpu) == 0;
}

gboolean
vmm_kvm_vcpu_inject_exception (VmmKvmVcpu *vcpu, guint8 vector)
{
  struct kvm_vcpu_events events;

  if (kvm_ioctl (vcpu->fd, KVM_GET_VCPU_EVENTS, &events) < 0)
    return FALSE;
  events.exception.injected = 1;
  events.exception.nr = vector;
  events.exception.has_error_code = 0;
  events.flags = 0;
  return kvm_ioctl (vcpu->fd, KVM_SET_VCPU_EVENTS, &events) == 0;
}

void
vmm_kvm_vcpu_tell_paused (VmmKvmVcpu *vcpu)
{
  kvm_ioctl_n (vcpu->fd, KVM_KVMCLOCK_CTRL, 0); /* fails in a guest without kvmclock */
}

char *
vmm_kvm_vcpu_describe (VmmKvmVcpu *vcpu)
{
  struct kvm_regs regs = { 0 };
  struct kvm_sregs sregs = { 0 };
  GString *text = g_string_new (NULL);

  if (kvm_ioctl (vcpu->fd, KVM_GET_REGS, &regs) < 0 || kvm_ioctl (vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
    return g_string_free (text, FALSE);
  g_string_append_printf (text,
                          "processor %u, cs:ip %04x:%llx (base %llx), flags %llx, cr0 %llx cr3 %llx cr4 %llx efer %llx, "
                          "ax %llx bx %llx cx %llx dx %llx si %llx di %llx bp %llx sp %llx",
                          vcpu->apic_id, sregs.cs.selector, regs.rip, sregs.cs.base, regs.rflags, sregs.cr0, sregs.cr3, sregs.cr4,
                          sregs.efer, regs.rax, regs.rbx, regs.rcx, regs.rdx, regs.rsi, regs.rdi, regs.rbp, regs.rsp);
  return g_string_free (text, FALSE);
}
