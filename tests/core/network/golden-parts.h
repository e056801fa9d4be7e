/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* golden-parts.h: the parts of the network, each built alone between the reference's input and its output. */
#pragma once

#include "core/model/model-private.h"
#include "core/model/safetensors.h"
#include "tests/core/golden-run.h"

typedef struct {
  const gchar *name, *config;
  gint width, height;
  const gchar *edits[8][2]; /* of config: text and what takes its place */
  gboolean second;          /* it has the parts of the second generation */
  gchar *directory;
  UpiModel *model;
  UpiSafetensors *golden;
} GoldenNetwork;

typedef struct {
  const gchar *name; /* of the reference's tensor and of the program's input or output */
  GoldenLayout layout;
  UpiDType dtype;
} GoldenTensor;

typedef struct {
  const GoldenNetwork *network;
  const gchar *backend;
  gdouble tolerance;
  UpiBuild build;
  UpiLevels levels;
  GArray *fed, *expected; /* GoldenTensor */
} GoldenPart;

/* The reference's tensor of that name. */
const UpiSafetensor *golden_reference (const GoldenPart *part, const gchar *name);

#define GOLDEN_N_PARTS 15

/* Names of the keys and values of an image, one of each a layer. */
#define GOLDEN_MAX_LAYERS 12
extern const gchar *const golden_keys[GOLDEN_MAX_LAYERS], *const golden_values[GOLDEN_MAX_LAYERS];

/* What builds each of them. */
extern const struct GoldenPartKind {
  const gchar *name;
  void (*build) (GoldenPart *part);
  gboolean second; /* only networks of the second generation have it */
} golden_parts[GOLDEN_N_PARTS];
