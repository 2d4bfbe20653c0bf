/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rectangles of damage: all that was added is covered, nothing twice. */
#include "display/damage.h"

#define SIDE 64

static void
assert_sound (const VmmDamage *damage, const guint8 *added)
{
  g_autofree guint8 *covered = g_malloc0 (SIDE * SIDE);

  g_assert_cmpuint (damage->n_rects, <=, VMM_FRAME_MAX_RECTS);
  for (guint i = 0; i < damage->n_rects; i++)
    for (int y = damage->rects[i].y; y < damage->rects[i].y + damage->rects[i].height; y++)
      for (int x = damage->rects[i].x; x < damage->rects[i].x + damage->rects[i].width; x++)
        covered[y * SIDE + x]++;
  for (guint i = 0; i < SIDE * SIDE; i++)
    {
      g_assert_cmpuint (covered[i], <=, 1);
      g_assert_cmpuint (covered[i], >=, added[i]);
    }
}

static void
random_rectangles_are_covered_once (void)
{
  for (guint round = 0; round < 200; round++)
    {
      g_autofree guint8 *added = g_malloc0 (SIDE * SIDE);
      VmmDamage damage = { 0 };

      for (guint i = 0; i < 60; i++)
        {
          int most = g_test_rand_bit () ? 4 : SIDE;
          VmmRect rect = { g_test_rand_int_range (0, SIDE), g_test_rand_int_range (0, SIDE), 0, 0 };

          rect.width = g_test_rand_int_range (1, MIN (most, SIDE - rect.x) + 1);
          rect.height = g_test_rand_int_range (1, MIN (most, SIDE - rect.y) + 1);
          for (int y = rect.y; y < rect.y + rect.height; y++)
            memset (added + y * SIDE + rect.x, 1, (gsize) rect.width);
          vmm_damage_add (&damage, rect);
          assert_sound (&damage, added);
        }
    }
}

static void
neighbours_become_one (void)
{
  VmmDamage damage = { 0 };

  for (int y = 0; y < 32; y++)
    vmm_damage_add (&damage, (VmmRect) { 3, y, 10, 1 });
  g_assert_cmpuint (damage.n_rects, ==, 1);
  g_assert_cmpmem (&damage.rects[0], sizeof (VmmRect), (&(VmmRect) { 3, 0, 10, 32 }), sizeof (VmmRect));
  vmm_damage_add (&damage, (VmmRect) { 4, 5, 2, 2 });
  g_assert_cmpuint (damage.n_rects, ==, 1);
}

static void
far_ones_stay_apart (void)
{
  VmmDamage damage = { 0 };

  for (int i = 0; i < VMM_FRAME_MAX_RECTS; i++)
    vmm_damage_add (&damage, (VmmRect) { 4 * i, 4 * i, 1, 1 });
  g_assert_cmpuint (damage.n_rects, ==, VMM_FRAME_MAX_RECTS);
  for (int i = 0; i < VMM_FRAME_MAX_RECTS; i++)
    g_assert_cmpint (damage.rects[i].width * damage.rects[i].height, ==, 1);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/damage/random-rectangles-are-covered-once", random_rectangles_are_covered_once);
  g_test_add_func ("/damage/neighbours-become-one", neighbours_become_one);
  g_test_add_func ("/damage/far-ones-stay-apart", far_ones_stay_apart);
  return g_test_run ();
}
