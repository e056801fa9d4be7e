/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Encodings: what one frame became, in one block of memory that goes back to the engine's pool when nobody needs it.
 *
 * Users are counted apart from the memory: the users together hold the engine and one reference of the memory. A
 * ticket, and a caption that waits or runs, hold the memory alone: closing an engine never waits for captions, and
 * never happens by a worker's letting go of a ticket.
 */
#include "core/engine/engine-private.h"
#include "core/memory.h"

UpiEncoding *
upi_encoding_new (UpiEngine *engine, const UpiLayout *layout, GError **error)
{
  UpiBlock *block = upi_pool_take (engine->pool, layout, error);
  UpiEncoding *encoding;

  if (block == NULL)
    return NULL;
  encoding = g_new0 (UpiEncoding, 1);
  encoding->ref_count = 1;
  encoding->engine = engine;
  encoding->pool = engine->pool;
  encoding->layout = layout;
  encoding->block = block;
  g_mutex_init (&encoding->fetching);
  g_atomic_int_inc (&engine->pool->ref_count);
  g_atomic_int_inc (&engine->pool->alive);
  return encoding;
}

UpiEncoding *
upi_encoding_hold (UpiEncoding *encoding)
{
  g_atomic_int_inc (&encoding->ref_count);
  return encoding;
}

void
upi_encoding_drop (UpiEncoding *encoding)
{
  if (!g_atomic_int_dec_and_test (&encoding->ref_count))
    return;
  upi_pool_give_back (encoding->pool, encoding->layout, encoding->block);
  upi_pool_unref (encoding->pool);
  g_mutex_clear (&encoding->fetching);
  g_free (encoding);
}

UpiEncoding *
upi_encoding_publish (UpiEncoding *encoding)
{
  UpiEngine *engine = encoding->engine;

  upi_encoding_hold (encoding);
  if (g_atomic_int_add (&encoding->user_count, 1) > 0) { /* the users hold both already */
    upi_encoding_drop (encoding);
    upi_engine_unref (engine);
  }
  return encoding;
}

UpiEncoding *
upi_encoding_ref (UpiEncoding *encoding)
{
  g_atomic_int_inc (&encoding->user_count);
  return encoding;
}

void
upi_encoding_unref (UpiEncoding *encoding)
{
  UpiEngine *engine = encoding->engine;

  if (!g_atomic_int_dec_and_test (&encoding->user_count))
    return;
  upi_encoding_drop (encoding);
  upi_engine_unref (engine);
}

guint64
upi_encoding_pts (const UpiEncoding *encoding)
{
  return encoding->pts;
}

void
upi_encoding_source_size (const UpiEncoding *encoding, guint *width, guint *height)
{
  if (width != NULL)
    *width = encoding->source_width;
  if (height != NULL)
    *height = encoding->source_height;
}

UpiEngine *
upi_encoding_engine (const UpiEncoding *encoding)
{
  return encoding->engine;
}

gsize
upi_encoding_bytes (const UpiEncoding *encoding)
{
  return encoding->layout->block_bytes + encoding->layout->resident_bytes;
}

const gfloat *
upi_encoding_part (const UpiEncoding *encoding, guint part)
{
  g_assert (part < encoding->layout->n_parts && !encoding->layout->resident[part]);
  return (const gfloat *) (encoding->block->host + encoding->layout->offsets[part]);
}

void *
upi_encoding_memory (const UpiEncoding *encoding, guint part)
{
  const UpiLayout *layout = encoding->layout;

  g_assert (part < layout->n_parts);
  return (layout->resident[part] ? encoding->block->device : encoding->block->host) + layout->offsets[part];
}

/* Only who cuts masks needs them: frames whose masks nobody asks for leave them where they are. */
const gfloat *
upi_encoding_mask_features (UpiEncoding *encoding, GError **error)
{
  const UpiBackend *backend = encoding->pool->backend;
  UpiBlock *block = encoding->block;
  gsize bytes = encoding->layout->bytes[UPI_PART_MASK_FEATURES];

  if (!encoding->layout->resident[UPI_PART_MASK_FEATURES])
    return upi_encoding_part (encoding, UPI_PART_MASK_FEATURES);
  g_mutex_lock (&encoding->fetching);
  if (!encoding->is_fetched) {
    if (block->fetched == NULL)
      block->fetched = upi_memory_new (1, bytes, "a frame's mask features", error);
    encoding->is_fetched = block->fetched != NULL
        && backend->memory->read (
            backend, upi_encoding_memory (encoding, UPI_PART_MASK_FEATURES), block->fetched, bytes, error);
  }
  g_mutex_unlock (&encoding->fetching);
  return encoding->is_fetched ? (const gfloat *) (gconstpointer) block->fetched : NULL;
}
