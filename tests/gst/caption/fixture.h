/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fixture.h: upicaption behind an encoder of the tiny model, and who takes its text. */
#pragma once

#include "tests/gst/caption/text-sink.h"

G_BEGIN_DECLS

#define BLOCK "upiencoder model=tiny device=cpu threads=1 policy=block model-instance-id=caption ! upicaption name=c "
#define LATEST "upiencoder model=tiny device=cpu threads=1 policy=latest model-instance-id=caption ! upicaption name=c "

typedef struct {
  Stream *stream;
  GstElement *caption;
  TextSink *text;
} Fixture;

/* @description: of a chain with the upicaption "c"; @with_text: its text pad is linked before the first frame. */
Fixture fixture_new (const gchar *description, gboolean with_text);
void fixture_free (Fixture *f);
/* Sends the frames @first to @end - 1. */
void fixture_push (Fixture *f, guint first, guint end);
/* Takes the frames out, which must be these. */
void fixture_pull (Fixture *f, gint first, gint end);
void fixture_push_eos (Fixture *f);

GstStructure *next_message (Fixture *f, const gchar *name);

G_END_DECLS
