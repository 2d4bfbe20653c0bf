/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engine's view of a checked configuration. */
#pragma once

#include "core/types.h"

typedef struct {
  char *id; /* the group's name */
  const VmmDeviceClass *class;
  GHashTable *settings; /* key -> value, without "class" */
} VmmConfigDevice;

const char *vmm_config_get_base_dir (const VmmConfig *config);
/* Values of [machine] and [kernel] with defaults filled in; (nullable). */
const char *vmm_config_get_machine (const VmmConfig *config, const char *key);
const char *vmm_config_get_kernel (const VmmConfig *config, const char *key);
/* (transfer full) (nullable): absolute. */
char *vmm_config_dup_machine_path (const VmmConfig *config, const char *key);
char *vmm_config_dup_kernel_path (const VmmConfig *config, const char *key);
guint64 vmm_config_get_machine_int (const VmmConfig *config, const char *key);
gboolean vmm_config_has_kernel (const VmmConfig *config);
guint vmm_config_get_n_devices (const VmmConfig *config);
const VmmConfigDevice *vmm_config_get_device (const VmmConfig *config, guint index);

/* Decimal or 0x hexadecimal, whole string. */
gboolean vmm_setting_parse_int (const char *text, gint64 *ret_value);
