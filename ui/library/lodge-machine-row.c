/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "library/lodge-machine-row.h"

#include <glib/gi18n.h>

#include "widgets/lodge-thumbnail.h"

struct _LodgeMachineRow {
  GtkBox parent_instance;

  LodgeThumbnail *thumbnail;
  GtkLabel *name;
  GtkLabel *state;
  GtkSpinner *busy;

  LodgeMachine *machine;
  GtkListItem *item; /* not owned; the row lives in it */
};

G_DEFINE_FINAL_TYPE (LodgeMachineRow, lodge_machine_row, GTK_TYPE_BOX)

static void
lrow_update (LodgeMachineRow *self)
{
  LodgeMachineState state = lodge_machine_get_state (self->machine);
  const char *name = lodge_machine_get_name (self->machine), *label = lodge_machine_state_to_label (state);

  gtk_label_set_label (self->name, name);
  gtk_widget_set_tooltip_text (GTK_WIDGET (self->name), name);
  gtk_label_set_label (self->state, label);
  gtk_widget_set_visible (GTK_WIDGET (self->busy), lodge_machine_get_busy (self->machine));
  gtk_spinner_set_spinning (self->busy, lodge_machine_get_busy (self->machine));

  gtk_widget_remove_css_class (GTK_WIDGET (self->state), "success");
  gtk_widget_remove_css_class (GTK_WIDGET (self->state), "error");
  gtk_widget_remove_css_class (GTK_WIDGET (self->state), "dimmed");
  if (state == LODGE_MACHINE_STATE_RUNNING)
    gtk_widget_add_css_class (GTK_WIDGET (self->state), "success");
  else if (state == LODGE_MACHINE_STATE_FAILED || state == LODGE_MACHINE_STATE_BROKEN)
    gtk_widget_add_css_class (GTK_WIDGET (self->state), "error");
  else
    gtk_widget_add_css_class (GTK_WIDGET (self->state), "dimmed");

  if (self->item != NULL)
    {
      /* Translators: a machine's name and its state, as a screen reader says them. */
      g_autofree char *spoken = g_strdup_printf (_ ("%s, %s"), name, label);

      gtk_list_item_set_accessible_label (self->item, spoken);
    }
}

void
lodge_machine_row_set_machine (LodgeMachineRow *self, LodgeMachine *machine, GtkListItem *item)
{
  g_return_if_fail (LODGE_IS_MACHINE_ROW (self));

  if (self->machine != NULL)
    g_signal_handlers_disconnect_by_data (self->machine, self);
  g_set_object (&self->machine, machine);
  self->item = item;
  lodge_thumbnail_set_machine (self->thumbnail, machine);
  if (machine == NULL)
    return;
  g_signal_connect_object (machine, "notify::name", G_CALLBACK (lrow_update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (machine, "notify::state", G_CALLBACK (lrow_update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (machine, "notify::busy", G_CALLBACK (lrow_update), self, G_CONNECT_SWAPPED);
  lrow_update (self);
}

LodgeMachine *
lodge_machine_row_get_machine (LodgeMachineRow *self)
{
  g_return_val_if_fail (LODGE_IS_MACHINE_ROW (self), NULL);
  return self->machine;
}

static void
lodge_machine_row_dispose (GObject *object)
{
  LodgeMachineRow *self = LODGE_MACHINE_ROW (object);

  if (self->machine != NULL)
    g_signal_handlers_disconnect_by_data (self->machine, self);
  g_clear_object (&self->machine);
  gtk_widget_dispose_template (GTK_WIDGET (self), LODGE_TYPE_MACHINE_ROW);
  G_OBJECT_CLASS (lodge_machine_row_parent_class)->dispose (object);
}

static void
lodge_machine_row_class_init (LodgeMachineRowClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = lodge_machine_row_dispose;

  g_type_ensure (LODGE_TYPE_THUMBNAIL);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/lodge_vm/Lodge/library/lodge-machine-row.ui");
  gtk_widget_class_bind_template_child (widget_class, LodgeMachineRow, thumbnail);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachineRow, name);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachineRow, state);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachineRow, busy);
}

static void
lodge_machine_row_init (LodgeMachineRow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

GtkWidget *
lodge_machine_row_new (void)
{
  return g_object_new (LODGE_TYPE_MACHINE_ROW, NULL);
}
