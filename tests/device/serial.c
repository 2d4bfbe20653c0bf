/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: PC16550D data sheet, tables I to III; and what Linux' 8250 driver tests for while it probes. */
#include "test-board.h"

#include <sys/socket.h>
#include <unistd.h>

enum { RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR };

typedef struct {
  TestBoard *board;
  guint16 port;
  int fd; /* the host's end */
} Fixture;

static void
fixture_set_up (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  int fds[2];

  f->board = test_board_new ();
  f->port = 0x3f8;
  test_board_add (f->board, "serial", "serial0", NULL);
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  f->fd = fds[0];
  vmm_machine_attach_serial (f->board->machine, "serial0", fds[1], FALSE, &error);
  g_assert_no_error (error);
}

static void
fixture_tear_down (Fixture *f, gconstpointer data)
{
  test_board_free (f->board);
  close (f->fd);
}

static guint8
get (Fixture *f, guint reg)
{
  return test_inb (f->board, f->port + reg);
}

static void
put (Fixture *f, guint reg, guint8 value)
{
  test_outb (f->board, f->port + reg, value);
}

/* Sends from the host and waits until the receiver has taken what it can. */
static void
host_send (Fixture *f, const char *text)
{
  g_assert_cmpint (write (f->fd, text, strlen (text)), ==, (gssize) strlen (text));
  test_wait_until (get (f, LSR) & 1);
  test_board_settle (f->board);
}

static void
assert_host_gets (Fixture *f, const char *text)
{
  g_autofree char *seen = g_malloc0 (strlen (text) + 1);

  for (gsize n = 0; n < strlen (text);)
    {
      gssize got = read (f->fd, seen + n, strlen (text) - n);

      g_assert_cmpint (got, >, 0);
      n += got;
    }
  g_assert_cmpstr (seen, ==, text);
}

static void
test_start_values (Fixture *f, gconstpointer data)
{
  g_assert_cmphex (get (f, IER), ==, 0x00);
  g_assert_cmphex (get (f, IIR), ==, 0x01);
  g_assert_cmphex (get (f, LCR), ==, 0x00);
  g_assert_cmphex (get (f, MCR), ==, 0x00);
  g_assert_cmphex (get (f, LSR), ==, 0x60);
  g_assert_cmphex (get (f, MSR), ==, 0xb0);
}

static void
test_writable_bits (Fixture *f, gconstpointer data)
{
  put (f, IER, 0xff);
  g_assert_cmphex (get (f, IER), ==, 0x0f);
  put (f, MCR, 0xff);
  g_assert_cmphex (get (f, MCR), ==, 0x1f);
  put (f, SCR, 0xa5);
  g_assert_cmphex (get (f, SCR), ==, 0xa5);
  put (f, LSR, 0x00);
  g_assert_cmphex (get (f, LSR), ==, 0x60);
}

static void
test_divisor (Fixture *f, gconstpointer data)
{
  put (f, LCR, 0x83);
  put (f, RBR, 0x34);
  put (f, IER, 0x12);
  g_assert_cmphex (get (f, RBR), ==, 0x34);
  g_assert_cmphex (get (f, IER), ==, 0x12);
  put (f, LCR, 0x03);
  g_assert_cmphex (get (f, IER), ==, 0x00);
}

/* Linux tells an 16550A by IIR 11 in the top bits after FCR = 1, a 8250 by their absence. */
static void
test_identifies (Fixture *f, gconstpointer data)
{
  g_assert_cmphex (get (f, IIR) >> 6, ==, 0);
  put (f, IIR, 0x01);
  g_assert_cmphex (get (f, IIR) >> 6, ==, 3);
  put (f, IIR, 0x00);
  g_assert_cmphex (get (f, IIR) >> 6, ==, 0);
}

static void
test_transmit (Fixture *f, gconstpointer data)
{
  for (const char *p = "hello"; *p != '\0'; p++)
    {
      g_assert_cmphex (get (f, LSR) & 0x60, ==, 0x60);
      put (f, RBR, *p);
    }
  assert_host_gets (f, "hello");
}

/* serial8250_do_startup: enabling THRI while THRE is set interrupts at once, and again each time it is enabled anew. */
static void
test_thre_on_enable (Fixture *f, gconstpointer data)
{
  put (f, MCR, 0x08);
  put (f, IER, 0x02);
  g_assert_cmpuint (test_irq_rises (f->board, 4), ==, 1);
  g_assert_cmphex (get (f, IIR), ==, 0x02);
  g_assert_cmphex (get (f, IIR), ==, 0x01); /* reading it was the answer */
  g_assert_false (test_irq_level (f->board, 4));
  put (f, IER, 0x00);
  put (f, IER, 0x02);
  g_assert_cmphex (get (f, IIR), ==, 0x02);
}

static void
test_thre_after_write (Fixture *f, gconstpointer data)
{
  put (f, MCR, 0x08);
  put (f, IER, 0x02);
  get (f, IIR);
  put (f, RBR, 'x');
  g_assert_cmpuint (test_irq_rises (f->board, 4), ==, 2);
  put (f, RBR, 'y'); /* not acknowledged: a new edge all the same */
  g_assert_cmpuint (test_irq_rises (f->board, 4), ==, 3);
  g_assert_cmphex (get (f, IIR), ==, 0x02);
}

static void
test_out2 (Fixture *f, gconstpointer data)
{
  put (f, IER, 0x02);
  g_assert_false (test_irq_level (f->board, 4));
  put (f, MCR, 0x08);
  g_assert_true (test_irq_level (f->board, 4));
}

static void
test_receive_plain (Fixture *f, gconstpointer data)
{
  put (f, MCR, 0x08);
  put (f, IER, 0x01);
  host_send (f, "abc");
  g_assert_cmphex (get (f, IIR), ==, 0x04);
  g_assert_cmphex (get (f, LSR), ==, 0x61);
  g_assert_cmphex (get (f, RBR), ==, 'a');
  test_wait_until (get (f, LSR) & 1); /* the rest waits at the host's, nothing overruns */
  g_assert_cmphex (get (f, RBR), ==, 'b');
  test_wait_until (get (f, LSR) & 1);
  g_assert_cmphex (get (f, LSR), ==, 0x61);
  g_assert_cmphex (get (f, RBR), ==, 'c');
  g_assert_cmphex (get (f, LSR), ==, 0x60);
  g_assert_cmphex (get (f, IIR), ==, 0x01);
}

static void
test_receive_trigger (Fixture *f, gconstpointer data)
{
  static const struct {
    guint8 fcr;
    guint level;
  } levels[] = { { 0x01, 1 }, { 0x41, 4 }, { 0x81, 8 }, { 0xc1, 14 } };

  put (f, MCR, 0x08);
  put (f, IER, 0x01);
  for (guint i = 0; i < G_N_ELEMENTS (levels); i++)
    {
      put (f, IIR, levels[i].fcr | 0x02);
      for (guint n = 1; n <= levels[i].level; n++)
        {
          host_send (f, "x");
          /* host_send cannot see the second and later bytes arrive */
          if (n == levels[i].level)
            test_wait_until (get (f, IIR) == 0xc4);
        }
      g_assert_true (test_irq_level (f->board, 4));
      get (f, RBR);
      g_assert_cmphex (get (f, IIR), ==, 0xc1); /* below the level it falls */
    }
}

static void
test_receive_timeout (Fixture *f, gconstpointer data)
{
  put (f, LCR, 0x83); /* 9600 baud, 8N1: 10 bits, so 4 characters are 4.17 ms */
  put (f, RBR, 12);
  put (f, IER, 0);
  put (f, LCR, 0x03);
  put (f, IIR, 0xc1);
  put (f, MCR, 0x08);
  put (f, IER, 0x01);
  host_send (f, "z");
  test_advance_ns (f->board, 4100000);
  g_assert_cmphex (get (f, IIR), ==, 0xc1);
  test_advance_ns (f->board, 100000);
  g_assert_cmphex (get (f, IIR), ==, 0xcc);
  g_assert_true (test_irq_level (f->board, 4));
  g_assert_cmphex (get (f, RBR), ==, 'z');
  g_assert_cmphex (get (f, IIR), ==, 0xc1);
}

static void
test_receive_full (Fixture *f, gconstpointer data)
{
  g_autoptr (GString) seen = g_string_new (NULL);

  put (f, IIR, 0x01);
  host_send (f, "0123456789abcdefghij");
  while (seen->len < 20)
    {
      test_wait_until (get (f, LSR) & 1);
      g_string_append_c (seen, (char) get (f, RBR));
    }
  g_assert_cmpstr (seen->str, ==, "0123456789abcdefghij");
  g_assert_cmphex (get (f, LSR), ==, 0x60); /* no overrun */
}

static void
test_receive_clear (Fixture *f, gconstpointer data)
{
  put (f, IIR, 0x01);
  host_send (f, "q");
  put (f, IIR, 0x03);
  g_assert_cmphex (get (f, LSR), ==, 0x60);
}

static void
test_loopback_data (Fixture *f, gconstpointer data)
{
  put (f, MCR, 0x10);
  put (f, RBR, 0xae); /* what SeaBIOS and QEMU's firmware test with */
  g_assert_cmphex (get (f, LSR), ==, 0x61);
  put (f, RBR, 0x55);
  g_assert_cmphex (get (f, LSR), ==, 0x63); /* overrun */
  g_assert_cmphex (get (f, LSR), ==, 0x61); /* reading clears it */
  g_assert_cmphex (get (f, RBR), ==, 0x55);
  put (f, MCR, 0x00);
  put (f, RBR, 'k');
  assert_host_gets (f, "k"); /* the host saw nothing of it */
}

/* autoconfig(): MCR = LOOP | OUT2 | RTS must read MSR top bits 9 (DCD, CTS). */
static void
test_loopback_modem (Fixture *f, gconstpointer data)
{
  put (f, MCR, 0x1a);
  g_assert_cmphex (get (f, MSR) & 0xf0, ==, 0x90);
  put (f, MCR, 0x15);
  g_assert_cmphex (get (f, MSR), ==, 0x60 | 0x0b); /* RI and DSR; CTS, DSR and DCD changed */
  g_assert_cmphex (get (f, MSR), ==, 0x60);
  put (f, MCR, 0x11);
  g_assert_cmphex (get (f, MSR), ==, 0x20 | 0x04); /* end of ring */
}

static void
test_loopback_break (Fixture *f, gconstpointer data)
{
  put (f, MCR, 0x10);
  put (f, LCR, 0x43);
  g_assert_cmphex (get (f, LSR), ==, 0x71);
  g_assert_cmphex (get (f, RBR), ==, 0x00);
  put (f, LCR, 0x03);
  g_assert_cmphex (get (f, LSR), ==, 0x60);
}

static void
test_modem_interrupt (Fixture *f, gconstpointer data)
{
  put (f, IER, 0x08);
  put (f, MCR, 0x18); /* CTS and DSR drop */
  g_assert_true (test_irq_level (f->board, 4));
  g_assert_cmphex (get (f, IIR), ==, 0x00);
  get (f, MSR);
  g_assert_cmphex (get (f, IIR), ==, 0x01);
  g_assert_false (test_irq_level (f->board, 4));
}

/* Table III: line status before data before transmitter before modem. */
static void
test_priorities (Fixture *f, gconstpointer data)
{
  put (f, MCR, 0x18);
  put (f, IER, 0x0f);
  put (f, RBR, 1);
  put (f, RBR, 2);
  g_assert_cmphex (get (f, IIR), ==, 0x06);
  get (f, LSR);
  g_assert_cmphex (get (f, IIR), ==, 0x04);
  get (f, RBR);
  g_assert_cmphex (get (f, IIR), ==, 0x02);
  g_assert_cmphex (get (f, IIR), ==, 0x00);
  get (f, MSR);
  g_assert_cmphex (get (f, IIR), ==, 0x01);
}

static void
test_reset (Fixture *f, gconstpointer data)
{
  put (f, LCR, 0x03);
  put (f, MCR, 0x0b);
  put (f, IER, 0x02);
  test_board_reset (f->board, VMM_RESET_WARM);
  g_assert_false (test_irq_level (f->board, 4));
  test_start_values (f, data);
}

static void
test_places (void)
{
  static const struct {
    const char *name;
    guint16 port;
    guint irq;
  } places[] = { { "com1", 0x3f8, 4 }, { "com2", 0x2f8, 3 }, { "com3", 0x3e8, 4 }, { "com4", 0x2e8, 3 } };
  g_autoptr (TestBoard) board = test_board_new ();

  for (guint i = 0; i < G_N_ELEMENTS (places); i++)
    {
      guint rises;

      g_assert_cmphex (test_inb (board, places[i].port + LSR), ==, 0xff);
      test_board_add (board, "serial", places[i].name, "port", places[i].name, NULL);
      g_assert_cmphex (test_inb (board, places[i].port + LSR), ==, 0x60);
      rises = test_irq_rises (board, places[i].irq);
      test_outb (board, places[i].port + MCR, 0x08);
      test_outb (board, places[i].port + IER, 0x02);
      g_assert_cmpuint (test_irq_rises (board, places[i].irq), ==, rises + 1);
      test_outb (board, places[i].port + IER, 0x00);
    }
}

static void
test_taken (void)
{
  g_autoptr (TestBoard) board = test_board_new ();
  g_autoptr (GError) error = NULL;

  test_board_add (board, "serial", "serial0", NULL);
  g_assert_null (vmm_device_new (board->machine, vmm_device_class_find ("serial"), "serial1", NULL, &error));
  g_assert_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG);
}

#define ADD(path, func) g_test_add (path, Fixture, NULL, fixture_set_up, func, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/serial/registers/start-values", test_start_values);
  ADD ("/serial/registers/reserved-bits-read-0", test_writable_bits);
  ADD ("/serial/registers/dlab-shows-the-divisor", test_divisor);
  ADD ("/serial/registers/iir-tells-a-16550a", test_identifies);
  ADD ("/serial/transmit/reaches-the-host-and-is-always-empty", test_transmit);
  ADD ("/serial/transmit/enabling-thri-interrupts-at-once", test_thre_on_enable);
  ADD ("/serial/transmit/each-write-is-a-new-edge", test_thre_after_write);
  ADD ("/serial/interrupt/out2-gates-it", test_out2);
  ADD ("/serial/interrupt/modem-change-until-msr-is-read", test_modem_interrupt);
  ADD ("/serial/interrupt/has-the-data-sheets-priorities", test_priorities);
  ADD ("/serial/receive/without-fifo-one-by-one", test_receive_plain);
  ADD ("/serial/receive/interrupts-at-the-trigger-level", test_receive_trigger);
  ADD ("/serial/receive/times-out-after-four-characters", test_receive_timeout);
  ADD ("/serial/receive/full-fifo-holds-the-host-back", test_receive_full);
  ADD ("/serial/receive/fcr-clears-it", test_receive_clear);
  ADD ("/serial/loopback/data-comes-back-and-overruns", test_loopback_data);
  ADD ("/serial/loopback/outputs-are-inputs", test_loopback_modem);
  ADD ("/serial/loopback/break-comes-back", test_loopback_break);
  ADD ("/serial/reset/restores-start-values", test_reset);
  g_test_add_func ("/serial/setting/port-chooses-address-and-interrupt", test_places);
  g_test_add_func ("/serial/setting/port-taken-is-an-error", test_taken);
  return g_test_run ();
}
