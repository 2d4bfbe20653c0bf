/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every widget made of a template can be made, shown and thrown away, without a word of complaint from GTK. */
#include <adwaita.h>
#include <locale.h>

#include "application.h"
#include "fake-machine.h"
#include "hardware/lodge-add-hardware.h"
#include "hardware/lodge-hardware-page.h"
#include "model/machine-private.h"
#include "library/lodge-machine-page.h"
#include "library/lodge-machine-row.h"
#include "library/lodge-window.h"
#include "machine/lodge-machine-window.h"
#include "settings/lodge-preferences.h"
#include "settings/lodge-shortcuts.h"
#include "widgets/lodge-amount-row.h"
#include "wizard/lodge-wizard.h"

static void
tmpl_run_for (guint ms)
{
  gint64 end = g_get_monotonic_time () + ms * 1000;

  while (g_get_monotonic_time () < end)
    if (!g_main_context_iteration (NULL, FALSE))
      g_usleep (2000);
}

/* Shows @child in a window for a moment. */
static void
tmpl_show (GtkWidget *child)
{
  GtkWidget *window = g_object_new (ADW_TYPE_WINDOW, "default-width", 720, "default-height", 720, NULL);

  adw_window_set_content (ADW_WINDOW (window), child);
  gtk_window_present (GTK_WINDOW (window));
  tmpl_run_for (150);
  gtk_window_destroy (GTK_WINDOW (window));
  tmpl_run_for (30);
}

static void
tmpl_show_dialog (AdwDialog *dialog)
{
  GtkWidget *window = g_object_new (ADW_TYPE_WINDOW, "default-width", 720, "default-height", 720, NULL);
  gpointer watched = dialog;

  g_object_add_weak_pointer (G_OBJECT (dialog), &watched);
  gtk_window_present (GTK_WINDOW (window));
  adw_dialog_present (dialog, window);
  tmpl_run_for (200);
  adw_dialog_force_close (dialog);
  tmpl_run_for (300);
  gtk_window_destroy (GTK_WINDOW (window));
  for (guint i = 0; i < 2000 && watched != NULL; i++)
    tmpl_run_for (20); /* what it still asks for holds it until it is answered */
  g_assert_null (watched);
}

static void
test_machine_row (void)
{
  g_autoptr (FakeMachine) machine = fake_machine_new ("Row", NULL, NULL);
  GtkWidget *row = lodge_machine_row_new ();

  lodge_machine_row_set_machine (LODGE_MACHINE_ROW (row), LODGE_MACHINE (machine), NULL);
  fake_machine_set_state (machine, LODGE_MACHINE_STATE_RUNNING, LODGE_REASON_REQUEST, NULL);
  tmpl_show (row);
}

static void
test_machine_page (void)
{
  g_autoptr (FakeMachine) machine = fake_machine_new ("Page", NULL, NULL);
  GtkWidget *page = g_object_new (LODGE_TYPE_MACHINE_PAGE, NULL);

  lodge_machine_page_set_machine (LODGE_MACHINE_PAGE (page), LODGE_MACHINE (machine));
  for (LodgeMachineState state = LODGE_MACHINE_STATE_OFF; state <= LODGE_MACHINE_STATE_BROKEN; state++)
    fake_machine_set_state (machine, state, LODGE_REASON_NONE, "A sentence.\nAnd its details");
  tmpl_show (page);
}

#define TMPL_CONF \
  "[machine]\nname=One\nuuid=5b2b0f4e-8b1c-4c39-9d5e-0f3c7b1f6a11\nmemory=64\n\n[display0]\nclass=vga\n\n[cdrom0]\nclass=sata-cd\nboot=1\n"

static void
test_hardware_page (void)
{
  g_autoptr (FakeMachine) machine = fake_machine_new ("Page", NULL, NULL);
  GtkWidget *page = g_object_new (LODGE_TYPE_HARDWARE_PAGE, NULL);

  _lodge_machine_set_settings (LODGE_MACHINE (machine), TMPL_CONF);
  lodge_hardware_page_set_machine (LODGE_HARDWARE_PAGE (page), LODGE_MACHINE (machine));
  /* Something is pending, something is added, something is taken out while it is shown. */
  _lodge_machine_set_running_settings (LODGE_MACHINE (machine), TMPL_CONF "[serial0]\nclass=serial\n");
  _lodge_machine_set_settings (LODGE_MACHINE (machine), TMPL_CONF "[serial1]\nclass=serial\n");
  tmpl_show (page);
}

static void
test_add_hardware (void)
{
  g_autoptr (FakeMachine) machine = fake_machine_new ("Page", NULL, NULL);
  g_autoptr (LodgeHardware) hardware = NULL;

  _lodge_machine_set_settings (LODGE_MACHINE (machine), TMPL_CONF);
  hardware = lodge_hardware_new (LODGE_MACHINE (machine));
  tmpl_show_dialog (ADW_DIALOG (lodge_add_hardware_new (hardware)));
}

static void
test_amount_row (void)
{
  GtkWidget *list = gtk_list_box_new (), *row = g_object_new (LODGE_TYPE_AMOUNT_ROW, "title", "Memory", NULL);

  gtk_list_box_append (GTK_LIST_BOX (list), row);

  lodge_amount_row_set_range (LODGE_AMOUNT_ROW (row), 256, 65536, 2048, 16384, "This computer");
  lodge_amount_row_set_value (LODGE_AMOUNT_ROW (row), 3072);
  g_assert_cmpfloat (lodge_amount_row_get_value (LODGE_AMOUNT_ROW (row)), ==, 3072);
  lodge_amount_row_set_value (LODGE_AMOUNT_ROW (row), 1e9);
  g_assert_cmpfloat (lodge_amount_row_get_value (LODGE_AMOUNT_ROW (row)), ==, 65536);
  lodge_amount_row_set_problem (LODGE_AMOUNT_ROW (row), "Too much");
  tmpl_show (list);
}

static void
test_shortcuts (void)
{
  tmpl_show_dialog (lodge_shortcuts_new ());
}

static void
test_preferences (void)
{
  tmpl_show_dialog (lodge_preferences_new ("/somewhere"));
}

static void
test_wizard (void)
{
  g_autofree char *directory = g_dir_make_tmp ("lodge-templates-XXXXXX", NULL);
  g_autoptr (LodgeLibrary) library = lodge_library_new (directory);

  tmpl_show_dialog (ADW_DIALOG (lodge_wizard_new (library, NULL)));
  tmpl_show_dialog (ADW_DIALOG (lodge_wizard_new (library, "/nowhere/at-all.iso")));
}

static void
test_window (void)
{
  g_autofree char *directory = g_dir_make_tmp ("lodge-templates-XXXXXX", NULL);
  g_autoptr (LodgeLibrary) library = lodge_library_new (directory);
  LodgeWindow *window = lodge_window_new (NULL, library);

  gtk_window_present (GTK_WINDOW (window));
  tmpl_run_for (300);
  gtk_window_destroy (GTK_WINDOW (window));
  tmpl_run_for (30);
}

static void
test_machine_window (void)
{
  g_autoptr (FakeMachine) machine = fake_machine_new ("Window", NULL, NULL);
  LodgeMachineWindow *window = lodge_machine_window_new (NULL, LODGE_MACHINE (machine));

  gtk_window_present (GTK_WINDOW (window));
  for (LodgeMachineState state = LODGE_MACHINE_STATE_OFF; state <= LODGE_MACHINE_STATE_BROKEN; state++)
    {
      fake_machine_set_state (machine, state, LODGE_REASON_NO_SPACE, "A sentence & more.\nAnd its details");
      tmpl_run_for (50);
    }
  fake_machine_set_state (machine, LODGE_MACHINE_STATE_OFF, LODGE_REASON_NONE, NULL);
  gtk_window_destroy (GTK_WINDOW (window));
  tmpl_run_for (30);
}

/* The program's own icons come with it: it shows them where nothing was installed, too. */
static void
test_icons (void)
{
  GtkIconTheme *theme = gtk_icon_theme_get_for_display (gdk_display_get_default ());

  g_assert_true (gtk_icon_theme_has_icon (theme, LODGE_APPLICATION_ID));
  g_assert_true (gtk_icon_theme_has_icon (theme, LODGE_APPLICATION_ID "-symbolic"));
}

int
main (int argc, char **argv)
{
  g_autofree char *home = g_dir_make_tmp ("lodge-templates-home-XXXXXX", NULL);

  g_setenv ("XDG_CONFIG_HOME", home, TRUE);
  setlocale (LC_ALL, "");
  gtk_test_init (&argc, &argv, NULL);
  lodge_ui_init ();
  g_test_add_func ("/templates/icons", test_icons);
  g_test_add_func ("/templates/machine-row", test_machine_row);
  g_test_add_func ("/templates/machine-page", test_machine_page);
  g_test_add_func ("/templates/hardware-page", test_hardware_page);
  g_test_add_func ("/templates/add-hardware", test_add_hardware);
  g_test_add_func ("/templates/amount-row", test_amount_row);
  g_test_add_func ("/templates/shortcuts", test_shortcuts);
  g_test_add_func ("/templates/preferences", test_preferences);
  g_test_add_func ("/templates/wizard", test_wizard);
  g_test_add_func ("/templates/window", test_window);
  g_test_add_func ("/templates/machine-window", test_machine_window);
  return g_test_run ();
}
