/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attention of heads 32 wide for training, forward and backward, one thread: bfloat16 tiles (AMX), float32 sums and
 * softmax. Logits never leave the cache. PyTorch 2.7, which multiplies these in float32 and stores every stage, is
 * slower (one Sapphire Rapids core, forward and backward; models/training/README.md has the figure). Without AMX this
 * file is empty and fast.py leaves attention to PyTorch.
 *
 * Tiles hold 16 rows of 64 bytes. A product A·B of a 16×32 and a 32×16 tile wants B as pairs: dword [k/2][n] holds
 * B[k][n] and B[k+1][n]. */

#ifdef __AMX_BF16__
#include <immintrin.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define D 32
#define LOG2E 1.44269504f
#define LEAST (-1e30f) /* stands for -inf: -ffast-math knows no infinities */
typedef uint16_t bf16;

typedef struct {
  const float *data;
  int64_t item, head, row; /* strides in elements; the D numbers of a row are contiguous */
} View;

static inline int
up (int n, int to)
{
  return (n + to - 1) / to * to;
}

static inline const float *
row_of (const View *v, int b, int m, int t)
{
  return v->data + b * v->item + m * v->head + t * v->row;
}

/* 2^x, 0 far below: a polynomial on -0.5..0.5, relative error 2e-6. */
static inline __m512
exp2v (__m512 x)
{
  x = _mm512_max_ps (x, _mm512_set1_ps (-200));
  __m512 n = _mm512_roundscale_ps (x, 0), f = _mm512_sub_ps (x, n), p = _mm512_set1_ps (1.3333558e-3f);
  p = _mm512_fmadd_ps (p, f, _mm512_set1_ps (9.6181291e-3f));
  p = _mm512_fmadd_ps (p, f, _mm512_set1_ps (5.5504109e-2f));
  p = _mm512_fmadd_ps (p, f, _mm512_set1_ps (2.4022651e-1f));
  p = _mm512_fmadd_ps (p, f, _mm512_set1_ps (6.9314718e-1f));
  p = _mm512_fmadd_ps (p, f, _mm512_set1_ps (1));
  return _mm512_scalef_ps (p, n);
}

static inline __m512i
to_bf16 (__m512 low, __m512 high) /* 16 + 16 numbers, in order */
{
  return (__m512i) _mm512_cvtne2ps_pbh (high, low);
}

/* The order that makes pairs (a[i], b[i]) of two vectors of 32 words, from i = first on. */
static inline __m512i
interleaved (int first)
{
  const __m512i order = _mm512_set_epi16 (47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6,
      37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
  return _mm512_add_epi16 (order, _mm512_set1_epi16 (first));
}

/* Pairs (a[i], b[i]) of 16 numbers. */
static inline __m512i
pairs (__m512 a, __m512 b)
{
  __m512i x = _mm512_castsi256_si512 ((__m256i) _mm512_cvtneps_pbh (a)),
          y = _mm512_castsi256_si512 ((__m256i) _mm512_cvtneps_pbh (b));
  return _mm512_permutex2var_epi16 (x, interleaved (0), y);
}

/* Rows of one head as bfloat16 [padded][D], times scale; rows past `count` are 0. */
static void
pack_rows (const View *v, int b, int m, int count, int padded, float scale, bf16 *out)
{
  __m512 s = _mm512_set1_ps (scale);
  for (int t = 0; t < count; t++) {
    const float *x = row_of (v, b, m, t);
    _mm512_storeu_si512 (
        out + t * D, to_bf16 (_mm512_mul_ps (_mm512_loadu_ps (x), s), _mm512_mul_ps (_mm512_loadu_ps (x + 16), s)));
  }
  memset (out + count * D, 0, sizeof (bf16) * D * (padded - count));
}

/* [padded][D] → for each 16 rows a B tile of the transpose: dword [k/2][row]. */
static void
pack_transposed (const bf16 *rows, int padded, bf16 *out)
{
  const __m512i row = _mm512_mullo_epi32 (
      _mm512_set_epi32 (15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0), _mm512_set1_epi32 (16));
  for (int t = 0; t < padded; t += 16)
    for (int k = 0; k < 16; k++)
      _mm512_storeu_si512 (out + t * D + k * 32, _mm512_i32gather_epi32 (row, rows + t * D + 2 * k, 4));
}

/* [padded][D] → for each 32 rows two B tiles (columns 0..15, 16..31): dword [row/2][column]. */
static void
pack_pairs (const bf16 *rows, int padded, bf16 *out)
{
  for (int t = 0; t < padded; t += 2) {
    __m512i a = _mm512_loadu_si512 (rows + t * D), b = _mm512_loadu_si512 (rows + (t + 1) * D);
    bf16 *to = out + (t / 32) * 1024 + (t % 32) * 16;
    _mm512_storeu_si512 (to, _mm512_permutex2var_epi16 (a, interleaved (0), b));
    _mm512_storeu_si512 (to + 512, _mm512_permutex2var_epi16 (a, interleaved (16), b));
  }
}

static void
begin (void)
{
  static int asked;
  struct __attribute__ ((packed)) {
    uint8_t palette, start, zero[14];
    uint16_t bytes[16];
    uint8_t rows[16];
  } c = { .palette = 1 };
  if (!asked) {
    syscall (SYS_arch_prctl, 0x1023, 18); /* ARCH_REQ_XCOMP_PERM: tile data */
    asked = 1;
  }
  for (int i = 0; i < 8; i++)
    c.bytes[i] = 64, c.rows[i] = 16;
  _tile_loadconfig (&c);
}

/* q [B, M, t, D], k, v [B, M, s, D]; mask NULL or [B or 1, t, s], added to the logits → out [B, t, M, D], lse [B, M,
 * t], base 2. */
void
attention_forward (const float *qd, const int64_t *qs, const float *kd, const int64_t *ks, const float *vd,
    const int64_t *vs, const float *mask, const int64_t *mask_strides, float *out, float *lse, int items, int heads,
    int t, int s)
{
  View q = { qd, qs[0], qs[1], qs[2] }, k = { kd, ks[0], ks[1], ks[2] }, v = { vd, vs[0], vs[1], vs[2] };
  int tp = up (t, 16), sp = up (s, 32);
  bf16 *rows =
      aligned_alloc (64, sizeof (bf16) * D * (tp + 3 * sp) + sizeof (bf16) * 16 * sp + sizeof (float) * 16 * (sp + D));
  bf16 *qb = rows, *kb = qb + D * tp, *kt = kb + D * sp, *vp = kt + D * sp, *p = vp + D * sp;
  float *z = (float *) (p + 16 * sp), *o = z + 16 * sp;

  begin ();
  for (int b = 0; b < items; b++)
    for (int m = 0; m < heads; m++) {
      pack_rows (&q, b, m, t, tp, LOG2E / 5.65685425f, qb);
      pack_rows (&k, b, m, s, sp, 1, kb);
      pack_transposed (kb, sp, kt);
      pack_rows (&v, b, m, s, sp, 1, kb);
      pack_pairs (kb, sp, vp);
      for (int t0 = 0; t0 < t; t0 += 16) {
        int count = t - t0 < 16 ? t - t0 : 16;
        float scale[16];
        _tile_loadd (0, qb + t0 * D, 64);
        for (int j = 0; j < sp; j += 16) {
          _tile_zero (1);
          _tile_loadd (2, kt + j * D, 64);
          _tile_dpbf16ps (1, 0, 2);
          _tile_stored (1, z + j, sizeof (float) * sp);
        }
        for (int r = 0; r < count; r++) {
          float *row = z + r * sp;
          __m512 most = _mm512_set1_ps (LEAST), sum = _mm512_setzero_ps ();
          for (int j = s; j < sp; j++)
            row[j] = LEAST;
          if (mask) {
            const float *add = mask + b * mask_strides[0] + (t0 + r) * mask_strides[1];
            for (int j = 0; j < s; j++)
              row[j] += add[j] < LEAST ? LEAST : add[j] * LOG2E;
          }
          for (int j = 0; j < sp; j += 16)
            most = _mm512_max_ps (most, _mm512_loadu_ps (row + j));
          float top = _mm512_reduce_max_ps (most);
          for (int j = 0; j < sp; j += 32) {
            __m512 a = exp2v (_mm512_sub_ps (_mm512_loadu_ps (row + j), _mm512_set1_ps (top)));
            __m512 c = exp2v (_mm512_sub_ps (_mm512_loadu_ps (row + j + 16), _mm512_set1_ps (top)));
            sum = _mm512_add_ps (sum, _mm512_add_ps (a, c));
            _mm512_storeu_si512 (p + r * sp + j, to_bf16 (a, c));
          }
          float whole = _mm512_reduce_add_ps (sum);
          scale[r] = 1 / whole;
          lse[((int64_t) b * heads + m) * t + t0 + r] = top + __builtin_log2f (whole);
        }
        _tile_zero (1);
        _tile_zero (3);
        for (int j = 0; j < sp; j += 32) {
          _tile_loadd (0, p + j, sizeof (bf16) * sp);
          _tile_loadd (2, vp + j * D, 64);
          _tile_loadd (4, vp + j * D + 512, 64);
          _tile_dpbf16ps (1, 0, 2);
          _tile_dpbf16ps (3, 0, 4);
        }
        _tile_stored (1, o, sizeof (float) * D);
        _tile_stored (3, o + 16, sizeof (float) * D);
        for (int r = 0; r < count; r++) {
          float *to = out + (((int64_t) b * t + t0 + r) * heads + m) * D;
          for (int c = 0; c < D; c++)
            to[c] = o[r * D + c] * scale[r];
        }
      }
    }
  _tile_release ();
  free (rows);
}

/* As the forward pass, with g and out [B, t, M, D] → dq [B, M, t, D], dk, dv [B, M, s, D]. All products are of
 * transposed logits [s, t]: 32 keys at a time against all queries. */
void
attention_backward (const float *g, const float *out, const float *lse, const float *qd, const int64_t *qs,
    const float *kd, const int64_t *ks, const float *vd, const int64_t *vs, const float *mask,
    const int64_t *mask_strides, float *dq, float *dk, float *dv, int items, int heads, int t, int s)
{
  View q = { qd, qs[0], qs[1], qs[2] }, k = { kd, ks[0], ks[1], ks[2] }, v = { vd, vs[0], vs[1], vs[2] };
  View gv = { g, (int64_t) t * heads * D, D, (int64_t) heads * D };
  int tp = up (t, 32), sp = up (s, 32);
  bf16 *rows = aligned_alloc (
      64, sizeof (bf16) * D * (6 * tp + 3 * sp) + sizeof (bf16) * 96 * tp + sizeof (float) * ((2 + D) * tp + 2048));
  bf16 *qb = rows, *qt = qb + D * tp, *qp = qt + D * tp, *gb = qp + D * tp, *gt = gb + D * tp, *gp = gt + D * tp;
  bf16 *kb = gp + D * tp, *vb = kb + D * sp, *kt = vb + D * sp, *p = kt + D * sp, *ds = p + 32 * tp,
       *dsp = ds + 32 * tp;
  float *top = (float *) (dsp + 32 * tp), *dot = top + tp, *dqt = dot + tp, *z = dqt + D * tp, *e = z + 512,
        *tile = e + 512;
  float *turned = mask ? aligned_alloc (64, sizeof (float) * sp * tp) : NULL; /* the mask [s, t] */

  begin ();
  for (int b = 0; b < items; b++) {
    if (mask && (b == 0 || mask_strides[0])) {
      memset (turned, 0, sizeof (float) * sp * tp);
      for (int i = 0; i < t; i++)
        for (int j = 0; j < s; j++) {
          float x = mask[b * mask_strides[0] + i * mask_strides[1] + j];
          turned[j * tp + i] = x < LEAST ? LEAST : x * LOG2E;
        }
    }
    for (int m = 0; m < heads; m++) {
      int64_t head = (int64_t) b * heads + m;
      pack_rows (&q, b, m, t, tp, LOG2E / 5.65685425f, qb);
      pack_transposed (qb, tp, qt);
      pack_pairs (qb, tp, qp);
      pack_rows (&gv, b, m, t, tp, 1, gb);
      pack_transposed (gb, tp, gt);
      pack_pairs (gb, tp, gp);
      pack_rows (&k, b, m, s, sp, 1, kb);
      pack_rows (&v, b, m, s, sp, 1, vb);
      for (int j = 0; j < sp; j += 32) /* kt: [D][32] of each 32 keys */
        for (int c = 0; c < D; c++)
          for (int i = 0; i < 32; i++)
            kt[j * D + c * 32 + i] = kb[(j + i) * D + c];
      for (int i = 0; i < tp; i++) {
        const float *a = row_of (&gv, b, m, i), *o = out + (a - g);
        top[i] = i < t ? lse[head * t + i] : -LEAST;
        dot[i] = i < t ? _mm512_reduce_add_ps (_mm512_fmadd_ps (_mm512_loadu_ps (a), _mm512_loadu_ps (o),
                     _mm512_mul_ps (_mm512_loadu_ps (a + 16), _mm512_loadu_ps (o + 16))))
                       : 0;
      }
      memset (dqt, 0, sizeof (float) * D * tp);
      for (int j = 0; j < sp; j += 32) {
        for (int half = 0; half < 32; half += 16) { /* P and dS of 16 keys [16, t] */
          _tile_loadd (0, kb + (j + half) * D, 64);
          _tile_loadd (1, vb + (j + half) * D, 64);
          for (int i = 0; i < tp; i += 16) {
            _tile_zero (2);
            _tile_zero (3);
            _tile_loadd (4, qt + i * D, 64);
            _tile_loadd (5, gt + i * D, 64);
            _tile_dpbf16ps (2, 0, 4);
            _tile_dpbf16ps (3, 1, 5);
            _tile_stored (2, z, 64);
            _tile_stored (3, e, 64);
            __m512 l = _mm512_loadu_ps (top + i), d = _mm512_loadu_ps (dot + i);
            for (int r = 0; r < 16; r += 2) {
              __m512 x[2], y[2];
              for (int n = 0; n < 2; n++) {
                __m512 w = _mm512_sub_ps (_mm512_loadu_ps (z + (r + n) * 16), l);
                if (mask)
                  w = _mm512_add_ps (w, _mm512_loadu_ps (turned + (int64_t) (j + half + r + n) * tp + i));
                x[n] = exp2v (w);
                y[n] = _mm512_mul_ps (x[n], _mm512_sub_ps (_mm512_loadu_ps (e + (r + n) * 16), d));
                _mm256_storeu_si256 ((__m256i *) (p + (half + r + n) * tp + i), (__m256i) _mm512_cvtneps_pbh (x[n]));
                _mm256_storeu_si256 ((__m256i *) (ds + (half + r + n) * tp + i), (__m256i) _mm512_cvtneps_pbh (y[n]));
              }
              _mm512_storeu_si512 (
                  dsp + i * 32 + (half + r) * 16, pairs (y[0], y[1])); /* a B tile [32 keys, 16 queries] for each i */
            }
          }
        }
        for (int half = 0; half < 32; half += 16) { /* dv = P · g, dk = dS · q: [16, D] */
          _tile_zero (0);
          _tile_zero (1);
          _tile_zero (2);
          _tile_zero (3);
          for (int i = 0; i < tp; i += 32) {
            _tile_loadd (4, p + half * tp + i, sizeof (bf16) * tp);
            _tile_loadd (5, gp + i * D, 64);
            _tile_loadd (6, gp + i * D + 512, 64);
            _tile_dpbf16ps (0, 4, 5);
            _tile_dpbf16ps (1, 4, 6);
            _tile_loadd (4, ds + half * tp + i, sizeof (bf16) * tp);
            _tile_loadd (5, qp + i * D, 64);
            _tile_loadd (6, qp + i * D + 512, 64);
            _tile_dpbf16ps (2, 4, 5);
            _tile_dpbf16ps (3, 4, 6);
          }
          _tile_stored (0, tile, sizeof (float) * D);
          _tile_stored (1, tile + 16, sizeof (float) * D);
          _tile_stored (2, tile + 512, sizeof (float) * D);
          _tile_stored (3, tile + 528, sizeof (float) * D);
          for (int r = 0; r < 16 && j + half + r < s; r++)
            for (int c = 0; c < D; c++) {
              dv[(head * s + j + half + r) * D + c] = tile[r * D + c];
              dk[(head * s + j + half + r) * D + c] = tile[512 + r * D + c] / LOG2E;
            }
        }
        _tile_loadd (4, kt + j * D, 64);
        _tile_loadd (5, kt + j * D + 512, 64);
        for (int i = 0; i < tp; i += 16) { /* dq, turned: [D, 16] += kᵀ · dS */
          _tile_loadd (0, dqt + i, sizeof (float) * tp);
          _tile_loadd (1, dqt + 16 * tp + i, sizeof (float) * tp);
          _tile_loadd (6, dsp + i * 32, 64);
          _tile_dpbf16ps (0, 4, 6);
          _tile_dpbf16ps (1, 5, 6);
          _tile_stored (0, dqt + i, sizeof (float) * tp);
          _tile_stored (1, dqt + 16 * tp + i, sizeof (float) * tp);
        }
      }
      for (int i = 0; i < t; i++)
        for (int c = 0; c < D; c++)
          dq[(head * t + i) * D + c] = dqt[c * tp + i] / 5.65685425f;
    }
  }
  _tile_release ();
  free (rows);
  free (turned);
}
#endif
