/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Guest RAM (one memfd, below and above the PCI hole), other RAM blocks (video memory, flash, ROM), and what of them the processor
 * sees where (KVM slots). Device access goes to RAM by guest physical address and never consults slots or PAM. */
#pragma once

#include "core/types.h"

#include <sys/uio.h>

/* A block of host memory that a guest can be shown: memfd-backed, shared. */
struct _VmmRam {
  const char *name;
  guint8 *host;
  gsize size; /* bytes, page multiple */
  int fd;
};

/* RAM layout (contract 1.1): total < 0xB0000000 → all low; else 2 GiB low, the rest from 4 GiB. */
guint64 vmm_memory_get_low_size (VmmMemory *memory);
guint64 vmm_memory_get_high_size (VmmMemory *memory);

/* Checked access to RAM. FALSE (nothing done) if any byte lies outside RAM. Any thread. */
gboolean vmm_memory_read (VmmMemory *memory, guint64 gpa, gpointer buf, gsize len);
gboolean vmm_memory_write (VmmMemory *memory, guint64 gpa, gconstpointer buf, gsize len);

/**
 * vmm_memory_map:
 * Returns: (nullable): host address of [gpa, gpa+len), all in one piece of RAM, or NULL. Valid while the machine lives. The guest may
 *   change it at any time: copy before checking.
 */
gpointer vmm_memory_map (VmmMemory *memory, guint64 gpa, gsize len);

/* Little-endian loads and stores, single copy atomic when aligned. */
gboolean vmm_memory_read_u32 (VmmMemory *memory, guint64 gpa, guint32 *ret_value);
gboolean vmm_memory_write_u32 (VmmMemory *memory, guint64 gpa, guint32 value);

VmmRam *vmm_ram_new (const char *name, gsize size, GError **error); /* zeroed; @name: static */
void vmm_ram_free (VmmRam *ram);                                    /* must be in no slot */

typedef enum {
  VMM_SLOT_RW = 0,
  VMM_SLOT_READONLY = 1 << 0, /* writes exit as MMIO */
} VmmSlotFlags;

/**
 * vmm_memory_begin / vmm_memory_commit:
 * A change of slots: begin parks every other vCPU outside the guest, commit carries the whole change out and lets them go. May be
 * called on a vCPU thread (from a register handler, the device's lock held), the control thread, or a test. Nests.
 */
void vmm_memory_begin (VmmMemory *memory);
void vmm_memory_commit (VmmMemory *memory);

/* Inside begin/commit. @offset, @size, @gpa: page multiples. Slots must not overlap after commit. */
VmmSlot *vmm_memory_add_slot (VmmMemory *memory, VmmRam *ram, gsize offset, guint64 gpa, gsize size, VmmSlotFlags flags);
void vmm_memory_remove_slot (VmmMemory *memory, VmmSlot *slot);

/* Guest RAM as a block, so that PAM can show parts of it: offset = gpa below the hole. */
VmmRam *vmm_memory_get_ram (VmmMemory *memory);
/* The machine's slots for RAM leave [0xA0000, 0x100000) out: A0000 is VGA's, C0000-FFFFF is the host bridge's (PAM) to fill. */

/* Dirty log of one slot. Off by default. */
void vmm_slot_set_logging (VmmMemory *memory, VmmSlot *slot, gboolean on);
/**
 * vmm_slot_fetch_dirty:
 * @bitmap: (array): one bit a 4 KiB page, 64 pages a word, written over
 * Fetches and clears what the guest wrote since the last call. Any thread. FALSE: logging is off or the host failed.
 */
gboolean vmm_slot_fetch_dirty (VmmMemory *memory, VmmSlot *slot, guint64 *bitmap, gsize n_words);
/* Marks what a device (not the guest) wrote to a slot's memory, in bytes from its start. */
void vmm_slot_mark_dirty (VmmMemory *memory, VmmSlot *slot, gsize offset, gsize len);
