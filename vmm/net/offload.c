/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Checksums and segmentation in software, for networks and guests that cannot do them.
 * Spec: RFC 1071 (sum), RFC 791, RFC 8200, RFC 9293; virtio 1.2 §5.1.6.2. Everything in a frame is the guest's or the network's word: it
 * is checked against the frame's length. */
#include "net/net-private.h"

#include <string.h>

#define OFF_ETHERNET 14
#define OFF_TYPE_IP4 0x0800
#define OFF_TYPE_IP6 0x86dd
#define OFF_TYPE_VLAN 0x8100
#define OFF_TYPE_QINQ 0x88a8
#define OFF_TCP_FIN 0x01
#define OFF_TCP_PSH 0x08
#define OFF_TCP_CWR 0x80
#define OFF_PROTO_TCP 6
#define OFF_GSO_MIN 32     /* bytes; TCP stacks use no smaller segments than 48 */
#define OFF_HEADER_MAX 256 /* Ethernet, IP and TCP with all options */

static guint16
off_get16 (const guint8 *at)
{
  return (guint16) (at[0] << 8 | at[1]);
}

static void
off_put16 (guint8 *at, guint value)
{
  at[0] = (guint8) (value >> 8);
  at[1] = (guint8) value;
}

static guint32
off_get32 (const guint8 *at)
{
  return (guint32) off_get16 (at) << 16 | off_get16 (at + 2);
}

static void
off_put32 (guint8 *at, guint32 value)
{
  off_put16 (at, value >> 16);
  off_put16 (at + 2, value & 0xffff);
}

/* Sum of 16-bit words, not folded; an odd last byte counts as the high one. Eight bytes at a time: the sum does not mind their order
 * (RFC 1071 §2). */
static guint64
off_sum (const guint8 *data, gsize len)
{
  guint64 sum = 0;

  for (; len >= 8; len -= 8, data += 8)
    {
      guint32 words[2];

      memcpy (words, data, sizeof words);
      sum += GUINT32_FROM_BE (words[0]);
      sum += GUINT32_FROM_BE (words[1]);
    }
  for (; len >= 2; len -= 2, data += 2)
    sum += off_get16 (data);
  if (len != 0)
    sum += (guint64) data[0] << 8;
  return sum;
}

static guint16
off_fold (guint64 sum)
{
  while (sum >> 16 != 0)
    sum = (sum & 0xffff) + (sum >> 16);
  return (guint16) sum;
}

gboolean
vmm_net_complete_checksum (guint8 *frame, gsize len, const VmmNetHeader *header)
{
  gsize start = GUINT16_FROM_LE (header->csum_start), field = start + GUINT16_FROM_LE (header->csum_offset);
  guint16 sum;

  if (start < OFF_ETHERNET || start >= len || field + 2 > len)
    return FALSE;
  sum = (guint16) ~off_fold (off_sum (frame + start, len - start));
  off_put16 (frame + field, sum != 0 ? sum : 0xffff); /* 0 would mean none (RFC 768) */
  return TRUE;
}

typedef struct {
  gsize ip, tcp, payload; /* offsets */
  gboolean ipv6;
} OffLayout;

/* Finds IP and TCP. The TCP header stands where the checksum starts. */
static gboolean
off_parse (const guint8 *frame, gsize len, const VmmNetHeader *header, OffLayout *ret_layout)
{
  gsize ip = OFF_ETHERNET, tcp = GUINT16_FROM_LE (header->csum_start), payload;
  guint type = len >= OFF_ETHERNET ? off_get16 (frame + 12) : 0;
  guint gso = header->gso_type & ~(guint) VMM_NET_GSO_ECN;

  for (guint tags = 0; tags < 2 && (type == OFF_TYPE_VLAN || type == OFF_TYPE_QINQ); tags++, ip += 4)
    {
      if (ip + 4 > len)
        return FALSE;
      type = off_get16 (frame + ip + 2);
    }
  if ((header->flags & VMM_NET_NEEDS_CSUM) == 0 || tcp + 20 > len)
    return FALSE;
  if (gso == VMM_NET_GSO_TCP4)
    {
      if (type != OFF_TYPE_IP4 || ip + 20 > tcp || frame[ip] >> 4 != 4 || ip + (frame[ip] & 0xfu) * 4 != tcp
          || frame[ip + 9] != OFF_PROTO_TCP)
        return FALSE;
    }
  else if (gso != VMM_NET_GSO_TCP6 || type != OFF_TYPE_IP6 || ip + 40 > tcp || frame[ip] >> 4 != 6)
    return FALSE;
  payload = tcp + (gsize) (frame[tcp + 12] >> 4) * 4;
  if (payload < tcp + 20 || payload > len || payload > OFF_HEADER_MAX)
    return FALSE;
  *ret_layout = (OffLayout) { ip, tcp, payload, gso == VMM_NET_GSO_TCP6 };
  return TRUE;
}

/* Lengths and sums of a packet that ends at @len. */
static void
off_finish (guint8 *frame, gsize len, const OffLayout *layout)
{
  guint8 *ip = frame + layout->ip, *tcp = frame + layout->tcp;
  gsize tcp_len = len - layout->tcp;
  guint64 sum;
  guint16 folded;

  if (layout->ipv6)
    {
      off_put16 (ip + 4, (guint) (len - layout->ip - 40));
      sum = off_sum (ip + 8, 32);
    }
  else
    {
      off_put16 (ip + 2, (guint) (len - layout->ip));
      off_put16 (ip + 10, 0);
      off_put16 (ip + 10, (guint16) ~off_fold (off_sum (ip, layout->tcp - layout->ip)));
      sum = off_sum (ip + 12, 8);
    }
  off_put16 (tcp + 16, 0);
  folded = (guint16) ~off_fold (sum + OFF_PROTO_TCP + tcp_len + off_sum (tcp, tcp_len));
  off_put16 (tcp + 16, folded);
}

gboolean
vmm_net_complete_large (guint8 *frame, gsize len, const VmmNetHeader *header)
{
  OffLayout layout;

  if (!off_parse (frame, len, header, &layout) || len - layout.ip > G_MAXUINT16)
    return FALSE;
  off_finish (frame, len, &layout);
  return TRUE;
}

gboolean
vmm_net_segment (const guint8 *frame, gsize len, const VmmNetHeader *header, VmmNetPieceFunc piece, gpointer data)
{
  gsize size = GUINT16_FROM_LE (header->gso_size), payload;
  g_autofree guint8 *out = NULL;
  OffLayout layout;
  guint32 sequence;
  guint id;

  if (size < OFF_GSO_MIN || !off_parse (frame, len, header, &layout))
    return FALSE;
  payload = len - layout.payload;
  sequence = off_get32 (frame + layout.tcp + 4);
  id = layout.ipv6 ? 0 : off_get16 (frame + layout.ip + 4);
  out = g_malloc (layout.payload + MIN (size, payload));
  for (gsize done = 0, n = 0; done < payload || n == 0; done += size, n++)
    {
      gsize part = MIN (size, payload - done);
      gboolean last = done + part == payload;

      memcpy (out, frame, layout.payload);
      memcpy (out + layout.payload, frame + layout.payload + done, part);
      off_put32 (out + layout.tcp + 4, sequence + (guint32) done);
      if (!last)
        out[layout.tcp + 13] &= (guint8) ~(OFF_TCP_FIN | OFF_TCP_PSH);
      if (n != 0)
        out[layout.tcp + 13] &= (guint8) ~OFF_TCP_CWR;
      if (!layout.ipv6)
        off_put16 (out + layout.ip + 4, (id + (guint) n) & 0xffff);
      off_finish (out, layout.payload + part, &layout);
      piece (data, out, layout.payload + part);
    }
  return TRUE;
}
