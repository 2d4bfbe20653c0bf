/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: xHCI 1.1 (sections named), QEMU's qemu-xhci as measured for the layout (contract 7.6), and the sequences of Linux'
 * xhci-ring.c. The device behind the controller is the keyboard, its answers are those of USB 2.0 §9. */
#include "core/machine.h"
#include "pci/pci.h"
#include "xhci-host.h"

#include <linux/input-event-codes.h>
#include <string.h>

#define PORT 5 /* the keyboard's: USB 2, connector 1 */

typedef struct {
  TestBoard *board;
  XhciHost *host;
  VmmDevice *keyboard;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  f->board = test_board_new ();
  f->host = xhci_host_new (f->board);
  f->keyboard = test_board_add (f->board, "usb-keyboard", "kbd0", "port", "1", NULL);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  test_board_free (f->board);
  xhci_host_free (f->host);
}

static guint32
read_context (Fixture *f, guint slot, guint index, guint word)
{
  guint32 value;

  test_ram_read (f->board, xhci_host_output_context (slot) + index * 32 + word * 4, &value, 4);
  return GUINT32_FROM_LE (value);
}

static guint
start_keyboard (Fixture *f)
{
  guint slot;

  xhci_host_start (f->host);
  slot = xhci_host_address (f->host, PORT, 0);
  g_assert_cmpuint (slot, ==, 1);
  g_assert_cmpuint (xhci_host_add_endpoint (f->host, slot, 3, 7, 8), ==, 1);
  g_assert_cmpuint (xhci_host_control (f->host, slot, 0x00, 9, 1, 0, 0, NULL), ==, 1);
  return slot;
}

static void
press (Fixture *f, guint code, gboolean down)
{
  vmm_machine_key (f->board->machine, code, down);
  test_board_settle (f->board);
}

/* === Registers === */

static void
test_layout (Fixture *f, gconstpointer data)
{
  static const struct {
    guint reg;
    guint32 value;
  } expected[] = { { 0x00, 0x01000040 }, { 0x04, 0x08001040 }, { 0x14, 0x2000 },     { 0x18, 0x1000 },     { 0x20, 0x02000402 },
                   { 0x24, 0x20425355 }, { 0x28, 0x00000405 }, { 0x30, 0x03000002 }, { 0x38, 0x00000401 }, { 0x48, 1 } };

  g_assert_cmphex (test_pci_read (f->board, f->host->devfn, 0x00, 4), ==, 0x000d1b36);
  g_assert_cmphex (test_pci_read (f->board, f->host->devfn, 0x08, 4), ==, 0x0c033001);
  g_assert_cmphex (test_pci_read (f->board, f->host->devfn, 0x60, 1), ==, 0x30);
  for (guint i = 0; i < G_N_ELEMENTS (expected); i++)
    g_assert_cmphex (xhci_host_read (f->host, expected[i].reg), ==, expected[i].value);
  g_assert_cmphex (test_read (f->board, XHCI_HOST_BAR, 1), ==, 0x40);
  g_assert_cmphex (xhci_host_read (f->host, 0x44) & 1, ==, 1); /* halted */
}

static void
test_port_reset (Fixture *f, gconstpointer data)
{
  XhciHostTrb event;

  /* §4.19.1.1: connected, polling, not enabled. */
  g_assert_cmphex (xhci_host_portsc (f->host, PORT), ==, 0x00020ee1);
  g_assert_cmphex (xhci_host_portsc (f->host, 6), ==, 0x000002a0);
  xhci_host_start (f->host);
  g_assert_false (xhci_host_poll (f->host, &event));
  xhci_host_set_portsc (f->host, PORT, 0x00020200); /* CSC is cleared by 1 */
  g_assert_cmphex (xhci_host_portsc (f->host, PORT), ==, 0x00000ee1);
  xhci_host_set_portsc (f->host, PORT, 0x00000210);
  g_assert_cmphex (xhci_host_portsc (f->host, PORT), ==, 0x00200e03); /* enabled, U0, PRC */
  event = xhci_host_wait (f->host, 34);
  g_assert_cmphex (event.parameter, ==, (guint64) PORT << 24);
  g_assert_cmphex (event.status, ==, 0x01000000);
  /* Other bits stay when one is cleared. */
  xhci_host_set_portsc (f->host, PORT, 0x00020200);
  g_assert_cmphex (xhci_host_portsc (f->host, PORT), ==, 0x00200e03);
  /* PED is cleared by 1. */
  xhci_host_set_portsc (f->host, PORT, 0x00000202);
  g_assert_cmphex (xhci_host_portsc (f->host, PORT), ==, 0x00200e81);
}

static void
test_suspend (Fixture *f, gconstpointer data)
{
  start_keyboard (f);
  xhci_host_set_portsc (f->host, PORT, 0x00010200 | 0x00fe0000 | 3 << 5);
  g_assert_cmphex (xhci_host_portsc (f->host, PORT), ==, 0x00000e63);
  xhci_host_set_portsc (f->host, PORT, 0x00010200 | 15 << 5);
  xhci_host_set_portsc (f->host, PORT, 0x00010200);
  g_assert_cmphex (xhci_host_portsc (f->host, PORT), ==, 0x00400e03); /* PLC */
}

/* === Commands === */

static void
test_no_op (Fixture *f, gconstpointer data)
{
  guint slot;

  xhci_host_start (f->host);
  for (guint i = 0; i < 200; i++) /* over the link of the ring and more */
    g_assert_cmpuint (xhci_host_command (f->host, 0, 23u << 10, &slot), ==, 1);
  g_assert_cmpuint (slot, ==, 0);
  g_assert_cmpuint (xhci_host_command (f->host, 0, 40u << 10, NULL), ==, 5);
}

static void
test_slots (Fixture *f, gconstpointer data)
{
  guint slot;

  xhci_host_start (f->host);
  xhci_host_write (f->host, 0x78, 2);
  g_assert_cmpuint (xhci_host_command (f->host, 0, 9u << 10, &slot), ==, 1);
  g_assert_cmpuint (slot, ==, 1);
  g_assert_cmpuint (xhci_host_command (f->host, 0, 9u << 10, &slot), ==, 1);
  g_assert_cmpuint (slot, ==, 2);
  g_assert_cmpuint (xhci_host_command (f->host, 0, 9u << 10, NULL), ==, 9);
  g_assert_cmpuint (xhci_host_command (f->host, 0, 1u << 24 | 10u << 10, NULL), ==, 1);
  g_assert_cmpuint (xhci_host_command (f->host, 0, 1u << 24 | 10u << 10, NULL), ==, 11);
  g_assert_cmpuint (xhci_host_command (f->host, 0, 9u << 10, &slot), ==, 1);
  g_assert_cmpuint (slot, ==, 1);
}

static void
test_address (Fixture *f, gconstpointer data)
{
  guint slot;

  xhci_host_start (f->host);
  slot = xhci_host_address (f->host, PORT, 0);
  g_assert_cmpuint (slot, ==, 1);
  g_assert_cmphex (read_context (f, slot, 0, 3), ==, 2u << 27 | slot); /* addressed */
  g_assert_cmphex (read_context (f, slot, 1, 0) & 7, ==, 1);           /* running */
  /* Again: its state forbids it (§4.6.5). Nothing at the port: transaction error. */
  g_assert_cmpuint (xhci_host_command (f->host, xhci_host_input_context (), slot << 24 | 11u << 10, NULL), ==, 19);
  g_assert_cmpuint (xhci_host_address (f->host, 1, 0), ==, 0);
}

static void
test_stop_endpoint (Fixture *f, gconstpointer data)
{
  guint slot = start_keyboard (f);
  guint64 at = xhci_host_push (f->host, slot, 3, XHCI_HOST_DATA, 8, 1u << 10 | 0x24);
  XhciHostTrb event;

  xhci_host_doorbell (f->host, slot, 3);
  g_assert_false (xhci_host_poll (f->host, &event)); /* the keyboard has nothing to say */
  g_assert_cmpuint (xhci_host_command (f->host, 0, slot << 24 | 3u << 16 | 15u << 10, NULL), ==, 1);
  g_assert_cmphex (read_context (f, slot, 3, 0) & 7, ==, 3);
  g_assert_cmphex (read_context (f, slot, 3, 2), ==, (guint32) at | 1); /* it goes on with the same TRB */
  g_assert_cmpuint (xhci_host_command (f->host, 0, slot << 24 | 3u << 16 | 15u << 10, NULL), ==, 19);
  press (f, KEY_A, TRUE);
  g_assert_false (xhci_host_poll (f->host, &event));
  xhci_host_doorbell (f->host, slot, 3);
  event = xhci_host_wait (f->host, 32);
  g_assert_cmphex (event.parameter, ==, at);
  g_assert_cmphex (event.status, ==, 0x01000000);
}

static void
test_stopped_event (Fixture *f, gconstpointer data)
{
  guint slot = start_keyboard (f);
  guint64 at = xhci_host_push (f->host, slot, 3, XHCI_HOST_DATA, 8, 1u << 10 | 0x24),
          command = 0x101000 + 16 * f->host->command_index;
  guint8 trb[16] = { 0 };
  XhciHostTrb event;

  xhci_host_doorbell (f->host, slot, 3);
  trb[12] = (guint8) f->host->command_cycle;
  trb[13] = 15 << 2;
  trb[14] = 3;
  trb[15] = (guint8) slot;
  test_ram_write (f->board, command, trb, 16);
  xhci_host_write (f->host, 0x2000, 0);
  /* §4.6.9: first the transfer that was cut short, then the command. */
  event = xhci_host_wait (f->host, 32);
  g_assert_cmphex (event.parameter, ==, at);
  g_assert_cmphex (event.status, ==, 26u << 24 | 8);
  g_assert_true (xhci_host_poll (f->host, &event));
  g_assert_cmpuint (event.control >> 10 & 0x3f, ==, 33);
}

/* === Transfers === */

static void
test_control (Fixture *f, gconstpointer data)
{
  guint slot, len;
  guint8 bytes[18];

  xhci_host_start (f->host);
  slot = xhci_host_address (f->host, PORT, 0);
  g_assert_cmpuint (xhci_host_control (f->host, slot, 0x80, 6, 0x0100, 0, 8, &len), ==, 1);
  g_assert_cmpuint (len, ==, 8);
  g_assert_cmpuint (xhci_host_control (f->host, slot, 0x80, 6, 0x0100, 0, 64, &len), ==, 1);
  g_assert_cmpuint (len, ==, 18);
  test_ram_read (f->board, XHCI_HOST_DATA, bytes, 18);
  g_assert_cmpuint (bytes[0], ==, 18);
  g_assert_cmpuint (bytes[1], ==, 1);
  /* A string that there is not: stall, the endpoint halts; after the recovery it goes on. */
  g_assert_cmpuint (xhci_host_control (f->host, slot, 0x80, 6, 0x0377, 0, 64, NULL), ==, 6);
  g_assert_cmphex (read_context (f, slot, 1, 0) & 7, ==, 2);
  xhci_host_recover (f->host, slot, 1);
  g_assert_cmpuint (xhci_host_control (f->host, slot, 0x80, 6, 0x0200, 0, 255, &len), ==, 1);
  g_assert_cmpuint (len, ==, 34);
}

static void
test_chain (Fixture *f, gconstpointer data)
{
  guint slot = start_keyboard (f);
  guint8 bytes[8];
  guint64 last;
  XhciHostTrb event;

  /* 3 + 0 + 5 bytes and an event data TRB, as Windows does it (§4.11.5.2); over the ring's end. */
  for (guint i = 0; i < 40; i++)
    {
      xhci_host_push (f->host, slot, 3, XHCI_HOST_DATA, 3, 1u << 10 | 0x10);
      xhci_host_push (f->host, slot, 3, XHCI_HOST_DATA + 0x100, 5, 1u << 10 | 0x10);
      last = xhci_host_push (f->host, slot, 3, 0x1234567890abcdef, 0, 7u << 10 | 0x20);
      g_assert_cmpuint (last, !=, 0);
      xhci_host_doorbell (f->host, slot, 3);
      press (f, KEY_LEFTSHIFT, i % 2 == 0);
      event = xhci_host_wait (f->host, 32);
      g_assert_cmphex (event.parameter, ==, 0x1234567890abcdef);
      g_assert_cmphex (event.status, ==, 1u << 24 | 8);
      g_assert_cmphex (event.control & 4, ==, 4);
      test_ram_read (f->board, XHCI_HOST_DATA, bytes, 3);
      g_assert_cmphex (bytes[0], ==, i % 2 == 0 ? 2 : 0);
    }
}

static void
test_short (Fixture *f, gconstpointer data)
{
  guint slot = start_keyboard (f), len;

  press (f, KEY_B, TRUE); /* not fetched by anybody yet: the keyboard isn't active */
  xhci_host_push (f->host, slot, 3, XHCI_HOST_DATA, 64, 1u << 10 | 0x24);
  xhci_host_doorbell (f->host, slot, 3);
  press (f, KEY_A, TRUE);
  press (f, KEY_A, FALSE);
  g_assert_cmphex (xhci_host_wait (f->host, 32).status, ==, 13u << 24 | 56);
  g_assert_cmpuint (xhci_host_transfer (f->host, slot, 3, XHCI_HOST_DATA, 8, &len), ==, 1);
  g_assert_cmpuint (len, ==, 8);
}

static void
test_unplug (Fixture *f, gconstpointer data)
{
  guint slot = start_keyboard (f);
  XhciHostTrb event;

  xhci_host_push (f->host, slot, 3, XHCI_HOST_DATA, 8, 1u << 10 | 0x24);
  xhci_host_doorbell (f->host, slot, 3);
  xhci_host_set_portsc (f->host, PORT, 0x00fe0200);
  vmm_device_free (f->keyboard);
  g_ptr_array_remove (f->board->machine->devices, f->keyboard);
  event = xhci_host_wait (f->host, 32);
  g_assert_cmpuint (event.status >> 24, ==, 4);
  event = xhci_host_wait (f->host, 34);
  g_assert_cmphex (event.parameter, ==, (guint64) PORT << 24);
  g_assert_cmphex (xhci_host_portsc (f->host, PORT), ==, 0x000202a0);
}

/* === Interrupts === */

static void
test_intx (Fixture *f, gconstpointer data)
{
  guint gsi;
  XhciHostTrb event;

  xhci_host_start (f->host);
  gsi = 20 + (f->host->devfn >> 3 & 3);
  g_assert_false (test_irq_level (f->board, gsi));
  xhci_host_set_portsc (f->host, PORT, 0x210);
  g_assert_true (test_irq_level (f->board, gsi));
  g_assert_cmphex (xhci_host_read (f->host, 0x44) & 8, ==, 8); /* EINT */
  g_assert_cmphex (xhci_host_read (f->host, 0x1038) & 8, ==, 8);
  xhci_host_write (f->host, 0x1020, 3);
  g_assert_false (test_irq_level (f->board, gsi));
  /* The handler is busy: the next event waits for it. */
  g_assert_true (xhci_host_poll (f->host, &event));
  xhci_host_set_portsc (f->host, PORT, 0x00fe0200);
  xhci_host_set_portsc (f->host, PORT, 0x210);
  g_assert_true (test_irq_level (f->board, gsi));
}

static void
test_msix (Fixture *f, gconstpointer data)
{
  g_assert_cmphex (test_pci_read (f->board, f->host->devfn, 0x90, 1), ==, 0x11);
  g_assert_cmphex (test_pci_read (f->board, f->host->devfn, 0x92, 2), ==, 15);
  xhci_host_start (f->host);
  test_pci_write (f->board, f->host->devfn, 0x92, 2, 0x8000);
  test_write (f->board, XHCI_HOST_BAR + 0x3000, 4, 0xfee00000);
  test_write (f->board, XHCI_HOST_BAR + 0x3008, 4, 0x41);
  test_write (f->board, XHCI_HOST_BAR + 0x300c, 4, 0);
  xhci_host_set_portsc (f->host, PORT, 0x210);
  g_assert_cmpuint (test_msi_count (f->board), ==, 1);
  g_assert_cmphex (test_msi_get (f->board, 0).data, ==, 0x41);
  g_assert_cmphex (xhci_host_read (f->host, 0x1020) & 1, ==, 0); /* IP is cleared by the message */
}

static void
test_moderation (Fixture *f, gconstpointer data)
{
  guint gsi = 20 + (f->host->devfn >> 3 & 3);
  XhciHostTrb event;

  xhci_host_start (f->host);
  test_advance_ns (f->board, 10000000);
  xhci_host_write (f->host, 0x1024, 4000); /* 1 ms */
  xhci_host_set_portsc (f->host, PORT, 0x210);
  g_assert_true (test_irq_level (f->board, gsi));
  xhci_host_write (f->host, 0x1020, 3);
  g_assert_true (xhci_host_poll (f->host, &event));
  xhci_host_set_portsc (f->host, PORT, 0x00fe0200);
  xhci_host_set_portsc (f->host, PORT, 0x210);
  g_assert_false (test_irq_level (f->board, gsi));
  test_advance_ns (f->board, 999999);
  g_assert_false (test_irq_level (f->board, gsi));
  test_advance_ns (f->board, 1);
  g_assert_true (test_irq_level (f->board, gsi));
}

static void
test_event_ring_full (Fixture *f, gconstpointer data)
{
  guint64 entry[2] = { GUINT64_TO_LE (0x103000), GUINT64_TO_LE (16) };
  guint32 control = 0, status = 0;
  guint n = 0;

  xhci_host_start (f->host);
  test_ram_write (f->board, 0x102000, entry, 16);
  xhci_host_write (f->host, 0x1030, 0x102000); /* a ring of 16 */
  xhci_host_write (f->host, 0x1034, 0);
  for (guint i = 0; i < 40; i++)
    {
      guint8 trb[16] = { [12] = 1, [13] = 23 << 2 };

      test_ram_write (f->board, 0x101000 + i * 16, trb, 16);
    }
  xhci_host_write (f->host, 0x2000, 0);
  /* §4.9.4: 14 events, then the one that says so; one place stays empty. */
  test_ram_read (f->board, 0x103000 + 14 * 16 + 8, &status, 4);
  test_ram_read (f->board, 0x103000 + 14 * 16 + 12, &control, 4);
  g_assert_cmphex (control >> 10 & 0x3f, ==, 37);
  g_assert_cmphex (status >> 24, ==, 21);
  test_ram_read (f->board, 0x103000 + 15 * 16 + 12, &control, 4);
  g_assert_cmphex (control, ==, 0);
  /* Taken out, one after the other, each of the 40 commands is found once. */
  for (guint index = 0, cycle = 1, i = 0; n < 40 && i < 80; i++)
    {
      test_wait_until ((test_ram_read (f->board, 0x103000 + index * 16 + 12, &control, 4), (control & 1) == cycle));
      if ((control >> 10 & 0x3f) == 33)
        {
          guint64 pointer;

          test_ram_read (f->board, 0x103000 + index * 16, &pointer, 8);
          g_assert_cmphex (pointer, ==, 0x101000 + n * 16);
          n++;
        }
      if (++index == 16)
        {
          index = 0;
          cycle ^= 1;
        }
      xhci_host_write (f->host, 0x1038, (0x103000 + index * 16) | 8);
      test_board_settle (f->board);
    }
  g_assert_cmpuint (n, ==, 40);
}

/* === A guest that lies === */

static void
test_rings_in_no_memory (Fixture *f, gconstpointer data)
{
  guint slot = start_keyboard (f);

  g_assert_cmpuint (xhci_host_command (f->host, 0, slot << 24 | 3u << 16 | 15u << 10, NULL), ==, 1);
  g_assert_cmpuint (xhci_host_command (f->host, 0xfffffffffff0, slot << 24 | 3u << 16 | 16u << 10, NULL), ==, 1);
  xhci_host_doorbell (f->host, slot, 3);
  g_assert_cmphex (read_context (f, slot, 3, 0) & 7, ==, 4); /* error */
  /* A command ring in no memory: host system error. */
  xhci_host_write (f->host, 0x40, 0);
  xhci_host_write (f->host, 0x58, 0xf0000001);
  xhci_host_write (f->host, 0x40, 1);
  xhci_host_write (f->host, 0x2000, 0);
  g_assert_cmphex (xhci_host_read (f->host, 0x44) & 5, ==, 5);
  xhci_host_start (f->host);
  g_assert_cmpuint (xhci_host_command (f->host, 0, 23u << 10, NULL), ==, 1);
}

static void
test_link_loops (Fixture *f, gconstpointer data)
{
  guint slot = start_keyboard (f);
  guint64 ring = xhci_host_ring (slot, 3);
  guint8 link[16] = { 0 };

  memcpy (link, &ring, 8);
  link[12] = 1;
  link[13] = 6 << 2;
  test_ram_write (f->board, ring, link, 16);
  xhci_host_doorbell (f->host, slot, 3);
  g_assert_cmphex (read_context (f, slot, 3, 0) & 7, ==, 4);
}

static void
test_reset_in_flight (Fixture *f, gconstpointer data)
{
  for (guint i = 0; i < 3; i++)
    {
      guint slot = start_keyboard (f);

      xhci_host_push (f->host, slot, 3, XHCI_HOST_DATA, 8, 1u << 10 | 0x24);
      xhci_host_doorbell (f->host, slot, 3);
      if (i == 1)
        {
          test_board_reset (f->board, VMM_RESET_WARM);
          g_assert_cmphex (test_pci_read (f->board, f->host->devfn, 4, 2), ==, 0);
          test_pci_write (f->board, f->host->devfn, 0x10, 4, XHCI_HOST_BAR);
          test_pci_write (f->board, f->host->devfn, 0x04, 2, 0x0006);
        }
    }
}

/* What is in flight is taken up again after a pause. */
static void
test_quiesce (Fixture *f, gconstpointer data)
{
  guint slot = start_keyboard (f);
  XhciHostTrb event;

  xhci_host_push (f->host, slot, 3, XHCI_HOST_DATA, 8, 1u << 10 | 0x24);
  xhci_host_doorbell (f->host, slot, 3);
  f->host->xhci->class->quiesce (f->host->xhci);
  press (f, KEY_A, TRUE);
  g_assert_false (xhci_host_poll (f->host, &event));
  f->host->xhci->class->resume (f->host->xhci);
  g_assert_cmphex (xhci_host_wait (f->host, 32).status, ==, 0x01000000);
}

#define ADD(path, func) g_test_add (path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/xhci/registers/layout", test_layout);
  ADD ("/xhci/port/reset-enables", test_port_reset);
  ADD ("/xhci/port/suspend-and-resume", test_suspend);
  ADD ("/xhci/command/no-op", test_no_op);
  ADD ("/xhci/command/slots", test_slots);
  ADD ("/xhci/command/address-device", test_address);
  ADD ("/xhci/command/stop-endpoint-keeps-its-place", test_stop_endpoint);
  ADD ("/xhci/command/stop-endpoint-tells-of-the-transfer", test_stopped_event);
  ADD ("/xhci/transfer/control", test_control);
  ADD ("/xhci/transfer/chain-with-event-data", test_chain);
  ADD ("/xhci/transfer/short-packet", test_short);
  ADD ("/xhci/transfer/unplug-fails-it", test_unplug);
  ADD ("/xhci/interrupt/intx", test_intx);
  ADD ("/xhci/interrupt/msix", test_msix);
  ADD ("/xhci/interrupt/moderation", test_moderation);
  ADD ("/xhci/event-ring/full", test_event_ring_full);
  ADD ("/xhci/guest/rings-in-no-memory", test_rings_in_no_memory);
  ADD ("/xhci/guest/links-in-a-loop", test_link_loops);
  ADD ("/xhci/reset/with-transfers-in-flight", test_reset_in_flight);
  ADD ("/xhci/quiesce/transfers-wait", test_quiesce);
  return g_test_run ();
}
