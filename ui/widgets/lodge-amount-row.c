/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/lodge-amount-row.h"

#include <glib/gi18n.h>
#include <math.h>

#define LAMOUNT_BARE_MIB 64

struct _LodgeAmountRow {
  AdwPreferencesRow parent_instance;

  GtkLabel *title_label;
  GtkSpinButton *spin;
  GtkAdjustment *amount;
  GtkScale *scale;
  GtkAdjustment *position; /* log2 of the amount */
  GtkLabel *range;
  GtkLabel *note;
  GtkLabel *problem;

  gboolean disk;
  gboolean updating;
};

enum {
  PROP_0,
  PROP_VALUE,
  PROP_DISK,
  N_PROPS,
};

static GParamSpec *lamount_props[N_PROPS];

G_DEFINE_FINAL_TYPE (LodgeAmountRow, lodge_amount_row, ADW_TYPE_PREFERENCES_ROW)

double
lodge_amount_parse (const char *text, double bare_mib)
{
  g_autofree char *copy = g_strstrip (g_strdelimit (g_strdup (text), ",", '.'));
  char *end = NULL;
  double number = g_ascii_strtod (copy, &end), factor;

  if (end == copy || !(number >= 0) || !isfinite (number))
    return -1;
  while (g_ascii_isspace (*end))
    end++;

  switch (g_ascii_toupper (*end))
    {
    case '\0':
      return number >= bare_mib ? number : number * 1024;
    case 'K':
      factor = 1.0 / 1024;
      break;
    case 'M':
      factor = 1;
      break;
    case 'G':
      factor = 1024;
      break;
    case 'T':
      factor = 1024 * 1024;
      break;
    default:
      return -1;
    }
  end++;
  if (g_ascii_strcasecmp (end, "") != 0 && g_ascii_strcasecmp (end, "b") != 0 && g_ascii_strcasecmp (end, "ib") != 0)
    return -1;
  return number * factor;
}

char *
lodge_amount_format (double mib)
{
  static const char *const units[] = { N_ ("MiB"), N_ ("GiB"), N_ ("TiB") };
  guint unit = 0;

  while (mib >= 1024 && unit + 1 < G_N_ELEMENTS (units))
    {
      mib /= 1024;
      unit++;
    }
  /* Digits only where they tell something: 4096 MiB reads "4 GiB", 4608 MiB "4.5 GiB", 4352 MiB "4.25 GiB". */
  if (ABS (mib - round (mib)) < 0.005)
    return g_strdup_printf ("%.0f %s", mib, _ (units[unit]));
  if (ABS (mib * 10 - round (mib * 10)) < 0.05)
    return g_strdup_printf ("%.1f %s", mib, _ (units[unit]));
  return g_strdup_printf ("%.2f %s", mib, _ (units[unit]));
}

static int
on_spin_input_cb (GtkSpinButton *spin, double *value, gpointer data)
{
  LodgeAmountRow *self = LODGE_AMOUNT_ROW (data);

  *value = lodge_amount_parse (gtk_editable_get_text (GTK_EDITABLE (spin)), self->disk ? G_MAXDOUBLE : LAMOUNT_BARE_MIB);
  return *value < 0 ? GTK_INPUT_ERROR : TRUE;
}

static gboolean
on_spin_output_cb (GtkSpinButton *spin, gpointer data)
{
  g_autofree char *text = lodge_amount_format (gtk_spin_button_get_value (spin));

  if (g_strcmp0 (text, gtk_editable_get_text (GTK_EDITABLE (spin))) != 0)
    gtk_editable_set_text (GTK_EDITABLE (spin), text);
  gtk_accessible_update_property (GTK_ACCESSIBLE (spin), GTK_ACCESSIBLE_PROPERTY_VALUE_TEXT, text, -1);
  return TRUE;
}

static void
on_amount_changed_cb (LodgeAmountRow *self)
{
  double value = gtk_adjustment_get_value (self->amount);
  g_autofree char *text = lodge_amount_format (value);

  if (!self->updating)
    {
      self->updating = TRUE;
      gtk_adjustment_set_value (self->position, log2 (MAX (value, 1)));
      self->updating = FALSE;
    }
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->scale), GTK_ACCESSIBLE_PROPERTY_VALUE_TEXT, text, -1);
  g_object_notify_by_pspec (G_OBJECT (self), lamount_props[PROP_VALUE]);
}

static void
on_position_changed_cb (LodgeAmountRow *self)
{
  double position = gtk_adjustment_get_value (self->position), value = exp2 (position), step;

  if (self->updating)
    return;
  /* Eight steps from one power of two to the next, so that the numbers are round ones; at the ends the range's own. */
  step = MAX (1, exp2 (floor (position + 0.0001) - 3));
  if (position >= gtk_adjustment_get_upper (self->position) - 0.001)
    value = gtk_adjustment_get_upper (self->amount);
  else if (position <= gtk_adjustment_get_lower (self->position) + 0.001)
    value = gtk_adjustment_get_lower (self->amount);
  else
    value = round (value / step) * step;

  self->updating = TRUE;
  gtk_adjustment_set_value (self->amount, value);
  self->updating = FALSE;
}

void
lodge_amount_row_set_range (LodgeAmountRow *self, double minimum, double maximum, double recommended, double limit,
                            const char *limit_label)
{
  /* What the format allows may be far beyond what anyone has: the scale ends a little above what the host has, the number does not. */
  g_autoptr (GString) text = NULL;
  double scale_end = limit > 0 ? MIN (maximum, MAX (limit, recommended * 2)) : MIN (maximum, MAX (recommended * 8, minimum * 2));

  g_return_if_fail (LODGE_IS_AMOUNT_ROW (self));

  minimum = MAX (minimum, 1);
  maximum = MAX (maximum, minimum);
  scale_end = MAX (scale_end, minimum);

  self->updating = TRUE;
  gtk_adjustment_configure (self->amount, CLAMP (gtk_adjustment_get_value (self->amount), minimum, maximum), minimum, maximum,
                            self->disk ? 1024 : 256, self->disk ? 10240 : 1024, 0);
  gtk_adjustment_configure (self->position, log2 (MAX (gtk_adjustment_get_value (self->amount), 1)), log2 (minimum),
                            log2 (scale_end), 0.125, 1, 0);
  self->updating = FALSE;

  /* Marks on the scale, their meaning below it: labels on the marks themselves run into each other. */
  gtk_scale_clear_marks (self->scale);
  if (recommended >= minimum && recommended <= scale_end)
    gtk_scale_add_mark (self->scale, log2 (recommended), GTK_POS_BOTTOM, NULL);
  if (limit > minimum && limit < scale_end)
    gtk_scale_add_mark (self->scale, log2 (limit), GTK_POS_BOTTOM, NULL);
  text = g_string_new (NULL);
  if (recommended > 0)
    {
      g_autofree char *amount = lodge_amount_format (recommended);

      g_string_append_printf (text, _ ("Recommended: %s"), amount);
    }
  if (limit > 0)
    {
      /* What there is goes without its hundredths: 23.5 GiB, not 23.54 GiB. */
      g_autofree char *amount = lodge_amount_format (limit >= 10 * 1024 ? round (limit / 102.4) * 102.4 : limit);

      if (text->len > 0)
        g_string_append (text, " · ");
      g_string_append_printf (text, "%s: %s", limit_label, amount);
    }
  gtk_label_set_label (self->range, text->str);
}

void
lodge_amount_row_set_value (LodgeAmountRow *self, double value)
{
  g_return_if_fail (LODGE_IS_AMOUNT_ROW (self));
  gtk_adjustment_set_value (self->amount, value);
}

double
lodge_amount_row_get_value (LodgeAmountRow *self)
{
  g_return_val_if_fail (LODGE_IS_AMOUNT_ROW (self), 0);
  return gtk_adjustment_get_value (self->amount);
}

void
lodge_amount_row_set_note (LodgeAmountRow *self, const char *text)
{
  g_return_if_fail (LODGE_IS_AMOUNT_ROW (self));
  gtk_label_set_label (self->note, text != NULL ? text : "");
  gtk_widget_set_visible (GTK_WIDGET (self->note), text != NULL);
}

void
lodge_amount_row_set_problem (LodgeAmountRow *self, const char *text)
{
  g_return_if_fail (LODGE_IS_AMOUNT_ROW (self));
  gtk_label_set_label (self->problem, text != NULL ? text : "");
  gtk_widget_set_visible (GTK_WIDGET (self->problem), text != NULL);
  if (text != NULL)
    gtk_widget_add_css_class (GTK_WIDGET (self->spin), "error");
  else
    gtk_widget_remove_css_class (GTK_WIDGET (self->spin), "error");
  gtk_accessible_update_state (GTK_ACCESSIBLE (self->spin), GTK_ACCESSIBLE_STATE_INVALID,
                               text != NULL ? GTK_ACCESSIBLE_INVALID_TRUE : GTK_ACCESSIBLE_INVALID_FALSE, -1);
}

static void
on_title_changed_cb (LodgeAmountRow *self)
{
  const char *title = adw_preferences_row_get_title (ADW_PREFERENCES_ROW (self));

  gtk_accessible_update_property (GTK_ACCESSIBLE (self->spin), GTK_ACCESSIBLE_PROPERTY_LABEL, title, -1);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->scale), GTK_ACCESSIBLE_PROPERTY_LABEL, title, -1);
}

static void
lodge_amount_row_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  LodgeAmountRow *self = LODGE_AMOUNT_ROW (object);

  switch (id)
    {
    case PROP_VALUE:
      g_value_set_double (value, gtk_adjustment_get_value (self->amount));
      break;
    case PROP_DISK:
      g_value_set_boolean (value, self->disk);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
lodge_amount_row_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  LodgeAmountRow *self = LODGE_AMOUNT_ROW (object);

  switch (id)
    {
    case PROP_VALUE:
      lodge_amount_row_set_value (self, g_value_get_double (value));
      break;
    case PROP_DISK:
      self->disk = g_value_get_boolean (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
lodge_amount_row_dispose (GObject *object)
{
  gtk_widget_dispose_template (GTK_WIDGET (object), LODGE_TYPE_AMOUNT_ROW);
  G_OBJECT_CLASS (lodge_amount_row_parent_class)->dispose (object);
}

static void
lodge_amount_row_class_init (LodgeAmountRowClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->get_property = lodge_amount_row_get_property;
  object_class->set_property = lodge_amount_row_set_property;
  object_class->dispose = lodge_amount_row_dispose;

  lamount_props[PROP_VALUE] = g_param_spec_double ("value", NULL, NULL, 0, G_MAXDOUBLE, 0,
                                                   G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY);
  lamount_props[PROP_DISK] = g_param_spec_boolean ("disk", NULL, NULL, FALSE, G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, lamount_props);

  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/lodge_vm/Lodge/widgets/lodge-amount-row.ui");
  gtk_widget_class_bind_template_child (widget_class, LodgeAmountRow, title_label);
  gtk_widget_class_bind_template_child (widget_class, LodgeAmountRow, spin);
  gtk_widget_class_bind_template_child (widget_class, LodgeAmountRow, amount);
  gtk_widget_class_bind_template_child (widget_class, LodgeAmountRow, scale);
  gtk_widget_class_bind_template_child (widget_class, LodgeAmountRow, position);
  gtk_widget_class_bind_template_child (widget_class, LodgeAmountRow, range);
  gtk_widget_class_bind_template_child (widget_class, LodgeAmountRow, note);
  gtk_widget_class_bind_template_child (widget_class, LodgeAmountRow, problem);
  gtk_widget_class_bind_template_callback (widget_class, on_spin_input_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_spin_output_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_amount_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, on_position_changed_cb);
}

static void
lodge_amount_row_init (LodgeAmountRow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  g_signal_connect (self, "notify::title", G_CALLBACK (on_title_changed_cb), NULL);
}
