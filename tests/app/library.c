/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The list of machines follows the directory. */
#include "model/library.h"

#include "support.h"

#include <glib/gstdio.h>
#include <gio/gunixsocketaddress.h>
#include <sys/file.h>
#include <unistd.h>

#define CONF "[machine]\nname=%s\nuuid=%s\n"

static LodgeLibrary *
new_library (const char *name)
{
  g_autofree char *directory = test_path (name);
  LodgeLibrary *library = lodge_library_new (directory);
  g_autoptr (GAsyncResult) result = NULL;

  lodge_library_load_async (library, NULL, test_wait_cb, &result);
  test_wait (&result);
  g_assert_true (lodge_library_load_finish (library, result, NULL));
  return library;
}

static void
write_machine (const char *directory, const char *name)
{
  g_autofree char *uuid = g_uuid_string_random ();
  g_autofree char *conf = g_strdup_printf (CONF, name, uuid);
  g_autofree char *at = g_strdup_printf ("%s/%s.lodge/machine.conf", directory, name);
  g_autofree char *path = test_write (at, conf, -1);

  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
}

static guint
n_items (LodgeLibrary *library)
{
  return g_list_model_get_n_items (G_LIST_MODEL (library));
}

static const char *
nth_name (LodgeLibrary *library, guint n)
{
  g_autoptr (LodgeMachine) machine = g_list_model_get_item (G_LIST_MODEL (library), n);

  return machine != NULL ? lodge_machine_get_name (machine) : NULL;
}

static gboolean
has_one (gpointer data)
{
  return n_items (data) == 1;
}

static gboolean
has_none (gpointer data)
{
  return n_items (data) == 0;
}

static gboolean
is_broken (gpointer data)
{
  return lodge_machine_get_state (data) == LODGE_MACHINE_STATE_BROKEN;
}

static gboolean
is_off (gpointer data)
{
  return lodge_machine_get_state (data) == LODGE_MACHINE_STATE_OFF;
}

static void
close_library (LodgeLibrary *library)
{
  g_object_run_dispose (G_OBJECT (library));
  g_object_unref (library);
}

static void
test_sorted_as_people_do (void)
{
  LodgeLibrary *library;

  write_machine ("sorted", "m10");
  write_machine ("sorted", "m9");
  write_machine ("sorted", "a");
  library = new_library ("sorted");
  g_assert_cmpuint (n_items (library), ==, 3);
  g_assert_cmpstr (nth_name (library, 0), ==, "a");
  g_assert_cmpstr (nth_name (library, 1), ==, "m9");
  g_assert_cmpstr (nth_name (library, 2), ==, "m10");
  close_library (library);
}

static void
test_follows_other_hands (void)
{
  LodgeLibrary *library = new_library ("followed");
  g_autofree char *path = test_path ("followed/New.lodge");
  g_autofree char *away = test_path ("New.lodge");
  LodgeMachine *machine;

  g_assert_cmpuint (n_items (library), ==, 0);
  write_machine ("followed", "New");
  test_wait_until (has_one, library);
  machine = lodge_library_find (library, "New", NULL);
  g_assert_nonnull (machine);
  g_assert_true (is_off (machine));
  g_assert_cmpstr (lodge_machine_get_path (machine), ==, path);
  g_assert_cmpint (g_rename (path, away), ==, 0);
  test_wait_until (has_none, library);
  close_library (library);
}

static void
test_broken_machine_is_listed (void)
{
  LodgeLibrary *library;
  g_autofree char *conf = test_path ("broken/B.lodge/machine.conf");
  g_autofree char *good = NULL;
  LodgeMachine *machine;

  write_machine ("broken", "B");
  g_assert_true (g_file_get_contents (conf, &good, NULL, NULL));
  library = new_library ("broken");
  machine = lodge_library_find (library, "B", NULL);
  g_assert_true (lodge_machine_can (machine, LODGE_VERB_START));
  g_assert_true (g_file_set_contents (conf, "[machine]\nbogus=1\n", -1, NULL));
  test_wait_until (is_broken, machine);
  g_assert_false (lodge_machine_can (machine, LODGE_VERB_START));
  g_assert_nonnull (strstr (lodge_machine_get_message (machine), "bogus"));
  g_assert_cmpuint (lodge_machine_get_capabilities (machine) & LODGE_CAPABILITY_DELETE, !=, 0);
  g_assert_true (g_file_set_contents (conf, good, -1, NULL));
  test_wait_until (is_off, machine);
  g_assert_null (lodge_machine_get_message (machine));
  close_library (library);
}

static void
test_strange_entries_are_left_alone (void)
{
  g_autofree char *file = test_write ("strange/file.lodge", "x", 1);
  g_autofree char *hidden = test_write ("strange/.new-1234/machine.conf", "x", 1);
  g_autofree char *other = test_write ("strange/folder/x", "x", 1);
  LodgeLibrary *library = new_library ("strange");

  g_assert_cmpuint (n_items (library), ==, 0);
  close_library (library);
}

static char *
delete_machine (LodgeLibrary *library, LodgeMachine *machine, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;

  lodge_library_delete_async (library, machine, NULL, test_wait_cb, &result);
  test_wait (&result);
  return lodge_library_delete_finish (library, result, error);
}

static void
test_delete_and_undo (void)
{
  LodgeLibrary *library;
  g_autofree char *path = test_path ("trashed/T.lodge");
  g_autofree char *token = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GAsyncResult) again = NULL;
  g_autoptr (LodgeMachine) back = NULL;

  write_machine ("trashed", "T");
  library = new_library ("trashed");
  token = delete_machine (library, lodge_library_find (library, "T", NULL), &error);
  g_assert_no_error (error);
  g_assert_cmpuint (n_items (library), ==, 0);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));

  lodge_library_undo_delete_async (library, token, NULL, test_wait_cb, &result);
  test_wait (&result);
  back = lodge_library_undo_delete_finish (library, result, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (lodge_machine_get_path (back), ==, path);
  g_assert_cmpuint (n_items (library), ==, 1);

  lodge_library_undo_delete_async (library, token, NULL, test_wait_cb, &again);
  test_wait (&again);
  g_assert_null (lodge_library_undo_delete_finish (library, again, &error));
  g_assert_error (error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND);
  close_library (library);
}

static void
test_locked_machine_is_not_deleted (void)
{
  LodgeLibrary *library;
  g_autofree char *lock = NULL;
  g_autofree char *path = test_path ("locked/L.lodge");
  g_autoptr (GError) error = NULL;
  FILE *file;

  write_machine ("locked", "L");
  lock = test_write ("locked/L.lodge/lock", "", 0);
  file = g_fopen (lock, "r+");
  g_assert_cmpint (flock (fileno (file), LOCK_EX), ==, 0);
  library = new_library ("locked");
  g_assert_null (delete_machine (library, lodge_library_find (library, "L", NULL), &error));
  g_assert_error (error, LODGE_ERROR, LODGE_ERROR_RUNNING);
  g_assert_true (g_file_test (path, G_FILE_TEST_IS_DIR));
  g_assert_cmpuint (n_items (library), ==, 1);
  fclose (file);
  close_library (library);
}

static void
test_stale_socket_is_removed (void)
{
  const char *uuid = "0c3b31c2-9d2e-4a54-9bb4-8f9f3f8a2d11";
  g_autofree char *conf_text = g_strdup_printf (CONF, "S", uuid);
  g_autofree char *conf = test_write ("stale/S.lodge/machine.conf", conf_text, -1);
  g_autofree char *name = g_strdup_printf ("run/lodge/%s.sock", uuid);
  g_autofree char *path = test_path (name);
  g_autofree char *folder = g_path_get_dirname (path);
  g_autoptr (GSocketAddress) address = g_unix_socket_address_new (path);
  g_autoptr (GSocket) socket = g_socket_new (G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_STREAM, 0, NULL);
  LodgeLibrary *library;

  /* As a killed process leaves it: the name is there, nobody listens. */
  g_mkdir_with_parents (folder, 0700);
  g_assert_true (g_socket_bind (socket, address, FALSE, NULL));
  g_socket_close (socket, NULL);
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
  library = new_library ("stale");
  g_assert_true (is_off (lodge_library_find (library, "S", NULL)));
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  close_library (library);
}

static void
test_names (void)
{
  LodgeLibrary *library;
  g_autofree char *unused = NULL;
  g_autofree char *taken = NULL;
  g_autoptr (GError) error = NULL;

  write_machine ("names", "Debian");
  write_machine ("names", "debian 2");
  library = new_library ("names");
  unused = lodge_library_dup_free_name (library, "Fedora");
  taken = lodge_library_dup_free_name (library, "Debian");
  g_assert_cmpstr (unused, ==, "Fedora");
  g_assert_cmpstr (taken, ==, "Debian 3"); /* names differ by more than case */
  g_assert_null (lodge_library_find (library, "nobody", &error));
  g_assert_error (error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND);
  close_library (library);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/library/list/sorted-as-people-do", test_sorted_as_people_do);
  g_test_add_func ("/library/list/follows-other-hands", test_follows_other_hands);
  g_test_add_func ("/library/list/broken-machine-is-shown-and-mends", test_broken_machine_is_listed);
  g_test_add_func ("/library/list/strange-entries-are-left-alone", test_strange_entries_are_left_alone);
  g_test_add_func ("/library/delete/undo-brings-it-back-once", test_delete_and_undo);
  g_test_add_func ("/library/delete/never-what-somebody-holds", test_locked_machine_is_not_deleted);
  g_test_add_func ("/library/connect/stale-socket-is-removed", test_stale_socket_is_removed);
  g_test_add_func ("/library/names/free-and-unknown", test_names);
  return test_run ();
}
