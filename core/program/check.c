/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The check pass: every operation fits its inputs and its output, every value is written before it is read, every
 * output is written. */

#include "core/program/passes.h"

typedef struct {
  const UpiProgram *program;
  const gboolean *written; /* by owner */
  gboolean ok;
} Order;

static void
check_written (UpiValue value, gpointer user_data)
{
  Order *order = user_data;

  order->ok &= order->written[upi_value_info (order->program, value)->base];
}

gboolean
upi_check (const UpiProgram *p, GError **error)
{
  g_autofree gboolean *written = g_new0 (gboolean, p->values->len);

  for (guint i = 0; i < p->values->len; i++) {
    UpiValueKind kind = upi_value_info (p, i)->kind;

    written[i] = kind == UPI_VALUE_INPUT || kind == UPI_VALUE_WEIGHT;
  }
  for (guint i = 0; i < p->ops->len; i++) {
    const UpiOp *op = upi_program_op (p, i);
    const UpiValueInfo *output = upi_value_info (p, op->output);
    Order order = { p, written, TRUE };
    UpiShape shape;
    UpiDType dtype;

    if (!upi_check_op (p, op, &shape, &dtype, error))
      return FALSE;
    upi_op_foreach_read (op, check_written, &order);
    if (!order.ok || !upi_shape_equal (&shape, &output->shape) || dtype != output->dtype) {
      g_autofree gchar *found = upi_shape_to_string (&output->shape), *expected = upi_shape_to_string (&shape);

      g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL, "%s, %s: operation %u (%s): %s (output %s, expected %s)", p->name,
          op->part, i, upi_op_name (op->kind),
          order.ok ? "the output does not fit" : "reads a value that nothing has written", found, expected);
      return FALSE;
    }
    written[output->base] = TRUE;
  }
  for (guint i = 0; i < p->values->len; i++) {
    const UpiValueInfo *info = upi_value_info (p, i);

    if (info->is_output && !written[i]) {
      g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL, "%s: nothing writes the output \"%s\"", p->name, info->name);
      return FALSE;
    }
  }
  return TRUE;
}
