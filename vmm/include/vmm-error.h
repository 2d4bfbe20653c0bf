/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * VMM_ERROR:
 * The error domain of the engine. Messages are untranslated technical text; app/ turns the code into words for people.
 */
#define VMM_ERROR (vmm_error_quark ())

/**
 * VmmError:
 * @VMM_ERROR_UNSUPPORTED: the host or the file asks for something the engine cannot do
 * @VMM_ERROR_INVALID_CONFIG: a setting is unknown, malformed or out of range
 * @VMM_ERROR_HOST: the host refused (errno kept in the text)
 * @VMM_ERROR_BUSY: another process holds the thing
 * @VMM_ERROR_CORRUPT: a file's content contradicts its format
 * @VMM_ERROR_STATE_MISMATCH: a saved state does not fit this machine
 * @VMM_ERROR_NO_SPACE: the host's disk is full
 * @VMM_ERROR_NO_KVM: /dev/kvm is missing, forbidden or switched off
 * @VMM_ERROR_NOT_FOUND: a file that should be there is not
 */
typedef enum {
  VMM_ERROR_UNSUPPORTED,
  VMM_ERROR_INVALID_CONFIG,
  VMM_ERROR_HOST,
  VMM_ERROR_BUSY,
  VMM_ERROR_CORRUPT,
  VMM_ERROR_STATE_MISMATCH,
  VMM_ERROR_NO_SPACE,
  VMM_ERROR_NO_KVM,
  VMM_ERROR_NOT_FOUND,
} VmmError;

GQuark vmm_error_quark (void);

G_END_DECLS
