/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* words.c: see words.h. */
#include "gst/labels/words.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "core/upi.h"

/* A label file is text that people write; more is a wrong file. */
#define MAX_FILE_BYTES (16u << 20)
#define MAX_WORDS 100000
#define MAX_WORD_BYTES 16384 /* the engine's limit too */
#define PIPE_TIMEOUT_MS 5000

struct _GstUpiWords {
  GPtrArray *words;   /* of gchar *, NULL-terminated */
  GArray *thresholds; /* of gfloat; nullable */
};

static GstUpiWords *
words_new (void)
{
  GstUpiWords *words = g_atomic_rc_box_new0 (GstUpiWords);
  words->words = g_ptr_array_new_with_free_func (g_free);
  return words;
}

static void
words_clear (gpointer data)
{
  GstUpiWords *words = data;
  g_ptr_array_unref (words->words);
  g_clear_pointer (&words->thresholds, g_array_unref);
}

GstUpiWords *
gst_upi_words_new (const gchar *const *texts)
{
  GstUpiWords *words = words_new ();

  for (guint i = 0; texts[i] != NULL; i++)
    g_ptr_array_add (words->words, g_strdup (texts[i]));
  g_ptr_array_add (words->words, NULL);
  return words;
}

GstUpiWords *
gst_upi_words_ref (GstUpiWords *words)
{
  return g_atomic_rc_box_acquire (words);
}

void
gst_upi_words_unref (GstUpiWords *words)
{
  g_atomic_rc_box_release_full (words, words_clear);
}

const gchar *const *
gst_upi_words_get (const GstUpiWords *words)
{
  return (const gchar *const *) words->words->pdata;
}

const gfloat *
gst_upi_words_get_thresholds (const GstUpiWords *words)
{
  return words->thresholds != NULL ? (const gfloat *) words->thresholds->data : NULL;
}

GstUpiWords *
gst_upi_words_parse (const gchar *text, const gchar *name, GError **error)
{
  g_autoptr (GstUpiWords) words = words_new ();

  if (!g_utf8_validate (text, -1, NULL)) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT, "Property \"%s\" is not UTF-8.", name);
    return NULL;
  }
  g_auto (GStrv) parts = g_strsplit (text, ",", -1);
  for (guint i = 0; parts[i] != NULL; i++) {
    const gchar *word = g_strstrip (parts[i]);
    if (strlen (word) > MAX_WORD_BYTES) {
      g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
          "Label %u of property \"%s\" has %" G_GSIZE_FORMAT " bytes; expected at most %d.", i + 1, name, strlen (word),
          MAX_WORD_BYTES);
      return NULL;
    }
    if (*word != '\0')
      g_ptr_array_add (words->words, g_strdup (word));
  }
  if (words->words->len == 0 || words->words->len > MAX_WORDS) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
        "Property \"%s\" is \"%.100s\", which has %u labels in it; expected 1 to %u separated by commas (\"person, red "
        "car\").",
        name, text, words->words->len, MAX_WORDS);
    return NULL;
  }
  g_ptr_array_add (words->words, NULL);
  return g_steal_pointer (&words);
}

/* "label" or "label<tab>0.4". FALSE and an error for a threshold that is none. */
static gboolean
add_line (GstUpiWords *words, gchar *line, const gchar *path, guint number, GError **error)
{
  gfloat threshold = NAN;
  gchar *tab = strchr (line, '\t');

  if (tab != NULL) {
    gchar *text = g_strstrip (tab + 1), *end = NULL;
    gdouble value = g_ascii_strtod (text, &end);
    if (*text != '\0' && (end == text || *end != '\0' || !(value >= 0 && value <= 1))) {
      g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
          "Line %u of labels file \"%s\" has \"%.40s\" behind its tab; expected a threshold from 0 to 1.", number, path,
          text);
      return FALSE;
    }
    if (*text != '\0')
      threshold = (gfloat) value;
    *tab = '\0';
  }
  g_strstrip (line);
  if (*line == '\0')
    return TRUE;
  if (strlen (line) > MAX_WORD_BYTES) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
        "Line %u of labels file \"%s\" has %" G_GSIZE_FORMAT " bytes; expected a label of at most %d.", number, path,
        strlen (line), MAX_WORD_BYTES);
    return FALSE;
  }
  g_ptr_array_add (words->words, g_strdup (line));
  g_array_append_val (words->thresholds, threshold);
  return TRUE;
}

/* Waits for bytes of a pipe whose writer takes its time, or has not come yet. */
static gboolean
wait_for_bytes (gint fd)
{
  GPollFD poll = { .fd = fd, .events = G_IO_IN };

  return g_poll (&poll, 1, PIPE_TIMEOUT_MS) > 0;
}

/* Reads up to the limit: the path may be a device or a pipe without an end. NULL and why. */
static GByteArray *
read_file (const gchar *path, gchar **why)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  guint8 chunk[4096];
  struct stat status;
  gint fd = g_open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0),
       failure = 0; /* without it a pipe that nobody writes into would hold us */
  gssize n;

  if (fd < 0) {
    *why = g_strdup (g_strerror (errno));
    return NULL;
  }
  gboolean is_pipe = fstat (fd, &status) == 0 && S_ISFIFO (status.st_mode);
  if (is_pipe && !wait_for_bytes (fd))
    failure = ETIMEDOUT;
  while (failure == 0 && (n = read (fd, chunk, sizeof chunk)) != 0) {
    if (n > 0 && bytes->len > MAX_FILE_BYTES)
      failure = EFBIG;
    else if (n > 0)
      g_byte_array_append (bytes, chunk, (guint) n);
    else if (errno == EAGAIN && !wait_for_bytes (fd))
      failure = ETIMEDOUT;
    else if (errno != EAGAIN && errno != EINTR)
      failure = errno;
  }
  close (fd);
  if (failure == 0)
    return g_steal_pointer (&bytes);
  *why = failure == EFBIG    ? g_strdup_printf ("it has more than %u MiB", MAX_FILE_BYTES >> 20)
      : failure == ETIMEDOUT ? g_strdup_printf ("nothing came out of it for %d seconds", PIPE_TIMEOUT_MS / 1000)
                             : g_strdup (g_strerror (failure));
  return NULL;
}

/* How many bytes end a line at @text, of which @n bytes are there: CR, LF, CR LF and Unicode's other line ends (VT, FF,
 * NEL, LS, PS). 0: none. */
static gsize
line_end_bytes (const gchar *text, gsize n)
{
  if (n >= 2 && text[0] == '\r' && text[1] == '\n')
    return 2;
  if (n >= 1 && *text >= '\n' && *text <= '\r')
    return 1;
  if (n >= 2 && memcmp (text, "\xC2\x85", 2) == 0)
    return 2;
  return n >= 3 && (memcmp (text, "\xE2\x80\xA8", 3) == 0 || memcmp (text, "\xE2\x80\xA9", 3) == 0) ? 3 : 0;
}

/* Ends the line at @text. Returns: where the next one begins, NULL behind the last. */
static gchar *
end_line (gchar *text, const gchar *end)
{
  for (gchar *c = text; c < end; c++) {
    const gsize bytes = line_end_bytes (c, (gsize) (end - c));

    if (bytes > 0) {
      *c = '\0';
      return c + bytes;
    }
  }
  return NULL;
}

/* Of the line that @position is in, from 1. */
static guint
line_number (const gchar *text, const gchar *position)
{
  guint n = 1;

  for (const gchar *c = text; c < position;) {
    const gsize bytes = line_end_bytes (c, (gsize) (position - c));

    n += bytes > 0;
    c += MAX (bytes, 1);
  }
  return n;
}

/* What bytes that are no UTF-8 probably are. */
static const gchar *
encoding_of (const gchar *text, gsize n)
{
  if (n >= 4 && (memcmp (text, "\xFF\xFE\0\0", 4) == 0 || memcmp (text, "\0\0\xFE\xFF", 4) == 0))
    return "UTF-32";
  if (n >= 2 && (memcmp (text, "\xFF\xFE", 2) == 0 || memcmp (text, "\xFE\xFF", 2) == 0))
    return "UTF-16";
  return memchr (text, '\0', n) != NULL ? "UTF-16, or no text" : "another encoding, such as Latin-1";
}

GstUpiWords *
gst_upi_words_load (const gchar *path, GError **error)
{
  g_autoptr (GstUpiWords) words = words_new ();
  g_autofree gchar *why = NULL;
  g_autoptr (GByteArray) bytes = read_file (path, &why);

  if (bytes == NULL) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT, "Labels file \"%s\" cannot be read: %s.", path, why);
    return NULL;
  }
  const gchar *text = bytes->len > 0 ? (const gchar *) bytes->data : "", *invalid = NULL;
  if (!g_utf8_validate_len (text, bytes->len, &invalid)) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
        "Line %u of labels file \"%s\" is not UTF-8 text: it has the byte 0x%02X. The file looks like %s: save it as "
        "UTF-8.",
        line_number (text, invalid), path, (guint) (guint8) *invalid, encoding_of (text, bytes->len));
    return NULL;
  }

  g_autofree gchar *copy = g_strndup (text, bytes->len);
  words->thresholds = g_array_new (FALSE, FALSE, sizeof (gfloat));
  guint number = 1;
  for (gchar *next, *line = g_str_has_prefix (copy, "\xEF\xBB\xBF") ? copy + 3 : copy; line != NULL;
       line = next, number++) {
    next = end_line (line, copy + bytes->len);
    if (!add_line (words, line, path, number, error))
      return NULL;
  }
  if (words->words->len == 0 || words->words->len > MAX_WORDS) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
        "Labels file \"%s\" has %u labels in it; expected 1 to %u, one a line.", path, words->words->len, MAX_WORDS);
    return NULL;
  }
  g_ptr_array_add (words->words, NULL);
  return g_steal_pointer (&words);
}
