/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the commands share. */
#pragma once

#include "cli/cli.h"
#include "model/library.h"

#include <stdlib.h>

G_BEGIN_DECLS

#define LODGE_CLI_USAGE 2 /* exit status of a command that was called wrongly */

/**
 * LodgeCliOption:
 * @argument: (nullable): what it is called in the help; %NULL: a flag
 * @many: may be given several times
 */
typedef struct {
  const char *name; /* without the dashes; NULL ends a table */
  const char *argument;
  gboolean many;
  const char *summary; /* N_() */
} LodgeCliOption;

/**
 * LodgeCliCall:
 * One call of a command, parsed.
 */
typedef struct _LodgeCliCall {
  const struct _LodgeCliCommand *command;
  GPtrArray *arguments;  /* char * */
  GHashTable *options;   /* name -> GPtrArray of char *; a flag has one empty string */
  LodgeLibrary *library; /* loaded, if the command needs it */
} LodgeCliCall;

/**
 * LodgeCliCommand:
 * The one description of a command: parsing and help both come from it.
 */
typedef struct _LodgeCliCommand {
  const char *name;
  const char *arguments; /* as shown in the help */
  guint min_arguments, max_arguments;
  const char *summary;           /* N_(), one line */
  const char *details;           /* N_() (nullable) */
  const LodgeCliOption *options; /* (nullable) */
  gboolean needs_library;
  int (*run) (LodgeCliCall *call);
  void (*more_help) (void); /* (nullable) */
} LodgeCliCommand;

const char *lodge_cli_argument (LodgeCliCall *call, guint index);       /* (nullable) */
const char *lodge_cli_option (LodgeCliCall *call, const char *name);    /* (nullable): the last value; "" for a flag that is set */
GPtrArray *lodge_cli_option_all (LodgeCliCall *call, const char *name); /* (nullable) (transfer none) */

/** lodge_cli_fail: Prints @error, (transfer full), on one line. Returns: the exit status. */
int lodge_cli_fail (GError *error);
/** lodge_cli_usage: Prints a translated sentence about a wrong call. Returns: the exit status. */
int lodge_cli_usage (LodgeCliCall *call, const char *format, ...) G_GNUC_PRINTF (2, 3);

/** lodge_cli_find: The machine named by the first argument; %NULL with an error printed. */
LodgeMachine *lodge_cli_find (LodgeCliCall *call);

/**
 * LodgeCliWait:
 * Waits for an async call: pass lodge_cli_wait_cb() and the address of one of these, then lodge_cli_wait().
 */
typedef struct {
  GAsyncResult *result;
} LodgeCliWait;

void lodge_cli_wait_cb (GObject *object, GAsyncResult *result, gpointer user_data);
GAsyncResult *lodge_cli_wait (LodgeCliWait *wait); /* (transfer none): until lodge_cli_wait_clear() */
void lodge_cli_wait_clear (LodgeCliWait *wait);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (LodgeCliWait, lodge_cli_wait_clear)

/**
 * lodge_cli_parse_size:
 * @text: a number with M, G or T after it, like "20G"
 * @plain_unit: (nullable): bytes that a number without a letter counts; 0: it needs one
 * Returns: MiB, %FALSE if it is no such thing.
 */
gboolean lodge_cli_parse_size (const char *text, guint64 plain_unit, guint64 *ret_mib);

/* The commands. */
int lodge_cli_create (LodgeCliCall *call);
void lodge_cli_create_more_help (void);
int lodge_cli_list (LodgeCliCall *call);
int lodge_cli_show (LodgeCliCall *call);
int lodge_cli_host (LodgeCliCall *call);
int lodge_cli_start (LodgeCliCall *call);
int lodge_cli_stop (LodgeCliCall *call);
int lodge_cli_pause (LodgeCliCall *call);
int lodge_cli_resume (LodgeCliCall *call);
int lodge_cli_reset (LodgeCliCall *call);
int lodge_cli_delete (LodgeCliCall *call);
int lodge_cli_set (LodgeCliCall *call);
int lodge_cli_device_list (LodgeCliCall *call);
int lodge_cli_device_add (LodgeCliCall *call);
int lodge_cli_device_remove (LodgeCliCall *call);
void lodge_cli_device_more_help (void);
int lodge_cli_net_forward (LodgeCliCall *call);
int lodge_cli_insert (LodgeCliCall *call);
int lodge_cli_eject (LodgeCliCall *call);
int lodge_cli_screenshot (LodgeCliCall *call);
int lodge_cli_resize_screen (LodgeCliCall *call);
int lodge_cli_type (LodgeCliCall *call);
int lodge_cli_key (LodgeCliCall *call);
void lodge_cli_key_more_help (void);
int lodge_cli_text (LodgeCliCall *call);
int lodge_cli_console (LodgeCliCall *call);

G_END_DECLS
