/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* label-encoder.c: see label-encoder.h. */
#include "gst/labels/label-encoder.h"

/* A list of so many labels takes long enough for a word about it, at each of so many steps. */
#define LONG_LIST 256
#define STEPS 20

struct _GstUpiLabelEncoder {
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

static void label_encoder_encode (GstUpiLabelEncoder *encoder);

static void
label_encoder_clear (gpointer data)
{
  GstUpiLabelEncoder *encoder = data;
  g_clear_pointer (&encoder->words, gst_upi_words_unref);
  g_clear_pointer (&encoder->labels, upi_labels_unref);
  g_clear_pointer (&encoder->engine, upi_engine_unref);
  g_clear_error (&encoder->error);
  g_mutex_clear (&encoder->lock);
  g_cond_clear (&encoder->changed);
}

GstUpiLabelEncoder *
gst_upi_label_encoder_new (void)
{
  GstUpiLabelEncoder *encoder = g_atomic_rc_box_new0 (GstUpiLabelEncoder);
  g_mutex_init (&encoder->lock);
  g_cond_init (&encoder->changed);
  encoder->wanted = 1;
  return encoder;
}

void
gst_upi_label_encoder_unref (GstUpiLabelEncoder *encoder)
{
  g_atomic_rc_box_release_full (encoder, label_encoder_clear);
}

/* A wish has ended. Begins the next one when the words changed meanwhile: of many changes in a row only the last is
 * encoded. */
static void
label_encoder_finish (GstUpiLabelEncoder *encoder, UpiLabels *labels, GError *error)
{
  g_autoptr (UpiLabels) old = NULL;
  g_autoptr (GError) old_error = NULL;

  g_mutex_lock (&encoder->lock);
  UpiTicket *ticket = g_steal_pointer (&encoder->ticket);
  encoder->tried = encoder->running;
  if (labels != NULL) {
    old = encoder->labels;
    encoder->labels = labels;
  }
  old_error = encoder->error;
  encoder->error = error;
  gboolean again = encoder->wanted != encoder->running && !encoder->stopping;
  if (again) { /* whatever became of the older one */
    encoder->running = encoder->wanted;
    g_clear_error (&encoder->error);
  } else {
    encoder->running = 0;
  }
  encoder->done = encoder->total = encoder->told = 0;
  g_cond_broadcast (&encoder->changed);
  g_mutex_unlock (&encoder->lock);
  g_clear_pointer (&ticket, upi_ticket_unref);
  if (again)
    label_encoder_encode (encoder);
}

/* Lock held. Whether it is time to say how far the running wish is. */
static gboolean
has_news (const GstUpiLabelEncoder *encoder)
{
  return encoder->total >= LONG_LIST && encoder->done - encoder->told >= encoder->total / STEPS;
}

/* UpiProgressFunc. From a worker, which touches no element: the streaming thread says it. */
static void
labels_progress (guint done, guint total, gpointer user_data)
{
  GstUpiLabelEncoder *encoder = user_data;

  g_mutex_lock (&encoder->lock);
  encoder->total = total;
  encoder->done = MAX (encoder->done, done);
  if (has_news (encoder))
    g_cond_broadcast (&encoder->changed);
  g_mutex_unlock (&encoder->lock);
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
      "%u of %u labels are longer than the %u tokens (words or parts of words) that the model's text encoder takes: "
      "only their beginnings "
      "count. Shorten them; the first is label %u, \"%s…\".",
      n_cut, upi_labels_count (labels), max_tokens, first + 1, beginning);
}

/* UpiTicketFunc */
static void
labels_done (UpiTicket *ticket, gpointer user_data)
{
  GstUpiLabelEncoder *encoder = user_data;
  UpiLabels *labels = upi_ticket_get_labels (ticket);
  GError *error = NULL;

  if (labels == NULL && upi_ticket_wait (ticket, &error))
    error = g_error_new_literal (UPI_ERROR, UPI_ERROR_FAILED, "The engine finished a list of labels without a result");
  else if (labels != NULL)
    error = check_lengths (encoder->engine, labels); /* which stays: stop () waits for running == 0 */
  label_encoder_finish (encoder, labels, error);
  gst_upi_label_encoder_unref (encoder);
}

/* Encodes the wish in encoder->running, which the caller has set; the lock is free. */
static void
label_encoder_encode (GstUpiLabelEncoder *encoder)
{
  GError *error = NULL;
  UpiTicket *ticket = NULL;

  g_mutex_lock (&encoder->lock);
  UpiEngine *engine = encoder->engine; /* stays: stop () waits for running == 0 */
  g_autoptr (GstUpiWords) words = encoder->words != NULL ? gst_upi_words_ref (encoder->words) : NULL;
  guint wish = encoder->running = encoder->wanted;
  g_mutex_unlock (&encoder->lock);

  const UpiEngineInfo *info = upi_engine_info (engine);
  const gchar *const *list = words != NULL ? gst_upi_words_get (words) : info->labels;
  if (list == NULL || list[0] == NULL)
    error = g_error_new (UPI_ERROR, UPI_ERROR_ARGUMENT,
        "Model \"%s\" has no list of classes of its own: set upidetect's \"labels\" or \"labels-file\".",
        info->model_name);
  else
    ticket = upi_engine_encode_labels_with_progress (engine, list,
        words != NULL ? gst_upi_words_get_thresholds (words) : NULL, labels_progress, labels_done,
        g_atomic_rc_box_acquire (encoder), &error);
  if (ticket == NULL) {
    if (list != NULL && list[0] != NULL)
      gst_upi_label_encoder_unref (encoder); /* the callback's */
    label_encoder_finish (encoder, NULL, error);
    return;
  }
  g_mutex_lock (&encoder->lock);
  gboolean cancel = encoder->running == wish && (encoder->stopping || encoder->wanted != wish);
  if (encoder->running == wish && encoder->ticket == NULL)
    encoder->ticket = upi_ticket_ref (ticket);
  g_mutex_unlock (&encoder->lock);
  if (cancel)
    upi_ticket_cancel (ticket);
  upi_ticket_unref (ticket);
}

void
gst_upi_label_encoder_want (GstUpiLabelEncoder *encoder, GstUpiWords *words)
{
  g_autoptr (GstUpiWords) old = NULL;

  g_mutex_lock (&encoder->lock);
  old = encoder->words;
  encoder->words = words != NULL ? gst_upi_words_ref (words) : NULL;
  encoder->wanted++;
  gboolean begin = encoder->engine != NULL && encoder->running == 0 && !encoder->stopping;
  if (begin)
    encoder->running = encoder->wanted;
  UpiTicket *ticket = encoder->ticket != NULL ? upi_ticket_ref (encoder->ticket) : NULL; /* of an older wish */
  g_mutex_unlock (&encoder->lock);
  if (ticket != NULL) {
    upi_ticket_cancel (ticket);
    upi_ticket_unref (ticket);
  }
  if (begin)
    label_encoder_encode (encoder);
}

void
gst_upi_label_encoder_stop (GstUpiLabelEncoder *encoder)
{
  g_mutex_lock (&encoder->lock);
  encoder->stopping = TRUE;
  UpiTicket *ticket = encoder->ticket != NULL ? upi_ticket_ref (encoder->ticket) : NULL;
  g_mutex_unlock (&encoder->lock);
  if (ticket != NULL) {
    upi_ticket_cancel (ticket);
    upi_ticket_unref (ticket);
  }
  g_mutex_lock (&encoder->lock);
  while (encoder->running != 0)
    g_cond_wait (&encoder->changed, &encoder->lock);
  UpiEngine *engine = g_steal_pointer (&encoder->engine);
  UpiLabels *labels = g_steal_pointer (&encoder->labels);
  g_clear_error (&encoder->error);
  encoder->tried = 0;
  encoder->stopping = FALSE;
  g_mutex_unlock (&encoder->lock);
  g_clear_pointer (&labels, upi_labels_unref);
  g_clear_pointer (&engine, upi_engine_unref);
}

void
gst_upi_label_encoder_set_flushing (GstUpiLabelEncoder *encoder, gboolean flushing)
{
  g_mutex_lock (&encoder->lock);
  encoder->flushing = flushing;
  g_cond_broadcast (&encoder->changed);
  g_mutex_unlock (&encoder->lock);
}

/* Lock held, and let go of meanwhile. */
static void
tell (GstUpiLabelEncoder *encoder, gboolean waits, GstUpiLabelProgress progress, gpointer user_data)
{
  guint done = encoder->told = encoder->done, total = encoder->total;

  g_mutex_unlock (&encoder->lock);
  progress (done, total, waits, user_data);
  g_mutex_lock (&encoder->lock);
}

UpiLabels *
gst_upi_label_encoder_get (GstUpiLabelEncoder *encoder, UpiEngine *engine, gboolean wait, GstUpiLabelProgress progress,
    gpointer user_data, GError **error)
{
  g_mutex_lock (&encoder->lock);
  gboolean other = encoder->engine != engine;
  g_mutex_unlock (&encoder->lock);
  if (other) { /* the first frame, or one from another encoder */
    gst_upi_label_encoder_stop (encoder);
    g_mutex_lock (&encoder->lock);
    encoder->engine = upi_engine_ref (engine);
    encoder->running = encoder->wanted;
    g_mutex_unlock (&encoder->lock);
    label_encoder_encode (encoder);
  }
  g_mutex_lock (&encoder->lock);
  while (wait && encoder->labels == NULL && encoder->running != 0 && !encoder->flushing)
    if (has_news (encoder))
      tell (encoder, TRUE, progress, user_data);
    else
      g_cond_wait (&encoder->changed, &encoder->lock);
  if (has_news (encoder))
    tell (encoder, FALSE, progress, user_data);
  UpiLabels *labels = encoder->labels != NULL ? upi_labels_ref (encoder->labels) : NULL;
  if (encoder->error != NULL)
    g_propagate_error (error, g_steal_pointer (&encoder->error));
  g_mutex_unlock (&encoder->lock);
  return labels;
}
