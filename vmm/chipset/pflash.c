/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A flash chip below 4 GiB that holds UEFI firmware or its variables.
 * Spec: JEDEC JEP137B and JESD68.01 (CFI); Intel 28F320J3 datasheet (290667) §4, §9-§13 (commands, status register), as OVMF's QemuFlash.c uses
 * them. Left out: suspend, lock bits, protection register, STS pin; erasing and programming take no time.
 *
 * Theory of operation: eight data lines, blocks of 4 KiB. In read-array mode the processor sees the content as read-only memory, and only
 * writes (commands) leave the guest; while the chip shows anything else, or waits for the rest of a command, its memory slot is away and
 * reads come here too. Firmware writes many bytes before it goes back to reading, so slots change seldom. A chip with variables hands what
 * changed to its file (flash-file.c) each time it goes back to reading, and when the machine is reset or switched off. Reset: read-array.
 * Two commands act as firmware of virtual machines expects rather than as the datasheet says: Clear Status Register goes back to reading,
 * and leaves no bit set, not even "ready"; this is how OVMF tells flash from RAM. */
#include "chipset/flash-file.h"
#include "chipset/mch.h"
#include "core/bus.h"
#include "core/device.h"
#include "core/memory.h"

#include <string.h>

#define PFL_BLOCK 4096u
#define PFL_MAX (16u << 20)  /* the range that decodes to flash: FF000000-FFFFFFFF */
#define PFL_BIOS_UNIT 0x4000 /* what PAM can show below 1 MiB */
#define PFL_BIOS_MIN 0x10000
#define PFL_4G G_GUINT64_CONSTANT (0x100000000)

/* Commands, datasheet table 4 */
#define PFL_CMD_ZERO 0x00 /* (what RAM detection writes) */
#define PFL_CMD_PROGRAM_ALT 0x10
#define PFL_CMD_ERASE 0x20
#define PFL_CMD_PROGRAM 0x40
#define PFL_CMD_CLEAR_STATUS 0x50
#define PFL_CMD_READ_STATUS 0x70
#define PFL_CMD_READ_ID 0x90
#define PFL_CMD_QUERY 0x98
#define PFL_CMD_CONFIRM 0xd0
#define PFL_CMD_BUFFER 0xe8
#define PFL_CMD_READ_ARRAY 0xff

/* Status register, datasheet table 16 */
#define PFL_SR_READY 0x80
#define PFL_SR_ERASE_ERROR 0x20
#define PFL_SR_PROGRAM_ERROR 0x10
#define PFL_SR_SEQUENCE_ERROR (PFL_SR_ERASE_ERROR | PFL_SR_PROGRAM_ERROR)

#define PFL_ID_MANUFACTURER 0x89 /* Intel */
#define PFL_ID_DEVICE 0x18

#define PFL_BUFFER_LOG2 5
#define PFL_BUFFER (1u << PFL_BUFFER_LOG2)
#define PFL_QUERY_SIZE 0x40

typedef enum { PFL_SHOW_ARRAY, PFL_SHOW_STATUS, PFL_SHOW_ID, PFL_SHOW_QUERY, PFL_N_SHOW } PflShow;

/* What the next write is part of. */
typedef enum {
  PFL_WAIT_COMMAND,
  PFL_WAIT_PROGRAM_DATA,
  PFL_WAIT_ERASE_CONFIRM,
  PFL_WAIT_BUFFER_COUNT,
  PFL_WAIT_BUFFER_DATA,
  PFL_WAIT_BUFFER_CONFIRM,
  PFL_N_WAIT
} PflWait;

typedef struct {
  guint8 show; /* PflShow */
  guint8 wait; /* PflWait */
  guint8 status;
  guint8 buffer_len;  /* 1…PFL_BUFFER */
  guint8 buffer_left; /* data still to come */
  guint8 padding[3];
  guint32 buffer_block; /* offset of the block that the buffer is for */
  guint32 buffer_start; /* offset of its first byte */
  guint8 buffer[PFL_BUFFER];
} PflRegs;

typedef struct {
  VmmDevice base;
  PflRegs regs;
  VmmRam *ram;   /* the content */
  VmmSlot *slot; /* (nullable): while the array shows */
  VmmRegion region;
  guint64 gpa;
  gboolean readonly;
  VmmFlashFile *file;           /* (nullable): not for a read-only chip */
  gsize dirty_from, dirty_to;   /* what `file` does not know yet; from >= to: nothing */
  VmmDevice *mch;               /* (nullable) (not owned): shows our end below 1 MiB */
  guint8 query[PFL_QUERY_SIZE]; /* from offset 10 on */
} Pflash;

static const VmmSetting pfl_settings[] = {
  { .key = "file", .type = VMM_SETTING_PATH, .summary = N_ ("Content of the flash chip"), .flags = VMM_SETTING_REQUIRED },
  { .key = "template", .type = VMM_SETTING_PATH, .summary = N_ ("What the content is at first") },
  { .key = "readonly", .type = VMM_SETTING_BOOL, .fallback = "true", .summary = N_ ("The guest cannot change it") },
  { .key = "end",
    .type = VMM_SETTING_INT,
    .fallback = "0x100000000",
    .min = PFL_BLOCK,
    .max = PFL_4G,
    .summary = N_ ("Address of its end") },
  { .key = NULL },
};

static const VmmField pfl_fields[] = {
  VMM_FIELD_MAX (PflRegs, show, PFL_N_SHOW - 1),
  VMM_FIELD_MAX (PflRegs, wait, PFL_N_WAIT - 1),
  VMM_FIELD (PflRegs, status),
  VMM_FIELD_MAX (PflRegs, buffer_len, PFL_BUFFER),
  VMM_FIELD_MAX (PflRegs, buffer_left, PFL_BUFFER),
  VMM_FIELD_NOT_SAVED (PflRegs, padding, "alignment"),
  VMM_FIELD (PflRegs, buffer_block),
  VMM_FIELD (PflRegs, buffer_start),
  VMM_FIELD_ARRAY (PflRegs, buffer),
  VMM_FIELD_END,
};

/* The query structure, JESD68.01 §2: offsets 10-30, then Intel's extension. */
static void
pfl_fill_query (guint8 *query, gsize size)
{
  gsize n_blocks = size / PFL_BLOCK;
  guint log2 = 0;
  const guint8 fixed[PFL_QUERY_SIZE] = {
    'Q',
    'R',
    'Y',
    0x01,
    0x00, /* command set: Intel/Sharp extended */
    0x31,
    0x00, /* its table is at 31 */
    0x00,
    0x00,
    0x00,
    0x00, /* no other command set */
    0x27,
    0x36, /* supply from 2.7 V to 3.6 V */
    0x00,
    0x00, /* no programming voltage */
    0x07,
    0x07,
    0x0a,
    0x00, /* typical times, 2^n µs: byte, buffer; ms: block, chip (cannot be erased at once) */
    0x04,
    0x04,
    0x04,
    0x00, /* longest times, 2^n typical ones */
    0,    /* 27: size is 2^n */
    0x00,
    0x00, /* interface: eight data lines */
    PFL_BUFFER_LOG2,
    0x00, /* write buffer is 2^n */
    1,    /* one kind of blocks: */
    0,
    0, /* 2D: their number less one */
    PFL_BLOCK / 256,
    0x00, /* their size in units of 256 */
    'P',
    'R',
    'I',
    '1',
    '0', /* 31 */
    0x00,
    0x00,
    0x00,
    0x00, /* no optional features */
    0x00,
    0x00,
    0x00, /* nothing while suspended, no lock bits */
    0x33,
    0x00, /* best at 3.3 V */
  };

  while (((gsize) 1 << log2) < size)
    log2++;
  memcpy (query, fixed, sizeof fixed);
  query[0x27 - 0x10] = (guint8) log2;
  query[0x2d - 0x10] = (guint8) (n_blocks - 1);
  query[0x2e - 0x10] = (guint8) ((n_blocks - 1) >> 8);
}

/* Shows the array as memory, or not. */
static void
pfl_update_slot (Pflash *flash)
{
  VmmMemory *memory = vmm_device_get_memory (&flash->base);
  gboolean wanted = flash->regs.show == PFL_SHOW_ARRAY && flash->regs.wait == PFL_WAIT_COMMAND;

  if (wanted == (flash->slot != NULL))
    return;
  vmm_memory_begin (memory);
  if (wanted)
    flash->slot = vmm_memory_add_slot (memory, flash->ram, 0, flash->gpa, flash->ram->size, VMM_SLOT_READONLY);
  else
    vmm_memory_remove_slot (memory, g_steal_pointer (&flash->slot));
  vmm_memory_commit (memory);
}

static void
pfl_write_through (Pflash *flash)
{
  if (flash->file != NULL && flash->dirty_from < flash->dirty_to)
    vmm_flash_file_update (flash->file, flash->dirty_from, flash->ram->host + flash->dirty_from,
                           flash->dirty_to - flash->dirty_from);
  flash->dirty_from = G_MAXSIZE;
  flash->dirty_to = 0;
}

static void
pfl_touch (Pflash *flash, gsize offset, gsize len)
{
  flash->dirty_from = MIN (flash->dirty_from, offset);
  flash->dirty_to = MAX (flash->dirty_to, offset + len);
}

/* A command is done: the chip is ready and shows its status. */
static void
pfl_finish (Pflash *flash, guint8 error)
{
  flash->regs.wait = PFL_WAIT_COMMAND;
  flash->regs.show = PFL_SHOW_STATUS;
  flash->regs.status |= PFL_SR_READY | error;
}

/* Programming can only clear bits; erasing sets them. */
static void
pfl_program (Pflash *flash, gsize offset, const guint8 *data, gsize len)
{
  if (flash->readonly)
    {
      pfl_finish (flash, PFL_SR_PROGRAM_ERROR);
      return;
    }
  for (gsize i = 0; i < len; i++)
    flash->ram->host[offset + i] &= data[i];
  pfl_touch (flash, offset, len);
  pfl_finish (flash, 0);
}

static void
pfl_erase (Pflash *flash, gsize offset)
{
  gsize block = offset & ~(gsize) (PFL_BLOCK - 1);

  if (flash->readonly)
    {
      pfl_finish (flash, PFL_SR_ERASE_ERROR);
      return;
    }
  memset (flash->ram->host + block, 0xff, PFL_BLOCK);
  pfl_touch (flash, block, PFL_BLOCK);
  pfl_finish (flash, 0);
}

/* Datasheet §11: the count less one, as many data cycles at increasing addresses, confirm; all within one block. */
static void
pfl_buffer_count (Pflash *flash, gsize offset, guint8 value)
{
  PflRegs *regs = &flash->regs;

  if (value >= PFL_BUFFER)
    {
      pfl_finish (flash, PFL_SR_SEQUENCE_ERROR);
      return;
    }
  regs->buffer_block = (guint32) (offset & ~(gsize) (PFL_BLOCK - 1));
  regs->buffer_len = regs->buffer_left = (guint8) (value + 1);
  memset (regs->buffer, 0xff, sizeof regs->buffer);
  regs->wait = PFL_WAIT_BUFFER_DATA;
}

static void
pfl_buffer_data (Pflash *flash, gsize offset, guint8 value)
{
  PflRegs *regs = &flash->regs;

  if (regs->buffer_left == regs->buffer_len)
    regs->buffer_start = (guint32) offset;
  if (offset < regs->buffer_start || offset - regs->buffer_start >= regs->buffer_len || offset < regs->buffer_block
      || offset - regs->buffer_block >= PFL_BLOCK)
    {
      pfl_finish (flash, PFL_SR_SEQUENCE_ERROR);
      return;
    }
  regs->buffer[offset - regs->buffer_start] = value;
  if (--regs->buffer_left == 0)
    regs->wait = PFL_WAIT_BUFFER_CONFIRM;
}

static void
pfl_command (Pflash *flash, gsize offset, guint8 value)
{
  PflRegs *regs = &flash->regs;

  switch (value)
    {
    case PFL_CMD_PROGRAM:
    case PFL_CMD_PROGRAM_ALT:
      regs->show = PFL_SHOW_STATUS;
      regs->wait = PFL_WAIT_PROGRAM_DATA;
      break;
    case PFL_CMD_ERASE:
      regs->show = PFL_SHOW_STATUS;
      regs->wait = PFL_WAIT_ERASE_CONFIRM;
      break;
    case PFL_CMD_BUFFER:
      regs->show = PFL_SHOW_STATUS; /* extended status: the buffer is free */
      regs->status |= PFL_SR_READY;
      regs->wait = PFL_WAIT_BUFFER_COUNT;
      break;
    case PFL_CMD_CLEAR_STATUS:
      regs->status = 0;
      regs->show = PFL_SHOW_ARRAY;
      break;
    case PFL_CMD_READ_STATUS:
      regs->show = PFL_SHOW_STATUS;
      break;
    case PFL_CMD_READ_ID:
      regs->show = PFL_SHOW_ID;
      break;
    case PFL_CMD_QUERY:
      regs->show = PFL_SHOW_QUERY;
      break;
    case PFL_CMD_ZERO:
    case PFL_CMD_READ_ARRAY:
      regs->show = PFL_SHOW_ARRAY;
      break;
    default:
      vmm_guest_error (&flash->base, "unknown flash command %02x at %#" G_GSIZE_MODIFIER "x", value, offset);
      regs->show = PFL_SHOW_ARRAY;
      break;
    }
}

static void
pfl_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  Pflash *flash = (Pflash *) dev;
  PflRegs *regs = &flash->regs;
  guint8 byte = (guint8) value;

  switch ((PflWait) regs->wait)
    {
    case PFL_WAIT_PROGRAM_DATA:
      pfl_program (flash, offset, &byte, 1);
      break;
    case PFL_WAIT_ERASE_CONFIRM:
      if (byte == PFL_CMD_CONFIRM)
        pfl_erase (flash, offset);
      else
        pfl_finish (flash, PFL_SR_SEQUENCE_ERROR);
      break;
    case PFL_WAIT_BUFFER_COUNT:
      pfl_buffer_count (flash, offset, byte);
      break;
    case PFL_WAIT_BUFFER_DATA:
      pfl_buffer_data (flash, offset, byte);
      break;
    case PFL_WAIT_BUFFER_CONFIRM:
      if (byte != PFL_CMD_CONFIRM || regs->buffer_start + regs->buffer_len > regs->buffer_block + PFL_BLOCK)
        pfl_finish (flash, PFL_SR_SEQUENCE_ERROR);
      else
        pfl_program (flash, regs->buffer_start, regs->buffer, regs->buffer_len);
      break;
    case PFL_WAIT_COMMAND:
    case PFL_N_WAIT:
    default:
      pfl_command (flash, offset, byte);
      break;
    }
  pfl_update_slot (flash);
  if (flash->slot != NULL)
    pfl_write_through (flash);
}

static guint64
pfl_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  Pflash *flash = (Pflash *) dev;

  switch ((PflShow) flash->regs.show)
    {
    case PFL_SHOW_STATUS:
      return flash->regs.status;
    case PFL_SHOW_ID: /* of any block; 2: the block's lock */
      return offset % PFL_BLOCK == 0 ? PFL_ID_MANUFACTURER : offset % PFL_BLOCK == 1 ? PFL_ID_DEVICE : 0;
    case PFL_SHOW_QUERY:
      return offset >= 0x10 && offset - 0x10 < PFL_QUERY_SIZE ? flash->query[offset - 0x10] : 0;
    case PFL_SHOW_ARRAY:
    case PFL_N_SHOW:
    default:
      return flash->ram->host[offset];
    }
}

static const VmmRegionOps pfl_ops = { .name = "pflash", .read = pfl_read, .write = pfl_write, .access_max = 1 };

static void
pfl_reset (VmmDevice *dev, VmmResetKind kind)
{
  Pflash *flash = (Pflash *) dev;

  flash->regs = (PflRegs) { .show = PFL_SHOW_ARRAY, .status = PFL_SR_READY };
  pfl_update_slot (flash);
}

/* The guest stands still: what it has written so far must outlive it. */
static void
pfl_quiesce (VmmDevice *dev)
{
  Pflash *flash = (Pflash *) dev;

  if (flash->file == NULL)
    return;
  vmm_device_lock (dev);
  pfl_write_through (flash);
  vmm_device_unlock (dev);
  vmm_flash_file_sync (flash->file);
}

static gboolean
pfl_post_load (VmmDevice *dev, GError **error)
{
  Pflash *flash = (Pflash *) dev;
  PflRegs *regs = &flash->regs;

  if (regs->buffer_left > regs->buffer_len || regs->buffer_block > flash->ram->size - PFL_BLOCK
      || regs->buffer_block % PFL_BLOCK != 0 || regs->buffer_start < regs->buffer_block
      || regs->buffer_start - regs->buffer_block >= PFL_BLOCK)
    {
      /* Only a buffered write under way needs these. */
      if (regs->wait == PFL_WAIT_BUFFER_DATA || regs->wait == PFL_WAIT_BUFFER_CONFIRM)
        {
          g_set_error_literal (error, VMM_ERROR, VMM_ERROR_STATE_MISMATCH, "flash: the write buffer's state contradicts itself");
          return FALSE;
        }
    }
  pfl_update_slot (flash);
  return TRUE;
}

/* Takes the content over. */
static gboolean
pfl_load (Pflash *flash, const char *path, GError **error)
{
  g_autofree char *template = vmm_device_dup_path (&flash->base, "template");
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) local = NULL;
  g_autofree char *text = NULL;
  gsize len;

  if (!flash->readonly)
    {
      flash->file = vmm_flash_file_open (flash->base.machine, path, template, &bytes, error);
      if (flash->file == NULL)
        return FALSE;
    }
  else if (g_file_get_contents (path, &text, &len, &local))
    bytes = g_bytes_new_take (g_steal_pointer (&text), len);
  else
    {
      g_set_error_literal (error, VMM_ERROR,
                           g_error_matches (local, G_FILE_ERROR, G_FILE_ERROR_NOENT) ? VMM_ERROR_NOT_FOUND : VMM_ERROR_HOST,
                           local->message);
      return FALSE;
    }
  len = g_bytes_get_size (bytes);
  if (len == 0 || len > PFL_MAX || len % PFL_BLOCK != 0 || len > flash->gpa)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_CORRUPT,
                   "%s: the content of a flash chip is at most 16 MiB, in whole blocks of 4 KiB, not %" G_GSIZE_FORMAT " bytes",
                   path, len);
      return FALSE;
    }
  flash->ram = vmm_ram_new ("flash", len, error);
  if (flash->ram == NULL)
    return FALSE;
  memcpy (flash->ram->host, g_bytes_get_data (bytes, NULL), len);
  flash->gpa -= len;
  return TRUE;
}

static void
pfl_release (Pflash *flash)
{
  g_clear_pointer (&flash->file, vmm_flash_file_free);
  g_clear_pointer (&flash->ram, vmm_ram_free);
}

static gboolean
pfl_realize (VmmDevice *dev, GError **error)
{
  Pflash *flash = (Pflash *) dev;
  g_autofree char *path = vmm_device_dup_path (dev, "file");
  guint64 end = (guint64) vmm_device_get_int (dev, "end");

  g_assert (path != NULL);
  flash->readonly = vmm_device_get_bool (dev, "readonly");
  flash->gpa = end & ~(guint64) (PFL_BLOCK - 1);
  flash->dirty_from = G_MAXSIZE;
  if (!pfl_load (flash, path, error))
    {
      pfl_release (flash);
      return FALSE;
    }
  if (end == PFL_4G)
    flash->mch = vmm_device_find_class (dev, "mch");
  if (flash->mch != NULL && (flash->ram->size < PFL_BIOS_MIN || flash->ram->size % PFL_BIOS_UNIT != 0))
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_CORRUPT, "%s: firmware is a multiple of 16 KiB and at least 64 KiB", path);
      pfl_release (flash);
      return FALSE;
    }
  pfl_fill_query (flash->query, flash->ram->size);
  vmm_bus_map_mmio (&flash->region, dev, &pfl_ops, NULL, flash->gpa, flash->ram->size);
  flash->regs = (PflRegs) { .show = PFL_SHOW_ARRAY, .status = PFL_SR_READY };
  pfl_update_slot (flash);
  if (flash->mch != NULL)
    vmm_mch_set_bios (flash->mch, flash->ram);
  return TRUE;
}

static void
pfl_unrealize (VmmDevice *dev)
{
  Pflash *flash = (Pflash *) dev;
  VmmMemory *memory = vmm_device_get_memory (dev);

  if (flash->mch != NULL)
    vmm_mch_set_bios (flash->mch, NULL);
  vmm_region_unmap (vmm_device_get_bus (dev), &flash->region);
  if (flash->slot != NULL)
    {
      vmm_memory_begin (memory);
      vmm_memory_remove_slot (memory, flash->slot);
      vmm_memory_commit (memory);
    }
  pfl_write_through (flash);
  pfl_release (flash);
}

const VmmDeviceClass vmm_pflash_class = {
  .name = "pflash",
  .summary = N_ ("Flash chip of the firmware"),
  .bus = VMM_DEVICE_SYSTEM,
  .instance_size = sizeof (Pflash),
  .settings = pfl_settings,
  .regs_offset = G_STRUCT_OFFSET (Pflash, regs),
  .regs_size = sizeof (PflRegs),
  .regs_fields = pfl_fields,
  .state_version = 1,
  .realize = pfl_realize,
  .reset = pfl_reset,
  .quiesce = pfl_quiesce,
  .unrealize = pfl_unrealize,
  .post_load = pfl_post_load,
};
