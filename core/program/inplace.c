/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies that need not be: where an operation makes a value only to have it copied into a part of a concat, or from a
 * view into an output, it writes there at once and the value becomes a view of its place. */

#include "core/program/passes.h"

static gboolean
elide (UpiProgram *p, guint index)
{
  const UpiOp *op = upi_program_op (p, index);
  UpiValue owner = upi_value_info (p, op->inputs[0])->base, place = upi_value_info (p, op->output)->base;
  const UpiValueInfo *info = upi_value_info (p, owner);

  /* Inputs, weights and outputs lie elsewhere for good. A value that is in one concat already cannot be in another: its
   * base then is no longer itself, and its view of the first place is not whole. */
  if (info->kind != UPI_VALUE_COMPUTED || info->is_output || owner == place || !upi_view_is_whole (p, op->inputs[0]))
    return FALSE;
  if (upi_value_info (p, place)->kind != UPI_VALUE_COMPUTED)
    return FALSE;
  /* Views of the value that strides cannot express inside the place keep the copy. */
  if (!upi_view_redirect (p, owner, op->output))
    return FALSE;
  g_array_remove_index (p->ops, index);
  return TRUE;
}

void
upi_elide_copies (UpiProgram *p)
{
  for (guint i = 0; i < p->ops->len;) {
    if (upi_program_op (p, i)->kind != UPI_OP_COPY || !elide (p, i))
      i++;
  }
}
