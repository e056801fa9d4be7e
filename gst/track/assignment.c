/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* assignment.c: R. Jonker and A. Volgenant, "A shortest augmenting path algorithm for dense and sparse linear
 * assignment problems" (1987), in the form for rectangular matrices without initialisation (D. F. Crouse, "On
 * implementing 2D rectangular assignment algorithms", 2016). O(n² m). */
#include "gst/track/assignment.h"

/* The matrix with the shorter side as rows; similarity as cost. */
typedef struct {
  const gdouble *similarity;
  gsize row_stride, column_stride;
  guint rows, columns;
} Costs;

static gdouble
cost_at (const Costs *costs, guint row, guint column)
{
  return -costs->similarity[row * costs->row_stride + column * costs->column_stride];
}

/* Dijkstra's shortest path from @row over reduced costs to a column that nobody has. @predecessor: the row that each
 * column was reached from.
 * Returns: that column; the duals are kept feasible. */
static guint
shortest_augmenting_path (const Costs *costs, guint row, const gint *row_of_column, const gint *column_of_row,
    gdouble *u, gdouble *v, gdouble *distance, guint *predecessor, gboolean *row_done, gboolean *column_done)
{
  for (guint c = 0; c < costs->columns; c++) {
    distance[c] = G_MAXDOUBLE;
    column_done[c] = FALSE;
  }
  for (guint r = 0; r < costs->rows; r++)
    row_done[r] = FALSE;
  gdouble lowest = 0;
  guint current = row;
  guint sink = costs->columns;
  while (sink == costs->columns) {
    guint next = costs->columns;
    gdouble nearest = G_MAXDOUBLE;

    row_done[current] = TRUE;
    for (guint c = 0; c < costs->columns; c++) {
      if (column_done[c])
        continue;
      const gdouble length = lowest + cost_at (costs, current, c) - u[current] - v[c];
      if (length < distance[c]) {
        distance[c] = length;
        predecessor[c] = current;
      }
      /* of equals rather a column that nobody has: the path ends there */
      if (next == costs->columns || distance[c] < nearest || (distance[c] == nearest && row_of_column[c] < 0)) {
        nearest = distance[c];
        next = c;
      }
    }
    lowest = nearest;
    column_done[next] = TRUE;
    if (row_of_column[next] < 0)
      sink = next;
    else
      current = (guint) row_of_column[next];
  }
  u[row] += lowest;
  for (guint r = 0; r < costs->rows; r++) {
    if (row_done[r] && r != row)
      u[r] += lowest - distance[column_of_row[r]];
  }
  for (guint c = 0; c < costs->columns; c++) {
    if (column_done[c])
      v[c] -= lowest - distance[c];
  }
  return sink;
}

void
gst_upi_assign (const gdouble *similarity, guint rows, guint columns, gint *columns_of_rows)
{
  const gboolean transposed = rows > columns;
  const Costs costs = { .similarity = similarity,
    .row_stride = transposed ? 1 : columns,
    .column_stride = transposed ? columns : 1,
    .rows = MIN (rows, columns),
    .columns = MAX (rows, columns) };

  for (guint r = 0; r < rows; r++)
    columns_of_rows[r] = -1;
  if (costs.rows == 0)
    return;
  g_autofree gdouble *u = g_new0 (gdouble, costs.rows);
  g_autofree gdouble *v = g_new0 (gdouble, costs.columns);
  g_autofree gdouble *distance = g_new (gdouble, costs.columns);
  g_autofree guint *predecessor = g_new0 (guint, costs.columns);
  g_autofree gint *row_of_column = g_new (gint, costs.columns);
  g_autofree gint *column_of_row = g_new (gint, costs.rows);
  g_autofree gboolean *row_done = g_new (gboolean, costs.rows);
  g_autofree gboolean *column_done = g_new (gboolean, costs.columns);
  for (guint c = 0; c < costs.columns; c++)
    row_of_column[c] = -1;
  for (guint r = 0; r < costs.rows; r++)
    column_of_row[r] = -1;
  for (guint r = 0; r < costs.rows; r++) {
    gint column = (gint) shortest_augmenting_path (
        &costs, r, row_of_column, column_of_row, u, v, distance, predecessor, row_done, column_done);
    guint row;

    do {
      row = predecessor[column];
      row_of_column[column] = (gint) row;
      const gint previous = column_of_row[row];
      column_of_row[row] = column;
      column = previous;
    } while (row != r);
  }
  for (guint r = 0; r < costs.rows; r++) {
    if (transposed)
      columns_of_rows[column_of_row[r]] = (gint) r;
    else
      columns_of_rows[r] = column_of_row[r];
  }
}
