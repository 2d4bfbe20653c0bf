/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The console of a machine that runs in this process: the viewer's pull goes straight to the engine, without a copy. */
#include "engine/engine-console.h"

#include "engine/surface-picture.h"

#include <vmm.h>

struct _LodgeEngineConsole {
  LodgeConsole parent_instance;
  VmmMachine *vm;        /* (nullable): NULL when closed */
  VmmConsole *screen;    /* (nullable): NULL without a screen or when closed */
  VmmViewer *viewer;     /* (nullable): NULL without a screen or when closed */
  LodgePicture *picture; /* (nullable): of the last pull */
};

G_DEFINE_FINAL_TYPE (LodgeEngineConsole, lodge_engine_console, LODGE_TYPE_CONSOLE)

LodgeEngineConsole *
lodge_engine_console_new (VmmMachine *vm, guint head)
{
  LodgeEngineConsole *self = g_object_new (LODGE_TYPE_ENGINE_CONSOLE, NULL);

  self->vm = vm;
  self->screen = vmm_machine_get_console (vm, head);
  if (self->screen != NULL)
    self->viewer = vmm_console_add_viewer (self->screen);
  return self;
}

void
lodge_engine_console_close (LodgeEngineConsole *self)
{
  if (self->vm == NULL)
    return;
  g_clear_pointer (&self->viewer, vmm_viewer_free);
  self->screen = NULL;
  self->vm = NULL;
  lodge_console_emit_closed (LODGE_CONSOLE (self));
}

static gboolean
leco_pull (LodgeConsole *console, LodgeFrame *ret_frame)
{
  LodgeEngineConsole *self = LODGE_ENGINE_CONSOLE (console);
  g_auto (VmmFrame) frame = { 0 };

  if (self->viewer == NULL || !vmm_viewer_pull (self->viewer, &frame))
    return FALSE;

  if (frame.new_surface || self->picture == NULL)
    {
      g_clear_pointer (&self->picture, lodge_picture_unref);
      self->picture = lodge_surface_picture_new (frame.surface);
      if (self->picture == NULL)
        return FALSE;
    }
  *ret_frame = (LodgeFrame) { .picture = lodge_picture_ref (self->picture), .new_picture = frame.new_surface };
  ret_frame->n_rects = MIN (frame.n_rects, LODGE_FRAME_MAX_RECTS);
  for (guint i = 0; i < ret_frame->n_rects; i++)
    ret_frame->rects[i] = (LodgeRect) { frame.rects[i].x, frame.rects[i].y, frame.rects[i].width, frame.rects[i].height };
  return TRUE;
}

static void
leco_key (LodgeConsole *console, guint code, gboolean down)
{
  LodgeEngineConsole *self = LODGE_ENGINE_CONSOLE (console);

  if (self->vm != NULL)
    vmm_machine_key (self->vm, code, down);
}

static void
leco_pointer_motion (LodgeConsole *console, int dx, int dy)
{
  LodgeEngineConsole *self = LODGE_ENGINE_CONSOLE (console);

  if (self->vm != NULL)
    vmm_machine_pointer_motion (self->vm, dx, dy);
}

static gboolean
leco_pointer_position (LodgeConsole *console, int x, int y)
{
  LodgeEngineConsole *self = LODGE_ENGINE_CONSOLE (console);

  return self->screen != NULL && vmm_console_pointer_position (self->screen, x, y);
}

static void
leco_pointer_button (LodgeConsole *console, guint code, gboolean down)
{
  LodgeEngineConsole *self = LODGE_ENGINE_CONSOLE (console);

  if (self->vm != NULL)
    vmm_machine_pointer_button (self->vm, code, down);
}

static void
leco_pointer_wheel (LodgeConsole *console, int dy)
{
  LodgeEngineConsole *self = LODGE_ENGINE_CONSOLE (console);

  if (self->vm != NULL)
    vmm_machine_pointer_wheel (self->vm, dy);
}

static gboolean
leco_has_absolute_pointer (LodgeConsole *console)
{
  LodgeEngineConsole *self = LODGE_ENGINE_CONSOLE (console);

  return self->vm != NULL && vmm_machine_has_absolute_pointer (self->vm);
}

static char *
leco_dup_text (LodgeConsole *console)
{
  LodgeEngineConsole *self = LODGE_ENGINE_CONSOLE (console);

  return self->screen != NULL ? vmm_console_dup_text (self->screen) : NULL;
}

static gboolean
leco_pull_cursor (LodgeConsole *console, LodgeCursor *ret_cursor)
{
  LodgeEngineConsole *self = LODGE_ENGINE_CONSOLE (console);
  VmmCursor *cursor = NULL;
  int x, y;

  if (self->viewer == NULL || !vmm_viewer_pull_cursor (self->viewer, &cursor, &x, &y))
    return FALSE;
  *ret_cursor = (LodgeCursor) { .x = x, .y = y };
  if (cursor != NULL)
    {
      ret_cursor->width = cursor->width;
      ret_cursor->height = cursor->height;
      ret_cursor->hot_x = cursor->hot_x;
      ret_cursor->hot_y = cursor->hot_y;
      ret_cursor->pixels = g_bytes_new_with_free_func (cursor->pixels, (gsize) cursor->width * (gsize) cursor->height * 4,
                                                       (GDestroyNotify) (void (*) (void)) vmm_cursor_unref, cursor);
    }
  return TRUE;
}

static void
leco_start_over (LodgeConsole *console)
{
  LodgeEngineConsole *self = LODGE_ENGINE_CONSOLE (console);

  if (self->viewer == NULL)
    return;
  vmm_viewer_free (self->viewer);
  self->viewer = vmm_console_add_viewer (self->screen);
}

static gboolean
leco_can_resize (LodgeConsole *console)
{
  LodgeEngineConsole *self = LODGE_ENGINE_CONSOLE (console);

  return self->screen != NULL && vmm_console_can_resize (self->screen);
}

static void
leco_request_size (LodgeConsole *console, int width, int height)
{
  LodgeEngineConsole *self = LODGE_ENGINE_CONSOLE (console);

  if (self->screen != NULL)
    vmm_console_request_size (self->screen, width, height);
}

static gboolean
leco_touch (LodgeConsole *console, guint slot, LodgeTouch touch, int x, int y)
{
  static const VmmTouch touches[] = { [LODGE_TOUCH_DOWN] = VMM_TOUCH_DOWN,
                                      [LODGE_TOUCH_MOVE] = VMM_TOUCH_MOVE,
                                      [LODGE_TOUCH_UP] = VMM_TOUCH_UP };
  LodgeEngineConsole *self = LODGE_ENGINE_CONSOLE (console);

  return self->screen != NULL && vmm_console_touch (self->screen, slot, touches[touch], x, y);
}

static void
leco_dispose (GObject *object)
{
  LodgeEngineConsole *self = LODGE_ENGINE_CONSOLE (object);

  g_clear_pointer (&self->viewer, vmm_viewer_free);
  self->screen = NULL;
  self->vm = NULL;
  g_clear_pointer (&self->picture, lodge_picture_unref);
  G_OBJECT_CLASS (lodge_engine_console_parent_class)->dispose (object);
}

static void
lodge_engine_console_class_init (LodgeEngineConsoleClass *klass)
{
  LodgeConsoleClass *console_class = LODGE_CONSOLE_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = leco_dispose;
  console_class->pull = leco_pull;
  console_class->key = leco_key;
  console_class->pointer_motion = leco_pointer_motion;
  console_class->pointer_position = leco_pointer_position;
  console_class->pointer_button = leco_pointer_button;
  console_class->pointer_wheel = leco_pointer_wheel;
  console_class->has_absolute_pointer = leco_has_absolute_pointer;
  console_class->dup_text = leco_dup_text;
  console_class->pull_cursor = leco_pull_cursor;
  console_class->can_resize = leco_can_resize;
  console_class->request_size = leco_request_size;
  console_class->touch = leco_touch;
  console_class->start_over = leco_start_over;
}

static void
lodge_engine_console_init (LodgeEngineConsole *self)
{
}
