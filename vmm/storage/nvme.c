/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An NVMe controller with one namespace over an image.
 * Spec: NVM Express Base Specification 1.4 (section and figure numbers below). Left out: SGLs, metadata and protection information,
 * namespace management, firmware download, FORMAT, security, reservations, controller memory buffer, arbitration but round robin;
 * none of them is advertised.
 *
 * Theory of operation: registers and doorbells are written by vCPUs, which only note what was written; all commands are fetched, done
 * and completed on the iothread (nvme-queue.c). A command sits in one of NVME_COMMANDS places from its fetching to its completion entry;
 * the places are part of the saved state, and what was under way is begun anew after a load.
 *
 * What is in flight owns guest memory, so nothing is ever cut short: when the guest disables the controller, commands are marked as
 * aborted, their answers are dropped, and CSTS.RDY stays set until the last is back (§7.3.2 lets it). */
#include "storage/nvme-private.h"

#include "chipset/fw-cfg.h"
#include "core/iothread.h"
#include "core/machine.h"

#include <errno.h>
#include <string.h>

#define NVMER_BAR_SIZE 0x4000
#define NVMER_MSIX_TABLE 0x2000
#define NVMER_MSIX_PBA 0x3000
#define NVMER_SERIAL_MAX 20

/* §3.1 */
#define NVMER_CAP 0x00
#define NVMER_VS 0x08
#define NVMER_INTMS 0x0c
#define NVMER_INTMC 0x10
#define NVMER_CC 0x14
#define NVMER_CSTS 0x1c
#define NVMER_AQA 0x24
#define NVMER_ASQ 0x28
#define NVMER_ACQ 0x30
/* MQES, CQR, TO 7.5 s, NVM command set, pages of 4 to 64 KiB */
#define NVMER_CAP_VALUE (G_GUINT64_CONSTANT (0x004000200f010000) | (NVME_MAX_ENTRIES - 1))
#define NVMER_VS_VALUE 0x00010400u
#define NVMER_CC_BITS 0x00fffff1u
#define NVMER_CC_SHN 0x0000c000u
#define NVMER_CSTS_SHST 0x0000000cu
#define NVMER_CSTS_SHST_BUSY 0x00000004u
#define NVMER_CSTS_SHST_DONE 0x00000008u
#define NVMER_AQA_BITS 0x0fff0fffu
#define NVMER_PAGE_BITS G_GUINT64_CONSTANT (0xfffffffffffff000)

static const char *const nvmer_formats[] = { "raw", "qcow2", NULL };
static const char *const nvmer_caches[] = { "writeback", "direct", NULL };

static const VmmSetting nvmer_settings[] = {
  { "image", VMM_SETTING_PATH, NULL, 0, 0, NULL, N_ ("Disk image"), VMM_SETTING_REQUIRED },
  { "format", VMM_SETTING_ENUM, "raw", 0, 0, nvmer_formats, N_ ("Format of the image"), VMM_SETTING_NONE },
  { "cache", VMM_SETTING_ENUM, "writeback", 0, 0, nvmer_caches, N_ ("Use the host's page cache, or go to the disk directly"),
    VMM_SETTING_NONE },
  { "readonly", VMM_SETTING_BOOL, "false", 0, 0, NULL, N_ ("Refuse all writes"), VMM_SETTING_NONE },
  { "serial", VMM_SETTING_STRING, NULL, 0, 0, NULL, N_ ("Serial number, up to 20 characters"), VMM_SETTING_NONE },
  { "discard", VMM_SETTING_BOOL, "true", 0, 0, NULL, N_ ("Give the space of deleted data back to the host"), VMM_SETTING_NONE },
  { "boot", VMM_SETTING_INT, "-1", -1, 1000, NULL, N_ ("Place in the boot order, -1 for none"), VMM_SETTING_NONE },
  { NULL },
};

static const VmmField nvmer_fields[] = {
  VMM_FIELD (NvmeRegs, asq),
  VMM_FIELD (NvmeRegs, acq),
  VMM_FIELD (NvmeRegs, shadow),
  VMM_FIELD (NvmeRegs, event),
  VMM_FIELD (NvmeRegs, read_units),
  VMM_FIELD (NvmeRegs, write_units),
  VMM_FIELD (NvmeRegs, read_commands),
  VMM_FIELD (NvmeRegs, write_commands),
  VMM_FIELD (NvmeRegs, timestamp_ms),
  VMM_FIELD (NvmeRegs, timestamp_at_ns),
  VMM_FIELD (NvmeRegs, intms),
  VMM_FIELD (NvmeRegs, cc),
  VMM_FIELD (NvmeRegs, csts),
  VMM_FIELD (NvmeRegs, aqa),
  VMM_FIELD (NvmeRegs, arbitration),
  VMM_FIELD (NvmeRegs, temperature_over),
  VMM_FIELD (NvmeRegs, temperature_under),
  VMM_FIELD (NvmeRegs, recovery),
  VMM_FIELD (NvmeRegs, coalescing),
  VMM_FIELD (NvmeRegs, atomicity),
  VMM_FIELD (NvmeRegs, event_config),
  VMM_FIELD_MAX (NvmeRegs, write_cache, 1),
  VMM_FIELD_MAX (NvmeRegs, queues_granted, 1),
  VMM_FIELD (NvmeRegs, events_masked),
  VMM_FIELD_MAX (NvmeRegs, timestamp_set, 1),
  VMM_FIELD_MAX (NvmeRegs, disabling, 1),
  VMM_FIELD_MAX (NvmeRegs, shutting, 1),
  VMM_FIELD_BLOB (NvmeRegs, coalescing_off),
  VMM_FIELD_BLOB (NvmeRegs, sq),
  VMM_FIELD_BLOB (NvmeRegs, cq),
  VMM_FIELD_BLOB (NvmeRegs, commands),
  VMM_FIELD_END,
};

G_STATIC_ASSERT (sizeof (NvmeSq) == 24 && sizeof (NvmeCq) == 24 && sizeof (NvmeCommandRegs) == 80);

/* === Interrupts, §7.5 === */

void
_vmm_nvme_update_irq (Nvme *nvme)
{
  gboolean msix = vmm_pci_device_msix_enabled (&nvme->pci), level = FALSE;

  for (guint i = 0; i < NVME_QUEUES; i++)
    {
      const NvmeCq *cq = &nvme->regs.cq[i];
      NvmeQueue *queue = &nvme->queues[i];

      if (cq->size == 0 || !cq->interrupts)
        continue;
      if (msix && queue->interrupt_due)
        vmm_pci_device_signal (&nvme->pci, cq->vector);
      queue->interrupt_due = FALSE;
      if (cq->head != cq->tail && cq->vector < 32 && (nvme->regs.intms & 1u << cq->vector) == 0)
        level = TRUE;
    }
  vmm_pci_device_set_intx (&nvme->pci, level && !msix);
}

/* === Enabling and disabling === */

void
_vmm_nvme_fail (Nvme *nvme, const char *what)
{
  vmm_guest_error (&nvme->pci.base, "%s", what);
  nvme->regs.csts |= NVME_CSTS_CFS;
}

/* What a controller reset (§7.3.2) sets back; the admin queue's registers stay. */
static void
nvmer_clear_regs (Nvme *nvme)
{
  NvmeRegs *regs = &nvme->regs;

  regs->intms = 0;
  regs->csts = 0;
  regs->shadow = regs->event = 0;
  regs->arbitration = 6;
  regs->temperature_over = 343;
  regs->temperature_under = 0;
  regs->recovery = regs->coalescing = regs->atomicity = regs->event_config = 0;
  regs->write_cache = 1;
  regs->queues_granted = 0;
  regs->events_masked = 0;
  regs->disabling = FALSE;
  memset (regs->coalescing_off, 0, sizeof regs->coalescing_off);
  memset (regs->sq, 0, sizeof regs->sq);
  memset (regs->cq, 0, sizeof regs->cq);
  for (guint i = 0; i < NVME_QUEUES; i++)
    nvme->queues[i].interrupt_due = nvme->queues[i].waits = FALSE;
  _vmm_nvme_update_notify (nvme);
  _vmm_nvme_update_irq (nvme);
}

static void
nvmer_enable (Nvme *nvme)
{
  NvmeRegs *regs = &nvme->regs;
  guint sq_entries = (regs->aqa & 0xfff) + 1, cq_entries = (regs->aqa >> 16 & 0xfff) + 1;

  /* §7.6.1; MPS within CAP, the only command set, round robin */
  if ((regs->cc >> 7 & 0xf) > 4 || (regs->cc & 0x00003870) != 0 || sq_entries < 2 || cq_entries < 2
      || ((regs->asq | regs->acq) & (_nvme_page_size (nvme) - 1)) != 0)
    {
      _vmm_nvme_fail (nvme, "enabled with a configuration that is none");
      return;
    }
  if (!_vmm_nvme_open_queue (nvme, 0))
    {
      _vmm_nvme_fail (nvme, "no descriptor for the admin queue");
      return;
    }
  regs->sq[0] = (NvmeSq) { .base = regs->asq, .size = (guint16) sq_entries };
  regs->cq[0] = (NvmeCq) { .base = regs->acq, .size = (guint16) cq_entries, .phase = 1, .interrupts = TRUE };
  regs->csts |= NVME_CSTS_RDY;
}

void
_vmm_nvme_update_disabling (Nvme *nvme)
{
  if (!nvme->regs.disabling || nvme->n_running > 0)
    return;
  nvmer_clear_regs (nvme);
  if ((nvme->regs.cc & NVME_CC_EN) != 0) /* the guest did not wait */
    nvmer_enable (nvme);
}

static void
nvmer_disable (Nvme *nvme)
{
  nvme->regs.disabling = TRUE;
  _vmm_nvme_abort_all (nvme);
  _vmm_nvme_update_disabling (nvme);
}

/* === Shutdown, §7.6.2 === */

/* Iothread. */
static void
nvmer_on_shut (VmmBlockRequest *req, int result)
{
  Nvme *nvme = req->data;

  vmm_device_lock (&nvme->pci.base);
  nvme->shutdown_in_flight = FALSE;
  if (nvme->regs.shutting && (nvme->regs.csts & NVMER_CSTS_SHST) == NVMER_CSTS_SHST_BUSY)
    nvme->regs.csts = (nvme->regs.csts & ~NVMER_CSTS_SHST) | NVMER_CSTS_SHST_DONE;
  nvme->regs.shutting = FALSE;
  vmm_device_unlock (&nvme->pci.base);
}

static void
nvmer_submit_shutdown (Nvme *nvme)
{
  if (!nvme->regs.shutting || nvme->shutdown_in_flight || nvme->quiesced)
    return;
  nvme->shutdown = (VmmBlockRequest) { .op = VMM_BLOCK_FLUSH, .done = nvmer_on_shut, .data = nvme };
  nvme->shutdown_in_flight = TRUE;
  vmm_block_submit (nvme->block, &nvme->shutdown);
}

static void
nvmer_shut_down (Nvme *nvme)
{
  nvme->regs.csts = (nvme->regs.csts & ~NVMER_CSTS_SHST) | NVMER_CSTS_SHST_BUSY;
  nvme->regs.shutting = TRUE;
  nvmer_submit_shutdown (nvme);
}

/* === Registers === */

static void
nvmer_write_cc (Nvme *nvme, guint32 value)
{
  guint32 before = nvme->regs.cc;

  nvme->regs.cc = value & NVMER_CC_BITS;
  if ((nvme->regs.cc & ~before & NVME_CC_EN) != 0 && !nvme->regs.disabling)
    nvmer_enable (nvme);
  else if ((before & ~nvme->regs.cc & NVME_CC_EN) != 0)
    nvmer_disable (nvme);
  if ((before & NVMER_CC_SHN) == 0 && (nvme->regs.cc & NVMER_CC_SHN) != 0)
    nvmer_shut_down (nvme);
  else if ((before & NVMER_CC_SHN) != 0 && (nvme->regs.cc & NVMER_CC_SHN) == 0)
    nvme->regs.csts &= ~NVMER_CSTS_SHST;
}

static guint32
nvmer_read_reg (Nvme *nvme, guint offset)
{
  const NvmeRegs *regs = &nvme->regs;

  switch (offset)
    {
    case NVMER_CAP:
      return (guint32) NVMER_CAP_VALUE;
    case NVMER_CAP + 4:
      return (guint32) (NVMER_CAP_VALUE >> 32);
    case NVMER_VS:
      return NVMER_VS_VALUE;
    case NVMER_INTMS:
    case NVMER_INTMC:
      return regs->intms;
    case NVMER_CC:
      return regs->cc;
    case NVMER_CSTS:
      return regs->csts;
    case NVMER_AQA:
      return regs->aqa;
    case NVMER_ASQ:
      return (guint32) regs->asq;
    case NVMER_ASQ + 4:
      return (guint32) (regs->asq >> 32);
    case NVMER_ACQ:
      return (guint32) regs->acq;
    case NVMER_ACQ + 4:
      return (guint32) (regs->acq >> 32);
    default:
      return 0; /* doorbells too (§3.1.24) */
    }
}

static void
nvmer_put_low (guint64 *address, guint32 value)
{
  *address = ((*address & ~G_GUINT64_CONSTANT (0xffffffff)) | value) & NVMER_PAGE_BITS;
}

static void
nvmer_put_high (guint64 *address, guint32 value)
{
  *address = (*address & G_GUINT64_CONSTANT (0xffffffff)) | (guint64) value << 32;
}

static void
nvmer_write_reg (Nvme *nvme, guint offset, guint32 value)
{
  NvmeRegs *regs = &nvme->regs;

  if (offset >= NVME_DOORBELLS)
    {
      _vmm_nvme_ring (nvme, (offset - NVME_DOORBELLS) / 4, value);
      return;
    }
  switch (offset)
    {
    case NVMER_INTMS:
      regs->intms |= value;
      _vmm_nvme_update_irq (nvme);
      break;
    case NVMER_INTMC:
      regs->intms &= ~value;
      _vmm_nvme_update_irq (nvme);
      break;
    case NVMER_CC:
      nvmer_write_cc (nvme, value);
      break;
    case NVMER_AQA:
      regs->aqa = value & NVMER_AQA_BITS;
      break;
    case NVMER_ASQ:
      nvmer_put_low (&regs->asq, value);
      break;
    case NVMER_ASQ + 4:
      nvmer_put_high (&regs->asq, value);
      break;
    case NVMER_ACQ:
      nvmer_put_low (&regs->acq, value);
      break;
    case NVMER_ACQ + 4:
      nvmer_put_high (&regs->acq, value);
      break;
    default:
      break; /* read-only or reserved */
    }
}

static guint64
nvmer_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  return nvmer_read_reg ((Nvme *) dev, (guint) offset);
}

static void
nvmer_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  nvmer_write_reg ((Nvme *) dev, (guint) offset, (guint32) value);
}

/* Only whole dwords and quadwords reach a register (§3.1); 64 bits come as two dwords, the low one first. */
static const VmmRegionOps nvmer_ops = { .name = "nvme",
                                        .read = nvmer_read,
                                        .write = nvmer_write,
                                        .access_min = 4,
                                        .access_max = 4 };

static void
nvmer_config_written (VmmPciDevice *pci, guint offset, guint size)
{
  Nvme *nvme = (Nvme *) pci;

  _vmm_nvme_update_notify (nvme);
  _vmm_nvme_update_irq (nvme);
}

/* === Life === */

/* Iothread: a write could not be done and is kept. The machine stands still until there is room. */
static void
nvmer_on_stalled (VmmBlock *block, int error, gpointer data)
{
  Nvme *nvme = data;
  g_autofree char *message = g_strdup_printf ("%s: %s: %s", nvme->pci.base.id, vmm_block_get_path (block), g_strerror (error));

  vmm_machine_request_pause (nvme->pci.base.machine, error == ENOSPC || error == EDQUOT ? VMM_REASON_NO_SPACE : VMM_REASON_IO_ERROR,
                             message);
}

static void
nvmer_reset (VmmDevice *dev, VmmResetKind kind)
{
  Nvme *nvme = (Nvme *) dev;

  vmm_pci_device_reset (&nvme->pci);
  _vmm_nvme_abort_all (nvme);
  nvme->regs.cc = 0;
  nvme->regs.asq = nvme->regs.acq = 0;
  nvme->regs.aqa = 0;
  nvme->regs.shutting = FALSE;
  nvme->regs.disabling = TRUE;
  _vmm_nvme_update_disabling (nvme);
  if (kind == VMM_RESET_COLD)
    {
      nvme->regs.read_units = nvme->regs.write_units = nvme->regs.read_commands = nvme->regs.write_commands = 0;
      nvme->regs.timestamp_ms = nvme->regs.timestamp_at_ns = 0;
      nvme->regs.timestamp_set = FALSE;
    }
}

static void
nvmer_nothing (gpointer data)
{
}

static void
nvmer_quiesce (VmmDevice *dev)
{
  Nvme *nvme = (Nvme *) dev;

  vmm_device_lock (dev);
  nvme->quiesced = TRUE;
  vmm_device_unlock (dev);
  /* Who is in the middle of fetching ends first, then what was fetched, then a report on its way. */
  vmm_iothread_call_sync (vmm_device_get_iothread (dev), nvmer_nothing, NULL);
  vmm_block_drain (nvme->block);
  vmm_iothread_call_sync (vmm_device_get_iothread (dev), nvmer_nothing, NULL);
}

static void
nvmer_resume (VmmDevice *dev)
{
  Nvme *nvme = (Nvme *) dev;

  vmm_device_lock (dev);
  nvme->quiesced = FALSE;
  nvmer_submit_shutdown (nvme);
  _vmm_nvme_restart (nvme);
  _vmm_nvme_update_irq (nvme);
  vmm_device_unlock (dev);
}

/* TRUE if every index is within what it counts. */
static gboolean
nvmer_regs_are_valid (const NvmeRegs *regs)
{
  if ((regs->cc >> 7 & 0xf) > 4 && (regs->csts & NVME_CSTS_RDY) != 0)
    return FALSE;
  for (guint i = 0; i < NVME_QUEUES; i++)
    {
      const NvmeSq *sq = &regs->sq[i];
      const NvmeCq *cq = &regs->cq[i];

      if (sq->size != 0
          && (sq->size > NVME_MAX_ENTRIES * 2 || sq->head >= sq->size || sq->tail >= sq->size || sq->cq >= NVME_QUEUES
              || regs->cq[sq->cq].size == 0))
        return FALSE;
      if (cq->size != 0
          && (cq->size > NVME_MAX_ENTRIES * 2 || cq->head >= cq->size || cq->tail >= cq->size || cq->phase > 1
              || cq->vector >= NVME_QUEUES))
        return FALSE;
    }
  for (guint i = 0; i < NVME_COMMANDS; i++)
    if (regs->commands[i].state > NVME_DONE
        || (regs->commands[i].state != NVME_FREE
            && (regs->commands[i].sq >= NVME_QUEUES || regs->sq[regs->commands[i].sq].size == 0)))
      return FALSE;
  return TRUE;
}

static gboolean
nvmer_post_load (VmmDevice *dev, GError **error)
{
  Nvme *nvme = (Nvme *) dev;

  if (!nvmer_regs_are_valid (&nvme->regs))
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_STATE_MISMATCH, "the saved queues of the NVMe controller make no sense");
      return FALSE;
    }
  for (guint i = 0; i < NVME_COMMANDS; i++)
    {
      NvmeCommand *command = &nvme->commands[i];

      command->aborted = command->parked = FALSE;
      g_clear_pointer (&command->ranges, g_free);
      if (nvme->regs.disabling)
        command->regs->state = NVME_FREE;
    }
  _vmm_nvme_recount (nvme);
  for (guint i = 0; i < NVME_QUEUES; i++)
    if ((nvme->regs.sq[i].size != 0 || nvme->regs.cq[i].size != 0) && !_vmm_nvme_open_queue (nvme, i))
      {
        g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "no descriptors for the NVMe controller's queues");
        return FALSE;
      }
  vmm_pci_device_post_load (&nvme->pci);
  _vmm_nvme_update_disabling (nvme);
  _vmm_nvme_update_notify (nvme);
  return TRUE;
}

static void
nvmer_free (Nvme *nvme)
{
  for (guint i = 0; i < NVME_COMMANDS; i++)
    {
      g_free (nvme->commands[i].iov);
      g_free (nvme->commands[i].ranges);
    }
  g_free (nvme->serial);
}

static void
nvmer_unrealize (VmmDevice *dev)
{
  Nvme *nvme = (Nvme *) dev;

  vmm_device_lock (dev);
  nvme->quiesced = TRUE;
  nvme->regs.shadow = 0;
  _vmm_nvme_update_notify (nvme);
  _vmm_nvme_abort_all (nvme);
  vmm_device_unlock (dev);
  _vmm_nvme_close_descriptors (nvme);
  g_ptr_array_remove (dev->machine->blocks, nvme->block);
  vmm_block_close (nvme->block);
  vmm_iothread_call_sync (vmm_device_get_iothread (dev), nvmer_nothing, NULL);
  nvmer_free (nvme);
  vmm_pci_device_clear (&nvme->pci);
}

static gboolean
nvmer_open (Nvme *nvme, GError **error)
{
  VmmDevice *dev = &nvme->pci.base;
  g_autofree char *path = vmm_device_dup_path (dev, "image");
  guint flags = VMM_BLOCK_DEFAULT;

  if (path == NULL)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "image: the disk needs one");
      return FALSE;
    }
  nvme->read_only = vmm_device_get_bool (dev, "readonly");
  nvme->discard = vmm_device_get_bool (dev, "discard") && !nvme->read_only;
  if (nvme->read_only)
    flags |= VMM_BLOCK_READ_ONLY;
  if (g_str_equal (vmm_device_get_string (dev, "cache"), "direct"))
    flags |= VMM_BLOCK_DIRECT;
  nvme->block = vmm_block_open (path, vmm_device_get_string (dev, "format"), flags, vmm_device_get_iothread (dev), error);
  if (nvme->block == NULL)
    return FALSE;
  nvme->blocks = vmm_block_get_size (nvme->block) / NVME_BLOCK;
  if (nvme->blocks > 0)
    return TRUE;
  g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "%s: too small for a disk", path);
  vmm_block_close (nvme->block);
  return FALSE;
}

static void
nvmer_add_boot_path (Nvme *nvme)
{
  VmmFwCfg *fw_cfg = vmm_device_get_fw_cfg (&nvme->pci.base);
  gint64 index = vmm_device_get_int (&nvme->pci.base, "boot");
  g_autofree char *path = NULL;

  if (fw_cfg == NULL || index < 0)
    return;
  /* Contract 4.4 */
  path = g_strdup_printf ("/pci@i0cf8/pci1b36,10@%x/namespace@1,0", (guint) nvme->pci.devfn >> 3);
  vmm_fw_cfg_add_boot_path (fw_cfg, (int) index, path);
}

static gboolean
nvmer_realize (VmmDevice *dev, GError **error)
{
  static const VmmPciId id = { .vendor = 0x1b36, .device = 0x0010, .revision = 2, .class_code = 0x010802 };
  Nvme *nvme = (Nvme *) dev;

  if (!nvmer_open (nvme, error))
    return FALSE;
  if (!vmm_pci_device_init (&nvme->pci, -1, &id, error))
    {
      vmm_block_close (nvme->block);
      return FALSE;
    }
  nvme->serial = vmm_device_dup_serial (dev, NVMER_SERIAL_MAX);
  for (guint i = 0; i < NVME_QUEUES; i++)
    nvme->queues[i] = (NvmeQueue) { .nvme = nvme, .id = i, .kick_fd = -1, .notify_at = NVME_NOWHERE, .cq_notify_at = NVME_NOWHERE };
  for (guint i = 0; i < NVME_COMMANDS; i++)
    {
      nvme->commands[i].nvme = nvme;
      nvme->commands[i].regs = &nvme->regs.commands[i];
    }
  _vmm_nvme_recount (nvme);
  nvme->pci.pci.config[0x3d] = 1; /* INTA */
  vmm_pci_device_add_bar (&nvme->pci, 0, VMM_PCI_BAR_MMIO, NVMER_BAR_SIZE, VMM_PCI_BAR_64, &nvmer_ops, nvme);
  vmm_pci_device_add_msix (&nvme->pci, 0x40, 0, NVMER_MSIX_TABLE, NVMER_MSIX_PBA, NVME_QUEUES);
  nvme->pci.config_written = nvmer_config_written;
  vmm_block_set_stall (nvme->block, nvmer_on_stalled, nvme);
  g_ptr_array_add (dev->machine->blocks, nvme->block);
  nvmer_add_boot_path (nvme);
  return TRUE;
}

const VmmDeviceClass vmm_nvme_class = {
  .name = "nvme",
  .summary = N_ ("Hard disk (NVMe)"),
  .description = N_ ("A fast disk that Windows, Linux and the BSDs have a driver for."),
  .bus = VMM_DEVICE_PCI,
  .user_creatable = TRUE,
  .instance_size = sizeof (Nvme),
  .settings = nvmer_settings,
  .regs_offset = G_STRUCT_OFFSET (Nvme, regs),
  .regs_size = sizeof (NvmeRegs),
  .regs_fields = nvmer_fields,
  .state_version = 1,
  .realize = nvmer_realize,
  .reset = nvmer_reset,
  .quiesce = nvmer_quiesce,
  .resume = nvmer_resume,
  .unrealize = nvmer_unrealize,
  .post_load = nvmer_post_load,
};
