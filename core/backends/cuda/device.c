/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices of the cuda backend: opening one says what is missing; every status becomes an error that names call, place
 * and device; a sticky error marks the device as lost for the life of the process, as CUDA has it. */
#include "core/backends/cuda/cuda.h"

#include <dlfcn.h>
#include <string.h>

#define STAGING_BYTES (4 * 1024 * 1024)
#define MIN_CAPABILITY 75 /* Turing: the oldest that the kernels are built for */

/* The driver's calls: this module is not linked with it, because it must load where there is none. The test device has
 * its own. */
extern __typeof__ (cuDeviceGet) cuDeviceGet __attribute__ ((weak));
extern __typeof__ (cuDevicePrimaryCtxRetain) cuDevicePrimaryCtxRetain __attribute__ ((weak));
extern __typeof__ (cuCtxGetCurrent) cuCtxGetCurrent __attribute__ ((weak));
extern __typeof__ (cuCtxSetCurrent) cuCtxSetCurrent __attribute__ ((weak));

static struct {
  __typeof__ (&cuDeviceGet) device_get;
  __typeof__ (&cuDevicePrimaryCtxRetain) retain;
  __typeof__ (&cuCtxGetCurrent) get_current;
  __typeof__ (&cuCtxSetCurrent) set_current;
} driver_calls;

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
fail (UpiCudaDevice *device, UpiErrorCode code, const gchar *call, const gchar *place, const gchar *reason,
    GError **error)
{
  g_autofree gchar *name = call_name (call);
  const gchar *file = strrchr (place, '/');

  g_set_error (
      error, UPI_ERROR, code, "%s: %s failed: %s (%s)", device->name, name, reason, file != NULL ? file + 1 : place);
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
library_failed (
    UpiCudaDevice *device, const gchar *call, const gchar *place, const gchar *reason, gboolean memory, GError **error)
{
  cudaError_t status = cudaGetLastError ();

  if (is_sticky (status)) {
    lose (device, call, cudaGetErrorName (status));
    return fail (device, UPI_ERROR_DEVICE, call, place, cudaGetErrorName (status), error);
  }
  return fail (device, memory ? UPI_ERROR_MEMORY : UPI_ERROR_FAILED, call, place, reason, error);
}

gboolean
upi_cuda_check_blas (
    UpiCudaDevice *device, cublasStatus_t status, const gchar *call, const gchar *place, GError **error)
{
  if (status == CUBLAS_STATUS_SUCCESS)
    return TRUE;
  return library_failed (
      device, call, place, cublasLtGetStatusString (status), status == CUBLAS_STATUS_ALLOC_FAILED, error);
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
      "%s was lost (%s); nothing runs on it before this program is started anew, other devices and device=cpu do",
      device->name, device->lost_reason);
  return FALSE;
}

static gboolean
load_driver (void)
{
  static gsize once;

  if (g_once_init_enter (&once)) {
    void *library = cuCtxSetCurrent != NULL ? NULL : dlopen ("libcuda.so.1", RTLD_NOW);

    driver_calls.device_get = cuDeviceGet;
    driver_calls.retain = cuDevicePrimaryCtxRetain;
    driver_calls.get_current = cuCtxGetCurrent;
    driver_calls.set_current = cuCtxSetCurrent;
    if (library != NULL) {
      /* uncovered: the test device is linked with its own driver, this one is a GPU's */
      driver_calls.device_get = (__typeof__ (&cuDeviceGet)) dlsym (library, "cuDeviceGet");
      driver_calls.retain = (__typeof__ (&cuDevicePrimaryCtxRetain)) dlsym (library, "cuDevicePrimaryCtxRetain");
      driver_calls.get_current = (__typeof__ (&cuCtxGetCurrent)) dlsym (library, "cuCtxGetCurrent");
      driver_calls.set_current = (__typeof__ (&cuCtxSetCurrent)) dlsym (library, "cuCtxSetCurrent");
    }
    g_once_init_leave (&once, 1);
  }
  return driver_calls.device_get != NULL && driver_calls.retain != NULL && driver_calls.get_current != NULL
      && driver_calls.set_current != NULL;
}

/* The runtime has the driver's numbers. */
static gboolean
check_driver (UpiCudaDevice *device, CUresult status, const gchar *call, GError **error)
{
  return upi_cuda_check (device, (cudaError_t) status, call, G_STRLOC, error);
}

gboolean
upi_cuda_enter (UpiCudaScope *scope, UpiCudaDevice *device, GError **error)
{
  if (!upi_cuda_device_is_alive (device, error)
      || !check_driver (device, driver_calls.get_current (&scope->before), "cuCtxGetCurrent", error))
    return FALSE;
  scope->entered = TRUE;
  return check_driver (device, driver_calls.set_current (device->context), "cuCtxSetCurrent", error);
}

/* A call may fail in place of one before it that nobody waited for. */
static void
set_current (CUcontext context)
{
  if (driver_calls.set_current (context) != CUDA_SUCCESS)
    driver_calls.set_current (context);
}

void
upi_cuda_enter_to_free (UpiCudaScope *scope, UpiCudaDevice *device)
{
  if (driver_calls.get_current (&scope->before) != CUDA_SUCCESS)
    driver_calls.get_current (&scope->before);
  scope->entered = TRUE;
  set_current (device->context);
}

void
upi_cuda_leave (UpiCudaScope *scope)
{
  if (scope->entered)
    set_current (scope->before);
  scope->entered = FALSE;
}

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
    return unusable (error, "the NVIDIA driver is for CUDA %d.%d, expected %d.%d or newer", driver / 1000,
        driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
  }
  if (status == cudaErrorNoDevice || (status == cudaSuccess && count == 0))
    return unusable (error, "this machine has no NVIDIA GPU");
  if (status != cudaSuccess)
    return unusable (error, "NVIDIA GPUs cannot be counted: %s", cudaGetErrorString (status));
  if (!load_driver ())
    /* uncovered: the test device always has its driver's calls */
    return unusable (error, "no NVIDIA driver is loaded (libcuda.so.1)");
  if (index >= count)
    return unusable (error, "there is no cuda:%d: this machine has %d NVIDIA GPU%s, from cuda:0", index, count,
        count == 1 ? "" : "s");
  status = cudaGetDeviceProperties (&properties, index);
  if (status == cudaSuccess)
    status = cudaDeviceGetAttribute (&major, cudaDevAttrComputeCapabilityMajor, index);
  if (status == cudaSuccess)
    status = cudaDeviceGetAttribute (&minor, cudaDevAttrComputeCapabilityMinor, index);
  if (status != cudaSuccess)
    return unusable (error, "cuda:%d does not answer: %s", index, cudaGetErrorString (status));
  if (10 * major + minor < MIN_CAPABILITY)
    return unusable (error, "cuda:%d (%s) has compute capability %d.%d, expected %d.%d or newer", index,
        properties.name, major, minor, MIN_CAPABILITY / 10, MIN_CAPABILITY % 10);
  *name = g_strdup_printf ("cuda:%d (%s)", index, properties.name);
  return TRUE;
}

/* The device's own context, kept for good: the one that the runtime would use. */
static gboolean
retain_context (gint index, CUcontext *context, GError **error)
{
  CUdevice device = 0;
  CUresult status = driver_calls.device_get (&device, index);

  if (status == CUDA_SUCCESS)
    status = driver_calls.retain (context, device);
  if (status == CUDA_SUCCESS)
    return TRUE;
  return unusable (error, "cuda:%d gives no context: %s", index, cudaGetErrorString ((cudaError_t) status));
}

UpiCudaDevice *
upi_cuda_device_open (gint index, CUcontext context, GError **error)
{
  UpiCudaDevice *device = NULL;
  const gboolean own = context == NULL;
  g_autofree gchar *name = NULL;

  g_mutex_lock (&registry.lock);
  if (registry.devices == NULL)
    registry.devices = g_ptr_array_new ();
  for (guint i = 0; i < registry.devices->len && device == NULL; i++) {
    UpiCudaDevice *candidate = registry.devices->pdata[i];

    if (candidate->index == index && (own ? candidate->own : !candidate->own && candidate->context == context))
      device = candidate;
  }
  if (device == NULL && check_device (index, &name, error) && (!own || retain_context (index, &context, error))) {
    device = g_new0 (UpiCudaDevice, 1);
    device->index = index;
    device->own = own;
    device->context = context;
    device->name = g_steal_pointer (&name);
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
