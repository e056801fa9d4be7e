/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Static pictures: by how much two small inputs of the network differ; see still.h. */
#include "core/engine/still.h"

#include <math.h>

#define BLOCK 4              /* pixels a side */
#define TILE 4               /* blocks a side */
#define MAX_GAIN 1.5f        /* either way */
#define MAX_OFFSET 0.25f     /* of the mean level */
#define FLAT (0.02f * 0.02f) /* variance of levels in which a gain cannot be told from noise */
#define OUTLIER 3            /* mean differences: such a block moves and says nothing of the brightness */

gsize
upi_still_blocks (guint width, guint height)
{
  return (gsize) 3 * (width / BLOCK) * (height / BLOCK);
}

void
upi_still_measure (
    const gfloat *input, guint width, guint height, const gfloat mean[3], const gfloat std[3], gfloat *blocks)
{
  guint columns = width / BLOCK, rows = height / BLOCK;
  gsize plane = (gsize) columns * rows;

  for (guint row = 0; row < rows; row++) {
    for (guint column = 0; column < columns; column++) {
      gfloat sums[3] = { 0 };

      for (guint y = 0; y < BLOCK; y++) {
        const gfloat *pixel = input + ((gsize) (row * BLOCK + y) * width + column * BLOCK) * 3;
        for (guint i = 0; i < 3 * BLOCK; i += 3) {
          sums[0] += pixel[i];
          sums[1] += pixel[i + 1];
          sums[2] += pixel[i + 2];
        }
      }
      for (guint c = 0; c < 3; c++)
        blocks[c * plane + (gsize) row * columns + column] = sums[c] / (BLOCK * BLOCK) * std[c] + mean[c];
    }
  }
}

/* after ≈ gain · before + offset, by least squares over the blocks whose difference is at most @limit from the last
 * fit. */
static void
fit (const gfloat *before, const gfloat *after, gsize n, gfloat limit, gfloat *gain, gfloat *offset)
{
  gdouble sum_x = 0, sum_y = 0, sum_xx = 0, sum_xy = 0, count = 0;

  for (gsize i = 0; i < n; i++) {
    if (fabsf (after[i] - (*gain * before[i] + *offset)) > limit)
      continue;
    sum_x += before[i];
    sum_y += after[i];
    sum_xx += (gdouble) before[i] * before[i];
    sum_xy += (gdouble) before[i] * after[i];
    count++;
  }
  if (count == 0)
    return;
  gdouble mean_x = sum_x / count, mean_y = sum_y / count;
  gdouble variance = sum_xx / count - mean_x * mean_x, covariance = sum_xy / count - mean_x * mean_y;
  *gain = (gfloat) ((covariance + FLAT) / (variance + FLAT));
  *offset = (gfloat) (mean_y - *gain * mean_x);
}

static gfloat
mean_difference (const gfloat *before, const gfloat *after, gsize n, gfloat gain, gfloat offset)
{
  gdouble sum = 0;

  for (gsize i = 0; i < n; i++)
    sum += fabsf (after[i] - (gain * before[i] + offset));
  return (gfloat) (sum / (gdouble) n);
}

static gfloat
mean_level (const gfloat *levels, gsize n)
{
  gdouble sum = 0;

  for (gsize i = 0; i < n; i++)
    sum += levels[i];
  return (gfloat) (sum / (gdouble) n);
}

/* The largest mean over tiles of |after - gain · before - offset|. */
static gfloat
largest_tile (const gfloat *before, const gfloat *after, guint columns, guint rows, gfloat gain, gfloat offset)
{
  gfloat largest = 0;

  for (guint top = 0; top + TILE <= rows; top += TILE / 2)
    for (guint left = 0; left + TILE <= columns; left += TILE / 2) {
      gfloat sum = 0;
      for (guint y = top; y < top + TILE; y++)
        for (gsize i = (gsize) y * columns + left; i < (gsize) y * columns + left + TILE; i++)
          sum += fabsf (after[i] - (gain * before[i] + offset));
      largest = MAX (largest, sum / (TILE * TILE));
    }
  return largest;
}

gfloat
upi_still_difference (const gfloat *before, const gfloat *after, guint width, guint height)
{
  guint columns = width / BLOCK, rows = height / BLOCK;
  gsize n = (gsize) columns * rows;
  gfloat largest = 0;

  for (guint c = 0; c < 3; c++, before += n, after += n) {
    gfloat gain = 1, offset = 0;

    if (fabsf (mean_level (after, n) - mean_level (before, n)) > MAX_OFFSET)
      return 1;
    fit (before, after, n, G_MAXFLOAT, &gain, &offset);
    fit (before, after, n, OUTLIER * mean_difference (before, after, n, gain, offset), &gain, &offset);
    if (gain > MAX_GAIN || gain < 1 / MAX_GAIN)
      return 1;
    largest = MAX (largest, largest_tile (before, after, columns, rows, gain, offset));
  }
  return MIN (largest, 1);
}
