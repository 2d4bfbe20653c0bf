/* SPDX-License-Identifier: GPL-3.0-or-later */
/* virtio keyboard, mouse, tablet and touch screen: the host's events as Linux input events.
 * Spec: VIRTIO 1.2 §5.8; Linux Documentation/input/event-codes.rst and multi-touch-protocol.rst (type B); contract 7.3.
 *
 * Theory of operation: the driver reads what the device can do through a window in the configuration (select and subsel choose, size and data
 * follow at once), then gives buffers of one event each on queue 0. Events that find no buffer wait in a short queue: a position takes the
 * place of the one before it, and as much room is kept as it takes to release every key that is down, so that none hangs. The driver's own
 * events (queue 1: keyboard lights) are taken and kept. While a driver runs the device it is the one that the machine's input goes to. */
#include "core/input.h"
#include "virtio/virtio.h"

#include <linux/input-event-codes.h>
#include <string.h>

#define VINP_EVENTS 0 /* queues, §5.8.2 */
#define VINP_STATUS 1
#define VINP_N_QUEUES 2
#define VINP_QUEUE_SIZE 64

/* §5.8.4 */
#define VINP_SELECT 0
#define VINP_SUBSEL 1
#define VINP_SIZE 2
#define VINP_DATA 8
#define VINP_DATA_SIZE 128
#define VINP_CONFIG_SIZE (VINP_DATA + VINP_DATA_SIZE)
#define VINP_CFG_ID_NAME 0x01
#define VINP_CFG_ID_DEVIDS 0x03
#define VINP_CFG_PROP_BITS 0x10
#define VINP_CFG_EV_BITS 0x11
#define VINP_CFG_ABS_INFO 0x12

#define VINP_BUS_VIRTUAL 0x06 /* linux/input.h */
#define VINP_VENDOR 0x0627    /* of the virtual devices that guests know */
#define VINP_VERSION 1

#define VINP_AXIS_MAX 0x7fff
#define VINP_TOUCH_SLOTS 10
#define VINP_LAST_KEY KEY_MICMUTE

typedef struct {
  guint16 type, code;
  guint32 value;
} VinpEvent; /* §5.8.6, host byte order */

G_STATIC_ASSERT (sizeof (VinpEvent) == 8);

#define VINP_PENDING 256

typedef struct {
  VinpEvent pending[VINP_PENDING];
  guint16 first, count;
  guint16 n_down; /* keys and buttons that the driver was told are down */
  guint8 down[KEY_CNT / 8];
  guint8 touching[VINP_TOUCH_SLOTS];
  guint8 leds; /* bit LED_…: lit */
  guint8 padding[3];
  guint32 last_tracking; /* identity of the last touch */
} VmmVirtioInputRegs;

typedef enum { VINP_KEYBOARD, VINP_MOUSE, VINP_TABLET, VINP_TOUCH } VinpKind;

typedef struct {
  VmmVirtio virtio;
  VmmVirtioInputRegs regs;
  VinpKind kind;
} VmmVirtioInput;

static const VmmField vinp_fields[] = { VMM_FIELD_BLOB (VmmVirtioInputRegs, pending),
                                        VMM_FIELD_MAX (VmmVirtioInputRegs, first, VINP_PENDING - 1),
                                        VMM_FIELD_MAX (VmmVirtioInputRegs, count, VINP_PENDING),
                                        VMM_FIELD_MAX (VmmVirtioInputRegs, n_down, KEY_CNT),
                                        VMM_FIELD_ARRAY (VmmVirtioInputRegs, down),
                                        VMM_FIELD_ARRAY (VmmVirtioInputRegs, touching),
                                        VMM_FIELD (VmmVirtioInputRegs, leds),
                                        VMM_FIELD_ARRAY (VmmVirtioInputRegs, padding),
                                        VMM_FIELD (VmmVirtioInputRegs, last_tracking),
                                        VMM_FIELD_END };

static const struct {
  const char *name;
  guint16 product;
  guint32 pci_class;
} vinp_kinds[] = {
  [VINP_KEYBOARD] = { "Lodge Virtio Keyboard", 0x0001, 0x090000 },
  [VINP_MOUSE] = { "Lodge Virtio Mouse", 0x0002, 0x090200 },
  [VINP_TABLET] = { "Lodge Virtio Tablet", 0x0003, 0x098000 },
  [VINP_TOUCH] = { "Lodge Virtio Touch Screen", 0x0004, 0x098000 },
};

/* What a device can do */

static const guint16 vinp_buttons[] = { BTN_LEFT, BTN_RIGHT, BTN_MIDDLE, BTN_SIDE, BTN_EXTRA };

static void
vinp_put_bit (guint8 *bits, guint bit)
{
  bits[bit / 8] |= (guint8) (1u << bit % 8);
}

static void
vinp_put_buttons (guint8 *bits)
{
  for (guint i = 0; i < G_N_ELEMENTS (vinp_buttons); i++)
    vinp_put_bit (bits, vinp_buttons[i]);
}

static void
vinp_put_event_bits (VinpKind kind, guint type, guint8 *bits)
{
  switch (type)
    {
    case EV_KEY:
      if (kind == VINP_KEYBOARD)
        for (guint code = KEY_ESC; code <= VINP_LAST_KEY; code++)
          vinp_put_bit (bits, code);
      else if (kind == VINP_TOUCH)
        vinp_put_bit (bits, BTN_TOUCH);
      else
        vinp_put_buttons (bits);
      break;
    case EV_REL:
      if (kind == VINP_MOUSE)
        {
          vinp_put_bit (bits, REL_X);
          vinp_put_bit (bits, REL_Y);
        }
      if (kind == VINP_MOUSE || kind == VINP_TABLET)
        vinp_put_bit (bits, REL_WHEEL);
      break;
    case EV_ABS:
      if (kind == VINP_TABLET)
        {
          vinp_put_bit (bits, ABS_X);
          vinp_put_bit (bits, ABS_Y);
        }
      if (kind == VINP_TOUCH)
        {
          vinp_put_bit (bits, ABS_MT_SLOT);
          vinp_put_bit (bits, ABS_MT_TRACKING_ID);
          vinp_put_bit (bits, ABS_MT_POSITION_X);
          vinp_put_bit (bits, ABS_MT_POSITION_Y);
        }
      break;
    case EV_LED:
      if (kind == VINP_KEYBOARD)
        for (guint led = LED_NUML; led <= LED_SCROLLL; led++)
          vinp_put_bit (bits, led);
      break;
    case EV_REP:
      /* The driver repeats keys: we tell of each once. */
      if (kind == VINP_KEYBOARD)
        bits[0] = 1u << REP_DELAY | 1u << REP_PERIOD;
      break;
    default:
      break;
    }
}

static void
vinp_put_axis (VinpKind kind, guint axis, guint8 *data)
{
  guint32 max = 0;

  switch (axis)
    {
    case ABS_MT_SLOT:
      max = VINP_TOUCH_SLOTS - 1;
      break;
    case ABS_MT_TRACKING_ID:
      max = G_MAXUINT16;
      break;
    default:
      max = VINP_AXIS_MAX;
      break;
    }
  for (guint i = 0; i < 4; i++)
    data[4 + i] = (guint8) (max >> 8 * i); /* min 0, max, fuzz 0, flat 0, resolution not known */
}

/* Bytes up to the last that is not zero: what cannot be has size 0 (§5.8.5). */
static guint
vinp_length (const guint8 *data)
{
  guint len = VINP_DATA_SIZE;

  while (len > 0 && data[len - 1] == 0)
    len--;
  return len;
}

static void
vinp_select (VmmVirtioInput *input)
{
  guint8 *config = input->virtio.regs.config, *data = config + VINP_DATA, bits[VINP_DATA_SIZE] = { 0 };
  guint select = config[VINP_SELECT], subsel = config[VINP_SUBSEL], size = 0;

  memset (config + VINP_SIZE, 0, VINP_CONFIG_SIZE - VINP_SIZE);
  switch (select)
    {
    case VINP_CFG_ID_NAME:
      if (subsel == 0)
        {
          size = (guint) strlen (vinp_kinds[input->kind].name);
          memcpy (data, vinp_kinds[input->kind].name, size);
        }
      break;
    case VINP_CFG_ID_DEVIDS:
      if (subsel == 0)
        {
          size = 8;
          data[0] = VINP_BUS_VIRTUAL;
          data[2] = VINP_VENDOR & 0xff;
          data[3] = VINP_VENDOR >> 8;
          data[4] = (guint8) vinp_kinds[input->kind].product;
          data[6] = VINP_VERSION;
        }
      break;
    case VINP_CFG_PROP_BITS:
      if (subsel == 0 && input->kind == VINP_TOUCH)
        {
          vinp_put_bit (data, INPUT_PROP_DIRECT);
          size = vinp_length (data);
        }
      break;
    case VINP_CFG_EV_BITS:
      vinp_put_event_bits (input->kind, subsel, data);
      size = vinp_length (data);
      break;
    case VINP_CFG_ABS_INFO:
      vinp_put_event_bits (input->kind, EV_ABS, bits);
      if (subsel < ABS_CNT && (bits[subsel / 8] & 1u << subsel % 8))
        {
          vinp_put_axis (input->kind, subsel, data);
          size = 20;
        }
      break;
    default:
      break;
    }
  config[VINP_SIZE] = (guint8) size;
}

static void
vinp_config_written (VmmVirtio *virtio, guint offset, guint size)
{
  vinp_select ((VmmVirtioInput *) virtio);
}

/* Events on their way to the driver */

static void
vinp_flush (VmmVirtioInput *input)
{
  VmmVirtioInputRegs *regs = &input->regs;
  VmmVirtqueue *queue = vmm_virtio_get_queue (&input->virtio, VINP_EVENTS);
  VmmVirtioElement element = { 0 };
  gboolean any = FALSE;

  while (regs->count > 0 && vmm_virtqueue_pop (queue, &element))
    {
      const VinpEvent *event = &regs->pending[regs->first];
      VinpEvent wire = { GUINT16_TO_LE (event->type), GUINT16_TO_LE (event->code), GUINT32_TO_LE (event->value) };
      gsize written = vmm_virtio_element_write (&element, 0, &wire, sizeof wire);

      if (written < sizeof wire)
        vmm_guest_error (&input->virtio.pci.base, "a buffer of %zu bytes for an event", element.in_bytes);
      vmm_virtqueue_push (queue, &element, (guint32) written);
      regs->first = (regs->first + 1) % VINP_PENDING;
      regs->count--;
      any = TRUE;
    }
  if (any)
    vmm_virtqueue_notify (queue);
  vmm_virtio_element_clear (&element);
}

/* Is there room for @n events beside the release (and its SYN_REPORT) of each key that is down, and of one more? */
static gboolean
vinp_has_room (const VmmVirtioInputRegs *regs, guint n)
{
  return regs->count + n + 2u * (regs->n_down + 1u) <= VINP_PENDING;
}

static void
vinp_put (VmmVirtioInputRegs *regs, guint type, guint code, gint32 value)
{
  if (regs->count >= VINP_PENDING)
    return; /* only after the load of a state that vinp_has_room() would not have let come about */
  regs->pending[(regs->first + regs->count) % VINP_PENDING] = (VinpEvent) { (guint16) type, (guint16) code, (guint32) value };
  regs->count++;
}

static VinpEvent *
vinp_from_end (VmmVirtioInputRegs *regs, guint n)
{
  return regs->count >= n ? &regs->pending[(regs->first + regs->count - n) % VINP_PENDING] : NULL;
}

static void
vinp_key (VmmDevice *dev, guint code, gboolean down)
{
  VmmVirtioInput *input = (VmmVirtioInput *) dev;
  VmmVirtioInputRegs *regs = &input->regs;
  guint8 bit = (guint8) (1u << code % 8);

  if (!vmm_virtio_is_live (&input->virtio) || code >= KEY_CNT || !(regs->down[code / 8] & bit) == !down)
    return;
  if (down && !vinp_has_room (regs, 2))
    return;
  regs->down[code / 8] ^= bit;
  regs->n_down = (guint16) (regs->n_down + (down ? 1 : -1));
  vinp_put (regs, EV_KEY, code, down);
  vinp_put (regs, EV_SYN, SYN_REPORT, 0);
  vinp_flush (input);
}

static void
vinp_keyboard_key (VmmDevice *dev, guint code, gboolean down)
{
  if (code >= KEY_ESC && code <= VINP_LAST_KEY)
    vinp_key (dev, code, down);
}

static void
vinp_button (VmmDevice *dev, guint code, gboolean down)
{
  for (guint i = 0; i < G_N_ELEMENTS (vinp_buttons); i++)
    if (vinp_buttons[i] == code)
      vinp_key (dev, code, down);
}

/* One or two values and their SYN_REPORT. */
static void
vinp_values (VmmVirtioInput *input, guint type, guint code_a, int a, guint code_b, int b, gboolean two)
{
  VmmVirtioInputRegs *regs = &input->regs;

  if (!vmm_virtio_is_live (&input->virtio) || !vinp_has_room (regs, 3))
    return;
  vinp_put (regs, type, code_a, a);
  if (two)
    vinp_put (regs, type, code_b, b);
  vinp_put (regs, EV_SYN, SYN_REPORT, 0);
  vinp_flush (input);
}

static void
vinp_motion (VmmDevice *dev, int dx, int dy)
{
  VmmVirtioInputRegs *regs = &((VmmVirtioInput *) dev)->regs;
  VinpEvent *x = vinp_from_end (regs, 3), *y = vinp_from_end (regs, 2);

  /* Joins a motion that still waits, if none of it was taken. */
  if (regs->count >= 3 && x->type == EV_REL && x->code == REL_X && y->type == EV_REL && y->code == REL_Y)
    {
      x->value += (guint32) dx;
      y->value += (guint32) dy;
      return;
    }
  vinp_values ((VmmVirtioInput *) dev, EV_REL, REL_X, dx, REL_Y, dy, TRUE);
}

static void
vinp_wheel (VmmDevice *dev, int dy)
{
  vinp_values ((VmmVirtioInput *) dev, EV_REL, REL_WHEEL, -dy, 0, 0, FALSE); /* away from the user is positive */
}

static void
vinp_position (VmmDevice *dev, int x, int y)
{
  VmmVirtioInputRegs *regs = &((VmmVirtioInput *) dev)->regs;
  VinpEvent *old_x = vinp_from_end (regs, 3), *old_y = vinp_from_end (regs, 2);

  if (regs->count >= 3 && old_x->type == EV_ABS && old_x->code == ABS_X && old_y->type == EV_ABS)
    {
      old_x->value = (guint32) x;
      old_y->value = (guint32) y;
      return;
    }
  vinp_values ((VmmVirtioInput *) dev, EV_ABS, ABS_X, x, ABS_Y, y, TRUE);
}

static void
vinp_touch (VmmDevice *dev, guint slot, VmmTouch touch, int x, int y)
{
  VmmVirtioInput *input = (VmmVirtioInput *) dev;
  VmmVirtioInputRegs *regs = &input->regs;
  guint n_touching = 0;

  /* Each touch is counted as a key that is down, and BTN_TOUCH as one more: lifting the last takes four events. */
  if (!vmm_virtio_is_live (&input->virtio) || slot >= VINP_TOUCH_SLOTS || regs->touching[slot] != (touch != VMM_TOUCH_DOWN)
      || (touch != VMM_TOUCH_UP && !vinp_has_room (regs, 8 + VINP_TOUCH_SLOTS * 2)))
    return;
  for (guint i = 0; i < VINP_TOUCH_SLOTS; i++)
    n_touching += regs->touching[i];
  vinp_put (regs, EV_ABS, ABS_MT_SLOT, (gint32) slot);
  if (touch == VMM_TOUCH_DOWN)
    {
      regs->touching[slot] = 1;
      regs->n_down++;
      regs->last_tracking = (regs->last_tracking + 1) & G_MAXUINT16;
      vinp_put (regs, EV_ABS, ABS_MT_TRACKING_ID, (gint32) regs->last_tracking);
    }
  if (touch == VMM_TOUCH_UP)
    {
      regs->touching[slot] = 0;
      regs->n_down--;
      vinp_put (regs, EV_ABS, ABS_MT_TRACKING_ID, -1);
    }
  else
    {
      vinp_put (regs, EV_ABS, ABS_MT_POSITION_X, x);
      vinp_put (regs, EV_ABS, ABS_MT_POSITION_Y, y);
    }
  if ((touch == VMM_TOUCH_DOWN && n_touching == 0) || (touch == VMM_TOUCH_UP && n_touching == 1))
    vinp_put (regs, EV_KEY, BTN_TOUCH, touch == VMM_TOUCH_DOWN);
  vinp_put (regs, EV_SYN, SYN_REPORT, 0);
  vinp_flush (input);
}

static const VmmInputOps vinp_input_ops[] = {
  [VINP_KEYBOARD] = { .key = vinp_keyboard_key },
  [VINP_MOUSE] = { .motion = vinp_motion, .button = vinp_button, .wheel = vinp_wheel },
  [VINP_TABLET] = { .position = vinp_position, .button = vinp_button, .wheel = vinp_wheel },
  [VINP_TOUCH] = { .touch = vinp_touch },
};

/* What the driver says */

static void
vinp_handle_status (VmmVirtioInput *input)
{
  VmmVirtqueue *queue = vmm_virtio_get_queue (&input->virtio, VINP_STATUS);
  VmmVirtioElement element = { 0 };
  gboolean any = FALSE;

  while (vmm_virtqueue_pop (queue, &element))
    {
      VinpEvent wire;

      if (vmm_virtio_element_read (&element, 0, &wire, sizeof wire) == sizeof wire && GUINT16_FROM_LE (wire.type) == EV_LED
          && GUINT16_FROM_LE (wire.code) <= LED_SCROLLL)
        {
          guint8 bit = (guint8) (1u << GUINT16_FROM_LE (wire.code));

          input->regs.leds = (guint8) (wire.value != 0 ? input->regs.leds | bit : input->regs.leds & ~bit);
        }
      vmm_virtqueue_push (queue, &element, 0);
      any = TRUE;
    }
  if (any)
    vmm_virtqueue_notify (queue);
  vmm_virtio_element_clear (&element);
}

static void
vinp_handle_queue (VmmVirtio *virtio, guint index)
{
  if (index == VINP_EVENTS)
    vinp_flush ((VmmVirtioInput *) virtio);
  else
    vinp_handle_status ((VmmVirtioInput *) virtio);
}

static void
vinp_start (VmmVirtio *virtio)
{
  vmm_input_set_active (&virtio->pci.base, TRUE);
}

static void
vinp_reset (VmmVirtio *virtio)
{
  VmmVirtioInput *input = (VmmVirtioInput *) virtio;

  vmm_input_set_active (&virtio->pci.base, FALSE);
  memset (&input->regs, 0, sizeof input->regs);
  memset (virtio->regs.config, 0, VINP_CONFIG_SIZE);
}

static const VmmVirtioOps vinp_ops = { .handle_queue = vinp_handle_queue,
                                       .config_written = vinp_config_written,
                                       .start = vinp_start,
                                       .reset = vinp_reset };

static void
vinp_unrealize (VmmDevice *dev)
{
  VmmVirtio *virtio = (VmmVirtio *) dev;

  vmm_input_remove (dev);
  vmm_virtio_stop (virtio);
  vmm_virtio_clear (virtio);
}

static gboolean
vinp_realize (VmmDevice *dev, VinpKind kind, GError **error)
{
  VmmVirtioInput *input = (VmmVirtioInput *) dev;
  VmmVirtioParams params = { .device_id = VMM_VIRTIO_ID_INPUT,
                             .pci_class = vinp_kinds[kind].pci_class,
                             .devfn = -1,
                             .n_queues = VINP_N_QUEUES,
                             .queue_size = VINP_QUEUE_SIZE,
                             .config_size = VINP_CONFIG_SIZE };

  input->kind = kind;
  if (!vmm_virtio_init (&input->virtio, &vinp_ops, &params, error))
    return FALSE;
  input->virtio.config_mask[VINP_SELECT] = input->virtio.config_mask[VINP_SUBSEL] = 0xff;
  vmm_input_add (dev, &vinp_input_ops[kind]);
  return TRUE;
}

static gboolean
vinp_keyboard_realize (VmmDevice *dev, GError **error)
{
  return vinp_realize (dev, VINP_KEYBOARD, error);
}

static gboolean
vinp_mouse_realize (VmmDevice *dev, GError **error)
{
  return vinp_realize (dev, VINP_MOUSE, error);
}

static gboolean
vinp_tablet_realize (VmmDevice *dev, GError **error)
{
  return vinp_realize (dev, VINP_TABLET, error);
}

static gboolean
vinp_touch_realize (VmmDevice *dev, GError **error)
{
  return vinp_realize (dev, VINP_TOUCH, error);
}

static gboolean
vinp_post_load (VmmDevice *dev, GError **error)
{
  VmmVirtioInput *input = (VmmVirtioInput *) dev;
  VmmVirtioInputRegs *regs = &input->regs;
  guint n_down = 0;

  for (guint i = 0; i < sizeof regs->down; i++)
    n_down += (guint) __builtin_popcount (regs->down[i]);
  for (guint i = 0; i < VINP_TOUCH_SLOTS; i++)
    {
      regs->touching[i] = regs->touching[i] != 0;
      n_down += regs->touching[i];
    }
  regs->n_down = (guint16) n_down;
  return vmm_virtio_post_load (dev, error);
}

#define VINP_CLASS(name_, summary_, realize_)              \
  {                                                        \
    .name = name_,                                         \
    .summary = summary_,                                   \
    .bus = VMM_DEVICE_PCI,                                 \
    .user_creatable = TRUE,                                \
    .instance_size = sizeof (VmmVirtioInput),              \
    .regs_offset = G_STRUCT_OFFSET (VmmVirtioInput, regs), \
    .regs_size = sizeof (VmmVirtioInputRegs),              \
    .regs_fields = vinp_fields,                            \
    .state_version = 1,                                    \
    .realize = realize_,                                   \
    .reset = vmm_virtio_reset,                             \
    .quiesce = vmm_virtio_quiesce,                         \
    .resume = vmm_virtio_resume,                           \
    .unrealize = vinp_unrealize,                           \
    .post_load = vinp_post_load,                           \
  }

const VmmDeviceClass vmm_virtio_keyboard_class = VINP_CLASS ("virtio-keyboard", N_ ("Keyboard (virtio)"), vinp_keyboard_realize);
const VmmDeviceClass vmm_virtio_mouse_class = VINP_CLASS ("virtio-mouse", N_ ("Mouse (virtio)"), vinp_mouse_realize);
const VmmDeviceClass vmm_virtio_tablet_class = VINP_CLASS ("virtio-tablet", N_ ("Tablet pointer (virtio)"), vinp_tablet_realize);
const VmmDeviceClass vmm_virtio_multitouch_class = VINP_CLASS ("virtio-multitouch", N_ ("Touch screen (virtio)"),
                                                               vinp_touch_realize);
