/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The threads that share one frame, for plans with threads > 1 (lowest latency on a quiet machine). One pool a
 * context. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _UpiThreadPool UpiThreadPool;

/* Units [begin, end) of a job, on thread 0 .. threads-1 (0 is the caller's). */
typedef void (*UpiThreadPoolFunc) (gpointer job, gint begin, gint end, guint thread);

/* NULL and an error where a thread cannot be made. */
UpiThreadPool *upi_thread_pool_new (guint threads, GError **error);
void upi_thread_pool_free (UpiThreadPool *pool);
/* Splits units among the threads, a multiple of grain each time, and returns when all are done. */
void upi_thread_pool_run (UpiThreadPool *pool, UpiThreadPoolFunc func, gpointer job, gint units, gint grain);

G_END_DECLS
