/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Moving a folder to the trash so that it can come back. Blocks on files. */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/**
 * lodge_trash_put:
 * @own_trash: folder on the same file system that is used where the desktop's trash is not to be had
 * Spec: freedesktop.org Trash 1.0.
 * Errors: G_IO_ERROR of the move.
 * Returns: (transfer full): a token for lodge_trash_restore().
 */
char *lodge_trash_put (const char *path, const char *own_trash, GError **error);

/**
 * lodge_trash_restore:
 * Errors: LODGE_ERROR_NOT_FOUND it is no longer in the trash; LODGE_ERROR_EXISTS its old place is taken; LODGE_ERROR_FAILED.
 * Returns: (transfer full): its path, the old one.
 */
char *lodge_trash_restore (const char *token, GError **error);

G_END_DECLS
