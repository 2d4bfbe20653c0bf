/* SPDX-License-Identifier: GPL-3.0-or-later */
/* USB keyboard, mouse and tablet (an absolute pointer).
 * Spec: Device Class Definition for HID 1.11 (section numbers below), HID Usage Tables 1.12 (keyboard page 07, table 12).
 * Left out: the lights of the keyboard are taken and shown to nobody; physical descriptors.
 *
 * Theory of operation: what the host does becomes a queue of events; each report takes one out of it, so that no short key press or
 * click is lost. Motion is gathered until it is fetched. An IN packet that finds the queue empty stays with the device until there
 * is something. The device counts as active, and so gets the machine's keys or pointer, when a driver has configured it and fetches. */
#include "core/clock.h"
#include "core/input.h"
#include "usb/usb.h"

#include <linux/input-event-codes.h>
#include <string.h>

#define UHID_QUEUE 64
#define UHID_POINTER_QUEUE 16
#define UHID_KEYS 6            /* in a report; more is a roll-over error */
#define UHID_ROLL_OVER 0x01    /* usage ErrorRollOver */
#define UHID_MODIFIERS 0xe0    /* the first of eight */
#define UHID_IDLE_NS 4000000   /* §7.2.4 */
#define UHID_MAX_PENDING 32767 /* of motion */

typedef struct {
  gint32 x, y; /* mouse: motion; tablet: position */
  gint32 wheel;
  guint32 buttons;
} UhidPointerEvent;

typedef struct {
  VmmUsbDeviceRegs usb;
  guint32 protocol; /* 0: boot, 1: report */
  guint32 idle;     /* units of 4 ms; 0: reports only changes */
  /* keyboard */
  guint32 leds;
  guint32 n_keys;              /* in the queue */
  guint32 keys[UHID_QUEUE];    /* usage, | 0x100 when it goes down */
  guint32 down[8];             /* a bit a usage, as last reported */
  guint32 is_active, reserved; /* fetches reports */
  /* pointers */
  guint32 n_events, buttons;
  gint32 x, y;
  UhidPointerEvent events[UHID_POINTER_QUEUE];
} UhidRegs;

typedef struct _Uhid Uhid;

typedef struct {
  VmmUsbDescriptors descriptors;
  const guint8 *report; /* descriptor */
  guint report_len;
  const char *product;
  guint (*make) (Uhid *hid, guint8 *report);   /* the next report, if there's an event; returns its length, else 0 */
  guint (*repeat) (Uhid *hid, guint8 *report); /* the last one again */
} UhidKind;

struct _Uhid {
  VmmUsbDevice usb;
  UhidRegs regs;
  const UhidKind *kind;
  VmmUsbPacket *waiting; /* (nullable) */
  VmmTimer timer;        /* idle rate */
};

static const VmmSetting uhid_settings[] = {
  { "port", VMM_SETTING_STRING, NULL, 0, 0, NULL, N_ ("USB port, as 2 or 2.1 behind a hub; the first that is free if unset"),
    VMM_SETTING_NONE },
  { NULL },
};

static const VmmField uhid_fields[] = {
  VMM_USB_DEVICE_FIELDS (UhidRegs, usb),
  VMM_FIELD_MAX (UhidRegs, protocol, 1),
  VMM_FIELD_MAX (UhidRegs, idle, 255),
  VMM_FIELD (UhidRegs, leds),
  VMM_FIELD_MAX (UhidRegs, n_keys, UHID_QUEUE),
  VMM_FIELD_ARRAY (UhidRegs, keys),
  VMM_FIELD_ARRAY (UhidRegs, down),
  VMM_FIELD_MAX (UhidRegs, is_active, 1),
  VMM_FIELD (UhidRegs, reserved),
  VMM_FIELD_MAX (UhidRegs, n_events, UHID_POINTER_QUEUE),
  VMM_FIELD (UhidRegs, buttons),
  VMM_FIELD (UhidRegs, x),
  VMM_FIELD (UhidRegs, y),
  VMM_FIELD_BLOB (UhidRegs, events),
  VMM_FIELD_END,
};

/* === Descriptors === */

/* 1209: pid.codes, its numbers for what is nobody's product. */
#define UHID_DEVICE_DESCRIPTOR(product) { 18, 1, 0x00, 0x02, 0, 0, 0, 64, 0x09, 0x12, (product), 0x00, 0x00, 0x01, 1, 2, 3, 1 }

/* One configuration, one interface, one interrupt endpoint (every 2 ms); §7.1, appendix E */
#define UHID_CONFIG_DESCRIPTOR(subclass, protocol, report_len)                                     \
  { 9, 2, 34,   0,    1,    1, 0, 0xa0, 50,           9, 4, 0, 0,    1, 3, (subclass), (protocol), \
    0, 9, 0x21, 0x11, 0x01, 0, 1, 0x22, (report_len), 0, 7, 5, 0x81, 3, 8, 0,          5 }

/* Appendix E.6, with all usages of a byte. */
static const guint8 uhid_keyboard_report[] = {
  0x05, 0x01, 0x09, 0x06, 0xa1, 0x01,                                                             /* keyboard */
  0x05, 0x07, 0x19, 0xe0, 0x29, 0xe7, 0x15, 0x00, 0x25, 0x01, 0x75, 0x01, 0x95, 0x08, 0x81, 0x02, /* modifiers */
  0x75, 0x08, 0x95, 0x01, 0x81, 0x01,                                                             /* reserved */
  0x05, 0x08, 0x19, 0x01, 0x29, 0x05, 0x75, 0x01, 0x95, 0x05, 0x91, 0x02,                         /* lights */
  0x75, 0x03, 0x95, 0x01, 0x91, 0x01,                                                             /* and padding */
  0x05, 0x07, 0x19, 0x00, 0x2a, 0xff, 0x00, 0x15, 0x00, 0x26, 0xff, 0x00, 0x75, 0x08, 0x95, UHID_KEYS, 0x81, 0x00, 0xc0,
};

static const guint8 uhid_mouse_report[] = {
  0x05, 0x01, 0x09, 0x02, 0xa1, 0x01, 0x09, 0x01, 0xa1, 0x00,                                     /* mouse, pointer */
  0x05, 0x09, 0x19, 0x01, 0x29, 0x05, 0x15, 0x00, 0x25, 0x01, 0x75, 0x01, 0x95, 0x05, 0x81, 0x02, /* five buttons */
  0x75, 0x03, 0x95, 0x01, 0x81, 0x01,                                                             /* padding */
  0x05, 0x01, 0x09, 0x30, 0x09, 0x31, 0x09, 0x38, 0x15, 0x81, 0x25, 0x7f, 0x75, 0x08, 0x95, 0x03, 0x81, 0x06, 0xc0, 0xc0,
};

static const guint8 uhid_tablet_report[] = {
  0x05, 0x01, 0x09, 0x02, 0xa1, 0x01, 0x09, 0x01, 0xa1, 0x00,                                     /* mouse, pointer */
  0x05, 0x09, 0x19, 0x01, 0x29, 0x05, 0x15, 0x00, 0x25, 0x01, 0x75, 0x01, 0x95, 0x05, 0x81, 0x02, /* five buttons */
  0x75, 0x03, 0x95, 0x01, 0x81, 0x01,                                                             /* padding */
  0x05, 0x01, 0x09, 0x30, 0x09, 0x31, 0x15, 0x00, 0x26, 0xff, 0x7f, 0x35, 0x00, 0x46, 0xff, 0x7f, /* X and Y, 0 to 32767 */
  0x75, 0x10, 0x95, 0x02, 0x81, 0x02, 0x09, 0x38, 0x15, 0x81, 0x25, 0x7f, 0x35, 0x00, 0x45, 0x00,
  0x75, 0x08, 0x95, 0x01, 0x81, 0x06, /* wheel */
  0xc0, 0xc0,
};

static const guint8 uhid_keyboard_device[] = UHID_DEVICE_DESCRIPTOR (0x01);
static const guint8 uhid_keyboard_config[] = UHID_CONFIG_DESCRIPTOR (1, 1, sizeof uhid_keyboard_report);
static const guint8 uhid_mouse_device[] = UHID_DEVICE_DESCRIPTOR (0x02);
static const guint8 uhid_mouse_config[] = UHID_CONFIG_DESCRIPTOR (1, 2, sizeof uhid_mouse_report);
static const guint8 uhid_tablet_device[] = UHID_DEVICE_DESCRIPTOR (0x03);
static const guint8 uhid_tablet_config[] = UHID_CONFIG_DESCRIPTOR (0, 0, sizeof uhid_tablet_report);
G_STATIC_ASSERT (sizeof uhid_keyboard_config == 34);

static const char *
uhid_get_string (VmmUsbDevice *dev, guint index)
{
  switch (index)
    {
    case 1:
      return "Lodge";
    case 2:
      return ((Uhid *) dev)->kind->product;
    case 3:
      return "1";
    default:
      return NULL;
    }
}

/* === Keyboard === */

/* Usage Tables table 12; what has no usage there is not sent. */
static const guint8 uhid_usages[] = {
  [KEY_ESC] = 0x29,       [KEY_1] = 0x1e,          [KEY_2] = 0x1f,          [KEY_3] = 0x20,
  [KEY_4] = 0x21,         [KEY_5] = 0x22,          [KEY_6] = 0x23,          [KEY_7] = 0x24,
  [KEY_8] = 0x25,         [KEY_9] = 0x26,          [KEY_0] = 0x27,          [KEY_MINUS] = 0x2d,
  [KEY_EQUAL] = 0x2e,     [KEY_BACKSPACE] = 0x2a,  [KEY_TAB] = 0x2b,        [KEY_Q] = 0x14,
  [KEY_W] = 0x1a,         [KEY_E] = 0x08,          [KEY_R] = 0x15,          [KEY_T] = 0x17,
  [KEY_Y] = 0x1c,         [KEY_U] = 0x18,          [KEY_I] = 0x0c,          [KEY_O] = 0x12,
  [KEY_P] = 0x13,         [KEY_LEFTBRACE] = 0x2f,  [KEY_RIGHTBRACE] = 0x30, [KEY_ENTER] = 0x28,
  [KEY_LEFTCTRL] = 0xe0,  [KEY_A] = 0x04,          [KEY_S] = 0x16,          [KEY_D] = 0x07,
  [KEY_F] = 0x09,         [KEY_G] = 0x0a,          [KEY_H] = 0x0b,          [KEY_J] = 0x0d,
  [KEY_K] = 0x0e,         [KEY_L] = 0x0f,          [KEY_SEMICOLON] = 0x33,  [KEY_APOSTROPHE] = 0x34,
  [KEY_GRAVE] = 0x35,     [KEY_LEFTSHIFT] = 0xe1,  [KEY_BACKSLASH] = 0x31,  [KEY_Z] = 0x1d,
  [KEY_X] = 0x1b,         [KEY_C] = 0x06,          [KEY_V] = 0x19,          [KEY_B] = 0x05,
  [KEY_N] = 0x11,         [KEY_M] = 0x10,          [KEY_COMMA] = 0x36,      [KEY_DOT] = 0x37,
  [KEY_SLASH] = 0x38,     [KEY_RIGHTSHIFT] = 0xe5, [KEY_KPASTERISK] = 0x55, [KEY_LEFTALT] = 0xe2,
  [KEY_SPACE] = 0x2c,     [KEY_CAPSLOCK] = 0x39,   [KEY_F1] = 0x3a,         [KEY_F2] = 0x3b,
  [KEY_F3] = 0x3c,        [KEY_F4] = 0x3d,         [KEY_F5] = 0x3e,         [KEY_F6] = 0x3f,
  [KEY_F7] = 0x40,        [KEY_F8] = 0x41,         [KEY_F9] = 0x42,         [KEY_F10] = 0x43,
  [KEY_NUMLOCK] = 0x53,   [KEY_SCROLLLOCK] = 0x47, [KEY_KP7] = 0x5f,        [KEY_KP8] = 0x60,
  [KEY_KP9] = 0x61,       [KEY_KPMINUS] = 0x56,    [KEY_KP4] = 0x5c,        [KEY_KP5] = 0x5d,
  [KEY_KP6] = 0x5e,       [KEY_KPPLUS] = 0x57,     [KEY_KP1] = 0x59,        [KEY_KP2] = 0x5a,
  [KEY_KP3] = 0x5b,       [KEY_KP0] = 0x62,        [KEY_KPDOT] = 0x63,      [KEY_ZENKAKUHANKAKU] = 0x94,
  [KEY_102ND] = 0x64,     [KEY_F11] = 0x44,        [KEY_F12] = 0x45,        [KEY_RO] = 0x87,
  [KEY_KATAKANA] = 0x92,  [KEY_HIRAGANA] = 0x93,   [KEY_HENKAN] = 0x8a,     [KEY_KATAKANAHIRAGANA] = 0x88,
  [KEY_MUHENKAN] = 0x8b,  [KEY_KPJPCOMMA] = 0x8c,  [KEY_KPENTER] = 0x58,    [KEY_RIGHTCTRL] = 0xe4,
  [KEY_KPSLASH] = 0x54,   [KEY_SYSRQ] = 0x46,      [KEY_RIGHTALT] = 0xe6,   [KEY_HOME] = 0x4a,
  [KEY_UP] = 0x52,        [KEY_PAGEUP] = 0x4b,     [KEY_LEFT] = 0x50,       [KEY_RIGHT] = 0x4f,
  [KEY_END] = 0x4d,       [KEY_DOWN] = 0x51,       [KEY_PAGEDOWN] = 0x4e,   [KEY_INSERT] = 0x49,
  [KEY_DELETE] = 0x4c,    [KEY_MUTE] = 0x7f,       [KEY_VOLUMEDOWN] = 0x81, [KEY_VOLUMEUP] = 0x80,
  [KEY_POWER] = 0x66,     [KEY_KPEQUAL] = 0x67,    [KEY_PAUSE] = 0x48,      [KEY_KPCOMMA] = 0x85,
  [KEY_HANGEUL] = 0x90,   [KEY_HANJA] = 0x91,      [KEY_YEN] = 0x89,        [KEY_LEFTMETA] = 0xe3,
  [KEY_RIGHTMETA] = 0xe7, [KEY_COMPOSE] = 0x65,    [KEY_STOP] = 0x78,       [KEY_AGAIN] = 0x79,
  [KEY_UNDO] = 0x7a,      [KEY_COPY] = 0x7c,       [KEY_OPEN] = 0x74,       [KEY_PASTE] = 0x7d,
  [KEY_FIND] = 0x7e,      [KEY_CUT] = 0x7b,        [KEY_HELP] = 0x75,       [KEY_F13] = 0x68,
  [KEY_F14] = 0x69,       [KEY_F15] = 0x6a,        [KEY_F16] = 0x6b,        [KEY_F17] = 0x6c,
  [KEY_F18] = 0x6d,       [KEY_F19] = 0x6e,        [KEY_F20] = 0x6f,        [KEY_F21] = 0x70,
  [KEY_F22] = 0x71,       [KEY_F23] = 0x72,        [KEY_F24] = 0x73,
};

static guint
uhid_keyboard_repeat (Uhid *hid, guint8 *report)
{
  guint n = 0;

  memset (report, 0, 8);
  report[0] = (guint8) hid->regs.down[UHID_MODIFIERS / 32];
  for (guint usage = 4; usage < UHID_MODIFIERS; usage++)
    if ((hid->regs.down[usage / 32] >> usage % 32 & 1) != 0)
      {
        if (n == UHID_KEYS)
          {
            memset (report + 2, UHID_ROLL_OVER, UHID_KEYS);
            break;
          }
        report[2 + n++] = (guint8) usage;
      }
  return 8;
}

static void
uhid_take_key (UhidRegs *regs)
{
  guint usage = regs->keys[0] & 0xff;

  if ((regs->keys[0] & 0x100) != 0)
    regs->down[usage / 32] |= 1u << usage % 32;
  else
    regs->down[usage / 32] &= ~(1u << usage % 32);
  regs->n_keys--;
  memmove (regs->keys, regs->keys + 1, regs->n_keys * sizeof *regs->keys);
}

static guint
uhid_keyboard_make (Uhid *hid, guint8 *report)
{
  if (hid->regs.n_keys == 0)
    return 0;
  uhid_take_key (&hid->regs);
  return uhid_keyboard_repeat (hid, report);
}

/* === Pointers === */

static gint32
uhid_take_some (gint32 *sum)
{
  gint32 value = CLAMP (*sum, -127, 127);

  *sum -= value;
  return value;
}

static void
uhid_drop_event (UhidRegs *regs)
{
  regs->n_events--;
  memmove (regs->events, regs->events + 1, regs->n_events * sizeof *regs->events);
}

static guint
uhid_mouse_make (Uhid *hid, guint8 *report)
{
  UhidPointerEvent *event = &hid->regs.events[0];

  if (hid->regs.n_events == 0)
    return 0;
  report[0] = (guint8) event->buttons;
  report[1] = (guint8) uhid_take_some (&event->x);
  report[2] = (guint8) uhid_take_some (&event->y);
  report[3] = (guint8) uhid_take_some (&event->wheel);
  if (event->x == 0 && event->y == 0 && event->wheel == 0)
    uhid_drop_event (&hid->regs);
  return hid->regs.protocol == 0 ? 3 : 4;
}

static guint
uhid_mouse_repeat (Uhid *hid, guint8 *report)
{
  memset (report, 0, 4);
  report[0] = (guint8) hid->regs.buttons;
  return hid->regs.protocol == 0 ? 3 : 4;
}

static guint
uhid_tablet_put (const UhidPointerEvent *event, gint32 wheel, guint8 *report)
{
  report[0] = (guint8) event->buttons;
  report[1] = (guint8) event->x;
  report[2] = (guint8) (event->x >> 8);
  report[3] = (guint8) event->y;
  report[4] = (guint8) (event->y >> 8);
  report[5] = (guint8) wheel;
  return 6;
}

static guint
uhid_tablet_make (Uhid *hid, guint8 *report)
{
  UhidPointerEvent *event = &hid->regs.events[0];

  if (hid->regs.n_events == 0)
    return 0;
  uhid_tablet_put (event, uhid_take_some (&event->wheel), report);
  if (event->wheel == 0)
    uhid_drop_event (&hid->regs);
  return 6;
}

static guint
uhid_tablet_repeat (Uhid *hid, guint8 *report)
{
  UhidPointerEvent now = { .x = hid->regs.x, .y = hid->regs.y, .buttons = hid->regs.buttons };

  return uhid_tablet_put (&now, 0, report);
}

static const UhidKind uhid_keyboard = {
  .descriptors = { .device = uhid_keyboard_device, .config = uhid_keyboard_config },
  .report = uhid_keyboard_report,
  .report_len = sizeof uhid_keyboard_report,
  .product = "Lodge USB Keyboard",
  .make = uhid_keyboard_make,
  .repeat = uhid_keyboard_repeat,
};

static const UhidKind uhid_mouse = {
  .descriptors = { .device = uhid_mouse_device, .config = uhid_mouse_config },
  .report = uhid_mouse_report,
  .report_len = sizeof uhid_mouse_report,
  .product = "Lodge USB Mouse",
  .make = uhid_mouse_make,
  .repeat = uhid_mouse_repeat,
};

static const UhidKind uhid_tablet = {
  .descriptors = { .device = uhid_tablet_device, .config = uhid_tablet_config },
  .report = uhid_tablet_report,
  .report_len = sizeof uhid_tablet_report,
  .product = "Lodge USB Tablet",
  .make = uhid_tablet_make,
  .repeat = uhid_tablet_repeat,
};

/* === Reports === */

static void
uhid_arm_idle (Uhid *hid)
{
  if (hid->regs.idle != 0 && hid->waiting != NULL)
    vmm_timer_arm (&hid->timer, vmm_clock_now (vmm_device_get_clock (&hid->usb.base)) + (gint64) hid->regs.idle * UHID_IDLE_NS);
  else
    vmm_timer_disarm (&hid->timer);
}

static void
uhid_answer (Uhid *hid, const guint8 *report, guint len)
{
  VmmUsbPacket *packet = g_steal_pointer (&hid->waiting);

  vmm_usb_packet_put (packet, report, len);
  vmm_usb_packet_complete (packet, VMM_USB_OK);
}

/* Something is in the queue. */
static void
uhid_serve (Uhid *hid)
{
  guint8 report[8];
  guint len;

  vmm_usb_device_wakeup (&hid->usb, &hid->regs.usb);
  if (hid->waiting != NULL && (len = hid->kind->make (hid, report)) > 0)
    uhid_answer (hid, report, len);
}

static void
uhid_on_idle (VmmDevice *controller, gpointer data)
{
  Uhid *hid = data;
  guint8 report[8];

  if (hid->waiting != NULL)
    uhid_answer (hid, report, hid->kind->repeat (hid, report));
}

static void
uhid_set_active (Uhid *hid, gboolean active)
{
  if (hid->regs.is_active == (guint32) active)
    return;
  hid->regs.is_active = active;
  vmm_input_set_active (&hid->usb.base, active);
}

static VmmUsbStatus
uhid_interrupt (Uhid *hid, VmmUsbPacket *packet)
{
  guint8 report[8];
  guint len;

  if (hid->regs.usb.configuration == 0 || packet->endpoint != 1 || !packet->in || (hid->regs.usb.halted_in & 2) != 0
      || hid->waiting != NULL)
    return VMM_USB_STALL;
  uhid_set_active (hid, TRUE);
  len = hid->kind->make (hid, report);
  if (len > 0)
    {
      vmm_usb_packet_put (packet, report, len);
      return VMM_USB_OK;
    }
  hid->waiting = packet;
  uhid_arm_idle (hid);
  return VMM_USB_PENDING;
}

/* === Requests, §7 === */

static VmmUsbStatus
uhid_send (VmmUsbPacket *packet, gconstpointer data, gsize len)
{
  vmm_usb_packet_put (packet, data, MIN (len, packet->setup.length));
  return VMM_USB_OK;
}

static VmmUsbStatus
uhid_set_report (Uhid *hid, VmmUsbPacket *packet)
{
  guint8 leds;

  if (hid->kind != &uhid_keyboard || packet->setup.value >> 8 != 2 || vmm_usb_packet_get (packet, &leds, 1) != 1)
    return VMM_USB_STALL;
  packet->actual = packet->size;
  hid->regs.leds = leds;
  return VMM_USB_OK;
}

static VmmUsbStatus
uhid_control (Uhid *hid, VmmUsbPacket *packet)
{
  const VmmUsbSetup *setup = &packet->setup;
  guint8 bytes[8];
  VmmUsbStatus status;

  switch (VMM_USB_REQUEST (setup->request_type, setup->request))
    {
    case VMM_USB_REQUEST (0x81, 6): /* GET_DESCRIPTOR of the interface */
      if (setup->value >> 8 == 0x21)
        return uhid_send (packet, hid->kind->descriptors.config + 18, 9);
      return setup->value >> 8 == 0x22 ? uhid_send (packet, hid->kind->report, hid->kind->report_len) : VMM_USB_STALL;
    case VMM_USB_REQUEST (0xa1, 1): /* GET_REPORT */
      return setup->value >> 8 == 1 ? uhid_send (packet, bytes, hid->kind->repeat (hid, bytes)) : VMM_USB_STALL;
    case VMM_USB_REQUEST (0xa1, 2): /* GET_IDLE */
      bytes[0] = (guint8) hid->regs.idle;
      return uhid_send (packet, bytes, 1);
    case VMM_USB_REQUEST (0xa1, 3): /* GET_PROTOCOL */
      bytes[0] = (guint8) hid->regs.protocol;
      return uhid_send (packet, bytes, 1);
    case VMM_USB_REQUEST (0x21, 9): /* SET_REPORT */
      return uhid_set_report (hid, packet);
    case VMM_USB_REQUEST (0x21, 10): /* SET_IDLE */
      hid->regs.idle = setup->value >> 8;
      uhid_arm_idle (hid);
      return VMM_USB_OK;
    case VMM_USB_REQUEST (0x21, 11): /* SET_PROTOCOL */
      if (setup->value > 1)
        return VMM_USB_STALL;
      hid->regs.protocol = setup->value;
      return VMM_USB_OK;
    default:
      status = vmm_usb_control (&hid->usb, &hid->regs.usb, &hid->kind->descriptors, uhid_get_string, packet);
      if (hid->regs.usb.configuration == 0)
        uhid_set_active (hid, FALSE);
      return status;
    }
}

static VmmUsbStatus
uhid_submit (VmmUsbDevice *dev, VmmUsbPacket *packet)
{
  Uhid *hid = (Uhid *) dev;

  if (packet->type == VMM_USB_CONTROL && packet->endpoint == 0)
    return uhid_control (hid, packet);
  return uhid_interrupt (hid, packet);
}

static void
uhid_cancel (VmmUsbDevice *dev, VmmUsbPacket *packet)
{
  Uhid *hid = (Uhid *) dev;

  if (hid->waiting == packet)
    hid->waiting = NULL;
  vmm_timer_disarm (&hid->timer);
}

static void
uhid_bus_reset (VmmUsbDevice *dev)
{
  Uhid *hid = (Uhid *) dev;

  uhid_set_active (hid, FALSE);
  hid->regs = (UhidRegs) { .protocol = 1, .x = 16384, .y = 16384 }; /* §7.2.6: report protocol */
}

static const VmmUsbDeviceOps uhid_ops = { .reset = uhid_bus_reset, .submit = uhid_submit, .cancel = uhid_cancel };

/* === Events of the host; device's lock held === */

static void
uhid_on_key (VmmDevice *dev, guint code, gboolean down)
{
  Uhid *hid = (Uhid *) dev;
  guint usage = code < G_N_ELEMENTS (uhid_usages) ? uhid_usages[code] : 0;

  if (usage == 0)
    return;
  vmm_usb_lock (hid->usb.host);
  if (hid->regs.is_active)
    {
      if (hid->regs.n_keys == UHID_QUEUE) /* the driver sleeps: the oldest are summed up */
        uhid_take_key (&hid->regs);
      hid->regs.keys[hid->regs.n_keys++] = usage | (down ? 0x100 : 0);
      uhid_serve (hid);
    }
  vmm_usb_unlock (hid->usb.host);
}

/* The event that motion goes to: the last, unless it is one of a button or there is none. */
static UhidPointerEvent *
uhid_tail (UhidRegs *regs)
{
  if (regs->n_events == 0 || (regs->events[regs->n_events - 1].buttons != regs->buttons && regs->n_events < UHID_POINTER_QUEUE))
    regs->events[regs->n_events++] = (UhidPointerEvent) { .buttons = regs->buttons };
  return &regs->events[regs->n_events - 1];
}

static void
uhid_on_motion (VmmDevice *dev, int dx, int dy)
{
  Uhid *hid = (Uhid *) dev;
  UhidPointerEvent *event;

  vmm_usb_lock (hid->usb.host);
  if (hid->regs.is_active)
    {
      event = uhid_tail (&hid->regs);
      event->x = (gint32) CLAMP ((gint64) event->x + dx, -UHID_MAX_PENDING, UHID_MAX_PENDING);
      event->y = (gint32) CLAMP ((gint64) event->y + dy, -UHID_MAX_PENDING, UHID_MAX_PENDING);
      uhid_serve (hid);
    }
  vmm_usb_unlock (hid->usb.host);
}

static void
uhid_on_position (VmmDevice *dev, int x, int y)
{
  Uhid *hid = (Uhid *) dev;
  UhidPointerEvent *event;

  vmm_usb_lock (hid->usb.host);
  if (hid->regs.is_active)
    {
      hid->regs.x = x;
      hid->regs.y = y;
      event = uhid_tail (&hid->regs);
      event->x = x;
      event->y = y;
      uhid_serve (hid);
    }
  vmm_usb_unlock (hid->usb.host);
}

static void
uhid_on_wheel (VmmDevice *dev, int dy)
{
  Uhid *hid = (Uhid *) dev;
  UhidPointerEvent *event;

  vmm_usb_lock (hid->usb.host);
  if (hid->regs.is_active)
    {
      event = uhid_tail (&hid->regs);
      if (hid->kind == &uhid_tablet)
        {
          event->x = hid->regs.x;
          event->y = hid->regs.y;
        }
      /* HID: away from the user is positive; here: down. */
      event->wheel = (gint32) CLAMP ((gint64) event->wheel - dy, -UHID_MAX_PENDING, UHID_MAX_PENDING);
      uhid_serve (hid);
    }
  vmm_usb_unlock (hid->usb.host);
}

static guint32
uhid_button_bit (guint code)
{
  switch (code)
    {
    case BTN_LEFT:
      return 1 << 0;
    case BTN_RIGHT:
      return 1 << 1;
    case BTN_MIDDLE:
      return 1 << 2;
    case BTN_SIDE:
    case BTN_BACK:
      return 1 << 3;
    case BTN_EXTRA:
    case BTN_FORWARD:
      return 1 << 4;
    default:
      return 0;
    }
}

static void
uhid_on_button (VmmDevice *dev, guint code, gboolean down)
{
  Uhid *hid = (Uhid *) dev;
  guint32 bit = uhid_button_bit (code), buttons;
  UhidRegs *regs = &hid->regs;

  vmm_usb_lock (hid->usb.host);
  buttons = down ? regs->buttons | bit : regs->buttons & ~bit;
  if (regs->is_active && buttons != regs->buttons)
    {
      if (regs->n_events == UHID_POINTER_QUEUE)
        uhid_drop_event (regs);
      regs->buttons = buttons;
      regs->events[regs->n_events] = (UhidPointerEvent) { .buttons = buttons };
      if (hid->kind == &uhid_tablet)
        {
          regs->events[regs->n_events].x = regs->x;
          regs->events[regs->n_events].y = regs->y;
        }
      regs->n_events++;
      uhid_serve (hid);
    }
  vmm_usb_unlock (hid->usb.host);
}

static const VmmInputOps uhid_keyboard_input = { .key = uhid_on_key };
static const VmmInputOps uhid_mouse_input = { .motion = uhid_on_motion, .button = uhid_on_button, .wheel = uhid_on_wheel };
static const VmmInputOps uhid_tablet_input = { .button = uhid_on_button, .wheel = uhid_on_wheel, .position = uhid_on_position };

/* === Life === */

static void
uhid_unrealize (VmmDevice *dev)
{
  Uhid *hid = (Uhid *) dev;

  vmm_input_remove (dev);
  vmm_usb_device_detach (&hid->usb);
  vmm_timer_clear (&hid->timer);
}

static gboolean
uhid_realize (VmmDevice *dev, const UhidKind *kind, const VmmInputOps *input, GError **error)
{
  Uhid *hid = (Uhid *) dev;
  VmmDevice *controller = vmm_device_find_class (dev, "xhci");

  hid->kind = kind;
  hid->usb.ops = &uhid_ops;
  hid->usb.speeds = VMM_USB_SPEED_MASK (VMM_USB_SPEED_HIGH);
  vmm_timer_init (&hid->timer, controller != NULL ? controller : dev, uhid_on_idle, hid);
  vmm_input_add (dev, input);
  if (vmm_usb_device_attach (&hid->usb, vmm_device_get_string (dev, "port"), TRUE, error))
    return TRUE;
  vmm_input_remove (dev);
  return FALSE;
}

/* Whether the driver fetches is in the regs; the input hub must know it too. */
static gboolean
uhid_post_load (VmmDevice *dev, GError **error)
{
  vmm_input_set_active (dev, ((Uhid *) dev)->regs.is_active);
  return TRUE;
}

static gboolean
uhid_realize_keyboard (VmmDevice *dev, GError **error)
{
  return uhid_realize (dev, &uhid_keyboard, &uhid_keyboard_input, error);
}

static gboolean
uhid_realize_mouse (VmmDevice *dev, GError **error)
{
  return uhid_realize (dev, &uhid_mouse, &uhid_mouse_input, error);
}

static gboolean
uhid_realize_tablet (VmmDevice *dev, GError **error)
{
  return uhid_realize (dev, &uhid_tablet, &uhid_tablet_input, error);
}

const VmmDeviceClass vmm_usb_keyboard_class = {
  .name = "usb-keyboard",
  .summary = N_ ("Keyboard (USB)"),
  .description = N_ ("A keyboard for systems that know no PS/2 keyboard."),
  .bus = VMM_DEVICE_USB,
  .user_creatable = TRUE,
  .instance_size = sizeof (Uhid),
  .settings = uhid_settings,
  .regs_offset = G_STRUCT_OFFSET (Uhid, regs),
  .regs_size = sizeof (UhidRegs),
  .regs_fields = uhid_fields,
  .state_version = 1,
  .realize = uhid_realize_keyboard,
  .unrealize = uhid_unrealize,
  .post_load = uhid_post_load,
};

const VmmDeviceClass vmm_usb_mouse_class = {
  .name = "usb-mouse",
  .summary = N_ ("Mouse (USB)"),
  .description = N_ ("A mouse whose pointer the window holds."),
  .bus = VMM_DEVICE_USB,
  .user_creatable = TRUE,
  .instance_size = sizeof (Uhid),
  .settings = uhid_settings,
  .regs_offset = G_STRUCT_OFFSET (Uhid, regs),
  .regs_size = sizeof (UhidRegs),
  .regs_fields = uhid_fields,
  .state_version = 1,
  .realize = uhid_realize_mouse,
  .unrealize = uhid_unrealize,
  .post_load = uhid_post_load,
};

const VmmDeviceClass vmm_usb_tablet_class = {
  .name = "usb-tablet",
  .summary = N_ ("Tablet: a pointer that need not be grabbed (USB)"),
  .description = N_ ("The pointer moves in and out of the window freely."),
  .bus = VMM_DEVICE_USB,
  .user_creatable = TRUE,
  .instance_size = sizeof (Uhid),
  .settings = uhid_settings,
  .regs_offset = G_STRUCT_OFFSET (Uhid, regs),
  .regs_size = sizeof (UhidRegs),
  .regs_fields = uhid_fields,
  .state_version = 1,
  .realize = uhid_realize_tablet,
  .unrealize = uhid_unrealize,
  .post_load = uhid_post_load,
};
