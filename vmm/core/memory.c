/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Theory of operation: RAM is one memfd. Guest physical [0, low) is its start, [4 GiB, 4 GiB + high) what follows. Slots say what of which
 * block the processor sees where; a change of slots collects between begin and commit, while no other vCPU is in the guest, and is carried
 * out removals first (KVM can neither move a slot nor change its read-only flag). Spec: KVM API 4.35, 4.8; contract 1.1, 1.4. */
#include "core/memory.h"

#include "core/kvm.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/memory-private.h"
#include "core/vcpu.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEM_PAGE 4096u
#define MEM_HUGE (2u << 20)
#define MEM_4G (G_GUINT64_CONSTANT (1) << 32)
#define MEM_LOW_MAX 0xb0000000u /* above it SeaBIOS puts ECAM */
#define MEM_LOW_SPLIT 0x80000000u

struct _VmmSlot {
  guint32 id;
  VmmRam *ram;
  gsize offset;
  guint64 gpa;
  gsize size;
  VmmSlotFlags flags;
  gboolean logging;
  gboolean live;    /* the kernel knows it */
  guint64 *written; /* (nullable): pages written by us rather than by the guest, one bit each; while logging */
};

struct _VmmMemory {
  VmmMachine *machine;
  VmmKvm *kvm; /* (nullable) */
  VmmRam *ram;
  guint64 low, high; /* bytes */

  GRecMutex lock; /* slots */
  guint depth;    /* of begin */
  GPtrArray *slots;
  GPtrArray *removed; /* VmmSlot that the kernel still knows */
  GArray *free_ids;   /* guint32 */
  guint32 next_id;
};

VmmRam *
vmm_ram_new (const char *name, gsize size, GError **error)
{
  VmmRam *ram;
  gsize reserve = size + MEM_HUGE;
  guint8 *area, *host;
  int fd = memfd_create (name, MFD_CLOEXEC | MFD_NOEXEC_SEAL);

  if (fd < 0 && errno == EINVAL)
    fd = memfd_create (name, MFD_CLOEXEC);
  if (fd < 0 || ftruncate (fd, (off_t) size) < 0)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "cannot get %" G_GSIZE_FORMAT " MiB of memory for %s: %s", size >> 20, name,
                   g_strerror (errno));
      if (fd >= 0)
        close (fd);
      return NULL;
    }

  /* Guest and host addresses agree modulo 2 MiB, so that KVM can use huge pages. */
  area = mmap (NULL, reserve, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  host = area;
  if (area != MAP_FAILED)
    {
      host = (guint8 *) (((guintptr) area + MEM_HUGE - 1) & ~(guintptr) (MEM_HUGE - 1));
      if (mmap (host, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd, 0) == MAP_FAILED)
        {
          munmap (area, reserve);
          area = MAP_FAILED;
        }
    }
  if (area == MAP_FAILED)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "cannot map %" G_GSIZE_FORMAT " MiB of memory for %s: %s", size >> 20, name,
                   g_strerror (errno));
      close (fd);
      return NULL;
    }
  if (host > area)
    munmap (area, (gsize) (host - area));
  if (host + size < area + reserve)
    munmap (host + size, (gsize) (area + reserve - (host + size)));
  madvise (host, size, MADV_HUGEPAGE);
  madvise (host, size, MADV_DONTDUMP);

  ram = g_new0 (VmmRam, 1);
  *ram = (VmmRam) { .name = name, .host = host, .size = size, .fd = fd };
  return ram;
}

void
vmm_ram_free (VmmRam *ram)
{
  if (ram == NULL)
    return;
  munmap (ram->host, ram->size);
  close (ram->fd);
  g_free (ram);
}

static void
mem_slot_free (VmmSlot *slot)
{
  g_free (slot->written);
  g_free (slot);
}

VmmMemory *
vmm_memory_new (VmmMachine *machine, VmmKvm *kvm, guint64 size_bytes, GError **error)
{
  VmmMemory *memory = g_new0 (VmmMemory, 1);

  memory->machine = machine;
  memory->kvm = kvm;
  memory->low = size_bytes < MEM_LOW_MAX ? size_bytes : MEM_LOW_SPLIT;
  memory->high = size_bytes - memory->low;
  g_rec_mutex_init (&memory->lock);
  memory->slots = g_ptr_array_new_with_free_func ((GDestroyNotify) mem_slot_free);
  memory->removed = g_ptr_array_new_with_free_func ((GDestroyNotify) mem_slot_free);
  memory->free_ids = g_array_new (FALSE, FALSE, sizeof (guint32));

  memory->ram = vmm_ram_new ("lodge-ram", size_bytes, error);
  if (memory->ram == NULL)
    {
      vmm_memory_free (memory);
      return NULL;
    }

  vmm_memory_begin (memory);
  vmm_memory_add_slot (memory, memory->ram, 0, 0, 0xa0000, VMM_SLOT_RW);
  vmm_memory_add_slot (memory, memory->ram, 0x100000, 0x100000, memory->low - 0x100000, VMM_SLOT_RW);
  if (memory->high > 0)
    vmm_memory_add_slot (memory, memory->ram, memory->low, MEM_4G, memory->high, VMM_SLOT_RW);
  vmm_memory_commit (memory);
  return memory;
}

void
vmm_memory_free (VmmMemory *memory)
{
  if (memory == NULL)
    return;
  g_ptr_array_unref (memory->slots);
  g_ptr_array_unref (memory->removed);
  g_array_unref (memory->free_ids);
  vmm_ram_free (memory->ram);
  g_rec_mutex_clear (&memory->lock);
  g_free (memory);
}

guint64
vmm_memory_get_low_size (VmmMemory *memory)
{
  return memory->low;
}

guint64
vmm_memory_get_high_size (VmmMemory *memory)
{
  return memory->high;
}

VmmRam *
vmm_memory_get_ram (VmmMemory *memory)
{
  return memory->ram;
}

gpointer
vmm_memory_map (VmmMemory *memory, guint64 gpa, gsize len)
{
  if (gpa < memory->low && len <= memory->low - gpa)
    return memory->ram->host + gpa;
  if (gpa >= MEM_4G && gpa - MEM_4G < memory->high && len <= memory->high - (gpa - MEM_4G))
    return memory->ram->host + memory->low + (gpa - MEM_4G);
  return NULL;
}

gboolean
vmm_memory_read (VmmMemory *memory, guint64 gpa, gpointer buf, gsize len)
{
  gconstpointer host = vmm_memory_map (memory, gpa, len);

  if (host == NULL)
    return FALSE;
  memcpy (buf, host, len);
  return TRUE;
}

gboolean
vmm_memory_write (VmmMemory *memory, guint64 gpa, gconstpointer buf, gsize len)
{
  gpointer host = vmm_memory_map (memory, gpa, len);

  if (host == NULL)
    return FALSE;
  memcpy (host, buf, len);
  return TRUE;
}

gboolean
vmm_memory_read_u32 (VmmMemory *memory, guint64 gpa, guint32 *ret_value)
{
  gconstpointer host = vmm_memory_map (memory, gpa, sizeof (guint32));
  guint32 raw;

  if (host == NULL)
    return FALSE;
  if ((gpa & 3) == 0)
    raw = __atomic_load_n ((const guint32 *) host, __ATOMIC_ACQUIRE);
  else
    memcpy (&raw, host, sizeof raw);
  *ret_value = GUINT32_FROM_LE (raw);
  return TRUE;
}

gboolean
vmm_memory_write_u32 (VmmMemory *memory, guint64 gpa, guint32 value)
{
  gpointer host = vmm_memory_map (memory, gpa, sizeof (guint32));
  guint32 raw = GUINT32_TO_LE (value);

  if (host == NULL)
    return FALSE;
  if ((gpa & 3) == 0)
    __atomic_store_n ((guint32 *) host, raw, __ATOMIC_RELEASE);
  else
    memcpy (host, &raw, sizeof raw);
  return TRUE;
}

void
vmm_memory_begin (VmmMemory *memory)
{
  g_rec_mutex_lock (&memory->lock);
  if (memory->depth++ == 0)
    vmm_vcpus_hold (memory->machine);
}

/* Tells the kernel about one slot; @size 0 removes it. */
static gboolean
mem_program (VmmMemory *memory, VmmSlot *slot, gsize size)
{
  g_autoptr (GError) error = NULL;

  if (memory->kvm == NULL)
    return TRUE;
  if (vmm_kvm_set_slot (memory->kvm, slot->id, slot->gpa, size, slot->ram->host + slot->offset,
                        (slot->flags & VMM_SLOT_READONLY) != 0, slot->logging, &error))
    return TRUE;
  vmm_log_warning (memory->machine, NULL, "memory slot at %#" G_GINT64_MODIFIER "x: %s", slot->gpa, error->message);
  return FALSE;
}

void
vmm_memory_commit (VmmMemory *memory)
{
  if (--memory->depth == 0)
    {
      for (guint i = 0; i < memory->removed->len; i++)
        {
          VmmSlot *slot = memory->removed->pdata[i];

          mem_program (memory, slot, 0);
          g_array_append_val (memory->free_ids, slot->id);
        }
      g_ptr_array_set_size (memory->removed, 0);
      for (guint i = 0; i < memory->slots->len; i++)
        {
          VmmSlot *slot = memory->slots->pdata[i];

          if (!slot->live)
            slot->live = mem_program (memory, slot, slot->size);
        }
      vmm_vcpus_release (memory->machine);
    }
  g_rec_mutex_unlock (&memory->lock);
}

VmmSlot *
vmm_memory_add_slot (VmmMemory *memory, VmmRam *ram, gsize offset, guint64 gpa, gsize size, VmmSlotFlags flags)
{
  VmmSlot *slot = g_new0 (VmmSlot, 1);

  g_assert (memory->depth > 0);
  g_assert (((offset | gpa | size) & (MEM_PAGE - 1)) == 0 && size > 0 && offset + size <= ram->size);
  *slot = (VmmSlot) { .ram = ram, .offset = offset, .gpa = gpa, .size = size, .flags = flags };
  if (memory->free_ids->len > 0)
    {
      slot->id = g_array_index (memory->free_ids, guint32, memory->free_ids->len - 1);
      g_array_set_size (memory->free_ids, memory->free_ids->len - 1);
    }
  else
    slot->id = memory->next_id++;
  g_ptr_array_add (memory->slots, slot);
  return slot;
}

void
vmm_memory_remove_slot (VmmMemory *memory, VmmSlot *slot)
{
  guint index = 0;
  gboolean found = g_ptr_array_find (memory->slots, slot, &index);

  g_assert (memory->depth > 0 && found);
  g_ptr_array_steal_index_fast (memory->slots, index);
  if (slot->live)
    g_ptr_array_add (memory->removed, slot);
  else
    {
      g_array_append_val (memory->free_ids, slot->id);
      mem_slot_free (slot);
    }
}

VmmSlot *
vmm_memory_find_slot (VmmMemory *memory, guint64 gpa, guint64 *ret_base, VmmRam **ret_ram, gsize *ret_offset,
                      VmmSlotFlags *ret_flags)
{
  for (guint i = 0; i < memory->slots->len; i++)
    {
      VmmSlot *slot = memory->slots->pdata[i];

      if (gpa < slot->gpa || gpa - slot->gpa >= slot->size)
        continue;
      *ret_base = slot->gpa;
      *ret_ram = slot->ram;
      *ret_offset = slot->offset;
      *ret_flags = slot->flags;
      return slot;
    }
  return NULL;
}

static gsize
mem_bitmap_words (const VmmSlot *slot)
{
  return (slot->size / MEM_PAGE + 63) / 64;
}

void
vmm_slot_set_logging (VmmMemory *memory, VmmSlot *slot, gboolean on)
{
  g_rec_mutex_lock (&memory->lock);
  if (slot->logging != on)
    {
      slot->logging = on;
      g_clear_pointer (&slot->written, g_free);
      if (on)
        slot->written = g_new0 (guint64, mem_bitmap_words (slot));
      if (slot->live)
        mem_program (memory, slot, slot->size); /* KVM allows this flag to change in place */
    }
  g_rec_mutex_unlock (&memory->lock);
}

gboolean
vmm_slot_fetch_dirty (VmmMemory *memory, VmmSlot *slot, guint64 *bitmap, gsize n_words)
{
  gsize words = mem_bitmap_words (slot);
  gboolean ok;

  g_rec_mutex_lock (&memory->lock);
  ok = slot->logging && slot->live && n_words >= words;
  if (ok)
    {
      memset (bitmap, 0, n_words * sizeof *bitmap);
      ok = memory->kvm == NULL || vmm_kvm_get_dirty_log (memory->kvm, slot->id, bitmap);
      for (gsize i = 0; ok && i < words; i++)
        bitmap[i] |= slot->written[i];
      memset (slot->written, 0, words * sizeof *slot->written);
    }
  g_rec_mutex_unlock (&memory->lock);
  return ok;
}

void
vmm_slot_mark_dirty (VmmMemory *memory, VmmSlot *slot, gsize offset, gsize len)
{
  g_rec_mutex_lock (&memory->lock);
  if (slot->logging && len > 0 && offset < slot->size && len <= slot->size - offset)
    for (gsize page = offset / MEM_PAGE; page <= (offset + len - 1) / MEM_PAGE; page++)
      slot->written[page / 64] |= G_GUINT64_CONSTANT (1) << (page % 64);
  g_rec_mutex_unlock (&memory->lock);
}
