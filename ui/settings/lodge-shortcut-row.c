/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "settings/lodge-shortcut-row.h"

#include <glib/gi18n.h>

struct _LodgeShortcutRow {
  AdwActionRow parent_instance;

  GtkWidget *keys;
  char *accelerator;
};

enum {
  PROP_0,
  PROP_ACCELERATOR,
  N_PROPS,
};

static GParamSpec *lshort_props[N_PROPS];

G_DEFINE_FINAL_TYPE (LodgeShortcutRow, lodge_shortcut_row, ADW_TYPE_ACTION_ROW)

static void
lshort_add_caps (LodgeShortcutRow *self, const char *keys, GString *spoken)
{
  g_auto (GStrv) caps = g_strsplit (keys, "+", -1);

  for (guint i = 0; caps[i] != NULL; i++)
    {
      GtkWidget *cap;

      /* "Ctrl++" splits into "Ctrl", "" and "": the key itself is a plus. */
      if (*caps[i] == '\0' && i + 1 < g_strv_length (caps))
        continue;
      cap = gtk_label_new (*caps[i] != '\0' ? caps[i] : "+");
      gtk_widget_add_css_class (cap, "keycap");
      gtk_widget_set_valign (cap, GTK_ALIGN_CENTER);
      gtk_box_append (GTK_BOX (self->keys), cap);
    }
  if (spoken->len > 0)
    g_string_append (spoken, ", ");
  g_string_append (spoken, keys);
}

static void
lshort_clear (LodgeShortcutRow *self)
{
  for (GtkWidget *child = gtk_widget_get_first_child (self->keys); child != NULL; child = gtk_widget_get_first_child (self->keys))
    gtk_box_remove (GTK_BOX (self->keys), child);
}

void
lodge_shortcut_row_set_keys (LodgeShortcutRow *self, const char *keys)
{
  g_autoptr (GString) spoken = g_string_new (NULL);

  g_return_if_fail (LODGE_IS_SHORTCUT_ROW (self));

  lshort_clear (self);
  lshort_add_caps (self, keys, spoken);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_DESCRIPTION, spoken->str, -1);
}

static void
lshort_set_accelerator (LodgeShortcutRow *self, const char *accelerators)
{
  g_auto (GStrv) all = g_strsplit (accelerators, " ", -1);
  g_autoptr (GString) spoken = g_string_new (NULL);

  g_free (self->accelerator);
  self->accelerator = g_strdup (accelerators);
  lshort_clear (self);
  for (guint i = 0; all[i] != NULL; i++)
    {
      guint key;
      GdkModifierType modifiers;
      g_autofree char *label = NULL;

      if (!gtk_accelerator_parse (all[i], &key, &modifiers))
        {
          g_warning ("“%s” is no accelerator", all[i]);
          continue;
        }
      if (i > 0)
        {
          GtkWidget *or = gtk_label_new (_ ("or"));

          gtk_widget_add_css_class (or, "dimmed");
          gtk_box_append (GTK_BOX (self->keys), or);
        }
      label = gtk_accelerator_get_label (key, modifiers);
      lshort_add_caps (self, label, spoken);
    }
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_DESCRIPTION, spoken->str, -1);
}

static void
lodge_shortcut_row_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  if (id == PROP_ACCELERATOR)
    g_value_set_string (value, LODGE_SHORTCUT_ROW (object)->accelerator);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
lodge_shortcut_row_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  if (id == PROP_ACCELERATOR)
    lshort_set_accelerator (LODGE_SHORTCUT_ROW (object), g_value_get_string (value));
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
lodge_shortcut_row_finalize (GObject *object)
{
  g_free (LODGE_SHORTCUT_ROW (object)->accelerator);
  G_OBJECT_CLASS (lodge_shortcut_row_parent_class)->finalize (object);
}

static void
lodge_shortcut_row_class_init (LodgeShortcutRowClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = lodge_shortcut_row_get_property;
  object_class->set_property = lodge_shortcut_row_set_property;
  object_class->finalize = lodge_shortcut_row_finalize;

  lshort_props[PROP_ACCELERATOR] = g_param_spec_string ("accelerator", NULL, NULL, NULL,
                                                        G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, lshort_props);
}

static void
lodge_shortcut_row_init (LodgeShortcutRow *self)
{
  self->keys = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  gtk_widget_set_valign (self->keys, GTK_ALIGN_CENTER);
  adw_action_row_add_suffix (ADW_ACTION_ROW (self), self->keys);
}
