/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/lodge-amount-row.h"

static void
test_parse_units (void)
{
  static const struct {
    const char *text;
    double mib;
  } cases[] = {
    { "4 GiB", 4096 },    { "4GB", 4096 },   { "4 g", 4096 },  { "512 MB", 512 }, { "1.5 GiB", 1536 }, { "1,5 GiB", 1536 },
    { "1 TiB", 1 << 20 }, { "2048 KiB", 2 }, { "2048", 2048 }, { "64", 64 },      { "4", 4096 },       { "  8  GiB", 8192 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_test_message ("%s", cases[i].text);
      g_assert_cmpfloat (lodge_amount_parse (cases[i].text, 64), ==, cases[i].mib);
    }
}

static void
test_parse_refuses (void)
{
  static const char *const cases[] = { "", "GiB", "four", "-1 GiB", "4 GiBs", "4 X", "1e400", "nan", "inf", "4 G 5" };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_test_message ("%s", cases[i]);
      g_assert_cmpfloat (lodge_amount_parse (cases[i], 64), <, 0);
    }
}

static void
test_format (void)
{
  static const struct {
    double mib;
    const char *text;
  } cases[] = {
    { 512, "512 MiB" },  { 1024, "1 GiB" },    { 1536, "1.5 GiB" },  { 4352, "4.25 GiB" },
    { 20480, "20 GiB" }, { 1 << 20, "1 TiB" }, { 1 << 21, "2 TiB" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *text = lodge_amount_format (cases[i].mib);

      g_assert_cmpstr (text, ==, cases[i].text);
    }
}

static void
test_round_trip (void)
{
  /* What the entry shows must not change by being read again, for the steps that the scale and the buttons make. */
  for (double mib = 1; mib <= (1 << 24); mib *= 2)
    for (guint eighths = 8; eighths < 16; eighths++)
      {
        double value = mib * eighths / 8;
        g_autofree char *text = lodge_amount_format (value);
        double again = lodge_amount_parse (text, 64);

        g_assert_cmpfloat (ABS (again - value), <=, value * 0.005);
      }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/amounts/parse/understands-units", test_parse_units);
  g_test_add_func ("/amounts/parse/refuses-what-is-no-amount", test_parse_refuses);
  g_test_add_func ("/amounts/format/is-short", test_format);
  g_test_add_func ("/amounts/format/can-be-read-again", test_round_trip);
  return g_test_run ();
}
