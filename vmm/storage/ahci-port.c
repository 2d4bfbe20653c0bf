/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an AHCI port does: fetches commands, walks their PRDTs, posts frames, resets its drive. See ahci.c. */
#include "storage/ahci-private.h"

#include "core/iothread.h"

#include <string.h>

/* Memory structures, §4.2 */
#define AHCI_HEADER_SIZE 32
#define AHCI_HEADER_CFL 0x1f
#define AHCI_HEADER_A 0x20
#define AHCI_FIS_SIZE 20
#define AHCI_ACMD_OFFSET 0x40
#define AHCI_PRDT_OFFSET 0x80
#define AHCI_PRD_BATCH 32
#define AHCI_PRD_BYTES 0x003fffffu
#define AHCI_PRD_I 0x80000000u
#define AHCI_FB_DSFIS 0x00
#define AHCI_FB_PSFIS 0x20
#define AHCI_FB_RFIS 0x40
#define AHCI_FB_SDBFIS 0x58

/* Frames, SATA 3.1 §10.5 */
#define AHCI_FIS_H2D 0x27
#define AHCI_FIS_D2H 0x34
#define AHCI_FIS_SDB 0xa1
#define AHCI_FIS_DMA_SETUP 0x41
#define AHCI_FIS_PIO_SETUP 0x5f
#define AHCI_FIS_C 0x80
#define AHCI_FIS_I 0x40
#define AHCI_FIS_D 0x20 /* to the host */
#define AHCI_CONTROL_SRST 0x04

typedef struct {
  guint64 addr;
  guint32 reserved;
  guint32 dbc;
} AhciPrd;
G_STATIC_ASSERT (sizeof (AhciPrd) == 16);

/* === Frames to memory === */

static void
ahci_put32 (guint8 *bytes, guint32 value)
{
  value = GUINT32_TO_LE (value);
  memcpy (bytes, &value, 4);
}

static guint32
ahci_get32 (const guint8 *bytes)
{
  guint32 value;

  memcpy (&value, bytes, 4);
  return GUINT32_FROM_LE (value);
}

static void
ahci_post (AhciPort *port, guint where, const guint8 *fis, gsize len)
{
  AhciPortRegs *px = _vmm_ahci_port_regs (port);
  guint64 fb = (guint64) px->fbu << 32 | px->fb;

  if ((px->cmd & AHCI_CMD_FR) == 0)
    return;
  if (!vmm_pci_dma_write (&port->ahci->pci, fb + where, fis, len))
    {
      vmm_guest_error (&port->ahci->pci.base, "port %u: received frames go to 0x%" G_GINT64_MODIFIER "x, which is no memory",
                       port->index, fb);
      px->is |= AHCI_IS_HBFS;
    }
}

static void
ahci_fill_registers (guint8 *fis, const VmmAtaRegisters *regs)
{
  fis[2] = regs->status;
  fis[3] = regs->error;
  fis[4] = (guint8) regs->lba;
  fis[5] = (guint8) (regs->lba >> 8);
  fis[6] = (guint8) (regs->lba >> 16);
  fis[7] = regs->device;
  fis[8] = (guint8) (regs->lba >> 24);
  fis[9] = (guint8) (regs->lba >> 32);
  fis[10] = (guint8) (regs->lba >> 40);
  fis[12] = (guint8) regs->count;
  fis[13] = (guint8) (regs->count >> 8);
}

void
_vmm_ahci_port_set_tfd (AhciPortRegs *px, guint8 status, guint8 error)
{
  px->tfd = (guint32) error << 8 | status;
}

/* Register frame, device to host; @interrupt: with the I bit. */
static void
ahci_post_d2h (AhciPort *port, const VmmAtaRegisters *regs, gboolean interrupt)
{
  guint8 fis[AHCI_FIS_SIZE] = { AHCI_FIS_D2H, interrupt ? AHCI_FIS_I : 0 };
  AhciPortRegs *px = _vmm_ahci_port_regs (port);

  ahci_fill_registers (fis, regs);
  ahci_post (port, AHCI_FB_RFIS, fis, sizeof fis);
  _vmm_ahci_port_set_tfd (px, regs->status, regs->error);
  if (interrupt)
    px->is |= AHCI_IS_DHRS;
}

/* PIO Setup of the last block (SATA 3.1 §10.5.11): the registers before, and the status after it. */
static void
ahci_post_pio_setup (AhciPort *port, const VmmAtaRegisters *regs, gboolean to_host, gboolean interrupt, guint32 bytes)
{
  guint8 fis[AHCI_FIS_SIZE] = { AHCI_FIS_PIO_SETUP, (guint8) ((interrupt ? AHCI_FIS_I : 0) | (to_host ? AHCI_FIS_D : 0)) };
  AhciPortRegs *px = _vmm_ahci_port_regs (port);

  ahci_fill_registers (fis, regs);
  fis[2] |= VMM_ATA_STATUS_DRQ;
  fis[15] = regs->status;
  fis[16] = (guint8) bytes;
  fis[17] = (guint8) (bytes >> 8);
  ahci_post (port, AHCI_FB_PSFIS, fis, sizeof fis);
  _vmm_ahci_port_set_tfd (px, regs->status, regs->error);
  if (interrupt)
    px->is |= AHCI_IS_PSS;
}

static void
ahci_post_dma_setup (AhciPort *port, guint tag, gboolean to_host, guint32 bytes)
{
  guint8 fis[28] = { AHCI_FIS_DMA_SETUP, to_host ? AHCI_FIS_D : 0 };

  fis[4] = (guint8) tag;
  ahci_put32 (fis + 16, bytes);
  ahci_post (port, AHCI_FB_DSFIS, fis, sizeof fis);
}

/* Set Device Bits (§5.6.4.1, SATA 3.1 §10.5.7): the tags that are done. */
static void
ahci_post_sdb (AhciPort *port, guint32 tags, guint8 status, guint8 error)
{
  guint8 fis[8] = { AHCI_FIS_SDB, AHCI_FIS_I, status & 0x77, error };
  AhciPortRegs *px = _vmm_ahci_port_regs (port);

  ahci_put32 (fis + 4, tags);
  ahci_post (port, AHCI_FB_SDBFIS, fis, sizeof fis);
  _vmm_ahci_port_set_tfd (px, (guint8) ((px->tfd & 0x88) | (status & 0x77)), error);
  px->sact &= ~tags;
  px->is |= AHCI_IS_SDBS;
}

/* === Aborts and resets === */

/* The drive came back after a reset: the first register frame carries its signature (§3.3.9). */
void
_vmm_ahci_port_send_signature (AhciPort *port)
{
  AhciPortRegs *px = _vmm_ahci_port_regs (port);
  VmmAtaRegisters regs = { 0 };

  port->signature_due = FALSE;
  port->drive->ops->get_signature (port->drive, &regs);
  px->sig = (guint32) (regs.lba << 8) | (regs.count & 0xff);
  px->unposted = (px->cmd & AHCI_CMD_FR) == 0;
  ahci_post_d2h (port, &regs, FALSE);
}

/* Nothing is in flight any more. */
static void
ahci_aborted (AhciPort *port)
{
  AhciPortRegs *px = _vmm_ahci_port_regs (port);

  port->aborting = FALSE;
  if ((px->cmd & AHCI_CMD_ST) == 0)
    px->cmd &= ~AHCI_CMD_CR;
  if (port->signature_due)
    _vmm_ahci_port_send_signature (port);
  _vmm_ahci_update_hr (port->ahci);
}

/* Nobody waits for the answers of what is in flight. */
void
_vmm_ahci_port_abort (AhciPort *port)
{
  port->finished = 0;
  port->exclusive = FALSE;
  for (guint i = 0; i < AHCI_SLOTS; i++)
    {
      AhciCommand *command = &port->commands[i];

      if ((port->active & 1u << i) == 0)
        continue;
      command->task.aborted = TRUE;
      if (command->task.parked)
        {
          vmm_sata_task_clear (&command->task);
          port->active &= ~(1u << i);
        }
    }
  port->aborting = port->active != 0;
}

/* The link is up; what a COMRESET does at its end (§10.4.2). */
void
_vmm_ahci_port_link_up (AhciPort *port)
{
  AhciPortRegs *px = _vmm_ahci_port_regs (port);

  if (port->drive == NULL)
    return;
  px->ssts = AHCI_SSTS_UP;
  px->serr |= AHCI_SERR_X | AHCI_SERR_N;
  px->srst = FALSE;
  _vmm_ahci_port_set_tfd (px, VMM_ATA_STATUS_BSY, 0);
  port->drive->ops->reset (port->drive, VMM_SATA_RESET_HARDWARE);
  port->signature_due = TRUE;
  if (!port->aborting)
    _vmm_ahci_port_send_signature (port);
}

void
_vmm_ahci_port_link_down (AhciPort *port, guint32 ssts)
{
  AhciPortRegs *px = _vmm_ahci_port_regs (port);

  _vmm_ahci_port_abort (port);
  px->ci = px->sact = 0;
  px->halted = FALSE;
  px->ssts = ssts;
  px->sig = AHCI_SIG_EMPTY;
  port->signature_due = FALSE;
  _vmm_ahci_port_set_tfd (px, AHCI_TFD_EMPTY, 0);
}

/* A control frame with SRST, then one without (ACS-3 §9.2; AHCI §10.4.1). */
static void
ahci_soft_reset (AhciPort *port, gboolean srst)
{
  AhciPortRegs *px = _vmm_ahci_port_regs (port);
  gboolean was = px->srst != 0;

  px->srst = srst;
  if (srst)
    {
      _vmm_ahci_port_abort (port);
      px->ci = px->sact = 0;
      port->signature_due = FALSE;
      _vmm_ahci_port_set_tfd (px, VMM_ATA_STATUS_DRDY, 0); /* the header's C bit: not busy, so that the second can go */
    }
  else if (was)
    {
      _vmm_ahci_port_set_tfd (px, VMM_ATA_STATUS_BSY, 0);
      port->drive->ops->reset (port->drive, VMM_SATA_RESET_SOFT);
      port->signature_due = TRUE;
      if (!port->aborting)
        _vmm_ahci_port_send_signature (port);
    }
}

/* A port's registers to their start values. The addresses stay (§10.4.3) unless it is the power that comes on. */
void
_vmm_ahci_port_reset (AhciPort *port, gboolean power_on)
{
  AhciPortRegs *px = _vmm_ahci_port_regs (port);

  _vmm_ahci_port_abort (port);
  *px = (AhciPortRegs) { .clb = power_on ? 0 : px->clb,
                         .clbu = power_on ? 0 : px->clbu,
                         .fb = power_on ? 0 : px->fb,
                         .fbu = power_on ? 0 : px->fbu,
                         .cmd = AHCI_CMD_SUD | AHCI_CMD_POD,
                         .tfd = AHCI_TFD_EMPTY,
                         .sig = AHCI_SIG_EMPTY };
  port->signature_due = FALSE;
  _vmm_ahci_port_link_up (port);
}

/* === The memory of a command === */

/* Where a walk may be cut so that what was mapped is a multiple of the granule. */
typedef struct {
  gsize bytes;
  guint n_iov;
  gsize last_len;
  guint next_prd;
  guint32 prd_offset;
} AhciCut;

static gsize
ahci_map (VmmSataTask *task, gsize max_bytes, gsize granule, struct iovec *iov, guint max_iov, guint *ret_n)
{
  AhciCommand *command = (AhciCommand *) task;
  Ahci *ahci = (Ahci *) task->host->controller;
  AhciCut cut = { .next_prd = command->next_prd, .prd_offset = command->prd_offset };
  AhciPrd prds[AHCI_PRD_BATCH];
  guint batch_first = 0, batch_len = 0, n = 0, index = command->next_prd;
  guint32 used = command->prd_offset;
  gsize total = 0;

  while (total < max_bytes && index < command->n_prds)
    {
      guint64 addr;
      gsize len, take;
      guint8 *host;

      if (index >= batch_first + batch_len)
        {
          batch_first = index;
          batch_len = MIN (command->n_prds - index, AHCI_PRD_BATCH);
          if (!vmm_pci_dma_read (&ahci->pci, command->prdt + (guint64) index * sizeof (AhciPrd), prds,
                                 batch_len * sizeof (AhciPrd)))
            {
              command->bad_memory = TRUE;
              break;
            }
        }
      addr = GUINT64_FROM_LE (prds[index - batch_first].addr);
      len = (GUINT32_FROM_LE (prds[index - batch_first].dbc) & AHCI_PRD_BYTES) + (gsize) 1;
      if ((GUINT32_FROM_LE (prds[index - batch_first].dbc) & AHCI_PRD_I) != 0)
        command->prd_interrupt = TRUE;
      if (used >= len) /* the guest changed the table */
        {
          index++;
          used = 0;
          continue;
        }
      take = MIN (len - used, max_bytes - total);
      host = addr <= G_MAXUINT64 - used ? vmm_pci_dma_map (&ahci->pci, addr + used, take) : NULL;
      if (host == NULL)
        {
          command->bad_memory = TRUE;
          break;
        }
      if (n > 0 && (guint8 *) iov[n - 1].iov_base + iov[n - 1].iov_len == host)
        iov[n - 1].iov_len += take;
      else if (n < max_iov)
        iov[n++] = (struct iovec) { host, take };
      else
        break;
      total += take;
      if ((total - total % granule) > cut.bytes)
        {
          gsize excess = total % granule;

          cut = (AhciCut) { total - excess, n, iov[n - 1].iov_len - excess, index, used + (guint32) (take - excess) };
        }
      used += (guint32) take;
      if (used == len)
        {
          index++;
          used = 0;
        }
    }

  command->next_prd = cut.next_prd;
  command->prd_offset = cut.prd_offset;
  if (cut.n_iov > 0)
    iov[cut.n_iov - 1].iov_len = cut.last_len;
  if (cut.bytes == 0 && index >= command->n_prds)
    command->overflow = TRUE;
  *ret_n = cut.n_iov;
  return cut.bytes;
}

/* === Completion === */

/* Fatal: nothing more is fetched until the guest clears ST (§6.2.2). */
static void
ahci_halt (AhciPort *port, guint32 cause)
{
  AhciPortRegs *px = _vmm_ahci_port_regs (port);

  px->is |= cause;
  px->halted = TRUE;
}

/* §5.6.4.3, SATA 3.1 §13.6.4: the drive reports one tag in error and gives all others up. */
static void
ahci_fail_queued (AhciPort *port, const VmmAtaRegisters *regs, guint32 cause)
{
  ahci_post_sdb (port, port->finished, regs->status, regs->error);
  _vmm_ahci_port_abort (port);
  ahci_halt (port, cause);
}

void
_vmm_ahci_port_report (AhciPort *port)
{
  if (port->finished == 0)
    return;
  ahci_post_sdb (port, port->finished, VMM_ATA_STATUS_DRDY | VMM_ATA_STATUS_DSC, 0);
  port->finished = 0;
}

static void
ahci_finish_single (AhciPort *port, AhciCommand *command, guint slot)
{
  VmmSataTask *task = &command->task;
  AhciPortRegs *px = _vmm_ahci_port_regs (port);
  gboolean failed = (task->out.status & (VMM_ATA_STATUS_ERR | VMM_ATA_STATUS_DF)) != 0;
  guint8 prdbc[4];

  port->exclusive = FALSE;
  ahci_put32 (prdbc, task->moved);
  (void) vmm_pci_dma_write (&port->ahci->pci, command->header + 4, prdbc, sizeof prdbc);
  switch (task->protocol)
    {
    case VMM_SATA_PIO_IN:
      if (!failed)
        ahci_post_pio_setup (port, &task->out, TRUE, TRUE, MIN (task->moved, VMM_ATA_SECTOR));
      else
        ahci_post_d2h (port, &task->out, TRUE);
      break;
    case VMM_SATA_PACKET_PIO:
      if (task->moved > 0)
        ahci_post_pio_setup (port, &task->out, TRUE, TRUE, MIN (task->moved, 0xfffe));
      ahci_post_d2h (port, &task->out, TRUE);
      break;
    case VMM_SATA_PIO_OUT:
      if (task->moved > 0)
        ahci_post_pio_setup (port, &task->out, FALSE, FALSE, MIN (task->moved, VMM_ATA_SECTOR));
      ahci_post_d2h (port, &task->out, TRUE);
      break;
    case VMM_SATA_NO_DATA:
    case VMM_SATA_DMA_IN:
    case VMM_SATA_DMA_OUT:
    case VMM_SATA_PACKET_DMA:
    case VMM_SATA_QUEUED:
      ahci_post_d2h (port, &task->out, TRUE);
      break;
    }
  if (failed)
    ahci_halt (port, AHCI_IS_TFES);
  else
    px->ci &= ~(1u << slot);
}

static void
ahci_on_report (gpointer data)
{
  Ahci *ahci = data;

  vmm_device_lock (&ahci->pci.base);
  ahci->report_queued = FALSE;
  for (guint i = 0; i < AHCI_PORTS; i++)
    _vmm_ahci_port_report (&ahci->ports[i]);
  _vmm_ahci_update_irq (ahci, FALSE);
  vmm_device_unlock (&ahci->pci.base);
}

/* A command of the port has ended outside _vmm_ahci_port_run(). */
static void
ahci_ended (AhciPort *port)
{
  Ahci *ahci = port->ahci;

  if (port->finished != 0 && port->active != 0)
    {
      /* Others may come back in the same round of the iothread: one frame and one interrupt for all. */
      if (!ahci->report_queued)
        vmm_iothread_call (vmm_device_get_iothread (&ahci->pci.base), ahci_on_report, ahci);
      ahci->report_queued = TRUE;
    }
  else
    _vmm_ahci_port_report (port);
  _vmm_ahci_port_run (port);
  _vmm_ahci_update_irq (ahci, FALSE);
}

static void
ahci_complete (VmmSataTask *task)
{
  AhciCommand *command = (AhciCommand *) task;
  Ahci *ahci = (Ahci *) task->host->controller;
  AhciPort *port = &ahci->ports[task->drive->port];
  AhciPortRegs *px = _vmm_ahci_port_regs (port);
  guint slot = (guint) (command - port->commands);
  gboolean failed = (task->out.status & (VMM_ATA_STATUS_ERR | VMM_ATA_STATUS_DF)) != 0;

  vmm_sata_task_clear (task);
  port->active &= ~(1u << slot);
  if (task->aborted)
    {
      if (port->active == 0 && port->aborting)
        ahci_aborted (port);
    }
  else if (command->bad_memory)
    {
      vmm_guest_error (&ahci->pci.base, "port %u slot %u: the data's memory is none", port->index, slot);
      if (task->protocol == VMM_SATA_QUEUED)
        ahci_fail_queued (port, &task->out, AHCI_IS_HBFS);
      else
        {
          port->exclusive = FALSE;
          _vmm_ahci_port_set_tfd (px, task->out.status, task->out.error);
          ahci_halt (port, AHCI_IS_HBFS);
        }
    }
  else
    {
      if (command->overflow)
        px->is |= AHCI_IS_OFS;
      if (command->prd_interrupt)
        px->is |= AHCI_IS_DPS;
      if (task->protocol != VMM_SATA_QUEUED)
        ahci_finish_single (port, command, slot);
      else if (failed)
        ahci_fail_queued (port, &task->out, AHCI_IS_TFES);
      else
        port->finished |= 1u << slot;
    }
  if (!port->running)
    ahci_ended (port);
}

const VmmSataHostOps _vmm_ahci_host_ops = { .map = ahci_map, .complete = ahci_complete, .detach = vmm_ahci_detach };

/* === Fetching commands === */

static void
ahci_parse_fis (const guint8 *fis, VmmAtaRegisters *regs)
{
  *regs = (VmmAtaRegisters) {
    .command = fis[2],
    .feature = (guint16) (fis[3] | fis[11] << 8),
    .device = fis[7],
    .lba = fis[4] | (guint64) fis[5] << 8 | (guint64) fis[6] << 16 | (guint64) fis[8] << 24 | (guint64) fis[9] << 32
           | (guint64) fis[10] << 40,
    .count = (guint16) (fis[12] | fis[13] << 8),
  };
}

/* Reads slot @slot's header, command frame and packet. */
static gboolean
ahci_fetch (AhciPort *port, guint slot, guint8 fis[AHCI_FIS_SIZE])
{
  Ahci *ahci = port->ahci;
  AhciPortRegs *px = _vmm_ahci_port_regs (port);
  AhciCommand *command = &port->commands[slot];
  VmmSataTask *task = &command->task;
  guint8 header[16];
  guint64 table;
  guint32 flags;

  command->header = ((guint64) px->clbu << 32 | px->clb) + slot * AHCI_HEADER_SIZE;
  if (!vmm_pci_dma_read (&ahci->pci, command->header, header, sizeof header))
    goto no_memory;
  flags = ahci_get32 (header);
  table = ((guint64) ahci_get32 (header + 12) << 32 | ahci_get32 (header + 8)) & ~G_GUINT64_CONSTANT (0x7f);
  if (!vmm_pci_dma_read (&ahci->pci, table, fis, AHCI_FIS_SIZE))
    goto no_memory;
  if ((flags & AHCI_HEADER_CFL) * 4 < AHCI_FIS_SIZE || (flags & AHCI_HEADER_CFL) > 16 || fis[0] != AHCI_FIS_H2D)
    {
      vmm_guest_error (&ahci->pci.base, "port %u slot %u: no command frame (type %02x, %u words)", port->index, slot, fis[0],
                       flags & AHCI_HEADER_CFL);
      ahci_halt (port, AHCI_IS_IFS);
      return FALSE;
    }
  command->prdt = table + AHCI_PRDT_OFFSET;
  command->n_prds = flags >> 16;
  command->next_prd = 0;
  command->prd_offset = 0;
  command->prd_interrupt = command->overflow = command->bad_memory = FALSE;
  *task = (VmmSataTask) {
    .host = &ahci->host,
    .drive = port->drive,
    .tag = slot,
    .iov = task->iov,
    .iov_size = task->iov_size,
    .has_cdb = (flags & AHCI_HEADER_A) != 0,
  };
  ahci_parse_fis (fis, &task->in);
  if (task->has_cdb && !vmm_pci_dma_read (&ahci->pci, table + AHCI_ACMD_OFFSET, task->cdb, sizeof task->cdb))
    goto no_memory;
  return TRUE;

no_memory:
  vmm_guest_error (&ahci->pci.base, "port %u slot %u: the command is in no memory", port->index, slot);
  ahci_halt (port, AHCI_IS_HBFS);
  return FALSE;
}

/* §5.3.2.2: the next slot in turn; -1: none may go now. */
static int
ahci_next_slot (AhciPort *port)
{
  AhciPortRegs *px = _vmm_ahci_port_regs (port);
  guint32 ready = px->ci & ~port->active;
  guint slot;

  if (ready == 0 || (px->cmd & AHCI_CMD_ST) == 0 || px->halted || port->aborting || port->exclusive || port->drive == NULL
      || (px->ssts & 0xf) != 3 || (px->tfd & (VMM_ATA_STATUS_BSY | VMM_ATA_STATUS_DRQ)) != 0)
    return -1;
  for (slot = (px->last_slot + 1) % AHCI_SLOTS; (ready & 1u << slot) == 0;)
    slot = (slot + 1) % AHCI_SLOTS;
  return (int) slot;
}

/* Returns: FALSE if the port has to wait. */
static gboolean
ahci_issue (AhciPort *port, guint slot)
{
  AhciPortRegs *px = _vmm_ahci_port_regs (port);
  AhciCommand *command = &port->commands[slot];
  VmmSataTask *task = &command->task;
  guint8 fis[AHCI_FIS_SIZE];

  if (!ahci_fetch (port, slot, fis))
    return FALSE;
  if ((fis[1] & AHCI_FIS_C) == 0)
    {
      px->ci &= ~(1u << slot);
      px->last_slot = slot;
      ahci_soft_reset (port, (fis[15] & AHCI_CONTROL_SRST) != 0);
      return TRUE;
    }
  if (px->srst)
    return FALSE; /* held in reset */
  if (vmm_ata_is_queued (task->in.command))
    {
      static const VmmAtaRegisters accepted = { .status = VMM_ATA_STATUS_DRDY | VMM_ATA_STATUS_DSC };

      /* The drive takes it and is free for the next (SATA 3.1 §13.6.4). */
      px->ci &= ~(1u << slot);
      task->protocol = VMM_SATA_QUEUED;
      ahci_post_d2h (port, &accepted, FALSE);
      ahci_post_dma_setup (port, slot, task->in.command == VMM_ATA_READ_FPDMA_QUEUED,
                           (task->in.feature != 0 ? task->in.feature : 65536u) * VMM_ATA_SECTOR);
    }
  else
    {
      if (port->active != 0)
        return FALSE; /* after the queued ones */
      port->exclusive = TRUE;
      _vmm_ahci_port_set_tfd (px, VMM_ATA_STATUS_BSY, 0);
      px->cmd = (px->cmd & ~AHCI_CMD_CCS) | slot << AHCI_CMD_CCS_SHIFT;
    }
  px->last_slot = slot;
  port->active |= 1u << slot;
  port->drive->ops->start (port->drive, task);
  return TRUE;
}

/* Starts what may be started. Reports what ended at once; the caller updates the interrupt. */
void
_vmm_ahci_port_run (AhciPort *port)
{
  VmmBlock *block = port->drive != NULL ? port->drive->block : NULL;
  int slot;

  if (port->running || port->ahci->host.quiesced || ahci_next_slot (port) < 0)
    return;
  port->running = TRUE;
  if (block != NULL)
    vmm_block_begin_batch (block);
  while ((slot = ahci_next_slot (port)) >= 0 && ahci_issue (port, (guint) slot))
    ;
  if (block != NULL)
    vmm_block_end_batch (block);
  port->running = FALSE;
  if (!port->ahci->report_queued)
    _vmm_ahci_port_report (port);
}
