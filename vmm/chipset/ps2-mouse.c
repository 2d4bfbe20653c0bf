/* SPDX-License-Identifier: GPL-3.0-or-later */
/* PS/2 mouse with wheel and five buttons (IntelliMouse, IntelliMouse Explorer).
 * Spec: IBM PS/2 Technical Reference, "Mouse" (commands, status, three-byte report, scaling); Microsoft IntelliMouse for the knocks
 *   (sample rates 200, 100, 80 and 200, 200, 80) and the fourth byte.
 * Left out on purpose: the resolution is kept and told, but motion comes in the host's pixels.
 *
 * Motion is summed up and reported at the sample rate; a button is reported at once, so that no click is lost. */
#include "chipset/ps2.h"

#include <linux/input-event-codes.h>

#define PS2MOUSE_ACK 0xfa
#define PS2MOUSE_RESEND 0xfe
#define PS2MOUSE_NS G_GINT64_CONSTANT (1000000000)
#define PS2MOUSE_MAX_PENDING 32767

static gboolean
ps2mouse_is_dirty (const VmmPs2Mouse *mouse)
{
  return mouse->dx != 0 || mouse->dy != 0 || (mouse->dz != 0 && mouse->id != 0) || mouse->buttons != mouse->sent_buttons;
}

/* 2:1 scaling of the specification's table. */
static int
ps2mouse_scale (int value)
{
  static const guint8 table[] = { 0, 1, 1, 3, 6, 9 };

  if (ABS (value) < (int) G_N_ELEMENTS (table))
    return value < 0 ? -table[-value] : table[value];
  return value * 2;
}

/* Takes what fits one report out of the sums. */
static guint
ps2mouse_make_report (VmmPs2Mouse *mouse, gboolean scale, guint8 report[4])
{
  int limit = scale ? 127 : 255;
  int dx = CLAMP (mouse->dx, -limit, limit), dy = CLAMP (mouse->dy, -limit, limit), dz = CLAMP (mouse->dz, -8, 7);
  int x, y;

  mouse->dx -= dx;
  mouse->dy -= dy;
  mouse->dz = mouse->id != 0 ? mouse->dz - dz : 0;
  mouse->sent_buttons = mouse->buttons;
  x = scale ? ps2mouse_scale (dx) : dx;
  y = -(scale ? ps2mouse_scale (dy) : dy); /* up is positive in the report */
  report[0] = (mouse->buttons & 7) | 0x08 | (x < 0 ? 0x10 : 0) | (y < 0 ? 0x20 : 0);
  report[1] = x & 0xff;
  report[2] = y & 0xff;
  if (mouse->id == 3)
    report[3] = dz & 0xff;
  else
    report[3] = (dz & 0x0f) | (mouse->buttons & 0x18) << 1;
  return mouse->id != 0 ? 4 : 3;
}

static void
ps2mouse_queue_report (VmmPs2Mouse *mouse, gint64 now_ns)
{
  guint8 report[4];
  guint len = ps2mouse_make_report (mouse, mouse->scaling, report);

  for (guint i = 0; i < len; i++)
    vmm_ps2_queue_push (&mouse->queue, report[i]);
  mouse->next_ns = now_ns + PS2MOUSE_NS / MAX (mouse->rate, 10);
}

static gboolean
ps2mouse_streams (const VmmPs2Mouse *mouse)
{
  return mouse->reporting && !mouse->remote && !mouse->wrap;
}

gint64
vmm_ps2_mouse_poll (VmmPs2Mouse *mouse, gint64 now_ns)
{
  if (!ps2mouse_streams (mouse) || !ps2mouse_is_dirty (mouse) || mouse->queue.count > 0)
    return -1;
  if (now_ns < mouse->next_ns)
    return mouse->next_ns;
  ps2mouse_queue_report (mouse, now_ns);
  return -1; /* the rest when these bytes have gone */
}

/* --- events from the host ---------------------------------------------------------------------------------------------------- */

static gint32
ps2mouse_add (gint32 sum, int value)
{
  return (gint32) CLAMP ((gint64) sum + value, -PS2MOUSE_MAX_PENDING, PS2MOUSE_MAX_PENDING);
}

void
vmm_ps2_mouse_motion (VmmPs2Mouse *mouse, int dx, int dy)
{
  mouse->dx = ps2mouse_add (mouse->dx, dx);
  mouse->dy = ps2mouse_add (mouse->dy, dy);
}

void
vmm_ps2_mouse_wheel (VmmPs2Mouse *mouse, int dy)
{
  mouse->dz = ps2mouse_add (mouse->dz, dy);
}

void
vmm_ps2_mouse_button (VmmPs2Mouse *mouse, guint code, gboolean down, gint64 now_ns)
{
  guint8 bit;

  switch (code)
    {
    case BTN_LEFT:
      bit = 1 << 0;
      break;
    case BTN_RIGHT:
      bit = 1 << 1;
      break;
    case BTN_MIDDLE:
      bit = 1 << 2;
      break;
    case BTN_SIDE:
    case BTN_BACK:
      bit = 1 << 3;
      break;
    case BTN_EXTRA:
    case BTN_FORWARD:
      bit = 1 << 4;
      break;
    default:
      return;
    }
  mouse->buttons = down ? mouse->buttons | bit : mouse->buttons & ~bit;
  if (ps2mouse_streams (mouse) && mouse->buttons != mouse->sent_buttons && vmm_ps2_queue_get_room (&mouse->queue) >= 4)
    ps2mouse_queue_report (mouse, now_ns);
}

/* --- commands ---------------------------------------------------------------------------------------------------------------- */

static void
ps2mouse_set_defaults (VmmPs2Mouse *mouse)
{
  mouse->reporting = FALSE;
  mouse->remote = FALSE;
  mouse->scaling = FALSE;
  mouse->resolution = 2; /* 4 counts a mm */
  mouse->rate = 100;
  mouse->dx = mouse->dy = mouse->dz = 0;
  mouse->queue.count = 0;
}

static gboolean
ps2mouse_parameter (VmmPs2Mouse *mouse, guint8 command, guint8 byte)
{
  if (command == 0xe8)
    {
      if (byte > 3)
        {
          vmm_ps2_queue_reply (&mouse->queue, PS2MOUSE_RESEND);
          return FALSE;
        }
      mouse->resolution = byte;
    }
  else
    {
      mouse->rate = MAX (byte, 1);
      if (mouse->rates[1] == 200 && mouse->rates[0] == 100 && byte == 80 && mouse->id == 0)
        mouse->id = 3;
      else if (mouse->rates[1] == 200 && mouse->rates[0] == 200 && byte == 80)
        mouse->id = 4;
      mouse->rates[1] = mouse->rates[0];
      mouse->rates[0] = byte;
    }
  vmm_ps2_queue_reply (&mouse->queue, PS2MOUSE_ACK);
  return TRUE;
}

gboolean
vmm_ps2_mouse_receive (VmmPs2Mouse *mouse, guint8 byte)
{
  VmmPs2Queue *queue = &mouse->queue;
  guint8 command = mouse->command;
  guint8 report[4];
  guint len;

  mouse->command = 0;
  if (byte != 0xfe)
    queue->reply_count = 0;
  if (mouse->wrap && byte != 0xec && byte != 0xff)
    {
      vmm_ps2_queue_reply (queue, byte);
      return TRUE;
    }
  if (command != 0)
    return ps2mouse_parameter (mouse, command, byte);
  if (byte != 0xfe)
    queue->count = 0; /* a command cuts off what is being reported */
  switch (byte)
    {
    case 0xe6: /* scaling 1:1 */
    case 0xe7: /* scaling 2:1 */
      mouse->scaling = byte == 0xe7;
      break;
    case 0xe8: /* resolution */
    case 0xf3: /* sample rate */
      mouse->command = byte;
      break;
    case 0xe9: /* status */
      vmm_ps2_queue_reply (queue, PS2MOUSE_ACK);
      vmm_ps2_queue_reply (queue, (mouse->remote ? 0x40 : 0) | (mouse->reporting ? 0x20 : 0) | (mouse->scaling ? 0x10 : 0)
                                      | (mouse->buttons & 1) << 2 | (mouse->buttons & 4) >> 1 | (mouse->buttons & 2) >> 1);
      vmm_ps2_queue_reply (queue, mouse->resolution);
      vmm_ps2_queue_reply (queue, mouse->rate);
      return TRUE;
    case 0xea: /* stream mode */
      mouse->remote = FALSE;
      break;
    case 0xeb: /* read data */
      vmm_ps2_queue_reply (queue, PS2MOUSE_ACK);
      len = ps2mouse_make_report (mouse, FALSE, report);
      for (guint i = 0; i < len; i++)
        vmm_ps2_queue_push (queue, report[i]);
      return TRUE;
    case 0xec: /* end of wrap mode */
    case 0xee: /* wrap mode */
      mouse->wrap = byte == 0xee;
      break;
    case 0xf0: /* remote mode */
      mouse->remote = TRUE;
      break;
    case 0xf2: /* identify */
      vmm_ps2_queue_reply (queue, PS2MOUSE_ACK);
      vmm_ps2_queue_reply (queue, mouse->id);
      return TRUE;
    case 0xf4: /* enable */
    case 0xf5: /* disable */
      mouse->reporting = byte == 0xf4;
      mouse->dx = mouse->dy = mouse->dz = 0;
      mouse->sent_buttons = mouse->buttons;
      break;
    case 0xf6: /* defaults */
      ps2mouse_set_defaults (mouse);
      break;
    case 0xfe: /* resend */
      vmm_ps2_queue_reply (queue, queue->last);
      return TRUE;
    case 0xff: /* reset */
      vmm_ps2_mouse_reset (mouse);
      vmm_ps2_queue_reply (queue, PS2MOUSE_ACK);
      vmm_ps2_queue_reply (queue, 0xaa);
      vmm_ps2_queue_reply (queue, 0x00);
      return TRUE;
    default:
      vmm_ps2_queue_reply (queue, PS2MOUSE_RESEND);
      return FALSE;
    }
  vmm_ps2_queue_reply (queue, PS2MOUSE_ACK);
  return TRUE;
}

/* Buttons stay held: they are the host's. */
void
vmm_ps2_mouse_reset (VmmPs2Mouse *mouse)
{
  vmm_ps2_queue_reset (&mouse->queue);
  ps2mouse_set_defaults (mouse);
  mouse->command = 0;
  mouse->id = 0;
  mouse->wrap = FALSE;
  mouse->sent_buttons = mouse->buttons;
  mouse->next_ns = 0;
  mouse->rates[0] = mouse->rates[1] = 0;
}
