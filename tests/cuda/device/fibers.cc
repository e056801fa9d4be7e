/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The test device runs a grid: block after block in random order, each thread of a block a fiber with a stack of its
 * own.
 *
 * Fibers run in random order until they wait: at __syncthreads() for all of the block, in a shuffle for the lanes of
 * their mask. Stricter than a GPU: a thread that has returned while others wait for it is an error, as are lanes that
 * name different masks. */
#include "cuda_runtime.h"
#include "tests/cuda/device/device.h"

#include <cstring>
#include <sys/mman.h>
#if !defined(__x86_64__)
#include <ucontext.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#define UPI_FIBER_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UPI_FIBER_ASAN
#endif
#endif
#ifdef UPI_FIBER_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

namespace upi_device {

enum State { READY, AT_BARRIER, IN_SHUFFLE, DONE };

struct Fiber {
  Thread where;
  State state;
  unsigned index, mask, rounds; /* rounds: shuffles so far */
#if defined(__x86_64__)
  void *stack_pointer;
#else
  ucontext_t context;
#endif
#ifdef UPI_FIBER_ASAN
  void *fake_stack;
#endif
};

static constexpr unsigned max_threads = 1024;
static constexpr size_t stack_bytes = 128 * 1024, shared_limit = 48 * 1024;

Thread *thread_now;
char *shared_now;

static struct {
  Fiber *fibers;
  char *stacks, *shared;
  Fiber *current, scheduler;
  unsigned threads, at_barrier, done;
  uint64_t slots[max_threads / 32][2]
                [32]; /* what lanes give away; two rounds alternate, so that nobody overwrites what is not read */
  const std::function<void ()> *body;
} block_state;

#define B block_state

static void fiber_main ();

#ifdef UPI_FIBER_ASAN
static const void *scheduler_bottom; /* of the thread that runs the grid: told to the first fiber that leaves it */
static size_t scheduler_size;
#endif

#if defined(__x86_64__)
extern "C" void upi_fiber_switch (void **save, void *load);
__asm__(
    ".text\n.globl upi_fiber_switch\n.hidden upi_fiber_switch\n.type upi_fiber_switch,@function\nupi_fiber_switch:\n"
    "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
    "movq %rsp,(%rdi)\nmovq %rsi,%rsp\n"
    "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\nret\n"
    ".size upi_fiber_switch,.-upi_fiber_switch\n");
#endif

static void
switch_to (Fiber *from, Fiber *to)
{
#ifdef UPI_FIBER_ASAN
  char *bottom = to == &B.scheduler ? nullptr : B.stacks + to->index * stack_bytes;

  __sanitizer_start_switch_fiber (from->state == DONE && from != &B.scheduler ? nullptr : &from->fake_stack,
      bottom ? bottom : scheduler_bottom, bottom ? stack_bytes : scheduler_size);
#endif
#if defined(__x86_64__)
  upi_fiber_switch (&from->stack_pointer, to->stack_pointer);
#else
  swapcontext (&from->context, &to->context);
#endif
#ifdef UPI_FIBER_ASAN
  __sanitizer_finish_switch_fiber (from->fake_stack, nullptr, nullptr);
#endif
}

static void
prepare_fiber (Fiber *fiber)
{
  char *top = B.stacks + (fiber->index + 1) * stack_bytes;

#if defined(__x86_64__)
  void **stack = (void **) top - 2; /* aligned so that fiber_main sees the alignment of a call */
  *stack = (void *) fiber_main;
  std::memset (stack - 6, 0, 6 * sizeof (void *));
  fiber->stack_pointer = stack - 6;
#else
  getcontext (&fiber->context);
  fiber->context.uc_stack.ss_sp = top - stack_bytes;
  fiber->context.uc_stack.ss_size = stack_bytes;
  fiber->context.uc_link = nullptr;
  makecontext (&fiber->context, fiber_main, 0);
#endif
}

static void
fiber_main ()
{
#ifdef UPI_FIBER_ASAN
  __sanitizer_finish_switch_fiber (nullptr, &scheduler_bottom, &scheduler_size);
#endif
  (*B.body) ();
  B.current->state = DONE;
  B.done++;
  switch_to (B.current, &B.scheduler);
  die ("a fiber that has ended goes on");
}

static void
wait (State state)
{
  B.current->state = state;
  switch_to (B.current, &B.scheduler);
}

unsigned
lane ()
{
  return B.current->index & 31;
}

void
barrier ()
{
  if (B.done > 0)
    die ("__syncthreads: %u of %u threads have returned", B.done, B.threads);
  if (++B.at_barrier == B.threads) {
    B.at_barrier = 0;
    for (unsigned i = 0; i < B.threads; i++)
      if (B.fibers[i].state == AT_BARRIER)
        B.fibers[i].state = READY;
  } else {
    wait (AT_BARRIER);
  }
}

/* Whether all lanes of the mask have given away as much as this one. */
static bool
lanes_there (const Fiber *fiber)
{
  const Fiber *first = B.fibers + fiber->index / 32 * 32;
  unsigned count = B.threads - fiber->index / 32 * 32;

  for (unsigned i = 0; i < 32; i++) {
    if (!(fiber->mask >> i & 1))
      continue;
    if (i >= count || (first[i].state == DONE && first[i].rounds < fiber->rounds))
      die ("shuffle: lane %u of the mask %08x is not there", i, fiber->mask);
    if (first[i].rounds < fiber->rounds)
      return false;
    if (first[i].rounds == fiber->rounds && first[i].mask != fiber->mask)
      die ("shuffle: lanes with different masks, %08x and %08x", first[i].mask, fiber->mask);
  }
  return true;
}

uint64_t
exchange (unsigned mask, uint64_t value, unsigned from)
{
  Fiber *fiber = B.current;
  uint64_t (*slots)[32] = B.slots[fiber->index / 32];

  if (!(mask >> lane () & 1) || !(mask >> from & 1))
    die ("shuffle: lane %u reads lane %u, mask %08x", lane (), from, mask);
  fiber->mask = mask;
  fiber->rounds++;
  slots[fiber->rounds & 1][lane ()] = value;
  while (!lanes_there (fiber))
    wait (IN_SHUFFLE);
  return slots[fiber->rounds & 1][from];
}

static void
open_block ()
{
  if (B.fibers)
    return;
  B.fibers = new Fiber[max_threads]();
  B.stacks = (char *) mmap (
      nullptr, max_threads * stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  B.shared = (char *) mmap (nullptr, 2 * shared_limit, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (B.stacks == MAP_FAILED || B.shared == MAP_FAILED
      || mprotect (B.shared + shared_limit, shared_limit, PROT_NONE) != 0)
    die ("no memory for fibers");
}

/* All threads until they have returned. */
static void
run_block ()
{
  unsigned left = B.threads;

  while (left > 0) {
    /* A step that reaches every thread once: any odd one if their number is a power of two, else one up or down. */
    bool power_of_two = (B.threads & (B.threads - 1)) == 0;
    unsigned first = draw_below (B.threads), ran = 0;
    unsigned step = power_of_two ? draw_below (B.threads) | 1 : draw_below (2) ? 1 : B.threads - 1;
    for (unsigned i = 0, at = first; i < B.threads; i++, at = (at + step) % B.threads) {
      Fiber *fiber = B.fibers + at;

      if (fiber->state == DONE || fiber->state == AT_BARRIER || (fiber->state == IN_SHUFFLE && !lanes_there (fiber)))
        continue;
      B.current = fiber;
      thread_now = &fiber->where;
      fiber->state = READY;
      ran++;
      switch_to (&B.scheduler, fiber);
      left -= fiber->state == DONE;
    }
    if (ran == 0)
      die ("threads wait for each other: %u at __syncthreads, %u returned, of %u", B.at_barrier, B.done, B.threads);
  }
}

void
run_grid (dim3 grid, dim3 block, size_t shared_bytes, const std::function<void ()> &thread)
{
  uint64_t blocks = (uint64_t) grid.x * grid.y * grid.z, first = draw () % blocks,
           step = draw_below (2) ? 1 : blocks - 1 + (blocks == 1);

  open_block ();
  B.threads = block.x * block.y * block.z;
  B.body = &thread;
  /* Its end is the end of what may be touched. */
  shared_now = B.shared + shared_limit - (shared_bytes + 15) / 16 * 16;
  for (uint64_t i = 0, at = first; i < blocks; i++, at = (at + step) % blocks) {
    dim3 here ((unsigned) (at % grid.x), (unsigned) (at / grid.x % grid.y), (unsigned) (at / grid.x / grid.y));

    std::memset (shared_now, 0xff, shared_bytes);
    B.at_barrier = B.done = 0;
    for (unsigned t = 0; t < B.threads; t++) {
      Fiber *fiber = B.fibers + t;

      fiber->index = t;
      fiber->rounds = 0;
      fiber->state = READY;
      fiber->where = { dim3 (t % block.x, t / block.x % block.y, t / block.x / block.y), here, block, grid };
      prepare_fiber (fiber);
    }
    run_block ();
  }
  check_red_zones ();
}

bool
check_pointer (const void *pointer, const char *kernel)
{
  Guard guard (lock);

  if (pointer && !is_live_device_pointer (pointer))
    die ("%s was given %p, which is no live memory of this device", kernel, pointer);
  return true;
}

cudaError_t
launch (const char *name, dim3 grid, dim3 block, size_t shared, cudaStream_t stream, std::function<void ()> thread)
{
  Guard guard (lock);
  cudaError_t error = call ("cudaLaunchKernel");
  unsigned threads = block.x * block.y * block.z;

  if (error != cudaSuccess)
    return error;
  if (threads == 0 || threads > max_threads || block.z > 64 || grid.x == 0 || grid.y == 0 || grid.z == 0
      || grid.x > 2147483647u || grid.y > 65535 || grid.z > 65535 || shared > shared_limit)
    die ("%s: grid %u × %u × %u of %u × %u × %u threads with %zu bytes shared cannot be launched", name, grid.x, grid.y,
        grid.z, block.x, block.y, block.z, shared);
  return enqueue (stream, { name, [=] { run_grid (grid, block, shared, thread); } });
}

}
