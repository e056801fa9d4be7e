/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The own kernels of the cuda backend, as the host calls them: each puts its launches into the stream and returns the
 * launch's status.
 *
 * A view is dimensions and strides in elements, outermost first, padded in front with dimensions of 1; the last
 * dimension is contiguous unless a broadcast (stride 0). Pointers are device memory of the element type `type`; int
 * pointers are int32. */
#pragma once

#include <cuda_runtime_api.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { UPI_CUDA_F32, UPI_CUDA_F16, UPI_CUDA_BF16 } UpiCudaType;

/* UpiAct's values. */
enum {
  UPI_CUDA_LINEAR,
  UPI_CUDA_RELU,
  UPI_CUDA_RELU6,
  UPI_CUDA_GELU,
  UPI_CUDA_SIGMOID,
  UPI_CUDA_HARD_SWISH,
  UPI_CUDA_HARD_SIGMOID
};

typedef struct {
  int dim[4], stride[4];
} UpiCudaView;

/* elementwise.cu: views of one shape, b broadcast to it by strides of 0. */
cudaError_t upi_cuda_add (UpiCudaType type, cudaStream_t stream, const void *x, UpiCudaView xv, const void *b,
    UpiCudaView bv, void *y, UpiCudaView yv, int act);
cudaError_t upi_cuda_mul (UpiCudaType type, cudaStream_t stream, const void *x, UpiCudaView xv, const void *b,
    UpiCudaView bv, void *y, UpiCudaView yv);
cudaError_t upi_cuda_activation (
    UpiCudaType type, cudaStream_t stream, const void *x, UpiCudaView xv, void *y, UpiCudaView yv, int act);
/* Elements of 4 bytes (type F32; also int32) or 2. */
cudaError_t
upi_cuda_copy (UpiCudaType type, cudaStream_t stream, const void *x, UpiCudaView xv, void *y, UpiCudaView yv);
/* y = act (y + bias + residual): what a library's product has no epilogue for. bias [C] and residual may be NULL. */
cudaError_t upi_cuda_epilogue (UpiCudaType type, cudaStream_t stream, void *y, UpiCudaView yv, const void *bias,
    const void *residual, UpiCudaView rv, int act);
/* float32 to and from `type`; x and y lie alike. */
cudaError_t upi_cuda_from_float (UpiCudaType type, cudaStream_t stream, const float *x, void *y, UpiCudaView v);
cudaError_t upi_cuda_to_float (UpiCudaType type, cudaStream_t stream, const void *x, float *y, UpiCudaView v);

/* norms.cu: over the last dimension. residual may be NULL. */
cudaError_t
upi_cuda_layer_norm (UpiCudaType type, cudaStream_t stream, const void *x, UpiCudaView xv, const void *residual,
    UpiCudaView rv, const void *gamma, const void *beta, void *y, UpiCudaView yv, float eps, int act);
cudaError_t
upi_cuda_softmax (UpiCudaType type, cudaStream_t stream, const void *x, UpiCudaView xv, void *y, UpiCudaView yv);
cudaError_t
upi_cuda_l2_norm (UpiCudaType type, cudaStream_t stream, const void *x, UpiCudaView xv, void *y, UpiCudaView yv);
/* group-norm.cu: scratch of upi_cuda_group_norm_scratch() bytes. */
size_t upi_cuda_group_norm_scratch (UpiCudaView xv);
cudaError_t upi_cuda_group_norm (UpiCudaType type, cudaStream_t stream, const void *x, UpiCudaView xv,
    const void *gamma, const void *beta, void *y, UpiCudaView yv, int groups, float eps, int act, float *scratch);

/* spatial.cu: NHWC maps. */
cudaError_t
upi_cuda_resize (UpiCudaType type, cudaStream_t stream, const void *x, UpiCudaView xv, void *y, UpiCudaView yv);
cudaError_t
upi_cuda_resize_nearest (UpiCudaType type, cudaStream_t stream, const void *x, UpiCudaView xv, void *y, UpiCudaView yv);
cudaError_t upi_cuda_max_pool (UpiCudaType type, cudaStream_t stream, const void *x, UpiCudaView xv, void *y,
    UpiCudaView yv, int kernel, int stride, int pad);
cudaError_t upi_cuda_adaptive_avg_pool (
    UpiCudaType type, cudaStream_t stream, const void *x, UpiCudaView xv, void *y, UpiCudaView yv);

/* rows.cu: tokens as views [1,N,T,C]. index_stride: between the items' indices. */
cudaError_t
upi_cuda_mean_tokens (UpiCudaType type, cudaStream_t stream, const void *x, UpiCudaView xv, void *y, UpiCudaView yv);
cudaError_t upi_cuda_gather (UpiCudaType type, cudaStream_t stream, const void *x, UpiCudaView xv, const int *indices,
    int index_stride, void *y, UpiCudaView yv);
cudaError_t upi_cuda_store_rows (UpiCudaType type, cudaStream_t stream, const void *rows, UpiCudaView rv,
    const int *start, int start_stride, void *cache, UpiCudaView cv);
/* top-k.cu: scores [1,N,T,1] → indices, count of each item */
cudaError_t upi_cuda_top_k (UpiCudaType type, cudaStream_t stream, const void *scores, UpiCudaView sv, int *indices,
    int index_stride, int count);

/* boxes.cu: views [1,N,Q,C] */
cudaError_t upi_cuda_distinct (UpiCudaType type, cudaStream_t stream, const void *boxes, UpiCudaView bv,
    const int *indices, int index_stride, int *out, int out_stride, int count, float limit);
/* anchors [1,N or 1,A,4] with an item's stride of 0 for one for all */
cudaError_t
upi_cuda_anchor_max (UpiCudaType type, cudaStream_t stream, const void *boxes, UpiCudaView bv, const void *scores,
    UpiCudaView sv, const void *anchors, UpiCudaView av, void *y, UpiCudaView yv, float ratio, float least);
cudaError_t
upi_cuda_sine_position (UpiCudaType type, cudaStream_t stream, const void *x, UpiCudaView xv, void *y, UpiCudaView yv);
cudaError_t upi_cuda_box_refine (UpiCudaType type, cudaStream_t stream, const void *delta, UpiCudaView dv,
    const void *reference, UpiCudaView rv, void *y, UpiCudaView yv);

/* scores.cu: rows of any views; b has rows of one number */
cudaError_t
upi_cuda_row_max (UpiCudaType type, cudaStream_t stream, const void *x, UpiCudaView xv, void *y, UpiCudaView yv);
cudaError_t upi_cuda_joint_logit (UpiCudaType type, cudaStream_t stream, const void *a, UpiCudaView av, const void *b,
    UpiCudaView bv, void *y, UpiCudaView yv, float least, float most);

/* attention.cu: views [1,N,T,D]; the second range is absent if k2 is NULL; lengths may be NULL. */
typedef struct {
  UpiCudaView q, k, v, k2, v2, out;
  int heads, causal, length_stride, length2_stride;
} UpiCudaAttention;
cudaError_t upi_cuda_attention (UpiCudaType type, cudaStream_t stream, const UpiCudaAttention *shape, const void *q,
    const void *k, const void *v, const int *lengths, const void *k2, const void *v2, const int *lengths2, void *out);
#define UPI_CUDA_MAX_HEAD 128

/* window.cu: a map's side of `size` cells in `windows` windows, rolled by `shift`; qkv [N,H,W,3D], out [N,H,W,D]. */
typedef struct {
  int size, windows, shift;
} UpiCudaWindowSide;
typedef struct {
  UpiCudaView qkv, out;
  UpiCudaWindowSide down, across;
  int heads, window;
} UpiCudaWindow;
cudaError_t upi_cuda_window_attention (UpiCudaType type, cudaStream_t stream, const UpiCudaWindow *shape,
    const void *qkv, const void *beyond, const void *table, void *out);

/* deformable.cu */
#define UPI_CUDA_MAX_LEVELS 5
typedef struct {
  UpiCudaView value, offsets, weights, reference,
      out; /* [1,N,T,D], [1,N,Q,M*L*K*2], [1,N,Q,M*L*K], [1,N or 1,Q,2 or 4], [1,N,Q,D] */
  int heads, points, levels;
  int height[UPI_CUDA_MAX_LEVELS], width[UPI_CUDA_MAX_LEVELS], start[UPI_CUDA_MAX_LEVELS];
} UpiCudaDeformable;
cudaError_t upi_cuda_deformable_attention (UpiCudaType type, cudaStream_t stream, const UpiCudaDeformable *shape,
    const void *value, const void *offsets, const void *weights, const void *reference, void *out);

/* convolution.cu: any groups, padding and strides. */
typedef struct {
  UpiCudaView x, y, residual;
  int groups, kernel_height, kernel_width, stride, pad_top, pad_left, act;
} UpiCudaConv;
/* weight [groups, kh·kw·C/groups, O/groups]: rows of outputs; the general one */
cudaError_t upi_cuda_conv (UpiCudaType type, cudaStream_t stream, const UpiCudaConv *conv, const void *x,
    const void *weight, const void *bias, const void *residual, void *y);
/* weight [kh·kw, C]; groups == C == O */
cudaError_t upi_cuda_depthwise (UpiCudaType type, cudaStream_t stream, const UpiCudaConv *conv, const void *x,
    const void *weight, const void *bias, const void *residual, void *y);

/* preprocess.cu: components in planes, where the device reads them → one item [H, W, 3] of the input, in which it may
 * lie turned. A table of words: starts [n_out], counts [n_out], weights [n_out, taps]; across and down are the tables'
 * offsets in words. */
typedef struct {
  int n_components, width, height; /* of the scaled picture */
  int sample_bytes, sample_shift;
  struct {
    long stride;
    int step; /* both in bytes */
    int across, down, taps_across, taps_down;
    int shared; /* the kernel's own, as is tile */
  } component[3];
  float matrix[3][4], scale[3], bias[3];
  long origin, step_x, step_y; /* pixel (x, y) is number origin + x·step_x + y·step_y of the input */
  int input_width, input_height, lies_width, lies_height; /* the picture as it lies in the input, from the top left */
  float border[3];                                        /* what is beside and below it */
  int tile;
} UpiCudaFrame;
/* first0, …: each component's first sample; host_tables: the same as tables, for the host */
cudaError_t
upi_cuda_preprocess (UpiCudaType type, cudaStream_t stream, const UpiCudaFrame *frame, const unsigned char *first0,
    const unsigned char *first1, const unsigned char *first2, const int *host_tables, const int *tables, void *out);
/* Around the picture; nothing where it fills the input. */
cudaError_t upi_cuda_border (UpiCudaType type, cudaStream_t stream, const UpiCudaFrame *frame, void *out);

#ifdef __cplusplus
}
#endif
