/* SPDX-License-Identifier: GPL-3.0-or-later */
/* virtio graphics adapter, 2D: up to four outputs that follow the viewer's size, EDID, a pointer of its own.
 * Spec: VIRTIO 1.2 §5.7; contract 7.3. Left out: 3D (VIRGL), blob resources, UUIDs: not offered as features.
 *
 * Theory of operation: the driver makes resources, gives them memory of its own, and tells what changed; a transfer copies that from its memory
 * into the resource, whose pixels are the very surface that viewers see once the resource is set as an output's picture: one copy in all.
 * Commands are carried out in order on the I/O thread, so a fence is done when its answer is. A viewer's wish for a size is kept and told
 * with a configuration interrupt; display information and EDID then offer it. Host memory for all resources together is limited.
 * Formats other than the surfaces' own are turned into it after the copy, line by line.
 *
 * virtio-vga is the same with a VGA beside it, for firmware and for guests without the driver: BARs 0 and 2 are the VGA's, and the first output
 * shows it until the driver sets a picture, and again after a reset. */
#include "core/log.h"
#include "display/edid.h"
#include "display/vga.h"
#include "virtio/virtio.h"

#include <string.h>

#define VGPU_CONTROL 0 /* queues, §5.7.2 */
#define VGPU_CURSOR 1
#define VGPU_N_QUEUES 2
#define VGPU_QUEUE_SIZE 256

#define VGPU_F_EDID 1 /* §5.7.3 */

/* §5.7.4 */
#define VGPU_EVENTS_READ 0
#define VGPU_EVENTS_CLEAR 4
#define VGPU_NUM_SCANOUTS 8
#define VGPU_CONFIG_SIZE 16
#define VGPU_EVENT_DISPLAY 1u

/* §5.7.6.7 */
enum {
  VGPU_CMD_GET_DISPLAY_INFO = 0x0100,
  VGPU_CMD_RESOURCE_CREATE_2D,
  VGPU_CMD_RESOURCE_UNREF,
  VGPU_CMD_SET_SCANOUT,
  VGPU_CMD_RESOURCE_FLUSH,
  VGPU_CMD_TRANSFER_TO_HOST_2D,
  VGPU_CMD_RESOURCE_ATTACH_BACKING,
  VGPU_CMD_RESOURCE_DETACH_BACKING,
  VGPU_CMD_GET_EDID = 0x010a,
  VGPU_CMD_UPDATE_CURSOR = 0x0300,
  VGPU_CMD_MOVE_CURSOR,
  VGPU_OK_NODATA = 0x1100,
  VGPU_OK_DISPLAY_INFO,
  VGPU_OK_EDID = 0x1104,
  VGPU_ERR_UNSPEC = 0x1200,
  VGPU_ERR_OUT_OF_MEMORY,
  VGPU_ERR_INVALID_SCANOUT_ID,
  VGPU_ERR_INVALID_RESOURCE_ID,
  VGPU_ERR_INVALID_CONTEXT_ID,
  VGPU_ERR_INVALID_PARAMETER,
};
#define VGPU_FLAG_FENCE 0x01u
#define VGPU_MAX_SCANOUTS 16 /* in the answer to GET_DISPLAY_INFO */

/* Wire format, little-endian */
typedef struct {
  guint32 type, flags;
  guint64 fence_id;
  guint32 ctx_id;
  guint8 ring_idx, padding[3];
} VgpuHeader;

typedef struct {
  guint32 x, y, width, height;
} VgpuRect;

typedef struct {
  guint32 resource_id, format, width, height;
} VgpuCreate2d;

typedef struct {
  VgpuRect rect;
  guint32 scanout_id, resource_id;
} VgpuSetScanout;

typedef struct {
  VgpuRect rect;
  guint32 resource_id, padding;
} VgpuFlush;

typedef struct {
  VgpuRect rect;
  guint64 offset;
  guint32 resource_id, padding;
} VgpuTransfer;

typedef struct {
  guint32 resource_id, n_entries;
} VgpuAttachBacking;

typedef struct {
  guint64 addr;
  guint32 length, padding;
} VgpuBackingEntry;

typedef struct {
  guint32 scanout_id, x, y, padding, resource_id, hot_x, hot_y, padding_2;
} VgpuUpdateCursor;

typedef struct {
  VgpuRect rect;
  guint32 enabled, flags;
} VgpuDisplayOne;

typedef struct {
  guint32 size, padding;
  guint8 edid[1024];
} VgpuEdid;

G_STATIC_ASSERT (sizeof (VgpuHeader) == 24);
G_STATIC_ASSERT (sizeof (VgpuSetScanout) == 24);
G_STATIC_ASSERT (sizeof (VgpuTransfer) == 32);
G_STATIC_ASSERT (sizeof (VgpuBackingEntry) == 16);
G_STATIC_ASSERT (sizeof (VgpuUpdateCursor) == 32);
G_STATIC_ASSERT (sizeof (VgpuDisplayOne) == 24);

#define VGPU_MAX_HEADS 4
#define VGPU_MAX_RESOURCES 4096
#define VGPU_MAX_ENTRIES 65536      /* pieces of one resource's memory */
#define VGPU_ENTRIES_AT_ONCE 64     /* copied out of the ring */
#define VGPU_MEMFD_MIN (256 * 1024) /* bytes; smaller resources are never a picture */
#define VGPU_MAX_MEMFDS 128
/* What EDID can say (12 bits) in multiples of 8, which every driver takes as they are */
#define VGPU_MIN_SIZE 64
#define VGPU_MAX_WIDTH 4088
#define VGPU_MAX_HEIGHT 4095
#define VGPU_DARK_WIDTH 640 /* of an output that shows nothing */
#define VGPU_DARK_HEIGHT 480
#define VGPU_VGA_MEMORY (16u << 20) /* bytes */
#define VGPU_VGA_ROM "vgabios-virtio.bin"

/* Layout of formats (§5.7.6.8) seen as little-endian words */
typedef enum {
  VGPU_NATIVE, /* ARGB, the surfaces' own */
  VGPU_BGRA,
  VGPU_ABGR,
  VGPU_RGBA,
} VgpuOrder;

static const struct {
  guint32 format;
  VgpuOrder order;
  gboolean alpha;
} vgpu_formats[] = {
  { 1, VGPU_NATIVE, TRUE }, { 2, VGPU_NATIVE, FALSE }, { 3, VGPU_BGRA, TRUE },   { 4, VGPU_BGRA, FALSE },
  { 67, VGPU_ABGR, TRUE },  { 68, VGPU_RGBA, FALSE },  { 121, VGPU_RGBA, TRUE }, { 134, VGPU_ABGR, FALSE },
};

typedef struct {
  guint64 start; /* bytes from the start of the resource's memory */
  guint8 *host;
  gsize size;
} VgpuPiece;

typedef struct {
  guint32 id, width, height;
  VgpuOrder order;
  gboolean alpha;
  VmmSurface *surface;
  VgpuPiece *pieces; /* (nullable) */
  guint n_pieces;
  guint64 cost; /* bytes, in the limit */
} VgpuResource;

typedef struct {
  guint32 resource_id; /* 0: none */
  VgpuRect rect;       /* of the resource */
  guint32 wanted_width, wanted_height;
} VgpuScanoutRegs;

typedef struct {
  VgpuScanoutRegs scanout[VGPU_MAX_HEADS];
} VmmVirtioGpuRegs;

typedef struct {
  VmmVirtioGpuRegs gpu;
  /* virtio-vga alone */
  VmmVgaRegs vga;
  guint8 vga_hidden; /* the driver has set a picture for the first output */
  guint8 padding;
} VmmVirtioVgaRegs;

typedef struct {
  VmmVirtio virtio;
  VmmVirtioVgaRegs saved;
  gboolean has_vga;
  VmmVga vga;
  guint n_heads;
  VmmConsole *consoles[VGPU_MAX_HEADS];
  GHashTable *resources;             /* id -> VgpuResource */
  guint64 memory_limit, memory_used; /* bytes */
  guint n_memfds;                    /* resources that have one */
  gboolean dark[VGPU_MAX_HEADS];     /* the console's surface is a black one that belongs to no resource */
} VmmVirtioGpu;

static const char *const vgpu_memory_choices[] = { "64", "128", "256", "512", "1024", NULL };

#define VGPU_SETTINGS                                                                             \
  { .key = "heads",                                                                               \
    .type = VMM_SETTING_INT,                                                                      \
    .fallback = "1",                                                                              \
    .min = 1,                                                                                     \
    .max = VGPU_MAX_HEADS,                                                                        \
    .summary = N_ ("Number of screens") },                                                        \
      { .key = "width",                                                                           \
        .type = VMM_SETTING_INT,                                                                  \
        .fallback = "1280",                                                                       \
        .min = 640,                                                                               \
        .max = 3840,                                                                              \
        .summary = N_ ("Preferred width of the screen in pixels") },                              \
      { .key = "height",                                                                          \
        .type = VMM_SETTING_INT,                                                                  \
        .fallback = "800",                                                                        \
        .min = 480,                                                                               \
        .max = 2160,                                                                              \
        .summary = N_ ("Preferred height of the screen in pixels") },                             \
  {                                                                                               \
    .key = "memory", .type = VMM_SETTING_ENUM, .fallback = "256", .choices = vgpu_memory_choices, \
    .summary = N_ ("Most host memory for the guest's pictures in MiB"),                           \
  }

static const VmmSetting vgpu_settings[] = { VGPU_SETTINGS, { .key = NULL } };

static const VmmSetting vgpu_vga_settings[] = {
  VGPU_SETTINGS,
  { .key = "rom", .type = VMM_SETTING_PATH, .summary = N_ ("VGA BIOS image instead of the distribution's") },
  { .key = NULL },
};

static const VmmField vgpu_fields[] = { VMM_FIELD_BLOB (VmmVirtioGpuRegs, scanout), VMM_FIELD_END };

static const VmmField vgpu_vga_fields[] = { VMM_FIELD_BLOB (VmmVirtioVgaRegs, gpu), VMM_VGA_FIELDS (VmmVirtioVgaRegs, vga),
                                            VMM_FIELD_MAX (VmmVirtioVgaRegs, vga_hidden, 1), VMM_FIELD (VmmVirtioVgaRegs, padding),
                                            VMM_FIELD_END };

/* Resources */

static VgpuResource *
vgpu_find (VmmVirtioGpu *gpu, guint32 id)
{
  return g_hash_table_lookup (gpu->resources, GUINT_TO_POINTER (id));
}

static void
vgpu_drop_pieces (VmmVirtioGpu *gpu, VgpuResource *resource)
{
  guint64 bytes = (guint64) resource->n_pieces * sizeof *resource->pieces;

  gpu->memory_used -= bytes;
  resource->cost -= bytes;
  resource->n_pieces = 0;
  g_clear_pointer (&resource->pieces, g_free);
}

/* (nullable): black pixels; in shared memory where they may become a picture. */
static VmmSurface *
vgpu_surface_new (VmmVirtioGpu *gpu, guint32 width, guint32 height)
{
  gsize size = (gsize) width * height * 4;
  guint8 *pixels;

  if (size >= VGPU_MEMFD_MIN && gpu->n_memfds < VGPU_MAX_MEMFDS)
    return vmm_surface_new ((int) width, (int) height, NULL);
  pixels = g_try_malloc0 (size);
  return pixels == NULL ? NULL
                        : vmm_surface_new_for_memory ((int) width, (int) height, (gsize) width * 4, pixels, -1, 0, g_free, pixels);
}

static guint32
vgpu_create (VmmVirtioGpu *gpu, const VgpuCreate2d *command)
{
  guint32 id = GUINT32_FROM_LE (command->resource_id), format = GUINT32_FROM_LE (command->format);
  guint32 width = GUINT32_FROM_LE (command->width), height = GUINT32_FROM_LE (command->height);
  guint i = 0;
  guint64 cost;
  VmmSurface *surface;
  VgpuResource *resource;

  if (id == 0 || vgpu_find (gpu, id) != NULL)
    return VGPU_ERR_INVALID_RESOURCE_ID;
  while (i < G_N_ELEMENTS (vgpu_formats) && vgpu_formats[i].format != format)
    i++;
  if (i == G_N_ELEMENTS (vgpu_formats) || width == 0 || width > VMM_SURFACE_MAX || height == 0 || height > VMM_SURFACE_MAX)
    return VGPU_ERR_INVALID_PARAMETER;
  cost = (guint64) width * height * 4 + sizeof *resource;
  if (g_hash_table_size (gpu->resources) >= VGPU_MAX_RESOURCES || cost > gpu->memory_limit - gpu->memory_used)
    return VGPU_ERR_OUT_OF_MEMORY;
  surface = vgpu_surface_new (gpu, width, height);
  if (surface == NULL)
    return VGPU_ERR_OUT_OF_MEMORY;

  resource = g_new (VgpuResource, 1);
  *resource = (VgpuResource) { .id = id,
                               .width = width,
                               .height = height,
                               .order = vgpu_formats[i].order,
                               .alpha = vgpu_formats[i].alpha,
                               .surface = surface,
                               .cost = cost };
  gpu->memory_used += cost;
  gpu->n_memfds += surface->fd >= 0;
  g_hash_table_insert (gpu->resources, GUINT_TO_POINTER (id), resource);
  return VGPU_OK_NODATA;
}

static void
vgpu_resource_free (VmmVirtioGpu *gpu, VgpuResource *resource)
{
  vgpu_drop_pieces (gpu, resource);
  gpu->memory_used -= resource->cost;
  gpu->n_memfds -= resource->surface->fd >= 0;
  vmm_surface_unref (resource->surface);
  g_free (resource);
}

static void
vgpu_free_all (VmmVirtioGpu *gpu)
{
  GHashTableIter iter;
  gpointer resource;

  g_hash_table_iter_init (&iter, gpu->resources);
  while (g_hash_table_iter_next (&iter, NULL, &resource))
    vgpu_resource_free (gpu, resource);
  g_hash_table_remove_all (gpu->resources);
}

static guint32
vgpu_attach (VmmVirtioGpu *gpu, const VgpuAttachBacking *command, const VmmVirtioElement *element)
{
  VgpuResource *resource = vgpu_find (gpu, GUINT32_FROM_LE (command->resource_id));
  guint32 n_entries = GUINT32_FROM_LE (command->n_entries);
  gsize at = sizeof (VgpuHeader) + sizeof *command;
  VgpuBackingEntry entries[VGPU_ENTRIES_AT_ONCE];
  g_autofree VgpuPiece *pieces = NULL;
  guint n_pieces = 0;
  guint64 start = 0;

  if (resource == NULL)
    return VGPU_ERR_INVALID_RESOURCE_ID;
  if (resource->pieces != NULL)
    return VGPU_ERR_UNSPEC;
  if (n_entries == 0 || n_entries > VGPU_MAX_ENTRIES || element->out_bytes < at + (gsize) n_entries * sizeof *entries)
    return VGPU_ERR_INVALID_PARAMETER;
  if ((guint64) n_entries * sizeof *pieces > gpu->memory_limit - gpu->memory_used)
    return VGPU_ERR_OUT_OF_MEMORY;
  pieces = g_try_new (VgpuPiece, n_entries);
  if (pieces == NULL)
    return VGPU_ERR_OUT_OF_MEMORY;

  for (guint i = 0; i < n_entries; i++)
    {
      const VgpuBackingEntry *entry = &entries[i % VGPU_ENTRIES_AT_ONCE];
      guint8 *host;
      gsize size;

      if (i % VGPU_ENTRIES_AT_ONCE == 0)
        vmm_virtio_element_read (element, at + (gsize) i * sizeof *entries, entries,
                                 MIN (n_entries - i, VGPU_ENTRIES_AT_ONCE) * sizeof *entries);
      size = GUINT32_FROM_LE (entry->length);
      if (size == 0)
        continue;
      host = vmm_pci_dma_map (&gpu->virtio.pci, GUINT64_FROM_LE (entry->addr), size);
      if (host == NULL)
        {
          vmm_guest_error (&gpu->virtio.pci.base, "memory of a resource lies outside RAM");
          return VGPU_ERR_INVALID_PARAMETER;
        }
      if (n_pieces > 0 && pieces[n_pieces - 1].host + pieces[n_pieces - 1].size == host)
        pieces[n_pieces - 1].size += size;
      else
        pieces[n_pieces++] = (VgpuPiece) { start, host, size };
      start += size;
    }
  if (n_pieces == 0)
    return VGPU_ERR_INVALID_PARAMETER;

  resource->pieces = g_renew (VgpuPiece, g_steal_pointer (&pieces), n_pieces);
  resource->n_pieces = n_pieces;
  resource->cost += (guint64) n_pieces * sizeof *pieces;
  gpu->memory_used += (guint64) n_pieces * sizeof *pieces;
  return VGPU_OK_NODATA;
}

static guint32
vgpu_detach (VmmVirtioGpu *gpu, guint32 id)
{
  VgpuResource *resource = vgpu_find (gpu, id);

  if (resource == NULL)
    return VGPU_ERR_INVALID_RESOURCE_ID;
  vgpu_drop_pieces (gpu, resource);
  return VGPU_OK_NODATA;
}

/* Transfers */

static gboolean
vgpu_rect_fits (const VgpuRect *rect, guint32 width, guint32 height)
{
  return rect->width > 0 && rect->height > 0 && (guint64) rect->x + rect->width <= width
         && (guint64) rect->y + rect->height <= height;
}

static VgpuRect
vgpu_rect_from_le (const VgpuRect *wire)
{
  return (VgpuRect) { GUINT32_FROM_LE (wire->x), GUINT32_FROM_LE (wire->y), GUINT32_FROM_LE (wire->width),
                      GUINT32_FROM_LE (wire->height) };
}

/* Copies [@from, @from + @size) of the resource's memory; where it ends the pixels stay. @piece: where to look first; goes along. */
static void
vgpu_copy (const VgpuResource *resource, guint *piece, guint64 from, guint8 *to, gsize size)
{
  for (guint i = *piece; i < resource->n_pieces && size > 0; i++)
    {
      const VgpuPiece *at = &resource->pieces[i];
      gsize skip, n;

      if (from >= at->start + at->size)
        continue;
      *piece = i;
      skip = (gsize) (from - at->start);
      n = MIN (at->size - skip, size);
      memcpy (to, at->host + skip, n);
      to += n;
      from += n;
      size -= n;
    }
}

static void
vgpu_reorder (guint32 *pixels, gsize n, VgpuOrder order)
{
  switch (order)
    {
    case VGPU_BGRA:
      for (gsize i = 0; i < n; i++)
        pixels[i] = GUINT32_SWAP_LE_BE (pixels[i]);
      break;
    case VGPU_ABGR:
      for (gsize i = 0; i < n; i++)
        pixels[i] = (pixels[i] & 0xff00ff00u) | (pixels[i] >> 16 & 0xff) | (pixels[i] & 0xff) << 16;
      break;
    case VGPU_RGBA:
      for (gsize i = 0; i < n; i++)
        pixels[i] = pixels[i] >> 8 | pixels[i] << 24;
      break;
    case VGPU_NATIVE:
    default:
      break;
    }
}

static guint32
vgpu_transfer (VmmVirtioGpu *gpu, const VgpuTransfer *command)
{
  VgpuResource *resource = vgpu_find (gpu, GUINT32_FROM_LE (command->resource_id));
  VgpuRect rect = vgpu_rect_from_le (&command->rect);
  guint64 from = GUINT64_FROM_LE (command->offset);
  gsize stride, bytes;
  guint piece = 0;
  guint8 *to;

  if (resource == NULL || resource->pieces == NULL)
    return VGPU_ERR_INVALID_RESOURCE_ID;
  if (!vgpu_rect_fits (&rect, resource->width, resource->height) || from > G_MAXINT64)
    return VGPU_ERR_INVALID_PARAMETER;

  stride = resource->surface->stride;
  bytes = (gsize) rect.width * 4;
  to = resource->surface->pixels + rect.y * stride + (gsize) rect.x * 4;
  if (bytes == stride)
    {
      bytes *= rect.height;
      rect.height = 1;
    }
  for (guint32 i = 0; i < rect.height; i++, from += stride, to += stride)
    {
      vgpu_copy (resource, &piece, from, to, bytes);
      if (resource->order != VGPU_NATIVE)
        vgpu_reorder ((guint32 *) (gpointer) to, bytes / 4, resource->order);
    }
  return VGPU_OK_NODATA;
}

/* Outputs */

/* Does this output show the VGA? */
static gboolean
vgpu_is_vga (VmmVirtioGpu *gpu, guint head)
{
  return head == 0 && gpu->has_vga && !gpu->saved.vga_hidden;
}

static void
vgpu_show_dark (VmmVirtioGpu *gpu, guint head)
{
  VmmSurface *surface;
  g_autoptr (GError) error = NULL;

  gpu->saved.gpu.scanout[head].resource_id = 0;
  if (vgpu_is_vga (gpu, head))
    return;
  vmm_console_set_used (gpu->consoles[head], FALSE);
  if (gpu->dark[head])
    return;
  surface = vmm_surface_new (VGPU_DARK_WIDTH, VGPU_DARK_HEIGHT, &error);
  if (surface == NULL)
    {
      vmm_log_warning (gpu->virtio.pci.base.machine, &gpu->virtio.pci.base, "%s", error->message);
      return; /* the last picture stays */
    }
  vmm_console_set_surface (gpu->consoles[head], surface);
  gpu->dark[head] = TRUE;
}

static guint32
vgpu_set_scanout (VmmVirtioGpu *gpu, const VgpuSetScanout *command)
{
  guint32 head = GUINT32_FROM_LE (command->scanout_id), id = GUINT32_FROM_LE (command->resource_id);
  VgpuRect rect = vgpu_rect_from_le (&command->rect);
  VgpuResource *resource;
  VgpuScanoutRegs *scanout;
  VmmSurface *surface;

  if (head >= gpu->n_heads)
    return VGPU_ERR_INVALID_SCANOUT_ID;
  if (id == 0)
    {
      vgpu_show_dark (gpu, head);
      return VGPU_OK_NODATA;
    }
  resource = vgpu_find (gpu, id);
  if (resource == NULL)
    return VGPU_ERR_INVALID_RESOURCE_ID;
  if (!vgpu_rect_fits (&rect, resource->width, resource->height))
    return VGPU_ERR_INVALID_PARAMETER;

  scanout = &gpu->saved.gpu.scanout[head];
  if (scanout->resource_id == id && memcmp (&scanout->rect, &rect, sizeof rect) == 0)
    return VGPU_OK_NODATA;
  surface = vmm_surface_ref (resource->surface);
  if (rect.width != resource->width || rect.height != resource->height)
    {
      gsize offset = rect.y * surface->stride + (gsize) rect.x * 4;

      surface = vmm_surface_new_for_memory ((int) rect.width, (int) rect.height, surface->stride, surface->pixels + offset,
                                            surface->fd, offset, (GDestroyNotify) (void (*) (void)) vmm_surface_unref, surface);
    }
  scanout->resource_id = id;
  scanout->rect = rect;
  gpu->dark[head] = FALSE;
  if (vgpu_is_vga (gpu, head))
    {
      gpu->saved.vga_hidden = TRUE;
      vmm_vga_set_watched (&gpu->vga, FALSE); /* nobody sees it */
    }
  vmm_console_set_used (gpu->consoles[head], TRUE);
  vmm_console_set_surface (gpu->consoles[head], surface);
  return VGPU_OK_NODATA;
}

static guint32
vgpu_unref (VmmVirtioGpu *gpu, guint32 id)
{
  VgpuResource *resource = vgpu_find (gpu, id);

  if (resource == NULL)
    return VGPU_ERR_INVALID_RESOURCE_ID;
  for (guint i = 0; i < gpu->n_heads; i++)
    if (gpu->saved.gpu.scanout[i].resource_id == id)
      vgpu_show_dark (gpu, i);
  g_hash_table_remove (gpu->resources, GUINT_TO_POINTER (id));
  vgpu_resource_free (gpu, resource);
  return VGPU_OK_NODATA;
}

static guint32
vgpu_flush (VmmVirtioGpu *gpu, const VgpuFlush *command)
{
  VgpuResource *resource = vgpu_find (gpu, GUINT32_FROM_LE (command->resource_id));
  VgpuRect rect = vgpu_rect_from_le (&command->rect);

  if (resource == NULL)
    return VGPU_ERR_INVALID_RESOURCE_ID;
  if (!vgpu_rect_fits (&rect, resource->width, resource->height))
    return VGPU_ERR_INVALID_PARAMETER;
  for (guint i = 0; i < gpu->n_heads; i++)
    if (gpu->saved.gpu.scanout[i].resource_id == resource->id)
      {
        /* The console cuts off what lies outside the output. */
        const VgpuRect *shown = &gpu->saved.gpu.scanout[i].rect;

        vmm_console_damage (gpu->consoles[i], (int) rect.x - (int) shown->x, (int) rect.y - (int) shown->y, (int) rect.width,
                            (int) rect.height);
      }
  return VGPU_OK_NODATA;
}

/* Answers */

static void
vgpu_get_display_info (VmmVirtioGpu *gpu, VgpuDisplayOne *ret)
{
  guint32 x = 0;

  for (guint i = 0; i < gpu->n_heads; i++)
    {
      const VgpuScanoutRegs *scanout = &gpu->saved.gpu.scanout[i];

      ret[i] = (VgpuDisplayOne) { .rect = { GUINT32_TO_LE (x), 0, GUINT32_TO_LE (scanout->wanted_width),
                                            GUINT32_TO_LE (scanout->wanted_height) },
                                  .enabled = GUINT32_TO_LE (1) };
      x += scanout->wanted_width;
    }
}

static guint32
vgpu_get_edid (VmmVirtioGpu *gpu, guint32 head, VgpuEdid *ret)
{
  if (head >= gpu->n_heads)
    return VGPU_ERR_INVALID_SCANOUT_ID;
  ret->size = GUINT32_TO_LE (128);
  vmm_edid_make ((int) gpu->saved.gpu.scanout[head].wanted_width, (int) gpu->saved.gpu.scanout[head].wanted_height, head + 1,
                 ret->edid);
  return VGPU_OK_EDID;
}

/* The body of a command, as far as it was given; FALSE: it was not. */
static gboolean
vgpu_read_body (const VmmVirtioElement *element, gpointer body, gsize size)
{
  return vmm_virtio_element_read (element, sizeof (VgpuHeader), body, size) == size;
}

/* Carries one command out. Returns: bytes of the answer. */
static gsize
vgpu_command (VmmVirtioGpu *gpu, const VmmVirtioElement *element)
{
  VgpuHeader header;
  struct {
    VgpuHeader header;
    union {
      VgpuDisplayOne display[VGPU_MAX_SCANOUTS];
      VgpuEdid edid;
    };
  } answer = { 0 };
  union {
    VgpuCreate2d create;
    VgpuSetScanout scanout;
    VgpuFlush flush;
    VgpuTransfer transfer;
    VgpuAttachBacking attach;
    guint32 id[2];
  } body;
  gsize size = sizeof answer.header;
  guint32 type = VGPU_ERR_UNSPEC;

  if (vmm_virtio_element_read (element, 0, &header, sizeof header) != sizeof header)
    {
      vmm_guest_error (&gpu->virtio.pci.base, "a command of %zu bytes", element->out_bytes);
      memset (&header, 0, sizeof header);
    }
  switch (GUINT32_FROM_LE (header.type))
    {
    case VGPU_CMD_GET_DISPLAY_INFO:
      vgpu_get_display_info (gpu, answer.display);
      size += sizeof answer.display;
      type = VGPU_OK_DISPLAY_INFO;
      break;
    case VGPU_CMD_GET_EDID:
      if (vmm_virtio_has_feature (&gpu->virtio, VGPU_F_EDID) && vgpu_read_body (element, body.id, sizeof body.id))
        type = vgpu_get_edid (gpu, GUINT32_FROM_LE (body.id[0]), &answer.edid);
      if (type == VGPU_OK_EDID)
        size += sizeof answer.edid;
      break;
    case VGPU_CMD_RESOURCE_CREATE_2D:
      if (vgpu_read_body (element, &body.create, sizeof body.create))
        type = vgpu_create (gpu, &body.create);
      break;
    case VGPU_CMD_RESOURCE_UNREF:
      if (vgpu_read_body (element, body.id, sizeof body.id))
        type = vgpu_unref (gpu, GUINT32_FROM_LE (body.id[0]));
      break;
    case VGPU_CMD_SET_SCANOUT:
      if (vgpu_read_body (element, &body.scanout, sizeof body.scanout))
        type = vgpu_set_scanout (gpu, &body.scanout);
      break;
    case VGPU_CMD_RESOURCE_FLUSH:
      if (vgpu_read_body (element, &body.flush, sizeof body.flush))
        type = vgpu_flush (gpu, &body.flush);
      break;
    case VGPU_CMD_TRANSFER_TO_HOST_2D:
      if (vgpu_read_body (element, &body.transfer, sizeof body.transfer))
        type = vgpu_transfer (gpu, &body.transfer);
      break;
    case VGPU_CMD_RESOURCE_ATTACH_BACKING:
      if (vgpu_read_body (element, &body.attach, sizeof body.attach))
        type = vgpu_attach (gpu, &body.attach, element);
      break;
    case VGPU_CMD_RESOURCE_DETACH_BACKING:
      if (vgpu_read_body (element, body.id, sizeof body.id))
        type = vgpu_detach (gpu, GUINT32_FROM_LE (body.id[0]));
      break;
    default:
      break;
    }
  if (type >= VGPU_ERR_UNSPEC)
    vmm_guest_error (&gpu->virtio.pci.base, "command %x failed with %x", GUINT32_FROM_LE (header.type), type);

  answer.header.type = GUINT32_TO_LE (type);
  if (header.flags & GUINT32_TO_LE (VGPU_FLAG_FENCE))
    {
      answer.header.flags = GUINT32_TO_LE (VGPU_FLAG_FENCE);
      answer.header.fence_id = header.fence_id;
      answer.header.ctx_id = header.ctx_id;
    }
  return vmm_virtio_element_write (element, 0, &answer, size);
}

/* The pointer */

/* (nullable) */
static VmmCursor *
vgpu_cursor_from (VmmVirtioGpu *gpu, guint32 resource_id, guint32 hot_x, guint32 hot_y)
{
  const VgpuResource *resource = vgpu_find (gpu, resource_id);
  VmmCursor *cursor;

  if (resource == NULL || resource->width > VMM_CURSOR_MAX || resource->height > VMM_CURSOR_MAX)
    return NULL;
  cursor = vmm_cursor_new ((int) resource->width, (int) resource->height, (int) MIN (hot_x, VMM_CURSOR_MAX),
                           (int) MIN (hot_y, VMM_CURSOR_MAX));
  if (cursor == NULL)
    return NULL;
  memcpy (cursor->pixels, resource->surface->pixels, (gsize) resource->width * resource->height * 4);
  if (!resource->alpha)
    for (guint i = 0; i < resource->width * resource->height; i++)
      cursor->pixels[i] |= 0xff000000u;
  return cursor;
}

static void
vgpu_cursor_command (VmmVirtioGpu *gpu, const VmmVirtioElement *element)
{
  VgpuHeader header;
  VgpuUpdateCursor command;
  guint32 head, resource_id;
  VmmCursor *cursor = NULL;
  int x, y;

  if (vmm_virtio_element_read (element, 0, &header, sizeof header) != sizeof header
      || !vgpu_read_body (element, &command, sizeof command))
    {
      vmm_guest_error (&gpu->virtio.pci.base, "a pointer command of %zu bytes", element->out_bytes);
      return;
    }
  head = GUINT32_FROM_LE (command.scanout_id);
  x = (gint32) GUINT32_FROM_LE (command.x);
  y = (gint32) GUINT32_FROM_LE (command.y);
  if (head >= gpu->n_heads)
    {
      vmm_guest_error (&gpu->virtio.pci.base, "no output %u for the pointer", head);
      return;
    }
  switch (GUINT32_FROM_LE (header.type))
    {
    case VGPU_CMD_UPDATE_CURSOR:
      resource_id = GUINT32_FROM_LE (command.resource_id);
      if (resource_id != 0)
        {
          cursor = vgpu_cursor_from (gpu, resource_id, GUINT32_FROM_LE (command.hot_x), GUINT32_FROM_LE (command.hot_y));
          if (cursor == NULL)
            vmm_guest_error (&gpu->virtio.pci.base, "resource %u cannot be a pointer", resource_id);
        }
      vmm_console_set_cursor (gpu->consoles[head], cursor, x, y);
      break;
    case VGPU_CMD_MOVE_CURSOR:
      vmm_console_move_cursor (gpu->consoles[head], x, y);
      break;
    default:
      vmm_guest_error (&gpu->virtio.pci.base, "pointer command %x", GUINT32_FROM_LE (header.type));
      break;
    }
}

static void
vgpu_handle_queue (VmmVirtio *virtio, guint index)
{
  VmmVirtioGpu *gpu = (VmmVirtioGpu *) virtio;
  VmmVirtqueue *queue = vmm_virtio_get_queue (virtio, index);
  VmmVirtioElement element = { 0 };
  gboolean any = FALSE;

  while (vmm_virtqueue_pop (queue, &element))
    {
      gsize written = 0;

      if (index == VGPU_CONTROL)
        written = vgpu_command (gpu, &element);
      else
        vgpu_cursor_command (gpu, &element);
      vmm_virtqueue_push (queue, &element, (guint32) written);
      any = TRUE;
    }
  if (any)
    vmm_virtqueue_notify (queue);
  vmm_virtio_element_clear (&element);
}

/* The driver clears events by writing 1 (§5.7.4); events_clear itself reads 0. */
static void
vgpu_config_written (VmmVirtio *virtio, guint offset, guint size)
{
  guint64 clear = vmm_virtio_config_get (virtio, VGPU_EVENTS_CLEAR, 4);

  vmm_virtio_config_put (virtio, VGPU_EVENTS_READ, 4, vmm_virtio_config_get (virtio, VGPU_EVENTS_READ, 4) & ~clear);
  vmm_virtio_config_put (virtio, VGPU_EVENTS_CLEAR, 4, 0);
}

static void
vgpu_reset (VmmVirtio *virtio)
{
  VmmVirtioGpu *gpu = (VmmVirtioGpu *) virtio;

  if (gpu->saved.vga_hidden)
    {
      gpu->saved.vga_hidden = FALSE;
      gpu->dark[0] = FALSE;
      vmm_console_set_used (gpu->consoles[0], TRUE);
      vmm_vga_show_again (&gpu->vga);
    }
  for (guint i = 0; i < gpu->n_heads; i++)
    {
      vgpu_show_dark (gpu, i);
      memset (&gpu->saved.gpu.scanout[i].rect, 0, sizeof gpu->saved.gpu.scanout[i].rect);
      vmm_console_set_cursor (gpu->consoles[i], NULL, 0, 0);
    }
  vgpu_free_all (gpu);
  vmm_virtio_config_put (virtio, VGPU_EVENTS_READ, 4, 0);
  vmm_virtio_config_put (virtio, VGPU_EVENTS_CLEAR, 4, 0);
  vmm_virtio_config_put (virtio, VGPU_NUM_SCANOUTS, 4, gpu->n_heads);
}

static const VmmVirtioOps vgpu_ops = { .handle_queue = vgpu_handle_queue,
                                       .config_written = vgpu_config_written,
                                       .reset = vgpu_reset };

/* The viewer's side */

static void
vgpu_update (VmmDevice *dev, VmmConsole *console)
{
  VmmVirtioGpu *gpu = (VmmVirtioGpu *) dev;

  if (console == gpu->consoles[0] && vgpu_is_vga (gpu, 0))
    vmm_vga_update (&gpu->vga);
  /* else commands have done everything */
}

static void
vgpu_set_watched (VmmDevice *dev, VmmConsole *console, gboolean watched)
{
  VmmVirtioGpu *gpu = (VmmVirtioGpu *) dev;

  if (console == gpu->consoles[0] && gpu->has_vga)
    vmm_vga_set_watched (&gpu->vga, watched);
}

static gboolean
vgpu_text (VmmDevice *dev, GString *text)
{
  VmmVirtioGpu *gpu = (VmmVirtioGpu *) dev;

  return vgpu_is_vga (gpu, 0) && vmm_vga_text_dump (&gpu->vga, text);
}

static void
vgpu_request_size (VmmDevice *dev, VmmConsole *console, int width, int height)
{
  VmmVirtioGpu *gpu = (VmmVirtioGpu *) dev;
  guint head = 0;
  VgpuScanoutRegs *scanout;
  guint32 wanted_width = (guint32) CLAMP (width & ~7, VGPU_MIN_SIZE, VGPU_MAX_WIDTH);
  guint32 wanted_height = (guint32) CLAMP (height, VGPU_MIN_SIZE, VGPU_MAX_HEIGHT);

  while (head < gpu->n_heads && gpu->consoles[head] != console)
    head++;
  g_assert (head < gpu->n_heads);
  scanout = &gpu->saved.gpu.scanout[head];
  if (scanout->wanted_width == wanted_width && scanout->wanted_height == wanted_height)
    return;
  scanout->wanted_width = wanted_width;
  scanout->wanted_height = wanted_height;
  if (!vmm_virtio_is_live (&gpu->virtio))
    return; /* the driver will ask */
  vmm_virtio_config_put (&gpu->virtio, VGPU_EVENTS_READ, 4, VGPU_EVENT_DISPLAY);
  vmm_virtio_config_changed (&gpu->virtio);
}

static const VmmConsoleOps vgpu_console_ops = { .update = vgpu_update,
                                                .set_watched = vgpu_set_watched,
                                                .request_size = vgpu_request_size };
/* Of the first output where there is a VGA */
static const VmmConsoleOps vgpu_vga_console_ops = { .update = vgpu_update,
                                                    .set_watched = vgpu_set_watched,
                                                    .text = vgpu_text,
                                                    .request_size = vgpu_request_size };

static void
vgpu_unrealize (VmmDevice *dev)
{
  VmmVirtioGpu *gpu = (VmmVirtioGpu *) dev;

  vmm_virtio_stop (&gpu->virtio);
  for (guint i = 0; i < gpu->n_heads; i++)
    g_clear_pointer (&gpu->consoles[i], vmm_console_free);
  vgpu_free_all (gpu);
  g_clear_pointer (&gpu->resources, g_hash_table_unref);
  vmm_virtio_clear (&gpu->virtio);
  if (gpu->has_vga)
    vmm_vga_unrealize (&gpu->vga);
}

static gboolean
vgpu_realize_vga (VmmVirtioGpu *gpu, GError **error)
{
  VmmDevice *dev = &gpu->virtio.pci.base;
  VmmVgaParams params = { .pci = &gpu->virtio.pci,
                          .regs = &gpu->saved.vga,
                          .memory = VGPU_VGA_MEMORY,
                          .width = (int) vmm_device_get_int (dev, "width"),
                          .height = (int) vmm_device_get_int (dev, "height"),
                          .rom = VGPU_VGA_ROM };

  gpu->has_vga = vmm_vga_realize (&gpu->vga, &params, error);
  return gpu->has_vga;
}

static gboolean
vgpu_realize_any (VmmVirtioGpu *gpu, gboolean vga, GError **error)
{
  VmmDevice *dev = &gpu->virtio.pci.base;
  VmmPciBus *pci_bus = vmm_device_get_pci_bus (dev);
  VmmVirtioParams params = { .device_id = VMM_VIRTIO_ID_GPU,
                             .pci_class = vga ? 0x030000 : 0x038000,
                             .devfn = vga && vmm_pci_bus_get_device (pci_bus, VMM_VGA_DEVFN) == NULL ? (int) VMM_VGA_DEVFN : -1,
                             .n_queues = VGPU_N_QUEUES,
                             .queue_size = VGPU_QUEUE_SIZE,
                             .features = VMM_VIRTIO_F (VGPU_F_EDID),
                             .config_size = VGPU_CONFIG_SIZE };

  if (!vmm_virtio_init (&gpu->virtio, &vgpu_ops, &params, error))
    return FALSE;
  if (vga && !vgpu_realize_vga (gpu, error))
    {
      vmm_virtio_clear (&gpu->virtio);
      return FALSE;
    }
  memset (gpu->virtio.config_mask + VGPU_EVENTS_CLEAR, 0xff, 4);
  gpu->memory_limit = g_ascii_strtoull (vmm_device_get_string (dev, "memory"), NULL, 10) << 20;
  gpu->resources = g_hash_table_new (NULL, NULL);
  gpu->n_heads = (guint) vmm_device_get_int (dev, "heads");
  for (guint i = 0; i < gpu->n_heads; i++)
    {
      gpu->consoles[i] = vmm_console_new (dev, vga && i == 0 ? &vgpu_vga_console_ops : &vgpu_console_ops);
      gpu->saved.gpu.scanout[i].wanted_width = (guint32) vmm_device_get_int (dev, "width") & ~7u;
      gpu->saved.gpu.scanout[i].wanted_height = (guint32) vmm_device_get_int (dev, "height");
    }
  gpu->vga.console = gpu->consoles[0];
  return TRUE;
}

static gboolean
vgpu_realize (VmmDevice *dev, GError **error)
{
  return vgpu_realize_any ((VmmVirtioGpu *) dev, FALSE, error);
}

static gboolean
vgpu_vga_realize (VmmDevice *dev, GError **error)
{
  return vgpu_realize_any ((VmmVirtioGpu *) dev, TRUE, error);
}

static void
vgpu_vga_reset (VmmDevice *dev, VmmResetKind kind)
{
  vmm_virtio_reset (dev, kind);
  vmm_vga_reset (&((VmmVirtioGpu *) dev)->vga, kind);
}

/* Resources are not in the saved state: outputs are dark until the driver draws anew. */
static gboolean
vgpu_post_load (VmmDevice *dev, GError **error)
{
  VmmVirtioGpu *gpu = (VmmVirtioGpu *) dev;

  vgpu_free_all (gpu);
  for (guint i = 0; i < gpu->n_heads; i++)
    {
      VgpuScanoutRegs *scanout = &gpu->saved.gpu.scanout[i];

      scanout->wanted_width = CLAMP (scanout->wanted_width & ~7u, VGPU_MIN_SIZE, VGPU_MAX_WIDTH);
      scanout->wanted_height = CLAMP (scanout->wanted_height, VGPU_MIN_SIZE, VGPU_MAX_HEIGHT);
      vgpu_show_dark (gpu, i);
    }
  if (gpu->has_vga)
    {
      vmm_vga_post_load (&gpu->vga);
      if (!gpu->saved.vga_hidden)
        {
          gpu->dark[0] = FALSE;
          vmm_vga_show_again (&gpu->vga);
        }
    }
  return vmm_virtio_post_load (dev, error);
}

const VmmDeviceClass vmm_virtio_gpu_class = {
  .name = "virtio-gpu",
  .summary = N_ ("Graphics adapter (virtio)"),
  .description
  = N_ ("One to four screens that follow their windows, for systems with virtio drivers; dark until the driver is there."),
  .bus = VMM_DEVICE_PCI,
  .user_creatable = TRUE,
  .instance_size = sizeof (VmmVirtioGpu),
  .settings = vgpu_settings,
  .regs_offset = G_STRUCT_OFFSET (VmmVirtioGpu, saved.gpu),
  .regs_size = sizeof (VmmVirtioGpuRegs),
  .regs_fields = vgpu_fields,
  .state_version = 1,
  .realize = vgpu_realize,
  .reset = vmm_virtio_reset,
  .quiesce = vmm_virtio_quiesce,
  .resume = vmm_virtio_resume,
  .unrealize = vgpu_unrealize,
  .post_load = vgpu_post_load,
};

const VmmDeviceClass vmm_virtio_vga_class = {
  .name = "virtio-vga",
  .summary = N_ ("Graphics adapter with VGA (virtio)"),
  .description = N_ ("As the one without VGA, and every system can draw on its first screen."),
  .bus = VMM_DEVICE_PCI,
  .user_creatable = TRUE,
  .instance_size = sizeof (VmmVirtioGpu),
  .settings = vgpu_vga_settings,
  .regs_offset = G_STRUCT_OFFSET (VmmVirtioGpu, saved),
  .regs_size = sizeof (VmmVirtioVgaRegs),
  .regs_fields = vgpu_vga_fields,
  .state_version = 1,
  .realize = vgpu_vga_realize,
  .reset = vgpu_vga_reset,
  .quiesce = vmm_virtio_quiesce,
  .resume = vmm_virtio_resume,
  .unrealize = vgpu_unrealize,
  .post_load = vgpu_post_load,
};
