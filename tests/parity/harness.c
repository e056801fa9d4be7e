/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Builds a case in a variant, runs it between guard bytes, compares it with ref's dense run. */

#include "tests/parity/parity.h"

#include "core/program/passes.h"

#include <math.h>
#include <string.h>

#define GUARD_BYTES 64
#define GUARD 0xA5
#define SENTINEL 0x7fc0beefu /* a NaN that no operation makes */
#define MAX_BUFFERS 12

/* Bound memory of one input or output: `whole` is what is bound, of which the case sees the part that starts at
 * `start`. */
typedef struct {
  UpiValue value;
  UpiDType dtype;
  UpiShape whole, part;
  gint start[UPI_MAX_RANK];
  gboolean is_output;
  guint8 *memory; /* guard, (offset,) data, guard */
  guint8 *data;
  guint8 *original; /* copy of data before the run */
  guint32 *dense;   /* inputs: the values of the part, dense */
} Buffer;

struct _Parity {
  UpiProgram *program;
  ParityVariant variant;
  GRand *rand;
  gchar *name;
  Buffer buffers[MAX_BUFFERS];
  guint n_buffers;
};

UpiProgram *
parity_program (Parity *parity)
{
  return parity->program;
}

void
parity_name (Parity *parity, const gchar *format, ...)
{
  va_list args;

  va_start (args, format);
  g_free (parity->name);
  parity->name = g_strdup_vprintf (format, args);
  va_end (args);
}

static gdouble
normal (GRand *rand)
{
  gdouble sum = 0;

  for (guint i = 0; i < 4; i++)
    sum += g_rand_double_range (rand, -1, 1);
  return sum * 0.87; /* about unit variance */
}

/* To the nearest number with 11 (f16, tf32) or 8 (bf16) bits; f16's small ones are multiples of 2^-24. */
static gfloat
narrowed (ParityVariant variant, gfloat value)
{
  gint exponent;
  gdouble fraction;

  if (!(variant & PARITY_NARROW) || !isfinite (value) || value == 0)
    return value;
  fraction = frexp ((gdouble) value, &exponent);
  if (variant & PARITY_BF16)
    return (gfloat) ldexp (rint (ldexp (fraction, 8)), exponent - 8);
  if (variant & PARITY_TF32)
    return (gfloat) ldexp (rint (ldexp (fraction, 11)), exponent - 11);
  if (fabsf (value) >= 65520)
    return value > 0 ? INFINITY : -INFINITY;
  exponent = MAX (exponent, -13);
  return (gfloat) ldexp (rint (ldexp ((gdouble) value, 11 - exponent)), exponent - 11);
}

/* Normalised mean squared error that is allowed: what the definition's own float32 rounding allows, or the output's
 * rounding to 16 bits and that of intermediate results. What copies is exact in every type. */
static gdouble
tolerance_of (const ParityFamily *family, ParityVariant variant)
{
  if (family->tolerance == 0)
    return 0;
  return variant & (PARITY_F16 | PARITY_TF32) ? 1e-6 : variant & PARITY_BF16 ? 5e-5 : family->tolerance;
}

static gfloat *
fill (Parity *parity, const UpiShape *shape, ParityFill kind, gfloat scale)
{
  gsize count = upi_shape_count (shape), width = (gsize) upi_shape_width (shape);
  gfloat *data = g_new (gfloat, count);

  for (gsize i = 0; i < count; i++) {
    gdouble value = normal (parity->rand), dice = g_rand_double (parity->rand);

    if (kind == PARITY_FILL_UNIT)
      value = dice < 0.02 ? 0 : dice < 0.04 ? 1 : g_rand_double (parity->rand);
    else if (kind == PARITY_FILL_TIES)
      value = floor (value * 2);
    else if (kind == PARITY_FILL_WIDE && dice < 0.1)
      value *= 100;
    else if (kind == PARITY_FILL_ZERO_ROWS && i / width % 3 == 1)
      value = 0;
    else if (kind == PARITY_FILL_BROKEN && dice < 0.6)
      value = dice < 0.2 ? NAN : dice < 0.4 ? INFINITY : -INFINITY;
    data[i] = narrowed (parity->variant, (gfloat) value * (kind == PARITY_FILL_UNIT ? 1 : scale));
  }
  return data;
}

/* The part grows on all sides of its second and last dimension, by odd numbers. */
static void
enlarge (const UpiShape *part, UpiShape *whole, gint *start)
{
  *whole = *part;
  for (guint i = 0; i < UPI_MAX_RANK; i++)
    start[i] = 0;
  whole->dim[part->rank - 1] += 5;
  start[part->rank - 1] = 3;
  if (part->rank > 2) {
    whole->dim[1] += 2;
    start[1] = 1;
  }
}

static UpiValue
slice_part (UpiProgram *p, UpiValue whole, const Buffer *buffer)
{
  for (guint i = 0; i < buffer->part.rank; i++)
    whole = upi_slice (p, whole, i, buffer->start[i], buffer->part.dim[i]);
  return whole;
}

static Buffer *
append_buffer (Parity *parity, UpiDType dtype, const UpiShape *shape, gboolean is_output)
{
  gboolean strided = (parity->variant & (is_output ? PARITY_STRIDED_OUTPUTS : PARITY_STRIDED_INPUTS)) != 0;
  Buffer *buffer = &parity->buffers[parity->n_buffers++];

  g_assert (parity->n_buffers <= MAX_BUFFERS);
  *buffer = (Buffer){ .dtype = dtype, .whole = *shape, .part = *shape, .is_output = is_output };
  if (strided)
    enlarge (shape, &buffer->whole, buffer->start);
  return buffer;
}

static UpiValue
append_input (Parity *parity, UpiDType dtype, const UpiShape *shape, void *dense)
{
  Buffer *buffer = append_buffer (parity, dtype, shape, FALSE);
  g_autofree gchar *name = g_strdup_printf ("in%u", parity->n_buffers);

  buffer->dense = dense;
  buffer->value = upi_program_input (parity->program, name, dtype, buffer->whole);
  return slice_part (parity->program, buffer->value, buffer);
}

UpiValue
parity_input (Parity *parity, UpiShape shape, ParityFill kind, gfloat scale)
{
  return append_input (parity, UPI_F32, &shape, fill (parity, &shape, kind, scale));
}

UpiValue
parity_ints (Parity *parity, UpiShape shape, gint lo, gint hi)
{
  gsize count = upi_shape_count (&shape);
  gint32 *data = g_new (gint32, count);

  for (gsize i = 0; i < count; i++)
    data[i] = g_rand_int_range (parity->rand, lo, hi + 1);
  return append_input (parity, UPI_I32, &shape, data);
}

UpiValue
parity_weight (Parity *parity, UpiShape shape, gfloat scale)
{
  return upi_program_constant (parity->program, fill (parity, &shape, PARITY_FILL_NORMAL, scale), shape);
}

void
parity_output (Parity *parity, UpiValue value)
{
  UpiProgram *p = parity->program;
  UpiValueInfo info = *upi_program_value (p, value);
  Buffer *buffer = append_buffer (parity, info.dtype, &info.shape, TRUE);
  g_autofree gchar *name = g_strdup_printf ("out%u", parity->n_buffers);

  if (upi_shape_equal (&buffer->whole, &buffer->part) && info.kind == UPI_VALUE_COMPUTED) {
    buffer->value = value;
  } else {
    /* The copy into the part goes away where the operation can write there itself: that is what is under test. */
    UpiOp copy = { .kind = UPI_OP_COPY, .part = p->part, .n_inputs = 1, .inputs = { value }, .residual = UPI_NO_VALUE };

    buffer->value = upi_program_append_value (p, UPI_VALUE_COMPUTED, info.dtype, &buffer->whole, NULL);
    copy.output = slice_part (p, buffer->value, buffer);
    g_array_append_val (p->ops, copy);
  }
  upi_program_output (p, name, buffer->value);
}

static gsize
buffer_bytes (const Buffer *buffer)
{
  return upi_shape_count (&buffer->whole) * UPI_ELEMENT_BYTES;
}

/* Position of element i of the part inside the whole. */
static gsize
whole_index (const Buffer *buffer, gsize i)
{
  gsize index = 0, step = 1;

  for (guint d = buffer->part.rank; d-- > 0;) {
    index += (i % (gsize) buffer->part.dim[d] + (gsize) buffer->start[d]) * step;
    i /= (gsize) buffer->part.dim[d];
    step *= (gsize) buffer->whole.dim[d];
  }
  return index;
}

static void
allocate (Parity *parity, Buffer *buffer)
{
  gsize bytes = buffer_bytes (buffer), count = upi_shape_count (&buffer->part), shift;

  buffer->memory = g_malloc (bytes + 3 * GUARD_BYTES);
  memset (buffer->memory, GUARD, bytes + 3 * GUARD_BYTES);
  shift = GUARD_BYTES - (gsize) buffer->memory % GUARD_BYTES;
  buffer->data = buffer->memory + shift + (parity->variant & PARITY_UNALIGNED ? 4 : 0);
  if (shift < 16)
    buffer->data += GUARD_BYTES;
  for (gsize i = 0; i < bytes / 4; i++)
    ((guint32 *) buffer->data)[i] = SENTINEL;
  for (gsize i = 0; i < count && buffer->dense != NULL; i++)
    ((guint32 *) buffer->data)[whole_index (buffer, i)] = buffer->dense[i];
  buffer->original = g_memdup2 (buffer->data, bytes);
}

static gboolean
guards_intact (const Buffer *buffer)
{
  const guint8 *end = buffer->memory + buffer_bytes (buffer) + 3 * GUARD_BYTES;

  for (const guint8 *byte = buffer->memory; byte < end; byte++) {
    if (byte == buffer->data)
      byte += buffer_bytes (buffer);
    if (*byte != GUARD)
      return FALSE;
  }
  return TRUE;
}

void
parity_free (Parity *parity)
{
  for (guint i = 0; i < parity->n_buffers; i++) {
    g_free (parity->buffers[i].memory);
    g_free (parity->buffers[i].original);
    g_free (parity->buffers[i].dense);
  }
  g_clear_pointer (&parity->program, upi_program_free);
  g_clear_pointer (&parity->rand, g_rand_free);
  g_free (parity->name);
  g_free (parity);
}

const void *
parity_family_case (const ParityFamily *family, guint index)
{
  return (const guint8 *) family->cases + index * family->case_size;
}

gboolean
parity_case_is_big (const ParityFamily *family, guint index)
{
  return *(const ParityBig *) parity_family_case (family, index);
}

Parity *
parity_build (const ParityFamily *family, guint index, ParityVariant variant)
{
  Parity *parity = g_new (Parity, 1);

  *parity = (Parity){
    .variant = variant, .program = upi_program_new (family->name), .rand = g_rand_new_with_seed (index + 1)
  };
  upi_program_part (parity->program, family->name);
  family->build (parity, parity_family_case (family, index));
  return parity;
}

gchar *
parity_case_name (const ParityFamily *family, guint index)
{
  Parity *parity = parity_build (family, index, PARITY_DENSE);
  gchar *name = g_strdup_printf ("%s/%s", family->name, parity->name);

  parity_free (parity);
  return name;
}

UpiContext *
parity_open (Parity *parity, const UpiBackend *backend, guint threads, UpiPlan **plan)
{
  GError *error = NULL;
  UpiContext *context;

  *plan = upi_plan_new (backend, g_steal_pointer (&parity->program), threads, &error);
  g_assert_no_error (error);
  context = upi_context_new (*plan, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < parity->n_buffers; i++) {
    allocate (parity, &parity->buffers[i]);
    upi_context_bind (context, parity->buffers[i].value, parity->buffers[i].data);
  }
  return context;
}

static void
run_between_guards (Parity *parity, const UpiBackend *backend)
{
  g_autoptr (UpiPlan) plan = NULL;
  g_autoptr (UpiContext) context = parity_open (parity, backend, parity->variant & PARITY_THREADS ? 2 : 1, &plan);
  GError *error = NULL;

  upi_context_run (context, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < parity->n_buffers; i++) {
    if (!guards_intact (&parity->buffers[i])) {
      g_test_message ("%s %u: bytes before or behind the bound memory were written",
          parity->buffers[i].is_output ? "output" : "input", i);
      g_test_fail ();
    }
  }
}

/* Everything outside the part must be as before the run. */
static void
check_surroundings (const Buffer *buffer, guint number)
{
  gsize count = upi_shape_count (&buffer->part), bytes = buffer_bytes (buffer);
  guint32 *now = g_memdup2 (buffer->data, bytes);

  for (gsize i = 0; i < count; i++) {
    gsize at = whole_index (buffer, i);

    now[at] = ((const guint32 *) buffer->original)[at];
  }
  if (memcmp (now, buffer->original, bytes) != 0) {
    g_test_message ("buffer %u: elements between the rows of the view were written", number);
    g_test_fail ();
  }
  g_free (now);
}

static void
compare (const Buffer *found, const Buffer *expected, guint number, gdouble tolerance)
{
  gsize count = upi_shape_count (&found->part), worst = 0;
  gdouble error = 0, norm = 0, worst_error = -1;
  gboolean bits_equal = TRUE;

  for (gsize i = 0; i < count; i++) {
    const guint8 *f = found->data + 4 * whole_index (found, i), *e = expected->data + 4 * whole_index (expected, i);
    gfloat x, y;
    gdouble d;

    bits_equal &= memcmp (f, e, 4) == 0;
    memcpy (&x, f, 4);
    memcpy (&y, e, 4);
    if (isfinite (x) && isfinite (y))
      d = (gdouble) x - (gdouble) y;
    else
      d = memcmp (f, e, 4) == 0 || (isnan (x) && isnan (y)) ? 0 : INFINITY; /* a NaN's sign says nothing */
    error += d * d;
    norm += isfinite (y) ? (gdouble) y * (gdouble) y : 0;
    if (fabs (d) > worst_error) {
      worst_error = fabs (d);
      worst = i;
    }
  }
  error = norm > 0 ? error / norm : error;
  if (found->dtype == UPI_I32 || tolerance == 0 ? !bits_equal : !(error <= tolerance)) {
    gsize f = whole_index (found, worst), e = whole_index (expected, worst);

    if (found->dtype == UPI_I32)
      g_test_message ("buffer %u: differs", number);
    else
      g_test_message ("buffer %u: normalised mean squared error %.3g, at most %.3g; worst at element %" G_GSIZE_FORMAT
                      ": %.9g, expected %.9g",
          number, error, tolerance, worst, (gdouble) ((gfloat *) found->data)[f],
          (gdouble) ((gfloat *) expected->data)[e]);
    g_test_fail ();
  }
}

void
parity_check (const UpiBackend *backend, const ParityFamily *family, guint index, ParityVariant variant)
{
  Parity *truth = parity_build (family, index, PARITY_DENSE | (variant & PARITY_NARROW));
  Parity *trial = parity_build (family, index, variant);

  run_between_guards (truth, upi_backend_ref ());
  run_between_guards (trial, backend);
  g_assert_cmpuint (truth->n_buffers, ==, trial->n_buffers);
  for (guint i = 0; i < trial->n_buffers; i++) {
    check_surroundings (&trial->buffers[i], i);
    /* Inputs too: what is stored into a cache must be equal, all others must be unchanged. */
    compare (&trial->buffers[i], &truth->buffers[i], i,
        trial->buffers[i].is_output || (variant & (PARITY_F16 | PARITY_BF16)) ? tolerance_of (family, variant) : 0);
  }
  parity_free (truth);
  parity_free (trial);
}
