/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The command line: the one table of commands, parsing and help from it. */
#include "cli/cli-private.h"

#include "model/error.h"

#include <gio/gio.h>
#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>

static const LodgeCliOption lcli_create_options[] = {
  { "iso", "FILE", FALSE, N_ ("Disc image in the CD drive") },
  { "import", "IMAGE", FALSE, N_ ("Disk image to copy into the machine; foreign formats are converted") },
  { "link", NULL, FALSE, N_ ("Use the image of --import where it is, without a copy") },
  { "kernel", "FILE", FALSE, N_ ("Kernel to start directly") },
  { "initrd", "FILE", FALSE, N_ ("Initial RAM disk for --kernel") },
  { "append", "TEXT", FALSE, N_ ("Command line for --kernel") },
  { "os", "ID", FALSE, N_ ("Operating system, for the defaults; “list” shows all") },
  { "memory", "MIB", FALSE, N_ ("Memory in MiB, or with M or G after the number") },
  { "cpus", "N", FALSE, N_ ("Processors") },
  { "disk", "SIZE", FALSE, N_ ("Size of the new disk, like 20G; 0 for none") },
  { "firmware", "KIND", FALSE, N_ ("Firmware: bios or uefi; as the system needs it") },
  { "tpm", NULL, FALSE, N_ ("A TPM 2.0") },
  { "set", "GROUP.KEY=VALUE", TRUE, N_ ("A setting of machine.conf; an empty value removes it") },
  { NULL },
};

static const LodgeCliOption lcli_json_options[] = {
  { "json", NULL, FALSE, N_ ("Print JSON") },
  { NULL },
};

static const LodgeCliOption lcli_start_options[] = {
  { "headless", NULL, FALSE, N_ ("Open no window") },
  { NULL },
};

static const LodgeCliOption lcli_stop_options[] = {
  { "force", NULL, FALSE, N_ ("Pull the power; the guest cannot save anything") },
  { "wait", NULL, FALSE, N_ ("Return when the machine is off") },
  { "timeout", "SECONDS", FALSE, N_ ("With --wait: give up after this time") },
  { NULL },
};

static const LodgeCliOption lcli_add_options[] = {
  { "id", "ID", FALSE, N_ ("What the device is called; a free name if not given") },
  { "size", "SIZE", FALSE, N_ ("Make a new disk image of this size, like 20G") },
  { NULL },
};

static const LodgeCliOption lcli_forward_options[] = {
  { "device", "ID", FALSE, N_ ("The network device; the first one if not given") },
  { NULL },
};

static const LodgeCliOption lcli_medium_options[] = {
  { "device", "ID", FALSE, N_ ("The drive; the first one if not given") },
  { "force", NULL, FALSE, N_ ("Also if the guest has locked the drive") },
  { NULL },
};

static const LodgeCliOption lcli_screen_options[] = {
  { "screen", "NUMBER", FALSE, N_ ("Which screen; the first one, 1, if not given") },
  { NULL },
};

static const LodgeCliOption lcli_type_options[] = {
  { "enter", NULL, FALSE, N_ ("Press Enter after the text") },
  { NULL },
};

static const LodgeCliOption lcli_console_options[] = {
  { "no-replay", NULL, FALSE, N_ ("Do not show what the guest wrote before") },
  { NULL },
};

static const LodgeCliCommand lcli_commands[] = {
  { "create", "NAME", 1, 1, N_ ("Make a machine"), N_ ("What is not given follows from the operating system."), lcli_create_options,
    TRUE, lodge_cli_create, lodge_cli_create_more_help },
  { "list", "", 0, 0, N_ ("List all machines"), NULL, lcli_json_options, TRUE, lodge_cli_list },
  { "show", "NAME", 1, 1, N_ ("Show a machine's state and settings"), NULL, lcli_json_options, TRUE, lodge_cli_show },
  { "start", "NAME", 1, 1, N_ ("Start a machine"), NULL, lcli_start_options, TRUE, lodge_cli_start },
  { "stop", "NAME", 1, 1, N_ ("Press a machine's power button"),
    N_ ("The guest decides what that does. With --force it is off at once."), lcli_stop_options, TRUE, lodge_cli_stop },
  { "pause", "NAME", 1, 1, N_ ("Halt a machine, keeping its memory"), NULL, NULL, TRUE, lodge_cli_pause },
  { "resume", "NAME", 1, 1, N_ ("Let a paused machine go on"), NULL, NULL, TRUE, lodge_cli_resume },
  { "reset", "NAME", 1, 1, N_ ("Press a machine's reset button"), NULL, NULL, TRUE, lodge_cli_reset },
  { "set", "NAME GROUP.KEY=VALUE…", 2, G_MAXUINT, N_ ("Change a machine's settings, all of them or none"),
    N_ ("An empty value removes the setting. A path that is not found from here is relative to the machine's folder."), NULL, TRUE,
    lodge_cli_set, lodge_cli_create_more_help },
  { "device list", "NAME", 1, 1, N_ ("List a machine's devices"), NULL, lcli_json_options, TRUE, lodge_cli_device_list },
  { "device add", "NAME CLASS [KEY=VALUE…]", 2, G_MAXUINT, N_ ("Add a device to a machine"),
    N_ ("A path that is not found from here is relative to the machine's folder."), lcli_add_options, TRUE, lodge_cli_device_add,
    lodge_cli_device_more_help },
  { "device remove", "NAME ID", 2, 2, N_ ("Remove a device from a machine; its files stay"), NULL, NULL, TRUE,
    lodge_cli_device_remove },
  { "net forward", "NAME add|remove|list [FORWARD]", 2, 3, N_ ("Lead ports of this computer into a machine, also while it runs"),
    N_ ("A forward is tcp:PORT-PORT or udp:PORT-PORT, this computer's port first, like tcp:2222-22; addresses may stand before the\n"
        "ports: tcp:127.0.0.1:2222-10.0.2.15:22. To remove one, this computer's side is enough: tcp:2222."),
    lcli_forward_options, TRUE, lodge_cli_net_forward },
  { "delete", "NAME", 1, 1, N_ ("Move a machine to the trash"), NULL, NULL, TRUE, lodge_cli_delete },
  { "insert", "NAME ISO", 2, 2, N_ ("Put a disc into a machine's drive"), NULL, lcli_medium_options, TRUE, lodge_cli_insert },
  { "eject", "NAME", 1, 1, N_ ("Take the disc out of a machine's drive"), NULL, lcli_medium_options, TRUE, lodge_cli_eject },
  { "screenshot", "NAME FILE.png", 2, 2, N_ ("Save a machine's screen as a picture"), NULL, lcli_screen_options, TRUE,
    lodge_cli_screenshot },
  { "resize-screen", "NAME WIDTHxHEIGHT", 2, 2, N_ ("Ask the guest for a screen of this size in pixels"),
    N_ ("The guest decides whether it follows."), lcli_screen_options, TRUE, lodge_cli_resize_screen },
  { "type", "NAME TEXT", 2, 2, N_ ("Type a text on a machine's keyboard, which is a US one"), NULL, lcli_type_options, TRUE,
    lodge_cli_type },
  { "key", "NAME KEY[+KEY…]", 2, 2, N_ ("Press keys on a machine's keyboard, like ctrl+alt+delete"), NULL, NULL, TRUE,
    lodge_cli_key, lodge_cli_key_more_help },
  { "text", "NAME", 1, 1, N_ ("Print what a machine's text screen shows"), NULL, NULL, TRUE, lodge_cli_text },
  { "console", "NAME [DEVICE]", 1, 2, N_ ("Talk to a machine's serial port"),
    N_ ("The key Ctrl+] ends it. The first serial port is serial0."), lcli_console_options, TRUE, lodge_cli_console },
  { "host", "", 0, 0, N_ ("Tell what this computer can do, and what to do about what it can't"), NULL, lcli_json_options, FALSE,
    lodge_cli_host },
};

/* --- Errors -------------------------------------------------------------------------------------------------------------------- */

int
lodge_cli_fail (GError *error)
{
  g_auto (GStrv) lines = g_strsplit (error->message, "\n", -1);
  g_autofree char *line = g_strjoinv (" ", lines);

  g_printerr ("lodge: %s\n", g_strchomp (line));
  g_error_free (error);
  return EXIT_FAILURE;
}

int
lodge_cli_usage (LodgeCliCall *call, const char *format, ...)
{
  va_list args;
  g_autofree char *text = NULL;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_printerr ("lodge: %s ", text);
  if (call != NULL)
    g_printerr (_ ("See “lodge %s --help”."), call->command->name);
  else
    g_printerr (_ ("See “lodge --help”."));
  g_printerr ("\n");
  return LODGE_CLI_USAGE;
}

/* --- Waiting ------------------------------------------------------------------------------------------------------------------- */

void
lodge_cli_wait_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  LodgeCliWait *wait = user_data;

  wait->result = g_object_ref (result);
}

GAsyncResult *
lodge_cli_wait (LodgeCliWait *wait)
{
  while (wait->result == NULL)
    g_main_context_iteration (NULL, TRUE);
  return wait->result;
}

void
lodge_cli_wait_clear (LodgeCliWait *wait)
{
  g_clear_object (&wait->result);
}

/* --- Calls --------------------------------------------------------------------------------------------------------------------- */

const char *
lodge_cli_argument (LodgeCliCall *call, guint index)
{
  return index < call->arguments->len ? call->arguments->pdata[index] : NULL;
}

GPtrArray *
lodge_cli_option_all (LodgeCliCall *call, const char *name)
{
  return g_hash_table_lookup (call->options, name);
}

const char *
lodge_cli_option (LodgeCliCall *call, const char *name)
{
  GPtrArray *values = lodge_cli_option_all (call, name);

  return values != NULL ? values->pdata[values->len - 1] : NULL;
}

LodgeMachine *
lodge_cli_find (LodgeCliCall *call)
{
  GError *error = NULL;
  LodgeMachine *machine = lodge_library_find (call->library, lodge_cli_argument (call, 0), &error);

  if (machine == NULL)
    lodge_cli_fail (error);
  return machine;
}

gboolean
lodge_cli_parse_size (const char *text, guint64 plain_unit, guint64 *ret_mib)
{
  static const struct {
    char letter;
    guint64 mib;
  } units[] = { { 'M', 1 }, { 'G', 1024 }, { 'T', 1024 * 1024 } };
  char *end = NULL;
  guint64 number, unit = plain_unit >> 20;

  if (!g_ascii_isdigit (*text))
    return FALSE;
  errno = 0;
  number = g_ascii_strtoull (text, &end, 10);
  if (errno != 0)
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (units) && *end != '\0'; i++)
    if (g_ascii_toupper (*end) == units[i].letter)
      {
        unit = units[i].mib;
        end++;
        if (g_ascii_strcasecmp (end, "iB") == 0 || g_ascii_strcasecmp (end, "B") == 0)
          end += strlen (end);
        break;
      }
  if (*end != '\0' || (unit == 0 && number != 0))
    return FALSE;
  return g_uint64_checked_mul (ret_mib, number, unit);
}

/* --- Help ---------------------------------------------------------------------------------------------------------------------- */

/* Pads by columns, not bytes. */
static void
lcli_print_pair (const char *left, const char *right)
{
  glong width = g_utf8_strlen (left, -1);

  g_print ("  %s%*s  %s\n", left, (int) MAX (0, 26 - width), "", right);
}

static void
lcli_print_command_help (const LodgeCliCommand *command)
{
  g_print (_ ("Usage: lodge %s%s%s%s"), command->name, command->options != NULL ? _ (" [OPTION…]") : "",
           *command->arguments != '\0' ? " " : "", command->arguments);
  g_print ("\n\n%s.\n", _ (command->summary));
  if (command->details != NULL)
    g_print ("%s\n", _ (command->details));
  g_print ("\n%s\n", _ ("Options:"));
  for (const LodgeCliOption *option = command->options; option != NULL && option->name != NULL; option++)
    {
      g_autofree char *left = g_strdup_printf ("--%s%s%s%s", option->name, option->argument != NULL ? " " : "",
                                               option->argument != NULL ? option->argument : "", option->many ? " …" : "");

      lcli_print_pair (left, _ (option->summary));
    }
  lcli_print_pair ("--help", _ ("Show this help"));
  if (command->more_help != NULL)
    command->more_help ();
}

/* A line for each command; of @family alone if given. */
static void
lcli_print_commands (const char *family)
{
  g_autofree char *prefix = family != NULL ? g_strconcat (family, " ", NULL) : NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (lcli_commands); i++)
    {
      g_autofree char *left = g_strdup_printf ("%s %s", lcli_commands[i].name, lcli_commands[i].arguments);

      if (prefix == NULL || g_str_has_prefix (lcli_commands[i].name, prefix))
        lcli_print_pair (g_strchomp (left), _ (lcli_commands[i].summary));
    }
}

static void
lcli_print_family_help (const char *family)
{
  g_print (_ ("Usage: lodge %s COMMAND …"), family);
  g_print ("\n\n%s\n", _ ("Commands:"));
  lcli_print_commands (family);
}

static void
lcli_print_help (void)
{
  g_print ("%s\n\n%s\n", _ ("Usage: lodge [COMMAND …]"), _ ("Without a command, the window opens."));
  g_print ("\n%s\n", _ ("Commands:"));
  lcli_print_commands (NULL);
  g_print ("\n%s\n", _ ("“lodge COMMAND --help” tells more. NAME is a machine's name or identifier (UUID)."));
}

/* --- Parsing ------------------------------------------------------------------------------------------------------------------- */

static const LodgeCliCommand *
lcli_find_command (const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (lcli_commands); i++)
    if (g_str_equal (lcli_commands[i].name, name))
      return &lcli_commands[i];
  return NULL;
}

/* Whether @word begins names of two words, like “device” that of “device add”. */
static gboolean
lcli_is_family (const char *word)
{
  g_autofree char *prefix = g_strconcat (word, " ", NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (lcli_commands); i++)
    if (g_str_has_prefix (lcli_commands[i].name, prefix))
      return TRUE;
  return FALSE;
}

/* The command that the words from @words name, of one word or two. */
static const LodgeCliCommand *
lcli_match_command (char **words, int n_words, int *ret_used)
{
  g_autofree char *both = n_words > 1 ? g_strconcat (words[0], " ", words[1], NULL) : NULL;
  const LodgeCliCommand *command = both != NULL ? lcli_find_command (both) : NULL;

  *ret_used = command != NULL ? 2 : 1;
  return command != NULL || n_words < 1 ? command : lcli_find_command (words[0]);
}

static const LodgeCliOption *
lcli_find_option (const LodgeCliCommand *command, const char *name, gsize length)
{
  for (const LodgeCliOption *option = command->options; option != NULL && option->name != NULL; option++)
    if (strlen (option->name) == length && strncmp (option->name, name, length) == 0)
      return option;
  return NULL;
}

/* Returns: 0, or the exit status; -1: help was printed. */
static int
lcli_parse (LodgeCliCall *call, int argc, char **argv)
{
  gboolean only_arguments = FALSE;

  for (int i = 0; i < argc; i++)
    {
      const char *word = argv[i];
      const LodgeCliOption *option;
      const char *equals;
      GPtrArray *values;

      if (only_arguments || word[0] != '-' || word[1] == '\0')
        {
          g_ptr_array_add (call->arguments, argv[i]);
          continue;
        }
      if (g_str_equal (word, "--"))
        {
          only_arguments = TRUE;
          continue;
        }
      if (g_str_equal (word, "--help") || g_str_equal (word, "-h"))
        {
          lcli_print_command_help (call->command);
          return -1;
        }
      equals = strchr (word, '=');
      option = g_str_has_prefix (word, "--")
                   ? lcli_find_option (call->command, word + 2, equals != NULL ? (gsize) (equals - word - 2) : strlen (word + 2))
                   : NULL;
      if (option == NULL)
        return lodge_cli_usage (call, _ ("There is no option “%s”."), word);
      if (option->argument == NULL && equals != NULL)
        return lodge_cli_usage (call, _ ("The option “--%s” takes no value."), option->name);
      if (option->argument != NULL && equals == NULL && i + 1 >= argc)
        return lodge_cli_usage (call, _ ("The option “--%s” needs a value."), option->name);
      values = g_hash_table_lookup (call->options, option->name);
      if (values != NULL && !option->many)
        return lodge_cli_usage (call, _ ("The option “--%s” can be given only once."), option->name);
      if (values == NULL)
        {
          values = g_ptr_array_new ();
          g_hash_table_insert (call->options, (gpointer) option->name, values);
        }
      g_ptr_array_add (values, option->argument == NULL ? (char *) "" : equals != NULL ? (char *) equals + 1 : argv[++i]);
    }
  if (call->arguments->len < call->command->min_arguments)
    return lodge_cli_usage (call, _ ("Something is missing: %s."), call->command->arguments);
  if (call->arguments->len > call->command->max_arguments)
    return lodge_cli_usage (call, _ ("“%s” is too much."), (char *) call->arguments->pdata[call->command->max_arguments]);
  return 0;
}

static int
lcli_run_command (const LodgeCliCommand *command, int argc, char **argv)
{
  g_autoptr (GPtrArray) arguments = g_ptr_array_new ();
  g_autoptr (GHashTable) options = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) g_ptr_array_unref);
  LodgeCliCall call = { .command = command, .arguments = arguments, .options = options };
  int status = lcli_parse (&call, argc, argv);

  if (status != 0)
    return status < 0 ? EXIT_SUCCESS : status;
  if (command->needs_library)
    {
      g_auto (LodgeCliWait) wait = { 0 };
      GError *error = NULL;

      call.library = lodge_library_new (NULL);
      lodge_library_load_async (call.library, NULL, lodge_cli_wait_cb, &wait);
      if (!lodge_library_load_finish (call.library, lodge_cli_wait (&wait), &error))
        status = lodge_cli_fail (error);
    }
  if (status == 0)
    status = command->run (&call);
  if (call.library != NULL)
    g_object_run_dispose (G_OBJECT (call.library));
  g_clear_object (&call.library);
  return status;
}

gboolean
lodge_cli_is_command (const char *word)
{
  return lcli_find_command (word) != NULL || lcli_is_family (word) || g_str_equal (word, "help") || g_str_equal (word, "--help")
         || g_str_equal (word, "-h");
}

/* “lodge help …”, or a command that is none. @asked: somebody wants to read it */
static int
lcli_explain (char **words, int n_words, gboolean asked)
{
  int used;
  const LodgeCliCommand *command = lcli_match_command (words, n_words, &used);

  if (command != NULL)
    {
      lcli_print_command_help (command);
      return EXIT_SUCCESS;
    }
  if (!lcli_is_family (words[0]))
    return lodge_cli_usage (NULL, _ ("There is no command “%s”."), words[0]);
  if (n_words < 2 && !asked)
    return lodge_cli_usage (NULL, _ ("“%s” is not a whole command."), words[0]);
  if (n_words < 2 || g_str_equal (words[1], "--help") || g_str_equal (words[1], "-h"))
    {
      lcli_print_family_help (words[0]);
      return EXIT_SUCCESS;
    }
  return lodge_cli_usage (NULL, _ ("There is no command “%s %s”."), words[0], words[1]);
}

int
lodge_cli_run (int argc, char **argv)
{
  const char *word = argc > 1 ? argv[1] : "help";
  int used;
  const LodgeCliCommand *command = argc > 1 ? lcli_match_command (argv + 1, argc - 1, &used) : NULL;

  if (command != NULL)
    return lcli_run_command (command, argc - 1 - used, argv + 1 + used);
  if (g_str_equal (word, "help") && argc > 2)
    return lcli_explain (argv + 2, argc - 2, TRUE);
  if (g_str_equal (word, "help") || g_str_equal (word, "--help") || g_str_equal (word, "-h"))
    {
      lcli_print_help ();
      return EXIT_SUCCESS;
    }
  return lcli_explain (argv + 1, argc - 1, FALSE);
}
