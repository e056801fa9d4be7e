/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a card can do at most: bytes and operations per second from its clocks and units, for benchmarks that say how
 * near they come.
 *
 * Units per multiprocessor: CUDA C++ Programming Guide, "Arithmetic Instructions" (float32), and the architecture
 * papers of Turing, Ampere, Ada, Hopper and Blackwell (tensor cores, dense, float32 sums). */
#include "core/backends/cuda/cuda.h"

/* Multiply-adds of one multiprocessor in a clock. */
typedef struct {
  gint capability;
  gint f32;        /* CUDA cores */
  gint half, bf16; /* tensor cores */
  gint tf32;
} Units;

static const Units units[] = {
  { 75, 64, 512, 0, 0 },          /* Turing: T4 */
  { 80, 64, 1024, 1024, 512 },    /* A100 */
  { 86, 128, 512, 512, 256 },     /* A10, A40; cards sold for games do half of it with float32 sums */
  { 87, 128, 1024, 1024, 512 },   /* Orin */
  { 88, 128, 512, 512, 256 },     /* Ampere, as 86 */
  { 89, 128, 512, 512, 256 },     /* Ada: L4, L40 */
  { 90, 128, 2048, 2048, 1024 },  /* H100, H200 */
  { 100, 128, 4096, 4096, 2048 }, /* B200 */
  { 103, 128, 4096, 4096, 2048 }, /* B300 */
  { 110, 128, 4096, 4096, 2048 }, /* Thor */
  { 120, 128, 512, 512, 256 },    /* Blackwell's workstation cards */
  { 121, 128, 512, 512, 256 },    /* DGX Spark */
};

/**
 * upi_cuda_card_peak:
 * @card: as cudaDeviceGetAttribute has it
 * @product: whether the operation is a library's product, which is done by tensor cores where they know its numbers
 * @peak: (out): bytes per second of its memory, operations (two a multiply-add) per second on these numbers
 *
 * Returns: FALSE for a capability that is not in the table, or a card that keeps its clocks to itself
 */
gboolean
upi_cuda_card_peak (const UpiCudaCard *card, UpiCudaType type, gboolean tf32, gboolean product, UpiPeak *peak)
{
  const Units *found = NULL;
  gint fma = 0;

  for (guint i = 0; i < G_N_ELEMENTS (units); i++) {
    if (units[i].capability == 10 * card->major + card->minor)
      found = &units[i];
  }
  if (found == NULL || card->clock_khz <= 0 || card->memory_khz <= 0 || card->bus_bits <= 0
      || card->multiprocessors <= 0)
    return FALSE;
  if (product)
    fma = type == UPI_CUDA_F16 ? found->half : type == UPI_CUDA_BF16 ? found->bf16 : tf32 ? found->tf32 : 0;
  peak->element_bytes = (guint) upi_cuda_element_bytes (type, UPI_F32);
  peak->tensor_cores = fma > 0;
  peak->bytes = 2e3 * (gdouble) card->memory_khz * card->bus_bits / 8; /* two transfers a clock */
  peak->flops = 2e3 * (gdouble) card->clock_khz * card->multiprocessors * (fma > 0 ? fma : found->f32);
  return TRUE;
}

static gboolean
read_card (UpiCudaDevice *device, UpiCudaCard *card, GError **error)
{
  const struct {
    enum cudaDeviceAttr attribute;
    gint *value;
  } attributes[] = {
    { cudaDevAttrComputeCapabilityMajor, &card->major },
    { cudaDevAttrComputeCapabilityMinor, &card->minor },
    { cudaDevAttrMultiProcessorCount, &card->multiprocessors },
    { cudaDevAttrClockRate, &card->clock_khz },
    { cudaDevAttrMemoryClockRate, &card->memory_khz },
    { cudaDevAttrGlobalMemoryBusWidth, &card->bus_bits },
  };

  for (guint i = 0; i < G_N_ELEMENTS (attributes); i++) {
    if (!UPI_CUDA (device, cudaDeviceGetAttribute (attributes[i].value, attributes[i].attribute, device->index), error))
      return FALSE;
  }
  return TRUE;
}

gboolean
upi_cuda_get_peak (const UpiPlan *base, guint op, UpiPeak *peak, GError **error)
{
  const UpiCudaPlan *plan = (const UpiCudaPlan *) base;
  const UpiCudaBackend *backend = (const UpiCudaBackend *) base->backend;
  const UpiCudaOp *attributes = &plan->ops[op];
  UpiCudaCard card = { 0 };

  if (!read_card (plan->device, &card, error))
    return FALSE;
  if (upi_cuda_card_peak (
          &card, plan->type, backend->tf32, attributes->product != NULL || attributes->convolution != NULL, peak))
    return TRUE;
  g_set_error (error, UPI_ERROR, UPI_ERROR_DEVICE, "%s: the peak of compute capability %d.%d is not known",
      plan->device->name, card.major, card.minor);
  return FALSE;
}
