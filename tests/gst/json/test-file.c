/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The file below upijson: lines are whole or not there, whatever happens to the file and whoever else writes to it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gio/gio.h>
#include <glib/gstdio.h>

#include "gst/json/file.h"

#define SECOND G_USEC_PER_SEC

static const gchar *program; /* this one, to be another process */

typedef struct {
  gchar *folder, *path;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  f->folder = g_dir_make_tmp ("json-file-XXXXXX", &error);
  g_assert_no_error (error);
  f->path = g_build_filename (f->folder, "o.jsonl", NULL);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  g_autoptr (GDir) folder = g_dir_open (f->folder, 0, NULL);
  const gchar *name;
  while (folder != NULL && (name = g_dir_read_name (folder)) != NULL) {
    g_autofree gchar *path = g_build_filename (f->folder, name, NULL);
    g_unlink (path);
  }
  g_rmdir (f->folder);
  g_free (f->folder);
  g_free (f->path);
}

static GstUpiJsonFile *
open_file (const gchar *path, gboolean append)
{
  g_autoptr (GError) error = NULL;
  GstUpiJsonFile *file = gst_upi_json_file_open (path, append, &error);
  g_assert_no_error (error);
  return file;
}

static void
write_line (GstUpiJsonFile *file, const gchar *line, gint64 now)
{
  g_autoptr (GError) error = NULL;
  gboolean written = gst_upi_json_file_write (file, line, strlen (line), now, &error);
  g_assert_no_error (error);
  g_assert_true (written);
}

/* (transfer none) a code of G_FILE_ERROR */
static gint
write_error (GstUpiJsonFile *file, const gchar *line, gint64 now)
{
  g_autoptr (GError) error = NULL;
  g_assert_false (gst_upi_json_file_write (file, line, strlen (line), now, &error));
  g_assert_true (error != NULL && error->domain == G_FILE_ERROR);
  g_assert_cmpuint (strlen (error->message), >, 0);
  return error->code;
}

static void
assert_contents (const gchar *path, const gchar *expected)
{
  g_autofree gchar *text = NULL;
  gsize length;
  g_assert_true (g_file_get_contents (path, &text, &length, NULL));
  g_assert_cmpmem (text, length, expected, strlen (expected));
}

static void
test_start (Fixture *f, gconstpointer data)
{
  g_autofree gchar *other_name = g_build_filename (f->folder, "link", NULL);
  g_assert_true (g_file_set_contents (f->path, "old\n", -1, NULL));
  g_assert_cmpint (symlink (f->path, other_name), ==, 0);
  g_autoptr (GstUpiJsonFile) keeps = open_file (f->path, TRUE);
  write_line (keeps, "1\n", 0);
  g_clear_pointer (&keeps, gst_upi_json_file_close);
  assert_contents (f->path, "old\n1\n");
  /* the first one in the process empties it, not the second one, whatever it calls it */
  g_autoptr (GstUpiJsonFile) a = open_file (f->path, FALSE);
  write_line (a, "2\n", 0);
  g_autoptr (GstUpiJsonFile) b = open_file (other_name, FALSE);
  write_line (b, "3\n", 0);
  write_line (a, "4\n", 0);
  assert_contents (f->path, "2\n3\n4\n");
  g_clear_pointer (&a, gst_upi_json_file_close);
  g_autoptr (GstUpiJsonFile) again = open_file (f->path, FALSE);
  write_line (again, "5\n", 0);
  assert_contents (f->path, "2\n3\n4\n5\n");
}

static void
test_cut (Fixture *f, gconstpointer data)
{
  g_autoptr (GstUpiJsonFile) file = open_file (f->path, FALSE);
  write_line (file, "before\n", 0);
  g_assert_cmpint (truncate (f->path, 0), ==, 0); /* logrotate's copytruncate */
  write_line (file, "after\n", 0);
  assert_contents (f->path, "after\n");
}

static void
test_moved_and_removed (Fixture *f, gconstpointer data)
{
  g_autofree gchar *moved = g_strconcat (f->path, ".1", NULL);
  g_autoptr (GstUpiJsonFile) a = open_file (f->path, FALSE), b = open_file (f->path, FALSE);
  write_line (a, "1\n", 0);
  g_assert_cmpint (g_rename (f->path, moved), ==, 0); /* logrotate without copytruncate */
  write_line (a, "2\n", 0);
  write_line (b, "3\n", 0);
  assert_contents (moved, "1\n");
  assert_contents (f->path, "2\n3\n");
  g_assert_cmpint (g_unlink (f->path), ==, 0);
  write_line (b, "4\n", 0);
  write_line (a, "5\n", 0);
  assert_contents (f->path, "4\n5\n");
  /* with logrotate's create, which makes the new one itself */
  g_assert_cmpint (g_rename (f->path, moved), ==, 0);
  g_assert_true (g_file_set_contents (f->path, "", 0, NULL));
  write_line (a, "6\n", 0);
  assert_contents (f->path, "6\n");
}

static void
test_folder_gone (Fixture *f, gconstpointer data)
{
  g_autoptr (GstUpiJsonFile) file = open_file (f->path, FALSE);
  write_line (file, "1\n", 0);
  g_assert_cmpint (g_unlink (f->path), ==, 0);
  g_assert_cmpint (g_rmdir (f->folder), ==, 0);
  g_assert_cmpint (write_error (file, "2\n", 10 * SECOND), ==, G_FILE_ERROR_NOENT);
  g_assert_false (g_file_test (f->folder, G_FILE_TEST_EXISTS)); /* it is not ours to make */
  g_assert_cmpint (write_error (file, "3\n", 11 * SECOND - 1), ==, G_FILE_ERROR_AGAIN);
  g_assert_cmpint (write_error (file, "4\n", 11 * SECOND), ==, G_FILE_ERROR_NOENT);
  g_assert_cmpint (g_mkdir (f->folder, 0700), ==, 0);
  g_assert_cmpint (write_error (file, "5\n", 12 * SECOND - 1), ==, G_FILE_ERROR_AGAIN); /* once a second */
  write_line (file, "6\n", 12 * SECOND);
  write_line (file, "7\n", 12 * SECOND);
  assert_contents (f->path, "6\n7\n");
}

/* A line that does not fit is not there at all, and later ones are, when there is room: a limit of the process is a
 * small disk. */
static void
test_full (Fixture *f, gconstpointer data)
{
  struct rlimit before, small = { .rlim_cur = 10 };
  g_autoptr (GstUpiJsonFile) file = open_file (f->path, FALSE);
  gint codes[2];

  write_line (file, "123456\n", 0);
  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &before), ==, 0);
  small.rlim_max = before.rlim_max;
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &small), ==, 0);
  codes[0] = write_error (file, "abcdef\n", 0); /* three bytes of it fit */
  codes[1] = write_error (file, "ghijkl\n", 0);
  g_autoptr (GError) error = NULL;
  gboolean fits = gst_upi_json_file_write (file, "89\n", 3, 0, &error);
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &before), ==, 0);
  g_assert_cmpint (codes[0], ==, codes[1]);
  g_assert_true (fits);
  write_line (file, "mnopqr\n", 0);
  assert_contents (f->path, "123456\n89\nmnopqr\n");
}

static void
test_locked (Fixture *f, gconstpointer data)
{
  g_autoptr (GstUpiJsonFile) file = open_file (f->path, FALSE);
  gint fd = open (f->path, O_RDWR);
  g_assert_cmpint (flock (fd, LOCK_EX), ==, 0);
  g_assert_cmpint (write_error (file, "1\n", 0), ==, G_FILE_ERROR_FAILED);
  g_assert_cmpint (write_error (file, "2\n", SECOND - 1), ==, G_FILE_ERROR_AGAIN); /* it does not wait at every line */
  close (fd);
  write_line (file, "3\n", SECOND);
  assert_contents (f->path, "3\n");
}

#define N_LINES 200
#define LENGTH 6000 /* longer than what a pipe takes at once */

static gchar *
line_of (gchar letter)
{
  gchar *line = g_strnfill (LENGTH, letter);
  line[LENGTH - 1] = '\n';
  return line;
}

static gpointer
write_many (gpointer data)
{
  const gchar *path = (const gchar *) data + 1;
  g_autofree gchar *line = line_of (*(const gchar *) data);
  g_autoptr (GstUpiJsonFile) file = open_file (path, TRUE);
  for (guint i = 0; i < N_LINES; i++)
    write_line (file, line, 0);
  return NULL;
}

/* @n writers' lines, each whole. */
static void
assert_whole (const gchar *text, gsize length, guint n)
{
  guint count[26] = { 0 };
  g_assert_cmpuint (length, ==, (gsize) n * N_LINES * LENGTH);
  for (gsize at = 0; at < length; at += LENGTH) {
    for (guint i = 0; i < LENGTH - 1; i++)
      if (text[at + i] != text[at])
        g_error ("line %" G_GSIZE_FORMAT " is of %c and %c", at / LENGTH, text[at], text[at + i]);
    g_assert_cmpint (text[at + LENGTH - 1], ==, '\n');
    count[text[at] - 'a']++;
  }
  for (guint i = 0; i < n; i++)
    g_assert_cmpuint (count[i], ==, N_LINES);
}

static void
test_threads (Fixture *f, gconstpointer data)
{
  g_autofree gchar *a = g_strconcat ("a", f->path, NULL), *b = g_strconcat ("b", f->path, NULL), *text = NULL;
  GThread *threads[] = { g_thread_new ("a", write_many, a), g_thread_new ("b", write_many, b) };
  gsize length;
  g_thread_join (threads[0]);
  g_thread_join (threads[1]);
  g_assert_true (g_file_get_contents (f->path, &text, &length, NULL));
  assert_whole (text, length, 2);
}

static void
test_processes (Fixture *f, gconstpointer data)
{
  g_autofree gchar *text = NULL, *a = g_strconcat ("a", f->path, NULL);
  GSubprocess *others[2];
  gsize length;

  for (guint i = 0; i < 2; i++) {
    g_autofree gchar *what = g_strdup_printf ("%c%s", 'b' + i, f->path);
    others[i] = g_subprocess_new (G_SUBPROCESS_FLAGS_NONE, NULL, program, "--write", what, NULL);
    g_assert_nonnull (others[i]);
  }
  write_many (a);
  for (guint i = 0; i < 2; i++) {
    g_assert_true (g_subprocess_wait_check (others[i], NULL, NULL));
    g_object_unref (others[i]);
  }
  g_assert_true (g_file_get_contents (f->path, &text, &length, NULL));
  assert_whole (text, length, 3);
}

static gsize
drain (gint fd, gchar *bytes, gsize size)
{
  gsize n = 0;
  gssize got;
  while (n < size && (got = read (fd, bytes + n, size - n)) > 0)
    n += (gsize) got;
  return n;
}

static void
test_pipe (Fixture *f, gconstpointer data)
{
  gchar bytes[16];
  g_assert_cmpint (mkfifo (f->path, 0600), ==, 0);
  g_autoptr (GstUpiJsonFile) file = open_file (f->path, FALSE); /* nobody reads yet, nobody is held */
  write_error (file, "0\n", 0);
  for (guint reader = 0; reader < 2; reader++) {
    gint fd = open (f->path, O_RDONLY | O_NONBLOCK);
    write_line (file, "1\n", 0);
    write_line (file, "2\n", 0);
    g_assert_cmpuint (drain (fd, bytes, sizeof bytes), ==, 4);
    g_assert_cmpmem (bytes, 4, "1\n2\n", 4);
    close (fd); /* the reader goes: an error, no signal that ends the process */
    write_error (file, "3\n", 0);
    write_error (file, "4\n", 0);
  }
}

static gpointer
flush_it (gpointer file)
{
  gst_upi_json_file_set_flushing (file, TRUE);
  return NULL;
}

/* Nobody reads, and a flush comes into a line: it frees the writer, and the line is ended before the next one. */
static void
test_flush (Fixture *f, gconstpointer data)
{
  g_autofree gchar *line = line_of ('a'), *bytes = g_malloc (1 << 20);
  g_autoptr (GError) error = NULL;
  gsize n = 0, got;
  guint whole = 1;

  g_assert_cmpint (mkfifo (f->path, 0600), ==, 0);
  gint fd = open (f->path, O_RDONLY | O_NONBLOCK);
  g_autoptr (GstUpiJsonFile) a = open_file (f->path, FALSE), b = open_file (f->path, FALSE);
  g_assert_true (gst_upi_json_file_write (a, line, LENGTH, 0, &error)); /* the flush may come before any other */
  GThread *flusher = g_thread_new ("flush", flush_it, a);
  while (gst_upi_json_file_write (a, line, LENGTH, 0, &error)) /* until the flush, with the pipe full or not */
    whole++;
  g_assert_no_error (error);
  g_thread_join (flusher);
  gst_upi_json_file_set_flushing (a, FALSE);
  while ((got = drain (fd, bytes + n, (1 << 20) - n)) > 0)
    n += got;
  write_line (b, "b\n", 0); /* of another element */
  n += drain (fd, bytes + n, (1 << 20) - n);
  close (fd);
  g_assert_cmpuint (n, ==, whole * LENGTH + 2);
  g_assert_cmpmem (bytes + n - 3, 3, "\nb\n", 3);
}

/* An element that is stopped does not wait for another one that waits for the reader. */
static gpointer
block_on_pipe (gpointer file)
{
  g_autofree gchar *line = line_of ('a');
  while (gst_upi_json_file_write (file, line, LENGTH, 0, NULL))
    continue;
  return NULL;
}

static void
test_stop_behind_another (Fixture *f, gconstpointer data)
{
  g_assert_cmpint (mkfifo (f->path, 0600), ==, 0);
  gint fd = open (f->path, O_RDONLY | O_NONBLOCK);
  g_autoptr (GstUpiJsonFile) a = open_file (f->path, FALSE), b = open_file (f->path, FALSE);
  GThread *first = g_thread_new ("first", block_on_pipe, a), *second = g_thread_new ("second", block_on_pipe, b);
  gst_upi_json_file_set_flushing (b, TRUE);
  g_thread_join (second);
  gst_upi_json_file_set_flushing (a, TRUE);
  g_thread_join (first);
  close (fd);
}

/* `… location=- > o.jsonl`, which is cut meanwhile; and what the process prints is not in the middle of a line. */
static void
test_standard_output (Fixture *f, gconstpointer data)
{
  g_autofree gchar *command = g_strdup_printf ("exec '%s' --print '%s' > '%s'", program, f->path, f->path);
  g_autoptr (GSubprocess) other = g_subprocess_new (G_SUBPROCESS_FLAGS_NONE, NULL, "/bin/sh", "-c", command, NULL);
  g_assert_true (g_subprocess_wait_check (other, NULL, NULL));
  assert_contents (f->path, "printed\nafter\n");
}

static int
print_as_process (const gchar *path)
{
  g_autoptr (GstUpiJsonFile) file = open_file ("-", FALSE);
  write_line (file, "before\n", 0);
  g_assert_cmpint (truncate (path, 0), ==, 0);
  fputs ("printed\n", stdout); /* which stdio keeps for later */
  write_line (file, "after\n", 0);
  return 0;
}

int
main (int argc, char **argv)
{
  program = argv[0];
  gst_init (&argc, &argv);
  if (argc == 3 && strcmp (argv[1], "--write") == 0)
    return write_many (argv[2]) != NULL;
  if (argc == 3 && strcmp (argv[1], "--print") == 0)
    return print_as_process (argv[2]);
  g_test_init (&argc, &argv, NULL);
#define ADD(name, test) g_test_add ("/json-file/" name, Fixture, NULL, set_up, test, tear_down)
  ADD ("start", test_start);
  ADD ("cut", test_cut);
  ADD ("moved-and-removed", test_moved_and_removed);
  ADD ("folder-gone", test_folder_gone);
  ADD ("full", test_full);
  ADD ("locked", test_locked);
  ADD ("threads", test_threads);
  ADD ("processes", test_processes);
  ADD ("pipe", test_pipe);
  ADD ("flush", test_flush);
  ADD ("stop-behind-another", test_stop_behind_another);
  ADD ("standard-output", test_standard_output);
  return g_test_run ();
}
