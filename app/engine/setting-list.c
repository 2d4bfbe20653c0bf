/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engine's setting tables as text. */
#include "engine/setting-list.h"

#include <glib/gi18n.h>
#include <vmm.h>

static char *
lsel_dup_values (const VmmSetting *setting)
{
  switch (setting->type)
    {
    case VMM_SETTING_INT:
      return g_strdup_printf ("%" G_GINT64_FORMAT "…%" G_GINT64_FORMAT, setting->min, setting->max);
    case VMM_SETTING_BOOL:
      return g_strdup ("true|false");
    case VMM_SETTING_ENUM:
      return g_strjoinv ("|", (char **) setting->choices);
    case VMM_SETTING_PATH:
      return g_strdup (_ ("FILE"));
    case VMM_SETTING_STRING:
    default:
      return g_strdup (_ ("TEXT"));
    }
}

static void
lsel_append (GString *text, const char *title, const char *summary, const VmmSetting *settings)
{
  g_string_append_printf (text, "\n  %s%s%s\n", title, summary != NULL ? "  " : "", summary != NULL ? _ (summary) : "");
  for (const VmmSetting *setting = settings; setting != NULL && setting->key != NULL; setting++)
    {
      g_autofree char *values = lsel_dup_values (setting);
      g_autofree char *left = g_strdup_printf ("%s=%s", setting->key, values);

      g_string_append_printf (text, "    %s%*s  %s", left, (int) MAX (0, 28 - g_utf8_strlen (left, -1)), "", _ (setting->summary));
      if (setting->fallback != NULL)
        g_string_append_printf (text, " [%s]", setting->fallback);
      g_string_append_c (text, '\n');
    }
}

char *
lodge_setting_list_dup_text (void)
{
  GString *text = g_string_new (NULL);

  lsel_append (text, "machine", NULL, vmm_machine_settings ());
  lsel_append (text, "kernel", NULL, vmm_kernel_settings ());
  for (const VmmClassInfo *info = vmm_class_list (); info->name != NULL; info++)
    {
      g_autofree char *title = g_strconcat ("class=", info->name, NULL);

      if (info->user_creatable)
        lsel_append (text, title, info->summary, info->settings);
    }
  return g_string_free (text, FALSE);
}
