/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* best.h: which of several labels holds, told so that it does not flicker where two are nearly alike. GLib only. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define GST_UPI_NO_LABEL G_MAXUINT

/**
 * GstUpiBest:
 * @label: index of the label that holds, or %GST_UPI_NO_LABEL
 * @known: whether anything was said yet
 */
typedef struct {
  guint label;
  gboolean known;
} GstUpiBest;

/* Nothing is known: the next answer is a change. */
void gst_upi_best_forget (GstUpiBest *best);

/**
 * gst_upi_best_take: what another frame says.
 * @probabilities: (array length=n): what is not a number counts as 0
 * @independent: each label is true or not: none may hold. One begins to at 0.5 + @hysteresis / 2 and ends below 0.5 -
 * @hysteresis / 2. Otherwise one
 *   of them always holds
 * @hysteresis: 0..1: by how much another label must lead to take the place of the one that holds
 *
 * Returns: whether another label holds than before, or one for the first time
 */
gboolean
gst_upi_best_take (GstUpiBest *best, const gfloat *probabilities, guint n, gboolean independent, gfloat hysteresis);

/**
 * gst_upi_best_top: the @n_top largest of @probabilities, largest first; of equal ones the earlier.
 * @indices: (out caller-allocates): @n_top entries
 *
 * Returns: how many: the smaller of @n and @n_top
 */
guint gst_upi_best_top (const gfloat *probabilities, guint n, guint *indices, guint n_top);

G_END_DECLS
