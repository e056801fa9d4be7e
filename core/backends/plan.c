/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Plans and contexts of any backend: its functions, called through its table. */

#include "core/backends/backend.h"

#include "core/memory.h"
#include "core/program/passes.h"

gsize
upi_plan_least_bytes (const UpiBackend *backend, const UpiProgram *program)
{
  gsize bytes = program->arena_bytes;

  if (backend->has_device)
    return 0;
  /* the weights of a program of many shapes are packed once for all of them, and may be there already */
  for (guint i = 0; i < program->ops->len && backend->packs_weights && !program->of_many_shapes; i++) {
    const UpiOp *op = upi_program_op (program, i);

    if (op->kind == UPI_OP_CONV2D || op->kind == UPI_OP_LINEAR)
      bytes += upi_shape_count (&upi_program_value (program, op->inputs[1])->shape) * UPI_ELEMENT_BYTES;
  }
  return bytes;
}

/**
 * upi_plan_new:
 * @program: (transfer full): finished here if it is not; freed with the plan, or at once on error
 * @threads: threads of one run, at least 1
 *
 * Returns: (transfer full) (nullable): the program prepared for the backend; immutable, for any number of contexts.
 * NULL: UPI_ERROR_MEMORY, before anything was made, where memory is too short for it and one context
 */
UpiPlan *
upi_plan_new (const UpiBackend *backend, UpiProgram *program, guint threads, GError **error)
{
  if (!upi_program_finish (program, error)) {
    upi_program_free (program);
    return NULL;
  }
  g_autofree gchar *purpose = g_strdup_printf ("a plan of the %s program and its values", program->name);
  if (!upi_memory_expect (
          upi_plan_least_bytes (backend, program), purpose, "use a smaller input size or a smaller batch", error)) {
    upi_program_free (program);
    return NULL;
  }
  return backend->prepare (backend, program, MAX (threads, 1), error);
}

void
upi_plan_free (UpiPlan *plan)
{
  if (plan != NULL)
    plan->backend->plan_free (plan);
}

/**
 * upi_context_new:
 *
 * Returns: (transfer full) (nullable): what one run at a time needs; the plan must outlive it
 */
UpiContext *
upi_context_new (UpiPlan *plan, GError **error)
{
  return plan->backend->context_new (plan, error);
}

void
upi_context_free (UpiContext *context)
{
  if (context != NULL)
    context->plan->backend->context_free (context);
}

UpiValue
upi_plan_find (const UpiPlan *plan, const gchar *name)
{
  const UpiProgram *p = plan->program;

  for (guint i = 0; i < p->values->len; i++) {
    const UpiValueInfo *info = upi_value_info (p, i);

    if ((info->kind == UPI_VALUE_INPUT || info->is_output) && g_strcmp0 (info->name, name) == 0)
      return i;
  }
  return UPI_NO_VALUE;
}

gsize
upi_plan_bytes (const UpiPlan *plan, UpiValue value)
{
  return upi_shape_count (&upi_value_info (plan->program, value)->shape) * UPI_ELEMENT_BYTES;
}

void
upi_context_bind (UpiContext *context, UpiValue value, void *data)
{
  context->plan->backend->bind (context, value, data);
}

void
upi_context_bind_item (UpiContext *context, UpiValue value, guint item, void *memory)
{
  context->plan->backend->bind_item (context, value, item, memory);
}

gboolean
upi_context_put_frame (UpiContext *context, UpiValue value, guint item, const UpiFrame *frame, GError **error)
{
  return context->plan->backend->put_frame (context, value, item, frame, error);
}

const gfloat *
upi_context_get_frame (UpiContext *context, UpiValue value, guint item)
{
  const UpiBackend *backend = context->plan->backend;

  return backend->get_frame != NULL ? backend->get_frame (context, value, item) : NULL;
}

gboolean
upi_context_run (UpiContext *context, GError **error)
{
  return context->plan->backend->run (context, error);
}
