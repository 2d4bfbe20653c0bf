/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ahci-host.h"

#include <string.h>

#define AH_LISTS 0x100000u  /* 1 KiB a port */
#define AH_FRAMES 0x110000u /* 256 bytes a port */
#define AH_TABLES 0x200000u /* 512 bytes a slot */

AhciHost *
ahci_host_new (TestBoard *board)
{
  AhciHost *host = g_new0 (AhciHost, 1);

  host->board = board;
  host->ahci = test_board_add (board, "ahci", "ahci", NULL);
  test_pci_write (board, AHCI_HOST_DEVFN, 0x24, 4, AHCI_HOST_BAR);
  test_pci_write (board, AHCI_HOST_DEVFN, 0x04, 2, 0x0006);
  return host;
}

void
ahci_host_free (AhciHost *host)
{
  g_free (host);
}

guint32
ahci_host_read (AhciHost *host, guint reg)
{
  return (guint32) test_read (host->board, AHCI_HOST_BAR + reg, 4);
}

void
ahci_host_write (AhciHost *host, guint reg, guint32 value)
{
  test_write (host->board, AHCI_HOST_BAR + reg, 4, value);
}

guint32
ahci_host_px (AhciHost *host, guint port, guint reg)
{
  return ahci_host_read (host, 0x100 + port * 0x80 + reg);
}

void
ahci_host_set_px (AhciHost *host, guint port, guint reg, guint32 value)
{
  ahci_host_write (host, 0x100 + port * 0x80 + reg, value);
}

guint64
ahci_host_header (guint port, guint slot)
{
  return AH_LISTS + port * 0x400 + slot * 32;
}

guint64
ahci_host_table (guint port, guint slot)
{
  return AH_TABLES + (port * 32 + slot) * 512;
}

guint64
ahci_host_frames (guint port)
{
  return AH_FRAMES + port * 256;
}

void
ahci_host_start_port (AhciHost *host, guint port)
{
  ahci_host_set_px (host, port, AHCI_HOST_PX_CLB, (guint32) ahci_host_header (port, 0));
  ahci_host_set_px (host, port, AHCI_HOST_PX_CLBU, 0);
  ahci_host_set_px (host, port, AHCI_HOST_PX_FB, (guint32) ahci_host_frames (port));
  ahci_host_set_px (host, port, AHCI_HOST_PX_FBU, 0);
  ahci_host_set_px (host, port, AHCI_HOST_PX_SERR, 0xffffffff);
  ahci_host_set_px (host, port, AHCI_HOST_PX_IS, 0xffffffff);
  ahci_host_set_px (host, port, AHCI_HOST_PX_CMD, ahci_host_px (host, port, AHCI_HOST_PX_CMD) | 0x10);
  test_wait_until ((ahci_host_px (host, port, AHCI_HOST_PX_TFD) & 0x88) == 0);
  ahci_host_set_px (host, port, AHCI_HOST_PX_CMD, ahci_host_px (host, port, AHCI_HOST_PX_CMD) | 1);
}

void
ahci_host_stop_port (AhciHost *host, guint port)
{
  ahci_host_set_px (host, port, AHCI_HOST_PX_CMD, ahci_host_px (host, port, AHCI_HOST_PX_CMD) & ~1u);
  test_wait_until ((ahci_host_px (host, port, AHCI_HOST_PX_CMD) & 0x8000) == 0);
}

static void
ah_put32 (guint8 *to, guint32 value)
{
  value = GUINT32_TO_LE (value);
  memcpy (to, &value, 4);
}

void
ahci_host_prepare (AhciHost *host, guint port, guint slot, const AhciHostCommand *c)
{
  guint64 table = ahci_host_table (port, slot);
  guint8 header[32] = { 0 }, bytes[0x80 + 8 * 16] = { 0 };

  /* §4.2.2 */
  ah_put32 (header, 5 | (c->cdb != NULL ? 0x20 : 0) | (c->write ? 0x40 : 0) | c->n_pieces << 16 | c->flags);
  ah_put32 (header + 8, (guint32) table);
  /* SATA 3.1 §10.5.5 */
  bytes[0] = 0x27;
  bytes[1] = 0x80;
  bytes[2] = c->command;
  bytes[3] = (guint8) c->feature;
  bytes[4] = (guint8) c->lba;
  bytes[5] = (guint8) (c->lba >> 8);
  bytes[6] = (guint8) (c->lba >> 16);
  bytes[7] = c->device;
  bytes[8] = (guint8) (c->lba >> 24);
  bytes[9] = (guint8) (c->lba >> 32);
  bytes[10] = (guint8) (c->lba >> 40);
  bytes[11] = (guint8) (c->feature >> 8);
  bytes[12] = (guint8) c->count;
  bytes[13] = (guint8) (c->count >> 8);
  if (c->cdb != NULL)
    memcpy (bytes + 0x40, c->cdb, 16);
  for (guint i = 0; i < c->n_pieces; i++)
    {
      ah_put32 (bytes + 0x80 + i * 16, (guint32) c->pieces[i].addr);
      ah_put32 (bytes + 0x84 + i * 16, (guint32) (c->pieces[i].addr >> 32));
      ah_put32 (bytes + 0x8c + i * 16, c->pieces[i].len - 1);
    }
  test_ram_write (host->board, table, bytes, sizeof bytes);
  test_ram_write (host->board, ahci_host_header (port, slot), header, sizeof header);
}

void
ahci_host_issue (AhciHost *host, guint port, guint slot, const AhciHostCommand *command)
{
  ahci_host_prepare (host, port, slot, command);
  if (command->command == 0x60 || command->command == 0x61)
    ahci_host_set_px (host, port, AHCI_HOST_PX_SACT, 1u << slot);
  ahci_host_set_px (host, port, AHCI_HOST_PX_CI, 1u << slot);
}

guint32
ahci_host_run (AhciHost *host, guint port, const AhciHostCommand *command)
{
  guint32 tfd;

  ahci_host_issue (host, port, 0, command);
  test_wait_until ((ahci_host_px (host, port, AHCI_HOST_PX_CI) & 1) == 0
                   || (ahci_host_px (host, port, AHCI_HOST_PX_TFD) & 0x81) == 0x01);
  tfd = ahci_host_px (host, port, AHCI_HOST_PX_TFD);
  if ((tfd & 1) != 0)
    {
      ahci_host_stop_port (host, port);
      ahci_host_set_px (host, port, AHCI_HOST_PX_CMD, ahci_host_px (host, port, AHCI_HOST_PX_CMD) | 1);
    }
  ahci_host_set_px (host, port, AHCI_HOST_PX_IS, 0xffffffff);
  ahci_host_write (host, AHCI_HOST_IS, 0xffffffff);
  return tfd;
}

guint32
ahci_host_prdbc (AhciHost *host, guint port, guint slot)
{
  guint32 value;

  test_ram_read (host->board, ahci_host_header (port, slot) + 4, &value, 4);
  return GUINT32_FROM_LE (value);
}

guint32
ahci_host_ata (AhciHost *host, guint port, guint8 command, guint64 lba, guint16 count, guint16 feature, guint32 bytes,
               gboolean write)
{
  AhciHostCommand c = { .command = command, .device = 0x40, .lba = lba, .count = count, .feature = feature, .write = write };

  if (bytes > 0)
    {
      c.pieces[0] = (AhciHostPiece) { AHCI_HOST_DATA, bytes };
      c.n_pieces = 1;
    }
  return ahci_host_run (host, port, &c);
}

guint32
ahci_host_packet (AhciHost *host, guint port, const guint8 cdb[16], guint32 bytes)
{
  AhciHostCommand c = { .command = 0xa0, .feature = 1, .lba = (guint64) MIN (bytes, 0xfffe) << 8, .cdb = cdb };

  if (bytes > 0)
    {
      c.pieces[0] = (AhciHostPiece) { AHCI_HOST_DATA, bytes };
      c.n_pieces = 1;
    }
  return ahci_host_run (host, port, &c);
}
