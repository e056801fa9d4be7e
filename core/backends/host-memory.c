/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a device has of its own, for backends that compute in the host's memory: memory of device-resident values,
 * values that are bound item by item, and the input that frames come to. Items that follow one another in memory are
 * read and written where they are; others by way of memory of the context's. */
#include "core/backends/steps.h"

#include "core/memory.h"
#include "core/program/passes.h"

#include <stdlib.h>
#include <string.h>

static void *
memory_new (const UpiBackend *backend, gsize bytes, const gchar *purpose, GError **error)
{
  return upi_memory_new (1, bytes, purpose, error);
}

static void
memory_free (const UpiBackend *backend, void *memory)
{
  free (memory);
}

static gboolean
memory_read (const UpiBackend *backend, const void *memory, void *to, gsize bytes, GError **error)
{
  memcpy (to, memory, bytes);
  return TRUE;
}

static gboolean
memory_copy (UpiContext *context, void *to, const void *from, gsize bytes, GError **error)
{
  memcpy (to, from, bytes);
  return TRUE;
}

const UpiBackendMemory upi_steps_memory = { memory_new, memory_free, memory_read, memory_copy };

gboolean
upi_steps_items_init (UpiStepsContext *context, GError **error)
{
  const UpiProgram *p = context->base.plan->program;

  context->items = UPI_MEMORY_NEW0 (UpiStepsItems, p->values->len, "a plan's inputs and outputs", error);
  if (context->items == NULL)
    return FALSE;
  for (guint v = 0; v < p->values->len; v++) {
    const UpiValueInfo *info = upi_program_value (p, v);
    UpiStepsItems *items = &context->items[v];

    if (!info->is_output && (info->kind != UPI_VALUE_INPUT || !info->is_resident))
      continue;
    items->n = (guint) info->shape.dim[0];
    items->item_bytes = upi_shape_count (&info->shape) / MAX (items->n, 1) * UPI_ELEMENT_BYTES;
    items->written = info->is_output || upi_program_is_written (p, v, info->first_op, info->last_op);
    items->memory = UPI_MEMORY_NEW0 (void *, items->n, "a plan's inputs and outputs", error);
    if (items->memory == NULL)
      return FALSE;
  }
  return TRUE;
}

void
upi_steps_items_clear (UpiStepsContext *context)
{
  for (guint v = 0; context->items != NULL && v < context->base.plan->program->values->len; v++) {
    free (context->items[v].memory);
    free (context->items[v].own);
  }
  g_clear_pointer (&context->items, free);
}

void
upi_steps_bind_item (UpiContext *base, UpiValue value, guint item, void *memory)
{
  UpiStepsItems *items = &((UpiStepsContext *) base)->items[value];

  g_assert (items->memory != NULL && item < items->n);
  if (!items->by_item)
    memset (items->memory, 0, items->n * sizeof *items->memory);
  items->memory[item] = memory;
  items->by_item = items->is_new = TRUE;
}

static guint8 *
own_memory (UpiStepsItems *items, GError **error)
{
  if (items->own == NULL)
    items->own = upi_memory_new0 (items->n, items->item_bytes, "a batch of a network's inputs and outputs", error);
  return items->own;
}

gfloat *
upi_steps_own_item (UpiContext *base, UpiValue value, guint item, GError **error)
{
  UpiStepsItems *items = &((UpiStepsContext *) base)->items[value];

  g_assert (items->memory != NULL && item < items->n);
  if (own_memory (items, error) == NULL)
    return NULL;
  upi_steps_bind (base, value, items->own);
  return (gfloat *) (gpointer) (items->own + item * items->item_bytes);
}

const gfloat *
upi_steps_get_frame (UpiContext *base, UpiValue value, guint item)
{
  const UpiStepsItems *items = &((UpiStepsContext *) base)->items[value];

  g_assert (items->own != NULL && item < items->n);
  return (const gfloat *) (gconstpointer) (items->own + item * items->item_bytes);
}

/* Each behind the one before. */
static gboolean
is_row (const UpiStepsItems *items)
{
  for (guint i = 0; i < items->n; i++)
    if (items->memory[i] == NULL || items->memory[i] != (guint8 *) items->memory[0] + i * items->item_bytes)
      return FALSE;
  return TRUE;
}

gboolean
upi_steps_items_receive (UpiStepsContext *context, GError **error)
{
  const UpiProgram *p = context->base.plan->program;

  for (guint v = 0; v < p->values->len; v++) {
    UpiStepsItems *items = &context->items[v];

    if (!items->by_item || !items->is_new)
      continue;
    items->apart = !is_row (items);
    if (items->apart && own_memory (items, error) == NULL)
      return FALSE;
    /* what no operation writes as a whole stays as it is elsewhere */
    for (guint i = 0; i < items->n && items->apart && upi_program_find_producer (p, v) < 0; i++)
      if (items->memory[i] != NULL)
        memcpy (items->own + i * items->item_bytes, items->memory[i], items->item_bytes);
    upi_steps_bind_whole (context, v, items->apart ? items->own : items->memory[0]);
    items->is_new = FALSE;
  }
  return TRUE;
}

void
upi_steps_items_send (UpiStepsContext *context)
{
  for (guint v = 0; v < context->base.plan->program->values->len; v++) {
    const UpiStepsItems *items = &context->items[v];

    for (guint i = 0; i < items->n && items->by_item && items->apart && items->written; i++)
      if (items->memory[i] != NULL)
        memcpy (items->memory[i], items->own + i * items->item_bytes, items->item_bytes);
  }
}
