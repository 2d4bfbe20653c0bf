/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engine's public interface: all that app/engine may use. */
#pragma once

#include "vmm-block.h"
#include "vmm-config.h"
#include "vmm-console.h"
#include "vmm-error.h"
#include "vmm-host.h"
#include "vmm-machine.h"
#include "vmm-usb.h"
#include "vmm-net.h"
