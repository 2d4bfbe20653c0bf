/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/lodge-menu-names.h"

/* "_New Machine…" -> "New Machine…", "A__B" -> "A_B" */
static char *
lmenu_strip_mnemonic (const char *text)
{
  GString *plain = g_string_new (NULL);

  for (const char *p = text; *p != '\0'; p++)
    if (*p != '_' || *++p != '\0')
      g_string_append_c (plain, *p);
  return g_string_free (plain, FALSE);
}

static void
lmenu_name_items (GtkWidget *widget)
{
  /* The type of menu items is not public, its property "text" is what the menu model says. */
  if (g_strcmp0 (G_OBJECT_TYPE_NAME (widget), "GtkModelButton") == 0)
    {
      g_autofree char *text = NULL;

      g_object_get (widget, "text", &text, NULL);
      if (text != NULL)
        {
          g_autofree char *plain = lmenu_strip_mnemonic (text);

          gtk_accessible_reset_relation (GTK_ACCESSIBLE (widget), GTK_ACCESSIBLE_RELATION_LABELLED_BY);
          gtk_accessible_update_property (GTK_ACCESSIBLE (widget), GTK_ACCESSIBLE_PROPERTY_LABEL, plain, -1);
        }
    }
  for (GtkWidget *child = gtk_widget_get_first_child (widget); child != NULL; child = gtk_widget_get_next_sibling (child))
    lmenu_name_items (child);
}

static void
on_menu_mapped_cb (GtkWidget *popover, gpointer data)
{
  lmenu_name_items (popover);
}

void
lodge_menu_names_add (GtkWidget *root)
{
  if (GTK_IS_POPOVER_MENU (root))
    {
      g_signal_connect (root, "map", G_CALLBACK (on_menu_mapped_cb), NULL);
      return;
    }
  for (GtkWidget *child = gtk_widget_get_first_child (root); child != NULL; child = gtk_widget_get_next_sibling (child))
    lodge_menu_names_add (child);
}
