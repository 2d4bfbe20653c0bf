/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "test-board.h"

typedef struct {
  VmmDevice *dev;
  VmmRegion region;
  guint8 bytes[64];
  guint calls, last_size;
  guint64 last_offset, last_value;
} Probe;

static guint64
probe_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  Probe *probe = opaque;
  guint64 value = 0;

  probe->calls++;
  probe->last_size = size;
  probe->last_offset = offset;
  for (guint i = 0; i < size; i++)
    value |= (guint64) probe->bytes[offset + i] << (8 * i);
  return value;
}

static void
probe_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  Probe *probe = opaque;

  probe->calls++;
  probe->last_size = size;
  probe->last_offset = offset;
  probe->last_value = value;
  for (guint i = 0; i < size; i++)
    probe->bytes[offset + i] = (guint8) (value >> (8 * i));
}

static const VmmRegionOps any_ops = { "any", probe_read, probe_write, 1, 8 };
static const VmmRegionOps dword_ops = { "dword", probe_read, probe_write, 4, 4 };
static const VmmRegionOps byte_ops = { "byte", probe_read, probe_write, 1, 1 };

typedef struct {
  TestBoard *board;
  VmmDevice dev; /* only its lock and machine are used */
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->board = test_board_new ();
  fixture->dev.machine = fixture->board->machine;
  g_mutex_init (&fixture->dev.lock);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  test_board_free (fixture->board);
  g_mutex_clear (&fixture->dev.lock);
}

static void
add (Fixture *fixture, Probe *probe, const VmmRegionOps *ops, guint64 base, guint64 size)
{
  *probe = (Probe) { .dev = &fixture->dev };
  vmm_region_init (&probe->region, &fixture->dev, VMM_SPACE_MMIO, ops, probe, size, VMM_REGION_DEFAULT);
  vmm_region_map (fixture->board->machine->bus, &probe->region, base);
}

static void
test_unclaimed (Fixture *fixture, gconstpointer data)
{
  g_assert_cmphex (test_inb (fixture->board, 0x123), ==, 0xff);
  g_assert_cmphex (test_inl (fixture->board, 0xfffe), ==, 0xffffffff); /* past the last port */
  g_assert_cmphex (test_read (fixture->board, 0xd0000000, 8), ==, G_MAXUINT64);
  g_assert_cmphex (test_read (fixture->board, G_MAXUINT64 - 1, 4), ==, 0xffffffff); /* wraps */
  test_write (fixture->board, 0xd0000000, 4, 1);
}

static void
test_later_on_top (Fixture *fixture, gconstpointer data)
{
  Probe low, high;

  add (fixture, &low, &any_ops, 0xd0000000, 0x30);
  add (fixture, &high, &any_ops, 0xd0000010, 0x10);
  test_write (fixture->board, 0xd0000004, 1, 0x11);
  test_write (fixture->board, 0xd0000014, 1, 0x22);
  test_write (fixture->board, 0xd0000024, 1, 0x33);
  g_assert_cmphex (low.bytes[0x04], ==, 0x11);
  g_assert_cmphex (high.bytes[0x04], ==, 0x22);
  g_assert_cmphex (low.bytes[0x14], ==, 0);
  g_assert_cmphex (low.bytes[0x24], ==, 0x33);

  vmm_region_unmap (fixture->board->machine->bus, &high.region);
  test_write (fixture->board, 0xd0000014, 1, 0x44);
  g_assert_cmphex (low.bytes[0x14], ==, 0x44);
}

static void
test_access_across_regions (Fixture *fixture, gconstpointer data)
{
  Probe first, second;

  add (fixture, &first, &any_ops, 0xd0000000, 0x10);
  add (fixture, &second, &any_ops, 0xd0000010, 0x10);
  test_write (fixture->board, 0xd000000e, 4, 0x44332211);
  g_assert_cmphex (first.bytes[0xe], ==, 0x11);
  g_assert_cmphex (first.bytes[0xf], ==, 0x22);
  g_assert_cmphex (second.bytes[0], ==, 0x33);
  g_assert_cmphex (second.bytes[1], ==, 0x44);
  g_assert_cmphex (test_read (fixture->board, 0xd000000e, 4), ==, 0x44332211);
}

static void
test_wide_access_is_split (Fixture *fixture, gconstpointer data)
{
  Probe probe;

  add (fixture, &probe, &byte_ops, 0xd0000000, 0x10);
  test_write (fixture->board, 0xd0000000, 4, 0x04030201);
  g_assert_cmpuint (probe.calls, ==, 4);
  g_assert_cmphex (probe.last_offset, ==, 3); /* low address first */
  g_assert_cmphex (probe.last_value, ==, 4);
}

static void
test_narrow_access_is_widened (Fixture *fixture, gconstpointer data)
{
  Probe probe;

  add (fixture, &probe, &dword_ops, 0xd0000000, 0x10);
  probe.bytes[4] = 0xaa;
  probe.bytes[5] = 0xbb;
  g_assert_cmphex (test_read (fixture->board, 0xd0000005, 1), ==, 0xbb);
  g_assert_cmpuint (probe.last_size, ==, 4);
  g_assert_cmphex (probe.last_offset, ==, 4);
  test_write (fixture->board, 0xd0000005, 1, 0xcc);
  g_assert_cmphex (probe.bytes[4], ==, 0xaa);
  g_assert_cmphex (probe.bytes[5], ==, 0xcc);
  g_assert_cmpuint (probe.last_size, ==, 4);
}

static void
test_wrapping_region_is_nowhere (Fixture *fixture, gconstpointer data)
{
  Probe probe;

  add (fixture, &probe, &any_ops, G_MAXUINT64 - 7, 0x10);
  g_assert_false (probe.region.mapped);
  g_assert_cmphex (test_read (fixture->board, G_MAXUINT64 - 7, 4), ==, 0xffffffff);
}

static void
test_remapping_moves (Fixture *fixture, gconstpointer data)
{
  Probe probe;

  add (fixture, &probe, &any_ops, 0xd0000000, 0x10);
  vmm_region_map (fixture->board->machine->bus, &probe.region, 0xe0000000);
  test_write (fixture->board, 0xd0000000, 1, 1);
  g_assert_cmpuint (probe.calls, ==, 0);
  test_write (fixture->board, 0xe0000000, 1, 1);
  g_assert_cmpuint (probe.calls, ==, 1);
}

static void
test_vmm_ram_edges (Fixture *fixture, gconstpointer data)
{
  VmmMemory *memory = fixture->board->machine->memory;
  guint8 byte = 7;

  g_assert_true (vmm_memory_write (memory, (64 << 20) - 1, &byte, 1));
  g_assert_false (vmm_memory_write (memory, 64 << 20, &byte, 1));
  g_assert_false (vmm_memory_write (memory, (64 << 20) - 1, "ab", 2));
  g_assert_null (vmm_memory_map (memory, 0, (64 << 20) + 1));
  g_assert_null (vmm_memory_map (memory, G_MAXUINT64, 2));
  g_assert_null (vmm_memory_map (memory, 1, G_MAXSIZE));
}

#define ADD(path, func) g_test_add (path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/bus/unclaimed-addresses-read-all-ones", test_unclaimed);
  ADD ("/bus/later-mapping-lies-on-top", test_later_on_top);
  ADD ("/bus/access-across-two-regions-reaches-both", test_access_across_regions);
  ADD ("/bus/wide-access-is-split-low-address-first", test_wide_access_is_split);
  ADD ("/bus/narrow-access-is-widened", test_narrow_access_is_widened);
  ADD ("/bus/region-that-wraps-is-nowhere", test_wrapping_region_is_nowhere);
  ADD ("/bus/remapping-moves-a-region", test_remapping_moves);
  ADD ("/memory/access-outside-ram-is-refused", test_vmm_ram_edges);
  return g_test_run ();
}
