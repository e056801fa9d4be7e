/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the engine's tests share: a small random model on disk, engines on it, frames, and counted callbacks. */
#pragma once

#include "core/engine/engine-testing.h"
#include "core/upi.h"

/* Writes the model once a process; removed by fixture_clear(). */
const gchar *fixture_model (void);
void fixture_clear (void);
/* Another model: the small config with one piece replaced (NULL: none). (transfer full) */
gchar *fixture_write_model (const gchar *from, const gchar *to);
void fixture_remove_model (gchar *model);

/* Aborts the test on error. device: "ref" or "cpu". */
UpiEngine *
fixture_engine (const gchar *device, guint threads, guint batch_size, guint64 batch_timeout_us, const gchar *id);

/* What happened to one request. */
typedef struct {
  gint released, done; /* calls; atomic */
  GThread *thread;     /* of the last call of done */
} FixtureCalls;

void fixture_done (UpiTicket *ticket, gpointer calls);
/* A 48×32 RGB frame whose picture depends on seed; kept until release, which counts in calls. */
UpiTicket *fixture_encode (UpiEngine *engine, guint seed, guint width, guint height, FixtureCalls *calls);
/* Waits, aborts on error, unrefs the ticket. */
UpiEncoding *fixture_take_encoding (UpiTicket *ticket);
UpiEncoding *fixture_encoding (UpiEngine *engine, guint seed);
UpiLabels *fixture_labels (UpiEngine *engine, const gchar *comma_separated);
/* Waits and expects failure with code. */
void fixture_expect (UpiTicket *ticket, UpiErrorCode code);

/* A gate that a worker passes once it is open. */
typedef struct {
  GMutex lock;
  GCond cond;
  gboolean reached, open;
} FixtureGate;

void fixture_gate_init (FixtureGate *gate);
void fixture_gate_clear (FixtureGate *gate);
void fixture_gate_pass (FixtureGate *gate);
/* A frame whose read function passes the gate. */
UpiTicket *fixture_encode_gated (UpiEngine *engine, FixtureGate *gate);
/* Blocks until somebody stands at the gate. */
void fixture_gate_wait (FixtureGate *gate);
void fixture_gate_open (FixtureGate *gate);

/* Of two rows of @n numbers. */
gdouble fixture_cosine (const gfloat *a, const gfloat *b, guint n);
