/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* oneDNN 2.6 to 3.x: see onednn.h. The differences of the two C APIs are the five functions at the top. */
#include "core/backends/cpu/onednn.h"
#include "core/memory.h"
#include "core/upi.h"

#ifdef UPI_HAVE_ONEDNN

#include "core/backends/cpu/onednn-guard.h"

#include <dlfcn.h>
#include <oneapi/dnnl/dnnl.h>
#include <string.h>
#include <sys/mman.h>

#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t Desc;
typedef const_dnnl_memory_desc_t ConstDesc;
#define desc_free(desc) dnnl_memory_desc_destroy (desc)
#define APPEND_ELTWISE(ops, algorithm, alpha, beta) dnnl_post_ops_append_eltwise (ops, algorithm, alpha, beta)
#else
typedef dnnl_memory_desc_t *Desc;
typedef const dnnl_memory_desc_t *ConstDesc;
#define desc_free(desc) g_free (desc)
#define APPEND_ELTWISE(ops, algorithm, alpha, beta) dnnl_post_ops_append_eltwise (ops, 1.0f, algorithm, alpha, beta)
#endif

static Desc
desc_new (gint rank, const dnnl_dims_t dims, dnnl_format_tag_t tag)
{
#if DNNL_VERSION_MAJOR >= 3
  dnnl_memory_desc_t desc = NULL;

  return dnnl_memory_desc_create_with_tag (&desc, rank, dims, dnnl_f32, tag) == dnnl_success ? desc : NULL;
#else
  dnnl_memory_desc_t *desc = g_new0 (dnnl_memory_desc_t, 1);

  if (dnnl_memory_desc_init_by_tag (desc, rank, dims, dnnl_f32, tag) == dnnl_success)
    return desc;
  g_free (desc);
  return NULL;
#endif
}

static dnnl_status_t
conv_desc_new (dnnl_primitive_desc_t *result, dnnl_engine_t engine, Desc x, Desc w, Desc bias, Desc y,
    const dnnl_dims_t stride, const dnnl_dims_t pad_before, const dnnl_dims_t pad_after, dnnl_primitive_attr_t attr)
{
  const dnnl_dims_t dilation = { 0, 0 };
#if DNNL_VERSION_MAJOR >= 3
  return dnnl_convolution_forward_primitive_desc_create (result, engine, dnnl_forward_inference,
      dnnl_convolution_direct, x, w, bias, y, stride, dilation, pad_before, pad_after, attr);
#else
  dnnl_convolution_desc_t conv;
  dnnl_status_t status = dnnl_dilated_convolution_forward_desc_init (
      &conv, dnnl_forward_inference, dnnl_convolution_direct, x, w, bias, y, stride, dilation, pad_before, pad_after);

  return status != dnnl_success ? status : dnnl_primitive_desc_create (result, &conv, attr, engine, NULL);
#endif
}

/* Shared by all contexts; read only after upi_dnn_conv_new(). */
struct _UpiDnn {
  dnnl_engine_t engine;
  dnnl_primitive_desc_t desc;
  dnnl_primitive_t primitive;
  dnnl_memory_t weights, bias;
  gfloat *packed, *bias_data;
  gboolean residual;
  const gchar *implementation;
  gsize scratch;
};

struct _UpiDnnLocal {
  const UpiDnn *dnn;
  dnnl_stream_t stream;
  dnnl_memory_t x, y, residual, scratch;
  dnnl_exec_arg_t args[6];
  gint n_args;
};

/* OpenMP is oneDNN's dependency, not ours: its functions are found where the library has brought them, whichever
 * runtime it is. Looked for
 * once: dlsym takes a lock that a run must not wait for. */
typedef struct {
  gint (*get) (void);
  void (*set) (gint threads);
} OpenMp;

static const OpenMp *
openmp (void)
{
  static OpenMp functions;
  static gsize found;

  if (g_once_init_enter (&found)) {
    functions.get = (gint (*) (void)) dlsym (RTLD_DEFAULT, "omp_get_max_threads");
    functions.set = (void (*) (gint)) dlsym (RTLD_DEFAULT, "omp_set_num_threads");
    g_once_init_leave (&found, 1);
  }
  return &functions;
}

static gint
set_threads (gint threads)
{
  const OpenMp *omp = openmp ();
  gint before = omp->get != NULL ? omp->get () : 1;

  if (omp->set != NULL && before != threads)
    omp->set (threads);
  return before;
}

gboolean
upi_dnn_available (void)
{
  return TRUE;
}

static gboolean
append_post_ops (dnnl_post_ops_t ops, ConstDesc residual, UpiAct act)
{
  static const struct {
    dnnl_alg_kind_t algorithm;
    gfloat alpha, beta;
  } eltwise[] = {
    [UPI_ACT_RELU] = { dnnl_eltwise_relu, 0, 0 },
    [UPI_ACT_RELU6] = { dnnl_eltwise_clip, 0, 6 },
    [UPI_ACT_GELU] = { dnnl_eltwise_gelu_erf, 0, 0 },
    [UPI_ACT_SIGMOID] = { dnnl_eltwise_logistic, 0, 0 },
    [UPI_ACT_HARD_SWISH] = { dnnl_eltwise_hardswish, 1.0f / 6, 0.5f }, /* 2.x has these numbers built in */
    [UPI_ACT_HARD_SIGMOID] = { dnnl_eltwise_linear, 1.0f / 6, 0.5f },  /* then between 0 and 1 */
  };

  if (residual != NULL && dnnl_post_ops_append_binary (ops, dnnl_binary_add, residual) != dnnl_success)
    return FALSE;
  if (act != UPI_ACT_NONE
      && APPEND_ELTWISE (ops, eltwise[act].algorithm, eltwise[act].alpha, eltwise[act].beta) != dnnl_success)
    return FALSE;
  return act != UPI_ACT_HARD_SIGMOID || APPEND_ELTWISE (ops, dnnl_eltwise_clip, 0, 1) == dnnl_success;
}

/* The library's packed copy of w [O,C,kh,kw]. */
static gboolean
pack_weights (UpiDnn *dnn, Desc plain, const gfloat *w, GError **error)
{
  ConstDesc wanted = dnnl_primitive_desc_query_md (dnn->desc, dnnl_query_weights_md, 0);
  dnnl_memory_t from = NULL;
  dnnl_primitive_desc_t desc = NULL;
  dnnl_primitive_t reorder = NULL;
  dnnl_stream_t stream = NULL;
  gboolean ok;

  dnn->packed = upi_memory_new (1, dnnl_memory_desc_get_size (wanted), "packed weights", error);
  ok = dnn->packed != NULL && dnnl_memory_create (&from, plain, dnn->engine, (void *) w) == dnnl_success
      && dnnl_memory_create (&dnn->weights, wanted, dnn->engine, dnn->packed) == dnnl_success
      && dnnl_reorder_primitive_desc_create (&desc, plain, dnn->engine, wanted, dnn->engine, NULL) == dnnl_success
      && dnnl_primitive_create (&reorder, desc) == dnnl_success
      && dnnl_stream_create (&stream, dnn->engine, dnnl_stream_default_flags) == dnnl_success;
  if (ok) {
    dnnl_exec_arg_t args[2] = { { DNNL_ARG_FROM, from }, { DNNL_ARG_TO, dnn->weights } };

    ok = dnnl_primitive_execute (reorder, stream, 2, args) == dnnl_success && dnnl_stream_wait (stream) == dnnl_success;
  }
  dnnl_stream_destroy (stream);
  dnnl_primitive_destroy (reorder);
  dnnl_primitive_desc_destroy (desc);
  dnnl_memory_destroy (from);
  return ok;
}

static gboolean
conv_init (UpiDnn *dnn, const UpiDnnConv *spec, GError **error)
{
  const UpiShape *x = &spec->x->shape, *w = &spec->w->shape, *y = &spec->y->shape;
  const dnnl_dims_t xs = { x->dim[0], x->dim[3], x->dim[1], x->dim[2] },
                    ws = { w->dim[0], w->dim[1], w->dim[2], w->dim[3] };
  const dnnl_dims_t ys = { y->dim[0], y->dim[3], y->dim[1], y->dim[2] }, bs = { y->dim[3] };
  const dnnl_dims_t stride = { MAX (spec->conv->stride, 1), MAX (spec->conv->stride, 1) };
  const dnnl_dims_t before = { spec->conv->pad_top, spec->conv->pad_left };
  const dnnl_dims_t after = { spec->conv->pad_bottom, spec->conv->pad_right };
  Desc xd = desc_new (4, xs, dnnl_nhwc), yd = desc_new (4, ys, dnnl_nhwc), wd = desc_new (4, ws, dnnl_format_tag_any);
  Desc plain = desc_new (4, ws, dnnl_oihw), bd = spec->bias != NULL ? desc_new (1, bs, dnnl_a) : NULL;
  dnnl_post_ops_t ops = NULL;
  dnnl_primitive_attr_t attr = NULL;
  gboolean ok;

  dnn->residual = spec->residual != NULL;
  ok = xd != NULL && yd != NULL && wd != NULL && plain != NULL && (bd != NULL || spec->bias == NULL)
      && dnnl_engine_create (&dnn->engine, dnnl_cpu, 0) == dnnl_success && dnnl_post_ops_create (&ops) == dnnl_success
      && dnnl_primitive_attr_create (&attr) == dnnl_success
      && append_post_ops (ops, dnn->residual ? yd : NULL, spec->conv->act)
      && dnnl_primitive_attr_set_post_ops (attr, ops) == dnnl_success
      && dnnl_primitive_attr_set_scratchpad_mode (attr, dnnl_scratchpad_mode_user) == dnnl_success
      && conv_desc_new (&dnn->desc, dnn->engine, xd, wd, bd, yd, stride, before, after, attr) == dnnl_success
      && dnnl_primitive_desc_query (dnn->desc, dnnl_query_impl_info_str, 0, &dnn->implementation) == dnnl_success
      && strstr (dnn->implementation, "ref") == NULL
      && dnnl_primitive_create (&dnn->primitive, dnn->desc) == dnnl_success
      && pack_weights (dnn, plain, spec->w->data, error);
  if (ok && bd != NULL) {
    dnn->bias_data = UPI_MEMORY_NEW (gfloat, (gsize) y->dim[3], "a bias", error);
    if (dnn->bias_data != NULL)
      memcpy (dnn->bias_data, spec->bias, sizeof (gfloat) * (gsize) y->dim[3]);
    ok = dnn->bias_data != NULL && dnnl_memory_create (&dnn->bias, bd, dnn->engine, dnn->bias_data) == dnnl_success;
  }
  if (ok)
    dnn->scratch = dnnl_memory_desc_get_size (dnnl_primitive_desc_query_md (dnn->desc, dnnl_query_scratchpad_md, 0));
  dnnl_primitive_attr_destroy (attr);
  dnnl_post_ops_destroy (ops);
  desc_free (xd);
  desc_free (yd);
  desc_free (wd);
  desc_free (plain);
  desc_free (bd);
  return ok;
}

/* The library writes its kernels into memory that it does not check: it is asked only while there is this much to
 * spare, one thread at a time. */
#define ROOM ((gsize) 32 << 20)

static gboolean
has_room (GError **error)
{
  void *room = mmap (NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  if (room != MAP_FAILED) {
    munmap (room, ROOM);
    return TRUE;
  }
  g_set_error (error, UPI_ERROR, UPI_ERROR_MEMORY,
      "no memory for oneDNN's kernels: %" G_GSIZE_FORMAT
      " bytes must be free to make one; use a smaller input size or fewer threads",
      ROOM);
  return FALSE;
}

typedef struct {
  UpiDnn *dnn;
  const UpiDnnConv *spec;
  GError **error;
} ConvCall;

static gint
conv_call (void *data)
{
  ConvCall *call = data;

  return conv_init (call->dnn, call->spec, call->error);
}

gboolean
upi_dnn_conv_new (const UpiDnnConv *spec, UpiDnn **result, GError **error)
{
  g_autoptr (GError) cause = NULL;
  ConvCall call = { NULL, spec, &cause };

  *result = NULL;
  if (!upi_tensor_is_contiguous (spec->x) || !upi_tensor_is_contiguous (spec->y)
      || (spec->residual != NULL && !upi_tensor_is_contiguous (spec->residual)))
    return TRUE;
  upi_memory_hold ();
  gint made = -1;
  if (has_room (&cause)) {
    gint before = set_threads (1);

    call.dnn = g_new0 (UpiDnn, 1);
    made = upi_dnn_guard (conv_call, &call);
    set_threads (before);
    if (made < 0)
      g_set_error_literal (&cause, UPI_ERROR, UPI_ERROR_MEMORY,
          "oneDNN ran out of memory when it made a convolution; use fewer threads");
  }
  upi_memory_unhold ();
  if (made > 0)
    *result = call.dnn;
  else
    upi_dnn_free (call.dnn);
  if (*result == NULL && cause != NULL) {
    g_propagate_error (error, g_steal_pointer (&cause));
    return FALSE;
  }
  return TRUE; /* without one where the library has nothing for it */
}

void
upi_dnn_free (UpiDnn *dnn)
{
  if (dnn == NULL)
    return;
  dnnl_memory_destroy (dnn->weights);
  dnnl_memory_destroy (dnn->bias);
  dnnl_primitive_destroy (dnn->primitive);
  dnnl_primitive_desc_destroy (dnn->desc);
  dnnl_engine_destroy (dnn->engine);
  g_free (dnn->packed);
  g_free (dnn->bias_data);
  g_free (dnn);
}

gsize
upi_dnn_scratch (const UpiDnn *dnn)
{
  return dnn->scratch;
}

const gchar *
upi_dnn_implementation (const UpiDnn *dnn)
{
  return dnn->implementation;
}

typedef struct {
  const UpiDnn *dnn;
  UpiDnnLocal *local;
} LocalCall;

/* The memory objects that are bound at each run. */
static gint
local_call (void *data)
{
  const UpiDnn *dnn = ((LocalCall *) data)->dnn;
  UpiDnnLocal *local = ((LocalCall *) data)->local;
  ConstDesc y = dnnl_primitive_desc_query_md (dnn->desc, dnnl_query_dst_md, 0);

  return dnnl_stream_create (&local->stream, dnn->engine, dnnl_stream_default_flags) == dnnl_success
      && dnnl_memory_create (
             &local->x, dnnl_primitive_desc_query_md (dnn->desc, dnnl_query_src_md, 0), dnn->engine, DNNL_MEMORY_NONE)
      == dnnl_success
      && dnnl_memory_create (&local->y, y, dnn->engine, DNNL_MEMORY_NONE) == dnnl_success
      && dnnl_memory_create (&local->scratch, dnnl_primitive_desc_query_md (dnn->desc, dnnl_query_scratchpad_md, 0),
             dnn->engine, DNNL_MEMORY_NONE)
      == dnnl_success
      && (!dnn->residual || dnnl_memory_create (&local->residual, y, dnn->engine, DNNL_MEMORY_NONE) == dnnl_success);
}

UpiDnnLocal *
upi_dnn_local_new (const UpiDnn *dnn, GError **error)
{
  UpiDnnLocal *local = g_new0 (UpiDnnLocal, 1);
  LocalCall call = { dnn, local };

  local->dnn = dnn;
  if (upi_dnn_guard (local_call, &call) <= 0) {
    upi_dnn_local_free (local);
    g_set_error_literal (
        error, UPI_ERROR, UPI_ERROR_MEMORY, "no memory for oneDNN's objects of a convolution; use fewer threads");
    return NULL;
  }
  local->args[local->n_args++] = (dnnl_exec_arg_t){ DNNL_ARG_SRC, local->x };
  local->args[local->n_args++] = (dnnl_exec_arg_t){ DNNL_ARG_WEIGHTS, dnn->weights };
  local->args[local->n_args++] = (dnnl_exec_arg_t){ DNNL_ARG_DST, local->y };
  local->args[local->n_args++] = (dnnl_exec_arg_t){ DNNL_ARG_SCRATCHPAD, local->scratch };
  if (dnn->bias != NULL)
    local->args[local->n_args++] = (dnnl_exec_arg_t){ DNNL_ARG_BIAS, dnn->bias };
  if (dnn->residual)
    local->args[local->n_args++] =
        (dnnl_exec_arg_t){ DNNL_ARG_ATTR_MULTIPLE_POST_OP (0) | DNNL_ARG_SRC_1, local->residual };
  return local;
}

void
upi_dnn_local_free (UpiDnnLocal *local)
{
  if (local == NULL)
    return;
  dnnl_memory_destroy (local->x);
  dnnl_memory_destroy (local->y);
  dnnl_memory_destroy (local->scratch);
  dnnl_memory_destroy (local->residual);
  dnnl_stream_destroy (local->stream);
  g_free (local);
}

typedef struct {
  UpiDnnLocal *local;
  const void *x, *residual;
  void *y, *scratch;
} RunCall;

static gint
run_call (void *data)
{
  const RunCall *call = data;
  UpiDnnLocal *local = call->local;

  return dnnl_memory_set_data_handle (local->x, (void *) call->x) == dnnl_success
      && dnnl_memory_set_data_handle (local->y, call->y) == dnnl_success
      && dnnl_memory_set_data_handle (local->scratch, call->scratch) == dnnl_success
      && (local->residual == NULL
          || dnnl_memory_set_data_handle (local->residual, (void *) call->residual) == dnnl_success)
      && dnnl_primitive_execute (local->dnn->primitive, local->stream, local->n_args, local->args) == dnnl_success
      && dnnl_stream_wait (local->stream) == dnnl_success;
}

gboolean
upi_dnn_run (UpiDnnLocal *local, const void *x, void *y, const void *residual, void *scratch, GError **error)
{
  RunCall call = { local, x, residual, y, scratch };
  gint done = upi_dnn_guard (run_call, &call);

  if (done < 0)
    g_set_error (error, UPI_ERROR, UPI_ERROR_MEMORY, "oneDNN (%s) ran out of memory in a convolution",
        local->dnn->implementation);
  else if (done == 0)
    g_set_error (
        error, UPI_ERROR, UPI_ERROR_FAILED, "oneDNN (%s) could not run a convolution", local->dnn->implementation);
  return done > 0;
}

gint
upi_dnn_single_thread_begin (void)
{
  return set_threads (1);
}

void
upi_dnn_single_thread_end (gint before)
{
  set_threads (before);
}

gboolean
upi_dnn_sgemm (gint n, const gfloat *a, const gfloat *b, gfloat *c)
{
  gint before = set_threads (1);
  gboolean ok = dnnl_sgemm ('N', 'N', n, n, n, 1.0f, a, n, b, n, 0.0f, c, n) == dnnl_success;

  set_threads (before);
  return ok;
}

#else /* built without oneDNN */

gboolean
upi_dnn_available (void)
{
  return FALSE;
}

gboolean
upi_dnn_conv_new (const UpiDnnConv *spec, UpiDnn **result, GError **error)
{
  *result = NULL;
  return TRUE;
}

void
upi_dnn_free (UpiDnn *dnn)
{
}

gsize
upi_dnn_scratch (const UpiDnn *dnn)
{
  return 0;
}

const gchar *
upi_dnn_implementation (const UpiDnn *dnn)
{
  return NULL;
}

UpiDnnLocal *
upi_dnn_local_new (const UpiDnn *dnn, GError **error)
{
  return NULL;
}

void
upi_dnn_local_free (UpiDnnLocal *local)
{
}

gboolean
upi_dnn_run (UpiDnnLocal *local, const void *x, void *y, const void *residual, void *scratch, GError **error)
{
  return FALSE;
}

gint
upi_dnn_single_thread_begin (void)
{
  return 1;
}

void
upi_dnn_single_thread_end (gint before)
{
}

gboolean
upi_dnn_sgemm (gint n, const gfloat *a, const gfloat *b, gfloat *c)
{
  return FALSE;
}

#endif
