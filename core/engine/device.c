/* Devices by name: which backend serves "auto", "cpu", "cuda:1", and what to call it. */
#include "core/engine/engine-private.h"

#include <string.h>

/* "cuda" or "cuda:" and a number of up to three digits. */
static gboolean
is_cuda (const gchar *device)
{
  const gchar *colon = strchr (device, ':');
  gsize digits;

  if (!colon)
    return strcmp (device, "cuda") == 0;
  digits = strspn (colon + 1, "0123456789");
  return g_str_has_prefix (device, "cuda:") && digits >= 1 && digits <= 3 && colon[1 + digits] == '\0';
}

const UpiBackend *
upi_device_open (const gchar *device, gchar **resolved, GError **error)
{
  const UpiBackend *backend;

  if (strcmp (device, "auto") == 0) {
    g_autoptr (GError) unusable = NULL;

    backend = upi_backend_find ("cuda", &unusable);
    if (backend) {
      *resolved = g_strdup ("cuda:0");
      return backend;
    }
    g_debug ("device auto: not cuda (%s)", unusable->message);
    device = "cpu";
  }
  if (is_cuda (device)) {
    *resolved = g_strdup (strcmp (device, "cuda") == 0 ? "cuda:0" : device);
    backend = upi_backend_find (strcmp (*resolved, "cuda:0") == 0 ? "cuda" : device, error);
  } else if (strcmp (device, "cpu") == 0 || strcmp (device, "ref") == 0) { /* ref: the definition, for tests */
    *resolved = g_strdup (device);
    backend = upi_backend_find (device, error);
  } else {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT, "device \"%s\" is not known, expected auto, cpu, cuda or cuda:N", device);
    return NULL;
  }
  if (!backend)
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
  for (guint i = 0; lines[i]; i++) {
    const gchar *colon = strchr (lines[i], ':');

    if (colon && g_str_has_prefix (lines[i], "model name"))
      return g_strstrip (g_strdup (colon + 1));
  }
  return g_strdup ("processor");
}

static const gchar *
instruction_set (void)
{
#if defined(__x86_64__) || defined(__i386__)
  if (__builtin_cpu_supports ("avx512f") && __builtin_cpu_supports ("avx512bw"))
    return "AVX-512";
  if (__builtin_cpu_supports ("avx2") && __builtin_cpu_supports ("fma"))
    return "AVX2";
#endif
  return "baseline";
}

gchar *
upi_device_describe (const UpiBackend *backend, const gchar *resolved)
{
  g_autofree gchar *name = NULL;

  if (strcmp (backend->name, "cuda") == 0)
    return g_strdup (resolved);
  name = processor_name ();
  return g_strdup_printf ("%s, %s", name, strcmp (backend->name, "ref") == 0 ? "plain C" : instruction_set ());
}
