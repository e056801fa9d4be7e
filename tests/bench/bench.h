/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bench: what a frame costs on the bundled model, and where the time goes (README's table is its output). */
#pragma once

#include <glib.h>

#include "core/upi.h"

G_BEGIN_DECLS

typedef struct {
  const gchar *model;  /* directory */
  guint width, height; /* the network's input */
  guint frames;        /* measured of each kind */
  const gchar *python, *source_root;
  gdouble peak;     /* FLOP/s of the library's SGEMM, 2048³, one thread, of this run */
  gdouble macs;     /* of the image side */
  gdouble frame_us; /* image side, one thread, best */
} Bench;

/* Best and median of a row of times; sorts it. */
typedef struct {
  gdouble best, median;
} BenchTimes;
BenchTimes bench_times (GArray *microseconds);

/* "  name ....... text". */
void bench_line (const gchar *name, const gchar *format, ...) G_GNUC_PRINTF (2, 3);

/* What a model's figures.json says (models/training/card.py): how well it detects at each of its input sizes. */
typedef struct _BenchFigures BenchFigures;
BenchFigures *bench_figures_open (const gchar *directory, GError **error);
void bench_figures_free (BenchFigures *figures);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (BenchFigures, bench_figures_free)
/* (transfer full) (nullable): NULL: nothing of this size */
gchar *bench_figures_say (const BenchFigures *figures, guint width, guint height);

/* Each prints its lines; FALSE after printing what went wrong. */
gboolean bench_network (Bench *bench);
gboolean bench_pytorch (Bench *bench);
gboolean bench_engine (Bench *bench);
gboolean bench_pipeline (Bench *bench);
/* Of an engine with one worker; a part of bench_engine(). */
void bench_labels (UpiEngine *engine);
/* Another part: grounded captions of a frame, where the model has them. */
gboolean bench_captions (const Bench *bench, UpiEngine *engine, const UpiImage *image);
/* Another: frames that stay as they are, at 1080p and 4K. */
gboolean bench_static (const Bench *bench, UpiEngine *engine);
/* Another: following a hundred objects, where a frame takes @frame_us. */
void bench_track (gdouble frame_us);
/* Instead of all the rest: what of the objects in a clip is found with static-threshold, and for what share of the
 * encodings. @clip: vtest.avi stands for Debian's. @threshold: 0: several */
gboolean bench_static_clip (const Bench *bench, const gchar *clip, gdouble threshold);
/* The same: "1,2,4" cameras at once, so many seconds each. */
gboolean bench_streams (const Bench *bench, const gchar *numbers, guint seconds);

G_END_DECLS
