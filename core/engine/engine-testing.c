/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Hooks for tests: a gate before the workers, a fault at a chosen inference, counts of what is kept. No part of the
 * library: tests link it. */
#include "core/engine/engine-testing.h"

#include "core/engine/engine-private.h"
#include "core/memory.h"

void
upi_engine_hold (UpiEngine *engine)
{
  g_mutex_lock (&engine->queue->lock);
  engine->queue->holds++;
  g_mutex_unlock (&engine->queue->lock);
}

void
upi_engine_release (UpiEngine *engine)
{
  g_mutex_lock (&engine->queue->lock);
  g_assert (engine->queue->holds > 0);
  engine->queue->holds--;
  g_cond_broadcast (&engine->queue->changed);
  g_mutex_unlock (&engine->queue->lock);
}

/* What upi_engine_fail_inference() and upi_engine_allow_inferences() asked of an engine: counted down where its workers
 * would run a context. */
static struct {
  GMutex lock;
  UpiEngine *engine;
  guint countdown;
} failure;
static struct {
  GMutex lock;
  GCond changed;
  UpiEngine *engine;
  guint n;
} allowed;

static void
wait_until_allowed (const UpiWorker *worker)
{
  g_mutex_lock (&allowed.lock);
  while (allowed.engine == worker->engine && allowed.n == 0)
    g_cond_wait (&allowed.changed, &allowed.lock);
  if (allowed.engine == worker->engine && allowed.n < G_MAXUINT)
    allowed.n--;
  g_mutex_unlock (&allowed.lock);
}

static gboolean
infer_or_fail (UpiWorker *worker, UpiContext *context, GError **error)
{
  gboolean fails = FALSE;

  wait_until_allowed (worker);
  g_mutex_lock (&failure.lock);
  if (failure.engine == worker->engine && failure.countdown > 0)
    fails = --failure.countdown == 0;
  g_mutex_unlock (&failure.lock);
  if (!fails)
    return upi_worker_run (worker, context, error);
  g_set_error_literal (error, UPI_ERROR, UPI_ERROR_FAILED, "inference failed because a test asked for it");
  return FALSE;
}

void
upi_engine_allow_inferences (UpiEngine *engine, guint n)
{
  g_mutex_lock (&allowed.lock);
  allowed.engine = n < G_MAXUINT ? engine : NULL;
  allowed.n = n;
  g_cond_broadcast (&allowed.changed);
  g_mutex_unlock (&allowed.lock);
  g_atomic_pointer_set (&engine->infer, infer_or_fail);
}

void
upi_engine_fail_inference (UpiEngine *engine, guint n)
{
  g_mutex_lock (&failure.lock);
  failure.engine = engine;
  failure.countdown = n;
  g_mutex_unlock (&failure.lock);
  g_atomic_pointer_set (&engine->infer, infer_or_fail);
}

void
upi_engine_settle (void)
{
  upi_engine_wait_reaped ();
}

guint
upi_engine_cached_texts (UpiEngine *engine)
{
  return upi_text_cache_length (&engine->cache);
}

guint
upi_engine_cached_plans (UpiEngine *engine)
{
  guint n;

  g_mutex_lock (&engine->plans.lock);
  n = engine->plans.plans->len;
  g_mutex_unlock (&engine->plans.lock);
  return n;
}

/* The tests are linked with this in place of upi_memory_allocate() (tests/meson.build). */
gpointer __real_upi_memory_allocate (gsize bytes);
gpointer __wrap_upi_memory_allocate (gsize bytes);

static gint allocations_until_failure; /* atomic */

gpointer
__wrap_upi_memory_allocate (gsize bytes)
{
  if (g_atomic_int_get (&allocations_until_failure) > 0 && g_atomic_int_dec_and_test (&allocations_until_failure))
    return NULL;
  return __real_upi_memory_allocate (bytes);
}

guint
upi_testing_fail_allocation (guint n)
{
  gint left = g_atomic_int_get (&allocations_until_failure);

  g_atomic_int_set (&allocations_until_failure, (gint) n);
  return (guint) MAX (left, 0);
}

/* And with this in place of upi_memory_available(). */
gsize __real_upi_memory_available (const gchar **limit);
gsize __wrap_upi_memory_available (const gchar **limit);

static gsize most_available = G_MAXSIZE; /* atomic */

gsize
__wrap_upi_memory_available (const gchar **limit)
{
  gsize available = __real_upi_memory_available (limit), most = (gsize) g_atomic_pointer_get (&most_available);

  if (most >= available)
    return available;
  *limit = "what a test leaves";
  return most;
}

void
upi_testing_set_available_memory (gsize bytes)
{
  g_atomic_pointer_set (&most_available, bytes);
}
