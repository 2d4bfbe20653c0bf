/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/damage.h"

static gboolean
damage_overlap (const VmmRect *a, const VmmRect *b)
{
  return a->x < b->x + b->width && b->x < a->x + a->width && a->y < b->y + b->height && b->y < a->y + a->height;
}

static VmmRect
damage_union (const VmmRect *a, const VmmRect *b)
{
  VmmRect rect = { MIN (a->x, b->x), MIN (a->y, b->y), 0, 0 };

  rect.width = MAX (a->x + a->width, b->x + b->width) - rect.x;
  rect.height = MAX (a->y + a->height, b->y + b->height) - rect.y;
  return rect;
}

static gint64
damage_area (const VmmRect *rect)
{
  return (gint64) rect->width * rect->height;
}

/* Pixels that a union covers and neither of the two does. */
static gint64
damage_waste (const VmmRect *a, const VmmRect *b)
{
  VmmRect both = damage_union (a, b);

  return damage_area (&both) - damage_area (a) - damage_area (b);
}

void
vmm_damage_add (VmmDamage *damage, VmmRect rect)
{
  guint i = 0;

  /* Swallow whatever overlaps or forms a rectangle with the new one; the result may reach more of them, so start again. */
  while (i < damage->n_rects)
    {
      const VmmRect *other = &damage->rects[i];

      if (damage_overlap (other, &rect) || damage_waste (other, &rect) == 0)
        {
          rect = damage_union (other, &rect);
          damage->rects[i] = damage->rects[--damage->n_rects];
          i = 0;
        }
      else
        i++;
    }

  if (damage->n_rects == VMM_FRAME_MAX_RECTS)
    {
      guint best_a = 0, best_b = 0; /* best_b == best_a: the new one */
      gint64 best = G_MAXINT64;

      for (guint a = 0; a < damage->n_rects; a++)
        {
          gint64 waste = damage_waste (&damage->rects[a], &rect);

          if (waste < best)
            best = waste, best_a = best_b = a;
          for (guint b = a + 1; b < damage->n_rects; b++)
            {
              waste = damage_waste (&damage->rects[a], &damage->rects[b]);
              if (waste < best)
                best = waste, best_a = a, best_b = b;
            }
        }
      if (best_a == best_b)
        {
          rect = damage_union (&damage->rects[best_a], &rect);
          damage->rects[best_a] = damage->rects[--damage->n_rects];
        }
      else
        {
          VmmRect joined = damage_union (&damage->rects[best_a], &damage->rects[best_b]);

          damage->rects[best_b] = damage->rects[--damage->n_rects];
          damage->rects[best_a] = damage->rects[--damage->n_rects];
          vmm_damage_add (damage, joined);
        }
      /* A joined rectangle may overlap a third: add it anew, now that there is room. */
      vmm_damage_add (damage, rect);
      return;
    }
  damage->rects[damage->n_rects++] = rect;
}
