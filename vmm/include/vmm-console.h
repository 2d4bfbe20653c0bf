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
 * vmm_console_dup_text:
 * Returns: (transfer full) (nullable): the text screen as UTF-8, one line per row with trailing blanks removed, or NULL in a
 *   graphics mode. Thread: any.
 */
char *vmm_console_dup_text (VmmConsole *console);

G_END_DECLS
