/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "nvme-host.h"

#define NH_DOORBELLS 0x1000
#define NH_LIST 0xf00000u /* RAM: a PRP list */

NvmeHost *
nvme_host_new (TestBoard *board, const char *image, const char *key, const char *value)
{
  NvmeHost *host = g_new0 (NvmeHost, 1);

  host->board = board;
  host->nvme = test_board_add (board, "nvme", "disk0", "image", image, key, value, NULL);
  nvme_host_map (host);
  return host;
}

void
nvme_host_free (NvmeHost *host)
{
  g_free (host);
}

void
nvme_host_map (NvmeHost *host)
{
  test_pci_write (host->board, NVME_HOST_DEVFN, 0x10, 4, NVME_HOST_BAR);
  test_pci_write (host->board, NVME_HOST_DEVFN, 0x14, 4, 0);
  test_pci_write (host->board, NVME_HOST_DEVFN, 0x04, 2, 0x0006);
}

guint32
nvme_host_read (NvmeHost *host, guint reg)
{
  return (guint32) test_read (host->board, NVME_HOST_BAR + reg, 4);
}

void
nvme_host_write (NvmeHost *host, guint reg, guint32 value)
{
  test_write (host->board, NVME_HOST_BAR + reg, 4, value);
}

guint64
nvme_host_sq (guint queue)
{
  return NVME_HOST_QUEUES + (guint64) queue * 0x20000;
}

guint64
nvme_host_cq (guint queue)
{
  return nvme_host_sq (queue) + 0x10000;
}

static void
nh_clear (NvmeHost *host, guint queue, guint entries)
{
  g_autofree guint8 *zeros = g_malloc0 (0x10000);

  test_ram_write (host->board, nvme_host_cq (queue), zeros, 0x10000);
  host->queues[queue] = (NvmeHostQueue) { .size = entries, .phase = 1 };
}

void
nvme_host_enable (NvmeHost *host, guint entries)
{
  nh_clear (host, 0, entries);
  nvme_host_write (host, NVME_HOST_AQA, (entries - 1) << 16 | (entries - 1));
  test_write (host->board, NVME_HOST_BAR + NVME_HOST_ASQ, 8, nvme_host_sq (0));
  test_write (host->board, NVME_HOST_BAR + NVME_HOST_ACQ, 8, nvme_host_cq (0));
  nvme_host_write (host, NVME_HOST_CC, 0x00460001);
  test_wait_until ((nvme_host_read (host, NVME_HOST_CSTS) & 1) != 0);
}

void
nvme_host_disable (NvmeHost *host)
{
  nvme_host_write (host, NVME_HOST_CC, 0x00460000);
  test_wait_until ((nvme_host_read (host, NVME_HOST_CSTS) & 1) == 0);
}

void
nvme_host_put (NvmeHost *host, guint queue, NvmeHostCommand c)
{
  NvmeHostQueue *q = &host->queues[queue];
  guint32 entry[16] = { 0 };

  entry[0] = GUINT32_TO_LE (c.opcode | (guint32) c.flags << 8 | (guint32) c.id << 16);
  entry[1] = GUINT32_TO_LE (c.nsid);
  entry[6] = GUINT32_TO_LE ((guint32) c.prp1);
  entry[7] = GUINT32_TO_LE ((guint32) (c.prp1 >> 32));
  entry[8] = GUINT32_TO_LE ((guint32) c.prp2);
  entry[9] = GUINT32_TO_LE ((guint32) (c.prp2 >> 32));
  entry[10] = GUINT32_TO_LE (c.dw10);
  entry[11] = GUINT32_TO_LE (c.dw11);
  entry[12] = GUINT32_TO_LE (c.dw12);
  entry[13] = GUINT32_TO_LE (c.dw13);
  test_ram_write (host->board, nvme_host_sq (queue) + q->tail * 64, entry, sizeof entry);
  q->tail = (q->tail + 1) % q->size;
}

void
nvme_host_ring_sq (NvmeHost *host, guint queue)
{
  nvme_host_write (host, NH_DOORBELLS + queue * 8, host->queues[queue].tail);
}

guint16
nvme_host_submit (NvmeHost *host, guint queue, NvmeHostCommand command)
{
  command.id = host->next_id++;
  nvme_host_put (host, queue, command);
  nvme_host_ring_sq (host, queue);
  return command.id;
}

gboolean
nvme_host_poll (NvmeHost *host, guint queue, gboolean ring, NvmeHostAnswer *ret_answer)
{
  NvmeHostQueue *q = &host->queues[queue];
  guint32 entry[4];

  test_ram_read (host->board, nvme_host_cq (queue) + q->head * 16, entry, sizeof entry);
  if ((GUINT32_FROM_LE (entry[3]) >> 16 & 1) != q->phase)
    return FALSE;
  /* Behind the phase, the rest may be read (§4.6). */
  test_ram_read (host->board, nvme_host_cq (queue) + q->head * 16, entry, sizeof entry);
  *ret_answer = (NvmeHostAnswer) {
    .result = GUINT32_FROM_LE (entry[0]),
    .sq_head = (guint16) GUINT32_FROM_LE (entry[2]),
    .sq = (guint16) (GUINT32_FROM_LE (entry[2]) >> 16),
    .id = (guint16) GUINT32_FROM_LE (entry[3]),
    .status = GUINT32_FROM_LE (entry[3]) >> 17 & 0x7ff,
    .dnr = (GUINT32_FROM_LE (entry[3]) >> 31) != 0,
  };
  if (++q->head == q->size)
    {
      q->head = 0;
      q->phase ^= 1;
    }
  if (ring)
    nvme_host_write (host, NH_DOORBELLS + queue * 8 + 4, q->head);
  return TRUE;
}

NvmeHostAnswer
nvme_host_wait (NvmeHost *host, guint queue)
{
  NvmeHostAnswer answer = { 0 };
  gboolean done = FALSE;

  test_wait_until (done || (done = nvme_host_poll (host, queue, TRUE, &answer)));
  return answer;
}

NvmeHostAnswer
nvme_host_run (NvmeHost *host, guint queue, NvmeHostCommand command)
{
  guint16 id = nvme_host_submit (host, queue, command);
  NvmeHostAnswer answer = nvme_host_wait (host, queue);

  g_assert_cmpuint (answer.id, ==, id);
  return answer;
}

void
nvme_host_create_queue (NvmeHost *host, guint queue, guint entries, guint vector)
{
  NvmeHostCommand cq = { .opcode = 0x05,
                         .prp1 = nvme_host_cq (queue),
                         .dw10 = (entries - 1) << 16 | queue,
                         .dw11 = vector << 16 | 3 };
  NvmeHostCommand sq = { .opcode = 0x01,
                         .prp1 = nvme_host_sq (queue),
                         .dw10 = (entries - 1) << 16 | queue,
                         .dw11 = queue << 16 | 1 };

  nh_clear (host, queue, entries);
  g_assert_cmphex (nvme_host_run (host, 0, cq).status, ==, 0);
  g_assert_cmphex (nvme_host_run (host, 0, sq).status, ==, 0);
}

guint
nvme_host_move (NvmeHost *host, guint queue, guint8 opcode, guint64 first, guint n, guint64 gpa, guint32 dw12)
{
  NvmeHostCommand c = { .opcode = opcode, .nsid = 1, .prp1 = gpa, .dw10 = (guint32) first, .dw11 = (guint32) (first >> 32) };
  guint64 end = gpa + (guint64) n * 512, next = (gpa | 0xfff) + 1;

  c.dw12 = dw12 | (n - 1);
  if (end > next && end - next <= 4096)
    c.prp2 = next;
  else if (end > next)
    {
      c.prp2 = NH_LIST;
      for (guint i = 0; next < end; i++, next += 4096)
        {
          guint64 entry = GUINT64_TO_LE (next);

          test_ram_write (host->board, NH_LIST + 8 * i, &entry, sizeof entry);
        }
    }
  return nvme_host_run (host, queue, c).status;
}
