/* Dispatch of the ref backend: one function an operation, nothing to prepare. */

#include "core/backends/ref/ref.h"

static const UpiRefFunc functions[UPI_OP_COUNT] = {
  [UPI_OP_CONV2D] = upi_ref_conv2d,
  [UPI_OP_LINEAR] = upi_ref_linear,
  [UPI_OP_MATMUL] = upi_ref_matmul,
  [UPI_OP_ATTENTION] = upi_ref_attention,
  [UPI_OP_DEFORMABLE_ATTENTION] = upi_ref_deformable_attention,
  [UPI_OP_LAYER_NORM] = upi_ref_layer_norm,
  [UPI_OP_GROUP_NORM] = upi_ref_group_norm,
  [UPI_OP_SOFTMAX] = upi_ref_softmax,
  [UPI_OP_ADD] = upi_ref_add,
  [UPI_OP_MUL] = upi_ref_mul,
  [UPI_OP_ACTIVATION] = upi_ref_activation,
  [UPI_OP_RESIZE] = upi_ref_resize,
  [UPI_OP_MAX_POOL] = upi_ref_max_pool,
  [UPI_OP_ADAPTIVE_AVG_POOL] = upi_ref_adaptive_avg_pool,
  [UPI_OP_MEAN_TOKENS] = upi_ref_mean_tokens,
  [UPI_OP_GATHER] = upi_ref_gather,
  [UPI_OP_TOP_K] = upi_ref_top_k,
  [UPI_OP_DISTINCT] = upi_ref_distinct,
  [UPI_OP_ANCHOR_MAX] = upi_ref_anchor_max,
  [UPI_OP_SINE_POSITION] = upi_ref_sine_position,
  [UPI_OP_BOX_REFINE] = upi_ref_box_refine,
  [UPI_OP_L2_NORM] = upi_ref_l2_norm,
  [UPI_OP_EMBED] = upi_ref_embed,
  [UPI_OP_STORE_ROWS] = upi_ref_store_rows,
  [UPI_OP_COPY] = upi_ref_copy,
};

/* Attention needs a row of logits, one per key of both ranges. */
static gboolean
prepare_step (UpiPlan *plan, const UpiStep *shape, gpointer *state, gsize *scratch_bytes, GError **error)
{
  if (shape->op->kind == UPI_OP_ATTENTION) {
    gint keys = shape->in[1].shape.dim[1] + (shape->op->n_inputs == 7 ? shape->in[4].shape.dim[1] : 0);

    *scratch_bytes = (gsize) keys * sizeof (gdouble);
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
    .run = upi_steps_run,
    .run_timed = upi_steps_run_timed,
  };

  return &backend;
}
