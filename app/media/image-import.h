/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bringing a disk image into a bundle. Blocks on files; worker threads only. */
#pragma once

#include "model/operation.h"

G_BEGIN_DECLS

/**
 * LodgeImageKind:
 * @name: as qemu-img names the format: "raw", "qcow2", "vmdk", "vdi", "vhdx", "vpc" …
 * @native: the engine opens it as it is
 */
typedef struct {
  const char *name;
  gboolean native;
} LodgeImageKind;

/**
 * lodge_image_recognise:
 * Recognises the format by the file's own content.
 * Errors: LODGE_ERROR_FAILED unreadable.
 * Returns: (transfer none) (nullable): the format; "raw" if there is no sign of another.
 */
const LodgeImageKind *lodge_image_recognise (const char *path, GError **error);

/**
 * lodge_image_check:
 * Checks that @path can be imported, or used where it is if @link.
 * Errors: LODGE_ERROR_NOT_FOUND, _INVALID, _UNSUPPORTED (@link with a format that the engine does not open; qemu-img is missing).
 */
gboolean lodge_image_check (const char *path, gboolean link, GError **error);

/**
 * lodge_image_import:
 * @directory: the bundle
 * @stem: name of the new file without an ending
 * Copies raw and qcow2 images, holes stay holes; has qemu-img convert the others, and images that stand on another file, to qcow2.
 * Errors: as lodge_image_check(); LODGE_ERROR_NO_SPACE; G_IO_ERROR_CANCELLED. A failed call may leave a partial file.
 * Returns: (transfer full): the new file's name in @directory; its format in @ret_format (transfer none).
 */
char *lodge_image_import (const char *path, const char *directory, const char *stem, LodgeOperation *operation,
                          GCancellable *cancellable, const char **ret_format, GError **error);

G_END_DECLS
