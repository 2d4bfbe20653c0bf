/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Theory of operation: the public calls put an event on the iothread's queue; there it goes to the device that shall have it. The list of
 * devices only changes while devices are made and freed. */
#include "core/input.h"

#include "core/device.h"
#include "core/iothread.h"
#include "core/machine.h"

typedef struct {
  VmmDevice *dev;
  const VmmInputOps *ops;
  gboolean active; /* (atomic) */
} InputSink;

struct _VmmInputHub {
  VmmIoThread *iothread;
  GMutex lock;
  GPtrArray *sinks; /* InputSink */
};

typedef enum { INPUT_KEY, INPUT_MOTION, INPUT_BUTTON, INPUT_WHEEL, INPUT_POSITION, INPUT_TOUCH } InputKind;

typedef struct {
  struct _VmmInputHub *hub;
  InputKind kind;
  int a, b;
  guint slot;
  VmmTouch touch;
} InputEvent;

struct _VmmInputHub *
vmm_input_hub_new (VmmIoThread *iothread)
{
  struct _VmmInputHub *hub = g_new0 (struct _VmmInputHub, 1);

  hub->iothread = iothread;
  g_mutex_init (&hub->lock);
  hub->sinks = g_ptr_array_new_with_free_func (g_free);
  return hub;
}

static void
input_nothing (gpointer data)
{
}

void
vmm_input_hub_free (struct _VmmInputHub *hub)
{
  if (hub == NULL)
    return;
  vmm_iothread_call_sync (hub->iothread, input_nothing, NULL); /* events under way hold the hub */
  g_ptr_array_unref (hub->sinks);
  g_mutex_clear (&hub->lock);
  g_free (hub);
}

void
vmm_input_add (VmmDevice *dev, const VmmInputOps *ops)
{
  struct _VmmInputHub *hub = dev->machine->input;
  InputSink *sink = g_new (InputSink, 1);

  *sink = (InputSink) { dev, ops, FALSE };
  g_mutex_lock (&hub->lock);
  g_ptr_array_add (hub->sinks, sink);
  g_mutex_unlock (&hub->lock);
}

static InputSink *
input_find (struct _VmmInputHub *hub, VmmDevice *dev)
{
  for (guint i = 0; i < hub->sinks->len; i++)
    if (((InputSink *) hub->sinks->pdata[i])->dev == dev)
      return hub->sinks->pdata[i];
  return NULL;
}

void
vmm_input_remove (VmmDevice *dev)
{
  struct _VmmInputHub *hub = dev->machine->input;

  g_mutex_lock (&hub->lock);
  g_ptr_array_remove (hub->sinks, input_find (hub, dev));
  g_mutex_unlock (&hub->lock);
  vmm_iothread_call_sync (hub->iothread, input_nothing, NULL); /* an event may be on its way into the device */
}

void
vmm_input_set_active (VmmDevice *dev, gboolean active)
{
  struct _VmmInputHub *hub = dev->machine->input;
  InputSink *sink;

  g_mutex_lock (&hub->lock);
  sink = input_find (hub, dev);
  if (sink != NULL)
    sink->active = active;
  g_mutex_unlock (&hub->lock);
}

static gboolean
input_takes (const VmmInputOps *ops, InputKind kind, gboolean absolute)
{
  switch (kind)
    {
    case INPUT_KEY:
      return ops->key != NULL;
    case INPUT_MOTION:
      return ops->motion != NULL;
    case INPUT_POSITION:
      return ops->position != NULL;
    case INPUT_TOUCH:
      return ops->touch != NULL;
    case INPUT_BUTTON:
      return ops->button != NULL && (ops->position != NULL) == absolute;
    case INPUT_WHEEL:
    default:
      return ops->wheel != NULL && (ops->position != NULL) == absolute;
    }
}

/* The last added sink that takes @kind and is in use; else the first that takes it. Lock held. */
static InputSink *
input_choose (struct _VmmInputHub *hub, InputKind kind, gboolean absolute)
{
  InputSink *fallback = NULL;

  for (guint i = hub->sinks->len; i > 0; i--)
    {
      InputSink *sink = hub->sinks->pdata[i - 1];

      if (!input_takes (sink->ops, kind, absolute))
        continue;
      if (sink->active)
        return sink;
      fallback = sink;
    }
  return fallback;
}

/* Does a driver use a device for @kind? Lock held. */
static gboolean
input_has (struct _VmmInputHub *hub, InputKind kind)
{
  InputSink *sink = input_choose (hub, kind, TRUE);

  return sink != NULL && sink->active;
}

static void
input_deliver (gpointer data)
{
  g_autofree InputEvent *event = data;
  InputSink *sink;
  VmmDevice *dev = NULL;
  const VmmInputOps *ops = NULL;

  g_mutex_lock (&event->hub->lock);
  sink = input_choose (event->hub, event->kind, input_has (event->hub, INPUT_POSITION));
  if (sink != NULL)
    {
      dev = sink->dev;
      ops = sink->ops;
    }
  g_mutex_unlock (&event->hub->lock);
  if (dev == NULL)
    return;

  vmm_device_lock (dev);
  switch (event->kind)
    {
    case INPUT_KEY:
      ops->key (dev, (guint) event->a, event->b);
      break;
    case INPUT_MOTION:
      ops->motion (dev, event->a, event->b);
      break;
    case INPUT_BUTTON:
      ops->button (dev, (guint) event->a, event->b);
      break;
    case INPUT_WHEEL:
      ops->wheel (dev, event->a);
      break;
    case INPUT_TOUCH:
      ops->touch (dev, event->slot, event->touch, event->a, event->b);
      break;
    case INPUT_POSITION:
    default:
      ops->position (dev, event->a, event->b);
      break;
    }
  vmm_device_unlock (dev);
}

static void
input_post (VmmMachine *machine, InputKind kind, int a, int b)
{
  InputEvent *event = g_new (InputEvent, 1);

  *event = (InputEvent) { .hub = machine->input, .kind = kind, .a = a, .b = b };
  vmm_iothread_call (machine->iothread, input_deliver, event);
}

void
vmm_machine_key (VmmMachine *machine, guint code, gboolean down)
{
  input_post (machine, INPUT_KEY, (int) code, down);
}

void
vmm_machine_pointer_motion (VmmMachine *machine, int dx, int dy)
{
  input_post (machine, INPUT_MOTION, dx, dy);
}

void
vmm_machine_pointer_button (VmmMachine *machine, guint code, gboolean down)
{
  input_post (machine, INPUT_BUTTON, (int) code, down);
}

void
vmm_machine_pointer_wheel (VmmMachine *machine, int dy)
{
  input_post (machine, INPUT_WHEEL, dy, 0);
}

static gboolean
input_machine_has (VmmMachine *machine, InputKind kind)
{
  gboolean has;

  g_mutex_lock (&machine->input->lock);
  has = input_has (machine->input, kind);
  g_mutex_unlock (&machine->input->lock);
  return has;
}

gboolean
vmm_machine_has_absolute_pointer (VmmMachine *machine)
{
  return input_machine_has (machine, INPUT_POSITION);
}

gboolean
vmm_machine_pointer_position (VmmMachine *machine, int x, int y)
{
  if (!vmm_machine_has_absolute_pointer (machine))
    return FALSE;
  input_post (machine, INPUT_POSITION, CLAMP (x, 0, 32767), CLAMP (y, 0, 32767));
  return TRUE;
}

gboolean
vmm_machine_touch (VmmMachine *machine, guint slot, VmmTouch touch, int x, int y)
{
  InputEvent *event;

  if (!input_machine_has (machine, INPUT_TOUCH))
    return FALSE;
  event = g_new (InputEvent, 1);
  *event = (InputEvent) { .hub = machine->input,
                          .kind = INPUT_TOUCH,
                          .a = CLAMP (x, 0, 32767),
                          .b = CLAMP (y, 0, 32767),
                          .slot = slot,
                          .touch = touch };
  vmm_iothread_call (machine->iothread, input_deliver, event);
  return TRUE;
}
