/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A controller for tests: requests on an open image, waited for or counted. */
#pragma once

#include "block/block-private.h"
#include "core/iothread.h"

typedef struct {
  VmmIoThread *iothread;
  VmmBlock *block;
  GMutex lock;
  GCond cond;
  guint n_flight; /* under lock */
  int result;     /* under lock: first error of asynchronous requests */
} BlockClient;

/* Opens @path on an iothread of its own. Returns NULL with @error set. */
BlockClient *block_client_new (const char *path, const char *format, VmmBlockFlags flags, GError **error);
void block_client_free (BlockClient *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (BlockClient, block_client_free)

/* One request, waited for; 0 or -errno. @buf: NULL for requests without memory. */
int block_client_do (BlockClient *client, VmmBlockOp op, guint64 offset, gpointer buf, guint64 len);

/* One request that copies its memory; @done (nullable) runs on the iothread. */
void block_client_start (BlockClient *client, VmmBlockOp op, guint64 offset, gconstpointer buf, guint64 len,
                         void (*done) (int result, gconstpointer buf, gpointer data), gpointer data);
/* Waits until fewer than @n are under way. */
void block_client_wait_below (BlockClient *client, guint n);
/* Waits for all; the first error since the last time, or 0. */
int block_client_wait (BlockClient *client);
