/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pictures in shared memory. */
#include "display/console.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct {
  guint8 *pixels;
  gsize size; /* bytes mapped */
  int fd;
} SurfaceMemory;

static void
surf_memory_free (gpointer data)
{
  SurfaceMemory *memory = data;

  munmap (memory->pixels, memory->size);
  close (memory->fd);
  g_free (memory);
}

VmmSurface *
vmm_surface_new (int width, int height, GError **error)
{
  gsize stride = (gsize) width * 4, size = stride * (gsize) height;
  SurfaceMemory *memory;
  guint8 *pixels;
  int fd;

  g_assert (width > 0 && width <= VMM_SURFACE_MAX && height > 0 && height <= VMM_SURFACE_MAX);
  fd = memfd_create ("lodge-picture", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0 || ftruncate (fd, (off_t) size) < 0
      || (pixels = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) == MAP_FAILED)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "cannot get memory for a picture of %d×%d: %s", width, height,
                   g_strerror (errno));
      if (fd >= 0)
        close (fd);
      return NULL;
    }
  /* Whoever is given the descriptor can no longer take the pages away under a reader (SIGBUS). */
  fcntl (fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  madvise (pixels, size, MADV_DONTDUMP);

  memory = g_new (SurfaceMemory, 1);
  *memory = (SurfaceMemory) { pixels, size, fd };
  return vmm_surface_new_for_memory (width, height, stride, pixels, fd, 0, surf_memory_free, memory);
}

VmmSurface *
vmm_surface_new_for_memory (int width, int height, gsize stride, guint8 *pixels, int fd, gsize fd_offset, GDestroyNotify destroy,
                            gpointer data)
{
  VmmSurface *surface = g_new0 (VmmSurface, 1);

  *surface = (VmmSurface) { .width = width,
                            .height = height,
                            .stride = stride,
                            .pixels = pixels,
                            .fd = fd,
                            .fd_offset = fd_offset,
                            .destroy = destroy,
                            .destroy_data = data };
  g_atomic_ref_count_init (&surface->ref_count);
  return surface;
}

VmmSurface *
vmm_surface_ref (VmmSurface *surface)
{
  g_atomic_ref_count_inc (&surface->ref_count);
  return surface;
}

void
vmm_surface_unref (VmmSurface *surface)
{
  if (!g_atomic_ref_count_dec (&surface->ref_count))
    return;
  if (surface->destroy != NULL)
    surface->destroy (surface->destroy_data);
  g_free (surface);
}

VmmCursor *
vmm_cursor_new (int width, int height, int hot_x, int hot_y)
{
  VmmCursor *cursor;

  g_assert (width > 0 && width <= VMM_CURSOR_MAX && height > 0 && height <= VMM_CURSOR_MAX);
  cursor = g_try_malloc (sizeof *cursor + (gsize) width * (gsize) height * sizeof cursor->pixels[0]);
  if (cursor == NULL)
    return NULL;
  cursor->width = width;
  cursor->height = height;
  cursor->hot_x = CLAMP (hot_x, 0, width - 1);
  cursor->hot_y = CLAMP (hot_y, 0, height - 1);
  g_atomic_ref_count_init (&cursor->ref_count);
  return cursor;
}

VmmCursor *
vmm_cursor_ref (VmmCursor *cursor)
{
  g_atomic_ref_count_inc (&cursor->ref_count);
  return cursor;
}

void
vmm_cursor_unref (VmmCursor *cursor)
{
  if (g_atomic_ref_count_dec (&cursor->ref_count))
    g_free (cursor);
}
