/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A machine's own process: the engine's machine in this process, reached by others through a socket.
 *
 * Whoever may connect may do all that the machine can, so only the same user may: the socket is in a directory of mode 0700, has
 * mode 0600, and the peer's credentials are compared. Whoever started this process waits on the descriptor in $LODGE_STATUS_FD for one
 * answer: "ok", or the error's code, a line break, and its text.
 */
#include "engine/machine-service.h"

#include "engine/bundle.h"
#include "engine/engine-machine.h"
#include "engine/lodge-machine1.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <glib-unix.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <vmm.h>

#define LSRV_OBJECT_PATH "/io/github/lodge_vm/Machine"

struct _LodgeMachineService {
  GObject parent_instance;
  LodgeEngineMachine *machine;
  LodgeMachine1 *skeleton;
  GDBusServer *server;
  GPtrArray *connections;
  char *socket_path;
  int lock_fd;
  guint term_id, int_id;
  gboolean started, quitting, has_starter, failed;
};

enum { PROP_0, PROP_HAS_WINDOW, N_PROPS };
static GParamSpec *lsrv_props[N_PROPS];

enum { SIGNAL_SHOW_WINDOW, SIGNAL_QUIT, N_SIGNALS };
static guint lsrv_signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (LodgeMachineService, lodge_machine_service, G_TYPE_OBJECT)

/* --- Answering the starter ----------------------------------------------------------------------------------------------------- */

void
lodge_machine_service_tell_starter (const GError *error)
{
  const char *number = g_getenv ("LODGE_STATUS_FD");
  g_autofree char *answer = NULL;
  gint64 fd;
  gsize size, done = 0;

  if (number == NULL || !g_ascii_string_to_signed (number, 10, 3, 1023, &fd, NULL))
    return;
  g_unsetenv ("LODGE_STATUS_FD");
  answer = error == NULL                  ? g_strdup ("ok\n")
           : error->domain == LODGE_ERROR ? g_strdup_printf ("%d\n%s", error->code, error->message)
                                          : g_strdup_printf ("%d\n%s", LODGE_ERROR_FAILED, error->message);
  size = strlen (answer);
  while (done < size)
    {
      ssize_t n = TEMP_FAILURE_RETRY (write ((int) fd, answer + done, size - done));

      if (n <= 0)
        break; /* nobody waits any more */
      done += (gsize) n;
    }
  close ((int) fd);
}

/* --- Methods ------------------------------------------------------------------------------------------------------------------- */

static LodgeMachine *
lsrv_machine (LodgeMachineService *self)
{
  return LODGE_MACHINE (self->machine);
}

static void
lsrv_on_acted_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  GDBusMethodInvocation *invocation = user_data;
  g_autoptr (GError) error = NULL;

  if (lodge_machine_act_finish (LODGE_MACHINE (object), result, &error))
    g_dbus_method_invocation_return_value (invocation, NULL);
  else
    g_dbus_method_invocation_return_gerror (invocation, error);
}

static gboolean
lsrv_act (LodgeMachineService *self, GDBusMethodInvocation *invocation, LodgeVerb verb)
{
  lodge_machine_act_async (lsrv_machine (self), verb, NULL, lsrv_on_acted_cb, invocation);
  return G_DBUS_METHOD_INVOCATION_HANDLED;
}

static gboolean
lsrv_on_start_cb (LodgeMachine1 *skeleton, GDBusMethodInvocation *invocation, LodgeMachineService *self)
{
  return lsrv_act (self, invocation, LODGE_VERB_START);
}

static gboolean
lsrv_on_pause_cb (LodgeMachine1 *skeleton, GDBusMethodInvocation *invocation, LodgeMachineService *self)
{
  return lsrv_act (self, invocation, LODGE_VERB_PAUSE);
}

static gboolean
lsrv_on_resume_cb (LodgeMachine1 *skeleton, GDBusMethodInvocation *invocation, LodgeMachineService *self)
{
  return lsrv_act (self, invocation, LODGE_VERB_RESUME);
}

static gboolean
lsrv_on_power_button_cb (LodgeMachine1 *skeleton, GDBusMethodInvocation *invocation, LodgeMachineService *self)
{
  return lsrv_act (self, invocation, LODGE_VERB_SHUT_DOWN);
}

static gboolean
lsrv_on_reset_cb (LodgeMachine1 *skeleton, GDBusMethodInvocation *invocation, LodgeMachineService *self)
{
  return lsrv_act (self, invocation, LODGE_VERB_RESET);
}

static gboolean
lsrv_on_stop_cb (LodgeMachine1 *skeleton, GDBusMethodInvocation *invocation, LodgeMachineService *self)
{
  return lsrv_act (self, invocation, LODGE_VERB_FORCE_OFF);
}

static void
lsrv_quit (LodgeMachineService *self)
{
  if (self->quitting)
    return;
  self->quitting = TRUE;
  g_signal_emit (self, lsrv_signals[SIGNAL_QUIT], 0);
}

static void
lsrv_on_last_stop_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (LodgeMachineService) self = user_data;

  lodge_machine_act_finish (LODGE_MACHINE (object), result, NULL);
  lsrv_quit (self);
}

/* Pulls the power if it is on, then ends the process. */
static void
lsrv_stop_and_quit (LodgeMachineService *self)
{
  if (lodge_machine_is_on (lsrv_machine (self)))
    lodge_machine_act_async (lsrv_machine (self), LODGE_VERB_FORCE_OFF, NULL, lsrv_on_last_stop_cb, g_object_ref (self));
  else
    lsrv_quit (self);
}

static gboolean
lsrv_on_quit_cb (LodgeMachine1 *skeleton, GDBusMethodInvocation *invocation, LodgeMachineService *self)
{
  lodge_machine1_complete_quit (skeleton, invocation);
  lsrv_stop_and_quit (self);
  return G_DBUS_METHOD_INVOCATION_HANDLED;
}

static gboolean
lsrv_on_show_window_cb (LodgeMachine1 *skeleton, GDBusMethodInvocation *invocation, GVariant *environment,
                        LodgeMachineService *self)
{
  static const char *const names[] = { "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY" };

  /* A process that was started without a display takes that of whoever asks. */
  if (g_getenv ("DISPLAY") == NULL && g_getenv ("WAYLAND_DISPLAY") == NULL)
    for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
      {
        const char *value;

        if (g_variant_lookup (environment, names[i], "&s", &value))
          g_setenv (names[i], value, TRUE);
      }
  g_signal_emit (self, lsrv_signals[SIGNAL_SHOW_WINDOW], 0);
  lodge_machine1_complete_show_window (skeleton, invocation);
  return G_DBUS_METHOD_INVOCATION_HANDLED;
}

static void
lsrv_on_medium_changed_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  GDBusMethodInvocation *invocation = user_data;
  g_autoptr (GError) error = NULL;

  if (lodge_machine_change_medium_finish (LODGE_MACHINE (object), result, &error))
    g_dbus_method_invocation_return_value (invocation, NULL);
  else
    g_dbus_method_invocation_return_gerror (invocation, error);
}

static gboolean
lsrv_on_insert_cb (LodgeMachine1 *skeleton, GDBusMethodInvocation *invocation, const char *device, const char *path, gboolean force,
                   LodgeMachineService *self)
{
  if (!g_path_is_absolute (path))
    g_dbus_method_invocation_return_error (invocation, LODGE_ERROR, LODGE_ERROR_INVALID, "%s", path);
  else
    lodge_machine_change_medium_async (lsrv_machine (self), *device != '\0' ? device : NULL, path, force, NULL,
                                       lsrv_on_medium_changed_cb, invocation);
  return G_DBUS_METHOD_INVOCATION_HANDLED;
}

static gboolean
lsrv_on_eject_cb (LodgeMachine1 *skeleton, GDBusMethodInvocation *invocation, const char *device, gboolean force,
                  LodgeMachineService *self)
{
  lodge_machine_change_medium_async (lsrv_machine (self), *device != '\0' ? device : NULL, NULL, force, NULL,
                                     lsrv_on_medium_changed_cb, invocation);
  return G_DBUS_METHOD_INVOCATION_HANDLED;
}

static void
lsrv_on_configured_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  GDBusMethodInvocation *invocation = user_data;
  g_autoptr (GError) error = NULL;

  if (lodge_machine_configure_finish (LODGE_MACHINE (object), result, &error))
    g_dbus_method_invocation_return_value (invocation, NULL);
  else
    g_dbus_method_invocation_return_gerror (invocation, error);
}

static gboolean
lsrv_on_configure_cb (LodgeMachine1 *skeleton, GDBusMethodInvocation *invocation, GVariant *changes, LodgeMachineService *self)
{
  lodge_machine_configure_async (lsrv_machine (self), changes, NULL, lsrv_on_configured_cb, invocation);
  return G_DBUS_METHOD_INVOCATION_HANDLED;
}

/* A memory file with @bytes in it; -1 on error. */
static int
lsrv_memfd_from_bytes (GBytes *bytes)
{
  g_autofd int fd = memfd_create ("lodge-screenshot", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  gsize size, done = 0;
  const guint8 *data = g_bytes_get_data (bytes, &size);

  while (fd >= 0 && done < size)
    {
      ssize_t n = TEMP_FAILURE_RETRY (write (fd, data + done, size - done));

      if (n <= 0)
        return -1;
      done += (gsize) n;
    }
  if (fd >= 0 && fcntl (fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
    return -1;
  return g_steal_fd (&fd);
}

static void
lsrv_on_screenshot_taken_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  GDBusMethodInvocation *invocation = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (LodgePicture) picture = lodge_machine_screenshot_finish (LODGE_MACHINE (object), result, &error);
  g_autoptr (GUnixFDList) fds = NULL;
  int fd;

  if (picture == NULL)
    {
      g_dbus_method_invocation_return_gerror (invocation, error);
      return;
    }
  fd = lsrv_memfd_from_bytes (lodge_picture_get_bytes (picture));
  if (fd < 0)
    {
      g_dbus_method_invocation_return_error (invocation, LODGE_ERROR, LODGE_ERROR_FAILED, "%s", g_strerror (errno));
      return;
    }
  fds = g_unix_fd_list_new_from_array (&fd, 1);
  g_dbus_method_invocation_return_value_with_unix_fd_list (invocation,
                                                           g_variant_new ("(hii)", 0, lodge_picture_get_width (picture),
                                                                          lodge_picture_get_height (picture)),
                                                           fds);
}

static gboolean
lsrv_on_screenshot_cb (LodgeMachine1 *skeleton, GDBusMethodInvocation *invocation, GUnixFDList *fds, guint head,
                       LodgeMachineService *self)
{
  lodge_machine_screenshot_async (lsrv_machine (self), head, NULL, lsrv_on_screenshot_taken_cb, invocation);
  return G_DBUS_METHOD_INVOCATION_HANDLED;
}

static void
lsrv_on_screen_resized_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  GDBusMethodInvocation *invocation = user_data;
  g_autoptr (GError) error = NULL;

  if (lodge_machine_resize_screen_finish (LODGE_MACHINE (object), result, &error))
    g_dbus_method_invocation_return_value (invocation, NULL);
  else
    g_dbus_method_invocation_return_gerror (invocation, error);
}

static gboolean
lsrv_on_resize_screen_cb (LodgeMachine1 *skeleton, GDBusMethodInvocation *invocation, guint head, int width, int height,
                          LodgeMachineService *self)
{
  lodge_machine_resize_screen_async (lsrv_machine (self), head, width, height, NULL, lsrv_on_screen_resized_cb, invocation);
  return G_DBUS_METHOD_INVOCATION_HANDLED;
}

static void
lsrv_on_thumbnail_updated_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  GDBusMethodInvocation *invocation = user_data;
  guint64 serial = lodge_engine_machine_update_thumbnail_finish (LODGE_ENGINE_MACHINE (object), result, NULL);
  LodgePicture *picture = lodge_machine_get_thumbnail (LODGE_MACHINE (object));
  GVariant *parameters = g_dbus_method_invocation_get_parameters (invocation);
  g_autoptr (GBytes) none = g_bytes_new_static ("", 0);
  GBytes *bytes = none;
  guint64 known;

  g_variant_get (parameters, "(t)", &known);
  if (picture != NULL && serial != known)
    bytes = lodge_picture_get_bytes (picture);
  g_dbus_method_invocation_return_value (invocation,
                                         g_variant_new ("(t@ayii)", serial,
                                                        g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE),
                                                        picture != NULL ? lodge_picture_get_width (picture) : 0,
                                                        picture != NULL ? lodge_picture_get_height (picture) : 0));
}

static gboolean
lsrv_on_thumbnail_cb (LodgeMachine1 *skeleton, GDBusMethodInvocation *invocation, guint64 known, LodgeMachineService *self)
{
  lodge_engine_machine_update_thumbnail_async (self->machine, NULL, lsrv_on_thumbnail_updated_cb, invocation);
  return G_DBUS_METHOD_INVOCATION_HANDLED;
}

static void
lsrv_on_text_read_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  GDBusMethodInvocation *invocation = user_data;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = lodge_machine_read_text_finish (LODGE_MACHINE (object), result, &error);

  if (text != NULL)
    g_dbus_method_invocation_return_value (invocation, g_variant_new ("(s)", text));
  else
    g_dbus_method_invocation_return_gerror (invocation, error);
}

static gboolean
lsrv_on_text_cb (LodgeMachine1 *skeleton, GDBusMethodInvocation *invocation, LodgeMachineService *self)
{
  lodge_machine_read_text_async (lsrv_machine (self), NULL, lsrv_on_text_read_cb, invocation);
  return G_DBUS_METHOD_INVOCATION_HANDLED;
}

static void
lsrv_on_keys_sent_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  GDBusMethodInvocation *invocation = user_data;
  g_autoptr (GError) error = NULL;

  if (lodge_machine_send_keys_finish (LODGE_MACHINE (object), result, &error))
    g_dbus_method_invocation_return_value (invocation, NULL);
  else
    g_dbus_method_invocation_return_gerror (invocation, error);
}

static gboolean
lsrv_on_key_cb (LodgeMachine1 *skeleton, GDBusMethodInvocation *invocation, GVariant *codes, LodgeMachineService *self)
{
  gsize n;
  const guint32 *numbers = g_variant_get_fixed_array (codes, &n, sizeof *numbers);

  lodge_machine_send_keys_async (lsrv_machine (self), numbers, MIN (n, 64), NULL, lsrv_on_keys_sent_cb, invocation);
  return G_DBUS_METHOD_INVOCATION_HANDLED;
}

static void
lsrv_on_typed_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  GDBusMethodInvocation *invocation = user_data;
  g_autoptr (GError) error = NULL;

  if (lodge_machine_type_finish (LODGE_MACHINE (object), result, &error))
    g_dbus_method_invocation_return_value (invocation, NULL);
  else
    g_dbus_method_invocation_return_gerror (invocation, error);
}

static gboolean
lsrv_on_type_cb (LodgeMachine1 *skeleton, GDBusMethodInvocation *invocation, const char *text, LodgeMachineService *self)
{
  lodge_machine_type_async (lsrv_machine (self), text, NULL, lsrv_on_typed_cb, invocation);
  return G_DBUS_METHOD_INVOCATION_HANDLED;
}

static void
lsrv_on_serial_attached_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  GDBusMethodInvocation *invocation = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocketConnection) stream = lodge_machine_attach_serial_finish (LODGE_MACHINE (object), result, &error);
  g_autoptr (GUnixFDList) fds = g_unix_fd_list_new ();

  /* The list keeps a duplicate, so the stream may go. */
  if (stream != NULL && g_unix_fd_list_append (fds, g_socket_get_fd (g_socket_connection_get_socket (stream)), &error) >= 0)
    g_dbus_method_invocation_return_value_with_unix_fd_list (invocation, g_variant_new ("(h)", 0), fds);
  else
    g_dbus_method_invocation_return_gerror (invocation, error);
}

static gboolean
lsrv_on_attach_serial_cb (LodgeMachine1 *skeleton, GDBusMethodInvocation *invocation, GUnixFDList *fds, const char *device,
                          gboolean replay, LodgeMachineService *self)
{
  lodge_machine_attach_serial_async (lsrv_machine (self), *device != '\0' ? device : NULL, replay, NULL, lsrv_on_serial_attached_cb,
                                     invocation);
  return G_DBUS_METHOD_INVOCATION_HANDLED;
}

/* --- Properties ---------------------------------------------------------------------------------------------------------------- */

static void
lsrv_update_skeleton (LodgeMachineService *self)
{
  LodgeMachine *machine = lsrv_machine (self);
  g_autoptr (GEnumClass) reasons = g_type_class_ref (LODGE_TYPE_REASON);
  const char *message = lodge_machine_get_message (machine);
  const char *medium = lodge_machine_get_medium (machine);
  const char *running = lodge_machine_get_running_settings (machine);

  g_object_freeze_notify (G_OBJECT (self->skeleton));
  lodge_machine1_set_name (self->skeleton, lodge_machine_get_name (machine));
  lodge_machine1_set_state (self->skeleton, lodge_machine_state_to_nick (lodge_machine_get_state (machine)));
  lodge_machine1_set_reason (self->skeleton, g_enum_get_value (reasons, (int) lodge_machine_get_reason (machine))->value_nick);
  lodge_machine1_set_message (self->skeleton, message != NULL ? message : "");
  lodge_machine1_set_medium (self->skeleton, medium != NULL ? medium : "");
  lodge_machine1_set_running_settings (self->skeleton, running != NULL ? running : "");
  lodge_machine1_set_started_at (self->skeleton, lodge_machine_get_started_at (machine));
  lodge_machine1_set_has_window (self->skeleton, lodge_machine_get_has_window (machine));
  g_object_thaw_notify (G_OBJECT (self->skeleton));
}

static void
lsrv_on_machine_notify_cb (LodgeMachine *machine, GParamSpec *pspec, LodgeMachineService *self)
{
  lsrv_update_skeleton (self);
  if (g_str_equal (pspec->name, "state") && self->started && lodge_machine_get_state (machine) == LODGE_MACHINE_STATE_OFF
      && !lodge_machine_get_has_window (machine))
    lsrv_quit (self);
}

static void
lsrv_on_machine_reset_cb (LodgeMachine *machine, LodgeMachineService *self)
{
  lodge_machine1_emit_was_reset (self->skeleton);
}

static void
lsrv_on_window_requested_cb (LodgeEngineMachine *machine, LodgeMachineService *self)
{
  g_signal_emit (self, lsrv_signals[SIGNAL_SHOW_WINDOW], 0);
}

/* --- The socket ---------------------------------------------------------------------------------------------------------------- */

static gboolean
lsrv_on_authorize_cb (GDBusAuthObserver *observer, GIOStream *stream, GCredentials *credentials, gpointer user_data)
{
  g_autoptr (GCredentials) own = g_credentials_new ();

  return credentials != NULL && g_credentials_is_same_user (credentials, own, NULL);
}

static gboolean
lsrv_on_allow_mechanism_cb (GDBusAuthObserver *observer, const char *mechanism, gpointer user_data)
{
  return g_str_equal (mechanism, "EXTERNAL"); /* the kernel's word on who the peer is */
}

static void
lsrv_on_connection_closed_cb (GDBusConnection *connection, gboolean vanished, GError *error, LodgeMachineService *self)
{
  g_dbus_interface_skeleton_unexport_from_connection (G_DBUS_INTERFACE_SKELETON (self->skeleton), connection);
  g_ptr_array_remove (self->connections, connection);
}

static gboolean
lsrv_on_new_connection_cb (GDBusServer *server, GDBusConnection *connection, LodgeMachineService *self)
{
  g_autoptr (GError) error = NULL;

  if (!g_dbus_interface_skeleton_export (G_DBUS_INTERFACE_SKELETON (self->skeleton), connection, LSRV_OBJECT_PATH, &error))
    {
      g_warning ("A connection is refused: %s", error->message);
      return FALSE;
    }
  g_ptr_array_add (self->connections, g_object_ref (connection));
  g_signal_connect_object (connection, "closed", G_CALLBACK (lsrv_on_connection_closed_cb), self, G_CONNECT_DEFAULT);
  return TRUE;
}

/* Whether somebody listens on the socket @path: a copy of this bundle has the same name for it. */
static gboolean
lsrv_is_answered (const char *path)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  g_autofd int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  g_strlcpy (address.sun_path, path, sizeof address.sun_path);
  return fd >= 0 && connect (fd, (struct sockaddr *) &address, sizeof address) == 0;
}

static gboolean
lsrv_listen (LodgeMachineService *self, GError **error)
{
  g_autofree char *dir = lodge_bundle_dup_socket_directory ();
  g_autofree char *path = lodge_bundle_dup_socket_path (lodge_machine_get_uuid (lsrv_machine (self)));
  g_autofree char *escaped = g_dbus_address_escape_value (path);
  g_autofree char *address = g_strconcat ("unix:path=", escaped, NULL);
  g_autofree char *guid = g_dbus_generate_guid ();
  g_autoptr (GDBusAuthObserver) observer = g_dbus_auth_observer_new ();
  g_autoptr (GError) local = NULL;
  struct stat st;
  mode_t mask;

  if (strlen (path) >= sizeof ((struct sockaddr_un *) NULL)->sun_path)
    {
      g_set_error (error, LODGE_ERROR, LODGE_ERROR_FAILED,
                   _ ("The path “%s” is too long for a socket. Set XDG_RUNTIME_DIR to a shorter one."), path);
      return FALSE;
    }
  if (g_mkdir_with_parents (dir, 0700) < 0 || lstat (dir, &st) < 0)
    {
      g_set_error (error, LODGE_ERROR, LODGE_ERROR_FAILED, _ ("“%s” cannot be made: %s"), dir, g_strerror (errno));
      return FALSE;
    }
  if (!S_ISDIR (st.st_mode) || st.st_uid != getuid () || (st.st_mode & 077) != 0)
    {
      g_set_error (error, LODGE_ERROR, LODGE_ERROR_FAILED, _ ("“%s” must be a folder that only you may use."), dir);
      return FALSE;
    }
  if (lsrv_is_answered (path))
    {
      g_set_error (error, LODGE_ERROR, LODGE_ERROR_BUSY, _ ("A copy of “%s” with the same identifier is running."),
                   lodge_machine_get_name (lsrv_machine (self)));
      return FALSE;
    }
  unlink (path); /* left by a process that was killed: we hold the bundle's lock */

  g_signal_connect (observer, "authorize-authenticated-peer", G_CALLBACK (lsrv_on_authorize_cb), NULL);
  g_signal_connect (observer, "allow-mechanism", G_CALLBACK (lsrv_on_allow_mechanism_cb), NULL);
  mask = umask (0177); /* before any other thread runs */
  self->server = g_dbus_server_new_sync (address, G_DBUS_SERVER_FLAGS_AUTHENTICATION_REQUIRE_SAME_USER, guid, observer, NULL,
                                         &local);
  umask (mask);
  if (self->server == NULL)
    {
      g_set_error (error, LODGE_ERROR, LODGE_ERROR_FAILED, _ ("“%s” cannot be made: %s"), path, local->message);
      return FALSE;
    }
  self->socket_path = g_steal_pointer (&path);
  g_signal_connect_object (self->server, "new-connection", G_CALLBACK (lsrv_on_new_connection_cb), self, G_CONNECT_DEFAULT);
  g_dbus_server_start (self->server);
  return TRUE;
}

/* --- Object -------------------------------------------------------------------------------------------------------------------- */

static gboolean
lsrv_on_signal_cb (gpointer data)
{
  lsrv_stop_and_quit (data);
  return G_SOURCE_CONTINUE;
}

/* What this process and its libraries say goes to a file of the bundle, if nobody has a terminal on it. */
static void
lsrv_redirect_output (const char *bundle_path)
{
  g_autofree char *dir = g_build_filename (bundle_path, "log", NULL);
  g_autofree char *log = g_build_filename (dir, "process.log", NULL);
  g_autofd int fd = -1;

  if (g_mkdir (dir, 0700) < 0 && errno != EEXIST)
    return;
  fd = open (log, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC | O_APPEND, 0600);
  if (fd < 0)
    return;
  dup2 (fd, STDOUT_FILENO);
  dup2 (fd, STDERR_FILENO);
}

LodgeMachineService *
lodge_machine_service_new (const char *bundle_path, GError **error)
{
  g_autoptr (LodgeMachineService) self = g_object_new (LODGE_TYPE_MACHINE_SERVICE, NULL);
  g_autofree char *path = g_canonicalize_filename (bundle_path, NULL);
  g_autoptr (LodgeBundle) bundle = lodge_bundle_load (path, error);
  const char *status_fd = g_getenv ("LODGE_STATUS_FD");
  LodgeMachine1 *skeleton;

  if (bundle == NULL)
    return NULL;
  self->lock_fd = lodge_bundle_lock (path, error);
  if (self->lock_fd < 0)
    return NULL;
  self->has_starter = status_fd != NULL;
  if (status_fd != NULL)
    {
      fcntl (atoi (status_fd), F_SETFD, FD_CLOEXEC);
      lsrv_redirect_output (path);
    }

  vmm_init ();
  self->machine = lodge_engine_machine_new (g_steal_pointer (&bundle));
  self->skeleton = skeleton = lodge_machine1_skeleton_new ();
  lodge_machine1_set_uuid (skeleton, lodge_machine_get_uuid (lsrv_machine (self)));
  lodge_machine1_set_bundle (skeleton, path);
  lodge_machine1_set_process_id (skeleton, (guint) getpid ());
  lsrv_update_skeleton (self);

  g_signal_connect_object (skeleton, "handle-start", G_CALLBACK (lsrv_on_start_cb), self, G_CONNECT_DEFAULT);
  g_signal_connect_object (skeleton, "handle-pause", G_CALLBACK (lsrv_on_pause_cb), self, G_CONNECT_DEFAULT);
  g_signal_connect_object (skeleton, "handle-resume", G_CALLBACK (lsrv_on_resume_cb), self, G_CONNECT_DEFAULT);
  g_signal_connect_object (skeleton, "handle-power-button", G_CALLBACK (lsrv_on_power_button_cb), self, G_CONNECT_DEFAULT);
  g_signal_connect_object (skeleton, "handle-reset", G_CALLBACK (lsrv_on_reset_cb), self, G_CONNECT_DEFAULT);
  g_signal_connect_object (skeleton, "handle-stop", G_CALLBACK (lsrv_on_stop_cb), self, G_CONNECT_DEFAULT);
  g_signal_connect_object (skeleton, "handle-quit", G_CALLBACK (lsrv_on_quit_cb), self, G_CONNECT_DEFAULT);
  g_signal_connect_object (skeleton, "handle-show-window", G_CALLBACK (lsrv_on_show_window_cb), self, G_CONNECT_DEFAULT);
  g_signal_connect_object (skeleton, "handle-insert", G_CALLBACK (lsrv_on_insert_cb), self, G_CONNECT_DEFAULT);
  g_signal_connect_object (skeleton, "handle-eject", G_CALLBACK (lsrv_on_eject_cb), self, G_CONNECT_DEFAULT);
  g_signal_connect_object (skeleton, "handle-configure", G_CALLBACK (lsrv_on_configure_cb), self, G_CONNECT_DEFAULT);
  g_signal_connect_object (skeleton, "handle-screenshot", G_CALLBACK (lsrv_on_screenshot_cb), self, G_CONNECT_DEFAULT);
  g_signal_connect_object (skeleton, "handle-resize-screen", G_CALLBACK (lsrv_on_resize_screen_cb), self, G_CONNECT_DEFAULT);
  g_signal_connect_object (skeleton, "handle-thumbnail", G_CALLBACK (lsrv_on_thumbnail_cb), self, G_CONNECT_DEFAULT);
  g_signal_connect_object (skeleton, "handle-text", G_CALLBACK (lsrv_on_text_cb), self, G_CONNECT_DEFAULT);
  g_signal_connect_object (skeleton, "handle-key", G_CALLBACK (lsrv_on_key_cb), self, G_CONNECT_DEFAULT);
  g_signal_connect_object (skeleton, "handle-type", G_CALLBACK (lsrv_on_type_cb), self, G_CONNECT_DEFAULT);
  g_signal_connect_object (skeleton, "handle-attach-serial", G_CALLBACK (lsrv_on_attach_serial_cb), self, G_CONNECT_DEFAULT);
  g_signal_connect_object (self->machine, "notify", G_CALLBACK (lsrv_on_machine_notify_cb), self, G_CONNECT_DEFAULT);
  g_signal_connect_object (self->machine, "was-reset", G_CALLBACK (lsrv_on_machine_reset_cb), self, G_CONNECT_DEFAULT);
  g_signal_connect_object (self->machine, "window-requested", G_CALLBACK (lsrv_on_window_requested_cb), self, G_CONNECT_DEFAULT);

  if (!lsrv_listen (self, error))
    return NULL;
  self->term_id = g_unix_signal_add (SIGTERM, lsrv_on_signal_cb, self);
  self->int_id = g_unix_signal_add (SIGINT, lsrv_on_signal_cb, self);
  return g_steal_pointer (&self);
}

static void
lsrv_on_started_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (LodgeMachineService) self = user_data;
  g_autoptr (GError) error = NULL;
  gboolean ok = lodge_machine_act_finish (LODGE_MACHINE (object), result, &error);

  lodge_machine_service_tell_starter (error);
  if (ok)
    return;
  self->failed = TRUE;
  if (!self->has_starter)
    {
      g_autofree char *details = NULL;
      g_autofree char *sentence = lodge_error_split (error->message, &details);

      g_printerr ("lodge: %s%s%s\n", sentence, details != NULL ? " " : "", details != NULL ? details : "");
    }
  if (self->has_starter || !lodge_machine_get_has_window (lsrv_machine (self)))
    lsrv_quit (self);
}

void
lodge_machine_service_start (LodgeMachineService *self)
{
  self->started = TRUE;
  lodge_machine_act_async (lsrv_machine (self), LODGE_VERB_START, NULL, lsrv_on_started_cb, g_object_ref (self));
}

LodgeMachine *
lodge_machine_service_get_machine (LodgeMachineService *self)
{
  return lsrv_machine (self);
}

void
lodge_machine_service_set_has_window (LodgeMachineService *self, gboolean has_window)
{
  if (has_window == lodge_machine_get_has_window (lsrv_machine (self)))
    return;
  lodge_engine_machine_set_has_window (self->machine, has_window);
  g_object_notify_by_pspec (G_OBJECT (self), lsrv_props[PROP_HAS_WINDOW]);
  if (!has_window && !lodge_machine_is_on (lsrv_machine (self)))
    lsrv_quit (self);
}

int
lodge_machine_service_get_exit_status (LodgeMachineService *self)
{
  return self->failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

typedef struct {
  GMainLoop *loop;
  gboolean window_wanted;
} LsrvRun;

static void
lsrv_on_run_quit_cb (LodgeMachineService *self, LsrvRun *run)
{
  g_main_loop_quit (run->loop);
}

static void
lsrv_on_run_show_window_cb (LodgeMachineService *self, LsrvRun *run)
{
  run->window_wanted = TRUE;
  g_main_loop_quit (run->loop);
}

int
lodge_machine_service_run_headless (LodgeMachineService *self)
{
  lodge_machine_service_start (self);
  return lodge_machine_service_run_on (self);
}

int
lodge_machine_service_run_on (LodgeMachineService *self)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  LsrvRun run = { .loop = loop };
  gulong quit_id = g_signal_connect (self, "quit", G_CALLBACK (lsrv_on_run_quit_cb), &run);
  gulong show_id = g_signal_connect (self, "show-window", G_CALLBACK (lsrv_on_run_show_window_cb), &run);

  if (!self->quitting)
    g_main_loop_run (loop);
  g_signal_handler_disconnect (self, quit_id);
  g_signal_handler_disconnect (self, show_id);
  return run.window_wanted && !self->quitting ? -1 : lodge_machine_service_get_exit_status (self);
}

static void
lsrv_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  switch (id)
    {
    case PROP_HAS_WINDOW:
      lodge_machine_service_set_has_window (LODGE_MACHINE_SERVICE (object), g_value_get_boolean (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
lsrv_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  switch (id)
    {
    case PROP_HAS_WINDOW:
      g_value_set_boolean (value, lodge_machine_get_has_window (lsrv_machine (LODGE_MACHINE_SERVICE (object))));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
lsrv_dispose (GObject *object)
{
  LodgeMachineService *self = LODGE_MACHINE_SERVICE (object);

  g_clear_handle_id (&self->term_id, g_source_remove);
  g_clear_handle_id (&self->int_id, g_source_remove);
  if (self->server != NULL)
    {
      g_dbus_server_stop (self->server);
      unlink (self->socket_path);
      /* The last word, the state OFF, has to get out before the process ends. */
      g_dbus_interface_skeleton_flush (G_DBUS_INTERFACE_SKELETON (self->skeleton));
      /* When the connections close, others take the bundle for free: so it has to be. */
      g_signal_handlers_disconnect_by_data (self->machine, self);
      g_clear_object (&self->machine);
      g_clear_fd (&self->lock_fd, NULL);
      while (self->connections->len > 0)
        {
          g_autoptr (GDBusConnection) connection = g_ptr_array_steal_index (self->connections, 0);

          g_signal_handlers_disconnect_by_data (connection, self);
          g_dbus_connection_flush_sync (connection, NULL, NULL);
          g_dbus_interface_skeleton_unexport_from_connection (G_DBUS_INTERFACE_SKELETON (self->skeleton), connection);
          g_dbus_connection_close_sync (connection, NULL, NULL);
        }
    }
  g_clear_object (&self->server);
  g_clear_object (&self->skeleton);
  g_clear_object (&self->machine);
  g_clear_fd (&self->lock_fd, NULL);
  G_OBJECT_CLASS (lodge_machine_service_parent_class)->dispose (object);
}

static void
lsrv_finalize (GObject *object)
{
  LodgeMachineService *self = LODGE_MACHINE_SERVICE (object);

  g_ptr_array_unref (self->connections);
  g_free (self->socket_path);
  G_OBJECT_CLASS (lodge_machine_service_parent_class)->finalize (object);
}

static void
lodge_machine_service_class_init (LodgeMachineServiceClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->set_property = lsrv_set_property;
  object_class->get_property = lsrv_get_property;
  object_class->dispose = lsrv_dispose;
  object_class->finalize = lsrv_finalize;
  lsrv_props[PROP_HAS_WINDOW] = g_param_spec_boolean ("has-window", NULL, NULL, FALSE,
                                                      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY);
  g_object_class_install_properties (object_class, N_PROPS, lsrv_props);
  lsrv_signals[SIGNAL_SHOW_WINDOW] = g_signal_new ("show-window", LODGE_TYPE_MACHINE_SERVICE, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                                   NULL, G_TYPE_NONE, 0);
  lsrv_signals[SIGNAL_QUIT] = g_signal_new ("quit", LODGE_TYPE_MACHINE_SERVICE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE,
                                            0);
}

static void
lodge_machine_service_init (LodgeMachineService *self)
{
  self->lock_fd = -1;
  self->connections = g_ptr_array_new_with_free_func (g_object_unref);
}
