/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The language of kernels for the test device: what nvcc builds in, as C++. Each thread of a block is a fiber
 * (device/fibers.cc). */
#pragma once

#include "cuda-api.h"

#include <cstdint>
#include <cstring>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __restrict__
#define __launch_bounds__(...)

namespace upi_device {

/* Where the running fiber is. */
struct Thread {
  dim3 thread, block, block_size, grid_size;
};
extern Thread *thread_now;
extern char *shared_now;

void barrier ();
/* Exchanges 8 bytes with the lanes of mask; returns those of lane `from`. */
uint64_t exchange (unsigned mask, uint64_t value, unsigned from);
unsigned lane ();

bool check_pointer (const void *pointer, const char *kernel);
std::ptrdiff_t executor_shift ();
cudaError_t
launch (const char *name, dim3 grid, dim3 block, size_t shared, cudaStream_t stream, std::function<void ()> thread);

/* Pointers become those of the view on which kernels run. What is no pointer must not hold one: it would point where
 * nobody may touch. */
template <typename T>
T
on_device (T value)
{
  if constexpr (std::is_pointer_v<T>)
    return value ? reinterpret_cast<T> (reinterpret_cast<std::uintptr_t> (value) + (std::uintptr_t) executor_shift ())
                 : value;
  else
    return value;
}

template <typename T>
bool
check_argument (const T &value, const char *kernel)
{
  if constexpr (std::is_pointer_v<T>)
    return check_pointer (value, kernel);
  else
    return true;
}

template <typename... Parameters, typename... Arguments>
cudaError_t
launch_kernel (void (*kernel) (Parameters...), const char *name, dim3 grid, dim3 block, size_t shared,
    cudaStream_t stream, Arguments... arguments)
{
  std::tuple<Parameters...> given (arguments...);

  if (!std::apply ([&] (auto &...a) { return (check_argument (a, name) && ...); }, given))
    return cudaErrorIllegalAddress;
  return launch (name, grid, block, shared, stream,
      [kernel, given] { std::apply ([&] (auto... a) { kernel (on_device (a)...); }, given); });
}

template <typename T>
T
exchange_value (unsigned mask, T value, unsigned from)
{
  uint64_t bits = 0;
  static_assert (sizeof (T) <= 8, "what is exchanged fits into 8 bytes");

  std::memcpy (&bits, &value, sizeof value);
  bits = exchange (mask, bits, from);
  std::memcpy (&value, &bits, sizeof value);
  return value;
}

}

#define threadIdx (upi_device::thread_now->thread)
#define blockIdx (upi_device::thread_now->block)
#define blockDim (upi_device::thread_now->block_size)
#define gridDim (upi_device::thread_now->grid_size)

static inline void
__syncthreads ()
{
  upi_device::barrier ();
}

static inline void
__syncwarp (unsigned mask = 0xffffffffu)
{
  upi_device::exchange (mask, 0, upi_device::lane ());
}

template <typename T>
static inline T
__shfl_xor_sync (unsigned mask, T value, int lanes)
{
  return upi_device::exchange_value (mask, value, upi_device::lane () ^ (unsigned) lanes);
}

template <typename T>
static inline T
__shfl_sync (unsigned mask, T value, int from)
{
  return upi_device::exchange_value (mask, value, (unsigned) from & 31);
}

template <typename T>
static inline T
__shfl_down_sync (unsigned mask, T value, unsigned lanes)
{
  unsigned from = upi_device::lane () + lanes;

  return upi_device::exchange_value (mask, value, from < 32 ? from : upi_device::lane ());
}

template <typename T>
static inline T
min (T a, T b)
{
  return b < a ? b : a;
}

template <typename T>
static inline T
max (T a, T b)
{
  return a < b ? b : a;
}
