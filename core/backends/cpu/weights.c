/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* weights.c: packed weights of linear layers that many plans share: a model's text side has a plan for every length of
 * text. Packed once for an instruction set, however many plans use the same memory, and gone with the last of them. */
#include "core/backends/cpu/prepare.h"
#include "core/memory.h"

struct _UpiCpuPacked {
  const UpiCpuKernels *kernels; /* the key, with the next three */
  const gfloat *source;
  gint in, out;
  guint ref_count; /* under the table's lock */
  gfloat *panels;
};

/* The process's, as its backends are; it exists while it holds something. */
static struct {
  GMutex lock;
  GHashTable *packed; /* of UpiCpuPacked */
} table;

static guint
packed_hash (gconstpointer key)
{
  const UpiCpuPacked *p = key;

  return g_direct_hash (p->source) ^ (guint) p->out;
}

static gboolean
packed_equal (gconstpointer a, gconstpointer b)
{
  const UpiCpuPacked *x = a, *y = b;

  return x->kernels == y->kernels && x->source == y->source && x->in == y->in && x->out == y->out;
}

UpiCpuPacked *
upi_cpu_packed_get (const UpiCpuKernels *kernels, const gfloat *source, gint in, gint out, GError **error)
{
  const UpiCpuPacked key = { .kernels = kernels, .source = source, .in = in, .out = out };

  g_mutex_lock (&table.lock);
  if (table.packed == NULL)
    table.packed = g_hash_table_new (packed_hash, packed_equal);
  UpiCpuPacked *p = g_hash_table_lookup (table.packed, &key);
  if (p == NULL) {
    gfloat *panels = UPI_MEMORY_NEW0 (gfloat, kernels->gemm_packed (in, out), "packed weights", error);
    if (panels != NULL) {
      p = g_memdup2 (&key, sizeof key);
      p->panels = panels;
      kernels->gemm_pack (p->panels, source, 1, in, in, out);
      g_hash_table_add (table.packed, p);
    }
  }
  if (p != NULL)
    p->ref_count++;
  else if (g_hash_table_size (table.packed) == 0)
    g_clear_pointer (&table.packed, g_hash_table_unref);
  g_mutex_unlock (&table.lock);
  return p;
}

gfloat *
upi_cpu_packed_panels (const UpiCpuPacked *packed)
{
  return packed->panels;
}

void
upi_cpu_packed_unref (UpiCpuPacked *packed)
{
  g_mutex_lock (&table.lock);
  gboolean last = --packed->ref_count == 0;
  if (last) {
    g_hash_table_remove (table.packed, packed);
    if (g_hash_table_size (table.packed) == 0)
      g_clear_pointer (&table.packed, g_hash_table_unref);
  }
  g_mutex_unlock (&table.lock);
  if (!last)
    return;
  g_free (packed->panels);
  g_free (packed);
}

guint
upi_cpu_packed_count (void)
{
  g_mutex_lock (&table.lock);
  guint n = table.packed != NULL ? g_hash_table_size (table.packed) : 0;
  g_mutex_unlock (&table.lock);
  return n;
}
