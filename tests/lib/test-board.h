/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A board for device tests: RAM, a bus, a clock that the test moves, a recorder of interrupts. No KVM; milliseconds. */
#pragma once

#include "core/bus.h"
#include "core/clock.h"
#include "core/device.h"
#include "core/iothread.h"
#include "core/irq.h"
#include "core/machine.h"
#include "core/memory.h"

typedef struct {
  VmmMachine *machine;
} TestBoard;

TestBoard *test_board_new (void); /* 64 MiB of RAM, one processor; fails the test on error */
void test_board_free (TestBoard *board);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TestBoard, test_board_free)

/* Adds a device of a class with settings as key, value, …, NULL; resets it cold. Fails the test on error. */
VmmDevice *test_board_add (TestBoard *board, const char *class_name, const char *id, ...) G_GNUC_NULL_TERMINATED;
/* Resets all devices as the machine does: quiesce, reset, resume. */
void test_board_reset (TestBoard *board, VmmResetKind kind);

guint8 test_inb (TestBoard *board, guint16 port);
guint16 test_inw (TestBoard *board, guint16 port);
guint32 test_inl (TestBoard *board, guint16 port);
void test_outb (TestBoard *board, guint16 port, guint8 value);
void test_outw (TestBoard *board, guint16 port, guint16 value);
void test_outl (TestBoard *board, guint16 port, guint32 value);
guint64 test_read (TestBoard *board, guint64 gpa, guint size); /* MMIO, not RAM */
void test_write (TestBoard *board, guint64 gpa, guint size, guint64 value);

/* RAM */
void test_ram_read (TestBoard *board, guint64 gpa, gpointer buf, gsize len);
void test_ram_write (TestBoard *board, guint64 gpa, gconstpointer buf, gsize len);

/* Interrupts since the board was made. */
gboolean test_irq_level (TestBoard *board, guint gsi);
guint test_irq_rises (TestBoard *board, guint gsi);
typedef struct {
  guint64 address;
  guint32 data;
} TestMsi;
guint test_msi_count (TestBoard *board);
TestMsi test_msi_get (TestBoard *board, guint index);

/* Moves the clock and runs the timers that come due, in order, on this thread. */
void test_advance_ns (TestBoard *board, gint64 ns);
/* Waits until the iothread has done what was queued to it. */
void test_board_settle (TestBoard *board);
/* Waits up to 5 s of real time for @condition. */
#define test_wait_until(condition)                                        \
  G_STMT_START                                                            \
  {                                                                       \
    gint64 test_deadline_ = g_get_monotonic_time () + 5 * G_USEC_PER_SEC; \
    while (!(condition) && g_get_monotonic_time () < test_deadline_)      \
      g_usleep (200);                                                     \
    g_assert_true (condition);                                            \
  }                                                                       \
  G_STMT_END

/* PCI configuration by devfn on bus 0, straight at the bus. */
guint32 test_pci_read (TestBoard *board, guint devfn, guint offset, guint size);
void test_pci_write (TestBoard *board, guint devfn, guint offset, guint size, guint32 value);
