/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The static program: a network as a flat list of operations on values of fixed shape (architecture: "a network is a
 * static program").
 *
 * core/network appends operations with the functions below; the passes (check, fuse, lifetimes, arena) work on the
 * list; a backend turns the finished list into a plan (backends/backend.h). Nothing here knows a model or a backend.
 *
 * Layout: maps are NHWC [N, H, W, C], tokens are rows [N, T, C]; the last dimension is always contiguous, the others
 * carry element strides so that reshape, slice and concat are views. float32 unless said; indices are int32.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define UPI_MAX_RANK 4
#define UPI_MAX_INPUTS 8
#define UPI_MAX_LEVELS 5
#define UPI_MAX_WINDOW 64 /* cells of a side of window attention's windows */
#define UPI_NO_VALUE G_MAXUINT32

/* Index into UpiProgram.values. */
typedef guint32 UpiValue;

typedef enum { UPI_F32, UPI_I32 } UpiDType;

typedef struct {
  guint rank;             /* 1..UPI_MAX_RANK */
  gint dim[UPI_MAX_RANK]; /* outermost first, each > 0 */
} UpiShape;

#define UPI_SHAPE1(a) ((UpiShape){ 1, { (a) } })
#define UPI_SHAPE2(a, b) ((UpiShape){ 2, { (a), (b) } })
#define UPI_SHAPE3(a, b, c) ((UpiShape){ 3, { (a), (b), (c) } })
#define UPI_SHAPE4(a, b, c, d) ((UpiShape){ 4, { (a), (b), (c), (d) } })

typedef enum {
  UPI_ACT_NONE,
  UPI_ACT_RELU,
  UPI_ACT_RELU6,
  UPI_ACT_GELU, /* exact, erf */
  UPI_ACT_SIGMOID,
  UPI_ACT_HARD_SWISH,   /* x · min (max (x + 3, 0), 6) / 6 */
  UPI_ACT_HARD_SIGMOID, /* min (max (x + 3, 0), 6) / 6 */
  UPI_N_ACTS
} UpiAct;

/* UPI_OP_CONV2D, ...: ops.def has them, one row each. */
typedef enum {
#define UPI_OP(KIND, ...) UPI_OP_##KIND,
#include "core/program/ops.def"
  UPI_OP_COUNT
} UpiOpKind;

/* x [N,H,W,C] * w [O, C/groups, kh, kw] (+ bias [O]) → [N,OH,OW,O]; OH = (H + pad_top + pad_bottom - kh) / stride + 1.
 * Then, in this order: + residual (same shape as the output, optional), act. */
typedef struct {
  gint stride; /* 0 means 1 */
  gint groups; /* 0 means 1; groups == C == O is depthwise */
  gint pad_top, pad_left, pad_bottom, pad_right;
  UpiAct act;
} UpiConv;

/* a [B,M,K] · b [B,K,N] → [B,M,N], times scale. transpose_b: b is [B,N,K]. Ranks 2 are B = 1. */
typedef struct {
  gboolean transpose_b;
  gfloat scale; /* 0 means 1 */
} UpiMatmul;

/* softmax(q·kᵀ / sqrt(head width)) · v with `heads` heads side by side in the last dimension.
 * q [N,Tq,D]; k, v [N,Tk,D]; optional second key range k2, v2 [N,Tk2,D] (the text so far) whose first lengths2[n] rows
 * are read. lengths (I32 [N], optional): rows of the first range that are read, per item; without it all Tk.
 * causal: within the LAST range given (k2 if present, else k), query row t sees keys 0 .. (length of that range - Tq +
 * t). A query row that sees no key at all gives zeros. */
typedef struct {
  gint heads;
  gboolean causal;
} UpiAttention;

/* value [N,T,D] (heads side by side), offsets [N,Q,M*L*K*2], weights [N,Q,M*L*K] (logits; softmax over L*K is part of
 * the operation), reference [N or 1,Q,2 or 4] in 0..1 → [N,Q,D]. Deformable DETR (2010.04159); arithmetic in
 * models/reference/NETWORK.md. */
typedef struct {
  gint heads, points, levels;
  struct {
    gint height, width, start; /* first token of the level in value */
  } level[UPI_MAX_LEVELS];
} UpiDeformable;

/* Attention inside windows of window × window cells (Swin, 2103.14030). qkv [N,H,W,3D]: queries, keys, values, each
 * `heads` heads side by side → [N,H,W,D]: softmax (q·kᵀ / sqrt(head width) + table) · v.
 * The map ends in cells of `beyond` [3D] up to whole windows: P rows (columns), which are then rolled: row y is number
 * (y - shift) mod P of what the windows divide. A side that one window covers is not rolled. A cell sees its window's
 * cells, but for those of a rolled last window that come from the other end of the map (published code adds -100 to
 * them). table [(2·window - 1)², heads]: row (Δy + window - 1)·(2·window - 1) + Δx + window - 1, Δ query minus key. */
typedef struct {
  gint heads, window;
  gint shift; /* 0 .. window - 1 */
} UpiWindow;

typedef struct {
  gfloat eps;
  gint groups;
  UpiAct act;
} UpiNorm; /* layer norm ignores groups; group norm is per item over (H,W,C/groups) */
typedef struct {
  gint height, width;
  gboolean nearest; /* upi_resize_nearest() */
} UpiResize;        /* bilinear, half-pixel centres, edges clamped */
typedef struct {
  gint kernel, stride, pad;
} UpiPool; /* max pool */
typedef struct {
  gint count;
} UpiTopK; /* best first; equal scores: lower index first; NaN last */
typedef struct {
  gint count;
  gfloat limit; /* IoU, above 0 to 1 */
} UpiDistinct;
typedef struct {
  gfloat ratio; /* above 0 to 1 */
  gfloat least;
} UpiAnchorMax;
typedef struct {
  gint features;
} UpiSine; /* features per coordinate; coordinates (cx,cy,w,h) in, (cy,cx,w,h) order out */

typedef struct {
  UpiOpKind kind;
  const gchar *part; /* static: the part of the paper that built it, for errors and upi-dump; see upi_program_part() */
  /* optional inputs keep their place: UPI_NO_VALUE in inputs (conv, linear: 2 = bias; attention: 3 = lengths) */
  guint n_inputs;
  UpiValue inputs[UPI_MAX_INPUTS]; /* in the order of the builder function's arguments */
  UpiValue residual; /* UPI_NO_VALUE, or added to the result before act (conv, linear), or to the input (layer norm) */
  UpiValue output;
  union {
    UpiConv conv;
    UpiMatmul matmul;
    UpiAttention attention;
    UpiWindow window;
    UpiDeformable deformable;
    UpiNorm norm;
    UpiResize resize;
    UpiPool pool;
    UpiTopK top_k;
    UpiDistinct distinct;
    UpiAnchorMax anchor_max;
    UpiSine sine;
    UpiAct act; /* UPI_OP_ACTIVATION, UPI_OP_LINEAR, UPI_OP_ADD */
  } u;
} UpiOp;

typedef enum { UPI_VALUE_INPUT, UPI_VALUE_WEIGHT, UPI_VALUE_COMPUTED, UPI_VALUE_VIEW } UpiValueKind;

typedef struct {
  UpiValueKind kind;
  UpiDType dtype;
  UpiShape shape;
  gint stride[UPI_MAX_RANK]; /* elements; stride[rank-1] == 1 */
  UpiValue base;             /* VIEW: the value that owns the memory (never itself a view), else itself */
  gsize offset;              /* VIEW: elements into base */
  UpiValue parent; /* VIEW: what it was made from, so that a pass can move the memory below it; else UPI_NO_VALUE */
  gint slice_axis, slice_start; /* VIEW: a slice along this axis of parent; axis -1: a reshape */
  const void *data;             /* WEIGHT: contiguous, outlives program and plans */
  gchar *name;                  /* INPUT, WEIGHT, outputs; else NULL */
  gboolean is_output;
  gboolean is_resident; /* INPUT or output: upi_program_make_resident() */
  /* filled by the passes */
  gint first_op, last_op; /* lifetime of an owning value */
  gsize arena_offset;     /* bytes; COMPUTED owners that are neither bound outputs nor fused away */
} UpiValueInfo;

typedef struct _UpiProgram UpiProgram;
struct _UpiProgram {
  gchar *name;
  GArray *values;   /* UpiValueInfo */
  GArray *ops;      /* UpiOp */
  GPtrArray *owned; /* constants made by the builder (positions, anchors), freed with the program */
  const gchar *part;
  gsize arena_bytes, sum_bytes; /* after placement: peak, and the sum of all values for comparison */
  gboolean finished;
  /* plans of other shapes exist beside this one: a backend packs weights once for all of them */
  gboolean of_many_shapes;
  GError *error; /* first error of the builder functions: they go on returning values, finish() reports it */
};

UpiProgram *upi_program_new (const gchar *name);
void upi_program_free (UpiProgram *program);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (UpiProgram, upi_program_free)

/* Names the part of the network that the following operations belong to ("pixel encoder (4.1)"); static string. */
void upi_program_part (UpiProgram *program, const gchar *part);

/* Values. Inputs and outputs are bound by name at run time and are contiguous. */
UpiValue upi_program_input (UpiProgram *p, const gchar *name, UpiDType dtype, UpiShape shape);
UpiValue upi_program_weight (UpiProgram *p, const gchar *name, const gfloat *data, UpiShape shape);
UpiValue upi_program_weight_i32 (UpiProgram *p, const gchar *name, const gint32 *data, UpiShape shape);
/* Takes ownership of data (g_free). */
UpiValue upi_program_constant (UpiProgram *p, gfloat *data, UpiShape shape);
void upi_program_output (UpiProgram *p, const gchar *name, UpiValue value);
/* The input or output of that name stays where the backend computes: its memory is the backend's, if that has its own
 * (backends/backend.h). */
void upi_program_make_resident (UpiProgram *p, const gchar *name);
const UpiValueInfo *upi_program_value (const UpiProgram *p, UpiValue value);
UpiShape upi_program_shape (const UpiProgram *p, UpiValue value);

/* Views: no operation, no copy, but for what strides cannot express: there the builder puts a UPI_OP_COPY. */
UpiValue upi_reshape (UpiProgram *p, UpiValue x, UpiShape shape);
UpiValue upi_slice (UpiProgram *p, UpiValue x, guint axis, gint start, gint count);
/* Along axis. The producers of the parts write into the result where lifetimes allow, else a copy. */
UpiValue upi_concat (UpiProgram *p, const UpiValue *parts, guint n_parts, guint axis);

/* Operations. UPI_NO_VALUE where "optional". Broadcast in add/mul: b has x's shape, or dims of 1, or fewer leading
 * dims. */
UpiValue upi_conv2d (UpiProgram *p, UpiValue x, UpiValue weight, UpiValue bias /* optional */, const UpiConv *conv);
UpiValue upi_linear (UpiProgram *p, UpiValue x, UpiValue weight, UpiValue bias /* optional */, UpiAct act);
UpiValue upi_matmul (UpiProgram *p, UpiValue a, UpiValue b, const UpiMatmul *matmul);
/* k, v [N or 1,T,C]: those of one item serve all. */
UpiValue upi_attention (
    UpiProgram *p, UpiValue q, UpiValue k, UpiValue v, UpiValue lengths /* optional */, const UpiAttention *attention);
/* Two key ranges: (k, v) whole or lengths, then (k2, v2) of lengths2 rows. */
UpiValue upi_attention2 (UpiProgram *p, UpiValue q, UpiValue k, UpiValue v, UpiValue lengths /* optional */,
    UpiValue k2, UpiValue v2, UpiValue lengths2, const UpiAttention *attention);
UpiValue upi_window_attention (UpiProgram *p, UpiValue qkv, UpiValue beyond, UpiValue table, const UpiWindow *window);
UpiValue upi_deformable_attention (UpiProgram *p, UpiValue value, UpiValue offsets, UpiValue weights,
    UpiValue reference, const UpiDeformable *deformable);
UpiValue upi_layer_norm (UpiProgram *p, UpiValue x, UpiValue gamma, UpiValue beta, gfloat eps);
UpiValue upi_group_norm (UpiProgram *p, UpiValue x, UpiValue gamma, UpiValue beta, gint groups, gfloat eps);
UpiValue upi_softmax (UpiProgram *p, UpiValue x);
UpiValue upi_add (UpiProgram *p, UpiValue x, UpiValue b);
UpiValue upi_mul (UpiProgram *p, UpiValue x, UpiValue b);
UpiValue upi_activation (UpiProgram *p, UpiValue x, UpiAct act);
UpiValue upi_resize (UpiProgram *p, UpiValue x, gint height, gint width);
/* Cell i of a side is cell ⌊i · in / out⌋ as it is. */
UpiValue upi_resize_nearest (UpiProgram *p, UpiValue x, gint height, gint width);
UpiValue upi_max_pool (UpiProgram *p, UpiValue x, const UpiPool *pool);
UpiValue upi_adaptive_avg_pool (UpiProgram *p, UpiValue x, gint height, gint width);
UpiValue upi_mean_tokens (UpiProgram *p, UpiValue x);              /* [N,T,C] → [N,1,C] */
UpiValue upi_gather (UpiProgram *p, UpiValue x, UpiValue indices); /* x [N or 1,T,C], indices I32 [N,K] → [N,K,C] */
UpiValue upi_top_k (UpiProgram *p, UpiValue scores, gint count);   /* [N,T] or [N,T,1] → I32 [N,count] */
/* boxes [N,M,4] (cx,cy,w,h), best first, and their indices I32 [N,M] → I32 [N,count]: the indices of boxes that no
 * better one overlaps by an IoU above limit, then those of the others, each in the order given (a box of NaN overlaps
 * nothing). */
UpiValue upi_distinct (UpiProgram *p, UpiValue boxes, UpiValue indices, gint count, gfloat limit);
/* boxes [N,M,4] and anchors [N or 1,A,4] (cx,cy,w,h), scores [N,A,K] → [N,M,K]: of each column the largest score among
 * the anchors that a box asks, and `least` at least. It asks those that it overlaps by an IoU of at least `ratio` of
 * the largest one, if at all (a box of NaN asks none). */
UpiValue upi_anchor_max (UpiProgram *p, UpiValue boxes, UpiValue scores, UpiValue anchors, gfloat ratio, gfloat least);
/* [..., C] → [..., 1]: the largest; what is no number is smaller than anything, of such alone it is -∞. */
UpiValue upi_row_max (UpiProgram *p, UpiValue x);
/* a [N,T,K], b [N,T,1] → [N,T,K]: the logit of √(sigmoid(a) · sigmoid(b)): with l = (ln sigmoid(a) + ln sigmoid(b))
 * / 2, at most -1e-7, it is l - ln(1 - e^l), and -16 at least; -16 where a or b is no number. */
UpiValue upi_joint_logit (UpiProgram *p, UpiValue a, UpiValue b);
#define UPI_JOINT_LOGIT_LEAST (-16.0f)
#define UPI_JOINT_LOGIT_MOST 16.1180956f                                   /* of l = -1e-7 */
UpiValue upi_sine_position (UpiProgram *p, UpiValue boxes, gint features); /* [N,Q,4] → [N,Q,4*features] */
UpiValue upi_box_refine (
    UpiProgram *p, UpiValue delta, UpiValue reference); /* sigmoid(delta + inverse_sigmoid(reference)) [N,Q,4] */
UpiValue upi_l2_norm (UpiProgram *p, UpiValue x);       /* x / max(‖x‖, 1e-12) over the last dimension */
UpiValue
upi_embed (UpiProgram *p, UpiValue table, UpiValue ids); /* table [V,C], ids I32 [N,T] → [N,T,C]; ids are trusted */
/* Writes rows [N,R,C] into cache [N,Cap,C] (an input bound by the caller, changed in place) from row start[n] (I32
 * [N]). Returns a value for the cache as it is afterwards: use that one where the stored rows must be seen. */
UpiValue upi_store_rows (UpiProgram *p, UpiValue cache, UpiValue rows, UpiValue start);

/* Check, fuse, lifetimes, placement. Returns FALSE with an error that names operation, part and shapes. Idempotent. */
gboolean upi_program_finish (UpiProgram *program, GError **error);

/* Multiply-accumulates of one operation (attention products, sampling counted), of the program. */
guint64 upi_op_macs (const UpiProgram *p, const UpiOp *op);
guint64 upi_program_macs (const UpiProgram *p);
const gchar *upi_op_name (UpiOpKind kind);
/* One line per operation: name, part, shapes, bytes, GMAC, what was fused in. microseconds may be NULL (per operation,
 * ops->len of them). */
gchar *upi_program_dump (const UpiProgram *p, const gdouble *microseconds);

G_END_DECLS
