/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected values: NVM Express Base Specification 1.4 (sections and figures named), and the sequences of Linux' nvme driver and
 * SeaBIOS' nvme.c. */
#include "nvme-host.h"
#include "block/block-private.h"
#include "storage/nvme-private.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define BLOCKS 16384u
#define GSI (16 + 4 + 2) /* slot 2, INTA: PIRQ E + 2 */

typedef struct {
  TestBoard *board;
  NvmeHost *host;
  char *dir, *path;
  VmmBlock *block;
  /* The gate: operations of the image wait on the iothread while it is closed. */
  GMutex lock;
  GCond cond;
  gboolean closed;
  guint n_waiting;
  guint n_kind[8];
  int fail; /* -errno for the next operations */
} Fixture;

static guint8
pattern (guint64 byte)
{
  return (guint8) (byte ^ byte >> 9 ^ byte >> 17);
}

static int
on_begin (gpointer data, VmmIoKind kind, guint64 offset, guint64 len, const struct iovec *iov, guint n_iov, gpointer *ret_cookie)
{
  Fixture *f = data;
  int result;

  g_mutex_lock (&f->lock);
  f->n_waiting++;
  f->n_kind[kind]++;
  g_cond_broadcast (&f->cond);
  while (f->closed)
    g_cond_wait (&f->cond, &f->lock);
  result = f->fail;
  g_mutex_unlock (&f->lock);
  return result;
}

static void
on_end (gpointer data, gpointer cookie, int result)
{
}

static const VmmFileHooks hooks = { .begin = on_begin, .end = on_end };

static void
open_gate (Fixture *f)
{
  g_mutex_lock (&f->lock);
  f->closed = FALSE;
  g_cond_broadcast (&f->cond);
  g_mutex_unlock (&f->lock);
}

static void
wait_at_gate (Fixture *f)
{
  g_mutex_lock (&f->lock);
  while (f->n_waiting == 0)
    g_cond_wait (&f->cond, &f->lock);
  g_mutex_unlock (&f->lock);
}

static void
set_up_with (Fixture *f, const char *key, const char *value)
{
  g_autofree guint8 *bytes = g_malloc (BLOCKS * 512);

  for (gsize i = 0; i < BLOCKS * 512; i++)
    bytes[i] = pattern (i);
  f->dir = g_dir_make_tmp ("lodge-nvme-XXXXXX", NULL);
  f->path = g_build_filename (f->dir, "disk.img", NULL);
  g_assert_true (g_file_set_contents (f->path, (const char *) bytes, BLOCKS * 512, NULL));
  f->board = test_board_new ();
  f->host = nvme_host_new (f->board, f->path, key, value);
  f->block = ((Nvme *) f->host->nvme)->block;
  vmm_block_set_hooks (f->block, &hooks, f);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  set_up_with (f, "serial", "S-1");
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  open_gate (f);
  test_board_free (f->board);
  nvme_host_free (f->host);
  g_unlink (f->path);
  g_rmdir (f->dir);
  g_free (f->path);
  g_free (f->dir);
}

static guint8 *
ram (Fixture *f, guint64 gpa)
{
  return vmm_memory_map (f->board->machine->memory, gpa, 4096);
}

static void
assert_pattern (Fixture *f, guint64 gpa, guint64 first, guint n)
{
  g_autofree guint8 *data = g_malloc (n * 512);

  test_ram_read (f->board, gpa, data, n * 512);
  for (guint i = 0; i < n * 512; i++)
    if (data[i] != pattern (first * 512 + i))
      g_error ("block %" G_GUINT64_FORMAT ", byte %u: %02x", first + i / 512, i % 512, data[i]);
}

static void
start (Fixture *f)
{
  nvme_host_enable (f->host, 32);
  nvme_host_create_queue (f->host, 1, 64, 0);
}

static NvmeHostAnswer
admin (Fixture *f, NvmeHostCommand command)
{
  return nvme_host_run (f->host, 0, command);
}

/* === Registers === */

static void
test_pci_header (Fixture *f, gconstpointer data)
{
  g_assert_cmphex (test_pci_read (f->board, NVME_HOST_DEVFN, 0x08, 4) >> 8, ==, 0x010802); /* NVM Express (PCI code and ID) */
  g_assert_cmphex (test_pci_read (f->board, NVME_HOST_DEVFN, 0x10, 4) & 0xf, ==, 4);       /* §2.1.10: 64 bits, not prefetchable */
  g_assert_cmphex (test_pci_read (f->board, NVME_HOST_DEVFN, 0x3d, 1), ==, 1);
}

static void
test_registers_capabilities (Fixture *f, gconstpointer data)
{
  guint64 cap = test_read (f->board, NVME_HOST_BAR + NVME_HOST_CAP, 8);

  g_assert_cmpuint (cap & 0xffff, ==, 2047);  /* MQES */
  g_assert_cmpuint (cap >> 16 & 1, ==, 1);    /* CQR */
  g_assert_cmpuint (cap >> 32 & 0xf, ==, 0);  /* DSTRD */
  g_assert_cmpuint (cap >> 37 & 0xff, ==, 1); /* CSS: the NVM command set */
  g_assert_cmpuint (cap >> 48 & 0xf, ==, 0);  /* MPSMIN: 4 KiB */
  g_assert_cmphex (nvme_host_read (f->host, NVME_HOST_VS), ==, 0x00010400);
  g_assert_cmphex (nvme_host_read (f->host, NVME_HOST_CSTS), ==, 0);
  g_assert_cmphex (nvme_host_read (f->host, NVME_HOST_CC), ==, 0);
}

static void
test_registers_mask_sets_and_clears (Fixture *f, gconstpointer data)
{
  nvme_host_write (f->host, NVME_HOST_INTMS, 0x5);
  nvme_host_write (f->host, NVME_HOST_INTMS, 0x2);
  g_assert_cmphex (nvme_host_read (f->host, NVME_HOST_INTMC), ==, 0x7);
  nvme_host_write (f->host, NVME_HOST_INTMC, 0x3);
  g_assert_cmphex (nvme_host_read (f->host, NVME_HOST_INTMS), ==, 0x4);
}

static void
test_enable_needs_aligned_queues (Fixture *f, gconstpointer data)
{
  nvme_host_write (f->host, NVME_HOST_AQA, 0); /* one entry: too few (§3.1.8) */
  nvme_host_write (f->host, NVME_HOST_CC, 0x00460001);
  g_assert_cmphex (nvme_host_read (f->host, NVME_HOST_CSTS), ==, 2);
  nvme_host_disable (f->host);
  g_assert_cmphex (nvme_host_read (f->host, NVME_HOST_CSTS), ==, 0);
  start (f);
}

static void
test_enable_bad_page_size_fails (Fixture *f, gconstpointer data)
{
  nvme_host_write (f->host, NVME_HOST_AQA, 0x001f001f);
  nvme_host_write (f->host, NVME_HOST_CC, 0x00460781);
  g_assert_cmphex (nvme_host_read (f->host, NVME_HOST_CSTS), ==, 2);
}

/* §7.3.2: the admin queue's registers stay. */
static void
test_disable_keeps_admin_registers (Fixture *f, gconstpointer data)
{
  start (f);
  nvme_host_disable (f->host);
  g_assert_cmphex (nvme_host_read (f->host, NVME_HOST_AQA), ==, 0x001f001f);
  g_assert_cmphex (nvme_host_read (f->host, NVME_HOST_ASQ), ==, nvme_host_sq (0));
  start (f);
  g_assert_cmphex (nvme_host_move (f->host, 1, 2, 0, 8, NVME_HOST_DATA, 0), ==, 0);
}

static void
test_shutdown_flushes (Fixture *f, gconstpointer data)
{
  start (f);
  g_assert_cmphex (nvme_host_move (f->host, 1, 1, 0, 8, NVME_HOST_DATA, 0), ==, 0);
  f->n_kind[VMM_IO_SYNC] = 0;
  nvme_host_write (f->host, NVME_HOST_CC, 0x00464001);
  test_wait_until ((nvme_host_read (f->host, NVME_HOST_CSTS) & 0xc) == 0x8);
  g_assert_cmpuint (f->n_kind[VMM_IO_SYNC], ==, 1);
}

/* === IDENTIFY === */

static void
test_identify_controller (Fixture *f, gconstpointer data)
{
  guint8 *page = ram (f, NVME_HOST_DATA);

  start (f);
  g_assert_cmphex (admin (f, (NvmeHostCommand) { .opcode = 6, .prp1 = NVME_HOST_DATA, .dw10 = 1 }).status, ==, 0);
  g_assert_cmpmem (page + 4, 20, "S-1                 ", 20);
  g_assert_cmpuint (page[77], ==, 7);                     /* MDTS */
  g_assert_cmphex (_nvme_get32 (page + 80), ==, 0x10400); /* VER */
  g_assert_cmpuint (page[111], ==, 1);                    /* CNTRLTYPE */
  g_assert_cmphex (page[512], ==, 0x66);
  g_assert_cmphex (page[513], ==, 0x44);
  g_assert_cmpuint (_nvme_get32 (page + 516), ==, 1); /* NN */
  g_assert_cmphex (_nvme_get16 (page + 520) & 0xc, ==, 0xc);
  g_assert_cmphex (page[525] & 1, ==, 1); /* VWC */
  g_assert_true (g_str_has_prefix ((const char *) page + 768, "nqn.2014-08.org.nvmexpress:uuid:"));
}

static void
test_identify_namespace (Fixture *f, gconstpointer data)
{
  static const guint8 zeros[16];
  guint8 *page = ram (f, NVME_HOST_DATA);

  start (f);
  g_assert_cmphex (admin (f, (NvmeHostCommand) { .opcode = 6, .nsid = 1, .prp1 = NVME_HOST_DATA, .dw10 = 0 }).status, ==, 0);
  g_assert_cmpuint (_nvme_get64 (page), ==, BLOCKS);
  g_assert_cmpuint (_nvme_get64 (page + 8), ==, BLOCKS);
  g_assert_cmpuint (page[130], ==, 9); /* LBADS */
  g_assert_cmpuint (page[26] & 0xf, ==, 0);
  g_assert_true (memcmp (page + 104, zeros, 16) != 0 && memcmp (page + 120, zeros, 8) != 0);
  /* No other namespace, and no common values either (§5.15.2.1). */
  g_assert_cmphex (admin (f, (NvmeHostCommand) { .opcode = 6, .nsid = 2, .prp1 = NVME_HOST_DATA }).status, ==, 0x00b);
  g_assert_cmphex (admin (f, (NvmeHostCommand) { .opcode = 6, .nsid = 0xffffffff, .prp1 = NVME_HOST_DATA }).status, ==, 0x00b);
}

static void
test_identify_namespace_has_eui64_descriptor (Fixture *f, gconstpointer data)
{
  guint8 *page = ram (f, NVME_HOST_DATA), eui64[8];

  start (f);
  admin (f, (NvmeHostCommand) { .opcode = 6, .nsid = 1, .prp1 = NVME_HOST_DATA, .dw10 = 0 });
  memcpy (eui64, page + 120, 8);
  g_assert_cmphex (admin (f, (NvmeHostCommand) { .opcode = 6, .nsid = 1, .prp1 = NVME_HOST_DATA, .dw10 = 3 }).status, ==, 0);
  g_assert_cmpuint (page[0], ==, 1);
  g_assert_cmpuint (page[1], ==, 8);
  g_assert_cmpmem (page + 4, 8, eui64, 8);
  g_assert_cmpuint (page[12], ==, 2);
  g_assert_cmpuint (page[13], ==, 16);
  g_assert_cmpuint (page[32], ==, 0);
}

static void
test_identify_active_namespaces (Fixture *f, gconstpointer data)
{
  guint8 *page = ram (f, NVME_HOST_DATA);

  start (f);
  memset (page, 0xff, 4096);
  g_assert_cmphex (admin (f, (NvmeHostCommand) { .opcode = 6, .prp1 = NVME_HOST_DATA, .dw10 = 2 }).status, ==, 0);
  g_assert_cmpuint (_nvme_get32 (page), ==, 1);
  g_assert_cmpuint (_nvme_get32 (page + 4), ==, 0);
  g_assert_cmphex (admin (f, (NvmeHostCommand) { .opcode = 6, .nsid = 1, .prp1 = NVME_HOST_DATA, .dw10 = 2 }).status, ==, 0);
  g_assert_cmpuint (_nvme_get32 (page), ==, 0);
  g_assert_cmphex (admin (f, (NvmeHostCommand) { .opcode = 6, .nsid = 0xffffffff, .prp1 = NVME_HOST_DATA, .dw10 = 2 }).status, ==,
                   0x00b);
  g_assert_cmphex (admin (f, (NvmeHostCommand) { .opcode = 6, .prp1 = NVME_HOST_DATA, .dw10 = 0x77 }).status, ==, 0x002);
}

/* === Queues === */

static void
test_queue_limits (Fixture *f, gconstpointer data)
{
  NvmeHostCommand cq = { .opcode = 5, .prp1 = nvme_host_cq (2), .dw10 = 15 << 16 | 2, .dw11 = 3 };
  NvmeHostCommand sq = { .opcode = 1, .prp1 = nvme_host_sq (2), .dw10 = 15 << 16 | 2, .dw11 = 2 << 16 | 1 };
  NvmeHostCommand c;

  nvme_host_enable (f->host, 32);
  c = cq, c.dw10 = 15 << 16; /* queue 0 */
  g_assert_cmphex (admin (f, c).status, ==, 0x101);
  c = cq, c.dw10 = 15 << 16 | 64;
  g_assert_cmphex (admin (f, c).status, ==, 0x101);
  c = cq, c.dw10 = 2; /* one entry */
  g_assert_cmphex (admin (f, c).status, ==, 0x102);
  c = cq, c.dw10 = 2048u << 16 | 2;
  g_assert_cmphex (admin (f, c).status, ==, 0x102);
  c = cq, c.dw11 = 2; /* not in one piece */
  g_assert_cmphex (admin (f, c).status, ==, 0x002);
  c = cq, c.prp1 += 8;
  g_assert_cmphex (admin (f, c).status, ==, 0x013);
  c = cq, c.dw11 |= 64u << 16;
  g_assert_cmphex (admin (f, c).status, ==, 0x108);
  g_assert_cmphex (admin (f, sq).status, ==, 0x100); /* its completion queue does not exist */
  g_assert_cmphex (admin (f, cq).status, ==, 0);
  g_assert_cmphex (admin (f, cq).status, ==, 0x101); /* twice */
  g_assert_cmphex (admin (f, sq).status, ==, 0);
  g_assert_cmphex (admin (f, (NvmeHostCommand) { .opcode = 4, .dw10 = 2 }).status, ==, 0x10c); /* in use */
  g_assert_cmphex (admin (f, (NvmeHostCommand) { .opcode = 0, .dw10 = 2 }).status, ==, 0);
  g_assert_cmphex (admin (f, (NvmeHostCommand) { .opcode = 0, .dw10 = 2 }).status, ==, 0x101);
  g_assert_cmphex (admin (f, (NvmeHostCommand) { .opcode = 4, .dw10 = 2 }).status, ==, 0);
}

/* §4.1: the queues wrap, the phase turns. */
static void
test_queue_wraps (Fixture *f, gconstpointer data)
{
  nvme_host_enable (f->host, 4);
  nvme_host_create_queue (f->host, 1, 3, 0);
  for (guint i = 0; i < 20; i++)
    {
      g_assert_cmphex (nvme_host_move (f->host, 1, 2, i * 8, 8, NVME_HOST_DATA, 0), ==, 0);
      assert_pattern (f, NVME_HOST_DATA, i * 8, 8);
    }
}

/* A completion queue without room keeps what is done until the head moves. */
static void
test_queue_full_completion_waits (Fixture *f, gconstpointer data)
{
  NvmeHostAnswer answer;
  guint n = 0;

  nvme_host_enable (f->host, 32);
  nvme_host_create_queue (f->host, 1, 64, 0);
  nvme_host_create_queue (f->host, 2, 3, 0); /* room for two */
  /* A submission queue of more entries onto it */
  g_assert_cmphex (admin (f, (NvmeHostCommand) { .opcode = 1, .prp1 = nvme_host_sq (3), .dw10 = 15 << 16 | 3, .dw11 = 2 << 16 | 1 })
                       .status,
                   ==, 0);
  f->host->queues[3].size = 16;
  for (guint i = 0; i < 8; i++)
    nvme_host_put (f->host, 3,
                   (NvmeHostCommand) { .opcode = 2,
                                       .id = (guint16) i,
                                       .nsid = 1,
                                       .prp1 = NVME_HOST_DATA + i * 0x1000,
                                       .dw10 = i * 8,
                                       .dw12 = 7 });
  nvme_host_ring_sq (f->host, 3);
  for (guint i = 0; i < 8; i++)
    {
      answer = nvme_host_wait (f->host, 2);
      g_assert_cmphex (answer.status, ==, 0);
      g_assert_cmpuint (answer.sq, ==, 3);
      n |= 1u << answer.id;
      assert_pattern (f, NVME_HOST_DATA + answer.id * 0x1000, answer.id * 8, 8);
    }
  g_assert_cmphex (n, ==, 0xff);
  g_assert_false (nvme_host_poll (f->host, 2, FALSE, &answer));
}

/* §5.6: DELETE ends when what the queue had is done. */
static void
test_queue_deletion_waits (Fixture *f, gconstpointer data)
{
  NvmeHostAnswer answer;

  start (f);
  f->n_waiting = 0;
  f->closed = TRUE;
  nvme_host_submit (f->host, 1, (NvmeHostCommand) { .opcode = 2, .nsid = 1, .prp1 = NVME_HOST_DATA, .dw12 = 7 });
  wait_at_gate (f);
  nvme_host_submit (f->host, 0, (NvmeHostCommand) { .opcode = 0, .dw10 = 1 });
  g_usleep (2000);
  g_assert_false (nvme_host_poll (f->host, 0, FALSE, &answer));
  open_gate (f);
  answer = nvme_host_wait (f->host, 0);
  g_assert_cmphex (answer.status, ==, 0);
  g_assert_true (nvme_host_poll (f->host, 1, FALSE, &answer));
}

/* CSTS.RDY stays until the last command is back: the guest's memory is not touched after it. */
static void
test_disable_waits_for_commands (Fixture *f, gconstpointer data)
{
  NvmeHostAnswer answer;

  start (f);
  f->n_waiting = 0;
  f->closed = TRUE;
  nvme_host_submit (f->host, 1, (NvmeHostCommand) { .opcode = 2, .nsid = 1, .prp1 = NVME_HOST_DATA, .dw12 = 7 });
  wait_at_gate (f);
  nvme_host_write (f->host, NVME_HOST_CC, 0x00460000);
  g_assert_cmphex (nvme_host_read (f->host, NVME_HOST_CSTS) & 1, ==, 1);
  open_gate (f);
  test_wait_until ((nvme_host_read (f->host, NVME_HOST_CSTS) & 1) == 0);
  g_assert_false (nvme_host_poll (f->host, 1, FALSE, &answer));
}

/* §5.2.2 figure 148, §5.14.1.1 */
static void
test_event_bad_doorbell (Fixture *f, gconstpointer data)
{
  NvmeHostAnswer answer;

  start (f);
  for (guint i = 0; i < 4; i++)
    nvme_host_submit (f->host, 0, (NvmeHostCommand) { .opcode = 0x0c });
  g_assert_cmphex (nvme_host_run (f->host, 0, (NvmeHostCommand) { .opcode = 0x0c }).status, ==, 0x105);
  nvme_host_write (f->host, 0x1000 + 8 * 9, 1); /* there is no queue 9 */
  answer = nvme_host_wait (f->host, 0);
  g_assert_cmphex (answer.status, ==, 0);
  g_assert_cmphex (answer.result, ==, 0x00010000);
  nvme_host_write (f->host, 0x1000 + 8, 1000); /* beyond the queue; masked until the log is read */
  g_assert_cmphex (admin (f, (NvmeHostCommand) { .opcode = 2, .nsid = 0xffffffff, .prp1 = NVME_HOST_DATA, .dw10 = 15 << 16 | 1 })
                       .status,
                   ==, 0);
  nvme_host_write (f->host, 0x1000 + 8, 1000);
  g_assert_cmphex (nvme_host_wait (f->host, 0).result, ==, 0x00010100);
}

/* === Interrupts === */

static void
test_interrupt_pin_follows_head (Fixture *f, gconstpointer data)
{
  NvmeHostAnswer answer;

  nvme_host_enable (f->host, 32);
  nvme_host_submit (f->host, 0, (NvmeHostCommand) { .opcode = 6, .prp1 = NVME_HOST_DATA, .dw10 = 1 });
  test_wait_until (test_irq_level (f->board, GSI));
  nvme_host_write (f->host, NVME_HOST_INTMS, 1);
  g_assert_false (test_irq_level (f->board, GSI));
  nvme_host_write (f->host, NVME_HOST_INTMC, 1);
  g_assert_true (test_irq_level (f->board, GSI));
  g_assert_true (nvme_host_poll (f->host, 0, TRUE, &answer));
  g_assert_false (test_irq_level (f->board, GSI));
}

static void
enable_msix (Fixture *f, guint vector)
{
  guint64 entry = NVME_HOST_BAR + 0x2000 + vector * 16;

  test_write (f->board, entry, 4, 0xfee00000);
  test_write (f->board, entry + 4, 4, 0);
  test_write (f->board, entry + 8, 4, 0x40 + vector);
  test_write (f->board, entry + 12, 4, 0);
  test_pci_write (f->board, NVME_HOST_DEVFN, 0x42, 2, 0x8000);
}

static void
test_interrupt_msix_uses_the_queues_vector (Fixture *f, gconstpointer data)
{
  guint before;

  enable_msix (f, 3);
  nvme_host_enable (f->host, 32);
  nvme_host_create_queue (f->host, 1, 64, 3);
  before = test_msi_count (f->board);
  g_assert_cmphex (nvme_host_move (f->host, 1, 2, 0, 8, NVME_HOST_DATA, 0), ==, 0);
  test_wait_until (test_msi_count (f->board) > before);
  g_assert_cmphex (test_msi_get (f->board, before).data, ==, 0x43);
  g_assert_false (test_irq_level (f->board, GSI));
}

/* === Data === */

static void
test_read_prps (Fixture *f, gconstpointer data)
{
  start (f);
  /* one page; two pages; a list; all with an offset in the first (§4.3) */
  g_assert_cmphex (nvme_host_move (f->host, 1, 2, 3, 1, NVME_HOST_DATA + 0x204, 0), ==, 0);
  assert_pattern (f, NVME_HOST_DATA + 0x204, 3, 1);
  g_assert_cmphex (nvme_host_move (f->host, 1, 2, 5, 8, NVME_HOST_DATA + 0xe00, 0), ==, 0);
  assert_pattern (f, NVME_HOST_DATA + 0xe00, 5, 8);
  g_assert_cmphex (nvme_host_move (f->host, 1, 2, 100, 1024, NVME_HOST_DATA + 0x604, 0), ==, 0);
  assert_pattern (f, NVME_HOST_DATA + 0x604, 100, 1024);
  /* MDTS */
  g_assert_cmphex (nvme_host_move (f->host, 1, 2, 0, 1025, NVME_HOST_DATA, 0), ==, 0x002);
}

/* A list that begins near its page's end leads on to another page. */
static void
test_read_list_of_lists (Fixture *f, gconstpointer data)
{
  guint64 first = NVME_HOST_DATA + 0x800000, second = first + 0x10000, entry;

  start (f);
  entry = GUINT64_TO_LE (NVME_HOST_DATA + 0x5000);
  test_ram_write (f->board, first + 0xff0, &entry, 8);
  entry = GUINT64_TO_LE (second);
  test_ram_write (f->board, first + 0xff8, &entry, 8);
  entry = GUINT64_TO_LE (NVME_HOST_DATA + 0x3000);
  test_ram_write (f->board, second, &entry, 8);
  entry = GUINT64_TO_LE (NVME_HOST_DATA + 0x7000);
  test_ram_write (f->board, second + 8, &entry, 8);
  g_assert_cmphex (nvme_host_run (f->host, 1,
                                  (NvmeHostCommand) { .opcode = 2,
                                                      .nsid = 1,
                                                      .prp1 = NVME_HOST_DATA,
                                                      .prp2 = first + 0xff0,
                                                      .dw10 = 64,
                                                      .dw12 = 31 })
                       .status,
                   ==, 0);
  assert_pattern (f, NVME_HOST_DATA, 64, 8);
  assert_pattern (f, NVME_HOST_DATA + 0x5000, 72, 8);
  assert_pattern (f, NVME_HOST_DATA + 0x3000, 80, 8);
  assert_pattern (f, NVME_HOST_DATA + 0x7000, 88, 8);
}

static void
test_read_bad_memory (Fixture *f, gconstpointer data)
{
  NvmeHostCommand c = { .opcode = 2, .nsid = 1, .prp1 = NVME_HOST_DATA, .dw12 = 15 };

  start (f);
  c.prp2 = 0xd0000000; /* no RAM */
  g_assert_cmphex (nvme_host_run (f->host, 1, c).status, ==, 0x004);
  c.prp2 = NVME_HOST_DATA + 0x1008; /* an offset in the second entry */
  g_assert_cmphex (nvme_host_run (f->host, 1, c).status, ==, 0x013);
  c.prp1 += 2;
  g_assert_cmphex (nvme_host_run (f->host, 1, c).status, ==, 0x013);
  c = (NvmeHostCommand) { .opcode = 2, .flags = 0x40, .nsid = 1, .prp1 = NVME_HOST_DATA }; /* an SGL */
  g_assert_cmphex (nvme_host_run (f->host, 1, c).status, ==, 0x002);
}

static void
test_read_out_of_range (Fixture *f, gconstpointer data)
{
  start (f);
  g_assert_cmphex (nvme_host_move (f->host, 1, 2, BLOCKS - 1, 1, NVME_HOST_DATA, 0), ==, 0);
  g_assert_cmphex (nvme_host_move (f->host, 1, 2, BLOCKS - 1, 2, NVME_HOST_DATA, 0), ==, 0x080);
  g_assert_cmphex (nvme_host_move (f->host, 1, 2, G_MAXUINT64, 8, NVME_HOST_DATA, 0), ==, 0x080);
  g_assert_cmphex (nvme_host_run (f->host, 1, (NvmeHostCommand) { .opcode = 2, .nsid = 2, .prp1 = NVME_HOST_DATA }).status, ==,
                   0x00b);
  g_assert_cmphex (nvme_host_run (f->host, 1, (NvmeHostCommand) { .opcode = 0x55, .nsid = 1 }).status, ==, 0x001);
}

static void
test_read_error (Fixture *f, gconstpointer data)
{
  NvmeHostAnswer answer;

  start (f);
  f->fail = -EIO;
  answer = nvme_host_run (f->host, 1, (NvmeHostCommand) { .opcode = 2, .nsid = 1, .prp1 = NVME_HOST_DATA, .dw12 = 7 });
  g_assert_cmphex (answer.status, ==, 0x281);
  f->fail = 0;
}

static void
test_write_then_read (Fixture *f, gconstpointer data)
{
  g_autofree guint8 *bytes = g_malloc (16384);

  start (f);
  for (guint i = 0; i < 16384; i++)
    bytes[i] = (guint8) (i * 7);
  test_ram_write (f->board, NVME_HOST_DATA + 0x200, bytes, 16384);
  g_assert_cmphex (nvme_host_move (f->host, 1, 1, 77, 32, NVME_HOST_DATA + 0x200, 0), ==, 0);
  g_assert_cmphex (nvme_host_move (f->host, 1, 2, 77, 32, NVME_HOST_DATA + 0x10000, 0), ==, 0);
  g_assert_cmpmem (vmm_memory_map (f->board->machine->memory, NVME_HOST_DATA + 0x10000, 16384), 16384, bytes, 16384);
}

/* §6.15 FUA, §5.21.1.6 */
static void
test_write_through_flushes (Fixture *f, gconstpointer data)
{
  start (f);
  g_assert_cmphex (nvme_host_move (f->host, 1, 1, 0, 8, NVME_HOST_DATA, 0), ==, 0);
  g_assert_cmpuint (f->n_kind[VMM_IO_SYNC], ==, 0);
  g_assert_cmphex (nvme_host_move (f->host, 1, 1, 0, 8, NVME_HOST_DATA, 0x40000000), ==, 0);
  g_assert_cmpuint (f->n_kind[VMM_IO_SYNC], ==, 1);
  g_assert_cmphex (admin (f, (NvmeHostCommand) { .opcode = 9, .dw10 = 6, .dw11 = 0 }).status, ==, 0);
  g_assert_cmphex (nvme_host_move (f->host, 1, 1, 0, 8, NVME_HOST_DATA, 0), ==, 0);
  g_assert_cmpuint (f->n_kind[VMM_IO_SYNC], >=, 2);
  g_assert_cmphex (admin (f, (NvmeHostCommand) { .opcode = 0x0a, .dw10 = 6 }).result, ==, 0);
}

static void
test_flush_reaches_the_host (Fixture *f, gconstpointer data)
{
  start (f);
  g_assert_cmphex (nvme_host_move (f->host, 1, 1, 0, 8, NVME_HOST_DATA, 0), ==, 0);
  g_assert_cmphex (nvme_host_run (f->host, 1, (NvmeHostCommand) { .opcode = 0, .nsid = 0xffffffff }).status, ==, 0);
  g_assert_cmpuint (f->n_kind[VMM_IO_SYNC], ==, 1);
}

static void
assert_zeros (Fixture *f, guint64 first, guint n)
{
  for (guint i = 0; i < n; i++)
    {
      guint8 *page = ram (f, NVME_HOST_DATA + 0x100000);

      g_assert_cmphex (nvme_host_move (f->host, 1, 2, first + i, 1, NVME_HOST_DATA + 0x100000, 0), ==, 0);
      for (guint j = 0; j < 512; j++)
        g_assert_cmpuint (page[j], ==, 0);
    }
}

static void
test_write_zeroes (Fixture *f, gconstpointer data)
{
  start (f);
  g_assert_cmphex (nvme_host_run (f->host, 1, (NvmeHostCommand) { .opcode = 8, .nsid = 1, .dw10 = 16, .dw12 = 15 }).status, ==, 0);
  assert_zeros (f, 16, 16);
  g_assert_cmphex (nvme_host_move (f->host, 1, 2, 15, 1, NVME_HOST_DATA, 0), ==, 0);
  assert_pattern (f, NVME_HOST_DATA, 15, 1);
  g_assert_cmphex (nvme_host_move (f->host, 1, 2, 32, 1, NVME_HOST_DATA, 0), ==, 0);
  assert_pattern (f, NVME_HOST_DATA, 32, 1);
  g_assert_cmphex (nvme_host_run (f->host, 1, (NvmeHostCommand) { .opcode = 8, .nsid = 1, .dw10 = 48, .dw12 = 0x02000000 | 7 })
                       .status,
                   ==, 0);
  assert_zeros (f, 48, 8);
}

static void
put_range (Fixture *f, guint i, guint64 first, guint32 n)
{
  guint8 range[16] = { 0 };

  _nvme_put32 (range + 4, n);
  _nvme_put64 (range + 8, first);
  test_ram_write (f->board, NVME_HOST_DATA + i * 16, range, 16);
}

static void
test_dataset_deallocates (Fixture *f, gconstpointer data)
{
  start (f);
  put_range (f, 0, 64, 8);
  put_range (f, 1, 0, 0);
  put_range (f, 2, 80, 16);
  g_assert_cmphex (nvme_host_run (f->host, 1,
                                  (NvmeHostCommand) { .opcode = 9, .nsid = 1, .prp1 = NVME_HOST_DATA, .dw10 = 2, .dw11 = 4 })
                       .status,
                   ==, 0);
  assert_zeros (f, 64, 8);
  assert_zeros (f, 80, 16);
  g_assert_cmphex (nvme_host_move (f->host, 1, 2, 72, 8, NVME_HOST_DATA, 0), ==, 0);
  assert_pattern (f, NVME_HOST_DATA, 72, 8);
  put_range (f, 0, BLOCKS - 1, 2);
  g_assert_cmphex (nvme_host_run (f->host, 1,
                                  (NvmeHostCommand) { .opcode = 9, .nsid = 1, .prp1 = NVME_HOST_DATA, .dw10 = 0, .dw11 = 4 })
                       .status,
                   ==, 0x080);
}

static void
test_read_only (Fixture *f, gconstpointer data)
{
  start (f);
  g_assert_cmphex (nvme_host_move (f->host, 1, 1, 0, 8, NVME_HOST_DATA, 0), ==, 0x182);
  g_assert_cmphex (nvme_host_run (f->host, 1, (NvmeHostCommand) { .opcode = 8, .nsid = 1 }).status, ==, 0x182);
  g_assert_cmphex (nvme_host_move (f->host, 1, 2, 0, 8, NVME_HOST_DATA, 0), ==, 0);
}

static void
set_up_read_only (Fixture *f, gconstpointer data)
{
  set_up_with (f, "readonly", "true");
}

/* === Features and logs === */

static void
test_features (Fixture *f, gconstpointer data)
{
  start (f);
  g_assert_cmphex (admin (f, (NvmeHostCommand) { .opcode = 9, .dw10 = 7, .dw11 = 0x00030003 }).result, ==, 62 << 16 | 62);
  g_assert_cmphex (admin (f, (NvmeHostCommand) { .opcode = 0x0a, .dw10 = 6 }).result, ==, 1);
  g_assert_cmphex (admin (f, (NvmeHostCommand) { .opcode = 0x0a, .dw10 = 0x300 | 6 }).result, ==, 4); /* changeable */
  g_assert_cmphex (admin (f, (NvmeHostCommand) { .opcode = 0x0a, .dw10 = 0x77 }).status, ==, 0x002);
  g_assert_cmphex (admin (f, (NvmeHostCommand) { .opcode = 9, .dw10 = 0x80000000 | 6, .dw11 = 1 }).status, ==, 0x10d);
  g_assert_cmphex (admin (f, (NvmeHostCommand) { .opcode = 9, .dw10 = 4, .dw11 = 300 }).status, ==, 0);
  g_assert_cmphex (admin (f, (NvmeHostCommand) { .opcode = 0x0a, .dw10 = 4 }).result, ==, 300);
  g_assert_cmphex (admin (f, (NvmeHostCommand) { .opcode = 0x0a, .dw10 = 0x104 }).result, ==, 343);
  g_assert_cmphex (admin (f, (NvmeHostCommand) { .opcode = 9, .dw10 = 0x0b, .dw11 = 0x100 }).status, ==, 0);
  g_assert_cmphex (admin (f, (NvmeHostCommand) { .opcode = 0x0a, .dw10 = 0x0b }).result, ==, 0x100);
}

static void
test_feature_timestamp_counts (Fixture *f, gconstpointer data)
{
  guint8 *page = ram (f, NVME_HOST_DATA);

  start (f);
  _nvme_put64 (page, 1000000);
  g_assert_cmphex (admin (f, (NvmeHostCommand) { .opcode = 9, .dw10 = 0x0e, .prp1 = NVME_HOST_DATA }).status, ==, 0);
  test_advance_ns (f->board, 5 * G_GINT64_CONSTANT (1000000));
  g_assert_cmphex (admin (f, (NvmeHostCommand) { .opcode = 0x0a, .dw10 = 0x0e, .prp1 = NVME_HOST_DATA }).status, ==, 0);
  g_assert_cmpuint (_nvme_get64 (page) & G_GUINT64_CONSTANT (0xffffffffffff), ==, 1000005);
  g_assert_cmphex (page[6], ==, 2); /* set by the host */
}

static void
test_log_health_counts (Fixture *f, gconstpointer data)
{
  guint8 *page = ram (f, NVME_HOST_DATA);

  start (f);
  g_assert_cmphex (nvme_host_move (f->host, 1, 2, 0, 8, NVME_HOST_DATA, 0), ==, 0);
  g_assert_cmphex (nvme_host_move (f->host, 1, 1, 0, 8, NVME_HOST_DATA, 0), ==, 0);
  g_assert_cmphex (admin (f, (NvmeHostCommand) { .opcode = 2, .nsid = 0xffffffff, .prp1 = NVME_HOST_DATA, .dw10 = 127 << 16 | 2 })
                       .status,
                   ==, 0);
  g_assert_cmpuint (page[0], ==, 0);
  g_assert_cmpuint (_nvme_get16 (page + 1), ==, 310);
  g_assert_cmpuint (page[3], ==, 100);
  g_assert_cmpuint (_nvme_get64 (page + 32), ==, 1); /* thousands of 512 bytes, rounded up */
  g_assert_cmpuint (_nvme_get64 (page + 64), ==, 1);
  g_assert_cmpuint (_nvme_get64 (page + 80), ==, 1);
  g_assert_cmphex (admin (f, (NvmeHostCommand) { .opcode = 2, .prp1 = NVME_HOST_DATA, .dw10 = 127 << 16 | 0x55 }).status, ==,
                   0x109);
}

/* === Shadow doorbells === */

#define SHADOW (NVME_HOST_DATA + 0x200000)
#define EVENT (NVME_HOST_DATA + 0x201000)

static guint32
peek (Fixture *f, guint64 gpa)
{
  guint32 value;

  g_assert_true (vmm_memory_read_u32 (f->board->machine->memory, gpa, &value));
  return value;
}

/* §7.13, as Linux' nvme_dbbuf_update_and_check_event() does it: the register is written only if the event index was passed. */
static void
test_shadow_doorbells (Fixture *f, gconstpointer data)
{
  NvmeHostAnswer answer = { 0 };

  start (f);
  g_assert_cmphex (admin (f, (NvmeHostCommand) { .opcode = 0x7c, .prp1 = SHADOW, .prp2 = EVENT }).status, ==, 0);
  for (guint i = 0; i < 100; i++)
    {
      guint old, tail, event;
      gboolean done = FALSE;

      old = f->host->queues[1].tail;
      nvme_host_put (f->host, 1,
                     (NvmeHostCommand) { .opcode = 2, .id = (guint16) i, .nsid = 1, .prp1 = NVME_HOST_DATA, .dw10 = i, .dw12 = 0 });
      tail = f->host->queues[1].tail;
      g_assert_true (vmm_memory_write_u32 (f->board->machine->memory, SHADOW + 8, tail));
      __atomic_thread_fence (__ATOMIC_SEQ_CST);
      event = peek (f, EVENT + 8);
      if ((guint16) (tail - event - 1) < (guint16) (tail - old))
        nvme_host_ring_sq (f->host, 1);
      test_wait_until (done || (done = nvme_host_poll (f->host, 1, FALSE, &answer)));
      g_assert_cmpuint (answer.id, ==, i);
      g_assert_cmphex (answer.status, ==, 0);
      assert_pattern (f, NVME_HOST_DATA, i, 1);
      old = peek (f, SHADOW + 12);
      g_assert_true (vmm_memory_write_u32 (f->board->machine->memory, SHADOW + 12, f->host->queues[1].head));
      __atomic_thread_fence (__ATOMIC_SEQ_CST);
      event = peek (f, EVENT + 12);
      if ((guint16) (f->host->queues[1].head - event - 1) < (guint16) (f->host->queues[1].head - old))
        nvme_host_write (f->host, 0x1000 + 12, f->host->queues[1].head);
    }
  g_assert_cmphex (admin (f, (NvmeHostCommand) { .opcode = 0x7c, .prp1 = SHADOW + 4, .prp2 = EVENT }).status, ==, 0x002);
}

/* === Life === */

static void
test_reset_clears (Fixture *f, gconstpointer data)
{
  start (f);
  test_board_reset (f->board, VMM_RESET_WARM);
  nvme_host_map (f->host);
  g_assert_cmphex (nvme_host_read (f->host, NVME_HOST_CSTS), ==, 0);
  g_assert_cmphex (nvme_host_read (f->host, NVME_HOST_CC), ==, 0);
  g_assert_cmphex (nvme_host_read (f->host, NVME_HOST_AQA), ==, 0);
  start (f);
  g_assert_cmphex (nvme_host_move (f->host, 1, 2, 0, 8, NVME_HOST_DATA, 0), ==, 0);
}

/* No completion after quiesce; what was rung goes on with resume. */
static void
test_quiesce_holds_back (Fixture *f, gconstpointer data)
{
  NvmeHostAnswer answer;

  start (f);
  f->host->nvme->class->quiesce (f->host->nvme);
  nvme_host_submit (f->host, 1, (NvmeHostCommand) { .opcode = 2, .nsid = 1, .prp1 = NVME_HOST_DATA, .dw12 = 7 });
  test_board_settle (f->board);
  g_usleep (2000);
  g_assert_false (nvme_host_poll (f->host, 1, FALSE, &answer));
  f->host->nvme->class->resume (f->host->nvme);
  g_assert_cmphex (nvme_host_wait (f->host, 1).status, ==, 0);
}

/* What was under way when the state was taken is done anew. */
static void
test_load_begins_commands_anew (Fixture *f, gconstpointer data)
{
  Nvme *nvme = (Nvme *) f->host->nvme;
  g_autofree NvmeRegs *saved = NULL;
  g_autoptr (GError) error = NULL;
  NvmeHostAnswer answer;

  start (f);
  f->n_waiting = 0;
  f->closed = TRUE;
  nvme_host_submit (f->host, 1, (NvmeHostCommand) { .opcode = 2, .nsid = 1, .prp1 = NVME_HOST_DATA, .dw12 = 7 });
  wait_at_gate (f);
  saved = g_memdup2 (&nvme->regs, sizeof nvme->regs); /* as with a command that stalls */
  open_gate (f);
  g_assert_cmphex (nvme_host_wait (f->host, 1).status, ==, 0);
  f->host->queues[1].head = 0; /* the completion queue is where it was, too */
  test_ram_write (f->board, nvme_host_cq (1), (guint8[16]) { 0 }, 16);
  nvme->pci.base.class->quiesce (f->host->nvme);
  nvme->regs = *saved;
  g_assert_true (nvme->pci.base.class->post_load (f->host->nvme, &error));
  nvme->pci.base.class->resume (f->host->nvme);
  answer = nvme_host_wait (f->host, 1);
  g_assert_cmphex (answer.status, ==, 0);
  saved->sq[1].head = 5000;
  nvme->pci.base.class->quiesce (f->host->nvme);
  nvme->regs = *saved;
  g_assert_false (nvme->pci.base.class->post_load (f->host->nvme, &error));
  g_assert_error (error, VMM_ERROR, VMM_ERROR_STATE_MISMATCH);
  memset (&nvme->regs, 0, sizeof nvme->regs);
  _vmm_nvme_recount (nvme);
  nvme->pci.base.class->resume (f->host->nvme);
}

static void
test_regs_are_described (Fixture *f, gconstpointer data)
{
  const VmmDeviceClass *class = f->host->nvme->class;
  gsize gap;

  g_assert_true (vmm_fields_covers (class->regs_fields, class->regs_size, &gap));
}

#define ADD(path, func) g_test_add ("/nvme/" path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("pci/header", test_pci_header);
  ADD ("registers/capabilities", test_registers_capabilities);
  ADD ("registers/mask-sets-and-clears", test_registers_mask_sets_and_clears);
  ADD ("enable/needs-aligned-queues", test_enable_needs_aligned_queues);
  ADD ("enable/bad-page-size-fails", test_enable_bad_page_size_fails);
  ADD ("disable/keeps-admin-registers", test_disable_keeps_admin_registers);
  ADD ("disable/waits-for-commands", test_disable_waits_for_commands);
  ADD ("shutdown/flushes", test_shutdown_flushes);
  ADD ("identify/controller", test_identify_controller);
  ADD ("identify/namespace", test_identify_namespace);
  ADD ("identify/namespace-has-eui64-descriptor", test_identify_namespace_has_eui64_descriptor);
  ADD ("identify/active-namespaces", test_identify_active_namespaces);
  ADD ("queue/limits", test_queue_limits);
  ADD ("queue/wraps", test_queue_wraps);
  ADD ("queue/full-completion-waits", test_queue_full_completion_waits);
  ADD ("queue/deletion-waits", test_queue_deletion_waits);
  ADD ("event/bad-doorbell", test_event_bad_doorbell);
  ADD ("interrupt/pin-follows-head", test_interrupt_pin_follows_head);
  ADD ("interrupt/msix-uses-the-queues-vector", test_interrupt_msix_uses_the_queues_vector);
  ADD ("read/prps", test_read_prps);
  ADD ("read/list-of-lists", test_read_list_of_lists);
  ADD ("read/bad-memory", test_read_bad_memory);
  ADD ("read/out-of-range", test_read_out_of_range);
  ADD ("read/error", test_read_error);
  ADD ("write/then-read", test_write_then_read);
  ADD ("write/through-flushes", test_write_through_flushes);
  ADD ("flush/reaches-the-host", test_flush_reaches_the_host);
  ADD ("write-zeroes/reads-as-zeros", test_write_zeroes);
  ADD ("dataset/deallocates", test_dataset_deallocates);
  g_test_add ("/nvme/read-only/refuses-writes", Fixture, NULL, set_up_read_only, test_read_only, tear_down);
  ADD ("features/get-and-set", test_features);
  ADD ("features/timestamp-counts", test_feature_timestamp_counts);
  ADD ("log/health-counts", test_log_health_counts);
  ADD ("shadow/doorbells", test_shadow_doorbells);
  ADD ("reset/clears", test_reset_clears);
  ADD ("quiesce/holds-back", test_quiesce_holds_back);
  ADD ("load/begins-commands-anew", test_load_begins_commands_anew);
  ADD ("state/described", test_regs_are_described);
  return g_test_run ();
}
