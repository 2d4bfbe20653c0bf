/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wizard/lodge-wizard.h"

#include <glib/gi18n.h>

#include "model/operation.h"
#include "widgets/lodge-toast.h"
#include "wizard/lodge-wizard-resources.h"
#include "wizard/lodge-wizard-review.h"
#include "wizard/lodge-wizard-source.h"
#include "wizard/lodge-wizard-system.h"

struct _LodgeWizard {
  AdwDialog parent_instance;

  AdwNavigationView *navigation;
  LodgeWizardSource *source;
  LodgeWizardSystem *system;
  LodgeWizardResources *resources;
  LodgeWizardReview *review;
  AdwStatusPage *progress_status;
  GtkProgressBar *progress_bar;
  GtkLabel *progress_detail;
  GtkWidget *cancel_button;

  LodgeMachineSpec *spec;
  LodgeOperation *operation; /* while the machine is made */
  guint pulse_id;
};

enum {
  SIGNAL_MACHINE_CREATED,
  N_SIGNALS,
};

static guint lwiz_signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (LodgeWizard, lodge_wizard, ADW_TYPE_DIALOG)

void
lodge_wizard_show_problem (GtkWidget *row, GtkLabel *label, const char *problem)
{
  gtk_label_set_label (label, problem != NULL ? problem : "");
  gtk_widget_set_visible (GTK_WIDGET (label), problem != NULL);
  if (problem != NULL)
    gtk_widget_add_css_class (row, "error");
  else
    gtk_widget_remove_css_class (row, "error");
  gtk_accessible_update_state (GTK_ACCESSIBLE (row), GTK_ACCESSIBLE_STATE_INVALID,
                               problem != NULL ? GTK_ACCESSIBLE_INVALID_TRUE : GTK_ACCESSIBLE_INVALID_FALSE, -1);
  gtk_accessible_update_property (GTK_ACCESSIBLE (row), GTK_ACCESSIBLE_PROPERTY_DESCRIPTION, problem != NULL ? problem : "", -1);
}

/* --- Creating --- */

static gboolean
on_pulse_cb (gpointer data)
{
  gtk_progress_bar_pulse (LODGE_WIZARD (data)->progress_bar);
  return G_SOURCE_CONTINUE;
}

static void
on_operation_changed_cb (LodgeWizard *self)
{
  double fraction = lodge_operation_get_fraction (self->operation);
  g_autofree char *detail = lodge_operation_dup_detail (self->operation);
  const char *title = lodge_operation_get_title (self->operation);

  if (title != NULL && *title != '\0')
    adw_status_page_set_description (self->progress_status, title);
  gtk_label_set_label (self->progress_detail, detail);
  if (fraction >= 0)
    {
      g_clear_handle_id (&self->pulse_id, g_source_remove);
      gtk_progress_bar_set_fraction (self->progress_bar, fraction);
    }
  else if (self->pulse_id == 0)
    self->pulse_id = g_timeout_add (100, on_pulse_cb, self);
}

static void lwiz_fail (LodgeWizard *self, const GError *error);

static void
on_created_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LodgeWizard) self = LODGE_WIZARD (data);
  g_autoptr (GError) error = NULL;
  g_autoptr (LodgeMachine) machine = lodge_machine_spec_create_finish (LODGE_MACHINE_SPEC (source), result, &error);

  if (machine == NULL)
    {
      lwiz_fail (self, error);
      return;
    }
  g_clear_handle_id (&self->pulse_id, g_source_remove);
  g_signal_handlers_disconnect_by_data (self->operation, self);
  g_clear_object (&self->operation);
  adw_dialog_set_can_close (ADW_DIALOG (self), TRUE);
  g_signal_emit (self, lwiz_signals[SIGNAL_MACHINE_CREATED], 0, machine, lodge_wizard_review_get_start (self->review));
  adw_dialog_close (ADW_DIALOG (self));
}

static void
lwiz_fail (LodgeWizard *self, const GError *error)
{
  g_clear_handle_id (&self->pulse_id, g_source_remove);
  g_signal_handlers_disconnect_by_data (self->operation, self);
  g_clear_object (&self->operation);
  adw_dialog_set_can_close (ADW_DIALOG (self), TRUE);
  adw_navigation_view_pop_to_tag (self->navigation, "review");
  lodge_wizard_review_show_error (self->review, g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) ? NULL : error);
}

static void
on_ready_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LodgeWizard) self = LODGE_WIZARD (data);
  g_autoptr (GError) error = NULL;

  if (!lodge_machine_spec_prepare_finish (LODGE_MACHINE_SPEC (source), result, &error))
    lwiz_fail (self, error);
  else if (!lodge_machine_spec_get_valid (self->spec))
    lwiz_fail (self, NULL); /* the rows say what is wrong */
  else
    lodge_machine_spec_create_async (self->spec, self->operation, on_created_cb, g_object_ref (self));
}

static void
lwiz_create (LodgeWizard *self)
{
  if (self->operation != NULL)
    return;

  self->operation = lodge_operation_new ();
  g_signal_connect_object (self->operation, "notify", G_CALLBACK (on_operation_changed_cb), self, G_CONNECT_SWAPPED);
  gtk_progress_bar_set_fraction (self->progress_bar, 0);
  gtk_label_set_label (self->progress_detail, "");
  gtk_widget_set_sensitive (self->cancel_button, TRUE);
  lodge_wizard_review_show_error (self->review, NULL);
  adw_dialog_set_can_close (ADW_DIALOG (self), FALSE);
  adw_status_page_set_description (self->progress_status,
                                   lodge_machine_spec_get_detecting (self->spec) ? _ ("Looking at the disc…") : NULL);
  if (self->pulse_id == 0)
    self->pulse_id = g_timeout_add (100, on_pulse_cb, self);
  adw_navigation_view_push_by_tag (self->navigation, "progress");
  /* Whoever is faster than the detection gets what it finds all the same. */
  lodge_machine_spec_prepare_async (self->spec, lodge_operation_get_cancellable (self->operation), on_ready_cb,
                                    g_object_ref (self));
}

static void
on_cancel_clicked_cb (LodgeWizard *self)
{
  if (self->operation == NULL)
    return;
  gtk_widget_set_sensitive (self->cancel_button, FALSE);
  lodge_operation_cancel (self->operation);
}

static void
on_close_attempt_cb (LodgeWizard *self)
{
  on_cancel_clicked_cb (self);
}

/* --- Pages --- */

static void
on_next_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  static const char *const tags[] = { "source", "system", "resources", "review" };
  LodgeWizard *self = LODGE_WIZARD (widget);
  const char *present = adw_navigation_page_get_tag (adw_navigation_view_get_visible_page (self->navigation));

  if (g_strcmp0 (present, "review") == 0)
    lwiz_create (self);
  for (guint i = 0; i + 1 < G_N_ELEMENTS (tags); i++)
    if (g_strcmp0 (present, tags[i]) == 0)
      adw_navigation_view_push_by_tag (self->navigation, tags[i + 1]);
}

static void
on_prepared_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LodgeWizard) self = LODGE_WIZARD (data);
  g_autoptr (GError) error = NULL;

  if (!lodge_machine_spec_prepare_finish (LODGE_MACHINE_SPEC (source), result, &error))
    lodge_toast_error (GTK_WIDGET (self->navigation), error);
}

static void
lodge_wizard_dispose (GObject *object)
{
  LodgeWizard *self = LODGE_WIZARD (object);

  g_clear_handle_id (&self->pulse_id, g_source_remove);
  g_clear_object (&self->operation);
  g_clear_object (&self->spec);
  gtk_widget_dispose_template (GTK_WIDGET (self), LODGE_TYPE_WIZARD);
  G_OBJECT_CLASS (lodge_wizard_parent_class)->dispose (object);
}

static void
lodge_wizard_class_init (LodgeWizardClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = lodge_wizard_dispose;

  lwiz_signals[SIGNAL_MACHINE_CREATED] = g_signal_new ("machine-created", LODGE_TYPE_WIZARD, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                                       G_TYPE_NONE, 2, LODGE_TYPE_MACHINE, G_TYPE_BOOLEAN);

  g_type_ensure (LODGE_TYPE_WIZARD_SOURCE);
  g_type_ensure (LODGE_TYPE_WIZARD_SYSTEM);
  g_type_ensure (LODGE_TYPE_WIZARD_RESOURCES);
  g_type_ensure (LODGE_TYPE_WIZARD_REVIEW);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/lodge_vm/Lodge/wizard/lodge-wizard.ui");
  gtk_widget_class_bind_template_child (widget_class, LodgeWizard, navigation);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizard, source);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizard, system);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizard, resources);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizard, review);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizard, progress_status);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizard, progress_bar);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizard, progress_detail);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizard, cancel_button);
  gtk_widget_class_bind_template_callback (widget_class, on_cancel_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_close_attempt_cb);
  gtk_widget_class_install_action (widget_class, "wizard.next", NULL, on_next_cb);
}

static void
lodge_wizard_init (LodgeWizard *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

LodgeWizard *
lodge_wizard_new (LodgeLibrary *library, const char *path)
{
  LodgeWizard *self = g_object_new (LODGE_TYPE_WIZARD, NULL);

  self->spec = lodge_machine_spec_new (library);
  lodge_machine_spec_set_source (self->spec, LODGE_SOURCE_ISO);
  if (path != NULL)
    {
      LodgeSource source = lodge_machine_spec_guess_source (path);

      if (source != LODGE_SOURCE_EMPTY)
        lodge_machine_spec_set_source (self->spec, source);
      lodge_machine_spec_set_path (self->spec, path);
    }
  lodge_wizard_source_set_spec (self->source, self->spec);
  lodge_wizard_system_set_spec (self->system, self->spec);
  lodge_wizard_resources_set_spec (self->resources, self->spec);
  lodge_wizard_review_set_spec (self->review, self->spec);
  lodge_machine_spec_prepare_async (self->spec, NULL, on_prepared_cb, g_object_ref (self));
  return self;
}
