/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Disk images for the layers above: make one, look into one. What runs machines is in block/. */
#pragma once

#include "vmm-error.h"

G_BEGIN_DECLS

typedef struct {
  char *format;         /* "raw" or "qcow2" */
  guint64 size_bytes;   /* what the guest sees */
  guint64 used_bytes;   /* what it takes on the host */
  char *backing_path;   /* (nullable): absolute */
  char *backing_format; /* (nullable) */
} VmmImageInfo;

/**
 * vmm_image_probe:
 * Opens @path read only, recognises its format (qcow2 by its magic, else raw), reads its header, checks it.
 * Errors: VMM_ERROR_NOT_FOUND, _HOST (a directory, unreadable …), _UNSUPPORTED (another format: names it), _CORRUPT.
 */
VmmImageInfo *vmm_image_probe (const char *path, GError **error);
void vmm_image_info_free (VmmImageInfo *info);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VmmImageInfo, vmm_image_info_free)

/**
 * vmm_image_create:
 * @format: "raw" (sparse) or "qcow2"
 * @size_bytes: multiple of 512, 1 MiB to 64 TiB; with @backing_path 0 takes the backing file's size
 * @backing_path: (nullable): qcow2 overlay over this image; stored relative to the new image's directory where possible
 * Writes atomically: a failed call leaves nothing. Refuses to overwrite.
 * Errors: _INVALID_CONFIG (size), _HOST, _NO_SPACE.
 */
gboolean vmm_image_create (const char *path, const char *format, guint64 size_bytes, const char *backing_path,
                           const char *backing_format, GError **error);

G_END_DECLS
