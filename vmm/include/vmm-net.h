/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The network of a machine that runs. What is set here lasts as long as the VmmMachine; machine.conf is the caller's. */
#pragma once

#include "vmm-machine.h"

G_BEGIN_DECLS

/**
 * vmm_net_forward_check:
 * @forward: "tcp:[HOST:]PORT-[GUEST:]PORT" or "udp:…", IPv6 addresses in brackets; the host's address is 127.0.0.1 and the guest's
 *   10.0.2.15 if it is left out; "tcp::2222-:22" is the same as "tcp:2222-22"
 * Is this a port forward? Thread: any.
 * Errors: VMM_ERROR_INVALID_CONFIG.
 * Returns: (transfer full): the same in full, "tcp:127.0.0.1:2222-10.0.2.15:22", or NULL. Two forwards are the same if protocol and the
 *   host's side are.
 */
char *vmm_net_forward_check (const char *forward, GError **error);

/**
 * vmm_machine_net_add_forward:
 * @device_id: "net0" …, a NIC on the network "user"
 * @forward: as in vmm_net_forward_check(); one at a time
 * @done: (nullable): control thread
 * A port of the host leads into the guest from now on. Thread: any.
 * Errors: VMM_ERROR_NOT_FOUND no such NIC; _UNSUPPORTED not on the network "user"; _BUSY the port is taken; _HOST.
 */
void vmm_machine_net_add_forward (VmmMachine *machine, const char *device_id, const char *forward, VmmDone done, gpointer data);

/**
 * vmm_machine_net_remove_forward:
 * @forward: only protocol and the host's side count
 * Connections that exist go on. Thread: any.
 * Errors: VMM_ERROR_NOT_FOUND no such NIC or forward; _UNSUPPORTED.
 */
void vmm_machine_net_remove_forward (VmmMachine *machine, const char *device_id, const char *forward, VmmDone done, gpointer data);

/**
 * vmm_machine_net_dup_forwards:
 * The port forwards of a NIC that are in force, each in full. Waits for the machine's iothread, shortly. Thread: any but its own.
 * Returns: (transfer full) (nullable): ended by NULL, empty if there are none; NULL: no such NIC.
 */
char **vmm_machine_net_dup_forwards (VmmMachine *machine, const char *device_id);

/**
 * vmm_machine_net_set_link:
 * @up: FALSE pulls the cable
 * Thread: any.
 * Errors: VMM_ERROR_NOT_FOUND no such NIC.
 */
void vmm_machine_net_set_link (VmmMachine *machine, const char *device_id, gboolean up, VmmDone done, gpointer data);

/**
 * vmm_machine_net_get_link:
 * Returns: TRUE if the cable is in and leads to a network. Thread: any.
 */
gboolean vmm_machine_net_get_link (VmmMachine *machine, const char *device_id);

G_END_DECLS
