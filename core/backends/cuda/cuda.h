/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside the cuda backend: devices, plans, contexts, and how every call's status becomes a GError.
 *
 * A device is opened on first use and kept for the life of the process; its library handles and the weights on it are
 * there while a plan is. A plan holds what was chosen and packed once; a context holds memory, a stream and one CUDA
 * graph of the whole program: run() copies the inputs into pinned memory, launches the graph, waits for its own event,
 * copies the results out. */
#pragma once

#include "core/backends/cuda/kernels/kernels.h"
#include "core/program/passes.h"
#include "core/backends/backend.h"
#include "core/upi.h"

#include <cublasLt.h>
#include <cuda.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>

G_BEGIN_DECLS

#define UPI_CUDA_ALIGNMENT 256 /* of every value's memory: what cudaMalloc gives, and libraries like best */

/* device.c */

typedef struct {
  gint index;
  gboolean own;      /* the context is the device's own, which all of a process share; else somebody else's */
  CUcontext context; /* in which everything is made, used and freed, by whichever thread */
  gchar *name;       /* "cuda:0 (NVIDIA L4)" */
  GMutex lock;       /* of all below; also held while a stream captures calls of cuDNN, whose handle has one stream */
  gint n_plans;      /* handles and staging are there while > 0 */
  cublasLtHandle_t blas;
  cudnnHandle_t dnn;
  cudaStream_t upload;
  guint8 *staging;     /* pinned; for uploads */
  GHashTable *weights; /* Weight, as its own key */
  gint lost;           /* atomic: a sticky error; nothing on the device works any more in this process */
  gchar *lost_reason;  /* written once, before lost */
} UpiCudaDevice;

/* The device of that number, for the life of the process. NULL and an error that says what is missing: driver, GPU, its
 * number, its age. */
UpiCudaDevice *upi_cuda_device_open (gint index, CUcontext context, GError **error);
/* A plan comes and goes. */
gboolean upi_cuda_device_acquire (UpiCudaDevice *device, GError **error);
void upi_cuda_device_release (UpiCudaDevice *device);
/* A stretch of a function in which the device's context is current on the thread; afterwards the thread has what it had
 * before, or none. Every function that is called from outside begins with `g_auto (UpiCudaScope) scope = { NULL };` and
 * one of the next two. */
typedef struct {
  CUcontext before;
  gboolean entered;
} UpiCudaScope;

/* FALSE: the device was lost, or its context is gone. */
gboolean upi_cuda_enter (UpiCudaScope *scope, UpiCudaDevice *device, GError **error);
/* To free what is in it, lost or not. */
void upi_cuda_enter_to_free (UpiCudaScope *scope, UpiCudaDevice *device);
void upi_cuda_leave (UpiCudaScope *scope);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (UpiCudaScope, upi_cuda_leave)
gboolean upi_cuda_device_is_alive (UpiCudaDevice *device, GError **error);

gboolean
upi_cuda_check (UpiCudaDevice *device, cudaError_t status, const gchar *call, const gchar *place, GError **error);
gboolean upi_cuda_check_blas (
    UpiCudaDevice *device, cublasStatus_t status, const gchar *call, const gchar *place, GError **error);
gboolean
upi_cuda_check_dnn (UpiCudaDevice *device, cudnnStatus_t status, const gchar *call, const gchar *place, GError **error);
#define UPI_CUDA(device, call, error) upi_cuda_check (device, call, #call, G_STRLOC, error)
#define UPI_BLAS(device, call, error) upi_cuda_check_blas (device, call, #call, G_STRLOC, error)
#define UPI_DNN(device, call, error) upi_cuda_check_dnn (device, call, #call, G_STRLOC, error)

/* weights.c */

typedef enum {
  UPI_CUDA_WEIGHT_PLAIN,     /* as it is */
  UPI_CUDA_WEIGHT_INTS,      /* int32 */
  UPI_CUDA_WEIGHT_OWN,       /* [O, C/groups, kh, kw] → [groups, kh·kw·C/groups, O/groups] */
  UPI_CUDA_WEIGHT_DEPTHWISE, /* [C, 1, kh, kw] → [kh·kw, C] */
  UPI_CUDA_WEIGHT_KRSC,      /* [O, C, kh, kw] → [O, kh, kw, C] */
} UpiCudaPacking;

/* The weight on the device, packed; shared by all plans that ask for the same, until each has let go of it. The device
 * is acquired. */
const void *upi_cuda_weight_get (UpiCudaDevice *device, UpiCudaType type, UpiCudaPacking packing,
    const UpiTensor *weight, gint groups, GError **error);
void upi_cuda_weight_unref (UpiCudaDevice *device, const void *memory);

/* products.c */

/* D [m, n] = act (alpha · op (A) · op (B) + C + bias), column-major as cuBLAS has it; strides in elements. */
typedef struct {
  gint m, n, k, batch;
  gboolean transpose_a;
  gint lda, ldb, ldc, ldd;
  gint64 stride_a, stride_b, stride_c, stride_d; /* between the items of a batch */
  gboolean add;                                  /* C */
  const void *bias;                              /* [m], or NULL */
  gboolean relu;
  gfloat alpha;
  guint align_a, align_b, align_c, align_d; /* bytes that the pointers are multiples of */
} UpiCudaProductShape;

typedef struct {
  cublasLtMatmulDesc_t desc;
  cublasLtMatrixLayout_t a, b, c, d;
  cublasLtMatmulAlgo_t algo;
  gsize workspace;
  gfloat alpha, beta;
} UpiCudaProduct;

/* Chooses the algorithm. *product stays NULL without an error where cuBLASLt has none. */
gboolean upi_cuda_product_new (UpiCudaDevice *device, UpiCudaType type, gboolean tf32, const UpiCudaProductShape *shape,
    UpiCudaProduct **product, GError **error);
void upi_cuda_product_free (UpiCudaProduct *product);
gboolean upi_cuda_product_run (UpiCudaDevice *device, const UpiCudaProduct *product, const void *a, const void *b,
    const void *c, void *d, void *workspace, cudaStream_t stream, GError **error);

/* convolution.c */

/* A cuDNN execution plan of convolution, bias, residual and activation, as much of it as cuDNN has an engine for. */
typedef struct _UpiCudaConvolution UpiCudaConvolution;

/* *convolution stays NULL without an error where cuDNN has no engine. *fused: bias, residual and activation are in it;
 * else the caller's. */
gboolean upi_cuda_convolution_new (UpiCudaDevice *device, UpiCudaType type, gboolean tf32, const UpiOp *op,
    const UpiTensor *x, const UpiTensor *w, const UpiTensor *y, const UpiTensor *residual, gboolean bias,
    UpiCudaConvolution **convolution, gboolean *fused, GError **error);
void upi_cuda_convolution_free (UpiCudaConvolution *convolution);
gsize upi_cuda_convolution_workspace (const UpiCudaConvolution *convolution);
gboolean
upi_cuda_convolution_run (UpiCudaDevice *device, const UpiCudaConvolution *convolution, const void *x, const void *w,
    const void *bias, const void *residual, void *y, void *workspace, cudaStream_t stream, GError **error);

/* plan.c, context.c, operations.c, launch.c: plans and contexts. */

typedef struct {
  UpiBackend base;
  UpiCudaDevice *device;
  UpiCudaType type;
  gboolean tf32; /* products of float32 may use 10 bits of the fraction */
} UpiCudaBackend;

/* How one operation is run. */
typedef struct {
  const void *weight, *bias;       /* packed; NULL where `how` needs none */
  UpiCudaProduct *product;         /* linear, matmul, 1×1 convolutions; NULL: an own kernel */
  UpiCudaConvolution *convolution; /* NULL: an own kernel */
  /* an own kernel applies what the library left: activation, and after a convolution bias and residual */
  gboolean epilogue;
  gsize scratch;
} UpiCudaOp;

typedef struct {
  UpiPlan base;
  UpiCudaDevice *device;
  UpiCudaType type;
  UpiCudaOp *ops;
  const void **weights; /* one a value: those that operations read as they are */
  gsize scratch_bytes;
  /* Bound values, contiguous on the device and in pinned memory, in the same order: inputs, then outputs. Resident ones
   * have a place of their own, on the device alone, in the type that is computed in. */
  gsize *io_offset; /* one a value; of resident ones: in their place */
  gsize in_bytes, io_bytes, resident_bytes;
  gint warm; /* atomic: a context of it has run */
} UpiCudaPlan;

/* One item of a device-resident value: its place in the context, and the memory that it is bound to. */
typedef struct {
  UpiValue value;
  guint item;
  gsize count; /* elements */
  guint8 *place;
  guint8 *memory;  /* float32; NULL: none */
  gboolean stale;  /* an input that was bound since the last run */
  gboolean result; /* written by runs */
} UpiCudaResident;

/* Where one item's pixels come to: tables and planes as they are uploaded. */
typedef struct {
  guint8 *pinned, *device;
  gsize bytes;
  gboolean is_copying; /* its copy may still be under way */
} UpiCudaPendingFrame;

typedef struct {
  UpiContext base;
  UpiCudaPlan *plan;
  guint8 *device_memory, *pinned;
  guint8 *arena, *io, *typed_io, *resident,
      *scratch;           /* parts of device_memory; typed_io is io where values are float32 */
  GArray *resident_items; /* UpiCudaResident, as they lie */
  GArray *pending_frames; /* UpiCudaPendingFrame, one an item of the frames' input */
  void **bound;           /* host memory, one a value */
  void ***bound_items;    /* the same for each item of an output that is bound so; NULL: bound as a whole */
  void **values;          /* the same on the device */
  cudaStream_t stream;
  cudaEvent_t done;
  cudaGraphExec_t graph;
  cudaEvent_t *timers; /* one an operation and one more, made by the first timed run */
} UpiCudaContext;

gsize upi_cuda_element_bytes (UpiCudaType type, UpiDType dtype);
/* A value as it lies on the device; memory NULL (and arena NULL): shape, strides and weights alone. */
UpiTensor upi_cuda_resolve (const UpiCudaPlan *plan, UpiValue value, const UpiCudaContext *context);
UpiPlan *upi_cuda_prepare (const UpiBackend *backend, UpiProgram *program, guint threads, GError **error);
void upi_cuda_plan_free (UpiPlan *plan);
UpiContext *upi_cuda_context_new (UpiPlan *plan, GError **error);
void upi_cuda_context_free (UpiContext *context);
void upi_cuda_bind (UpiContext *context, UpiValue value, void *data);
void upi_cuda_bind_item (UpiContext *context, UpiValue value, guint item, void *memory);
gboolean upi_cuda_run (UpiContext *context, GError **error);
gboolean upi_cuda_run_timed (UpiContext *context, gdouble *microseconds, GError **error);

/* peak.c: what bounds an operation. */
typedef struct {
  gint major, minor; /* compute capability */
  gint multiprocessors;
  gint clock_khz, memory_khz; /* the highest */
  gint bus_bits;
} UpiCudaCard;

gboolean upi_cuda_card_peak (const UpiCudaCard *card, UpiCudaType type, gboolean tf32, gboolean product, UpiPeak *peak);
gboolean upi_cuda_get_peak (const UpiPlan *plan, guint op, UpiPeak *peak, GError **error);

/* resident.c: memory on the device, and what lies in it before and after a run. */
extern const UpiBackendMemory upi_cuda_memory;
void upi_cuda_resident_init (UpiCudaContext *context);
void upi_cuda_resident_clear (UpiCudaContext *context);
void upi_cuda_resident_bind (UpiCudaContext *context, UpiValue value, guint item, void *memory);
gboolean upi_cuda_resident_receive (UpiCudaContext *context, GError **error);
gboolean upi_cuda_resident_send (UpiCudaContext *context, GError **error);
/* frames.c */
gboolean upi_cuda_put_frame (UpiContext *context, UpiValue value, guint item, const UpiFrame *frame, GError **error);

/* operations.c: chooses how an operation runs. */
gboolean upi_cuda_op_prepare (UpiCudaPlan *plan, guint index, GError **error);
void upi_cuda_op_clear (UpiCudaPlan *plan, guint index);
/* launch.c: puts one operation into the context's stream. */
gboolean upi_cuda_op_launch (UpiCudaContext *context, guint index, GError **error);
/* Padded in front with dimensions of 1. */
UpiCudaView upi_cuda_view (const UpiTensor *tensor);
/* As a map [N,H,W,C]: tokens [N,T,C] are maps of one line. */
UpiCudaView upi_cuda_map_view (const UpiTensor *tensor);

G_END_DECLS
