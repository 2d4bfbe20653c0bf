/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The header of qcow2 images. Spec: QEMU docs/interop/qcow2.txt, "Header", "Header extensions". */
#include "block/qcow2.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define QHDR_V2_LENGTH 72
#define QHDR_V3_LENGTH 104
#define QHDR_OUR_LENGTH 112
#define QHDR_EXT_END 0u
#define QHDR_EXT_BACKING_FORMAT 0xe2792acau
#define QHDR_EXT_DATA_FILE 0x44415441u
#define QHDR_EXT_LUKS 0x0537be77u
#define QHDR_MAX_BACKING_NAME 1023u

static guint32
qhdr_be32 (const guint8 *p)
{
  return (guint32) p[0] << 24 | (guint32) p[1] << 16 | (guint32) p[2] << 8 | p[3];
}

static guint64
qhdr_be64 (const guint8 *p)
{
  return (guint64) qhdr_be32 (p) << 32 | qhdr_be32 (p + 4);
}

static void
qhdr_put32 (guint8 *p, guint32 v)
{
  v = GUINT32_TO_BE (v);
  memcpy (p, &v, sizeof v);
}

static void
qhdr_put64 (guint8 *p, guint64 v)
{
  v = GUINT64_TO_BE (v);
  memcpy (p, &v, sizeof v);
}

static gboolean
qhdr_corrupt (GError **error, VmmFile *file, const char *what)
{
  g_set_error (error, VMM_ERROR, VMM_ERROR_CORRUPT, "%s: damaged qcow2 image: %s", file->path, what);
  return FALSE;
}

static gboolean
qhdr_unsupported (GError **error, VmmFile *file, const char *what)
{
  g_set_error (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED, "%s: qcow2 images with %s are not supported", file->path, what);
  return FALSE;
}

/* A table must lie on a cluster boundary, behind the header, and not wrap. */
static gboolean
qhdr_table_is_sane (const VmmQcow2Header *h, guint64 offset, guint64 len)
{
  guint64 cluster_size = G_GUINT64_CONSTANT (1) << h->cluster_bits;

  return offset >= cluster_size && offset % cluster_size == 0 && offset < QCOW2_MAX_HOST_OFFSET
         && len < QCOW2_MAX_HOST_OFFSET - offset;
}

static gboolean
qhdr_check_features (VmmFile *file, VmmQcow2Header *h, guint crypt, GError **error)
{
  const guint64 known = QCOW2_INCOMPAT_DIRTY | QCOW2_INCOMPAT_CORRUPT | QCOW2_INCOMPAT_COMPRESSION | QCOW2_INCOMPAT_EXTENDED_L2;

  if (crypt != 0)
    return qhdr_unsupported (error, file, "encryption");
  if ((h->incompatible & QCOW2_INCOMPAT_DATA_FILE) != 0)
    return qhdr_unsupported (error, file, "an external data file");
  if ((h->incompatible & ~known) != 0)
    {
      g_autofree char *what = g_strdup_printf ("unknown features (bits 0x%" G_GINT64_MODIFIER "x)", h->incompatible & ~known);

      return qhdr_unsupported (error, file, what);
    }
  if (((h->incompatible & QCOW2_INCOMPAT_COMPRESSION) != 0) != (h->compression_type != 0))
    return qhdr_corrupt (error, file, "compression type and feature bit disagree");
  if (h->compression_type > 1)
    return qhdr_unsupported (error, file, "an unknown compression");
  if ((h->incompatible & QCOW2_INCOMPAT_EXTENDED_L2) != 0 && h->cluster_bits < 14)
    return qhdr_corrupt (error, file, "subclusters in clusters below 16 KiB");
  return TRUE;
}

static gboolean
qhdr_check_tables (VmmFile *file, const VmmQcow2Header *h, GError **error)
{
  guint64 cluster_size = G_GUINT64_CONSTANT (1) << h->cluster_bits;
  guint entry_bits = (h->incompatible & QCOW2_INCOMPAT_EXTENDED_L2) != 0 ? 4 : 3;
  guint span_bits = h->cluster_bits + h->cluster_bits - entry_bits;

  if (h->size > G_MAXINT64 || (h->size >> span_bits) >= QCOW2_MAX_L1_BYTES / 8)
    return qhdr_corrupt (error, file, "absurd size");
  if (h->l1_size > QCOW2_MAX_L1_BYTES / 8)
    return qhdr_corrupt (error, file, "the L1 table is too large");
  if (h->l1_size < (h->size >> span_bits) + ((h->size & ((G_GUINT64_CONSTANT (1) << span_bits) - 1)) != 0))
    return qhdr_corrupt (error, file, "the L1 table is too small");
  if (h->l1_size > 0 && !qhdr_table_is_sane (h, h->l1_offset, (guint64) h->l1_size * 8))
    return qhdr_corrupt (error, file, "the L1 table is at a bad place");
  if (h->refcount_order > 6)
    return qhdr_corrupt (error, file, "refcounts wider than 64 bits");
  if (h->reftable_clusters == 0 || h->reftable_clusters > QCOW2_MAX_REFTABLE_BYTES / cluster_size
      || !qhdr_table_is_sane (h, h->reftable_offset, h->reftable_clusters * cluster_size))
    return qhdr_corrupt (error, file, "the refcount table is at a bad place");
  if (h->n_snapshots > QCOW2_MAX_SNAPSHOTS || (h->n_snapshots > 0 && !qhdr_table_is_sane (h, h->snapshots_offset, 0)))
    return qhdr_corrupt (error, file, "the snapshot table is at a bad place");
  return TRUE;
}

/* Extensions from @at; the header's cluster is in @head. */
static gboolean
qhdr_read_extensions (VmmFile *file, VmmQcow2Header *h, const guint8 *head, gsize at, gsize end, GError **error)
{
  while (end - at >= 8)
    {
      guint32 type = qhdr_be32 (head + at), len = qhdr_be32 (head + at + 4);

      at += 8;
      if (type == QHDR_EXT_END)
        return TRUE;
      if (len > end - at)
        return qhdr_corrupt (error, file, "a header extension is too long");
      switch (type)
        {
        case QHDR_EXT_BACKING_FORMAT:
          if (len >= 16 || memchr (head + at, 0, len) != NULL)
            return qhdr_corrupt (error, file, "the backing file's format is no name");
          g_free (h->backing_format);
          h->backing_format = g_strndup ((const char *) head + at, len);
          break;
        case QHDR_EXT_DATA_FILE:
          return qhdr_unsupported (error, file, "an external data file");
        case QHDR_EXT_LUKS:
          return qhdr_unsupported (error, file, "encryption");
        default:
          break; /* left where it is */
        }
      at += MIN ((len + 7) & ~7u, end - at);
    }
  return TRUE;
}

gboolean
vmm_qcow2_header_read (VmmFile *file, VmmQcow2Header *ret_header, GError **error)
{
  g_autofree guint8 *head = NULL;
  VmmQcow2Header h = { 0 };
  gsize cluster_size, ext_end;
  guint8 start[QHDR_V2_LENGTH];
  int r = vmm_file_read (file, 0, start, sizeof start);

  if (r < 0)
    {
      vmm_file_set_error (error, file->path, "cannot read", -r);
      return FALSE;
    }
  if (memcmp (start, "QFI\xfb", 4) != 0)
    return qhdr_corrupt (error, file, "no qcow2 magic at its beginning");
  h.version = qhdr_be32 (start + 4);
  if (h.version != 2 && h.version != 3)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED, "%s: qcow images of version %u are not supported", file->path,
                   h.version);
      return FALSE;
    }
  h.cluster_bits = qhdr_be32 (start + 20);
  if (h.cluster_bits < QCOW2_MIN_CLUSTER_BITS || h.cluster_bits > QCOW2_MAX_CLUSTER_BITS)
    return qhdr_corrupt (error, file, "bad cluster size");
  cluster_size = (gsize) 1 << h.cluster_bits;
  head = g_malloc (cluster_size);
  r = vmm_file_read (file, 0, head, cluster_size);
  if (r < 0)
    {
      vmm_file_set_error (error, file->path, "cannot read", -r);
      return FALSE;
    }

  h.backing_offset = qhdr_be64 (head + 8);
  h.backing_len = qhdr_be32 (head + 16);
  h.size = qhdr_be64 (head + 24);
  h.l1_size = qhdr_be32 (head + 36);
  h.l1_offset = qhdr_be64 (head + 40);
  h.reftable_offset = qhdr_be64 (head + 48);
  h.reftable_clusters = qhdr_be32 (head + 56);
  h.n_snapshots = qhdr_be32 (head + 60);
  h.snapshots_offset = qhdr_be64 (head + 64);
  h.refcount_order = 4;
  h.header_length = QHDR_V2_LENGTH;
  if (h.version == 3)
    {
      h.incompatible = qhdr_be64 (head + 72);
      h.compatible = qhdr_be64 (head + 80);
      h.autoclear = qhdr_be64 (head + 88);
      h.refcount_order = qhdr_be32 (head + 96);
      h.header_length = qhdr_be32 (head + 100);
      if (h.header_length < QHDR_V3_LENGTH || h.header_length > cluster_size)
        return qhdr_corrupt (error, file, "bad length of its header");
      if (h.header_length > QHDR_V3_LENGTH)
        h.compression_type = head[104];
    }
  if (!qhdr_check_features (file, &h, qhdr_be32 (head + 32), error) || !qhdr_check_tables (file, &h, error))
    return FALSE;
  if (h.backing_offset != 0
      && (h.backing_offset > cluster_size || h.backing_len > MIN (QHDR_MAX_BACKING_NAME, cluster_size - h.backing_offset)))
    return qhdr_corrupt (error, file, "the backing file's name is at a bad place");

  ext_end = h.backing_offset != 0 ? (gsize) h.backing_offset : cluster_size;
  if (ext_end > h.header_length && !qhdr_read_extensions (file, &h, head, h.header_length, ext_end, error))
    {
      vmm_qcow2_header_clear (&h);
      return FALSE;
    }
  if (h.backing_offset != 0 && h.backing_len > 0)
    h.backing_name = g_strndup ((const char *) head + h.backing_offset, h.backing_len);
  *ret_header = h;
  return TRUE;
}

void
vmm_qcow2_header_clear (VmmQcow2Header *header)
{
  g_clear_pointer (&header->backing_name, g_free);
  g_clear_pointer (&header->backing_format, g_free);
}

char *
vmm_qcow2_header_dup_backing_path (const VmmQcow2Header *header, const char *image_path, GError **error)
{
  const char *name = header->backing_name;
  g_autofree char *dir = NULL;
  const char *colon;

  if (name == NULL)
    return NULL;
  /* QEMU also has "json:{…}" and "protocol:…" there; what precedes the first slash tells. */
  if (g_str_has_prefix (name, "file:"))
    name += 5;
  else if ((colon = strchr (name, ':')) != NULL && memchr (name, '/', (gsize) (colon - name)) == NULL)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED, "%s: its backing file “%s” is not a path", image_path, name);
      return NULL;
    }
  if (g_path_is_absolute (name))
    return g_strdup (name);
  dir = g_path_get_dirname (image_path);
  return g_build_filename (dir, name, NULL);
}

int
vmm_qcow2_format (int fd, guint64 size, const char *backing_name, const char *backing_format)
{
  const guint cluster_bits = 16;
  const guint64 cluster_size = 1 << cluster_bits, l2_span = cluster_size * (cluster_size / 8);
  const guint64 l1_size = (size + l2_span - 1) / l2_span;
  const guint64 l1_clusters = (l1_size * 8 + cluster_size - 1) / cluster_size;
  const guint64 n_clusters = 3 + l1_clusters;
  gsize name_len = backing_name != NULL ? strlen (backing_name) : 0;
  gsize at = QHDR_OUR_LENGTH, done = 0, len = 3 * cluster_size;
  g_autofree guint8 *image = g_malloc0 (len);

  g_assert (size <= (G_GUINT64_CONSTANT (64) << 40)); /* one refcount block is enough for the tables */
  if (name_len > QHDR_MAX_BACKING_NAME)
    return -ENAMETOOLONG;
  /* Cluster 0: header. 1: refcount table. 2: refcount block. 3…: L1 table, zeros. */
  memcpy (image, "QFI\xfb", 4);
  qhdr_put32 (image + 4, 3);
  qhdr_put32 (image + 20, cluster_bits);
  qhdr_put64 (image + 24, size);
  qhdr_put32 (image + 36, (guint32) l1_size);
  qhdr_put64 (image + 40, 3 * cluster_size);
  qhdr_put64 (image + 48, cluster_size);
  qhdr_put32 (image + 56, 1);
  qhdr_put32 (image + 96, 4);
  qhdr_put32 (image + 100, QHDR_OUR_LENGTH);
  if (backing_name != NULL)
    {
      gsize format_len = strlen (backing_format);

      qhdr_put32 (image + at, QHDR_EXT_BACKING_FORMAT);
      qhdr_put32 (image + at + 4, (guint32) format_len);
      memcpy (image + at + 8, backing_format, format_len);
      at += 8 + ((format_len + 7) & ~(gsize) 7) + 8; /* and the end mark */
      qhdr_put64 (image + 8, at);
      qhdr_put32 (image + 16, (guint32) name_len);
      memcpy (image + at, backing_name, name_len);
    }
  qhdr_put64 (image + cluster_size, 2 * cluster_size);
  for (guint64 i = 0; i < n_clusters; i++)
    image[2 * cluster_size + i * 2 + 1] = 1;

  while (done < len)
    {
      gssize n = pwrite (fd, image + done, len - done, (off_t) done);

      if (n < 0 && errno != EINTR)
        return -errno;
      done += n > 0 ? (gsize) n : 0;
    }
  return ftruncate (fd, (off_t) (n_clusters * cluster_size)) < 0 ? -errno : 0;
}
