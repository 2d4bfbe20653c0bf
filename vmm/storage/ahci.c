/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The SATA controller of the ICH9 in AHCI mode, function 00:1f.2.
 * Spec: Serial ATA AHCI 1.3.1 (register and section numbers below), Serial ATA 3.1 §10 (frames), Intel ICH9 datasheet §15 (PCI
 * configuration, index/data ports). Left out: port multipliers, enclosure management, command completion coalescing, link power
 * management, BIST, asynchronous notification; none of them is advertised.
 *
 * Theory of operation: six ports of 32 command slots. A write to PxCI fetches commands under the lock, on the vCPU's thread, and hands
 * them to the drive, one at a time or, if queued (NCQ), all at once. Drives map guest memory through ahci_map(), which walks the PRDT;
 * each entry is copied before it is looked at. Completions come on the iothread, take the lock, post frames and set interrupts.
 * Queued commands that finish while others of the port are in flight are gathered and reported by one Set Device Bits frame.
 *
 * What is in flight owns guest memory, so nothing is ever cut short: when the guest stops a port or resets it, tasks are marked as
 * aborted, their answers are dropped, and PxCMD.CR (or BSY after COMRESET, or GHC.HR) stays set until the last is back; real controllers
 * do the same within 500 ms. Until then the port starts nothing new.
 *
 * Saved state: the registers. Commands in flight need none: a quiesce waits for them, and what was held back is found in PxCI and
 * PxSACT again. */
#include "storage/ahci-private.h"

#include "core/iothread.h"

#define AHCI_DEVFN VMM_PCI_DEVFN (0x1f, 2)
#define AHCI_BAR_SIZE 0x1000

/* Index/data ports in BAR 4, announced by the Serial ATA capability (SATA 3.1 §8.2.2) */
#define AHCI_IDX 0x10
#define AHCI_IDX_DATA 0x14

#define AHCI_PORT_FIELDS(n)                                                                                              \
  VMM_FIELD (AhciRegs, port[n].clb), VMM_FIELD (AhciRegs, port[n].clbu), VMM_FIELD (AhciRegs, port[n].fb),               \
      VMM_FIELD (AhciRegs, port[n].fbu), VMM_FIELD (AhciRegs, port[n].is), VMM_FIELD (AhciRegs, port[n].ie),             \
      VMM_FIELD (AhciRegs, port[n].cmd), VMM_FIELD (AhciRegs, port[n].tfd), VMM_FIELD (AhciRegs, port[n].sig),           \
      VMM_FIELD (AhciRegs, port[n].ssts), VMM_FIELD (AhciRegs, port[n].sctl), VMM_FIELD (AhciRegs, port[n].serr),        \
      VMM_FIELD (AhciRegs, port[n].sact), VMM_FIELD (AhciRegs, port[n].ci), VMM_FIELD_MAX (AhciRegs, port[n].halted, 1), \
      VMM_FIELD_MAX (AhciRegs, port[n].srst, 1), VMM_FIELD_MAX (AhciRegs, port[n].unposted, 1),                          \
      VMM_FIELD_MAX (AhciRegs, port[n].last_slot, AHCI_SLOTS - 1)

static const VmmField ahci_fields[] = {
  VMM_FIELD (AhciRegs, ghc), VMM_FIELD (AhciRegs, is), VMM_FIELD (AhciRegs, idx), AHCI_PORT_FIELDS (0), AHCI_PORT_FIELDS (1),
  AHCI_PORT_FIELDS (2),      AHCI_PORT_FIELDS (3),     AHCI_PORT_FIELDS (4),      AHCI_PORT_FIELDS (5), VMM_FIELD_END,
};

/* === Interrupts === */

/* What the guest reads from PxIS: two bits mirror PxSERR (§3.3.5). */
static guint32
ahci_port_status (const AhciPortRegs *px)
{
  return px->is | ((px->serr & AHCI_SERR_X) != 0 ? AHCI_IS_PCS : 0) | ((px->serr & AHCI_SERR_N) != 0 ? AHCI_IS_PRCS : 0);
}

static guint32
ahci_pending_ports (const AhciRegs *regs)
{
  guint32 pending = 0;

  for (guint i = 0; i < AHCI_PORTS; i++)
    if ((ahci_port_status (&regs->port[i]) & regs->port[i].ie) != 0)
      pending |= 1u << i;
  return pending;
}

/* IS latches the ports that want something; the pin is their OR; with MSI each bit that comes up sends a message (§10.6.2). @woken: the
 * guest has just allowed interrupts, so what is pending counts as new. */
void
_vmm_ahci_update_irq (Ahci *ahci, gboolean woken)
{
  guint32 before = ahci->regs.is;
  gboolean level;

  ahci->regs.is |= ahci_pending_ports (&ahci->regs);
  level = ahci->regs.is != 0 && (ahci->regs.ghc & AHCI_GHC_IE) != 0;
  vmm_pci_device_set_intx (&ahci->pci, level && !vmm_pci_device_msi_enabled (&ahci->pci));
  if (level && (woken || (ahci->regs.is & ~before) != 0) && vmm_pci_device_msi_enabled (&ahci->pci))
    vmm_pci_device_signal (&ahci->pci, 0);
}

static void
ahci_config_written (VmmPciDevice *pci, guint offset, guint size)
{
  if (pci->msi_cap != 0 && offset < pci->msi_cap + 4u && offset + size > pci->msi_cap + 2u)
    _vmm_ahci_update_irq ((Ahci *) pci, TRUE);
}

/* === Reset === */

void
_vmm_ahci_update_hr (Ahci *ahci)
{
  for (guint i = 0; i < AHCI_PORTS; i++)
    if (ahci->ports[i].aborting)
      return;
  ahci->regs.ghc &= ~AHCI_GHC_HR;
}

static void
ahci_reset_hba (Ahci *ahci, gboolean power_on)
{
  ahci->regs.ghc = AHCI_GHC_AE | AHCI_GHC_HR;
  ahci->regs.is = 0;
  for (guint i = 0; i < AHCI_PORTS; i++)
    _vmm_ahci_port_reset (&ahci->ports[i], power_on);
  _vmm_ahci_update_hr (ahci);
  _vmm_ahci_update_irq (ahci, FALSE);
}

/* === Registers === */

static guint32
ahci_read_port (AhciPort *port, guint reg)
{
  const AhciPortRegs *px = _vmm_ahci_port_regs (port);

  switch (reg)
    {
    case AHCI_PX_CLB:
      return px->clb;
    case AHCI_PX_CLBU:
      return px->clbu;
    case AHCI_PX_FB:
      return px->fb;
    case AHCI_PX_FBU:
      return px->fbu;
    case AHCI_PX_IS:
      return ahci_port_status (px);
    case AHCI_PX_IE:
      return px->ie;
    case AHCI_PX_CMD:
      return px->cmd;
    case AHCI_PX_TFD:
      return px->tfd;
    case AHCI_PX_SIG:
      return px->sig;
    case AHCI_PX_SSTS:
      return px->ssts;
    case AHCI_PX_SCTL:
      return px->sctl;
    case AHCI_PX_SERR:
      return px->serr;
    case AHCI_PX_SACT:
      return px->sact;
    case AHCI_PX_CI:
      return px->ci;
    default:
      return 0;
    }
}

static guint32
ahci_read_reg (Ahci *ahci, guint reg)
{
  if (reg >= AHCI_PORT_BASE)
    {
      guint index = (reg - AHCI_PORT_BASE) / AHCI_PORT_SIZE;

      return index < AHCI_PORTS ? ahci_read_port (&ahci->ports[index], reg % AHCI_PORT_SIZE) : 0;
    }
  switch (reg)
    {
    case AHCI_CAP:
      return AHCI_CAP_VALUE;
    case AHCI_GHC:
      return ahci->regs.ghc;
    case AHCI_IS:
      return ahci->regs.is;
    case AHCI_PI:
      return (1u << AHCI_PORTS) - 1;
    case AHCI_VS:
      return AHCI_VS_VALUE;
    default:
      return 0;
    }
}

static void
ahci_write_cmd (AhciPort *port, guint32 value)
{
  AhciPortRegs *px = _vmm_ahci_port_regs (port);
  guint32 changed = (px->cmd ^ value) & AHCI_CMD_WRITABLE;

  px->cmd ^= changed;
  if ((changed & AHCI_CMD_FRE) != 0)
    {
      px->cmd = (px->cmd & ~AHCI_CMD_FR) | ((value & AHCI_CMD_FRE) != 0 ? AHCI_CMD_FR : 0);
      if ((value & AHCI_CMD_FRE) != 0 && px->unposted && !port->signature_due && port->drive != NULL)
        _vmm_ahci_port_send_signature (port);
    }
  if ((changed & AHCI_CMD_ST) == 0)
    return;
  if ((value & AHCI_CMD_ST) != 0)
    {
      px->cmd |= AHCI_CMD_CR;
      return;
    }
  /* §3.3.14, §10.3.2: the lists are forgotten; CR falls when nothing is in flight. */
  _vmm_ahci_port_abort (port);
  px->ci = px->sact = 0;
  px->cmd &= ~AHCI_CMD_CCS;
  px->halted = FALSE;
  px->last_slot = AHCI_SLOTS - 1;
  if (!port->aborting)
    px->cmd &= ~AHCI_CMD_CR;
}

static void
ahci_write_sctl (AhciPort *port, guint32 value)
{
  AhciPortRegs *px = _vmm_ahci_port_regs (port);
  guint before = px->sctl & 0xf, after;

  px->sctl = value & AHCI_SCTL_MASK;
  after = px->sctl & 0xf;
  if (after == before)
    return;
  if (after == 1)
    _vmm_ahci_port_link_down (port, 0);
  else if (after == 4)
    _vmm_ahci_port_link_down (port, AHCI_SSTS_OFFLINE);
  else if (after == 0 && (before == 1 || before == 4))
    {
      px->ssts = 0;
      _vmm_ahci_port_link_up (port);
    }
}

/* @mask: the bits that the access reaches; @value is 0 outside. */
static void
ahci_write_port (AhciPort *port, guint reg, guint32 value, guint32 mask)
{
  AhciPortRegs *px = _vmm_ahci_port_regs (port);

  switch (reg)
    {
    case AHCI_PX_CLB:
      px->clb = (px->clb & ~mask) | (value & ~0x3ffu);
      break;
    case AHCI_PX_CLBU:
      px->clbu = (px->clbu & ~mask) | value;
      break;
    case AHCI_PX_FB:
      px->fb = (px->fb & ~mask) | (value & ~0xffu);
      break;
    case AHCI_PX_FBU:
      px->fbu = (px->fbu & ~mask) | value;
      break;
    case AHCI_PX_IS:
      px->is &= ~value;
      break;
    case AHCI_PX_IE:
      px->ie = (px->ie & ~mask) | (value & AHCI_IE_MASK);
      break;
    case AHCI_PX_CMD:
      ahci_write_cmd (port, (px->cmd & ~mask) | value);
      break;
    case AHCI_PX_SCTL:
      ahci_write_sctl (port, (px->sctl & ~mask) | value);
      break;
    case AHCI_PX_SERR:
      px->serr &= ~value;
      break;
    case AHCI_PX_SACT:
      if ((px->cmd & AHCI_CMD_ST) != 0)
        px->sact |= value;
      return;
    case AHCI_PX_CI:
      if ((px->cmd & AHCI_CMD_ST) != 0)
        px->ci |= value;
      break;
    default:
      return;
    }
  _vmm_ahci_port_run (port);
  _vmm_ahci_update_irq (port->ahci, FALSE);
}

static void
ahci_write_reg (Ahci *ahci, guint reg, guint32 value, guint32 mask)
{
  if (reg >= AHCI_PORT_BASE)
    {
      guint index = (reg - AHCI_PORT_BASE) / AHCI_PORT_SIZE;

      if (index < AHCI_PORTS)
        ahci_write_port (&ahci->ports[index], reg % AHCI_PORT_SIZE, value, mask);
      return;
    }
  if (reg == AHCI_GHC)
    {
      gboolean enabled = (value & ~ahci->regs.ghc & AHCI_GHC_IE) != 0;

      if ((value & AHCI_GHC_HR) != 0)
        ahci_reset_hba (ahci, FALSE);
      else
        {
          ahci->regs.ghc = (ahci->regs.ghc & ~(mask & AHCI_GHC_IE)) | (value & AHCI_GHC_IE);
          _vmm_ahci_update_irq (ahci, enabled);
        }
    }
  else if (reg == AHCI_IS)
    {
      ahci->regs.is &= ~value;
      _vmm_ahci_update_irq (ahci, FALSE);
    }
}

static guint32
ahci_access_mask (guint64 offset, guint size)
{
  return (size == 4 ? 0xffffffffu : (1u << size * 8) - 1) << offset % 4 * 8;
}

static guint64
ahci_mmio_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  return (ahci_read_reg ((Ahci *) dev, (guint) offset & ~3u) & ahci_access_mask (offset, size)) >> offset % 4 * 8;
}

static void
ahci_mmio_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  guint32 mask = ahci_access_mask (offset, size);

  ahci_write_reg ((Ahci *) dev, (guint) offset & ~3u, (guint32) value << offset % 4 * 8 & mask, mask);
}

/* Narrow accesses come as they are: a merged write would clear what it did not mean to. */
static const VmmRegionOps ahci_mmio_ops = { .name = "ahci", .read = ahci_mmio_read, .write = ahci_mmio_write, .access_max = 4 };

static guint64
ahci_pio_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  Ahci *ahci = (Ahci *) dev;
  guint32 value = 0;

  if ((offset & ~3u) == AHCI_IDX)
    value = ahci->regs.idx;
  else if ((offset & ~3u) == AHCI_IDX_DATA)
    value = ahci_read_reg (ahci, ahci->regs.idx);
  return (value & ahci_access_mask (offset, size)) >> offset % 4 * 8;
}

static void
ahci_pio_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  Ahci *ahci = (Ahci *) dev;
  guint32 mask = ahci_access_mask (offset, size), shifted = (guint32) value << offset % 4 * 8 & mask;

  if ((offset & ~3u) == AHCI_IDX)
    ahci->regs.idx = ((ahci->regs.idx & ~mask) | shifted) & (AHCI_BAR_SIZE - 4);
  else if ((offset & ~3u) == AHCI_IDX_DATA)
    ahci_write_reg (ahci, ahci->regs.idx, shifted, mask);
}

static const VmmRegionOps ahci_pio_ops = { .name = "ahci-index", .read = ahci_pio_read, .write = ahci_pio_write, .access_max = 4 };

/* === Life === */

static void
ahci_reset (VmmDevice *dev, VmmResetKind kind)
{
  Ahci *ahci = (Ahci *) dev;

  vmm_pci_device_reset (&ahci->pci);
  ahci->regs.idx = 0;
  ahci_reset_hba (ahci, TRUE);
}

static void
ahci_nothing (gpointer data)
{
}

static void
ahci_quiesce (VmmDevice *dev)
{
  Ahci *ahci = (Ahci *) dev;

  vmm_device_lock (dev);
  ahci->host.quiesced = TRUE;
  vmm_device_unlock (dev);
  for (guint i = 0; i < AHCI_PORTS; i++)
    if (ahci->ports[i].drive != NULL)
      vmm_sata_drive_drain (ahci->ports[i].drive);
  /* A report that is on its way has nothing left to do after this. */
  vmm_iothread_call_sync (vmm_device_get_iothread (dev), ahci_nothing, NULL);
}

/* Goes on with what was held back, and starts what waits in PxCI. */
static void
ahci_resume (VmmDevice *dev)
{
  Ahci *ahci = (Ahci *) dev;

  vmm_device_lock (dev);
  ahci->host.quiesced = FALSE;
  for (guint i = 0; i < AHCI_PORTS; i++)
    {
      AhciPort *port = &ahci->ports[i];

      for (guint slot = 0; slot < AHCI_SLOTS; slot++)
        if ((port->active & 1u << slot) != 0)
          vmm_sata_task_unpark (&port->commands[slot].task);
      _vmm_ahci_port_run (port);
    }
  _vmm_ahci_update_irq (ahci, FALSE);
  vmm_device_unlock (dev);
}

/* Queued commands that were accepted stand in PxSACT alone; they are fetched again when the machine goes on. */
static gboolean
ahci_post_load (VmmDevice *dev, GError **error)
{
  Ahci *ahci = (Ahci *) dev;

  vmm_pci_device_post_load (&ahci->pci);
  for (guint i = 0; i < AHCI_PORTS; i++)
    {
      AhciPort *port = &ahci->ports[i];
      AhciPortRegs *px = _vmm_ahci_port_regs (port);

      if ((px->ssts & 0xf) == 3 && port->drive == NULL)
        {
          g_set_error (error, VMM_ERROR, VMM_ERROR_STATE_MISMATCH, "the saved machine has a drive at SATA port %u", i);
          return FALSE;
        }
      _vmm_ahci_port_abort (port);
      if ((px->cmd & AHCI_CMD_ST) != 0 && !px->halted)
        {
          px->ci |= px->sact;
          _vmm_ahci_port_set_tfd (px, (guint8) (px->tfd & ~(guint) VMM_ATA_STATUS_BSY), (guint8) (px->tfd >> 8));
        }
    }
  return TRUE;
}

gboolean
vmm_ahci_attach (VmmDevice *controller, VmmSataDrive *drive, gint64 port_index, GError **error)
{
  Ahci *ahci = (Ahci *) controller;
  AhciPort *port = NULL;

  for (guint i = 0; i < AHCI_PORTS && port == NULL; i++)
    if (ahci->ports[i].drive == NULL && (port_index < 0 || port_index == i))
      port = &ahci->ports[i];
  if (port == NULL)
    {
      if (port_index < 0)
        g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "the SATA controller has no port left (of %u)", AHCI_PORTS);
      else
        g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "SATA port %" G_GINT64_FORMAT " has a drive already", port_index);
      return FALSE;
    }
  vmm_device_lock (controller);
  drive->host = &ahci->host;
  drive->port = port->index;
  port->drive = drive;
  _vmm_ahci_port_link_up (port);
  vmm_device_unlock (controller);
  return TRUE;
}

void
vmm_ahci_detach (VmmSataDrive *drive)
{
  VmmDevice *controller = drive->host->controller;
  Ahci *ahci = (Ahci *) controller;
  AhciPort *port = &ahci->ports[drive->port];

  vmm_device_lock (controller);
  _vmm_ahci_port_link_down (port, 0);
  vmm_device_unlock (controller);
  vmm_sata_drive_drain (drive);
  vmm_device_lock (controller);
  port->drive = NULL;
  drive->host = NULL;
  vmm_device_unlock (controller);
}

static void
ahci_unrealize (VmmDevice *dev)
{
  Ahci *ahci = (Ahci *) dev;

  for (guint i = 0; i < AHCI_PORTS; i++)
    {
      if (ahci->ports[i].drive != NULL)
        vmm_ahci_detach (ahci->ports[i].drive);
      for (guint slot = 0; slot < AHCI_SLOTS; slot++)
        {
          vmm_sata_task_clear (&ahci->ports[i].commands[slot].task);
          g_free (ahci->ports[i].commands[slot].task.iov);
        }
    }
  vmm_iothread_call_sync (vmm_device_get_iothread (dev), ahci_nothing, NULL);
  vmm_pci_device_clear (&ahci->pci);
}

static gboolean
ahci_realize (VmmDevice *dev, GError **error)
{
  static const VmmPciId id = { .vendor = 0x8086, .device = 0x2922, .revision = 2, .class_code = 0x010601 };
  Ahci *ahci = (Ahci *) dev;
  guint8 *config = ahci->pci.pci.config;

  if (!vmm_pci_device_init (&ahci->pci, AHCI_DEVFN, &id, error))
    return FALSE;
  config[0x3d] = 1;    /* INTA */
  config[0x90] = 0x40; /* MAP: AHCI mode (ICH9 §15.1.29) */
  vmm_pci_device_add_bar (&ahci->pci, 4, VMM_PCI_BAR_IO, 0x20, VMM_PCI_BAR_32, &ahci_pio_ops, ahci);
  vmm_pci_device_add_bar (&ahci->pci, 5, VMM_PCI_BAR_MMIO, AHCI_BAR_SIZE, VMM_PCI_BAR_32, &ahci_mmio_ops, ahci);
  vmm_pci_device_add_msi (&ahci->pci, 0x80);
  vmm_pci_device_add_capability (&ahci->pci, 0x12, 0xa8, 8);
  config[0xaa] = 0x10; /* revision 1.0 */
  config[0xac] = 0x48; /* index/data: BAR 4, offset 10 */
  ahci->pci.config_written = ahci_config_written;

  ahci->host = (VmmSataHost) { .ops = &_vmm_ahci_host_ops, .controller = dev };
  for (guint i = 0; i < AHCI_PORTS; i++)
    {
      ahci->ports[i].ahci = ahci;
      ahci->ports[i].index = i;
    }
  ahci_reset_hba (ahci, TRUE);
  return TRUE;
}

const VmmDeviceClass vmm_ahci_class = {
  .name = "ahci",
  .summary = N_ ("SATA controller (AHCI)"),
  .bus = VMM_DEVICE_PCI,
  .instance_size = sizeof (Ahci),
  .regs_offset = G_STRUCT_OFFSET (Ahci, regs),
  .regs_size = sizeof (AhciRegs),
  .regs_fields = ahci_fields,
  .state_version = 1,
  .realize = ahci_realize,
  .reset = ahci_reset,
  .quiesce = ahci_quiesce,
  .resume = ahci_resume,
  .unrealize = ahci_unrealize,
  .post_load = ahci_post_load,
};
