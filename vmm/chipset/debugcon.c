/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The debug console at port 402: what SeaBIOS says about itself.
 * Spec: none; SeaBIOS writes its log there if the port reads E9. Left out: input.
 *
 * Theory of operation: writes are coalesced by KVM and arrive late, in order. Bytes go to the channel (log file, replay) as they are;
 * whole lines also go to the structured log, the first thousand after a reset, so that a guest cannot flood it. */
#include "core/bus.h"
#include "core/channel.h"
#include "core/device.h"
#include "core/log.h"

#include <string.h>

#define DBGC_PORT 0x402
#define DBGC_READBACK 0xe9
#define DBGC_LINE 160 /* longer lines are cut in pieces */
#define DBGC_MAX_LINES 1000

typedef struct {
  VmmDevice base;
  VmmRegion port;
  VmmChannel *channel;
  char line[DBGC_LINE + 1]; /* not guest-visible: begun and not yet logged */
  guint line_len;
  guint lines_logged;
} Debugcon;

static void
dbgc_log_line (Debugcon *console)
{
  console->line[console->line_len] = '\0';
  if (console->line_len > 0 && console->lines_logged < DBGC_MAX_LINES)
    {
      console->lines_logged++;
      vmm_log_debug (console->base.machine, &console->base, "%s", console->line);
    }
  console->line_len = 0;
}

static guint64
dbgc_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  return DBGC_READBACK;
}

static void
dbgc_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  Debugcon *console = (Debugcon *) dev;
  guint8 byte = (guint8) value;

  vmm_channel_write (console->channel, &byte, 1);
  if (byte == '\n' || console->line_len == DBGC_LINE)
    dbgc_log_line (console);
  if (byte != '\n' && byte != '\r')
    console->line[console->line_len++] = byte >= 0x20 && byte < 0x7f ? (char) byte : '?';
}

static const VmmRegionOps dbgc_ops = { .name = "debugcon", .read = dbgc_read, .write = dbgc_write, .access_max = 1 };

static gsize
dbgc_receive (VmmDevice *dev, const guint8 *data, gsize len)
{
  return len; /* nobody reads in the guest */
}

static void
dbgc_reset (VmmDevice *dev, VmmResetKind kind)
{
  Debugcon *console = (Debugcon *) dev;

  dbgc_log_line (console);
  console->lines_logged = 0;
}

static gboolean
dbgc_realize (VmmDevice *dev, GError **error)
{
  Debugcon *console = (Debugcon *) dev;

  console->channel = vmm_channel_new (dev, dbgc_receive, error);
  if (console->channel == NULL)
    return FALSE;
  vmm_region_init (&console->port, dev, VMM_SPACE_PIO, &dbgc_ops, NULL, 1, VMM_REGION_COALESCE);
  vmm_region_map (vmm_device_get_bus (dev), &console->port, DBGC_PORT);
  return TRUE;
}

static void
dbgc_unrealize (VmmDevice *dev)
{
  Debugcon *console = (Debugcon *) dev;

  vmm_region_unmap (vmm_device_get_bus (dev), &console->port);
  g_clear_pointer (&console->channel, vmm_channel_free);
}

const VmmDeviceClass vmm_debugcon_class = {
  .name = "debugcon",
  .summary = N_ ("Debug console of the firmware"),
  .bus = VMM_DEVICE_SYSTEM,
  .instance_size = sizeof (Debugcon),
  .state_version = 1,
  .realize = dbgc_realize,
  .reset = dbgc_reset,
  .unrealize = dbgc_unrealize,
};
