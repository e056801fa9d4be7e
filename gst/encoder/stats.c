/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stats.c: counters and times of upiencoder; see stats.h. */
#include "gst/encoder/stats.h"

#include <stdlib.h>
#include <string.h>

#define RECENT 256 /* encode times that mean and p95 look at: a changing load shows within seconds */

struct _GstUpiStats {
  GMutex lock;
  guint64 counts[GST_UPI_N_COUNTS];
  guint64 encode_us[RECENT], convert_us[RECENT];
  guint64 n_times;
  GstClockTime age_sum, age_last, age_max;
  GstClockTime ages[RECENT];
  guint64 n_ages;
};

GstUpiStats *
gst_upi_stats_new (void)
{
  GstUpiStats *stats = g_new0 (GstUpiStats, 1);
  g_mutex_init (&stats->lock);
  return stats;
}

void
gst_upi_stats_free (GstUpiStats *stats)
{
  g_mutex_clear (&stats->lock);
  g_free (stats);
}

void
gst_upi_stats_reset (GstUpiStats *stats)
{
  g_mutex_lock (&stats->lock);
  memset (stats->counts, 0, sizeof stats->counts);
  stats->n_times = stats->n_ages = 0;
  stats->age_sum = stats->age_last = stats->age_max = 0;
  g_mutex_unlock (&stats->lock);
}

void
gst_upi_stats_count (GstUpiStats *stats, GstUpiCount count)
{
  g_mutex_lock (&stats->lock);
  stats->counts[count]++;
  g_mutex_unlock (&stats->lock);
}

guint64
gst_upi_stats_get (GstUpiStats *stats, GstUpiCount count)
{
  g_mutex_lock (&stats->lock);
  guint64 value = stats->counts[count];
  g_mutex_unlock (&stats->lock);
  return value;
}

void
gst_upi_stats_add_encode_time (GstUpiStats *stats, guint64 convert_us, guint64 infer_us)
{
  g_mutex_lock (&stats->lock);
  guint place = stats->n_times++ % RECENT;
  stats->encode_us[place] = convert_us + infer_us;
  stats->convert_us[place] = convert_us;
  g_mutex_unlock (&stats->lock);
}

void
gst_upi_stats_add_age (GstUpiStats *stats, GstClockTime age)
{
  g_mutex_lock (&stats->lock);
  stats->age_last = age;
  stats->age_sum += age;
  stats->age_max = MAX (stats->age_max, age);
  stats->ages[stats->n_ages++ % RECENT] = age;
  g_mutex_unlock (&stats->lock);
}

static int
compare_times (const void *a, const void *b)
{
  const guint64 *x = a, *y = b;
  return (*x > *y) - (*x < *y);
}

GstStructure *
gst_upi_stats_to_structure (GstUpiStats *stats)
{
  guint64 sorted[RECENT], sorted_ages[RECENT], encode = 0, convert = 0;

  g_mutex_lock (&stats->lock);
  guint n = (guint) MIN (stats->n_times, RECENT);
  memcpy (sorted, stats->encode_us, n * sizeof sorted[0]);
  for (guint i = 0; i < n; i++) {
    encode += stats->encode_us[i];
    convert += stats->convert_us[i];
  }
  qsort (sorted, n, sizeof sorted[0], compare_times);
  guint64 p95 = n > 0 ? sorted[(n * 95 + 99) / 100 - 1] : 0;
  guint n_ages = (guint) MIN (stats->n_ages, RECENT);
  memcpy (sorted_ages, stats->ages, n_ages * sizeof sorted_ages[0]);
  qsort (sorted_ages, n_ages, sizeof sorted_ages[0], compare_times);
  guint64 age_p95 = n_ages > 0 ? sorted_ages[(n_ages * 95 + 99) / 100 - 1] : 0;
  GstStructure *structure = gst_structure_new ("upi-encoder-stats", "frames-in", G_TYPE_UINT64,
      stats->counts[GST_UPI_COUNT_FRAMES_IN], "frames-out", G_TYPE_UINT64, stats->counts[GST_UPI_COUNT_FRAMES_OUT],
      "encoded", G_TYPE_UINT64, stats->counts[GST_UPI_COUNT_ENCODED], "static", G_TYPE_UINT64,
      stats->counts[GST_UPI_COUNT_STATIC], "skipped", G_TYPE_UINT64, stats->counts[GST_UPI_COUNT_SKIPPED], "outdated",
      G_TYPE_UINT64, stats->counts[GST_UPI_COUNT_OUTDATED], "failed", G_TYPE_UINT64,
      stats->counts[GST_UPI_COUNT_FAILED], "encode-time-mean", G_TYPE_UINT64, n > 0 ? encode * GST_USECOND / n : 0,
      "encode-time-p95", G_TYPE_UINT64, p95 * GST_USECOND, "convert-time-mean", G_TYPE_UINT64,
      n > 0 ? convert * GST_USECOND / n : 0, "result-age", G_TYPE_UINT64, stats->age_last, "result-age-mean",
      G_TYPE_UINT64, stats->n_ages > 0 ? stats->age_sum / stats->n_ages : 0, "result-age-p95", G_TYPE_UINT64, age_p95,
      "result-age-max", G_TYPE_UINT64, stats->age_max, NULL);
  g_mutex_unlock (&stats->lock);
  return structure;
}
