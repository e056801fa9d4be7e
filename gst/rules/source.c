/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* source.c: where the rules come from; see source.h. */
#include "gst/rules/source.h"

#include <glib/gstdio.h>
#include <string.h>

#include "core/upi.h"

/* What tells one state of a file from another. */
typedef struct {
  gboolean exists;
  guint64 device, inode, size;
  gint64 seconds, nanoseconds;
} FileState;

struct _RulesSource {
  GMutex lock;
  gchar *path, *text; /* nullable; at most one */
  gboolean changed;   /* another was set since it was read */
  FileState read;     /* the file that was read, or could not be */
  FileState seen;     /* when it was looked at last */
};

RulesSource *
rules_source_new (void)
{
  RulesSource *source = g_new0 (RulesSource, 1);

  g_mutex_init (&source->lock);
  return source;
}

void
rules_source_free (RulesSource *source)
{
  g_free (source->path);
  g_free (source->text);
  g_mutex_clear (&source->lock);
  g_free (source);
}

static void
set (RulesSource *source, const gchar *path, const gchar *text)
{
  g_mutex_lock (&source->lock);
  g_free (source->path);
  g_free (source->text);
  source->path = g_strdup (path);
  source->text = g_strdup (text);
  source->changed = TRUE;
  g_mutex_unlock (&source->lock);
}

void
rules_source_set_file (RulesSource *source, const gchar *path)
{
  set (source, path, NULL);
}

void
rules_source_set_text (RulesSource *source, const gchar *text)
{
  set (source, NULL, text);
}

gchar *
rules_source_get_file (RulesSource *source)
{
  g_mutex_lock (&source->lock);
  gchar *path = g_strdup (source->path);
  g_mutex_unlock (&source->lock);
  return path;
}

gchar *
rules_source_get_text (RulesSource *source)
{
  g_mutex_lock (&source->lock);
  gchar *text = g_strdup (source->text);
  g_mutex_unlock (&source->lock);
  return text;
}

static FileState
look_at (const gchar *path)
{
  GStatBuf status;
  FileState state;

  memset (&state, 0, sizeof state); /* padding too: states are compared as bytes */
  if (g_stat (path, &status) != 0)
    return state;
  state.exists = TRUE;
  state.device = (guint64) status.st_dev;
  state.inode = (guint64) status.st_ino;
  state.size = (guint64) status.st_size;
  state.seconds = (gint64) status.st_mtim.tv_sec;
  state.nanoseconds = (gint64) status.st_mtim.tv_nsec;
  return state;
}

/* Lock held. */
static Rules *
read_now (RulesSource *source, GError **error)
{
  source->changed = FALSE;
  if (source->path != NULL) {
    source->read = source->seen = look_at (source->path); /* before: what is written meanwhile is read next time */
    return rules_load (source->path, NULL, error);
  }
  if (source->text != NULL)
    return rules_parse (source->text, strlen (source->text), "rules", error);
  g_set_error_literal (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
      "There are no rules: set property \"rules-file\" to the path of a JSON file of rules, or \"rules\" to its text");
  return NULL;
}

Rules *
rules_source_read (RulesSource *source, GError **error)
{
  g_mutex_lock (&source->lock);
  Rules *rules = read_now (source, error);
  g_mutex_unlock (&source->lock);
  return rules;
}

/* Lock held. */
static gboolean
has_other_file (RulesSource *source)
{
  FileState before = source->seen;

  if (source->path == NULL)
    return FALSE;
  source->seen = look_at (source->path);
  return source->seen.exists && memcmp (&source->seen, &before, sizeof before) == 0
      && memcmp (&source->seen, &source->read, sizeof before) != 0;
}

Rules *
rules_source_poll (RulesSource *source, GError **error)
{
  Rules *rules = NULL;

  g_mutex_lock (&source->lock);
  if (source->changed || has_other_file (source))
    rules = read_now (source, error);
  g_mutex_unlock (&source->lock);
  return rules;
}
