/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What PyTorch does slowly in training on a CPU, on channels-last tensors, one thread: depthwise convolution of
 * bfloat16 maps forward and backward, deformable attention, the backward pass of group norm, and overlaps of boxes
 * (PyTorch 2.7, one Sapphire Rapids core: 5x5 depthwise backward 30 ms against 3 ms here, group norm backward 33 ms
 * against 2 ms). Compiled by fast.py for the machine it trains on. */

#include <stdint.h>
#include <string.h>

#define LANES 16
typedef float vf __attribute__ ((vector_size (LANES * 4)));
typedef uint32_t vu __attribute__ ((vector_size (LANES * 4)));
typedef uint16_t vh __attribute__ ((vector_size (LANES * 2)));
typedef uint16_t bf16;

static inline vf
load (const bf16 *p)
{
  vh h;
  memcpy (&h, p, sizeof h);
  return (vf) (__builtin_convertvector(h, vu) << 16);
}

static inline void
store (bf16 *p, vf x) /* round to nearest even */
{
  vu u = (vu) x;
  u += 0x7fff + ((u >> 16) & 1);
  vh h = __builtin_convertvector(u >> 16, vh);
  memcpy (p, &h, sizeof h);
}

static inline vf
loadf (const float *p)
{
  vf x;
  memcpy (&x, p, sizeof x);
  return x;
}

static inline vf
relu6 (vf x)
{
  vf six = (vf){ 0 } + 6;
  x = (vf) ((vu) x & (vu) (x > 0));
  vu low = (vu) (x < six);
  return (vf) (((vu) x & low) | ((vu) six & ~low));
}

/* g where y, a ReLU6's result, lies strictly inside of its range. */
void
relu6_backward (const bf16 *g, const bf16 *y, bf16 *out, int64_t count)
{
  for (int64_t i = 0; i < count; i++) /* positive bfloat16 values order as their bits do; 0x40c0 is 6 */
    out[i] = y[i] > 0 && y[i] < 0x40c0 ? g[i] : 0;
}

/* The taps k of an output position whose input start + k lies inside of 0..size. */
static inline void
taps (int start, int size, int kernel, int *from, int *to)
{
  *from = start < 0 ? -start : 0;
  *to = size - start < kernel ? size - start : kernel;
}

/* x [n, h, w, c] · weight [k², c] + bias [c] → y [n, oh, ow, c], clamped to 0..6. c is a multiple of 16. */
void
depthwise_forward (const bf16 *x, const float *weight, const float *bias, bf16 *y, int n, int h, int w, int c, int oh,
    int ow, int k, int stride, int pad)
{
  for (int i = 0; i < n; i++)
    for (int oy = 0; oy < oh; oy++) {
      int y0, y1;
      taps (oy * stride - pad, h, k, &y0, &y1);
      for (int ox = 0; ox < ow; ox++) {
        int x0, x1;
        taps (ox * stride - pad, w, k, &x0, &x1);
        bf16 *out = y + (((int64_t) i * oh + oy) * ow + ox) * c;
        for (int b = 0; b < c; b += LANES) {
          vf sum = loadf (bias + b);
          for (int ky = y0; ky < y1; ky++) {
            const bf16 *row = x + (((int64_t) i * h + oy * stride - pad + ky) * w + ox * stride - pad) * c + b;
            for (int kx = x0; kx < x1; kx++)
              sum += load (row + (int64_t) kx * c) * loadf (weight + (ky * k + kx) * c + b);
          }
          store (out + b, relu6 (sum));
        }
      }
    }
}

/* g [n, oh, ow, c] → dx [n, h, w, c]: each input gathers the outputs that it reached, o = (i + pad - tap) / stride. */
void
depthwise_input (const bf16 *g, const float *weight, bf16 *dx, int n, int h, int w, int c, int oh, int ow, int k,
    int stride, int pad)
{
  for (int i = 0; i < n; i++)
    for (int iy = 0; iy < h; iy++)
      for (int ix = 0; ix < w; ix++) {
        bf16 *out = dx + (((int64_t) i * h + iy) * w + ix) * c;
        int64_t from[25];
        int tap[25], reached = 0;
        for (int ky = 0; ky < k; ky++)
          for (int kx = 0; kx < k; kx++) {
            int y = iy + pad - ky, x = ix + pad - kx;
            if (y >= 0 && x >= 0 && y % stride == 0 && x % stride == 0 && y / stride < oh && x / stride < ow) {
              from[reached] = (((int64_t) i * oh + y / stride) * ow + x / stride) * c;
              tap[reached++] = (ky * k + kx) * c;
            }
          }
        for (int b = 0; b < c; b += LANES) {
          vf sum = { 0 };
          for (int t = 0; t < reached; t++)
            sum += load (g + from[t] + b) * loadf (weight + tap[t] + b);
          store (out + b, sum);
        }
      }
}

/* dw [k², c] += Σ x·g, db [c] += Σ g. One block of channels at a time; its k² sums stay in registers. */
#define WEIGHT(K)                                                                                                      \
  static void weight_##K (const bf16 *x, const bf16 *g, float *dw, float *db, int n, int h, int w, int c, int oh,      \
      int ow, int stride, int pad)                                                                                     \
  {                                                                                                                    \
    for (int b = 0; b < c; b += LANES) {                                                                               \
      vf sum[K * K], bias = { 0 };                                                                                     \
      for (int t = 0; t < K * K; t++)                                                                                  \
        sum[t] = (vf){ 0 };                                                                                            \
      for (int i = 0; i < n; i++)                                                                                      \
        for (int oy = 0; oy < oh; oy++) {                                                                              \
          int y0, y1;                                                                                                  \
          taps (oy *stride - pad, h, K, &y0, &y1);                                                                     \
          for (int ox = 0; ox < ow; ox++) {                                                                            \
            int x0, x1;                                                                                                \
            taps (ox *stride - pad, w, K, &x0, &x1);                                                                   \
            vf go = load (g + (((int64_t) i * oh + oy) * ow + ox) * c + b);                                            \
            const bf16 *at = x + (((int64_t) i * h + oy * stride - pad) * w + ox * stride - pad) * c + b;              \
            bias += go;                                                                                                \
            if (x1 - x0 == K && y1 - y0 == K) {                                                                        \
              _Pragma ("GCC unroll 5") for (int ky = 0; ky < K; ky++)                                                  \
                  _Pragma ("GCC unroll 5") for (int kx = 0; kx < K; kx++) sum[ky * K + kx] +=                          \
                  load (at + ((int64_t) ky * w + kx) * c) * go;                                                        \
            } else                                                                                                     \
              _Pragma ("GCC unroll 5") for (int ky = 0; ky < K; ky++) _Pragma (                                        \
                  "GCC unroll 5") for (int kx = 0; kx < K; kx++) if (ky >= y0 && ky < y1 && kx >= x0 && kx < x1)       \
                  sum[ky * K + kx] += load (at + ((int64_t) ky * w + kx) * c) * go;                                    \
          }                                                                                                            \
        }                                                                                                              \
      for (int t = 0; t < K * K; t++)                                                                                  \
        memcpy (dw + t * c + b, &sum[t], sizeof sum[t]);                                                               \
      memcpy (db + b, &bias, sizeof bias);                                                                             \
    }                                                                                                                  \
  }
WEIGHT (3)
WEIGHT (5)

void
depthwise_weight (const bf16 *x, const bf16 *g, float *dw, float *db, int n, int h, int w, int c, int oh, int ow, int k,
    int stride, int pad)
{
  (k == 3 ? weight_3 : weight_5) (x, g, dw, db, n, h, w, c, oh, ow, stride, pad);
}

/* x, g, dx [n, p, c] float32; mean, rstd [n, groups]. dx = rstd (γg - mean(γg) - x̂ mean(γg x̂)), means over a group;
 * dgamma [c] = Σ g x̂, dbeta [c] = Σ g. scratch [4, c]. */
void
group_norm_backward (const float *x, const float *g, const float *gamma, const float *mean, const float *rstd,
    float *dx, float *dgamma, float *dbeta, float *scratch, int n, int64_t p, int c, int groups)
{
  int each = c / groups;
  float *sg = scratch, *sgx = scratch + c, *a = scratch + 2 * c, *e = scratch + 3 * c;
  memset (dgamma, 0, sizeof (float) * c);
  memset (dbeta, 0, sizeof (float) * c);
  for (int i = 0; i < n; i++) {
    const float *xi = x + i * p * c, *gi = g + i * p * c;
    float *di = dx + i * p * c;
    memset (scratch, 0, sizeof (float) * 2 * c);
    for (int64_t t = 0; t < p; t++)
      for (int j = 0; j < c; j++) {
        sg[j] += gi[t * c + j];
        sgx[j] += gi[t * c + j] * xi[t * c + j];
      }
    for (int q = 0; q < groups; q++) {
      float m = mean[i * groups + q], r = rstd[i * groups + q], sum = 0, dot = 0;
      for (int j = q * each; j < (q + 1) * each; j++) {
        float gx = (sgx[j] - m * sg[j]) * r; /* Σ g x̂ */
        dgamma[j] += gx;
        dbeta[j] += sg[j];
        sum += gamma[j] * sg[j];
        dot += gamma[j] * gx;
      }
      sum /= (float) p * each;
      dot /= (float) p * each;
      for (int j = q * each; j < (q + 1) * each; j++) {
        a[j] = -r * r * dot; /* dx = r γ g + a x + e */
        e[j] = -r * sum + r * r * dot * m;
        sg[j] = r * gamma[j];
      }
    }
    for (int64_t t = 0; t < p; t++)
      for (int j = 0; j < c; j++)
        di[t * c + j] = sg[j] * gi[t * c + j] + a[j] * xi[t * c + j] + e[j];
  }
}

/* Multi-scale deformable attention of heads 16 wide. value [n, t, m, 16] with levels behind one another; at [n, q, m,
 * l, k, 2] in 0..1; weight [n, q, m, l, k]; out [n, q, m, 16]. Bilinear, pixel centres at half, zero outside. */
#define CORNERS(LEVEL_H, LEVEL_W)                                                                                      \
  float fx = place[0] * (LEVEL_W) -0.5f, fy = place[1] * (LEVEL_H) -0.5f;                                              \
  if (!(fx > -1 && fy > -1 && fx < (LEVEL_W) && fy < (LEVEL_H)))                                                       \
    continue;                                                                                                          \
  int x0 = (int) (fx + 1) - 1, y0 = (int) (fy + 1) - 1;                                                                \
  float ax = fx - x0, ay = fy - y0;

void
deformable_forward (const float *value, const float *at, const float *weight, float *out, const int *shapes, int n,
    int t, int q, int m, int levels, int points)
{
  for (int i = 0; i < n; i++)
    for (int j = 0; j < q; j++)
      for (int head = 0; head < m; head++) {
        vf sum = { 0 };
        int64_t row = (((int64_t) i * q + j) * m + head) * levels * points;
        const float *base = value + ((int64_t) i * t * m + head) * LANES;
        for (int l = 0; l < levels; l++) {
          int h = shapes[2 * l], w = shapes[2 * l + 1];
          for (int p = 0; p < points; p++) {
            const float *place = at + 2 * (row + l * points + p);
            CORNERS (h, w)
            vf here = { 0 };
            for (int dy = 0; dy < 2; dy++)
              for (int dx = 0; dx < 2; dx++)
                if (y0 + dy >= 0 && y0 + dy < h && x0 + dx >= 0 && x0 + dx < w)
                  here += loadf (base + ((int64_t) (y0 + dy) * w + x0 + dx) * m * LANES)
                      * ((dy ? ay : 1 - ay) * (dx ? ax : 1 - ax));
            sum += here * weight[row + l * points + p];
          }
          base += (int64_t) h * w * m * LANES;
        }
        memcpy (out + (((int64_t) i * q + j) * m + head) * LANES, &sum, sizeof sum);
      }
}

static inline float
dot (vf a, vf b)
{
  vf p = a * b;
  float sum = 0;
  for (int i = 0; i < LANES; i++)
    sum += p[i];
  return sum;
}

/* g [n, q, m, 16] → dvalue (zeroed by the caller), dat, dweight. */
void
deformable_backward (const float *g, const float *value, const float *at, const float *weight, float *dvalue,
    float *dat, float *dweight, const int *shapes, int n, int t, int q, int m, int levels, int points)
{
  for (int i = 0; i < n; i++)
    for (int j = 0; j < q; j++)
      for (int head = 0; head < m; head++) {
        vf go = loadf (g + (((int64_t) i * q + j) * m + head) * LANES);
        int64_t row = (((int64_t) i * q + j) * m + head) * levels * points,
                level = ((int64_t) i * t * m + head) * LANES;
        for (int l = 0; l < levels; l++) {
          int h = shapes[2 * l], w = shapes[2 * l + 1];
          for (int p = 0; p < points; p++) {
            int64_t r = row + l * points + p;
            const float *place = at + 2 * r;
            dweight[r] = dat[2 * r] = dat[2 * r + 1] = 0;
            CORNERS (h, w)
            float z[2][2] = { { 0 } };
            for (int dy = 0; dy < 2; dy++)
              for (int dx = 0; dx < 2; dx++)
                if (y0 + dy >= 0 && y0 + dy < h && x0 + dx >= 0 && x0 + dx < w) {
                  int64_t o = level + ((int64_t) (y0 + dy) * w + x0 + dx) * m * LANES;
                  z[dy][dx] = dot (loadf (value + o), go);
                  vf d = loadf (dvalue + o) + go * (weight[r] * (dy ? ay : 1 - ay) * (dx ? ax : 1 - ax));
                  memcpy (dvalue + o, &d, sizeof d);
                }
            dweight[r] = (1 - ay) * ((1 - ax) * z[0][0] + ax * z[0][1]) + ay * ((1 - ax) * z[1][0] + ax * z[1][1]);
            dat[2 * r] = weight[r] * w * ((1 - ay) * (z[0][1] - z[0][0]) + ay * (z[1][1] - z[1][0]));
            dat[2 * r + 1] = weight[r] * h * ((1 - ax) * (z[1][0] - z[0][0]) + ax * (z[1][1] - z[0][1]));
          }
          level += (int64_t) h * w * m * LANES;
        }
      }
}

/* Corners and area of a box (cx, cy, w, h). */
typedef struct {
  float x0, y0, x1, y1, area;
} Corners;

static inline Corners
corners (const float *b)
{
  float w = b[2] / 2, h = b[3] / 2;
  return (Corners){ b[0] - w, b[1] - h, b[0] + w, b[1] + h, b[2] * b[3] };
}

/* The boxes b [q, 4] as five rows of corners and areas, each of q numbers. */
static void
rows_of_corners (const float *b, float *rows, int q)
{
  for (int j = 0; j < q; j++) {
    Corners c = corners (b + 4 * j);
    rows[j] = c.x0, rows[q + j] = c.y0, rows[2 * q + j] = c.x1, rows[3 * q + j] = c.y1, rows[4 * q + j] = c.area;
  }
}

static inline float
intersection (Corners a, const float *rows, int q, int j)
{
  float w = (a.x1 < rows[2 * q + j] ? a.x1 : rows[2 * q + j]) - (a.x0 > rows[j] ? a.x0 : rows[j]);
  float h = (a.y1 < rows[3 * q + j] ? a.y1 : rows[3 * q + j]) - (a.y0 > rows[q + j] ? a.y0 : rows[q + j]);
  return (w > 0 ? w : 0) * (h > 0 ? h : 0);
}

/* a [n, p, 4], b [n, q, 4] → IoU [n, p, q]. scratch [5, q]. */
void
pairwise_iou (const float *a, const float *b, float *out, float *scratch, int n, int p, int q)
{
  for (int i = 0; i < n; i++) {
    rows_of_corners (b + (int64_t) i * q * 4, scratch, q);
    for (int k = 0; k < p; k++, out += q) {
      Corners own = corners (a + ((int64_t) i * p + k) * 4);
      for (int j = 0; j < q; j++) {
        float inter = intersection (own, scratch, q, j), whole = own.area + scratch[4 * q + j] - inter;
        out[j] = inter / (whole > 1e-9f ? whole : 1e-9f);
      }
    }
  }
}

/* boxes [n, p, 4]; ignored [n, m, 4] with labels (-1: none) and whether each is a crowd → any [n, p], of_class [n, p,
 * c], both zeroed by the
 * caller: 1 where a box overlaps an ignored one by an IoU above 0.4, or lies in a crowd with more than 0.6 of itself.
 * scratch [5, p]. */
void
unknown (const float *boxes, const float *ignored, const int64_t *labels, const uint8_t *crowd, uint8_t *any,
    uint8_t *of_class, float *scratch, int n, int p, int m, int c)
{
  for (int i = 0; i < n; i++, any += p, of_class += (int64_t) p * c) {
    rows_of_corners (boxes + (int64_t) i * p * 4, scratch, p);
    for (int k = 0; k < m; k++) {
      int64_t label = labels[(int64_t) i * m + k];
      Corners own = corners (ignored + ((int64_t) i * m + k) * 4);
      if (label < 0)
        continue;
      for (int j = 0; j < p; j++) {
        float inter = intersection (own, scratch, p, j), area = scratch[4 * p + j];
        if (crowd[(int64_t) i * m + k] ? inter > 0.6f * area : inter > 0.4f * (own.area + area - inter))
          any[j] = of_class[(int64_t) j * c + label] = 1;
      }
    }
  }
}
