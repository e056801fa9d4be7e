/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The test device: counts of calls, faults on demand, devices and their names. */
#include "tests/cuda/device/device.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace upi_device {

std::recursive_mutex lock;

static struct {
  int devices = 1, driver = 13000, capability = 75;
  cudaError_t lost[max_devices];
  uint64_t fail_at, fail_count;
  UpiDeviceFault fault;
  const char *failed;
  int no_engines;
  uint64_t random = 0x9e3779b97f4a7c15u;
  UpiDeviceCounts counts;
} state;

/* Stricter than the real one: where no context is current, nothing makes the first device's so. */
static thread_local CUctx_st *context_of_thread;
static CUctx_st own_contexts[max_devices], made_contexts[max_devices][4];
static thread_local cudaError_t last_error;

/* cudaSuccess unless the device of the current context, where one is, was lost. */
static cudaError_t
lost_error ()
{
  return context_of_thread ? state.lost[context_of_thread->device] : cudaSuccess;
}

int
current_device ()
{
  return current_context ()->device;
}

const CUctx_st *
current_context ()
{
  if (!context_of_thread)
    die ("no context is current on this thread");
  return context_of_thread;
}

void
check_context (const CUctx_st *context, const char *what)
{
  if (!context_of_thread)
    die ("%s while no context is current", what);
  if (context != context_of_thread)
    die ("%s of a context on device %d while another one, on device %d, is current", what, context->device,
        context_of_thread->device);
}

int
device_count ()
{
  return state.devices;
}

UpiDeviceCounts &
counts ()
{
  return state.counts;
}

void
count_made ()
{
  state.counts.allocations++;
  state.counts.live++;
}

void
count_gone ()
{
  state.counts.live--;
}

bool
lost (int device)
{
  return state.lost[device] != cudaSuccess;
}

void
set_lost (int device, cudaError_t error)
{
  state.lost[device] = error;
  drop_work (device);
}

/* 0: goes on; 1: fails; 2: the device is lost. */
static int
next_call (const char *name)
{
  Guard guard (lock);

  state.counts.calls++;
  if (state.fail_at != 0 && ++state.fail_count == state.fail_at) {
    state.fail_at = 0;
    state.failed = name;
    if (state.fault == UPI_FAULT_STICKY)
      set_lost (context_of_thread ? context_of_thread->device : 0, cudaErrorIllegalAddress);
    else
      return 1;
  }
  return lost_error () != cudaSuccess ? 2 : 0;
}

cudaError_t
call (const char *name)
{
  switch (next_call (name)) {
  case 1:
    return last_error = std::strstr (name, "Alloc") ? cudaErrorMemoryAllocation : cudaErrorInvalidValue;
  case 2:
    return last_error = lost_error ();
  default:
    return cudaSuccess;
  }
}

cublasStatus_t
call_cublas (const char *name)
{
  int result = next_call (name);

  return result == 0 ? CUBLAS_STATUS_SUCCESS
      : result == 1  ? CUBLAS_STATUS_INTERNAL_ERROR
                     : CUBLAS_STATUS_EXECUTION_FAILED;
}

cudnnStatus_t
call_cudnn (const char *name)
{
  int result = next_call (name);

  return result == 0 ? CUDNN_STATUS_SUCCESS : result == 1 ? CUDNN_STATUS_INTERNAL_ERROR : CUDNN_STATUS_EXECUTION_FAILED;
}

void
die (const char *format, ...)
{
  va_list args;

  va_start (args, format);
  std::fprintf (stderr, "test device: ");
  std::vfprintf (stderr, format, args);
  std::fprintf (stderr, "%s%s\n", running ? "; while running " : "", running ? running : "");
  va_end (args);
  std::abort ();
}

uint64_t
draw ()
{
  state.random ^= state.random << 13;
  state.random ^= state.random >> 7;
  state.random ^= state.random << 17;
  return state.random;
}

unsigned
draw_below (unsigned n)
{
  return n <= 1 ? 0 : (unsigned) ((draw () >> 32) * n >> 32);
}

bool
has_engines ()
{
  return !state.no_engines;
}

bool
has_algorithms ()
{
  return state.no_engines < 2;
}

int
driver_version ()
{
  return state.driver;
}

}

using namespace upi_device;

void
upi_test_device_reset (int devices)
{
  Guard guard (lock);

  if (state.counts.live != 0)
    die ("reset while %llu objects are alive", (unsigned long long) state.counts.live);
  state = {};
  state.devices = devices;
  last_error = cudaSuccess;
  context_of_thread = nullptr;
  reset_hold (0);
}

void
upi_test_device_seed (uint64_t seed)
{
  Guard guard (lock);

  state.random = seed * 0x9e3779b97f4a7c15u | 1;
}

void
upi_test_device_fail (uint64_t nth, UpiDeviceFault fault)
{
  Guard guard (lock);

  state.fail_at = nth;
  state.fail_count = 0;
  state.fault = fault;
  state.failed = nullptr;
}

const char *
upi_test_device_failed_call (void)
{
  Guard guard (lock);

  return state.failed;
}

void
upi_test_device_hold (unsigned n)
{
  reset_hold (n);
}

void
upi_test_device_without_engines (int without)
{
  Guard guard (lock);

  state.no_engines = without;
}

void
upi_test_device_driver (int version)
{
  Guard guard (lock);

  state.driver = version;
}

void
upi_test_device_capability (int capability)
{
  Guard guard (lock);

  state.capability = capability;
}

UpiDeviceCounts
upi_test_device_counts (void)
{
  Guard guard (lock);

  state.counts.live_bytes = live_bytes ();
  return state.counts;
}

void
upi_test_device_reset_counts (void)
{
  Guard guard (lock);
  uint64_t live = state.counts.live;

  state.counts = {};
  state.counts.live = live;
}

cudaError_t
cudaGetLastError (void)
{
  cudaError_t error = last_error;

  last_error = cudaSuccess;
  return lost_error () != cudaSuccess ? lost_error () : error;
}

cudaError_t
cudaDriverGetVersion (int *version)
{
  cudaError_t error = call ("cudaDriverGetVersion");

  *version = error == cudaSuccess ? driver_version () : 0;
  return error;
}

cudaError_t
cudaRuntimeGetVersion (int *version)
{
  cudaError_t error = call ("cudaRuntimeGetVersion");

  *version = 13000;
  return error;
}

cudaError_t
cudaGetDeviceCount (int *count)
{
  cudaError_t error = call ("cudaGetDeviceCount");

  if (error != cudaSuccess)
    return error;
  if (driver_version () < 13000)
    return cudaErrorInsufficientDriver;
  *count = state.devices;
  return state.devices == 0 ? cudaErrorNoDevice : cudaSuccess;
}

void *
upi_test_device_context (int device, unsigned n)
{
  CUctx_st *context = &made_contexts[device][n];

  context->device = device;
  return context;
}

void *
upi_test_device_get_current (void)
{
  return context_of_thread;
}

void
upi_test_device_set_current (void *context)
{
  context_of_thread = (CUctx_st *) context;
}

CUresult
cuDeviceGet (CUdevice *device, int ordinal)
{
  cudaError_t error = call ("cuDeviceGet");

  *device = ordinal;
  return (CUresult) error;
}

CUresult
cuDevicePrimaryCtxRetain (CUcontext *context, CUdevice device)
{
  cudaError_t error = call ("cuDevicePrimaryCtxRetain");

  own_contexts[device].device = device;
  *context = error == cudaSuccess ? &own_contexts[device] : nullptr;
  return (CUresult) error;
}

CUresult
cuCtxGetCurrent (CUcontext *context)
{
  int result = next_call ("cuCtxGetCurrent");

  if (result != 1)
    *context = context_of_thread;
  return (CUresult) (result == 1 ? cudaErrorInvalidValue : lost_error ());
}

CUresult
cuCtxSetCurrent (CUcontext context)
{
  int result = next_call ("cuCtxSetCurrent");

  if (result != 1)
    context_of_thread = context;
  return (CUresult) (result == 1 ? cudaErrorInvalidValue : lost_error ());
}

cudaError_t
cudaDeviceGetAttribute (int *value, enum cudaDeviceAttr attribute, int device)
{
  cudaError_t error = call ("cudaDeviceGetAttribute");

  if (error != cudaSuccess)
    return error;
  if (device < 0 || device >= state.devices)
    return cudaErrorInvalidDevice;
  switch (attribute) {
  case cudaDevAttrComputeCapabilityMajor:
    *value = state.capability / 10;
    break;
  case cudaDevAttrComputeCapabilityMinor:
    *value = state.capability % 10;
    break;
  case cudaDevAttrMultiProcessorCount:
    *value = 2;
    break;
  case cudaDevAttrClockRate: /* a card that nobody sells: its peak is printed as no card's */
    *value = 1000 * 1000;
    break;
  case cudaDevAttrMemoryClockRate:
    *value = 500 * 1000;
    break;
  case cudaDevAttrGlobalMemoryBusWidth:
    *value = 128;
    break;
  case cudaDevAttrMaxSharedMemoryPerBlockOptin:
    *value = 64 * 1024;
    break;
  }
  return cudaSuccess;
}

cudaError_t
cudaGetDeviceProperties (struct cudaDeviceProp *properties, int device)
{
  cudaError_t error = call ("cudaGetDeviceProperties");

  if (error != cudaSuccess)
    return error;
  std::memset (properties, 0xff, sizeof *properties);
  std::snprintf (properties->name, sizeof properties->name, "test device %d", device);
  return cudaSuccess;
}

const char *
cudaGetErrorName (cudaError_t error)
{
  switch (error) {
#define NAME(name, value)                                                                                              \
  case name:                                                                                                           \
    return #name;
    UPI_API_CUDA_ERRORS (NAME)
#undef NAME
  }
  return "unrecognized error code";
}

const char *
cudaGetErrorString (cudaError_t error)
{
  return cudaGetErrorName (error);
}
