/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fake-machine.h"

#include "model/machine-private.h"

/* --- The console --- */

#define FAKE_TYPE_CONSOLE (fake_console_get_type ())
G_DECLARE_FINAL_TYPE (FakeConsole, fake_console, FAKE, CONSOLE, LodgeConsole)

struct _FakeConsole {
  LodgeConsole parent_instance;

  FakeMachine *machine; /* not owned */
  LodgePicture *picture;
  guint32 *pixels;
  gboolean fresh; /* the whole picture is new */
  LodgeRect damage;
  gboolean absolute;
  gboolean resizable;
  gboolean fresh_cursor;
  guint pulls;
};

G_DEFINE_FINAL_TYPE (FakeConsole, fake_console, LODGE_TYPE_CONSOLE)

struct _FakeMachine {
  LodgeMachine parent_instance;

  FakeConsole *console;
  FakeConsole *second; /* (nullable) */
  void (*log) (const char *line, gpointer data);
  gpointer log_data;
};

G_DEFINE_FINAL_TYPE (FakeMachine, fake_machine, LODGE_TYPE_MACHINE)

static void G_GNUC_PRINTF (2, 3) fake_log (FakeMachine *self, const char *format, ...)
{
  g_autofree char *line = NULL;
  va_list args;

  if (self->log == NULL)
    return;
  va_start (args, format);
  line = g_strdup_vprintf (format, args);
  va_end (args);
  self->log (line, self->log_data);
}

static gboolean
fake_console_pull (LodgeConsole *console, LodgeFrame *ret_frame)
{
  FakeConsole *self = FAKE_CONSOLE (console);

  self->pulls++;
  if (!self->fresh && self->damage.width == 0)
    return FALSE;
  ret_frame->picture = lodge_picture_ref (self->picture);
  ret_frame->new_picture = self->fresh;
  ret_frame->n_rects = 1;
  ret_frame->rects[0] = self->fresh ? (LodgeRect) { 0, 0, lodge_picture_get_width (self->picture),
                                                    lodge_picture_get_height (self->picture) }
                                    : self->damage;
  self->fresh = FALSE;
  self->damage.width = 0;
  return TRUE;
}

static void
fake_console_key (LodgeConsole *console, guint code, gboolean down)
{
  fake_log (FAKE_CONSOLE (console)->machine, "key %u %s", code, down ? "down" : "up");
}

static void
fake_console_pointer_motion (LodgeConsole *console, int dx, int dy)
{
  fake_log (FAKE_CONSOLE (console)->machine, "motion %d %d", dx, dy);
}

static gboolean
fake_console_pointer_position (LodgeConsole *console, int x, int y)
{
  fake_log (FAKE_CONSOLE (console)->machine, "position %d %d", x, y);
  return TRUE;
}

static void
fake_console_pointer_button (LodgeConsole *console, guint code, gboolean down)
{
  fake_log (FAKE_CONSOLE (console)->machine, "button %u %s", code, down ? "down" : "up");
}

static void
fake_console_pointer_wheel (LodgeConsole *console, int dy)
{
  fake_log (FAKE_CONSOLE (console)->machine, "wheel %d", dy);
}

static gboolean
fake_console_has_absolute_pointer (LodgeConsole *console)
{
  return FAKE_CONSOLE (console)->absolute;
}

static char *
fake_console_dup_text (LodgeConsole *console)
{
  return g_strdup ("the text of the screen\n");
}

static void
fake_console_start_over (LodgeConsole *console)
{
  FAKE_CONSOLE (console)->fresh = TRUE;
}

static gboolean
fake_console_can_resize (LodgeConsole *console)
{
  return FAKE_CONSOLE (console)->resizable;
}

static void
fake_console_request_size (LodgeConsole *console, int width, int height)
{
  fake_log (FAKE_CONSOLE (console)->machine, "wanted %d %d", width, height);
}

/* A white square that points with its middle. */
static gboolean
fake_console_pull_cursor (LodgeConsole *console, LodgeCursor *ret_cursor)
{
  FakeConsole *self = FAKE_CONSOLE (console);
  guint32 *pixels;

  if (!self->fresh_cursor)
    return FALSE;
  self->fresh_cursor = FALSE;
  pixels = g_new (guint32, 16 * 16);
  for (guint i = 0; i < 16 * 16; i++)
    pixels[i] = 0xffffffff;
  *ret_cursor = (LodgeCursor) { .pixels = g_bytes_new_take (pixels, 16 * 16 * 4),
                                .width = 16,
                                .height = 16,
                                .hot_x = 8,
                                .hot_y = 8,
                                .x = 100,
                                .y = 50 };
  return TRUE;
}

static void
fake_console_set_size (FakeConsole *self, int width, int height)
{
  g_autoptr (GBytes) bytes = NULL;

  g_clear_pointer (&self->picture, lodge_picture_unref);
  self->pixels = g_new (guint32, (gsize) width * height);
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++)
      self->pixels[y * width + x] = x == 0 || y == 0 || x == width - 1 || y == height - 1 ? 0xffffff
                                    : (x / 40 + y / 40) % 2                               ? 0x1a5fb4
                                                                                          : 0x62a0ea;
  bytes = g_bytes_new_take (self->pixels, (gsize) width * height * 4);
  self->picture = lodge_picture_new (bytes, LODGE_PICTURE_XRGB8888, width, height, (gsize) width * 4);
  self->fresh = TRUE;
}

static void
fake_console_finalize (GObject *object)
{
  g_clear_pointer (&FAKE_CONSOLE (object)->picture, lodge_picture_unref);
  G_OBJECT_CLASS (fake_console_parent_class)->finalize (object);
}

static void
fake_console_class_init (FakeConsoleClass *klass)
{
  LodgeConsoleClass *console_class = LODGE_CONSOLE_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = fake_console_finalize;
  console_class->pull = fake_console_pull;
  console_class->key = fake_console_key;
  console_class->pointer_motion = fake_console_pointer_motion;
  console_class->pointer_position = fake_console_pointer_position;
  console_class->pointer_button = fake_console_pointer_button;
  console_class->pointer_wheel = fake_console_pointer_wheel;
  console_class->has_absolute_pointer = fake_console_has_absolute_pointer;
  console_class->dup_text = fake_console_dup_text;
  console_class->start_over = fake_console_start_over;
  console_class->can_resize = fake_console_can_resize;
  console_class->request_size = fake_console_request_size;
  console_class->pull_cursor = fake_console_pull_cursor;
}

static void
fake_console_init (FakeConsole *self)
{
  fake_console_set_size (self, 720, 400);
}

/* --- The machine --- */

static void
fake_machine_act (LodgeMachine *machine, LodgeVerb verb, GTask *task)
{
  static const char *const names[LODGE_N_VERBS] = { "start",     "start-headless", "pause",     "resume",
                                                    "shut-down", "reset",          "force-off", "show-window" };
  FakeMachine *self = FAKE_MACHINE (machine);

  fake_log (self, "act %s", names[verb]);
  switch (verb)
    {
    case LODGE_VERB_START:
    case LODGE_VERB_START_HEADLESS:
    case LODGE_VERB_RESUME:
      fake_machine_set_state (self, LODGE_MACHINE_STATE_RUNNING, LODGE_REASON_REQUEST, NULL);
      break;
    case LODGE_VERB_PAUSE:
      fake_machine_set_state (self, LODGE_MACHINE_STATE_PAUSED, LODGE_REASON_REQUEST, NULL);
      break;
    case LODGE_VERB_SHUT_DOWN:
    case LODGE_VERB_FORCE_OFF:
      fake_machine_set_state (self, LODGE_MACHINE_STATE_OFF, LODGE_REASON_REQUEST, NULL);
      break;
    case LODGE_VERB_RESET:
    case LODGE_VERB_SHOW_WINDOW:
    case LODGE_N_VERBS:
    default:
      break;
    }
  g_task_return_boolean (task, TRUE);
}

static void
fake_machine_change_medium (LodgeMachine *machine, const char *device_id, const char *path, gboolean force, GTask *task)
{
  fake_log (FAKE_MACHINE (machine), "medium %s", path != NULL ? path : "none");
  _lodge_machine_set_medium (machine, path);
  g_task_return_boolean (task, TRUE);
}

static void
fake_machine_screenshot (LodgeMachine *machine, guint head, GTask *task)
{
  g_task_return_pointer (task, lodge_picture_copy (FAKE_MACHINE (machine)->console->picture), (GDestroyNotify) lodge_picture_unref);
}

static void
fake_machine_send_keys (LodgeMachine *machine, const guint *codes, gsize n, GTask *task)
{
  g_autoptr (GString) text = g_string_new ("keys");

  for (gsize i = 0; i < n; i++)
    g_string_append_printf (text, " %u", codes[i]);
  fake_log (FAKE_MACHINE (machine), "%s", text->str);
  g_task_return_boolean (task, TRUE);
}

static void
fake_machine_type_text (LodgeMachine *machine, const char *text, GTask *task)
{
  fake_log (FAKE_MACHINE (machine), "type %s", text);
  g_task_return_boolean (task, TRUE);
}

static void
fake_machine_read_text (LodgeMachine *machine, GTask *task)
{
  g_task_return_pointer (task, g_strdup ("the text of the screen\n"), g_free);
}

static void
fake_machine_watch_thumbnail (LodgeMachine *machine, gboolean on)
{
  FakeMachine *self = FAKE_MACHINE (machine);
  g_autoptr (LodgePicture) small = lodge_picture_scale_down (self->console->picture, 640, 400);

  if (on)
    _lodge_machine_set_thumbnail (machine, small);
}

static void
fake_machine_dispose (GObject *object)
{
  FakeMachine *self = FAKE_MACHINE (object);

  if (self->console != NULL)
    self->console->machine = NULL;
  g_clear_object (&self->console);
  if (self->second != NULL)
    self->second->machine = NULL;
  g_clear_object (&self->second);
  G_OBJECT_CLASS (fake_machine_parent_class)->dispose (object);
}

static void
fake_machine_class_init (FakeMachineClass *klass)
{
  LodgeMachineClass *machine_class = LODGE_MACHINE_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = fake_machine_dispose;
  machine_class->act = fake_machine_act;
  machine_class->change_medium = fake_machine_change_medium;
  machine_class->screenshot = fake_machine_screenshot;
  machine_class->send_keys = fake_machine_send_keys;
  machine_class->type_text = fake_machine_type_text;
  machine_class->read_text = fake_machine_read_text;
  machine_class->watch_thumbnail = fake_machine_watch_thumbnail;
}

static void
fake_machine_init (FakeMachine *self)
{
  self->console = g_object_new (FAKE_TYPE_CONSOLE, NULL);
  self->console->machine = self;
}

FakeMachine *
fake_machine_new (const char *name, void (*log) (const char *line, gpointer data), gpointer data)
{
  FakeMachine *self = g_object_new (FAKE_TYPE_MACHINE, NULL);
  LodgeMachine *machine = LODGE_MACHINE (self);

  self->log = log;
  self->log_data = data;
  _lodge_machine_set_name (machine, name);
  _lodge_machine_set_memory_mib (machine, 2048);
  _lodge_machine_set_cpus (machine, 2);
  _lodge_machine_set_capabilities (machine, LODGE_CAPABILITY_MEDIUM | LODGE_CAPABILITY_SCREENSHOT | LODGE_CAPABILITY_KEYBOARD
                                                | LODGE_CAPABILITY_DELETE);
  return self;
}

void
fake_machine_set_state (FakeMachine *self, LodgeMachineState state, LodgeReason reason, const char *message)
{
  LodgeMachine *machine = LODGE_MACHINE (self);
  gboolean shown = state == LODGE_MACHINE_STATE_RUNNING || state == LODGE_MACHINE_STATE_PAUSED
                   || state == LODGE_MACHINE_STATE_FAILED;

  _lodge_machine_set_started_at (machine, shown ? g_get_real_time () / G_USEC_PER_SEC : 0);
  if (shown)
    _lodge_machine_set_console (machine, LODGE_CONSOLE (self->console));
  _lodge_machine_set_state (machine, state, reason, message);
  if (!shown && lodge_machine_get_console (machine) != NULL)
    {
      lodge_console_emit_closed (LODGE_CONSOLE (self->console));
      if (self->second != NULL)
        {
          lodge_console_emit_closed (LODGE_CONSOLE (self->second));
          g_clear_object (&self->second);
        }
      _lodge_machine_set_console (machine, NULL);
      self->console->fresh = TRUE;
    }
}

void
fake_machine_set_size (FakeMachine *self, int width, int height)
{
  fake_console_set_size (self->console, width, height);
}

void
fake_machine_draw (FakeMachine *self, int x, int y, int width, int height, guint32 xrgb)
{
  int stride = lodge_picture_get_width (self->console->picture);

  for (int line = y; line < y + height; line++)
    for (int column = x; column < x + width; column++)
      self->console->pixels[line * stride + column] = xrgb;
  self->console->damage = (LodgeRect) { x, y, width, height };
}

void
fake_machine_set_resizable (FakeMachine *self, gboolean resizable)
{
  self->console->resizable = resizable;
}

void
fake_machine_show_cursor (FakeMachine *self)
{
  self->console->fresh_cursor = TRUE;
}

void
fake_machine_add_screen (FakeMachine *self, int width, int height)
{
  g_assert_null (self->second);
  self->second = g_object_new (FAKE_TYPE_CONSOLE, NULL);
  self->second->machine = self;
  fake_console_set_size (self->second, width, height);
  _lodge_machine_add_console (LODGE_MACHINE (self), LODGE_CONSOLE (self->second));
}

void
fake_machine_set_absolute (FakeMachine *self, gboolean absolute)
{
  self->console->absolute = absolute;
}

guint
fake_machine_get_pulls (FakeMachine *self)
{
  return self->console->pulls;
}
