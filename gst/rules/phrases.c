/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* phrases.c: how probably the rules' sentences are true of a frame; see phrases.h. */
#include "gst/rules/phrases.h"

#include <math.h>

#include "gst/labels/label-encoder.h"
#include "gst/rules/attach.h"

struct _GstUpiPhrases {
  GstUpiLabelEncoder *encoder;
  gchar **texts;         /* nullable; of the rules */
  gfloat *probabilities; /* one a text */
  UpiEncoding *encoding; /* nullable: what they are of */
  UpiLabels *labels;     /* nullable: the same */
};

GstUpiPhrases *
gst_upi_phrases_new (void)
{
  GstUpiPhrases *phrases = g_new0 (GstUpiPhrases, 1);

  phrases->encoder = gst_upi_label_encoder_new ();
  return phrases;
}

void
gst_upi_phrases_free (GstUpiPhrases *phrases)
{
  gst_upi_phrases_forget (phrases);
  gst_upi_label_encoder_unref (phrases->encoder);
  g_strfreev (phrases->texts);
  g_free (phrases->probabilities);
  g_free (phrases);
}

void
gst_upi_phrases_take_rules (GstUpiPhrases *phrases, const Rules *rules)
{
  g_auto (GStrv) texts = gst_upi_rules_phrases (rules);

  gst_upi_phrases_forget (phrases);
  if (phrases->texts != NULL && g_strv_equal ((const gchar *const *) texts, (const gchar *const *) phrases->texts))
    return;
  g_strfreev (phrases->texts);
  g_free (phrases->probabilities);
  phrases->texts = g_steal_pointer (&texts);
  phrases->probabilities = g_new (gfloat, g_strv_length (phrases->texts) + 1);
  if (phrases->texts[0] == NULL)
    return;
  g_autoptr (GstUpiWords) words = gst_upi_words_new ((const gchar *const *) phrases->texts);
  gst_upi_label_encoder_want (phrases->encoder, words);
}

gboolean
gst_upi_phrases_any (const GstUpiPhrases *phrases)
{
  return phrases->texts != NULL && phrases->texts[0] != NULL;
}

gboolean
gst_upi_phrases_can (UpiEngine *engine, const Rules *rules, GError **error)
{
  if (engine == NULL || upi_engine_info (engine)->independent_scores)
    return TRUE;
  for (guint i = 0; i < rules->rules->len; i++) {
    const Rule *rule = rules->rules->pdata[i];
    if (rule->kind != RULE_PHRASE)
      continue;
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
        "Rule \"%s\" is a phrase, and model \"%s\" was not calibrated: it cannot say of one sentence how probably it "
        "is true. Use a model "
        "whose "
        "config.json has \"calibration\", or take the rule out.",
        rule->name, upi_engine_info (engine)->model_name);
    return FALSE;
  }
  return TRUE;
}

static void
no_progress (guint done, guint total, gboolean waits, gpointer user_data)
{
}

/* The list may still be that of the rules before: sentences are found by what they say. */
static void
pick (GstUpiPhrases *phrases, const gfloat *of_labels)
{
  guint n = upi_labels_count (phrases->labels);

  for (guint i = 0; phrases->texts[i] != NULL; i++) {
    phrases->probabilities[i] = NAN;
    for (guint k = 0; k < n; k++)
      if (g_str_equal (upi_labels_name (phrases->labels, k), phrases->texts[i]))
        phrases->probabilities[i] = of_labels[k];
  }
}

gboolean
gst_upi_phrases_classify (GstUpiPhrases *phrases, const GstUpiFilterFrame *frame, const gfloat **probabilities,
    GError **warning, GError **error)
{
  const UpiClassifyOptions options = { .size = sizeof (UpiClassifyOptions), .scores = UPI_SCORES_INDEPENDENT };

  *probabilities = NULL;
  if (frame->encoding == NULL || !gst_upi_phrases_any (phrases))
    return TRUE;
  UpiEngine *engine = upi_encoding_engine (frame->encoding);
  g_autoptr (GError) reason = NULL;
  g_autoptr (UpiLabels) labels =
      gst_upi_label_encoder_get (phrases->encoder, engine, frame->may_wait, no_progress, NULL, &reason);
  if (reason != NULL)
    g_propagate_error (labels != NULL ? warning : error, g_steal_pointer (&reason));
  if (labels == NULL) /* none ever; none yet, or a flush */
    return error == NULL || *error == NULL;
  if (phrases->encoding != frame->encoding || phrases->labels != labels) {
    g_autofree gfloat *of_labels = g_new (gfloat, upi_labels_count (labels));
    gst_upi_phrases_forget (phrases);
    if (!upi_engine_classify_with_options (engine, frame->encoding, labels, &options, of_labels, error))
      return FALSE;
    phrases->encoding = upi_encoding_ref (frame->encoding);
    phrases->labels = g_steal_pointer (&labels);
    pick (phrases, of_labels);
  }
  *probabilities = phrases->probabilities;
  return TRUE;
}

void
gst_upi_phrases_forget (GstUpiPhrases *phrases)
{
  g_clear_pointer (&phrases->encoding, upi_encoding_unref);
  g_clear_pointer (&phrases->labels, upi_labels_unref);
}

void
gst_upi_phrases_stop (GstUpiPhrases *phrases)
{
  gst_upi_phrases_forget (phrases);
  gst_upi_label_encoder_stop (phrases->encoder);
}

void
gst_upi_phrases_set_flushing (GstUpiPhrases *phrases, gboolean flushing)
{
  gst_upi_label_encoder_set_flushing (phrases->encoder, flushing);
}
