/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a backend is: a short function table that turns a finished program into a plan and runs it.
 *
 * A plan is immutable and shareable between threads; what one run needs (arena, scratchpad, memory objects) is a
 * context, one per worker. run() allocates nothing of ours, takes no lock, does no shape arithmetic.
 */
#pragma once

#include "core/program/tensor.h"

G_BEGIN_DECLS

typedef struct _UpiBackend UpiBackend;
typedef struct _UpiPlan UpiPlan;
typedef struct _UpiContext UpiContext;

/* One direction of an antialiased scaling: output i is Σ weights[i·taps + t] · input[start[i] + t] over t < count[i].
 * start[i] and start[i] + count[i] never fall with i. */
typedef struct {
  guint n_out, taps;
  const gint *start;     /* [n_out] */
  const guint *count;    /* [n_out] ≤ taps */
  const gfloat *weights; /* [n_out, taps] */
} UpiFilter;

/* Pixels on their way into an input [N,H,W,3]: planes of samples, three components (or one: grey) in them, each scaled
 * by its own filters; then a matrix makes R, G and B of 0..255 of them, clamped; then scale and bias. What each number
 * means: core/backends/frames/reader.c. */
typedef struct {
  guint sample_bytes, sample_shift; /* 1, or 2 in the machine's order: 8 bits above the shift count */
  guint n_planes;
  struct {
    const guint8 *data;  /* of the first row */
    gssize stride;       /* bytes; negative: bottom-up */
    guint samples, rows; /* up to the last that counts */
    const UpiFilter *down;
  } planes[3];
  guint n_components;
  struct {
    guint plane, first, step; /* in samples */
    const UpiFilter *across;
  } components[3];
  gfloat matrix[3][4]; /* [R,G,B] ← [component or 1] */
  gfloat scale[3], bias[3];
  /* pixel (x, y) of the scaled picture is number origin + x·step_x + y·step_y of the input */
  gssize origin, step_x, step_y;
  /* An item of the input is input_width × input_height pixels: of them the picture, as it lies there, has width ×
   * height from the top left, and `border` (behind scale and bias) is in the others. */
  guint input_width, input_height, width, height;
  gfloat border[3];
  gboolean on_device; /* the planes are in the device's memory, and stay as they are until the next run has ended */
} UpiFrame;

/* The memory that device-resident values (upi_program_make_resident) lie in between runs: float32, of the device where
 * the backend has one, and no business of the host then; else the host's own. */
typedef struct {
  /* NULL and an error that names the purpose. */
  void *(*memory_new) (const UpiBackend *backend, gsize bytes, const gchar *purpose, GError **error);
  void (*memory_free) (const UpiBackend *backend, void *memory);
  /* To the host; what wrote the memory has ended. Blocks. */
  gboolean (*read) (const UpiBackend *backend, const void *memory, void *to, gsize bytes, GError **error);
  /* From memory to memory, between this context's runs. */
  gboolean (*copy) (UpiContext *context, void *to, const void *from, gsize bytes, GError **error);
} UpiBackendMemory;

/* The most that the hardware can do for one operation, by its published figures: no run comes quite there. */
typedef struct {
  gdouble bytes, flops; /* per second */
  guint element_bytes;  /* of floats in its memory */
  gboolean tensor_cores;
} UpiPeak;

struct _UpiBackend {
  const gchar *name; /* "ref", "cpu", "cuda" */
  /* The program must be finished and outlive the plan (the plan takes ownership: freed with it). threads: per run, ≥
   * 1. */
  UpiPlan *(*prepare) (
      const UpiBackend *backend, UpiProgram *program /* transfer full */, guint threads, GError **error);
  void (*plan_free) (UpiPlan *plan);
  UpiContext *(*context_new) (UpiPlan *plan, GError **error);
  void (*context_free) (UpiContext *context);
  /* Binds memory to an input or output (index from upi_plan_find); stays bound until bound anew. The caller owns it. */
  void (*bind) (UpiContext *context, UpiValue value, void *data);
  /* The same for one item (row of the first dimension) of an output, or of a device-resident value, whose memory is the
   * backend's: each has memory of its own. An input is read by the next run, and stays in the context until it is bound
   * anew; an output, or an input that is changed in place, is written by every run. NULL: to nothing. */
  void (*bind_item) (UpiContext *context, UpiValue value, guint item, void *memory);
  /* Pixels to one item of a device-resident input, for the next runs, in place of what was bound; the host's may change
   * once this returns. */
  gboolean (*put_frame) (UpiContext *context, UpiValue value, guint item, const UpiFrame *frame, GError **error);
  /* What put_frame made of an item, float32, as long as nothing else is put or bound there. NULL: the host has no
   * business there. */
  const gfloat *(*get_frame) (UpiContext *context, UpiValue value, guint item);
  gboolean (*run) (UpiContext *context, GError **error);
  /* As run, and adds each operation's time to microseconds[op] (ops->len of them). */
  gboolean (*run_timed) (UpiContext *context, gdouble *microseconds, GError **error);
  const gchar
      *description; /* for users: the device, "cuda:0 (NVIDIA L4), f16"; of the processor the instructions, "AVX2" */
  const UpiBackendMemory *memory;
  /* all workers share one device, with memory of its own, which likes batches; else each has a processor of the host */
  gboolean has_device;
  /* FALSE and the reason once nothing runs on its device any more; NULL: it always does. */
  gboolean (*is_alive) (const UpiBackend *backend, GError **error);
  /* What bounds an operation of the plan. NULL: not known of this backend; FALSE: nor of this hardware. */
  gboolean (*get_peak) (const UpiPlan *plan, guint op, UpiPeak *peak, GError **error);
  /* Of a map that is read once, right after it was made, so many bytes stay in a cache: programs may make larger ones
   * in strips. 0: whole maps. */
  gsize strip_bytes;
  /* Its plans have a copy of their own of the weights of convolutions and linear layers, in the host's memory. */
  gboolean packs_weights;
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
/* The same, a cuda one in a CUcontext that is somebody else's (NULL: in the device's own). */
const UpiBackend *upi_backend_find_in (const gchar *name, gpointer cuda_context, GError **error);

UpiPlan *
upi_plan_new (const UpiBackend *backend, UpiProgram *program /* transfer full */, guint threads, GError **error);
void upi_plan_free (UpiPlan *plan);
/* What a plan of the finished program and one context take of the host's memory, at the least. */
gsize upi_plan_least_bytes (const UpiBackend *backend, const UpiProgram *program);
UpiContext *upi_context_new (UpiPlan *plan, GError **error);
void upi_context_free (UpiContext *context);
/* The input or output of that name; UPI_NO_VALUE if there is none. */
UpiValue upi_plan_find (const UpiPlan *plan, const gchar *name);
gsize upi_plan_bytes (const UpiPlan *plan, UpiValue value); /* what a bound buffer must hold */
void upi_context_bind (UpiContext *context, UpiValue value, void *data);
void upi_context_bind_item (UpiContext *context, UpiValue value, guint item, void *memory);
gboolean upi_context_put_frame (UpiContext *context, UpiValue value, guint item, const UpiFrame *frame, GError **error);
/* NULL: the backend shows its inputs to nobody. */
const gfloat *upi_context_get_frame (UpiContext *context, UpiValue value, guint item);
gboolean upi_context_run (UpiContext *context, GError **error);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (UpiPlan, upi_plan_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (UpiContext, upi_context_free)

G_END_DECLS
