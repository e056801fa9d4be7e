/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Workers: the only threads that run the network. Each takes a ticket, or a batch of frames, and does what its task
 * says, in its own contexts of the shared plans. */
#include "core/engine/engine-private.h"

#include <stdlib.h>

typedef struct {
  UpiEngine *engine;
  UpiSharedPlan *plan;
  UpiContext *context;
} WorkerContext;

static void
worker_context_free (gpointer data)
{
  WorkerContext *context = data;

  g_atomic_pointer_add (&context->engine->context_bytes, -(gssize) context->plan->plan->program->arena_bytes);
  g_clear_pointer (&context->context, upi_context_free);
  upi_shared_plan_unref (context->plan);
  g_free (context);
}

/* Lets go of plans that the table has let go of. */
static void
forget_evicted (UpiWorker *worker)
{
  for (guint i = worker->contexts->len; i-- > 0;) {
    WorkerContext *context = worker->contexts->pdata[i];

    if (g_atomic_int_get (&context->plan->evicted))
      g_ptr_array_remove_index_fast (worker->contexts, i);
  }
}

UpiContext *
upi_worker_context (UpiWorker *worker, UpiPlanKey key, GError **error)
{
  UpiSharedPlan *plan = upi_plans_get (&worker->engine->plans, worker->engine, key, error);
  UpiContext *context;
  WorkerContext *entry;

  if (plan == NULL)
    return NULL;
  for (guint i = 0; i < worker->contexts->len; i++) {
    entry = worker->contexts->pdata[i];
    if (entry->plan == plan) {
      upi_shared_plan_unref (plan);
      return entry->context;
    }
  }
  forget_evicted (worker);
  context = upi_context_new (plan->plan, error);
  if (context == NULL) {
    upi_shared_plan_unref (plan);
    return NULL;
  }
  entry = g_new (WorkerContext, 1);
  *entry = (WorkerContext){ worker->engine, plan, context };
  g_atomic_pointer_add (&worker->engine->context_bytes, (gssize) plan->plan->program->arena_bytes);
  g_ptr_array_add (worker->contexts, entry);
  return context;
}

gboolean
upi_worker_run (UpiWorker *worker, UpiContext *context, GError **error)
{
  return upi_context_run (context, error);
}

gboolean
upi_worker_infer (UpiWorker *worker, UpiContext *context, GError **error)
{
  UpiInferFunc infer = g_atomic_pointer_get (&worker->engine->infer);

  return infer (worker, context, error);
}

static void
free_key_value_cache (UpiWorker *worker)
{
  const UpiBackend *backend = worker->engine->backend;

  if (worker->key_value_cache != NULL)
    backend->memory->memory_free (backend, g_steal_pointer (&worker->key_value_cache));
  worker->key_value_cache_bytes = 0;
}

guint8 *
upi_worker_key_value_cache (UpiWorker *worker, gsize bytes, GError **error)
{
  const UpiBackend *backend = worker->engine->backend;

  if (worker->key_value_cache_bytes >= bytes)
    return worker->key_value_cache;
  free_key_value_cache (worker);
  worker->key_value_cache = backend->memory->memory_new (backend, bytes, "the text of captions", error);
  if (worker->key_value_cache != NULL)
    worker->key_value_cache_bytes = bytes;
  return worker->key_value_cache;
}

void
upi_worker_check_device (UpiWorker *worker, const GError *error)
{
  if (g_error_matches (error, UPI_ERROR, UPI_ERROR_DEVICE))
    upi_engine_check_device (worker->engine);
}

gpointer
upi_worker_main (gpointer data)
{
  UpiWorker *worker = data;
  UpiQueue *queue = worker->engine->queue;
  UpiTicket *tickets[UPI_ENGINE_MAX_BATCH];
  guint n;

  upi_engine_enter_worker ();
  worker->contexts = g_ptr_array_new_with_free_func (worker_context_free);
  worker->frames = upi_frame_reader_new ();
  g_mutex_lock (&queue->lock);
  worker->ready = TRUE;
  g_cond_broadcast (&queue->changed);
  g_mutex_unlock (&queue->lock);
  while ((n = upi_queue_take (queue, tickets)) > 0) {
    forget_evicted (worker);
    tickets[0]->run (worker, tickets, n);
  }
  g_clear_pointer (&worker->contexts, g_ptr_array_unref);
  g_clear_pointer (&worker->frames, upi_frame_reader_free);
  g_clear_pointer (&worker->converter, upi_converter_free);
  g_clear_pointer (&worker->small, free);
  g_clear_pointer (&worker->blocks, free);
  free_key_value_cache (worker);
  return NULL;
}
