/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A small AHCI driver for tests: command lists, tables and frames in guest RAM, written from AHCI 1.3.1 and SATA 3.1, not from vmm/. */
#pragma once

#include "test-board.h"

#define AHCI_HOST_BAR 0xfebf0000u
#define AHCI_HOST_DEVFN ((0x1f << 3) | 2)
#define AHCI_HOST_DATA 0x800000u /* RAM from here on is the test's */

/* Registers, AHCI 1.3.1 §3 */
enum {
  AHCI_HOST_CAP = 0x00,
  AHCI_HOST_GHC = 0x04,
  AHCI_HOST_IS = 0x08,
  AHCI_HOST_PI = 0x0c,
  AHCI_HOST_VS = 0x10,
  AHCI_HOST_PX_CLB = 0x00,
  AHCI_HOST_PX_CLBU = 0x04,
  AHCI_HOST_PX_FB = 0x08,
  AHCI_HOST_PX_FBU = 0x0c,
  AHCI_HOST_PX_IS = 0x10,
  AHCI_HOST_PX_IE = 0x14,
  AHCI_HOST_PX_CMD = 0x18,
  AHCI_HOST_PX_TFD = 0x20,
  AHCI_HOST_PX_SIG = 0x24,
  AHCI_HOST_PX_SSTS = 0x28,
  AHCI_HOST_PX_SCTL = 0x2c,
  AHCI_HOST_PX_SERR = 0x30,
  AHCI_HOST_PX_SACT = 0x34,
  AHCI_HOST_PX_CI = 0x38,
};

typedef struct {
  TestBoard *board;
  VmmDevice *ahci;
} AhciHost;

typedef struct {
  guint64 addr;
  guint32 len; /* bytes */
} AhciHostPiece;

/* A command: the H2D register frame's fields, and where the data is. */
typedef struct {
  guint8 command, device;
  guint16 feature, count;
  guint64 lba;
  gboolean write;
  const guint8 *cdb; /* (nullable): 16 bytes; makes it ATAPI */
  AhciHostPiece pieces[8];
  guint n_pieces;
  guint32 flags; /* more bits of the header's first word */
} AhciHostCommand;

/* Adds the controller, maps it, sets bus mastering. */
AhciHost *ahci_host_new (TestBoard *board);
void ahci_host_free (AhciHost *host);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AhciHost, ahci_host_free)

guint32 ahci_host_read (AhciHost *host, guint reg);
void ahci_host_write (AhciHost *host, guint reg, guint32 value);
guint32 ahci_host_px (AhciHost *host, guint port, guint reg);
void ahci_host_set_px (AhciHost *host, guint port, guint reg, guint32 value);

/* As Linux' ahci_port_start: addresses, FRE, ST; clears PxSERR and PxIS. */
void ahci_host_start_port (AhciHost *host, guint port);
void ahci_host_stop_port (AhciHost *host, guint port); /* clears ST, waits for CR */

guint64 ahci_host_header (guint port, guint slot); /* gpa */
guint64 ahci_host_table (guint port, guint slot);  /* gpa */
guint64 ahci_host_frames (guint port);             /* gpa of the received-frame area */
/* Fills header and table; does not issue. */
void ahci_host_prepare (AhciHost *host, guint port, guint slot, const AhciHostCommand *command);
/* Fills, sets PxCI (and PxSACT if queued). */
void ahci_host_issue (AhciHost *host, guint port, guint slot, const AhciHostCommand *command);
/* Issues in slot 0 and waits until PxCI is clear or PxTFD says ERR. Returns: PxTFD; clears PxIS, restarts the port after an error. */
guint32 ahci_host_run (AhciHost *host, guint port, const AhciHostCommand *command);
guint32 ahci_host_prdbc (AhciHost *host, guint port, guint slot);

/* One data buffer at AHCI_HOST_DATA. */
guint32 ahci_host_ata (AhciHost *host, guint port, guint8 command, guint64 lba, guint16 count, guint16 feature, guint32 bytes,
                       gboolean write);
/* PACKET by DMA; data to AHCI_HOST_DATA. Returns: PxTFD. */
guint32 ahci_host_packet (AhciHost *host, guint port, const guint8 cdb[16], guint32 bytes);
