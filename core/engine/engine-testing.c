/* Hooks for tests: a gate before the workers, a fault at a chosen inference, counts of what is kept. */
#include "core/engine/engine-testing.h"

#include "core/engine/engine-private.h"

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

void
upi_engine_fail_inference (UpiEngine *engine, guint n)
{
  g_atomic_int_set (&engine->queue->inferences_until_failure, (gint) n);
}

guint
upi_engine_cached_texts (UpiEngine *engine)
{
  return upi_text_cache_length (&engine->cache);
}

guint
upi_engine_kept_plans (UpiEngine *engine)
{
  guint n;

  g_mutex_lock (&engine->plans.lock);
  n = engine->plans.plans->len;
  g_mutex_unlock (&engine->plans.lock);
  return n;
}
