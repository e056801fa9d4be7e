/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lifetimes: the first and the last operation that touches each owner, through whatever view. */

#include "core/program/passes.h"

typedef struct {
  UpiProgram *program;
  gint index;
} Touch;

static void
touch (UpiValue value, gpointer user_data)
{
  const Touch *at = user_data;
  UpiValueInfo *owner = upi_value_info (at->program, upi_value_info (at->program, value)->base);

  if (owner->first_op < 0)
    owner->first_op = at->index;
  owner->last_op = at->index;
}

void
upi_lifetimes (UpiProgram *p)
{
  for (guint i = 0; i < p->values->len; i++) {
    UpiValueInfo *info = upi_value_info (p, i);

    info->first_op = info->last_op = -1;
  }
  for (guint i = 0; i < p->ops->len; i++) {
    const UpiOp *op = upi_program_op (p, i);
    Touch at = { p, (gint) i };

    upi_op_foreach_read (op, touch, &at);
    touch (op->output, &at);
  }
}
