/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "settings/lodge-shortcuts.h"

#include "settings/lodge-settings.h"
#include "settings/lodge-shortcut-row.h"

struct _LodgeShortcuts {
  AdwDialog parent_instance;

  LodgeShortcutRow *release_row;
};

G_DEFINE_FINAL_TYPE (LodgeShortcuts, lodge_shortcuts, ADW_TYPE_DIALOG)

static void
lodge_shortcuts_dispose (GObject *object)
{
  gtk_widget_dispose_template (GTK_WIDGET (object), LODGE_TYPE_SHORTCUTS);
  G_OBJECT_CLASS (lodge_shortcuts_parent_class)->dispose (object);
}

static void
lodge_shortcuts_class_init (LodgeShortcutsClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = lodge_shortcuts_dispose;

  g_type_ensure (LODGE_TYPE_SHORTCUT_ROW);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/lodge_vm/Lodge/settings/lodge-shortcuts.ui");
  gtk_widget_class_bind_template_child (widget_class, LodgeShortcuts, release_row);
}

static void
lodge_shortcuts_init (LodgeShortcuts *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  lodge_shortcut_row_set_keys (self->release_row,
                               lodge_release_keys_get_label (lodge_settings_get_release_keys (lodge_settings_get_default ())));
}

AdwDialog *
lodge_shortcuts_new (void)
{
  return g_object_new (LODGE_TYPE_SHORTCUTS, NULL);
}
