/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Device side of a console: a graphics device makes one in realize and brings its picture up to date when a viewer pulls. */
#pragma once

#include "core/types.h"

typedef struct {
  /* A viewer pulls: put the present picture into the console's surface (vmm_console_set_surface() on a mode change) and report what
   * changed with vmm_console_damage(). Viewer's thread, device's lock held, coalesced writes flushed before. */
  void (*update) (VmmDevice *dev, VmmConsole *console);
  /* The first viewer came or the last one went: switch the dirty log. Any thread, device's lock held. */
  void (*set_watched) (VmmDevice *dev, VmmConsole *console, gboolean watched);
  /* (nullable) Text screen, appended as UTF-8 lines. FALSE: a graphics mode. Device's lock held. */
  gboolean (*text) (VmmDevice *dev, GString *text);
  /* (nullable) A viewer would like this size, both at least 1; NULL: the guest cannot be asked. Any thread, device's lock held. */
  void (*request_size) (VmmDevice *dev, VmmConsole *console, int width, int height);
} VmmConsoleOps;

VmmConsole *vmm_console_new (VmmDevice *dev, const VmmConsoleOps *ops); /* adds itself to the machine */
void vmm_console_free (VmmConsole *console);                            /* in unrealize */

/* Inside update, or whenever else the device's lock is held. */
void vmm_console_set_surface (VmmConsole *console, VmmSurface *surface); /* (transfer full); damages everything */
VmmSurface *vmm_console_get_surface (VmmConsole *console);               /* (transfer none) (nullable) */
void vmm_console_damage (VmmConsole *console, int x, int y, int width, int height);

/* Whether the guest uses this output: those that it does not use take no part in the pointer's positions. At first all are used. */
void vmm_console_set_used (VmmConsole *console, gboolean used);
/* The guest's pointer. @cursor: (transfer full) (nullable). Device's lock held. */
void vmm_console_set_cursor (VmmConsole *console, VmmCursor *cursor, int x, int y);
void vmm_console_move_cursor (VmmConsole *console, int x, int y);
/* At most VMM_CURSOR_MAX a side; pixels not yet set. (nullable) */
VmmCursor *vmm_cursor_new (int width, int height, int hot_x, int hot_y);
#define VMM_CURSOR_MAX 256 /* pixels */

/* A surface in its own memfd, black, at most VMM_SURFACE_MAX a side. NULL only if the host is out of memory. */
#define VMM_SURFACE_MAX 16384 /* pixels; devices limit what a guest may ask for */
VmmSurface *vmm_surface_new (int width, int height, GError **error);
/* A surface over memory that somebody else owns (video memory). */
VmmSurface *vmm_surface_new_for_memory (int width, int height, gsize stride, guint8 *pixels, int fd, gsize fd_offset,
                                        GDestroyNotify destroy, gpointer data);
