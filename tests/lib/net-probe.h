/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A NIC that hands the test every frame, for tests of networks; and a network that does, for tests of NICs. */
#pragma once

#include "net/net-private.h"
#include "test-board.h"

typedef struct {
  gboolean has_header;
  VmmNetHeader header;
  gsize len;
  guint8 data[];
} NetProbeFrame;

/* A NIC on a network. @...: settings as in test_board_add() */
VmmDevice *net_probe_add (TestBoard *board, const char *id, ...) G_GNUC_NULL_TERMINATED;
VmmDevice *net_probe_try (TestBoard *board, GError **error, const char *id, ...) G_GNUC_NULL_TERMINATED;
void net_probe_remove (TestBoard *board, VmmDevice *probe);
VmmNet *net_probe_get_net (VmmDevice *probe);
/* As the guest sends it. */
gboolean net_probe_send (VmmDevice *probe, const VmmNetHeader *header, gconstpointer data, gsize len);
/* While TRUE the NIC takes nothing. */
void net_probe_set_full (VmmDevice *probe, gboolean full);
guint net_probe_get_writable (VmmDevice *probe); /* times told */
/* (transfer full) (nullable): the next frame that came; waits up to 5 s (@wait), the machine's clock going on meanwhile. */
NetProbeFrame *net_probe_take (TestBoard *board, VmmDevice *probe, gboolean wait);

/* A network. The NIC @device_id is put on it. */
typedef struct _NetWire NetWire;
NetWire *net_wire_new (TestBoard *board, const char *device_id, gboolean takes_sums);
/* (transfer full) (nullable): the next frame that the guest sent. */
NetProbeFrame *net_wire_take (NetWire *wire, gboolean wait);
/* Towards the guest; FALSE: better no more now. */
gboolean net_wire_deliver (NetWire *wire, const VmmNetHeader *header, gconstpointer data, gsize len);
void net_wire_set_full (NetWire *wire, gboolean full); /* while TRUE it takes nothing */
guint net_wire_get_ready (NetWire *wire);              /* times it was told to go on */
