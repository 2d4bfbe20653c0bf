/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/log.h"

#include "core/device.h"

static void
log_structured (VmmDevice *dev, const char *class, GLogLevelFlags level, const char *message)
{
  g_log_structured (G_LOG_DOMAIN, level, "VMM_DEVICE", dev != NULL ? dev->id : "", "VMM_CLASS", class, "MESSAGE", "%s%s%s",
                    dev != NULL ? dev->id : "", dev != NULL ? ": " : "", message);
}

void
vmm_log_message (VmmMachine *machine G_GNUC_UNUSED, VmmDevice *dev, GLogLevelFlags level, const char *format, ...)
{
  va_list args;
  g_autofree char *message = NULL;

  va_start (args, format);
  message = g_strdup_vprintf (format, args);
  va_end (args);
  log_structured (dev, "host", level, message);
}

void
vmm_guest_error (VmmDevice *dev, const char *format, ...)
{
  const guint per_second = 10;
  gint64 now_us = g_get_monotonic_time ();
  va_list args;
  g_autofree char *message = NULL;

  if (now_us - dev->guest_error_window_us > G_USEC_PER_SEC)
    {
      dev->guest_error_window_us = now_us;
      dev->guest_errors = 0;
    }
  if (dev->guest_errors++ >= per_second)
    return;

  va_start (args, format);
  message = g_strdup_vprintf (format, args);
  va_end (args);
  log_structured (dev, "guest", G_LOG_LEVEL_INFO, message);
}
