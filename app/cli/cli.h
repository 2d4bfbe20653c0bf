/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The command line: `lodge COMMAND …`. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * lodge_cli_run:
 * @argv: as main() gets it; argv[1] is the command
 * Runs one command to its end. Thread: main, before any other main loop.
 * Returns: the exit status: 0 it worked, 1 it did not, 2 it was called wrongly.
 */
int lodge_cli_run (int argc, char **argv);

/**
 * lodge_cli_is_command:
 * Returns: %TRUE if @word is a command, or an option like --help that the command line answers.
 */
gboolean lodge_cli_is_command (const char *word);

G_END_DECLS
