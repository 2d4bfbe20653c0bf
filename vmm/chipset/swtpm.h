/* SPDX-License-Identifier: GPL-3.0-or-later */
/* swtpm, a TPM 2.0 as a process of its own, and what is said to it. One thread at a time, but for vmm_swtpm_cancel(). */
#pragma once

#include "core/types.h"

typedef struct _VmmSwtpm VmmSwtpm;

#define VMM_SWTPM_HEADER 10 /* tag, size, code: of a command and of a response */

/**
 * vmm_swtpm_new:
 * @program: (nullable): instead of "swtpm" in PATH
 * @state_dir: kept by swtpm; made if missing
 * @log_path: (nullable): what swtpm complains of
 * @buffer_size: bytes that the longest command or response has
 * Starts swtpm and the TPM in it. It ends when the result is freed, or when this process ends for whatever reason.
 * Blocks on the process. Thread: control.
 * Errors: VMM_ERROR_NOT_FOUND (no swtpm), _UNSUPPORTED (too old), _HOST (it does not start, or its state is damaged; @log_path is named).
 * Spec: swtpm_ioctls(3), swtpm(8).
 * Returns: (transfer full): or NULL.
 */
VmmSwtpm *vmm_swtpm_new (const char *program, const char *state_dir, const char *log_path, guint buffer_size, GError **error);
/**
 * vmm_swtpm_free:
 * Ends the process: kindly, and if that takes more than three seconds, not.
 */
void vmm_swtpm_free (VmmSwtpm *tpm);

/**
 * vmm_swtpm_power_cycle:
 * The TPM loses its power and gets it back, as a computer's reset line does it. Blocks.
 */
gboolean vmm_swtpm_power_cycle (VmmSwtpm *tpm, GError **error);

/**
 * vmm_swtpm_execute:
 * @command: @len: at least a header
 * @response: @room: takes the response
 * Blocks until the TPM has an answer: some seconds for a key.
 * Errors: VMM_ERROR_HOST: the process is gone or talks nonsense.
 * Returns: the response's length, or 0.
 */
gsize vmm_swtpm_execute (VmmSwtpm *tpm, const guint8 *command, gsize len, guint8 *response, gsize room, GError **error);

/**
 * vmm_swtpm_prepare:
 * A command will come: what vmm_swtpm_cancel() asks from now on is meant for it. Never blocks. Thread: any, while no command runs.
 */
void vmm_swtpm_prepare (VmmSwtpm *tpm);

/**
 * vmm_swtpm_cancel:
 * Asks the TPM to give up the command that runs or was prepared for; it may do it anyway. Never blocks. Thread: any.
 */
void vmm_swtpm_cancel (VmmSwtpm *tpm);

/**
 * vmm_swtpm_abandon:
 * Cuts the line, so that vmm_swtpm_execute() returns with an error, now and always. Thread: any.
 */
void vmm_swtpm_abandon (VmmSwtpm *tpm);
