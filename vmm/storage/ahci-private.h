/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The AHCI controller's inside: ahci.c has the registers, ahci-port.c what the ports do. Section numbers are AHCI 1.3.1's. */
#pragma once

#include "pci/pci.h"
#include "storage/ahci.h"

#define AHCI_PORTS 6
#define AHCI_SLOTS 32

/* Generic host control, §3.1 */
#define AHCI_CAP 0x00
#define AHCI_CAP_VALUE 0xc0141f05 /* 64 bits, NCQ, AHCI only, 1.5 Gb/s, 32 slots, 6 ports */
#define AHCI_GHC 0x04
#define AHCI_GHC_HR 0x00000001u
#define AHCI_GHC_IE 0x00000002u
#define AHCI_GHC_AE 0x80000000u
#define AHCI_IS 0x08
#define AHCI_PI 0x0c
#define AHCI_VS 0x10
#define AHCI_VS_VALUE 0x00010000
#define AHCI_PORT_BASE 0x100
#define AHCI_PORT_SIZE 0x80

/* Port registers, §3.3 */
#define AHCI_PX_CLB 0x00
#define AHCI_PX_CLBU 0x04
#define AHCI_PX_FB 0x08
#define AHCI_PX_FBU 0x0c
#define AHCI_PX_IS 0x10
#define AHCI_PX_IE 0x14
#define AHCI_PX_CMD 0x18
#define AHCI_PX_TFD 0x20
#define AHCI_PX_SIG 0x24
#define AHCI_PX_SSTS 0x28
#define AHCI_PX_SCTL 0x2c
#define AHCI_PX_SERR 0x30
#define AHCI_PX_SACT 0x34
#define AHCI_PX_CI 0x38

/* PxIS, §3.3.5 */
#define AHCI_IS_DHRS 0x00000001u
#define AHCI_IS_PSS 0x00000002u
#define AHCI_IS_DSS 0x00000004u
#define AHCI_IS_SDBS 0x00000008u
#define AHCI_IS_DPS 0x00000020u
#define AHCI_IS_PCS 0x00000040u  /* read-only: PxSERR.DIAG.X */
#define AHCI_IS_PRCS 0x00400000u /* read-only: PxSERR.DIAG.N */
#define AHCI_IS_OFS 0x01000000u
#define AHCI_IS_IFS 0x08000000u
#define AHCI_IS_HBFS 0x20000000u
#define AHCI_IS_TFES 0x40000000u
#define AHCI_IE_MASK 0xfdc000ffu

/* PxCMD, §3.3.7 */
#define AHCI_CMD_ST 0x00000001u
#define AHCI_CMD_SUD 0x00000002u
#define AHCI_CMD_POD 0x00000004u
#define AHCI_CMD_FRE 0x00000010u
#define AHCI_CMD_CCS_SHIFT 8
#define AHCI_CMD_CCS 0x00001f00u
#define AHCI_CMD_FR 0x00004000u
#define AHCI_CMD_CR 0x00008000u
#define AHCI_CMD_ATAPI 0x01000000u
#define AHCI_CMD_WRITABLE (AHCI_CMD_ST | AHCI_CMD_FRE | AHCI_CMD_ATAPI)

#define AHCI_TFD_EMPTY 0x7f
#define AHCI_SIG_EMPTY 0xffffffffu
#define AHCI_SSTS_UP 0x113      /* active, 1.5 Gb/s, device and link */
#define AHCI_SSTS_OFFLINE 0x004 /* by PxSCTL.DET 4 */
#define AHCI_SCTL_MASK 0x00000fffu
#define AHCI_SERR_N 0x00010000u
#define AHCI_SERR_X 0x04000000u

typedef struct {
  guint32 clb, clbu, fb, fbu, is, ie, cmd, tfd, sig, ssts, sctl, serr, sact, ci;
  guint32 halted;    /* a fatal error: nothing is fetched before PxCMD.ST was cleared (§6.2.2) */
  guint32 srst;      /* the last control frame had SRST set */
  guint32 unposted;  /* the signature's frame has not been in memory yet */
  guint32 last_slot; /* where the round went on from */
} AhciPortRegs;

typedef struct {
  guint32 ghc, is, idx;
  AhciPortRegs port[AHCI_PORTS];
} AhciRegs;

typedef struct _Ahci Ahci;

typedef struct {
  VmmSataTask task; /* first */
  guint64 header;   /* gpa of the command's header */
  guint64 prdt;     /* gpa */
  guint n_prds, next_prd;
  guint32 prd_offset; /* bytes of next_prd that are used */
  gboolean prd_interrupt, overflow, bad_memory;
} AhciCommand;

typedef struct {
  Ahci *ahci;
  guint index;
  VmmSataDrive *drive; /* (nullable) */
  AhciCommand commands[AHCI_SLOTS];
  guint32 active;     /* slots that the drive has */
  guint32 finished;   /* queued, done, not yet reported */
  gboolean exclusive; /* the one active command is not queued */
  gboolean aborting;  /* all that is active was aborted */
  gboolean signature_due;
  gboolean running; /* inside _vmm_ahci_port_run() */
} AhciPort;

struct _Ahci {
  VmmPciDevice pci;
  AhciRegs regs;
  VmmSataHost host;
  AhciPort ports[AHCI_PORTS];
  gboolean report_queued; /* ahci_on_report() is on its way */
};

extern const VmmSataHostOps _vmm_ahci_host_ops;

/* All with the device's lock held. */

static inline AhciPortRegs *
_vmm_ahci_port_regs (AhciPort *port)
{
  return &port->ahci->regs.port[port->index];
}

/* ahci.c */

/* IS latches the ports that want something; the pin is their OR; with MSI each bit that comes up sends a message (§10.6.2). @woken: the
 * guest has just allowed interrupts, so what is pending counts as new. */
void _vmm_ahci_update_irq (Ahci *ahci, gboolean woken);
/* GHC.HR falls when no port is aborting. */
void _vmm_ahci_update_hr (Ahci *ahci);

/* ahci-port.c */

/* Starts what may be started and reports what ended at once; the caller updates the interrupt. */
void _vmm_ahci_port_run (AhciPort *port);
/* Nobody waits for the answers of what is in flight. */
void _vmm_ahci_port_abort (AhciPort *port);
/* A port's registers to their start values. The addresses stay (§10.4.3) unless it is the power that comes on. */
void _vmm_ahci_port_reset (AhciPort *port, gboolean power_on);
/* The link comes up, as at the end of a COMRESET (§10.4.2). Nothing without a drive. */
void _vmm_ahci_port_link_up (AhciPort *port);
void _vmm_ahci_port_link_down (AhciPort *port, guint32 ssts);
void _vmm_ahci_port_send_signature (AhciPort *port);
void _vmm_ahci_port_set_tfd (AhciPortRegs *px, guint8 status, guint8 error);
/* Tells which queued commands are done. */
void _vmm_ahci_port_report (AhciPort *port);
