/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keyboard controller with a keyboard and a mouse behind it.
 * Spec: IBM PS/2 Technical Reference, "Keyboard and auxiliary device controller" (commands, status, configuration byte, output
 *   port); engine contract 7.10.
 * Left out on purpose: password security (A4 says there is none), keyboard lock, active multiplexing, A20, which is always on.
 *
 * Theory of operation. Port 60 holds one byte for the guest (the output buffer). It is filled with, in this order, the controller's
 * own reply, the keyboard's next byte, the mouse's next byte. A device's byte comes half a millisecond after the guest has read the
 * byte before it, about what the serial line takes, and not at once: programs that hook interrupt 9 read port 60 and then call the
 * BIOS, which reads it again and must find the same byte. With translation on, the keyboard's bytes become set 1 on their way. */
#include "chipset/ps2.h"
#include "core/bus.h"
#include "core/clock.h"
#include "core/device.h"
#include "core/input.h"
#include "core/irq.h"

#include <string.h>

#define I8042_DATA_PORT 0x60
#define I8042_COMMAND_PORT 0x64
#define I8042_GAP_NS (500 * 1000)

/* status, port 64 */
#define I8042_STATUS_OUTPUT_FULL 0x01
#define I8042_STATUS_SYSTEM 0x04
#define I8042_STATUS_COMMAND 0x08 /* the last write was to port 64 */
#define I8042_STATUS_UNLOCKED 0x10
#define I8042_STATUS_AUX 0x20

/* configuration byte */
#define I8042_CONFIG_KEYBOARD_IRQ 0x01
#define I8042_CONFIG_AUX_IRQ 0x02
#define I8042_CONFIG_SYSTEM 0x04
#define I8042_CONFIG_KEYBOARD_OFF 0x10
#define I8042_CONFIG_AUX_OFF 0x20
#define I8042_CONFIG_TRANSLATE 0x40

#define I8042_OUTPUT_RESET 0x01 /* low: the processor is held in reset */

enum { I8042_NONE, I8042_KEYBOARD, I8042_AUX }; /* whose byte */

typedef struct {
  gint64 gap_ns; /* no byte of a device before */
  VmmPs2Mouse mouse;
  VmmPs2Keyboard kbd;
  guint8 ram[32];           /* 0: configuration byte */
  guint8 data;              /* output buffer; stays after it was read */
  guint8 full;              /* whose byte is in it */
  guint8 reply, reply_full; /* the controller's next byte, and whose it shall seem */
  guint8 command;           /* waits for its parameter; 0: none */
  guint8 command_written;
  guint8 output_port;
  guint8 broken; /* translation: F0 has passed */
} I8042Regs;

typedef struct {
  VmmDevice base;
  I8042Regs regs;
  VmmRegion data_region, command_region;
  VmmIrqPin keyboard_irq, aux_irq;
  VmmTimer timer;
} VmmI8042;

static const VmmField i8042_fields[] = {
  VMM_FIELD (I8042Regs, gap_ns),
  VMM_FIELD (I8042Regs, mouse.next_ns),
  VMM_FIELD (I8042Regs, mouse.dx),
  VMM_FIELD (I8042Regs, mouse.dy),
  VMM_FIELD (I8042Regs, mouse.dz),
  VMM_FIELD_BLOB (I8042Regs, mouse.queue),
  VMM_FIELD (I8042Regs, mouse.command),
  VMM_FIELD_MAX (I8042Regs, mouse.id, 4),
  VMM_FIELD_MAX (I8042Regs, mouse.reporting, 1),
  VMM_FIELD_MAX (I8042Regs, mouse.remote, 1),
  VMM_FIELD_MAX (I8042Regs, mouse.wrap, 1),
  VMM_FIELD_MAX (I8042Regs, mouse.scaling, 1),
  VMM_FIELD_MAX (I8042Regs, mouse.resolution, 3),
  VMM_FIELD (I8042Regs, mouse.rate),
  VMM_FIELD_MAX (I8042Regs, mouse.buttons, 0x1f),
  VMM_FIELD_MAX (I8042Regs, mouse.sent_buttons, 0x1f),
  VMM_FIELD_ARRAY (I8042Regs, mouse.rates),
  VMM_FIELD_BLOB (I8042Regs, kbd.queue),
  VMM_FIELD (I8042Regs, kbd.command),
  VMM_FIELD_MAX (I8042Regs, kbd.scanning, 1),
  VMM_FIELD_MAX (I8042Regs, kbd.set, 2),
  VMM_FIELD_MAX (I8042Regs, kbd.leds, 7),
  VMM_FIELD (I8042Regs, kbd.typematic),
  VMM_FIELD (I8042Regs, kbd.modifiers),
  VMM_FIELD (I8042Regs, kbd.one_shots),
  VMM_FIELD_MAX (I8042Regs, kbd.print, 3),
  VMM_FIELD_BLOB (I8042Regs, ram),
  VMM_FIELD (I8042Regs, data),
  VMM_FIELD_MAX (I8042Regs, full, I8042_AUX),
  VMM_FIELD (I8042Regs, reply),
  VMM_FIELD_MAX (I8042Regs, reply_full, I8042_AUX),
  VMM_FIELD (I8042Regs, command),
  VMM_FIELD_MAX (I8042Regs, command_written, 1),
  VMM_FIELD (I8042Regs, output_port),
  VMM_FIELD_MAX (I8042Regs, broken, 1),
  VMM_FIELD_END,
};

/* --- the output buffer ------------------------------------------------------------------------------------------------------- */

/* The keyboard's next byte as the guest shall see it. FALSE: there is none. */
static gboolean
i8042_next_key_byte (I8042Regs *regs, guint8 *ret_byte)
{
  while (!vmm_ps2_queue_is_empty (&regs->kbd.queue))
    {
      guint8 byte = vmm_ps2_queue_pop (&regs->kbd.queue);

      if (!(regs->ram[0] & I8042_CONFIG_TRANSLATE))
        {
          *ret_byte = byte;
          return TRUE;
        }
      if (byte == 0xf0)
        {
          regs->broken = TRUE;
          continue;
        }
      *ret_byte = vmm_ps2_translate (byte) | (regs->broken ? 0x80 : 0);
      regs->broken = FALSE;
      return TRUE;
    }
  return FALSE;
}

static gboolean
i8042_keyboard_waits (const I8042Regs *regs)
{
  return !(regs->ram[0] & I8042_CONFIG_KEYBOARD_OFF) && !vmm_ps2_queue_is_empty (&regs->kbd.queue);
}

static gboolean
i8042_aux_waits (const I8042Regs *regs)
{
  return !(regs->ram[0] & I8042_CONFIG_AUX_OFF) && !vmm_ps2_queue_is_empty (&regs->mouse.queue);
}

static void
i8042_fill (I8042Regs *regs, gint64 now_ns)
{
  if (regs->full != I8042_NONE)
    return;
  if (regs->reply_full != I8042_NONE)
    {
      regs->data = regs->reply;
      regs->full = regs->reply_full;
      regs->reply_full = I8042_NONE;
    }
  else if (now_ns < regs->gap_ns)
    return;
  else if (i8042_keyboard_waits (regs) && i8042_next_key_byte (regs, &regs->data))
    regs->full = I8042_KEYBOARD;
  else if (i8042_aux_waits (regs))
    {
      regs->data = vmm_ps2_queue_pop (&regs->mouse.queue);
      regs->full = I8042_AUX;
    }
}

static void
i8042_update (VmmI8042 *ctl)
{
  I8042Regs *regs = &ctl->regs;
  gint64 now_ns = vmm_clock_now (vmm_device_get_clock (&ctl->base));
  gint64 deadline;

  vmm_ps2_mouse_poll (&regs->mouse, now_ns);
  i8042_fill (regs, now_ns);
  deadline = vmm_ps2_mouse_poll (&regs->mouse, now_ns); /* the last byte of the report before may just have gone */
  if (regs->full == I8042_NONE && (i8042_keyboard_waits (regs) || i8042_aux_waits (regs)))
    deadline = deadline == -1 ? regs->gap_ns : MIN (deadline, regs->gap_ns);
  if (deadline != -1)
    vmm_timer_arm (&ctl->timer, deadline);
  else
    vmm_timer_disarm (&ctl->timer);
  vmm_irq_pin_set (&ctl->keyboard_irq, regs->full == I8042_KEYBOARD && regs->ram[0] & I8042_CONFIG_KEYBOARD_IRQ);
  vmm_irq_pin_set (&ctl->aux_irq, regs->full == I8042_AUX && regs->ram[0] & I8042_CONFIG_AUX_IRQ);
}

static void
i8042_on_timer (VmmDevice *dev, gpointer data)
{
  i8042_update ((VmmI8042 *) dev);
}

static void
i8042_reply (I8042Regs *regs, guint8 byte, guint8 whose)
{
  regs->reply = byte;
  regs->reply_full = whose;
}

/* --- ports ------------------------------------------------------------------------------------------------------------------- */

static guint64
i8042_read_data (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  VmmI8042 *ctl = (VmmI8042 *) dev;
  I8042Regs *regs = &ctl->regs;
  guint8 data = regs->data;

  if (regs->full == I8042_NONE)
    return data;
  regs->full = I8042_NONE;
  regs->gap_ns = vmm_clock_now (vmm_device_get_clock (dev)) + I8042_GAP_NS;
  /* The lines must fall before the next byte raises them: the interrupts are edges. */
  vmm_irq_pin_set (&ctl->keyboard_irq, FALSE);
  vmm_irq_pin_set (&ctl->aux_irq, FALSE);
  i8042_update (ctl);
  return data;
}

static void
i8042_write_data (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  VmmI8042 *ctl = (VmmI8042 *) dev;
  I8042Regs *regs = &ctl->regs;
  guint8 byte = (guint8) value, command = regs->command;

  regs->command = 0;
  regs->command_written = FALSE;
  switch (command)
    {
    case 0: /* to the keyboard, whose line this frees */
      regs->ram[0] &= ~I8042_CONFIG_KEYBOARD_OFF;
      if (!vmm_ps2_keyboard_receive (&regs->kbd, byte))
        vmm_guest_error (dev, "keyboard command %02x is unknown", byte);
      break;
    case 0xd1:
      regs->output_port = byte;
      if (!(byte & I8042_OUTPUT_RESET))
        vmm_machine_request_reset (dev->machine);
      break;
    case 0xd2:
      i8042_reply (regs, byte, I8042_KEYBOARD);
      break;
    case 0xd3:
      i8042_reply (regs, byte, I8042_AUX);
      break;
    case 0xd4:
      regs->ram[0] &= ~I8042_CONFIG_AUX_OFF;
      if (!vmm_ps2_mouse_receive (&regs->mouse, byte))
        vmm_guest_error (dev, "mouse command %02x is unknown", byte);
      break;
    default: /* 60-7F */
      regs->ram[command & 0x1f] = byte;
      break;
    }
  i8042_update (ctl);
}

static guint64
i8042_read_status (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  VmmI8042 *ctl = (VmmI8042 *) dev;
  I8042Regs *regs = &ctl->regs;
  guint8 status = I8042_STATUS_UNLOCKED;

  if (regs->full == I8042_NONE) /* do not make who polls wait for the timer */
    i8042_update (ctl);
  if (regs->full != I8042_NONE)
    status |= I8042_STATUS_OUTPUT_FULL;
  if (regs->full == I8042_AUX)
    status |= I8042_STATUS_AUX;
  if (regs->ram[0] & I8042_CONFIG_SYSTEM)
    status |= I8042_STATUS_SYSTEM;
  if (regs->command_written)
    status |= I8042_STATUS_COMMAND;
  return status;
}

static void
i8042_write_command (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  VmmI8042 *ctl = (VmmI8042 *) dev;
  I8042Regs *regs = &ctl->regs;
  guint8 command = (guint8) value;

  regs->command = 0;
  regs->command_written = TRUE;
  if (command >= 0xf0) /* pulses the bits of the output port that are 0 */
    {
      if (!(command & I8042_OUTPUT_RESET))
        vmm_machine_request_reset (dev->machine);
      return;
    }
  switch (command)
    {
    case 0x20 ... 0x3f:
      i8042_reply (regs, regs->ram[command & 0x1f], I8042_KEYBOARD);
      break;
    case 0x60 ... 0x7f:
    case 0xd1 ... 0xd4:
      regs->command = command;
      break;
    case 0xa4: /* is there a password */
      i8042_reply (regs, 0xf1, I8042_KEYBOARD);
      break;
    case 0xa7:
      regs->ram[0] |= I8042_CONFIG_AUX_OFF;
      break;
    case 0xa8:
      regs->ram[0] &= ~I8042_CONFIG_AUX_OFF;
      break;
    case 0xa9: /* test of the lines: good */
    case 0xab:
      i8042_reply (regs, 0x00, I8042_KEYBOARD);
      break;
    case 0xaa: /* self-test */
      regs->ram[0] |= I8042_CONFIG_SYSTEM;
      i8042_reply (regs, 0x55, I8042_KEYBOARD);
      break;
    case 0xad:
      regs->ram[0] |= I8042_CONFIG_KEYBOARD_OFF;
      break;
    case 0xae:
      regs->ram[0] &= ~I8042_CONFIG_KEYBOARD_OFF;
      break;
    case 0xc0: /* input port: not locked */
      i8042_reply (regs, 0x80, I8042_KEYBOARD);
      break;
    case 0xd0:
      i8042_reply (regs,
                   (regs->output_port & 0xcf) | (regs->full == I8042_KEYBOARD ? 0x10 : 0) | (regs->full == I8042_AUX ? 0x20 : 0),
                   I8042_KEYBOARD);
      break;
    case 0xdd: /* A20 off and on, as some chips have it */
      regs->output_port &= ~0x02;
      break;
    case 0xdf:
      regs->output_port |= 0x02;
      break;
    case 0xe0: /* test inputs: both lines idle */
      i8042_reply (regs, 0x00, I8042_KEYBOARD);
      break;
    default:
      vmm_guest_error (dev, "controller command %02x is unknown", command);
      break;
    }
  i8042_update (ctl);
}

static const VmmRegionOps i8042_data_ops = { .name = "i8042-data",
                                             .read = i8042_read_data,
                                             .write = i8042_write_data,
                                             .access_max = 1 };
static const VmmRegionOps i8042_command_ops = { .name = "i8042-command",
                                                .read = i8042_read_status,
                                                .write = i8042_write_command,
                                                .access_max = 1 };

/* --- events from the host ---------------------------------------------------------------------------------------------------- */

static void
i8042_key (VmmDevice *dev, guint evdev_code, gboolean down)
{
  VmmI8042 *ctl = (VmmI8042 *) dev;

  vmm_ps2_keyboard_key (&ctl->regs.kbd, evdev_code, down);
  i8042_update (ctl);
}

static void
i8042_motion (VmmDevice *dev, int dx, int dy)
{
  VmmI8042 *ctl = (VmmI8042 *) dev;

  vmm_ps2_mouse_motion (&ctl->regs.mouse, dx, dy);
  i8042_update (ctl);
}

static void
i8042_button (VmmDevice *dev, guint evdev_code, gboolean down)
{
  VmmI8042 *ctl = (VmmI8042 *) dev;

  vmm_ps2_mouse_button (&ctl->regs.mouse, evdev_code, down, vmm_clock_now (vmm_device_get_clock (dev)));
  i8042_update (ctl);
}

static void
i8042_wheel (VmmDevice *dev, int dy)
{
  VmmI8042 *ctl = (VmmI8042 *) dev;

  vmm_ps2_mouse_wheel (&ctl->regs.mouse, dy);
  i8042_update (ctl);
}

static const VmmInputOps i8042_input_ops = { .key = i8042_key,
                                             .motion = i8042_motion,
                                             .button = i8042_button,
                                             .wheel = i8042_wheel };

/* --- life -------------------------------------------------------------------------------------------------------------------- */

static void
i8042_reset (VmmDevice *dev, VmmResetKind kind)
{
  VmmI8042 *ctl = (VmmI8042 *) dev;
  I8042Regs *regs = &ctl->regs;

  memset (regs->ram, 0, sizeof regs->ram);
  regs->ram[0] = I8042_CONFIG_KEYBOARD_IRQ | I8042_CONFIG_AUX_IRQ;
  regs->data = 0;
  regs->full = regs->reply_full = I8042_NONE;
  regs->reply = 0;
  regs->command = 0;
  regs->command_written = FALSE;
  regs->output_port = 0xcf;
  regs->broken = FALSE;
  regs->gap_ns = 0;
  vmm_ps2_keyboard_reset (&regs->kbd);
  vmm_ps2_mouse_reset (&regs->mouse);
  i8042_update (ctl);
}

static gboolean
i8042_post_load (VmmDevice *dev, GError **error)
{
  VmmI8042 *ctl = (VmmI8042 *) dev;
  I8042Regs *regs = &ctl->regs;
  gboolean commands_valid = (regs->command == 0 || (regs->command >= 0x60 && regs->command <= 0x7f)
                             || (regs->command >= 0xd1 && regs->command <= 0xd4))
                            && (regs->kbd.command == 0 || regs->kbd.command == 0xed || regs->kbd.command == 0xf0
                                || regs->kbd.command == 0xf3)
                            && (regs->mouse.command == 0 || regs->mouse.command == 0xe8 || regs->mouse.command == 0xf3);

  if (!commands_valid || !vmm_ps2_queue_is_valid (&regs->kbd.queue) || !vmm_ps2_queue_is_valid (&regs->mouse.queue)
      || regs->kbd.set == 0 || ABS ((gint64) regs->mouse.dx) > 32767 || ABS ((gint64) regs->mouse.dy) > 32767
      || ABS ((gint64) regs->mouse.dz) > 32767)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_STATE_MISMATCH, "%s: the saved state is none of a keyboard controller", dev->id);
      return FALSE;
    }
  i8042_update (ctl);
  return TRUE;
}

static gboolean
i8042_realize (VmmDevice *dev, GError **error)
{
  VmmI8042 *ctl = (VmmI8042 *) dev;

  vmm_irq_pin_init (&ctl->keyboard_irq, vmm_device_get_irq (dev), 1);
  vmm_irq_pin_init (&ctl->aux_irq, vmm_device_get_irq (dev), 12);
  vmm_timer_init (&ctl->timer, dev, i8042_on_timer, NULL);
  vmm_bus_map_pio (&ctl->data_region, dev, &i8042_data_ops, NULL, I8042_DATA_PORT, 1);
  vmm_bus_map_pio (&ctl->command_region, dev, &i8042_command_ops, NULL, I8042_COMMAND_PORT, 1);
  vmm_input_add (dev, &i8042_input_ops);
  vmm_input_set_active (dev, TRUE);
  return TRUE;
}

static void
i8042_unrealize (VmmDevice *dev)
{
  VmmI8042 *ctl = (VmmI8042 *) dev;

  vmm_input_remove (dev);
  vmm_region_unmap (vmm_device_get_bus (dev), &ctl->data_region);
  vmm_region_unmap (vmm_device_get_bus (dev), &ctl->command_region);
  vmm_timer_clear (&ctl->timer);
}

const VmmDeviceClass vmm_i8042_class = {
  .name = "i8042",
  .summary = N_ ("Keyboard controller with PS/2 keyboard and mouse"),
  .bus = VMM_DEVICE_SYSTEM,
  .instance_size = sizeof (VmmI8042),
  .regs_offset = G_STRUCT_OFFSET (VmmI8042, regs),
  .regs_size = sizeof (I8042Regs),
  .regs_fields = i8042_fields,
  .state_version = 1,
  .realize = i8042_realize,
  .reset = i8042_reset,
  .unrealize = i8042_unrealize,
  .post_load = i8042_post_load,
};
