/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engine's descriptions of devices and their settings, for pages and commands: nothing above knows any device by itself. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * LodgeSettingType:
 * @LODGE_SETTING_TEXT: a line of text
 * @LODGE_SETTING_FILE: a path; a relative one is relative to the bundle
 * @LODGE_SETTING_NUMBER: a whole number in [minimum, maximum]
 * @LODGE_SETTING_SWITCH: "true" or "false"
 * @LODGE_SETTING_CHOICE: one of choices
 */
typedef enum {
  LODGE_SETTING_TEXT,
  LODGE_SETTING_FILE,
  LODGE_SETTING_NUMBER,
  LODGE_SETTING_SWITCH,
  LODGE_SETTING_CHOICE,
} LodgeSettingType;

typedef struct {
  const char *key;
  LodgeSettingType type;
  const char *fallback;       /* (nullable): what holds if it is not set, as written in machine.conf */
  gint64 minimum, maximum;    /* LODGE_SETTING_NUMBER */
  const char *const *choices; /* LODGE_SETTING_CHOICE: ended by NULL */
  const char *summary;        /* translated, one line */
  gboolean required;
  gboolean live; /* takes effect while the machine runs */
} LodgeSettingInfo;

typedef struct {
  const char *name;        /* value of class=; "machine" and "kernel" for these groups */
  const char *summary;     /* translated, one line */
  const char *description; /* (nullable): translated: a sentence on what it is good for */
  const char *bus;         /* "system", "pci", "sata" … */
  const LodgeSettingInfo *settings;
  guint n_settings;
} LodgeDeviceInfo;

/** lodge_device_catalog_list: Returns: (transfer none): what may be added to a machine, in the engine's order. Thread: any. */
const LodgeDeviceInfo *const *lodge_device_catalog_list (guint *ret_n);

/** lodge_device_catalog_find: Returns: (transfer none) (nullable): the class @name of a device that may be added. Thread: any. */
const LodgeDeviceInfo *lodge_device_catalog_find (const char *name);

/** lodge_device_catalog_get_machine: Returns: (transfer none): the settings of the group [machine]. Thread: any. */
const LodgeDeviceInfo *lodge_device_catalog_get_machine (void);
/** lodge_device_catalog_get_kernel: Returns: (transfer none): the settings of the group [kernel]. Thread: any. */
const LodgeDeviceInfo *lodge_device_catalog_get_kernel (void);

/** lodge_device_info_find: Returns: (transfer none) (nullable): the setting @key. */
const LodgeSettingInfo *lodge_device_info_find (const LodgeDeviceInfo *info, const char *key);

/**
 * lodge_device_info_takes_new_disk:
 * Returns: %TRUE if the device stands on a disk image of a format that we can make.
 */
gboolean lodge_device_info_takes_new_disk (const LodgeDeviceInfo *info);

/** lodge_device_info_is_drive: Returns: %TRUE if it has a medium that can be changed while the machine runs. */
gboolean lodge_device_info_is_drive (const LodgeDeviceInfo *info);
/** lodge_device_info_is_screen: Returns: %TRUE if the machine draws on it. */
gboolean lodge_device_info_is_screen (const LodgeDeviceInfo *info);
/** lodge_device_info_is_network: Returns: %TRUE if it has a network cable. */
gboolean lodge_device_info_is_network (const LodgeDeviceInfo *info);

/**
 * lodge_setting_info_dup_values:
 * Returns: (transfer full): what the setting takes, for a help text: "1…64", "true|false", "FILE" …
 */
char *lodge_setting_info_dup_values (const LodgeSettingInfo *setting);

G_END_DECLS
