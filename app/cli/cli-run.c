/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The commands that act on one machine. */
#include "cli/cli-private.h"

#include "model/keys.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib/gi18n.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define LCRU_ESCAPE 0x1d /* Ctrl+] */

static int
lcru_act (LodgeMachine *machine, LodgeVerb verb)
{
  g_auto (LodgeCliWait) wait = { 0 };
  GError *error = NULL;

  lodge_machine_act_async (machine, verb, NULL, lodge_cli_wait_cb, &wait);
  if (!lodge_machine_act_finish (machine, lodge_cli_wait (&wait), &error))
    return lodge_cli_fail (error);
  return EXIT_SUCCESS;
}

static int
lcru_find_and_act (LodgeCliCall *call, LodgeVerb verb)
{
  LodgeMachine *machine = lodge_cli_find (call);

  return machine != NULL ? lcru_act (machine, verb) : EXIT_FAILURE;
}

int
lodge_cli_start (LodgeCliCall *call)
{
  gboolean headless = lodge_cli_option (call, "headless") != NULL;

  if (!headless && g_getenv ("DISPLAY") == NULL && g_getenv ("WAYLAND_DISPLAY") == NULL)
    return lodge_cli_fail (g_error_new_literal (LODGE_ERROR, LODGE_ERROR_FAILED,
                                                _ ("There is no display for a window. Use --headless.")));
  return lcru_find_and_act (call, headless ? LODGE_VERB_START_HEADLESS : LODGE_VERB_START);
}

static gboolean
lcru_on_timeout_cb (gpointer data)
{
  *(gboolean *) data = TRUE;
  return G_SOURCE_REMOVE;
}

int
lodge_cli_stop (LodgeCliCall *call)
{
  gboolean force = lodge_cli_option (call, "force") != NULL, timed_out = FALSE;
  const char *timeout = lodge_cli_option (call, "timeout");
  guint64 seconds = 0;
  LodgeMachine *machine;
  guint timeout_id = 0;
  int status;

  if (timeout != NULL
      && (!g_ascii_string_to_unsigned (timeout, 10, 1, G_MAXINT, &seconds, NULL) || lodge_cli_option (call, "wait") == NULL))
    return lodge_cli_usage (call, "%s", _ ("--timeout takes a number of seconds and goes with --wait."));
  machine = lodge_cli_find (call);
  if (machine == NULL)
    return EXIT_FAILURE;
  status = lcru_act (machine, force ? LODGE_VERB_FORCE_OFF : LODGE_VERB_SHUT_DOWN);
  if (status != EXIT_SUCCESS || lodge_cli_option (call, "wait") == NULL)
    return status;

  if (seconds > 0)
    timeout_id = g_timeout_add_seconds ((guint) seconds, lcru_on_timeout_cb, &timed_out);
  while (lodge_machine_is_on (machine) && lodge_machine_get_state (machine) != LODGE_MACHINE_STATE_FAILED && !timed_out)
    g_main_context_iteration (NULL, TRUE);
  if (!timed_out && timeout_id != 0)
    g_source_remove (timeout_id);
  if (!lodge_machine_is_on (machine))
    return EXIT_SUCCESS;
  return lodge_cli_fail (
      g_error_new (LODGE_ERROR, LODGE_ERROR_FAILED,
                   timed_out ? _ ("“%s” is still on. The guest may not heed its power button; --force pulls the power.")
                             : _ ("“%s” has failed."),
                   lodge_machine_get_name (machine)));
}

int
lodge_cli_pause (LodgeCliCall *call)
{
  return lcru_find_and_act (call, LODGE_VERB_PAUSE);
}

int
lodge_cli_resume (LodgeCliCall *call)
{
  return lcru_find_and_act (call, LODGE_VERB_RESUME);
}

int
lodge_cli_reset (LodgeCliCall *call)
{
  return lcru_find_and_act (call, LODGE_VERB_RESET);
}

int
lodge_cli_delete (LodgeCliCall *call)
{
  LodgeMachine *machine = lodge_cli_find (call);
  g_auto (LodgeCliWait) wait = { 0 };
  g_autofree char *token = NULL;
  GError *error = NULL;

  if (machine == NULL)
    return EXIT_FAILURE;
  lodge_library_delete_async (call->library, machine, NULL, lodge_cli_wait_cb, &wait);
  token = lodge_library_delete_finish (call->library, lodge_cli_wait (&wait), &error);
  return token != NULL ? EXIT_SUCCESS : lodge_cli_fail (error);
}

static int
lcru_change_medium (LodgeCliCall *call, const char *path)
{
  LodgeMachine *machine = lodge_cli_find (call);
  g_auto (LodgeCliWait) wait = { 0 };
  GError *error = NULL;

  if (machine == NULL)
    return EXIT_FAILURE;
  lodge_machine_change_medium_async (machine, lodge_cli_option (call, "device"), path, lodge_cli_option (call, "force") != NULL,
                                     NULL, lodge_cli_wait_cb, &wait);
  if (!lodge_machine_change_medium_finish (machine, lodge_cli_wait (&wait), &error))
    return lodge_cli_fail (error);
  return EXIT_SUCCESS;
}

int
lodge_cli_insert (LodgeCliCall *call)
{
  return lcru_change_medium (call, lodge_cli_argument (call, 1));
}

int
lodge_cli_eject (LodgeCliCall *call)
{
  return lcru_change_medium (call, NULL);
}

/* --screen, counted from 1. Returns: 0, or the exit status of what was told. */
static int
lcru_get_head (LodgeCliCall *call, guint *ret_head)
{
  const char *value = lodge_cli_option (call, "screen");
  guint64 number = 1;

  if (value != NULL && !g_ascii_string_to_unsigned (value, 10, 1, 16, &number, NULL))
    return lodge_cli_usage (call, _ ("“%s” is no screen."), value);
  *ret_head = (guint) number - 1;
  return EXIT_SUCCESS;
}

int
lodge_cli_resize_screen (LodgeCliCall *call)
{
  const char *size = lodge_cli_argument (call, 1);
  g_auto (GStrv) parts = g_strsplit (size, "x", 3);
  guint64 width, height;
  LodgeMachine *machine;
  g_auto (LodgeCliWait) wait = { 0 };
  GError *error = NULL;
  guint head = 0;
  int status;

  if (g_strv_length (parts) != 2 || !g_ascii_string_to_unsigned (parts[0], 10, 1, G_MAXINT16, &width, NULL)
      || !g_ascii_string_to_unsigned (parts[1], 10, 1, G_MAXINT16, &height, NULL))
    return lodge_cli_usage (call, _ ("“%s” is no size; one is 1280x800."), size);
  status = lcru_get_head (call, &head);
  if (status != EXIT_SUCCESS)
    return status;
  machine = lodge_cli_find (call);
  if (machine == NULL)
    return EXIT_FAILURE;
  lodge_machine_resize_screen_async (machine, head, (int) width, (int) height, NULL, lodge_cli_wait_cb, &wait);
  if (!lodge_machine_resize_screen_finish (machine, lodge_cli_wait (&wait), &error))
    return lodge_cli_fail (error);
  return EXIT_SUCCESS;
}

int
lodge_cli_screenshot (LodgeCliCall *call)
{
  LodgeMachine *machine;
  g_autofree char *path = g_canonicalize_filename (lodge_cli_argument (call, 1), NULL);
  g_auto (LodgeCliWait) wait = { 0 };
  g_auto (LodgeCliWait) save_wait = { 0 };
  g_autoptr (LodgePicture) picture = NULL;
  GError *error = NULL;
  guint head = 0;
  int status;

  status = lcru_get_head (call, &head);
  if (status != EXIT_SUCCESS)
    return status;
  machine = lodge_cli_find (call);
  if (machine == NULL)
    return EXIT_FAILURE;
  lodge_machine_screenshot_async (machine, head, NULL, lodge_cli_wait_cb, &wait);
  picture = lodge_machine_screenshot_finish (machine, lodge_cli_wait (&wait), &error);
  if (picture == NULL)
    return lodge_cli_fail (error);
  lodge_picture_save_png_async (picture, path, NULL, lodge_cli_wait_cb, &save_wait);
  if (!lodge_picture_save_png_finish (picture, lodge_cli_wait (&save_wait), &error))
    return lodge_cli_fail (error);
  return EXIT_SUCCESS;
}

int
lodge_cli_type (LodgeCliCall *call)
{
  LodgeMachine *machine = lodge_cli_find (call);
  g_autofree char *text = g_strconcat (lodge_cli_argument (call, 1), lodge_cli_option (call, "enter") != NULL ? "\n" : NULL, NULL);
  g_auto (LodgeCliWait) wait = { 0 };
  GError *error = NULL;

  if (machine == NULL)
    return EXIT_FAILURE;
  lodge_machine_type_async (machine, text, NULL, lodge_cli_wait_cb, &wait);
  if (!lodge_machine_type_finish (machine, lodge_cli_wait (&wait), &error))
    return lodge_cli_fail (error);
  return EXIT_SUCCESS;
}

void
lodge_cli_key_more_help (void)
{
  g_auto (GStrv) names = lodge_keys_dup_names ();
  g_autofree char *joined = g_strjoinv (" ", names);

  g_print ("\n%s\n  %s\n", _ ("Keys are letters, digits, signs without Shift, and these:"), joined);
}

int
lodge_cli_key (LodgeCliCall *call)
{
  guint codes[LODGE_KEYS_MAX];
  GError *error = NULL;
  gsize n_codes = lodge_keys_parse (lodge_cli_argument (call, 1), codes, &error);
  g_auto (LodgeCliWait) wait = { 0 };
  LodgeMachine *machine;

  if (n_codes == 0)
    return lodge_cli_fail (error);
  machine = lodge_cli_find (call);
  if (machine == NULL)
    return EXIT_FAILURE;
  lodge_machine_send_keys_async (machine, codes, n_codes, NULL, lodge_cli_wait_cb, &wait);
  if (!lodge_machine_send_keys_finish (machine, lodge_cli_wait (&wait), &error))
    return lodge_cli_fail (error);
  return EXIT_SUCCESS;
}

int
lodge_cli_text (LodgeCliCall *call)
{
  LodgeMachine *machine = lodge_cli_find (call);
  g_auto (LodgeCliWait) wait = { 0 };
  g_autofree char *text = NULL;
  GError *error = NULL;

  if (machine == NULL)
    return EXIT_FAILURE;
  lodge_machine_read_text_async (machine, NULL, lodge_cli_wait_cb, &wait);
  text = lodge_machine_read_text_finish (machine, lodge_cli_wait (&wait), &error);
  if (text == NULL)
    return lodge_cli_fail (error);
  g_print ("%s\n", g_strchomp (text)); /* the rows below the last one written are of no use */
  return EXIT_SUCCESS;
}

/* --- console ------------------------------------------------------------------------------------------------------------------- */

static gboolean
lcru_write_all (int fd, const char *data, ssize_t size)
{
  while (size > 0)
    {
      ssize_t n = write (fd, data, (size_t) size);

      if (n < 0 && (errno == EAGAIN || errno == EINTR))
        {
          struct pollfd ready = { .fd = fd, .events = POLLOUT };

          poll (&ready, 1, -1);
          continue;
        }
      if (n <= 0)
        return FALSE;
      data += n;
      size -= n;
    }
  return TRUE;
}

/* Carries bytes both ways until the machine closes the port or the user presses the escape. */
static void
lcru_carry (int port, gboolean is_terminal)
{
  struct pollfd fds[2] = { { .fd = port, .events = POLLIN }, { .fd = STDIN_FILENO, .events = POLLIN } };
  char buffer[4096];

  while (poll (fds, 2, -1) >= 0 || errno == EINTR)
    {
      ssize_t n;

      if (fds[0].revents != 0)
        {
          n = TEMP_FAILURE_RETRY (read (port, buffer, sizeof buffer));
          if (n == 0 || (n < 0 && errno != EAGAIN) || (n > 0 && !lcru_write_all (STDOUT_FILENO, buffer, n)))
            return;
        }
      if (fds[1].revents != 0)
        {
          char *escape;

          n = TEMP_FAILURE_RETRY (read (STDIN_FILENO, buffer, sizeof buffer));
          if (n <= 0)
            {
              fds[1].fd = -1; /* a file that ended: go on showing what comes */
              continue;
            }
          escape = is_terminal ? memchr (buffer, LCRU_ESCAPE, (size_t) n) : NULL;
          if (!lcru_write_all (port, buffer, escape != NULL ? escape - buffer : n) || escape != NULL)
            return;
        }
    }
}

int
lodge_cli_console (LodgeCliCall *call)
{
  LodgeMachine *machine = lodge_cli_find (call);
  gboolean is_terminal = isatty (STDIN_FILENO);
  g_auto (LodgeCliWait) wait = { 0 };
  g_autoptr (GSocketConnection) stream = NULL;
  GError *error = NULL;
  struct termios before, raw;

  if (machine == NULL)
    return EXIT_FAILURE;
  lodge_machine_attach_serial_async (machine, lodge_cli_argument (call, 1), lodge_cli_option (call, "no-replay") == NULL, NULL,
                                     lodge_cli_wait_cb, &wait);
  stream = lodge_machine_attach_serial_finish (machine, lodge_cli_wait (&wait), &error);
  if (stream == NULL)
    return lodge_cli_fail (error);

  signal (SIGPIPE, SIG_IGN);
  if (is_terminal && tcgetattr (STDIN_FILENO, &before) == 0)
    {
      g_printerr (_ ("Ctrl+] ends the connection."));
      g_printerr ("\n");
      raw = before;
      cfmakeraw (&raw);
      tcsetattr (STDIN_FILENO, TCSANOW, &raw);
    }
  lcru_carry (g_socket_get_fd (g_socket_connection_get_socket (stream)), is_terminal);
  if (is_terminal)
    {
      tcsetattr (STDIN_FILENO, TCSANOW, &before);
      g_printerr ("\n");
    }
  return EXIT_SUCCESS;
}
