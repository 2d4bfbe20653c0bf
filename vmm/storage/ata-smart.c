/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "storage/ata-smart.h"

#include <string.h>

#define SMART_ATTRIBUTE_SIZE 12
#define SMART_FLAG_PREFAIL 0x0001
#define SMART_FLAG_ONLINE 0x0002
#define SMART_FLAG_COUNT 0x0010
#define SMART_LOG_DIRECTORY 0x00

static const struct {
  guint8 id;
  guint16 flags;
  guint8 threshold;
} smart_attributes[] = {
  { 5, SMART_FLAG_PREFAIL | SMART_FLAG_ONLINE | SMART_FLAG_COUNT, 10 }, /* reallocated sectors */
  { 9, SMART_FLAG_ONLINE | SMART_FLAG_COUNT, 0 },                       /* power-on hours */
  { 197, SMART_FLAG_ONLINE | SMART_FLAG_COUNT, 0 },                     /* sectors waiting for reallocation */
};

static void
smart_finish_page (guint8 page[VMM_ATA_SECTOR])
{
  guint8 sum = 0;

  for (guint i = 0; i < VMM_ATA_SECTOR - 1; i++)
    sum = (guint8) (sum + page[i]);
  page[VMM_ATA_SECTOR - 1] = (guint8) -sum;
}

static void
smart_fill_data (guint8 page[VMM_ATA_SECTOR], guint64 hours)
{
  page[0] = 0x10; /* revision */
  for (guint i = 0; i < G_N_ELEMENTS (smart_attributes); i++)
    {
      guint8 *entry = page + 2 + i * SMART_ATTRIBUTE_SIZE;

      entry[0] = smart_attributes[i].id;
      entry[1] = (guint8) smart_attributes[i].flags;
      entry[3] = entry[4] = 100; /* now and worst */
      if (smart_attributes[i].id == 9)
        for (guint b = 0; b < 6; b++)
          entry[5 + b] = (guint8) (hours >> 8 * b);
    }
  page[368] = 0x03; /* attributes are saved, by themselves */
  smart_finish_page (page);
}

static void
smart_fill_thresholds (guint8 page[VMM_ATA_SECTOR])
{
  page[0] = 0x10;
  for (guint i = 0; i < G_N_ELEMENTS (smart_attributes); i++)
    {
      page[2 + i * SMART_ATTRIBUTE_SIZE] = smart_attributes[i].id;
      page[3 + i * SMART_ATTRIBUTE_SIZE] = smart_attributes[i].threshold;
    }
  smart_finish_page (page);
}

VmmAtaSmartResult
vmm_ata_smart_command (const VmmAtaRegisters *in, guint8 *enabled, guint64 hours, guint8 page[VMM_ATA_SECTOR])
{
  guint feature = in->feature & 0xff;

  if ((in->lba & 0xffff00) != VMM_ATA_SMART_SIGNATURE || (!*enabled && feature != 0xd8))
    return VMM_ATA_SMART_REFUSED;
  memset (page, 0, VMM_ATA_SECTOR);
  switch (feature)
    {
    case 0xd0: /* READ DATA */
      smart_fill_data (page, hours);
      return VMM_ATA_SMART_DATA;
    case 0xd1: /* READ THRESHOLDS */
      smart_fill_thresholds (page);
      return VMM_ATA_SMART_DATA;
    case 0xd2: /* ATTRIBUTE AUTOSAVE */
    case 0xd3: /* SAVE ATTRIBUTES */
      return VMM_ATA_SMART_DONE;
    case 0xd5: /* READ LOG */
      if ((in->lba & 0xff) != SMART_LOG_DIRECTORY || (in->count & 0xff) != 1)
        return VMM_ATA_SMART_REFUSED;
      page[0] = 1; /* version; no logs */
      return VMM_ATA_SMART_DATA;
    case 0xd8:
      *enabled = TRUE;
      return VMM_ATA_SMART_DONE;
    case 0xd9:
      *enabled = FALSE;
      return VMM_ATA_SMART_DONE;
    case 0xda:
      return VMM_ATA_SMART_GOOD;
    default:
      return VMM_ATA_SMART_REFUSED;
    }
}
