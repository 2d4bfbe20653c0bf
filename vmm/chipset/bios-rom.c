/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The BIOS ROM: an image that ends at 4 GiB, where the processor starts, and whose last 128 KiB show below 1 MiB until the host bridge
 * sends reads there to RAM (chipset/mch.c). Spec: ICH9 datasheet (316972) §5.13 (FWH decoding). Left out: writing (no flash chip). */
#include "chipset/mch.h"
#include "core/device.h"
#include "core/memory.h"
#include "firmware/firmware.h"

#include <string.h>

#define BIOR_END G_GUINT64_CONSTANT (0x100000000)
#define BIOR_UNIT 0x10000            /* the F segment must be whole */
#define BIOR_MAX (16u * 1024 * 1024) /* the range that decodes to ROM: FF000000-FFFFFFFF */

typedef struct {
  VmmDevice base;
  VmmRam *ram;
  VmmSlot *slot;
  VmmDevice *mch; /* (not owned) */
} BiosRom;

static const VmmSetting bior_settings[] = {
  { .key = "file", .type = VMM_SETTING_PATH, .summary = N_ ("BIOS image; if unset, the distribution's SeaBIOS") },
  { .key = NULL },
};

static gboolean
bior_load (BiosRom *rom, const char *path, GError **error)
{
  g_autofree char *contents = NULL;
  gsize len;

  if (!g_file_get_contents (path, &contents, &len, error))
    return FALSE;
  if (len == 0 || len > BIOR_MAX || len % BIOR_UNIT != 0)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_CORRUPT,
                   "%s: a BIOS image is a multiple of 64 KiB and at most 16 MiB, not %" G_GSIZE_FORMAT " bytes", path, len);
      return FALSE;
    }
  rom->ram = vmm_ram_new ("bios", len, error);
  if (rom->ram == NULL)
    return FALSE;
  memcpy (rom->ram->host, contents, len);
  return TRUE;
}

static gboolean
bior_realize (VmmDevice *dev, GError **error)
{
  BiosRom *rom = (BiosRom *) dev;
  VmmMemory *memory = vmm_device_get_memory (dev);
  g_autofree char *path = vmm_device_dup_path (dev, "file");

  rom->mch = vmm_device_find_class (dev, "mch");
  g_assert (rom->mch != NULL);
  if (path == NULL)
    path = vmm_firmware_find_bios (error);
  if (path == NULL || !bior_load (rom, path, error))
    return FALSE;
  vmm_memory_begin (memory);
  rom->slot = vmm_memory_add_slot (memory, rom->ram, 0, BIOR_END - rom->ram->size, rom->ram->size, VMM_SLOT_READONLY);
  vmm_memory_commit (memory);
  vmm_mch_set_bios (rom->mch, rom->ram);
  return TRUE;
}

static void
bior_unrealize (VmmDevice *dev)
{
  BiosRom *rom = (BiosRom *) dev;
  VmmMemory *memory = vmm_device_get_memory (dev);

  vmm_mch_set_bios (rom->mch, NULL);
  vmm_memory_begin (memory);
  vmm_memory_remove_slot (memory, rom->slot);
  vmm_memory_commit (memory);
  vmm_ram_free (rom->ram);
}

const VmmDeviceClass vmm_bios_rom_class = {
  .name = "bios-rom",
  .summary = N_ ("BIOS"),
  .bus = VMM_DEVICE_SYSTEM,
  .instance_size = sizeof (BiosRom),
  .settings = bior_settings,
  .state_version = 1,
  .realize = bior_realize,
  .unrealize = bior_unrealize,
};
