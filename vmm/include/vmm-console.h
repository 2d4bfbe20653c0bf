/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A machine's graphics output. Viewers pull: nothing is drawn, scanned or copied while no viewer pulls. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _VmmConsole VmmConsole;
typedef struct _VmmViewer VmmViewer;
typedef struct _VmmSurface VmmSurface;

typedef struct {
  int x, y, width, height; /* pixels */
} VmmRect;

/**
 * VmmSurface:
 * A picture in shared memory (memfd), 32 bits a pixel, native-endian 0xXXRRGGBB (DRM_FORMAT_XRGB8888, cairo RGB24,
 * GDK_MEMORY_B8G8R8X8). Its size never changes: a mode change makes a new surface. The pixels may be the guest's own video
 * memory, so they may change at any time; a reader may see a torn picture, never a bad address.
 */
struct _VmmSurface {
  gatomicrefcount ref_count;
  int width, height; /* pixels */
  gsize stride;      /* bytes */
  guint8 *pixels;    /* (read only) first pixel of the first line */
  int fd;            /* memfd that holds the pixels, or -1 */
  gsize fd_offset;   /* bytes from the start of @fd to @pixels */
  GDestroyNotify destroy;
  gpointer destroy_data;
};

VmmSurface *vmm_surface_ref (VmmSurface *surface);
void vmm_surface_unref (VmmSurface *surface);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VmmSurface, vmm_surface_unref)

#define VMM_FRAME_MAX_RECTS 16

/**
 * VmmFrame:
 * What changed since the same viewer's last pull.
 */
typedef struct {
  VmmSurface *surface;  /* (transfer full): never NULL after a successful pull */
  gboolean new_surface; /* another surface than at the last pull: everything is damaged */
  guint n_rects;
  VmmRect rects[VMM_FRAME_MAX_RECTS]; /* inside the surface, not overlapping */
} VmmFrame;

void vmm_frame_clear (VmmFrame *frame);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VmmFrame, vmm_frame_clear)

/**
 * vmm_console_add_viewer:
 * Registers somebody who looks. The first pull reports everything as damaged.
 * Thread: any. Free with vmm_viewer_free() before the machine is freed.
 */
VmmViewer *vmm_console_add_viewer (VmmConsole *console);
void vmm_viewer_free (VmmViewer *viewer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VmmViewer, vmm_viewer_free)

/**
 * vmm_viewer_pull:
 * @ret_frame: (out): surface and damage; clear with vmm_frame_clear()
 * Brings the picture up to date and says what changed for this viewer. Bounded work, no I/O, meant for a frame clock.
 * Thread: any, one at a time per viewer.
 * Returns: TRUE if anything changed (then @ret_frame is filled).
 */
gboolean vmm_viewer_pull (VmmViewer *viewer, VmmFrame *ret_frame);

/**
 * VmmCursor:
 * The image of the guest's pointer, where the guest leaves drawing it to the viewer. Never changes.
 */
typedef struct {
  gatomicrefcount ref_count;
  int width, height; /* pixels */
  int hot_x, hot_y;  /* the pixel that points */
  guint32 pixels[];  /* native-endian 0xAARRGGBB, colours multiplied by alpha, no padding */
} VmmCursor;

VmmCursor *vmm_cursor_ref (VmmCursor *cursor);
void vmm_cursor_unref (VmmCursor *cursor);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VmmCursor, vmm_cursor_unref)

/**
 * vmm_viewer_pull_cursor:
 * @ret_cursor: (out) (transfer full) (nullable): the image; NULL: there is none, the guest hides its pointer or draws it itself
 * @ret_x: @ret_y: (out): where in the picture the upper left corner of the image lies, by the guest's reckoning; may lie outside
 * Thread: any, one at a time per viewer; free of locks while nothing changed.
 * Returns: TRUE if the pointer changed since the same viewer's last call.
 */
gboolean vmm_viewer_pull_cursor (VmmViewer *viewer, VmmCursor **ret_cursor, int *ret_x, int *ret_y);

/**
 * vmm_console_can_resize:
 * Returns: TRUE if the guest can be asked for a size with vmm_console_request_size(). Never changes. Thread: any.
 */
gboolean vmm_console_can_resize (VmmConsole *console);

/**
 * vmm_console_request_size:
 * Tells the guest the size that the viewer would like; it may follow or not. The device takes the nearest that it can do.
 * Units: pixels. Thread: any; never blocks for long.
 */
void vmm_console_request_size (VmmConsole *console, int width, int height);

/**
 * vmm_console_pointer_position:
 * @x: @y: 0…32767 over this console's picture
 * As vmm_machine_pointer_position() where one device has several pictures: the guest is told the place in all of them together, side
 * by side in the order of the consoles. Thread: any.
 */
gboolean vmm_console_pointer_position (VmmConsole *console, int x, int y);

typedef enum { VMM_TOUCH_DOWN, VMM_TOUCH_MOVE, VMM_TOUCH_UP } VmmTouch;

/* The same for vmm_machine_touch(). */
gboolean vmm_console_touch (VmmConsole *console, guint slot, VmmTouch touch, int x, int y);

/**
 * vmm_console_dup_text:
 * Returns: (transfer full) (nullable): the text screen as UTF-8, one line per row with trailing blanks removed, or NULL in a
 *   graphics mode. Thread: any.
 */
char *vmm_console_dup_text (VmmConsole *console);

G_END_DECLS
