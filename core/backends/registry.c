/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The backends there are, by name; the module of one with foreign libraries (cuda) is loaded when it is asked for. */

#define _GNU_SOURCE /* dladdr */
#include "core/backends/backend.h"

#include "core/upi.h"

#include <dlfcn.h>
#include <gmodule.h>

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
  const gchar *const directories[] = { named != NULL ? named : UPI_BACKEND_DIR,
    beside != NULL ? beside : UPI_BACKEND_DIR, UPI_BACKEND_DIR };
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
      g_set_error (error, UPI_ERROR, UPI_ERROR_DEVICE,
          "%s has no upi_backend_cuda_in(): it is of another version; use device=cpu", path);
      g_module_close (module);
      return NULL;
    }
    g_module_make_resident (module);
    return get;
  }
  g_set_error (error, UPI_ERROR, UPI_ERROR_DEVICE,
      "no CUDA backend: libupi-cuda.so was not found in %s or %s; use device=cpu", directories[1], directories[2]);
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
 * @name: "ref", "cpu" or "cuda[:N][:KIND]" (GPU number N, kind of numbers f32, tf32, f16 or bf16:
 * core/backends/cuda/README.md). Its module is
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
