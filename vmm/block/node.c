/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Chains of images: recognising, opening, reading through. */
#include "block/qcow2.h"

#include <errno.h>
#include <string.h>

const char *
vmm_node_detect_format (const guint8 *head, gsize len)
{
  static const struct {
    const char *name;
    guint offset, len;
    const char *magic;
  } formats[] = {
    { "qcow2", 0, 8, "QFI\xfb\0\0\0\2" },
    { "qcow2", 0, 8, "QFI\xfb\0\0\0\3" },
    { "qcow", 0, 4, "QFI\xfb" },
    { "vmdk", 0, 4, "KDMV" },
    { "vmdk", 0, 4, "COWD" },
    { "vmdk", 0, 21, "# Disk DescriptorFile" },
    { "vdi", 64, 4, "\x7f\x10\xda\xbe" },
    { "vhdx", 0, 8, "vhdxfile" },
    { "vhd", 0, 8, "conectix" },
    { "qed", 0, 4, "QED\0" },
    { "luks", 0, 6, "LUKS\xba\xbe" },
    { "parallels", 0, 16, "WithoutFreeSpace" },
    { "parallels", 0, 16, "WithouFreSpacExt" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (formats); i++)
    if (formats[i].offset + formats[i].len <= len && memcmp (head + formats[i].offset, formats[i].magic, formats[i].len) == 0)
      return formats[i].name;
  return "raw";
}

const char *
vmm_node_probe_format (VmmFile *file, GError **error)
{
  guint8 head[512];
  int r = vmm_file_read (file, 0, head, sizeof head);

  if (r < 0)
    {
      vmm_file_set_error (error, file->path, "cannot read", -r);
      return NULL;
    }
  return vmm_node_detect_format (head, sizeof head);
}

VmmNode *
vmm_node_open (VmmBlock *block, const char *path, const char *format, VmmFileFlags flags, const VmmNodeChain *chain, GError **error)
{
  g_autoptr (VmmFile) file = NULL;
  VmmNode *node = NULL;

  if (format != NULL && !g_str_equal (format, "raw") && !g_str_equal (format, "qcow2"))
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED, "%s: images in the format “%s” are not supported", path, format);
      return NULL;
    }
  file = vmm_file_open (path, flags, error);
  if (file == NULL)
    return NULL;
  for (const VmmNodeChain *above = chain; above != NULL; above = above->above)
    if (above->file->dev == file->dev && above->file->ino == file->ino)
      {
        g_set_error (error, VMM_ERROR, VMM_ERROR_CORRUPT, "%s: is its own backing file", path);
        return NULL;
      }
  if (chain != NULL && chain->depth >= VMM_BLOCK_MAX_DEPTH)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED, "%s: there are more than %u backing files before it", path,
                   VMM_BLOCK_MAX_DEPTH);
      return NULL;
    }
  if (!vmm_file_lock (file, (flags & VMM_FILE_WRITABLE) != 0, error))
    return NULL;
  if (format == NULL)
    {
      format = vmm_node_probe_format (file, error);
      if (format == NULL)
        return NULL;
    }
  if (g_str_equal (format, "raw"))
    node = vmm_raw_open (block, file, error);
  else if (g_str_equal (format, "qcow2"))
    node = vmm_qcow2_open (block, file, chain, flags, error);
  else
    g_set_error (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED, "%s: images in the format “%s” are not supported", path, format);
  if (node != NULL)
    file = NULL;
  return node;
}

void
vmm_node_close (VmmNode *node)
{
  if (node != NULL)
    node->klass->close (node);
}

int
vmm_node_map (VmmNode *node, guint64 offset, guint64 *len, gboolean may_block, VmmExtent *ret_extent)
{
  if (offset >= node->size)
    {
      *ret_extent = (VmmExtent) { .kind = VMM_EXTENT_ZERO, .node = node };
      return 0;
    }
  *len = MIN (*len, node->size - offset);
  return node->klass->map (node, offset, len, may_block, ret_extent);
}

int
vmm_node_read (VmmNode *node, guint64 offset, gpointer buf, gsize len)
{
  guint8 *p = buf;
  int r = 0;

  while (len > 0 && r == 0)
    {
      guint64 n = len;
      VmmExtent extent;

      r = vmm_node_map (node, offset, &n, TRUE, &extent);
      if (r < 0)
        break;
      switch (extent.kind)
        {
        case VMM_EXTENT_ZERO:
          memset (p, 0, n);
          break;
        case VMM_EXTENT_DATA:
          r = vmm_file_read (extent.file, extent.offset, p, n);
          break;
        case VMM_EXTENT_CODED:
          r = extent.node->klass->read_coded (extent.node, &extent, p, n);
          break;
        }
      p += n;
      offset += n;
      len -= n;
    }
  return r;
}
