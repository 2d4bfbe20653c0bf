/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the two files of LodgeMachineSpec share: machine-spec.c has the fields and the making, machine-spec-judge.c the advice. */
#pragma once

#include "media/os.h"
#include "model/machine-spec.h"

G_BEGIN_DECLS

#define LSPC_MIB ((guint64) 1 << 20)
#define LSPC_NAME_MAX 100             /* characters */
#define LSPC_NAME_BYTES_MAX 200       /* bytes: a file name has at most 255 */
#define LSPC_MEMORY_MIN 4             /* MiB, the engine's own limit */
#define LSPC_DEFAULT_MEMORY 2048      /* MiB */
#define LSPC_DEFAULT_DISK (20 * 1024) /* MiB */

typedef enum {
  LSPC_HAND_NAME = 1,
  LSPC_HAND_OS = 2,
  LSPC_HAND_MEMORY = 4,
  LSPC_HAND_CPUS = 8,
  LSPC_HAND_DISK = 16,
  LSPC_HAND_FIRMWARE = 32,
  LSPC_HAND_TPM = 64,
} LspcHand;

typedef struct {
  char *group, *key, *value; /* value: (nullable): remove the key */
} LspcOverride;

struct _LodgeMachineSpec {
  GObject parent_instance;
  LodgeLibrary *library;
  LodgeSource source;
  char *name, *path, *initrd, *kernel_args, *os_id, *firmware;
  gboolean link_image, tpm;
  guint memory_mib, cpus;
  guint64 disk_mib, free_disk_mib;
  LspcHand by_hand;
  GPtrArray *overrides;

  LodgeMediaInfo *media; /* (nullable) */
  char *media_problem;   /* (nullable) */
  GCancellable *detecting;
  GPtrArray *detect_tasks; /* GTask: wait for the detection */

  char *problems[LODGE_N_SPEC_FIELDS];
  char *hint;
  gboolean valid;
};

/** _lodge_machine_spec_judge: Looks at every field; sets "valid" and "hint". */
void _lodge_machine_spec_judge (LodgeMachineSpec *self);
/** _lodge_machine_spec_build: Returns: (transfer full): machine.conf as it stands; a copied disk gets its image when it is made. */
GKeyFile *_lodge_machine_spec_build (LodgeMachineSpec *self);
/** _lodge_machine_spec_get_os: Returns: (transfer none) (nullable): what the advice follows. */
LodgeOs *_lodge_machine_spec_get_os (LodgeMachineSpec *self);

G_END_DECLS
