/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cpu backend: oneDNN for convolutions and linear layers, own kernels for the rest, the widest instruction set of
 * the machine. */
#include "core/backends/cpu/cpu.h"
#include "core/backends/cpu/onednn.h"
#include "core/backends/cpu/prepare.h"
#include "core/backends/cpu/thread-pool.h"
#include "core/backends/frames/convert.h"

#include <string.h>
#include <time.h>

/* An operation is shared by threads if it is worth their meeting: some tens of microseconds on one. */
#define SHARED_MACS 1000000
#define SHARED_ELEMENTS 32768

typedef struct {
  UpiBackend base;
  UpiIsa isa;
  gboolean library;
} UpiCpuBackend;

/* What a context has beside its steps. */
typedef struct {
  UpiThreadPool *threads; /* NULL: a run is on one thread */
  UpiConverter *converter;
} UpiCpuContext;

/* NULL: not compiled for this machine. */
static const UpiCpuKernels *const kernels_of[UPI_N_ISAS] = {
  [UPI_ISA_BASELINE] = &upi_cpu_kernels_baseline,
#ifdef UPI_CPU_X86
  [UPI_ISA_AVX2] = &upi_cpu_kernels_avx2,
  [UPI_ISA_AVX512] = &upi_cpu_kernels_avx512,
#endif
};

static gboolean
step_prepare (UpiPlan *plan, const UpiStep *shape, gpointer *state, gsize *scratch_bytes, GError **error)
{
  const UpiCpuBackend *backend = (const UpiCpuBackend *) plan->backend;
  UpiCpuState *s = g_new0 (UpiCpuState, 1);

  /* A frame on several threads is our own thread pool's: the library would bring OpenMP's. */
  if (!upi_cpu_prepare (s, kernels_of[backend->isa], backend->library && plan->threads == 1,
          plan->program->of_many_shapes, shape, error)) {
    upi_cpu_state_free (s);
    return FALSE;
  }
  s->scratch = (s->scratch + UPI_ALIGNMENT - 1) / UPI_ALIGNMENT * UPI_ALIGNMENT;
  s->shared = plan->threads > 1 && s->units > s->grain
      && (upi_op_macs (plan->program, shape->op) > SHARED_MACS
          || upi_shape_count (&shape->out.shape) > SHARED_ELEMENTS);
  *state = s;
  *scratch_bytes = s->scratch * plan->threads;
  return TRUE;
}

static void
step_state_free (const UpiOp *op, gpointer state)
{
  upi_cpu_state_free (state);
}

static gboolean
step_local_new (UpiContext *context, const UpiStep *step, gpointer *local, GError **error)
{
  const UpiCpuState *state = step->state;

  if (state->dnn == NULL)
    return TRUE;
  *local = upi_dnn_local_new (state->dnn, error);
  return *local != NULL;
}

static void
step_local_free (const UpiOp *op, gpointer local)
{
  upi_dnn_local_free (local);
}

static void
run_share (gpointer job, gint begin, gint end, guint thread)
{
  const UpiStep *step = job;
  const UpiCpuState *state = step->state;

  state->kernel (step, begin, end, (guint8 *) step->scratch + thread * state->scratch);
}

static gboolean
step_run (UpiContext *context, const UpiStep *step, GError **error)
{
  const UpiCpuState *state = step->state;

  if (step->local != NULL)
    return upi_dnn_run (step->local, step->in[0].data, step->out.data, step->residual.data, step->scratch, error);
  if (state->shared)
    upi_thread_pool_run (
        ((UpiCpuContext *) context->extra)->threads, run_share, (gpointer) step, state->units, state->grain);
  else
    state->kernel (step, 0, state->units, step->scratch);
  return TRUE;
}

static const UpiStepFuncs funcs = { step_prepare, step_state_free, step_local_new, step_local_free, step_run };

static UpiPlan *
cpu_prepare (const UpiBackend *backend, UpiProgram *program, guint threads, GError **error)
{
  return upi_steps_prepare (backend, &funcs, program, threads, error);
}

static void
cpu_context_free (UpiContext *context)
{
  UpiCpuContext *extra = context->extra;

  if (extra->threads != NULL)
    upi_thread_pool_free (extra->threads);
  upi_converter_free (extra->converter);
  g_free (extra);
  upi_steps_context_free (context);
}

static UpiContext *
cpu_context_new (UpiPlan *plan, GError **error)
{
  UpiContext *context = upi_steps_context_new (plan, error);
  UpiCpuContext *extra;

  if (context == NULL)
    return NULL;
  context->extra = extra = g_new0 (UpiCpuContext, 1);
  extra->converter = upi_converter_new (((const UpiCpuBackend *) plan->backend)->isa);
  if (plan->threads > 1 && (extra->threads = upi_thread_pool_new (plan->threads, error)) == NULL)
    g_clear_pointer (&context, cpu_context_free);
  return context;
}

static gboolean
cpu_put_frame (UpiContext *context, UpiValue value, guint item, const UpiFrame *frame, GError **error)
{
  gfloat *input = upi_steps_own_item (context, value, item, error);

  return input != NULL && upi_converter_run (((UpiCpuContext *) context->extra)->converter, frame, input, error);
}

static gboolean
cpu_run_timed (UpiContext *context, gdouble *microseconds, GError **error)
{
  gint before = upi_dnn_single_thread_begin ();
  gboolean ok = upi_steps_run_timed (context, microseconds, error);

  upi_dnn_single_thread_end (before);
  return ok;
}

static gboolean
cpu_run (UpiContext *context, GError **error)
{
  return cpu_run_timed (context, NULL, error);
}

/* A second-level cache has one or two MB; twice as many strips gain no more (README.md). */
#define STRIP_BYTES (2 * 1024 * 1024)

#define VARIANT(isa_, title, library_)                                                                                 \
  {                                                                                                                    \
    { .name = "cpu",                                                                                                   \
      .prepare = cpu_prepare,                                                                                          \
      .plan_free = upi_steps_plan_free,                                                                                \
      .context_new = cpu_context_new,                                                                                  \
      .context_free = cpu_context_free,                                                                                \
      .bind = upi_steps_bind,                                                                                          \
      .bind_item = upi_steps_bind_item,                                                                                \
      .put_frame = cpu_put_frame,                                                                                      \
      .get_frame = upi_steps_get_frame,                                                                                \
      .run = cpu_run,                                                                                                  \
      .run_timed = cpu_run_timed,                                                                                      \
      .description = title,                                                                                            \
      .memory = &upi_steps_memory,                                                                                     \
      .strip_bytes = STRIP_BYTES,                                                                                      \
      .packs_weights = TRUE },                                                                                         \
        isa_, library_                                                                                                 \
  }

const UpiBackend *
upi_backend_cpu_with_isa (UpiIsa isa, gboolean library)
{
  static const UpiCpuBackend variants[UPI_N_ISAS][2] = {
    { VARIANT (UPI_ISA_BASELINE, "baseline", FALSE), VARIANT (UPI_ISA_BASELINE, "baseline", TRUE) },
    { VARIANT (UPI_ISA_AVX2, "AVX2", FALSE), VARIANT (UPI_ISA_AVX2, "AVX2", TRUE) },
    { VARIANT (UPI_ISA_AVX512, "AVX-512", FALSE), VARIANT (UPI_ISA_AVX512, "AVX-512", TRUE) },
  };

  if (isa > upi_processor_isa () || (library && !upi_dnn_available ()))
    return NULL;
  return &variants[isa][library ? 1 : 0].base;
}

const UpiBackend *
upi_backend_cpu (void)
{
  return upi_backend_cpu_with_isa (upi_processor_isa (), upi_dnn_available ());
}

const gchar *
upi_cpu_implementation (const UpiPlan *plan, guint op)
{
  const UpiCpuBackend *backend = (const UpiCpuBackend *) plan->backend;
  const UpiCpuState *state = ((const UpiStepsPlan *) plan)->states[op];

  return state->dnn != NULL ? upi_dnn_implementation (state->dnn) : upi_isa_name (backend->isa);
}

gchar *
upi_cpu_description (void)
{
  g_autofree gchar *info = NULL, *name = NULL;

  if (g_file_get_contents ("/proc/cpuinfo", &info, NULL, NULL)) {
    const gchar *line = strstr (info, "model name"), *colon = line != NULL ? strchr (line, ':') : NULL;

    if (colon != NULL)
      name = g_strstrip (g_strndup (colon + 1, strcspn (colon + 1, "\n")));
  }
  return g_strdup_printf ("%s (%s%s)", name != NULL ? name : "CPU", upi_isa_name (upi_processor_isa ()),
      upi_dnn_available () ? ", oneDNN" : "");
}

static void
own_sgemm (gint n, const gfloat *a, const gfloat *b, gfloat *c, gfloat *packed)
{
  const UpiCpuKernels *kernels = kernels_of[upi_processor_isa ()];

  kernels->gemm_pack (packed, b, n, 1, n, n);
  kernels->gemm (&(UpiGemm){ .n = n, .k = n, .taps = 1, .a = a, .lda = n, .b = packed, .c = c, .ldc = n }, 0, n);
}

/* Microseconds of processor time of this thread: what other processes take does not count. */
static gdouble
thread_time (void)
{
  struct timespec t;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &t);
  return (gdouble) t.tv_sec * 1e6 + (gdouble) t.tv_nsec * 1e-3;
}

gdouble
upi_cpu_sgemm_rate (guint n, guint repeats)
{
  const gsize count = (gsize) n * n;
  gfloat *a = g_aligned_alloc (4 * count + 64 * n, sizeof (gfloat), UPI_ALIGNMENT), *b = a + count, *c = b + count,
         *packed = c + count;
  gdouble best = G_MAXDOUBLE;

  for (gsize i = 0; i < 2 * count; i++)
    a[i] = (gfloat) (i * 7919 % 1024) / 1024.0f - 0.5f;
  for (guint i = 0; i < repeats + 1; i++) {
    gdouble start = thread_time ();

    if (!upi_dnn_sgemm ((gint) n, a, b, c))
      own_sgemm ((gint) n, a, b, c, packed);
    if (i > 0)
      best = MIN (best, thread_time () - start);
  }
  g_aligned_free (a);
  return 2.0 * (gdouble) n * (gdouble) count / (MAX (best, 1) * 1e-6);
}
