/* Plans and contexts of any backend, and finding a backend by name. */

#define _GNU_SOURCE /* dladdr */
#include "core/program/passes.h"

#include <dlfcn.h>
#include <gmodule.h>

/**
 * upi_plan_new:
 * @program: (transfer full): finished here if it is not; freed with the plan, or at once on error
 * @threads: threads of one run, at least 1
 *
 * Returns: (transfer full) (nullable): the program prepared for the backend; immutable, for any number of contexts
 */
UpiPlan *
upi_plan_new (const UpiBackend *backend, UpiProgram *program, guint threads, GError **error)
{
  if (!upi_program_finish (program, error)) {
    upi_program_free (program);
    return NULL;
  }
  return backend->prepare (backend, program, MAX (threads, 1), error);
}

void
upi_plan_free (UpiPlan *plan)
{
  if (plan != NULL)
    plan->backend->plan_free (plan);
}

/**
 * upi_context_new:
 *
 * Returns: (transfer full) (nullable): what one run at a time needs; the plan must outlive it
 */
UpiContext *
upi_context_new (UpiPlan *plan, GError **error)
{
  return plan->backend->context_new (plan, error);
}

void
upi_context_free (UpiContext *context)
{
  if (context != NULL)
    context->plan->backend->context_free (context);
}

UpiValue
upi_plan_find (const UpiPlan *plan, const gchar *name)
{
  const UpiProgram *p = plan->program;

  for (guint i = 0; i < p->values->len; i++) {
    const UpiValueInfo *info = upi_value_info (p, i);

    if ((info->kind == UPI_VALUE_INPUT || info->is_output) && g_strcmp0 (info->name, name) == 0)
      return i;
  }
  return UPI_NO_VALUE;
}

gsize
upi_plan_bytes (const UpiPlan *plan, UpiValue value)
{
  return upi_shape_count (&upi_value_info (plan->program, value)->shape) * UPI_ELEMENT_BYTES;
}

void
upi_context_bind (UpiContext *context, UpiValue value, void *data)
{
  context->plan->backend->bind (context, value, data);
}

gboolean
upi_context_run (UpiContext *context, GError **error)
{
  return context->plan->backend->run (context, error);
}

/* The directory of the library that this code is in; NULL if the loader does not tell. */
static gchar *
library_directory (void)
{
  Dl_info info;

  if (dladdr ((const void *) upi_backend_find, &info) == 0 || info.dli_fname == NULL)
    return NULL;
  return g_path_get_dirname (info.dli_fname);
}

typedef const UpiBackend *(*UpiCudaFunc) (const gchar *name, gpointer context, GError **error);

/* The module's function; loaded once, and then for good. */
static UpiCudaFunc
load_cuda (GError **error)
{
  g_autofree gchar *beside = library_directory ();
  const gchar *named = g_getenv ("UPI_BACKEND_PATH");
  const gchar *const directories[] = { named != NULL ? named : UPI_BACKEND_DIR, beside != NULL ? beside : UPI_BACKEND_DIR,
    UPI_BACKEND_DIR };
  UpiCudaFunc get = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (directories); i++) {
    g_autofree gchar *path = g_build_filename (directories[i], "libupi-cuda.so", NULL);
    GModule *module;

    if (!g_file_test (path, G_FILE_TEST_EXISTS))
      continue;
    module = g_module_open (path, G_MODULE_BIND_LOCAL);
    if (module == NULL) {
      g_set_error (error, UPI_ERROR, UPI_ERROR_DEVICE, "%s does not load: %s; use device=cpu", path, g_module_error ());
      return NULL;
    }
    if (!g_module_symbol (module, "upi_backend_cuda_in", (gpointer *) &get) || get == NULL) {
      g_set_error (error, UPI_ERROR, UPI_ERROR_DEVICE, "%s has no upi_backend_cuda_in(): it is of another version; use device=cpu", path);
      g_module_close (module);
      return NULL;
    }
    g_module_make_resident (module);
    return get;
  }
  g_set_error (error, UPI_ERROR, UPI_ERROR_DEVICE, "no CUDA backend: libupi-cuda.so was not found in %s or %s; use device=cpu",
      directories[1], directories[2]);
  return NULL;
}

static const UpiBackend *
find_cuda (const gchar *name, gpointer context, GError **error)
{
  static GMutex lock;
  static UpiCudaFunc get;
  UpiCudaFunc loaded;

  g_mutex_lock (&lock);
  if (get == NULL)
    get = load_cuda (error);
  loaded = get;
  g_mutex_unlock (&lock);
  return loaded != NULL ? loaded (name, context, error) : NULL;
}

/**
 * upi_backend_find:
 * @name: "ref", "cpu" or "cuda[:N][:KIND]" (GPU number N, kind of numbers f32, tf32, f16 or bf16: core/backends/cuda/README.md). Its module is
 *   looked for in $UPI_BACKEND_PATH, beside this library and where it is installed
 *
 * Returns: (nullable): the backend, for the life of the process; UPI_ERROR_DEVICE says what is missing
 */
const UpiBackend *
upi_backend_find (const gchar *name, GError **error)
{
  return upi_backend_find_in (name, NULL, error);
}

const UpiBackend *
upi_backend_find_in (const gchar *name, gpointer cuda_context, GError **error)
{
  if (g_strcmp0 (name, "ref") == 0)
    return upi_backend_ref ();
  if (g_strcmp0 (name, "cpu") == 0)
    return upi_backend_cpu ();
  if (name != NULL && g_str_has_prefix (name, "cuda"))
    return find_cuda (name, cuda_context, error);
  g_set_error (error, UPI_ERROR, UPI_ERROR_DEVICE, "no backend \"%s\": there are cpu, cuda and ref", name);
  return NULL;
}
