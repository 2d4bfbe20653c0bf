/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What to load where, worked out from the bytes of an image. No files, no machine: pure functions over hostile input. */
#pragma once

#include "firmware/boot-rom/rom.h"
#include "vmm-error.h"

/* A file beside the kernel: initrd (the first, if there is one) or module. */
typedef struct {
  const char *text; /* what the kernel is told: name and arguments */
  guint64 size;     /* bytes */
} VmmBootModule;

typedef struct {
  const guint8 *kernel; /* the whole image */
  gsize kernel_len;
  const char *name; /* of the kernel, for its command line's first word (Multiboot) */
  const char *cmdline;
  const VmmBootModule *modules;
  guint n_modules;
  guint64 memory_end; /* bytes of RAM below 4 GiB that the firmware leaves free */
} VmmBootRequest;

typedef enum {
  VMM_BOOT_FROM_BYTES,
  VMM_BOOT_FROM_KERNEL,
  VMM_BOOT_FROM_MODULE,
} VmmBootSource;

typedef struct {
  VmmBootSource source;
  GBytes *bytes;               /* VMM_BOOT_FROM_BYTES */
  guint module;                /* VMM_BOOT_FROM_MODULE: index */
  guint64 offset;              /* in the file */
  guint32 len;                 /* of it; zeros follow */
  guint32 address, memory_len; /* guest physical */
} VmmBootPiece;

typedef struct {
  guint kind; /* ROM_KIND_… */
  guint32 entry;
  guint32 info_len;
  GArray *pieces; /* VmmBootPiece */
} VmmBootPlan;

/**
 * vmm_boot_plan_new:
 * Recognises a Linux bzImage, an image with a Multiboot 1 header, or an ELF image with a PVH entry, in this order.
 * Errors: VMM_ERROR_UNSUPPORTED, _CORRUPT, _INVALID_CONFIG.
 * Returns: (transfer full) (nullable)
 */
VmmBootPlan *vmm_boot_plan_new (const VmmBootRequest *request, GError **error);
void vmm_boot_plan_free (VmmBootPlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VmmBootPlan, vmm_boot_plan_free)

/* --- for the kinds of images --- */

/* Each checks that the piece lies where pieces may lie. @bytes: (transfer full) */
gboolean vmm_boot_plan_add_kernel (VmmBootPlan *plan, const VmmBootRequest *request, guint64 offset, guint64 len, guint64 address,
                                   guint64 memory_len, GError **error);
gboolean vmm_boot_plan_add_module (VmmBootPlan *plan, const VmmBootRequest *request, guint module, guint64 address, GError **error);
void vmm_boot_plan_add_bytes (VmmBootPlan *plan, GBytes *bytes, guint32 address);

/* The highest address in use by pieces from 1 MiB on, rounded up to a page; at least 1 MiB. */
guint64 vmm_boot_plan_get_end (const VmmBootPlan *plan);

/* linux-boot.c. Spec: Linux Documentation/arch/x86/boot.rst. */
gboolean vmm_linux_is_image (const guint8 *data, gsize len);
gboolean vmm_linux_plan (VmmBootPlan *plan, const VmmBootRequest *request, GError **error);

/* multiboot.c. Spec: Multiboot Specification 0.6.96. Returns: offset of the header, or -1. */
gssize vmm_multiboot_find_header (const guint8 *data, gsize len);
gboolean vmm_multiboot_plan (VmmBootPlan *plan, const VmmBootRequest *request, gsize header, GError **error);

/* elf.c. Spec: System V ABI, chapters 4 and 5, with the i386 and AMD64 supplements. */
#define VMM_ELF_MAX_SEGMENTS 32
typedef struct {
  guint64 offset, file_len, address, virtual_address, memory_len;
} VmmElfSegment;

typedef struct {
  gboolean is_64;
  guint64 entry; /* virtual */
  VmmElfSegment loads[VMM_ELF_MAX_SEGMENTS];
  guint n_loads;
  gboolean has_pvh;
  guint64 pvh_entry; /* physical */
} VmmElf;

gboolean vmm_elf_is_image (const guint8 *data, gsize len);
gboolean vmm_elf_parse (const guint8 *data, gsize len, VmmElf *ret_elf, GError **error);
gboolean vmm_elf_plan_segments (VmmBootPlan *plan, const VmmBootRequest *request, const VmmElf *elf, GError **error);

/* pvh.c. Spec: Xen docs/misc/pvh.pandoc, xen/include/public/arch-x86/hvm/start_info.h. */
gboolean vmm_pvh_plan (VmmBootPlan *plan, const VmmBootRequest *request, const VmmElf *elf, GError **error);
