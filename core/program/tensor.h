/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small helpers that passes, backends and tests share: counts, contiguity, rows of strided tensors, values resolved to
 * memory. */
#pragma once

#include "core/program/program.h"

G_BEGIN_DECLS

/* A value of the program as run() sees it: for kernels and tests. */
typedef struct {
  void *data;
  UpiDType dtype;
  UpiShape shape;
  gint stride[UPI_MAX_RANK];
} UpiTensor;

#define UPI_ALIGNMENT 64 /* of the arena and of every value in it: a cache line, an AVX-512 vector */

static inline gsize
upi_shape_count (const UpiShape *shape)
{
  gsize count = 1;

  for (guint i = 0; i < shape->rank; i++)
    count *= (gsize) shape->dim[i];
  return count;
}

static inline gboolean
upi_shape_equal (const UpiShape *a, const UpiShape *b)
{
  if (a->rank != b->rank)
    return FALSE;
  for (guint i = 0; i < a->rank; i++) {
    if (a->dim[i] != b->dim[i])
      return FALSE;
  }
  return TRUE;
}

/* Strides of a contiguous tensor of that shape. */
static inline void
upi_shape_strides (const UpiShape *shape, gint stride[UPI_MAX_RANK])
{
  gint step = 1;

  for (guint i = shape->rank; i-- > 0;) {
    stride[i] = step;
    step *= shape->dim[i];
  }
  for (guint i = shape->rank; i < UPI_MAX_RANK; i++)
    stride[i] = 0;
}

/* Whether the dimensions from `axis` on lie without gaps (strides of dimensions of 1 do not matter). */
static inline gboolean
upi_strides_dense (const UpiShape *shape, const gint *stride, guint axis)
{
  gint step = 1;

  for (guint i = shape->rank; i-- > axis;) {
    if (shape->dim[i] > 1 && stride[i] != step)
      return FALSE;
    step *= shape->dim[i];
  }
  return TRUE;
}

static inline gboolean
upi_value_is_contiguous (const UpiValueInfo *value)
{
  return upi_strides_dense (&value->shape, value->stride, 0);
}

static inline gboolean
upi_tensor_is_contiguous (const UpiTensor *tensor)
{
  return upi_strides_dense (&tensor->shape, tensor->stride, 0);
}

/* Width of the last dimension: C of [N,H,W,C], of [N,T,C]. */
static inline gint
upi_shape_width (const UpiShape *shape)
{
  return shape->dim[shape->rank - 1];
}

/* All leading dimensions as rows: their number. */
static inline gsize
upi_shape_rows (const UpiShape *shape)
{
  return upi_shape_count (shape) / (gsize) upi_shape_width (shape);
}

/* TRUE if the dimensions [first, end) step through memory like one dimension of `*count` items, `*stride` elements
 * apart: what a matrix product needs of its rows. Slices of tokens in a batch > 1 do not. */
static inline gboolean
upi_strides_collapse (const UpiShape *shape, const gint *stride, guint first, guint end, gsize *count, gint *step)
{
  gsize n = 1;
  gint s = 0;

  for (guint i = end; i-- > first;) {
    if (shape->dim[i] == 1)
      continue;
    if (s == 0)
      s = stride[i];
    else if ((gint64) stride[i] != (gint64) s * (gint64) n)
      return FALSE;
    n *= (gsize) shape->dim[i];
  }
  *count = n;
  *step = s != 0 ? s : end < shape->rank ? shape->dim[end] : 1;
  return TRUE;
}

/* Rows of the whole tensor, `*row_stride` elements apart. */
static inline gboolean
upi_tensor_rows (const UpiTensor *tensor, gsize *rows, gint *row_stride)
{
  return upi_strides_collapse (&tensor->shape, tensor->stride, 0, tensor->shape.rank - 1, rows, row_stride);
}

/* Start of row r (leading dimensions counted in order) for any strides, in elements. Slow: once a row, not once an
 * element. */
static inline gsize
upi_tensor_row_offset (const UpiTensor *tensor, gsize row)
{
  gsize offset = 0;

  for (guint i = tensor->shape.rank - 1; i-- > 0;) {
    offset += (row % (gsize) tensor->shape.dim[i]) * (gsize) tensor->stride[i];
    row /= (gsize) tensor->shape.dim[i];
  }
  return offset;
}

static inline gfloat *
upi_tensor_row (const UpiTensor *tensor, gsize row)
{
  return (gfloat *) tensor->data + upi_tensor_row_offset (tensor, row);
}

/* Stride of the dimension `axis`, or 0 if that dimension is 1: a broadcast. */
static inline gint
upi_tensor_step (const UpiTensor *tensor, guint axis)
{
  return tensor->shape.dim[axis] > 1 ? tensor->stride[axis] : 0;
}

/* Element size of both types is 4. */
#define UPI_ELEMENT_BYTES 4

/* The value as run() sees it. `arena`: base of the context's arena. `bound`: one pointer a value, set for bound inputs
 * and outputs; may be NULL, data is NULL for values that are bound later. */
static inline UpiTensor
upi_tensor_resolve (const UpiProgram *program, UpiValue value, void *arena, void *const *bound)
{
  const UpiValueInfo *info = upi_program_value (program, value);
  const UpiValueInfo *owner = upi_program_value (program, info->base);
  UpiTensor tensor = { NULL, info->dtype, info->shape, { 0 } };
  guint8 *data = NULL;

  for (guint i = 0; i < info->shape.rank; i++)
    tensor.stride[i] = info->stride[i];
  if (owner->kind == UPI_VALUE_WEIGHT)
    data = (guint8 *) owner->data;
  else if (owner->kind == UPI_VALUE_INPUT || owner->is_output)
    data = bound != NULL ? (guint8 *) bound[info->base] : NULL;
  else if (arena != NULL)
    data = (guint8 *) arena + owner->arena_offset;
  if (data != NULL)
    tensor.data = data + info->offset * UPI_ELEMENT_BYTES;
  return tensor;
}

G_END_DECLS
