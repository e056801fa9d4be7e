/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Layers by the names of their tensors: what lets a part of the network read like the paper.
 *
 * Each comes twice: upi_tensor_x() lists a layer's tensors in the binding table, upi_x_of() appends its operations.
 * Names are printf formats and stand for NAME.weight and NAME.bias, as in models/reference/NETWORK.md.
 */
#pragma once

#include "core/model/weights.h"
#include "core/program/program.h"

G_BEGIN_DECLS

/* What every part of one program is built from. */
typedef struct {
  UpiProgram *program;
  const UpiConfig *config;
  const UpiWeights *weights;
  gint batch;         /* B */
  gint height, width; /* H, W of the network's input; 0 in text programs */
  gsize strip_bytes;  /* of a large map that are there at a time (UpiBackend.strip_bytes); 0: all of it */
} UpiBuild;

#define UPI_LAYER_NORM_EPS 1e-5f

/* The binding table. */

void upi_tensor (GArray *specs, UpiDType dtype, UpiShape shape, const gchar *format, ...) G_GNUC_PRINTF (4, 5);
void upi_tensor_linear (GArray *specs, gint in, gint out, const gchar *format, ...) G_GNUC_PRINTF (4, 5);
/* in: channels a group. */
void upi_tensor_conv (GArray *specs, gint in, gint out, gint kernel, const gchar *format, ...) G_GNUC_PRINTF (5, 6);
void upi_tensor_norm (GArray *specs, gint width, const gchar *format, ...) G_GNUC_PRINTF (3, 4);
/* Depthwise k×k and 1×1: NAME.depthwise, NAME.pointwise. */
void
upi_tensor_separable (GArray *specs, gint in, gint out, gint kernel, const gchar *format, ...) G_GNUC_PRINTF (5, 6);
/* NAME.layers.0 .. n-1 of widths[0] → widths[1] → ... → widths[n]. */
void upi_tensor_mlp (GArray *specs, const gint *widths, guint n, const gchar *format, ...) G_GNUC_PRINTF (4, 5);

/* Operations. */

/* One tensor as it is. */
UpiValue upi_weight_of (UpiBuild *b, const gchar *format, ...) G_GNUC_PRINTF (2, 3);
/* count of its outermost rows from start. */
UpiValue upi_weight_rows_of (UpiBuild *b, gint start, gint count, const gchar *format, ...) G_GNUC_PRINTF (4, 5);
/* A weight [D] or [R, D] as [B, R, D]: the same in every item. */
UpiValue upi_weight_tiled (UpiBuild *b, const gchar *name);

/* x [..., in] → [..., out] */
UpiValue upi_linear_of (UpiBuild *b, UpiValue x, UpiAct act, const gchar *format, ...) G_GNUC_PRINTF (4, 5);
/* The same with the weight of a 1×1 convolution. */
UpiValue upi_pointwise_of (UpiBuild *b, UpiValue x, UpiAct act, const gchar *format, ...) G_GNUC_PRINTF (4, 5);
/* act (x [B,H,W,in] * w + bias) with kernel and width of the weight; same: TensorFlow's SAME padding, else kernel/2. */
typedef struct {
  gint stride; /* 0 means 1 */
  gboolean depthwise, same, no_bias;
  gboolean strip; /* same: x is some rows of a map, with these of the map's padding above and below them */
  gint pad_top, pad_bottom;
  UpiAct act;
} UpiConvOf;
UpiValue upi_conv_of (UpiBuild *b, UpiValue x, const UpiConvOf *conv, const gchar *format, ...) G_GNUC_PRINTF (4, 5);
/* x [B,H,W,in] → [B,⌈H/stride⌉,⌈W/stride⌉,out], a hard swish behind each of the two. */
UpiValue upi_separable_of (UpiBuild *b, UpiValue x, gint stride, const gchar *format, ...) G_GNUC_PRINTF (4, 5);
/* TensorFlow's SAME padding of one side: ⌈size/stride⌉ outputs. */
void upi_same_padding (gint size, gint kernel, gint stride, gint *before, gint *after);
UpiValue upi_layer_norm_of (UpiBuild *b, UpiValue x, gfloat eps, const gchar *format, ...) G_GNUC_PRINTF (4, 5);
/* x [B,H,W,C] */
UpiValue upi_group_norm_of (UpiBuild *b, UpiValue x, gint groups, const gchar *format, ...) G_GNUC_PRINTF (4, 5);
/* Linear layers with ReLU between, none after the last. */
UpiValue upi_mlp_of (UpiBuild *b, UpiValue x, guint n, const gchar *format, ...) G_GNUC_PRINTF (4, 5);

/* Two-dimensional view: a map [B,H,W,C] as tokens [B,H·W,C], and back. */
UpiValue upi_as_tokens (UpiBuild *b, UpiValue map);
UpiValue upi_as_map (UpiBuild *b, UpiValue tokens, gint height, gint width);

/* Stacks linear layers that read the same input into one, AS: their outputs side by side. For folds at open. */
gboolean upi_weights_stack (UpiWeights *weights, const gchar *const *names, guint n, const gchar *as, GError **error);

G_END_DECLS
