/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The USB controller as the devices behind it see it. */
#pragma once

#include "usb/usb.h"

/* @controller: of class "xhci" */
VmmUsbHost *vmm_xhci_get_usb_host (VmmDevice *controller);
