/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The USB controller: xHCI with four connectors, each with a USB 2 and a USB 3 port.
 * Spec: eXtensible Host Controller Interface 1.1 (section numbers below). Left out and not advertised: streams, scratchpad buffers, port
 * power and indicators, debug capability, L1, the virtualization of §8. Left out: frame wrap events, bandwidth domains (everything fits),
 * start frames of isochronous TDs (they go at once), events of rings that run dry, saving state on the guest's behalf (CRS tells an
 * error, upon which drivers start anew).
 *
 * Theory of operation: registers are here. A doorbell runs its ring at once, on the vCPU's thread: TDs become packets (usb/usb.h), which the
 * emulated devices mostly answer on the spot. Packets that wait (a keyboard that has nothing to say, a disk that reads) are completed from
 * the iothread. A kick takes XHCI_BUDGET TDs at most; the rest goes on on the iothread, so that no guest can keep a vCPU's thread
 * here. Whoever cancels a packet has it back at once: nothing that is in flight touches guest memory by itself.
 *
 * Saved state: the registers, with the slots and endpoints as the controller knows them. What is in flight is still in its ring, after the
 * endpoint's dequeue pointer, and is started anew when the machine goes on. */
#include "usb/xhci-private.h"

#include "core/iothread.h"

#define XHCI_BAR_SIZE 0x4000
#define XHCI_CAP_LENGTH 0x40
#define XHCI_PORT_OFFSET 0x440
#define XHCI_RUNTIME_OFFSET 0x1000
#define XHCI_DOORBELL_OFFSET 0x2000
#define XHCI_MSIX_TABLE 0x3000
#define XHCI_MSIX_PBA 0x3800

static const VmmField xhci_fields[] = {
  VMM_FIELD (XhciRegs, crcr),
  VMM_FIELD (XhciRegs, dcbaap),
  VMM_FIELD (XhciRegs, usbcmd),
  VMM_FIELD (XhciRegs, usbsts),
  VMM_FIELD (XhciRegs, dnctrl),
  VMM_FIELD (XhciRegs, config),
  VMM_FIELD_MAX (XhciRegs, command_running, 1),
  VMM_FIELD (XhciRegs, reserved),
  VMM_FIELD_ARRAY (XhciRegs, portsc),
  VMM_FIELD_ARRAY (XhciRegs, portpmsc),
  VMM_FIELD_BLOB (XhciRegs, intr),
  VMM_FIELD_BLOB (XhciRegs, slot),
  VMM_FIELD_END,
};

/* === Guest memory === */

void
_vmm_xhci_fail (Xhci *xhci, const char *what, guint64 gpa)
{
  vmm_guest_error (&xhci->pci.base, "%s at 0x%" G_GINT64_MODIFIER "x: host system error", what, gpa);
  xhci->regs.usbcmd &= ~XHCI_CMD_RUN;
  xhci->regs.usbsts |= XHCI_STS_HSE | XHCI_STS_HCH;
  xhci->regs.command_running = FALSE;
}

gboolean
_vmm_xhci_read_words (Xhci *xhci, guint64 gpa, guint32 *words, guint n)
{
  if (gpa > G_MAXUINT64 - n * 4 || !vmm_pci_dma_read (&xhci->pci, gpa, words, n * 4))
    return FALSE;
  for (guint i = 0; i < n; i++)
    words[i] = GUINT32_FROM_LE (words[i]);
  return TRUE;
}

gboolean
_vmm_xhci_write_words (Xhci *xhci, guint64 gpa, const guint32 *words, guint n)
{
  for (guint i = 0; i < n; i++)
    {
      guint32 word = GUINT32_TO_LE (words[i]);

      if (!vmm_pci_dma_write (&xhci->pci, gpa + i * 4, &word, 4))
        return FALSE;
    }
  return TRUE;
}

gboolean
_vmm_xhci_read_trb (Xhci *xhci, guint64 gpa, XhciTrb *ret)
{
  guint32 words[4];

  if (!_vmm_xhci_read_words (xhci, gpa, words, 4))
    return FALSE;
  *ret = (XhciTrb) { .parameter = (guint64) words[1] << 32 | words[0], .status = words[2], .control = words[3] };
  return TRUE;
}

/* === Passes on the iothread === */

static void
xhci_run_kicked (Xhci *xhci)
{
  if (xhci->quiesced)
    return;
  if (xhci->command_kicked)
    _vmm_xhci_command_run (xhci);
  for (guint slot = 0; slot < XHCI_SLOTS; slot++)
    for (guint32 bits = xhci->kicked[slot]; bits != 0; bits &= bits - 1)
      _vmm_xhci_endpoint_run (xhci, slot, (guint) g_bit_nth_lsf (bits, -1));
}

static void
xhci_on_pass (gpointer data)
{
  Xhci *xhci = data;

  vmm_device_lock (&xhci->pci.base);
  xhci->pass_queued = FALSE;
  xhci_run_kicked (xhci);
  vmm_device_unlock (&xhci->pci.base);
}

void
_vmm_xhci_schedule (Xhci *xhci)
{
  if (xhci->pass_queued)
    return;
  xhci->pass_queued = TRUE;
  vmm_iothread_call (vmm_device_get_iothread (&xhci->pci.base), xhci_on_pass, xhci);
}

static void
xhci_ring_doorbell (Xhci *xhci, guint slot, guint32 value)
{
  guint dci = value & 0xff;

  if (!_vmm_xhci_is_running (xhci))
    return;
  if (slot == 0)
    {
      if (dci != 0)
        return;
      xhci->regs.command_running = TRUE;
      _vmm_xhci_command_run (xhci);
      return;
    }
  if (slot > XHCI_SLOTS || dci < 1 || dci > XHCI_ENDPOINTS || !xhci->regs.slot[slot - 1].enabled)
    {
      vmm_guest_error (&xhci->pci.base, "doorbell of slot %u, endpoint %u", slot, dci);
      return;
    }
  if (xhci->regs.slot[slot - 1].ep[dci - 1].state == XHCI_EP_STOPPED)
    _vmm_xhci_endpoint_set_state (xhci, slot - 1, dci, XHCI_EP_RUNNING);
  _vmm_xhci_endpoint_run (xhci, slot - 1, dci);
}

/* === Capability registers, §5.3, §7 === */

static guint32
xhci_read_capability (guint offset)
{
  switch (offset)
    {
    case 0x00: /* HCIVERSION, CAPLENGTH */
      return 0x0100u << 16 | XHCI_CAP_LENGTH;
    case 0x04: /* HCSPARAMS1 */
      return (guint32) XHCI_PORTS << 24 | XHCI_INTERRUPTERS << 8 | XHCI_SLOTS;
    case 0x08: /* HCSPARAMS2: 16 segments an event ring, isochronous threshold 7 frames */
      return 0x0000004f;
    case 0x10: /* HCCPARAMS1: extended capabilities at 20, 64 bits */
      return 0x00080001;
    case 0x14:
      return XHCI_DOORBELL_OFFSET;
    case 0x18:
      return XHCI_RUNTIME_OFFSET;
    case 0x20: /* Supported Protocol: USB 2.0, ports 5 to 8 */
      return 0x02000402;
    case 0x24:
    case 0x34:
      return 0x20425355; /* "USB " */
    case 0x28:
      return (guint32) (XHCI_PORTS - XHCI_PORTS_3) << 8 | (XHCI_PORTS_3 + 1);
    case 0x30: /* USB 3.0, ports 1 to 4; the last */
      return 0x03000002;
    case 0x38:
      return (guint32) XHCI_PORTS_3 << 8 | 1;
    default:
      return 0;
    }
}

/* === Operational registers, §5.4 === */

static guint32
xhci_read_operational (Xhci *xhci, guint offset)
{
  const XhciRegs *regs = &xhci->regs;

  switch (offset)
    {
    case 0x00:
      return regs->usbcmd;
    case 0x04:
      return regs->usbsts;
    case 0x08: /* PAGESIZE: 4 KiB */
      return 1;
    case 0x14:
      return regs->dnctrl;
    case 0x18: /* pointers read as 0 (§5.4.5) */
      return regs->command_running ? XHCI_CRCR_CRR : 0;
    case 0x30:
      return (guint32) regs->dcbaap;
    case 0x34:
      return (guint32) (regs->dcbaap >> 32);
    case 0x38:
      return regs->config;
    default:
      return 0;
    }
}

/* §4.2: as after power on; what is plugged in stays. */
static void
xhci_reset_controller (Xhci *xhci)
{
  for (guint slot = 0; slot < XHCI_SLOTS; slot++)
    if (xhci->regs.slot[slot].enabled)
      _vmm_xhci_disable_slot (xhci, slot);
  xhci->regs = (XhciRegs) { .usbsts = XHCI_STS_HCH };
  for (guint i = 0; i < XHCI_INTERRUPTERS; i++)
    {
      xhci->regs.intr[i].imod = 4000; /* §5.5.2.2 */
      xhci->regs.intr[i].cycle = 1;
      xhci->quiet_until_ns[i] = 0;
      vmm_timer_disarm (&xhci->timers[i]);
    }
  for (guint i = 0; i < XHCI_SLOTS; i++)
    xhci->kicked[i] = 0;
  xhci->command_kicked = FALSE;
  _vmm_xhci_port_reset_all (xhci);
  _vmm_xhci_update_irq (xhci);
}

static void
xhci_write_command (Xhci *xhci, guint32 value)
{
  XhciRegs *regs = &xhci->regs;
  gboolean ran = _vmm_xhci_is_running (xhci), runs;

  if ((value & XHCI_CMD_HCRST) != 0)
    {
      xhci_reset_controller (xhci);
      return;
    }
  if ((value & XHCI_CMD_CRS) != 0)
    regs->usbsts |= XHCI_STS_SRE;
  else if ((value & XHCI_CMD_CSS) != 0)
    regs->usbsts &= ~XHCI_STS_SRE;
  regs->usbcmd = value & (XHCI_CMD_RUN | XHCI_CMD_INTE | XHCI_CMD_HSEE | 0xc00);
  if ((regs->usbsts & XHCI_STS_HSE) != 0)
    regs->usbcmd &= ~XHCI_CMD_RUN;
  runs = _vmm_xhci_is_running (xhci);
  regs->usbsts = (regs->usbsts & ~XHCI_STS_HCH) | (runs ? 0 : XHCI_STS_HCH);
  if (ran && !runs)
    {
      regs->command_running = FALSE;
      _vmm_xhci_cancel_all (xhci);
    }
  else if (!ran && runs)
    {
      for (guint i = 0; i < XHCI_INTERRUPTERS; i++)
        _vmm_xhci_flush_events (xhci, i);
      xhci_run_kicked (xhci);
    }
  _vmm_xhci_update_irq (xhci);
}

static void
xhci_write_operational (Xhci *xhci, guint offset, guint32 value)
{
  XhciRegs *regs = &xhci->regs;

  switch (offset)
    {
    case 0x00:
      xhci_write_command (xhci, value);
      break;
    case 0x04:
      regs->usbsts &= ~(value & (XHCI_STS_HSE | XHCI_STS_EINT | XHCI_STS_PCD | XHCI_STS_SRE));
      _vmm_xhci_update_irq (xhci);
      break;
    case 0x14:
      regs->dnctrl = value & 0xffff;
      break;
    case 0x18:
      if ((value & (XHCI_CRCR_CS | XHCI_CRCR_CA)) != 0)
        _vmm_xhci_command_stop (xhci);
      if (!regs->command_running)
        regs->crcr = (regs->crcr & ~G_GUINT64_CONSTANT (0xffffffff)) | (value & ~0x3fu) | (value & XHCI_CRCR_RCS);
      break;
    case 0x1c:
      if (!regs->command_running)
        regs->crcr = (regs->crcr & 0xffffffff) | (guint64) value << 32;
      break;
    case 0x30:
      regs->dcbaap = (regs->dcbaap & ~G_GUINT64_CONSTANT (0xffffffff)) | (value & ~0x3fu);
      break;
    case 0x34:
      regs->dcbaap = (regs->dcbaap & 0xffffffff) | (guint64) value << 32;
      break;
    case 0x38:
      regs->config = value & 0xff;
      break;
    default:
      break;
    }
}

/* === The BAR === */

static guint64
xhci_mmio_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  Xhci *xhci = (Xhci *) dev;

  if (offset < XHCI_CAP_LENGTH)
    return xhci_read_capability ((guint) offset);
  if (offset < XHCI_PORT_OFFSET)
    return xhci_read_operational (xhci, (guint) offset - XHCI_CAP_LENGTH);
  if (offset < XHCI_RUNTIME_OFFSET)
    return _vmm_xhci_read_port (xhci, (guint) offset - XHCI_PORT_OFFSET);
  if (offset < XHCI_DOORBELL_OFFSET)
    return _vmm_xhci_read_runtime (xhci, (guint) offset - XHCI_RUNTIME_OFFSET);
  return 0;
}

static void
xhci_mmio_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  Xhci *xhci = (Xhci *) dev;

  if (offset < XHCI_CAP_LENGTH)
    return;
  if (offset < XHCI_PORT_OFFSET)
    xhci_write_operational (xhci, (guint) offset - XHCI_CAP_LENGTH, (guint32) value);
  else if (offset < XHCI_RUNTIME_OFFSET)
    _vmm_xhci_write_port (xhci, (guint) offset - XHCI_PORT_OFFSET, (guint32) value);
  else if (offset < XHCI_DOORBELL_OFFSET)
    _vmm_xhci_write_runtime (xhci, (guint) offset - XHCI_RUNTIME_OFFSET, (guint32) value);
  else if (offset < XHCI_MSIX_TABLE)
    xhci_ring_doorbell (xhci, (guint) (offset - XHCI_DOORBELL_OFFSET) / 4, (guint32) value);
}

static const VmmRegionOps xhci_mmio_ops = {
  .name = "xhci",
  .read = xhci_mmio_read,
  .write = xhci_mmio_write,
  .access_min = 4,
  .access_max = 4,
};

/* Interrupts may have been asked for as messages, or on the wire, since. */
static void
xhci_config_written (VmmPciDevice *dev, guint offset, guint size)
{
  _vmm_xhci_update_irq ((Xhci *) dev);
}

/* === Life === */

static const VmmUsbHostOps xhci_host_ops = {
  .complete = _vmm_xhci_on_complete,
  .device_reset = _vmm_xhci_on_device_reset,
  .device_gone = _vmm_xhci_on_device_gone,
};

VmmUsbHost *
vmm_xhci_get_usb_host (VmmDevice *controller)
{
  return &((Xhci *) controller)->host;
}

static void
xhci_reset (VmmDevice *dev, VmmResetKind kind)
{
  Xhci *xhci = (Xhci *) dev;

  vmm_pci_device_reset (&xhci->pci);
  xhci_reset_controller (xhci);
}

static void
xhci_drain_ports (VmmUsbPort *ports, guint n_ports)
{
  for (guint i = 0; i < n_ports; i++)
    {
      VmmUsbDevice *dev = ports[i].dev;

      if (dev == NULL)
        continue;
      if (dev->ops->drain != NULL)
        dev->ops->drain (dev);
      if (dev->ports != NULL)
        xhci_drain_ports (dev->ports, dev->n_ports);
    }
}

static void
xhci_nothing (gpointer data)
{
}

/* First what ends by itself does so; what waits for the world is taken back. */
static void
xhci_quiesce (VmmDevice *dev)
{
  Xhci *xhci = (Xhci *) dev;

  vmm_device_lock (dev);
  xhci->quiesced = TRUE;
  vmm_device_unlock (dev);
  xhci_drain_ports (xhci->ports, XHCI_PORTS);
  vmm_device_lock (dev);
  _vmm_xhci_cancel_all (xhci);
  vmm_device_unlock (dev);
  vmm_iothread_call_sync (vmm_device_get_iothread (dev), xhci_nothing, NULL);
}

static void
xhci_resume (VmmDevice *dev)
{
  Xhci *xhci = (Xhci *) dev;

  vmm_device_lock (dev);
  xhci->quiesced = FALSE;
  xhci_run_kicked (xhci);
  vmm_device_unlock (dev);
}

static gboolean
xhci_post_load (VmmDevice *dev, GError **error)
{
  Xhci *xhci = (Xhci *) dev;

  for (guint i = 0; i < XHCI_INTERRUPTERS; i++)
    {
      XhciInterrupterRegs *intr = &xhci->regs.intr[i];

      if (intr->n_held > XHCI_HELD || (intr->loaded && intr->index >= intr->segment_size))
        {
          g_set_error (error, VMM_ERROR, VMM_ERROR_STATE_MISMATCH, "interrupter %u of the USB controller is inconsistent", i);
          return FALSE;
        }
    }
  vmm_pci_device_post_load (&xhci->pci);
  _vmm_xhci_cancel_all (xhci);
  xhci->command_kicked = xhci->regs.command_running;
  return TRUE;
}

static void
xhci_unrealize (VmmDevice *dev)
{
  Xhci *xhci = (Xhci *) dev;

  vmm_device_lock (dev);
  for (guint slot = 0; slot < XHCI_SLOTS; slot++)
    _vmm_xhci_disable_slot (xhci, slot);
  vmm_device_unlock (dev);
  vmm_iothread_call_sync (vmm_device_get_iothread (dev), xhci_nothing, NULL);
  for (guint i = 0; i < XHCI_INTERRUPTERS; i++)
    vmm_timer_clear (&xhci->timers[i]);
  vmm_pci_device_clear (&xhci->pci);
}

static gboolean
xhci_realize (VmmDevice *dev, GError **error)
{
  static const VmmPciId id = { .vendor = 0x1b36, .device = 0x000d, .revision = 1, .class_code = 0x0c0330 };
  Xhci *xhci = (Xhci *) dev;
  guint8 *config = xhci->pci.pci.config;

  if (!vmm_pci_device_init (&xhci->pci, -1, &id, error))
    return FALSE;
  config[0x3d] = 1;    /* INTA */
  config[0x60] = 0x30; /* SBRN: USB 3.0 (§5.2.3) */
  config[0x61] = 0x20; /* FLADJ: as it should be (§5.2.4) */
  vmm_pci_device_add_bar (&xhci->pci, 0, VMM_PCI_BAR_MMIO, XHCI_BAR_SIZE, VMM_PCI_BAR_64, &xhci_mmio_ops, xhci);
  vmm_pci_device_add_msi (&xhci->pci, 0x70);
  vmm_pci_device_add_msix (&xhci->pci, 0x90, 0, XHCI_MSIX_TABLE, XHCI_MSIX_PBA, XHCI_INTERRUPTERS);
  xhci->pci.config_written = xhci_config_written;

  xhci->host = (VmmUsbHost) { .ops = &xhci_host_ops, .controller = dev, .ports = xhci->ports, .n_ports = XHCI_PORTS };
  for (guint i = 0; i < XHCI_PORTS; i++)
    xhci->ports[i] = (VmmUsbPort) { .ops = &_vmm_xhci_port_ops,
                                    .number = i % XHCI_PORTS_3 + 1,
                                    .speeds = i < XHCI_PORTS_3 ? VMM_USB_SPEED_MASK (VMM_USB_SPEED_SUPER) : VMM_USB_SPEEDS_2 };
  for (guint i = 0; i < XHCI_INTERRUPTERS; i++)
    vmm_timer_init (&xhci->timers[i], dev, _vmm_xhci_on_moderated, NULL);
  xhci_reset_controller (xhci);
  return TRUE;
}

const VmmDeviceClass vmm_xhci_class = {
  .name = "xhci",
  .summary = N_ ("USB controller (xHCI)"),
  .description = N_ ("Ports for USB devices, of the machine and of this computer."),
  .bus = VMM_DEVICE_PCI,
  .user_creatable = TRUE,
  .instance_size = sizeof (Xhci),
  .regs_offset = G_STRUCT_OFFSET (Xhci, regs),
  .regs_size = sizeof (XhciRegs),
  .regs_fields = xhci_fields,
  .state_version = 1,
  .realize = xhci_realize,
  .reset = xhci_reset,
  .quiesce = xhci_quiesce,
  .resume = xhci_resume,
  .unrealize = xhci_unrealize,
  .post_load = xhci_post_load,
};
