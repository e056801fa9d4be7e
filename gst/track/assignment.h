/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* assignment.h: which track gets which detection, so that the similarities add up to the most: the linear assignment
 * problem, exactly. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * gst_upi_assign:
 * @similarity: [rows, columns], finite
 * @columns_of_rows: (out caller-allocates): [rows], the column of each row, or -1: there are more rows than columns
 *
 * As many pairs as the shorter side has, however dissimilar: who has a threshold lifts what lies below it to 0
 * beforehand (then such pairs never cost a better one) and drops it afterwards.
 */
void gst_upi_assign (const gdouble *similarity, guint rows, guint columns, gint *columns_of_rows);

G_END_DECLS
