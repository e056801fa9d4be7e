/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Plans and contexts for a backend that runs its operations one after another: the backend supplies prepare and run of
 * one operation, everything else (arena, resolved tensors, binding, timing) is here. A backend's table then points at
 * the upi_steps_* functions.
 */
#pragma once

#include "core/backends/backend.h"

G_BEGIN_DECLS

/* One operation as it is run: pointers resolved once per context, changed by bind() alone. */
typedef struct {
  const UpiOp *op;
  UpiTensor in[UPI_MAX_INPUTS]; /* op->n_inputs of them */
  UpiTensor residual;           /* data is NULL without one */
  UpiTensor out;
  gpointer state; /* of the plan: packed weights, primitives; shared, read only */
  gpointer local; /* of the context: memory objects; NULL if the backend makes none */
  void *scratch;  /* of the context: as many bytes as the operation that asked for most, UPI_ALIGNMENT aligned */
  gsize scratch_bytes;
} UpiStep;

typedef struct {
  /* Once per operation of a plan. `shape`: the step with weights resolved and every other data pointer NULL (shapes and
   * strides are final). Sets *state (may stay NULL) and *scratch_bytes. */
  gboolean (*prepare) (UpiPlan *plan, const UpiStep *shape, gpointer *state, gsize *scratch_bytes, GError **error);
  void (*state_free) (const UpiOp *op, gpointer state);
  /* Once per operation of a context; optional (both). */
  gboolean (*local_new) (UpiContext *context, const UpiStep *step, gpointer *local, GError **error);
  void (*local_free) (const UpiOp *op, gpointer local);
  /* Runs one operation; allocates nothing. FALSE only where a library failed. */
  gboolean (*run) (UpiContext *context, const UpiStep *step, GError **error);
} UpiStepFuncs;

typedef struct {
  UpiPlan base;
  const UpiStepFuncs *funcs;
  gpointer *states; /* one an operation */
  gsize scratch_bytes;
} UpiStepsPlan;

/* An input or output whose items may be bound each to memory of its own. */
typedef struct {
  void **memory;    /* [n], by bind_item(); NULL: of another kind of value */
  guint n;          /* items: the first dimension */
  gsize item_bytes; /* of memory and own */
  /* the context's memory for all items, from its first use on: frames come to it, and items that do not follow one
   * another */
  guint8 *own;
  gboolean by_item; /* bound so, not as a whole */
  gboolean is_new;  /* and since the last run */
  gboolean apart;   /* own is bound in place of memory */
  gboolean written; /* by runs */
} UpiStepsItems;

typedef struct {
  UpiContext base;
  guint8 *arena;
  guint8 *scratch;
  UpiStep *steps;       /* one an operation */
  void **bound;         /* one a value */
  UpiStepsItems *items; /* one a value */
} UpiStepsContext;

UpiPlan *upi_steps_prepare (
    const UpiBackend *backend, const UpiStepFuncs *funcs, UpiProgram *program, guint threads, GError **error);
void upi_steps_plan_free (UpiPlan *plan);
UpiContext *upi_steps_context_new (UpiPlan *plan, GError **error);
void upi_steps_context_free (UpiContext *context);
void upi_steps_bind (UpiContext *context, UpiValue value, void *data);
/* host-memory.c: */
extern const UpiBackendMemory upi_steps_memory;
gboolean upi_steps_items_init (UpiStepsContext *context, GError **error);
void upi_steps_items_clear (UpiStepsContext *context);
void upi_steps_bind_item (UpiContext *context, UpiValue value, guint item, void *memory);
/* An item of memory of the context's that is bound to the whole input: where a backend's put_frame writes. NULL and
 * UPI_ERROR_MEMORY */
gfloat *upi_steps_own_item (UpiContext *context, UpiValue value, guint item, GError **error);
/* What it was filled with: get_frame of a backend that has nothing but the host's memory. */
const gfloat *upi_steps_get_frame (UpiContext *context, UpiValue value, guint item);
/* Before and after a run. */
gboolean upi_steps_items_receive (UpiStepsContext *context, GError **error);
void upi_steps_items_send (UpiStepsContext *context);
/* As upi_steps_bind(), whatever the items are bound to. */
void upi_steps_bind_whole (UpiStepsContext *context, UpiValue value, void *data);

gboolean upi_steps_run (UpiContext *context, GError **error);
gboolean upi_steps_run_timed (UpiContext *context, gdouble *microseconds, GError **error);

G_END_DECLS
