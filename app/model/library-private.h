/* SPDX-License-Identifier: GPL-3.0-or-later */
/* For those who change what is in the library's directory. */
#pragma once

#include "model/library.h"

G_BEGIN_DECLS

/** _lodge_library_sync_async: Looks into the directory from now on; done when the list is right. */
void _lodge_library_sync_async (LodgeLibrary *self, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
gboolean _lodge_library_sync_finish (LodgeLibrary *self, GAsyncResult *result, GError **error);

G_END_DECLS
