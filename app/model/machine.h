/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A machine, whatever runs it: what lists, windows and the command line see. */
#pragma once

#include "model/console.h"
#include "model/error.h"
#include "model/picture.h"

G_BEGIN_DECLS

/**
 * LodgeMachineState:
 * @LODGE_MACHINE_STATE_OFF: does not run
 * @LODGE_MACHINE_STATE_STARTING: on its way to running
 * @LODGE_MACHINE_STATE_RUNNING: runs
 * @LODGE_MACHINE_STATE_PAUSED: stands still with its memory kept; see the reason
 * @LODGE_MACHINE_STATE_FAILED: stopped by a fault, its last screen can still be seen; see the message. Force Off ends it
 * @LODGE_MACHINE_STATE_BROKEN: its files cannot be understood; see the message. It can be deleted, not started
 */
typedef enum {
  LODGE_MACHINE_STATE_OFF,
  LODGE_MACHINE_STATE_STARTING,
  LODGE_MACHINE_STATE_RUNNING,
  LODGE_MACHINE_STATE_PAUSED,
  LODGE_MACHINE_STATE_FAILED,
  LODGE_MACHINE_STATE_BROKEN,
} LodgeMachineState;

/**
 * LodgeReason:
 * Why the machine is in its state.
 * @LODGE_REASON_NONE: nothing to tell
 * @LODGE_REASON_REQUEST: somebody asked
 * @LODGE_REASON_GUEST: the guest turned itself off
 * @LODGE_REASON_NO_SPACE: PAUSED: the host's disk is full; resume tries again
 * @LODGE_REASON_IO_ERROR: PAUSED: the host's disk failed; resume tries again
 * @LODGE_REASON_FAULT: FAILED: the host's KVM or the guest's processor cannot go on
 * @LODGE_REASON_LOST: OFF: its process ended without a word
 */
typedef enum {
  LODGE_REASON_NONE,
  LODGE_REASON_REQUEST,
  LODGE_REASON_GUEST,
  LODGE_REASON_NO_SPACE,
  LODGE_REASON_IO_ERROR,
  LODGE_REASON_FAULT,
  LODGE_REASON_LOST,
} LodgeReason;

/**
 * LodgeVerb:
 * What one can do with a machine as a whole.
 * @LODGE_VERB_START: OFF -> RUNNING, with its window
 * @LODGE_VERB_START_HEADLESS: OFF -> RUNNING, without a window
 * @LODGE_VERB_PAUSE: RUNNING -> PAUSED
 * @LODGE_VERB_RESUME: PAUSED -> RUNNING
 * @LODGE_VERB_SHUT_DOWN: presses the power button; the guest decides. Done when it is pressed, not when the guest is off
 * @LODGE_VERB_RESET: hard reset; done when the guest starts anew
 * @LODGE_VERB_FORCE_OFF: pulls the power; done when the machine is OFF
 * @LODGE_VERB_SHOW_WINDOW: opens or raises the window of a machine that runs
 */
typedef enum {
  LODGE_VERB_START,
  LODGE_VERB_START_HEADLESS,
  LODGE_VERB_PAUSE,
  LODGE_VERB_RESUME,
  LODGE_VERB_SHUT_DOWN,
  LODGE_VERB_RESET,
  LODGE_VERB_FORCE_OFF,
  LODGE_VERB_SHOW_WINDOW,
  LODGE_N_VERBS,
} LodgeVerb;

/**
 * LodgeCapabilities:
 * What this machine has or can do at all, whatever its state.
 */
typedef enum {
  LODGE_CAPABILITY_NONE = 0,
  LODGE_CAPABILITY_MEDIUM = 1 << 0,     /* has a drive whose medium can be changed */
  LODGE_CAPABILITY_SCREENSHOT = 1 << 1, /* has a screen */
  LODGE_CAPABILITY_KEYBOARD = 1 << 2,
  LODGE_CAPABILITY_SERIAL = 1 << 3, /* has a serial port that can be attached to */
  LODGE_CAPABILITY_DELETE = 1 << 4, /* can be moved to the trash */
} LodgeCapabilities;

#define LODGE_TYPE_MACHINE_STATE (lodge_machine_state_get_type ())
#define LODGE_TYPE_REASON (lodge_reason_get_type ())
#define LODGE_TYPE_VERB (lodge_verb_get_type ())
#define LODGE_TYPE_CAPABILITIES (lodge_capabilities_get_type ())
GType lodge_machine_state_get_type (void);
GType lodge_reason_get_type (void);
GType lodge_verb_get_type (void);
GType lodge_capabilities_get_type (void);

#define LODGE_TYPE_MACHINE (lodge_machine_get_type ())
G_DECLARE_DERIVABLE_TYPE (LodgeMachine, lodge_machine, LODGE, MACHINE, GObject)

/**
 * LodgeMachineClass:
 * Main thread only. Every async verb returns at once and reports on the thread-default context of the caller.
 *
 * Properties (all read-only, all notify):
 *   "name" string; "uuid" string; "path" string, the bundle (%NULL: no bundle); "os-id" string (%NULL: unknown);
 *   "state" LodgeMachineState; "reason" LodgeReason; "message" string, translated, for people (%NULL: nothing to tell);
 *   "busy" boolean: a verb is under way; "capabilities" LodgeCapabilities; "memory-mib" uint; "cpus" uint;
 *   "medium" string: what is in the first CD drive (%NULL: empty or no drive);
 *   "started-at" int64: seconds since 1970, 0 if it does not run; "has-window" boolean;
 *   "thumbnail" LodgePicture (%NULL: never seen): a small RGB888 picture of the screen, live while somebody keeps
 *   lodge_machine_watch_thumbnail() on, else the last one seen;
 *   "settings" string: the text of its machine.conf (%NULL: none, or it cannot be understood); "running-settings" string: the text
 *   that it was started with, as long as it is on (%NULL: it is off, or its process does not tell);
 *   "console" LodgeConsole: only where the machine runs in this very process (or its console is reached from here), while it
 *   runs or has failed; else %NULL.
 * Signals: "was-reset" (LodgeMachine *).
 */
struct _LodgeMachineClass {
  GObjectClass parent_class;

  /* Called with the verb already checked by lodge_machine_can(). */
  void (*act) (LodgeMachine *self, LodgeVerb verb, GTask *task);
  void (*change_medium) (LodgeMachine *self, const char *device_id, const char *path, gboolean force, GTask *task);
  void (*screenshot) (LodgeMachine *self, guint head, GTask *task); /* -> LodgePicture, full size, RGB888 */
  void (*send_keys) (LodgeMachine *self, const guint *codes, gsize n, GTask *task);
  void (*type_text) (LodgeMachine *self, const char *text, GTask *task);
  void (*read_text) (LodgeMachine *self, GTask *task);                                             /* -> char * */
  void (*attach_serial) (LodgeMachine *self, const char *device_id, gboolean replay, GTask *task); /* -> GSocketConnection */
  void (*watch_thumbnail) (LodgeMachine *self, gboolean on);
  void (*configure) (LodgeMachine *self, GVariant *changes, GTask *task);
  void (*resize_screen) (LodgeMachine *self, guint head, int width, int height, GTask *task);
  gpointer padding[6];
};

const char *lodge_machine_get_name (LodgeMachine *self);
const char *lodge_machine_get_uuid (LodgeMachine *self);
const char *lodge_machine_get_path (LodgeMachine *self);
const char *lodge_machine_get_os_id (LodgeMachine *self);
LodgeMachineState lodge_machine_get_state (LodgeMachine *self);
LodgeReason lodge_machine_get_reason (LodgeMachine *self);
const char *lodge_machine_get_message (LodgeMachine *self);
gboolean lodge_machine_get_busy (LodgeMachine *self);
LodgeCapabilities lodge_machine_get_capabilities (LodgeMachine *self);
guint lodge_machine_get_memory_mib (LodgeMachine *self);
guint lodge_machine_get_cpus (LodgeMachine *self);
const char *lodge_machine_get_medium (LodgeMachine *self);
gint64 lodge_machine_get_started_at (LodgeMachine *self);
gboolean lodge_machine_get_has_window (LodgeMachine *self);
LodgePicture *lodge_machine_get_thumbnail (LodgeMachine *self);
LodgeConsole *lodge_machine_get_console (LodgeMachine *self);

/**
 * lodge_machine_get_consoles:
 * Returns: (transfer none): a list of LodgeConsole, one a screen; the first is "console", and where there is none the list is empty
 */
GListModel *lodge_machine_get_consoles (LodgeMachine *self);
const char *lodge_machine_get_settings (LodgeMachine *self);
const char *lodge_machine_get_running_settings (LodgeMachine *self);

/** lodge_machine_is_on: Returns: %TRUE for STARTING, RUNNING, PAUSED and FAILED: there is something to force off. */
gboolean lodge_machine_is_on (LodgeMachine *self);

/** lodge_machine_state_to_label: Returns: (transfer none): one or two translated words for people, like "Running". */
const char *lodge_machine_state_to_label (LodgeMachineState state);

/** lodge_machine_state_to_nick: Returns: (transfer none): the untranslated word for machines: "off", "running" … */
const char *lodge_machine_state_to_nick (LodgeMachineState state);

/**
 * lodge_machine_can:
 * Returns: %TRUE if @verb makes sense now; changes are told by notify::state, notify::busy and notify::capabilities.
 */
gboolean lodge_machine_can (LodgeMachine *self, LodgeVerb verb);

/**
 * lodge_machine_act_async:
 * Errors: LODGE_ERROR_NOT_RUNNING, _RUNNING, _BUSY: the verb makes no sense now; for a start whatever stopped it
 *   (LODGE_ERROR_NO_KVM, _CONFIG …).
 */
void lodge_machine_act_async (LodgeMachine *self, LodgeVerb verb, GCancellable *cancellable, GAsyncReadyCallback callback,
                              gpointer user_data);
gboolean lodge_machine_act_finish (LodgeMachine *self, GAsyncResult *result, GError **error);

/**
 * lodge_machine_change_medium_async:
 * @device_id: (nullable): "cdrom0" …; %NULL: the first drive
 * @path: (nullable): image to insert; %NULL ejects
 * @force: also if the guest has locked the tray
 * Works on a machine that is off too: then it changes what it starts with. The change lasts over the next start.
 * Errors: LODGE_ERROR_NOT_FOUND, _INVALID (not a file), _BUSY (the guest has locked the tray).
 */
void lodge_machine_change_medium_async (LodgeMachine *self, const char *device_id, const char *path, gboolean force,
                                        GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
gboolean lodge_machine_change_medium_finish (LodgeMachine *self, GAsyncResult *result, GError **error);

/**
 * lodge_machine_configure_async:
 * @changes: of type a(sss), floating is taken: as lodge_bundle_apply()
 * Changes machine.conf, all or nothing. A machine that is on takes over at once what may change while it runs, the rest when it is
 * started again: LodgeHardware tells which.
 * Errors: LODGE_ERROR_INVALID saying what is allowed; LODGE_ERROR_RUNNING it must be off for that; LODGE_ERROR_BUSY, _NO_SPACE, _FAILED.
 */
void lodge_machine_configure_async (LodgeMachine *self, GVariant *changes, GCancellable *cancellable, GAsyncReadyCallback callback,
                                    gpointer user_data);
gboolean lodge_machine_configure_finish (LodgeMachine *self, GAsyncResult *result, GError **error);

/**
 * lodge_machine_screenshot_async:
 * @head: which screen, from 0
 * Errors: LODGE_ERROR_NOT_RUNNING; LODGE_ERROR_UNSUPPORTED without such a screen.
 */
void lodge_machine_screenshot_async (LodgeMachine *self, guint head, GCancellable *cancellable, GAsyncReadyCallback callback,
                                     gpointer user_data);
/** lodge_machine_screenshot_finish: Returns: (transfer full): the screen at full size, a still RGB888 copy. */
LodgePicture *lodge_machine_screenshot_finish (LodgeMachine *self, GAsyncResult *result, GError **error);

/**
 * lodge_machine_resize_screen_async:
 * @head: which screen, from 0
 * Asks the guest for a picture of this size; it may follow or not, and takes its time. A window that the guest's screen follows asks
 * for another when it is resized.
 * Units: guest pixels.
 * Errors: LODGE_ERROR_NOT_RUNNING; LODGE_ERROR_UNSUPPORTED without such a screen, or it cannot change its size.
 */
void lodge_machine_resize_screen_async (LodgeMachine *self, guint head, int width, int height, GCancellable *cancellable,
                                        GAsyncReadyCallback callback, gpointer user_data);
gboolean lodge_machine_resize_screen_finish (LodgeMachine *self, GAsyncResult *result, GError **error);

/**
 * lodge_machine_send_keys_async:
 * @codes: Linux input event codes: pressed in this order, released in the opposite one
 */
void lodge_machine_send_keys_async (LodgeMachine *self, const guint *codes, gsize n_codes, GCancellable *cancellable,
                                    GAsyncReadyCallback callback, gpointer user_data);
gboolean lodge_machine_send_keys_finish (LodgeMachine *self, GAsyncResult *result, GError **error);

/**
 * lodge_machine_type_async:
 * @text: UTF-8; what a US keyboard can type, with \n for Return, \t for Tab
 * Types it key by key, as fast as a guest can follow. Done when the last key is up.
 * Errors: LODGE_ERROR_INVALID naming the first character that a US keyboard does not have; then nothing was typed.
 */
void lodge_machine_type_async (LodgeMachine *self, const char *text, GCancellable *cancellable, GAsyncReadyCallback callback,
                               gpointer user_data);
gboolean lodge_machine_type_finish (LodgeMachine *self, GAsyncResult *result, GError **error);

/** lodge_machine_read_text_async: Errors: LODGE_ERROR_UNSUPPORTED in a graphics mode. */
void lodge_machine_read_text_async (LodgeMachine *self, GCancellable *cancellable, GAsyncReadyCallback callback,
                                    gpointer user_data);
/** lodge_machine_read_text_finish: Returns: (transfer full): the text screen, one line a row. */
char *lodge_machine_read_text_finish (LodgeMachine *self, GAsyncResult *result, GError **error);

/**
 * lodge_machine_attach_serial_async:
 * @device_id: (nullable): "serial0" …; %NULL: the first serial port
 * @replay: first receive the last of what the guest wrote before
 */
void lodge_machine_attach_serial_async (LodgeMachine *self, const char *device_id, gboolean replay, GCancellable *cancellable,
                                        GAsyncReadyCallback callback, gpointer user_data);
/** lodge_machine_attach_serial_finish: Returns: (transfer full): a two-way byte stream to the guest's serial port. */
GSocketConnection *lodge_machine_attach_serial_finish (LodgeMachine *self, GAsyncResult *result, GError **error);

/**
 * lodge_machine_watch_thumbnail:
 * Counted: while it is on, "thumbnail" follows the screen about once a second. A view that is hidden turns it off.
 */
void lodge_machine_watch_thumbnail (LodgeMachine *self, gboolean on);

G_END_DECLS
