/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/**
 * LODGE_ERROR:
 * The error domain of app/. Messages are translated, whole sentences for people: what happened, to what, and what to do next.
 * A technical text may follow after a line break; lodge_error_split() takes the two apart.
 */
#define LODGE_ERROR (lodge_error_quark ())

/**
 * LodgeError:
 * @LODGE_ERROR_FAILED: none of the others
 * @LODGE_ERROR_INVALID: something given is malformed or out of range
 * @LODGE_ERROR_EXISTS: the name is taken
 * @LODGE_ERROR_NOT_FOUND: no such machine, device or file
 * @LODGE_ERROR_BUSY: another process holds the thing, or an action is under way
 * @LODGE_ERROR_NOT_RUNNING: the action needs a running machine
 * @LODGE_ERROR_RUNNING: the action needs a machine that is off
 * @LODGE_ERROR_UNSUPPORTED: this kind of machine, host or file cannot do that
 * @LODGE_ERROR_NO_KVM: /dev/kvm is missing, forbidden or switched off; LodgeHost knows the remedy
 * @LODGE_ERROR_NO_SPACE: the host's disk is full
 * @LODGE_ERROR_CONFIG: machine.conf cannot be understood
 */
typedef enum {
  LODGE_ERROR_FAILED,
  LODGE_ERROR_INVALID,
  LODGE_ERROR_EXISTS,
  LODGE_ERROR_NOT_FOUND,
  LODGE_ERROR_BUSY,
  LODGE_ERROR_NOT_RUNNING,
  LODGE_ERROR_RUNNING,
  LODGE_ERROR_UNSUPPORTED,
  LODGE_ERROR_NO_KVM,
  LODGE_ERROR_NO_SPACE,
  LODGE_ERROR_CONFIG,
} LodgeError;

GQuark lodge_error_quark (void);

/**
 * lodge_error_split:
 * @message: the message of an error
 * @ret_details: (out) (transfer full) (nullable): technical text, %NULL if there is none
 * Returns: (transfer full): the sentence for people.
 */
char *lodge_error_split (const char *message, char **ret_details);

G_END_DECLS
