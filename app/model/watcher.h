/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tells of files that come, go or are replaced in some directories. Unlike GFileMonitor it sleeps while a file is written to, so that
 * the disks of running machines wake nobody. */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct _LodgeWatcher LodgeWatcher;

/** LodgeWatcherFunc: @directory: as given to lodge_watcher_add(); @name: (nullable): the file in it; %NULL: anything may have changed */
typedef void (*LodgeWatcherFunc) (const char *directory, const char *name, gpointer user_data);

/** lodge_watcher_new: @func runs on the default main context. */
LodgeWatcher *lodge_watcher_new (LodgeWatcherFunc func, gpointer user_data);
void lodge_watcher_free (LodgeWatcher *self);

/** lodge_watcher_add: Watches @directory if it exists; once is enough. Returns: %FALSE if it cannot be watched. */
gboolean lodge_watcher_add (LodgeWatcher *self, const char *directory);
void lodge_watcher_remove (LodgeWatcher *self, const char *directory);

G_END_DECLS
