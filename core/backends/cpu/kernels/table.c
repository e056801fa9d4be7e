/* The function table of one instruction set. */
#include "core/backends/cpu/kernels/gemm.h"

#define QUOTE2(x) #x
#define QUOTE(x) QUOTE2 (x)
#define DECLARE(name) void KERNEL (name) (const UpiStep *s, gint begin, gint end, void *scratch);

DECLARE (conv2d)
DECLARE (linear)
DECLARE (matmul)
DECLARE (attention)
DECLARE (deformable)
DECLARE (layer_norm)
DECLARE (group_norm)
DECLARE (softmax)
DECLARE (add)
DECLARE (mul)
DECLARE (activation)
DECLARE (resize)
DECLARE (max_pool)
DECLARE (adaptive_avg_pool)
DECLARE (mean_tokens)
DECLARE (gather)
DECLARE (top_k)
DECLARE (distinct)
DECLARE (anchor_max)
DECLARE (sine_position)
DECLARE (box_refine)
DECLARE (l2_norm)
DECLARE (embed)
DECLARE (store_rows)
DECLARE (copy)
DECLARE (depthwise)

const UpiCpuKernels KERNEL (kernels) = {
  .isa = QUOTE (UPI_CPU_ISA),
  .gemm_packed = KERNEL (gemm_packed),
  .gemm_pack = KERNEL (gemm_pack),
  .gemm = KERNEL (gemm),
  .depthwise = KERNEL (depthwise),
  .kernel = {
    [UPI_OP_CONV2D] = KERNEL (conv2d),
    [UPI_OP_LINEAR] = KERNEL (linear),
    [UPI_OP_MATMUL] = KERNEL (matmul),
    [UPI_OP_ATTENTION] = KERNEL (attention),
    [UPI_OP_DEFORMABLE_ATTENTION] = KERNEL (deformable),
    [UPI_OP_LAYER_NORM] = KERNEL (layer_norm),
    [UPI_OP_GROUP_NORM] = KERNEL (group_norm),
    [UPI_OP_SOFTMAX] = KERNEL (softmax),
    [UPI_OP_ADD] = KERNEL (add),
    [UPI_OP_MUL] = KERNEL (mul),
    [UPI_OP_ACTIVATION] = KERNEL (activation),
    [UPI_OP_RESIZE] = KERNEL (resize),
    [UPI_OP_MAX_POOL] = KERNEL (max_pool),
    [UPI_OP_ADAPTIVE_AVG_POOL] = KERNEL (adaptive_avg_pool),
    [UPI_OP_MEAN_TOKENS] = KERNEL (mean_tokens),
    [UPI_OP_GATHER] = KERNEL (gather),
    [UPI_OP_TOP_K] = KERNEL (top_k),
    [UPI_OP_DISTINCT] = KERNEL (distinct),
    [UPI_OP_ANCHOR_MAX] = KERNEL (anchor_max),
    [UPI_OP_SINE_POSITION] = KERNEL (sine_position),
    [UPI_OP_BOX_REFINE] = KERNEL (box_refine),
    [UPI_OP_L2_NORM] = KERNEL (l2_norm),
    [UPI_OP_EMBED] = KERNEL (embed),
    [UPI_OP_STORE_ROWS] = KERNEL (store_rows),
    [UPI_OP_COPY] = KERNEL (copy),
  },
};
