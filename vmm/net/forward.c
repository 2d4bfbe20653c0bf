/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Port forwards as text. */
#include "net/net-private.h"

#include "core/config.h"

#include <arpa/inet.h>
#include <string.h>

/* "[ADDRESS:]PORT"; @address keeps what it holds if there is none. */
static gboolean
fwd_parse_end (const char *text, gboolean *ret_ipv6, guint8 *address, guint16 *ret_port, gboolean *ret_given)
{
  const char *port = text;
  g_autofree char *host = NULL;
  gint64 number;

  *ret_given = FALSE;
  if (text[0] == '[')
    {
      const char *end = strchr (text, ']');

      if (end == NULL || end[1] != ':')
        return FALSE;
      host = g_strndup (text + 1, (gsize) (end - text - 1));
      port = end + 2;
      *ret_ipv6 = *ret_given = TRUE;
      if (inet_pton (AF_INET6, host, address) != 1)
        return FALSE;
    }
  else if ((port = strrchr (text, ':')) != NULL)
    {
      host = g_strndup (text, (gsize) (port - text));
      port++;
      if (host[0] != '\0')
        {
          *ret_given = TRUE;
          *ret_ipv6 = FALSE;
          if (inet_pton (AF_INET, host, address) != 1)
            return FALSE;
        }
    }
  else
    port = text;
  if (!g_ascii_isdigit (port[0]) || !vmm_setting_parse_int (port, &number) || number < 1 || number > G_MAXUINT16)
    return FALSE;
  *ret_port = (guint16) number;
  return TRUE;
}

gboolean
vmm_net_forward_parse (const char *text, VmmNetForward *ret_forward, GError **error)
{
  VmmNetForward forward = { .host = { 127, 0, 0, 1 }, .guest = { 10, 0, 2, 15 } };
  const char *colon = strchr (text, ':'), *dash = colon != NULL ? strchr (colon, '-') : NULL;
  g_autofree char *host = NULL;
  gboolean ok = colon != NULL && dash != NULL, host_given = FALSE, guest_given = FALSE, host_ipv6 = FALSE, guest_ipv6 = FALSE;

  if (ok && g_str_has_prefix (text, "udp:"))
    forward.udp = TRUE;
  else if (!g_str_has_prefix (text, "tcp:"))
    ok = FALSE;
  if (ok)
    {
      host = g_strndup (colon + 1, (gsize) (dash - colon - 1));
      ok = fwd_parse_end (host, &host_ipv6, forward.host, &forward.host_port, &host_given)
           && fwd_parse_end (dash + 1, &guest_ipv6, forward.guest, &forward.guest_port, &guest_given);
    }
  /* A guest's address by IPv6 is its own choice: it has to be named. */
  if (ok && (host_ipv6 || guest_ipv6))
    {
      ok = guest_ipv6 && (host_ipv6 || !host_given);
      if (!host_given)
        memcpy (forward.host, &in6addr_loopback, 16);
      forward.ipv6 = TRUE;
    }
  if (!ok)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG,
                   "the port forward '%s' is not of the form tcp:[HOST:]PORT-[GUEST:]PORT or udp:…, both addresses of one kind",
                   text);
      return FALSE;
    }
  *ret_forward = forward;
  return TRUE;
}

gboolean
vmm_net_forward_same_host (const VmmNetForward *a, const VmmNetForward *b)
{
  return a->udp == b->udp && a->ipv6 == b->ipv6 && a->host_port == b->host_port && memcmp (a->host, b->host, a->ipv6 ? 16 : 4) == 0;
}

char *
vmm_net_forward_format (const VmmNetForward *forward)
{
  char host[INET6_ADDRSTRLEN], guest[INET6_ADDRSTRLEN];
  int family = forward->ipv6 ? AF_INET6 : AF_INET;
  const char *open = forward->ipv6 ? "[" : "", *shut = forward->ipv6 ? "]" : "";

  inet_ntop (family, forward->host, host, sizeof host);
  inet_ntop (family, forward->guest, guest, sizeof guest);
  return g_strdup_printf ("%s:%s%s%s:%u-%s%s%s:%u", forward->udp ? "udp" : "tcp", open, host, shut, forward->host_port, open, guest,
                          shut, forward->guest_port);
}
