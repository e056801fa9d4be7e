/* What a backend is: a short function table that turns a finished program into a plan and runs it.
 *
 * A plan is immutable and shareable between threads; what one run needs (arena, scratchpad, memory objects) is a context, one per worker.
 * run() allocates nothing of ours, takes no lock, does no shape arithmetic.
 */
#pragma once

#include "core/program/program.h"

G_BEGIN_DECLS

typedef struct _UpiBackend UpiBackend;
typedef struct _UpiPlan UpiPlan;
typedef struct _UpiContext UpiContext;

/* A value of the program as run() sees it: for kernels and tests. */
typedef struct {
  void *data;
  UpiDType dtype;
  UpiShape shape;
  gint stride[UPI_MAX_RANK];
} UpiTensor;

struct _UpiBackend {
  const gchar *name; /* "ref", "cpu", "cuda" */
  /* The program must be finished and outlive the plan (the plan takes ownership: freed with it). threads: per run, ≥ 1. */
  UpiPlan *(*prepare) (const UpiBackend *backend, UpiProgram *program /* transfer full */, guint threads, GError **error);
  void (*plan_free) (UpiPlan *plan);
  UpiContext *(*context_new) (UpiPlan *plan, GError **error);
  void (*context_free) (UpiContext *context);
  /* Binds memory to an input or output (index from upi_plan_find); stays bound until bound anew. The caller owns it. */
  void (*bind) (UpiContext *context, UpiValue value, void *data);
  gboolean (*run) (UpiContext *context, GError **error);
  /* As run, and adds each operation's time to microseconds[op] (ops->len of them). */
  gboolean (*run_timed) (UpiContext *context, gdouble *microseconds, GError **error);
  const gchar *description; /* the hardware, for users: "cuda:0 (NVIDIA L4), f16"; NULL: the processor */
};

/* The first members of every backend's plan and context. */
struct _UpiPlan {
  const UpiBackend *backend;
  UpiProgram *program;
  guint threads;
};
struct _UpiContext {
  UpiPlan *plan;
  gpointer extra; /* the backend's own, or NULL */
};

const UpiBackend *upi_backend_ref (void);
const UpiBackend *upi_backend_cpu (void);
/* By name; "cuda", "cuda:1", "cuda:1:f16" load its module. NULL and an error that says what is missing. */
const UpiBackend *upi_backend_find (const gchar *name, GError **error);

UpiPlan *upi_plan_new (const UpiBackend *backend, UpiProgram *program /* transfer full */, guint threads, GError **error);
void upi_plan_free (UpiPlan *plan);
UpiContext *upi_context_new (UpiPlan *plan, GError **error);
void upi_context_free (UpiContext *context);
/* The input or output of that name; UPI_NO_VALUE if there is none. */
UpiValue upi_plan_find (const UpiPlan *plan, const gchar *name);
gsize upi_plan_bytes (const UpiPlan *plan, UpiValue value); /* what a bound buffer must hold */
void upi_context_bind (UpiContext *context, UpiValue value, void *data);
gboolean upi_context_run (UpiContext *context, GError **error);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (UpiPlan, upi_plan_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (UpiContext, upi_context_free)

G_END_DECLS
