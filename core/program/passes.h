/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside core/program: what builder and passes share. upi_program_finish() runs the passes in the order of this
 * file. */
#pragma once

#include "core/program/tensor.h"
#include "core/upi.h"

G_BEGIN_DECLS

/* program.c */

static inline UpiValueInfo *
upi_value_info (const UpiProgram *p, UpiValue value)
{
  g_assert (value < p->values->len);
  return &g_array_index (p->values, UpiValueInfo, value);
}

static inline UpiOp *
upi_program_op (const UpiProgram *p, guint index)
{
  return &g_array_index (p->ops, UpiOp, index);
}

/* Records the first error: "part: operation: message". */
void upi_program_fail (UpiProgram *p, const gchar *operation, const gchar *format, ...) G_GNUC_PRINTF (3, 4);
/* A contiguous value of that kind. */
UpiValue
upi_program_append_value (UpiProgram *p, UpiValueKind kind, UpiDType dtype, const UpiShape *shape, const gchar *name);
/* What builder functions return once the program has an error: a value of shape [1,1,1,1]. */
UpiValue upi_program_no_result (UpiProgram *p);
gchar *upi_shape_to_string (const UpiShape *shape); /* "[1,20,20,24]" */

/* Calls func for every value that the operation reads (inputs that are there, residual). */
typedef void (*UpiReadFunc) (UpiValue value, gpointer user_data);
void upi_op_foreach_read (const UpiOp *op, UpiReadFunc func, gpointer user_data);
/* How often any view of `owner` (or itself) is read. */
guint upi_program_count_reads (const UpiProgram *p, UpiValue owner);

/* The one operation that writes `owner` as a whole; -1 if there are several, or one that writes a part of it. */
gint upi_program_find_producer (const UpiProgram *p, UpiValue owner);
/* Whether operations first .. last (inclusive) write any of the memory of `owner`. */
gboolean upi_program_is_written (const UpiProgram *p, UpiValue owner, gint first, gint last);

/* views.c */

/* Computes base, offset and strides of a view from its parent, and of that from its own. FALSE if strides cannot
 * express it. */
gboolean upi_view_resolve (UpiProgram *p, UpiValue value);
/* Makes `value` a reshape of `parent` and moves all its views along; FALSE and no change if some view cannot be
 * expressed. */
gboolean upi_view_redirect (UpiProgram *p, UpiValue value, UpiValue parent);
/* TRUE if the view shows every element of its base in order. */
gboolean upi_view_is_whole (const UpiProgram *p, UpiValue value);
/* A reshape that is a view, or UPI_NO_VALUE. */
UpiValue upi_view_try_reshape (UpiProgram *p, UpiValue x, const UpiShape *shape);
UpiValue upi_copy (UpiProgram *p, UpiValue x);

/* Passes. */

/* shapes.c: output shape and type of one operation, or an error naming part, operation and the shapes found and
 * expected. */
gboolean upi_check_op (const UpiProgram *p, const UpiOp *op, UpiShape *shape, UpiDType *dtype, GError **error);
/* check.c: all operations, and that every value is written before it is read. */
gboolean upi_check (const UpiProgram *p, GError **error);
/* dead.c: removes operations whose result nobody reads. */
void upi_remove_dead (UpiProgram *p);
/* fuse.c: activations and additions become attributes of the operation that makes their input. */
void upi_fuse (UpiProgram *p);
/* inplace.c: producers write into the parts of a concat, or into an output, where the copy between can go. */
void upi_elide_copies (UpiProgram *p);
/* lifetime.c: first and last operation that touches each owner. */
void upi_lifetimes (UpiProgram *p);
/* arena.c: offsets. */
void upi_place (UpiProgram *p);

G_END_DECLS
