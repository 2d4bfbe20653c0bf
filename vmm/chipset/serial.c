/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Serial port: 16550A.
 * Spec: National Semiconductor PC16550D data sheet (registers, chapter 8; interrupts, table III); IBM PC: OUT2 gates the interrupt.
 * Left out on purpose: DMA mode, the speed of the line (a byte written has been sent; a byte from the host is there as soon as there
 *   is room), parity and framing errors.
 *
 * Theory of operation. Output goes to a channel, which never blocks, so the transmitter is always empty and each write to THR
 * brings its interrupt anew. Input is offered by the channel, which keeps what the receiver has no room for. The line is held while
 * any enabled cause is pending and falls between two causes' service only if none is left; a THR write drops it for a moment,
 * because the interrupt is an edge. */
#include "core/bus.h"
#include "core/channel.h"
#include "core/clock.h"
#include "core/device.h"
#include "core/irq.h"
#include "core/machine.h"

#include <string.h>

#define SERIAL_FIFO_SIZE 16
#define SERIAL_CLOCK_HZ 115200 /* 1.8432 MHz / 16 */

enum { SERIAL_DATA, SERIAL_IER, SERIAL_IIR, SERIAL_LCR, SERIAL_MCR, SERIAL_LSR, SERIAL_MSR, SERIAL_SCR };

#define SERIAL_IER_RECEIVED 0x01
#define SERIAL_IER_EMPTY 0x02
#define SERIAL_IER_LINE 0x04
#define SERIAL_IER_MODEM 0x08

#define SERIAL_IIR_MODEM 0x00
#define SERIAL_IIR_NONE 0x01
#define SERIAL_IIR_EMPTY 0x02
#define SERIAL_IIR_RECEIVED 0x04
#define SERIAL_IIR_LINE 0x06
#define SERIAL_IIR_TIMEOUT 0x0c
#define SERIAL_IIR_FIFO 0xc0

#define SERIAL_FCR_ENABLE 0x01
#define SERIAL_FCR_CLEAR_RECEIVER 0x02

#define SERIAL_LCR_BREAK 0x40
#define SERIAL_LCR_DLAB 0x80

#define SERIAL_MCR_DTR 0x01
#define SERIAL_MCR_RTS 0x02
#define SERIAL_MCR_OUT1 0x04
#define SERIAL_MCR_OUT2 0x08
#define SERIAL_MCR_LOOP 0x10

#define SERIAL_LSR_READY 0x01
#define SERIAL_LSR_OVERRUN 0x02
#define SERIAL_LSR_BREAK 0x10
#define SERIAL_LSR_ERRORS 0x1e
#define SERIAL_LSR_EMPTY 0x60 /* THRE, TEMT */
#define SERIAL_LSR_FIFO_ERROR 0x80

#define SERIAL_MSR_CTS 0x10
#define SERIAL_MSR_DSR 0x20
#define SERIAL_MSR_RI 0x40
#define SERIAL_MSR_DCD 0x80

typedef struct {
  guint16 divisor;
  guint8 ier, fcr, lcr, mcr, msr, scr;
  guint8 errors;          /* of LSR */
  guint8 empty_pending;   /* the transmitter's interrupt */
  guint8 timeout_pending; /* the receiver has bytes that nobody fetches */
  guint8 head, count;     /* receiver */
  guint8 fifo[SERIAL_FIFO_SIZE];
} SerialRegs;

typedef struct {
  VmmDevice base;
  SerialRegs regs;
  VmmRegion region;
  VmmIrqPin irq;
  VmmTimer timeout;
  VmmChannel *channel;
} VmmSerial;

static const char *const serial_ports[] = { "com1", "com2", "com3", "com4", NULL };

static const struct {
  guint16 port;
  guint8 irq;
} serial_places[] = { { 0x3f8, 4 }, { 0x2f8, 3 }, { 0x3e8, 4 }, { 0x2e8, 3 } };

static const VmmSetting serial_settings[] = {
  { .key = "port",
    .type = VMM_SETTING_ENUM,
    .fallback = "com1",
    .choices = serial_ports,
    .summary = N_ ("Which of a PC's serial ports") },
  { .key = NULL },
};

static const VmmField serial_fields[] = {
  VMM_FIELD (SerialRegs, divisor),
  VMM_FIELD_MAX (SerialRegs, ier, 0x0f),
  VMM_FIELD (SerialRegs, fcr),
  VMM_FIELD (SerialRegs, lcr),
  VMM_FIELD_MAX (SerialRegs, mcr, 0x1f),
  VMM_FIELD (SerialRegs, msr),
  VMM_FIELD (SerialRegs, scr),
  VMM_FIELD_MAX (SerialRegs, errors, SERIAL_LSR_ERRORS),
  VMM_FIELD_MAX (SerialRegs, empty_pending, 1),
  VMM_FIELD_MAX (SerialRegs, timeout_pending, 1),
  VMM_FIELD_MAX (SerialRegs, head, SERIAL_FIFO_SIZE - 1),
  VMM_FIELD_MAX (SerialRegs, count, SERIAL_FIFO_SIZE),
  VMM_FIELD_ARRAY (SerialRegs, fifo),
  VMM_FIELD_END,
};

/* --- interrupts -------------------------------------------------------------------------------------------------------------- */

static guint
serial_depth (const SerialRegs *regs)
{
  return regs->fcr & SERIAL_FCR_ENABLE ? SERIAL_FIFO_SIZE : 1;
}

static guint
serial_trigger (const SerialRegs *regs)
{
  static const guint8 levels[] = { 1, 4, 8, 14 };

  return regs->fcr & SERIAL_FCR_ENABLE ? levels[regs->fcr >> 6] : 1;
}

/* The most urgent of the enabled causes. */
static guint8
serial_cause (const SerialRegs *regs)
{
  if (regs->ier & SERIAL_IER_LINE && regs->errors != 0)
    return SERIAL_IIR_LINE;
  if (regs->ier & SERIAL_IER_RECEIVED && regs->count >= serial_trigger (regs))
    return SERIAL_IIR_RECEIVED;
  if (regs->ier & SERIAL_IER_RECEIVED && regs->timeout_pending)
    return SERIAL_IIR_TIMEOUT;
  if (regs->ier & SERIAL_IER_EMPTY && regs->empty_pending)
    return SERIAL_IIR_EMPTY;
  if (regs->ier & SERIAL_IER_MODEM && regs->msr & 0x0f)
    return SERIAL_IIR_MODEM;
  return SERIAL_IIR_NONE;
}

static void
serial_update (VmmSerial *serial)
{
  SerialRegs *regs = &serial->regs;

  vmm_irq_pin_set (&serial->irq, serial_cause (regs) != SERIAL_IIR_NONE && regs->mcr & SERIAL_MCR_OUT2);
}

/* Four characters' time without one coming or going brings the timeout interrupt. */
static void
serial_restart_timeout (VmmSerial *serial)
{
  SerialRegs *regs = &serial->regs;
  guint bits = 1 + 5 + (regs->lcr & 3) + (regs->lcr & 8 ? 1 : 0) + (regs->lcr & 4 ? 2 : 1);

  regs->timeout_pending = FALSE;
  if (regs->fcr & SERIAL_FCR_ENABLE && regs->count > 0)
    vmm_timer_arm (&serial->timeout, vmm_clock_now (vmm_device_get_clock (&serial->base))
                                         + G_GINT64_CONSTANT (4000000000) * bits * MAX (regs->divisor, 1) / SERIAL_CLOCK_HZ);
  else
    vmm_timer_disarm (&serial->timeout);
}

static void
serial_on_timeout (VmmDevice *dev, gpointer data)
{
  VmmSerial *serial = (VmmSerial *) dev;

  serial->regs.timeout_pending = serial->regs.count > 0;
  serial_update (serial);
}

/* --- receiver and transmitter ------------------------------------------------------------------------------------------------ */

static void
serial_put (SerialRegs *regs, guint8 byte)
{
  if (regs->count < serial_depth (regs))
    {
      regs->fifo[(regs->head + regs->count) % SERIAL_FIFO_SIZE] = byte;
      regs->count++;
      return;
    }
  regs->errors |= SERIAL_LSR_OVERRUN;
  if (!(regs->fcr & SERIAL_FCR_ENABLE)) /* without FIFO the new byte takes the old one's place */
    regs->fifo[regs->head] = byte;
}

static void
serial_clear_receiver (SerialRegs *regs)
{
  regs->head = regs->count = 0;
  regs->timeout_pending = FALSE;
}

static guint8
serial_get (VmmSerial *serial)
{
  SerialRegs *regs = &serial->regs;
  guint8 byte = regs->fifo[regs->head];

  if (regs->count == 0)
    return byte;
  if (--regs->count > 0 || regs->fcr & SERIAL_FCR_ENABLE)
    regs->head = (regs->head + 1) % SERIAL_FIFO_SIZE;
  serial_restart_timeout (serial);
  serial_update (serial);
  if (regs->count == 0 && !(regs->mcr & SERIAL_MCR_LOOP))
    vmm_channel_accept (serial->channel);
  return byte;
}

static gsize
serial_receive (VmmDevice *dev, const guint8 *data, gsize len)
{
  VmmSerial *serial = (VmmSerial *) dev;
  SerialRegs *regs = &serial->regs;
  gsize taken;

  if (regs->mcr & SERIAL_MCR_LOOP)
    return 0;
  taken = MIN (len, serial_depth (regs) - MIN (regs->count, serial_depth (regs)));
  for (gsize i = 0; i < taken; i++)
    serial_put (regs, data[i]);
  if (taken > 0)
    serial_restart_timeout (serial);
  serial_update (serial);
  return taken;
}

static void
serial_transmit (VmmSerial *serial, guint8 byte)
{
  SerialRegs *regs = &serial->regs;

  if (regs->mcr & SERIAL_MCR_LOOP)
    {
      serial_put (regs, byte);
      serial_restart_timeout (serial);
    }
  else
    vmm_channel_write (serial->channel, &byte, 1);
  regs->empty_pending = FALSE;
  serial_update (serial);
  regs->empty_pending = TRUE;
  serial_update (serial);
}

/* --- modem lines ------------------------------------------------------------------------------------------------------------- */

/* The other side is always there and ready; in loopback our own outputs come back. */
static void
serial_update_modem (SerialRegs *regs)
{
  guint8 lines = SERIAL_MSR_DCD | SERIAL_MSR_DSR | SERIAL_MSR_CTS;
  guint8 changed;

  if (regs->mcr & SERIAL_MCR_LOOP)
    lines = (regs->mcr & SERIAL_MCR_RTS ? SERIAL_MSR_CTS : 0) | (regs->mcr & SERIAL_MCR_DTR ? SERIAL_MSR_DSR : 0)
            | (regs->mcr & SERIAL_MCR_OUT1 ? SERIAL_MSR_RI : 0) | (regs->mcr & SERIAL_MCR_OUT2 ? SERIAL_MSR_DCD : 0);
  changed = (lines ^ regs->msr) & 0xf0;
  if (!(regs->msr & ~lines & SERIAL_MSR_RI)) /* of RI only the end counts (TERI) */
    changed &= ~SERIAL_MSR_RI;
  regs->msr = lines | (regs->msr & 0x0f) | changed >> 4;
}

/* --- registers --------------------------------------------------------------------------------------------------------------- */

static guint64
serial_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  VmmSerial *serial = (VmmSerial *) dev;
  SerialRegs *regs = &serial->regs;
  guint8 value;

  switch (offset)
    {
    case SERIAL_DATA:
      return regs->lcr & SERIAL_LCR_DLAB ? regs->divisor & 0xff : serial_get (serial);
    case SERIAL_IER:
      return regs->lcr & SERIAL_LCR_DLAB ? regs->divisor >> 8 : regs->ier;
    case SERIAL_IIR:
      value = serial_cause (regs);
      if (value == SERIAL_IIR_EMPTY)
        {
          regs->empty_pending = FALSE;
          serial_update (serial);
        }
      return value | (regs->fcr & SERIAL_FCR_ENABLE ? SERIAL_IIR_FIFO : 0);
    case SERIAL_LCR:
      return regs->lcr;
    case SERIAL_MCR:
      return regs->mcr;
    case SERIAL_LSR:
      value = SERIAL_LSR_EMPTY | regs->errors | (regs->count > 0 ? SERIAL_LSR_READY : 0);
      if (regs->fcr & SERIAL_FCR_ENABLE && regs->errors & SERIAL_LSR_BREAK)
        value |= SERIAL_LSR_FIFO_ERROR;
      regs->errors = 0;
      serial_update (serial);
      return value;
    case SERIAL_MSR:
      value = regs->msr;
      regs->msr &= 0xf0;
      serial_update (serial);
      return value;
    default:
      return regs->scr;
    }
}

static void
serial_write_fcr (VmmSerial *serial, guint8 value)
{
  SerialRegs *regs = &serial->regs;

  if ((value ^ regs->fcr) & SERIAL_FCR_ENABLE || (value & SERIAL_FCR_ENABLE && value & SERIAL_FCR_CLEAR_RECEIVER))
    serial_clear_receiver (regs);
  /* the other bits can be programmed only together with bit 0 */
  regs->fcr = value & SERIAL_FCR_ENABLE ? value & 0xc9 : 0;
  serial_restart_timeout (serial);
  serial_update (serial);
  if (!(regs->mcr & SERIAL_MCR_LOOP))
    vmm_channel_accept (serial->channel);
}

static void
serial_write_mcr (VmmSerial *serial, guint8 value)
{
  SerialRegs *regs = &serial->regs;
  gboolean looped = (regs->mcr & SERIAL_MCR_LOOP) != 0;

  regs->mcr = value & 0x1f;
  serial_update_modem (regs);
  serial_update (serial);
  if (looped && !(regs->mcr & SERIAL_MCR_LOOP))
    vmm_channel_accept (serial->channel);
}

static void
serial_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 wide)
{
  VmmSerial *serial = (VmmSerial *) dev;
  SerialRegs *regs = &serial->regs;
  guint8 value = (guint8) wide, raised;

  switch (offset)
    {
    case SERIAL_DATA:
      if (regs->lcr & SERIAL_LCR_DLAB)
        regs->divisor = (regs->divisor & 0xff00) | value;
      else
        serial_transmit (serial, value);
      break;
    case SERIAL_IER:
      if (regs->lcr & SERIAL_LCR_DLAB)
        {
          regs->divisor = (guint16) ((regs->divisor & 0x00ff) | value << 8);
          break;
        }
      raised = value & ~regs->ier;
      regs->ier = value & 0x0f;
      if (raised & SERIAL_IER_EMPTY) /* enabling it while the transmitter is empty brings it at once */
        regs->empty_pending = TRUE;
      serial_update (serial);
      break;
    case SERIAL_IIR:
      serial_write_fcr (serial, value);
      break;
    case SERIAL_LCR:
      if (regs->mcr & SERIAL_MCR_LOOP && value & ~regs->lcr & SERIAL_LCR_BREAK) /* our own break comes back */
        {
          serial_put (regs, 0);
          regs->errors |= SERIAL_LSR_BREAK;
          serial_restart_timeout (serial);
        }
      regs->lcr = value;
      serial_update (serial);
      break;
    case SERIAL_MCR:
      serial_write_mcr (serial, value);
      break;
    case SERIAL_SCR:
      regs->scr = value;
      break;
    default: /* LSR and MSR are for reading */
      break;
    }
}

static const VmmRegionOps serial_ops = { .name = "serial", .read = serial_read, .write = serial_write, .access_max = 1 };

/* --- life -------------------------------------------------------------------------------------------------------------------- */

static void
serial_reset (VmmDevice *dev, VmmResetKind kind)
{
  VmmSerial *serial = (VmmSerial *) dev;
  SerialRegs *regs = &serial->regs;

  memset (regs, 0, sizeof *regs);
  regs->divisor = 12; /* 9600 baud; the chip leaves it undefined */
  regs->empty_pending = TRUE;
  regs->msr = SERIAL_MSR_DCD | SERIAL_MSR_DSR | SERIAL_MSR_CTS;
  vmm_timer_disarm (&serial->timeout);
  serial_update (serial);
  vmm_channel_accept (serial->channel);
}

static gboolean
serial_post_load (VmmDevice *dev, GError **error)
{
  VmmSerial *serial = (VmmSerial *) dev;
  gboolean timed_out = serial->regs.timeout_pending;

  if (serial->regs.count > serial_depth (&serial->regs))
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_STATE_MISMATCH, "%s: the saved state has more input than fits", dev->id);
      return FALSE;
    }
  serial_restart_timeout (serial);
  serial->regs.timeout_pending = timed_out;
  serial_update (serial);
  return TRUE;
}

extern const VmmDeviceClass vmm_serial_class;

static gboolean
serial_realize (VmmDevice *dev, GError **error)
{
  VmmSerial *serial = (VmmSerial *) dev;
  guint place = 0;

  while (!g_str_equal (serial_ports[place], vmm_device_get_string (dev, "port")))
    place++;
  for (guint i = 0; i < dev->machine->devices->len; i++)
    {
      VmmDevice *other = dev->machine->devices->pdata[i];

      if (other->class == &vmm_serial_class && g_str_equal (vmm_device_get_string (other, "port"), serial_ports[place]))
        {
          g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "port=%s: [%s] has this port", serial_ports[place], other->id);
          return FALSE;
        }
    }
  serial->channel = vmm_channel_new (dev, serial_receive, error);
  if (serial->channel == NULL)
    return FALSE;
  vmm_irq_pin_init (&serial->irq, vmm_device_get_irq (dev), serial_places[place].irq);
  vmm_timer_init (&serial->timeout, dev, serial_on_timeout, NULL);
  vmm_bus_map_pio (&serial->region, dev, &serial_ops, NULL, serial_places[place].port, 8);
  return TRUE;
}

static void
serial_unrealize (VmmDevice *dev)
{
  VmmSerial *serial = (VmmSerial *) dev;

  vmm_region_unmap (vmm_device_get_bus (dev), &serial->region);
  vmm_timer_clear (&serial->timeout);
  vmm_channel_free (serial->channel);
}

const VmmDeviceClass vmm_serial_class = {
  .name = "serial",
  .summary = N_ ("Serial port"),
  .description = N_ ("A text console for boot loaders, kernels and logs, reached by “lodge console”."),
  .bus = VMM_DEVICE_SYSTEM,
  .user_creatable = TRUE,
  .instance_size = sizeof (VmmSerial),
  .settings = serial_settings,
  .regs_offset = G_STRUCT_OFFSET (VmmSerial, regs),
  .regs_size = sizeof (SerialRegs),
  .regs_fields = serial_fields,
  .state_version = 1,
  .realize = serial_realize,
  .reset = serial_reset,
  .unrealize = serial_unrealize,
  .post_load = serial_post_load,
};
