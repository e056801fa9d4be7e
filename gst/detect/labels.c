/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* labels.c: the class list of upidetect; see labels.h. */
#include "gst/detect/labels.h"

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

/* A list of so many labels takes long enough for a word about it, at each of so many steps. */
#define LONG_LIST 256
#define STEPS 20
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
      g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT, "Label %u of property \"%s\" has %" G_GSIZE_FORMAT " bytes; expected at most %d.",
          i + 1, name, strlen (word), MAX_WORD_BYTES);
      return NULL;
    }
    if (*word != '\0')
      g_ptr_array_add (words->words, g_strdup (word));
  }
  if (words->words->len == 0 || words->words->len > MAX_WORDS) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
        "Property \"%s\" is \"%.100s\", which has %u labels in it; expected 1 to %u separated by commas (\"person, red car\").", name, text,
        words->words->len, MAX_WORDS);
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
          "Line %u of labels file \"%s\" has \"%.40s\" behind its tab; expected a threshold from 0 to 1.", number, path, text);
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
        "Line %u of labels file \"%s\" has %" G_GSIZE_FORMAT " bytes; expected a label of at most %d.", number, path, strlen (line),
        MAX_WORD_BYTES);
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
  gint fd = g_open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0), failure = 0; /* without it a pipe that nobody writes into would hold us */
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

/* The end of the line at @text: its CR, LF or CR LF, or the NUL; @next is where the next line begins, NULL behind the last. */
static gchar *
line_end (gchar *text, gchar **next)
{
  gchar *end = text + strcspn (text, "\r\n");

  *next = *end == '\0' ? NULL : end + (end[0] == '\r' && end[1] == '\n' ? 2 : 1);
  return end;
}

/* Of the line that @position is in, from 1. */
static guint
line_number (const gchar *text, const gchar *position)
{
  guint n = 1;

  for (const gchar *c = text; c < position; c++)
    n += *c == '\n' ? c == text || c[-1] != '\r' : *c == '\r';
  return n;
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
    g_set_error (
        error, UPI_ERROR, UPI_ERROR_ARGUMENT, "Line %u of labels file \"%s\" is not UTF-8 text.", line_number (text, invalid), path);
    return NULL;
  }

  g_autofree gchar *copy = g_strndup (text, bytes->len);
  words->thresholds = g_array_new (FALSE, FALSE, sizeof (gfloat));
  guint number = 1;
  for (gchar *next, *line = g_str_has_prefix (copy, "\xEF\xBB\xBF") ? copy + 3 : copy; line != NULL; line = next, number++) {
    *line_end (line, &next) = '\0';
    if (!add_line (words, line, path, number, error))
      return NULL;
  }
  if (words->words->len == 0 || words->words->len > MAX_WORDS) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT, "Labels file \"%s\" has %u labels in it; expected 1 to %u, one a line.", path,
        words->words->len, MAX_WORDS);
    return NULL;
  }
  g_ptr_array_add (words->words, NULL);
  return g_steal_pointer (&words);
}

/* ---- labeller -------------------------------------------------------------------------------------------------------------------- */

struct _GstUpiLabeller {
  GMutex lock;
  GCond changed;
  UpiEngine *engine;  /* the one that encodes; nullable */
  GstUpiWords *words; /* wanted; NULL = the model's own */
  guint wanted;       /* counts wishes */
  guint running;      /* the wish that is being encoded, 0 = none */
  guint tried;        /* the last wish that ended, well or not */
  UpiTicket *ticket;
  guint done, total, told; /* labels of the running wish: encoded, all, and how many when it was last said */
  UpiLabels *labels;       /* of the newest wish that ended well */
  GError *error;           /* of the last wish, or what of its list does not count, not told yet */
  gboolean flushing, stopping;
};

static void labeller_encode (GstUpiLabeller *labeller);

static void
labeller_clear (gpointer data)
{
  GstUpiLabeller *labeller = data;
  g_clear_pointer (&labeller->words, gst_upi_words_unref);
  g_clear_pointer (&labeller->labels, upi_labels_unref);
  g_clear_pointer (&labeller->engine, upi_engine_unref);
  g_clear_error (&labeller->error);
  g_mutex_clear (&labeller->lock);
  g_cond_clear (&labeller->changed);
}

GstUpiLabeller *
gst_upi_labeller_new (void)
{
  GstUpiLabeller *labeller = g_atomic_rc_box_new0 (GstUpiLabeller);
  g_mutex_init (&labeller->lock);
  g_cond_init (&labeller->changed);
  labeller->wanted = 1;
  return labeller;
}

void
gst_upi_labeller_unref (GstUpiLabeller *labeller)
{
  g_atomic_rc_box_release_full (labeller, labeller_clear);
}

/* A wish has ended. Begins the next one when the words changed meanwhile: of many changes in a row only the last is encoded. */
static void
labeller_finish (GstUpiLabeller *labeller, UpiLabels *labels, GError *error)
{
  g_autoptr (UpiLabels) old = NULL;
  g_autoptr (GError) old_error = NULL;

  g_mutex_lock (&labeller->lock);
  UpiTicket *ticket = g_steal_pointer (&labeller->ticket);
  labeller->tried = labeller->running;
  if (labels != NULL) {
    old = labeller->labels;
    labeller->labels = labels;
  }
  old_error = labeller->error;
  labeller->error = error;
  gboolean again = labeller->wanted != labeller->running && !labeller->stopping;
  if (again) { /* whatever became of the older one */
    labeller->running = labeller->wanted;
    g_clear_error (&labeller->error);
  } else {
    labeller->running = 0;
  }
  labeller->done = labeller->total = labeller->told = 0;
  g_cond_broadcast (&labeller->changed);
  g_mutex_unlock (&labeller->lock);
  g_clear_pointer (&ticket, upi_ticket_unref);
  if (again)
    labeller_encode (labeller);
}

/* Lock held. Whether it is time to say how far the running wish is. */
static gboolean
has_news (const GstUpiLabeller *labeller)
{
  return labeller->total >= LONG_LIST && labeller->done - labeller->told >= labeller->total / STEPS;
}

/* UpiProgressFunc. From a worker, which touches no element: the streaming thread says it. */
static void
labels_progress (guint done, guint total, gpointer user_data)
{
  GstUpiLabeller *labeller = user_data;

  g_mutex_lock (&labeller->lock);
  labeller->total = total;
  labeller->done = MAX (labeller->done, done);
  if (has_news (labeller))
    g_cond_broadcast (&labeller->changed);
  g_mutex_unlock (&labeller->lock);
}

/* What the list says that the text encoder does not take. */
static GError *
check_lengths (UpiEngine *engine, const UpiLabels *labels)
{
  guint first = 0, max_tokens = 0, n_cut = upi_engine_cut_labels (engine, labels, &first, &max_tokens);

  if (n_cut == 0)
    return NULL;
  const gchar *text = upi_labels_name (labels, first);
  g_autofree gchar *beginning = g_utf8_substring (text, 0, MIN (g_utf8_strlen (text, -1), 40));
  return g_error_new (UPI_ERROR, UPI_ERROR_ARGUMENT,
      "%u of %u labels are longer than the %u tokens (words or parts of words) that the model's text encoder takes: only their beginnings "
      "count. Shorten them; the first is label %u, \"%s…\".",
      n_cut, upi_labels_count (labels), max_tokens, first + 1, beginning);
}

/* UpiTicketFunc */
static void
labels_done (UpiTicket *ticket, gpointer user_data)
{
  GstUpiLabeller *labeller = user_data;
  UpiLabels *labels = upi_ticket_get_labels (ticket);
  GError *error = NULL;

  if (labels == NULL && upi_ticket_wait (ticket, &error))
    error = g_error_new_literal (UPI_ERROR, UPI_ERROR_FAILED, "The engine finished a list of labels without a result");
  else if (labels != NULL)
    error = check_lengths (labeller->engine, labels); /* which stays: stop () waits for running == 0 */
  labeller_finish (labeller, labels, error);
  gst_upi_labeller_unref (labeller);
}

/* Encodes the wish in labeller->running, which the caller has set; the lock is free. */
static void
labeller_encode (GstUpiLabeller *labeller)
{
  GError *error = NULL;
  UpiTicket *ticket = NULL;

  g_mutex_lock (&labeller->lock);
  UpiEngine *engine = labeller->engine; /* stays: stop () waits for running == 0 */
  g_autoptr (GstUpiWords) words = labeller->words != NULL ? gst_upi_words_ref (labeller->words) : NULL;
  guint wish = labeller->running = labeller->wanted;
  g_mutex_unlock (&labeller->lock);

  const UpiEngineInfo *info = upi_engine_info (engine);
  const gchar *const *list = words != NULL ? gst_upi_words_get (words) : info->labels;
  if (list == NULL || list[0] == NULL)
    error = g_error_new (UPI_ERROR, UPI_ERROR_ARGUMENT,
        "Model \"%s\" has no list of classes of its own: set upidetect's \"labels\" or \"labels-file\".", info->model_name);
  else
    ticket = upi_engine_encode_labels_with_progress (engine, list, words != NULL ? gst_upi_words_get_thresholds (words) : NULL,
        labels_progress, labels_done, g_atomic_rc_box_acquire (labeller), &error);
  if (ticket == NULL) {
    if (list != NULL && list[0] != NULL)
      gst_upi_labeller_unref (labeller); /* the callback's */
    labeller_finish (labeller, NULL, error);
    return;
  }
  g_mutex_lock (&labeller->lock);
  gboolean cancel = labeller->running == wish && (labeller->stopping || labeller->wanted != wish);
  if (labeller->running == wish && labeller->ticket == NULL)
    labeller->ticket = upi_ticket_ref (ticket);
  g_mutex_unlock (&labeller->lock);
  if (cancel)
    upi_ticket_cancel (ticket);
  upi_ticket_unref (ticket);
}

void
gst_upi_labeller_want (GstUpiLabeller *labeller, GstUpiWords *words)
{
  g_autoptr (GstUpiWords) old = NULL;

  g_mutex_lock (&labeller->lock);
  old = labeller->words;
  labeller->words = words != NULL ? gst_upi_words_ref (words) : NULL;
  labeller->wanted++;
  gboolean begin = labeller->engine != NULL && labeller->running == 0 && !labeller->stopping;
  if (begin)
    labeller->running = labeller->wanted;
  UpiTicket *ticket = labeller->ticket != NULL ? upi_ticket_ref (labeller->ticket) : NULL; /* of an older wish */
  g_mutex_unlock (&labeller->lock);
  if (ticket != NULL) {
    upi_ticket_cancel (ticket);
    upi_ticket_unref (ticket);
  }
  if (begin)
    labeller_encode (labeller);
}

void
gst_upi_labeller_stop (GstUpiLabeller *labeller)
{
  g_mutex_lock (&labeller->lock);
  labeller->stopping = TRUE;
  UpiTicket *ticket = labeller->ticket != NULL ? upi_ticket_ref (labeller->ticket) : NULL;
  g_mutex_unlock (&labeller->lock);
  if (ticket != NULL) {
    upi_ticket_cancel (ticket);
    upi_ticket_unref (ticket);
  }
  g_mutex_lock (&labeller->lock);
  while (labeller->running != 0)
    g_cond_wait (&labeller->changed, &labeller->lock);
  UpiEngine *engine = g_steal_pointer (&labeller->engine);
  UpiLabels *labels = g_steal_pointer (&labeller->labels);
  g_clear_error (&labeller->error);
  labeller->tried = 0;
  labeller->stopping = FALSE;
  g_mutex_unlock (&labeller->lock);
  g_clear_pointer (&labels, upi_labels_unref);
  g_clear_pointer (&engine, upi_engine_unref);
}

void
gst_upi_labeller_set_flushing (GstUpiLabeller *labeller, gboolean flushing)
{
  g_mutex_lock (&labeller->lock);
  labeller->flushing = flushing;
  g_cond_broadcast (&labeller->changed);
  g_mutex_unlock (&labeller->lock);
}

/* Lock held, and let go of meanwhile. */
static void
tell (GstUpiLabeller *labeller, gboolean waits, GstUpiLabellerProgress progress, gpointer user_data)
{
  guint done = labeller->told = labeller->done, total = labeller->total;

  g_mutex_unlock (&labeller->lock);
  progress (done, total, waits, user_data);
  g_mutex_lock (&labeller->lock);
}

UpiLabels *
gst_upi_labeller_get (
    GstUpiLabeller *labeller, UpiEngine *engine, gboolean wait, GstUpiLabellerProgress progress, gpointer user_data, GError **error)
{
  g_mutex_lock (&labeller->lock);
  gboolean other = labeller->engine != engine;
  g_mutex_unlock (&labeller->lock);
  if (other) { /* the first frame, or one from another encoder */
    gst_upi_labeller_stop (labeller);
    g_mutex_lock (&labeller->lock);
    labeller->engine = upi_engine_ref (engine);
    labeller->running = labeller->wanted;
    g_mutex_unlock (&labeller->lock);
    labeller_encode (labeller);
  }
  g_mutex_lock (&labeller->lock);
  while (wait && labeller->labels == NULL && labeller->running != 0 && !labeller->flushing)
    if (has_news (labeller))
      tell (labeller, TRUE, progress, user_data);
    else
      g_cond_wait (&labeller->changed, &labeller->lock);
  if (has_news (labeller))
    tell (labeller, FALSE, progress, user_data);
  UpiLabels *labels = labeller->labels != NULL ? upi_labels_ref (labeller->labels) : NULL;
  if (labeller->error != NULL)
    g_propagate_error (error, g_steal_pointer (&labeller->error));
  g_mutex_unlock (&labeller->lock);
  return labels;
}
