/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wizard/lodge-wizard-resources.h"

#include <glib/gi18n.h>

#include "model/host.h"
#include "widgets/lodge-amount-row.h"
#include "wizard/lodge-wizard.h"

struct _LodgeWizardResources {
  AdwNavigationPage parent_instance;

  GtkWidget *next_button;
  LodgeAmountRow *memory_row;
  AdwSpinRow *cpus_row;
  GtkAdjustment *cpus;
  GtkLabel *cpus_problem;
  GtkWidget *disk_group;
  AdwSwitchRow *disk_switch;
  LodgeAmountRow *disk_row;
  AdwComboRow *firmware_row;
  AdwSwitchRow *tpm_switch;
  GtkLabel *firmware_problem, *tpm_problem;
  GtkLabel *settings_problem;

  LodgeMachineSpec *spec;
  gboolean updating;
};

G_DEFINE_FINAL_TYPE (LodgeWizardResources, lodge_wizard_resources, ADW_TYPE_NAVIGATION_PAGE)

static void
lwres_update_problems (LodgeWizardResources *self)
{
  LodgeMachineSpec *spec = self->spec;
  const char *memory = lodge_machine_spec_get_problem (spec, LODGE_SPEC_MEMORY), *cpus, *disk, *firmware, *tpm, *settings;

  lodge_amount_row_set_problem (self->memory_row, memory);
  cpus = lodge_machine_spec_get_problem (spec, LODGE_SPEC_CPUS);
  lodge_wizard_show_problem (GTK_WIDGET (self->cpus_row), self->cpus_problem, cpus);
  disk = lodge_machine_spec_get_source (spec) != LODGE_SOURCE_IMAGE ? lodge_machine_spec_get_problem (spec, LODGE_SPEC_DISK) : NULL;
  lodge_amount_row_set_problem (self->disk_row, disk);
  firmware = lodge_machine_spec_get_problem (spec, LODGE_SPEC_FIRMWARE);
  tpm = lodge_machine_spec_get_problem (spec, LODGE_SPEC_TPM);
  lodge_wizard_show_problem (GTK_WIDGET (self->firmware_row), self->firmware_problem, firmware);
  lodge_wizard_show_problem (GTK_WIDGET (self->tpm_switch), self->tpm_problem, tpm);
  settings = lodge_machine_spec_get_problem (spec, LODGE_SPEC_SETTINGS);
  gtk_label_set_label (self->settings_problem, settings != NULL ? settings : "");
  gtk_widget_set_visible (GTK_WIDGET (self->settings_problem), settings != NULL);
  gtk_widget_set_sensitive (self->next_button,
                            memory == NULL && cpus == NULL && disk == NULL && firmware == NULL && tpm == NULL && settings == NULL);
}

static void
lwres_update (LodgeWizardResources *self)
{
  LodgeMachineSpec *spec = self->spec;
  double free_disk = lodge_machine_spec_get_free_disk_mib (spec);
  g_autofree char *cpus_note = NULL;
  guint host_cpus = lodge_host_get_cpus (lodge_host_get_default ());

  if (self->updating)
    return;
  self->updating = TRUE;

  lodge_amount_row_set_range (self->memory_row, lodge_machine_spec_get_minimum_memory_mib (spec),
                              lodge_machine_spec_get_maximum_memory_mib (spec),
                              lodge_machine_spec_get_recommended_memory_mib (spec),
                              lodge_machine_spec_get_maximum_memory_mib (spec), _ ("This computer"));
  lodge_amount_row_set_value (self->memory_row, lodge_machine_spec_get_memory_mib (spec));

  gtk_adjustment_set_upper (self->cpus, MAX (1, lodge_machine_spec_get_maximum_cpus (spec)));
  adw_spin_row_set_value (self->cpus_row, lodge_machine_spec_get_cpus (spec));
  cpus_note = g_strdup_printf (ngettext ("Recommended: %u. This computer has %u.", "Recommended: %u. This computer has %u.",
                                         host_cpus),
                               lodge_machine_spec_get_recommended_cpus (spec), host_cpus);
  adw_action_row_set_subtitle (ADW_ACTION_ROW (self->cpus_row), cpus_note);

  gtk_widget_set_visible (self->disk_group, lodge_machine_spec_get_source (spec) != LODGE_SOURCE_IMAGE);
  adw_switch_row_set_active (self->disk_switch, lodge_machine_spec_get_disk_mib (spec) != 0);
  gtk_widget_set_visible (GTK_WIDGET (self->disk_row), lodge_machine_spec_get_disk_mib (spec) != 0);
  if (lodge_machine_spec_get_disk_mib (spec) != 0)
    {
      lodge_amount_row_set_range (self->disk_row, lodge_machine_spec_get_minimum_disk_mib (spec),
                                  lodge_machine_spec_get_maximum_disk_mib (spec),
                                  lodge_machine_spec_get_recommended_disk_mib (spec), free_disk, _ ("Free"));
      lodge_amount_row_set_value (self->disk_row, lodge_machine_spec_get_disk_mib (spec));
      lodge_amount_row_set_note (self->disk_row, free_disk > 0 && lodge_machine_spec_get_disk_mib (spec) > free_disk
                                                     ? _ ("More than is free. The machine pauses when there is no room left.")
                                                     : NULL);
    }

  adw_combo_row_set_selected (self->firmware_row, g_str_equal (lodge_machine_spec_get_firmware (spec), "uefi") ? 1 : 0);
  adw_action_row_set_subtitle (ADW_ACTION_ROW (self->firmware_row), lodge_machine_spec_get_firmware_note (spec));
  adw_switch_row_set_active (self->tpm_switch, lodge_machine_spec_get_tpm (spec));

  lwres_update_problems (self);
  self->updating = FALSE;
}

static void
on_memory_changed_cb (LodgeWizardResources *self)
{
  if (self->updating || self->spec == NULL)
    return;
  self->updating = TRUE;
  lodge_machine_spec_set_memory_mib (self->spec, (guint) lodge_amount_row_get_value (self->memory_row));
  lwres_update_problems (self);
  self->updating = FALSE;
}

static void
on_cpus_changed_cb (LodgeWizardResources *self)
{
  if (self->updating || self->spec == NULL)
    return;
  self->updating = TRUE;
  lodge_machine_spec_set_cpus (self->spec, (guint) adw_spin_row_get_value (self->cpus_row));
  lwres_update_problems (self);
  self->updating = FALSE;
}

static void
on_disk_switched_cb (LodgeWizardResources *self)
{
  if (self->updating || self->spec == NULL)
    return;
  lodge_machine_spec_set_disk_mib (self->spec, adw_switch_row_get_active (self->disk_switch)
                                                   ? lodge_machine_spec_get_recommended_disk_mib (self->spec)
                                                   : 0);
  lwres_update (self);
}

static void
on_disk_changed_cb (LodgeWizardResources *self)
{
  if (self->updating || self->spec == NULL || !adw_switch_row_get_active (self->disk_switch))
    return;
  lodge_machine_spec_set_disk_mib (self->spec, (guint64) lodge_amount_row_get_value (self->disk_row));
  lwres_update (self);
}

static void
on_firmware_changed_cb (LodgeWizardResources *self)
{
  if (self->updating || self->spec == NULL)
    return;
  self->updating = TRUE;
  lodge_machine_spec_set_firmware (self->spec, adw_combo_row_get_selected (self->firmware_row) == 1 ? "uefi" : "bios");
  lwres_update_problems (self);
  self->updating = FALSE;
}

static void
on_tpm_switched_cb (LodgeWizardResources *self)
{
  if (self->updating || self->spec == NULL)
    return;
  self->updating = TRUE;
  lodge_machine_spec_set_tpm (self->spec, adw_switch_row_get_active (self->tpm_switch));
  lwres_update_problems (self);
  self->updating = FALSE;
}

static void
on_next_clicked_cb (LodgeWizardResources *self)
{
  gtk_widget_activate_action (GTK_WIDGET (self), "wizard.next", NULL);
}

static void
lodge_wizard_resources_shown (AdwNavigationPage *page)
{
  LodgeWizardResources *self = LODGE_WIZARD_RESOURCES (page);
  GtkWidget *dialog = gtk_widget_get_ancestor (GTK_WIDGET (self), ADW_TYPE_DIALOG);

  if (dialog != NULL)
    {
      adw_dialog_set_default_widget (ADW_DIALOG (dialog), self->next_button);
      adw_dialog_set_focus (ADW_DIALOG (dialog), self->next_button);
    }
}

static void
lodge_wizard_resources_dispose (GObject *object)
{
  LodgeWizardResources *self = LODGE_WIZARD_RESOURCES (object);

  if (self->spec != NULL)
    g_signal_handlers_disconnect_by_data (self->spec, self);
  g_clear_object (&self->spec);
  gtk_widget_dispose_template (GTK_WIDGET (self), LODGE_TYPE_WIZARD_RESOURCES);
  G_OBJECT_CLASS (lodge_wizard_resources_parent_class)->dispose (object);
}

static void
lodge_wizard_resources_class_init (LodgeWizardResourcesClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = lodge_wizard_resources_dispose;
  ADW_NAVIGATION_PAGE_CLASS (klass)->shown = lodge_wizard_resources_shown;

  g_type_ensure (LODGE_TYPE_AMOUNT_ROW);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/lodge_vm/Lodge/wizard/lodge-wizard-resources.ui");
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardResources, next_button);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardResources, memory_row);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardResources, cpus_row);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardResources, cpus);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardResources, cpus_problem);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardResources, disk_group);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardResources, disk_switch);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardResources, disk_row);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardResources, firmware_row);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardResources, tpm_switch);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardResources, firmware_problem);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardResources, tpm_problem);
  gtk_widget_class_bind_template_child (widget_class, LodgeWizardResources, settings_problem);
  gtk_widget_class_bind_template_callback (widget_class, on_memory_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_cpus_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_disk_switched_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_disk_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_firmware_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_tpm_switched_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_next_clicked_cb);
}

static void
lodge_wizard_resources_init (LodgeWizardResources *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

void
lodge_wizard_resources_set_spec (LodgeWizardResources *self, LodgeMachineSpec *spec)
{
  g_return_if_fail (LODGE_IS_WIZARD_RESOURCES (self));
  g_return_if_fail (self->spec == NULL);

  self->spec = g_object_ref (spec);
  g_signal_connect_object (spec, "notify", G_CALLBACK (lwres_update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (lodge_host_get_default (), "notify", G_CALLBACK (lwres_update), self, G_CONNECT_SWAPPED);
  lwres_update (self);
}
