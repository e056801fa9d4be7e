/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hooks for tests of what uses an engine: hold its workers by a gate instead of by time, also between the inferences of
 * one ticket, and make an inference fail.
 * Not installed. */
#pragma once

#include "core/upi.h"

G_BEGIN_DECLS

/* Workers take no further ticket until released; what runs goes on. Counted: as many releases as holds. Closing the
 * engine is not held. */
UPI_API void upi_engine_hold (UpiEngine *engine);
UPI_API void upi_engine_release (UpiEngine *engine);
/* So many more inferences run from now on, each further one waits; G_MAXUINT: all, as before the first call. For one
 * engine at a time; workers that wait are released before it closes. */
UPI_API void upi_engine_allow_inferences (UpiEngine *engine, guint n);
/* The n-th inference from now on (1: the next) fails with UPI_ERROR_FAILED, once; 0: none. A frame is one inference, as
 * is each batch of the strings of a label list that are not cached each token of a caption, or of all its candidates,
 * and the texts that are ranked. */
UPI_API void upi_engine_fail_inference (UpiEngine *engine, guint n);
/* The n-th large allocation from now on (1: the next; core/memory.h) finds no memory, once; 0: none. Returns what was
 * left to count: 0 once one failed. */
UPI_API guint upi_testing_fail_allocation (guint n);
/* The most that there is of memory from now on, whatever the system says (core/memory.h); G_MAXSIZE: no bound. */
UPI_API void upi_testing_set_available_memory (gsize bytes);
/* Strings in the text cache, image plans in memory. */
UPI_API guint upi_engine_cached_texts (UpiEngine *engine);
UPI_API guint upi_engine_cached_plans (UpiEngine *engine);
/* Waits until engines whose last user left from a worker's callback are gone: they are freed by a thread of their
 * own. */
UPI_API void upi_engine_settle (void);

G_END_DECLS
