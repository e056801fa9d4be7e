/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * file.c: lines of JSON into a file that is rotated, cut, removed, full or shared; see file.h. */
#include "gst/json/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#define RETRY_US G_USEC_PER_SEC /* between two looks for a folder that is gone */
#define LOCK_TRIES 300          /* of a millisecond: other processes hold the lock for the time of a write */

/* A file that is open in this process, by device and inode. */
typedef struct {
  guint n_holds;
  dev_t device;
  ino_t inode;
  gint fd;
  gboolean is_regular, is_standard_output;
  gboolean busy; /* somebody writes */
  GString *rest; /* of a line that a flush came into: only pipes */
} OpenFile;

/* Under the lock: the list, and in each file all but the descriptor. */
static struct {
  GMutex lock;
  GCond changed;
  GSList *files; /* of OpenFile */
} registry;

struct _GstUpiJsonFile {
  gchar *path;    /* NULL: standard output */
  OpenFile *file; /* NULL while it cannot be opened */
  gint64 retry_at, locked_until;
  gboolean is_pipe;  /* what was at the path last */
  GstPoll *poll;     /* of @file's descriptor, and of flushing */
  gboolean flushing; /* under the registry's lock */
};

static void
set_error (GError **error, gint code, const gchar *text)
{
  g_set_error_literal (error, G_FILE_ERROR, g_file_error_from_errno (code == EDQUOT ? ENOSPC : code),
      text != NULL ? text : g_strerror (code));
}

/* write() whose errors come back as errors: without the signals of a pipe that nobody reads and of a file above the
 * process's limit. */
static gssize
write_quietly (gint fd, const gchar *bytes, gsize n)
{
  const struct timespec at_once = { 0, 0 };
  sigset_t quiet, before, pending, ours;

  sigemptyset (&quiet);
  sigaddset (&quiet, SIGPIPE);
  sigaddset (&quiet, SIGXFSZ);
  sigpending (&pending);
  pthread_sigmask (SIG_BLOCK, &quiet, &before);
  gssize written = write (fd, bytes, n);
  gint code = errno;
  sigemptyset (&ours); /* those that this write raised */
  if (written < 0 && code == EPIPE && !sigismember (&pending, SIGPIPE))
    sigaddset (&ours, SIGPIPE);
  if (written < 0 && code == EFBIG && !sigismember (&pending, SIGXFSZ))
    sigaddset (&ours, SIGXFSZ);
  sigtimedwait (&ours, NULL, &at_once);
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  errno = code;
  return written;
}

/* FALSE: another process holds it. A file system without locks has none to wait for. */
static gboolean
lock_file (gint fd)
{
  for (guint i = 0; i < LOCK_TRIES; i++) {
    if (flock (fd, LOCK_EX | LOCK_NB) == 0 || (errno != EWOULDBLOCK && errno != EINTR))
      return TRUE;
    g_usleep (1000);
  }
  return FALSE;
}

/* The process's file of that descriptor, which it takes or closes. Lock held. */
static OpenFile *
find_or_add (gint fd, const struct stat *status, gboolean is_standard_output, gboolean *is_new)
{
  for (GSList *l = registry.files; l != NULL; l = l->next) {
    OpenFile *open = l->data;
    if (open->device != status->st_dev || open->inode != status->st_ino)
      continue;
    if (!is_standard_output)
      close (fd);
    open->n_holds++;
    *is_new = FALSE;
    return open;
  }
  OpenFile *open = g_new0 (OpenFile, 1);
  *open = (OpenFile){ .n_holds = 1,
    .device = status->st_dev,
    .inode = status->st_ino,
    .fd = fd,
    .is_regular = S_ISREG (status->st_mode),
    .is_standard_output = is_standard_output,
    .rest = g_string_new (NULL) };
  registry.files = g_slist_prepend (registry.files, open);
  *is_new = TRUE;
  return open;
}

static void
let_go (GstUpiJsonFile *file)
{
  g_mutex_lock (&registry.lock);
  OpenFile *open = g_steal_pointer (&file->file);
  gboolean last = open != NULL && --open->n_holds == 0;
  if (last)
    registry.files = g_slist_remove (registry.files, open);
  g_mutex_unlock (&registry.lock);
  if (!last)
    return;
  if (!open->is_standard_output)
    close (open->fd);
  g_string_free (open->rest, TRUE);
  g_free (open);
}

/* Opens what is at the path now, or makes it. 0, or why not (an errno). */
static gint
open_path (GstUpiJsonFile *file, gboolean append)
{
  struct stat status;
  gboolean is_new;
  /* Without O_NONBLOCK a pipe that nobody reads would hold us here. */
  gint fd = file->path == NULL
      ? STDOUT_FILENO
      : g_open (file->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);

  file->is_pipe = fd < 0 && errno == ENXIO;
  if (fd < 0 || fstat (fd, &status) != 0) {
    gint code = errno;
    if (fd >= 0 && file->path != NULL)
      close (fd);
    return code;
  }
  g_mutex_lock (&registry.lock);
  file->file = find_or_add (fd, &status, file->path == NULL, &is_new);
  /* Under the registry's lock, so that nobody in the process has written a line yet. */
  if (is_new && !append && file->path != NULL && file->file->is_regular && lock_file (fd)) {
    if (ftruncate (fd, 0) != 0)
      GST_WARNING ("\"%s\" cannot be cut: %s", file->path, g_strerror (errno));
    flock (fd, LOCK_UN);
  }
  g_mutex_unlock (&registry.lock);
  return 0;
}

GstUpiJsonFile *
gst_upi_json_file_open (const gchar *path, gboolean append, GError **error)
{
  g_autoptr (GstUpiJsonFile) file = g_new0 (GstUpiJsonFile, 1);

  file->path = g_str_equal (path, "-") ? NULL : g_strdup (path);
  file->poll = gst_poll_new (TRUE);
  gint code = open_path (file, append);
  if (code != 0 && !file->is_pipe) { /* a pipe's reader may come later */
    set_error (error, code, NULL);
    return NULL;
  }
  return g_steal_pointer (&file);
}

void
gst_upi_json_file_close (GstUpiJsonFile *file)
{
  let_go (file);
  g_clear_pointer (&file->poll, gst_poll_free);
  g_free (file->path);
  g_free (file);
}

/* The file at the path: the one that is open, or another one since it was moved, removed or replaced. 0, or why there
 * is none. */
static gint
follow_path (GstUpiJsonFile *file, gint64 now)
{
  struct stat status;

  if (now < file->locked_until)
    return EAGAIN;
  if (file->path == NULL)
    return 0;
  if (file->file != NULL && stat (file->path, &status) == 0 && status.st_dev == file->file->device
      && status.st_ino == file->file->inode)
    return 0;
  if (file->file != NULL)
    file->retry_at = now;
  let_go (file);
  if (now < file->retry_at && !file->is_pipe)
    return EAGAIN;
  file->retry_at = now + RETRY_US;
  return open_path (file, TRUE);
}

/* A turn at the file. FALSE: flushing. */
static gboolean
begin (GstUpiJsonFile *file)
{
  g_mutex_lock (&registry.lock);
  while (file->file->busy && !file->flushing)
    g_cond_wait (&registry.changed, &registry.lock);
  gboolean taken = !file->flushing;
  if (taken)
    file->file->busy = TRUE;
  g_mutex_unlock (&registry.lock);
  return taken;
}

static void
end (GstUpiJsonFile *file)
{
  g_mutex_lock (&registry.lock);
  file->file->busy = FALSE;
  g_cond_broadcast (&registry.changed);
  g_mutex_unlock (&registry.lock);
}

/* To the end of a file of the disk, under the lock of all processes; cut back when the disk is full in the middle of
 * the line. An errno. */
static gint
append_line (GstUpiJsonFile *file, const gchar *line, gsize length)
{
  gint fd = file->file->fd, code = 0;
  struct stat status;
  gsize done = 0;

  if (!lock_file (fd))
    return EBUSY;
  if (fstat (fd, &status) != 0)
    code = errno;
  off_t start = status.st_size;
  if (code == 0 && file->file->is_standard_output)
    lseek (fd, 0, SEEK_END);
  while (code == 0 && done < length) {
    gssize n = write_quietly (fd, line + done, length - done);
    if (n > 0)
      done += (gsize) n;
    else if (n == 0 || errno != EINTR)
      code = n == 0 ? ENOSPC : errno;
  }
  if (code != 0 && done > 0 && fstat (fd, &status) == 0) {
    /* Whoever cut the file meanwhile left nothing but what we wrote since. */
    off_t keep = status.st_size >= start + (off_t) done ? start : 0;
    if (ftruncate (fd, keep) != 0)
      GST_WARNING ("half a line cannot be taken back: %s", g_strerror (errno));
  }
  flock (fd, LOCK_UN);
  return code;
}

/* Blocks until the descriptor takes bytes. FALSE: flushing. */
static gboolean
wait_writable (GstUpiJsonFile *file)
{
  GstPollFD fd = GST_POLL_FD_INIT;
  gint n;

  fd.fd = file->file->fd;
  gst_poll_add_fd (file->poll, &fd);
  gst_poll_fd_ctl_write (file->poll, &fd, TRUE);
  do
    n = gst_poll_wait (file->poll, GST_CLOCK_TIME_NONE);
  while (n < 0 && (errno == EINTR || errno == EAGAIN));
  gst_poll_remove_fd (file->poll, &fd);
  return n >= 0 || errno != EBUSY;
}

/* Into a pipe, a terminal, a socket: as fast as it is read, in pieces that it takes at once. An errno; ECANCELED:
 * flushing. */
static gint
send_bytes (GstUpiJsonFile *file, const gchar *bytes, gsize length, gsize *done)
{
  for (*done = 0; *done < length;) {
    if (!wait_writable (file))
      return ECANCELED;
    gssize n = write_quietly (file->file->fd, bytes + *done, MIN (length - *done, PIPE_BUF));
    if (n > 0)
      *done += (gsize) n;
    else if (n < 0 && errno != EINTR && errno != EAGAIN)
      return errno;
  }
  return 0;
}

static gint
send_line (GstUpiJsonFile *file, const gchar *line, gsize length)
{
  GString *rest = file->file->rest;
  gsize done;
  gint code;

  if (rest->len > 0) { /* of a line that a flush came into */
    code = send_bytes (file, rest->str, rest->len, &done);
    g_string_erase (rest, 0, (gssize) done);
    if (code != 0)
      return code;
  }
  code = send_bytes (file, line, length, &done);
  if (code == ECANCELED && done > 0) {
    g_string_append_len (rest, line + done, (gssize) (length - done));
    code = 0;
  }
  return code;
}

/* Between what the process prints with stdio, not in the middle of it. */
static gint
print_line (GstUpiJsonFile *file, const gchar *line, gsize length)
{
  gboolean locked = ftrylockfile (stdout) == 0;
  gint code = 0;

  if (file->file->is_regular) /* the shell opened it, perhaps not to append, and it may have been cut since */
    lseek (file->file->fd, 0, SEEK_END);
  else if (locked && !wait_writable (file))
    code = ECANCELED;
  if (code == 0 && locked)
    fflush (stdout);
  if (code == 0)
    code = file->file->is_regular ? append_line (file, line, length) : send_line (file, line, length);
  if (locked)
    funlockfile (stdout);
  return code;
}

gboolean
gst_upi_json_file_write (GstUpiJsonFile *file, const gchar *line, gsize length, gint64 now, GError **error)
{
  gint code = follow_path (file, now);

  if (code != 0) {
    set_error (error, code,
        code == ENXIO        ? "nobody reads the pipe"
            : code == EAGAIN ? "it could not be a moment ago"
                             : NULL);
    return FALSE;
  }
  if (!begin (file))
    return FALSE;
  if (file->file->is_standard_output)
    code = print_line (file, line, length);
  else
    code = file->file->is_regular ? append_line (file, line, length) : send_line (file, line, length);
  end (file);
  if (code == ECANCELED)
    return FALSE;
  if (code == EPIPE && file->path != NULL) { /* the next reader gets whole lines */
    g_string_truncate (file->file->rest, 0);
    file->is_pipe = TRUE;
    let_go (file);
  }
  if (code == EBUSY)
    file->locked_until = now + RETRY_US;
  if (code != 0)
    set_error (error, code, code == EBUSY ? "another process holds its lock (flock)" : NULL);
  return code == 0;
}

void
gst_upi_json_file_set_flushing (GstUpiJsonFile *file, gboolean flushing)
{
  gst_poll_set_flushing (file->poll, flushing);
  g_mutex_lock (&registry.lock);
  file->flushing = flushing;
  g_cond_broadcast (&registry.changed);
  g_mutex_unlock (&registry.lock);
}
