/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A machine's screen, keyboard and pointer: what all kinds of console share, mainly the memory of what is held down. */
#include "model/console.h"

#include <linux/input-event-codes.h>

typedef struct {
  GHashTable *held; /* event codes of keys and buttons that are down */
} LodgeConsolePrivate;

enum { SIGNAL_CLOSED, N_SIGNALS };
static guint lcon_signals[N_SIGNALS];

G_DEFINE_ABSTRACT_TYPE_WITH_PRIVATE (LodgeConsole, lodge_console, G_TYPE_OBJECT)

void
lodge_frame_clear (LodgeFrame *frame)
{
  g_clear_pointer (&frame->picture, lodge_picture_unref);
  frame->n_rects = 0;
}

void
lodge_cursor_clear (LodgeCursor *cursor)
{
  g_clear_pointer (&cursor->pixels, g_bytes_unref);
}

gboolean
lodge_console_pull (LodgeConsole *self, LodgeFrame *ret_frame)
{
  return LODGE_CONSOLE_GET_CLASS (self)->pull (self, ret_frame);
}

void
lodge_console_start_over (LodgeConsole *self)
{
  LodgeConsoleClass *klass = LODGE_CONSOLE_GET_CLASS (self);

  if (klass->start_over != NULL)
    klass->start_over (self);
}

static void
lcon_hold (LodgeConsole *self, guint code, gboolean down)
{
  LodgeConsolePrivate *priv = lodge_console_get_instance_private (self);

  if (down)
    g_hash_table_add (priv->held, GUINT_TO_POINTER (code));
  else
    g_hash_table_remove (priv->held, GUINT_TO_POINTER (code));
}

void
lodge_console_key (LodgeConsole *self, guint code, gboolean down)
{
  lcon_hold (self, code, down);
  LODGE_CONSOLE_GET_CLASS (self)->key (self, code, down);
}

void
lodge_console_pointer_button (LodgeConsole *self, guint code, gboolean down)
{
  lcon_hold (self, code, down);
  LODGE_CONSOLE_GET_CLASS (self)->pointer_button (self, code, down);
}

void
lodge_console_release_keys (LodgeConsole *self)
{
  LodgeConsolePrivate *priv = lodge_console_get_instance_private (self);
  g_autoptr (GPtrArray) codes = g_hash_table_get_keys_as_ptr_array (priv->held);

  for (guint i = 0; i < codes->len; i++)
    {
      guint code = GPOINTER_TO_UINT (codes->pdata[i]);

      /* input-event-codes.h: the BTN_ block for mice, tablets and others, between the two blocks of keys. */
      if (code >= BTN_MISC && code < KEY_OK)
        lodge_console_pointer_button (self, code, FALSE);
      else
        lodge_console_key (self, code, FALSE);
    }
}

void
lodge_console_pointer_motion (LodgeConsole *self, int dx, int dy)
{
  LODGE_CONSOLE_GET_CLASS (self)->pointer_motion (self, dx, dy);
}

gboolean
lodge_console_pointer_position (LodgeConsole *self, int x, int y)
{
  return LODGE_CONSOLE_GET_CLASS (self)->pointer_position (self, CLAMP (x, 0, 32767), CLAMP (y, 0, 32767));
}

void
lodge_console_pointer_wheel (LodgeConsole *self, int dy)
{
  LODGE_CONSOLE_GET_CLASS (self)->pointer_wheel (self, dy);
}

gboolean
lodge_console_has_absolute_pointer (LodgeConsole *self)
{
  return LODGE_CONSOLE_GET_CLASS (self)->has_absolute_pointer (self);
}

gboolean
lodge_console_pull_cursor (LodgeConsole *self, LodgeCursor *ret_cursor)
{
  LodgeConsoleClass *klass = LODGE_CONSOLE_GET_CLASS (self);

  return klass->pull_cursor != NULL && klass->pull_cursor (self, ret_cursor);
}

gboolean
lodge_console_can_resize (LodgeConsole *self)
{
  LodgeConsoleClass *klass = LODGE_CONSOLE_GET_CLASS (self);

  return klass->can_resize != NULL && klass->can_resize (self);
}

void
lodge_console_request_size (LodgeConsole *self, int width, int height)
{
  LodgeConsoleClass *klass = LODGE_CONSOLE_GET_CLASS (self);

  if (klass->request_size != NULL)
    klass->request_size (self, width, height);
}

gboolean
lodge_console_touch (LodgeConsole *self, guint slot, LodgeTouch touch, int x, int y)
{
  LodgeConsoleClass *klass = LODGE_CONSOLE_GET_CLASS (self);

  return klass->touch != NULL && klass->touch (self, slot, touch, CLAMP (x, 0, 32767), CLAMP (y, 0, 32767));
}

char *
lodge_console_dup_text (LodgeConsole *self)
{
  return LODGE_CONSOLE_GET_CLASS (self)->dup_text (self);
}

void
lodge_console_emit_closed (LodgeConsole *self)
{
  LodgeConsolePrivate *priv = lodge_console_get_instance_private (self);

  g_hash_table_remove_all (priv->held);
  g_signal_emit (self, lcon_signals[SIGNAL_CLOSED], 0);
}

static void
lcon_finalize (GObject *object)
{
  LodgeConsolePrivate *priv = lodge_console_get_instance_private (LODGE_CONSOLE (object));

  g_hash_table_unref (priv->held);
  G_OBJECT_CLASS (lodge_console_parent_class)->finalize (object);
}

static void
lodge_console_class_init (LodgeConsoleClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = lcon_finalize;
  lcon_signals[SIGNAL_CLOSED] = g_signal_new ("closed", LODGE_TYPE_CONSOLE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
lodge_console_init (LodgeConsole *self)
{
  LodgeConsolePrivate *priv = lodge_console_get_instance_private (self);

  priv->held = g_hash_table_new (NULL, NULL);
}
