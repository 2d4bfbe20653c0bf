/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Structured log of the engine (g_log_structured; domain "Vmm"). No printf, no logging on hot paths. */
#pragma once

#include "core/types.h"

void vmm_log_message (VmmMachine *machine, VmmDevice *dev, GLogLevelFlags level, const char *format, ...) G_GNUC_PRINTF (4, 5);

#define vmm_log_warning(machine, dev, ...) vmm_log_message (machine, dev, G_LOG_LEVEL_WARNING, __VA_ARGS__)
#define vmm_log_info(machine, dev, ...) vmm_log_message (machine, dev, G_LOG_LEVEL_INFO, __VA_ARGS__)
#define vmm_log_debug(machine, dev, ...) vmm_log_message (machine, dev, G_LOG_LEVEL_DEBUG, __VA_ARGS__)
