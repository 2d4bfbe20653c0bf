/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A dialog to choose a new device from all that there are, and to settle what it needs. */
#pragma once

#include <adwaita.h>

#include "model/hardware.h"

G_BEGIN_DECLS

/** LodgeAddHardware: Signals: "added" (LodgeAddHardware *, const char *id): the device is in machine.conf; the dialog closes. */
#define LODGE_TYPE_ADD_HARDWARE (lodge_add_hardware_get_type ())
G_DECLARE_FINAL_TYPE (LodgeAddHardware, lodge_add_hardware, LODGE, ADD_HARDWARE, AdwDialog)

LodgeAddHardware *lodge_add_hardware_new (LodgeHardware *hardware);

G_END_DECLS
