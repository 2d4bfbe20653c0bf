/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SMBIOS: what machine this is, for people, licences and management tools.
 * Spec: DMTF DSP0134 2.8.0 §5.2.1 (entry point), §7. Firmware adds type 0 itself, moves the tables and patches the entry point. */
#include "chipset/fw-cfg.h"
#include "core/machine.h"
#include "core/memory.h"
#include "x86/tables.h"

#include <string.h>

#define SMB_MIB (1024 * 1024)
#define SMB_HANDLE_SYSTEM 0x0100
#define SMB_HANDLE_CHASSIS 0x0300
#define SMB_HANDLE_PROCESSOR 0x0400
#define SMB_HANDLE_ARRAY 0x1000
#define SMB_HANDLE_MODULE 0x1100
#define SMB_HANDLE_RANGE 0x1300
#define SMB_HANDLE_BOOT 0x2000
#define SMB_HANDLE_END 0x7f00
#define SMB_NO_HANDLE 0xffff
#define SMB_NOT_PROVIDED 0xfffe /* error information */

typedef struct {
  GByteArray *bytes;
  guint count, largest;
  gsize start; /* of the structure that is being written */
  GPtrArray *strings;
} SmbWriter;

static void
smb_u8 (SmbWriter *writer, guint8 value)
{
  g_byte_array_append (writer->bytes, &value, 1);
}

static void
smb_u16 (SmbWriter *writer, guint16 value)
{
  value = GUINT16_TO_LE (value);
  g_byte_array_append (writer->bytes, (const guint8 *) &value, sizeof value);
}

static void
smb_u32 (SmbWriter *writer, guint32 value)
{
  value = GUINT32_TO_LE (value);
  g_byte_array_append (writer->bytes, (const guint8 *) &value, sizeof value);
}

static void
smb_u64 (SmbWriter *writer, guint64 value)
{
  value = GUINT64_TO_LE (value);
  g_byte_array_append (writer->bytes, (const guint8 *) &value, sizeof value);
}

/* A reference to a string that follows the formatted part. */
static void
smb_string (SmbWriter *writer, const char *text)
{
  g_ptr_array_add (writer->strings, (gpointer) text);
  smb_u8 (writer, (guint8) writer->strings->len);
}

static void
smb_begin (SmbWriter *writer, guint8 type, guint16 handle)
{
  writer->start = writer->bytes->len;
  g_ptr_array_set_size (writer->strings, 0);
  smb_u8 (writer, type);
  smb_u8 (writer, 0); /* length, filled in by smb_end() */
  smb_u16 (writer, handle);
}

static void
smb_end (SmbWriter *writer, guint8 expected_length)
{
  gsize length = writer->bytes->len - writer->start;

  g_assert (length == expected_length);
  writer->bytes->data[writer->start + 1] = expected_length;
  for (guint i = 0; i < writer->strings->len; i++)
    g_byte_array_append (writer->bytes, writer->strings->pdata[i], (guint) strlen (writer->strings->pdata[i]) + 1);
  if (writer->strings->len == 0)
    smb_u8 (writer, 0);
  smb_u8 (writer, 0);
  writer->count++;
  writer->largest = MAX (writer->largest, (guint) (writer->bytes->len - writer->start));
}

/* §7.2.1: the first three fields are little-endian. All zeros: none. */
static void
smb_parse_uuid (const char *text, guint8 uuid[16])
{
  static const guint8 order[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
  guint n = 0;

  memset (uuid, 0, 16);
  if (text == NULL || !g_uuid_string_is_valid (text))
    return;
  for (const char *at = text; *at != '\0' && n < 16; at++)
    if (*at != '-')
      {
        uuid[order[n++]] = (guint8) (g_ascii_xdigit_value (at[0]) << 4 | g_ascii_xdigit_value (at[1]));
        at++;
      }
}

static void
smb_add_system (SmbWriter *writer, const char *uuid_text)
{
  guint8 uuid[16];

  smb_parse_uuid (uuid_text, uuid);
  smb_begin (writer, 1, SMB_HANDLE_SYSTEM);
  smb_string (writer, "Lodge");
  smb_string (writer, "Virtual Machine");
  smb_string (writer, "q35");
  smb_u8 (writer, 0); /* serial number */
  g_byte_array_append (writer->bytes, uuid, sizeof uuid);
  smb_u8 (writer, 6); /* woken by the power switch */
  smb_u8 (writer, 0); /* SKU */
  smb_string (writer, "Virtual Machine");
  smb_end (writer, 0x1b);

  smb_begin (writer, 3, SMB_HANDLE_CHASSIS);
  smb_string (writer, "Lodge");
  smb_u8 (writer, 3); /* desktop */
  smb_string (writer, "q35");
  smb_u8 (writer, 0);  /* serial number */
  smb_u8 (writer, 0);  /* asset tag */
  smb_u8 (writer, 3);  /* boot-up state: safe */
  smb_u8 (writer, 3);  /* power supply: safe */
  smb_u8 (writer, 3);  /* thermal: safe */
  smb_u8 (writer, 2);  /* security: unknown */
  smb_u32 (writer, 0); /* OEM */
  smb_u8 (writer, 0);  /* height */
  smb_u8 (writer, 1);  /* power cords */
  smb_u8 (writer, 0);  /* contained elements */
  smb_u8 (writer, 0);  /* their length */
  smb_u8 (writer, 0);  /* SKU */
  smb_end (writer, 0x16);
}

static void
smb_add_processor (SmbWriter *writer, guint n_cores)
{
  guint8 cores = (guint8) MIN (n_cores, 255);

  smb_begin (writer, 4, SMB_HANDLE_PROCESSOR);
  smb_string (writer, "CPU 0");
  smb_u8 (writer, 3); /* central processor */
  smb_u8 (writer, 1); /* family: other */
  smb_string (writer, "Lodge");
  smb_u64 (writer, 0); /* the guest reads CPUID itself */
  smb_string (writer, "q35");
  smb_u8 (writer, 0);  /* voltage */
  smb_u16 (writer, 0); /* external clock: unknown */
  smb_u16 (writer, 0); /* speeds: unknown */
  smb_u16 (writer, 0);
  smb_u8 (writer, 0x41);           /* socket populated, enabled */
  smb_u8 (writer, 1);              /* upgrade: other */
  smb_u16 (writer, SMB_NO_HANDLE); /* caches */
  smb_u16 (writer, SMB_NO_HANDLE);
  smb_u16 (writer, SMB_NO_HANDLE);
  smb_u8 (writer, 0); /* serial number, asset tag, part number */
  smb_u8 (writer, 0);
  smb_u8 (writer, 0);
  smb_u8 (writer, cores);
  smb_u8 (writer, cores);                                /* enabled */
  smb_u8 (writer, cores);                                /* threads */
  smb_u16 (writer, 0x0004 | (n_cores > 1 ? 0x0008 : 0)); /* 64-bit capable, multi-core */
  smb_u16 (writer, 1);                                   /* family: other */
  smb_end (writer, 0x2a);
}

static void
smb_add_range (SmbWriter *writer, guint16 handle, guint64 start, guint64 size)
{
  guint64 end = start + size - 1;
  gboolean extended = end / 1024 >= G_MAXUINT32;

  if (size == 0)
    return;
  smb_begin (writer, 19, handle);
  smb_u32 (writer, extended ? G_MAXUINT32 : (guint32) (start / 1024));
  smb_u32 (writer, extended ? G_MAXUINT32 : (guint32) (end / 1024));
  smb_u16 (writer, SMB_HANDLE_ARRAY);
  smb_u8 (writer, 1); /* modules a row */
  smb_u64 (writer, extended ? start : 0);
  smb_u64 (writer, extended ? end : 0);
  smb_end (writer, 0x1f);
}

static void
smb_add_memory (SmbWriter *writer, VmmMachine *machine)
{
  guint64 mib = machine->ram_bytes / SMB_MIB, kib = machine->ram_bytes / 1024;
  gboolean extended = kib >= 0x80000000;

  smb_begin (writer, 16, SMB_HANDLE_ARRAY);
  smb_u8 (writer, 3); /* on the system board */
  smb_u8 (writer, 3); /* system memory */
  smb_u8 (writer, 3); /* no error correction */
  smb_u32 (writer, extended ? 0x80000000 : (guint32) kib);
  smb_u16 (writer, SMB_NOT_PROVIDED);
  smb_u16 (writer, 1); /* modules */
  smb_u64 (writer, extended ? machine->ram_bytes : 0);
  smb_end (writer, 0x17);

  smb_begin (writer, 17, SMB_HANDLE_MODULE);
  smb_u16 (writer, SMB_HANDLE_ARRAY);
  smb_u16 (writer, SMB_NOT_PROVIDED);
  smb_u16 (writer, 0xffff); /* widths: unknown */
  smb_u16 (writer, 0xffff);
  smb_u16 (writer, mib >= 0x7fff ? 0x7fff : (guint16) mib);
  smb_u8 (writer, 9); /* DIMM */
  smb_u8 (writer, 0); /* no set */
  smb_string (writer, "DIMM 0");
  smb_u8 (writer, 0);       /* bank */
  smb_u8 (writer, 7);       /* RAM */
  smb_u16 (writer, 0x0002); /* detail: other */
  smb_u16 (writer, 0);      /* speed: unknown */
  smb_string (writer, "Lodge");
  smb_u8 (writer, 0); /* serial number, asset tag, part number, attributes */
  smb_u8 (writer, 0);
  smb_u8 (writer, 0);
  smb_u8 (writer, 0);
  smb_u32 (writer, mib >= 0x7fff ? (guint32) mib : 0);
  smb_u16 (writer, 0); /* configured speed, voltages: unknown */
  smb_u16 (writer, 0);
  smb_u16 (writer, 0);
  smb_u16 (writer, 0);
  smb_end (writer, 0x28);

  smb_add_range (writer, SMB_HANDLE_RANGE, 0, vmm_memory_get_low_size (machine->memory));
  smb_add_range (writer, SMB_HANDLE_RANGE + 1, G_GUINT64_CONSTANT (1) << 32, vmm_memory_get_high_size (machine->memory));
}

static void
smb_add_end (SmbWriter *writer)
{
  smb_begin (writer, 32, SMB_HANDLE_BOOT);
  for (guint i = 0; i < 6; i++)
    smb_u8 (writer, 0);
  smb_u8 (writer, 0); /* no errors detected */
  smb_end (writer, 0x0b);

  smb_begin (writer, 127, SMB_HANDLE_END);
  smb_end (writer, 4);
}

static guint8
smb_checksum (const guint8 *bytes, gsize len)
{
  guint8 sum = 0;

  for (gsize i = 0; i < len; i++)
    sum = (guint8) (sum + bytes[i]);
  return (guint8) -sum;
}

/* §5.2.1. The tables' address stays 0 for the firmware. */
static GBytes *
smb_make_anchor (const SmbWriter *writer)
{
  guint8 anchor[31] = "_SM_";

  anchor[5] = sizeof anchor;
  anchor[6] = 2;
  anchor[7] = 8;
  anchor[8] = (guint8) writer->largest;
  anchor[9] = (guint8) (writer->largest >> 8);
  memcpy (anchor + 16, "_DMI_", 5);
  anchor[22] = (guint8) writer->bytes->len;
  anchor[23] = (guint8) (writer->bytes->len >> 8);
  anchor[28] = (guint8) writer->count;
  anchor[29] = (guint8) (writer->count >> 8);
  anchor[30] = 0x28;
  anchor[21] = smb_checksum (anchor + 16, 15);
  anchor[4] = smb_checksum (anchor, sizeof anchor);
  return g_bytes_new (anchor, sizeof anchor);
}

void
vmm_smbios_install (VmmMachine *machine, const char *uuid)
{
  SmbWriter writer = { .bytes = g_byte_array_new (), .strings = g_ptr_array_new () };
  g_autoptr (GBytes) anchor = NULL;
  g_autoptr (GBytes) tables = NULL;

  smb_add_system (&writer, uuid);
  smb_add_processor (&writer, machine->n_vcpus);
  smb_add_memory (&writer, machine);
  smb_add_end (&writer);
  anchor = smb_make_anchor (&writer);
  tables = g_byte_array_free_to_bytes (writer.bytes);
  g_ptr_array_unref (writer.strings);
  vmm_fw_cfg_add_file (machine->fw_cfg, "etc/smbios/smbios-anchor", anchor);
  vmm_fw_cfg_add_file (machine->fw_cfg, "etc/smbios/smbios-tables", tables);
}
