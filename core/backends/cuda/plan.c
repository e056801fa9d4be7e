/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A plan of the cuda backend: weights on the device, an algorithm chosen for each operation, the places of what is
 * bound. */
#include "core/backends/cuda/cuda.h"

static gsize
aligned (gsize bytes)
{
  return (bytes + UPI_CUDA_ALIGNMENT - 1) / UPI_CUDA_ALIGNMENT * UPI_CUDA_ALIGNMENT;
}

/* Index values stay 32 bits wide whatever the numbers are. */
gsize
upi_cuda_element_bytes (UpiCudaType type, UpiDType dtype)
{
  return dtype == UPI_I32 || type == UPI_CUDA_F32 ? 4 : 2;
}

UpiTensor
upi_cuda_resolve (const UpiCudaPlan *plan, UpiValue value, const UpiCudaContext *context)
{
  const UpiProgram *p = plan->base.program;
  const UpiValueInfo *info = upi_program_value (p, value), *owner = upi_program_value (p, info->base);
  UpiTensor tensor = { NULL, info->dtype, info->shape, { 0 } };
  const guint8 *data = NULL;

  for (guint i = 0; i < info->shape.rank; i++)
    tensor.stride[i] = info->stride[i];
  if (owner->kind == UPI_VALUE_WEIGHT)
    data = plan->weights[info->base];
  else if (context != NULL)
    data = owner->kind == UPI_VALUE_INPUT || owner->is_output ? context->values[info->base]
                                                              : context->arena + owner->arena_offset;
  if (data != NULL)
    tensor.data = (void *) (data + info->offset * upi_cuda_element_bytes (plan->type, info->dtype));
  return tensor;
}

/* Inputs that nobody reads have no place. */
static gboolean
has_place (const UpiValueInfo *info, gboolean output)
{
  return info->first_op >= 0 && !info->is_resident && (output ? info->is_output : info->kind == UPI_VALUE_INPUT);
}

static void
place_bound_values (UpiCudaPlan *plan)
{
  const UpiProgram *p = plan->base.program;

  plan->io_offset = g_new0 (gsize, p->values->len);
  for (guint outputs = 0; outputs < 2; outputs++) {
    for (guint v = 0; v < p->values->len; v++) {
      const UpiValueInfo *info = upi_program_value (p, v);

      if (!has_place (info, outputs))
        continue;
      plan->io_offset[v] = plan->io_bytes;
      plan->io_bytes += aligned (upi_shape_count (&info->shape) * UPI_ELEMENT_BYTES);
    }
    if (outputs == 0)
      plan->in_bytes = plan->io_bytes;
  }
  for (guint v = 0; v < p->values->len; v++) {
    const UpiValueInfo *info = upi_program_value (p, v);

    if (!info->is_resident || info->first_op < 0)
      continue;
    plan->io_offset[v] = plan->resident_bytes;
    plan->resident_bytes += aligned (upi_shape_count (&info->shape) * upi_cuda_element_bytes (plan->type, info->dtype));
  }
}

UpiPlan *
upi_cuda_prepare (const UpiBackend *base, UpiProgram *program, guint threads, GError **error)
{
  const UpiCudaBackend *backend = (const UpiCudaBackend *) base;
  g_auto (UpiCudaScope) scope = { NULL };
  UpiCudaPlan *plan;

  if (!upi_cuda_enter (&scope, backend->device, error) || !upi_cuda_device_acquire (backend->device, error)) {
    upi_program_free (program);
    return NULL;
  }
  plan = g_new0 (UpiCudaPlan, 1);
  plan->base = (UpiPlan){ base, program, threads };
  plan->device = backend->device;
  plan->type = backend->type;
  plan->ops = g_new0 (UpiCudaOp, program->ops->len);
  plan->weights = g_new0 (const void *, program->values->len);
  place_bound_values (plan);
  for (guint i = 0; i < program->ops->len; i++) {
    if (!upi_cuda_op_prepare (plan, i, error)) {
      upi_cuda_plan_free (&plan->base);
      return NULL;
    }
    plan->scratch_bytes = MAX (plan->scratch_bytes, plan->ops[i].scratch);
  }
  return &plan->base;
}

void
upi_cuda_plan_free (UpiPlan *base)
{
  UpiCudaPlan *plan = (UpiCudaPlan *) base;
  g_auto (UpiCudaScope) scope = { NULL };

  upi_cuda_enter_to_free (&scope, plan->device);
  for (guint i = 0; i < base->program->ops->len; i++)
    upi_cuda_op_clear (plan, i);
  for (guint v = 0; v < base->program->values->len; v++)
    upi_cuda_weight_unref (plan->device, plan->weights[v]);
  upi_cuda_device_release (plan->device);
  g_free (plan->ops);
  g_free (plan->weights);
  g_free (plan->io_offset);
  upi_program_free (base->program);
  g_free (plan);
}
