/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The two devices behind the keyboard controller, as plain state machines: bytes in, bytes out, no machine. They are part of the
 * controller's saved registers; all calls with its lock held. */
#pragma once

#include <glib.h>

#define VMM_PS2_QUEUE_SIZE 16

/* What a device wants to send. Replies to commands go before scan codes and movement reports. */
typedef struct {
  guint8 bytes[VMM_PS2_QUEUE_SIZE];
  guint8 head, count;
  guint8 reply[4];
  guint8 reply_count;
  guint8 last; /* the byte that "resend" sends again */
} VmmPs2Queue;

typedef struct {
  VmmPs2Queue queue;
  guint8 command; /* waits for its parameter; 0: none */
  guint8 scanning;
  guint8 set; /* 1 or 2 */
  guint8 leds;
  guint8 typematic;
  guint8 modifiers; /* held keys that change what others send */
  guint8 one_shots; /* held keys that send nothing on release and do not repeat */
  guint8 print;     /* how Print Screen was pressed */
} VmmPs2Keyboard;

typedef struct {
  gint64 next_ns;    /* no movement report before */
  gint32 dx, dy, dz; /* not reported yet; down is positive */
  VmmPs2Queue queue;
  guint8 command;
  guint8 id; /* 0 plain, 3 with wheel, 4 with five buttons */
  guint8 reporting, remote, wrap, scaling;
  guint8 resolution, rate;      /* rate: reports a second */
  guint8 buttons, sent_buttons; /* left, right, middle, fourth, fifth */
  guint8 rates[2];              /* the last rates set, newest first: the knock that turns the wheel on */
} VmmPs2Mouse;

void vmm_ps2_queue_reset (VmmPs2Queue *queue);
gboolean vmm_ps2_queue_is_empty (const VmmPs2Queue *queue);
/* Only when it is not empty. */
guint8 vmm_ps2_queue_pop (VmmPs2Queue *queue);
/* Puts a reply in front; beyond four the newest are lost. */
void vmm_ps2_queue_reply (VmmPs2Queue *queue, guint8 byte);
gboolean vmm_ps2_queue_is_valid (const VmmPs2Queue *queue);
guint vmm_ps2_queue_get_room (const VmmPs2Queue *queue);
void vmm_ps2_queue_push (VmmPs2Queue *queue, guint8 byte);

/**
 * vmm_ps2_translate:
 * Returns: @byte of scan code set 2 as the keyboard controller translates it to set 1. F0 (break) is not its business.
 * Spec: IBM PS/2 Technical Reference, keyboard controller; bytes from 80 up pass except 83 and 84.
 */
guint8 vmm_ps2_translate (guint8 byte);

void vmm_ps2_keyboard_reset (VmmPs2Keyboard *kbd);
/* FALSE: the byte is no command that this keyboard has (it answered with "resend"). */
gboolean vmm_ps2_keyboard_receive (VmmPs2Keyboard *kbd, guint8 byte);
/* @code: Linux input event code. Down events of a held key are its repetition. */
void vmm_ps2_keyboard_key (VmmPs2Keyboard *kbd, guint code, gboolean down);

void vmm_ps2_mouse_reset (VmmPs2Mouse *mouse);
gboolean vmm_ps2_mouse_receive (VmmPs2Mouse *mouse, guint8 byte);
void vmm_ps2_mouse_motion (VmmPs2Mouse *mouse, int dx, int dy);
void vmm_ps2_mouse_button (VmmPs2Mouse *mouse, guint code, gboolean down, gint64 now_ns);
void vmm_ps2_mouse_wheel (VmmPs2Mouse *mouse, int dy);
/* Queues a movement report if one is due. Returns: when to call again, or -1: after the next event or command. */
gint64 vmm_ps2_mouse_poll (VmmPs2Mouse *mouse, gint64 now_ns);
