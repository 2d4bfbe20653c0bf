/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Port forwards: lists of them, as the setting "forward" of a network device has. */
#include "engine/net-forwards.h"

#include <glib/gi18n.h>
#include <string.h>
#include <vmm.h>

static char *
lnfw_parse_one (const char *text, GError **error)
{
  g_autoptr (GError) local = NULL;
  char *full = vmm_net_forward_check (text, &local);

  if (full == NULL)
    g_set_error (error, LODGE_ERROR, LODGE_ERROR_INVALID, _ ("“%s” is not a port forward like tcp:2222-22.\n%s"), text,
                 local->message);
  return full;
}

char **
lodge_net_forwards_parse (const char *text, GError **error)
{
  g_auto (GStrv) words = g_strsplit (text != NULL ? text : "", ",", -1);
  g_autoptr (GStrvBuilder) list = g_strv_builder_new ();

  for (guint i = 0; words[i] != NULL; i++)
    {
      char *full;

      g_strstrip (words[i]);
      if (*words[i] == '\0')
        continue;
      full = lnfw_parse_one (words[i], error);
      if (full == NULL)
        return NULL;
      g_strv_builder_take (list, full);
    }
  return g_strv_builder_end (list);
}

gboolean
lodge_net_forwards_check (const char *text, GError **error)
{
  g_auto (GStrv) list = lodge_net_forwards_parse (text, error);

  return list != NULL;
}

/* The place of the forward with the same protocol and side of the host as @full, -1: there is none. */
static int
lnfw_find (char **list, const char *full)
{
  gsize length = (gsize) (strchr (full, '-') - full) + 1;

  for (int i = 0; list[i] != NULL; i++)
    if (strncmp (list[i], full, length) == 0)
      return i;
  return -1;
}

char *
lodge_net_forwards_add (const char *text, const char *forward, GError **error)
{
  g_auto (GStrv) list = lodge_net_forwards_parse (text, error);
  g_autofree char *full = list != NULL ? lnfw_parse_one (forward, error) : NULL;

  if (full == NULL)
    return NULL;
  if (lnfw_find (list, full) >= 0)
    {
      g_set_error (error, LODGE_ERROR, LODGE_ERROR_EXISTS, _ ("That port of this computer is forwarded already: %s."),
                   list[lnfw_find (list, full)]);
      return NULL;
    }
  return text != NULL && *text != '\0' ? g_strconcat (text, ",", forward, NULL) : g_strdup (forward);
}

char *
lodge_net_forwards_remove (const char *text, const char *forward, GError **error)
{
  g_auto (GStrv) list = lodge_net_forwards_parse (text, error);
  g_autofree char *whole = strchr (forward, '-') != NULL ? g_strdup (forward) : g_strconcat (forward, "-1", NULL);
  g_autofree char *full = list != NULL ? lnfw_parse_one (whole, error) : NULL;
  g_autoptr (GString) left = g_string_new (NULL);
  int found;

  if (full == NULL)
    return NULL;
  found = lnfw_find (list, full);
  if (found < 0)
    {
      g_set_error (error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND, _ ("“%s” is not forwarded."), forward);
      return NULL;
    }
  for (int i = 0; list[i] != NULL; i++)
    if (i != found)
      g_string_append_printf (left, "%s%s", left->len > 0 ? "," : "", list[i]);
  return g_string_free (g_steal_pointer (&left), FALSE);
}
