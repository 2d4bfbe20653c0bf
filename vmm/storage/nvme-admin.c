/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The admin command set of the NVMe controller (§5): queues, IDENTIFY, features, logs, asynchronous events, shadow doorbells. */
#include "storage/nvme-private.h"

#include "core/clock.h"

#include <string.h>

#define NVMEA_MODEL "LODGE NVME"
#define NVMEA_FIRMWARE "1.0"

/* Figure 139 */
#define NVMEA_DELETE_SQ 0x00
#define NVMEA_CREATE_SQ 0x01
#define NVMEA_GET_LOG 0x02
#define NVMEA_DELETE_CQ 0x04
#define NVMEA_CREATE_CQ 0x05
#define NVMEA_IDENTIFY 0x06
#define NVMEA_ABORT 0x08
#define NVMEA_SET_FEATURES 0x09
#define NVMEA_GET_FEATURES 0x0a
#define NVMEA_EVENT_REQUEST 0x0c
#define NVMEA_DOORBELL_BUFFER 0x7c

/* Figure 271 */
#define NVMEA_ARBITRATION 0x01
#define NVMEA_POWER 0x02
#define NVMEA_TEMPERATURE 0x04
#define NVMEA_RECOVERY 0x05
#define NVMEA_WRITE_CACHE 0x06
#define NVMEA_QUEUES 0x07
#define NVMEA_COALESCING 0x08
#define NVMEA_VECTOR 0x09
#define NVMEA_ATOMICITY 0x0a
#define NVMEA_EVENTS 0x0b
#define NVMEA_TIMESTAMP 0x0e

#define NVMEA_KELVIN 310
#define NVMEA_KELVIN_WARNING 343
#define NVMEA_KELVIN_CRITICAL 358
#define NVMEA_PAGE 4096
#define NVMEA_IO_QUEUES (NVME_QUEUES - 1)

/* === Queues === */

/* §5.3 */
static guint
nvmea_create_cq (NvmeCommand *command)
{
  Nvme *nvme = command->nvme;
  guint32 dw10 = _nvme_dword (command, 10), dw11 = _nvme_dword (command, 11);
  guint id = dw10 & 0xffff, entries = (dw10 >> 16) + 1, vector = dw11 >> 16;
  guint64 base = _nvme_get64 (command->regs->entry + 24);

  if (id == 0 || id >= NVME_QUEUES || nvme->regs.cq[id].size != 0)
    return NVME_INVALID_QUEUE_ID;
  if (entries < 2 || entries > NVME_MAX_ENTRIES || (nvme->regs.cc >> 20 & 0xf) != 4)
    return NVME_INVALID_QUEUE_SIZE;
  if ((dw11 & 1) == 0) /* CAP.CQR: in one piece */
    return NVME_INVALID_FIELD;
  if ((base & (_nvme_page_size (nvme) - 1)) != 0)
    return NVME_INVALID_PRP_OFFSET;
  if (vector >= NVME_QUEUES || (vector != 0 && !vmm_pci_device_msix_enabled (&nvme->pci)))
    return NVME_INVALID_VECTOR;
  if (!_vmm_nvme_open_queue (nvme, id))
    return NVME_INTERNAL_ERROR;
  nvme->regs.cq[id] = (NvmeCq) { .base = base,
                                 .size = (guint16) entries,
                                 .vector = (guint16) vector,
                                 .phase = 1,
                                 .interrupts = (dw11 & 2) != 0 };
  _vmm_nvme_update_notify (nvme);
  return NVME_OK;
}

/* §5.4 */
static guint
nvmea_create_sq (NvmeCommand *command)
{
  Nvme *nvme = command->nvme;
  guint32 dw10 = _nvme_dword (command, 10), dw11 = _nvme_dword (command, 11);
  guint id = dw10 & 0xffff, entries = (dw10 >> 16) + 1, cq = dw11 >> 16;
  guint64 base = _nvme_get64 (command->regs->entry + 24);

  if (cq == 0 || cq >= NVME_QUEUES || nvme->regs.cq[cq].size == 0)
    return NVME_INVALID_QUEUE;
  if (id == 0 || id >= NVME_QUEUES || nvme->regs.sq[id].size != 0)
    return NVME_INVALID_QUEUE_ID;
  if (entries < 2 || entries > NVME_MAX_ENTRIES || (nvme->regs.cc >> 16 & 0xf) != 6)
    return NVME_INVALID_QUEUE_SIZE;
  if ((dw11 & 1) == 0)
    return NVME_INVALID_FIELD;
  if ((base & (_nvme_page_size (nvme) - 1)) != 0)
    return NVME_INVALID_PRP_OFFSET;
  if (!_vmm_nvme_open_queue (nvme, id))
    return NVME_INTERNAL_ERROR;
  nvme->regs.sq[id] = (NvmeSq) { .base = base, .size = (guint16) entries, .cq = (guint16) cq };
  _vmm_nvme_update_notify (nvme);
  return NVME_OK;
}

/* §5.6. Ends by itself if the queue is at rest, or later. */
static void
nvmea_delete_sq (NvmeCommand *command)
{
  Nvme *nvme = command->nvme;
  guint id = _nvme_dword (command, 10) & 0xffff;

  if (id == 0 || id >= NVME_QUEUES || nvme->regs.sq[id].size == 0 || nvme->regs.sq[id].deleting)
    _vmm_nvme_complete (command, NVME_INVALID_QUEUE_ID, 0);
  else
    _vmm_nvme_delete_sq (nvme, id, command);
}

/* §5.5 */
static guint
nvmea_delete_cq (NvmeCommand *command)
{
  Nvme *nvme = command->nvme;
  guint id = _nvme_dword (command, 10) & 0xffff;

  if (id == 0 || id >= NVME_QUEUES || nvme->regs.cq[id].size == 0)
    return NVME_INVALID_QUEUE_ID;
  for (guint i = 1; i < NVME_QUEUES; i++)
    if (nvme->regs.sq[i].size != 0 && nvme->regs.sq[i].cq == id)
      return NVME_INVALID_QUEUE_DELETION;
  nvme->regs.cq[id] = (NvmeCq) { 0 };
  nvme->queues[id].interrupt_due = FALSE;
  _vmm_nvme_update_notify (nvme);
  _vmm_nvme_update_irq (nvme);
  return NVME_OK;
}

/* §5.7 */
static guint
nvmea_doorbell_buffer (NvmeCommand *command)
{
  Nvme *nvme = command->nvme;
  guint64 shadow = _nvme_get64 (command->regs->entry + 24), event = _nvme_get64 (command->regs->entry + 32);
  guint32 page = _nvme_page_size (nvme);

  if (((shadow | event) & (page - 1)) != 0 || shadow == 0 || event == 0)
    return NVME_INVALID_FIELD;
  if (vmm_pci_dma_map (&nvme->pci, shadow, page) == NULL || vmm_pci_dma_map (&nvme->pci, event, page) == NULL)
    return NVME_DATA_TRANSFER_ERROR;
  nvme->regs.shadow = shadow;
  nvme->regs.event = event;
  _vmm_nvme_start_shadow (nvme);
  return NVME_OK;
}

/* === IDENTIFY, §5.15 === */

static void
nvmea_put_text (guint8 *to, gsize size, const char *text)
{
  gsize len = MIN (strlen (text), size);

  memset (to, ' ', size);
  memcpy (to, text, len);
}

/* Names that stay with the serial number. */
static void
nvmea_digest (Nvme *nvme, guint8 digest[32])
{
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  gsize len = 32;

  g_checksum_update (checksum, (const guchar *) nvme->serial, -1);
  g_checksum_get_digest (checksum, digest, &len);
}

/* §7.10: an identifier of its own with a locally assigned company number. */
static void
nvmea_fill_eui64 (Nvme *nvme, guint8 eui64[8])
{
  guint8 digest[32];

  nvmea_digest (nvme, digest);
  eui64[0] = 0x52;
  eui64[1] = 0x54;
  eui64[2] = 0x00;
  memcpy (eui64 + 3, digest, 5);
}

static void
nvmea_fill_nguid (Nvme *nvme, guint8 nguid[16])
{
  guint8 digest[32];

  nvmea_digest (nvme, digest);
  memcpy (nguid, digest + 8, 8);
  nvmea_fill_eui64 (nvme, nguid + 8);
}

/* Figure 247 */
static void
nvmea_identify_controller (Nvme *nvme, guint8 *page)
{
  g_autofree char *name = NULL;
  guint8 digest[32];

  memcpy (page, nvme->pci.pci.config, 2);            /* VID */
  memcpy (page + 2, nvme->pci.pci.config + 0x2c, 2); /* SSVID */
  nvmea_put_text (page + 4, 20, nvme->serial);
  nvmea_put_text (page + 24, 40, NVMEA_MODEL);
  nvmea_put_text (page + 64, 8, NVMEA_FIRMWARE);
  page[72] = 6; /* RAB: commands at a time */
  page[74] = 0x54;
  page[75] = 0x52; /* IEEE, low byte first */
  page[77] = NVME_MDTS;
  _nvme_put32 (page + 80, 0x00010400);
  page[111] = 1;                    /* CNTRLTYPE: an I/O controller */
  _nvme_put16 (page + 256, 0x0100); /* OACS: DOORBELL BUFFER CONFIG */
  page[258] = 3;                    /* ACL */
  page[259] = NVME_EVENTS - 1;      /* AERL */
  page[260] = 0x03;                 /* FRMW: one slot, read-only */
  page[261] = 0x06;                 /* LPA: effects log, offsets in logs */
  _nvme_put16 (page + 266, NVMEA_KELVIN_WARNING);
  _nvme_put16 (page + 268, NVMEA_KELVIN_CRITICAL);
  page[512] = 0x66;            /* SQES */
  page[513] = 0x44;            /* CQES */
  _nvme_put32 (page + 516, 1); /* NN */
  /* ONCS: dataset management, write zeroes, select in GET FEATURES, timestamp */
  _nvme_put16 (page + 520, 0x005c);
  page[525] = 0x07; /* VWC: there is one; FLUSH takes FFFFFFFF */
  nvmea_digest (nvme, digest);
  digest[6] = (guint8) ((digest[6] & 0x0f) | 0x80); /* a UUID of version 8 (RFC 9562 §5.8) */
  digest[8] = (guint8) ((digest[8] & 0x3f) | 0x80);
  name = g_strdup_printf ("nqn.2014-08.org.nvmexpress:uuid:%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                          digest[0], digest[1], digest[2], digest[3], digest[4], digest[5], digest[6], digest[7], digest[8],
                          digest[9], digest[10], digest[11], digest[12], digest[13], digest[14], digest[15]);
  memcpy (page + 768, name, strlen (name)); /* SUBNQN, ended by a zero */
  _nvme_put16 (page + 2048, 2500);          /* PSD0: 25 W */
}

/* Figure 245 */
static void
nvmea_identify_namespace (Nvme *nvme, guint8 *page)
{
  _nvme_put64 (page, nvme->blocks);
  _nvme_put64 (page + 8, nvme->blocks);
  _nvme_put64 (page + 16, nvme->blocks);
  page[33] = nvme->discard ? 0x09 : 0; /* DLFEAT: deallocated blocks read as zeros; WRITE ZEROES may deallocate */
  _nvme_put64 (page + 48, nvme->blocks * NVME_BLOCK);
  page[99] = nvme->read_only ? 1 : 0; /* NSATTR: write protected */
  nvmea_fill_nguid (nvme, page + 104);
  nvmea_fill_eui64 (nvme, page + 120);
  page[130] = NVME_BLOCK_BITS; /* LBAF0 */
}

/* Figure 248 */
static void
nvmea_identify_descriptors (Nvme *nvme, guint8 *page)
{
  page[0] = 1; /* EUI64 */
  page[1] = 8;
  nvmea_fill_eui64 (nvme, page + 4);
  page[12] = 2; /* NGUID */
  page[13] = 16;
  nvmea_fill_nguid (nvme, page + 16);
}

static guint
nvmea_identify (NvmeCommand *command)
{
  Nvme *nvme = command->nvme;
  guint8 page[NVMEA_PAGE] = { 0 };
  guint32 nsid = _nvme_dword (command, 1);

  switch (_nvme_dword (command, 10) & 0xff)
    {
    case 0x00:
      if (nsid != 1) /* without namespace management FFFFFFFF names none (§5.15.2.1) */
        return NVME_INVALID_NAMESPACE | NVME_DNR;
      nvmea_identify_namespace (nvme, page);
      break;
    case 0x01:
      nvmea_identify_controller (nvme, page);
      break;
    case 0x02:
      if (nsid >= 0xfffffffe)
        return NVME_INVALID_NAMESPACE | NVME_DNR;
      if (nsid == 0)
        page[0] = 1;
      break;
    case 0x03:
      if (nsid != 1)
        return NVME_INVALID_NAMESPACE | NVME_DNR;
      nvmea_identify_descriptors (nvme, page);
      break;
    default:
      return NVME_INVALID_FIELD;
    }
  return _vmm_nvme_put (command, page, sizeof page);
}

/* === GET LOG PAGE, §5.14 === */

/* Figure 194 */
static void
nvmea_fill_health (Nvme *nvme, guint8 *log)
{
  const NvmeRegs *regs = &nvme->regs;
  gint64 hours = vmm_clock_now (vmm_device_get_clock (&nvme->pci.base)) / 3600 / 1000 / G_USEC_PER_SEC;

  _nvme_put16 (log + 1, NVMEA_KELVIN);
  log[3] = 100; /* per cent of spare blocks */
  log[4] = 10;
  _nvme_put64 (log + 32, (regs->read_units + 999) / 1000);
  _nvme_put64 (log + 48, (regs->write_units + 999) / 1000);
  _nvme_put64 (log + 64, regs->read_commands);
  _nvme_put64 (log + 80, regs->write_commands);
  _nvme_put64 (log + 112, 1); /* power cycles */
  _nvme_put64 (log + 128, (guint64) hours);
}

/* Figure 198: bit 0 supported, bit 1 changes the content */
static void
nvmea_fill_effects (guint8 *log)
{
  static const guint8 admin[] = { NVMEA_DELETE_SQ,    NVMEA_CREATE_SQ,     NVMEA_GET_LOG,        NVMEA_DELETE_CQ,
                                  NVMEA_CREATE_CQ,    NVMEA_IDENTIFY,      NVMEA_ABORT,          NVMEA_SET_FEATURES,
                                  NVMEA_GET_FEATURES, NVMEA_EVENT_REQUEST, NVMEA_DOORBELL_BUFFER };
  static const guint8 io[] = { 0x00, 0x01, 0x02, 0x08, 0x09 };

  for (guint i = 0; i < G_N_ELEMENTS (admin); i++)
    _nvme_put32 (log + 4 * admin[i], 1);
  for (guint i = 0; i < G_N_ELEMENTS (io); i++)
    _nvme_put32 (log + 1024 + 4 * io[i], io[i] == 0x00 || io[i] == 0x02 ? 1 : 3);
}

static guint
nvmea_get_log (NvmeCommand *command)
{
  Nvme *nvme = command->nvme;
  guint32 dw10 = _nvme_dword (command, 10), dw11 = _nvme_dword (command, 11);
  guint64 offset = _nvme_get64 (command->regs->entry + 48);
  guint64 wanted = (((guint64) (dw11 & 0xffff) << 16 | dw10 >> 16) + 1) * 4;
  guint8 log[NVMEA_PAGE] = { 0 };
  gsize size;

  switch (dw10 & 0xff)
    {
    case 0x01: /* errors: none */
      size = 64;
      break;
    case 0x02:
      nvmea_fill_health (nvme, log);
      size = 512;
      break;
    case 0x03:
      log[0] = 1; /* the active slot */
      nvmea_put_text (log + 8, 8, NVMEA_FIRMWARE);
      size = 512;
      break;
    case 0x05:
      nvmea_fill_effects (log);
      size = 4096;
      break;
    default:
      return NVME_INVALID_LOG_PAGE;
    }
  if ((offset & 3) != 0 || offset > size)
    return NVME_INVALID_FIELD;
  if ((dw10 & 0x8000) == 0) /* RAE: the event is not to be armed again */
    {
      if ((dw10 & 0xff) == 0x01)
        nvme->regs.events_masked &= (guint8) ~1u;
      else if ((dw10 & 0xff) == 0x02)
        nvme->regs.events_masked &= (guint8) ~2u;
    }
  /* What lies behind the log's end is not defined: nothing is written there. */
  return _vmm_nvme_put (command, log + offset, (gsize) MIN (wanted, size - offset));
}

/* === Features, §5.13, §5.21 === */

static guint32
nvmea_default (guint id)
{
  switch (id)
    {
    case NVMEA_ARBITRATION:
      return 6;
    case NVMEA_TEMPERATURE:
      return NVMEA_KELVIN_WARNING;
    case NVMEA_WRITE_CACHE:
      return 1;
    case NVMEA_QUEUES:
      return (NVMEA_IO_QUEUES - 1) << 16 | (NVMEA_IO_QUEUES - 1);
    default:
      return 0;
    }
}

static gboolean
nvmea_has_feature (guint id)
{
  switch (id)
    {
    case NVMEA_ARBITRATION:
    case NVMEA_POWER:
    case NVMEA_TEMPERATURE:
    case NVMEA_RECOVERY:
    case NVMEA_WRITE_CACHE:
    case NVMEA_QUEUES:
    case NVMEA_COALESCING:
    case NVMEA_VECTOR:
    case NVMEA_ATOMICITY:
    case NVMEA_EVENTS:
    case NVMEA_TIMESTAMP:
      return TRUE;
    default:
      return FALSE;
    }
}

/* Feature 0E: milliseconds since 1970 that count on while the controller has power (§5.21.1.14). */
static guint
nvmea_get_timestamp (NvmeCommand *command)
{
  Nvme *nvme = command->nvme;
  const NvmeRegs *regs = &nvme->regs;
  guint64 now = (guint64) vmm_clock_now (vmm_device_get_clock (&nvme->pci.base));
  guint64 value = regs->timestamp_ms + (now - regs->timestamp_at_ns) / 1000000;
  guint8 data[8];

  _nvme_put64 (data, value & G_GUINT64_CONSTANT (0xffffffffffff));
  data[6] = regs->timestamp_set ? 2 : 0; /* origin: the host's */
  data[7] = 0;
  return _vmm_nvme_put (command, data, sizeof data);
}

static guint
nvmea_set_timestamp (NvmeCommand *command)
{
  NvmeRegs *regs = &command->nvme->regs;
  guint8 data[8];
  guint status = _vmm_nvme_get (command, data, sizeof data);

  if (status != NVME_OK)
    return status;
  regs->timestamp_ms = _nvme_get64 (data) & G_GUINT64_CONSTANT (0xffffffffffff);
  regs->timestamp_at_ns = (guint64) vmm_clock_now (vmm_device_get_clock (&command->nvme->pci.base));
  regs->timestamp_set = TRUE;
  return NVME_OK;
}

static guint
nvmea_get_current (NvmeCommand *command, guint id, guint32 *ret_value)
{
  const NvmeRegs *regs = &command->nvme->regs;
  guint32 dw11 = _nvme_dword (command, 11);

  switch (id)
    {
    case NVMEA_ARBITRATION:
      *ret_value = regs->arbitration;
      break;
    case NVMEA_TEMPERATURE:
      if ((dw11 >> 16 & 0xf) != 0) /* the composite temperature is the only one */
        *ret_value = (dw11 >> 20 & 3) == 0 ? 0xffff : 0;
      else
        *ret_value = (dw11 >> 20 & 3) == 0 ? regs->temperature_over : regs->temperature_under;
      break;
    case NVMEA_RECOVERY:
      *ret_value = regs->recovery;
      break;
    case NVMEA_WRITE_CACHE:
      *ret_value = regs->write_cache;
      break;
    case NVMEA_COALESCING:
      *ret_value = regs->coalescing;
      break;
    case NVMEA_VECTOR:
      if ((dw11 & 0xffff) >= NVME_QUEUES)
        return NVME_INVALID_FIELD;
      *ret_value = (dw11 & 0xffff) | (guint32) regs->coalescing_off[dw11 & 0xffff] << 16;
      break;
    case NVMEA_ATOMICITY:
      *ret_value = regs->atomicity;
      break;
    case NVMEA_EVENTS:
      *ret_value = regs->event_config;
      break;
    case NVMEA_TIMESTAMP:
      return nvmea_get_timestamp (command);
    default:
      *ret_value = nvmea_default (id);
      break;
    }
  return NVME_OK;
}

static guint
nvmea_get_features (NvmeCommand *command, guint32 *ret_value)
{
  guint32 dw10 = _nvme_dword (command, 10);
  guint id = dw10 & 0xff;

  if (!nvmea_has_feature (id))
    return NVME_INVALID_FIELD;
  switch (dw10 >> 8 & 7)
    {
    case 0:
      return nvmea_get_current (command, id, ret_value);
    case 1: /* default */
    case 2: /* saved: nothing is, so the default */
      *ret_value = nvmea_default (id);
      if (id == NVMEA_TIMESTAMP)
        {
          static const guint8 zeros[8] = { 0 };

          return _vmm_nvme_put (command, zeros, sizeof zeros);
        }
      return NVME_OK;
    case 3: /* capabilities: changeable */
      *ret_value = 4;
      return NVME_OK;
    default:
      return NVME_INVALID_FIELD;
    }
}

static guint
nvmea_set_temperature (NvmeRegs *regs, guint32 dw11)
{
  guint select = dw11 >> 16 & 0xf, type = dw11 >> 20 & 3;

  if (type > 1)
    return NVME_INVALID_FIELD;
  if (select == 0 || select == 0xf)
    {
      if (type == 0)
        regs->temperature_over = dw11 & 0xffff;
      else
        regs->temperature_under = dw11 & 0xffff;
    }
  return NVME_OK;
}

static void
nvmea_on_cache_flushed (NvmeCommand *command, int result)
{
  if (result == 0)
    command->nvme->regs.write_cache = 0;
  _vmm_nvme_complete (command, result == 0 ? NVME_OK : NVME_WRITE_FAULT, 0);
}

/* Returns: TRUE if the command ends later. */
static gboolean
nvmea_set_features (NvmeCommand *command, guint *ret_status, guint32 *ret_value)
{
  Nvme *nvme = command->nvme;
  NvmeRegs *regs = &nvme->regs;
  guint32 dw10 = _nvme_dword (command, 10), dw11 = _nvme_dword (command, 11);
  guint id = dw10 & 0xff;

  *ret_status = !nvmea_has_feature (id) ? NVME_INVALID_FIELD : (dw10 & 0x80000000u) != 0 ? NVME_NOT_SAVEABLE : NVME_OK;
  if (*ret_status != NVME_OK)
    return FALSE;
  switch (id)
    {
    case NVMEA_ARBITRATION:
      regs->arbitration = dw11;
      break;
    case NVMEA_POWER:
      if ((dw11 & 0x1f) != 0) /* the only state */
        *ret_status = NVME_INVALID_FIELD;
      break;
    case NVMEA_TEMPERATURE:
      *ret_status = nvmea_set_temperature (regs, dw11);
      break;
    case NVMEA_RECOVERY:
      regs->recovery = dw11 & 0xffff;
      break;
    case NVMEA_WRITE_CACHE:
      if ((dw11 & 1) != 0)
        regs->write_cache = 1;
      else if (regs->write_cache)
        {
          /* What is in the cache must be on the medium first. */
          command->req = (VmmBlockRequest) { .op = VMM_BLOCK_FLUSH };
          _vmm_nvme_submit (command, nvmea_on_cache_flushed);
          return TRUE;
        }
      break;
    case NVMEA_QUEUES:
      if ((dw11 & 0xffff) == 0xffff || dw11 >> 16 == 0xffff)
        *ret_status = NVME_INVALID_FIELD;
      else
        {
          regs->queues_granted = 1;
          *ret_value = nvmea_default (id);
        }
      break;
    case NVMEA_COALESCING: /* stored; interrupts are gathered by what comes back together */
      regs->coalescing = dw11 & 0xffff;
      break;
    case NVMEA_VECTOR:
      if ((dw11 & 0xffff) >= NVME_QUEUES)
        *ret_status = NVME_INVALID_FIELD;
      else
        regs->coalescing_off[dw11 & 0xffff] = (guint8) (dw11 >> 16 & 1);
      break;
    case NVMEA_ATOMICITY:
      regs->atomicity = dw11 & 1;
      break;
    case NVMEA_EVENTS:
      regs->event_config = dw11;
      break;
    case NVMEA_TIMESTAMP:
      *ret_status = nvmea_set_timestamp (command);
      break;
    default:
      break;
    }
  return FALSE;
}

/* === Events, §5.2 === */

static void
nvmea_event_request (NvmeCommand *command)
{
  Nvme *nvme = command->nvme;
  guint n = 0;

  for (guint i = 0; i < NVME_COMMANDS; i++)
    n += nvme->commands[i].regs->state == NVME_EVENT;
  if (n >= NVME_EVENTS)
    {
      _vmm_nvme_complete (command, NVME_EVENT_LIMIT, 0);
      return;
    }
  command->regs->state = NVME_EVENT;
  nvme->n_running--;
}

/* === Dispatch === */

void
_vmm_nvme_admin (NvmeCommand *command)
{
  const guint8 *entry = command->regs->entry;
  guint status = NVME_OK;
  guint32 result = 0;

  if ((entry[1] & 0xc3) != 0) /* SGLs, fused operations */
    {
      _vmm_nvme_complete (command, NVME_INVALID_FIELD, 0);
      return;
    }
  switch (entry[0])
    {
    case NVMEA_DELETE_SQ:
      nvmea_delete_sq (command);
      return;
    case NVMEA_EVENT_REQUEST:
      nvmea_event_request (command);
      return;
    case NVMEA_CREATE_SQ:
      status = nvmea_create_sq (command);
      break;
    case NVMEA_GET_LOG:
      status = nvmea_get_log (command);
      break;
    case NVMEA_DELETE_CQ:
      status = nvmea_delete_cq (command);
      break;
    case NVMEA_CREATE_CQ:
      status = nvmea_create_cq (command);
      break;
    case NVMEA_IDENTIFY:
      status = nvmea_identify (command);
      break;
    case NVMEA_ABORT:
      result = 1; /* not aborted: what the host has cannot be taken back (§5.1: best effort) */
      break;
    case NVMEA_SET_FEATURES:
      if (nvmea_set_features (command, &status, &result))
        return;
      break;
    case NVMEA_GET_FEATURES:
      status = nvmea_get_features (command, &result);
      break;
    case NVMEA_DOORBELL_BUFFER:
      status = nvmea_doorbell_buffer (command);
      break;
    default:
      status = NVME_INVALID_OPCODE;
      break;
    }
  _vmm_nvme_complete (command, status, result);
}
