/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Programs that were compiled against the stored headers find every field where they look for it, and arrays of structs
 * at their stride. */
#include <string.h>

#include "layout.h"

#include "core/upi.h"
#include "gst/meta/gstupimeta.h"

/* (nullable) */
static const Layout *
find (const Layout *like)
{
  for (const Layout *now = layout_now; now->name != NULL; now++)
    if (now->kind == like->kind && g_strcmp0 (now->of, like->of) == 0 && g_str_equal (now->name, like->name))
      return now;
  return NULL;
}

static void
test_same_places (void)
{
  guint n_fields = 0;

  for (const Layout *stored = layout_stored; stored->name != NULL; stored++) {
    const Layout *now = find (stored);

    if (now == NULL)
      g_error ("%s.%s is not there any more, or is of another kind", stored->of, stored->name);
    if (stored->kind == LAYOUT_FIELD && (now->offset != stored->offset || now->size != stored->size))
      g_error ("%s.%s was %" G_GSIZE_FORMAT " bytes at %" G_GSIZE_FORMAT ", is %" G_GSIZE_FORMAT " at %" G_GSIZE_FORMAT,
          stored->of, stored->name, stored->size, stored->offset, now->size, now->offset);
    if ((stored->kind == LAYOUT_FIXED || stored->kind == LAYOUT_NUMBER) && now->size != stored->size)
      g_error ("%s was %" G_GSIZE_FORMAT ", is %" G_GSIZE_FORMAT ", and may never change", stored->name, stored->size,
          now->size);
    if ((stored->kind == LAYOUT_SIZED || stored->kind == LAYOUT_OWN) && now->size < stored->size)
      g_error (
          "%s shrank from %" G_GSIZE_FORMAT " to %" G_GSIZE_FORMAT " bytes", stored->name, stored->size, now->size);
    n_fields += stored->kind == LAYOUT_FIELD;
  }
  g_assert_cmpuint (n_fields, >, 80);
}

static void
test_sized_begin_with_size (void)
{
  guint n = 0;

  for (const Layout *now = layout_now; now->name != NULL; now++) {
    if (now->kind != LAYOUT_SIZED)
      continue;
    n++;
    g_assert_cmpint (now[1].kind, ==, LAYOUT_FIELD);
    g_assert_cmpstr (now[1].name, ==, "size");
    g_assert_cmpuint (now[1].offset, ==, 0);
    g_assert_cmpuint (now[1].size, ==, sizeof (gsize));
  }
  /* Nor does one end with padding: a later field could come to lie there, and read what an older program left in it. */
  for (const Layout *stored = layout_stored, *last = NULL; stored->name != NULL; stored++) {
    last = stored->kind == LAYOUT_SIZED ? stored : last;
    if (last != NULL && stored->kind == LAYOUT_FIELD && stored[1].kind != LAYOUT_FIELD) {
      g_assert_cmpuint (stored->offset + stored->size, ==, last->size);
      last = NULL;
    }
  }
  g_assert_cmpuint (n, ==, 5);
}

/* What comes in arrays had eight pointers and more in reserve, has what is left of them, and the size that its
 * documentation says. */
static void
test_arrays_have_room (void)
{
  g_assert_cmpuint (sizeof (((GstUpiObject *) NULL)->reserved), ==, 4 * sizeof (gpointer));
  g_assert_cmpuint (sizeof (((GstUpiCaption *) NULL)->reserved), ==, 8 * sizeof (gpointer));
  g_assert_cmpuint (sizeof (((UpiObject *) NULL)->reserved), ==, 8 * sizeof (gpointer));
  if (sizeof (gpointer) == 8) {
    g_assert_cmpuint (sizeof (GstUpiObject), ==, 136);
    g_assert_cmpuint (sizeof (GstUpiCaption), ==, 104);
    g_assert_cmpuint (sizeof (UpiObject), ==, 104);
    g_assert_cmpuint (G_STRUCT_OFFSET (UpiMask, data), ==, 64);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/abi/layout/same-places", test_same_places);
  g_test_add_func ("/abi/layout/sized-begin-with-size", test_sized_begin_with_size);
  g_test_add_func ("/abi/layout/arrays-have-room", test_arrays_have_room);
  return g_test_run ();
}
