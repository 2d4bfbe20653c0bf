/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the tests of app/ share: a place of their own on the disk, and waiting for async calls. */
#pragma once

#include <gio/gio.h>

/** test_init: As g_test_init(), with all XDG directories in a fresh one that test_run() deletes. */
void test_init (int *argc, char ***argv);
int test_run (void);

/** test_directory: Returns: (transfer none): the fresh directory. */
const char *test_directory (void);
/** test_path: Returns: (transfer full): a path in it. */
char *test_path (const char *name);
/** test_write: Writes a file in it, with its folders. Returns: (transfer full): its path. */
char *test_write (const char *name, const void *data, gssize size);
/** test_count: Returns: how many entries a directory has, hidden ones too. */
guint test_count (const char *path);

/** test_wait_cb: For async calls: stores the result (transfer full) in the GAsyncResult * that @user_data points at. */
void test_wait_cb (GObject *object, GAsyncResult *result, gpointer user_data);
/** test_wait: Runs the main context until @result is set. */
void test_wait (GAsyncResult **result);

typedef gboolean (*TestCondition) (gpointer data);
/** test_wait_until: Runs the main context until @condition holds; fails after ten seconds. */
void test_wait_until (TestCondition condition, gpointer data);
