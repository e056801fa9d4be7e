/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Plans and contexts of any backend: its functions, called through its table. */

#include "core/backends/backend.h"

#include "core/program/passes.h"

/**
 * upi_plan_new:
 * @program: (transfer full): finished here if it is not; freed with the plan, or at once on error
 * @threads: threads of one run, at least 1
 *
 * Returns: (transfer full) (nullable): the program prepared for the backend; immutable, for any number of contexts
 */
UpiPlan *
upi_plan_new (const UpiBackend *backend, UpiProgram *program, guint threads, GError **error)
{
  if (!upi_program_finish (program, error)) {
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
