/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Makes a bundle in one piece. Blocks on files; worker threads only. */
#pragma once

#include "model/operation.h"

G_BEGIN_DECLS

/**
 * LodgeMakeJob:
 * @conf: machine.conf, complete but for [disk0] where @image_path is copied
 * @image_path: (nullable): disk image to copy or to convert
 * @disk_bytes: size of a new empty disk0.qcow2; 0: none
 */
typedef struct {
  char *directory, *name;
  GKeyFile *conf;
  char *image_path;
  guint64 disk_bytes;
  LodgeOperation *operation;
} LodgeMakeJob;

void lodge_make_job_free (LodgeMakeJob *job);

/**
 * lodge_make_job_run:
 * Makes the bundle in a hidden directory beside the others and moves it to its place when it is complete; a failed or cancelled call
 * leaves nothing. What earlier processes that were killed left half-made is removed.
 * Errors: LODGE_ERROR_*; G_IO_ERROR_CANCELLED.
 * Returns: (transfer full): the bundle's path.
 */
char *lodge_make_job_run (LodgeMakeJob *job, GError **error);

/** lodge_make_dup_path: Returns: (transfer full): the path of the bundle of a machine called @name. */
char *lodge_make_dup_path (const char *directory, const char *name);

G_END_DECLS
