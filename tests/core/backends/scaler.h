/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* scaler.h: pictures on their way into the input of the network. */
#pragma once

#include "core/backends/frames/convert.h"
#include "core/backends/frames/reader.h"
#include "core/model/letterbox.h"

static const gchar *const isas[] = { "baseline", "avx2", "avx512" };
static const gfloat no_mean[3] = { 0, 0, 0 }, no_std[3] = { 1 / 255.0f, 1 / 255.0f, 1 / 255.0f }; /* out: 0..255 */

/* models/reference/resize_pairs.py, numbers() */
guint8 *numbers (gsize count, guint32 seed);

/* An image through both on its way into the input, as a worker has them. */
typedef struct {
  UpiFrameReader *reader;
  UpiConverter *converter;
} Scaler;

/* isa: NULL for the best one; NULL if this machine lacks it. */
Scaler *scaler_new (const gchar *isa);

void scaler_free (Scaler *scaler);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Scaler, scaler_free)

gboolean scaler_convert (Scaler *scaler, UpiImage *image, guint width, guint height, const gfloat *mean,
    const gfloat *std, gfloat *out, GError **error);

gfloat *convert (const gchar *isa, UpiImage *image, guint width, guint height);

void assert_equal (const gfloat *a, const gfloat *b, gsize n, gfloat tolerance, const gchar *what);

gboolean read_gradient (gpointer user_data, guint8 *rgb, guint width, guint height, gsize stride, GError **error);
