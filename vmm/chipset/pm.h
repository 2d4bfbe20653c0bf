/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "core/types.h"

/**
 * vmm_pm_power_button:
 * @pm: a device of class "pm"
 * The chassis' power button was pressed: PWRBTN_STS and, if the guest wants it, an SCI.
 * Thread: any; takes the device's lock.
 * Spec: ACPI 6.5 §4.8.3.1.1.
 */
void vmm_pm_power_button (VmmDevice *pm);

/**
 * vmm_pm_set_window:
 * @base: first of 128 ports; 0: nowhere
 * @sci_gsi: the interrupt that the SCI raises, level-triggered
 * What the LPC bridge decodes (PMBASE, ACPI_CNTL). Takes the device's lock.
 */
void vmm_pm_set_window (VmmDevice *pm, guint16 base, guint sci_gsi);
