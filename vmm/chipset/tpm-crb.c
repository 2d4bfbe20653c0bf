/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A TPM 2.0 with the command response buffer interface, at FED40000; the TPM itself is swtpm.
 * Spec: TCG PC Client Platform TPM Profile 1.05 §6.5.3; TCG ACPI Specification 1.4 §7.3. Left out: localities 1-4, interrupts, the hash
 * interface of a dynamic launch, the FIFO interface, physical presence.
 *
 * Theory of operation: registers, and behind them a buffer that holds a command and then its response. Writing 1 to START hands the buffer to
 * a thread of our own, which talks to swtpm: a key may take it seconds. START reads 1 until the response is in the buffer; meanwhile the
 * guest cannot write the buffer. A reset gives up a running command and takes the TPM's power away for a moment, which empties its PCRs.
 * If swtpm dies, commands fail with the fatal bit of STS set, and the machine goes on. */
#include "chipset/swtpm.h"
#include "core/bus.h"
#include "core/device.h"
#include "core/log.h"
#include "core/machine.h"

#include <string.h>

#define CRB_BASE 0xfed40000u
#define CRB_SIZE 0x1000u

/* §6.5.3.6, table 21 */
#define CRB_LOC_STATE 0x00
#define CRB_LOC_STATE_ESTABLISHED 0x01 /* no dynamic launch has happened */
#define CRB_LOC_STATE_ASSIGNED 0x02
#define CRB_LOC_STATE_VALID 0x80
#define CRB_LOC_CTRL 0x08
#define CRB_LOC_CTRL_REQUEST 0x01
#define CRB_LOC_CTRL_RELINQUISH 0x02
#define CRB_LOC_STS 0x0c
#define CRB_LOC_STS_GRANTED 0x01
#define CRB_INTF_ID 0x30
#define CRB_INTF_ID_LOW \
  0x00025811u /* CRB active and selected, version 1, locality 0 only, transfers of up to 64 bytes, only CRB offered */
#define CRB_INTF_ID_HIGH 0x00001014u /* a maker, as swtpm's endorsement */
#define CRB_CTRL_REQ 0x40
#define CRB_CTRL_REQ_READY 0x01
#define CRB_CTRL_REQ_IDLE 0x02
#define CRB_CTRL_STS 0x44
#define CRB_CTRL_STS_FATAL 0x01
#define CRB_CTRL_STS_IDLE 0x02
#define CRB_CTRL_CANCEL 0x48
#define CRB_CTRL_START 0x4c
#define CRB_CTRL_CMD_SIZE 0x58
#define CRB_CTRL_CMD_LADDR 0x5c
#define CRB_CTRL_CMD_HADDR 0x60
#define CRB_CTRL_RSP_SIZE 0x64
#define CRB_CTRL_RSP_ADDR 0x68
#define CRB_BUFFER 0x80
#define CRB_BUFFER_SIZE (CRB_SIZE - CRB_BUFFER)

/* TPM 2.0 library, part 2: §6.9 (tags), §6.6 (codes) */
#define CRB_TAG_NO_SESSIONS 0x8001
#define CRB_RC_COMMAND_SIZE 0x0142
#define CRB_RC_FAILURE 0x0101

#define CRB_GIVE_UP_US (10 * G_USEC_PER_SEC)

typedef struct {
  guint8 assigned; /* the guest has locality 0 */
  guint8 idle;
  guint8 fatal;
  guint8 started;
  guint32 cancel;
  guint8 buffer[CRB_BUFFER_SIZE];
} CrbRegs;

typedef struct {
  VmmDevice base;
  CrbRegs regs;
  VmmRegion region;
  VmmSwtpm *tpm;
  GThread *thread;
  GCond cond; /* with the device's lock: what the thread shall do, and that it has done it */
  gboolean power_cycle, working, ending;
} Crb;

static const VmmSetting crb_settings[] = {
  { .key = "state", .type = VMM_SETTING_PATH, .fallback = "tpm", .summary = N_ ("Folder of what the TPM keeps") },
  { .key = "program", .type = VMM_SETTING_STRING, .summary = N_ ("Program that is the TPM, if not swtpm") },
  { .key = NULL },
};

static const VmmField crb_fields[] = {
  VMM_FIELD_MAX (CrbRegs, assigned, 1),
  VMM_FIELD_MAX (CrbRegs, idle, 1),
  VMM_FIELD_MAX (CrbRegs, fatal, 1),
  VMM_FIELD_MAX (CrbRegs, started, 1),
  VMM_FIELD (CrbRegs, cancel),
  VMM_FIELD_BLOB (CrbRegs, buffer),
  VMM_FIELD_END,
};

static void
crb_put_be32 (guint8 *to, guint32 value)
{
  value = GUINT32_TO_BE (value);
  memcpy (to, &value, sizeof value);
}

/* The shortest response: a tag, the length, a code. */
static gsize
crb_fill_error (guint8 *response, guint32 code)
{
  response[0] = CRB_TAG_NO_SESSIONS >> 8;
  response[1] = CRB_TAG_NO_SESSIONS & 0xff;
  crb_put_be32 (response + 2, VMM_SWTPM_HEADER);
  crb_put_be32 (response + 6, code);
  return VMM_SWTPM_HEADER;
}

/* The thread */

/* Device's lock held; let go meanwhile. */
static void
crb_run_command (Crb *crb)
{
  g_autofree guint8 *command = g_memdup2 (crb->regs.buffer, CRB_BUFFER_SIZE);
  g_autofree guint8 *response = g_malloc0 (CRB_BUFFER_SIZE);
  g_autoptr (GError) error = NULL;
  gsize len = 0;
  guint32 size;

  memcpy (&size, command + 2, sizeof size);
  size = GUINT32_FROM_BE (size);
  if (size < VMM_SWTPM_HEADER || size > CRB_BUFFER_SIZE)
    len = crb_fill_error (response, CRB_RC_COMMAND_SIZE);
  else
    {
      vmm_device_unlock (&crb->base);
      len = vmm_swtpm_execute (crb->tpm, command, size, response, CRB_BUFFER_SIZE, &error);
      if (len == 0)
        vmm_log_warning (crb->base.machine, &crb->base, "%s", error->message);
      vmm_device_lock (&crb->base);
    }
  if (!crb->regs.started) /* reset in the meantime */
    return;
  if (len == 0)
    {
      crb->regs.fatal = 1;
      len = crb_fill_error (response, CRB_RC_FAILURE);
    }
  memcpy (crb->regs.buffer, response, len);
  crb->regs.started = 0;
  crb->regs.cancel = 0;
}

static void
crb_run_power_cycle (Crb *crb)
{
  g_autoptr (GError) error = NULL;
  gboolean ok;

  crb->power_cycle = FALSE;
  vmm_device_unlock (&crb->base);
  ok = vmm_swtpm_power_cycle (crb->tpm, &error);
  if (!ok)
    vmm_log_warning (crb->base.machine, &crb->base, "%s", error->message);
  vmm_device_lock (&crb->base);
  if (!ok)
    crb->regs.fatal = 1;
}

static gpointer
crb_main (gpointer data)
{
  Crb *crb = data;

  vmm_device_lock (&crb->base);
  for (;;)
    {
      while (!crb->power_cycle && !crb->regs.started && !crb->ending)
        g_cond_wait (&crb->cond, &crb->base.lock);
      if (crb->ending)
        break;
      crb->working = TRUE;
      if (crb->power_cycle)
        crb_run_power_cycle (crb);
      else
        crb_run_command (crb);
      crb->working = FALSE;
      g_cond_broadcast (&crb->cond);
    }
  vmm_device_unlock (&crb->base);
  return NULL;
}

/* Registers */

static guint32
crb_get_register (const Crb *crb, guint offset)
{
  const CrbRegs *regs = &crb->regs;

  switch (offset)
    {
    case CRB_LOC_STATE:
      return CRB_LOC_STATE_VALID | CRB_LOC_STATE_ESTABLISHED | (regs->assigned ? CRB_LOC_STATE_ASSIGNED : 0);
    case CRB_LOC_STS:
      return regs->assigned ? CRB_LOC_STS_GRANTED : 0;
    case CRB_INTF_ID:
      return CRB_INTF_ID_LOW;
    case CRB_INTF_ID + 4:
      return CRB_INTF_ID_HIGH;
    case CRB_CTRL_STS:
      return (regs->fatal ? CRB_CTRL_STS_FATAL : 0) | (regs->idle ? CRB_CTRL_STS_IDLE : 0);
    case CRB_CTRL_CANCEL:
      return regs->cancel;
    case CRB_CTRL_START:
      return regs->started;
    case CRB_CTRL_CMD_SIZE:
    case CRB_CTRL_RSP_SIZE:
      return CRB_BUFFER_SIZE;
    case CRB_CTRL_CMD_LADDR:
    case CRB_CTRL_RSP_ADDR:
      return CRB_BASE + CRB_BUFFER;
    default: /* reserved, zero by nature, or write-only */
      return 0;
    }
}

static guint64
crb_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  const Crb *crb = (const Crb *) dev;
  guint64 value = 0;

  for (guint i = 0; i < size; i++, offset++)
    {
      guint8 byte = offset >= CRB_BUFFER ? crb->regs.buffer[offset - CRB_BUFFER]
                                         : (guint8) (crb_get_register (crb, (guint) offset & ~3u) >> (8 * (offset & 3)));

      value |= (guint64) byte << 8 * i;
    }
  return value;
}

static void
crb_set_register (Crb *crb, guint offset, guint32 value)
{
  CrbRegs *regs = &crb->regs;

  switch (offset)
    {
    case CRB_LOC_CTRL:
      if (value & CRB_LOC_CTRL_RELINQUISH)
        regs->assigned = 0;
      if (value & CRB_LOC_CTRL_REQUEST)
        regs->assigned = 1;
      break;
    case CRB_CTRL_REQ:
      if (regs->started)
        break;
      if (value & CRB_CTRL_REQ_READY)
        regs->idle = 0;
      else if (value & CRB_CTRL_REQ_IDLE)
        regs->idle = 1;
      break;
    case CRB_CTRL_CANCEL:
      regs->cancel = value & 1;
      if (regs->cancel && regs->started)
        vmm_swtpm_cancel (crb->tpm);
      break;
    case CRB_CTRL_START:
      if ((value & 1) == 0 || regs->started || !regs->assigned || regs->fatal)
        break;
      vmm_swtpm_prepare (crb->tpm);
      regs->started = 1;
      regs->idle = 0;
      g_cond_broadcast (&crb->cond);
      break;
    default: /* read-only, or reserved */
      break;
    }
}

static void
crb_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  Crb *crb = (Crb *) dev;

  if (offset < CRB_BUFFER)
    {
      /* access_max and alignment keep a write within one register. */
      crb_set_register (crb, (guint) offset & ~3u, (guint32) value << (8 * (offset & 3)));
      return;
    }
  if (crb->regs.started)
    {
      vmm_guest_error (dev, "the command buffer was written while a command runs");
      return;
    }
  for (guint i = 0; i < size; i++)
    crb->regs.buffer[offset - CRB_BUFFER + i] = (guint8) (value >> 8 * i);
}

static const VmmRegionOps crb_ops = { .name = "tpm-crb", .read = crb_read, .write = crb_write, .access_max = 4 };

/* Life */

static void
crb_quiesce (VmmDevice *dev)
{
  Crb *crb = (Crb *) dev;
  gint64 deadline = g_get_monotonic_time () + CRB_GIVE_UP_US;

  vmm_device_lock (dev);
  if (crb->regs.started)
    vmm_swtpm_cancel (crb->tpm);
  while (crb->working || crb->power_cycle || crb->regs.started)
    if (!g_cond_wait_until (&crb->cond, &dev->lock, deadline))
      {
        vmm_swtpm_abandon (crb->tpm);
        deadline = G_MAXINT64; /* now it comes back at once */
      }
  vmm_device_unlock (dev);
}

static void
crb_reset (VmmDevice *dev, VmmResetKind kind)
{
  Crb *crb = (Crb *) dev;

  memset (&crb->regs, 0, sizeof crb->regs);
  crb->regs.idle = 1;
  /* The thread does it before any command that comes now. */
  crb->power_cycle = TRUE;
  g_cond_broadcast (&crb->cond);
}

static gboolean
crb_realize (VmmDevice *dev, GError **error)
{
  Crb *crb = (Crb *) dev;
  g_autofree char *state = vmm_device_dup_path (dev, "state");
  g_autofree char *log_name = g_strconcat (dev->id, ".log", NULL);
  g_autofree char *log = dev->machine->log_dir != NULL ? g_build_filename (dev->machine->log_dir, log_name, NULL) : NULL;

  if (vmm_device_find_class (dev, dev->class->name) != NULL)
    {
      g_set_error_literal (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "a machine has at most one TPM");
      return FALSE;
    }
  if (state == NULL)
    {
      g_set_error_literal (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "state: the name of a folder is wanted");
      return FALSE;
    }
  crb->tpm = vmm_swtpm_new (vmm_device_get_string (dev, "program"), state, log, CRB_BUFFER_SIZE, error);
  if (crb->tpm == NULL)
    return FALSE;
  g_cond_init (&crb->cond);
  crb->thread = g_thread_new ("tpm", crb_main, crb);
  vmm_bus_map_mmio (&crb->region, dev, &crb_ops, NULL, CRB_BASE, CRB_SIZE);
  return TRUE;
}

static void
crb_unrealize (VmmDevice *dev)
{
  Crb *crb = (Crb *) dev;

  vmm_region_unmap (vmm_device_get_bus (dev), &crb->region);
  vmm_device_lock (dev);
  crb->ending = TRUE;
  g_cond_broadcast (&crb->cond);
  vmm_device_unlock (dev);
  vmm_swtpm_cancel (crb->tpm);
  g_thread_join (crb->thread);
  vmm_swtpm_free (crb->tpm);
  g_cond_clear (&crb->cond);
}

const VmmDeviceClass vmm_tpm_crb_class = {
  .name = "tpm-crb",
  .summary = N_ ("TPM 2.0"),
  .description = N_ ("A security chip that keeps keys and measures what was started; Windows 11 wants one."),
  .bus = VMM_DEVICE_SYSTEM,
  .user_creatable = TRUE,
  .instance_size = sizeof (Crb),
  .settings = crb_settings,
  .regs_offset = G_STRUCT_OFFSET (Crb, regs),
  .regs_size = sizeof (CrbRegs),
  .regs_fields = crb_fields,
  .state_version = 1,
  .realize = crb_realize,
  .reset = crb_reset,
  .quiesce = crb_quiesce,
  .unrealize = crb_unrealize,
};
