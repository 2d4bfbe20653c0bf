/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a flash chip holds, kept in a file of the machine's own: changes are handed over at once and written by a thread of its own, each time
 * the whole file, to a new one that takes the old one's place. So the file always is what the chip held at some moment between two updates. */
#pragma once

#include "core/types.h"

typedef struct _VmmFlashFile VmmFlashFile;

/**
 * vmm_flash_file_open:
 * @template_path: (nullable): copied to @path if there is no such file yet; never written to
 * @ret_bytes: (out) (transfer full): the content
 * Errors: VMM_ERROR_NOT_FOUND (neither file is there), _CORRUPT (empty, above 16 MiB or no multiple of 4 KiB), _NO_SPACE, _HOST; the
 *   message names the file.
 * Thread: control; blocks on files.
 * Returns: (transfer full): or NULL.
 */
VmmFlashFile *vmm_flash_file_open (VmmMachine *machine, const char *path, const char *template_path, GBytes **ret_bytes,
                                   GError **error);
/**
 * vmm_flash_file_free:
 * Writes what is left (one try, a failure is logged). Thread: control.
 */
void vmm_flash_file_free (VmmFlashFile *file);

/**
 * vmm_flash_file_update:
 * @offset: @len: bytes, within the file's size
 * The content changed. A write that fails pauses the machine (host's disk full or failing) and is tried again every two seconds.
 * Thread: any; never waits for the disk.
 */
void vmm_flash_file_update (VmmFlashFile *file, gsize offset, const guint8 *data, gsize len);

/**
 * vmm_flash_file_sync:
 * Waits until every update so far is in the file and synced, or one try to write them has failed. Thread: control, no locks held.
 * Returns: FALSE if it is not.
 */
gboolean vmm_flash_file_sync (VmmFlashFile *file);
