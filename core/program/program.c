/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The program's own data: values, operations, errors; and the order of the passes. */

#include "core/program/passes.h"

static void
clear_value (gpointer data)
{
  UpiValueInfo *info = data;

  g_clear_pointer (&info->name, g_free);
}

/**
 * upi_program_new:
 * @name: for dumps and errors
 *
 * Returns: (transfer full): an empty program
 */
UpiProgram *
upi_program_new (const gchar *name)
{
  UpiProgram *p = g_new0 (UpiProgram, 1);

  p->name = g_strdup (name);
  p->values = g_array_new (FALSE, TRUE, sizeof (UpiValueInfo));
  g_array_set_clear_func (p->values, clear_value);
  p->ops = g_array_new (FALSE, TRUE, sizeof (UpiOp));
  p->owned = g_ptr_array_new_with_free_func (g_free);
  p->part = "program";
  return p;
}

/**
 * upi_program_free:
 * @program: (transfer full) (nullable):
 */
void
upi_program_free (UpiProgram *program)
{
  if (program == NULL)
    return;
  g_array_unref (program->values);
  g_array_unref (program->ops);
  g_ptr_array_unref (program->owned);
  g_clear_error (&program->error);
  g_free (program->name);
  g_free (program);
}

void
upi_program_part (UpiProgram *program, const gchar *part)
{
  program->part = part;
}

void
upi_program_fail (UpiProgram *p, const gchar *operation, const gchar *format, ...)
{
  g_autofree gchar *message = NULL;
  va_list args;

  if (p->error != NULL)
    return;
  va_start (args, format);
  message = g_strdup_vprintf (format, args);
  va_end (args);
  p->error = g_error_new (UPI_ERROR, UPI_ERROR_MODEL, "%s, %s: %s: %s", p->name, p->part, operation, message);
}

gchar *
upi_shape_to_string (const UpiShape *shape)
{
  GString *text = g_string_new ("[");

  for (guint i = 0; i < shape->rank && i < UPI_MAX_RANK; i++)
    g_string_append_printf (text, i > 0 ? ",%d" : "%d", shape->dim[i]);
  return g_string_free (g_string_append_c (text, ']'), FALSE);
}

/* Every dimension > 0 and no more elements than an element stride can count. */
static gboolean
shape_is_valid (const UpiShape *shape)
{
  gint64 count = 1;

  if (shape->rank < 1 || shape->rank > UPI_MAX_RANK)
    return FALSE;
  for (guint i = 0; i < shape->rank; i++) {
    if (shape->dim[i] <= 0 || (count *= shape->dim[i]) > G_MAXINT32)
      return FALSE;
  }
  return TRUE;
}

UpiValue
upi_program_append_value (UpiProgram *p, UpiValueKind kind, UpiDType dtype, const UpiShape *shape, const gchar *name)
{
  UpiValueInfo info = { .kind = kind, .dtype = dtype, .shape = *shape, .first_op = -1, .last_op = -1 };

  if (!shape_is_valid (shape)) {
    g_autofree gchar *text = upi_shape_to_string (shape);

    upi_program_fail (p, name != NULL ? name : "value",
        "shape %s: 1 to %d dimensions above 0 and at most 2^31-1 elements are possible", text, UPI_MAX_RANK);
    return upi_program_no_result (p);
  }
  upi_shape_strides (shape, info.stride);
  info.base = p->values->len;
  info.parent = UPI_NO_VALUE;
  info.slice_axis = -1;
  info.name = g_strdup (name);
  g_array_append_val (p->values, info);
  return info.base;
}

UpiValue
upi_program_no_result (UpiProgram *p)
{
  return upi_program_append_value (p, UPI_VALUE_COMPUTED, UPI_F32, &UPI_SHAPE4 (1, 1, 1, 1), NULL);
}

static gboolean
name_is_bound (const UpiProgram *p, const gchar *name)
{
  for (guint i = 0; i < p->values->len; i++) {
    const UpiValueInfo *info = upi_value_info (p, i);

    if ((info->kind == UPI_VALUE_INPUT || info->is_output) && g_strcmp0 (info->name, name) == 0)
      return TRUE;
  }
  return FALSE;
}

/**
 * upi_program_input:
 * @name: by which upi_plan_find() finds it; unique among inputs and outputs
 *
 * Returns: a value that the caller binds before a run, contiguous
 */
UpiValue
upi_program_input (UpiProgram *p, const gchar *name, UpiDType dtype, UpiShape shape)
{
  if (name_is_bound (p, name))
    upi_program_fail (p, "input", "the name \"%s\" is taken by another input or output", name);
  return upi_program_append_value (p, UPI_VALUE_INPUT, dtype, &shape, name);
}

static UpiValue
append_constant (UpiProgram *p, const gchar *name, UpiDType dtype, const void *data, const UpiShape *shape)
{
  UpiValue value = upi_program_append_value (p, UPI_VALUE_WEIGHT, dtype, shape, name);

  g_assert (data != NULL);
  upi_value_info (p, value)->data = data;
  return value;
}

/**
 * upi_program_weight:
 * @data: contiguous, outlives program and plans
 */
UpiValue
upi_program_weight (UpiProgram *p, const gchar *name, const gfloat *data, UpiShape shape)
{
  return append_constant (p, name, UPI_F32, data, &shape);
}

UpiValue
upi_program_weight_i32 (UpiProgram *p, const gchar *name, const gint32 *data, UpiShape shape)
{
  return append_constant (p, name, UPI_I32, data, &shape);
}

/**
 * upi_program_constant:
 * @data: (transfer full) (nullable): freed with g_free() when the program is; NULL: there was no memory for it, which
 * is the program's error
 */
UpiValue
upi_program_constant (UpiProgram *p, gfloat *data, UpiShape shape)
{
  if (data == NULL) {
    if (p->error == NULL)
      p->error = g_error_new (UPI_ERROR, UPI_ERROR_MEMORY,
          "%s, %s: no memory for a constant of %" G_GSIZE_FORMAT " floats; use a smaller input size", p->name, p->part,
          upi_shape_count (&shape));
    return upi_program_no_result (p);
  }
  g_ptr_array_add (p->owned, data);
  return append_constant (p, NULL, UPI_F32, data, &shape);
}

/**
 * upi_program_output:
 * @name: by which upi_plan_find() finds it; unique among inputs and outputs
 *
 * The value is written where the caller binds it. A view, an input, a weight or what is an output already is copied
 * there.
 */
void
upi_program_output (UpiProgram *p, const gchar *name, UpiValue value)
{
  UpiValueInfo *info;

  if (p->error != NULL)
    return;
  if (name_is_bound (p, name)) {
    upi_program_fail (p, "output", "the name \"%s\" is taken by another input or output", name);
    return;
  }
  info = upi_value_info (p, value);
  if (info->kind != UPI_VALUE_COMPUTED || info->is_output) {
    value = upi_copy (p, value);
    info = upi_value_info (p, value);
  }
  info->is_output = TRUE;
  g_free (info->name);
  info->name = g_strdup (name);
}

/**
 * upi_program_make_resident:
 * @name: of an input or output; a float32 one
 */
void
upi_program_make_resident (UpiProgram *p, const gchar *name)
{
  for (guint i = 0; i < p->values->len; i++) {
    UpiValueInfo *info = upi_value_info (p, i);

    if ((info->kind == UPI_VALUE_INPUT || info->is_output) && info->dtype == UPI_F32
        && g_strcmp0 (info->name, name) == 0)
      info->is_resident = TRUE;
  }
}

const UpiValueInfo *
upi_program_value (const UpiProgram *p, UpiValue value)
{
  return upi_value_info (p, value);
}

UpiShape
upi_program_shape (const UpiProgram *p, UpiValue value)
{
  return upi_value_info (p, value)->shape;
}

void
upi_op_foreach_read (const UpiOp *op, UpiReadFunc func, gpointer user_data)
{
  for (guint i = 0; i < op->n_inputs; i++) {
    if (op->inputs[i] != UPI_NO_VALUE)
      func (op->inputs[i], user_data);
  }
  if (op->residual != UPI_NO_VALUE)
    func (op->residual, user_data);
}

typedef struct {
  const UpiProgram *program;
  UpiValue owner;
  guint reads;
} ReadCount;

static void
count_read (UpiValue value, gpointer user_data)
{
  ReadCount *count = user_data;

  count->reads += upi_value_info (count->program, value)->base == count->owner;
}

guint
upi_program_count_reads (const UpiProgram *p, UpiValue owner)
{
  ReadCount count = { p, owner, 0 };

  for (guint i = 0; i < p->ops->len; i++)
    upi_op_foreach_read (upi_program_op (p, i), count_read, &count);
  return count.reads;
}

gint
upi_program_find_producer (const UpiProgram *p, UpiValue owner)
{
  gint producer = -1;

  for (guint i = 0; i < p->ops->len; i++) {
    UpiValue output = upi_program_op (p, i)->output;

    if (upi_value_info (p, output)->base != owner)
      continue;
    if (producer >= 0 || output != owner)
      return -1;
    producer = (gint) i;
  }
  return producer;
}

gboolean
upi_program_is_written (const UpiProgram *p, UpiValue owner, gint first, gint last)
{
  for (gint i = first; i <= last; i++) {
    if (upi_value_info (p, upi_program_op (p, (guint) i)->output)->base == owner)
      return TRUE;
  }
  return FALSE;
}

/**
 * upi_program_finish:
 *
 * Checks the program, fuses operations, makes producers write in place and lays values out in one arena. Idempotent.
 *
 * Returns: FALSE and the first error of the builder functions or of the check
 */
gboolean
upi_program_finish (UpiProgram *program, GError **error)
{
  if (program->finished)
    return TRUE;
  if (program->error != NULL) {
    g_propagate_error (error, g_error_copy (program->error));
    return FALSE;
  }
  if (!upi_check (program, error))
    return FALSE;
  upi_remove_dead (program);
  upi_fuse (program);
  upi_elide_copies (program);
  /* The passes must leave a valid program: what this finds is a bug of theirs. */
  if (!upi_check (program, error))
    return FALSE;
  upi_lifetimes (program);
  upi_place (program);
  program->finished = TRUE;
  return TRUE;
}
