/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Plans made on first use and shared by the workers: one for each (input size, batch), text length and caption
 * capacity. Built once even if several workers ask at the same moment; the least recently used ones beyond a small
 * number are let go. */
#include "core/engine/engine-private.h"

/* Kept at a time; captions have one for every number of candidates that go on, which share their weights; of image
 * plans, the costly ones, for three input sizes of all the batches that are run, and never fewer than this. */
static const guint max_plans[UPI_N_PLAN_KINDS] = {
  [UPI_PLAN_IMAGE] = 6, [UPI_PLAN_TEXT] = 16, [UPI_PLAN_CAPTION] = 32
};

void
upi_plans_init (UpiPlans *plans, guint batch_size)
{
  guint sizes = 1;

  for (guint n = 1; n < batch_size; n *= 2)
    sizes++;
  for (guint i = 0; i < UPI_N_PLAN_KINDS; i++)
    plans->max_plans[i] = max_plans[i];
  plans->max_plans[UPI_PLAN_IMAGE] = MAX (max_plans[UPI_PLAN_IMAGE], 3 * sizes);
  g_mutex_init (&plans->lock);
  g_cond_init (&plans->changed);
  plans->plans = g_ptr_array_new_with_free_func ((GDestroyNotify) upi_shared_plan_unref);
}

void
upi_plans_clear (UpiPlans *plans)
{
  g_clear_pointer (&plans->plans, g_ptr_array_unref);
  g_mutex_clear (&plans->lock);
  g_cond_clear (&plans->changed);
}

static UpiSharedPlan *
shared_plan_ref (UpiSharedPlan *plan)
{
  g_atomic_int_inc (&plan->ref_count);
  return plan;
}

void
upi_shared_plan_unref (UpiSharedPlan *plan)
{
  if (!g_atomic_int_dec_and_test (&plan->ref_count))
    return;
  g_clear_pointer (&plan->plan, upi_plan_free);
  g_clear_error (&plan->error);
  g_free (plan);
}

static gboolean
same_key (const UpiPlanKey *x, const UpiPlanKey *y)
{
  return x->kind == y->kind && x->a == y->a && x->b == y->b && x->c == y->c;
}

/* What only the network reads stays where it is computed: pixels once they are converted, keys and values of captions.
 * The mask features do until somebody wants masks. */
static void
keep (UpiProgram *program, guint layers)
{
  static const gchar *const of_layers[] = { "keys", "values", "text_keys", "text_values" };

  upi_program_make_resident (program, "image");
  upi_program_make_resident (program, "mask_features");
  for (guint i = 0; i < layers * G_N_ELEMENTS (of_layers); i++) {
    g_autofree gchar *name =
        g_strdup_printf ("%s.%u", of_layers[i % G_N_ELEMENTS (of_layers)], i / (guint) G_N_ELEMENTS (of_layers));

    upi_program_make_resident (program, name);
  }
}

static UpiPlan *
build (UpiEngine *engine, const UpiPlanKey *key, GError **error)
{
  UpiProgram *program = NULL;

  switch (key->kind) {
  case UPI_PLAN_IMAGE:
    program =
        upi_model_image_program_in_strips (engine->model, key->a, key->b, key->c, engine->backend->strip_bytes, error);
    break;
  case UPI_PLAN_TEXT:
    program = upi_model_texts_program (engine->model, key->a, key->b, error);
    break;
  case UPI_PLAN_CAPTION:
    program = upi_model_captions_program (engine->model, key->c, key->a, key->b, error);
    break;
  case UPI_N_PLAN_KINDS:
    g_assert_not_reached ();
  }
  if (program == NULL)
    return NULL;
  keep (program, engine->config->decoder.layers);
  return upi_plan_new (engine->backend, program, engine->info.threads_per_frame, error);
}

static UpiSharedPlan *
find (UpiPlans *plans, const UpiPlanKey *key)
{
  for (guint i = 0; i < plans->plans->len; i++) {
    UpiSharedPlan *plan = plans->plans->pdata[i];

    if (same_key (&plan->key, key))
      return plan;
  }
  return NULL;
}

/* Takes the least recently used plan of a kind that has too many out of the table. The lock is held. (transfer full)
 * (nullable) */
static UpiSharedPlan *
evict (UpiPlans *plans, UpiPlanKind kind)
{
  UpiSharedPlan *oldest = NULL;
  guint n = 0;

  for (guint i = 0; i < plans->plans->len; i++) {
    UpiSharedPlan *plan = plans->plans->pdata[i];

    if (plan->key.kind != kind)
      continue;
    n++;
    if (plan->ready && (oldest == NULL || plan->used < oldest->used))
      oldest = plan;
  }
  if (n <= plans->max_plans[kind] || oldest == NULL)
    return NULL;
  g_atomic_int_set (&oldest->evicted, TRUE);
  shared_plan_ref (oldest);
  g_ptr_array_remove_fast (plans->plans, oldest);
  return oldest;
}

UpiSharedPlan *
upi_plans_get (UpiPlans *plans, UpiEngine *engine, UpiPlanKey key, GError **error)
{
  UpiSharedPlan *plan, *evicted = NULL;

  g_mutex_lock (&plans->lock);
  plan = find (plans, &key);
  if (plan != NULL) {
    shared_plan_ref (plan);
    while (!plan->ready)
      g_cond_wait (&plans->changed, &plans->lock);
  } else {
    g_autoptr (GError) cause = NULL;
    UpiPlan *built;

    plan = g_new0 (UpiSharedPlan, 1);
    plan->ref_count = 2; /* the table's and the caller's */
    plan->key = key;
    g_ptr_array_add (plans->plans, plan);
    g_mutex_unlock (&plans->lock);
    built = build (engine, &key, &cause);
    g_mutex_lock (&plans->lock);
    plan->plan = built;
    plan->error = g_steal_pointer (&cause);
    plan->ready = TRUE;
    if (built == NULL) /* the next one to ask tries again */
      g_ptr_array_remove_fast (plans->plans, plan);
    g_cond_broadcast (&plans->changed);
  }
  plan->used = ++plans->clock;
  if (plan->plan != NULL)
    evicted = evict (plans, key.kind);
  g_mutex_unlock (&plans->lock);

  g_clear_pointer (&evicted, upi_shared_plan_unref);
  if (plan->plan == NULL) {
    g_propagate_error (error, g_error_copy (plan->error));
    upi_shared_plan_unref (plan);
    return NULL;
  }
  return plan;
}
