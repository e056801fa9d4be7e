/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a test reads and sets in the plugin that is built with fake-gst-cuda.c: its symbol "fake_gst_cuda". */
#pragma once

#include <glib.h>

typedef struct {
  gint has_context; /* whether the pipeline has a context */
  gint prepared;    /* times an engine was about to be opened */
  gint asked;       /* frames for which an engine in the context asked for the device's addresses */
} FakeGstCuda;
