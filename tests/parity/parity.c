/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* parity [--backend NAME] [--bench] [--filter TEXT] [--small] [--threads N] [g_test options]
 *
 * Without --bench: every case of every family on the backend, in every variant, and frames (frames.c), against ref
 * (TAP). With it: a line of speed for each big case (all cases that match, with --filter). */

#include "tests/parity/frames.h"
#include "tests/parity/parity.h"
#include "core/backends/cpu/cpu.h"
#include "core/upi.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

static gchar *backend_name, *filter;
static gboolean bench, small;
static gint threads = 1;

static const GOptionEntry options[] = {
  { "backend", 0, 0, G_OPTION_ARG_STRING, &backend_name,
      "cpu (default), cpu:ISA (its own kernels alone), cuda, cuda:tf32, cuda:f16, cuda:bf16 or ref", "NAME" },
  { "bench", 0, 0, G_OPTION_ARG_NONE, &bench, "Measure instead of comparing", NULL },
  { "filter", 0, 0, G_OPTION_ARG_STRING, &filter, "Only cases whose name contains TEXT", "TEXT" },
  { "small", 0, 0, G_OPTION_ARG_NONE, &small, "Without the big cases, for slow machines", NULL },
  { "threads", 0, 0, G_OPTION_ARG_INT, &threads, "Threads of one run in --bench", "N" }, { NULL }
};

static const ParityVariant variants[] = {
  PARITY_DENSE,
  PARITY_STRIDED_INPUTS | PARITY_UNALIGNED,
  PARITY_STRIDED_OUTPUTS | PARITY_THREADS,
  PARITY_STRIDED_INPUTS | PARITY_STRIDED_OUTPUTS | PARITY_UNALIGNED | PARITY_THREADS,
};
static const gchar *const variant_names[] = { "dense", "strided-in", "strided-out", "strided" };

typedef struct {
  const UpiBackend *backend;
  const ParityFamily *family;
  guint index;
  ParityVariant variant;
} Test;

static void
run_test (gconstpointer data)
{
  const Test *test = data;

  parity_check (test->backend, test->family, test->index, test->variant);
}

/* The numbers that the named backend computes with. */
static ParityVariant
numbers_of (const gchar *name)
{
  if (name != NULL && g_str_has_suffix (name, ":f16"))
    return PARITY_F16;
  if (name != NULL && g_str_has_suffix (name, ":bf16"))
    return PARITY_BF16;
  return name != NULL && g_str_has_suffix (name, ":tf32") ? PARITY_TF32 : PARITY_DENSE;
}

static void
add_tests (const UpiBackend *backend, const ParityFamily *family, guint index, const gchar *name)
{
  gboolean big = parity_case_is_big (family, index);

  for (guint v = 0; v < (big ? 1 : G_N_ELEMENTS (variants)); v++) {
    g_autofree gchar *path = g_strdup_printf (
        "/parity/%s/%s %s", backend_name != NULL ? backend_name : backend->name, name, variant_names[v]);
    Test *test = g_new (Test, 1);

    *test = (Test){ backend, family, index, variants[v] | numbers_of (backend_name) };
    g_test_add_data_func_full (path, test, run_test, g_free);
  }
}

static void
each_case (const UpiBackend *backend, const ParityFamily *families, guint n_families)
{
  for (guint f = 0; f < n_families; f++) {
    for (guint i = 0; i < families[f].n_cases; i++) {
      g_autofree gchar *name = parity_case_name (&families[f], i);

      if ((filter != NULL && strstr (name, filter) == NULL) || (small && parity_case_is_big (&families[f], i)))
        continue;
      if (!bench)
        add_tests (backend, &families[f], i, name);
      else if (filter != NULL || parity_case_is_big (&families[f], i))
        parity_bench (backend, &families[f], i, name, (guint) threads);
    }
  }
}

/* "cpu:avx2": the cpu backend's own kernels of one instruction set, without oneDNN; anything else is a backend's
 * name. */
static const UpiBackend *
find_backend (const gchar *name, GError **error)
{
  for (gint isa = 0; g_str_has_prefix (name, "cpu:") && isa < UPI_N_ISAS; isa++) {
    if (strcmp (name + 4, upi_isa_name ((UpiIsa) isa)) == 0) {
      const UpiBackend *backend = upi_backend_cpu_with_isa ((UpiIsa) isa, FALSE);

      if (backend == NULL)
        g_set_error (error, UPI_ERROR, UPI_ERROR_DEVICE, "this machine has no %s", name + 4);
      return backend;
    }
  }
  return upi_backend_find (name, error);
}

int
main (int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  const UpiBackend *backend;
  GError *error = NULL;

  setlocale (LC_ALL, "");
  g_option_context_add_main_entries (context, options, NULL);
  g_option_context_set_ignore_unknown_options (context, TRUE);
  if (!g_option_context_parse (context, &argc, &argv, &error)) {
    g_printerr ("%s\n", error->message);
    return 2;
  }
  backend = find_backend (backend_name != NULL ? backend_name : "cpu", &error);
  if (backend == NULL) {
    g_print ("1..0 # SKIP %s\n", error->message);
    return 0;
  }
  if (!bench)
    g_test_init (&argc, &argv, NULL);
  each_case (backend, parity_matrix_families, parity_n_matrix_families);
  each_case (backend, parity_row_families, parity_n_row_families);
  each_case (backend, parity_score_families, parity_n_score_families);
  if (!bench)
    frames_add_tests (backend, backend_name != NULL ? backend_name : backend->name, numbers_of (backend_name), filter);
  return bench ? 0 : g_test_run ();
}
