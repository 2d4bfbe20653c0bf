/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the rest of the engine puts into fw_cfg (the device itself is chipset/fw-cfg.c). */
#pragma once

#include "core/types.h"

/* Makes content when the guest first selects the item after a reset. Returns: (transfer full), of the promised size. */
typedef GBytes *(*VmmFwCfgMake) (gpointer data);

/* Before the machine runs. A second call with the same key or name replaces. */
void vmm_fw_cfg_set_item (VmmFwCfg *fw_cfg, guint16 key, gconstpointer data, gsize len);
void vmm_fw_cfg_set_u16 (VmmFwCfg *fw_cfg, guint16 key, guint16 value);
void vmm_fw_cfg_set_u32 (VmmFwCfg *fw_cfg, guint16 key, guint32 value);
void vmm_fw_cfg_set_u64 (VmmFwCfg *fw_cfg, guint16 key, guint64 value);
/* @bytes may be a mapped file: it is not copied. */
void vmm_fw_cfg_set_item_bytes (VmmFwCfg *fw_cfg, guint16 key, GBytes *bytes);
void vmm_fw_cfg_add_file (VmmFwCfg *fw_cfg, const char *name, GBytes *bytes);
/* @size is fixed for the directory; @make's result is padded with zeros to it. */
void vmm_fw_cfg_add_made_file (VmmFwCfg *fw_cfg, const char *name, gsize size, VmmFwCfgMake make, gpointer data);
/* @fd: (transfer full): a regular file, read when the guest reads: for what is too big to keep. What it lacks reads as zeros. */
void vmm_fw_cfg_add_fd_file (VmmFwCfg *fw_cfg, const char *name, int fd, guint64 fd_offset, gsize size);
/* The guest may write it by DMA; @ret_data stays valid while the machine lives. */
void vmm_fw_cfg_add_writable_file (VmmFwCfg *fw_cfg, const char *name, gsize size, const guint8 **ret_data);

/**
 * vmm_fw_cfg_add_boot_path:
 * Adds a device to the file "bootorder" (contract 4.4). Lower @index boots first. Files are assembled when the machine starts.
 */
void vmm_fw_cfg_add_boot_path (VmmFwCfg *fw_cfg, int index, const char *ofw_path);
