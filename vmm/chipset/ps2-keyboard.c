/* SPDX-License-Identifier: GPL-3.0-or-later */
/* PS/2 keyboard with 104 to 109 keys, scan code sets 2 and 1.
 * Spec: IBM PS/2 Technical Reference, "Keyboards (101/102-key)"; Microsoft "Keyboard Scan Code Specification" 1.3a and "USB HID to
 *   PS/2 Scan Code Translation Table" 1.3 for the keys that came later.
 * Left out on purpose: scan code set 3; the shifts that real keyboards fake around the grey keys for 1984's programs; repetition,
 * which the host does.
 *
 * Print Screen, SysRq, Pause and Break are two keys that send what depends on Ctrl, Alt and Shift (codes of the specification's
 * notes 3 and 4). */
#include "chipset/ps2.h"

#include <linux/input-event-codes.h>

#define PS2KBD_ACK 0xfa
#define PS2KBD_RESEND 0xfe
#define PS2KBD_EXTENDED 0xe0
#define PS2KBD_BREAK 0xf0

enum {
  PS2KBD_CTRL_L = 1 << 0,
  PS2KBD_CTRL_R = 1 << 1,
  PS2KBD_ALT_L = 1 << 2,
  PS2KBD_ALT_R = 1 << 3,
  PS2KBD_SHIFT_L = 1 << 4,
  PS2KBD_SHIFT_R = 1 << 5,
  PS2KBD_CTRL = PS2KBD_CTRL_L | PS2KBD_CTRL_R,
  PS2KBD_ALT = PS2KBD_ALT_L | PS2KBD_ALT_R,
  PS2KBD_SHIFT = PS2KBD_SHIFT_L | PS2KBD_SHIFT_R,
};

/* one_shots */
enum { PS2KBD_PAUSE = 1 << 0, PS2KBD_HANGEUL = 1 << 1, PS2KBD_HANJA = 1 << 2 };

/* print */
enum { PS2KBD_PRINT_UP, PS2KBD_PRINT_PLAIN, PS2KBD_PRINT_SHIFTED, PS2KBD_PRINT_SYSRQ };

/* Scan code set 2; from E000 up: after the prefix E0. */
static const guint16 ps2kbd_codes[] = {
  [KEY_ESC] = 0x76,
  [KEY_1] = 0x16,
  [KEY_2] = 0x1e,
  [KEY_3] = 0x26,
  [KEY_4] = 0x25,
  [KEY_5] = 0x2e,
  [KEY_6] = 0x36,
  [KEY_7] = 0x3d,
  [KEY_8] = 0x3e,
  [KEY_9] = 0x46,
  [KEY_0] = 0x45,
  [KEY_MINUS] = 0x4e,
  [KEY_EQUAL] = 0x55,
  [KEY_BACKSPACE] = 0x66,
  [KEY_TAB] = 0x0d,
  [KEY_Q] = 0x15,
  [KEY_W] = 0x1d,
  [KEY_E] = 0x24,
  [KEY_R] = 0x2d,
  [KEY_T] = 0x2c,
  [KEY_Y] = 0x35,
  [KEY_U] = 0x3c,
  [KEY_I] = 0x43,
  [KEY_O] = 0x44,
  [KEY_P] = 0x4d,
  [KEY_LEFTBRACE] = 0x54,
  [KEY_RIGHTBRACE] = 0x5b,
  [KEY_ENTER] = 0x5a,
  [KEY_LEFTCTRL] = 0x14,
  [KEY_A] = 0x1c,
  [KEY_S] = 0x1b,
  [KEY_D] = 0x23,
  [KEY_F] = 0x2b,
  [KEY_G] = 0x34,
  [KEY_H] = 0x33,
  [KEY_J] = 0x3b,
  [KEY_K] = 0x42,
  [KEY_L] = 0x4b,
  [KEY_SEMICOLON] = 0x4c,
  [KEY_APOSTROPHE] = 0x52,
  [KEY_GRAVE] = 0x0e,
  [KEY_LEFTSHIFT] = 0x12,
  [KEY_BACKSLASH] = 0x5d,
  [KEY_Z] = 0x1a,
  [KEY_X] = 0x22,
  [KEY_C] = 0x21,
  [KEY_V] = 0x2a,
  [KEY_B] = 0x32,
  [KEY_N] = 0x31,
  [KEY_M] = 0x3a,
  [KEY_COMMA] = 0x41,
  [KEY_DOT] = 0x49,
  [KEY_SLASH] = 0x4a,
  [KEY_RIGHTSHIFT] = 0x59,
  [KEY_LEFTALT] = 0x11,
  [KEY_SPACE] = 0x29,
  [KEY_CAPSLOCK] = 0x58,
  [KEY_F1] = 0x05,
  [KEY_F2] = 0x06,
  [KEY_F3] = 0x04,
  [KEY_F4] = 0x0c,
  [KEY_F5] = 0x03,
  [KEY_F6] = 0x0b,
  [KEY_F7] = 0x83,
  [KEY_F8] = 0x0a,
  [KEY_F9] = 0x01,
  [KEY_F10] = 0x09,
  [KEY_F11] = 0x78,
  [KEY_F12] = 0x07,
  [KEY_NUMLOCK] = 0x77,
  [KEY_SCROLLLOCK] = 0x7e,
  [KEY_KPASTERISK] = 0x7c,
  [KEY_KP7] = 0x6c,
  [KEY_KP8] = 0x75,
  [KEY_KP9] = 0x7d,
  [KEY_KPMINUS] = 0x7b,
  [KEY_KP4] = 0x6b,
  [KEY_KP5] = 0x73,
  [KEY_KP6] = 0x74,
  [KEY_KPPLUS] = 0x79,
  [KEY_KP1] = 0x69,
  [KEY_KP2] = 0x72,
  [KEY_KP3] = 0x7a,
  [KEY_KP0] = 0x70,
  [KEY_KPDOT] = 0x71,
  [KEY_KPENTER] = 0xe05a,
  [KEY_KPSLASH] = 0xe04a,
  [KEY_KPEQUAL] = 0x0f,
  [KEY_RIGHTCTRL] = 0xe014,
  [KEY_RIGHTALT] = 0xe011,
  [KEY_LEFTMETA] = 0xe01f,
  [KEY_RIGHTMETA] = 0xe027,
  [KEY_COMPOSE] = 0xe02f,
  [KEY_HOME] = 0xe06c,
  [KEY_UP] = 0xe075,
  [KEY_PAGEUP] = 0xe07d,
  [KEY_LEFT] = 0xe06b,
  [KEY_RIGHT] = 0xe074,
  [KEY_END] = 0xe069,
  [KEY_DOWN] = 0xe072,
  [KEY_PAGEDOWN] = 0xe07a,
  [KEY_INSERT] = 0xe070,
  [KEY_DELETE] = 0xe071,
  [KEY_F13] = 0x08,
  [KEY_F14] = 0x10,
  [KEY_F15] = 0x18,
  [KEY_F16] = 0x20,
  [KEY_F17] = 0x28,
  [KEY_F18] = 0x30,
  [KEY_F19] = 0x38,
  [KEY_F20] = 0x40,
  [KEY_F21] = 0x48,
  [KEY_F22] = 0x50,
  [KEY_F23] = 0x57,
  [KEY_F24] = 0x5f,
  /* 102-key, Japanese, Brazilian, Korean */
  [KEY_102ND] = 0x61,
  [KEY_RO] = 0x51,
  [KEY_YEN] = 0x6a,
  [KEY_HENKAN] = 0x64,
  [KEY_MUHENKAN] = 0x67,
  [KEY_KATAKANAHIRAGANA] = 0x13,
  [KEY_KATAKANA] = 0x63,
  [KEY_HIRAGANA] = 0x62,
  [KEY_ZENKAKUHANKAKU] = 0x5f,
  [KEY_KPJPCOMMA] = 0x27,
  [KEY_KPCOMMA] = 0x6d,
  [KEY_HANGEUL] = 0xf2,
  [KEY_HANJA] = 0xf1,
  /* power, media, browser */
  [KEY_POWER] = 0xe037,
  [KEY_SLEEP] = 0xe03f,
  [KEY_WAKEUP] = 0xe05e,
  [KEY_MUTE] = 0xe023,
  [KEY_VOLUMEDOWN] = 0xe021,
  [KEY_VOLUMEUP] = 0xe032,
  [KEY_NEXTSONG] = 0xe04d,
  [KEY_PREVIOUSSONG] = 0xe015,
  [KEY_STOPCD] = 0xe03b,
  [KEY_PLAYPAUSE] = 0xe034,
  [KEY_MEDIA] = 0xe050,
  [KEY_CONFIG] = 0xe050,
  [KEY_MAIL] = 0xe048,
  [KEY_CALC] = 0xe02b,
  [KEY_COMPUTER] = 0xe040,
  [KEY_SEARCH] = 0xe010,
  [KEY_HOMEPAGE] = 0xe03a,
  [KEY_BACK] = 0xe038,
  [KEY_FORWARD] = 0xe030,
  [KEY_STOP] = 0xe028,
  [KEY_REFRESH] = 0xe020,
  [KEY_BOOKMARKS] = 0xe018,
};

/* Set 2 to set 1, bytes below 80. */
static const guint8 ps2kbd_translation[128] = {
  0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59, 0x65, 0x38, 0x2a,
  0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b, 0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05,
  0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d, 0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a,
  0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f, 0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26,
  0x27, 0x19, 0x0c, 0x61, 0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63,
  0x76, 0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f, 0x52, 0x53,
  0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
};

guint8
vmm_ps2_translate (guint8 byte)
{
  if (byte == 0x83)
    return 0x41;
  if (byte == 0x84)
    return 0x54;
  return byte < 0x80 ? ps2kbd_translation[byte] : byte;
}

/* --- sending ----------------------------------------------------------------------------------------------------------------- */

/* Sends a sequence of set 2, whole or not at all. The last place of the queue is for the overrun code (00, in set 1 FF). */
static void
ps2kbd_send (VmmPs2Keyboard *kbd, const guint8 *bytes, guint len)
{
  VmmPs2Queue *queue = &kbd->queue;
  gboolean release = FALSE;

  if (!kbd->scanning)
    return;
  if (len >= vmm_ps2_queue_get_room (queue))
    {
      if (vmm_ps2_queue_get_room (queue) > 0)
        vmm_ps2_queue_push (queue, kbd->set == 1 ? 0xff : 0x00);
      return;
    }
  for (guint i = 0; i < len; i++)
    {
      if (kbd->set == 2)
        vmm_ps2_queue_push (queue, bytes[i]);
      else if (bytes[i] == PS2KBD_BREAK)
        release = TRUE;
      else
        {
          vmm_ps2_queue_push (queue, vmm_ps2_translate (bytes[i]) | (release ? 0x80 : 0));
          release = FALSE;
        }
    }
}

static void
ps2kbd_send_code (VmmPs2Keyboard *kbd, guint16 code, gboolean down)
{
  guint8 bytes[3];
  guint len = 0;

  if (code >> 8 != 0)
    bytes[len++] = code >> 8;
  if (!down)
    bytes[len++] = PS2KBD_BREAK;
  bytes[len++] = code & 0xff;
  ps2kbd_send (kbd, bytes, len);
}

static void
ps2kbd_print (VmmPs2Keyboard *kbd, gboolean down)
{
  static const guint8 plain_down[] = { 0xe0, 0x12, 0xe0, 0x7c };
  static const guint8 plain_up[] = { 0xe0, 0xf0, 0x7c, 0xe0, 0xf0, 0x12 };
  guint8 how = kbd->print;

  if (down && how == PS2KBD_PRINT_UP)
    how = kbd->modifiers & PS2KBD_ALT                     ? PS2KBD_PRINT_SYSRQ
          : kbd->modifiers & (PS2KBD_CTRL | PS2KBD_SHIFT) ? PS2KBD_PRINT_SHIFTED
                                                          : PS2KBD_PRINT_PLAIN;
  kbd->print = down ? how : PS2KBD_PRINT_UP;
  switch (how)
    {
    case PS2KBD_PRINT_SYSRQ:
      ps2kbd_send_code (kbd, 0x84, down);
      break;
    case PS2KBD_PRINT_SHIFTED:
      ps2kbd_send_code (kbd, 0xe07c, down);
      break;
    default:
      ps2kbd_send (kbd, down ? plain_down : plain_up, down ? sizeof plain_down : sizeof plain_up);
      break;
    }
}

static void
ps2kbd_pause (VmmPs2Keyboard *kbd, gboolean as_break)
{
  static const guint8 pause_bytes[] = { 0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77 };
  static const guint8 break_bytes[] = { 0xe0, 0x7e, 0xe0, 0xf0, 0x7e };

  if (as_break || kbd->modifiers & PS2KBD_CTRL)
    ps2kbd_send (kbd, break_bytes, sizeof break_bytes);
  else
    ps2kbd_send (kbd, pause_bytes, sizeof pause_bytes);
}

static guint8
ps2kbd_modifier (guint code)
{
  switch (code)
    {
    case KEY_LEFTCTRL:
      return PS2KBD_CTRL_L;
    case KEY_RIGHTCTRL:
      return PS2KBD_CTRL_R;
    case KEY_LEFTALT:
      return PS2KBD_ALT_L;
    case KEY_RIGHTALT:
      return PS2KBD_ALT_R;
    case KEY_LEFTSHIFT:
      return PS2KBD_SHIFT_L;
    case KEY_RIGHTSHIFT:
      return PS2KBD_SHIFT_R;
    default:
      return 0;
    }
}

/* Keys that send their code once, when they go down. */
static guint8
ps2kbd_one_shot (guint code)
{
  switch (code)
    {
    case KEY_PAUSE:
    case KEY_BREAK:
      return PS2KBD_PAUSE;
    case KEY_HANGEUL:
      return PS2KBD_HANGEUL;
    case KEY_HANJA:
      return PS2KBD_HANJA;
    default:
      return 0;
    }
}

void
vmm_ps2_keyboard_key (VmmPs2Keyboard *kbd, guint code, gboolean down)
{
  guint8 one_shot = ps2kbd_one_shot (code);
  gboolean held = (kbd->one_shots & one_shot) != 0;

  kbd->modifiers = down ? kbd->modifiers | ps2kbd_modifier (code) : kbd->modifiers & ~ps2kbd_modifier (code);
  kbd->one_shots = down ? kbd->one_shots | one_shot : kbd->one_shots & ~one_shot;
  if (one_shot != 0 && (!down || held))
    return;
  if (code == KEY_PAUSE || code == KEY_BREAK)
    ps2kbd_pause (kbd, code == KEY_BREAK);
  else if (code == KEY_SYSRQ || code == KEY_PRINT)
    ps2kbd_print (kbd, down);
  else if (code < G_N_ELEMENTS (ps2kbd_codes) && ps2kbd_codes[code] != 0)
    ps2kbd_send_code (kbd, ps2kbd_codes[code], down);
}

/* --- commands ---------------------------------------------------------------------------------------------------------------- */

static void
ps2kbd_set_defaults (VmmPs2Keyboard *kbd)
{
  kbd->set = 2;
  kbd->typematic = 0x2b; /* 10.9 a second after 500 ms */
  kbd->queue.count = 0;
}

static gboolean
ps2kbd_parameter (VmmPs2Keyboard *kbd, guint8 command, guint8 byte)
{
  gboolean valid = TRUE;

  switch (command)
    {
    case 0xed:
      kbd->leds = byte & 7;
      break;
    case 0xf0:
      valid = byte <= 2;
      if (byte == 1 || byte == 2)
        {
          kbd->set = byte;
          kbd->queue.count = 0;
        }
      break;
    case 0xf3:
      kbd->typematic = byte & 0x7f;
      break;
    default:
      g_assert_not_reached ();
    }
  vmm_ps2_queue_reply (&kbd->queue, valid ? PS2KBD_ACK : PS2KBD_RESEND);
  if (command == 0xf0 && byte == 0)
    vmm_ps2_queue_reply (&kbd->queue, kbd->set);
  return valid;
}

gboolean
vmm_ps2_keyboard_receive (VmmPs2Keyboard *kbd, guint8 byte)
{
  VmmPs2Queue *queue = &kbd->queue;
  guint8 command = kbd->command;

  kbd->command = 0;
  if (byte != 0xfe)
    queue->reply_count = 0; /* a new command drops what answers the one before */
  if (command != 0 && byte < 0x80)
    return ps2kbd_parameter (kbd, command, byte);
  switch (byte)
    {
    case 0xed: /* set LEDs */
    case 0xf0: /* scan code set */
    case 0xf3: /* typematic rate */
      kbd->command = byte;
      break;
    case 0xee: /* echo */
      vmm_ps2_queue_reply (queue, 0xee);
      return TRUE;
    case 0xf2: /* identify */
      vmm_ps2_queue_reply (queue, PS2KBD_ACK);
      vmm_ps2_queue_reply (queue, 0xab);
      vmm_ps2_queue_reply (queue, 0x83);
      return TRUE;
    case 0xf4: /* enable */
      queue->count = 0;
      kbd->scanning = TRUE;
      break;
    case 0xf5: /* defaults, disable */
      ps2kbd_set_defaults (kbd);
      kbd->scanning = FALSE;
      break;
    case 0xf6: /* defaults */
      ps2kbd_set_defaults (kbd);
      break;
    case 0xf7: /* kinds of keys in set 3: taken, without effect in the other sets */
    case 0xf8:
    case 0xf9:
    case 0xfa:
      break;
    case 0xfe: /* resend */
      vmm_ps2_queue_reply (queue, queue->last);
      return TRUE;
    case 0xff: /* reset */
      vmm_ps2_keyboard_reset (kbd);
      vmm_ps2_queue_reply (queue, PS2KBD_ACK);
      vmm_ps2_queue_reply (queue, 0xaa); /* self-test passed */
      return TRUE;
    default:
      vmm_ps2_queue_reply (queue, PS2KBD_RESEND);
      return FALSE;
    }
  vmm_ps2_queue_reply (queue, PS2KBD_ACK);
  return TRUE;
}

/* Keys stay held: they are the host's. */
void
vmm_ps2_keyboard_reset (VmmPs2Keyboard *kbd)
{
  vmm_ps2_queue_reset (&kbd->queue);
  ps2kbd_set_defaults (kbd);
  kbd->command = 0;
  kbd->leds = 0;
  kbd->scanning = TRUE;
}
