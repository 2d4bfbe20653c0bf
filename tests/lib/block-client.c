/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "block-client.h"

#include <stdlib.h>

typedef struct {
  VmmBlockRequest req;
  struct iovec iov;
  BlockClient *client;
  void (*done) (int result, gconstpointer buf, gpointer data);
  gpointer data;
  gboolean *ret_finished;
  int *ret_result;
} ClientRequest;

BlockClient *
block_client_new (const char *path, const char *format, VmmBlockFlags flags, GError **error)
{
  BlockClient *client = g_new0 (BlockClient, 1);

  g_mutex_init (&client->lock);
  g_cond_init (&client->cond);
  client->iothread = vmm_iothread_new ("test-io", error);
  if (client->iothread != NULL)
    client->block = vmm_block_open (path, format, flags, client->iothread, error);
  if (client->block == NULL)
    {
      block_client_free (client);
      return NULL;
    }
  return client;
}

void
block_client_free (BlockClient *client)
{
  if (client->block != NULL)
    vmm_block_close (client->block);
  if (client->iothread != NULL)
    vmm_iothread_free (client->iothread);
  g_mutex_clear (&client->lock);
  g_cond_clear (&client->cond);
  g_free (client);
}

static void
client_done (VmmBlockRequest *req, int result)
{
  ClientRequest *creq = req->data;
  BlockClient *client = creq->client;

  if (creq->done != NULL)
    creq->done (result, creq->iov.iov_base, creq->data);
  g_mutex_lock (&client->lock);
  if (creq->ret_finished != NULL)
    {
      *creq->ret_result = result;
      *creq->ret_finished = TRUE;
    }
  else
    {
      client->n_flight--;
      if (result < 0 && client->result == 0)
        client->result = result;
      free (creq->iov.iov_base);
    }
  g_cond_broadcast (&client->cond);
  g_mutex_unlock (&client->lock);
  g_free (creq);
}

static ClientRequest *
client_request_new (BlockClient *client, VmmBlockOp op, guint64 offset, gpointer buf, guint64 len)
{
  ClientRequest *creq = g_new0 (ClientRequest, 1);

  creq->client = client;
  creq->req.op = op;
  creq->req.offset = offset;
  creq->req.len = len;
  creq->req.done = client_done;
  creq->req.data = creq;
  if (op == VMM_BLOCK_READ || op == VMM_BLOCK_WRITE)
    {
      creq->iov = (struct iovec) { buf, len };
      creq->req.iov = &creq->iov;
      creq->req.n_iov = 1;
    }
  return creq;
}

int
block_client_do (BlockClient *client, VmmBlockOp op, guint64 offset, gpointer buf, guint64 len)
{
  ClientRequest *creq = client_request_new (client, op, offset, buf, len);
  gboolean finished = FALSE;
  int result = 0;

  creq->ret_finished = &finished;
  creq->ret_result = &result;
  vmm_block_submit (client->block, &creq->req);
  g_mutex_lock (&client->lock);
  while (!finished)
    g_cond_wait (&client->cond, &client->lock);
  g_mutex_unlock (&client->lock);
  return result;
}

void
block_client_start (BlockClient *client, VmmBlockOp op, guint64 offset, gconstpointer buf, guint64 len,
                    void (*done) (int result, gconstpointer buf, gpointer data), gpointer data)
{
  void *copy = NULL;
  ClientRequest *creq;

  if (op == VMM_BLOCK_READ || op == VMM_BLOCK_WRITE)
    {
      g_assert_cmpint (posix_memalign (&copy, 4096, MAX (len, 1)), ==, 0);
      if (op == VMM_BLOCK_WRITE)
        memcpy (copy, buf, len);
    }
  creq = client_request_new (client, op, offset, copy, len);
  creq->done = done;
  creq->data = data;
  g_mutex_lock (&client->lock);
  client->n_flight++;
  g_mutex_unlock (&client->lock);
  vmm_block_submit (client->block, &creq->req);
}

void
block_client_wait_below (BlockClient *client, guint n)
{
  g_mutex_lock (&client->lock);
  while (client->n_flight >= n)
    g_cond_wait (&client->cond, &client->lock);
  g_mutex_unlock (&client->lock);
}

int
block_client_wait (BlockClient *client)
{
  int result;

  block_client_wait_below (client, 1);
  g_mutex_lock (&client->lock);
  result = client->result;
  client->result = 0;
  g_mutex_unlock (&client->lock);
  return result;
}
