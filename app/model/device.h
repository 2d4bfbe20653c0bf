/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One device of a machine, or one of the groups [machine] and [kernel]: its description and what machine.conf says. */
#pragma once

#include <gio/gio.h>

#include "engine/device-catalog.h"

G_BEGIN_DECLS

/**
 * LodgeDeviceState:
 * @LODGE_DEVICE_SAME: as it runs, or the machine is off
 * @LODGE_DEVICE_CHANGED: the running machine has it with other settings
 * @LODGE_DEVICE_ADDED: it comes with the machine's next start
 */
typedef enum {
  LODGE_DEVICE_SAME,
  LODGE_DEVICE_CHANGED,
  LODGE_DEVICE_ADDED,
} LodgeDeviceState;

#define LODGE_TYPE_DEVICE_STATE (lodge_device_state_get_type ())
GType lodge_device_state_get_type (void);

/**
 * LodgeDevice:
 * Owned and updated by its LodgeHardware; main thread only.
 *
 * Properties (read-only, notify): "title" string, translated: what it is; "detail" string: its id and what it stands on;
 *   "state" LodgeDeviceState.
 * Signals: "changed" (LodgeDevice *): a value or what is pending is another.
 */
#define LODGE_TYPE_DEVICE (lodge_device_get_type ())
G_DECLARE_FINAL_TYPE (LodgeDevice, lodge_device, LODGE, DEVICE, GObject)

/** lodge_device_get_id: Returns: the group in machine.conf: "disk0", "machine" … */
const char *lodge_device_get_id (LodgeDevice *self);
const LodgeDeviceInfo *lodge_device_get_info (LodgeDevice *self);
const char *lodge_device_get_title (LodgeDevice *self);
const char *lodge_device_get_detail (LodgeDevice *self);
LodgeDeviceState lodge_device_get_state (LodgeDevice *self);

/** lodge_device_is_removable: Returns: %FALSE for [machine]. */
gboolean lodge_device_is_removable (LodgeDevice *self);

/** lodge_device_get_value: Returns: (nullable): what machine.conf says of @key, else what holds without it; %NULL: nothing. */
const char *lodge_device_get_value (LodgeDevice *self, const char *key);
/** lodge_device_is_set: Returns: %TRUE if machine.conf says something of @key. */
gboolean lodge_device_is_set (LodgeDevice *self, const char *key);
/** lodge_device_is_pending: Returns: %TRUE if the running machine has another value of @key, until it is started again. */
gboolean lodge_device_is_pending (LodgeDevice *self, const char *key);

/** lodge_device_dup_keys: Returns: (transfer full): the keys that machine.conf has of it, with "class" as the first. */
char **lodge_device_dup_keys (LodgeDevice *self);

/** lodge_device_can_boot: Returns: %TRUE if it has a place in the boot order. */
gboolean lodge_device_can_boot (LodgeDevice *self);
/** lodge_device_get_boot: Returns: its place in the boot order, -1: the machine does not start from it. */
int lodge_device_get_boot (LodgeDevice *self);

/**
 * _lodge_device_new: For LodgeHardware. @info: (nullable): %NULL if @id is no device that we know.
 */
LodgeDevice *_lodge_device_new (const char *id, const LodgeDeviceInfo *info);
/** _lodge_device_update: For LodgeHardware. @running: (nullable): what the machine runs with; emits what changed. */
void _lodge_device_update (LodgeDevice *self, GKeyFile *settings, GKeyFile *running);

G_END_DECLS
