/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tells of files that come, go or are replaced in some directories: one inotify instance. */
#include "model/watcher.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/inotify.h>
#include <unistd.h>

struct _LodgeWatcher {
  int fd; /* -1: the host has no inotify to give */
  guint source_id;
  GHashTable *directories; /* watch number -> path */
  LodgeWatcherFunc func;
  gpointer user_data;
};

static gboolean
lwat_on_events_cb (gint fd, GIOCondition condition, gpointer user_data)
{
  LodgeWatcher *self = user_data;
  _Alignas (struct inotify_event) char buffer[16384];
  ssize_t size = TEMP_FAILURE_RETRY (read (fd, buffer, sizeof buffer));

  for (char *p = buffer; size > 0 && p < buffer + size;)
    {
      const struct inotify_event *event = (const struct inotify_event *) p;
      const char *directory = g_hash_table_lookup (self->directories, GINT_TO_POINTER (event->wd));

      p += sizeof *event + event->len;
      if (event->mask & IN_IGNORED)
        g_hash_table_remove (self->directories, GINT_TO_POINTER (event->wd));
      else if (event->mask & IN_Q_OVERFLOW)
        self->func (NULL, NULL, self->user_data);
      else if (directory != NULL)
        {
          g_autofree char *copy = g_strdup (directory); /* the callback may remove the watch */

          self->func (copy, event->len > 0 ? event->name : NULL, self->user_data);
        }
    }
  return G_SOURCE_CONTINUE;
}

LodgeWatcher *
lodge_watcher_new (LodgeWatcherFunc func, gpointer user_data)
{
  LodgeWatcher *self = g_new0 (LodgeWatcher, 1);

  self->func = func;
  self->user_data = user_data;
  self->directories = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  self->fd = inotify_init1 (IN_CLOEXEC | IN_NONBLOCK);
  if (self->fd >= 0)
    self->source_id = g_unix_fd_add (self->fd, G_IO_IN, lwat_on_events_cb, self);
  return self;
}

void
lodge_watcher_free (LodgeWatcher *self)
{
  g_clear_handle_id (&self->source_id, g_source_remove);
  if (self->fd >= 0)
    close (self->fd);
  g_hash_table_unref (self->directories);
  g_free (self);
}

gboolean
lodge_watcher_add (LodgeWatcher *self, const char *directory)
{
  int wd = self->fd < 0 ? -1
                        : inotify_add_watch (self->fd, directory,
                                             IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR);

  if (wd < 0)
    return FALSE;
  g_hash_table_insert (self->directories, GINT_TO_POINTER (wd), g_strdup (directory));
  return TRUE;
}

void
lodge_watcher_remove (LodgeWatcher *self, const char *directory)
{
  GHashTableIter iter;
  gpointer wd, path;

  g_hash_table_iter_init (&iter, self->directories);
  while (g_hash_table_iter_next (&iter, &wd, &path))
    if (g_str_equal (path, directory))
      {
        inotify_rm_watch (self->fd, GPOINTER_TO_INT (wd));
        g_hash_table_iter_remove (&iter);
      }
}
