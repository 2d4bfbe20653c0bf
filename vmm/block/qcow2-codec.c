/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Compressed clusters. Spec: qcow2.txt, "Compressed Clusters Descriptor"; RFC 1951 without a header, or zstd frames. Worker only. */
#include "block/qcow2.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

/* A whole cluster comes out, or the data are damaged; what follows in the input is padding. */
static int
qcodec_inflate (const guint8 *in, gsize in_len, guint8 *out, gsize out_len)
{
  z_stream stream = { .next_in = (Bytef *) in, .avail_in = (uInt) in_len, .next_out = out, .avail_out = (uInt) out_len };
  int r;

  if (inflateInit2 (&stream, -15) != Z_OK)
    return -ENOMEM;
  r = inflate (&stream, Z_FINISH);
  inflateEnd (&stream);
  return (r == Z_STREAM_END || r == Z_BUF_ERROR) && stream.avail_out == 0 ? 0 : -EIO;
}

static int
qcodec_unzstd (const guint8 *in, gsize in_len, guint8 *out, gsize out_len)
{
  ZSTD_DStream *stream = ZSTD_createDStream ();
  ZSTD_inBuffer input = { in, in_len, 0 };
  ZSTD_outBuffer output = { out, out_len, 0 };
  int r = 0;

  if (stream == NULL)
    return -ENOMEM;
  while (output.pos < output.size && r == 0)
    {
      gsize in_pos = input.pos, out_pos = output.pos;

      if (ZSTD_isError (ZSTD_decompressStream (stream, &output, &input)) || (input.pos == in_pos && output.pos == out_pos))
        r = -EIO;
    }
  ZSTD_freeDStream (stream);
  return r;
}

static int
qcodec_decode (VmmQcow2 *q, guint64 entry, guint8 *out)
{
  g_autofree guint8 *in = NULL;
  guint64 offset, len;
  int r;

  vmm_qcow2_compressed_range (q, entry, &offset, &len);
  if (offset > QCOW2_MAX_HOST_OFFSET)
    return -EIO;
  /* The sector count has no bits for more than two clusters. */
  in = g_try_malloc (len);
  if (in == NULL)
    return -ENOMEM;
  r = vmm_file_read (q->node.file, offset, in, len);
  if (r < 0)
    return r;
  return q->header.compression_type == 1 ? qcodec_unzstd (in, len, out, q->cluster_size)
                                         : qcodec_inflate (in, len, out, q->cluster_size);
}

void
vmm_qcow2_forget_decoded (VmmQcow2 *q)
{
  for (guint i = 0; i < G_N_ELEMENTS (q->decoded); i++)
    q->decoded[i].entry = 0;
}

int
vmm_qcow2_read_coded (VmmNode *node, const VmmExtent *extent, gpointer buf, gsize len)
{
  VmmQcow2 *q = (VmmQcow2 *) node;
  gsize in_cluster = extent->offset & (q->cluster_size - 1);
  guint i, oldest = 0;

  g_assert (in_cluster + len <= q->cluster_size);
  for (i = 0; i < G_N_ELEMENTS (q->decoded); i++)
    {
      if (q->decoded[i].entry == extent->coded)
        break;
      if (q->decoded[i].age < q->decoded[oldest].age)
        oldest = i;
    }
  if (i == G_N_ELEMENTS (q->decoded))
    {
      int r;

      i = oldest;
      if (q->decoded[i].data == NULL)
        q->decoded[i].data = g_try_malloc (q->cluster_size);
      if (q->decoded[i].data == NULL)
        return -ENOMEM;
      q->decoded[i].entry = 0;
      r = qcodec_decode (q, extent->coded, q->decoded[i].data);
      if (r < 0)
        return r;
      q->decoded[i].entry = extent->coded;
    }
  q->decoded[i].age = ++q->decoded_clock;
  memcpy (buf, q->decoded[i].data + in_cluster, len);
  return 0;
}
