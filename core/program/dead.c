/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Removes operations whose result nobody reads: what a builder made for another use (debug outputs, a level that is not
 * needed). */

#include "core/program/passes.h"

typedef struct {
  const UpiProgram *program;
  gboolean *needed; /* by owner */
} Needs;

static void
mark_needed (UpiValue value, gpointer user_data)
{
  Needs *needs = user_data;

  needs->needed[upi_value_info (needs->program, value)->base] = TRUE;
}

void
upi_remove_dead (UpiProgram *p)
{
  g_autofree gboolean *needed = g_new0 (gboolean, p->values->len);
  Needs needs = { p, needed };

  /* Inputs changed in place (store_rows) are results as well. */
  for (guint i = 0; i < p->values->len; i++)
    needed[i] = upi_value_info (p, i)->is_output || upi_value_info (p, i)->kind == UPI_VALUE_INPUT;
  for (guint i = p->ops->len; i-- > 0;) {
    const UpiOp *op = upi_program_op (p, i);

    if (needed[upi_value_info (p, op->output)->base])
      upi_op_foreach_read (op, mark_needed, &needs);
    else
      g_array_remove_index (p->ops, i);
  }
}
