/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Port forwards: lists of them, as the setting "forward" of a network device has. */
#pragma once

#include "model/error.h"

G_BEGIN_DECLS

/**
 * lodge_net_forwards_parse:
 * @text: (nullable): forwards with commas between them, "tcp:2222-22,udp:127.0.0.1:5353-53"
 * Errors: LODGE_ERROR_INVALID.
 * Returns: (transfer full) (nullable): each in full, "tcp:127.0.0.1:2222-10.0.2.15:22", ended by NULL.
 */
char **lodge_net_forwards_parse (const char *text, GError **error);

/** lodge_net_forwards_check: Errors: LODGE_ERROR_INVALID. Returns: %TRUE if @text is such a list. */
gboolean lodge_net_forwards_check (const char *text, GError **error);

/**
 * lodge_net_forwards_add:
 * @text: (nullable): the list
 * @forward: one to add
 * Errors: LODGE_ERROR_INVALID; LODGE_ERROR_EXISTS the port of the host leads somewhere already.
 * Returns: (transfer full): the new list.
 */
char *lodge_net_forwards_add (const char *text, const char *forward, GError **error);

/**
 * lodge_net_forwards_remove:
 * @forward: only protocol and the host's side count; the guest's may be left out: "tcp:2222"
 * Errors: LODGE_ERROR_INVALID; LODGE_ERROR_NOT_FOUND.
 * Returns: (transfer full): the new list, empty if there is no other.
 */
char *lodge_net_forwards_remove (const char *text, const char *forward, GError **error);

G_END_DECLS
