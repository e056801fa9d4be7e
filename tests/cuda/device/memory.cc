/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The test device's memory: two views of one file (device.h), red zones behind every allocation, poison in fresh
 * memory. */
#include "tests/cuda/device/device.h"

#include <cstring>
#include <fcntl.h>
#include <map>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

namespace upi_device {

/* All bits set: NaN in every floating type, -1 as an index. */
static constexpr int poison = 0xff;
static constexpr size_t page = 4096, view_bytes = (size_t) 16 << 30;
static constexpr size_t alignment = 256; /* what cudaMalloc promises */

struct Block {
  size_t bytes, offset, pages; /* of the file */
  size_t shift; /* of the first byte in its pages: the last byte lies as near to the end as the alignment lets it */
  const CUctx_st *context;
};

struct Pinned {
  size_t bytes;
  const CUctx_st *context;
};

struct Memory {
  char *view; /* what the host sees; executor_view is view_bytes above */
  int file;
  size_t next; /* addresses are not used twice, so that what was freed is never valid again */
  std::map<const char *, Block> blocks;
  std::map<const char *, Pinned> pinned;
  std::vector<std::pair<const char *, size_t> > sources; /* pinned memory that copies to the device have yet to read */
};
static Memory &memory = *new Memory (); /* never destroyed, as streams are not */

static void
forget_source (const char *from)
{
  for (auto source = memory.sources.begin (); source != memory.sources.end (); ++source)
    if (source->first == from) {
      memory.sources.erase (source);
      return;
    }
}

static bool
is_source (const char *pointer, size_t bytes)
{
  for (auto &source : memory.sources)
    if (pointer < source.first + source.second && source.first < pointer + bytes)
      return true;
  return false;
}

/* Says what happened, then lets the signal kill the process. */
static void
on_fault (int number, siginfo_t *info, void *)
{
  const char *at = (const char *) info->si_addr, *text = nullptr;

  if (memory.view && at >= memory.view && at < memory.view + view_bytes)
    text = "test device: host code touched device memory\n";
  else if (memory.view && at >= memory.view + view_bytes && at < memory.view + 2 * view_bytes)
    text = "test device: a kernel touched what is no live device memory: ";
  if (text && write (2, text, std::strlen (text)) > 0 && running && write (2, running, std::strlen (running)) > 0)
    (void) !write (2, "\n", 1);
  signal (number, SIG_DFL);
}

static void
open_memory ()
{
  struct sigaction action = {};

  if (memory.view)
    return;
  memory.file = memfd_create ("upi-test-device", MFD_CLOEXEC);
  if (memory.file < 0 || ftruncate (memory.file, view_bytes) != 0)
    die ("no memory file");
  memory.view = (char *) mmap (nullptr, 2 * view_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory.view == MAP_FAILED)
    die ("no address space");
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction (SIGSEGV, &action, nullptr);
  sigaction (SIGBUS, &action, nullptr);
}

std::ptrdiff_t
executor_shift ()
{
  return view_bytes;
}

/* The live block that pointer lies in, or at whose end. */
static std::map<const char *, Block>::iterator
find (const void *pointer)
{
  auto block = memory.blocks.upper_bound ((const char *) pointer);

  if (block == memory.blocks.begin ())
    return memory.blocks.end ();
  --block;
  return (const char *) pointer <= block->first + block->second.bytes ? block : memory.blocks.end ();
}

bool
is_live_device_pointer (const void *pointer)
{
  auto block = find (pointer);

  return block != memory.blocks.end () && block->second.context == current_context ();
}

void *
executor (const void *pointer, size_t bytes, const char *what)
{
  auto block = find (pointer);

  if (!pointer)
    return nullptr;
  if (block == memory.blocks.end ())
    die ("%s: %p is no live device memory", what, pointer);
  check_context (block->second.context, what);
  if ((const char *) pointer + bytes > block->first + block->second.bytes)
    die ("%s: %zu bytes at %p reach beyond their allocation of %zu", what, bytes, pointer, block->second.bytes);
  return (char *) pointer + view_bytes;
}

/* The bytes between an allocation's end and its page's. */
static void
check_red_zone (const char *pointer, const Block &block)
{
  const char *end = pointer + view_bytes + block.bytes,
             *last = memory.view + view_bytes + block.offset + block.pages * page;

  for (; end < last; end++)
    if (*end != 0x5a)
      die ("bytes behind an allocation of %zu were written", block.bytes);
}

void
check_red_zones ()
{
  for (auto &entry : memory.blocks)
    check_red_zone (entry.first, entry.second);
}

bool
is_pinned (const void *pointer, size_t bytes)
{
  auto found = memory.pinned.upper_bound ((const char *) pointer);

  if (found == memory.pinned.begin ())
    return false;
  --found;
  return (const char *) pointer + bytes <= found->first + found->second.bytes;
}

size_t
live_bytes ()
{
  size_t bytes = 0;

  for (auto &entry : memory.blocks)
    bytes += entry.second.bytes;
  for (auto &entry : memory.pinned)
    bytes += entry.second.bytes;
  return bytes;
}

}

using namespace upi_device;

cudaError_t
cudaMemGetInfo (size_t *free_bytes, size_t *total)
{
  cudaError_t error = call ("cudaMemGetInfo");

  *total = view_bytes;
  *free_bytes = view_bytes - memory.next;
  return error;
}

cudaError_t
cudaMalloc (void **pointer, size_t bytes)
{
  Guard guard (lock);
  cudaError_t error = call ("cudaMalloc (Alloc)");
  Block block;
  char *executor_view, *first;

  *pointer = nullptr;
  if (error != cudaSuccess)
    return error;
  if (bytes == 0) /* the real one gives NULL: nobody here should ask */
    die ("cudaMalloc of 0 bytes");
  open_memory ();
  block.bytes = bytes;
  block.context = current_context ();
  block.pages = (bytes + page - 1) / page;
  block.offset = memory.next;
  block.shift = (block.pages * page - bytes) / alignment * alignment;
  if (block.offset + (block.pages + 1) * page > view_bytes)
    return cudaErrorMemoryAllocation;
  memory.next += (block.pages + 1) * page; /* and a page that nobody may touch */
  executor_view = memory.view + view_bytes + block.offset;
  if (mmap (executor_view, block.pages * page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memory.file,
          (off_t) block.offset)
      == MAP_FAILED)
    return cudaErrorMemoryAllocation;
  first = memory.view + block.offset + block.shift;
  std::memset (executor_view, poison, block.pages * page);
  std::memset (first + view_bytes + bytes, 0x5a, block.pages * page - block.shift - bytes);
  memory.blocks[first] = block;
  count_made ();
  *pointer = first;
  return cudaSuccess;
}

cudaError_t
cudaFree (void *pointer)
{
  Guard guard (lock);
  cudaError_t error = call ("cudaFree");
  auto block = memory.blocks.find ((const char *) pointer);
  char *executor_view;

  if (!pointer)
    return error;
  if (block == memory.blocks.end ())
    die ("cudaFree of %p, which is not alive", pointer);
  check_context (block->second.context, "cudaFree");
  counts ().device_syncs++;
  drain ();
  check_red_zone (block->first, block->second);
  executor_view = memory.view + view_bytes + block->second.offset;
  mmap (executor_view, block->second.pages * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
      -1, 0);
  fallocate (memory.file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t) block->second.offset,
      (off_t) (block->second.pages * page));
  memory.blocks.erase (block);
  count_gone ();
  return error;
}

cudaError_t
cudaHostAlloc (void **pointer, size_t bytes, unsigned int flags)
{
  Guard guard (lock);
  cudaError_t error = call ("cudaHostAlloc");
  void *data;

  *pointer = nullptr;
  if (error != cudaSuccess)
    return error;
  if (bytes == 0 || flags != cudaHostAllocDefault)
    die ("cudaHostAlloc of %zu bytes, flags %u", bytes, flags);
  data = mmap (nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED)
    return cudaErrorMemoryAllocation;
  std::memset (data, poison, bytes);
  memory.pinned[(const char *) data] = { bytes, current_context () };
  count_made ();
  *pointer = data;
  return cudaSuccess;
}

cudaError_t
cudaFreeHost (void *pointer)
{
  Guard guard (lock);
  cudaError_t error = call ("cudaFreeHost");
  auto found = memory.pinned.find ((const char *) pointer);

  if (!pointer)
    return error;
  if (found == memory.pinned.end ())
    die ("cudaFreeHost of %p, which is not alive", pointer);
  check_context (found->second.context, "cudaFreeHost");
  counts ().device_syncs++;
  drain ();
  for (size_t i = memory.sources.size (); i-- > 0;) /* left by a device that was lost */
    if (memory.sources[i].first >= (const char *) pointer
        && memory.sources[i].first < (const char *) pointer + found->second.bytes)
      memory.sources.erase (memory.sources.begin () + (long) i);
  munmap (pointer, found->second.bytes);
  memory.pinned.erase (found);
  count_gone ();
  return error;
}

/* Asynchronous, hence stricter than the real one: host memory must be pinned, is read when the copy runs, and what a
 * copy will write is poisoned until it has run (but for memory that an earlier copy has yet to read). */
cudaError_t
cudaMemcpyAsync (void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind, cudaStream_t stream)
{
  Guard guard (lock);
  cudaError_t error = call ("cudaMemcpyAsync");
  const void *source = from;
  void *target = to;

  if (error != cudaSuccess)
    return error;
  if (kind != cudaMemcpyDeviceToHost)
    target = executor (to, bytes, "cudaMemcpyAsync, to");
  else if (!is_pinned (to, bytes))
    die ("cudaMemcpyAsync to host memory that is not pinned");
  if (kind != cudaMemcpyHostToDevice)
    source = executor (from, bytes, "cudaMemcpyAsync, from");
  else if (!is_pinned (from, bytes))
    die ("cudaMemcpyAsync from host memory that is not pinned");
  Operation copy = { "cudaMemcpyAsync", nullptr };
  if (kind == cudaMemcpyHostToDevice) {
    copy.queued = [=] { memory.sources.push_back ({ (const char *) from, bytes }); };
    copy.run = [=] {
      std::memcpy (target, source, bytes);
      counts ().to_device += bytes;
      forget_source ((const char *) from);
    };
  } else {
    copy.run = [=] {
      std::memcpy (target, source, bytes);
      (kind == cudaMemcpyDeviceToHost ? counts ().to_host : counts ().on_device) += bytes;
    };
    if (kind == cudaMemcpyDeviceToHost)
      copy.queued = [=] {
        if (!is_source ((const char *) to, bytes))
          std::memset (to, poison, bytes);
      };
  }
  return enqueue (stream, copy);
}

cudaError_t
cudaMemsetAsync (void *to, int value, size_t bytes, cudaStream_t stream)
{
  Guard guard (lock);
  cudaError_t error = call ("cudaMemsetAsync");
  void *target;

  if (error != cudaSuccess)
    return error;
  target = executor (to, bytes, "cudaMemsetAsync");
  return enqueue (stream, { "set", [=] { std::memset (target, value, bytes); } });
}
