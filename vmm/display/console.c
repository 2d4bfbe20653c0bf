/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Theory of operation: a console belongs to a graphics device and is protected by that device's lock. Every viewer collects its own damage.
 * A pull asks the device to bring the picture up to date, which reports damage to all viewers, and hands over what the pulling
 * viewer has collected. While there is no viewer the device is told so and nothing at all happens. */
#include "display/console.h"

#include "core/bus.h"
#include "core/machine.h"
#include "display/damage.h"

struct _VmmConsole {
  VmmDevice *dev;
  const VmmConsoleOps *ops;
  VmmSurface *surface; /* (nullable) */
  GPtrArray *viewers;  /* (element-type VmmViewer) (not owned) */
  gboolean unused;     /* the guest has switched this output off */
  VmmCursor *cursor;   /* (nullable) */
  int cursor_x, cursor_y;
  gint cursor_serial; /* (atomic): of the last change */
};

struct _VmmViewer {
  VmmConsole *console;
  VmmSurface *seen; /* (nullable): what the last pull returned; the reference keeps its address from being used again */
  VmmDamage damage;
  gint cursor_serial; /* seen */
};

VmmConsole *
vmm_console_new (VmmDevice *dev, const VmmConsoleOps *ops)
{
  VmmConsole *console = g_new0 (VmmConsole, 1);

  console->dev = dev;
  console->ops = ops;
  console->viewers = g_ptr_array_new ();
  g_ptr_array_add (dev->machine->consoles, console);
  return console;
}

void
vmm_console_free (VmmConsole *console)
{
  if (console == NULL)
    return;
  g_assert (console->viewers->len == 0);
  g_ptr_array_remove (console->dev->machine->consoles, console);
  g_ptr_array_unref (console->viewers);
  g_clear_pointer (&console->surface, vmm_surface_unref);
  g_clear_pointer (&console->cursor, vmm_cursor_unref);
  g_free (console);
}

VmmSurface *
vmm_console_get_surface (VmmConsole *console)
{
  return console->surface;
}

void
vmm_console_set_surface (VmmConsole *console, VmmSurface *surface)
{
  g_clear_pointer (&console->surface, vmm_surface_unref);
  console->surface = surface;
  /* Damage lies in a surface: that of the old one means nothing now. */
  for (guint i = 0; i < console->viewers->len; i++)
    ((VmmViewer *) console->viewers->pdata[i])->damage.n_rects = 0;
  vmm_console_damage (console, 0, 0, surface->width, surface->height);
}

void
vmm_console_damage (VmmConsole *console, int x, int y, int width, int height)
{
  int right = MIN (x + width, console->surface->width), bottom = MIN (y + height, console->surface->height);
  VmmRect rect = { MAX (x, 0), MAX (y, 0), 0, 0 };

  rect.width = right - rect.x;
  rect.height = bottom - rect.y;
  if (rect.width <= 0 || rect.height <= 0)
    return;
  for (guint i = 0; i < console->viewers->len; i++)
    vmm_damage_add (&((VmmViewer *) console->viewers->pdata[i])->damage, rect);
}

void
vmm_console_set_used (VmmConsole *console, gboolean used)
{
  console->unused = !used;
}

void
vmm_console_set_cursor (VmmConsole *console, VmmCursor *cursor, int x, int y)
{
  g_clear_pointer (&console->cursor, vmm_cursor_unref);
  console->cursor = cursor;
  vmm_console_move_cursor (console, x, y);
}

void
vmm_console_move_cursor (VmmConsole *console, int x, int y)
{
  console->cursor_x = x;
  console->cursor_y = y;
  g_atomic_int_inc (&console->cursor_serial);
}

gboolean
vmm_console_can_resize (VmmConsole *console)
{
  return console->ops->request_size != NULL;
}

void
vmm_console_request_size (VmmConsole *console, int width, int height)
{
  if (console->ops->request_size == NULL)
    return;
  vmm_device_lock (console->dev);
  console->ops->request_size (console->dev, console, MAX (width, 1), MAX (height, 1));
  vmm_device_unlock (console->dev);
}

/* Where the console's picture lies among those of its device. FALSE: it stands alone. Device's lock held. */
static gboolean
cons_place (VmmConsole *console, VmmRect *ret_place, int *ret_width, int *ret_height)
{
  GPtrArray *consoles = console->dev->machine->consoles;
  int width = 0, height = 0;
  guint n = 0;

  if (console->unused || console->surface == NULL)
    return FALSE;
  for (guint i = 0; i < consoles->len; i++)
    {
      VmmConsole *other = consoles->pdata[i];

      if (other->dev != console->dev || other->unused || other->surface == NULL)
        continue;
      if (other == console)
        *ret_place = (VmmRect) { width, 0, other->surface->width, other->surface->height };
      width += other->surface->width;
      height = MAX (height, other->surface->height);
      n++;
    }
  *ret_width = width;
  *ret_height = height;
  return n > 1;
}

/* From 0…32767 over the console's picture to the same over all. */
static void
cons_to_all (VmmConsole *console, int *x, int *y)
{
  VmmRect place = { 0 };
  int width = 1, height = 1;
  gboolean shared;

  *x = CLAMP (*x, 0, 32767);
  *y = CLAMP (*y, 0, 32767);
  vmm_device_lock (console->dev);
  shared = cons_place (console, &place, &width, &height);
  vmm_device_unlock (console->dev);
  if (!shared)
    return;
  *x = (int) (((gint64) place.x * 32767 + (gint64) *x * place.width) / width);
  *y = (int) ((gint64) *y * place.height / height);
}

gboolean
vmm_console_pointer_position (VmmConsole *console, int x, int y)
{
  cons_to_all (console, &x, &y);
  return vmm_machine_pointer_position (console->dev->machine, x, y);
}

gboolean
vmm_console_touch (VmmConsole *console, guint slot, VmmTouch touch, int x, int y)
{
  cons_to_all (console, &x, &y);
  return vmm_machine_touch (console->dev->machine, slot, touch, x, y);
}

VmmViewer *
vmm_console_add_viewer (VmmConsole *console)
{
  VmmViewer *viewer = g_new0 (VmmViewer, 1);

  viewer->console = console;
  viewer->cursor_serial = g_atomic_int_get (&console->cursor_serial) - 1;
  vmm_device_lock (console->dev);
  g_ptr_array_add (console->viewers, viewer);
  if (console->viewers->len == 1)
    console->ops->set_watched (console->dev, console, TRUE);
  vmm_device_unlock (console->dev);
  return viewer;
}

void
vmm_viewer_free (VmmViewer *viewer)
{
  VmmConsole *console = viewer->console;

  vmm_device_lock (console->dev);
  g_ptr_array_remove (console->viewers, viewer);
  if (console->viewers->len == 0)
    console->ops->set_watched (console->dev, console, FALSE);
  vmm_device_unlock (console->dev);
  g_clear_pointer (&viewer->seen, vmm_surface_unref);
  g_free (viewer);
}

gboolean
vmm_viewer_pull (VmmViewer *viewer, VmmFrame *ret_frame)
{
  VmmConsole *console = viewer->console;
  VmmSurface *old = NULL;
  gboolean changed = FALSE;

  vmm_bus_flush_coalesced (vmm_device_get_bus (console->dev));

  vmm_device_lock (console->dev);
  console->ops->update (console->dev, console);
  if (console->surface != NULL && (console->surface != viewer->seen || viewer->damage.n_rects > 0))
    {
      VmmSurface *surface = console->surface;

      changed = TRUE;
      *ret_frame = (VmmFrame) { .surface = vmm_surface_ref (surface), .new_surface = surface != viewer->seen };
      if (ret_frame->new_surface)
        {
          ret_frame->n_rects = 1;
          ret_frame->rects[0] = (VmmRect) { 0, 0, surface->width, surface->height };
          old = viewer->seen;
          viewer->seen = vmm_surface_ref (surface);
        }
      else
        {
          ret_frame->n_rects = viewer->damage.n_rects;
          memcpy (ret_frame->rects, viewer->damage.rects, sizeof ret_frame->rects);
        }
      viewer->damage.n_rects = 0;
    }
  vmm_device_unlock (console->dev);

  g_clear_pointer (&old, vmm_surface_unref);
  return changed;
}

gboolean
vmm_viewer_pull_cursor (VmmViewer *viewer, VmmCursor **ret_cursor, int *ret_x, int *ret_y)
{
  VmmConsole *console = viewer->console;

  if (g_atomic_int_get (&console->cursor_serial) == viewer->cursor_serial)
    return FALSE;
  vmm_device_lock (console->dev);
  viewer->cursor_serial = g_atomic_int_get (&console->cursor_serial);
  *ret_cursor = console->cursor != NULL ? vmm_cursor_ref (console->cursor) : NULL;
  *ret_x = console->cursor_x;
  *ret_y = console->cursor_y;
  vmm_device_unlock (console->dev);
  return TRUE;
}

void
vmm_frame_clear (VmmFrame *frame)
{
  g_clear_pointer (&frame->surface, vmm_surface_unref);
  frame->n_rects = 0;
}

char *
vmm_console_dup_text (VmmConsole *console)
{
  g_autoptr (GString) text = g_string_new (NULL);
  gboolean ok;

  if (console->ops->text == NULL)
    return NULL;
  vmm_bus_flush_coalesced (vmm_device_get_bus (console->dev));
  vmm_device_lock (console->dev);
  ok = console->ops->text (console->dev, text);
  vmm_device_unlock (console->dev);
  return ok ? g_string_free (g_steal_pointer (&text), FALSE) : NULL;
}
