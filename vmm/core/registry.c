/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The one table of device classes. A new device: its file, its two lines here, its line in meson.build. */
#include "core/device.h"

extern const VmmDeviceClass vmm_ahci_class;
extern const VmmDeviceClass vmm_ata_disk_class;
extern const VmmDeviceClass vmm_atapi_cd_class;
extern const VmmDeviceClass vmm_bios_rom_class;
extern const VmmDeviceClass vmm_debugcon_class;
extern const VmmDeviceClass vmm_e1000e_class;
extern const VmmDeviceClass vmm_fw_cfg_class;
extern const VmmDeviceClass vmm_hda_class;
extern const VmmDeviceClass vmm_i8042_class;
extern const VmmDeviceClass vmm_ide_cd_class;
extern const VmmDeviceClass vmm_ide_disk_class;
extern const VmmDeviceClass vmm_isa_stubs_class;
extern const VmmDeviceClass vmm_lpc_class;
extern const VmmDeviceClass vmm_mch_class;
extern const VmmDeviceClass vmm_nvme_class;
extern const VmmDeviceClass vmm_pci_host_class;
extern const VmmDeviceClass vmm_pflash_class;
extern const VmmDeviceClass vmm_piix_ide_class;
extern const VmmDeviceClass vmm_pm_class;
extern const VmmDeviceClass vmm_pvpanic_class;
extern const VmmDeviceClass vmm_rtc_class;
extern const VmmDeviceClass vmm_rtl8139_class;
extern const VmmDeviceClass vmm_serial_class;
extern const VmmDeviceClass vmm_test_device_class;
extern const VmmDeviceClass vmm_tpm_crb_class;
extern const VmmDeviceClass vmm_usb_host_class;
extern const VmmDeviceClass vmm_usb_hub_class;
extern const VmmDeviceClass vmm_usb_keyboard_class;
extern const VmmDeviceClass vmm_usb_mouse_class;
extern const VmmDeviceClass vmm_usb_storage_class;
extern const VmmDeviceClass vmm_usb_tablet_class;
extern const VmmDeviceClass vmm_vga_class;
extern const VmmDeviceClass vmm_virtio_balloon_class;
extern const VmmDeviceClass vmm_virtio_blk_class;
extern const VmmDeviceClass vmm_virtio_console_class;
extern const VmmDeviceClass vmm_virtio_gpu_class;
extern const VmmDeviceClass vmm_virtio_keyboard_class;
extern const VmmDeviceClass vmm_virtio_mouse_class;
extern const VmmDeviceClass vmm_virtio_multitouch_class;
extern const VmmDeviceClass vmm_virtio_net_class;
extern const VmmDeviceClass vmm_virtio_rng_class;
extern const VmmDeviceClass vmm_virtio_snd_class;
extern const VmmDeviceClass vmm_virtio_tablet_class;
extern const VmmDeviceClass vmm_virtio_vga_class;
extern const VmmDeviceClass vmm_watchdog_class;
extern const VmmDeviceClass vmm_xhci_class;

const VmmDeviceClass *const vmm_device_classes[] = {
  /* audio/ */
  &vmm_hda_class,
  /* chipset/ */
  &vmm_bios_rom_class,
  &vmm_debugcon_class,
  &vmm_fw_cfg_class,
  &vmm_i8042_class,
  &vmm_isa_stubs_class,
  &vmm_lpc_class,
  &vmm_mch_class,
  &vmm_pflash_class,
  &vmm_pm_class,
  &vmm_pvpanic_class,
  &vmm_rtc_class,
  &vmm_serial_class,
  &vmm_watchdog_class,
#ifdef LODGE_TEST_DEVICES
  &vmm_test_device_class,
#endif
  &vmm_tpm_crb_class,
  /* display/ */
  &vmm_vga_class,
  /* net/ */
  &vmm_e1000e_class,
  &vmm_rtl8139_class,
  /* pci/ */
  &vmm_pci_host_class,
  /* storage/ */
  &vmm_ahci_class,
  &vmm_ata_disk_class,
  &vmm_atapi_cd_class,
  &vmm_ide_cd_class,
  &vmm_ide_disk_class,
  &vmm_nvme_class,
  &vmm_piix_ide_class,
  /* usb/ */
  &vmm_usb_host_class,
  &vmm_usb_hub_class,
  &vmm_usb_keyboard_class,
  &vmm_usb_mouse_class,
  &vmm_usb_storage_class,
  &vmm_usb_tablet_class,
  &vmm_xhci_class,
  /* virtio/ */
  &vmm_virtio_balloon_class,
  &vmm_virtio_blk_class,
  &vmm_virtio_console_class,
  &vmm_virtio_gpu_class,
  &vmm_virtio_keyboard_class,
  &vmm_virtio_mouse_class,
  &vmm_virtio_multitouch_class,
  &vmm_virtio_net_class,
  &vmm_virtio_rng_class,
  &vmm_virtio_snd_class,
  &vmm_virtio_tablet_class,
  &vmm_virtio_vga_class,
  NULL,
};
