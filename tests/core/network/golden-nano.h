/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * golden-nano.h: what the files of test-golden-nano share: the bundled model, the reference's numbers, the generated
 * pictures. */
#pragma once

#include "core/engine/engine-private.h"
#include "core/text/tokenizer.h"
#include "tests/core/golden-run.h"

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

typedef struct {
  const gchar *name;
  gdouble tolerance;
} GoldenBackend;

/* Set by main(). */
typedef struct {
  UpiModel *model;
  UpiTokenizer *tokenizer;
  JsonObject *golden, *detections;
} GoldenNano;
extern GoldenNano golden_nano;
extern const GoldenBackend golden_nano_backends[3];

typedef struct {
  guint backend;
  gint image;
  JsonObject *json;
  gint width, height;
  GoldenRun *given, *free; /* with the reference's queries, with our own */
} GoldenPicture;

/* The generated picture, as golden.py says it, normalised: [H,W,3]. */
void golden_picture_draw (gfloat *out, gint width, gint height);

/* golden-nano-engine.c: through the engine; data is a GoldenPicture. */

/* All candidates of the grounded caption, word for word and in their order. */
void golden_nano_grounded (gconstpointer data);
/* The golden file's texts against the whole picture and its regions. */
void golden_nano_independent (gconstpointer data);

G_END_DECLS
