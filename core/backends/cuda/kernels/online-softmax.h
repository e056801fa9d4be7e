/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the attention kernels (attention.cu, window.cu) do alike, in one pass over the keys (FlashAttention,
 * 2205.14135): each query row keeps its maximum, its sum and its mixture of values, and corrects them when a tile of
 * keys brings a larger logit. The matrix of weights is never stored.
 *
 * * A block serves QUERIES rows of one head: WARPS warps of ROWS rows. For the logits a lane is a key of the tile;
 * for the mixture a lane is a channel of each group of 32. Rows of @keys and @values are @row apart. */
#pragma once

#include "core/backends/cuda/kernels/device.h"

#define WARPS 4
#define ROWS 4 /* a warp: what is read from shared memory once serves four */
#define TILE 32
#define QUERIES (WARPS * ROWS)

/* A warp's rows so far. @mixture is to be divided by @sum in the end. */
template <int CHANNELS> /* a lane: ceil (head width / 32) */
struct UpiOnlineSoftmax {
  float most[ROWS], sum[ROWS], mixture[ROWS][CHANNELS];
};

template <int CHANNELS>
static __device__ __forceinline__ void
upi_softmax_begin (UpiOnlineSoftmax<CHANNELS> &rows)
{
  for (int r = 0; r < ROWS; r++) {
    rows.most[r] = -INFINITY;
    rows.sum[r] = 0;
    for (int i = 0; i < CHANNELS; i++)
      rows.mixture[r][i] = 0;
  }
}

/* The lane's key with each row of @query: [ROWS, width] · [width]. */
static __device__ __forceinline__ void
upi_softmax_logits (const float *query, const float *keys, int width, int row, int lane, float logit[ROWS])
{
  for (int r = 0; r < ROWS; r++)
    logit[r] = 0;
  for (int c = 0; c < width; c++) {
    float key = keys[lane * row + c];

    for (int r = 0; r < ROWS; r++)
      logit[r] += query[r * width + c] * key;
  }
}

/* Row @r meets the tile's keys, of which the lane's has @logit, or is not @seen. Returns: the lane's weight, to the
 * maximum so far. */
template <int CHANNELS>
static __device__ __forceinline__ float
upi_softmax_meet (UpiOnlineSoftmax<CHANNELS> &rows, int r, float logit, bool seen)
{
  float larger = fmaxf (rows.most[r], upi_warp_max (seen ? logit : -INFINITY));
  /* Nothing seen yet: -inf - -inf is no number. */
  float weight = seen ? expf (logit - larger) : 0.0f;
  float correction = rows.most[r] == -INFINITY ? 0.0f : expf (rows.most[r] - larger);

  rows.sum[r] = rows.sum[r] * correction + upi_warp_sum (weight);
  for (int i = 0; i < CHANNELS; i++)
    rows.mixture[r][i] *= correction;
  rows.most[r] = larger;
  return weight;
}

/* The tile's values by their @weights, [ROWS, TILE] in shared memory, which the whole warp has written. */
template <int CHANNELS>
static __device__ __forceinline__ void
upi_softmax_mix (
    UpiOnlineSoftmax<CHANNELS> &rows, const float *weights, const float *values, int width, int row, int lane)
{
  for (int j = 0; j < TILE; j++) {
    for (int i = 0; i < CHANNELS; i++) {
      int c = i * UPI_WARP + lane;
      float value = c < width ? values[j * row + c] : 0.0f;

      for (int r = 0; r < ROWS; r++)
        rows.mixture[r][i] += weights[r * TILE + j] * value;
    }
  }
}
