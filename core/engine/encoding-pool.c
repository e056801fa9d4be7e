/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory of encodings: how the parts of one input size lie in a block, blocks that wait for the next frame, and
 * when they go back to the system. */
#include "core/engine/engine-private.h"
#include "core/memory.h"

#include <stdlib.h>

/* The pool holds what the last so many frames had at a time; what is above that goes back to the system. */
#define PEAK_OF 64
/* Nor does it hold more than this while no encoding is alive. */
#define IDLE_SPARE 8

static void
block_free (UpiEncodingPool *pool, UpiBlock *block)
{
  free (block->host);
  free (block->fetched);
  if (block->device != NULL)
    pool->backend->memory->memory_free (pool->backend, block->device);
  g_free (block);
}

static void
owner_clear (gpointer data)
{
  UpiContextOwner *owner = data;

  owner->free (owner->data);
}

void
upi_context_owner_release (UpiContextOwner *owner)
{
  g_atomic_rc_box_release_full (owner, owner_clear);
}

UpiEncodingPool *
upi_pool_new (const UpiBackend *backend, UpiContextOwner *owner)
{
  UpiEncodingPool *pool = g_new0 (UpiEncodingPool, 1);

  pool->ref_count = 1;
  pool->backend = backend;
  pool->owner = owner != NULL ? g_atomic_rc_box_acquire (owner) : NULL;
  g_mutex_init (&pool->lock);
  pool->layouts = g_ptr_array_new ();
  pool->spare = g_hash_table_new (NULL, NULL);
  return pool;
}

void
upi_pool_unref (UpiEncodingPool *pool)
{
  if (!g_atomic_int_dec_and_test (&pool->ref_count))
    return;
  for (guint i = 0; i < pool->layouts->len; i++) {
    UpiLayout *layout = pool->layouts->pdata[i];
    GPtrArray *spare = g_hash_table_lookup (pool->spare, layout);

    for (guint j = 0; spare != NULL && j < spare->len; j++)
      block_free (pool, spare->pdata[j]);
    if (spare != NULL)
      g_ptr_array_unref (spare);
    for (guint j = 0; j < layout->n_parts; j++)
      g_free (layout->names[j]);
    g_free (layout->names);
    g_free (layout->offsets);
    g_free (layout->bytes);
    g_free (layout->resident);
    g_free (layout);
  }
  g_clear_pointer (&pool->layouts, g_ptr_array_unref);
  g_clear_pointer (&pool->spare, g_hash_table_unref);
  g_mutex_clear (&pool->lock);
  g_clear_pointer (&pool->owner, upi_context_owner_release);
  g_free (pool);
}

static UpiLayout *
layout_new (UpiEngine *engine, UpiPlan *plan, guint width, guint height)
{
  static const gchar *const names[UPI_PART_KEYS] = { "boxes", "foreground", "regions", "spe", "mask_features",
    "mask_embed", "looks" };
  UpiLayout *layout = g_new0 (UpiLayout, 1);
  guint layers = engine->config->decoder.layers;
  UpiValue image = upi_plan_find (plan, "image");
  guint batch = upi_program_shape (plan->program, image).dim[0];

  layout->width = width;
  layout->height = height;
  layout->n_parts = UPI_PART_KEYS + 2 * layers + (engine->config->has_evidence ? 1 : 0);
  layout->names = g_new0 (gchar *, layout->n_parts);
  layout->offsets = g_new0 (gsize, layout->n_parts);
  layout->bytes = g_new0 (gsize, layout->n_parts);
  layout->resident = g_new0 (gboolean, layout->n_parts);
  for (guint i = 0; i < layout->n_parts; i++) {
    guint layer = i < UPI_PART_KEYS ? 0 : (i - UPI_PART_KEYS) / 2;
    gsize *end = &layout->block_bytes;
    UpiValue value;

    if (i < UPI_PART_KEYS)
      layout->names[i] = g_strdup (names[i]);
    else if (layer < layers)
      layout->names[i] = g_strdup_printf ((i - UPI_PART_KEYS) % 2 ? "values.%u" : "keys.%u", layer);
    else
      layout->names[layout->evidence = i] = g_strdup ("evidence");
    value = upi_plan_find (plan, layout->names[i]);
    g_assert (value != UPI_NO_VALUE);
    layout->resident[i] = engine->backend->has_device && upi_program_value (plan->program, value)->is_resident;
    if (layout->resident[i])
      end = &layout->resident_bytes;
    layout->offsets[i] = *end;
    layout->bytes[i] = upi_plan_bytes (plan, value) / batch;
    *end += (layout->bytes[i] + 63) & ~(gsize) 63;
  }
  layout->n_regions = layout->bytes[UPI_PART_BOXES] / (4 * sizeof (gfloat));
  layout->n_classes = layout->evidence ? g_strv_length (engine->config->labels) : 0;
  layout->d_mask = engine->config->mask.channels;
  layout->image_tokens = upi_model_image_tokens (engine->model, width, height);
  return layout;
}

const UpiLayout *
upi_pool_layout (UpiEncodingPool *pool, UpiEngine *engine, UpiPlan *plan, guint width, guint height)
{
  UpiLayout *layout = NULL;

  g_mutex_lock (&pool->lock);
  for (guint i = 0; i < pool->layouts->len && layout == NULL; i++) {
    UpiLayout *known = pool->layouts->pdata[i];

    if (known->width == width && known->height == height)
      layout = known;
  }
  if (layout == NULL) {
    layout = layout_new (engine, plan, width, height);
    g_ptr_array_add (pool->layouts, layout);
  }
  g_mutex_unlock (&pool->lock);
  return layout;
}

/* How many blocks, in use or spare, the pool may have: as many as were in use at a time lately. The lock is held, once
 * for each block that goes or comes. */
static guint
allowed (UpiEncodingPool *pool, guint alive)
{
  pool->peak = MAX (pool->peak, alive);
  if (++pool->moves == 2 * PEAK_OF) {
    pool->moves = 0;
    pool->last_peak = pool->peak;
    pool->peak = alive;
  }
  return alive > 0 ? MAX (pool->last_peak, pool->peak) : MIN (MAX (pool->last_peak, pool->peak), IDLE_SPARE);
}

static UpiBlock *
take_spare (UpiEncodingPool *pool, const UpiLayout *layout)
{
  UpiBlock *block = NULL;
  GPtrArray *spare;

  g_mutex_lock (&pool->lock);
  allowed (pool, (guint) g_atomic_int_get (&pool->alive) + 1);
  spare = g_hash_table_lookup (pool->spare, layout);
  if (spare != NULL && spare->len > 0)
    block = g_ptr_array_steal_index_fast (spare, spare->len - 1);
  g_mutex_unlock (&pool->lock);
  return block;
}

/* A spare block of any size. The lock is held. (transfer full) (nullable) */
static UpiBlock *
any_spare (UpiEncodingPool *pool)
{
  GHashTableIter iter;
  gpointer spare;

  g_hash_table_iter_init (&iter, pool->spare);
  while (g_hash_table_iter_next (&iter, NULL, &spare))
    if (((GPtrArray *) spare)->len > 0)
      return g_ptr_array_steal_index_fast (spare, ((GPtrArray *) spare)->len - 1);
  return NULL;
}

static guint
count_spare (UpiEncodingPool *pool)
{
  GHashTableIter iter;
  gpointer spare;
  guint n = 0;

  g_hash_table_iter_init (&iter, pool->spare);
  while (g_hash_table_iter_next (&iter, NULL, &spare))
    n += ((GPtrArray *) spare)->len;
  return n;
}

void
upi_pool_give_back (UpiEncodingPool *pool, const UpiLayout *layout, UpiBlock *block)
{
  g_autoptr (GPtrArray) surplus = g_ptr_array_new ();
  GPtrArray *spare;

  g_mutex_lock (&pool->lock);
  guint alive = (guint) g_atomic_int_add (&pool->alive, -1) - 1, limit = allowed (pool, alive);
  spare = g_hash_table_lookup (pool->spare, layout);
  if (spare == NULL) {
    spare = g_ptr_array_new ();
    g_hash_table_insert (pool->spare, (gpointer) layout, spare);
  }
  g_ptr_array_add (spare, block);
  for (guint n = count_spare (pool); n > 0 && alive + n > limit; n--)
    g_ptr_array_add (surplus, any_spare (pool));
  g_mutex_unlock (&pool->lock);
  for (guint i = 0; i < surplus->len; i++)
    block_free (pool, surplus->pdata[i]);
}

guint
upi_pool_spare (UpiEncodingPool *pool)
{
  g_mutex_lock (&pool->lock);
  guint n = count_spare (pool);
  g_mutex_unlock (&pool->lock);
  return n;
}

static UpiBlock *
block_new (UpiEncodingPool *pool, const UpiLayout *layout, GError **error)
{
  UpiBlock *block = g_new0 (UpiBlock, 1);

  block->host = upi_memory_new (1, layout->block_bytes, "a frame's encoding", error);
  if (block->host != NULL && layout->resident_bytes)
    block->device =
        pool->backend->memory->memory_new (pool->backend, layout->resident_bytes, "a frame's encoding", error);
  if (block->host == NULL || (layout->resident_bytes && block->device == NULL)) {
    block_free (pool, block);
    return NULL;
  }
  return block;
}

UpiBlock *
upi_pool_take (UpiEncodingPool *pool, const UpiLayout *layout, GError **error)
{
  UpiBlock *block = take_spare (pool, layout);

  return block != NULL ? block : block_new (pool, layout, error);
}
