/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/lodge-toast.h"

#include <glib/gi18n.h>

#include "model/error.h"

void
lodge_toast_add (GtkWidget *widget, AdwToast *toast)
{
  GtkWidget *overlay = gtk_widget_get_ancestor (widget, ADW_TYPE_TOAST_OVERLAY);

  if (overlay == NULL)
    {
      /* From a window itself, or a dialog over it: the overlay is its first child that is one. */
      GtkRoot *root = gtk_widget_get_root (widget);

      for (GtkWidget *child = root != NULL ? gtk_widget_get_first_child (GTK_WIDGET (root)) : NULL;
           child != NULL && overlay == NULL;)
        {
          GtkWidget *next = gtk_widget_get_first_child (child);

          if (ADW_IS_TOAST_OVERLAY (child))
            overlay = child;
          if (next == NULL)
            next = gtk_widget_get_next_sibling (child);
          for (GtkWidget *up = gtk_widget_get_parent (child); next == NULL && up != NULL && up != GTK_WIDGET (root);
               up = gtk_widget_get_parent (up))
            next = gtk_widget_get_next_sibling (up);
          child = next;
        }
    }

  if (overlay != NULL)
    adw_toast_overlay_add_toast (ADW_TOAST_OVERLAY (overlay), toast);
  else
    g_object_unref (g_object_ref_sink (toast));
}

void
lodge_toast_show (GtkWidget *widget, const char *text)
{
  AdwToast *toast = adw_toast_new (text);

  adw_toast_set_use_markup (toast, FALSE);
  lodge_toast_add (widget, toast);
}

static void
on_details_copied_cb (AdwAlertDialog *dialog, const char *response, gpointer data)
{
  const char *text = g_object_get_data (G_OBJECT (dialog), "lodge-details");

  gdk_clipboard_set_text (gtk_widget_get_clipboard (GTK_WIDGET (dialog)), text);
}

void
lodge_show_details (GtkWidget *parent, const char *heading, const char *body, const char *text)
{
  AdwDialog *dialog = adw_alert_dialog_new (heading, body);

  if (text != NULL && *text != '\0')
    {
      GtkWidget *label = gtk_label_new (text), *scrolled = gtk_scrolled_window_new ();

      gtk_label_set_selectable (GTK_LABEL (label), TRUE);
      gtk_label_set_wrap (GTK_LABEL (label), TRUE);
      gtk_label_set_wrap_mode (GTK_LABEL (label), PANGO_WRAP_WORD_CHAR);
      gtk_label_set_xalign (GTK_LABEL (label), 0);
      gtk_widget_add_css_class (label, "monospace");
      gtk_widget_add_css_class (label, "details");
      gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (scrolled), label);
      gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (scrolled), GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
      gtk_scrolled_window_set_propagate_natural_height (GTK_SCROLLED_WINDOW (scrolled), TRUE);
      gtk_scrolled_window_set_max_content_height (GTK_SCROLLED_WINDOW (scrolled), 300);
      gtk_widget_add_css_class (scrolled, "card");
      adw_alert_dialog_set_extra_child (ADW_ALERT_DIALOG (dialog), scrolled);
      g_object_set_data_full (G_OBJECT (dialog), "lodge-details", g_strdup (text), g_free);
      adw_alert_dialog_add_response (ADW_ALERT_DIALOG (dialog), "copy", _ ("_Copy Details"));
      g_signal_connect (dialog, "response::copy", G_CALLBACK (on_details_copied_cb), NULL);
    }
  adw_alert_dialog_add_response (ADW_ALERT_DIALOG (dialog), "close", _ ("_Close"));
  adw_alert_dialog_set_default_response (ADW_ALERT_DIALOG (dialog), "close");
  adw_alert_dialog_set_close_response (ADW_ALERT_DIALOG (dialog), "close");
  adw_dialog_present (dialog, parent);
}

static void
on_toast_details_clicked_cb (AdwToast *toast, gpointer data)
{
  GtkWidget *widget = g_object_get_data (G_OBJECT (toast), "lodge-widget");

  if (widget != NULL)
    lodge_show_details (widget, _ ("Something Went Wrong"), adw_toast_get_title (toast),
                        g_object_get_data (G_OBJECT (toast), "lodge-details"));
}

void
lodge_toast_error (GtkWidget *widget, const GError *error)
{
  g_autofree char *details = NULL;
  g_autofree char *text = NULL;
  AdwToast *toast;

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED)
      || g_error_matches (error, GTK_DIALOG_ERROR, GTK_DIALOG_ERROR_DISMISSED)
      || g_error_matches (error, GTK_DIALOG_ERROR, GTK_DIALOG_ERROR_CANCELLED))
    return;

  text = lodge_error_split (error->message, &details);
  toast = adw_toast_new (text);
  adw_toast_set_use_markup (toast, FALSE);
  adw_toast_set_timeout (toast, 10);
  if (details != NULL || g_utf8_strlen (text, -1) > 60)
    {
      g_object_set_data_full (G_OBJECT (toast), "lodge-details", g_steal_pointer (&details), g_free);
      g_object_set_data_full (G_OBJECT (toast), "lodge-widget", g_object_ref (widget), g_object_unref);
      adw_toast_set_button_label (toast, _ ("_Details"));
      g_signal_connect (toast, "button-clicked", G_CALLBACK (on_toast_details_clicked_cb), NULL);
    }
  lodge_toast_add (widget, toast);
}
