/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fw_cfg: what the firmware asks the machine about: numbers by key, files by name.
 * Spec: QEMU's docs/specs/fw_cfg (I/O port interface with DMA, revision 2 of the directory). Left out: writing through the data port.
 *
 * Theory of operation: 510 selects an item (16 bits), 511 reads it byte by byte; 514/518 take the big-endian address of a descriptor
 * {control, length, address} in RAM and carry it out at once. Files have keys from 20 in the order of their names; the directory (19) is
 * put together at the first selection after something was added. A made file's size is fixed, its content is made when the guest first
 * selects it after a reset: firmware reads all sizes long before it asks for the content. All calls take the device's lock, the makers
 * run under it. */
#include "chipset/fw-cfg.h"

#include "core/bus.h"
#include "core/device.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/memory.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define FWC_PORT 0x510
#define FWC_DMA_PORT 0x514
#define FWC_DATA 1 /* 511 */

#define FWC_KEY_SIGNATURE 0x0000
#define FWC_KEY_ID 0x0001
#define FWC_KEY_DIRECTORY 0x0019
#define FWC_KEY_FIRST_FILE 0x0020
#define FWC_KEY_WRITE_MODE 0x4000 /* bit of the selector without meaning since QEMU 2.4 */
#define FWC_ID_PIO_AND_DMA 3

#define FWC_NAME_SIZE 56
#define FWC_MAX_FILES 512
#define FWC_MAX_OFFSET G_MAXUINT32

#define FWC_DMA_ERROR 0x01
#define FWC_DMA_READ 0x02
#define FWC_DMA_SKIP 0x04
#define FWC_DMA_SELECT 0x08
#define FWC_DMA_WRITE 0x10

typedef struct {
  guint32 control;
  guint32 length;
  guint64 address;
} FwcDescriptor; /* big-endian */
G_STATIC_ASSERT (sizeof (FwcDescriptor) == 16);

typedef struct {
  guint32 size;
  guint16 key;
  guint16 reserved;
  char name[FWC_NAME_SIZE];
} FwcEntry; /* big-endian */
G_STATIC_ASSERT (sizeof (FwcEntry) == 64);

typedef struct {
  char *name;    /* (nullable): a file */
  GBytes *bytes; /* (nullable) (owned): content, or what make gave since the last reset */
  gsize size;    /* as the guest sees it; zeros after the content */
  VmmFwCfgMake make;
  gpointer data;
  guint8 *writable; /* (nullable) (owned): the content instead of bytes */
  int fd;           /* or -1: the content, from fd_offset on, instead of bytes */
  guint64 fd_offset;
  gboolean told; /* that its file cannot be read: once, because a guest may ask for ever */
} FwcItem;

typedef struct {
  int index;
  char *path;
} FwcBootPath;

typedef struct {
  guint16 key;
  guint16 padding;
  guint32 dma_high;
  guint64 offset;
} FwcRegs;

struct _VmmFwCfg {
  VmmDevice base;
  FwcRegs regs;
  GHashTable *items;  /* key -> FwcItem (owned) */
  GPtrArray *files;   /* FwcItem (owned), sorted once assembled */
  GArray *boot_paths; /* FwcBootPath */
  gboolean stale;     /* files or boot paths were added since the directory was put together */
  FwcItem *directory; /* (owned) */
  VmmRegion ports;
  VmmRegion dma_ports;
};

static const VmmField fwc_fields[] = {
  VMM_FIELD (FwcRegs, key),
  VMM_FIELD_NOT_SAVED (FwcRegs, padding, "alignment"),
  VMM_FIELD (FwcRegs, dma_high),
  VMM_FIELD_MAX (FwcRegs, offset, FWC_MAX_OFFSET),
  VMM_FIELD_END,
};

/* Items */

static void
fwc_item_free (gpointer data)
{
  FwcItem *item = data;

  if (item == NULL)
    return;
  g_free (item->name);
  g_clear_pointer (&item->bytes, g_bytes_unref);
  g_free (item->writable);
  if (item->fd >= 0)
    close (item->fd);
  g_free (item);
}

static FwcItem *
fwc_item_new (const char *name, GBytes *bytes)
{
  FwcItem *item = g_new0 (FwcItem, 1);

  item->name = g_strdup (name);
  item->fd = -1;
  if (bytes != NULL)
    {
      item->bytes = g_bytes_ref (bytes);
      item->size = g_bytes_get_size (bytes);
    }
  return item;
}

static int
fwc_compare_files (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(FwcItem *const *) a)->name, (*(FwcItem *const *) b)->name);
}

static int
fwc_compare_boot_paths (gconstpointer a, gconstpointer b)
{
  const FwcBootPath *one = a, *other = b;

  return one->index < other->index ? -1 : one->index > other->index;
}

static void
fwc_put_file (VmmFwCfg *fw_cfg, FwcItem *item)
{
  g_assert (strlen (item->name) < FWC_NAME_SIZE);
  for (guint i = 0; i < fw_cfg->files->len; i++)
    if (g_strcmp0 (((FwcItem *) fw_cfg->files->pdata[i])->name, item->name) == 0)
      g_ptr_array_remove_index (fw_cfg->files, i--);
  g_assert (fw_cfg->files->len < FWC_MAX_FILES);
  g_ptr_array_add (fw_cfg->files, item);
  fw_cfg->stale = TRUE;
}

static void
fwc_assemble (VmmFwCfg *fw_cfg)
{
  g_autoptr (GByteArray) directory = g_byte_array_new ();
  g_autoptr (GBytes) bytes = NULL;
  guint32 count;

  if (fw_cfg->boot_paths->len > 0)
    {
      g_autoptr (GString) order = g_string_new (NULL);
      g_autoptr (GBytes) content = NULL;

      g_array_sort (fw_cfg->boot_paths, fwc_compare_boot_paths); /* stable */
      for (guint i = 0; i < fw_cfg->boot_paths->len; i++)
        g_string_append_printf (order, "%s%s", i > 0 ? "\n" : "", g_array_index (fw_cfg->boot_paths, FwcBootPath, i).path);
      content = g_bytes_new (order->str, order->len + 1);
      fwc_put_file (fw_cfg, fwc_item_new ("bootorder", content));
    }
  g_ptr_array_sort (fw_cfg->files, fwc_compare_files);
  count = GUINT32_TO_BE (fw_cfg->files->len);
  g_byte_array_append (directory, (const guint8 *) &count, sizeof count);
  for (guint i = 0; i < fw_cfg->files->len; i++)
    {
      const FwcItem *file = fw_cfg->files->pdata[i];
      FwcEntry entry = { .size = GUINT32_TO_BE ((guint32) file->size), .key = GUINT16_TO_BE ((guint16) (FWC_KEY_FIRST_FILE + i)) };

      g_strlcpy (entry.name, file->name, sizeof entry.name);
      g_byte_array_append (directory, (const guint8 *) &entry, sizeof entry);
    }
  bytes = g_bytes_new (directory->data, directory->len);
  fwc_item_free (fw_cfg->directory);
  fw_cfg->directory = fwc_item_new (NULL, bytes);
  fw_cfg->stale = FALSE;
}

static FwcItem *
fwc_get_selected (VmmFwCfg *fw_cfg)
{
  guint key = fw_cfg->regs.key;

  if (fw_cfg->stale)
    fwc_assemble (fw_cfg);
  if (key == FWC_KEY_DIRECTORY)
    return fw_cfg->directory;
  if (key >= FWC_KEY_FIRST_FILE && key - FWC_KEY_FIRST_FILE < fw_cfg->files->len)
    return fw_cfg->files->pdata[key - FWC_KEY_FIRST_FILE];
  return g_hash_table_lookup (fw_cfg->items, GUINT_TO_POINTER (key));
}

static void
fwc_select (VmmFwCfg *fw_cfg, guint16 key)
{
  FwcItem *item;

  fw_cfg->regs.key = key & (guint16) ~FWC_KEY_WRITE_MODE;
  fw_cfg->regs.offset = 0;
  item = fwc_get_selected (fw_cfg);
  if (item != NULL && item->make != NULL && item->bytes == NULL)
    {
      item->bytes = item->make (item->data);
      g_assert (g_bytes_get_size (item->bytes) <= item->size);
    }
}

/* Content from the present offset on: @ret_len bytes there, then zeros. */
static const guint8 *
fwc_get_content (VmmFwCfg *fw_cfg, gsize *ret_len)
{
  const FwcItem *item = fwc_get_selected (fw_cfg);
  const guint8 *content = NULL;
  gsize size = 0;

  if (item != NULL && item->writable != NULL)
    {
      content = item->writable;
      size = item->size;
    }
  else if (item != NULL && item->bytes != NULL)
    content = g_bytes_get_data (item->bytes, &size);
  if (fw_cfg->regs.offset >= size)
    {
      *ret_len = 0;
      return NULL;
    }
  *ret_len = size - fw_cfg->regs.offset;
  return content + fw_cfg->regs.offset;
}

/* Reads content from the present offset on, then zeros. The only wait of a vCPU for a file: kernels, read once a boot, asked for by
 * a loader that has nothing else to do. */
static void
fwc_read (VmmFwCfg *fw_cfg, guint8 *target, gsize len)
{
  FwcItem *item = fwc_get_selected (fw_cfg);
  gsize got = 0;

  if (item != NULL && item->fd >= 0)
    {
      guint64 offset = fw_cfg->regs.offset;
      gsize wanted = offset < item->size ? MIN (len, item->size - offset) : 0;

      while (got < wanted)
        {
          gssize n = pread (item->fd, target + got, wanted - got, (off_t) (item->fd_offset + offset + got));

          if (n < 0 && errno == EINTR)
            continue;
          if (n <= 0)
            {
              if (!item->told)
                vmm_log_warning (fw_cfg->base.machine, &fw_cfg->base, "%s: %s", item->name,
                                 n < 0 ? g_strerror (errno) : "the file became shorter");
              item->told = TRUE;
              break;
            }
          got += (gsize) n;
        }
    }
  else
    {
      const guint8 *content = fwc_get_content (fw_cfg, &got);

      got = MIN (got, len);
      if (got > 0)
        memcpy (target, content, got);
    }
  memset (target + got, 0, len - got);
}

static void
fwc_advance (VmmFwCfg *fw_cfg, guint32 by)
{
  fw_cfg->regs.offset = MIN (fw_cfg->regs.offset + by, FWC_MAX_OFFSET);
}

/* Ports */

static guint64
fwc_port_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  VmmFwCfg *fw_cfg = (VmmFwCfg *) dev;
  guint8 byte;

  if (offset != FWC_DATA)
    return 0;
  fwc_read (fw_cfg, &byte, 1);
  fwc_advance (fw_cfg, 1);
  return byte;
}

static void
fwc_port_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  if (offset == 0 && size == 2)
    fwc_select ((VmmFwCfg *) dev, (guint16) value);
}

static const VmmRegionOps fwc_port_ops = { .name = "fw-cfg", .read = fwc_port_read, .write = fwc_port_write, .access_max = 2 };

/* DMA */

static gboolean
fwc_dma_transfer (VmmFwCfg *fw_cfg, guint32 control, guint64 address, guint32 length)
{
  VmmMemory *memory = vmm_device_get_memory (&fw_cfg->base);

  if ((control & FWC_DMA_READ) != 0 && length > 0)
    {
      guint8 *target = vmm_memory_map (memory, address, length);

      if (target == NULL)
        return FALSE;
      fwc_read (fw_cfg, target, length);
    }
  else if ((control & (FWC_DMA_READ | FWC_DMA_WRITE)) == FWC_DMA_WRITE)
    {
      FwcItem *item = fwc_get_selected (fw_cfg);
      guint64 offset = fw_cfg->regs.offset;

      if (item == NULL || item->writable == NULL || offset > item->size || length > item->size - offset)
        return FALSE;
      if (length > 0 && !vmm_memory_read (memory, address, item->writable + offset, length))
        return FALSE;
    }
  else if ((control & (FWC_DMA_READ | FWC_DMA_SKIP)) == 0)
    return TRUE;
  fwc_advance (fw_cfg, length);
  return TRUE;
}

static void
fwc_dma_run (VmmFwCfg *fw_cfg, guint64 gpa)
{
  VmmMemory *memory = vmm_device_get_memory (&fw_cfg->base);
  FwcDescriptor descriptor;
  guint32 control;
  gboolean ok;

  if (!vmm_memory_read (memory, gpa, &descriptor, sizeof descriptor))
    {
      vmm_guest_error (&fw_cfg->base, "descriptor at 0x%" G_GINT64_MODIFIER "x is not in RAM", gpa);
      return;
    }
  control = GUINT32_FROM_BE (descriptor.control);
  if ((control & FWC_DMA_SELECT) != 0)
    fwc_select (fw_cfg, (guint16) (control >> 16));
  ok = fwc_dma_transfer (fw_cfg, control, GUINT64_FROM_BE (descriptor.address), GUINT32_FROM_BE (descriptor.length));
  if (!ok)
    vmm_guest_error (&fw_cfg->base, "DMA of item %04x refused (control %08x)", fw_cfg->regs.key, control);
  vmm_memory_write_u32 (memory, gpa, GUINT32_TO_LE (GUINT32_TO_BE (ok ? 0 : FWC_DMA_ERROR)));
}

static guint64
fwc_dma_port_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  static const guint8 signature[8] = { 'Q', 'E', 'M', 'U', ' ', 'C', 'F', 'G' };
  guint64 value = 0;

  memcpy (&value, signature + offset, size);
  return GUINT64_FROM_LE (value);
}

static void
fwc_dma_port_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  VmmFwCfg *fw_cfg = (VmmFwCfg *) dev;
  guint64 gpa;

  if (size != 4)
    return;
  if (offset == 0)
    {
      fw_cfg->regs.dma_high = GUINT32_SWAP_LE_BE ((guint32) value);
      return;
    }
  gpa = (guint64) fw_cfg->regs.dma_high << 32 | GUINT32_SWAP_LE_BE ((guint32) value);
  fw_cfg->regs.dma_high = 0;
  fwc_dma_run (fw_cfg, gpa);
}

static const VmmRegionOps fwc_dma_port_ops = {
  .name = "fw-cfg-dma",
  .read = fwc_dma_port_read,
  .write = fwc_dma_port_write,
  .access_max = 4,
};

/* What the engine puts in */

void
vmm_fw_cfg_set_item_bytes (VmmFwCfg *fw_cfg, guint16 key, GBytes *bytes)
{
  vmm_device_lock (&fw_cfg->base);
  g_assert (key != FWC_KEY_DIRECTORY && (key < FWC_KEY_FIRST_FILE || key >= 0x8000) && (key & FWC_KEY_WRITE_MODE) == 0);
  g_hash_table_replace (fw_cfg->items, GUINT_TO_POINTER ((guint) key), fwc_item_new (NULL, bytes));
  vmm_device_unlock (&fw_cfg->base);
}

void
vmm_fw_cfg_set_item (VmmFwCfg *fw_cfg, guint16 key, gconstpointer data, gsize len)
{
  g_autoptr (GBytes) bytes = g_bytes_new (data, len);

  vmm_fw_cfg_set_item_bytes (fw_cfg, key, bytes);
}

void
vmm_fw_cfg_set_u16 (VmmFwCfg *fw_cfg, guint16 key, guint16 value)
{
  value = GUINT16_TO_LE (value);
  vmm_fw_cfg_set_item (fw_cfg, key, &value, sizeof value);
}

void
vmm_fw_cfg_set_u32 (VmmFwCfg *fw_cfg, guint16 key, guint32 value)
{
  value = GUINT32_TO_LE (value);
  vmm_fw_cfg_set_item (fw_cfg, key, &value, sizeof value);
}

void
vmm_fw_cfg_set_u64 (VmmFwCfg *fw_cfg, guint16 key, guint64 value)
{
  value = GUINT64_TO_LE (value);
  vmm_fw_cfg_set_item (fw_cfg, key, &value, sizeof value);
}

void
vmm_fw_cfg_add_file (VmmFwCfg *fw_cfg, const char *name, GBytes *bytes)
{
  vmm_device_lock (&fw_cfg->base);
  fwc_put_file (fw_cfg, fwc_item_new (name, bytes));
  vmm_device_unlock (&fw_cfg->base);
}

void
vmm_fw_cfg_add_made_file (VmmFwCfg *fw_cfg, const char *name, gsize size, VmmFwCfgMake make, gpointer data)
{
  FwcItem *item = fwc_item_new (name, NULL);

  item->size = size;
  item->make = make;
  item->data = data;
  vmm_device_lock (&fw_cfg->base);
  fwc_put_file (fw_cfg, item);
  vmm_device_unlock (&fw_cfg->base);
}

void
vmm_fw_cfg_add_fd_file (VmmFwCfg *fw_cfg, const char *name, int fd, guint64 fd_offset, gsize size)
{
  FwcItem *item = fwc_item_new (name, NULL);

  item->size = size;
  item->fd = fd;
  item->fd_offset = fd_offset;
  vmm_device_lock (&fw_cfg->base);
  fwc_put_file (fw_cfg, item);
  vmm_device_unlock (&fw_cfg->base);
}

void
vmm_fw_cfg_add_writable_file (VmmFwCfg *fw_cfg, const char *name, gsize size, const guint8 **ret_data)
{
  FwcItem *item = fwc_item_new (name, NULL);

  item->size = size;
  item->writable = g_malloc0 (size);
  *ret_data = item->writable;
  vmm_device_lock (&fw_cfg->base);
  fwc_put_file (fw_cfg, item);
  vmm_device_unlock (&fw_cfg->base);
}

void
vmm_fw_cfg_add_boot_path (VmmFwCfg *fw_cfg, int index, const char *ofw_path)
{
  FwcBootPath path = { .index = index, .path = g_strdup (ofw_path) };

  vmm_device_lock (&fw_cfg->base);
  g_array_append_val (fw_cfg->boot_paths, path);
  fw_cfg->stale = TRUE;
  vmm_device_unlock (&fw_cfg->base);
}

/* Life */

static void
fwc_clear_boot_path (gpointer data)
{
  g_free (((FwcBootPath *) data)->path);
}

static void
fwc_reset (VmmDevice *dev, VmmResetKind kind)
{
  VmmFwCfg *fw_cfg = (VmmFwCfg *) dev;

  fw_cfg->regs = (FwcRegs) { 0 };
  for (guint i = 0; i < fw_cfg->files->len; i++)
    {
      FwcItem *file = fw_cfg->files->pdata[i];

      if (file->make != NULL)
        g_clear_pointer (&file->bytes, g_bytes_unref);
      if (file->writable != NULL)
        memset (file->writable, 0, file->size);
    }
}

static gboolean
fwc_realize (VmmDevice *dev, GError **error)
{
  VmmFwCfg *fw_cfg = (VmmFwCfg *) dev;

  fw_cfg->items = g_hash_table_new_full (NULL, NULL, NULL, fwc_item_free);
  fw_cfg->files = g_ptr_array_new_with_free_func (fwc_item_free);
  fw_cfg->boot_paths = g_array_new (FALSE, FALSE, sizeof (FwcBootPath));
  g_array_set_clear_func (fw_cfg->boot_paths, fwc_clear_boot_path);
  fw_cfg->stale = TRUE;
  vmm_fw_cfg_set_item (fw_cfg, FWC_KEY_SIGNATURE, "QEMU", 4);
  vmm_fw_cfg_set_u32 (fw_cfg, FWC_KEY_ID, FWC_ID_PIO_AND_DMA);
  dev->machine->fw_cfg = fw_cfg;
  vmm_bus_map_pio (&fw_cfg->ports, dev, &fwc_port_ops, NULL, FWC_PORT, 2);
  vmm_bus_map_pio (&fw_cfg->dma_ports, dev, &fwc_dma_port_ops, NULL, FWC_DMA_PORT, 8);
  return TRUE;
}

static void
fwc_unrealize (VmmDevice *dev)
{
  VmmFwCfg *fw_cfg = (VmmFwCfg *) dev;

  vmm_region_unmap (vmm_device_get_bus (dev), &fw_cfg->ports);
  vmm_region_unmap (vmm_device_get_bus (dev), &fw_cfg->dma_ports);
  dev->machine->fw_cfg = NULL;
  g_hash_table_unref (fw_cfg->items);
  g_ptr_array_unref (fw_cfg->files);
  g_array_unref (fw_cfg->boot_paths);
  fwc_item_free (fw_cfg->directory);
}

const VmmDeviceClass vmm_fw_cfg_class = {
  .name = "fw-cfg",
  .summary = N_ ("Firmware configuration"),
  .bus = VMM_DEVICE_SYSTEM,
  .instance_size = sizeof (VmmFwCfg),
  .regs_offset = G_STRUCT_OFFSET (VmmFwCfg, regs),
  .regs_size = sizeof (FwcRegs),
  .regs_fields = fwc_fields,
  .state_version = 1,
  .realize = fwc_realize,
  .reset = fwc_reset,
  .unrealize = fwc_unrealize,
};
