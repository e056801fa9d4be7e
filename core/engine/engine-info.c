/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an open engine says of itself: model and device, the options in which it differs from those asked for, whether
 * an encoding and labels are its own, the input size nearest to a picture's aspect, its counters. */
#include "core/engine/engine-private.h"
#include "core/model/letterbox.h"

const UpiEngineInfo *
upi_engine_info (const UpiEngine *engine)
{
  return &engine->info;
}

gchar *
upi_engine_options_conflict (const UpiEngine *engine, const UpiEngineOptions *asked)
{
  UpiEngineOptions known;
  const UpiEngineOptions *options = &known;
  g_autoptr (GError) error = NULL;

  if (!upi_sized_read (&known, sizeof known, asked, UPI_SIZED_FIRST (UpiEngineOptions, cuda_context_data),
          "UpiEngineOptions", &error))
    return g_strdup (error->message);

  const UpiEngineInfo *info = &engine->info;
  guint per_frame = MAX (options->threads_per_frame, 1);
  guint workers = options->threads ? MAX (options->threads / per_frame, 1) : info->workers;
  g_autoptr (GString) text = g_string_new (NULL);

  if (workers != info->workers)
    g_string_append_printf (text, ", %u workers (asked for: %u)", info->workers, workers);
  if (options->threads_per_frame && per_frame != info->threads_per_frame)
    g_string_append_printf (text, ", %u threads per frame (asked for: %u)", info->threads_per_frame, per_frame);
  if (options->batch_size && options->batch_size != info->batch_size)
    g_string_append_printf (text, ", batch size %u (asked for: %u)", info->batch_size, options->batch_size);
  if (options->batch_timeout_us && options->batch_timeout_us != engine->batch_timeout_us)
    g_string_append_printf (text, ", batch timeout %" G_GUINT64_FORMAT " µs (asked for: %" G_GUINT64_FORMAT ")",
        engine->batch_timeout_us, options->batch_timeout_us);
  if (text->len == 0)
    return NULL;
  return g_strdup_printf ("the engine of model %s on %s is already open and keeps its own options: %s; another "
                          "model-instance-id opens another"
                          " engine",
      info->model_name, info->device, text->str + 2);
}

void
upi_engine_nearest_size (
    const UpiEngine *engine, guint display_width, guint display_height, guint *width, guint *height)
{
  const UpiEngineInfo *info = &engine->info;
  gdouble aspect = (gdouble) MAX (display_width, 1) / MAX (display_height, 1), best = G_MAXDOUBLE;
  guint chosen = 0;

  if (engine->config->input.short_side > 0) {
    upi_letterbox_input (engine->config, display_width, display_height, width, height);
    return;
  }
  for (guint i = 0; i < info->n_sizes; i++) {
    /* The ratio of the aspects, whichever is larger: twice as wide is as far off as twice as high. */
    gdouble ratio = engine->config->input.aspects[i] / aspect;
    gdouble off = MAX (ratio, 1 / ratio);
    guint area = info->sizes[i][0] * info->sizes[i][1];

    if (2 * area > 3 * info->sizes[0][0] * info->sizes[0][1])
      continue;
    if (off < best - 1e-9 || (off < best + 1e-9 && area < info->sizes[chosen][0] * info->sizes[chosen][1])) {
      best = off;
      chosen = i;
    }
  }
  *width = info->sizes[chosen][0];
  *height = info->sizes[chosen][1];
}

void
upi_engine_get_stats (UpiEngine *engine, UpiEngineStats *result)
{
  UpiEngineStats known = { .size = sizeof known }, *stats = &known;
  UpiQueue *queue = engine->queue;
  UpiCounters *counters = &queue->counters;

  stats->encoded = (gsize) g_atomic_pointer_get (&counters->encoded);
  stats->failed = (gsize) g_atomic_pointer_get (&counters->failed);
  stats->cancelled = (gsize) g_atomic_pointer_get (&counters->cancelled);
  stats->captions = (gsize) g_atomic_pointer_get (&counters->captions);
  stats->caption_tokens = (gsize) g_atomic_pointer_get (&counters->caption_tokens);
  stats->text_cache_hits = (gsize) g_atomic_pointer_get (&counters->text_hits);
  stats->text_cache_misses = (gsize) g_atomic_pointer_get (&counters->text_misses);
  stats->convert_us = (gsize) g_atomic_pointer_get (&counters->convert_us);
  stats->infer_us = (gsize) g_atomic_pointer_get (&counters->infer_us);
  stats->caption_us = (gsize) g_atomic_pointer_get (&counters->caption_us);
  stats->image_runs = (gsize) g_atomic_pointer_get (&counters->image_runs);
  stats->still = (gsize) g_atomic_pointer_get (&counters->still);
  stats->workers = engine->info.workers;
  stats->model_bytes = upi_model_bytes (engine->model);
  stats->encodings_alive = g_atomic_int_get (&engine->pool->alive);
  stats->encodings_pooled = upi_pool_spare (engine->pool);
  stats->context_bytes = (gsize) g_atomic_pointer_get (&engine->context_bytes);
  g_mutex_lock (&queue->lock);
  stats->queue_length = queue->waiting.length;
  g_mutex_unlock (&queue->lock);
  if (!upi_sized_write (result, UPI_SIZED_FIRST (UpiEngineStats, image_runs), stats, sizeof *stats))
    g_critical ("UpiEngineStats.size is %" G_GSIZE_FORMAT ": set it to sizeof (UpiEngineStats)", result->size);
}
