/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A long list of labels: its time, held against what the multiply-adds of its tokens take at the SGEMM rate of the same
 * core. */
#include "tests/bench/bench.h"

#include <sys/resource.h>

#include "core/backends/cpu/cpu.h"
#include "core/engine/engine-private.h"

#define LABELS 2000

/* Processor time of this process: what others take does not count. */
static gdouble
process_seconds (void)
{
  struct rusage usage;

  getrusage (RUSAGE_SELF, &usage);
  return (gdouble) usage.ru_utime.tv_sec + (gdouble) usage.ru_stime.tv_sec
      + (gdouble) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

/* One to four words of the model's own labels, all different. */
static gchar **
make_list (const gchar *const *own)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  guint n = g_strv_length ((gchar **) own);

  for (guint i = 0; i < LABELS; i++) {
    g_autoptr (GString) text = g_string_new (own[i % n]);

    for (guint j = 0, rest = i / n; j < i % 4; j++, rest /= n)
      g_string_append_printf (text, " %s", own[(rest + 17 * j) % n]);
    g_strv_builder_add (builder, text->str);
  }
  return g_strv_builder_end (builder);
}

/* Of each string alone, without padding. */
static gdouble
list_macs (UpiEngine *engine, gchar **list, gdouble *tokens)
{
  gdouble macs[64] = { 0 }, sum = 0;

  *tokens = 0;
  for (guint i = 0; list[i] != NULL; i++) {
    g_autoptr (GArray) ids = upi_tokenizer_encode (engine->tokenizer, list[i], G_N_ELEMENTS (macs) - 1);

    if (macs[ids->len] == 0) {
      g_autoptr (UpiProgram) program = upi_model_text_program (engine->model, ids->len, NULL);
      macs[ids->len] = (gdouble) upi_program_macs (program);
    }
    sum += macs[ids->len];
    *tokens += ids->len;
  }
  return sum;
}

void
bench_labels (UpiEngine *engine)
{
  g_auto (GStrv) list = make_list (upi_engine_info (engine)->labels);
  gdouble tokens, macs = list_macs (engine, list, &tokens), peak = upi_cpu_sgemm_rate (2048, 1);
  gdouble start = process_seconds ();
  g_autoptr (UpiTicket) ticket = upi_engine_encode_labels (engine, (const gchar *const *) list, NULL, NULL, NULL, NULL);

  upi_ticket_wait (ticket, NULL);
  gdouble time = process_seconds () - start;
  peak = MAX (peak, upi_cpu_sgemm_rate (2048, 1));
  bench_line ("a list of 2000 labels", "%.2f s, %.1f tokens each, %.0f GMAC, %.1f GFLOP/s", time, tokens / LABELS,
      macs * 1e-9, 2e-9 * macs / time);
  bench_line ("over its time at the SGEMM rate", "%.2f (to reach: 1.8)", time * peak / (2 * macs));
}
