/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices by name: which backend serves "auto", "cpu", "cuda:1", and what to call it. */
#include "core/engine/engine-private.h"
#include "core/processor.h"

#include <string.h>

/* "cuda", "cuda:" and a number of up to three digits, either with a kind of numbers behind it: the name with its
 * number, or NULL. (transfer full) */
static gchar *
cuda_name (const gchar *device)
{
  static const gchar *const kinds[] = { "", ":f32", ":tf32", ":f16", ":bf16" };
  const gchar *rest;
  gsize digits;

  if (strncmp (device, "cuda", strlen ("cuda")) != 0)
    return NULL;
  rest = device + strlen ("cuda");
  digits = rest[0] == ':' ? strspn (rest + 1, "0123456789") : 0;
  if (digits > 3)
    return NULL;
  if (digits > 0)
    rest += 1 + digits;
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (strcmp (rest, kinds[i]) == 0)
      return digits > 0 ? g_strdup (device) : g_strdup_printf ("cuda:0%s", rest);
  return NULL;
}

const UpiBackend *
upi_device_open (const gchar *device, gpointer cuda_context, gchar **resolved, GError **error)
{
  const UpiBackend *backend;
  g_autofree gchar *cuda = NULL;

  if (strcmp (device, "auto") == 0) {
    g_autoptr (GError) unusable = NULL;

    backend = upi_backend_find_in ("cuda", cuda_context, &unusable);
    if (backend != NULL) {
      *resolved = g_strdup ("cuda:0");
      return backend;
    }
    g_debug ("device auto: not cuda (%s)", unusable->message);
    device = "cpu";
  }
  cuda = cuda_name (device);
  if (cuda != NULL) {
    *resolved = g_strdup (cuda);
    backend = upi_backend_find_in (cuda, cuda_context, error);
    if (backend == NULL)
      g_prefix_error (error, "device \"%s\": ", cuda);
  } else if (strcmp (device, "cpu") == 0 || strcmp (device, "ref") == 0) { /* ref: the definition, for tests */
    *resolved = g_strdup (device);
    backend = upi_backend_find (device, error);
  } else {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
        "device \"%s\" is not known, expected auto, cpu, cuda, cuda:N or cuda:N:f16", device);
    return NULL;
  }
  if (backend == NULL)
    g_clear_pointer (resolved, g_free);
  return backend;
}

/* The processor's name as Linux tells it. */
static gchar *
processor_name (void)
{
  g_autofree gchar *info = NULL;
  g_auto (GStrv) lines = NULL;

  if (!g_file_get_contents ("/proc/cpuinfo", &info, NULL, NULL))
    return g_strdup ("processor");
  lines = g_strsplit (info, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++) {
    const gchar *colon = strchr (lines[i], ':');

    if (colon != NULL && g_str_has_prefix (lines[i], "model name"))
      return g_strstrip (g_strdup (colon + 1));
  }
  return g_strdup ("processor");
}

gchar *
upi_device_describe (const UpiBackend *backend, const gchar *resolved)
{
  g_autofree gchar *name = NULL;

  if (backend->has_device)
    return g_strdup (backend->description);
  name = processor_name ();
  return g_strdup_printf ("%s, %s", name, backend->description);
}

guint
upi_device_workers (const UpiBackend *backend)
{
  guint processors = g_get_num_processors ();

  /* A GPU is full with two frames, the copies of one beside the work of the other; a third is converted meanwhile. */
  return backend->has_device ? MIN (processors, 3) : processors;
}
