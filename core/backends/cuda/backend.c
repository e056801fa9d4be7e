/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cuda backend as the plugin finds it: "cuda", "cuda:1", with the kind of numbers behind it ("cuda:1:f16"). */
#include "core/backends/cuda/cuda.h"

#include <string.h>

static const struct {
  const gchar *name;
  UpiCudaType type;
  gboolean tf32;
} kinds[] = {
  { "f32", UPI_CUDA_F32, FALSE },
  { "tf32", UPI_CUDA_F32, TRUE },
  { "f16", UPI_CUDA_F16, FALSE },
  { "bf16", UPI_CUDA_BF16, FALSE },
};

/* Backends live as long as the process, as their devices do. */
static struct {
  GMutex lock;
  GPtrArray *backends; /* UpiCudaBackend */
} made;

/* Device and kind of "cuda[:N][:KIND]". */
static gboolean
parse (const gchar *name, gint *device, guint *kind, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (name, ":", 4);
  guint next = 1;

  *device = 0;
  *kind = 0;
  if (parts[1] != NULL && g_ascii_isdigit (parts[1][0])) {
    *device = (gint) g_ascii_strtoull (parts[1], NULL, 10);
    next++;
  }
  if (parts[next] == NULL)
    return TRUE;
  for (guint i = 0; parts[next + 1] == NULL && i < G_N_ELEMENTS (kinds); i++) {
    if (strcmp (parts[next], kinds[i].name) == 0) {
      *kind = i;
      return TRUE;
    }
  }
  g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
      "device \"%s\" is not known, expected cuda[:N][:f32|tf32|f16|bf16], as in cuda:0:f16", name);
  return FALSE;
}

static gboolean
is_alive (const UpiBackend *backend, GError **error)
{
  return upi_cuda_device_is_alive (((const UpiCudaBackend *) backend)->device, error);
}

/**
 * upi_backend_cuda:
 * @name: "cuda[:N][:KIND]": number of the GPU, default 0; KIND f32 (default), tf32 (float32 whose products have 10
 * bits), f16, bf16
 *
 * Returns: (nullable): the backend for that device, for the life of the process; UPI_ERROR_DEVICE says what is missing
 */
__attribute__ ((visibility ("default"))) const UpiBackend *upi_backend_cuda (const gchar *name, GError **error);
/* The same in a CUcontext of somebody else's, which must stay while something of the backend is in it; NULL: the
 * device's own. */
__attribute__ ((visibility ("default"))) const UpiBackend *
upi_backend_cuda_in (const gchar *name, gpointer context, GError **error);

const UpiBackend *
upi_backend_cuda (const gchar *name, GError **error)
{
  return upi_backend_cuda_in (name, NULL, error);
}

const UpiBackend *
upi_backend_cuda_in (const gchar *name, gpointer context, GError **error)
{
  static const UpiBackend functions = {
    .name = "cuda",
    .prepare = upi_cuda_prepare,
    .plan_free = upi_cuda_plan_free,
    .context_new = upi_cuda_context_new,
    .context_free = upi_cuda_context_free,
    .bind = upi_cuda_bind,
    .bind_item = upi_cuda_bind_item,
    .put_frame = upi_cuda_put_frame,
    .run = upi_cuda_run,
    .run_timed = upi_cuda_run_timed,
    .memory = &upi_cuda_memory,
    .has_device = TRUE,
    .is_alive = is_alive,
    .get_peak = upi_cuda_get_peak,
  };
  g_auto (UpiCudaScope) scope = { NULL };
  UpiCudaBackend *backend = NULL;
  UpiCudaDevice *device;
  gint index;
  guint kind;

  if (!parse (name, &index, &kind, error))
    return NULL;
  device = upi_cuda_device_open (index, context, error);
  if (device == NULL
      || !upi_cuda_enter (&scope, device, error)) /* it may be lost: device=auto then takes the processor */
    return NULL;
  g_mutex_lock (&made.lock);
  if (made.backends == NULL)
    made.backends = g_ptr_array_new ();
  for (guint i = 0; i < made.backends->len && backend == NULL; i++) {
    UpiCudaBackend *candidate = made.backends->pdata[i];

    if (candidate->device == device && candidate->type == kinds[kind].type && candidate->tf32 == kinds[kind].tf32)
      backend = candidate;
  }
  if (backend == NULL) {
    backend = g_new (UpiCudaBackend, 1);
    *backend = (UpiCudaBackend){ functions, device, kinds[kind].type, kinds[kind].tf32 };
    backend->base.description = g_strdup_printf ("%s, %s", device->name, kinds[kind].name);
    g_ptr_array_add (made.backends, backend);
  }
  g_mutex_unlock (&made.lock);
  return &backend->base;
}
