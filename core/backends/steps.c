/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Plans and contexts of backends that run one operation after another. All pointers are resolved when the context is
 * made; bind() changes those that lie in bound memory, run() only walks the steps. */

#include "core/backends/steps.h"

#include "core/memory.h"
#include "core/program/passes.h"

#include <stdlib.h>
#include <time.h>

static void
resolve_step (const UpiProgram *p, const UpiOp *op, void *arena, UpiStep *step)
{
  step->op = op;
  for (guint i = 0; i < op->n_inputs; i++) {
    if (op->inputs[i] != UPI_NO_VALUE)
      step->in[i] = upi_tensor_resolve (p, op->inputs[i], arena, NULL);
  }
  if (op->residual != UPI_NO_VALUE)
    step->residual = upi_tensor_resolve (p, op->residual, arena, NULL);
  step->out = upi_tensor_resolve (p, op->output, arena, NULL);
}

/**
 * upi_steps_prepare:
 * @program: (transfer full):
 *
 * A backend's prepare(): calls funcs->prepare for every operation.
 */
UpiPlan *
upi_steps_prepare (
    const UpiBackend *backend, const UpiStepFuncs *funcs, UpiProgram *program, guint threads, GError **error)
{
  UpiStepsPlan *plan = g_new0 (UpiStepsPlan, 1);

  plan->base.backend = backend;
  plan->base.program = program;
  plan->base.threads = threads;
  plan->funcs = funcs;
  plan->states = UPI_MEMORY_NEW0 (gpointer, program->ops->len, "a plan", error);
  if (plan->states == NULL) {
    upi_steps_plan_free (&plan->base);
    return NULL;
  }
  for (guint i = 0; i < program->ops->len; i++) {
    UpiStep step = { NULL };
    gsize scratch_bytes = 0;

    resolve_step (program, upi_program_op (program, i), NULL, &step);
    if (!funcs->prepare (&plan->base, &step, &plan->states[i], &scratch_bytes, error)) {
      upi_steps_plan_free (&plan->base);
      return NULL;
    }
    plan->scratch_bytes = MAX (plan->scratch_bytes, scratch_bytes);
  }
  return &plan->base;
}

void
upi_steps_plan_free (UpiPlan *base)
{
  UpiStepsPlan *plan = (UpiStepsPlan *) base;

  for (guint i = 0; plan->states != NULL && i < base->program->ops->len; i++) {
    if (plan->states[i] != NULL)
      plan->funcs->state_free (upi_program_op (base->program, i), plan->states[i]);
  }
  g_free (plan->states);
  upi_program_free (base->program);
  g_free (plan);
}

UpiContext *
upi_steps_context_new (UpiPlan *base, GError **error)
{
  UpiStepsPlan *plan = (UpiStepsPlan *) base;
  const UpiProgram *p = base->program;
  UpiStepsContext *context = g_new0 (UpiStepsContext, 1);

  context->base.plan = base;
  context->steps = UPI_MEMORY_NEW0 (UpiStep, p->ops->len, "a plan's steps", error);
  if (context->steps == NULL
      || (context->bound = UPI_MEMORY_NEW0 (void *, p->values->len, "a plan's inputs and outputs", error)) == NULL
      || !upi_steps_items_init (context, error)
      || (context->arena = upi_memory_new (1, p->arena_bytes, "the values of an inference", error)) == NULL
      || (context->scratch = upi_memory_new (1, plan->scratch_bytes, "the scratchpad of an inference", error))
          == NULL) {
    upi_steps_context_free (&context->base);
    return NULL;
  }
  for (guint i = 0; i < p->ops->len; i++) {
    UpiStep *step = &context->steps[i];

    resolve_step (p, upi_program_op (p, i), context->arena, step);
    step->state = plan->states[i];
    step->scratch = context->scratch;
    step->scratch_bytes = plan->scratch_bytes;
    if (plan->funcs->local_new != NULL && !plan->funcs->local_new (&context->base, step, &step->local, error)) {
      upi_steps_context_free (&context->base);
      return NULL;
    }
  }
  return &context->base;
}

void
upi_steps_context_free (UpiContext *base)
{
  UpiStepsContext *context = (UpiStepsContext *) base;
  const UpiStepsPlan *plan = (UpiStepsPlan *) base->plan;

  for (guint i = 0; context->steps != NULL && i < base->plan->program->ops->len; i++) {
    if (context->steps[i].local != NULL)
      plan->funcs->local_free (context->steps[i].op, context->steps[i].local);
  }
  upi_steps_items_clear (context);
  free (context->arena);
  free (context->scratch);
  g_free (context->steps);
  g_free (context->bound);
  g_free (context);
}

static void
rebind (const UpiProgram *p, UpiValue use, UpiValue bound, void *data, UpiTensor *tensor)
{
  if (use != UPI_NO_VALUE && upi_value_info (p, use)->base == bound)
    tensor->data = (guint8 *) data + upi_value_info (p, use)->offset * UPI_ELEMENT_BYTES;
}

void
upi_steps_bind_whole (UpiStepsContext *context, UpiValue value, void *data)
{
  const UpiProgram *p = context->base.plan->program;
  const UpiValueInfo *info = upi_value_info (p, value);

  g_assert (info->kind == UPI_VALUE_INPUT || info->is_output);
  if (context->bound[value] == data)
    return;
  context->bound[value] = data;
  for (gint i = MAX (info->first_op, 0); i <= info->last_op; i++) {
    UpiStep *step = &context->steps[i];

    for (guint k = 0; k < step->op->n_inputs; k++)
      rebind (p, step->op->inputs[k], value, data, &step->in[k]);
    rebind (p, step->op->residual, value, data, &step->residual);
    rebind (p, step->op->output, value, data, &step->out);
  }
}

void
upi_steps_bind (UpiContext *base, UpiValue value, void *data)
{
  UpiStepsContext *context = (UpiStepsContext *) base;

  context->items[value].by_item = FALSE;
  upi_steps_bind_whole (context, value, data);
}

static gboolean
all_bound (const UpiStepsContext *context, GError **error)
{
  const UpiProgram *p = context->base.plan->program;

  for (guint i = 0; i < p->values->len; i++) {
    const UpiValueInfo *info = upi_value_info (p, i);

    if ((info->kind == UPI_VALUE_INPUT || info->is_output) && info->first_op >= 0 && context->bound[i] == NULL) {
      g_set_error (error, UPI_ERROR, UPI_ERROR_FAILED, "%s: no memory was bound to %s \"%s\"", p->name,
          info->is_output ? "the output" : "the input", info->name);
      return FALSE;
    }
  }
  return TRUE;
}

/* Microseconds. A run on one thread is measured by that thread's processor time, so that what else runs on the machine
 * counts little; where several share it, by the time that passes. */
static gdouble
clock_of (const UpiPlan *plan)
{
  struct timespec t;

  clock_gettime (plan->threads > 1 ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &t);
  return (gdouble) t.tv_sec * 1e6 + (gdouble) t.tv_nsec * 1e-3;
}

gboolean
upi_steps_run (UpiContext *base, GError **error)
{
  return upi_steps_run_timed (base, NULL, error);
}

/**
 * upi_steps_run_timed:
 * @microseconds: (nullable): each operation's time is added to its entry
 */
gboolean
upi_steps_run_timed (UpiContext *base, gdouble *microseconds, GError **error)
{
  UpiStepsContext *context = (UpiStepsContext *) base;
  const UpiStepsPlan *plan = (const UpiStepsPlan *) base->plan;
  guint n_steps = base->plan->program->ops->len;

  if (!upi_steps_items_receive (context, error) || !all_bound (context, error))
    return FALSE;
  for (guint i = 0; i < n_steps; i++) {
    gdouble start = microseconds != NULL ? clock_of (base->plan) : 0;

    if (!plan->funcs->run (base, &context->steps[i], error))
      return FALSE;
    if (microseconds != NULL)
      microseconds[i] += clock_of (base->plan) - start;
  }
  upi_steps_items_send (context);
  return TRUE;
}
