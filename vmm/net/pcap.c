/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A file of captured frames.
 * Spec: draft-ietf-opsawg-pcap (the classic format, microseconds, link type 1 Ethernet), in the host's byte order as it allows. */
#include "net/net-private.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

typedef struct {
  guint32 magic;
  guint16 major, minor;
  guint32 reserved[2];
  guint32 snap_len, link_type;
} CapFileHeader;
G_STATIC_ASSERT (sizeof (CapFileHeader) == 24);

typedef struct {
  guint32 seconds, microseconds;
  guint32 captured_len, original_len;
} CapRecord;
G_STATIC_ASSERT (sizeof (CapRecord) == 16);

struct _VmmNetCapture {
  int fd;
};

VmmNetCapture *
vmm_net_capture_new (const char *path, GError **error)
{
  const CapFileHeader header = { 0xa1b2c3d4, 2, 4, { 0, 0 }, VMM_NET_FRAME_MAX, 1 };
  int fd = g_open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  VmmNetCapture *capture;

  if (fd < 0 || write (fd, &header, sizeof header) != sizeof header)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "cannot write the capture %s: %s", path, g_strerror (errno));
      if (fd >= 0)
        close (fd);
      return NULL;
    }
  capture = g_new (VmmNetCapture, 1);
  capture->fd = fd;
  return capture;
}

void
vmm_net_capture_free (VmmNetCapture *capture)
{
  if (capture == NULL)
    return;
  close (capture->fd);
  g_free (capture);
}

gboolean
vmm_net_capture_write (VmmNetCapture *capture, const struct iovec *iov, guint n_iov, gsize len)
{
  gint64 now_us = g_get_real_time ();
  CapRecord record = { (guint32) (now_us / G_USEC_PER_SEC), (guint32) (now_us % G_USEC_PER_SEC), (guint32) len, (guint32) len };
  g_autofree guint8 *buffer = g_malloc (sizeof record + len);
  gsize at = sizeof record;

  /* One write: a reader that follows the file, and a full disk, see whole records, nearly always. */
  memcpy (buffer, &record, sizeof record);
  for (guint i = 0; i < n_iov && at < sizeof record + len; i++)
    {
      gsize part = MIN (iov[i].iov_len, sizeof record + len - at);

      memcpy (buffer + at, iov[i].iov_base, part);
      at += part;
    }
  for (gsize done = 0; done < at;)
    {
      gssize n = write (capture->fd, buffer + done, at - done);

      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return FALSE;
      done += (gsize) n;
    }
  return TRUE;
}
