/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the board tells firmware and operating systems about itself, through fw_cfg. Each is called once, when all devices are there and
 * before the machine runs; without a fw_cfg device they must not be called. */
#pragma once

#include "core/types.h"

/**
 * vmm_items_install:
 * @boot_menu: the firmware offers its boot menu
 * The numbers that firmware asks for: memory, processors, interrupt override, sleep states.
 * Spec: QEMU's docs/specs/fw_cfg and its users in SeaBIOS and OVMF.
 */
void vmm_items_install (VmmMachine *machine, gboolean boot_menu);

/**
 * vmm_e820_install:
 * "etc/e820": RAM, and what must stay free: KVM's own pages, on AMD the HyperTransport hole.
 */
void vmm_e820_install (VmmMachine *machine);

/**
 * vmm_smbios_install:
 * @uuid: (nullable): as text; kept by the guest's operating system as the machine's identity
 * "etc/smbios/…": system, chassis, processor, memory. Spec: SMBIOS 2.8.
 */
void vmm_smbios_install (VmmMachine *machine, const char *uuid);

/**
 * vmm_acpi_install:
 * "etc/acpi/…" and "etc/table-loader", made when the guest asks for them: they depend on where the firmware put ECAM.
 * Spec: ACPI 6.5; QEMU's docs/specs/acpi_… (table loader).
 */
void vmm_acpi_install (VmmMachine *machine);
