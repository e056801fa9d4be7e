/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether an engine can run at all in the memory that is left once its model is open. What no input size could mend is
 * an error of opening; a size that is too large for the memory is one of its first frame (upi_plan_new()), as only that
 * says which sizes are wanted. */
#include "core/engine/engine-private.h"
#include "core/memory.h"

/* The smallest input that gives as many tokens as there are queries. */
static UpiProgram *
smallest_program (UpiEngine *engine, GError **error)
{
  for (guint side = 32; side <= UPI_MAX_SIDE; side += 32)
    if (upi_model_takes_size (engine->model, side, side))
      return upi_model_image_program_in_strips (engine->model, 1, side, side, engine->backend->strip_bytes, error);
  return upi_model_image_program_in_strips (engine->model, 1, UPI_MAX_SIDE, UPI_MAX_SIDE, 0, error);
}

gboolean
upi_engine_expect_memory (UpiEngine *engine, GError **error)
{
  UpiProgram *program;
  g_autofree gchar *purpose = NULL;
  gsize bytes;

  if (engine->backend->has_device)
    return TRUE;
  program = smallest_program (engine, error);
  if (program == NULL)
    return FALSE;
  bytes = upi_plan_least_bytes (engine->backend, program);
  upi_program_free (program);
  purpose = g_strdup_printf (
      "running %s, beside its weights (%" G_GSIZE_FORMAT " MB)", engine->path, upi_model_bytes (engine->model) >> 20);
  return upi_memory_expect (
      bytes, purpose, "close what else needs memory, raise that limit, or take a smaller model", error);
}
