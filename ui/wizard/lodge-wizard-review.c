/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wizard/lodge-wizard-review.h"

#include <glib/gi18n.h>

#include "media/os.h"
#include "model/error.h"
#include "widgets/lodge-amount-row.h"
#include "widgets/lodge-toast.h"
#include "wizard/lodge-wizard.h"

struct _LodgeWizardReview {
  AdwNavigationPage parent_instance;

  GtkWidget *create_button;
  GtkWidget *error_box;
  GtkLabel *error_label;
  GtkWidget *error_details_button;
  GtkEditable *name_row;
  GtkLabel *name_problem;
  AdwActionRow *source_row;
  AdwActionRow *os_row;
  AdwActionRow *memory_row;
  AdwActionRow *cpus_row;
  AdwActionRow *disk_row;
  AdwActionRow *firmware_row;
  AdwSwitchRow *start_row;

  LodgeMachineSpec *spec;
  char *error_details;
  gboolean updating;
};

G_DEFINE_FINAL_TYPE (LodgeWizardReview, lodge_wizard_review, ADW_TYPE_NAVIGATION_PAGE)

static void
lwrev_update (LodgeWizardReview *self)
{
  LodgeMachineSpec *spec = self->spec;
  const char *os_id = lodge_machine_spec_get_os_id (spec), *path = lodge_machine_spec_get_path (spec),
             *name = lodge_machine_spec_get_name (spec);
  LodgeOs *os = os_id != NULL ? lodge_os_database_find (lodge_os_database_get_default (), os_id) : NULL;
  g_autofree char *memory = lodge_amount_format (lodge_machine_spec_get_memory_mib (spec));
  g_autofree char *cpus = g_strdup_printf ("%u", lodge_machine_spec_get_cpus (spec));
  g_autofree char *disk = lodge_machine_spec_get_disk_mib (spec) != 0 ? lodge_amount_format (lodge_machine_spec_get_disk_mib (spec))
                                                                      : NULL;
  g_autofree char *file = path != NULL ? g_filename_display_name (path) : NULL;
  gboolean image = lodge_machine_spec_get_source (spec) == LODGE_SOURCE_IMAGE;

  if (!self->updating && g_strcmp0 (gtk_editable_get_text (self->name_row), name != NULL ? name : "") != 0)
    {
      self->updating = TRUE;
      gtk_editable_set_text (self->name_row, name != NULL ? name : "");
      self->updating = FALSE;
    }
  lodge_wizard_show_problem (GTK_WIDGET (self->name_row), self->name_problem,
                             lodge_machine_spec_get_problem (spec, LODGE_SPEC_NAME));
  /* A medium that is still being looked at is waited for. */
  gtk_widget_set_sensitive (self->create_button, lodge_machine_spec_get_valid (spec) || lodge_machine_spec_get_detecting (spec));

  adw_action_row_set_subtitle (self->source_row,
                               lodge_machine_spec_get_source (spec) == LODGE_SOURCE_EMPTY || file == NULL ? _ ("Nothing") : file);
  adw_action_row_set_subtitle (self->os_row, os != NULL ? lodge_os_get_name (os) : os_id != NULL ? os_id : _ ("Unknown"));
  adw_action_row_set_subtitle (self->memory_row, memory);
  adw_action_row_set_subtitle (self->cpus_row, cpus);
  if (image)
    adw_action_row_set_subtitle (self->disk_row, lodge_machine_spec_get_link_image (spec) ? _ ("The image file itself")
                                                                                          : _ ("A copy of the image"));
  else
    adw_action_row_set_subtitle (self->disk_row, disk != NULL ? disk : _ ("None"));
  if (g_str_equal (lodge_machine_spec_get_firmware (spec), "uefi"))
    adw_action_row_set_subtitle (self->firmware_row, lodge_machine_spec_get_tpm (spec) ? _ ("UEFI, with a TPM") : _ ("UEFI"));
  else
    adw_action_row_set_subtitle (self->firmware_row, lodge_machine_spec_get_tpm (spec) ? _ ("BIOS, with a TPM") : _ ("BIOS"));
}

static void
on_name_changed_cb (LodgeWizardReview *self)
{
  if (self->spec == NULL || self->updating)
    return;
  self->updating = TRUE;
  lodge_machine_spec_set_name (self->spec, gtk_editable_get_text (self->name_row));
  lwrev_update (self);
  self->updating = FALSE;
}

static void
on_create_clicked_cb (LodgeWizardReview *self)
{
  gtk_widget_activate_action (GTK_WIDGET (self), "wizard.next", NULL);
}

static void
on_details_clicked_cb (LodgeWizardReview *self)
{
  lodge_show_details (GTK_WIDGET (self), _ ("The Machine Could Not Be Created"), gtk_label_get_label (self->error_label),
                      self->error_details);
}

void
lodge_wizard_review_show_error (LodgeWizardReview *self, const GError *error)
{
  g_autofree char *sentence = NULL;

  g_return_if_fail (LODGE_IS_WIZARD_REVIEW (self));

  g_clear_pointer (&self->error_details, g_free);
  if (error != NULL)
    {
      sentence = lodge_error_split (error->message, &self->error_details);
      gtk_label_set_label (self->error_label, sentence);
      gtk_accessible_announce (GTK_ACCESSIBLE (self), sentence, GTK_ACCESSIBLE_ANNOUNCEMENT_PRIORITY_HIGH);
    }
  gtk_widget_set_visible (self->error_box, error != NULL);
  gtk_widget_set_visible (self->error_details_button, self->error_details != NULL);
}

gboolean
lodge_wizard_review_get_start (LodgeWizardReview *self)
{
  g_return_val_if_fail (LODGE_IS_WIZARD_REVIEW (self), FALSE);
  return adw_switch_row_get_active (self->start_row);
}

static void
lodge_wizard_review_shown (AdwNavigationPage *page)
{
  LodgeWizardReview *self = LODGE_WIZARD_REVIEW (page);
  GtkWidget *dialog = gtk_widget_get_ancestor (GTK_WIDGET (self), ADW_TYPE_DIALOG);

  lwrev_update (self);
  if (dialog != NULL)
    {
      adw_dialog_set_default_widget (ADW_DIALOG (dialog), self->create_button);
      adw_dialog_set_focus (ADW_DIALOG (dialog), self->create_button);
    }
}

static void
lodge_wizard_review_dispose (GObject *object)
{
  LodgeWizardReview *self = LODGE_WIZARD_REVIEW (object);

  if (self->spec != NULL)
    g_signal_handlers_disconnect_by_data (self->spec, self);
  g_clear_object (&self->spec);
  g_clear_pointer (&self->error_details, g_free);
  gtk_widget_dispose_template (GTK_WIDGET (self), LODGE_TYPE_WIZARD_REVIEW);
  G_OBJECT_CLASS (lodge_wizard_review_parent_class)->dispose (object);
}

static void
lodge_wizard_review_class_init (LodgeWizardReviewClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = lodge_wizard_review_dispose;
  ADW_NAVIGATION_PAGE_CLASS (klass)->shown = lodge_wizard_review_shown;

  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/lodge_vm/Lodge/wizard/lodge-wizard-review.ui");
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardReview, create_button);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardReview, error_box);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardReview, error_label);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardReview, error_details_button);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardReview, name_row);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardReview, name_problem);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardReview, source_row);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardReview, os_row);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardReview, memory_row);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardReview, cpus_row);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardReview, disk_row);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardReview, firmware_row);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardReview, start_row);
  gtk_widget_class_bind_template_callback (widget_class, on_create_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_name_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_details_clicked_cb);
}

static void
lodge_wizard_review_init (LodgeWizardReview *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

void
lodge_wizard_review_set_spec (LodgeWizardReview *self, LodgeMachineSpec *spec)
{
  g_return_if_fail (LODGE_IS_WIZARD_REVIEW (self));
  g_return_if_fail (self->spec == NULL);

  self->spec = g_object_ref (spec);
  g_signal_connect_object (spec, "notify", G_CALLBACK (lwrev_update), self, G_CONNECT_SWAPPED);
  lwrev_update (self);
}
