/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Views: reshape, slice and concat without copies. A view remembers what it was made from, so that a pass can move the
 * memory below it (a part of a concat) and compute its strides again. */

#include "core/program/passes.h"

#include <string.h>

/* Strides of `to` over the memory that `from` with `stride` walks, element for element; FALSE if there are none. Both
 * sides are cut into the smallest groups of dimensions with equal products; inside a group the memory must step
 * evenly. */
static gboolean
reshape_strides (const UpiShape *from, const gint *stride, const UpiShape *to, gint *to_stride)
{
  guint n = 0, f = 0, t = 0;
  gint dim[UPI_MAX_RANK], step[UPI_MAX_RANK];

  for (guint i = 0; i < from->rank; i++) {
    if (from->dim[i] > 1) {
      dim[n] = from->dim[i];
      step[n++] = stride[i];
    }
  }
  for (guint i = 0; i < UPI_MAX_RANK; i++)
    to_stride[i] = 0;
  while (t < to->rank && f < n) {
    guint f_end = f + 1, t_end = t + 1;
    gint64 f_count = dim[f], t_count = to->dim[t];
    gint s;

    while (f_count != t_count) {
      if (t_count < f_count)
        t_count *= to->dim[t_end++];
      else
        f_count *= dim[f_end++];
    }
    for (guint i = f; i + 1 < f_end; i++) {
      if (step[i] != step[i + 1] * dim[i + 1])
        return FALSE;
    }
    s = step[f_end - 1];
    for (guint i = t_end; i-- > t;) {
      to_stride[i] = s;
      s *= to->dim[i];
    }
    f = f_end;
    t = t_end;
  }
  for (; t < to->rank; t++)
    to_stride[t] = 1; /* dimensions of 1 */
  /* Kernels count on the last dimension: one that has a single element may claim any stride. */
  if (to->dim[to->rank - 1] == 1)
    to_stride[to->rank - 1] = 1;
  return to_stride[to->rank - 1] == 1;
}

gboolean
upi_view_resolve (UpiProgram *p, UpiValue value)
{
  UpiValueInfo *info = upi_value_info (p, value);
  const UpiValueInfo *parent;

  if (info->kind != UPI_VALUE_VIEW)
    return TRUE;
  if (!upi_view_resolve (p, info->parent))
    return FALSE;
  parent = upi_value_info (p, info->parent);
  info->base = parent->base;
  info->offset = parent->offset;
  if (info->slice_axis < 0)
    return reshape_strides (&parent->shape, parent->stride, &info->shape, info->stride);
  info->offset += (gsize) info->slice_start * (gsize) parent->stride[info->slice_axis];
  memcpy (info->stride, parent->stride, sizeof info->stride);
  return TRUE;
}

gboolean
upi_view_redirect (UpiProgram *p, UpiValue value, UpiValue parent)
{
  gsize bytes = p->values->len * sizeof (UpiValueInfo);
  g_autofree UpiValueInfo *saved = g_memdup2 (p->values->data, bytes);
  UpiValueInfo *info = upi_value_info (p, value);
  gboolean ok = TRUE;

  info->kind = UPI_VALUE_VIEW;
  info->parent = parent;
  info->slice_axis = -1;
  for (guint i = 0; i < p->values->len && ok; i++) {
    if (saved[i].base == value)
      ok = upi_view_resolve (p, i);
  }
  if (!ok)
    memcpy (p->values->data, saved, bytes);
  return ok;
}

gboolean
upi_view_is_whole (const UpiProgram *p, UpiValue value)
{
  const UpiValueInfo *info = upi_value_info (p, value), *base = upi_value_info (p, info->base);

  return info->offset == 0 && upi_value_is_contiguous (info)
      && upi_shape_count (&info->shape) == upi_shape_count (&base->shape);
}

static UpiValue
append_view (UpiProgram *p, UpiValue parent, const UpiShape *shape, gint axis, gint start)
{
  UpiValue view = upi_program_append_value (p, UPI_VALUE_VIEW, upi_value_info (p, parent)->dtype, shape, NULL);
  UpiValueInfo *info = upi_value_info (p, view);

  if (p->error != NULL)
    return view;
  info->parent = parent;
  info->slice_axis = axis;
  info->slice_start = start;
  if (!upi_view_resolve (p, view)) {
    /* Strides cannot walk it: a dense copy can be reshaped in any way. */
    UpiValue copy = upi_copy (p, parent);

    upi_value_info (p, view)->parent = copy;
    if (!upi_view_resolve (p, view))
      g_assert_not_reached ();
  }
  return view;
}

/**
 * upi_reshape:
 *
 * Returns: @x in another shape of as many elements; a view, or a copy where strides cannot express it
 */
UpiValue
upi_reshape (UpiProgram *p, UpiValue x, UpiShape shape)
{
  const UpiValueInfo *info = upi_value_info (p, x);

  if (p->error != NULL)
    return upi_program_no_result (p);
  if (shape.rank < 1 || shape.rank > UPI_MAX_RANK || upi_shape_count (&shape) != upi_shape_count (&info->shape)) {
    g_autofree gchar *from = upi_shape_to_string (&info->shape), *to = upi_shape_to_string (&shape);

    upi_program_fail (p, "reshape", "x %s and %s differ in their number of elements", from, to);
    return upi_program_no_result (p);
  }
  if (upi_shape_equal (&info->shape, &shape))
    return x;
  return append_view (p, x, &shape, -1, 0);
}

UpiValue
upi_view_try_reshape (UpiProgram *p, UpiValue x, const UpiShape *shape)
{
  UpiValue view;

  if (upi_shape_equal (&upi_value_info (p, x)->shape, shape))
    return x;
  view = upi_program_append_value (p, UPI_VALUE_VIEW, upi_value_info (p, x)->dtype, shape, NULL);
  upi_value_info (p, view)->parent = x;
  if (upi_view_resolve (p, view))
    return view;
  g_array_set_size (p->values, p->values->len - 1);
  return UPI_NO_VALUE;
}

/**
 * upi_slice:
 *
 * Returns: a view of indices @start .. @start + @count - 1 along @axis
 */
UpiValue
upi_slice (UpiProgram *p, UpiValue x, guint axis, gint start, gint count)
{
  UpiShape shape = upi_program_shape (p, x);

  if (p->error != NULL)
    return upi_program_no_result (p);
  if (axis >= shape.rank || start < 0 || count < 1 || start > shape.dim[axis] - count) {
    g_autofree gchar *text = upi_shape_to_string (&shape);

    upi_program_fail (p, "slice", "x %s has no %d entries from %d along axis %u", text, count, start, axis);
    return upi_program_no_result (p);
  }
  if (count == shape.dim[axis])
    return x;
  shape.dim[axis] = count;
  return append_view (p, x, &shape, (gint) axis, start);
}

/**
 * upi_concat:
 * @parts: (array length=n_parts): equal in shape but for @axis
 *
 * Returns: the parts one after another along @axis. Each is copied to its place here; upi_elide_copies() then lets its
 * producer write there.
 */
UpiValue
upi_concat (UpiProgram *p, const UpiValue *parts, guint n_parts, guint axis)
{
  UpiShape shape;
  UpiDType dtype;
  UpiValue result;
  gint64 total = 0;
  gint start = 0;

  if (p->error != NULL)
    return upi_program_no_result (p);
  g_assert (n_parts > 0);
  shape = upi_program_shape (p, parts[0]);
  dtype = upi_value_info (p, parts[0])->dtype;
  for (guint i = 0; i < n_parts; i++) {
    UpiShape part = upi_program_shape (p, parts[i]), expected = shape;

    if (axis < shape.rank)
      expected.dim[axis] = part.dim[axis];
    if (axis >= shape.rank || !upi_shape_equal (&part, &expected) || upi_value_info (p, parts[i])->dtype != dtype) {
      g_autofree gchar *first = upi_shape_to_string (&shape), *found = upi_shape_to_string (&part);

      upi_program_fail (p, "concat",
          "part %u %s does not fit part 0 %s along axis %u (shapes but for the axis, and types, must be equal)", i,
          found, first, axis);
      return upi_program_no_result (p);
    }
    total += part.dim[axis];
  }
  if (n_parts == 1)
    return parts[0];
  shape.dim[axis] = (gint) MIN (total, G_MAXINT);
  result = upi_program_append_value (p, UPI_VALUE_COMPUTED, dtype, &shape, NULL);
  for (guint i = 0; i < n_parts && p->error == NULL; i++) {
    gint count = upi_program_shape (p, parts[i]).dim[axis];
    UpiOp op = {
      .kind = UPI_OP_COPY, .part = p->part, .n_inputs = 1, .inputs = { parts[i] }, .residual = UPI_NO_VALUE
    };

    op.output = upi_slice (p, result, axis, start, count);
    g_array_append_val (p->ops, op);
    start += count;
  }
  return result;
}
