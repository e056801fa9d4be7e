/* Devices of the cuda backend: opening one says what is missing; every status becomes an error that names call, place and device; a sticky error
 * marks the device as lost for the life of the process, as CUDA has it. */
#include "core/backends/cuda/cuda.h"

#include <dlfcn.h>
#include <string.h>

#define STAGING_BYTES (4 * 1024 * 1024)
#define MIN_CAPABILITY 75 /* Turing: the oldest that the kernels are built for */

/* The driver's: this module is not linked with it, because it must load where there is none. The test device has its own. */
#pragma weak cuCtxSetCurrent

typedef CUresult (*SetCurrentFunc) (CUcontext context);

/* The devices that were opened: the registry of this module. */
static struct {
  GMutex lock;
  GPtrArray *devices; /* UpiCudaDevice */
} registry;

/* Errors after which CUDA refuses all work of the process on the device. */
static gboolean
is_sticky (cudaError_t status)
{
  switch (status) {
  case cudaErrorECCUncorrectable:
  case cudaErrorIllegalAddress:
  case cudaErrorLaunchTimeout:
  case cudaErrorAssert:
  case cudaErrorHardwareStackError:
  case cudaErrorIllegalInstruction:
  case cudaErrorMisalignedAddress:
  case cudaErrorInvalidAddressSpace:
  case cudaErrorInvalidPc:
  case cudaErrorLaunchFailure:
    return TRUE;
  default:
    return FALSE;
  }
}

/* "cudaMalloc" of "cudaMalloc (&memory, bytes)". (transfer full) */
static gchar *
call_name (const gchar *call)
{
  return g_strndup (call, strcspn (call, " ("));
}

static gboolean
fail (UpiCudaDevice *device, UpiErrorCode code, const gchar *call, const gchar *place, const gchar *reason, GError **error)
{
  g_autofree gchar *name = call_name (call);
  const gchar *file = strrchr (place, '/');

  g_set_error (error, UPI_ERROR, code, "%s: %s failed: %s (%s)", device->name, name, reason, file != NULL ? file + 1 : place);
  return FALSE;
}

static void
lose (UpiCudaDevice *device, const gchar *call, const gchar *reason)
{
  static GMutex once;
  g_autofree gchar *name = call_name (call);

  g_mutex_lock (&once);
  if (device->lost_reason == NULL) {
    device->lost_reason = g_strdup_printf ("%s: %s", name, reason);
    g_atomic_int_set (&device->lost, TRUE);
  }
  g_mutex_unlock (&once);
}

gboolean
upi_cuda_check (UpiCudaDevice *device, cudaError_t status, const gchar *call, const gchar *place, GError **error)
{
  g_autofree gchar *reason = NULL;

  if (status == cudaSuccess)
    return TRUE;
  cudaGetLastError (); /* taken note of */
  reason = g_strdup_printf ("%s, %s", cudaGetErrorString (status), cudaGetErrorName (status));
  if (is_sticky (status)) {
    lose (device, call, reason);
    return fail (device, UPI_ERROR_DEVICE, call, place, reason, error);
  }
  if (status == cudaErrorMemoryAllocation) {
    gsize available = 0, total = 0;
    g_autofree gchar *memory = NULL;

    cudaMemGetInfo (&available, &total);
    memory = g_strdup_printf ("%s; %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT
                              " MiB are free: use a smaller batch-size or input-size, or device=cpu",
        reason, available >> 20, total >> 20);
    return fail (device, UPI_ERROR_MEMORY, call, place, memory, error);
  }
  return fail (device, UPI_ERROR_FAILED, call, place, reason, error);
}

/* A library's failure may be the device's. */
static gboolean
library_failed (UpiCudaDevice *device, const gchar *call, const gchar *place, const gchar *reason, gboolean memory, GError **error)
{
  cudaError_t status = cudaGetLastError ();

  if (is_sticky (status)) {
    lose (device, call, cudaGetErrorName (status));
    return fail (device, UPI_ERROR_DEVICE, call, place, cudaGetErrorName (status), error);
  }
  return fail (device, memory ? UPI_ERROR_MEMORY : UPI_ERROR_FAILED, call, place, reason, error);
}

gboolean
upi_cuda_check_blas (UpiCudaDevice *device, cublasStatus_t status, const gchar *call, const gchar *place, GError **error)
{
  if (status == CUBLAS_STATUS_SUCCESS)
    return TRUE;
  return library_failed (device, call, place, cublasLtGetStatusString (status), status == CUBLAS_STATUS_ALLOC_FAILED, error);
}

gboolean
upi_cuda_check_dnn (UpiCudaDevice *device, cudnnStatus_t status, const gchar *call, const gchar *place, GError **error)
{
  gchar message[256] = "";
  g_autofree gchar *reason = NULL;

  if (status == CUDNN_STATUS_SUCCESS)
    return TRUE;
  cudnnGetLastErrorString (message, sizeof message);
  reason = g_strdup_printf ("%s %s", cudnnGetErrorString (status), message);
  return library_failed (device, call, place, g_strchomp (reason), FALSE, error);
}

gboolean
upi_cuda_device_is_alive (UpiCudaDevice *device, GError **error)
{
  if (!g_atomic_int_get (&device->lost))
    return TRUE;
  g_set_error (error, UPI_ERROR, UPI_ERROR_DEVICE,
      "%s was lost (%s); nothing runs on it before this program is started anew, other devices and device=cpu do", device->name,
      device->lost_reason);
  return FALSE;
}

static SetCurrentFunc
set_current_func (void)
{
  void *driver = cuCtxSetCurrent != NULL ? NULL : dlopen ("libcuda.so.1", RTLD_NOW); /* whoever made the context has loaded it */

  if (cuCtxSetCurrent != NULL)
    return cuCtxSetCurrent;
  return driver != NULL ? (SetCurrentFunc) dlsym (driver, "cuCtxSetCurrent") : NULL; /* uncovered: the driver of a GPU */
}

gboolean
upi_cuda_device_set (UpiCudaDevice *device, GError **error)
{
  static gsize once;
  static SetCurrentFunc set_current;
  g_autofree gchar *reason = NULL;
  CUresult status;

  if (device->context == NULL)
    return UPI_CUDA (device, cudaSetDevice (device->index), error);
  if (g_once_init_enter (&once)) {
    set_current = set_current_func ();
    g_once_init_leave (&once, 1);
  }
  if (set_current == NULL) /* uncovered: no driver */
    return fail (device, UPI_ERROR_DEVICE, "cuCtxSetCurrent", G_STRLOC, "no NVIDIA driver is loaded (libcuda.so.1)", error);
  status = set_current (device->context);
  if (status == CUDA_SUCCESS)
    return TRUE;
  reason = g_strdup_printf ("CUresult %d", status); /* uncovered: a context that was destroyed */
  if (is_sticky ((cudaError_t) status))             /* the runtime has the driver's numbers */
    lose (device, "cuCtxSetCurrent", reason);
  return fail (device, UPI_ERROR_DEVICE, "cuCtxSetCurrent", G_STRLOC, reason, error);
}

gboolean
upi_cuda_device_enter (UpiCudaDevice *device, GError **error)
{
  return upi_cuda_device_is_alive (device, error) && upi_cuda_device_set (device, error);
}

/* ---- opening --------------------------------------------------------------------------------------------------------------------- */

static gboolean
unusable (GError **error, const gchar *format, ...)
{
  g_autofree gchar *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, UPI_ERROR, UPI_ERROR_DEVICE, "%s; use device=cpu", text);
  return FALSE;
}

static gboolean
check_device (gint index, gchar **name, GError **error)
{
  struct cudaDeviceProp properties;
  gint driver = 0, runtime = 0, count = 0, major = 0, minor = 0;
  cudaError_t status;

  if (cudaDriverGetVersion (&driver) != cudaSuccess || driver == 0)
    return unusable (error, "no NVIDIA driver is loaded (libcuda.so.1)");
  status = cudaGetDeviceCount (&count);
  if (status == cudaErrorInsufficientDriver) {
    cudaRuntimeGetVersion (&runtime);
    return unusable (error, "the NVIDIA driver is for CUDA %d.%d, expected %d.%d or newer", driver / 1000, driver % 1000 / 10,
        runtime / 1000, runtime % 1000 / 10);
  }
  if (status == cudaErrorNoDevice || (status == cudaSuccess && count == 0))
    return unusable (error, "this machine has no NVIDIA GPU");
  if (status != cudaSuccess)
    return unusable (error, "NVIDIA GPUs cannot be counted: %s", cudaGetErrorString (status)); /* uncovered: a broken driver */
  if (index >= count)
    return unusable (error, "there is no cuda:%d: this machine has %d NVIDIA GPU%s, from cuda:0", index, count, count == 1 ? "" : "s");
  status = cudaGetDeviceProperties (&properties, index);
  if (status == cudaSuccess)
    status = cudaDeviceGetAttribute (&major, cudaDevAttrComputeCapabilityMajor, index);
  if (status == cudaSuccess)
    status = cudaDeviceGetAttribute (&minor, cudaDevAttrComputeCapabilityMinor, index);
  if (status != cudaSuccess)
    return unusable (error, "cuda:%d does not answer: %s", index, cudaGetErrorString (status)); /* uncovered: a broken GPU */
  if (10 * major + minor < MIN_CAPABILITY)                                                      /* uncovered: none so old */
    return unusable (error, "cuda:%d (%s) has compute capability %d.%d, expected %d.%d or newer", index, properties.name, major, minor,
        MIN_CAPABILITY / 10, MIN_CAPABILITY % 10);
  *name = g_strdup_printf ("cuda:%d (%s)", index, properties.name);
  return TRUE;
}

UpiCudaDevice *
upi_cuda_device_open (gint index, CUcontext context, GError **error)
{
  UpiCudaDevice *device = NULL;
  gchar *name;

  g_mutex_lock (&registry.lock);
  if (registry.devices == NULL)
    registry.devices = g_ptr_array_new ();
  for (guint i = 0; i < registry.devices->len && device == NULL; i++) {
    UpiCudaDevice *candidate = registry.devices->pdata[i];

    if (candidate->index == index && candidate->context == context)
      device = candidate;
  }
  if (device == NULL && check_device (index, &name, error)) {
    device = g_new0 (UpiCudaDevice, 1);
    device->index = index;
    device->context = context;
    device->name = name;
    g_mutex_init (&device->lock);
    g_ptr_array_add (registry.devices, device);
  }
  g_mutex_unlock (&registry.lock);
  return device;
}

/* The lock is held. */
static void
close_handles (UpiCudaDevice *device)
{
  if (device->dnn != NULL)
    cudnnDestroy (g_steal_pointer (&device->dnn));
  if (device->blas != NULL)
    cublasLtDestroy (g_steal_pointer (&device->blas));
  if (device->upload != NULL)
    cudaStreamDestroy (g_steal_pointer (&device->upload));
  if (device->staging != NULL)
    cudaFreeHost (g_steal_pointer (&device->staging));
}

gboolean
upi_cuda_device_acquire (UpiCudaDevice *device, GError **error)
{
  gboolean ok = TRUE;

  g_mutex_lock (&device->lock);
  if (device->n_plans == 0) {
    ok = UPI_BLAS (device, cublasLtCreate (&device->blas), error) && UPI_DNN (device, cudnnCreate (&device->dnn), error)
        && UPI_CUDA (device, cudaStreamCreateWithFlags (&device->upload, cudaStreamNonBlocking), error)
        && UPI_CUDA (device, cudaHostAlloc ((void **) &device->staging, STAGING_BYTES, cudaHostAllocDefault), error);
    if (!ok)
      close_handles (device);
  }
  if (ok)
    device->n_plans++;
  g_mutex_unlock (&device->lock);
  return ok;
}

void
upi_cuda_device_release (UpiCudaDevice *device)
{
  g_mutex_lock (&device->lock);
  if (--device->n_plans == 0)
    close_handles (device);
  g_mutex_unlock (&device->lock);
}
