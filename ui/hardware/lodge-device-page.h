/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The settings of one device, made from its description. */
#pragma once

#include <adwaita.h>

#include "model/hardware.h"

G_BEGIN_DECLS

/** LodgeDevicePage: Signals: "removed" (LodgeDevicePage *, const char *id): somebody pressed Remove. */
#define LODGE_TYPE_DEVICE_PAGE (lodge_device_page_get_type ())
G_DECLARE_FINAL_TYPE (LodgeDevicePage, lodge_device_page, LODGE, DEVICE_PAGE, AdwBin)

/** lodge_device_page_set_device: @hardware: @device: (nullable): nothing is shown */
void lodge_device_page_set_device (LodgeDevicePage *self, LodgeHardware *hardware, LodgeDevice *device);

/** lodge_device_get_icon: Returns: the name of the icon that suits what the description says. */
const char *lodge_device_get_icon (const LodgeDeviceInfo *info);

G_END_DECLS
