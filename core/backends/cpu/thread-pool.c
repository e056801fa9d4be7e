/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pool: helpers that wait for the next job spinning for some microseconds, as jobs of one frame follow closely, and
 * then asleep, so that an idle pool costs nothing beside decoders and encoders. */
#include "core/backends/cpu/thread-pool.h"
#include "core/upi.h"

#define SPINS 4000

typedef struct {
  UpiThreadPool *pool;
  guint index;
  GThread *thread;
} Helper;

struct _UpiThreadPool {
  guint threads;
  Helper *helpers; /* threads - 1 */
  gint generation; /* atomic: of the current job */
  gint next;       /* atomic: first unit that nobody has taken */
  gint busy;       /* atomic: helpers that have not finished the current job */
  gint sleeping;   /* atomic: helpers at the condition */
  gboolean quit;   /* written before the last generation */
  UpiThreadPoolFunc func;
  gpointer job;
  gint units, share;
  GMutex mutex;
  GCond wake;
};

static inline void
relax (void)
{
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause ();
#endif
}

static void
work (UpiThreadPool *pool, guint thread)
{
  gint begin;

  while ((begin = g_atomic_int_add (&pool->next, pool->share)) < pool->units)
    pool->func (pool->job, begin, MIN (begin + pool->share, pool->units), thread);
}

static void
wait_for (UpiThreadPool *pool, gint seen)
{
  for (gint i = 0; i < SPINS; i++) {
    if (g_atomic_int_get (&pool->generation) != seen)
      return;
    relax ();
  }
  g_mutex_lock (&pool->mutex);
  g_atomic_int_inc (&pool->sleeping);
  while (g_atomic_int_get (&pool->generation) == seen)
    g_cond_wait (&pool->wake, &pool->mutex);
  g_atomic_int_add (&pool->sleeping, -1);
  g_mutex_unlock (&pool->mutex);
}

static gpointer
helper_main (gpointer data)
{
  Helper *helper = data;
  UpiThreadPool *pool = helper->pool;

  for (gint seen = 0;; seen++) {
    wait_for (pool, seen);
    if (pool->quit)
      return NULL;
    work (pool, helper->index);
    g_atomic_int_add (&pool->busy, -1);
  }
}

static void
start (UpiThreadPool *pool)
{
  g_atomic_int_inc (&pool->generation);
  /* A helper counts itself before it looks at the generation for the last time, under the mutex: it is seen here or it
   * sees the job. */
  if (g_atomic_int_get (&pool->sleeping) > 0) {
    g_mutex_lock (&pool->mutex);
    g_cond_broadcast (&pool->wake);
    g_mutex_unlock (&pool->mutex);
  }
}

UpiThreadPool *
upi_thread_pool_new (guint threads, GError **error)
{
  UpiThreadPool *pool = g_new0 (UpiThreadPool, 1);
  g_autoptr (GError) cause = NULL;

  pool->threads = threads;
  pool->helpers = g_new0 (Helper, threads - 1);
  g_mutex_init (&pool->mutex);
  g_cond_init (&pool->wake);
  for (guint i = 0; i + 1 < threads; i++) {
    pool->helpers[i] = (Helper){ pool, i + 1, NULL };
    pool->helpers[i].thread = g_thread_try_new ("upi-frame", helper_main, &pool->helpers[i], &cause);
    if (pool->helpers[i].thread == NULL) {
      g_set_error (error, UPI_ERROR, UPI_ERROR_MEMORY,
          "thread %u of %u of a frame could not be made: %s; use fewer threads-per-frame", i + 2, threads,
          cause->message);
      pool->threads = i + 1;
      upi_thread_pool_free (pool);
      return NULL;
    }
  }
  return pool;
}

void
upi_thread_pool_free (UpiThreadPool *pool)
{
  pool->quit = TRUE;
  start (pool);
  for (guint i = 0; i + 1 < pool->threads; i++)
    g_thread_join (pool->helpers[i].thread);
  g_mutex_clear (&pool->mutex);
  g_cond_clear (&pool->wake);
  g_free (pool->helpers);
  g_free (pool);
}

void
upi_thread_pool_run (UpiThreadPool *pool, UpiThreadPoolFunc func, gpointer job, gint units, gint grain)
{
  gint spins = 0;

  pool->func = func;
  pool->job = job;
  pool->units = units;
  /* About four shares a thread: the slowest one ends not much later than the others. */
  pool->share = MAX (units / ((gint) pool->threads * 4) / grain, 1) * grain;
  g_atomic_int_set (&pool->next, 0);
  g_atomic_int_set (&pool->busy, (gint) pool->threads - 1);
  start (pool);
  work (pool, 0);
  while (g_atomic_int_get (&pool->busy) > 0) {
    relax ();
    if (++spins > SPINS)
      g_thread_yield ();
  }
}
