/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A team: helpers that wait for the next job spinning for some microseconds, as jobs of one frame follow closely, and then asleep, so that
 * an idle team costs nothing beside decoders and encoders. */
#include "core/backends/cpu/team.h"
#include "core/upi.h"

#define SPINS 4000

typedef struct {
  UpiTeam *team;
  guint index;
  GThread *thread;
} Helper;

struct _UpiTeam {
  guint threads;
  Helper *helpers; /* threads - 1 */
  gint generation; /* atomic: of the current job */
  gint next;       /* atomic: first unit that nobody has taken */
  gint busy;       /* atomic: helpers that have not finished the current job */
  gint sleeping;   /* atomic: helpers at the condition */
  gboolean quit;   /* written before the last generation */
  UpiTeamFunc func;
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
work (UpiTeam *team, guint thread)
{
  gint begin;

  while ((begin = g_atomic_int_add (&team->next, team->share)) < team->units)
    team->func (team->job, begin, MIN (begin + team->share, team->units), thread);
}

static void
wait_for (UpiTeam *team, gint seen)
{
  for (gint i = 0; i < SPINS; i++) {
    if (g_atomic_int_get (&team->generation) != seen)
      return;
    relax ();
  }
  g_mutex_lock (&team->mutex);
  g_atomic_int_inc (&team->sleeping);
  while (g_atomic_int_get (&team->generation) == seen)
    g_cond_wait (&team->wake, &team->mutex);
  g_atomic_int_add (&team->sleeping, -1);
  g_mutex_unlock (&team->mutex);
}

static gpointer
helper_main (gpointer data)
{
  Helper *helper = data;
  UpiTeam *team = helper->team;

  for (gint seen = 0;; seen++) {
    wait_for (team, seen);
    if (team->quit)
      return NULL;
    work (team, helper->index);
    g_atomic_int_add (&team->busy, -1);
  }
}

static void
start (UpiTeam *team)
{
  g_atomic_int_inc (&team->generation);
  /* A helper counts itself before it looks at the generation for the last time, under the mutex: it is seen here or it sees the job. */
  if (g_atomic_int_get (&team->sleeping) > 0) {
    g_mutex_lock (&team->mutex);
    g_cond_broadcast (&team->wake);
    g_mutex_unlock (&team->mutex);
  }
}

UpiTeam *
upi_team_new (guint threads, GError **error)
{
  UpiTeam *team = g_new0 (UpiTeam, 1);
  g_autoptr (GError) cause = NULL;

  team->threads = threads;
  team->helpers = g_new0 (Helper, threads - 1);
  g_mutex_init (&team->mutex);
  g_cond_init (&team->wake);
  for (guint i = 0; i + 1 < threads; i++) {
    team->helpers[i] = (Helper){ team, i + 1, NULL };
    team->helpers[i].thread = g_thread_try_new ("upi-frame", helper_main, &team->helpers[i], &cause);
    if (team->helpers[i].thread == NULL) {
      g_set_error (error, UPI_ERROR, UPI_ERROR_MEMORY, "thread %u of %u of a frame could not be made: %s; use fewer threads-per-frame",
          i + 2, threads, cause->message);
      team->threads = i + 1;
      upi_team_free (team);
      return NULL;
    }
  }
  return team;
}

void
upi_team_free (UpiTeam *team)
{
  team->quit = TRUE;
  start (team);
  for (guint i = 0; i + 1 < team->threads; i++)
    g_thread_join (team->helpers[i].thread);
  g_mutex_clear (&team->mutex);
  g_cond_clear (&team->wake);
  g_free (team->helpers);
  g_free (team);
}

void
upi_team_run (UpiTeam *team, UpiTeamFunc func, gpointer job, gint units, gint grain)
{
  gint spins = 0;

  team->func = func;
  team->job = job;
  team->units = units;
  /* About four shares a thread: the slowest one ends not much later than the others. */
  team->share = MAX (units / ((gint) team->threads * 4) / grain, 1) * grain;
  g_atomic_int_set (&team->next, 0);
  g_atomic_int_set (&team->busy, (gint) team->threads - 1);
  start (team);
  work (team, 0);
  while (g_atomic_int_get (&team->busy) > 0) {
    relax ();
    if (++spins > SPINS)
      g_thread_yield ();
  }
}
