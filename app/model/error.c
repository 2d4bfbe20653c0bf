/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The error domain of app/. */
#include "model/error.h"

#include <string.h>

#define LERR_PREFIX "io.github.lodge_vm.Error."

/* The same names on the wire of Machine1, so that codes survive the way from a machine's process to the manager. */
static const GDBusErrorEntry lerr_entries[] = {
  { LODGE_ERROR_FAILED, LERR_PREFIX "Failed" },   { LODGE_ERROR_INVALID, LERR_PREFIX "Invalid" },
  { LODGE_ERROR_EXISTS, LERR_PREFIX "Exists" },   { LODGE_ERROR_NOT_FOUND, LERR_PREFIX "NotFound" },
  { LODGE_ERROR_BUSY, LERR_PREFIX "Busy" },       { LODGE_ERROR_NOT_RUNNING, LERR_PREFIX "NotRunning" },
  { LODGE_ERROR_RUNNING, LERR_PREFIX "Running" }, { LODGE_ERROR_UNSUPPORTED, LERR_PREFIX "Unsupported" },
  { LODGE_ERROR_NO_KVM, LERR_PREFIX "NoKvm" },    { LODGE_ERROR_NO_SPACE, LERR_PREFIX "NoSpace" },
  { LODGE_ERROR_CONFIG, LERR_PREFIX "Config" },
};

GQuark
lodge_error_quark (void)
{
  static gsize quark = 0;

  g_dbus_error_register_error_domain ("lodge-error-quark", &quark, lerr_entries, G_N_ELEMENTS (lerr_entries));
  return (GQuark) quark;
}

char *
lodge_error_split (const char *message, char **ret_details)
{
  const char *newline = strchr (message, '\n');

  if (ret_details != NULL)
    *ret_details = newline != NULL && newline[1] != '\0' ? g_strdup (newline + 1) : NULL;
  return newline != NULL ? g_strndup (message, (gsize) (newline - message)) : g_strdup (message);
}
