/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Engines: what a process shares. One for each (model path, device, instance id), opened once however many ask, freed
 * with the last user. */
#include "core/engine/engine-private.h"

#include <stdlib.h>

#define TEXT_CACHE_ENTRIES 4096

/* An engine that is being opened: those who ask meanwhile wait for the outcome. */
typedef struct {
  guint ref_count; /* under the registry's lock */
  gboolean finished;
  GError *error;
} Opening;

/* The one registry of the process. The tables exist while they hold something. */
static struct {
  GMutex lock;
  GCond changed;
  GHashTable *engines;  /* key → UpiEngine, not referenced: an engine leaves when its last user does */
  GHashTable *openings; /* key → Opening */
  guint reaping;        /* engines that are freed by a thread of their own */
  GPrivate is_worker;   /* set in the threads of any engine */
} registry;

void
upi_engine_enter_worker (void)
{
  g_private_set (&registry.is_worker, GINT_TO_POINTER (TRUE));
}

static void
engine_free (UpiEngine *engine)
{
  if (engine->queue != NULL)
    upi_queue_close (engine->queue);
  for (guint i = 0; engine->workers != NULL && i < engine->workers->len; i++) {
    UpiWorker *worker = engine->workers->pdata[i];

    if (worker->thread != NULL)
      g_thread_join (worker->thread);
    g_free (worker);
  }
  g_clear_pointer (&engine->workers, g_ptr_array_unref);
  if (engine->queue != NULL) { /* the locks below were made with it */
    upi_plans_clear (&engine->plans);
    upi_pool_unref (engine->pool);
    upi_text_cache_clear (&engine->cache);
    g_free (engine->own_labels);
    g_clear_pointer (&engine->known, upi_labels_unref);
    upi_queue_unref (engine->queue);
  }
  upi_steering_free (engine->steering);
  upi_grounding_free (engine->grounding);
  g_clear_pointer (&engine->tokenizer, upi_tokenizer_free);
  g_clear_pointer (&engine->model, upi_model_unref);
  g_free (engine->key);
  g_free (engine->name);
  g_free (engine->path);
  g_free (engine->device);
  g_free (engine->device_name);
  g_free (engine);
}

static void
end_reaping (void)
{
  g_mutex_lock (&registry.lock);
  registry.reaping--;
  g_cond_broadcast (&registry.changed);
  g_mutex_unlock (&registry.lock);
}

static gpointer
engine_free_thread (gpointer engine)
{
  engine_free (engine);
  end_reaping ();
  return NULL;
}

void
upi_engine_wait_reaped (void)
{
  g_mutex_lock (&registry.lock);
  while (registry.reaping > 0)
    g_cond_wait (&registry.changed, &registry.lock);
  g_mutex_unlock (&registry.lock);
}

/* A process that ends takes the libraries' state with it: not before an engine that is being freed has let go of
 * them. */
__attribute__ ((destructor)) static void
wait_idle_at_exit (void)
{
  gint64 deadline = g_get_monotonic_time () + 5 * G_USEC_PER_SEC;

  g_mutex_lock (&registry.lock);
  while (registry.reaping > 0)
    if (!g_cond_wait_until (&registry.changed, &registry.lock, deadline))
      break;
  g_mutex_unlock (&registry.lock);
}

/* A tokenizer that gives ids beyond the embedding table would read outside of it. */
static gboolean
check_vocabulary (UpiEngine *engine, GError **error)
{
  guint rows = engine->config->text.vocabulary, size = upi_tokenizer_size (engine->tokenizer);
  const gint32 *candidates = upi_model_caption_token_ids (engine->model);

  if (size > rows) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL,
        "%s: the tokenizer has %u tokens, the text encoder %u; are they of one model?", engine->path, size, rows);
    return FALSE;
  }
  for (guint i = 0; i < upi_model_vocabulary_size (engine->model); i++)
    if (candidates[i] < 0 || (guint) candidates[i] >= rows) {
      g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL, "%s: caption.token_ids[%u] is %d, expected 0 to %u", engine->path,
          i, candidates[i], rows - 1);
      return FALSE;
    }
  return TRUE;
}

/* The table of words, where the model has one. */
static gboolean
open_grounding (UpiEngine *engine, GError **error)
{
  g_autofree gchar *file = g_build_filename (engine->path, "config.json", NULL);

  if (engine->config->caption.grounding == NULL)
    return TRUE;
  engine->grounding = upi_grounding_new (engine->config->caption.grounding, engine->tokenizer, file, error);
  if (engine->grounding != NULL)
    engine->steering = upi_steering_new (
        engine->grounding, upi_model_caption_token_ids (engine->model), upi_model_vocabulary_size (engine->model));
  return engine->grounding != NULL;
}

/* A thread's first allocation maps an arena of its own, for a moment twice its size. Whoever asks next what memory is
 * left, or makes a thread, must not meet that: a worker has started when it has what it keeps. */
static void
wait_ready (UpiQueue *queue, const UpiWorker *worker)
{
  g_mutex_lock (&queue->lock);
  while (!worker->ready)
    g_cond_wait (&queue->changed, &queue->lock);
  g_mutex_unlock (&queue->lock);
}

static gboolean
start_workers (UpiEngine *engine, guint n, GError **error)
{
  engine->workers = g_ptr_array_new ();
  for (guint i = 0; i < n; i++) {
    UpiWorker *worker = g_new0 (UpiWorker, 1);
    g_autoptr (GError) cause = NULL;

    worker->engine = engine;
    g_ptr_array_add (engine->workers, worker);
    worker->thread = g_thread_try_new ("upi-worker", upi_worker_main, worker, &cause);
    if (worker->thread == NULL) {
      g_set_error (error, UPI_ERROR, UPI_ERROR_MEMORY, "worker %u of %u could not be started: %s; use fewer threads",
          i + 1, n, cause->message);
      return FALSE;
    }
    wait_ready (engine->queue, worker);
  }
  return TRUE;
}

/* What an engine is opened with: copied but for the options, which are the caller's. */
typedef struct {
  const UpiEngineOptions *options;
  gchar *key, *path, *device;
  const UpiBackend *backend;
  UpiContextOwner *owner; /* of options->cuda_context, if it has one */
} Request;

static UpiEngine *
engine_new (const Request *request, GError **error)
{
  const UpiEngineOptions *options = request->options;
  const UpiBackend *backend = request->backend;
  const gchar *path = request->path;
  UpiEngine *engine = g_new0 (UpiEngine, 1);
  guint threads = options->threads ? options->threads : upi_device_workers (backend);
  UpiEngineInfo *info = &engine->info;
  const UpiConfig *config;

  engine->ref_count = 1;
  engine->key = g_strdup (request->key);
  engine->path = g_strdup (path);
  engine->device = g_strdup (request->device);
  engine->device_name = upi_device_describe (backend, request->device);
  engine->backend = backend;
  engine->model = upi_model_open (path, error);
  if (engine->model == NULL)
    goto fail;
  engine->config = config = upi_model_config (engine->model);
  engine->name = g_strdup (config->name);
  engine->tokenizer = upi_tokenizer_open (path, config->text.tokenizer, config->text.lower_case, error);
  if (engine->tokenizer == NULL || !check_vocabulary (engine, error) || !open_grounding (engine, error)
      || !upi_engine_expect_memory (engine, error))
    goto fail;

  info->model_name = engine->name;
  info->model_path = engine->path;
  info->device = engine->device;
  info->device_name = engine->device_name;
  info->threads_per_frame = MAX (options->threads_per_frame, 1);
  info->workers = MAX (threads / info->threads_per_frame, 1);
  info->batch_size = MAX (options->batch_size, 1);
  info->n_sizes = config->input.n_sizes;
  info->sizes = (const guint (*)[2]) config->input.sizes;
  info->labels = (const gchar *const *) config->labels;
  info->threshold = config->threshold;
  info->width = config->decoder.width;
  info->max_regions = config->query.count;
  info->max_caption_tokens = config->caption.max_tokens;
  info->caption_candidates = config->caption.grounding != NULL ? config->caption.grounding->ranking.candidates : 0;
  info->independent_scores = config->has_calibration;

  engine->batch_timeout_us = options->batch_timeout_us;
  engine->infer = upi_worker_run;
  engine->queue = upi_queue_new (info->batch_size, options->batch_timeout_us);
  engine->queue->engine = engine;
  engine->queue->n_workers = info->workers;
  engine->queue->on_device = backend->has_device;
  upi_plans_init (&engine->plans, info->batch_size);
  engine->pool = upi_pool_new (backend, backend->has_device ? request->owner : NULL);
  upi_text_cache_init (&engine->cache, TEXT_CACHE_ENTRIES, info->width);
  if (!start_workers (engine, info->workers, error))
    goto fail;
  return engine;

fail:
  engine_free (engine);
  return NULL;
}

static void
wake_openers (GCancellable *cancellable, gpointer user_data)
{
  g_mutex_lock (&registry.lock);
  g_cond_broadcast (&registry.changed);
  g_mutex_unlock (&registry.lock);
}

/* The lock is held. */
static void
opening_unref (Opening *opening)
{
  if (--opening->ref_count > 0)
    return;
  g_clear_error (&opening->error);
  g_free (opening);
}

/* The lock is held. */
static void
forget_if_empty (GHashTable **table)
{
  if (*table != NULL && g_hash_table_size (*table) == 0)
    g_clear_pointer (table, g_hash_table_unref);
}

static UpiEngine *
open_now (const Request *request, GError **error)
{
  g_autoptr (GError) cause = NULL;
  UpiEngine *engine;
  Opening *opening;

  /* The lock is held on entry and on return. */
  opening = g_new0 (Opening, 1);
  opening->ref_count = 1;
  if (registry.openings == NULL)
    registry.openings = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_hash_table_insert (registry.openings, g_strdup (request->key), opening);
  g_mutex_unlock (&registry.lock);
  engine = engine_new (request, &cause);
  g_mutex_lock (&registry.lock);
  g_hash_table_remove (registry.openings, request->key);
  forget_if_empty (&registry.openings);
  if (engine != NULL) {
    if (registry.engines == NULL)
      registry.engines = g_hash_table_new (g_str_hash, g_str_equal);
    g_hash_table_insert (registry.engines, engine->key, engine);
  } else {
    opening->error = g_error_copy (cause);
    g_propagate_error (error, g_steal_pointer (&cause));
  }
  opening->finished = TRUE;
  g_cond_broadcast (&registry.changed);
  opening_unref (opening);
  return engine;
}

static UpiEngine *
join_or_open (const Request *request, GCancellable *cancellable, GError **error)
{
  UpiEngine *engine = NULL;
  gboolean failed = FALSE;

  g_mutex_lock (&registry.lock);
  while (engine == NULL && !failed) {
    Opening *opening = registry.openings != NULL ? g_hash_table_lookup (registry.openings, request->key) : NULL;

    engine = registry.engines != NULL ? g_hash_table_lookup (registry.engines, request->key) : NULL;
    if (engine != NULL) {
      g_atomic_int_inc (&engine->ref_count); /* at least 1: it reaches 0 under this lock, and leaves the table */
    } else if (g_cancellable_is_cancelled (cancellable)) {
      g_set_error (error, UPI_ERROR, UPI_ERROR_CANCELLED, "opening the model %s was cancelled", request->path);
      failed = TRUE;
    } else if (opening == NULL) {
      engine = open_now (request, error);
      failed = engine == NULL;
    } else {
      opening->ref_count++;
      while (!opening->finished && !g_cancellable_is_cancelled (cancellable))
        g_cond_wait (&registry.changed, &registry.lock);
      failed = opening->error != NULL;
      if (failed)
        g_propagate_error (error, g_error_copy (opening->error));
      opening_unref (opening);
    }
  }
  g_mutex_unlock (&registry.lock);
  return engine;
}

static gboolean
check_options (const UpiEngineOptions *options, GError **error)
{
  if (options->threads > 1024 || options->threads_per_frame > 1024 || options->batch_size > UPI_ENGINE_MAX_BATCH) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
        "%u threads, %u threads per frame, batch size %u: expected at most 1024, 1024 and %d", options->threads,
        options->threads_per_frame, options->batch_size, UPI_ENGINE_MAX_BATCH);
    return FALSE;
  }
  return TRUE;
}

static gboolean
resolve (Request *request, GError **error)
{
  const UpiEngineOptions *options = request->options;
  g_autofree gchar *found = NULL;
  g_autofree gchar *in = NULL;
  char *resolved;

  if (!check_options (options, error))
    return FALSE;
  found = upi_model_find (options->model != NULL && *options->model ? options->model : "nano", error);
  if (found == NULL)
    return FALSE;
  resolved = realpath (found, NULL);
  request->path = g_strdup (resolved != NULL ? resolved : found);
  free (resolved);
  request->backend = upi_device_open (options->device != NULL && *options->device ? options->device : "auto",
      options->cuda_context, &request->device, error);
  if (request->backend == NULL)
    return FALSE;
  in = g_strdup_printf ("%p", request->backend->has_device ? options->cuda_context : NULL);
  request->key = g_strjoin (
      "\n", request->path, request->device, in, options->instance_id != NULL ? options->instance_id : "", NULL);
  return TRUE;
}

UpiEngine *
upi_engine_open (const UpiEngineOptions *options, GCancellable *cancellable, GError **error)
{
  UpiEngineOptions known = { 0 };
  Request request = { .options = &known };
  UpiEngine *engine = NULL;
  gboolean is_known = options == NULL
      || upi_sized_read (&known, sizeof known, options, UPI_SIZED_FIRST (UpiEngineOptions, cuda_context_data),
          "UpiEngineOptions", error);
  gulong handler = 0;

  if (known.cuda_context_free != NULL) {
    request.owner = g_atomic_rc_box_new (UpiContextOwner);
    *request.owner = (UpiContextOwner){ known.cuda_context_free, known.cuda_context_data };
  }
  if (is_known && resolve (&request, error)) {
    if (cancellable != NULL)
      handler = g_cancellable_connect (cancellable, G_CALLBACK (wake_openers), NULL, NULL);
    engine = join_or_open (&request, cancellable, error);
    if (cancellable != NULL)
      g_cancellable_disconnect (cancellable, handler);
  }
  g_clear_pointer (&request.owner, upi_context_owner_release);
  g_free (request.key);
  g_free (request.path);
  g_free (request.device);
  return engine;
}

UpiEngine *
upi_engine_ref (UpiEngine *engine)
{
  g_atomic_int_inc (&engine->ref_count);
  return engine;
}

UpiEngine *
upi_engine_of_queue (UpiQueue *queue)
{
  UpiEngine *engine;

  g_mutex_lock (&registry.lock);
  engine = queue->engine;
  if (engine != NULL)
    g_atomic_int_inc (&engine->ref_count);
  g_mutex_unlock (&registry.lock);
  return engine;
}

void
upi_engine_unref (UpiEngine *engine)
{
  gint count = g_atomic_int_get (&engine->ref_count);
  gboolean last, from_worker = g_private_get (&registry.is_worker) != NULL;

  while (count > 1) {
    if (g_atomic_int_compare_and_exchange (&engine->ref_count, count, count - 1))
      return;
    count = g_atomic_int_get (&engine->ref_count);
  }
  g_mutex_lock (&registry.lock);
  last = g_atomic_int_dec_and_test (&engine->ref_count);
  if (last) {
    engine->queue->engine = NULL;
    g_hash_table_remove (registry.engines, engine->key);
    forget_if_empty (&registry.engines);
    registry.reaping += from_worker;
  }
  g_mutex_unlock (&registry.lock);
  if (!last)
    return;
  if (!from_worker) {
    engine_free (engine);
    return;
  }
  /* A worker cannot join itself, and two workers must not join each other. */
  g_autoptr (GError) error = NULL;
  g_autoptr (GThread) reaper = g_thread_try_new ("upi-reaper", engine_free_thread, engine, &error);
  if (reaper != NULL)
    return;
  g_warning ("%s is not freed: %s", engine->path, error->message); /* its threads wait as before */
  end_reaping ();
}

void
upi_engine_check_device (UpiEngine *engine)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) queues = NULL;
  GHashTableIter iter;
  gpointer other;

  if (engine->backend->is_alive == NULL || engine->backend->is_alive (engine->backend, &error))
    return;
  queues = g_ptr_array_new_with_free_func ((GDestroyNotify) upi_queue_unref);
  g_mutex_lock (&registry.lock);
  if (registry.engines != NULL)
    g_hash_table_iter_init (&iter, registry.engines);
  while (registry.engines != NULL && g_hash_table_iter_next (&iter, NULL, &other)) {
    const UpiBackend *backend = ((UpiEngine *) other)->backend;

    if (backend->is_alive != NULL && !backend->is_alive (backend, NULL))
      g_ptr_array_add (queues, upi_queue_ref (((UpiEngine *) other)->queue));
  }
  g_mutex_unlock (&registry.lock);
  for (guint i = 0; i < queues->len; i++)
    upi_queue_fail (queues->pdata[i], error);
}
