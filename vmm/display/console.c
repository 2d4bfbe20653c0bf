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
};

struct _VmmViewer {
  VmmConsole *console;
  VmmSurface *seen; /* (nullable): what the last pull returned; the reference keeps its address from being used again */
  VmmDamage damage;
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

VmmViewer *
vmm_console_add_viewer (VmmConsole *console)
{
  VmmViewer *viewer = g_new0 (VmmViewer, 1);

  viewer->console = console;
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
