/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engine's image tools with words for people. Blocks on files; worker threads only. */
#pragma once

#include "model/error.h"

G_BEGIN_DECLS

#define LODGE_SECTOR_BYTES 512
#define LODGE_DISK_MAXIMUM_BYTES ((guint64) 64 << 40) /* what vmm_image_create() allows */

/** lodge_image_create_qcow2: A new empty image. Errors: LODGE_ERROR_*. */
gboolean lodge_image_create_qcow2 (const char *path, guint64 size_bytes, GError **error);

/**
 * lodge_image_probe:
 * @ret_backing: (out) (transfer full) (nullable): absolute path of the file that the image stands on
 * Reads the header of a raw or qcow2 image and checks it.
 * Errors: LODGE_ERROR_*.
 * Returns: the size that a guest sees in bytes, 0 on error.
 */
guint64 lodge_image_probe (const char *path, char **ret_backing, GError **error);

G_END_DECLS
