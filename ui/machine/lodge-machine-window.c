/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "machine/lodge-machine-window.h"

#include <glib/gi18n.h>

#include "engine/bundle-facts.h"
#include "hardware/lodge-device-menu.h"
#include "machine/lodge-screen-window.h"
#include "model/error.h"
#include "settings/lodge-settings.h"
#include "widgets/lodge-display.h"
#include "widgets/lodge-machine-actions.h"
#include "widgets/lodge-menu-names.h"
#include "widgets/lodge-toast.h"

/* How close to the top edge the pointer calls the bar in full screen, and how far below the bar sends it away; pixels. */
#define LMWIN_EDGE 2
#define LMWIN_BELOW_BAR 48

#define LMWIN_CLOSE_KEY "close"
#define LMWIN_FOLLOW_KEY "resize-guest"
#define LMWIN_MAX_SCREENS 16

struct _LodgeMachineWindow {
  AdwApplicationWindow parent_instance;

  AdwToolbarView *toolbar;
  AdwWindowTitle *title;
  GtkButton *pause_button;
  GtkMenuButton *power_button;
  GtkMenuButton *menu_button;
  GtkMenuButton *view_button;
  GtkMenuButton *keys_button;
  GtkMenuButton *disc_button;
  GMenu *keys_section;
  GtkBox *screens_box;
  GMenu *screens_section;
  GMenu *screens_section_2;
  GMenu *devices_section;
  GMenu *devices_part;
  AdwBanner *banner;
  GtkStack *stack;
  GtkScrolledWindow *scrolled;
  LodgeDisplay *display;
  GtkWidget *paused_box;
  AdwStatusPage *off_page;
  GtkWidget *off_details_button;
  GtkWidget *failed_box;
  GtkLabel *failed_label;
  GtkWidget *failed_details_button;

  LodgeMachine *machine;
  LodgeMachineActions *actions;
  LodgeDeviceMenu *devices;
  LodgeMachineState last_state;
  LodgeClosePolicy policy;                      /* this machine's own; ASK: none */
  guint head;                                   /* which of the guest's screens is shown */
  GtkWindow *screen_windows[LMWIN_MAX_SCREENS]; /* weak: screens that have a window of their own */
  gboolean told_release;                        /* how to give the keyboard back was told in this window */
  gboolean regrab;                              /* the guest had the keyboard before a menu took it */
  gboolean closing;                             /* the guest was asked to shut down; the window goes when it has */
  gboolean close_now;                           /* nothing is left to ask */
};

G_DEFINE_FINAL_TYPE (LodgeMachineWindow, lodge_machine_window, ADW_TYPE_APPLICATION_WINDOW)

/* --- What is shown --- */

static void
lmwin_grab (LodgeMachineWindow *self)
{
  if (lodge_machine_get_state (self->machine) == LODGE_MACHINE_STATE_RUNNING)
    lodge_display_grab (self->display);
}

/* What the machine has to say: its sentence, and whether there is more behind a button. */
static char *
lmwin_dup_message (LodgeMachineWindow *self, GtkWidget *details_button)
{
  const char *message = lodge_machine_get_message (self->machine);
  g_autofree char *details = NULL;
  char *sentence = message != NULL ? lodge_error_split (message, &details) : NULL;

  gtk_widget_set_visible (details_button, details != NULL);
  return sentence;
}

static void
lmwin_update_messages (LodgeMachineWindow *self)
{
  g_autofree char *off = lmwin_dup_message (self, self->off_details_button);
  g_autofree char *failed = lmwin_dup_message (self, self->failed_details_button);
  g_autofree char *escaped = off != NULL ? g_markup_escape_text (off, -1) : NULL;

  adw_status_page_set_description (self->off_page, escaped);
  gtk_label_set_label (self->failed_label, failed != NULL ? failed : "");
  gtk_widget_set_visible (GTK_WIDGET (self->failed_label), failed != NULL);
}

static void
lmwin_update_banner (LodgeMachineWindow *self)
{
  LodgeReason reason = lodge_machine_get_reason (self->machine);
  const char *message = lodge_machine_get_message (self->machine);
  gboolean revealed = lodge_machine_get_state (self->machine) == LODGE_MACHINE_STATE_PAUSED
                      && (reason == LODGE_REASON_NO_SPACE || reason == LODGE_REASON_IO_ERROR);

  if (revealed)
    {
      g_autofree char *sentence = message != NULL ? lodge_error_split (message, NULL) : NULL;

      adw_banner_set_title (self->banner, sentence != NULL ? sentence
                                          : reason == LODGE_REASON_NO_SPACE
                                              ? _ ("This computer’s disk is full. Make room, then try again.")
                                              : _ ("This computer’s disk failed. The machine is paused."));
    }
  adw_banner_set_revealed (self->banner, revealed);
}

static void on_machine_changed_cb (LodgeMachineWindow *self);

static void
lmwin_set_enabled (LodgeMachineWindow *self, const char *name, gboolean enabled)
{
  GAction *action = g_action_map_lookup_action (G_ACTION_MAP (self), name);

  g_simple_action_set_enabled (G_SIMPLE_ACTION (action), enabled);
}

/* A button and an entry of the menu for each screen, where there are several. */
static void
on_screens_changed_cb (LodgeMachineWindow *self)
{
  guint n = MIN (g_list_model_get_n_items (lodge_machine_get_consoles (self->machine)), LMWIN_MAX_SCREENS);
  GMenu *sections[] = { self->screens_section, self->screens_section_2 };
  GtkWidget *child;

  while ((child = gtk_widget_get_first_child (GTK_WIDGET (self->screens_box))) != NULL)
    gtk_box_remove (self->screens_box, child);
  for (guint i = 0; i < G_N_ELEMENTS (sections); i++)
    g_menu_remove_all (sections[i]);
  gtk_widget_set_visible (GTK_WIDGET (self->screens_box), n > 1);
  for (guint head = 0; n > 1 && head < n; head++)
    {
      g_autofree char *label = g_strdup_printf (_ ("Screen %u"), head + 1);
      g_autofree char *number = g_strdup_printf ("%u", head + 1);
      GtkWidget *button = gtk_toggle_button_new ();

      gtk_button_set_child (GTK_BUTTON (button), gtk_label_new (number)); /* its own label would be its name */
      gtk_actionable_set_action_name (GTK_ACTIONABLE (button), "win.screen");
      gtk_actionable_set_action_target (GTK_ACTIONABLE (button), "u", head);
      gtk_widget_set_tooltip_text (button, label);
      gtk_accessible_update_property (GTK_ACCESSIBLE (button), GTK_ACCESSIBLE_PROPERTY_LABEL, label, -1);
      gtk_box_append (self->screens_box, button);
      for (guint i = 0; i < G_N_ELEMENTS (sections); i++)
        {
          g_autoptr (GMenuItem) item = g_menu_item_new (label, NULL);

          g_menu_item_set_action_and_target (item, "win.screen", "u", head);
          g_menu_append_item (sections[i], item);
        }
    }
  for (guint i = 0; n > 1 && i < G_N_ELEMENTS (sections); i++)
    g_menu_append (sections[i], _ ("Open in _New Window"), "win.screen-window");
  on_machine_changed_cb (self);
}

/* The screen that is shown; the first where there is no such. */
static LodgeConsole *
lmwin_dup_console (LodgeMachineWindow *self)
{
  GListModel *consoles = lodge_machine_get_consoles (self->machine);
  LodgeConsole *console = g_list_model_get_item (consoles, self->head);

  return console != NULL ? console : g_list_model_get_item (consoles, 0);
}

static void
on_machine_changed_cb (LodgeMachineWindow *self)
{
  LodgeMachineState state = lodge_machine_get_state (self->machine);
  g_autoptr (LodgeConsole) console = lmwin_dup_console (self);
  const char *page;

  adw_window_title_set_title (self->title, lodge_machine_get_name (self->machine));
  adw_window_title_set_subtitle (self->title, state == LODGE_MACHINE_STATE_RUNNING ? "" : lodge_machine_state_to_label (state));
  gtk_window_set_title (GTK_WINDOW (self), lodge_machine_get_name (self->machine));

  lodge_display_set_console (self->display, console);
  lodge_display_set_interactive (self->display, state == LODGE_MACHINE_STATE_RUNNING);
  lmwin_set_enabled (self, "follow", console != NULL && lodge_console_can_resize (console));
  gtk_widget_set_visible (self->paused_box, state == LODGE_MACHINE_STATE_PAUSED);
  gtk_widget_set_visible (self->failed_box, state == LODGE_MACHINE_STATE_FAILED);
  if (state == LODGE_MACHINE_STATE_PAUSED || state == LODGE_MACHINE_STATE_FAILED)
    gtk_widget_add_css_class (GTK_WIDGET (self->display), "still");
  else
    gtk_widget_remove_css_class (GTK_WIDGET (self->display), "still");

  gtk_button_set_icon_name (self->pause_button, state == LODGE_MACHINE_STATE_PAUSED ? "media-playback-start-symbolic"
                                                                                    : "media-playback-pause-symbolic");
  gtk_widget_set_tooltip_text (GTK_WIDGET (self->pause_button), state == LODGE_MACHINE_STATE_PAUSED ? _ ("Resume") : _ ("Pause"));
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "win.toggle-pause",
                                 lodge_machine_can (self->machine, LODGE_VERB_PAUSE)
                                     || lodge_machine_can (self->machine, LODGE_VERB_RESUME));

  switch (state)
    {
    case LODGE_MACHINE_STATE_STARTING:
      page = console != NULL ? "screen" : "starting";
      break;
    case LODGE_MACHINE_STATE_RUNNING:
    case LODGE_MACHINE_STATE_PAUSED:
    case LODGE_MACHINE_STATE_FAILED:
      page = "screen"; /* the last one, where it does not move */
      break;
    case LODGE_MACHINE_STATE_BROKEN:
    case LODGE_MACHINE_STATE_OFF:
    default:
      page = "off";
      break;
    }
  gtk_stack_set_visible_child_name (self->stack, page);
  lmwin_update_messages (self);
  lmwin_update_banner (self);

  if (state == self->last_state)
    return;
  self->last_state = state;
  if (state == LODGE_MACHINE_STATE_RUNNING)
    lmwin_grab (self);
  else if (state == LODGE_MACHINE_STATE_OFF && self->closing)
    {
      self->close_now = TRUE;
      gtk_window_close (GTK_WINDOW (self));
    }
}

static void
on_details_clicked_cb (LodgeMachineWindow *self)
{
  const char *message = lodge_machine_get_message (self->machine);
  g_autofree char *details = NULL;
  g_autofree char *sentence = message != NULL ? lodge_error_split (message, &details) : NULL;

  lodge_show_details (GTK_WIDGET (self), lodge_machine_get_name (self->machine), sentence, details);
}

/* --- Keyboard and full screen --- */

static void
lmwin_update_bars (LodgeMachineWindow *self, gboolean revealed)
{
  gboolean fullscreen = gtk_window_is_fullscreen (GTK_WINDOW (self));

  adw_toolbar_view_set_extend_content_to_top_edge (self->toolbar, fullscreen);
  adw_toolbar_view_set_reveal_top_bars (self->toolbar, !fullscreen || revealed);
}

static gboolean
lmwin_has_menu (LodgeMachineWindow *self)
{
  GtkMenuButton *buttons[] = { self->power_button, self->menu_button, self->view_button, self->keys_button, self->disc_button };

  for (guint i = 0; i < G_N_ELEMENTS (buttons); i++)
    if (gtk_menu_button_get_active (buttons[i]))
      return TRUE;
  return FALSE;
}

static void
on_pointer_moved_cb (GtkEventControllerMotion *controller, double x, double y, LodgeMachineWindow *self)
{
  if (!gtk_window_is_fullscreen (GTK_WINDOW (self)))
    return;
  if (y <= LMWIN_EDGE)
    lmwin_update_bars (self, TRUE);
  else if (y > adw_toolbar_view_get_top_bar_height (self->toolbar) + LMWIN_BELOW_BAR && !lmwin_has_menu (self)
           && lodge_display_get_grabbed (self->display))
    lmwin_update_bars (self, FALSE);
}

static void
on_grabbed_changed_cb (LodgeMachineWindow *self)
{
  gboolean grabbed = lodge_display_get_grabbed (self->display);

  lmwin_update_bars (self, !grabbed);
  if (!grabbed || self->told_release)
    return;
  self->told_release = TRUE;
  {
    g_autofree char *text
        = g_strdup_printf (_ ("Press %s to give the keyboard back"),
                           lodge_release_keys_get_label (lodge_settings_get_release_keys (lodge_settings_get_default ())));

    lodge_toast_show (GTK_WIDGET (self->toolbar), text);
  }
}

/* A menu takes the keyboard; when it closes, the guest gets it again. */
static void
on_menu_toggled_cb (GtkMenuButton *button, GParamSpec *pspec, LodgeMachineWindow *self)
{
  if (gtk_menu_button_get_active (button))
    {
      self->regrab |= lodge_display_get_grabbed (self->display);
      lodge_display_release (self->display);
    }
  else if (self->regrab && !lmwin_has_menu (self))
    {
      self->regrab = FALSE;
      lmwin_grab (self);
    }
}

static void
on_fullscreen_changed_cb (LodgeMachineWindow *self)
{
  lmwin_update_bars (self, !lodge_display_get_grabbed (self->display));
}

static void
on_fullscreen_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  LodgeMachineWindow *self = LODGE_MACHINE_WINDOW (widget);

  if (gtk_window_is_fullscreen (GTK_WINDOW (self)))
    gtk_window_unfullscreen (GTK_WINDOW (self));
  else
    {
      gtk_window_fullscreen (GTK_WINDOW (self));
      lmwin_grab (self);
    }
}

static void
on_scaling_changed_cb (GSimpleAction *action, GVariant *value, gpointer data)
{
  LodgeMachineWindow *self = LODGE_MACHINE_WINDOW (data);
  gboolean original = g_strcmp0 (g_variant_get_string (value, NULL), "original") == 0;
  GtkPolicyType policy = original ? GTK_POLICY_AUTOMATIC : GTK_POLICY_NEVER;

  g_simple_action_set_state (action, value);
  gtk_scrolled_window_set_policy (self->scrolled, policy, policy);
  lodge_display_set_scaling (self->display, original ? LODGE_SCALING_ORIGINAL : LODGE_SCALING_FIT);
}

static void
on_follow_stored_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LodgeMachineWindow) self = LODGE_MACHINE_WINDOW (data);
  g_autoptr (GError) error = NULL;

  if (!lodge_bundle_set_window_setting_finish (LODGE_MACHINE (source), result, &error))
    lodge_toast_error (GTK_WIDGET (self->toolbar), error);
}

static void
on_follow_changed_cb (GSimpleAction *action, GVariant *value, gpointer data)
{
  LodgeMachineWindow *self = LODGE_MACHINE_WINDOW (data);
  gboolean follow = g_variant_get_boolean (value);

  g_simple_action_set_state (action, value);
  lodge_display_set_follow (self->display, follow);
  lodge_bundle_set_window_setting_async (self->machine, LMWIN_FOLLOW_KEY, follow ? NULL : "false", NULL, on_follow_stored_cb,
                                         g_object_ref (self));
}

static void
on_follow_loaded_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LodgeMachineWindow) self = LODGE_MACHINE_WINDOW (data);
  g_autofree char *value = lodge_bundle_get_window_setting_finish (LODGE_MACHINE (source), result, NULL);
  gboolean follow = g_strcmp0 (value, "false") != 0;
  GAction *action = g_action_map_lookup_action (G_ACTION_MAP (self), "follow");

  if (self->machine == NULL)
    return; /* the window is gone */
  g_simple_action_set_state (G_SIMPLE_ACTION (action), g_variant_new_boolean (follow));
  lodge_display_set_follow (self->display, follow);
}

static void
on_screen_changed_cb (GSimpleAction *action, GVariant *value, gpointer data)
{
  LodgeMachineWindow *self = LODGE_MACHINE_WINDOW (data);
  guint head = g_variant_get_uint32 (value);

  if (head >= LMWIN_MAX_SCREENS)
    return;
  if (self->screen_windows[head] != NULL)
    {
      gtk_window_present (self->screen_windows[head]);
      return;
    }
  g_simple_action_set_state (action, value);
  self->head = head;
  lodge_machine_actions_set_head (self->actions, head);
  on_machine_changed_cb (self);
  lmwin_grab (self);
}

/* The screen shown here moves to a window of its own; here comes another that has none. One screen is always here: a console is drawn in one
 * place at a time. */
static void
on_screen_window_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  LodgeMachineWindow *self = LODGE_MACHINE_WINDOW (widget);
  g_autoptr (LodgeConsole) console = lmwin_dup_console (self);
  guint n = MIN (g_list_model_get_n_items (lodge_machine_get_consoles (self->machine)), LMWIN_MAX_SCREENS);
  guint moved = self->head, other = 0;
  GtkWindow *window;

  while (other < n && (other == moved || self->screen_windows[other] != NULL))
    other++;
  if (console == NULL || other >= n || moved >= n)
    return;
  gtk_widget_activate_action (widget, "win.screen", "u", other);
  window = lodge_screen_window_new (gtk_window_get_application (GTK_WINDOW (self)), self->machine, console, moved);
  g_set_weak_pointer (&self->screen_windows[moved], window);
  g_object_bind_property (self->display, "follow", lodge_screen_window_get_display (LODGE_SCREEN_WINDOW (window)), "follow",
                          G_BINDING_SYNC_CREATE);
  g_signal_connect_object (self, "destroy", G_CALLBACK (gtk_window_destroy), window, G_CONNECT_SWAPPED);
  gtk_window_present (window);
}

static void
on_toggle_pause_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  LodgeMachineWindow *self = LODGE_MACHINE_WINDOW (widget);

  lodge_machine_actions_act (self->actions,
                             lodge_machine_can (self->machine, LODGE_VERB_RESUME) ? LODGE_VERB_RESUME : LODGE_VERB_PAUSE);
}

/* --- Closing --- */

static LodgeClosePolicy
lmwin_get_policy (LodgeMachineWindow *self)
{
  return self->policy != LODGE_CLOSE_ASK ? self->policy : lodge_settings_get_close_policy (lodge_settings_get_default ());
}

static void
on_policy_loaded_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LodgeMachineWindow) self = LODGE_MACHINE_WINDOW (data);
  g_autofree char *nick = lodge_bundle_get_window_setting_finish (LODGE_MACHINE (source), result, NULL);

  /* A machine.conf that cannot be read is told by the machine itself. */
  self->policy = lodge_close_policy_from_nick (nick);
}

static void
on_policy_stored_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LodgeMachineWindow) self = LODGE_MACHINE_WINDOW (data);
  g_autoptr (GError) error = NULL;

  if (!lodge_bundle_set_window_setting_finish (LODGE_MACHINE (source), result, &error))
    lodge_toast_error (GTK_WIDGET (self->toolbar), error);
}

static void
on_forced_off_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LodgeMachineWindow) self = LODGE_MACHINE_WINDOW (data);
  g_autoptr (GError) error = NULL;

  if (!lodge_machine_act_finish (LODGE_MACHINE (source), result, &error)
      && !g_error_matches (error, LODGE_ERROR, LODGE_ERROR_NOT_RUNNING))
    {
      lodge_toast_error (GTK_WIDGET (self->toolbar), error);
      return;
    }
  self->close_now = TRUE;
  gtk_window_close (GTK_WINDOW (self));
}

static void
lmwin_close (LodgeMachineWindow *self, LodgeClosePolicy policy)
{
  /* A machine that goes off at once takes the window with it. */
  g_autoptr (LodgeMachineWindow) held = g_object_ref (self);

  switch (policy)
    {
    case LODGE_CLOSE_SHUT_DOWN:
      if (lodge_machine_can (self->machine, LODGE_VERB_SHUT_DOWN) && !self->closing)
        {
          self->closing = TRUE;
          lodge_machine_actions_act (self->actions, LODGE_VERB_SHUT_DOWN);
          lodge_toast_show (GTK_WIDGET (self->toolbar), _ ("The guest was asked to shut down. The window closes when it has."));
        }
      break;
    case LODGE_CLOSE_TURN_OFF:
      lodge_machine_act_async (self->machine, LODGE_VERB_FORCE_OFF, NULL, on_forced_off_cb, g_object_ref (self));
      break;
    case LODGE_CLOSE_KEEP_RUNNING:
      self->close_now = TRUE;
      gtk_window_close (GTK_WINDOW (self));
      break;
    case LODGE_CLOSE_ASK:
    default:
      break;
    }
}

typedef struct {
  LodgeMachineWindow *window; /* not owned: the dialog lives in it */
  GtkCheckButton *choices[4]; /* by LodgeClosePolicy */
  GtkCheckButton *remember;   /* NULL: the question is what to remember */
} LmwinQuestion;

static void
on_close_answered_cb (AdwAlertDialog *dialog, const char *response, gpointer data)
{
  LmwinQuestion *question = data;
  LodgeMachineWindow *self = question->window;
  LodgeClosePolicy policy = LODGE_CLOSE_ASK;

  if (g_strcmp0 (response, "ok") != 0)
    return;
  for (guint i = 0; i < G_N_ELEMENTS (question->choices); i++)
    if (question->choices[i] != NULL && gtk_check_button_get_active (question->choices[i]))
      policy = i;
  if (question->remember == NULL || gtk_check_button_get_active (question->remember))
    {
      self->policy = policy;
      lodge_bundle_set_window_setting_async (self->machine, LMWIN_CLOSE_KEY,
                                             policy != LODGE_CLOSE_ASK ? lodge_close_policy_to_nick (policy) : NULL, NULL,
                                             on_policy_stored_cb, g_object_ref (self));
    }
  if (question->remember != NULL)
    lmwin_close (self, policy);
}

static GtkCheckButton *
lmwin_add_choice (GtkListBox *list, GtkCheckButton *group, const char *title, const char *subtitle)
{
  GtkWidget *row = adw_action_row_new (), *check = gtk_check_button_new ();

  adw_preferences_row_set_use_underline (ADW_PREFERENCES_ROW (row), TRUE);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), title);
  adw_action_row_set_subtitle (ADW_ACTION_ROW (row), subtitle);
  gtk_widget_set_valign (check, GTK_ALIGN_CENTER);
  gtk_check_button_set_group (GTK_CHECK_BUTTON (check), group);
  adw_action_row_add_prefix (ADW_ACTION_ROW (row), check);
  adw_action_row_set_activatable_widget (ADW_ACTION_ROW (row), check);
  gtk_list_box_append (list, row);
  return GTK_CHECK_BUTTON (check);
}

static void
lmwin_ask (LodgeMachineWindow *self, gboolean closing)
{
  AdwDialog *dialog = adw_alert_dialog_new (closing ? _ ("Close the Window?") : _ ("When the Window Is Closed"), NULL);
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 12), *list = gtk_list_box_new ();
  LmwinQuestion *question = g_new0 (LmwinQuestion, 1);
  LodgeClosePolicy present = lmwin_get_policy (self);
  gboolean can_shut_down = lodge_machine_can (self->machine, LODGE_VERB_SHUT_DOWN);

  question->window = self;
  gtk_list_box_set_selection_mode (GTK_LIST_BOX (list), GTK_SELECTION_NONE);
  gtk_widget_add_css_class (list, "boxed-list");
  question->choices[LODGE_CLOSE_KEEP_RUNNING] = lmwin_add_choice (GTK_LIST_BOX (list), NULL, _ ("_Keep Running"),
                                                                  _ ("In the background, without a window"));
  if (!closing || can_shut_down)
    question->choices[LODGE_CLOSE_SHUT_DOWN] = lmwin_add_choice (GTK_LIST_BOX (list), question->choices[LODGE_CLOSE_KEEP_RUNNING],
                                                                 _ ("_Shut Down"), _ ("The guest is asked to turn itself off"));
  question->choices[LODGE_CLOSE_TURN_OFF] = lmwin_add_choice (GTK_LIST_BOX (list), question->choices[LODGE_CLOSE_KEEP_RUNNING],
                                                              _ ("_Force Off"), _ ("What the guest has not saved is lost"));
  if (!closing)
    question->choices[LODGE_CLOSE_ASK] = lmwin_add_choice (GTK_LIST_BOX (list), question->choices[LODGE_CLOSE_KEEP_RUNNING],
                                                           _ ("_Ask"), _ ("Each time"));
  if (closing && present == LODGE_CLOSE_ASK)
    present = LODGE_CLOSE_KEEP_RUNNING;
  if (question->choices[present] == NULL)
    present = LODGE_CLOSE_KEEP_RUNNING;
  gtk_check_button_set_active (question->choices[present], TRUE);
  gtk_box_append (GTK_BOX (box), list);

  if (closing)
    {
      question->remember = GTK_CHECK_BUTTON (gtk_check_button_new_with_mnemonic (_ ("_Remember for this machine")));
      /* GTK leaves the mnemonic's underscore in the name that it tells. */
      gtk_accessible_update_property (GTK_ACCESSIBLE (question->remember), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                      _ ("Remember for this machine"), -1);
      gtk_box_append (GTK_BOX (box), GTK_WIDGET (question->remember));
    }

  adw_alert_dialog_set_extra_child (ADW_ALERT_DIALOG (dialog), box);
  adw_alert_dialog_add_responses (ADW_ALERT_DIALOG (dialog), "cancel", _ ("_Cancel"), "ok", closing ? _ ("C_lose") : _ ("_Apply"),
                                  NULL);
  adw_alert_dialog_set_response_appearance (ADW_ALERT_DIALOG (dialog), "ok", ADW_RESPONSE_SUGGESTED);
  adw_alert_dialog_set_default_response (ADW_ALERT_DIALOG (dialog), "ok");
  adw_alert_dialog_set_close_response (ADW_ALERT_DIALOG (dialog), "cancel");
  g_signal_connect_data (dialog, "response", G_CALLBACK (on_close_answered_cb), question, (GClosureNotify) (void (*) (void)) g_free,
                         0);
  lodge_display_release (self->display);
  adw_dialog_present (dialog, GTK_WIDGET (self));
}

static gboolean
lodge_machine_window_close_request (GtkWindow *window)
{
  LodgeMachineWindow *self = LODGE_MACHINE_WINDOW (window);
  LodgeClosePolicy policy;

  if (self->close_now || !lodge_machine_is_on (self->machine))
    return GTK_WINDOW_CLASS (lodge_machine_window_parent_class)->close_request (window);
  if (adw_application_window_get_visible_dialog (ADW_APPLICATION_WINDOW (self)) != NULL)
    return TRUE;

  /* A machine that has failed has nothing to lose and nothing left to do. */
  if (lodge_machine_get_state (self->machine) == LODGE_MACHINE_STATE_FAILED)
    {
      lmwin_close (self, LODGE_CLOSE_TURN_OFF);
      return TRUE;
    }

  policy = lmwin_get_policy (self);
  if (policy == LODGE_CLOSE_SHUT_DOWN && (self->closing || !lodge_machine_can (self->machine, LODGE_VERB_SHUT_DOWN)))
    policy = LODGE_CLOSE_ASK;
  if (policy == LODGE_CLOSE_ASK)
    lmwin_ask (self, TRUE);
  else
    lmwin_close (self, policy);
  return TRUE;
}

static void
on_choose_close_policy_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  lmwin_ask (LODGE_MACHINE_WINDOW (widget), FALSE);
}

/* --- Discs dropped on the window --- */

static gboolean
on_dropped_cb (GtkDropTarget *target, const GValue *value, double x, double y, LodgeMachineWindow *self)
{
  GSList *files = g_value_get_boxed (value);
  GFile *file = files != NULL ? files->data : NULL;

  if (file == NULL || g_file_peek_path (file) == NULL
      || (lodge_machine_get_capabilities (self->machine) & LODGE_CAPABILITY_MEDIUM) == 0)
    return FALSE;
  lodge_machine_actions_insert (self->actions, g_file_peek_path (file));
  return TRUE;
}

/* --- Object --- */

static void
lodge_machine_window_dispose (GObject *object)
{
  LodgeMachineWindow *self = LODGE_MACHINE_WINDOW (object);

  if (self->machine != NULL)
    g_signal_handlers_disconnect_by_data (self->machine, self);
  for (guint i = 0; i < LMWIN_MAX_SCREENS; i++)
    g_clear_weak_pointer (&self->screen_windows[i]);
  g_clear_object (&self->actions);
  g_clear_object (&self->devices);
  gtk_widget_dispose_template (GTK_WIDGET (self), LODGE_TYPE_MACHINE_WINDOW);
  g_clear_object (&self->machine);
  G_OBJECT_CLASS (lodge_machine_window_parent_class)->dispose (object);
}

static void
lodge_machine_window_class_init (LodgeMachineWindowClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = lodge_machine_window_dispose;
  GTK_WINDOW_CLASS (klass)->close_request = lodge_machine_window_close_request;

  g_type_ensure (LODGE_TYPE_DISPLAY);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/lodge_vm/Lodge/machine/lodge-machine-window.ui");
  gtk_widget_class_bind_template_child (widget_class, LodgeMachineWindow, toolbar);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachineWindow, title);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachineWindow, pause_button);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachineWindow, power_button);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachineWindow, menu_button);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachineWindow, view_button);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachineWindow, keys_button);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachineWindow, disc_button);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachineWindow, keys_section);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachineWindow, screens_box);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachineWindow, screens_section);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachineWindow, screens_section_2);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachineWindow, devices_section);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachineWindow, devices_part);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachineWindow, banner);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachineWindow, stack);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachineWindow, scrolled);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachineWindow, display);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachineWindow, paused_box);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachineWindow, off_page);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachineWindow, off_details_button);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachineWindow, failed_box);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachineWindow, failed_label);
  gtk_widget_class_bind_template_child (widget_class, LodgeMachineWindow, failed_details_button);
  gtk_widget_class_bind_template_callback (widget_class, on_grabbed_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_menu_toggled_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_details_clicked_cb);

  gtk_widget_class_install_action (widget_class, "win.fullscreen", NULL, on_fullscreen_cb);
  gtk_widget_class_install_action (widget_class, "win.toggle-pause", NULL, on_toggle_pause_cb);
  gtk_widget_class_install_action (widget_class, "win.screen-window", NULL, on_screen_window_cb);
  gtk_widget_class_install_action (widget_class, "win.choose-close-policy", NULL, on_choose_close_policy_cb);
}

static void
lodge_machine_window_init (LodgeMachineWindow *self)
{
  static const GActionEntry entries[] = {
    { .name = "scaling", .parameter_type = "s", .state = "'fit'", .change_state = on_scaling_changed_cb },
    { .name = "follow", .state = "true", .change_state = on_follow_changed_cb },
    { .name = "screen", .parameter_type = "u", .state = "uint32 0", .change_state = on_screen_changed_cb },
  };
  g_autoptr (GMenuModel) keys = lodge_machine_actions_build_keys_menu ();
  GtkEventController *motion = gtk_event_controller_motion_new ();
  GtkDropTarget *drop = gtk_drop_target_new (GDK_TYPE_FILE_LIST, GDK_ACTION_COPY);

  gtk_widget_init_template (GTK_WIDGET (self));

  g_action_map_add_action_entries (G_ACTION_MAP (self), entries, G_N_ELEMENTS (entries), self);
  self->actions = lodge_machine_actions_new (GTK_WIDGET (self));
  gtk_widget_insert_action_group (GTK_WIDGET (self), "machine", G_ACTION_GROUP (self->actions));
  self->devices = lodge_device_menu_new (GTK_WIDGET (self));
  gtk_widget_insert_action_group (GTK_WIDGET (self), "device", G_ACTION_GROUP (self->devices));
  g_menu_append_section (self->devices_section, NULL, lodge_device_menu_get_section (self->devices));
  g_menu_append_section (self->devices_part, NULL, lodge_device_menu_get_section (self->devices));
  gtk_menu_button_set_menu_model (self->keys_button, keys);
  g_menu_append_submenu (self->keys_section, _ ("Send _Keys"), keys);
  lodge_menu_names_add (GTK_WIDGET (self));
  g_signal_connect (self, "notify::fullscreened", G_CALLBACK (on_fullscreen_changed_cb), NULL);

  gtk_event_controller_set_propagation_phase (motion, GTK_PHASE_CAPTURE);
  g_signal_connect (motion, "motion", G_CALLBACK (on_pointer_moved_cb), self);
  gtk_widget_add_controller (GTK_WIDGET (self), motion);

  g_signal_connect (drop, "drop", G_CALLBACK (on_dropped_cb), self);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (drop));
}

LodgeMachineWindow *
lodge_machine_window_new (AdwApplication *application, LodgeMachine *machine)
{
  static const char *const watched[] = { "notify::state", "notify::reason", "notify::message",
                                         "notify::busy",  "notify::name",   "notify::console" };
  LodgeMachineWindow *self = g_object_new (LODGE_TYPE_MACHINE_WINDOW, "application", application, NULL);
  g_autofree char *label = g_strdup_printf (_ ("Screen of %s"), lodge_machine_get_name (machine));

  self->machine = g_object_ref (machine);
  self->last_state = LODGE_MACHINE_STATE_OFF;
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->display), GTK_ACCESSIBLE_PROPERTY_LABEL, label, -1);
  lodge_machine_actions_set_machine (self->actions, machine);
  lodge_device_menu_set_machine (self->devices, machine);
  for (guint i = 0; i < G_N_ELEMENTS (watched); i++)
    g_signal_connect_object (machine, watched[i], G_CALLBACK (on_machine_changed_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (lodge_machine_get_consoles (machine), "items-changed", G_CALLBACK (on_screens_changed_cb), self,
                           G_CONNECT_SWAPPED);
  on_screens_changed_cb (self);
  lodge_bundle_get_window_setting_async (machine, LMWIN_FOLLOW_KEY, NULL, on_follow_loaded_cb, g_object_ref (self));
  lodge_bundle_get_window_setting_async (machine, LMWIN_CLOSE_KEY, NULL, on_policy_loaded_cb, g_object_ref (self));
  return self;
}
