/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Placement: every computed value gets an offset in one arena, such that values alive at the same time do not overlap.
 * Greedy by size, largest first, each into the smallest gap that holds it. Bound outputs have their own memory and no
 * place here. */

#include "core/program/passes.h"

#include <stdlib.h>

typedef struct {
  UpiValueInfo *info;
  gsize bytes;
} Block;

static gsize
value_bytes (const UpiValueInfo *info)
{
  gsize bytes = upi_shape_count (&info->shape) * UPI_ELEMENT_BYTES;

  return (bytes + UPI_ALIGNMENT - 1) / UPI_ALIGNMENT * UPI_ALIGNMENT;
}

static gint
larger_first (gconstpointer a, gconstpointer b)
{
  const Block *x = a, *y = b;

  if (x->bytes != y->bytes)
    return x->bytes < y->bytes ? 1 : -1;
  return x->info->first_op - y->info->first_op;
}

static gint
lower_first (gconstpointer a, gconstpointer b)
{
  const Block *const *x = a, *const *y = b;

  return ((*x)->info->arena_offset > (*y)->info->arena_offset) - ((*x)->info->arena_offset < (*y)->info->arena_offset);
}

static gboolean
alive_together (const UpiValueInfo *a, const UpiValueInfo *b)
{
  return a->first_op <= b->last_op && b->first_op <= a->last_op;
}

/* The smallest gap between the placed blocks that live at the same time as `block`, else the end of the last of
 * them. */
static gsize
find_offset (const Block *block, const Block *placed, guint n_placed, GPtrArray *neighbours)
{
  gsize end = 0, best = 0, best_gap = G_MAXSIZE;

  g_ptr_array_set_size (neighbours, 0);
  for (guint i = 0; i < n_placed; i++) {
    if (alive_together (placed[i].info, block->info))
      g_ptr_array_add (neighbours, (gpointer) &placed[i]);
  }
  g_ptr_array_sort (neighbours, lower_first);
  for (guint i = 0; i < neighbours->len; i++) {
    const Block *other = g_ptr_array_index (neighbours, i);

    if (other->info->arena_offset >= end) {
      gsize gap = other->info->arena_offset - end;

      if (gap >= block->bytes && gap < best_gap) {
        best_gap = gap;
        best = end;
      }
    }
    end = MAX (end, other->info->arena_offset + other->bytes);
  }
  return best_gap != G_MAXSIZE ? best : end;
}

void
upi_place (UpiProgram *p)
{
  g_autoptr (GArray) blocks = g_array_new (FALSE, FALSE, sizeof (Block));
  g_autoptr (GPtrArray) neighbours = g_ptr_array_new ();

  p->arena_bytes = p->sum_bytes = 0;
  for (guint i = 0; i < p->values->len; i++) {
    UpiValueInfo *info = upi_value_info (p, i);

    if (info->kind == UPI_VALUE_COMPUTED && !info->is_output && info->first_op >= 0) {
      Block block = { info, value_bytes (info) };

      g_array_append_val (blocks, block);
      p->sum_bytes += block.bytes;
    }
  }
  g_array_sort (blocks, larger_first);
  for (guint i = 0; i < blocks->len; i++) {
    const Block *block = &g_array_index (blocks, Block, i);

    block->info->arena_offset = find_offset (block, (const Block *) blocks->data, i, neighbours);
    p->arena_bytes = MAX (p->arena_bytes, block->info->arena_offset + block->bytes);
  }
}
