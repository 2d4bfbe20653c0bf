/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "storage/scsi-disk.h"

#include <string.h>

#define SCSI_VENDOR "LODGE   "
#define SCSI_REVISION "1.0 "

static void
scsi_put_text (guint8 *to, const char *text, gsize len)
{
  memset (to, ' ', len);
  memcpy (to, text, MIN (strlen (text), len));
}

/* Vital product data; the length stands in bytes 2 and 3. */
static gsize
scsi_vital_page (const VmmScsiDisk *disk, guint page, guint8 *reply)
{
  static const guint8 pages[] = { 0x00, 0x80, 0x83, 0xb0, 0xb1, 0xb2 };
  gsize serial_len = MIN (strlen (disk->serial), 36), len;

  switch (page)
    {
    case 0x00:
      memcpy (reply + 4, pages, sizeof pages);
      len = sizeof pages;
      break;
    case 0x80:
      memcpy (reply + 4, disk->serial, serial_len);
      len = serial_len;
      break;
    case 0x83: /* one designator: T10 vendor, ASCII */
      reply[4] = 0x02;
      reply[5] = 0x01;
      reply[7] = (guint8) (8 + serial_len);
      memcpy (reply + 8, SCSI_VENDOR, 8);
      memcpy (reply + 16, disk->serial, serial_len);
      len = 12 + serial_len;
      break;
    case 0xb0: /* block limits */
      if (disk->discard)
        {
          vmm_scsi_put32 (reply + 20, 0xffffffff);
          vmm_scsi_put32 (reply + 24, VMM_SCSI_MAX_UNMAP);
          vmm_scsi_put32 (reply + 28, 8); /* granularity: 4 KiB */
        }
      len = 60;
      break;
    case 0xb1: /* characteristics: does not rotate */
      reply[5] = 0x01;
      len = 60;
      break;
    case 0xb2: /* provisioning: UNMAP, what is unmapped reads as zeros; thin */
      if (disk->discard)
        {
          reply[5] = 0x84;
          reply[6] = 0x02;
        }
      len = 4;
      break;
    default:
      return 0;
    }
  reply[1] = (guint8) page;
  reply[3] = (guint8) len;
  return 4 + len;
}

gsize
vmm_scsi_inquiry (const VmmScsiDisk *disk, const guint8 *cdb, guint8 *reply)
{
  if ((cdb[1] & 1) != 0)
    return scsi_vital_page (disk, cdb[2], reply);
  if (cdb[2] != 0)
    return 0;
  reply[1] = disk->removable ? 0x80 : 0;
  reply[2] = 0x06; /* SPC-4 */
  reply[3] = 0x02;
  reply[4] = 31;
  scsi_put_text (reply + 8, SCSI_VENDOR, 8);
  scsi_put_text (reply + 16, disk->product, 16);
  scsi_put_text (reply + 32, SCSI_REVISION, 4);
  return 36;
}

gsize
vmm_scsi_mode_sense (const VmmScsiDisk *disk, const guint8 *cdb, guint8 *reply)
{
  gboolean ten = cdb[0] == 0x5a;
  guint code = cdb[2] & 0x3f, control = cdb[2] >> 6;
  gsize header = ten ? 8 : 4, len = header;

  if (code == 0x08 || code == 0x3f) /* caching: writes are cached */
    {
      reply[len] = 0x08;
      reply[len + 1] = 18;
      reply[len + 2] = control == 1 ? 0 : 0x04;
      len += 20;
    }
  if (code == 0x0a || code == 0x3f) /* control */
    {
      reply[len] = 0x0a;
      reply[len + 1] = 10;
      len += 12;
    }
  if (len == header)
    return 0;
  if (ten)
    {
      reply[1] = (guint8) (len - 2);
      reply[3] = disk->read_only ? 0x80 : 0;
    }
  else
    {
      reply[0] = (guint8) (len - 1);
      reply[2] = disk->read_only ? 0x80 : 0;
    }
  return len;
}

gsize
vmm_scsi_capacity_10 (const VmmScsiDisk *disk, guint8 *reply)
{
  vmm_scsi_put32 (reply, (guint32) MIN (disk->blocks - 1, G_MAXUINT32));
  vmm_scsi_put32 (reply + 4, VMM_SCSI_BLOCK);
  return 8;
}

gsize
vmm_scsi_capacity_16 (const VmmScsiDisk *disk, const guint8 *cdb, guint8 *reply)
{
  if ((cdb[1] & 0x1f) != 0x10) /* another service action */
    return 0;
  vmm_scsi_put64 (reply, disk->blocks - 1);
  vmm_scsi_put32 (reply + 8, VMM_SCSI_BLOCK);
  if (disk->discard)
    reply[14] = 0xc0; /* thin; unmapped blocks read as zeros */
  return 32;
}

gsize
vmm_scsi_sense (guint key, guint code, guint8 *reply)
{
  reply[0] = 0x70;
  reply[2] = (guint8) key;
  reply[7] = 10;
  reply[12] = (guint8) (code >> 8);
  reply[13] = (guint8) code;
  return 18;
}

gboolean
vmm_scsi_parse_range (const guint8 *cdb, guint64 *ret_lba, guint32 *ret_blocks)
{
  switch (cdb[0])
    {
    case 0x08: /* READ (6), WRITE (6): 0 is 256 */
    case 0x0a:
      *ret_lba = (guint64) (cdb[1] & 0x1f) << 16 | (guint64) cdb[2] << 8 | cdb[3];
      *ret_blocks = cdb[4] != 0 ? cdb[4] : 256;
      return TRUE;
    case 0x28: /* READ (10), WRITE (10), WRITE AND VERIFY (10), VERIFY (10) */
    case 0x2a:
    case 0x2e:
    case 0x2f:
      *ret_lba = vmm_scsi_get32 (cdb + 2);
      *ret_blocks = (guint32) cdb[7] << 8 | cdb[8];
      return TRUE;
    case 0xa8: /* READ (12), WRITE (12), VERIFY (12) */
    case 0xaa:
    case 0xaf:
      *ret_lba = vmm_scsi_get32 (cdb + 2);
      *ret_blocks = vmm_scsi_get32 (cdb + 6);
      return TRUE;
    case 0x88: /* READ (16), WRITE (16), VERIFY (16) */
    case 0x8a:
    case 0x8f:
      *ret_lba = vmm_scsi_get64 (cdb + 2);
      *ret_blocks = vmm_scsi_get32 (cdb + 10);
      return TRUE;
    default:
      return FALSE;
    }
}
