/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a machine is made of: the model behind the hardware page, the Devices menu and the commands that change a machine. */
#pragma once

#include "model/device.h"
#include "model/machine.h"

G_BEGIN_DECLS

/**
 * LodgeHardware:
 * A GListModel of LodgeDevice, [machine] first, then [kernel] if there is one, then the devices in the order of machine.conf. It
 * follows the machine's "settings" and "running-settings". Main thread only.
 *
 * Properties (read-only, notify): "machine" LodgeMachine; "pending" boolean: the running machine is another than machine.conf says.
 * Signals: "boot-order-changed" (LodgeHardware *).
 */
#define LODGE_TYPE_HARDWARE (lodge_hardware_get_type ())
G_DECLARE_FINAL_TYPE (LodgeHardware, lodge_hardware, LODGE, HARDWARE, GObject)

LodgeHardware *lodge_hardware_new (LodgeMachine *machine);
LodgeMachine *lodge_hardware_get_machine (LodgeHardware *self);
gboolean lodge_hardware_get_pending (LodgeHardware *self);

/** lodge_hardware_find: Returns: (transfer none) (nullable): the device with that id. */
LodgeDevice *lodge_hardware_find (LodgeHardware *self, const char *id);

/** lodge_hardware_dup_free_id: Returns: (transfer full): an id for a new device of @class_name, like "disk1". */
char *lodge_hardware_dup_free_id (LodgeHardware *self, const char *class_name);

/**
 * lodge_hardware_check:
 * @value: (nullable): %NULL: what holds without the setting
 * Errors: LODGE_ERROR_INVALID saying what is allowed.
 */
gboolean lodge_hardware_check (const LodgeDeviceInfo *info, const char *id, const char *key, const char *value, GError **error);

/**
 * lodge_hardware_set_async:
 * @value: (nullable): %NULL: as without the setting
 * Errors: as lodge_machine_configure_async(); LODGE_ERROR_NOT_FOUND no such device.
 */
void lodge_hardware_set_async (LodgeHardware *self, const char *id, const char *key, const char *value, GCancellable *cancellable,
                               GAsyncReadyCallback callback, gpointer user_data);
gboolean lodge_hardware_set_finish (LodgeHardware *self, GAsyncResult *result, GError **error);

/**
 * lodge_hardware_add_async:
 * @id: (nullable): %NULL: a free one
 * @values: (nullable): key -> text
 * @new_disk_mib: not 0: makes an empty disk image of this size in the machine's folder and gives it to the device, which must be one
 *   that lodge_device_info_takes_new_disk()
 * Adds a device. A format that is not given follows from the image.
 * Errors: as lodge_machine_configure_async(); LODGE_ERROR_EXISTS the id is taken; then no image is left behind.
 */
void lodge_hardware_add_async (LodgeHardware *self, const char *class_name, const char *id, GHashTable *values,
                               guint64 new_disk_mib, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
/** lodge_hardware_add_finish: Returns: (transfer full): the new device's id. */
char *lodge_hardware_add_finish (LodgeHardware *self, GAsyncResult *result, GError **error);

/**
 * lodge_hardware_remove_async:
 * Takes a device out of machine.conf. Its images stay where they are.
 * Errors: LODGE_ERROR_NOT_FOUND; as lodge_machine_configure_async().
 */
void lodge_hardware_remove_async (LodgeHardware *self, const char *id, GCancellable *cancellable, GAsyncReadyCallback callback,
                                  gpointer user_data);
/** lodge_hardware_remove_finish: Returns: (transfer full): what lodge_machine_configure_async() takes to bring it back. */
GVariant *lodge_hardware_remove_finish (LodgeHardware *self, GAsyncResult *result, GError **error);

/**
 * lodge_hardware_list_boot_order:
 * Returns: (transfer full) (element-type LodgeDevice): the devices that a machine can start from: first those it does, in order.
 */
GPtrArray *lodge_hardware_list_boot_order (LodgeHardware *self);

/**
 * lodge_hardware_set_boot_order_async:
 * @ids: ended by NULL: what the machine starts from, in order; it does not start from others
 */
void lodge_hardware_set_boot_order_async (LodgeHardware *self, const char *const *ids, GCancellable *cancellable,
                                          GAsyncReadyCallback callback, gpointer user_data);
gboolean lodge_hardware_set_boot_order_finish (LodgeHardware *self, GAsyncResult *result, GError **error);

G_END_DECLS
