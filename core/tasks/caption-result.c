/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * caption-result.c: UpiCaption: what came of a caption's ticket: texts, their scores, the words that the regions answer
 * for. */
#include "core/tasks/caption.h"

#include <math.h>

static void
clear_text (gpointer data)
{
  UpiCaptionText *text = data;

  g_free (text->text);
  for (guint i = 0; i < text->n_words; i++)
    g_free (text->words[i].objects);
  g_free (text->words);
}

UpiCaption *
upi_caption_new (guint n)
{
  UpiCaption *caption = g_new0 (UpiCaption, 1);

  caption->ref_count = 1;
  caption->n_texts = n;
  caption->texts = g_new0 (UpiCaptionText, n);
  for (guint i = 0; i < n; i++)
    caption->texts[i].likelihood = caption->texts[i].support = caption->texts[i].cosine = caption->texts[i].score = NAN;
  return caption;
}

UpiCaption *
upi_caption_ref (UpiCaption *caption)
{
  g_atomic_int_inc (&caption->ref_count);
  return caption;
}

void
upi_caption_unref (UpiCaption *caption)
{
  if (!g_atomic_int_dec_and_test (&caption->ref_count))
    return;
  for (guint i = 0; i < caption->n_texts; i++)
    clear_text (&caption->texts[i]);
  g_free (caption->texts);
  g_free (caption);
}
