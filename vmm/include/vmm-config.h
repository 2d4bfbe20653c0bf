/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Settings are described once, in tables; the tables validate machine.conf, make the settings window and the command line's help. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
  VMM_SETTING_STRING,
  VMM_SETTING_PATH, /* relative paths are relative to the bundle */
  VMM_SETTING_INT,  /* decimal or 0x hexadecimal, within [min, max] */
  VMM_SETTING_BOOL, /* true or false */
  VMM_SETTING_ENUM, /* one of choices */
} VmmSettingType;

typedef enum {
  VMM_SETTING_NONE = 0,
  VMM_SETTING_REQUIRED = 1 << 0,
  VMM_SETTING_LIVE = 1 << 1, /* may change while the machine runs */
} VmmSettingFlags;

/**
 * VmmSetting:
 * One key of one group of machine.conf. Tables end with an entry whose @key is %NULL.
 */
typedef struct {
  const char *key;
  VmmSettingType type;
  const char *fallback; /* as written in the file; NULL: unset */
  gint64 min, max;      /* VMM_SETTING_INT */
  const char *const *choices;
  const char *summary; /* one line, translatable (N_) */
  VmmSettingFlags flags;
} VmmSetting;

/**
 * VmmClassInfo:
 * What the layers above may know of a device class.
 */
typedef struct {
  const char *name;        /* value of class= */
  const char *summary;     /* one line, translatable (N_) */
  const char *description; /* (nullable): a sentence for people: what it is good for, translatable (N_) */
  const char *bus;         /* "system", "pci", "sata", "usb", "ide" */
  const VmmSetting *settings;
  gboolean user_creatable; /* may stand in machine.conf */
} VmmClassInfo;

/** vmm_class_list: Returns: (transfer none): all device classes, ended by an entry with name NULL. Thread: any. */
const VmmClassInfo *vmm_class_list (void);

/** vmm_machine_settings: Returns: (transfer none): the settings of the group [machine]. Thread: any. */
const VmmSetting *vmm_machine_settings (void);

/** vmm_kernel_settings: Returns: (transfer none): the settings of the group [kernel] (direct boot). Thread: any. */
const VmmSetting *vmm_kernel_settings (void);

typedef struct _VmmConfig VmmConfig;

/**
 * vmm_config_new:
 * @file: parsed machine.conf. The engine reads [machine], [kernel] and every group with a key "class"; it leaves groups whose
 *   name starts with "app" or "window" to the layers above. Any other group or key is an error.
 * @base_dir: directory that relative paths start from
 * Checks every group and key against the tables.
 * Thread: any. The result is immutable.
 * Errors: VMM_ERROR_INVALID_CONFIG naming group and key.
 * Returns: (transfer full): the configuration, or NULL.
 */
VmmConfig *vmm_config_new (GKeyFile *file, const char *base_dir, GError **error);
VmmConfig *vmm_config_ref (VmmConfig *config);
void vmm_config_unref (VmmConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VmmConfig, vmm_config_unref)

/**
 * vmm_setting_check:
 * Checks one @value (as written in the file) against one setting.
 * Errors: VMM_ERROR_INVALID_CONFIG saying what is allowed.
 */
gboolean vmm_setting_check (const VmmSetting *setting, const char *value, GError **error);

G_END_DECLS
