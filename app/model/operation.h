/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Long work that shows how far it is and can be cancelled. */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/**
 * LodgeOperation:
 * Properties (read-only, notify on the main thread, at most about ten times a second): "title" string, translated: the step under
 * way; "fraction" double: 0…1, or -1 while the amount is unknown; "done-bytes", "total-bytes" uint64 (0: not counted);
 * "rate" uint64: bytes a second, 0: unknown; "cancellable" GCancellable.
 */
#define LODGE_TYPE_OPERATION (lodge_operation_get_type ())
G_DECLARE_FINAL_TYPE (LodgeOperation, lodge_operation, LODGE, OPERATION, GObject)

LodgeOperation *lodge_operation_new (void);
const char *lodge_operation_get_title (LodgeOperation *self); /* main thread */
double lodge_operation_get_fraction (LodgeOperation *self);
guint64 lodge_operation_get_done_bytes (LodgeOperation *self);
guint64 lodge_operation_get_total_bytes (LodgeOperation *self);
guint64 lodge_operation_get_rate (LodgeOperation *self);
/** lodge_operation_get_cancellable: Returns: (transfer none): what the work watches. */
GCancellable *lodge_operation_get_cancellable (LodgeOperation *self);

/**
 * lodge_operation_dup_detail:
 * Returns: (transfer full): amount and rate in words, like "1.2 GB of 4.0 GB, 210 MB/s"; empty if not counted.
 */
char *lodge_operation_dup_detail (LodgeOperation *self);

/** lodge_operation_cancel: The work ends soon with G_IO_ERROR_CANCELLED and leaves nothing half-made. */
void lodge_operation_cancel (LodgeOperation *self);

/** lodge_operation_begin_step: For whoever does the work. @total_bytes: 0 if unknown. Thread: any. */
void lodge_operation_begin_step (LodgeOperation *self, const char *title, guint64 total_bytes);
/** lodge_operation_report: For whoever does the work: bytes done in this step. Cheap. Thread: any. */
void lodge_operation_report (LodgeOperation *self, guint64 done_bytes);

G_END_DECLS
