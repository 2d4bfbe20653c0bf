/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "xhci-host.h"

#include "pci/pci.h"

#include <string.h>

#define XH_DCBAA 0x100000u
#define XH_COMMANDS 0x101000u
#define XH_ERST 0x102000u
#define XH_EVENTS 0x103000u
#define XH_EVENTS_N 256
#define XH_INPUT 0x105000u
#define XH_OUTPUT 0x110000u
#define XH_RINGS 0x200000u

#define XH_USBCMD 0x40
#define XH_USBSTS 0x44
#define XH_CRCR 0x58
#define XH_DCBAAP 0x70
#define XH_CONFIG 0x78
#define XH_PORTSC 0x440
#define XH_IMAN 0x1020
#define XH_ERSTSZ 0x1028
#define XH_ERSTBA 0x1030
#define XH_ERDP 0x1038
#define XH_DOORBELL 0x2000

#define XH_C 1u
#define XH_TC 2u
#define XH_ISP 4u
#define XH_IOC 0x20u
#define XH_IDT 0x40u

XhciHost *
xhci_host_new (TestBoard *board)
{
  XhciHost *host = g_new0 (XhciHost, 1);

  host->board = board;
  host->xhci = test_board_add (board, "xhci", "xhci", NULL);
  host->devfn = ((VmmPciDevice *) host->xhci)->devfn;
  test_pci_write (board, host->devfn, 0x10, 4, XHCI_HOST_BAR);
  test_pci_write (board, host->devfn, 0x14, 4, 0);
  test_pci_write (board, host->devfn, 0x04, 2, 0x0006);
  return host;
}

void
xhci_host_free (XhciHost *host)
{
  g_free (host);
}

guint32
xhci_host_read (XhciHost *host, guint reg)
{
  return (guint32) test_read (host->board, XHCI_HOST_BAR + reg, 4);
}

void
xhci_host_write (XhciHost *host, guint reg, guint32 value)
{
  test_write (host->board, XHCI_HOST_BAR + reg, 4, value);
}

guint32
xhci_host_portsc (XhciHost *host, guint port)
{
  return xhci_host_read (host, XH_PORTSC + (port - 1) * 0x10);
}

void
xhci_host_set_portsc (XhciHost *host, guint port, guint32 value)
{
  xhci_host_write (host, XH_PORTSC + (port - 1) * 0x10, value);
}

static void
xh_put_trb (XhciHost *host, guint64 gpa, guint64 parameter, guint32 status, guint32 control)
{
  guint8 bytes[16];
  guint64 p = GUINT64_TO_LE (parameter);
  guint32 s = GUINT32_TO_LE (status), c = GUINT32_TO_LE (control);

  memcpy (bytes, &p, 8);
  memcpy (bytes + 8, &s, 4);
  memcpy (bytes + 12, &c, 4);
  test_ram_write (host->board, gpa, bytes, 16);
}

static XhciHostTrb
xh_get_trb (XhciHost *host, guint64 gpa)
{
  XhciHostTrb trb;

  test_ram_read (host->board, gpa, &trb, 16);
  return (XhciHostTrb) { GUINT64_FROM_LE (trb.parameter), GUINT32_FROM_LE (trb.status), GUINT32_FROM_LE (trb.control) };
}

static void
xh_clear (XhciHost *host, guint64 gpa, gsize len)
{
  g_autofree guint8 *zeros = g_malloc0 (len);

  test_ram_write (host->board, gpa, zeros, len);
}

void
xhci_host_start (XhciHost *host)
{
  guint64 entry[2] = { GUINT64_TO_LE (XH_EVENTS), GUINT64_TO_LE (XH_EVENTS_N) };

  xhci_host_write (host, XH_USBCMD, 2);
  g_assert_cmphex (xhci_host_read (host, XH_USBCMD) & 2, ==, 0);
  xh_clear (host, XH_DCBAA, 0x5000);
  xh_clear (host, XH_OUTPUT, 65 * 0x800);
  for (guint slot = 1; slot <= 64; slot++)
    {
      guint64 output = GUINT64_TO_LE (xhci_host_output_context (slot));

      test_ram_write (host->board, XH_DCBAA + slot * 8, &output, 8);
    }
  test_ram_write (host->board, XH_ERST, entry, 16);
  host->command_index = host->event_index = 0;
  host->command_cycle = host->event_cycle = 1;
  xhci_host_write (host, XH_CONFIG, 64);
  xhci_host_write (host, XH_DCBAAP, XH_DCBAA);
  xhci_host_write (host, XH_DCBAAP + 4, 0);
  xhci_host_write (host, XH_CRCR, XH_COMMANDS | 1);
  xhci_host_write (host, XH_CRCR + 4, 0);
  xhci_host_write (host, XH_ERSTSZ, 1);
  xhci_host_write (host, XH_ERDP, XH_EVENTS);
  xhci_host_write (host, XH_ERDP + 4, 0);
  xhci_host_write (host, XH_ERSTBA, XH_ERST);
  xhci_host_write (host, XH_ERSTBA + 4, 0);
  xhci_host_write (host, XH_IMAN + 4, 0); /* no moderation */
  xhci_host_write (host, XH_IMAN, 2);
  xhci_host_write (host, XH_USBCMD, 5);
  g_assert_cmphex (xhci_host_read (host, XH_USBSTS) & 1, ==, 0);
}

gboolean
xhci_host_poll (XhciHost *host, XhciHostTrb *ret)
{
  XhciHostTrb trb = xh_get_trb (host, XH_EVENTS + host->event_index * 16);

  if ((trb.control & XH_C) != host->event_cycle)
    return FALSE;
  if (++host->event_index == XH_EVENTS_N)
    {
      host->event_index = 0;
      host->event_cycle ^= 1;
    }
  xhci_host_write (host, XH_ERDP, (XH_EVENTS + host->event_index * 16) | 8);
  *ret = trb;
  return TRUE;
}

XhciHostTrb
xhci_host_wait (XhciHost *host, guint type)
{
  XhciHostTrb trb = { 0 };
  gboolean found = FALSE;

  while (!found)
    {
      gboolean any = FALSE;

      test_wait_until (any || (any = xhci_host_poll (host, &trb)));
      found = (trb.control >> 10 & 0x3f) == type;
    }
  return trb;
}

guint
xhci_host_command (XhciHost *host, guint64 parameter, guint32 control, guint *ret_slot)
{
  guint64 at = XH_COMMANDS + host->command_index * 16;
  XhciHostTrb event;

  xh_put_trb (host, at, parameter, 0, control | host->command_cycle);
  if (++host->command_index == XHCI_HOST_RING_TRBS - 1)
    {
      xh_put_trb (host, XH_COMMANDS + host->command_index * 16, XH_COMMANDS, 0, 6u << 10 | XH_TC | host->command_cycle);
      host->command_index = 0;
      host->command_cycle ^= 1;
    }
  xhci_host_write (host, XH_DOORBELL, 0);
  event = xhci_host_wait (host, 33);
  g_assert_cmphex (event.parameter, ==, at);
  if (ret_slot != NULL)
    *ret_slot = event.control >> 24;
  return event.status >> 24;
}

guint64
xhci_host_output_context (guint slot)
{
  return XH_OUTPUT + slot * 0x800;
}

guint64
xhci_host_input_context (void)
{
  return XH_INPUT;
}

guint64
xhci_host_ring (guint slot, guint dci)
{
  return XH_RINGS + (slot * 32 + dci) * 0x400;
}

static void
xh_put32 (XhciHost *host, guint64 gpa, guint32 value)
{
  value = GUINT32_TO_LE (value);
  test_ram_write (host->board, gpa, &value, 4);
}

/* The input context's endpoint, with an empty ring. */
static void
xh_put_endpoint (XhciHost *host, guint slot, guint dci, guint type, guint max_packet)
{
  guint64 at = XH_INPUT + (dci + 1) * 32;

  xh_clear (host, xhci_host_ring (slot, dci), XHCI_HOST_RING_TRBS * 16);
  host->ring[slot][dci].index = 0;
  host->ring[slot][dci].cycle = 1;
  xh_put32 (host, at, 0);
  xh_put32 (host, at + 4, max_packet << 16 | type << 3 | 3 << 1);
  xh_put32 (host, at + 8, (guint32) xhci_host_ring (slot, dci) | 1);
  xh_put32 (host, at + 12, 0);
  xh_put32 (host, at + 16, 8);
}

guint
xhci_host_address (XhciHost *host, guint port, guint32 route)
{
  guint slot, speed;

  if (port > 4 && route == 0)
    {
      xhci_host_set_portsc (host, port, 0x210);
      g_assert_cmphex (xhci_host_portsc (host, port) & 2, ==, 2);
    }
  if (xhci_host_command (host, 0, 9u << 10, &slot) != 1)
    return 0;
  speed = xhci_host_portsc (host, port) >> 10 & 0xf;
  xh_clear (host, XH_INPUT, 33 * 32);
  xh_put32 (host, XH_INPUT + 4, 3);
  xh_put32 (host, XH_INPUT + 32, 1u << 27 | speed << 20 | route);
  xh_put32 (host, XH_INPUT + 36, port << 16);
  xh_put_endpoint (host, slot, 1, 4, speed == 4 ? 512 : 64);
  return xhci_host_command (host, XH_INPUT, slot << 24 | 11u << 10, NULL) == 1 ? slot : 0;
}

guint
xhci_host_add_endpoint (XhciHost *host, guint slot, guint dci, guint type, guint max_packet)
{
  guint8 context[32];

  xh_clear (host, XH_INPUT, 33 * 32);
  test_ram_read (host->board, xhci_host_output_context (slot), context, 32);
  test_ram_write (host->board, XH_INPUT + 32, context, 32);
  xh_put32 (host, XH_INPUT + 4, 1u << dci | 1);
  xh_put_endpoint (host, slot, dci, type, max_packet);
  return xhci_host_command (host, XH_INPUT, slot << 24 | 12u << 10, NULL);
}

guint64
xhci_host_push (XhciHost *host, guint slot, guint dci, guint64 parameter, guint32 status, guint32 control)
{
  guint64 ring = xhci_host_ring (slot, dci), at = ring + host->ring[slot][dci].index * 16;

  xh_put_trb (host, at, parameter, status, control | host->ring[slot][dci].cycle);
  if (++host->ring[slot][dci].index == XHCI_HOST_RING_TRBS - 1)
    {
      /* In the middle of a TD the link is part of the chain. */
      xh_put_trb (host, ring + host->ring[slot][dci].index * 16, ring, 0,
                  6u << 10 | XH_TC | (control & 0x10) | host->ring[slot][dci].cycle);
      host->ring[slot][dci].index = 0;
      host->ring[slot][dci].cycle ^= 1;
    }
  return at;
}

void
xhci_host_doorbell (XhciHost *host, guint slot, guint dci)
{
  xhci_host_write (host, XH_DOORBELL + slot * 4, dci);
}

guint
xhci_host_control (XhciHost *host, guint slot, guint8 type, guint8 request, guint16 value, guint16 index, guint16 length,
                   guint *ret_len)
{
  gboolean in = (type & 0x80) != 0;
  guint64 setup = (guint64) type | (guint64) request << 8 | (guint64) value << 16 | (guint64) index << 32 | (guint64) length << 48;
  guint64 data = 0;
  guint moved = length;
  XhciHostTrb event;

  xhci_host_push (host, slot, 1, setup, 8, 2u << 10 | XH_IDT | (length == 0 ? 0 : in ? 3u << 16 : 2u << 16));
  if (length > 0)
    data = xhci_host_push (host, slot, 1, XHCI_HOST_DATA, length, 3u << 10 | XH_ISP | (in ? 1u << 16 : 0));
  xhci_host_push (host, slot, 1, 0, 0, 4u << 10 | XH_IOC | (in && length > 0 ? 0 : 1u << 16));
  xhci_host_doorbell (host, slot, 1);
  event = xhci_host_wait (host, 32);
  if (data != 0 && event.parameter == data && event.status >> 24 == 13) /* short; the status stage follows */
    {
      moved = length - (event.status & 0xffffff);
      event = xhci_host_wait (host, 32);
    }
  if (ret_len != NULL)
    *ret_len = moved;
  return event.status >> 24;
}

guint
xhci_host_transfer (XhciHost *host, guint slot, guint dci, guint64 gpa, guint32 len, guint *ret_len)
{
  guint64 at = xhci_host_push (host, slot, dci, gpa, len, 1u << 10 | XH_IOC | XH_ISP);
  XhciHostTrb event;

  xhci_host_doorbell (host, slot, dci);
  event = xhci_host_wait (host, 32);
  g_assert_cmphex (event.parameter, ==, at);
  g_assert_cmphex (event.control >> 16, ==, slot << 8 | dci);
  if (ret_len != NULL)
    *ret_len = len - (event.status & 0xffffff);
  return event.status >> 24;
}

void
xhci_host_recover (XhciHost *host, guint slot, guint dci)
{
  guint64 at = xhci_host_ring (slot, dci) + host->ring[slot][dci].index * 16;

  g_assert_cmpuint (xhci_host_command (host, 0, slot << 24 | dci << 16 | 14u << 10, NULL), ==, 1);
  g_assert_cmpuint (xhci_host_command (host, at | host->ring[slot][dci].cycle, slot << 24 | dci << 16 | 16u << 10, NULL), ==, 1);
}
