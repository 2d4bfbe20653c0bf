/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A machine's screen, keyboard and pointer, for one viewer. */
#pragma once

#include "model/picture.h"

G_BEGIN_DECLS

typedef struct {
  int x, y, width, height; /* pixels */
} LodgeRect;

#define LODGE_FRAME_MAX_RECTS 16

/**
 * LodgeFrame:
 * What changed since the last pull.
 */
typedef struct {
  LodgePicture *picture; /* (transfer full): the whole screen, XRGB8888, in memory that the guest goes on drawing in */
  gboolean new_picture;  /* another picture than at the last pull (first pull, other size): all of it is damaged */
  guint n_rects;
  LodgeRect rects[LODGE_FRAME_MAX_RECTS]; /* inside the picture */
} LodgeFrame;

/**
 * LodgeCursor:
 * The guest's own pointer, where the guest leaves drawing it to the viewer.
 */
typedef struct {
  GBytes *pixels;    /* (nullable): none; else native-endian 0xAARRGGBB, colours multiplied by alpha, no padding */
  int width, height; /* pixels */
  int hot_x, hot_y;  /* the pixel that points */
  int x, y;          /* upper left corner in the picture, by the guest's reckoning; may lie outside */
} LodgeCursor;

void lodge_cursor_clear (LodgeCursor *cursor);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (LodgeCursor, lodge_cursor_clear)

typedef enum { LODGE_TOUCH_DOWN, LODGE_TOUCH_MOVE, LODGE_TOUCH_UP } LodgeTouch;

void lodge_frame_clear (LodgeFrame *frame);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (LodgeFrame, lodge_frame_clear)

#define LODGE_TYPE_CONSOLE (lodge_console_get_type ())
G_DECLARE_DERIVABLE_TYPE (LodgeConsole, lodge_console, LODGE, CONSOLE, GObject)

/**
 * LodgeConsoleClass:
 * All calls: main thread, never block. Input to a console whose machine is off goes nowhere.
 *
 * Signals: "closed" (LodgeConsole *): the machine went off; there will be no other frame. The last picture stays readable.
 */
struct _LodgeConsoleClass {
  GObjectClass parent_class;

  gboolean (*pull) (LodgeConsole *self, LodgeFrame *ret_frame);
  void (*key) (LodgeConsole *self, guint code, gboolean down);
  void (*pointer_motion) (LodgeConsole *self, int dx, int dy);
  gboolean (*pointer_position) (LodgeConsole *self, int x, int y);
  void (*pointer_button) (LodgeConsole *self, guint code, gboolean down);
  void (*pointer_wheel) (LodgeConsole *self, int dy);
  gboolean (*has_absolute_pointer) (LodgeConsole *self);
  char *(*dup_text) (LodgeConsole *self);
  /* (nullable) from here on: the console cannot */
  gboolean (*pull_cursor) (LodgeConsole *self, LodgeCursor *ret_cursor);
  gboolean (*can_resize) (LodgeConsole *self);
  void (*request_size) (LodgeConsole *self, int width, int height);
  gboolean (*touch) (LodgeConsole *self, guint slot, LodgeTouch touch, int x, int y);
  void (*start_over) (LodgeConsole *self);
  gpointer padding[3];
};

/**
 * lodge_console_pull:
 * @ret_frame: (out): cleared by the caller with lodge_frame_clear() if %TRUE was returned
 * Brings the picture up to date; meant for a frame clock's tick. Nothing is drawn or copied while nobody pulls.
 * Returns: %TRUE if anything changed.
 */
gboolean lodge_console_pull (LodgeConsole *self, LodgeFrame *ret_frame);

/** lodge_console_start_over: Another looks from now on: the next pulls report the whole picture and the pointer as new. */
void lodge_console_start_over (LodgeConsole *self);

/**
 * lodge_console_key:
 * @code: Linux input event code (KEY_A …), that is, the X11 or Wayland hardware keycode minus 8
 * The console remembers which keys are down, for lodge_console_release_keys().
 */
void lodge_console_key (LodgeConsole *self, guint code, gboolean down);

/**
 * lodge_console_release_keys:
 * Releases every key and button that this console holds down: to be called when the window loses focus.
 */
void lodge_console_release_keys (LodgeConsole *self);

/**
 * lodge_console_pointer_motion:
 * @dx: @dy: guest pixels, relative; down is positive
 */
void lodge_console_pointer_motion (LodgeConsole *self, int dx, int dy);

/**
 * lodge_console_pointer_position:
 * @x: @y: 0…32767 over the picture
 * Returns: %FALSE if this machine has no absolute pointer: grab the pointer and use lodge_console_pointer_motion().
 */
gboolean lodge_console_pointer_position (LodgeConsole *self, int x, int y);

/** lodge_console_pointer_button: @code: Linux input event code: BTN_LEFT, BTN_RIGHT, BTN_MIDDLE … */
void lodge_console_pointer_button (LodgeConsole *self, guint code, gboolean down);

/** lodge_console_pointer_wheel: @dy: notches; down is positive */
void lodge_console_pointer_wheel (LodgeConsole *self, int dy);

gboolean lodge_console_has_absolute_pointer (LodgeConsole *self);

/**
 * lodge_console_pull_cursor:
 * @ret_cursor: (out): cleared by the caller with lodge_cursor_clear() if %TRUE was returned
 * Returns: %TRUE if the guest's pointer changed since the last call.
 */
gboolean lodge_console_pull_cursor (LodgeConsole *self, LodgeCursor *ret_cursor);

/** lodge_console_can_resize: Returns: %TRUE if the guest can be asked for a size. Does not change while the console lives. */
gboolean lodge_console_can_resize (LodgeConsole *self);

/**
 * lodge_console_request_size:
 * Asks the guest for a picture of this size; it comes, if it does, as a frame with a new picture.
 * Units: guest pixels.
 */
void lodge_console_request_size (LodgeConsole *self, int width, int height);

/**
 * lodge_console_touch:
 * @slot: which finger, from 0
 * @x: @y: 0…32767 over the picture
 * Returns: %FALSE if the guest has no touch screen.
 */
gboolean lodge_console_touch (LodgeConsole *self, guint slot, LodgeTouch touch, int x, int y);

/**
 * lodge_console_dup_text:
 * Returns: (transfer full) (nullable): the text screen, one line a row, %NULL in a graphics mode.
 */
char *lodge_console_dup_text (LodgeConsole *self);

/** lodge_console_emit_closed: For subclasses. */
void lodge_console_emit_closed (LodgeConsole *self);

G_END_DECLS
