/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Dispatch of the ref backend: one function an operation, nothing to prepare. */

#include "core/backends/ref/ref.h"

static const UpiRefFunc functions[UPI_OP_COUNT] = {
#define UPI_OP(KIND, name, ...) [UPI_OP_##KIND] = upi_ref_##name,
#include "core/program/ops.def"
};

/* Attention needs a row of logits, one per key of both ranges. */
static gboolean
prepare_step (UpiPlan *plan, const UpiStep *shape, gpointer *state, gsize *scratch_bytes, GError **error)
{
  if (shape->op->kind == UPI_OP_ATTENTION) {
    gint keys = shape->in[1].shape.dim[1] + (shape->op->n_inputs == 7 ? shape->in[4].shape.dim[1] : 0);

    *scratch_bytes = (gsize) keys * sizeof (gdouble);
  } else if (shape->op->kind == UPI_OP_WINDOW_ATTENTION) {
    *scratch_bytes = upi_ref_window_scratch (shape->op);
  } else if (shape->op->kind == UPI_OP_DEFORMABLE_ATTENTION) {
    *scratch_bytes = (gsize) (shape->op->u.deformable.levels * shape->op->u.deformable.points) * sizeof (gdouble);
  }
  return TRUE;
}

static gboolean
run_step (UpiContext *context, const UpiStep *step, GError **error)
{
  functions[step->op->kind](step);
  return TRUE;
}

static const UpiStepFuncs funcs = { .prepare = prepare_step, .run = run_step };

static UpiPlan *
prepare (const UpiBackend *backend, UpiProgram *program, guint threads, GError **error)
{
  return upi_steps_prepare (backend, &funcs, program, threads, error);
}

/**
 * upi_backend_ref:
 *
 * Returns: the backend that defines every operation; slow, for tests
 */
const UpiBackend *
upi_backend_ref (void)
{
  static const UpiBackend backend = {
    .name = "ref",
    .prepare = prepare,
    .plan_free = upi_steps_plan_free,
    .context_new = upi_steps_context_new,
    .context_free = upi_steps_context_free,
    .bind = upi_steps_bind,
    .bind_item = upi_steps_bind_item,
    .put_frame = upi_ref_put_frame,
    .run = upi_steps_run,
    .run_timed = upi_steps_run_timed,
    .description = "plain C",
    .memory = &upi_steps_memory,
  };

  return &backend;
}
