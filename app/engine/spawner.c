/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Starts a machine's process and reads its one answer; machine-service.c has the other end. */
#include "engine/spawner.h"

#include "engine/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixinputstream.h>
#include <glib-unix.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define LSPA_ANSWER_MAX 65536 /* bytes */
#define LSPA_TAIL_MAX 2000    /* bytes of a dead process's output that are shown */

typedef struct {
  GSubprocess *process;
  GInputStream *answer_stream;
  GString *answer;
  char *log_path;
  gulong cancelled_id;
} LspaStart;

static void
lspa_start_free (gpointer data)
{
  LspaStart *start = data;

  g_clear_object (&start->process);
  g_clear_object (&start->answer_stream);
  g_string_free (start->answer, TRUE);
  g_free (start->log_path);
  g_free (start);
}

/* In the child between fork and exec: only what is safe there. */
static void
lspa_child_setup (gpointer data)
{
  setsid ();
  signal (SIGPIPE, SIG_DFL);
}

static char *
lspa_dup_executable (const char *executable)
{
  char *path;

  if (executable != NULL)
    return g_strdup (executable);
  path = g_file_read_link ("/proc/self/exe", NULL);
  if (path != NULL && !g_file_test (path, G_FILE_TEST_IS_EXECUTABLE))
    {
      /* The program was replaced by a newer one while we run. */
      char *deleted = g_strrstr (path, " (deleted)");

      if (deleted != NULL)
        *deleted = '\0';
    }
  return path != NULL ? path : g_strdup ("lodge");
}

static char *
lspa_dup_tail (const char *path)
{
  g_autofree char *text = NULL;
  gsize size;
  const char *tail;

  if (!g_file_get_contents (path, &text, &size, NULL) || size == 0)
    return NULL;
  g_strchomp (text);
  size = strlen (text);
  tail = size > LSPA_TAIL_MAX ? text + size - LSPA_TAIL_MAX : text;
  return g_utf8_make_valid (tail, -1);
}

static void
lspa_finish (GTask *task)
{
  LspaStart *start = g_task_get_task_data (task);
  g_autofree char *tail = NULL;
  char *rest = NULL;
  guint64 code;

  g_cancellable_disconnect (g_task_get_cancellable (task), start->cancelled_id);
  if (g_task_return_error_if_cancelled (task))
    return;
  if (g_str_equal (start->answer->str, "ok\n"))
    {
      g_task_return_boolean (task, TRUE);
      return;
    }
  code = g_ascii_strtoull (start->answer->str, &rest, 10);
  if (rest != start->answer->str && *rest == '\n' && code <= LODGE_ERROR_CONFIG)
    {
      g_task_return_new_error (task, LODGE_ERROR, (int) code, "%s", rest + 1);
      return;
    }
  tail = lspa_dup_tail (start->log_path);
  g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_FAILED, "%s%s%s",
                           _ ("The machine's process ended while it was starting."), tail != NULL ? "\n" : "",
                           tail != NULL ? tail : "");
}

static void
lspa_on_answer_read_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  LspaStart *start = g_task_get_task_data (task);
  g_autoptr (GBytes) bytes = g_input_stream_read_bytes_finish (G_INPUT_STREAM (object), result, NULL);

  if (bytes == NULL || g_bytes_get_size (bytes) == 0 || start->answer->len > LSPA_ANSWER_MAX)
    {
      lspa_finish (task);
      return;
    }
  g_string_append_len (start->answer, g_bytes_get_data (bytes, NULL), (gssize) g_bytes_get_size (bytes));
  g_input_stream_read_bytes_async (start->answer_stream, 4096, G_PRIORITY_DEFAULT, NULL, lspa_on_answer_read_cb,
                                   g_steal_pointer (&task));
}

static void
lspa_on_cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  g_subprocess_send_signal (user_data, SIGTERM);
}

void
lodge_spawner_start_async (const char *executable, const char *bundle_path, const char *uuid, gboolean headless,
                           GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, user_data);
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDOUT_SILENCE);
  g_autofree char *program = lspa_dup_executable (executable);
  g_autofree char *dir = lodge_bundle_dup_socket_directory ();
  g_autofree char *log_name = g_strconcat (uuid, ".log", NULL);
  g_autoptr (GError) error = NULL;
  LspaStart *start = g_new0 (LspaStart, 1);
  int fds[2], log_fd;

  g_task_set_source_tag (task, lodge_spawner_start_async);
  g_task_set_task_data (task, start, lspa_start_free);
  start->answer = g_string_new (NULL);
  start->log_path = g_build_filename (dir, log_name, NULL);
  if (g_mkdir_with_parents (dir, 0700) < 0)
    {
      g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_FAILED, _ ("“%s” cannot be made: %s"), dir, g_strerror (errno));
      return;
    }
  log_fd = open (start->log_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_APPEND, 0600);
  if (log_fd >= 0)
    g_subprocess_launcher_take_stderr_fd (launcher, log_fd);
  if (!g_unix_open_pipe (fds, O_CLOEXEC, &error))
    {
      g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_FAILED, "%s", error->message);
      return;
    }
  start->answer_stream = g_unix_input_stream_new (fds[0], TRUE);
  g_subprocess_launcher_take_fd (launcher, fds[1], 3);
  g_subprocess_launcher_setenv (launcher, "LODGE_STATUS_FD", "3", TRUE);
  g_subprocess_launcher_set_cwd (launcher, "/");
  g_subprocess_launcher_set_child_setup (launcher, lspa_child_setup, NULL, NULL);
  start->process = g_subprocess_launcher_spawn (launcher, &error, program, "machine", bundle_path, headless ? "--headless" : NULL,
                                                NULL);
  g_subprocess_launcher_close (launcher);
  if (start->process == NULL)
    {
      g_task_return_new_error (task, LODGE_ERROR, LODGE_ERROR_FAILED, "%s\n%s", _ ("The machine's process could not be started."),
                               error->message);
      return;
    }
  if (cancellable != NULL)
    start->cancelled_id = g_cancellable_connect (cancellable, G_CALLBACK (lspa_on_cancelled_cb), g_object_ref (start->process),
                                                 g_object_unref);
  g_input_stream_read_bytes_async (start->answer_stream, 4096, G_PRIORITY_DEFAULT, NULL, lspa_on_answer_read_cb,
                                   g_object_ref (task));
}

gboolean
lodge_spawner_start_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}
